//! A task made ready for the search: clocks as steps, viewers as sums, and every start that a host could
//! take. What is decided already (locked shows) is taken off the room there is.

use super::{Lock, MOST_MARKETS, STEP_MIN, Task, grid::Grid};

/// One of the lengths a show may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub min: u32,
    /// Steps on air, the last one perhaps in part.
    pub steps: usize,
}

/// A start that a host could take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub host: usize,
    pub step: usize,
    /// Index into the lengths.
    pub length: usize,
}

/// A market as the search sees it.
#[derive(Debug)]
pub(super) struct Market {
    /// Worth of all steps before, so that differences are sums; one longer than the steps.
    sums: Vec<f64>,
    pub untried: Vec<bool>,
    /// The local day of each step.
    pub day: Vec<usize>,
    pub days: usize,
    /// By length: steps from the start of a show to the next start that may be.
    pub reach: Vec<usize>,
    /// By length and step: whether the locked shows leave it.
    open: Vec<Vec<bool>>,
    /// A locked show is the day's best already.
    pub taken: Vec<bool>,
    /// Steps of the gap between two shows.
    pub gap: usize,
}

/// A host as the search sees it.
#[derive(Debug)]
pub(super) struct Person {
    /// Markets whose language the host speaks, one bit each.
    pub speaks: u64,
    pub day: Vec<usize>,
    /// Minutes left by day and by week.
    pub day_room: Vec<u32>,
    pub week_room: Vec<u32>,
    /// By length: steps from a start to the next one that may be.
    pub reach: Vec<usize>,
    /// Starts that are possible, by step and then length.
    pub frames: Vec<Frame>,
}

/// A task made ready.
#[derive(Debug)]
pub(super) struct Model<'t> {
    pub task: &'t Task,
    pub grid: Grid,
    pub lengths: Vec<Length>,
    pub markets: Vec<Market>,
    pub people: Vec<Person>,
    /// The week of each step.
    pub week: Vec<usize>,
    /// By length and step: what a show brings to each market that it leads, and the markets that one could have, a bit
    /// each. Both are asked for with every move of the prices.
    worths: Vec<Vec<Vec<f64>>>,
    open: Vec<Vec<u64>>,
    /// Studios left by step.
    pub studios: Vec<u32>,
    /// Minutes left by week, when there is a budget.
    pub budget: Option<Vec<u32>>,
    pub follow: f64,
    pub repeat: f64,
    /// Minutes of exploration that are wanted, and those that locked shows are already.
    pub explore: (u32, u32),
}

fn steps_of(minutes: u32) -> usize {
    minutes.div_ceil(STEP_MIN) as usize
}

/// The language of a BCP 47 tag.
fn language(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

impl<'t> Model<'t> {
    pub(super) fn new(task: &'t Task) -> Self {
        let grid = Grid::new(task.from, task.weeks, &task.home);
        let lengths: Vec<Length> = task
            .rules
            .lengths
            .iter()
            .map(|min| Length { min: *min, steps: steps_of(*min) })
            .collect();
        let week: Vec<usize> = (0..grid.steps).map(|step| grid.week(step)).collect();
        let mut model = Self {
            markets: Vec::new(),
            people: Vec::new(),
            worths: Vec::new(),
            open: Vec::new(),
            studios: vec![task.rules.studios; grid.steps],
            budget: task.rules.budget_min.map(|min| vec![min; task.weeks as usize]),
            follow: f64::from(task.rules.follow_permille) / 1000.0,
            repeat: f64::from(task.rules.repeat_permille) / 1000.0,
            explore: (0, 0),
            task,
            grid,
            lengths,
            week,
        };
        for index in 0..task.demands.len().min(MOST_MARKETS) {
            let market = model.market(index);
            model.markets.push(market);
        }
        for index in 0..task.hosts.len() {
            let person = model.person(index);
            model.people.push(person);
        }
        model.take_locks();
        model.tabulate();
        model.find_frames();
        model.want_explorations();
        model
    }

    fn market(&self, index: usize) -> Market {
        let demand = &self.task.demands[index];
        let (mut sums, mut untried) = (vec![0.0], Vec::new());
        let half = f64::from(STEP_MIN) / 60.0;
        for step in 0..self.grid.steps {
            let hour = demand.hour_at(self.grid.at(step));
            let worth = hour.map_or(0.0, |h| h.viewers.max(0.0) * demand.weight * half);
            untried.push(hour.is_some_and(|h| h.untried));
            sums.push(sums[step] + worth);
        }
        let (day, days) = self.grid.days(&demand.zone);
        let reach: Vec<usize> =
            self.lengths.iter().map(|l| steps_of(l.min.saturating_add(demand.gap_min))).collect();
        let open = vec![vec![true; self.grid.steps]; self.lengths.len()];
        let gap = steps_of(demand.gap_min);
        Market { sums, untried, day, days, reach, open, taken: vec![false; days], gap }
    }

    fn person(&self, index: usize) -> Person {
        let host = &self.task.hosts[index];
        let spoken: Vec<String> = host.languages.iter().map(|tag| language(tag)).collect();
        let mut speaks = 0;
        for (market, demand) in self.task.demands.iter().take(MOST_MARKETS).enumerate() {
            if demand.languages.iter().any(|tag| spoken.contains(&language(tag))) {
                speaks |= 1 << market;
            }
        }
        let (day, days) = self.grid.days(&host.zone);
        Person {
            speaks,
            day,
            day_room: vec![host.day_max_min; days],
            week_room: vec![host.week_max_min; self.task.weeks as usize],
            reach: self
                .lengths
                .iter()
                .map(|l| steps_of(l.min.saturating_add(host.rest_min)))
                .collect(),
            frames: Vec::new(),
        }
    }

    /// The step a locked show counts to, if it starts within the plan.
    pub(super) fn lock_step(&self, lock: &Lock) -> Option<usize> {
        if lock.start < self.task.from || lock.start >= self.grid.end {
            return None;
        }
        // One that starts off the grid, at either end, counts to the nearest step.
        let step = self.grid.minute(lock.start).div_euclid(i64::from(STEP_MIN)).max(0);
        Some(usize::try_from(step).unwrap_or(0).min(self.grid.steps.checked_sub(1)?))
    }

    fn take_locks(&mut self) {
        let step_min = i64::from(STEP_MIN);
        for lock in &self.task.locks {
            let from = self.grid.minute(lock.start);
            let to = from + i64::from(lock.minutes);
            for step in from.div_euclid(step_min).max(0)..(to + step_min - 1).div_euclid(step_min) {
                let at = usize::try_from(step).ok().and_then(|s| self.studios.get_mut(s));
                if let Some(room) = at {
                    *room = room.saturating_sub(1);
                }
            }
            let step = self.lock_step(lock);
            if let (Some(step), Some(person)) = (step, self.people.get_mut(lock.host)) {
                let zone = &self.task.hosts[lock.host].zone;
                let day = &mut person.day_room[self.grid.day_of(lock, step, zone, &person.day)];
                *day = day.saturating_sub(lock.minutes);
                let week = &mut person.week_room[self.week[step]];
                *week = week.saturating_sub(lock.minutes);
                if let Some(budget) = &mut self.budget {
                    let room = &mut budget[self.week[step]];
                    *room = room.saturating_sub(lock.minutes);
                }
            }
            for &index in &lock.markets {
                let Some(market) = self.markets.get_mut(index) else { continue };
                if let Some(step) = step {
                    let zone = &self.task.demands[index].zone;
                    market.taken[self.grid.day_of(lock, step, zone, &market.day)] = true;
                }
                let gap = i64::from(self.task.demands[index].gap_min);
                for (length, open) in self.lengths.iter().zip(&mut market.open) {
                    for (step, open) in open.iter_mut().enumerate() {
                        let start = step as i64 * step_min;
                        let apart =
                            start >= to + gap || from >= start + i64::from(length.min) + gap;
                        *open &= apart;
                    }
                }
            }
        }
    }

    fn find_frames(&mut self) {
        for host in 0..self.people.len() {
            let can = self.grid.can(&self.task.hosts[host]);
            let rest = i64::from(self.task.hosts[host].rest_min);
            let own: Vec<(i64, i64)> = self
                .task
                .locks
                .iter()
                .filter(|lock| lock.host == host)
                .map(|lock| {
                    let from = self.grid.minute(lock.start);
                    (from, from + i64::from(lock.minutes))
                })
                .collect();
            let mut frames = Vec::new();
            for step in 0..self.grid.steps {
                for (length, l) in self.lengths.iter().enumerate() {
                    let steps = step..step + l.steps;
                    if steps.end > self.grid.steps
                        || !steps.clone().all(|s| can[s] && self.studios[s] > 0)
                    {
                        continue;
                    }
                    let start = step as i64 * i64::from(STEP_MIN);
                    let end = start + i64::from(l.min);
                    let apart =
                        own.iter().all(|(from, to)| start >= to + rest || *from >= end + rest);
                    let person = &self.people[host];
                    if apart
                        && l.min <= person.day_room[person.day[step]]
                        && self.open_markets(host, step, length).next().is_some()
                    {
                        frames.push(Frame { host, step, length });
                    }
                }
            }
            self.people[host].frames = frames;
        }
    }

    /// The markets that a show could have.
    pub(super) fn open_markets(
        &self,
        host: usize,
        step: usize,
        length: usize,
    ) -> impl Iterator<Item = usize> {
        let mut left = self.people[host].speaks & self.open[length][step];
        std::iter::from_fn(move || {
            (left != 0).then(|| {
                let market = left.trailing_zeros() as usize;
                left &= left - 1;
                market
            })
        })
    }

    /// What is asked for again and again, once.
    fn tabulate(&mut self) {
        let worths = |length: &Length| -> Vec<Vec<f64>> {
            let of = |market: &Market| {
                (0..self.grid.steps).map(|step| self.worth_of(market, step, *length)).collect()
            };
            self.markets.iter().map(of).collect()
        };
        let worths: Vec<_> = self.lengths.iter().map(worths).collect();
        let open = |(length, worths): (usize, &Vec<Vec<f64>>)| -> Vec<u64> {
            let bits = |step: usize| {
                let markets = self.markets.iter().zip(worths).enumerate();
                let open = markets.filter(|(_, (m, w))| m.open[length][step] && w[step] > 0.0);
                open.fold(0, |bits, (index, _)| bits | 1_u64 << index)
            };
            (0..self.grid.steps).map(bits).collect()
        };
        self.open = worths.iter().enumerate().map(open).collect();
        self.worths = worths;
    }

    fn worth_of(&self, market: &Market, step: usize, length: Length) -> f64 {
        let whole = (length.min / STEP_MIN) as usize;
        let rest = f64::from(length.min % STEP_MIN) / f64::from(STEP_MIN);
        let last = self.grid.steps;
        let (from, to) = (step.min(last), (step + whole).min(last));
        let part = market.sums[(to + 1).min(last)] - market.sums[to];
        market.sums[to] - market.sums[from] + part * rest
    }

    /// Weighted viewer hours of a market led by a show.
    pub(super) fn worth(&self, market: usize, step: usize, length: usize) -> f64 {
        self.worths[length][market].get(step).copied().unwrap_or(0.0)
    }

    fn want_explorations(&mut self) {
        let rules = &self.task.rules;
        let room = |weeks: u32| -> u64 {
            self.task.hosts.iter().map(|h| u64::from(h.week_max_min)).sum::<u64>()
                * u64::from(weeks)
        };
        let all = rules
            .budget_min
            .map_or(room(self.task.weeks), |min| u64::from(min) * u64::from(self.task.weeks));
        let wanted = all * u64::from(rules.explore_permille.min(1000)) / 1000;
        // No more than whole shows can be.
        let shortest = u64::from(rules.lengths.iter().copied().min().unwrap_or(1).max(1));
        let wanted = wanted / shortest * shortest;
        let locked = self.task.locks.iter().filter(|lock| {
            self.lock_step(lock).zip(lock.markets.first()).is_some_and(|(step, lead)| {
                self.markets.get(*lead).is_some_and(|m| m.untried[step])
            })
        });
        let locked = locked.map(|lock| lock.minutes).sum();
        self.explore = (u32::try_from(wanted).unwrap_or(u32::MAX), locked);
    }
}
