//! A second of a show in whole numbers: what is kept. Made from the meters; it knows neither where nor how it
//! is kept. Counters become what they grew by, so that a second stands by itself. `None` was not measured.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    meters::{FrameCounts, Meters, OutputFigures, WatchFigures},
    sender::Limit,
};
use crate::base::{MonitorId, OutputId};

/// A gap longer than this is no freeze in WebRTC's sense but a pause; its viewer waits all the same.
const PAUSE_MS: u64 = 5000;

/// Everything of one second.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Second {
    /// Seconds since the show began.
    pub at_s: u32,
    /// The show itself.
    pub program: ProgramSecond,
    /// By output that has a session.
    pub outputs: Vec<(OutputId, OutputSecond)>,
    /// What the monitor saw; `None` while it sees nothing.
    pub monitor: Option<MonitorSecond>,
    /// What others saw that watch from outside.
    pub monitors: Vec<(MonitorId, MonitorSecond)>,
}

/// The program and the process that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ProgramSecond {
    /// Share of one core, in tenths of a percent (2000 is two cores).
    pub cpu_permille: Option<u32>,
    /// Resident memory, in KiB.
    pub memory_kib: Option<u32>,
    /// Frames out of the encoder.
    pub encoded: u32,
    /// Frames composed with the same picture as before.
    pub repeated: u32,
    /// Frames captured and never shown.
    pub skipped: u32,
    /// Frames not encoded because the encoder was behind.
    pub dropped: u32,
    /// Frames not encoded because the link had no room.
    pub withheld: u32,
}

/// The sender's side of one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OutputSecond {
    /// Sent, in kbit/s.
    pub sent_kbps: Option<u32>,
    /// What the encoder was asked for, in kbit/s.
    pub target_kbps: Option<u32>,
    /// What the path was believed to carry, in kbit/s.
    pub available_kbps: Option<u32>,
    /// Round trip, in tenths of a millisecond.
    pub rtt_tenths: Option<u32>,
    /// Lost on the way, parts per million.
    pub loss_ppm: Option<u32>,
    /// Time since the last feedback, in ms.
    pub silent_ms: Option<u32>,
    /// Frames thrown away because the output could not keep up.
    pub dropped: u32,
    /// Who watches, where it is known.
    pub viewers: Option<u32>,
    /// Encoding, the 95th percentile of the last 10 s, in tenths of a millisecond.
    #[serde(default)]
    pub encode_tenths: Option<u32>,
    /// From the encoder until the pacer let the frame go, likewise.
    #[serde(default)]
    pub pace_tenths: Option<u32>,
    /// Packets that the receiver asked for again.
    #[serde(default)]
    pub nacks: Option<u32>,
    /// Key frames that it asked for.
    #[serde(default)]
    pub plis: Option<u32>,
    /// What limited the quality at the end of it.
    #[serde(default)]
    pub limit: Option<Limit>,
}

/// What a viewer got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MonitorSecond {
    /// Capture to arrival, the median of the last 10 s, in tenths of a millisecond.
    pub p50_tenths: Option<u32>,
    /// The 95th percentile of the last 10 s, in tenths of a millisecond.
    pub p95_tenths: Option<u32>,
    /// Frames per second, in tenths.
    pub fps_tenths: u32,
    /// Received, in kbit/s.
    pub kbps: u32,
    /// Freezes that ended, and pauses that began, in this second.
    pub stalls: u32,
    /// Time stood still, in ms: of freezes that ended in this second and of the pause that is open. It can
    /// be more than a second, since a freeze counts when it ends.
    pub stalled_ms: u32,
    /// The gap that was open, in ms.
    pub gap_ms: u32,
    /// Sound against picture, in tenths of a millisecond; positive is sound late.
    pub skew_tenths: Option<i32>,
}

/// Makes seconds from meters, about one a second.
#[derive(Debug, Default)]
pub struct Seconds {
    stage: Option<OutputId>,
    off_air: bool,
    frames: FrameCounts,
    outputs: BTreeMap<OutputId, Counted>,
    stalls: Stalls,
    others: BTreeMap<MonitorId, Stalls>,
}

/// An output's counters.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    dropped: u64,
    nacks: u64,
    plis: u64,
}

#[derive(Debug, Default)]
struct Stalls {
    freezes: u64,
    freeze_ms: u64,
    /// How much of an open pause is counted already, in ms.
    counted_ms: u64,
}

fn grown(now: u64, before: u64) -> u32 {
    // A counter that is smaller than it was began anew.
    whole(now.checked_sub(before).unwrap_or(now))
}

fn whole(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A figure in whole `parts` of its unit. Nonsense (not a number, negative) is not measured.
fn parts(figure: f64, parts: f64) -> Option<u32> {
    let scaled = (figure * parts).round();
    (scaled.is_finite() && scaled >= 0.0).then(|| scaled.min(f64::from(u32::MAX)) as u32)
}

impl Seconds {
    /// `stage` is the output whose viewers report to us.
    pub fn new(stage: Option<OutputId>) -> Self {
        Self { stage, ..Self::default() }
    }

    /// Whether the stage was taken off the air in order: a picture that stands still then is no stall.
    pub const fn off_air(&mut self, is: bool) {
        self.off_air = is;
    }

    /// The second that ends with these meters.
    pub fn take(&mut self, meters: &Meters) -> Second {
        let (now, before) = (&meters.frames, std::mem::replace(&mut self.frames, meters.frames));
        let program = ProgramSecond {
            cpu_permille: meters.process.cpu_percent.and_then(|p| parts(p, 10.0)),
            memory_kib: meters.process.resident_bytes.map(|b| whole(b / 1024)),
            encoded: grown(now.encoded, before.encoded),
            repeated: grown(now.repeated, before.repeated),
            skipped: grown(now.skipped, before.skipped),
            dropped: grown(now.dropped, before.dropped),
            withheld: grown(now.withheld, before.withheld),
        };
        let outputs = meters.outputs.iter().map(|(id, figures)| {
            let viewers =
                (self.stage.as_ref() == Some(id)).then(|| whole(meters.watching() as u64));
            let before = self.outputs.entry(id.clone()).or_default();
            (id.clone(), output(figures, before, viewers))
        });
        // One that is not there any more has stopped in order.
        self.others.retain(|id, _| meters.monitors.contains_key(id));
        let monitors = meters.monitors.iter().map(|(id, seen)| {
            (id.clone(), self.others.entry(id.clone()).or_default().monitor(seen))
        });
        let monitors = monitors.collect();
        Second {
            at_s: whole(meters.at_ms / 1000),
            program,
            outputs: outputs.collect(),
            // Counted on in either case, so that nothing of it is taken for a stall later.
            monitor: meters
                .monitor
                .as_ref()
                .map(|m| self.stalls.monitor(m))
                .filter(|_| !self.off_air),
            monitors,
        }
    }
}

fn output(figures: &OutputFigures, before: &mut Counted, viewers: Option<u32>) -> OutputSecond {
    let grown_since = |now: u64, before: &mut u64| grown(now, std::mem::replace(before, now));
    OutputSecond {
        sent_kbps: figures.sent_kbps.and_then(|k| parts(k, 1.0)),
        target_kbps: figures.target_kbps.and_then(|k| parts(k, 1.0)),
        available_kbps: figures.available_kbps.and_then(|k| parts(k, 1.0)),
        rtt_tenths: figures.rtt_ms.and_then(|ms| parts(ms, 10.0)),
        loss_ppm: figures.loss.and_then(|l| parts(l, 1e6)),
        silent_ms: figures.silent_ms.map(whole),
        dropped: grown_since(figures.dropped, &mut before.dropped),
        viewers,
        encode_tenths: figures.way.encode.and_then(|l| parts(l.p95_ms, 10.0)),
        pace_tenths: figures.way.pace.and_then(|l| parts(l.p95_ms, 10.0)),
        nacks: figures.nacks.map(|n| grown_since(n, &mut before.nacks)),
        plis: figures.plis.map(|n| grown_since(n, &mut before.plis)),
        limit: figures.limit.map(|limit| limit.by),
    }
}

impl Stalls {
    fn monitor(&mut self, seen: &WatchFigures) -> MonitorSecond {
        if seen.freezes < self.freezes || seen.freeze_ms < self.freeze_ms {
            // Another session: it counts from nothing.
            (self.freezes, self.freeze_ms) = (0, 0);
        }
        let mut stalls = seen.freezes - self.freezes;
        let mut stalled_ms = seen.freeze_ms - self.freeze_ms;
        (self.freezes, self.freeze_ms) = (seen.freezes, seen.freeze_ms);
        if seen.gap_ms > PAUSE_MS {
            stalls += u64::from(self.counted_ms == 0);
            // One pause right after another is shorter than what was counted of the first.
            stalled_ms += seen.gap_ms.checked_sub(self.counted_ms).unwrap_or(seen.gap_ms);
            self.counted_ms = seen.gap_ms;
        } else {
            self.counted_ms = 0;
        }
        let skew = seen.av_skew_ms.filter(|s| s.is_finite()).map(|s| (s * 10.0).round() as i32);
        MonitorSecond {
            p50_tenths: seen.latency.and_then(|l| parts(l.p50_ms, 10.0)),
            p95_tenths: seen.latency.and_then(|l| parts(l.p95_ms, 10.0)),
            fps_tenths: parts(f64::from(seen.fps), 10.0).unwrap_or(0),
            kbps: parts(seen.kbps, 1.0).unwrap_or(0),
            stalls: whole(stalls),
            stalled_ms: whole(stalled_ms),
            gap_ms: whole(seen.gap_ms),
            skew_tenths: skew,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{LatencySummary, ViewerFigures};

    fn meters(at_ms: u64) -> Meters {
        let figures = OutputFigures {
            sent_kbps: Some(2499.6),
            rtt_ms: Some(23.44),
            loss: Some(0.012_345),
            dropped: at_ms / 1000,
            ..OutputFigures::default()
        };
        let viewer =
            |state: &str| ViewerFigures { state: state.into(), ..ViewerFigures::default() };
        Meters {
            at_ms,
            frames: FrameCounts { encoded: at_ms * 30 / 1000, ..FrameCounts::default() },
            outputs: [("far".parse().unwrap(), figures), ("stage".parse().unwrap(), figures)]
                .into(),
            viewers: vec![viewer("connected"), viewer("failed"), viewer("connected")],
            ..Meters::default()
        }
    }

    #[test]
    fn counters_become_growth_and_figures_whole_parts() {
        let mut seconds = Seconds::new("stage".parse().ok());
        seconds.take(&meters(10_000));
        let second = seconds.take(&meters(12_000));
        assert_eq!((second.at_s, second.program.encoded), (12, 60));
        let [(far, a), (_, b)] = &second.outputs[..] else { panic!("{second:?}") };
        assert_eq!(far.as_str(), "far");
        assert_eq!((a.sent_kbps, a.rtt_tenths, a.loss_ppm), (Some(2500), Some(234), Some(12_345)));
        assert_eq!((a.dropped, a.viewers, b.viewers), (2, None, Some(2)));
        assert_eq!(second.monitor, None);
        // A program that began anew.
        assert_eq!(seconds.take(&meters(1000)).program.encoded, 30);
    }

    #[test]
    fn nonsense_is_not_measured() {
        assert_eq!(
            (parts(f64::NAN, 1.0), parts(-1.0, 1.0), parts(1e30, 10.0)),
            (None, None, Some(u32::MAX))
        );
    }

    /// What the stalls of a course of (freezes, freeze_ms, gap_ms) add up to.
    fn stalled(course: &[(u64, u64, u64)]) -> (u32, u32) {
        let mut stalls = Stalls::default();
        let latency =
            LatencySummary { p50_ms: 1.0, p95_ms: 2.0, p99_ms: 3.0, max_ms: 4.0, count: 9 };
        let seen = course.iter().map(|&(freezes, freeze_ms, gap_ms)| WatchFigures {
            freezes,
            freeze_ms,
            gap_ms,
            latency: Some(latency),
            ..WatchFigures::default()
        });
        seen.map(|f| stalls.monitor(&f))
            .fold((0, 0), |(n, ms), s| (n + s.stalls, ms + s.stalled_ms))
    }

    #[test]
    fn freezes_and_pauses_are_both_waited_for() {
        assert_eq!(stalled(&[(0, 0, 20), (0, 0, 900), (1, 1200, 10), (1, 1200, 30)]), (1, 1200));
        // A gap of eight seconds is in no freeze count.
        let pause: Vec<_> = (0..=8).map(|s| (0, 0, s * 1000)).chain([(0, 0, 10)]).collect();
        assert_eq!(stalled(&pause), (1, 8000));
        assert_eq!(stalled(&[(0, 0, 6000), (0, 0, 10), (0, 0, 7000)]), (2, 13_000));
    }

    #[test]
    fn a_picture_that_was_taken_off_in_order_does_not_stall() {
        let mut seconds = Seconds::new("stage".parse().ok());
        let at = |s: u64, freezes: u64, gap_ms: u64| {
            let freeze_ms = freezes * 900;
            let seen = WatchFigures { freezes, freeze_ms, gap_ms, ..WatchFigures::default() };
            Meters { monitor: Some(seen), ..meters(s * 1000) }
        };
        assert_eq!(seconds.take(&at(1, 0, 20)).monitor.map(|m| m.stalls), Some(0));
        seconds.off_air(true);
        assert_eq!(seconds.take(&at(9, 0, 8000)).monitor, None);
        assert_eq!(seconds.take(&at(10, 1, 0)).monitor, None);
        seconds.off_air(false);
        let back = seconds.take(&at(11, 1, 20)).monitor.unwrap();
        assert_eq!((back.stalls, back.stalled_ms), (0, 0));
    }

    #[test]
    fn a_session_after_another_counts_from_nothing() {
        assert_eq!(stalled(&[(3, 900, 0), (1, 300, 0)]), (4, 1200));
    }
}
