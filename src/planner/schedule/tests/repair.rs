//! Plans that a hand changed, mended: the rules hold, what the hand did stays, and what was well is left alone.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    kept::{broken, tasks},
    made,
};
use crate::planner::schedule::{Effort, Lock, Plan, Repair, Slot, Task, repair, solve};

/// What a show is, without what it is worth.
fn what(slot: &Slot) -> (Timestamp, u32, &str, Vec<&str>) {
    let markets = slot.airings.iter().map(|a| a.market.as_str()).collect();
    (slot.start, slot.minutes, &slot.host, markets)
}

fn shows(plan: &Plan) -> Vec<(Timestamp, u32, &str, Vec<&str>)> {
    plan.slots.iter().map(what).collect()
}

fn later(slot: &mut Slot, minutes: i64) {
    slot.start += SignedDuration::from_mins(minutes);
    slot.locked = true;
}

/// Shows that stand as they stood.
fn alike(before: &Plan, after: &Plan) -> usize {
    let after = shows(after);
    shows(before).iter().filter(|s| after.contains(s)).count()
}

/// Everything that a repair must be.
fn sound(task: &Task, changed: &Plan, mended: &Repair) {
    assert_eq!(broken(task, &mended.plan), Vec::<String>::new());
    for slot in changed.slots.iter().filter(|s| s.locked) {
        assert!(shows(&mended.plan).contains(&what(slot)), "{:?} is gone", what(slot));
    }
    // Whatever is different is told.
    let told = |slot: &Slot, after: bool| {
        mended.moves.iter().any(|m| {
            let side = if after { &m.after } else { &m.before };
            side.as_ref().is_some_and(|s| what(s) == what(slot))
        })
    };
    for slot in &changed.slots {
        assert!(shows(&mended.plan).contains(&what(slot)) || told(slot, false), "{slot:?}");
    }
    for slot in &mended.plan.slots {
        assert!(shows(changed).contains(&what(slot)) || told(slot, true), "{slot:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_plan_is_mended(
        task in tasks(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), -40_i64..40, any::<bool>(), any::<bool>()), 0..4),
    ) {
        let plan = solve(&task, Effort::Quick);
        let same = repair(&task, &plan, plan.from);
        prop_assert_eq!(&same.plan.slots, &plan.slots);
        prop_assert!(same.moves.is_empty() && (same.plan.worth - plan.worth).abs() < 1e-9);

        let mut changed = plan.clone();
        for (index, by, host, gone) in changes {
            if changed.slots.is_empty() {
                break;
            }
            let at = index.index(changed.slots.len());
            let file = |slot: &Slot| task.locks.iter().any(|l| l.start == slot.start);
            let slot = &mut changed.slots[at];
            let to = slot.start + SignedDuration::from_mins(by * 15);
            if gone || file(slot) || to < plan.from || to >= plan.to {
                if !slot.locked {
                    changed.slots.remove(at);
                }
                continue;
            }
            later(slot, by * 15);
            if host {
                slot.host.clone_from(&task.hosts[0].name);
            }
            let (start, host) = (slot.start, slot.host.clone());
            // Two at once of one host by hand would be one.
            let twice = |s: &Slot| s.start == start && s.host == host;
            if changed.slots.iter().filter(|s| twice(s)).count() > 1 {
                changed.slots.remove(at);
            }
        }
        let mended = repair(&task, &changed, plan.from);
        sound(&task, &changed, &mended);
        let again = repair(&task, &changed, plan.from);
        prop_assert_eq!(&again, &mended);
        // What is mended needs no mending.
        let twice = repair(&task, &mended.plan, plan.from);
        prop_assert!(twice.moves.is_empty(), "{:?}", twice.moves);
        prop_assert_eq!(shows(&twice.plan), shows(&mended.plan));
    }
}

#[test]
fn shows_that_are_held_fast_at_the_same_time_need_no_mending() {
    let mut task = made::large();
    let start = task.from + SignedDuration::from_hours(30);
    let lock = |minutes| Lock { start, minutes, host: 0, markets: vec![0] };
    task.locks = vec![lock(60), lock(90)];
    let plan = solve(&task, Effort::Quick);
    assert_eq!(plan.slots.iter().filter(|s| s.locked).count(), 2);
    assert_eq!(repair(&task, &plan, plan.from).moves, Vec::new());
}

#[test]
fn one_show_moved_by_hand_moves_few_others_and_is_quick() {
    let task = made::large();
    let plan = solve(&task, Effort::Quick);
    for index in (0..plan.slots.len()).step_by(7) {
        let mut changed = plan.clone();
        later(&mut changed.slots[index], 180);
        let begun = Instant::now();
        let mended = repair(&task, &changed, plan.from);
        let took = begun.elapsed();
        sound(&task, &changed, &mended);
        assert!(alike(&changed, &mended.plan) + 6 >= plan.slots.len(), "{:?}", mended.moves);
        assert!(mended.plan.worth > plan.worth * 0.93, "{} of {}", mended.plan.worth, plan.worth);
        assert!(mended.plan.worth <= mended.plan.bound);
        // Generous: the machine may have other work.
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[test]
fn the_shows_of_a_host_who_leaves_go_to_others_and_it_is_said_why() {
    let mut task = made::large();
    let plan = solve(&task, Effort::Quick);
    let left = plan.slots.iter().filter(|s| s.host == "lin").count();
    task.hosts.retain(|host| host.name != "lin");
    let begun = Instant::now();
    let mended = repair(&task, &plan, plan.from);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    sound(&task, &plan, &mended);
    assert_eq!(alike(&plan, &mended.plan), plan.slots.len() - left);
    let of_lin = mended.moves.iter().filter(|m| m.before.is_some()).collect::<Vec<_>>();
    assert_eq!(of_lin.len(), left);
    assert!(of_lin.iter().all(|m| m.why == "the plan file has no host \"lin\""));
    assert!(of_lin.iter().any(|m| m.after.is_some()), "{of_lin:?}");
}

#[test]
fn what_began_is_left_alone_and_the_reason_is_told() {
    let mut task = made::large();
    let plan = solve(&task, Effort::Quick);
    let now = plan.slots[20].start;
    // Nobody has time any more, and a show is put where another one is.
    task.hosts.iter_mut().for_each(|host| host.hours.clear());
    let mended = repair(&task, &plan, now);
    let past = plan.slots.iter().filter(|s| s.start < now).count();
    assert!(past > 10);
    assert_eq!(mended.plan.slots.len(), past);
    assert!(mended.plan.slots.iter().all(|s| s.locked && s.start < now));
    assert_eq!(mended.moves.len(), plan.slots.len() - past);
    assert!(mended.moves.iter().all(|m| m.after.is_none() && m.why.ends_with("cannot then")));
    assert!(mended.plan.notes.iter().any(|n| n.contains("held fast")), "{:?}", mended.plan.notes);

    let task = made::large();
    let mut changed = plan.clone();
    let index = plan.slots.iter().position(|s| s.host == "ana").unwrap();
    let end = plan.slots[index].end();
    let next = changed.slots.iter_mut().find(|s| s.host == "ana" && s.start > end).unwrap();
    (next.start, next.locked) = (end, true);
    let mended = repair(&task, &changed, plan.from);
    sound(&task, &changed, &mended);
    let about = mended.moves.iter().find(|m| m.before.as_ref() == Some(&plan.slots[index]));
    let why = &about.unwrap().why;
    assert!(
        why.starts_with("ana is on at ")
            && why.ends_with(&task.home.clock(end).strftime("%H:%M").to_string()),
        "{why}"
    );
}
