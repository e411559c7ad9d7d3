//! The real program publishes to ingests that give some signs of life and not others, and that go in different ways:
//! who is gone is noticed, who is there is left alone. Loopback only; every wait is for a condition, and bounded.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[path = "liveness/receiver.rs"]
mod receiver;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use hawker_process::{Place, Show};
use process::until;
use receiver::{Manner, Receiver};
use rustix::process::Signal;

/// Deadlines are for a quiet machine; on a loaded one looks and reports are late.
const SLACK: Duration = Duration::from_millis(400);

/// A show of a ball and a tone that goes to that ingest.
fn publish(place: &Place, ingest: &Receiver) -> Show {
    let file = place.file(
        "show.toml",
        &format!(
            "title = \"signs\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\ntone-hz = 440\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n\
             [[output]]\nid = \"main\"\nto = \"{}\"\n",
            ingest.url
        ),
    );
    let show = place.start(&["live", &file]);
    show.event("output-live", 30);
    show
}

fn count(show: &Show, name: &str) -> usize {
    show.events().iter().filter(|e| e["event"] == name).count()
}

fn ends(mut show: Show) {
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130);
}

/// Holds for so long: one session, media flow, nothing is said against it.
fn holds(show: &Show, ingest: &Receiver, seconds: u64) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let before = ingest.media();
        sleep(Duration::from_secs(1));
        assert!(ingest.media() > before + 20, "media stopped: {}", show.told());
    }
    for name in ["output-silent", "output-failed"] {
        assert_eq!(count(show, name), 0, "{}", show.told());
    }
    let posts = ingest.requests().iter().filter(|r| r.starts_with("POST")).count();
    assert_eq!(posts, 1, "{:?}", ingest.requests());
}

#[test]
fn an_ingest_that_is_killed_is_noticed_by_the_signs_that_it_gave() {
    let each_second = Some(Duration::from_secs(1));
    for (name, manner, within_ms) in [
        ("all signs", Manner::FULL, 1500),
        ("reports only", Manner { packets: false, promises: false, ..Manner::FULL }, 3000),
        (
            "a promise and reports",
            Manner { packets: false, reports: each_second, ..Manner::FULL },
            3000,
        ),
        (
            "answers to checks only",
            Manner { packets: false, reports: None, ..Manner::FULL },
            10_000,
        ),
    ] {
        let place = Place::new();
        let ingest = Receiver::start(manner);
        let show = publish(&place, &ingest);
        holds(&show, &ingest, 12);
        ingest.kill();
        let killed = Instant::now();
        let silent = show.event("output-silent", 20);
        let noticed = killed.elapsed();
        println!("{name}: noticed after {noticed:?}");
        assert!(noticed <= Duration::from_millis(within_ms) + SLACK, "{name}: {noticed:?}");
        assert!(silent["seq"].as_u64() > Some(0));
        ends(show);
    }
}

#[test]
fn an_ingest_that_closes_in_order_is_believed_at_once() {
    let place = Place::new();
    let ingest = Receiver::start(Manner { packets: false, promises: false, ..Manner::FULL });
    let show = publish(&place, &ingest);
    holds(&show, &ingest, 3);
    ingest.close();
    let closed = Instant::now();
    let failed = show.event("output-failed", 20);
    let noticed = closed.elapsed();
    println!("noticed after {noticed:?}: {}", failed["reason"]);
    assert!(noticed < Duration::from_millis(500) + SLACK, "{noticed:?}");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("BYE") || reason.contains("close_notify"), "{reason}");
    ends(show);
}

#[test]
fn an_ingest_that_promises_feedback_and_gives_none_is_told_once_and_left_alone() {
    let place = Place::new();
    let ingest = Receiver::start(Manner { packets: false, reports: None, ..Manner::FULL });
    let show = publish(&place, &ingest);
    let warned = show.event("output-warned", 20);
    assert!(warned["reason"].as_str().unwrap().contains("sends no feedback"), "{warned}");
    holds(&show, &ingest, 12);
    assert_eq!(count(&show, "output-warned"), 1, "{}", show.told());
    ends(show);
}

#[test]
fn a_lite_ingest_that_waits_for_consent_checks_holds() {
    let place = Place::new();
    let patience = Some(Duration::from_secs(8));
    let ingest = Receiver::start(Manner { lite: true, patience, ..Manner::FULL });
    let show = publish(&place, &ingest);
    holds(&show, &ingest, 31);
    assert_eq!(ingest.let_go(), 0);
    // RFC 7675, 5.1: every 5 s, and a fifth more or less.
    let all = ingest.check_intervals();
    let regular =
        |i: &&Duration| (Duration::from_millis(3900)..Duration::from_millis(6600)).contains(*i);
    assert!(all.iter().filter(regular).count() >= 4, "{all:?}");
    ends(show);
}

#[test]
fn our_own_dead_session_does_not_keep_us_out() {
    let place = Place::new();
    let ingest = Receiver::start(Manner { one: true, ..Manner::FULL });
    let show = publish(&place, &ingest);
    holds(&show, &ingest, 5);
    ingest.deafen();
    let deaf = Instant::now();
    let silent = show.event("output-silent", 10);
    show.event_after(&silent, "output-live", 10);
    let back = deaf.elapsed();
    println!("on air again {back:?} after the ingest fell silent");
    assert!(back < Duration::from_secs(3) + SLACK, "{back:?}: {}", show.told());
    let requests = ingest.requests();
    let words: Vec<&str> = requests.iter().filter_map(|r| r.split(' ').next()).collect();
    let from = words.iter().position(|w| *w == "DELETE").unwrap();
    assert_eq!(words[from - 1..=from + 1], ["POST", "DELETE", "POST"], "{requests:?}");
    let before = ingest.media();
    until("media flow again", 5, || {
        if ingest.media() > before + 50 { Ok(()) } else { Err(String::new()) }
    });
    ends(show);
}

#[test]
fn what_a_killed_hawker_left_open_is_ended_by_the_next() {
    let place = Place::new();
    let ingest = Receiver::start(Manner { one: true, ..Manner::FULL });
    let mut show = publish(&place, &ingest);
    sleep(Duration::from_millis(500));
    show.process.signal(Signal::KILL);
    until("it is gone", 10, || {
        show.process.wait(Duration::from_millis(100)).map(|_| ()).ok_or_else(String::new)
    });
    let again = Instant::now();
    let show = publish(&place, &ingest);
    println!("on air again {:?} after the start", again.elapsed());
    assert_eq!(count(&show, "output-failed"), 0, "{}", show.told());
    let requests = ingest.requests();
    let at = requests.iter().position(|r| r.starts_with("DELETE")).unwrap();
    assert!(requests[at + 1].starts_with("POST"), "{requests:?}");
    ends(show);
    // In order: nothing is left to end.
    let sessions = place.path("state/sessions");
    for file in std::fs::read_dir(sessions).unwrap().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("/session/"), "{text}");
    }
}
