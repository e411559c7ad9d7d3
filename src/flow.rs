//! Floor 2: what a path carries, and what is worth sending over it. A receiver's reports go in, a rate and a
//! picture's size come out. Pure: time is in the reports.

pub mod account;
pub mod coarse;
pub mod estimate;
pub mod gate;
pub mod ladder;
pub mod liveness;
pub mod path;
pub mod repair;
pub mod rtcp;
#[cfg(test)]
mod simulated;
pub mod thin;

pub use account::Account;
pub use coarse::Coarse;
pub use estimate::{Bounds, Estimator, Reported};
pub use gate::PictureGate;
pub use ladder::{Ladder, Rung};
pub use liveness::Liveness;
pub use path::{Outage, Passage, Path};
pub use repair::Repair;
pub use thin::{Overspent, Thinner};
