//! Pure drawing of the pane into any area.

use jiff::Timestamp;
use ratatui::{Frame, buffer::Buffer, layout::Rect, style::Style};

use super::{
    card,
    edit::Edit,
    form, header,
    list::{self, Columns, Look, Shown},
    moderate,
    pages::{self, Page},
    state::{Over, Pane, Standing},
    write::To,
};
use crate::{
    base::Now,
    chat::{Message, Platform, Text, control::Needs, language::Language, room::Place},
    console::{
        text::{clip, width, wrap},
        theme::Palette,
        view::{
            dialog::meanings,
            row::{Row, heading, keys},
        },
    },
};

/// The least area.
const LEAST: (u16, u16) = (24, 8);
/// Pins that are seen; further ones are counted.
const PINS: usize = 3;
/// New lines are counted so far.
const MOST_NEW: usize = 999;

/// Where everything stands.
pub(super) struct Places {
    header: Rect,
    pins: Rect,
    pub(super) list: Rect,
    /// What is typed, what came meanwhile, why a key did nothing.
    status: Rect,
    footer: Rect,
}

impl Places {
    pub(super) fn new(pane: &Pane, area: Rect, now: Now) -> Option<Self> {
        if area.width < LEAST.0 || area.height < LEAST.1 {
            return None;
        }
        let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
        let mut top = inner.y;
        // At least three rows of the list are left.
        let mut most = inner.height - 5;
        let mut take = |rows: u16| {
            let rows = rows.min(most);
            most -= rows;
            let part = Rect { y: top, height: rows, ..inner };
            top += rows;
            part
        };
        let header = take(header::rows(pane, inner.width, now));
        let pins = pane.view.pins().len().min(PINS) as u16;
        let pins = take(if pins > 0 { pins + 1 } else { 0 });
        let rule = take(1);
        let list = Rect { y: rule.bottom(), height: inner.bottom() - 2 - rule.bottom(), ..inner };
        let status = Rect { y: inner.bottom() - 2, height: 1, ..inner };
        let footer = Rect { y: inner.bottom() - 1, height: 1, ..inner };
        Some(Self { header, pins, list, status, footer })
    }
}

/// Draws the pane. [`Pane::turn`] has been called since the last step.
pub fn draw(frame: &mut Frame, area: Rect, pane: &Pane, now: Now) {
    let area = area.intersection(frame.area());
    paint(frame.buffer_mut(), area, pane, now);
}

/// The same, into cells that are drawn with others.
pub(in crate::console) fn paint(buf: &mut Buffer, area: Rect, pane: &Pane, now: Now) {
    let palette = &pane.palette;
    let Some(places) = Places::new(pane, area, now) else {
        let text = format!(
            "{}x{} is too small: make it {}x{} at least",
            area.width, area.height, LEAST.0, LEAST.1
        );
        for (y, line) in wrap(&text, area.width).iter().enumerate() {
            Row::new(buf, area, y as u16).put(line, palette.warn);
        }
        return;
    };
    header::draw(pane, palette, places.header, buf, now);
    pins(pane, palette, places.pins, buf);
    if places.list.y > places.header.y {
        let rule = Rect { y: places.list.y - 1, height: 1, ..places.list };
        if pane.can_act() {
            pages::tabs(pane, rule, buf);
        } else {
            heading(buf, rule, palette, "LINES", &[]);
        }
    }
    let last = if pane.page == Page::Lines {
        lines(pane, palette, places.list, buf, now)
    } else {
        pages::draw(pane, places.list, buf);
        None
    };
    status(pane, palette, last, places.status, buf, now);
    footer(pane, palette, places.footer, buf);
    match &pane.over {
        Over::Nothing | Over::Search(_) | Over::Write(_) => {}
        Over::Moderate(asked) => moderate::draw(pane, asked, area, buf),
        Over::Form(form) => form::draw(pane, form, area, buf),
        Over::Card { entry, person } => {
            card::draw(pane, (*entry, person.as_ref()), area, buf);
        }
        Over::Help(from) => {
            let all: Vec<(String, String)> =
                pane.explained().map(|(key, doc)| ((*key).into(), (*doc).into())).collect();
            meanings(palette, &all, *from, area, buf);
        }
    }
}

/// A platform in two or three letters.
pub(super) fn short(platform: &Platform) -> String {
    match platform.as_str() {
        "twitch" => "TW".into(),
        "youtube" | "youtubeshorts" => "YT".into(),
        "kick" => "KCK".into(),
        "facebook" => "FB".into(),
        "shopee" => "SHP".into(),
        "tiktok" => "TT".into(),
        "instagram" => "IG".into(),
        "unknown" => "-".into(),
        other => other.chars().take(3).collect::<String>().to_ascii_uppercase(),
    }
}

pub(super) fn platform_style(platform: &Platform, palette: &Palette) -> Style {
    let nth = match platform.as_str() {
        "twitch" => 0,
        "youtube" | "youtubeshorts" => 1,
        "kick" => 2,
        "facebook" => 3,
        "shopee" => 4,
        "tiktok" => 5,
        other => other.bytes().map(usize::from).sum::<usize>() % palette.platforms.len(),
    };
    palette.platforms.get(nth).copied().unwrap_or(palette.text)
}

/// The local time of day.
pub(super) fn time(pane: &Pane, at: Timestamp, columns: u16) -> String {
    let form = if columns >= 8 { "%H:%M:%S" } else { "%H:%M" };
    at.to_zoned(pane.zone.clone()).strftime(form).to_string()
}

fn pins(pane: &Pane, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let all = pane.view.pins();
    let hidden = all.len().saturating_sub(PINS);
    if area.height == 0 || all.is_empty() {
        return;
    }
    let more = if hidden > 0 { format!("PINNED (and {hidden} older)") } else { "PINNED".into() };
    heading(buf, area, palette, &more, &[]);
    for (y, pin) in all.iter().skip(hidden).enumerate() {
        let message: &Message = &pin.message;
        let mut row = Row::new(buf, area, y as u16 + 1);
        row.put("^ ", palette.key)
            .left(&short(&message.platform), 3, platform_style(&message.platform, palette))
            .gap(1);
        let name = clip(list::name(message), (area.width / 3).max(8));
        row.put(&name, palette.heading)
            .put(": ", palette.dim)
            .put(message.text.as_str(), palette.selected);
    }
}

/// Draws the lines; where the lowest stands.
fn lines(pane: &Pane, palette: &Palette, area: Rect, buf: &mut Buffer, now: Now) -> Option<Place> {
    let seen = list::window(pane, area, now);
    if seen.is_empty() {
        let text = match () {
            () if pane.is_filtered() && !pane.room.is_empty() => {
                "no line matches: esc shows all lines"
            }
            () => "no line has come yet",
        };
        Row::new(buf, area, 0).gap(1).put(text, palette.dim);
        return None;
    }
    let rows: usize = seen.iter().map(|shown| shown.block.rows.len() - shown.cut).sum();
    // The newest stands at the bottom, also while there are few.
    let mut y = area.height.saturating_sub(rows as u16);
    for shown in &seen {
        line(pane, palette, shown, Rect { y: area.y + y, height: area.height - y, ..area }, buf);
        y = (y + (shown.block.rows.len() - shown.cut) as u16).min(area.height);
    }
    seen.last().map(|shown| shown.line.entry.place)
}

/// A letter for what was found in a line, and the colour of both.
fn found(shown: &Shown, palette: &Palette) -> (&'static str, Style, Style) {
    let marks = shown.line.marks;
    let has = |of: fn(&crate::chat::view::Marks) -> bool| marks.is_some_and(of);
    match () {
        () if shown.line.answered => ("✓", palette.good, palette.dim),
        () if has(|marks| marks.order) => ("O", palette.good, palette.good),
        () if has(|marks| marks.complaint) => ("C", palette.bad, palette.warn),
        () if has(|marks| marks.question) => ("Q", palette.key, palette.key),
        () => (" ", palette.text, palette.text),
    }
}

fn line(pane: &Pane, palette: &Palette, shown: &Shown, area: Rect, buf: &mut Buffer) {
    let (entry, block) = (shown.line.entry, &shown.block);
    let columns = Columns::new(area.width);
    let selected = pane.selected == Some(entry.id);
    let message = entry.message();
    let backlog = message.is_some_and(|message| message.backlog);
    let (letter, mark, mut style) = found(shown, palette);
    match block.look {
        Look::Hole => style = palette.warn,
        Look::Removed => style = palette.dim,
        Look::Message if backlog => style = palette.dim,
        Look::Message => {}
    }
    for (y, text) in block.rows.iter().skip(shown.cut).enumerate() {
        let mut row = Row::new(buf, area, y as u16);
        row.left(if selected { "▸" } else { " " }, 1, palette.key);
        if y > 0 || shown.cut > 0 {
            row.gap(columns.before - 1).put(text, style);
            continue;
        }
        if columns.time > 0 {
            row.left(&time(pane, entry.place.at, columns.time), columns.time, palette.dim).gap(1);
        }
        let of_source = || pane.platform(entry.source());
        let platform = message.map_or_else(of_source, |message| &message.platform);
        row.left(&short(platform), columns.platform, platform_style(platform, palette)).gap(1);
        if columns.market > 0 {
            let market = shown.line.marks.and_then(|marks| marks.market.as_ref());
            row.left(market.map_or("", |market| market.as_str()), columns.market, palette.dim)
                .gap(1);
        }
        if columns.language > 0 {
            let known = pane.extra(entry.id).language.map(Language::code);
            let said = message.and_then(|message| message.lang.as_ref()).map(Text::as_str);
            let language = known.or(said.and_then(|tag| tag.split('-').next())).unwrap_or("");
            let language = if block.look == Look::Message { language } else { "" };
            row.left(language, columns.language, palette.dim).gap(1);
        }
        let is_message = block.look == Look::Message;
        row.left(if is_message { letter } else { " " }, 1, mark).gap(1);
        // A byte that is no border of a letter is never met: then all of it is text.
        let (head, text) = text.split_at_checked(block.head).unwrap_or(("", text));
        let (name, rest) = head.split_at_checked(block.name).unwrap_or(("", head));
        let name_style = match () {
            () if shown.line.highlighted => palette.alarm,
            () if backlog => palette.dim,
            () if message.is_some_and(|message| message.own) => palette.key,
            () => palette.heading,
        };
        let style = if selected { style.patch(palette.selected) } else { style };
        row.put(name, name_style).put(rest, palette.dim).put(text, style);
    }
}

fn status(
    pane: &Pane,
    palette: &Palette,
    last: Option<Place>,
    area: Rect,
    buf: &mut Buffer,
    now: Now,
) {
    let mut row = Row::new(buf, area, 0);
    if let Over::Search(edit) = &pane.over {
        if pane.standing != Standing::Alone {
            // The show's keys are letters now.
            row.badge("TYPING", 8, palette.alarm).gap(1);
        }
        row.put("/", palette.key);
        typed(edit, palette, &mut row);
        return;
    }
    // Why a line could not be sent stands in the place of the keys.
    if let Over::Write(write) = &pane.over {
        let (word, to, can) = match write.target() {
            Some(To::Answer { chat, name, .. }) => {
                ("REPLY", format!("{} ({chat}): ", clip(name, 20)), true)
            }
            Some(To::One(chat)) => {
                let can = pane.can(chat, Needs::Write);
                let cannot = if can { "" } else { ", which cannot be written to" };
                ("SAY", format!("{chat}{cannot}: "), can)
            }
            Some(To::All) | None => ("SAY", "to all: ".into(), true),
        };
        row.badge(word, 7, palette.alarm).gap(1);
        row.put(&to, if can { palette.key } else { palette.dim });
        typed(&write.edit, palette, &mut row);
        return;
    }
    if let Some(notice) = &pane.notice {
        row.put(notice, palette.warn);
        return;
    }
    if pane.view.held_at().is_none() {
        return;
    }
    // What came since, and stands below what is seen.
    let below = last.map_or(0, |last| {
        let below = pane.view.down_from(last, &pane.room, &pane.marked, now.mono);
        below.filter(|line| line.is_new).take(MOST_NEW + 1).count()
    });
    let style = if below > 0 { palette.alarm } else { palette.off };
    let more = if below > MOST_NEW { "+" } else { "" };
    let text = format!(" {}{more} new ", below.min(MOST_NEW));
    row.put(&text, style).gap(1).put("end: back to the newest line", palette.dim);
}

/// A text that is typed, with its cursor; its beginning gives way.
pub(super) fn typed(edit: &Edit, palette: &Palette, row: &mut Row) {
    let (before, after) = edit.halves();
    let room = row.rest().saturating_sub(1);
    row.put(tail(before, room), palette.selected).put("▏", palette.key);
    row.put(after, palette.selected);
}

/// The end of a text, of at most so many columns.
fn tail(text: &str, columns: u16) -> &str {
    use unicode_segmentation::UnicodeSegmentation;
    let (mut from, mut used) = (text.len(), 0);
    for (start, one) in text.grapheme_indices(true).rev() {
        used += width(one);
        if used > columns {
            break;
        }
        from = start;
    }
    text.get(from..).unwrap_or_default()
}

fn footer(pane: &Pane, palette: &Palette, area: Rect, buf: &mut Buffer) {
    if matches!(pane.over, Over::Write(_)) {
        if let Some(notice) = &pane.notice {
            Row::new(buf, area, 0).put(notice, palette.warn);
            return;
        }
        let offered = [("enter", "send"), ("↑↓", "to whom"), ("tab", "complete @name")];
        keys(buf, area, palette, &offered, &[("ctrl-p", "panic"), ("esc", "no")]);
        return;
    }
    if pane.is_typing() && matches!(pane.over, Over::Search(_)) {
        let offered = [("enter", "keep"), ("from:", "name"), ("in:", "source or platform")];
        let always: &[_] = match pane.standing {
            Standing::Alone => &[("esc", "clear")],
            _ => &[("ctrl-p", "panic"), ("esc", "clear")],
        };
        keys(buf, area, palette, &offered, always);
        return;
    }
    let reading = [
        ("↑↓", "select"),
        ("/", "search"),
        ("o", "orders"),
        ("u", "questions"),
        ("e", "complaints"),
        ("a", "answered"),
        ("t", "pin"),
        ("h", "highlight"),
        ("enter", "who"),
        ("f", "first-timers"),
        ("m", "moderators"),
    ];
    // What is done with a line that is selected comes first.
    let acting = [
        ("r", "reply"),
        ("d", "delete"),
        ("x", "hide"),
        ("s", "time out"),
        ("b", "ban"),
        ("a", "answered"),
        ("+", "claim"),
        ("t", "pin"),
        ("h", "highlight"),
        ("enter", "who"),
        ("n", "say"),
        ("tab", "claims"),
    ];
    let both: Vec<_> = [("n", "say"), ("tab", "claims")].iter().chain(&reading).copied().collect();
    let offered: &[_] = match (pane.can_act(), pane.page) {
        (true, Page::Lines) if pane.selected.is_some() => &acting,
        (true, Page::Lines) => &both,
        (true, page) => pages::keys(page),
        (false, _) => &reading,
    };
    let (offered, always): (&[_], &[_]) = match pane.standing {
        Standing::Alone => (offered, &[("q", "leave"), ("?", "help")]),
        Standing::Zoomed => (offered, &[("p", "panic"), ("c", "back"), ("?", "help")]),
        Standing::Beside { focused: true } => (offered, &[("c", "back"), ("?", "help")]),
        // Its keys are the show's now.
        Standing::Beside { focused: false } | Standing::Unseen => (&[("c", "focus the chat")], &[]),
    };
    keys(buf, area, palette, offered, always);
}
