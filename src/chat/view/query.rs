//! A search: `from:lan in:twitch size -"sold out"`.

use crate::chat::Message;

/// Longest search, in characters; the rest is left out.
const MOST: usize = 200;

/// A search, ready to be compared. Capitals make no difference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// One of these is in the author's name or login name.
    from: Vec<String>,
    /// One of these is the source, the platform or the channel.
    within: Vec<String>,
    /// All of these are in the text.
    words: Vec<String>,
    /// None of these is in the text.
    without: Vec<String>,
}

impl Query {
    /// Reads a search. Quotes hold words together, `-` excludes. Nothing is an error: what is no key is a word.
    pub fn new(text: &str) -> Self {
        let mut query = Self::default();
        for (word, quoted) in words(text) {
            let lower = word.to_lowercase();
            let key = |key: &str| {
                lower
                    .strip_prefix(key)
                    .filter(|value| !value.is_empty() && !quoted)
                    .map(str::to_owned)
            };
            if let Some(name) = key("from:") {
                query.from.push(name.trim_start_matches('@').to_owned());
            } else if let Some(place) = key("in:") {
                query.within.push(place.trim_start_matches('#').to_owned());
            } else if let Some(word) = key("-") {
                query.without.push(word);
            } else {
                query.words.push(lower);
            }
        }
        query
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a message is found.
    pub fn matches(&self, message: &Message) -> bool {
        let author = &message.author;
        let name = author.name.as_str().to_lowercase();
        let login = author.login.as_ref().map(|login| login.as_str().to_lowercase());
        let from = self.from.is_empty()
            || self.from.iter().any(|from| {
                name.contains(from) || login.as_ref().is_some_and(|login| login.contains(from))
            });
        let channel = message.channel.as_ref().map(|channel| channel.as_str().to_lowercase());
        let within = self.within.is_empty()
            || self.within.iter().any(|place| {
                message.source.as_str() == place
                    || message.platform.as_str() == place
                    || channel.as_ref().is_some_and(|c| c.trim_start_matches('#') == place)
            });
        if !from || !within {
            return false;
        }
        if self.words.is_empty() && self.without.is_empty() {
            return true;
        }
        let text = message.text.as_str().to_lowercase();
        self.words.iter().all(|word| text.contains(word))
            && !self.without.iter().any(|word| text.contains(word))
    }
}

/// Words, and whether they began with a quote. `from:"a b"` and `-"a b"` are one word, too.
fn words(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let (mut word, mut in_quotes, mut quoted) = (String::new(), false, false);
    for c in text.chars().take(MOST) {
        if c == '"' {
            quoted |= word.is_empty() && !in_quotes;
            in_quotes = !in_quotes;
        } else if c.is_whitespace() && !in_quotes {
            if !word.is_empty() {
                found.push((std::mem::take(&mut word), quoted));
            }
            quoted = false;
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        found.push((word, quoted));
    }
    found
}
