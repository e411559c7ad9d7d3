//! The encodings of the program's picture, and the outputs that share each. The show's own profile makes the first;
//! an output with a profile of its own adds one. Sound is encoded once for all of them.

use std::{
    collections::{BTreeMap, btree_map},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use super::{
    MediaError,
    encoder::{self, Kind},
    fanout::{Encoded, Fanout, Sound},
    feed::lock,
    trail::Coded,
};
use crate::{base::Kbps, show::Profile};

/// How many sessions of which outputs are open. The output with the lowest order drives
/// the shared encoder, so that there is always one that does.
#[derive(Debug, Default)]
pub struct Leading(Mutex<BTreeMap<u32, u32>>);

impl Leading {
    /// A session of that output is open.
    pub fn join(&self, order: u32) {
        *lock(&self.0).entry(order).or_default() += 1;
    }

    /// A session of that output is over.
    pub fn leave(&self, order: u32) {
        if let btree_map::Entry::Occupied(mut open) = lock(&self.0).entry(order) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }

    /// Whether no session is open: nothing limits the encoder then.
    pub fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// Whether that output has a session open.
    pub fn has(&self, order: u32) -> bool {
        lock(&self.0).contains_key(&order)
    }

    /// Whether that output leads.
    pub fn is(&self, order: u32) -> bool {
        lock(&self.0).keys().next() == Some(&order)
    }
}

/// How an encoding fares: counters that its threads leave behind, and others read.
#[derive(Debug, Default)]
pub struct Strain {
    /// Frames of the program that it was given.
    pub given: AtomicU64,
    /// Of these, those that its encoder had no time for.
    pub late: AtomicU64,
    /// Those that its rate had no room for.
    pub withheld: AtomicU64,
    /// Whether it is a lower rung of the ladder than the profile's own picture.
    pub small: AtomicBool,
    /// Frames that the encoder has in hand.
    pub in_hand: AtomicU32,
    /// What the newest frame took from being drawn to being encoded, in ns.
    pub took_ns: AtomicU64,
    /// The number of that frame.
    pub took_of: AtomicU64,
}

/// One encoding.
pub struct Rendition {
    /// How it is encoded.
    pub profile: Profile,
    /// The encoder it begins with.
    pub kind: Kind,
    /// The outputs that share it.
    pub fanout: Arc<Fanout>,
    /// Whose congestion control drives it.
    pub leading: Arc<Leading>,
    /// When its frames passed each stage.
    pub trail: Coded,
    /// How it fares.
    pub strain: Strain,
    /// Frames a second of the program that it is made of.
    pub program_fps: u32,
    rate: AtomicU32,
    settled: AtomicU32,
    /// The share of packets lost, by the output's place.
    losses: Mutex<BTreeMap<u32, f64>>,
}

impl Rendition {
    fn new(profile: Profile, kind: Kind, program_fps: u32) -> Self {
        Self {
            trail: Coded::default(),
            strain: Strain::default(),
            program_fps,
            rate: AtomicU32::new(profile.start_kbps.0),
            settled: AtomicU32::new(profile.start_kbps.0),
            kind,
            fanout: Arc::default(),
            leading: Arc::default(),
            losses: Mutex::default(),
            profile,
        }
    }

    /// Asks the encoder for that bitrate, within the profile's bounds. `settled` is what the path will have once a
    /// queue has drained: the size of the picture follows that.
    pub fn set_rate(&self, rate: Kbps, settled: Kbps) {
        let within = |rate: Kbps| rate.clamp(self.profile.min_kbps, self.profile.max_kbps).0;
        self.rate.store(within(rate), Ordering::Relaxed);
        self.settled.store(within(settled), Ordering::Relaxed);
    }

    /// What the encoder is asked for.
    pub fn rate(&self) -> Kbps {
        Kbps(self.rate.load(Ordering::Relaxed))
    }

    /// What it will be asked for once a queue that stands now has drained.
    pub fn settled(&self) -> Kbps {
        Kbps(self.settled.load(Ordering::Relaxed))
    }

    /// The output at that place loses that share of its packets: the sound is protected accordingly.
    pub fn note_loss(&self, order: u32, share: f64) {
        lock(&self.losses).insert(order, share);
    }

    /// The greatest share that an open session loses.
    fn worst_loss(&self) -> f64 {
        let open = |(order, share): (&u32, &f64)| self.leading.has(*order).then_some(*share);
        lock(&self.losses).iter().filter_map(open).fold(0.0, f64::max)
    }
}

/// All encodings of a show.
pub struct Renditions {
    first: Arc<Rendition>,
    others: Mutex<Vec<Arc<Rendition>>>,
}

impl Renditions {
    /// The show's own alone.
    pub fn new(profile: Profile, kind: Kind) -> Self {
        let fps = profile.canvas.fps;
        Self { first: Arc::new(Rendition::new(profile, kind, fps)), others: Mutex::default() }
    }

    /// The show's own.
    pub const fn first(&self) -> &Arc<Rendition> {
        &self.first
    }

    /// Those beside it, in the order they came. None ever goes: without outputs it costs nothing.
    pub fn others(&self) -> Vec<Arc<Rendition>> {
        lock(&self.others).clone()
    }

    /// The encoding by that profile, `None` for the show's own. Blocks while an encoder is tried out.
    ///
    /// # Errors
    /// The program's picture cannot be made into that one, or no encoder works.
    pub fn of(&self, profile: Option<&Profile>) -> Result<Arc<Rendition>, MediaError> {
        let known = |profile: &Profile, others: &[Arc<Rendition>]| {
            let mut all = std::iter::once(&self.first).chain(others);
            all.find(|r| r.profile == *profile).cloned()
        };
        let Some(profile) = profile else { return Ok(Arc::clone(&self.first)) };
        let profile = &profile.clone().turned(self.first.profile.is_upright());
        if let Some(rendition) = known(profile, &lock(&self.others)) {
            return Ok(rendition);
        }
        if let Some(why) = self.first.profile.canvas.cannot_become(profile.canvas) {
            return Err(MediaError::lasting(format!("the profile '{}': {why}", profile.name)));
        }
        let same = profile.codec == self.first.profile.codec;
        let kind = if same { self.first.kind } else { encoder::choose(profile)? };
        let mut others = lock(&self.others);
        // Another output may have added it meanwhile.
        if let Some(rendition) = known(profile, &others) {
            return Ok(rendition);
        }
        let rendition = Arc::new(Rendition::new(profile.clone(), kind, self.first.program_fps));
        others.push(Arc::clone(&rendition));
        Ok(rendition)
    }

    /// Hands a packet of sound to every open output that takes this coding.
    pub fn sound(&self, coding: Sound, packet: &Encoded) {
        self.first.fanout.sound(coding, packet);
        for other in self.others() {
            other.fanout.sound(coding, packet);
        }
    }

    /// Whether any output, open or not yet, takes this coding of the sound.
    pub fn want(&self, coding: Sound) -> bool {
        self.first.fanout.wants(coding) || self.others().iter().any(|r| r.fanout.wants(coding))
    }

    /// The greatest share of packets that an open session loses.
    pub fn worst_loss(&self) -> f64 {
        self.others().iter().map(|r| r.worst_loss()).fold(self.first.worst_loss(), f64::max)
    }
}
