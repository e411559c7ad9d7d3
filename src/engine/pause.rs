//! Notices that this machine or this process was paused: suspended, stopped by a signal, or not scheduled. What fails
//! because of that is not blamed on whoever is at the other end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    base::OutputId,
    show::{Effect, Fact, FailureKind},
};

/// The loop wakes at least once a second. One that is later than this was paused; a busy machine is late by less.
const LATE: Duration = Duration::from_secs(2);
/// Sessions that were open when the machine was paused may fail this long afterwards because of it: an ingest and
/// hawker give up a silent session after 10 s.
const AFTERWARDS: Duration = Duration::from_secs(15);

/// A pause that was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// How long.
    pub lasted: Duration,
    /// The machine slept. Otherwise this process was stopped, or was not scheduled.
    pub suspended: bool,
}

/// Looks at the clocks on every turn of the loop.
#[derive(Debug)]
pub struct Pauses {
    /// The last look, by the clock that stands still while the machine sleeps, and by the one that does not.
    last: (Instant, Duration),
    /// The newest session of each output.
    sessions: BTreeMap<OutputId, u32>,
    /// The last pause, when it was noticed, and the sessions of then.
    noticed: Option<(Pause, Instant, BTreeMap<OutputId, u32>)>,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { last: (Instant::now(), since_boot()), sessions: BTreeMap::new(), noticed: None }
    }
}

/// Time since the machine was switched on, sleep counted in.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    #[cfg(not(target_os = "linux"))]
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

impl Pauses {
    /// The pause that has just ended, if there was one. `due` is when the loop was to wake at the latest.
    pub fn look(&mut self, due: Instant) -> Option<Pause> {
        self.look_at(due, (Instant::now(), since_boot()))
    }

    fn look_at(&mut self, due: Instant, now: (Instant, Duration)) -> Option<Pause> {
        let before = std::mem::replace(&mut self.last, now);
        let awake = now.0.saturating_duration_since(before.0);
        let slept = now.1.saturating_sub(before.1).saturating_sub(awake);
        let late = now.0.saturating_duration_since(due.max(before.0));
        let pause = if slept > LATE {
            Pause { lasted: slept, suspended: true }
        } else if late > LATE {
            Pause { lasted: late, suspended: false }
        } else {
            return None;
        };
        self.noticed = Some((pause, now.0, self.sessions.clone()));
        Some(pause)
    }

    /// Remembers which sessions there are.
    pub fn ordered(&mut self, effect: &Effect) {
        if let Effect::Publish { output, session, .. } = effect {
            self.sessions.insert(output.id.clone(), *session);
        }
    }

    /// A failure of a session that was open before the pause is said to come from it.
    pub fn explain(&self, fact: Fact) -> Fact {
        let Some((pause, at, sessions)) = &self.noticed else { return fact };
        match fact {
            Fact::OutputFailed {
                output,
                session,
                reason,
                kind: kind @ FailureKind::Passing,
                retry_after_ms,
            } if at.elapsed() < AFTERWARDS
                && sessions.get(&output).is_some_and(|newest| session <= *newest) =>
            {
                let reason = format!(
                    "this machine was paused for {:.1} s, and the session was lost with it ({reason})",
                    pause.lasted.as_secs_f64()
                );
                Fact::OutputFailed { output, session, reason, kind, retry_after_ms }
            }
            fact => fact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(session: u32) -> Fact {
        Fact::OutputFailed {
            output: "a".parse().unwrap(),
            session,
            reason: "no feedback".into(),
            kind: FailureKind::Passing,
            retry_after_ms: None,
        }
    }

    fn blames_the_pause(fact: &Fact) -> bool {
        matches!(fact, Fact::OutputFailed { reason, .. }
            if reason.starts_with("this machine was paused for 10.0 s"))
    }

    #[test]
    fn a_late_loop_and_a_sleeping_machine_are_told_apart() {
        let s = Duration::from_secs;
        let mut pauses = Pauses::default();
        let (mono, boot) = pauses.last;
        let mut look = |due: u64, mono_s: u64, boot_s: u64| {
            pauses.look_at(mono + s(due), (mono + s(mono_s), boot + s(boot_s)))
        };
        assert_eq!(look(1, 1, 1), None);
        assert_eq!(look(2, 3, 3), None, "a busy machine");
        assert_eq!(look(4, 14, 14), Some(Pause { lasted: s(10), suspended: false }));
        // What was due long before the last look was not late by that much.
        assert_eq!(look(4, 15, 15), None);
        assert_eq!(look(16, 16, 76), Some(Pause { lasted: s(60), suspended: true }));
    }

    #[test]
    fn only_sessions_of_before_are_lost_by_a_pause() {
        let mut pauses = Pauses::default();
        pauses.sessions.insert("a".parse().unwrap(), 4);
        assert!(!blames_the_pause(&pauses.explain(failed(4))));
        let (mono, boot) = pauses.last;
        let ten = Duration::from_secs(10);
        let before = mono.checked_sub(ten).unwrap();
        pauses.last = (before, boot.saturating_sub(ten));
        assert!(pauses.look_at(before, (mono, boot)).is_some());
        pauses.sessions.insert("a".parse().unwrap(), 5);
        assert!(blames_the_pause(&pauses.explain(failed(4))));
        assert!(!blames_the_pause(&pauses.explain(failed(5))), "it began after the pause");
    }
}
