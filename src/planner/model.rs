//! The forecast of all markets: the fitted model, how it and the last week did against each other in the own history,
//! and what follows for the hours to come.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Expected, History, Outlook, Reason,
    fit::{Fit, Guess},
    outlook::WEEK,
    sample::{Samples, Series, hour, log_of, viewers_of},
};
use crate::market::{
    Almanac, Market, MarketId,
    almanac::cell_name,
    local::{hour_of, plus_hours},
};

/// What a tenth of a normal distribution lies beyond, in standard deviations.
pub const TENTH: f64 = 1.2816;
/// Weeks of the own history in which the model is tried out.
const TRIALS: usize = 8;
/// A trial needs that many hours before it.
const ENOUGH: usize = 6;
/// The last week is preferred only when it did better over that many hours.
const ENOUGH_TO_CHOOSE: usize = 30;
/// How many tried hours weigh as much as the band that is expected without trying.
const BAND: f64 = 15.0;
/// How many weeks back an hour is looked for by the last week.
pub const BACK: i64 = 8;
/// A change by less is no trend to speak of: a logarithm.
const TREND: f64 = 0.05;
/// Orders that make a rate.
const ORDERS: f32 = 10.0;

/// How a market's hours are forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// From the windows: nothing was aired there.
    Windows,
    /// By the model.
    Model,
    /// The same hour of the last week in which it was aired: in the own history that did better.
    LastWeek,
}

/// How a market is forecast, and why so.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The market.
    pub market: MarketId,
    /// How.
    pub method: Method,
    /// Hours that were aired.
    pub hours: usize,
    /// Hours of the own history in which model and last week were compared.
    pub compared: usize,
    /// The mean miss of the model over that of the last week in them; below 1 the model is better. `None` when
    /// there is nothing to compare.
    pub ratio: Option<f32>,
}

/// An hour of the week that was never aired, and what it may be worth to try it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exploration {
    /// When it comes next.
    pub at: Timestamp,
    /// The hour of the week there: `Mon 19:00`.
    pub hour: String,
    /// What is expected of it.
    pub expected: Expected,
    /// Viewers more than in the best hour that was aired, weighed by how likely they are.
    pub worth: f32,
}

/// The forecast of some markets.
#[derive(Debug, Clone)]
pub struct Model<'m> {
    samples: Samples<'m>,
    fit: Fit,
    choices: Vec<Choice>,
    /// What the model's noise is multiplied by, market by market.
    scale: Vec<f64>,
    /// The spread of the last week's misses, market by market.
    naive_spread: Vec<f64>,
    /// Which hours of the week were aired.
    aired: Vec<[bool; WEEK]>,
    /// Orders for each viewer and hour.
    orders: Vec<Option<f32>>,
}

impl<'m> Model<'m> {
    /// Learns from the history.
    pub fn fit(markets: &[&'m Market], history: &History) -> Self {
        let samples = Samples::of(markets, history);
        let until = samples.end().unwrap_or(0);
        let mut model = Self::until(samples, until);
        model.orders = markets.iter().map(|m| rate_of_orders(history, &m.id)).collect();
        model
    }

    /// Learns from what was aired before an hour.
    pub(super) fn until(samples: Samples<'m>, until: i64) -> Self {
        let fit = Fit::of(&samples, until);
        let trials = Trials::of(&samples, until);
        let mut choices = Vec::new();
        for (series, trial) in samples.series.iter().zip(&trials.markets) {
            let hours = series.before(until).len();
            let better = trial.compared >= ENOUGH_TO_CHOOSE && trial.naive < trial.model;
            choices.push(Choice {
                market: series.market.id.clone(),
                method: match (hours, better) {
                    (0, _) => Method::Windows,
                    (_, true) => Method::LastWeek,
                    (_, false) => Method::Model,
                },
                hours,
                compared: trial.compared,
                ratio: (trial.compared > 0 && trial.naive > 0.0)
                    .then(|| (trial.model / trial.naive) as f32),
            });
        }
        let aired = samples.series.iter().map(|series| {
            let mut aired = [false; WEEK];
            for sample in series.before(until) {
                aired[sample.look.cell] = true;
            }
            aired
        });
        let (aired, markets) = (aired.collect(), samples.series.len());
        let (scale, naive_spread) = (trials.scale(), trials.naive_spread());
        Self { samples, fit, choices, scale, naive_spread, aired, orders: vec![None; markets] }
    }

    /// How each market is forecast.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// What is expected of a market, for `hours` hours from the one that holds `from`. `None` for a market that it was
    /// not told of.
    pub fn outlook(&self, market: &MarketId, from: Timestamp, hours: usize) -> Option<Outlook> {
        let n = self.number(market)?;
        let from = hour_of(from);
        let mut almanac = Almanac::new(self.samples.series[n].market);
        let expected =
            (0..hours).map(|h| self.expected(n, &mut almanac, plus_hours(from, h as i64)).0);
        Some(Outlook { market: market.clone(), from, hours: expected.collect() })
    }

    fn number(&self, market: &MarketId) -> Option<usize> {
        self.samples.series.iter().position(|s| s.market.id == *market)
    }

    fn expected(&self, n: usize, almanac: &mut Almanac<'_>, at: Timestamp) -> (Expected, Guess) {
        let series = &self.samples.series[n];
        let (hour, look) = (hour(at), self.samples.look(almanac, at));
        let guess = self.fit.guess(n, hour, &look);
        let choice = &self.choices[n];
        let mut reasons = Vec::new();
        let scaled = self.scale[n].powi(2) * guess.noise;
        let (mut middle, mut spread) = (guess.log, (scaled + guess.doubt).sqrt());
        let last = (choice.method == Method::LastWeek)
            .then(|| last_week(series, hour, self.fit.until))
            .flatten();
        if let Some(viewers) = last {
            (middle, spread) = (log_of(viewers), self.naive_spread[n]);
            reasons.push(Reason::LastWeek);
        } else {
            let own = self.fit.markets[n].profile.own(look.cell);
            if choice.hours > 0 {
                reasons.push(Reason::OwnHistory);
            }
            if choice.hours == 0 || own < 0.5 {
                reasons.push(Reason::Prior);
            }
            if let Some(name) = self.samples.days.get(look.day) {
                reasons.push(Reason::SaleDay(name.clone()));
            }
            if choice.hours > 0 && guess.trend.abs() > TREND {
                reasons.push(Reason::Trend);
            }
        }
        if !self.aired[n][look.cell] {
            reasons.push(Reason::NeverAired);
        }
        let viewers = viewers_of(middle) as f32;
        let expected = Expected {
            viewers,
            low: viewers_of(middle - TENTH * spread) as f32,
            high: viewers_of(middle + TENTH * spread) as f32,
            orders: self.orders[n].map(|rate| rate * viewers),
            reasons,
        };
        (expected, guess)
    }

    /// Which hours of the week were never aired in a market, 0 being Monday 00:00 there.
    pub fn never_aired(&self, market: &MarketId) -> Vec<usize> {
        let Some(n) = self.number(market) else { return Vec::new() };
        (0..WEEK).filter(|cell| !self.aired[n][*cell]).collect()
    }

    /// The hours never aired that are the most worth a try in the week from `from`, the best first. Nothing is
    /// proposed for a market without any show: there everything is a try.
    pub fn explorations(
        &self,
        market: &MarketId,
        from: Timestamp,
        most: usize,
    ) -> Vec<Exploration> {
        let Some(n) = self.number(market) else { return Vec::new() };
        let from = hour_of(from);
        let mut almanac = Almanac::new(self.samples.series[n].market);
        let mut best: Option<f64> = None;
        let mut tries = Vec::new();
        for h in 0..WEEK as i64 {
            let at = plus_hours(from, h);
            let look = self.samples.look(&mut almanac, at);
            let (expected, guess) = self.expected(n, &mut almanac, at);
            if self.aired[n][look.cell] {
                let viewers = f64::from(expected.viewers);
                best = Some(best.map_or(viewers, |b| b.max(viewers)));
            } else {
                tries.push((at, look.cell, expected, guess));
            }
        }
        let Some(best) = best else { return Vec::new() };
        let mut tries: Vec<(usize, Exploration)> = tries
            .into_iter()
            .map(|(at, cell, expected, guess)| {
                let worth = excess(guess.log, guess.doubt.sqrt(), best) as f32;
                (cell, Exploration { at, hour: cell_name(cell), expected, worth })
            })
            .collect();
        tries.sort_by(|a, b| b.1.worth.total_cmp(&a.1.worth));
        let mut chosen: Vec<(usize, Exploration)> = Vec::new();
        for (cell, exploration) in tries {
            // Neighbours would tell the same.
            let apart = |other: usize| {
                let distance = cell.abs_diff(other);
                distance.min(WEEK - distance) >= 3
            };
            if chosen.len() < most && chosen.iter().all(|(other, _)| apart(*other)) {
                chosen.push((cell, exploration));
            }
        }
        chosen.into_iter().map(|(_, exploration)| exploration).collect()
    }
}

/// The viewers of the same hour of the week, the last time it was aired before `until`.
pub fn last_week(series: &Series<'_>, hour: i64, until: i64) -> Option<f64> {
    let week = WEEK as i64;
    let first = (hour - until).div_euclid(week) + 1;
    (first.max(1)..first.max(1) + BACK).find_map(|back| series.at(hour - back * week))
}

/// By how much a value whose logarithm is normal exceeds a bar, on average.
fn excess(middle: f64, spread: f64, bar: f64) -> f64 {
    let bar = bar.max(1e-3);
    if spread < 1e-9 {
        return (middle.exp() - bar).max(0.0);
    }
    let d = (middle - bar.ln()) / spread;
    (middle + spread * spread / 2.0).exp() * below(d + spread) - bar * below(d)
}

/// The part of a normal distribution below (by the logistic curve that comes nearest; off by less than 0.01).
fn below(x: f64) -> f64 {
    1.0 / (1.0 + (-1.702 * x).exp())
}

fn rate_of_orders(history: &History, market: &MarketId) -> Option<f32> {
    let (mut orders, mut viewed) = (0.0, 0.0);
    for aired in history.hours(market) {
        if let Some(n) = aired.orders {
            orders += n;
            viewed += aired.viewers * aired.minutes / 60.0;
        }
    }
    (orders >= ORDERS && viewed > 0.0).then_some(orders / viewed)
}

/// How model and last week did in one market, week after week, when they knew only what was before.
#[derive(Debug, Clone, Default)]
struct Trial {
    /// What the model's noise would have to be multiplied by for its band to reach just to what came.
    needed: Vec<f64>,
    /// Misses of the last week, logarithms without sign.
    naive_misses: Vec<f64>,
    compared: usize,
    /// Sums of misses in viewers over the hours that both know.
    model: f64,
    naive: f64,
}

#[derive(Debug, Clone)]
struct Trials {
    markets: Vec<Trial>,
}

impl Trials {
    fn of(samples: &Samples<'_>, until: i64) -> Self {
        let mut markets = vec![Trial::default(); samples.series.len()];
        for back in 1..=TRIALS as i64 {
            let origin = until - back * WEEK as i64;
            let ready = |s: &Series<'_>| {
                s.before(origin).len() >= ENOUGH
                    && !s.between(origin, origin + WEEK as i64).is_empty()
            };
            if !samples.series.iter().any(ready) {
                continue;
            }
            let fit = Fit::of(samples, origin);
            for (n, series) in samples.series.iter().enumerate().filter(|(_, s)| ready(s)) {
                let trial = &mut markets[n];
                for sample in series.between(origin, origin + WEEK as i64) {
                    let guess = fit.guess(n, sample.hour, &sample.look);
                    let miss = ((sample.log - guess.log) / TENTH).powi(2);
                    trial.needed.push(((miss - guess.doubt).max(0.0) / guess.noise).sqrt());
                    if let Some(naive) = last_week(series, sample.hour, origin) {
                        trial.naive_misses.push((sample.log - log_of(naive)).abs());
                        trial.compared += 1;
                        trial.model += (sample.viewers - viewers_of(guess.log)).abs();
                        trial.naive += (sample.viewers - naive).abs();
                    }
                }
            }
        }
        Self { markets }
    }

    /// What each market's noise is multiplied by so that its band holds four of five.
    fn scale(&self) -> Vec<f64> {
        let all: Vec<f64> = self.markets.iter().flat_map(|t| t.needed.iter().copied()).collect();
        let world = drawn(&all, 0.0);
        self.markets.iter().map(|t| drawn(&t.needed, world).exp().clamp(0.2, 4.0)).collect()
    }

    fn naive_spread(&self) -> Vec<f64> {
        let spread = |t: &Trial| four_of_five(&t.naive_misses).map_or(0.5, |q| q / TENTH);
        self.markets.iter().map(|t| spread(t).max(1e-3)).collect()
    }
}

/// The logarithm of what a spread is multiplied by, drawn towards what is known without these hours.
fn drawn(needed: &[f64], known: f64) -> f64 {
    let n = needed.len() as f64;
    four_of_five(needed).map_or(known, |q| (n * q.max(1e-3).ln() + BAND * known) / (n + BAND))
}

/// What four of five are below.
fn four_of_five(misses: &[f64]) -> Option<f64> {
    let mut sorted = misses.to_vec();
    sorted.sort_by(f64::total_cmp);
    // The rank that keeps its promise for one more that comes.
    let rank = ((sorted.len() as f64 + 1.0) * 0.8).ceil() as usize;
    (sorted.len() >= 8).then(|| sorted[rank.min(sorted.len()) - 1])
}
