//! The chat of a real show in the store: lines, a removal and a hole, exported by the program, kept over a kill, and
//! erased.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use hawker::{
    chat::{Update, told::COLUMNS},
    store::{Entry, FILE, Filter, Shows},
};
use hawker_process::Place;
use process::until;
use rustix::process::Signal;
use serde_json::Value;

/// A stand-in for Twitch's IRC that lets a reader in.
fn let_in(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut to = stream.try_clone().unwrap();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if line.starts_with("NICK") {
            to.write_all(b":tmi.twitch.tv 001 justinfan1 :Welcome, GLHF!\r\n").unwrap();
        } else if line.starts_with("JOIN") {
            to.write_all(b"@room-id=100 :tmi.twitch.tv ROOMSTATE #shop\r\n").unwrap();
            return to;
        }
    }
    panic!("it left before it joined");
}

fn say(to: &mut TcpStream, id: &str, who: &str, text: &str) {
    let line = format!(
        "@display-name={who};id={id};room-id=100;tmi-sent-ts=1767000000000;user-id=7{who} \
         :{who}!{who}@{who}.tmi.twitch.tv PRIVMSG #shop :{text}\r\n"
    );
    to.write_all(line.as_bytes()).unwrap();
}

fn stored(place: &Place) -> Result<Vec<Entry>, String> {
    let shows = Shows::open(&place.path("state").join(FILE)).map_err(|e| e.to_string())?;
    let number = shows.find("last").map_err(|e| e.to_string())?;
    let mut found = Vec::new();
    let each = |entry| {
        found.push(entry);
        true
    };
    shows.chat(number, &Filter::default(), each).map_err(|e| e.to_string())?;
    Ok(found)
}

fn texts(entries: &[Entry]) -> Vec<String> {
    let text = |entry: &Entry| match &entry.told.update {
        Update::Message(message) => Some(message.text.to_string()),
        _ => None,
    };
    entries.iter().filter_map(text).collect()
}

#[track_caller]
fn export(place: &Place, args: &[&str]) -> Vec<Value> {
    let said = place.run(&[&["chat-log", "export"], args].concat(), 20);
    assert_eq!(said.code, 0, "{said:?}");
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn lines_a_removal_and_a_hole_are_stored_exported_and_erased_and_a_kill_loses_the_last_batch() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = place.file(
        "show.toml",
        &format!(
            "title = \"Tea\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\nlayout = \"full\"\n\
             [[output]]\nid = \"stage\"\nto = \"stage\"\n\
             [[chat]]\nid = \"tw\"\nkind = \"twitch\"\nserver = \"tcp://127.0.0.1:{port}\"\nchannels = [\"shop\"]\n\
             [[chat]]\nid = \"not\"\nkind = \"lines\"\npath = \"lines.jsonl\"\nkeep-days = 0\n"
        ),
    );
    place.file("lines.jsonl", "{\"author\": \"Mia\", \"text\": \"never-stored\"}\n");
    let mut show = place.start(&["live", &file]);
    let mut twitch = let_in(&listener);
    let hostile = ["=1+1,\"x\"", "'; DROP TABLE chat_message;--", "👨‍👩‍👧 ราคา ไม่ติด"];
    say(&mut twitch, "a1", "lan", "SP1 2 0912345678");
    for (n, text) in hostile.iter().enumerate() {
        say(&mut twitch, &format!("b{n}"), "mia", text);
    }
    say(&mut twitch, "c1", "lan", "to-be-deleted");
    until("all lines are stored", 30, || match stored(&place) {
        Ok(entries) if entries.len() == 5 => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let began = Instant::now();
    twitch
        .write_all(b"@login=lan;target-msg-id=c1 :tmi.twitch.tv CLEARMSG #shop :to-be-deleted\r\n")
        .unwrap();
    until("the removal is stored", 10, || match stored(&place) {
        Ok(entries) if entries[4].removed.is_some() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    println!("removed after {:?}", began.elapsed());
    drop(twitch);
    let mut twitch = let_in(&listener);
    say(&mut twitch, "d1", "mia", "after the cut");
    until("the hole and what came after it are stored", 30, || match stored(&place) {
        Ok(entries) if entries.len() == 7 => Ok(()),
        other => Err(format!("{other:?}")),
    });

    let rows = export(&place, &["last", "--phones"]);
    let wanted = [&["SP1 2 0912345678"], &hostile[..], &["", "after the cut"]].concat();
    let said: Vec<&str> = rows.iter().filter_map(|row| row["text"].as_str()).collect();
    assert_eq!(said, wanted);
    assert_eq!(rows[4]["removed"]["how"], "deleted", "{rows:?}");
    assert!(rows[5]["hole_s"].as_f64().unwrap() > 0.0, "{rows:?}");
    assert_eq!(rows[0]["finds"]["order"]["quantity"], 2, "{rows:?}");
    let orders = export(&place, &["--orders", "--source", "tw"]);
    assert_eq!(orders[0]["text"], "SP1 2 ••••••••78", "{orders:?}");
    assert_eq!(orders.len(), 2, "the order and the hole: {orders:?}");
    assert_eq!(export(&place, &["--all", "--user", "twitch:MIA"]).len(), 4);
    let table = place.run(&["chat-log", "export", "--csv"], 20).out;
    let mut table = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(table.headers().unwrap(), COLUMNS.to_vec());
    let text = COLUMNS.iter().position(|name| *name == "text").unwrap();
    let cells: Vec<String> = table.records().map(|row| row.unwrap()[text].to_owned()).collect();
    assert_eq!(cells[1], "'=1+1,\"x\"", "no formula");
    for (args, wrong) in [
        (&["export", "--source", "x"][..], "there is tw"),
        (&["export", "noshow"], "no show 'noshow'"),
        (&["export", "--user", "twitch:nobody"], "nobody is called 'nobody' on twitch"),
        (&["erase", "kick:lan"], "lines are stored of twitch"),
        (&["erase", "twitch:lan"], "--yes"),
    ] {
        let said = place.run(&[&["chat-log"], args].concat(), 20);
        assert!(said.code == 2 && said.err.contains(wrong), "{args:?}: {said:?}");
    }

    // Lines at a steady pace, and a kill in the middle.
    let mut sent = Vec::new();
    for n in 0..150 {
        say(&mut twitch, &format!("n{n}"), "tom", &format!("{n}"));
        sent.push(Instant::now());
        thread::sleep(Duration::from_millis(10));
    }
    show.process.signal(Signal::KILL);
    let killed = Instant::now();
    show.process.wait(Duration::from_secs(5)).unwrap();
    let entries = stored(&place).unwrap();
    let numbers: Vec<usize> = texts(&entries).iter().filter_map(|text| text.parse().ok()).collect();
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>(), "none is missing in between");
    // A batch of 0.1 s, and the way to it on a machine that is busy with a show.
    let old = sent.iter().filter(|at| killed - **at > Duration::from_millis(700)).count();
    assert!(numbers.len() >= old && old > 50, "{} stored, {old} are old", numbers.len());
    let integrity: String = rusqlite::Connection::open(place.path("state").join(FILE))
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok");

    // In the store and nowhere else: no log, no journal; what was deleted and what is not stored, not even there.
    let holding = place.holding("0912345678");
    assert!(holding.iter().all(|p| p.to_string_lossy().contains(FILE)), "{holding:?}");
    assert!(!holding.is_empty());
    assert_eq!(place.holding("never-stored"), [place.path("lines.jsonl")]);
    let said = place.run(&["chat-log", "erase", "twitch:lan", "--yes"], 20);
    assert!(said.code == 0 && said.out.contains("2 lines were erased"), "{said:?}");
    for gone in ["0912345678", "SP1 2", "to-be-deleted"] {
        assert_eq!(place.holding(gone), Vec::<std::path::PathBuf>::new(), "{gone}");
    }
    let left = texts(&stored(&place).unwrap());
    assert_eq!(left.len(), 4 + numbers.len(), "{left:?}");
}
