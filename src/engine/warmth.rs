//! Keeps a connection open to each ingest that a show is about to go to, so that going live begins with the
//! offer and not with TCP and TLS: three round trips are saved, and the machine's authorities are read
//! (half a second) before anybody waits.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};
use url::Url;

use crate::link::whip::Link;

/// Between two requests on a connection that stands by. Servers close one that is silent for a minute or so.
const AGAIN: Duration = Duration::from_secs(25);

/// Kept until it is dropped. What is under way then goes on to its end: its connection is about to be used.
#[derive(Debug)]
pub struct Warmth {
    _kept: watch::Sender<()>,
}

impl Warmth {
    /// Keeps connections to these. Must be called within a runtime.
    pub fn keep(link: &Link, urls: Vec<Url>) -> Self {
        let (kept, held) = watch::channel(());
        for url in urls {
            tokio::spawn(keep(link.clone(), url, held.clone()));
        }
        Self { _kept: kept }
    }
}

async fn keep(link: Link, url: Url, mut held: watch::Receiver<()>) {
    loop {
        link.warm(&url).await;
        // Nothing is ever sent: only the end is told.
        if timeout(AGAIN, held.changed()).await.is_ok() {
            return;
        }
    }
}
