//! Pure drawing of the pane: the planner in, cells out.

mod bars;
mod detail;
mod dialog;
mod grid;
mod ruler;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Planner, state::Proposal};
use crate::{
    console::theme::Palette,
    planner::schedule::desk::{Desk, Show, Verdict},
};

/// A screen this wide has the details at the side.
const WIDE: u16 = 120;
/// Columns of the details there.
const SIDE: u16 = 44;
/// Rows of the details at the bottom: least and most.
const BELOW: (u16, u16) = (5, 9);

/// What is drawn of the desk: what stands, or the proposal.
#[derive(Clone, Copy)]
struct Sheet<'p> {
    planner: &'p Planner,
    desk: &'p Desk,
    shows: &'p [Show],
    verdict: &'p Verdict,
    /// Shows that are not among these are new, or go.
    beside: Option<&'p [Show]>,
    /// The hand is on it.
    held: bool,
}

impl<'p> Sheet<'p> {
    fn own(planner: &'p Planner, desk: &'p Desk) -> Self {
        let beside = planner.proposal.as_ref().map(|p| p.shows.as_slice());
        let (shows, verdict) = (desk.shows(), desk.verdict());
        Self { planner, desk, shows, verdict, beside, held: true }
    }

    fn proposed(planner: &'p Planner, desk: &'p Desk, proposal: &'p Proposal) -> Self {
        let beside = Some(desk.shows());
        let (shows, verdict) = (proposal.shows.as_slice(), &proposal.verdict);
        Self { planner, desk, shows, verdict, beside, held: false }
    }

    /// Whether the other plan does not have that show.
    fn alone(&self, show: &Show) -> bool {
        self.beside.is_some_and(|other| !other.iter().any(|o| same(o, show)))
    }
}

/// Whether two shows are one, locked or not.
fn same(a: &Show, b: &Show) -> bool {
    (a.start, a.minutes, a.host, &a.markets) == (b.start, b.minutes, b.host, &b.markets)
}

/// Draws the pane, its keys in the last row.
pub(in crate::console) fn draw(planner: &Planner, palette: &Palette, area: Rect, buf: &mut Buffer) {
    let Some(inner) = bars::inside(planner, palette, area, buf) else { return };
    let Some(desk) = &planner.desk else {
        bars::no_desk(planner, palette, inner, buf);
        return dialog::dialog(planner, palette, area, buf);
    };
    let mut rest = inner;
    bars::title(planner, desk, palette, cut(&mut rest, 1), buf);
    bars::next(planner, desk, palette, cut(&mut rest, 1), buf);
    let keys = Rect { y: rest.bottom() - 1, height: 1, ..rest };
    let said = Rect { y: rest.bottom() - 2, height: 1, ..rest };
    rest.height -= 2;
    bars::said(planner, palette, said, buf);
    bars::keys(planner, palette, keys, buf);
    let details = if inner.width >= WIDE {
        let side = Rect { x: rest.right() - SIDE, width: SIDE, ..rest };
        rest.width -= SIDE + 2;
        side
    } else {
        let rows = (rest.height / 3).clamp(BELOW.0, BELOW.1);
        let below = Rect { y: rest.bottom() - rows, height: rows, ..rest };
        rest.height -= rows;
        below
    };
    let own = Sheet::own(planner, desk);
    match &planner.proposal {
        Some(proposal) if inner.width >= WIDE && grid::has_room_for_both(rest) => {
            let proposed = Sheet::proposed(planner, desk, proposal);
            grid::both(own, proposed, palette, rest, buf);
        }
        Some(proposal) if planner.aside => {
            grid::one(Sheet::proposed(planner, desk, proposal), palette, rest, buf);
        }
        _ => grid::one(own, palette, rest, buf),
    }
    match &planner.proposal {
        Some(proposal) => detail::difference(planner, desk, proposal, palette, details, buf),
        None => detail::detail(own, palette, details, buf),
    }
    dialog::dialog(planner, palette, area, buf);
}

/// Cuts rows off the top of an area.
fn cut(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let top = Rect { height: rows, ..*area };
    *area = Rect { y: area.y + rows, height: area.height - rows, ..*area };
    top
}
