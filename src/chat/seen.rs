//! Identifiers that were seen before, in bounded memory, and identifiers for messages that come without one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

use super::MessageId;

/// How many identifiers a source remembers. At 200 messages a second this is 80 s; a replay after a reconnect (IRC
/// history, Shopee's 10 s, a Facebook page of 100) is much shorter.
pub const REMEMBERED: usize = 16_384;

/// Remembers the newest identifiers and answers whether one is new.
#[derive(Debug, Clone)]
pub struct Seen<T> {
    most: usize,
    order: VecDeque<T>,
    known: HashSet<T>,
}

impl<T: Clone + Eq + Hash> Seen<T> {
    /// Remembers `most` identifiers, at least one.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), order: VecDeque::new(), known: HashSet::new() }
    }

    /// Remembers the identifier. Returns whether it is new.
    pub fn insert(&mut self, id: T) -> bool {
        if !self.known.insert(id.clone()) {
            return false;
        }
        if self.order.len() == self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(id);
        true
    }

    /// Whether it is remembered.
    pub fn contains(&self, id: &T) -> bool {
        self.known.contains(id)
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl<T: Clone + Eq + Hash> Default for Seen<T> {
    fn default() -> Self {
        Self::new(REMEMBERED)
    }
}

/// Derives identifiers for messages that have none: a hash of the parts, and a counter for equal parts. The second
/// reading of the same messages in the same order gives the same identifiers; [`Derive::restart`] begins it.
#[derive(Debug, Clone, Default)]
pub struct Derive {
    counts: HashMap<u128, u32>,
    order: VecDeque<u128>,
}

/// How many different messages are counted at once. A message whose counter was forgotten begins at zero again.
const COUNTED: usize = 4_096;

impl Derive {
    /// An identifier for a message with these parts (time, author, text).
    pub fn id(&mut self, parts: &[&[u8]]) -> MessageId {
        let hash = hash(parts);
        if !self.counts.contains_key(&hash) {
            if self.order.len() == COUNTED
                && let Some(oldest) = self.order.pop_front()
            {
                self.counts.remove(&oldest);
            }
            self.order.push_back(hash);
        }
        let count = self.counts.entry(hash).or_default();
        let id = MessageId::new(&format!("~{hash:032x}.{count}"));
        *count = count.saturating_add(1);
        id
    }

    /// Begins a new reading: equal parts are counted from zero again.
    pub fn restart(&mut self) {
        self.counts.clear();
        self.order.clear();
    }
}

/// An identifier from parts that are unique together, without a counter.
pub fn derived(parts: &[&[u8]]) -> MessageId {
    MessageId::new(&format!("~{:032x}", hash(parts)))
}

/// FNV-1a with 128 bits (draft-eastlake-fnv-17, section 2.1 and 5): the same on every machine and in every build. Each part is
/// preceded by its length, so that parts cannot run into each other.
fn hash(parts: &[&[u8]]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut sum = OFFSET;
    for part in parts {
        let length = (part.len() as u64).to_be_bytes();
        for byte in length.iter().chain(*part) {
            sum = (sum ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_the_newest_are_known() {
        let mut seen = Seen::new(3);
        assert!((0..10).all(|n| seen.insert(n)));
        assert_eq!(seen.len(), 3);
        assert!(!seen.insert(9) && !seen.insert(7) && seen.insert(6));
        let mut derive = Derive::default();
        for n in 0..(COUNTED as u32 + 100) {
            derive.id(&[&n.to_be_bytes()]);
        }
        assert_eq!((derive.counts.len(), derive.order.len()), (COUNTED, COUNTED));
    }

    #[test]
    fn a_second_reading_derives_the_same_identifiers() {
        let lines: [&[&[u8]]; 4] = [
            &[b"1", b"an", b"+1"],
            &[b"1", b"an", b"+1"],
            &[b"1", b"bo", b"+1"],
            &[b"1a", b"n", b"+1"],
        ];
        let mut derive = Derive::default();
        let first: Vec<_> = lines.iter().map(|parts| derive.id(parts)).collect();
        derive.restart();
        let second: Vec<_> = lines.iter().map(|parts| derive.id(parts)).collect();
        assert_eq!(first, second);
        let different: HashSet<_> = first.iter().collect();
        assert_eq!(different.len(), lines.len(), "equal lines of one second are two messages");
    }

    #[test]
    fn the_hash_is_that_of_the_draft() {
        // FNV-1a-128 of the eight length bytes of an empty part is fixed; a change would break stored identifiers.
        assert_eq!(hash(&[]), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(derived(&[b"a"]), derived(&[b"a"]));
        assert_ne!(derived(&[b"a", b""]), derived(&[b"", b"a"]));
    }
}
