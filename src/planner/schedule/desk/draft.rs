//! From a plan to shows on the desk and back: names become indices, and indices names again.

use super::{
    super::{Airing, Effort, Lock, Plan, Slot},
    Desk, Ground, Show,
};

/// The locked shows of the task.
pub(super) fn locked(ground: &Ground) -> Vec<Show> {
    let locks = ground.task.locks.iter().filter(|lock| ground.step(lock.start).is_some());
    let mut shows: Vec<Show> = Vec::new();
    for lock in locks {
        put(
            &mut shows,
            Show {
                start: lock.start,
                minutes: lock.minutes,
                host: lock.host,
                markets: lock.markets.clone(),
                locked: true,
            },
        );
    }
    shows
}

/// By its start; a host has one show at a start, the first that is told.
fn put(shows: &mut Vec<Show>, show: Show) -> bool {
    let place = shows.binary_search_by_key(&(show.start, show.host), |s| (s.start, s.host));
    if let Err(at) = place {
        shows.insert(at, show);
    }
    place.is_err()
}

pub(super) fn lock(show: &Show) -> Lock {
    let Show { start, minutes, host, markets, .. } = show.clone();
    Lock { start, minutes, host, markets }
}

/// The shows of a plan, and what of it the task does not know.
pub(super) fn of_plan(ground: &Ground, plan: &Plan) -> (Vec<Show>, Vec<String>) {
    let (mut shows, mut notes) = (Vec::new(), Vec::new());
    for slot in &plan.slots {
        let clock = ground.clock(slot.start);
        let Some(host) = ground.task.hosts.iter().position(|h| h.name == slot.host) else {
            notes.push(format!(
                "{clock}: the plan file has no host {} any more; the show is left out",
                slot.host
            ));
            continue;
        };
        if ground.step(slot.start).is_none() {
            notes.push(format!("{clock}: it is outside of the plan's weeks; the show is left out"));
            continue;
        }
        let known = |a: &Airing| ground.task.demands.iter().position(|d| d.market == a.market);
        let (found, gone): (Vec<_>, Vec<_>) = slot.airings.iter().partition(|a| known(a).is_some());
        for airing in gone {
            let market = &airing.market;
            notes.push(format!("{clock}: the plan file has no market {market} any more"));
        }
        let markets = found.into_iter().filter_map(known).collect();
        let Slot { start, minutes, locked, .. } = *slot;
        put(&mut shows, Show { start, minutes, host, markets, locked });
    }
    (shows, notes)
}

/// The shows of a desk as a plan. Its bound is 0 where none is known.
pub(super) fn plan(desk: &Desk, effort: Effort) -> Plan {
    let ground = desk.ground();
    let task = &ground.task;
    let verdict = desk.verdict();
    let mut explored = 0;
    let mut slots = Vec::new();
    for (show, figures) in desk.shows().iter().zip(&verdict.shows) {
        let airings = figures.parts.iter().enumerate().map(|(place, part)| {
            let demand = &task.demands[part.market];
            Airing {
                market: demand.market.clone(),
                leads: place == 0,
                repeat: part.repeat,
                viewers: part.viewers,
                low: part.low,
                high: part.high,
                worth: part.worth,
                reasons: demand.reasons_over(show.start, show.minutes),
            }
        });
        if figures.exploration {
            explored += show.minutes;
        }
        slots.push(Slot {
            start: show.start,
            minutes: show.minutes,
            host: task.hosts[show.host].name.clone(),
            airings: airings.collect(),
            locked: show.locked,
            exploration: figures.exploration,
        });
    }
    // As a plan that was made is ordered: its shows are known by their numbers.
    slots.sort_by(|a, b| (a.start, &a.host).cmp(&(b.start, &b.host)));
    let mut notes: Vec<String> = verdict.breaches.iter().map(|b| b.text.clone()).collect();
    for (market, demand) in task.demands.iter().enumerate() {
        if ground.unspoken(market) {
            notes.push(format!(
                "no host speaks a language of {} ({})",
                demand.market,
                demand.languages.join(", ")
            ));
        }
    }
    Plan {
        from: task.from,
        to: ground.grid.end,
        slots,
        worth: verdict.worth,
        bound: desk.bound().map_or(0.0, |bound| bound.max(verdict.worth)),
        effort,
        explore_min: (0, explored),
        notes,
    }
}
