//! Pure drawing of the stream: the picture and what happened at the left, the figures at the right.

use ratatui::{Frame, buffer::Buffer, layout::Rect};

use super::state::{KEYS, Watching};
use crate::{
    base::Canvas,
    console::{
        text::{DASH, clock, wrap},
        theme::Palette,
        view::{
            dialog::meanings,
            gauge::{Columns, Gauge, NAME},
            grade, meaning, picture,
            row::{Row, heading, keys},
        },
    },
    stats::figure::Kind,
};

/// The least screen.
const LEAST: (u16, u16) = (40, 12);
/// Columns of the figures: least and most.
const FIGURES: (u16, u16) = (36, 62);
/// Rows of what happened, with the heading, that the picture leaves.
const LOG: u16 = 4;

/// The columns beside a figure.
const COLUMNS: [(&str, &str); 5] = [
    ("now", "The newest value, four times a second."),
    ("p95", meaning::P95),
    ("target", "What is aimed at: --latency-target, and half a percent of stalls. In red: missed."),
    ("5 min", meaning::COURSE),
    ("verdict", "The worst that counts now, held against flapping."),
];

struct Places {
    title: Rect,
    verdict: Rect,
    /// Where there is room for a picture.
    picture: Rect,
    log: Rect,
    figures: Rect,
    footer: Rect,
}

impl Places {
    fn new(watching: &Watching, area: Rect) -> Option<Self> {
        if area.width < LEAST.0 || area.height < LEAST.1 {
            return None;
        }
        let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
        let row = |y| Rect { y, height: 1, ..inner };
        let body = Rect { y: inner.y + 2, height: inner.height - 3, ..inner };
        let nothing = Rect { width: 0, height: 0, ..body };
        let (title, verdict, footer) = (row(area.y), row(area.y + 1), row(area.bottom() - 1));
        if watching.alone && watching.looks {
            return Some(Self {
                title,
                verdict,
                picture: body,
                log: nothing,
                figures: nothing,
                footer,
            });
        }
        if !watching.looks {
            // Nothing stands beside the figures.
            let rows = body.height.saturating_sub(LOG);
            return Some(Self {
                title,
                verdict,
                picture: nothing,
                log: Rect { y: body.y + rows, height: body.height - rows, ..body },
                figures: Rect { height: rows, ..body },
                footer,
            });
        }
        let columns = (inner.width * 2 / 5).clamp(FIGURES.0.min(inner.width), FIGURES.1);
        let left = inner.width.saturating_sub(columns + 2);
        let figures = Rect { x: inner.right() - columns, width: columns, ..body };
        let most = Rect { width: left, height: body.height.saturating_sub(LOG), ..body };
        let rows = shape(watching)
            .and_then(|canvas| picture::fit(canvas, most))
            .map_or(0, |(_, rows)| rows);
        Some(Self {
            title,
            verdict,
            picture: Rect { height: rows, ..most },
            log: Rect { y: body.y + rows, width: left, height: body.height - rows, ..body },
            figures,
            footer,
        })
    }
}

/// The picture's shape.
fn shape(watching: &Watching) -> Option<Canvas> {
    let (width, height) = watching.figures()?.size?;
    Some(Canvas { width, height, fps: 0 })
}

/// The picture's cells.
fn cells(watching: &Watching, area: Rect) -> Option<Rect> {
    let room = Places::new(watching, area)?.picture;
    let (width, height) = picture::fit(shape(watching)?, room)?;
    let (x, y) = (room.x + (room.width - width) / 2, room.y + (room.height - height) / 2);
    Some(Rect { x, y, width, height }).filter(|_| watching.looks)
}

/// The picture worth asking for on a screen of that size.
pub(super) fn look(watching: &Watching, width: u16, height: u16) -> Option<(u16, u16)> {
    let look = picture::look(cells(watching, Rect::new(0, 0, width, height))?);
    Some((look.width, look.height))
}

pub(super) fn draw(watching: &Watching, palette: &Palette, frame: &mut Frame) {
    let area = frame.area();
    let buf = frame.buffer_mut();
    let Some(places) = Places::new(watching, area) else {
        let text = format!(
            "{}x{} is too small: make it {}x{} at least",
            area.width, area.height, LEAST.0, LEAST.1
        );
        for (y, line) in wrap(&text, area.width).iter().enumerate() {
            Row::new(buf, area, y as u16).put(line, palette.warn);
        }
        return;
    };
    title(watching, palette, places.title, buf);
    verdict(watching, palette, places.verdict, buf);
    if let Some(at) = cells(watching, area) {
        picture::shown(watching.picture.as_deref(), palette, at, buf);
    }
    log(watching, palette, places.log, buf);
    figures(watching, palette, places.figures, buf);
    footer(watching, palette, places.footer, buf);
    if let Some(from) = watching.explained {
        meanings(palette, &explained(&watching.who), from, area, buf);
    }
}

fn title(watching: &Watching, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let mut row = Row::new(buf, area, 0);
    row.badge("WATCHING", 10, palette.off).gap(2);
    let sound = if watching.listens { "sound on" } else { "sound off" };
    let columns = row.rest().saturating_sub(9 + 11);
    row.left(&watching.host, columns, palette.selected);
    row.right(sound, 11, if watching.listens { palette.text } else { palette.dim });
    row.right(&clock(watching.at_ms), 9, palette.dim);
}

/// What is thought of it, or what is in the way.
fn verdict(watching: &Watching, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let mut row = Row::new(buf, area, 0);
    match watching.verdict() {
        Some(verdict) => row.put(&verdict.words, grade(verdict.grade, palette)),
        None if watching.figures().is_none() => row.put("no frame has come yet", palette.dim),
        None => row.put(DASH, palette.dim),
    };
    for words in in_the_way(watching) {
        row.gap(2).put(&words, palette.bad);
    }
}

/// Why it is not seen, or not heard.
fn in_the_way(watching: &Watching) -> impl Iterator<Item = String> {
    let trouble = &watching.trouble;
    let both = [("picture", &trouble.picture), ("sound", &trouble.sound)];
    both.into_iter().filter_map(|(what, why)| Some(format!("no {what}: {}", why.as_ref()?)))
}

/// What happened, the newest at the bottom, and below it in full what is in the way of playing it.
fn log(watching: &Watching, palette: &Palette, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    heading(buf, area, palette, "LOG", &[]);
    let rows = usize::from(area.height - 1);
    let in_the_way = in_the_way(watching).flat_map(|words| wrap(&words, area.width));
    let in_the_way = in_the_way.map(|line| (line, palette.bad));
    let news = watching.news.iter().flat_map(|news| {
        let style = if news.good { palette.text } else { palette.warn };
        let at = news.at.to_zoned(watching.zone.clone()).strftime("%H:%M:%S").to_string();
        wrap(&format!("{at} {}", news.words), area.width).into_iter().map(move |l| (l, style))
    });
    let lines: Vec<_> = news.chain(in_the_way).collect();
    let hidden = lines.len().saturating_sub(rows);
    for (y, (line, style)) in lines.iter().skip(hidden).enumerate() {
        Row::new(buf, area, y as u16 + 1).put(line, *style);
    }
}

fn figures(watching: &Watching, palette: &Palette, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let columns = Columns::new(area.width);
    heading(buf, area, palette, "VIEWER", &columns.names());
    let who = &watching.who;
    if watching.figures().is_none() {
        Row::new(buf, area, 1).put("nothing is measured before the first frame", palette.dim);
        return;
    }
    let courses = watching.course.windows(watching.at_ms, who);
    let mut missing = Vec::new();
    let mut y = 1;
    for (nth, of) in who.figures().iter().enumerate() {
        let now = watching.course.now(&watching.meters, who, nth);
        let course = &courses[nth];
        if now.is_none() && course.iter().all(Option::is_none) {
            // Nobody but the sender knows when a frame left.
            if of.kind != Kind::Way && !of.stands_in {
                missing.push(of.name.trim());
            }
            continue;
        }
        let frozen = watching.figures().is_some_and(|seen| seen.frozen);
        let alarmed = of.name == "gap" && frozen;
        let gauge = Gauge { of, now, course, aims: &watching.aims, alarmed };
        gauge.draw(palette, &columns, &mut Row::new(buf, area, y));
        y += 1;
    }
    for of in who.traits() {
        let word = watching.course.word(&watching.meters, who, of);
        let mut row = Row::new(buf, area, y);
        row.left(of.name, NAME, palette.dim).gap(1);
        let rest = row.rest();
        row.left(word.as_deref().unwrap_or(DASH), rest, palette.text);
        y += 1;
    }
    let mut notes = Vec::new();
    if let Some(by) = watching.latency_by.as_ref().filter(|by| by.starts_with("not measured")) {
        notes.push(format!("latency {by}"));
        missing.retain(|name| !name.starts_with("latency"));
    }
    if !missing.is_empty() {
        notes.push(format!("{DASH} not measured: {}", missing.join(", ")));
    }
    for line in notes.iter().flat_map(|note| wrap(note, area.width)) {
        Row::new(buf, area, y).put(&line, palette.dim);
        y += 1;
    }
}

fn footer(watching: &Watching, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let sound = if watching.listens { "silence" } else { "listen" };
    let picture = if watching.looks { "figures alone" } else { "picture" };
    let alone = if watching.alone { "with figures" } else { "picture alone" };
    let offered = [("a", sound), ("p", picture), ("tab", alone)];
    keys(buf, area, palette, &offered, &[("q", "leave"), ("?", "what it means")]);
}

/// What the figures mean, and what the keys do.
pub(super) fn explained(who: &crate::stats::figure::Who) -> Vec<(String, String)> {
    let keys = KEYS.iter().map(|(key, doc)| ((*key).to_owned(), (*doc).to_owned()));
    let columns = COLUMNS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    keys.chain(meaning::of(who)).chain(columns).collect()
}
