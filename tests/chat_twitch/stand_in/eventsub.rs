//! EventSub over WebSocket: welcome, keepalive, notification, reconnect, and Twitch's close codes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::CloseFrame},
};

use super::{More, State, User, channel, now};

/// How long a client has for a reconnect (EventSub WebSockets, Reconnect message).
const GRACE: Duration = Duration::from_secs(30);

pub enum Frame {
    Text(String),
    /// Nothing is sent or read for a while.
    Stall(Duration),
    Close(u16),
    /// The socket breaks.
    Break,
}

pub struct Session {
    to: mpsc::Sender<Frame>,
    connected_at: String,
    /// The session that takes its place once that is connected.
    pub next: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Subscription {
    pub id: String,
    pub kind: String,
    pub condition: Value,
    pub session: String,
    pub status: &'static str,
    pub created_at: String,
    /// Whose it is: application and account.
    pub owner: (String, String),
}

impl Subscription {
    pub fn is_of(&self, session: &str) -> bool {
        self.session == session && self.status == "enabled"
    }

    pub fn json(&self) -> Value {
        json!({"id": self.id, "status": self.status, "type": self.kind, "version": "1", "condition": self.condition,
            "transport": {"method": "websocket", "session_id": self.session, "connected_at": self.created_at},
            "created_at": self.created_at, "cost": 0})
    }
}

fn metadata(state: &mut State, kind: &str) -> Value {
    json!({"message_id": state.uuid(), "message_type": kind, "message_timestamp": now()})
}

/// A session is there to be subscribed.
pub fn is_open(state: &State, session: &str) -> bool {
    state.sessions.contains_key(session)
}

pub fn notify(state: &mut State, kind: &str, event: &Value) {
    let is = |s: &&Subscription| {
        s.kind == kind
            && s.status == "enabled"
            && s.condition["broadcaster_user_id"] == event["broadcaster_user_id"]
    };
    let all: Vec<Subscription> = state.subscriptions.iter().filter(is).cloned().collect();
    for subscription in all {
        let mut metadata = metadata(state, "notification");
        metadata["subscription_type"] = json!(kind);
        metadata["subscription_version"] = json!("1");
        let payload = json!({"subscription": subscription.json(), "event": event});
        let frame = json!({"metadata": metadata, "payload": payload}).to_string();
        if let Some(session) = state.sessions.get(&subscription.session) {
            // At least once: sometimes it comes twice.
            for _ in 0..=usize::from(state.next.is_multiple_of(3)) {
                let _ = session.to.try_send(Frame::Text(frame.clone()));
            }
        }
    }
}

pub fn reconnect(state: &mut State) {
    let ids: Vec<String> = state.sessions.keys().cloned().collect();
    for id in ids {
        let next = format!("session-{}", state.number());
        let url = format!("ws://127.0.0.1:{}/ws?challenge=c1&id={next}", state.port);
        let metadata = metadata(state, "session_reconnect");
        let Some(session) = state.sessions.get_mut(&id) else { continue };
        session.next = Some(next);
        let session_json = json!({"id": id, "status": "reconnecting", "keepalive_timeout_seconds": null,
            "reconnect_url": url, "connected_at": session.connected_at});
        let frame = json!({"metadata": metadata, "payload": {"session": session_json}});
        let _ = session.to.try_send(Frame::Text(frame.to_string()));
    }
}

pub fn cut(state: &mut State) {
    for session in state.sessions.values() {
        let _ = session.to.try_send(Frame::Break);
    }
}

pub fn close(state: &mut State, code: u16) {
    for session in state.sessions.values() {
        let _ = session.to.try_send(Frame::Close(code));
    }
}

/// Enters a session, with those subscriptions that it inherits; its identifier.
fn enter(
    state: &Arc<Mutex<State>>,
    asked: Option<&str>,
) -> Result<(String, mpsc::Receiver<Frame>), u16> {
    let mut state = state.lock().unwrap();
    let state = &mut *state;
    let (to, frames) = channel();
    let session = Session { to, connected_at: now(), next: None };
    let Some(id) = asked else {
        let id = format!("session-{}", state.number());
        state.sessions.insert(id.clone(), session);
        return Ok((id, frames));
    };
    let is_next = |old: &Session| old.next.as_deref() == Some(id);
    let old = state.sessions.iter().find(|(_, old)| is_next(old)).map(|(id, _)| id.clone());
    // Only an address that was given leads to a session.
    let Some(old) = old else { return Err(4007) };
    if let Some((author, text)) = state.in_flight.take() {
        // Sent before the welcome, and slow on its way.
        let before = &state.sessions[&old];
        let _ = before.to.try_send(Frame::Stall(Duration::from_millis(300)));
        state.say("shop", &author, &text, &More::default());
    }
    for subscription in state.subscriptions.iter_mut().filter(|s| s.is_of(&old)) {
        id.clone_into(&mut subscription.session);
    }
    state.sessions.insert(id.to_owned(), session);
    Ok((id.to_owned(), frames))
}

pub async fn serve(mut socket: WebSocketStream<TcpStream>, query: &str, state: Arc<Mutex<State>>) {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let given = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let asked = given("keepalive_timeout_seconds").and_then(|n| n.parse::<u64>().ok());
    let seconds = state.lock().unwrap().keepalive;
    let seconds = seconds.unwrap_or(asked.unwrap_or(10).clamp(10, 600));
    let (id, mut frames) = match enter(&state, given("id")) {
        Ok(entered) => entered,
        Err(code) => {
            let _ = socket.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await;
            return;
        }
    };
    let welcome = {
        let mut state = state.lock().unwrap();
        let metadata = metadata(&mut state, "session_welcome");
        let session = json!({"id": id, "status": "connected", "connected_at": now(),
            "keepalive_timeout_seconds": seconds, "reconnect_url": null, "recovery_url": null});
        json!({"metadata": metadata, "payload": {"session": session}}).to_string()
    };
    let mut left = socket.send(Message::text(welcome)).await.err().map(|_| 0);
    let begun = Instant::now();
    let mut spoke = begun;
    while left.is_none() {
        let beat = spoke + Duration::from_secs(seconds);
        let unused = begun + Duration::from_secs(seconds);
        let is_used = state.lock().unwrap().subscriptions.iter().any(|s| s.session == id)
            || given("id").is_some();
        let replaced = state.lock().unwrap().sessions.get(&id).is_some_and(|s| s.next.is_some());
        left = tokio::select! {
            // What is on its way comes before the answer to a close.
            biased;
            frame = frames.recv() => match frame {
                Some(Frame::Text(text)) => {
                    spoke = Instant::now();
                    socket.send(Message::text(text)).await.err().map(|_| 0)
                }
                Some(Frame::Stall(time)) => {
                    sleep(time).await;
                    None
                }
                Some(Frame::Close(code)) => Some(code),
                Some(Frame::Break) | None => Some(0),
            },
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    state.lock().unwrap().wrong.push(text.to_string());
                    Some(4001)
                }
                Some(Ok(_)) => None,
                _ => Some(0),
            },
            () = sleep_until(beat) => {
                spoke = Instant::now();
                let frame = {
                    let mut state = state.lock().unwrap();
                    let metadata = metadata(&mut state, "session_keepalive");
                    (!state.silent).then(|| json!({"metadata": metadata, "payload": {}}).to_string())
                };
                match frame {
                    Some(frame) => socket.send(Message::text(frame)).await.err().map(|_| 0),
                    None => None,
                }
            }
            () = sleep_until(unused), if !is_used => Some(4003),
            () = sleep_until(begun + GRACE), if replaced => Some(4004),
        };
    }
    {
        let mut state = state.lock().unwrap();
        state.sessions.remove(&id);
        if !state.leaves_dead {
            for subscription in state.subscriptions.iter_mut().filter(|s| s.session == id) {
                subscription.status = "websocket_disconnected";
            }
        }
    }
    if let Some(code @ 1..) = left {
        let _ = socket.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await;
        // Until the other side has answered.
        while let Some(Ok(_)) = socket.next().await {}
    }
}

fn of_user(channel: &User, user: &User, id: &str, badges: &[(&str, &str, &str)]) -> Value {
    let badges: Vec<Value> = badges
        .iter()
        .map(|(set, version, info)| json!({"set_id": set, "id": version, "info": info}))
        .collect();
    json!({"broadcaster_user_id": channel.id, "broadcaster_user_login": channel.login, "broadcaster_user_name": channel.name,
        "chatter_user_id": user.id, "chatter_user_login": user.login, "chatter_user_name": user.name,
        "message_id": id, "color": "#0000FF", "badges": badges,
        "source_broadcaster_user_id": null, "source_broadcaster_user_login": null, "source_broadcaster_user_name": null,
        "source_message_id": null, "source_badges": null})
}

fn part(kind: &str, text: &str, emote: Value) -> Value {
    json!({"type": kind, "text": text, "cheermote": null, "emote": emote, "mention": null})
}

pub fn message(
    channel: &User,
    author: &User,
    id: &str,
    text: &str,
    more: &More<'_>,
    parent: Option<&(String, User, String)>,
) -> Value {
    let mut event = of_user(channel, author, id, more.badges);
    let mut parts = Vec::new();
    match more.emote {
        Some((emote, word)) => {
            let (before, after) = text.split_once(word).unwrap();
            let about =
                json!({"id": emote, "emote_set_id": "0", "owner_id": "0", "format": ["static"]});
            parts.push(part("text", before, Value::Null));
            parts.push(part("emote", word, about));
            parts.push(part("text", after, Value::Null));
            parts.retain(|part| part["text"] != "");
        }
        None => parts.push(part("text", text, Value::Null)),
    }
    event["message"] = json!({"text": text, "fragments": parts});
    event["message_type"] = json!("text");
    event["cheer"] = more.bits.map_or(Value::Null, |bits| json!({"bits": bits}));
    event["channel_points_custom_reward_id"] = Value::Null;
    event["channel_points_animation_id"] = Value::Null;
    event["is_source_only"] = Value::Null;
    event["reply"] = parent.map_or(Value::Null, |(id, user, text)| {
        json!({"parent_message_id": id, "parent_message_body": text, "parent_user_id": user.id,
            "parent_user_login": user.login, "parent_user_name": user.name, "thread_message_id": id,
            "thread_user_id": user.id, "thread_user_login": user.login, "thread_user_name": user.name})
    });
    event
}

pub fn resub(channel: &User, user: &User, id: &str, said: &str, text: &str) -> Value {
    let mut event = of_user(channel, user, id, &[]);
    event["chatter_is_anonymous"] = json!(false);
    event["system_message"] = json!(said);
    event["message"] = json!({"text": text, "fragments": [part("text", text, Value::Null)]});
    event["notice_type"] = json!("resub");
    event["resub"] = json!({"cumulative_months": 3, "duration_months": 1, "streak_months": null, "sub_tier": "1000",
        "is_prime": false, "is_gift": false, "gifter_is_anonymous": null, "gifter_user_id": null,
        "gifter_user_name": null, "gifter_user_login": null});
    event
}
