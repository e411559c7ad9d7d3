//! The edits: from the shows that stand to those that then stand. Refused is only what cannot be at all.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::{
    super::{MOST_MARKETS, STEP_MIN, board::pick},
    Ground, Rule, Show, judge,
};
use crate::market::{Fold, Gap};

/// The shortest and the longest show, in minutes; as in a plan file.
const LENGTHS: (u32, u32) = (15, 480);

/// What to do with the shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A show that begins then, with the host and the markets that bring most without breaking a rule.
    Add {
        /// Its start.
        at: Timestamp,
        /// Its length.
        minutes: u32,
    },
    /// So many half hours later, or earlier.
    Later {
        /// Which show.
        show: usize,
        /// Half hours.
        by: i32,
    },
    /// So many days later, or earlier, at the same time of the clock at home.
    Days {
        /// Which show.
        show: usize,
        /// Days.
        by: i32,
    },
    /// To the next greater of the plan's lengths; beyond them by half an hour.
    Longer(usize),
    /// To the next smaller one.
    Shorter(usize),
    /// Another host.
    Host {
        /// Which show.
        show: usize,
        /// Who then.
        host: usize,
    },
    /// Other markets, the leading one first.
    Markets {
        /// Which show.
        show: usize,
        /// Which then.
        markets: Vec<usize>,
    },
    /// Locks it, or lets it go.
    Lock(usize),
    /// Takes it away.
    Remove(usize),
}

/// What an edit makes of the shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The shows by their start.
    pub shows: Vec<Show>,
    /// What was done, in a few words.
    pub what: String,
    /// Where the edited show stands now; `None` when it is gone.
    pub at: Option<usize>,
}

/// Why an edit cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible(pub String);

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Impossible {}

fn no<T>(why: impl Into<String>) -> Result<T, Impossible> {
    Err(Impossible(why.into()))
}

/// Carries an edit out.
///
/// # Errors
/// There is no such show, it is locked, or it would lie outside of the plan or upon another one of its host.
pub fn apply(ground: &Ground, shows: &[Show], edit: &Edit) -> Result<Edited, Impossible> {
    match edit {
        Edit::Add { at, minutes } => add(ground, shows, *at, *minutes),
        Edit::Later { show, by } => {
            let from = free(ground, shows, *show)?;
            let by = SignedDuration::from_mins(i64::from(*by) * i64::from(STEP_MIN));
            moved(ground, shows, *show, from.start.checked_add(by).ok())
        }
        Edit::Days { show, by } => {
            let from = free(ground, shows, *show)?;
            moved(ground, shows, *show, days(ground, from.start, *by))
        }
        Edit::Longer(show) => resize(ground, shows, *show, true),
        Edit::Shorter(show) => resize(ground, shows, *show, false),
        Edit::Host { show, host } => {
            let from = free(ground, shows, *show)?;
            let Some(who) = ground.task.hosts.get(*host) else { return no("no such host") };
            let what = format!("{} is with {}", ground.clock(from.start), who.name);
            put(ground, shows, *show, Show { host: *host, ..from.clone() }, what)
        }
        Edit::Markets { show, markets } => {
            let from = free(ground, shows, *show)?;
            let known = |m: &usize| *m < ground.task.demands.len() && *m < MOST_MARKETS;
            let mut new: Vec<usize> = Vec::new();
            for market in markets.iter().filter(|m| known(m)) {
                if !new.contains(market) {
                    new.push(*market);
                }
            }
            if new.is_empty() {
                return no("a show is for one market at least: x takes the show away");
            }
            let names: Vec<&str> =
                new.iter().map(|m| ground.task.demands[*m].market.as_str()).collect();
            let what = format!("{} is for {}", ground.clock(from.start), names.join(", "));
            put(ground, shows, *show, Show { markets: new, ..from.clone() }, what)
        }
        Edit::Lock(show) => {
            let Some(from) = shows.get(*show) else { return no("no show is here") };
            let way = if from.locked { "unlocked" } else { "locked" };
            let what = format!("{} is {way}", ground.clock(from.start));
            put(ground, shows, *show, Show { locked: !from.locked, ..from.clone() }, what)
        }
        Edit::Remove(show) => {
            let from = free(ground, shows, *show)?;
            let host = &ground.task.hosts[from.host].name;
            let what = format!("{} with {host} is taken away", ground.clock(from.start));
            let mut shows = shows.to_vec();
            shows.remove(*show);
            Ok(Edited { shows, what, at: None })
        }
    }
}

/// The show, which is not locked.
fn free<'s>(ground: &Ground, shows: &'s [Show], index: usize) -> Result<&'s Show, Impossible> {
    match shows.get(index) {
        None => no("no show is here: a adds one"),
        Some(show) if show.locked => {
            no(format!("{} is locked: l unlocks it", ground.clock(show.start)))
        }
        Some(show) if ground.task.hosts.get(show.host).is_none() => no("its host is gone"),
        Some(show) => Ok(show),
    }
}

/// Days later at the same time of the clock at home.
pub(super) fn days(ground: &Ground, from: Timestamp, by: i32) -> Option<Timestamp> {
    let home = &ground.task.home;
    let span = SignedDuration::from_hours(24 * i64::from(by));
    let clock = home.clock(from).checked_add(span).ok()?;
    let there = home.local(clock).pick(Gap::Onward, Fold::First)?;
    // The grid is by UTC: clocks that are put back by less than half an hour leave it.
    let off = there.duration_since(from).as_mins().rem_euclid(i64::from(STEP_MIN));
    there.checked_sub(SignedDuration::from_mins(off)).ok()
}

fn moved(
    ground: &Ground,
    shows: &[Show],
    index: usize,
    to: Option<Timestamp>,
) -> Result<Edited, Impossible> {
    let from = free(ground, shows, index)?;
    let Some(start) = to.filter(|at| ground.step(*at).is_some()) else {
        return no("it would begin outside of the plan's weeks");
    };
    let host = &ground.task.hosts[from.host].name;
    let (before, after) = (ground.clock(from.start), ground.clock(start));
    let what = format!("{host}: {before} is moved to {after}");
    put(ground, shows, index, Show { start, ..from.clone() }, what)
}

fn resize(
    ground: &Ground,
    shows: &[Show],
    index: usize,
    longer: bool,
) -> Result<Edited, Impossible> {
    let from = free(ground, shows, index)?;
    let lengths = &ground.task.rules.lengths;
    let listed = if longer {
        lengths.iter().copied().filter(|l| *l > from.minutes).min()
    } else {
        lengths.iter().copied().filter(|l| *l < from.minutes).max()
    };
    let stepped =
        if longer { from.minutes + STEP_MIN } else { from.minutes.saturating_sub(STEP_MIN) };
    let minutes = listed.unwrap_or(stepped);
    if minutes < LENGTHS.0 || minutes > LENGTHS.1 {
        return no(format!("a show lasts {} to {} minutes", LENGTHS.0, LENGTHS.1));
    }
    let what = format!("{} lasts {minutes} min", ground.clock(from.start));
    put(ground, shows, index, Show { minutes, ..from.clone() }, what)
}

/// One show in the place of another.
fn put(
    ground: &Ground,
    shows: &[Show],
    index: usize,
    show: Show,
    what: String,
) -> Result<Edited, Impossible> {
    let mut all = shows.to_vec();
    all.remove(index);
    insert(ground, all, show, what)
}

fn insert(
    ground: &Ground,
    mut shows: Vec<Show>,
    show: Show,
    what: String,
) -> Result<Edited, Impossible> {
    let key = |s: &Show| (s.start, s.host);
    match shows.binary_search_by_key(&key(&show), key) {
        Ok(_) => {
            let host = &ground.task.hosts[show.host].name;
            no(format!("{host} has a show that begins at {} already", ground.clock(show.start)))
        }
        Err(at) => {
            shows.insert(at, show);
            Ok(Edited { shows, what, at: Some(at) })
        }
    }
}

/// A new show with the host and the markets that bring most.
fn add(
    ground: &Ground,
    shows: &[Show],
    start: Timestamp,
    minutes: u32,
) -> Result<Edited, Impossible> {
    if ground.step(start).is_none() {
        return no("that is outside of the plan's weeks");
    }
    if ground.task.hosts.is_empty() {
        return no("the plan file has no host: write a [[host]] with its hours and languages");
    }
    if ground.task.demands.is_empty() {
        return no("the plan file has no market: write a [[market]] with its id");
    }
    let before = judge(ground, shows);
    let mut best: Option<((bool, f64), Edited)> = None;
    for host in 0..ground.task.hosts.len() {
        let markets = markets_for(ground, shows, host, start, minutes);
        let show = Show { start, minutes, host, markets, locked: false };
        let name = &ground.task.hosts[host].name;
        let what = format!("{name} is on air at {}", ground.clock(start));
        let Ok(edited) = insert(ground, shows.to_vec(), show, what) else { continue };
        let after = judge(ground, &edited.shows);
        // That a show ends too late or is too long is no host's fault.
        let broken = |v: &super::Verdict| {
            v.breaches.iter().filter(|b| !matches!(b.rule, Rule::Span | Rule::Length)).count()
        };
        let fits = broken(&after) <= broken(&before);
        let score = (fits, after.worth - before.worth);
        if best.as_ref().is_none_or(|(known, _)| score > *known) {
            best = Some((score, edited));
        }
    }
    let full = || Impossible(format!("every host has a show at {}", ground.clock(start)));
    best.map(|(_, edited)| edited).ok_or_else(full)
}

/// The markets that bring most to a show of a host: those in nobody's way; without any, the one that would.
fn markets_for(
    ground: &Ground,
    shows: &[Show],
    host: usize,
    start: Timestamp,
    minutes: u32,
) -> Vec<usize> {
    let rules = &ground.task.rules;
    let repeat = f64::from(rules.repeat_permille) / 1000.0;
    let follow = f64::from(rules.follow_permille) / 1000.0;
    let end = Show { start, minutes, host, markets: Vec::new(), locked: false }.end();
    let demands = ground.task.demands.iter().enumerate().take(MOST_MARKETS);
    let mut gains: Vec<(usize, f64, f64)> = Vec::new();
    let mut any: Option<(bool, f64, usize)> = None;
    for (market, demand) in demands {
        let full = demand.over(start, minutes).viewers.max(0.0) * demand.weight;
        let own = (ground.speaks(host, market), full, market);
        if any.is_none_or(|best| (own.0, own.1) > (best.0, best.1)) {
            any = Some(own);
        }
        let there = shows.iter().filter(|s| s.markets.contains(&market));
        let gap = SignedDuration::from_mins(i64::from(demand.gap_min));
        let mut clear = own.0 && full > 0.0;
        let mut share = 1.0;
        for other in there {
            let after = other.end().checked_add(gap).is_ok_and(|free| start >= free);
            let before = end.checked_add(gap).is_ok_and(|free| other.start >= free);
            clear &= after || before;
            if demand.zone.clock(other.start).date() == demand.zone.clock(start).date() {
                share = repeat;
            }
        }
        if clear {
            gains.push((market, full * share, full * share * follow));
        }
    }
    let mut chosen = Vec::new();
    pick(gains.into_iter(), rules.most_markets as usize, &mut chosen);
    if chosen.is_empty() {
        chosen.extend(any.map(|(.., market)| market));
    }
    chosen
}
