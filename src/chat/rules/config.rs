//! What a show file says of the rules, and what is wrong with it.

use serde::{Deserialize, Serialize};

use super::super::Badge;

/// Longest time-out, in seconds: two weeks, Twitch's limit (Helix, `moderation/bans`).
const MOST_TIME_OUT_S: u32 = 1_209_600;
/// Most lines or repeats that a rule counts.
const MOST_LINES: u32 = 100;
/// Longest window, in seconds.
const MOST_WINDOW_S: u32 = 3_600;
/// Most words of all lists.
const MOST_WORDS: usize = 20_000;

/// What is done about a line, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Kept for review: viewers do not see it until somebody lets it through.
    Hold,
    /// Hidden here; the platform keeps it.
    Hide,
    /// Deleted on the platform.
    Delete,
    /// Deleted, and its author may not write for so many seconds.
    TimeOut(u32),
    /// Deleted, and its author may not write any more.
    Ban,
}

/// A list of words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WordList {
    /// Its name, for the reason of a hit.
    pub name: String,
    /// Only for lines in this language (BCP 47, the first part decides); a line whose language is unknown is looked at
    /// too.
    #[serde(default)]
    pub lang: Option<String>,
    /// Words and phrases.
    pub words: Vec<String>,
    /// Also within longer words. Scripts that part no words are always searched so.
    #[serde(default)]
    pub within_words: bool,
    /// What is done.
    pub action: Action,
}

impl WordList {
    /// Whether lines of this language are looked at.
    pub(super) fn is_for(&self, lang: Option<&str>) -> bool {
        let (Some(ours), Some(theirs)) = (self.lang.as_deref(), lang) else { return true };
        primary(ours).eq_ignore_ascii_case(primary(theirs))
    }
}

/// The language of a BCP 47 tag.
fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or(tag)
}

/// Links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LinkRule {
    /// Hosts that may be linked to, with everything below them.
    #[serde(default)]
    pub allow: Vec<String>,
    /// What is done.
    pub action: Action,
}

impl LinkRule {
    /// Whether a host, in lower case, may be linked to.
    pub(super) fn allows(&self, host: &str) -> bool {
        self.allow.iter().any(|allowed| {
            let allowed = allowed.to_lowercase();
            host == allowed || host.strip_suffix(&allowed).is_some_and(|sub| sub.ends_with('.'))
        })
    }
}

/// Too many lines of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FloodRule {
    /// So many lines are allowed, 1 to 100,
    pub lines: u32,
    /// within so many seconds, 1 to 3,600.
    pub within_s: u32,
    /// What is done.
    pub action: Action,
}

/// Too many capitals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CapsRule {
    /// A larger share of the letters breaks the rule, in percent, 1 to 99.
    pub percent: u8,
    /// Lines with fewer letters are left alone (order codes are capitals).
    pub letters: u32,
    /// What is done.
    pub action: Action,
}

/// The same text again from one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RepeatRule {
    /// The so-manieth time breaks the rule, 2 to 100,
    pub times: u32,
    /// within so many seconds, 1 to 3,600.
    pub within_s: u32,
    /// What is done.
    pub action: Action,
}

/// An account's first lines. Platforms do not tell how old an account is; they tell, at best, that this is its first
/// line here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NewcomerRule {
    /// So many first lines, 1 to 100.
    pub lines: u32,
    /// Also accounts that the platform does not mark, by what was seen in this show.
    #[serde(default)]
    pub without_badge: bool,
    /// What is done.
    pub action: Action,
}

/// All rules of a show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RulesConfig {
    /// Lists of words.
    pub words: Vec<WordList>,
    /// Links.
    pub links: Option<LinkRule>,
    /// Too many lines.
    pub flood: Option<FloodRule>,
    /// Capitals.
    pub caps: Option<CapsRule>,
    /// The same text again.
    pub repeats: Option<RepeatRule>,
    /// First lines.
    pub newcomers: Option<NewcomerRule>,
    /// Whoever has one of these badges is exempt.
    pub exempt: Vec<Badge>,
}

impl Default for RulesConfig {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            links: None,
            flood: None,
            caps: None,
            repeats: None,
            newcomers: None,
            exempt: vec![Badge::Owner, Badge::Moderator],
        }
    }
}

/// What is wrong with a configuration of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A list holds nothing.
    #[error("the word list '{0}' is empty")]
    NoWords(String),
    /// A word has nothing to compare.
    #[error("the word list '{list}' holds {word:?}, of which nothing is left to compare")]
    EmptyWord {
        /// The list.
        list: String,
        /// The word.
        word: String,
    },
    /// Two lists have one name.
    #[error("two word lists are called '{0}'")]
    SameName(String),
    /// Too many words.
    #[error("the word lists hold {0} words: at most {MOST_WORDS}")]
    TooManyWords(usize),
    /// Not a host.
    #[error("{0:?} is not a host: write it without scheme and path, like shop.example.com")]
    NotAHost(String),
    /// A number is out of range.
    #[error("{key} is {value}: it must be {least} to {most}")]
    OutOfRange {
        /// The key in the table.
        key: &'static str,
        /// What it says.
        value: u32,
        /// The least allowed.
        least: u32,
        /// The most allowed.
        most: u32,
    },
}

fn within(key: &'static str, value: u32, least: u32, most: u32) -> Result<(), Invalid> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(Invalid::OutOfRange { key, value, least, most })
    }
}

impl RulesConfig {
    /// What is wrong, if anything; the first fault found.
    pub fn check(&self) -> Result<(), Invalid> {
        let words: usize = self.words.iter().map(|list| list.words.len()).sum();
        if words > MOST_WORDS {
            return Err(Invalid::TooManyWords(words));
        }
        for (n, list) in self.words.iter().enumerate() {
            if list.words.is_empty() {
                return Err(Invalid::NoWords(list.name.clone()));
            }
            if self.words.iter().take(n).any(|other| other.name == list.name) {
                return Err(Invalid::SameName(list.name.clone()));
            }
        }
        if let Some(rule) = &self.links
            && let Some(host) = rule.allow.iter().find(|host| !is_host(host))
        {
            return Err(Invalid::NotAHost(host.clone()));
        }
        if let Some(rule) = &self.flood {
            within("flood.lines", rule.lines, 1, MOST_LINES)?;
            within("flood.within-s", rule.within_s, 1, MOST_WINDOW_S)?;
        }
        if let Some(rule) = &self.repeats {
            within("repeats.times", rule.times, 2, MOST_LINES)?;
            within("repeats.within-s", rule.within_s, 1, MOST_WINDOW_S)?;
        }
        if let Some(rule) = &self.caps {
            within("caps.percent", rule.percent.into(), 1, 99)?;
            within("caps.letters", rule.letters, 1, 1_000)?;
        }
        if let Some(rule) = &self.newcomers {
            within("newcomers.lines", rule.lines, 1, MOST_LINES)?;
        }
        for action in self.actions() {
            if let Action::TimeOut(seconds) = action {
                within("action.time-out", seconds, 1, MOST_TIME_OUT_S)?;
            }
        }
        Ok(())
    }

    fn actions(&self) -> impl Iterator<Item = Action> + '_ {
        let rules = [
            self.links.as_ref().map(|rule| rule.action),
            self.flood.as_ref().map(|rule| rule.action),
            self.caps.as_ref().map(|rule| rule.action),
            self.repeats.as_ref().map(|rule| rule.action),
            self.newcomers.as_ref().map(|rule| rule.action),
        ];
        self.words.iter().map(|list| list.action).chain(rules.into_iter().flatten())
    }
}

fn is_host(host: &str) -> bool {
    let labels = host.split('.').collect::<Vec<_>>();
    labels.len() >= 2
        && host.len() <= 253
        && labels.iter().all(|label| {
            !label.is_empty()
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
                && !label.starts_with('-')
        })
}
