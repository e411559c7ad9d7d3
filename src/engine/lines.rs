//! Writes lines that come through a bounded queue, on a thread of their own: a slow disk or reader holds up
//! nothing.

use std::{
    io::{self, BufWriter, Write},
    sync::mpsc::{Receiver, SyncSender},
};

/// Writes until the queue closes or the writing fails (then `last_words` go to the log), and tells that it is
/// done. Flushes whenever nothing more waits.
pub fn write_all(
    to: impl Write,
    queue: &Receiver<Vec<u8>>,
    tell: &SyncSender<()>,
    last_words: &str,
) {
    let mut to = BufWriter::new(to);
    let written = (|| -> io::Result<()> {
        while let Ok(line) = queue.recv() {
            to.write_all(&line)?;
            while let Ok(line) = queue.try_recv() {
                to.write_all(&line)?;
            }
            to.flush()?;
        }
        Ok(())
    })();
    if let Err(error) = written {
        tracing::warn!(%error, "{last_words}");
    }
    // Whoever waited may be gone.
    let _ = tell.send(());
}
