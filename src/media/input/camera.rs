//! The camera input: of what a camera offers, what comes nearest to the program's picture. Capture time:
//! when the driver handed the frame over.

use gst::prelude::*;

use super::{
    Build, Plan,
    deliver::{self, Pace},
    test::link,
};
use crate::{
    base::Canvas,
    media::{
        devices::{self, Class},
        error::{MediaError, element},
    },
};

pub fn build(build: &Build<'_>, device: Option<&str>) -> Result<Plan, MediaError> {
    let found = devices::find(Class::Camera, device)?;
    let source = found.create_element(None).map_err(|_| {
        MediaError::passing(format!("the camera '{}' does not open", found.display_name()))
    })?;
    let mut chain = vec![source];
    if let Some(caps) = found.caps().and_then(|offered| choose(&offered, build.canvas)) {
        let kind = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
        let filter = element("capsfilter")?;
        filter.set_property("caps", caps);
        chain.push(filter);
        match kind.as_str() {
            "image/jpeg" => chain.push(element("jpegdec")?),
            "video/x-h264" => {
                chain.push(element("h264parse")?);
                chain.push(element("avdec_h264").or_else(|_| element("openh264dec"))?);
            }
            _ => {}
        }
    }
    link(build, &chain, &deliver::picture(build, Pace::AsItComes)?)?;
    Ok(Plan::live())
}

/// The best of what is offered. First that it is fast enough, then that its size is nearest to the
/// canvas (a larger one is scaled down, a smaller one stays small), then that it is raw rather than JPEG
/// rather than H.264, whose decoder adds delay.
fn choose(offered: &gst::Caps, canvas: Canvas) -> Option<gst::Caps> {
    let mut best: Option<((bool, u64, u8), gst::Caps)> = None;
    for structure in offered.iter() {
        let kind = match structure.name().as_str() {
            "video/x-raw" => 0,
            "image/jpeg" => 1,
            "video/x-h264" => 2,
            _ => continue,
        };
        let mut one = structure.to_owned();
        one.fixate_field_nearest_int("width", canvas.width as i32);
        one.fixate_field_nearest_int("height", canvas.height as i32);
        one.fixate_field_nearest_fraction("framerate", gst::Fraction::new(canvas.fps as i32, 1));
        let (Ok(width), Ok(height)) = (one.get::<i32>("width"), one.get::<i32>("height")) else {
            continue;
        };
        let slow = one.get::<gst::Fraction>("framerate").is_ok_and(|rate| {
            i64::from(rate.numer()) < i64::from(canvas.fps) * i64::from(rate.denom()) * 95 / 100
        });
        let away = u64::from(width.unsigned_abs().abs_diff(canvas.width))
            + u64::from(height.unsigned_abs().abs_diff(canvas.height));
        let score = (slow, away, kind);
        if best.as_ref().is_none_or(|(least, _)| score < *least) {
            let mut caps = gst::Caps::new_empty();
            caps.get_mut()?.append_structure(one);
            best = Some((score, caps));
        }
    }
    best.map(|(_, caps)| caps)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn fast_enough_counts_first_then_size_then_raw() {
        gst::init().unwrap();
        let canvas = Canvas { width: 1280, height: 720, fps: 30 };
        let pick = |text: &str| {
            let chosen = choose(&gst::Caps::from_str(text).unwrap(), canvas).unwrap();
            let s = chosen.structure(0).unwrap();
            (s.name().to_string(), s.get::<i32>("width").unwrap())
        };
        let webcam = "video/x-raw,width=1280,height=720,framerate=10/1; \
                      video/x-raw,width=640,height=480,framerate=30/1; \
                      image/jpeg,width=1280,height=720,framerate={30/1,15/1}; \
                      video/x-h264,width=1280,height=720,framerate=30/1";
        assert_eq!(pick(webcam), ("image/jpeg".to_owned(), 1280));
        let card = "image/jpeg,width=1280,height=720,framerate=30/1; \
                    video/x-raw,width=[16,1920],height=[16,1080],framerate=[1/1,60/1]";
        assert_eq!(pick(card), ("video/x-raw".to_owned(), 1280));
    }
}
