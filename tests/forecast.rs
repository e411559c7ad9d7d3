//! The forecast on histories of which the truth is known. Run with `--nocapture` it prints the table of the docs.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says it by failing, and prints what it measured"
)]

#[path = "forecast/synthetic.rs"]
mod synthetic;

use hawker::{
    config::{self, Dirs},
    market::{Almanac, Market, local::plus_hours},
    planner::{Method, Model, Reason, Score, backtest, forecast, prior},
};
use jiff::Timestamp;
use synthetic::{Chance, SHAPES, STABLE, Shape, history};

const SEEDS: u64 = 6;

fn markets() -> Vec<Market> {
    let dirs = Dirs::below(std::path::Path::new("/nowhere/at/all"));
    let all = config::load_markets(&dirs).unwrap();
    let some = ["TH", "ID", "US-E", "GB", "BR", "JP"];
    all.into_iter().filter(|m| some.contains(&m.id.as_str())).collect()
}

/// A Monday half a year before the sale days.
fn begin() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// All seeds of a shape together.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    hours: f64,
    mase: f64,
    windows: f64,
    inside: f64,
    miss: f64,
    pinball: [f64; 3],
    last_week: f64,
}

fn judged(shape: Shape) -> Sum {
    let markets = markets();
    let markets: Vec<&Market> = markets.iter().collect();
    let mut sum = Sum::default();
    for seed in 1..=SEEDS {
        let (history, _) = history(&markets, begin(), shape, seed);
        let scores = backtest(&markets, &history, 16);
        let Score { hours, mase, windows, coverage, miss, pinball, last_week, .. } =
            scores.last().unwrap();
        let n = *hours as f64;
        sum.hours += n;
        sum.mase += n * f64::from(mase.unwrap());
        sum.windows += n * f64::from(windows.unwrap());
        sum.inside += n * f64::from(*coverage);
        sum.miss += n * f64::from(*miss);
        sum.last_week += n * f64::from(*last_week);
        for (sum, loss) in sum.pinball.iter_mut().zip(pinball) {
            *sum += n * f64::from(*loss);
        }
    }
    let n = sum.hours;
    Sum {
        hours: n,
        mase: sum.mase / n,
        windows: sum.windows / n,
        inside: sum.inside / n,
        miss: sum.miss / n,
        pinball: sum.pinball.map(|p| p / n),
        last_week: sum.last_week / n,
    }
}

#[test]
fn it_beats_the_last_week_on_every_shape_and_its_band_holds_four_of_five() {
    println!(
        "| history | hours | MASE | windows alone | in the band | pinball .1 .5 .9 | last week taken |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut wrong = Vec::new();
    for shape in SHAPES {
        let Sum { hours, mase, windows, inside, pinball: [a, b, c], last_week, .. } = judged(shape);
        println!(
            "| {} | {hours:.0} | {mase:.2} | {windows:.2} | {:.0} % | {a:.1} {b:.1} {c:.1} | {last_week:.0} % |",
            shape.name,
            100.0 * inside
        );
        if mase >= 1.0 {
            wrong.push(format!("{}: MASE {mase:.3}", shape.name));
        }
        if !(0.75..=0.85).contains(&inside) {
            wrong.push(format!("{}: {:.1} % in the band", shape.name, 100.0 * inside));
        }
        // The windows alone, brought to the own level, are never better.
        if windows < 1.0 {
            wrong.push(format!("{}: windows alone {windows:.3}", shape.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn after_three_shows_it_is_no_worse_than_the_windows() {
    let markets = markets();
    let shape = Shape { weeks: 1, shows: 3, moved: 0.0, ..STABLE };
    let (mut ours, mut theirs, mut scaled, mut inside, mut hours) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for seed in 1..=40 {
        for market in &markets {
            let (history, truths) = history(&[market], begin(), shape, seed);
            let known: Vec<_> = history.hours(&market.id).copied().collect();
            let from = plus_hours(begin(), 168);
            let (said, before) =
                (forecast(market, &history, from, 4 * 168), prior(market, from, 4 * 168));
            let mut almanac = Almanac::new(market);
            let mut chance = Chance::of(seed + 1000);
            // The windows, brought to what the three shows had.
            let level: f64 = known
                .iter()
                .map(|a| {
                    f64::from(a.viewers + 0.5).ln()
                        - f64::from(market.weight(a.at) * market.lift(a.at)).ln()
                })
                .sum::<f64>()
                / known.len() as f64;
            for ((at, ours_said), (_, windows)) in said.iter().zip(before.iter()) {
                let hour = almanac.hour(at);
                // Hours that somebody may air.
                if hour.weight < 0.3 {
                    continue;
                }
                let log = truths[0].log(&mut almanac, at) + chance.normal(0.2) + chance.normal(0.2);
                let came = log.exp();
                ours += (came - f64::from(ours_said.viewers)).abs();
                theirs += (came - f64::from(windows.viewers)).abs();
                let lift = hour.day.map_or(1.0, |d| d.lift);
                scaled += (came - level.exp() * f64::from(hour.weight * lift)).abs();
                let band = f64::from(ours_said.low)..=f64::from(ours_said.high);
                inside += f64::from(u8::from(band.contains(&came)));
                hours += 1.0;
            }
        }
    }
    println!(
        "| cold start, 3 shows | {hours:.0} | {:.2} of the windows | {:.2} of the windows at the own level | {:.0} % |",
        ours / theirs,
        ours / scaled,
        100.0 * inside / hours
    );
    assert!(ours < theirs, "{ours} against {theirs}");
    assert!(ours < scaled, "{ours} against {scaled}");
    let inside = inside / hours;
    assert!((0.75..=0.85).contains(&inside), "{:.1} % in the band", 100.0 * inside);
}

#[test]
fn when_the_last_week_does_better_it_is_taken_and_said() {
    let markets = markets();
    let markets: Vec<&Market> = markets.iter().collect();
    // Every hour of the week goes a way of its own, and nothing of it comes back.
    let shape = Shape { wandering: 0.5, noise: (0.03, 0.03), moved: 0.0, ..STABLE };
    let (history, _) = history(&markets, begin(), shape, 3);
    let model = Model::fit(&markets, &history);
    let taken: Vec<_> = model.choices().iter().filter(|c| c.method == Method::LastWeek).collect();
    assert!(!taken.is_empty(), "{:?}", model.choices());
    for choice in taken {
        assert!(choice.ratio.unwrap() > 1.0 && choice.compared >= 30, "{choice:?}");
        let from = plus_hours(begin(), 168 * 30);
        let outlook = model.outlook(&choice.market, from, 168).unwrap();
        let last = history.hours(&choice.market).next_back().unwrap();
        let same = outlook.at(plus_hours(last.at, 168)).unwrap();
        assert!(same.reasons.contains(&Reason::LastWeek), "{same:?}");
        assert!((same.viewers - last.viewers).abs() < 0.01 * last.viewers + 0.01);
    }
    // And on a stable history it is not.
    let (calm, _) = synthetic::history(&markets, begin(), STABLE, 3);
    let model = Model::fit(&markets, &calm);
    assert!(model.choices().iter().all(|c| c.method == Method::Model), "{:?}", model.choices());
}

#[test]
fn hours_never_aired_are_named_are_less_certain_and_the_best_of_them_are_proposed() {
    let markets = markets();
    let thailand = markets.iter().find(|m| m.id.as_str() == "TH").unwrap();
    let shape = Shape { biased: true, moved: 0.0, shows: 3, ..STABLE };
    let (history, _) = history(&[thailand], begin(), shape, 5);
    let model = Model::fit(&[thailand], &history);
    let from = plus_hours(begin(), 168 * 30);
    let outlook = model.outlook(&thailand.id, from, 168).unwrap();
    let aired: std::collections::BTreeSet<i64> = history
        .hours(&thailand.id)
        .map(|a| (a.at.as_second() - begin().as_second()) / 3600 % 168)
        .collect();
    let width = |e: &hawker::planner::Expected| f64::from(e.high / e.low.max(0.1)).ln();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (n, (_, expected)) in outlook.iter().enumerate() {
        let never = expected.reasons.contains(&Reason::NeverAired);
        assert_eq!(never, !aired.contains(&(n as i64)), "hour {n}: {expected:?}");
        if never { unknown.push(width(expected)) } else { known.push(width(expected)) }
    }
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    assert!(mean(&unknown) > 1.1 * mean(&known), "{} {}", mean(&unknown), mean(&known));
    let proposed = model.explorations(&thailand.id, from, 3);
    assert_eq!(proposed.len(), 3);
    assert!(proposed.is_sorted_by(|a, b| a.worth >= b.worth));
    for one in &proposed {
        assert!(one.expected.reasons.contains(&Reason::NeverAired) && one.worth > 0.0, "{one:?}");
    }
    assert_eq!(model.never_aired(&thailand.id).len(), 168 - aired.len());
}

#[test]
fn a_trend_goes_on_and_a_sale_day_lifts_what_it_lifted_before() {
    let markets = markets();
    let thailand = markets.iter().find(|m| m.id.as_str() == "TH").unwrap();
    let shape = Shape { growth: 0.05, noise: (0.05, 0.05), ..STABLE };
    let (grown, _) = history(&[thailand], begin(), shape, 2);
    let from = plus_hours(begin(), 168 * 30);
    let model = Model::fit(&[thailand], &grown);
    let outlook = model.outlook(&thailand.id, from, 8 * 168).unwrap();
    let week =
        |n: usize| -> f32 { outlook.hours[n * 168..(n + 1) * 168].iter().map(|e| e.viewers).sum() };
    // From the beginning of 2027 there is no sale day for two months, but paydays every month alike.
    assert!(week(4) > 1.08 * week(0), "{} {}", week(0), week(4));
    assert!(outlook.hours.iter().skip(168 * 3).any(|e| e.reasons.contains(&Reason::Trend)));
    let named = |name: &str| {
        let day = |r: &Reason| matches!(r, Reason::SaleDay(n) if **n == *name);
        outlook.hours.iter().filter(|e| e.reasons.iter().any(day)).count()
    };
    assert!(named("payday") >= 24 && named("11.11") == 0);
}

#[test]
fn without_any_history_it_is_the_windows_and_says_so() {
    let markets = markets();
    let all: Vec<&Market> = markets.iter().collect();
    let nothing = hawker::planner::History::new();
    let model = Model::fit(&all, &nothing);
    for market in &markets {
        let outlook = model.outlook(&market.id, begin(), 168).unwrap();
        let windows = prior(market, begin(), 168);
        for (said, prior) in outlook.hours.iter().zip(&windows.hours) {
            assert!((said.viewers - prior.viewers).abs() < 0.6, "{said:?} {prior:?}");
            assert_eq!(said.reasons, prior.reasons);
            assert!(said.low <= said.viewers && said.viewers <= said.high);
        }
        assert_eq!(forecast(market, &nothing, begin(), 168), windows);
        assert!(model.explorations(&market.id, begin(), 3).is_empty());
    }
    assert!(backtest(&all, &nothing, 8).is_empty());
}
