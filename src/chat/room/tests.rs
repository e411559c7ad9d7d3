//! The room: order, once, removals, holes, bounds; against a simple model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::chat::{
    Origin,
    sample::{line, source},
};

fn room(most: usize) -> Room {
    Room::new(RoomConfig { most, window: Duration::from_secs(5), memory: 1_000 })
}

fn put(room: &mut Room, message: Message, ms: u64) -> Applied {
    let from = message.source.clone();
    room.apply(&from, Update::Message(Box::new(message)), Now::test(ms))
}

fn ids(room: &Room) -> Vec<String> {
    room.iter()
        .map(|entry| entry.message().map_or("hole".to_owned(), |m| m.id.as_str().to_owned()))
        .collect()
}

fn copy(source_name: &str, id: &str, ms: u64, of: &str) -> Message {
    let origin = Origin { channel: Text::name("other"), id: MessageId::new(of) };
    Message { origin: Some(origin), ..line(source_name, id, ms, "lan", "hi") }
}

fn state(room: &Room, source_name: &str, id: &str) -> State {
    room.find(&source(source_name), &MessageId::new(id)).unwrap().state
}

#[test]
fn within_the_window_a_message_takes_its_place_and_later_it_goes_to_the_end() {
    let mut room = room(10);
    put(&mut room, line("a", "1", 1_000, "lan", "x"), 1_000);
    put(&mut room, line("a", "3", 9_000, "lan", "x"), 9_000);
    put(&mut room, line("b", "2", 4_000, "bo", "x"), 9_100);
    put(&mut room, line("b", "0", 3_999, "bo", "x"), 9_200);
    assert_eq!(ids(&room), ["1", "2", "3", "0"]);
    assert_eq!(room.iter().map(|e| e.late).collect::<Vec<_>>(), [false, false, false, true]);
    assert_eq!(room.counters().late, 1);
}

#[test]
fn backlog_stands_in_its_place_however_old() {
    let mut room = room(2);
    put(&mut room, line("a", "2", 100_000, "lan", "x"), 100_000);
    put(&mut room, Message { backlog: true, ..line("b", "1", 5_000, "bo", "x") }, 100_000);
    assert_eq!(ids(&room), ["1", "2"]);
    assert!(!room.iter().any(|e| e.late));
    let old = Message { backlog: true, ..line("b", "0", 4_000, "bo", "x") };
    assert_eq!(put(&mut room, old, 100_000), Applied::TooOld);
    assert_eq!((ids(&room), room.counters().too_old), (vec!["1".into(), "2".into()], 1));
}

#[test]
fn a_clock_that_is_ahead_does_not_make_the_others_late() {
    let mut room = room(10);
    put(&mut room, line("a", "future", 9_000_000, "lan", "x"), 1_000);
    put(&mut room, line("b", "now", 1_500, "bo", "x"), 1_500);
    assert_eq!(ids(&room), ["future", "now"]);
    assert_eq!((room.counters().ahead, room.counters().late), (1, 0));
}

#[test]
fn the_same_message_comes_once_also_after_it_fell_out() {
    let mut room = room(1);
    assert!(matches!(put(&mut room, line("a", "1", 1, "lan", "x"), 1), Applied::Entered(_)));
    assert!(matches!(put(&mut room, line("b", "1", 2, "lan", "x"), 2), Applied::Entered(_)));
    assert!(matches!(put(&mut room, line("a", "1", 1, "lan", "x"), 3), Applied::Duplicate(_)));
    assert_eq!((room.len(), room.counters().duplicates, room.counters().evicted), (1, 1, 1));
}

#[test]
fn copies_of_shared_chat_are_one_entry_and_the_original_replaces_a_copy() {
    let mut room = room(10);
    let Applied::Entered(id) = put(&mut room, copy("a", "y1", 1, "x"), 1) else { panic!() };
    assert_eq!(put(&mut room, copy("c", "y2", 1, "x"), 2), Applied::Duplicate(id));
    assert!(!room.get(id).unwrap().message().unwrap().may_act());
    let seen = room.generation();
    assert_eq!(put(&mut room, line("b", "x", 1, "lan", "hi"), 3), Applied::Original(id));
    assert!(room.get(id).unwrap().message().unwrap().may_act());
    assert_eq!(room.changed_since(seen).map(|e| e.id).collect::<Vec<_>>(), [id]);
    assert_eq!(put(&mut room, copy("d", "y3", 1, "x"), 4), Applied::Duplicate(id));
    assert_eq!(put(&mut room, line("b", "x", 1, "lan", "hi"), 5), Applied::Duplicate(id));
    assert_eq!((room.len(), room.counters().copies), (1, 3));
    // A moderator of any of the channels deletes it.
    let deleted = room.apply(&source("d"), Update::Deleted(MessageId::new("y3")), Now::test(6));
    assert_eq!(deleted, Applied::Deleted(1));
    assert_eq!(state(&room, "b", "x"), State::DeletedByPlatform(Deletion::Line));
}

#[test]
fn an_original_whose_copy_fell_out_is_entered() {
    let mut room = room(1);
    put(&mut room, copy("a", "y", 1, "x"), 1);
    put(&mut room, line("a", "z", 2, "bo", "x"), 2);
    assert!(matches!(put(&mut room, line("b", "x", 3, "lan", "hi"), 3), Applied::Entered(_)));
    assert_eq!(ids(&room), ["x"]);
}

#[test]
fn a_deletion_meets_what_comes_after_it() {
    let mut room = room(10);
    let deleted = room.apply(&source("a"), Update::Deleted(MessageId::new("1")), Now::test(1));
    assert_eq!(deleted, Applied::Deleted(0));
    put(&mut room, line("a", "1", 1, "lan", "x"), 2);
    put(&mut room, line("b", "1", 1, "lan", "x"), 2);
    assert_eq!(state(&room, "a", "1"), State::DeletedByPlatform(Deletion::Line));
    assert_eq!(state(&room, "b", "1"), State::Shown, "another source's message");
    assert_eq!(room.counters().deleted_unknown, 1);
}

#[test]
fn a_cleared_users_lines_go_in_that_source_only() {
    let mut room = room(10);
    put(&mut room, line("a", "1", 1, "lan", "x"), 1);
    put(&mut room, line("b", "2", 1, "lan", "x"), 1);
    put(&mut room, line("a", "3", 1, "bo", "x"), 1);
    let mut nameless = line("a", "4", 1, "lan", "x");
    nameless.author.id = None;
    put(&mut room, nameless, 1);
    // Another account that took the same name is not meant when the identifier is known.
    let mut double = line("a", "5", 1, "9", "x");
    double.author.name = Text::name("lan");
    put(&mut room, double, 1);
    let removal = Removal::TimedOut(Duration::from_mins(10));
    let cleared = Update::UserCleared {
        id: Some(UserId::new("lan")),
        name: Some(Text::name("Lan")),
        removal,
    };
    assert_eq!(room.apply(&source("a"), cleared, Now::test(100)), Applied::Deleted(2));
    let gone = State::DeletedByPlatform(Deletion::User(removal));
    assert_eq!((state(&room, "a", "1"), state(&room, "a", "4")), (gone, gone));
    for (source_name, id) in [("b", "2"), ("a", "3"), ("a", "5")] {
        assert_eq!(state(&room, source_name, id), State::Shown, "{source_name} {id}");
    }
    // Backlog from before is deleted too; a new line is not.
    put(&mut room, Message { backlog: true, ..line("a", "6", 50, "lan", "x") }, 200);
    put(&mut room, line("a", "7", 90, "lan", "x"), 200);
    assert!(matches!(state(&room, "a", "6"), State::DeletedByPlatform(_)));
    assert_eq!(state(&room, "a", "7"), State::Shown);
}

#[test]
fn by_name_a_removal_finds_the_login_name() {
    let mut room = room(10);
    let mut asian = line("a", "1", 1, "7", "x");
    asian.author.name = Text::name("米娜");
    asian.author.login = Some(Text::name("mina"));
    put(&mut room, asian, 1);
    let cleared =
        Update::UserCleared { id: None, name: Some(Text::name("mina")), removal: Removal::Banned };
    assert_eq!(room.apply(&source("a"), cleared, Now::test(2)), Applied::Deleted(1));
}

#[test]
fn clearing_the_chat_spares_other_sources_and_meets_backlog() {
    let mut room = room(10);
    put(&mut room, line("a", "1", 1, "lan", "x"), 1);
    put(&mut room, line("b", "2", 1, "lan", "x"), 1);
    assert_eq!(room.apply(&source("a"), Update::AllCleared, Now::test(10)), Applied::Deleted(1));
    put(&mut room, Message { backlog: true, ..line("a", "0", 5, "bo", "x") }, 20);
    assert_eq!(state(&room, "a", "0"), State::DeletedByPlatform(Deletion::All));
    assert_eq!(state(&room, "b", "2"), State::Shown);
}

#[test]
fn what_we_do_can_be_undone_and_what_the_platform_does_cannot() {
    let mut room = room(10);
    let Applied::Entered(id) = put(&mut room, line("a", "1", 1, "lan", "x"), 1) else { panic!() };
    assert_eq!(room.set(id, Ours::Hide), Ok(true));
    assert_eq!(room.set(id, Ours::Hide), Ok(false));
    assert_eq!(room.set(id, Ours::Show), Ok(true));
    assert!(room.get(id).unwrap().is_public());
    room.set(id, Ours::Hold).unwrap();
    room.apply(&source("a"), Update::Deleted(MessageId::new("1")), Now::test(2));
    assert_eq!(room.set(id, Ours::Show), Err(Refusal::DeletedByPlatform));
    assert_eq!(room.set(EntryId(99), Ours::Show), Err(Refusal::Gone));
}

#[test]
fn a_hole_is_an_entry_with_its_length() {
    let mut room = room(10);
    put(&mut room, line("a", "1", 1_000, "lan", "x"), 1_000);
    let hole = Update::Hole { from: Now::test(1_000).wall, until: Now::test(4_500).wall };
    let Applied::Entered(id) = room.apply(&source("a"), hole, Now::test(4_500)) else { panic!() };
    put(&mut room, line("a", "2", 4_600, "lan", "x"), 4_600);
    assert_eq!(ids(&room), ["1", "hole", "2"]);
    let entry = room.get(id).unwrap();
    assert_eq!((entry.hole(), entry.is_public()), (Some(Duration::from_millis(3_500)), false));
    assert_eq!(room.set(id, Ours::Hide), Err(Refusal::Hole));
}

#[derive(Debug, Clone)]
enum Step {
    Write { source: u8, id: u8, at: u32, who: u8, backlog: bool, of: Option<u8> },
    Delete { source: u8, id: u8 },
    Clear { source: u8, who: u8 },
    ClearAll { source: u8 },
    Ours { nth: usize, to: Ours },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_u8, 0..40_u8, 0..20_000_u32, 0..4_u8, prop::bool::weighted(0.1),
              prop::option::weighted(0.2, 0..40_u8))
            .prop_map(|(source, id, at, who, backlog, of)| Step::Write { source, id, at, who, backlog, of }),
        1 => (0..3_u8, 0..40_u8).prop_map(|(source, id)| Step::Delete { source, id }),
        1 => (0..3_u8, 0..4_u8).prop_map(|(source, who)| Step::Clear { source, who }),
        1 => (0..3_u8).prop_map(|source| Step::ClearAll { source }),
        1 => (0..10_usize, prop::sample::select(vec![Ours::Show, Ours::Hide, Ours::Hold, Ours::Delete]))
            .prop_map(|(nth, to)| Step::Ours { nth, to }),
    ]
}

proptest! {
    #[test]
    fn a_reader_of_changes_sees_what_is_held(steps in prop::collection::vec(step(), 1..120)) {
        let mut room = room(12);
        let mut mirror: BTreeMap<Place, State> = BTreeMap::new();
        let mut seen = 0;
        for (n, step) in steps.into_iter().enumerate() {
            let now = Now::test(20_000 + n as u64);
            let name = |n: u8| ["a", "b", "c"][usize::from(n)];
            match step {
                Step::Write { source, id, at, who, backlog, of } => {
                    let mut message =
                        line(name(source), &format!("{source}-{id}"), at.into(), &who.to_string(), "x");
                    message.backlog = backlog;
                    message.origin = of.map(|of| Origin {
                        channel: Text::name("o"),
                        id: MessageId::new(&format!("{}-{of}", (source + 1) % 3)),
                    });
                    put(&mut room, message, 20_000 + n as u64);
                }
                Step::Delete { source: s, id } => {
                    let message = MessageId::new(&format!("{s}-{id}"));
                    room.apply(&source(name(s)), Update::Deleted(message.clone()), now);
                    if let Some(entry) = room.find(&source(name(s)), &message) {
                        prop_assert!(!entry.is_public());
                    }
                }
                Step::Clear { source: s, who } => {
                    let author = Author { id: Some(UserId::new(&who.to_string())), ..Author::default() };
                    let id = author.id.clone();
                    let update = Update::UserCleared { id, name: None, removal: Removal::Banned };
                    room.apply(&source(name(s)), update, now);
                    for id in room.by_author(&source(name(s)), &author) {
                        prop_assert!(!room.get(id).unwrap().is_public());
                    }
                }
                Step::ClearAll { source: s } => {
                    room.apply(&source(name(s)), Update::AllCleared, now);
                    let theirs = source(name(s));
                    prop_assert!(!room.iter().any(|e| e.came_by(&theirs) && e.is_public()));
                }
                Step::Ours { nth, to } => {
                    let id = room.iter().nth(nth).map(|entry| entry.id);
                    if let Some(id) = id {
                        let _ = room.set(id, to);
                    }
                }
            }
            prop_assert!(room.len() <= 12);
            for entry in room.changed_since(seen) {
                mirror.insert(entry.place, entry.state);
            }
            seen = room.generation();
            mirror = mirror.split_off(&room.oldest().unwrap_or(Place {
                at: Timestamp::MAX,
                id: EntryId(u64::MAX),
            }));
            let held: BTreeMap<_, _> = room.iter().map(|e| (e.place, e.state)).collect();
            prop_assert_eq!(&mirror, &held);
            let mut messages: Vec<_> =
                room.iter().filter_map(|e| e.message()).map(|m| (m.source.clone(), m.id.clone())).collect();
            messages.sort();
            let all = messages.len();
            messages.dedup();
            prop_assert_eq!(all, messages.len(), "each once");
            prop_assert_eq!(room.authors.len() <= 12 * (2 + MOST_JOINED), true);
            prop_assert_eq!((room.places.len(), room.changed.len()), (room.len(), room.len()));
        }
    }

    #[test]
    fn arrival_within_the_window_does_not_decide_the_order(
        (times, shuffled) in prop::collection::vec(0..5_000_u64, 1..40).prop_flat_map(|times| {
            let indexed: Vec<_> = times.iter().copied().enumerate().collect();
            (Just(times), Just(indexed).prop_shuffle())
        })
    ) {
        let mut room = room(100);
        for (n, at) in shuffled {
            put(&mut room, line("a", &n.to_string(), at, "lan", "x"), 5_000);
        }
        let order: Vec<_> = room.iter().map(|e| e.place.at).collect();
        let mut sorted: Vec<_> = times.iter().map(|ms| Now::test(*ms).wall).collect();
        sorted.sort();
        prop_assert_eq!(order, sorted);
        prop_assert_eq!(room.counters().late, 0);
    }
}
