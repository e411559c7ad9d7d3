//! The rundown in one line: the segment that runs, its time, the one that follows.

use ratatui::{buffer::Buffer, layout::Rect};

use super::row::Row;
use crate::{
    console::{state::State, text::width},
    show::Segment,
};

/// Columns of the bar of a segment's time: least and most.
const BAR: (u16, u16) = (8, 40);

/// Columns of its times.
const TIME: u16 = 14;

/// Minutes and seconds; hours where there are some.
fn minutes(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    match hours {
        0 => format!("{minutes:02}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Rows it takes: one, where there is a rundown.
pub(super) fn height(state: &State) -> u16 {
    u16::from(!state.show.spec.segments.is_empty())
}

pub(super) fn rundown(state: &State, area: Rect, buf: &mut Buffer) {
    let (show, palette) = (&state.show, &state.palette);
    let (all, count) = (&show.spec.segments, show.spec.segments.len());
    let mut row = Row::new(buf, area, 0);
    let Some(Segment { index, since }) = show.segment else {
        row.put("SEGMENT", palette.heading).gap(1);
        let first = all.first().map_or("", |s| s.title.as_str());
        row.put(&format!("the rundown begins on air: 1/{count} {first}"), palette.dim);
        return;
    };
    let Some(spec) = all.get(index) else { return };
    let now = state.engine_ms();
    let (passed, length) = (now.saturating_sub(since.as_ms()), u64::from(spec.length_s) * 1000);
    let over = passed.saturating_sub(length);
    row.put("SEGMENT", palette.heading).gap(1);
    row.put(&format!("{}/{count}", index + 1), palette.selected).gap(1);
    let next = match all.get(index + 1) {
        None => "the last".to_owned(),
        Some(next) if spec.by_itself => format!("by itself: {}", next.title),
        Some(next) => format!("n: {}", next.title),
    };
    let time = if over > 0 {
        format!("over by {}", minutes(over))
    } else {
        format!("{} of {}", minutes(passed), minutes(length))
    };
    let bar = (area.width / 6).clamp(BAR.0, BAR.1);
    let columns = width(&time).max(TIME);
    let texts = row.rest().saturating_sub(bar + 1 + columns + 2);
    let title = width(&spec.title).min(texts / 2).max(texts.saturating_sub(width(&next)));
    row.left(&spec.title, title.min(width(&spec.title)), palette.text).gap(1);
    row.right(&time, columns, if over > 0 { palette.warn } else { palette.dim });
    row.gap(1);
    let full = (u64::from(bar) * passed / length.max(1)).min(u64::from(bar)) as u16;
    row.fill("━", full, if over > 0 { palette.warn } else { palette.good });
    row.fill("─", bar - full, palette.rule).gap(1);
    let rest = row.rest();
    row.left(&next, rest, palette.dim);
}
