//! Items with their stock, and the queue of claims of the one that is selected.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    chat::{
        claims::{By, Claim, State},
        control::ItemState,
    },
    console::{
        chat::{state::Pane, view},
        text::DASH,
        view::row::{Row, heading, window},
    },
};

/// Rows of items, at most.
const ITEMS: usize = 6;

impl Pane {
    /// The selected item.
    pub(super) fn item(&self) -> Option<&ItemState> {
        let items = &self.control.items;
        items.get(self.cursors.item.min(items.len().saturating_sub(1)))
    }

    /// The claims of the selected item, in their order.
    pub(super) fn claims_of_item(&self) -> impl Iterator<Item = &Claim> {
        let item = self.item().map(|state| &state.item);
        self.control.claims.iter().filter(move |claim| Some(&claim.item) == item)
    }
}

const fn word(claim: &Claim) -> &'static str {
    match claim.state {
        State::New => "new",
        State::Confirmed => "confirmed",
        State::Waiting => "waiting",
        State::Cancelled(_) => "cancelled",
        State::Done => "done",
    }
}

pub(super) fn draw(pane: &Pane, area: Rect, buf: &mut Buffer) {
    let (palette, items) = (&pane.palette, &pane.control.items);
    if items.is_empty() {
        Row::new(buf, area, 0).gap(1).put("no item can be claimed: i opens one", palette.dim);
        return;
    }
    let most = ITEMS.min(usize::from(area.height / 3).max(1));
    let selected = pane.cursors.item.min(items.len() - 1);
    let wide = area.width >= 50;
    let mut y = 0;
    for (nth, state) in
        items.iter().enumerate().skip(window(items.len(), most, selected).start).take(most)
    {
        let mut row = Row::new(buf, area, y);
        let is_selected = nth == selected;
        row.left(if is_selected { "▸" } else { " " }, 1, palette.key);
        let style = if is_selected { palette.selected } else { palette.text };
        row.left(state.item.as_str(), if wide { 14 } else { 8 }, style).gap(1);
        let featured = pane.control.featured.as_ref() == Some(&state.item);
        row.left(if featured { "ON SHOW" } else { "" }, 7, palette.good).gap(1);
        row.left(
            if state.open { "open" } else { "closed" },
            6,
            if state.open { palette.good } else { palette.dim },
        );
        let stock = state.stock.map_or(DASH.to_owned(), |stock| stock.to_string());
        let out = state.stock.is_some_and(|stock| state.granted >= u64::from(stock));
        row.gap(1).right(
            &state.granted.to_string(),
            4,
            if out { palette.warn } else { palette.text },
        );
        row.put(&format!(" of {stock}"), palette.text);
        if state.waiting > 0 {
            row.put(&format!("  {} wait", state.waiting), palette.warn);
        }
        if state.done > 0 && wide {
            row.put(&format!("  {} done", state.done), palette.dim);
        }
        y += 1;
    }
    let claims: Vec<&Claim> = pane.claims_of_item().collect();
    let list = Rect { y: area.y + y, height: area.height.saturating_sub(y), ..area };
    let title = pane.item().map_or(String::new(), |state| format!("CLAIMS OF {}", state.item));
    heading(buf, list, palette, &title, &[]);
    if claims.is_empty() {
        Row::new(buf, list, 1).gap(1).put("nobody claims it, or all are done", palette.dim);
    }
    let rows = usize::from(list.height.saturating_sub(1));
    let selected = pane.cursors.claim.min(claims.len().saturating_sub(1));
    let seen = window(claims.len(), rows, selected);
    for (y, nth) in seen.enumerate() {
        let Some(claim) = claims.get(nth) else { continue };
        let mut row = Row::new(buf, list, y as u16 + 1);
        row.left(if nth == selected { "▸" } else { " " }, 1, palette.key);
        let style = match claim.state {
            State::Confirmed => palette.good,
            State::Waiting => palette.warn,
            State::New => palette.key,
            State::Cancelled(_) | State::Done => palette.dim,
        };
        row.left(word(claim), 9, style).gap(1);
        row.right(&format!("{}/{}", claim.granted, claim.quantity), 5, palette.text).gap(1);
        let name = claim.name.as_str();
        let columns = (row.rest() / 2).min(24);
        row.left(if name.trim().is_empty() { "?" } else { name }, columns, palette.heading).gap(1);
        if wide {
            let platform = claim.platform.as_ref().map_or(String::new(), view::short);
            row.left(&platform, 3, palette.dim).gap(1);
            row.left(&view::time(pane, claim.at, 8), 8, palette.dim).gap(1);
        }
        if claim.late {
            row.put("(late) ", palette.warn);
        }
        let text = if claim.by == By::Hand && claim.text.is_empty() {
            "(by hand)"
        } else {
            claim.text.as_str()
        };
        row.put(text, palette.dim);
    }
}
