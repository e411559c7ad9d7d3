//! The week: hours of home and of the markets, heat, shows.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};
use unicode_segmentation::UnicodeSegmentation;

use super::{Sheet, ruler::Ruler};
use crate::{
    console::{text::width, theme::Palette, view::row::Row},
    planner::schedule::desk::Show,
};

/// Columns of the hours at home.
const HOME: u16 = 6;
/// Columns of a market's hours.
const MARKET: u16 = 5;
/// Columns of a day: least and most.
const DAY: (u16, u16) = (6, 11);
/// Signs of heat, from the least to the most.
const HEAT: [&str; 5] = [" ", "·", "░", "▒", "▓"];

/// One plan.
pub(super) fn one(sheet: Sheet<'_>, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let ruler = ruler(sheet, area);
    // Days of eight columns, and as many markets as then fit; what is left is the days'.
    let count = sheet.desk.ground().task.demands.len() as u16;
    let wanted = (area.width.saturating_sub(HOME + 7 * 8) / MARKET).max(3).min(count);
    let day = day_width(area.width.saturating_sub(HOME + wanted * MARKET));
    let days = day * ruler.days.len() as u16;
    let markets = (area.width.saturating_sub(HOME + days) / MARKET).min(count);
    let gutter = Rect { width: HOME + markets * MARKET, ..area };
    let week = Rect { x: gutter.right(), width: area.right() - gutter.right(), ..area };
    hours(sheet, &ruler, palette, gutter, buf);
    shows(sheet, &ruler, day, palette, week, buf);
    if !sheet.held {
        let columns = gutter.width.saturating_sub(1).min(10);
        Row::new(buf, gutter, 0).badge("PROPOSAL", columns, palette.preview);
    }
}

/// Two plans side by side.
pub(super) fn both(
    own: Sheet<'_>,
    proposed: Sheet<'_>,
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let mut area = area;
    let names = super::cut(&mut area, 1);
    let ruler = ruler(own, area);
    let gutter = Rect { width: HOME, ..area };
    let half = (area.width - HOME - 2) / 2;
    let day = day_width(half);
    hours(own, &ruler, palette, gutter, buf);
    for (nth, (sheet, name)) in [(own, "AS IT IS"), (proposed, "PROPOSAL")].into_iter().enumerate()
    {
        let x = area.x + HOME + nth as u16 * (half + 2);
        let style = if nth == 0 { palette.rehearsal } else { palette.preview };
        Row::new(buf, Rect { x, width: half, ..names }, 0).badge(name, 10, style);
        shows(sheet, &ruler, day, palette, Rect { x, width: half, ..area }, buf);
    }
}

fn ruler(sheet: Sheet<'_>, area: Rect) -> Ruler {
    let rows = usize::from(area.height.saturating_sub(1));
    Ruler::new(sheet.desk.ground(), sheet.planner.cursor, rows)
}

/// Whether two weeks fit side by side, every day of them.
pub(super) const fn has_room_for_both(area: Rect) -> bool {
    area.width.saturating_sub(HOME + 2) / 2 >= 7 * DAY.0
}

fn day_width(columns: u16) -> u16 {
    (columns / 7).clamp(DAY.0, DAY.1)
}

/// The hours of home and of the markets, on the day of the cursor.
fn hours(sheet: Sheet<'_>, ruler: &Ruler, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let (planner, ground) = (sheet.planner, sheet.desk.ground());
    let Some(day) = ground.day(ground.at(planner.cursor)) else { return };
    let count = ground.task.demands.len();
    let seen = usize::from((area.width - HOME) / MARKET).min(count);
    // The market in focus is among those that are seen.
    let first = planner.focus.map_or(0, |m| (m + 1).saturating_sub(seen)).min(count - seen);
    let mut heads = Row::new(buf, area, 0);
    heads.left("home", HOME, palette.dim);
    for market in first..first + seen {
        let meant = planner.focus == Some(market);
        let style =
            if meant { palette.selected.add_modifier(Modifier::UNDERLINED) } else { palette.dim };
        heads.left(&ground.task.demands[market].market, MARKET - 1, style).gap(1);
    }
    for (y, row) in ruler.seen.clone().enumerate() {
        let mut line = Row::new(buf, area, y as u16 + 1);
        let cell = ruler.cell(day, row);
        let here = cell.contains(&planner.cursor);
        let style = if here { palette.selected } else { palette.dim };
        line.left(&ruler.name(row), HOME, style);
        let Some(step) = cell.iter().find(|s| **s == planner.cursor).or(cell.first()).copied()
        else {
            // The clocks skip it.
            line.fill("╌", area.width.saturating_sub(HOME + 1), palette.rule);
            continue;
        };
        let at = ground.at(step);
        let home = ground.task.home.clock(at).date();
        for market in first..first + seen {
            let demand = &ground.task.demands[market];
            let clock = demand.zone.clock(at);
            let off = match clock.date().cmp(&home) {
                std::cmp::Ordering::Less => "-",
                std::cmp::Ordering::Greater => "+",
                std::cmp::Ordering::Equal => " ",
            };
            let level = planner.heat.get(market + 1).and_then(|h| h.get(step)).copied();
            let level = usize::from(level.unwrap_or(0));
            let style = if here { palette.selected } else { palette.text };
            line.put(&format!("{:02}{off}", clock.hour()), style);
            line.put(HEAT[level], palette.heat[level]).gap(1);
        }
    }
}

/// A show's place in a day: its half hours there, and its lane of so many.
struct Block {
    show: usize,
    first: usize,
    end: usize,
    lane: u16,
}

fn shows(
    sheet: Sheet<'_>,
    ruler: &Ruler,
    day_columns: u16,
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let ground = sheet.desk.ground();
    let cursor_day = ground.day(ground.at(sheet.planner.cursor));
    let today = ground.day(sheet.planner.now);
    for day in ruler.days.clone() {
        let x = area.x + (day - ruler.days.start) as u16 * day_columns;
        let column = Rect { x, width: day_columns.min(area.right().saturating_sub(x)), ..area };
        heading(sheet, day, (cursor_day, today), palette, column, buf);
        let body = Rect { width: column.width.saturating_sub(1), ..column };
        heat(sheet, ruler, day, palette, body, buf);
        let (blocks, lanes) = blocks(sheet, day);
        let lane = (body.width / lanes.max(1)).max(2);
        for block in &blocks {
            let left = (block.lane * lane).min(body.width.saturating_sub(lane));
            // The last lane has what is left.
            let columns = if block.lane + 1 == lanes { body.width - left } else { lane };
            let place = Rect { x: body.x + left, width: columns, ..body };
            draw(sheet, ruler, day, block, palette, place, buf);
        }
        cursor(sheet, ruler, day, palette, body, buf);
    }
}

fn heading(
    sheet: Sheet<'_>,
    day: usize,
    (cursor, today): (Option<usize>, Option<usize>),
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let Some(of) = sheet.desk.ground().days.get(day) else { return };
    let mut style = if cursor == Some(day) { palette.selected } else { palette.heading };
    if today == Some(day) {
        style = style.add_modifier(Modifier::UNDERLINED);
    }
    let mut row = Row::new(buf, area, 0);
    let long = area.width > 7;
    row.put(&of.date.strftime(if long { "%a %d" } else { "%a%d" }).to_string(), style);
    if !of.specials.is_empty() {
        row.put("★", palette.warn);
    }
    if !of.shifts.is_empty() {
        row.put("⇅", palette.warn);
    }
}

fn heat(
    sheet: Sheet<'_>,
    ruler: &Ruler,
    day: usize,
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let heat = sheet.planner.heat.get(sheet.planner.focus.map_or(0, |m| m + 1));
    for (y, row) in ruler.seen.clone().enumerate() {
        let cell = ruler.cell(day, row);
        let mut line = Row::new(buf, area, y as u16 + 1);
        if cell.is_empty() {
            line.fill("╌", area.width, palette.rule);
            continue;
        }
        let level = cell.iter().filter_map(|s| heat.and_then(|h| h.get(*s))).max();
        let level = usize::from(level.copied().unwrap_or(0));
        line.fill(HEAT[level], area.width, palette.heat[level]);
    }
}

/// The shows of a day, each in the first lane that is free, and how many lanes that takes.
fn blocks(sheet: Sheet<'_>, day: usize) -> (Vec<Block>, u16) {
    let ground = sheet.desk.ground();
    let Some(of) = ground.days.get(day) else { return (Vec::new(), 1) };
    let (from, to) = (ground.at(of.first), ground.at(of.end));
    let mut lanes: Vec<usize> = Vec::new();
    let mut all = Vec::new();
    for (index, show) in sheet.shows.iter().enumerate() {
        if show.end() <= from || show.start >= to {
            continue;
        }
        let first = ground.step(show.start).unwrap_or(of.first).max(of.first);
        let minutes = show.end().duration_since(ground.at(first)).as_mins();
        let end = (first + usize::try_from((minutes + 29) / 30).unwrap_or(1)).min(of.end);
        let lane = lanes.iter().position(|busy| *busy <= first).unwrap_or_else(|| {
            lanes.push(0);
            lanes.len() - 1
        });
        lanes[lane] = end;
        all.push(Block { show: index, first, end, lane: lane as u16 });
    }
    (all, lanes.len().max(1) as u16)
}

/// A style that says that the hand is on it.
fn picked(style: Style) -> Style {
    if style.add_modifier.contains(Modifier::REVERSED) {
        Style::new().add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED))
    } else {
        style.add_modifier(Modifier::REVERSED)
    }
}

fn look(sheet: Sheet<'_>, index: usize, show: &Show, palette: &Palette) -> (&'static str, Style) {
    let broken = sheet.verdict.about(index).next().is_some();
    let alone = sheet.alone(show);
    let (mark, style) = match (broken, alone, show.locked) {
        (true, ..) => ("!", palette.alarm),
        (_, true, _) if sheet.held => ("-", palette.alarm),
        (_, true, _) => ("+", palette.preview),
        (_, _, true) => ("*", palette.off),
        _ => ("", palette.rehearsal),
    };
    let held = sheet.held && sheet.planner.selected() == Some(index);
    (mark, if held { picked(style) } else { style })
}

/// A show: whole rows as a block with words, half a row as half a block.
fn draw(
    sheet: Sheet<'_>,
    ruler: &Ruler,
    day: usize,
    block: &Block,
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let show = &sheet.shows[block.show];
    let (mark, style) = look(sheet, block.show, show, palette);
    let ground = sheet.desk.ground();
    let touched = |row: usize| {
        let cell = ruler.cell(day, row);
        cell.iter().filter(|s| block.first <= **s && **s < block.end).count()
    };
    let rows: Vec<usize> = (0..24 * ruler.by).filter(|row| touched(*row) > 0).collect();
    let whole = |row: usize| touched(row) >= ruler.cell(day, row).len();
    let words_at = rows.iter().copied().find(|r| whole(*r)).or(rows.first().copied());
    let name = ground.task.hosts.get(show.host).map_or("?", |h| h.name.as_str());
    let lead = show.markets.first().and_then(|m| ground.task.demands.get(*m));
    let lead = lead.map_or("", |d| d.market.as_str());
    let more = match show.markets.len() {
        0 | 1 => lead.to_owned(),
        n => format!("{lead}+{}", n - 1),
    };
    let figures = &sheet.verdict.shows[block.show];
    let guess = if figures.parts.iter().any(|p| p.guessed) { "?" } else { "" };
    let viewers = figures.parts.iter().map(|p| p.viewers).sum::<f64>() + 0.0;
    let room = area.width;
    let full = rows.iter().filter(|r| whole(**r)).count();
    // Where a row is an hour, half past is said.
    let first = ground.task.home.clock(ground.at(block.first));
    let past = ruler.by == 1 && full == 0 && first.minute() >= 30;
    let past = if past { ":30 " } else { "" };
    let both = format!("{mark}{past}{name} {more}");
    let words: Vec<String> = if full <= 1 && width(&both) <= room {
        vec![both]
    } else if full <= 1 {
        // One line: who, and for whom as far as it goes.
        let short: String = name.chars().take(3).collect();
        let after = if past.is_empty() { lead } else { "" };
        vec![if room < 7 {
            format!("{mark}{short}")
        } else {
            format!("{mark}{past}{short} {after}")
        }]
    } else {
        vec![format!("{mark}{name}"), more, format!("{viewers:.0}{guess}")]
    };
    // A name that is cut to three letters says more than two and a sign that it is cut.
    let mut words = words.into_iter().map(|word| if room < 7 { begun(&word, room) } else { word });
    for row in rows {
        let Some(y) = row.checked_sub(ruler.seen.start).filter(|_| ruler.seen.contains(&row))
        else {
            continue;
        };
        let mut line = Row::new(buf, area, y as u16 + 1);
        let with_words =
            Some(row) == words_at || (words_at.is_some_and(|at| row > at) && whole(row));
        if whole(row) || Some(row) == words_at {
            line.fill(" ", room, style);
        } else {
            let cell = ruler.cell(day, row);
            let upper = cell.first().is_some_and(|s| block.first <= *s && *s < block.end);
            line.fill(if upper { "▀" } else { "▄" }, room, half(style));
        }
        if with_words {
            let word = words.next().unwrap_or_default();
            Row::new(buf, area, y as u16 + 1).left(&word, room, style);
        }
    }
}

/// As much of a word as there is room for.
fn begun(word: &str, room: u16) -> String {
    let mut all = String::new();
    for letter in word.graphemes(true) {
        if width(&all) + width(letter) > room {
            break;
        }
        all.push_str(letter);
    }
    all
}

/// The ground of a style as ink: for half a cell.
fn half(style: Style) -> Style {
    match style.bg {
        Some(ground) if style.add_modifier.contains(Modifier::REVERSED) => {
            style.fg.map_or(Style::new().fg(ground), |ink| Style::new().fg(ink))
        }
        Some(ground) => Style::new().fg(ground),
        None => Style::new(),
    }
}

fn cursor(
    sheet: Sheet<'_>,
    ruler: &Ruler,
    day: usize,
    palette: &Palette,
    area: Rect,
    buf: &mut Buffer,
) {
    let (planner, ground) = (sheet.planner, sheet.desk.ground());
    if !sheet.held || !planner.here().is_empty() {
        return;
    }
    let Some(row) = ruler.seen.clone().find(|r| ruler.cell(day, *r).contains(&planner.cursor))
    else {
        return;
    };
    let clock = ground.task.home.clock(ground.at(planner.cursor));
    let text = format!("▸{}", clock.strftime("%H:%M"));
    let y = (row - ruler.seen.start) as u16 + 1;
    Row::new(buf, area, y).left(&text, area.width.min(6), picked(palette.key));
}
