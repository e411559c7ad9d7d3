//! The aired hours in the form that is computed with: logarithms, and what each hour is in its market. Times are hours
//! since 1970.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::History;
use crate::market::{Almanac, Market};

/// No day of its own.
pub const PLAIN: usize = usize::MAX;

/// Added to viewers before the logarithm, so that nobody is a number too.
const NOBODY: f64 = 0.5;

/// Viewers as they are computed with.
pub fn log_of(viewers: f64) -> f64 {
    (viewers.max(0.0) + NOBODY).ln()
}

/// And back.
pub fn viewers_of(log: f64) -> f64 {
    (log.clamp(-20.0, 30.0).exp() - NOBODY).max(0.0)
}

/// Hours since 1970.
pub fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600)
}

/// An hour of a market, aired or to come.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The hour of the week there.
    pub cell: usize,
    /// The logarithm of what the windows say.
    pub base: f64,
    /// The logarithm of what the day multiplies by, as the market's file says.
    pub lift: f64,
    /// Which day, by [`Samples::days`]; [`PLAIN`] for none.
    pub day: usize,
}

/// An hour that was aired.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When.
    pub hour: i64,
    /// What hour it is there.
    pub look: Look,
    /// Viewers.
    pub viewers: f64,
    /// Their logarithm.
    pub log: f64,
    /// How much it counts: its part of an hour.
    pub weight: f64,
}

/// A market with its samples, in order.
#[derive(Debug, Clone)]
pub struct Series<'m> {
    /// The market.
    pub market: &'m Market,
    /// Its group, by number.
    pub group: usize,
    /// Its samples, in order.
    pub samples: Vec<Sample>,
}

impl Series<'_> {
    /// The samples before an hour.
    pub fn before(&self, hour: i64) -> &[Sample] {
        &self.samples[..self.samples.partition_point(|s| s.hour < hour)]
    }

    /// The samples from an hour on, up to another.
    pub fn between(&self, from: i64, to: i64) -> &[Sample] {
        let start = self.samples.partition_point(|s| s.hour < from);
        let end = self.samples.partition_point(|s| s.hour < to);
        &self.samples[start..end.max(start)]
    }

    /// The viewers in an hour, if it was aired.
    pub fn at(&self, hour: i64) -> Option<f64> {
        let found = self.samples.binary_search_by_key(&hour, |s| s.hour).ok()?;
        Some(self.samples[found].viewers)
    }
}

/// All markets with their samples.
#[derive(Debug, Clone)]
pub struct Samples<'m> {
    /// The markets, in the order in which they were given.
    pub series: Vec<Series<'m>>,
    /// How many groups there are.
    pub groups: usize,
    /// The names of all days.
    pub days: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, usize>,
}

impl<'m> Samples<'m> {
    /// The aired hours of these markets.
    pub fn of(markets: &[&'m Market], history: &History) -> Self {
        let (mut days, mut numbers) = (Vec::new(), BTreeMap::new());
        for day in markets.iter().flat_map(|m| &m.days) {
            numbers.entry(Arc::clone(&day.name)).or_insert_with(|| {
                days.push(Arc::clone(&day.name));
                days.len() - 1
            });
        }
        let mut groups: Vec<&str> = Vec::new();
        let mut all = Self { series: Vec::new(), groups: 0, days, numbers };
        for market in markets {
            let group = groups.iter().position(|g| *g == market.group).unwrap_or_else(|| {
                groups.push(&market.group);
                groups.len() - 1
            });
            let mut almanac = Almanac::new(market);
            let samples = history
                .hours(&market.id)
                .map(|aired| Sample {
                    hour: hour(aired.at),
                    look: all.look(&mut almanac, aired.at),
                    viewers: f64::from(aired.viewers),
                    log: log_of(f64::from(aired.viewers)),
                    weight: f64::from(aired.minutes / 60.0).clamp(0.05, 1.0),
                })
                .collect();
            all.series.push(Series { market, group, samples });
        }
        all.groups = groups.len();
        all
    }

    /// What an hour is in a market.
    pub fn look(&self, almanac: &mut Almanac<'_>, at: Timestamp) -> Look {
        let hour = almanac.hour(at);
        Look {
            cell: hour.cell,
            // An hour of no weight at all would say that nobody can ever watch.
            base: f64::from(hour.weight.max(0.01)).ln(),
            lift: hour.day.map_or(0.0, |d| f64::from(d.lift.max(0.01)).ln()),
            day: hour.day.and_then(|d| self.numbers.get(&d.name)).copied().unwrap_or(PLAIN),
        }
    }

    /// The hour after the last one that was aired anywhere.
    pub fn end(&self) -> Option<i64> {
        self.series.iter().filter_map(|s| s.samples.last()).map(|s| s.hour + 1).max()
    }
}
