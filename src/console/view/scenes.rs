//! The scenes: key, title, tally. In columns, from top to bottom.

use ratatui::{buffer::Buffer, layout::Rect};

use super::row::{Row, heading};
use crate::{base::SceneId, console::state::State};

/// A column this wide shows a title.
const COLUMN: u16 = 20;
/// Rows of scenes at most.
const MOST: usize = 6;

/// As few columns as the least number of rows takes.
fn columns(scenes: usize, width: u16) -> u16 {
    let most = usize::from(width / COLUMN).clamp(1, 3);
    let rows = scenes.div_ceil(most).max(1);
    scenes.div_ceil(rows).max(1) as u16
}

/// Rows wanted, with the heading.
pub(super) fn height(state: &State, width: u16) -> u16 {
    let scenes = state.show.spec.scenes.len();
    1 + scenes.div_ceil(usize::from(columns(scenes, width))).clamp(1, MOST) as u16
}

/// The cells of scene number `index`, if it is seen.
fn cell(scenes: usize, area: Rect, index: usize) -> Option<Rect> {
    let rows = usize::from(area.height.checked_sub(1).filter(|r| *r > 0)?);
    let columns = columns(scenes, area.width);
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
    let scenes = state.show.spec.scenes.len();
    let hit = |i: &usize| cell(scenes, area, *i).is_some_and(|c| c.contains((x, y).into()));
    let index = (0..scenes).find(hit)?;
    state.show.spec.scenes.get(index).map(|s| s.id.clone())
}

pub(super) fn scenes(state: &State, area: Rect, buf: &mut Buffer) {
    let (show, palette) = (&state.show, &state.palette);
    let all = &show.spec.scenes;
    let unseen = (0..all.len()).filter(|i| cell(all.len(), area, *i).is_none()).count();
    let more = format!("+{unseen} more");
    let note = [(more.as_str(), 0)];
    heading(buf, area, palette, "SCENES", if unseen > 0 { &note } else { &[] });
    for (index, scene) in all.iter().enumerate() {
        let Some(place) = cell(all.len(), area, index) else { break };
        let key = state.keymap.scene_key(&scene.id).map_or(" ".into(), |c| c.to_string());
        let program = scene.id == show.program;
        let preview = scene.id == show.preview;
        let mut row = Row::new(buf, place, 0);
        row.left(&key, 2, palette.key);
        let badges = 5 * (u16::from(program) + u16::from(preview));
        let title = row.rest().saturating_sub(badges + u16::from(badges > 0));
        let style = if program { palette.selected } else { palette.text };
        row.left(&scene.title, title, style).skip_to(badges);
        if program {
            row.badge("PGM", 5, palette.program);
        }
        if preview {
            row.badge("PVW", 5, palette.preview);
        }
    }
}
