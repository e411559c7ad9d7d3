//! The picture encoder as the program keeps it: mended when it breaks, exchanged when the link asks for another
//! rung of the ladder. It draws nothing and decides no rate.

use std::{sync::atomic::Ordering, time::Duration};

use super::Shared;
use crate::{
    base::{Canvas, Kbps, Moment},
    flow::{Ladder, Overspent},
    media::{
        MediaError,
        encoder::{Kind, VideoEncoder, Wanted, choose_but},
    },
    show::{Fact, Profile},
};

/// Between two tries to build what broke.
pub(super) const REBUILD: Duration = Duration::from_millis(500);
/// An encoder that refuses frames for this many seconds hangs.
const HANGS_AFTER_S: u32 = 2;
/// An encoder that still has frames in hand after this long will always have some.
const HOLDS_BACK_NS: u64 = 200_000_000;

/// The picture encoder, and how it fares.
pub(super) struct Encoding {
    pub(super) kind: Kind,
    pub(super) encoder: Option<VideoEncoder>,
    /// Number of the next frame, across encoders.
    number: u64,
    pub(super) rate: u32,
    pub(super) refused: u32,
    failures: u32,
    retry_at_ns: u64,
    ladder: Ladder,
    /// What is encoded: a rung of the ladder.
    pub(super) canvas: Canvas,
    /// The rung to be encoded next, once the encoder has nothing of the present one in hand.
    next: Option<(Canvas, u64)>,
    /// What the encoder made beyond its rate.
    spent: Overspent,
    /// Bytes that had come out of it when that was judged last.
    bytes: Option<u64>,
    /// Counts the program's frames, to leave out some where the rung has fewer.
    turn: u32,
}

impl Encoding {
    pub(super) fn broken(kind: Kind, profile: &Profile) -> Self {
        let ladder = Ladder::new(profile.ladder.clone(), profile.start_kbps);
        Self {
            kind,
            encoder: None,
            number: 0,
            rate: 0,
            refused: 0,
            failures: 0,
            retry_at_ns: 0,
            canvas: ladder.canvas().unwrap_or(profile.canvas),
            ladder,
            next: None,
            spent: Overspent::default(),
            bytes: None,
            turn: 0,
        }
    }

    /// Whether this frame of the program is one of the rung's.
    pub(super) fn has_turn(&mut self, program_fps: u32) -> bool {
        let before = self.turn * self.canvas.fps / program_fps;
        self.turn = (self.turn + 1) % program_fps;
        let after = if self.turn == 0 {
            self.canvas.fps
        } else {
            self.turn * self.canvas.fps / program_fps
        };
        after > before
    }

    /// Takes the encoder away. Taking a hanging pipeline down may wait: not here.
    fn put_away(&mut self) {
        if let Some(old) = self.encoder.take() {
            self.number = old.next_number();
            let _ = std::thread::Builder::new().name("old-encoder".into()).spawn(|| drop(old));
        }
    }
}

impl Shared {
    /// Sees to it that there is an encoder that works: a broken one is replaced, after two failures by
    /// another kind.
    pub(super) fn mend(&self, encoding: &mut Encoding) {
        let now_ns = self.clock.now().nseconds();
        let hangs = encoding.refused > HANGS_AFTER_S * self.profile.canvas.fps;
        let broken = encoding.encoder.as_ref().and_then(VideoEncoder::broken);
        let broken = broken.or_else(|| hangs.then(|| "the encoder hangs".to_owned()));
        if let Some(reason) = broken {
            self.report(Fact::ProgramFailed { reason });
            encoding.failures += 1;
            encoding.refused = 0;
            encoding.retry_at_ns = now_ns;
            encoding.put_away();
        }
        if encoding.encoder.is_some() || now_ns < encoding.retry_at_ns {
            return;
        }
        if encoding.failures >= 2
            && let Ok(other) = choose_but(&self.profile, Some(encoding.kind.element))
        {
            encoding.kind = other;
            encoding.failures = 0;
        }
        match self.encoder(encoding.kind, encoding.canvas, encoding.number) {
            Ok(encoder) => {
                encoding.encoder = Some(encoder);
                encoding.rate = 0;
                self.fanout.want_key(true);
                let Kind { element, hardware, .. } = encoding.kind;
                self.report(Fact::EncoderUp { encoder: element.into(), hardware });
            }
            Err(e) => {
                encoding.failures += 1;
                encoding.retry_at_ns = now_ns + REBUILD.as_nanos() as u64;
                self.report(Fact::ProgramFailed { reason: e.to_string() });
            }
        }
    }

    pub(super) fn encoder(
        &self,
        kind: Kind,
        canvas: Canvas,
        first: u64,
    ) -> Result<VideoEncoder, MediaError> {
        let Self { profile, clock, fanout, boot_id, .. } = self;
        let wanted = Wanted { kind, canvas, rate: self.rate_now(), first };
        VideoEncoder::start(wanted, profile, clock, fanout, *boot_id)
    }

    /// Whether the rate has room for a frame. An encoder obeys only within limits: noise at the coarsest it can do
    /// is still too much for a narrow link. A frame left out is seen less than one that comes late.
    pub(super) fn affords(&self, encoding: &mut Encoding, now_ns: u64) -> bool {
        let bytes = self.fanout.bytes();
        let new = encoding.bytes.replace(bytes).map_or(0, |before| bytes - before);
        let rate = self.rate_now();
        let draining = rate.0 < self.settled.load(Ordering::Relaxed);
        let room = encoding.spent.affords(Moment(now_ns), rate, new, draining);
        // At its top the rate is the profile's, not the link's: a burst is nobody's trouble.
        let narrow = rate < self.profile.max_kbps && !self.leading.is_empty();
        let affords = room || !narrow;
        if !affords {
            self.counts.withheld.fetch_add(1, Ordering::Relaxed);
        }
        affords
    }

    /// Steps up or down the ladder as the rate asks for: an encoder of the other size takes over with the next
    /// frame, which is a key frame.
    pub(super) fn climb(&self, encoding: &mut Encoding) {
        if self.leading.is_empty() && self.fanout.is_heard() {
            // Only recordings and servers without feedback: they are given all there is.
            self.rate.store(self.profile.max_kbps.0, Ordering::Relaxed);
            self.settled.store(self.profile.max_kbps.0, Ordering::Relaxed);
        }
        let rate = Kbps(self.settled.load(Ordering::Relaxed));
        let now_ns = self.clock.now().nseconds();
        if let Some(canvas) = encoding.ladder.judge(Moment(now_ns), rate) {
            encoding.next = Some((canvas, now_ns));
        }
        let Some((canvas, since_ns)) = encoding.next else { return };
        let idle = encoding.encoder.as_ref().is_some_and(VideoEncoder::is_idle);
        // Some hardware always holds a frame back: that one is lost.
        if now_ns < encoding.retry_at_ns || !idle && now_ns < since_ns + HOLDS_BACK_NS {
            return;
        }
        encoding.next = None;
        let number = encoding.encoder.as_ref().map_or(encoding.number, VideoEncoder::next_number);
        match self.encoder(encoding.kind, canvas, number) {
            Ok(encoder) => {
                encoding.put_away();
                encoding.encoder = Some(encoder);
                encoding.canvas = canvas;
                encoding.rate = 0;
                encoding.turn = 0;
                self.report(Fact::PictureStepped { picture: canvas, rate });
            }
            // The present one goes on, and it is tried again.
            Err(e) => {
                encoding.next = Some((canvas, now_ns));
                encoding.retry_at_ns = now_ns + REBUILD.as_nanos() as u64;
                self.report(Fact::ProgramFailed { reason: e.to_string() });
            }
        }
    }
}
