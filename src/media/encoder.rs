//! The shared encoders: the picture once, the sound once, however many outputs there are. Hardware when it is
//! there and really encodes, else x264, else OpenH264. Each frame leaves with its capture stamp.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use gst::prelude::*;

use super::{
    MediaError,
    clock::MediaClock,
    compose::{Scaler, canvas_info},
    fanout::{Encoded, Sound},
    feed::lock,
    mixer::{CHANNELS, RATE},
    pipeline::{self, Need},
    rendition::{Rendition, Renditions},
};
use crate::{
    base::{Canvas, Kbps},
    show::{Profile, VideoCodec},
    stats::{Origin, Stamp},
};

/// How many raw frames may wait for the encoder; more are dropped, and counted.
const MOST_WAITING: u64 = 2;

/// A kind of encoder and how it is told what we want.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The element's name.
    pub element: &'static str,
    /// Whether hardware does it.
    pub hardware: bool,
    codec: VideoCodec,
    /// Its properties for live use: no B-frames, no look-ahead.
    live: &'static [(&'static str, &'static str)],
    /// The property for the bitrate, and how many of its units make one kbit/s.
    rate: (&'static str, u32),
    /// The property for the distance between key frames, in frames.
    key_distance: &'static str,
}

const fn hardware(
    element: &'static str,
    live: &'static [(&'static str, &'static str)],
    rate: (&'static str, u32),
    key_distance: &'static str,
) -> Kind {
    Kind { element, hardware: true, codec: VideoCodec::H264, live, rate, key_distance }
}

/// Every encoder hawker knows, best first.
pub const KINDS: &[Kind] = &[
    hardware(
        "nvh264enc",
        &[
            ("preset", "low-latency-hq"),
            ("zerolatency", "true"),
            ("bframes", "0"),
            ("rc-mode", "cbr"),
        ],
        ("bitrate", 1),
        "gop-size",
    ),
    hardware(
        "vah264lpenc",
        &[("b-frames", "0"), ("rate-control", "cbr")],
        ("bitrate", 1),
        "key-int-max",
    ),
    hardware(
        "vah264enc",
        &[("b-frames", "0"), ("rate-control", "cbr")],
        ("bitrate", 1),
        "key-int-max",
    ),
    hardware(
        "qsvh264enc",
        &[("b-frames", "0"), ("low-latency", "true"), ("rate-control", "cbr")],
        ("bitrate", 1),
        "gop-size",
    ),
    hardware(
        "vtenc_h264_hw",
        &[("realtime", "true"), ("allow-frame-reordering", "false")],
        ("bitrate", 1),
        "max-keyframe-interval",
    ),
    hardware(
        "mfh264enc",
        &[("low-latency", "true"), ("bframes", "0"), ("rc-mode", "cbr")],
        ("bitrate", 1),
        "gop-size",
    ),
    Kind {
        element: "x264enc",
        hardware: false,
        codec: VideoCodec::H264,
        live: &[
            ("tune", "zerolatency"),
            ("bframes", "0"),
            ("byte-stream", "true"),
            ("aud", "false"),
            ("vbv-buf-capacity", "200"),
            // A cut of scenes is no reason for a key frame: its burst would delay what follows.
            ("option-string", "scenecut=0"),
        ],
        rate: ("bitrate", 1),
        key_distance: "key-int-max",
    },
    Kind {
        element: "openh264enc",
        hardware: false,
        codec: VideoCodec::H264,
        live: &[("usage-type", "camera"), ("rate-control", "bitrate"), ("complexity", "low")],
        rate: ("bitrate", 1000),
        key_distance: "gop-size",
    },
    Kind {
        element: "vp8enc",
        hardware: false,
        codec: VideoCodec::Vp8,
        live: &[
            ("deadline", "1"),
            ("cpu-used", "8"),
            ("end-usage", "cbr"),
            ("error-resilient", "default"),
            ("lag-in-frames", "0"),
            ("threads", "2"),
            ("keyframe-mode", "auto"),
        ],
        rate: ("target-bitrate", 1000),
        key_distance: "keyframe-max-dist",
    },
];

/// Sets a property by its text; an element that does not know the value is an error, not a panic.
fn set(element: &gst::Element, name: &str, value: &str) -> Result<(), gst::glib::BoolError> {
    let unknown = || gst::glib::bool_error!("{name}={value} is not known to {}", element.name());
    let pspec = element.find_property(name).ok_or_else(unknown)?;
    let value = gst::glib::Value::deserialize_with_pspec(value, &pspec).map_err(|_| unknown())?;
    element.set_property_from_value(name, &value);
    Ok(())
}

impl Kind {
    fn make(
        &self,
        profile: &Profile,
        preset: &str,
        canvas: Canvas,
        rate: Kbps,
    ) -> Result<gst::Element, gst::glib::BoolError> {
        let element = gst::ElementFactory::make(self.element).build()?;
        let settable = |name: &str| element.find_property(name).is_some();
        for (name, value) in self.live.iter().filter(|(name, _)| settable(name)) {
            set(&element, name, value)?;
        }
        if self.has_presets() {
            set(&element, "speed-preset", preset)?;
        }
        if settable(self.key_distance) {
            let frames = canvas.frames_in(profile.keyframe_ms);
            set(&element, self.key_distance, &frames.to_string())?;
        }
        self.set_rate(&element, rate);
        Ok(element)
    }

    /// Whether it knows x264's presets.
    pub fn has_presets(&self) -> bool {
        self.element == "x264enc"
    }

    fn set_rate(&self, element: &gst::Element, rate: Kbps) {
        let (name, units) = self.rate;
        // A rate beyond what the element takes leaves it at the last one.
        if element.find_property(name).is_some()
            && let Err(e) = set(element, name, &(rate.0.max(1) * units).to_string())
        {
            tracing::warn!(encoder = self.element, "{e}");
        }
    }

    fn caps(&self, canvas: Canvas) -> gst::Caps {
        match self.codec {
            VideoCodec::H264 => gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .field("profile", "constrained-baseline")
                .field("level", level(canvas))
                .build(),
            VideoCodec::Vp8 => gst::Caps::new_empty_simple("video/x-vp8"),
        }
    }
}

/// The least H.264 level that carries the picture (ITU-T H.264 table A-1, by macroblocks per second).
pub fn level(canvas: Canvas) -> &'static str {
    let blocks = canvas.width.div_ceil(16) * canvas.height.div_ceil(16);
    let rate = blocks * canvas.fps;
    match (blocks, rate) {
        (..=3600, ..=108_000) => "3.1",
        (..=5120, ..=216_000) => "3.2",
        (..=8192, ..=245_760) => "4",
        (..=8704, ..=522_240) => "4.2",
        _ => "5.1",
    }
}

/// Finds an encoder that really encodes: each is tried on five frames before it is trusted with a show.
pub fn choose(profile: &Profile) -> Result<Kind, MediaError> {
    choose_but(profile, None)
}

/// The same, but not `never`, which has just broken.
pub fn choose_but(profile: &Profile, never: Option<&str>) -> Result<Kind, MediaError> {
    let mut tried = Vec::new();
    let of_codec = KINDS.iter().filter(|k| k.codec == profile.codec);
    for kind in of_codec.filter(|k| never != Some(k.element)) {
        if gst::ElementFactory::find(kind.element).is_none() {
            continue;
        }
        match kind.try_out(profile) {
            Ok(()) => return Ok(*kind),
            Err(why) => {
                tracing::warn!(encoder = kind.element, "does not encode: {why}");
                tried.push(format!("{} ({why})", kind.element));
            }
        }
    }
    let seen = if tried.is_empty() { "none is installed".into() } else { tried.join(", ") };
    Err(MediaError::lasting(format!(
        "no encoder for this show's codec works: {seen}. Install gstreamer1.0-plugins-ugly (x264enc) \
         and see 'hawker doctor'"
    )))
}

impl Kind {
    /// Encodes five frames within three seconds, or says why not.
    pub fn try_out(&self, profile: &Profile) -> Result<(), String> {
        let (pipeline, _claim) =
            pipeline::make("trial", Need::Outside).map_err(|e| e.to_string())?;
        let canvas = profile.canvas;
        let make = |name: &str| gst::ElementFactory::make(name).build().map_err(|e| e.to_string());
        let source = make("videotestsrc")?;
        source.set_property("num-buffers", 5_i32);
        let filter = make("capsfilter")?;
        let raw = canvas_info(canvas)
            .and_then(|i| i.to_caps().map_err(|e| MediaError::lasting(e.to_string())));
        filter.set_property("caps", raw.map_err(|e| e.to_string())?);
        let convert = make("videoconvert")?;
        let encoder = self
            .make(profile, &profile.effort, canvas, profile.start_kbps)
            .map_err(|e| e.to_string())?;
        let sink = gst_app::AppSink::builder().caps(&self.caps(canvas)).sync(false).build();
        let chain = [&source, &filter, &convert, &encoder, sink.upcast_ref()];
        pipeline.add_many(chain).map_err(|e| e.to_string())?;
        gst::Element::link_many(chain).map_err(|e| e.to_string())?;
        let run = || {
            pipeline.set_state(gst::State::Playing).map_err(|e| e.to_string())?;
            match sink.try_pull_sample(gst::ClockTime::from_seconds(3)) {
                Some(_) => Ok(()),
                None => Err("nothing came out".to_owned()),
            }
        };
        let result = run();
        let _ = pipeline.set_state(gst::State::Null);
        result
    }
}

/// When a raw frame was what, running time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The time it carries.
    pub pts_ns: u64,
    /// When its main layer was captured.
    pub captured_ns: u64,
    /// When a tick took it.
    pub taken_ns: u64,
    /// When it was drawn.
    pub drawn_ns: u64,
}

/// What is known of a raw frame while the encoder has it.
#[derive(Clone, Copy)]
struct Pending {
    times: Times,
    number: u64,
}

struct Shared {
    rendition: Arc<Rendition>,
    clock: MediaClock,
    origin: Origin,
    stamps: bool,
    pending: Mutex<VecDeque<Pending>>,
}

/// Whether a pipeline still works, as its bus has it.
#[derive(Default)]
pub(super) struct Health {
    broken: AtomicBool,
    reason: Mutex<String>,
}

impl Health {
    pub(super) fn watch(pipeline: &gst::Pipeline) -> Arc<Self> {
        let health = Arc::new(Self::default());
        let told = Arc::clone(&health);
        if let Some(bus) = pipeline.bus() {
            bus.set_sync_handler(move |_, message| {
                if let gst::MessageView::Error(error) = message.view() {
                    *lock(&told.reason) = error.error().to_string();
                    told.broken.store(true, Ordering::Release);
                }
                gst::BusSyncReply::Drop
            });
        }
        health
    }

    pub(super) fn broken(&self) -> Option<String> {
        self.broken.load(Ordering::Acquire).then(|| lock(&self.reason).clone())
    }
}

/// What is to be encoded, and by what.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The kind of encoder.
    pub kind: Kind,
    /// How much work it puts into the picture: an x264 preset.
    pub preset: &'a str,
    /// The program's picture.
    pub from: Canvas,
    /// The picture to be encoded, which may be smaller.
    pub canvas: Canvas,
    /// Its bitrate: the first frame is a key frame, and must fit it too.
    pub rate: Kbps,
    /// The number of the first frame.
    pub first: u64,
}

/// The running picture encoder.
pub struct VideoEncoder {
    kind: Kind,
    /// Where the program's picture is larger than what is encoded.
    scaler: Option<Scaler>,
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    encoder: gst::Element,
    shared: Arc<Shared>,
    health: Arc<Health>,
    next: AtomicU64,
}

impl VideoEncoder {
    /// Starts an encoder; what comes out goes to the outputs of `rendition`. `origin` is in its stamps.
    pub fn start(
        wanted: Wanted<'_>,
        rendition: &Arc<Rendition>,
        clock: &MediaClock,
        origin: Origin,
    ) -> Result<Self, MediaError> {
        let profile = &rendition.profile;
        let Wanted { kind, preset, from, canvas, rate, first } = wanted;
        let setup = |e: gst::glib::BoolError| MediaError::lasting(format!("{}: {e}", kind.element));
        let scaler = Scaler::between(from, canvas)?;
        let raw = canvas_info(canvas)?.to_caps().map_err(setup)?;
        let (pipeline, _claim) = pipeline::make("picture-encoder", Need::Outside)?;
        let source = gst_app::AppSrc::builder()
            // Its thread is called so too, and those that the encoder starts.
            .name("picture")
            .caps(&raw)
            .format(gst::Format::Time)
            .is_live(true)
            .block(false)
            .build();
        let encoder = kind.make(profile, preset, canvas, rate).map_err(setup)?;
        let shared = Arc::new(Shared {
            rendition: Arc::clone(rendition),
            clock: clock.clone(),
            origin,
            stamps: profile.codec == VideoCodec::H264,
            pending: Mutex::new(VecDeque::new()),
        });
        let callback = Arc::clone(&shared);
        let sink = gst_app::AppSink::builder()
            .caps(&kind.caps(canvas))
            .sync(false)
            .async_(false)
            .callbacks(
                gst_app::AppSinkCallbacks::builder()
                    .new_sample(move |sink| {
                        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                        callback.encoded(&sample);
                        Ok(gst::FlowSuccess::Ok)
                    })
                    .build(),
            )
            .build();
        let mut chain = vec![source.clone().upcast::<gst::Element>()];
        if kind.hardware {
            // Hardware takes NV12 or its own memory, seldom I420.
            chain.push(gst::ElementFactory::make("videoconvert").build().map_err(setup)?);
        }
        chain.push(encoder.clone());
        chain.push(sink.upcast());
        pipeline.add_many(&chain).map_err(setup)?;
        gst::Element::link_many(&chain).map_err(setup)?;
        let health = Health::watch(&pipeline);
        clock.adopt(&pipeline);
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|e| MediaError::lasting(format!("{} does not start: {e}", kind.element)))?;
        let next = AtomicU64::new(first);
        Ok(Self { kind, scaler, pipeline, source, encoder, shared, health, next })
    }

    /// Encodes a frame. `false` if it was dropped because the encoder is behind.
    pub fn push(&mut self, mut buffer: gst::Buffer, times: Times) -> bool {
        if self.source.current_level_buffers() >= MOST_WAITING {
            return false;
        }
        if let Some(scaler) = &mut self.scaler {
            match scaler.scale(buffer) {
                Ok(scaled) => buffer = scaled,
                Err(e) => {
                    tracing::warn!("a frame could not be scaled: {e}");
                    return false;
                }
            }
        }
        let now_ns = self.shared.clock.now().nseconds();
        if self.shared.rendition.fanout.key_due(now_ns) {
            let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
            self.encoder.send_event(event);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut pending = lock(&self.shared.pending);
            pending.push_back(Pending { times, number });
            if pending.len() > 64 {
                pending.pop_front();
            }
            self.shared.has_in_hand(&pending);
        }
        // The input may still show this very buffer: only the times are ours.
        let own = buffer.make_mut();
        own.set_pts(gst::ClockTime::from_nseconds(times.pts_ns));
        own.set_dts(gst::ClockTime::NONE);
        own.set_duration(gst::ClockTime::NONE);
        self.source.push_buffer(buffer).is_ok()
    }

    /// The number that the next frame will carry.
    pub fn next_number(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Whether everything it was given has come out.
    pub fn is_idle(&self) -> bool {
        lock(&self.shared.pending).is_empty()
    }

    /// The encoder's name.
    pub const fn name(&self) -> &'static str {
        self.kind.element
    }

    /// Asks for that bitrate from the next frame on.
    pub fn set_rate(&self, rate: Kbps) {
        self.kind.set_rate(&self.encoder, rate);
    }

    /// Why it broke, if it broke.
    pub fn broken(&self) -> Option<String> {
        self.health.broken()
    }
}

impl Drop for VideoEncoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Shared {
    fn has_in_hand(&self, pending: &VecDeque<Pending>) {
        self.rendition.strain.in_hand.store(pending.len() as u32, Ordering::Relaxed);
    }

    fn encoded(&self, sample: &gst::Sample) {
        let Some(buffer) = sample.buffer_owned() else { return };
        // x264enc counts its times from 1000 h: only running time means anything here.
        let running = sample
            .segment()
            .and_then(|s| s.downcast_ref::<gst::ClockTime>())
            .and_then(|s| s.to_running_time(buffer.pts()));
        let pending = {
            let mut pending = lock(&self.pending);
            let pts_ns = running.map(gst::ClockTime::nseconds);
            let older = |p: &Pending| pts_ns.is_some_and(|pts| p.times.pts_ns + 1_000_000 < pts);
            while pending.len() > 1 && older(&pending[0]) {
                pending.pop_front();
            }
            let first = pending.pop_front();
            self.has_in_hand(&pending);
            first
        };
        let Some(pending) = pending else { return };
        let Times { pts_ns, captured_ns, taken_ns, drawn_ns } = pending.times;
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let mut buffer = if self.stamps { self.stamped(&buffer, pending) } else { buffer };
        {
            let own = buffer.make_mut();
            own.set_pts(gst::ClockTime::from_nseconds(pts_ns));
            own.set_dts(gst::ClockTime::from_nseconds(pts_ns));
            if !key {
                own.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        let encoded_ns = self.clock.now().nseconds();
        let number = pending.number;
        let Rendition { trail, fanout, strain, .. } = &*self.rendition;
        strain.took_ns.store(encoded_ns.saturating_sub(drawn_ns), Ordering::Relaxed);
        strain.took_of.store(number, Ordering::Relaxed);
        trail.begin(number, pts_ns, [captured_ns, taken_ns, drawn_ns, encoded_ns]);
        fanout.video(&Encoded { buffer, key, number, encoded_ns });
    }

    fn stamped(&self, buffer: &gst::Buffer, pending: Pending) -> gst::Buffer {
        let Ok(map) = buffer.map_readable() else { return buffer.clone() };
        let captured = gst::ClockTime::from_nseconds(pending.times.captured_ns);
        let mono_ns = self.clock.monotonic_ns(captured);
        let age_ns = self.clock.now().nseconds().saturating_sub(pending.times.captured_ns);
        let stamp = Stamp {
            boot_id: self.origin.boot_id,
            mono_ns,
            wall_ns: super::clock::wall_ns().saturating_sub(age_ns),
            frame: pending.number,
            show: Some(self.origin.show),
        };
        gst::Buffer::from_mut_slice(stamp.insert_into_annex_b(&map))
    }
}

/// The running sound encoder: Opus with in-band FEC, a packet for two blocks of the mixer: twenty milliseconds.
/// Ten would bring sound 10 ms sooner, but cost every output 1 % of a core more, and half of the bytes that a
/// narrow link has for sound would be headers.
pub struct AudioEncoder {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    encoder: gst::Element,
    protected: AtomicU32,
    health: Arc<Health>,
}

impl AudioEncoder {
    /// Starts it; packets go to the outputs of all `renditions`.
    pub fn start(
        rate: Kbps,
        clock: &MediaClock,
        renditions: &Arc<Renditions>,
    ) -> Result<Self, MediaError> {
        let setup = |e: gst::glib::BoolError| MediaError::lasting(format!("opusenc: {e}"));
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("layout", "interleaved")
            .field("rate", RATE as i32)
            .field("channels", CHANNELS as i32)
            .field("channel-mask", gst::Bitmask::new(3))
            .build();
        let (pipeline, _claim) = pipeline::make("sound-encoder", Need::Plain)?;
        let source = gst_app::AppSrc::builder()
            .name("sound")
            .caps(&caps)
            .format(gst::Format::Time)
            .is_live(true)
            .block(false)
            .build();
        let encoder = gst::ElementFactory::make("opusenc")
            .property("bitrate", rate.bits_per_second() as i32)
            .property("inband-fec", true)
            .property("perfect-timestamp", false)
            .property_from_str("frame-size", "20")
            .build()
            .map_err(setup)?;
        let renditions = Arc::clone(renditions);
        let sink = gst_app::AppSink::builder()
            .sync(false)
            .async_(false)
            .callbacks(
                gst_app::AppSinkCallbacks::builder()
                    .new_sample(move |sink| {
                        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                        if let Some(buffer) = sample.buffer_owned() {
                            renditions.sound(Sound::Opus, &Encoded::sound(buffer));
                        }
                        Ok(gst::FlowSuccess::Ok)
                    })
                    .build(),
            )
            .build();
        let chain = [source.upcast_ref(), &encoder, sink.upcast_ref()];
        pipeline.add_many(chain).map_err(setup)?;
        gst::Element::link_many(chain).map_err(setup)?;
        let health = Health::watch(&pipeline);
        clock.adopt(&pipeline);
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|e| MediaError::lasting(format!("opusenc does not start: {e}")))?;
        Ok(Self { pipeline, source, encoder, protected: AtomicU32::new(0), health })
    }

    /// Why it broke, if it broke.
    pub fn broken(&self) -> Option<String> {
        self.health.broken()
    }

    /// Prepares for that share of packets to be lost: the more, the more of each packet repeats the one before.
    pub fn protect(&self, lost: f64) {
        // In steps: every change makes the encoder think anew.
        let percent = ((lost * 100.0 / 5.0).ceil() as u32 * 5).min(30);
        if self.protected.swap(percent, Ordering::Relaxed) != percent {
            self.encoder.set_property("packet-loss-percentage", percent as i32);
        }
    }

    /// Encodes interleaved stereo whose first frame belongs at `pts_ns`. Beyond a second of backlog sound is
    /// dropped rather than piled up.
    pub fn push(&self, samples: &[f32], pts_ns: u64) {
        if self.source.current_level_buffers() > 100 {
            return;
        }
        let bytes: Vec<u8> = samples
            .iter()
            .flat_map(|s| ((s * 32_767.0).clamp(-32_768.0, 32_767.0).round() as i16).to_le_bytes())
            .collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(own) = buffer.get_mut() {
            own.set_pts(gst::ClockTime::from_nseconds(pts_ns));
            let frames = (samples.len() / CHANNELS) as u64;
            own.set_duration(gst::ClockTime::from_nseconds(
                frames * Duration::from_secs(1).as_nanos() as u64 / u64::from(RATE),
            ));
        }
        let _ = self.source.push_buffer(buffer);
    }
}

impl Drop for AudioEncoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
