//! What an EventSub notification reports: channel.chat.message, .message_delete, .clear, .clear_user_messages and
//! .notification (version 1).

use jiff::Timestamp;
use serde_json::Value;

use super::{action, badge, line::is_membership};
use crate::{
    base::SourceId,
    chat::{
        Amount, Author, Badge, Kind, Message, MessageId, Origin, Platform, Removal, Reply, Text,
        Update, UserId,
        emotes::{Reported, placed},
        json,
    },
};

/// The subscriptions that a chat needs, the message first.
pub const KINDS: [&str; 5] = [
    "channel.chat.message",
    "channel.chat.message_delete",
    "channel.chat.clear_user_messages",
    "channel.chat.clear",
    "channel.chat.notification",
];

/// Reads the `event` of a notification of this type, which was sent at `at`; `None` where it is not one of [`KINDS`] or lacks
/// its identifier. `own` is the account hawker writes with.
pub fn update(
    kind: &str,
    event: &Value,
    source: &SourceId,
    at: Timestamp,
    own: Option<&UserId>,
) -> Option<Update> {
    match kind {
        "channel.chat.message" => message(event, source, at, own),
        "channel.chat.notification" => notice(event, source, at, own),
        "channel.chat.message_delete" => {
            Some(Update::Deleted(MessageId::new(json::text(event, &["message_id"])?)))
        }
        // Told for time-outs and bans alike; which of them it was is not in the event.
        "channel.chat.clear_user_messages" => Some(Update::UserCleared {
            id: Some(UserId::new(&json::id(event, &["target_user_id"])?)),
            name: json::text(event, &["target_user_login"]).and_then(Text::named),
            removal: Removal::Cleared,
        }),
        "channel.chat.clear" => Some(Update::AllCleared),
        _ => None,
    }
}

fn message(
    event: &Value,
    source: &SourceId,
    at: Timestamp,
    own: Option<&UserId>,
) -> Option<Update> {
    let body = json::any(event, &["message"])?;
    let raw = json::text(body, &["text"]).unwrap_or_default();
    let mut kind = Kind::Text;
    let mut shown = raw;
    if let Some(inner) = action(raw) {
        (kind, shown) = (Kind::Action, inner);
    }
    if let Some(bits) = json::any(event, &["cheer"]).and_then(|c| json::number(c, &["bits"])) {
        let micros = bits.saturating_mul(1_000_000);
        kind = Kind::Paid { amount: Amount { micros, currency: Text::name("BITS") } };
    }
    let mut message = common(event, source, at, shown, kind, own)?;
    // Fragments count from the wrapped text.
    let skipped = raw.find(shown).map_or(0, |at| raw.get(..at).unwrap_or_default().chars().count());
    message.emotes = placed(shown, &message.text, emotes(body, skipped));
    if json::text(event, &["message_type"]) == Some("user_intro") {
        message.author.badges.push(Badge::First);
        message.author.badges.sort_unstable();
    }
    message.reply = json::any(event, &["reply"]).and_then(|reply| {
        Some(Reply {
            to: MessageId::new(json::text(reply, &["parent_message_id"])?),
            text: json::text(reply, &["parent_message_body"]).map(Text::new),
        })
    });
    Some(Update::Message(Box::new(message)))
}

fn notice(event: &Value, source: &SourceId, at: Timestamp, own: Option<&UserId>) -> Option<Update> {
    let written = json::text(event, &["system_message"]).unwrap_or_default();
    let added = json::any(event, &["message"]).and_then(|body| json::text(body, &["text"]));
    let added = added.unwrap_or_default();
    let text = if written.is_empty() || added.is_empty() {
        format!("{written}{added}")
    } else {
        format!("{written} {added}")
    };
    let notice = json::text(event, &["notice_type"]).unwrap_or_default();
    let kind = if is_membership(notice) { Kind::Membership } else { Kind::Notice };
    common(event, source, at, &text, kind, own).map(|message| Update::Message(Box::new(message)))
}

fn common(
    event: &Value,
    source: &SourceId,
    at: Timestamp,
    raw: &str,
    kind: Kind,
    own: Option<&UserId>,
) -> Option<Message> {
    let id = MessageId::new(json::text(event, &["message_id"])?);
    let user = json::id(event, &["chatter_user_id"]).map(|id| UserId::new(&id));
    let login = json::text(event, &["chatter_user_login"]).unwrap_or_default();
    let name = json::text(event, &["chatter_user_name"]).unwrap_or(login);
    let here = json::id(event, &["broadcaster_user_id"]);
    let other =
        json::id(event, &["source_broadcaster_user_id"]).filter(|id| Some(id) != here.as_ref());
    let origin = other.and_then(|other| {
        let name = json::text(event, &["source_broadcaster_user_login"]).unwrap_or(&other);
        let id = MessageId::new(json::text(event, &["source_message_id"])?);
        Some(Origin { channel: Text::name(name), id })
    });
    let sets = event.get("badges").and_then(Value::as_array).into_iter().flatten().take(32);
    let mut badges: Vec<Badge> =
        sets.filter_map(|set| badge(json::text(set, &["set_id"])?)).collect();
    badges.sort_unstable();
    badges.dedup();
    let own = own.is_some() && user.as_ref() == own;
    Some(Message {
        channel: json::text(event, &["broadcaster_user_login"]).map(Text::name),
        kind,
        origin,
        own,
        ..Message::new(
            id,
            source.clone(),
            Platform::TWITCH,
            at,
            Author {
                id: user,
                name: Text::name(name),
                login: (!login.is_empty() && login != name).then(|| Text::name(login)),
                badges,
            },
            Text::new(raw),
        )
    })
}

/// The fragments that are emotes, as ranges of characters after the first `skipped`.
fn emotes(body: &Value, skipped: usize) -> Vec<Reported> {
    let fragments = body.get("fragments").and_then(Value::as_array);
    let mut at = 0_usize;
    let mut out = Vec::new();
    for fragment in fragments.into_iter().flatten().take(512) {
        let length = json::text(fragment, &["text"]).unwrap_or_default().chars().count();
        let id = json::any(fragment, &["emote"]).and_then(|emote| json::id(emote, &["id"]));
        if let (Some(id), Some(first), true) = (id, at.checked_sub(skipped), length > 0) {
            out.push(Reported { first, last: first + length - 1, id });
        }
        at += length;
    }
    out
}
