//! The scenes: key, title, tally. In columns, from top to bottom.

use ratatui::{buffer::Buffer, layout::Rect};

use super::row::{Row, heading};
use crate::{base::SceneId, console::state::State};

/// A column this wide shows a title.
const COLUMN: u16 = 20;
/// Rows of scenes at most.
const MOST: usize = 6;

fn columns(width: u16) -> u16 {
    (width / COLUMN).clamp(1, 3)
}

/// Rows wanted, with the heading.
pub(super) fn height(state: &State, width: u16) -> u16 {
    let scenes = state.show.spec.scenes.len();
    1 + scenes.div_ceil(usize::from(columns(width))).clamp(1, MOST) as u16
}

/// The cells of scene number `index`, if it is seen.
fn cell(area: Rect, index: usize) -> Option<Rect> {
    let rows = usize::from(area.height.checked_sub(1).filter(|r| *r > 0)?);
    let columns = columns(area.width);
    let (column, row) = (index / rows, index % rows);
    if column >= usize::from(columns) {
        return None;
    }
    // Two columns between one scene and the next.
    let width = (area.width + 2) / columns;
    let x = area.x + width * column as u16;
    Some(Rect {
        x,
        y: area.y + 1 + row as u16,
        width: (width - 2).min(area.right() - x),
        height: 1,
    })
}

/// The scene under a click.
pub(super) fn at(state: &State, area: Rect, x: u16, y: u16) -> Option<SceneId> {
    let hit = |i: &usize| cell(area, *i).is_some_and(|c| c.contains((x, y).into()));
    let index = (0..state.show.spec.scenes.len()).find(hit)?;
    state.show.spec.scenes.get(index).map(|s| s.id.clone())
}

pub(super) fn scenes(state: &State, area: Rect, buf: &mut Buffer) {
    let (show, palette) = (&state.show, &state.palette);
    let all = &show.spec.scenes;
    let unseen = (0..all.len()).filter(|i| cell(area, *i).is_none()).count();
    let more = format!("+{unseen} more");
    let note = [(more.as_str(), 0)];
    heading(buf, area, palette, "SCENES", if unseen > 0 { &note } else { &[] });
    for (index, scene) in all.iter().enumerate() {
        let Some(place) = cell(area, index) else { break };
        let key = state.keymap.scene_key(&scene.id).map_or(" ".into(), |c| c.to_string());
        let program = scene.id == show.program;
        let preview = scene.id == show.preview;
        let mut row = Row::new(buf, place, 0);
        row.left(&key, 2, palette.key);
        let badges = 5 * (u16::from(program) + u16::from(preview));
        let title = row.rest().saturating_sub(badges + u16::from(badges > 0));
        let style = if program { palette.selected } else { palette.text };
        row.left(&scene.title, title, style).to_end(badges);
        if program {
            row.badge("PGM", 5, palette.program);
        }
        if preview {
            row.badge("PVW", 5, palette.preview);
        }
    }
}
