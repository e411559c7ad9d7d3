//! A plan file becomes a `Wish`. All its problems are found in one pass; a plan with one problem is not made.

mod host;
mod words;

use std::path::Path;

use toml::{Spanned, de::DeValue};

use super::{
    Dirs,
    diagnostics::{Diagnostics, Findings, Problem, listed, meant, quoted},
    presets,
    reader::{self, Fields},
};
use crate::{
    market::{Fold, Gap, MarketId, Zone},
    planner::{
        calendar::{self, Calendar},
        schedule::{MOST_MARKETS, Rules},
        wish::{LockWish, MarketWish, Wish},
    },
};

/// The greatest plan file, in bytes.
const MAX_PLAN: u64 = 256 * 1024;

/// Plan files to copy from: name and text.
pub const PLAN_EXAMPLES: [(&str, &str); 1] =
    [("example", include_str!("../../presets/plans/example.toml"))];

/// The keys of each table of a plan file.
pub(super) const PLAN_KEYS: [&str; 14] = [
    "title",
    "home-zone",
    "weeks",
    "studios",
    "lengths",
    "budget-hours",
    "most-markets",
    "follow-permille",
    "repeat-permille",
    "explore-permille",
    "busy",
    "market",
    "host",
    "lock",
];
pub(super) const MARKET_KEYS: [&str; 3] = ["id", "weight", "gap-hours"];
pub(super) const LOCK_KEYS: [&str; 4] = ["start", "minutes", "host", "markets"];

/// Minutes between two shows for a market when the file does not say.
const GAP_MIN: u32 = 12 * 60;

/// The most shows of a plan that are decided already.
const MOST_LOCKS: usize = 500;

/// Reads a plan file. Relative paths in it start at its folder.
///
/// # Errors
/// Everything that keeps the plan from being made, all of it.
pub fn load_plan(path: &Path, dirs: &Dirs) -> Result<Wish, Diagnostics> {
    let origin = path.display().to_string();
    let text = super::read_text(path, &origin, MAX_PLAN, "a plan file")?;
    parse_plan(&text, &origin, path.parent().unwrap_or_else(|| Path::new("")), dirs)
}

/// Reads the text of a plan file. `origin` names it in messages; relative paths start at `base_dir`.
///
/// # Errors
/// All problems of the text.
pub fn parse_plan(
    text: &str,
    origin: &str,
    base_dir: &Path,
    dirs: &Dirs,
) -> Result<Wish, Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        let todo = "begin with a title, a home-zone, a [[market]] and a [[host]]; \
                    `hawker print plan-example` has one to copy";
        return Err(Problem::whole(origin, "the file is empty", todo).into());
    }
    let mut findings = Findings::new(origin, text);
    let wish = reader::document(text, &mut findings).and_then(|table| {
        let fields = Fields::new(&table, 0..0, "the plan");
        read_plan(&fields, base_dir, dirs, &mut findings)
    });
    findings.done(wish)
}

fn read_plan(
    fields: &Fields<'_>,
    base_dir: &Path,
    dirs: &Dirs,
    findings: &mut Findings<'_>,
) -> Option<Wish> {
    fields.only(findings, &PLAN_KEYS, |_| None);
    fields.missing(findings, "title", "write title = \"…\" on the first line");
    let title = fields.text(findings, "title").map(|(t, _)| t.to_owned());
    fields.missing(findings, "home-zone", "write where the team is: home-zone = \"Asia/Shanghai\"");
    let home = zone(fields, findings, "home-zone");
    let weeks = fields.whole(findings, "weeks", 1..=8, " weeks").map_or(1, |(n, _)| n);
    let rules = read_rules(fields, findings);
    let markets = read_markets(fields, dirs, findings);
    let zone_or_utc = home.clone().unwrap_or_else(Zone::utc);
    let mut calendars = Vec::new();
    if let Some(calendar) = busy(fields, base_dir, &zone_or_utc, findings) {
        calendars.push((None, calendar));
    }
    let hosts = host::read_all(fields, base_dir, &zone_or_utc, &mut calendars, findings);
    let names: Vec<&str> = hosts.iter().map(|h| h.name.as_str()).collect();
    let locks = read_locks(fields, &zone_or_utc, &names, &markets, findings);
    Some(Wish { title: title?, home: home?, weeks, markets, hosts, rules, locks, calendars })
}

/// A zone by its name.
fn zone(fields: &Fields<'_>, findings: &mut Findings<'_>, key: &str) -> Option<Zone> {
    let (name, span) = fields.text(findings, key)?;
    let read = Zone::named(name);
    if read.is_err() {
        let database = jiff::tz::TimeZoneDatabase::bundled();
        let known = database.available();
        let known: Vec<String> = known.map(|n| n.to_string()).collect();
        // By the last part alone, too: `Shanghai`.
        let place = known.iter().find(|k| k.rsplit('/').next().is_some_and(|p| p == name));
        let near = match place {
            Some(place) => format!("did you mean \"{place}\"? "),
            None => meant_zone(name, &known),
        };
        let what = format!("the tz database has no zone {}", quoted(name));
        findings.add(&span, what, format!("{near}names are like Asia/Bangkok"));
    }
    read.ok()
}

fn meant_zone(name: &str, known: &[String]) -> String {
    let near = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(&k.to_lowercase(), &name.to_lowercase()), k))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    near.map_or_else(String::new, |(_, k)| format!("did you mean \"{k}\"? "))
}

fn read_rules(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Rules {
    let usual = Rules::default();
    let mut whole = |key: &str, range, unit: &str| {
        fields.whole(findings, key, range, unit).map(|(number, _)| number)
    };
    let studios = whole("studios", 1..=50, " studios");
    let most_markets = whole("most-markets", 1..=64, " markets");
    let follow = whole("follow-permille", 0..=1000, " permille");
    let repeat = whole("repeat-permille", 0..=1000, " permille");
    let explore = whole("explore-permille", 0..=1000, " permille");
    let budget = fields.number(findings, "budget-hours", 0.0..=5000.0, " hours");
    let mut lengths = Vec::new();
    if let Some((items, span)) = fields.items(findings, "lengths") {
        for item in items {
            let minutes = reader::whole_number(item.get_ref());
            match minutes.and_then(|m| u32::try_from(m).ok()) {
                Some(m) if (15..=480).contains(&m) && m % 15 == 0 => lengths.push(m),
                _ => findings.add(
                    &item.span(),
                    "a length is a multiple of 15 minutes, 15-480",
                    "write lengths = [60, 90, 120]",
                ),
            }
        }
        if items.is_empty() || items.len() > 8 {
            findings.add(&span, "there are 1-8 lengths", "write lengths = [60, 90, 120]");
        }
    }
    lengths.sort_unstable();
    lengths.dedup();
    Rules {
        studios: studios.unwrap_or(usual.studios),
        lengths: if lengths.is_empty() { usual.lengths } else { lengths },
        budget_min: budget.map(|hours| (hours * 60.0).round() as u32),
        most_markets: most_markets.unwrap_or(usual.most_markets),
        follow_permille: follow.unwrap_or(usual.follow_permille),
        repeat_permille: repeat.unwrap_or(usual.repeat_permille),
        explore_permille: explore.unwrap_or(usual.explore_permille),
    }
}

fn read_markets(fields: &Fields<'_>, dirs: &Dirs, findings: &mut Findings<'_>) -> Vec<MarketWish> {
    fields.missing(findings, "market", "write a [[market]] with its id for each one you sell to");
    let mut markets: Vec<MarketWish> = Vec::new();
    let tables = fields.tables(findings, "market");
    if tables.len() > MOST_MARKETS {
        let what = format!("there are {} markets", tables.len());
        findings.add_whole(what, format!("a plan has {MOST_MARKETS} at most"));
    }
    for table in tables {
        table.only(findings, &MARKET_KEYS, |_| None);
        table.missing(findings, "id", "write id = \"TH\"; `hawker print markets` lists them");
        let weight = table.number(findings, "weight", 0.01..=1000.0, "").unwrap_or(1.0);
        let gap = table.number(findings, "gap-hours", 0.0..=336.0, " hours");
        let Some((word, span)) = table.text(findings, "id") else { continue };
        let id = match presets::load_market(word, dirs) {
            Ok(market) => market.id,
            Err(problems) => {
                let unknown = problems.iter().find(|p| p.origin == "market").cloned();
                match unknown {
                    Some(problem) => findings.add(&span, problem.what, problem.todo),
                    None => findings.add_others(&span, problems),
                }
                continue;
            }
        };
        if markets.iter().any(|m| m.id == id) {
            findings.add(&span, format!("{id} is there already"), "write each market once");
            continue;
        }
        let gap_min = gap.map_or(GAP_MIN, |hours| (hours * 60.0).round() as u32);
        markets.push(MarketWish { id, weight: f64::from(weight), gap_min });
    }
    markets
}

/// The calendar that `busy` names.
fn busy(
    fields: &Fields<'_>,
    base_dir: &Path,
    zone: &Zone,
    findings: &mut Findings<'_>,
) -> Option<Calendar> {
    let (name, span) = fields.text(findings, "busy")?;
    let path = base_dir.join(name);
    let origin = path.display().to_string();
    match super::read_text(&path, &origin, calendar::MOST_BYTES, "a calendar") {
        Ok(text) => {
            let calendar = calendar::read(&text, zone);
            if calendar.events() == 0 && !calendar.notes.is_empty() {
                let what = format!("{}: {}", quoted(name), calendar.notes.join("; "));
                findings.add(&span, what, "name a calendar in iCalendar format (.ics)");
                return None;
            }
            Some(calendar)
        }
        Err(problems) => {
            let why: Vec<String> = problems.iter().map(|p| p.what.clone()).collect();
            let what = format!("the calendar {} is of no use: {}", quoted(name), why.join("; "));
            findings.add(&span, what, "relative paths start at the folder of the plan file");
            None
        }
    }
}

fn read_locks(
    fields: &Fields<'_>,
    home: &Zone,
    hosts: &[&str],
    markets: &[MarketWish],
    findings: &mut Findings<'_>,
) -> Vec<LockWish> {
    let mut locks = Vec::new();
    let tables = fields.tables(findings, "lock");
    if tables.len() > MOST_LOCKS {
        let what = format!("there are {} locks", tables.len());
        findings.add_whole(what, format!("a plan has {MOST_LOCKS} at most: remove past ones"));
    }
    for table in tables.into_iter().take(MOST_LOCKS) {
        table.only(findings, &LOCK_KEYS, |_| None);
        for (key, todo) in [
            ("start", "write start = \"2027-03-10 20:00\", on the clock of home-zone"),
            ("minutes", "write how long it is, 15-480"),
            ("host", "write who is on air"),
            ("markets", "write markets = [\"TH\"], the leading one first"),
        ] {
            table.missing(findings, key, todo);
        }
        let start = table.text(findings, "start").and_then(|(text, span)| {
            let Some(clock) = words::clock(text) else {
                let what = format!("{} is no time", quoted(text));
                findings.add(&span, what, "write it like \"2027-03-10 20:00\"");
                return None;
            };
            let instant = home.instant(clock, Gap::Refuse, Fold::Refuse);
            if let Err(why) = &instant {
                let (how, way) = if why.twice {
                    ("happens twice", "back")
                } else {
                    ("does not exist", "forward")
                };
                let clock = why.clock.strftime("%Y-%m-%d %H:%M");
                let what = format!("{clock} {how} in {}, where the clocks are put {way}", why.zone);
                findings.add(&span, what, "take a time before or after that hour");
            }
            instant.ok()
        });
        let minutes = table.whole(findings, "minutes", 15..=480, " minutes");
        let host = table.text(findings, "host").and_then(|(name, span)| {
            if !hosts.contains(&name) {
                let near = meant(name, hosts.iter().copied());
                let what = format!("no host is called {}", quoted(name));
                findings.add(&span, what, format!("{near}there are {}", listed(hosts)));
            }
            hosts.contains(&name).then(|| name.to_owned())
        });
        let Some((items, span)) = table.items(findings, "markets") else { continue };
        let mut ids: Vec<MarketId> = Vec::new();
        for item in items {
            let Some(id) = lock_market(item, markets, findings) else { continue };
            if ids.contains(&id) {
                let what = format!("the show has the market {id} already");
                findings.add(&item.span(), what, "write each market once");
                continue;
            }
            ids.push(id);
        }
        if items.is_empty() {
            findings.add(&span, "the show has no market", "write the leading one first");
        }
        if let (Some(start), Some((minutes, _)), Some(host), false) =
            (start, minutes, host, ids.is_empty())
        {
            locks.push(LockWish { start, minutes, host, markets: ids });
        }
    }
    locks
}

fn lock_market(
    item: &Spanned<DeValue<'_>>,
    markets: &[MarketWish],
    findings: &mut Findings<'_>,
) -> Option<MarketId> {
    let word = match item.get_ref() {
        DeValue::String(word) => word.as_ref(),
        other => {
            let what = format!("a market is a text, but this is {}", reader::kind_of(other));
            findings.add(&item.span(), what, "write it in quotes");
            return None;
        }
    };
    let id = word.parse().ok().filter(|id| markets.iter().any(|m| m.id == *id));
    if id.is_none() {
        let names: Vec<&str> = markets.iter().map(|m| m.id.as_str()).collect();
        let what = format!("the plan has no market {}", quoted(word));
        findings.add(&item.span(), what, format!("it has {}", listed(&names)));
    }
    id
}

#[cfg(test)]
mod tests;
