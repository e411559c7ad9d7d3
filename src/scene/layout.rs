//! Layouts: named slots in fractions of the canvas, so that one layout serves 16:9 and 9:16.

use serde::{Deserialize, Serialize};

use crate::base::Canvas;

/// A rectangle in pixels of the canvas. Always inside the canvas, always even (4:2:0 chroma).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rect {
    /// From the left edge.
    pub x: u32,
    /// From the top edge.
    pub y: u32,
    /// Width, at least 2.
    pub w: u32,
    /// Height, at least 2.
    pub h: u32,
}

impl Rect {
    /// The whole canvas.
    pub const fn full(canvas: Canvas) -> Self {
        Self { x: 0, y: 0, w: canvas.width, h: canvas.height }
    }
}

/// A place for one layer, in fractions of the canvas: `[x, y, width, height]`, each 0.0-1.0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 4]", into = "[f64; 4]")]
pub struct Slot {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

/// A slot that is not on the canvas.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the slot [{0}, {1}, {2}, {3}] is not on the canvas: x, y, width and height are fractions \
     from 0.0 to 1.0, and x + width and y + height are at most 1.0"
)]
pub struct SlotOffCanvas(f64, f64, f64, f64);

impl TryFrom<[f64; 4]> for Slot {
    type Error = SlotOffCanvas;

    fn try_from([x, y, w, h]: [f64; 4]) -> Result<Self, SlotOffCanvas> {
        const SLACK: f64 = 1e-6;
        let on = |start: f64, size: f64| start >= 0.0 && size > 0.0 && start + size <= 1.0 + SLACK;
        if on(x, w) && on(y, h) { Ok(Self { x, y, w, h }) } else { Err(SlotOffCanvas(x, y, w, h)) }
    }
}

impl From<Slot> for [f64; 4] {
    fn from(s: Slot) -> Self {
        [s.x, s.y, s.w, s.h]
    }
}

impl Slot {
    /// The whole canvas.
    pub const FULL: Self = Self { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };

    /// The slot in pixels, rounded to even numbers, never outside the canvas, never empty.
    pub fn place(self, canvas: Canvas) -> Rect {
        let span = |start: f64, size: f64, whole: u32| {
            let even = |v: f64| ((v / 2.0).round() as u32) * 2;
            let from = even(start * f64::from(whole)).min(whole.saturating_sub(2));
            let to = even((start + size) * f64::from(whole)).clamp(from + 2, whole);
            (from, to - from)
        };
        let (x, w) = span(self.x, self.w, canvas.width);
        let (y, h) = span(self.y, self.h, canvas.height);
        Rect { x, y, w, h }
    }
}

/// How the layers of a scene share the canvas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Named places, in order of the layers; later ones lie on top.
    Slots(Vec<Slot>),
    /// As many equal cells as there are layers, as square a grid as can be.
    Grid,
}

impl Layout {
    /// The most layers this layout has a place for.
    pub fn capacity(&self) -> usize {
        match self {
            Self::Slots(slots) => slots.len(),
            Self::Grid => 16,
        }
    }

    /// The places of `count` layers. Layers beyond the capacity get none.
    pub fn places(&self, count: usize, canvas: Canvas) -> Vec<Rect> {
        match self {
            Self::Slots(slots) => slots.iter().take(count).map(|s| s.place(canvas)).collect(),
            Self::Grid => grid(count.min(self.capacity()), canvas),
        }
    }
}

/// Cells of a grid: on a wide canvas never more rows than columns, on a tall one the reverse. A last
/// row that is not full is centred.
fn grid(count: usize, canvas: Canvas) -> Vec<Rect> {
    let long = (1..=count).find(|side| side * side >= count).unwrap_or(1);
    let short = count.div_ceil(long).max(1);
    let (columns, rows) = if canvas.width >= canvas.height { (long, short) } else { (short, long) };
    (0..count)
        .map(|i| {
            let (row, column) = (i / columns, i % columns);
            let in_row = (count - row * columns).min(columns);
            let indent = (columns - in_row) as f64 / 2.0;
            Slot {
                x: (column as f64 + indent) / columns as f64,
                y: row as f64 / rows as f64,
                w: 1.0 / columns as f64,
                h: 1.0 / rows as f64,
            }
            .place(canvas)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WIDE: Canvas = Canvas { width: 1280, height: 720, fps: 30 };

    #[test]
    fn a_grid_of_three_centres_its_last_row() {
        let cells = Layout::Grid.places(3, WIDE);
        assert_eq!(cells[0], Rect { x: 0, y: 0, w: 640, h: 360 });
        assert_eq!(cells[2], Rect { x: 320, y: 360, w: 640, h: 360 });
    }

    #[test]
    fn a_slot_off_the_canvas_is_refused() {
        assert!(Slot::try_from([0.5, 0.0, 0.6, 1.0]).is_err());
        assert!(Slot::try_from([0.0, 0.0, f64::NAN, 1.0]).is_err());
    }

    proptest! {
        #[test]
        fn every_place_is_even_and_on_the_canvas(
            x in 0.0..1.0_f64, y in 0.0..1.0_f64, w in 0.0001..1.0_f64, h in 0.0001..1.0_f64,
            width in 32_u32..2000, height in 32_u32..2000,
        ) {
            let canvas = Canvas { width: width * 2, height: height * 2, fps: 30 };
            let slot = Slot::try_from([x, y, w.min(1.0 - x).max(1e-9), h.min(1.0 - y).max(1e-9)]);
            if let Ok(slot) = slot {
                let r = slot.place(canvas);
                prop_assert!(r.x + r.w <= canvas.width && r.y + r.h <= canvas.height);
                prop_assert!(r.w >= 2 && r.h >= 2);
                prop_assert!([r.x, r.y, r.w, r.h].iter().all(|v| v % 2 == 0));
            }
        }

        #[test]
        fn grid_cells_never_overlap(count in 1_usize..=16) {
            let cells = Layout::Grid.places(count, WIDE);
            for (i, a) in cells.iter().enumerate() {
                for b in &cells[i + 1..] {
                    let apart = a.x + a.w <= b.x || b.x + b.w <= a.x
                        || a.y + a.h <= b.y || b.y + b.h <= a.y;
                    prop_assert!(apart, "{a:?} {b:?}");
                }
            }
        }
    }
}
