//! Keeps the journal of a show: every input, a line each, as `show::replay` reads it. Writing is done by a
//! thread of its own behind a bounded queue; the loop never waits for the disk.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

use super::lines::write_all;
use crate::show::replay::{Entry, Opening, write_line};

/// How many lines may wait for the disk.
const QUEUE: usize = 4096;
/// How long the last lines are waited for at the end.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Said when the writing fails.
const LAST_WORDS: &str = "the journal ends here, the show goes on: free some disk space";

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    lines: Option<SyncSender<Vec<u8>>>,
    done: Receiver<()>,
}

impl Journal {
    /// Begins a journal in a new file that only its owner may read.
    pub fn create(path: &Path, opening: &Opening) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        write_line(&mut file, opening)?;
        let (lines, queue) = sync_channel(QUEUE);
        let (tell, done) = sync_channel(1);
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || write_all(file, &queue, &tell, LAST_WORDS))?;
        Ok(Self { lines: Some(lines), done })
    }

    /// Adds a line. A journal with a hole could not be replayed: when the disk cannot keep up or is full,
    /// the journal ends there with a warning, and the show goes on.
    pub fn add(&mut self, entry: &Entry) {
        let Some(lines) = &self.lines else { return };
        let mut text = Vec::with_capacity(256);
        if let Err(error) = write_line(&mut text, entry) {
            tracing::warn!(%error, "the journal ends here: an input cannot be written");
            self.lines = None;
            return;
        }
        match lines.try_send(text) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!("the journal ends here: the disk does not keep up");
                self.lines = None;
            }
            // The thread has said why.
            Err(TrySendError::Disconnected(_)) => self.lines = None,
        }
    }

    /// Waits until the last line is on disk, one second at most.
    pub fn close(mut self) {
        self.lines = None;
        let _ = self.done.recv_timeout(LAST_LINES);
    }
}
