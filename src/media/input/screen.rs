//! The screen input. Capture time: when the frame was due, which is when it was grabbed.

use gst::prelude::*;

use super::{
    Build, Plan,
    deliver::{self, Pace},
    test::link,
};
use crate::media::error::{MediaError, element};

/// What of the screen is wanted; see [`crate::show::InputKind::Screen`].
pub struct Wish<'a> {
    pub display: Option<&'a str>,
    pub region: Option<[u32; 4]>,
    pub pointer: bool,
    pub fps: Option<u32>,
}

pub fn build(build: &Build<'_>, wish: &Wish<'_>) -> Result<Plan, MediaError> {
    let source = if cfg!(target_os = "macos") {
        whole("avfvideosrc", wish, "capture-screen-cursor")?
    } else if cfg!(target_os = "windows") {
        whole("d3d11screencapturesrc", wish, "show-cursor")?
    } else {
        x11(wish)?
    };
    let rate = element("capsfilter")?;
    let fps = wish.fps.unwrap_or(build.canvas.fps);
    rate.set_property(
        "caps",
        gst::Caps::builder("video/x-raw")
            .field("framerate", gst::Fraction::new(fps as i32, 1))
            .build(),
    );
    link(build, &[source, rate], &deliver::picture(build, Pace::AsItComes)?)?;
    Ok(Plan::live())
}

fn x11(wish: &Wish<'_>) -> Result<gst::Element, MediaError> {
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
    let source = element("ximagesrc")?;
    source.set_property("use-damage", false);
    source.set_property("show-pointer", wish.pointer);
    if let Some(display) = wish.display {
        source.set_property("display-name", display);
    }
    if let Some([x, y, width, height]) = wish.region {
        let (right, bottom) = far_corner(x, y, width, height)?;
        source.set_property("startx", x);
        source.set_property("starty", y);
        source.set_property("endx", right);
        source.set_property("endy", bottom);
    }
    Ok(source)
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
