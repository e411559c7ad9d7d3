//! The history that the planner learns from: one's own live shows, and what was imported.

use std::collections::BTreeMap;

use crate::{
    cli::{Failure, load},
    planner::{Aired, History, import::Row},
    store::{self, Imported, Shows, StoreError, Watched},
};

/// Everything that was kept; nothing when nothing was.
pub(super) fn kept() -> Result<History, Failure> {
    let shows = match Shows::open(&load::state_dir()?.join(store::FILE)) {
        Ok(shows) => shows,
        Err(StoreError::Nothing(_)) => return Ok(History::new()),
        Err(error) => return Err(Failure::usage(error.to_string())),
    };
    let failed = |e: StoreError| Failure::usage(e.to_string());
    Ok(of(&shows.imported().map_err(failed)?, &shows.watched().map_err(failed)?))
}

/// Platforms add up; an hour that a platform told of is not counted again from one's own show.
fn of(imported: &[Imported], watched: &[Watched]) -> History {
    let mut sources: BTreeMap<&str, History> = BTreeMap::new();
    for row in imported {
        let Ok(market) = row.market.parse() else { continue };
        let row_of = Row {
            line: 0,
            market,
            at: row.at,
            minutes: row.minutes,
            viewers: row.viewers,
            orders: row.orders,
        };
        row_of.add_to(sources.entry(&row.source).or_default());
    }
    let mut all = History::new();
    for source in sources.values() {
        all.beside(source);
    }
    let mut own = History::new();
    for minute in watched {
        let Ok(market) = minute.market.parse() else { continue };
        let viewers = minute.viewers as f32;
        own.add(&market, Aired { at: minute.at, viewers, minutes: 1.0, orders: None });
    }
    all.fill(&own);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_that_a_platform_told_of_is_not_counted_again() {
        let imported = |source: &str, viewers| Imported {
            market: "TH".into(),
            at: "2027-03-04T13:30:00Z".parse().unwrap(),
            minutes: 60.0,
            viewers,
            orders: None,
            source: source.into(),
        };
        let minute =
            |at: &str| Watched { at: at.parse().unwrap(), market: "th".into(), viewers: 9.0 };
        let history = of(
            &[imported("a", 10.0), imported("b", 5.0)],
            &[
                minute("2027-03-04T13:10:00Z"),
                minute("2027-03-04T15:00:00Z"),
                minute("2027-03-04T15:01:00Z"),
            ],
        );
        let market = "TH".parse().unwrap();
        let told: Vec<_> = history.hours(&market).map(|a| (a.viewers, a.minutes)).collect();
        assert_eq!(told, [(15.0, 30.0), (15.0, 30.0), (9.0, 2.0)]);
    }
}
