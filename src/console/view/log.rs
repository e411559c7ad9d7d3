//! What happened, newest at the bottom, whole sentences; and the keys that work now.

use jiff::{Timestamp, tz::TimeZone};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::row::{Row, heading, keys_width};
use crate::{
    base::Severity,
    console::{
        keys::meant,
        state::{Line, Mark, Pane, State},
        text::wrap,
        theme::Palette,
    },
    show::registry::ROWS,
};

/// Rows one sentence may take.
const ROWS_EACH: usize = 3;
/// Columns before the sentence: time, mark.
const BEFORE: u16 = 8 + 1 + 1 + 1;

/// What happened, or what had by then.
pub(super) fn log(state: &State, until: Option<Timestamp>, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    heading(buf, area, palette, "LOG", &[]);
    let rows = usize::from(area.height.saturating_sub(1));
    let columns = area.width.saturating_sub(BEFORE);
    // From the newest back, until the place is full.
    let mut seen: Vec<(Option<&Line>, String, Style)> = Vec::new();
    for line in state.log.iter().rev().filter(|l| until.is_none_or(|until| l.at <= until)) {
        if seen.len() >= rows {
            break;
        }
        let style = look(line.mark, palette).1;
        let mut text = wrap(&line.text, columns);
        text.truncate(ROWS_EACH);
        while let Some(last) = text.pop() {
            let first = text.is_empty().then_some(line);
            seen.push((first, last, style));
        }
    }
    seen.truncate(rows);
    for (y, (first, text, style)) in seen.iter().rev().enumerate() {
        let mut row = Row::new(buf, area, y as u16 + 1);
        match first {
            Some(line) => {
                let (mark, style) = look(line.mark, palette);
                row.left(&time(line, &state.zone), 8, palette.dim).gap(1).left(mark, 1, style);
            }
            None => {
                row.gap(BEFORE - 1);
            }
        }
        row.gap(1).put(text, *style);
    }
}

fn time(line: &Line, zone: &TimeZone) -> String {
    let at = zone.to_datetime(line.at).time();
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// A sign and a style: the sign alone says it too.
fn look(mark: Mark, palette: &Palette) -> (&'static str, Style) {
    match mark {
        Mark::Event(Severity::Info) => ("·", palette.text),
        Mark::Event(Severity::Warning) => ("!", palette.warn),
        Mark::Event(Severity::Critical) => ("✗", palette.bad),
        Mark::Refused => ("?", palette.key),
    }
}

/// The order in which keys are worth a place in the footer.
const FIRST: [&str; 13] = [
    "acknowledge",
    "take-preview",
    "next-segment",
    "panic",
    "resume",
    "go-live",
    "mute",
    "set-transition",
    "stop-output",
    "end-show",
    "restart-input",
    "unmute",
    "mark",
];

/// A word for a command: `take-preview` is `take`.
fn word(name: &str) -> String {
    let name = name.strip_prefix("set-").unwrap_or(name);
    let name = ["-preview", "-input", "-output", "-show"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    name.replace('-', " ")
}

pub(super) fn footer(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    if state.pane == Pane::Statistics && !state.leaving() {
        return super::statistics::footer(state, area, buf);
    }
    let mut row = Row::new(buf, area, 0);
    if state.leaving() {
        row.put("q", palette.key).put(
            " again leaves the console; the show goes on (hawker attach takes it up)",
            palette.warn,
        );
        return;
    }
    if state.pane == Pane::Chat {
        return super::chat::footer(state, area, buf);
    }
    let always = [("c", "chat"), ("s", "figures"), ("q", "leave"), ("?", "help")];
    let always = always.get(usize::from(state.chat.is_none())..).unwrap_or(&always);
    let tail = keys_width(always);
    for name in FIRST {
        let Some(known) = ROWS.iter().find(|r| r.name == name) else { continue };
        let Some(command) = meant(state, name) else { continue };
        let twin = name == "unmute" && command.name() == "unmute";
        let Some(chord) = known.chord else { continue };
        // A key that would be refused is not offered; `unmute` is what `mute` does to a muted input.
        if twin || state.show.allows(&command).is_err() {
            continue;
        }
        let word = word(command.name());
        let key = (chord, word.as_str());
        if keys_width(&[key]) + tail <= row.rest() {
            row.key(&key, palette);
        }
    }
    row.skip_to(tail - 2);
    for key in always {
        row.key(key, palette);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chord_of_the_registry_may_have_a_place() {
        for row in ROWS.iter().filter(|r| r.chord.is_some()) {
            assert!(FIRST.contains(&row.name), "{} is never offered", row.name);
        }
        assert_eq!(word("take-preview"), "take");
        assert_eq!(word("set-transition"), "transition");
        assert_eq!(word("go-live"), "go live");
    }
}
