//! `hawker plan`: when to be on air for which market. It reads what was kept and what is asked, and prints what the
//! planner says.

mod backtest;
mod forecast;
mod history;
mod import;

use clap::Subcommand;

use super::{Failure, load};
use crate::market::Market;

#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say how many viewers to expect in each market, hour by hour, and why
    Forecast(forecast::Forecast),
    /// Say how the forecast would have done in your own shows so far, beside simpler ones
    Backtest(backtest::Backtest),
    /// Take in viewers from a platform's table (CSV or JSON): shows what it understood first
    Import(import::Import),
}

pub(crate) fn plan(args: &Plan) -> Result<u8, Failure> {
    match &args.what {
        What::Forecast(args) => forecast::forecast(args),
        What::Backtest(args) => backtest::backtest(args),
        What::Import(args) => import::import(args),
    }
}

/// The markets that are named, in that order; all when none is.
fn chosen(names: &[String]) -> Result<Vec<Market>, Failure> {
    if names.is_empty() {
        return load::markets();
    }
    let mut chosen: Vec<Market> = Vec::new();
    for name in names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
        let market = load::market(name)?;
        if chosen.iter().all(|m| m.id != market.id) {
            chosen.push(market);
        }
    }
    Ok(chosen)
}
