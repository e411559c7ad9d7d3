//! Whether a show without an operator ends by itself. It does so only when nothing can happen any more without one:
//! every output, recordings and outputs added later included, has failed for good.

use super::Turn;
use crate::show::{
    Ending,
    state::{OutputState, OutputStatus},
};

/// Whether it waits for an operator, and for nothing else. One that is off (`Idle`) is not without hope: an operator
/// stopped it or has yet to start it, so there is one.
const fn is_hopeless(output: &OutputState) -> bool {
    match output.status {
        OutputStatus::Refused { .. } => true,
        OutputStatus::Idle
        | OutputStatus::Probing { .. }
        | OutputStatus::Connecting
        | OutputStatus::Live { .. }
        | OutputStatus::Retrying { .. }
        | OutputStatus::Stopping => false,
    }
}

impl Turn<'_> {
    /// Ends a headless show in which no output can do anything any more.
    pub(super) fn end_if_hopeless(&mut self) {
        if !self.show.headless || !self.show.outputs.iter().all(is_hopeless) {
            return;
        }
        let was_live = |o: &OutputState| o.was_live;
        let why = if self.show.aired().any(was_live) {
            if self.show.only_records() { Ending::RecordingBroke } else { Ending::FellOff }
        } else if self.show.outputs.iter().any(was_live) {
            Ending::RecordingBroke
        } else if self.show.only_records() {
            Ending::CannotRecord
        } else {
            Ending::CannotGoLive
        };
        self.end(why);
    }
}
