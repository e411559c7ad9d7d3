//! The table at several widths.

use std::path::Path;

use super::*;
use crate::{
    config::{Dirs, PLAN_EXAMPLES, load_market, parse_plan},
    planner::{
        compare::compare,
        export::VERSION,
        prior,
        schedule::{Effort, solve, why},
        segments::segments,
    },
};

fn dirs() -> Dirs {
    Dirs::below(Path::new("/dev/null"))
}

/// The example of the week in which New York and Los Angeles put their clocks forward, quickly.
fn example() -> (Accepted, crate::planner::schedule::Task) {
    let wish = parse_plan(PLAN_EXAMPLES[0].1, "example", Path::new(""), &dirs()).unwrap();
    let (from, hours) = wish.span(jiff::civil::date(2027, 3, 10));
    let known: Vec<_> = wish
        .markets
        .iter()
        .map(|m| load_market(m.id.as_str(), &dirs()).unwrap())
        .map(|market| (market.clone(), prior(&market, from, hours)))
        .collect();
    let task = wish.task(from, &known);
    let plan = solve(&task, Effort::Quick);
    let accepted = Accepted {
        version: VERSION,
        title: wish.title.clone(),
        home: wish.home.clone(),
        zones: known.iter().map(|(m, _)| (m.id.to_string(), m.zone().clone())).collect(),
        at: from,
        file: None,
        segments: plan.slots.iter().map(|slot| segments(slot, &known)).collect(),
        plan,
    };
    (accepted, task)
}

#[test]
fn the_example_in_a_hundred_columns() {
    insta::assert_snapshot!(plan(&example().0, 100));
}

#[test]
fn it_is_never_wider_than_the_terminal() {
    let (mut accepted, task) = example();
    accepted.title = "直播".repeat(60);
    accepted.plan.notes = vec![format!("a long word: {}", "x".repeat(200))];
    let reason = why(&task, &accepted.plan, 0).unwrap();
    let mut other = accepted.plan.clone();
    other.slots.remove(0);
    let sides = compare(&accepted.plan, &other);
    for columns in [40, 60, 80, 100, 200] {
        for text in [
            plan(&accepted, columns),
            whole(&accepted, columns),
            super::super::told::why(&reason, &accepted, columns),
            super::super::told::difference("without=lin", &sides, &accepted.home, columns),
        ] {
            for line in text.lines() {
                assert!(line.width() <= columns, "{columns}: {line}");
            }
        }
    }
}

#[test]
fn priors_and_changes_of_clocks_are_said() {
    let (accepted, _) = example();
    let text = plan(&accepted, 200);
    assert!(text.contains("Priors only"), "{text}");
    assert!(text.contains("Clocks of America/Los_Angeles (US-W) go forward by 1 h on Sun 14 Mar."));
    assert!(!whole(&accepted, 200).is_empty() && whole(&accepted, 200).contains("why to stay"));
}

#[test]
fn why_names_what_was_given_up() {
    let (accepted, task) = example();
    for index in 0..accepted.plan.slots.len() {
        let reason = why(&task, &accepted.plan, index).unwrap();
        assert!(reason.adds > 0.0, "{reason:?}");
        let served = reason.slot.airings.len() + reason.absent.len();
        assert_eq!(served, task.demands.len());
    }
    let text = super::super::told::why(&why(&task, &accepted.plan, 0).unwrap(), &accepted, 100);
    insta::assert_snapshot!(text);
    assert!(why(&task, &accepted.plan, 99).is_none());
}

#[test]
fn a_terminal_is_not_spoken_to() {
    let (mut accepted, _) = example();
    accepted.title = "\u{1b}[2J".into();
    accepted.plan.slots[0].host = "\u{1b}]0;x\u{7}".into();
    assert!(!whole(&accepted, 80).contains('\u{1b}'));
}
