//! The report at the end of a show: from the show itself, from the adapters, and of the process. It is
//! written whole or not at all.

use std::{io, path::Path};

use super::{adapters::Adapters, process::Process};
use crate::{
    base::{Moment, text::json},
    show::{Mode, OutputStatus, Show},
    stats::{
        Report,
        report::{InputReport, OutputReport},
    },
};

/// When and how the show ended, as the loop saw it.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// When it began, by the wall clock.
    pub started: jiff::Timestamp,
    /// When it ended.
    pub at: Moment,
    /// With which exit code.
    pub exit_code: u8,
    /// The engine itself broke.
    pub broke: bool,
}

/// Builds the report of a show that is over. `adapters` are asked last, so that they can correct what
/// they measured better.
pub fn build(
    show: &Show,
    end: &End,
    process: &Process,
    adapters: Option<&mut Box<dyn Adapters>>,
) -> Report {
    let ended = match show.ending {
        _ if end.broke => "the engine broke",
        Some(why) => why.words(),
        None => "it was cut short",
    };
    let outputs = show.outputs.iter().map(|o| {
        let current = match o.status {
            OutputStatus::Live { since, silent } => {
                silent.unwrap_or(end.at).since(since).as_millis() as u64
            }
            _ => 0,
        };
        let report = OutputReport {
            to: o.shown(),
            connect_ms: o.connect_ms,
            reconnects: o.reconnects,
            down_ms: o.down_ms,
            on_air_ms: o.on_air_ms + current,
            last_failure: o.last_failure.clone(),
            ..OutputReport::default()
        };
        (o.spec.id.to_string(), report)
    });
    let inputs = show.inputs.iter().map(|i| {
        let report = InputReport { faults: i.faults, last_fault: i.last_fault.clone(), frames: 0 };
        (i.spec.id.to_string(), report)
    });
    let mut report = Report {
        version: 1,
        title: show.spec.title.clone(),
        mode: mode_name(show.mode).into(),
        started: end.started.to_string(),
        duration_ms: end.at.since(show.started).as_millis() as u64,
        ended: ended.into(),
        exit_code: end.exit_code,
        encoder: show.encoder.clone(),
        outputs: outputs.collect(),
        inputs: inputs.collect(),
        process: process.report(),
        ..Report::default()
    };
    if let Some(adapters) = adapters {
        adapters.fill_report(&mut report);
    }
    report
}

/// The word for a mode in reports.
pub const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Rehearse => "rehearse",
        Mode::Live => "live",
    }
}

/// Writes the report beside its place and moves it there, so that nobody ever reads half of one.
pub fn write(report: &Report, path: &Path) -> io::Result<()> {
    let text = json(&serde_json::to_string_pretty(report)?) + "\n";
    write_whole(path, text.as_bytes())
}

/// Writes a file by way of a neighbour with another name. On an error nothing is left behind.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(beside);
    let done = (|| {
        let mut file = std::fs::File::create(&beside)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    })();
    if done.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    done
}
