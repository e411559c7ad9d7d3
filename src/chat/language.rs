//! The language of a short chat line: by script first, then by words typical of chat, then by the letters of words that
//! no list holds. Order codes, names and "ok" say nothing, and then nothing is said: no answer is better than a wrong
//! one. All tables are made from the word lists in `language/words/`, which are written by hand.

mod latin;
mod script;

use serde::{Deserialize, Serialize};

use super::normalise::{Folding, Normal};

pub use latin::Words;

/// Characters of a line that are looked at; the rest changes nothing.
const MOST_CHARS: usize = 400;
/// Least share of the belief that a language must have over all others to be named.
const LEAST: f32 = 0.62;

/// A language that is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// Chinese, in either form of writing.
    Zh,
    /// Vietnamese, with or without accents.
    Vi,
    /// Thai, also in Latin letters.
    Th,
    /// Indonesian.
    Id,
    /// Malay.
    Ms,
    /// Tagalog.
    Tl,
    /// Japanese.
    Ja,
    /// Korean.
    Ko,
    /// Spanish.
    Es,
    /// Portuguese.
    Pt,
    /// Arabic.
    Ar,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::En,
        Self::Zh,
        Self::Vi,
        Self::Th,
        Self::Id,
        Self::Ms,
        Self::Tl,
        Self::Ja,
        Self::Ko,
        Self::Es,
        Self::Pt,
        Self::Ar,
    ];

    /// Its ISO 639-1 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
            Self::Vi => "vi",
            Self::Th => "th",
            Self::Id => "id",
            Self::Ms => "ms",
            Self::Tl => "tl",
            Self::Ja => "ja",
            Self::Ko => "ko",
            Self::Es => "es",
            Self::Pt => "pt",
            Self::Ar => "ar",
        }
    }

    /// The language of a BCP 47 tag (`pt-BR`, `zh-Hant`, `fil`), if it is one of these.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let code = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let code = match code.as_str() {
            "fil" => "tl",
            "in" => "id",
            "may" | "zsm" => "ms",
            "yue" | "cmn" => "zh",
            code => code,
        };
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// Whether two are one for a reader: Indonesian and Malay are, where no market tells them apart.
    pub fn is_near(self, other: Self) -> bool {
        let one = |language| if language == Self::Ms { Self::Id } else { language };
        one(self) == one(other)
    }
}

/// The languages expected of a source: those of its market. They count for more than others; none is ruled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expected(u16);

impl Expected {
    /// No market is known.
    pub const ANY: Self = Self(0);

    /// From a market's languages, as BCP 47 tags; those that are not recognised here are left out.
    pub fn tags<T: AsRef<str>>(tags: impl IntoIterator<Item = T>) -> Self {
        tags.into_iter().filter_map(|tag| Language::from_tag(tag.as_ref())).collect()
    }

    /// Whether it is one of them.
    pub const fn has(self, language: Language) -> bool {
        self.0 & (1 << language as u16) != 0
    }

    /// Whether no market is known.
    pub const fn is_any(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Language> for Expected {
    fn from_iter<I: IntoIterator<Item = Language>>(languages: I) -> Self {
        Self(languages.into_iter().fold(0, |set, language| set | 1 << language as u16))
    }
}

/// A language that was recognised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// Which.
    pub language: Language,
    /// The share of the belief it has over all others, 0.62 to 1. Not a measured probability.
    pub confidence: f32,
}

/// Recognises languages. Making one builds the tables from the word lists (some milliseconds, once); asking it is
/// quick.
#[derive(Debug)]
pub struct Detector {
    words: Words,
}

impl Detector {
    /// With the built-in word lists.
    pub fn new() -> Self {
        Self { words: Words::new() }
    }

    /// The language of a line, if there is enough to tell it by.
    pub fn detect(&self, line: &str, expected: Expected) -> Option<Guess> {
        let end = line.char_indices().nth(MOST_CHARS).map_or(line.len(), |(at, _)| at);
        let normal = Normal::new(line.get(..end).unwrap_or_default(), Folding::WORDS);
        let text = without_addresses(normal.as_str());
        let counted = script::Counted::new(&text);
        if let Some(guess) = counted.decide(&text, expected) {
            return Some(guess);
        }
        if counted.foreign() {
            return None;
        }
        self.words.decide(&text, expected)
    }

    /// Bytes that the tables take in memory, roughly.
    pub fn size(&self) -> usize {
        self.words.size()
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

/// Links, mentions and hashtags say nothing of the language.
fn without_addresses(text: &str) -> String {
    let kept = text.split(' ').filter(|word| {
        !(word.starts_with(['@', '#']) || word.contains("://") || word.starts_with("www."))
    });
    kept.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
