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
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use chromium::Chromium;
use hawker::{
    stats::history::Told,
    store::{FILE, Shows},
};
use hawker_process::Place;
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
    // Any moment of a second will do; it is not to be one that follows a write.
    thread::sleep(Duration::from_millis(5350));
    let last = show.event("output-live", 1);
    show.process.signal(Signal::KILL);
    let passed = live.elapsed().as_secs_f64();
    show.process.wait(Duration::from_secs(5)).unwrap();

    let shows = Shows::open(&database(&place)).unwrap();
    let kept = shows.history(shows.find("last").unwrap()).unwrap();
    assert_eq!(kept.ended, None, "it did not end");
    let went_live = kept.events.iter().find(|e| e.event == "output-live").unwrap();
    assert_eq!(went_live.seq, last["seq"].as_u64().unwrap());
    let killed_s = went_live.at_ms as f64 / 1000.0 + passed;
    let newest = kept.program.last().unwrap().at_s;
    // A figure of second n is there when n has begun: the kill came less than two seconds later.
    assert!(f64::from(newest) > killed_s - 2.0, "kept until {newest} s, killed at {killed_s:.2} s");
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
    assert!(said.code == 0 && said.out.contains("was cut off"), "{said:?}");
}

#[test]
fn a_show_that_cannot_be_kept_goes_on_and_says_so() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("state")).unwrap();
    std::fs::write(database(&place), vec![b'x'; 8192]).unwrap();
    let mut show = place.start(&["rehearse", "--for", "4s"]);
    let said = show.event("store-failed", 20);
    assert!(said["reason"].as_str().unwrap().contains("move it away"), "{said}");
    assert_eq!(show.ended(30), 0, "{}", show.told());
    let report = place.run(&["report"], 20);
    assert!(report.code == 2 && report.err.contains("move it away"), "{report:?}");
}

#[test]
fn nothing_kept_is_said() {
    let place = Place::new();
    let said = place.run(&["report", "--list"], 20);
    assert!(said.code == 2 && said.err.contains("no show has been kept yet"), "{said:?}");
}

#[test]
fn a_show_is_told_in_every_form_and_a_browser_reads_the_page() {
    let place = Place::new();
    let secret = "hu5h-4711";
    let file = place.file(
        "show.toml",
        &format!(
            "title = \"<img src=http://127.0.0.1:9/x onerror=alert(1)> & co\"\n\
             [[input]]\nid = \"ball\"\nkind = \"test\"\ntone-hz = 440\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\nlayout = \"full\"\n\
             [[output]]\nid = \"stage\"\nto = \"stage\"\n\
             [[output]]\nid = \"far\"\nto = \"http://127.0.0.1:9/whip/{secret}\"\ntoken = \"env:FAR_TOKEN\"\n"
        ),
    );
    let mut show =
        place.start_with(&["live", &file, "--for", "9s"], |c| c.env("FAR_TOKEN", secret));
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
    // The show file itself names the address.
    let holding: Vec<_> =
        place.holding(secret).into_iter().filter(|p| !p.ends_with("show.toml")).collect();
    assert_eq!(holding, Vec::<PathBuf>::new());

    let list = place.run(&["report", "--list"], 20);
    assert!(list.out.contains("& co") && list.out.contains("stage, far"), "{list:?}");
    let csv = place.run(&["report", "1", "--csv"], 20);
    assert!(csv.out.lines().count() > 15 && csv.out.contains(",monitor,stage,"), "{csv:?}");
    assert!(!(csv.out + &list.out).contains(secret));

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
    let other: Vec<_> = chromium.said.iter().filter(|s| !s.contains(&url)).collect();
    assert!(other.is_empty() && !chromium.said.is_empty(), "{:#?}", chromium.said);
}
