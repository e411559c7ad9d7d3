//! What went wrong, and what was done: events and stalls gathered into incidents. Nothing is judged here that
//! an event or a measured second does not say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{History, Noted};
use crate::base::Severity;

/// Repeats within this are one incident, in ms.
const TOGETHER_MS: u64 = 30_000;
/// Stalls with less than this between them are one incident, in seconds.
const STALLS_TOGETHER_S: u32 = 5;

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// When it began, in ms since the show began.
    pub from_ms: u64,
    /// When it was over, in ms since the show began; `null` if it never was.
    pub until_ms: Option<u64>,
    /// The worst of it: `warning` or `critical`.
    #[schemars(with = "String")]
    pub severity: Severity,
    /// The output, input or monitor it is about.
    pub about: Option<String>,
    /// What went wrong, in words.
    pub what: String,
    /// What followed, in order.
    pub done: Vec<Step>,
}

/// One thing that was done, or that happened in turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// In ms since the show began.
    pub at_ms: u64,
    /// In words.
    pub sentence: String,
}

/// An incident that may go on.
struct Open {
    incident: Incident,
    /// Of what kind: `output`, `picture`, `input`, `program`, `panic`, `store`, `alarm` with its name, or the event's own name.
    kind: String,
}

/// What an event belongs to, and whether it is over as soon as it is said.
fn kind(event: &str) -> (&str, bool) {
    match event {
        "output-failed" | "output-silent" | "output-connecting" | "output-live"
        | "output-healed" | "output-stopped" | "return-failed" => ("output", false),
        "output-picture" => ("picture", false),
        "input-failed" | "input-started" | "input-up" | "input-ended" => ("input", false),
        "program-failed" | "encoder-up" => ("program", false),
        "panicked" | "resumed" => ("panic", false),
        "store-failed" | "store-back" => ("store", false),
        "alarm-raised" | "alarm-cleared" => ("alarm", false),
        other => (other, true),
    }
}

fn is_over(note: &Noted) -> bool {
    let good = matches!(
        note.event.as_str(),
        "output-live"
            | "output-healed"
            | "output-stopped"
            | "input-up"
            | "input-ended"
            | "encoder-up"
            | "resumed"
            | "store-back"
            | "alarm-cleared"
    );
    good || (note.event == "output-picture" && note.severity == Severity::Info)
}

impl History {
    /// Everything that went wrong, in the order in which it began.
    pub fn incidents(&self) -> Vec<Incident> {
        let mut open: Vec<Open> = Vec::new();
        let mut closed: Vec<Incident> = self.stalls();
        for note in &self.events {
            let (kind, at_once) = kind(&note.event);
            // One alarm is not over with another.
            let alarm = note.detail["alarm"].as_str().filter(|_| kind == "alarm");
            let kind = &alarm.map_or_else(|| kind.to_owned(), |alarm| format!("alarm {alarm}"));
            let mine = |o: &Open| o.kind == *kind && o.incident.about == note.about;
            let place = open.iter().position(mine);
            let repeat = |o: &Open| {
                !at_once
                    || note.at_ms.saturating_sub(o.incident.until_ms.unwrap_or(0)) <= TOGETHER_MS
            };
            match place {
                Some(i) if repeat(&open[i]) => {
                    let it = &mut open[i].incident;
                    it.done.push(Step { at_ms: note.at_ms, sentence: note.sentence.clone() });
                    it.severity = it.severity.max(note.severity);
                    if at_once {
                        it.until_ms = Some(note.at_ms);
                    } else if is_over(note) {
                        it.until_ms = Some(note.at_ms);
                        closed.push(open.remove(i).incident);
                    }
                    continue;
                }
                Some(i) => closed.push(open.remove(i).incident),
                None => {}
            }
            if note.severity > Severity::Info {
                open.push(Open {
                    kind: kind.clone(),
                    incident: Incident {
                        from_ms: note.at_ms,
                        until_ms: at_once.then_some(note.at_ms),
                        severity: note.severity,
                        about: note.about.clone(),
                        what: note.sentence.clone(),
                        done: Vec::new(),
                    },
                });
            }
        }
        closed.extend(open.into_iter().map(|o| o.incident));
        closed.sort_by_key(|i| i.from_ms);
        closed
    }

    /// The picture stood still, as the monitors saw it.
    fn stalls(&self) -> Vec<Incident> {
        let mut all: Vec<Incident> = Vec::new();
        for monitor in &self.monitors {
            // (from, until, stalled_ms)
            let mut spells: Vec<(u64, u32, u64)> = Vec::new();
            for at in monitor.seconds.iter().filter(|at| at.figures.stalled_ms > 0) {
                let stalled = u64::from(at.figures.stalled_ms);
                match spells.last_mut() {
                    Some((_, until, sum))
                        if at.at_s - *until <= STALLS_TOGETHER_S.max(self.step_s) =>
                    {
                        *until = at.at_s;
                        *sum += stalled;
                    }
                    // A freeze is known when it ends: it began that much before.
                    _ => {
                        let end_ms = u64::from(at.at_s) * 1000;
                        spells.push((end_ms.saturating_sub(stalled), at.at_s, stalled));
                    }
                }
            }
            all.extend(spells.into_iter().map(|(from_ms, until, sum)| Incident {
                from_ms,
                until_ms: Some(u64::from(until) * 1000),
                severity: Severity::Warning,
                about: Some(monitor.name.clone()),
                what: format!("the viewer's picture stood still for {:.1} s", sum as f64 / 1000.0),
                done: Vec::new(),
            }));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn an_incident_says_what_was_done_until_it_was_over() {
        let incidents = sample().incidents();
        let [stall, stepped, failed] = &incidents[..] else { panic!("{incidents:#?}") };
        assert_eq!((stall.from_ms, stall.until_ms), (58_800, Some(60_000)));
        assert!(stall.what.contains("1.2 s"), "{stall:?}");
        assert_eq!(
            (stepped.from_ms, stepped.until_ms, stepped.done.len()),
            (90_000, Some(95_000), 1)
        );
        assert_eq!((failed.from_ms, failed.until_ms), (120_000, Some(124_000)));
        assert_eq!(failed.severity, Severity::Critical);
        let done: Vec<_> = failed.done.iter().map(|s| s.at_ms / 1000).collect();
        assert_eq!(done, [121, 124]);
    }

    #[test]
    fn what_never_healed_has_no_end() {
        let mut show = sample();
        show.events.retain(|e| e.at_ms <= 121_000);
        let last = show.incidents().pop().unwrap();
        assert_eq!((last.from_ms, last.until_ms, last.done.len()), (120_000, None, 1));
    }

    #[test]
    fn stalls_that_follow_each_other_are_one() {
        let mut show = sample();
        for at in &mut show.monitors[0].seconds {
            at.figures.stalled_ms =
                if (100..140).contains(&at.at_s) && at.at_s % 4 == 0 { 300 } else { 0 };
        }
        show.events.clear();
        let incidents = show.incidents();
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        assert!(incidents[0].what.contains("3.0 s"), "{incidents:?}");
    }
}
