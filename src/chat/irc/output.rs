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
    /// A line of our own was taken by the server.
    Sent {
        /// What [`Session::say`](super::Session::say) returned.
        label: u64,
        /// Its identifier; absent where the server gives none or does not echo.
        id: Option<MessageId>,
    },
    /// A line of our own was refused with this numeric (404 and others).
    Refused {
        /// What [`Session::say`](super::Session::say) returned.
        label: u64,
        /// The numeric reply.
        numeric: u16,
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
    /// Too many own lines wait for their echo.
    #[error("too many lines wait to be confirmed")]
    Busy,
}
