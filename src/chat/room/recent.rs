//! A bounded memory by hash: the values put last, the oldest key forgotten first.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
};

/// A hasher for keys that are hashes or numbers that nobody outside chooses: one multiplication (Fibonacci hashing, Knuth
/// 6.4) spreads them over all bits.
#[derive(Debug, Default)]
pub(super) struct Multiply(u64);

impl Hasher for Multiply {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// See [`Multiply`].
pub(super) type Mixed = BuildHasherDefault<Multiply>;

/// Values by 64-bit key.
#[derive(Debug)]
pub(super) struct Recent<V> {
    most: usize,
    values: HashMap<u64, V, Mixed>,
    order: VecDeque<u64>,
}

impl<V> Recent<V> {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), values: HashMap::default(), order: VecDeque::new() }
    }

    pub(super) fn get(&self, key: u64) -> Option<&V> {
        self.values.get(&key)
    }

    /// Puts a value, or replaces it; a replaced one is not younger for it.
    pub(super) fn put(&mut self, key: u64, value: V) {
        if self.values.insert(key, value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_key_is_forgotten() {
        let mut recent = Recent::new(2);
        for (key, value) in [(1, 'a'), (2, 'b'), (1, 'c'), (3, 'd')] {
            recent.put(key, value);
        }
        assert_eq!((recent.get(1), recent.get(2), recent.get(3)), (None, Some(&'b'), Some(&'d')));
    }
}
