//! The network input: RTSP, RTMP, SRT by arrival; HTTP and HLS, which come in bursts, in real time like a
//! file. Capture time: the earliest arrival seen of the stream's own times, so a sender's capture is
//! earlier by the way it travelled.

use std::sync::{Mutex, atomic::AtomicU64};

use gst::prelude::*;
use url::Url;

use super::{
    Build, Plan,
    deliver::{Arrival, Pace, Timing},
    file,
};
use crate::media::{error::MediaError, outlet::refusal};

/// Smoothing of RTSP and SRT arrivals, in milliseconds.
const JITTER_MS: u32 = 60;
/// A connection that stands still for this long is given up, in microseconds.
const TIMEOUT_US: u64 = 3_000_000;
/// How long a connection may take to give its first frame.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(4500);
/// The same where a playlist is read first.
const PLAYLIST_PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(8);

pub fn build(build: &Build<'_>, uri: &Url) -> Result<Plan, MediaError> {
    let paced = matches!(uri.scheme(), "http" | "https");
    let (timing, pace) = if paced {
        (Timing::Presented(AtomicU64::new(0)), Pace::Presented)
    } else {
        (Timing::Arrival(Mutex::new(Arrival::default())), Pace::AsItComes)
    };
    build.delivery.set_timing(timing);
    let decoder = file::play(build, uri.as_str(), pace, None)?;
    // Why a server refuses us is read from libsrt's log, which does not say whom.
    let other = (uri.scheme() == "srt").then(refusal::Other::begin);
    decoder.connect("source-setup", false, move |values| {
        let _as_long_as_it_runs = &other;
        if let Some(source) = values.get(1).and_then(|v| v.get::<gst::Element>().ok()) {
            set_up(&source);
        }
        None
    });
    // A playlist is several requests before the first frame.
    let playlist = uri.path().to_ascii_lowercase().ends_with(".m3u8");
    let patience = if playlist { PLAYLIST_PATIENCE } else { PATIENCE };
    Ok(if paced { Plan::Play { round: None, patience } } else { Plan::Live { patience } })
}

/// Short buffers and short patience, where the source knows them.
fn set_up(source: &gst::Element) {
    let Some(factory) = source.factory() else { return };
    match factory.name().as_str() {
        "rtspsrc" => {
            source.set_property("latency", JITTER_MS);
            source.set_property("tcp-timeout", TIMEOUT_US);
            // UDP that gives nothing is tried over TCP after this.
            source.set_property("timeout", TIMEOUT_US / 2);
            source.set_property("drop-on-latency", true);
        }
        "srtsrc" => source.set_property("latency", JITTER_MS as i32),
        "souphttpsrc" => {
            source.set_property("timeout", (TIMEOUT_US / 1_000_000) as u32);
            // The show tries again, with a back-off, and says so meanwhile.
            source.set_property("retries", 0_i32);
        }
        _ => {}
    }
}
