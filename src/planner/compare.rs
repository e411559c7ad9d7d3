//! Two plans side by side: what another host, budget or market would change.

use std::collections::BTreeMap;

use serde::Serialize;

use super::schedule::{Plan, Slot};

/// A plan in figures.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Side {
    /// Weighted viewer hours.
    pub worth: f64,
    /// What no plan can exceed.
    pub bound: f64,
    /// How many shows.
    pub shows: usize,
    /// Minutes on air.
    pub minutes: u32,
    /// By market: how many shows, and what they are worth there.
    pub markets: BTreeMap<String, (usize, f64)>,
    /// By host: minutes on air.
    pub hosts: BTreeMap<String, u32>,
}

/// What is different.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// The first plan.
    pub before: Side,
    /// The second plan.
    pub after: Side,
    /// Shows of the first that the second does not have.
    pub gone: Vec<Slot>,
    /// Shows of the second that the first does not have.
    pub new: Vec<Slot>,
}

impl Side {
    /// The figures of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut side = Self {
            worth: plan.worth,
            bound: plan.bound,
            shows: plan.slots.len(),
            ..Self::default()
        };
        for slot in &plan.slots {
            side.minutes += slot.minutes;
            *side.hosts.entry(slot.host.clone()).or_default() += slot.minutes;
            for airing in &slot.airings {
                let (shows, worth) = side.markets.entry(airing.market.clone()).or_default();
                *shows += 1;
                *worth += airing.worth;
            }
        }
        side
    }
}

/// Whether two shows are the same: when, who, how long, and for whom.
fn same(a: &Slot, b: &Slot) -> bool {
    let markets = |slot: &Slot| -> Vec<String> {
        slot.airings.iter().map(|airing| airing.market.clone()).collect()
    };
    a.start == b.start && a.host == b.host && a.minutes == b.minutes && markets(a) == markets(b)
}

/// Puts two plans side by side.
pub fn compare(before: &Plan, after: &Plan) -> Difference {
    let only = |these: &[Slot], others: &[Slot]| -> Vec<Slot> {
        these.iter().filter(|slot| !others.iter().any(|o| same(slot, o))).cloned().collect()
    };
    Difference {
        before: Side::of(before),
        after: Side::of(after),
        gone: only(&before.slots, &after.slots),
        new: only(&after.slots, &before.slots),
    }
}
