//! The chat of a show in the store: stored once, removed with its text, expired, erased, and never waited for.

use super::*;
use crate::{
    base::SourceId,
    chat::{
        Amount, Author, Badge, Kind, Message, MessageId, Origin, Platform, Removal, Reply, Text,
        Update, UserId,
        finders::{Complaint, Finds, Order, Question},
        language::Language,
        told::{RemovedHow, Row, Told as Step},
    },
    store::{
        ChatQueue, ChatSource, Entry, Filter, Who,
        chat::{Heard, Lines, expire},
        chat_queue, erase,
    },
};
use proptest::prelude::*;

fn source(name: &str, keep_days: u32) -> ChatSource {
    ChatSource {
        id: name.parse().unwrap(),
        kind: "twitch".into(),
        platform: Some("twitch".into()),
        market: Some("TH".into()),
        keep_days,
    }
}

fn id(name: &str) -> SourceId {
    name.parse().unwrap()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(START * 1000 + ms).unwrap()
}

/// A line of somebody with an account.
fn line(number: u64, author: &str, text: &str) -> Step {
    let author = Author {
        id: Some(UserId::new(&format!("id-{author}"))),
        name: Text::name(author),
        ..Author::default()
    };
    let message = Message::new(
        MessageId::new(&format!("m{number}")),
        id("tw"),
        Platform::TWITCH,
        at(number as i64),
        author,
        Text::new(text),
    );
    step(number, Update::Message(Box::new(message)))
}

fn step(number: u64, update: Update) -> Step {
    Step { number, source: id("tw"), update, language: None, finds: Finds::default() }
}

fn message(step: &mut Step) -> &mut Message {
    match &mut step.update {
        Update::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

/// A show that is being written, without a thread.
struct Shop {
    _dir: tempfile::TempDir,
    path: PathBuf,
    db: Connection,
    show: i64,
    lines: Lines,
}

impl Shop {
    fn new() -> Self {
        let (dir, path) = place();
        let mut db = open(&path).unwrap();
        let (show, lines) = begin(&mut db, START, 30);
        Self { _dir: dir, path, db, show, lines }
    }

    /// Writes steps in one transaction.
    fn write(&mut self, steps: impl IntoIterator<Item = Step>) {
        write(&mut self.db, &self.lines, steps);
    }

    fn read(&self) -> Vec<Entry> {
        read(&self.path, self.show, &Filter::default())
    }

    /// The removal of each line, its text, and its author.
    fn lines(&self) -> Vec<(Option<RemovedHow>, String, String)> {
        self.read()
            .into_iter()
            .filter_map(|entry| match entry.told.update {
                Update::Message(m) => {
                    let how = entry.removed.map(|removed| removed.how);
                    Some((how, m.text.to_string(), m.author.name.to_string()))
                }
                _ => None,
            })
            .collect()
    }
}

fn begin(db: &mut Connection, started_s: i64, keep_days: u32) -> (i64, Lines) {
    let all = db.transaction().unwrap();
    let book = Book::begin(&all, &opening(started_s, "Tea")).unwrap();
    book.end(&all, &closing(60)).unwrap();
    let sources = [source("tw", keep_days), source("yt", 2 * keep_days)];
    let lines = Lines::begin(&all, book.show, &sources).unwrap();
    all.commit().unwrap();
    (book.show, lines)
}

fn write(db: &mut Connection, lines: &Lines, steps: impl IntoIterator<Item = Step>) {
    let all = db.transaction().unwrap();
    for told in steps {
        lines.step(&all, &Heard { at: at(900_000), told: Arc::new(told) }).unwrap();
    }
    all.commit().unwrap();
}

fn read(path: &Path, show: i64, filter: &Filter) -> Vec<Entry> {
    let mut found = Vec::new();
    let each = |entry| {
        found.push(entry);
        true
    };
    Shows::open(path).unwrap().chat(show, filter, each).unwrap();
    found
}

fn count(db: &Connection, table: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn json(step: &Step) -> serde_json::Value {
    serde_json::to_value(Row::of(step, at(900_000))).unwrap()
}

fn finds() -> impl Strategy<Value = Finds> {
    let orders = proptest::collection::vec(
        (proptest::option::of(".{0,8}"), 1_u32..99)
            .prop_map(|(code, quantity)| Order { code, quantity }),
        0..3,
    );
    (orders, proptest::collection::vec(".{0,6}", 0..2), any::<bool>()).prop_map(
        |(mut orders, items, asks)| Finds {
            order: orders.pop(),
            more_orders: orders,
            items,
            questions: if asks { vec![Question::Price, Question::Size] } else { Vec::new() },
            complaint: asks.then_some(Complaint::Lag),
            ..Finds::default()
        },
    )
}

prop_compose! {
    fn hostile()(
        text in prop_oneof![".*", "[=+@-].{0,20}", Just("a\u{202e}\u{1b}[2J',\";--\0\r\n".to_owned())],
        name in ".{0,30}",
        login in proptest::option::of("[A-Za-zÄß ]{1,12}"),
        account in proptest::option::of("[!-~]{1,20}"),
        platform in prop_oneof![Just("twitch"), Just("TikTok"), Just("unknown")],
        kind in prop_oneof![
            Just(Kind::Text), Just(Kind::Action), Just(Kind::Membership), Just(Kind::Gift), Just(Kind::Notice),
            (any::<u64>(), ".{0,5}").prop_map(|(micros, currency)| Kind::Paid {
                amount: Amount { micros, currency: Text::name(&currency) },
            }),
        ],
        (channel, lang) in (proptest::option::of(".{1,9}"), proptest::option::of("[a-z]{2}")),
        (reply, origin) in (
            proptest::option::of("[!-~]{1,9}"),
            proptest::option::of(("[a-z]{1,9}", "[!-~]{1,9}")),
        ),
        (backlog, own, late) in any::<(bool, bool, bool)>(),
        (seconds, nanos) in (-10_000_000_000_i64..100_000_000_000, 0..1_000_000_000),
        badges in proptest::sample::subsequence(vec![Badge::Owner, Badge::Member, Badge::Bot], 0..=3),
        language in proptest::option::of(proptest::sample::select(Language::ALL.to_vec())),
        finds in finds(),
    ) -> Step {
        let mut step = line(1, "x", &text);
        let message = message(&mut step);
        message.platform = Platform::named(platform);
        message.author = Author {
            id: account.map(|id| UserId::new(&id)),
            name: Text::name(&name),
            login: login.map(|login| Text::name(&login)).filter(|login| !login.is_empty()),
            badges,
        };
        message.at = Timestamp::new(seconds, nanos).unwrap();
        message.kind = kind;
        message.channel = channel.map(|channel| Text::name(&channel));
        message.lang = lang.map(|lang| Text::name(&lang));
        message.reply = reply.map(|to| Reply { to: MessageId::new(&to), text: Some("quoted".into()) });
        message.origin = origin
            .map(|(channel, id)| Origin { channel: Text::name(&channel), id: MessageId::new(&id) });
        (message.backlog, message.own, message.late) = (backlog, own, late);
        Step { language, finds, ..step }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_is_what_was_told(steps in proptest::collection::vec(hostile(), 1..12)) {
        let mut shop = Shop::new();
        let steps: Vec<Step> = steps
            .into_iter()
            .zip(1..)
            .map(|(mut step, number)| {
                // Copies of one another are joined; that is another matter.
                message(&mut step).id = MessageId::new(&format!("\u{1}m {number}"));
                if let Some(origin) = &mut message(&mut step).origin {
                    origin.id = MessageId::new(&format!("o{number}"));
                }
                Step { number, ..step }
            })
            .collect();
        shop.write(steps.clone());
        let wanted: Vec<_> = steps.iter().map(json).collect();
        let kept: Vec<_> = shop.read().iter().map(|entry| json(&entry.told)).collect();
        prop_assert_eq!(kept, wanted);
    }
}

#[test]
fn a_line_is_stored_once_and_a_second_reading_changes_nothing() {
    let mut shop = Shop::new();
    shop.write([line(1, "lan", "SP1 2"), line(2, "mia", "berapa?")]);
    let before = shop.read();
    let mut again = line(1, "lan", "another text");
    again.number = 3;
    shop.write([again.clone()]);
    shop.write([again]);
    // A number that was taken, too.
    let mut taken = line(9, "lan", "x");
    taken.number = 2;
    shop.write([taken]);
    assert_eq!(shop.read(), before);
    assert_eq!(count(&shop.db, "chat_person"), 2);
}

#[test]
fn what_a_platform_removes_loses_its_text_and_keeps_who_when_and_how() {
    let mut shop = Shop::new();
    let mut named = line(4, "Nam", "no account");
    message(&mut named).author.id = None;
    let user = |number, id: Option<&str>, name: Option<&str>, removal| {
        step(
            number,
            Update::UserCleared { id: id.map(UserId::new), name: name.map(Text::name), removal },
        )
    };
    shop.write([
        line(1, "lan", "first"),
        line(2, "lan", "second"),
        line(3, "mia", "third"),
        named,
        line(5, "tom", "fifth"),
        line(6, "nam", "same name, other account"),
        step(7, Update::Deleted(MessageId::new("m1"))),
        user(8, Some("id-lan"), None, Removal::TimedOut(Duration::from_secs(600))),
        user(9, Some("id-of-nobody"), Some("NAM"), Removal::Banned),
    ]);
    use RemovedHow::{AllCleared, Banned, Deleted, TimedOut};
    let text = |text: &str, by: &str| (None, text.to_owned(), by.to_owned());
    let gone = |how, by: &str| (Some(how), String::new(), by.to_owned());
    let wanted = [
        gone(Deleted, "lan"),
        gone(TimedOut, "lan"),
        text("third", "mia"),
        gone(Banned, "Nam"),
        text("fifth", "tom"),
        text("same name, other account", "nam"),
    ];
    assert_eq!(shop.lines(), wanted);
    let first = &shop.read()[0];
    assert_eq!(first.removed.unwrap().at, at(900_000));
    let row = serde_json::to_value(Row::of(&shop.read()[6].told, at(0))).unwrap();
    assert_eq!((&row["cleared_user"], &row["seconds"]), (&"id-lan".into(), &600.into()), "{row}");
    shop.write([step(10, Update::AllCleared), line(11, "tom", "after")]);
    let mut wanted = wanted.to_vec();
    wanted[2] = gone(AllCleared, "mia");
    wanted[4] = gone(AllCleared, "tom");
    wanted[5] = gone(AllCleared, "nam");
    wanted.push(text("after", "tom"));
    assert_eq!(shop.lines(), wanted);
    assert!(shop.read().iter().any(|entry| entry.told.update == Update::AllCleared));
}

#[test]
fn what_was_removed_before_it_came_is_never_stored() {
    let mut shop = Shop::new();
    shop.write([
        step(1, Update::Deleted(MessageId::new("m5"))),
        step(
            2,
            Update::UserCleared {
                id: Some(UserId::new("id-lan")),
                name: None,
                removal: Removal::Banned,
            },
        ),
    ]);
    let before = shop.read();
    assert!(matches!(before[0].told.update, Update::Deleted(_)), "{before:?}");
    let mut late = line(6, "lan", "written before the ban");
    message(&mut late).late = true;
    let mut backlog = line(7, "mia", "of somebody else");
    message(&mut backlog).backlog = true;
    shop.write([line(5, "tom", "deleted"), late, backlog, line(8, "lan", "unbanned since")]);
    let texts: Vec<String> = shop.lines().into_iter().map(|(_, text, _)| text).collect();
    assert_eq!(texts, ["", "", "of somebody else", "unbanned since"]);
    let hows: Vec<_> = shop.lines().into_iter().map(|(how, _, by)| (how, by)).collect();
    assert_eq!(hows[0], (Some(RemovedHow::Deleted), "tom".into()), "who is known now");
    assert_eq!(hows[1], (Some(RemovedHow::Banned), "lan".into()));
}

#[test]
fn a_copy_of_shared_chat_and_its_original_are_one_line() {
    let mut shop = Shop::new();
    let copy = |number, of: &str| {
        let mut step = line(number, "lan", "shared");
        message(&mut step).origin =
            Some(Origin { channel: Text::name("far"), id: MessageId::new(of) });
        step
    };
    shop.write([copy(1, "m3"), copy(2, "m4"), line(3, "lan", "shared")]);
    // Its original is deleted, then comes.
    shop.write([step(5, Update::Deleted(MessageId::new("m4"))), line(4, "lan", "shared")]);
    let kept: Vec<_> = shop
        .read()
        .into_iter()
        .map(|entry| (entry.told.number, json(&entry.told)["text"].clone()))
        .collect();
    assert_eq!(kept, [(3, "shared".into()), (5, "".into())], "{:?}", shop.read());
}

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

/// A keeper with a chat.
fn talking(path: &Path) -> (Keeper, ChatQueue, Told) {
    let (queue, rows) = chat_queue(vec![source("tw", 30)]);
    let told = Told::default();
    let tell = {
        let told = Arc::clone(&told);
        move |news| {
            told.lock().unwrap().push(match news {
                News::Failed(text) => text,
                News::Back(lost) => format!("back: {:?}", lost.words()),
            });
        }
    };
    let opening = opening(START, "Tea");
    let limits = Limits::default();
    let keeper =
        Keeper::with(open, path.to_owned(), opening, Some(rows), limits, Box::new(tell)).unwrap();
    (keeper, queue, told)
}

#[test]
fn a_removal_is_in_the_store_within_200_ms() {
    let (_dir, path) = place();
    let (keeper, queue, _told) = talking(&path);
    until("the show", || Shows::open(&path).is_ok_and(|shows| shows.find("last").is_ok()));
    let shows = Shows::open(&path).unwrap();
    let text = |n: u64| {
        let sql = "SELECT count(text), count(*) FROM chat_message WHERE message = ?";
        shows
            .db
            .query_row(sql, [format!("m{n}")], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))
            .unwrap()
    };
    let mut slowest = Duration::ZERO;
    for n in 1..=10 {
        queue.keep(&Arc::new(line(n, "lan", "to be removed")));
        until("the line", || text(n) == (1, 1));
        let began = Instant::now();
        queue.keep(&Arc::new(step(n + 100, Update::Deleted(MessageId::new(&format!("m{n}"))))));
        while text(n) != (0, 1) {
            assert!(began.elapsed() < Duration::from_secs(15), "never");
            thread::sleep(Duration::from_millis(1));
        }
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_millis(200), "{slowest:?}");
    keeper.close(closing(1));
}

#[test]
fn a_locked_database_does_not_slow_the_chat_and_what_is_missing_is_a_hole() {
    let (_dir, path) = place();
    let (keeper, queue, told) = talking(&path);
    queue.keep(&Arc::new(line(1, "lan", "first")));
    until("the first line", || {
        Shows::open(&path).is_ok_and(|s| {
            s.find("last").is_ok_and(|n| !read(&path, n, &Filter::default()).is_empty())
        })
    });
    let other = connect(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let steps: Vec<_> =
        (2..=20_000).map(|n| Arc::new(line(n, "lan", "while it is locked"))).collect();
    let mut slowest = Duration::ZERO;
    for step in &steps {
        let began = Instant::now();
        assert!(queue.keep(step));
        slowest = slowest.max(began.elapsed());
    }
    // A removal has its place behind a flood of lines.
    queue.keep(&Arc::new(step(20_001, Update::Deleted(MessageId::new("m1")))));
    // Nothing waits for a lock, which lasts; a busy machine may stop a thread for a moment.
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
    until("it is told", || !told.lock().unwrap().is_empty());
    other.execute_batch("COMMIT").unwrap();
    until("it goes on", || told.lock().unwrap().len() >= 2);
    keeper.close(closing(1000));
    let kept = read(&path, 1, &Filter::default());
    let lines = kept.iter().filter(|e| matches!(e.told.update, Update::Message(_))).count() as u64;
    let unstored: u64 = kept.iter().filter_map(|entry| entry.unstored).sum();
    assert_eq!(lines + unstored, 20_000, "every line is stored or counted");
    assert!(lines > 8_000 && unstored > 8_000, "{lines} {unstored}");
    assert_eq!(json(&kept[0].told)["text"], "", "the removal came through");
    let hole = kept.iter().find(|entry| entry.unstored.is_some()).unwrap();
    assert!(json(&hole.told)["hole_s"].as_f64().unwrap() > 5.0, "{hole:?}");
    let show = Shows::open(&path).unwrap().history(1).unwrap();
    assert_eq!(u64::from(show.lost.lines), unstored);
    assert!(told.lock().unwrap()[1].contains("lines of chat"), "{told:?}");
}

#[test]
fn all_that_waits_is_stored_at_the_end() {
    let (_dir, path) = place();
    let (keeper, queue, _told) = talking(&path);
    for n in 1..=6_000 {
        queue.keep(&Arc::new(line(n, &format!("v{n}"), "a line")));
    }
    let mut elsewhere = line(6_001, "lan", "of a source that is not stored");
    elsewhere.source = id("yt");
    queue.keep(&Arc::new(elsewhere));
    keeper.close(closing(1));
    assert_eq!(read(&path, 1, &Filter::default()).len(), 6_000);
    assert!(Shows::open(&path).unwrap().history(1).unwrap().ended.is_some());
    until("nobody takes more", || !queue.keep(&Arc::new(line(6_002, "lan", "after"))));
}

/// Bar: 2,000 lines a second. It prints what a line costs.
#[test]
#[ignore = "a measurement"]
fn soak_what_a_line_costs() {
    const LINES: u64 = 200_000;
    let (_dir, path) = place();
    let mut db = open(&path).unwrap();
    let (_, lines) = begin(&mut db, START, 30);
    let steps: Vec<Heard> = (1..=LINES)
        .map(|n| {
            let order = n.is_multiple_of(5);
            let text =
                if order { "SP1 2 0912345678" } else { "có màu đen size M không shop ơi" };
            let mut told = line(n, &format!("viewer_{}", n % 3_000), text);
            message(&mut told).id =
                MessageId::new(&format!("{:08x}-4cdb-4d0e-8a6f-{n:012x}", n * 7));
            told.language = Some(Language::Vi);
            if order {
                told.finds.order = Some(Order { code: Some("SP1".into()), quantity: 2 });
            } else {
                told.finds.questions = vec![Question::Stock];
            }
            Heard { at: at(0), told: Arc::new(told) }
        })
        .collect();
    let began = Instant::now();
    for batch in steps.chunks(200) {
        let all = db.transaction().unwrap();
        for heard in batch {
            lines.step(&all, heard).unwrap();
        }
        all.commit().unwrap();
    }
    let took = began.elapsed();
    let _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let bytes = std::fs::metadata(&path).unwrap().len();
    eprintln!(
        "{LINES} lines in {took:.1?}: {:.0} a second by 200, {} bytes each",
        LINES as f64 / took.as_secs_f64(),
        bytes / LINES
    );
    let began = Instant::now();
    assert_eq!(read(&path, 1, &Filter::default()).len() as u64, LINES);
    eprintln!("read back in {:.1?}", began.elapsed());
    let began = Instant::now();
    write(&mut db, &lines, [step(LINES + 1, Update::AllCleared)]);
    eprintln!("all cleared in {:.1?}", began.elapsed());
}
