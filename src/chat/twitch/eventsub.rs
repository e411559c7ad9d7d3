//! The EventSub session over WebSocket, without I/O: it takes frames, answers of Helix and the time, and hands out what to open, to
//! request and to report.
//!
//! - Several channels are read in one session: a session may have 300 subscriptions, and each channel needs five.
//! - On `session_reconnect` the old connection stays until the new one is welcomed, and nothing is subscribed again. What
//!   is still on its way on the old one is read until that is closed.
//! - After a lost connection everything is subscribed anew; a 409 means that a dead session still holds the
//!   subscription, which is then found and deleted first.
//! - Notifications come at least once; a second one with the same identifier is dropped.

mod subscriptions;

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;

use super::{
    LinkId,
    event::{self, KINDS},
    helix::Account,
};
use crate::{
    base::{Moment, Now, SourceId},
    chat::{MessageId, Text, Update, json, request::Request, seen::Seen},
};
use subscriptions::{Step, Subscriptions};

pub use subscriptions::Topic;

/// Where a fresh session begins. `keepalive_timeout_seconds` may be 10 to 600.
pub const ADDRESS: &str = "wss://eventsub.wss.twitch.tv/ws?keepalive_timeout_seconds=10";
/// A welcome comes at once after the connection.
const WELCOME: Duration = Duration::from_secs(10);
/// What a welcome without a keepalive is taken for (the documented default, 10 s).
const KEEPALIVE: u64 = 10;
/// Added to the keepalive before the link is taken for dead: the way of one message.
const MARGIN: Duration = Duration::from_secs(3);
/// Wait before the address of a reconnect is tried again, while the old connection stands (30 s).
const RECONNECT: Duration = Duration::from_secs(1);
/// How long a connection that was replaced is still read: its closing handshake.
pub const LEAVE: Duration = Duration::from_secs(5);

/// A request whose answer the session wants by [`Session::answered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Create the subscription.
    Subscribe(Topic),
    /// List the subscriptions of this kind, to find one that a dead session holds.
    List(Topic),
    /// Delete a dead subscription.
    Delete(Topic),
}

/// What the session wants done or known, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Open a WebSocket under this name and keep the others. Without an address: [`ADDRESS`].
    Open(LinkId, Option<String>),
    /// Close a WebSocket: begin its closing handshake, and read to its end.
    Close(LinkId),
    /// Send a request and give its answer to [`Session::answered`].
    Request(Ask, Request),
    /// A message, a removal.
    Update(Update),
    /// The messages of every channel that can be read are subscribed to.
    Live,
    /// This subscription could not be made, with the last status of HTTP, or was revoked (0); the rest is read.
    Without(Topic, u16),
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
    /// The address of a `session_reconnect`: subscriptions come along.
    inherits: Option<String>,
    /// Replaced by another since then; what is on its way is still read.
    leaving: Option<Moment>,
}

/// The state of one source.
#[derive(Debug, Clone)]
pub struct Session {
    source: SourceId,
    accounts: Vec<Account>,
    links: Vec<Link>,
    next: u64,
    /// Of the welcomed session.
    subscriptions: Option<Subscriptions>,
    /// The address of a reconnect that has failed once, and when it is tried again.
    again: Option<(Moment, String)>,
    notified: Seen<String>,
    shown: Seen<MessageId>,
    out: VecDeque<Output>,
}

impl Session {
    /// A session that is not connected.
    pub fn new(source: SourceId) -> Self {
        Self {
            source,
            accounts: Vec::new(),
            links: Vec::new(),
            next: 0,
            subscriptions: None,
            again: None,
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
        self.standing().find_map(|link| link.keepalive)
    }

    /// Begins: a connection is asked for, to read these channels. What was read before is remembered.
    pub fn start(&mut self, now: Now, accounts: &[Account]) {
        if self.standing().next().is_none() {
            self.links.clear();
            self.accounts = accounts.to_vec();
            self.open(now, None);
        }
    }

    /// The connections that were not replaced.
    fn standing(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| link.leaving.is_none())
    }

    /// A connection failed or is gone, with the code of the close frame.
    pub fn closed(&mut self, now: Now, link: LinkId, code: Option<u16>) {
        self.drop_link(now, link, Lost::Closed(code));
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
            "session_welcome" => self.welcomed(now, link, payload),
            "session_keepalive" => Ok(()),
            "session_reconnect" => self.reconnect(now, payload),
            "notification" => self.notification(now, metadata, payload),
            "revocation" => self.revoked(payload),
            _ => Err(Malformed::Unknown),
        }
    }

    /// Takes the answer to a request.
    pub fn answered(&mut self, now: Now, ask: &Ask, status: u16, body: &[u8]) {
        if let Some(subscriptions) = &mut self.subscriptions {
            let steps = subscriptions.answered(now.mono, ask, status, body);
            self.take(steps);
        }
    }

    /// Time has passed. Call it at least every second.
    pub fn tick(&mut self, now: Now) {
        // Gone by now: who closes it does not wait longer.
        self.links.retain(|l| l.leaving.is_none_or(|since| now.mono.since(since) < LEAVE));
        let dead: Vec<(LinkId, Lost)> = self
            .standing()
            .filter_map(|link| match link.keepalive {
                None if now.mono.since(link.begun) >= WELCOME => Some((link.id, Lost::NotWelcomed)),
                Some(most) if now.mono.since(link.heard) >= most + MARGIN => {
                    Some((link.id, Lost::Silent))
                }
                _ => None,
            })
            .collect();
        for (link, why) in dead {
            self.drop_link(now, link, why);
        }
        if let Some((_, address)) = self.again.take_if(|(at, _)| *at <= now.mono) {
            self.open(now, Some(address));
        }
        if let Some(subscriptions) = &mut self.subscriptions {
            let steps = subscriptions.due(now.mono);
            self.take(steps);
        }
    }

    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Request(ask, request) => self.out.push_back(Output::Request(ask, request)),
                Step::Live => self.out.push_back(Output::Live),
                Step::Without(topic, status) => self.out.push_back(Output::Without(topic, status)),
                Step::Failed(why) => return self.fail(why),
            }
        }
    }

    fn open(&mut self, now: Now, address: Option<String>) {
        let id = LinkId(self.next);
        self.next += 1;
        let inherits = address.clone();
        let (begun, heard) = (now.mono, now.mono);
        self.links.push(Link { id, begun, heard, keepalive: None, inherits, leaving: None });
        self.out.push_back(Output::Open(id, address));
    }

    fn welcomed(&mut self, now: Now, link: LinkId, payload: &Value) -> Result<(), Malformed> {
        let session = payload.get("session").ok_or(Malformed::Unknown)?;
        let id = json::text(session, &["id"]).ok_or(Malformed::Unknown)?;
        let seconds = json::number(session, &["keepalive_timeout_seconds"]).unwrap_or(KEEPALIVE);
        let Some(state) = self.links.iter_mut().find(|known| known.id == link) else {
            return Ok(());
        };
        if state.keepalive.is_some() || state.leaving.is_some() {
            return Ok(());
        }
        state.keepalive = Some(Duration::from_secs(seconds.clamp(1, 600)));
        let inherits = state.inherits.is_some();
        for old in self.links.iter_mut().filter(|old| old.id != link && old.leaving.is_none()) {
            old.leaving = Some(now.mono);
            self.out.push_back(Output::Close(old.id));
        }
        match &mut self.subscriptions {
            Some(subscriptions) if inherits => subscriptions.moved(id),
            _ => {
                let (subscriptions, steps) = Subscriptions::begin(&self.accounts, id);
                self.subscriptions = Some(subscriptions);
                self.take(steps);
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
        if self.standing().count() == 1 && self.again.is_none() {
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
        // In shared chat a copy of what is read where it was written.
        let elsewhere = json::id(event, &["source_broadcaster_user_id"])
            .filter(|other| json::id(event, &["broadcaster_user_id"]).as_ref() != Some(other));
        if let (Some(other), Some(subscriptions)) = (elsewhere, &self.subscriptions)
            && subscriptions.reads(&other)
        {
            return Ok(());
        }
        let own = self.accounts.first().map(|account| &account.user);
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
        let condition = subscription.get("condition").unwrap_or(&Value::Null);
        let broadcaster = json::id(condition, &["broadcaster_user_id"]);
        if let Some(subscriptions) = &mut self.subscriptions {
            let steps = subscriptions.revoked(kind, broadcaster.as_deref(), status);
            self.take(steps);
        }
        Ok(())
    }

    fn fail(&mut self, why: Lost) {
        for link in std::mem::take(&mut self.links) {
            self.out.push_back(Output::Close(link.id));
        }
        self.ended(why);
    }

    fn drop_link(&mut self, now: Now, link: LinkId, why: Lost) {
        let Some(at) = self.links.iter().position(|known| known.id == link) else { return };
        let gone = self.links.remove(at);
        // One that was replaced is closed already.
        if gone.leaving.is_some() {
            return;
        }
        self.out.push_back(Output::Close(link));
        if let (Some(address), None, true) = (gone.inherits, gone.keepalive, !self.links.is_empty())
        {
            self.again = Some((now.mono + RECONNECT, address));
        }
        if self.standing().next().is_none() {
            self.links.clear();
            self.ended(why);
        }
    }

    fn ended(&mut self, why: Lost) {
        (self.subscriptions, self.again) = (None, None);
        self.out.push_back(Output::Lost(why));
    }
}

fn is_loopback(address: &str) -> bool {
    let url = url::Url::parse(address).ok();
    url.is_some_and(|url| {
        url.scheme() == "ws" && matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
    })
}

#[cfg(test)]
mod tests;
