//! A bounded history: the newest `capacity` values, oldest first.

use std::collections::VecDeque;

/// Keeps the newest values and forgets the rest. Never grows beyond its capacity.
#[derive(Debug, Clone)]
pub struct Ring<T> {
    capacity: usize,
    values: VecDeque<T>,
}

impl<T> Ring<T> {
    /// An empty ring for `capacity` values (at least one).
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { capacity, values: VecDeque::with_capacity(capacity) }
    }

    /// Adds a value; returns the one that fell out, if the ring was full.
    pub fn push(&mut self, value: T) -> Option<T> {
        let fell = if self.values.len() == self.capacity { self.values.pop_front() } else { None };
        self.values.push_back(value);
        fell
    }

    /// Takes out the newest value of which `is` holds.
    pub fn remove(&mut self, is: impl Fn(&T) -> bool) -> Option<T> {
        let at = self.values.iter().rposition(is)?;
        self.values.remove(at)
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.values.iter()
    }

    /// The newest value.
    pub fn last(&self) -> Option<&T> {
        self.values.back()
    }

    /// How many values are kept now.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing has been kept yet.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_falls_out() {
        let mut ring = Ring::new(2);
        assert_eq!((ring.push(1), ring.push(2), ring.push(3)), (None, None, Some(1)));
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [2, 3]);
        assert_eq!((ring.last(), ring.len()), (Some(&3), 2));
        assert_eq!((ring.remove(|n| *n == 2), ring.remove(|n| *n == 2)), (Some(2), None));
        assert_eq!((ring.last(), ring.len()), (Some(&3), 1));
    }
}
