//! iCalendar (RFC 5545), as much of it as a plan needs: shows go out as events, and busy times come in. What comes in
//! was written by others: everything is bounded, and what is not understood is said, never guessed.

mod dates;
mod read;
mod recur;
#[cfg(test)]
mod tests;
mod write;

use jiff::{SignedDuration, Timestamp, civil::DateTime};

use super::schedule::Busy;
use crate::market::{Fold, Gap, Zone};

pub use read::{MOST_BYTES, read};
pub use write::{Event, write};

/// The most busy times that are taken from one calendar.
const MOST_TIMES: usize = 20_000;
/// The most times of one event that are looked at: some of them only lie beside the span.
const MOST_DAYS: usize = MOST_TIMES + 64;

/// A time as a calendar writes it.
#[derive(Debug, Clone, PartialEq)]
enum When {
    /// On a clock: what it shows there. Days without a time begin at midnight.
    Clock(DateTime, Zone),
    /// An instant.
    Instant(Timestamp),
}

impl When {
    fn instant(&self) -> Timestamp {
        match self {
            // The RFC: before a gap's rule, and the first of two.
            Self::Clock(clock, zone) => {
                zone.local(*clock).pick(Gap::Onward, Fold::First).unwrap_or(Timestamp::UNIX_EPOCH)
            }
            Self::Instant(at) => *at,
        }
    }

    fn moved(&self, days: i64) -> Option<Self> {
        let by = SignedDuration::from_hours(24 * days);
        Some(match self {
            Self::Clock(clock, zone) => Self::Clock(clock.checked_add(by).ok()?, zone.clone()),
            Self::Instant(at) => Self::Instant(at.checked_add(by).ok()?),
        })
    }

    /// What its own clock shows.
    fn clock(&self) -> DateTime {
        match self {
            Self::Clock(clock, _) => *clock,
            Self::Instant(at) => Zone::utc().clock(*at),
        }
    }
}

/// An event that takes time.
#[derive(Debug, Clone, PartialEq)]
struct Taken {
    start: When,
    /// Seconds for what has a time, whole days for what has none.
    length: Length,
    rule: Option<recur::Rule>,
    /// Starts that do not take place.
    not: Vec<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Length {
    Seconds(i64),
    Days(i64),
}

impl Taken {
    fn at(&self, days: i64) -> Option<Busy> {
        let start = self.start.moved(days)?;
        let from = start.instant();
        if self.not.contains(&from) {
            return None;
        }
        let to = match self.length {
            Length::Seconds(seconds) => {
                from.checked_add(SignedDuration::from_secs(seconds)).ok()?
            }
            Length::Days(days) => start.moved(days)?.instant(),
        };
        (from < to).then_some(Busy { from, to })
    }
}

/// What a calendar says about when somebody is busy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calendar {
    events: Vec<Taken>,
    /// What was not understood, one sentence each.
    pub notes: Vec<String>,
}

impl Calendar {
    /// How many events take time.
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// The busy times that touch the span, by their start. There may be more of them than are taken:
    /// [`Calendar::left_out`] says so.
    pub fn busy(&self, from: Timestamp, to: Timestamp) -> Vec<Busy> {
        let mut all: Vec<Busy> = self.touching(from, to).take(MOST_TIMES).collect();
        all.sort_by_key(|busy| (busy.from, busy.to));
        all
    }

    /// A note when more busy times touch the span than are taken.
    pub fn left_out(&self, from: Timestamp, to: Timestamp) -> Option<String> {
        self.touching(from, to).nth(MOST_TIMES).map(|_| {
            format!(
                "it has more than {MOST_TIMES} busy times in these weeks: the rest is left out, \
                 and shows may be planned there; remove events that are there twice"
            )
        })
    }

    fn touching(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Busy> {
        let times = self.events.iter().flat_map(move |event| {
            let days = match &event.rule {
                None => vec![0],
                Some(rule) => rule.days(event, from, to, MOST_DAYS),
            };
            days.into_iter().filter_map(move |day| event.at(day))
        });
        times.filter(move |busy| busy.from < to && from < busy.to)
    }
}
