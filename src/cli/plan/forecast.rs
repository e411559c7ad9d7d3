//! `hawker plan forecast`: how many viewers to expect, hour by hour.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    cli::{Failure, out, out_json},
    market::Market,
    planner::{Expected, Foretold, Method, Model, Outlook, outlook::WEEK},
};

/// The most hours that are told of a day.
const BEST: usize = 3;
/// The most hours that are proposed to try.
const TRIES: usize = 3;

#[derive(Debug, clap::Args)]
pub(crate) struct Forecast {
    /// These markets; all unless told otherwise
    #[arg(long, value_name = "MARKETS", value_delimiter = ',')]
    market: Vec<String>,
    /// How many weeks from now on
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    weeks: u32,
    /// Print every hour as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn forecast(args: &Forecast) -> Result<u8, Failure> {
    let markets = super::chosen(&args.market)?;
    let now = Timestamp::now();
    // A clock that was wrong may have kept shows of the future.
    let history = super::history::kept()?.before(now);
    let all: Vec<&Market> = markets.iter().collect();
    let model = Model::fit(&all, &history);
    let hours = args.weeks as usize * WEEK;
    let outlooks = markets.iter().filter_map(|m| model.outlook(&m.id, now, hours));
    if args.json {
        let told: Vec<Foretold> = outlooks
            .zip(model.choices())
            .map(|(outlook, choice)| Foretold {
                outlook,
                method: choice.method,
                aired_hours: choice.hours,
            })
            .collect();
        let text = serde_json::to_string(&told)
            .map_err(|e| Failure::usage(format!("this cannot be told as JSON: {e}")))?;
        out_json(&text);
        return Ok(0);
    }
    let home = TimeZone::system();
    let told: Vec<String> = markets
        .iter()
        .zip(outlooks)
        .map(|(market, outlook)| words(market, &outlook, &model, &home))
        .collect();
    out(&told.join("\n"));
    Ok(0)
}

/// A market: the best hours of each day there, with the time at home.
fn words(market: &Market, outlook: &Outlook, model: &Model<'_>, home: &TimeZone) -> String {
    let mut text = String::new();
    let choice = model.choices().iter().find(|c| c.market == market.id);
    let basis = match choice.map(|c| (c.method, c.hours, c.ratio)) {
        Some((Method::Model, hours, Some(ratio))) => {
            format!("from {hours} aired hours; misses {ratio:.2} of what the last week would")
        }
        Some((Method::Model, hours, None)) => format!("from {hours} aired hours"),
        Some((Method::LastWeek, hours, _)) => {
            format!("as in the last week: in {hours} aired hours that did better than the model")
        }
        _ => "from the market's windows alone: nothing was aired here, and 30 viewers in prime time are assumed".into(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}  {} ({}), {basis}", market.id, market.title, market.zone());
    let line = |at: Timestamp, expected: &Expected| {
        let there = market.zone().clock(at).strftime("%a %m-%d %H:%M").to_string();
        let here = at.to_zoned(home.clone()).strftime("%a %H:%M").to_string();
        let reasons: Vec<String> = expected.reasons.iter().map(ToString::to_string).collect();
        let orders = expected.orders.map_or(String::new(), |n| format!("  {n:.1} orders"));
        format!(
            "  {there}  (home {here})  {:>6.0}  {:>5.0}-{:<6.0}{orders}  {}",
            expected.viewers,
            expected.low,
            expected.high,
            reasons.join(", ")
        )
    };
    let mut days: Vec<(jiff::civil::Date, Vec<(Timestamp, &Expected)>)> = Vec::new();
    for (at, expected) in outlook.iter() {
        let date = market.zone().clock(at).date();
        match days.last_mut() {
            Some((day, hours)) if *day == date => hours.push((at, expected)),
            _ => days.push((date, vec![(at, expected)])),
        }
    }
    for (_, mut hours) in days {
        hours.sort_by(|a, b| b.1.viewers.total_cmp(&a.1.viewers));
        hours.truncate(BEST);
        hours.sort_by_key(|(at, _)| *at);
        for (at, expected) in hours {
            let _ = writeln!(text, "{}", line(at, expected));
        }
    }
    let tries = model.explorations(&market.id, outlook.from, TRIES);
    if !tries.is_empty() {
        let never = model.never_aired(&market.id).len();
        let _ = writeln!(text, "  {never} of 168 hours of the week were never aired; worth a try:");
        for one in tries {
            let _ = writeln!(text, "{}", line(one.at, &one.expected));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        planner::{Aired, History},
    };

    #[test]
    fn a_market_is_told_with_its_times_its_band_and_its_reasons() {
        let dirs = config::Dirs::below(std::path::Path::new("/dev/null"));
        let market = config::load_market("TH", &dirs).unwrap();
        let mut history = History::new();
        for week in 0..10 {
            for hour in [20, 21] {
                let at =
                    format!("2027-01-0{}T13:00:00Z", 4 + hour - 20).parse::<Timestamp>().unwrap();
                let at = crate::market::local::plus_hours(at, week * 168);
                history.add(&market.id, Aired { at, viewers: 200.0, minutes: 60.0, orders: None });
            }
        }
        let model = Model::fit(&[&market], &history);
        let from = "2027-03-15T00:00:00Z".parse().unwrap();
        let outlook = model.outlook(&market.id, from, WEEK).unwrap();
        let text = words(&market, &outlook, &model, &TimeZone::UTC);
        for part in [
            "TH  Thailand (Asia/Bangkok), from 20 aired hours",
            "Mon 03-15 20:00  (home Mon 13:00)",
            "own shows",
            "166 of 168",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let nothing = Model::fit(&[&market], &History::new());
        let outlook = nothing.outlook(&market.id, from, WEEK).unwrap();
        assert!(
            words(&market, &outlook, &nothing, &TimeZone::UTC)
                .contains("30 viewers in prime time are assumed")
        );
    }
}
