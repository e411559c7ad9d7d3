//! How many will watch one market: from its windows alone, or with one's own shows in it. [`Model`] does it for several
//! markets that learn from each other.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Expected, History, Method, Model, Outlook, Reason};
use crate::market::{
    Almanac, Market,
    local::{hour_of, plus_hours},
};

/// Viewers at once in prime time on a plain day, as long as nothing is known: an assumption of ours, of a seller who
/// begins. The own history replaces it.
pub const BEGINNER: f32 = 30.0;

/// The band of that assumption: a seventh, and seven times as many.
const BEGINNER_BAND: f32 = 7.0;

/// A market's forecast as `hawker plan forecast --json` tells it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Foretold {
    /// Hour by hour.
    #[serde(flatten)]
    pub outlook: Outlook,
    /// How it was made.
    pub method: Method,
    /// Hours that were aired in the market so far.
    pub aired_hours: usize,
}

/// What is expected from the market's windows alone, for `hours` hours from the one that holds `from`.
pub fn prior(market: &Market, from: Timestamp, hours: usize) -> Outlook {
    let from = hour_of(from);
    let mut almanac = Almanac::new(market);
    let expected = |n: usize| {
        let hour = almanac.hour(plus_hours(from, n as i64));
        let viewers = BEGINNER * hour.weight * hour.day.map_or(1.0, |day| day.lift);
        let mut reasons = vec![Reason::Prior];
        reasons.extend(hour.day.map(|day| Reason::SaleDay(day.name.clone())));
        reasons.push(Reason::NeverAired);
        Expected {
            viewers,
            low: viewers / BEGINNER_BAND,
            high: viewers * BEGINNER_BAND,
            orders: None,
            reasons,
        }
    };
    Outlook { market: market.id.clone(), from, hours: (0..hours).map(expected).collect() }
}

/// What is expected from one's own shows in this market, and from its windows where these say little.
pub fn forecast(market: &Market, history: &History, from: Timestamp, hours: usize) -> Outlook {
    let known = history.hours(&market.id).next().is_some();
    let model = known.then(|| Model::fit(&[market], history));
    model
        .and_then(|model| model.outlook(&market.id, from, hours))
        .unwrap_or_else(|| prior(market, from, hours))
}
