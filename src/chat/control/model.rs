//! The values of the control: acts of moderation, what faces see of claims, poll and outgoing lines, and what is new.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::{
    Author, MessageId, Text,
    claims::{Claim, ClaimId, ClaimsConfig, ItemCode, State as ClaimState},
    poll::Tally,
    room::Ours,
    rules::{Reason, RulesConfig},
    send,
};
use crate::base::SourceId;

/// What a show says of its chat as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ControlSpec {
    /// The rules by which lines are moderated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<RulesConfig>,
    /// How claims are treated.
    pub claims: ClaimsConfig,
    /// Items that are open from the beginning.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemSpec>,
}

/// An item that can be claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ItemSpec {
    /// Its code.
    pub code: ItemCode,
    /// Names by which viewers call it besides its code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// How many there are; `None` is without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<u32>,
}

/// Number of an act of moderation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActId(pub u64);

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The line was held for review.
    Hold,
    /// The line was hidden from viewers.
    Hide,
    /// A line that was held or hidden was shown.
    Show,
    /// The line was deleted.
    Delete,
    /// Its author may not write for so many seconds.
    TimeOut(u32),
    /// Its author may not write.
    Ban,
    /// A time-out or a ban was ended.
    Lift,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// An operator.
    Hand,
    /// A rule.
    Rule(Reason),
}

/// The outcome of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// The platform was asked and has not answered.
    Asked,
    /// Done.
    Done,
    /// The platform refused it, or could not be reached; here it holds.
    Failed {
        /// Why, in the platform's words.
        why: Text,
    },
    /// Undone.
    Undone,
}

/// An act of moderation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Its number.
    pub id: ActId,
    /// The time at which it was ordered, by hand or by a rule.
    pub at: Timestamp,
    /// The source.
    pub chat: SourceId,
    /// The line.
    pub message: MessageId,
    /// Who wrote it.
    pub author: Author,
    /// The channel, for a source that reads several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text>,
    /// What was done.
    pub what: What,
    /// Who did it.
    pub by: By,
    /// Why, as the operator wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Act {
    /// Whether it can be undone.
    pub fn can_be_undone(&self) -> bool {
        matches!(self.what, What::Hold | What::Hide | What::TimeOut(_) | What::Ban)
            && self.outcome != Outcome::Undone
    }
}

/// An outgoing line as faces see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentLine {
    /// The source.
    pub chat: SourceId,
    /// Its number in that source's queue.
    pub line: send::LineId,
    /// When it was asked for.
    pub at: Timestamp,
    /// What is said.
    pub text: String,
    /// The outcome.
    pub status: send::Status,
}

/// An item as faces see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemState {
    /// Its code.
    pub item: ItemCode,
    /// How many there are; `None` is without a limit.
    pub stock: Option<u32>,
    /// How many are granted, done ones included.
    pub granted: u64,
    /// How many are wished for and not granted.
    pub waiting: u64,
    /// How many are done.
    pub done: u64,
    /// Whether it can be claimed.
    pub open: bool,
}

/// A poll as faces see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollState {
    /// The choices.
    pub labels: Vec<String>,
    /// The votes.
    pub tally: Tally,
    /// Whether votes are taken.
    pub open: bool,
}

/// What faces see beside the lines; bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ControlState {
    /// Items, by their codes.
    pub items: Vec<ItemState>,
    /// The item on show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub featured: Option<ItemCode>,
    /// The newest claims of each item that are neither done nor cancelled, by item and in their order.
    pub claims: Vec<Claim>,
    /// The poll, also when it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollState>,
    /// The newest outgoing lines, the oldest first.
    pub lines: Vec<SentLine>,
    /// The newest acts of moderation, the oldest first.
    pub acts: Vec<Act>,
    /// Lines that wait for review, the oldest first.
    pub held: Vec<(SourceId, MessageId)>,
    /// Why the last request was not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// A request that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Counts requests, so that the same refusal twice can be told.
    pub number: u64,
    /// The request's name.
    pub request: String,
    /// The reason, as the operator reads it.
    pub why: String,
}

/// A claim that is new or has changed. It names nobody: it goes to the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimNews {
    /// Its number.
    pub claim: ClaimId,
    /// The item.
    pub item: ItemCode,
    /// How many are wished for.
    pub quantity: u32,
    /// How many are granted.
    pub granted: u32,
    /// Its state.
    pub state: ClaimState,
}

/// What happened, for whoever keeps it. It names nobody and repeats no line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// Claims that are new or have changed.
    Claims(Vec<ClaimNews>),
    /// A poll began.
    PollOpened(Vec<String>),
    /// A poll was closed, with its result.
    PollClosed(PollState),
    /// An act of moderation, or its outcome.
    Moderated {
        /// The source.
        chat: SourceId,
        /// Its number.
        act: ActId,
        /// What was done.
        what: What,
        /// Whether a rule did it.
        by_rule: bool,
        /// The outcome.
        outcome: Outcome,
    },
    /// What became of an outgoing line.
    Sent {
        /// The source.
        chat: SourceId,
        /// Its number.
        line: send::LineId,
        /// The outcome.
        status: send::Status,
    },
    /// A request was not carried out.
    Refused(Refused),
}

impl News {
    /// Passes what a platform said through `clean`: it may repeat a secret.
    pub fn with_foreign(&mut self, clean: impl Fn(&str) -> String) {
        let cleaned = |text: &mut Text| *text = Text::new(&clean(text.as_str()));
        match self {
            Self::Moderated { outcome: Outcome::Failed { why }, .. } => cleaned(why),
            Self::Sent { status: send::Status::Dropped { code, text }, .. } => {
                cleaned(code);
                cleaned(text);
            }
            Self::Sent { status: send::Status::Failed(send::Failure::Other(text)), .. } => {
                cleaned(text);
            }
            Self::Refused(refused) => refused.why = clean(&refused.why),
            Self::Claims(_)
            | Self::PollOpened(_)
            | Self::PollClosed(_)
            | Self::Moderated { .. }
            | Self::Sent { .. } => {}
        }
    }
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such source.
    #[error("there is no chat '{0}'")]
    NoSource(SourceId),
    /// The platform, or the way in which it is read, does not offer it.
    #[error("{chat}: {what} there")]
    Cannot {
        /// The source.
        chat: SourceId,
        /// What cannot be done.
        what: &'static str,
    },
    /// No source can be written to.
    #[error("no chat of this show can be written to: give one of them an account or a token")]
    NobodyWrites,
    /// It has fallen out of what is held, or never came.
    #[error("that message is not held any more: the newest {0} are")]
    NoMessage(usize),
    /// Its state cannot be changed.
    #[error("{0}")]
    Line(#[from] super::super::room::Refusal),
    /// The line cannot be said.
    #[error("{chat}: {why}")]
    Say {
        /// The source.
        chat: SourceId,
        /// The reason of its queue.
        why: send::Refusal,
    },
    /// Not a length that a time-out can have.
    #[error("a time-out is 1 to {0} s")]
    Seconds(u32),
    /// The platform gives no identifier of the author.
    #[error("the platform does not say who wrote that message")]
    Nobody,
    /// No such act, or it cannot be undone.
    #[error("there is no act of moderation that can be undone")]
    NothingToUndo,
    /// Of claims.
    #[error("{0}")]
    Claim(#[from] super::super::claims::Refusal),
    /// The poll is not as a poll must be.
    #[error("{0}")]
    Poll(#[from] super::super::poll::Invalid),
    /// There is no poll.
    #[error("no poll is open")]
    NoPoll,
}

/// What an act does to a line here.
pub(super) const fn ours(what: What) -> Option<Ours> {
    match what {
        What::Hold => Some(Ours::Hold),
        What::Hide => Some(Ours::Hide),
        What::Show => Some(Ours::Show),
        What::Delete => Some(Ours::Delete),
        What::TimeOut(_) | What::Ban => Some(Ours::Hide),
        What::Lift => None,
    }
}
