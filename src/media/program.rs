//! The program: two threads that never wait for an input. One ticks at the canvas rate, takes each layer's
//! newest picture (or its slate), draws, and hands the frame to the encoder; the other mixes ten milliseconds
//! of sound at a time. Inputs and outputs come and go around them.

mod encoding;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::mpsc as bounded;

use self::encoding::{Encoding, Others, REBUILD, Raw};
use super::{
    MediaError,
    aac::Aac,
    cadence::{Cadence, MainFrame},
    clock::MediaClock,
    compose::{Composer, Pictures},
    encoder::{AudioEncoder, Kind, Times},
    error::DEFECT,
    feed::{Bell, Feed, Shown, lock},
    input::RawFrame,
    mixer::{BLOCK_NS, CHANNELS, Mixer, RATE, Track, frame_at},
    rendition::Renditions,
};
use crate::{
    base::{Canvas, InputId, Moment},
    scene::{Composition, Plan, Transition, plan},
    show::Fact,
    stats::{FrameCounts, Level, Loudness, Origin},
};

/// Sound is mixed this long after it was captured, at first: enough for sound that is made here. An input
/// whose buffers come later makes it grow by as much again.
const LEAST_HOLD_NS: u64 = 4_000_000;
/// How much it grows at a time.
const HOLD_STEP_NS: u64 = 4_000_000;
/// And this long at most, however late an input's sound comes.
const MOST_HOLD_NS: u64 = 120_000_000;

/// Every input's place, by name.
pub type Feeds = Arc<RwLock<BTreeMap<InputId, Arc<Feed>>>>;

/// What is on program now.
struct Bus {
    plan: Plan,
    /// Frames of the plan already shown.
    frame: u32,
    slate: bool,
}

/// A frame for the console's picture.
pub struct Glimpse {
    /// The program's frame, shared.
    pub buffer: gst::Buffer,
}

#[derive(Default)]
struct Counts {
    composed: AtomicU64,
    repeated: AtomicU64,
    skipped: AtomicU64,
    dropped: AtomicU64,
    withheld: AtomicU64,
}

/// What the sound thread measures.
#[derive(Debug, Clone, Copy, Default)]
pub struct SoundFigures {
    /// The mix after the limiter.
    pub level: Level,
    /// What the limiter takes, in dB.
    pub limiter_db: f32,
    /// Of the mix.
    pub loudness: Loudness,
}

struct Shared {
    clock: MediaClock,
    feeds: Feeds,
    bell: Arc<Bell>,
    renditions: Arc<Renditions>,
    facts: bounded::Sender<Fact>,
    bus: Mutex<Bus>,
    house_slate: Mutex<Option<RawFrame>>,
    counts: Counts,
    sound: Mutex<SoundFigures>,
    glimpse_every_ns: AtomicU64,
    /// Counts orders to show something else, and which of them the encoder has been given.
    ordered: AtomicU64,
    reached: AtomicU64,
    stop: AtomicBool,
    origin: Origin,
}

/// The running program.
pub struct Program {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the program is made with.
pub struct Parts {
    /// The clock of all pipelines.
    pub clock: MediaClock,
    /// The inputs' places.
    pub feeds: Feeds,
    /// Rung for each of their pictures.
    pub bell: Arc<Bell>,
    /// How it is encoded, and where that goes.
    pub renditions: Arc<Renditions>,
    /// Where reports go.
    pub facts: bounded::Sender<Fact>,
    /// What capture stamps say of this boot and this show.
    pub origin: Origin,
    /// Where glimpses for the console go; at most one waits.
    pub glimpses: mpsc::SyncSender<Glimpse>,
}

impl Program {
    /// Starts both threads and the first encoder. Black until the first `take`.
    pub fn start(parts: Parts) -> Result<Self, MediaError> {
        let Parts { clock, feeds, bell, renditions, facts, origin, glimpses } = parts;
        let canvas = renditions.first().profile.canvas;
        let nothing = Arc::new(Composition::default());
        let shared = Arc::new(Shared {
            bus: Mutex::new(Bus {
                plan: plan(Arc::clone(&nothing), nothing, Transition::CUT, canvas),
                frame: 0,
                slate: false,
            }),
            clock,
            feeds,
            bell,
            renditions,
            facts,
            house_slate: Mutex::new(None),
            counts: Counts::default(),
            sound: Mutex::new(SoundFigures::default()),
            glimpse_every_ns: AtomicU64::new(0),
            ordered: AtomicU64::new(0),
            reached: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            origin,
        });
        let now = Moment(shared.clock.now().nseconds());
        let mut first = Encoding::broken(shared.renditions.first(), now);
        first.encoder = Some(shared.first_encoder(&first)?);
        let audio = shared.audio_encoder()?;
        let composer = Composer::new(canvas)?;
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.into())
                .spawn(run)
                .map_err(|e| MediaError::lasting(format!("no thread for the program: {e}")))
        };
        let mut program = Self { shared: Arc::clone(&shared), threads: Vec::new() };
        let picture = Arc::clone(&shared);
        let mut first = Some((first, composer));
        program.threads.push(spawn(
            "program-picture",
            Box::new(move || {
                picture.keep_running(|| {
                    let (encoding, composer) = match first.take() {
                        Some(parts) => parts,
                        None => (
                            Encoding::broken(
                                picture.renditions.first(),
                                Moment(picture.clock.now().nseconds()),
                            ),
                            Composer::new(picture.canvas())?,
                        ),
                    };
                    picture.run_picture(encoding, composer, &glimpses);
                    Ok(())
                });
            }),
        )?);
        let mut first = Some(audio);
        program.threads.push(spawn(
            "program-sound",
            Box::new(move || {
                shared.keep_running(|| {
                    let encoder = match first.take() {
                        Some(encoder) => encoder,
                        None => shared.audio_encoder()?,
                    };
                    shared.run_sound(encoder)
                });
            }),
        )?);
        Ok(program)
    }

    /// Shows `to` from the next frame on, by that transition. Returns the number of the order, which
    /// `reached` gives back once the encoder has been given its first frame.
    pub fn take(&self, to: Arc<Composition>, transition: Transition) -> u64 {
        let mut bus = lock(&self.shared.bus);
        let from = Arc::clone(bus.plan.to());
        bus.plan = plan(from, to, transition, self.shared.canvas());
        bus.frame = 0;
        let order = self.shared.ordered.fetch_add(1, Ordering::AcqRel) + 1;
        self.shared.bell.ring();
        order
    }

    /// The newest order of which the encoder has been given a frame.
    pub fn reached(&self) -> u64 {
        self.shared.reached.load(Ordering::Acquire)
    }

    /// Slate and silence from the next frame on, or back.
    pub fn slate(&self, on: bool) {
        lock(&self.shared.bus).slate = on;
        self.shared.ordered.fetch_add(1, Ordering::AcqRel);
        self.shared.bell.ring();
    }

    /// The picture that panic shows.
    pub fn set_house_slate(&self, frame: RawFrame) {
        *lock(&self.shared.house_slate) = Some(frame);
    }

    /// Gives glimpses at that interval; zero for none.
    pub fn glimpse_every(&self, every: Duration) {
        self.shared.glimpse_every_ns.store(every.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Frames so far.
    pub fn frames(&self) -> FrameCounts {
        let counts = &self.shared.counts;
        let (encoded, key_frames) = self.shared.renditions.first().fanout.counts();
        let captured = self
            .shared
            .feeds
            .read()
            .map(|feeds| feeds.values().map(|f| f.frames()).sum())
            .unwrap_or_default();
        FrameCounts {
            captured,
            composed: counts.composed.load(Ordering::Relaxed),
            repeated: counts.repeated.load(Ordering::Relaxed),
            skipped: counts.skipped.load(Ordering::Relaxed),
            encoded,
            dropped: counts.dropped.load(Ordering::Relaxed),
            withheld: counts.withheld.load(Ordering::Relaxed),
            key_frames,
        }
    }

    /// Of the sound.
    pub fn sound(&self) -> SoundFigures {
        *lock(&self.shared.sound)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.bell.ring();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// The layers' newest pictures at one tick, and what the main layer showed.
struct Newest<'a> {
    feeds: &'a BTreeMap<InputId, Arc<Feed>>,
    now_ns: u64,
}

impl Pictures for Newest<'_> {
    fn picture(&mut self, input: &InputId) -> Option<RawFrame> {
        let feed = self.feeds.get(input)?;
        feed.newest(self.now_ns).map(|s| s.frame).or_else(|| feed.slate())
    }
}

/// A frame of the program.
struct Drawn {
    buffer: gst::Buffer,
    times: Times,
    /// The newest order it follows.
    order: u64,
}

/// A composition's main frame, frozen for the tick so that what is drawn is what is stamped.
struct Frozen<'a> {
    newest: Newest<'a>,
    main: Option<(&'a InputId, RawFrame)>,
}

impl Pictures for Frozen<'_> {
    fn picture(&mut self, input: &InputId) -> Option<RawFrame> {
        match &self.main {
            Some((id, frame)) if *id == input => Some(frame.clone()),
            _ => self.newest.picture(input),
        }
    }
}

impl Shared {
    fn audio_encoder(&self) -> Result<AudioEncoder, MediaError> {
        let rate = self.renditions.first().profile.audio_kbps;
        AudioEncoder::start(rate, &self.clock, &self.renditions)
    }

    /// The program's picture.
    fn canvas(&self) -> Canvas {
        self.renditions.first().profile.canvas
    }

    /// Runs a thread's work until the program stops: what fails or panics is reported and begun anew.
    fn keep_running(&self, mut work: impl FnMut() -> Result<(), MediaError>) {
        while !self.stop.load(Ordering::Acquire) {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut work));
            let reason = match done {
                Ok(Ok(())) => continue,
                Ok(Err(e)) => e.to_string(),
                Err(_) => DEFECT.to_owned(),
            };
            self.report(Fact::ProgramFailed { reason });
            std::thread::sleep(REBUILD);
        }
    }

    fn report(&self, fact: Fact) {
        if self.facts.try_send(fact).is_err() {
            tracing::warn!("the engine is behind: a report of the program was lost");
        }
    }

    fn run_picture(
        self: &Arc<Self>,
        mut encoding: Encoding,
        mut composer: Composer,
        glimpses: &mpsc::SyncSender<Glimpse>,
    ) {
        let now = || self.clock.now().nseconds();
        let mut cadence = Cadence::new(self.canvas().frame_ns(), now() + 20_000_000);
        let mut shown: Option<(InputId, u64)> = None;
        let mut last_glimpse_ns = 0;
        let mut prepared = Arc::new(Composition::default());
        if encoding.encoder.is_some() {
            let Kind { element, hardware, .. } = encoding.kind;
            self.report(Fact::EncoderUp { encoder: element.into(), hardware });
        }
        let mut followed = 0;
        let mut others = Others::default();
        while !self.stop.load(Ordering::Acquire) {
            cadence.resume(now());
            self.await_tick(&cadence, shown.as_ref(), followed);
            let frame = self.compose(&mut composer, &mut cadence, &mut shown, &mut prepared);
            let Drawn { buffer, times, order } = match frame {
                Ok(frame) => frame,
                Err(e) => {
                    tracing::error!("a frame could not be drawn: {e}");
                    self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
            };
            followed = order;
            self.counts.composed.fetch_add(1, Ordering::Relaxed);
            let every = self.glimpse_every_ns.load(Ordering::Relaxed);
            if every > 0 && times.pts_ns.saturating_sub(last_glimpse_ns) + 5_000_000 >= every {
                last_glimpse_ns = times.pts_ns;
                // The picture is a courtesy: if its thread is behind, it misses one.
                let _ = glimpses.try_send(Glimpse { buffer: buffer.clone() });
            }
            let raw = Raw { buffer, times };
            let for_others = others.are_wanted(self).then(|| raw.clone());
            if self.encode(&mut encoding, raw) {
                self.reached.store(order, Ordering::Release);
            }
            if let Some(raw) = for_others {
                others.take(self, &raw);
            }
        }
    }

    /// Waits for the next tick. `shown` is the main layer's picture of the last one, `followed` the order
    /// that it followed.
    fn await_tick(&self, cadence: &Cadence, shown: Option<&(InputId, u64)>, followed: u64) {
        while !self.stop.load(Ordering::Acquire) {
            let heard = self.bell.rung();
            let hurry = self.ordered.load(Ordering::Acquire) != followed;
            let wait_ns =
                cadence.due(self.fresh(shown), hurry).saturating_sub(self.clock.now().nseconds());
            if wait_ns == 0 {
                return;
            }
            self.bell.wait(heard, Duration::from_nanos(wait_ns));
        }
    }

    /// When the picture arrived that the main layer would show now, unless that is what was `shown` last.
    fn fresh(&self, shown: Option<&(InputId, u64)>) -> Option<u64> {
        let main = {
            let bus = lock(&self.bus);
            bus.plan.step(bus.frame).main().filter(|_| !bus.slate)?.clone()
        };
        let (number, arrived_ns) = self.feeds.read().ok()?.get(&main)?.latest()?;
        let known = shown.is_some_and(|(was, n)| *was == main && *n >= number);
        (!known).then_some(arrived_ns)
    }

    /// Draws the frame of this tick.
    fn compose(
        &self,
        composer: &mut Composer,
        cadence: &mut Cadence,
        shown: &mut Option<(InputId, u64)>,
        prepared: &mut Arc<Composition>,
    ) -> Result<Drawn, MediaError> {
        let (plan, frame, slate, order) = {
            let mut bus = lock(&self.bus);
            let frame = bus.frame;
            bus.frame = bus.frame.saturating_add(1);
            (bus.plan.clone(), frame, bus.slate, self.ordered.load(Ordering::Acquire))
        };
        if *plan.to() != *prepared {
            composer.tidy();
            *prepared = Arc::clone(plan.to());
        }
        let feeds = self.feeds.read().map_err(|_| MediaError::passing("the inputs are lost"))?;
        let now_ns = self.clock.now().nseconds();
        let mut newest = Newest { feeds: &feeds, now_ns };
        if slate {
            let pts_ns = cadence.tick(now_ns, None);
            *shown = None;
            let house = lock(&self.house_slate).clone();
            let buffer = composer.house(house.as_ref())?;
            return Ok(self.drawn(buffer, pts_ns, pts_ns, now_ns, order));
        }
        let step = plan.step(frame);
        let main: Option<(&InputId, Shown)> =
            step.main().and_then(|id| Some((id, feeds.get(id)?.newest(now_ns)?)));
        let main_frame = main.as_ref().map(|(id, s)| {
            let fresh = shown.as_ref().is_none_or(|(was, n)| was != *id || s.number > *n);
            if let Some((was, n)) = shown.as_ref().filter(|(was, _)| was == *id) {
                debug_assert!(was == *id);
                if s.number == *n {
                    self.counts.repeated.fetch_add(1, Ordering::Relaxed);
                } else {
                    let skipped = s.number.saturating_sub(*n).saturating_sub(1);
                    self.counts.skipped.fetch_add(skipped, Ordering::Relaxed);
                }
            }
            MainFrame { captured_ns: s.frame.captured.nseconds(), arrived_ns: s.arrived_ns, fresh }
        });
        *shown = main.as_ref().map(|(id, s)| ((*id).clone(), s.number));
        let pts_ns = cadence.tick(now_ns, main_frame);
        let captured_ns = main_frame.map_or(pts_ns, |m| m.captured_ns);
        let buffer = match main {
            Some((id, s)) => {
                composer.draw(step, &mut Frozen { newest, main: Some((id, s.frame)) })?
            }
            None => composer.draw(step, &mut newest)?,
        };
        Ok(self.drawn(buffer, pts_ns, captured_ns, now_ns, order))
    }

    /// A frame that is drawn now, of what a tick took at `taken_ns`.
    fn drawn(
        &self,
        buffer: gst::Buffer,
        pts_ns: u64,
        captured_ns: u64,
        taken_ns: u64,
        order: u64,
    ) -> Drawn {
        let drawn_ns = self.clock.now().nseconds();
        Drawn { buffer, times: Times { pts_ns, captured_ns, taken_ns, drawn_ns }, order }
    }

    fn run_sound(&self, encoder: AudioEncoder) -> Result<(), MediaError> {
        let now = || self.clock.now().nseconds();
        let mut mixer = Mixer::default();
        let mut aac = Aac::new(&self.clock, &self.renditions);
        let mut loudness = ebur128::EbuR128::new(
            CHANNELS as u32,
            RATE,
            ebur128::Mode::M
                | ebur128::Mode::S
                | ebur128::Mode::I
                // Bounded memory, however long the show.
                | ebur128::Mode::HISTOGRAM,
        )
        .ok();
        let mut hold_ns = LEAST_HOLD_NS;
        let mut block_number = now() / BLOCK_NS;
        let mut late = 0_u32;
        while !self.stop.load(Ordering::Acquire) {
            let due = (block_number + 1) * BLOCK_NS + hold_ns;
            let time = now();
            if time > due + 1_000_000_000 {
                // The machine slept: go on from here, do not catch up in a burst.
                block_number = time / BLOCK_NS;
                continue;
            }
            if due > time {
                std::thread::sleep(Duration::from_nanos(due - time));
            }
            let (heard, slate) = {
                let bus = lock(&self.bus);
                (bus.plan.heard(bus.frame.saturating_sub(1)), bus.slate)
            };
            let feeds =
                self.feeds.read().map_err(|_| MediaError::lasting("the inputs are lost"))?;
            let mut tracks: Vec<_> = feeds
                .iter()
                .map(|(id, feed)| {
                    let on = if slate { 0.0 } else { heard.get(id).copied().unwrap_or(0.0) };
                    (lock(&feed.track), on * feed.amplitude())
                })
                .collect();
            let place = frame_at(block_number * BLOCK_NS);
            let (block, missing) = mixer
                .block(place, tracks.iter_mut().map(|(t, gain)| (&mut **t as &mut Track, *gain)));
            drop(tracks);
            drop(feeds);
            // Sound that keeps coming too late for its block is waited for longer.
            late = if missing > 0 { late + 1 } else { late.saturating_sub(1) };
            if late > 8 {
                hold_ns = (hold_ns + HOLD_STEP_NS).min(MOST_HOLD_NS);
                late = 0;
            }
            let pts_ns = (block_number * BLOCK_NS).saturating_sub(Mixer::DELAY_NS);
            encoder.push(&block, pts_ns);
            aac.push(&block, pts_ns);
            if let Some(meter) = &mut loudness {
                let _ = meter.add_frames_f32(&block);
            }
            if let Some(reason) = encoder.broken() {
                return Err(MediaError::passing(format!("the sound encoder broke: {reason}")));
            }
            block_number += 1;
            if block_number.is_multiple_of(10) {
                encoder.protect(self.renditions.worst_loss());
                *lock(&self.sound) = SoundFigures {
                    level: mixer.take_level(),
                    limiter_db: mixer.take_reduction(),
                    loudness: loudness.as_ref().map(loudness_of).unwrap_or_default(),
                };
            }
        }
        Ok(())
    }
}

fn loudness_of(meter: &ebur128::EbuR128) -> Loudness {
    let known =
        |value: Result<f64, ebur128::Error>| value.ok().filter(|v| v.is_finite() && *v > -70.0);
    Loudness {
        momentary: known(meter.loudness_momentary()),
        short_term: known(meter.loudness_shortterm()),
        integrated: known(meter.loudness_global()),
    }
}
