//! `hawker plan backtest`: whether the forecast is worth believing.

use std::{fmt::Write as _, path::PathBuf};

use jiff::Timestamp;

use crate::{
    cli::{Failure, out, out_json},
    market::Market,
    planner::{self, Score},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Backtest {
    /// A table like for `plan import`, instead of what was kept
    file: Option<PathBuf>,
    /// These markets only
    #[arg(long, value_name = "MARKETS", value_delimiter = ',')]
    market: Vec<String>,
    /// Which comes first in dates of the table like 03/04/2027
    #[arg(long, requires = "file")]
    dates: Option<super::import::Dates>,
    /// How many of the last weeks are forecast, each from what was before it
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=104))]
    weeks: u32,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn backtest(args: &Backtest) -> Result<u8, Failure> {
    let markets = super::chosen(&args.market)?;
    let history = match &args.file {
        Some(file) => {
            // Of one market, a table need not say which it is.
            let alone = match markets.as_slice() {
                [one] if !args.market.is_empty() => Some(one.id.as_str()),
                _ => None,
            };
            super::import::history(file, alone, args.dates)?
        }
        // A clock that was wrong may have kept shows of the future.
        None => super::history::kept()?.before(Timestamp::now()),
    };
    let markets: Vec<&Market> = markets.iter().collect();
    let scores = planner::backtest(&markets, &history, args.weeks as usize);
    if args.json {
        let text = serde_json::to_string(&scores)
            .map_err(|e| Failure::usage(format!("this cannot be told as JSON: {e}")))?;
        out_json(&text);
    } else if scores.is_empty() {
        out(&format!(
            "Too little is known to judge a forecast: {} aired hours. It takes a week of shows in a market and one after \
             it. `hawker plan import FILE` takes in what a platform knows.",
            history.len()
        ));
    } else {
        out(&words(&scores));
    }
    Ok(0)
}

fn words(scores: &[Score]) -> String {
    let mut text = String::from(
        "market   hours    miss    MASE  windows  in band  last week  pinball .1/.5/.9\n",
    );
    // Writing to a String cannot fail.
    for score in scores {
        let name = score.market.as_ref().map_or("all", |m| m.as_str());
        let ratio = |r: Option<f32>| r.map_or("-".to_owned(), |r| format!("{r:.2}"));
        let [a, b, c] = score.pinball;
        let _ = writeln!(
            text,
            "{name:<7}{:>7}{:>8.1}{:>8}{:>9}{:>7.0} %{:>9.0} %  {a:>8.1}{b:>5.1}{c:>5.1}",
            score.hours,
            score.miss,
            ratio(score.mase),
            ratio(score.windows),
            100.0 * score.coverage,
            score.last_week
        );
    }
    text.push_str(
        "
miss       viewers by which the forecast is off
MASE       that over the miss of \"as in the last week\": below 1 it is better
windows    the miss of the market's windows alone over that of the forecast
in band    how often what came lay in the band; 80 % is meant
last week  how often the last week was taken, because it had done better
",
    );
    if let Some(all) = scores.last() {
        let verdict = match all.mase {
            Some(ratio) if ratio < 0.95 => {
                "The forecast is worth believing: it misses by less than the last week."
            }
            Some(ratio) if ratio <= 1.0 => "The forecast is hardly better than the last week.",
            Some(_) => "The last week does better than the forecast: take it with care.",
            None => "No hour was aired in two weeks running: there is nothing to compare it with.",
        };
        text.push('\n');
        text.push_str(verdict);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_in_eighty_columns_and_says_what_it_means() {
        let score = Score {
            market: "US-E".parse().ok(),
            hours: 1234,
            compared: 1000,
            miss: 123.4,
            mase: Some(0.7),
            windows: Some(1.5),
            pinball: [10.0, 61.7, 12.0],
            coverage: 0.81,
            last_week: 0.0,
        };
        let all = Score { market: None, mase: None, windows: None, ..score.clone() };
        let text = words(&[score.clone(), all]);
        let table: Vec<&str> = text.lines().collect();
        assert!(table.iter().all(|line| line.len() <= 80), "{text}");
        assert!(table[1].starts_with("US-E   ") && table[1].contains("0.70"), "{text}");
        assert!(text.contains("nothing to compare"));
        assert!(words(&[score]).contains("worth believing"));
    }
}
