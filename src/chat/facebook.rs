//! Facebook Live comments without I/O: the event stream, and the GET that finds what the stream left out. Facebook picks
//! comments by quality where there are many, so the stream alone loses orders.

use std::{collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    Author, Message, MessageId, Platform, Reply, Text, Update, UserId, json,
    request::{Method, Refusal, Request},
    response::{Response, dropped},
    seen::Seen,
    send::Answer,
    sse::Event,
};
use crate::base::{Moment, Now, SourceId};

/// The host of the event stream; everything else is at `graph.facebook.com`.
pub const STREAM_HOST: &str = "streaming-graph.facebook.com";
/// From one reconciling GET to the next.
const RECONCILE: Duration = Duration::from_secs(10);
/// Comments younger than this are left to the stream while it runs: the GET may only have been faster.
const GRACE: SignedDuration = SignedDuration::from_secs(5);
/// Comments of one GET.
const PAGE: &str = "100";
/// Comments of one answer that are read, whatever it holds.
const MOST_ON_PAGE: usize = 1_000;
/// Pages of one reconciliation: 500 comments in 10 s are read whole.
const PAGES: u32 = 5;
/// The wait after code 4, 17, 32 or 613, which names none: limits are counted by the hour.
const RATE_LIMIT: Duration = Duration::from_mins(1);

/// What the page's token must allow so that comments can be deleted (the permissions reference).
pub const PERMISSION: &str = "pages_manage_engagement";

const FIELDS: &str = "id,from{name,id},message,created_time,parent{id}";

/// Why something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Code 190, 102, or 401: the token is not valid any more.
    #[error("the token is not valid any more")]
    Token,
    /// Codes 10 and 200-299: the token lacks a permission.
    #[error("the token lacks a permission")]
    Permission,
    /// Codes 4, 17, 32, 613: asked too often.
    #[error("asked too often")]
    RateLimited,
    /// Code 100 or 803, or 404: there is no such video.
    #[error("there is no such live video")]
    NotFound,
    /// Another status; 0 where there was no answer.
    #[error("the call failed with status {0}")]
    Status(u16),
    /// The data is not what the documentation says.
    #[error("the data cannot be read")]
    Unreadable,
}

impl Fault {
    /// Whether another try would end in the same way.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::Token | Self::Permission | Self::NotFound)
    }
}

/// The state of one source.
#[derive(Debug, Clone)]
pub struct Session {
    source: SourceId,
    video: String,
    own: Option<UserId>,
    seen: Seen<MessageId>,
    /// Whether the first GET, whose comments are backlog, has been read.
    begun: bool,
    streaming: bool,
    /// The stream is back: what was written without it does not come by it any more.
    reopened: bool,
    /// The running reconciliation leaves nothing to the stream.
    whole: bool,
    asked: Option<Moment>,
    asking: bool,
    page: u32,
    cursor: Option<String>,
    /// Comments of a reconciliation that has more pages, newest first.
    found: Vec<Message>,
    out: VecDeque<Update>,
}

impl Session {
    /// A session for a live video; `own` is the page hawker writes as.
    pub fn new(source: SourceId, video: &str, own: Option<UserId>) -> Result<Self, Refusal> {
        Ok(Self {
            source,
            video: in_path(video)?,
            own,
            seen: Seen::default(),
            begun: false,
            streaming: false,
            reopened: false,
            whole: false,
            asked: None,
            asking: false,
            page: 0,
            cursor: None,
            found: Vec::new(),
            out: VecDeque::new(),
        })
    }

    /// The next update; `None` when nothing is left.
    pub fn poll(&mut self) -> Option<Update> {
        self.out.pop_front()
    }

    /// The request that opens the event stream. The adapter adds `access_token`, which must not be logged with the
    /// address.
    pub fn stream(&self) -> Request {
        Request::new(Method::Get, format!("/{}/live_comments", self.video))
            .with("comment_rate", "one_hundred_per_second")
            .with("fields", FIELDS)
    }

    /// The event stream stands, or is gone. When it is back, a GET is due at once.
    pub fn streaming(&mut self, on: bool) {
        if on && !self.streaming && self.begun {
            (self.reopened, self.asked) = (true, None);
        }
        self.streaming = on;
    }

    /// When the next GET is due; `None` while one is running.
    pub fn due(&self, now: Moment) -> Option<Moment> {
        if self.asking {
            return None;
        }
        Some(match self.asked {
            None => now,
            Some(_) if self.cursor.is_some() => now,
            Some(asked) => asked + RECONCILE,
        })
    }

    /// Begins a GET.
    pub fn reconcile(&mut self, now: Moment) -> Request {
        if self.cursor.is_none() {
            (self.asked, self.page) = (Some(now), 0);
            self.whole = std::mem::take(&mut self.reopened);
        }
        self.asking = true;
        let request = Request::new(Method::Get, format!("/{}/comments", self.video))
            .with("filter", "stream")
            .with("live_filter", "no_filter")
            .with("order", "reverse_chronological")
            .with("limit", PAGE)
            .with("fields", FIELDS);
        match self.cursor.take() {
            Some(after) => request.with("after", after),
            None => request,
        }
    }

    /// Takes an event of the stream.
    pub fn event(&mut self, now: Now, event: &Event) -> Result<(), Fault> {
        let value: Value = serde_json::from_str(&event.data).map_err(|_| Fault::Unreadable)?;
        if let Some(error) = json::any(&value, &["error"]) {
            return Err(fault(0, error));
        }
        // Pings hold no comment.
        if value.get("id").is_none() {
            return if value.get("message").is_some() { Err(Fault::Unreadable) } else { Ok(()) };
        }
        let message = self.comment(now.wall, &value).ok_or(Fault::Unreadable)?;
        if self.seen.insert(message.id.clone()) {
            self.out.push_back(Update::Message(Box::new(message)));
        }
        Ok(())
    }

    /// Takes the answer to a GET. What the stream has not brought is reported as late; the first answer is backlog.
    pub fn answered(&mut self, now: Now, status: u16, body: &[u8]) -> Result<(), Fault> {
        self.asking = false;
        let read = self.read(now, status, body);
        if read.is_err() {
            // Half a reconciliation is reported; the next one begins anew.
            self.report(now);
        }
        read
    }

    fn read(&mut self, now: Now, status: u16, body: &[u8]) -> Result<(), Fault> {
        if body.len() > json::MOST_JSON {
            return Err(Fault::Unreadable);
        }
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = json::any(&answer, &["error"]);
        if !(200..300).contains(&status) || error.is_some() {
            return Err(fault(status, error.unwrap_or(&Value::Null)));
        }
        let list = answer.get("data").and_then(Value::as_array).ok_or(Fault::Unreadable)?;
        let mut known = false;
        for value in list.iter().take(MOST_ON_PAGE) {
            let Some(message) = self.comment(now.wall, value) else { continue };
            let repeated = self.found.iter().any(|found| found.id == message.id);
            if self.seen.contains(&message.id) {
                known = true;
            } else if !repeated {
                self.found.push(message);
            }
        }
        self.page += 1;
        let cursors = answer.get("paging").and_then(|paging| paging.get("cursors"));
        let after = cursors.and_then(|cursors| json::text(cursors, &["after"]));
        let more = answer.get("paging").is_some_and(|paging| paging.get("next").is_some());
        // Further back only as far as nothing was known; the backlog needs one page only.
        if self.begun && !known && !list.is_empty() && more && self.page < PAGES {
            self.cursor = after.map(str::to_owned);
        }
        if self.cursor.is_none() {
            self.report(now);
        }
        Ok(())
    }

    fn report(&mut self, now: Now) {
        self.cursor = None;
        let first = !std::mem::replace(&mut self.begun, true);
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|message| message.at);
        for mut message in found {
            let young = now.wall.duration_since(message.at) < GRACE;
            if young && self.streaming && !first && !self.whole {
                continue;
            }
            if self.seen.insert(message.id.clone()) {
                (message.backlog, message.late) = (first, !first);
                self.out.push_back(Update::Message(Box::new(message)));
            }
        }
    }

    fn comment(&self, now: Timestamp, value: &Value) -> Option<Message> {
        let id = MessageId::new(&json::id(value, &["id"])?);
        // May be missing: Facebook gives it only to apps that were reviewed, and not for every profile.
        let from = value.get("from").unwrap_or(&Value::Null);
        let user = json::id(from, &["id"]).map(|id| UserId::new(&id));
        let parent = value.get("parent").and_then(|parent| json::id(parent, &["id"]));
        Some(Message {
            own: self.own.is_some() && user == self.own,
            reply: parent.map(|to| Reply { to: MessageId::new(&to), text: None }),
            ..Message::new(
                id,
                self.source.clone(),
                Platform::FACEBOOK,
                json::time(value, &["created_time"]).unwrap_or(now),
                Author {
                    id: user,
                    name: Text::name(json::text(from, &["name"]).unwrap_or_default()),
                    login: None,
                    badges: Vec::new(),
                },
                Text::new(json::text(value, &["message"]).unwrap_or_default()),
            )
        })
    }
}

fn fault(status: u16, error: &Value) -> Fault {
    match json::number(error, &["code"]) {
        Some(190 | 102) => Fault::Token,
        Some(10 | 200..=299) => Fault::Permission,
        Some(4 | 17 | 32 | 613) => Fault::RateLimited,
        Some(100 | 803) => Fault::NotFound,
        _ => match status {
            401 => Fault::Token,
            403 => Fault::Permission,
            404 => Fault::NotFound,
            429 => Fault::RateLimited,
            status => Fault::Status(status),
        },
    }
}

/// What the answer to [`hide`] or [`delete`] means.
pub fn answer(response: &Response) -> Answer {
    let body = response.json();
    let error = json::any(&body, &["error"]);
    if let (true, None) = (response.is_success(), error) {
        let refused = body.get("success").and_then(Value::as_bool) == Some(false);
        return if refused { dropped("not-done", "") } else { Answer::Taken(None) };
    }
    let error = error.unwrap_or(&Value::Null);
    if fault(response.status, error) == Fault::RateLimited {
        return response.later(RATE_LIMIT);
    }
    let code = json::id(error, &["code"]);
    response.refused(code.as_deref(), json::text(error, &["error_user_msg", "message"]))
}

/// An identifier that becomes part of a path.
fn in_path(id: &str) -> Result<String, Refusal> {
    let fits = (1..=200).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits { Ok(id.to_owned()) } else { Err(Refusal::NoId) }
}

/// Hides a comment from all but its author and their friends, or shows it again.
pub fn hide(id: &MessageId, hidden: bool) -> Result<Request, Refusal> {
    let request = Request::new(Method::Post, format!("/{}", in_path(id.as_str())?));
    Ok(request.with("is_hidden", hidden.to_string()))
}

/// Deletes a comment.
pub fn delete(id: &MessageId) -> Result<Request, Refusal> {
    Ok(Request::new(Method::Delete, format!("/{}", in_path(id.as_str())?)))
}

#[cfg(test)]
mod tests;
