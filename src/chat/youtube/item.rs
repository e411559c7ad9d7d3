//! What a list response and its items mean. Keys come in camelCase or snake_case, types in camelCase or SCREAMING_CASE.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    base::SourceId,
    chat::{
        Amount, Author, Badge, Kind, Message, MessageId, Platform, Removal, Text, Update, UserId,
        json, seen::derived,
    },
};

/// A list response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// From where the next call goes on.
    pub next: Option<String>,
    /// The least wait before the next poll.
    pub interval: Option<Duration>,
    /// The stream is off.
    pub offline: bool,
    /// The chat has ended.
    pub ended: bool,
    /// What its items report, oldest first.
    pub updates: Vec<Update>,
    /// Items that report nothing to a chat, or could not be read.
    pub skipped: usize,
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// 403 `quotaExceeded`, `dailyLimitExceeded`: nothing more today.
    #[error("the day's quota is used up")]
    QuotaExceeded,
    /// 403 or 429 `rateLimitExceeded`: asked too soon.
    #[error("asked too often")]
    RateLimited,
    /// 403 `liveChatEnded`.
    #[error("the chat has ended")]
    ChatEnded,
    /// 403 `liveChatDisabled`.
    #[error("the chat is switched off")]
    ChatDisabled,
    /// 403 `forbidden` and other reasons, 401.
    #[error("not allowed to read this chat")]
    Forbidden,
    /// 404 `liveChatNotFound`.
    #[error("there is no such chat")]
    NotFound,
    /// 400 `pageTokenInvalid`: begin without one.
    #[error("the page token is not valid any more")]
    BadToken,
    /// Any other status; 0 where there was no answer.
    #[error("the call failed with status {0}")]
    Status(u16),
    /// The answer is not what the description says.
    #[error("the answer cannot be read")]
    Unreadable,
}

impl Fault {
    /// Whether another try with the same chat would end in the same way.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::ChatEnded | Self::ChatDisabled | Self::Forbidden | Self::NotFound)
    }
}

/// Reads an answer with this status of HTTP. `now` is the time of arrival, for items without a time; `own` the channel
/// that hawker writes as.
pub fn page(
    status: u16,
    body: &[u8],
    source: &SourceId,
    now: Timestamp,
    own: Option<&UserId>,
) -> Result<Page, Fault> {
    if body.len() > json::MOST_JSON {
        return Err(Fault::Unreadable);
    }
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    // Errors come alone or, from the stream, as the first of a list.
    let answer = answer.map(|mut answer| match answer.get_mut(0) {
        Some(first) => first.take(),
        None => answer,
    });
    let error = answer.as_ref().and_then(|answer| json::any(answer, &["error"]));
    if !(200..300).contains(&status) || error.is_some() {
        return Err(fault(status, error.unwrap_or(&Value::Null)));
    }
    let answer = answer.filter(Value::is_object).ok_or(Fault::Unreadable)?;
    let mut page = Page {
        next: json::text(&answer, &["nextPageToken", "next_page_token"]).map(str::to_owned),
        interval: json::number(&answer, &["pollingIntervalMillis", "polling_interval_millis"])
            .map(|ms| Duration::from_millis(ms.min(600_000))),
        offline: json::any(&answer, &["offlineAt", "offline_at"]).is_some(),
        ..Page::default()
    };
    for item in answer.get("items").and_then(Value::as_array).into_iter().flatten() {
        match read(item, source, now, own) {
            Item::Update(update) => page.updates.push(*update),
            Item::Ended => page.ended = true,
            Item::Nothing => page.skipped += 1,
        }
    }
    Ok(page)
}

/// The reason that an error names.
pub(super) fn reason(error: &Value) -> Option<&str> {
    let first = error.get("errors").and_then(|errors| errors.get(0)).unwrap_or(&Value::Null);
    let detail = error.get("details").and_then(|details| details.get(0)).unwrap_or(&Value::Null);
    json::text(first, &["reason"]).or_else(|| json::text(detail, &["reason"]))
}

/// What an error of the API means.
pub(super) fn fault(status: u16, error: &Value) -> Fault {
    let reason = reason(error);
    let status = json::number(error, &["code"])
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| *code >= 400)
        .unwrap_or(status);
    match plain(reason.unwrap_or_default()).as_str() {
        "quotaexceeded" | "dailylimitexceeded" => Fault::QuotaExceeded,
        "ratelimitexceeded" | "userratelimitexceeded" => Fault::RateLimited,
        "livechatended" => Fault::ChatEnded,
        "livechatdisabled" => Fault::ChatDisabled,
        "livechatnotfound" => Fault::NotFound,
        "pagetokeninvalid" | "invalidpagetoken" => Fault::BadToken,
        _ => match status {
            401 | 403 => Fault::Forbidden,
            404 => Fault::NotFound,
            429 => Fault::RateLimited,
            _ => Fault::Status(status),
        },
    }
}

/// A name without its case and underscores: `textMessageEvent` and `TEXT_MESSAGE_EVENT` are one.
fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).take(64).collect()
}

enum Item {
    Update(Box<Update>),
    Ended,
    Nothing,
}

fn read(item: &Value, source: &SourceId, now: Timestamp, own: Option<&UserId>) -> Item {
    let Some(snippet) = json::any(item, &["snippet"]) else { return Item::Nothing };
    let detail =
        |camel: &str, snake: &str| json::any(snippet, &[camel, snake]).unwrap_or(&Value::Null);
    let kind = plain(json::text(snippet, &["type"]).unwrap_or_default());
    let shown = json::text(snippet, &["displayMessage", "display_message"]).unwrap_or_default();
    let deleted = |id: Option<&str>| match id {
        Some(id) => Item::Update(Box::new(Update::Deleted(MessageId::new(id)))),
        None => Item::Nothing,
    };
    let (kind, text) = match kind.as_str() {
        "textmessageevent" => {
            let text = detail("textMessageDetails", "text_message_details");
            (Kind::Text, json::text(text, &["messageText", "message_text"]).unwrap_or(shown))
        }
        "superchatevent" => {
            let paid = detail("superChatDetails", "super_chat_details");
            let said = json::text(paid, &["userComment", "user_comment"]).unwrap_or_default();
            (Kind::Paid { amount: amount(paid) }, said)
        }
        "superstickerevent" => {
            let sticker = detail("superStickerDetails", "super_sticker_details");
            let named = json::any(sticker, &["superStickerMetadata", "super_sticker_metadata"]);
            let named = named.and_then(|named| json::text(named, &["altText", "alt_text"]));
            (Kind::Gift, if shown.is_empty() { named.unwrap_or_default() } else { shown })
        }
        "giftevent" => (Kind::Gift, shown),
        "membermilestonechatevent" => {
            let milestone = detail("memberMilestoneChatDetails", "member_milestone_chat_details");
            let said = json::text(milestone, &["userComment", "user_comment"]);
            (Kind::Membership, said.unwrap_or(shown))
        }
        "newsponsorevent" | "membershipgiftingevent" | "giftmembershipreceivedevent" => {
            (Kind::Membership, shown)
        }
        "pollevent" => {
            let poll = detail("pollDetails", "poll_details");
            let asked = json::any(poll, &["metadata"]);
            let asked = asked.and_then(|m| json::text(m, &["questionText", "question_text"]));
            (Kind::Notice, asked.unwrap_or(shown))
        }
        "userbannedevent" => return banned(detail("userBannedDetails", "user_banned_details")),
        // Both are deprecated; who still sends them is believed.
        "messagedeletedevent" => {
            let gone = detail("messageDeletedDetails", "message_deleted_details");
            return deleted(json::text(gone, &["deletedMessageId", "deleted_message_id"]));
        }
        "messageretractedevent" => {
            let gone = detail("messageRetractedDetails", "message_retracted_details");
            return deleted(json::text(gone, &["retractedMessageId", "retracted_message_id"]));
        }
        // What stood under this identifier has been deleted.
        "tombstone" => return deleted(json::text(item, &["id"])),
        "chatendedevent" => return Item::Ended,
        // Modes of the chat, and what is new: shown as the platform words it.
        _ if shown.is_empty() => return Item::Nothing,
        _ => (Kind::Notice, shown),
    };
    Item::Update(Box::new(Update::Message(Box::new(message(
        item, snippet, source, now, own, kind, text,
    )))))
}

fn message(
    item: &Value,
    snippet: &Value,
    source: &SourceId,
    now: Timestamp,
    own: Option<&UserId>,
    kind: Kind,
    text: &str,
) -> Message {
    let author = json::any(item, &["authorDetails", "author_details"]).unwrap_or(&Value::Null);
    let user = json::text(author, &["channelId", "channel_id"])
        .or_else(|| json::text(snippet, &["authorChannelId", "author_channel_id"]))
        .map(UserId::new);
    let time = json::time(snippet, &["publishedAt", "published_at"]);
    let id = json::text(item, &["id"]).map_or_else(
        || {
            let second = time.map_or(0, Timestamp::as_nanosecond).to_be_bytes();
            let user = user.as_ref().map(UserId::as_str).unwrap_or_default();
            derived(&[&second, user.as_bytes(), text.as_bytes()])
        },
        MessageId::new,
    );
    let badges = [
        (["isChatOwner", "is_chat_owner"], Badge::Owner),
        (["isChatModerator", "is_chat_moderator"], Badge::Moderator),
        (["isChatSponsor", "is_chat_sponsor"], Badge::Member),
        (["isVerified", "is_verified"], Badge::Verified),
    ];
    let badges =
        badges.into_iter().filter(|(keys, _)| json::flag(author, keys)).map(|(_, b)| b).collect();
    let name = json::text(author, &["displayName", "display_name"]).unwrap_or_default();
    Message {
        own: own.is_some() && user.as_ref() == own,
        kind,
        ..Message::new(
            id,
            source.clone(),
            Platform::YOUTUBE,
            time.unwrap_or(now),
            Author { id: user, name: Text::name(name), login: None, badges },
            Text::new(text),
        )
    }
}

fn amount(paid: &Value) -> Amount {
    Amount {
        micros: json::number(paid, &["amountMicros", "amount_micros"]).unwrap_or(0),
        currency: Text::name(json::text(paid, &["currency"]).unwrap_or_default()),
    }
}

fn banned(detail: &Value) -> Item {
    let who =
        json::any(detail, &["bannedUserDetails", "banned_user_details"]).unwrap_or(&Value::Null);
    let id = json::text(who, &["channelId", "channel_id"]).map(UserId::new);
    let name = json::text(who, &["displayName", "display_name"]).and_then(Text::named);
    if id.is_none() && name.is_none() {
        return Item::Nothing;
    }
    let seconds = json::number(detail, &["banDurationSeconds", "ban_duration_seconds"]);
    let kind = plain(json::text(detail, &["banType", "ban_type"]).unwrap_or_default());
    let removal = match seconds {
        Some(seconds) if kind != "permanent" => Removal::TimedOut(Duration::from_secs(seconds)),
        _ => Removal::Banned,
    };
    Item::Update(Box::new(Update::UserCleared { id, name, removal }))
}
