//! Figures in lines: the program's sound, what a viewer gets, what the engine does. Each figure has its place
//! and keeps it; those that do not fit on a line go to the next, in an order that never changes.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{inputs::meter, row::Row};
use crate::{
    base::MonitorId,
    console::{
        state::State,
        text::{DASH, count, figure, width},
        theme::Palette,
    },
    show::Mode,
    stats::{Grade, Meters, WatchFigures},
};

/// The columns of a line's name.
const NAME: u16 = 8;
/// Blanks between two figures.
const GAP: u16 = 2;

/// One figure: `p50   12.3 ms`.
struct Piece {
    name: &'static str,
    value: String,
    /// Columns of the value.
    columns: u16,
    unit: &'static str,
    style: Style,
}

impl Piece {
    /// In the usual style; a dash is dim.
    fn new(
        palette: &Palette,
        name: &'static str,
        value: String,
        columns: u16,
        unit: &'static str,
    ) -> Self {
        let style = if value == DASH { palette.dim } else { palette.text };
        Self { name, value, columns, unit, style }
    }

    fn width(&self) -> u16 {
        let beside = |text: &str| width(text) + u16::from(!text.is_empty());
        beside(self.name) + self.columns + beside(self.unit)
    }
}

struct Line {
    name: String,
    pieces: Vec<Piece>,
}

/// Monitors from outside that have a line; more do not fit beside what an operator needs.
const MONITORS: usize = 3;
/// Rows of a screen that are wanted for other things before monitors have any.
const BEFORE_MONITORS: u16 = 19;

/// Rows wanted in that width, on a screen of so many rows.
pub(super) fn height(state: &State, columns: u16, rows: u16) -> u16 {
    let said = super::chat::height(state);
    let monitors = MONITORS.min(usize::from(rows.saturating_sub(BEFORE_MONITORS + said)));
    height_with(state, columns, monitors) + said
}

fn height_with(state: &State, columns: u16, monitors: usize) -> u16 {
    // Places depend on names, units and columns only, never on values: any palette and no figures will do.
    let palette = Palette::new(crate::console::Theme::Mono, crate::console::theme::Depth::Mono);
    let lines = lines(state, None, (columns, monitors), &palette);
    lines.iter().map(|l| flow(l, columns).len() as u16).sum()
}

pub(super) fn figures(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let meters = state.figures();
    let said = super::chat::height(state);
    let fits = |monitors: &usize| height_with(state, area.width, *monitors) + said <= area.height;
    let monitors = (0..=MONITORS).rev().find(fits).unwrap_or(0);
    let mut y = 0;
    for line in lines(state, meters, (area.width, monitors), palette) {
        for (nth, pieces) in flow(&line, area.width).into_iter().enumerate() {
            let mut row = Row::new(buf, area, y);
            row.left(if nth == 0 { &line.name } else { "" }, NAME - 1, palette.heading).gap(1);
            for piece in pieces {
                draw(piece, palette, &mut row);
                row.gap(GAP);
            }
            // What is left of the sound's line is its meter.
            let left = row.rest();
            if y == 0 && left >= 4 {
                meter(meters.map(|m| m.program), false, left.min(40), palette, &mut row);
            }
            y += 1;
        }
    }
    super::chat::row(state, area, y, buf);
}

fn draw(piece: &Piece, palette: &Palette, row: &mut Row) {
    if !piece.name.is_empty() {
        row.put(piece.name, palette.dim).gap(1);
    }
    row.right(&piece.value, piece.columns, piece.style);
    if !piece.unit.is_empty() {
        row.gap(1).put(piece.unit, palette.dim);
    }
}

/// Parts the figures into rows.
fn flow(line: &Line, columns: u16) -> Vec<Vec<&Piece>> {
    let mut rows = vec![Vec::new()];
    let mut used = NAME;
    for piece in &line.pieces {
        let w = piece.width();
        if used + w > columns && used > NAME {
            rows.push(Vec::new());
            used = NAME;
        }
        used += w + GAP;
        if let Some(row) = rows.last_mut() {
            row.push(piece);
        }
    }
    rows
}

/// One who watches from outside, beside what the stage's own viewers have.
fn outside(id: &MonitorId, meters: Option<&Meters>, columns: u16, palette: &Palette) -> Line {
    let seen = meters.and_then(|m| m.monitors.get(id));
    let verdict = meters.and_then(|m| m.monitor_verdicts.get(id));
    let piece = |name, value, columns, unit| Piece::new(palette, name, value, columns, unit);
    let latency = seen.and_then(|w| w.latency);
    let mut word = piece("", verdict.map_or(DASH, |v| v.grade.word()).to_owned(), 8, "");
    word.style = match verdict.map(|v| v.grade) {
        None => palette.dim,
        Some(Grade::Good) => palette.good,
        Some(Grade::Strained) => palette.warn,
        Some(Grade::Late | Grade::Stalling | Grade::Down) => palette.bad,
    };
    let mut gap = piece("gap", figure(seen.map(|w| w.gap_ms as f64), 0), 5, "ms");
    if seen.is_some_and(|w| w.frozen) {
        gap.style = palette.bad;
    }
    let mut pieces = vec![
        word,
        piece("p50", figure(latency.map(|l| l.p50_ms), 1), 6, ""),
        piece("p95", figure(latency.map(|l| l.p95_ms), 1), 6, "ms"),
        gap,
    ];
    // One row each, also where there is little room.
    if columns >= 76 {
        pieces.insert(3, piece("freezes", seen.map_or(DASH.into(), |w| count(w.freezes)), 4, ""));
    }
    Line { name: id.to_string(), pieces }
}

fn lines(
    state: &State,
    meters: Option<&Meters>,
    (columns, monitors): (u16, usize),
    palette: &Palette,
) -> Vec<Line> {
    let encoder = state.show.encoder.as_deref();
    let piece = |name, value, columns, unit| Piece::new(palette, name, value, columns, unit);
    let warned = |name, value: Option<u64>, columns| {
        let mut piece = piece(name, value.map_or(DASH.into(), count), columns, "");
        if value.is_some_and(|v| v > 0) {
            piece.style = palette.warn;
        }
        piece
    };
    let loudness = meters.map(|m| m.loudness).unwrap_or_default();
    let limiter = meters.map(|m| f64::from(m.limiter_db));
    let mut limited = piece("limiter", figure(limiter, 1), 4, "dB");
    if limiter.is_some_and(|db| db >= 0.1) {
        limited.style = palette.warn;
    }
    let sound = vec![
        piece("M", figure(loudness.momentary, 1), 5, ""),
        piece("S", figure(loudness.short_term, 1), 5, ""),
        piece("I", figure(loudness.integrated, 1), 5, "LUFS"),
        limited,
    ];
    let monitor = meters.and_then(|m| m.monitor.as_ref());
    let latency = monitor.and_then(|w| w.latency);
    let gap = |w: &WatchFigures| w.gap_ms as f64;
    let mut open = piece("gap", figure(monitor.map(gap), 0), 5, "ms");
    if monitor.is_some_and(|w| w.frozen) {
        open.style = palette.bad;
    }
    let watched = meters.map_or(DASH.into(), |m| m.viewers.len().to_string());
    let viewers = vec![
        Piece { name: "", value: watched, columns: 3, unit: "", style: palette.text },
        piece("latency p50", figure(latency.map(|l| l.p50_ms), 1), 6, ""),
        piece("p95", figure(latency.map(|l| l.p95_ms), 1), 6, "ms"),
        warned("freezes", monitor.map(|w| w.freezes), 4),
        open,
    ];
    let frames = meters.map(|m| m.frames);
    let process = meters.map(|m| m.process).unwrap_or_default();
    let megabytes = process.resident_bytes.map(|b| b as f64 / 1e6);
    let engine = vec![
        warned("dropped", frames.map(|f| f.dropped), 5),
        warned("repeated", frames.map(|f| f.repeated), 5),
        piece("cpu", figure(process.cpu_percent, 0), 4, "%"),
        piece("mem", figure(megabytes, 0), 4, "MB"),
        piece("", format!("{:<11}", encoder.unwrap_or(DASH)), 11, ""),
    ];
    let named = |name: &str, pieces| Line { name: name.to_owned(), pieces };
    let rehearsed = state.show.mode == Mode::Rehearse;
    let watching = state.show.spec.monitors.iter().filter(|_| !rehearsed).take(monitors);
    let mut lines = vec![named("sound", sound), named("viewers", viewers)];
    lines.extend(watching.map(|spec| outside(&spec.id, meters, columns, palette)));
    lines.push(named("engine", engine));
    lines
}
