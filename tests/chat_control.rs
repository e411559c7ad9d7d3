//! A show's chat is moderated, claimed from and polled by commands of a script, and the events say what became of it. The
//! real program; lines come by its webhook. Loopback only; every wait is for a condition, and bounded.

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

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use hawker_process::{Place, Show};
use rustix::process::Signal;
use serde_json::{Value, json};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The status of an answer to a POST of these lines.
fn post(port: u16, lines: &[Value]) -> u16 {
    let body = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n") + "\n";
    let mut to = TcpStream::connect(("127.0.0.1", port)).unwrap();
    to.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /chat HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    to.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    to.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn line(id: &str, author: &str, text: &str) -> Value {
    json!({ "id": id, "author": author, "author_id": author, "text": text })
}

fn show_file(place: &Place, port: u16, rules: &str) -> String {
    place.file("rules.toml", rules);
    place.file(
        "show.toml",
        &format!(
            "title = \"chat\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n\
             [[output]]\nid = \"tape\"\nto = \"record\"\nfolder = \"tape\"\nkeep-free-mb = 10\n\
             [[chat]]\nid = \"shop\"\nkind = \"webhook\"\nlisten = \"127.0.0.1:{port}\"\n\
             platform = \"tiktok\"\n\
             [moderation]\nrules = \"rules.toml\"\n\
             [claims]\nsettle-s = 0.5\n\
             [[item]]\ncode = \"A12\"\nnames = [\"red dress\"]\nstock = 2\n"
        ),
    )
}

/// Gives a command; what is said where it is refused.
fn send(place: &Place, words: &[&str]) -> Result<(), String> {
    let said = place.run(&[&["send"], words].concat(), 10);
    if said.code == 0 { Ok(()) } else { Err(said.err) }
}

fn claimed(show: &Show, item: &str, quantity: u64, state: &str) -> Value {
    let of = |e: &Value| {
        let claims = e["claims"].as_array().cloned().unwrap_or_default();
        claims
            .into_iter()
            .find(|c| c["item"] == item && c["quantity"] == quantity && c["state"] == state)
    };
    let event = show.event_that(&format!("{item} x{quantity} {state}"), 20, |e| of(e).is_some());
    of(&event).unwrap()
}

#[test]
fn a_script_sells_moderates_and_polls_through_the_chat() {
    let place = Place::new();
    let port = free_port();
    let rules = "[links]\naction = \"hold\"\n\
                 [[words]]\nname = \"rude\"\nwords = [\"scam\"]\naction = \"hide\"\n";
    let file = show_file(&place, port, rules);
    let mut show = place.start(&["live", &file]);
    show.event("chat-up", 30);
    // First come, first served; by name or by code; one who comes too late waits.
    let lines =
        [line("1", "lan", "A12 +1"), line("2", "bo", "red dress x1"), line("3", "mai", "a12")];
    assert_eq!(post(port, &lines), 200);
    claimed(&show, "A12", 1, "waiting");
    let id = |claim: &Value| claim["claim"].as_u64().unwrap().to_string();
    let first = claimed(&show, "A12", 1, "confirmed");
    send(&place, &["cancel-claim", &id(&first)]).unwrap();
    show.event_that("mai has what became free", 20, |e| {
        let claims = e["claims"].as_array().cloned().unwrap_or_default();
        claims.iter().any(|c| c["claim"] == 3 && c["state"] == "confirmed")
    });
    // Only a quantity: for the item on show.
    send(&place, &["open-item", "b7", "5"]).unwrap();
    send(&place, &["feature-item", "B7"]).unwrap();
    assert_eq!(post(port, &[line("4", "lan", "+3")]), 200);
    claimed(&show, "B7", 3, "confirmed");
    send(&place, &["enter-claim", "B7", "2", "by", "telephone"]).unwrap();
    claimed(&show, "B7", 2, "confirmed");
    // Rules, and an operator over them.
    let lines = [line("5", "eve", "this is a S C A M"), line("6", "eve", "see evil.example/x")];
    assert_eq!(post(port, &lines), 200);
    let hidden = show.event_that("hidden", 20, |e| e["what"] == "hide");
    assert_eq!((&hidden["by_rule"], &hidden["outcome"]), (&json!(true), &json!("done")));
    show.event_that("held", 20, |e| e["what"] == "hold");
    send(&place, &["chat-show", "shop", "6"]).unwrap();
    show.event_that("shown", 20, |e| e["what"] == "show");
    // What this kind of source cannot do is refused at once, what is not there is told.
    let refused = send(&place, &["chat-ban", "--yes", "shop", "6"]).unwrap_err();
    assert!(refused.contains("users cannot be banned"), "{refused}");
    let refused = send(&place, &["chat-say", "all", "hello"]).unwrap_err();
    assert!(refused.contains("no chat of this show can be written to"), "{refused}");
    send(&place, &["chat-hide", "shop", "none"]).unwrap();
    let refused = show.event("chat-refused", 20);
    assert_eq!(refused["request"], "chat-hide", "{refused}");
    // A poll.
    send(&place, &["open-poll", "red=r,1;", "blue"]).unwrap();
    show.event("poll-opened", 20);
    let lines = [line("7", "lan", "1"), line("8", "bo", "BLUE"), line("9", "lan", "blue")];
    assert_eq!(post(port, &lines), 200);
    assert_eq!(post(port, &[line("10", "mai", "A12 +1")]), 200);
    claimed(&show, "A12", 1, "waiting");
    send(&place, &["close-poll"]).unwrap();
    let poll = show.event("poll-closed", 20);
    assert_eq!((&poll["labels"], &poll["votes"]), (&json!(["red", "blue"]), &json!([0, 2])));
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
    // The journal holds the orders and nobody's name.
    let journal = place.files().into_iter().find(|p| p.ends_with("journal.jsonl")).unwrap();
    let journal = std::fs::read_to_string(journal).unwrap();
    assert!(journal.contains("claims") && journal.contains("by telephone"), "what was asked");
    for said in ["\"eve\"", "\"mai\"", "evil.example", "S C A M", "red dress x1"] {
        assert!(!journal.contains(said), "{said} is in the journal");
    }
}

/// The body of an answer to a GET, or its head where there is no body.
fn get(address: &str, path: &str, host: &str) -> (u16, String) {
    let mut to = TcpStream::connect(address).unwrap();
    to.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    to.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    to.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").unwrap_or_default().1.to_owned())
}

#[test]
fn viewers_see_a_line_after_its_hold_and_never_one_that_was_removed() {
    let place = Place::new();
    let (port, page) = (free_port(), free_port());
    let file = show_file(&place, port, "");
    let text = std::fs::read_to_string(&file).unwrap();
    let held = text.replace("platform = \"tiktok\"", "platform = \"tiktok\"\nhold-s = 1.5");
    std::fs::write(&file, held).unwrap();
    let at = format!("127.0.0.1:{page}");
    let mut show = place.start(&["live", &file, "--chat-page", &at]);
    show.event("chat-up", 30);
    let shown = || get(&at, "/lines.json", &at).1;
    let lines = [
        line("1", "lan", "SP1 1 0912345678"),
        line("2", "eve", "<img src=x onerror=alert(1)>"),
        line("3", "bo", "never seen"),
    ];
    assert_eq!(post(port, &lines), 200);
    send(&place, &["chat-hide", "shop", "3"]).unwrap();
    assert_eq!(shown(), "[]", "it is held");
    process::until("two lines are shown", 20, || {
        let now = shown();
        if now.contains("shop/2") { Ok(()) } else { Err(now) }
    });
    let now = shown();
    assert!(now.contains("78\"") && !now.contains("345") && !now.contains("never"), "{now}");
    // A removal reaches the page that is open, within a fifth of a second (bar), here with room for a busy machine.
    let mut open = TcpStream::connect(&at).unwrap();
    open.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(open, "GET /lines HTTP/1.1\r\nhost: {at}\r\n\r\n").unwrap();
    let mut seen = String::new();
    let mut read = |wanted: &dyn Fn(&str) -> bool| {
        let mut part = [0; 4096];
        while !wanted(&seen) {
            let n = open.read(&mut part).unwrap();
            assert!(n > 0, "the stream ended: {seen}");
            seen.push_str(&String::from_utf8_lossy(&part[..n]));
        }
        std::mem::take(&mut seen)
    };
    read(&|seen: &str| seen.contains("shop/2"));
    assert_eq!(post(port, &[json!({ "delete": "2" })]), 200);
    let after = read(&|seen: &str| seen.contains("data: "));
    assert!(!after.contains("shop/2") && after.contains("shop/1"), "{after}");
    // Nobody else's page reads it.
    assert_eq!(get(&at, "/lines.json", "evil.example").0, 403);
    let (status, html) = get(&at, "/", &at);
    assert!(status == 200 && html.contains("page.js") && !html.contains("<script>"), "{html}");
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
}

#[test]
fn a_wrong_file_of_rules_is_told_with_its_line() {
    let place = Place::new();
    let wrong = [
        ("[links]\naction = \"burn\"\n", "rules.toml:2: unknown variant `burn`"),
        ("[[words]]\nname = \"a\"\nwords = []\naction = \"hide\"\n", "the word list 'a' is empty"),
        ("[flood]\nlines = 3\nwithin-s = 0\naction = \"hide\"\n", "flood.within-s"),
        ("[links]\nactoin = \"hide\"\n", "rules.toml:2: unknown field `actoin`"),
    ];
    for (rules, told) in wrong {
        let file = show_file(&place, free_port(), rules);
        let said = place.run(&["check", &file], 20);
        assert!(said.code == 2 && said.err.contains(told), "{rules}: {said:?}");
    }
}
