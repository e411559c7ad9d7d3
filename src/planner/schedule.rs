//! The schedule: which host is on air when, for which markets, so that the weeks are worth most.
//!
//! A *show* has a host, a start, a length and one or more markets. One of them leads (its language, its goods, its
//! prices); the others of a simulcast follow, and a viewer there counts for less. A market's best show of a
//! local day counts in full, its others for less, because it is the same audience.
//!
//! The worth of a show is weight x expected viewers x hours, summed over its markets. [`solve`] looks for the set of
//! shows that is worth most, and gives a bound that no plan can exceed, so that the distance from the best
//! possible plan is known and not believed. Starts lie on half hours; everything else is exact to the minute.

mod board;
pub mod desk;
mod exact;
mod grid;
mod model;
mod outcome;
mod prices;
mod repair;
mod search;
#[cfg(test)]
mod tests;
mod why;

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outlook, Reason};
use crate::market::{Market, Zone};

pub use grid::week_start;
pub use repair::{Move, Repair, repair};
pub use why::{Absent, Other, Why, why};

/// Starts lie on a grid of so many minutes.
pub const STEP_MIN: u32 = 30;

/// The most markets of a task.
pub const MOST_MARKETS: usize = 64;

/// Hours of a day, on some weekdays, on the wall clock of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Monday first.
    pub days: [bool; 7],
    /// Minutes after midnight, 0-1439.
    pub from_min: u16,
    /// Minutes after midnight, 1-1440; not after `from_min` means on the next day.
    pub to_min: u16,
}

/// Whole days that a host is away, by the host's calendar; both ends are included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

/// A time that is taken already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end, not part of it.
    pub to: Timestamp,
}

/// Who can be on air.
#[derive(Debug, Clone)]
pub struct Host {
    /// The name.
    pub name: String,
    /// Where the host lives.
    pub zone: Zone,
    /// BCP 47 tags; only the language itself is compared.
    pub languages: Vec<String>,
    /// When the host can, on the host's wall clock.
    pub hours: Vec<Window>,
    /// Days when not.
    pub away: Vec<Away>,
    /// Times when not.
    pub busy: Vec<Busy>,
    /// Minutes on air in a day of the host's at most, counted to the day a show starts.
    pub day_max_min: u32,
    /// Minutes on air in a week of the plan at most.
    pub week_max_min: u32,
    /// Minutes between the end of a show and the start of the next at least.
    pub rest_min: u32,
}

/// What is expected of an hour in a market.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Hour {
    /// Viewers at once, the mean.
    pub viewers: f64,
    /// The lower edge of the band.
    pub low: f64,
    /// The upper edge of the band.
    pub high: f64,
    /// Never aired so far: what is expected here is a guess.
    pub untried: bool,
}

/// A market and what is expected there.
#[derive(Debug, Clone)]
pub struct Demand {
    /// Its id.
    pub market: String,
    /// Its zone, for what a day is there.
    pub zone: Zone,
    /// BCP 47 tags; a host must speak one of them.
    pub languages: Vec<String>,
    /// What a viewer there is worth against others, more than 0.
    pub weight: f64,
    /// Minutes from the end of a show to the start of the next one there at least.
    pub gap_min: u32,
    /// When `hours` begins, on a full hour of UTC.
    pub from: Timestamp,
    /// Hour by hour.
    pub hours: Vec<Hour>,
    /// What each hour rests on.
    pub reasons: Vec<Vec<Reason>>,
}

impl Demand {
    /// What an outlook expects of a market.
    pub fn of(market: &Market, outlook: &Outlook, weight: f64, gap_min: u32) -> Self {
        let hours = outlook.hours.iter().map(|e| Hour {
            viewers: f64::from(e.viewers),
            low: f64::from(e.low),
            high: f64::from(e.high),
            untried: e.reasons.contains(&Reason::NeverAired),
        });
        Self {
            market: market.id.to_string(),
            zone: market.zone().clone(),
            languages: market.languages.value.clone(),
            weight,
            gap_min,
            from: outlook.from,
            hours: hours.collect(),
            reasons: outlook.hours.iter().map(|e| e.reasons.clone()).collect(),
        }
    }

    /// What the expectations of a span rest on, each once.
    pub fn reasons_over(&self, start: Timestamp, minutes: u32) -> Vec<Reason> {
        let first = (start.as_second() - self.from.as_second()).div_euclid(3600);
        let end = start.as_second() + i64::from(minutes) * 60 - 1;
        let last = (end - self.from.as_second()).div_euclid(3600);
        let mut all: Vec<Reason> = Vec::new();
        for hour in first..=last {
            let reasons = usize::try_from(hour).ok().and_then(|hour| self.reasons.get(hour));
            for reason in reasons.into_iter().flatten() {
                if !all.contains(reason) {
                    all.push(reason.clone());
                }
            }
        }
        all
    }

    /// What is expected of the hour that an instant lies in.
    pub fn hour_at(&self, at: Timestamp) -> Option<Hour> {
        let hours = (at.as_second() - self.from.as_second()).div_euclid(3600);
        self.hours.get(usize::try_from(hours).ok()?).copied()
    }

    /// The mean over a span.
    pub fn over(&self, start: Timestamp, minutes: u32) -> Hour {
        let (mut sum, mut weight) = (Hour::default(), 0.0);
        let (mut at, end) = (start.as_second(), start.as_second() + i64::from(minutes) * 60);
        while at < end {
            let next = ((at.div_euclid(3600) + 1) * 3600).min(end);
            let hour = Timestamp::from_second(at).ok().and_then(|t| self.hour_at(t));
            let hour = hour.unwrap_or_default();
            let share = (next - at) as f64;
            sum.viewers += hour.viewers * share;
            sum.low += hour.low * share;
            sum.high += hour.high * share;
            sum.untried |= hour.untried;
            weight += share;
            at = next;
        }
        let mean = |total: f64| if weight > 0.0 { total / weight } else { 0.0 };
        let (viewers, low, high) = (mean(sum.viewers), mean(sum.low), mean(sum.high));
        Hour { viewers, low, high, untried: sum.untried }
    }
}

/// A show that is decided already. It stays, whatever else would have to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// Its start.
    pub start: Timestamp,
    /// Its length.
    pub minutes: u32,
    /// Index into the task's hosts.
    pub host: usize,
    /// Indices into the task's demands, the leading one first.
    pub markets: Vec<usize>,
}

/// What holds for all shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Shows at the same time at most.
    pub studios: u32,
    /// The lengths a show may have, in minutes; multiples of 15.
    pub lengths: Vec<u32>,
    /// Minutes on air in a week at most, all hosts together.
    pub budget_min: Option<u32>,
    /// Markets of one show at most.
    pub most_markets: u32,
    /// What a viewer counts in a market that follows, against one that leads, in permille.
    pub follow_permille: u32,
    /// What a market's further shows of a day count, against its best, in permille.
    pub repeat_permille: u32,
    /// Of the minutes of the budget, how much goes to hours that were never aired, in permille.
    pub explore_permille: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            studios: 1,
            lengths: vec![60, 90, 120],
            budget_min: None,
            most_markets: 3,
            follow_permille: 600,
            repeat_permille: 500,
            explore_permille: 0,
        }
    }
}

/// All that a schedule is made from.
#[derive(Debug, Clone)]
pub struct Task {
    /// The zone in which weeks begin.
    pub home: Zone,
    /// When the first week begins; see [`week_start`].
    pub from: Timestamp,
    /// How many weeks, 1-8.
    pub weeks: u32,
    /// The markets.
    pub demands: Vec<Demand>,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The rules.
    pub rules: Rules,
    /// Shows that are decided already.
    pub locks: Vec<Lock>,
}

/// How much work a plan may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// Greedy, mended by some exchanges.
    Quick,
    /// By an integer program, week by week, over the starts that the prices leave.
    Full,
}

/// A market in a show of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Airing {
    /// The market.
    pub market: String,
    /// Whether the show is led by it.
    pub leads: bool,
    /// Not its best show of that local day.
    pub repeat: bool,
    /// Viewers at once, the mean over the show.
    pub viewers: f64,
    /// The lower edge of the band.
    pub low: f64,
    /// The upper edge of the band.
    pub high: f64,
    /// Weighted viewer hours that it adds.
    pub worth: f64,
    /// What the expectation rests on, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// A show of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Slot {
    /// Its start.
    #[schemars(with = "String")]
    pub start: Timestamp,
    /// Its length.
    pub minutes: u32,
    /// The host's name.
    pub host: String,
    /// Its markets, the leading one first.
    pub airings: Vec<Airing>,
    /// It was decided before.
    pub locked: bool,
    /// Its leading market was never aired at this hour.
    pub exploration: bool,
}

impl Slot {
    /// Weighted viewer hours.
    pub fn worth(&self) -> f64 {
        self.airings.iter().map(|a| a.worth).sum()
    }

    /// Its end.
    pub fn end(&self) -> Timestamp {
        let length = jiff::SignedDuration::from_mins(i64::from(self.minutes));
        self.start.checked_add(length).unwrap_or(self.start)
    }
}

/// A plan, and how good it is known to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// When it begins.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// When it ends.
    #[schemars(with = "String")]
    pub to: Timestamp,
    /// The shows by their start.
    pub slots: Vec<Slot>,
    /// What they are worth together.
    pub worth: f64,
    /// What no plan can exceed; 0 where that is not known.
    pub bound: f64,
    /// How it was made.
    pub effort: Effort,
    /// Minutes that explorations were to have, and have.
    pub explore_min: (u32, u32),
    /// What the reader should know: clashes of locked shows, markets nobody speaks the language of.
    pub notes: Vec<String>,
}

impl Plan {
    /// How far it may be from the best plan, 0-1.
    pub fn gap(&self) -> f64 {
        if self.bound <= 0.0 { 0.0 } else { ((self.bound - self.worth) / self.bound).max(0.0) }
    }
}

/// Makes the plan. The same task gives the same plan.
pub fn solve(task: &Task, effort: Effort) -> Plan {
    let model = model::Model::new(task);
    search::run(&model, effort)
}
