//! Messages for tests.

use super::{Author, Message, MessageId, Platform, Text, UserId};
use crate::base::{Now, SourceId};

/// A source by name.
pub(super) fn source(name: &str) -> SourceId {
    name.parse().unwrap()
}

/// What `who` wrote `ms` after the beginning of 2026, on Twitch.
pub(super) fn line(source_name: &str, id: &str, ms: u64, who: &str, text: &str) -> Message {
    Message::new(
        MessageId::new(id),
        source(source_name),
        Platform::TWITCH,
        Now::test(ms).wall,
        Author { id: Some(UserId::new(who)), name: Text::name(who), ..Author::default() },
        Text::new(text),
    )
}
