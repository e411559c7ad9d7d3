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
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn session() -> Session {
        Session::new("fb".parse().unwrap(), "123", Some(UserId::new("page"))).unwrap()
    }

    fn comment(id: &str, second: u32, text: &str) -> Value {
        json!({"id": id, "from": {"name": "Lan", "id": "u1"}, "message": text, "created_time": format!("2026-01-01T00:00:{second:02}+0000"), "view_id": 1})
    }

    fn event(value: &Value) -> Event {
        Event { name: "message".to_owned(), data: value.to_string() }
    }

    fn get(
        session: &mut Session,
        ms: u64,
        comments: &[Value],
        next: bool,
    ) -> Vec<(String, bool, bool)> {
        session.reconcile(Moment::from_ms(ms));
        let mut paging = json!({"cursors": {"before": "b", "after": "a1"}});
        if next {
            paging["next"] = json!("https://graph.facebook.com/next");
        }
        let body = json!({"data": comments, "paging": paging}).to_string();
        session.answered(Now::test(ms), 200, body.as_bytes()).unwrap();
        said(session)
    }

    fn said(session: &mut Session) -> Vec<(String, bool, bool)> {
        std::iter::from_fn(|| session.poll())
            .filter_map(|update| {
                if let Update::Message(m) = update {
                    Some((m.id.as_str().to_owned(), m.backlog, m.late))
                } else {
                    None
                }
            })
            .collect()
    }

    fn got(id: &str, backlog: bool, late: bool) -> (String, bool, bool) {
        (id.to_owned(), backlog, late)
    }

    #[test]
    fn what_the_stream_left_out_is_found_and_marked_late() {
        let mut session = session();
        session.streaming(true);
        assert_eq!(
            get(&mut session, 0, &[comment("c0", 0, "before")], false),
            [got("c0", true, false)]
        );
        session.event(Now::test(3_000), &event(&comment("c1", 3, "SP1 2"))).unwrap();
        session.event(Now::test(3_500), &event(&comment("c1", 3, "SP1 2"))).unwrap();
        assert_eq!(said(&mut session), [got("c1", false, false)]);
        assert_eq!(session.due(Moment::from_ms(4_000)), Some(Moment::from_ms(10_000)));
        let page = [
            comment("c4", 9, "young"),
            comment("c3", 4, "+1"),
            comment("c2", 2, "+1"),
            comment("c1", 3, "SP1 2"),
            comment("c0", 0, "before"),
        ];
        assert_eq!(
            get(&mut session, 10_000, &page, false),
            [got("c2", false, true), got("c3", false, true)]
        );
        session.event(Now::test(10_100), &event(&comment("c4", 9, "young"))).unwrap();
        assert_eq!(said(&mut session), [got("c4", false, false)], "the GET was only faster");
        assert!(get(&mut session, 20_000, &page, false).is_empty());
        // Without the stream nothing is waited for.
        session.streaming(false);
        assert_eq!(
            get(&mut session, 30_000, &[comment("c5", 29, "x")], false),
            [got("c5", false, true)]
        );
    }

    #[test]
    fn a_reconciliation_goes_back_until_something_is_known() {
        let mut session = session();
        get(&mut session, 0, &[comment("c0", 0, "x")], true);
        assert!(
            get(&mut session, 30_000, &[comment("c9", 20, "x"), comment("c8", 19, "x")], true)
                .is_empty()
        );
        assert_eq!(session.due(Moment::from_ms(30_001)), Some(Moment::from_ms(30_001)));
        let request = session.clone().reconcile(Moment::from_ms(30_001));
        assert!(request.query.contains(&("after", "a1".to_owned())));
        let all = get(&mut session, 30_001, &[comment("c7", 18, "x"), comment("c0", 0, "x")], true);
        assert_eq!(all, [got("c7", false, true), got("c8", false, true), got("c9", false, true)]);
        assert_eq!(session.due(Moment::from_ms(30_002)), Some(Moment::from_ms(40_000)));
        // It ends even where nothing is ever known.
        for page in 0..PAGES {
            get(&mut session, 50_000, &[comment(&format!("d{page}"), 30, "x")], true);
        }
        assert_eq!(session.due(Moment::from_ms(50_001)), Some(Moment::from_ms(60_000)));
    }

    #[test]
    fn when_the_stream_is_back_the_get_brings_what_was_missed_at_once() {
        let mut session = session();
        session.streaming(true);
        get(&mut session, 0, &[comment("c0", 0, "x")], false);
        session.streaming(false);
        assert_eq!(session.due(Moment::from_ms(3_000)), Some(Moment::from_ms(10_000)));
        session.streaming(true);
        assert_eq!(session.due(Moment::from_ms(3_000)), Some(Moment::from_ms(3_000)));
        let missed = [comment("c1", 2, "+1"), comment("c0", 0, "x")];
        assert_eq!(get(&mut session, 3_000, &missed, false), [got("c1", false, true)]);
        // The next one waits for the stream again.
        assert_eq!(session.due(Moment::from_ms(3_100)), Some(Moment::from_ms(13_000)));
        assert!(get(&mut session, 13_000, &[comment("c2", 12, "young")], false).is_empty());
    }

    #[test]
    fn a_comment_without_an_author_is_shown() {
        let mut session = session();
        session.event(Now::test(0), &event(&json!({"id": "c1", "message": "A12 +1", "created_time": "2026-01-01T00:00:00+0000", "parent": {"id": "c0"}}))).unwrap();
        let Some(Update::Message(said)) = session.poll() else { panic!() };
        assert!(said.author.name.is_empty() && said.author.id.is_none() && said.may_act());
        assert_eq!(
            (said.text.as_str(), said.at.to_string().as_str(), said.reply.unwrap().to.as_str()),
            ("A12 +1", "2026-01-01T00:00:00Z", "c0")
        );
    }

    #[test]
    fn errors_are_told_apart_by_their_code() {
        for (code, fault) in [
            (190, Fault::Token),
            (10, Fault::Permission),
            (230, Fault::Permission),
            (4, Fault::RateLimited),
            (100, Fault::NotFound),
            (2, Fault::Status(500)),
        ] {
            let body = json!({"error": {"message": "m", "type": "OAuthException", "code": code, "fbtrace_id": "x"}});
            assert_eq!(
                session().answered(Now::test(0), 500, body.to_string().as_bytes()),
                Err(fault),
                "{code}"
            );
            if fault != Fault::Status(500) {
                assert_eq!(session().event(Now::test(0), &event(&body)), Err(fault));
            }
        }
        assert_eq!(session().answered(Now::test(0), 200, b"{}"), Err(Fault::Unreadable));
        assert_eq!(
            session().event(Now::test(0), &Event { name: "ping".into(), data: "{}".into() }),
            Ok(())
        );
    }

    #[test]
    fn what_is_answered_to_a_write_is_told_apart() {
        let of = |status, body: &Value| {
            answer(&Response { status, body: body.to_string().into_bytes(), after: None })
        };
        let error = |code| json!({"error": {"message": "words", "code": code}});
        assert_eq!(of(200, &json!({"success": true})), Answer::Taken(None));
        assert_eq!(of(200, &json!({"success": false})), dropped("not-done", ""));
        assert_eq!(of(400, &error(190)), dropped("190", "words"));
        assert_eq!(of(403, &error(200)), dropped("200", "words"));
        assert_eq!(of(400, &error(32)), Answer::Later(RATE_LIMIT));
        let network = Answer::Failed(crate::chat::send::Failure::Network);
        assert_eq!(of(0, &Value::Null), network);
    }

    #[test]
    fn requests_hold_no_token_and_lead_nowhere_else() {
        let request = session().stream();
        assert_eq!(request.path, "/123/live_comments");
        assert!(!request.query.iter().any(|(key, _)| *key == "access_token"));
        assert_eq!(delete(&MessageId::new("1_2")).unwrap().path, "/1_2");
        for bad in ["", "../me", "a/b", "a?b"] {
            assert_eq!(
                (delete(&MessageId::new(bad)), hide(&MessageId::new(bad), true).is_err()),
                (Err(Refusal::NoId), true)
            );
            assert!(Session::new("fb".parse().unwrap(), bad, None).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_data_breaks_the_session(at in 0_usize..200, by: u8, bytes: Vec<u8>, status: u16) {
            let mut session = session();
            let mut data = comment("c1", 1, "SP1 2").to_string().into_bytes();
            if let Some(byte) = data.get_mut(at) { *byte = by; }
            for data in [data, bytes] {
                let name = "message".to_owned();
                let _ = session.event(Now::test(0), &Event { name, data: String::from_utf8_lossy(&data).into_owned() });
                let list = [b"{\"data\":[", &data[..], b"]}"].concat();
                let _ = session.answered(Now::test(0), 200, &list);
                let _ = session.answered(Now::test(0), status, &data);
            }
        }
    }
}
