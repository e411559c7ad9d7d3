//! The rundown: a show in parts that stand alone, in order.

use serde::{Deserialize, Serialize};

use crate::base::SceneId;

/// A part of a show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentSpec {
    /// What it is, for the operator and for the report.
    pub title: String,
    /// How long it is meant to be, in seconds.
    pub length_s: u32,
    /// The scene that is taken when it begins; `None` leaves the program as it is.
    pub scene: Option<SceneId>,
    /// The next one begins when its time is up; else when the operator says so.
    pub by_itself: bool,
}
