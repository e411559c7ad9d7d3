//! Polls by keyword: one vote a person. Which vote counts is decided by the platform's time, so the result does not
//! depend on the order of arrival. A draw among the voters exists only where the configuration switches it on:
//! several platforms forbid it or tie it to conditions.

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

/// What became of a message.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        base::Now,
        chat::{Author, sample::line},
    };

    fn config(counts: Counts, matches: Match) -> PollConfig {
        let choice = |label: &str, keywords: &[&str]| Choice {
            label: label.into(),
            keywords: keywords.iter().map(|k| (*k).to_owned()).collect(),
        };
        let choices = vec![choice("red", &["1", "Red", "màu đỏ"]), choice("blue", &["2", "blue"])];
        PollConfig { choices, counts, matches, draw: false }
    }

    fn lower(text: &str) -> String {
        text.to_lowercase()
    }

    fn open(config: PollConfig) -> Poll {
        Poll::open(config, &lower, Now::test(1_000).wall).unwrap()
    }

    fn vote(poll: &mut Poll, ms: u64, who: &str, text: &str) -> Voted {
        let message = line("a", &format!("{who}{ms}"), ms, who, text);
        poll.take(&message, &lower(text))
    }

    #[test]
    fn one_vote_a_person_and_the_last_counts() {
        let mut poll = open(config(Counts::Last, Match::Line));
        assert_eq!(vote(&mut poll, 1_000, "lan", "1!"), Voted::For(0));
        assert_eq!(vote(&mut poll, 1_001, "bo", "MÀU  ĐỎ"), Voted::For(0));
        assert_eq!(vote(&mut poll, 1_002, "lan", "Blue"), Voted::For(1));
        assert_eq!(vote(&mut poll, 1_001, "lan", "1"), Voted::NotCounted, "came late");
        assert_eq!(vote(&mut poll, 1_003, "mai", "2 pieces"), Voted::NoVote);
        assert_eq!(vote(&mut poll, 999, "mai", "2"), Voted::Refused, "before the poll");
        poll.close(Now::test(2_000).wall);
        assert_eq!(vote(&mut poll, 2_000, "mai", "2"), Voted::Refused);
        assert_eq!(vote(&mut poll, 1_999, "tom", "2"), Voted::For(1));
        let tally = poll.tally();
        assert_eq!((tally.votes.clone(), tally.total, tally.refused), (vec![1, 2], 3, 0));
        assert_eq!((tally.leaders(), tally.percent()), (vec![1], vec![33, 67]));
    }

    #[test]
    fn the_first_vote_counts_where_set_and_words_are_found() {
        let mut poll = open(config(Counts::First, Match::Word));
        assert_eq!(vote(&mut poll, 1_005, "lan", "I like blue, really"), Voted::For(1));
        assert_eq!(vote(&mut poll, 1_006, "lan", "red"), Voted::NotCounted);
        assert_eq!(vote(&mut poll, 1_004, "lan", "red"), Voted::For(0), "written before");
        assert_eq!(vote(&mut poll, 1_007, "bo", "red or blue?"), Voted::NoVote);
        assert_eq!(vote(&mut poll, 1_007, "bo", "thích màu đỏ"), Voted::For(0));
        assert_eq!(vote(&mut poll, 1_007, "mai", "reddish"), Voted::NoVote);
        assert_eq!(poll.tally().votes, [2, 0]);
    }

    #[test]
    fn who_may_not_act_or_is_nobody_does_not_vote() {
        let mut poll = open(config(Counts::Last, Match::Line));
        let good = line("a", "1", 1_000, "lan", "1");
        assert_eq!(poll.take(&Message { backlog: true, ..good.clone() }, "1"), Voted::Refused);
        assert_eq!(poll.take(&Message { own: true, ..good.clone() }, "1"), Voted::Refused);
        assert_eq!(poll.take(&Message { author: Author::default(), ..good }, "1"), Voted::Refused);
        assert_eq!((poll.tally().total, poll.tally().refused), (0, 1));
        assert_eq!((poll.tally().leaders(), poll.tally().percent()), (vec![], vec![0, 0]));
    }

    #[test]
    fn faults_of_a_poll_are_named() {
        let fault = |change: &dyn Fn(&mut PollConfig)| {
            let mut poll = config(Counts::Last, Match::Line);
            change(&mut poll);
            Poll::open(poll, &lower, Timestamp::UNIX_EPOCH).unwrap_err()
        };
        assert_eq!(fault(&|c| c.choices.truncate(1)), Invalid::Choices(1));
        assert_eq!(
            fault(&|c| c.choices[1].keywords = vec!["!".into()]),
            Invalid::NoKeyword("blue".into())
        );
        assert_eq!(
            fault(&|c| c.choices[1].keywords.push("RED".into())),
            Invalid::SameKeyword("RED".into())
        );
    }

    #[test]
    fn a_draw_is_off_by_default_and_the_same_for_a_seed() {
        let mut poll = open(config(Counts::Last, Match::Line));
        for n in 0..20 {
            vote(&mut poll, 1_000, &format!("p{n}"), if n % 2 == 0 { "1" } else { "2" });
        }
        assert_eq!(poll.draw(None, 1, 7), Err(NoDraw::Off));
        poll.config.draw = true;
        assert_eq!(poll.draw(None, 1, 7), Err(NoDraw::Open));
        poll.close(Now::test(5_000).wall);
        let drawn = poll.draw(Some(0), 3, 7).unwrap();
        assert_eq!(drawn, poll.draw(Some(0), 3, 7).unwrap());
        assert!(drawn.iter().all(|(_, name)| {
            name.as_str().trim_start_matches('p').parse::<u32>().unwrap() % 2 == 0
        }));
        assert_eq!(poll.draw(None, 99, 7).unwrap().len(), 20);
        // Each of the twenty is drawn about as often as the others: 2,000 draws, 100 each expected.
        let mut counts: HashMap<&Person, u32> = HashMap::new();
        for seed in 0..2_000 {
            for (person, _) in poll.draw(None, 1, seed).unwrap() {
                *counts.entry(person).or_default() += 1;
            }
        }
        assert_eq!(counts.len(), 20);
        assert!(counts.values().all(|count| (60..140).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_change_the_result(
            (votes, shuffled) in prop::collection::vec((0..6_u8, 1_000..1_050_u64, 1..3_u8), 1..40)
                .prop_flat_map(|votes| {
                    let votes: Vec<_> = votes.into_iter().enumerate().collect();
                    (Just(votes.clone()), Just(votes).prop_shuffle())
                }),
            first in any::<bool>(),
        ) {
            let run = |votes: &[(usize, (u8, u64, u8))]| {
                let mut poll = open(config(if first { Counts::First } else { Counts::Last }, Match::Line));
                for (n, (who, ms, what)) in votes {
                    let message = line("a", &n.to_string(), *ms, &who.to_string(), &what.to_string());
                    poll.take(&message, &what.to_string());
                }
                poll.tally()
            };
            let tally = run(&votes);
            prop_assert_eq!(&tally, &run(&shuffled));
            let mut people: Vec<_> = votes.iter().map(|(_, (who, ..))| who).collect();
            people.sort();
            people.dedup();
            prop_assert_eq!(tally.total, people.len() as u64);
            prop_assert_eq!(tally.percent().iter().map(|p| u32::from(*p)).sum::<u32>(), 100);
        }
    }
}
