//! What of a translation may be shown. It is text of a stranger: whoever writes a line can have a service say anything.

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::chat::{
    finders,
    message::Text,
    normalise::{Folding, Normal},
    rules,
};

/// A translation may be so many times as wide as the original, in columns of a terminal. (Columns, because a Chinese
/// character says more than a Latin letter, and takes two.)
pub const TIMES: usize = 3;
/// And so many columns wider: "hm" is "How much is it?".
pub const MORE: usize = 24;

/// Why a translation is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Nothing is left of it.
    #[error("the translation is empty")]
    Empty,
    /// Much longer than the original.
    #[error("the translation is more than {TIMES} times as long as the original")]
    TooLong,
    /// Holds an address that the original does not hold.
    #[error("the translation holds a link that the original lacks")]
    Link,
    /// Holds a phone number that the original does not hold.
    #[error("the translation holds a phone number that the original lacks")]
    Phone,
    /// Addresses somebody whom the original does not address.
    #[error("the translation mentions somebody whom the original does not")]
    Mention,
    /// A code, a price, an emote or a name is lost, doubled or made up.
    #[error("the translation lost or doubled a code, a price or a name of the original")]
    Part,
}

/// A translation from outside, made harmless, or why it is refused.
pub fn checked(original: &str, translation: &str) -> Result<Text, Refusal> {
    let text = Text::new(translation);
    if text.as_str().graphemes(true).all(|grapheme| !grapheme.chars().any(char::is_alphanumeric)) {
        return Err(Refusal::Empty);
    }
    // What was cut off counts: the whole must fit.
    let wide = UnicodeWidthStr::width(text.as_str()).max(translation.len() / 8);
    if wide > TIMES * UnicodeWidthStr::width(original) + MORE {
        return Err(Refusal::TooLong);
    }
    let given = addresses(original);
    if addresses(text.as_str()).iter().any(|address| !given.contains(address)) {
        return Err(Refusal::Link);
    }
    let (before, after) = (finders::contacts_in(original), finders::contacts_in(text.as_str()));
    let is_new =
        |before: &[String], after: &[String]| after.iter().any(|one| !before.contains(one));
    if is_new(&before.phones, &after.phones) {
        Err(Refusal::Phone)
    } else if is_new(&before.mentions, &after.mentions) {
        Err(Refusal::Mention)
    } else {
        Ok(text)
    }
}

/// Everything in a text that a reader could take for an address, as written (NFKC, lower case). It errs to the side of
/// finding one: also with letters that only look like ASCII, with `[.]`, `(dot)` and dots of other scripts, and with
/// any end of two letters or more, as new ends are made every year.
pub fn addresses(text: &str) -> Vec<String> {
    let plain: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let plain = undone(&plain);
    let mut found = Vec::new();
    for word in
        plain.split(|c: char| c.is_whitespace() || "<>\"'()[]{}|,;、，！？!?「」".contains(c))
    {
        // Runs of letters that an address may be spelt with; Chinese and Thai stand around it without blanks.
        let before = found.len();
        for run in word.split(|c: char| !is_spelling(c)).filter(|run| is_address(run)) {
            found.push(core(run));
        }
        // Spelt with other letters or dots.
        let folding = Folding { marks: true, homoglyphs: true, stretch: false, spacing: false };
        let folded = Normal::new(word, folding);
        let folded = folded.as_str();
        let is_link = folded.contains("://") || folded.contains("www.");
        if found.len() == before && (is_link || !rules::hosts(folded).is_empty()) {
            found.push(core(word));
        }
    }
    found.retain(|address| !address.is_empty());
    found.sort();
    found.dedup();
    found
}

/// Without the tricks that keep an address from being a link and not from being read.
fn undone(text: &str) -> String {
    let mut out = text.to_owned();
    for (trick, dot) in [
        ("[.]", "."),
        ("(.)", "."),
        ("{.}", "."),
        ("[dot]", "."),
        ("(dot)", "."),
        ("[punto]", "."),
        ("(punto)", "."),
        ("[ponto]", "."),
        ("(ponto)", "."),
        ("hxxp", "http"),
        ("\u{2024}", "."),
        ("\u{fe52}", "."),
        ("\u{ff0e}", "."),
    ] {
        if out.contains(trick) {
            out = out.replace(trick, dot);
        }
    }
    for end in [
        "com", "net", "org", "shop", "me", "ly", "io", "link", "xyz", "top", "co", "vn", "id",
        "th", "ph",
    ] {
        for dot in [" dot ", " punto ", " ponto ", " . "] {
            let spelt = format!("{dot}{end}");
            if out.ends_with(&spelt)
                || out.contains(&format!("{spelt} "))
                || out.contains(&format!("{spelt}/"))
            {
                out = out.replace(&spelt, &format!(".{end}"));
            }
        }
    }
    out
}

/// Latin, Cyrillic and Greek letters, digits, and the signs of an address.
const fn is_spelling(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '.' | '-' | '_' | '/' | ':' | '@' | '%' | '?' | '=' | '&' | '#' | '~' | '+')
        || matches!(c, '\u{c0}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}')
        || matches!(c, '\u{1d400}'..='\u{1d7ff}' | '\u{2100}'..='\u{214f}' | '\u{a4d0}'..='\u{a4ff}')
}

/// A name, a dot and an end of two letters or more; no number, no ellipsis.
fn is_address(run: &str) -> bool {
    let (scheme, run) = run.split_once("://").map_or(("", run), |(_, rest)| ("://", rest));
    let host = run.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let mut labels: Vec<&str> = host.trim_matches(['.', '-']).split('.').collect();
    let Some(end) = labels.pop() else { return false };
    let is_end = end.chars().count() >= 2 && end.chars().all(|c| c.is_alphabetic() || c == '-')
        || end.starts_with("xn--");
    !scheme.is_empty() && !host.is_empty()
        || is_end
            && !labels.is_empty()
            && labels
                .iter()
                .all(|label| !label.is_empty() && label.chars().any(char::is_alphanumeric))
}

/// A word without the punctuation around it.
fn core(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}
