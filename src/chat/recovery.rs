//! The state of a source's connection, and when it is tried again: exponential back-off, reset after a stable time; given up
//! only for a reason that another try cannot change. An absence that the platform cannot make good is reported as a hole.

pub mod cause;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    Update,
    capability::{Keepalive, Resume, Route},
};
use crate::base::{Moment, Now};

pub use cause::{Cause, Lasting};

/// The shortest wait.
const LEAST: Duration = Duration::from_secs(1);
/// The longest wait.
const MOST: Duration = Duration::from_mins(1);
/// Live for so long, a connection counts as stable: the next wait begins at the shortest again.
const STABLE: Duration = Duration::from_mins(1);
/// Silence of a source without keepalive after which it is shown as silent.
const QUIET: Duration = Duration::from_mins(5);

/// The state of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not begun, or on the way.
    Connecting {
        /// Since when.
        since: Moment,
    },
    /// Messages arrive.
    Live {
        /// Since when.
        since: Moment,
    },
    /// Connected, but nothing was heard for too long.
    Silent {
        /// When something was heard last.
        since: Moment,
        /// Whether the source has a keepalive, so that silence means a fault.
        certain: bool,
    },
    /// Lost, and tried again at `until`.
    Waiting {
        /// When.
        until: Moment,
        /// Why it was lost.
        cause: Cause,
    },
    /// Given up: another try would end in the same way.
    Failed(Lasting),
}

/// The recovery of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    route: Route,
    state: State,
    failures: u32,
    heard: Option<Now>,
    /// Since when this connection has been read.
    read: Option<Moment>,
    /// While the source is away: up to when it was heard.
    away: Option<Timestamp>,
}

impl Recovery {
    /// A source that is about to connect.
    pub fn new(route: Route, now: Now) -> Self {
        let state = State::Connecting { since: now.mono };
        Self { route, state, failures: 0, heard: None, read: None, away: None }
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long nothing has been heard; `None` before anything was.
    pub fn age(&self, now: Moment) -> Option<Duration> {
        self.heard.map(|heard| now.since(heard.mono))
    }

    /// Whether it is time to connect; then it is on the way.
    pub fn connect(&mut self, now: Now) -> bool {
        let due = matches!(self.state, State::Waiting { until, .. } if until <= now.mono);
        if due {
            self.state = State::Connecting { since: now.mono };
        }
        due
    }

    /// Connect at once, whatever was waited for (the operator asks for it).
    pub fn restart(&mut self, now: Now) {
        (self.failures, self.read) = (0, None);
        self.state = State::Connecting { since: now.mono };
    }

    /// Something was heard, a keepalive too.
    pub fn heard(&mut self, now: Now) {
        self.heard = Some(now);
        if let State::Silent { .. } = self.state {
            self.state = State::Live { since: now.mono };
        }
    }

    /// The source is read. `resumed` says whether what was missed has been read or will be, where that depends on the
    /// other side ([`Resume::IfOffered`]). Returns a hole where messages of the absence are lost.
    pub fn live(&mut self, now: Now, resumed: bool) -> Option<Update> {
        self.heard = Some(now);
        self.read = self.read.or(Some(now.mono));
        if !matches!(self.state, State::Live { .. }) {
            self.state = State::Live { since: now.mono };
        }
        let from = self.away.take()?;
        let lost = match self.route.capabilities().resumes {
            Resume::No => true,
            Resume::IfOffered => !resumed,
            // Its session knows the window and reports what lies before it.
            Resume::Within(_) | Resume::Yes => false,
        };
        (lost && from < now.wall).then_some(Update::Hole { from, until: now.wall })
    }

    /// The connection failed or was lost. `jitter` from 0 to 1 spreads the waits of many clients.
    pub fn lost(&mut self, now: Now, cause: Cause, jitter: f64) {
        if let State::Live { .. } | State::Silent { .. } = self.state {
            // What is missing begins at what was heard last, not at when the loss was noticed.
            self.away = self.away.or(Some(self.heard.map_or(now.wall, |heard| heard.wall)));
        }
        // A silent connection was stable up to what was heard last.
        let until = match self.state {
            State::Silent { since, .. } => since,
            _ => now.mono,
        };
        if self.read.take().is_some_and(|since| until.since(since) >= STABLE) {
            self.failures = 0;
        }
        let wait = match cause {
            Cause::Lasting(why) => {
                self.state = State::Failed(why);
                return;
            }
            Cause::NotBefore(at) => {
                Duration::try_from(at.duration_since(now.wall)).unwrap_or(LEAST).max(LEAST)
            }
            _ => back_off(self.failures, jitter),
        };
        self.failures = self.failures.saturating_add(1);
        self.state = State::Waiting { until: now.mono + wait, cause };
    }

    /// Time has passed: judges silence by what this source promises.
    pub fn tick(&mut self, now: Now) {
        let State::Live { since } = self.state else { return };
        let heard = self.heard.map_or(since, |heard| heard.mono.max(since));
        let (most, certain) = match self.route.capabilities().keepalive {
            Keepalive::Within(most) => (most, true),
            Keepalive::None => (QUIET, false),
        };
        if now.mono.since(heard) >= most {
            self.state = State::Silent { since: heard, certain };
        }
    }

    /// How long the source has been away so far.
    pub fn absence(&self, now: Timestamp) -> Option<SignedDuration> {
        self.away.map(|from| now.duration_since(from))
    }
}

/// The wait after so many failures in a row: doubled each time from 1 s to 60 s, and by `jitter` (0 to 1) between half and the
/// whole of it, never below 1 s.
pub fn back_off(failures: u32, jitter: f64) -> Duration {
    let whole = LEAST.saturating_mul(1 << failures.min(6)).min(MOST);
    let part = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
    whole.mul_f64(0.5 + part / 2.0).max(LEAST)
}

#[cfg(test)]
mod tests;
