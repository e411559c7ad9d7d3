//! Capture in a process of its own: a library that ends its process when its server goes (Xlib does) then
//! ends only the capture. The child is `gst-launch-1.0`; its pictures come through a pipe, framed by
//! GStreamer's own data protocol with their caps and times. It decides nothing about the input.
//!
//! The child lives no longer than we do: whoever writes to a pipe that nobody reads is ended by the system.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    io::{BufRead, BufReader},
    os::fd::AsRawFd,
    process::{ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    time::{Duration, Instant},
};

use gst::prelude::*;

use crate::{
    base::CHILD_ENVIRONMENT,
    media::{
        error::{MediaError, element, without_secrets},
        packages,
    },
    show::FailureKind,
};

/// The program that captures.
pub const LAUNCHER: &str = "gst-launch-1.0";
/// A picture of 720 lines fits almost whole; more needs privileges on Linux.
const PIPE_BYTES: usize = 1 << 20;
/// Lines of its last words that are kept.
const WORDS: usize = 12;
/// How long a child whose output ended may take to be gone.
const FAREWELL: Duration = Duration::from_millis(500);

/// A capturing child. Dropping it ends it.
#[derive(Debug)]
pub struct Child {
    /// Locked only by the minder, and when the child is dropped.
    process: Mutex<std::process::Child>,
    words: Arc<Mutex<VecDeque<String>>>,
    silent: Mutex<Receiver<()>>,
    /// The descriptor `fdsrc` reads: it must stay open as long as the pipeline may.
    _pictures: ChildStdout,
}

impl Child {
    /// Starts a child with that pipeline, which ends in raw pictures; they come out of the element. When
    /// the child says the time its pipeline counts from (nanoseconds of the machine's monotonic clock),
    /// it is put into `base`.
    pub fn start(
        pipeline: &[String],
        base: &Arc<AtomicU64>,
    ) -> Result<(Self, gst::Element), MediaError> {
        let source = element("fdsrc")?;
        let mut command = Command::new(LAUNCHER);
        command
            .arg("-q")
            .args(pipeline)
            .args(["!", "gdppay", "!", "fdsink", "fd=1", "sync=false"])
            .env_clear()
            .envs(environment())
            // The one line that tells the base time; and English, uncoloured words.
            .env("GST_DEBUG", "pipeline:5")
            .env("GST_DEBUG_NO_COLOR", "1")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Ctrl-C in the terminal is for hawker alone.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => MediaError::lasting(format!(
                "{LAUNCHER}, which captures the screen, is not installed: {}",
                packages::fix(LAUNCHER)
            )),
            _ => MediaError::passing(format!("{LAUNCHER} does not start: {e}")),
        })?;
        let (Some(pictures), Some(said)) = (process.stdout.take(), process.stderr.take()) else {
            // Cannot be: both were asked for. Without them the child is of no use.
            let _ = process.kill();
            return Err(MediaError::passing(format!("{LAUNCHER} has no pipe to us")));
        };
        // Less is slower, not wrong.
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(&pictures, PIPE_BYTES);
        source.set_property("fd", pictures.as_raw_fd());
        source.set_property("blocksize", PIPE_BYTES as u32);
        let words = Arc::new(Mutex::new(VecDeque::new()));
        let (hearing, silent) = sync_channel(1);
        let child = Self {
            process: Mutex::new(process),
            words: Arc::clone(&words),
            silent: Mutex::new(silent),
            _pictures: pictures,
        };
        let base = Arc::clone(base);
        std::thread::Builder::new()
            .name("in-child".into())
            .spawn(move || {
                let _hearing = hearing;
                for line in BufReader::new(said).lines().map_while(Result::ok) {
                    match base_time(&line) {
                        Said::Base(ns) => base.store(ns, Ordering::Release),
                        Said::Debug => {}
                        Said::Words => {
                            let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                            if words.len() == WORDS {
                                words.pop_front();
                            }
                            words.push_back(line);
                        }
                    }
                }
            })
            .map_err(|e| {
                MediaError::passing(format!("the system gives no thread for the capture: {e}"))
            })?;
        Ok((child, source))
    }

    /// Why it ended; `None` while it runs. Waits a moment for a child that is on its way out.
    pub fn why(&self) -> Option<(String, FailureKind)> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + FAREWELL;
        let status = loop {
            if let Ok(Some(status)) = process.try_wait() {
                break status;
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        // All it said is read when the reader lets go.
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = silent.recv_timeout(FAREWELL);
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        Some((explain(words.iter().map(String::as_str), status), FailureKind::Passing))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself; waiting leaves no zombie either way.
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// Where libraries and GStreamer's plugins are found, besides what any program may need.
pub fn environment() -> Vec<(OsString, OsString)> {
    let needed = |name: &OsStr| {
        let name = name.to_string_lossy();
        CHILD_ENVIRONMENT.contains(&&*name)
            || matches!(
                &*name,
                "LD_LIBRARY_PATH" | "LD_PRELOAD" | "XDG_DATA_DIRS" | "XDG_CACHE_HOME"
            )
            || (name.starts_with("GST_") && !name.starts_with("GST_DEBUG"))
    };
    std::env::vars_os().filter(|(name, _)| needed(name)).collect()
}

/// What a line of the child's standard error is.
enum Said {
    /// Its pipeline's base time.
    Base(u64),
    /// GStreamer's own log.
    Debug,
    /// Something for people.
    Words,
}

fn base_time(line: &str) -> Said {
    let logged = line.split_whitespace().take(4).any(|w| matches!(w, "DEBUG" | "INFO"));
    if !logged {
        return Said::Words;
    }
    // "start_time=..., now=..., base_time h:mm:ss.nnnnnnnnn"
    line.split_once("now=")
        .and_then(|(_, rest)| rest.split_once("base_time "))
        .and_then(|(_, time)| nanoseconds(time.trim()))
        .map_or(Said::Debug, Said::Base)
}

fn nanoseconds(time: &str) -> Option<u64> {
    let (whole, fraction) = time.split_once('.')?;
    let seconds =
        whole.split(':').try_fold(0_u64, |sum, part| Some(sum * 60 + part.parse::<u64>().ok()?))?;
    (fraction.len() == 9).then_some(())?;
    Some(seconds * 1_000_000_000 + fraction.parse::<u64>().ok()?)
}

/// The child's end in words for people.
fn explain<'a>(words: impl Iterator<Item = &'a str>, status: std::process::ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("the capture process was ended by signal {signal}");
    }
    let mut first = None;
    for line in words {
        if line.contains("IO error") || line.contains("connection to X server") {
            return "the X server went away".to_owned();
        }
        if line.contains("open X display") {
            return "the X display cannot be opened: check its name (`echo $DISPLAY`), and that this \
                    user may use it (`xauth list`)"
                .to_owned();
        }
        if first.is_none() && line.starts_with("ERROR") {
            // "ERROR: from element /GstPipeline:pipeline0/...: what happened"
            first = line.rsplit_once(": ").map(|(_, what)| without_secrets(what));
        }
    }
    match first {
        Some(what) => format!("the capture process gave up: {}", what.trim_end_matches('.')),
        None => format!("the capture process ended ({status})"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn the_base_time_is_read_from_its_line_only() {
        let line = "0:00:00.05 387 0x5568 DEBUG pipeline gstpipeline.c:494:change_state:<pipeline0> \
                    start_time=0:00:00.000000000, now=1:12:36.336354662, base_time 1:12:36.336354662";
        assert!(matches!(base_time(line), Said::Base(4_356_336_354_662)));
        let other =
            "0:00:00.09 387 0x5568 DEBUG pipeline gstpipeline.c:506:x:<p> NOT adjusting base_time";
        assert!(matches!(base_time(other), Said::Debug));
        assert!(matches!(base_time("ERROR: from element /x: y"), Said::Words));
    }

    #[test]
    fn its_end_is_told_in_words() {
        let said = |lines: &[&str], raw| {
            explain(lines.iter().copied(), std::process::ExitStatus::from_raw(raw))
        };
        assert!(said(&[], 9).contains("signal 9"));
        let xio = "XIO:  fatal IO error 11 (Resource temporarily unavailable) on X server \":1\"";
        assert_eq!(said(&[xio], 256), "the X server went away");
        let no = "ERROR: from element /GstPipeline:p/GstXImageSrc:x: Could not open X display for reading";
        assert!(said(&[no], 256).contains("check its name"));
        assert_eq!(
            said(&["ERROR: from element /a:b: It broke."], 256),
            "the capture process gave up: It broke"
        );
    }
}
