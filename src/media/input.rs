//! Inputs: each a pipeline of its own that hands over decoded frames with their true capture times, as soon
//! as they exist. An input decides nothing: it reports to its [`Sink`] once that it is up, once that it
//! failed or ended, and is silent after that.

mod camera;
pub(super) mod child;
mod deliver;
mod file;
mod fit;
mod image;
mod microphone;
mod minder;
mod network;
mod screen;
mod test;

use std::sync::Arc;

pub use deliver::colours;

use deliver::Delivery;
use minder::{Minder, Note, Plan};

use super::{
    clock::MediaClock,
    error::MediaError,
    pipeline::{self, Need},
};
use crate::{
    base::Canvas,
    show::{FailureKind, InputKind, InputSpec},
};

/// A decoded picture: I420, or A420 for an image with alpha. Square pixels, no larger than the canvas,
/// never scaled up. The planes may lie apart (`VideoMeta`): map it with `gst_video::VideoFrame`, not by
/// the strides of `info`.
#[derive(Debug, Clone)]
pub struct RawFrame {
    /// The pixels.
    pub buffer: gst::Buffer,
    /// Their form.
    pub info: gst_video::VideoInfo,
    /// When it was captured, as running time of the studio's clock. Test and screen: the time the frame
    /// was due; camera: when the driver handed it over; file: when it is presented; network: its arrival,
    /// smoothed by the stream's own time stamps; image: now.
    pub captured: gst::ClockTime,
}

/// A piece of sound: interleaved 32-bit float (little endian), 48 kHz, two channels.
#[derive(Debug, Clone)]
pub struct RawSound {
    /// The samples.
    pub buffer: gst::Buffer,
    /// When its first sample was captured; see [`RawFrame::captured`].
    pub captured: gst::ClockTime,
}

/// Who takes what an input gives. Called from the input's threads: be quick. After `failed` or `ended`
/// nothing more is called; after [`Source::stop`] neither, but for calls already under way.
pub trait Sink: Send + Sync + 'static {
    /// A picture. Late ones are dropped before they come here.
    fn frame(&self, frame: RawFrame);
    /// A piece of sound.
    fn sound(&self, sound: RawSound);
    /// It gives: called once, before the first frame (before the first sound where there is no picture).
    fn up(&self, format: String);
    /// It gave up.
    fn failed(&self, reason: String, kind: FailureKind);
    /// A file that plays once has ended.
    fn ended(&self);
}

/// A running input. Dropping it stops it.
#[derive(Debug)]
pub struct Source {
    minder: Minder,
}

impl Source {
    /// Starts an input. Returns at once; what comes of it is told to `sink`.
    ///
    /// # Errors
    /// When it cannot even be built: an element is not installed, a file is not there.
    pub fn start(
        spec: &InputSpec,
        canvas: Canvas,
        clock: &MediaClock,
        sink: Arc<dyn Sink>,
    ) -> Result<Self, MediaError> {
        let (pipeline, _claim) = pipeline::make(&format!("input-{}", spec.id), Need::Outside)?;
        clock.adopt(&pipeline);
        let keeps = matches!(spec.kind, InputKind::File { .. } | InputKind::Screen { .. });
        let delivery = Delivery::new(sink, clock.clone(), keeps);
        let build = Build { pipeline: &pipeline, canvas, delivery: &delivery };
        let plan = match &spec.kind {
            InputKind::Test { pattern, tone_hz } => test::build(&build, *pattern, *tone_hz),
            InputKind::File { path, repeat } => file::build(&build, path, *repeat),
            InputKind::Image { path } => image::build(&build, path),
            InputKind::Screen { display, region, pointer, fps } => {
                let wish = screen::Wish {
                    display: display.as_deref(),
                    region: *region,
                    pointer: *pointer,
                    fps: *fps,
                };
                screen::build(&build, &wish)
            }
            InputKind::Camera { device } => camera::build(&build, device.as_deref()),
            InputKind::Microphone { device } => microphone::build(&build, device.as_deref()),
            InputKind::Network { uri } => network::build(&build, uri),
        }?;
        Ok(Self { minder: Minder::start(spec.id.as_str(), pipeline, plan, delivery)? })
    }

    /// Stops it. Its pipeline is taken down on a thread of its own, so this returns at once even where a
    /// device hangs; who wants to know when all is gone waits on what is returned.
    pub fn stop(self) -> Stopping {
        self.minder.stop()
    }

    /// Its pipeline, weakly: for tests that look for leaks.
    pub fn pipeline(&self) -> gst::glib::WeakRef<gst::Pipeline> {
        self.minder.pipeline()
    }
}

/// An input on its way down.
#[derive(Debug)]
pub struct Stopping(std::sync::mpsc::Receiver<std::convert::Infallible>);

impl Stopping {
    /// Waits until pipeline and threads are gone, `at_most` so long. False when the time was up.
    pub fn wait(&self, at_most: std::time::Duration) -> bool {
        matches!(self.0.recv_timeout(at_most), Err(std::sync::mpsc::RecvTimeoutError::Disconnected))
    }
}

/// What every kind of input is built with.
struct Build<'a> {
    pipeline: &'a gst::Pipeline,
    canvas: Canvas,
    delivery: &'a Arc<Delivery>,
}
