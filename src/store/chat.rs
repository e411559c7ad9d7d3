//! The chat of a show in the store: lines in tables of their own, with retention per source, export and erasure by
//! person. Lines come by a bounded queue that is never waited for; what does not fit is counted as a hole.
//!
//! What a platform removes (one line, all lines of a person, the whole chat) loses its text here at once: the person
//! may have had it removed for privacy. Who wrote it, when, and how it was removed stay.

mod erase;
pub(super) mod expire;
mod people;
mod queue;
mod read;
mod write;

use crate::{
    base::SourceId,
    chat::{
        Removal,
        told::{RemovedHow, Told},
    },
};
use jiff::Timestamp;

pub use erase::{Erased, erase};
pub use people::{Person, Who};
pub(super) use queue::Unstored;
pub use queue::{ChatQueue, ChatRows, queue};
pub use read::{Entry, Filter};
pub(super) use write::Lines;

/// A chat source of a show whose lines are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSource {
    /// Its name.
    pub id: SourceId,
    /// `twitch`, `irc`, ...
    pub kind: String,
    /// The platform, where all its lines are of one.
    pub platform: Option<String>,
    /// The market it is for.
    pub market: Option<String>,
    /// How many days after the show began its lines are removed; at least 1.
    pub keep_days: u32,
}

/// A step of the chat, and when it was heard.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub at: Timestamp,
    pub told: std::sync::Arc<Told>,
}

/// How a removal is named in the tables; never changed.
const fn word(how: RemovedHow) -> &'static str {
    match how {
        RemovedHow::Deleted => "deleted",
        RemovedHow::Cleared => "cleared",
        RemovedHow::TimedOut => "timed-out",
        RemovedHow::Banned => "banned",
        RemovedHow::AllCleared => "all-cleared",
    }
}

/// What a word in the tables says; a word of a later hawker is a removal all the same.
fn removed_how(word: &str) -> RemovedHow {
    match word {
        "cleared" => RemovedHow::Cleared,
        "timed-out" => RemovedHow::TimedOut,
        "banned" => RemovedHow::Banned,
        "all-cleared" => RemovedHow::AllCleared,
        _ => RemovedHow::Deleted,
    }
}

const fn how_of(removal: Removal) -> RemovedHow {
    match removal {
        Removal::Cleared => RemovedHow::Cleared,
        Removal::TimedOut(_) => RemovedHow::TimedOut,
        Removal::Banned => RemovedHow::Banned,
    }
}
