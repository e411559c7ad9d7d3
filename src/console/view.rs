//! Pure drawing: a state in, cells out. No view changes anything, and none reads a clock.

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
    if state.pane == Pane::Planner {
        let mut pane = Rect { y: area.y + 1, height: area.height - 1, ..area };
        if state.show.panic {
            // The slate is nothing to be forgotten over a plan.
            header::bus(state, places.bus, buf);
            pane = Rect { y: pane.y + 1, height: pane.height - 1, ..pane };
        }
        planner::draw(&state.planner, &state.palette, pane, buf);
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

/// The picture worth asking for on a screen of that size; `None` when there is no room for one.
pub(super) fn look(state: &State, area: Rect) -> Option<Look> {
    if state.pane != Pane::Show {
        return None;
    }
    Places::new(state, area)?.picture.map(picture::look)
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
    if state.pane == Pane::Planner {
        return None;
    }
    let at = (x, y).into();
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
