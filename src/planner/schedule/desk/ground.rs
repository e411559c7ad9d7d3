//! What does not change while a plan is edited: the task, when each host can, and what is special about its days.

use jiff::{Timestamp, civil::Date};

use super::super::{Host, MOST_MARKETS, STEP_MIN, Task, grid::Grid};
use crate::{market::Zone, planner::Reason};

/// A sale day, a payday or a holiday.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    /// Its name.
    pub name: String,
    /// Indices of the markets that have it.
    pub markets: Vec<usize>,
}

/// Clocks that are put forward or back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Whose: the indices of markets.
    pub markets: Vec<usize>,
    /// Those at home, too.
    pub home: bool,
    /// Their zone.
    pub zone: Zone,
    /// When.
    pub at: Timestamp,
    /// By how much: 3600 is forward by an hour.
    pub seconds: i32,
}

/// A day of the plan, on the clock at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// Its date.
    pub date: Date,
    /// Its first half hour, counted from the plan's beginning.
    pub first: usize,
    /// The first half hour of the next day.
    pub end: usize,
    /// What is special about it, in some markets.
    pub specials: Vec<Special>,
    /// Clocks that change on it.
    pub shifts: Vec<Shift>,
}

/// What does not change while a plan is edited.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The task; its locks are what was decided before.
    pub task: Task,
    /// The days of the plan.
    pub days: Vec<Day>,
    pub(super) grid: Grid,
    can: Vec<Vec<bool>>,
    speaks: Vec<u64>,
}

/// The language of a BCP 47 tag.
fn language(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or_default()
}

fn speaks(host: &Host, task: &Task) -> u64 {
    let mut all = 0;
    for (market, demand) in task.demands.iter().take(MOST_MARKETS).enumerate() {
        let same = |a: &str, b: &str| language(a).eq_ignore_ascii_case(language(b));
        if demand.languages.iter().any(|tag| host.languages.iter().any(|own| same(own, tag))) {
            all |= 1 << market;
        }
    }
    all
}

impl Ground {
    pub(super) fn new(task: Task) -> Self {
        let grid = Grid::new(task.from, task.weeks, &task.home);
        let can = task.hosts.iter().map(|host| grid.can(host)).collect();
        let speaks = task.hosts.iter().map(|host| speaks(host, &task)).collect();
        let mut ground = Self { days: Vec::new(), grid, can, speaks, task };
        ground.days = ground.find_days();
        ground
    }

    /// How many half hours there are.
    pub const fn steps(&self) -> usize {
        self.grid.steps
    }

    /// When a half hour begins.
    pub fn at(&self, step: usize) -> Timestamp {
        self.grid.at(step)
    }

    /// The half hour that an instant lies in; `None` outside of the plan.
    pub fn step(&self, at: Timestamp) -> Option<usize> {
        let minute = self.grid.minute(at);
        let step = usize::try_from(minute.div_euclid(i64::from(STEP_MIN))).ok()?;
        (step < self.grid.steps).then_some(step)
    }

    /// The day of the plan that an instant lies in.
    pub fn day(&self, at: Timestamp) -> Option<usize> {
        let step = self.step(at)?;
        Some(self.days.partition_point(|d| d.end <= step).min(self.days.len().checked_sub(1)?))
    }

    /// The week of a half hour, from 0.
    pub fn week(&self, step: usize) -> usize {
        self.grid.week(step)
    }

    /// Whether a host can for all of a half hour.
    pub fn can(&self, host: usize, step: usize) -> bool {
        self.can.get(host).and_then(|can| can.get(step)).copied().unwrap_or(false)
    }

    /// Whether a host speaks a language of a market.
    pub fn speaks(&self, host: usize, market: usize) -> bool {
        market < MOST_MARKETS && self.speaks.get(host).is_some_and(|all| all & (1 << market) != 0)
    }

    /// Whether no host speaks a language of a market.
    pub fn unspoken(&self, market: usize) -> bool {
        (0..self.task.hosts.len()).all(|host| !self.speaks(host, market))
    }

    /// Weighted viewer hours of a half hour in a market that leads.
    pub fn heat(&self, market: usize, step: usize) -> f64 {
        let Some(demand) = self.task.demands.get(market) else { return 0.0 };
        let viewers = demand.hour_at(self.at(step)).map_or(0.0, |h| h.viewers.max(0.0));
        viewers * demand.weight * f64::from(STEP_MIN) / 60.0
    }

    /// Whether an expectation there rests on nothing of one's own.
    pub fn guessed(&self, market: usize, start: Timestamp, minutes: u32) -> bool {
        self.task.demands.get(market).is_none_or(|demand| {
            let reasons = demand.reasons_over(start, minutes);
            !reasons.iter().any(|r| matches!(r, Reason::OwnHistory | Reason::LastWeek))
        })
    }

    /// The clock at home, in words: `Tue 20:00`.
    pub fn clock(&self, at: Timestamp) -> String {
        self.task.home.clock(at).strftime("%a %H:%M").to_string()
    }

    fn find_days(&self) -> Vec<Day> {
        let mut days: Vec<Day> = Vec::new();
        for step in 0..self.grid.steps {
            let date = self.task.home.clock(self.at(step)).date();
            match days.last_mut() {
                Some(day) if day.date >= date => day.end = step + 1,
                _ => days.push(Day {
                    date,
                    first: step,
                    end: step + 1,
                    specials: Vec::new(),
                    shifts: Vec::new(),
                }),
            }
        }
        for day in &mut days {
            day.specials = self.specials(day.first, day.end);
        }
        for shift in self.shifts() {
            let step = self.step(shift.at).unwrap_or(0);
            if let Some(day) = days.iter_mut().find(|d| d.first <= step && step < d.end) {
                day.shifts.push(shift);
            }
        }
        days
    }

    fn specials(&self, first: usize, end: usize) -> Vec<Special> {
        let mut all: Vec<Special> = Vec::new();
        let (from, to) = (self.at(first), self.at(end));
        let minutes = u32::try_from(to.duration_since(from).as_mins()).unwrap_or(0);
        for (market, demand) in self.task.demands.iter().enumerate() {
            for reason in demand.reasons_over(from, minutes) {
                let Reason::SaleDay(name) = reason else { continue };
                match all.iter_mut().find(|s| s.name == *name) {
                    Some(special) => special.markets.push(market),
                    None => all.push(Special { name: name.to_string(), markets: vec![market] }),
                }
            }
        }
        all
    }

    fn shifts(&self) -> Vec<Shift> {
        let mut zones: Vec<(Zone, bool, Vec<usize>)> =
            vec![(self.task.home.clone(), true, Vec::new())];
        for (market, demand) in self.task.demands.iter().enumerate() {
            match zones.iter_mut().find(|(zone, ..)| *zone == demand.zone) {
                Some((.., markets)) => markets.push(market),
                None => zones.push((demand.zone.clone(), false, vec![market])),
            }
        }
        let mut all = Vec::new();
        for (zone, home, markets) in zones {
            let mut from = self.task.from;
            while let Some((at, seconds)) = zone.shift(from, self.grid.end) {
                let (zone, markets) = (zone.clone(), markets.clone());
                all.push(Shift { markets, home, zone, at, seconds });
                from = at;
            }
        }
        all
    }
}
