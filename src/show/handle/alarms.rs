//! What becomes of an alarm: it is said, and who is to be told of it beside the operator is ordered to be.

use std::collections::BTreeMap;

use super::Turn;
use crate::{
    base::{AlarmId, Severity},
    show::{
        alarms::Tell,
        event::{Alert, AlertState, Effect, Happening},
    },
    stats::alarm::Crossing,
};

impl Turn<'_> {
    pub(super) fn alarm_crossed(&mut self, crossing: Crossing) {
        let tell = self.show.alarms.cross(self.now.mono, crossing);
        self.tell_alarms(tell);
    }

    pub(super) fn wake_alarms(&mut self) {
        let tell = self.show.alarms.wake(self.now.mono);
        self.tell_alarms(tell);
    }

    pub(super) fn acknowledge(&mut self, alarm: Option<AlarmId>) {
        let count = self.show.alarms.acknowledge(alarm.as_ref());
        self.say(Happening::AlarmsAcknowledged { alarm, count });
    }

    fn tell_alarms(&mut self, tell: impl IntoIterator<Item = Tell>) {
        for tell in tell {
            let (alarms, state, severity, what) = match tell {
                Tell::Raised(it) => {
                    let (alarm, about, severity, words) =
                        (it.alarm, it.about, it.severity, it.words);
                    let one = BTreeMap::from([(alarm.clone(), 1)]);
                    let what = Happening::AlarmRaised { alarm, about, severity, words };
                    (one, AlertState::Raised, severity, what)
                }
                Tell::Cleared(it, lasted) => {
                    let (alarm, about, severity) = (it.alarm, it.about, it.severity);
                    let one = BTreeMap::from([(alarm.clone(), 1)]);
                    let lasted_ms = lasted.as_millis() as u64;
                    let what = Happening::AlarmCleared { alarm, about, lasted_ms };
                    (one, AlertState::Cleared, severity, what)
                }
                Tell::Folded { alarms, severity } => {
                    let what = Happening::AlarmsFolded { alarms: alarms.clone(), severity };
                    (alarms, AlertState::Storm, severity, what)
                }
                Tell::Calm { count } => {
                    self.say(Happening::AlarmsCalm { count });
                    continue;
                }
            };
            let sentence = what.sentence();
            let about = match &what {
                Happening::AlarmRaised { about, .. } | Happening::AlarmCleared { about, .. } => {
                    Some(about.clone())
                }
                _ => None,
            };
            self.say(what);
            if self.is_somebody_told(&alarms) {
                let (title, mode) = (self.show.spec.title.clone(), self.show.mode);
                let at = self.now.wall;
                let alert = Alert { alarms, state, severity, about, sentence, title, mode, at };
                self.order(Effect::Alert(Box::new(alert)));
            }
        }
    }

    /// Whether a rule among them has a command or a web address.
    fn is_somebody_told(&self, alarms: &BTreeMap<AlarmId, u32>) -> bool {
        let mut specs = self.show.spec.alarms.iter();
        specs.any(|spec| {
            alarms.contains_key(&spec.rule.id) && (!spec.run.is_empty() || spec.webhook.is_some())
        })
    }
}

/// The names of alarms and how many there are of each.
pub(in crate::show) fn counted(alarms: &BTreeMap<AlarmId, u32>) -> String {
    let each: Vec<String> = alarms
        .iter()
        .map(|(name, n)| if *n == 1 { name.to_string() } else { format!("{name} ({n})") })
        .collect();
    each.join(", ")
}

/// The word for an alarm's weight in a sentence.
pub(in crate::show) const fn weight(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "ALARM",
        Severity::Warning => "alarm",
        Severity::Info => "note",
    }
}
