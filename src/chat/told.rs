//! What is told of the chat: an update of a source with what was found in it. [`Told`] travels to the faces; [`Row`] is
//! the same as one flat JSON object, for scripts (`hawker chat --json`).

mod export;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Amount, Kind, Message, Update,
    finders::{Complaint, Finds, Question},
    language::Language,
    room::Ours,
};
use crate::base::SourceId;

pub use export::COLUMNS;

/// One step of the merged chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Counts up by one; a gap shows that some were missed.
    pub number: u64,
    /// The source.
    pub source: SourceId,
    /// What happened.
    pub update: Update,
    /// The language of a message, where it was recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// What a message holds.
    #[serde(default, skip_serializing_if = "Finds::is_empty")]
    pub finds: Finds,
}

/// How a source is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum Status {
    /// It is being connected.
    Connecting,
    /// It is read.
    Live,
    /// It is connected, but nothing was heard for too long.
    Silent {
        /// When something was heard last.
        #[schemars(with = "String")]
        since: Timestamp,
        /// A keepalive is overdue, so that the source is likely dead. Else it has none, and nobody may be writing.
        overdue: bool,
    },
    /// It is tried again after a wait.
    Waiting {
        /// Why it is not read.
        why: String,
        /// How long, in milliseconds.
        retry_in_ms: u64,
    },
    /// It is not tried again by itself.
    Failed {
        /// Why, and what to do.
        why: String,
    },
    /// It has come to its end.
    Ended,
}

/// A source as the faces see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// Its name.
    pub id: SourceId,
    /// `twitch`, `irc`, ...
    pub kind: String,
    /// How it is doing.
    #[serde(flatten)]
    pub status: Status,
    /// When anything came last, also what is no message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Timestamp>,
    /// Messages so far.
    pub messages: u64,
    /// What could not be read.
    pub unreadable: u64,
}

/// One line of `hawker chat --json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "hawker chat line")]
pub enum Row {
    /// A message.
    Message(Box<MessageRow>),
    /// One message was removed.
    Deleted {
        /// When this was heard.
        #[schemars(with = "String")]
        at: Timestamp,
        /// The source.
        source: String,
        /// Its `id`.
        deleted: String,
    },
    /// A user's messages were removed.
    UserCleared {
        /// When this was heard.
        #[schemars(with = "String")]
        at: Timestamp,
        /// The source.
        source: String,
        /// Whose: the platform's identifier, or the name where it gives none.
        cleared_user: String,
        /// `cleared`, `timed-out` or `banned`.
        removal: &'static str,
        /// How long the user may not write.
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// The whole chat of a source was cleared.
    AllCleared {
        /// When this was heard.
        #[schemars(with = "String")]
        at: Timestamp,
        /// The source whose chat was cleared.
        cleared_all: String,
    },
    /// What was done to one message here.
    Moderated {
        /// When this was heard.
        #[schemars(with = "String")]
        at: Timestamp,
        /// The source.
        source: String,
        /// Its `id`.
        moderated: String,
        /// `shown`, `hidden`, `held` (for review) or `deleted`.
        state: &'static str,
    },
    /// Messages of a source are missing, and cannot be read any more.
    Hole {
        /// The last time up to which nothing is missing.
        #[schemars(with = "String")]
        at: Timestamp,
        /// The source.
        source: String,
        /// How long the hole is, in seconds.
        hole_s: f64,
        /// In an export: so many lines came in that time, but could not be stored.
        #[serde(skip_serializing_if = "Option::is_none")]
        unstored: Option<u64>,
    },
    /// A source is doing otherwise.
    Source {
        /// When.
        #[schemars(with = "String")]
        at: Timestamp,
        /// The source.
        source: String,
        /// Its state.
        #[serde(flatten)]
        status: Status,
    },
}

/// A message.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MessageRow {
    /// Unique within the source.
    pub id: String,
    /// The platform's time; the time of arrival where it gives none.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The source, as the show names it.
    pub source: String,
    /// `twitch`, `youtube`, `tiktok`, ...
    pub platform: String,
    /// The channel, where a source reads several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The name shown; empty where the platform withholds it.
    pub author: String,
    /// The platform's identifier of the author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_id: Option<String>,
    /// `owner`, `moderator`, `member`, `buyer`, `vip`, `verified`, `first`, `bot`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub badges: Vec<super::Badge>,
    /// What was written, harmless to show.
    pub text: String,
    /// The language (BCP 47); null where it was not recognised.
    pub lang: Option<String>,
    /// What was found in the text.
    pub finds: FindsRow,
    /// What was paid for the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid: Option<PaidRow>,
    /// `action`, `membership`, `gift` or `notice`; absent for an ordinary line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<&'static str>,
    /// The message that is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The other channel in which it was written first (shared chat).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_from: Option<String>,
    /// It was written before the source was connected: it claims nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backlog: bool,
    /// It was written by hawker's own account.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// It was found by a second reading only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// In an export: it was removed, and its text is not stored any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<RemovedRow>,
}

/// When and how a stored message was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RemovedRow {
    /// When this was heard.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The kind of removal.
    pub how: RemovedHow,
}

/// How a stored message came to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RemovedHow {
    /// By itself.
    Deleted,
    /// With all messages of its author.
    Cleared,
    /// The same, and the author may not write for a while.
    TimedOut,
    /// The same, and the author may not write any more.
    Banned,
    /// With the whole chat.
    AllCleared,
}

/// What was found in a text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FindsRow {
    /// The first order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderRow>,
    /// Further orders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_orders: Vec<OrderRow>,
    /// What is asked about: `price`, `size`, `stock`, `shipping`, `payment`, `order`, `other`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub question: Vec<Question>,
    /// What is wrong with picture or sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complaint: Option<Complaint>,
    /// Items that are named without being ordered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Links.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub link: Vec<String>,
    /// How many phone numbers the text holds.
    #[serde(skip_serializing_if = "is_zero")]
    pub phones: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
const fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// An order.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct OrderRow {
    /// The item; null where only a quantity is said: it is for the item on show.
    pub item: Option<String>,
    /// How many.
    pub quantity: u32,
}

/// A sum.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PaidRow {
    /// Millionths of a unit.
    pub micros: u64,
    /// ISO 4217, or what the platform calls it.
    pub currency: String,
}

impl Row {
    /// What was told, flat. `now` is for what has no time of its own.
    pub fn of(told: &Told, now: Timestamp) -> Self {
        let source = told.source.to_string();
        match &told.update {
            Update::Message(message) => Self::Message(Box::new(MessageRow::of(message, told))),
            Update::Deleted(id) => Self::Deleted { at: now, source, deleted: id.to_string() },
            Update::UserCleared { id, name, removal } => {
                let id = id.as_ref().map(ToString::to_string);
                let whose = id.or_else(|| name.as_ref().map(ToString::to_string));
                let (removal, seconds) = match removal {
                    super::Removal::Cleared => ("cleared", None),
                    super::Removal::TimedOut(time) => ("timed-out", Some(time.as_secs())),
                    super::Removal::Banned => ("banned", None),
                };
                let cleared_user = whose.unwrap_or_default();
                Self::UserCleared { at: now, source, cleared_user, removal, seconds }
            }
            Update::AllCleared => Self::AllCleared { at: now, cleared_all: source },
            Update::Moderated { message, to } => {
                let state = match to {
                    Ours::Show => "shown",
                    Ours::Hide => "hidden",
                    Ours::Hold => "held",
                    Ours::Delete => "deleted",
                };
                Self::Moderated { at: now, source, moderated: message.to_string(), state }
            }
            Update::Hole { from, until } => {
                let hole_s = until.duration_since(*from).as_secs_f64();
                Self::Hole { at: *from, source, hole_s, unstored: None }
            }
        }
    }
}

impl MessageRow {
    fn of(message: &Message, told: &Told) -> Self {
        let text = message.text.to_string();
        let spans = |all: &[super::finders::Span]| -> Vec<String> {
            all.iter().filter_map(|s| text.get(s.start..s.end)).map(str::to_owned).collect()
        };
        let order = |order: &super::finders::Order| OrderRow {
            item: order.code.clone(),
            quantity: order.quantity,
        };
        let finds = FindsRow {
            order: told.finds.order.as_ref().map(order),
            more_orders: told.finds.more_orders.iter().map(order).collect(),
            question: told.finds.questions.clone(),
            complaint: told.finds.complaint,
            items: told.finds.items.clone(),
            link: spans(&told.finds.links),
            phones: told.finds.phones.len(),
        };
        let lang = told.language.map(|language| language.code().to_owned());
        Self {
            id: message.id.to_string(),
            at: message.at,
            source: message.source.to_string(),
            platform: message.platform.to_string(),
            channel: message.channel.as_ref().map(ToString::to_string),
            author: message.author.name.to_string(),
            author_id: message.author.id.as_ref().map(ToString::to_string),
            badges: message.author.badges.clone(),
            lang: message.lang.as_ref().map(ToString::to_string).or(lang),
            finds,
            paid: match &message.kind {
                Kind::Paid { amount: Amount { micros, currency } } => {
                    Some(PaidRow { micros: *micros, currency: currency.to_string() })
                }
                _ => None,
            },
            event: match message.kind {
                Kind::Text | Kind::Paid { .. } => None,
                Kind::Action => Some("action"),
                Kind::Membership => Some("membership"),
                Kind::Gift => Some("gift"),
                Kind::Notice => Some("notice"),
            },
            reply_to: message.reply.as_ref().map(|reply| reply.to.to_string()),
            shared_from: message.origin.as_ref().map(|origin| origin.channel.to_string()),
            backlog: message.backlog,
            own: message.own,
            late: message.late,
            removed: None,
            text,
        }
    }
}
