//! What viewers are shown: a line appears only after the hold, and never if it was deleted, hidden or held for review
//! meanwhile. A line that is removed after it was shown is taken back. Follows a [`Room`]; what has fallen out of the
//! room is taken back too, so the outgoing view is always a part of the room.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{EntryId, Message, Room, room::Place};
use crate::base::{Moment, SourceId};

/// One step of the outgoing view.
#[derive(Debug, Clone, PartialEq)]
pub enum Outgoing {
    /// Show this line.
    Show {
        /// The entry.
        entry: EntryId,
        /// Where it stands among those shown.
        place: Place,
        /// The line.
        message: Arc<Message>,
    },
    /// Take this line back.
    Remove(EntryId),
}

/// Holds lines back. Backlog is never shown: it is old news to viewers.
#[derive(Debug, Default)]
pub struct Hold {
    seen: u64,
    /// By the moment at which they may be shown.
    waiting: BTreeSet<(Moment, Place)>,
    due: BTreeMap<Place, Moment>,
    shown: BTreeSet<Place>,
    lost: u64,
}

impl Hold {
    /// Reads what changed in the room, and what is to be done with the outgoing view. Removals come first. A line is shown
    /// once the delay of its source has passed since it came.
    pub fn turn(
        &mut self,
        room: &Room,
        now: Moment,
        delay: &dyn Fn(&SourceId) -> Duration,
    ) -> Vec<Outgoing> {
        let mut out = Vec::new();
        self.forget(room, &mut out);
        for entry in room.changed_since(self.seen) {
            let place = entry.place;
            let old = entry.message().is_some_and(|m| m.backlog);
            if entry.is_public() && !old {
                if !self.shown.contains(&place) && !self.due.contains_key(&place) {
                    let due = entry.arrived + delay(entry.source());
                    self.due.insert(place, due);
                    self.waiting.insert((due, place));
                }
            } else {
                self.cancel(place);
                if self.shown.remove(&place) {
                    out.push(Outgoing::Remove(place.id));
                }
            }
        }
        self.seen = room.generation();
        while let Some((due, place)) = self.waiting.first().copied()
            && due <= now
        {
            self.cancel(place);
            // The state was read above; it is looked at again, so that nothing depends on that.
            if let Some(entry) = room.get(place.id)
                && entry.is_public()
                && let Some(message) = entry.message()
            {
                self.shown.insert(place);
                out.push(Outgoing::Show { entry: place.id, place, message: message.clone() });
            }
        }
        out
    }

    /// What has fallen out of the room is taken back, or never shown.
    fn forget(&mut self, room: &Room, out: &mut Vec<Outgoing>) {
        let oldest = room.oldest();
        let fallen = |place: Place| oldest.is_none_or(|oldest| place < oldest);
        while let Some(place) = self.shown.first().copied()
            && fallen(place)
        {
            self.shown.remove(&place);
            out.push(Outgoing::Remove(place.id));
        }
        while let Some((place, _)) = self.due.first_key_value()
            && let place = *place
            && fallen(place)
        {
            self.cancel(place);
            self.lost += 1;
        }
    }

    fn cancel(&mut self, place: Place) {
        if let Some(due) = self.due.remove(&place) {
            self.waiting.remove(&(due, place));
        }
    }

    /// When the next line may be shown, if none is removed.
    pub fn next(&self) -> Option<Moment> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Lines that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Lines that fell out of the room while they waited, and so were never shown: the room is too small for this
    /// hold and this rate.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        base::Now,
        chat::{
            MessageId, Update,
            room::{Applied, Ours, RoomConfig},
            sample::{line, source},
        },
    };

    fn put(room: &mut Room, message: Message, ms: u64) -> EntryId {
        let from = message.source.clone();
        match room.apply(&from, Update::Message(Box::new(message)), Now::test(ms)) {
            Applied::Entered(id) | Applied::Original(id) | Applied::Duplicate(id) => id,
            _ => panic!("not entered"),
        }
    }

    fn after(seconds: u64) -> impl Fn(&SourceId) -> Duration {
        move |_| Duration::from_secs(seconds)
    }

    fn told(out: &[Outgoing]) -> Vec<(char, u64)> {
        out.iter()
            .map(|out| match out {
                Outgoing::Show { entry, .. } => ('+', entry.0),
                Outgoing::Remove(entry) => ('-', entry.0),
            })
            .collect()
    }

    #[test]
    fn a_line_deleted_within_the_hold_never_appears() {
        let mut room = Room::new(RoomConfig::default());
        let (mut hold, delay) = (Hold::default(), after(4));
        let at = Moment::from_ms;
        put(&mut room, line("a", "1", 0, "lan", "x"), 0);
        put(&mut room, line("a", "2", 1_000, "lan", "x"), 1_000);
        put(&mut room, Message { backlog: true, ..line("a", "0", 0, "lan", "x") }, 1_000);
        assert!(hold.turn(&room, at(3_999), &delay).is_empty());
        assert_eq!((hold.next(), hold.waiting()), (Some(at(4_000)), 2));
        assert_eq!(told(&hold.turn(&room, at(4_000), &delay)), [('+', 1)]);
        // Deleted in the very turn in which it would have been shown.
        room.apply(&source("a"), Update::Deleted(MessageId::new("2")), Now::test(5_000));
        assert!(hold.turn(&room, at(5_000), &delay).is_empty());
        room.apply(&source("a"), Update::AllCleared, Now::test(6_000));
        assert_eq!(told(&hold.turn(&room, at(6_000), &delay)), [('-', 1)]);
        assert_eq!((hold.next(), hold.lost()), (None, 0));
    }

    #[test]
    fn a_line_released_from_review_is_shown_when_its_hold_is_over() {
        let mut room = Room::new(RoomConfig::default());
        let (mut hold, delay) = (Hold::default(), after(4));
        let id = put(&mut room, line("a", "1", 0, "lan", "x"), 0);
        room.set(id, Ours::Hold).unwrap();
        assert!(hold.turn(&room, Moment::from_ms(10_000), &delay).is_empty());
        room.set(id, Ours::Show).unwrap();
        assert_eq!(told(&hold.turn(&room, Moment::from_ms(20_000), &delay)), [('+', 1)]);
    }

    #[test]
    fn what_falls_out_of_the_room_is_taken_back() {
        let mut room = Room::new(RoomConfig { most: 2, ..RoomConfig::default() });
        let (mut hold, delay) = (Hold::default(), after(1));
        for n in 1..=2 {
            put(&mut room, line("a", &n.to_string(), n, "lan", "x"), n);
        }
        assert_eq!(told(&hold.turn(&room, Moment::from_ms(2_000), &delay)), [('+', 1), ('+', 2)]);
        for n in 3..=4 {
            put(&mut room, line("a", &n.to_string(), n, "lan", "x"), 2_000);
        }
        assert_eq!(told(&hold.turn(&room, Moment::from_ms(2_000), &delay)), [('-', 1), ('-', 2)]);
        put(&mut room, line("a", "5", 5, "lan", "x"), 2_000);
        hold.turn(&room, Moment::from_ms(2_000), &delay);
        assert_eq!((hold.lost(), hold.waiting()), (1, 2));
    }

    proptest! {
        #[test]
        fn only_public_lines_older_than_the_hold_are_out(
            steps in prop::collection::vec((0..8_u8, 0..30_u8, 0..1_500_u64), 1..120)
        ) {
            let mut room = Room::new(RoomConfig { most: 10, ..RoomConfig::default() });
            let (mut hold, delay) = (Hold::default(), after(3));
            let mut shown: BTreeSet<EntryId> = BTreeSet::new();
            let mut now = 0;
            for (what, n, pause) in steps {
                now += pause;
                let id = MessageId::new(&n.to_string());
                match what {
                    0 => drop(room.apply(&source("a"), Update::Deleted(id), Now::test(now))),
                    1 | 2 => {
                        let to = [Ours::Hold, Ours::Show, Ours::Hide][usize::from(n % 3)];
                        if let Some(entry) = room.find(&source("a"), &id).map(|e| e.id) {
                            let _ = room.set(entry, to);
                        }
                    }
                    _ => drop(put(&mut room, line("a", id.as_str(), now, "lan", "x"), now)),
                }
                for out in hold.turn(&room, Moment::from_ms(now), &delay) {
                    match out {
                        Outgoing::Show { entry, .. } => prop_assert!(shown.insert(entry)),
                        Outgoing::Remove(entry) => prop_assert!(shown.remove(&entry)),
                    }
                }
                let expected: BTreeSet<_> = room
                    .iter()
                    .filter(|e| e.is_public() && e.arrived.as_ms() + 3_000 <= now)
                    .map(|e| e.id)
                    .collect();
                prop_assert_eq!(&shown, &expected);
            }
        }
    }
}
