//! The image input: decoded once, handed over again and again by the minder. Capture time: now.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use gst::prelude::*;
use gst_video::prelude::*;

use super::{
    Build, Plan, RawFrame,
    deliver::{self, Pace},
    file,
};
use crate::media::error::MediaError;

/// Where the decoded picture is put.
#[derive(Debug)]
pub struct Still {
    sink: gst::glib::WeakRef<gst_app::AppSink>,
    kept: Mutex<Option<RawFrame>>,
}

pub fn build(build: &Build<'_>, path: &Path) -> Result<Plan, MediaError> {
    let uri = file::uri(path, "image")?;
    let to = deliver::picture(build, Pace::Presented)?;
    let sink = build
        .pipeline
        .by_name("picture")
        .and_then(|sink| sink.downcast::<gst_app::AppSink>().ok())
        .ok_or_else(|| MediaError::passing("the image's last stretch is not there"))?;
    file::decode(build, &uri, move |pad| {
        let raw = pad.current_caps().or_else(|| Some(pad.query_caps(None)));
        if raw.and_then(|c| c.structure(0).map(|s| s.name() == "video/x-raw")) == Some(true)
            && !to.is_linked()
        {
            pad.link(&to).is_ok()
        } else {
            true
        }
    })?;
    Ok(Plan::Still(Arc::new(Still { sink: sink.downgrade(), kept: Mutex::new(None) })))
}

impl Still {
    /// The picture, once the pipeline is paused.
    pub fn frame(&self) -> Result<RawFrame, MediaError> {
        let none = || MediaError::lasting("there is no picture in this image file");
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frame) = &*kept {
            return Ok(frame.clone());
        }
        let sample = self
            .sink
            .upgrade()
            .and_then(|sink| sink.try_pull_preroll(gst::ClockTime::from_seconds(1)))
            .ok_or_else(none)?;
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps()) else {
            return Err(none());
        };
        let info = gst_video::VideoInfo::from_caps(caps).map_err(|_| none())?;
        let frame = without_idle_alpha(RawFrame { buffer, info, captured: gst::ClockTime::ZERO });
        *kept = Some(frame.clone());
        Ok(frame)
    }
}

/// Many pictures have an alpha channel and use it nowhere: they are I420 with a plane to leave out.
fn without_idle_alpha(frame: RawFrame) -> RawFrame {
    if frame.info.format() != gst_video::VideoFormat::A420 {
        return frame;
    }
    let opaque = (|| {
        let mapped =
            gst_video::VideoFrameRef::from_buffer_ref_readable(&frame.buffer, &frame.info).ok()?;
        let alpha = mapped.plane_data(3).ok()?;
        let stride = mapped.plane_stride()[3] as usize;
        let width = mapped.width() as usize;
        let see_through = alpha
            .chunks(stride)
            .take(mapped.height() as usize)
            .any(|line| line.iter().take(width).any(|a| *a != 255));
        if see_through {
            return None;
        }
        let info = gst_video::VideoInfo::builder(
            gst_video::VideoFormat::I420,
            frame.info.width(),
            frame.info.height(),
        )
        .colorimetry(&frame.info.colorimetry())
        .build()
        .ok()?;
        let buffer = gst::Buffer::with_size(info.size()).ok()?;
        let mut plain = gst_video::VideoFrame::from_buffer_writable(buffer, &info).ok()?;
        for plane in 0..3 {
            let from_stride = mapped.plane_stride()[plane as usize] as usize;
            let to_stride = plain.plane_stride()[plane as usize] as usize;
            let bytes = from_stride.min(to_stride);
            let from = mapped.plane_data(plane).ok()?;
            let to = plain.plane_data_mut(plane).ok()?;
            for (from, to) in from.chunks(from_stride).zip(to.chunks_mut(to_stride)) {
                let n = bytes.min(from.len()).min(to.len());
                to[..n].copy_from_slice(&from[..n]);
            }
        }
        Some(RawFrame { buffer: plain.into_buffer(), info, captured: frame.captured })
    })();
    opaque.unwrap_or(frame)
}
