//! Draws one frame of the program: layers into their places, two pictures over each other, the slate.
//! Synchronous, in the program's own thread, at most one copy; no copy at all when one layer fills the
//! canvas. What is drawn is decided elsewhere (`scene`); this knows only pixels.

use std::collections::HashMap;

use gst_video::prelude::*;

use super::{
    MediaError,
    input::{self, RawFrame},
};
use crate::{
    base::{Canvas, InputId},
    scene::{
        Composition, Fit, Mix, Rect, Step,
        compose::{Draw, fit},
    },
};

/// How many finished frames may be under way to the encoder and the picture at once.
const POOL: u32 = 24;
/// Conversions kept ready over changes of scene.
const MOST_PREPARED: usize = 24;
/// Threads that scale one picture.
const SCALERS: u32 = 2;

/// Where a layer's newest picture comes from. `None` draws nothing in its place.
pub trait Pictures {
    /// The newest picture of that input, or its slate.
    fn picture(&mut self, input: &InputId) -> Option<RawFrame>;
}

#[derive(PartialEq, Eq, Hash, Clone)]
struct Recipe {
    from: (gst_video::VideoFormat, u32, u32, String),
    draw: [u32; 8],
}

/// Draws frames of one canvas.
pub struct Composer {
    canvas: Canvas,
    info: gst_video::VideoInfo,
    pool: gst::BufferPool,
    converters: HashMap<Recipe, gst_video::VideoConverter>,
    overlays: HashMap<Recipe, (usize, gst_video::VideoFrame<gst_video::video_frame::Readable>)>,
}

/// The format of the program's picture.
pub fn canvas_info(canvas: Canvas) -> Result<gst_video::VideoInfo, MediaError> {
    let colours: gst_video::VideoColorimetry = input::colours(canvas)
        .parse()
        .map_err(|_| MediaError::lasting("the canvas's colours have no name"))?;
    gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, canvas.width, canvas.height)
        .fps(gst::Fraction::new(canvas.fps as i32, 1))
        .colorimetry(&colours)
        .build()
        .map_err(|e| MediaError::lasting(format!("a canvas of {canvas} cannot be made: {e}")))
}

/// A store of frames that are used again.
fn pool(info: &gst_video::VideoInfo) -> Result<gst::BufferPool, MediaError> {
    let setup = |e: gst::glib::BoolError| MediaError::lasting(format!("frame pool: {e}"));
    let caps = info.to_caps().map_err(setup)?;
    let pool: gst::BufferPool = gst_video::VideoBufferPool::new().upcast();
    let mut config = pool.config();
    config.set_params(Some(&caps), info.size() as u32, 2, POOL);
    pool.set_config(config).map_err(setup)?;
    pool.set_active(true).map_err(setup)?;
    Ok(pool)
}

impl Composer {
    /// A composer for that canvas.
    pub fn new(canvas: Canvas) -> Result<Self, MediaError> {
        let info = canvas_info(canvas)?;
        let pool = pool(&info)?;
        Ok(Self { canvas, info, pool, converters: HashMap::new(), overlays: HashMap::new() })
    }

    /// Called when the scene changes: forgets prepared conversions once there are many, so that they never
    /// pile up, and scenes that are cut back and forth find theirs.
    pub fn tidy(&mut self) {
        if self.converters.len() + self.overlays.len() > MOST_PREPARED {
            self.converters.clear();
            self.overlays.clear();
        }
    }

    /// Draws what a step of a plan shows.
    pub fn draw(
        &mut self,
        step: Step<'_>,
        pictures: &mut impl Pictures,
    ) -> Result<gst::Buffer, MediaError> {
        match step {
            Step::One(composition) => self.one(composition, pictures),
            Step::Two(under, over, mix) => {
                let under = self.one(under, pictures)?;
                let over = self.one(over, pictures)?;
                self.mix(under, &over, mix)
            }
        }
    }

    fn one(
        &mut self,
        composition: &Composition,
        pictures: &mut impl Pictures,
    ) -> Result<gst::Buffer, MediaError> {
        if let [layer] = composition.layers.as_slice()
            && layer.place == Rect::full(self.canvas)
            && let Some(frame) = pictures.picture(&layer.input)
        {
            return if self.is_canvas(&frame) {
                Ok(frame.buffer)
            } else {
                self.canvas_with(|this, dest| {
                    this.layer(
                        &frame,
                        fit(frame.info.width(), frame.info.height(), layer.place, layer.fit),
                        dest,
                    )
                })
            };
        }
        self.canvas_with(|this, dest| {
            for layer in &composition.layers {
                if let Some(frame) = pictures.picture(&layer.input) {
                    let draw = fit(frame.info.width(), frame.info.height(), layer.place, layer.fit);
                    if let Err(e) = this.layer(&frame, draw, dest) {
                        tracing::warn!(input = %layer.input, "not drawn: {e}");
                    }
                }
            }
            Ok(())
        })
    }

    /// The house slate, or black while there is none.
    pub fn house(&mut self, slate: Option<&RawFrame>) -> Result<gst::Buffer, MediaError> {
        match slate {
            Some(frame) if self.is_canvas(frame) => Ok(frame.buffer.clone()),
            Some(frame) => {
                let place = Rect::full(self.canvas);
                let draw = fit(frame.info.width(), frame.info.height(), place, Fit::Contain);
                self.canvas_with(|this, dest| this.layer(frame, draw, dest))
            }
            None => self.canvas_with(|_, _| Ok(())),
        }
    }

    fn is_canvas(&self, frame: &RawFrame) -> bool {
        let info = &frame.info;
        // Planes may lie apart (VideoMeta): the encoder and every mapping read that.
        info.format() == gst_video::VideoFormat::I420
            && (info.width(), info.height()) == (self.canvas.width, self.canvas.height)
    }

    fn canvas_with(
        &mut self,
        paint: impl FnOnce(
            &mut Self,
            &mut gst_video::VideoFrame<gst_video::video_frame::Writable>,
        ) -> Result<(), MediaError>,
    ) -> Result<gst::Buffer, MediaError> {
        let buffer = self.free_frame()?;
        let mut dest = gst_video::VideoFrame::from_buffer_writable(buffer, &self.info)
            .map_err(|_| MediaError::passing("a program frame cannot be written"))?;
        for (plane, black) in [(0, 16_u8), (1, 128), (2, 128)] {
            if let Ok(data) = dest.plane_data_mut(plane) {
                data.fill(black);
            }
        }
        paint(self, &mut dest)?;
        Ok(dest.into_buffer())
    }

    /// A frame to draw on. Never waits: with none free this frame of the program is lost, and counted.
    fn free_frame(&self) -> Result<gst::Buffer, MediaError> {
        let at_once =
            gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
        self.pool
            .acquire_buffer(Some(&at_once))
            .map_err(|e| MediaError::passing(format!("no free frame: {e}")))
    }

    fn layer(
        &mut self,
        frame: &RawFrame,
        draw: Draw,
        dest: &mut gst_video::VideoFrame<gst_video::video_frame::Writable>,
    ) -> Result<(), MediaError> {
        let broken = |what: &str| MediaError::passing(what);
        let recipe = Recipe {
            from: (
                frame.info.format(),
                frame.info.width(),
                frame.info.height(),
                frame.info.colorimetry().to_string(),
            ),
            draw: [
                draw.from.x,
                draw.from.y,
                draw.from.w,
                draw.from.h,
                draw.to.x,
                draw.to.y,
                draw.to.w,
                draw.to.h,
            ],
        };
        if frame.info.has_alpha() {
            return self.overlay(frame, draw, recipe, dest);
        }
        let source = gst_video::VideoFrame::from_buffer_readable(frame.buffer.clone(), &frame.info)
            .map_err(|_| broken("an input's frame cannot be read"))?;
        let converter = match self.converters.entry(recipe) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                let mut config = crop(draw.from);
                config.set_dest_x(draw.to.x as i32);
                config.set_dest_y(draw.to.y as i32);
                config.set_dest_width(Some(draw.to.w as i32));
                config.set_dest_height(Some(draw.to.h as i32));
                config.set_threads(SCALERS);
                config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
                new.insert(
                    gst_video::VideoConverter::new(
                        &timeless(&frame.info, &self.info)?,
                        &self.info,
                        Some(config),
                    )
                    .map_err(|e| MediaError::passing(format!("no conversion: {e}")))?,
                )
            }
        };
        converter.frame(&source, dest);
        Ok(())
    }

    /// A picture with transparency: scaled once for as long as it stays the same, then laid over.
    fn overlay(
        &mut self,
        frame: &RawFrame,
        draw: Draw,
        recipe: Recipe,
        dest: &mut gst_video::VideoFrame<gst_video::video_frame::Writable>,
    ) -> Result<(), MediaError> {
        let broken = |what: &str| MediaError::passing(what);
        let identity = frame.buffer.as_ptr() as usize;
        if self.overlays.get(&recipe).is_none_or(|(of, _)| *of != identity) {
            let info =
                gst_video::VideoInfo::builder(gst_video::VideoFormat::A420, draw.to.w, draw.to.h)
                    .colorimetry(&self.info.colorimetry())
                    .fps(self.info.fps())
                    .build()
                    .map_err(|e| MediaError::passing(format!("no overlay: {e}")))?;
            let source =
                gst_video::VideoFrame::from_buffer_readable(frame.buffer.clone(), &frame.info)
                    .map_err(|_| broken("an input's picture cannot be read"))?;
            let buffer = gst::Buffer::with_size(info.size())
                .map_err(|_| broken("no memory for an overlay"))?;
            let mut scaled = gst_video::VideoFrame::from_buffer_writable(buffer, &info)
                .map_err(|_| broken("an overlay cannot be written"))?;
            gst_video::VideoConverter::new(
                &timeless(&frame.info, &self.info)?,
                &info,
                Some(crop(draw.from)),
            )
            .map_err(|e| MediaError::passing(format!("no conversion: {e}")))?
            .frame(&source, &mut scaled);
            let scaled = gst_video::VideoFrame::from_buffer_readable(scaled.into_buffer(), &info)
                .map_err(|_| broken("an overlay cannot be read"))?;
            self.overlays.insert(recipe.clone(), (identity, scaled));
        }
        if let Some((_, scaled)) = self.overlays.get(&recipe) {
            blend_alpha(scaled, dest, draw.to);
        }
        Ok(())
    }

    fn mix(
        &self,
        under: gst::Buffer,
        over: &gst::Buffer,
        mix: Mix,
    ) -> Result<gst::Buffer, MediaError> {
        let broken = || MediaError::passing("a frame cannot be mixed");
        let over = gst_video::VideoFrameRef::from_buffer_ref_readable(over, &self.info)
            .map_err(|_| broken())?;
        let source = gst_video::VideoFrameRef::from_buffer_ref_readable(&under, &self.info)
            .map_err(|_| broken())?;
        let mixed = self.free_frame()?;
        let mut dest =
            gst_video::VideoFrame::from_buffer_writable(mixed, &self.info).map_err(|_| broken())?;
        for plane in 0..3_usize {
            let shift = u32::from(plane > 0);
            let width = (self.canvas.width >> shift) as usize;
            let strides = [source.plane_stride(), over.plane_stride(), dest.plane_stride()]
                .map(|s| s[plane] as usize);
            let (a, b) = (
                source.plane_data(plane as u32).map_err(|_| broken())?,
                over.plane_data(plane as u32).map_err(|_| broken())?,
            );
            let out = dest.plane_data_mut(plane as u32).map_err(|_| broken())?;
            let rows = a
                .chunks(strides[0])
                .zip(b.chunks(strides[1]))
                .zip(out.chunks_mut(strides[2]))
                .take((self.canvas.height >> shift) as usize);
            for ((a, b), out) in rows {
                mix_row(&a[..width], &b[..width], &mut out[..width], mix, shift);
            }
        }
        Ok(dest.into_buffer())
    }
}

impl Drop for Composer {
    fn drop(&mut self) {
        // An active pool keeps its buffers for ever.
        let _ = self.pool.set_active(false);
    }
}

/// The same picture at the program's rate: a converter asks for one rate on both sides, and how often an
/// input gives frames is none of its business.
fn timeless(
    info: &gst_video::VideoInfo,
    canvas: &gst_video::VideoInfo,
) -> Result<gst_video::VideoInfo, MediaError> {
    gst_video::VideoInfo::builder(info.format(), info.width(), info.height())
        .colorimetry(&info.colorimetry())
        .fps(canvas.fps())
        .build()
        .map_err(|e| MediaError::passing(format!("a picture of no known form: {e}")))
}

fn crop(from: Rect) -> gst_video::VideoConverterConfig {
    let mut config = gst_video::VideoConverterConfig::new();
    config.set_src_x(from.x as i32);
    config.set_src_y(from.y as i32);
    config.set_src_width(Some(from.w as i32));
    config.set_src_height(Some(from.h as i32));
    config.set_fill_border(false);
    config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
    config.set_threads(1);
    config
}

/// One row of one plane; `shift` is 1 for chroma, which has half as many pixels.
fn mix_row(a: &[u8], b: &[u8], out: &mut [u8], mix: Mix, shift: u32) {
    let width = out.len();
    match mix {
        Mix::Fade(weight) => fade(a, b, out, weight),
        Mix::Wipe(px) => {
            let edge = ((px >> shift) as usize).min(width);
            out[..edge].copy_from_slice(&b[..edge]);
            out[edge..].copy_from_slice(&a[edge..]);
        }
        Mix::Slide(px) => {
            let edge = ((px >> shift) as usize).min(width);
            out[..edge].copy_from_slice(&a[width - edge..]);
            out[edge..].copy_from_slice(&b[..width - edge]);
        }
    }
}

fn fade(a: &[u8], b: &[u8], out: &mut [u8], weight: u16) {
    let (over, under) = (u32::from(weight), 256 - u32::from(weight));
    for ((a, b), out) in a.iter().zip(b).zip(out) {
        *out = ((u32::from(*a) * under + u32::from(*b) * over) >> 8) as u8;
    }
}

/// Lays an A420 picture over an I420 one at `to`. Chroma takes the alpha of its top left pixel.
fn blend_alpha(
    over: &gst_video::VideoFrame<gst_video::video_frame::Readable>,
    dest: &mut gst_video::VideoFrame<gst_video::video_frame::Writable>,
    to: Rect,
) {
    let Ok(alpha) = over.plane_data(3) else { return };
    let alpha_stride = over.plane_stride()[3] as usize;
    for plane in 0..3_usize {
        let shift = usize::from(plane > 0);
        let (from_stride, to_stride) =
            (over.plane_stride()[plane] as usize, dest.plane_stride()[plane] as usize);
        let (w, h) = (to.w as usize >> shift, to.h as usize >> shift);
        let (x, y) = (to.x as usize >> shift, to.y as usize >> shift);
        let Ok(from) = over.plane_data(plane as u32) else { return };
        let Ok(out) = dest.plane_data_mut(plane as u32) else { return };
        for row in 0..h {
            let from = &from[row * from_stride..][..w];
            let alpha = &alpha[(row << shift) * alpha_stride..];
            let out = &mut out[(y + row) * to_stride + x..][..w];
            for (column, (from, out)) in from.iter().zip(out).enumerate() {
                let a = u32::from(alpha[column << shift]);
                *out = ((u32::from(*from) * a + u32::from(*out) * (255 - a) + 127) / 255) as u8;
            }
        }
    }
}
/// Makes the program's picture smaller, for a rung of the ladder.
pub struct Scaler {
    converter: gst_video::VideoConverter,
    pool: gst::BufferPool,
    from: gst_video::VideoInfo,
    to: gst_video::VideoInfo,
}

impl Scaler {
    /// From the program's canvas to another; `None` where both have the same size.
    pub fn between(from: Canvas, to: Canvas) -> Result<Option<Self>, MediaError> {
        if (from.width, from.height) == (to.width, to.height) {
            return Ok(None);
        }
        let (from, to) = (canvas_info(from)?, canvas_info(to)?);
        let setup = |e: gst::glib::BoolError| MediaError::lasting(format!("scaling: {e}"));
        let mut config = gst_video::VideoConverterConfig::new();
        config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
        let converter = gst_video::VideoConverter::new(&from, &to, Some(config)).map_err(setup)?;
        Ok(Some(Self { converter, pool: pool(&to)?, from, to }))
    }

    /// The same picture, smaller.
    pub fn scale(&mut self, picture: gst::Buffer) -> Result<gst::Buffer, MediaError> {
        let broken = |what: &str| MediaError::passing(format!("scaling: {what}"));
        let from = gst_video::VideoFrame::from_buffer_readable(picture, &self.from)
            .map_err(|_| broken("the picture cannot be read"))?;
        let buffer = self.pool.acquire_buffer(None).map_err(|_| broken("no frame is free"))?;
        let mut to = gst_video::VideoFrame::from_buffer_writable(buffer, &self.to)
            .map_err(|_| broken("the frame cannot be written"))?;
        self.converter.frame(&from, &mut to);
        Ok(to.into_buffer())
    }
}
