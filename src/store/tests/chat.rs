//! The chat of a show in the store: stored once, removed with its text, expired, erased, and never waited for.

mod keeping;
mod retention;

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
        ChatSource, Entry, Filter,
        chat::{Heard, Lines},
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
        user(8, Some("id-lan"), None, Removal::TimedOut(Duration::from_mins(10))),
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
