//! The chat of a show that runs: in time, never waited for, and to its end; and what a line costs.

use super::*;
use crate::store::{ChatQueue, chat_queue};

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
