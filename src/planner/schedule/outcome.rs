//! A board becomes a plan: names and times instead of numbers, the locked shows back in, and what the
//! reader should know.

use jiff::{SignedDuration, Timestamp};

use super::{Airing, Effort, Plan, Slot, board::Board, model::Model};

/// The plan of a board; `bound` is for what is not locked.
pub(super) fn plan(model: &Model<'_>, board: &Board<'_, '_>, bound: f64, effort: Effort) -> Plan {
    let task = model.task;
    let mut slots = Vec::new();
    for show in &board.shows {
        let frame = show.frame;
        let minutes = model.lengths[frame.length].min;
        let start = model.grid.at(frame.step);
        let adds = board.counts(show);
        let mut airings = Vec::new();
        for (place, (&market, (worth, repeat))) in show.markets.iter().zip(adds).enumerate() {
            airings.push(airing(model, market, (start, minutes), (place == 0, repeat), worth));
        }
        let exploration = board.explores(frame, &show.markets);
        let host = task.hosts[frame.host].name.clone();
        slots.push(Slot { start, minutes, host, airings, locked: false, exploration });
    }
    let (locked, mut notes) = locked(model);
    let locked_worth: f64 = locked.iter().map(Slot::worth).sum();
    slots.extend(locked);
    slots.sort_by(|a, b| (a.start, &a.host).cmp(&(b.start, &b.host)));
    notes.extend(unspoken(model));
    let (wanted, locked) = model.explore;
    let worth = board.worth + locked_worth;
    let bound = bound + locked_worth;
    Plan {
        from: task.from,
        to: model.grid.end,
        slots,
        worth,
        bound: bound.max(worth),
        effort,
        explore_min: (wanted, locked + board.explored),
        notes,
    }
}

fn airing(
    model: &Model<'_>,
    market: usize,
    (start, minutes): (Timestamp, u32),
    (leads, repeat): (bool, bool),
    worth: f64,
) -> Airing {
    let demand = &model.task.demands[market];
    let mean = demand.over(start, minutes);
    let (viewers, low, high) = (mean.viewers, mean.low, mean.high);
    let reasons = demand.reasons_over(start, minutes);
    Airing { market: demand.market.clone(), leads, repeat, viewers, low, high, worth, reasons }
}

/// The locked shows, and where they are in each other's way.
fn locked(model: &Model<'_>) -> (Vec<Slot>, Vec<String>) {
    let task = model.task;
    let mut slots: Vec<Slot> = Vec::new();
    let mut notes = Vec::new();
    let mut best: Vec<Vec<bool>> = model.markets.iter().map(|m| vec![false; m.days]).collect();
    for lock in &task.locks {
        let (Some(step), Some(host)) = (model.lock_step(lock), task.hosts.get(lock.host)) else {
            continue;
        };
        let mut airings = Vec::new();
        for (place, &market) in lock.markets.iter().enumerate() {
            let (Some(demand), Some(m)) = (task.demands.get(market), model.markets.get(market))
            else {
                continue;
            };
            let day = model.grid.day_of(lock, step, &demand.zone, &m.day);
            let repeat = std::mem::replace(&mut best[market][day], true);
            let share = if place == 0 { 1.0 } else { model.follow };
            let share = if repeat { share * model.repeat } else { share };
            let hours = f64::from(lock.minutes) / 60.0;
            let viewers = demand.over(lock.start, lock.minutes).viewers;
            let worth = viewers * demand.weight * hours * share;
            let span = (lock.start, lock.minutes);
            airings.push(airing(model, market, span, (place == 0, repeat), worth));
        }
        let exploration = lock
            .markets
            .first()
            .and_then(|m| model.markets.get(*m))
            .is_some_and(|m| m.untried[step]);
        let slot = Slot {
            start: lock.start,
            minutes: lock.minutes,
            host: host.name.clone(),
            airings,
            locked: true,
            exploration,
        };
        let rest = SignedDuration::from_mins(i64::from(host.rest_min));
        for other in slots.iter().filter(|o| o.host == slot.host) {
            let apart = |a: &Slot, b: &Slot| b.start.duration_since(a.end()) >= rest;
            if !apart(other, &slot) && !apart(&slot, other) {
                notes.push(format!(
                    "two locked shows of {} are less than the rest apart: {} and {}",
                    host.name, other.start, slot.start
                ));
            }
        }
        slots.push(slot);
    }
    (slots, notes)
}

/// Markets that no host speaks a language of.
fn unspoken(model: &Model<'_>) -> Vec<String> {
    let spoken = model.people.iter().fold(0, |all, p| all | p.speaks);
    let dumb = model.task.demands.iter().enumerate().take(model.markets.len());
    dumb.filter(|(index, _)| spoken & (1 << index) == 0)
        .map(|(_, demand)| {
            format!(
                "no host speaks a language of {} ({}): it gets no show",
                demand.market,
                demand.languages.join(", ")
            )
        })
        .collect()
}
