//! From which value on a figure is bad, until which it stays so, and how long each must hold. The targets of a
//! profile are in the figures themselves, as percent of the target.

use std::time::Duration;

use super::{Grade, Metric};
use crate::base::Moment;

/// The limits of one metric.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// Bad above this.
    pub above: f64,
    /// Well again at or below this.
    pub clears: f64,
    /// Bad for this long before it counts.
    rise: Duration,
    /// Well for this long before it does not count any more.
    fall: Duration,
    /// What it makes of a verdict.
    pub grade: Grade,
}

const fn limit(above: f64, clears: f64, rise_ms: u64, fall_ms: u64, grade: Grade) -> Limit {
    Limit {
        above,
        clears,
        rise: Duration::from_millis(rise_ms),
        fall: Duration::from_millis(fall_ms),
        grade,
    }
}

/// The limits of a metric. Sound against picture: where it begins to be noticed (ITU-R BT.1359, 125 ms late).
pub(super) const fn of(metric: Metric) -> Limit {
    use Grade::{Down, Late, Stalling, Strained};
    match metric {
        Metric::DownMs => limit(0.0, 0.0, 0, 0, Down),
        // A flapping place gives its own frames back for a second or two at a time.
        Metric::ForeignMs => limit(0.0, 0.0, 0, 5000, Down),
        // What counts as a stall is decided where frames are counted: at once, as soon as it is one.
        Metric::StallMs => limit(0.0, 0.0, 0, 2000, Stalling),
        Metric::StallsPercentOfTarget => limit(100.0, 80.0, 0, 2000, Stalling),
        Metric::LatencyPercentOfTarget => limit(100.0, 90.0, 1000, 3000, Late),
        Metric::SkewMs => limit(125.0, 100.0, 2000, 3000, Strained),
        Metric::SilenceMs => limit(750.0, 400.0, 0, 1000, Stalling),
        // The profile's best picture is not sent below half of its rate or so.
        Metric::UplinkShortPercent => limit(50.0, 40.0, 2000, 3000, Strained),
        Metric::LossPercent => limit(5.0, 2.0, 2000, 3000, Strained),
        Metric::EncoderLatePercent => limit(5.0, 1.0, 1000, 3000, Strained),
        Metric::ThrownAway => limit(0.0, 0.0, 0, 3000, Strained),
        Metric::InputLateMs => limit(1000.0, 0.0, 0, 2000, Strained),
    }
}

/// Whether a metric counts as bad, held against flapping.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latch {
    on: bool,
    /// Since when it has been on the other side.
    other: Option<Moment>,
}

impl Latch {
    /// A value at `at`; one that was not measured is `None`, and counts as well. Whether it is bad.
    pub(super) fn feed(&mut self, at: Moment, value: Option<f64>, limit: &Limit) -> bool {
        let value = value.unwrap_or(0.0);
        let (turns, wait) = if self.on {
            (value <= limit.clears, limit.fall)
        } else {
            (value > limit.above, limit.rise)
        };
        if !turns {
            self.other = None;
            return self.on;
        }
        let since = *self.other.get_or_insert(at);
        if at.since(since) >= wait {
            self.on = !self.on;
            self.other = None;
        }
        self.on
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LATE: Limit = of(Metric::LatencyPercentOfTarget);

    #[test]
    fn it_must_hold_before_it_counts_and_before_it_does_not() {
        let mut latch = Latch::default();
        let mut at = |ms, value| latch.feed(Moment::from_ms(ms), Some(value), &LATE);
        assert!(!at(0, 130.0) && !at(900, 130.0) && at(1000, 130.0));
        // Between the two it stays what it is.
        assert!(at(1100, 95.0) && at(60_000, 95.0));
        assert!(at(61_000, 80.0) && at(63_000, 80.0) && at(63_500, 95.0));
        assert!(at(64_000, 80.0) && at(66_900, 80.0) && !at(67_000, 80.0));
    }

    proptest! {
        #[test]
        fn it_never_turns_twice_within_its_times(
            course in prop::collection::vec((1_u64..2000, 0.0_f64..200.0), 1..200),
        ) {
            let (mut latch, mut ms) = (Latch::default(), 0);
            let mut turned: Option<(u64, bool)> = None;
            let mut was = false;
            for (step, value) in course {
                ms += step;
                let is = latch.feed(Moment::from_ms(ms), Some(value), &LATE);
                if is != was {
                    if let Some((before, _)) = turned {
                        let least = if is { 1000 } else { 3000 };
                        prop_assert!(ms - before >= least, "{before} -> {ms}");
                    }
                    let fits = if is { value > 100.0 } else { value <= 90.0 };
                    prop_assert!(fits, "{value}");
                    turned = Some((ms, is));
                    was = is;
                }
            }
        }
    }
}
