//! How one composition becomes the next: a plan is worked out once, whole, and then asked frame by
//! frame. The renderer applies a step at a frame boundary, so a change is never half seen.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::compose::Composition;
use crate::base::{Canvas, InputId};

/// How one scene gives way to another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TransitionKind {
    /// From one frame to the next.
    #[default]
    Cut,
    /// The new picture shows through the old one.
    Fade,
    /// The new picture pushes the old one out to the left.
    Slide,
    /// The new picture is uncovered from the left.
    Wipe,
}

impl TransitionKind {
    /// Every kind, in the order they are offered.
    pub const ALL: [Self; 4] = [Self::Cut, Self::Fade, Self::Slide, Self::Wipe];

    /// As written in a show file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Fade => "fade",
            Self::Slide => "slide",
            Self::Wipe => "wipe",
        }
    }
}

/// A transition and how long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Transition {
    /// The kind.
    pub kind: TransitionKind,
    /// Milliseconds, 0-10,000. A cut takes none.
    pub ms: u32,
}

impl Transition {
    /// From one frame to the next.
    pub const CUT: Self = Self { kind: TransitionKind::Cut, ms: 0 };
}

/// How the new picture lies over the old one in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// The new picture's weight, 0-256.
    Fade(u16),
    /// The new picture's left edge, in pixels from the left; the old one is pushed out. Even.
    Slide(u32),
    /// How many pixels from the left show the new picture. Even.
    Wipe(u32),
}

/// What one frame shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// One composition alone.
    One(&'a Composition),
    /// The second over the first.
    Two(&'a Composition, &'a Composition, Mix),
}

impl<'a> Step<'a> {
    /// The input whose frames set the pace: that of what comes on.
    pub fn main(&self) -> Option<&'a InputId> {
        let (Self::One(composition) | Self::Two(_, composition, _)) = self;
        composition.main()
    }
}

/// A change from one composition to another, `frames` frames long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    from: Arc<Composition>,
    to: Arc<Composition>,
    kind: TransitionKind,
    frames: u32,
    width: u32,
}

/// Plans the change. A change to the same composition is a cut: there is nothing to see.
pub fn plan(
    from: Arc<Composition>,
    to: Arc<Composition>,
    transition: Transition,
    canvas: Canvas,
) -> Plan {
    let cut = transition.kind == TransitionKind::Cut || transition.ms == 0 || from == to;
    let (kind, frames) = if cut {
        (TransitionKind::Cut, 0)
    } else {
        (transition.kind, canvas.frames_in(transition.ms.min(10_000)))
    };
    Plan { from, to, kind, frames, width: canvas.width }
}

impl Plan {
    /// How many frames show both compositions.
    pub const fn frames(&self) -> u32 {
        self.frames
    }

    /// Where the plan leads.
    pub const fn to(&self) -> &Arc<Composition> {
        &self.to
    }

    /// What frame number `frame` of the change shows, counted from 0. The last of the mixed frames is
    /// not yet the new picture alone, the one after it is: a plan never shows a frame twice.
    pub fn step(&self, frame: u32) -> Step<'_> {
        if frame >= self.frames {
            return Step::One(&self.to);
        }
        let done = u64::from(frame + 1);
        let whole = u64::from(self.frames + 1);
        let part = |of: u32| ((u64::from(of) * done / whole) as u32) & !1;
        let mix = match self.kind {
            TransitionKind::Cut => return Step::One(&self.to),
            TransitionKind::Fade => Mix::Fade((256 * done / whole) as u16),
            TransitionKind::Slide => Mix::Slide(self.width - part(self.width)),
            TransitionKind::Wipe => Mix::Wipe(part(self.width)),
        };
        Step::Two(&self.from, &self.to, mix)
    }

    /// Which inputs are heard in frame `frame`, and how loud: 0.0-1.0, equal power across the change
    /// for those heard on one side only.
    pub fn heard(&self, frame: u32) -> BTreeMap<InputId, f32> {
        let progress =
            if frame >= self.frames { 1.0 } else { (frame + 1) as f32 / (self.frames + 1) as f32 };
        let (falling, rising) = (
            (progress * std::f32::consts::FRAC_PI_2).cos(),
            (progress * std::f32::consts::FRAC_PI_2).sin(),
        );
        let mut heard = BTreeMap::new();
        for input in &self.to.heard {
            heard.insert(input.clone(), if self.from.heard.contains(input) { 1.0 } else { rising });
        }
        if frame < self.frames {
            for input in self.from.heard.difference(&self.to.heard) {
                heard.insert(input.clone(), falling);
            }
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Fit, Layer, Layout, Slot};

    const CANVAS: Canvas = Canvas { width: 1280, height: 720, fps: 30 };

    fn scene(name: &str) -> Arc<Composition> {
        let input: InputId = name.parse().unwrap();
        let layers = [Layer { input: input.clone(), fit: Fit::Contain }];
        Arc::new(Composition::new(
            &layers,
            &Layout::Slots(vec![Slot::FULL]),
            [input].into(),
            CANVAS,
        ))
    }

    fn over(kind: TransitionKind, ms: u32) -> Plan {
        plan(scene("a"), scene("b"), Transition { kind, ms }, CANVAS)
    }

    #[test]
    fn a_cut_shows_only_the_new_picture_at_once() {
        let plan = over(TransitionKind::Cut, 500);
        assert_eq!(plan.frames(), 0);
        assert_eq!(plan.step(0), Step::One(&scene("b")));
        assert_eq!(plan.heard(0).keys().map(InputId::as_str).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_fade_grows_and_ends() {
        let plan = over(TransitionKind::Fade, 500);
        assert_eq!(plan.frames(), 15);
        let weights: Vec<u16> = (0..15)
            .map(|f| match plan.step(f) {
                Step::Two(_, _, Mix::Fade(w)) => w,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(weights.windows(2).all(|w| w[0] < w[1]));
        assert!(weights[0] > 0 && weights[14] < 256);
        assert_eq!(plan.step(15), Step::One(&scene("b")));
    }

    #[test]
    fn slide_and_wipe_move_by_even_pixels() {
        for kind in [TransitionKind::Slide, TransitionKind::Wipe] {
            let plan = over(kind, 333);
            for frame in 0..plan.frames() {
                let Step::Two(_, _, Mix::Slide(px) | Mix::Wipe(px)) = plan.step(frame) else {
                    panic!("frame {frame}")
                };
                assert!(px % 2 == 0 && px > 0 && px < 1280, "{px}");
            }
        }
    }

    #[test]
    fn sound_crosses_with_equal_power() {
        let plan = over(TransitionKind::Fade, 500);
        for frame in 0..15 {
            let heard = plan.heard(frame);
            let power: f32 = heard.values().map(|g| g * g).sum();
            assert!((power - 1.0).abs() < 1e-5);
        }
        assert_eq!(plan.heard(15).len(), 1);
    }

    #[test]
    fn to_itself_is_a_cut() {
        let to_itself = plan(
            scene("a"),
            scene("a"),
            Transition { kind: TransitionKind::Fade, ms: 900 },
            CANVAS,
        );
        assert_eq!(to_itself.frames(), 0);
    }
}
