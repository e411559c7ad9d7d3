//! What stands under the cursor: a show with its markets, what it brings and what it breaks; or an hour without one.
//! And what a proposal would change.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Sheet, same};
use crate::{
    console::{
        planner::{Planner, state::Proposal, told::clocks},
        text::{width, wrap},
        theme::Palette,
        view::row::{Row, heading},
    },
    planner::schedule::desk::{Desk, Part, Show},
};

/// Lines of a text, with their style.
type Lines = Vec<(String, Style)>;

/// Writes lines below a heading, as many as fit; says when there are more.
fn put(name: &str, lines: &[(String, Style)], palette: &Palette, area: Rect, buf: &mut Buffer) {
    heading(buf, area, palette, name, &[]);
    let rows = usize::from(area.height.saturating_sub(1));
    for (nth, (line, style)) in lines.iter().enumerate() {
        let y = (nth + 1).min(usize::from(u16::MAX)) as u16;
        if nth + 1 == rows && lines.len() > rows {
            let more = format!("… {} more", lines.len() - nth);
            let room = area.width.saturating_sub(width(&more) + 2);
            Row::new(buf, area, y).left(line, room, *style).gap(2).put(&more, palette.dim);
            return;
        }
        Row::new(buf, area, y).put(line, *style);
    }
}

/// Text in lines, the first behind a mark.
fn folded(mark: &str, text: &str, columns: u16, style: Style, into: &mut Lines) {
    let before = width(mark) + 1;
    for (nth, line) in wrap(text, columns.saturating_sub(before)).iter().enumerate() {
        let head = if nth == 0 { mark.to_owned() } else { " ".repeat(usize::from(before) - 1) };
        into.push((format!("{head} {line}"), style));
    }
}

pub(super) fn detail(sheet: Sheet<'_>, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let mut lines = Lines::new();
    let Some(index) = sheet.planner.selected() else {
        hour(sheet, palette, area.width, &mut lines);
        return put("HOUR", &lines, palette, area, buf);
    };
    about(sheet, index, palette, area.width, &mut lines);
    let many = sheet.planner.here().len();
    let name = if many > 1 { format!("SHOW (of {many} here: tab)") } else { "SHOW".into() };
    put(&name, &lines, palette, area, buf);
}

/// A show.
fn about(sheet: Sheet<'_>, index: usize, palette: &Palette, columns: u16, lines: &mut Lines) {
    let (desk, ground) = (sheet.desk, sheet.desk.ground());
    let (Some(show), Some(figures)) = (desk.shows().get(index), desk.verdict().shows.get(index))
    else {
        return;
    };
    let home = &ground.task.home;
    let (start, end) = (home.clock(show.start), home.clock(show.end()));
    let host = &ground.task.hosts[show.host];
    let locked = if show.locked { "  locked" } else { "" };
    let span = format!("{}-{}", start.strftime("%a %d %b %H:%M"), end.strftime("%H:%M"));
    let brings = format!("brings {:.0} of {:.0}", desk.adds(index), desk.verdict().worth);
    let head = format!("{span}  {}  {} min{locked}", host.name, show.minutes);
    if width(&head) + 3 + width(&brings) <= columns {
        lines.push((format!("{head}   {brings}"), palette.selected));
    } else {
        lines.push((head, palette.selected));
        lines.push((brings, palette.text));
    }
    for breach in desk.verdict().about(index) {
        folded("!", &breach.text, columns, palette.warn, lines);
    }
    for (place, part) in figures.parts.iter().enumerate() {
        lines.push((market(sheet, show, part, place == 0, columns), palette.text));
    }
    if host.zone != *home {
        let there = host.zone.clock(show.start).strftime("%a %H:%M");
        lines.push((format!("{there} where {} is ({})", host.name, host.zone), palette.dim));
    }
    if figures.exploration && !sheet.planner.guessed.0 {
        lines.push(("never aired at this hour by its leading market".into(), palette.dim));
    }
    special(sheet, palette, columns, lines);
}

/// `TH   leads   Tue 19:00   85? (28-255)  worth 128`
fn market(sheet: Sheet<'_>, show: &Show, part: &Part, leads: bool, columns: u16) -> String {
    let ground = sheet.desk.ground();
    let demand = &ground.task.demands[part.market];
    let there = demand.zone.clock(show.start).strftime("%a %H:%M");
    let guess = if part.guessed { "?" } else { "" };
    let role = match (leads, part.repeat) {
        (true, false) => "leads",
        (false, false) => "follows",
        (_, true) => "again",
    };
    let Part { viewers, low, high, worth, .. } = part;
    let band = format!("{viewers:.0}{guess} ({low:.0}-{high:.0})");
    let name = &demand.market;
    if columns >= 60 {
        format!("{name:<6}{role:<8}{there}  {band:<18} worth {worth:.0}")
    } else {
        format!("{name:<5}{there} {band:<14} w {worth:.0} {role}")
    }
}

/// An hour without a show: what is expected, and who can.
fn hour(sheet: Sheet<'_>, palette: &Palette, columns: u16, lines: &mut Lines) {
    let (planner, ground) = (sheet.planner, sheet.desk.ground());
    let at = ground.at(planner.cursor);
    let clock = ground.task.home.clock(at).strftime("%a %d %b %H:%M");
    lines.push((format!("{clock}  nobody is on air"), palette.selected));
    let mut best: Vec<(f64, String)> = ground
        .task
        .demands
        .iter()
        .enumerate()
        .filter_map(|(market, demand)| {
            let hour = demand.hour_at(at)?;
            let guess = if ground.guessed(market, at, 30) { "?" } else { "" };
            let there = demand.zone.clock(at).strftime("%H:%M");
            let text = format!("{} {there} {:.0}{guess}", demand.market, hour.viewers);
            Some((hour.viewers * demand.weight, text))
        })
        .collect();
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best: Vec<String> = best.into_iter().map(|(_, text)| text).collect();
    folded("viewers", &best.join(", "), columns, palette.text, lines);
    lines.truncate(if columns >= 60 { 3 } else { 8 });
    let hosts = ground.task.hosts.iter().enumerate();
    let can: Vec<&str> = hosts
        .filter(|(h, _)| ground.can(*h, planner.cursor))
        .map(|(_, h)| h.name.as_str())
        .collect();
    let can =
        if can.is_empty() { "nobody: a adds a show all the same".into() } else { can.join(", ") };
    folded("can be on air", &can, columns, palette.text, lines);
    special(sheet, palette, columns, lines);
}

/// What is special about the day.
fn special(sheet: Sheet<'_>, palette: &Palette, columns: u16, lines: &mut Lines) {
    let ground = sheet.desk.ground();
    let day = ground.day(ground.at(sheet.planner.cursor)).and_then(|d| ground.days.get(d));
    let Some(day) = day else { return };
    for shift in &day.shifts {
        folded("⇅", &clocks(ground, shift), columns, palette.warn, lines);
    }
    for special in &day.specials {
        let who: Vec<&str> =
            special.markets.iter().map(|m| ground.task.demands[*m].market.as_str()).collect();
        folded(
            "★",
            &format!("{} ({})", special.name, who.join(", ")),
            columns,
            palette.text,
            lines,
        );
    }
}

/// What a proposal would change.
pub(super) fn difference(
    planner: &Planner,
    desk: &Desk,
    proposal: &Proposal,
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let ground = desk.ground();
    let (before, after) = (desk.verdict(), &proposal.verdict);
    let mut lines = Lines::new();
    // From next to nothing a percentage says nothing.
    let change = if before.worth > after.worth / 5.0 {
        format!(" ({:+.1} %)", (after.worth / before.worth - 1.0) * 100.0)
    } else {
        String::new()
    };
    let hours = |minutes: u32| f64::from(minutes) / 60.0;
    let within = if proposal.bound > 0.0 {
        let gap = ((proposal.bound - after.worth) / proposal.bound).max(0.0) * 100.0;
        format!(", within {gap:.1} % of the best")
    } else {
        String::new()
    };
    let text = format!("worth {:.0} -> {:.0}{change}{within}", before.worth, after.worth);
    for line in wrap(&text, area.width) {
        lines.push((line, palette.selected));
    }
    let text = format!(
        "shows {} -> {}, hours {:.1} -> {:.1}, broken rules {} -> {}",
        desk.shows().len(),
        proposal.shows.len(),
        hours(before.minutes),
        hours(after.minutes),
        before.breaches.len(),
        after.breaches.len()
    );
    for line in wrap(&text, area.width) {
        lines.push((line, palette.text));
    }
    let told = |show: &Show| {
        let markets: Vec<&str> =
            show.markets.iter().map(|m| ground.task.demands[*m].market.as_str()).collect();
        let when = ground.task.home.clock(show.start).strftime("%a %d %H:%M");
        let host = &ground.task.hosts[show.host].name;
        format!("{when} {} min {host} {}", show.minutes, markets.join(", "))
    };
    let gone = desk.shows().iter().filter(|s| !proposal.shows.iter().any(|o| same(o, s)));
    let new = proposal.shows.iter().filter(|s| !desk.shows().iter().any(|o| same(o, s)));
    // Of a screen with one grid, what the other one has.
    let gone = gone.map(|s| ("-", s, palette.warn));
    let new = new.map(|s| ("+", s, palette.good));
    let mut changes: Vec<_> = gone.chain(new).collect();
    changes.sort_by_key(|(_, s, _)| s.start);
    for (mark, show, style) in changes {
        folded(mark, &told(show), area.width, style, &mut lines);
    }
    let name = if planner.aside { "PROPOSAL" } else { "PROPOSAL (not what is shown: tab)" };
    let wide = area.height > 12;
    put(if wide { "PROPOSAL" } else { name }, &lines, palette, area, buf);
}
