//! One row of cells, written from left to right in columns of fixed width: figures that change never push
//! their neighbours about.

use std::ops::Range;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::console::{
    text::{clip, width},
    theme::Palette,
};

/// A pen on one row.
pub(in crate::console) struct Row<'a> {
    buf: &'a mut Buffer,
    x: u16,
    end: u16,
    y: u16,
}

impl<'a> Row<'a> {
    /// On row `index` of `area`; a row outside of it swallows what is written.
    pub(in crate::console) fn new(buf: &'a mut Buffer, area: Rect, index: u16) -> Self {
        let inside = index < area.height;
        Self {
            buf,
            x: area.x,
            end: if inside { area.right() } else { area.x },
            y: area.y + index.min(area.height.saturating_sub(1)),
        }
    }

    /// Columns that are left.
    pub(in crate::console) const fn rest(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    /// Leaves columns blank.
    pub(in crate::console) fn gap(&mut self, columns: u16) -> &mut Self {
        self.x = (self.x + columns).min(self.end);
        self
    }

    /// Goes to `columns` from the end of the row; never back.
    pub(in crate::console) fn skip_to(&mut self, columns: u16) -> &mut Self {
        self.x = self.x.max(self.end.saturating_sub(columns));
        self
    }

    /// As many columns as the text takes.
    pub(in crate::console) fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let text = clip(text, self.rest());
        if !text.is_empty() {
            // Some letters are narrower together than one by one (Arabic lam and alef): what counts are the cells.
            let rest = usize::from(self.rest());
            (self.x, _) = self.buf.set_stringn(self.x, self.y, &text, rest, style);
        }
        self
    }

    /// A column of fixed width, text at its left.
    pub(in crate::console) fn left(&mut self, text: &str, columns: u16, style: Style) -> &mut Self {
        let columns = columns.min(self.rest());
        let end = self.x + columns;
        self.put(&clip(text, columns), style);
        self.x = end;
        self
    }

    /// A column of fixed width, text at its right.
    pub(in crate::console) fn right(
        &mut self,
        text: &str,
        columns: u16,
        style: Style,
    ) -> &mut Self {
        let columns = columns.min(self.rest());
        let text = clip(text, columns);
        self.x += columns - width(&text);
        self.put(&text, style)
    }

    /// A word on a coloured ground, centred in its column.
    pub(in crate::console) fn badge(
        &mut self,
        text: &str,
        columns: u16,
        style: Style,
    ) -> &mut Self {
        let columns = columns.min(self.rest());
        let text = clip(text, columns.saturating_sub(2));
        let before = (columns.saturating_sub(width(&text))) / 2;
        let (x, y) = (self.x, self.y);
        self.buf.set_string(x, y, " ".repeat(usize::from(columns)), style);
        self.buf.set_string(x + before.min(columns), y, &text, style);
        self.x += columns;
        self
    }

    /// A key, what it does, and a gap.
    pub(super) fn key(&mut self, (key, word): &(&str, &str), palette: &Palette) -> &mut Self {
        self.put(key, palette.key).gap(1).put(word, palette.dim).gap(2)
    }

    /// The same sign again and again.
    pub(in crate::console) fn fill(&mut self, sign: &str, columns: u16, style: Style) -> &mut Self {
        let columns = columns.min(self.rest());
        self.buf.set_string(self.x, self.y, sign.repeat(usize::from(columns)), style);
        self.x += columns;
        self
    }
}

/// A section's name and a line to the end of the row, with the names of columns lying on the line: each is a
/// name and how many columns from the row's end it ends.
pub(in crate::console) fn heading(
    buf: &mut Buffer,
    area: Rect,
    palette: &Palette,
    name: &str,
    columns: &[(&str, u16)],
) {
    let mut row = Row::new(buf, area, 0);
    row.put(name, palette.heading).gap(1);
    let rest = row.rest();
    row.fill("─", rest, palette.rule);
    for (name, from_end) in columns {
        let mut row = Row::new(buf, area, 0);
        let w = width(name);
        row.skip_to(from_end + w + 1).put(" ", palette.rule).put(name, palette.dim);
        if *from_end > 0 {
            row.put(" ", palette.rule);
        }
    }
}

/// Columns that keys take with what they do.
pub(super) fn keys_width(keys: &[(&str, &str)]) -> u16 {
    keys.iter().map(|(key, word)| width(key) + 1 + width(word) + 2).sum()
}

/// A row of keys and what they do: of those that are offered as many as fit, at the end those that always work.
pub(in crate::console) fn keys(
    buf: &mut Buffer,
    area: Rect,
    palette: &Palette,
    offered: &[(&str, &str)],
    always: &[(&str, &str)],
) {
    let mut row = Row::new(buf, area, 0);
    let tail = keys_width(always);
    for one in offered {
        if keys_width(&[*one]) + tail > row.rest() {
            break;
        }
        row.key(one, palette);
    }
    row.skip_to(tail.saturating_sub(2));
    for one in always {
        row.key(one, palette);
    }
}

/// Which of `count` entries are seen in `rows` rows, so that the selected one is.
pub(in crate::console) fn window(count: usize, rows: usize, selected: usize) -> Range<usize> {
    let rows = rows.min(count);
    let start = (selected + 1).saturating_sub(rows).min(count - rows);
    start..start + rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_one_is_seen() {
        assert_eq!(window(10, 4, 0), 0..4);
        assert_eq!(window(10, 4, 3), 0..4);
        assert_eq!(window(10, 4, 9), 6..10);
        assert_eq!(window(2, 4, 1), 0..2);
        assert_eq!(window(0, 4, 0), 0..0);
    }

    #[test]
    fn columns_stay_where_they_are() {
        let area = Rect::new(0, 0, 12, 1);
        let mut buf = Buffer::empty(area);
        let plain = Style::new();
        Row::new(&mut buf, area, 0)
            .left("春季大促", 5, plain)
            .right("7", 4, plain)
            .put("abcd", plain);
        assert_eq!(buf, Buffer::with_lines(["春季…   7ab…"]));
        Row::new(&mut buf, area, 3).put("outside", plain);
        assert_eq!(buf, Buffer::with_lines(["春季…   7ab…"]));
    }
}
