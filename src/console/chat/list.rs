//! The list: which lines are seen, and how each is broken into rows. Pure; the keys scroll by it and the view draws it.

use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation;

use super::{state::Pane, view::Places};
use crate::{
    base::Now,
    chat::{
        Badge, Kind, Message, Removal, State,
        room::{Deletion, Place},
        view::Line,
    },
    console::text::{clip, width, wrap},
};

/// Rows of one line in the list; in full it stands on its card.
const MOST_ROWS: usize = 4;
/// Badges shown of an author, the weightiest first.
const BADGES: usize = 2;

/// The columns before the text, by the width that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    /// Columns of the time: `12:34:56`, `12:34`, or none.
    pub(super) time: u16,
    pub(super) platform: u16,
    pub(super) market: u16,
    pub(super) language: u16,
    /// Columns of all, with the marks and gaps.
    pub(super) before: u16,
    /// Columns of the text.
    pub(super) text: u16,
}

impl Columns {
    pub(super) fn new(width: u16) -> Self {
        let (time, market, language) = match width {
            ..40 => (0, 0, 0),
            40..60 => (5, 0, 0),
            60..100 => (8, 0, 2),
            _ => (8, 3, 2),
        };
        let platform = 3;
        let gap = |columns: u16| if columns == 0 { 0 } else { columns + 1 };
        // The mark of what is selected before all, the letter of what was found behind all.
        let before = 1 + gap(time) + gap(platform) + gap(market) + gap(language) + 2;
        Self { time, platform, market, language, before, text: width.saturating_sub(before).max(2) }
    }
}

/// What a line is to the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Message,
    /// Deleted, hidden, held.
    Removed,
    Hole,
}

/// A line in rows.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) look: Look,
    pub(super) rows: Vec<String>,
    /// Bytes of the first row that are the author's name.
    pub(super) name: usize,
    /// Bytes of the first row that are name, badges and what kind of message it is.
    pub(super) head: usize,
}

/// A line that is seen.
pub(super) struct Shown<'a> {
    pub(super) line: Line<'a>,
    pub(super) block: Block,
    /// Rows at its beginning for which there is no room.
    pub(super) cut: usize,
}

/// A badge in three letters.
const fn badge(badge: Badge) -> &'static str {
    match badge {
        Badge::Owner => "own",
        Badge::Moderator => "mod",
        Badge::Member => "mem",
        Badge::Buyer => "buy",
        Badge::Vip => "vip",
        Badge::Verified => "ver",
        Badge::First => "new",
        Badge::Bot => "bot",
    }
}

/// An author's badges: `[mod new]`, or nothing.
pub(super) fn badges(message: &Message, most: usize) -> String {
    let words: Vec<_> = message.author.badges.iter().take(most).map(|one| badge(*one)).collect();
    if words.is_empty() { String::new() } else { format!(" [{}]", words.join(" ")) }
}

/// The name to show.
pub(super) fn name(message: &Message) -> &str {
    let name = message.author.name.as_str();
    if name.trim().is_empty() { "?" } else { name }
}

/// What kind of message it is, where that is no ordinary line.
pub(super) fn kind(message: &Message) -> String {
    let mut words = match &message.kind {
        Kind::Text | Kind::Action => String::new(),
        Kind::Paid { amount } => {
            let (whole, hundredths) = (amount.micros / 1_000_000, amount.micros / 10_000 % 100);
            format!("paid {whole}.{hundredths:02} {}: ", clip(amount.currency.as_str(), 8))
        }
        Kind::Membership => "(membership) ".to_owned(),
        Kind::Gift => "(gift) ".to_owned(),
        Kind::Notice => "(notice) ".to_owned(),
    };
    if let Some(origin) = &message.origin {
        words = format!("(from {}) {words}", clip(origin.channel.as_str(), 16));
    }
    if message.reply.is_some() {
        words.push_str("(reply) ");
    }
    words
}

/// Why a line is not shown.
pub(super) fn removed(state: State) -> Option<&'static str> {
    Some(match state {
        State::Shown => return None,
        State::DeletedByPlatform(Deletion::User(Removal::Banned)) => "(deleted: banned)",
        State::DeletedByPlatform(Deletion::User(Removal::TimedOut(_))) => "(deleted: timed out)",
        State::DeletedByPlatform(_) | State::DeletedByUs => "(deleted)",
        State::Hidden => "(hidden)",
        State::Held => "(held for review)",
    })
}

/// A line in rows of so many columns.
pub(super) fn block(pane: &Pane, line: &Line, columns: u16) -> Block {
    let plain =
        |look, text: &str| Block { look, rows: vec![clip(text, columns)], name: 0, head: 0 };
    let entry = line.entry;
    let Some(message) = entry.message() else {
        let length = entry.hole().unwrap_or_default();
        let text = format!("-- {} of {} are missing --", seconds(length), entry.source());
        return plain(Look::Hole, &text);
    };
    if entry.state != State::Held
        && let Some(words) = removed(entry.state)
    {
        return plain(Look::Removed, words);
    }
    let name = clip(name(message), (columns / 3).max(8));
    let colon = if matches!(message.kind, Kind::Action) { " " } else { ": " };
    let mut head = format!("{name}{}{colon}{}", badges(message, BADGES), kind(message));
    if entry.state == State::Held {
        head.push_str("(held for review) ");
    }
    if entry.late {
        head.push_str("(late) ");
    }
    // What stands before the text leaves room for it.
    if width(&head) + 2 > columns {
        head = clip(&head, columns / 2);
    }
    let count = pane.extra(entry.id).count;
    let folded = if count > 1 { format!(" (x{count})") } else { String::new() };
    // What cannot be seen is not wrapped.
    let most = usize::from(columns) * (MOST_ROWS + 1);
    let text: String = message.text.as_str().graphemes(true).take(most).collect();
    let mut rows = wrap(&format!("{head}{text}{folded}"), columns);
    if rows.len() > MOST_ROWS {
        rows.truncate(MOST_ROWS);
        if let Some(last) = rows.last_mut() {
            let room = columns.saturating_sub(2 + width(&folded));
            *last = format!("{}…{folded}", clip(last, room).trim_end_matches('…'));
        }
    }
    let first = rows.first().map_or("", String::as_str);
    let head = if first.starts_with(head.trim_end()) { head.len().min(first.len()) } else { 0 };
    let name = if head > 0 { name.len() } else { 0 };
    Block { look: Look::Message, rows, name, head }
}

/// A length of time: `4.0 s`, `42 s`, `12 min`.
pub(super) fn seconds(length: std::time::Duration) -> String {
    match length.as_secs() {
        0..10 => format!("{:.1} s", length.as_secs_f64()),
        s @ 10..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3_600),
    }
}

/// What is seen in that area, the uppermost first.
pub(super) fn window(pane: &Pane, area: Rect, now: Now) -> Vec<Shown<'_>> {
    let columns = Columns::new(area.width).text;
    let height = usize::from(area.height);
    let (mut seen, mut rows) = (Vec::new(), 0);
    if height == 0 {
        return seen;
    }
    let bottom = pane.view.held_at();
    for line in pane.view.up_from(bottom, &pane.room, &pane.marked, now.mono) {
        let block = block(pane, &line, columns);
        rows += block.rows.len();
        let cut = rows.saturating_sub(height);
        seen.push(Shown { line, block, cut });
        if rows >= height {
            break;
        }
    }
    seen.reverse();
    // Above is nothing: what came later fills the rest.
    if let (Some(bottom), true) = (bottom, rows < height) {
        for line in pane.view.down_from(bottom, &pane.room, &pane.marked, now.mono) {
            let mut block = block(pane, &line, columns);
            block.rows.truncate(height - rows);
            rows += block.rows.len();
            seen.push(Shown { line, block, cut: 0 });
            if rows >= height {
                break;
            }
        }
    }
    seen
}

fn area(pane: &Pane, now: Now) -> Rect {
    let (width, height) = pane.size;
    Places::new(pane, Rect::new(0, 0, width, height), now).map_or(Rect::ZERO, |places| places.list)
}

/// The lines that are seen whole, in the size that the pane had last.
pub(super) fn shown(pane: &Pane, now: Now) -> Vec<Line<'_>> {
    let seen = window(pane, area(pane, now), now);
    let alone = seen.len() == 1;
    seen.into_iter().filter(|shown| shown.cut == 0 || alone).map(|shown| shown.line).collect()
}

/// The lowest line that is seen whole where the one at `top` is the uppermost.
pub(super) fn bottom_below(pane: &Pane, top: Place, now: Now) -> Place {
    let area = area(pane, now);
    let columns = Columns::new(area.width).text;
    let mut rest = usize::from(area.height);
    let first = pane.view.up_from(Some(top), &pane.room, &pane.marked, now.mono).take(1);
    let below = pane.view.down_from(top, &pane.room, &pane.marked, now.mono);
    let mut bottom = top;
    for line in first.chain(below) {
        let rows = block(pane, &line, columns).rows.len();
        if rows > rest {
            break;
        }
        rest -= rows;
        bottom = line.entry.place;
    }
    bottom
}
