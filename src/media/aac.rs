//! The program's sound as AAC, beside the Opus that is always made: encoded once for all outputs that take it,
//! and only while one does.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError, sync_channel},
    },
    time::Duration,
};

use gst::prelude::*;

use super::{
    MediaError,
    clock::MediaClock,
    encoder::Health,
    fanout::{Encoded, Sound},
    mixer::{BLOCK_NS, CHANNELS, RATE},
    pipeline::{self, Need},
    rendition::Renditions,
};

/// In bit/s: what the platforms ask of stereo.
const BITRATE: i32 = 128_000;
/// How long a packet plays.
pub const PACKET: gst::ClockTime =
    gst::ClockTime::from_nseconds(1024 * 1_000_000_000 / RATE as u64);
/// AAC-LC, 48 kHz, stereo (ISO/IEC 14496-3, 1.6.2.1).
const CONFIG: [u8; 2] = [0x11, 0x90];
/// Blocks that may wait: a second.
const MOST_WAITING: u64 = 100;
/// Nobody has wanted it for so many blocks: it is not made any more. An output that reconnects finds it there.
const REST_BLOCKS: u32 = (Duration::from_secs(5).as_nanos() as u64 / BLOCK_NS) as u32;
/// Between two tries to make the encoder, in blocks.
const RETRY_BLOCKS: u32 = (Duration::from_secs(2).as_nanos() as u64 / BLOCK_NS) as u32;

/// The encoders, best first.
pub const ENCODERS: [&str; 2] = ["avenc_aac", "voaacenc"];
/// How much later than its time each one's sound is heard, in samples (measured). It is given so much earlier,
/// so that it is heard with its picture.
const PRIMING: [u64; 2] = [1024, 1600];
/// A packet of stereo silence: a channel pair in which nothing is coded.
const SILENCE: [u8; 6] = [0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c];

/// Whether this machine has an encoder. Without one an output that takes AAC would wait for its sound in vain.
///
/// # Errors
/// There is none; which to install.
pub fn available() -> Result<(), MediaError> {
    let found = ENCODERS.into_iter().any(|name| gst::ElementFactory::find(name).is_some());
    found.then_some(()).ok_or_else(|| MediaError::Missing { element: ENCODERS[0].into() })
}

/// A packet of silence for that time.
pub fn silence(at: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(SILENCE);
    if let Some(own) = buffer.get_mut() {
        own.set_pts(at);
        own.set_dts(at);
        own.set_duration(PACKET);
    }
    buffer
}

/// What an output that takes AAC is given.
pub fn caps() -> gst::Caps {
    gst::Caps::builder("audio/mpeg")
        .field("mpegversion", 4_i32)
        .field("stream-format", "raw")
        .field("framed", true)
        .field("profile", "lc")
        .field("rate", RATE as i32)
        .field("channels", CHANNELS as i32)
        .field("codec_data", gst::Buffer::from_slice(CONFIG))
        .build()
}

struct Encoder {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    health: Arc<Health>,
}

impl Encoder {
    fn start(clock: &MediaClock, renditions: &Arc<Renditions>) -> Result<Self, MediaError> {
        let mut known = ENCODERS.into_iter().zip(PRIMING);
        let found = known.find(|(name, _)| gst::ElementFactory::find(name).is_some());
        let (name, priming) =
            found.ok_or_else(|| MediaError::Missing { element: ENCODERS[0].into() })?;
        let early = gst::ClockTime::from_nseconds(priming * 1_000_000_000 / u64::from(RATE));
        let setup = |e: gst::glib::BoolError| MediaError::lasting(format!("{name}: {e}"));
        let raw = gst::Caps::builder("audio/x-raw")
            .field("format", "F32LE")
            .field("layout", "interleaved")
            .field("rate", RATE as i32)
            .field("channels", CHANNELS as i32)
            .field("channel-mask", gst::Bitmask::new(3))
            .build();
        let source = gst_app::AppSrc::builder()
            .name("sound-aac")
            .caps(&raw)
            .format(gst::Format::Time)
            .is_live(true)
            .block(false)
            .build();
        let convert = gst::ElementFactory::make("audioconvert").build().map_err(setup)?;
        let encoder =
            gst::ElementFactory::make(name).property("bitrate", BITRATE).build().map_err(setup)?;
        let renditions = Arc::clone(renditions);
        let sink = gst_app::AppSink::builder()
            .caps(
                &gst::Caps::builder("audio/mpeg")
                    .field("mpegversion", 4_i32)
                    .field("stream-format", "raw")
                    .build(),
            )
            .sync(false)
            .async_(false)
            .callbacks(
                gst_app::AppSinkCallbacks::builder()
                    .new_sample(move |sink| {
                        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                        if let Some(buffer) = sample.buffer_owned().and_then(|b| earlier(b, early))
                        {
                            renditions.sound(Sound::Aac, &Encoded::sound(buffer));
                        }
                        Ok(gst::FlowSuccess::Ok)
                    })
                    .build(),
            )
            .build();
        let (pipeline, _claim) = pipeline::make("aac-encoder", Need::Plain)?;
        let chain = [source.upcast_ref(), &convert, &encoder, sink.upcast_ref()];
        pipeline.add_many(chain).map_err(setup)?;
        gst::Element::link_many(chain).map_err(setup)?;
        let health = Health::watch(&pipeline);
        clock.adopt(&pipeline);
        let encoder = Self { pipeline, source, health };
        encoder
            .pipeline
            .set_state(gst::State::Playing)
            .map_err(|e| MediaError::lasting(format!("{name} does not start: {e}")))?;
        Ok(encoder)
    }

    fn push(&self, samples: &[f32], pts_ns: u64) {
        if self.source.current_level_buffers() > MOST_WAITING {
            return;
        }
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(own) = buffer.get_mut() {
            own.set_pts(gst::ClockTime::from_nseconds(pts_ns));
            own.set_duration(gst::ClockTime::from_nseconds(BLOCK_NS));
        }
        let _ = self.source.push_buffer(buffer);
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The packet at an earlier time; `None` for one that would lie before the beginning.
fn earlier(mut buffer: gst::Buffer, by: gst::ClockTime) -> Option<gst::Buffer> {
    let pts = buffer.pts()?.checked_sub(by)?;
    let own = buffer.make_mut();
    own.set_pts(pts);
    own.set_dts(pts);
    Some(buffer)
}

/// What the mixer's thread holds: the encoder while somebody wants it. Made and let go in threads of their
/// own, since the mixer does not wait.
pub struct Aac {
    clock: MediaClock,
    renditions: Arc<Renditions>,
    encoder: Option<Encoder>,
    making: Option<Receiver<Result<Encoder, MediaError>>>,
    /// Blocks until the next look at what is wanted.
    rest: u32,
}

impl Aac {
    /// Nothing is encoded yet.
    pub fn new(clock: &MediaClock, renditions: &Arc<Renditions>) -> Self {
        let (clock, renditions) = (clock.clone(), Arc::clone(renditions));
        Self { clock, renditions, encoder: None, making: None, rest: 0 }
    }

    /// Takes a block of the mix whose first frame belongs at `pts_ns`.
    pub fn push(&mut self, samples: &[f32], pts_ns: u64) {
        self.rest = self.rest.saturating_sub(1);
        if let Some(made) = self.making.as_ref().map(Receiver::try_recv) {
            match made {
                Err(TryRecvError::Empty) => return,
                Ok(Ok(encoder)) => self.encoder = Some(encoder),
                Ok(Err(e)) => tracing::error!("no AAC: {e}"),
                Err(TryRecvError::Disconnected) => tracing::error!("no AAC: its maker broke"),
            }
            self.making = None;
        }
        let wanted = self.renditions.want(Sound::Aac);
        match &self.encoder {
            Some(encoder) => {
                if wanted {
                    self.rest = REST_BLOCKS;
                }
                encoder.push(samples, pts_ns);
                let broken = encoder.health.broken();
                if let Some(reason) = &broken {
                    tracing::error!("the AAC encoder broke: {reason}");
                }
                if broken.is_some() || self.rest == 0 {
                    self.let_go();
                }
            }
            None if wanted && self.rest == 0 => self.make(),
            None => {}
        }
    }

    fn make(&mut self) {
        self.rest = RETRY_BLOCKS;
        let (made, making) = sync_channel(1);
        let (clock, renditions) = (self.clock.clone(), Arc::clone(&self.renditions));
        let make = move || {
            // A mixer that is gone wants none.
            let _ = made.send(Encoder::start(&clock, &renditions));
        };
        match std::thread::Builder::new().name("aac-maker".into()).spawn(make) {
            Ok(_) => self.making = Some(making),
            Err(e) => tracing::error!("no AAC: no thread: {e}"),
        }
    }

    fn let_go(&mut self) {
        if let Some(old) = self.encoder.take() {
            let _ = std::thread::Builder::new().name("old-encoder".into()).spawn(|| drop(old));
        }
    }
}
