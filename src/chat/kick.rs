//! Kick's official webhook and API without I/O. The signature itself is verified by an adapter; here its base string is
//! built, and what has been verified is accepted once.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Amount, Author, Badge, Emote, Kind, Message, MessageId, Platform, Removal, Reply, Text, Update,
    UserId, base64, json as read,
    request::{Method, Refusal, Request, given, one_line},
    response::{Response, dropped},
    seen::Seen,
    send::Answer,
};
use crate::base::SourceId;

/// How far the time of a delivery may be from ours.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// The longest body, in bytes.
pub const MOST_BODY: usize = 1 << 20;
/// Longest text of a message, in characters (Post Chat Message).
const MOST_TEXT: usize = 500;
/// Longest reason of a ban, in characters (Post Ban, `reason`).
const MOST_REASON: usize = 100;
/// Longest time-out, in minutes: a week (Post Ban, `duration`).
const MOST_MINUTES: u64 = 10_080;

/// What a token must allow for writing, deleting and banning (Kick's documentation, "Scopes").
pub const SCOPES: &str = "chat:write, moderation:chat_message:manage and moderation:ban";

/// The path of the key with which deliveries are signed.
pub const PUBLIC_KEY: &str = "/public/v1/public-key";

/// What an adapter verifies: RSA 2048, PKCS#1 v1.5, SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `id.timestamp.body`.
    pub base: Vec<u8>,
    /// The signature, decoded.
    pub signature: Vec<u8>,
}

/// Why a delivery is refused. None of these is to be answered with a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A header is missing or cannot be read.
    #[error("a header of the webhook is missing or cannot be read")]
    BadHeader,
    /// The body is longer than allowed.
    #[error("the body is longer than {MOST_BODY} bytes")]
    TooLong,
    /// Sent more than five minutes ago, or in the future.
    #[error("the delivery is not within five minutes of now")]
    Stale,
    /// This identifier was accepted before. Answer with a success all the same, or Kick sends it again.
    #[error("the delivery was accepted before")]
    Repeated,
    /// The signature is not that of Kick's key.
    #[error("the signature is wrong")]
    BadSignature,
    /// Signed, and yet not JSON, or without what its type needs.
    #[error("the body cannot be read")]
    BadBody,
}

/// A delivery whose signature is not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    id: String,
    kind: String,
    body: Vec<u8>,
    signed: Signed,
}

impl Pending {
    /// What is to be verified.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }
}

/// The receiving end of one source's webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    source: SourceId,
    own: Option<UserId>,
    accepted: Seen<String>,
    shown: Seen<MessageId>,
}

impl Webhook {
    /// A receiver; `own` is the account hawker writes with.
    pub fn new(source: SourceId, own: Option<UserId>) -> Self {
        Self { source, own, accepted: Seen::default(), shown: Seen::default() }
    }

    /// Checks what can be checked without the key. `header` gives a header by its name, in whatever case.
    pub fn check<'a>(
        &self,
        now: Timestamp,
        header: impl Fn(&str) -> Option<&'a str>,
        body: Vec<u8>,
    ) -> Result<Pending, Refused> {
        let wanted = |name: &str| {
            let value = header(name).map(str::trim);
            value.filter(|value| (1..=1_024).contains(&value.len())).ok_or(Refused::BadHeader)
        };
        let id = wanted("Kick-Event-Message-Id")?;
        let sent = wanted("Kick-Event-Message-Timestamp")?;
        let signature =
            base64::decode(wanted("Kick-Event-Signature")?).ok_or(Refused::BadHeader)?;
        let kind = wanted("Kick-Event-Type")?;
        if body.len() > MOST_BODY {
            return Err(Refused::TooLong);
        }
        let at: Timestamp = sent.parse().map_err(|_| Refused::BadHeader)?;
        if now.duration_since(at).abs() > WINDOW {
            return Err(Refused::Stale);
        }
        if self.accepted.contains(&id.to_owned()) {
            return Err(Refused::Repeated);
        }
        let base = [id.as_bytes(), b".", sent.as_bytes(), b".", &body].concat();
        Ok(Pending {
            id: id.to_owned(),
            kind: kind.to_owned(),
            body,
            signed: Signed { base, signature },
        })
    }

    /// Accepts a delivery whose signature has been verified. `None` for events that are no chat. An identifier is
    /// remembered only here: a forged delivery cannot keep the real one out.
    pub fn accept(
        &mut self,
        now: Timestamp,
        pending: Pending,
        verified: bool,
    ) -> Result<Option<Update>, Refused> {
        if !verified {
            return Err(Refused::BadSignature);
        }
        if !self.accepted.insert(pending.id.clone()) {
            return Err(Refused::Repeated);
        }
        let event: Value = serde_json::from_slice(&pending.body).map_err(|_| Refused::BadBody)?;
        let update = match pending.kind.as_str() {
            "chat.message.sent" => self.said(now, &event).ok_or(Refused::BadBody)?,
            "moderation.banned" => banned(&event).ok_or(Refused::BadBody)?,
            "channel.subscription.new"
            | "channel.subscription.renewal"
            | "channel.subscription.gifts" => {
                self.notice(now, &pending.id, &event, Kind::Membership)
            }
            "kicks.gifted" => self.gifted(now, &pending.id, &event),
            _ => return Ok(None),
        };
        if let Update::Message(message) = &update
            && !self.shown.insert(message.id.clone())
        {
            return Ok(None);
        }
        Ok(Some(update))
    }

    fn said(&self, now: Timestamp, event: &Value) -> Option<Update> {
        let id = MessageId::new(&read::id(event, &["message_id"])?);
        let raw = event.get("content")?.as_str()?;
        let mut message = self.message(now, id, event, read::any(event, &["sender"])?);
        (message.text, message.emotes) = emotes(raw);
        // The identifier alone in older deliveries, an object in newer ones.
        message.reply = read::any(event, &["replies_to"]).and_then(|to| {
            let id = to.as_str().map(str::to_owned).or_else(|| read::id(to, &["message_id"]))?;
            let text = read::text(to, &["content"]).map(|raw| emotes(raw).0);
            Some(Reply { to: MessageId::new(&id), text })
        });
        Some(Update::Message(Box::new(message)))
    }

    fn notice(&self, now: Timestamp, id: &str, event: &Value, kind: Kind) -> Update {
        let who = read::any(event, &["subscriber", "gifter", "sender"]).unwrap_or(&Value::Null);
        let mut message = self.message(now, MessageId::new(id), event, who);
        message.kind = kind;
        Update::Message(Box::new(message))
    }

    fn gifted(&self, now: Timestamp, id: &str, event: &Value) -> Update {
        let gift = event.get("gift").unwrap_or(&Value::Null);
        let amount = read::number(gift, &["amount"]).unwrap_or(0).saturating_mul(1_000_000);
        let kind = match read::text(gift, &["message"]) {
            Some(_) => {
                Kind::Paid { amount: Amount { micros: amount, currency: Text::name("KICKS") } }
            }
            None => Kind::Gift,
        };
        let mut update = self.notice(now, id, event, kind);
        if let Update::Message(message) = &mut update {
            message.text = Text::new(read::text(gift, &["message", "name"]).unwrap_or_default());
        }
        update
    }

    fn message(&self, now: Timestamp, id: MessageId, event: &Value, who: &Value) -> Message {
        let user = read::id(who, &["user_id"]).map(|id| UserId::new(&id));
        let identity = who.get("identity").unwrap_or(&Value::Null);
        let sets = identity.get("badges").and_then(Value::as_array).into_iter().flatten().take(32);
        let mut badges: Vec<Badge> =
            sets.filter_map(|set| badge(read::text(set, &["type"])?)).collect();
        if read::flag(who, &["is_verified"]) {
            badges.push(Badge::Verified);
        }
        badges.sort_unstable();
        badges.dedup();
        let channel = event.get("broadcaster").unwrap_or(&Value::Null);
        Message {
            channel: read::text(channel, &["channel_slug", "username"]).map(Text::name),
            own: self.own.is_some() && user == self.own,
            ..Message::new(
                id,
                self.source.clone(),
                Platform::KICK,
                read::time(event, &["created_at"]).unwrap_or(now),
                Author {
                    id: user,
                    name: Text::name(read::text(who, &["username"]).unwrap_or_default()),
                    login: None,
                    badges,
                },
                Text::default(),
            )
        }
    }
}

fn badge(kind: &str) -> Option<Badge> {
    match kind {
        "broadcaster" => Some(Badge::Owner),
        "moderator" => Some(Badge::Moderator),
        "subscriber" | "founder" | "og" => Some(Badge::Member),
        "vip" => Some(Badge::Vip),
        "verified" | "staff" => Some(Badge::Verified),
        "bot" => Some(Badge::Bot),
        _ => None,
    }
}

fn banned(event: &Value) -> Option<Update> {
    let who = read::any(event, &["banned_user"])?;
    let meta = event.get("metadata").unwrap_or(&Value::Null);
    let id = read::id(who, &["user_id"]).map(|id| UserId::new(&id));
    let name = read::text(who, &["username"]).and_then(Text::named);
    (id.is_some() || name.is_some()).then_some(())?;
    let times = read::time(meta, &["expires_at"]).zip(read::time(meta, &["created_at"]));
    let removal = times.map_or(Removal::Banned, |(until, from)| {
        Removal::TimedOut(until.duration_since(from).try_into().unwrap_or_default())
    });
    Some(Update::UserCleared { id, name, removal })
}

/// Text in which `[emote:ID:NAME]` is the name, and where the names stand.
fn emotes(raw: &str) -> (Text, Vec<Emote>) {
    let mut plain = String::with_capacity(raw.len());
    let mut found = Vec::new();
    let mut count = 0;
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once("[emote:") {
        plain.push_str(before);
        count += before.chars().count();
        let inner = after.split_once(']').and_then(|(inner, after)| {
            let (id, name) = inner.split_once(':')?;
            let fits = !id.is_empty()
                && id.bytes().all(|b| b.is_ascii_digit())
                && !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            fits.then_some((id, name, after))
        });
        if let Some((id, name, after)) = inner {
            let last = count + name.len() - 1;
            found.push(super::emotes::Reported { first: count, last, id: id.to_owned() });
            plain.push_str(name);
            count += name.len();
            rest = after;
        } else {
            plain.push_str("[emote:");
            count += "[emote:".len();
            rest = after;
        }
    }
    plain.push_str(rest);
    let text = Text::new(&plain);
    let placed = super::emotes::placed(&plain, &text, found);
    (text, placed)
}

/// Sends a message. Returns how many bytes of the text fit.
pub fn send(
    channel: u64,
    text: &str,
    reply_to: Option<&MessageId>,
) -> Result<(Request, usize), Refusal> {
    let (line, kept) = one_line(text, MOST_TEXT)?;
    let mut body = json!({"broadcaster_user_id": channel, "content": line, "type": "user"});
    if let (Some(id), Some(fields)) = (reply_to, body.as_object_mut()) {
        fields.insert("reply_to_message_id".to_owned(), json!(id.as_str()));
    }
    Ok((Request::new(Method::Post, "/public/v1/chat").json(body), kept))
}

/// The identifier of a message that was sent, from the answer; `None` where Kick does not call it sent.
pub fn sent(body: &[u8]) -> Option<MessageId> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let data = answer.get("data").filter(|data| read::flag(data, &["is_sent"]))?;
    read::id(data, &["message_id"]).map(|id| MessageId::new(&id))
}

/// What the answer to a request means: a body of `data` and `message`.
pub fn answer(response: &Response) -> Answer {
    let body = response.json();
    let words = read::text(&body, &["message", "error_description", "error"]);
    if !response.is_success() {
        return response.refused(None, words);
    }
    let told = body.get("data").is_some_and(|data| data.get("is_sent").is_some());
    match sent(&response.body) {
        Some(id) => Answer::Taken(Some(id)),
        None if told => dropped("not-sent", words.unwrap_or_default()),
        None => Answer::Taken(None),
    }
}

/// Deletes a message.
pub fn delete(id: &MessageId) -> Result<Request, Refusal> {
    let id = given(id.as_str())?;
    // It becomes part of the path: nothing that could lead elsewhere.
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Err(Refusal::NoId);
    }
    Ok(Request::new(Method::Delete, format!("/public/v1/chat/{id}")))
}

/// Times a user out (in whole minutes, at least one), or bans where `duration` is absent.
pub fn ban(
    channel: u64,
    user: u64,
    duration: Option<std::time::Duration>,
    reason: &str,
) -> Request {
    let reason: String = Text::name(reason).as_str().chars().take(MOST_REASON).collect();
    let mut body = json!({"broadcaster_user_id": channel, "user_id": user, "reason": reason});
    if let (Some(duration), Some(fields)) = (duration, body.as_object_mut()) {
        let minutes = duration.as_secs().div_ceil(60).clamp(1, MOST_MINUTES);
        fields.insert("duration".to_owned(), json!(minutes));
    }
    Request::new(Method::Post, "/public/v1/moderation/bans").json(body)
}

/// Ends a time-out or ban.
pub fn unban(channel: u64, user: u64) -> Request {
    let body = json!({"broadcaster_user_id": channel, "user_id": user});
    Request::new(Method::Delete, "/public/v1/moderation/bans").json(body)
}

#[cfg(test)]
mod tests;
