//! The whole task as one integer program in LP format, for a solver from outside: `script/plan-check` solves it with
//! HiGHS and compares. It shares the clocks and sums with the search, not its rules.

use std::{collections::BTreeMap, fmt::Write};

use super::made;
use crate::planner::schedule::{Effort, Task, model::Model, solve};

/// The program, in CPLEX LP format.
fn written(task: &Task) -> String {
    let model = Model::new(task);
    let (mut goal, mut bounds, mut binaries) = (String::new(), String::new(), String::new());
    let mut rows: BTreeMap<String, (Vec<String>, u32)> = BTreeMap::new();
    let mut row = |name: String, term: String, limit: u32| {
        rows.entry(name).or_insert((Vec::new(), limit)).0.push(term);
    };
    let mut fixed = Vec::new();
    let mut days: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
    let starts: Vec<usize> = (0..model.grid.steps).collect();
    for (n, frame) in model.people.iter().flat_map(|p| &p.frames).enumerate() {
        let (host, step, length) = (frame.host, frame.step, frame.length);
        let (l, person, week) = (model.lengths[length], &model.people[host], model.week[step]);
        let _ = writeln!(binaries, " x{n}");
        let time = format!("{} x{n}", l.min);
        row(
            format!("day_{host}_{}", person.day[step]),
            time.clone(),
            person.day_room[person.day[step]],
        );
        row(format!("week_{host}_{week}"), time.clone(), person.week_room[week]);
        if let Some(budget) = &model.budget {
            row(format!("budget_{week}"), time, budget[week]);
        }
        for at in step..step + l.steps {
            row(format!("studio_{at}"), format!("x{n}"), model.studios[at]);
        }
        for at in &starts[step..(step + person.reach[length]).min(starts.len())] {
            row(format!("host_{host}_{at}"), format!("x{n}"), 1);
        }
        let (mut leads, mut all) = (Vec::new(), Vec::new());
        for m in model.open_markets(host, step, length) {
            let (lead, follow) = (format!("l{n}_{m}"), format!("a{n}_{m}"));
            let worth = model.worth(m, step, length);
            let market = &model.markets[m];
            let first = if market.taken[market.day[step]] { model.repeat } else { 1.0 };
            let _ = writeln!(
                goal,
                " + {} {lead} + {} {follow}",
                worth * first,
                worth * first * model.follow
            );
            let _ = writeln!(binaries, " {lead}\n {follow}");
            fixed.push(format!(" {lead} + {follow} - x{n} <= 0"));
            for at in &starts[step..(step + market.reach[length]).min(starts.len())] {
                row(format!("gap_{m}_{at}"), format!("{lead} + {follow}"), 1);
            }
            let close = market.reach.iter().min().is_some_and(|r| *r < 48);
            if close && model.repeat < 1.0 && !market.taken[market.day[step]] {
                let (best, lost) = (format!("k{n}_{m}"), format!("d{n}_{m}"));
                let _ = writeln!(goal, " - {} {lost}", worth * (1.0 - model.repeat));
                fixed.push(format!(" {lead} + {} {follow} - {best} - {lost} <= 0", model.follow));
                let _ = writeln!(bounds, " 0 <= {lost} <= 1");
                let _ = writeln!(binaries, " {best}");
                days.entry((m, market.day[step])).or_default().push(best);
            }
            if market.untried[step] {
                row("explore".into(), format!("- {} {lead}", l.min), 0);
            }
            all.push(format!("{lead} + {follow}"));
            leads.push(lead);
        }
        fixed.push(format!(" {} - x{n} = 0", leads.join(" + ")));
        fixed.push(format!(" {} - {} x{n} <= 0", all.join(" + "), task.rules.most_markets));
    }
    let mut text = format!("Maximize\n worth:\n{goal}Subject To\n");
    for (name, (terms, limit)) in rows {
        let limit = match name.as_str() {
            "explore" => -i64::from(model.explore.0.saturating_sub(model.explore.1)),
            _ => i64::from(limit),
        };
        let _ = writeln!(text, " {name}: {} <= {limit}", terms.join("\n + ").replace("+ -", "-"));
    }
    for row in fixed {
        let _ = writeln!(text, "{row}");
    }
    for best in days.into_values() {
        let _ = writeln!(text, " {} <= 1", best.join("\n + "));
    }
    let _ = write!(text, "Bounds\n{bounds}Binaries\n{binaries}End\n");
    text
}

/// Two hosts, six markets, one week: small enough to be solved to the end by anybody.
fn middle() -> Task {
    let mut task = made::large();
    task.weeks = 1;
    task.hosts = vec![task.hosts[0].clone(), task.hosts[1].clone()];
    task.demands = [0, 8, 9, 10, 13, 16].map(|index| made::demand(index, task.from, 1)).into();
    task.rules.budget_min = Some(20 * 60);
    task
}

#[test]
#[ignore = "for script/plan-check"]
fn write_programs() {
    let folder = std::env::var("PLAN_CHECK").unwrap();
    for (name, task) in [("middle", middle()), ("large", made::large())] {
        for effort in [Effort::Quick, Effort::Full] {
            let start = std::time::Instant::now();
            let plan = solve(&task, effort);
            let (took, gap) = (start.elapsed(), plan.gap() * 100.0);
            println!("{name}, {effort:?}: {took:.1?}, {:.1}, proven within {gap:.2} %", plan.worth);
            let figures = format!("{} {}", plan.worth, plan.bound);
            std::fs::write(format!("{folder}/{name}.txt"), figures).unwrap();
        }
        std::fs::write(format!("{folder}/{name}.lp"), written(&task)).unwrap();
    }
}

#[test]
fn a_task_of_the_middle_is_solved_nearly_to_the_end() {
    let plan = solve(&middle(), Effort::Full);
    assert!(plan.gap() < 0.02, "{}", plan.gap());
}
