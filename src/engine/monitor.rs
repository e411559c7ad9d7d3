//! Keeps a monitor on a stream: subscribes to it by WHEP as a viewer does, and again whenever that breaks. What it
//! has seen over all its sessions is kept, and the time between two of them counts as a viewer would count it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{interval, timeout},
};
use url::Url;

use super::files::Files;
use crate::{
    base::{MonitorId, Secret, SecretRef},
    link::whip::{Link, WhipEvent, open},
    media::{Departures, MediaError, player::Player},
    show::Fact,
    stage::{AccessUnit, SoundPacket, Watch, WatchOptions, WatchState, local_address_toward},
    stats::{LatencySummary, WatchFigures, report::MonitorReport},
    whip::{Kind, Role},
};

/// Between two tries, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));
/// The same where the answer will not be another one before somebody changes something.
const REFUSED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// From the offer until media may flow.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A session from which no frame has come for so long is let go, and another is opened: what it subscribed to may be
/// gone. The stage's own lives as long as the stage.
const BARREN: Duration = Duration::from_secs(8);
/// Frames, and packets of sound, that may wait for the player.
const WAITING: usize = 64;
/// Between two looks at whether frames come.
const LOOK: Duration = Duration::from_millis(250);
/// A start that comes to nothing is told after so long: what is to be watched may not be there yet.
const PATIENCE: Duration = Duration::from_secs(5);
/// Said when the certificate on the media path is not the one that the answer names.
const IMPOSTOR: &str = "whoever answers on the media path is not the server: the certificate shown there is not the one \
    that the server's answer names (a=fingerprint), so nothing is taken from there";
/// A gap between two sessions counts as a freeze from this on, and as a pause from the second on, as in one session.
const FREEZE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What is to be watched.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The WHEP address.
    pub url: Url,
    /// The bearer token, if it asks for one.
    pub token: Option<Secret>,
    /// Who is told what becomes of it, and under which name; `None` for the stage's own monitor, whose stream cannot
    /// be away while the stage is there.
    pub told: Option<(MonitorId, mpsc::Sender<Fact>)>,
    /// Whether a start that comes to nothing is told at once, not only when it has lasted: somebody waits for it.
    pub at_once: bool,
    /// The show whose frames are awaited, by the id in their stamps; `None` when it may be any.
    pub show: Option<u64>,
}

/// The session that watches now, and what those before it saw.
#[derive(Default)]
struct Kept {
    now: Option<Arc<Watch>>,
    before: Option<MonitorReport>,
    /// What the sessions before counted, and what lay between them.
    carried: Carried,
    /// The last figures of the session before, while the present one has no frame, and when the last frame came.
    left: Option<(WatchFigures, Instant)>,
}

/// Counters of sessions that are over.
#[derive(Debug, Clone, Copy, Default)]
struct Carried {
    freezes: u64,
    freeze_ms: u64,
    pause_ms: u64,
    sound_gaps: u64,
    sound_gap_ms: u64,
    size_changes: u64,
}

impl Carried {
    const fn of(figures: &WatchFigures) -> Self {
        Self {
            freezes: figures.freezes,
            freeze_ms: figures.freeze_ms,
            pause_ms: figures.pause_ms,
            sound_gaps: figures.sound_gaps,
            sound_gap_ms: figures.sound_gap_ms,
            size_changes: figures.size_changes,
        }
    }

    const fn add_to(&self, figures: &mut WatchFigures) {
        figures.freezes += self.freezes;
        figures.freeze_ms += self.freeze_ms;
        figures.pause_ms += self.pause_ms;
        figures.sound_gaps += self.sound_gaps;
        figures.sound_gap_ms += self.sound_gap_ms;
        figures.size_changes += self.size_changes;
    }
}

type Current = Arc<Mutex<Kept>>;

fn kept(current: &Current) -> MutexGuard<'_, Kept> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn report(&mut self) -> Option<MonitorReport> {
        self.settle();
        let now = self.now.as_ref().filter(|w| w.has_frames()).map(|w| w.report());
        match (self.before.clone(), now) {
            (Some(before), Some(now)) => Some(before.followed_by(now)),
            (before, now) => before.or(now),
        }
    }

    /// `sent` are the departures of what it watches, where that is this process's own.
    fn figures(&mut self, at: Instant, sent: Option<&Departures>) -> Option<WatchFigures> {
        self.settle();
        if let Some(watch) = self.now.as_ref().filter(|w| w.has_frames()) {
            let mut figures = watch.figures(at);
            self.carried.add_to(&mut figures);
            figures.network = sent.and_then(|sent| network(&watch.arrivals(at), |n| sent.of(n)));
            return Some(figures);
        }
        let (figures, last) = self.left.as_ref()?;
        let gap = at.saturating_duration_since(*last);
        Some(WatchFigures {
            latency: None,
            estimated: None,
            network: None,
            jitter_ms: None,
            fps: 0.0,
            kbps: 0.0,
            gap_ms: gap.as_millis() as u64,
            frozen: gap >= FREEZE.0,
            ..figures.clone()
        })
    }

    /// The first frame of a session ends the gap since the last one of the session before.
    fn settle(&mut self) {
        let first = self.now.as_ref().and_then(|w| w.first_frame());
        let (Some(first), Some((_, last))) = (first, &self.left) else { return };
        let gap = first.saturating_duration_since(*last);
        let ms = gap.as_millis() as u64;
        self.left = None;
        let (freezes, pauses) = match gap {
            _ if gap < FREEZE.0 => (0, 0),
            _ if gap > FREEZE.1 => (0, 1),
            _ => (1, 0),
        };
        self.carried.freezes += freezes;
        self.carried.freeze_ms += freezes * ms;
        self.carried.pause_ms += pauses * ms;
        if let Some(before) = &mut self.before {
            before.freezes += freezes;
            before.freeze_ms += freezes * ms;
            before.pauses += pauses;
            before.longest_gap_ms = before.longest_gap_ms.max(ms);
        }
    }

    /// Another session takes the place of the one that watched.
    fn change(&mut self, to: Option<Arc<Watch>>) -> Option<Arc<Watch>> {
        self.before = self.report();
        let at = Instant::now();
        if self.now.as_ref().is_some_and(|w| w.has_frames())
            && let Some(figures) = self.figures(at, None)
        {
            self.carried = Carried::of(&figures);
            let gap = Duration::from_millis(figures.gap_ms);
            self.left = at.checked_sub(gap).map(|last| (figures, last));
        }
        std::mem::replace(&mut self.now, to)
    }
}

/// A monitor that keeps itself going.
pub struct Monitor {
    current: Current,
    player: Option<Arc<Player>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Monitor {
    /// Watches from now on. Must be called within the engine's runtime.
    pub fn start(link: &Link, watched: Watched) -> Self {
        Self::begin(link, watched, None, None)
    }

    /// The same with a token that is read for each session.
    pub fn reading(link: &Link, watched: Watched, token: SecretRef, files: Files) -> Self {
        Self::begin(link, watched, None, Some((token, files)))
    }

    /// The same, and plays what it watches to who asks [`Monitor::player`]. GStreamer must have been started.
    pub fn play(link: &Link, watched: Watched) -> Result<Self, MediaError> {
        Ok(Self::begin(link, watched, Some(Arc::new(Player::start()?)), None))
    }

    fn begin(
        link: &Link,
        watched: Watched,
        player: Option<Arc<Player>>,
        secret: Option<(SecretRef, Files)>,
    ) -> Self {
        let current = Current::default();
        let (stop, stopped) = watch::channel(false);
        let news = News {
            told: watched.told.clone(),
            patience: if watched.at_once { Duration::ZERO } else { PATIENCE },
            up: false,
            lost: None,
            since: Instant::now(),
        };
        let keeper = Keeper {
            link: link.clone(),
            watched,
            secret,
            current: Arc::clone(&current),
            player: player.clone(),
            news,
            stopped,
        };
        let task = tokio::spawn(keeper.keep());
        Self { current, player, stop, task }
    }

    /// What plays the stream, if it was started to.
    pub fn player(&self) -> Option<&Player> {
        self.player.as_deref()
    }

    /// Pictures of that size, in pixels, from as soon as the sender can; `None` for none.
    pub fn look(&self, size: Option<(u16, u16)>) {
        if let Some(player) = &self.player {
            player.look(size);
        }
    }

    /// Whether its sound is to be heard.
    pub fn listen(&self, on: bool) {
        if let Some(player) = &self.player {
            player.listen(on);
        }
    }

    /// What it sees now; `None` until it has seen a frame. `sent` are the departures of the output that it watches,
    /// where that is this process's own.
    pub fn figures(&self, sent: Option<&Departures>) -> Option<WatchFigures> {
        kept(&self.current).figures(Instant::now(), sent)
    }

    /// What it has seen so far, over all its sessions.
    pub fn report(&self) -> Option<MonitorReport> {
        kept(&self.current).report()
    }

    /// How far the present session has come; `None` while there is none.
    pub fn state(&self) -> Option<WatchState> {
        kept(&self.current).now.as_ref().map(|watch| *watch.state().borrow())
    }

    /// Ends it: DELETE, then its thread.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // A task that panicked is gone too.
        let _ = timeout(Duration::from_secs(3), self.task).await;
    }
}

/// Tells what becomes of it, once each, and each reason once.
struct News {
    told: Option<(MonitorId, mpsc::Sender<Fact>)>,
    patience: Duration,
    up: bool,
    /// The reason that was told last.
    lost: Option<String>,
    since: Instant,
}

impl News {
    async fn up(&mut self) {
        if !std::mem::replace(&mut self.up, true) {
            self.lost = None;
            self.tell(|monitor| Fact::MonitorUp { monitor }).await;
        }
    }

    async fn lost(&mut self, reason: String) {
        let was_up = std::mem::replace(&mut self.up, false);
        if was_up {
            self.since = Instant::now();
        }
        let is_news = self.lost.as_ref() != Some(&reason);
        if was_up || (is_news && self.since.elapsed() >= self.patience) {
            self.lost = Some(reason.clone());
            self.tell(|monitor| Fact::MonitorLost { monitor, reason }).await;
        }
    }

    async fn tell(&self, fact: impl FnOnce(MonitorId) -> Fact) {
        let Some((monitor, facts)) = &self.told else { return };
        // An engine that is gone has nobody to tell.
        let _ = facts.send(fact(monitor.clone())).await;
    }
}

/// Why a session is over.
struct Broken {
    reason: String,
    /// Nothing will change by asking again soon.
    lasting: bool,
    /// Not before this has passed, asks the other end.
    not_before: Duration,
}

impl From<String> for Broken {
    fn from(reason: String) -> Self {
        Self { reason, lasting: false, not_before: Duration::ZERO }
    }
}

impl From<&str> for Broken {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}

struct Keeper {
    link: Link,
    watched: Watched,
    /// Where the token is read, if it is named.
    secret: Option<(SecretRef, Files)>,
    current: Current,
    player: Option<Arc<Player>>,
    news: News,
    stopped: watch::Receiver<bool>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut wait = RETRY.0;
        // One that was dropped has nobody to watch for.
        while !*self.stopped.borrow() && self.stopped.has_changed().is_ok() {
            let began = Instant::now();
            let (mut not_before, mut pace) = (Duration::ZERO, RETRY);
            if let Err(broken) = self.session().await {
                tracing::warn!(
                    "the monitor lost {}: {}",
                    crate::whip::shown(&self.watched.url),
                    broken.reason
                );
                not_before = broken.not_before;
                if broken.lasting {
                    pace = REFUSED;
                }
                self.news.lost(broken.reason).await;
            }
            let lived = began.elapsed() > RETRY.1;
            wait = if lived { pace.0 } else { (wait * 2).clamp(pace.0, pace.1) };
            let pause = wait.max(not_before);
            // Cut short by the order to stop.
            let _ = timeout(pause, self.stopped.wait_for(|stop| *stop)).await;
        }
        let last = kept(&self.current).change(None);
        if let Some(watch) = last.and_then(Arc::into_inner) {
            watch.stop().await;
        }
    }

    async fn session(&mut self) -> Result<(), Broken> {
        let Watched { url, mut token, show, .. } = self.watched.clone();
        if let Some((named, files)) = &self.secret {
            token = Some(files.secret(named).await.map_err(|unread| unread.reason)?);
        }
        let local = toward(&url).await?;
        let waiting = if self.player.is_some() { WAITING } else { 0 };
        let options = WatchOptions { local, frames: waiting, sounds: waiting, show };
        let (mut watch, offer) = Watch::new(&options).map_err(|e| e.to_string())?;
        let mut talk = open(&self.link, url, token, offer, Role::Whep);
        let answer = loop {
            let news = tokio::select! {
                news = timeout(CONNECT_DEADLINE, talk.events.recv()) => news,
                _ = self.stopped.wait_for(|stop| *stop) => return Ok(()),
            };
            match news {
                Ok(Some(WhipEvent::Answer(sdp))) => break sdp,
                Ok(Some(WhipEvent::IceServers(_) | WhipEvent::Established)) => {}
                Ok(Some(WhipEvent::Failed { sentence, kind, retry_after })) => {
                    let not_before = retry_after.unwrap_or_default();
                    let lasting = kind == Kind::Lasting;
                    return Err(Broken { reason: sentence, lasting, not_before });
                }
                Ok(Some(WhipEvent::Stopped) | None) => return Err("the session ended".into()),
                Err(_) => return Err("the server did not answer".into()),
            }
        };
        watch.answer(&answer).map_err(|e| e.to_string())?;
        let media = (watch.frames(), watch.sounds());
        let watch = Arc::new(watch);
        let old = kept(&self.current).change(Some(Arc::clone(&watch)));
        if let Some(old) = old.and_then(Arc::into_inner) {
            old.stop().await;
        }
        let done = self.follow(&watch, media).await;
        drop(watch);
        talk.stop();
        let _ = timeout(Duration::from_millis(1500), async {
            while let Some(event) = talk.events.recv().await {
                if matches!(event, WhipEvent::Stopped | WhipEvent::Failed { .. }) {
                    break;
                }
            }
        })
        .await;
        done
    }

    /// Until it ends, or gives nothing any more.
    async fn follow(
        &mut self,
        watch: &Watch,
        (mut frames, mut sounds): (Option<Frames>, Option<Sounds>),
    ) -> Result<(), Broken> {
        let (mut state, began) = (watch.state(), Instant::now());
        let mut looks = interval(LOOK);
        loop {
            tokio::select! {
                // A sender that is gone has ended too.
                _ = state.wait_for(|s| *s == WatchState::Ended) => {
                    if watch.met_impostor() {
                        return Err(IMPOSTOR.into());
                    }
                    return Err("the session ended: the server let it go, or is not heard any more".into());
                }
                _ = self.stopped.wait_for(|stop| *stop) => return Ok(()),
                Some(frame) = next(&mut frames) => {
                    if let Some(player) = &self.player {
                        player.frame(frame.codec, frame.key, frame.after_gap, frame.data);
                    }
                    continue;
                }
                Some(packet) = next(&mut sounds) => {
                    if let Some(player) = &self.player {
                        player.sound(packet.data);
                    }
                    continue;
                }
                _ = looks.tick() => {}
            }
            if self.player.as_ref().is_some_and(|player| player.wants_key()) {
                watch.ask_key_frame();
            }
            let now = Instant::now();
            let gap = match watch.first_frame() {
                Some(_) => Duration::from_millis(watch.figures(now).gap_ms),
                None => now.duration_since(began),
            };
            if watch.has_frames() && gap < BARREN {
                self.news.up().await;
            }
            if self.watched.told.is_some() && gap >= BARREN {
                return Err(format!("no frame has come for {} s", BARREN.as_secs()).into());
            }
        }
    }
}

type Frames = mpsc::Receiver<AccessUnit>;
type Sounds = mpsc::Receiver<SoundPacket>;

/// What comes next, if anything ever does.
async fn next<T>(from: &mut Option<mpsc::Receiver<T>>) -> Option<T> {
    from.as_mut()?.recv().await
}

/// How long frames were under way that came as `arrivals` say (number and time in nanoseconds), where it is known when
/// they were sent.
fn network(arrivals: &[(u64, u64)], sent: impl Fn(u64) -> Option<u64>) -> Option<LatencySummary> {
    let under_way = |(number, arrived): &(u64, u64)| arrived.checked_sub(sent(*number)?);
    let ms = arrivals.iter().filter_map(under_way).map(|ns| ns as f64 / 1e6);
    LatencySummary::of(ms.collect())
}

/// The address of this machine from which that server is reached.
async fn toward(url: &Url) -> Result<IpAddr, String> {
    let unknown = || format!("the name of {} cannot be found", crate::whip::shown(url));
    let host = url.host_str().ok_or_else(unknown)?.trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    let found = timeout(CONNECT_DEADLINE, tokio::net::lookup_host((host, port))).await;
    let silent = |_| {
        let at = crate::whip::shown(url);
        format!("the name of {at} was not resolved in time: no name server (DNS) answers")
    };
    let all: Vec<SocketAddr> = found.map_err(silent)?.map_err(|_| unknown())?.collect();
    all.into_iter()
        .find_map(local_address_toward)
        .ok_or_else(|| format!("there is no way from here to {}", crate::whip::shown(url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_way_to_loopback_is_loopback() {
        for url in ["http://127.0.0.1:8088/whep", "http://localhost:8088/whep"] {
            assert!(toward(&url.parse().unwrap()).await.unwrap().is_loopback(), "{url}");
        }
        let unknown = toward(&"http://nobody.invalid/whep/s3cret".parse().unwrap()).await;
        let why = unknown.unwrap_err();
        assert!(why.contains("nobody.invalid") && !why.contains("s3cret"), "{why}");
    }

    #[tokio::test]
    async fn a_start_that_fails_is_told_once_and_only_after_a_while() {
        let (facts, mut told) = mpsc::channel(8);
        let name = "tokyo".parse().unwrap();
        let mut news = News {
            told: Some((name, facts)),
            patience: PATIENCE,
            up: false,
            lost: None,
            since: Instant::now(),
        };
        news.lost("404".into()).await;
        assert!(told.try_recv().is_err());
        news.since = Instant::now().checked_sub(PATIENCE).unwrap();
        news.lost("404".into()).await;
        news.lost("404".into()).await;
        news.up().await;
        news.up().await;
        news.lost("gone".into()).await;
        let words: Vec<String> = std::iter::from_fn(|| told.try_recv().ok())
            .map(|fact| match fact {
                Fact::MonitorUp { .. } => "up".to_owned(),
                Fact::MonitorLost { reason, .. } => reason,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(words, ["404", "up", "gone"]);
    }

    #[test]
    fn the_gap_between_two_sessions_is_counted_as_a_viewer_would() {
        let at = Instant::now();
        let seen =
            WatchFigures { freezes: 2, freeze_ms: 700, gap_ms: 40, ..WatchFigures::default() };
        let mut kept = Kept { left: Some((seen, at)), ..Kept::default() };
        let open = kept.figures(at + Duration::from_millis(1200), None).unwrap();
        assert_eq!((open.freezes, open.gap_ms, open.frozen), (2, 1200, true));
        assert!(open.latency.is_none() && open.fps == 0.0);
        assert!(!kept.figures(at + Duration::from_millis(90), None).unwrap().frozen);
    }

    #[test]
    fn a_frame_is_under_way_from_its_own_departure_to_its_own_arrival() {
        let sent = |n: u64| [None, Some(1_000_000), Some(40_000_000)][n as usize];
        assert_eq!(network(&[(0, 5_000_000)], sent), None, "not one of this output's");
        let of_two = network(&[(0, 9), (1, 4_000_000), (2, 45_000_000)], sent).unwrap();
        assert_eq!((of_two.count, of_two.p50_ms, of_two.max_ms), (2, 3.0, 5.0));
        assert_eq!(network(&[(2, 39_000_000)], sent), None, "an older one of that number");
    }
}
