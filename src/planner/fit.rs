//! The model and how it is fitted: viewers of an hour are a level that moves from week to week, times what the
//! market's windows say, times the own shape of the week, times what a sale day brings. All but the first are drawn
//! towards what is known without the own shows.

use super::{
    forecast::BEGINNER,
    level::{Level, Told},
    outlook::WEEK,
    profile::{Profile, Says, Tells, UNKNOWN},
    sample::{Look, PLAIN, Sample, Samples, Series, log_of},
};

/// How uncertain a level is when nothing is known of any market, and when others are known: variances.
const NO_LEVEL: f64 = 2.0;
const OTHERS_LEVEL: f64 = 1.0;
/// The noise of an hour when nothing is known: a standard deviation, and how many hours it weighs.
const NOISE: f64 = 0.3;
const NOISE_WEIGHS: f64 = 10.0;
/// How many days weigh as much as what a file says of a sale day, and how uncertain that is.
const DAY: f64 = 1.5;
const UNKNOWN_DAY: f64 = 0.3;
/// What lies further off than that many standard deviations is not believed to the full.
const FAR: f64 = 2.5;
/// The weeks that are looked back on.
const WEEKS: usize = 104;
/// What a shape was half a year ago counts half.
const HALF_LIFE: f64 = 26.0;
/// Rounds of fitting one part after the other.
const ROUNDS: usize = 3;

/// A market as it was fitted.
#[derive(Debug, Clone)]
pub struct Fitted {
    level: Level,
    /// The shape of the week.
    pub profile: Profile,
    /// Differences of days from their files, by day, and how many such days were aired.
    days: Vec<(f64, f64)>,
    /// Variance of an hour that nothing explains.
    noise: f64,
    /// Weeks that are looked back on, the oldest first.
    weeks: usize,
}

/// What is expected of an hour, in logarithms.
#[derive(Debug, Clone, Copy)]
pub struct Guess {
    /// The middle.
    pub log: f64,
    /// The variance that airing does not settle: the noise of the hour, and what the level may do.
    pub noise: f64,
    /// The variance that airing this hour, or this day, would settle.
    pub doubt: f64,
    /// The part of the trend since the last week that was known.
    pub trend: f64,
}

/// All markets as they were fitted.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The hour before which everything is known.
    pub until: i64,
    /// The markets, in order.
    pub markets: Vec<Fitted>,
}

impl Fit {
    /// Fits all markets to what was aired before an hour.
    pub fn of(all: &Samples<'_>, until: i64) -> Self {
        let days = all.days.len();
        let known: Vec<&[Sample]> = all.series.iter().map(|s| s.before(until)).collect();
        let mut markets: Vec<Fitted> = known
            .iter()
            .map(|_| Fitted {
                level: Level::of(&[], log_of(f64::from(BEGINNER)), NO_LEVEL),
                profile: Profile::flat(),
                days: vec![(0.0, 0.0); days],
                noise: NOISE * NOISE,
                weeks: 0,
            })
            .collect();
        for round in 0..ROUNDS {
            let believed = round > 0;
            fit_levels(all, &known, until, &mut markets, believed);
            fit_days(&known, until, &mut markets, days);
            fit_profiles(all, &known, until, &mut markets, believed);
            for (fitted, samples) in markets.iter_mut().zip(&known) {
                fitted.noise = noise(fitted, samples, until);
            }
        }
        Self { until, markets }
    }

    /// What is expected of an hour of a market.
    pub fn guess(&self, market: usize, hour: i64, look: &Look) -> Guess {
        let fitted = &self.markets[market];
        let (level, doubt_of_level) = fitted.level_at(hour, self.until);
        let doubt = fitted.profile.doubt(look.cell);
        let (day, doubt_of_day) = match fitted.days.get(look.day) {
            Some((by, n)) => (*by, UNKNOWN_DAY * UNKNOWN_DAY * DAY / (n + DAY)),
            None => (0.0, 0.0),
        };
        Guess {
            log: look.base + look.lift + level + fitted.profile.at(look.cell) + day,
            noise: fitted.noise + doubt_of_level,
            doubt: doubt + doubt_of_day,
            trend: level - fitted.level.ahead(0).0,
        }
    }
}

/// How many weeks before `until` an hour lies; 0 is the last one.
fn weeks_back(hour: i64, until: i64) -> usize {
    usize::try_from((until - 1 - hour).max(0)).unwrap_or(0) / WEEK
}

impl Fitted {
    /// The level of an hour and its variance.
    fn level_at(&self, hour: i64, until: i64) -> (f64, f64) {
        if hour < until {
            let back = weeks_back(hour, until);
            return (self.level.week(self.weeks.saturating_sub(1).saturating_sub(back)), 0.0);
        }
        self.level.ahead(usize::try_from((hour - until) / WEEK as i64).unwrap_or(0) + 1)
    }

    /// What a sample says beyond level, windows and day.
    fn rest(&self, sample: &Sample, until: i64) -> f64 {
        let day = self.days.get(sample.look.day).map_or(0.0, |d| d.0);
        let (level, _) = self.level_at(sample.hour, until);
        sample.log - sample.look.base - sample.look.lift - day - level
    }

    /// The same without what is not believed.
    fn believed(&self, sample: &Sample, until: i64) -> f64 {
        let expected = self.profile.at(sample.look.cell);
        let far = FAR * self.noise.sqrt();
        expected + (self.rest(sample, until) - expected).clamp(-far, far)
    }
}

fn fit_levels(
    all: &Samples<'_>,
    known: &[&[Sample]],
    until: i64,
    markets: &mut [Fitted],
    believed: bool,
) {
    // The mean level of each market with the days it rests on, for the others to begin with.
    let own: Vec<(f64, f64)> =
        known.iter().zip(markets.iter()).map(|(samples, fitted)| rough(fitted, samples)).collect();
    for (n, samples) in known.iter().enumerate() {
        let others = |within: &dyn Fn(&Series<'_>) -> bool, from: f64, k: f64| {
            let (mut sum, mut count) = (k * from, k);
            for (m, (level, weight)) in own.iter().enumerate() {
                if m != n && within(&all.series[m]) {
                    sum += level * weight;
                    count += weight;
                }
            }
            (sum / count, count > k)
        };
        let (world, any) = others(&|_| true, log_of(f64::from(BEGINNER)), 1.0);
        let group = all.series[n].group;
        let (guess, _) = others(&|s| s.group == group, world, 2.0);
        let fitted = &mut markets[n];
        let told = weekly(fitted, samples, until, believed);
        fitted.weeks = told.len();
        fitted.level = Level::of(&told, guess, if any { OTHERS_LEVEL } else { NO_LEVEL });
    }
}

/// The mean level of a market, and how many days it rests on, ten at most.
fn rough(fitted: &Fitted, samples: &[Sample]) -> (f64, f64) {
    let (mut sum, mut weight, mut days, mut last) = (0.0, 0.0, 0.0, i64::MIN);
    for sample in samples.iter().rev().take(200) {
        let day = fitted.days.get(sample.look.day).map_or(0.0, |d| d.0);
        let by = sample.log
            - sample.look.base
            - sample.look.lift
            - day
            - fitted.profile.at(sample.look.cell);
        sum += sample.weight * by;
        weight += sample.weight;
        if sample.hour.div_euclid(24) != last {
            (last, days) = (sample.hour.div_euclid(24), days + 1.0);
        }
    }
    if weight > 0.0 { (sum / weight, f64::min(days, 10.0)) } else { (0.0, 0.0) }
}

/// What each week says of the level, the oldest first.
fn weekly(fitted: &Fitted, samples: &[Sample], until: i64, believed: bool) -> Vec<Told> {
    let Some(first) = samples.first() else { return Vec::new() };
    let weeks = (weeks_back(first.hour, until) + 1).min(WEEKS);
    let mut sums = vec![(0.0, 0.0, 0.0, i64::MIN); weeks];
    for sample in samples {
        let back = weeks_back(sample.hour, until);
        if back >= weeks {
            continue;
        }
        let expected = fitted.profile.at(sample.look.cell);
        let (level, _) = fitted.level_at(sample.hour, until);
        let by = if believed {
            level + fitted.believed(sample, until) - expected
        } else {
            level + fitted.rest(sample, until) - expected
        };
        let week = &mut sums[weeks - 1 - back];
        week.0 += sample.weight * by;
        week.1 += sample.weight;
        if sample.hour.div_euclid(24) != week.3 {
            (week.2, week.3) = (week.2 + 1.0, sample.hour.div_euclid(24));
        }
    }
    sums.into_iter()
        .map(|(sum, weight, days, _)| {
            // Half of the noise is that of a day, and more hours of it do not take it away.
            let variance = fitted.noise * (0.5 / f64::max(days, 1.0) + 0.5 / weight.max(0.05));
            (weight > 0.0).then(|| (sum / weight, variance))
        })
        .collect()
}

fn fit_days(known: &[&[Sample]], until: i64, markets: &mut [Fitted], days: usize) {
    // Of each market, the difference of each day that was aired: the mean of its hours.
    let mut means: Vec<Vec<(usize, f64)>> = Vec::new();
    for (samples, fitted) in known.iter().zip(markets.iter()) {
        let mut own: Vec<(usize, i64, f64, f64)> = Vec::new();
        for sample in samples.iter().filter(|s| s.look.day != PLAIN) {
            let date = sample.hour.div_euclid(24);
            let (level, _) = fitted.level_at(sample.hour, until);
            let by = sample.log
                - sample.look.base
                - sample.look.lift
                - level
                - fitted.profile.at(sample.look.cell);
            match own.last_mut() {
                // A day of the west begins in the middle of one of UTC: a night between two shows parts days.
                Some((day, last, sum, n)) if *day == sample.look.day && date - *last <= 1 => {
                    (*last, *sum, *n) = (date, *sum + by, *n + 1.0);
                }
                _ => own.push((sample.look.day, date, by, 1.0)),
            }
        }
        means.push(own.into_iter().map(|(day, _, sum, n)| (day, sum / n)).collect());
    }
    let mut world = vec![(0.0, 0.0); days];
    for (day, by) in means.iter().flatten() {
        world[*day].0 += by;
        world[*day].1 += 1.0;
    }
    for (sum, n) in &mut world {
        *sum /= *n + DAY;
    }
    for (fitted, means) in markets.iter_mut().zip(&means) {
        let mut own = vec![(0.0, 0.0); days];
        for (day, by) in means {
            own[*day].0 += by - world[*day].0;
            own[*day].1 += 1.0;
        }
        for (n, (sum, count)) in own.into_iter().enumerate() {
            fitted.days[n] = (world[n].0 + sum / (count + DAY), count.max(0.5 * world[n].1));
        }
    }
}

fn fit_profiles(
    all: &Samples<'_>,
    known: &[&[Sample]],
    until: i64,
    markets: &mut [Fitted],
    believed: bool,
) {
    let tells: Vec<Vec<Tells>> = known
        .iter()
        .zip(markets.iter())
        .map(|(samples, fitted)| {
            let of = |sample: &Sample| Tells {
                cell: sample.look.cell,
                by: if believed {
                    fitted.believed(sample, until)
                } else {
                    fitted.rest(sample, until)
                },
                weight: sample.weight
                    * (-(weeks_back(sample.hour, until) as f64) / HALF_LIFE).exp2(),
            };
            samples.iter().map(of).collect()
        })
        .collect();
    // What a market says is not told to it again: world and group speak of the others.
    let says: Vec<Says> = tells.iter().map(|own| Says::of(own)).collect();
    for (n, own) in tells.iter().enumerate() {
        let (mut world, mut group) = (Says::nothing(), Says::nothing());
        for (m, says) in says.iter().enumerate().filter(|(m, _)| *m != n) {
            world.add(says);
            if all.series[m].group == all.series[n].group {
                group.add(says);
            }
        }
        markets[n].profile = Profile::of(own, &group.shape(&world.shape(&UNKNOWN)));
    }
}

/// The variance of what nothing explains.
fn noise(fitted: &Fitted, samples: &[Sample], until: i64) -> f64 {
    let (mut sum, mut weight) = (NOISE_WEIGHS * NOISE * NOISE, NOISE_WEIGHS);
    for sample in samples {
        let miss = fitted.believed(sample, until) - fitted.profile.at(sample.look.cell);
        sum += sample.weight * miss * miss;
        weight += sample.weight;
    }
    sum / weight
}
