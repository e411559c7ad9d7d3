//! hawker's own line: one JSON object per line, `{id?, at?, platform?, channel?, author, author_id?, text, lang?, badges?,
//! reply_to?}`, `{delete: id}` or `{clear_user: id}`. Also what tiktok-live-connector's events print
//! (`{comment, user{uniqueId, nickname, userId}}`). A line that cannot be read is an error value, never silence.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Author, Badge, Message, MessageId, Platform, Removal, Reply, Text, Update, UserId, json,
    seen::{Derive, Seen, derived},
};
use crate::base::SourceId;

/// The longest line, in bytes. A text of 1,000 graphemes with names and escapes fits many times.
pub const MOST_LINE: usize = 256 * 1024;

/// Why a line was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It is longer than allowed.
    #[error("the line is longer than {MOST_LINE} bytes")]
    TooLong,
    /// It is not JSON.
    #[error("the line is not JSON")]
    NotJson,
    /// It is JSON, but no object.
    #[error("the line is not a JSON object")]
    NotObject,
    /// It has no `text`, or one that is no string or holds nothing.
    #[error("the line has no text")]
    NoText,
    /// It has no `author`, or one that is no string.
    #[error("the line has no author")]
    NoAuthor,
    /// `delete` or `clear_user` names nothing.
    #[error("the line removes nothing: it lacks an identifier")]
    NoId,
}

/// Reads the lines of one source. Identifiers that it derives are the same when the same lines are read again from their
/// beginning ([`Reader::restart`]).
#[derive(Debug, Clone)]
pub struct Reader {
    source: SourceId,
    platform: Platform,
    derive: Derive,
    /// Messages so far with neither an identifier nor a time.
    bare: u64,
    seen: Seen<MessageId>,
    bad: u64,
}

impl Reader {
    /// A reader; `platform` is what lines without one come from.
    pub fn new(source: SourceId, platform: Platform) -> Self {
        Self { source, platform, derive: Derive::default(), bare: 0, seen: Seen::default(), bad: 0 }
    }

    /// The same lines are going to be read again from the beginning; those that were read are dropped.
    pub fn restart(&mut self) {
        self.derive.restart();
        self.bare = 0;
    }

    /// How many lines could not be read.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// Reads one line; `now` is the time of arrival, for lines without a time. `None` for a blank line and for a message
    /// that was read before.
    pub fn line(&mut self, now: Timestamp, bytes: &[u8]) -> Result<Option<Update>, BadLine> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        if bytes.is_empty() {
            return Ok(None);
        }
        let read = if bytes.len() > MOST_LINE {
            Err(BadLine::TooLong)
        } else {
            // Invalid UTF-8 in a text is no reason to lose the line.
            match serde_json::from_str::<Value>(&String::from_utf8_lossy(bytes)) {
                Ok(value) => self.value(now, &value),
                Err(_) => Err(BadLine::NotJson),
            }
        };
        self.counted(read)
    }

    /// Reads the body of a webhook: an object, an array of objects, or lines.
    pub fn body(
        &mut self,
        now: Timestamp,
        bytes: &[u8],
        mut each: impl FnMut(Result<Update, BadLine>),
    ) {
        let mut hand = |read: Result<Option<Update>, BadLine>| {
            if let Some(read) = read.transpose() {
                each(read);
            }
        };
        if bytes.len() > json::MOST_JSON {
            return hand(self.counted(Err(BadLine::TooLong)));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Array(values)) => {
                for value in values {
                    let read = self.value(now, &value);
                    hand(self.counted(read));
                }
            }
            Ok(value) => {
                let read = self.value(now, &value);
                hand(self.counted(read));
            }
            Err(_) => {
                for line in bytes.split(|b| *b == b'\n') {
                    hand(self.line(now, line));
                }
            }
        }
    }

    fn counted(
        &mut self,
        read: Result<Option<Update>, BadLine>,
    ) -> Result<Option<Update>, BadLine> {
        self.bad += u64::from(read.is_err());
        read
    }

    fn value(&mut self, now: Timestamp, line: &Value) -> Result<Option<Update>, BadLine> {
        if !line.is_object() {
            return Err(BadLine::NotObject);
        }
        if line.get("delete").is_some() {
            let id = json::id(line, &["delete"]).ok_or(BadLine::NoId)?;
            return Ok(Some(Update::Deleted(MessageId::new(&id))));
        }
        if line.get("clear_user").is_some() {
            // Lines without `author_id` are known by the author's name only.
            let id = json::id(line, &["clear_user"]).ok_or(BadLine::NoId)?;
            return Ok(Some(Update::UserCleared {
                id: Some(UserId::new(&id)),
                name: Text::named(&id),
                removal: Removal::Cleared,
            }));
        }
        let message = self.message(now, line)?;
        let new = self.seen.insert(message.id.clone());
        Ok(new.then(|| Update::Message(Box::new(message))))
    }

    fn message(&mut self, now: Timestamp, line: &Value) -> Result<Message, BadLine> {
        let tiktok = line.get("comment").is_some() && line.get("text").is_none();
        let user = json::any(line, &["user"]).filter(|_| tiktok).unwrap_or(line);
        let raw = json::text(line, if tiktok { &["comment"] } else { &["text"] });
        let raw = raw.ok_or(BadLine::NoText)?;
        let text = Text::new(raw);
        if text.is_empty() {
            return Err(BadLine::NoText);
        }
        let (name, user_id) = if tiktok {
            let flat = json::text(line, &["nickname", "uniqueId"]);
            let name = json::text(user, &["nickname", "uniqueId"]).or(flat);
            (name, json::id(user, &["userId", "uniqueId"]).or_else(|| json::id(line, &["userId"])))
        } else {
            // Present and empty: the platform withholds it.
            (line.get("author").and_then(Value::as_str), json::id(line, &["author_id"]))
        };
        let name = name.ok_or(BadLine::NoAuthor)?;
        let at = json::time(line, &["at", "createTime"]);
        let id = match (json::id(line, &["id", "msgId"]), at) {
            (Some(id), _) => MessageId::new(&id),
            (None, at) => {
                let who = user_id.as_deref().unwrap_or(name);
                self.derived(at, who, raw)
            }
        };
        let platform = json::text(line, &["platform"]).map(Platform::named);
        let by_default = if tiktok { Platform::named("tiktok") } else { self.platform.clone() };
        Ok(Message {
            channel: json::text(line, &["channel"]).map(Text::name),
            reply: json::id(line, &["reply_to"])
                .map(|to| Reply { to: MessageId::new(&to), text: None }),
            lang: json::text(line, &["lang"]).map(Text::name),
            ..Message::new(
                id,
                self.source.clone(),
                platform.unwrap_or(by_default),
                at.unwrap_or(now),
                Author {
                    id: user_id.as_deref().map(UserId::new),
                    name: Text::name(name),
                    login: None,
                    badges: badges(line),
                },
                text,
            )
        })
    }

    /// With a time: from time, author, text and a counter, so that reading may begin anywhere. Without one: from the
    /// place among such lines, so that it must begin at the same line.
    fn derived(&mut self, at: Option<Timestamp>, who: &str, raw: &str) -> MessageId {
        let parts = [who.as_bytes(), raw.as_bytes()];
        if let Some(at) = at {
            return self.derive.id(&[&at.as_nanosecond().to_be_bytes(), parts[0], parts[1]]);
        }
        self.bare += 1;
        derived(&[b"bare", &self.bare.to_be_bytes(), parts[0], parts[1]])
    }
}

fn badges(line: &Value) -> Vec<Badge> {
    let named = line.get("badges").and_then(Value::as_array).into_iter().flatten().take(32);
    let mut all: Vec<Badge> =
        named.filter_map(|name| serde_json::from_value(name.clone()).ok()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reader() -> Reader {
        Reader::new("lines".parse().unwrap(), Platform::UNKNOWN)
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn message(reader: &mut Reader, line: &str) -> Message {
        match reader.line(now(), line.as_bytes()) {
            Ok(Some(Update::Message(message))) => *message,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_field_is_read() {
        let said = message(
            &mut reader(),
            r#"{"id":"t1","at":"2026-01-01T07:00:05+07:00","platform":"TikTok","channel":"shop","author":"Mia","author_id":8,"text":"SP1 2","lang":"vi","badges":["moderator","buyer","buyer","unknown",3],"reply_to":"t0","more":[]}"#,
        );
        assert_eq!(
            (said.id.as_str(), said.platform.as_str(), said.text.as_str()),
            ("t1", "tiktok", "SP1 2")
        );
        assert_eq!(said.at.to_string(), "2026-01-01T00:00:05Z");
        assert_eq!(
            (said.author.id.as_ref().unwrap().as_str(), &said.author.badges[..]),
            ("8", &[Badge::Moderator, Badge::Buyer][..])
        );
        assert_eq!(
            (
                said.channel.unwrap().as_str(),
                said.lang.unwrap().as_str(),
                said.reply.unwrap().to.as_str()
            ),
            ("shop", "vi", "t0")
        );
        let bare = message(&mut reader(), r#"{"author":"","text":"+1"}"#);
        assert!(
            bare.author.name.is_empty() && bare.at == now() && bare.platform == Platform::UNKNOWN
        );
    }

    #[test]
    fn removals_are_read() {
        let read = |line: &str| reader().line(now(), line.as_bytes());
        assert_eq!(read(r#"{"delete":"t1"}"#), Ok(Some(Update::Deleted(MessageId::new("t1")))));
        assert_eq!(
            read(r#"{"clear_user":7}"#),
            Ok(Some(Update::UserCleared {
                id: Some(UserId::new("7")),
                name: Some(Text::name("7")),
                removal: Removal::Cleared
            }))
        );
        for nothing in [r#"{"delete":""}"#, r#"{"delete":null}"#, r#"{"clear_user":[]}"#] {
            assert_eq!(read(nothing), Err(BadLine::NoId), "{nothing}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_is_counted() {
        let mut reader = reader();
        let long = format!(r#"{{"author":"a","text":"{}"}}"#, "x".repeat(1 << 20));
        let cases = [
            ("hello", BadLine::NotJson),
            (r#"{"author":"a","text":"b""#, BadLine::NotJson),
            (r#"["a"]"#, BadLine::NotObject),
            ("1", BadLine::NotObject),
            (r#"{"author":"a"}"#, BadLine::NoText),
            (r#"{"author":"a","text":""}"#, BadLine::NoText),
            (r#"{"author":"a","text":7}"#, BadLine::NoText),
            ("{\"author\":\"a\",\"text\":\"\u{202e} \"}", BadLine::NoText),
            (r#"{"text":"b"}"#, BadLine::NoAuthor),
            (r#"{"author":{},"text":"b"}"#, BadLine::NoAuthor),
            (long.as_str(), BadLine::TooLong),
        ];
        for (line, why) in cases {
            assert_eq!(reader.line(now(), line.as_bytes()), Err(why), "{line:.40}");
        }
        assert_eq!(reader.bad(), cases.len() as u64);
        assert_eq!((reader.line(now(), b" \r"), reader.bad()), (Ok(None), cases.len() as u64));
    }

    #[test]
    fn a_second_reading_gives_the_same_identifiers_and_nothing_twice() {
        let lines = [
            r#"{"author":"An","text":"+1"}"#,
            r#"{"author":"An","text":"+1"}"#,
            r#"{"author":"An","text":"+1","at":"2026-01-01T00:00:01Z"}"#,
            r#"{"author":"An","text":"+1","at":"2026-01-01T00:00:01Z"}"#,
            r#"{"author":"Bo","text":"+1","at":1767225601}"#,
        ];
        let mut reader = reader();
        let first: Vec<_> = lines.iter().map(|line| message(&mut reader, line).id).collect();
        let mut again = self::reader();
        let second: Vec<_> = lines.iter().map(|line| message(&mut again, line).id).collect();
        assert_eq!(first, second);
        let different: std::collections::HashSet<_> = first.iter().collect();
        assert_eq!(different.len(), lines.len(), "equal lines are messages of their own");
        reader.restart();
        for line in lines {
            assert_eq!(reader.line(now(), line.as_bytes()), Ok(None), "{line}");
        }
        assert!(reader.line(now(), lines[0].as_bytes()).unwrap().is_some(), "a line that is new");
    }

    #[test]
    fn invalid_utf8_and_a_byte_order_mark_lose_nothing() {
        let mut reader = reader();
        let read =
            reader.line(now(), b"\xef\xbb\xbf{\"author\":\"a\",\"text\":\"caf\xe9\"}\r").unwrap();
        assert!(matches!(read, Some(Update::Message(m)) if m.text.as_str() == "caf\u{fffd}"));
    }

    #[test]
    fn the_lines_of_tiktok_live_connector_are_read() {
        let said = message(
            &mut reader(),
            r#"{"comment":"SP1 2","user":{"uniqueId":"mia.x","nickname":"Mia","userId":"69"},"msgId":"76"}"#,
        );
        assert_eq!(
            (said.platform.as_str(), said.author.name.as_str(), said.id.as_str()),
            ("tiktok", "Mia", "76")
        );
        assert_eq!(said.author.id.unwrap().as_str(), "69");
        let flat = message(
            &mut reader(),
            r#"{"comment":"+1","uniqueId":"mia.x","nickname":"Mia","userId":"69"}"#,
        );
        assert_eq!((flat.author.name.as_str(), flat.author.id.unwrap().as_str()), ("Mia", "69"));
    }

    #[test]
    fn a_webhook_may_hold_one_several_or_lines() {
        let count =
            |body: &str| {
                let (mut good, mut bad) = (0, 0);
                reader().body(now(), body.as_bytes(), |read| {
                    if read.is_ok() { good += 1 } else { bad += 1 }
                });
                (good, bad)
            };
        let one = r#"{"author":"a","text":"b"}"#;
        assert_eq!(count(one), (1, 0));
        assert_eq!(count(&format!("[{one}, {one}, 3]")), (2, 1));
        assert_eq!(count(&format!("{one}\r\nx\n\n{one}\n")), (2, 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, at in 0_usize..120, by: u8) {
            let mut reader = reader();
            let _ = reader.line(now(), &bytes);
            let mut line = br#"{"id":"t1","at":"2026-01-01T00:00:05Z","platform":"tiktok","author":"Mia","text":"SP1 2","badges":["vip"]}"#.to_vec();
            if let Some(byte) = line.get_mut(at) { *byte = by; }
            let _ = reader.line(now(), &line);
            reader.body(now(), &bytes, |_| {});
        }
    }
}
