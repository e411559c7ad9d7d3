//! The microphone input. Capture time: when the sound card handed the samples over, less what waited in its
//! buffer, as the sound system says.

use gst::prelude::*;

use super::{
    Build, Plan,
    deliver::{self, Pace},
    test::link,
};
use crate::media::{
    devices::{self, Class},
    error::{MediaError, element},
};

/// What the card may keep, in microseconds; beyond it is lost.
const BUFFER_US: i64 = 100_000;
/// One delivery, in microseconds.
const PIECE_US: i64 = 10_000;

pub fn build(build: &Build<'_>, device: Option<&str>) -> Result<Plan, MediaError> {
    let source = match device {
        Some(wanted) => devices::open(Class::Microphone, wanted)?,
        None if cfg!(target_os = "macos") => element("osxaudiosrc")?,
        None if cfg!(target_os = "windows") => element("wasapi2src")?,
        // Without PulseAudio (or PipeWire in its place) the card itself.
        None => element("pulsesrc").or_else(|_| element("alsasrc"))?,
    };
    for (name, value) in [("buffer-time", BUFFER_US), ("latency-time", PIECE_US)] {
        if source.find_property(name).is_some_and(|p| p.value_type() == i64::static_type()) {
            source.set_property(name, value);
        }
    }
    if source.has_property("provide-clock") {
        source.set_property("provide-clock", false);
    }
    // The card's clock drifts against ours: skew keeps the samples whole and corrects the times.
    if source.has_property("slave-method") {
        source.set_property_from_str("slave-method", "skew");
    }
    link(build, &[source], &deliver::sound(build, Pace::AsItComes)?)?;
    Ok(Plan::live())
}
