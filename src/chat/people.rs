//! What is known of each account in this show: its last lines and its removals, for the card of a user. Bounded: the
//! account that was heard longest ago is forgotten first.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Author, EntryId, Message, Person, Platform, Removal, Text, UserId, person};
use crate::base::SourceId;

/// Sizes of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeopleConfig {
    /// Accounts.
    pub most_people: usize,
    /// Lines of each.
    pub most_lines: usize,
    /// Removals of each.
    pub most_removals: usize,
}

impl Default for PeopleConfig {
    fn default() -> Self {
        // A message takes about half a kilobyte: 10 MB when all are full.
        Self { most_people: 2_000, most_lines: 10, most_removals: 10 }
    }
}

/// A removal of an account's lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// When we heard of it.
    pub at: Timestamp,
    /// Through which source.
    pub source: SourceId,
    /// Whether the user could go on.
    pub removal: Removal,
}

/// What is known of an account.
#[derive(Debug)]
pub struct Card {
    /// Author as of the newest line.
    pub author: Author,
    /// Time of the earliest line heard.
    pub first: Timestamp,
    /// Time of the latest line heard.
    pub last: Timestamp,
    /// Lines heard.
    pub lines: u64,
    /// The last lines, in the order in which they came.
    pub recent: VecDeque<(EntryId, Arc<Message>)>,
    /// The last removals, in the order in which they came.
    pub removals: VecDeque<Removed>,
    version: u64,
    name: (SourceId, Box<str>),
}

/// All accounts.
#[derive(Debug)]
pub struct People {
    config: PeopleConfig,
    cards: HashMap<Person, Card>,
    names: HashMap<(SourceId, Box<str>), Person>,
    order: VecDeque<(Person, u64)>,
    version: u64,
}

impl People {
    /// Nobody yet.
    pub fn new(config: PeopleConfig) -> Self {
        Self {
            config: PeopleConfig { most_people: config.most_people.max(1), ..config },
            cards: HashMap::new(),
            names: HashMap::new(),
            order: VecDeque::new(),
            version: 0,
        }
    }

    /// Takes a line that was entered.
    pub fn take(&mut self, entry: EntryId, message: &Arc<Message>) {
        let Some(person) = Person::of(message) else { return };
        self.version += 1;
        let version = self.version;
        let name = (message.source.clone(), person::login(&message.author).into_boxed_str());
        let config = self.config;
        let card = self.cards.entry(person.clone()).or_insert_with(|| Card {
            author: message.author.clone(),
            first: message.at,
            last: message.at,
            lines: 0,
            recent: VecDeque::new(),
            removals: VecDeque::new(),
            version,
            name: name.clone(),
        });
        if card.name != name && self.names.get(&card.name) == Some(&person) {
            self.names.remove(&card.name);
        }
        card.first = card.first.min(message.at);
        if message.at >= card.last {
            card.last = message.at;
            card.author.clone_from(&message.author);
        }
        card.lines += 1;
        card.version = version;
        card.name.clone_from(&name);
        card.recent.push_back((entry, message.clone()));
        if card.recent.len() > config.most_lines {
            card.recent.pop_front();
        }
        self.names.insert(name, person.clone());
        self.order.push_back((person, version));
        self.shrink();
    }

    /// Takes a removal of a user's lines, as the source reports it. Whose it was, if that is known.
    pub fn removed(
        &mut self,
        source: &SourceId,
        platform: &Platform,
        (id, name): (Option<&UserId>, Option<&Text>),
        removal: Removal,
        at: Timestamp,
    ) -> Option<Person> {
        let author = Author { id: id.cloned(), ..Author::default() };
        let by_id = id.and_then(|_| Person::from(source, platform, &author));
        let by_name = || {
            let name = name?.as_str().to_lowercase().into_boxed_str();
            self.names.get(&(source.clone(), name)).cloned()
        };
        let person = by_id.or_else(by_name)?;
        let card = self.cards.get_mut(&person)?;
        card.removals.push_back(Removed { at, source: source.clone(), removal });
        if card.removals.len() > self.config.most_removals {
            card.removals.pop_front();
        }
        Some(person)
    }

    /// The card of an account.
    pub fn card(&self, person: &Person) -> Option<&Card> {
        self.cards.get(person)
    }

    /// Accounts that wrote last, newest first: for the completion of names. Some may come twice.
    pub fn newest(&self) -> impl Iterator<Item = (&Person, &Card)> {
        self.order.iter().rev().filter_map(|(person, version)| {
            let card = self.cards.get(person).filter(|card| card.version == *version)?;
            Some((person, card))
        })
    }

    /// Forgets an account. Whether it was known.
    pub fn forget(&mut self, person: &Person) -> bool {
        let Some(card) = self.cards.remove(person) else { return false };
        if self.names.get(&card.name) == Some(person) {
            self.names.remove(&card.name);
        }
        self.order.retain(|(other, _)| other != person);
        true
    }

    /// Accounts known.
    pub fn len(&self) -> usize {
        self.cards.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.cards.is_empty()
    }

    fn shrink(&mut self) {
        let most = self.config.most_people;
        while self.cards.len() > most
            && let Some((person, version)) = self.order.pop_front()
        {
            if self.cards.get(&person).is_some_and(|card| card.version == version)
                && let Some(card) = self.cards.remove(&person)
                && self.names.get(&card.name) == Some(&person)
            {
                self.names.remove(&card.name);
            }
        }
        if self.order.len() > most * 2 {
            let cards = &self.cards;
            self.order.retain(|(person, version)| {
                cards.get(person).is_some_and(|card| card.version == *version)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        base::Now,
        chat::sample::{line, source},
    };

    #[test]
    fn a_card_holds_the_last_lines_and_removals() {
        let config = PeopleConfig { most_people: 2, most_lines: 2, most_removals: 2 };
        let mut people = People::new(config);
        for n in 1..=3 {
            people.take(EntryId(n), &Arc::new(line("a", &n.to_string(), n * 10, "lan", "x")));
        }
        let lan = Person::of(&line("a", "1", 0, "lan", "x")).unwrap();
        let (at, removal) = (Now::test(99).wall, Removal::TimedOut(Duration::from_mins(1)));
        let by_id = (Some(UserId::new("lan")), None);
        let by_name = (None, Some(Text::name("LAN")));
        for (id, name) in [by_id, by_name] {
            let who = (id.as_ref(), name.as_ref());
            let found = people.removed(&source("a"), &Platform::TWITCH, who, removal, at);
            assert_eq!(found.as_ref(), Some(&lan));
        }
        let stranger = UserId::new("9");
        let who = (Some(&stranger), None);
        assert_eq!(people.removed(&source("a"), &Platform::TWITCH, who, removal, at), None);
        let card = people.card(&lan).unwrap();
        let recent: Vec<_> = card.recent.iter().map(|(entry, _)| entry.0).collect();
        assert_eq!((card.lines, recent, card.removals.len()), (3, vec![2, 3], 2));
        assert_eq!((card.first, card.last), (Now::test(10).wall, Now::test(30).wall));
    }

    #[test]
    fn the_one_heard_longest_ago_is_forgotten() {
        let config = PeopleConfig { most_people: 2, ..PeopleConfig::default() };
        let mut people = People::new(config);
        for (n, who) in ["lan", "bo", "lan", "mai"].into_iter().enumerate() {
            people.take(EntryId(n as u64), &Arc::new(line("a", &n.to_string(), 1, who, "x")));
        }
        let newest: Vec<_> =
            people.newest().map(|(_, card)| card.author.name.as_str().to_owned()).collect();
        assert_eq!((newest, people.names.len()), (vec!["mai".to_owned(), "lan".to_owned()], 2));
        for n in 0..100 {
            people.take(EntryId(n), &Arc::new(line("a", &n.to_string(), 1, "lan", "x")));
        }
        assert!(people.order.len() <= 4);
        assert!(people.forget(&Person::of(&line("a", "1", 0, "lan", "x")).unwrap()));
        assert_eq!((people.len(), people.names.len(), people.newest().count()), (1, 1, 1));
    }
}
