//! What a forecast says: for each hour of a market how many will watch, within which band, and why. It does not
//! say how that was found.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::market::{
    MarketId,
    local::{hour_of, plus_hours},
};

/// Hours in a week.
pub const WEEK: usize = 168;

/// What is expected in a market from an hour on, hour by hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outlook {
    /// The market.
    #[schemars(with = "String")]
    pub market: MarketId,
    /// When the first hour begins: on the hour, by UTC.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// The hours, one after the other, without a gap.
    pub hours: Vec<Expected>,
}

impl Outlook {
    /// What is expected in the hour that holds `at`; `None` when it lies before or behind.
    pub fn at(&self, at: Timestamp) -> Option<&Expected> {
        let seconds = hour_of(at).as_second() - self.from.as_second();
        self.hours.get(usize::try_from(seconds / 3600).ok().filter(|_| seconds >= 0)?)
    }

    /// Each hour with when it begins.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, &Expected)> {
        let hours = self.hours.iter().enumerate();
        hours.map(|(n, expected)| (plus_hours(self.from, n as i64), expected))
    }
}

/// What is expected in an hour of being on air.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expected {
    /// Viewers at once, on average over the hour. As likely more as less.
    pub viewers: f32,
    /// With one hour in ten there are fewer.
    pub low: f32,
    /// With one hour in ten there are more.
    pub high: f32,
    /// Orders in the hour; `None` when too few are known to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<f32>,
    /// What it rests on, the weightiest first; never empty.
    pub reasons: Vec<Reason>,
}

/// What an expectation rests on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The market's windows: nothing of one's own is known, or too little to speak alone.
    Prior,
    /// Shows of one's own in this market.
    OwnHistory,
    /// A day on which more or less is sold than on others, by name.
    SaleDay(Arc<str>),
    /// One's own audience grows or shrinks.
    Trend,
    /// This hour of the week was never aired in this market.
    NeverAired,
    /// The last week again: in the own history that did better than the model.
    LastWeek,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prior => "the market's windows",
            Self::OwnHistory => "own shows",
            Self::SaleDay(name) => name,
            Self::Trend => "the trend",
            Self::NeverAired => "never aired",
            Self::LastWeek => "the last week again",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_found_by_any_moment_in_it() {
        let hour = |viewers| Expected {
            viewers,
            low: 0.0,
            high: 9.0,
            orders: None,
            reasons: vec![Reason::Prior],
        };
        let from: Timestamp = "2027-01-01T05:00:00Z".parse().unwrap();
        let outlook =
            Outlook { market: "TH".parse().unwrap(), from, hours: vec![hour(1.0), hour(2.0)] };
        let at = |text: &str| outlook.at(text.parse().unwrap()).map(|e| e.viewers);
        assert_eq!(at("2027-01-01T05:00:00Z"), Some(1.0));
        assert_eq!(at("2027-01-01T06:59:59Z"), Some(2.0));
        assert_eq!(at("2027-01-01T04:59:59Z"), None);
        assert_eq!(at("2027-01-01T07:00:00Z"), None);
        let text = serde_json::to_string(&outlook).unwrap();
        assert_eq!(serde_json::from_str::<Outlook>(&text).unwrap(), outlook);
    }
}
