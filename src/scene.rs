//! Floor 2: what is in the picture, where, and how one picture becomes the next. Pure geometry and
//! arithmetic: no media, no clock.

pub mod compose;
pub mod layout;
pub mod plan;

pub use compose::{Composition, Fit, Layer, PlacedLayer};
pub use layout::{Layout, Rect, Slot};
pub use plan::{Mix, Plan, Step, Transition, TransitionKind, plan};
