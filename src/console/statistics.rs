//! The statistics pane's own state: whose figures are looked at, and of when. The figures' course is collected whether
//! the pane is open or not, so that it has a past when it is opened.

use std::cmp::Reverse;

use super::keys::OwnKey;
use crate::{
    base::OutputId,
    show::{OutputState, OutputStatus, Show},
    stats::{
        Course, Grade, Meters, Verdict,
        course::{Sample, subjects, verdict},
        figure::{Aims, Who},
    },
};

/// What the pane does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Another subject.
    Subject(isize),
    /// That one.
    At(usize),
    /// What had no room on the page.
    Page,
    /// Stand still, or go on.
    Freeze,
    /// So many seconds towards the present; it stands still there, or goes on when it has reached it.
    Seconds(i64),
    /// As far back as there is anything.
    Oldest,
    /// The present.
    Live,
}

/// The pane's keys.
pub(super) const KEYS: &[OwnKey<Step>] = &[
    OwnKey {
        chords: &["up", "k"],
        shown: "up k",
        doc: "the subject above",
        own: Step::Subject(-1),
    },
    OwnKey {
        chords: &["down", "j"],
        shown: "down j",
        doc: "the subject below",
        own: Step::Subject(1),
    },
    OwnKey { chords: &["tab"], shown: "tab", doc: "what had no room", own: Step::Page },
    OwnKey { chords: &["space"], shown: "space", doc: "stand still, or go on", own: Step::Freeze },
    OwnKey { chords: &["left"], shown: "left", doc: "a second back", own: Step::Seconds(-1) },
    OwnKey { chords: &["right"], shown: "right", doc: "a second on", own: Step::Seconds(1) },
    OwnKey { chords: &["pgup"], shown: "pgup", doc: "a minute back", own: Step::Seconds(-60) },
    OwnKey { chords: &["pgdn"], shown: "pgdn", doc: "a minute on", own: Step::Seconds(60) },
    OwnKey {
        chords: &["home"],
        shown: "home",
        doc: "as far back as there is anything",
        own: Step::Oldest,
    },
    OwnKey { chords: &["end"], shown: "end", doc: "the present", own: Step::Live },
];

/// What the pane shows.
#[derive(Debug)]
pub(super) struct Statistics {
    course: Course,
    who: Who,
    page: usize,
    /// The second that is looked at, by the engine's clock in ms; `None` is the present.
    frozen: Option<u64>,
}

impl Statistics {
    pub(super) fn new(show: &Show) -> Self {
        let stage = show.stage().map(|o| o.spec.id.clone());
        Self { course: Course::new(stage), who: Who::Program, page: 0, frozen: None }
    }

    /// New figures. What is looked at stays where it is.
    pub(super) fn on_meters(&mut self, show: &Show, meters: &Meters) {
        if meters.at_ms == 0 {
            // Nothing was read yet.
            return;
        }
        self.course.off_air(
            show.stage()
                .is_some_and(|o| matches!(o.status, OutputStatus::Idle | OutputStatus::Stopping)),
        );
        self.take(meters);
    }

    /// Figures of a second before the console came. What the show is now says nothing of then: the stage was on the
    /// air when it sent.
    pub(super) fn on_past(&mut self, show: &Show, meters: &Meters) {
        let sent = |o: &OutputState| meters.outputs.contains_key(&o.spec.id);
        self.course.off_air(show.stage().is_some_and(|o| !sent(o)));
        self.take(meters);
    }

    fn take(&mut self, meters: &Meters) {
        self.course.take(meters);
        // What is looked at goes with the oldest there is.
        let oldest = self.course.samples().next().map_or(0, |sample| sample.at_ms);
        self.frozen = self.frozen.map(|at_ms| at_ms.max(oldest));
    }

    /// The output whose figures are looked at.
    pub(super) fn output(&self, meters: &Meters) -> Option<OutputId> {
        match self.subjects(meters).into_iter().nth(self.selected(meters))? {
            Who::Output(id) => Some(id),
            Who::Program | Who::Monitor(_) | Who::Viewer(_) => None,
        }
    }

    /// The figures' past.
    pub(super) const fn course(&self) -> &Course {
        &self.course
    }

    /// The time that is looked at, by the engine's clock in ms; `None` is the present.
    pub(super) const fn frozen(&self) -> Option<u64> {
        self.frozen
    }

    /// What was measured at the time that is looked at; `None` is the present.
    pub(super) fn sample(&self) -> Option<&Sample> {
        self.course.at(self.frozen?)
    }

    /// Which page of what does not fit on one, of so many.
    pub(super) const fn page(&self, of: usize) -> usize {
        if of == 0 { 0 } else { self.page % of }
    }

    /// Who there is at the time that is looked at.
    pub(super) fn subjects(&self, meters: &Meters) -> Vec<Who> {
        match self.sample() {
            Some(sample) => sample.subjects().cloned().collect(),
            None => subjects(meters),
        }
    }

    /// Whose figures are looked at: the first of all where that one is not there any more.
    pub(super) fn selected(&self, meters: &Meters) -> usize {
        self.subjects(meters).iter().position(|who| *who == self.who).unwrap_or(0)
    }

    /// What is thought of a subject, then or now.
    pub(super) fn verdict<'a>(&'a self, meters: &'a Meters, who: &Who) -> Option<&'a Verdict> {
        match self.sample() {
            Some(sample) => sample.verdict(who),
            None => verdict(meters, who),
        }
    }

    /// Who has it worst, when somebody has it ill.
    pub(super) fn worst<'a>(&'a self, meters: &'a Meters) -> Option<(Who, &'a Verdict)> {
        let subjects = self.subjects(meters).into_iter().enumerate();
        let judged = subjects.filter_map(|(n, who)| Some((n, self.verdict(meters, &who)?, who)));
        let ill = judged.filter(|(_, verdict, _)| verdict.grade > Grade::Good);
        let worst = ill.max_by_key(|(n, verdict, _)| (verdict.grade, Reverse(*n)));
        worst.map(|(_, verdict, who)| (who, verdict))
    }

    pub(super) fn step(&mut self, step: Step, meters: &Meters) {
        match step {
            Step::Subject(by) => {
                let at = self.selected(meters).saturating_add_signed(by);
                self.step(Step::At(at), meters);
            }
            Step::At(at) => {
                let mut subjects = self.subjects(meters);
                let at = at.min(subjects.len().saturating_sub(1));
                if at < subjects.len() {
                    self.who = subjects.swap_remove(at);
                    self.page = 0;
                }
            }
            Step::Page => self.page = self.page.wrapping_add(1),
            Step::Freeze if self.frozen.is_some() => self.frozen = None,
            Step::Freeze => self.frozen = self.course.samples().last().map(|s| s.at_ms),
            Step::Seconds(by) => self.go(by),
            Step::Oldest => self.frozen = self.course.samples().next().map(|s| s.at_ms),
            Step::Live => self.frozen = None,
        }
    }

    fn go(&mut self, seconds: i64) {
        let mut ends = self.course.samples().map(|s| s.at_ms);
        let Some(oldest) = ends.next() else { return };
        let newest = ends.next_back().unwrap_or(oldest);
        let Some(from) = self.frozen.or((seconds < 0).then_some(newest)) else { return };
        let to = from.saturating_add_signed(seconds.saturating_mul(1000)).max(oldest);
        self.frozen = (to < newest).then_some(to);
    }
}

/// What the figures of a subject are held against: the profile of the output that they are about, or the show's.
pub(super) fn aims(show: &Show, who: &Who) -> Aims {
    let monitors = &show.spec.monitors;
    let output = match who {
        Who::Output(id) => Some(id),
        Who::Monitor(id) => monitors.iter().find(|m| m.id == *id).and_then(|m| m.output.as_ref()),
        Who::Program | Who::Viewer(_) => None,
    };
    let profile = output.and_then(|id| show.output(id)?.spec.profile.as_deref());
    let profile = profile.unwrap_or(&show.spec.profile);
    Aims { targets: profile.targets(), fps: f64::from(profile.canvas.fps) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{console::fixture, stats::course::KEPT_S};

    fn at(s: u64) -> Meters {
        Meters { at_ms: s * 1000, ..(*fixture::watched().meters).clone() }
    }

    fn watched(seconds: std::ops::Range<u64>) -> Statistics {
        let show = fixture::watched().show;
        let mut statistics = Statistics::new(&show);
        for s in seconds {
            statistics.on_meters(&show, &at(s));
        }
        statistics
    }

    #[test]
    fn time_goes_back_as_far_as_there_is_any_and_ends_in_the_present() {
        let mut statistics = watched(10..100);
        let now = at(100);
        let mut went = |step| {
            statistics.step(step, &now);
            statistics.frozen()
        };
        assert_eq!(went(Step::Seconds(1)), None, "there is no future");
        assert_eq!(went(Step::Seconds(-1)), Some(98_000));
        assert_eq!(went(Step::Seconds(-60)), Some(38_000));
        assert_eq!(went(Step::Seconds(-60)), Some(10_000));
        assert_eq!(went(Step::Seconds(60)), Some(70_000));
        assert_eq!(went(Step::Seconds(60)), None);
        assert_eq!(went(Step::Freeze), Some(99_000));
        assert_eq!(went(Step::Freeze), None);
        assert_eq!(went(Step::Oldest), Some(10_000));
        assert_eq!(went(Step::Live), None);
    }

    #[test]
    fn what_is_looked_at_stays_while_time_goes_on() {
        let mut statistics = watched(10..20);
        statistics.step(Step::Freeze, &at(20));
        let show = fixture::watched().show;
        statistics.on_meters(&show, &at(30));
        assert_eq!(statistics.sample().map(|s| s.at_ms), Some(19_000));
    }

    #[test]
    fn what_is_older_than_an_hour_is_not_looked_at_any_more() {
        let mut statistics = watched(10..10 + KEPT_S as u64);
        statistics.step(Step::Oldest, &at(0));
        assert_eq!(statistics.frozen(), Some(10_000));
        let show = fixture::watched().show;
        statistics.on_meters(&show, &at(10 + KEPT_S as u64));
        assert_eq!(statistics.frozen(), Some(11_000));
        assert_eq!(statistics.sample().map(|s| s.at_ms), Some(11_000));
    }

    #[test]
    fn the_hand_stays_on_its_subject_when_others_come_and_go() {
        let mut statistics = watched(10..11);
        let mut now = at(11);
        let tokyo = Who::Monitor("tokyo".parse().unwrap());
        let place = statistics.subjects(&now).iter().position(|w| *w == tokyo).unwrap();
        statistics.step(Step::At(place), &now);
        now.outputs.remove::<crate::base::OutputId>(&"backup".parse().unwrap());
        assert_eq!(statistics.subjects(&now)[statistics.selected(&now)], tokyo);
        now.monitors.clear();
        assert_eq!(statistics.selected(&now), 0, "one that is gone");
        for _ in 0..99 {
            statistics.step(Step::Subject(1), &now);
        }
        assert_eq!(statistics.selected(&now), statistics.subjects(&now).len() - 1);
    }

    #[test]
    fn the_worst_is_named_first() {
        let state = fixture::alarmed();
        let statistics = Statistics::new(&state.show);
        let (who, verdict) = statistics.worst(&state.meters).unwrap();
        assert_eq!(who, Who::Output("backup".parse().unwrap()));
        assert_eq!(verdict.grade, Grade::Stalling);
    }
}
