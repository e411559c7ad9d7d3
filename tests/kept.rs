//! What is kept of a real show, and the report made of it: killed, ended, with a database that cannot be used,
//! and read by a real browser.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "browser/chromium.rs"]
mod chromium;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use chromium::Chromium;
use hawker::{
    stats::history::{Incident, Told},
    store::{FILE, Shows},
};
use hawker_process::{Place, assert_whole};
use process::until;
use rustix::process::Signal;

fn database(place: &Place) -> PathBuf {
    place.path("state").join(FILE)
}

/// What `hawker report` tells of a show.
#[track_caller]
fn told(place: &Place, show: &str) -> Told {
    let said = place.run(&["report", show, "--json"], 20);
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.out))
}

#[test]
fn a_killed_engine_loses_the_last_second_at_most() {
    let place = Place::new();
    let mut show = place.start(&["rehearse"]);
    show.event("output-live", 30);
    let live = Instant::now();
    thread::sleep(Duration::from_millis(4350));
    let said = place.run(&["send", "panic"], 20);
    assert_eq!(said.code, 0, "{said:?}");
    // What is older than a second must be there. The kill is to fall between two seconds, not after a write.
    thread::sleep(Duration::from_secs(1));
    let last = show.event("panicked", 1);
    show.process.signal(Signal::KILL);
    let passed = live.elapsed().as_secs_f64();
    show.process.wait(Duration::from_secs(5)).unwrap();

    let shows = Shows::open(&database(&place)).unwrap();
    let kept = shows.history(shows.find("last").unwrap()).unwrap();
    assert_eq!(kept.ended, None, "it did not end");
    let went_live = kept.events.iter().find(|e| e.event == "output-live").unwrap();
    assert!(
        kept.events.iter().any(|e| e.seq == last["seq"].as_u64().unwrap()),
        "{:?}",
        kept.events
    );
    let killed_s = went_live.at_ms as f64 / 1000.0 + passed;
    let newest = kept.program.last().unwrap().at_s;
    // A second for the bar, half of one for the way of an event from the engine to here.
    assert!(f64::from(newest) > killed_s - 1.5, "kept until {newest} s, killed at {killed_s:.2} s");
    let missing = kept.program.windows(2).filter(|w| w[1].at_s != w[0].at_s + 1).count();
    assert_eq!(missing, 0, "{:?}", kept.program);
    assert!(kept.outputs[0].seconds.iter().any(|s| s.figures.sent_kbps > Some(100)), "{kept:?}");
    assert!(kept.monitors[0].seconds.iter().any(|s| s.figures.p50_tenths.is_some()), "{kept:?}");
    assert!(
        kept.program.iter().skip(3).all(|s| (25..=35).contains(&s.figures.encoded)),
        "{:?}",
        kept.program
    );
    let said = place.run(&["report"], 20);
    assert!(said.code == 0 && said.out.contains("the engine died"), "{said:?}");
}

#[test]
fn a_show_that_cannot_be_kept_goes_on_and_says_so() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("state")).unwrap();
    let newer = |path: &Path| {
        let db = rusqlite::Connection::open(path).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
    };
    let garbage = |path: &Path| std::fs::write(path, vec![b'x'; 8192]).unwrap();
    let folder = |path: &Path| std::fs::create_dir(path).unwrap();
    type Spoil = fn(&Path);
    let ways: [(&str, &str, Spoil); 3] = [
        ("written by a newer hawker", "use the newer hawker", newer),
        ("damaged", "move it away", garbage),
        ("cannot be opened", "must be yours", folder),
    ];
    for (what, to_do, spoil) in ways {
        spoil(&database(&place));
        let mut show = place.start(&["rehearse", "--for", "2s"]);
        let said = show.event("store-failed", 20);
        let reason = said["reason"].as_str().unwrap();
        assert!(reason.contains(what) && reason.contains(to_do), "{said}");
        assert_eq!(show.ended(30), 0, "{}", show.told());
        assert_whole(&show.events());
        let report = place.run(&["report"], 20);
        assert!(report.code == 2 && report.err.contains(to_do), "{report:?}");
        let spoilt = database(&place);
        std::fs::remove_file(&spoilt).or_else(|_| std::fs::remove_dir(&spoilt)).unwrap();
    }
}

#[test]
fn a_locked_database_is_waited_for_while_the_show_runs() {
    let place = Place::new();
    place.start(&["rehearse", "--for", "1s"]).ended(30);
    let other = rusqlite::Connection::open(database(&place)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut show = place.start(&["rehearse", "--for", "12s"]);
    let said = show.event("store-failed", 20);
    assert!(said["reason"].as_str().unwrap().contains("locked"), "{said}");
    show.event("output-live", 20);
    other.execute_batch("COMMIT").unwrap();
    let back = show.event("store-back", 20);
    assert_eq!(back["missing"], serde_json::Value::Null, "it waited in the queue: {back}");
    assert_eq!(show.ended(30), 0, "{}", show.told());
    let told = told(&place, "last");
    assert!(told.history.program.len() >= 11, "{:?}", told.history.program);
    let what = |i: &Incident| i.what.contains("locked") && i.until_ms.is_some();
    assert!(told.incidents.iter().any(what), "{:?}", told.incidents);
}

/// Every kind of place that an output or an input has for a secret, and an output that is added later.
#[test]
fn no_secret_gets_into_the_store() {
    const SECRETS: [&str; 8] = [
        "tok3n-4711",
        "p4th-4711",
        "qu3ry-4711",
        "k3y-4711",
        "appk3y-4711",
        "srt-ph4se-4711",
        "c4mera-4711",
        "add3d-4711",
    ];
    let [token, path, query, key, app, phrase, camera, added] = SECRETS;
    let place = Place::new();
    let file = place.file(
        "show.toml",
        &format!(
            "title = \"Tea\"\n\
             [[input]]\nid = \"ball\"\nkind = \"test\"\n\
             [[input]]\nid = \"far\"\nkind = \"network\"\nuri = \"rtsp://me:{camera}@127.0.0.1:9/{camera}?k={camera}\"\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\nlayout = \"full\"\n\
             [[scene]]\nid = \"two\"\nlayers = [\"far\"]\nlayout = \"full\"\n\
             [[output]]\nid = \"stage\"\nto = \"stage\"\n\
             [[output]]\nid = \"main\"\nto = \"http://127.0.0.1:9/whip/{path}?k={query}\"\ntoken = \"env:TOKEN\"\n\
             [[output]]\nid = \"tube\"\nto = \"rtmp://127.0.0.1:9/{app}\"\nkey = \"env:KEY\"\n\
             [[output]]\nid = \"srt\"\nto = \"srt://127.0.0.1:9\"\npassphrase = \"env:PHRASE\"\n"
        ),
    );
    let mut show = place.start_with(&["live", &file, "--for", "14s"], |c| {
        c.env("TOKEN", token).env("KEY", key).env("PHRASE", phrase)
    });
    show.event("stage-up", 20);
    let to = format!("http://127.0.0.1:9/whip/{added}?k={added}");
    for args in [vec!["send", "add-output", "more", &to], vec!["send", "--yes", "go-live", "more"]]
    {
        let said = place.run(&args, 20);
        assert_eq!(said.code, 0, "{said:?}");
    }
    for output in ["main", "tube", "srt", "more"] {
        show.event_that("its failure", 20, |e| {
            e["event"] == "output-failed" && e["output"] == output
        });
    }
    show.event_that("the camera's failure", 20, |e| e["event"] == "input-failed");
    show.ended(40);

    // Every output is known by its host; the test looks at the right files.
    let told = told(&place, "last").history;
    let names: Vec<_> =
        told.outputs.iter().map(|o| (o.name.as_str(), o.to.contains("127.0.0.1"))).collect();
    let all = ["main", "tube", "srt", "more"].map(|name| (name, true));
    assert!(all.iter().all(|o| names.contains(o)), "{names:?}");
    let html = place.path("report.html");
    place.run(&["report", "--html", html.to_str().unwrap()], 20);
    let forms = ["--json", "--csv"].map(|form| place.run(&["report", form], 20).out);
    for secret in SECRETS {
        let holding = place.holding(secret);
        let stored = |p: &PathBuf| p.to_string_lossy().contains("shows.db") || *p == html;
        assert!(!holding.iter().any(stored), "{secret}: {holding:?}");
        assert!(forms.iter().all(|text| !text.contains(secret)), "{secret}");
    }
    assert!(!place.holding("127.0.0.1:9").is_empty());
}

#[test]
fn nothing_kept_is_said() {
    let place = Place::new();
    for args in [["report", "--list"], ["report", "last"]] {
        let said = place.run(&args, 20);
        assert!(said.code == 2 && said.err.contains("no show has been kept yet"), "{said:?}");
    }
}

#[test]
fn a_show_is_told_in_every_form_and_a_browser_reads_the_page() {
    let place = Place::new();
    let file = place.file(
        "show.toml",
        "title = \"<img src=http://127.0.0.1:9/x onerror=alert(1)> & co\"\n\
             [[input]]\nid = \"ball\"\nkind = \"test\"\ntone-hz = 440\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\nlayout = \"full\"\n\
             [[output]]\nid = \"stage\"\nto = \"stage\"\n\
             [[output]]\nid = \"far\"\nto = \"http://127.0.0.1:9/whip\"\n",
    );
    let mut show = place.start(&["live", &file, "--for", "9s"]);
    show.event_that("the stage on air", 30, |e| {
        e["event"] == "output-live" && e["output"] == "stage"
    });
    show.ended(30);

    let told = told(&place, "last");
    assert!(told.history.ended.is_some() && told.history.report.is_some());
    assert!(told.summary.seen.latency_p95_ms.is_some_and(|ms| ms < 600.0), "{:?}", told.summary);
    let far = told.incidents.iter().find(|i| i.about.as_deref() == Some("far")).unwrap();
    assert!(!far.done.is_empty(), "what was done: {far:?}");
    let events = show.events();
    let seqs: Vec<_> = told.history.events.iter().map(|e| e.seq).collect();
    assert_eq!(seqs.len(), events.len(), "every event is kept");

    let list = place.run(&["report", "--list"], 20);
    assert!(list.out.contains("& co") && list.out.contains("stage, far"), "{list:?}");
    let csv = place.run(&["report", "1", "--csv"], 20);
    assert!(csv.out.lines().count() > 15 && csv.out.contains(",monitor,stage,"), "{csv:?}");

    let page = place.path("report.html");
    let said = place.run(&["report", "last", "--html", page.to_str().unwrap()], 20);
    assert_eq!(said.code, 0, "{said:?}");
    let url = format!("file://{}", page.display());
    let mut chromium = Chromium::start();
    chromium.keep_requests();
    for width in [390, 1440] {
        chromium.width(width);
        chromium.open(&url);
        let wide: (u32, u32) = chromium.ask("[document.documentElement.scrollWidth, innerWidth]");
        assert!(wide.0 <= wide.1 && wide.1 == width, "{wide:?} at {width}");
        let small: u32 = chromium.ask(
            "[...document.querySelectorAll('p, td, th, dt, dd, li, small, figcaption, .plot span')]\
             .filter(e => e.innerText.trim() && parseFloat(getComputedStyle(e).fontSize) < 11).length",
        );
        assert_eq!(small, 0, "text too small to read at {width}");
        let drawn: u32 = chromium
            .ask("[...document.querySelectorAll('svg')].filter(s => s.clientWidth > 250).length");
        assert_eq!(drawn, 5, "at {width}");
        let text: String = chromium.ask("document.body.innerText");
        for part in ["<img src=", "& co", "Latency", "far", "Incidents"] {
            assert!(text.contains(part), "{part} at {width}: {text}");
        }
        let images: u32 = chromium.ask("document.images.length + document.scripts.length");
        assert_eq!(images, 0, "what came from outside is text");
    }
    // Two times the page itself, and not a word more: no error, no request.
    assert_eq!(chromium.said, vec![format!("\"{url}\""); 2]);
}

#[test]
fn prometheus_reads_the_figures_of_a_running_show() {
    let place = Place::new();
    let said = place.run(&["rehearse", "--headless", "--metrics", "0.0.0.0:0"], 20);
    assert!(said.code == 2 && said.err.contains("--metrics-token"), "{said:?}");
    let mut show = place.start(&["rehearse", "--metrics", "127.0.0.1:0", "--for", "20s"]);
    show.event("output-live", 30);
    let told = show.told();
    let address = told.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    let read = || {
        let mut to = TcpStream::connect(address).map_err(|e| e.to_string())?;
        to.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut page = String::new();
        to.read_to_string(&mut page).map_err(|e| e.to_string())?;
        let sent = page.lines().any(|l| {
            l.strip_prefix("hawker_output_sent_bytes_per_second{output=\"stage\"} ")
                .is_some_and(|n| n.parse::<f64>().unwrap() > 1.25e4)
        });
        let seen = page.contains("hawker_monitor_latency_seconds{quantile=\"0.95\"} 0.");
        let on_air = page.contains("\nhawker_output_on_air{output=\"stage\"} 1\n");
        if sent && seen && on_air { Ok(()) } else { Err(page) }
    };
    until("what is sent and seen", 15, read);
    show.process.signal(Signal::TERM);
    assert_eq!(show.ended(20), 130, "{}", show.told());
}
