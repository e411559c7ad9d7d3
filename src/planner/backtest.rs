//! Whether the forecast is worth believing: the own history is gone through week by week, each is forecast from what
//! was before it, and what came is held against it, beside what the last week and the windows would have said.

use serde::{Deserialize, Serialize};

use super::{
    History,
    model::{Method, Model, last_week},
    outlook::WEEK,
    sample::{Samples, log_of, viewers_of},
};
use crate::market::{Almanac, Market, MarketId, local::plus_hours};

/// Hours that must be known of a market before it is judged.
const ENOUGH: usize = 6;

/// How the forecasts of one market did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The market; `None` for all together.
    pub market: Option<MarketId>,
    /// Hours that were forecast and aired.
    pub hours: usize,
    /// How many of them the last week could be asked for too.
    pub compared: usize,
    /// The mean miss of the forecast, in viewers.
    pub miss: f32,
    /// The mean miss of the forecast over that of the last week in the hours that both know: below 1 it is better. The
    /// mean absolute scaled error against the seasonal-naive of 168 hours.
    pub mase: Option<f32>,
    /// The mean miss of the windows alone, brought to the own level, over that of the forecast.
    pub windows: Option<f32>,
    /// Pinball loss at .1, .5 and .9, in viewers.
    pub pinball: [f32; 3],
    /// The part of the hours that came into the 80 % band.
    pub coverage: f32,
    /// In how many of a hundred hours the last week was taken instead of the model, because it had done better.
    pub last_week: f32,
}

/// Sums of a market.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    hours: f64,
    compared: f64,
    miss: f64,
    shared_miss: f64,
    naive_miss: f64,
    windows_miss: f64,
    pinball: [f64; 3],
    inside: f64,
    last_week: f64,
}

/// Forecasts each of the last `weeks` weeks of the history from what was before it. One row for each market of which
/// enough is known, and the last for all of them; empty when that is none.
pub fn backtest(markets: &[&Market], history: &History, weeks: usize) -> Vec<Score> {
    let samples = Samples::of(markets, history);
    let Some(end) = samples.end() else { return Vec::new() };
    let mut sums = vec![Sums::default(); markets.len()];
    for back in (1..=weeks as i64).rev() {
        let origin = end - back * WEEK as i64;
        if samples.series.iter().all(|s| s.before(origin).len() < ENOUGH) {
            continue;
        }
        let model = Model::until(samples.clone(), origin);
        for (n, series) in samples.series.iter().enumerate() {
            if series.before(origin).len() < ENOUGH {
                continue;
            }
            let week = series.between(origin, origin + WEEK as i64);
            let from = plus_hours(jiff::Timestamp::UNIX_EPOCH, origin);
            let Some(outlook) = model.outlook(&series.market.id, from, WEEK) else { continue };
            let level = own_level(series.before(origin));
            let mut almanac = Almanac::new(series.market);
            for sample in week {
                let Some(expected) = outlook.hours.get((sample.hour - origin) as usize) else {
                    continue;
                };
                let sum = &mut sums[n];
                let (came, middle) = (sample.viewers, f64::from(expected.viewers));
                let (low, high) = (f64::from(expected.low), f64::from(expected.high));
                let miss = (came - middle).abs();
                sum.hours += 1.0;
                sum.miss += miss;
                for (loss, (at, said)) in
                    sum.pinball.iter_mut().zip([(0.1, low), (0.5, middle), (0.9, high)])
                {
                    *loss +=
                        if came >= said { at * (came - said) } else { (1.0 - at) * (said - came) };
                }
                sum.inside += f64::from(u8::from((low..=high).contains(&came)));
                let look = samples
                    .look(&mut almanac, plus_hours(jiff::Timestamp::UNIX_EPOCH, sample.hour));
                sum.windows_miss += (came - viewers_of(level + look.base + look.lift)).abs();
                if let Some(naive) = last_week(series, sample.hour, origin) {
                    sum.compared += 1.0;
                    sum.shared_miss += miss;
                    sum.naive_miss += (came - naive).abs();
                }
                if model.choices()[n].method == Method::LastWeek {
                    sum.last_week += 1.0;
                }
            }
        }
    }
    let mut total = Sums::default();
    let mut scores = Vec::new();
    for (sum, market) in sums.iter().zip(markets).filter(|(s, _)| s.hours > 0.0) {
        total.add(sum);
        scores.push(sum.score(Some(market.id.clone())));
    }
    if !scores.is_empty() {
        scores.push(total.score(None));
    }
    scores
}

/// The level of a market by its windows alone.
fn own_level(known: &[super::sample::Sample]) -> f64 {
    let sum: f64 = known.iter().map(|s| s.log - s.look.base - s.look.lift).sum();
    if known.is_empty() { log_of(0.0) } else { sum / known.len() as f64 }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.hours += other.hours;
        self.compared += other.compared;
        self.miss += other.miss;
        self.shared_miss += other.shared_miss;
        self.naive_miss += other.naive_miss;
        self.windows_miss += other.windows_miss;
        for (sum, more) in self.pinball.iter_mut().zip(other.pinball) {
            *sum += more;
        }
        self.inside += other.inside;
        self.last_week += other.last_week;
    }

    fn score(&self, market: Option<MarketId>) -> Score {
        let over = |a: f64, b: f64| (b > 0.0).then_some((a / b) as f32);
        let hours = self.hours.max(1.0);
        Score {
            market,
            hours: self.hours as usize,
            compared: self.compared as usize,
            miss: (self.miss / hours) as f32,
            mase: over(self.shared_miss, self.naive_miss),
            windows: over(self.windows_miss, self.miss),
            pinball: self.pinball.map(|sum| (sum / hours) as f32),
            coverage: (self.inside / hours) as f32,
            last_week: (100.0 * self.last_week / hours) as f32,
        }
    }
}
