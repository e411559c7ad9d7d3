//! One entry of the merged chat.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::{Message, Removal};
use crate::base::{Moment, SourceId};

/// An entry's number: grows by one with each entry, never used twice in a room.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EntryId(pub u64);

/// Where an entry stands: by time, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The platform's time; the newest entry's time for what came late.
    pub at: Timestamp,
    /// The entry.
    pub id: EntryId,
}

/// How a platform deleted a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deletion {
    /// This line.
    Line,
    /// All lines of its author.
    User(Removal),
    /// The whole chat.
    All,
}

/// The state of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// For everybody to see.
    Shown,
    /// Deleted on the platform, not by us. Final.
    DeletedByPlatform(Deletion),
    /// We deleted it.
    DeletedByUs,
    /// Hidden by a rule or by hand; the platform still has it.
    Hidden,
    /// Waits for review.
    Held,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A message.
    Message(Arc<Message>),
    /// Messages of a source are missing.
    Hole {
        /// The source.
        source: SourceId,
        /// The last time up to which nothing is missing.
        from: Timestamp,
        /// From here on nothing is missing.
        until: Timestamp,
    },
}

/// One entry of the merged chat.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub id: EntryId,
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub body: Body,
    /// The outcome.
    pub state: State,
    /// Stands later than it was written.
    pub late: bool,
    /// When it came to us.
    pub arrived: Moment,
    /// The generation of its last change.
    pub generation: u64,
    /// Further sources by which it came (shared chat).
    pub sources: Vec<SourceId>,
    pub(super) keys: [Option<u64>; 2],
    pub(super) joined: Vec<u64>,
}

impl Entry {
    /// The message, unless this is a hole.
    pub fn message(&self) -> Option<&Arc<Message>> {
        match &self.body {
            Body::Message(message) => Some(message),
            Body::Hole { .. } => None,
        }
    }

    /// The source by which it came first, or of which messages are missing.
    pub fn source(&self) -> &SourceId {
        match &self.body {
            Body::Message(message) => &message.source,
            Body::Hole { source, .. } => source,
        }
    }

    /// Whether it came by this source, as first or as copy.
    pub fn came_by(&self, source: &SourceId) -> bool {
        self.source() == source || self.sources.contains(source)
    }

    /// Whether viewers may see it: a message that is neither deleted, hidden nor held.
    pub fn is_public(&self) -> bool {
        self.state == State::Shown && matches!(self.body, Body::Message(_))
    }

    /// The length of a hole.
    pub fn hole(&self) -> Option<Duration> {
        match &self.body {
            Body::Hole { from, until, .. } => {
                Some(Duration::try_from(until.duration_since(*from)).unwrap_or(Duration::ZERO))
            }
            Body::Message(_) => None,
        }
    }
}
