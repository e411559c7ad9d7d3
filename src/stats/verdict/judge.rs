//! The judge of one output or monitor: takes a look at its figures a few times a second, and says what is to be
//! thought of them. What is measured at the sender explains what a viewer has; it is never guessed.

use std::{collections::BTreeMap, collections::VecDeque, time::Duration};

use super::{
    Grade, Metric, Place, Reading, Verdict,
    limits::{self, Latch},
};
use crate::{
    base::Moment,
    stats::{FrameCounts, WatchFigures, history::Targets},
};

/// Over which the share of stalls is taken, and the least it is taken of.
const STALLS_OVER: (Duration, Duration) = (Duration::from_mins(5), Duration::from_mins(1));
/// From going on air to the first picture at a viewer, in ms; what it takes longer is a stall.
const FIRST_PICTURE_MS: u64 = 1000;
/// Over which frames that were not encoded, or thrown away, are counted.
const FRAMES_OVER: Duration = Duration::from_secs(2);
/// The least of such frames that a share is taken of.
const FRAMES_LEAST: u64 = 15;

/// Whether an output is on the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Air {
    /// Off, as it was meant.
    Off,
    /// On.
    On,
    /// Off since then, and meant to be on.
    Down(Moment),
}

/// The sender's side of an output.
#[derive(Debug, Clone, PartialEq)]
pub struct Sender {
    /// Whether it is on the air.
    pub air: Air,
    /// Since the last feedback, in ms, where there is feedback.
    pub silent_ms: Option<u64>,
    /// The picture is not sent, because the link carries hardly anything.
    pub sound_only: bool,
    /// Whether the path keeps the picture from the profile's best. A picture that needs little does not try how much
    /// it carries.
    pub path_limits: bool,
    /// What the path is believed to carry, in kbit/s.
    pub available_kbps: Option<f64>,
    /// What the profile's best picture and its sound take at most, in kbit/s.
    pub needed_kbps: f64,
    /// Lost on the way, 0.0-1.0.
    pub loss: Option<f64>,
    /// Frames thrown away so far because the output could not keep up.
    pub dropped: u64,
    /// Whether any of it was measured: else the figures say nothing about how it goes.
    pub measured: bool,
}

/// What all outputs share.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Studio {
    /// Frames that the encoder was too late for in the last 2 s, in percent.
    pub encoder_late_percent: f64,
    /// The input on program that has given nothing, or too little, for longest, in words, and for how long.
    pub input_late: Option<(String, Duration)>,
}

impl Studio {
    /// The figures of it.
    pub fn readings(&self) -> Vec<Reading> {
        let late = self.input_late.as_ref().map_or(0.0, |(_, late)| late.as_secs_f64() * 1000.0);
        vec![
            Reading { metric: Metric::EncoderLatePercent, value: self.encoder_late_percent },
            Reading { metric: Metric::InputLateMs, value: late },
        ]
    }
}

/// Who is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// An output: what goes wrong at the sender counts.
    Output,
    /// A viewer: what goes wrong at the sender only explains.
    Viewer,
}

/// How others have it who watch the same output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// There are none.
    None,
    /// Well.
    Well,
    /// As badly, all of them.
    Ill,
}

/// One look.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// When.
    pub at: Moment,
    /// Who is judged.
    pub of: Of,
    /// What is aimed at.
    pub targets: Targets,
    /// What all share.
    pub studio: &'a Studio,
    /// The sender's side; `None` when it is not ours.
    pub sender: Option<&'a Sender>,
    /// What a viewer has; `None` when nobody watches.
    pub viewer: Option<&'a WatchFigures>,
    /// How others have it.
    pub others: Others,
}

/// What a look gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judged {
    /// `None` when nothing is measured, or it is off the air as it was meant.
    pub verdict: Option<Verdict>,
    /// The figures that were measured.
    pub readings: Vec<Reading>,
}

/// Counts by how much a counter grew over the last 2 s.
#[derive(Debug, Clone, Default)]
struct Growth {
    seen: VecDeque<(Moment, u64)>,
}

impl Growth {
    fn take(&mut self, at: Moment, count: u64) -> u64 {
        if self.seen.back().is_some_and(|(_, last)| count < *last) {
            // It began anew.
            self.seen.clear();
        }
        self.seen.push_back((at, count));
        while self.seen.get(1).is_some_and(|(then, _)| at.since(*then) >= FRAMES_OVER) {
            self.seen.pop_front();
        }
        self.seen.front().map_or(0, |(_, first)| count - first)
    }
}

/// Judges what all outputs share.
#[derive(Debug, Clone, Default)]
pub struct ProgramJudge {
    composed: Growth,
    late: Growth,
    input: Option<(String, Moment)>,
}

impl ProgramJudge {
    /// A look at the counts of frames, and at the input on program that is late, in words, if there is one.
    pub fn look(&mut self, at: Moment, frames: &FrameCounts, late: Option<String>) -> Studio {
        let composed = self.composed.take(at, frames.composed);
        let dropped = self.late.take(at, frames.dropped);
        let share = 100.0 * dropped as f64 / composed.max(1) as f64;
        self.input = late.map(|words| {
            let since = self.input.as_ref().map_or(at, |(_, since)| *since);
            (words, since)
        });
        let input = self.input.as_ref();
        Studio {
            encoder_late_percent: if composed < FRAMES_LEAST { 0.0 } else { share.min(100.0) },
            input_late: input.map(|(words, since)| (words.clone(), at.since(*since))),
        }
    }
}

/// How long the picture stood still, over sessions and with the stall that is open.
#[derive(Debug, Clone, Default)]
struct Stalled {
    /// What sessions before this one had, less what was not to be counted.
    carried: i64,
    last_raw: Option<i64>,
    /// The total at full seconds of the last five minutes.
    course: VecDeque<(Moment, i64)>,
    /// How long the last one was, in ms.
    last_ms: u64,
}

impl Stalled {
    fn total(&mut self, viewer: &WatchFigures) -> i64 {
        let open = if viewer.frozen { viewer.gap_ms } else { 0 };
        let raw = (viewer.freeze_ms + viewer.pause_ms + open) as i64;
        match self.last_raw.replace(raw) {
            // Another session counts from nothing; what was open then is over.
            Some(last) if raw < last => self.carried += last,
            // It was not looked at, or off the air: whatever there was is not to be counted.
            None => self.carried = self.course.back().map_or(0, |(_, total)| *total) - raw,
            Some(_) => {}
        }
        self.carried + raw
    }

    /// The share of the last five minutes, 0.0-1.0.
    fn share(&mut self, at: Moment, viewer: &WatchFigures) -> f64 {
        if viewer.frozen {
            self.last_ms = viewer.gap_ms;
        }
        let total = self.total(viewer);
        if self.course.back().is_none_or(|(last, _)| at.since(*last) >= Duration::from_secs(1)) {
            self.course.push_back((at, total));
        }
        while self.course.get(1).is_some_and(|(then, _)| at.since(*then) >= STALLS_OVER.0) {
            self.course.pop_front();
        }
        let (first, before) = self.course.front().copied().unwrap_or((at, total));
        let span = at.since(first).max(STALLS_OVER.1);
        ((total - before).max(0) as f64 / 1000.0 / span.as_secs_f64()).min(1.0)
    }
}

/// The judge of one output or monitor.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    latches: BTreeMap<Metric, Latch>,
    stalled: Stalled,
    dropped: Growth,
    /// Since when there has been a viewer to look at.
    since: Option<Moment>,
}

/// Something that counts as bad.
struct Symptom {
    metric: Metric,
    grade: Grade,
    /// How far beyond its limit it is, as a factor.
    excess: f64,
    place: Option<Place>,
    /// The sender's: it explains, and may be none of a viewer's business.
    senders: bool,
    words: String,
}

impl Judge {
    /// Takes a look.
    pub fn look(&mut self, look: &Look<'_>) -> Judged {
        let off = look.sender.is_some_and(|s| s.air == Air::Off);
        let viewer = look.viewer.filter(|_| !off);
        match viewer {
            Some(_) => _ = self.since.get_or_insert(look.at),
            None => self.since = None,
        }
        if viewer.is_none_or(|viewer| self.is_awaited(look.at, viewer)) {
            self.stalled.last_raw = None;
        }
        let readings = if off { Vec::new() } else { self.readings(look, viewer) };
        let symptoms = self.symptoms(look, viewer, &readings);
        let nothing = match look.of {
            Of::Viewer => viewer.is_none(),
            Of::Output => off || (viewer.is_none() && look.sender.is_none_or(|s| !s.measured)),
        };
        let verdict = match verdict(look, symptoms) {
            verdict if off || (nothing && verdict.grade == Grade::Good) => None,
            verdict => Some(verdict),
        };
        Judged { verdict, readings }
    }

    /// How long there has been a viewer, in ms.
    fn here_ms(&self, at: Moment) -> u64 {
        self.since.map_or(0, |since| at.since(since).as_millis() as u64)
    }

    /// Whether the first picture since the output went on air may still be on its way.
    fn is_awaited(&self, at: Moment, viewer: &WatchFigures) -> bool {
        let here_ms = self.here_ms(at);
        viewer.gap_ms > here_ms && here_ms < FIRST_PICTURE_MS
    }

    /// How long the picture has stood still, in ms. What it stood while the output was off is no stall.
    fn open_stall_ms(&self, at: Moment, viewer: &WatchFigures) -> f64 {
        if !viewer.frozen || self.is_awaited(at, viewer) {
            return 0.0;
        }
        viewer.gap_ms.min(self.here_ms(at)) as f64
    }

    fn readings(&mut self, look: &Look<'_>, viewer: Option<&WatchFigures>) -> Vec<Reading> {
        let mut all = Vec::new();
        let mut add = |metric, value: f64| all.push(Reading { metric, value });
        if let Some(viewer) = viewer {
            let share = self.stalled.share(look.at, viewer);
            let target = f64::from(look.targets.stall_permille) / 1000.0;
            let of_target = if share == 0.0 { 0.0 } else { share / target.max(1e-6) * 100.0 };
            add(Metric::ForeignMs, viewer.foreign_ms as f64);
            add(Metric::StallMs, self.open_stall_ms(look.at, viewer));
            add(Metric::StallsPercentOfTarget, of_target);
            if let Some(latency) = viewer.latency {
                let target = f64::from(look.targets.latency_ms.max(1));
                add(Metric::LatencyPercentOfTarget, latency.p95_ms / target * 100.0);
            }
            if let Some(skew) = viewer.av_skew_ms {
                add(Metric::SkewMs, skew.abs());
            }
        }
        let Some(sender) = look.sender else { return all };
        let down = match sender.air {
            Air::Down(since) => (look.at.since(since).as_secs_f64() * 1000.0).max(1.0),
            Air::On | Air::Off => 0.0,
        };
        add(Metric::DownMs, down);
        if down > 0.0 {
            // What the sessions before had says nothing about now.
            return all;
        }
        if let Some(silent) = sender.silent_ms {
            add(Metric::SilenceMs, silent as f64);
        }
        if let Some(available) = sender.available_kbps {
            let short = (1.0 - available / sender.needed_kbps.max(1.0)).clamp(0.0, 1.0);
            let felt = sender.path_limits || sender.sound_only;
            add(Metric::UplinkShortPercent, if felt { short * 100.0 } else { 0.0 });
        }
        if let Some(loss) = sender.loss {
            add(Metric::LossPercent, loss * 100.0);
        }
        add(Metric::ThrownAway, self.dropped.take(look.at, sender.dropped) as f64);
        all
    }

    fn symptoms(
        &mut self,
        look: &Look<'_>,
        viewer: Option<&WatchFigures>,
        readings: &[Reading],
    ) -> Vec<Symptom> {
        let studio = if look.sender.is_some() { look.studio.readings() } else { Vec::new() };
        let mut all = Vec::new();
        for (_, metric) in Metric::NAMED {
            let limit = limits::of(metric);
            let mut both = readings.iter().chain(&studio);
            let value = both.find(|r| r.metric == metric).map(|r| r.value);
            let latch = self.latches.entry(metric).or_default();
            if !latch.feed(look.at, value, &limit) {
                continue;
            }
            let value = value.unwrap_or(0.0);
            let cut_off =
                metric == Metric::UplinkShortPercent && look.sender.is_some_and(|s| s.sound_only);
            all.push(Symptom {
                metric,
                grade: if cut_off { Grade::Stalling } else { limit.grade },
                excess: value / limit.above.max(1.0),
                place: place(metric),
                senders: !metric.is_viewers(),
                words: self.words(metric, value, look, viewer),
            });
        }
        all
    }

    fn words(
        &self,
        metric: Metric,
        value: f64,
        look: &Look<'_>,
        viewer: Option<&WatchFigures>,
    ) -> String {
        match metric {
            Metric::ForeignMs if value == 0.0 => {
                "viewers had another show's picture: somebody else publishes to this place".into()
            }
            Metric::StallMs if value == 0.0 => {
                format!("stood still for {:.1} s", self.stalled.last_ms as f64 / 1000.0)
            }
            Metric::StallsPercentOfTarget => {
                let target = f64::from(look.targets.stall_permille) / 10.0;
                let share = value / 100.0 * target.max(1e-4);
                format!("still for {share:.1} % of the time, {target} % at most")
            }
            Metric::LatencyPercentOfTarget => {
                let ms = value / 100.0 * f64::from(look.targets.latency_ms.max(1));
                format!("{ms:.0} of {} ms", look.targets.latency_ms)
            }
            Metric::SkewMs => {
                let early = viewer.and_then(|v| v.av_skew_ms).is_some_and(|ms| ms < 0.0);
                format!("sound {value:.0} ms {}", if early { "early" } else { "late" })
            }
            Metric::UplinkShortPercent => {
                let needed = look.sender.map_or(0.0, |s| s.needed_kbps);
                let available = look.sender.and_then(|s| s.available_kbps);
                let available = available.unwrap_or(needed).min(needed);
                format!("uplink {:.1} of {:.1} Mb/s needed", available / 1e3, needed / 1e3)
            }
            Metric::InputLateMs => {
                let late = look.studio.input_late.as_ref();
                late.map_or_else(|| "an input was late".into(), |(words, _)| words.clone())
            }
            _ => metric.words(value),
        }
    }
}

const fn place(metric: Metric) -> Option<Place> {
    match metric {
        Metric::SilenceMs => Some(Place::Ingest),
        Metric::UplinkShortPercent | Metric::LossPercent => Some(Place::Uplink),
        Metric::EncoderLatePercent => Some(Place::Cpu),
        Metric::InputLateMs => Some(Place::Input),
        // Whoever gives the place away to two.
        Metric::ForeignMs => Some(Place::Ingest),
        Metric::DownMs
        | Metric::StallMs
        | Metric::StallsPercentOfTarget
        | Metric::LatencyPercentOfTarget
        | Metric::SkewMs
        | Metric::ThrownAway => None,
    }
}

fn verdict(look: &Look<'_>, mut symptoms: Vec<Symptom>) -> Verdict {
    symptoms.sort_by(|a, b| b.grade.cmp(&a.grade).then(b.excess.total_cmp(&a.excess)));
    let counts = |s: &&Symptom| look.of == Of::Output || !s.senders;
    let Some(worst) = symptoms.iter().find(counts) else { return Verdict::good() };
    let causes = || symptoms.iter().filter(|s| s.senders && s.metric != worst.metric);
    // Of several, the one that lies nearest to the viewer's trouble: the way there before what feeds it.
    let cause = [Place::Uplink, Place::Ingest, Place::Cpu, Place::Input]
        .into_iter()
        .find_map(|place| causes().find(|s| s.place == Some(place)));
    let place = worst.place.or_else(|| cause.and_then(|s| s.place));
    let mut words = format!("{}: {}", worst.grade.word(), worst.words);
    if let Some(cause) = cause {
        words.push_str("; ");
        words.push_str(&cause.words);
    }
    let place = match (place, worst.senders, look.others) {
        (None, false, Others::Well) => Some(Place::LastMile),
        (None, false, Others::Ill) if sender_is_well(look, &symptoms) => Some(Place::Ingest),
        (place, ..) => place,
    };
    match place {
        Some(Place::LastMile) => words.push_str("; others have it well: the last mile"),
        Some(Place::Ingest) if !worst.senders && cause.is_none() => {
            words.push_str("; all who watch have it: the ingest, or behind it");
        }
        _ => {}
    }
    Verdict { grade: worst.grade, words, worst: Some(worst.metric), place }
}

fn sender_is_well(look: &Look<'_>, symptoms: &[Symptom]) -> bool {
    look.sender.is_some_and(|s| s.air == Air::On && s.measured)
        && symptoms.iter().all(|s| !s.senders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::LatencySummary;

    const TARGETS: Targets = Targets { latency_ms: 600, stall_permille: 5 };

    fn sender() -> Sender {
        Sender {
            air: Air::On,
            silent_ms: Some(40),
            sound_only: false,
            path_limits: true,
            available_kbps: Some(2600.0),
            needed_kbps: 2500.0,
            loss: Some(0.0),
            dropped: 0,
            measured: true,
        }
    }

    fn viewer(p95_ms: f64, gap_ms: u64) -> WatchFigures {
        let latency =
            LatencySummary { p50_ms: p95_ms, p95_ms, p99_ms: p95_ms, max_ms: p95_ms, count: 300 };
        WatchFigures {
            latency: Some(latency),
            gap_ms,
            frozen: gap_ms > 183,
            ..WatchFigures::default()
        }
    }

    struct Bench {
        judge: Judge,
        ms: u64,
        of: Of,
        others: Others,
        studio: Studio,
    }

    impl Bench {
        fn new(of: Of) -> Self {
            let studio = Studio::default();
            Self { judge: Judge::default(), ms: 0, of, others: Others::None, studio }
        }

        /// Looks ten times a second for so long; what the last look gave.
        fn watch(
            &mut self,
            ms: u64,
            sender: Option<&Sender>,
            viewer: Option<&WatchFigures>,
        ) -> Option<Verdict> {
            let mut last = None;
            for _ in 0..ms.div_ceil(100) {
                self.ms += 100;
                let look = Look {
                    at: Moment::from_ms(self.ms),
                    of: self.of,
                    targets: TARGETS,
                    studio: &self.studio,
                    sender,
                    viewer,
                    others: self.others,
                };
                last = self.judge.look(&look).verdict;
            }
            last
        }
    }

    fn words(verdict: Option<Verdict>) -> String {
        verdict.map_or("–".into(), |v| v.words)
    }

    #[test]
    fn what_is_within_its_targets_is_good_and_what_is_not_measured_is_nothing() {
        let mut bench = Bench::new(Of::Output);
        let (well, nothing) = (
            sender(),
            Sender {
                measured: false,
                available_kbps: None,
                loss: None,
                silent_ms: None,
                ..sender()
            },
        );
        assert_eq!(words(bench.watch(5000, Some(&well), Some(&viewer(120.0, 20)))), "good");
        assert_eq!(words(bench.watch(5000, Some(&nothing), None)), "–");
        let off = Sender { air: Air::Off, ..sender() };
        assert_eq!(words(bench.watch(5000, Some(&off), Some(&viewer(120.0, 60_000)))), "–");
        let mut bench = Bench::new(Of::Viewer);
        assert_eq!(words(bench.watch(5000, Some(&well), None)), "–");
    }

    #[test]
    fn late_is_said_in_milliseconds_of_the_target() {
        let mut bench = Bench::new(Of::Viewer);
        assert_eq!(words(bench.watch(900, None, Some(&viewer(820.0, 20)))), "good");
        assert_eq!(words(bench.watch(500, None, Some(&viewer(820.0, 20)))), "late: 820 of 600 ms");
        // Just below the target is not yet well again.
        assert_eq!(words(bench.watch(9000, None, Some(&viewer(590.0, 20)))), "late: 590 of 600 ms");
        assert_eq!(words(bench.watch(3200, None, Some(&viewer(500.0, 20)))), "good");
    }

    #[test]
    fn an_open_stall_is_said_at_once_with_its_cause() {
        let mut bench = Bench::new(Of::Output);
        let thin = Sender { available_kbps: Some(800.0), ..sender() };
        assert_eq!(
            words(bench.watch(5000, Some(&thin), Some(&viewer(100.0, 20)))),
            "strained: uplink 0.8 of 2.5 Mb/s needed"
        );
        let verdict = bench.watch(100, Some(&thin), Some(&viewer(100.0, 1200))).unwrap();
        assert_eq!(verdict.words, "stalling: no frame for 1.2 s; uplink 0.8 of 2.5 Mb/s needed");
        assert_eq!((verdict.worst, verdict.place), (Some(Metric::StallMs), Some(Place::Uplink)));
        // What was is told as its share, once the picture moves.
        assert_eq!(
            words(bench.watch(500, Some(&thin), Some(&viewer(100.0, 20)))),
            "stalling: still for 2.0 % of the time, 0.5 % at most; uplink 0.8 of 2.5 Mb/s needed"
        );
    }

    #[test]
    fn a_path_that_was_never_tried_is_not_blamed() {
        let mut bench = Bench::new(Of::Output);
        let idle = Sender { available_kbps: Some(1000.0), path_limits: false, ..sender() };
        assert_eq!(words(bench.watch(5000, Some(&idle), None)), "good");
        let full = Sender { path_limits: true, ..idle };
        assert_eq!(
            words(bench.watch(5000, Some(&full), None)),
            "strained: uplink 1.0 of 2.5 Mb/s needed"
        );
    }

    #[test]
    fn the_sound_alone_is_a_stall_of_the_uplinks() {
        let mut bench = Bench::new(Of::Output);
        let thin = Sender { available_kbps: Some(90.0), sound_only: true, ..sender() };
        assert_eq!(
            words(bench.watch(5000, Some(&thin), None)),
            "stalling: uplink 0.1 of 2.5 Mb/s needed"
        );
    }

    #[test]
    fn a_senders_trouble_that_nobody_sees_is_no_viewers_trouble() {
        let mut bench = Bench::new(Of::Viewer);
        let lossy = Sender { loss: Some(0.09), ..sender() };
        assert_eq!(words(bench.watch(5000, Some(&lossy), Some(&viewer(100.0, 20)))), "good");
        let verdict = bench.watch(1500, Some(&lossy), Some(&viewer(700.0, 20))).unwrap();
        assert_eq!(verdict.words, "late: 700 of 600 ms; 9.0 % lost on the way to the ingest");
        assert_eq!(verdict.place, Some(Place::Uplink));
    }

    #[test]
    fn where_it_arises_is_said_when_figures_tell_and_not_otherwise() {
        let well = sender();
        let stalls = viewer(100.0, 3000);
        let place = |others, studio: Studio| {
            let mut bench = Bench { others, studio, ..Bench::new(Of::Viewer) };
            bench.watch(3000, Some(&well), Some(&stalls)).unwrap().place
        };
        assert_eq!(place(Others::None, Studio::default()), None);
        assert_eq!(place(Others::Well, Studio::default()), Some(Place::LastMile));
        assert_eq!(place(Others::Ill, Studio::default()), Some(Place::Ingest));
        let slow = Studio { encoder_late_percent: 40.0, ..Studio::default() };
        assert_eq!(place(Others::None, slow), Some(Place::Cpu));
        let late = Some(("input cam gives nothing".to_owned(), Duration::from_secs(3)));
        let dark = Studio { input_late: late, ..Studio::default() };
        assert_eq!(place(Others::Ill, dark), Some(Place::Input));
    }

    #[test]
    fn too_many_short_stalls_are_held_against_the_target_over_sessions() {
        let mut bench = Bench::new(Of::Viewer);
        assert_eq!(words(bench.watch(1000, None, Some(&viewer(100.0, 20)))), "good");
        // 0.2 s in what counts as a minute is a third of a percent.
        let some = WatchFigures { freezes: 1, freeze_ms: 200, ..viewer(100.0, 20) };
        assert_eq!(words(bench.watch(3000, None, Some(&some))), "good");
        // Another session counts from nothing: 0.2 and 0.4 s are one percent.
        let again = WatchFigures { freezes: 1, freeze_ms: 10, ..viewer(100.0, 20) };
        bench.watch(1000, None, Some(&again));
        let more = WatchFigures { freezes: 2, freeze_ms: 400, ..viewer(100.0, 20) };
        assert_eq!(
            words(bench.watch(1000, None, Some(&more))),
            "stalling: still for 1.0 % of the time, 0.5 % at most"
        );
        // Five minutes later they are forgotten.
        assert_eq!(words(bench.watch(310_000, None, Some(&more))), "good");
    }

    #[test]
    fn time_off_the_air_is_no_stall() {
        let mut bench = Bench::new(Of::Output);
        let (on, off) = (sender(), Sender { air: Air::Off, ..sender() });
        bench.watch(2000, Some(&on), Some(&viewer(100.0, 20)));
        bench.watch(9000, Some(&off), Some(&viewer(100.0, 9000)));
        // The first picture is on its way; then it has come, and what it stood is in the counts.
        assert_eq!(words(bench.watch(300, Some(&on), Some(&viewer(100.0, 9300)))), "good");
        let back = WatchFigures { pause_ms: 9400, ..viewer(100.0, 20) };
        assert_eq!(words(bench.watch(5000, Some(&on), Some(&back))), "good");
        let down = Sender { air: Air::Down(Moment::from_ms(bench.ms)), ..sender() };
        assert_eq!(words(bench.watch(1500, Some(&down), None)), "down: off the air for 1.5 s");
    }

    #[test]
    fn a_first_picture_that_never_comes_is_a_stall() {
        let mut bench = Bench::new(Of::Output);
        let (on, off) = (sender(), Sender { air: Air::Off, ..sender() });
        bench.watch(5000, Some(&off), Some(&viewer(100.0, 9000)));
        let verdict = bench.watch(1500, Some(&on), Some(&viewer(100.0, 10_500))).unwrap();
        assert_eq!(verdict.words, "stalling: no frame for 1.4 s");
    }

    #[test]
    fn frames_that_the_encoder_misses_are_counted_over_two_seconds() {
        let mut program = ProgramJudge::default();
        let mut look = |ms: u64, composed, dropped| {
            let frames = FrameCounts { composed, dropped, ..FrameCounts::default() };
            program.look(Moment::from_ms(ms), &frames, None).encoder_late_percent
        };
        assert_eq!(look(0, 1000, 500), 0.0);
        assert_eq!(look(1000, 1030, 503), 10.0);
        assert_eq!(look(2000, 1060, 503), 5.0);
        assert_eq!(look(3000, 1090, 503), 0.0);
        // Both began anew.
        assert_eq!(look(3100, 3, 3), 0.0);
    }
}
