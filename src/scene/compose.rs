//! A composition: the layers of one picture, placed on a canvas, and what is heard with it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::layout::{Layout, Rect};
use crate::base::{Canvas, InputId};

/// How a picture of another shape fills its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// The whole picture is seen; bars where the shapes differ.
    #[default]
    Contain,
    /// The whole place is filled; the picture is cut at its edges.
    Cover,
}

/// One layer of a scene, before it has a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Whose picture.
    pub input: InputId,
    /// How it fills its place.
    pub fit: Fit,
}

/// One layer in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedLayer {
    /// Whose picture.
    pub input: InputId,
    /// Where.
    pub place: Rect,
    /// How it fills its place.
    pub fit: Fit,
}

/// A whole picture and its sound. Layers are drawn in order: the first is the main layer, whose
/// capture time the program carries; later ones lie on top.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Composition {
    /// The layers, bottom first.
    pub layers: Vec<PlacedLayer>,
    /// The inputs that are heard.
    pub heard: BTreeSet<InputId>,
}

impl Composition {
    /// Places `layers` on the canvas by a layout. Layers without a place are left out (the show file's
    /// check refuses such a scene beforehand).
    pub fn new(
        layers: &[Layer],
        layout: &Layout,
        heard: BTreeSet<InputId>,
        canvas: Canvas,
    ) -> Self {
        let places = layout.places(layers.len(), canvas);
        let layers = layers
            .iter()
            .zip(places)
            .map(|(layer, place)| PlacedLayer { input: layer.input.clone(), place, fit: layer.fit })
            .collect();
        Self { layers, heard }
    }

    /// The main layer's input: the one whose capture time stamps the program.
    pub fn main(&self) -> Option<&InputId> {
        self.layers.first().map(|l| &l.input)
    }
}

/// Which part of a picture is shown (in its own pixels), and where on the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The part of the source picture, even.
    pub from: Rect,
    /// The place on the canvas, even.
    pub to: Rect,
}

/// Fits a picture of `width` x `height` pixels into `place`.
pub fn fit(width: u32, height: u32, place: Rect, fit: Fit) -> Draw {
    let (width, height) = (width.max(2), height.max(2));
    let even = |v: u64, most: u32| ((v as u32) & !1).clamp(2, most & !1);
    let (w, h, pw, ph) =
        (u64::from(width), u64::from(height), u64::from(place.w), u64::from(place.h));
    let whole = Rect { x: 0, y: 0, w: width & !1, h: height & !1 };
    let wider = w * ph > pw * h;
    match fit {
        Fit::Contain => {
            let (tw, th) = if wider {
                (place.w, even((pw * h + w / 2) / w, place.h))
            } else {
                (even((ph * w + h / 2) / h, place.w), place.h)
            };
            let to = Rect {
                x: place.x + (((place.w - tw) / 2) & !1),
                y: place.y + (((place.h - th) / 2) & !1),
                w: tw,
                h: th,
            };
            Draw { from: whole, to }
        }
        Fit::Cover => {
            let (cw, ch) = if wider {
                (even((h * pw + ph / 2) / ph, width), whole.h)
            } else {
                (whole.w, even((w * ph + pw / 2) / pw, height))
            };
            let from =
                Rect { x: ((whole.w - cw) / 2) & !1, y: ((whole.h - ch) / 2) & !1, w: cw, h: ch };
            Draw { from, to: place }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Rect = Rect { x: 0, y: 0, w: 1280, h: 720 };

    #[test]
    fn the_same_shape_is_not_touched() {
        for how in [Fit::Contain, Fit::Cover] {
            let draw = fit(1280, 720, PLACE, how);
            assert_eq!((draw.from, draw.to), (PLACE, PLACE));
        }
    }

    #[test]
    fn a_tall_picture_gets_bars_or_is_cut() {
        let bars = fit(720, 1280, PLACE, Fit::Contain);
        assert_eq!(bars.to, Rect { x: 438, y: 0, w: 404, h: 720 });
        let cut = fit(720, 1280, PLACE, Fit::Cover);
        assert_eq!((cut.to, cut.from.w), (PLACE, 720));
        assert_eq!(cut.from.h, 404);
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_outside(w in 2_u32..4000, h in 2_u32..4000, pw in 1_u32..1000,
                                    ph in 1_u32..1000, cover: bool) {
            let place = Rect { x: 10, y: 20, w: pw * 2, h: ph * 2 };
            let d = fit(w, h, place, if cover { Fit::Cover } else { Fit::Contain });
            prop_assert!(d.from.x + d.from.w <= w && d.from.y + d.from.h <= h);
            prop_assert!(d.to.x >= place.x && d.to.x + d.to.w <= place.x + place.w);
            prop_assert!(d.to.y >= place.y && d.to.y + d.to.h <= place.y + place.h);
        }
    }
}
