//! Plays a stream for a face, frame by frame as it comes: small pictures of it, and its sound. Decodes only what
//! somebody looks at or listens to, in threads of its own; who hands frames in never waits.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bytes::Bytes;
use gst::prelude::*;
use tokio::sync::watch;

use super::{
    MediaError,
    error::element,
    feed::lock,
    pipeline::{self, Need},
    shrink::{Shrinker, within},
};
use crate::{show::VideoCodec, stats::Picture};

/// Frames, or packets of sound, that may wait; those beyond are lost.
const MOST_WAITING: usize = 64;
/// Frames that may wait for the decoder. Beyond that it is too slow: the next key frame is waited for.
const MOST_UNDECODED: u64 = 30;
/// Packets of sound that may wait for where it is played: a second. Then the oldest are lost.
const MOST_UNHEARD: u64 = 50;
/// Between two pictures, at least.
const EVERY: Duration = Duration::from_millis(60);
/// What broke is tried again after so long.
const RETRY: Duration = Duration::from_secs(3);
/// Packets of sound wait so long before they are heard, so that one that is late is in time.
const SOUND_DELAY: gst::ClockTime = gst::ClockTime::from_mseconds(80);
/// Plays to whatever sound server there is.
const SINK: &str = "autoaudiosink";
/// How long a sound server that hangs may hold up an end.
const PATIENCE: Duration = Duration::from_millis(500);

/// Something to be played.
#[derive(Debug)]
enum Item {
    Frame {
        codec: VideoCodec,
        key: bool,
        after_gap: bool,
        data: Bytes,
    },
    Sound(Bytes),
    /// What is wanted has changed.
    Wake,
}

/// What is wanted, and what is known of it.
#[derive(Debug, Default)]
struct Wanted {
    /// The size of its pictures.
    picture: Option<(u16, u16)>,
    sound: bool,
    end: bool,
}

/// What keeps it from being seen or heard, in words; `None` where nothing does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trouble {
    /// The picture.
    pub picture: Option<String>,
    /// The sound.
    pub sound: Option<String>,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    wanted: Mutex<Wanted>,
    wants_key: AtomicBool,
    show: watch::Sender<Option<Arc<Picture>>>,
    trouble: watch::Sender<Trouble>,
}

/// Plays one stream. Nothing is decoded before it is asked to. Picture and sound each have a thread: a sound server
/// that hangs holds up no picture.
#[derive(Debug)]
pub struct Player {
    shared: Arc<Shared>,
    frames: SyncSender<Item>,
    /// A frame found no room: the next one says so, in its turn.
    gap: AtomicBool,
    sounds: SyncSender<Item>,
    seeing: Option<JoinHandle<()>>,
    /// Says when the sound's thread is over.
    heard_out: Mutex<Receiver<()>>,
}

impl Player {
    /// Starts its threads; GStreamer must have been started.
    pub fn start() -> Result<Self, MediaError> {
        let shared = Arc::new(Shared {
            wanted: Mutex::default(),
            wants_key: AtomicBool::new(false),
            show: watch::channel(None).0,
            trouble: watch::channel(Trouble::default()).0,
        });
        let no_thread = |e| MediaError::lasting(format!("no thread for the player: {e}"));
        let named = |name: &str| std::thread::Builder::new().name(name.into());
        let (frames, taken) = sync_channel(MOST_WAITING);
        let see =
            Seeing { shared: Arc::clone(&shared), size: Arc::default(), seen: Kept::default() };
        let seeing = named("player").spawn(move || see.run(&taken)).map_err(no_thread)?;
        let (sounds, taken) = sync_channel(MOST_WAITING);
        let (over, heard_out) = sync_channel(1);
        let hear = Hearing { shared: Arc::clone(&shared), heard: Kept::default() };
        let hearing = named("player-sound").spawn(move || {
            hear.run(&taken);
            let _ = over.send(());
        });
        hearing.map_err(no_thread)?;
        Ok(Self {
            shared,
            frames,
            gap: AtomicBool::new(false),
            sounds,
            seeing: Some(seeing),
            heard_out: Mutex::new(heard_out),
        })
    }

    /// Pictures of that size, in pixels, from the next frame that can be decoded; `None` for none.
    pub fn look(&self, size: Option<(u16, u16)>) {
        self.want(|wanted| wanted.picture = size.map(within));
    }

    /// Whether its sound is to be heard.
    pub fn listen(&self, on: bool) {
        self.want(|wanted| wanted.sound = on);
    }

    fn want(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut lock(&self.shared.wanted));
        // Where a queue is full there is something to wake it.
        let _ = self.frames.try_send(Item::Wake);
        let _ = self.sounds.try_send(Item::Wake);
    }

    /// One frame: H.264 as Annex B, or VP8; `after_gap` when those before it did not come. Lost where the player is
    /// behind.
    pub fn frame(&self, codec: VideoCodec, key: bool, after_gap: bool, data: Bytes) {
        let after_gap = self.gap.swap(false, Ordering::Relaxed) || after_gap;
        if self.frames.try_send(Item::Frame { codec, key, after_gap, data }).is_err() {
            self.gap.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it can show nothing without a key frame. Says so until one comes.
    pub fn wants_key(&self) -> bool {
        self.shared.wants_key.load(Ordering::Acquire)
    }

    /// One packet of Opus. Lost where the player is behind.
    pub fn sound(&self, data: Bytes) {
        let _ = self.sounds.try_send(Item::Sound(data));
    }

    /// The newest picture; `None` while there is none to look at.
    pub fn picture(&self) -> watch::Receiver<Option<Arc<Picture>>> {
        self.shared.show.subscribe()
    }

    /// What is in the way.
    pub fn trouble(&self) -> watch::Receiver<Trouble> {
        self.shared.trouble.subscribe()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.want(|wanted| wanted.end = true);
        if let Some(thread) = self.seeing.take() {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
        let _ = lock(&self.heard_out).recv_timeout(PATIENCE);
    }
}

/// A pipeline that is fed from here.
struct Line {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    broken: Arc<Mutex<Option<MediaError>>>,
}

impl Line {
    fn start(source: gst_app::AppSrc, rest: &[gst::Element]) -> Result<Self, MediaError> {
        let setup = |e: gst::glib::BoolError| MediaError::lasting(format!("playing: {e}"));
        let (pipeline, _claim) = pipeline::make("player", Need::Outside)?;
        let mut all: Vec<&gst::Element> = vec![source.upcast_ref()];
        all.extend(rest);
        pipeline.add_many(&all).map_err(setup)?;
        gst::Element::link_many(&all).map_err(setup)?;
        let broken = Arc::<Mutex<Option<MediaError>>>::default();
        if let Some(bus) = pipeline.bus() {
            let broken = Arc::clone(&broken);
            bus.set_sync_handler(move |_, message| {
                let reason = match message.view() {
                    gst::MessageView::Error(error) => Some(error.error().to_string()),
                    // A sink that finds nowhere to play to warns, and swallows everything.
                    gst::MessageView::Warning(warning) if of_sink(message) => {
                        Some(format!("nothing here plays sound: {}", warning.error()))
                    }
                    _ => None,
                };
                if let Some(reason) = reason {
                    lock(&broken).get_or_insert(MediaError::passing(reason));
                }
                gst::BusSyncReply::Drop
            });
        }
        // From here on it is taken down when it is dropped.
        let line = Self { pipeline, source, broken };
        let started = line.pipeline.set_state(gst::State::Playing);
        let refused = || MediaError::passing("it does not start");
        started.map_err(|_| lock(&line.broken).take().unwrap_or_else(refused))?;
        Ok(line)
    }

    /// Hands something in, or says why the line is broken.
    fn push(&self, data: Bytes) -> Result<(), MediaError> {
        if let Some(error) = lock(&self.broken).take() {
            return Err(error);
        }
        let pushed = self.source.push_buffer(gst::Buffer::from_slice(data));
        pushed.map(|_| ()).map_err(|e| MediaError::passing(format!("it takes nothing: {e}")))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
    }
}

/// Whether the sound's sink says that.
fn of_sink(message: &gst::Message) -> bool {
    let factory = message.src().and_then(|src| src.downcast_ref::<gst::Element>()?.factory());
    factory.is_some_and(|factory| factory.name() == SINK)
}

fn source(name: &str, caps: &gst::Caps) -> gst_app::AppSrc {
    gst_app::AppSrc::builder()
        // Its thread is called so, too.
        .name(name)
        .caps(caps)
        .format(gst::Format::Time)
        .is_live(true)
        .do_timestamp(true)
        .block(false)
        .build()
}

/// The picture's line.
struct Seen {
    codec: VideoCodec,
    line: Line,
    /// Nothing before it can be decoded.
    wants_key: bool,
}

impl Seen {
    fn start(
        codec: VideoCodec,
        size: &Arc<Mutex<(u16, u16)>>,
        show: &watch::Sender<Option<Arc<Picture>>>,
    ) -> Result<Self, MediaError> {
        let caps = match codec {
            VideoCodec::H264 => gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .build(),
            VideoCodec::Vp8 => gst::Caps::builder("video/x-vp8").build(),
        };
        let mut rest = Vec::new();
        match codec {
            VideoCodec::H264 => {
                rest.push(element("h264parse")?);
                let decoder = element("avdec_h264")
                    .or_else(|missing| element("openh264dec").map_err(|_| missing))?;
                // Threads by frame would each hold one back.
                if decoder.has_property("max-threads") {
                    decoder.set_property("max-threads", 1_i32);
                }
                rest.push(decoder);
            }
            VideoCodec::Vp8 => rest.push(element("vp8dec")?),
        }
        rest.push(sink(Arc::clone(size), show.clone()).upcast());
        let line = Line::start(source("picture-seen", &caps), &rest)?;
        Ok(Self { codec, line, wants_key: true })
    }

    fn push(&mut self, key: bool, data: Bytes) -> Result<(), MediaError> {
        let behind = self.line.source.current_level_buffers() > MOST_UNDECODED;
        self.wants_key |= behind;
        if behind || (self.wants_key && !key) {
            return Ok(());
        }
        self.wants_key = false;
        self.line.push(data)
    }
}

/// Makes small pictures of what comes out of the decoder.
fn sink(
    size: Arc<Mutex<(u16, u16)>>,
    show: watch::Sender<Option<Arc<Picture>>>,
) -> gst_app::AppSink {
    let (mut shrinker, mut shown) = (Shrinker::default(), None::<Instant>);
    gst_app::AppSink::builder()
        .caps(&gst::Caps::new_empty_simple("video/x-raw"))
        .sync(false)
        .max_buffers(1)
        .drop(true)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    if shown.is_some_and(|at| at.elapsed() < EVERY) {
                        return Ok(gst::FlowSuccess::Ok);
                    }
                    let info = sample.caps().and_then(|c| gst_video::VideoInfo::from_caps(c).ok());
                    let picture = info.zip(sample.buffer_owned()).and_then(|(info, buffer)| {
                        let size = *lock(&size);
                        shrinker.shrink(buffer, &info, size)
                    });
                    if let Some(picture) = picture {
                        shown = Some(Instant::now());
                        show.send_replace(Some(Arc::new(picture)));
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        )
        .build()
}

/// The sound's line: to where this machine plays sound.
fn heard() -> Result<Line, MediaError> {
    let caps = gst::Caps::builder("audio/x-opus")
        .field("channel-mapping-family", 0_i32)
        .field("channels", 2_i32)
        .field("rate", 48_000_i32)
        .build();
    let source = source("sound-heard", &caps);
    source.set_latency(Some(SOUND_DELAY), gst::ClockTime::NONE);
    // The oldest go first: what is heard late is worth less.
    source.set_max_bytes(0);
    source.set_max_buffers(MOST_UNHEARD);
    source.set_leaky_type(gst_app::AppLeakyType::Downstream);
    let rest = ["opusdec", "audioconvert", "audioresample", SINK];
    let rest = rest.into_iter().map(element).collect::<Result<Vec<_>, _>>()?;
    Line::start(source, &rest)
}

/// Something that breaks, and is tried again after a while.
struct Kept<T> {
    line: Option<T>,
    not_before: Option<Instant>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { line: None, not_before: None }
    }
}

impl<T> Kept<T> {
    /// What is there, or a new one where it is time for it. What is wrong is told.
    fn line(
        &mut self,
        make: impl FnOnce() -> Result<T, MediaError>,
        tell: impl FnOnce(Option<String>),
    ) -> Option<&mut T> {
        if self.line.is_none() {
            if self.not_before.is_some_and(|at| Instant::now() < at) {
                return None;
            }
            match make() {
                Ok(line) => {
                    self.line = Some(line);
                    tell(None);
                }
                Err(error) => self.failed(&error, tell),
            }
        }
        self.line.as_mut()
    }

    fn failed(&mut self, error: &MediaError, tell: impl FnOnce(Option<String>)) {
        *self = Self { line: None, not_before: Some(Instant::now() + RETRY) };
        tell(Some(error.to_string()));
    }
}

/// What the picture's thread holds.
struct Seeing {
    shared: Arc<Shared>,
    size: Arc<Mutex<(u16, u16)>>,
    seen: Kept<Seen>,
}

impl Seeing {
    fn run(mut self, items: &Receiver<Item>) {
        let mut looked = false;
        while let Ok(item) = items.recv() {
            let (wanted, end) = {
                let wanted = lock(&self.shared.wanted);
                (wanted.picture, wanted.end)
            };
            if end {
                break;
            }
            let looks = wanted.is_some();
            if let Some(size) = wanted {
                *lock(&self.size) = size;
            } else if looked {
                self.seen = Kept::default();
                self.shared.trouble.send_modify(|t| t.picture = None);
                // Whoever looks next must not be shown an old picture.
                self.shared.show.send_replace(None);
            }
            looked = looks;
            if let (Item::Frame { codec, key, after_gap, data }, true) = (item, looks) {
                if after_gap && let Some(seen) = &mut self.seen.line {
                    seen.wants_key = true;
                }
                self.frame(codec, key, data);
            }
            // Who cannot decode at all asks for nothing.
            let wants_key = looks && self.seen.line.as_ref().is_some_and(|seen| seen.wants_key);
            self.shared.wants_key.store(wants_key, Ordering::Release);
        }
    }

    fn frame(&mut self, codec: VideoCodec, key: bool, data: Bytes) {
        if self.seen.line.as_ref().is_some_and(|seen| seen.codec != codec) {
            self.seen = Kept::default();
        }
        let tell = |why| self.shared.trouble.send_modify(|t| t.picture = why);
        let (size, show) = (&self.size, &self.shared.show);
        let pushed = self
            .seen
            .line(|| Seen::start(codec, size, show), tell)
            .map_or(Ok(()), |seen| seen.push(key, data));
        if let Err(error) = pushed {
            self.seen.failed(&error, tell);
        }
    }
}

/// What the sound's thread holds.
struct Hearing {
    shared: Arc<Shared>,
    heard: Kept<Line>,
}

impl Hearing {
    fn run(mut self, items: &Receiver<Item>) {
        let mut listened = false;
        while let Ok(item) = items.recv() {
            let (listens, end) = {
                let wanted = lock(&self.shared.wanted);
                (wanted.sound, wanted.end)
            };
            if end {
                break;
            }
            if listens != listened {
                self.heard = Kept::default();
                self.shared.trouble.send_modify(|t| t.sound = None);
            }
            listened = listens;
            let (Item::Sound(data), true) = (item, listens) else { continue };
            let tell = |why| self.shared.trouble.send_modify(|t| t.sound = why);
            let pushed = self.heard.line(heard, tell).map_or(Ok(()), |line| line.push(data));
            if let Err(error) = pushed {
                self.heard.failed(&error, tell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<(bool, Bytes)> {
        super::super::init().unwrap();
        let make = "videotestsrc num-buffers=60 pattern=green ! video/x-raw,format=I420,width=320,height=180,framerate=30/1 \
                    ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 \
                    ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false";
        let pipeline = gst::parse::launch(make).unwrap().downcast::<gst::Pipeline>().unwrap();
        let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let frames = std::iter::from_fn(|| out.pull_sample().ok());
        let frames = frames.map(|sample| {
            let buffer = sample.buffer().unwrap();
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            (key, Bytes::copy_from_slice(&buffer.map_readable().unwrap()))
        });
        let frames = frames.collect();
        pipeline.set_state(gst::State::Null).unwrap();
        frames
    }

    /// Hands frames in as they would come until the player shows what is waited for.
    fn play_until(player: &Player, shows: impl Fn(Option<&Picture>) -> bool) {
        let picture = player.picture();
        for (key, data) in frames().iter().cycle().take(1200) {
            player.frame(VideoCodec::H264, *key, false, data.clone());
            if shows(picture.borrow().as_deref()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let trouble = player.trouble().borrow().clone();
        panic!("it never came: {trouble:?}");
    }

    #[test]
    fn a_stream_is_seen_in_the_size_that_is_asked_for_and_only_then() {
        let player = Player::start().unwrap();
        assert!(!player.wants_key(), "nobody looks");
        player.look(Some((40, 22)));
        play_until(&player, |p| {
            p.is_some_and(|p| (p.width, p.height) == (40, 22) && p.rgb[1] > 200 && p.rgb[0] < 60)
        });
        player.look(Some((64, 36)));
        play_until(&player, |p| p.is_some_and(|p| p.width == 64));
        player.look(None);
        play_until(&player, |p| p.is_none());
    }

    #[test]
    fn a_frame_that_is_lost_makes_it_wait_for_a_key_frame_and_say_so() {
        let player = Player::start().unwrap();
        player.look(Some((40, 22)));
        play_until(&player, |p| p.is_some());
        let all = frames();
        let (_, plain) = all.iter().find(|(key, _)| !key).unwrap();
        let (_, key) = all.iter().find(|(key, _)| *key).unwrap();
        // A machine that is busy may be behind by itself: time and again until it is not.
        let says = |key: bool, after_gap: bool, data: &Bytes, wants: bool| {
            (0..400).any(|_| {
                player.frame(VideoCodec::H264, key, after_gap, data.clone());
                std::thread::sleep(Duration::from_millis(10));
                player.wants_key() == wants
            })
        };
        assert!(says(true, false, key, false), "it plays");
        assert!(says(false, true, plain, true), "it goes on without what is lost");
        assert!(says(true, false, key, false), "it does not go on with a key frame");
    }

    #[test]
    fn what_is_no_picture_harms_nobody() {
        super::super::init().unwrap();
        let player = Player::start().unwrap();
        player.look(Some((40, 22)));
        for n in 0..40_u8 {
            player.frame(VideoCodec::H264, true, false, Bytes::from(vec![0, 0, 0, 1, n, 0xff, n]));
            player.sound(Bytes::from(vec![n; 9]));
        }
        play_until(&player, |p| p.is_some());
    }
}
