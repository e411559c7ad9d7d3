//! The pane without a terminal, for what measures it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Opened, Planner, draw, state::News, step};
use crate::console::{
    Theme,
    theme::{Depth, Palette},
};

/// A pane and the cells it draws into.
#[derive(Debug)]
pub struct Bare {
    planner: Planner,
    palette: Palette,
    buf: Buffer,
}

impl Bare {
    /// Of so many columns and rows.
    pub fn new(opened: Opened, now: Timestamp, (columns, rows): (u16, u16)) -> Self {
        let mut planner = Planner::new(now, false);
        planner.on(News::Opened(Ok(Box::new(opened))));
        Self {
            planner,
            palette: Palette::new(Theme::Dark, Depth::True),
            buf: Buffer::empty(Rect::new(0, 0, columns, rows)),
        }
    }

    /// Presses a key and draws. What the key asks the loop for is left.
    pub fn press(&mut self, key: char) {
        let code = match key {
            '\t' => KeyCode::Tab,
            '\x1b' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        if let Some(step) = step(&self.planner, &KeyEvent::new(code, KeyModifiers::NONE)) {
            self.planner.act(step);
        }
        self.buf.reset();
        draw(&self.planner, &self.palette, self.buf.area, &mut self.buf);
    }

    /// How many shows there are.
    pub fn shows(&self) -> usize {
        self.planner.desk.as_ref().map_or(0, |desk| desk.shows().len())
    }
}
