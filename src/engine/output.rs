//! One session of a WHIP output: media and signalling, from the order to connect until it is off the air.
//! Runs as a task of its own; what becomes of it goes out as facts.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use url::Url;

use super::{
    files::Unread,
    paths::{Paths, Ways},
    reach::{Answered, addresses_for},
};
use crate::{
    base::{OutputId, Ring, Secret},
    flow::liveness::News,
    link::whip::{Conversation, Link, WhipEvent, begin},
    media::{Departures, Publisher, Route, SessionEvent, Studio},
    show::{Fact, FailureKind, Profile},
    stats::{OutputFigures, report::FileReport},
    whip::{Failure, IceServer, Kind, Quirks, Role, Session, reach::without_names},
};

/// From the answer until ICE and DTLS are done.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Without a path for so long after the answer, a session by the relays it named takes this one's place.
const RELAY_AFTER: Duration = Duration::from_secs(2);
/// Making a session is work of milliseconds too.
const MAKING_DEADLINE: Duration = Duration::from_secs(8);
/// Making an offer and taking an answer is work of milliseconds.
const SDP_DEADLINE: Duration = Duration::from_secs(5);
/// Taking a session off the air waits this long for the ingest's answer.
const STOP_DEADLINE: Duration = Duration::from_millis(2200);

/// Where an output goes, with everything resolved.
pub struct Destination {
    /// Its name.
    pub id: OutputId,
    /// The WHIP endpoint.
    pub url: Url,
    /// The bearer token.
    pub token: Option<Secret>,
    /// Hosts that a redirect may carry the token to, beyond the endpoint's own family.
    pub trusted: Vec<String>,
    /// How the server differs from what is usual.
    pub quirks: Quirks,
    /// How a path for media is found.
    pub paths: Paths,
    /// How it is encoded, where that is not the show's own way.
    pub profile: Option<Box<Profile>>,
    /// Its place among the show's outputs: the first that is open drives the encoder.
    pub order: u32,
    /// The session's number.
    pub session: u32,
}

impl Destination {
    fn session(&self) -> Session {
        let session = Session::new(Role::Whip, self.url.clone(), self.token.clone());
        let session = session.trusting(self.trusted.clone());
        if self.quirks.trickle { session } else { session.without_trickle() }
    }
}

/// Figures over the whole life of an output, across sessions.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The newest figures of the current session.
    pub now: OutputFigures,
    /// When the current session's frames were sent, where frames are sent one by one.
    pub sent: Option<Departures>,
    rtt_ms: Option<Ring<f64>>,
    kbps: (f64, u32),
    loss: (f64, u32),
    dropped_before: u64,
    /// The files of the sessions that are over, and of the current one.
    files: (Vec<FileReport>, Vec<FileReport>),
}

impl Tally {
    /// Takes the current session's newest figures.
    pub(super) fn take(&mut self, figures: &OutputFigures) {
        if let Some(rtt) = figures.rtt_ms {
            self.rtt_ms.get_or_insert_with(|| Ring::new(3600)).push(rtt);
        }
        if let Some(kbps) = figures.sent_kbps {
            self.kbps = (self.kbps.0 + kbps, self.kbps.1 + 1);
        }
        if let Some(loss) = figures.loss {
            self.loss = (self.loss.0 + loss, self.loss.1 + 1);
        }
        self.now = *figures;
    }

    /// The files of the current session.
    pub(super) fn wrote(&mut self, files: Vec<FileReport>) {
        self.files.1 = files;
    }

    /// The current session is over.
    pub(super) fn end_session(&mut self, dropped: u64) {
        self.files.0.append(&mut self.files.1);
        self.dropped_before += dropped;
        self.now = OutputFigures::default();
        self.sent = None;
    }

    /// Median of the round trips of the last hour, in ms.
    pub fn median_rtt_ms(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.rtt_ms.as_ref()?.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// Mean bitrate while on air, in kbit/s.
    pub fn mean_kbps(&self) -> Option<f64> {
        (self.kbps.1 > 0).then(|| self.kbps.0 / f64::from(self.kbps.1))
    }

    /// Mean loss while on air, 0.0-1.0.
    pub fn mean_loss(&self) -> Option<f64> {
        (self.loss.1 > 0).then(|| self.loss.0 / f64::from(self.loss.1))
    }

    /// The files of all sessions.
    pub fn files(&self) -> Vec<FileReport> {
        [self.files.0.as_slice(), &self.files.1].concat()
    }

    /// Frames thrown away, over all sessions.
    pub const fn dropped(&self) -> u64 {
        self.dropped_before + self.now.dropped
    }
}

/// A tally shared between the task and the meters.
pub type SharedTally = Arc<Mutex<Tally>>;

/// The tally, even if a task died with it in hand.
pub fn tally(shared: &SharedTally) -> std::sync::MutexGuard<'_, Tally> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running session. Dropping it takes it off the air unseen.
pub struct Output {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    /// Rung for a new file.
    split: Arc<Notify>,
}

impl Output {
    /// Starts to publish. Must be called within the engine's runtime.
    pub fn start(
        studio: &Arc<Studio>,
        link: &Link,
        to: Destination,
        facts: mpsc::Sender<Fact>,
        tally: SharedTally,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let run = Run { studio: Arc::clone(studio), link: link.clone(), to, facts, tally, stopped };
        Self::running(stop, Arc::default(), tokio::spawn(run.run()))
    }

    /// The same for a destination whose secrets are still to be read: `to` ends within its own deadline. `id` and
    /// `session` are those of the destination.
    pub fn prepare(
        studio: &Arc<Studio>,
        to: impl Future<Output = Result<(Link, Destination), Unread>> + Send + 'static,
        (id, session): (OutputId, u32),
        facts: mpsc::Sender<Fact>,
        tally: SharedTally,
    ) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let studio = Arc::clone(studio);
        Self::running(
            stop,
            Arc::default(),
            tokio::spawn(async move {
                let ready = tokio::select! {
                    ready = to => ready,
                    () = asked(&mut stopped) => return,
                };
                match ready {
                    Ok((link, to)) => Run { studio, link, to, facts, tally, stopped }.run().await,
                    Err(Unread { reason, kind }) => {
                        let output = id;
                        let failed = Fact::OutputFailed {
                            output,
                            session,
                            reason,
                            kind,
                            retry_after_ms: None,
                        };
                        // An engine that is gone needs no report.
                        let _ = facts.send(failed).await;
                    }
                }
            }),
        )
    }

    /// A session that runs as that task, until `stop` says so.
    pub(super) const fn running(
        stop: watch::Sender<bool>,
        split: Arc<Notify>,
        task: JoinHandle<()>,
    ) -> Self {
        Self { stop, task, split }
    }

    /// A new file, where it writes files. Asked again before it was begun, it is one.
    pub fn split(&self) {
        self.split.notify_one();
    }

    /// Takes it off the air: DELETE, then the session. No fact follows.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until it is gone.
    pub async fn gone(self) {
        // A task that panicked is gone too.
        let _ = self.task.await;
    }

    /// Whether it has ended by itself.
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

struct Run {
    studio: Arc<Studio>,
    link: Link,
    to: Destination,
    facts: mpsc::Sender<Fact>,
    tally: SharedTally,
    stopped: watch::Receiver<bool>,
}

/// Why a session ended that nobody stopped.
struct Broke {
    reason: String,
    kind: FailureKind,
    retry_after: Option<Duration>,
}

impl Broke {
    const fn new(reason: String, kind: FailureKind) -> Self {
        Self { reason, kind, retry_after: None }
    }

    const fn passing(reason: String) -> Self {
        Self::new(reason, FailureKind::Passing)
    }
}

impl From<Failure> for Broke {
    fn from(Failure { sentence, kind, retry_after }: Failure) -> Self {
        let kind = match kind {
            Kind::Passing => FailureKind::Passing,
            Kind::Lasting => FailureKind::Lasting,
            Kind::Busy => FailureKind::Busy,
        };
        Self { retry_after, ..Self::new(sentence, kind) }
    }
}

/// How a session ended that did not break.
enum End {
    /// It was stopped.
    Stopped,
    /// It is to be opened anew.
    Anew(Next),
}

/// How a session is opened that takes the place of one that could not connect.
enum Next {
    /// With these servers, since no other path was found.
    With(Vec<IceServer>),
    /// From all addresses of this machine, since the ingest's are not at loopback.
    FromAllAddresses,
}

impl Run {
    async fn run(self) {
        let began = Instant::now();
        let mut servers = self.to.paths.known(&self.to.url);
        if self.to.quirks.options_first && self.to.paths.own.is_empty() {
            let (url, token) = (self.to.url.clone(), self.to.token.clone());
            let mut stopped = self.stopped.clone();
            let named = tokio::select! {
                named = self.link.ice_servers(url, token) => named,
                () = asked(&mut stopped) => return,
            };
            if !named.is_empty() {
                servers = named;
            }
        }
        let mut first = true;
        // Each of the two ways to begin anew is taken once at most.
        for _ in 0..3 {
            match self.session(&servers, first, began).await {
                Some(Next::With(named)) => (servers, first) = (named, false),
                Some(Next::FromAllAddresses) => {}
                None => return,
            }
        }
    }

    /// One session from offer to end. It may end with another one that may find a path.
    async fn session(&self, servers: &[IceServer], first: bool, began: Instant) -> Option<Next> {
        let (usable, doors) = match self.to.paths.open(servers).await {
            Ok(opened) => opened,
            Err(e) => {
                self.failed(Broke::new(e.to_string(), FailureKind::Lasting)).await;
                return None;
            }
        };
        let relay_only = self.to.paths.relay_only;
        let url = self.to.url.clone();
        let (studio, order) = (Arc::clone(&self.studio), self.to.order);
        let profile = self.to.profile.clone();
        let all = self.to.paths.remembered.is_beside_loopback(&url);
        let making = tokio::task::spawn_blocking(move || {
            let addresses = addresses_for(&url, all);
            let route = Route { addresses, servers: usable, relay_only };
            studio.publisher(&route, order, profile.as_deref())
        });
        let made = match timeout(MAKING_DEADLINE, making).await {
            Ok(made) => made.map_err(|e| Broke::passing(e.to_string())),
            Err(_) => Err(Broke::passing("the media session could not be made in time".into())),
        };
        let made = made.and_then(|m| m.map_err(|e| Broke::new(e.to_string(), e.kind())));
        let (publisher, mut events) = match made {
            Ok(made) => made,
            Err(broke) => {
                self.failed(broke).await;
                return None;
            }
        };
        let offer = match timeout(SDP_DEADLINE, publisher.offer()).await {
            Ok(Ok(offer)) => Ok(offer),
            Ok(Err(e)) => Err(Broke::new(e.to_string(), e.kind())),
            Err(_) => Err(Broke::passing("no offer could be made in time".into())),
        };
        let offer = match offer {
            Ok(offer) => offer,
            Err(broke) => {
                self.failed(broke).await;
                retire(publisher).await;
                return None;
            }
        };
        let mut talk = begin(&self.link, self.to.session(), offer);
        let ways = Ways { servers, doors: &doors, first };
        let end = self.live(&publisher, &mut events, &mut talk, ways, began).await;
        tally(&self.tally).end_session(publisher.dropped());
        // The ingest is told at once, so that nobody watches a picture that stands still; what is to come
        // next does not wait for its answer.
        talk.stop();
        let anew = match end {
            Ok(End::Stopped) => None,
            Ok(End::Anew(next)) => Some(next),
            Err(broke) => {
                self.failed(broke).await;
                None
            }
        };
        let told = timeout(STOP_DEADLINE, async {
            while let Some(event) = talk.events.recv().await {
                if matches!(event, WhipEvent::Stopped | WhipEvent::Failed { .. }) {
                    break;
                }
            }
        });
        let _ = tokio::join!(told, retire(publisher));
        anew.filter(|_| !*self.stopped.borrow())
    }

    async fn failed(&self, broke: Broke) {
        if *self.stopped.borrow() {
            return;
        }
        // An engine that is gone needs no report.
        let _ = self
            .facts
            .send(Fact::OutputFailed {
                output: self.to.id.clone(),
                session: self.to.session,
                reason: broke.reason,
                kind: broke.kind,
                retry_after_ms: broke.retry_after.map(|wait| wait.as_millis() as u64),
            })
            .await;
    }

    async fn live(
        &self,
        publisher: &Publisher,
        events: &mut mpsc::Receiver<SessionEvent>,
        talk: &mut Conversation,
        ways: Ways<'_>,
        began: Instant,
    ) -> Result<End, Broke> {
        let paths = &self.to.paths;
        let helps = |named: &[IceServer]| ways.first && paths.helps(ways.servers, named);
        let mut named: Vec<IceServer> = Vec::new();
        let mut answered: Option<Instant> = None;
        let mut answer = Answered::default();
        let mut connected = false;
        let mut tick = interval(Duration::from_millis(100));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = 0_u32;
        let mut stopped = self.stopped.clone();
        loop {
            tokio::select! {
                biased;
                () = asked(&mut stopped) => return Ok(End::Stopped),
                event = events.recv() => match event {
                    Some(SessionEvent::Candidate(line, candidate)) => {
                        // A full channel means an ingest that is not answering; its own deadline runs.
                        let _ = talk.candidates.try_send((line, candidate));
                    }
                    Some(SessionEvent::GatheringDone) => {
                        let _ = talk.candidates.try_send((0, String::new()));
                    }
                    Some(SessionEvent::Connected) if !connected => {
                        connected = true;
                        publisher.open(paths.remembered.sign_of(&self.to.url));
                        tally(&self.tally).sent = Some(publisher.departures());
                        let fact = Fact::OutputConnected {
                            output: self.to.id.clone(),
                            session: self.to.session,
                            connect_ms: began.elapsed().as_millis() as u32,
                        };
                        let _ = self.facts.send(fact).await;
                    }
                    Some(SessionEvent::Connected) => {}
                    Some(SessionEvent::Picture(on)) => {
                        let (output, session) = (self.to.id.clone(), self.to.session);
                        let _ = self.facts.send(Fact::OutputPicture { output, session, on }).await;
                    }
                    Some(SessionEvent::Failed(_) | SessionEvent::NoPath) if !connected && helps(&named) => {
                        return Ok(End::Anew(Next::With(named)));
                    }
                    Some(SessionEvent::NoPath) => return Err(no_path(&answer, answered)),
                    Some(SessionEvent::Refused(reason)) => {
                        return Err(Broke::new(reason, FailureKind::Lasting));
                    }
                    Some(SessionEvent::Failed(reason)) => {
                        return Err(Broke::passing(reason));
                    }
                    None => {
                        return Err(Broke::passing("the media session is gone".into()));
                    }
                },
                event = talk.events.recv() => match event {
                    Some(WhipEvent::Answer(sdp)) => {
                        answer = Answered::read(&sdp);
                        let (url, remembered) = (&self.to.url, &paths.remembered);
                        if answer.is_beside_loopback(url) && !remembered.is_beside_loopback(url) {
                            remembered.beside_loopback(url);
                            return Ok(End::Anew(Next::FromAllAddresses));
                        }
                        let sdp = without_names(&sdp);
                        match timeout(SDP_DEADLINE, publisher.answer(&sdp)).await {
                            Ok(Ok(())) => {}
                            Ok(Err(e)) => return Err(Broke::new(e.to_string(), e.kind())),
                            Err(_) => {
                                let reason = "the ingest's answer could not be taken in time".into();
                                return Err(Broke::passing(reason));
                            }
                        }
                        answered = Some(Instant::now());
                    }
                    Some(WhipEvent::IceServers(servers)) => {
                        paths.remembered.keep(&self.to.url, &servers);
                        named = servers;
                    }
                    Some(WhipEvent::Established) => {}
                    Some(WhipEvent::Failed { sentence, kind, retry_after }) => {
                        return Err(Failure { sentence, kind, retry_after }.into());
                    }
                    Some(WhipEvent::Stopped) | None => {
                        let reason = "the ingest's session is gone".into();
                        return Err(Broke::passing(reason));
                    }
                },
                found = answer.resolved() => {
                    for (line, candidate) in &found {
                        publisher.candidate(*line, candidate);
                    }
                }
                _ = tick.tick() => {
                    let hopeless = answered.is_some() && paths.hopeless(ways.servers);
                    let long = !connected && answered.is_some_and(|at| at.elapsed() > RELAY_AFTER);
                    if (hopeless || long) && helps(&named) {
                        return Ok(End::Anew(Next::With(named)));
                    }
                    if hopeless {
                        let reason = "media may go by a relay only (relay-only), and neither this output \
                                      nor the ingest names one: write servers in [output.ice], or take \
                                      relay-only out";
                        return Err(Broke::new(reason.into(), FailureKind::Lasting));
                    }
                    if !connected && paths.relay_only && let Some(trouble) = ways.all_closed() {
                        return Err(Broke::passing(trouble));
                    }
                    if !connected && (answer.is_hopeless() || answered.is_some_and(|at| at.elapsed() > answer.deadline(CONNECT_DEADLINE))) {
                        return Err(if publisher.has_path() { no_handshake() } else { no_path(&answer, answered) });
                    }
                    if connected {
                        ticks += 1;
                        if ticks.is_multiple_of(5) {
                            let figures = publisher.figures();
                            let mut tally = tally(&self.tally);
                            tally.take(&figures);
                            // Of two sessions the one that ends last may not be the one that goes on.
                            tally.sent = Some(publisher.departures());
                            drop(tally);
                        }
                        self.listen(publisher).await?;
                    }
                }
            }
        }
    }

    /// Reports what its signs of life say of the ingest.
    async fn listen(&self, publisher: &Publisher) -> Result<(), Broke> {
        let remembered = &self.to.paths.remembered;
        let news = publisher.news();
        match publisher.sign() {
            Some(kind) => remembered.heard(&self.to.url, kind),
            // What an earlier session had this one never had: it is not waited for again.
            None if news.is_some() => remembered.unheard(&self.to.url),
            None => {}
        }
        let (output, session) = (self.to.id.clone(), self.to.session);
        let fact = match news {
            None => return Ok(()),
            Some(News::Silent { kind, quiet }) => {
                tracing::info!(%output, session, ?kind, quiet_ms = quiet.as_millis() as u64, "the ingest is silent");
                Fact::OutputSilent { output, session }
            }
            Some(News::Healed) => Fact::OutputHealed { output, session },
            Some(News::Unheard) => {
                let reason = if publisher.sign().is_some() {
                    "the ingest sends no feedback on the media: it answers ICE checks, but whether the show arrives \
                     there cannot be told"
                } else {
                    "the ingest sends no feedback: whether the show arrives there cannot be told"
                };
                Fact::OutputWarned { output, session, reason: reason.into() }
            }
            Some(News::Lost { quiet, .. }) => {
                let reason = format!("the ingest has sent no feedback for {} s", quiet.as_secs());
                return Err(Broke::passing(reason));
            }
        };
        let _ = self.facts.send(fact).await;
        Ok(())
    }
}

/// Waits for the order to stop. A sender that is gone counts as one.
pub(super) async fn asked(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Taking a pipeline down may wait for its threads: not on the runtime's.
async fn retire(publisher: Publisher) {
    let _ = tokio::task::spawn_blocking(move || drop(publisher)).await;
}

fn no_path(answer: &Answered, answered: Option<Instant>) -> Broke {
    let tried = answered.map_or(Duration::ZERO, |at| at.elapsed());
    answer.reach.no_path(&answer.unresolved, tried).into()
}

fn no_handshake() -> Broke {
    Broke::passing(format!(
        "the media path to the ingest stands, but its DTLS handshake was not finished within {} s: its own log knows more",
        CONNECT_DEADLINE.as_secs()
    ))
}
