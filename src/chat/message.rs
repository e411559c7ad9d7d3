//! The message model: every platform's codec produces these types, and everything after the codec reads only them.

use std::{borrow::Cow, fmt, time::Duration};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::room::Ours;
use crate::base::{SourceId, text};

/// Longest text of a message that is kept, in graphemes. The largest limit of the platforms read is IRC's 8,191 bytes of
/// tags beside 512 of text; YouTube's is 200 characters, Twitch's 500.
const MOST_GRAPHEMES: usize = 1_000;
/// Longest name or short field, in graphemes.
const MOST_NAME: usize = 100;
/// Longest identifier of a platform, in bytes; a longer one is cut.
const MOST_ID: usize = 200;

/// Text from outside, made harmless: one line, no control characters, no marks of direction, bounded length.
/// There is no other way to make one, so a message cannot hold raw text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(Box<str>);

impl Text {
    /// The text of a message.
    pub fn new(raw: &str) -> Self {
        Self::bounded(raw, MOST_GRAPHEMES)
    }

    /// A name, a badge, a channel: shorter.
    pub fn name(raw: &str) -> Self {
        Self::bounded(raw, MOST_NAME)
    }

    /// A name that says whose something is; `None` where nothing of it is left, which would be anybody's.
    pub fn named(raw: &str) -> Option<Self> {
        Some(Self::name(raw)).filter(|name| !name.is_empty())
    }

    fn bounded(raw: &str, most: usize) -> Self {
        // Cut before cleaning: a hostile megabyte is not walked through. A grapheme that is kept has at most
        // a few dozen bytes.
        let head = cut(raw, most * 64);
        let plain = text::plain(head);
        let kept: String = plain.trim().graphemes(true).take(most).collect();
        Self(kept.into())
    }

    /// As a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.into_string()
    }
}

/// The first `most` bytes, cut at a character's border.
fn cut(raw: &str, most: usize) -> &str {
    let mut end = raw.len().min(most);
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    &raw[..end]
}

macro_rules! identifier {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $type(Box<str>);

        impl $type {
            /// Takes an identifier from outside: printable ASCII is kept as it is, anything else is replaced by `?`.
            pub fn new(raw: &str) -> Self {
                let clean: String = cut(raw, MOST_ID)
                    .chars()
                    .map(|c| if c.is_ascii_graphic() { c } else { '?' })
                    .collect();
                Self(clean.into())
            }

            /// As a string slice.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $type {
            fn from(raw: String) -> Self {
                Self::new(&raw)
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> Self {
                id.0.into_string()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

identifier!(
    /// A message's identifier on its platform; unique within one source.
    MessageId
);
identifier!(
    /// A user's identifier on the platform (not the display name).
    UserId
);

/// The platform on which a message was written: lower case, letters and digits (`twitch`, `youtube`, `tiktok`). A
/// bridge reports some 150 of them, so this is an open set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Platform(Cow<'static, str>);

impl Platform {
    /// Twitch.
    pub const TWITCH: Self = Self(Cow::Borrowed("twitch"));
    /// YouTube Live.
    pub const YOUTUBE: Self = Self(Cow::Borrowed("youtube"));
    /// Kick.
    pub const KICK: Self = Self(Cow::Borrowed("kick"));
    /// Facebook Live.
    pub const FACEBOOK: Self = Self(Cow::Borrowed("facebook"));
    /// Shopee Live.
    pub const SHOPEE: Self = Self(Cow::Borrowed("shopee"));
    /// An IRC network.
    pub const IRC: Self = Self(Cow::Borrowed("irc"));
    /// Where a bridge does not say which.
    pub const UNKNOWN: Self = Self(Cow::Borrowed("unknown"));

    /// A platform by the name a bridge gives it (`TikTok`, `YouTube Shorts`). Nothing usable left: [`Self::UNKNOWN`].
    pub fn named(raw: &str) -> Self {
        let slug: String = cut(raw, MOST_ID)
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(24)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if slug.is_empty() { Self::UNKNOWN } else { Self(Cow::Owned(slug)) }
    }

    /// As a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Platform {
    fn from(raw: String) -> Self {
        Self::named(&raw)
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.0.into_owned()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a platform says of an author's standing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Badge {
    /// The channel's owner.
    Owner,
    /// A moderator of the channel.
    Moderator,
    /// A paying member or subscriber.
    Member,
    /// Has bought something in this shop.
    Buyer,
    /// Marked by the channel as important (Twitch VIP).
    Vip,
    /// Verified by the platform.
    Verified,
    /// Writes here for the first time, as the platform says.
    First,
    /// A program, as the platform or the configuration says.
    Bot,
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Author {
    /// The platform's identifier, where one is given. Facebook and Restream may give none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
    /// The name to show; empty where the platform withholds it.
    pub name: Text,
    /// The login name where it differs from the name shown (Twitch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Text>,
    /// Sorted, no badge twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub badges: Vec<Badge>,
}

impl Author {
    /// Whether the platform gives the author this badge.
    pub fn has(&self, badge: Badge) -> bool {
        self.badges.contains(&badge)
    }
}

/// A picture within a text. The text keeps the emote's name, so nothing is lost where pictures cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emote {
    /// First byte of the emote's name in the message's text.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
    /// The platform's identifier of the picture.
    pub id: MessageId,
}

/// A sum as the platform reports it, in millionths of a unit of the currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Millionths of one unit.
    pub micros: u64,
    /// ISO 4217, or what the platform calls it (`BITS`).
    pub currency: Text,
}

/// What kind of message this is. Only [`Kind::Text`] and [`Kind::Paid`] can claim an order, vote or trigger a cue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Kind {
    /// An ordinary line.
    Text,
    /// An action (`/me waves`).
    Action,
    /// A line that was paid for: Super Chat, bits.
    Paid {
        /// How much.
        amount: Amount,
    },
    /// A membership or subscription, new or renewed or given away.
    Membership,
    /// A gift without a text of its own.
    Gift,
    /// An announcement, a raid, any notice of the platform.
    Notice,
}

/// The message that is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Its identifier.
    pub to: MessageId,
    /// Its text, where the platform quotes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
}

/// Where a message of shared chat was written first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The other channel.
    pub channel: Text,
    /// The identifier the message has there; the same in all copies.
    pub id: MessageId,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Unique within the source. Where the platform gives none, the codec derives one that is the same on a second
    /// reading of the same message.
    pub id: MessageId,
    /// Which `[[chat]]` of the show it came through.
    pub source: SourceId,
    /// Where it was written.
    pub platform: Platform,
    /// The channel, where a source reads several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text>,
    /// The platform's time; the time of arrival where it gives none.
    pub at: Timestamp,
    /// Who wrote it.
    pub author: Author,
    /// What was written.
    pub text: Text,
    /// Pictures in the text, in order, not overlapping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emotes: Vec<Emote>,
    /// What kind of message.
    #[serde(flatten)]
    pub kind: Kind,
    /// The message that is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// Set on a copy of a message of another channel (shared chat).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The language, where the source says so (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Text>,
    /// Was written before the source was connected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backlog: bool,
    /// Was written by the account that hawker itself uses.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// Was found only by a second reading (Facebook), so it stands later in the pane than it was written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

impl Message {
    /// An ordinary line, live, by somebody else; what differs is set by the caller.
    pub const fn new(
        id: MessageId,
        source: SourceId,
        platform: Platform,
        at: Timestamp,
        author: Author,
        text: Text,
    ) -> Self {
        Self {
            id,
            source,
            platform,
            channel: None,
            at,
            author,
            text,
            emotes: Vec::new(),
            kind: Kind::Text,
            reply: None,
            origin: None,
            lang: None,
            backlog: false,
            own: false,
            late: false,
        }
    }

    /// Whether it may claim an order, vote, or trigger anything: written live by a person in this channel.
    pub fn may_act(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Paid { .. })
            && !self.backlog
            && !self.own
            && self.origin.is_none()
            && !self.author.has(Badge::Bot)
    }
}

/// How a user's lines came to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// The lines were removed, the user may go on.
    Cleared,
    /// The user may not write for so long.
    TimedOut(Duration),
    /// The user may not write any more.
    Banned,
}

/// What a source's codec reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Update {
    /// A message came.
    Message(Box<Message>),
    /// One message was removed on the platform.
    Deleted(MessageId),
    /// A user's messages were removed. `id` or `name` (the login name on Twitch) says whose.
    UserCleared {
        /// The platform's identifier.
        id: Option<UserId>,
        /// The login or display name.
        name: Option<Text>,
        /// Whether the user may go on.
        removal: Removal,
    },
    /// The whole chat was cleared.
    AllCleared,
    /// What we did to one message here; its platform is asked apart.
    Moderated {
        /// The message.
        message: MessageId,
        /// Its state from now on.
        to: Ours,
    },
    /// Messages between these times are missing, and the platform offers no way to read them.
    Hole {
        /// The last time up to which nothing is missing.
        from: Timestamp,
        /// From here on nothing is missing.
        until: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_harmless_and_bounded() {
        assert_eq!(Text::new(" a\x1b]0;x\x07\r\nb\u{202e} ").as_str(), "a]0;x  b");
        assert_eq!(Text::new(&"é".repeat(5_000)).as_str().chars().count(), MOST_GRAPHEMES);
        let megabyte = "👩\u{200d}🍳".repeat(100_000);
        assert_eq!(Text::new(&megabyte).as_str().graphemes(true).count(), MOST_GRAPHEMES);
        assert_eq!(MessageId::new("a b\x1bc").as_str(), "a?b?c");
        assert_eq!(Platform::named("YouTube Shorts").as_str(), "youtubeshorts");
        assert_eq!(Platform::named("\x1b"), Platform::UNKNOWN);
    }

    #[test]
    fn a_message_is_the_same_after_json() {
        let message = Message {
            kind: Kind::Paid { amount: Amount { micros: 1_990_000, currency: Text::name("USD") } },
            backlog: true,
            ..Message::new(
                MessageId::new("m1"),
                "tw".parse().unwrap(),
                Platform::TWITCH,
                Timestamp::UNIX_EPOCH,
                Author { name: Text::name("Lan"), ..Author::default() },
                Text::new("SP1 2"),
            )
        };
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message, "{json}");
        assert!(!message.may_act());
    }
}
