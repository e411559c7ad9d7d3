//! The planner's pane: the week with its shows beside the hours of home and of the markets, to be read and to be
//! changed by keys. It opens no file: what it shows and where it is kept comes through [`Doors`].
//!
//! ```text
//!  PLAN  Shenzhen to five markets   8-14 Mar, week 1 of 2   14 shows 21.5 h   worth 2304   unsaved     bar
//!  next: Tue 20:00 lin for TH, MY in 03:12:45                       computing a proposal, 4 s           next
//!  home   TH   MY   SG  Mon 08  Tue 09★ Wed 10  Thu 11  Fri 12  Sat 13⇅ Sun 14                          heads
//!  20:00  19▒  20▓  20▓ ░░░░░░░ lin TH  ░░░░░░░ …                                                       grid
//!  SHOW ──────────────────────────────────────────────────────────────────────────────────────────     detail
//!  Tue 09 Mar 20:00-21:30  lin  90 min                          brings 214 of 2304
//!  a add  J K move  + - length  h host  m markets  l lock  x remove  u undo  f propose  S save  ? help   keys
//! ```

mod bare;
mod heat;
mod keys;
mod run;
mod state;
mod told;
mod view;
mod work;

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::planner::schedule::{Plan, Task};

pub use bare::Bare;
pub(super) use keys::{Step, step};
pub use run::plan;
pub(super) use run::put_aside;
pub(super) use state::{Planner, Todo};
pub(super) use view::draw;
pub(super) use work::Works;

/// What the pane opens with.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What the plan is called.
    pub title: String,
    /// Where it comes from, for the eye.
    pub origin: String,
    /// The task; its locks are what the plan file has decided.
    pub task: Task,
    /// The plan that was accepted before, of the same weeks.
    pub plan: Option<Plan>,
    /// What was changed the last time and not saved.
    pub draft: Option<Plan>,
    /// What the operator should know of all that, a sentence each.
    pub notes: Vec<String>,
}

/// Reads what the pane opens with; waits as long as that takes.
pub type Open = dyn Fn() -> Result<Opened, String> + Send + Sync;

/// Keeps a plan, and says where; waits as long as that takes.
pub type Keep = dyn Fn(&Plan) -> Result<String, String> + Send + Sync;

/// Puts aside what was changed and not saved, for the next time; `None` when nothing was. What the operator is to be
/// told of it.
pub type Aside = dyn Fn(Option<&Plan>) -> Option<String> + Send + Sync;

/// Tells the operator something once the terminal is given back. Must bear that there is none any more.
pub type Tell = dyn Fn(&str) + Send + Sync;

/// Where the pane's data come from and go to. The first two are called on a thread that may wait.
#[derive(Clone)]
pub struct Doors {
    /// Reads.
    pub open: Arc<Open>,
    /// Keeps.
    pub keep: Arc<Keep>,
    /// When the pane goes, and something is not saved: before the terminal is given back.
    pub aside: Arc<Aside>,
    /// After that.
    pub tell: Arc<Tell>,
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Doors")
    }
}
