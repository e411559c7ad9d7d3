//! The chat in the console of a show: its pane, and what is never out of sight where the pane is: how much came, what is
//! complained of, which sources are not read.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    places::Places,
    row::{Row, keys},
};
use crate::console::{
    chat,
    state::{Pane, State},
    text::{clip, count, width},
};

/// Columns of a row's name, as the figures have it.
const NAME: u16 = 8;
/// Complaints that are named.
const NAMED: usize = 2;

/// Whether the chat fills the screen.
pub(super) fn is_zoomed(state: &State, places: &Places) -> bool {
    let chosen = state.pane == Pane::Chat && state.chat.is_some();
    chosen && (state.zoomed || places.chat.is_none())
}

/// The pane.
pub(super) fn pane(state: &State, area: Rect, buf: &mut Buffer) {
    if let Some(pane) = &state.chat {
        chat::paint(buf, area, pane, state.chat_now());
    }
}

/// The pane beside the picture, and a line between the two.
pub(super) fn beside(state: &State, area: Rect, buf: &mut Buffer) {
    let style = if state.pane == Pane::Chat { state.palette.key } else { state.palette.rule };
    let line = Rect { x: area.x.saturating_sub(1), width: 1, ..area };
    for y in 0..line.height {
        Row::new(buf, line, y).put("│", style);
    }
    pane(state, area, buf);
}

/// The keys of the show that work while the chat has the focus beside the picture.
pub(super) fn footer(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    if state.is_typing() {
        let offered = [("ctrl-p", "panic")];
        return keys(buf, area, palette, &offered, &[("esc", "ends typing")]);
    }
    let offered = [("p", "panic"), ("1 to 9", "scenes"), ("z", "whole screen")];
    keys(buf, area, palette, &offered, &[("c", "back to the show"), ("?", "chat keys")]);
}

/// What viewers complain of: `lag 14  no sound 3`; empty where nobody does.
pub(super) fn complaints(state: &State) -> String {
    let Some(pane) = &state.chat else { return String::new() };
    let said = pane.said_wrong(state.chat_now());
    let named = said.iter().take(NAMED).map(|(word, count)| format!("{word} {count}"));
    named.collect::<Vec<_>>().join("  ")
}

/// The sources that are not read: `yt FAILED`, or how many.
fn trouble(state: &State) -> String {
    let Some(pane) = &state.chat else { return String::new() };
    let mut all = pane.in_trouble();
    match (all.next(), all.count()) {
        (None, _) => String::new(),
        (Some((id, word)), 0) => format!("{} {word}", clip(id.as_str(), 10)),
        (Some(_), more) => format!("{} NOT READ", more + 1),
    }
}

/// Rows of [`row`].
pub(super) fn height(state: &State) -> u16 {
    u16::from(state.chat.is_some())
}

/// The chat in one row, beside what was measured.
pub(super) fn row(state: &State, area: Rect, index: u16, buf: &mut Buffer) {
    let Some(pane) = &state.chat else { return };
    let palette = &state.palette;
    let mut row = Row::new(buf, area, index);
    row.left("chat", NAME - 1, palette.heading).gap(1);
    let (complaints, trouble) = (complaints(state), trouble(state));
    if !pane.is_beside() {
        let unseen = pane.unseen();
        let lit = |n: u64, style: Style| if n > 0 { style } else { palette.dim };
        for (name, value, style) in [
            ("new", unseen.lines, palette.text),
            ("orders", unseen.orders, palette.good),
            ("questions", unseen.questions, palette.key),
        ] {
            // Complaints and sources in trouble are worth more than the last of the counts.
            if row.rest() < width(name) + 6 + 2 + 16 {
                break;
            }
            row.put(name, palette.dim).gap(1);
            row.right(&count(value), 5, lit(value, style)).gap(2);
        }
    }
    let room = row.rest().saturating_sub(if trouble.is_empty() { 0 } else { width(&trouble) + 2 });
    row.left(&complaints, room, palette.bad);
    if complaints.is_empty() && trouble.is_empty() && pane.is_beside() {
        row = Row::new(buf, area, index);
        row.gap(NAME).put("no complaint in the last minute, every source is read", palette.dim);
    }
    if !trouble.is_empty() {
        row.gap(2).put(&trouble, palette.bad);
    }
}

/// The chat in a few words, for the header of a view that shows none of it, and whether they are alarming.
pub(super) fn notice(state: &State) -> Option<(String, bool)> {
    let pane =
        state.chat.as_ref().filter(|_| matches!(state.pane, Pane::Statistics | Pane::Planner))?;
    let mut all = vec![trouble(state), complaints(state)];
    all.retain(|words| !words.is_empty());
    if !all.is_empty() {
        return Some((all.join("  "), true));
    }
    let unseen = pane.unseen();
    (unseen.lines > 0).then(|| (format!("chat {} new", count(unseen.lines)), false))
}
