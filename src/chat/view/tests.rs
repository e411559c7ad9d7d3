//! The view: filters, search, place, pins, people.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    base::Now,
    chat::{
        Badge, MessageId, Platform, Removal,
        room::{Applied, Ours, RoomConfig},
        sample::{line, source},
    },
};

fn room() -> Room {
    Room::new(RoomConfig { most: 50, ..RoomConfig::default() })
}

fn put(room: &mut Room, message: Message) -> EntryId {
    let (from, now) = (message.source.clone(), Now { wall: message.at, mono: Moment(1) });
    match room.apply(&from, Update::Message(Box::new(message)), now) {
        Applied::Entered(id) => id,
        other => panic!("{other:?}"),
    }
}

fn shown(view: &View, room: &Room, marked: &Marked, height: usize) -> Vec<u64> {
    view.lines(room, marked, height, Moment(0)).iter().map(|line| line.entry.id.0).collect()
}

fn filled(n: u64) -> Room {
    let mut room = room();
    for n in 1..=n {
        put(&mut room, line("a", &n.to_string(), n, "lan", "x"));
    }
    room
}

#[test]
fn filters_are_joined_by_and_and_their_values_by_or() {
    let mut room = room();
    let mut marked = Marked::default();
    let order = put(&mut room, line("a", "1", 1, "lan", "A12"));
    let mut first = line("b", "2", 2, "bo", "hi?");
    first.author.badges = vec![Badge::First];
    first.platform = Platform::YOUTUBE;
    let first = put(&mut room, first);
    let mut moderator = line("a", "3", 3, "mod", "hello");
    moderator.author.badges = vec![Badge::Moderator];
    let moderator = put(&mut room, moderator);
    let market: MarketId = "TH".parse().unwrap();
    let is_order = Marks { order: true, market: Some(market.clone()), ..Marks::default() };
    marked.set(order, is_order, &room);
    marked.set(first, Marks { question: true, ..Marks::default() }, &room);
    let with = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        shown(&View::new(filter), &room, &marked, 9)
    };
    let only = |kinds: &[Only]| with(&|f| f.only = kinds.iter().copied().collect());
    assert_eq!(with(&|_| {}), [1, 2, 3]);
    assert_eq!(only(&[Only::Orders]), [order.0]);
    assert_eq!(only(&[Only::Questions, Only::Moderators]), [first.0, moderator.0]);
    assert_eq!(only(&[Only::FirstTimers]), [first.0]);
    assert!(only(&[Only::Complaints]).is_empty());
    assert_eq!(with(&|f| f.sources = [source("b")].into()), [first.0]);
    assert_eq!(with(&|f| f.platforms = [Platform::TWITCH].into()), [order.0, moderator.0]);
    assert_eq!(with(&|f| f.markets = [market.clone()].into()), [order.0]);
    let both = with(&|f| {
        f.only = [Only::Orders].into();
        f.sources = [source("b")].into();
    });
    assert!(both.is_empty());
}

#[test]
fn removed_lines_are_left_out_and_held_ones_shown_to_the_host() {
    let mut room = filled(3);
    room.set(EntryId(1), Ours::Hide).unwrap();
    room.set(EntryId(2), Ours::Hold).unwrap();
    let marked = Marked::default();
    assert_eq!(shown(&View::default(), &room, &marked, 9), [2, 3]);
    let all = View::new(Filter { removed: true, ..Filter::default() });
    assert_eq!(shown(&all, &room, &marked, 9), [1, 2, 3]);
    let held = View::new(Filter { only: [Only::Held].into(), ..Filter::default() });
    assert_eq!(shown(&held, &room, &marked, 9), [2]);
}

#[test]
fn a_hole_is_seen_among_orders_too() {
    let mut room = filled(1);
    let (from, until) = (Now::test(1).wall, Now::test(9).wall);
    room.apply(&source("a"), Update::Hole { from, until }, Now::test(9));
    let marked = Marked::default();
    let with = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        shown(&View::new(filter), &room, &marked, 9)
    };
    assert_eq!(with(&|f| f.only = [Only::Orders].into()), [2]);
    assert!(with(&|f| f.sources = [source("b")].into()).is_empty());
    assert_eq!(with(&|f| f.query = Some(Query::new("x"))), [1]);
}

#[test]
fn a_repeat_stands_behind_its_first_line_while_that_is_shown() {
    let mut room = filled(3);
    let mut marked = Marked::default();
    let repeats = Marks { repeats: Some(EntryId(1)), ..Marks::default() };
    marked.set(EntryId(3), repeats, &room);
    let view = View::default();
    assert_eq!(shown(&view, &room, &marked, 9), [1, 2]);
    room.set(EntryId(1), Ours::Hide).unwrap();
    assert_eq!(shown(&view, &room, &marked, 9), [2, 3]);
    let unfolded = View::new(Filter { fold: false, removed: true, ..Filter::default() });
    assert_eq!(shown(&unfolded, &room, &marked, 9), [1, 2, 3]);
}

#[test]
fn scrolling_back_keeps_the_place_and_counts_what_is_new() {
    let mut room = filled(10);
    let mut marked = Marked::default();
    let mut view = View::default();
    view.turn(&room, &marked);
    assert_eq!((shown(&view, &room, &marked, 3), view.new_below()), (vec![8, 9, 10], None));
    view.scroll(-4, 3, &room, &marked);
    assert_eq!((shown(&view, &room, &marked, 3), view.new_below()), (vec![4, 5, 6], Some(0)));
    for n in 11..=13 {
        let id = put(&mut room, line("a", &n.to_string(), n, "bo", "x"));
        let repeats = (n == 12).then_some(EntryId(11));
        marked.set(id, Marks { repeats, ..Marks::default() }, &room);
    }
    view.turn(&room, &marked);
    view.turn(&room, &marked);
    assert_eq!((shown(&view, &room, &marked, 3), view.new_below()), (vec![4, 5, 6], Some(2)));
    for (id, to) in [(13, Ours::Hide), (5, Ours::Hide), (5, Ours::Show), (11, Ours::Hold)] {
        room.set(EntryId(id), to).unwrap();
    }
    view.turn(&room, &marked);
    assert_eq!(view.new_below(), Some(2), "a change is not new");
    room.set(EntryId(11), Ours::Show).unwrap();
    view.scroll(1, 3, &room, &marked);
    assert_eq!(shown(&view, &room, &marked, 1), [7]);
    view.scroll(-99, 3, &room, &marked);
    assert_eq!(shown(&view, &room, &marked, 3), [1, 2, 3], "it stays full");
    view.scroll(99, 3, &room, &marked);
    assert_eq!((shown(&view, &room, &marked, 2), view.new_below()), (vec![10, 11], None));
    view.scroll(-1, 3, &room, &marked);
    assert!(view.go_to(EntryId(2), &room) && !view.go_to(EntryId(99), &room));
    assert_eq!(shown(&view, &room, &marked, 3), [1, 2, 3]);
    // What was read has fallen out: the oldest lines that are held are shown.
    for n in 100..200 {
        put(&mut room, line("a", &n.to_string(), n, "bo", "x"));
    }
    view.turn(&room, &marked);
    let lines = view.lines(&room, &marked, 2, Moment(0));
    assert!(lines.len() == 2 && lines.iter().all(|line| line.is_new));
    assert_eq!(Some(lines[0].entry.place), room.oldest());
    view.live();
    assert_eq!(view.new_below(), None);
}

#[test]
fn scrolling_where_there_is_nothing_stays_live() {
    let (room, marked) = (room(), Marked::default());
    let mut view = View::default();
    view.scroll(-5, 3, &room, &marked);
    assert_eq!(view.new_below(), None);
    let room = filled(1);
    view.scroll(-5, 3, &room, &marked);
    assert_eq!((view.new_below(), shown(&view, &room, &marked, 5)), (None, vec![1]));
}

#[test]
fn pins_outlive_the_room_and_go_when_deleted() {
    let mut room = filled(3);
    let marked = Marked::default();
    let mut view = View::default();
    assert!(
        view.pin(EntryId(1), &room) && view.pin(EntryId(2), &room) && view.pin(EntryId(3), &room)
    );
    assert!(!view.pin(EntryId(3), &room), "unpinned");
    room.apply(&source("a"), Update::Deleted(MessageId::new("2")), Now::test(5));
    view.turn(&room, &marked);
    assert_eq!(view.pins().iter().map(|pin| pin.entry.0).collect::<Vec<_>>(), [1]);
    for n in 4..200 {
        put(&mut room, line("a", &n.to_string(), n, "bo", "x"));
    }
    view.turn(&room, &marked);
    assert_eq!(view.pins().len(), 1);
    let removal = Removal::Banned;
    let of = |id: &str| Update::UserCleared { id: Some(UserId::new(id)), name: None, removal };
    view.removed(&source("a"), &of("bo"));
    view.removed(&source("b"), &of("lan"));
    assert_eq!(view.pins().len(), 1);
    view.removed(&source("a"), &of("lan"));
    assert!(view.pins().is_empty());
}

#[test]
fn answered_questions_and_highlighted_people() {
    let room = filled(2);
    let marked = Marked::default();
    let mut view = View::new(Filter { unanswered: true, ..Filter::default() });
    assert!(view.answer(EntryId(1)));
    assert_eq!(shown(&view, &room, &marked, 9), [2]);
    assert!(!view.answer(EntryId(1)));
    let lan = Person::of(room.get(EntryId(1)).unwrap().message().unwrap()).unwrap();
    let minute = Moment(0) + Duration::from_mins(1);
    view.highlight(lan.clone(), minute, Moment(0));
    assert!(view.lines(&room, &marked, 9, Moment(0)).iter().all(|line| line.highlighted));
    assert!(!view.is_highlighted(&lan, minute));
    for n in 0..200 {
        let person = Person::of(&line("a", "1", 0, &n.to_string(), "x")).unwrap();
        view.highlight(person, minute, Moment(0));
    }
    assert_eq!(view.highlighted.len(), MOST_HIGHLIGHTED);
}

#[test]
fn a_search_is_read_as_people_write_it() {
    let mut message = line("tw", "1", 0, "米娜", "Size M is Sold Out - sorry");
    message.author.login = Some(Text::name("mina"));
    message.channel = Some(Text::name("#Shop"));
    for found in [
        "",
        "size",
        "SIZE sold",
        "from:mina",
        "from:@MINA",
        "from:米",
        "in:twitch",
        "in:tw",
        "in:#shop",
        "from:x from:mina",
        "\"sold out\"",
        "-blue",
        "in:shop size -blue from:min",
        "\"- sorry\"",
        "-",
    ] {
        assert!(Query::new(found).matches(&message), "{found}");
    }
    for not in
        ["blue", "from:lan", "in:twit", "-size", "-\"sold out\"", "\"out sold\"", "\"from:mina\""]
    {
        assert!(!Query::new(not).matches(&message), "{not}");
    }
    assert!(Query::new("  ").is_empty());
}

#[test]
fn marks_of_what_fell_out_are_forgotten() {
    let mut room = room();
    let mut marked = Marked::default();
    for n in 0..1_000 {
        let id = put(&mut room, line("a", &n.to_string(), n, "lan", "x"));
        marked.set(id, Marks { order: true, ..Marks::default() }, &room);
    }
    assert!(marked.marks.len() <= 50 * 2 + 64);
}

proptest! {
    #[test]
    fn a_pane_shows_a_run_of_what_matches(
        texts in prop::collection::vec(prop::bool::ANY, 0..60),
        steps in prop::collection::vec(-9_isize..9, 0..20),
        height in 1_usize..8,
    ) {
        let mut room = room();
        for (n, hit) in texts.iter().enumerate() {
            let text = if *hit { "match" } else { "other" };
            put(&mut room, line("a", &n.to_string(), n as u64, "lan", text));
        }
        let marked = Marked::default();
        let query = Some(Query::new("match"));
        let mut view = View::new(Filter { query, ..Filter::default() });
        let all: Vec<u64> = room
            .iter()
            .filter(|e| e.message().is_some_and(|m| m.text.as_str() == "match"))
            .map(|e| e.id.0)
            .collect();
        let mut bottom = all.len().saturating_sub(1);
        for by in steps {
            view.scroll(by, height, &room, &marked);
            let full = height.min(all.len()).saturating_sub(1);
            bottom = bottom.saturating_add_signed(by).clamp(full, all.len().saturating_sub(1));
            let expected: Vec<u64> =
                all.iter().take(bottom + 1).rev().take(height).rev().copied().collect();
            prop_assert_eq!(shown(&view, &room, &marked, height), expected);
            prop_assert_eq!(view.new_below().is_none(), bottom + 1 >= all.len());
        }
    }

    #[test]
    fn no_search_is_too_odd(text in ".*") {
        Query::new(&text).matches(&line("a", "1", 0, "lan", "x"));
    }
}
