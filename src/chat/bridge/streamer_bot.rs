//! Streamer.bot's frames.

use std::time::Duration;

use serde_json::Value;

use super::{Into, Said, flagged};
use crate::chat::{
    Amount, Author, Badge, Kind, MessageId, Platform, Removal, Reply, Text, Update, UserId, json,
};

/// Whether a frame has this form: an event, or the answer to a request.
pub(super) fn is_one(frame: &Value) -> bool {
    let event = frame.get("event").is_some_and(|event| event.get("type").is_some());
    let answer = frame.get("status").is_some() && frame.get("id").is_some();
    event || answer || frame.get("request").is_some()
}

/// What a frame reports; `None` for what is no chat.
pub(super) fn update(frame: &Value, into: &mut Into<'_>) -> Option<Update> {
    let event = json::any(frame, &["event"])?;
    let data = json::any(frame, &["data"])?;
    let platform = Platform::named(json::text(event, &["source"]).unwrap_or_default());
    let user = json::any(data, &["user", "targetUser"]).unwrap_or(&Value::Null);
    let id = || {
        json::id(user, &["id"]).or_else(|| json::id(data, &["targetUserId", "userId", "user_id"]))
    };
    let name = || {
        json::text(user, &["login", "name"])
            .or_else(|| json::text(data, &["targetUserLogin", "user_login"]))
    };
    let cleared = |removal| {
        let (id, name) = (id().map(|id| UserId::new(&id)), name().and_then(Text::named));
        (id.is_some() || name.is_some()).then_some(Update::UserCleared { id, name, removal })
    };
    match json::text(event, &["type"])? {
        "ChatMessage" | "Message" | "BotChatMessage" => said(frame, data, platform, into),
        "ChatMessageDeleted" | "MessageDeleted" => {
            let id = json::id(data, &["targetMessageId", "messageId", "msgId", "eventId"])?;
            Some(Update::Deleted(MessageId::new(&id)))
        }
        "ChatCleared" => Some(Update::AllCleared),
        "UserTimedOut" => {
            let seconds = json::number(data, &["duration", "durationSeconds"]);
            cleared(seconds.map_or(Removal::Cleared, |s| Removal::TimedOut(Duration::from_secs(s))))
        }
        "UserBanned" => cleared(Removal::Banned),
        _ => None,
    }
}

fn said(frame: &Value, data: &Value, platform: Platform, into: &mut Into<'_>) -> Option<Update> {
    // Twitch's `message` is an object, YouTube's is the text.
    let body = json::any(data, &["message"]).filter(|body| body.is_object()).unwrap_or(data);
    let user = json::any(data, &["user"]).unwrap_or(&Value::Null);
    let raw = json::text(body, &["message"]).or_else(|| json::text(data, &["text", "message"]))?;
    let id = json::id(body, &["userId"]).or_else(|| json::id(user, &["id"]));
    let shown = json::text(body, &["displayName"])
        .or_else(|| json::text(user, &["displayName", "display", "name"]))
        .unwrap_or_default();
    let login =
        json::text(body, &["username"]).or_else(|| json::text(user, &["login", "username"]));
    let mut badges = flagged(
        user,
        &[
            ("isOwner", Badge::Owner),
            ("isModerator", Badge::Moderator),
            ("isSponsor", Badge::Member),
            ("isVerified", Badge::Verified),
        ],
    );
    badges.extend(flagged(body, &[("subscriber", Badge::Member), ("firstMessage", Badge::First)]));
    // Streamer.bot's roles: 1 viewer, 2 VIP, 3 moderator, 4 broadcaster.
    badges.extend(match json::number(body, &["role"]).or_else(|| json::number(user, &["role"])) {
        Some(2) => Some(Badge::Vip),
        Some(3) => Some(Badge::Moderator),
        Some(4) => Some(Badge::Owner),
        _ => None,
    });
    badges.sort_unstable();
    badges.dedup();
    let kind = match json::number(body, &["bits"]).filter(|bits| *bits > 0) {
        Some(bits) => Kind::Paid {
            amount: Amount { micros: bits.saturating_mul(1_000_000), currency: Text::name("BITS") },
        },
        None if json::flag(body, &["isMe"]) => Kind::Action,
        None => Kind::Text,
    };
    let mut message = into.message(Said {
        id: json::id(body, &["msgId", "messageId", "eventId"])
            .or_else(|| json::id(data, &["messageId", "msgId", "eventId"])),
        platform,
        channel: json::text(body, &["channel"]).map(Text::name),
        at: json::time(data, &["publishedAt"]).or_else(|| json::time(frame, &["timeStamp"])),
        author: Author {
            id: id.map(|id| UserId::new(&id)),
            name: Text::name(shown),
            login: login.filter(|login| *login != shown).map(Text::name),
            badges,
        },
        raw,
        kind,
    });
    message.reply = json::any(body, &["reply"]).and_then(|reply| {
        Some(Reply {
            to: MessageId::new(&json::id(reply, &["msgId", "parentMsgId"])?),
            text: json::text(reply, &["msgBody", "parentMsgBody"]).map(Text::new),
        })
    });
    Some(Update::Message(Box::new(message)))
}
