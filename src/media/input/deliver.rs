//! The last stretch of every input: fit the picture, convert the sound, and hand both to the `Sink` with
//! their capture times. Holds no pipeline: the closures here would keep it alive.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use gst::prelude::*;
use gst_video::VideoInfo;

use super::{Build, RawFrame, RawSound, Sink, fit::fit};
use crate::{
    base::Canvas,
    media::{
        clock::MediaClock,
        error::{MediaError, element},
    },
    show::FailureKind,
};

/// Sound as it is delivered.
const SOUND: (i32, i32) = (48_000, 2);
/// Raw pictures kept between decoder and presentation where a file plays, in nanoseconds: what a loop back
/// to the beginning may take without a gap.
const AHEAD: u64 = 400_000_000;

/// How a buffer's running time becomes a capture time.
#[derive(Debug)]
pub enum Timing {
    /// It is one.
    Captured,
    /// The pipeline began to play this many nanoseconds after the studio.
    Presented(AtomicU64),
    /// The source's own clock; seen from ours.
    Arrival(Mutex<Arrival>),
    /// Another pipeline on the machine's clock.
    Child {
        /// What it counts from, in nanoseconds of that clock; zero until it is known.
        base: Arc<AtomicU64>,
        /// Until it is known.
        arrival: Mutex<Arrival>,
    },
}

/// The capture time (running time of our clock, whose own base is `ours`) of what a pipeline counting
/// from `theirs` stamped `running`; `None` where that is unknown, in the future, or absurdly long ago.
fn elsewhere(running: u64, theirs: u64, ours: u64, now: u64) -> Option<u64> {
    let captured = running.checked_add(theirs)?.checked_sub(ours)?;
    (theirs > 0 && captured <= now && now - captured < 1_000_000_000).then_some(captured)
}

/// Maps a stream's own times to ours: the earliest arrival seen is taken as the one without delay.
#[derive(Debug, Default)]
pub struct Arrival {
    shift: Option<i64>,
    least_late: i64,
    since: u64,
}

impl Arrival {
    /// A stream that is this late (or whose times jumped this far) is mapped anew.
    const JUMP: i64 = 1_000_000_000;
    /// The mapping follows a slow clock once per such a window.
    const WINDOW: u64 = 10_000_000_000;

    /// The capture time of what the stream stamped `running`, arriving `now` (nanoseconds all). Pictures
    /// and sound share one mapping, so they stay in step.
    pub fn captured(&mut self, running: u64, now: u64) -> u64 {
        let (running, now_i) = (running as i64, now as i64);
        let shift = self.shift.get_or_insert(now_i - running);
        let late = now_i - running - *shift;
        if !(0..=Self::JUMP).contains(&late) {
            *shift += late;
            self.least_late = 0;
            self.since = now;
            return now;
        }
        self.least_late = self.least_late.min(late);
        let captured = running + *shift;
        if now.saturating_sub(self.since) > Self::WINDOW {
            *shift += self.least_late;
            self.least_late = i64::MAX;
            self.since = now;
        }
        u64::try_from(captured).unwrap_or(0)
    }
}

/// What the streaming threads and the minder share.
pub struct Delivery {
    sink: Arc<dyn Sink>,
    /// The studio's clock.
    pub clock: MediaClock,
    timing: Mutex<Arc<Timing>>,
    over: AtomicBool,
    up: AtomicBool,
    picture: AtomicBool,
    hearing: AtomicBool,
    last_frame: AtomicU64,
    last_sound: AtomicU64,
    native: Mutex<String>,
    /// The newest picture, kept only where it may have to be given again.
    kept: Option<Mutex<Option<RawFrame>>>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").finish_non_exhaustive()
    }
}

impl Delivery {
    /// `keeps`: see [`Delivery::again`].
    pub fn new(sink: Arc<dyn Sink>, clock: MediaClock, keeps: bool) -> Arc<Self> {
        Arc::new(Self {
            sink,
            clock,
            timing: Mutex::new(Arc::new(Timing::Captured)),
            over: AtomicBool::new(false),
            up: AtomicBool::new(false),
            picture: AtomicBool::new(false),
            hearing: AtomicBool::new(false),
            last_frame: AtomicU64::new(0),
            last_sound: AtomicU64::new(0),
            native: Mutex::new(String::new()),
            kept: keeps.then(Mutex::default),
        })
    }

    /// Says how times are to be read; before anything flows.
    pub fn set_timing(&self, timing: Timing) {
        *self.timing.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(timing);
    }

    /// A file begins to play now.
    pub fn presented_from(&self, running: gst::ClockTime) {
        let timing = self.timing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Timing::Presented(shift) = &**timing {
            shift.store(running.nseconds(), Ordering::Relaxed);
        }
    }

    /// Nothing is told after this.
    pub fn close(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether it has said the last word.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub fn fail(&self, reason: String, kind: FailureKind) {
        if !self.over.swap(true, Ordering::AcqRel) {
            self.sink.failed(reason, kind);
        }
    }

    pub fn end(&self) {
        if !self.over.swap(true, Ordering::AcqRel) {
            self.sink.ended();
        }
    }

    /// Whether it has given anything yet.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// Whether a picture is expected.
    pub fn has_picture(&self) -> bool {
        self.picture.load(Ordering::Acquire)
    }

    /// Running times of the newest frame and the newest sound; zero when there was none.
    pub fn newest(&self) -> (gst::ClockTime, gst::ClockTime) {
        (
            gst::ClockTime::from_nseconds(self.last_frame.load(Ordering::Relaxed)),
            gst::ClockTime::from_nseconds(self.last_sound.load(Ordering::Relaxed)),
        )
    }

    pub fn frame(&self, frame: RawFrame) {
        if self.is_over() {
            return;
        }
        self.last_frame.store(self.clock.now().nseconds(), Ordering::Relaxed);
        if !self.up.swap(true, Ordering::AcqRel) {
            let mut format = self.native.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if self.hearing.load(Ordering::Acquire) {
                format.push_str(", 48 kHz stereo");
            }
            self.sink.up(format);
        }
        if let Some(kept) = &self.kept {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame.clone());
        }
        self.sink.frame(frame);
    }

    /// Gives the newest picture again, as of now: a picture that stands is not one that is stale. It does
    /// not count as a sign of life.
    pub fn again(&self) {
        let kept = self
            .kept
            .as_ref()
            .and_then(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone());
        if let Some(frame) = kept.filter(|_| !self.is_over()) {
            self.sink.frame(RawFrame { captured: self.clock.now(), ..frame });
        }
    }

    /// Whether sound is expected.
    pub fn has_sound(&self) -> bool {
        self.hearing.load(Ordering::Acquire)
    }

    fn sound(&self, sound: RawSound) {
        if self.is_over() {
            return;
        }
        self.last_sound.store(self.clock.now().nseconds(), Ordering::Relaxed);
        if !self.has_picture() && !self.up.swap(true, Ordering::AcqRel) {
            self.sink.up("48 kHz stereo".to_owned());
        }
        self.sink.sound(sound);
    }

    fn captured(&self, timing: &Timing, running: gst::ClockTime) -> gst::ClockTime {
        match timing {
            Timing::Captured => running,
            Timing::Presented(shift) => {
                running + gst::ClockTime::from_nseconds(shift.load(Ordering::Relaxed))
            }
            Timing::Arrival(arrival) => {
                let now = self.clock.now().nseconds();
                let mut arrival = arrival.lock().unwrap_or_else(PoisonError::into_inner);
                gst::ClockTime::from_nseconds(arrival.captured(running.nseconds(), now))
            }
            Timing::Child { base, arrival } => {
                let (now, running) = (self.clock.now().nseconds(), running.nseconds());
                let theirs = base.load(Ordering::Acquire);
                let captured = elsewhere(running, theirs, self.clock.base.nseconds(), now)
                    .unwrap_or_else(|| {
                        let mut arrival = arrival.lock().unwrap_or_else(PoisonError::into_inner);
                        arrival.captured(running, now)
                    });
                gst::ClockTime::from_nseconds(captured)
            }
        }
    }

    fn timing(&self) -> Arc<Timing> {
        self.timing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How a tail hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At once: the source sets the pace.
    AsItComes,
    /// At the time it is to be presented: a file.
    Presented,
}

/// Where we set the pace the decoder waits; where the source does, the newest picture counts, and half a
/// second of sound is kept for a caller that stumbled.
fn sink_for(name: &str, pace: Pace, waiting: u32) -> gst_app::AppSink {
    let ours = pace == Pace::Presented;
    gst_app::AppSink::builder()
        .name(name)
        .sync(ours)
        .async_(ours)
        .enable_last_sample(false)
        .qos(false)
        .max_buffers(if ours { 1 } else { waiting })
        .drop(!ours)
        .build()
}

fn queue(pace: Pace) -> Result<Option<gst::Element>, MediaError> {
    if pace == Pace::AsItComes {
        return Ok(None);
    }
    let queue = element("queue")?;
    // Its thread has its name.
    queue.set_property("name", format!("in-{}", queue.name()));
    queue.set_property("max-size-buffers", 0_u32);
    queue.set_property("max-size-bytes", 0_u32);
    queue.set_property("max-size-time", AHEAD);
    Ok(Some(queue))
}

fn join(build: &Build<'_>, chain: &[&gst::Element]) -> Result<(), MediaError> {
    let refused = |what: &str| {
        MediaError::passing(format!("GStreamer refused to {what} the input's last stretch"))
    };
    build.pipeline.add_many(chain).map_err(|_| refused("take in"))?;
    gst::Element::link_many(chain).map_err(|_| refused("link"))?;
    for element in chain.iter().rev() {
        element.sync_state_with_parent().map_err(|_| refused("start"))?;
    }
    Ok(())
}

/// The colours everything is delivered in: BT.709 from 720 lines on, BT.601 below.
pub const fn colours(canvas: Canvas) -> &'static str {
    if canvas.height >= 720 { "bt709" } else { "bt601" }
}

/// Adds the picture's last stretch to the pipeline; a raw video pad is linked to the pad returned.
pub fn picture(build: &Build<'_>, pace: Pace) -> Result<gst::Pad, MediaError> {
    let delivery = build.delivery;
    delivery.picture.store(true, Ordering::Release);
    let turn = element("videoflip")?;
    // Phones and cameras say how they were held.
    turn.set_property_from_str("video-direction", "auto");
    let convert = element("videoconvertscale")?;
    convert.set_property("n-threads", threads());
    let filter = element("capsfilter")?;
    let sink = sink_for("picture", pace, 2);
    watch_size(build, &convert, &filter)?;
    accept_any_layout(&sink)?;

    let to = delivery.clone();
    let timing = delivery.timing();
    let mut known: Option<(gst::Caps, VideoInfo)> = None;
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps()) else {
                    return Ok(gst::FlowSuccess::Ok);
                };
                if known.as_ref().is_none_or(|(of, _)| of.as_ref() != caps) {
                    let info =
                        VideoInfo::from_caps(caps).map_err(|_| gst::FlowError::NotNegotiated)?;
                    known = Some((caps.to_owned(), info));
                }
                if let (Some(running), Some((_, info))) =
                    (running_time(&sample, buffer.pts()), &known)
                {
                    let captured = to.captured(&timing, running);
                    to.frame(RawFrame { buffer, info: info.clone(), captured });
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    let queue = queue(pace)?;
    let mut chain: Vec<&gst::Element> = vec![&turn, &convert, &filter];
    chain.extend(queue.as_ref());
    chain.push(sink.upcast_ref());
    join(build, &chain)?;
    pad(&turn, "sink")
}

/// Adds the sound's last stretch to the pipeline; a raw audio pad is linked to the pad returned.
pub fn sound(build: &Build<'_>, pace: Pace) -> Result<gst::Pad, MediaError> {
    let delivery = build.delivery;
    delivery.hearing.store(true, Ordering::Release);
    let convert = element("audioconvert")?;
    let resample = element("audioresample")?;
    let filter = element("capsfilter")?;
    filter.set_property(
        "caps",
        gst::Caps::builder("audio/x-raw")
            .field("format", "F32LE")
            .field("rate", SOUND.0)
            .field("channels", SOUND.1)
            .field("layout", "interleaved")
            .build(),
    );
    let sink = sink_for("sound", pace, 50);
    let to = delivery.clone();
    let timing = delivery.timing();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                if let Some(buffer) = sample.buffer_owned()
                    && let Some(running) = running_time(&sample, buffer.pts())
                {
                    let captured = to.captured(&timing, running);
                    to.sound(RawSound { buffer, captured });
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    let queue = queue(pace)?;
    let mut chain: Vec<&gst::Element> = vec![&convert, &resample, &filter];
    chain.extend(queue.as_ref());
    chain.push(sink.upcast_ref());
    join(build, &chain)?;
    pad(&convert, "sink")
}

/// The pad of that name.
pub fn pad(element: &gst::Element, name: &str) -> Result<gst::Pad, MediaError> {
    element.static_pad(name).ok_or_else(|| {
        MediaError::passing(format!("the element '{}' has no pad '{name}'", element.name()))
    })
}

/// Threads for one conversion: two halve its delay, more cost more than they give.
pub fn threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(2) as u32)
}

fn running_time(sample: &gst::Sample, pts: Option<gst::ClockTime>) -> Option<gst::ClockTime> {
    sample.segment()?.downcast_ref::<gst::ClockTime>()?.to_running_time(pts?)
}

/// Tells the filter what to ask for, when the size of what comes is known.
fn watch_size(
    build: &Build<'_>,
    convert: &gst::Element,
    filter: &gst::Element,
) -> Result<(), MediaError> {
    let canvas = build.canvas;
    let filter = filter.downgrade();
    let delivery = build.delivery.clone();
    pad(convert, "sink")?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, probe| {
        if let Some(gst::EventView::Caps(caps)) = probe.event().map(|event| event.view())
            && let Ok(info) = VideoInfo::from_caps(caps.caps())
            && let Some(filter) = filter.upgrade()
        {
            let par = (info.par().numer() as u32, info.par().denom() as u32);
            let size = fit((info.width(), info.height()), par, (canvas.width, canvas.height));
            filter.set_property("caps", delivered(&info, size, canvas));
            let rate = info.fps();
            *delivery.native.lock().unwrap_or_else(PoisonError::into_inner) = if rate.numer() > 0 {
                format!("{}x{} {}/{}", info.width(), info.height(), rate.numer(), rate.denom())
            } else {
                format!("{}x{}", info.width(), info.height())
            };
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

fn delivered(info: &VideoInfo, (width, height): (u32, u32), canvas: Canvas) -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", if info.format_info().has_alpha() { "A420" } else { "I420" })
        .field("width", width as i32)
        .field("height", height as i32)
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .field("colorimetry", colours(canvas))
        .build()
}

/// Lets decoders keep their own plane layout instead of copying every frame into ours.
fn accept_any_layout(sink: &gst_app::AppSink) -> Result<(), MediaError> {
    pad(sink.upcast_ref(), "sink")?.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, probe| {
        if let Some(gst::PadProbeData::Query(query)) = &mut probe.data
            && let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
        {
            allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}
