//! What must hold of everything that comes out of a source, whatever went in.

use std::collections::HashSet;

use hawker::chat::{Kind, Message, MessageId, Text, Update, request::Request};

/// Longest text in bytes: 1,000 graphemes of the size that cleaning leaves.
const MOST_TEXT: usize = 96_000;

/// A text that may be shown.
pub fn text(text: &Text) {
    let shown = text.as_str();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}');
    assert!(!shown.chars().any(turns), "{shown:?}");
    assert!(shown.len() <= MOST_TEXT, "{} bytes", shown.len());
    assert_eq!(Text::new(shown).as_str(), shown, "cleaning again changes it");
}

/// An identifier that names something.
pub fn id(id: &str) {
    assert!((1..=200).contains(&id.len()), "{id:?}");
    assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?}");
}

/// A message.
pub fn message(message: &Message) {
    id(message.id.as_str());
    text(&message.text);
    text(&message.author.name);
    for one in message.author.login.iter().chain(&message.channel).chain(&message.lang) {
        text(one);
    }
    if let Some(user) = &message.author.id {
        id(user.as_str());
    }
    if let Some(reply) = &message.reply {
        id(reply.to.as_str());
        reply.text.iter().for_each(text);
    }
    if let Some(origin) = &message.origin {
        id(origin.id.as_str());
        text(&origin.channel);
    }
    if let Kind::Paid { amount } = &message.kind {
        text(&amount.currency);
    }
    assert!(message.author.badges.is_sorted_by(|a, b| a < b), "{:?}", message.author.badges);
    let mut after = 0;
    for emote in &message.emotes {
        assert!(after <= emote.start && emote.start < emote.end, "{:?}", message.emotes);
        assert!(message.text.as_str().get(emote.start..emote.end).is_some(), "{message:?}");
        after = emote.end;
    }
    let json = serde_json::to_string(message).expect("a message is JSON");
    let again: Message = serde_json::from_str(&json).expect("what was written is read");
    assert_eq!(&again, message, "{json}");
}

/// What one source reports, in order.
#[derive(Debug, Default)]
pub struct Reported {
    seen: HashSet<MessageId>,
    /// How many messages there were.
    pub messages: usize,
}

impl Reported {
    /// Checks one report.
    pub fn update(&mut self, update: &Update) {
        match update {
            Update::Message(one) => {
                message(one);
                self.messages += 1;
                assert!(self.seen.insert(one.id.clone()), "twice: {one:?}");
            }
            Update::Deleted(deleted) => id(deleted.as_str()),
            Update::UserCleared { id: user, name, .. } => {
                // One that names nobody would be taken for everybody.
                assert!(user.is_some() || name.is_some(), "{update:?}");
                if let Some(user) = user {
                    id(user.as_str());
                }
                name.iter().for_each(text);
                assert!(name.as_ref().is_none_or(|name| !name.is_empty()), "{update:?}");
            }
            Update::AllCleared => {}
            Update::Moderated { .. } => panic!("no source moderates: {update:?}"),
            Update::Hole { from, until } => assert!(from < until, "{update:?}"),
        }
    }
}

/// A request to a platform: nothing that is removed goes without an identifier.
pub fn request(request: &Request) {
    assert!(request.path.starts_with('/') && !request.path.contains(['\r', '\n', '?', '#', ' ']));
    if request.method == hawker::chat::request::Method::Delete {
        assert!(!request.path.ends_with('/'), "{request:?}");
        assert!(request.query.iter().all(|(_, value)| !value.is_empty()), "{request:?}");
    }
}

/// Bytes for a server: one line, at most 512 bytes.
pub fn wire(bytes: &[u8]) {
    let line = bytes.strip_suffix(b"\r\n").expect("a line ends with CR LF");
    assert!(line.len() <= 510, "{}", line.len());
    assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{line:?}");
}
