//! What every plan keeps, checked on the wall clock and without a line of what made the plan.

use jiff::{SignedDuration, Timestamp, civil::date};
use proptest::prelude::*;

use super::made;
use crate::{
    market::Zone,
    planner::schedule::{
        Away, Busy, Effort, Host, Lock, Plan, Slot, Task, Window, solve, week_start,
    },
};

/// Whether the window holds that time of the wall clock.
fn holds(window: &Window, zone: &Zone, at: Timestamp) -> bool {
    let clock = zone.clock(at);
    let minute = clock.hour() as u16 * 60 + clock.minute() as u16;
    let day = clock.weekday().to_monday_zero_offset() as usize;
    let before = (day + 6) % 7;
    if window.to_min <= window.from_min {
        (window.days[day] && minute >= window.from_min)
            || (window.days[before] && minute < window.to_min)
    } else {
        window.days[day] && (window.from_min..window.to_min).contains(&minute)
    }
}

fn minutes(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_mins()
}

fn overlap(slot: &Slot, from: Timestamp, to: Timestamp) -> bool {
    slot.start < to && from < slot.end()
}

/// All that a plan breaks.
pub(super) fn broken(task: &Task, plan: &Plan) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say =
        |what: String, slot: &Slot| wrong.push(format!("{what}: {} {}", slot.host, slot.start));
    let host_of = |slot: &Slot| task.hosts.iter().find(|h| h.name == slot.host).unwrap();
    let demand_of = |name: &str| task.demands.iter().find(|d| d.market == name).unwrap();
    let free: Vec<&Slot> = plan.slots.iter().filter(|s| !s.locked).collect();
    for slot in &free {
        let host = host_of(slot);
        for minute in 0..i64::from(slot.minutes) {
            let at = slot.start + SignedDuration::from_mins(minute);
            if !host.hours.iter().any(|w| holds(w, &host.zone, at)) {
                say(format!("outside the hours at {at}"), slot);
                break;
            }
            let day = host.zone.clock(at).date();
            if host.away.iter().any(|a| a.first <= day && day <= a.last) {
                say("away".into(), slot);
                break;
            }
        }
        if host.busy.iter().any(|b| overlap(slot, b.from, b.to)) {
            say("busy".into(), slot);
        }
        if slot.start < plan.from || slot.end() > plan.to {
            say("outside the plan".into(), slot);
        }
        if !task.rules.lengths.contains(&slot.minutes) {
            say("a length nobody asked for".into(), slot);
        }
        if slot.airings.is_empty() || slot.airings.len() > task.rules.most_markets as usize {
            say("too many markets, or none".into(), slot);
        }
        for airing in &slot.airings {
            let spoken = demand_of(&airing.market).languages.iter().any(|tag| {
                host.languages.iter().any(|l| l.split('-').next() == tag.split('-').next())
            });
            if !spoken {
                say(format!("does not speak to {}", airing.market), slot);
            }
        }
        // Studios: at no start are more shows on air than there are.
        let on = plan
            .slots
            .iter()
            .filter(|s| overlap(s, slot.start, slot.start + SignedDuration::from_mins(1)));
        if on.count() > task.rules.studios as usize {
            say("no studio".into(), slot);
        }
        for other in plan.slots.iter().filter(|o| !std::ptr::eq(*o, *slot)) {
            let (first, second) =
                if other.start < slot.start { (other, *slot) } else { (*slot, other) };
            let apart = minutes(first.end(), second.start);
            if other.host == slot.host && apart < i64::from(host.rest_min) {
                say("no rest".into(), slot);
            }
            for airing in &slot.airings {
                let same = other.airings.iter().any(|o| o.market == airing.market);
                if same && apart < i64::from(demand_of(&airing.market).gap_min) {
                    say(format!("too soon for {}", airing.market), slot);
                }
            }
        }
        let same_day: u32 = plan
            .slots
            .iter()
            .filter(|s| s.host == slot.host)
            .filter(|s| host.zone.clock(s.start).date() == host.zone.clock(slot.start).date())
            .map(|s| s.minutes)
            .sum();
        if same_day > host.day_max_min {
            say("too long a day".into(), slot);
        }
    }
    let first = task.home.clock(task.from).date();
    let week_of = |slot: &Slot| {
        let days = task.home.clock(slot.start).date().duration_since(first).as_hours() / 24;
        days / 7
    };
    for week in 0..i64::from(task.weeks) {
        let here = |locked: bool| {
            plan.slots.iter().filter(move |s| s.locked == locked && week_of(s) == week)
        };
        for host in &task.hosts {
            let total: u32 = here(false)
                .chain(here(true))
                .filter(|s| s.host == host.name)
                .map(|s| s.minutes)
                .sum();
            if total > host.week_max_min && here(false).any(|s| s.host == host.name) {
                wrong.push(format!("{} has {total} minutes in week {week}", host.name));
            }
        }
        let total: u32 = here(false).chain(here(true)).map(|s| s.minutes).sum();
        if task.rules.budget_min.is_some_and(|b| total > b) && here(false).count() > 0 {
            wrong.push(format!("{total} minutes in week {week}"));
        }
    }
    for lock in &task.locks {
        let kept = plan.slots.iter().any(|s| {
            s.locked
                && s.start == lock.start
                && s.host == task.hosts[lock.host].name
                && s.minutes == lock.minutes
                && s.airings.len() == lock.markets.len()
        });
        if !kept {
            wrong.push(format!("the locked show at {} is gone", lock.start));
        }
    }
    let total: f64 = plan.slots.iter().map(Slot::worth).sum();
    if (total - plan.worth).abs() > 1e-6 * total.max(1.0) {
        wrong.push(format!("the slots are worth {total}, the plan {}", plan.worth));
    }
    if plan.worth > plan.bound * (1.0 + 1e-9) {
        wrong.push(format!("worth {} beyond the bound {}", plan.worth, plan.bound));
    }
    wrong
}

const PLACES: [&str; 5] =
    ["America/New_York", "Europe/Madrid", "Asia/Shanghai", "Asia/Kathmandu", "Australia/Lord_Howe"];
const TONGUES: [&str; 6] = ["en", "es-419", "th", "pt", "ar", "de"];

prop_compose! {
    fn hosts()(
        place in 0..PLACES.len(),
        tongues in prop::collection::btree_set(0..TONGUES.len(), 1..4),
        windows in prop::collection::vec((0_u16..1440, 1_u16..=1440, any::<[bool; 7]>()), 1..3),
        day in 1_u32..6, week in 1_u32..20, rest in 0_u32..150,
        busy in prop::collection::vec((0_i64..168 * 60, 1_i64..600), 0..3),
        away in prop::option::of((0_i8..7, 0_i8..3)),
    ) -> (Host, Vec<(i64, i64)>, Option<(i8, i8)>) {
        let languages: Vec<&str> = tongues.iter().map(|t| TONGUES[*t]).collect();
        let mut host = made::host("", PLACES[place], &languages, 0, 24);
        host.hours = windows.into_iter().map(|(from_min, to_min, days)| Window { days, from_min, to_min }).collect();
        (host.day_max_min, host.week_max_min, host.rest_min) = (day * 60, week * 60, rest);
        (host, busy, away)
    }
}

prop_compose! {
    pub(super) fn tasks()(
        // Weeks in which clocks change somewhere: in New York, in Europe, in both, and in none.
        monday in prop::sample::select(vec![date(2027, 3, 8), date(2027, 3, 22), date(2027, 11, 1), date(2027, 10, 25), date(2027, 6, 7)]),
        home in 0..PLACES.len(),
        hosts in prop::collection::vec(hosts(), 1..4),
        markets in prop::collection::btree_set(0_usize..18, 1..6),
        gaps in prop::collection::vec(0_u32..26 * 60, 6),
        studios in 1_u32..3,
        lengths in prop::sample::subsequence(vec![30_u32, 45, 60, 90, 120], 1..4),
        budget in prop::option::of(1_u32..30),
        most in 1_u32..4, follow in 0_u32..=1000, repeat in 0_u32..=1000, explore in 0_u32..500,
        locks in prop::collection::vec((0_i64..168 * 60, 30_u32..150, any::<u8>(), any::<u8>()), 0..3),
    ) -> Task {
        let mut task = made::large();
        task.home = made::zone(PLACES[home]);
        (task.from, task.weeks) = (week_start(monday, &task.home), 1);
        let at = |minute: i64| task.from + SignedDuration::from_mins(minute);
        task.hosts = hosts.into_iter().enumerate().map(|(index, (mut host, busy, away))| {
            host.name = format!("host-{index}");
            host.busy = busy.into_iter().map(|(from, long)| Busy { from: at(from), to: at(from + long) }).collect();
            let day = |n: i8| monday + SignedDuration::from_hours(24 * i64::from(n));
            host.away = away.into_iter().map(|(from, more)| Away { first: day(from), last: day(from + more) }).collect();
            host
        }).collect();
        task.demands = markets.iter().zip(gaps).map(|(index, gap)| {
            let from = crate::market::local::hour_of(task.from);
            let mut demand = made::demand(*index, from, 1);
            demand.gap_min = gap;
            demand
        }).collect();
        task.rules.studios = studios;
        task.rules.lengths = lengths;
        task.rules.budget_min = budget.map(|hours| hours * 60);
        (task.rules.most_markets, task.rules.follow_permille) = (most, follow);
        (task.rules.repeat_permille, task.rules.explore_permille) = (repeat, explore);
        // Where a clock is put forward the week is an hour shorter; what is locked behind its end is not in the plan.
        let end = week_start(monday + SignedDuration::from_hours(7 * 24), &task.home);
        let long = end.duration_since(task.from).as_mins();
        task.locks = locks.into_iter().map(|(start, minutes, host, market)| Lock {
            start: at(start % long), minutes,
            host: host as usize % task.hosts.len(),
            markets: vec![market as usize % task.demands.len()],
        }).collect();
        task
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_plan_keeps_what_was_asked_for(task in tasks()) {
        let plan = solve(&task, Effort::Quick);
        prop_assert_eq!(broken(&task, &plan), Vec::<String>::new());
        prop_assert_eq!(solve(&task, Effort::Quick), plan);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn so_does_one_that_took_longer(task in tasks()) {
        let plan = solve(&task, Effort::Full);
        prop_assert_eq!(broken(&task, &plan), Vec::<String>::new());
    }
}

#[test]
fn the_large_task_is_solved_within_a_hundredth() {
    let task = made::large();
    let quick = solve(&task, Effort::Quick);
    assert_eq!(broken(&task, &quick), Vec::<String>::new());
    assert!(quick.gap() < 0.09, "{}", quick.gap());
    let full = solve(&task, Effort::Full);
    assert_eq!(broken(&task, &full), Vec::<String>::new());
    assert!(full.gap() < 0.01, "{}", full.gap());
    assert!(full.worth > quick.worth && full.bound <= quick.bound);
    assert!(full.explore_min.1 >= full.explore_min.0, "{:?}", full.explore_min);
}

#[test]
fn the_checks_can_fail() {
    let task = made::large();
    let good = solve(&task, Effort::Quick);
    let mut bad = good.clone();
    bad.slots[0].start += SignedDuration::from_mins(7 * 60);
    assert!(!broken(&task, &bad).is_empty());
    let mut bad = good.clone();
    let again = bad.slots[3].clone();
    bad.slots.push(again);
    let said = broken(&task, &bad).join("\n");
    for part in ["no rest", "too soon for", "the slots are worth"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

/// One host, one market, an hour of evening: where the best slot must be is plain.
fn small(place: &str, monday: jiff::civil::Date, from: u16, to: u16) -> Task {
    let mut task = made::large();
    task.home = made::zone(place);
    (task.from, task.weeks) = (week_start(monday, &task.home), 1);
    let start = crate::market::local::hour_of(task.from);
    task.demands = vec![made::demand(0, start, 1)];
    task.demands[0].hours.iter_mut().for_each(|h| h.viewers = 10.0);
    let mut host = made::host("ann", place, &["en"], 0, 0);
    host.hours[0] = Window { days: [true; 7], from_min: from, to_min: to };
    task.hosts = vec![host];
    task.rules.lengths = vec![30];
    task.rules.explore_permille = 0;
    task
}

#[test]
fn the_hour_that_does_not_exist_has_no_show() {
    // On 14 March 2027 the clocks of New York go from 02:00 to 03:00.
    let task = small("America/New_York", date(2027, 3, 8), 2 * 60, 3 * 60);
    let plan = solve(&task, Effort::Quick);
    assert_eq!(plan.slots.len(), 6, "{:?}", plan.slots);
    let last = plan.slots.iter().map(|s| task.home.clock(s.start).date()).max();
    assert_eq!(last, Some(date(2027, 3, 13)));
    // The week has an hour less.
    assert_eq!(minutes(plan.from, plan.to), 7 * 24 * 60 - 60);
}

#[test]
fn of_the_hour_that_comes_twice_one_is_taken() {
    // On 7 November 2027 01:00 to 02:00 comes twice there.
    let mut task = small("America/New_York", date(2027, 11, 1), 60, 2 * 60);
    task.demands[0].gap_min = 0;
    (task.hosts[0].rest_min, task.hosts[0].day_max_min) = (0, 600);
    let plan = solve(&task, Effort::Quick);
    assert_eq!(broken(&task, &plan), Vec::<String>::new());
    let sunday: Vec<String> = plan
        .slots
        .iter()
        .filter(|s| task.home.clock(s.start).date() == date(2027, 11, 7))
        .map(|s| s.start.to_string())
        .collect();
    assert_eq!(sunday, ["2027-11-07T06:00:00Z", "2027-11-07T06:30:00Z"]);
    assert_eq!(minutes(plan.from, plan.to), 7 * 24 * 60 + 60);
}

#[test]
fn a_second_show_of_a_day_counts_for_less() {
    let mut task = small("Asia/Bangkok", date(2027, 6, 7), 8 * 60, 20 * 60);
    task.demands[0].zone = made::zone("Asia/Bangkok");
    task.demands[0].gap_min = 60;
    task.rules.repeat_permille = 250;
    (task.hosts[0].day_max_min, task.hosts[0].week_max_min) = (60, 60);
    let plan = solve(&task, Effort::Full);
    // Two days with one show each are worth more than one with two.
    let days: Vec<_> = plan.slots.iter().map(|s| task.home.clock(s.start).date()).collect();
    assert_eq!(days.len(), 2);
    assert_ne!(days[0], days[1]);
    task.hosts[0].away = vec![Away { first: date(2027, 6, 8), last: date(2027, 6, 13) }];
    let plan = solve(&task, Effort::Full);
    let worth: Vec<f64> = plan.slots.iter().map(Slot::worth).collect();
    assert_eq!(plan.slots.len(), 2);
    assert_eq!(plan.slots.iter().filter(|s| s.airings[0].repeat).count(), 1);
    let (low, high) = (worth[0].min(worth[1]), worth[0].max(worth[1]));
    assert!((low - 0.25 * high).abs() < 1e-9, "{worth:?}");
}

#[test]
fn nobody_to_plan_is_no_failure() {
    let mut task = made::large();
    task.hosts.clear();
    let plan = solve(&task, Effort::Full);
    assert!(plan.slots.is_empty() && plan.gap() == 0.0);
    assert_eq!(plan.notes.len(), 18, "{:?}", plan.notes);
}
