//! Where everything is: one pure plan for each shape of screen. The picture gets what the rest can spare; the
//! tally, the states and the keys never go.
//!
//! A chat stands at the right of all of it on a large screen; the rest is planned in what is left.
//!
//! Side: picture at the left, scenes and inputs beside it, the rest below. Roomy: everything beside the
//! picture, the log below. Stacked: one below the other, for narrow and upright screens.

use ratatui::layout::Rect;

use super::{figures, picture, rundown, scenes};
use crate::console::state::State;

/// The least screen, in columns and rows.
pub(super) const LEAST: (u16, u16) = (60, 20);

/// A chat stands beside the picture from this size on.
const CHAT_FROM: (u16, u16) = (116, 34);
/// Columns of a chat beside the picture, least and most.
const CHAT: (u16, u16) = (44, 84);

/// The places on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    pub header: Rect,
    pub bus: Rect,
    /// No row without a rundown.
    pub rundown: Rect,
    /// Exactly the cells of the picture.
    pub picture: Option<Rect>,
    pub scenes: Rect,
    pub inputs: Rect,
    pub outputs: Rect,
    pub figures: Rect,
    pub log: Rect,
    /// The chat, where it has room beside the picture.
    pub chat: Option<Rect>,
    pub footer: Rect,
}

/// Cuts rows off the top of an area.
fn cut(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let top = Rect { height: rows, ..*area };
    *area = Rect { y: area.y + rows, height: area.height - rows, ..*area };
    top
}

impl Places {
    /// `None` when the screen is smaller than [`LEAST`].
    pub(super) fn new(state: &State, area: Rect) -> Option<Self> {
        if area.width < LEAST.0 || area.height < LEAST.1 {
            return None;
        }
        let mut inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
        let mut places = Self {
            header: cut(&mut inner, 1),
            bus: cut(&mut inner, 1),
            rundown: cut(&mut inner, rundown::height(state)),
            picture: None,
            scenes: Rect::default(),
            inputs: Rect::default(),
            outputs: Rect::default(),
            figures: Rect::default(),
            log: Rect::default(),
            chat: None,
            footer: Rect { y: inner.bottom() - 1, height: 1, ..inner },
        };
        inner.height -= 1;
        if state.chat.is_some() && area.width >= CHAT_FROM.0 && area.height >= CHAT_FROM.1 {
            let width = (area.width * 3 / 8).clamp(CHAT.0, CHAT.1);
            let left = inner.width - width;
            // Its own margin stands at the edge of the screen; before it are a blank and a line.
            places.chat = Some(Rect { x: inner.x + left, width: width + 1, ..inner });
            places.beside_chat(state, Rect { width: left - 2, ..inner });
        } else if area.width >= 120 && area.height >= 34 {
            places.roomy(state, inner);
        } else if area.width >= 76 {
            places.side(state, inner);
        } else {
            places.stacked(state, inner);
        }
        Some(places)
    }

    /// What is left beside a chat: planned so that the picture is largest.
    fn beside_chat(&mut self, state: &State, area: Rect) {
        let plan = |shape: fn(&mut Self, &State, Rect)| {
            let mut places = *self;
            shape(&mut places, state, area);
            places
        };
        let cells = |places: &Self| places.picture.map_or(0, Rect::area);
        let (side, stacked) = (plan(Self::side), plan(Self::stacked));
        *self = if cells(&side) >= cells(&stacked) { side } else { stacked };
    }

    fn side(&mut self, state: &State, mut area: Rect) {
        let figures = figures::height(state, area.width, area.height);
        let outputs = 1 + rows(state.show.outputs.len(), 3);
        let inputs = 1 + rows(state.show.inputs.len(), 16);
        // Four rows of log at least; the figures and the outputs are never squeezed.
        let spare = area.height.saturating_sub(outputs + figures + 4);
        let room = Rect { width: area.width * 42 / 100, height: spare, ..area };
        let size = picture::fit(state.show.spec.profile.canvas, room);
        let left = size.map_or(0, |(w, _)| w.max(area.width / 5) + 2);
        let scenes = scenes::height(state, area.width - left);
        let body = size.map_or(0, |(_, h)| h).max(scenes + inputs).min(spare);
        let mut right = cut(&mut area, body);
        if let Some((w, h)) = size {
            self.picture = Some(Rect {
                x: right.x + (left - 2 - w) / 2,
                y: right.y,
                width: w,
                height: h.min(body),
            });
            right = Rect { x: right.x + left, width: right.width - left, ..right };
        }
        self.scenes = cut(&mut right, scenes.min(body.saturating_sub(3)));
        self.inputs = right;
        self.outputs = cut(&mut area, outputs);
        self.figures = cut(&mut area, figures);
        self.log = area;
    }

    fn roomy(&mut self, state: &State, mut area: Rect) {
        let room = Rect { width: area.width * 58 / 100, height: area.height - 7, ..area };
        let size = picture::fit(state.show.spec.profile.canvas, room);
        let left = size.map_or(0, |(w, _)| w + 2);
        let width = area.width - left;
        let figures = figures::height(state, width, area.height);
        let scenes = scenes::height(state, width);
        let outputs = 1 + rows(state.show.outputs.len(), 8);
        let most = area.height - 7;
        let others = scenes + outputs + figures + 3;
        let inputs =
            (1 + rows(state.show.inputs.len(), 16)).min(most.saturating_sub(others)).max(2);
        let body = size.map_or(0, |(_, h)| h).max(others + inputs).min(most);
        let mut right = cut(&mut area, body);
        if let Some((w, h)) = size {
            self.picture = Some(Rect { width: w, height: h.min(body), ..right });
            right = Rect { x: right.x + left, width, ..right };
        }
        self.scenes = cut(&mut right, scenes);
        cut(&mut right, 1);
        self.inputs = cut(&mut right, inputs);
        cut(&mut right, 1);
        self.outputs = cut(&mut right, outputs);
        cut(&mut right, 1);
        self.figures = right;
        self.log = area;
    }

    fn stacked(&mut self, state: &State, mut area: Rect) {
        let figures = figures::height(state, area.width, area.height);
        let mut scenes = scenes::height(state, area.width);
        let mut outputs = 1 + rows(state.show.outputs.len(), 4);
        let mut inputs = 1 + rows(state.show.inputs.len(), 8);
        let mut log = 5;
        // What gives way first, and how far it can.
        let over =
            |s: u16, i: u16, o: u16, l: u16| (s + i + o + l + figures).saturating_sub(area.height);
        log -= over(scenes, inputs, outputs, log).min(2);
        inputs -= over(scenes, inputs, outputs, log).min(inputs.saturating_sub(4));
        scenes -= over(scenes, inputs, outputs, log).min(scenes.saturating_sub(3));
        outputs -= over(scenes, inputs, outputs, log).min(outputs.saturating_sub(3));
        inputs -= over(scenes, inputs, outputs, log).min(inputs.saturating_sub(3));
        scenes -= over(scenes, inputs, outputs, log).min(scenes.saturating_sub(2));
        outputs -= over(scenes, inputs, outputs, log).min(outputs.saturating_sub(2));
        let spare = area.height.saturating_sub(scenes + inputs + outputs + figures + log);
        let room = Rect { height: spare, ..area };
        if let Some((w, h)) = picture::fit(state.show.spec.profile.canvas, room) {
            let place = cut(&mut area, h);
            self.picture = Some(Rect { x: place.x + (place.width - w) / 2, width: w, ..place });
        }
        self.scenes = cut(&mut area, scenes);
        self.inputs = cut(&mut area, inputs);
        self.outputs = cut(&mut area, outputs);
        self.figures = cut(&mut area, figures);
        self.log = area;
    }
}

/// Rows for so many entries: at least one (an empty list says so), at most `most`.
fn rows(count: usize, most: u16) -> u16 {
    (count.min(usize::from(most)) as u16).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;

    #[test]
    fn nothing_overlaps_and_nothing_is_outside() {
        for (name, state) in [
            ("one", Box::new(fixture::rehearsal())),
            ("many", Box::new(fixture::crowded())),
            ("watched", Box::new(fixture::watched())),
            ("rundown", Box::new(fixture::with_rundown(0))),
            ("chat", Box::new(fixture::with_chat())),
        ] {
            for width in (LEAST.0..220).step_by(7) {
                for height in (LEAST.1..90).step_by(5) {
                    let area = Rect::new(0, 0, width, height);
                    let p = Places::new(&state, area).unwrap();
                    let mut all = vec![
                        p.header, p.bus, p.scenes, p.inputs, p.outputs, p.figures, p.log, p.footer,
                    ];
                    for (i, place) in all.iter().enumerate() {
                        assert!(place.area() > 0, "{name} {width}x{height}: place {i} is empty");
                    }
                    all.extend(p.picture);
                    all.extend(p.chat);
                    all.extend(Some(p.rundown).filter(|p| p.area() > 0));
                    for (i, a) in all.iter().enumerate() {
                        assert_eq!(
                            a.intersection(area),
                            *a,
                            "{name} {width}x{height}: {i} is outside"
                        );
                        for (j, b) in all.iter().enumerate().skip(i + 1) {
                            assert!(!a.intersects(*b), "{name} {width}x{height}: {i} lies on {j}");
                        }
                    }
                    assert!(p.inputs.height >= 2 && p.outputs.height >= 2 && p.log.height >= 2);
                }
            }
        }
    }

    #[test]
    fn a_screen_too_small_has_no_places() {
        let state = fixture::rehearsal();
        assert_eq!(Places::new(&state, Rect::new(0, 0, LEAST.0 - 1, 50)), None);
        assert_eq!(Places::new(&state, Rect::new(0, 0, 200, LEAST.1 - 1)), None);
    }

    #[test]
    fn the_usual_screens_have_a_picture() {
        let state = fixture::on_air();
        for (w, h) in [(80, 24), (160, 50), (60, 40), (120, 30)] {
            let p = Places::new(&state, Rect::new(0, 0, w, h)).unwrap();
            assert!(p.picture.is_some_and(|p| p.width >= 28), "{w}x{h}: {:?}", p.picture);
        }
    }
}
