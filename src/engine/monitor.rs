//! Keeps a monitor on the show: subscribes to the stage by WHEP as a viewer does, and again whenever that
//! breaks. What it has seen over all its sessions is kept.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinHandle, time::timeout};
use url::Url;

use crate::{
    base::Secret,
    link::whip::{Link, WhipEvent, open},
    stage::{Watch, WatchOptions, WatchState},
    stats::{WatchFigures, report::MonitorReport},
    whip::Role,
};

/// Between two tries, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));
/// From the offer until media may flow.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// The session that watches now, and what those before it saw.
#[derive(Default)]
struct Kept {
    now: Option<Arc<Watch>>,
    before: Option<MonitorReport>,
}

type Current = Arc<Mutex<Kept>>;

fn kept(current: &Current) -> std::sync::MutexGuard<'_, Kept> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn report(&self) -> Option<MonitorReport> {
        let now = self.now.as_ref().filter(|w| w.has_frames()).map(|w| w.report());
        match (self.before.clone(), now) {
            (Some(before), Some(now)) => Some(before.followed_by(now)),
            (before, now) => before.or(now),
        }
    }

    /// Another session takes the place of the one that watched.
    fn change(&mut self, to: Option<Arc<Watch>>) -> Option<Arc<Watch>> {
        self.before = self.report();
        std::mem::replace(&mut self.now, to)
    }
}

/// A monitor that keeps itself going.
pub struct Monitor {
    current: Current,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Monitor {
    /// Watches `url` from now on. Must be called within the engine's runtime.
    pub fn start(link: &Link, url: Url, token: Option<Secret>) -> Self {
        let current = Current::default();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(keep(link.clone(), url, token, Arc::clone(&current), stopped));
        Self { current, stop, task }
    }

    /// What it sees now; `None` until it has seen a frame.
    pub fn figures(&self) -> Option<WatchFigures> {
        let watch = kept(&self.current).now.clone();
        watch.filter(|w| w.has_frames()).map(|w| w.figures(Instant::now()))
    }

    /// What it has seen so far, over all its sessions.
    pub fn report(&self) -> Option<MonitorReport> {
        kept(&self.current).report()
    }

    /// Ends it: DELETE, then its thread.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // A task that panicked is gone too.
        let _ = timeout(Duration::from_secs(3), self.task).await;
    }
}

async fn keep(
    link: Link,
    url: Url,
    token: Option<Secret>,
    current: Current,
    mut stopped: watch::Receiver<bool>,
) {
    let mut wait = RETRY.0;
    while !*stopped.borrow() {
        let began = Instant::now();
        if let Err(why) = session(&link, &url, token.clone(), &current, stopped.clone()).await {
            tracing::warn!("the monitor lost the stage: {why}");
        }
        wait = if began.elapsed() > RETRY.1 { RETRY.0 } else { (wait * 2).min(RETRY.1) };
        // Cut short by the order to stop.
        let _ = timeout(wait, stopped.wait_for(|stop| *stop)).await;
    }
    let last = kept(&current).change(None);
    if let Some(watch) = last.and_then(Arc::into_inner) {
        watch.stop().await;
    }
}

async fn session(
    link: &Link,
    url: &Url,
    token: Option<Secret>,
    current: &Current,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), String> {
    let (mut watch, offer) = Watch::new(&WatchOptions::default()).map_err(|e| e.to_string())?;
    let mut state = watch.state();
    let mut talk = open(link, url.clone(), token, offer, Role::Whep);
    let answer = loop {
        let news = tokio::select! {
            news = timeout(CONNECT_DEADLINE, talk.events.recv()) => news,
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
        };
        match news {
            Ok(Some(WhipEvent::Answer(sdp))) => break sdp,
            Ok(Some(WhipEvent::IceServers(_) | WhipEvent::Established)) => {}
            Ok(Some(WhipEvent::Failed { sentence, .. })) => return Err(sentence),
            Ok(Some(WhipEvent::Stopped) | None) => return Err("the session ended".into()),
            Err(_) => return Err("the stage did not answer".into()),
        }
    };
    watch.answer(&answer).map_err(|e| e.to_string())?;
    let old = kept(current).change(Some(Arc::new(watch)));
    if let Some(old) = old.and_then(Arc::into_inner) {
        old.stop().await;
    }
    let ended = async {
        // A sender that is gone has ended too.
        let _ = state.wait_for(|s| *s == WatchState::Ended).await;
    };
    tokio::select! {
        () = ended => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    talk.stop();
    let _ = timeout(Duration::from_millis(1500), async {
        while let Some(event) = talk.events.recv().await {
            if matches!(event, WhipEvent::Stopped | WhipEvent::Failed { .. }) {
                break;
            }
        }
    })
    .await;
    Ok(())
}
