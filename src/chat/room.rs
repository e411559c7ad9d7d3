//! The merged chat: the newest messages of all sources in the order in which they were written, each once, with what
//! became of it. Bounded; no step looks through all entries, except where a whole chat is cleared.
//!
//! - **Order**: by the platform's time. A message that arrives at most [`RoomConfig::window`] behind the newest entry is
//!   put in its place; a later one stands at the end and is marked late. Backlog always stands in its place.
//! - **Once**: by message identifier within a source. A copy in shared chat and its original are one entry, whichever
//!   came first; the original takes the copy's place, because only it can act.
//! - **Removals** also meet messages that come after them: a deletion is remembered, a cleared user's or chat's backlog
//!   is entered as deleted.

mod entry;
mod model;
mod recent;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, Hash, RandomState},
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

pub use entry::{Body, Deletion, Entry, EntryId, Place, State};
pub use model::{Applied, Counters, Ours, Refusal, RoomConfig};
use recent::{Mixed, Recent};

use super::{Author, Message, MessageId, Removal, Text, Update, UserId, later::later, person};
use crate::base::{Now, SourceId};

/// A platform's clock may be so far ahead of ours; a later time is taken for the time of arrival. Machines that keep
/// time by NTP are within a second.
const AHEAD: Duration = Duration::from_secs(5);
/// So many removals of users are remembered for the backlog that may follow.
const MOST_CLEARED: usize = 1_024;

/// Authors' keys that an entry gains by its copies: eight channels, which is more than shared chat joins (Twitch: six).
const MOST_JOINED: usize = 16;

#[derive(Debug, Clone, Copy)]
enum Known {
    /// Entered; `copy` as long as the original was not seen.
    Entry { id: EntryId, copy: bool },
    /// Deleted before it came.
    Deleted,
}

/// The merged chat.
#[derive(Debug)]
pub struct Room {
    config: RoomConfig,
    hasher: RandomState,
    /// Boxed, because the nodes of the tree are moved with each insertion.
    entries: BTreeMap<Place, Box<Entry>>,
    places: HashMap<EntryId, Place, Mixed>,
    /// Generation at which each entry changed last.
    changed: BTreeMap<u64, EntryId>,
    /// Entries by author: hash of source and identifier, and of source and name.
    authors: BTreeSet<(u64, EntryId)>,
    known: Recent<Known>,
    /// When a user (same hashes) or a source's whole chat was cleared.
    cleared: Recent<Timestamp>,
    generation: u64,
    next: u64,
    counters: Counters,
}

impl Room {
    /// An empty room.
    pub fn new(config: RoomConfig) -> Self {
        let config = RoomConfig { most: config.most.max(1), ..config };
        Self {
            hasher: RandomState::new(),
            entries: BTreeMap::new(),
            places: HashMap::with_capacity_and_hasher(config.most + 1, Mixed::default()),
            changed: BTreeMap::new(),
            authors: BTreeSet::new(),
            known: Recent::new(config.memory.max(config.most * 2)),
            cleared: Recent::new(MOST_CLEARED),
            generation: 0,
            next: 1,
            counters: Counters::default(),
            config,
        }
    }

    /// Takes what a source reports.
    pub fn apply(&mut self, source: &SourceId, update: Update, now: Now) -> Applied {
        match update {
            Update::Message(message) => self.message(message.into(), now),
            Update::Deleted(id) => self.deleted(source, &id),
            Update::UserCleared { id, name, removal } => {
                self.user_cleared(source, id.as_ref(), name.as_ref(), removal, now)
            }
            Update::AllCleared => self.all_cleared(source, now),
            Update::Moderated { message, to } => {
                let id = self.find(source, &message).map(|entry| entry.id);
                let changed = id.is_some_and(|id| self.set(id, to).unwrap_or(false));
                Applied::Deleted(usize::from(changed))
            }
            Update::Hole { from, until } => {
                self.counters.holes += 1;
                let until = until.max(from);
                let body = Body::Hole { source: source.clone(), from, until };
                let (at, late) = self.moment(until, false, now);
                Applied::Entered(self.enter(at, late, body, State::Shown, now))
            }
        }
    }

    fn message(&mut self, message: Arc<Message>, now: Now) -> Applied {
        let own = self.key(b'm', message.source.as_str(), message.id.as_str());
        let first = message.origin.as_ref().map_or(&message.id, |origin| &origin.id);
        let shared = self.key(b's', message.platform.as_str(), first.as_str());
        let mut state = State::Shown;
        match self.known.get(own) {
            Some(Known::Entry { id, .. }) => {
                self.counters.duplicates += 1;
                return Applied::Duplicate(*id);
            }
            Some(Known::Deleted) => state = State::DeletedByPlatform(Deletion::Line),
            None => {}
        }
        let copy = message.origin.is_some();
        if let Some(Known::Entry { id, copy: copied }) = self.known.get(shared).copied()
            && (copy || copied)
            && let Some(applied) = self.join(id, own, shared, &message)
        {
            return applied;
        }
        let (at, late) = self.moment(message.at, message.backlog, now);
        let late = late || message.late;
        if message.backlog && self.entries.len() >= self.config.most && self.is_oldest(at) {
            self.counters.too_old += 1;
            return Applied::TooOld;
        }
        if (message.backlog || late) && state == State::Shown {
            state = self.cleared_before(&message);
        }
        self.counters.entered += 1;
        self.counters.late += u64::from(late);
        let id = EntryId(self.next);
        self.known.put(own, Known::Entry { id, copy });
        // Two sources that read one channel are told apart: only copies are joined.
        if self.known.get(shared).is_none() || !copy {
            self.known.put(shared, Known::Entry { id, copy });
        }
        Applied::Entered(self.enter(at, late, Body::Message(message), state, now))
    }

    /// Joins a message with the entry of its original or of another copy. `None`: the entry has fallen out and this
    /// is the original, which is entered.
    fn join(
        &mut self,
        id: EntryId,
        own: u64,
        shared: u64,
        message: &Arc<Message>,
    ) -> Option<Applied> {
        let original = message.origin.is_none();
        let deleted = matches!(self.known.get(own), Some(Known::Deleted));
        let keys = self.author_keys(&message.source, &message.author);
        let held = self.places.get(&id).and_then(|place| self.entries.get_mut(place));
        if held.is_none() && original {
            return None;
        }
        self.counters.copies += 1;
        self.known.put(own, Known::Entry { id, copy: false });
        if let Some(entry) = held {
            for key in keys.into_iter().flatten() {
                if entry.joined.len() < MOST_JOINED && self.authors.insert((key, id)) {
                    entry.joined.push(key);
                }
            }
            if !entry.came_by(&message.source) {
                entry.sources.push(message.source.clone());
            }
            if original {
                entry.body = Body::Message(message.clone());
                self.known.put(shared, Known::Entry { id, copy: false });
            }
        }
        if deleted {
            self.delete(id, Deletion::Line);
        } else if original {
            self.touch(id);
        }
        Some(if original { Applied::Original(id) } else { Applied::Duplicate(id) })
    }

    /// Where an entry of this time stands, and whether that is not its place.
    fn moment(&mut self, at: Timestamp, backlog: bool, now: Now) -> (Timestamp, bool) {
        let latest = later(now.wall, AHEAD);
        let at = if at > latest {
            self.counters.ahead += 1;
            now.wall
        } else {
            at
        };
        let newest = self.entries.last_key_value().map(|(place, _)| place.at);
        match newest {
            Some(newest) if !backlog && later(at, self.config.window) < newest => (newest, true),
            _ => (at, false),
        }
    }

    fn is_oldest(&self, at: Timestamp) -> bool {
        self.entries.first_key_value().is_some_and(|(place, _)| at < place.at)
    }

    fn enter(&mut self, at: Timestamp, late: bool, body: Body, state: State, now: Now) -> EntryId {
        let id = EntryId(self.next);
        self.next += 1;
        self.generation += 1;
        let place = Place { at, id };
        let mut keys = [None; 2];
        if let Body::Message(message) = &body {
            keys = self.author_keys(&message.source, &message.author);
            for key in keys.into_iter().flatten() {
                self.authors.insert((key, id));
            }
        }
        let entry = Entry {
            id,
            place,
            body,
            state,
            late,
            arrived: now.mono,
            generation: self.generation,
            sources: Vec::new(),
            keys,
            joined: Vec::new(),
        };
        self.entries.insert(place, Box::new(entry));
        self.places.insert(id, place);
        self.changed.insert(self.generation, id);
        while self.entries.len() > self.config.most {
            self.evict();
        }
        id
    }

    fn evict(&mut self) {
        let Some((_, entry)) = self.entries.pop_first() else { return };
        self.counters.evicted += 1;
        self.places.remove(&entry.id);
        self.changed.remove(&entry.generation);
        for key in entry.keys.into_iter().flatten().chain(entry.joined) {
            self.authors.remove(&(key, entry.id));
        }
    }

    fn deleted(&mut self, source: &SourceId, id: &MessageId) -> Applied {
        let key = self.key(b'm', source.as_str(), id.as_str());
        match self.known.get(key).copied() {
            Some(Known::Entry { id, .. }) => {
                Applied::Deleted(usize::from(self.delete(id, Deletion::Line)))
            }
            known => {
                if known.is_none() {
                    self.counters.deleted_unknown += 1;
                    self.known.put(key, Known::Deleted);
                }
                Applied::Deleted(0)
            }
        }
    }

    fn user_cleared(
        &mut self,
        source: &SourceId,
        id: Option<&UserId>,
        name: Option<&Text>,
        removal: Removal,
        now: Now,
    ) -> Applied {
        let id_key = id.map(|id| self.key(b'i', source.as_str(), id.as_str()));
        let name_key =
            name.map(|name| self.key(b'n', source.as_str(), &name.as_str().to_lowercase()));
        for key in id_key.into_iter().chain(name_key) {
            self.cleared.put(key, now.wall);
        }
        let theirs = self.written_by(id_key, name_key);
        let deleted = theirs.into_iter().filter(|id| self.delete(*id, Deletion::User(removal)));
        Applied::Deleted(deleted.count())
    }

    /// Entries of an author. The name decides only where the identifier of either is unknown.
    fn written_by(&self, id: Option<u64>, name: Option<u64>) -> Vec<EntryId> {
        let of = |key: u64| {
            self.authors
                .range((key, EntryId(0))..=(key, EntryId(u64::MAX)))
                .map(|(_, entry)| *entry)
        };
        let mut found: Vec<EntryId> = id.into_iter().flat_map(of).collect();
        found.extend(name.into_iter().flat_map(of).filter(|entry| {
            id.is_none() || self.get(*entry).is_some_and(|entry| entry.keys[0].is_none())
        }));
        found
    }

    fn all_cleared(&mut self, source: &SourceId, now: Now) -> Applied {
        let key = self.key(b'a', source.as_str(), "");
        self.cleared.put(key, now.wall);
        let theirs: Vec<EntryId> =
            self.entries.values().filter(|entry| entry.came_by(source)).map(|e| e.id).collect();
        Applied::Deleted(theirs.into_iter().filter(|id| self.delete(*id, Deletion::All)).count())
    }

    /// The state of a message that comes after its author or its chat may have been cleared.
    fn cleared_before(&self, message: &Message) -> State {
        let [id, name] = self.author_keys(&message.source, &message.author);
        let all = self.key(b'a', message.source.as_str(), "");
        let since = |key: u64| self.cleared.get(key).is_some_and(|at| message.at <= *at);
        if since(all) {
            State::DeletedByPlatform(Deletion::All)
        } else if id.is_some_and(since) || (id.is_none() && name.is_some_and(since)) {
            State::DeletedByPlatform(Deletion::User(Removal::Cleared))
        } else {
            State::Shown
        }
    }

    /// Whether this changed anything.
    fn delete(&mut self, id: EntryId, how: Deletion) -> bool {
        let Some(entry) = self.places.get(&id).and_then(|place| self.entries.get_mut(place)) else {
            return false;
        };
        let is_deleted = matches!(entry.state, State::DeletedByPlatform(_) | State::DeletedByUs);
        if is_deleted || matches!(entry.body, Body::Hole { .. }) {
            return false;
        }
        entry.state = State::DeletedByPlatform(how);
        self.counters.deleted += 1;
        self.touch(id);
        true
    }

    /// Changes an entry's state for us. Whether it was another before.
    pub fn set(&mut self, id: EntryId, to: Ours) -> Result<bool, Refusal> {
        let entry = self.places.get(&id).and_then(|place| self.entries.get_mut(place));
        let entry = entry.ok_or(Refusal::Gone)?;
        if matches!(entry.body, Body::Hole { .. }) {
            return Err(Refusal::Hole);
        }
        if matches!(entry.state, State::DeletedByPlatform(_)) {
            return Err(Refusal::DeletedByPlatform);
        }
        let state = match to {
            Ours::Show => State::Shown,
            Ours::Hide => State::Hidden,
            Ours::Hold => State::Held,
            Ours::Delete => State::DeletedByUs,
        };
        let changes = entry.state != state;
        if changes {
            entry.state = state;
            self.touch(id);
        }
        Ok(changes)
    }

    /// Entries of an author in one source, oldest first.
    pub fn by_author(&self, source: &SourceId, author: &Author) -> Vec<EntryId> {
        let [id, name] = self.author_keys(source, author);
        let mut found = self.written_by(id, name);
        found.sort_unstable();
        found.dedup();
        found
    }

    fn touch(&mut self, id: EntryId) {
        let Some(entry) = self.places.get(&id).and_then(|place| self.entries.get_mut(place)) else {
            return;
        };
        self.changed.remove(&entry.generation);
        self.generation += 1;
        entry.generation = self.generation;
        self.changed.insert(self.generation, id);
    }

    /// Two identifiers in this room are the same key only by accident: with 10^5 keys of 64 bits once in 10^9 rooms.
    fn key(&self, kind: u8, scope: &str, id: &str) -> u64 {
        struct Key<'a>(u8, &'a str, &'a str);
        impl Hash for Key<'_> {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                (self.0, self.1, self.2).hash(state);
            }
        }
        self.hasher.hash_one(Key(kind, scope, id))
    }

    fn author_keys(&self, source: &SourceId, author: &Author) -> [Option<u64>; 2] {
        let id = author.id.as_ref().map(|id| self.key(b'i', source.as_str(), id.as_str()));
        let name = person::login(author);
        let name = (!name.is_empty()).then(|| self.key(b'n', source.as_str(), &name));
        [id, name]
    }

    /// An entry.
    pub fn get(&self, id: EntryId) -> Option<&Entry> {
        self.places.get(&id).and_then(|place| self.entries.get(place)).map(Box::as_ref)
    }

    /// The entry of a source's message, while it is held.
    pub fn find(&self, source: &SourceId, id: &MessageId) -> Option<&Entry> {
        match self.known.get(self.key(b'm', source.as_str(), id.as_str()))? {
            Known::Entry { id, .. } => self.get(*id),
            Known::Deleted => None,
        }
    }

    /// All entries in order, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.values().map(Box::as_ref)
    }

    /// Entries up to and including `place`, oldest first.
    pub fn until(&self, place: Place) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.range(..=place).map(|(_, entry)| entry.as_ref())
    }

    /// Entries after `place`, oldest first.
    pub fn after(&self, place: Place) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries
            .range((Bound::Excluded(place), Bound::Unbounded))
            .map(|(_, entry)| entry.as_ref())
    }

    /// Grows with every change.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Entries that came or changed after `generation`, in the order of their last change. What a reader holds below
    /// [`Self::oldest`] has fallen out.
    pub fn changed_since(&self, generation: u64) -> impl Iterator<Item = &Entry> {
        self.changed
            .range((Bound::Excluded(generation), Bound::Unbounded))
            .filter_map(|(_, id)| self.get(*id))
    }

    /// How many entries were entered after this one.
    pub fn entered_since(&self, id: EntryId) -> u64 {
        (self.next - 1).saturating_sub(id.0)
    }

    /// The place of the oldest entry.
    pub fn oldest(&self) -> Option<Place> {
        self.entries.first_key_value().map(|(place, _)| *place)
    }

    /// The entry that was entered last (not necessarily the one at the end).
    pub fn last_entered(&self) -> EntryId {
        EntryId(self.next - 1)
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
