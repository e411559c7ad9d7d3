//! A stand-in of YouTube's API: a video with a chat that is streamed, polled, written to and moderated. Its page tokens
//! resume. It can be cut off and come back at the same port.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::server::Server;

pub const CHAT: &str = "Cg0KC3ZpZGVv";
pub const OWN: &str = "UCown";

/// A request and what was answered: nothing where the body is empty.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub body: Value,
    pub status: u16,
    /// One a page of the stream.
    pub answers: Vec<Value>,
}

struct State {
    items: watch::Sender<Vec<Value>>,
    calls: Mutex<Vec<Call>>,
    /// Refuses the next call: status and reason.
    refuses: Mutex<Option<(u16, &'static str)>>,
    /// The stream is not offered.
    polled: bool,
}

pub struct Youtube {
    state: Arc<State>,
    pub server: Server,
}

impl Youtube {
    /// With these items in its chat.
    pub fn with(items: Vec<Value>, polled: bool) -> Self {
        let (items, _) = watch::channel(items);
        let state = State { items, calls: Mutex::default(), refuses: Mutex::default(), polled };
        let state = Arc::new(state);
        let ours = Arc::clone(&state);
        let router = Router::new().fallback(move |request| answer(Arc::clone(&ours), request));
        Self { state, server: Server::of(router) }
    }

    pub fn say(&self, item: Value) {
        self.state.items.send_modify(|items| items.push(item));
    }

    pub fn refuse(&self, status: u16, reason: &'static str) {
        *self.state.refuses.lock().unwrap() = Some((status, reason));
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().unwrap().clone()
    }
}

/// A text message.
pub fn text(id: &str, text: &str) -> Value {
    let details = json!({"messageText": text});
    item(id, "textMessageEvent", text, Some(("textMessageDetails", details)))
}

/// An item of a type, with its details.
pub fn item(id: &str, kind: &str, shown: &str, details: Option<(&str, Value)>) -> Value {
    let mut snippet = json!({"type": kind, "liveChatId": CHAT, "authorChannelId": "UC1", "publishedAt": "2026-01-01T00:00:00.5+00:00", "hasDisplayContent": true, "displayMessage": shown});
    if let Some((key, details)) = details {
        snippet[key] = details;
    }
    json!({"kind": "youtube#liveChatMessage", "etag": "e", "id": id, "snippet": snippet,
        "authorDetails": {"channelId": "UC1", "channelUrl": "http://www.youtube.com/channel/UC1", "displayName": "Lan", "profileImageUrl": "https://yt3.ggpht.com/a", "isVerified": false, "isChatOwner": false, "isChatSponsor": true, "isChatModerator": false}})
}

/// One of each type that the description has, but `invalidType`, and the end of the chat last.
pub fn each_type() -> Vec<Value> {
    let sum = |key: &str, more: Value| {
        let mut sum =
            json!({"amountMicros": "1990000", "currency": "USD", "amountDisplayString": "$1.99"});
        for (key, value) in more.as_object().unwrap() {
            sum[key] = value.clone();
        }
        Some((key.to_owned(), sum))
    };
    let with = |key: &str, details: Value| Some((key.to_owned(), details));
    let sticker = json!({"stickerId": "s", "altText": "pear", "altTextLanguage": "en"});
    let poll = json!({"questionText": "red or blue?", "options": [{"optionText": "red", "tally": "3"}, {"optionText": "blue", "tally": "0"}]});
    let who = json!({"channelId": "UC9", "channelUrl": "http://www.youtube.com/channel/UC9", "displayName": "Eve", "profileImageUrl": "https://yt3.ggpht.com/e"});
    let silent = |id: &str, kind: &str| json!({"kind": "youtube#liveChatMessage", "etag": "e", "id": id, "snippet": {"type": kind, "liveChatId": CHAT, "publishedAt": "2026-01-01T00:00:00Z", "hasDisplayContent": false}});
    let mut all: Vec<Value> = [
        ("textMessageEvent", with("textMessageDetails", json!({"messageText": "SP1 2"}))),
        ("fanFundingEvent", sum("fanFundingEventDetails", json!({"userComment": "old"}))),
        ("superChatEvent", sum("superChatDetails", json!({"tier": 1, "userComment": "hi"}))),
        (
            "superStickerEvent",
            sum("superStickerDetails", json!({"tier": 2, "superStickerMetadata": sticker})),
        ),
        ("sponsorOnlyModeStartedEvent", None),
        ("sponsorOnlyModeEndedEvent", None),
        ("newSponsorEvent", with("newSponsorDetails", json!({"memberLevelName": "a", "isUpgrade": false}))),
        (
            "memberMilestoneChatEvent",
            with("memberMilestoneChatDetails", json!({"memberLevelName": "a", "memberMonth": 9, "userComment": "9 months"})),
        ),
        (
            "membershipGiftingEvent",
            with("membershipGiftingDetails", json!({"giftMembershipsCount": 5, "giftMembershipsLevelName": "a"})),
        ),
        (
            "giftMembershipReceivedEvent",
            with("giftMembershipReceivedDetails", json!({"memberLevelName": "a", "gifterChannelId": "UC1", "associatedMembershipGiftingMessageId": "i8"})),
        ),
        (
            "giftEvent",
            with("giftDetails", json!({"giftName": "rose", "giftUrl": "https://a.example/rose", "jewelsAmount": 10, "comboCount": 1, "hasVisualEffect": true, "giftDuration": "3.5s", "altText": "a rose", "language": "en"})),
        ),
        ("pollEvent", with("pollDetails", json!({"status": "active", "metadata": poll}))),
        (
            "userBannedEvent",
            with("userBannedDetails", json!({"banType": "temporary", "banDurationSeconds": "300", "bannedUserDetails": who})),
        ),
        ("messageDeletedEvent", with("messageDeletedDetails", json!({"deletedMessageId": "i0"}))),
        (
            "messageRetractedEvent",
            with("messageRetractedDetails", json!({"retractedMessageId": "i1"})),
        ),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, (kind, details))| {
        let details = details.as_ref().map(|(key, details)| (key.as_str(), details.clone()));
        item(&format!("i{n}"), kind, "shown", details)
    })
    .collect();
    all.extend([silent("i2", "tombstone"), silent("end", "chatEndedEvent")]);
    all
}

fn page(items: &[Value], next: usize) -> Value {
    json!({"kind": "youtube#liveChatMessageListResponse", "etag": "e", "pollingIntervalMillis": 1000, "nextPageToken": format!("T{next}"),
        "pageInfo": {"totalResults": items.len(), "resultsPerPage": items.len()}, "items": items})
}

async fn answer(state: Arc<State>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let query: BTreeMap<String, String> = url::form_urlencoded::parse(query).into_owned().collect();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
    let key = head.headers.get("x-goog-api-key").is_some_and(|key| key == "api-key-of-ours");
    let token = head.headers.get("authorization").is_some_and(|t| t == "Bearer ya29-of-ours");
    let refuses = state.refuses.lock().unwrap().take();
    let from = query.get("pageToken").map(|token| token.trim_start_matches('T').parse::<usize>());
    let (status, answer) = match (refuses, method.as_str(), path.as_str()) {
        (Some((status, reason)), ..) => (status, error(status, reason)),
        _ if !(key || token) => (403, error(403, "forbidden")),
        _ if !token && (method != "GET" || path.ends_with("/channels")) => {
            (401, error(401, "authError"))
        }
        (_, "GET", "/youtube/v3/videos") => {
            let details = json!({"actualStartTime": "2026-01-01T00:00:00Z", "scheduledStartTime": "2026-01-01T00:00:00Z", "concurrentViewers": "12", "activeLiveChatId": CHAT});
            let video = json!({"kind": "youtube#video", "etag": "e", "id": query["id"], "liveStreamingDetails": details});
            (200, list("youtube#videoListResponse", video))
        }
        (_, "GET", "/youtube/v3/channels") => {
            let channel = json!({"kind": "youtube#channel", "etag": "e", "id": OWN});
            (200, list("youtube#channelListResponse", channel))
        }
        (_, "GET", _) if from.as_ref().is_some_and(Result::is_err) => {
            (400, error(400, "pageTokenInvalid"))
        }
        (_, "GET", "/youtube/v3/liveChat/messages/stream") if !state.polled => {
            let call = Call { method, path, query, body, status: 200, answers: Vec::new() };
            let number = {
                let mut calls = state.calls.lock().unwrap();
                calls.push(call);
                calls.len() - 1
            };
            return streamed(state, number, from.map(Result::unwrap));
        }
        (_, "GET", "/youtube/v3/liveChat/messages") => {
            let items = state.items.borrow().clone();
            let from = from.map_or(0, Result::unwrap).min(items.len());
            (200, page(&items[from..], items.len()))
        }
        (_, "POST", "/youtube/v3/liveChat/messages") => {
            let said = body["snippet"]["textMessageDetails"]["messageText"].as_str().unwrap();
            let id = format!("own-{}", state.items.borrow().len());
            let mut said = text(&id, said);
            said["snippet"]["authorChannelId"] = json!(OWN);
            said["authorDetails"]["channelId"] = json!(OWN);
            state.items.send_modify(|items| items.push(said.clone()));
            said.as_object_mut().unwrap().remove("authorDetails");
            (200, said)
        }
        (_, "POST", "/youtube/v3/liveChat/bans") => {
            let snippet = body["snippet"].clone();
            (
                200,
                json!({"kind": "youtube#liveChatBan", "etag": "e", "id": "ban-1", "snippet": snippet}),
            )
        }
        (_, "DELETE", "/youtube/v3/liveChat/messages" | "/youtube/v3/liveChat/bans") => {
            (204, Value::Null)
        }
        _ => (404, error(404, "notFound")),
    };
    let answers = if answer.is_null() { Vec::new() } else { vec![answer.clone()] };
    state.calls.lock().unwrap().push(Call { method, path, query, body, status, answers });
    let status = StatusCode::from_u16(status).unwrap();
    if answer.is_null() {
        status.into_response()
    } else {
        (status, axum::Json(answer)).into_response()
    }
}

fn list(kind: &str, item: Value) -> Value {
    json!({"kind": kind, "etag": "e", "pageInfo": {"totalResults": 1, "resultsPerPage": 1}, "items": [item]})
}

/// The form of the API's errors; it is not in the description.
fn error(status: u16, reason: &str) -> Value {
    let one = json!({"message": reason, "domain": "youtube.liveChat", "reason": reason});
    json!({"error": {"code": status, "message": reason, "errors": [one]}})
}

/// A JSON array of pages that does not end, each cut in two. The first is backlog where no token was sent.
fn streamed(state: Arc<State>, number: usize, from: Option<usize>) -> Response {
    let items = state.items.subscribe();
    let begun = (state, items, from.unwrap_or(0), true);
    let pages = stream::unfold(begun, move |(state, mut items, at, first)| async move {
        let ready = items.wait_for(|items| first || items.len() > at).await.ok()?.clone();
        let page = page(&ready[at.min(ready.len())..], ready.len());
        state.calls.lock().unwrap()[number].answers.push(page.clone());
        let written = format!("{}{page}\r\n", if first { "[" } else { "," });
        let (one, two) = written.split_at(written.len() / 2);
        let parts = [Bytes::from(one.to_owned()), Bytes::from(two.to_owned())];
        Some((stream::iter(parts.map(Ok::<_, std::io::Error>)), (state, items, ready.len(), false)))
    });
    Response::new(Body::from_stream(futures::StreamExt::flatten(pages)))
}
