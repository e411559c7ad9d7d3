//! What lies over the screen: a question, the help; and what stands there when the screen is too small.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    widgets::{Clear, Widget},
};

use super::{places::LEAST, row::Row, statistics};
use crate::{
    console::{
        keys::OWN,
        state::{Dialog, State},
        text::{clip, width, wrap},
        theme::Palette,
    },
    show::{Risk, registry::ROWS},
};

/// Columns of the name of what is explained.
const EXPLAINED: u16 = 20;

/// An empty box in the middle, with a title in its frame; returns its inside.
fn frame(
    state: &State,
    area: Rect,
    size: (u16, u16),
    title: &str,
    style: Style,
    buf: &mut Buffer,
) -> Rect {
    boxed(&state.palette, area, size, title, style, buf)
}

/// The same, of a pane.
pub(in crate::console) fn boxed(
    palette: &Palette,
    area: Rect,
    (w, h): (u16, u16),
    title: &str,
    style: Style,
    buf: &mut Buffer,
) -> Rect {
    let (w, h) = (w.min(area.width), h.min(area.height));
    let at = Rect {
        x: area.x + (area.width - w) / 2,
        y: area.y + (area.height - h) / 2,
        width: w,
        height: h,
    };
    Clear.render(at, buf);
    let across = w.saturating_sub(2);
    for y in 0..h {
        let mut row = Row::new(buf, at, y);
        let (left, middle, right) = match y {
            0 => ("╭", "─", "╮"),
            y if y + 1 == h => ("╰", "─", "╯"),
            _ => ("│", " ", "│"),
        };
        row.put(left, style).fill(middle, across, style).put(right, style);
    }
    Row::new(buf, at, 0).gap(2).put(&format!(" {title} "), palette.heading);
    Rect { x: at.x + 2, y: at.y + 1, width: w.saturating_sub(4), height: h.saturating_sub(2) }
}

pub(super) fn dialog(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let (question, title, keys, style) = match &state.dialog {
        None => return,
        Some(Dialog::Help) => return help(state, area, buf),
        Some(Dialog::Explain { from }) => return explain(state, *from, area, buf),
        Some(Dialog::Confirm { question, command }) => {
            (question, command.name(), "y or enter: yes     esc: no".to_owned(), palette.key)
        }
        Some(Dialog::Arm { question, command, .. }) => {
            let left = state.seconds_armed().unwrap_or(0);
            let keys = format!("ARMED   y: do it     esc: no     disarmed in {left} s");
            (question, command.name(), keys, palette.bad)
        }
    };
    let lines = wrap(question, 52);
    let size = (58, lines.len() as u16 + 5);
    let inside = frame(state, area, size, &title.replace('-', " "), style, buf);
    for (y, line) in lines.iter().enumerate() {
        Row::new(buf, inside, y as u16 + 1).gap(1).put(line, palette.selected);
    }
    Row::new(buf, inside, lines.len() as u16 + 2).gap(1).put(&keys, style);
}

/// The keys and what they do, from the registry.
fn help(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let scenes: String =
        state.show.spec.scenes.iter().filter_map(|s| state.keymap.scene_key(&s.id)).collect();
    let scenes = clip(&scenes, 7);
    let alt = format!("alt {}", clip(&scenes, 5));
    let mut lines: Vec<(String, String, &str)> = Vec::new();
    for row in ROWS {
        let chord = match (row.name, row.chord) {
            (_, Some(chord)) => chord.to_owned(),
            ("preview", None) => scenes.clone(),
            ("cut-to", None) => alt.clone(),
            // `set-gain` is what the console's own + and - give.
            _ => continue,
        };
        let risk = match row.risk {
            Risk::Safe => "",
            Risk::Confirm => "asks first",
            Risk::Arm => "armed, then y",
        };
        lines.push((chord, row.doc.to_owned(), risk));
    }
    for row in OWN.iter().filter(|row| !row.shown.is_empty()) {
        lines.push((row.shown.to_owned(), row.doc.to_owned(), ""));
    }
    let size = (78, lines.len() as u16 + 2);
    let inside = frame(state, area, size, "keys", palette.rule, buf);
    for (y, (chord, doc, risk)) in lines.iter().enumerate() {
        let mut row = Row::new(buf, inside, y as u16);
        row.left(chord, 9, palette.key).gap(1);
        let beside = if risk.is_empty() { 0 } else { width(risk) + 1 };
        let columns = row.rest().saturating_sub(beside);
        row.left(doc, columns, palette.text);
        if !risk.is_empty() {
            row.gap(1).put(risk, palette.warn);
        }
    }
}

/// What the figures mean, from the `from`th on.
fn explain(state: &State, from: usize, area: Rect, buf: &mut Buffer) {
    meanings(&state.palette, &statistics::explained(state), from, area, buf);
}

/// Names and what is to be said of them, from the `from`th on.
pub(in crate::console) fn meanings(
    palette: &Palette,
    all: &[(String, String)],
    from: usize,
    area: Rect,
    buf: &mut Buffer,
) {
    let size = (area.width.saturating_sub(4).min(100), area.height.saturating_sub(2));
    let title = "what it means   ↑↓ more   esc close";
    let inside = boxed(palette, area, size, title, palette.rule, buf);
    let columns = inside.width.saturating_sub(EXPLAINED + 1);
    let mut y = 0;
    for (name, text) in all.iter().skip(from) {
        for (nth, line) in wrap(text, columns).iter().enumerate() {
            let mut row = Row::new(buf, inside, y);
            row.left(if nth == 0 { name } else { "" }, EXPLAINED, palette.key).gap(1);
            row.put(line, palette.text);
            y += 1;
        }
    }
}

/// The screen that says how much screen it takes. The tally stays: it is what must be seen.
pub(super) fn too_small(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let (word, style) = super::header::tally(state);
    let lines = [
        (format!(" {word} "), style),
        ("the show is not affected".into(), palette.text),
        (
            format!(
                "{}x{} is too small: make it {}x{} at least",
                area.width, area.height, LEAST.0, LEAST.1
            ),
            palette.warn,
        ),
        ("p panic   q leave".into(), palette.dim),
    ];
    let mut y = area.height.saturating_sub(lines.len() as u16 + 2) / 2;
    for (text, style) in lines {
        for line in wrap(&text, area.width) {
            let mut row = Row::new(buf, area, y);
            row.gap(area.width.saturating_sub(width(&line)) / 2).put(&line, style);
            y += 1;
        }
    }
}
