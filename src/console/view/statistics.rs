//! The statistics: whose figures there are and who has it worst, each figure as it is and as it went, the stages of
//! the frames' way, what happened. All of it of the moment that is looked at.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    gauge::{Columns, Gauge, NAME, UNIT, VALUE},
    grade, log, meaning,
    row::{Row, heading, keys, window},
};
use crate::{
    console::{
        keys::Action,
        state::State,
        statistics::{KEYS, Step, aims},
        text::{DASH, clock, figure, wrap},
        theme::Palette,
    },
    stats::{
        Verdict,
        figure::{Figure, Kind, STAGE, Trait, Who},
    },
};

/// Rows of what happened, with the heading, where there is room.
const LOG: u16 = 6;

/// The places of the pane.
struct Places {
    title: Rect,
    /// What viewers complain of; no row where nobody does.
    said: Rect,
    subjects: Rect,
    figures: Rect,
    log: Rect,
}

fn places(state: &State, area: Rect) -> Places {
    let said = u16::from(!complaints(state).is_empty());
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let log_rows = match area.height {
        0..17 => 0,
        17..30 => 4,
        30..40 => LOG,
        _ => LOG + 4,
    };
    let top = 1 + said;
    let body = inner.height.saturating_sub(top + log_rows);
    let list = if area.width >= 100 { 32 } else { 22 };
    Places {
        title: Rect { height: 1, ..inner },
        said: Rect { y: inner.y + 1, height: said, ..inner },
        subjects: Rect { y: inner.y + top, width: list, height: body, ..inner },
        figures: Rect {
            x: inner.x + list + 2,
            y: inner.y + top,
            width: inner.width.saturating_sub(list + 2),
            height: body,
        },
        log: Rect { y: inner.y + top + body, height: log_rows, ..inner },
    }
}

pub(super) fn statistics(state: &State, area: Rect, buf: &mut Buffer) {
    let places = places(state, area);
    title(state, places.title, buf);
    said_of(state, places.said, buf);
    subjects(state, places.subjects, buf);
    figures(state, places.figures, buf);
    if places.log.height > 1 {
        let until = state.statistics.frozen().map(|at_ms| state.wall(at_ms));
        log::log(state, until, places.log, buf);
    }
}

/// What a click there selects.
pub(super) fn click(state: &State, area: Rect, x: u16, y: u16) -> Option<Action> {
    let place = places(state, area).subjects;
    if !place.contains((x, y).into()) || y == place.y {
        return None;
    }
    let count = state.statistics.subjects(&state.meters).len();
    let rows = usize::from(place.height.saturating_sub(1));
    let shown = window(count, rows, state.statistics.selected(&state.meters));
    let at = shown.start + usize::from(y - place.y - 1);
    (at < count).then_some(Action::Statistics(Step::At(at)))
}

/// When it is, and who has it worst.
fn title(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let mut row = Row::new(buf, area, 0);
    match state.statistics.frozen() {
        Some(at_ms) => {
            let since = at_ms.saturating_sub(state.show.started.as_ms());
            let ago = state.engine_ms().saturating_sub(at_ms) / 1000;
            row.badge("FROZEN", 10, palette.alarm).gap(1);
            row.put(&clock(since), palette.selected).gap(1);
            row.put(&format!("{ago} s ago"), palette.text).gap(2);
        }
        None => {
            row.badge("STATISTICS", 12, palette.off).gap(2);
        }
    }
    match state.statistics.worst(&state.meters) {
        Some((who, verdict)) => {
            let text = format!("worst: {}: {}", words(&who), said(verdict));
            let rest = row.rest();
            row.left(&text, rest, grade(verdict.grade, palette));
        }
        None if is_judged(state) => {
            row.put("all that is measured is well", palette.good);
        }
        None => {
            row.put("nothing to judge is measured", palette.dim);
        }
    }
}

/// What viewers complain of now; nothing of a moment that is past.
fn complaints(state: &State) -> String {
    match state.statistics.frozen() {
        None => super::chat::complaints(state),
        Some(_) => String::new(),
    }
}

/// Complaints of viewers beside what was measured meanwhile.
fn said_of(state: &State, area: Rect, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let palette = &state.palette;
    let mut row = Row::new(buf, area, 0);
    row.badge("CHAT", 12, palette.alarm).gap(2);
    row.put(&complaints(state), palette.bad).gap(2);
    let measured = match state.statistics.worst(&state.meters) {
        Some((who, verdict)) => format!("measured: {}: {}", words(&who), said(verdict)),
        None if is_judged(state) => "while all that is measured is well".to_owned(),
        None => "while nothing to judge is measured".to_owned(),
    };
    row.put(&measured, palette.warn);
}

/// Whether anybody has a verdict.
fn is_judged(state: &State) -> bool {
    let subjects = state.statistics.subjects(&state.meters);
    let judged = |who: &Who| state.statistics.verdict(&state.meters, who).is_some();
    state.figures().is_some() && subjects.iter().any(judged)
}

fn said(verdict: &Verdict) -> String {
    let place = verdict.place.map_or_else(String::new, |p| format!(" ({})", p.words()));
    format!("{}{place}", verdict.words)
}

/// A kind of subject in three letters, and its name.
fn name(state: &State, who: &Who) -> (&'static str, String) {
    match who {
        Who::Program => ("", "program".to_owned()),
        Who::Output(id) => ("out", id.to_string()),
        Who::Monitor(id) => ("mon", id.to_string()),
        Who::Viewer(id) => {
            let viewer = state.meters.viewers.iter().find(|v| v.id == *id);
            ("web", viewer.map_or_else(|| id.clone(), |v| v.browser.clone()))
        }
    }
}

fn words(who: &Who) -> String {
    match who {
        Who::Program => "the program".to_owned(),
        Who::Output(id) => format!("output {id}"),
        Who::Monitor(id) => format!("monitor {id}"),
        Who::Viewer(id) => format!("browser {id}"),
    }
}

fn subjects(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let all = state.statistics.subjects(&state.meters);
    let selected = state.statistics.selected(&state.meters);
    let rows = window(all.len(), usize::from(area.height.saturating_sub(1)), selected);
    heading(buf, area, palette, "OF", &[("verdict", 0)]);
    for (line, index) in rows.enumerate() {
        let who = &all[index];
        let mut row = Row::new(buf, area, line as u16 + 1);
        let (mark, style) =
            if index == selected { ("▸", palette.selected) } else { (" ", palette.text) };
        let (kind, name) = name(state, who);
        row.put(mark, palette.key).left(kind, 3, palette.dim).gap(1);
        let columns = row.rest().saturating_sub(8);
        row.left(&name, columns, style);
        let verdict = state.statistics.verdict(&state.meters, who);
        let (word, style) =
            verdict.map_or((DASH, palette.dim), |v| (v.grade.word(), grade(v.grade, palette)));
        row.right(word, 8, style);
    }
}

/// One row of the list of figures.
enum Told {
    Heading(&'static str),
    Figure(usize),
    Trait(&'static Trait),
    Stage(Stage),
    Missing(String),
}

/// A stage of the frames' way: its name, its median and 95th percentile in ms.
struct Stage {
    of: &'static Figure,
    p50: Option<f64>,
    p95: Option<f64>,
    /// Where it begins: the medians before it, in ms.
    from: f64,
}

fn value(state: &State, who: &Who, nth: usize) -> Option<f64> {
    match state.statistics.sample() {
        Some(sample) => sample.value(who, nth),
        None => state.statistics.course().now(state.figures()?, who, nth),
    }
}

/// The stages that the frames of a subject go through, from the camera on.
fn way(state: &State, who: &Who) -> Vec<Stage> {
    let stage_output = || state.show.stage().map(|o| Who::Output(o.spec.id.clone()));
    let monitors = &state.show.spec.monitors;
    let mut through = vec![Who::Program];
    match who {
        Who::Program => {}
        Who::Output(_) => through.push(who.clone()),
        Who::Monitor(id) if id.as_str() == STAGE => {
            through.extend(stage_output());
            through.push(who.clone());
        }
        Who::Monitor(id) => {
            let output = monitors.iter().find(|m| m.id == *id).and_then(|m| m.output.clone());
            // Nobody knows whose stream the others watch.
            let Some(output) = output else { return Vec::new() };
            through.extend([Who::Output(output), who.clone()]);
        }
        Who::Viewer(_) => through.extend(stage_output()),
    }
    let mut stages: Vec<Stage> = Vec::new();
    for who in &through {
        let of_way = |(_, figure): &(usize, &Figure)| figure.kind == Kind::Way;
        let figures: Vec<_> = who.figures().iter().enumerate().filter(of_way).collect();
        for pair in figures.chunks_exact(2) {
            let [(median, figure), (high, _)] = *pair else { continue };
            let (p50, p95) = (value(state, who, median), value(state, who, high));
            let stage = Stage { of: figure, p50, p95, from: 0.0 };
            // An output that has an encoding of its own tells of that one instead.
            match stages.iter_mut().find(|s| s.of.name == stage.of.name) {
                Some(_) if p50.is_none() => {}
                Some(same) => *same = stage,
                None => stages.push(stage),
            }
        }
    }
    let mut from = 0.0;
    for stage in &mut stages {
        stage.from = from;
        from += stage.p50.unwrap_or(0.0);
    }
    stages
}

fn told(state: &State, who: &Who, courses: &[Vec<Option<f64>>]) -> Vec<Told> {
    let figures = who.figures().iter().enumerate().filter(|(_, f)| f.kind != Kind::Way);
    let is_measured =
        |nth: usize| value(state, who, nth).is_some() || courses[nth].iter().any(Option::is_some);
    let (measured, others): (Vec<_>, Vec<_>) = figures.partition(|(nth, _)| is_measured(*nth));
    let mut told: Vec<Told> = measured.into_iter().map(|(nth, _)| Told::Figure(nth)).collect();
    // What is a word is told of the present only.
    if state.statistics.frozen().is_none() {
        told.extend(who.traits().iter().map(Told::Trait));
    }
    let way = way(state, who);
    if way.iter().any(|stage| stage.p50.is_some()) {
        told.push(Told::Heading("FRAMES' WAY"));
        told.extend(way.into_iter().map(Told::Stage));
    }
    let names: Vec<_> =
        others.into_iter().filter(|(_, f)| !f.stands_in).map(|(_, f)| f.name.trim()).collect();
    if !names.is_empty() {
        told.push(Told::Missing(format!("{DASH} not measured: {}", names.join(", "))));
    }
    told
}

fn figures(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let all = state.statistics.subjects(&state.meters);
    let Some(who) = all.get(state.statistics.selected(&state.meters)) else { return };
    let verdict = state.statistics.verdict(&state.meters, who);
    let verdict = verdict.map(|v| (wrap(&said(v), area.width), grade(v.grade, palette)));
    let verdict = verdict.filter(|(lines, _)| !lines.is_empty());
    let above = verdict.as_ref().map_or(0, |(lines, _)| lines.len().min(2));
    for (nth, (line, style)) in verdict
        .iter()
        .flat_map(|(lines, style)| lines.iter().take(2).map(move |l| (l, style)))
        .enumerate()
    {
        Row::new(buf, area, nth as u16 + 1).put(line, *style);
    }
    let until = state.statistics.frozen().unwrap_or(state.meters.at_ms);
    let courses = state.statistics.course().windows(until, who);
    let told = told(state, who, &courses);
    let room = usize::from(area.height).saturating_sub(1 + above).max(1);
    let pages = told.len().div_ceil(room);
    let page = state.statistics.page(pages);
    let mut title = words(who).to_uppercase();
    if pages > 1 {
        title = format!("{title} {}/{pages}", page + 1);
    }
    let (columns, aims) = (Columns::new(area.width), aims(&state.show, who));
    heading(buf, area, palette, &title, &columns.names());
    let most = told.iter().map(|t| match t {
        Told::Stage(stage) => stage.from + stage.p95.or(stage.p50).unwrap_or(0.0),
        _ => 0.0,
    });
    let most = most.fold(1.0, f64::max);
    for (line, told) in told.iter().skip(page * room).take(room).enumerate() {
        let line = (line + 1 + above) as u16;
        match told {
            Told::Heading(name) => {
                let place = Rect { y: area.y + line, height: 1, ..area };
                let names = [("ms p50", columns.after_now()), ("p95", columns.after_p95())];
                heading(buf, place, palette, name, &names);
            }
            Told::Figure(nth) => {
                let Some(of) = who.figures().get(*nth) else { continue };
                let live = state.statistics.frozen().is_none();
                let gauge = Gauge {
                    of,
                    now: value(state, who, *nth),
                    course: &courses[*nth],
                    aims: &aims,
                    alarmed: of.name == "gap" && live && is_frozen(state, who),
                };
                gauge.draw(palette, &columns, &mut Row::new(buf, area, line));
            }
            Told::Trait(of) => {
                let figures = state.figures();
                let word = figures.and_then(|m| state.statistics.course().word(m, who, of));
                let mut row = Row::new(buf, area, line);
                row.left(of.name, NAME, palette.dim).gap(1);
                let rest = row.rest();
                let style = if word.is_some() { palette.text } else { palette.dim };
                row.left(word.as_deref().unwrap_or(DASH), rest, style);
            }
            Told::Missing(names) => {
                Row::new(buf, area, line).put(names, palette.dim);
            }
            Told::Stage(stage) => {
                waterfall(stage, most, palette, &mut Row::new(buf, area, line));
            }
        }
    }
}

/// Whether the gap that is open at that monitor is a stall.
fn is_frozen(state: &State, who: &Who) -> bool {
    let Who::Monitor(id) = who else { return false };
    state.meters.seen_by(id).is_some_and(|seen| seen.frozen)
}

/// A stage begins where the one before it ends.
fn waterfall(stage: &Stage, most: f64, palette: &Palette, row: &mut Row) {
    let style = if stage.p50.is_some() { palette.text } else { palette.dim };
    row.left(stage.of.name, NAME, palette.dim).gap(1);
    row.right(&figure(stage.p50, 1), VALUE, style).gap(1 + UNIT);
    row.right(&figure(stage.p95, 1), VALUE, style).gap(1);
    let Some(p50) = stage.p50 else { return };
    let room = f64::from(row.rest());
    let cells = |ms: f64| (ms / most * room).round() as u16;
    let (from, until) = (cells(stage.from), cells(stage.from + p50));
    let tail = cells(stage.from + stage.p95.unwrap_or(p50)).saturating_sub(until);
    row.gap(from).fill("█", until.saturating_sub(from), palette.good);
    if until == from {
        row.put("▏", palette.good);
    }
    row.fill("░", tail, palette.dim);
}

/// The keys of the pane.
pub(super) fn footer(state: &State, area: Rect, buf: &mut Buffer) {
    let palette = &state.palette;
    let freeze = if state.statistics.frozen().is_some() { "go on" } else { "freeze" };
    let offered = [
        ("space", freeze),
        ("←→", "1 s"),
        ("pgup/dn", "1 min"),
        ("x", "mark now"),
        ("p", "panic"),
        ("tab", "more"),
        ("↑↓", "of whom"),
    ];
    keys(buf, area, palette, &offered, &[("esc", "back"), ("?", "what it means")]);
}

/// The lines of the explanation: the pane's keys, then every figure of the selected subject. Each is a name and
/// what is to be said of it.
pub(super) fn explained(state: &State) -> Vec<(String, String)> {
    let all = state.statistics.subjects(&state.meters);
    let Some(who) = all.get(state.statistics.selected(&state.meters)) else { return Vec::new() };
    let keys = KEYS.iter().map(|k| (k.shown.to_owned(), k.doc.to_owned()));
    // Stages that frames pass before they come to this subject.
    let stages = way(state, who).into_iter().map(|stage| stage.of);
    let stages = stages.filter(|of| who.figures().iter().all(|own| own.name != of.name));
    let stages = stages.map(|of| (of.name.to_owned(), meaning::sourced(of.meaning, of.source)));
    let own = meaning::of(who).into_iter();
    own.chain(stages).chain(meaning::columns()).chain(keys).collect()
}
