//! The small picture of the program that a console draws. Made in a thread of its own, only while somebody
//! looks, at ten frames a second at most.

use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, SyncSender, sync_channel},
};

use gst_video::prelude::*;
use tokio::sync::watch;

use super::{MediaError, compose::canvas_info, feed::lock, program::Glimpse};
use crate::{base::Canvas, stats::Picture};

/// Pixels that one of the picture is made of, each way.
const TAPS: u32 = 4;

/// Makes pictures from glimpses.
pub struct Glimpses {
    size: Arc<Mutex<Option<(u16, u16)>>>,
    publish: watch::Sender<Option<Arc<Picture>>>,
}

impl Glimpses {
    /// Starts the thread. It ends when the returned sender is dropped.
    pub fn start(canvas: Canvas) -> Result<(Self, SyncSender<Glimpse>), MediaError> {
        let (sender, receiver) = sync_channel(1);
        let (publish, _) = watch::channel(None);
        let publish: watch::Sender<Option<Arc<Picture>>> = publish;
        let pictures = publish.clone();
        let size = Arc::new(Mutex::new(None));
        let wanted = Arc::clone(&size);
        let info = canvas_info(canvas)?;
        std::thread::Builder::new()
            .name("glimpse".into())
            .spawn(move || run(&info, &receiver, &wanted, &pictures))
            .map_err(|e| MediaError::lasting(format!("no thread for the picture: {e}")))?;
        Ok((Self { size, publish }, sender))
    }

    /// Pictures of that size from now on, in pixels; `None` for none.
    pub fn look(&self, size: Option<(u16, u16)>) {
        *lock(&self.size) = size.map(|(w, h)| (w.clamp(16, 640), h.clamp(16, 640)));
        if size.is_none() {
            // Whoever looks next must not be shown an old picture.
            self.publish.send_replace(None);
        }
    }

    /// The newest picture.
    pub fn picture(&self) -> watch::Receiver<Option<Arc<Picture>>> {
        self.publish.subscribe()
    }
}

fn run(
    canvas: &gst_video::VideoInfo,
    glimpses: &Receiver<Glimpse>,
    wanted: &Mutex<Option<(u16, u16)>>,
    publish: &watch::Sender<Option<Arc<Picture>>>,
) {
    let mut converter: Option<((u16, u16), gst_video::VideoConverter, gst_video::VideoInfo)> = None;
    while let Ok(glimpse) = glimpses.recv() {
        let Some(size) = *lock(wanted) else {
            publish.send_replace(None);
            converter = None;
            continue;
        };
        if converter.as_ref().is_none_or(|(was, ..)| *was != size) {
            converter = prepare(canvas, size).map(|(c, info)| (size, c, info));
        }
        if let Some((_, converter, info)) = &converter
            && let Some(picture) = shrink(converter, canvas, info, glimpse.buffer)
        {
            publish.send_if_modified(|shown| {
                let moved = shown.as_deref() != Some(&picture);
                if moved {
                    *shown = Some(Arc::new(picture));
                }
                moved
            });
        }
    }
}

fn prepare(
    canvas: &gst_video::VideoInfo,
    (width, height): (u16, u16),
) -> Option<(gst_video::VideoConverter, gst_video::VideoInfo)> {
    let format = gst_video::VideoFormat::Rgb;
    let info = gst_video::VideoInfo::builder(format, width.into(), height.into())
        .fps(canvas.fps())
        .build()
        .ok()?;
    let mut config = gst_video::VideoConverterConfig::new();
    // Four pixels of the program make one across and down: the rest would cost more than a console may.
    config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
    config.set_resampler_taps(TAPS);
    config.set_threads(1);
    let converter = gst_video::VideoConverter::new(canvas, &info, Some(config))
        .inspect_err(|e| tracing::warn!("no picture for the console: {e}"))
        .ok()?;
    Some((converter, info))
}

fn shrink(
    converter: &gst_video::VideoConverter,
    canvas: &gst_video::VideoInfo,
    info: &gst_video::VideoInfo,
    buffer: gst::Buffer,
) -> Option<Picture> {
    let source = gst_video::VideoFrame::from_buffer_readable(buffer, canvas).ok()?;
    let small = gst::Buffer::with_size(info.size()).ok()?;
    let mut small = gst_video::VideoFrame::from_buffer_writable(small, info).ok()?;
    converter.frame(&source, &mut small);
    let row = info.width() as usize * 3;
    let stride = small.plane_stride()[0] as usize;
    let data = small.plane_data(0).ok()?;
    let rgb =
        data.chunks(stride).take(info.height() as usize).flat_map(|r| &r[..row]).copied().collect();
    Some(Picture { width: info.width() as u16, height: info.height() as u16, rgb })
}
