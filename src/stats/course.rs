//! How the figures went: a sample each second, the newest hour of them, so that an operator can look back. Bounded,
//! whatever a show does; time is the meters' own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Meters, Second, Seconds, Verdict,
    figure::{Figure, Kind, Look, STAGE, STALL_SHARE, Trait, Who},
};
use crate::base::{MonitorId, OutputId, Ring};

/// Seconds kept.
pub const KEPT_S: usize = 3600;
/// Seconds that a figure's course is drawn of, and that a stall ratio is taken over.
pub const SHOWN_S: usize = 300;
/// Browsers that are looked at one by one; the others are counted.
const VIEWERS: usize = 12;

/// All figures of one second.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Milliseconds since the engine began.
    pub at_ms: u64,
    of: Vec<Of>,
}

/// The figures of one subject, in the order of its table; not a number where nothing was measured.
#[derive(Debug, Clone)]
struct Of {
    who: Who,
    values: Box<[f32]>,
    verdict: Option<Verdict>,
}

impl Sample {
    /// Who there was.
    pub fn subjects(&self) -> impl Iterator<Item = &Who> {
        self.of.iter().map(|of| &of.who)
    }

    /// The figure at that place of the subject's table.
    pub fn value(&self, who: &Who, nth: usize) -> Option<f64> {
        let value = *self.find(who)?.values.get(nth)?;
        value.is_finite().then(|| f64::from(value))
    }

    /// What was thought of it.
    pub fn verdict(&self, who: &Who) -> Option<&Verdict> {
        self.find(who)?.verdict.as_ref()
    }

    fn find(&self, who: &Who) -> Option<&Of> {
        self.of.iter().find(|of| of.who == *who)
    }
}

/// The newest hour.
#[derive(Debug)]
pub struct Course {
    seconds: Seconds,
    second: Second,
    samples: Ring<Sample>,
    /// How long the second that was last taken took; `None` of the first, of which no growth is known.
    passed_s: Option<f64>,
    /// When, in seconds, and for how many ms.
    stalls: BTreeMap<MonitorId, VecDeque<(u64, u32)>>,
}

impl Course {
    /// `stage` is the output whose viewers report to us.
    pub fn new(stage: Option<OutputId>) -> Self {
        Self {
            seconds: Seconds::new(stage),
            second: Second::default(),
            samples: Ring::new(KEPT_S),
            passed_s: None,
            stalls: BTreeMap::new(),
        }
    }

    /// Whether the stage was taken off the air in order: a picture that stands still then is no stall.
    pub const fn off_air(&mut self, is: bool) {
        self.seconds.off_air(is);
    }

    /// Takes a sample when a second has passed since the last one. Returns whether it did.
    pub fn take(&mut self, meters: &Meters) -> bool {
        let second = meters.at_ms / 1000;
        if self.samples.last().is_some_and(|last| last.at_ms / 1000 >= second) {
            return false;
        }
        let last = self.samples.last().map(|last| last.at_ms);
        self.second = self.seconds.take(meters);
        self.passed_s = last.map(|last| (meters.at_ms - last) as f64 / 1000.0);
        if last.is_none() {
            // Counters grew to what they are before anybody looked.
            self.second = self.seconds.take(meters);
        }
        self.stalled(meters.at_ms / 1000);
        let of = subjects(meters).into_iter().map(|who| {
            let values = who.figures().iter().enumerate();
            let values =
                values.map(|(nth, _)| self.now(meters, &who, nth).map_or(f32::NAN, |v| v as f32));
            Of { values: values.collect(), verdict: verdict(meters, &who).cloned(), who }
        });
        let sample = Sample { at_ms: meters.at_ms, of: of.collect() };
        self.samples.push(sample);
        true
    }

    /// The figure at that place of the subject's table, from the newest figures.
    pub fn now(&self, meters: &Meters, who: &Who, nth: usize) -> Option<f64> {
        let figure = who.figures().get(nth)?;
        match who {
            Who::Monitor(id) if is_stall_share(figure) => self.stall_share(id),
            _ => figure.read(&self.look(meters), who),
        }
    }

    /// All samples, the oldest first.
    pub fn samples(&self) -> impl DoubleEndedIterator<Item = &Sample> + ExactSizeIterator {
        self.samples.iter()
    }

    /// The sample of that second, or the last one before it.
    pub fn at(&self, at_ms: u64) -> Option<&Sample> {
        self.samples().rev().find(|sample| sample.at_ms <= at_ms)
    }

    /// A word about a subject now.
    pub fn word(&self, meters: &Meters, who: &Who, of: &Trait) -> Option<String> {
        of.read(&self.look(meters), who)
    }

    /// The figures of a subject's table in the five minutes up to that time, one for each second, the oldest first;
    /// `None` where it was not measured. Of a sum it is by how much it grew.
    pub fn windows(&self, until_ms: u64, who: &Who) -> Vec<Vec<Option<f64>>> {
        let mut windows = vec![vec![None; SHOWN_S]; who.figures().len()];
        let last = until_ms / 1000;
        for sample in self.samples().rev().filter(|sample| sample.at_ms <= until_ms) {
            let ago = usize::try_from(last - sample.at_ms / 1000).unwrap_or(SHOWN_S);
            if ago >= SHOWN_S {
                break;
            }
            let Some(of) = sample.find(who) else { continue };
            for (window, value) in windows.iter_mut().zip(&of.values) {
                window[SHOWN_S - 1 - ago] = value.is_finite().then(|| f64::from(*value));
            }
        }
        for (window, figure) in windows.iter_mut().zip(who.figures()) {
            if figure.kind == Kind::Total {
                *window = growth(window);
            }
        }
        windows
    }

    fn look<'a>(&'a self, meters: &'a Meters) -> Look<'a> {
        Look { meters, second: &self.second, passed_s: self.passed_s }
    }

    fn stalled(&mut self, now_s: u64) {
        let stage = self.second.monitor.iter().filter_map(|seen| Some((STAGE.parse().ok()?, seen)));
        let others = self.second.monitors.iter().map(|(id, seen)| (id.clone(), seen));
        for (id, seen) in stage.chain(others) {
            let seconds = self.stalls.entry(id).or_default();
            seconds.push_back((now_s, seen.stalled_ms));
        }
        for seconds in self.stalls.values_mut() {
            while seconds.front().is_some_and(|(at_s, _)| at_s + SHOWN_S as u64 <= now_s) {
                seconds.pop_front();
            }
        }
        self.stalls.retain(|_, seconds| !seconds.is_empty());
    }

    /// In percent.
    fn stall_share(&self, id: &MonitorId) -> Option<f64> {
        let seconds = self.stalls.get(id)?;
        let stalled: f64 = seconds.iter().map(|(_, ms)| f64::from(*ms)).sum();
        (!seconds.is_empty()).then(|| (stalled / 10.0 / seconds.len() as f64).min(100.0))
    }
}

/// By how much a sum grew from each second to the next; one that is smaller than before began anew.
fn growth(sums: &[Option<f64>]) -> Vec<Option<f64>> {
    let grown = |pair: &[Option<f64>]| match pair {
        [Some(before), Some(now)] if now >= before => Some(now - before),
        [Some(_), now] => *now,
        _ => None,
    };
    [None].into_iter().chain(sums.windows(2).map(grown)).collect()
}

fn is_stall_share(figure: &Figure) -> bool {
    figure.name == STALL_SHARE.name
}

/// Who there is now, in the order in which they are listed.
pub fn subjects(meters: &Meters) -> Vec<Who> {
    let stage = meters.monitor.iter().filter_map(|_| Some(Who::Monitor(STAGE.parse().ok()?)));
    let outputs = meters.outputs.keys().cloned().map(Who::Output);
    let monitors = meters.monitors.keys().cloned().map(Who::Monitor);
    // A page gives its visits names of their own; those that do not are one.
    let mut named = BTreeSet::new();
    let viewers = meters.viewers.iter().filter(|v| named.insert(&v.id)).take(VIEWERS);
    let viewers: Vec<_> = viewers.map(|v| Who::Viewer(v.id.clone())).collect();
    [Who::Program].into_iter().chain(outputs).chain(stage).chain(monitors).chain(viewers).collect()
}

/// What is thought of a subject now.
pub fn verdict<'a>(meters: &'a Meters, who: &Who) -> Option<&'a Verdict> {
    match who {
        Who::Output(id) => meters.verdicts.get(id),
        Who::Monitor(id) => meters.monitor_verdicts.get(id),
        Who::Program | Who::Viewer(_) => None,
    }
}

/// The value that 95 of 100 of the measured ones do not exceed; where small ones are bad, the one that 95 of 100 reach.
pub fn p95(window: &[Option<f64>], least: bool) -> Option<f64> {
    let mut values: Vec<f64> = window.iter().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let nth = (values.len() as f64 * 0.95).ceil() as usize - 1;
    values.get(if least { last - nth.min(last) } else { nth.min(last) }).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{FrameCounts, LatencySummary, OutputFigures, ViewerFigures, WatchFigures};

    fn meters(s: u64) -> Meters {
        let latency =
            LatencySummary { p50_ms: s as f64, p95_ms: 9.0, p99_ms: 9.0, max_ms: 9.0, count: 9 };
        let seen = WatchFigures {
            latency: Some(latency),
            freezes: s / 100,
            freeze_ms: s / 100 * 3000,
            ..WatchFigures::default()
        };
        let sent = OutputFigures { sent_kbps: Some(2500.0), ..OutputFigures::default() };
        Meters {
            at_ms: s * 1000 + 250,
            frames: FrameCounts { encoded: s * 30, ..FrameCounts::default() },
            outputs: [("main".parse().unwrap(), sent)].into(),
            monitor: Some(seen),
            viewers: (0..30)
                .map(|n| ViewerFigures { id: format!("v{n}"), ..ViewerFigures::default() })
                .collect(),
            ..Meters::default()
        }
    }

    fn nth(who: &Who, name: &str) -> usize {
        who.figures().iter().position(|f| f.name == name).unwrap()
    }

    #[test]
    fn a_second_is_one_sample_and_an_hour_is_all_there_is() {
        let mut course = Course::new(None);
        for s in 100..100 + 5000 {
            assert!(course.take(&meters(s)));
            assert!(!course.take(&meters(s)), "the same second");
        }
        assert_eq!(course.samples().len(), KEPT_S);
        let program = nth(&Who::Program, "frames");
        let frames: Vec<_> = course.samples().map(|s| s.value(&Who::Program, program)).collect();
        assert!(frames.iter().all(|f| *f == Some(30.0)));
        // A look that came late: 60 frames in two seconds are 30 a second.
        course.take(&meters(100 + 5000 + 1));
        assert_eq!(course.samples().last().unwrap().value(&Who::Program, program), Some(30.0));
        assert_eq!(course.samples().last().unwrap().subjects().count(), 3 + VIEWERS);
    }

    #[test]
    fn what_grew_before_anybody_looked_is_no_growth() {
        let mut course = Course::new(None);
        course.take(&meters(1000));
        let first = course.samples().next().unwrap();
        assert_eq!(first.value(&Who::Program, nth(&Who::Program, "frames")), None);
    }

    #[test]
    fn a_window_has_a_place_for_each_second() {
        let who = Who::Monitor(STAGE.parse().unwrap());
        let mut course = Course::new(None);
        for s in [10, 11, 13] {
            course.take(&meters(s));
        }
        let p50 = nth(&who, "latency p50");
        let window = &course.windows(13_900, &who)[p50];
        assert_eq!(window.len(), SHOWN_S);
        assert_eq!(window[SHOWN_S - 4..], [Some(10.0), Some(11.0), None, Some(13.0)]);
        assert_eq!(course.windows(12_500, &who)[p50][SHOWN_S - 2..], [Some(11.0), None]);
        assert_eq!(course.at(12_500).map(|s| s.at_ms), Some(11_250));
        assert!(course.at(9000).is_none());
        assert_eq!(
            growth(&[Some(3.0), Some(5.0), Some(1.0), None, Some(9.0)]),
            [None, Some(2.0), Some(1.0), None, None]
        );
    }

    #[test]
    fn the_stall_ratio_is_that_of_five_minutes() {
        let who = Who::Monitor(STAGE.parse().unwrap());
        let ratio = nth(&who, "stall ratio");
        let mut course = Course::new(None);
        for s in 150..=450 {
            course.take(&meters(s));
        }
        // Three freezes of three seconds, at 200, 300 and 400.
        let last = course.samples().last().unwrap();
        assert_eq!(last.value(&who, ratio), Some(3.0));
    }

    #[test]
    fn percentiles_take_the_bad_side() {
        let window: Vec<_> = (1..=100).map(|n| Some(f64::from(n))).chain([None]).collect();
        assert_eq!((p95(&window, false), p95(&window, true)), (Some(95.0), Some(6.0)));
        assert_eq!(p95(&[None], false), None);
        assert_eq!(p95(&[Some(7.0)], true), Some(7.0));
    }
}
