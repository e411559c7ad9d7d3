//! The EventSub session over WebSocket, without I/O: it takes frames, answers of Helix and the time, and hands out what to open, to
//! request and to report.
//!
//! - On `session_reconnect` the old connection stays until the new one is welcomed, and nothing is subscribed again.
//! - After a lost connection everything is subscribed anew; a 409 means that a dead session still holds the
//!   subscription, which is then found and deleted first.
//! - Notifications come at least once; a second one with the same identifier is dropped.

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;

use super::{
    LinkId,
    event::{self, KINDS},
    helix::{self, Account},
};
use crate::{
    base::{Moment, Now, SourceId},
    chat::{MessageId, Text, Update, json, request::Request, seen::Seen},
};

/// Where a fresh session begins. `keepalive_timeout_seconds` may be 10 to 600.
pub const ADDRESS: &str = "wss://eventsub.wss.twitch.tv/ws?keepalive_timeout_seconds=10";
/// A welcome comes at once after the connection.
const WELCOME: Duration = Duration::from_secs(10);
/// What a welcome without a keepalive is taken for (the documented default, 10 s).
const KEEPALIVE: u64 = 10;
/// Added to the keepalive before the link is taken for dead: the way of one message.
const MARGIN: Duration = Duration::from_secs(3);
/// Tries of one subscription in one session. The server closes a session without subscriptions after 10 s.
const TRIES: u32 = 4;
/// Wait before a subscription is tried again after a 429 or 5xx; doubled each time: 1, 2, 4 s.
const AGAIN: Duration = Duration::from_secs(1);

/// A request whose answer the session wants by [`Session::answered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Create the subscription to this type.
    Subscribe(&'static str),
    /// List the subscriptions to this type, to find one that a dead session holds.
    List(&'static str),
    /// Delete a dead subscription to this type.
    Delete(&'static str),
}

/// What the session wants done or known, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Open a WebSocket under this name and keep the others. Without an address: [`ADDRESS`].
    Open(LinkId, Option<String>),
    /// Close a WebSocket.
    Close(LinkId),
    /// Send a request and give its answer to [`Session::answered`].
    Request(Ask, Request),
    /// A message, a removal.
    Update(Update),
    /// Messages are subscribed to.
    Live,
    /// This subscription could not be made, with the last status; messages are read without it.
    Without(&'static str, u16),
    /// No connection is left; begin again after a wait with [`Session::start`].
    Lost(Lost),
}

/// Why no connection is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// It was closed; 4000-4007 are Twitch's own codes.
    Closed(Option<u16>),
    /// No welcome in time.
    NotWelcomed,
    /// Nothing came within the keepalive time.
    Silent,
    /// Messages cannot be subscribed to, with the last status of HTTP.
    NotSubscribed(u16),
    /// The token is not valid any more, or lacks the scope (401, 403, or a revocation with this status).
    Unauthorized(Text),
}

impl Lost {
    /// Whether another try would end in the same way.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Unauthorized(_) | Self::NotSubscribed(400..=408 | 410..=428))
    }
}

/// Why a frame was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is not JSON, or too large.
    #[error("the frame is not JSON")]
    NotJson,
    /// It has no message type that is known, or lacks what that type needs.
    #[error("the frame lacks its type or what the type needs")]
    Unknown,
}

#[derive(Debug, Clone)]
struct Link {
    id: LinkId,
    begun: Moment,
    heard: Moment,
    /// After the welcome.
    keepalive: Option<Duration>,
    /// Opened by a `session_reconnect`: subscriptions come along.
    inherits: bool,
}

#[derive(Debug, Clone)]
struct Subscription {
    kind: &'static str,
    tries: u32,
    done: bool,
    again: Option<Moment>,
}

/// The state of one source.
#[derive(Debug, Clone)]
pub struct Session {
    source: SourceId,
    account: Account,
    links: Vec<Link>,
    next: u64,
    /// The identifier of the welcomed session.
    welcomed: Option<String>,
    subscriptions: Vec<Subscription>,
    notified: Seen<String>,
    shown: Seen<MessageId>,
    out: VecDeque<Output>,
}

impl Session {
    /// A session that is not connected.
    pub fn new(source: SourceId, account: Account) -> Self {
        Self {
            source,
            account,
            links: Vec::new(),
            next: 0,
            welcomed: None,
            subscriptions: Vec::new(),
            notified: Seen::default(),
            shown: Seen::default(),
            out: VecDeque::new(),
        }
    }

    /// The next thing to do; `None` when nothing is left.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When the last frame came on any connection.
    pub fn heard(&self) -> Option<Moment> {
        self.links.iter().map(|link| link.heard).max()
    }

    /// The keepalive time that the server has announced.
    pub fn keepalive(&self) -> Option<Duration> {
        self.links.iter().find_map(|link| link.keepalive)
    }

    /// Begins: a connection is asked for.
    pub fn start(&mut self, now: Now) {
        if self.links.is_empty() {
            self.open(now, None);
        }
    }

    /// A connection failed or is gone, with the code of the close frame.
    pub fn closed(&mut self, link: LinkId, code: Option<u16>) {
        self.drop_link(link, Lost::Closed(code));
    }

    /// A frame of any kind came (a ping too), so the link lives.
    pub fn alive(&mut self, now: Now, link: LinkId) {
        if let Some(link) = self.links.iter_mut().find(|known| known.id == link) {
            link.heard = now.mono;
        }
    }

    /// Takes one text frame.
    pub fn text(&mut self, now: Now, link: LinkId, frame: &[u8]) -> Result<(), Malformed> {
        let Some(at) = self.links.iter().position(|known| known.id == link) else { return Ok(()) };
        if frame.len() > json::MOST_JSON {
            return Err(Malformed::NotJson);
        }
        let frame: Value = serde_json::from_slice(frame).map_err(|_| Malformed::NotJson)?;
        let metadata = frame.get("metadata").ok_or(Malformed::Unknown)?;
        let payload = frame.get("payload").unwrap_or(&Value::Null);
        let state = self.links.get_mut(at).ok_or(Malformed::Unknown)?;
        state.heard = now.mono;
        match json::text(metadata, &["message_type"]).ok_or(Malformed::Unknown)? {
            "session_welcome" => self.welcomed(link, payload),
            "session_keepalive" => Ok(()),
            "session_reconnect" => self.reconnect(now, payload),
            "notification" => self.notification(now, metadata, payload),
            "revocation" => self.revoked(payload),
            _ => Err(Malformed::Unknown),
        }
    }

    /// Takes the answer to a request.
    pub fn answered(&mut self, now: Now, ask: &Ask, status: u16, body: &[u8]) {
        let Some(session) = self.welcomed.clone() else { return };
        let (Ask::Subscribe(kind) | Ask::List(kind) | Ask::Delete(kind)) = *ask;
        let Some(at) = self.subscriptions.iter().position(|s| s.kind == kind && !s.done) else {
            return;
        };
        match (ask, status) {
            (Ask::Subscribe(_), 200..300) => {
                if let Some(subscription) = self.subscriptions.get_mut(at) {
                    subscription.done = true;
                }
                if kind == KINDS[0] {
                    self.out.push_back(Output::Live);
                }
            }
            (Ask::Subscribe(_), 409) => self.request(Ask::List(kind), helix::subscriptions(kind)),
            (Ask::List(_), 200..300) => {
                let dead = self.dead(body, kind, &session);
                let found = !dead.is_empty();
                for id in dead {
                    if let Ok(request) = helix::unsubscribe(&id) {
                        self.request(Ask::Delete(kind), request);
                    }
                }
                if !found {
                    self.retry(now, at, status);
                }
            }
            // 404: somebody else has deleted it.
            (Ask::Delete(_), 200..300 | 404) => self.subscribe(at),
            (_, 401) => self.fail(Lost::Unauthorized(reason(body))),
            (_, 403) if kind == KINDS[0] => self.fail(Lost::Unauthorized(reason(body))),
            // Worth another try: too many requests, a fault of the server, or no answer (0).
            (_, 0 | 429 | 500..) => self.retry(now, at, status),
            _ => self.give_up(at, status),
        }
    }

    /// Time has passed. Call it at least every second.
    pub fn tick(&mut self, now: Now) {
        let dead: Vec<(LinkId, Lost)> = self
            .links
            .iter()
            .filter_map(|link| match link.keepalive {
                None if now.mono.since(link.begun) >= WELCOME => Some((link.id, Lost::NotWelcomed)),
                Some(most) if now.mono.since(link.heard) >= most + MARGIN => {
                    Some((link.id, Lost::Silent))
                }
                _ => None,
            })
            .collect();
        for (link, why) in dead {
            self.drop_link(link, why);
        }
        let due: Vec<usize> = (0..self.subscriptions.len())
            .filter(|at| {
                self.subscriptions
                    .get(*at)
                    .is_some_and(|s| s.again.is_some_and(|at| at <= now.mono))
            })
            .collect();
        for at in due {
            self.subscribe(at);
        }
    }

    fn open(&mut self, now: Now, address: Option<String>) {
        let id = LinkId(self.next);
        self.next += 1;
        let inherits = address.is_some();
        let link = Link { id, begun: now.mono, heard: now.mono, keepalive: None, inherits };
        self.links.push(link);
        self.out.push_back(Output::Open(id, address));
    }

    fn request(&mut self, ask: Ask, request: Request) {
        self.out.push_back(Output::Request(ask, request));
    }

    fn welcomed(&mut self, link: LinkId, payload: &Value) -> Result<(), Malformed> {
        let session = payload.get("session").ok_or(Malformed::Unknown)?;
        let id = json::text(session, &["id"]).ok_or(Malformed::Unknown)?.to_owned();
        let seconds = json::number(session, &["keepalive_timeout_seconds"]).unwrap_or(KEEPALIVE);
        let Some(state) = self.links.iter_mut().find(|known| known.id == link) else {
            return Ok(());
        };
        if state.keepalive.is_some() {
            return Ok(());
        }
        state.keepalive = Some(Duration::from_secs(seconds.clamp(1, 600)));
        let inherits = state.inherits;
        self.welcomed = Some(id);
        let old: Vec<LinkId> = self.links.iter().filter(|l| l.id != link).map(|l| l.id).collect();
        for old in old {
            self.links.retain(|known| known.id != old);
            self.out.push_back(Output::Close(old));
        }
        if !inherits {
            let fresh = |kind| Subscription { kind, tries: 0, done: false, again: None };
            self.subscriptions = KINDS.into_iter().map(fresh).collect();
            for at in 0..KINDS.len() {
                self.subscribe(at);
            }
        }
        Ok(())
    }

    fn reconnect(&mut self, now: Now, payload: &Value) -> Result<(), Malformed> {
        let session = payload.get("session").ok_or(Malformed::Unknown)?;
        let address = json::text(session, &["reconnect_url"]).ok_or(Malformed::Unknown)?;
        // Three sockets are allowed; a second announcement while the first is followed changes nothing. The address is used
        // as it is, but only where it leads to a WebSocket over TLS, or to this machine (a stand-in).
        let safe = address.starts_with("wss://") || is_loopback(address);
        if !safe {
            return Err(Malformed::Unknown);
        }
        if self.links.len() == 1 {
            self.open(now, Some(address.to_owned()));
        }
        Ok(())
    }

    fn notification(
        &mut self,
        now: Now,
        metadata: &Value,
        payload: &Value,
    ) -> Result<(), Malformed> {
        let id = json::text(metadata, &["message_id"]).ok_or(Malformed::Unknown)?;
        if !self.notified.insert(id.chars().take(200).collect()) {
            return Ok(());
        }
        let subscription = payload.get("subscription").unwrap_or(&Value::Null);
        let kind = json::text(metadata, &["subscription_type"])
            .or_else(|| json::text(subscription, &["type"]))
            .ok_or(Malformed::Unknown)?;
        let at = json::time(metadata, &["message_timestamp"]).unwrap_or(now.wall);
        let event = payload.get("event").ok_or(Malformed::Unknown)?;
        let own = Some(&self.account.user);
        let Some(update) = event::update(kind, event, &self.source, at, own) else {
            return if KINDS.contains(&kind) { Err(Malformed::Unknown) } else { Ok(()) };
        };
        if let Update::Message(message) = &update {
            let key = message.origin.as_ref().map_or(&message.id, |origin| &origin.id);
            if !self.shown.insert(key.clone()) {
                return Ok(());
            }
        }
        self.out.push_back(Output::Update(update));
        Ok(())
    }

    fn revoked(&mut self, payload: &Value) -> Result<(), Malformed> {
        let subscription = payload.get("subscription").ok_or(Malformed::Unknown)?;
        let kind = json::text(subscription, &["type"]).ok_or(Malformed::Unknown)?;
        let status = Text::name(json::text(subscription, &["status"]).unwrap_or_default());
        if kind == KINDS[0] {
            self.fail(Lost::Unauthorized(status));
        } else if let Some(kind) = KINDS.into_iter().find(|known| *known == kind) {
            self.out.push_back(Output::Without(kind, 0));
        }
        Ok(())
    }

    fn subscribe(&mut self, at: usize) {
        let (Some(subscription), Some(session)) = (self.subscriptions.get_mut(at), &self.welcomed)
        else {
            return;
        };
        subscription.again = None;
        subscription.tries += 1;
        let kind = subscription.kind;
        if subscription.tries > TRIES {
            return self.give_up(at, 409);
        }
        let request = self.account.subscribe(kind, session);
        self.request(Ask::Subscribe(kind), request);
    }

    fn retry(&mut self, now: Now, at: usize, status: u16) {
        let Some(subscription) = self.subscriptions.get_mut(at) else { return };
        if subscription.tries >= TRIES {
            return self.give_up(at, status);
        }
        let doubled = subscription.tries.saturating_sub(1).min(8);
        subscription.again = Some(now.mono + AGAIN * (1 << doubled));
    }

    fn give_up(&mut self, at: usize, status: u16) {
        let Some(subscription) = self.subscriptions.get_mut(at) else { return };
        (subscription.done, subscription.again) = (true, None);
        if subscription.kind == KINDS[0] {
            self.fail(Lost::NotSubscribed(status));
        } else {
            let kind = subscription.kind;
            self.out.push_back(Output::Without(kind, status));
        }
    }

    /// The identifiers of our subscriptions to this type that belong to another session.
    fn dead(&self, body: &[u8], kind: &str, session: &str) -> Vec<String> {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let entries = answer.get("data").and_then(Value::as_array);
        let ours = |entry: &&Value| {
            let condition = entry.get("condition").unwrap_or(&Value::Null);
            let transport = entry.get("transport").unwrap_or(&Value::Null);
            json::text(entry, &["type"]) == Some(kind)
                && json::id(condition, &["broadcaster_user_id"]).as_deref()
                    == Some(self.account.broadcaster.as_str())
                && json::id(condition, &["user_id"]).as_deref() == Some(self.account.user.as_str())
                && json::text(transport, &["method"]) == Some("websocket")
                && json::text(transport, &["session_id"]) != Some(session)
        };
        let ids = entries.into_iter().flatten().filter(ours);
        ids.filter_map(|entry| json::id(entry, &["id"])).take(8).collect()
    }

    fn fail(&mut self, why: Lost) {
        for link in std::mem::take(&mut self.links) {
            self.out.push_back(Output::Close(link.id));
        }
        self.ended(why);
    }

    fn drop_link(&mut self, link: LinkId, why: Lost) {
        let before = self.links.len();
        self.links.retain(|known| known.id != link);
        if self.links.len() == before {
            return;
        }
        self.out.push_back(Output::Close(link));
        if self.links.is_empty() {
            self.ended(why);
        }
    }

    fn ended(&mut self, why: Lost) {
        self.welcomed = None;
        self.subscriptions.clear();
        self.out.push_back(Output::Lost(why));
    }
}

fn reason(body: &[u8]) -> Text {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    Text::new(json::text(&answer, &["message", "error"]).unwrap_or_default())
}

fn is_loopback(address: &str) -> bool {
    let url = url::Url::parse(address).ok();
    url.is_some_and(|url| {
        url.scheme() == "ws" && matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
    })
}

#[cfg(test)]
mod tests;
