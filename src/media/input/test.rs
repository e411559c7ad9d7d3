//! The test input: a moving picture and a tone, made here. Capture time: the ideal time of the frame,
//! exactly one frame apart.

mod code;

use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo, prelude::*};

use super::{
    Build, Plan,
    deliver::{self, Pace, colours},
};
use crate::{
    base::Canvas,
    media::error::{MediaError, element},
    show::spec::TestPattern,
};

/// Nearest neighbour: noise needs no better, and it costs next to nothing.
const NEAREST: &str = "nearest-neighbour";
/// -20 dBFS.
const SOFT: f64 = 0.1;

pub fn build(
    build: &Build<'_>,
    shown: TestPattern,
    tone_hz: Option<u32>,
) -> Result<Plan, MediaError> {
    let canvas = build.canvas;
    let source = element("videotestsrc")?;
    source.set_property("is-live", true);
    // Noise is drawn at a quarter and enlarged: coarse grain that fills the rate without costing a core.
    let quarter = |v: u32| (v / 4).max(2) & !1;
    let (pattern, width, height) = match shown {
        TestPattern::Ball => ("ball", canvas.width, canvas.height),
        TestPattern::Bars => ("smpte", canvas.width, canvas.height),
        TestPattern::Noise => ("snow", quarter(canvas.width), quarter(canvas.height)),
        TestPattern::Clock => ("ball", canvas.width, canvas.height),
    };
    source.set_property_from_str("pattern", pattern);
    let caps = |width: u32, height: u32| {
        gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", width as i32)
            .field("height", height as i32)
            .field("framerate", gst::Fraction::new(canvas.fps as i32, 1))
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .field("colorimetry", colours(canvas))
            .build()
    };
    let drawn = element("capsfilter")?;
    drawn.set_property("caps", caps(width, height));
    let mut chain = vec![source, drawn];
    if (width, height) != (canvas.width, canvas.height) {
        let enlarge = element("videoconvertscale")?;
        enlarge.set_property_from_str("method", NEAREST);
        let large = element("capsfilter")?;
        large.set_property("caps", caps(canvas.width, canvas.height));
        chain.extend([enlarge, large]);
    }
    if pattern == "ball" {
        chain[0].set_property("background-color", 0xff10_2a43_u32);
        // Text is an extra: without the element the ball is enough.
        if let Ok(clock) = element("clockoverlay") {
            clock.set_property("time-format", "%H:%M:%S");
            clock.set_property("font-desc", "Sans 24");
            clock.set_property_from_str("halignment", "left");
            clock.set_property_from_str("valignment", "top");
            if shown == TestPattern::Clock {
                clock.set_property("ypad", (canvas.height / code::HEIGHT) as i32 + 25);
            }
            chain.push(clock);
        }
    }
    if shown == TestPattern::Clock {
        draw_clock(build, &chain[1])?;
    }
    link(build, &chain, &deliver::picture(build, Pace::AsItComes)?)?;

    if let Some(hz) = tone_hz {
        let source = element("audiotestsrc")?;
        source.set_property("is-live", true);
        source.set_property("freq", f64::from(hz));
        source.set_property("volume", SOFT);
        source.set_property("samplesperbuffer", 480_i32);
        let rate = element("capsfilter")?;
        rate.set_property(
            "caps",
            gst::Caps::builder("audio/x-raw").field("rate", 48_000).field("channels", 2).build(),
        );
        link(build, &[source, rate], &deliver::sound(build, Pace::AsItComes)?)?;
    }
    Ok(Plan::live())
}

/// Draws the machine's monotonic clock into each picture that leaves `drawn`, as it is read at that moment.
fn draw_clock(build: &Build<'_>, drawn: &gst::Element) -> Result<(), MediaError> {
    let Canvas { width, height, .. } = build.canvas;
    let info = VideoInfo::builder(VideoFormat::I420, width, height).build();
    let info = info.map_err(|_| MediaError::passing("GStreamer refused the picture's size"))?;
    let clock = build.delivery.clock.clock.clone();
    deliver::pad(drawn, "src")?.add_probe(gst::PadProbeType::BUFFER, move |_, probe| {
        if let Some(buffer) = probe.buffer_mut()
            && let Ok(mut frame) = VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), &info)
        {
            paint(&mut frame, &code::blocks(clock.time().mseconds()));
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Paints blocks across the top, without colour.
fn paint(frame: &mut VideoFrameRef<&mut gst::BufferRef>, blocks: &[bool; code::BLOCKS]) {
    for plane in 0..3 {
        // Planes of colour have half the rows and columns.
        let (width, height) = if plane == 0 {
            (frame.width(), frame.height())
        } else {
            (frame.width().div_ceil(2), frame.height().div_ceil(2))
        };
        let stride = frame.plane_stride()[plane as usize] as usize;
        let Ok(data) = frame.plane_data_mut(plane) else { return };
        for row in data.chunks_mut(stride).take((height / code::HEIGHT) as usize) {
            let row = &mut row[..width as usize];
            for (column, sample) in row.iter_mut().enumerate() {
                let white = blocks[column * code::BLOCKS / width as usize];
                *sample = match (plane, white) {
                    (0, true) => 235,
                    (0, false) => 16,
                    _ => 128,
                };
            }
        }
    }
}

/// Puts a chain into the pipeline and links its end to `to`.
pub fn link(build: &Build<'_>, chain: &[gst::Element], to: &gst::Pad) -> Result<(), MediaError> {
    let refused = || MediaError::passing("GStreamer refused to link the input's elements");
    build.pipeline.add_many(chain).map_err(|_| refused())?;
    gst::Element::link_many(chain).map_err(|_| refused())?;
    let last = chain.last().ok_or_else(refused)?;
    deliver::pad(last, "src")?.link(to).map(|_| ()).map_err(|_| refused())
}
