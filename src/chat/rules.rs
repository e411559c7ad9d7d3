//! Moderation rules: what a line breaks, and what is done about it. Pure: the engine carries the actions out, and the
//! same code runs over a past show (dry run). Moderators and the owner are exempt unless the configuration says else.
//!
//! Words are compared in a normalised form (folded homoglyphs, stretched letters and so on). How that is made is not
//! known here: the rules take a function for the words of the lists, and each line's normalised text beside the line.

mod config;
mod links;
mod words;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use config::{
    Action, CapsRule, FloodRule, Invalid, LinkRule, NewcomerRule, RepeatRule, RulesConfig, WordList,
};
pub use links::hosts;
use words::Words;

use super::{Message, MessageId, Person, later::earlier};

/// Accounts remembered; the one that wrote longest ago is forgotten first.
const MOST_PEOPLE: usize = 10_000;

/// What a line broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "rule")]
pub enum Reason {
    /// A word of a list.
    Word {
        /// The list's name.
        list: String,
        /// The word as the list writes it.
        word: String,
    },
    /// A link to a host that is not allowed.
    Link {
        /// The host.
        host: String,
    },
    /// Too many lines.
    Flood {
        /// Lines of this account within the window, this one included.
        lines: u32,
        /// The window in seconds.
        within_s: u32,
    },
    /// Too many capitals.
    Caps {
        /// Share of capitals in the letters, in percent.
        percent: u8,
    },
    /// The same text again.
    Repeat {
        /// How often this account wrote it within the window, this line included.
        times: u32,
    },
    /// Among an account's first lines here.
    Newcomer {
        /// Which line of the account this is, from 1.
        nth: u32,
    },
}

/// One rule that a line broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The line.
    pub message: MessageId,
    /// What it broke.
    #[serde(flatten)]
    pub reason: Reason,
    /// What is to be done.
    pub action: Action,
}

/// The strictest action of several hits.
pub fn strictest(hits: &[Hit]) -> Option<Action> {
    hits.iter().map(|hit| hit.action).max()
}

#[derive(Debug, Default)]
struct Account {
    /// Lines seen here.
    lines: u32,
    /// Their newest times and the hash of their texts, at most as many as the rules look at.
    recent: VecDeque<(Timestamp, u64)>,
    version: u64,
}

/// The rules with what they remember of the accounts.
#[derive(Debug)]
pub struct Rules {
    config: RulesConfig,
    words: Vec<Words>,
    accounts: HashMap<Person, Account>,
    order: VecDeque<(Person, u64)>,
    version: u64,
    keep: usize,
}

impl Rules {
    /// Rules of a configuration. `normalise` makes the form in which words are compared.
    pub fn new(config: RulesConfig, normalise: &dyn Fn(&str) -> String) -> Result<Self, Invalid> {
        config.check()?;
        let words = config
            .words
            .iter()
            .map(|list| Words::new(list, normalise))
            .collect::<Result<Vec<_>, _>>()?;
        let flood = config.flood.as_ref().map_or(0, |rule| rule.lines);
        let repeats = config.repeats.as_ref().map_or(0, |rule| rule.times);
        Ok(Self {
            words,
            accounts: HashMap::new(),
            order: VecDeque::new(),
            version: 0,
            // A repeat may have other lines between; twice the number finds it.
            keep: flood.max(repeats * 2) as usize + 1,
            config,
        })
    }

    /// Judges a line and remembers it. `normalised` is its text as `normalise` makes it. Backlog is at most hidden:
    /// nobody is punished for what was written before we came.
    pub fn judge(&mut self, message: &Message, normalised: &str) -> Vec<Hit> {
        let hash = hash(normalised);
        let nth = self.remember(message, hash);
        if message.own || self.config.exempt.iter().any(|badge| message.author.has(*badge)) {
            return Vec::new();
        }
        let mut hits = Vec::new();
        let mut hit = |reason: Reason, action: Action| {
            let action = if message.backlog { action.min(Action::Hide) } else { action };
            hits.push(Hit { message: message.id.clone(), reason, action });
        };
        for (list, words) in self.config.words.iter().zip(&self.words) {
            if !list.is_for(message.lang.as_ref().map(super::Text::as_str)) {
                continue;
            }
            if let Some(word) = words.find(normalised) {
                hit(Reason::Word { list: list.name.clone(), word: word.to_owned() }, list.action);
            }
        }
        let text = message.text.as_str();
        if let Some(rule) = &self.config.links
            && let Some(host) = hosts(text).into_iter().find(|host| !rule.allows(host))
        {
            hit(Reason::Link { host }, rule.action);
        }
        if let Some(rule) = &self.config.caps
            && let Some(percent) = caps(text, rule.letters)
            && percent > rule.percent
        {
            hit(Reason::Caps { percent }, rule.action);
        }
        if let Some(person) = Person::of(message)
            && let Some(account) = self.accounts.get(&person)
        {
            if let Some(rule) = &self.config.flood {
                let lines = account.within(message.at, rule.within_s, |_| true);
                if lines > rule.lines {
                    hit(Reason::Flood { lines, within_s: rule.within_s }, rule.action);
                }
            }
            if let Some(rule) = &self.config.repeats
                && !normalised.is_empty()
            {
                let times = account.within(message.at, rule.within_s, |text| text == hash);
                if times >= rule.times {
                    hit(Reason::Repeat { times }, rule.action);
                }
            }
        }
        if let Some(rule) = &self.config.newcomers {
            let first = message.author.has(super::Badge::First);
            let nth = if first { 1 } else { nth.unwrap_or(1) };
            if nth <= rule.lines && (first || rule.without_badge) {
                hit(Reason::Newcomer { nth }, rule.action);
            }
        }
        hits
    }

    /// Which line of its account this is.
    fn remember(&mut self, message: &Message, hash: u64) -> Option<u32> {
        let person = Person::of(message)?;
        self.version += 1;
        let account = self.accounts.entry(person.clone()).or_default();
        account.lines = account.lines.saturating_add(1);
        account.version = self.version;
        account.recent.push_back((message.at, hash));
        if account.recent.len() > self.keep {
            account.recent.pop_front();
        }
        let nth = account.lines;
        self.order.push_back((person, self.version));
        while self.accounts.len() > MOST_PEOPLE || self.order.len() > MOST_PEOPLE * 2 {
            let Some((person, version)) = self.order.pop_front() else { break };
            if self.accounts.get(&person).is_some_and(|account| account.version == version) {
                self.accounts.remove(&person);
            }
        }
        Some(nth)
    }

    /// The configuration.
    pub fn config(&self) -> &RulesConfig {
        &self.config
    }
}

impl Account {
    /// Lines within `within_s` before `at`, `at` included.
    fn within(&self, at: Timestamp, within_s: u32, is: impl Fn(u64) -> bool) -> u32 {
        let since = earlier(at, Duration::from_secs(within_s.into()));
        let lines = self.recent.iter().filter(|(t, text)| *t > since && *t <= at && is(*text));
        lines.count() as u32
    }
}

/// Stands for a text in an account's memory. The same in every run, so that a dry run finds the same.
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Share of capitals in percent, where the text has at least `letters` letters that have two cases.
fn caps(text: &str, letters: u32) -> Option<u8> {
    let (mut upper, mut all) = (0_u64, 0_u64);
    for c in text.chars() {
        upper += u64::from(c.is_uppercase());
        all += u64::from(c.is_uppercase() || c.is_lowercase());
    }
    (all > 0 && all >= u64::from(letters)).then(|| (upper * 100 / all) as u8)
}

/// What the rules would have done to past messages, in their order: only messages with hits. Nothing is carried out.
pub fn dry_run<'a>(
    config: RulesConfig,
    normalise: &'a dyn Fn(&str) -> String,
    messages: impl Iterator<Item = &'a Message> + 'a,
) -> Result<impl Iterator<Item = (&'a Message, Vec<Hit>)> + 'a, Invalid> {
    let mut rules = Rules::new(config, normalise)?;
    Ok(messages.filter_map(move |message| {
        let hits = rules.judge(message, &normalise(message.text.as_str()));
        (!hits.is_empty()).then_some((message, hits))
    }))
}
