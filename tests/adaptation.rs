//! The show on a link that gets narrow and wide again: the picture goes on, smaller, and comes back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it saw, and ends when something is not there"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/viewer.rs"]
mod viewer;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use hawker::{
    base::Kbps,
    flow::Path,
    stage::{Stage, StageOptions, Watch, Weather},
};
use hawker_process::{Place, Show};
use serde_json::Value;
use viewer::watch;

fn uplink(kbps: u32) -> Weather {
    let rate = Some(Kbps(kbps));
    let path = Path { rate, queue_ms: 300, delay_ms: 20, ..Path::CLEAR };
    Weather { publishers: path, ..Weather::CLEAR }
}

const SHOW: &str = "title = \"narrow\"\n\
    [[input]]\nid = \"noise\"\nkind = \"test\"\npattern = \"noise\"\ntone-hz = 440\n\
    [[scene]]\nid = \"one\"\nlayers = [\"noise\"]\n";

/// A show on its way to a stage in that weather, and somebody who watches.
async fn on_air(weather: Weather) -> (Stage, Place, Show, Watch) {
    let options = StageOptions { weather, ..StageOptions::default() };
    let stage = Stage::start(options).await.unwrap();
    let place = Place::new();
    let text = format!("{SHOW}[[output]]\nid = \"far\"\nto = \"{}\"\n", stage.whip_url());
    let show = place.start(&["live", &place.file("show.toml", &text)]);
    let viewer = watch(&stage.whep_url()).await;
    (stage, place, show, viewer)
}

/// Looks five times a second until `is` holds of what the stage and a viewer have.
async fn until(what: &str, seconds: u64, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(seconds), "no {what} in {seconds} s");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_link_makes_the_picture_smaller_and_not_still() {
    let (stage, _place, show, viewer) = on_air(uplink(4000)).await;
    let seen = || viewer.figures(Instant::now());
    until("full picture", 30, || stage.figures().kbps > 1900.0).await;
    let before = seen();
    stage.set_weather(uplink(1000));
    until("smaller picture", 15, || seen().size.is_some_and(|(width, _)| width < 1280)).await;
    // What is sent fits the link, and uses it.
    let mut kbps = Vec::new();
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        kbps.push(stage.figures().kbps);
    }
    let used = kbps[15..].iter().sum::<f64>() / 25.0;
    let after = seen();
    assert!((600.0..1010.0).contains(&used), "{used:.0} kb/s of 1000: {kbps:?}");
    assert!(after.freeze_ms - before.freeze_ms < 2000, "{before:?} {after:?}");
    assert!(after.gap_ms < 500 && after.fps > 15.0, "{after:?}");
    stage.set_weather(uplink(4000));
    until("full picture again", 30, || seen().size == Some((1280, 720))).await;
    let steps = show.events().iter().filter(|e| e["event"] == "picture-stepped").count();
    assert!((2..=6).contains(&steps), "down and up, and not to and fro: {steps}");
    viewer.stop().await;
    drop(show);
    stage.stop().await;
}

/// Whether an event says that an output carries again what `earlier` said it did not.
fn is_well_after(event: &Value, earlier: &Value) -> bool {
    let well = event["event"] == "output-healed" || event["event"] == "output-live";
    well && event["seq"].as_u64() > earlier["seq"].as_u64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_changes_is_a_short_gap() {
    let (stage, _place, show, viewer) = on_air(Weather::CLEAR).await;
    let seen = || viewer.figures(Instant::now());
    until("picture", 30, || seen().fps > 20.0).await;
    for moves in 1..=2 {
        let before = seen();
        stage.set_weather(Weather { moves, ..Weather::CLEAR });
        let silent = tokio::task::block_in_place(|| {
            let known = show.events().last().and_then(|e| e["seq"].as_u64());
            show.event_that("silence", 10, |e| {
                e["event"] == "output-silent" && e["seq"].as_u64() > known
            })
        });
        tokio::task::block_in_place(|| {
            show.event_that("recovery", 5, |e| is_well_after(e, &silent))
        });
        until("picture again", 5, || seen().fps > 20.0 && seen().gap_ms < 200).await;
        let gap_ms = seen().freeze_ms - before.freeze_ms;
        println!("move {moves}: {gap_ms} ms without a picture");
        assert!(gap_ms < 3000, "{gap_ms} ms");
    }
    viewer.stop().await;
    drop(show);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_heals_by_itself_and_is_told() {
    let (stage, _place, show, viewer) = on_air(Weather::CLEAR).await;
    until("picture", 30, || viewer.figures(Instant::now()).fps > 20.0).await;
    let down = Path { down: true, ..Path::CLEAR };
    stage.set_weather(Weather { publishers: down, ..Weather::CLEAR });
    let silent = tokio::task::block_in_place(|| show.event("output-silent", 5));
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.set_weather(Weather::CLEAR);
    // The old session heals or a new one takes its place, whichever is first.
    tokio::task::block_in_place(|| show.event_that("recovery", 5, |e| is_well_after(e, &silent)));
    until("picture again", 5, || viewer.figures(Instant::now()).fps > 20.0).await;
    viewer.stop().await;
    drop(show);
    stage.stop().await;
}

/// What `--metrics` of a show tells.
fn metrics(show: &Show) -> String {
    let told = show.told();
    let address = told.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    let mut to = TcpStream::connect(address).unwrap();
    to.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    to.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    to.read_to_string(&mut page).unwrap();
    page
}

/// One figure of it.
fn figure(page: &str, name: &str) -> Option<f64> {
    page.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// The stages of the way that frames go, in order, and what they add up to.
const WAY: [&str; 6] = [
    "hawker_frame_stage_seconds{stage=\"capture\",quantile=\"0.5\"}",
    "hawker_frame_stage_seconds{stage=\"compose\",quantile=\"0.5\"}",
    "hawker_output_frame_stage_seconds{output=\"far\",stage=\"encode\",quantile=\"0.5\"}",
    "hawker_output_frame_stage_seconds{output=\"far\",stage=\"pace\",quantile=\"0.5\"}",
    "hawker_output_frame_stage_seconds{output=\"far\",stage=\"send\",quantile=\"0.5\"}",
    "hawker_monitor_network_seconds{monitor=\"far\",quantile=\"0.5\"}",
];
const WHOLE: &str = "hawker_monitor_latency_seconds{monitor=\"far\",quantile=\"0.5\"}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_frames_wait_for_adds_up_and_losses_and_limits_are_told() {
    let path = Path { delay_ms: 20, ..Path::CLEAR };
    let weather = Weather { publishers: path, ..Weather::CLEAR };
    let stage = Stage::start(StageOptions { weather, ..StageOptions::default() }).await.unwrap();
    let place = Place::new();
    let text = format!(
        "{SHOW}[[output]]\nid = \"far\"\nto = \"{}\"\nwatch = \"{}\"\n",
        stage.whip_url(),
        stage.whep_url()
    );
    let file = place.file("show.toml", &text);
    let show = place.start(&["live", &file, "--metrics", "127.0.0.1:0"]);
    tokio::task::block_in_place(|| show.event("output-live", 30));

    // The stages of one frame add up exactly; their medians do so nearly.
    let stages = |page: &str| WAY.map(|stage| figure(page, stage).map(|s| s * 1000.0));
    until("figures of all stages", 20, || stages(&metrics(&show)).iter().all(Option::is_some))
        .await;
    until("stages that add up", 20, || {
        let page = metrics(&show);
        let each = stages(&page).map(Option::unwrap_or_default);
        let (sum, whole) = (each.iter().sum::<f64>(), figure(&page, WHOLE).unwrap_or(0.0) * 1000.0);
        println!("{each:.2?} ms add up to {sum:.2} ms of {whole:.2} ms");
        // The path's own delay is the network's.
        (sum - whole).abs() < (whole / 10.0).max(2.0) && each[5] > 19.0
    })
    .await;

    let of = |name: &str, more: &str| {
        figure(&metrics(&show), &format!("hawker_output_{name}{{output=\"far\"{more}}}"))
    };
    // Who comes asks for one.
    until("request for a key frame", 20, || of("key_requests_total", ",kind=\"pli\"") >= Some(1.0))
        .await;
    let path = ",local=\"host\",remote=\"host\",transport=\"udp\"";
    until("path", 20, || of("path_info", path) == Some(1.0)).await;
    // Jitter and losses are told where webrtcbin hands the picture's report block on, which it does not always do: the
    // family is there in any case.
    for family in ["jitter_seconds gauge", "lost_packets gauge"] {
        let page = metrics(&show);
        assert!(page.contains(&format!("# TYPE hawker_output_{family}\n")), "{page}");
    }
    assert!(of("jitter_seconds", "").is_none_or(|s| s < 1.0), "{}", metrics(&show));
    let asked = of("nacks_total", "").unwrap();
    let lossy = Path { loss: 0.05, ..weather.publishers };
    stage.set_weather(Weather { publishers: lossy, ..Weather::CLEAR });
    until("requests for lost packets", 10, || of("nacks_total", "") > Some(asked + 10.0)).await;
    until("repetition", 10, || of("rtx_bytes_per_second", "") > Some(0.0)).await;
    until("sound that is said twice", 10, || of("redundant_bytes_per_second", "") > Some(0.0))
        .await;

    println!(
        "{:?} packets reported as lost, {:?} asked for",
        of("lost_packets", ""),
        of("nacks_total", "")
    );
    stage.set_weather(weather);
    let narrow = || of("limited_seconds_total", ",by=\"bandwidth\"").unwrap();
    let before = narrow();
    stage.set_weather(uplink(800));
    until("time limited by the path", 30, || narrow() > before + 1.0).await;
    drop(show);
    stage.stop().await;
}
