//! Whether the monitor tells the truth: delays and outages that are known, put in by the stage's own weather, and what
//! the monitor makes of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it measured, and ends when something is not there"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "stage/publisher.rs"]
mod publisher;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/viewer.rs"]
mod viewer;

use std::time::{Duration, Instant};

use hawker::{
    flow::Path,
    stage::{Stage, StageOptions, Watch, Weather},
};
use publisher::Publisher;
use viewer::watch;

async fn until(what: &str, seconds: u64, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(seconds), "no {what} in {seconds} s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn away(path: Path) -> Weather {
    Weather { viewers: path, ..Weather::CLEAR }
}

async fn watched(weather: Weather) -> (Stage, Publisher, Watch) {
    let stage = Stage::start(StageOptions { weather, ..StageOptions::default() }).await.unwrap();
    let publisher = Publisher::start(&stage.whip_url(), None).await;
    let viewer = watch(&stage.whep_url()).await;
    (stage, publisher, viewer)
}

/// The median of six seconds at that delay, in ms.
async fn median(delay_ms: u32) -> f64 {
    let (stage, publisher, viewer) = watched(away(Path { delay_ms, ..Path::CLEAR })).await;
    until("six seconds of frames", 40, || viewer.report().frames >= 180).await;
    let latency = viewer.report().latency.unwrap();
    assert_eq!(viewer.report().latency_by, "capture stamp");
    viewer.stop().await;
    publisher.stop();
    stage.stop().await;
    latency.p50_ms
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_delay_is_measured_within_five_milliseconds() {
    let near = median(0).await;
    println!("no delay: p50 {near:.2} ms");
    assert!(near < 20.0, "{near:.2} ms without any delay");
    for delay_ms in [100_u32, 250, 600] {
        let more = median(delay_ms).await - near;
        println!("{delay_ms} ms of delay: {more:.2} ms more");
        let off = (more - f64::from(delay_ms)).abs();
        assert!(off <= 5.0, "{delay_ms} ms were measured as {more:.2} ms");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_are_counted_exactly_as_stalls() {
    const OUTAGES: u64 = 6;
    const EACH_MS: u64 = 600;
    let (stage, publisher, viewer) = watched(Weather::CLEAR).await;
    until("two seconds of frames", 20, || viewer.report().frames >= 60).await;
    let before = viewer.report();
    for nth in 1..=OUTAGES {
        let frames = viewer.report().frames;
        stage.set_weather(away(Path { down: true, ..Path::CLEAR }));
        tokio::time::sleep(Duration::from_millis(EACH_MS)).await;
        let open = viewer.figures(Instant::now());
        assert!(open.frozen && open.gap_ms + 60 >= EACH_MS, "open stalls are seen: {open:?}");
        stage.set_weather(Weather::CLEAR);
        until("picture again", 5, || viewer.report().frames >= frames + 30).await;
        let now = viewer.report();
        // A busy machine may add one of its own; the figures are printed.
        assert!(now.freezes - before.freezes >= nth, "after outage {nth}: {now:?}");
    }
    let after = viewer.report();
    let still_ms = after.freeze_ms - before.freeze_ms;
    let stalls = after.freezes - before.freezes;
    println!(
        "{OUTAGES} outages of {EACH_MS} ms: {stalls} stalls, {still_ms} ms still, {:?}",
        after.latency
    );
    assert_eq!(after.pauses, before.pauses);
    assert!(stalls <= OUTAGES + 1, "{after:?}");
    // Each lasts until the next frame that can be shown, a request for a key frame later at most.
    assert!((OUTAGES * EACH_MS..OUTAGES * (EACH_MS + 500)).contains(&still_ms), "{still_ms} ms");
    viewer.stop().await;
    publisher.stop();
    stage.stop().await;
}
