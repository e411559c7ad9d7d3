//! Hands encoded frames to every output, each through its own bounded queue. An output that stalls loses
//! frames until the next key frame; the encoder and the other outputs never notice.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::feed::lock;
use crate::{
    base::{Kbps, Moment},
    flow::Thinner,
};

/// How many frames may wait for one output before it loses some: half a second would already be too late
/// for a conversation.
const MOST_WAITING: u64 = 12;
/// Requests for key frames that come closer together than this are one.
const KEY_SPACING_NS: u64 = 500_000_000;
/// A viewer that has just come may ask sooner: it has nothing to show yet.
const FIRST_KEY_SPACING_NS: u64 = 100_000_000;

/// One encoded frame or packet of sound. Plain data; cheap to clone.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The bytes, with running time as PTS.
    pub buffer: gst::Buffer,
    /// Decodable by itself.
    pub key: bool,
}

/// The near end of an output.
pub struct Consumer {
    video: gst_app::AppSrc,
    audio: gst_app::AppSrc,
    waiting_for_key: AtomicBool,
    open: AtomicBool,
    /// Whether the picture passes at all.
    picture: AtomicBool,
    thinner: Mutex<Thinner>,
    dropped: AtomicU64,
}

impl Consumer {
    /// Feeds these two sources, once `open` is called.
    pub fn new(video: gst_app::AppSrc, audio: gst_app::AppSrc) -> Self {
        Self {
            video,
            audio,
            waiting_for_key: AtomicBool::new(true),
            open: AtomicBool::new(false),
            picture: AtomicBool::new(true),
            thinner: Mutex::default(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Frames thrown away because this output could not keep up.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Lets the picture pass or not, and no more of it than that; `None` for all of it.
    pub fn limit(&self, picture: bool, most: Option<Kbps>) {
        lock(&self.thinner).limit(most);
        if !self.picture.swap(picture, Ordering::AcqRel) && picture {
            self.waiting_for_key.store(true, Ordering::Release);
        }
    }

    /// Whether the picture passes.
    pub fn has_picture(&self) -> bool {
        self.picture.load(Ordering::Acquire)
    }

    fn takes(&self, frame: &Encoded) -> bool {
        let now = Moment(frame.buffer.pts().map_or(0, gst::ClockTime::nseconds));
        let passes =
            self.has_picture() && lock(&self.thinner).pass(now, frame.key, frame.buffer.size());
        if !passes {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        passes
    }
}

/// When a key frame is wanted, and when it may be made.
#[derive(Debug, Default)]
struct KeyWish {
    wanted: bool,
    first: bool,
    last_ns: Option<u64>,
}

/// All outputs' near ends, and their wishes for key frames.
#[derive(Default)]
pub struct Fanout {
    consumers: Mutex<Vec<Arc<Consumer>>>,
    wish: Mutex<KeyWish>,
    /// Frames encoded, key frames among them.
    counts: (AtomicU64, AtomicU64),
}

impl Fanout {
    /// Adds an output. It gets nothing until it is opened.
    pub fn join(&self, consumer: Arc<Consumer>) {
        lock(&self.consumers).push(consumer);
    }

    /// An output's session is up: it gets sound at once and pictures from the next key frame on.
    pub fn open(&self, consumer: &Consumer) {
        consumer.waiting_for_key.store(true, Ordering::Release);
        consumer.open.store(true, Ordering::Release);
        self.want_key(true);
    }

    /// Removes an output.
    pub fn leave(&self, consumer: &Arc<Consumer>) {
        lock(&self.consumers).retain(|c| !Arc::ptr_eq(c, consumer));
    }

    /// Somebody needs a key frame; `first` if it has never had one.
    pub fn want_key(&self, first: bool) {
        let mut wish = lock(&self.wish);
        wish.wanted = true;
        wish.first |= first;
    }

    /// Whether the frame encoded at `now_ns` is to be a key frame. Asked once per frame.
    pub fn key_due(&self, now_ns: u64) -> bool {
        let mut wish = lock(&self.wish);
        let spacing = if wish.first { FIRST_KEY_SPACING_NS } else { KEY_SPACING_NS };
        let due =
            wish.wanted && wish.last_ns.is_none_or(|last| now_ns.saturating_sub(last) >= spacing);
        if due {
            *wish = KeyWish { wanted: false, first: false, last_ns: Some(now_ns) };
        }
        due
    }

    /// Frames encoded so far, and the key frames among them.
    pub fn counts(&self) -> (u64, u64) {
        (self.counts.0.load(Ordering::Relaxed), self.counts.1.load(Ordering::Relaxed))
    }

    /// Hands a frame to every open output.
    pub fn video(&self, frame: &Encoded) {
        self.counts.0.fetch_add(1, Ordering::Relaxed);
        if frame.key {
            self.counts.1.fetch_add(1, Ordering::Relaxed);
        }
        // Cloned out of the lock: a push may wake a thread.
        let consumers = lock(&self.consumers).clone();
        for consumer in consumers.iter().filter(|c| c.open.load(Ordering::Acquire)) {
            if consumer.waiting_for_key.load(Ordering::Acquire) {
                if !frame.key {
                    continue;
                }
                consumer.waiting_for_key.store(false, Ordering::Release);
            }
            if !consumer.takes(frame) {
                continue;
            }
            if consumer.video.current_level_buffers() >= MOST_WAITING {
                consumer.dropped.fetch_add(1, Ordering::Relaxed);
                consumer.waiting_for_key.store(true, Ordering::Release);
                self.want_key(false);
                continue;
            }
            // A source that is shutting down refuses; the output's own watch says so.
            let _ = consumer.video.push_buffer(frame.buffer.clone());
        }
    }

    /// Hands a packet of sound to every open output.
    pub fn audio(&self, packet: &Encoded) {
        let consumers = lock(&self.consumers).clone();
        for consumer in consumers.iter().filter(|c| c.open.load(Ordering::Acquire)) {
            if consumer.audio.current_level_buffers() < MOST_WAITING * 4 {
                let _ = consumer.audio.push_buffer(packet.buffer.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_close_together_are_one() {
        let fanout = Fanout::default();
        assert!(!fanout.key_due(0));
        fanout.want_key(false);
        assert!(fanout.key_due(1));
        fanout.want_key(false);
        assert!(!fanout.key_due(400_000_000));
        assert!(fanout.key_due(600_000_000), "put off, not forgotten");
    }

    #[test]
    fn a_newcomer_waits_less() {
        let fanout = Fanout::default();
        fanout.want_key(false);
        assert!(fanout.key_due(1_000_000_000));
        fanout.want_key(true);
        assert!(!fanout.key_due(1_050_000_000));
        assert!(fanout.key_due(1_110_000_000));
    }

    #[test]
    fn a_stalled_output_loses_frames_and_the_other_does_not() {
        gst::init().unwrap();
        let make = || {
            let consumer = Arc::new(Consumer::new(
                gst_app::AppSrc::builder().build(),
                gst_app::AppSrc::builder().build(),
            ));
            consumer.open.store(true, Ordering::Release);
            consumer
        };
        let (stalled, shut) = (make(), make());
        shut.open.store(false, Ordering::Release);
        let fanout = Fanout::default();
        fanout.join(Arc::clone(&stalled));
        fanout.join(Arc::clone(&shut));
        for n in 0..40 {
            let buffer = gst::Buffer::with_size(100).unwrap();
            fanout.video(&Encoded { buffer, key: n % 30 == 0 });
        }
        // Nobody takes frames out: the queue stays bounded, and after the first loss only a key frame
        // may come in again.
        assert_eq!(stalled.video.current_level_buffers(), MOST_WAITING);
        assert_eq!(
            stalled.dropped(),
            2,
            "one for the loss, one for the key frame that found no place"
        );
        assert_eq!(shut.video.current_level_buffers(), 0);
        assert!(fanout.key_due(0), "the stalled output asked for a key frame");
        fanout.leave(&stalled);
        assert_eq!(Arc::strong_count(&stalled), 1);
    }
}
