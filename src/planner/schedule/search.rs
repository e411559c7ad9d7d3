//! The search: prices first, which give the bound and say where to look; then a plan by them; then parts of it
//! taken out and put in anew, by hand and by the integer program.

use std::collections::BTreeMap;

use super::{
    Effort, Plan,
    board::Board,
    exact,
    model::Model,
    outcome,
    prices::{Priced, Prices},
};

/// How much of everything an effort is.
struct Work {
    /// Moves of the prices.
    moves: usize,
    /// Prices along a market's gap.
    points: usize,
    /// A plan is made at every so many of them.
    every: usize,
    /// Moves after which the paths are likely enough to be kept as columns.
    settled: usize,
    /// Parts taken out and put in anew.
    rebuilds: usize,
    programs: exact::Work,
}

const QUICK: Work = Work {
    moves: 28,
    points: 6,
    every: 7,
    settled: 12,
    rebuilds: 12,
    programs: exact::Work { passes: &[(2, 0), (3, 1)], columns: 160, nodes: 6 },
};

const FULL: Work = Work {
    moves: 400,
    // One at every half hour.
    points: usize::MAX,
    every: 15,
    settled: 60,
    rebuilds: 200,
    programs: exact::Work {
        passes: &[(2, 0), (3, 1), (5, 0), (7, 0), (7, 3), (2, 1), (5, 3)],
        columns: 700,
        nodes: 60,
    },
};

/// Numbers without a pattern, always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % below.max(1) as u64) as usize
    }
}

/// A plan made from nothing by an order of starts: what is to be explored first.
fn build<'m, 't>(model: &'m Model<'t>, order: &[Priced], prices: Option<&Prices>) -> Board<'m, 't> {
    let mut board = Board::new(model);
    for candidate in order {
        if board.unexplored() == 0 {
            break;
        }
        if board.explores(candidate.frame, &candidate.markets)
            && board.takes(candidate.frame, &candidate.markets)
        {
            board.put(candidate.frame, &candidate.markets);
        }
    }
    board.fill(order.iter(), prices);
    board.fill(order.iter(), None);
    board.attach();
    board
}

/// The bound, the prices that gave it, and the best plan found on the way.
fn price<'m, 't>(model: &'m Model<'t>, work: &Work) -> (f64, Prices, Vec<Priced>, Board<'m, 't>) {
    let mut prices = Prices::none(model, work.points);
    let mut trend = Prices::none(model, work.points);
    let mut best_prices = prices.clone();
    let mut pool = BTreeMap::new();
    let mut board = build(model, &prices.frames(model, 0.0), None);
    let (mut bound, mut length, mut stalled) = (f64::INFINITY, 1.0, 0);
    for turn in 0..work.moves {
        let (this, paths) = prices.bound(model);
        if this < bound - bound.abs().min(1e12) * 1e-5 {
            stalled = 0;
        } else {
            stalled += 1;
        }
        if this < bound {
            bound = this;
            best_prices = prices.clone();
        }
        if stalled >= 10 {
            (length, stalled) = (length * 0.8, 0);
            prices = best_prices.clone();
        }
        if turn >= work.settled {
            for show in &paths {
                let f = show.frame;
                let key = (f.host, f.step, f.length, show.markets.clone());
                pool.entry(key).or_insert_with(|| show.clone());
            }
        }
        if turn % work.every == work.every - 1 {
            let mut order = paths.clone();
            order.sort_by(|a, b| b.beyond.total_cmp(&a.beyond));
            order.extend(prices.frames(model, 0.0));
            let other = build(model, &order, Some(&prices));
            if other.better_than(&board) {
                board = other;
            }
        }
        prices.step(model, &paths, &mut trend, length, this - board.worth);
    }
    (bound, best_prices, pool.into_values().collect(), board)
}

/// Takes parts out and puts them in anew.
fn rebuild<'m, 't>(
    order: &[Priced],
    prices: &Prices,
    mut board: Board<'m, 't>,
    rounds: usize,
) -> Board<'m, 't> {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut now = board.clone();
    for round in 0..rounds {
        if now.shows.is_empty() {
            break;
        }
        let mut next = now.clone();
        let centre = now.shows[dice.roll(now.shows.len())].clone();
        let reach = [18, 36, 72, 144][dice.roll(4)];
        let kind = dice.roll(3);
        let near = |step: usize| step.abs_diff(centre.frame.step) <= reach;
        let mut index = 0;
        while index < next.shows.len() {
            let show = &next.shows[index];
            let out = near(show.frame.step)
                && match kind {
                    0 => true,
                    1 => show.frame.host == centre.frame.host,
                    _ => show.markets.iter().any(|m| centre.markets.contains(m)),
                };
            if out && (kind != 0 || reach <= 72) {
                next.remove(index);
            } else {
                index += 1;
            }
        }
        // The order by price, a little shaken.
        let mut local: Vec<(f64, &Priced)> = order
            .iter()
            .filter(|p| near(p.frame.step))
            .map(|p| (p.beyond * (0.7 + dice.roll(600) as f64 / 1000.0), p))
            .collect();
        local.sort_by(|a, b| b.0.total_cmp(&a.0));
        if next.unexplored() > 0 {
            let explores = |p: &&Priced| next.explores(p.frame, &p.markets);
            let first: Vec<&Priced> = local.iter().map(|(_, p)| *p).filter(explores).collect();
            for candidate in first {
                if next.unexplored() > 0 && next.takes(candidate.frame, &candidate.markets) {
                    next.put(candidate.frame, &candidate.markets);
                }
            }
        }
        let prices = (dice.roll(4) > 0).then_some(prices);
        next.fill(local.iter().map(|(_, p)| *p), prices);
        next.fill(local.iter().map(|(_, p)| *p), None);
        next.attach();
        let slack = board.worth * 0.004 * (1.0 - round as f64 / rounds as f64);
        if next.unexplored() <= now.unexplored() && next.worth > now.worth - slack {
            now = next;
        }
        if now.better_than(&board) {
            board = now.clone();
        }
        if round % 100 == 99 {
            now = board.clone();
        }
    }
    board
}

pub(super) fn run(model: &Model<'_>, effort: Effort) -> Plan {
    let work = match effort {
        Effort::Quick => QUICK,
        Effort::Full => FULL,
    };
    let (bound, prices, pool, board) = price(model, &work);
    let order = prices.frames(model, -(bound - board.worth).max(0.0));
    let board = rebuild(&order, &prices, board, work.rebuilds);
    let source = exact::Source { pool: &pool, order: &order, prices: &prices };
    let board = exact::improve(model, source, work.programs, board, bound);
    let bound = bound + prices.without(board.unexplored());
    outcome::plan(model, &board, bound, effort)
}
