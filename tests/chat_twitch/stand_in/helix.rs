//! Helix and the validation of tokens: users, subscriptions of EventSub, messages and moderation. Paths are Twitch's own
//! (`/helix/…`, `/oauth2/…`) and those of Twitch's command line tool, which foreign clients know for tests (`/mock/…`,
//! `/auth/…`, `/eventsub/…`).

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Asked, Grant, More, State, eventsub, now};

/// Longest message, in characters (Send Chat Message).
const MOST_TEXT: usize = 500;

pub fn router(state: Arc<Mutex<State>>) -> Router {
    Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let answer = whole(&mut state.lock().unwrap(), &method, &uri, &headers, &body);
        async move { answer }
    })
}

type Answer = (u16, Value);

fn no(status: u16, message: &str) -> Answer {
    let error = StatusCode::from_u16(status).unwrap().canonical_reason();
    (status, json!({"error": error, "status": status, "message": message}))
}

fn whole(
    state: &mut State,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let path = ["/helix/", "/mock/", "/oauth2/", "/auth/", "/"]
        .into_iter()
        .find_map(|before| uri.path().strip_prefix(before))
        .unwrap_or_default();
    let asked = Asked {
        method: method.to_string(),
        path: path.to_owned(),
        query: query.into_owned().collect(),
        body: serde_json::from_slice(body).unwrap_or_default(),
    };
    state.asked.push(asked.clone());
    let fault = state.faults.iter().position(|f| f.method == asked.method && f.path == asked.path);
    // With every answer (Twitch API, rate limits); twurple waits for them.
    let reset = jiff::Timestamp::now().as_second() + 1;
    let mut more = vec![
        ("ratelimit-limit", "800".to_owned()),
        ("ratelimit-remaining", "799".to_owned()),
        ("ratelimit-reset", reset.to_string()),
    ];
    let (status, value) = match fault.and_then(|at| state.faults.remove(at)) {
        Some(fault) => {
            more = fault.headers;
            (fault.status, fault.body)
        }
        None => answer(state, &asked, headers),
    };
    let status = StatusCode::from_u16(status).unwrap();
    let mut response = match value {
        Value::Null => status.into_response(),
        value => (status, axum::Json(value)).into_response(),
    };
    for (name, value) in more {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn answer(state: &mut State, asked: &Asked, headers: &HeaderMap) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let given = header("authorization").and_then(|text| text.split_once(' '));
    let Some((scheme, token)) = given else { return no(401, "OAuth token is missing") };
    let grant = state.tokens.get(token).cloned();
    if asked.path == "validate" {
        return match grant {
            Some(grant) => validated(state, &grant),
            None => (401, json!({"status": 401, "message": "invalid access token"})),
        };
    }
    let Some(grant) = grant.filter(|_| scheme == "Bearer") else {
        return no(401, "Invalid OAuth token");
    };
    if header("client-id") != Some(&grant.client_id) {
        return no(401, "Client ID and OAuth token do not match");
    }
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "users") => users(state, asked, &grant),
        ("POST", "eventsub/subscriptions") => subscribe(state, asked, &grant),
        ("GET", "eventsub/subscriptions") => list(state, asked, &grant),
        ("DELETE", "eventsub/subscriptions") => unsubscribe(state, asked, &grant),
        ("POST", "chat/messages") => say(state, asked, &grant),
        ("DELETE", "moderation/chat") => delete(state, asked, &grant),
        ("POST" | "DELETE", "moderation/bans") => ban(state, asked, &grant),
        _ => no(404, "not found"),
    }
}

fn query<'a>(asked: &'a Asked, name: &str) -> &'a str {
    asked.query.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
}

fn validated(state: &State, grant: &Grant) -> Answer {
    let mut answer =
        json!({"client_id": grant.client_id, "scopes": grant.scopes, "expires_in": 5_520_838});
    if let Some(user) = grant.user.as_deref().and_then(|id| state.by_id(id)) {
        answer["login"] = json!(user.login);
        answer["user_id"] = json!(user.id);
    }
    (200, answer)
}

fn users(state: &State, asked: &Asked, grant: &Grant) -> Answer {
    let named = |user: &super::User| {
        asked.query.iter().any(|(name, value)| match name.as_str() {
            "login" => user.login == *value,
            "id" => user.id == *value,
            _ => false,
        })
    };
    let own = |user: &super::User| Some(&user.id) == grant.user.as_ref();
    let all = state
        .users
        .iter()
        .filter(|user| if asked.query.is_empty() { own(user) } else { named(user) });
    let shown = all.map(|user| {
        json!({"id": user.id, "login": user.login, "display_name": user.name, "type": "", "broadcaster_type": "",
            "description": "", "profile_image_url": "", "offline_image_url": "", "view_count": 0,
            "created_at": "2016-12-14T20:32:28Z"})
    });
    (200, json!({"data": shown.collect::<Vec<_>>()}))
}

fn owner(grant: &Grant) -> (String, String) {
    (grant.client_id.clone(), grant.user.clone().unwrap_or_default())
}

fn subscribe(state: &mut State, asked: &Asked, grant: &Grant) -> Answer {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, condition) = (text(&asked.body["type"]), asked.body["condition"].clone());
    let transport = &asked.body["transport"];
    let session = text(&transport["session_id"]);
    if transport["method"] != "websocket" || asked.body["version"] != "1" {
        return no(400, "invalid transport or version");
    }
    if Some(text(&condition["user_id"])) != grant.user || !grant.scopes.contains(&"user:read:chat")
    {
        return no(403, "subscription missing proper authorization");
    }
    if !eventsub::is_open(state, &session) {
        return no(400, "websocket transport session does not exist or has already disconnected");
    }
    let owner = owner(grant);
    let same = |s: &eventsub::Subscription| {
        s.status == "enabled" && s.kind == kind && s.condition == condition && s.owner == owner
    };
    if state.subscriptions.iter().any(same) {
        return no(409, "subscription already exists");
    }
    let (id, created_at) = (state.uuid(), now());
    let made = eventsub::Subscription {
        id,
        kind,
        condition,
        session,
        status: "enabled",
        created_at,
        owner,
    };
    let shown = made.json();
    state.subscriptions.push(made);
    (202, json!({"data": [shown], "total": 1, "total_cost": 0, "max_total_cost": 10}))
}

fn list(state: &State, asked: &Asked, grant: &Grant) -> Answer {
    let is = |s: &&eventsub::Subscription| {
        let (kind, status) = (query(asked, "type"), query(asked, "status"));
        s.owner == owner(grant)
            && (kind.is_empty() || s.kind == kind)
            && (status.is_empty() || s.status == status)
    };
    let all: Vec<Value> =
        state.subscriptions.iter().filter(is).map(eventsub::Subscription::json).collect();
    let from = query(asked, "after").parse().unwrap_or(0);
    let page: Vec<&Value> = all.iter().skip(from).take(state.page).collect();
    let next = from + page.len();
    let pages = if next < all.len() { json!({"cursor": next.to_string()}) } else { json!({}) };
    (
        200,
        json!({"data": page, "total": all.len(), "total_cost": 0, "max_total_cost": 10, "pagination": pages}),
    )
}

fn unsubscribe(state: &mut State, asked: &Asked, grant: &Grant) -> Answer {
    let id = query(asked, "id");
    let before = state.subscriptions.len();
    state.subscriptions.retain(|s| s.id != id || s.owner != owner(grant));
    if state.subscriptions.len() == before {
        return no(404, "subscription not found");
    }
    (204, Value::Null)
}

fn say(state: &mut State, asked: &Asked, grant: &Grant) -> Answer {
    // Documented in the body; Twitch takes both identifiers from the query too, where twurple puts them.
    let text = |name: &str| asked.body[name].as_str().unwrap_or(query(asked, name)).to_owned();
    let (sender, message) = (text("sender_id"), text("message"));
    if !grant.scopes.contains(&"user:write:chat") || grant.user.as_ref() != Some(&sender) {
        return no(401, "Missing scope: user:write:chat");
    }
    let Some(channel) = state.by_id(&text("broadcaster_id")) else {
        return no(400, "The broadcaster_id is not valid");
    };
    if message.is_empty() {
        return no(400, "The message query parameter is required.");
    }
    if message.chars().count() > MOST_TEXT {
        return no(422, "The message is too large");
    }
    if state.banned.contains(&(channel.id.clone(), sender.clone())) {
        return no(
            403,
            "The sender is not permitted to send chat messages to the broadcaster's chat room.",
        );
    }
    let author = state.by_id(&sender).unwrap().login;
    let same = |said: &super::Said| {
        said.channel == channel.login && said.author.id == sender && said.text == message
    };
    let dropped = |code: &str, why: &str| {
        (
            200,
            json!({"data": [{"message_id": "", "is_sent": false, "drop_reason": {"code": code, "message": why}}]}),
        )
    };
    if state.said.iter().any(same) {
        let why = "Your message is identical to the one you sent within the last 30 seconds.";
        return dropped("msg_duplicate", why);
    }
    if message.contains("http") {
        return dropped("channel_settings", "Links are not allowed in this channel.");
    }
    let reply = text("reply_parent_message_id");
    let reply = (!reply.is_empty()).then_some(reply.as_str());
    let id = state.say(&channel.login, &author, &message, &More { reply, ..More::default() });
    (200, json!({"data": [{"message_id": id, "is_sent": true, "drop_reason": null}]}))
}

/// The moderator must be the token's account.
fn moderates(asked: &Asked, grant: &Grant, scope: &'static str) -> Result<(), Answer> {
    let own = grant.user.as_deref() == Some(query(asked, "moderator_id"));
    if own && grant.scopes.contains(&scope) {
        return Ok(());
    }
    Err(no(401, &format!("Missing scope: {scope}")))
}

fn delete(state: &mut State, asked: &Asked, grant: &Grant) -> Answer {
    if let Err(no) = moderates(asked, grant, "moderator:manage:chat_messages") {
        return no;
    }
    let Some(channel) = state.by_id(query(asked, "broadcaster_id")) else {
        return no(400, "The broadcaster_id is not valid");
    };
    let id = query(asked, "message_id");
    if id.is_empty() {
        // As documented.
        state.wrong.push("everything was deleted".to_owned());
        state.clear(&channel.login);
        return (204, Value::Null);
    }
    if !state.said.iter().any(|said| said.id == id && said.channel == channel.login) {
        return no(404, "The ID in message_id was not found.");
    }
    state.delete(id);
    (204, Value::Null)
}

fn ban(state: &mut State, asked: &Asked, grant: &Grant) -> Answer {
    if let Err(no) = moderates(asked, grant, "moderator:manage:banned_users") {
        return no;
    }
    let Some(channel) = state.by_id(query(asked, "broadcaster_id")) else {
        return no(400, "The broadcaster_id is not valid");
    };
    let data = &asked.body["data"];
    let lifts = asked.method == "DELETE";
    let id = if lifts { query(asked, "user_id") } else { data["user_id"].as_str().unwrap_or("") };
    let Some(user) = state.by_id(id) else { return no(400, "The user_id is not valid") };
    let key = (channel.id.clone(), user.id.clone());
    let is_banned = state.banned.contains(&key);
    if lifts {
        if !is_banned {
            return no(400, "The user specified in the user_id query parameter is not banned.");
        }
        state.banned.retain(|banned| *banned != key);
        return (204, Value::Null);
    }
    if user.id == channel.id {
        return no(400, "The user specified in the user_id field may not be banned.");
    }
    if is_banned {
        return no(400, "The user specified in the user_id field is already banned.");
    }
    let seconds = data["duration"].as_u64();
    if seconds.is_some_and(|n| !(1..=1_209_600).contains(&n)) {
        return no(400, "The duration must be between 1 and 1209600.");
    }
    state.ban(&channel.login, &user.login, seconds);
    let end = seconds.map(|n| jiff::Timestamp::now() + jiff::SignedDuration::from_secs(n as i64));
    let made = json!({"broadcaster_id": channel.id, "moderator_id": grant.user, "user_id": user.id,
        "created_at": now(), "end_time": end.map(|end| end.to_string())});
    (200, json!({"data": [made]}))
}
