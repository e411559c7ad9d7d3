//! The inputs: state in words, level, frames, gain. One that is down says why instead of its figures.

use ratatui::{buffer::Buffer, layout::Rect};

use super::row::{Row, heading, window};
use crate::{
    console::{
        state::{Focus, State},
        text::{DASH, figure},
        theme::Palette,
    },
    show::{InputState, InputStatus},
    stats::Level,
};

/// The meter's ends, in dBFS.
const SPAN: (f32, f32) = (-60.0, 0.0);
/// Above this yellow, above that red, in dBFS: the reach of speech, and what is left before clipping.
const ZONES: (f32, f32) = (-18.0, -6.0);

/// Columns right of the level: dB, frames, gain, with a blank before each.
const TAIL: u16 = 5 + 6 + 5;

pub(super) fn inputs(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let all = &state.show.inputs;
    let rows = window(all.len(), usize::from(area.height.saturating_sub(1)), state.input);
    let name = if rows.len() < all.len() {
        format!("INPUTS {}-{}/{}", rows.start + 1, rows.end, all.len())
    } else {
        "INPUTS".into()
    };
    heading(buf, area, palette, &name, &[("level", TAIL), ("dB", 11), ("fps", 5), ("gain", 0)]);
    if all.is_empty() {
        Row::new(buf, area, 1).gap(1).put("the show has no inputs", palette.dim);
    }
    for (line, index) in rows.enumerate() {
        let selected = index == state.input && state.focus == Focus::Inputs;
        input(state, &all[index], selected, &mut Row::new(buf, area, line as u16 + 1));
    }
}

fn input(state: &State, input: &InputState, selected: bool, row: &mut Row) {
    let palette = &state.palette;
    let figures = state.figures().and_then(|m| m.inputs.get(&input.spec.id)).copied();
    let (mark, style) = if selected { ("▸", palette.selected) } else { (" ", palette.text) };
    row.put(mark, palette.key);
    let wide = row.rest() > 60;
    row.left(input.spec.id.as_str(), if wide { 14 } else { 9 }, style).gap(1);
    let (word, style) = match input.status {
        InputStatus::Starting => ("starting", palette.warn),
        InputStatus::Up { .. } => ("up", palette.good),
        InputStatus::Failed { .. } => ("FAILED", palette.bad),
        InputStatus::Ended => ("ended", palette.dim),
    };
    row.left(word, 8, style).gap(1);
    let middle = row.rest().saturating_sub(TAIL);
    if let InputStatus::Failed { reason, retry_at } = &input.status {
        // The reason takes the place of figures that there are none of; where there is little room, of
        // the time to the next try too.
        if middle < 16 {
            row.left(reason, middle + 5, palette.warn);
        } else {
            let now = state.engine_ms();
            let wait = retry_at.map(|at| at.as_ms().saturating_sub(now).div_ceil(1000));
            let again = wait.map_or(String::new(), |s| format!("{s:>3} s"));
            row.left(reason, middle - 1, palette.warn).gap(1).right(&again, 5, palette.dim);
        }
    } else {
        let level = figures.and_then(|f| f.level);
        meter(level, input.muted, middle, palette, row);
        let peak = level.filter(|l| l.peak > SPAN.0).map(|l| f64::from(l.peak));
        let style = if input.muted { palette.dim } else { palette.text };
        row.gap(1).right(&figure(peak, 0), 4, style);
    }
    row.gap(1);
    match figures {
        Some(f) if f.slate => row.right("SLATE", 5, palette.warn),
        Some(f) => row.right(&figure(f.fps.map(f64::from), 1), 5, palette.text),
        None => row.right(DASH, 5, palette.dim),
    };
    row.gap(1);
    if input.muted {
        row.right("MUTE", 4, palette.warn);
    } else {
        let db = figure(Some(f64::from(input.gain.0)), 0);
        let sign = if db.starts_with('-') || db == "0" { "" } else { "+" };
        row.right(&format!("{sign}{db}"), 4, palette.dim);
    }
}

/// A level: a heavy line to the RMS, an upright mark at the peak, on a thin line. The three zones have their
/// colours; what is muted has none.
pub(super) fn meter(
    level: Option<Level>,
    muted: bool,
    columns: u16,
    palette: &Palette,
    row: &mut Row,
) {
    let halves = f32::from(columns) * 2.0;
    let at = |db: f32| ((db - SPAN.0) / (SPAN.1 - SPAN.0)).clamp(0.0, 1.0) * halves;
    let Some(level) = level else {
        row.fill("┄", columns, palette.rule);
        return;
    };
    let rms = at(level.rms).round() as u16;
    let peak =
        (level.peak > SPAN.0).then(|| (at(level.peak) / 2.0).ceil() as u16).map(|p| p.max(1) - 1);
    for column in 0..columns {
        let db = SPAN.0 + (f32::from(column) + 0.5) / f32::from(columns) * (SPAN.1 - SPAN.0);
        let zone = match db {
            _ if muted => palette.dim,
            db if db >= ZONES.1 => palette.bad,
            db if db >= ZONES.0 => palette.warn,
            _ => palette.good,
        };
        if Some(column) == peak {
            row.put("┃", zone);
        } else if column * 2 + 1 < rms {
            row.put("━", zone);
        } else if column * 2 < rms {
            row.put("╾", zone);
        } else {
            row.put("─", palette.rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;
    use crate::console::theme::{Depth, Theme};

    fn drawn(peak: f32, rms: f32) -> String {
        let area = Rect::new(0, 0, 10, 1);
        let mut buf = Buffer::empty(area);
        let palette = Palette::new(Theme::Dark, Depth::True);
        meter(Some(Level { peak, rms }), false, 10, &palette, &mut Row::new(&mut buf, area, 0));
        buf.content().iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn a_level_is_as_long_as_it_is_loud() {
        assert_eq!(drawn(-100.0, -100.0), "──────────");
        assert_eq!(drawn(-12.0, -30.0), "━━━━━──┃──");
        assert_eq!(drawn(-12.0, -27.0), "━━━━━╾─┃──");
        assert_eq!(drawn(0.0, -0.5), "━━━━━━━━━┃");
        assert_eq!(drawn(-59.0, -70.0), "┃─────────");
    }
}
