//! Folds identical retries of a log: "main failed: connection refused (13 times, every 2.8 s)" instead of a line for each.
//! Every face that shows events as lines does it by this; what is written as JSON, and the journal, stay complete.
//!
//! An output, input, monitor or alarm hook that fails again for the same reason repeats itself until it succeeds, stops or
//! is started anew by hand. That it is being tried again is not said again meanwhile.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Event, Happening};
use crate::base::{AlarmId, InputId, MonitorId, OutputId, Ring, Severity, SourceId};

/// So many different reasons of one trouble are remembered. Two ingests that fail in turn, each with its own reason, are
/// two lines, not a new line each time.
const REASONS: usize = 8;
/// After these seconds, counted from the last time, a log that cannot change a line says again how often it was. The last
/// one holds from then on.
const SAY_AGAIN_S: [i64; 3] = [10, 60, 300];

/// One line of a folded log: an event, and how often it was the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Folded {
    /// The newest of them.
    pub event: Event,
    /// The number of the first of them: the line's name.
    pub first: u64,
    /// When the first of them was.
    pub since: Timestamp,
    /// How many they are.
    pub count: u32,
    /// Milliseconds between the newest two.
    pub gap_ms: u64,
}

impl Folded {
    fn new(event: &Event) -> Self {
        Self { event: event.clone(), first: event.seq, since: event.at, count: 1, gap_ms: 0 }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.event.what.severity()
    }

    /// It happened again.
    fn again(&mut self, event: Event) {
        let gap = event.at.duration_since(self.event.at).as_millis();
        self.gap_ms = u64::try_from(gap).unwrap_or(0);
        self.event = event;
        self.count = self.count.saturating_add(1);
    }

    /// One sentence for the operator.
    pub fn sentence(&self) -> String {
        if self.count < 2 {
            return self.event.what.sentence();
        }
        // How long it waits until the next try is said by how often it was.
        let mut what = self.event.what.clone();
        if let Happening::OutputFailed { retry_in_ms, .. }
        | Happening::ReturnFailed { retry_in_ms, .. }
        | Happening::InputFailed { retry_in_ms, .. } = &mut what
        {
            *retry_in_ms = None;
        }
        let lasted = self.event.at.duration_since(self.since).as_secs_f64().max(0.0);
        let every = lasted / f64::from(self.count - 1);
        // What comes ever more rarely comes every so often only at the end.
        let even = (every * 0.5..=every * 1.5).contains(&(self.gap_ms as f64 / 1000.0));
        let often =
            if even { format!("every {}", span(every)) } else { format!("in {}", span(lasted)) };
        format!("{} ({} times, {often})", what.sentence(), self.count)
    }
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

/// What a log does with an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// It is a line of its own.
    Line(Folded),
    /// The line of that name has happened again.
    Again {
        /// The line, as it is now.
        line: Folded,
        /// It is time that a log that cannot change a line says it.
        due: bool,
    },
    /// It was said before: nothing.
    Quiet,
}

/// What a log does with an event, and before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// What a log that cannot change a line has to say first: repeats that it has not told yet.
    pub before: Vec<Folded>,
    /// The event itself.
    pub told: Told,
}

/// What can be in trouble.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Input(InputId),
    Output(OutputId),
    Monitor(MonitorId),
    Chat(SourceId),
    Hook(AlarmId),
}

/// What is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Failed(String),
    NotBack(String),
    Warned(String),
    /// To where.
    Trying(String),
}

/// What an event means to its subject.
enum Part {
    /// It may repeat.
    Repeats(Subject, Key),
    /// All is well.
    Over(Subject),
    /// It starts anew, by somebody's wish; to try the same again will be no news.
    Anew(Subject, Key),
    /// All is over.
    End,
    /// It has no part in this.
    None,
}

impl Part {
    fn of(what: &Happening) -> Self {
        use Happening as H;
        let output = |id: &OutputId| Subject::Output(id.clone());
        let input = |id: &InputId| Subject::Input(id.clone());
        match what {
            H::OutputFailed { output: id, reason, .. } => {
                Self::Repeats(output(id), Key::Failed(reason.clone()))
            }
            H::ReturnFailed { output: id, reason, .. } => {
                Self::Repeats(output(id), Key::NotBack(reason.clone()))
            }
            H::OutputWarned { output: id, reason } => {
                Self::Repeats(output(id), Key::Warned(reason.clone()))
            }
            H::InputFailed { input: id, reason, .. } => {
                Self::Repeats(input(id), Key::Failed(reason.clone()))
            }
            H::MonitorLost { monitor, reason } => {
                Self::Repeats(Subject::Monitor(monitor.clone()), Key::Failed(reason.clone()))
            }
            H::ChatLost { chat, reason, .. } => {
                Self::Repeats(Subject::Chat(chat.clone()), Key::Failed(reason.clone()))
            }
            H::HookFailed { alarm, reason } => {
                Self::Repeats(Subject::Hook(alarm.clone()), Key::Failed(reason.clone()))
            }
            // The first attempt is somebody's wish, the others are retries.
            H::OutputConnecting { output: id, attempt: 1, to } => {
                Self::Anew(output(id), Key::Trying(to.clone()))
            }
            H::InputStarted { input: id, attempt: 1 } => {
                Self::Anew(input(id), Key::Trying(String::new()))
            }
            H::OutputConnecting { output: id, to, .. } => {
                Self::Repeats(output(id), Key::Trying(to.clone()))
            }
            H::InputStarted { input: id, .. } => {
                Self::Repeats(input(id), Key::Trying(String::new()))
            }
            H::OutputLive { output: id, .. }
            | H::OutputHealed { output: id }
            | H::OutputStopped { output: id } => Self::Over(output(id)),
            H::InputUp { input: id, .. } | H::InputEnded { input: id } => Self::Over(input(id)),
            H::MonitorUp { monitor } => Self::Over(Subject::Monitor(monitor.clone())),
            H::ChatUp { chat } => Self::Over(Subject::Chat(chat.clone())),
            H::Ending { .. } | H::ShowEnded { .. } => Self::End,
            _ => Self::None,
        }
    }
}

/// One line that repeats.
#[derive(Debug, Clone)]
struct Chain {
    key: Key,
    line: Folded,
    /// How often it was when it was last told, when that was, and how often it was told again.
    told: u32,
    told_at: Timestamp,
    again: usize,
}

impl Chain {
    fn new(key: Key, line: Folded) -> Self {
        Self { key, told: line.count, told_at: line.event.at, again: 0, line }
    }

    fn tell(&mut self) -> Folded {
        self.told = self.line.count;
        self.told_at = self.line.event.at;
        self.again += 1;
        self.line.clone()
    }

    /// What has not been told yet. That it was tried again is nothing to tell.
    fn untold(&mut self) -> Option<Folded> {
        let counts = !matches!(self.key, Key::Trying(_));
        (counts && self.told < self.line.count).then(|| self.tell())
    }

    fn is_due(&self) -> bool {
        let wait = SAY_AGAIN_S[self.again.min(SAY_AGAIN_S.len() - 1)];
        self.line.event.at.duration_since(self.told_at).as_secs() >= wait
    }
}

/// What is in trouble now, and in what words.
#[derive(Debug, Clone, Default)]
pub struct Folding(BTreeMap<Subject, Vec<Chain>>);

impl Folding {
    /// Takes the next event.
    pub fn take(&mut self, event: &Event) -> Taken {
        let line = Folded::new(event);
        let before = match Part::of(&event.what) {
            Part::None => Vec::new(),
            Part::End => {
                let all = std::mem::take(&mut self.0);
                all.into_values().flatten().filter_map(|mut c| c.untold()).collect()
            }
            Part::Over(subject) => {
                let chains = self.0.remove(&subject).unwrap_or_default();
                chains.into_iter().filter_map(|mut c| c.untold()).collect()
            }
            Part::Anew(subject, key) => {
                let anew = vec![Chain::new(key, line.clone())];
                let chains = self.0.insert(subject, anew).unwrap_or_default();
                chains.into_iter().filter_map(|mut c| c.untold()).collect()
            }
            Part::Repeats(subject, key) => return self.repeats(subject, key, line),
        };
        Taken { before, told: Told::Line(line) }
    }

    fn repeats(&mut self, subject: Subject, key: Key, line: Folded) -> Taken {
        let chains = self.0.entry(subject).or_default();
        let Some(chain) = chains.iter_mut().find(|c| c.key == key) else {
            let before = chains.iter_mut().filter_map(Chain::untold).collect();
            if chains.len() >= REASONS {
                chains.remove(0);
            }
            chains.push(Chain::new(key, line.clone()));
            return Taken { before, told: Told::Line(line) };
        };
        chain.line.again(line.event);
        let told = if matches!(key, Key::Trying(_)) {
            Told::Quiet
        } else if chain.is_due() {
            Told::Again { line: chain.tell(), due: true }
        } else {
            Told::Again { line: chain.line.clone(), due: false }
        };
        Taken { before: Vec::new(), told }
    }

    /// Takes over a line of another log, which was told there: what follows it is counted on.
    pub fn resume(&mut self, line: &Folded) {
        match Part::of(&line.event.what) {
            Part::None => {}
            Part::End => self.0.clear(),
            Part::Over(subject) => drop(self.0.remove(&subject)),
            Part::Anew(subject, key) => {
                self.0.insert(subject, vec![Chain::new(key, line.clone())]);
            }
            Part::Repeats(subject, key) => {
                let chains = self.0.entry(subject).or_default();
                chains.retain(|c| c.key != key);
                if chains.len() >= REASONS {
                    chains.remove(0);
                }
                chains.push(Chain::new(key, line.clone()));
            }
        }
    }
}

/// The newest lines of a folded log, the oldest first, for whoever comes later.
#[derive(Debug, Clone)]
pub struct Recent {
    folding: Folding,
    lines: Ring<Folded>,
}

impl Recent {
    /// At most so many lines.
    pub fn new(lines: usize) -> Self {
        Self { folding: Folding::default(), lines: Ring::new(lines) }
    }

    /// Takes the next event.
    pub fn take(&mut self, event: &Event) {
        let line = match self.folding.take(event).told {
            Told::Line(line) => line,
            Told::Again { line, .. } => {
                // It is the newest again.
                self.lines.remove(|l| l.first == line.first);
                line
            }
            Told::Quiet => return,
        };
        self.lines.push(line);
    }

    /// All of them.
    pub fn lines(&self) -> Vec<Folded> {
        self.lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
        name.parse().unwrap()
    }

    fn failed(name: &str, reason: &str) -> Happening {
        Happening::OutputFailed { output: id(name), reason: reason.into(), retry_in_ms: Some(300) }
    }

    fn connecting(name: &str, attempt: u32) -> Happening {
        Happening::OutputConnecting { output: id(name), to: "a.example".into(), attempt }
    }

    fn live(name: &str) -> Happening {
        Happening::OutputLive { output: id(name), to: "a.example".into(), connect_ms: 80 }
    }

    /// The lines of a log that is only appended to, and of one whose lines change.
    fn logs(events: &[(u64, Happening)]) -> (Vec<String>, Vec<String>) {
        let mut folding = Folding::default();
        let mut recent = Recent::new(100);
        let mut appended = Vec::new();
        for (seq, (ms, what)) in (1..).zip(events) {
            let at = Timestamp::UNIX_EPOCH + Duration::from_millis(*ms);
            let event = Event { seq, at, what: what.clone() };
            let taken = folding.take(&event);
            appended.extend(taken.before.iter().map(Folded::sentence));
            match taken.told {
                Told::Line(line) | Told::Again { line, due: true } => {
                    appended.push(line.sentence());
                }
                Told::Again { .. } | Told::Quiet => {}
            }
            recent.take(&event);
        }
        (appended, recent.lines().iter().map(Folded::sentence).collect())
    }

    #[test]
    fn identical_retries_are_one_line() {
        let mut events = vec![(0, connecting("main", 1))];
        for n in 0..13 {
            events.push((100 + n * 2800, failed("main", "connection refused")));
            events.push((200 + n * 2800, connecting("main", n as u32 + 2)));
        }
        events.push((40_000, live("main")));
        let (appended, changed) = logs(&events);
        assert_eq!(
            appended,
            [
                "main is connecting to a.example",
                "main failed: connection refused; trying again in 300 ms",
                "main failed: connection refused (5 times, every 2.8 s)",
                "main failed: connection refused (13 times, every 2.8 s)",
                "main is ON AIR at a.example (80 ms to connect)",
            ]
        );
        assert_eq!(
            changed,
            [
                "main is connecting to a.example",
                "main failed: connection refused (13 times, every 2.8 s)",
                "main is ON AIR at a.example (80 ms to connect)",
            ]
        );
    }

    #[test]
    fn what_comes_ever_more_rarely_is_told_by_how_long_it_lasts() {
        let mut events = vec![(0, failed("main", "refused"))];
        for (n, ms) in [(1, 300), (2, 600), (3, 900), (4, 3000), (5, 8000)] {
            events.push((ms, connecting("main", n + 1)));
            events.push((ms, failed("main", "refused")));
        }
        let (_, changed) = logs(&events);
        assert_eq!(changed.last().unwrap(), "main failed: refused (6 times, in 8.0 s)");
    }

    #[test]
    fn other_reasons_and_other_outputs_are_other_lines() {
        let (appended, _) = logs(&[
            (0, failed("main", "refused")),
            (300, failed("main", "no answer")),
            (600, failed("main", "refused")),
            (900, failed("main", "no answer")),
            (1000, failed("other", "refused")),
            (1200, failed("main", "401")),
            (1500, live("main")),
            (1600, failed("main", "refused")),
        ]);
        assert_eq!(
            appended,
            [
                "main failed: refused; trying again in 300 ms",
                "main failed: no answer; trying again in 300 ms",
                "other failed: refused; trying again in 300 ms",
                "main failed: refused (2 times, every 600 ms)",
                "main failed: no answer (2 times, every 600 ms)",
                "main failed: 401; trying again in 300 ms",
                "main is ON AIR at a.example (80 ms to connect)",
                "main failed: refused; trying again in 300 ms",
            ]
        );
    }

    #[test]
    fn a_log_that_is_taken_over_counts_on() {
        let mut recent = Recent::new(10);
        let mut events = (1..).zip(0..5).map(|(seq, n)| Event {
            seq,
            at: Timestamp::UNIX_EPOCH + Duration::from_secs(n),
            what: failed("main", "refused"),
        });
        for event in events.by_ref().take(4) {
            recent.take(&event);
        }
        let mut folding = Folding::default();
        for line in recent.lines() {
            let json = serde_json::to_string(&line).unwrap();
            assert_eq!(serde_json::from_str::<Folded>(&json).unwrap(), line);
            folding.resume(&line);
        }
        let Told::Again { line, .. } = folding.take(&events.next().unwrap()).told else {
            panic!("it is the same again")
        };
        assert_eq!((line.first, line.count), (1, 5));
        assert_eq!(line.sentence(), "main failed: refused (5 times, every 1.0 s)");
    }

    fn happenings() -> impl Strategy<Value = Happening> {
        let name = || prop::sample::select(vec!["a", "b"]);
        let reason = || prop::sample::select(vec!["refused", "no answer", "full"]);
        prop_oneof![
            6 => (name(), reason()).prop_map(|(n, r)| failed(n, r)),
            4 => (name(), 1..9_u32).prop_map(|(n, a)| connecting(n, a)),
            1 => name().prop_map(live),
            2 => (name(), reason()).prop_map(|(n, r)| Happening::InputFailed {
                input: id(n), reason: r.into(), retry_in_ms: None
            }),
            1 => name().prop_map(|n| Happening::InputUp { input: id(n), format: "x".into() }),
            1 => Just(Happening::Panicked),
            1 => Just(Happening::ShowEnded { why: crate::show::Ending::Asked, exit_code: 0 }),
        ]
    }

    proptest! {
        /// Nothing is lost by folding: the failures that the lines of a log count are those that happened, in a log whose
        /// lines change and, once all is over, in one that is only appended to.
        #[test]
        fn every_failure_is_counted(what in prop::collection::vec((0..20_000_u64, happenings()), 0..120)) {
            let mut folding = Folding::default();
            let mut appended: BTreeMap<u64, u32> = BTreeMap::new();
            let mut changed: BTreeMap<u64, u32> = BTreeMap::new();
            let (mut failures, mut ms) = (0, 0);
            let counts = |l: &Folded| {
                matches!(l.event.what, Happening::OutputFailed { .. } | Happening::InputFailed { .. })
            };
            let end = (0, Happening::ShowEnded { why: crate::show::Ending::Asked, exit_code: 0 });
            for (seq, (wait, what)) in (1..).zip(what.into_iter().chain([end])) {
                ms += wait;
                let event = Event { seq, at: Timestamp::UNIX_EPOCH + Duration::from_millis(ms), what };
                failures += u32::from(counts(&Folded::new(&event)));
                let taken = folding.take(&event);
                let again = matches!(taken.told, Told::Again { due: true, .. });
                for line in taken.before.iter().filter(|l| counts(l)) {
                    appended.insert(line.first, line.count);
                }
                match taken.told {
                    Told::Line(line) | Told::Again { line, .. } if counts(&line) => {
                        if again || line.count == 1 {
                            appended.insert(line.first, line.count);
                        }
                        changed.insert(line.first, line.count);
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(appended.values().sum::<u32>(), failures);
            prop_assert_eq!(changed.values().sum::<u32>(), failures);
            prop_assert!(folding.0.is_empty(), "nothing is in trouble any more");
        }
    }
}
