//! Requests to Twitch's Helix API and what their answers say. The host, the token and the client id are the adapter's
//! (`Authorization: Bearer`, `Client-Id`).

use std::time::Duration;

use serde_json::{Value, json};

use crate::chat::{
    MessageId, Text, UserId, json,
    request::{Method, Refusal, Request, given, one_line},
};

/// Longest text of a message, in characters (Send Chat Message).
const MOST_TEXT: usize = 500;
/// Longest time-out: two weeks, in seconds (Ban User).
const MOST_TIMEOUT: u64 = 1_209_600;

const SUBSCRIPTIONS: &str = "/helix/eventsub/subscriptions";
/// Logins that Get Users takes at once.
const MOST_LOGINS: usize = 100;

/// Permissions of a token (scopes).
pub mod scope {
    /// Reads a chat by EventSub.
    pub const READ: &str = "user:read:chat";
    /// Says a line.
    pub const WRITE: &str = "user:write:chat";
    /// Deletes messages.
    pub const DELETE: &str = "moderator:manage:chat_messages";
    /// Times users out, bans them, and lifts that.
    pub const BAN: &str = "moderator:manage:banned_users";
    /// All that are used.
    pub const ALL: [&str; 4] = [READ, WRITE, DELETE, BAN];
}

/// Asks whose token this is and what it may do. The host is `id.twitch.tv`, and the header `Authorization: OAuth`.
pub fn validate() -> Request {
    Request::new(Method::Get, "/oauth2/validate")
}

/// What a token is, by the answer to [`validate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The application it was made for.
    pub client_id: String,
    /// Whose it is; `None` for an application's own.
    pub user: Option<UserId>,
    /// What it may do.
    pub scopes: Vec<String>,
}

impl Token {
    /// Reads the answer; `None` where it cannot be read.
    pub fn read(body: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        let scopes = answer.get("scopes").and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            client_id: json::text(&answer, &["client_id"])?.to_owned(),
            user: json::id(&answer, &["user_id"]).map(|id| UserId::new(&id)),
            scopes: scopes.take(200).filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// Whether it has this permission.
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known == scope)
    }
}

/// Asks for the users with these logins, at most 100.
pub fn users<'a>(logins: impl IntoIterator<Item = &'a str>) -> Request {
    let request = Request::new(Method::Get, "/helix/users");
    logins
        .into_iter()
        .take(MOST_LOGINS)
        .fold(request, |request, login| request.with("login", login))
}

/// The users of an answer to [`users`]: login, in lower case, and identifier.
pub fn found(body: &[u8]) -> Vec<(String, UserId)> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let entries = answer.get("data").and_then(Value::as_array).into_iter().flatten();
    let user = |entry: &Value| {
        let login = json::text(entry, &["login"])?.to_ascii_lowercase();
        Some((login, UserId::new(&json::id(entry, &["id"])?)))
    };
    entries.take(MOST_LOGINS).filter_map(user).collect()
}

/// What Twitch says of a request that it refused.
pub fn reason(body: &[u8]) -> Text {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    Text::new(json::text(&answer, &["message", "error"]).unwrap_or_default())
}

/// The channel and the account that acts in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The channel's owner.
    pub broadcaster: UserId,
    /// The account the token belongs to.
    pub user: UserId,
}

impl Account {
    fn moderation(&self, method: Method, path: &'static str) -> Request {
        Request::new(method, path)
            .with("broadcaster_id", self.broadcaster.as_str())
            .with("moderator_id", self.user.as_str())
    }

    /// Sends a message, with `reply_to` as an answer. Returns how many bytes of the text fit.
    pub fn send(
        &self,
        text: &str,
        reply_to: Option<&MessageId>,
    ) -> Result<(Request, usize), Refusal> {
        let (line, kept) = one_line(text, MOST_TEXT)?;
        let mut body = json!({
            "broadcaster_id": self.broadcaster.as_str(),
            "sender_id": self.user.as_str(),
            "message": line,
        });
        if let (Some(id), Some(fields)) = (reply_to, body.as_object_mut()) {
            fields.insert("reply_parent_message_id".to_owned(), json!(id.as_str()));
        }
        Ok((Request::new(Method::Post, "/helix/chat/messages").json(body), kept))
    }

    /// Deletes one message. There is no way to ask for the removal of all.
    pub fn delete(&self, id: &MessageId) -> Result<Request, Refusal> {
        let request = self.moderation(Method::Delete, "/helix/moderation/chat");
        Ok(request.with("message_id", given(id.as_str())?))
    }

    /// Times a user out, for 1 s to 14 days, or bans where `duration` is absent.
    pub fn ban(
        &self,
        user: &UserId,
        duration: Option<Duration>,
        reason: &str,
    ) -> Result<Request, Refusal> {
        let reason: String = Text::new(reason).as_str().chars().take(MOST_TEXT).collect();
        let mut data = json!({"user_id": given(user.as_str())?, "reason": reason});
        if let (Some(duration), Some(fields)) = (duration, data.as_object_mut()) {
            fields.insert("duration".to_owned(), json!(duration.as_secs().clamp(1, MOST_TIMEOUT)));
        }
        let request = self.moderation(Method::Post, "/helix/moderation/bans");
        Ok(request.json(json!({"data": data})))
    }

    /// Ends a time-out or ban.
    pub fn unban(&self, user: &UserId) -> Result<Request, Refusal> {
        let request = self.moderation(Method::Delete, "/helix/moderation/bans");
        Ok(request.with("user_id", given(user.as_str())?))
    }

    /// Subscribes a WebSocket session to events of this type.
    pub fn subscribe(&self, kind: &str, session: &str) -> Request {
        let body = json!({
            "type": kind,
            "version": "1",
            "condition": {
                "broadcaster_user_id": self.broadcaster.as_str(),
                "user_id": self.user.as_str(),
            },
            "transport": {"method": "websocket", "session_id": session},
        });
        Request::new(Method::Post, SUBSCRIPTIONS).json(body)
    }
}

/// Lists the subscriptions of this type, from `cursor` on.
pub fn subscriptions(kind: &str, cursor: Option<&str>) -> Request {
    let request = Request::new(Method::Get, SUBSCRIPTIONS).with("type", kind);
    match cursor {
        Some(cursor) => request.with("after", cursor),
        None => request,
    }
}

/// Deletes a subscription.
pub fn unsubscribe(id: &str) -> Result<Request, Refusal> {
    Ok(Request::new(Method::Delete, SUBSCRIPTIONS).with("id", given(id)?))
}

/// The outcome of a message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It is in the chat.
    Sent(MessageId),
    /// Twitch dropped it.
    Dropped {
        /// The code (`msg_duplicate`, `channel_settings`, ...).
        code: Text,
        /// What Twitch says of it.
        reason: Text,
    },
    /// The request failed with this status; 429 is worth another try.
    Failed {
        /// The status of HTTP.
        status: u16,
        /// What Twitch says of it.
        reason: Text,
    },
}

/// Reads the answer to [`Account::send`]. An answer that cannot be read is a failure: nothing is taken for sent that
/// Twitch does not call sent.
pub fn delivery(status: u16, body: &[u8]) -> Delivery {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let failed = || Delivery::Failed { status, reason: reason(body) };
    if !(200..300).contains(&status) {
        return failed();
    }
    let Some(entry) = answer.get("data").and_then(|data| data.get(0)) else { return failed() };
    if let (true, Some(id)) = (json::flag(entry, &["is_sent"]), json::text(entry, &["message_id"]))
    {
        return Delivery::Sent(MessageId::new(id));
    }
    // Documented as an object; older answers held a list of one.
    let reason = entry.get("drop_reason").unwrap_or(&Value::Null);
    let reason = reason.get(0).unwrap_or(reason);
    Delivery::Dropped {
        code: Text::name(json::text(reason, &["code"]).unwrap_or_default()),
        reason: Text::new(json::text(reason, &["message"]).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account() -> Account {
        Account { broadcaster: UserId::new("100"), user: UserId::new("7") }
    }

    #[test]
    fn nothing_is_ever_deleted_without_an_identifier() {
        assert_eq!(account().delete(&MessageId::new("")), Err(Refusal::NoId));
        assert_eq!(account().unban(&UserId::new("")), Err(Refusal::NoId));
        assert_eq!(account().ban(&UserId::new(""), None, ""), Err(Refusal::NoId));
        assert_eq!(unsubscribe(""), Err(Refusal::NoId));
        let request = account().delete(&MessageId::new("abc")).unwrap();
        assert_eq!((request.method, &*request.path), (Method::Delete, "/helix/moderation/chat"));
        let query: Vec<_> = request.query.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(
            query,
            [("broadcaster_id", "100"), ("moderator_id", "7"), ("message_id", "abc")]
        );
    }

    #[test]
    fn a_timeout_is_bounded_and_a_ban_has_no_duration() {
        let body =
            |duration| account().ban(&UserId::new("9"), duration, "spam").unwrap().body.unwrap();
        assert_eq!(
            body(Some(Duration::from_mins(5))),
            json!({"data": {"user_id": "9", "duration": 300, "reason": "spam"}})
        );
        assert_eq!(body(Some(Duration::from_secs(u64::MAX)))["data"]["duration"], json!(1_209_600));
        assert_eq!(body(Some(Duration::ZERO))["data"]["duration"], json!(1));
        assert!(body(None)["data"].get("duration").is_none());
    }

    #[test]
    fn a_sent_text_is_one_line_of_at_most_500_characters() {
        let (request, kept) = account().send("a\r\nb", Some(&MessageId::new("m1"))).unwrap();
        assert_eq!(
            request.body.unwrap(),
            json!({"broadcaster_id": "100", "sender_id": "7", "message": "a  b", "reply_parent_message_id": "m1"})
        );
        assert_eq!(kept, 4);
        let (request, _) = account().send(&"👩🏽\u{200d}🍳".repeat(300), None).unwrap();
        let text = request.body.unwrap()["message"].as_str().unwrap().to_owned();
        assert_eq!(text.chars().count(), 500);
        assert_eq!(account().send(" \n", None), Err(Refusal::Empty));
    }

    /// Answers as the reference of Send Chat Message shows them.
    #[test]
    fn an_answer_says_sent_or_why_not() {
        let sent = br#"{"data":[{"message_id":"abc-123-def","is_sent":true,"drop_reason":null}]}"#;
        assert_eq!(delivery(200, sent), Delivery::Sent(MessageId::new("abc-123-def")));
        let reason =
            r#"{"code":"msg_duplicate","message":"Your message is identical to the previous one"}"#;
        for dropped in [reason.to_owned(), format!("[{reason}]")] {
            let body = format!(
                r#"{{"data":[{{"message_id":"","is_sent":false,"drop_reason":{dropped}}}]}}"#
            );
            assert!(
                matches!(delivery(200, body.as_bytes()), Delivery::Dropped { code, .. } if code.as_str() == "msg_duplicate")
            );
        }
        let refused =
            br#"{"error":"Forbidden","status":403,"message":"The sender is not permitted"}"#;
        assert!(
            matches!(delivery(403, refused), Delivery::Failed { status: 403, reason } if reason.as_str().contains("not permitted"))
        );
        for unreadable in [&b""[..], b"{}", br#"{"data":[]}"#, b"<html>"] {
            assert!(matches!(delivery(200, unreadable), Delivery::Failed { .. }));
        }
    }

    /// Answers as the guide on validating tokens and the reference of Get Users show them.
    #[test]
    fn a_token_and_users_are_read() {
        let token = Token::read(
            br#"{"client_id":"wbmytr93xzw8zbg0p1izqyzzc5mbiz","login":"twitchdev","scopes":["user:read:chat"],"user_id":"141981764","expires_in":5520838}"#,
        );
        let token = token.unwrap();
        assert_eq!(token.user, Some(UserId::new("141981764")));
        assert!(token.may(scope::READ) && !token.may(scope::WRITE));
        let application = Token::read(br#"{"client_id":"a","scopes":null,"expires_in":5}"#);
        assert_eq!(application.unwrap().user, None);
        assert_eq!(Token::read(b"<html>"), None);
        assert_eq!(users(["a", "b"]).query, [("login", "a".to_owned()), ("login", "b".to_owned())]);
        let body = br#"{"data":[{"id":"141981764","login":"TwitchDev"},{"login":"x"},{"id":"2"}]}"#;
        assert_eq!(found(body), [("twitchdev".to_owned(), UserId::new("141981764"))]);
        assert_eq!(found(b""), []);
    }

    proptest! {
        #[test]
        fn any_answer_is_read(status: u16, body: Vec<u8>) {
            let _ = (Token::read(&body), found(&body), reason(&body));
            prop_assert!(!matches!(delivery(status, &body), Delivery::Sent(_)));
        }
    }
}
