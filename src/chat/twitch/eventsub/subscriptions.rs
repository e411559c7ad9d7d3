//! The subscriptions of one EventSub session: each is created, tried again after a wait, and taken from a dead session
//! that still holds it.

use std::time::Duration;

use serde_json::Value;

use super::{
    super::{
        event::KINDS,
        helix::{self, Account},
    },
    Ask, Lost,
};
use crate::{
    base::Moment,
    chat::{Text, json, request::Request},
};

/// Tries of one subscription in one session. The server closes a session without subscriptions after 10 s.
const TRIES: u32 = 4;
/// Wait before a subscription is tried again after a 429 or 5xx; doubled each time: 1, 2, 4 s.
const AGAIN: Duration = Duration::from_secs(1);
/// Dead subscriptions that are deleted at once. One user and client have at most three sessions.
const MOST_DEAD: usize = 8;
/// Pages of the list that are read to find a dead subscription, of 100 entries each. Entries of lost sessions stay in
/// the list for a while.
const MOST_PAGES: u32 = 5;

/// What a subscription is for: one kind of event in one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    /// Which of the channels, in the order they were given.
    pub channel: usize,
    /// One of [`KINDS`].
    pub kind: &'static str,
}

impl Topic {
    fn is_messages(self) -> bool {
        self.kind == KINDS[0]
    }
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Request(Ask, Request),
    /// The messages of every channel that can be read are subscribed to.
    Live,
    /// This one is given up, with the last status.
    Without(Topic, u16),
    /// No channel can be read.
    Failed(Lost),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Made,
    GivenUp,
}

#[derive(Debug, Clone)]
struct Subscription {
    topic: Topic,
    state: State,
    tries: u32,
    pages: u32,
    again: Option<Moment>,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Subscriptions {
    accounts: Vec<Account>,
    session: String,
    all: Vec<Subscription>,
    live: bool,
}

impl Subscriptions {
    /// For a session that was just welcomed. The messages of all channels come first.
    pub(super) fn begin(accounts: &[Account], session: &str) -> (Self, Vec<Step>) {
        let topics = KINDS
            .into_iter()
            .flat_map(|kind| (0..accounts.len()).map(move |channel| Topic { channel, kind }));
        let fresh =
            |topic| Subscription { topic, state: State::Open, tries: 0, pages: 0, again: None };
        let mut all = Self {
            accounts: accounts.to_vec(),
            session: session.to_owned(),
            all: topics.map(fresh).collect(),
            live: false,
        };
        let mut steps = Vec::new();
        for at in 0..all.all.len() {
            all.subscribe(at, &mut steps);
        }
        (all, steps)
    }

    /// The session goes on under another identifier.
    pub(super) fn moved(&mut self, session: &str) {
        session.clone_into(&mut self.session);
    }

    /// Whether the messages of that broadcaster's channel are read.
    pub(super) fn reads(&self, broadcaster: &str) -> bool {
        let of = |channel: usize| self.accounts.get(channel).map(|a| a.broadcaster.as_str());
        self.all.iter().any(|s| {
            s.topic.is_messages()
                && s.state == State::Made
                && of(s.topic.channel) == Some(broadcaster)
        })
    }

    /// Takes the answer to a request.
    pub(super) fn answered(
        &mut self,
        now: Moment,
        ask: &Ask,
        status: u16,
        body: &[u8],
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let (Ask::Subscribe(topic) | Ask::List(topic) | Ask::Delete(topic)) = *ask;
        let is = |s: &Subscription| s.topic == topic && s.state == State::Open;
        let Some(at) = self.all.iter().position(is) else { return steps };
        match (ask, status) {
            (Ask::Subscribe(_), 200..300) => self.settle(at, State::Made, &mut steps),
            (Ask::Subscribe(_), 409) => {
                self.set(at, |s| s.pages = 0);
                self.list(at, None, &mut steps);
            }
            (Ask::List(_), 200..300) => {
                let answer: Value = serde_json::from_slice(body).unwrap_or_default();
                let dead = self.dead(&answer, topic);
                let found = !dead.is_empty();
                for id in dead {
                    if let Ok(request) = helix::unsubscribe(&id) {
                        steps.push(Step::Request(Ask::Delete(topic), request));
                    }
                }
                if found {
                    return steps;
                }
                let cursor = json::any(&answer, &["pagination"])
                    .and_then(|pages| json::text(pages, &["cursor"]));
                let more = self.all.get(at).is_some_and(|s| s.pages < MOST_PAGES);
                match cursor {
                    Some(cursor) if more => self.list(at, Some(cursor), &mut steps),
                    _ => self.retry(now, at, status, &mut steps),
                }
            }
            // 404: somebody else has deleted it.
            (Ask::Delete(_), 200..300 | 404) => self.subscribe(at, &mut steps),
            (_, 401) => steps.push(Step::Failed(Lost::Unauthorized(helix::reason(body)))),
            (_, 403) => self.give_up(at, 403, Some(helix::reason(body)), &mut steps),
            // Worth another try: too many requests, a fault of the server, or no answer (0).
            (_, 0 | 429 | 500..) => self.retry(now, at, status, &mut steps),
            _ => self.give_up(at, status, None, &mut steps),
        }
        steps
    }

    /// Tries again what is due.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Step> {
        let is_due = |s: &Subscription| s.again.is_some_and(|again| again <= now);
        let due: Vec<usize> =
            self.all.iter().enumerate().filter(|(_, s)| is_due(s)).map(|(at, _)| at).collect();
        let mut steps = Vec::new();
        for at in due {
            self.subscribe(at, &mut steps);
        }
        steps
    }

    /// Twitch has revoked a subscription of this kind; `broadcaster` says in which channel.
    pub(super) fn revoked(
        &mut self,
        kind: &str,
        broadcaster: Option<&str>,
        status: Text,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let of = |channel: usize| self.accounts.get(channel).map(|a| a.broadcaster.as_str());
        let is = |s: &Subscription| {
            s.topic.kind == kind && (broadcaster.is_none() || of(s.topic.channel) == broadcaster)
        };
        if let Some(at) = self.all.iter().position(is) {
            self.give_up(at, 0, Some(status), &mut steps);
        }
        steps
    }

    fn set(&mut self, at: usize, change: impl FnOnce(&mut Subscription)) {
        if let Some(subscription) = self.all.get_mut(at) {
            change(subscription);
        }
    }

    fn subscribe(&mut self, at: usize, steps: &mut Vec<Step>) {
        let Some(subscription) = self.all.get_mut(at) else { return };
        subscription.again = None;
        subscription.tries += 1;
        let topic = subscription.topic;
        if subscription.tries > TRIES {
            return self.give_up(at, 409, None, steps);
        }
        let Some(account) = self.accounts.get(topic.channel) else { return };
        let request = account.subscribe(topic.kind, &self.session);
        steps.push(Step::Request(Ask::Subscribe(topic), request));
    }

    fn list(&mut self, at: usize, cursor: Option<&str>, steps: &mut Vec<Step>) {
        let Some(subscription) = self.all.get_mut(at) else { return };
        subscription.pages += 1;
        let topic = subscription.topic;
        steps.push(Step::Request(Ask::List(topic), helix::subscriptions(topic.kind, cursor)));
    }

    fn retry(&mut self, now: Moment, at: usize, status: u16, steps: &mut Vec<Step>) {
        let Some(subscription) = self.all.get_mut(at) else { return };
        if subscription.tries >= TRIES {
            return self.give_up(at, status, None, steps);
        }
        let doubled = subscription.tries.saturating_sub(1).min(8);
        subscription.again = Some(now + AGAIN * (1 << doubled));
    }

    /// One is given up; the source is, when no channel is left whose messages are read. `refused` is what Twitch says of
    /// a permission.
    fn give_up(&mut self, at: usize, status: u16, refused: Option<Text>, steps: &mut Vec<Step>) {
        let Some(topic) = self.all.get(at).map(|s| s.topic) else { return };
        let others =
            self.all.iter().enumerate().any(|(other, s)| {
                other != at && s.topic.is_messages() && s.state != State::GivenUp
            });
        if topic.is_messages() && !others {
            let why = refused.map_or(Lost::NotSubscribed(status), Lost::Unauthorized);
            return steps.push(Step::Failed(why));
        }
        steps.push(Step::Without(topic, status));
        self.settle(at, State::GivenUp, steps);
    }

    fn settle(&mut self, at: usize, state: State, steps: &mut Vec<Step>) {
        self.set(at, |s| (s.state, s.again) = (state, None));
        let mut messages = self.all.iter().filter(|s| s.topic.is_messages());
        if !self.live && messages.all(|s| s.state != State::Open) {
            self.live = true;
            steps.push(Step::Live);
        }
    }

    /// The identifiers of our subscriptions to this that belong to another session; those that are in force first.
    fn dead(&self, answer: &Value, topic: Topic) -> Vec<String> {
        let Some(account) = self.accounts.get(topic.channel) else { return Vec::new() };
        let entries = answer.get("data").and_then(Value::as_array);
        let ours = |entry: &&Value| {
            let condition = entry.get("condition").unwrap_or(&Value::Null);
            let transport = entry.get("transport").unwrap_or(&Value::Null);
            json::text(entry, &["type"]) == Some(topic.kind)
                && json::id(condition, &["broadcaster_user_id"]).as_deref()
                    == Some(account.broadcaster.as_str())
                && json::id(condition, &["user_id"]).as_deref() == Some(account.user.as_str())
                && json::text(transport, &["method"]) == Some("websocket")
                && json::text(transport, &["session_id"]) != Some(&self.session)
        };
        let mut found: Vec<&Value> = entries.into_iter().flatten().filter(ours).collect();
        found.sort_by_key(|entry| json::text(entry, &["status"]) != Some("enabled"));
        found.into_iter().filter_map(|entry| json::id(entry, &["id"])).take(MOST_DEAD).collect()
    }
}
