//! What is done on a platform: a line, or an act of moderation. A source that can do none of it says so in
//! [`super::capability`], and is never asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Author, MessageId};

/// Something to do on a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformAction {
    /// Says a line. It is one line of the length that the platform takes, and free of control characters.
    Say {
        /// The line.
        text: String,
        /// The channel, for a source that reads several; all of them where it is absent.
        channel: Option<String>,
        /// The message that is answered, where the platform knows answers.
        reply_to: Option<MessageId>,
    },
    /// Deletes one message.
    Delete(MessageId),
    /// Keeps a user from writing for a while.
    TimeOut {
        /// Whom it meets.
        user: Author,
        /// For how long; a platform may cut it to what it allows.
        length: Duration,
        /// Why, where the platform takes a reason.
        reason: String,
        /// The channel, for a source that reads several.
        channel: Option<String>,
    },
    /// Keeps a user from writing until that is undone.
    Ban {
        /// Whom it meets.
        user: Author,
        /// Why, where the platform takes a reason.
        reason: String,
        /// The channel, for a source that reads several.
        channel: Option<String>,
    },
    /// Ends a time-out or a ban.
    Lift {
        /// Whom it meets.
        user: Author,
        /// The channel, for a source that reads several.
        channel: Option<String>,
    },
}
