//! Pure drawing: a state in, cells out. No view changes anything, and none reads a clock.

mod chat;
pub(super) mod dialog;
mod figures;
pub(super) mod gauge;
mod header;
mod inputs;
mod log;
pub(super) mod meaning;
mod outputs;
pub(super) mod picture;
mod places;
pub(super) mod row;
mod rundown;
mod scenes;
mod statistics;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    widgets::{Clear, Widget},
};

use self::places::Places;
use super::{
    chat::Standing,
    keys::Action,
    planner,
    state::{Focus, Pane, State},
    theme::Palette,
};
use crate::{engine::Look, stats::Grade};

/// Draws the whole screen.
pub(super) fn draw(state: &State, frame: &mut Frame) {
    let area = frame.area();
    let buf = frame.buffer_mut();
    let Some(places) = Places::new(state, area) else {
        dialog::too_small(state, area, buf);
        return;
    };
    header::header(state, places.header, buf);
    if state.pane == Pane::Planner || chat::is_zoomed(state, &places) {
        let pane = below_the_slate(state, area);
        if pane.y > area.y + 1 {
            header::bus(state, places.bus, buf);
        }
        if state.pane == Pane::Planner {
            planner::draw(&state.planner, &state.palette, pane, buf);
        } else {
            chat::pane(state, pane, buf);
        }
        if state.leaving() {
            Clear.render(places.footer, buf);
            log::footer(state, places.footer, buf);
        }
        return dialog::dialog(state, area, buf);
    }
    log::footer(state, places.footer, buf);
    if state.pane == Pane::Statistics {
        statistics::statistics(state, below_the_tally(area), buf);
        return dialog::dialog(state, area, buf);
    }
    header::bus(state, places.bus, buf);
    rundown::rundown(state, places.rundown, buf);
    if let Some(at) = places.picture {
        picture::picture(state, at, buf);
    }
    scenes::scenes(state, places.scenes, buf);
    inputs::inputs(state, places.inputs, buf);
    outputs::outputs(state, places.outputs, buf);
    figures::figures(state, places.figures, buf);
    log::log(state, None, places.log, buf);
    if let Some(at) = places.chat {
        chat::beside(state, at, buf);
    }
    dialog::dialog(state, area, buf);
}

/// How a grade is drawn.
pub(super) fn grade(grade: Grade, palette: &Palette) -> Style {
    match grade {
        Grade::Good => palette.good,
        Grade::Strained => palette.warn,
        Grade::Late | Grade::Stalling | Grade::Down => palette.bad,
    }
}

/// What a pane has: all but the tally and the keys.
const fn below_the_tally(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area }
}

/// What a pane has that needs the keys' row, too: all but the tally, and the bus while the slate is on, which is nothing
/// to be forgotten over a plan.
fn below_the_slate(state: &State, area: Rect) -> Rect {
    let above = 1 + u16::from(state.show.panic);
    Rect { y: area.y + above, height: area.height.saturating_sub(above), ..area }
}

/// Where the chat's pane stands on a screen of that size, and its columns and rows.
pub(super) fn chat_place(state: &State, area: Rect) -> (Standing, (u16, u16)) {
    let unseen = (Standing::Unseen, (0, 0));
    let Some(places) = Places::new(state, area) else { return unseen };
    if chat::is_zoomed(state, &places) {
        let pane = below_the_slate(state, area);
        return (Standing::Zoomed, (pane.width, pane.height));
    }
    match (state.pane, places.chat) {
        (Pane::Show | Pane::Chat, Some(at)) => {
            (Standing::Beside { focused: state.pane == Pane::Chat }, (at.width, at.height))
        }
        _ => unseen,
    }
}

/// The picture worth asking for on a screen of that size; `None` when there is no room for one.
pub(super) fn look(state: &State, area: Rect) -> Option<Look> {
    let places = Places::new(state, area)?;
    let is_seen = match state.pane {
        Pane::Show => true,
        Pane::Chat => !chat::is_zoomed(state, &places),
        Pane::Statistics | Pane::Planner => false,
    };
    places.picture.filter(|_| is_seen).map(picture::look)
}

/// How many entries the explanation of the figures has.
pub(super) fn explained(state: &State) -> usize {
    statistics::explained(state).len()
}

/// What a click asks for: a scene previews, an input or an output is selected.
pub(super) fn click(state: &State, area: Rect, x: u16, y: u16) -> Option<Action> {
    if state.dialog.is_some() {
        return None;
    }
    let places = Places::new(state, area)?;
    if state.pane == Pane::Statistics {
        return statistics::click(state, below_the_tally(area), x, y);
    }
    if state.pane == Pane::Planner || chat::is_zoomed(state, &places) {
        return None;
    }
    let at = (x, y).into();
    if places.chat.is_some_and(|chat| chat.contains(at)) {
        return Some(Action::Pane(Pane::Chat));
    }
    if places.scenes.contains(at) {
        let scene = scenes::at(state, places.scenes, x, y)?;
        let command = crate::show::Command::Preview { scene };
        return Some(Action::Give { command, confirm: false });
    }
    for (focus, place, count, selected) in [
        (Focus::Inputs, places.inputs, state.show.inputs.len(), state.input),
        (Focus::Outputs, places.outputs, state.show.outputs.len(), state.output),
    ] {
        if place.contains(at) && y > place.y {
            let rows = usize::from(place.height - 1);
            let index = row::window(count, rows, selected).start + usize::from(y - place.y - 1);
            return (index < count).then_some(Action::Hand(focus, index));
        }
    }
    None
}
