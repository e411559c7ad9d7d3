//! The schedule on tasks of its own: what a plan must keep, under arbitrary tasks, and how good it is.

mod kept;
pub(super) mod made;
mod pick;
mod program;
mod repair;
