//! Why a show is there, and what another plan would change, in words.

use super::table::{folded, guessed};
use crate::{
    market::Zone,
    planner::{
        compare::{Difference, Side},
        export::Accepted,
        schedule::{Other, Slot, Why},
    },
};

fn hour(home: &Zone, at: jiff::Timestamp) -> String {
    home.clock(at).strftime("%a %d %b %H:%M").to_string()
}

fn other(home: &Zone, other: &Other) -> String {
    format!(
        "{}, {} min with {} for {}: {:.0}",
        hour(home, other.start),
        other.minutes,
        other.host,
        other.markets.join(", "),
        other.worth
    )
}

/// Why a show is there.
pub(super) fn why(why: &Why, plan: &Accepted, columns: usize) -> String {
    let Slot { start, minutes, host, airings, locked, exploration } = &why.slot;
    let home = &plan.home;
    let mut lines =
        vec![folded("", &format!("{}, {minutes} min with {host}", hour(home, *start)), columns)];
    if *locked {
        lines.push(folded("", "It is locked: the plan file has it so.", columns));
    }
    if *exploration && !airings.iter().all(guessed) {
        lines.push(folded(
            "",
            "Its leading market was never aired at this hour: it is found out what it is worth.",
            columns,
        ));
    }
    let text = format!("The plan would lose {:.0} weighted viewer hours without it.", why.adds);
    lines.push(folded("", &text, columns));
    lines.push(String::new());
    for a in airings {
        let clock = plan.clock(&a.market, *start).strftime("%a %H:%M");
        let role = match (a.leads, a.repeat) {
            (true, false) => "leads",
            (false, false) => "follows",
            (true, true) => "leads, not its best show of the day",
            (false, true) => "follows, not its best show of the day",
        };
        let reasons: Vec<String> = a.reasons.iter().map(ToString::to_string).collect();
        let text = format!(
            "{clock} there, {role}: {:.0} viewers ({:.0}-{:.0}), worth {:.0}; rests on {}",
            a.viewers,
            a.low,
            a.high,
            a.worth,
            reasons.join(", ")
        );
        lines.push(folded(&format!("  {:<6}", a.market), &text, columns));
    }
    for absent in &why.absent {
        lines.push(folded(
            &format!("  {:<6}", absent.market),
            &format!("not served: {}", absent.why),
            columns,
        ));
    }
    lines.push(String::new());
    lines.push(match &why.next_best {
        Some(next) => folded("Next best: ", &other(home, next), columns),
        None => folded("Next best: ", "the host has no other start in this plan.", columns),
    });
    for (index, up) in why.given_up.iter().enumerate() {
        let head = if index == 0 { "Given up:  " } else { "           " };
        lines.push(folded(head, &other(home, up), columns));
    }
    if why.given_up.is_empty() {
        lines.push(folded("Given up:  ", "nothing: no other show is kept out by it.", columns));
    }
    lines.join("\n")
}

/// Two plans side by side.
pub(super) fn difference(what: &str, d: &Difference, home: &Zone, columns: usize) -> String {
    let row = |name: &str, before: String, after: String| -> String {
        let name: String = name.chars().take(15).collect();
        format!("{name:<16}{before:>10}{after:>12}")
    };
    let mut lines =
        vec![format!("{:<16}{:>10}{:>12}", "", "plan", "what if"), folded("", what, columns)];
    let figure = |value: f64| format!("{value:.0}");
    let sides: [&Side; 2] = [&d.before, &d.after];
    let pair = |of: &dyn Fn(&Side) -> String| (of(sides[0]), of(sides[1]));
    let mut add = |name: &str, of: &dyn Fn(&Side) -> String| {
        let (before, after) = pair(of);
        lines.push(row(name, before, after));
    };
    add("worth", &|s| figure(s.worth));
    add("at most", &|s| figure(s.bound));
    add("shows", &|s| s.shows.to_string());
    add("hours", &|s| format!("{:.1}", f64::from(s.minutes) / 60.0));
    let mut markets: Vec<&String> = sides.iter().flat_map(|s| s.markets.keys()).collect();
    markets.sort();
    markets.dedup();
    for market in markets {
        add(&format!("  {market}"), &|s| figure(s.markets.get(market).map_or(0.0, |m| m.1)));
    }
    let mut hosts: Vec<&String> = sides.iter().flat_map(|s| s.hosts.keys()).collect();
    hosts.sort();
    hosts.dedup();
    for host in hosts {
        add(&format!("  {host} h"), &|s| {
            format!("{:.1}", f64::from(s.hosts.get(host).copied().unwrap_or(0)) / 60.0)
        });
    }
    for (sign, slots) in [("-", &d.gone), ("+", &d.new)] {
        for slot in slots {
            let markets: Vec<&str> = slot.airings.iter().map(|a| a.market.as_str()).collect();
            let text = format!(
                "{}, {} min with {} for {}",
                hour(home, slot.start),
                slot.minutes,
                slot.host,
                markets.join(", ")
            );
            lines.push(folded(&format!("{sign} "), &text, columns));
        }
    }
    lines.join("\n")
}
