//! The values of claims.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::{MessageId, Person, Platform, Text};
use crate::base::{SourceId, text};

/// Longest code of an item, in characters.
const MOST_CODE: usize = 32;

/// The code of an item: upper case, without blanks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemCode(Box<str>);

/// Not the code of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an item's code is 1-{MOST_CODE} letters, digits, '-' or '_'")]
pub struct NoItemCode;

impl ItemCode {
    /// Reads a code: `a 12` is `A12`.
    pub fn new(raw: &str) -> Result<Self, NoItemCode> {
        let code: String = raw
            .chars()
            .take(MOST_CODE * 2)
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_uppercase)
            .collect();
        let fits = (1..=MOST_CODE).contains(&code.chars().count())
            && code == text::plain(&code)
            && code.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_' || !c.is_ascii());
        if fits { Ok(Self(code.into())) } else { Err(NoItemCode) }
    }

    /// As a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ItemCode {
    type Error = NoItemCode;

    fn try_from(raw: String) -> Result<Self, NoItemCode> {
        Self::new(&raw)
    }
}

impl From<ItemCode> for String {
    fn from(code: ItemCode) -> Self {
        code.0.into_string()
    }
}

impl fmt::Display for ItemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A second claim of one person on one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// The first counts.
    #[default]
    Ignore,
    /// Their quantities add up; each stands at its own time.
    Add,
    /// The last quantity counts. Less is taken off what the person has; more stands in line for the difference.
    Replace,
}

/// How claims are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ClaimsConfig {
    /// For so long after its time a claim may still be overtaken by one written earlier, in milliseconds.
    pub settle_ms: u32,
    /// A second claim of one person on one item.
    pub duplicates: Duplicates,
    /// Grant a part of a claim when there is no more.
    pub partial: bool,
    /// Items that were not opened are opened by their first claim, without a limit.
    pub any_item: bool,
    /// Largest quantity of one claim.
    pub most_quantity: u32,
    /// Largest number of claims and other steps on one item.
    pub most_steps: usize,
}

impl Default for ClaimsConfig {
    fn default() -> Self {
        Self {
            // YouTube's server stream and Facebook's reconciling read deliver within a few seconds; 3 s is what a
            // host can wait before saying a name.
            settle_ms: 3_000,
            duplicates: Duplicates::Ignore,
            partial: false,
            any_item: false,
            most_quantity: 99,
            most_steps: 20_000,
        }
    }
}

/// A claim's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimId(pub u64);

/// Why a claim is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Its owner cancelled.
    User,
    /// The host cancelled.
    Host,
    /// The person had claimed this item before.
    Duplicate,
    /// It only changed the quantity of the person's earlier claim.
    Amended,
}

/// The outcome of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// May still be overtaken; what is granted is provisional.
    New,
    /// Granted.
    Confirmed,
    /// On the wait-list.
    Waiting,
    /// Cancelled.
    Cancelled(Why),
    /// Paid or handed over, as the host says.
    Done,
}

/// How a claim came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Found in a message.
    Finder,
    /// Entered by hand.
    Hand,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its number.
    pub id: ClaimId,
    /// What is claimed.
    pub item: ItemCode,
    /// How many.
    pub quantity: u32,
    /// When it was written, or entered by hand.
    pub at: Timestamp,
    /// Arrived after what was written later had settled.
    pub late: bool,
    /// How it came about.
    pub by: By,
    /// The message, if there is one.
    pub message: Option<(SourceId, MessageId)>,
    /// Where it was written.
    pub platform: Option<Platform>,
    /// Whose it is, where that is known.
    pub person: Option<Person>,
    /// The name to show.
    pub name: Text,
    /// What was written.
    pub text: Text,
    /// How many are granted.
    pub granted: u32,
    /// The outcome.
    pub state: State,
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Backlog, a copy of another channel's message, a bot, our own account, or no ordinary message.
    #[error("this message cannot claim")]
    MayNotAct,
    /// No such item, or it was closed before.
    #[error("this item is not open")]
    NotOpen,
    /// A quantity of nothing or too much.
    #[error("a quantity is 1 to {0}")]
    Quantity(u32),
    /// Too many claims or items.
    #[error("the list is full")]
    Full,
    /// This message has claimed this item already.
    #[error("this message has claimed already")]
    Twice,
    /// No such claim.
    #[error("there is no such claim")]
    NoClaim,
    /// Only what is confirmed can be done.
    #[error("this claim is not confirmed")]
    NotConfirmed,
    /// Cancelled or done already.
    #[error("this claim is closed")]
    Closed,
    /// The new stock is less than what is granted.
    #[error("{0} are granted already")]
    BelowGranted(u64),
    /// There is nothing to undo.
    #[error("there is nothing to undo")]
    NothingToUndo,
}

/// A claim that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The claim.
    pub id: ClaimId,
    /// Its state now.
    pub state: State,
    /// How many are granted now.
    pub granted: u32,
}

/// Sums over an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// How many there are; `None` without a limit.
    pub stock: Option<u32>,
    /// How many are granted, done ones included.
    pub granted: u64,
    /// How many are wished for and not granted.
    pub waiting: u64,
    /// How many are done.
    pub done: u64,
}
