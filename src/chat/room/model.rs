//! What goes into the merged chat and what it answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::EntryId;

/// Sizes of the merged chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomConfig {
    /// Entries held.
    pub most: usize,
    /// How far behind the newest entry a message may arrive and still be put in its place.
    pub window: Duration,
    /// Identifiers remembered so that nothing is entered twice. Two for each message, so at least twice
    /// [`Self::most`] are kept.
    pub memory: usize,
}

impl Default for RoomConfig {
    fn default() -> Self {
        // 32,768 messages: the backlog of half an hour at 18 messages a second; 4 MB.
        Self { most: 5_000, window: Duration::from_secs(5), memory: 65_536 }
    }
}

/// What was counted since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    /// Messages entered.
    pub entered: u64,
    /// Messages that had been entered before, by identifier.
    pub duplicates: u64,
    /// Copies in shared chat that were joined with their original or with another copy.
    pub copies: u64,
    /// Entries that fell out because the room was full.
    pub evicted: u64,
    /// Backlog older than everything in a full room; not entered.
    pub too_old: u64,
    /// Messages put at the end because they came after the window.
    pub late: u64,
    /// Messages whose time was ahead of ours by more than 5 s.
    pub ahead: u64,
    /// Entries deleted by a platform.
    pub deleted: u64,
    /// Deletions of messages that were not here (yet).
    pub deleted_unknown: u64,
    /// Holes.
    pub holes: u64,
}

/// What an update did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// A message or hole was entered.
    Entered(EntryId),
    /// The original of a copy that was entered before; it took the copy's place.
    Original(EntryId),
    /// Known already; nothing changed.
    Duplicate(EntryId),
    /// Backlog older than everything in a full room.
    TooOld,
    /// So many entries were deleted.
    Deleted(usize),
}

/// What we do to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ours {
    /// Show it (also: undo the other three).
    Show,
    /// Hide it; the platform keeps it.
    Hide,
    /// Keep it for review.
    Hold,
    /// We deleted it on the platform.
    Delete,
}

/// Why an entry's state was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It fell out of the room.
    #[error("this line is no longer held")]
    Gone,
    /// What a platform deleted stays deleted.
    #[error("the platform deleted this line")]
    DeletedByPlatform,
    /// Holes have no state.
    #[error("this is not a message but a gap")]
    Hole,
}
