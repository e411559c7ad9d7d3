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

type Current = Arc<Mutex<Option<Arc<Watch>>>>;

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

    fn watch(&self) -> Option<Arc<Watch>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it sees now; `None` until it has seen a frame.
    pub fn figures(&self) -> Option<WatchFigures> {
        self.watch().filter(|w| w.has_frames()).map(|w| w.figures(Instant::now()))
    }

    /// What its session has seen so far.
    pub fn report(&self) -> Option<MonitorReport> {
        self.watch().filter(|w| w.has_frames()).map(|w| w.report())
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
    let last = current.lock().unwrap_or_else(PoisonError::into_inner).take();
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
        match timeout(CONNECT_DEADLINE, talk.events.recv()).await {
            Ok(Some(WhipEvent::Answer(sdp))) => break sdp,
            Ok(Some(WhipEvent::Established)) => {}
            Ok(Some(WhipEvent::Failed { sentence, .. })) => return Err(sentence),
            Ok(Some(WhipEvent::Stopped) | None) => return Err("the session ended".into()),
            Err(_) => return Err("the stage did not answer".into()),
        }
    };
    watch.answer(&answer).map_err(|e| e.to_string())?;
    *current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(watch));
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
