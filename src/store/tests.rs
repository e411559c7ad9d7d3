//! The store against real files: what is kept, what is not, and what is said.

mod chat;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    Closing, FILE, Keeper, Limits, News, Opening, Output, Shows, StoreError, connect, housekeeping,
    keeper::noted, open, write::Book,
};
use crate::{
    base::{Moment, Severity},
    show::{Event, Happening},
    stats::{
        Limit, Report, Second,
        history::{Lost, Targets},
        second::{MonitorSecond, OutputSecond, ProgramSecond},
    },
};

const DAY: i64 = 86_400;
const START: i64 = 1_767_225_600;

fn opening(started_s: i64, title: &str) -> Opening {
    let output = |name: &str, market: Option<&str>| Output {
        name: name.into(),
        goes_to: "eu.example".into(),
        market: market.map(str::to_owned),
    };
    Opening {
        started: Timestamp::from_second(started_s).unwrap(),
        title: title.into(),
        mode: "live".into(),
        profile: "lively".into(),
        targets: Targets { latency_ms: 600, stall_permille: 5 },
        outputs: vec![output("main", Some("id")), output("second", None)],
        monitors: vec![output("tokyo", Some("jp"))],
    }
}

/// Figures that wander as real ones do.
fn second(at_s: u32) -> Second {
    let wander =
        |range: u32, salt: u32| at_s.wrapping_mul(2_654_435_761).wrapping_add(salt * 977) % range;
    let output = |salt: u32, viewers| OutputSecond {
        sent_kbps: Some(2300 + wander(300, salt)),
        target_kbps: Some(2500),
        available_kbps: Some(3000 + wander(900, salt)),
        rtt_tenths: Some(300 + wander(200, salt)),
        loss_ppm: Some(if at_s.is_multiple_of(50) { 4000 } else { 0 }),
        silent_ms: Some(wander(120, salt)),
        dropped: 0,
        viewers,
        encode_tenths: Some(80 + wander(20, 6)),
        pace_tenths: Some(4),
        nacks: Some(wander(3, salt)),
        plis: Some(0),
        limit: Some(if at_s % 600 < 30 { Limit::Bandwidth } else { Limit::None }),
    };
    Second {
        at_s,
        program: ProgramSecond {
            cpu_permille: Some(330 + wander(60, 5)),
            memory_kib: Some(98_000 + wander(500, 6)),
            encoded: 30,
            ..ProgramSecond::default()
        },
        outputs: vec![
            ("main".parse().unwrap(), output(1, Some(at_s / 60))),
            ("second".parse().unwrap(), output(2, None)),
        ],
        monitor: Some(MonitorSecond {
            p50_tenths: Some(1800 + wander(200, 3)),
            p95_tenths: Some(2200 + wander(300, 4)),
            fps_tenths: 300,
            kbps: 2400 + wander(200, 3),
            stalls: u32::from(at_s % 900 == 899),
            stalled_ms: if at_s % 900 == 899 { 420 } else { 0 },
            gap_ms: wander(40, 3),
            skew_tenths: Some(-3),
        }),
        monitors: Vec::new(),
    }
}

fn event(seq: u64, what: Happening) -> Event {
    Event { seq, at: Timestamp::from_second(START).unwrap(), what }
}

fn failed(seq: u64) -> Event {
    let output = "main".parse().unwrap();
    event(seq, Happening::OutputFailed { output, reason: "reset".into(), retry_in_ms: Some(300) })
}

fn closing(at_s: u64) -> Closing {
    let report = Report { version: 1, title: "Tea".into(), ..Report::default() };
    Closing { at_ms: at_s * 1000, why: "its time was up".into(), exit_code: 0, report }
}

type Told = Arc<Mutex<Vec<String>>>;

fn keeper(
    path: &Path,
    open: impl Fn(&Path) -> Result<Connection, StoreError> + Send + 'static,
) -> (Keeper, Told) {
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
    let limits = Limits::default();
    (
        Keeper::with(open, path.to_owned(), opening(START, "Tea"), None, limits, Box::new(tell))
            .unwrap(),
        told,
    )
}

#[track_caller]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while !is() {
        assert!(Instant::now() < deadline, "{what}: not in 15 s");
        thread::sleep(Duration::from_millis(20));
    }
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    (dir, path)
}

#[test]
fn those_that_watch_from_outside_are_kept_with_their_market() {
    let (_dir, path) = place();
    let (mut keeper, _) = keeper(&path, open);
    let all = (0..10).map(second);
    for all in all {
        let seen = all.monitor.unwrap();
        let late = MonitorSecond { p95_tenths: Some(9000), ..seen };
        let monitors = vec![("tokyo".parse().unwrap(), late)];
        keeper.second(Second { monitors, ..all });
    }
    keeper.close(closing(10));
    let show = Shows::open(&path).unwrap().history(1).unwrap();
    let tokyo = show.monitors.iter().find(|m| m.name == "tokyo").unwrap();
    assert_eq!((tokyo.market.as_deref(), tokyo.to.as_str()), (Some("jp"), "eu.example"));
    assert_eq!((tokyo.seconds.len(), show.monitors.len()), (10, 2));
    let markets = show.summary().markets;
    let jp = markets.iter().find(|m| m.market.as_deref() == Some("jp")).unwrap();
    assert_eq!((jp.outputs, jp.seen.latency_p95_ms), (0, Some(900.0)));
}

#[test]
fn what_is_kept_is_read_back_as_it_was() {
    let (_dir, path) = place();
    assert!(matches!(Shows::open(&path), Err(StoreError::Nothing(_))));
    let (mut keeper, told) = keeper(&path, open);
    for s in 0..130 {
        keeper.second(second(s));
    }
    keeper.event(Moment::from_ms(61_500), &failed(7));
    keeper.close(closing(130));
    assert_eq!(*told.lock().unwrap(), Vec::<String>::new());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let shows = Shows::open(&path).unwrap();
    let rows = shows.since(Timestamp::MIN).unwrap();
    assert_eq!((rows.len(), rows[0].outputs.len(), rows[0].duration_ms), (1, 2, 130_000));
    assert_eq!(shows.since(Timestamp::from_second(START + 1).unwrap()).unwrap(), []);
    for name in ["last", "1", "te"] {
        assert_eq!(shows.find(name).unwrap(), 1, "{name}");
    }
    assert!(shows.find("2").unwrap_err().to_string().contains("--list"));

    let show = shows.history(1).unwrap();
    assert_eq!((show.program.len(), show.outputs.len(), show.monitors.len()), (130, 2, 1));
    let (wanted, kept) = (second(77), &show.outputs[0].seconds[77]);
    assert_eq!((kept.at_s, kept.figures), (77, wanted.outputs[0].1));
    assert_eq!(Some(show.monitors[0].seconds[77].figures), wanted.monitor);
    assert_eq!(show.program[77].figures, wanted.program);
    assert_eq!(show.outputs[0].market.as_deref(), Some("id"));
    let noted = &show.events[0];
    assert_eq!(
        (noted.event.as_str(), noted.about.as_deref(), noted.at_ms),
        ("output-failed", Some("main"), 61_500)
    );
    assert_eq!(
        (noted.severity, noted.detail["reason"].as_str()),
        (Severity::Critical, Some("reset"))
    );
    assert_eq!(
        (show.ended.as_ref().unwrap().exit_code, show.report.unwrap().title),
        (0, "Tea".to_owned())
    );

    let minutes = shows.audience(1).unwrap();
    let of: Vec<_> = minutes
        .iter()
        .map(|m| (m.at.as_second() - START, m.market.as_deref(), m.viewers))
        .collect();
    assert_eq!(of, [(0, Some("id"), 0.0), (60, Some("id"), 1.0), (120, Some("id"), 2.0)]);
}

#[test]
fn a_locked_database_costs_what_is_counted_and_never_waits() {
    let (_dir, path) = place();
    let (mut keeper, told) = keeper(&path, open);
    keeper.second(second(0));
    until("the first second", || {
        Shows::open(&path).is_ok_and(|s| s.history(1).is_ok_and(|h| !h.program.is_empty()))
    });
    let other = connect(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let before = Instant::now();
    for s in 1..1000 {
        keeper.second(second(s));
    }
    keeper.event(Moment::from_ms(999_000), &failed(9));
    // The other one holds it for as long as a patient writer waits, and longer.
    assert!(before.elapsed() < super::PATIENCE, "{:?}", before.elapsed());
    until("it is told", || !told.lock().unwrap().is_empty());
    other.execute_batch("COMMIT").unwrap();
    let kept = || Shows::open(&path).unwrap().history(1).unwrap();
    until("it goes on", || kept().program.len() > 500);
    until("it is told", || told.lock().unwrap().len() == 2);
    keeper.close(closing(1000));
    let show = kept();
    let Lost { seconds, events, .. } = show.lost;
    assert_eq!(show.program.len() + seconds as usize, 1000, "what is missing is counted");
    assert_eq!(show.events.len() + events as usize, 1, "{:?}", show.lost);
    assert!(seconds > 100 && show.ended.is_some(), "{seconds}");
    let told = told.lock().unwrap();
    assert!(told[0].contains("locked") && told[1].contains(&seconds.to_string()), "{told:?}");
}

#[test]
fn a_database_that_is_locked_at_first_is_opened_later() {
    let (_dir, path) = place();
    drop(open(&path).unwrap());
    let other = connect(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let (mut keeper, told) = keeper(&path, open);
    keeper.second(second(0));
    until("it is told", || !told.lock().unwrap().is_empty());
    assert!(told.lock().unwrap()[0].contains("tried again"), "{told:?}");
    drop(other);
    until("it is kept", || told.lock().unwrap().len() == 2);
    keeper.close(closing(1));
    assert_eq!(told.lock().unwrap()[1], "back: None");
    let show = Shows::open(&path).unwrap().history(1).unwrap();
    assert!(show.program.len() == 1 && show.ended.is_some(), "{show:?}");
}

#[test]
fn the_end_is_kept_behind_a_full_queue() {
    let (_dir, path) = place();
    drop(open(&path).unwrap());
    let other = connect(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (mut keeper, told) = keeper(&path, open);
    for s in 0..1000 {
        keeper.second(second(s));
    }
    until("it is told", || !told.lock().unwrap().is_empty());
    let free = thread::spawn(move || other.execute_batch("COMMIT").unwrap());
    keeper.close(closing(1000));
    free.join().unwrap();
    until("the end", || {
        let show = Shows::open(&path).and_then(|shows| shows.history(1));
        show.is_ok_and(|show| show.ended.is_some() && show.program.len() > 400)
    });
}

#[test]
fn a_full_disk_is_told_once_and_the_show_goes_on() {
    let (_dir, path) = place();
    // Another show that fills the disk, and goes later.
    let mut db = open(&path).unwrap();
    fill(&mut db, START - DAY, 3000);
    let pages: i64 = db.query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap();
    let narrow = move |path: &Path| {
        let db = open(path)?;
        db.query_row(&format!("PRAGMA max_page_count = {}", pages + 4), [], |_| Ok(())).unwrap();
        Ok(db)
    };
    let (mut keeper, told) = keeper(&path, narrow);
    let mut s = 0;
    until("it is told", || {
        s += 1;
        keeper.second(second(s));
        !told.lock().unwrap().is_empty()
    });
    assert!(told.lock().unwrap()[0].contains("full"), "{told:?}");
    db.execute_batch("DELETE FROM output_second WHERE show = 1").unwrap();
    let kept = || Shows::open(&path).unwrap().history(2).unwrap().program.len();
    until("it goes on", || kept() as u32 >= s.min(500));
    until("it is told", || told.lock().unwrap().len() == 2);
    keeper.close(closing(u64::from(s)));
    assert_eq!(told.lock().unwrap().len(), 2);
}

#[test]
fn a_database_that_cannot_be_used_is_told_and_left_alone() {
    let (_dir, path) = place();
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let garbage = path.with_file_name("garbage.db");
    std::fs::write(&garbage, vec![b'x'; 9000]).unwrap();
    let nowhere = path.with_file_name("no").join("shows.db");
    for (path, word) in
        [(&path, "newer hawker"), (&garbage, "damaged"), (&nowhere, "cannot be opened")]
    {
        let before = std::fs::read(path).ok();
        let (mut keeper, told) = keeper(path, open);
        until("it is told", || !told.lock().unwrap().is_empty());
        for s in 0..2000 {
            keeper.second(second(s));
        }
        keeper.close(closing(2000));
        let told = told.lock().unwrap();
        assert!(
            told.len() == 1 && told[0].contains(word) && told[0].contains("goes on"),
            "{told:?}"
        );
        assert!(!told[0].contains("tried again"), "{told:?}");
        assert_eq!(std::fs::read(path).ok(), before);
    }
}

#[test]
fn two_engines_keep_two_shows_in_one_database() {
    let (_dir, path) = place();
    let (mut one, told_one) = keeper(&path, open);
    let (mut two, told_two) = keeper(&path, open);
    for s in 0..200 {
        one.second(second(s));
        two.second(second(s));
    }
    one.close(closing(200));
    two.close(closing(200));
    let shows = Shows::open(&path).unwrap();
    for number in [1, 2] {
        assert_eq!(shows.history(number).unwrap().program.len(), 200);
    }
    assert!(told_one.lock().unwrap().is_empty() && told_two.lock().unwrap().is_empty());
}

/// A finished show of so many seconds; its number.
fn fill(db: &mut Connection, started_s: i64, seconds: u32) -> i64 {
    let all = db.transaction().unwrap();
    let mut book = Book::begin(&all, &opening(started_s, "Tea")).unwrap();
    for s in 0..seconds {
        book.second(&all, &second(s)).unwrap();
        if s.is_multiple_of(60) {
            let event = failed(u64::from(s / 60) + 1);
            book.event(&all, &noted(Moment::from_ms(u64::from(s) * 1000), &event)).unwrap();
        }
    }
    book.end(&all, &closing(u64::from(seconds))).unwrap();
    all.commit().unwrap();
    book.show
}

fn tidy(db: &mut Connection, limits: &Limits, now_s: i64, current: i64) -> u32 {
    let now = Timestamp::from_second(now_s).unwrap();
    let mut steps = 0;
    while housekeeping::step(db, limits, now, current).unwrap() {
        steps += 1;
        assert!(steps < 10_000, "it never ends");
    }
    steps
}

#[test]
fn old_shows_are_kept_by_tens_of_seconds_then_go() {
    let (_dir, path) = place();
    let mut db = open(&path).unwrap();
    let limits = Limits { days: 400, fine_days: 30, bytes: u64::MAX };
    let old = fill(&mut db, START, 905);
    let new = fill(&mut db, START + 20 * DAY, 905);
    let before = Shows::open(&path).unwrap().history(old).unwrap();
    tidy(&mut db, &limits, START + 31 * DAY, 99);
    let shows = Shows::open(&path).unwrap();
    let (coarse, fine) = (shows.history(old).unwrap(), shows.history(new).unwrap());
    assert_eq!(
        (coarse.step_s, coarse.program.len(), coarse.outputs[0].seconds.len()),
        (10, 91, 91)
    );
    assert_eq!((fine.step_s, fine.program.len()), (1, 905));
    let (a, b) = (before.summary(), coarse.summary());
    assert_eq!((a.seen.stalls, a.seen.stalled_ms), (b.seen.stalls, b.seen.stalled_ms));
    assert_eq!(a.viewers_most, b.viewers_most);
    let (a, b) = (a.outputs[0].sent_kbps.unwrap(), b.outputs[0].sent_kbps.unwrap());
    assert!((a - b).abs() < 5.0, "{a} {b}");
    assert_eq!(tidy(&mut db, &limits, START + 31 * DAY, 99), 0, "done is done");

    tidy(&mut db, &limits, START + 410 * DAY, new);
    let left: Vec<_> = shows.since(Timestamp::MIN).unwrap().into_iter().map(|s| s.number).collect();
    assert_eq!(left, [new]);
}

#[test]
fn the_oldest_go_while_the_database_is_too_large() {
    let (_dir, path) = place();
    let mut db = open(&path).unwrap();
    for day in 0..10 {
        fill(&mut db, START + day * DAY, 2000);
    }
    let size = |db: &Connection| {
        let _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        std::fs::metadata(&path).unwrap().len()
    };
    let before = size(&db);
    let limits = Limits { bytes: before / 2, ..Limits::default() };
    tidy(&mut db, &limits, START + 10 * DAY, 10);
    let after = size(&db);
    assert!(after <= before / 2 + 100_000, "{before} {after}: the disk has it back");
    let left: Vec<_> = Shows::open(&path)
        .unwrap()
        .since(Timestamp::MIN)
        .unwrap()
        .iter()
        .map(|s| s.number)
        .collect();
    assert!(left.len() >= 3 && left[0] == 10 && !left.contains(&1), "{left:?}");
    let none = Limits { bytes: 0, ..Limits::default() };
    tidy(&mut db, &none, START + 10 * DAY, 10);
    assert_eq!(
        Shows::open(&path).unwrap().since(Timestamp::MIN).unwrap().len(),
        1,
        "never the one that runs"
    );
}

/// Bar: a year of daily shows of four hours fits in 1 GB, and a report over one of them opens in 2 s. It prints
/// what it measured.
#[test]
#[ignore = "minutes of writing"]
fn soak_a_year_of_shows() {
    let (_dir, path) = place();
    let mut db = open(&path).unwrap();
    let limits = Limits::default();
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    for day in 0..365 {
        let show = fill(&mut db, START + day * DAY, 4 * 3600);
        let now = Timestamp::from_second(START + day * DAY).unwrap();
        loop {
            let step = Instant::now();
            let more = housekeeping::step(&mut db, &limits, now, show).unwrap();
            slowest = slowest.max(step.elapsed());
            if !more {
                break;
            }
        }
    }
    let _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let bytes = std::fs::metadata(&path).unwrap().len();
    eprintln!(
        "a year: {} MB, written in {:.0?}; slowest step of housekeeping {slowest:.0?}",
        bytes / 1_000_000,
        began.elapsed()
    );
    assert!(bytes < 1_000_000_000);
    for number in [1, 365] {
        let at = Instant::now();
        let shows = Shows::open(&path).unwrap();
        let show = shows.history(number).unwrap();
        let read = at.elapsed();
        let page = crate::stats::page::html(&show, &jiff::tz::TimeZone::UTC);
        eprintln!(
            "show {number}: {} seconds read in {read:.0?}, page of {} kB after {:.0?}",
            show.program.len(),
            page.len() / 1000,
            at.elapsed()
        );
        assert!(at.elapsed() < Duration::from_secs(2));
    }
    let at = Instant::now();
    let rows = Shows::open(&path).unwrap().since(Timestamp::MIN).unwrap().len();
    eprintln!("{rows} shows listed in {:.0?}", at.elapsed());
    assert_eq!(rows, 365);
    what_a_second_costs(&path);
}

/// What the loop pays for a second, and what the thread behind it pays, at the end of a full year.
fn what_a_second_costs(path: &Path) {
    const SECONDS: u32 = 300;
    let seconds: Vec<Second> = (0..SECONDS).map(second).collect();
    let (mut keeper, _told) = keeper(path, open);
    let at = Instant::now();
    for second in seconds {
        keeper.second(second);
    }
    let handed = at.elapsed() / SECONDS;
    keeper.close(closing(u64::from(SECONDS)));

    let mut db = open(path).unwrap();
    let all = db.transaction().unwrap();
    let mut book = Book::begin(&all, &opening(START, "Tea")).unwrap();
    all.commit().unwrap();
    let at = Instant::now();
    for s in 0..SECONDS {
        let one = db.transaction().unwrap();
        book.second(&one, &second(s)).unwrap();
        one.commit().unwrap();
    }
    let written = at.elapsed() / SECONDS;
    eprintln!(
        "a second: handed over in {handed:.1?}, written in {written:.0?} by a thread of its own"
    );
}
