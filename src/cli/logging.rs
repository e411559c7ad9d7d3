//! Where an engine's log goes: the file in the show's folder, never a terminal. `HAWKER_LOG` is the filter
//! (`debug`, `hawker::engine=trace,warn`). Lines are written by a thread of their own, so that a disk that does not
//! answer holds up nobody, and no secret that this process has held gets into one.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::base::{mask::masked, text::plain};

/// So many lines may wait for the disk; more are lost, and counted.
const WAITING: usize = 2048;
/// The longest line that is written whole, in bytes.
const LONGEST: usize = 8 * 1024;
/// How long the last lines are waited for at the end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The one log of this process.
static LOG: OnceLock<Log> = OnceLock::new();

enum Entry {
    Line(Vec<u8>),
    /// Everything before this is to be on its way to the disk.
    Flush(SyncSender<()>),
}

/// Takes lines.
#[derive(Clone)]
struct Log {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

impl Log {
    fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let (entries, queue) = sync_channel(WAITING);
        let log = Self { entries, lost: Arc::default() };
        let lost = Arc::clone(&log.lost);
        std::thread::Builder::new().name("log".into()).spawn(move || write(to, &queue, &lost))?;
        Ok(log)
    }
}

/// A formatted line comes in one piece.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let cut = line.len().min(LONGEST);
        let mut kept = line[..cut].to_vec();
        if cut < line.len() {
            kept.extend_from_slice("…\n".as_bytes());
        }
        if self.entries.try_send(Entry::Line(kept)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(mut to: impl Write, queue: &Receiver<Entry>, lost: &AtomicU64) {
    while let Ok(entry) = queue.recv() {
        // A full disk may have room again later.
        match entry {
            Entry::Line(line) => {
                let lost = lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let _ = writeln!(to, "{lost} lines were lost here: the disk did not keep up");
                }
                let _ = to.write_all(safe(&line).as_bytes());
            }
            Entry::Flush(done) => {
                let _ = to.flush();
                // Whoever waited may be gone.
                let _ = done.try_send(());
            }
        }
    }
}

/// A line as it may be written.
fn safe(line: &[u8]) -> String {
    let text: Cow<'_, str> = String::from_utf8_lossy(line);
    let mut safe = String::with_capacity(text.len());
    for line in masked(&text).lines() {
        safe.push_str(&plain(line));
        safe.push('\n');
    }
    safe
}

/// Waits until what was logged so far is written, one second at most.
pub(crate) fn flush() {
    let Some(log) = LOG.get() else { return };
    let (done, written) = sync_channel(1);
    // A full queue means a disk that does not answer.
    if log.entries.try_send(Entry::Flush(done)).is_ok() {
        let _ = written.recv_timeout(LAST_LINES);
    }
}

/// Opens the log and sends everything traced to it. The file is given back, for what else is to go there.
pub(crate) fn to_file(path: &Path) -> Result<File, Failure> {
    // What str0m warns of is what strangers send: anybody could fill the log with it.
    let filter = match std::env::var("HAWKER_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(&filter).map_err(|e| {
            Failure::usage(format!("HAWKER_LOG: {e}; use error, warn, info, debug or trace"))
        })?,
        _ => EnvFilter::new("info,str0m=error"),
    };
    let open = || -> io::Result<(Log, File)> {
        let file = File::options().create(true).append(true).mode(0o600).open(path)?;
        Ok((Log::start(file.try_clone()?)?, file))
    };
    let (log, rest) = open().map_err(|e| {
        Failure::start(format!("the log cannot be written to {}: {e}", path.display()))
    })?;
    let writer = log.clone();
    // A second subscriber in one process is refused; then the first goes on.
    let begun = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        // Said by `eprintln!` otherwise, which panics where standard error is full or gone as well.
        .log_internal_errors(false)
        .with_writer(move || writer.clone())
        .try_init();
    if begun.is_ok() {
        let _ = LOG.set(log);
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::base::Secret;

    /// A disk that answers while its gate is open.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<Vec<u8>>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(log: &Log, disk: &Disk) -> String {
        let (done, seen) = sync_channel(1);
        log.entries.send(Entry::Flush(done)).unwrap();
        seen.recv_timeout(Duration::from_secs(5)).unwrap();
        String::from_utf8(disk.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn no_secret_and_nothing_harmful_gets_into_a_line() {
        let disk = Disk::default();
        let mut log = Log::start(disk.clone()).unwrap();
        let _secret = Secret::new("pl4nted/s3cret");
        log.write_all(b"key pl4nted/s3cret, pl4nted%2Fs3cret \x1b[2J\xe2\x80\xae\n").unwrap();
        log.write_all(b"Authorization: Basic dXNlcjpwbDRudGVkL3MzY3JldA==\n").unwrap();
        let text = written(&log, &disk);
        assert_eq!(text, "key …, … [2J\nAuthorization: Basic …\n");
    }

    #[test]
    fn a_disk_that_does_not_answer_holds_up_nobody() {
        let disk = Disk::default();
        let mut log = Log::start(disk.clone()).unwrap();
        let hung = disk.0.lock().unwrap();
        let began = std::time::Instant::now();
        for _ in 0..WAITING + 100 {
            log.write_all(&[b'x'; 100]).unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let lost = log.lost.load(Ordering::Relaxed);
        assert!(lost >= 99, "{lost}");
        drop(hung);
        let before = written(&log, &disk);
        log.write_all(b"again\n").unwrap();
        let text = written(&log, &disk);
        assert!(before.contains("lines were lost here") || text.contains("lines were lost here"));
        assert!(text.ends_with("again\n"), "{text}");
    }
}
