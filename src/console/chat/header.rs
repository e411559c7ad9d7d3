//! The head of the pane: what is filtered, complaints of the last minute, and how each source is doing.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    complaints,
    list::seconds,
    state::{Pane, Standing},
};
use crate::{
    base::Now,
    chat::{
        told::{SourceState, Status},
        view::Only,
    },
    console::{
        text::{clip, count, width},
        theme::Palette,
        view::row::Row,
    },
};

/// Rows of the sources, and of what is wrong with them.
const SOURCES: usize = 2;
const TROUBLES: usize = 2;
/// Letters of a reason.
const REASON: usize = 400;

/// Milliseconds since then.
pub(super) fn age_ms(at: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(at).as_millis()).unwrap_or(0)
}

/// How long ago, coarse enough to stand still: `now`, `20 s`, `3 min`.
fn age(ms: u64) -> String {
    match ms / 1_000 {
        0..10 => "now".to_owned(),
        s @ 10..60 => format!("{} s", s / 10 * 10),
        s => seconds(Duration::from_secs(if s < 120 { s / 30 * 30 } else { s })),
    }
}

/// A source in a few words, each with its style; and whether it needs attention.
fn source(pane: &Pane, state: &SourceState, now: Now) -> (Vec<(String, Style)>, bool) {
    let palette = &pane.palette;
    let heard = state.heard.map(|at| age_ms(at, now.wall));
    let (word, style, trouble) = match &state.status {
        Status::Connecting => ("connecting", palette.warn, false),
        Status::Silent { overdue: true, .. } => ("SILENT", palette.warn, true),
        Status::Silent { .. } => ("quiet", palette.warn, false),
        Status::Live => ("live", palette.good, false),
        Status::Waiting { .. } => ("RETRYING", palette.bad, true),
        Status::Failed { .. } => ("FAILED", palette.bad, true),
        Status::Ended => ("ended", palette.dim, false),
    };
    let mut words =
        vec![(clip(state.id.as_str(), 16), palette.selected), (format!(" {word}"), style)];
    let heard = heard.filter(|_| state.status != Status::Ended);
    words.push((heard.map_or(String::new(), |ms| format!(" {}", age(ms))), palette.dim));
    words.push((format!(" #{}", count(state.messages)), palette.dim));
    if state.unreadable > 0 {
        words.push((format!(" {} unreadable", count(state.unreadable)), palette.warn));
    }
    (words, trouble)
}

type Words = Vec<(String, Style)>;

fn columns(words: &Words) -> u16 {
    words.iter().map(|(word, _)| width(word)).sum()
}

/// The sources in rows; where there are too many, those that need attention come first.
fn sources(pane: &Pane, columns_: u16, now: Now) -> Vec<Vec<Words>> {
    let flow = |all: &[Words]| {
        let (mut rows, mut used) = (vec![Vec::new()], 0);
        for words in all {
            let w = columns(words) + 2;
            if used > 0 && used + w > columns_ {
                rows.push(Vec::new());
                used = 0;
            }
            used += w;
            if let Some(row) = rows.last_mut() {
                row.push(words.clone());
            }
        }
        rows
    };
    let mut all: Vec<(Words, bool)> =
        pane.sources.iter().map(|state| source(pane, state, now)).collect();
    let words = |all: &[(Words, bool)]| all.iter().map(|(w, _)| w.clone()).collect::<Vec<_>>();
    let rows = flow(&words(&all));
    if rows.len() <= SOURCES {
        return rows;
    }
    all.sort_by_key(|(_, trouble)| !trouble);
    for kept in (1..all.len()).rev() {
        let mut some = words(all.get(..kept).unwrap_or_default());
        some.push(vec![(format!("+{} more", all.len() - kept), pane.palette.dim)]);
        let rows = flow(&some);
        if rows.len() <= SOURCES {
            return rows;
        }
    }
    flow(&words(&all)).into_iter().take(SOURCES).collect()
}

/// As much of a reason as a row can hold.
fn short(why: &str) -> String {
    why.chars().take(REASON).collect()
}

/// Why a source is not read, and what this pane has missed.
fn troubles(pane: &Pane) -> Vec<(String, Style)> {
    let palette = &pane.palette;
    let mut found: Vec<(String, Style)> = pane
        .sources
        .iter()
        .filter_map(|state| match &state.status {
            Status::Failed { why } => {
                Some((format!("! {}: {}", state.id, short(why)), palette.bad))
            }
            Status::Waiting { why, retry_in_ms } => {
                let wait = seconds(Duration::from_millis(*retry_in_ms));
                let text =
                    format!("! {}: {}; waits {wait} before the next try", state.id, short(why));
                Some((text, palette.warn))
            }
            _ => None,
        })
        .collect();
    if found.len() > TROUBLES {
        let more = found.len() - TROUBLES + 1;
        found.truncate(TROUBLES - 1);
        found.push((format!("! and {more} more sources are not read"), palette.bad));
    }
    if pane.missed > 0 {
        let text = format!("! {} steps were missed: this terminal is too slow", pane.missed);
        found.push((text, palette.bad));
    }
    found
}

/// Rows that the head takes.
pub(super) fn rows(pane: &Pane, columns: u16, now: Now) -> u16 {
    (1 + sources(pane, columns, now).len() + troubles(pane).len()) as u16
}

/// What the list is reduced to.
fn filter(pane: &Pane) -> String {
    let only = pane.view.filter().only.iter().map(|only| match only {
        Only::Orders => "orders",
        Only::Questions => "questions",
        Only::Complaints => "complaints",
        Only::FirstTimers => "first-timers",
        Only::Moderators => "moderators",
        Only::Held => "held",
    });
    let only: Vec<_> = only.collect();
    let mut text =
        if only.is_empty() { String::new() } else { format!("only {}", only.join(", ")) };
    if pane.view.filter().query.is_some() {
        let and = if text.is_empty() { "" } else { "   " };
        text = format!("{text}{and}search: {}", pane.search);
    }
    text
}

pub(super) fn draw(pane: &Pane, palette: &Palette, area: Rect, buf: &mut Buffer, now: Now) {
    let complaints: Vec<String> = pane
        .complaints
        .counts(now.mono)
        .into_iter()
        .take(4)
        .map(|(complaint, count)| format!("{} {count}", complaints::word(complaint)))
        .collect();
    let held = pane.control.held.len();
    let held = (held > 0).then(|| format!("{held} held"));
    let lost = super::pages::not_sent(pane);
    let lost = (lost > 0).then(|| format!("{lost} not sent"));
    let complaints: Vec<_> = held.into_iter().chain(lost).chain(complaints).collect();
    let complaints = complaints.join("  ");
    let mut row = Row::new(buf, area, 0);
    let badge = match pane.standing {
        Standing::Beside { focused: false } => palette.off,
        _ => palette.rehearsal,
    };
    row.badge("CHAT", 6, badge).gap(1);
    if pane.standing == (Standing::Beside { focused: true }) {
        row.put("focused", palette.key).gap(1);
    }
    row.gap(1);
    let beside = if complaints.is_empty() { 0 } else { width(&complaints) + 2 };
    let room = row.rest().saturating_sub(beside);
    if pane.is_filtered() {
        row.left(&filter(pane), room, palette.key);
    } else {
        row.left(if pane.ended { "all sources have ended" } else { "" }, room, palette.dim);
    }
    let rest = row.rest();
    row.right(&complaints, rest, palette.bad);
    let mut y = 1;
    for words in sources(pane, area.width, now) {
        let mut row = Row::new(buf, area, y);
        for one in words {
            for (word, style) in one {
                row.put(&word, style);
            }
            row.gap(2);
        }
        y += 1;
    }
    for (text, style) in troubles(pane) {
        Row::new(buf, area, y).put(&text, style);
        y += 1;
    }
}
