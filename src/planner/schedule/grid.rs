//! Wall clocks on a grid of half hours: which steps a host can, which local day a step belongs to. Where a clock is
//! put forward or back, a host's window is taken at its narrowest: nobody is planned in for an hour that
//! does not exist, or for the wrong one of two.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
};

use super::{Host, Lock, STEP_MIN};
use crate::market::{Fold, Gap, Zone};

/// The half hours of a plan.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    /// The first step's start: the first half hour that is not before the plan.
    pub origin: Timestamp,
    /// When the plan ends; the last step ends then, or a little before.
    pub end: Timestamp,
    /// How many steps.
    pub steps: usize,
    /// The steps at which the weeks begin, and the end.
    pub weeks: Vec<usize>,
}

const STEP_S: i64 = STEP_MIN as i64 * 60;

/// The first instant of the Monday of that day's week in a zone.
pub fn week_start(day: Date, zone: &Zone) -> Timestamp {
    let monday = day
        .checked_sub(SignedDuration::from_hours(
            24 * i64::from(day.weekday().to_monday_zero_offset()),
        ))
        .unwrap_or(day);
    instant(monday.to_datetime(Time::midnight()), zone, Fold::First)
}

/// Whole steps that hold so many seconds.
fn up(seconds: i64) -> i64 {
    (seconds + STEP_S - 1).div_euclid(STEP_S)
}

fn instant(at: DateTime, zone: &Zone, fold: Fold) -> Timestamp {
    // The edge of a gap and one of two instants always exist.
    zone.local(at).pick(Gap::Edge, fold).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Grid {
    pub(super) fn new(from: Timestamp, weeks: u32, home: &Zone) -> Self {
        let origin = up(from.as_second()) * STEP_S;
        let origin = Timestamp::from_second(origin).unwrap_or(from);
        let first = home.clock(from).date();
        let (mut starts, mut end) = (vec![0], origin);
        for week in 1..=weeks {
            let day = first
                .checked_add(SignedDuration::from_hours(24 * 7 * i64::from(week)))
                .unwrap_or(first);
            end = instant(day.to_datetime(Time::midnight()), home, Fold::First);
            starts.push(usize::try_from(up(end.as_second() - origin.as_second())).unwrap_or(0));
        }
        let steps = (end.as_second() - origin.as_second()).div_euclid(STEP_S);
        Self { origin, end, steps: usize::try_from(steps).unwrap_or(0), weeks: starts }
    }

    /// The start of a step.
    pub(super) fn at(&self, step: usize) -> Timestamp {
        let second = self.origin.as_second() + step as i64 * STEP_S;
        Timestamp::from_second(second).unwrap_or(self.origin)
    }

    /// Minutes from the first step, negative before it.
    pub(super) fn minute(&self, at: Timestamp) -> i64 {
        (at.as_second() - self.origin.as_second()).div_euclid(60)
    }

    /// The week of a step.
    pub(super) fn week(&self, step: usize) -> usize {
        self.weeks.partition_point(|start| *start <= step).saturating_sub(1)
    }

    /// The local day of each step, counted from 0, and how many there are.
    pub(super) fn days(&self, zone: &Zone) -> (Vec<usize>, usize) {
        let mut dates: Vec<Date> = Vec::new();
        let of = (0..self.steps)
            .map(|step| {
                let date = zone.clock(self.at(step)).date();
                // Local time can go back over midnight, so that a day comes twice.
                let known = dates.iter().rposition(|d| *d == date);
                known.unwrap_or_else(|| {
                    dates.push(date);
                    dates.len() - 1
                })
            })
            .collect();
        (of, dates.len())
    }

    /// The local day of a locked show that counts to `step`: midnight may lie within the step.
    pub(super) fn day_of(&self, lock: &Lock, step: usize, zone: &Zone, days: &[usize]) -> usize {
        let same = zone.clock(self.at(step)).date() == zone.clock(lock.start).date();
        let step = if same { step } else { (step + 1).min(days.len() - 1) };
        days[step]
    }

    /// Whether the host can for the whole of each step.
    pub(super) fn can(&self, host: &Host) -> Vec<bool> {
        let mut spans: Vec<(i64, i64)> = Vec::new();
        let first = host.zone.clock(self.at(0)).date();
        let last = host.zone.clock(self.at(self.steps)).date();
        let mut day = first.yesterday().unwrap_or(first);
        while day <= last {
            for window in &host.hours {
                let weekday = usize::from(day.weekday().to_monday_zero_offset().unsigned_abs());
                if window.days.get(weekday).copied().unwrap_or(false) {
                    spans.extend(self.span(day, window.from_min, window.to_min, &host.zone));
                }
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        spans.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from, to) in spans {
            match joined.last_mut() {
                Some(before) if before.1 >= from => before.1 = before.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        let mut can = vec![false; self.steps];
        for (from, to) in joined {
            let step = i64::from(STEP_MIN);
            let first = from.max(0).div_euclid(step) + i64::from(from.max(0) % step != 0);
            for at in first..to.div_euclid(step) {
                if let Some(at) = usize::try_from(at).ok().and_then(|at| can.get_mut(at)) {
                    *at = true;
                }
            }
        }
        for away in &host.away {
            let from = instant(away.first.to_datetime(Time::midnight()), &host.zone, Fold::First);
            let after = away.last.tomorrow().unwrap_or(away.last);
            let to = instant(after.to_datetime(Time::midnight()), &host.zone, Fold::Second);
            self.block(&mut can, from, to);
        }
        for busy in &host.busy {
            self.block(&mut can, busy.from, busy.to);
        }
        can
    }

    /// A window of one day in minutes of the grid.
    fn span(&self, day: Date, from: u16, to: u16, zone: &Zone) -> Option<(i64, i64)> {
        let civil = |day: Date, minute: u16| {
            let day = if minute >= 1440 { day.tomorrow().unwrap_or(day) } else { day };
            let minute = minute % 1440;
            Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).map(|t| day.to_datetime(t))
        };
        let ends = if to <= from { day.tomorrow().ok()? } else { day };
        let (from, to) = (civil(day, from).ok()?, civil(ends, to).ok()?);
        let start = instant(from, zone, Fold::Second);
        let mut end = instant(to, zone, Fold::First);
        if end <= start {
            // All of it in the hour that comes twice: the second time. In one that never comes: never.
            end = instant(to, zone, Fold::Second);
        }
        let (start, end) = (self.minute(start), self.minute(end));
        (start < end).then_some((start, end))
    }

    fn block(&self, can: &mut [bool], from: Timestamp, to: Timestamp) {
        let step = i64::from(STEP_MIN);
        let first = self.minute(from).div_euclid(step).max(0);
        let last = up(to.as_second() - self.origin.as_second());
        for at in first..last {
            match usize::try_from(at).ok().and_then(|at| can.get_mut(at)) {
                Some(at) => *at = false,
                None => break,
            }
        }
    }
}
