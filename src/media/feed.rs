//! Where an input's newest picture and its sound wait for the program. The input writes, the program takes;
//! neither ever waits for the other beyond a short lock.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    clock::MediaClock,
    input::{RawFrame, RawSound, Sink},
    mixer::Track,
};
use crate::{
    base::{Db, InputId, Ring},
    show::{Fact, FailureKind},
};

/// A picture older than this is stale: the slate takes its place. The bar is 500 ms from the fault; what a
/// network still has on its way, and one tick, come on top.
pub const STALE_NS: u64 = 340_000_000;

/// The newest picture of an input.
#[derive(Clone)]
pub struct Shown {
    /// The picture.
    pub frame: RawFrame,
    /// Counts an input's frames from 1.
    pub number: u64,
    /// When it came, running time.
    pub arrived_ns: u64,
}

/// Wakes the program when something is new: a picture, an order, the end.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<u64>,
    wake: Condvar,
}

impl Bell {
    /// Wakes who waits.
    pub fn ring(&self) {
        *lock(&self.rung) += 1;
        self.wake.notify_all();
    }

    /// How often it has been rung.
    pub fn rung(&self) -> u64 {
        *lock(&self.rung)
    }

    /// Waits until it has been rung more than `heard` times, `longest` at most.
    pub fn wait(&self, heard: u64, longest: Duration) {
        let rung = lock(&self.rung);
        let waited = self.wake.wait_timeout_while(rung, longest, |rung| *rung == heard);
        drop(waited);
    }
}

/// One input's place.
pub struct Feed {
    /// Whose.
    pub id: InputId,
    clock: MediaClock,
    newest: Mutex<Option<Shown>>,
    slate: Mutex<Option<RawFrame>>,
    /// The sound not yet mixed.
    pub track: Mutex<Track>,
    sound: Mutex<(Db, bool)>,
    frames: AtomicU64,
    arrivals: Mutex<Ring<u64>>,
    has_picture: bool,
    facts: mpsc::Sender<Fact>,
    bell: Arc<Bell>,
    /// Counts the starts of this input: what an older start still says is not heard.
    generation: AtomicU64,
}

/// A short lock; a thread that panicked while holding it has left whole values behind.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// An empty place. `bell` is rung for each picture.
    pub fn new(
        id: InputId,
        has_picture: bool,
        clock: MediaClock,
        facts: mpsc::Sender<Fact>,
        bell: Arc<Bell>,
    ) -> Self {
        Self {
            id,
            clock,
            newest: Mutex::new(None),
            slate: Mutex::new(None),
            track: Mutex::new(Track::default()),
            sound: Mutex::new((Db(0.0), false)),
            frames: AtomicU64::new(0),
            arrivals: Mutex::new(Ring::new(61)),
            has_picture,
            facts,
            bell,
            generation: AtomicU64::new(0),
        }
    }

    /// A sink for a new start of the input. Sinks handed out earlier fall silent.
    pub fn sink(self: &Arc<Self>) -> Arc<FeedSink> {
        let generation = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
        Arc::new(FeedSink { feed: Arc::clone(self), generation })
    }

    /// The newest picture while it is not stale.
    pub fn newest(&self, now_ns: u64) -> Option<Shown> {
        lock(&self.newest).clone().filter(|s| now_ns.saturating_sub(s.arrived_ns) < STALE_NS)
    }

    /// Number and arrival of the newest picture, stale or not.
    pub fn latest(&self) -> Option<(u64, u64)> {
        lock(&self.newest).as_ref().map(|s| (s.number, s.arrived_ns))
    }

    /// Whether its slate stands in for its picture, on program or not.
    pub fn on_slate(&self) -> bool {
        self.has_picture && self.newest(self.clock.now().nseconds()).is_none()
    }

    /// The slate, once it is drawn.
    pub fn slate(&self) -> Option<RawFrame> {
        lock(&self.slate).clone()
    }

    /// Sets the slate.
    pub fn set_slate(&self, frame: RawFrame) {
        *lock(&self.slate) = Some(frame);
    }

    /// Drops the picture, so that the slate shows at the next frame.
    pub fn clear(&self) {
        *lock(&self.newest) = None;
    }

    /// Sets gain and mute.
    pub fn set_sound(&self, gain: Db, muted: bool) {
        *lock(&self.sound) = (gain, muted);
    }

    /// The factor its sound is mixed with while it is heard.
    pub fn amplitude(&self) -> f32 {
        let (gain, muted) = *lock(&self.sound);
        if muted { 0.0 } else { gain.amplitude() }
    }

    /// Frames given so far.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Frames per second over the last second; `None` if there were none.
    pub fn fps(&self) -> Option<f32> {
        let arrivals = lock(&self.arrivals);
        let now = self.clock.now().nseconds();
        let since = now.saturating_sub(1_000_000_000);
        let recent = arrivals.iter().filter(|a| **a >= since).count();
        (recent > 0).then_some(recent as f32)
    }

    fn report(&self, fact: Fact) {
        // A full channel means the engine is far behind; the watchdogs will say it again.
        if self.facts.try_send(fact).is_err() {
            tracing::warn!(input = %self.id, "the engine is behind: a report was lost");
        }
    }
}

/// The writing end, for one start of an input.
pub struct FeedSink {
    feed: Arc<Feed>,
    generation: u64,
}

impl FeedSink {
    fn current(&self) -> bool {
        self.feed.generation.load(Ordering::Acquire) == self.generation
    }
}

impl Sink for FeedSink {
    fn frame(&self, frame: RawFrame) {
        if !self.current() {
            return;
        }
        let feed = &self.feed;
        let arrived_ns = feed.clock.now().nseconds();
        lock(&feed.arrivals).push(arrived_ns);
        // Counted under the lock: a later number is never overwritten by an earlier one.
        let mut newest = lock(&feed.newest);
        let number = feed.frames.fetch_add(1, Ordering::Relaxed) + 1;
        *newest = Some(Shown { frame, number, arrived_ns });
        drop(newest);
        feed.bell.ring();
    }

    fn sound(&self, sound: RawSound) {
        if !self.current() {
            return;
        }
        let Ok(map) = sound.buffer.map_readable() else { return };
        let samples = map.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        lock(&self.feed.track).push(sound.captured.nseconds(), samples);
    }

    fn up(&self, format: String) {
        if self.current() {
            self.feed.report(Fact::InputUp { input: self.feed.id.clone(), format });
        }
    }

    fn failed(&self, reason: String, kind: FailureKind) {
        if self.current() {
            self.feed.clear();
            self.feed.report(Fact::InputFailed { input: self.feed.id.clone(), reason, kind });
        }
    }

    fn ended(&self) {
        if self.current() {
            self.feed.clear();
            self.feed.report(Fact::InputEnded { input: self.feed.id.clone() });
        }
    }
}
