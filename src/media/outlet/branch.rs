//! One pipeline of an outlet: two sources, a muxer, a sink. Its times begin at zero with its first picture, so
//! that it needs no clock: what comes is passed on.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gst::prelude::*;

use crate::{
    media::{
        MediaError,
        error::{element, without_secrets},
        feed::lock,
        pipeline::{self, Need},
    },
    show::FailureKind,
};

/// So many buffers may wait in the sources while both have some: the muxer has what it needs, and takes none.
const BOTH_WAITING: u64 = 24;
/// And so many while only one has: the muxer waits for the other.
const ONE_WAITING: u64 = 600;
/// The end of a stream travels through muxer and sink in this time, or is not waited for.
const END: Duration = Duration::from_millis(1500);

/// What has passed into the sink.
pub(super) struct Passed {
    bytes: AtomicU64,
    began: Instant,
    /// When the last buffer went in, in ms after `began`.
    last_ms: AtomicU64,
}

impl Default for Passed {
    fn default() -> Self {
        Self { bytes: AtomicU64::new(0), began: Instant::now(), last_ms: AtomicU64::new(0) }
    }
}

impl Passed {
    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Something moved.
    pub(super) fn touch(&self) {
        self.last_ms.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// How long ago the last buffer went in.
    pub(super) fn since_last(&self) -> Duration {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }

    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.touch();
    }
}

/// In which words a broken pipeline is reported.
pub(super) type Wording = Box<dyn Fn(&gst::glib::Error) -> (String, FailureKind) + Send + Sync>;

/// What a branch is made of.
pub(super) struct Plan {
    /// What the frames are.
    pub(super) video: gst::Caps,
    /// What the sound is.
    pub(super) audio: gst::Caps,
    /// Elements between the sources and the muxer, by name; `None` is a source linked to it directly.
    pub(super) parsers: (Option<&'static str>, &'static str),
    /// The muxer.
    pub(super) mux: gst::Element,
    /// The names of its pads for picture and sound.
    pub(super) pads: (&'static str, &'static str),
    /// The end.
    pub(super) sink: gst::Element,
    /// How long the far end may still be handing out what it has when the stream has ended.
    pub(super) linger: Duration,
    /// How it says that it broke.
    pub(super) wording: Wording,
}

#[derive(Default)]
struct Health {
    broken: Mutex<Option<(String, FailureKind)>>,
    ended: AtomicBool,
}

/// A running pipeline.
pub(super) struct Branch {
    pipeline: gst::Pipeline,
    video: gst_app::AppSrc,
    audio: gst_app::AppSrc,
    health: Arc<Health>,
    origin: Option<gst::ClockTime>,
    linger: Duration,
}

fn source(name: &str, caps: &gst::Caps) -> gst_app::AppSrc {
    gst_app::AppSrc::builder()
        // Its thread is called so, too.
        .name(name)
        .caps(caps)
        .format(gst::Format::Time)
        // With a live source a muxer would go on without the stream that is late.
        .is_live(false)
        .block(false)
        .max_bytes(0)
        .build()
}

impl Branch {
    /// Starts it. What goes into its sink is counted in every one of `counters`.
    pub(super) fn start(plan: Plan, counters: Vec<Arc<Passed>>) -> Result<Self, MediaError> {
        let setup = |e: gst::glib::BoolError| MediaError::lasting(format!("an output: {e}"));
        let Plan { video, audio, parsers, mux, pads, sink, linger, wording } = plan;
        let (pipeline, _claim) = pipeline::make("outlet", Need::Outside)?;
        let (video, audio) = (source("out-video", &video), source("out-audio", &audio));
        pipeline.add_many([video.upcast_ref(), audio.upcast_ref(), &mux, &sink]).map_err(setup)?;
        for (from, parser, name) in [(&video, parsers.0, pads.0), (&audio, Some(parsers.1), pads.1)]
        {
            let mut last = from.clone().upcast::<gst::Element>();
            if let Some(parser) = parser {
                let parser = element(parser)?;
                pipeline.add(&parser).map_err(setup)?;
                last.link(&parser).map_err(setup)?;
                last = parser;
            }
            last.link_pads(Some("src"), &mux, Some(name)).map_err(setup)?;
        }
        mux.link(&sink).map_err(setup)?;
        if let Some(pad) = sink.static_pad("sink") {
            let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
            pad.add_probe(kinds, move |_, info| {
                let bytes = match &info.data {
                    Some(gst::PadProbeData::Buffer(buffer)) => buffer.size(),
                    Some(gst::PadProbeData::BufferList(list)) => list.calculate_size(),
                    _ => 0,
                };
                for counter in &counters {
                    counter.add(bytes);
                }
                gst::PadProbeReturn::Ok
            });
        }
        let health = Arc::new(Health::default());
        if let Some(bus) = pipeline.bus() {
            let told = Arc::clone(&health);
            bus.set_sync_handler(move |_, message| {
                match message.view() {
                    gst::MessageView::Error(error) => {
                        // The first is the cause; sources complain after it.
                        lock(&told.broken).get_or_insert_with(|| {
                            let (reason, kind) = wording(&error.error());
                            (without_secrets(&reason), kind)
                        });
                    }
                    gst::MessageView::Eos(_) => told.ended.store(true, Ordering::Release),
                    _ => {}
                }
                gst::BusSyncReply::Drop
            });
        }
        let branch = Self { pipeline, video, audio, health, origin: None, linger };
        if branch.pipeline.set_state(gst::State::Playing).is_err() {
            let (reason, kind) = branch
                .broken()
                .unwrap_or_else(|| ("it does not start".into(), FailureKind::Passing));
            return Err(MediaError::Broken { reason, kind });
        }
        Ok(branch)
    }

    /// A frame. The first must be a key frame; its time becomes zero.
    pub(super) fn picture(&mut self, frame: &gst::Buffer) {
        if self.origin.is_none() {
            self.origin = frame.pts();
        }
        self.push(&self.video, frame);
    }

    /// A packet of sound; what lies before the first frame is left out.
    pub(super) fn sound(&self, packet: &gst::Buffer) {
        self.push(&self.audio, packet);
    }

    fn push(&self, to: &gst_app::AppSrc, buffer: &gst::Buffer) {
        let (Some(origin), Some(pts)) = (self.origin, buffer.pts()) else { return };
        let Some(shifted) = pts.checked_sub(origin) else { return };
        let mut buffer = buffer.clone();
        let own = buffer.make_mut();
        own.set_pts(shifted);
        own.set_dts(shifted);
        // A pipeline that is broken refuses; its bus says why.
        let _ = to.push_buffer(buffer);
    }

    /// Whether it takes nothing more for now.
    pub(super) fn behind(&self) -> bool {
        let (video, audio) =
            (self.video.current_level_buffers(), self.audio.current_level_buffers());
        let most = if video > 0 && audio > 0 { BOTH_WAITING } else { ONE_WAITING };
        video + audio > most
    }

    /// Why it broke, if it broke.
    pub(super) fn broken(&self) -> Option<(String, FailureKind)> {
        lock(&self.health.broken).clone()
    }

    /// Ends the stream in order and takes the pipeline down.
    pub(super) fn finish(self) {
        let _ = self.video.end_of_stream();
        let _ = self.audio.end_of_stream();
        let began = Instant::now();
        // One that never had a frame has nothing to end.
        let ended = || self.health.ended.load(Ordering::Acquire);
        while self.origin.is_some() && !ended() && self.broken().is_none() && began.elapsed() < END
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        if ended() && self.broken().is_none() {
            std::thread::sleep(self.linger);
        }
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
    }
}
