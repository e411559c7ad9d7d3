//! Whether a browser's screen, the stamps and the monitor tell the same, in fair and in bad weather and while the clock
//! of the machine is set.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it measured, and ends when something is not there"
)]

#[path = "browser/chromium.rs"]
mod chromium;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "browser/page.rs"]
mod page;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[path = "screen/shown.rs"]
mod shown;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/viewer.rs"]
mod viewer;
#[path = "real/wall_clock.rs"]
mod wall_clock;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use chromium::Chromium;
use hawker::{
    flow::Path,
    stage::{Stage, StageOptions, Watch, Weather},
    stats::Report,
};
use hawker_process::{Place, Show};
use process::until;
use rustix::process::Signal;
use tokio::task::block_in_place;
use viewer::watch;
use wall_clock::WallClock;

fn away(path: Path) -> Weather {
    Weather { viewers: path, ..Weather::CLEAR }
}

/// A show with the clock in its picture, on air at a stage.
fn on_air(place: &Place, stage: &Stage) -> Show {
    let text = format!(
        "title = \"truth\"\n\
         [[input]]\nid = \"clock\"\nkind = \"test\"\npattern = \"clock\"\ntone-hz = 440\n\
         [[scene]]\nid = \"one\"\nlayers = [\"clock\"]\n\
         [[output]]\nid = \"far\"\nto = \"{}\"\n",
        stage.whip_url()
    );
    let show = place.start(&["live", &place.file("show.toml", &text)]);
    show.event_that("the output on air", 30, |e| {
        e["event"] == "output-live" && e["output"] == "far"
    });
    show
}

/// Frames that a median is taken of: two seconds.
const FRAMES: u32 = 60;

/// Begins to watch in that weather, as the monitor and in the browser.
async fn watched(stage: &Stage, chromium: &mut Chromium, delay_ms: u32) -> Watch {
    stage.set_weather(away(Path { delay_ms, ..Path::CLEAR }));
    let viewer = watch(&stage.whep_url()).await;
    block_in_place(|| {
        chromium.watch(&stage.viewer_url());
        // The jitter buffer settles.
        chromium.screen_ms(FRAMES / 2);
    });
    viewer
}

/// Capture to screen by the page, capture to arrival by the monitor, in ms, from now on.
fn latencies(chromium: &mut Chromium, viewer: &Watch) -> (f64, f64) {
    chromium.forget_shown();
    let screen = chromium.screen_ms(FRAMES);
    (screen, viewer.figures(Instant::now()).latency.unwrap().p50_ms)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_and_the_monitor_agree_on_delays_and_outages() {
    let stage = Stage::start(StageOptions::default()).await.unwrap();
    let place = Place::new();
    let mut chromium = Chromium::start();
    let show = block_in_place(|| on_air(&place, &stage));
    let viewer = watched(&stage, &mut chromium, 0).await;
    let mut last = f64::INFINITY;
    let (screen, own) = block_in_place(|| {
        until("figures that have settled", 20, || {
            let (screen, own) = latencies(&mut chromium, &viewer);
            let moved = (screen - std::mem::replace(&mut last, screen)).abs();
            if moved < 5.0 { Ok((screen, own)) } else { Err(format!("{screen} ms, {own} ms")) }
        })
    });
    println!("no delay: {screen:.1} ms to the screen, {own:.1} ms to the monitor");
    assert!(
        (-10.0..100.0).contains(&(screen - own)),
        "{screen} ms to the screen, {own} to arrival"
    );
    block_in_place(|| {
        stamps_agree_with_the_picture(&mut chromium);
        until("figures of the page at the stage", 5, || {
            let told = stage.viewers().iter().find_map(|v| v.screen_p50_ms.zip(v.screen_p95_ms));
            let like = told.is_some_and(|(p50, p95)| (p50 - screen).abs() < 40.0 && p95 >= p50);
            if like { Ok(()) } else { Err(format!("{:?}", stage.viewers())) }
        });
        outages(&stage, &mut chromium, &viewer);
    });
    viewer.stop().await;
    for delay_ms in [100_u32, 250, 600] {
        let viewer = watched(&stage, &mut chromium, delay_ms).await;
        let began = Instant::now();
        // A browser may keep a frame or two more while it gets to know the way.
        block_in_place(|| {
            until("agreement within 20 ms", 10, || {
                let (far_screen, far_own) = latencies(&mut chromium, &viewer);
                let more = [far_screen - screen, far_own - own];
                println!(
                    "{delay_ms} ms of delay: {more:.1?} ms more, after {:.1?}",
                    began.elapsed()
                );
                let agreed = more.iter().all(|ms| (ms - f64::from(delay_ms)).abs() <= 20.0);
                if agreed { Ok(()) } else { Err(format!("{delay_ms} ms are {more:.1?} more")) }
            });
        });
        viewer.stop().await;
    }
    stage.set_weather(Weather::CLEAR);
    block_in_place(|| older_browsers(&stage, &mut chromium));
    drop(show);
    stage.stop().await;
}

/// What the picture shows is of the time that its stamp says.
#[track_caller]
fn stamps_agree_with_the_picture(chromium: &mut Chromium) {
    let frames = chromium.shown_frames(45);
    let mut off: Vec<f64> =
        frames.iter().filter_map(|f| Some((f.drawn? - f.stamped?).abs())).collect();
    off.sort_by(f64::total_cmp);
    println!("{} frames read off the screen; from their stamps {off:.1?} ms", off.len());
    // The first frame may have come before its stamp was asked for.
    assert!(off.len() >= 43, "blocks or stamps cannot be read: {frames:?}");
    assert!(off[off.len() / 2] < 10.0, "{off:?}");
    assert!(off[off.len() * 3 / 4] <= 1000.0 / 30.0, "more than a frame: {off:?}");
}

/// Both count what the picture stands still.
fn outages(stage: &Stage, chromium: &mut Chromium, viewer: &Watch) {
    const OUTAGES: u64 = 3;
    let before = (chromium.figures().freezes, viewer.report().freezes);
    for _ in 0..OUTAGES {
        stage.set_weather(away(Path { down: true, ..Path::CLEAR }));
        thread::sleep(Duration::from_millis(600));
        stage.set_weather(Weather::CLEAR);
        let (frames, seen) = (viewer.report().frames, chromium.figures().frames);
        until("picture again", 10, || {
            let now = (viewer.report().frames, chromium.figures().frames);
            let again = now.0 >= frames + 30 && now.1 >= seen + 30;
            if again { Ok(()) } else { Err(format!("{now:?}")) }
        });
    }
    let page = chromium.figures().freezes - before.0;
    let own = viewer.report().freezes - before.1;
    println!("{OUTAGES} outages: {page} freezes in the browser, {own} stalls for the monitor");
    assert!(page.abs_diff(own) <= 1 && own >= OUTAGES, "browser {page}, monitor {own}");
}

/// What a browser lacks is a figure less, and no picture less.
#[track_caller]
fn older_browsers(stage: &Stage, chromium: &mut Chromium) {
    chromium.before_pages("delete window.RTCRtpScriptTransform;");
    chromium.watch(&stage.viewer_url());
    let shown = until("what the page has received", 5, || {
        let shown = chromium.shown();
        if shown.contains("fps") { Ok(shown) } else { Err(shown) }
    });
    assert!(shown.contains("Latency –"), "{shown}");
}

#[test]
fn setting_the_clock_moves_no_latency_and_no_stall() {
    let place = Place::new();
    let clock = WallClock::new();
    let report = place.path("report.json");
    let args = ["rehearse", "--report", report.to_str().unwrap()];
    let mut show = place.start_with(&args, |command| clock.with(command));
    let began = Instant::now();
    let mut chromium = Chromium::start_with(|command| clock.with(command));
    chromium.watch(&show.viewer_url());
    let screen = |chromium: &mut Chromium| {
        chromium.forget_shown();
        chromium.screen_ms(30)
    };
    let mut last = screen(&mut chromium);
    let before = until("a figure that has settled", 15, || {
        let now = screen(&mut chromium);
        let moved = (now - std::mem::replace(&mut last, now)).abs();
        if moved < 5.0 { Ok(now) } else { Err(format!("{now} ms")) }
    });
    let first = chromium.figures();
    let time = |chromium: &mut Chromium| chromium.ask::<f64>("Date.now()");
    for hours in [1, -2] {
        let was = time(&mut chromium);
        clock.set(hours * 3600);
        let by = time(&mut chromium) - was;
        assert!(by.abs() > 3_500_000.0, "the browser's clock was not set: {by} ms");
        // Until the sender's next reports tell of it.
        thread::sleep(Duration::from_secs(2));
        until("the figure as it was", 10, || {
            let after = screen(&mut chromium);
            println!("{hours} h from the right time: {before:.1} ms, then {after:.1} ms");
            if (after - before).abs() <= 20.0 { Ok(()) } else { Err(format!("{after} ms")) }
        });
    }
    let seen = chromium.figures();
    let passed = began.elapsed();
    show.process.signal(Signal::TERM);
    assert_eq!(show.ended(20), 130, "{}", show.told());
    let report: Report = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let monitor = report.monitor.as_ref().unwrap();
    let freezes = seen.freezes - first.freezes;
    println!("{freezes} freezes in the browser; {monitor:?}");
    let told = Duration::from_millis(report.duration_ms);
    assert!(told.abs_diff(passed) < Duration::from_secs(5), "{told:?} are told of {passed:?}");
    // A busy machine holds up a frame or two; a clock that counted would do so for an hour.
    assert!(freezes <= 3 && monitor.freezes <= 3 && monitor.pauses == 0, "{seen:?} {monitor:?}");
    let latency = monitor.latency.unwrap();
    assert!(latency.p50_ms < 300.0 && latency.max_ms < 5000.0, "{monitor:?}");
    assert!(monitor.worst_av_skew_ms.is_some_and(|ms| ms.abs() < 500.0), "{monitor:?}");
    let stage = &report.outputs["stage"];
    assert!(stage.rtt_ms.is_some_and(|ms| ms < 10_000.0) && stage.reconnects == 0, "{stage:?}");
}
