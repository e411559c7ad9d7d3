//! The screen input. Capture time: when the frame was due, which is when it was grabbed.

use std::sync::{Arc, Mutex, atomic::AtomicU64};

use gst::prelude::*;

use super::{
    Build, Plan,
    child::Child,
    deliver::{self, Arrival, Pace, Timing},
    test::link,
};
use crate::{
    base::Canvas,
    media::error::{MediaError, element},
};

/// What of the screen is wanted; see [`crate::show::InputKind::Screen`].
pub struct Wish<'a> {
    pub display: Option<&'a str>,
    pub region: Option<[u32; 4]>,
    pub pointer: bool,
    pub fps: Option<u32>,
}

pub fn build(build: &Build<'_>, wish: &Wish<'_>) -> Result<Plan, MediaError> {
    let fps = wish.fps.unwrap_or(build.canvas.fps);
    let (factory, pointer) = if cfg!(target_os = "macos") {
        ("avfvideosrc", "capture-screen-cursor")
    } else if cfg!(target_os = "windows") {
        ("d3d11screencapturesrc", "show-cursor")
    } else {
        return x11(build, wish, fps);
    };
    let rate = element("capsfilter")?;
    rate.set_property(
        "caps",
        gst::Caps::builder("video/x-raw")
            .field("framerate", gst::Fraction::new(fps as i32, 1))
            .build(),
    );
    let source = whole(factory, wish, pointer)?;
    link(build, &[source, rate], &deliver::picture(build, Pace::AsItComes)?)?;
    Ok(Plan::live())
}

/// Xlib ends its process when the X server goes, so it runs in a child. The child also converts and
/// scales: what goes through the pipe is no larger than the canvas.
fn x11(build: &Build<'_>, wish: &Wish<'_>, fps: u32) -> Result<Plan, MediaError> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if wish.display.is_none() && !set("DISPLAY") {
        return Err(MediaError::lasting(if set("WAYLAND_DISPLAY") {
            "this is a Wayland session, and capture through its portal is not supported: log in to an \
             X11 session, or name an X display (display = \":0\")"
        } else {
            "there is no X display: DISPLAY is not set; start hawker inside the desktop session, or \
             name a display (display = \":0\")"
        }));
    }
    // Says which package is missing before a child says it less well.
    element("ximagesrc")?;
    let base = Arc::new(AtomicU64::new(0));
    let (child, source) = Child::start(&capture(wish, fps, build.canvas)?, &base)?;
    let timing = Timing::Child { base, arrival: Mutex::new(Arrival::default()) };
    build.delivery.set_timing(timing);
    let unpack = element("gdpdepay")?;
    link(build, &[source, unpack], &deliver::picture(build, Pace::AsItComes)?)?;
    Ok(Plan::Apart { child, stands: gst::ClockTime::SECOND * 3 / (2 * u64::from(fps.max(1))) })
}

/// The child's pipeline.
fn capture(wish: &Wish<'_>, fps: u32, canvas: Canvas) -> Result<Vec<String>, MediaError> {
    let mut line: Vec<String> = Vec::new();
    let mut say = |words: &[&str]| line.extend(words.iter().map(|w| (*w).to_owned()));
    say(&["ximagesrc", "use-damage=false"]);
    say(&[&format!("show-pointer={}", wish.pointer)]);
    if let Some(display) = wish.display {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '-' | '/' | '_');
        if !display.chars().all(plain) {
            return Err(MediaError::lasting(format!(
                "'{display}' is not an X display: give one like \":0\""
            )));
        }
        say(&[&format!("display-name={display}")]);
    }
    if let Some([x, y, width, height]) = wish.region {
        let (right, bottom) = far_corner(x, y, width, height)?;
        say(&[&format!("startx={x}"), &format!("starty={y}")]);
        say(&[&format!("endx={right}"), &format!("endy={bottom}")]);
    }
    say(&["!", &format!("video/x-raw,framerate={fps}/1")]);
    say(&["!", "videoconvertscale", &format!("n-threads={}", deliver::threads())]);
    // Ranges: the scaler keeps the shape and takes the nearest size within them.
    let (width, height) = (canvas.width & !1, canvas.height & !1);
    say(&[
        "!",
        &format!(
            "video/x-raw,format=I420,width=[2,{width},2],height=[2,{height},2],\
             pixel-aspect-ratio=1/1,colorimetry={}",
            deliver::colours(canvas)
        ),
    ]);
    Ok(line)
}

/// The last pixel of a region: GStreamer counts it in.
fn far_corner(x: u32, y: u32, width: u32, height: u32) -> Result<(u32, u32), MediaError> {
    match (x.checked_add(width), y.checked_add(height)) {
        (Some(right), Some(bottom)) if width > 0 && height > 0 => Ok((right - 1, bottom - 1)),
        _ => Err(MediaError::lasting(
            "the screen region is empty or too large: give [x, y, width, height] in pixels",
        )),
    }
}

fn whole(factory: &str, wish: &Wish<'_>, pointer: &str) -> Result<gst::Element, MediaError> {
    if wish.region.is_some() || wish.display.is_some() {
        return Err(MediaError::lasting(
            "a screen's region or display can be chosen on X11 only: leave 'region' and 'display' out",
        ));
    }
    let source = element(factory)?;
    if source.has_property("capture-screen") {
        source.set_property("capture-screen", true);
    }
    source.set_property(pointer, wish.pointer);
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_counts_its_last_pixel_in() {
        assert_eq!(far_corner(10, 20, 100, 50).unwrap(), (109, 69));
        assert!(far_corner(0, 0, 0, 5).is_err());
        assert!(far_corner(u32::MAX, 0, 5, 5).is_err());
    }
}
