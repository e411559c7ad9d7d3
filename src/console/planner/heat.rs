//! How hot the half hours of a plan are: expectations in a few levels.

use crate::planner::schedule::desk::Ground;

/// How many levels there are, from nothing to the most.
const LEVELS: u8 = 5;

/// How hot each half hour is: of all markets together, then of each.
pub(super) fn levels(ground: &Ground) -> Vec<Vec<u8>> {
    let markets = ground.task.demands.len();
    let by: Vec<Vec<f64>> = (0..markets)
        .map(|market| (0..ground.steps()).map(|step| ground.heat(market, step)).collect())
        .collect();
    let all = (0..ground.steps()).map(|step| by.iter().map(|m| m[step]).sum()).collect();
    std::iter::once(all).chain(by).map(|heat| level(&heat)).collect()
}

/// From the least to the most in steps that hold as many half hours as their heat says.
fn level(heat: &[f64]) -> Vec<u8> {
    let least = heat.iter().copied().fold(f64::INFINITY, f64::min);
    let most = heat.iter().copied().fold(0.0, f64::max);
    let span = most - least;
    let of = |v: &f64| {
        if span <= 0.0 { 0 } else { ((v - least) / span * f64::from(LEVELS)) as u8 }
    };
    heat.iter().map(|v| of(v).min(LEVELS - 1)).collect()
}
