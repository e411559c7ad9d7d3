//! What lies over the pane: help, notes, hosts and markets to choose from, and the question about what is unsaved.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::console::{
    planner::{
        Planner,
        keys::KEYS,
        state::{Dialog, HostRow, MarketRow},
    },
    text::wrap,
    theme::Palette,
    view::{
        dialog::boxed,
        row::{Row, window},
    },
};

/// Columns of keys in the help.
const KEY: u16 = 7;

pub(super) fn dialog(planner: &Planner, palette: &Palette, area: Rect, buf: &mut Buffer) {
    match &planner.dialog {
        None => {}
        Some(Dialog::Help { from }) => help(*from, palette, area, buf),
        Some(Dialog::Notes { from }) => notes(planner, *from, palette, area, buf),
        Some(Dialog::Hosts { at, rows }) => hosts(planner, *at, rows, palette, area, buf),
        Some(Dialog::Markets { at, rows, chosen }) => {
            markets(planner, *at, rows, chosen, palette, area, buf);
        }
        Some(Dialog::Leaving) => leaving(planner, palette, area, buf),
    }
}

fn help(from: usize, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let inner = area.width.min(80) - 4;
    for key in KEYS.iter().skip(from) {
        for (nth, line) in wrap(key.doc, inner - KEY - 1).into_iter().enumerate() {
            lines.push((if nth == 0 { key.shown } else { "" }, line));
        }
    }
    let size = (inner + 4, lines.len() as u16 + 2);
    let title = "the planner's keys   ↑↓ more";
    let inside = boxed(palette, area, size, title, palette.rule, buf);
    for (y, (key, doc)) in lines.iter().enumerate() {
        let mut row = Row::new(buf, inside, y as u16);
        row.left(key, KEY, palette.key).gap(1).put(doc, palette.text);
    }
}

fn notes(planner: &Planner, from: usize, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let notes = planner.all_notes();
    let inner = area.width.min(100) - 4;
    let mut lines: Vec<(&str, String, Style)> = Vec::new();
    for (mark, text) in notes.iter().skip(from) {
        let style = if *mark == "!" { palette.warn } else { palette.text };
        for (nth, line) in wrap(text, inner - 2).into_iter().enumerate() {
            lines.push((if nth == 0 { mark } else { "" }, line, style));
        }
    }
    if lines.is_empty() {
        lines.push(("·", "nothing: every rule is kept, no clock changes".into(), palette.text));
    }
    let size = (inner + 4, (lines.len() as u16 + 2).min(area.height));
    let inside = boxed(palette, area, size, "to know   ↑↓ more   esc close", palette.rule, buf);
    for (y, (mark, line, style)) in lines.iter().enumerate() {
        Row::new(buf, inside, y as u16).left(mark, 1, *style).gap(1).put(line, *style);
    }
}

/// A list to choose from: a mark, a name, a figure, and what is in the way.
struct Choice<'c> {
    mark: String,
    name: &'c str,
    figure: String,
    why: &'c str,
}

fn choose(
    title: &str,
    at: usize,
    rows: &[Choice<'_>],
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let height = (rows.len() as u16 + 2).min(area.height);
    let inside = boxed(palette, area, (area.width.min(96), height), title, palette.key, buf);
    let seen = window(rows.len(), usize::from(inside.height), at);
    for (y, index) in seen.enumerate() {
        let choice = &rows[index];
        let style = if index == at { palette.selected } else { palette.text };
        let mut row = Row::new(buf, inside, y as u16);
        row.put(if index == at { "▸" } else { " " }, palette.key);
        row.left(&choice.mark, 6, palette.key).gap(1).left(choice.name, 20, style).gap(1);
        row.right(&choice.figure, 8, style).gap(2).put(choice.why, palette.warn);
    }
}

fn hosts(
    planner: &Planner,
    at: usize,
    rows: &[HostRow],
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let Some(desk) = &planner.desk else { return };
    let own = planner.selected().and_then(|i| desk.shows().get(i)).map(|s| s.host);
    let choices: Vec<Choice<'_>> = rows
        .iter()
        .map(|row| Choice {
            mark: if own == Some(row.host) { "now".into() } else { String::new() },
            name: desk.ground().task.hosts.get(row.host).map_or("", |h| h.name.as_str()),
            figure: row.worth.map_or("-".into(), |worth| format!("{worth:+.1}")),
            why: &row.why,
        })
        .collect();
    choose("host   enter takes   esc leaves it", at, &choices, palette, area, buf);
}

fn markets(
    planner: &Planner,
    at: usize,
    rows: &[MarketRow],
    chosen: &[usize],
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let Some(desk) = &planner.desk else { return };
    let ground = desk.ground();
    let start = planner.selected().and_then(|i| desk.shows().get(i)).map(|s| s.start);
    let names: Vec<String> = rows
        .iter()
        .map(|row| {
            let demand = &ground.task.demands[row.market];
            let there = start.map(|at| demand.zone.clock(at).strftime("%a %H:%M").to_string());
            format!("{:<7}{}", demand.market, there.unwrap_or_default())
        })
        .collect();
    let choices: Vec<Choice<'_>> = rows
        .iter()
        .zip(&names)
        .map(|(row, name)| Choice {
            mark: match chosen.iter().position(|m| *m == row.market) {
                Some(0) => "leads".into(),
                Some(_) => "[x]".into(),
                None => "[ ]".into(),
            },
            name,
            figure: format!("{:+.1}", row.worth),
            why: &row.why,
        })
        .collect();
    let title = "markets   space  l leads  enter  esc";
    choose(title, at, &choices, palette, area, buf);
}

fn leaving(planner: &Planner, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let undone = planner.desk.as_ref().map_or(0, |d| d.depth().0);
    let edits = if undone == 1 { "edit" } else { "edits" };
    let text = format!("The plan was changed ({undone} {edits}) and is not saved.");
    let inside = boxed(palette, area, (58, 6), "leave", palette.warn, buf);
    Row::new(buf, inside, 1).gap(1).put(&text, palette.selected);
    let mut row = Row::new(buf, inside, 3);
    row.gap(1);
    for (key, word) in [("s", "save and leave"), ("d", "drop the edits"), ("esc", "stay")] {
        row.put(key, palette.key).gap(1).put(word, palette.text).gap(3);
    }
}
