//! The alarms that are open: who acknowledged what, and storms folded into one. It decides what is told and
//! nothing else; what raises and clears an alarm is `stats::alarm`'s. Time is handed in.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    base::{AlarmId, Moment, Severity},
    stats::{alarm::Crossing, verdict::Subject},
};

/// So many alarms within [`WINDOW`] are told one by one; more are a storm.
const TOLD: usize = 4;
const WINDOW: Duration = Duration::from_secs(10);
/// A storm gathers for so long before it is told as one, at first and again while it goes on.
const GATHERS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));
/// More open alarms than this are not kept apart: rules times outputs are fewer.
const MOST_OPEN: usize = 2048;

/// An alarm that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmState {
    /// The rule.
    pub alarm: AlarmId,
    /// About whom.
    pub about: Subject,
    /// How much it matters.
    pub severity: Severity,
    /// Since when.
    pub since: Moment,
    /// In words.
    pub words: String,
    /// Somebody has seen it.
    pub acknowledged: bool,
    /// It was told as part of a storm, not by itself.
    folded: bool,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tell {
    /// An alarm began.
    Raised(AlarmState),
    /// An alarm is over, after so long.
    Cleared(AlarmState, Duration),
    /// So many more began, too many to tell each.
    Folded { alarms: BTreeMap<AlarmId, u32>, severity: Severity },
    /// All that were told together are over.
    Calm { count: u32 },
}

/// All alarms of a show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Alarms {
    open: Vec<AlarmState>,
    /// When the last ones were told one by one.
    told: VecDeque<Moment>,
    storm: Option<Storm>,
    /// How many of the present storm were folded.
    folded: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Storm {
    /// When what has gathered is told.
    tell_at: Moment,
    gathered: BTreeMap<AlarmId, u32>,
    severity: Severity,
}

impl Alarms {
    /// Those that are open, the oldest first.
    pub fn open(&self) -> &[AlarmState] {
        &self.open
    }

    /// Those that nobody has acknowledged.
    pub fn unseen(&self) -> impl Iterator<Item = &AlarmState> {
        self.open.iter().filter(|a| !a.acknowledged)
    }

    /// When something is to be told next.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        self.storm.as_ref().map(|storm| storm.tell_at)
    }

    /// A figure crossed.
    pub(super) fn cross(&mut self, now: Moment, crossing: Crossing) -> Option<Tell> {
        let place =
            self.open.iter().position(|a| a.alarm == crossing.alarm && a.about == crossing.about);
        match (crossing.raised, place) {
            (true, None) if self.open.len() < MOST_OPEN => self.raise(now, crossing),
            (false, Some(place)) => self.clear(now, place),
            // It is open already, or was never raised.
            _ => None,
        }
    }

    fn raise(&mut self, now: Moment, crossing: Crossing) -> Option<Tell> {
        while self.told.front().is_some_and(|at| now.since(*at) >= WINDOW) {
            self.told.pop_front();
        }
        let folded = self.storm.is_some() || self.told.len() >= TOLD;
        let Crossing { alarm, about, severity, words, .. } = crossing;
        let state =
            AlarmState { alarm, about, severity, since: now, words, acknowledged: false, folded };
        self.open.push(state.clone());
        if !folded {
            self.told.push_back(now);
            return Some(Tell::Raised(state));
        }
        self.folded += 1;
        let storm = self.storm.get_or_insert_with(|| Storm {
            tell_at: now + GATHERS.0,
            gathered: BTreeMap::new(),
            severity,
        });
        *storm.gathered.entry(state.alarm).or_default() += 1;
        storm.severity = storm.severity.max(severity);
        None
    }

    fn clear(&mut self, now: Moment, place: usize) -> Option<Tell> {
        let state = self.open.remove(place);
        if !state.folded {
            let lasted = now.since(state.since);
            return Some(Tell::Cleared(state, lasted));
        }
        // What is gone before it was told is told all the same, with the others; then the calm is.
        (self.storm.is_none()).then(|| self.calm()).flatten()
    }

    fn calm(&mut self) -> Option<Tell> {
        if self.folded == 0 || self.open.iter().any(|a| a.folded) {
            return None;
        }
        Some(Tell::Calm { count: std::mem::take(&mut self.folded) })
    }

    /// Time has passed.
    pub(super) fn wake(&mut self, now: Moment) -> Vec<Tell> {
        let Some(storm) = self.storm.take_if(|storm| storm.tell_at <= now) else {
            return Vec::new();
        };
        if storm.gathered.is_empty() {
            // Nothing more came: the storm is over.
            return self.calm().into_iter().collect();
        }
        let (alarms, severity) = (storm.gathered, storm.severity);
        self.storm = Some(Storm {
            tell_at: now + GATHERS.1,
            gathered: BTreeMap::new(),
            severity: Severity::Info,
        });
        vec![Tell::Folded { alarms, severity }]
    }

    /// Whether there is one to acknowledge: of that name, or any.
    pub(super) fn may_acknowledge(&self, alarm: Option<&AlarmId>) -> bool {
        self.unseen().any(|a| alarm.is_none_or(|id| *id == a.alarm))
    }

    /// Somebody has seen them; how many these were.
    pub(super) fn acknowledge(&mut self, alarm: Option<&AlarmId>) -> u32 {
        let mut count = 0;
        for state in &mut self.open {
            if !state.acknowledged && alarm.is_none_or(|id| *id == state.alarm) {
                state.acknowledged = true;
                count += 1;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn crossing(alarm: &str, output: &str, raised: bool) -> Crossing {
        Crossing {
            alarm: alarm.parse().unwrap(),
            about: Subject::Output(output.parse().unwrap()),
            raised,
            severity: Severity::Warning,
            value: 7,
            words: "no frame for 0.7 s".into(),
        }
    }

    #[test]
    fn an_alarm_is_told_once_and_cleared_once() {
        let mut alarms = Alarms::default();
        let mut give =
            |ms, raised| alarms.cross(Moment::from_ms(ms), crossing("stall", "main", raised));
        assert_eq!(give(0, false), None);
        assert!(matches!(give(100, true), Some(Tell::Raised(_))));
        assert_eq!(give(200, true), None);
        assert!(matches!(give(3100, false), Some(Tell::Cleared(_, d)) if d.as_secs() == 3));
        assert_eq!(give(3200, false), None);
    }

    #[test]
    fn a_storm_is_told_as_one_and_its_calm_as_one() {
        let mut alarms = Alarms::default();
        let names: Vec<String> = (0..20).map(|n| format!("o{n}")).collect();
        let told: Vec<_> = names
            .iter()
            .filter_map(|name| alarms.cross(Moment::from_ms(1000), crossing("stall", name, true)))
            .collect();
        assert_eq!((told.len(), alarms.open().len()), (TOLD, 20));
        assert_eq!(alarms.next_wake(), Some(Moment::from_ms(3000)));
        assert_eq!(alarms.wake(Moment::from_ms(2900)), []);
        let count = [("stall".parse().unwrap(), 16)].into();
        assert_eq!(
            alarms.wake(Moment::from_ms(3000)),
            [Tell::Folded { alarms: count, severity: Severity::Warning }]
        );
        let cleared: Vec<_> = names
            .iter()
            .filter_map(|name| alarms.cross(Moment::from_ms(4000), crossing("stall", name, false)))
            .collect();
        assert_eq!(cleared.len(), TOLD);
        assert_eq!(alarms.wake(Moment::from_ms(13_000)), [Tell::Calm { count: 16 }]);
        assert_eq!(alarms.next_wake(), None);
        // The next one is told by itself again.
        let next = alarms.cross(Moment::from_ms(20_000), crossing("stall", "o1", true));
        assert!(matches!(next, Some(Tell::Raised(_))));
    }

    #[test]
    fn what_is_acknowledged_is_seen_and_still_open() {
        let mut alarms = Alarms::default();
        for (alarm, output) in [("stall", "a"), ("stall", "b"), ("late", "a")] {
            alarms.cross(Moment::from_ms(0), crossing(alarm, output, true));
        }
        let stall: AlarmId = "stall".parse().unwrap();
        assert!(alarms.may_acknowledge(Some(&stall)));
        assert_eq!(alarms.acknowledge(Some(&stall)), 2);
        assert!(!alarms.may_acknowledge(Some(&stall)) && alarms.may_acknowledge(None));
        assert_eq!((alarms.open().len(), alarms.unseen().count()), (3, 1));
    }

    proptest! {
        #[test]
        fn no_storm_tells_much_and_nothing_is_lost(
            course in prop::collection::vec((0_u64..1500, 0_u8..12, 0_u8..3, any::<bool>()), 1..300),
        ) {
            let mut alarms = Alarms::default();
            let (mut ms, mut raised) = (0, 0_u32);
            let mut told: Vec<(u64, Tell)> = Vec::new();
            for (step, output, rule, up) in course {
                let until = ms + step;
                while let Some(at) = alarms.next_wake().filter(|at| at.as_ms() <= until) {
                    prop_assert!(at.as_ms() >= ms, "a wake in the past");
                    ms = at.as_ms();
                    told.extend(alarms.wake(at).into_iter().map(|t| (ms, t)));
                }
                ms = until;
                let before = alarms.open().len();
                let one = crossing(&format!("r{rule}"), &format!("o{output}"), up);
                told.extend(alarms.cross(Moment::from_ms(ms), one).map(|t| (ms, t)));
                raised += u32::from(alarms.open().len() > before);
            }
            while let Some(at) = alarms.next_wake() {
                told.extend(alarms.wake(at).into_iter().map(|t| (at.as_ms(), t)));
            }
            let mut said = 0;
            let mut moments = Vec::new();
            for (at, tell) in &told {
                match tell {
                    Tell::Raised(_) => { said += 1; moments.push(*at); }
                    Tell::Folded { alarms, .. } => { said += alarms.values().sum::<u32>(); }
                    Tell::Cleared(..) | Tell::Calm { .. } => {}
                }
            }
            prop_assert_eq!(said, raised);
            for window in moments.windows(TOLD + 1) {
                prop_assert!(window[TOLD] - window[0] >= WINDOW.as_millis() as u64);
            }
        }
    }
}
