//! What the scarce things cost: a minute of the budget, a host's week, a studio's half hour, a market's attention.
//! With prices on them nothing but the hosts' own days ties the shows together, so the best path of each
//! host is found exactly, and the sum is more than any plan can be worth (Lagrangian bound). Moving the prices
//! towards what is overdrawn lowers that bound, and the prices say what a show is really worth.

use super::{
    board::pick,
    model::{Frame, Model},
};

/// A show of a host's best path.
#[derive(Debug, Clone)]
pub(super) struct Priced {
    pub frame: Frame,
    /// The leading one first.
    pub markets: Vec<usize>,
    /// What it is worth beyond the prices.
    pub beyond: f64,
}

/// Prices, all at least 0, in weighted viewer hours.
#[derive(Debug, Clone)]
pub(super) struct Prices {
    /// For an hour of the budget, by week.
    budget: Vec<f64>,
    /// For an hour of a host's week.
    host_week: Vec<Vec<f64>>,
    /// For a step of a studio.
    studio: Vec<f64>,
    /// For being near a point in time, by market and point.
    gap: Vec<Vec<f64>>,
    /// Steps between two such points, by market. With more than one shows may come too close by less than that,
    /// and the bound is the looser for it.
    stride: Vec<usize>,
    /// For being the best of the day, by market and day.
    day: Vec<Vec<f64>>,
    /// What an hour of exploration is paid.
    explore: f64,
}

/// Sums of the prices, so that a span costs two look-ups.
struct Sums {
    studio: Vec<f64>,
    gap: Vec<Vec<f64>>,
}

fn sums(values: &[f64]) -> Vec<f64> {
    let mut total = 0.0;
    let rest = values.iter().map(|v| {
        total += v;
        total
    });
    std::iter::once(0.0).chain(rest).collect()
}

impl Prices {
    /// Nothing costs anything. A market's gap has `points` prices or a few more: many say more and are found later.
    pub(super) fn none(model: &Model<'_>, points: usize) -> Self {
        let weeks = model.task.weeks as usize;
        let stride: Vec<usize> = model.markets.iter().map(|m| (m.gap / points).max(1)).collect();
        Self {
            budget: vec![0.0; weeks],
            host_week: vec![vec![0.0; weeks]; model.people.len()],
            studio: vec![0.0; model.grid.steps],
            gap: stride.iter().map(|s| vec![0.0; model.grid.steps.div_ceil(*s)]).collect(),
            stride,
            day: model.markets.iter().map(|m| vec![0.0; m.days]).collect(),
            explore: 0.0,
        }
    }

    fn sums(&self) -> Sums {
        Sums { studio: sums(&self.studio), gap: self.gap.iter().map(|g| sums(g)).collect() }
    }

    /// The markets of a show that are worth most beyond the prices, and how much.
    fn best(&self, model: &Model<'_>, sums: &Sums, frame: Frame, into: &mut Vec<usize>) -> f64 {
        let Frame { host, step, length } = frame;
        let l = model.lengths[length];
        let hours = f64::from(l.min) / 60.0;
        let gains = model.open_markets(host, step, length).map(|index| {
            let market = &model.markets[index];
            let worth = model.worth(index, step, length);
            let day = market.day[step];
            let best = |worth: f64| {
                let repeat = worth * model.repeat;
                if market.taken[day] { repeat } else { repeat.max(worth - self.day[index][day]) }
            };
            let gap = &sums.gap[index];
            let last = gap.len() - 1;
            let stride = self.stride[index];
            let end = (step + market.reach[length]).div_ceil(stride).min(last);
            let near = gap[end] - gap[step.div_ceil(stride).min(last)];
            let explored = if market.untried[step] { self.explore * hours } else { 0.0 };
            (index, best(worth) - near + explored, best(worth * model.follow) - near)
        });
        let gain = pick(gains, model.task.rules.most_markets as usize, into);
        let week = model.week[step];
        gain - hours * (self.budget[week] + self.host_week[host][week])
            - (sums.studio[(step + l.steps).min(model.grid.steps)] - sums.studio[step])
    }

    /// Every start with what it is worth beyond the prices, if that is anything.
    pub(super) fn frames(&self, model: &Model<'_>, least: f64) -> Vec<Priced> {
        let sums = self.sums();
        let mut all = Vec::new();
        let mut markets = Vec::new();
        for frame in model.people.iter().flat_map(|p| &p.frames) {
            let beyond = self.best(model, &sums, *frame, &mut markets);
            if beyond >= least && !markets.is_empty() {
                all.push(Priced { frame: *frame, markets: markets.clone(), beyond });
            }
        }
        all.sort_by(|a, b| b.beyond.total_cmp(&a.beyond));
        all
    }

    /// The bound that these prices give, and the paths that reach it.
    pub(super) fn bound(&self, model: &Model<'_>) -> (f64, Vec<Priced>) {
        let sums = self.sums();
        let hour = |min: u32| f64::from(min) / 60.0;
        let mut bound = 0.0;
        if let Some(budget) = &model.budget {
            bound += budget.iter().zip(&self.budget).map(|(m, p)| hour(*m) * p).sum::<f64>();
        }
        for (person, prices) in model.people.iter().zip(&self.host_week) {
            bound += person.week_room.iter().zip(prices).map(|(m, p)| hour(*m) * p).sum::<f64>();
        }
        bound +=
            model.studios.iter().zip(&self.studio).map(|(m, p)| f64::from(*m) * p).sum::<f64>();
        bound += self.gap.iter().chain(&self.day).flatten().sum::<f64>();
        bound -= hour(model.explore.0.saturating_sub(model.explore.1)) * self.explore;
        let mut chosen = Vec::new();
        for host in 0..model.people.len() {
            bound += self.path(model, &sums, host, &mut chosen);
        }
        (bound, chosen)
    }

    /// The best path of one host through the plan: no overlap, rest kept, no day too long.
    fn path(&self, model: &Model<'_>, sums: &Sums, host: usize, out: &mut Vec<Priced>) -> f64 {
        let person = &model.people[host];
        let mut priced: Vec<Priced> = Vec::new();
        let mut markets = Vec::new();
        for frame in &person.frames {
            let beyond = self.best(model, sums, *frame, &mut markets);
            if beyond > 0.0 && !markets.is_empty() {
                priced.push(Priced { frame: *frame, markets: markets.clone(), beyond });
            }
        }
        if priced.is_empty() {
            return 0.0;
        }
        // From the end: what the rest can bring at a step, when so many minutes of its day are gone.
        let unit = model.lengths.iter().fold(0, |unit, l| gcd(unit, l.min)).max(1);
        let longest = person.day_room.iter().copied().max().unwrap_or(0);
        let levels = (longest / unit) as usize + 1;
        let steps = model.grid.steps;
        let mut rest = vec![0.0_f64; (steps + 1) * levels];
        let mut taken = vec![u32::MAX; steps * levels];
        let mut upto = priced.len();
        for step in (0..steps).rev() {
            let from = priced[..upto].partition_point(|p| p.frame.step < step);
            let same_day = |next: usize| next < steps && person.day[next] == person.day[step];
            for level in 0..levels {
                let idle = if same_day(step + 1) { level } else { 0 };
                let mut best = (rest[(step + 1) * levels + idle], u32::MAX);
                for (index, show) in priced[..upto].iter().enumerate().skip(from) {
                    let min = model.lengths[show.frame.length].min;
                    let after = level + (min / unit) as usize;
                    if after as u32 * unit > person.day_room[person.day[step]] {
                        continue;
                    }
                    let next = (step + person.reach[show.frame.length]).min(steps);
                    let level = if same_day(next) { after } else { 0 };
                    let all = show.beyond + rest[next * levels + level];
                    if all > best.0 {
                        best = (all, index as u32);
                    }
                }
                rest[step * levels + level] = best.0;
                taken[step * levels + level] = best.1;
            }
            upto = from;
        }
        let (mut step, mut level) = (0, 0);
        while step < steps {
            let show = priced.get(taken[step * levels + level] as usize);
            let next = show.map_or(step + 1, |s| (step + person.reach[s.frame.length]).min(steps));
            let spent = show.map_or(0, |s| (model.lengths[s.frame.length].min / unit) as usize);
            let same = next < steps && person.day[next] == person.day[step];
            level = if same { level + spent } else { 0 };
            out.extend(show.cloned());
            step = next;
        }
        rest[0]
    }

    /// Moves the prices against what the paths overdraw, towards a bound of `target`.
    /// `trend` keeps what the last moves were, and steadies them.
    pub(super) fn step(
        &mut self,
        model: &Model<'_>,
        paths: &[Priced],
        trend: &mut Self,
        length: f64,
        distance: f64,
    ) {
        let mut over = self.clone();
        over.all_mut().for_each(|price| *price = 0.0);
        let hour = |min: u32| f64::from(min) / 60.0;
        for (room, price) in model.budget.iter().flatten().zip(&mut over.budget) {
            *price = -hour(*room);
        }
        for (person, prices) in model.people.iter().zip(&mut over.host_week) {
            for (room, price) in person.week_room.iter().zip(prices) {
                *price = -hour(*room);
            }
        }
        for (room, price) in model.studios.iter().zip(&mut over.studio) {
            *price = -f64::from(*room);
        }
        for price in over.gap.iter_mut().chain(&mut over.day).flatten() {
            *price = -1.0;
        }
        let mut explored = 0.0;
        for Priced { frame: Frame { host, step, length }, markets, .. } in paths {
            let l = model.lengths[*length];
            let week = model.week[*step];
            over.budget[week] += hour(l.min);
            over.host_week[*host][week] += hour(l.min);
            over.studio.iter_mut().skip(*step).take(l.steps).for_each(|p| *p += 1.0);
            for (place, index) in markets.iter().enumerate() {
                let market = &model.markets[*index];
                let end = step + market.reach[*length];
                let stride = self.stride[*index];
                let points = step.div_ceil(stride)..end.div_ceil(stride);
                for point in points {
                    if let Some(price) = over.gap[*index].get_mut(point) {
                        *price += 1.0;
                    }
                }
                let day = market.day[*step];
                let share = if place == 0 { 1.0 } else { model.follow };
                let worth = model.worth(*index, *step, *length) * share;
                if !market.taken[day] && worth - self.day[*index][day] > worth * model.repeat {
                    over.day[*index][day] += 1.0;
                }
                if place == 0 && market.untried[*step] {
                    explored += hour(l.min);
                }
            }
        }
        over.explore = hour(model.explore.0.saturating_sub(model.explore.1)) - explored;
        if model.budget.is_none() {
            over.budget.fill(0.0);
        }
        // A price of nothing cannot fall further.
        let mut norm = 0.0;
        let pairs = self.all().zip(over.all_mut()).zip(trend.all_mut());
        for ((price, over), trend) in pairs {
            if *price <= 0.0 && *over < 0.0 {
                *over = 0.0;
            }
            *over += 0.3 * *trend;
            *trend = *over;
            if *price > 0.0 || *over > 0.0 {
                norm += *over * *over;
            }
        }
        if norm <= 0.0 {
            return;
        }
        let scale = length * distance.max(0.0) / norm;
        for (price, over) in self.all_mut().zip(over.all()) {
            *price = (*price + scale * over).max(0.0);
        }
    }

    fn all(&self) -> impl Iterator<Item = &f64> {
        self.budget
            .iter()
            .chain(self.host_week.iter().flatten())
            .chain(&self.studio)
            .chain(self.gap.iter().flatten())
            .chain(self.day.iter().flatten())
            .chain(std::iter::once(&self.explore))
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        self.budget
            .iter_mut()
            .chain(self.host_week.iter_mut().flatten())
            .chain(&mut self.studio)
            .chain(self.gap.iter_mut().flatten())
            .chain(self.day.iter_mut().flatten())
            .chain(std::iter::once(&mut self.explore))
    }

    /// By how much a bound grows when so many minutes of exploration fewer are asked for.
    pub(super) fn without(&self, minutes: u32) -> f64 {
        f64::from(minutes) / 60.0 * self.explore
    }

    /// What a market's attention around a show costs.
    pub(super) fn near(&self, model: &Model<'_>, market: usize, step: usize, length: usize) -> f64 {
        let (reach, stride) = (model.markets[market].reach[length], self.stride[market]);
        let points = step.div_ceil(stride)..(step + reach).div_ceil(stride);
        let gap: f64 = self.gap[market]
            .get(points.start..points.end.min(self.gap[market].len()))
            .map_or(0.0, |prices| prices.iter().sum());
        gap
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
