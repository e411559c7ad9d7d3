//! What a seller wishes for: what a plan file says, made of names that are checked. With markets and their outlooks it
//! becomes a task.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    Outlook,
    calendar::Calendar,
    schedule::{Demand, Host, Lock, Rules, Task, week_start},
};
use crate::market::{Market, MarketId, Zone};

/// A market that is sold to.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketWish {
    /// Its name.
    pub id: MarketId,
    /// What a viewer there is worth against others, more than 0.
    pub weight: f64,
    /// Minutes between two shows there at least.
    pub gap_min: u32,
}

/// A show that is decided already.
#[derive(Debug, Clone, PartialEq)]
pub struct LockWish {
    /// Its start.
    pub start: Timestamp,
    /// Its length.
    pub minutes: u32,
    /// The host's name.
    pub host: String,
    /// Its markets, the leading one first.
    pub markets: Vec<MarketId>,
}

/// What a plan file says.
#[derive(Debug, Clone)]
pub struct Wish {
    /// What the plan is called.
    pub title: String,
    /// Where the team is: weeks begin there, and times without a zone are its.
    pub home: Zone,
    /// How many weeks, 1-8.
    pub weeks: u32,
    /// The markets.
    pub markets: Vec<MarketWish>,
    /// The hosts; their `busy` comes from the calendars.
    pub hosts: Vec<Host>,
    /// The rules.
    pub rules: Rules,
    /// Shows that are decided already.
    pub locks: Vec<LockWish>,
    /// Calendars of busy times: of one host by name, or of all.
    pub calendars: Vec<(Option<String>, Calendar)>,
}

impl Wish {
    /// The first instant of the week that holds a day, and the hours from the hour it lies in to the plan's end.
    pub fn span(&self, day: Date) -> (Timestamp, usize) {
        let from = week_start(day, &self.home);
        let days = SignedDuration::from_hours(24 * 7 * i64::from(self.weeks));
        let after = self.home.clock(from).date().checked_add(days).unwrap_or(day);
        let to = week_start(after, &self.home);
        let hours = to.duration_since(from).as_hours() + 2;
        (from, usize::try_from(hours).unwrap_or(0))
    }

    /// The task of the weeks from `from` on. Markets that are not among `known` are left out; `config` refuses
    /// them before.
    pub fn task(&self, from: Timestamp, known: &[(Market, Outlook)]) -> Task {
        let demands: Vec<Demand> = self
            .markets
            .iter()
            .filter_map(|wish| {
                let (market, outlook) = known.iter().find(|(m, _)| m.id == wish.id)?;
                Some(Demand::of(market, outlook, wish.weight, wish.gap_min))
            })
            .collect();
        let week = SignedDuration::from_hours(24 * 7 * i64::from(self.weeks) + 24);
        let to = from.checked_add(week).unwrap_or(from);
        let mut hosts = self.hosts.clone();
        for (name, calendar) in &self.calendars {
            let busy = calendar.busy(from, to);
            for host in &mut hosts {
                if name.as_ref().is_none_or(|name| *name == host.name) {
                    host.busy.extend(busy.iter().cloned());
                }
            }
        }
        let index = |id: &MarketId| demands.iter().position(|d| d.market == id.as_str());
        let locks = self.locks.iter().filter_map(|lock| {
            Some(Lock {
                start: lock.start,
                minutes: lock.minutes,
                host: hosts.iter().position(|h| h.name == lock.host)?,
                markets: lock.markets.iter().filter_map(index).collect(),
            })
        });
        let locks = locks.filter(|lock| lock.start >= from && lock.start < to).collect();
        Task {
            home: self.home.clone(),
            from,
            weeks: self.weeks,
            demands,
            rules: self.rules.clone(),
            locks,
            hosts,
        }
    }

    /// Only these markets; the rest of the wish stays.
    #[must_use]
    pub fn narrowed(mut self, to: &[MarketId]) -> Self {
        self.markets.retain(|m| to.contains(&m.id));
        for lock in &mut self.locks {
            lock.markets.retain(|m| to.contains(m));
        }
        self.locks.retain(|lock| !lock.markets.is_empty());
        self
    }
}
