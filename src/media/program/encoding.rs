//! The picture encoders as the program keeps them: mended when they break, exchanged when the link asks for another
//! rung of the ladder. It draws nothing and decides no rate.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::Shared;
use crate::{
    base::{Canvas, Moment},
    flow::{Effort, Ladder, Overspent},
    media::{
        MediaError,
        encoder::{Kind, Times, VideoEncoder, Wanted, choose_but},
        error::DEFECT,
        rendition::Rendition,
    },
    show::{EncoderEffort, Fact},
};

/// Between two tries to build what broke.
pub(super) const REBUILD: Duration = Duration::from_millis(500);
/// An encoder that refuses frames for this many seconds hangs.
const HANGS_AFTER_S: u32 = 2;
/// An encoder that still has frames in hand after this long will always have some.
const HOLDS_BACK_NS: u64 = 200_000_000;
/// Frames of the program that may wait for an encoding beside the show's own.
const MOST_WAITING: usize = 2;
/// An encoding that nobody has wanted for so long lets its encoder go.
const REST: Duration = Duration::from_secs(1);

/// A frame of the program, on its way to the encoders.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) buffer: gst::Buffer,
    pub(super) times: Times,
}

/// A picture encoder, and how it fares.
pub(super) struct Encoding {
    rendition: Arc<Rendition>,
    pub(super) kind: Kind,
    pub(super) encoder: Option<VideoEncoder>,
    /// Number of the next frame, across encoders.
    number: u64,
    rate: u32,
    refused: u32,
    failures: u32,
    retry_at_ns: u64,
    ladder: Ladder,
    /// What is encoded: a rung of the ladder, or that at half its frame rate.
    pub(super) canvas: Canvas,
    /// The rung and the step of effort that it comes of.
    form: Form,
    /// What is to be encoded next, once the encoder has nothing of the present picture in hand; since when.
    next: Option<(Form, u64)>,
    effort: Effort,
    /// The steps that `effort` counts, the most first.
    efforts: Vec<EncoderEffort>,
    /// The number of the frame whose encoding was judged last.
    judged: u64,
    /// What the encoder made beyond its rate.
    spent: Overspent,
    /// Bytes that had come out of it when that was judged last.
    bytes: Option<u64>,
    /// Counts the program's frames, to leave out some where the rung has fewer.
    turn: u32,
}

/// How a picture is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    /// A rung of the ladder.
    rung: Canvas,
    /// A step of effort.
    step: usize,
}

impl Encoding {
    pub(super) fn broken(rendition: &Arc<Rendition>, now: Moment) -> Self {
        let profile = &rendition.profile;
        let ladder = Ladder::new(profile.ladder.clone(), profile.start_kbps);
        let efforts = profile.efforts(rendition.kind.has_presets());
        let rung = ladder.canvas().unwrap_or(profile.canvas);
        Self {
            form: Form { rung, step: 0 },
            effort: Effort::new(now, efforts.len()),
            efforts,
            judged: 0,
            kind: rendition.kind,
            rendition: Arc::clone(rendition),
            encoder: None,
            number: 0,
            rate: 0,
            refused: 0,
            failures: 0,
            retry_at_ns: 0,
            canvas: rung,
            ladder,
            next: None,
            spent: Overspent::default(),
            bytes: None,
            turn: 0,
        }
    }

    /// Whether this frame of the program is one of the rung's.
    fn has_turn(&mut self, program_fps: u32) -> bool {
        let before = self.turn * self.canvas.fps / program_fps;
        self.turn = (self.turn + 1) % program_fps;
        let after = if self.turn == 0 {
            self.canvas.fps
        } else {
            self.turn * self.canvas.fps / program_fps
        };
        after > before
    }

    /// The picture that is encoded in that form.
    fn canvas_of(&self, form: Form) -> Canvas {
        let half = self.efforts.get(form.step).is_some_and(|effort| effort.half_rate);
        let fps = if half { (form.rung.fps / 2).max(1) } else { form.rung.fps };
        Canvas { fps, ..form.rung }
    }

    /// Holds what the last frame took, and those that were left out, against the machine. The new step, and the load
    /// before it in percent where no frame was left out.
    fn judge_effort(&mut self, now: Moment, late: bool) -> Option<(usize, Option<u32>)> {
        let strain = &self.rendition.strain;
        let number = strain.took_of.load(Ordering::Relaxed);
        if late {
            self.effort.late(now);
        }
        if number != self.judged {
            self.judged = number;
            let took = Duration::from_nanos(strain.took_ns.load(Ordering::Relaxed));
            let interval = Duration::from_secs(1) / self.canvas.fps.max(1);
            self.effort.frame(now, took, interval);
        }
        let load = self.effort.load(now).filter(|_| !late).map(|load| (load * 100.0) as u32);
        self.effort.judge(now).map(|step| (step, load))
    }

    /// Takes the encoder away. Taking a hanging pipeline down may wait: not here.
    fn put_away(&mut self) {
        if let Some(old) = self.encoder.take() {
            self.number = old.next_number();
            let _ = std::thread::Builder::new().name("old-encoder".into()).spawn(|| drop(old));
        }
    }
}

/// The encodings beside the show's own. Each has a thread of its own, and no frame of the program waits for one.
#[derive(Default)]
pub(super) struct Others(Vec<Other>);

struct Other {
    rendition: Arc<Rendition>,
    /// `None` where it ends.
    frames: Option<SyncSender<Raw>>,
    thread: Option<JoinHandle<()>>,
}

impl Others {
    /// Takes in those that have come; whether anybody wants any of them.
    pub(super) fn are_wanted(&mut self, shared: &Arc<Shared>) -> bool {
        let new = shared.renditions.others().into_iter().skip(self.0.len());
        self.0.extend(new.map(|rendition| Other::start(shared, rendition)));
        self.0.iter().any(|other| other.rendition.fanout.is_wanted())
    }

    /// Hands them a frame. One that is behind misses it.
    pub(super) fn take(&self, shared: &Shared, raw: &Raw) {
        for other in self.0.iter().filter(|other| other.rendition.fanout.is_wanted()) {
            if other.frames.as_ref().is_none_or(|frames| frames.try_send(raw.clone()).is_err()) {
                shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
                other.rendition.strain.late.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Other {
    fn start(shared: &Arc<Shared>, rendition: Arc<Rendition>) -> Self {
        let (frames, received) = sync_channel(MOST_WAITING);
        let (work, of) = (Arc::clone(shared), Arc::clone(&rendition));
        let thread = std::thread::Builder::new()
            .name("rendition".into())
            .spawn(move || work.run_other(&of, &received));
        if let Err(e) = &thread {
            let reason = format!("no thread for the encoding by '{}': {e}", rendition.profile.name);
            shared.report(Fact::ProgramFailed { reason });
        }
        Self { rendition, frames: Some(frames), thread: thread.ok() }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.frames = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Encodes what comes, until nobody can send any more.
    fn run_other(&self, rendition: &Arc<Rendition>, frames: &Receiver<Raw>) {
        let now = || Moment(self.clock.now().nseconds());
        let mut encoding = Encoding::broken(rendition, now());
        loop {
            let work = AssertUnwindSafe(|| match frames.recv_timeout(REST) {
                Ok(raw) => {
                    self.encode(&mut encoding, raw);
                    true
                }
                Err(RecvTimeoutError::Timeout) => {
                    if encoding.encoder.is_some() {
                        tracing::debug!(
                            profile = rendition.profile.name,
                            "nobody wants it: its encoder goes"
                        );
                        encoding.put_away();
                    }
                    true
                }
                Err(RecvTimeoutError::Disconnected) => false,
            });
            match catch_unwind(work) {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => {
                    self.failed(&encoding, DEFECT.to_owned());
                    encoding = Encoding::broken(rendition, now());
                }
            }
        }
    }

    /// Encodes a frame, or leaves it out where the rate or the rung has no room for it. `false` when there was
    /// no encoder that took it.
    pub(super) fn encode(&self, encoding: &mut Encoding, raw: Raw) -> bool {
        self.mend(encoding);
        self.climb(encoding);
        let rendition = Arc::clone(&encoding.rendition);
        let strain = &rendition.strain;
        strain.given.fetch_add(1, Ordering::Relaxed);
        strain.small.store(encoding.form.rung != rendition.profile.canvas, Ordering::Relaxed);
        if !encoding.has_turn(self.canvas().fps) || !self.affords(encoding, raw.times.pts_ns) {
            return true;
        }
        self.ease(encoding, false);
        let wanted = rendition.rate();
        let Encoding { encoder: Some(encoder), rate, refused, .. } = encoding else { return false };
        if wanted.0 != *rate {
            encoder.set_rate(wanted);
            *rate = wanted.0;
        }
        let taken = encoder.push(raw.buffer, raw.times);
        if taken {
            *refused = 0;
        } else {
            *refused += 1;
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            strain.late.fetch_add(1, Ordering::Relaxed);
            self.ease(encoding, true);
        }
        taken
    }

    /// The profile's name, where it is not the show's own encoding.
    fn other_name(&self, encoding: &Encoding) -> Option<String> {
        let rendition = &encoding.rendition;
        let own = Arc::ptr_eq(rendition, self.renditions.first());
        (!own).then(|| rendition.profile.name.clone())
    }

    fn failed(&self, encoding: &Encoding, reason: String) {
        let reason = match self.other_name(encoding) {
            Some(name) => format!("the encoding by '{name}': {reason}"),
            None => reason,
        };
        self.report(Fact::ProgramFailed { reason });
    }

    /// Sees to it that there is an encoder that works: a broken one is replaced, after two failures by
    /// another kind.
    fn mend(&self, encoding: &mut Encoding) {
        let rendition = Arc::clone(&encoding.rendition);
        let now_ns = self.clock.now().nseconds();
        let hangs = encoding.refused > HANGS_AFTER_S * rendition.profile.canvas.fps;
        let broken = encoding.encoder.as_ref().and_then(VideoEncoder::broken);
        let broken = broken.or_else(|| hangs.then(|| "the encoder hangs".to_owned()));
        if let Some(reason) = broken {
            self.failed(encoding, reason);
            encoding.failures += 1;
            encoding.refused = 0;
            encoding.retry_at_ns = now_ns;
            encoding.put_away();
        }
        if encoding.encoder.is_some() || now_ns < encoding.retry_at_ns {
            return;
        }
        if encoding.failures >= 2
            && let Ok(other) = choose_but(&rendition.profile, Some(encoding.kind.element))
        {
            encoding.kind = other;
            encoding.failures = 0;
            encoding.efforts = rendition.profile.efforts(other.has_presets());
            encoding.effort = Effort::new(Moment(now_ns), encoding.efforts.len());
            encoding.form.step = 0;
            encoding.canvas = encoding.canvas_of(encoding.form);
        }
        match self.encoder(encoding, encoding.form) {
            Ok(encoder) => {
                encoding.encoder = Some(encoder);
                encoding.rate = 0;
                rendition.fanout.want_key(true);
                if self.other_name(encoding).is_none() {
                    let Kind { element, hardware, .. } = encoding.kind;
                    self.report(Fact::EncoderUp { encoder: element.into(), hardware });
                }
            }
            Err(e) => {
                encoding.failures += 1;
                encoding.retry_at_ns = now_ns + REBUILD.as_nanos() as u64;
                self.failed(encoding, e.to_string());
            }
        }
    }

    /// The encoder that an encoding begins with.
    pub(super) fn first_encoder(&self, encoding: &Encoding) -> Result<VideoEncoder, MediaError> {
        self.encoder(encoding, encoding.form)
    }

    /// An encoder of that form, which goes on counting frames where the present one is.
    fn encoder(&self, encoding: &Encoding, form: Form) -> Result<VideoEncoder, MediaError> {
        let Encoding { rendition, kind, encoder, number, efforts, .. } = encoding;
        let first = encoder.as_ref().map_or(*number, VideoEncoder::next_number);
        let preset =
            efforts.get(form.step).map_or(rendition.profile.effort.as_str(), |e| &e.preset);
        let (canvas, rate) = (encoding.canvas_of(form), rendition.rate());
        let wanted = Wanted { kind: *kind, preset, from: self.canvas(), canvas, rate, first };
        VideoEncoder::start(wanted, rendition, &self.clock, self.origin)
    }

    /// Whether the rate has room for a frame. An encoder obeys only within limits: noise at the coarsest it can do
    /// is still too much for a narrow link. A frame left out is seen less than one that comes late.
    fn affords(&self, encoding: &mut Encoding, now_ns: u64) -> bool {
        let Rendition { profile, fanout, leading, .. } = &*encoding.rendition;
        let bytes = fanout.bytes();
        let new = encoding.bytes.replace(bytes).map_or(0, |before| bytes - before);
        let rate = encoding.rendition.rate();
        let draining = rate < encoding.rendition.settled();
        let room = encoding.spent.affords(Moment(now_ns), rate, new, draining);
        // At its top the rate is the profile's, not the link's: a burst is nobody's trouble.
        let narrow = rate < profile.max_kbps && !leading.is_empty();
        let affords = room || !narrow;
        if !affords {
            self.counts.withheld.fetch_add(1, Ordering::Relaxed);
            encoding.rendition.strain.withheld.fetch_add(1, Ordering::Relaxed);
        }
        affords
    }

    /// Lowers the effort of an encoder that this machine has too little time for, and raises it again. `late` says
    /// that it just had no time for a frame.
    fn ease(&self, encoding: &mut Encoding, late: bool) {
        let now_ns = self.clock.now().nseconds();
        let before = encoding.effort.step();
        let Some((step, load_percent)) = encoding.judge_effort(Moment(now_ns), late) else {
            return;
        };
        let rung = encoding.next.map_or(encoding.form, |(form, _)| form).rung;
        encoding.next = Some((Form { rung, step }, now_ns));
        if let Some(effort) = encoding.efforts.get(step).cloned() {
            let (profile, lowered) = (self.other_name(encoding), step > before);
            self.report(Fact::EffortStepped { profile, effort, lowered, load_percent });
        }
    }

    /// Steps up or down the ladder as the rate asks for: an encoder of the other size takes over with the next
    /// frame, which is a key frame.
    fn climb(&self, encoding: &mut Encoding) {
        let rendition = Arc::clone(&encoding.rendition);
        let Rendition { profile, fanout, leading, .. } = &*rendition;
        if leading.is_empty() && fanout.is_heard() {
            // Only recordings and servers without feedback: they are given all there is.
            rendition.set_rate(profile.max_kbps, profile.max_kbps);
        }
        let rate = rendition.settled();
        let now_ns = self.clock.now().nseconds();
        if let Some(canvas) = encoding.ladder.judge(Moment(now_ns), rate) {
            encoding.next = Some((Form { rung: canvas, step: encoding.effort.step() }, now_ns));
        }
        let Some((form, since_ns)) = encoding.next else { return };
        let idle = encoding.encoder.as_ref().is_some_and(VideoEncoder::is_idle);
        // Some hardware always holds a frame back: that one is lost.
        if now_ns < encoding.retry_at_ns || !idle && now_ns < since_ns + HOLDS_BACK_NS {
            return;
        }
        encoding.next = None;
        match self.encoder(encoding, form) {
            Ok(encoder) => {
                encoding.put_away();
                encoding.encoder = Some(encoder);
                encoding.canvas = encoding.canvas_of(form);
                encoding.rate = 0;
                encoding.turn = 0;
                let rung = std::mem::replace(&mut encoding.form, form).rung;
                if rung != form.rung {
                    let profile = self.other_name(encoding);
                    self.report(Fact::PictureStepped { profile, picture: form.rung, rate });
                }
            }
            // The present one goes on, and it is tried again.
            Err(e) => {
                encoding.next = Some((form, now_ns));
                encoding.retry_at_ns = now_ns + REBUILD.as_nanos() as u64;
                self.failed(encoding, e.to_string());
            }
        }
    }
}
