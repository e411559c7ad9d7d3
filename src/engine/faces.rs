//! Where faces get their handles from. Holds senders only, so a face that comes late or never costs nothing.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, watch};

use super::handle::{Ask, Handle};
use crate::{
    show::{Event, Show},
    stats::{Meters, Picture},
};

/// How many events a face may lag behind before it loses the oldest.
pub const EVENTS: usize = 1024;
/// How many asks may wait.
pub const ASKS: usize = 64;

/// Gives out handles on one show.
#[derive(Debug, Clone)]
pub struct Faces {
    pub(super) asks: mpsc::Sender<Ask>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) show: watch::Sender<Arc<Show>>,
    pub(super) meters: watch::Sender<Arc<Meters>>,
    pub(super) picture: watch::Receiver<Option<Arc<Picture>>>,
}

impl Faces {
    /// A handle that sees every event from now on.
    pub fn handle(&self) -> Handle {
        Handle {
            asks: self.asks.clone(),
            events: self.events.subscribe(),
            show: self.show.subscribe(),
            meters: self.meters.subscribe(),
            picture: self.picture.clone(),
        }
    }
}
