//! What shows are worth together and which rules they break, each rule in a sentence. The same rules as `board`, for
//! shows that stand anyway.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    super::{MOST_MARKETS, STEP_MIN},
    Ground, Show,
};

/// A rule that a plan keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A show lies within the plan.
    Span,
    /// It has one of the lengths.
    Length,
    /// It has a market, and not too many.
    Markets,
    /// Its host speaks to each of them.
    Language,
    /// Its host can.
    Hours,
    /// Its host rests before and after.
    Rest,
    /// Minutes of a host's day.
    Day,
    /// Minutes of a host's week.
    Week,
    /// Minutes of all hosts in a week.
    Budget,
    /// Shows at the same time.
    Studio,
    /// Minutes between two shows for a market.
    Gap,
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub rule: Rule,
    /// By which shows together.
    pub shows: Vec<usize>,
    /// The sentence.
    pub text: String,
}

/// A market's part in a show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Index of the market.
    pub market: usize,
    /// Viewers at once, the mean over the show.
    pub viewers: f64,
    /// The lower edge of the band.
    pub low: f64,
    /// The upper edge of the band.
    pub high: f64,
    /// Weighted viewer hours that it counts in the plan.
    pub worth: f64,
    /// Not the market's best show of that local day.
    pub repeat: bool,
    /// It rests on nothing of one's own.
    pub guessed: bool,
    /// What it counts as the day's best.
    full: f64,
    day: Date,
}

/// What is expected of a show.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// By market, the leading one first.
    pub parts: Vec<Part>,
    /// Its leading market was never aired at this hour.
    pub exploration: bool,
}

impl Figures {
    /// Weighted viewer hours.
    pub fn worth(&self) -> f64 {
        self.parts.iter().map(|p| p.worth).sum()
    }
}

/// What shows are worth, and what they break.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// In the order of the shows.
    pub shows: Vec<Figures>,
    /// Weighted viewer hours of all.
    pub worth: f64,
    /// Minutes on air.
    pub minutes: u32,
    /// The rules that are broken.
    pub breaches: Vec<Breach>,
}

impl Verdict {
    /// What a show has a part in.
    pub fn about(&self, show: usize) -> impl Iterator<Item = &Breach> {
        self.breaches.iter().filter(move |b| b.shows.contains(&show))
    }
}

/// Judges shows, which are in the order of their starts.
pub fn judge(ground: &Ground, shows: &[Show]) -> Verdict {
    let mut figures: Vec<Figures> = shows.iter().map(|show| of(ground, show)).collect();
    repeats(ground, shows, &mut figures);
    // An empty sum is -0.0.
    let worth = figures.iter().map(Figures::worth).sum::<f64>() + 0.0;
    let minutes = shows.iter().map(|s| s.minutes).sum();
    let mut found = Found { ground, shows, all: Vec::new() };
    for (index, show) in shows.iter().enumerate() {
        found.alone(index, show);
    }
    found.apart();
    found.sums();
    found.studios();
    Verdict { shows: figures, worth, minutes, breaches: found.all }
}

fn of(ground: &Ground, show: &Show) -> Figures {
    let task = &ground.task;
    let follow = f64::from(task.rules.follow_permille) / 1000.0;
    let hours = f64::from(show.minutes) / 60.0;
    let parts = show.markets.iter().enumerate().filter_map(|(place, &market)| {
        let demand = task.demands.get(market)?;
        let mean = demand.over(show.start, show.minutes);
        let share = if place == 0 { 1.0 } else { follow };
        let full = mean.viewers.max(0.0) * demand.weight * hours * share;
        Some(Part {
            market,
            viewers: mean.viewers,
            low: mean.low,
            high: mean.high,
            worth: full,
            repeat: false,
            guessed: ground.guessed(market, show.start, show.minutes),
            full,
            day: demand.zone.clock(show.start).date(),
        })
    });
    let lead = show.markets.first().and_then(|lead| task.demands.get(*lead));
    let hour = lead.and_then(|demand| demand.hour_at(show.start));
    Figures { parts: parts.collect(), exploration: hour.is_some_and(|h| h.untried) }
}

/// A market's best show of a local day counts in full, its others for less.
fn repeats(ground: &Ground, shows: &[Show], figures: &mut [Figures]) {
    let repeat = f64::from(ground.task.rules.repeat_permille) / 1000.0;
    let mut best: std::collections::HashMap<(usize, Date), (f64, Timestamp, usize)> =
        std::collections::HashMap::new();
    // The most, then the earlier: as a board has it.
    let above = |a: (f64, Timestamp, usize), b: (f64, Timestamp, usize)| {
        a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)).is_gt()
    };
    for (index, (show, of)) in shows.iter().zip(figures.iter()).enumerate() {
        for part in &of.parts {
            let own = (part.full, show.start, index);
            let entry = best.entry((part.market, part.day)).or_insert(own);
            if above(own, *entry) {
                *entry = own;
            }
        }
    }
    for (index, of) in figures.iter_mut().enumerate() {
        for part in &mut of.parts {
            part.repeat = best.get(&(part.market, part.day)).is_some_and(|b| b.2 != index);
            part.worth = if part.repeat { part.full * repeat } else { part.full };
        }
    }
}

/// What the plan would lose without a show.
pub fn adds(ground: &Ground, shows: &[Show], verdict: &Verdict, index: usize) -> f64 {
    let Some(own) = verdict.shows.get(index) else { return 0.0 };
    let repeat = f64::from(ground.task.rules.repeat_permille) / 1000.0;
    let day_worth = |part: &Part, with: bool| {
        let (mut best, mut all) = (0.0_f64, 0.0);
        for (other, figures) in verdict.shows.iter().enumerate().take(shows.len()) {
            let same = |p: &&Part| p.market == part.market && p.day == part.day;
            for part in figures.parts.iter().filter(same).filter(|_| with || other != index) {
                best = best.max(part.full);
                all += part.full;
            }
        }
        best + (all - best) * repeat
    };
    own.parts.iter().map(|part| day_worth(part, true) - day_worth(part, false)).sum()
}

/// Minutes as people say them: `90 min`, `4 h`, `4.5 h`.
fn hours(minutes: i64) -> String {
    match minutes {
        m if m < 120 => format!("{m} min"),
        m if m % 60 == 0 => format!("{} h", m / 60),
        m => format!("{:.1} h", m as f64 / 60.0),
    }
}

struct Found<'g> {
    ground: &'g Ground,
    shows: &'g [Show],
    all: Vec<Breach>,
}

impl Found<'_> {
    fn say(&mut self, rule: Rule, shows: &[usize], text: String) {
        self.all.push(Breach { rule, shows: shows.to_vec(), text });
    }

    fn name(&self, host: usize) -> &str {
        self.ground.task.hosts.get(host).map_or("nobody", |h| &h.name)
    }

    /// `Tue 20:00 (lin)`
    fn called(&self, index: usize) -> String {
        let show = &self.shows[index];
        format!("{} ({})", self.ground.clock(show.start), self.name(show.host))
    }

    /// Half hours that a show takes, in whole ones.
    fn span(&self, show: &Show) -> (i64, i64) {
        let step = i64::from(STEP_MIN);
        let from = self.ground.grid.minute(show.start);
        (from.div_euclid(step), (from + i64::from(show.minutes) + step - 1).div_euclid(step))
    }

    /// What a show breaks by itself.
    fn alone(&mut self, index: usize, show: &Show) {
        let ground = self.ground;
        let (rules, called) = (&ground.task.rules, self.called(index));
        let (first, end) = self.span(show);
        if first < 0 || end > ground.steps() as i64 {
            let text = format!("{called}: it is not all within the plan's weeks");
            self.say(Rule::Span, &[index], text);
        }
        if !rules.lengths.contains(&show.minutes) {
            let listed: Vec<String> = rules.lengths.iter().map(ToString::to_string).collect();
            let text = format!(
                "{called}: {} min is no length of this plan, which has {}",
                show.minutes,
                listed.join(", ")
            );
            self.say(Rule::Length, &[index], text);
        }
        if show.markets.is_empty() {
            self.say(Rule::Markets, &[index], format!("{called}: it is for no market"));
        }
        if show.markets.len() > rules.most_markets as usize {
            let text = format!(
                "{called}: it is for {} markets, {} at most",
                show.markets.len(),
                rules.most_markets
            );
            self.say(Rule::Markets, &[index], text);
        }
        let dumb = show.markets.iter().filter(|m| !ground.speaks(show.host, **m));
        let dumb: Vec<&str> = dumb
            .filter_map(|m| ground.task.demands.get(*m))
            .map(|demand| demand.market.as_str())
            .collect();
        if !dumb.is_empty() {
            let text = format!(
                "{called}: {} speaks no language of {}",
                self.name(show.host),
                dumb.join(", ")
            );
            self.say(Rule::Language, &[index], text);
        }
        let steps = first.max(0)..end.min(ground.steps() as i64);
        if let Some(step) = steps.map(|s| s as usize).find(|s| !ground.can(show.host, *s)) {
            let text = format!("{called}: {}", self.cannot(show.host, ground.at(step)));
            self.say(Rule::Hours, &[index], text);
        }
    }

    /// Why a host cannot.
    fn cannot(&self, host: usize, at: Timestamp) -> String {
        let Some(host) = self.ground.task.hosts.get(host) else { return "nobody".into() };
        let clock = host.zone.clock(at);
        let half = SignedDuration::from_mins(i64::from(STEP_MIN));
        let end = at.checked_add(half).unwrap_or(at);
        let name = &host.name;
        if host.away.iter().any(|a| a.first <= clock.date() && clock.date() <= a.last) {
            return format!("{name} is away on {}", clock.strftime("%a %d %b"));
        }
        if host.busy.iter().any(|b| b.from < end && at < b.to) {
            return format!("{name} is busy at {} by the calendar", self.ground.clock(at));
        }
        let there = clock.strftime("%a %H:%M");
        if host.zone == self.ground.task.home {
            format!("{there} is not among {name}'s hours")
        } else {
            format!("{there} in {} is not among {name}'s hours", host.zone)
        }
    }

    /// Shows that are too near to each other, for their host or a market.
    fn apart(&mut self) {
        let task = &self.ground.task;
        let most = task.demands.iter().map(|d| d.gap_min).max().unwrap_or(0);
        let rest = task.hosts.iter().map(|h| h.rest_min).max().unwrap_or(0);
        let reach = i64::from(most.max(rest));
        let longest = self.shows.iter().map(|s| i64::from(s.minutes)).max().unwrap_or(0);
        for second in 0..self.shows.len() {
            for first in (0..second).rev() {
                let (a, b) = (&self.shows[first], &self.shows[second]);
                let begun = b.start.duration_since(a.start).as_mins();
                if begun > longest + reach {
                    break;
                }
                let apart = begun - i64::from(a.minutes);
                if a.host == b.host {
                    self.rests(first, second, apart);
                }
                for market in a.markets.iter().take(MOST_MARKETS) {
                    let Some(demand) = task.demands.get(*market) else { continue };
                    if b.markets.contains(market) && apart < i64::from(demand.gap_min) {
                        let (name, gap) = (&demand.market, hours(i64::from(demand.gap_min)));
                        let (one, two) = (self.called(first), self.called(second));
                        let text = if apart < 0 {
                            format!("{name} is in two shows at once: {one} and {two}")
                        } else {
                            let apart = hours(apart);
                            format!("{name}: {one} and {two} are {apart} apart, {gap} at least")
                        };
                        self.say(Rule::Gap, &[first, second], text);
                    }
                }
            }
        }
    }

    fn rests(&mut self, first: usize, second: usize, apart: i64) {
        let Some(host) = self.ground.task.hosts.get(self.shows[first].host) else { return };
        if apart >= i64::from(host.rest_min) {
            return;
        }
        let clock = |index: usize| self.ground.clock(self.shows[index].start);
        let (one, two, name) = (clock(first), clock(second), &host.name);
        let text = if apart < 0 {
            format!("{name} is in two shows at once: {one} and {two}")
        } else {
            let rest = hours(i64::from(host.rest_min));
            format!("{name} rests {rest} at least: {} from {one} to {two}", hours(apart))
        };
        self.say(Rule::Rest, &[first, second], text);
    }

    /// Minutes of a host's day, of a host's week, and of a week.
    fn sums(&mut self) {
        let ground = self.ground;
        let week = |show: &Show| ground.week(ground.step(show.start).unwrap_or(0));
        for (index, host) in ground.task.hosts.iter().enumerate() {
            let own = |s: &Show| s.host == index;
            let (name, most) = (&host.name, host.day_max_min);
            let date = |show: &Show| own(show).then(|| host.zone.clock(show.start).date());
            for (day, minutes, shows) in self.sum(date) {
                if minutes > most {
                    let (day, sum) = (day.strftime("%a %d %b"), hours(i64::from(minutes)));
                    let most = hours(i64::from(most));
                    let text = format!("{name} is on air for {sum} on {day}, {most} at most");
                    self.say(Rule::Day, &shows, text);
                }
            }
            for (week, minutes, shows) in self.sum(|show| own(show).then(|| week(show))) {
                if minutes > host.week_max_min {
                    let (n, sum) = (week + 1, hours(i64::from(minutes)));
                    let most = hours(i64::from(host.week_max_min));
                    let text = format!("{name} is on air for {sum} in week {n}, {most} at most");
                    self.say(Rule::Week, &shows, text);
                }
            }
        }
        let Some(budget) = ground.task.rules.budget_min else { return };
        for (week, minutes, shows) in self.sum(|show| Some(week(show))) {
            if minutes > budget {
                let (n, sum, most) =
                    (week + 1, hours(i64::from(minutes)), hours(i64::from(budget)));
                let text = format!("week {n} has {sum} on air, the budget is {most}");
                self.say(Rule::Budget, &shows, text);
            }
        }
    }

    /// Minutes and shows by a key, for the shows that have one.
    fn sum<K: Ord>(&self, key: impl Fn(&Show) -> Option<K>) -> Vec<(K, u32, Vec<usize>)> {
        let mut all: std::collections::BTreeMap<K, (u32, Vec<usize>)> =
            std::collections::BTreeMap::new();
        for (index, show) in self.shows.iter().enumerate() {
            let Some(key) = key(show) else { continue };
            let (minutes, shows) = all.entry(key).or_default();
            *minutes += show.minutes;
            shows.push(index);
        }
        all.into_iter().map(|(key, (minutes, shows))| (key, minutes, shows)).collect()
    }

    fn studios(&mut self) {
        let ground = self.ground;
        let mut on: Vec<Vec<usize>> = vec![Vec::new(); ground.steps()];
        for (index, show) in self.shows.iter().enumerate() {
            let (first, end) = self.span(show);
            for step in first.max(0)..end {
                if let Some(on) = on.get_mut(step as usize) {
                    on.push(index);
                }
            }
        }
        let studios = ground.task.rules.studios as usize;
        let mut before: Option<&[usize]> = None;
        let mut found = Vec::new();
        for (step, on) in on.iter().enumerate() {
            let crowded = (on.len() > studios).then_some(on.as_slice());
            if let Some(shows) = crowded.filter(|_| crowded != before) {
                found.push((step, shows.to_vec()));
            }
            before = crowded;
        }
        for (step, shows) in found {
            let text = format!(
                "{}: {} shows at once, and {studios} {}",
                ground.clock(ground.at(step)),
                shows.len(),
                if studios == 1 { "studio" } else { "studios" }
            );
            self.say(Rule::Studio, &shows, text);
        }
    }
}
