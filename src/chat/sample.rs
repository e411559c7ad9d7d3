//! Messages for tests.

use super::{Author, Kind, Message, MessageId, Platform, Text, UserId};
use crate::base::{Now, SourceId};

/// A source by name.
pub(super) fn source(name: &str) -> SourceId {
    name.parse().unwrap()
}

/// What `who` wrote `ms` after the beginning of 2026, on Twitch.
pub(super) fn line(source_name: &str, id: &str, ms: u64, who: &str, text: &str) -> Message {
    Message {
        id: MessageId::new(id),
        source: source(source_name),
        platform: Platform::TWITCH,
        channel: None,
        at: Now::test(ms).wall,
        author: Author { id: Some(UserId::new(who)), name: Text::name(who), ..Author::default() },
        text: Text::new(text),
        emotes: Vec::new(),
        kind: Kind::Text,
        reply: None,
        origin: None,
        lang: None,
        backlog: false,
        own: false,
        late: false,
    }
}
