//! One clock and one base time for every pipeline, so that times can be compared across them.

use gst::prelude::*;

/// One clock and base time for every pipeline: running time is the machine's monotonic clock, counted
/// from the moment the studio began.
#[derive(Debug, Clone)]
pub struct MediaClock {
    /// The system's monotonic clock.
    pub clock: gst::Clock,
    /// Its time when the studio began.
    pub base: gst::ClockTime,
}

impl Default for MediaClock {
    fn default() -> Self {
        Self::new()
    }
}

impl MediaClock {
    /// Starts counting now. GStreamer must be initialised.
    pub fn new() -> Self {
        let clock = gst::SystemClock::obtain();
        let base = clock.time();
        Self { clock, base }
    }

    /// The running time now.
    pub fn now(&self) -> gst::ClockTime {
        self.clock.time().saturating_sub(self.base)
    }

    /// Puts a pipeline on this clock: its running times are then comparable with all others.
    pub fn adopt(&self, pipeline: &gst::Pipeline) {
        pipeline.use_clock(Some(&self.clock));
        pipeline.set_start_time(gst::ClockTime::NONE);
        pipeline.set_base_time(self.base);
    }

    /// A running time as nanoseconds of the machine's monotonic clock (`CLOCK_MONOTONIC`).
    pub fn monotonic_ns(&self, running: gst::ClockTime) -> u64 {
        self.base.nseconds().saturating_add(running.nseconds())
    }
}

/// The wall clock, in nanoseconds since 1970 UTC.
pub fn wall_ns() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0)
}
