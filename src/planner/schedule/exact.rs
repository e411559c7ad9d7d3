//! The integer program: the shows of some days are free, the rest of the plan stands, and the best choice among the
//! starts that the prices leave is found exactly. The window moves over the plan until nothing gets better.
//! Solved by `microlp`, in pure Rust; bounded by nodes, not by time, so that the same task gives the same plan.

use std::collections::{BTreeMap, BTreeSet};

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOptions, Variable};

use super::{
    board::Board,
    model::{Frame, Model},
    prices::{Priced, Prices},
};

/// The most columns of a program.
const MOST_COLUMNS: usize = 140;

/// The most nodes of its tree.
const MOST_NODES: u64 = 60;

/// A show that may be, as a column.
struct Column {
    frame: Frame,
    markets: Vec<usize>,
    gain: f64,
    var: Option<Variable>,
}

/// Rows of the program: what they are about, and the columns in them.
type Rows = BTreeMap<(u8, usize, usize), (f64, Vec<(usize, f64)>)>;

/// Solves window after window; keeps what is better.
pub(super) fn improve<'m, 't>(
    model: &'m Model<'t>,
    order: &[Priced],
    prices: &Prices,
    mut board: Board<'m, 't>,
) -> Board<'m, 't> {
    for (days, shift) in [(2, 0), (3, 1), (2, 1)] {
        let width = days * 48;
        let mut from = shift * 24;
        while from < model.grid.steps {
            let window = from..(from + width).min(model.grid.steps);
            if let Some(next) = solve(model, order, prices, &board, window)
                && next.better_than(&board)
            {
                board = next;
            }
            from += width;
        }
    }
    board
}

fn solve<'m, 't>(
    model: &'m Model<'t>,
    order: &[Priced],
    prices: &Prices,
    board: &Board<'m, 't>,
    window: std::ops::Range<usize>,
) -> Option<Board<'m, 't>> {
    let mut rest = board.clone();
    let mut columns: Vec<Column> = Vec::new();
    let mut index = 0;
    while index < rest.shows.len() {
        if window.contains(&rest.shows[index].frame.step) {
            let show = rest.remove(index);
            let (frame, markets) = (show.frame, show.markets);
            columns.push(Column { frame, markets, gain: 0.0, var: None });
        } else {
            index += 1;
        }
    }
    let known = columns.len();
    let mut free = Vec::new();
    for candidate in order.iter().filter(|p| window.contains(&p.frame.step)) {
        if columns.len() >= MOST_COLUMNS {
            break;
        }
        let frame = candidate.frame;
        if !rest.fits(frame) {
            continue;
        }
        for prices in [Some(prices), None] {
            let gain = rest.markets_for(frame, prices, &mut free);
            let new = columns.iter().all(|c| c.frame != frame || c.markets != free);
            if gain > 0.0 && new {
                columns.push(Column { frame, markets: free.clone(), gain: 0.0, var: None });
            }
        }
    }
    if columns.len() <= known {
        return None;
    }
    let mut program = Problem::new(OptimizationDirection::Maximize);
    for column in &mut columns {
        let mut one = rest.clone();
        one.put(column.frame, &column.markets);
        column.gain = one.worth - rest.worth;
        column.var = Some(program.add_binary_var(column.gain));
    }
    for (limit, members) in rows(model, &rest, &columns).into_values() {
        if members.iter().map(|m| m.1).sum::<f64>() > limit {
            let row: Vec<(Variable, f64)> =
                members.iter().filter_map(|(c, k)| Some((columns[*c].var?, *k))).collect();
            program.add_constraint(row, ComparisonOp::Le, limit);
        }
    }
    repeats(model, &columns, &mut program);
    let missing = rest.unexplored();
    if missing > 0 {
        let explored: u32 = columns[..known]
            .iter()
            .filter(|c| rest.explores(c.frame, &c.markets))
            .map(|c| model.lengths[c.frame.length].min)
            .sum();
        let row: Vec<(Variable, f64)> = columns
            .iter()
            .filter(|c| rest.explores(c.frame, &c.markets))
            .filter_map(|c| Some((c.var?, f64::from(model.lengths[c.frame.length].min))))
            .collect();
        if !row.is_empty() {
            program.add_constraint(row, ComparisonOp::Ge, f64::from(missing.min(explored)));
        }
    }
    let start =
        columns.iter().enumerate().filter_map(|(i, c)| Some((c.var?, f64::from(i < known))));
    let mut options = SolveOptions::default();
    options.node_limit = Some(MOST_NODES);
    options.mip_gap = 1e-4;
    options.warm_start = Some(start.collect());
    let solved = program.solve_with(options).ok()?;
    let solution = solved.solution()?;
    for column in &columns {
        let chosen = column.var.is_some_and(|v| solution.var_value(v) > 0.5);
        // Rounding in the solver never puts on what does not fit.
        if chosen && rest.takes(column.frame, &column.markets) {
            rest.put(column.frame, &column.markets);
        }
    }
    rest.attach();
    Some(rest)
}

/// What ties the columns together. Where intervals meet, they meet at the start of one of them, so each start
/// has a row.
fn rows(model: &Model<'_>, rest: &Board<'_, '_>, columns: &[Column]) -> Rows {
    let mut hosts: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut markets: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for Column { frame, markets: own, .. } in columns {
        hosts.entry(frame.host).or_default().insert(frame.step);
        for market in own {
            markets.entry(*market).or_default().insert(frame.step);
        }
    }
    let mut rows = Rows::new();
    for (index, column) in columns.iter().enumerate() {
        let mut add = |row: (u8, usize, usize), limit: f64, by: f64| {
            rows.entry(row).or_insert_with(|| (limit, Vec::new())).1.push((index, by));
        };
        let Frame { host, step, length } = column.frame;
        let (l, person) = (model.lengths[length], &model.people[host]);
        let min = f64::from(l.min);
        let left = rest.left(host, step);
        add((0, host, person.day[step]), f64::from(left.day), min);
        add((1, host, model.week[step]), f64::from(left.week), min);
        if let Some(budget) = left.budget {
            add((2, 0, model.week[step]), f64::from(budget), min);
        }
        for at in step..step + l.steps {
            add((3, 0, at), f64::from(rest.studio_left(at)), 1.0);
        }
        for at in hosts[&host].range(step..step + person.reach[length]) {
            add((4, host, *at), 1.0, 1.0);
        }
        for market in &column.markets {
            let reach = model.markets[*market].reach[length];
            for at in markets[market].range(step..step + reach) {
                add((5, *market, *at), 1.0, 1.0);
            }
        }
    }
    rows
}

/// Of two shows for a market on one of its days only one counts in full: what the other loses is taken off.
fn repeats(model: &Model<'_>, columns: &[Column], program: &mut Problem) {
    let mut days: BTreeMap<(usize, usize), Vec<(usize, f64)>> = BTreeMap::new();
    for (index, Column { frame, markets, .. }) in columns.iter().enumerate() {
        for (place, market) in markets.iter().enumerate() {
            let day = model.markets[*market].day[frame.step];
            let share = if place == 0 { 1.0 } else { model.follow };
            let full = model.worth(*market, frame.step, frame.length) * share;
            days.entry((*market, day)).or_default().push((index, full));
        }
    }
    for ((market, _), parts) in days {
        let reach = &model.markets[market].reach;
        let apart = parts.iter().any(|(a, _)| {
            let a = columns[*a].frame;
            parts.iter().any(|(b, _)| columns[*b].frame.step >= a.step + reach[a.length])
        });
        if !apart {
            continue;
        }
        // One of those that are chosen may be the best; every other one loses.
        let mut best = Vec::new();
        for (index, full) in &parts {
            let Some(chosen) = columns[*index].var else { continue };
            let loses = full * (1.0 - model.repeat);
            let counted = program.add_var(0.0, (0.0, 1.0));
            let lost = program.add_var(-loses, (0.0, 1.0));
            // chosen - counted <= lost
            program.add_constraint(
                [(chosen, 1.0), (counted, -1.0), (lost, -1.0)],
                ComparisonOp::Le,
                0.0,
            );
            best.push((counted, 1.0));
        }
        program.add_constraint(best, ComparisonOp::Le, 1.0);
    }
}
