//! Repeats folded with a count: the same normalised text, by one account or many, within a window. Who wrote them is
//! kept, because a folded line may be a claim or a vote: folding is for the eye only.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::{EntryId, Person};
use crate::base::Moment;

/// Sizes and times of folding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldConfig {
    /// A repeat counts when the one before it is at most this old.
    pub window: Duration,
    /// Texts remembered at once; the one that was repeated longest ago is forgotten first.
    pub most_texts: usize,
    /// Repeats of one text that are kept with their authors; beyond it they are only counted.
    pub most_repeats: usize,
    /// Lines of all texts that are kept with their authors; beyond it repeats are only counted.
    pub most_lines: usize,
}

impl Default for FoldConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            most_texts: 2_000,
            most_repeats: 2_000,
            most_lines: 20_000,
        }
    }
}

/// One line that was folded, or the first that the others are folded into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// The entry.
    pub entry: EntryId,
    /// Who wrote it; `None` where the platform withholds it.
    pub person: Option<Person>,
}

/// A text and its repeats.
#[derive(Debug, Clone)]
pub struct Group {
    /// The first line and its repeats in the order of arrival.
    pub lines: Vec<Repeat>,
    /// Repeats that are counted and not kept.
    pub uncounted: u64,
    last: Moment,
    version: u64,
}

impl Group {
    /// How often the text was written.
    pub fn count(&self) -> u64 {
        self.lines.len() as u64 + self.uncounted
    }

    /// How many accounts wrote it, as far as the lines are kept. Lines without an author count as one each.
    pub fn people(&self) -> usize {
        let mut known: Vec<_> = self.lines.iter().filter_map(|line| line.person.as_ref()).collect();
        let nameless = self.lines.len() - known.len();
        known.sort_unstable();
        known.dedup();
        known.len() + nameless
    }
}

/// The outcome of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// The first of its text (also: nothing comparable is in it).
    First,
    /// Folded into this entry, whose count is now `count`.
    Into {
        /// The first line of the text.
        entry: EntryId,
        /// How often the text was written, the first included.
        count: u64,
    },
}

/// Folds lines.
#[derive(Debug)]
pub struct Fold {
    config: FoldConfig,
    texts: HashMap<Box<str>, Group>,
    /// Texts by their last repeat; stale pairs are skipped.
    order: VecDeque<(Box<str>, u64)>,
    heads: HashMap<EntryId, Box<str>>,
    version: u64,
    folded: u64,
    /// Lines in all groups.
    kept: usize,
}

impl Fold {
    /// Nothing folded yet.
    pub fn new(config: FoldConfig) -> Self {
        Self {
            config,
            texts: HashMap::new(),
            order: VecDeque::new(),
            heads: HashMap::new(),
            version: 0,
            folded: 0,
            kept: 0,
        }
    }

    /// Takes a line. `normalised` is its text for comparison; an empty one is never folded.
    pub fn take(
        &mut self,
        entry: EntryId,
        person: Option<Person>,
        normalised: &str,
        now: Moment,
    ) -> Folded {
        self.forget(now);
        if normalised.is_empty() {
            return Folded::First;
        }
        self.version += 1;
        let line = Repeat { entry, person };
        let version = self.version;
        self.order.push_back((normalised.into(), version));
        let Some(group) = self.texts.get_mut(normalised) else {
            let group = Group { lines: vec![line], uncounted: 0, last: now, version };
            self.texts.insert(normalised.into(), group);
            self.heads.insert(entry, normalised.into());
            self.kept += 1;
            self.shrink();
            return Folded::First;
        };
        group.last = now;
        group.version = version;
        if group.lines.len() < self.config.most_repeats.max(1) && self.kept < self.config.most_lines
        {
            group.lines.push(line);
            self.kept += 1;
        } else {
            group.uncounted += 1;
        }
        let into = Folded::Into {
            entry: group.lines.first().map_or(entry, |l| l.entry),
            count: group.count(),
        };
        self.folded += 1;
        self.shrink();
        into
    }

    /// The group whose first line is this entry, while its text is remembered.
    pub fn group(&self, head: EntryId) -> Option<&Group> {
        self.heads.get(&head).and_then(|text| self.texts.get(text))
    }

    /// Lines folded since the beginning.
    pub fn folded(&self) -> u64 {
        self.folded
    }

    fn forget(&mut self, now: Moment) {
        while let Some((text, version)) = self.order.front() {
            match self.texts.get(text) {
                Some(group) if group.version == *version => {
                    if now.since(group.last) <= self.config.window {
                        return;
                    }
                    self.drop_oldest();
                }
                _ => drop(self.order.pop_front()),
            }
        }
    }

    /// Keeps to the bounds: texts, and stale pairs (at most as many as there are texts).
    fn shrink(&mut self) {
        let most = self.config.most_texts.max(1);
        while self.texts.len() > most && !self.order.is_empty() {
            self.drop_oldest();
        }
        if self.order.len() > most * 2 {
            let texts = &self.texts;
            self.order.retain(|(text, version)| {
                texts.get(text).is_some_and(|group| group.version == *version)
            });
        }
    }

    fn drop_oldest(&mut self) {
        let Some((text, version)) = self.order.pop_front() else { return };
        if self.texts.get(&text).is_some_and(|group| group.version == version)
            && let Some(group) = self.texts.remove(&text)
        {
            self.kept -= group.lines.len();
            if let Some(head) = group.lines.first() {
                self.heads.remove(&head.entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::sample::line;

    fn person(name: &str) -> Option<Person> {
        Person::of(&line("a", "1", 0, name, "x"))
    }

    #[test]
    fn repeats_are_counted_and_their_authors_kept() {
        let mut fold = Fold::new(FoldConfig::default());
        let at = |s: u64| Moment::from_ms(s * 1_000);
        assert_eq!(fold.take(EntryId(1), person("lan"), "a12 +1", at(0)), Folded::First);
        assert_eq!(fold.take(EntryId(2), person("bo"), "other", at(1)), Folded::First);
        let into = |count| Folded::Into { entry: EntryId(1), count };
        assert_eq!(fold.take(EntryId(3), person("bo"), "a12 +1", at(20)), into(2));
        // The window slides with each repeat.
        assert_eq!(fold.take(EntryId(4), None, "a12 +1", at(45)), into(3));
        assert_eq!(fold.take(EntryId(5), person("bo"), "a12 +1", at(46)), into(4));
        let group = fold.group(EntryId(1)).unwrap();
        assert_eq!((group.count(), group.people()), (4, 3));
        let entries: Vec<_> = group.lines.iter().map(|line| line.entry.0).collect();
        assert_eq!(entries, [1, 3, 4, 5]);
        assert_eq!(fold.take(EntryId(6), person("bo"), "a12 +1", at(77)), Folded::First);
        assert!(fold.group(EntryId(1)).is_none());
        assert_eq!(fold.take(EntryId(7), person("bo"), "", at(77)), Folded::First);
        assert_eq!(fold.take(EntryId(8), person("bo"), "", at(77)), Folded::First);
        assert_eq!(fold.folded(), 3);
    }

    proptest! {
           #[test]
           fn nothing_is_lost_and_memory_is_bounded(
               lines in prop::collection::vec((0..12_u8, 0..3_000_u64), 1..300)
           ) {
               let config =
                   FoldConfig {
    window: Duration::from_secs(5),
    most_texts: 4,
    most_repeats: 3,
    most_lines: 8,
    };
               let mut fold = Fold::new(config);
               let (mut now, mut heads, mut folded) = (0, 0_u64, 0_u64);
               for (n, (text, pause)) in lines.iter().enumerate() {
                   now += pause;
                   let entry = EntryId(n as u64 + 1);
                   match fold.take(entry, None, &text.to_string(), Moment::from_ms(now)) {
                       Folded::First => {
                           heads += 1;
                           prop_assert_eq!(fold.group(entry).unwrap().count(), 1);
                       }
                       Folded::Into { entry: head, count } => {
                           folded += 1;
                           prop_assert!(head < entry && count >= 2);
                           prop_assert_eq!(fold.group(head).unwrap().count(), count);
                           prop_assert!(fold.group(head).unwrap().lines.len() <= 3);
                       }
                   }
                   prop_assert!(fold.texts.len() <= 4 && fold.order.len() <= 9);
                   prop_assert_eq!(fold.heads.len(), fold.texts.len());
                   let kept: usize = fold.texts.values().map(|group| group.lines.len()).sum();
                   prop_assert!(kept == fold.kept && kept <= 8 + 4);
               }
               prop_assert_eq!(heads + folded, lines.len() as u64);
               prop_assert_eq!(fold.folded(), folded);
           }
       }
}
