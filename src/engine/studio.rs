//! The real adapters: media, stage, link and monitor behind the engine's orders. Decides nothing about the
//! show; it carries out and reports.

use std::{
    collections::BTreeMap, future::Future, net::SocketAddr, path::PathBuf, pin::Pin, sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::timeout,
};
use url::Url;

use super::{
    adapters::{Adapters, Factory, Making, StartError},
    destination::Destinations,
    files::{Files, Unread},
    handle::Look,
    monitor::{Monitor, Watched},
    outlet,
    output::{Destination, Output, SharedTally, tally},
    paths::Paths,
    probe::nearest,
    starter::{self, Inputs},
    warmth::Warmth,
};
use crate::{
    base::{InputId, MonitorId, OutputId, Secret, mask},
    config,
    flow::Path,
    link::{probe::Prober, whip::Link},
    media::{self, Departures, Studio},
    show::{
        Effect, Fact, FailureKind, InputKind, Mode, OutputSpec, ShowSpec, Target, WhipSpec,
        spec::Pick,
    },
    stage::{self, Stage, StageError, StageOptions, Weather},
    stats::{
        Meters, Picture, Report,
        report::{MonitorReport, OutputReport},
    },
    whip::Quirks,
};

/// How the adapters are set up.
#[derive(Debug, Clone)]
pub struct StudioOptions {
    /// Where the stage listens.
    pub listen: SocketAddr,
    /// Take any free port when that one is taken. Not when the user named it.
    pub any_port: bool,
    /// What the stage asks of viewers.
    pub token: Option<Secret>,
    /// What it asks of publishers that are not this show's own.
    pub publish_token: Option<Secret>,
    /// Whether hawker watches its own show.
    pub monitor: bool,
    /// What viewers of the stage have between them and it.
    pub link: Option<config::Link>,
    /// Where secrets are read. What was read before the show began is known to it.
    pub files: Files,
    /// Where open sessions are kept, so that the next run can end what this one leaves open when it is killed.
    pub sessions: Option<PathBuf>,
}

/// Makes the factory that the engine calls inside its runtime.
pub fn factory(options: StudioOptions) -> Factory {
    Box::new(move |making| {
        let handle = tokio::runtime::Handle::current();
        let adapters =
            tokio::task::block_in_place(|| handle.block_on(StudioAdapters::make(making, options)))?;
        Ok(Box::new(adapters) as Box<dyn Adapters>)
    })
}

/// How long is waited for the folder of open sessions.
const KEEPING: Duration = Duration::from_millis(500);
/// How long sessions may take to be gone once they were told to stop.
const GONE: Duration = Duration::from_secs(5);

/// What is known of an output that was ordered to be on air, and its sessions, by number.
struct Published {
    sessions: BTreeMap<u32, Output>,
    tally: SharedTally,
    to: String,
    order: u32,
    making: outlet::Making,
}

/// Where a session is to go, once its secrets are read.
type Resolving = Pin<Box<dyn Future<Output = Result<(Link, Destination), Unread>> + Send>>;

struct StudioAdapters {
    studio: Arc<Studio>,
    destinations: Destinations,
    /// By output that has not been on air yet.
    warmths: BTreeMap<OutputId, Warmth>,
    /// By output that picks the nearest of its ingests.
    probers: BTreeMap<OutputId, Prober>,
    stage: Option<Stage>,
    stage_token: Option<Secret>,
    /// The name of the link that the stage's viewers have.
    link: Option<String>,
    monitor: Option<Monitor>,
    /// Those that watch from outside, and what those saw that do not watch any more.
    monitors: BTreeMap<MonitorId, Monitor>,
    seen: BTreeMap<MonitorId, MonitorReport>,
    wants_monitor: bool,
    facts: mpsc::Sender<Fact>,
    spec: Arc<ShowSpec>,
    outputs: BTreeMap<OutputId, Published>,
    inputs: Inputs,
}

fn broken(text: impl ToString) -> StartError {
    StartError { text: text.to_string(), exit_code: 3 }
}

impl StudioAdapters {
    async fn make(making: Making, options: StudioOptions) -> Result<Self, StartError> {
        let Making { facts, spec, mode, .. } = making;
        let needs_stage = mode == Mode::Rehearse
            || spec.outputs.is_empty()
            || spec.outputs.iter().any(|o| o.target == Target::Stage);
        // The port is asked for first: of all that can be wrong it is said soonest.
        let stage = if needs_stage { Some(open_stage(&options).await?) } else { None };
        let files = options.files.clone();
        let destinations = tokio::task::spawn_blocking(|| Destinations::new(files))
            .await
            .map_err(broken)?
            .map_err(broken)?;
        remember_addresses(&spec);
        let live = mode == Mode::Live;
        if let Some(folder) = options.sessions.clone() {
            keep_sessions(destinations.link().clone(), folder).await;
        }
        // Before media start, which takes a while.
        let warmths = if live { warmths(&spec, &destinations).await } else { BTreeMap::new() };
        let (live_spec, its_own) = (Arc::clone(&spec), destinations.clone());
        let probers = tokio::spawn(async move {
            if live { probers(&live_spec, &its_own).await } else { Ok(BTreeMap::new()) }
        });
        if live {
            let (spec, destinations) = (Arc::clone(&spec), destinations.clone());
            tokio::spawn(async move {
                for output in &spec.outputs {
                    destinations.prime(output).await;
                }
            });
        }
        let media_spec = Arc::clone(&spec);
        let media_facts = facts.clone();
        let studio = tokio::task::spawn_blocking(move || {
            media::init()?;
            Studio::start(&media_spec, &media_facts, stage::clock::this_boot())
        })
        .await
        .map_err(broken)?
        .map_err(broken)?;
        let studio = Arc::new(studio);
        let probers = probers
            .await
            .map_err(broken)?
            .map_err(|e| StartError { text: e.reason, exit_code: 2 })?;
        let inputs = starter::start(&studio, &facts).map_err(broken)?;
        Ok(Self {
            studio,
            destinations,
            warmths,
            probers,
            stage,
            stage_token: options.token,
            link: options.link.map(|link| link.name),
            monitor: None,
            monitors: BTreeMap::new(),
            seen: BTreeMap::new(),
            wants_monitor: options.monitor,
            facts,
            spec,
            outputs: BTreeMap::new(),
            inputs,
        })
    }

    fn tell(&self, fact: Fact) {
        let facts = self.facts.clone();
        tokio::spawn(async move {
            // An engine that is gone needs no report.
            let _ = facts.send(fact).await;
        });
    }

    /// The session's own task reads what it needs: nothing is waited for here.
    fn destination(&self, spec: &OutputSpec, way: usize, numbers: (u32, u32)) -> Resolving {
        if let Target::Whip(whip) = &spec.target {
            let (whip, spec, all) = (whip.clone(), spec.clone(), self.destinations.clone());
            return Box::pin(async move { all.of(&spec, &whip, way, numbers).await });
        }
        let lasting = |reason: String| Unread { reason, kind: FailureKind::Lasting };
        Box::pin(std::future::ready(self.own_stage(spec, numbers).map_err(lasting)))
    }

    fn own_stage(
        &self,
        spec: &OutputSpec,
        (order, session): (u32, u32),
    ) -> Result<(Link, Destination), String> {
        match &spec.target {
            Target::Stage => {
                let stage = self.stage.as_ref().ok_or("the stage is not running")?;
                let to = Destination {
                    id: spec.id.clone(),
                    url: Url::parse(&stage.whip_url()).map_err(|e| e.to_string())?,
                    token: Some(stage.owner()),
                    trusted: Vec::new(),
                    quirks: Quirks::default(),
                    paths: Paths::default(),
                    profile: spec.profile.clone(),
                    order,
                    session,
                };
                Ok((self.destinations.link().clone(), to))
            }
            Target::Whip(_) | Target::Rtmp(_) | Target::Srt(_) | Target::Record(_) => {
                Err("it does not go to the stage".to_owned())
            }
        }
    }

    fn publish(&mut self, spec: &OutputSpec, way: usize, session: u32) {
        let place = self.spec.outputs.iter().position(|o| o.id == spec.id).unwrap_or(0) as u32;
        let published = self.outputs.entry(spec.id.clone()).or_insert_with(|| Published {
            sessions: BTreeMap::new(),
            tally: SharedTally::default(),
            to: String::new(),
            order: place,
            making: Arc::new(Semaphore::new(1)),
        });
        published.to = spec.target.shown(way);
        published.sessions.retain(|_, output| !output.is_over());
        let (order, shared) = (published.order, Arc::clone(&published.tally));
        if matches!(spec.target, Target::Rtmp(_) | Target::Srt(_) | Target::Record(_)) {
            let (title, making) = (&self.spec.title, &published.making);
            let files = self.destinations.files();
            let order = outlet::Order { spec, title, session, files, making };
            let running = outlet::start(&self.studio, &order, self.facts.clone(), shared);
            published.sessions.insert(session, running);
            return;
        }
        let to = self.destination(spec, way, (order, session));
        let named = (spec.id.clone(), session);
        let output = Output::prepare(&self.studio, to, named, self.facts.clone(), shared);
        if let Some(published) = self.outputs.get_mut(&spec.id) {
            published.sessions.insert(session, output);
        }
    }

    /// Finds out how far its ingests are.
    fn probe(&mut self, spec: &OutputSpec) {
        let (id, ways) = (spec.id.clone(), ingests(spec));
        let prober = self.probers.get(&id).cloned();
        let ca = picks(spec).and_then(|whip| whip.ca.clone());
        let (facts, destinations) = (self.facts.clone(), self.destinations.clone());
        tokio::spawn(async move {
            // One that was added has none yet; making one reads the machine's authorities.
            let prober = match prober {
                Some(prober) => Ok(prober),
                None => destinations.prober(ca.as_deref()).await,
            };
            let rtt_ms = match (prober, destinations.link_for(ca.as_deref()).await) {
                (Ok(prober), Ok(link)) => nearest(&prober, &link, &ways).await,
                _ => Vec::new(),
            };
            // An engine that is gone needs no report.
            let _ = facts.send(Fact::Probed { output: id, rtt_ms }).await;
        });
    }

    /// The show file's own: the core knows no secrets.
    fn in_full(&self, shown: OutputSpec) -> OutputSpec {
        let staged = shown.target == Target::Stage;
        let full = self.spec.outputs.iter().find(|o| o.id == shown.id).filter(|_| !staged);
        full.cloned().unwrap_or(shown)
    }

    /// Lets one session go. Its task ends by itself.
    fn retire(&mut self, id: &OutputId, session: u32) {
        if let Some(output) = self.outputs.get(id).and_then(|p| p.sessions.get(&session)) {
            output.stop();
        }
    }

    fn split(&self, id: &OutputId) {
        let sessions = self.outputs.get(id).into_iter().flat_map(|p| p.sessions.values());
        sessions.filter(|s| !s.is_over()).for_each(Output::split);
    }

    fn unpublish(&mut self, id: OutputId) {
        let sessions = self.outputs.get_mut(&id).map(|p| std::mem::take(&mut p.sessions));
        let facts = self.facts.clone();
        tokio::spawn(async move {
            let sessions: Vec<Output> =
                sessions.into_iter().flat_map(BTreeMap::into_values).collect();
            sessions.iter().for_each(Output::stop);
            for session in sessions {
                // A session whose tear-down hangs is off the air all the same.
                let _ = timeout(GONE, session.gone()).await;
            }
            // An engine that is gone needs no report.
            let _ = facts.send(Fact::OutputStopped { output: id }).await;
        });
    }

    fn watch(&mut self, id: MonitorId) {
        // The core knows no secrets: addresses in full are in the show file's spec.
        let Some(spec) = self.spec.monitors.iter().find(|m| m.id == id) else { return };
        if self.monitors.contains_key(&id) {
            return;
        }
        let told = Some((id.clone(), self.facts.clone()));
        let show = Some(self.studio.origin().show);
        let watched = Watched { url: spec.url.clone(), token: None, told, at_once: false, show };
        let (link, files) = (self.destinations.link(), self.destinations.files());
        let monitor = match spec.token.clone() {
            Some(token) => Monitor::reading(link, watched, token, files.clone()),
            None => Monitor::start(link, watched),
        };
        self.monitors.insert(id, monitor);
    }

    fn unwatch(&mut self, id: &MonitorId) {
        let Some(monitor) = self.monitors.remove(id) else { return };
        add_seen(&mut self.seen, id, &monitor);
        tokio::spawn(monitor.stop());
    }

    /// When the frames were sent that the stage gives on. Of several outputs that go there nobody knows which.
    fn stage_departures(&self) -> Option<Departures> {
        let stage = Target::Stage.shown(0);
        let mut there = self.outputs.values().filter(|published| published.to == stage);
        there.next().filter(|_| there.next().is_none()).and_then(departures)
    }

    /// What each monitor from outside has seen, those that do not watch any more among them.
    fn monitor_reports(&self) -> BTreeMap<String, MonitorReport> {
        let mut all = self.seen.clone();
        for (id, monitor) in &self.monitors {
            add_seen(&mut all, id, monitor);
        }
        all.into_iter().map(|(id, report)| (id.to_string(), report)).collect()
    }

    fn stage_up(&mut self) {
        let Some(stage) = &self.stage else { return };
        let viewer_url = stage.viewer_url();
        if self.wants_monitor && self.monitor.is_none() {
            match Url::parse(&stage.whep_url()) {
                Ok(url) => {
                    let token = self.stage_token.clone();
                    let show = Some(self.studio.origin().show);
                    let watched = Watched { url, token, told: None, at_once: false, show };
                    self.monitor = Some(Monitor::start(self.destinations.link(), watched));
                }
                Err(e) => tracing::error!("the stage's own address is of no use: {e}"),
            }
        }
        self.tell(Fact::StageUp { viewer_url, link: self.link.clone() });
    }
}

fn ingests(spec: &OutputSpec) -> Vec<Url> {
    match &spec.target {
        Target::Whip(whip) => whip.ingests.iter().map(|i| i.url.clone()).collect(),
        Target::Stage | Target::Rtmp(_) | Target::Srt(_) | Target::Record(_) => Vec::new(),
    }
}

/// When the frames of an output were sent.
fn departures(published: &Published) -> Option<Departures> {
    tally(&published.tally).sent.clone()
}

/// Whether it goes to the nearest of its ingests.
fn picks(output: &OutputSpec) -> Option<&WhipSpec> {
    match &output.target {
        Target::Whip(whip) if whip.pick == Pick::Nearest => Some(whip),
        _ => None,
    }
}

/// One for each output that picks.
async fn probers(
    spec: &ShowSpec,
    destinations: &Destinations,
) -> Result<BTreeMap<OutputId, Prober>, Unread> {
    let mut probers = BTreeMap::new();
    for output in &spec.outputs {
        if let Some(whip) = picks(output) {
            probers.insert(output.id.clone(), destinations.prober(whip.ca.as_deref()).await?);
        }
    }
    Ok(probers)
}

/// Parts of addresses may be secrets: they are kept out of what is written, as passwords are.
fn remember_addresses(spec: &ShowSpec) {
    for output in &spec.outputs {
        output.target.addresses().into_iter().for_each(mask::remember_address);
    }
    for monitor in &spec.monitors {
        mask::remember_address(&monitor.url);
    }
    for input in &spec.inputs {
        if let InputKind::Network { uri } = &input.kind {
            mask::remember_address(uri);
        }
    }
}

/// Adds what a monitor has seen to what was seen under its name before.
fn add_seen(seen: &mut BTreeMap<MonitorId, MonitorReport>, id: &MonitorId, monitor: &Monitor) {
    let Some(report) = monitor.report() else { return };
    let all = match seen.remove(id) {
        Some(before) => before.followed_by(report),
        None => report,
    };
    seen.insert(id.clone(), all);
}

/// A connection standing by to each ingest that is tried first, or may be.
async fn warmths(spec: &ShowSpec, destinations: &Destinations) -> BTreeMap<OutputId, Warmth> {
    let mut warmths = BTreeMap::new();
    for output in &spec.outputs {
        let Target::Whip(whip) = &output.target else { continue };
        let mut urls = ingests(output);
        if picks(output).is_none() {
            urls.truncate(1);
        }
        // A file of authorities that cannot be read is told when the output goes live.
        if let Ok(link) = destinations.link_for(whip.ca.as_deref()).await {
            warmths.insert(output.id.clone(), Warmth::keep(&link, urls));
        }
    }
    warmths
}

/// A folder that cannot be used, or hangs, keeps nobody off the air.
async fn keep_sessions(link: Link, folder: PathBuf) {
    let kept = tokio::task::spawn_blocking(move || link.keep_sessions(&folder));
    match timeout(KEEPING, kept).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "open sessions are not being kept"),
        Ok(Err(error)) => tracing::warn!(%error, "open sessions are not being kept"),
        Err(_) => tracing::warn!("the folder of open sessions does not answer"),
    }
}

async fn open_stage(options: &StudioOptions) -> Result<Stage, StartError> {
    let viewers = options.link.as_ref().map_or(Path::CLEAR, |link| link.path);
    let weather = Weather { viewers, ..Weather::CLEAR };
    let wish = |listen| StageOptions {
        listen,
        token: options.token.clone(),
        publish_token: options.publish_token.clone(),
        // Others may come before the show does, if they were given a token for it.
        reserved: options.publish_token.is_none(),
        weather,
        ..StageOptions::default()
    };
    let refused = |e: StageError| StartError { text: e.to_string(), exit_code: 2 };
    match Stage::start(wish(options.listen)).await {
        Err(StageError::PortInUse(taken)) if options.any_port => {
            tracing::info!("{taken} is taken: the stage listens on a free port instead");
            Stage::start(wish(SocketAddr::new(taken.ip(), 0))).await.map_err(refused)
        }
        other => other.map_err(refused),
    }
}

impl Adapters for StudioAdapters {
    fn order(&mut self, effect: Effect) {
        match effect {
            Effect::StartInput(shown) => {
                // The core knows no secrets: addresses in full are in the show file's spec.
                let spec = self.spec.input(&shown.id).cloned().unwrap_or(shown);
                let input = spec.id.clone();
                if self.inputs.try_send(spec).is_err() {
                    let reason = "too many inputs are being started at once".to_owned();
                    self.tell(Fact::InputFailed { input, reason, kind: FailureKind::Passing });
                }
            }
            Effect::Take { to, transition } => {
                self.studio.take(to, transition);
            }
            // The preview's picture is drawn only where somebody can see it; today's console names it.
            Effect::Preview(_) => {}
            Effect::Slate(on) => self.studio.slate(on),
            Effect::Sound { input, gain, muted } => self.studio.set_sound(&input, gain, muted),
            Effect::StartStage => self.stage_up(),
            Effect::Probe(shown) => self.probe(&self.in_full(shown)),
            Effect::Publish { output: shown, way, session } => {
                self.warmths.remove(&shown.id);
                self.publish(&self.in_full(shown), way, session);
            }
            Effect::Retire { output, session } => self.retire(&output, session),
            Effect::Unpublish(id) => self.unpublish(id),
            Effect::Split(id) => self.split(&id),
            Effect::Watch(spec) => self.watch(spec.id),
            Effect::Unwatch(id) => self.unwatch(&id),
            // The loop itself ends the engine, and calls `finish`; it tells of alarms, too.
            Effect::Finish { .. } | Effect::Alert(_) | Effect::Chat(_) => {}
        }
    }

    fn learn(&mut self, output: OutputSpec) {
        output.target.addresses().into_iter().for_each(mask::remember_address);
        let (destinations, added) = (self.destinations.clone(), output.clone());
        tokio::spawn(async move { destinations.prime(&added).await });
        Arc::make_mut(&mut self.spec).outputs.push(output);
    }

    fn read_meters(&mut self, meters: &mut Meters) {
        self.studio.read_meters(meters);
        meters.outputs = self
            .outputs
            .iter()
            .filter(|(_, p)| p.sessions.values().any(|s| !s.is_over()))
            .map(|(id, p)| (id.clone(), tally(&p.tally).now))
            .collect();
        let to_stage = self.stage_departures();
        meters.monitor = self.monitor.as_ref().and_then(|m| m.figures(to_stage.as_ref()));
        let seen = self.monitors.iter().filter_map(|(id, monitor)| {
            let spec = self.spec.monitors.iter().find(|m| m.id == *id);
            let output = spec.and_then(|m| m.output.as_ref());
            let sent = output.and_then(|output| departures(self.outputs.get(output)?));
            Some((id.clone(), monitor.figures(sent.as_ref())?))
        });
        meters.monitors = seen.collect();
        meters.viewers = self.stage.as_ref().map(Stage::viewers).unwrap_or_default();
    }

    fn look(&mut self, look: Option<Look>) {
        self.studio.look(look.map(|l| (l.width, l.height)));
    }

    fn picture(&self) -> watch::Receiver<Option<Arc<Picture>>> {
        self.studio.picture()
    }

    fn fill_report(&mut self, report: &mut Report) {
        let mut meters = Meters::default();
        self.studio.read_meters(&mut meters);
        report.frames = meters.frames;
        report.loudness = meters.loudness;
        for input in &self.spec.inputs {
            let id: &InputId = &input.id;
            report.inputs.entry(id.to_string()).or_default().frames = self.studio.input_frames(id);
        }
        let first_frame_ms = self.stage.as_ref().and_then(|s| s.figures().first_frame_ms());
        for (id, published) in &self.outputs {
            let tally = tally(&published.tally);
            let output: &mut OutputReport = report.outputs.entry(id.to_string()).or_default();
            output.to.clone_from(&published.to);
            output.mean_kbps = tally.mean_kbps();
            output.rtt_ms = tally.median_rtt_ms();
            output.loss = tally.mean_loss();
            output.dropped = tally.dropped();
            output.files = tally.files();
            if published.to == Target::Stage.shown(0) {
                output.first_frame_ms = first_frame_ms;
            }
        }
        report.monitor = self.monitor.as_ref().and_then(Monitor::report);
        report.monitors = self.monitor_reports();
        report.viewers = self.stage.as_ref().map(Stage::all_viewers).unwrap_or_default();
    }

    fn finish(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let Self { studio, stage, monitor, monitors, outputs, inputs, .. } = *self;
            drop(inputs);
            let outputs: Vec<Output> =
                outputs.into_values().flat_map(|p| p.sessions.into_values()).collect();
            outputs.iter().for_each(Output::stop);
            let gone = async {
                for output in outputs {
                    output.gone().await;
                }
            };
            if timeout(Duration::from_secs(3), gone).await.is_err() {
                tracing::warn!("an output did not go off the air in time");
            }
            // They say goodbye at the same time: one that is not answered holds up no other.
            let watching = monitor.into_iter().chain(monitors.into_values());
            futures::future::join_all(watching.map(Monitor::stop)).await;
            if let Some(stage) = stage {
                stage.stop().await;
            }
            let taken_down = tokio::task::spawn_blocking(move || match Arc::try_unwrap(studio) {
                Ok(studio) => studio.stop(),
                Err(shared) => drop(shared),
            });
            if timeout(Duration::from_secs(4), taken_down).await.is_err() {
                tracing::warn!("media did not stop in time");
            }
        })
    }
}
