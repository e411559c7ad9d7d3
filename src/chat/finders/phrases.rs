//! Phrases found in a line, all at once.

use std::ops::Range;

use aho_corasick::AhoCorasick;

use super::words::Words;
use crate::chat::{
    language::Language,
    normalise::{Folding, Normal},
};

/// Matches of one line that are compared with each other; more come only of hostile lines.
const MOST_MATCHES: usize = 200;
const START: &str = "\u{2}";
const END: &str = "\u{3}";

/// A line as phrases are looked for in it: its words folded; the same between marks of start and end, without
/// greetings before and polite words after; the words with their accents.
#[derive(Debug)]
pub(super) struct Haystack(String);

impl Haystack {
    pub(super) fn new(text: &str, words: &Words) -> Self {
        let plain = Normal::new(text, Folding { stretch: false, ..Folding::PLAIN });
        let plain = coded(&spaced(plain.as_str()));
        let mut middle: Vec<&str> = plain.split(' ').collect();
        let is_filler = |word: &&str| words.is_filler(word);
        let mark = |word: &&str| *word == "?";
        while middle.len() > 1 && middle.last().is_some_and(|word| is_filler(word) || mark(word)) {
            middle.pop();
        }
        let address = |word: &&str| words.is_address(word);
        let start = middle.iter().take_while(|word| address(word)).count();
        let start = start.min(middle.len().saturating_sub(1));
        let inner = middle.get(start..).unwrap_or_default().join(" ");
        let full = plain.trim_end_matches([' ', '?']);
        let accented = coded(&spaced(text));
        Self(format!(
            " {plain} \u{1} {START} {inner} {END} \u{1} {START} {full} {END} \u{1} {accented} {END} "
        ))
    }
}

/// Words and runs of other scripts with one space between; a question mark as a word.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut last = (' ', 0);
    for c in text.chars() {
        let c = match c {
            '’' | '‘' | '`' => '\'',
            '？' | '؟' | '⁇' | '⁈' => '?',
            c => c,
        };
        if c == '?' {
            if !out.ends_with("? ") {
                out.push_str(if out.ends_with(' ') || out.is_empty() { "? " } else { " ? " });
            }
            last = (' ', 0);
        } else if c.is_alphanumeric() || c == '\'' || is_joining(c) {
            // A letter drawn out says no more than one.
            last = if c == last.0 { (c, last.1 + 1) } else { (c, 1) };
            if last.1 == 3 && c.is_alphabetic() {
                out.pop();
            }
            if last.1 < 3 || !c.is_alphabetic() {
                out.push(c);
            }
        } else {
            last = (' ', 0);
            if !out.ends_with(' ') && !out.is_empty() {
                out.push(' ');
            }
        }
    }
    let words = out.split(' ').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Order codes as `#`.
fn coded(text: &str) -> String {
    text.split(' ').map(|word| if is_code(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}

/// Thai vowels and other marks that are part of a word.
const fn is_joining(c: char) -> bool {
    matches!(c, '\u{e30}'..='\u{e4e}' | '\u{300}'..='\u{36f}' | 'ー')
}

/// Whether a word has the shape of an item's code: letters, then digits.
pub(in crate::chat) fn is_code(word: &str) -> bool {
    let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
    let digits = word.len() - letters;
    (1..=4).contains(&letters)
        && (1..=4).contains(&digits)
        && word.bytes().skip(letters).all(|b| b.is_ascii_digit())
}

/// Whether words of its script stand between blanks.
fn is_spaced_script(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '#' | '\'' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{621}'..='\u{6d3}')
}

/// A set of phrases, each of a kind. Kind `None` marks what looks like another phrase and is not.
#[derive(Debug)]
pub(super) struct Phrases<K> {
    automaton: Option<AhoCorasick>,
    kinds: Vec<(K, Option<Language>)>,
}

impl<T: Copy + PartialEq> Phrases<Option<T>> {
    pub(super) fn new(list: &str, kind: impl Fn(&str) -> Option<T>) -> Self {
        let mut patterns = Vec::new();
        let mut kinds = Vec::new();
        for (name, phrases) in lists(list) {
            // A list named by a language, and by a kind or none, holds what asks in that language only.
            let (tag, of) = name.split_once(' ').unwrap_or((name, "other"));
            let (language, name) =
                Language::from_tag(tag).map_or((None, name), |language| (Some(language), of));
            for phrase in phrases {
                patterns.push(pattern(phrase));
                kinds.push((kind(name), language));
            }
        }
        // The patterns are our own and few; it cannot fail but by memory.
        Self { automaton: AhoCorasick::new(patterns).ok(), kinds }
    }

    /// The kinds found, in the order of the line, each once.
    pub(super) fn find(&self, haystack: &Haystack, language: Option<Language>) -> Vec<T> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let matches: Vec<(Range<usize>, Option<T>)> = automaton
            .find_overlapping_iter(&haystack.0)
            .take(MOST_MATCHES)
            .filter_map(|found| {
                let (kind, of) = self.kinds.get(found.pattern().as_usize())?;
                // Without the marks of start and end, so that "^harga" is a part of "harga bagus".
                let text = haystack.0.get(found.range())?;
                let start = found.start() + usize::from(text.starts_with(START));
                let end = found.end() - usize::from(text.ends_with(END));
                (of.is_none() || *of == language).then_some((start..end, *kind))
            })
            .collect();
        let mut found: Vec<(usize, T)> = Vec::new();
        for (range, kind) in &matches {
            // "How much shipping" asks nothing of "how much", and "how cute" nothing at all.
            let is_part = matches.iter().any(|(other, of)| {
                of != kind
                    && other.len() > range.len().min(other.len() - 1)
                    && (other.start <= range.start && range.end <= other.end
                        || other.start < range.start
                            && range.start < other.end - 1
                            && other.len() >= range.len())
            });
            if let Some(kind) = kind
                && !is_part
                && found.iter().all(|(_, known)| known != kind)
            {
                found.push((range.start, *kind));
            }
        }
        found.sort_by_key(|(start, _)| *start);
        found.into_iter().map(|(_, kind)| kind).collect()
    }
}

/// A phrase as it stands in a haystack.
fn pattern(phrase: &str) -> String {
    let (start, phrase) = phrase.strip_prefix('^').map_or((false, phrase), |rest| (true, rest));
    let (end, phrase) = phrase.strip_suffix('$').map_or((false, phrase), |rest| (true, rest));
    // A Latin phrase with accents is meant with them.
    let accents =
        phrase.chars().any(|c| matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}'));
    let folding = Folding { marks: !accents, stretch: false, ..Folding::WORDS };
    let words: String = Normal::new(phrase, folding).as_str().replace('#', "\u{4}");
    let words = spaced_pattern(&words);
    let first = words.chars().next().is_some_and(is_spaced_script);
    let last = words.chars().next_back().is_some_and(is_spaced_script);
    let before = match (start, first) {
        (true, _) => format!("{START} "),
        (false, true) => " ".to_owned(),
        (false, false) => String::new(),
    };
    let after = match (end, last) {
        (true, _) => format!(" {END}"),
        (false, true) => " ".to_owned(),
        (false, false) => String::new(),
    };
    format!("{before}{words}{after}")
}

fn spaced_pattern(words: &str) -> String {
    let parts = words.split('\u{4}').map(spaced).collect::<Vec<_>>();
    let joined = parts.join(" # ");
    joined.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The lists of a file: a name and its phrases.
pub(super) fn lists(file: &str) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(':')).map(|(name, phrases)| {
        (name.trim(), phrases.split(", ").map(str::trim).filter(|phrase| !phrase.is_empty()))
    })
}
