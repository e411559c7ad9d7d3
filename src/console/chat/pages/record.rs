//! What was sent and what was done, the newest at the bottom, each with what the platform says of it.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::{
    chat::{
        control::{Act, By, Outcome, SentLine, What},
        send::Status,
    },
    console::{
        chat::{moderate, state::Pane, view},
        text::{clip, wrap},
        theme::Palette,
        view::row::Row,
    },
};

/// Rows of one entry.
const ROWS: usize = 3;

/// What became of a line.
fn fate(line: &SentLine, palette: &Palette) -> (String, Style) {
    match &line.status {
        Status::Queued => ("queued".into(), palette.key),
        Status::Sent => ("sent".into(), palette.text),
        Status::Confirmed => ("confirmed".into(), palette.good),
        Status::Dropped { code, text } => {
            let why = if text.is_empty() { code } else { text };
            (format!("DROPPED: {}", clip(why.as_str(), 200)), palette.bad)
        }
        Status::Failed(failure) => {
            (format!("NOT SENT: {}", clip(failure.words().as_str(), 200)), palette.bad)
        }
    }
}

fn deed(act: &Act, palette: &Palette) -> (String, Style) {
    let by = match &act.by {
        By::Hand => String::new(),
        By::Rule(_) => " by a rule".into(),
    };
    let lasting = matches!(act.what, What::Hold | What::Hide | What::Show);
    match &act.outcome {
        Outcome::Asked => (format!("asked{by}"), palette.key),
        Outcome::Done if lasting => (format!("done here{by}"), palette.good),
        Outcome::Done => (format!("done{by}"), palette.good),
        Outcome::Failed { why } => {
            (format!("FAILED, hidden here only{by}: {}", clip(why.as_str(), 200)), palette.bad)
        }
        Outcome::Undone => (format!("undone{by}"), palette.dim),
    }
}

/// One entry: its head, and what is said in rows.
struct Told {
    head: String,
    fate: (String, Style),
    text: String,
}

fn draw(pane: &Pane, all: &[Told], (selected, none): (usize, &str), area: Rect, buf: &mut Buffer) {
    let palette = &pane.palette;
    if all.is_empty() {
        Row::new(buf, area, 0).gap(1).put(none, palette.dim);
        return;
    }
    // From the newest up, so that the selected one is seen.
    let at = all.len() - 1 - selected.min(all.len() - 1);
    let rows = |told: &Told| {
        let text = format!("{}  {}", told.fate.0, told.text);
        wrap(&text, area.width.saturating_sub(3).max(2)).len().min(ROWS) as u16 + 1
    };
    let mut last = all.len() - 1;
    while last > at && all.iter().take(last + 1).skip(at).map(rows).sum::<u16>() > area.height {
        last -= 1;
    }
    let mut bottom = area.height;
    for (nth, told) in all.iter().enumerate().take(last + 1).rev() {
        let height = rows(told);
        if height > bottom {
            break;
        }
        bottom -= height;
        let mut row = Row::new(buf, area, bottom);
        row.left(if nth == at { "▸" } else { " " }, 1, palette.key);
        row.put(&told.head, if nth == at { palette.selected } else { palette.heading });
        let text = format!("{}  {}", told.fate.0, told.text);
        let lines = wrap(&text, area.width.saturating_sub(3).max(2));
        for (y, line) in lines.iter().take(ROWS).enumerate() {
            let mut row = Row::new(buf, area, bottom + 1 + y as u16);
            row.gap(3);
            match line.strip_prefix(told.fate.0.as_str()).filter(|_| y == 0) {
                Some(rest) => row.put(&told.fate.0, told.fate.1).put(rest, palette.text),
                None => row.put(line, if y == 0 { told.fate.1 } else { palette.text }),
            };
        }
    }
}

/// Lines of ours.
pub(super) fn sent(pane: &Pane, area: Rect, buf: &mut Buffer) {
    let told = |line: &SentLine| Told {
        head: format!("{} {}", view::time(pane, line.at, 8), line.chat),
        fate: fate(line, &pane.palette),
        text: line.text.clone(),
    };
    let all: Vec<_> = pane.control.lines.iter().map(told).collect();
    draw(pane, &all, (pane.cursors.line, "nothing was sent yet: n says a line"), area, buf);
}

/// Acts of moderation.
pub(super) fn acts(pane: &Pane, area: Rect, buf: &mut Buffer) {
    let told = |act: &Act| {
        let name = act.author.name.as_str();
        let who = clip(if name.trim().is_empty() { "?" } else { name }, 24);
        let at = view::time(pane, act.at, 8);
        Told {
            head: format!("{at} {}: {} of {who}", act.chat, moderate::noun(act.what)),
            fate: deed(act, &pane.palette),
            text: act.reason.as_ref().map_or(String::new(), ToString::to_string),
        }
    };
    let all: Vec<_> = pane.control.acts.iter().map(told).collect();
    draw(pane, &all, (pane.cursors.act, "nobody was moderated yet"), area, buf);
}
