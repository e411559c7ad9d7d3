//! Makes pictures small enough for a terminal.

use gst_video::prelude::*;

use crate::stats::Picture;

/// Pixels that one of the picture is made of, each way.
const TAPS: u32 = 4;
/// A side of a small picture, in pixels.
const LEAST: u16 = 16;
const MOST: u16 = 640;

/// A size that a picture may have, the nearest to the one that is asked for.
pub fn within((width, height): (u16, u16)) -> (u16, u16) {
    (width.clamp(LEAST, MOST), height.clamp(LEAST, MOST))
}

/// Shrinks pictures of one shape to one size, and begins anew when either changes.
#[derive(Debug, Default)]
pub struct Shrinker(Option<Prepared>);

#[derive(Debug)]
struct Prepared {
    converter: gst_video::VideoConverter,
    from: gst_video::VideoInfo,
    to: gst_video::VideoInfo,
}

impl Shrinker {
    /// That picture in that size, [`within`] what is possible; `None` when it cannot be read or converted.
    pub fn shrink(
        &mut self,
        buffer: gst::Buffer,
        from: &gst_video::VideoInfo,
        size: (u16, u16),
    ) -> Option<Picture> {
        let (width, height) = (u32::from(size.0), u32::from(size.1));
        let fits =
            |p: &Prepared| p.from == *from && (p.to.width(), p.to.height()) == (width, height);
        if !self.0.as_ref().is_some_and(fits) {
            self.0 = Prepared::new(from, width, height);
        }
        self.0.as_ref()?.shrink(buffer)
    }
}

impl Prepared {
    fn new(from: &gst_video::VideoInfo, width: u32, height: u32) -> Option<Self> {
        let to = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, width, height)
            .fps(from.fps())
            .build()
            .ok()?;
        let mut config = gst_video::VideoConverterConfig::new();
        // Four pixels make one across and down: the rest would cost more than a face may.
        config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
        config.set_resampler_taps(TAPS);
        config.set_threads(1);
        let converter = gst_video::VideoConverter::new(from, &to, Some(config))
            .inspect_err(|e| tracing::warn!("no small picture: {e}"))
            .ok()?;
        Some(Self { converter, from: from.clone(), to })
    }

    fn shrink(&self, buffer: gst::Buffer) -> Option<Picture> {
        let source = gst_video::VideoFrame::from_buffer_readable(buffer, &self.from).ok()?;
        let small = gst::Buffer::with_size(self.to.size()).ok()?;
        let mut small = gst_video::VideoFrame::from_buffer_writable(small, &self.to).ok()?;
        self.converter.frame(&source, &mut small);
        let row = self.to.width() as usize * 3;
        let stride = small.plane_stride()[0] as usize;
        let rows = small.plane_data(0).ok()?.chunks(stride).take(self.to.height() as usize);
        let rgb = rows.flat_map(|r| &r[..row]).copied().collect();
        Some(Picture { width: self.to.width() as u16, height: self.to.height() as u16, rgb })
    }
}
