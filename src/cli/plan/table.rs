//! A plan in words and columns, never wider than it may be: the time at home, and what that hour is in each market.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    base::text::plain,
    cli::fold::filled,
    market::Zone,
    planner::{
        Reason,
        export::Accepted,
        schedule::{Airing, Plan, Slot},
        segments::Segment,
    },
};

/// The narrowest that anything is made for.
const NARROWEST: usize = 20;

/// `text` in lines, the first behind `head` and the others as far in; none wider than `columns`.
pub(super) fn folded(head: &str, text: &str, columns: usize) -> String {
    let columns = columns.max(NARROWEST);
    // Where the head leaves no room the text goes below it.
    let below = head.width() + 16 > columns;
    let indent = if below { 2 } else { head.width() };
    let room = columns - indent;
    let lines = filled(text.split(' ').flat_map(|word| pieces(word, room)), room);
    let next = format!("\n{}", " ".repeat(indent));
    let head: String =
        if below { pieces(head.trim_end(), columns).join("\n") + &next } else { head.to_owned() };
    format!("{head}{}", lines.join(&next)).trim_end().to_owned()
}

/// A word that is wider than a line, in pieces.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut used = 0;
    for c in word.chars() {
        let width = c.width().unwrap_or(0);
        if used + width > room {
            all.push(String::new());
            used = 0;
        }
        if let Some(piece) = all.last_mut() {
            piece.push(c);
        }
        used += width;
    }
    all
}

/// `TH 19:00`, with the day where it is another one than at home.
fn local(plan: &Accepted, slot: &Slot, market: &str) -> String {
    let (home, there) = (plan.home.clock(slot.start), plan.clock(market, slot.start));
    let form = if home.date() == there.date() { "%H:%M" } else { "%a %H:%M" };
    format!("{market} {}", there.strftime(form))
}

/// `85 viewers (28-255)`, with a mark where it rests on nothing of one's own.
fn viewers(airing: &Airing) -> String {
    let guess = if guessed(airing) { "?" } else { "" };
    format!("{:.0}{guess} ({:.0}-{:.0})", airing.viewers, airing.low, airing.high)
}

/// Whether an expectation rests on nothing of one's own.
pub(super) fn guessed(airing: &Airing) -> bool {
    !airing.reasons.iter().any(|r| matches!(r, Reason::OwnHistory | Reason::LastWeek))
}

/// A show in one paragraph.
fn show(plan: &Accepted, number: usize, slot: &Slot, columns: usize) -> String {
    let (start, end) = (plan.home.clock(slot.start), plan.home.clock(slot.end()));
    let head = format!(
        "{number:>4}  {}-{}  {:<10} ",
        start.strftime("%H:%M"),
        end.strftime("%H:%M"),
        plain(&slot.host)
    );
    let mut parts: Vec<String> = slot
        .airings
        .iter()
        .map(|a| {
            let repeat = if a.repeat { " again" } else { "" };
            format!("{}{repeat}: {}", local(plan, slot, &a.market), viewers(a))
        })
        .collect();
    let days: Vec<String> = slot
        .airings
        .iter()
        .flat_map(|a| &a.reasons)
        .filter_map(|r| match r {
            Reason::SaleDay(name) => Some(plain(name)),
            _ => None,
        })
        .collect();
    if let Some(day) = days.first() {
        parts.push(day.clone());
    }
    if slot.locked {
        parts.push("locked".into());
    }
    if slot.exploration && !slot.airings.iter().all(guessed) {
        parts.push("never aired before".into());
    }
    folded(&head, &parts.join(", "), columns)
}

/// Changes of clocks within the plan, one sentence each.
fn shifts(plan: &Accepted) -> Vec<String> {
    let mut all: Vec<(Zone, Vec<&str>)> = vec![(plan.home.clone(), vec!["home"])];
    for (market, zone) in &plan.zones {
        match all.iter_mut().find(|(known, _)| known == zone) {
            Some((_, who)) => who.push(market),
            None => all.push((zone.clone(), vec![market])),
        }
    }
    let told = all.iter().filter_map(|(zone, who)| {
        let (at, seconds) = zone.shift(plan.plan.from, plan.plan.to)?;
        let way = if seconds > 0 { "forward" } else { "back" };
        let day = zone.clock(at).strftime("%a %d %b");
        let hours = f64::from(seconds.abs()) / 3600.0;
        Some(format!("Clocks of {} ({}) go {way} by {hours} h on {day}.", zone, who.join(", ")))
    });
    told.collect()
}

fn heading(plan: &Accepted, columns: usize) -> Vec<String> {
    let Plan { from, to, slots, worth, .. } = &plan.plan;
    let minutes: u32 = slots.iter().map(|s| s.minutes).sum();
    let last = plan.home.clock(*to).date().yesterday();
    let days = format!(
        "{} to {}",
        plan.home.clock(*from).date(),
        last.unwrap_or_else(|_| plan.home.clock(*to).date())
    );
    let mut lines = vec![
        folded("", &plain(&plan.title), columns),
        folded(
            "",
            &format!(
                "{days}, times of {}; {} shows, {:.1} h; worth {worth:.0} weighted viewer hours, {}",
                plan.home,
                slots.len(),
                f64::from(minutes) / 60.0,
                match plan.plan.bound {
                    bound if bound > 0.0 =>
                        format!("within {:.1} % of the best possible", plan.plan.gap() * 100.0),
                    _ => "edited by hand: how near to the best is not known".to_owned(),
                }
            ),
            columns,
        ),
    ];
    let airings = || slots.iter().flat_map(|s| &s.airings);
    if airings().count() > 0 && airings().all(guessed) {
        lines.push(folded(
            "",
            "Priors only: no show of your own is known. Figures with ? rest on the markets' windows and an assumed audience.",
            columns,
        ));
    } else if airings().any(guessed) {
        lines.push(folded(
            "",
            "Figures with ? rest on the markets' windows, not on own shows.",
            columns,
        ));
    }
    let (wanted, found) = plan.plan.explore_min;
    if wanted > found {
        lines.push(folded(
            "",
            &format!("Of {wanted} minutes for hours never aired {found} found a place."),
            columns,
        ));
    }
    lines.extend(shifts(plan).iter().map(|text| folded("", text, columns)));
    lines.extend(plan.plan.notes.iter().map(|note| folded("Note: ", &plain(note), columns)));
    lines
}

fn listed(plan: &Accepted, columns: usize, more: impl Fn(usize) -> Vec<String>) -> String {
    let mut lines = heading(plan, columns);
    let mut day = None;
    for (index, slot) in plan.plan.slots.iter().enumerate() {
        let date = plan.home.clock(slot.start).date();
        if day != Some(date) {
            day = Some(date);
            lines.push(String::new());
            lines.push(date.strftime("%a %d %b").to_string());
        }
        lines.push(show(plan, index + 1, slot, columns));
        lines.extend(more(index));
    }
    if plan.plan.slots.is_empty() {
        lines.push(String::new());
        let text = "No show fits: see hosts' hours, languages and limits in the plan file.";
        lines.push(folded("", text, columns));
    }
    lines.join("\n")
}

/// The plan, a paragraph for each show.
pub(super) fn plan(plan: &Accepted, columns: usize) -> String {
    listed(plan, columns, |_| Vec::new())
}

/// The plan with the parts of each show.
pub(super) fn whole(plan: &Accepted, columns: usize) -> String {
    let clock = |s: u32| format!("{:02}:{:02}", s / 60, s % 60);
    listed(plan, columns, |index| {
        let parts = plan.segments.get(index).map_or(&[][..], Vec::as_slice);
        let told = parts.iter().map(|part| {
            let Segment { from_s, length_s, kind, clip } = part;
            let clip = clip.map_or_else(String::new, |(from, to)| {
                format!(" (clip {}-{})", clock(from), clock(to))
            });
            let head = format!("      {}  {:>5}  ", clock(*from_s), clock(*length_s));
            folded(&head, &format!("{}{clip}", kind.what()), columns)
        });
        told.collect()
    })
}

#[cfg(test)]
mod tests;
