//! What happened, with identical retries as one line each, for reports that people read. JSON and CSV stay complete.

use std::time::Duration;

use crate::{
    show::{Event, Folding, Happening, Told},
    stats::History,
};

/// The same show with its events folded. What this version does not know stays as it is.
pub(super) fn folded(mut show: History) -> History {
    let mut folding = Folding::default();
    let mut events = Vec::with_capacity(show.events.len());
    for note in show.events {
        let Ok(what) = serde_json::from_value::<Happening>(note.detail.clone()) else {
            events.push(note);
            continue;
        };
        let at = show.started + Duration::from_millis(note.at_ms);
        match folding.take(&Event { seq: note.seq, at, what }).told {
            Told::Line(_) => events.push(note),
            Told::Again { line, .. } => {
                // Where it began.
                if let Some(first) = events.iter_mut().rev().find(|e| e.seq == line.first) {
                    first.sentence = line.sentence();
                }
            }
            Told::Quiet => {}
        }
    }
    show.events = events;
    show
}
