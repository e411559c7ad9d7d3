//! Alarms as rules over figures: a figure above a threshold for some time raises one, the same figure below another
//! threshold clears it. Pure: the figures and the time are handed in, and only what crosses comes out.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::verdict::{Measured, Metric, Subject};
use crate::base::{AlarmId, Moment, Severity};

/// A figure must be well for this long before its alarm clears.
const HOLDS: Duration = Duration::from_secs(1);

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The alarm's name.
    pub id: AlarmId,
    /// What is looked at; more is worse.
    pub metric: Metric,
    /// Raised above this, in the metric's unit.
    pub above: u32,
    /// After so long, in ms; 0 is at once.
    pub for_ms: u32,
    /// Cleared below this; at least 1 is taken.
    pub clears_below: u32,
    /// How much it matters.
    pub severity: Severity,
}

/// What crossed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossing {
    /// The rule.
    pub alarm: AlarmId,
    /// About whom.
    pub about: Subject,
    /// Raised, or cleared.
    pub raised: bool,
    /// How much it matters.
    pub severity: Severity,
    /// The figure, in whole units.
    pub value: u64,
    /// In words.
    pub words: String,
}

/// One rule on one subject.
#[derive(Debug, Clone, Copy, Default)]
struct Post {
    raised: bool,
    /// Since when it has been on the other side.
    other: Option<Moment>,
}

/// The rules, and where each stands.
#[derive(Debug, Clone, Default)]
pub struct Alarms {
    rules: Vec<Rule>,
    posts: BTreeMap<(usize, Subject), Post>,
}

impl Alarms {
    /// With these rules, nothing raised.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, posts: BTreeMap::new() }
    }

    /// Whether there is a rule at all.
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Takes all figures of a moment. What is not among them was not measured, and counts as well.
    pub fn look(&mut self, at: Moment, measured: &[Measured]) -> Vec<Crossing> {
        let mut crossings = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            for of in measured {
                let value = of.readings.iter().find(|r| r.metric == rule.metric).map(|r| r.value);
                let key = (index, of.about.clone());
                // Most figures are well most of the time: nothing is kept of them.
                if value.is_none_or(|v| v <= f64::from(rule.above))
                    && !self.posts.contains_key(&key)
                {
                    continue;
                }
                let post = self.posts.entry(key).or_default();
                crossings.extend(
                    post.feed(at, value, rule).then(|| cross(rule, of, value, post.raised)),
                );
            }
            let gone = |about: &Subject| measured.iter().all(|m| m.about != *about);
            for ((_, about), post) in
                self.posts.iter_mut().filter(|((i, about), _)| *i == index && gone(about))
            {
                let of = Measured {
                    about: about.clone(),
                    readings: Vec::new(),
                    words: String::new(),
                    worst: None,
                };
                crossings.extend(post.feed(at, None, rule).then(|| cross(rule, &of, None, false)));
            }
        }
        self.posts.retain(|_, post| post.raised || post.other.is_some());
        crossings
    }
}

impl Post {
    /// Whether it crossed.
    fn feed(&mut self, at: Moment, value: Option<f64>, rule: &Rule) -> bool {
        let value = value.filter(|v| v.is_finite()).unwrap_or(0.0);
        let (turns, wait) = if self.raised {
            (value < f64::from(rule.clears_below.max(1)), HOLDS)
        } else {
            (value > f64::from(rule.above), Duration::from_millis(rule.for_ms.into()))
        };
        if !turns {
            self.other = None;
            return false;
        }
        let since = *self.other.get_or_insert(at);
        if at.since(since) < wait {
            return false;
        }
        self.raised = !self.raised;
        self.other = None;
        true
    }
}

fn cross(rule: &Rule, of: &Measured, value: Option<f64>, raised: bool) -> Crossing {
    let value = value.unwrap_or(0.0);
    // The verdict knows the reason; but it may be about something else, or not be there yet.
    let words = if raised && of.worst == Some(rule.metric) && !of.words.is_empty() {
        of.words.clone()
    } else {
        rule.metric.words(value)
    };
    Crossing {
        alarm: rule.id.clone(),
        about: of.about.clone(),
        raised,
        severity: rule.severity,
        value: value.round().clamp(0.0, 1e15) as u64,
        words,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::verdict::Reading;

    fn rule(metric: Metric, above: u32, for_ms: u32, clears_below: u32) -> Rule {
        let severity = Severity::Critical;
        Rule { id: "it".parse().unwrap(), metric, above, for_ms, clears_below, severity }
    }

    fn measured(value: f64) -> Vec<Measured> {
        let readings = vec![Reading { metric: Metric::StallMs, value }];
        let about = Subject::Output("main".parse().unwrap());
        vec![Measured { about, readings, words: String::new(), worst: None }]
    }

    #[test]
    fn a_stall_that_is_open_is_raised_within_a_second_and_clears_when_it_moves() {
        let mut alarms = Alarms::new(vec![rule(Metric::StallMs, 500, 0, 100)]);
        let mut raised = Vec::new();
        // The last frame came at 1000 ms; the figures are read each 250 ms.
        for ms in (0..5000).step_by(250) {
            let open = if (1000..3000).contains(&ms) { (ms - 1000) as f64 } else { 0.0 };
            for crossing in alarms.look(Moment::from_ms(ms), &measured(open)) {
                raised.push((ms, crossing.raised, crossing.words));
            }
        }
        let said = |text: &str| text.to_owned();
        assert_eq!(
            raised,
            [(1750, true, said("no frame for 0.8 s")), (4000, false, said("no frame for 0.0 s"))]
        );
    }

    #[test]
    fn who_is_gone_has_no_alarm() {
        let mut alarms = Alarms::new(vec![rule(Metric::StallMs, 500, 0, 100)]);
        assert_eq!(alarms.look(Moment::from_ms(0), &measured(900.0)).len(), 1);
        assert_eq!(alarms.look(Moment::from_ms(100), &[]), []);
        let cleared = alarms.look(Moment::from_ms(1100), &[]);
        assert!(matches!(&cleared[..], [c] if !c.raised), "{cleared:?}");
        assert!(alarms.posts.is_empty());
    }

    proptest! {
        #[test]
        fn raised_and_cleared_take_turns_and_keep_their_times(
            course in prop::collection::vec((1_u64..1500, 0.0_f64..1000.0), 1..200),
            for_ms in 0_u32..3000,
        ) {
            let mut alarms = Alarms::new(vec![rule(Metric::StallMs, 500, for_ms, 200)]);
            let (mut ms, mut was) = (0, false);
            let (mut above_since, mut below_since) = (None, None);
            for (step, value) in course {
                ms += step;
                above_since = if value > 500.0 { above_since.or(Some(ms)) } else { None };
                below_since = if value < 200.0 { below_since.or(Some(ms)) } else { None };
                let crossings = alarms.look(Moment::from_ms(ms), &measured(value));
                prop_assert!(crossings.len() <= 1);
                if let Some(crossing) = crossings.first() {
                    prop_assert_eq!(crossing.raised, !was);
                    let since = if was { below_since } else { above_since };
                    let least = if was { 1000 } else { u64::from(for_ms) };
                    prop_assert!(since.is_some_and(|since| ms - since >= least));
                    was = crossing.raised;
                } else if !was {
                    prop_assert!(above_since.is_none_or(|since| ms - since < u64::from(for_ms)));
                }
            }
        }
    }
}
