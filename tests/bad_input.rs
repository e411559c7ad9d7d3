//! What goes wrong before and during a show: each time a clear message, the right exit code, and nothing left
//! behind. The real program, on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[allow(dead_code, reason = "shared by three sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[path = "bad_input/ingest.rs"]
mod ingest;
#[allow(dead_code, reason = "shared by three sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::{fs, net::TcpListener, path::PathBuf, time::Duration};

use hawker::{
    stage::{Stage, StageOptions},
    stats::Report,
};
use hawker_process::{Place, assert_whole};
use process::until;
use rustix::process::Signal;

const SECRET: &str = "hu5h-s3cr3t-0f-the-test";

const GOOD: &str = "title = \"Bad input\"\n\
    [[input]]\nid = \"bars\"\nkind = \"test\"\npattern = \"bars\"\n\
    [[scene]]\nid = \"full\"\ntitle = \"Full\"\nkey = \"1\"\nlayout = \"full\"\nlayers = [\"bars\"]\n";

fn show_to(url: &str, token: &str) -> String {
    format!("{GOOD}[[output]]\nid = \"main\"\nto = \"{url}\"\n{token}")
}

/// No folder of a show, no socket, nothing at all in the state directory.
#[track_caller]
fn assert_untouched(place: &Place) {
    let state = place.path("state");
    let found: Vec<_> = place.files().into_iter().filter(|f| f.starts_with(&state)).collect();
    assert!(found.is_empty(), "left behind: {found:?}");
}

#[track_caller]
fn assert_clean(place: &Place) {
    assert_eq!(place.left_behind(), Vec::<PathBuf>::new());
    assert_eq!(place.engines(), Vec::<i32>::new());
}

#[test]
fn a_bad_show_file_is_told_by_line_and_column_and_starts_nothing() {
    let place = Place::new();
    let cases: [(&str, String, &[&str]); 6] = [
        (
            "key.toml",
            GOOD.replace("pattern", "patern"),
            &["key.toml:5:1", "patern", "did you mean \"pattern\""],
        ),
        ("type.toml", GOOD.replace("\"1\"", "1"), &["type.toml:9:7", "key"]),
        (
            "keys.toml",
            format!(
                "{GOOD}[[scene]]\nid = \"again\"\ntitle = \"x\"\nkey = \"1\"\nlayout = \"full\"\n\
                 layers = [\"bars\"]\n"
            ),
            &["keys.toml:15:7", "key 1", "line 9"],
        ),
        (
            "input.toml",
            GOOD.replace("[\"bars\"]", "[\"bar\"]"),
            &["input.toml:11:11", "\"bar\"", "bars"],
        ),
        ("toml.toml", GOOD.replace("[[scene]]", "[[scene]"), &["toml.toml:6:"]),
        (
            "media.toml",
            GOOD.replace(
                "kind = \"test\"\npattern = \"bars\"",
                "kind = \"file\"\npath = \"gone.mp4\"",
            ),
            &["media.toml:5:8", "gone.mp4", "no such file"],
        ),
    ];
    for (name, text, words) in cases {
        let file = place.file(name, &text);
        for args in
            [vec!["check", &file], vec!["rehearse", &file, "--headless"], vec!["live", &file]]
        {
            let said = place.run(&args, 20);
            assert_eq!(said.code, 2, "{args:?}: {said:?}");
            for word in words {
                assert!(
                    said.err.to_lowercase().contains(&word.to_lowercase()),
                    "{args:?} does not say '{word}': {}",
                    said.err
                );
            }
            assert_eq!(said.out, "", "{args:?}");
        }
    }
    assert_untouched(&place);
}

#[test]
fn a_show_file_that_is_not_there_and_files_that_cannot_be_written() {
    let place = Place::new();
    let good = place.file("good.toml", GOOD);
    let nowhere = place.path("no/such/folder/x.json");
    let nowhere = nowhere.to_str().unwrap();
    let gone = place.path("gone.toml");
    for (args, word) in [
        (vec!["rehearse", gone.to_str().unwrap(), "--headless"], "gone.toml"),
        (vec!["rehearse", &good, "--headless", "--report", nowhere], "--report"),
        (vec!["rehearse", &good, "--headless", "--events", nowhere], "--events"),
        (vec!["rehearse", &good, "--headless", "--for", "soon"], "20s"),
        (vec!["rehearse", &good, "--head"], "--headless"),
        (vec!["live"], "SHOW"),
        (vec!["attach"], "no show"),
        (vec!["end", "--yes"], "no show"),
        (vec!["send", "cut-too", "full"], "cut-to"),
    ] {
        let said = place.run(&args, 20);
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.err.contains(word), "{args:?} does not say '{word}': {said:?}");
    }
    assert_untouched(&place);
}

#[test]
fn without_a_terminal_the_way_out_is_named() {
    let place = Place::new();
    for args in [&[][..], &["rehearse"], &["rehearse", "--for", "5s"]] {
        let said = place.run(args, 20);
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.err.contains("--headless"), "{args:?}: {said:?}");
    }
    assert_untouched(&place);
}

#[test]
fn a_port_in_use_is_named_before_anything_starts() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    place.file("config/config.toml", &format!("[stage]\nlisten = \"{address}\"\n"));
    let said = place.run(&["rehearse", "--headless", "--for", "5s"], 20);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains(&address.to_string()), "{said:?}");
    assert!(said.err.contains("in use") || said.err.contains("has that port"), "{said:?}");
    assert_clean(&place);
}

#[test]
fn a_refused_token_is_told_and_never_shown() {
    let place = Place::new();
    let (address, heard) = ingest::refusing();
    let url = format!("http://{address}/whip/channel");
    let file = place.file("show.toml", &show_to(&url, "token = \"env:HAWKER_TEST_TOKEN\"\n"));
    let report = place.path("report.json");
    let mut show = place.start_with(
        &["live", &file, "--for", "6s", "--report", report.to_str().unwrap()],
        |command| command.env("HAWKER_TEST_TOKEN", SECRET).env("HAWKER_LOG", "trace"),
    );
    let failed = show.event("output-failed", 15);
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("token"), "{reason}");
    assert!(reason.contains("this stream key has expired"), "the ingest's own words: {reason}");
    assert_eq!(
        failed["retry_in_ms"],
        serde_json::Value::Null,
        "a refused token is not tried again"
    );
    assert_eq!(show.ended(20), 3, "{}", show.told());
    assert_whole(&show.events());
    // The test can fail: the token went out.
    assert!(heard.text().contains(&format!("Bearer {SECRET}")), "{}", heard.text());
    assert_eq!(heard.count("POST"), 1, "{}", heard.text());
    assert_eq!(place.holding(SECRET), Vec::<PathBuf>::new());
    let said = format!("{}{:?}", show.told(), show.events());
    assert!(!said.contains(SECRET), "{said}");
    let report: Report = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(report.exit_code, 3);
    assert_eq!(report.outputs["main"].to, format!("127.0.0.1:{}", address.port()));
    assert_eq!(report.outputs["main"].last_failure.as_deref(), Some(reason));
    assert!(!show.process.has_orphans());
    assert_clean(&place);
}

#[test]
fn a_token_that_is_not_set_is_named_before_anything_starts() {
    let place = Place::new();
    let token = "token = \"env:HAWKER_NO_SUCH_TOKEN\"\n";
    let file = place.file("show.toml", &show_to("http://127.0.0.1:9/whip", token));
    let said = place.run(&["live", &file, "--headless", "--for", "5s"], 20);
    assert!(said.err.contains("HAWKER_NO_SUCH_TOKEN"), "{said:?}");
    assert!([2, 3].contains(&said.code), "{said:?}");
    assert_clean(&place);
}

#[test]
fn a_dead_address_is_tried_again_and_again_and_ends_with_3() {
    let place = Place::new();
    // Nobody listens there any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = place.file("show.toml", &show_to(&format!("http://127.0.0.1:{port}/whip"), ""));
    let report = place.path("report.json");
    let mut show =
        place.start(&["live", &file, "--for", "4s", "--report", report.to_str().unwrap()]);
    let failed = show.event("output-failed", 10);
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("refused") || reason.contains("reach"), "{reason}");
    assert!(failed["retry_in_ms"].as_u64().is_some(), "{failed}");
    show.event_after(&failed, "output-failed", 10);
    assert_eq!(show.ended(20), 3, "{}", show.told());
    assert_whole(&show.events());
    let report: Report = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!((report.exit_code, report.mode.as_str()), (3, "live"));
    assert_eq!(report.outputs["main"].on_air_ms, 0);
    assert!(report.outputs["main"].down_ms > 3000, "{report:?}");
    assert_clean(&place);
}

#[test]
fn an_interrupt_leaves_the_ingest_and_the_files_in_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::start(StageOptions::default())).unwrap();
    let (address, heard) = ingest::door_to(stage.address());
    let place = Place::new();
    let file = place.file("show.toml", &show_to(&format!("http://{address}/whip"), ""));
    for (signal, events) in [(Signal::INT, "int.jsonl"), (Signal::TERM, "term.jsonl")] {
        let before = heard.count("DELETE");
        let (events, report) = (place.path(events), place.path("report.json"));
        let mut command = place.hawker(&["live", &file, "--headless", "--quiet", "--events"]);
        command.arg(&events).arg("--report").arg(&report);
        let mut process = process::Process::start(&mut command);
        let told = || fs::read_to_string(&events).map_err(|e| e.to_string());
        until("on air", 20, || {
            let told = told()?;
            if told.contains("\"output-live\"") { Ok(()) } else { Err(told) }
        });
        until("media at the ingest", 10, || {
            let figures = stage.figures();
            if figures.packets > 100 { Ok(()) } else { Err(format!("{figures:?}")) }
        });
        process.signal(signal);
        let ended = process.wait(Duration::from_secs(10)).expect("it goes on after a signal");
        assert_eq!(ended.code(), Some(130), "{ended}: {}", told().unwrap());
        assert_eq!(heard.count("DELETE"), before + 1, "{}", heard.text());
        assert!(!process.has_orphans());

        let text = told().unwrap();
        assert!(text.ends_with('\n'), "half a line: {text}");
        let events: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_whole(&events);
        let stopped = events.iter().any(|e| e["event"] == "output-stopped");
        assert!(stopped, "off the air, in order: {text}");
        let whole: Report = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
        assert_eq!((whole.exit_code, whole.ended.as_str()), (130, "interrupted"));
        assert!(whole.outputs["main"].on_air_ms > 0, "{whole:?}");
        assert!(whole.frames.encoded > 0, "{whole:?}");
        fs::remove_file(&report).unwrap();
        assert_clean(&place);
    }
    runtime.block_on(stage.stop());
}
