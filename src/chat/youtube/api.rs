//! Requests to the YouTube API. The host, and the key or token, are the adapter's.

use std::time::Duration;

use serde_json::{Value, json};

use crate::chat::{
    MessageId, UserId, json,
    request::{Method, Refusal, Request, given, one_line},
};

/// Longest text of a message, in characters (R: the limit of the web page; the description file states none).
const MOST_TEXT: usize = 200;
/// Longest time-out that is asked for, in seconds: a day, as the web page offers.
const MOST_TIMEOUT: u64 = 86_400;

const MESSAGES: &str = "/youtube/v3/liveChat/messages";
const BANS: &str = "/youtube/v3/liveChat/bans";

/// Asks which chat belongs to a video (1 unit).
pub fn video(id: &str) -> Request {
    Request::new(Method::Get, "/youtube/v3/videos")
        .with("part", "liveStreamingDetails")
        .with("id", id)
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

#[cfg(test)]
mod tests {
    use super::*;

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
