//! The integer program: the shows of some days are free, the rest of the plan stands, and the best choice among the
//! starts that the prices leave is found exactly. The window moves over the plan until nothing gets better.
//! Solved by `microlp`, in pure Rust; bounded by nodes, not by time, so that the same task gives the same plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOptions, Variable};

use super::{
    STEP_MIN,
    board::Board,
    model::{Frame, Model},
    prices::{Priced, Prices},
};

/// How much the programs may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// Days that are free in a window, and where the first window begins; one pass over the plan for each.
    pub passes: &'static [(usize, usize)],
    /// Columns of a program at most.
    pub columns: usize,
    /// Nodes of its tree at most.
    pub nodes: u64,
}

/// Within so much of the bound a plan is good enough.
const NEAR: f64 = 0.0075;

/// A show that may be, as a column.
struct Column {
    frame: Frame,
    markets: Vec<usize>,
    gain: f64,
    var: Option<Variable>,
}

/// Rows of the program: what they are about, and the columns in them.
type Rows = BTreeMap<(u8, usize, usize), (f64, Vec<(usize, f64)>)>;

/// Where columns come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'p> {
    /// Shows that were on the best path of a host under some prices: the likeliest of all.
    pub pool: &'p [Priced],
    /// Starts by what they are worth beyond the prices, the best first.
    pub order: &'p [Priced],
    /// The prices.
    pub prices: &'p Prices,
}

/// Solves window after window; keeps what is better, until it is near the bound.
pub(super) fn improve<'m, 't>(
    model: &'m Model<'t>,
    source: Source<'_>,
    work: Work,
    mut board: Board<'m, 't>,
    bound: f64,
) -> Board<'m, 't> {
    const DAY: usize = 24 * 60 / STEP_MIN as usize;
    for (days, first) in work.passes {
        let mut from = first * DAY;
        while from < model.grid.steps {
            if board.unexplored() == 0 && bound - board.worth <= bound * NEAR {
                return board;
            }
            let to = (from + days * DAY).min(model.grid.steps);
            if let Some(next) = solve(model, source, work, &board, from..to)
                && next.better_than(&board)
            {
                board = next;
            }
            from = to;
        }
    }
    board
}

fn columns<'m, 't>(
    source: Source<'_>,
    most: usize,
    board: &Board<'m, 't>,
    window: &Range<usize>,
) -> (Board<'m, 't>, Vec<Column>, usize) {
    let mut rest = board.clone();
    let mut columns: Vec<Column> = Vec::new();
    let mut known = BTreeSet::new();
    let mut add = |frame: Frame, markets: &[usize]| {
        if known.insert((frame.host, frame.step, frame.length, markets.to_vec())) {
            columns.push(Column { frame, markets: markets.to_vec(), gain: 0.0, var: None });
        }
        columns.len()
    };
    let (mut index, mut stood) = (0, 0);
    while index < rest.shows.len() {
        if window.contains(&rest.shows[index].frame.step) {
            let show = rest.remove(index);
            stood = add(show.frame, &show.markets);
        } else {
            index += 1;
        }
    }
    for show in source.pool.iter().filter(|p| window.contains(&p.frame.step)) {
        if rest.takes(show.frame, &show.markets) && add(show.frame, &show.markets) >= most {
            break;
        }
    }
    let mut markets = Vec::new();
    let mut count = 0;
    for candidate in source.order.iter().filter(|p| window.contains(&p.frame.step)) {
        if !rest.fits(candidate.frame) {
            continue;
        }
        for prices in [Some(source.prices), None] {
            if rest.markets_for(candidate.frame, prices, &mut markets) > 0.0 {
                count = add(candidate.frame, &markets);
            }
        }
        if count >= most {
            break;
        }
    }
    (rest, columns, stood)
}

fn solve<'m, 't>(
    model: &'m Model<'t>,
    source: Source<'_>,
    work: Work,
    board: &Board<'m, 't>,
    window: Range<usize>,
) -> Option<Board<'m, 't>> {
    let (mut rest, mut columns, stood) = columns(source, work.columns, board, &window);
    if columns.len() <= stood {
        return None;
    }
    let mut program = Problem::new(OptimizationDirection::Maximize);
    for column in &mut columns {
        column.gain = rest.would_add(column.frame, &column.markets);
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
    explore(model, &rest, &columns, stood, &mut program);
    let start = columns.iter().enumerate();
    let start = start.filter_map(|(i, c)| Some((c.var?, f64::from(u8::from(i < stood)))));
    let mut options = SolveOptions::default();
    options.node_limit = Some(work.nodes);
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

/// As many minutes of exploration as are missing, or at least as many as there were.
fn explore(
    model: &Model<'_>,
    rest: &Board<'_, '_>,
    columns: &[Column],
    stood: usize,
    program: &mut Problem,
) {
    let missing = rest.unexplored();
    let exploring = |all: &[Column]| -> Vec<(Option<Variable>, u32)> {
        all.iter()
            .filter(|c| rest.explores(c.frame, &c.markets))
            .map(|c| (c.var, model.lengths[c.frame.length].min))
            .collect()
    };
    let had: u32 = exploring(&columns[..stood]).iter().map(|(_, min)| min).sum();
    let row: Vec<(Variable, f64)> = exploring(columns)
        .into_iter()
        .filter_map(|(var, min)| Some((var?, f64::from(min))))
        .collect();
    if missing > 0 && !row.is_empty() {
        program.add_constraint(row, ComparisonOp::Ge, f64::from(missing.min(had)));
    }
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
