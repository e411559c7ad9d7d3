//! Polls by keyword: one vote a person. Which vote counts is decided by the platform's time, so the result does not
//! depend on the order of arrival. A draw among the voters exists only where the configuration switches it on:
//! several platforms forbid it or tie it to conditions.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Message, MessageId, Person, Text};
use crate::base::SourceId;

/// Most people whose votes are kept; further ones are counted as refused.
const MOST_VOTERS: usize = 100_000;
/// Choices of one poll.
const MOST_CHOICES: usize = 20;

/// Which vote of a person counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// The first.
    First,
    /// The last: people may change their minds.
    #[default]
    Last,
}

/// Where a keyword must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    /// The line is the keyword and nothing else (punctuation aside). For short ones: "2" is no vote in "2 pieces".
    #[default]
    Line,
    /// The keyword is one of the words of the line.
    Word,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Choice {
    /// What is shown.
    pub label: String,
    /// What people write for it.
    pub keywords: Vec<String>,
}

/// A poll as it is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PollConfig {
    /// The choices.
    pub choices: Vec<Choice>,
    /// Which vote of a person counts.
    #[serde(default)]
    pub counts: Counts,
    /// Where a keyword must stand.
    #[serde(default)]
    pub matches: Match,
    /// Allows [`Poll::draw`]. Off unless the outputs' platforms permit it.
    #[serde(default)]
    pub draw: bool,
}

/// What is wrong with a poll.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Too few or too many choices.
    #[error("a poll has 2 to {MOST_CHOICES} choices, not {0}")]
    Choices(usize),
    /// A choice that nobody can vote for.
    #[error("the choice '{0}' has no keyword that can be compared")]
    NoKeyword(String),
    /// One keyword for two choices.
    #[error("the keyword '{0}' stands for two choices")]
    SameKeyword(String),
}

/// The outcome of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voted {
    /// A vote that counts.
    For(usize),
    /// A vote, but another of this person counts.
    NotCounted,
    /// No keyword, or those of several choices.
    NoVote,
    /// Not somebody who may vote, or written outside the poll's time, or by nobody that can be told apart.
    Refused,
}

/// Counts of a poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Votes for each choice, in their order.
    pub votes: Vec<u64>,
    /// All votes.
    pub total: u64,
    /// Votes of people that could not be told apart or came after the largest number was reached.
    pub refused: u64,
}

impl Tally {
    /// The choices with the most votes: several on a tie, none without votes.
    pub fn leaders(&self) -> Vec<usize> {
        let most = self.votes.iter().copied().max().unwrap_or(0);
        let leads = |votes: u64| votes == most && most > 0;
        self.votes.iter().enumerate().filter(|(_, votes)| leads(**votes)).map(|(n, _)| n).collect()
    }

    /// Shares in percent with no decimals that sum to 100 (largest remainder), or all 0.
    pub fn percent(&self) -> Vec<u8> {
        if self.total == 0 {
            return vec![0; self.votes.len()];
        }
        let mut shares: Vec<(u64, u64)> = self
            .votes
            .iter()
            .map(|votes| (votes * 100 / self.total, votes * 100 % self.total))
            .collect();
        let missing = 100 - shares.iter().map(|(share, _)| share).sum::<u64>();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by_key(|n| std::cmp::Reverse(shares.get(*n).map(|(_, rest)| *rest)));
        for n in order.into_iter().take(missing as usize) {
            if let Some((share, _)) = shares.get_mut(n) {
                *share += 1;
            }
        }
        shares.into_iter().map(|(share, _)| share as u8).collect()
    }
}

/// Why there is no draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoDraw {
    /// The poll does not allow it.
    #[error("draws are off for this poll")]
    Off,
    /// The poll still runs.
    #[error("the poll is still open")]
    Open,
    /// Nobody voted so.
    #[error("nobody is in the draw")]
    Nobody,
}

/// When a vote was given; the least is the first.
type Order = (Timestamp, SourceId, MessageId);

#[derive(Debug)]
struct Vote {
    choice: usize,
    order: Order,
    name: Text,
}

/// A running or ended poll.
#[derive(Debug)]
pub struct Poll {
    config: PollConfig,
    /// Choice by normalised keyword.
    keywords: HashMap<Box<str>, usize>,
    opened: Timestamp,
    closed: Option<Timestamp>,
    votes: HashMap<Person, Vote>,
    counts: Vec<u64>,
    refused: u64,
}

/// Words of a text, without what stands around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
        .map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '+'))
        .filter(|word| !word.is_empty())
}

impl Poll {
    /// Opens a poll. `normalise` makes the form in which keywords are compared; [`Self::take`] is given each line's.
    pub fn open(
        config: PollConfig,
        normalise: &dyn Fn(&str) -> String,
        opened: Timestamp,
    ) -> Result<Self, Invalid> {
        if !(2..=MOST_CHOICES).contains(&config.choices.len()) {
            return Err(Invalid::Choices(config.choices.len()));
        }
        let mut keywords: HashMap<Box<str>, usize> = HashMap::new();
        for (n, choice) in config.choices.iter().enumerate() {
            let before = keywords.len();
            for keyword in &choice.keywords {
                let normalised = words(&normalise(keyword)).collect::<Vec<_>>().join(" ");
                if normalised.is_empty() {
                    continue;
                }
                if keywords.insert(normalised.into(), n).is_some_and(|other| other != n) {
                    return Err(Invalid::SameKeyword(keyword.clone()));
                }
            }
            if keywords.len() == before {
                return Err(Invalid::NoKeyword(choice.label.clone()));
            }
        }
        let counts = vec![0; config.choices.len()];
        Ok(Self {
            config,
            keywords,
            opened,
            closed: None,
            votes: HashMap::new(),
            counts,
            refused: 0,
        })
    }

    /// Takes a message and its normalised text.
    pub fn take(&mut self, message: &Message, normalised: &str) -> Voted {
        let in_time = message.at >= self.opened && self.closed.is_none_or(|end| message.at < end);
        if !message.may_act() || !in_time {
            return Voted::Refused;
        }
        let Some(choice) = self.choice(normalised) else { return Voted::NoVote };
        let Some(person) = Person::of(message) else {
            self.refused += 1;
            return Voted::Refused;
        };
        let order = (message.at, message.source.clone(), message.id.clone());
        let full = self.votes.len() >= MOST_VOTERS;
        match self.votes.get_mut(&person) {
            Some(vote) => {
                let counts = match self.config.counts {
                    Counts::First => order < vote.order,
                    Counts::Last => order > vote.order,
                };
                if !counts {
                    return Voted::NotCounted;
                }
                if let Some(count) = self.counts.get_mut(vote.choice) {
                    *count -= 1;
                }
                (vote.choice, vote.order) = (choice, order);
            }
            None if full => {
                self.refused += 1;
                return Voted::Refused;
            }
            None => {
                let name = message.author.name.clone();
                self.votes.insert(person, Vote { choice, order, name });
            }
        }
        if let Some(count) = self.counts.get_mut(choice) {
            *count += 1;
        }
        Voted::For(choice)
    }

    /// The one choice that a text names.
    fn choice(&self, normalised: &str) -> Option<usize> {
        let words: Vec<&str> = words(normalised).collect();
        if let Some(choice) = self.keywords.get(words.join(" ").as_str()) {
            return Some(*choice);
        }
        if self.config.matches == Match::Line {
            return None;
        }
        let mut found = None;
        for (keyword, choice) in &self.keywords {
            let parts: Vec<&str> = keyword.split(' ').collect();
            if words.windows(parts.len()).any(|window| window == parts) {
                if found.is_some_and(|other| other != *choice) {
                    return None;
                }
                found = Some(*choice);
            }
        }
        found
    }

    /// Ends the poll: what is written from `at` on does not count; what was written before and comes later does.
    pub fn close(&mut self, at: Timestamp) {
        self.closed = Some(self.closed.map_or(at, |closed| closed.min(at)));
    }

    /// The counts now, or the result.
    pub fn tally(&self) -> Tally {
        let total = self.counts.iter().sum();
        Tally { votes: self.counts.clone(), total, refused: self.refused }
    }

    /// How it was set up.
    pub fn config(&self) -> &PollConfig {
        &self.config
    }

    /// Draws `winners` of those who voted (for `choice`, or at all). The same seed draws the same people, in the same
    /// order; the caller takes the seed from a source that nobody can guess, and publishes it if the draw is to be
    /// checked.
    pub fn draw(
        &self,
        choice: Option<usize>,
        winners: usize,
        seed: u64,
    ) -> Result<Vec<(&Person, &Text)>, NoDraw> {
        if !self.config.draw {
            return Err(NoDraw::Off);
        }
        if self.closed.is_none() {
            return Err(NoDraw::Open);
        }
        let mut people: Vec<(&Person, &Text)> = self
            .votes
            .iter()
            .filter(|(_, vote)| choice.is_none_or(|choice| vote.choice == choice))
            .map(|(person, vote)| (person, &vote.name))
            .collect();
        if people.is_empty() {
            return Err(NoDraw::Nobody);
        }
        people.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let mut random = SplitMix(seed);
        let winners = winners.min(people.len());
        for n in 0..winners {
            let other = n + random.below((people.len() - n) as u64) as usize;
            people.swap(n, other);
        }
        people.truncate(winners);
        Ok(people)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014; public domain code by Vigna).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `most`, each as likely as the others: numbers from the incomplete last span are thrown again.
    fn below(&mut self, most: u64) -> u64 {
        let most = most.max(1);
        let uneven = (u64::MAX % most + 1) % most;
        loop {
            let drawn = self.next();
            if drawn <= u64::MAX - uneven {
                return drawn % most;
            }
        }
    }
}
