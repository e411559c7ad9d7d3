//! The desk against the board, and under arbitrary edits.

use proptest::prelude::*;

use super::*;
use crate::planner::schedule::{
    STEP_MIN, board::Board, model::Frame, model::Model, solve, tests::made,
};

fn desk(task: Task) -> Desk {
    Desk::new(task, None).0
}

/// A smaller task: six markets, three hosts, two weeks.
fn small() -> Task {
    let mut task = made::large();
    task.demands.truncate(10);
    task.hosts.truncate(3);
    task.rules.budget_min = Some(20 * 60);
    task
}

fn show_of(model: &Model<'_>, frame: Frame, markets: &[usize]) -> Show {
    Show {
        start: model.grid.at(frame.step),
        minutes: model.lengths[frame.length].min,
        host: frame.host,
        markets: markets.to_vec(),
        locked: false,
    }
}

fn sorted(mut shows: Vec<Show>) -> Vec<Show> {
    shows.sort_by_key(|s| (s.start, s.host));
    shows
}

#[test]
fn a_solved_plan_breaks_nothing_and_is_worth_what_it_says() {
    let task = made::large();
    let plan = solve(&task, Effort::Quick);
    let (desk, notes) = Desk::new(task, Some(&plan));
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(desk.shows().len(), plan.slots.len());
    assert_eq!(desk.verdict().breaches, Vec::new());
    assert!((desk.verdict().worth - plan.worth).abs() < 1e-6, "{}", plan.worth);
    let again = desk.plan(Effort::Quick);
    for (one, two) in again.slots.iter().zip(&plan.slots) {
        assert_eq!(
            (one.start, &one.host, one.exploration),
            (two.start, &two.host, two.exploration)
        );
        for (a, b) in one.airings.iter().zip(&two.airings) {
            assert_eq!((&a.market, a.leads, a.repeat), (&b.market, b.leads, b.repeat));
            assert!((a.worth - b.worth).abs() < 1e-9);
        }
    }
    assert_eq!(again.bound, plan.bound.max(desk.verdict().worth));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What the board lets through breaks nothing here, and the other way round; and both count the same.
    #[test]
    fn the_desk_and_the_board_have_the_same_rules(
        tries in prop::collection::vec((0_usize..3, 0_usize..672, 0_usize..3, prop::collection::vec(0_usize..10, 1..4)), 1..60)
    ) {
        let task = small();
        let model = Model::new(&task);
        let desk = desk(task.clone());
        let ground = desk.ground();
        let mut board = Board::new(&model);
        let mut shows: Vec<Show> = Vec::new();
        for (host, step, length, mut markets) in tries {
            markets.sort_unstable();
            markets.dedup();
            let frame = Frame { host, step, length };
            let l = model.lengths[length];
            let can = step + l.steps <= model.grid.steps
                && model.people[host].frames.contains(&frame)
                && markets.iter().all(|m| model.open_markets(host, step, length).any(|o| o == *m));
            let takes = can && board.takes(frame, &markets);
            let mut with = shows.clone();
            with.push(show_of(&model, frame, &markets));
            let with = sorted(with);
            let verdict = judge(ground, &with);
            prop_assert_eq!(takes, verdict.breaches.is_empty(), "{:?}", verdict.breaches);
            if takes {
                board.put(frame, &markets);
                shows = with;
                prop_assert!((board.worth - verdict.worth).abs() < 1e-6);
                let at = shows.iter().position(|s| s.start == model.grid.at(step) && s.host == host).unwrap();
                let without: Vec<Show> = shows.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, s)| s.clone()).collect();
                let adds = verdict.worth - judge(ground, &without).worth;
                prop_assert!((adds - super::adds(ground, &shows, &verdict, at)).abs() < 1e-6);
            }
        }
    }

    /// Whatever is done can be taken back, and done again.
    #[test]
    fn undo_gives_the_plan_back(
        steps in prop::collection::vec((0_u8..10, 0_usize..20, -50_i32..50), 1..80)
    ) {
        let mut desk = desk(small());
        let first = desk.shows().to_vec();
        let mut seen = vec![first.clone()];
        for (kind, show, by) in steps {
            let show = show % desk.shows().len().max(1);
            let edit = match kind {
                0 | 1 => Edit::Add { at: desk.ground().at((show * 31 + by.unsigned_abs() as usize * 7) % 672), minutes: 90 },
                2 => Edit::Later { show, by },
                3 => Edit::Days { show, by: by / 5 },
                4 => Edit::Longer(show),
                5 => Edit::Shorter(show),
                6 => Edit::Host { show, host: by.unsigned_abs() as usize % 4 },
                7 => Edit::Markets { show, markets: vec![by.unsigned_abs() as usize % 12, 2, 2] },
                8 => Edit::Lock(show),
                _ => Edit::Remove(show),
            };
            let before = desk.shows().to_vec();
            match desk.edit(&edit) {
                Ok((_, at)) => {
                    prop_assert!(at.is_none_or(|at| at < desk.shows().len()));
                    prop_assert_eq!(desk.unsaved(), desk.shows() != first.as_slice());
                    if desk.shows() != before.as_slice() {
                        seen.push(desk.shows().to_vec());
                    }
                }
                Err(why) => {
                    prop_assert!(!why.0.is_empty());
                    prop_assert_eq!(&before, desk.shows());
                }
            }
            prop_assert!(desk.shows().is_sorted_by_key(|s| (s.start, s.host)));
            let again = judge(desk.ground(), desk.shows());
            prop_assert_eq!(&again, desk.verdict());
        }
        let last = desk.shows().to_vec();
        for shows in seen.iter().rev().skip(1) {
            prop_assert!(desk.undo().is_some());
            prop_assert_eq!(shows, desk.shows());
        }
        prop_assert!(desk.undo().is_none() && !desk.unsaved());
        while desk.redo().is_some() {}
        prop_assert_eq!(last, desk.shows());
    }
}

/// A desk with one show in the prime time of Thailand by maya.
fn with_one() -> (Desk, usize) {
    let mut desk = desk(made::large());
    // Tuesday, 20:00 in Shanghai.
    let at = desk.ground().at(48 + 40);
    let (change, index) = desk.edit(&Edit::Add { at, minutes: 60 }).unwrap();
    assert!(change.worth > 0.0 && change.broken.is_empty(), "{change:?}");
    (desk, index.unwrap())
}

#[test]
fn what_breaks_a_rule_stands_and_is_told() {
    let (mut desk, one) = with_one();
    let host = desk.shows()[one].host;
    let name = desk.ground().task.hosts[host].name.clone();
    let told = |desk: &mut Desk, edit: Edit| desk.edit(&edit).unwrap().0.broken;
    let longer = told(&mut desk, Edit::Longer(one));
    assert_eq!(longer, Vec::<String>::new());
    told(&mut desk, Edit::Longer(one));
    let longer = told(&mut desk, Edit::Longer(one));
    let length = "150 min is no length of this plan, which has 60, 90, 120";
    assert!(longer.contains(&format!("Tue 20:00 ({name}): {length}")), "{longer:?}");
    assert!(desk.undo().is_some_and(|c| c.mended == longer.len()));
    // Eleven hours earlier it is the middle of somebody's night.
    let early = told(&mut desk, Edit::Later { show: one, by: -28 });
    assert!(early.iter().any(|t| t.contains("is not among")), "{early:?}");
    desk.undo();
    let all: Vec<usize> = (0..18).collect();
    let many = told(&mut desk, Edit::Markets { show: one, markets: all });
    assert!(many.iter().any(|t| t.ends_with("it is for 18 markets, 4 at most")), "{many:?}");
    assert!(many.iter().any(|t| t.contains("speaks no language of")), "{many:?}");
    desk.undo();
    // A second one an hour behind the first, of the same host and for the same market.
    let Show { start, markets, .. } = desk.shows()[one].clone();
    let at = start + jiff::SignedDuration::from_mins(150);
    let (_, two) = desk.edit(&Edit::Add { at, minutes: 60 }).unwrap();
    let edit = Edit::Host { show: two.unwrap(), host };
    let two = desk.edit(&edit).map_or(two, |(_, at)| at).unwrap();
    let near = told(&mut desk, Edit::Markets { show: two, markets });
    assert!(near.iter().any(|t| t.contains("min apart, 12 h at least")), "{near:?}");
    let near = told(&mut desk, Edit::Later { show: two, by: -3 });
    assert!(
        near.iter().any(|t| t.contains(&format!("{name} is in two shows at once"))),
        "{near:?}"
    );
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let (mut desk, one) = with_one();
    let why = |desk: &mut Desk, edit: Edit| desk.edit(&edit).unwrap_err().0;
    assert!(
        why(&mut desk, Edit::Days { show: one, by: 40 }).contains("outside of the plan's weeks")
    );
    assert!(why(&mut desk, Edit::Markets { show: one, markets: Vec::new() }).contains("x takes"));
    assert!(why(&mut desk, Edit::Remove(9)).contains("a adds one"));
    desk.edit(&Edit::Lock(one)).unwrap();
    assert!(why(&mut desk, Edit::Remove(one)).contains("Tue 20:00 is locked: l unlocks it"));
    let mut task = made::large();
    task.hosts.clear();
    let mut desk = self::desk(task);
    let at = desk.ground().at(3);
    assert!(why(&mut desk, Edit::Add { at, minutes: 60 }).contains("[[host]]"));
}

#[test]
fn a_proposal_keeps_what_is_locked_and_is_one_edit() {
    let (mut desk, one) = with_one();
    desk.edit(&Edit::Lock(one)).unwrap();
    let before = desk.shows().to_vec();
    let task = desk.asked();
    assert_eq!(task.locks.len(), 1);
    let plan = solve(&task, Effort::Quick);
    let shows = desk.shows_of(&plan);
    assert!(shows.contains(&before[one]));
    let change = desk.accept(shows, plan.bound);
    assert!(change.worth > 0.0 && desk.unsaved());
    assert_eq!(desk.bound(), Some(plan.bound));
    // What is locked no more leaves nothing that is known of the best.
    let at = desk.shows().iter().position(|s| s.locked).unwrap();
    desk.edit(&Edit::Lock(at)).unwrap();
    assert_eq!((desk.bound(), desk.plan(Effort::Full).bound), (None, 0.0));
    desk.undo();
    assert_eq!(desk.bound(), Some(plan.bound));
    desk.undo();
    assert_eq!(desk.shows(), before);
}

#[test]
fn days_know_their_sales_and_their_clocks() {
    use crate::planner::Reason;
    let mut task = made::large();
    // Madrid's and London's clocks are put forward on 28 March 2027, a Sunday.
    task.from = crate::planner::schedule::week_start(jiff::civil::date(2027, 3, 22), &task.home);
    for demand in &mut task.demands {
        demand.from = task.from;
        demand.reasons = vec![Vec::new(); demand.hours.len()];
    }
    task.demands[8].reasons[30] = vec![Reason::Prior, Reason::SaleDay("3.3".into())];
    let desk = desk(task);
    let days = &desk.ground().days;
    assert_eq!(days.len(), 14);
    assert!(days.iter().all(|d| d.end - d.first == 48));
    assert_eq!(days[1].specials, [Special { name: "3.3".into(), markets: vec![8] }]);
    let sunday: Vec<&str> = days[6].shifts.iter().map(|s| s.zone.name()).collect();
    assert!(sunday.contains(&"Europe/London") && sunday.contains(&"Europe/Madrid"), "{sunday:?}");
    assert_eq!(days[6].shifts[0].seconds, 3600);
    // By a day: the same clock at home.
    let (a, b) = (desk.ground().at(3), edit::days(desk.ground(), desk.ground().at(3), 1).unwrap());
    assert_eq!(b.duration_since(a).as_mins(), 48 * i64::from(STEP_MIN));
}
