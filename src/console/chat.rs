//! The chat of all sources, read on the screen: `hawker chat` alone, or a pane beside others.
//!
//! `state` is the pane, fed with steps, states of sources and time; `keys` turns keys into changes of it; `view`, `list`,
//! `header` and `card` draw it into any area; `run` is the loop that joins them where the pane has the screen for itself.
//! Nothing but `run` knows where the steps come from.
//!
//! In the console of a show it can act, too: `acting` says what of, `write`, `moderate` and `form` are what is typed and
//! asked, `pages` are the lists beside the lines. What it wants done are requests, which whoever holds the pane gives on.

mod acting;
mod card;
mod complaints;
mod edit;
mod form;
mod header;
mod keys;
mod list;
mod moderate;
mod pages;
mod run;
mod state;
mod view;
mod write;

#[cfg(test)]
mod tests;

pub use keys::Pressed;
pub use run::{Left, Reading};
pub use state::Pane;
pub(super) use state::Standing;
pub use view::draw;
pub(super) use view::paint;

/// The pane's clock begins so much before its reader came: what was said just before has a moment, too.
pub(super) const BEFORE: std::time::Duration = complaints::WINDOW;
