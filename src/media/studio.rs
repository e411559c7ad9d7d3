//! All media of one show behind one face: the engine orders, the studio does. Nothing here waits for a device
//! or a network.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, RwLock},
    time::Duration,
};

use tokio::sync::{mpsc, watch};

use super::{
    MediaClock, MediaError, Publisher, SessionEvent,
    encoder::{self, Kind},
    feed::{Bell, Feed, lock},
    glimpse::Glimpses,
    input::{Sink, Source},
    outlet::{Destination, Outlet, OutletEvent},
    program::{Feeds, Parts, Program},
    publisher::{Certificate, Route, Session},
    rendition::Renditions,
    slate,
    trail::{DRAWN, ENCODED, TAKEN},
};
use crate::{
    base::{Canvas, Db, InputId, Kbps},
    scene::{Composition, Transition},
    show::{Fact, InputSpec, Profile, ShowSpec},
    stats::{FrameCounts, InputFigures, Meters, Origin, Picture, ProgramWay},
};

/// How often the console's picture is made at most.
const GLIMPSE_EVERY: Duration = Duration::from_millis(100);

/// A number that no other show has.
fn show_id() -> Result<u64, MediaError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|_| MediaError::lasting("the system gives no random numbers"))?;
    Ok(u64::from_be_bytes(bytes))
}

/// The media of one show.
pub struct Studio {
    program: Arc<Program>,
    clock: MediaClock,
    feeds: Feeds,
    sources: Arc<Mutex<BTreeMap<InputId, Source>>>,
    renditions: Arc<Renditions>,
    glimpses: Glimpses,
    /// What the picture had lately, by the output's place.
    last_good: Arc<Mutex<BTreeMap<u32, Kbps>>>,
    origin: Origin,
    certificate: Arc<Certificate>,
}

impl Studio {
    /// Makes the program and starts it, black. Inputs and outputs are started by their own orders. Reports go
    /// to `facts`; `boot_id` names this boot of the machine in capture stamps.
    pub fn start(
        spec: &ShowSpec,
        facts: &mpsc::Sender<Fact>,
        boot_id: u64,
    ) -> Result<Self, MediaError> {
        let kind = encoder::choose(&spec.profile)?;
        Self::start_with(spec, facts, boot_id, kind)
    }

    fn start_with(
        spec: &ShowSpec,
        facts: &mpsc::Sender<Fact>,
        boot_id: u64,
        kind: Kind,
    ) -> Result<Self, MediaError> {
        let origin = Origin { boot_id, show: show_id()? };
        let clock = MediaClock::new();
        let bell = Arc::new(Bell::default());
        let feeds: BTreeMap<_, _> = spec
            .inputs
            .iter()
            .map(|i| {
                let feed = Feed::new(
                    i.id.clone(),
                    i.kind.has_picture(),
                    clock.clone(),
                    facts.clone(),
                    Arc::clone(&bell),
                );
                feed.set_sound(i.gain, i.muted);
                (i.id.clone(), Arc::new(feed))
            })
            .collect();
        let feeds = Arc::new(RwLock::new(feeds));
        let renditions = Arc::new(Renditions::new(spec.profile.clone(), kind));
        let (glimpses, sender) = Glimpses::start(spec.profile.canvas)?;
        let program = Arc::new(Program::start(Parts {
            clock: clock.clone(),
            feeds: Arc::clone(&feeds),
            bell,
            renditions: Arc::clone(&renditions),
            facts: facts.clone(),
            origin,
            glimpses: sender,
        })?);
        let studio = Self {
            program,
            clock,
            feeds,
            sources: Arc::default(),
            renditions,
            glimpses,
            last_good: Arc::default(),
            origin,
            certificate: Arc::new(Certificate::make()?),
        };
        studio.draw_slates(spec)?;
        Ok(studio)
    }

    /// What the stamps of this show say of where they come from.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Draws every slate in a thread of its own: text takes a while.
    fn draw_slates(&self, spec: &ShowSpec) -> Result<(), MediaError> {
        let canvas = self.canvas();
        let program = Arc::downgrade(&self.program);
        let feeds: Vec<_> =
            self.feeds.read().map(|f| f.values().cloned().collect()).unwrap_or_default();
        let title = spec.title.clone();
        let draw = move || {
            for feed in feeds {
                match slate::draw(feed.id.as_str(), canvas) {
                    Ok(frame) => feed.set_slate(frame),
                    Err(e) => tracing::warn!(input = %feed.id, "no slate: {e}"),
                }
            }
            match slate::draw(&title, canvas) {
                Ok(frame) => {
                    if let Some(program) = program.upgrade() {
                        program.set_house_slate(frame);
                    }
                }
                Err(e) => tracing::warn!("no house slate: {e}"),
            }
        };
        std::thread::Builder::new()
            .name("slates".into())
            .spawn(draw)
            .map(drop)
            .map_err(|e| MediaError::lasting(format!("no thread for the slates: {e}")))
    }

    fn canvas(&self) -> Canvas {
        self.renditions.first().profile.canvas
    }

    fn feed(&self, id: &InputId) -> Option<Arc<Feed>> {
        self.feeds.read().ok()?.get(id).cloned()
    }

    /// Starts an input, or starts it anew.
    pub fn start_input(&self, spec: &InputSpec) {
        let Some(feed) = self.feed(&spec.id) else { return };
        if let Some(old) = lock(&self.sources).remove(&spec.id) {
            drop(old.stop());
        }
        let sink = feed.sink();
        match Source::start(spec, self.canvas(), &self.clock, Arc::clone(&sink) as Arc<dyn Sink>) {
            Ok(source) => {
                lock(&self.sources).insert(spec.id.clone(), source);
            }
            Err(e) => sink.failed(e.to_string(), e.kind()),
        }
    }

    /// Sets an input's sound.
    pub fn set_sound(&self, id: &InputId, gain: Db, muted: bool) {
        if let Some(feed) = self.feed(id) {
            feed.set_sound(gain, muted);
        }
    }

    /// Shows a composition from the next frame on. Returns the number of the order; see `reached`.
    pub fn take(&self, to: Arc<Composition>, transition: Transition) -> u64 {
        self.program.take(to, transition)
    }

    /// The newest order of which the encoder has been given a frame.
    pub fn reached(&self) -> u64 {
        self.program.reached()
    }

    /// Slate and silence from the next frame on, or back.
    pub fn slate(&self, on: bool) {
        self.program.slate(on);
    }

    /// Makes pictures of that size for the console, or none.
    pub fn look(&self, size: Option<(u16, u16)>) {
        self.glimpses.look(size);
        self.program.glimpse_every(size.map_or(Duration::ZERO, |_| GLIMPSE_EVERY));
    }

    /// The console's picture.
    pub fn picture(&self) -> watch::Receiver<Option<Arc<Picture>>> {
        self.glimpses.picture()
    }

    /// A new session for the output with that place in the show, encoded by `profile`, or as the show itself.
    /// Among the outputs that share an encoder the first that is open drives it by its congestion control.
    /// Blocks.
    ///
    /// # Errors
    /// No session can be made, or the program's picture not be encoded so.
    pub fn publisher(
        &self,
        route: &Route,
        order: u32,
        profile: Option<&Profile>,
    ) -> Result<(Publisher, mpsc::Receiver<SessionEvent>), MediaError> {
        let rendition = self.renditions.of(profile)?;
        let of = Arc::downgrade(&rendition);
        let last_good = Arc::clone(&self.last_good);
        let start = lock(&last_good).get(&order).copied();
        Publisher::start(Session {
            rendition: &rendition,
            clock: &self.clock,
            route,
            certificate: &self.certificate,
            order,
            start,
            on_advice: Box::new(move |advice| {
                let rendition = of.upgrade()?;
                lock(&last_good).insert(order, advice.picture);
                rendition.note_loss(order, advice.loss);
                if rendition.leading.is(order) {
                    rendition.set_rate(advice.picture, advice.settled);
                    return None;
                }
                // The encoder follows another: what it makes may be more than this path carries.
                Some(advice.picture).filter(|most| *most < rendition.rate())
            }),
        })
    }

    /// A new session for an output that is no WebRTC session, encoded by `profile`, or as the show itself. Blocks.
    ///
    /// # Errors
    /// The output cannot be made, or the program's picture not be encoded so.
    pub fn outlet(
        &self,
        to: Destination,
        profile: Option<&Profile>,
    ) -> Result<(Outlet, mpsc::Receiver<OutletEvent>), MediaError> {
        Outlet::start(&self.renditions.of(profile)?, &self.clock, to)
    }

    /// Frames so far.
    pub fn frames(&self) -> FrameCounts {
        self.program.frames()
    }

    /// Frames an input has given.
    pub fn input_frames(&self, id: &InputId) -> u64 {
        self.feed(id).map_or(0, |f| f.frames())
    }

    /// Fills in what media knows of the meters.
    pub fn read_meters(&self, meters: &mut Meters) {
        let sound = self.program.sound();
        meters.program = sound.level;
        meters.limiter_db = sound.limiter_db;
        meters.loudness = sound.loudness;
        meters.frames = self.frames();
        let now_ns = self.clock.now().nseconds();
        let trail = &self.renditions.first().trail;
        meters.way = ProgramWay {
            capture: trail.took(TAKEN, now_ns),
            compose: trail.took(DRAWN, now_ns),
            encode: trail.took(ENCODED, now_ns),
        };
        let Ok(feeds) = self.feeds.read() else { return };
        meters.inputs = feeds
            .iter()
            .map(|(id, feed)| {
                let figures = InputFigures {
                    level: lock(&feed.track).take_level(),
                    fps: feed.fps(),
                    slate: feed.on_slate(),
                };
                (id.clone(), figures)
            })
            .collect();
    }

    /// Stops everything and waits for it, three seconds at most for inputs that hang.
    pub fn stop(self) {
        let sources = std::mem::take(&mut *lock(&self.sources));
        let stopping: Vec<_> = sources.into_values().map(Source::stop).collect();
        let deadline = std::time::Instant::now() + Duration::from_secs(3);
        for input in stopping {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if !input.wait(left) {
                tracing::warn!("an input did not stop in time");
            }
        }
    }
}
