//! What one pane shows of the merged chat: filter, search, place, pins, answered questions and highlighted people. Pure
//! state over a [`Room`]; it draws nothing.

mod filter;
mod query;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

pub use filter::{Filter, Only};
pub use query::Query;

use super::{Entry, EntryId, Message, Person, Room, Text, Update, UserId, person, room::Place};
use crate::{
    base::{Moment, SourceId},
    market::MarketId,
};

/// Pins of one pane.
const MOST_PINS: usize = 20;
/// Questions that are remembered as answered.
const MOST_ANSWERED: usize = 5_000;
/// People highlighted at once.
const MOST_HIGHLIGHTED: usize = 50;

/// Behind every entry.
const NEWEST: Place = Place { at: jiff::Timestamp::MAX, id: EntryId(u64::MAX) };

/// What was found in an entry's text, and what folding did with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// It orders something.
    pub order: bool,
    /// It asks something.
    pub question: bool,
    /// It complains about picture or sound.
    pub complaint: bool,
    /// The market it comes from.
    pub market: Option<MarketId>,
    /// It repeats this entry.
    pub repeats: Option<EntryId>,
}

/// Marks of the entries of a room. Entries without marks are not kept.
#[derive(Debug, Default)]
pub struct Marked {
    marks: HashMap<EntryId, Marks>,
}

impl Marked {
    /// Sets an entry's marks; now and then, forgets those of entries that fell out of the room.
    pub fn set(&mut self, entry: EntryId, marks: Marks, room: &Room) {
        if marks == Marks::default() {
            self.marks.remove(&entry);
            return;
        }
        self.marks.insert(entry, marks);
        // Once for as many marks as the room holds entries, so a fixed price for each mark.
        if self.marks.len() > room.len() * 2 + 64 {
            self.marks.retain(|entry, _| room.get(*entry).is_some());
        }
    }

    /// An entry's marks.
    pub fn get(&self, entry: EntryId) -> Option<&Marks> {
        self.marks.get(&entry)
    }
}

/// One line of the pane.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// What was found in it.
    pub marks: Option<&'a Marks>,
    /// Its author is highlighted.
    pub highlighted: bool,
    /// It is pinned.
    pub pinned: bool,
    /// It was answered.
    pub answered: bool,
    /// Came since the reader left the live end.
    pub is_new: bool,
}

/// A pinned line. It stays when the entry falls out of the room, and goes when it is deleted.
#[derive(Debug, Clone)]
pub struct Pin {
    /// The entry.
    pub entry: EntryId,
    /// The line.
    pub message: Arc<Message>,
}

/// The reader is not at the live end.
#[derive(Debug, Clone, Copy)]
struct Scrolled {
    /// The lowest line shown.
    bottom: Place,
    /// The newest entry when the reader left the live end.
    left: EntryId,
    /// The newest entry that was counted.
    counted: EntryId,
    /// Matching entries that came since.
    new: u64,
}

/// The state of one pane.
#[derive(Debug)]
pub struct View {
    filter: Filter,
    scrolled: Option<Scrolled>,
    pins: Vec<Pin>,
    answered: BTreeSet<EntryId>,
    highlighted: HashMap<Person, Moment>,
    seen: u64,
}

impl Default for View {
    fn default() -> Self {
        Self::new(Filter::default())
    }
}

impl View {
    /// A pane at the live end.
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            scrolled: None,
            pins: Vec::new(),
            answered: BTreeSet::new(),
            highlighted: HashMap::new(),
            seen: 0,
        }
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Another filter; the pane goes to the live end.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.scrolled = None;
    }

    fn shows(&self, entry: &Entry, marked: &Marked, room: &Room) -> bool {
        let marks = marked.get(entry.id);
        // A repeat stands behind its first line, as long as that one is there to be seen.
        let folded = self.filter.fold
            && marks.and_then(|marks| marks.repeats).is_some_and(|first| {
                first != entry.id && room.get(first).is_some_and(Entry::is_public)
            });
        !folded && self.filter.shows(entry, marks, self.answered.contains(&entry.id))
    }

    /// Counts what came since the last turn, and takes away pins that were removed. Call it after marks are set.
    pub fn turn(&mut self, room: &Room, marked: &Marked) {
        let is_public = |pin: &Pin| room.get(pin.entry).is_none_or(Entry::is_public);
        self.pins.retain(is_public);
        if let Some(scrolled) = self.scrolled {
            let new = room
                .changed_since(self.seen)
                .filter(|entry| entry.id > scrolled.counted && self.shows(entry, marked, room))
                .count() as u64;
            let counted = room.last_entered();
            self.scrolled = Some(Scrolled { counted, new: scrolled.new + new, ..scrolled });
        }
        self.seen = room.generation();
    }

    /// The lines shown in a pane of this height, top first.
    pub fn lines<'a>(
        &self,
        room: &'a Room,
        marked: &'a Marked,
        height: usize,
        now: Moment,
    ) -> Vec<Line<'a>> {
        let bottom = self.bottom();
        let is_shown = |entry: &&Entry| self.shows(entry, marked, room);
        let mut entries: Vec<&Entry> =
            room.until(bottom).rev().filter(is_shown).take(height).collect();
        entries.reverse();
        // The lines above may have fallen out of the room.
        let missing = height.saturating_sub(entries.len());
        entries.extend(room.after(bottom).filter(is_shown).take(missing));
        let pinned: HashSet<EntryId> = self.pins.iter().map(|pin| pin.entry).collect();
        entries.into_iter().map(|entry| self.line(entry, &pinned, marked, now)).collect()
    }

    fn line<'a>(
        &self,
        entry: &'a Entry,
        pinned: &HashSet<EntryId>,
        marked: &'a Marked,
        now: Moment,
    ) -> Line<'a> {
        Line {
            entry,
            marks: marked.get(entry.id),
            highlighted: entry
                .message()
                .and_then(|message| Person::of(message))
                .is_some_and(|person| self.is_highlighted(&person, now)),
            pinned: pinned.contains(&entry.id),
            answered: self.answered.contains(&entry.id),
            is_new: self.scrolled.is_some_and(|scrolled| entry.id > scrolled.left),
        }
    }

    /// The lines up to and including `place` (all of them without one), newest first: for a pane whose lines take
    /// several rows each.
    pub fn up_from<'a>(
        &'a self,
        place: Option<Place>,
        room: &'a Room,
        marked: &'a Marked,
        now: Moment,
    ) -> impl Iterator<Item = Line<'a>> {
        let pinned: HashSet<EntryId> = self.pins.iter().map(|pin| pin.entry).collect();
        let until = place.unwrap_or(NEWEST);
        let shown = room.until(until).rev().filter(|entry| self.shows(entry, marked, room));
        shown.map(move |entry| self.line(entry, &pinned, marked, now))
    }

    /// The lines after `place`, oldest first.
    pub fn down_from<'a>(
        &'a self,
        place: Place,
        room: &'a Room,
        marked: &'a Marked,
        now: Moment,
    ) -> impl Iterator<Item = Line<'a>> {
        let pinned: HashSet<EntryId> = self.pins.iter().map(|pin| pin.entry).collect();
        let shown = room.after(place).filter(|entry| self.shows(entry, marked, room));
        shown.map(move |entry| self.line(entry, &pinned, marked, now))
    }

    /// Where the lowest line stands while the reader is not at the live end.
    pub fn held_at(&self) -> Option<Place> {
        self.scrolled.map(|scrolled| scrolled.bottom)
    }

    fn bottom(&self) -> Place {
        self.held_at().unwrap_or(NEWEST)
    }

    /// Moves a pane of this height by so many lines, towards older ones if negative. It stays full as long as there are
    /// lines; at the newest line it is at the live end again.
    pub fn scroll(&mut self, by: isize, height: usize, room: &Room, marked: &Marked) {
        let (steps, bottom) = (by.unsigned_abs(), self.bottom());
        let is_shown = |entry: &&Entry| self.shows(entry, marked, room);
        if by > 0 {
            let mut below = room.after(bottom).filter(is_shown);
            let to = below.by_ref().take(steps).last().map(|entry| entry.place);
            let to = to.filter(|_| below.next().is_some());
            match (to, self.scrolled) {
                (Some(bottom), Some(scrolled)) => {
                    self.scrolled = Some(Scrolled { bottom, ..scrolled });
                }
                _ => self.scrolled = None,
            }
            return;
        }
        let above: Vec<Place> = room
            .until(bottom)
            .rev()
            .filter(is_shown)
            .map(|entry| entry.place)
            .take(steps.saturating_add(height.max(1)))
            .collect();
        let nth = steps.min(above.len().saturating_sub(height.max(1)));
        let Some(bottom) = above.get(nth).copied().filter(|_| nth > 0) else { return };
        self.leave(bottom, room);
    }

    /// Leaves the live end, or moves on from where the reader is.
    fn leave(&mut self, bottom: Place, room: &Room) {
        let scrolled = self.scrolled.unwrap_or_else(|| {
            self.seen = room.generation();
            Scrolled { bottom, left: room.last_entered(), counted: room.last_entered(), new: 0 }
        });
        self.scrolled = Some(Scrolled { bottom, ..scrolled });
    }

    /// Goes to an entry (a pin, a search result). Whether it is held.
    pub fn go_to(&mut self, entry: EntryId, room: &Room) -> bool {
        let Some(entry) = room.get(entry) else { return false };
        self.leave(entry.place, room);
        true
    }

    /// Goes to the live end.
    pub fn live(&mut self) {
        self.scrolled = None;
    }

    /// Matching entries that came since the reader left the live end; `None` at the live end.
    pub fn new_below(&self) -> Option<u64> {
        self.scrolled.map(|scrolled| scrolled.new)
    }

    /// Pins a line, or takes the pin away. Whether it is pinned now.
    pub fn pin(&mut self, entry: EntryId, room: &Room) -> bool {
        let before = self.pins.len();
        self.pins.retain(|pin| pin.entry != entry);
        if self.pins.len() < before {
            return false;
        }
        let Some(message) = room.get(entry).filter(|e| e.is_public()).and_then(Entry::message)
        else {
            return false;
        };
        if self.pins.len() == MOST_PINS {
            self.pins.remove(0);
        }
        self.pins.push(Pin { entry, message: message.clone() });
        true
    }

    /// The pins, oldest first.
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// A removal on a platform, for pins whose entries have fallen out of the room.
    pub fn removed(&mut self, source: &SourceId, update: &Update) {
        self.pins.retain(|pin| {
            let message = &pin.message;
            if message.source != *source {
                return true;
            }
            match update {
                Update::Deleted(id) => message.id != *id,
                Update::UserCleared { id, name, .. } => !is_by(message, id.as_ref(), name.as_ref()),
                Update::AllCleared => false,
                Update::Moderated { message: id, to } => {
                    *to == super::room::Ours::Show || message.id != *id
                }
                Update::Message(_) | Update::Hole { .. } => true,
            }
        });
    }

    /// Marks a line as answered, or not. Whether it is now.
    pub fn answer(&mut self, entry: EntryId) -> bool {
        if self.answered.remove(&entry) {
            return false;
        }
        self.answered.insert(entry);
        if self.answered.len() > MOST_ANSWERED {
            self.answered.pop_first();
        }
        true
    }

    /// Highlights a person until then.
    pub fn highlight(&mut self, person: Person, until: Moment, now: Moment) {
        self.highlighted.retain(|_, until| *until > now);
        if self.highlighted.len() >= MOST_HIGHLIGHTED
            && !self.highlighted.contains_key(&person)
            && let Some(first) =
                self.highlighted.iter().min_by_key(|(_, until)| **until).map(|(p, _)| p.clone())
        {
            self.highlighted.remove(&first);
        }
        self.highlighted.insert(person, until);
    }

    /// Whether a person is highlighted.
    pub fn is_highlighted(&self, person: &Person, now: Moment) -> bool {
        self.highlighted.get(person).is_some_and(|until| *until > now)
    }
}

/// Whether a message is one of a removed user's. The name decides only where an identifier is missing.
fn is_by(message: &Message, id: Option<&UserId>, name: Option<&Text>) -> bool {
    match (id, &message.author.id) {
        (Some(id), Some(theirs)) => id == theirs,
        _ => name.is_some_and(|name| {
            !name.is_empty() && person::login(&message.author) == name.as_str().to_lowercase()
        }),
    }
}
