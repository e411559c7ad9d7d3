//! Outgoing lines: a queue per source that keeps the platform's limits, the state of each line, and the recognition of
//! the own line when it comes back.

mod announce;
mod limits;
mod snippet;
mod split;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use announce::{Announced, AnnouncementId, Outboxes, Own};
pub use limits::{Length, Limits, Long, Pace};
pub use snippet::{BadSnippet, Mention, complete, expand, mention};

use super::{Message, MessageId, Text};
use crate::base::{Moment, text};

/// Lines that wait in one queue.
const MOST_QUEUED: usize = 50;
/// Lines whose fate is remembered.
const MOST_KEPT: usize = 200;
/// A line that could not be sent for so long is not sent any more: an answer that late confuses.
const PATIENCE: Duration = Duration::from_secs(90);
/// An own line that comes back later than this is not taken for the one that was sent.
const ECHO: Duration = Duration::from_mins(1);

/// A line's number in its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LineId(pub u64);

/// Why a line could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// No connection, or no answer.
    Network,
    /// The token does not allow it.
    NotAllowed,
    /// It waited too long.
    Expired,
    /// What the platform says.
    Other(Text),
}

impl Failure {
    /// For the operator.
    pub fn words(&self) -> Text {
        match self {
            Self::Network => Text::new("no connection"),
            Self::NotAllowed => Text::new("the account may not do that"),
            Self::Expired => Text::new("it waited too long"),
            Self::Other(text) => text.clone(),
        }
    }

    /// For a reason in words, for the operator.
    pub fn other(words: &str) -> Self {
        Self::Other(Text::new(words))
    }
}

/// The outcome of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Waits for its turn.
    Queued,
    /// Handed to the platform. Where the platform gives no answer and no echo, it stays so.
    Sent,
    /// The platform took it, or it came back.
    Confirmed,
    /// The platform refused it.
    Dropped {
        /// The platform's code.
        code: Text,
        /// What it says to people.
        text: Text,
    },
    /// It could not be sent.
    Failed(Failure),
}

/// What a platform answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Taken, with the identifier it got where that is told.
    Taken(Option<MessageId>),
    /// Refused.
    Dropped {
        /// The platform's code.
        code: Text,
        /// What it says to people.
        text: Text,
    },
    /// Not now: again after this time, and nothing else before.
    Later(Duration),
    /// It could not be sent.
    Failed(Failure),
}

/// Why a line was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing is left of it.
    #[error("there is nothing to send")]
    Empty,
    /// Longer than the platform takes, in one piece or in all that may be sent.
    #[error("the line is too long: at most {most} {} in {parts} parts", if *.bytes { "bytes" } else { "characters" })]
    TooLong {
        /// Most of one part.
        most: usize,
        /// Whether that counts bytes.
        bytes: bool,
        /// Parts allowed.
        parts: usize,
    },
    /// It would be read as a command.
    #[error("a line that starts with {0:?} is a command on this platform")]
    Command(char),
    /// Too many wait.
    #[error("{MOST_QUEUED} lines wait already")]
    Full,
}

/// A line and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What is sent.
    pub text: String,
    /// The outcome.
    pub status: Status,
    /// When it was queued.
    pub queued: Moment,
    /// When it was sent last.
    pub sent: Option<Moment>,
    /// Its identifier on the platform.
    pub id: Option<MessageId>,
    /// It came back.
    pub echoed: bool,
}

/// The queue of one source.
#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    lines: BTreeMap<LineId, Line>,
    queue: VecDeque<LineId>,
    /// Times of sending, as far as the longest window reaches.
    sent: VecDeque<Moment>,
    not_before: Moment,
    next: u64,
}

impl Outbox {
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            lines: BTreeMap::new(),
            queue: VecDeque::new(),
            sent: VecDeque::new(),
            not_before: Moment::default(),
            next: 1,
        }
    }

    /// Other limits, for instance once we are known to be a moderator.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Queues a line; a long one in parts where the limits allow it. No part is queued unless all are. Control
    /// characters are gone (CR, LF and NUL would end the line or begin another command).
    pub fn say(&mut self, raw: &str, now: Moment) -> Result<Vec<LineId>, Refusal> {
        let clean = text::plain(raw);
        let clean = clean.trim();
        if clean.is_empty() {
            return Err(Refusal::Empty);
        }
        let parts = split::split(clean, &self.limits)?;
        let command =
            |part: &String| part.chars().next().filter(|c| self.limits.commands.contains(*c));
        if let Some(c) = parts.iter().find_map(command) {
            return Err(Refusal::Command(c));
        }
        if self.queue.len() + parts.len() > MOST_QUEUED {
            return Err(Refusal::Full);
        }
        let mut ids = Vec::with_capacity(parts.len());
        for text in parts {
            let id = LineId(self.next);
            self.next += 1;
            let line = Line {
                text,
                status: Status::Queued,
                queued: now,
                sent: None,
                id: None,
                echoed: false,
            };
            self.lines.insert(id, line);
            self.queue.push_back(id);
            ids.push(id);
        }
        self.shrink();
        Ok(ids)
    }

    /// The next line to send now, if the limits allow one; it counts as sent.
    pub fn take(&mut self, now: Moment) -> Option<(LineId, String)> {
        self.expire(now);
        if self.allowed(now) > now {
            return None;
        }
        let nth = (0..self.queue.len()).find(|n| {
            let id = self.queue.get(*n);
            id.is_some_and(|id| self.free_of_repeat(*id).is_none_or(|at| at <= now))
        })?;
        let id = self.queue.remove(nth)?;
        self.sent.push_back(now);
        let most = self.limits.paces.iter().map(|pace| pace.lines as usize).max().unwrap_or(1);
        while self.sent.len() > most.max(1) {
            self.sent.pop_front();
        }
        let line = self.lines.get_mut(&id)?;
        line.status = Status::Sent;
        line.sent = Some(now);
        Some((id, line.text.clone()))
    }

    /// When the next line can be sent; `None` if none waits.
    pub fn next(&self) -> Option<Moment> {
        let first = self.sent.back().copied().unwrap_or_default();
        let allowed = self.allowed(first);
        self.queue.iter().map(|id| self.free_of_repeat(*id).unwrap_or_default().max(allowed)).min()
    }

    /// From when on the paces allow a line, at the earliest `now`.
    fn allowed(&self, now: Moment) -> Moment {
        let mut at = self.not_before.max(now);
        for pace in self.limits.paces {
            let nth = self.sent.len().checked_sub((pace.lines as usize).max(1));
            if let Some(earlier) = nth.and_then(|n| self.sent.get(n)) {
                at = at.max(*earlier + pace.within);
            }
        }
        at
    }

    /// From when on the same text may be sent again, where the platform drops repeats.
    fn free_of_repeat(&self, id: LineId) -> Option<Moment> {
        let within = self.limits.same_within?;
        let text = &self.lines.get(&id)?.text;
        let same = |line: &&Line| line.text == *text;
        self.lines.values().filter(same).filter_map(|line| line.sent).max().map(|at| at + within)
    }

    fn expire(&mut self, now: Moment) {
        let lines = &mut self.lines;
        self.queue.retain(|id| {
            let Some(line) = lines.get_mut(id) else { return false };
            let waits = now.since(line.queued) <= PATIENCE;
            if !waits {
                line.status = Status::Failed(Failure::Expired);
            }
            waits
        });
    }

    /// What the platform answered to a line. An answer to one that is not sent is ignored.
    pub fn answered(&mut self, id: LineId, answer: Answer, now: Moment) {
        let Some(line) = self.lines.get_mut(&id).filter(|line| line.sent.is_some()) else { return };
        if line.status != Status::Sent {
            // It may have come back before the answer, which then only names it.
            if let Answer::Taken(message) = answer {
                line.id = line.id.take().or(message);
            }
            return;
        }
        match answer {
            Answer::Taken(message) => {
                line.status = Status::Confirmed;
                line.id = message;
            }
            Answer::Dropped { code, text } => line.status = Status::Dropped { code, text },
            Answer::Failed(failure) => line.status = Status::Failed(failure),
            Answer::Later(after) => {
                line.status = Status::Queued;
                line.sent = None;
                self.queue.push_front(id);
                self.not_before = self.not_before.max(now + after);
            }
        }
    }

    /// Takes a queued line back. Whether it was still queued.
    pub fn withdraw(&mut self, id: LineId) -> bool {
        let before = self.queue.len();
        self.queue.retain(|queued| *queued != id);
        let withdrawn = self.queue.len() < before;
        if withdrawn {
            self.lines.remove(&id);
        }
        withdrawn
    }

    /// Recognises an own message as one of the lines sent: by its identifier, else the oldest of the same text that has
    /// not come back yet.
    pub fn echo(&mut self, message: &Message, now: Moment) -> Option<LineId> {
        if !message.own {
            return None;
        }
        let same = squeezed(message.text.as_str());
        let open = |line: &Line| {
            !line.echoed
                && line.id.is_none()
                && matches!(line.status, Status::Sent | Status::Confirmed)
                && line.sent.is_some_and(|at| now.since(at) <= ECHO)
                && squeezed(&line.text) == same
        };
        let by_id = self.lines.iter().find(|(_, line)| line.id.as_ref() == Some(&message.id));
        let found = by_id.or_else(|| self.lines.iter().find(|(_, line)| open(line)));
        let id = found.map(|(id, _)| *id)?;
        let line = self.lines.get_mut(&id)?;
        line.echoed = true;
        line.status = Status::Confirmed;
        line.id = Some(message.id.clone());
        Some(id)
    }

    /// A line and its state, while it is remembered.
    pub fn line(&self, id: LineId) -> Option<&Line> {
        self.lines.get(&id)
    }

    /// All lines that are remembered, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = (LineId, &Line)> {
        self.lines.iter().map(|(id, line)| (*id, line))
    }

    /// Lines that wait.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    fn shrink(&mut self) {
        while self.lines.len() > MOST_KEPT {
            // Queued ones are the newest, and fewer than are kept.
            let oldest = self.lines.iter().find(|(_, line)| line.status != Status::Queued);
            let Some(id) = oldest.map(|(id, _)| *id) else { return };
            self.lines.remove(&id);
        }
    }
}

/// Platforms squeeze blanks.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
