//! Where faces get their handles from. Holds senders only, so a face that comes late or never costs nothing.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{broadcast, mpsc, watch};

use super::{
    chat::Hub,
    handle::{Ask, Handle},
};
use crate::{
    base::Ring,
    show::{Event, Folded, Show, folding::Recent},
    stats::{Meters, Picture},
};

/// How many events a face may lag behind before it loses the oldest.
pub const EVENTS: usize = 1024;
/// How many asks may wait.
pub const ASKS: usize = 64;

/// Lines of the log that a face is given to begin with: what the console keeps.
pub const LOG: usize = 200;

/// Seconds of figures that a face is given to begin with: what the console draws the course of.
pub const PAST_S: usize = crate::stats::course::SHOWN_S;

/// The newest figures, one reading for each second.
#[derive(Debug, Clone)]
pub(super) struct Past(Arc<Mutex<Ring<Arc<Meters>>>>);

impl Default for Past {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Ring::new(PAST_S))))
    }
}

impl Past {
    /// Keeps a reading, unless there is one of that second.
    pub(super) fn keep(&self, meters: &Arc<Meters>) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.last().is_none_or(|last| last.at_ms / 1000 < meters.at_ms / 1000) {
            ring.push(Arc::clone(meters));
        }
    }

    fn all(&self) -> Vec<Arc<Meters>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Events as they happen, and the newest lines of the log, for faces that come later.
#[derive(Debug, Clone)]
pub(super) struct Log {
    events: broadcast::Sender<Event>,
    recent: Arc<Mutex<Recent>>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            events: broadcast::Sender::new(EVENTS),
            recent: Arc::new(Mutex::new(Recent::new(LOG))),
        }
    }
}

impl Log {
    /// Says it to every face, and keeps it.
    pub(super) fn send(&self, event: Event) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.take(&event);
        // While it is locked: who comes now has it either as kept or as news. Nobody may be looking.
        let _ = self.events.send(event);
    }

    fn follow(&self) -> (Vec<Folded>, broadcast::Receiver<Event>) {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        (recent.lines(), self.events.subscribe())
    }
}

/// Gives out handles on one show.
#[derive(Debug, Clone)]
pub struct Faces {
    pub(super) asks: mpsc::Sender<Ask>,
    pub(super) log: Log,
    pub(super) show: watch::Sender<Arc<Show>>,
    pub(super) meters: watch::Sender<Arc<Meters>>,
    pub(super) picture: watch::Receiver<Option<Arc<Picture>>>,
    pub(super) past: Past,
    pub(super) chat: Arc<Hub>,
}

impl Faces {
    /// The chat as viewers may see it.
    pub fn shown_chat(&self) -> crate::link::page::Lines {
        self.chat.shown()
    }

    /// A handle that has the newest lines of the log, and sees every event from now on.
    pub fn handle(&self) -> Handle {
        let (past_in, past) = mpsc::channel(PAST_S);
        for meters in self.past.all() {
            // There is a place for each.
            let _ = past_in.try_send(meters);
        }
        let (log, events) = self.log.follow();
        Handle {
            log,
            past,
            asks: self.asks.clone(),
            events,
            show: self.show.subscribe(),
            meters: self.meters.subscribe(),
            picture: self.picture.clone(),
            chat: self.chat.look(),
        }
    }
}
