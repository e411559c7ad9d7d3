//! What a session of IRC hands out: lines, updates, its stage, and why it ended.

use super::{line::Wire, registration::Rejection};
use crate::chat::{MessageId, Text, Update};

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No connection.
    Idle,
    /// Connected, not welcomed yet.
    Registering,
    /// Welcomed, in no channel yet.
    Joining,
    /// In a channel at least.
    Live,
}

/// Why the connection must be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Registration cannot succeed; trying again does not help.
    Rejected(Rejection),
    /// No welcome in time.
    NotWelcomed,
    /// No channel could be joined in time.
    NotJoined,
    /// Every channel refused us, with the last numeric (471 full, 473 invite only, 474 banned, 475 key); trying again
    /// soon does not help.
    NoChannel(u16),
    /// Kicked too often.
    Kicked(Text),
    /// The server said ERROR.
    Server(Text),
    /// Nothing came although we asked.
    Silent,
}

impl Ended {
    /// Whether another connection would end in the same way.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::NoChannel(_) | Self::Kicked(_))
    }
}

/// What a session wants done or known, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Send(Wire),
    /// A message, a removal.
    Update(Update),
    /// The stage has changed.
    Stage(Stage),
    /// What we asked was done.
    Done {
        /// What [`Session::say`](super::Session::say) and its like returned.
        label: u64,
        /// Of a line: the identifier of the update that holds it.
        id: Option<MessageId>,
    },
    /// What we asked was refused.
    Refused {
        /// What [`Session::say`](super::Session::say) and its like returned.
        label: u64,
        /// The numeric reply (404 cannot send to the channel, 482 no operator, and others).
        numeric: u16,
        /// What the server says to people.
        text: Text,
    },
    /// What we asked was not answered in time. It may have been done.
    Unanswered {
        /// What [`Session::say`](super::Session::say) and its like returned.
        label: u64,
    },
    /// We were kicked from a channel; it is joined again after a wait.
    Kicked {
        /// The channel.
        channel: Text,
        /// What the operator wrote.
        reason: Text,
    },
    /// Close the connection.
    Close(Ended),
}

/// Whether we are in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Yes.
    Joined,
    /// No, but it is tried.
    Away,
    /// No: refused with this numeric.
    Refused(u16),
}

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not in that channel.
    #[error("not in that channel")]
    NotJoined,
    /// The text is empty once it is made one line.
    #[error("the text is empty")]
    Empty,
    /// This can be no nickname.
    #[error("this can be no nickname")]
    BadNick,
    /// The text does not fit a line.
    #[error("the text does not fit a line")]
    TooLong,
    /// Too many requests wait for their answer.
    #[error("too many requests wait to be answered")]
    Busy,
}
