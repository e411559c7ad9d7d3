//! What is known of one's own shows: the hours that were aired, and nothing of the others. It does not know where it
//! comes from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::market::{MarketId, local::hour_of};

/// An hour in which a market was served.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Aired {
    /// When the hour begins, by UTC.
    pub at: Timestamp,
    /// Viewers at once, on average over the minutes that were aired.
    pub viewers: f32,
    /// Minutes of the hour that were aired, 1 to 60.
    pub minutes: f32,
    /// Orders in these minutes, when they are known.
    pub orders: Option<f32>,
}

/// The aired hours of all markets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    markets: BTreeMap<MarketId, BTreeMap<Timestamp, Aired>>,
}

impl History {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds minutes of a market that were aired. What is known of the same hour already is joined with it: viewers
    /// by their minutes, orders by their sum. A figure that is no number of viewers, or no minute, says nothing.
    pub fn add(&mut self, market: &MarketId, aired: Aired) {
        if !aired.viewers.is_finite()
            || aired.viewers < 0.0
            || aired.minutes <= 0.0
            || !aired.minutes.is_finite()
        {
            return;
        }
        let at = hour_of(aired.at);
        let new = Aired { at, ..aired };
        let hours = self.markets.entry(market.clone()).or_default();
        hours
            .entry(at)
            .and_modify(|known| {
                let minutes = known.minutes + new.minutes;
                known.viewers =
                    (known.viewers * known.minutes + new.viewers * new.minutes) / minutes;
                known.minutes = minutes.min(60.0);
                known.orders = match (known.orders, new.orders) {
                    (Some(a), Some(b)) => Some(a + b),
                    (a, b) => a.or(b),
                };
            })
            .or_insert(Aired { minutes: new.minutes.min(60.0), ..new });
    }

    /// Joins what others watched at the same time, on another platform: their viewers come on top.
    pub fn beside(&mut self, other: &Self) {
        for (market, hours) in &other.markets {
            let own = self.markets.entry(market.clone()).or_default();
            for (at, new) in hours {
                own.entry(*at)
                    .and_modify(|known| {
                        let minutes = known.minutes.max(new.minutes);
                        known.viewers =
                            (known.viewers * known.minutes + new.viewers * new.minutes) / minutes;
                        known.minutes = minutes;
                        known.orders = match (known.orders, new.orders) {
                            (Some(a), Some(b)) => Some(a + b),
                            (a, b) => a.or(b),
                        };
                    })
                    .or_insert(*new);
            }
        }
    }

    /// Takes from another history the hours that are not known here.
    pub fn fill(&mut self, other: &Self) {
        for (market, hours) in &other.markets {
            let own = self.markets.entry(market.clone()).or_default();
            for (at, new) in hours {
                own.entry(*at).or_insert(*new);
            }
        }
    }

    /// The hours of a market, in order.
    pub fn hours(&self, market: &MarketId) -> impl DoubleEndedIterator<Item = &Aired> + Clone {
        self.markets.get(market).into_iter().flat_map(BTreeMap::values)
    }

    /// The markets of which something is known.
    pub fn markets(&self) -> impl Iterator<Item = &MarketId> {
        self.markets.keys()
    }

    /// How many hours are known of all markets together.
    pub fn len(&self) -> usize {
        self.markets.values().map(BTreeMap::len).sum()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was known before an instant.
    #[must_use]
    pub fn before(&self, at: Timestamp) -> Self {
        let markets = self
            .markets
            .iter()
            .map(|(id, hours)| (id.clone(), hours.range(..at).map(|(t, a)| (*t, *a)).collect()))
            .filter(|(_, hours): &(_, BTreeMap<_, _>)| !hours.is_empty())
            .collect();
        Self { markets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_add_up_and_what_is_known_is_not_counted_twice() {
        let th: MarketId = "TH".parse().unwrap();
        let one = |at: &str, viewers, minutes| {
            let mut history = History::new();
            let at = at.parse().unwrap();
            history.add(&th, Aired { at, viewers, minutes, orders: None });
            history
        };
        let mut all = one("2027-01-01T05:00:00Z", 100.0, 60.0);
        all.beside(&one("2027-01-01T05:00:00Z", 50.0, 30.0));
        assert_eq!(all.hours(&th).next().unwrap().viewers, 125.0);
        all.fill(&one("2027-01-01T05:00:00Z", 7.0, 60.0));
        all.fill(&one("2027-01-01T06:00:00Z", 7.0, 60.0));
        let viewers: Vec<f32> = all.hours(&th).map(|a| a.viewers).collect();
        assert_eq!(viewers, [125.0, 7.0]);
    }

    #[test]
    fn minutes_of_one_hour_are_joined() {
        let th: MarketId = "TH".parse().unwrap();
        let mut history = History::new();
        let mut add = |at: &str, viewers, minutes, orders| {
            history.add(&th, Aired { at: at.parse().unwrap(), viewers, minutes, orders });
        };
        add("2027-01-01T05:00:00Z", 10.0, 15.0, None);
        add("2027-01-01T05:30:00Z", 30.0, 15.0, Some(4.0));
        add("2027-01-01T06:00:00Z", 7.0, 90.0, Some(1.0));
        add("2027-01-01T07:00:00Z", f32::NAN, 60.0, None);
        add("2027-01-01T07:00:00Z", 3.0, 0.0, None);
        let hours: Vec<&Aired> = history.hours(&th).collect();
        assert_eq!(hours.len(), 2);
        assert_eq!((hours[0].viewers, hours[0].minutes, hours[0].orders), (20.0, 30.0, Some(4.0)));
        assert_eq!(hours[1].minutes, 60.0);
        assert_eq!(history.before("2027-01-01T06:00:00Z".parse().unwrap()).len(), 1);
        assert!(history.before("2020-01-01T06:00:00Z".parse().unwrap()).is_empty());
    }
}
