//! What was missed while a channel was not read, and how much of it the network's history has made good. A hole is
//! reported only once it is known whether history comes.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::base::{Moment, Now};

/// How long a hole is held back after the last sign of a history. InspIRCd's `chanhistory` sends its lines with the answer
/// to JOIN; bouncers take a round trip or two.
const HELD: Duration = Duration::from_secs(3);
/// How long it is held back at most, however slowly a history comes.
const MOST_HELD: Duration = Duration::from_secs(30);
/// Pages of a history that are asked for.
const PAGES: u32 = 20;

/// A stretch of time of which lines are missing, in our own time.
pub type Hole = (Timestamp, Timestamp);

/// An absence that has ended, while its history is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    from: Timestamp,
    until: Timestamp,
    since: Moment,
    /// When history came last.
    came: Moment,
    /// The server's clock less ours.
    skew: SignedDuration,
    pages: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// The channel is not read since then.
    Away(Timestamp),
    Held(Held),
}

/// The gaps of a source, at most one for each of its channels.
#[derive(Debug, Clone, Default)]
pub struct Gaps(BTreeMap<String, Gap>);

impl Gaps {
    /// The channel is not read any more; it was up to `at`. Returns what is certain by then to be missing from before.
    pub fn left(&mut self, channel: &str, at: Timestamp) -> Option<Hole> {
        let (from, hole) = match self.0.get(channel) {
            Some(Gap::Away(_)) => return None,
            // Its history may come with the next connection.
            Some(Gap::Held(held)) if held.came == held.since => (held.from, None),
            Some(Gap::Held(held)) => (at, held.rest()),
            None => (at, None),
        };
        self.0.insert(channel.to_owned(), Gap::Away(from));
        hole
    }

    /// The channel is read again. `clock` is the server's time, where it tells.
    pub fn joined(&mut self, channel: &str, now: Now, clock: Option<Timestamp>) {
        let Some(Gap::Away(from)) = self.0.remove(channel) else { return };
        if from >= now.wall {
            return;
        }
        let skew = clock.map_or(SignedDuration::ZERO, |clock| clock.duration_since(now.wall));
        let (until, since) = (now.wall, now.mono);
        let held = Held { from, until, since, came: since, skew, pages: 0 };
        self.0.insert(channel.to_owned(), Gap::Held(held));
    }

    /// A line of the channel's history came, which ends now: from `at` on nothing is missing. A line that is `known` from
    /// before the absence leaves nothing missing.
    pub fn reaches(&mut self, channel: &str, now: Moment, at: Option<Timestamp>, known: bool) {
        let Some(Gap::Held(held)) = self.0.get_mut(channel) else { return };
        held.came = now;
        if let Some(at) = at {
            held.until = held.until.min(held.ours(at));
        }
        if known || held.until <= held.from {
            self.0.remove(channel);
        }
    }

    /// A page of history that was asked for has ended: with `last` as its last line where it is full, else with all there
    /// is. Returns whether the next page is wanted.
    pub fn page(&mut self, channel: &str, now: Moment, last: Option<Timestamp>) -> bool {
        let Some(Gap::Held(held)) = self.0.get_mut(channel) else { return false };
        let Some(last) = last else {
            self.0.remove(channel);
            return false;
        };
        held.came = now;
        held.from = held.from.max(held.ours(last)).min(held.until);
        held.pages += 1;
        held.pages < PAGES
    }

    /// What is missing for certain, over all channels that are read again; once they all are decided.
    pub fn decided(&mut self, now: Moment) -> Option<Hole> {
        let mut held = self.0.values().filter_map(|gap| match gap {
            Gap::Held(held) => Some(held),
            Gap::Away(_) => None,
        });
        if !held.all(|held| held.is_due(now)) {
            return None;
        }
        let mut hole: Option<Hole> = None;
        self.0.retain(|_, gap| {
            let Gap::Held(held) = gap else { return true };
            hole = joint(hole, held.rest());
            false
        });
        hole
    }
}

impl Held {
    /// A time of the server's clock in ours.
    fn ours(&self, at: Timestamp) -> Timestamp {
        at.checked_sub(self.skew).unwrap_or(at)
    }

    fn rest(&self) -> Option<Hole> {
        (self.from < self.until).then_some((self.from, self.until))
    }

    fn is_due(&self, now: Moment) -> bool {
        now.since(self.came) >= HELD || now.since(self.since) >= MOST_HELD
    }
}

/// One hole that holds both.
pub fn joint(one: Option<Hole>, other: Option<Hole>) -> Option<Hole> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
