//! Shopee Live comments without I/O. The platform keeps the last ten seconds only: they are polled, dropped where they
//! were read before, and a longer absence is reported as a hole.

use std::{collections::VecDeque, fmt::Write as _, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Author, Message, MessageId, Platform, Text, Update, UserId, json as read,
    request::{Method, Refusal, Request, given, one_line},
    response::Response,
    seen::{Derive, Seen},
    send::Answer,
};
use crate::base::{Moment, Now, Secret, SourceId};

/// What the platform keeps.
const WINDOW: SignedDuration = SignedDuration::from_secs(10);
/// From one poll to the next: at most 3 s is asked for, and an answer takes its time.
const POLL: Duration = Duration::from_millis(2_500);
/// The wait after an answer that says "too often", which names none.
const RATE_LIMIT: Duration = Duration::from_secs(5);
/// Longest text of a comment, in characters (R).
const MOST_TEXT: usize = 150;

const LATEST: &str = "/api/v2/livestream/get_latest_comment_list";
const POST: &str = "/api/v2/livestream/post_comment";
const BAN: &str = "/api/v2/livestream/ban_user_comment";
const UNBAN: &str = "/api/v2/livestream/unban_user_comment";

/// What a request is signed with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The partner.
    pub partner_id: u64,
    /// The shop.
    pub shop_id: u64,
    /// The shop's token; it lasts four hours.
    pub access_token: Secret,
}

impl Credentials {
    /// Signs a request to this path: the hexadecimal of `mac(partner_id + path + timestamp + access_token + shop_id)`, where `mac`
    /// is HMAC-SHA256 under the partner's key. `mac` must not keep what it is given: the token is in it.
    pub fn sign(&self, path: &str, second: i64, mac: impl FnOnce(&[u8]) -> [u8; 32]) -> String {
        let base = format!(
            "{}{path}{second}{}{}",
            self.partner_id,
            self.access_token.expose(),
            self.shop_id
        );
        mac(base.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The request with the parameters that every call needs, the token among them: its address must not be logged.
    #[must_use]
    pub fn signed(
        &self,
        request: Request,
        second: i64,
        mac: impl FnOnce(&[u8]) -> [u8; 32],
    ) -> Request {
        let sign = self.sign(&request.path, second, mac);
        request
            .with("partner_id", self.partner_id.to_string())
            .with("timestamp", second.to_string())
            .with("access_token", self.access_token.expose())
            .with("shop_id", self.shop_id.to_string())
            .with("sign", sign)
    }
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The signature, the token or the permission is refused.
    #[error("the signature, the token or the permission is refused")]
    Refused,
    /// Asked too often.
    #[error("asked too often")]
    RateLimited,
    /// There is no such session, or it has ended.
    #[error("there is no such live session")]
    NoSession,
    /// Another fault with this status of HTTP; 0 where there was no answer.
    #[error("the call failed with status {0}")]
    Status(u16),
    /// The answer is not what the documentation says.
    #[error("the answer cannot be read")]
    Unreadable,
}

impl Fault {
    /// Whether another try would end in the same way.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::Refused | Self::NoSession)
    }
}

/// The state of one source.
#[derive(Debug, Clone)]
pub struct Session {
    source: SourceId,
    live: u64,
    own: Option<UserId>,
    offset: u64,
    asked: Option<Now>,
    asking: bool,
    /// Up to here nothing is missing.
    covered: Option<Timestamp>,
    seen: Seen<MessageId>,
    derive: Derive,
    out: VecDeque<Update>,
}

impl Session {
    /// A session for a live session of the shop; `own` is the shop's user.
    pub fn new(source: SourceId, session: u64, own: Option<UserId>) -> Self {
        Self {
            source,
            live: session,
            own,
            offset: 0,
            asked: None,
            asking: false,
            covered: None,
            seen: Seen::default(),
            derive: Derive::default(),
            out: VecDeque::new(),
        }
    }

    /// The next update; `None` when nothing is left.
    pub fn poll(&mut self) -> Option<Update> {
        self.out.pop_front()
    }

    /// When the next call is due; `None` while one is running.
    pub fn due(&self, now: Moment) -> Option<Moment> {
        match self.asked {
            _ if self.asking => None,
            None => Some(now),
            Some(asked) => Some(asked.mono + POLL),
        }
    }

    /// Begins a call; the adapter signs it.
    pub fn call(&mut self, now: Now) -> Request {
        (self.asked, self.asking) = (Some(now), true);
        Request::new(Method::Get, LATEST)
            .with("session_id", self.live.to_string())
            .with("offset", self.offset.to_string())
    }

    /// Takes the answer; status 0 where there was none.
    pub fn answered(&mut self, status: u16, body: &[u8]) -> Result<(), Fault> {
        self.asking = false;
        let Some(asked) = self.asked else { return Ok(()) };
        if body.len() > read::MOST_JSON {
            return Err(Fault::Unreadable);
        }
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        if let Some(fault) = fault(status, &answer) {
            return Err(fault);
        }
        let response = read::any(&answer, &["response"]).ok_or(Fault::Unreadable)?;
        let list = ["comment_list", "list", "comments"].iter().find_map(|key| response.get(key));
        let empty = Vec::new();
        let list = match list {
            Some(Value::Array(list)) => list,
            None | Some(Value::Null) => &empty,
            Some(_) => return Err(Fault::Unreadable),
        };
        if let Some(next) = read::number(response, &["next_offset"]) {
            self.offset = next;
        }
        let first = self.covered.is_none();
        // What was said before the window of this call and after the last one is lost.
        let from = asked.wall.checked_sub(WINDOW).unwrap_or(asked.wall);
        if let Some(covered) = self.covered.filter(|covered| *covered < from) {
            self.out.push_back(Update::Hole { from: covered, until: from });
        }
        self.covered = self.covered.max(Some(asked.wall));
        self.derive.restart();
        let mut messages: Vec<Message> =
            list.iter().filter_map(|comment| self.comment(asked.wall, comment)).collect();
        messages.sort_by_key(|message| message.at);
        for mut message in messages {
            if self.seen.insert(message.id.clone()) {
                message.backlog = first;
                self.out.push_back(Update::Message(Box::new(message)));
            }
        }
        Ok(())
    }

    fn comment(&mut self, now: Timestamp, comment: &Value) -> Option<Message> {
        let raw = read::text(comment, &["content"])?;
        let user = read::id(comment, &["user_id"]).map(|id| UserId::new(&id));
        let name = read::text(comment, &["user_name", "username"]).unwrap_or_default();
        let time = read::time(comment, &["timestamp", "create_time", "time"]);
        let id = if let Some(id) = read::id(comment, &["comment_id"]) {
            MessageId::new(&id)
        } else {
            let second = time.map_or(0, Timestamp::as_second).to_be_bytes();
            let user = user.as_ref().map_or(name, UserId::as_str);
            self.derive.id(&[&second, user.as_bytes(), raw.as_bytes()])
        };
        Some(Message {
            own: self.own.is_some() && user == self.own,
            ..Message::new(
                id,
                self.source.clone(),
                Platform::SHOPEE,
                time.unwrap_or(now),
                Author { id: user, name: Text::name(name), login: None, badges: Vec::new() },
                Text::new(raw),
            )
        })
    }
}

/// Posts a comment in a live session. Returns how many bytes of the text fit.
pub fn send(live: u64, text: &str) -> Result<(Request, usize), Refusal> {
    let (line, kept) = one_line(text, MOST_TEXT)?;
    let body = json!({"session_id": live, "content": line});
    Ok((Request::new(Method::Post, POST).json(body), kept))
}

/// Forbids a user to comment in a live session, or allows it again.
pub fn ban(live: u64, user: &UserId, banned: bool) -> Result<Request, Refusal> {
    let user = given(user.as_str())?;
    // A number where it is one, as the documentation has it.
    let user = user.parse::<u64>().map_or_else(|_| json!(user), |id| json!(id));
    let body = json!({"session_id": live, "user_id": user});
    Ok(Request::new(Method::Post, if banned { BAN } else { UNBAN }).json(body))
}

/// What the answer to [`send`] or [`ban`] means. Shopee refuses with status 200, too.
pub fn answer(response: &Response) -> Answer {
    let body = response.json();
    match fault(response.status, &body) {
        None => {
            let id = body.get("response").and_then(|response| read::id(response, &["comment_id"]));
            Answer::Taken(id.map(|id| MessageId::new(&id)))
        }
        Some(Fault::RateLimited) => response.later(RATE_LIMIT),
        Some(_) => response.refused(read::text(&body, &["error"]), read::text(&body, &["message"])),
    }
}

fn fault(status: u16, answer: &Value) -> Option<Fault> {
    let error = read::text(answer, &["error"]).unwrap_or_default().to_ascii_lowercase();
    if (200..300).contains(&status) && error.is_empty() {
        return None;
    }
    let has = |words: &[&str]| words.iter().any(|word| error.contains(word));
    Some(
        if has(&["auth", "sign", "token", "permission", "partner"]) || matches!(status, 401 | 403) {
            Fault::Refused
        } else if has(&["limit", "frequen", "too_many"]) || status == 429 {
            Fault::RateLimited
        } else if has(&["session"]) || status == 404 {
            Fault::NoSession
        } else {
            Fault::Status(status)
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session() -> Session {
        Session::new("sp".parse().unwrap(), 9, None)
    }

    fn answer(session: &mut Session, ms: u64, comments: &[(u64, i64, &str)]) -> Vec<String> {
        session.call(Now::test(ms));
        let list: Vec<_> = comments.iter().map(|(id, second, text)| json!({"user_id": 5, "user_name": "lan", "comment_id": id, "content": text, "timestamp": 1_767_225_600 + second})).collect();
        let body = json!({"error": "", "message": "", "request_id": "x", "response": {"next_offset": 7, "comment_list": list}});
        session.answered(200, body.to_string().as_bytes()).unwrap();
        std::iter::from_fn(|| session.poll())
            .map(|update| match update {
                Update::Message(m) => format!("{}{}", m.id, if m.backlog { " old" } else { "" }),
                Update::Hole { from, until } => {
                    format!("hole {}", until.duration_since(from).as_millis())
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// The vector's sign is HMAC-SHA256 of exactly this base, computed by another program.
    #[test]
    fn the_sign_is_over_partner_path_time_token_and_shop() {
        let credentials = Credentials {
            partner_id: 2_001_234,
            shop_id: 14_701_711,
            access_token: Secret::new("token-of-ours"),
        };
        const SIGN: &str = "a88b3671d1583bf36ec3d7016dbe094a8eaf749a5826c72fbc8ce775dbe3e9c2";
        let digit = |at: usize| u8::from_str_radix(&SIGN[at * 2..at * 2 + 2], 16).unwrap();
        let mac: [u8; 32] = std::array::from_fn(digit);
        let mut base = Vec::new();
        let sign = credentials.sign(LATEST, 1_767_000_000, |bytes| {
            base = bytes.to_vec();
            mac
        });
        assert_eq!(
            String::from_utf8(base).unwrap(),
            "2001234/api/v2/livestream/get_latest_comment_list1767000000token-of-ours14701711"
        );
        assert_eq!(sign, SIGN);
        let request = credentials.signed(session().call(Now::test(0)), 1_767_000_000, |_| mac);
        let keys: Vec<_> = request.query.iter().map(|(key, _)| *key).collect();
        assert_eq!(
            keys,
            ["session_id", "offset", "partner_id", "timestamp", "access_token", "shop_id", "sign"]
        );
        assert!(!format!("{credentials:?}").contains("token-of-ours"));
    }

    #[test]
    fn comments_come_once_and_the_first_answer_is_backlog() {
        let mut session = session();
        assert_eq!(answer(&mut session, 0, &[(1, -5, "SP1 2")]), ["1 old"]);
        assert_eq!(session.due(Moment::from_ms(100)), Some(Moment::from_ms(2_500)));
        assert!(session.call(Now::test(2_500)).query.contains(&("offset", "7".to_owned())));
        assert_eq!(session.due(Moment::from_ms(2_600)), None);
        assert_eq!(
            answer(&mut session, 2_500, &[(3, 2, "b"), (2, 1, "a"), (1, -5, "SP1 2")]),
            ["2", "3"]
        );
    }

    #[test]
    fn an_absence_beyond_the_window_is_a_hole_of_its_length() {
        let mut session = session();
        answer(&mut session, 0, &[]);
        assert!(answer(&mut session, 10_000, &[]).is_empty(), "just covered");
        // Two polls fail in between: what counts is when was last asked with success.
        session.call(Now::test(12_500));
        assert_eq!(session.answered(0, b""), Err(Fault::Status(0)));
        assert_eq!(answer(&mut session, 35_000, &[(4, 30, "x")]), ["hole 15000", "4"]);
        assert!(answer(&mut session, 37_500, &[(4, 30, "x")]).is_empty());
    }

    #[test]
    fn errors_are_told_apart() {
        for (status, error, fault) in [
            (200, "error_auth", Fault::Refused),
            (403, "invalid_access_token", Fault::Refused),
            (200, "error_sign", Fault::Refused),
            (200, "error_rate_limit", Fault::RateLimited),
            (200, "session_not_exist", Fault::NoSession),
            (500, "", Fault::Status(500)),
        ] {
            let mut session = session();
            session.call(Now::test(0));
            let body = json!({"error": error, "message": "m", "response": {}}).to_string();
            assert_eq!(session.answered(status, body.as_bytes()), Err(fault), "{error}");
        }
        let mut session = session();
        session.call(Now::test(0));
        assert_eq!(session.answered(200, b"{}"), Err(Fault::Unreadable));
    }

    #[test]
    fn requests_are_one_line_and_name_somebody() {
        let (request, _) = send(9, "a\nb").unwrap();
        assert_eq!(request.body.unwrap(), json!({"session_id": 9, "content": "a b"}));
        assert_eq!(
            ban(9, &UserId::new("5"), true).unwrap().body.unwrap(),
            json!({"session_id": 9, "user_id": 5})
        );
        assert_eq!(ban(9, &UserId::new(""), true), Err(Refusal::NoId));
    }

    #[test]
    fn what_is_answered_to_a_write_is_told_apart() {
        use crate::chat::{response::dropped, send::Failure};
        let of = |status, body: &str| {
            super::answer(&Response { status, body: body.as_bytes().to_vec(), after: None })
        };
        assert_eq!(of(200, r#"{"error":"","message":""}"#), Answer::Taken(None));
        let named = of(200, r#"{"error":"","response":{"comment_id":7}}"#);
        assert_eq!(named, Answer::Taken(Some(MessageId::new("7"))));
        for error in ["error_auth", "error_param", "error_content_sensitive"] {
            let body = json!({"error": error, "message": "words"}).to_string();
            assert_eq!(of(200, &body), dropped(error, "words"));
        }
        assert_eq!(of(200, r#"{"error":"error_rate_limit"}"#), Answer::Later(RATE_LIMIT));
        assert_eq!(of(0, ""), Answer::Failed(Failure::Network));
    }

    proptest! {
        #[test]
        fn no_answer_breaks_the_session(status: u16, bytes: Vec<u8>, at in 0_usize..150, by: u8) {
            let mut session = session();
            let mut body = br#"{"error":"","response":{"next_offset":7,"comment_list":[{"user_id":5,"comment_id":1,"content":"x","timestamp":1767225600}]}}"#.to_vec();
            if let Some(byte) = body.get_mut(at) { *byte = by; }
            session.call(Now::test(0));
            let _ = session.answered(200, &body);
            session.call(Now::test(60_000));
            let _ = session.answered(status, &bytes);
        }
    }
}
