//! The main job, end to end: the real program, real inputs, and a real browser that says what it sees and
//! hears. Nothing here is believed that the browser does not confirm.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[allow(dead_code, reason = "shared by three sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by three sets of tests")]
#[path = "real/process.rs"]
mod process;

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/page.rs"]
mod page;
#[path = "browser/rigs.rs"]
mod rigs;
#[allow(dead_code, reason = "shared by two sets of tests")]
#[path = "real/sound.rs"]
mod sound;

use std::{fs, net::UdpSocket, thread, time::Duration};

use chromium::Chromium;
use hawker::stats::Report;
use hawker_process::{Place, Show, assert_whole};
use page::{Bright, Figures, Sample};
use process::until;
use rigs::Screen;
use rustix::process::Signal;
use sound::SoundServer;

/// The picture has kept coming between two moments: as fast as it should, and never frozen.
#[track_caller]
fn assert_smooth(seen: &[Figures]) {
    let (first, last) = (&seen[0], &seen[seen.len() - 1]);
    let seconds = (last.at - first.at) / 1000.0;
    let fps = (last.frames - first.frames) as f64 / seconds;
    assert!(fps >= 27.0, "{fps:.1} fps over {seconds:.1} s: {seen:#?}");
    assert_eq!(last.freezes, first.freezes, "frozen: {seen:#?}");
    for pair in seen.windows(2) {
        assert_eq!(pair[1].state, "connected", "{seen:#?}");
        let played = pair[1].current_time - pair[0].current_time;
        let passed = (pair[1].at - pair[0].at) / 1000.0;
        assert!(played > passed * 0.5 - 0.05, "time stands still: {pair:#?}");
    }
}

/// Ends a show as its operator would.
#[track_caller]
fn end(place: &Place, show: &mut Show) {
    let said = place.run(&["end", "--yes"], 20);
    assert_eq!(said.code, 0, "{said:?}\n{}", show.told());
    assert_eq!(show.ended(10), 0, "{}", show.told());
    assert_whole(&show.events());
    assert!(!show.process.has_orphans());
    assert_eq!(place.left_behind(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn the_built_in_show_plays_in_a_browser() {
    let place = Place::new();
    let report = place.path("report.json");
    let mut chromium = Chromium::start();
    let mut show = place.start(&["rehearse", "--for", "40s", "--report", report.to_str().unwrap()]);
    chromium.watch(&show.viewer_url());
    // The jitter buffer settles; then every second counts.
    thread::sleep(Duration::from_secs(1));
    let seen = chromium.over(20);
    assert_smooth(&seen);
    let (first, last) = (&seen[0], &seen[20]);
    assert_eq!((last.width, last.height), (1280, 720));
    assert!(last.level > 0.001, "silence: {last:?}");
    assert!(last.energy - first.energy > 1e-4, "silence: {first:?} {last:?}");
    let played = last.current_time - first.current_time;
    assert!((19.0..21.5).contains(&played), "{played} s played in 20 s");

    assert_eq!(show.ended(40), 0, "{}", show.told());
    assert_whole(&show.events());
    let report: Report = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!((report.exit_code, report.ended.as_str()), (0, "its time was up"));
    assert!((39_000..43_000).contains(&report.duration_ms), "{report:?}");
    let viewer = report.viewers.first().unwrap_or_else(|| panic!("no viewer: {report:?}"));
    assert!(viewer.browser.contains("Chrom"), "{viewer:?}");
    let monitor = report.monitor.as_ref().unwrap_or_else(|| panic!("no monitor: {report:?}"));
    let latency = monitor.latency.as_ref().unwrap_or_else(|| panic!("no latency: {report:?}"));
    assert!(latency.p50_ms > 0.0 && latency.p50_ms < 200.0, "{latency:?}");
    assert_eq!(monitor.latency_by, "capture stamp");
    assert_eq!(monitor.unstamped, 0, "{monitor:?}");
    let stage = &report.outputs["stage"];
    assert!(stage.connect_ms.is_some() && stage.first_frame_ms.is_some(), "{stage:?}");
    assert!(stage.on_air_ms > 35_000 && stage.reconnects == 0, "{stage:?}");
    assert_eq!(place.left_behind(), Vec::<std::path::PathBuf>::new());
}

/// Waits until the bright part of the picture is where the window is.
#[track_caller]
fn find_window(chromium: &mut Chromium, x: u32, y: u32) -> Bright {
    let middle = (f64::from(x + 120) / 1280.0, f64::from(y + 120) / 720.0);
    until(&format!("the window at {x},{y}"), 15, || {
        let bright = chromium.bright();
        let near = (bright.x - middle.0).abs() < 0.02 && (bright.y - middle.1).abs() < 0.02;
        // 240x240 of 1280x720.
        let whole = (0.05..0.075).contains(&bright.share);
        if near && whole { Ok(bright) } else { Err(format!("{bright:?}, not {middle:?}")) }
    })
}

fn screen_show(place: &Place, display: &str) -> String {
    place.file(
        "screen.toml",
        &format!(
            "title = \"Screen\"\n\
             [[input]]\nid = \"screen\"\nkind = \"screen\"\ndisplay = \"{display}\"\npointer = false\n\
             [[scene]]\nid = \"full\"\ntitle = \"Full\"\nkey = \"1\"\nlayout = \"full\"\n\
             layers = [\"screen\"]\n"
        ),
    )
}

#[test]
fn a_window_that_moves_on_a_screen_moves_in_the_browser() {
    let place = Place::new();
    let mut chromium = Chromium::start();
    let mut screen = Screen::start(None);
    screen.window_at(40, 40);
    let mut show = place.start(&["rehearse", &screen_show(&place, &screen.display())]);
    chromium.watch(&show.viewer_url());
    for (x, y) in [(40, 40), (900, 60), (520, 440), (40, 400)] {
        screen.window_at(x, y);
        find_window(&mut chromium, x, y);
    }
    // In small steps: the browser sees it on its way, not only where it comes to rest.
    let mut seen = Vec::new();
    for step in 0..30 {
        screen.window_at(40 + 30 * step, 400);
        seen.push(chromium.bright().x);
    }
    let mut places = seen.clone();
    places.dedup_by(|a, b| (*a - *b).abs() < 0.01);
    assert!(places.len() >= 8, "it jumps: {seen:?}");
    assert!(places.windows(2).all(|p| p[1] > p[0] - 0.01), "it goes back: {seen:?}");
    end(&place, &mut show);
}

#[test]
fn a_screen_that_dies_is_a_slate_and_comes_back() {
    let place = Place::new();
    let mut chromium = Chromium::start();
    let mut screen = Screen::start(None);
    screen.window_at(40, 40);
    let mut show = place.start(&["rehearse", &screen_show(&place, &screen.display())]);
    chromium.watch(&show.viewer_url());
    find_window(&mut chromium, 40, 40);
    let before = chromium.figures();

    let number = screen.kill();
    let failed = show.event("input-failed", 10);
    assert_eq!(failed["input"], "screen");
    let mut seen = vec![before];
    seen.extend(chromium.over(3));

    let mut screen = Screen::start(Some(number));
    assert_eq!(screen.number(), number);
    screen.window_at(700, 300);
    show.event_after(&failed, "input-up", 15);
    find_window(&mut chromium, 700, 300);
    seen.extend(chromium.over(2));
    assert_smooth(&seen);
    end(&place, &mut show);
}

#[test]
fn speech_is_heard_while_it_is_spoken_and_silence_between() {
    let place = Place::new();
    let sound = SoundServer::start();
    let mut chromium = Chromium::start();
    let file = place.file(
        "talk.toml",
        "title = \"Talk\"\n\
         [[input]]\nid = \"mic\"\nkind = \"microphone\"\ndevice = \"desk.monitor\"\n\
         [[input]]\nid = \"bars\"\nkind = \"test\"\npattern = \"bars\"\n\
         [[scene]]\nid = \"full\"\ntitle = \"Full\"\nkey = \"1\"\nlayout = \"full\"\n\
         layers = [\"bars\"]\nhears = [\"mic\"]\n",
    );
    let mut show = place.start_with(&["rehearse", &file], |command| sound.with(command));
    chromium.watch(&show.viewer_url());
    show.event_that("microphone", 15, |e| e["event"] == "input-up" && e["input"] == "mic");
    // What is heard each second: energy per second is the square of the RMS.
    let silence = |chromium: &mut Chromium| {
        let seen = chromium.over(2);
        seen[2].energy - seen[0].energy
    };
    for sentence in [
        "Good evening, and welcome to the table.",
        "This teapot is the last one. Who takes it home?",
    ] {
        let quiet = silence(&mut chromium);
        let before = chromium.figures().energy;
        sound.speak(sentence);
        // The last word is still in the jitter buffer.
        thread::sleep(Duration::from_secs(1));
        let spoken = chromium.figures().energy - before;
        let after = silence(&mut chromium);
        assert!(spoken > 1e-3, "'{sentence}' is not heard: {spoken}");
        assert!(quiet < spoken / 1000.0, "noise before '{sentence}': {quiet} to {spoken}");
        assert!(after < spoken / 1000.0, "noise after '{sentence}': {after} to {spoken}");
    }
    end(&place, &mut show);
}

const COLOURS: [(&str, u32); 4] =
    [("red", 0xffff_0000), ("green", 0xff00_ff00), ("blue", 0xff00_00ff), ("yellow", 0xffff_ff00)];

fn colour(sample: &Sample) -> Option<usize> {
    let strong = |v: u8| v > 170;
    let weak = |v: u8| v < 85;
    COLOURS.iter().position(|(_, argb)| {
        [(sample.red, argb >> 16), (sample.green, argb >> 8), (sample.blue, *argb)]
            .iter()
            .all(|(is, should)| if should & 0xff > 0 { strong(*is) } else { weak(*is) })
    })
}

#[test]
fn a_film_is_seen_in_order_and_heard_round_and_round() {
    let place = Place::new();
    let film = rigs::film(&place.path(""), &COLOURS.map(|(_, argb)| argb));
    let mut chromium = Chromium::start();
    // Small: decoding the film, encoding it, a browser that decodes it and reads its pixels are two cores' work.
    let file = place.file(
        "film.toml",
        &format!(
            "title = \"Film\"\nprofile = \"slim\"\n\
             [[input]]\nid = \"film\"\nkind = \"file\"\npath = \"{}\"\n\
             [[scene]]\nid = \"full\"\ntitle = \"Full\"\nkey = \"1\"\nlayout = \"full\"\n\
             layers = [\"film\"]\n",
            film.display()
        ),
    );
    let mut show = place.start(&["rehearse", &file]);
    chromium.watch(&show.viewer_url());
    // A browser that has just begun to decode hitches now and then; what comes after is ours.
    chromium.middle(2_000);
    let before = chromium.figures();
    let samples = chromium.middle(10_000);
    let after = chromium.figures();
    // Runs of one colour, with when they began; samples between two colours are left out.
    let mut runs: Vec<(usize, f64)> = Vec::new();
    for (colour, ms) in samples.iter().filter_map(|s| Some((colour(s)?, s.ms))) {
        if runs.last().is_none_or(|(last, _)| *last != colour) {
            runs.push((colour, ms));
        }
    }
    let names: Vec<_> = runs.iter().map(|(c, ms)| (COLOURS[*c].0, ms.round())).collect();
    assert!(runs.len() >= 10, "10 s show ten changes: {names:?}\n{samples:?}");
    for pair in runs.windows(2) {
        assert_eq!(pair[1].0, (pair[0].0 + 1) % 4, "out of order: {names:?}");
    }
    // The first and the last run are cut.
    for pair in runs[1..].windows(2) {
        let ms = pair[1].1 - pair[0].1;
        assert!((800.0..1200.0).contains(&ms), "a second lasts {ms} ms: {names:?}");
    }
    assert!(after.energy - before.energy > 0.01, "silence: {before:?} {after:?}");
    let hz = chromium.pitch();
    assert!((870.0..890.0).contains(&hz), "a tone of 880 Hz is heard as {hz} Hz");
    assert_smooth(&[before, after]);
    end(&place, &mut show);
}

#[test]
fn a_stream_whose_sender_is_killed_is_a_slate_and_comes_back() {
    let place = Place::new();
    let mut chromium = Chromium::start();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut sender = rigs::sender(port);
    let file = place.file(
        "net.toml",
        &format!(
            "title = \"Network\"\n\
             [[input]]\nid = \"far\"\nkind = \"network\"\nuri = \"srt://127.0.0.1:{port}\"\n\
             [[scene]]\nid = \"full\"\ntitle = \"Full\"\nkey = \"1\"\nlayout = \"full\"\n\
             layers = [\"far\"]\n"
        ),
    );
    let mut show = place.start(&["rehearse", &file]);
    chromium.watch(&show.viewer_url());
    let white = |chromium: &mut Chromium, is: bool| {
        until(if is { "the stream" } else { "the slate" }, 15, || {
            let bright = chromium.bright();
            if (bright.share > 0.95) == is { Ok(()) } else { Err(format!("{bright:?}")) }
        });
    };
    white(&mut chromium, true);
    let mut seen = chromium.over(1);

    sender.signal(Signal::KILL);
    sender.kill();
    let failed = show.event("input-failed", 15);
    assert_eq!(failed["input"], "far");
    white(&mut chromium, false);
    seen.extend(chromium.over(2));
    assert!(chromium.bright().share < 0.5, "the slate is not white");

    let _sender = rigs::sender(port);
    show.event_after(&failed, "input-up", 25);
    white(&mut chromium, true);
    seen.extend(chromium.over(2));
    assert_smooth(&seen);
    end(&place, &mut show);
}
