//! One line of text that is typed: a search, a reply, a reason.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

use crate::base::text::plain;

/// Longest text, in graphemes: as much as a search reads, and a reason may have.
const MOST: usize = 200;

/// A line and the place in it where typing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    text: String,
    /// In bytes, always between two graphemes.
    at: usize,
    /// Longest text, in graphemes.
    most: usize,
}

impl Default for Edit {
    fn default() -> Self {
        Self::longer(MOST)
    }
}

impl Edit {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), at: text.len(), most: MOST }
    }

    /// An empty one that takes so many graphemes.
    pub(super) const fn longer(most: usize) -> Self {
        Self { text: String::new(), at: 0, most }
    }

    /// Puts other text in the place of a range, and goes behind it; where that ends.
    pub(super) fn replace(&mut self, range: std::ops::Range<usize>, text: &str) -> usize {
        self.remove(range.start, range.end);
        self.insert(text);
        self.at
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor, and behind it.
    pub(super) fn halves(&self) -> (&str, &str) {
        self.text.split_at_checked(self.at).unwrap_or((&self.text, ""))
    }

    /// Puts text in; control characters and what is too long are left out.
    pub(super) fn insert(&mut self, text: &str) {
        let (before, after) = self.halves();
        // A pasted megabyte is cut before it is cleaned.
        let text: String = text.chars().take(self.most * 4).collect();
        let before = format!("{before}{text}");
        let whole = plain(&format!("{before}{after}"));
        let kept: String = whole.graphemes(true).take(self.most).collect();
        // What was put in may join with what stands beside it.
        let at = plain(&before).len().min(kept.len());
        let ends = kept.grapheme_indices(true).map(|(start, one)| start + one.len());
        self.at = ends.take_while(|end| *end <= at).last().unwrap_or(0);
        self.text = kept;
    }

    fn before(&self) -> usize {
        self.halves().0.grapheme_indices(true).next_back().map_or(0, |(start, _)| start)
    }

    fn after(&self) -> usize {
        self.halves().1.graphemes(true).next().map_or(self.text.len(), |one| self.at + one.len())
    }

    fn remove(&mut self, from: usize, until: usize) {
        let (head, tail) = (self.text.get(..from), self.text.get(until..));
        self.text = format!("{}{}", head.unwrap_or_default(), tail.unwrap_or_default());
        self.at = from;
    }

    /// A key. Whether the text has changed.
    pub(super) fn press(&mut self, key: &KeyEvent) -> bool {
        let before = self.text.clone();
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if ctrl => self.remove(0, self.at),
            KeyCode::Char('a') if ctrl => self.at = 0,
            KeyCode::Char('e') if ctrl => self.at = self.text.len(),
            KeyCode::Char(c) if !ctrl && !c.is_control() => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Backspace => self.remove(self.before(), self.at),
            KeyCode::Delete => self.remove(self.at, self.after()),
            KeyCode::Left => self.at = self.before(),
            KeyCode::Right => self.at = self.after(),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            _ => {}
        }
        self.text != before
    }
}
