//! Lines that go: when their days are over, with their show, and with their author.

use super::*;
use crate::store::{Who, chat::expire, erase};

#[test]
fn a_person_is_found_exported_and_erased_over_all_shows_and_out_of_the_file() {
    let mut shop = Shop::new();
    let secret = "a-line-that-is-to-leave-the-file";
    let (other_show, other_lines) = begin(&mut shop.db, START + DAY, 30);
    let of = |show: u64, n: u64| {
        let mut step = line(n, "Lan", &format!("{secret} {show}"));
        message(&mut step).author.login = Some(Text::name("lan_77"));
        message(&mut step).author.name = Text::name(if n > 300 { "Lan new" } else { "Lan" });
        step
    };
    // Among enough others that pages are split and moved.
    for n in 0..200 {
        shop.write((0..5).map(|m| {
            let n: u64 = n * 5 + m + 1;
            if n.is_multiple_of(3) {
                of(1, n)
            } else {
                line(n, &format!("v{}", n % 40), "a line of another")
            }
        }));
    }
    write(&mut shop.db, &other_lines, [of(2, 1), line(2, "mia", "stays")]);
    let mut twin = line(2000, "twin", "another Lan");
    message(&mut twin).author.name = Text::name("Lan");
    let mut far = line(2001, "Lan", "the same words elsewhere");
    message(&mut far).platform = Platform::YOUTUBE;
    let id_lan = Some(UserId::new("id-Lan"));
    let mut note =
        step(2002, Update::UserCleared { id: id_lan, name: None, removal: Removal::Cleared });
    note.source = id("yt");
    shop.write([twin, far, note, of(1, 2003)]);
    let who =
        |called: &str, is_id| Who { platform: Platform::TWITCH, called: called.into(), is_id };
    let shows = Shows::open(&shop.path).unwrap();
    assert_eq!(shows.people(&who("Lan", false)).unwrap().len(), 2, "one name, two accounts");
    assert!(shows.people(&who("Lan", true)).is_err(), "no identifier");
    let unknown = shows.people(&who("nobody", false)).unwrap_err().to_string();
    assert!(unknown.contains("'nobody'") && unknown.contains("twitch, youtube"), "{unknown}");
    let found = shows.people(&who("LAN_77", false)).unwrap();
    assert_eq!((found.len(), found[0].lines, found[0].shows), (1, 335, 2), "{found:?}");
    assert_eq!(found[0].names, ["Lan", "Lan new"]);
    assert_eq!(shows.people(&who("id-Lan", true)).unwrap(), found);
    let theirs = Filter { people: Some(found[0].rows.clone()), ..Filter::default() };
    assert_eq!(read(&shop.path, shop.show, &theirs).len(), 334);

    let others = read(&shop.path, shop.show, &Filter::default()).len() - 334 - 1;
    drop(shows);
    let path = shop.path.clone();
    let show = shop.show;
    // While another program has the file open, as a running show does.
    let erased = erase(&path, &found[0]).unwrap();
    assert_eq!((erased.lines, erased.notes, erased.is_rewritten), (335, 1, true));
    for file in [path.clone(), path.with_extension("db-wal")] {
        let bytes = std::fs::read(&file).unwrap_or_default();
        for text in [secret.as_bytes(), b"lan_77", b"Lan new"] {
            assert!(!bytes.windows(text.len()).any(|found| found == text), "{file:?}");
        }
    }
    assert_eq!(read(&path, show, &Filter::default()).len(), others);
    assert_eq!(read(&path, other_show, &Filter::default()).len(), 1);
    // The show goes on writing.
    shop.write([line(3000, "Lan", "again")]);
    assert_eq!(read(&path, show, &Filter::default()).len(), others + 1);
}

#[test]
fn lines_go_when_the_days_of_their_source_are_over() {
    let (_dir, path) = place();
    let mut db = open(&path).unwrap();
    let (show, lines) = begin(&mut db, START, 10);
    let yt = |number| {
        let mut step = line(number, "mia", "of the other source");
        step.source = id("yt");
        message(&mut step).source = id("yt");
        step
    };
    write(&mut db, &lines, (1..=12_000).map(|n| line(n, &format!("v{}", n % 50), "x")));
    write(&mut db, &lines, [yt(12_001), step(12_002, Update::AllCleared)]);
    let hole = Update::Hole { from: at(0), until: at(2500) };
    write(&mut db, &lines, [step(12_003, hole)]);
    let limits = Limits { days: 400, fine_days: 400, bytes: u64::MAX };
    assert_eq!(tidy(&mut db, &limits, START + 9 * DAY, 99), 0, "not yet");
    let row = &read(&path, show, &Filter::default())[12_002];
    assert_eq!(json(&row.told)["hole_s"], 2.5);
    assert!(tidy(&mut db, &limits, START + 11 * DAY, 99) >= 3, "by small steps");
    let left = read(&path, show, &Filter::default());
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].told.source, id("yt"));
    assert_eq!(count(&db, "chat_person"), 1, "who has no line is forgotten");
    assert_eq!(tidy(&mut db, &limits, START + 11 * DAY, 99), 0, "done is done");
    // Also when no show comes any more.
    let shows = Shows::open(&path).unwrap();
    shows.expire_chats(Timestamp::from_second(START + 21 * DAY).unwrap()).unwrap();
    assert_eq!(count(&db, "chat_message"), 0);
    assert!(shows.find("last").is_ok(), "the show itself stays");
}

#[test]
fn a_dropped_show_takes_its_chat_along_and_a_large_one_its_chat_first() {
    let (_dir, path) = place();
    let mut db = open(&path).unwrap();
    let (old, lines) = begin(&mut db, START, 3000);
    write(&mut db, &lines, (1..=6_000).map(|n| line(n, "lan", "x")));
    let (new, lines) = begin(&mut db, START + 30 * DAY, 3000);
    write(&mut db, &lines, (1..=6_000).map(|n| line(n, "mia", "x")));
    let size = |db: &Connection| {
        db.query_row(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            [],
            |row| row.get::<_, i64>(0),
        )
        .unwrap() as u64
    };
    // More than half of the lines are too many.
    let limits = Limits { bytes: size(&db) * 2 / 5, ..Limits::default() };
    tidy(&mut db, &limits, START + 30 * DAY, 99);
    let left = |show| read(&path, show, &Filter::default()).len();
    assert_eq!((left(old), left(new) > 0), (0, true));
    assert_eq!(Shows::open(&path).unwrap().since(Timestamp::MIN).unwrap().len(), 2, "both shows");
    let limits = Limits { days: 10, ..Limits::default() };
    tidy(&mut db, &limits, START + 50 * DAY, 99);
    assert_eq!(count(&db, "show"), 0);
    for table in ["chat_source", "chat_message", "chat_person", "chat_hole", "chat_cleared"] {
        assert_eq!(count(&db, table), 0, "{table}");
    }
    assert!(!expire::step(&db, Timestamp::now(), 0).unwrap());
}
