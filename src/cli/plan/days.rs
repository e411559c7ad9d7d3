//! `hawker plan days`: the days on which more or less is sold, of all markets in one calendar.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::Serialize;

use super::table::folded;
use crate::{
    base::text::plain,
    cli::{Failure, out},
    market::Market,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Days {
    /// These markets; all unless told otherwise
    #[arg(long, value_name = "MARKETS", value_delimiter = ',')]
    market: Vec<String>,
    /// How many weeks from now on
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=104))]
    weeks: u32,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A day that is no plain one, in the markets that have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Special {
    date: Date,
    name: String,
    /// What demand is multiplied by.
    lift: f32,
    markets: Vec<String>,
}

pub(super) fn days(args: &Days) -> Result<u8, Failure> {
    let markets = super::chosen(&args.market)?;
    let all = special(&markets, Timestamp::now(), args.weeks);
    out(&if args.json { super::json(&all)? } else { told(&all, super::columns()) });
    Ok(0)
}

/// The special days of the weeks from `now` on, by the dates of each market's main zone.
fn special(markets: &[Market], now: Timestamp, weeks: u32) -> Vec<Special> {
    let mut all: BTreeMap<(Date, String, u32), Vec<String>> = BTreeMap::new();
    for market in markets {
        let today = market.zone().clock(now).date();
        // Dates, not every 24 hours: a day on which the clocks are put forward is shorter.
        for day in 0..i64::from(weeks) * 7 {
            let Ok(date) = today.checked_add(SignedDuration::from_hours(24 * day)) else { break };
            let Some(special) = market.day_on(date) else { continue };
            // As a whole number of thousandths, so that it can be a key.
            let lift = (special.lift * 1000.0).round() as u32;
            let who = all.entry((date, special.name.to_string(), lift)).or_default();
            if !who.contains(&market.id.to_string()) {
                who.push(market.id.to_string());
            }
        }
    }
    let listed = all.into_iter().map(|((date, name, lift), markets)| Special {
        date,
        name,
        lift: lift as f32 / 1000.0,
        markets,
    });
    listed.collect()
}

fn told(all: &[Special], columns: usize) -> String {
    let mut lines = Vec::new();
    let mut last = None;
    for Special { date, name, lift, markets } in all {
        let day = if last == Some(*date) {
            " ".repeat(15)
        } else {
            date.strftime("%a %d %b %Y").to_string()
        };
        last = Some(*date);
        let name = plain(name);
        let text = format!("{name} x{lift}: {}", markets.join(", "));
        lines.push(folded(&format!("{day}  "), &text, columns));
    }
    if lines.is_empty() {
        lines.push("Plain days only.".into());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        config::{Dirs, load_market},
        market::DayOn,
    };

    #[test]
    fn a_day_is_told_once_with_its_markets() {
        let dirs = Dirs::below(Path::new("/dev/null"));
        let markets = ["TH", "VN", "GB"].map(|id| load_market(id, &dirs).unwrap());
        let now = "2027-11-01T00:00:00Z".parse().unwrap();
        let all = special(&markets, now, 4);
        let singles: Vec<&Special> = all.iter().filter(|s| s.name == "11.11").collect();
        assert!(!singles.is_empty() && singles.iter().any(|s| s.markets.contains(&"TH".into())));
        assert!(singles.iter().all(|s| s.date == jiff::civil::date(2027, 11, 11) && s.lift > 1.0));
        let text = told(&all, 60);
        assert!(text.contains("Thu 11 Nov 2027  11.11 x2.2"), "{text}");
        assert!(text.contains("Black Friday"), "{text}");
        assert_eq!(told(&[], 60), "Plain days only.");
    }

    #[test]
    fn a_day_of_23_hours_is_not_lost_late_in_the_evening() {
        let dirs = Dirs::below(Path::new("/dev/null"));
        let mut market = load_market("GB", &dirs).unwrap();
        for day in &mut market.days {
            day.on = DayOn::Yearly { month: 3, day: 28 };
            day.lasts = 1;
        }
        // Half past eleven in London; the clocks are put forward on the next day.
        let now = "2027-03-27T23:30:00Z".parse().unwrap();
        let all = special(&[market], now, 1);
        let dates: Vec<Date> = all.iter().map(|s| s.date).collect();
        assert_eq!(dates, [jiff::civil::date(2027, 3, 28)]);
    }
}
