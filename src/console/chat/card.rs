//! A line in full, and what is known of who wrote it.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    list::{self, seconds},
    state::Pane,
    view::{short, time},
};
use crate::{
    chat::{Badge, EntryId, Person, Removal, State},
    console::{
        text::{clip, wrap},
        view::{dialog::boxed, row::Row},
    },
};

/// Rows of the line itself.
const MOST_ROWS: usize = 12;
/// Badges of all kinds.
const BADGES: usize = Badge::Bot as usize + 1;

pub(super) fn draw(
    pane: &Pane,
    (id, person): (EntryId, Option<&Person>),
    area: Rect,
    buf: &mut Buffer,
) {
    let palette = &pane.palette;
    let size = (area.width.saturating_sub(4).min(100), area.height.saturating_sub(2));
    let inside = Rect { width: size.0.saturating_sub(4), height: size.1.saturating_sub(2), ..area };
    let mut rows: Vec<(String, Style)> = Vec::new();
    let text = |id: EntryId, text: &str| match pane.room.get(id).map(|entry| entry.state) {
        Some(State::Shown | State::Held) => (text.to_owned(), palette.text),
        Some(state) => (list::removed(state).unwrap_or_default().to_owned(), palette.dim),
        // Whether it was deleted since is not known.
        None => ("(no longer held)".to_owned(), palette.dim),
    };
    match pane.room.get(id).and_then(|entry| entry.message()) {
        Some(message) => {
            let name = clip(list::name(message), inside.width / 2);
            let login = message.author.login.as_ref().map(|login| format!(" ({login})"));
            let line = format!(
                "{name}{}{}  {} {}",
                login.unwrap_or_default(),
                list::badges(message, BADGES),
                message.platform,
                message.source
            );
            rows.push((line, palette.selected));
            if message.author.name.is_empty() {
                rows.push(("the platform withholds the name".into(), palette.dim));
            }
            let (full, style) = text(id, message.text.as_str());
            let (full, style) = if full.is_empty() {
                ("(no text)".to_owned(), palette.dim)
            } else {
                (format!("{}{full}", list::kind(message)), style)
            };
            let lines = wrap(&full, inside.width.max(2));
            let more = lines.len().saturating_sub(MOST_ROWS);
            rows.extend(lines.into_iter().take(MOST_ROWS).map(|line| (line, style)));
            if more > 0 {
                rows.push((format!("… and {more} more rows"), palette.dim));
            }
        }
        None => rows
            .push(("messages are missing here, or the line is no longer held".into(), palette.dim)),
    }
    rows.push((String::new(), palette.text));
    match person.and_then(|person| pane.people.card(person)) {
        Some(card) => {
            let (first, last) = (time(pane, card.first, 8), time(pane, card.last, 8));
            let lines = if card.lines == 1 { "line" } else { "lines" };
            let line = format!("{} {lines}, first {first}, last {last}", card.lines);
            rows.push((line, palette.heading));
            for removed in card.removals.iter().rev() {
                let how = match removed.removal {
                    Removal::Cleared => "lines were removed".to_owned(),
                    Removal::TimedOut(length) => format!("timed out for {}", seconds(length)),
                    Removal::Banned => "banned".to_owned(),
                };
                let line = format!("{} {}: {how}", time(pane, removed.at, 8), removed.source);
                rows.push((line, palette.warn));
            }
            for (id, message) in card.recent.iter().rev() {
                let (line, style) = text(*id, message.text.as_str());
                let at = time(pane, message.at, 8);
                rows.push((format!("{at} {} {line}", short(&message.platform)), style));
            }
        }
        None => rows.push(("nothing is known of the author".into(), palette.dim)),
    }
    let height = (rows.len() as u16 + 2).min(size.1);
    let title = "who wrote it   a answered   t pin   h highlight   esc close";
    let inside = boxed(palette, area, (size.0, height), title, palette.rule, buf);
    for (y, (line, style)) in rows.iter().enumerate() {
        Row::new(buf, inside, u16::try_from(y).unwrap_or(u16::MAX)).put(line, *style);
    }
}
