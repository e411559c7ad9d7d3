//! Bridges: programs of others that read many sites and send their chats as JSON. Which bridge a frame comes from shows in
//! its form. Their text may be HTML, which a parser turns into text.

pub mod html;
mod restream;
mod social_stream;
mod streamer_bot;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Author, Kind, Message, MessageId, Platform, Text, Update, UserId, json as read,
    seen::{Derive, Seen},
};
use crate::base::SourceId;

/// The longest frame that is read, in bytes. Pictures may come as data addresses.
pub const MOST_FRAME: usize = 2 << 20;

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// It is longer than allowed.
    #[error("the frame is longer than {MOST_FRAME} bytes")]
    TooLong,
    /// It is not JSON.
    #[error("the frame is not JSON")]
    NotJson,
    /// It has the form of no bridge that is known.
    #[error("the frame has the form of no known bridge")]
    Unknown,
}

/// Reads the frames of one source.
#[derive(Debug, Clone)]
pub struct Reader {
    source: SourceId,
    derive: Derive,
    seen: Seen<MessageId>,
    bad: u64,
}

impl Reader {
    /// A reader.
    pub fn new(source: SourceId) -> Self {
        Self { source, derive: Derive::default(), seen: Seen::default(), bad: 0 }
    }

    /// How many frames could not be read.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// Reads one frame; `now` is the time of arrival. `None` where the frame is no chat, or was read before.
    pub fn frame(&mut self, now: Timestamp, bytes: &[u8]) -> Result<Option<Update>, BadFrame> {
        let read = self.update(now, bytes);
        self.bad += u64::from(read.is_err());
        let Some(update) = read? else { return Ok(None) };
        if let Update::Message(message) = &update
            && !self.seen.insert(message.id.clone())
        {
            return Ok(None);
        }
        Ok(Some(update))
    }

    fn update(&mut self, now: Timestamp, bytes: &[u8]) -> Result<Option<Update>, BadFrame> {
        if bytes.len() > MOST_FRAME {
            return Err(BadFrame::TooLong);
        }
        let frame: Value = serde_json::from_slice(bytes).map_err(|_| BadFrame::NotJson)?;
        let mut into = Into { source: &self.source, derive: &mut self.derive, now };
        // Social Stream Ninja wraps its frames in some of its modes.
        let inner = ["overlayNinja", "contents"].iter().find_map(|key| frame.get(key));
        let inner = inner.filter(|inner| inner.is_object()).unwrap_or(&frame);
        if social_stream::is_one(inner) {
            return Ok(social_stream::update(inner, &mut into));
        }
        if streamer_bot::is_one(&frame) {
            return Ok(streamer_bot::update(&frame, &mut into));
        }
        if restream::is_one(&frame) {
            return Ok(restream::update(&frame, &mut into));
        }
        Err(BadFrame::Unknown)
    }
}

/// The frame that joins a session of Social Stream Ninja's local server. The name of the session is its secret.
pub fn social_stream_join(session: &str) -> String {
    json!({"join": session, "in": 4}).to_string()
}

/// The frame that has Social Stream Ninja write into every chat it is connected to; and how many bytes of the text fit. It
/// is heard where "remote API control" is switched on there, and is not answered.
pub fn social_stream_send(text: &str) -> Result<(String, usize), super::request::Refusal> {
    // The limit is that of the site; 500 is what the largest take.
    let (line, kept) = super::request::one_line(text, 500)?;
    Ok((json!({"action": "sendChat", "value": line}).to_string(), kept))
}

/// The frame that subscribes to Streamer.bot's chat events.
pub fn streamer_bot_subscribe() -> String {
    json!({
        "request": "Subscribe",
        "id": "hawker",
        "events": {
            "Twitch": ["ChatMessage", "ChatMessageDeleted", "ChatCleared", "UserTimedOut", "UserBanned"],
            "YouTube": ["Message", "MessageDeleted", "UserBanned"],
            "Kick": ["ChatMessage", "ChatMessageDeleted", "UserTimedOut", "UserBanned"],
        },
    })
    .to_string()
}

/// What a message needs beside what the frame says.
struct Into<'a> {
    source: &'a SourceId,
    derive: &'a mut Derive,
    now: Timestamp,
}

/// What a frame says of a message.
struct Said<'a> {
    id: Option<String>,
    platform: Platform,
    channel: Option<Text>,
    at: Option<Timestamp>,
    author: Author,
    raw: &'a str,
    kind: Kind,
}

impl Into<'_> {
    fn message(&mut self, said: Said<'_>) -> Message {
        let at = said.at.unwrap_or(self.now);
        let id = if let Some(id) = said.id {
            MessageId::new(&id)
        } else {
            let who = said.author.id.as_ref().map_or(said.author.name.as_str(), UserId::as_str);
            let second = at.as_second().to_be_bytes();
            let platform = said.platform.as_str().as_bytes();
            self.derive.id(&[&second, platform, who.as_bytes(), said.raw.as_bytes()])
        };
        Message {
            channel: said.channel,
            kind: said.kind,
            ..Message::new(
                id,
                self.source.clone(),
                said.platform,
                at,
                said.author,
                Text::new(said.raw),
            )
        }
    }
}

/// The badges whose keys are switched on, sorted.
fn flagged(value: &Value, keys: &[(&str, super::Badge)]) -> Vec<super::Badge> {
    let on = keys.iter().filter(|(key, _)| read::flag(value, &[key])).map(|(_, badge)| *badge);
    let mut all: Vec<_> = on.collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests;
