//! A picture in cells: a half block is two pixels, one in its ink and one in its ground. On a
//! terminal without colours a ramp of signs, from empty to full.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Style},
};

use super::row::Row;
use crate::{
    base::Canvas,
    console::{
        state::State,
        theme::{Depth, Palette},
    },
    engine::Look,
    stats::Picture,
};

/// Fewer cells than these show nothing worth its processor time.
const LEAST: (u16, u16) = (8, 5);
/// Signs by how much of the cell they cover.
const RAMP: &[u8] = b" .:-=+*#%@";

/// Columns and rows of a canvas inside `room`, in its shape: a cell is one pixel wide and two high.
pub(in crate::console) fn fit(canvas: Canvas, room: Rect) -> Option<(u16, u16)> {
    let (cw, ch) = (canvas.width.max(1), canvas.height.max(1));
    let (w, h) = (u32::from(room.width), u32::from(room.height));
    let by_height = h * 2 * cw / ch;
    let (w, h) =
        if by_height <= w { (by_height, h) } else { (w, (w * ch / cw).div_ceil(2).min(h)) };
    (w >= u32::from(LEAST.0) && h >= u32::from(LEAST.1)).then_some((w as u16, h as u16))
}

/// The picture to ask for: its cells, times a whole number where that is less than the least a face may ask.
pub(in crate::console) fn look(at: Rect) -> Look {
    let (w, h) = (at.width.max(1), at.height.max(1) * 2);
    let times = 16_u16.div_ceil(w).max(16_u16.div_ceil(h));
    Look { width: (w * times).min(640), height: (h * times).min(640) }
}

/// Draws the program's.
pub(super) fn picture(state: &State, at: Rect, buf: &mut Buffer) {
    shown(state.picture.as_deref(), &state.palette, at, buf);
}

/// Draws it, whatever its size: after a resize the old one is stretched until the new one comes.
pub(in crate::console) fn shown(
    picture: Option<&Picture>,
    palette: &Palette,
    at: Rect,
    buf: &mut Buffer,
) {
    let sound = |p: &&Picture| {
        p.width > 0
            && p.height > 0
            && p.rgb.len() >= usize::from(p.width) * usize::from(p.height) * 3
    };
    match picture.filter(sound) {
        Some(picture) => paint(picture, at, palette, buf),
        None => frame(at, palette, buf),
    }
}

/// No picture yet: where it will be.
fn frame(at: Rect, palette: &Palette, buf: &mut Buffer) {
    let across = at.width.saturating_sub(2);
    for y in 0..at.height {
        let mut row = Row::new(buf, at, y);
        let (left, middle, right) = match y {
            0 => ("┌", "─", "┐"),
            y if y + 1 == at.height => ("└", "─", "┘"),
            _ => ("│", " ", "│"),
        };
        row.put(left, palette.rule).fill(middle, across, palette.rule).put(right, palette.rule);
    }
    let text = "no picture yet";
    if usize::from(across) > text.len() {
        let mut row = Row::new(buf, at, at.height / 2);
        row.gap((at.width - text.len() as u16) / 2).put(text, palette.dim);
    }
}

fn paint(picture: &Picture, at: Rect, palette: &Palette, buf: &mut Buffer) {
    let (pw, ph) = (u32::from(picture.width), u32::from(picture.height));
    let (cols, rows) = (u32::from(at.width), u32::from(at.height) * 2);
    // The middle of the pixel's place in the picture.
    let pixel = |x: u32, y: u32| {
        let px = (x * 2 + 1) * pw / (cols * 2);
        let py = (y * 2 + 1) * ph / (rows * 2);
        let i = ((py.min(ph - 1) * pw + px.min(pw - 1)) * 3) as usize;
        match picture.rgb.get(i..i + 3) {
            Some(&[r, g, b]) => (r, g, b),
            _ => (0, 0, 0),
        }
    };
    for y in 0..at.height {
        for x in 0..at.width {
            let upper = pixel(u32::from(x), u32::from(y) * 2);
            let lower = pixel(u32::from(x), u32::from(y) * 2 + 1);
            let Some(cell) = buf.cell_mut((at.x + x, at.y + y)) else { continue };
            if palette.depth == Depth::Mono {
                let level = usize::from(luma(upper).midpoint(luma(lower)));
                let sign = RAMP[(level * RAMP.len() / 256).min(RAMP.len() - 1)];
                cell.set_char(char::from(sign)).set_style(Style::new());
            } else {
                cell.set_char('▀')
                    .set_fg(ink(palette.depth, upper))
                    .set_bg(ink(palette.depth, lower));
            }
        }
    }
}

/// In steps of eight: the grain of a camera would otherwise rewrite every cell ten times a second, and nobody
/// sees it in pixels of this size.
fn ink(depth: Depth, (r, g, b): (u8, u8, u8)) -> Color {
    let step = |v: u8| (v & 0xf8) | (v >> 5);
    depth.colour(step(r), step(g), step(b))
}

/// Rec. 709, in 256ths.
fn luma((r, g, b): (u8, u8, u8)) -> u16 {
    ((u32::from(r) * 54 + u32::from(g) * 183 + u32::from(b) * 19) >> 8) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::theme::Theme;

    const WIDE: Canvas = Canvas { width: 1280, height: 720, fps: 30 };
    const TALL: Canvas = Canvas { width: 720, height: 1280, fps: 30 };

    #[test]
    fn the_shape_is_kept() {
        let room = |width, height| Rect { x: 0, y: 0, width, height };
        assert_eq!(fit(WIDE, room(32, 20)), Some((32, 9)));
        assert_eq!(fit(WIDE, room(200, 9)), Some((32, 9)));
        assert_eq!(fit(TALL, room(80, 16)), Some((18, 16)));
        assert_eq!(fit(WIDE, room(80, 3)), None);
    }

    #[test]
    fn no_wish_is_smaller_than_a_face_may_have() {
        let look = look(Rect::new(0, 0, 9, 8));
        assert_eq!((look.width, look.height), (18, 32));
    }

    #[test]
    fn two_pixels_share_a_cell() {
        let rgb = vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];
        let picture = Picture { width: 2, height: 2, rgb };
        let at = Rect::new(0, 0, 2, 1);
        let mut buf = Buffer::empty(at);
        paint(&picture, at, &Palette::new(Theme::Dark, Depth::True), &mut buf);
        assert_eq!(buf[(0, 0)].fg, Color::Rgb(255, 0, 0));
        assert_eq!(buf[(0, 0)].bg, Color::Rgb(0, 0, 255));
        assert_eq!(buf[(1, 0)].bg, Color::Rgb(255, 255, 255));
        paint(&picture, at, &Palette::new(Theme::Dark, Depth::Cube), &mut buf);
        assert_eq!(buf[(0, 0)].fg, Color::Indexed(196));
    }

    #[test]
    fn without_colours_light_is_a_full_sign() {
        let picture = Picture { width: 2, height: 1, rgb: vec![0, 0, 0, 255, 255, 255] };
        let at = Rect::new(0, 0, 2, 1);
        let mut buf = Buffer::empty(at);
        paint(&picture, at, &Palette::new(Theme::Mono, Depth::True), &mut buf);
        assert_eq!(buf, Buffer::with_lines([" @"]));
    }
}
