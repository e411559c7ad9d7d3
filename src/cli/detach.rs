//! Starts an engine as a process of its own, and waits until it stands or has said why it does not.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::sync_channel,
    time::Duration,
};

use super::{Failure, engine::Job};
use crate::{headless::EventsTo, show::Mode};

/// How long an engine may take to stand. The first start on a machine scans every media plug-in.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts the engine of a job; where its socket is.
pub(crate) fn start(job: &Job) -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()
        .map_err(|e| Failure::start(format!("hawker does not find its own program: {e}")))?;
    let mut command = Command::new(program);
    command.arg("engine").stdin(Stdio::null()).stdout(Stdio::piped());
    if job.mode == Mode::Live {
        command.arg("--live");
    }
    if job.standby {
        command.arg("--standby");
    }
    if let Some(ms) = job.for_ms {
        command.arg("--for-ms").arg(ms.to_string());
    }
    if let Some(path) = &job.show {
        command.arg("--show").arg(path);
    }
    if let Some(EventsTo::File(path)) = &job.events {
        command.arg("--events").arg(path);
    }
    if let Some(path) = &job.report {
        command.arg("--report").arg(path);
    }
    if let Some(address) = &job.metrics {
        command.arg("--metrics").arg(address.to_string());
    }
    if let Some(reference) = &job.metrics_token {
        command.arg("--metrics-token").arg(reference.to_string());
    }
    if let Some(address) = &job.chat_page {
        command.arg("--chat-page").arg(address.to_string());
    }
    if let Some(reference) = &job.chat_page_token {
        command.arg("--chat-page-token").arg(reference.to_string());
    }
    if let Some(link) = &job.link {
        command.arg("--link").arg(link);
    }
    let mut child = command
        .spawn()
        .map_err(|e| Failure::start(format!("the engine's process cannot be started: {e}")))?;
    let said = child.stdout.take().and_then(first_line);
    let standing = said.as_deref().map_or_else(|| Err(silent()), understood);
    if standing.is_err() {
        put_away(&mut child);
    }
    standing
}

fn silent() -> Failure {
    Failure::start("the engine ended, or did not stand after a minute, without a word")
}

fn first_line(stdout: ChildStdout) -> Option<String> {
    let (tell, told) = sync_channel(1);
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // Nobody waits any more after the deadline.
        let _ = tell.send(read.ok().filter(|n| *n > 0).map(|_| line));
    });
    told.recv_timeout(PATIENCE).ok().flatten()
}

fn understood(line: &str) -> Result<PathBuf, Failure> {
    let line = line.trim_end_matches('\n');
    if let Some(path) = line.strip_prefix("ready ") {
        return Ok(path.into());
    }
    let failed = line.strip_prefix("failed ").and_then(|rest| rest.split_once(' '));
    let (code, text) = failed.ok_or_else(silent)?;
    Err(Failure {
        exit_code: code.parse().unwrap_or(3),
        text: serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()),
    })
}

/// An engine that failed is on its way out; one that is stuck is put to an end. Nothing is left behind.
fn put_away(child: &mut Child) {
    for _ in 0..100 {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_an_engine_is_understood() {
        assert_eq!(understood("ready /run/x y/7.sock\n"), Ok("/run/x y/7.sock".into()));
        let failed = understood("failed 2 \"two\\nlines\"\n").unwrap_err();
        assert_eq!((failed.exit_code, failed.text.as_str()), (2, "two\nlines"));
        assert_eq!(understood("hello").unwrap_err().exit_code, 3);
    }
}
