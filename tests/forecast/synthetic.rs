//! Histories of which the truth is known: seeded, of several shapes. The truth is a level, the market's windows, a
//! shape of the week that differs from them, sale days that differ from their files, and noise of days and of hours.

use hawker::{
    market::{Almanac, Market, local::plus_hours},
    planner::{Aired, History},
};
use jiff::Timestamp;

/// Numbers that look like chance (splitmix64); the same seed gives the same ones everywhere.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66_D1CE_5EED)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to 1.
    pub fn part(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of a normal distribution.
    pub fn normal(&mut self, spread: f64) -> f64 {
        let (a, b) = (self.part().max(1e-12), self.part());
        spread * (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }
}

/// A kind of history.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    /// Weeks of history.
    pub weeks: usize,
    /// Growth in a week.
    pub growth: f64,
    /// How far hours of the day are from the windows, and hours of the week from that.
    pub unlike: (f64, f64),
    /// How far sale days are from their files.
    pub sales: f64,
    /// Noise of days and of hours.
    pub noise: (f64, f64),
    /// Shows in a week, and how many of the slots are moved about.
    pub shows: usize,
    pub moved: f64,
    /// Only the best hours are aired, by the truth.
    pub biased: bool,
    /// No shape of the week at all, not even that of the windows.
    pub shapeless: bool,
    /// Each hour of the week goes its own way from week to week.
    pub wandering: f64,
}

pub const STABLE: Shape = Shape {
    name: "stable",
    weeks: 30,
    growth: 0.0,
    unlike: (0.25, 0.1),
    sales: 0.2,
    noise: (0.2, 0.2),
    shows: 5,
    moved: 0.15,
    biased: false,
    shapeless: false,
    wandering: 0.0,
};

/// The shapes by which the forecast is judged.
pub const SHAPES: [Shape; 7] = [
    STABLE,
    Shape { name: "trend", growth: 0.04, ..STABLE },
    Shape { name: "sale spikes", sales: 0.6, ..STABLE },
    Shape { name: "unlike its prior", unlike: (0.9, 0.2), ..STABLE },
    Shape { name: "biased airing", biased: true, unlike: (0.5, 0.15), ..STABLE },
    Shape { name: "few shows", shows: 2, ..STABLE },
    Shape { name: "pure noise", shapeless: true, noise: (0.4, 0.4), ..STABLE },
];

/// What is true of a market, without noise.
pub struct Truth<'m> {
    market: &'m Market,
    from: Timestamp,
    shape: Shape,
    level: f64,
    hours: [f64; 24],
    cells: [f64; 168],
    days: Vec<(String, f64)>,
}

impl<'m> Truth<'m> {
    pub fn of(market: &'m Market, from: Timestamp, shape: Shape, chance: &mut Chance) -> Self {
        let mut hours = [0.0; 24];
        // Smooth over the day: people's habits have no edges.
        let (a, b) = (chance.normal(1.0), chance.normal(1.0));
        for (h, hour) in hours.iter_mut().enumerate() {
            let turn = std::f64::consts::TAU * h as f64 / 24.0;
            *hour = shape.unlike.0 * (a * turn.cos() + b * (turn + 1.0).sin()) / 1.4
                + chance.normal(shape.unlike.0 * 0.5);
        }
        let cells = std::array::from_fn(|_| chance.normal(shape.unlike.1));
        let days = market.days.iter().map(|d| (d.name.to_string(), chance.normal(shape.sales)));
        let days = days.collect();
        Self { market, from, shape, level: 3.5 + chance.normal(0.8), hours, cells, days }
    }

    /// The logarithm of the viewers of an hour.
    pub fn log(&self, almanac: &mut Almanac<'_>, at: Timestamp) -> f64 {
        let hour = almanac.hour(at);
        let weeks = (at.as_second() - self.from.as_second()) as f64 / (168.0 * 3600.0);
        let mut log = self.level + self.shape.growth * weeks;
        if self.shape.shapeless {
            return log;
        }
        if let Some(day) = hour.day {
            let own = self.days.iter().find(|(name, _)| *name == *day.name).map_or(0.0, |d| d.1);
            log += f64::from(day.lift).ln() + own;
        }
        log + f64::from(hour.weight).ln() + self.hours[hour.cell % 24] + self.cells[hour.cell]
    }
}

/// A history of these markets from an instant on, and what is true of each.
pub fn history<'m>(
    markets: &[&'m Market],
    from: Timestamp,
    shape: Shape,
    seed: u64,
) -> (History, Vec<Truth<'m>>) {
    let mut chance = Chance::of(seed);
    let (mut history, mut truths) = (History::new(), Vec::new());
    for market in markets {
        let truth = Truth::of(market, from, shape, &mut chance);
        let mut almanac = Almanac::new(market);
        // Slots as a seller has them: begun at an hour that the market's windows speak for, two or three hours long.
        let slots: Vec<(usize, usize)> = (0..shape.shows)
            .map(|_| (slot(&truth, from, &mut chance), 2 + chance.below(2)))
            .collect();
        let mut wander = [0.0; 168];
        for week in 0..shape.weeks {
            for step in &mut wander {
                *step += chance.normal(shape.wandering);
            }
            let mut aired = Vec::new();
            for (start, length) in &slots {
                let start = if chance.part() < shape.moved {
                    slot(&truth, from, &mut chance)
                } else {
                    *start
                };
                let day = chance.normal(shape.noise.0);
                for n in start..start + length {
                    if !aired.contains(&n) {
                        aired.push(n);
                        let at = plus_hours(from, (week * 168 + n) as i64);
                        let log = truth.log(&mut almanac, at)
                            + day
                            + wander[n % 168]
                            + chance.normal(shape.noise.1);
                        let viewers = log.exp().round() as f32;
                        history.add(&market.id, Aired { at, viewers, minutes: 60.0, orders: None });
                    }
                }
            }
        }
        truths.push(truth);
    }
    (history, truths)
}

/// An hour of the week to begin at, after `from`.
fn slot(truth: &Truth<'_>, from: Timestamp, chance: &mut Chance) -> usize {
    let mut almanac = Almanac::new(truth.market);
    let mut worth = |n: usize| {
        let at = plus_hours(from, n as i64);
        if truth.shape.biased {
            truth.log(&mut almanac, at)
        } else {
            f64::from(almanac.hour(at).weight)
        }
    };
    // The better of some that come to mind; the biased think longer.
    let tries = if truth.shape.biased { 24 } else { 4 };
    let mut best = chance.below(166);
    for _ in 1..tries {
        let other = chance.below(166);
        if worth(other) > worth(best) {
            best = other;
        }
    }
    best
}
