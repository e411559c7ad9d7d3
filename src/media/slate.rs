//! Draws slates: a calm picture with a name on it, shown where an input has nothing to show, and the house
//! slate for panic.

use gst::prelude::*;

use super::{
    MediaError,
    input::RawFrame,
    pipeline::{self, Need},
};
use crate::base::Canvas;

/// Draws `text` (two lines at most, the first one large) on a dark ground of the canvas's size. Takes some
/// 50 ms: not for the program's thread.
pub fn draw(text: &str, canvas: Canvas) -> Result<RawFrame, MediaError> {
    let setup = |e: gst::glib::BoolError| MediaError::lasting(format!("slate: {e}"));
    let (pipeline, _claim) = pipeline::make("slate", Need::Plain)?;
    let source = gst::ElementFactory::make("videotestsrc")
        .property_from_str("pattern", "solid-color")
        .property("foreground-color", 0xff1c_2430_u32)
        .property("num-buffers", 1_i32)
        .build()
        .map_err(setup)?;
    let info = super::compose::canvas_info(canvas)?;
    let mut chain = vec![source];
    // Without the text element the slate is plain; `doctor` says which package brings it.
    if gst::ElementFactory::find("textoverlay").is_some() {
        let size = (canvas.width.min(canvas.height) / 22).max(8);
        chain.push(
            gst::ElementFactory::make("textoverlay")
                // It reads markup, and a title may hold anything.
                .property("text", gst::glib::markup_escape_text(text).as_str())
                .property("font-desc", format!("Sans {size}"))
                .property("auto-resize", false)
                .property("draw-shadow", false)
                .property("draw-outline", false)
                .property("color", 0xffd8_dee9_u32)
                .property_from_str("valignment", "center")
                .property_from_str("halignment", "center")
                .property_from_str("line-alignment", "center")
                .build()
                .map_err(setup)?,
        );
    }
    chain.push(gst::ElementFactory::make("videoconvert").build().map_err(setup)?);
    let caps = info.to_caps().map_err(setup)?;
    let sink = gst_app::AppSink::builder().caps(&caps).sync(false).build();
    chain.push(sink.clone().upcast());
    pipeline.add_many(&chain).map_err(setup)?;
    gst::Element::link_many(&chain).map_err(setup)?;
    let drawn = pipeline
        .set_state(gst::State::Playing)
        .ok()
        .and_then(|_| sink.try_pull_sample(gst::ClockTime::from_seconds(5)));
    let _ = pipeline.set_state(gst::State::Null);
    let sample = drawn.ok_or_else(|| MediaError::lasting("a slate could not be drawn"))?;
    let buffer =
        sample.buffer_owned().ok_or_else(|| MediaError::lasting("a slate came out empty"))?;
    let info =
        sample.caps().and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok()).unwrap_or(info);
    Ok(RawFrame { buffer, info, captured: gst::ClockTime::ZERO })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the luma that are brighter than the ground.
    fn bright(text: &str) -> usize {
        let canvas = Canvas { width: 640, height: 360, fps: 30 };
        let frame = draw(text, canvas).unwrap();
        let map = frame.buffer.map_readable().unwrap();
        map[..640 * 360].iter().filter(|luma| **luma > 120).count()
    }

    #[test]
    fn a_title_is_drawn_as_it_is_written() {
        super::super::init().unwrap();
        assert_eq!(bright(""), 0);
        let written = bright("<b>Tea & cake</b> <");
        assert!(written > bright("Tea & cake"), "{written}: its brackets are seen too");
    }
}
