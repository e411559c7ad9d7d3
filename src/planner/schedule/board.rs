//! A plan in the making: what is on it, what still fits, and what a show would add. Everything that a plan must
//! keep is checked here and nowhere else.

use super::{
    model::{Frame, Model},
    prices::{Priced, Prices},
};

/// A show on the board.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Show {
    pub frame: Frame,
    /// The leading one first.
    pub markets: Vec<usize>,
}

/// A market's part in a show.
#[derive(Debug, Clone, Copy)]
struct Part {
    step: usize,
    /// The next start that may be.
    next: usize,
    /// What it counts as the day's best.
    full: f64,
}

/// A plan in the making.
#[derive(Debug, Clone)]
pub(super) struct Board<'m, 't> {
    model: &'m Model<'t>,
    pub shows: Vec<Show>,
    parts: Vec<Vec<Part>>,
    studio: Vec<u32>,
    day_min: Vec<Vec<u32>>,
    week_min: Vec<Vec<u32>>,
    budget_min: Vec<u32>,
    /// Weighted viewer hours of all shows.
    pub worth: f64,
    /// Minutes of explorations.
    pub explored: u32,
}

/// Minutes that are left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub day: u32,
    pub week: u32,
    pub budget: Option<u32>,
}

/// The markets for a show, of `(market, gain as the leading one, gain as another)`: those that bring most, at
/// most `most`, the leading one first. Gives what they bring; less than nothing if every one costs.
pub(super) fn pick(
    gains: impl Iterator<Item = (usize, f64, f64)>,
    most: usize,
    into: &mut Vec<usize>,
) -> f64 {
    type Gain = (usize, f64, f64);
    const NONE: Gain = (usize::MAX, 0.0, 0.0);
    let (mut all, mut count) = ([NONE; super::MOST_MARKETS], 0);
    // Those that would follow, what they bring falling; one more than may, for the place of the one that leads.
    let mut willing = [NONE; super::MOST_MARKETS];
    let others = most.saturating_sub(1).min(super::MOST_MARKETS - 1);
    let kept = &mut willing[..=others];
    for (slot, gain) in all.iter_mut().zip(gains) {
        *slot = gain;
        count += 1;
        if gain.2 > kept[others].2 {
            let place = kept.partition_point(|better| better.2 >= gain.2);
            kept[place..].rotate_right(1);
            kept[place] = gain;
        }
    }
    into.clear();
    let first: f64 = kept[..others].iter().map(|g| g.2).sum();
    let one_more = kept[others].2;
    let mut best = (f64::NEG_INFINITY, NONE);
    for gain in &all[..count] {
        let (index, lead, follow) = *gain;
        let follows = kept[..others].iter().any(|g| g.0 == index);
        let whole = lead + if follows { first - follow + one_more } else { first };
        if whole > best.0 || (whole == best.0 && follow > best.1.2) {
            best = (whole, *gain);
        }
    }
    let (whole, leads) = best;
    if leads.0 != NONE.0 {
        into.push(leads.0);
        let followers = kept.iter().map(|g| g.0).filter(|g| *g != leads.0 && *g != NONE.0);
        into.extend(followers.take(others));
    }
    whole
}

impl<'m, 't> Board<'m, 't> {
    pub(super) fn new(model: &'m Model<'t>) -> Self {
        Self {
            model,
            shows: Vec::new(),
            parts: vec![Vec::new(); model.markets.len()],
            studio: vec![0; model.grid.steps],
            day_min: model.people.iter().map(|p| vec![0; p.day_room.len()]).collect(),
            week_min: model.people.iter().map(|p| vec![0; p.week_room.len()]).collect(),
            budget_min: vec![0; model.task.weeks as usize],
            worth: 0.0,
            explored: 0,
        }
    }

    /// Whether a show fits as far as host, studio and budget go.
    pub(super) fn fits(&self, frame: Frame) -> bool {
        let Frame { host, step, length } = frame;
        let (model, l) = (self.model, self.model.lengths[length]);
        let (person, week) = (&model.people[host], model.week[step]);
        let day = person.day[step];
        let budget = model.budget.as_ref();
        budget.is_none_or(|room| self.budget_min[week] + l.min <= room[week])
            && self.week_min[host][week] + l.min <= person.week_room[week]
            && self.day_min[host][day] + l.min <= person.day_room[day]
            && (step..step + l.steps).all(|s| self.studio[s] < model.studios[s])
            && self.shows.iter().all(|show| {
                let other = show.frame;
                other.host != host
                    || step >= other.step + person.reach[other.length]
                    || other.step >= step + person.reach[length]
            })
    }

    /// Whether a market has no other show so near.
    pub(super) fn free(&self, market: usize, step: usize, length: usize) -> bool {
        let next = step + self.model.markets[market].reach[length];
        self.parts[market].iter().all(|part| step >= part.next || part.step >= next)
    }

    /// What a local day of a market is worth, with `more` beside what is there.
    fn day_worth(&self, market: usize, day: usize, more: f64) -> f64 {
        let m = &self.model.markets[market];
        let (mut best, mut all) = (more, more);
        for part in self.parts[market].iter().filter(|part| m.day[part.step] == day) {
            best = best.max(part.full);
            all += part.full;
        }
        let best = if m.taken[day] { 0.0 } else { best };
        best + (all - best) * self.model.repeat
    }

    fn gain(&self, market: usize, step: usize, full: f64) -> f64 {
        let day = self.model.markets[market].day[step];
        self.day_worth(market, day, full) - self.day_worth(market, day, 0.0)
    }

    /// The markets that a show would have, and what they add. With prices, beyond what their attention
    /// costs.
    pub(super) fn markets_for(
        &self,
        frame: Frame,
        prices: Option<&Prices>,
        into: &mut Vec<usize>,
    ) -> f64 {
        let Frame { host, step, length } = frame;
        let model = self.model;
        let open = model.open_markets(host, step, length);
        let gains = open.filter(|m| self.free(*m, step, length)).map(|market| {
            let full = model.worth(market, step, length);
            let near = prices.map_or(0.0, |p| p.near(model, market, step, length));
            let lead = self.gain(market, step, full) - near;
            (market, lead, self.gain(market, step, full * model.follow) - near)
        });
        pick(gains, model.task.rules.most_markets as usize, into)
    }

    /// Whether a show has a market that is in nobody's way there.
    pub(super) fn takes(&self, frame: Frame, markets: &[usize]) -> bool {
        self.fits(frame) && markets.iter().all(|m| self.free(*m, frame.step, frame.length))
    }

    /// What a show with these markets would add.
    pub(super) fn would_add(&self, frame: Frame, markets: &[usize]) -> f64 {
        let gains = markets.iter().enumerate().map(|(place, &market)| {
            let share = if place == 0 { 1.0 } else { self.model.follow };
            self.gain(
                market,
                frame.step,
                self.model.worth(market, frame.step, frame.length) * share,
            )
        });
        gains.sum()
    }

    pub(super) fn put(&mut self, frame: Frame, markets: &[usize]) {
        let model = self.model;
        let l = model.lengths[frame.length];
        self.count(frame, |total, min| *total += min);
        self.studio.iter_mut().skip(frame.step).take(l.steps).for_each(|s| *s += 1);
        for (place, &market) in markets.iter().enumerate() {
            let share = if place == 0 { 1.0 } else { model.follow };
            let full = model.worth(market, frame.step, frame.length) * share;
            self.worth += self.gain(market, frame.step, full);
            let next = frame.step + model.markets[market].reach[frame.length];
            self.parts[market].push(Part { step: frame.step, next, full });
        }
        if self.explores(frame, markets) {
            self.explored += l.min;
        }
        self.shows.push(Show { frame, markets: markets.to_vec() });
    }

    pub(super) fn remove(&mut self, index: usize) -> Show {
        let show = self.shows.swap_remove(index);
        let (model, frame) = (self.model, show.frame);
        let l = model.lengths[frame.length];
        self.count(frame, |total, min| *total -= min);
        self.studio.iter_mut().skip(frame.step).take(l.steps).for_each(|s| *s -= 1);
        for &market in &show.markets {
            // A market has one part at a time.
            if let Some(at) = self.parts[market].iter().position(|p| p.step == frame.step) {
                let part = self.parts[market].swap_remove(at);
                self.worth -= self.gain(market, frame.step, part.full);
            }
        }
        if self.explores(frame, &show.markets) {
            self.explored -= l.min;
        }
        show
    }

    fn count(&mut self, frame: Frame, change: impl Fn(&mut u32, u32)) {
        let Frame { host, step, length } = frame;
        let (min, week) = (self.model.lengths[length].min, self.model.week[step]);
        change(&mut self.budget_min[week], min);
        change(&mut self.week_min[host][week], min);
        change(&mut self.day_min[host][self.model.people[host].day[step]], min);
    }

    pub(super) fn explores(&self, frame: Frame, markets: &[usize]) -> bool {
        markets.first().is_some_and(|lead| self.model.markets[*lead].untried[frame.step])
    }

    /// Minutes of exploration that are missing.
    pub(super) fn unexplored(&self) -> u32 {
        let (wanted, locked) = self.model.explore;
        wanted.saturating_sub(locked).saturating_sub(self.explored)
    }

    /// What to compare boards by: missing explorations first, then worth.
    pub(super) fn better_than(&self, other: &Self) -> bool {
        let (own, others) = (self.unexplored(), other.unexplored());
        own < others || (own == others && self.worth > other.worth + 1e-9)
    }

    /// The room that is left around a start.
    pub(super) fn left(&self, host: usize, step: usize) -> Left {
        let (model, week) = (self.model, self.model.week[step]);
        let person = &model.people[host];
        let day = person.day[step];
        Left {
            day: person.day_room[day] - self.day_min[host][day],
            week: person.week_room[week] - self.week_min[host][week],
            budget: model.budget.as_ref().map(|room| room[week] - self.budget_min[week]),
        }
    }

    pub(super) fn studio_left(&self, step: usize) -> u32 {
        self.model.studios[step] - self.studio[step]
    }

    /// Puts on what fits and adds something, in that order.
    pub(super) fn fill<'p>(
        &mut self,
        order: impl Iterator<Item = &'p Priced>,
        prices: Option<&Prices>,
    ) {
        let mut markets = Vec::new();
        for candidate in order {
            let frame = candidate.frame;
            if !self.fits(frame) {
                continue;
            }
            let gain = self.markets_for(frame, prices, &mut markets);
            if gain > 0.0 {
                self.put(frame, &markets);
            }
        }
    }

    /// Lets markets follow where that adds something.
    pub(super) fn attach(&mut self) {
        let model = self.model;
        let most = model.task.rules.most_markets as usize;
        for index in 0..self.shows.len() {
            loop {
                let Show { frame, markets } = &self.shows[index];
                let frame = *frame;
                if markets.len() >= most {
                    break;
                }
                let more = model
                    .open_markets(frame.host, frame.step, frame.length)
                    .filter(|m| self.free(*m, frame.step, frame.length))
                    .map(|m| {
                        let full = model.worth(m, frame.step, frame.length) * model.follow;
                        (self.gain(m, frame.step, full), full, m)
                    })
                    .filter(|(gain, ..)| *gain > 1e-9)
                    .max_by(|a, b| a.0.total_cmp(&b.0).then(b.2.cmp(&a.2)));
                let Some((gain, full, market)) = more else { break };
                self.worth += gain;
                let next = frame.step + model.markets[market].reach[frame.length];
                self.parts[market].push(Part { step: frame.step, next, full });
                self.shows[index].markets.push(market);
            }
        }
    }

    /// What each market of a show counts in the plan, and whether it is a repeat of its day.
    pub(super) fn counts(&self, show: &Show) -> Vec<(f64, bool)> {
        let (model, frame) = (self.model, show.frame);
        let counts = show.markets.iter().enumerate().map(|(place, &market)| {
            let m = &model.markets[market];
            let day = m.day[frame.step];
            let share = if place == 0 { 1.0 } else { model.follow };
            let full = model.worth(market, frame.step, frame.length) * share;
            let better = self.parts[market]
                .iter()
                .filter(|p| m.day[p.step] == day && p.step != frame.step)
                .any(|p| (p.full, frame.step) > (full, p.step));
            let repeat = m.taken[day] || better;
            (if repeat { full * model.repeat } else { full }, repeat)
        });
        counts.collect()
    }
}
