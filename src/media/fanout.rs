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
    /// The frame's number in its encoding; 0 for sound.
    pub number: u64,
    /// When it was encoded, running time; 0 for sound.
    pub encoded_ns: u64,
}

impl Encoded {
    /// A packet of sound.
    pub const fn sound(buffer: gst::Buffer) -> Self {
        Self { buffer, key: true, number: 0, encoded_ns: 0 }
    }
}

/// Which coding of the program's sound an output takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Opus: WebRTC, Matroska.
    Opus,
    /// AAC-LC: RTMP, SRT, MP4.
    Aac,
}

/// Where frames of one kind go at an output's near end. Neither call may block.
pub trait Inlet: Send + Sync {
    /// How many wait there.
    fn waiting(&self) -> u64;
    /// Puts one more there. An inlet that is shutting down refuses; the output's own watch says so.
    fn push(&self, frame: &Encoded);
}

impl Inlet for gst_app::AppSrc {
    fn waiting(&self) -> u64 {
        self.current_level_buffers()
    }

    fn push(&self, frame: &Encoded) {
        let _ = self.push_buffer(frame.buffer.clone());
    }
}

/// The near end of an output.
pub struct Consumer {
    video: Box<dyn Inlet>,
    audio: Box<dyn Inlet>,
    sound: Sound,
    most_waiting: u64,
    waiting_for_key: AtomicBool,
    /// It was full, and no key frame has come in since.
    behind: AtomicBool,
    /// It has asked for the key frame that it needs.
    asked: AtomicBool,
    open: AtomicBool,
    /// Whether the picture passes at all.
    picture: AtomicBool,
    /// Whether only some of it passes.
    left_out: AtomicU64,
    thinner: Mutex<Thinner>,
    dropped: AtomicU64,
}

impl Consumer {
    /// Feeds these two, once `open` is called; sound is Opus.
    pub fn new(video: impl Inlet + 'static, audio: impl Inlet + 'static) -> Self {
        Self::patient(video, audio, Sound::Opus, MOST_WAITING)
    }

    /// The same for an output whose viewers come later: `most_waiting` frames may wait before it loses some.
    pub fn patient(
        video: impl Inlet + 'static,
        audio: impl Inlet + 'static,
        sound: Sound,
        most_waiting: u64,
    ) -> Self {
        Self {
            video: Box::new(video),
            audio: Box::new(audio),
            sound,
            most_waiting,
            waiting_for_key: AtomicBool::new(true),
            behind: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            open: AtomicBool::new(false),
            picture: AtomicBool::new(true),
            left_out: AtomicU64::new(0),
            thinner: Mutex::default(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Frames thrown away because this output could not keep up.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes a frame, or leaves it. `true` when it needs a key frame: it was behind and has room again.
    fn video(&self, frame: &Encoded) -> bool {
        if self.waiting_for_key.load(Ordering::Acquire) && !frame.key {
            if !self.behind.load(Ordering::Relaxed) {
                return false;
            }
            self.dropped.fetch_add(1, Ordering::Relaxed);
            // Asking while it is still full would bring key frames that find no place; asking twice, a
            // second one.
            let room = self.video.waiting() <= self.most_waiting / 2;
            return room && !self.asked.swap(true, Ordering::Relaxed);
        }
        self.waiting_for_key.store(false, Ordering::Release);
        self.asked.store(false, Ordering::Relaxed);
        if !self.takes(frame) {
            return false;
        }
        let full = self.video.waiting() >= self.most_waiting;
        self.waiting_for_key.store(full, Ordering::Release);
        self.behind.store(full, Ordering::Relaxed);
        if full {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            self.video.push(frame);
        }
        false
    }

    /// Lets the picture pass or not, and no more of it than that; `None` for all of it.
    pub fn limit(&self, picture: bool, most: Option<Kbps>) {
        lock(&self.thinner).limit(most);
        if !self.picture.swap(picture, Ordering::AcqRel) && picture {
            self.waiting_for_key.store(true, Ordering::Release);
        }
    }

    /// Frames that did not pass so far, because the path has no room for them.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
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
            self.left_out.fetch_add(1, Ordering::Relaxed);
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
    bytes: AtomicU64,
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
        // Whoever may wait for frames may wait for the first one.
        self.want_key(consumer.most_waiting <= MOST_WAITING);
    }

    /// Whether there is any output, open or not yet.
    pub fn is_wanted(&self) -> bool {
        !lock(&self.consumers).is_empty()
    }

    /// Whether any output is open.
    pub fn is_heard(&self) -> bool {
        lock(&self.consumers).iter().any(|c| c.open.load(Ordering::Acquire))
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

    /// Bytes of picture encoded so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Hands a frame to every open output.
    pub fn video(&self, frame: &Encoded) {
        self.counts.0.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(frame.buffer.size() as u64, Ordering::Relaxed);
        if frame.key {
            self.counts.1.fetch_add(1, Ordering::Relaxed);
        }
        // Cloned out of the lock: a push may wake a thread.
        let consumers = lock(&self.consumers).clone();
        for consumer in consumers.iter().filter(|c| c.open.load(Ordering::Acquire)) {
            if consumer.video(frame) {
                self.want_key(false);
            }
        }
    }

    /// Hands a packet of sound to every open output that takes this coding.
    pub fn sound(&self, coding: Sound, packet: &Encoded) {
        let consumers = lock(&self.consumers).clone();
        let open = |c: &&Arc<Consumer>| c.sound == coding && c.open.load(Ordering::Acquire);
        for consumer in consumers.iter().filter(open) {
            if consumer.audio.waiting() < consumer.most_waiting * 4 {
                consumer.audio.push(packet);
            }
        }
    }

    /// Whether any output, open or not yet, takes this coding.
    pub fn wants(&self, coding: Sound) -> bool {
        lock(&self.consumers).iter().any(|c| c.sound == coding)
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

    /// Takes nothing out by itself.
    #[derive(Default)]
    struct Heap(AtomicU64);

    impl Inlet for Arc<Heap> {
        fn waiting(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        fn push(&self, _: &Encoded) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn consumer(fanout: &Fanout, sound: Sound) -> (Arc<Consumer>, Arc<Heap>, Arc<Heap>) {
        let (video, audio) = (Arc::new(Heap::default()), Arc::new(Heap::default()));
        let (v, a) = (Arc::clone(&video), Arc::clone(&audio));
        let consumer = Arc::new(Consumer::patient(v, a, sound, MOST_WAITING));
        fanout.join(Arc::clone(&consumer));
        (consumer, video, audio)
    }

    fn frame(key: bool) -> Encoded {
        Encoded { key, ..Encoded::sound(gst::Buffer::new()) }
    }

    #[test]
    fn a_stalled_output_loses_frames_and_asks_for_one_key_frame_when_it_has_room_again() {
        gst::init().unwrap();
        let fanout = Fanout::default();
        let (stalled, heap, _) = consumer(&fanout, Sound::Opus);
        let (_shut, shut_heap, _) = consumer(&fanout, Sound::Opus);
        fanout.open(&stalled);
        assert!(fanout.key_due(0), "it has just come");
        (0..40).for_each(|n| fanout.video(&frame(n % 30 == 0)));
        // Nobody takes frames out: the queue stays bounded, and the healthy outputs are spared key frames
        // that would find no place.
        assert_eq!((heap.waiting(), stalled.dropped()), (MOST_WAITING, 28));
        assert!(!fanout.key_due(1_000_000_000));
        heap.0.store(MOST_WAITING / 2, Ordering::Relaxed);
        fanout.video(&frame(false));
        assert!(fanout.key_due(1_000_000_000), "there is room again");
        fanout.video(&frame(true));
        fanout.video(&frame(false));
        assert_eq!((heap.waiting(), stalled.dropped()), (MOST_WAITING / 2 + 2, 29));
        assert!(!fanout.key_due(2_000_000_000));
        assert_eq!(shut_heap.waiting(), 0);
        fanout.leave(&stalled);
        assert_eq!(Arc::strong_count(&stalled), 1);
    }

    #[test]
    fn sound_goes_to_those_who_take_its_coding() {
        gst::init().unwrap();
        let fanout = Fanout::default();
        let (opus, _, opus_heap) = consumer(&fanout, Sound::Opus);
        assert!(!fanout.wants(Sound::Aac));
        let (aac, _, aac_heap) = consumer(&fanout, Sound::Aac);
        assert!(fanout.wants(Sound::Aac), "it is made before the output is open");
        fanout.open(&opus);
        fanout.open(&aac);
        fanout.sound(Sound::Aac, &frame(true));
        fanout.sound(Sound::Opus, &frame(true));
        fanout.sound(Sound::Opus, &frame(true));
        assert_eq!((opus_heap.waiting(), aac_heap.waiting()), (2, 1));
        fanout.leave(&aac);
        assert!(!fanout.wants(Sound::Aac));
    }
}
