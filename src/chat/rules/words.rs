//! Words of a list, found in a normalised text in one walk over it, however long the list is.

use std::collections::HashMap;

use super::config::{Invalid, WordList};

/// Longest word or phrase, in characters of its normalised form; the rest of a longer one is not compared.
const MOST_CHARACTERS: usize = 100;
/// A word that is spelt out ("s p a m") is looked for from this length on.
const LEAST_SPELT: usize = 3;

/// A trie of words.
#[derive(Debug)]
pub(super) struct Words {
    steps: HashMap<(u32, char), u32>,
    ends: HashMap<u32, Box<str>>,
    anywhere: bool,
}

/// Whether this script writes words without a space between them.
pub(super) const fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}'     // Thai, Lao
        | '\u{1000}'..='\u{109f}'   // Burmese
        | '\u{1780}'..='\u{17ff}'   // Khmer
        | '\u{3040}'..='\u{30ff}'   // Hiragana, Katakana
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a word may end between these two.
fn parts(before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return true };
    !before.is_alphanumeric()
        || !after.is_alphanumeric()
        || is_spaceless(before)
        || is_spaceless(after)
}

impl Words {
    pub(super) fn new(
        list: &WordList,
        normalise: &dyn Fn(&str) -> String,
    ) -> Result<Self, Invalid> {
        let mut words =
            Self { steps: HashMap::new(), ends: HashMap::new(), anywhere: list.within_words };
        let mut nodes = 0;
        for word in &list.words {
            let normalised = normalise(word);
            let normalised = normalised.trim();
            if normalised.is_empty() {
                return Err(Invalid::EmptyWord { list: list.name.clone(), word: word.clone() });
            }
            let mut node = 0;
            for c in normalised.chars().take(MOST_CHARACTERS) {
                node = *words.steps.entry((node, c)).or_insert_with(|| {
                    nodes += 1;
                    nodes
                });
            }
            words.ends.entry(node).or_insert_with(|| word.as_str().into());
        }
        Ok(words)
    }

    /// The first word of the list that the text holds, as the list writes it; also one whose letters are parted.
    pub(super) fn find(&self, normalised: &str) -> Option<&str> {
        let text: Vec<char> = normalised.chars().collect();
        self.find_in(&text, self.anywhere, 1).or_else(|| {
            let joined = joined(&text);
            // Each of its letters was a word: one may begin and end anywhere in it ("a s c a m").
            joined.iter().find_map(|run| self.find_in(run, true, LEAST_SPELT))
        })
    }

    /// The first word of at least so many letters.
    fn find_in(&self, text: &[char], anywhere: bool, least: usize) -> Option<&str> {
        for start in 0..text.len() {
            let before = start.checked_sub(1).and_then(|at| text.get(at)).copied();
            if !anywhere && !parts(before, text.get(start).copied()) {
                continue;
            }
            let mut node = 0;
            for at in start..text.len() {
                let Some(c) = text.get(at).copied() else { break };
                let Some(next) = self.steps.get(&(node, c)) else { break };
                node = *next;
                if let Some(word) = self.ends.get(&node)
                    && at + 1 - start >= least
                    && (anywhere || parts(Some(c), text.get(at + 1).copied()))
                {
                    return Some(word);
                }
            }
        }
        None
    }
}

/// Runs of single letters with something between them, each joined to a word.
fn joined(text: &[char]) -> Vec<Vec<char>> {
    let mut runs = Vec::new();
    let mut run = Vec::new();
    for word in text.split(|c| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        match word {
            [letter] => run.push(*letter),
            _ => runs.push(std::mem::take(&mut run)),
        }
    }
    runs.push(run);
    runs.retain(|run| run.len() >= LEAST_SPELT);
    runs
}
