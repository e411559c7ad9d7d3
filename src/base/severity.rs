//! How much something matters, by its effect on the show.

use serde::{Deserialize, Serialize};

/// Ordered: a greater severity needs the operator sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// As planned.
    Info,
    /// Something is off; the viewers do not see it, or hawker is mending it.
    Warning,
    /// The viewers see it.
    Critical,
}
