//! A plan that no longer fits what is asked for, because somebody changed it by hand or the plan file changed, is mended
//! with few changes: what was decided stays, what is in its way is moved or goes, and what is lost by that is won back
//! where there is room. It is no new search: a show that is in nobody's way stays where it is.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Lock, Plan, STEP_MIN, Slot, Task,
    board::Board,
    model::{Frame, Model},
    outcome,
};

/// A show is moved by so many half hours at most, either way: three days.
const FAR: usize = 144;

/// A new show in the room that is left adds at least this share of what a lost one did.
const WORTHWHILE: f64 = 0.25;

/// A change that the repair made.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Move {
    /// The show as it was; `None` for one that is new.
    pub before: Option<Slot>,
    /// The show as it is now; `None` for one that is gone.
    pub after: Option<Slot>,
    /// What made it necessary, in a few words; times are those of the home zone.
    pub why: String,
}

/// A mended plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Repair {
    /// The plan. It keeps all rules as far as what is held fast lets it; `notes` has what does not.
    pub plan: Plan,
    /// What was changed, by the time of the show. Empty when nothing was broken.
    pub moves: Vec<Move>,
}

/// Mends `plan` for `task`. Held fast are the slots that are `locked` (so lock what a hand changed), the locks of the
/// task, and what began before `now`; nothing new is put before `now`. The other slots stay where they are if they can;
/// those that break a rule are moved (up to three days, or to another host at the same time), lose a market, or go.
/// Where one went, a new show may take its place. A show that the hand took out is not put back. Of slots that are in
/// each other's way the one worth more stays.
///
/// The same arguments give the same repair, in some milliseconds for two weeks. What only moves in worth (because a show that
/// is held fast takes the best of a day) is no change. The bound is the one of `plan`.
pub fn repair(task: &Task, plan: &Plan, now: Timestamp) -> Repair {
    let (task, mut gone) = held(task, plan, now);
    let model = Model::new(&task);
    let mut board = Board::new(&model);
    let mut broken: Vec<(&Slot, String)> = Vec::new();
    for slot in by_worth(plan.slots.iter().filter(|s| !is_held(s, now))) {
        let markets = markets_of(&task, slot);
        match placed(&model, &board, slot, &markets) {
            Ok(frame) => board.put(frame, &markets),
            Err(why) => broken.push((slot, why)),
        }
    }
    let first = usize::try_from(model.grid.minute(now).max(0)).unwrap_or(0);
    let first = first.div_ceil(STEP_MIN as usize);
    let mut moved: Vec<(&Slot, Option<Frame>, String)> = Vec::new();
    let mut lost = Vec::new();
    for (slot, why) in broken {
        let place = nearest(&model, &board, slot, first);
        if let Some((frame, markets)) = &place {
            board.put(*frame, markets);
        } else {
            lost.push(slot.worth());
        }
        moved.push((slot, place.map(|(frame, _)| frame), why));
    }
    let new = refill(&model, &mut board, &lost, first);
    let mut mended = outcome::plan(&model, &board, 0.0, plan.effort);
    mended.bound = plan.bound.max(mended.worth);
    mended.notes.extend(clashes(&model));
    let at = |frame: Frame| {
        let (start, host) = (model.grid.at(frame.step), &task.hosts[frame.host].name);
        mended.slots.iter().find(|s| !s.locked && s.start == start && s.host == *host).cloned()
    };
    for (slot, frame, why) in moved {
        gone.push(Move { before: Some(slot.clone()), after: frame.and_then(at), why });
    }
    for frame in new {
        let why = "it wins back what was lost".to_owned();
        gone.push(Move { before: None, after: at(frame), why });
    }
    for slot in mended.slots.iter().filter(|s| s.locked) {
        // More than one may be held fast at the same time.
        let there = |old: &&Slot| old.start == slot.start && old.host == slot.host;
        let same = |old: &Slot| old.minutes == slot.minutes && names(old) == names(slot);
        if !plan.slots.iter().filter(there).any(same) {
            let why = "the plan file holds it fast like this".to_owned();
            let before = plan.slots.iter().find(there).cloned();
            gone.push(Move { before, after: Some(slot.clone()), why });
        }
    }
    let start = |m: &Move| m.before.as_ref().or(m.after.as_ref()).map(|s| s.start);
    gone.sort_by_key(start);
    Repair { plan: mended, moves: gone }
}

fn is_held(slot: &Slot, now: Timestamp) -> bool {
    slot.locked || slot.start < now
}

fn by_worth<'s>(slots: impl Iterator<Item = &'s Slot>) -> Vec<&'s Slot> {
    let mut slots: Vec<&Slot> = slots.collect();
    slots.sort_by(|a, b| b.worth().total_cmp(&a.worth()).then(a.start.cmp(&b.start)));
    slots
}

fn names(slot: &Slot) -> Vec<&str> {
    slot.airings.iter().map(|a| a.market.as_str()).collect()
}

fn markets_of(task: &Task, slot: &Slot) -> Vec<usize> {
    let index = |name: &str| task.demands.iter().position(|d| d.market == name);
    let mut markets: Vec<usize> = Vec::new();
    for market in slot.airings.iter().filter_map(|a| index(&a.market)) {
        if !markets.contains(&market) {
            markets.push(market);
        }
    }
    markets
}

/// The task with what is held fast in the plan among its locks, and what cannot be held.
fn held(task: &Task, plan: &Plan, now: Timestamp) -> (Task, Vec<Move>) {
    let mut task = task.clone();
    let mut gone = Vec::new();
    for slot in plan.slots.iter().filter(|s| is_held(s, now)) {
        let mut lose = |why: String| {
            gone.push(Move { before: Some(slot.clone()), after: None, why });
        };
        let Some(host) = task.hosts.iter().position(|h| h.name == slot.host) else {
            lose(format!("the plan file has no host {:?}", slot.host));
            continue;
        };
        let markets = markets_of(&task, slot);
        if markets.is_empty() {
            lose("the plan file has none of its markets".into());
        } else if slot.start < plan.from || slot.start >= plan.to {
            lose("it starts outside the weeks of the plan".into());
        } else if !task.locks.iter().any(|l| l.start == slot.start && l.host == host) {
            task.locks.push(Lock { start: slot.start, minutes: slot.minutes, host, markets });
        }
    }
    (task, gone)
}

/// `Wed 10 Mar 20:00`, at home.
fn clock(task: &Task, at: Timestamp) -> String {
    task.home.clock(at).strftime("%a %d %b %H:%M").to_string()
}

/// Where the slot stands, or what it breaks there.
fn placed(
    model: &Model<'_>,
    board: &Board<'_, '_>,
    slot: &Slot,
    markets: &[usize],
) -> Result<Frame, String> {
    let task = model.task;
    let Some(host) = task.hosts.iter().position(|h| h.name == slot.host) else {
        return Err(format!("the plan file has no host {:?}", slot.host));
    };
    let Some(length) = model.lengths.iter().position(|l| l.min == slot.minutes) else {
        return Err(format!("shows of {} min are not asked for", slot.minutes));
    };
    let minute = model.grid.minute(slot.start);
    let step = usize::try_from(minute / i64::from(STEP_MIN)).ok();
    let step = step.filter(|s| minute >= 0 && s + model.lengths[length].steps <= model.grid.steps);
    let Some(step) = step else { return Err("it is outside the weeks of the plan".into()) };
    if model.grid.at(step) != slot.start {
        return Err("shows begin at full and half hours".into());
    }
    let frame = Frame { host, step, length };
    if markets.is_empty() || markets.len() < slot.airings.len() {
        return Err("the plan file does not have all of its markets".into());
    }
    if markets.len() > task.rules.most_markets as usize {
        return Err(format!("a show has {} markets at most", task.rules.most_markets));
    }
    if !stands(model, board, frame) {
        return Err(busy(model, board, frame));
    }
    for &market in markets {
        if !serves(model, board, frame, market) {
            return Err(unserved(model, board, frame, market));
        }
    }
    Ok(frame)
}

/// Whether host, studios and budget have room.
fn stands(model: &Model<'_>, board: &Board<'_, '_>, frame: Frame) -> bool {
    let frames = &model.people[frame.host].frames;
    let known = frames.binary_search_by_key(&(frame.step, frame.length), |f| (f.step, f.length));
    known.is_ok() && board.fits(frame)
}

/// Whether a market has room for a show and brings something.
fn serves(model: &Model<'_>, board: &Board<'_, '_>, frame: Frame, market: usize) -> bool {
    let Frame { host, step, length } = frame;
    model.open_markets(host, step, length).any(|m| m == market) && board.free(market, step, length)
}

/// The show nearest to a span that `is` one of those meant, if it is less than `apart` minutes away.
fn near(
    model: &Model<'_>,
    board: &Board<'_, '_>,
    frame: Frame,
    apart: u32,
    is: impl Fn(usize, &[usize]) -> bool,
) -> Option<Timestamp> {
    let task = model.task;
    let (from, min) = (model.grid.at(frame.step), model.lengths[frame.length].min);
    let own = board.shows.iter().map(|s| {
        (model.grid.at(s.frame.step), model.lengths[s.frame.length].min, s.frame.host, &s.markets)
    });
    let locks = task.locks.iter().map(|l| (l.start, l.minutes, l.host, &l.markets));
    let distance = |at: Timestamp, length: u32| {
        let gap =
            |a: Timestamp, min: u32, b: Timestamp| b.duration_since(a).as_mins() - i64::from(min);
        gap(at, length, from).max(gap(from, min, at))
    };
    locks
        .chain(own)
        .filter(|(at, length, host, markets)| {
            is(*host, markets) && distance(*at, *length) < i64::from(apart)
        })
        .min_by_key(|(at, length, ..)| (distance(*at, *length), *at))
        .map(|(at, ..)| at)
}

/// Why host, studio or budget have no room.
fn busy(model: &Model<'_>, board: &Board<'_, '_>, frame: Frame) -> String {
    let (task, Frame { host, step, length }) = (model.task, frame);
    let (person, l) = (&task.hosts[host], model.lengths[length]);
    let can = model.grid.can(person);
    if !can[step..step + l.steps].iter().all(|can| *can) {
        return format!("{} cannot then", person.name);
    }
    if let Some(at) = near(model, board, frame, person.rest_min.max(1), |own, _| own == host) {
        return format!("{} is on at {}", person.name, clock(task, at));
    }
    if (step..step + l.steps).any(|s| board.studio_left(s) == 0) {
        return "no studio is free then".into();
    }
    let left = board.left(host, step);
    if left.day < l.min {
        return format!("{} has no more time on that day", person.name);
    }
    if left.week < l.min {
        return format!("{} has no more time in that week", person.name);
    }
    if left.budget.is_some_and(|left| left < l.min) {
        return "the hours of that week are spent".into();
    }
    "none of its markets has room then".into()
}

/// Why a market has no room.
fn unserved(model: &Model<'_>, board: &Board<'_, '_>, frame: Frame, market: usize) -> String {
    let (task, demand) = (model.task, &model.task.demands[market]);
    let person = &task.hosts[frame.host];
    if model.people[frame.host].speaks & (1 << market) == 0 {
        return format!("{} does not speak to {}", person.name, demand.market);
    }
    let gap = demand.gap_min.max(1);
    match near(model, board, frame, gap, |_, markets| markets.contains(&market)) {
        Some(at) => format!("{} has a show at {}", demand.market, clock(task, at)),
        None => format!("nobody is expected in {} then", demand.market),
    }
}

/// The best place for a show of the same markets: where it stands, with those that have room; another start of its
/// host; another host. Of equals the nearest.
fn nearest(
    model: &Model<'_>,
    board: &Board<'_, '_>,
    slot: &Slot,
    first: usize,
) -> Option<(Frame, Vec<usize>)> {
    let task = model.task;
    let step = model.grid.minute(slot.start).div_euclid(i64::from(STEP_MIN));
    let step = usize::try_from(step).unwrap_or(0);
    let wanted = markets_of(task, slot);
    let mut best: Option<(f64, usize, Frame, Vec<usize>)> = None;
    for (host, person) in model.people.iter().enumerate() {
        let own = task.hosts[host].name == slot.host;
        let (from, to) =
            if own { (step.saturating_sub(FAR), step.saturating_add(FAR)) } else { (step, step) };
        let from = person.frames.partition_point(|f| f.step < from.max(first));
        for frame in person.frames[from..].iter().take_while(|f| f.step <= to) {
            if !board.fits(*frame) {
                continue;
            }
            let markets: Vec<usize> = wanted
                .iter()
                .copied()
                .filter(|m| serves(model, board, *frame, *m))
                .take(task.rules.most_markets as usize)
                .collect();
            if markets.is_empty() {
                continue;
            }
            let (gain, far) = (board.would_add(*frame, &markets), frame.step.abs_diff(step));
            let better = best.as_ref().is_none_or(|(most, near, ..)| {
                gain > most + 1e-9 || (gain > most - 1e-9 && far < *near)
            });
            if gain > 0.0 && better {
                best = Some((gain, far, *frame, markets));
            }
        }
    }
    best.map(|(_, _, frame, markets)| (frame, markets))
}

/// New shows in the room that is left: one at most for each that is lost, and none that brings little.
fn refill(model: &Model<'_>, board: &mut Board<'_, '_>, lost: &[f64], first: usize) -> Vec<Frame> {
    let least = lost.iter().copied().fold(f64::INFINITY, f64::min) * WORTHWHILE;
    let mut new = Vec::new();
    if lost.is_empty() {
        return new;
    }
    let mut markets = Vec::new();
    let mut order: Vec<(f64, Frame)> = Vec::new();
    for frame in model.people.iter().flat_map(|p| &p.frames).filter(|f| f.step >= first) {
        if board.fits(*frame) {
            order.push((board.markets_for(*frame, None, &mut markets), *frame));
        }
    }
    order.retain(|(gain, _)| *gain > least.max(1e-9));
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, frame) in order {
        if new.len() >= lost.len() {
            break;
        }
        if board.fits(frame) && board.markets_for(frame, None, &mut markets) > least.max(1e-9) {
            board.put(frame, &markets);
            new.push(frame);
        }
    }
    new
}

/// Rules that shows which are held fast break by themselves, beside the rests that the plan tells anyway.
fn clashes(model: &Model<'_>) -> Vec<String> {
    let task = model.task;
    let mut notes = Vec::new();
    let locks: Vec<&Lock> = task.locks.iter().filter(|l| model.lock_step(l).is_some()).collect();
    let end = |lock: &Lock| lock.start.as_second() + i64::from(lock.minutes) * 60;
    for (index, lock) in locks.iter().enumerate() {
        let host = &task.hosts[lock.host];
        let at = clock(task, lock.start);
        let step = i64::from(STEP_MIN);
        let from = model.grid.minute(lock.start);
        let steps =
            from.div_euclid(step)..(from + i64::from(lock.minutes) + step - 1).div_euclid(step);
        let can = model.grid.can(host);
        let able = |s: i64| usize::try_from(s).ok().and_then(|s| can.get(s)).copied();
        if steps.clone().any(|s| able(s) == Some(false)) {
            notes.push(format!("{} cannot on {at}, but the show is held fast", host.name));
        }
        let on = locks.iter().filter(|o| o.start <= lock.start && end(o) > lock.start.as_second());
        if on.count() > task.rules.studios as usize {
            notes.push(format!("more shows are held fast on {at} than there are studios"));
        }
        for other in &locks[..index] {
            for market in lock.markets.iter().filter(|m| other.markets.contains(m)) {
                let demand = &task.demands[*market];
                let apart =
                    (lock.start.as_second() - end(other)).max(other.start.as_second() - end(lock));
                if apart < i64::from(demand.gap_min) * 60 {
                    let other = clock(task, other.start);
                    notes.push(format!(
                        "{} has shows on {other} and {at} that are held fast and too close",
                        demand.market
                    ));
                }
            }
        }
    }
    notes
}
