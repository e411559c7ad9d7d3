//! Restream's frames.

use serde_json::Value;

use super::{Into, Said};
use crate::chat::{Author, Badge, Kind, Platform, Text, Update, UserId, json};

/// Whether a frame has this form.
pub(super) fn is_one(frame: &Value) -> bool {
    json::text(frame, &["action"]).is_some()
}

/// What a frame reports; `None` for heartbeats, connections and replies.
pub(super) fn update(frame: &Value, into: &mut Into<'_>) -> Option<Update> {
    if json::text(frame, &["action"]) != Some("event") {
        return None;
    }
    let payload = json::any(frame, &["payload"])?;
    let event = json::any(payload, &["eventPayload"])?;
    let raw = json::text(event, &["text"])?;
    // Facebook may leave the author out.
    let author = json::any(event, &["author"]).unwrap_or(&Value::Null);
    let shown = json::text(author, &["displayName", "name", "username"]).unwrap_or_default();
    let bot = json::flag(event, &["bot"]);
    let acted = json::any(event, &["contentModifiers"]).is_some_and(|how| json::flag(how, &["me"]));
    let message = into.message(Said {
        id: json::id(payload, &["eventIdentifier"]),
        platform: Platform::named("restream"),
        channel: json::number(payload, &["eventTypeId"]).and_then(site).map(Text::name),
        at: json::time(frame, &["timestamp"]),
        author: Author {
            id: json::id(author, &["id"]).map(|id| UserId::new(&id)),
            name: Text::name(shown),
            login: None,
            badges: if bot { vec![Badge::Bot] } else { Vec::new() },
        },
        raw,
        kind: if acted { Kind::Action } else { Kind::Text },
    });
    Some(Update::Message(Box::new(message)))
}

/// The site behind an event's type (Restream's list of event types).
fn site(kind: u64) -> Option<&'static str> {
    match kind {
        1 => Some("discord"),
        2 | 3 => Some("dlive"),
        4 => Some("twitch"),
        5 | 7 | 8 => Some("youtube"),
        11..=14 => Some("facebook"),
        _ => None,
    }
}
