//! Translations that were made before; the least recently used go first.

use std::collections::{HashMap, VecDeque};

use super::Refusal;
use crate::chat::language::Language;

/// What is remembered: a template with placeholders, or why the last one was refused.
pub type Known = Result<String, Refusal>;

/// What a translation is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// From.
    pub from: Option<Language>,
    /// Into.
    pub to: Language,
    /// The line as compared.
    pub text: String,
}

/// A bounded memory of translations.
#[derive(Debug)]
pub struct Cache {
    most: usize,
    known: HashMap<Key, (Known, u64)>,
    /// Uses in order; one is stale if its entry was used again since.
    uses: VecDeque<(Key, u64)>,
    next: u64,
}

impl Cache {
    /// A memory of `most` lines, at least one.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), known: HashMap::new(), uses: VecDeque::new(), next: 0 }
    }

    /// What is known; that is a use.
    pub fn get(&mut self, key: &Key) -> Option<Known> {
        let used = self.next;
        let (known, last) = self.known.get_mut(key)?;
        *last = used;
        let known = known.clone();
        self.used(key);
        Some(known)
    }

    /// Remembers.
    pub fn put(&mut self, key: Key, known: Known) {
        self.used(&key);
        self.known.insert(key, (known, self.next - 1));
        while self.known.len() > self.most {
            let Some((key, used)) = self.uses.pop_front() else { break };
            if self.known.get(&key).is_some_and(|(_, last)| *last == used) {
                self.known.remove(&key);
            }
        }
    }

    fn used(&mut self, key: &Key) {
        self.uses.push_back((key.clone(), self.next));
        self.next += 1;
        // Stale uses are dropped before they are many.
        if self.uses.len() > self.most.saturating_mul(4) {
            let known = &self.known;
            let next = self.next;
            self.uses.retain(|(key, used)| {
                used + 1 == next || known.get(key).is_some_and(|(_, last)| last == used)
            });
        }
    }

    /// How many lines are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
