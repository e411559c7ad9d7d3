//! The statistics: whose figures there are and who has it worst, each figure as it is and as it went, the stages of
//! the frames' way, what happened. All of it of the moment that is looked at.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    log,
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
        Grade, Verdict,
        course::p95,
        figure::{Figure, Kind, STAGE, Trait, Who},
    },
};

/// The signs of a course, from nothing to the most.
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Columns of a figure's name, its values, its unit.
const NAME: u16 = 13;
const VALUE: u16 = 7;
const UNIT: u16 = 5;
/// Rows of what happened, with the heading, where there is room.
const LOG: u16 = 6;

/// The places of the pane.
struct Places {
    title: Rect,
    subjects: Rect,
    figures: Rect,
    log: Rect,
}

fn places(area: Rect) -> Places {
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let log_rows = match area.height {
        0..17 => 0,
        17..30 => 4,
        30..40 => LOG,
        _ => LOG + 4,
    };
    let body = inner.height.saturating_sub(1 + log_rows);
    let list = if area.width >= 100 { 32 } else { 22 };
    Places {
        title: Rect { height: 1, ..inner },
        subjects: Rect { y: inner.y + 1, width: list, height: body, ..inner },
        figures: Rect {
            x: inner.x + list + 2,
            y: inner.y + 1,
            width: inner.width.saturating_sub(list + 2),
            height: body,
        },
        log: Rect { y: inner.y + 1 + body, height: log_rows, ..inner },
    }
}

pub(super) fn statistics(state: &State, area: Rect, buf: &mut Buffer) {
    let places = places(area);
    title(state, places.title, buf);
    subjects(state, places.subjects, buf);
    figures(state, places.figures, buf);
    if places.log.height > 1 {
        let until = state.statistics.frozen().map(|at_ms| state.wall(at_ms));
        log::log(state, until, places.log, buf);
    }
}

/// What a click there selects.
pub(super) fn click(state: &State, area: Rect, x: u16, y: u16) -> Option<Action> {
    let place = places(area).subjects;
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

/// Whether anybody has a verdict.
fn is_judged(state: &State) -> bool {
    let subjects = state.statistics.subjects(&state.meters);
    let judged = |who: &Who| state.statistics.verdict(&state.meters, who).is_some();
    state.figures().is_some() && subjects.iter().any(judged)
}

fn grade(grade: Grade, palette: &Palette) -> Style {
    match grade {
        Grade::Good => palette.good,
        Grade::Strained => palette.warn,
        Grade::Late | Grade::Stalling | Grade::Down => palette.bad,
    }
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
    if !others.is_empty() {
        let names: Vec<_> = others.into_iter().map(|(_, f)| f.name.trim()).collect();
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
    let columns = Columns::new(area.width);
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
                draw(state, (who, *nth), &courses[*nth], &columns, &mut Row::new(buf, area, line));
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

/// Which columns a row of figures has, by what room there is.
struct Columns {
    width: u16,
    target: bool,
    course: u16,
}

impl Columns {
    fn new(width: u16) -> Self {
        let least = NAME + 1 + VALUE + 1 + UNIT + VALUE;
        let target = width >= least + 1 + VALUE + 8;
        let used = least + if target { 1 + VALUE } else { 0 };
        Self { width, target, course: width.saturating_sub(used + 1) }
    }

    /// Columns from the row's end to where the value ends.
    const fn after_now(&self) -> u16 {
        self.width.saturating_sub(NAME + 1 + VALUE)
    }

    const fn after_p95(&self) -> u16 {
        self.after_now().saturating_sub(1 + UNIT + VALUE)
    }

    fn names(&self) -> Vec<(&'static str, u16)> {
        let mut names = vec![("now", self.after_now()), ("p95", self.after_p95())];
        if self.target {
            names.push(("target", self.after_p95().saturating_sub(1 + VALUE)));
        }
        if self.course >= 14 {
            names.push(("5 min", 0));
        }
        names
    }
}

fn draw(
    state: &State,
    (who, nth): (&Who, usize),
    course: &[Option<f64>],
    columns: &Columns,
    row: &mut Row,
) {
    let palette = &state.palette;
    let Some(of) = who.figures().get(nth) else { return };
    let aims = aims(&state.show, who);
    let now = value(state, who, nth);
    let high = p95(course, of.aim.is_least());
    let style = |value: Option<f64>| match value {
        None => palette.dim,
        Some(value) if of.aim.misses(&aims, value) => palette.bad,
        Some(_) => palette.text,
    };
    let open = of.name == "gap" && state.statistics.frozen().is_none() && is_frozen(state, who);
    row.left(of.name, NAME, palette.dim).gap(1);
    row.right(&figure(now, of.decimals), VALUE, if open { palette.bad } else { style(now) });
    row.gap(1).left(of.unit, UNIT, palette.dim);
    // Of a sum there is none.
    let high = high.filter(|_| of.kind != Kind::Total);
    let shown = if of.kind == Kind::Total { String::new() } else { figure(high, of.decimals) };
    row.right(&shown, VALUE, style(high));
    if columns.target {
        let target = of.aim.value(&aims);
        let sign = if of.aim.is_least() { "≥ " } else { "≤ " };
        let target = target.map_or(String::new(), |t| {
            format!("{sign}{}", figure(Some(t), usize::from(t.fract() != 0.0)))
        });
        row.gap(1).right(&target, VALUE, palette.dim);
    }
    row.gap(1);
    let floor = of.aim.value(&aims).unwrap_or(0.0);
    let most = course.iter().flatten().copied().fold(floor, f64::max);
    for column in squeeze(course, usize::from(columns.course.min(60)), of.aim.is_least()) {
        let (sign, style) = match column {
            None => ("·", palette.rule),
            Some(value) => (bar(value, most), style(Some(value))),
        };
        row.put(sign, style);
    }
}

/// Whether the gap that is open at that monitor is a stall.
fn is_frozen(state: &State, who: &Who) -> bool {
    let Who::Monitor(id) = who else { return false };
    state.meters.seen_by(id).is_some_and(|seen| seen.frozen)
}

/// A course in so many columns, each the worst of its time.
fn squeeze(course: &[Option<f64>], columns: usize, least: bool) -> Vec<Option<f64>> {
    if columns == 0 {
        return Vec::new();
    }
    let place = |n: usize| n * course.len() / columns;
    let worse = if least { f64::min } else { f64::max };
    let worst = |n| course[place(n)..place(n + 1)].iter().flatten().copied().reduce(worse);
    (0..columns).map(worst).collect()
}

fn bar(value: f64, most: f64) -> &'static str {
    if most <= 0.0 || value <= 0.0 {
        return BARS[0];
    }
    let eighths = (value / most * 7.0).round().clamp(0.0, 7.0);
    BARS[eighths as usize]
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
    let figures = who.figures().iter().map(|f| {
        let unit = if f.unit.is_empty() { String::new() } else { format!(", in {}", f.unit) };
        (format!("{}{unit}", f.name.trim()), sourced(f.meaning, f.source))
    });
    let traits = who.traits().iter().map(|t| (t.name.to_owned(), sourced(t.meaning, t.source)));
    let columns = [
        ("now", "The newest value, ten times a second. Frozen: the value of that second."),
        ("p95", "95 of 100 seconds of the last five minutes were no worse."),
        ("target", "What is aimed at: from the show's profile. In red: missed."),
        (
            "5 min",
            "The last five minutes, each column the worst of its time; · is not measured. Of a sum: by how much it grew.",
        ),
        (
            "frames' way",
            "Where a frame's time goes, stage by stage. A bar is the median, the pale end behind it the 95th percentile.",
        ),
        (
            "verdict",
            "The worst that counts now, held against flapping; and where it arises, where figures tell.",
        ),
    ];
    let columns = columns.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let keys = KEYS.iter().map(|k| (k.shown.to_owned(), k.doc.to_owned()));
    // Stages that frames pass before they come to this subject.
    let stages = way(state, who).into_iter().map(|stage| stage.of);
    let stages = stages.filter(|of| who.figures().iter().all(|own| own.name != of.name));
    let stages = stages.map(|of| (of.name.to_owned(), sourced(of.meaning, of.source)));
    figures.chain(traits).chain(stages).chain(columns).chain(keys).collect()
}

/// What it means, and who says so.
fn sourced(meaning: &str, source: &str) -> String {
    format!("{meaning} Source: {}", small(source))
}

/// A sentence that begins in the middle of a line; a name keeps its capital.
fn small(sentence: &str) -> String {
    let mut words = sentence.splitn(2, ' ');
    let first = words.next().unwrap_or_default();
    let name = first.chars().skip(1).any(char::is_uppercase);
    let rest = words.next().map_or_else(String::new, |rest| format!(" {rest}"));
    if name { sentence.to_owned() } else { format!("{}{rest}", first.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_is_squeezed_to_the_worst_of_each_time() {
        let course: Vec<_> = (0..10).map(|n| (n != 5).then_some(f64::from(n))).collect();
        assert_eq!(squeeze(&course, 2, false), [Some(4.0), Some(9.0)]);
        assert_eq!(squeeze(&course, 5, true), [0.0, 2.0, 4.0, 6.0, 8.0].map(Some));
        assert_eq!(squeeze(&[None, None, Some(1.0), None], 2, false), [None, Some(1.0)]);
        // More columns than seconds: none is made up.
        assert_eq!(squeeze(&[Some(1.0)], 3, false).iter().flatten().count(), 1);
        assert_eq!(squeeze(&course, 0, false), []);
    }

    #[test]
    fn a_bar_fills_its_cell_at_the_most() {
        assert_eq!([bar(0.0, 9.0), bar(9.0, 9.0), bar(5.0, 0.0)], ["▁", "█", "▁"]);
    }

    #[test]
    fn names_keep_their_capitals() {
        assert_eq!(small("The encoder's count."), "the encoder's count.");
        assert_eq!(small("RTCP from the ingest."), "RTCP from the ingest.");
    }
}
