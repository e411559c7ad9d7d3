//! The lines around the grid: what the plan is worth, what is next on air, what the last key did, which keys there are.

use jiff::SignedDuration;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::{
    console::{
        planner::Planner,
        text::{clock, width, wrap},
        theme::Palette,
        view::row::{self, Row},
    },
    planner::schedule::desk::Desk,
};

/// The least pane, in columns and rows: a screen of 60x20 without the tally.
const LEAST: (u16, u16) = (60, 18);

/// The pane without its edges; `None` when it is too small, which is said.
pub(super) fn inside(
    planner: &Planner,
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) -> Option<Rect> {
    if area.width >= LEAST.0 && area.height >= LEAST.1 {
        return Some(Rect { x: area.x + 1, width: area.width - 2, ..area });
    }
    let unsaved = if planner.unsaved() { "; what is unsaved stays" } else { "" };
    let text = format!(
        "{}x{} is too small for the planner: {}x{} at least{unsaved}",
        area.width, area.height, LEAST.0, LEAST.1
    );
    for (y, line) in wrap(&text, area.width).iter().enumerate() {
        Row::new(buf, area, y as u16).put(line, palette.warn);
    }
    None
}

/// Before there is a desk, or when there will be none.
pub(super) fn no_desk(planner: &Planner, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let (text, style) = match &planner.failed {
        None => ("reading the plan and what is expected of its weeks", palette.dim),
        Some(why) => (why.as_str(), palette.warn),
    };
    Row::new(buf, area, 0).badge("PLAN", 6, palette.off);
    let lines = text.lines().flat_map(|line| wrap(line, area.width));
    for (y, line) in lines.take(usize::from(area.height.saturating_sub(4))).enumerate() {
        Row::new(buf, area, y as u16 + 2).put(&line, style);
    }
    let mut row = Row::new(buf, area, area.height - 1);
    if planner.in_show {
        row.put("p", palette.key).gap(1).put("panic", palette.dim).gap(2);
        row.put("esc", palette.key).gap(1).put("back to the show", palette.dim);
    } else {
        row.put("q", palette.key).gap(1).put("leave", palette.dim);
    }
}

/// The plan's name, its week, and what it is worth.
pub(super) fn title(
    planner: &Planner,
    desk: &Desk,
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let (ground, verdict) = (desk.ground(), desk.verdict());
    let week = ground.week(planner.cursor);
    let days = ground.days.get(week * 7..).unwrap_or_default();
    let first = days.first().map(|d| d.date);
    let last = days.get(6).or(days.last()).map(|d| d.date);
    let span = match (first, last) {
        (Some(a), Some(b)) if a.month() == b.month() => {
            format!("{} - {}", a.strftime("%-d"), b.strftime("%-d %b"))
        }
        (Some(a), Some(b)) => format!("{} - {}", a.strftime("%-d %b"), b.strftime("%-d %b")),
        _ => String::new(),
    };
    let weeks = ground.task.weeks;
    let span = if weeks > 1 { format!("{span} ({}/{weeks})", week + 1) } else { span };
    let shows = desk.shows().len();
    let word = if shows == 1 { "show" } else { "shows" };
    let hours = f64::from(verdict.minutes) / 60.0;
    let guess = if planner.guessed.0 && shows > 0 { "?" } else { "" };
    let mut tail: Vec<(String, Style)> = vec![
        (format!("{shows} {word} {hours:.1} h"), palette.text),
        (format!("worth {:.0}{guess}", verdict.worth), palette.selected),
    ];
    match verdict.breaches.len() {
        0 => {}
        n => tail.push((format!("! {n} broken"), palette.bad)),
    }
    if planner.saving {
        tail.push(("saving".into(), palette.dim));
    } else if planner.unsaved() {
        tail.push(("unsaved".into(), palette.warn));
    }
    let columns: u16 = tail.iter().map(|(text, _)| width(text) + 2).sum();
    let mut row = Row::new(buf, area, 0);
    row.badge("PLAN", 6, palette.rehearsal).gap(1);
    let span_columns = width(&span) + 2;
    let title = row.rest().saturating_sub(columns + span_columns);
    row.left(&planner.title, title, palette.selected).gap(2).put(&span, palette.text);
    row.skip_to(columns - 2);
    for (index, (text, style)) in tail.iter().enumerate() {
        row.gap(if index == 0 { 0 } else { 2 }).put(text, *style);
    }
}

/// `1 d 03:12:45`
fn long(left: SignedDuration) -> String {
    let s = u64::try_from(left.as_secs()).unwrap_or(0);
    match s / 86_400 {
        0 => clock(s * 1000),
        days => format!("{days} d {}", clock(s % 86_400 * 1000)),
    }
}

/// What is next on air, and what is waited for.
pub(super) fn next(
    planner: &Planner,
    desk: &Desk,
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let ground = desk.ground();
    let mut row = Row::new(buf, area, 0);
    let waited = match &planner.computing {
        Some(asked) => {
            let since = planner.now.duration_since(asked.since).as_secs().max(0);
            format!("computing a proposal, {since} s")
        }
        None => match planner.focus {
            Some(market) => format!("heat: {}", ground.task.demands[market].market),
            None => "heat: all markets".into(),
        },
    };
    let computing = planner.computing.is_some();
    let columns = row.rest().saturating_sub(width(&waited) + 2);
    match planner.next() {
        None if desk.shows().is_empty() => {
            let text = "no show yet: a adds one, f finds a proposal";
            row.left(text, columns, palette.dim);
        }
        None => {
            row.left("no show of this plan lies ahead", columns, palette.dim);
        }
        Some((index, on)) => {
            let show = &desk.shows()[index];
            let host = &ground.task.hosts[show.host].name;
            let markets: Vec<&str> =
                show.markets.iter().map(|m| ground.task.demands[*m].market.as_str()).collect();
            let markets = markets.join(", ");
            let (word, left) = if on {
                ("planned now", show.end().duration_since(planner.now))
            } else {
                ("next on air", show.start.duration_since(planner.now))
            };
            let when = ground.clock(show.start);
            let way = if on { "left" } else { "in" };
            let text = format!("{word}: {when} {host} for {markets}, {way} {}", long(left));
            row.left(&text, columns, if on { palette.good } else { palette.text });
        }
    }
    let style = if computing { palette.warn } else { palette.dim };
    row.skip_to(width(&waited)).put(&waited, style);
}

/// What the last key did; else what should be known.
pub(super) fn said(planner: &Planner, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let mut row = Row::new(buf, area, 0);
    if let Some(said) = &planner.said {
        let (mark, style) = if said.warning { ("!", palette.warn) } else { ("·", palette.text) };
        row.put(mark, style).gap(1).put(&said.text, style);
    } else if planner.proposal.is_none()
        && let Some((mark, text)) = planner.all_notes().into_iter().next()
    {
        row.put(mark, palette.dim).gap(1).put(&text, palette.dim);
    }
}

/// The keys that are worth a place.
pub(super) fn keys(planner: &Planner, palette: &Palette, area: Rect, buf: &mut Buffer) {
    const EDIT: [(&str, &str); 11] = [
        ("a", "add"),
        ("f", "propose"),
        ("S", "save"),
        ("u", "undo"),
        ("J K", "move"),
        ("+ -", "length"),
        ("x", "remove"),
        ("h", "host"),
        ("m", "markets"),
        ("l", "lock"),
        ("e", "notes"),
    ];
    const COMPARE: [(&str, &str); 3] =
        [("y", "take it"), ("n", "drop it"), ("tab", "the other one")];
    let keys: &[(&str, &str)] = if planner.proposal.is_some() { &COMPARE } else { &EDIT };
    let tail: &[(&str, &str)] = if planner.in_show {
        &[("p", "panic"), ("esc", "back"), ("?", "help")]
    } else {
        &[("q", "leave"), ("?", "help")]
    };
    row::keys(buf, area, palette, keys, tail);
}
