//! The machine's wish that we stop: SIGINT, SIGTERM, SIGHUP. The first ends the show in order, the second
//! does not wait for the ingests, the third does not wait for the machinery either.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// A queue of wishes to stop.
#[derive(Debug)]
pub struct Signals {
    queue: mpsc::Receiver<()>,
}

impl Signals {
    /// Listens to the signals of this process, from now on.
    pub fn listen() -> io::Result<Self> {
        let (tell, queue) = mpsc::channel(4);
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut stream = signal(kind)?;
            let tell = tell.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    // A full queue already says "at once".
                    let _ = tell.try_send(());
                }
            });
        }
        Ok(Self { queue })
    }

    /// Signals that come from elsewhere: whoever holds the sender.
    pub fn queue() -> (mpsc::Sender<()>, Self) {
        let (tell, queue) = mpsc::channel(4);
        (tell, Self { queue })
    }

    /// The next wish to stop; `None` when none can come any more.
    pub async fn next(&mut self) -> Option<()> {
        self.queue.recv().await
    }
}
