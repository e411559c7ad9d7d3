//! What was asked of the server and is not answered yet: lines said, bans set and lifted. A server answers in the order
//! in which it was asked. Where nothing answers a success, a PING is sent behind the request: its PONG without a
//! refusal before it is the success.

use std::{collections::VecDeque, time::Duration};

use super::line::Line;
use crate::base::Moment;

/// Requests that wait for their answer.
pub const MOST: usize = 64;
/// How long an answer is waited for. ngircd answers late on purpose to whoever sends much.
const PATIENCE: Duration = Duration::from_secs(15);
/// What our PINGs of this kind begin with; a number follows.
const MARK: &str = "hawker.";

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// To say this, where the server sends it back (echo-message).
    Echoed {
        /// As it will come back.
        text: String,
        /// Whether it comes back with our label (labeled-response).
        labelled: bool,
    },
    /// To say this, where it does not come back.
    Said {
        /// The channel, as it is written.
        channel: String,
        /// The text.
        text: String,
    },
    /// To ban somebody.
    Ban {
        /// The channel, as it is written.
        channel: String,
        /// The nickname that is banned.
        nick: String,
        /// The reason that KICK gives.
        reason: String,
    },
    /// To remove somebody, who is banned by now.
    Kick,
    /// To lift a ban.
    Lift,
}

#[derive(Debug, Clone)]
struct Entry {
    label: u64,
    /// Folded.
    channel: String,
    at: Moment,
    request: Request,
}

/// Requests without an answer, the oldest first.
#[derive(Debug, Clone, Default)]
pub struct Asked(VecDeque<Entry>);

impl Asked {
    /// How many more may be asked.
    pub fn room(&self) -> usize {
        MOST.saturating_sub(self.0.len())
    }

    /// It was asked of this channel (folded).
    pub fn add(&mut self, label: u64, channel: &str, at: Moment, request: Request) {
        let channel = channel.to_owned();
        self.0.push_back(Entry { label, channel, at, request });
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// A line of our own came back. Returns which it is.
    pub fn echoed(&mut self, label: Option<u64>, channel: &str, said: &str) -> Option<u64> {
        let at = self.0.iter().position(|entry| match (&entry.request, label) {
            (Request::Echoed { .. }, Some(label)) => entry.label == label,
            (Request::Echoed { text, .. }, None) => entry.channel == channel && text == said,
            _ => false,
        })?;
        self.0.remove(at).map(|entry| entry.label)
    }

    /// The server answered our PING: what was asked before it was not refused. Returns it.
    pub fn passed(&mut self, token: &str) -> Option<(u64, Request)> {
        let label = token.strip_prefix(MARK)?.parse::<u64>().ok()?;
        let at = self.0.iter().position(|entry| entry.label == label && entry.is_fenced())?;
        self.0.remove(at).map(|entry| (entry.label, entry.request))
    }

    /// An error of the server, with the channel that it names (folded). Returns what it refuses.
    pub fn refused(&mut self, code: u16, line: &Line, channel: &str) -> Option<u64> {
        let label = line.tag("label").and_then(|label| label.parse::<u64>().ok());
        let entry = |wanted: &dyn Fn(&Entry) -> bool| self.0.iter().position(wanted);
        let at = match label {
            Some(label) => entry(&|entry| entry.label == label)?,
            // A channel that is joined is named by no other error than one of these requests.
            None => entry(&|entry| entry.channel == channel && !entry.is_labelled()).or_else(
                // 404: cannot be sent to the channel.
                || entry(&|entry| entry.channel == channel && code == 404),
            )?,
        };
        self.0.remove(at).map(|entry| entry.label)
    }

    /// What has no answer in time.
    pub fn expired(&mut self, now: Moment) -> Option<u64> {
        let at = self.0.iter().position(|entry| now.since(entry.at) >= PATIENCE)?;
        self.0.remove(at).map(|entry| entry.label)
    }
}

impl Entry {
    fn is_labelled(&self) -> bool {
        matches!(self.request, Request::Echoed { labelled: true, .. })
    }

    fn is_fenced(&self) -> bool {
        !matches!(self.request, Request::Echoed { .. })
    }
}

/// What the PING behind a request holds.
pub fn mark(label: u64) -> String {
    format!("{MARK}{label}")
}
