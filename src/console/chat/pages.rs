//! What stands in the place of the lines: claims, the poll, what was sent, what was done. Lists that are told by the
//! control of the chat; which of them is seen, and what is selected in it, is this pane's.

mod claims;
mod poll;
mod record;

use crossterm::event::KeyCode;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{form::Asked, keys::Pressed, state::Pane};
use crate::{
    chat::{control::Request, send::Status},
    console::view::row::Row,
};

/// What is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Page {
    #[default]
    Lines,
    Claims,
    Poll,
    Sent,
    Acts,
}

/// What is selected in each list.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursors {
    pub(super) item: usize,
    pub(super) claim: usize,
    /// Counted from the newest.
    pub(super) line: usize,
    pub(super) act: usize,
}

impl Page {
    const ALL: [Self; 5] = [Self::Lines, Self::Claims, Self::Poll, Self::Sent, Self::Acts];

    const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Claims => "claims",
            Self::Poll => "poll",
            Self::Sent => "sent",
            Self::Acts => "done",
        }
    }

    fn by(self, step: usize) -> Self {
        let at = Self::ALL.iter().position(|page| *page == self).unwrap_or(0);
        Self::ALL.get((at + step) % Self::ALL.len()).copied().unwrap_or_default()
    }

    pub(super) fn next(self) -> Self {
        self.by(1)
    }

    pub(super) fn back(self) -> Self {
        self.by(Self::ALL.len() - 1)
    }
}

/// How much there is to see, where that is worth a look.
fn badge(pane: &Pane, page: Page) -> String {
    let control = &pane.control;
    match page {
        Page::Claims if !control.claims.is_empty() => format!(" {}", control.claims.len()),
        Page::Poll => match &control.poll {
            Some(poll) if poll.open => format!(" {}", poll.tally.total),
            _ => String::new(),
        },
        Page::Sent => match not_sent(pane) {
            0 => String::new(),
            n => format!(" {n} not sent"),
        },
        _ => String::new(),
    }
}

/// Lines of ours that a platform did not take.
pub(super) fn not_sent(pane: &Pane) -> usize {
    let lost = |status: &Status| matches!(status, Status::Dropped { .. } | Status::Failed(_));
    pane.control.lines.iter().filter(|line| lost(&line.status)).count()
}

/// The names of the pages, the one that is seen in capitals.
pub(super) fn tabs(pane: &Pane, area: Rect, buf: &mut Buffer) {
    let palette = &pane.palette;
    let mut row = Row::new(buf, area, 0);
    for page in Page::ALL {
        let badge = badge(pane, page);
        if page == pane.page {
            row.put(&format!("{}{badge}", page.name().to_uppercase()), palette.heading);
        } else {
            let style =
                if page == Page::Sent && !badge.is_empty() { palette.bad } else { palette.dim };
            row.put(&format!("{}{badge}", page.name()), style);
        }
        row.gap(2);
    }
    let rest = row.rest();
    row.fill("─", rest, palette.rule);
}

/// Draws the page that is seen instead of the lines.
pub(super) fn draw(pane: &Pane, area: Rect, buf: &mut Buffer) {
    match pane.page {
        Page::Lines => {}
        Page::Claims => claims::draw(pane, area, buf),
        Page::Poll => poll::draw(pane, area, buf),
        Page::Sent => record::sent(pane, area, buf),
        Page::Acts => record::acts(pane, area, buf),
    }
}

/// The keys of that page.
pub(super) const fn keys(page: Page) -> &'static [(&'static str, &'static str)] {
    match page {
        Page::Lines => &[],
        Page::Claims => &[
            ("↑↓", "claim"),
            ("←→", "item"),
            ("d", "done"),
            ("x", "cancel"),
            ("+", "by hand"),
            ("f", "on show"),
            ("i", "new item"),
            ("o", "open, close"),
            ("s", "stock"),
            ("U", "undo"),
        ],
        Page::Poll => &[("n", "new poll"), ("x", "close it")],
        Page::Sent => &[("↑↓", "select"), ("n", "say a line")],
        Page::Acts => &[("↑↓", "select"), ("U", "undo")],
    }
}

/// The index that is `by` away, within a list of so many.
fn moved(at: usize, by: isize, count: usize) -> usize {
    at.saturating_add_signed(by).min(count.saturating_sub(1))
}

impl Pane {
    /// A key of the page that is seen; `None` where it has no such key.
    pub(super) fn paged(&mut self, code: KeyCode) -> Option<Pressed> {
        let control = std::sync::Arc::clone(&self.control);
        let by = match code {
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::Down | KeyCode::Char('j') => 1,
            _ => 0,
        };
        if by != 0 {
            let claims = self.claims_of_item().count();
            let (at, count, by) = match self.page {
                Page::Claims => (&mut self.cursors.claim, claims, by),
                // Counted from the newest, which stands lowest.
                Page::Sent => (&mut self.cursors.line, control.lines.len(), -by),
                Page::Acts => (&mut self.cursors.act, control.acts.len(), -by),
                Page::Lines | Page::Poll => return None,
            };
            *at = moved(*at, by, count);
            return Some(Pressed::Taken);
        }
        Some(match (self.page, code) {
            (Page::Claims, KeyCode::Left | KeyCode::Right) => {
                let by = if code == KeyCode::Left { -1 } else { 1 };
                self.cursors.item = moved(self.cursors.item, by, control.items.len());
                self.cursors.claim = 0;
                Pressed::Taken
            }
            (Page::Claims, KeyCode::Char(key)) => return self.claims_key(key),
            (Page::Poll, KeyCode::Char('n')) => {
                self.form(Asked::Poll, "");
                Pressed::Taken
            }
            (Page::Poll, KeyCode::Char('x')) => self.ask(Request::ClosePoll),
            (Page::Sent, KeyCode::Char('n')) => {
                self.write(None);
                Pressed::Taken
            }
            (Page::Acts, KeyCode::Char('U')) => {
                let nth = control.acts.iter().rev().nth(self.cursors.act);
                self.undo(nth);
                Pressed::Taken
            }
            _ => return None,
        })
    }

    fn claims_key(&mut self, key: char) -> Option<Pressed> {
        let item = self.item().map(|state| (state.item.clone(), state.open));
        let claim = self.claims_of_item().nth(self.cursors.claim).map(|claim| claim.id);
        if let (true, None) = (matches!(key, 'd' | 'x'), claim) {
            self.notice = Some("no claim is selected".into());
            return Some(Pressed::Taken);
        }
        if let (true, None) = (matches!(key, 'f' | 'o' | 's'), &item) {
            self.notice = Some("there is no item: i opens one".into());
            return Some(Pressed::Taken);
        }
        Some(match (key, item, claim) {
            ('d', _, Some(claim)) => self.ask(Request::ClaimDone { claim }),
            ('x', _, Some(claim)) => self.ask(Request::CancelClaim { claim }),
            ('f', Some((item, _)), _) if self.control.featured.as_ref() == Some(&item) => {
                self.ask(Request::FeatureItem { item: None })
            }
            ('f', Some((item, _)), _) => self.ask(Request::FeatureItem { item: Some(item) }),
            ('o', Some((item, true)), _) => self.ask(Request::CloseItem { item }),
            ('o', Some((item, false)), _) => {
                let stock = self.item().and_then(|state| state.stock);
                self.ask(Request::OpenItem { item, stock })
            }
            ('s', Some((item, _)), _) => {
                self.form(Asked::Stock(item), "");
                Pressed::Taken
            }
            ('i', _, _) => {
                self.form(Asked::Item, "");
                Pressed::Taken
            }
            ('+', item, _) => {
                let text = item.map(|(item, _)| format!("{item} ")).unwrap_or_default();
                self.form(Asked::Enter, &text);
                Pressed::Taken
            }
            ('U', _, _) => self.ask(Request::UndoClaim),
            _ => return None,
        })
    }
}
