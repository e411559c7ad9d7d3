//! Requests to the YouTube API. The host, and the key or token, are the adapter's.

use std::time::Duration;

use serde_json::{Value, json};

use super::item::{self, Fault};
use crate::chat::{
    MessageId, UserId, json,
    request::{Method, Refusal, Request, given, one_line},
    response::Response,
    send::Answer,
};

/// Longest text of a message, in characters (R: the limit of the web page; the description file states none).
const MOST_TEXT: usize = 200;
/// Longest time-out that is asked for, in seconds: a day, as the web page offers.
const MOST_TIMEOUT: u64 = 86_400;

const MESSAGES: &str = "/youtube/v3/liveChat/messages";
const BANS: &str = "/youtube/v3/liveChat/bans";
/// The wait after `rateLimitExceeded`, which names none: as long as a minute's lines are counted (R).
const RATE_LIMIT: Duration = Duration::from_secs(10);

/// What an account's token must allow for writing and moderating (the reference of `liveChatMessages` and
/// `liveChatBans`; the wider `youtube` does, too). It also reads which channel the account is.
pub const SCOPE: &str = "https://www.googleapis.com/auth/youtube.force-ssl";

/// Asks which chat belongs to a video (1 unit).
pub fn video(id: &str) -> Request {
    Request::new(Method::Get, "/youtube/v3/videos")
        .with("part", "liveStreamingDetails")
        .with("id", id)
}

/// Asks which channel the account is (1 unit): the one that hawker writes as.
pub fn own_channel() -> Request {
    Request::new(Method::Get, "/youtube/v3/channels").with("part", "id").with("mine", "true")
}

/// The channel in an answer to [`own_channel`].
pub fn channel_id(body: &[u8]) -> Option<UserId> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    json::text(answer.get("items")?.get(0)?, &["id"]).map(UserId::new)
}

/// Asks for the account's running broadcasts and their chats (1 unit).
pub fn active_broadcasts() -> Request {
    Request::new(Method::Get, "/youtube/v3/liveBroadcasts")
        .with("part", "snippet,status")
        .with("broadcastStatus", "active")
}

/// The chat in an answer to [`video`] or [`active_broadcasts`].
pub fn chat_id(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    answer.get("items")?.as_array()?.iter().find_map(|item| {
        let details = json::any(item, &["liveStreamingDetails"])
            .and_then(|details| json::text(details, &["activeLiveChatId"]));
        let snippet = json::any(item, &["snippet"]);
        details.or_else(|| json::text(snippet?, &["liveChatId"])).map(str::to_owned)
    })
}

/// Reads a chat, by the stream or once.
pub fn read(chat: &str, stream: bool, token: Option<&str>) -> Request {
    let path = if stream {
        "/youtube/v3/liveChat/messages/stream"
    } else {
        "/youtube/v3/liveChat/messages"
    };
    let request = Request::new(Method::Get, path)
        .with("liveChatId", chat)
        .with("part", "id,snippet,authorDetails")
        // The largest page there is: fewer pages, so fewer calls.
        .with("maxResults", "2000");
    match token {
        Some(token) => request.with("pageToken", token),
        None => request,
    }
}

/// Writes a message. Returns how many bytes of the text fit.
pub fn send(chat: &str, text: &str) -> Result<(Request, usize), Refusal> {
    let (line, kept) = one_line(text, MOST_TEXT)?;
    let body = json!({"snippet": {
        "liveChatId": chat,
        "type": "textMessageEvent",
        "textMessageDetails": {"messageText": line},
    }});
    Ok((Request::new(Method::Post, MESSAGES).with("part", "snippet").json(body), kept))
}

/// Deletes a message.
pub fn delete(id: &MessageId) -> Result<Request, Refusal> {
    Ok(Request::new(Method::Delete, MESSAGES).with("id", given(id.as_str())?))
}

/// Times a user out, or bans where `duration` is absent. The answer's identifier undoes it: [`created`].
pub fn ban(chat: &str, user: &UserId, duration: Option<Duration>) -> Result<Request, Refusal> {
    let mut snippet = json!({
        "liveChatId": chat,
        "type": if duration.is_some() { "temporary" } else { "permanent" },
        "bannedUserDetails": {"channelId": given(user.as_str())?},
    });
    if let (Some(duration), Some(fields)) = (duration, snippet.as_object_mut()) {
        // A 64-bit number is a string.
        let seconds = duration.as_secs().clamp(1, MOST_TIMEOUT).to_string();
        fields.insert("banDurationSeconds".to_owned(), json!(seconds));
    }
    let request = Request::new(Method::Post, BANS).with("part", "snippet");
    Ok(request.json(json!({"snippet": snippet})))
}

/// Ends a time-out or ban by the identifier that was given for it.
pub fn unban(ban: &str) -> Result<Request, Refusal> {
    Ok(Request::new(Method::Delete, BANS).with("id", given(ban)?))
}

/// The identifier of what a request has created: a message or a ban.
pub fn created(body: &[u8]) -> Option<MessageId> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    json::text(&answer, &["id"]).map(MessageId::new)
}

/// Why a request that writes was refused; `None` where it was not.
pub fn fault(response: &Response) -> Option<Fault> {
    let body = response.json();
    let error = json::any(&body, &["error"]);
    (!response.is_success() || error.is_some())
        .then(|| item::fault(response.status, error.unwrap_or(&Value::Null)))
}

/// What the answer to a request that writes means. Where something was created, it has an identifier: [`created`].
pub fn answer(response: &Response) -> Answer {
    match fault(response) {
        None => Answer::Taken(created(&response.body)),
        Some(Fault::RateLimited) => response.later(RATE_LIMIT),
        Some(_) => {
            let body = response.json();
            let error = json::any(&body, &["error"]).unwrap_or(&Value::Null);
            response.refused(item::reason(error), json::text(error, &["message"]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{response::dropped, send::Failure};

    #[test]
    fn what_is_answered_to_a_write_is_told_apart() {
        let of = |status, reason: &str| {
            let body = json!({"error": {"code": status, "message": "words", "errors": [{"message": "words", "domain": "youtube.liveChat", "reason": reason}]}});
            answer(&Response { status, body: body.to_string().into_bytes(), after: None })
        };
        assert_eq!(of(403, "rateLimitExceeded"), Answer::Later(RATE_LIMIT));
        for (status, reason) in [
            (403, "quotaExceeded"),
            (403, "liveChatEnded"),
            (400, "messageTextInvalid"),
            (401, "authError"),
            (404, "liveChatBanNotFound"),
        ] {
            assert_eq!(of(status, reason), dropped(reason, "words"));
        }
        let plain = |status, body: &str| {
            answer(&Response { status, body: body.as_bytes().to_vec(), after: None })
        };
        assert_eq!(plain(200, r#"{"id":"m"}"#), Answer::Taken(Some(MessageId::new("m"))));
        assert_eq!(plain(204, ""), Answer::Taken(None));
        assert_eq!(plain(0, ""), Answer::Failed(Failure::Network));
        assert_eq!(plain(403, "<html>"), Answer::Failed(Failure::NotAllowed));
        let own = br#"{"kind":"youtube#channelListResponse","items":[{"id":"UC1"}]}"#;
        assert_eq!((channel_id(own), channel_id(b"{}")), (Some(UserId::new("UC1")), None));
    }

    #[test]
    fn requests_have_the_documented_form() {
        let request = read("c1", true, Some("T2"));
        assert_eq!(request.path, "/youtube/v3/liveChat/messages/stream");
        let query: Vec<_> = request.query.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            query,
            ["liveChatId=c1", "part=id,snippet,authorDetails", "maxResults=2000", "pageToken=T2"]
        );
        let (request, _) = send("c1", "hai\r\nSP1").unwrap();
        assert_eq!(
            request.body.unwrap(),
            json!({"snippet": {"liveChatId": "c1", "type": "textMessageEvent", "textMessageDetails": {"messageText": "hai  SP1"}}})
        );
        let request = ban("c1", &UserId::new("u1"), Some(Duration::from_mins(5))).unwrap();
        assert_eq!(request.body.unwrap()["snippet"]["banDurationSeconds"], json!("300"));
        assert_eq!(
            ban("c1", &UserId::new("u1"), None).unwrap().body.unwrap()["snippet"]["type"],
            json!("permanent")
        );
        assert_eq!(
            (delete(&MessageId::new("")), unban("")),
            (Err(Refusal::NoId), Err(Refusal::NoId))
        );
    }

    #[test]
    fn the_chat_is_found_in_both_answers() {
        let video = br#"{"kind":"youtube#videoListResponse","items":[{"id":"v","liveStreamingDetails":{"actualStartTime":"2026-01-01T00:00:00Z","activeLiveChatId":"Cg0"}}]}"#;
        let broadcasts = br#"{"items":[{"id":"b","snippet":{"title":"t"}},{"id":"b2","snippet":{"liveChatId":"Cg1"}}]}"#;
        assert_eq!(
            (chat_id(video).as_deref(), chat_id(broadcasts).as_deref()),
            (Some("Cg0"), Some("Cg1"))
        );
        for none in [&b""[..], b"[]", b"{}", br#"{"items":[{"id":"v","liveStreamingDetails":{}}]}"#]
        {
            assert_eq!(chat_id(none), None);
        }
    }
}
