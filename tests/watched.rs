//! A show that is watched from outside, by the address at which its viewers watch: figures beside those of the own
//! stage, an alarm when it stalls, and a far end that goes and comes back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it measured, and ends when something is not there"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::time::{Duration, Instant};

use hawker::{
    flow::Path,
    stage::{Stage, StageOptions, Weather},
    stats::{Report, report::MonitorReport},
};
use hawker_process::Place;
use rustix::process::Signal;
use serde_json::Value;

/// How often the picture is made to stand still.
const STALLS: usize = 3;
const SHOW: &str = "title = \"watched\"\n\
    [[input]]\nid = \"ball\"\nkind = \"test\"\ntone-hz = 440\n\
    [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n\
    [[output]]\nid = \"house\"\nto = \"stage\"\n";

fn about(event: &Value, kind: &str, of: &str) -> bool {
    event["event"] == kind && (event["monitor"] == of || event["about"] == format!("monitor {of}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_viewers_have_is_watched_at_their_address_and_taken_up_again() {
    let far = Stage::start(StageOptions::default()).await.unwrap();
    let place = Place::new();
    let text = format!(
        "{SHOW}[[output]]\nid = \"far\"\nto = \"{}\"\nwatch = \"{}\"\n",
        far.whip_url(),
        far.whep_url()
    );
    let report = place.path("report.json");
    let file = place.file("show.toml", &text);
    let show = place.start(&["live", &file, "--report", report.to_str().unwrap()]);
    let event = |what: &str, seconds, is: &dyn Fn(&Value) -> bool| {
        tokio::task::block_in_place(|| show.event_that(what, seconds, is))
    };
    event("the monitor's first frame", 30, &|e| about(e, "monitor-up", "far"));
    // What is measured settles.
    tokio::time::sleep(Duration::from_secs(4)).await;

    // Its viewers stand still, and only they do.
    let down = Path { down: true, ..Path::CLEAR };
    let mut took = Vec::new();
    for _ in 0..STALLS {
        let known = show.events().len() as u64;
        let news = |e: &Value, name: &str| {
            about(e, name, "far") && e["alarm"] == "stall" && e["seq"].as_u64() > Some(known)
        };
        let began = Instant::now();
        far.set_weather(Weather { viewers: down, ..Weather::CLEAR });
        let raised = event("an alarm", 5, &|e| news(e, "alarm-raised"));
        took.push(began.elapsed());
        far.set_weather(Weather::CLEAR);
        assert_eq!(raised["severity"], "critical", "{raised}");
        event("its end", 10, &|e| news(e, "alarm-cleared"));
    }
    took.sort_unstable();
    println!("a stall is an alarm after {took:?}");
    // Within a second; a busy machine may be late with some, not with all.
    assert!(took[0] < Duration::from_secs(1), "{took:?}");
    assert!(took[STALLS - 1] < Duration::from_secs(3), "{took:?}");

    // The far end is gone, and another is there in its place.
    let listen = far.address();
    far.stop().await;
    event("that it is gone", 20, &|e| about(e, "monitor-lost", "far"));
    let lost = show.events().len();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let far = Stage::start(StageOptions { listen, ..StageOptions::default() }).await.unwrap();
    event("that it is back", 30, &|e| {
        about(e, "monitor-up", "far") && e["seq"].as_u64().unwrap() as usize > lost
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    show.process.signal(Signal::TERM);
    let mut show = show;
    let code = tokio::task::block_in_place(|| show.ended(30));
    assert_eq!(code, 130, "{}", show.told());
    far.stop().await;

    let report: Report = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let (own, seen) = (report.monitor.unwrap(), &report.monitors["far"]);
    println!("own: {own:?}\nfar: {seen:?}");
    assert!(own.latency.is_some_and(|l| l.p50_ms < 200.0), "{own:?}");
    assert!(seen.latency.is_some_and(|l| l.p50_ms < 200.0), "{seen:?}");
    assert!(seen.frames > 150 && seen.freezes + seen.pauses >= 2, "{seen:?}");
    assert!(seen.longest_gap_ms > 1500, "the time between two sessions counts: {seen:?}");
    let worst = seen.verdict.worst.as_ref().unwrap();
    assert_eq!(worst.grade.word(), "stalling", "{worst:?}");
    // A busy machine may hold up a frame here as well, but not for long.
    let stalling = |seen: &MonitorReport| seen.verdict.time_ms.get("stalling").copied();
    assert!(stalling(&own) < stalling(seen), "{:?}\n{:?}", own.verdict, seen.verdict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_stream_is_watched_from_the_terminal() {
    let stage = Stage::start(StageOptions::default()).await.unwrap();
    let place = Place::new();
    let nobody = tokio::task::block_in_place(|| {
        place.run(&["watch", "http://127.0.0.1:9/whep/s3cret", "--for", "1s", "--json"], 20)
    });
    assert_eq!(nobody.code, 3, "{nobody:?}");
    assert!(!format!("{nobody:?}").contains("s3cret"), "{nobody:?}");

    let text = format!("{SHOW}[[output]]\nid = \"far\"\nto = \"{}\"\n", stage.whip_url());
    let show = place.start(&["live", &place.file("show.toml", &text)]);
    tokio::task::block_in_place(|| {
        show.event_that("the output on air", 30, |e| {
            e["event"] == "output-live" && e["output"] == "far"
        })
    });
    let url = stage.whep_url();
    let watch = |args: &[&str]| {
        let args = [&["watch", &url, "--for", "6s"], args].concat();
        tokio::task::block_in_place(|| place.run(&args, 30))
    };
    let json = watch(&["--json"]);
    assert_eq!(json.code, 0, "{json:?}");
    let lines: Vec<Value> = json.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().any(|l| l["event"] == "up"), "{json:?}");
    let last = lines.iter().rfind(|l| l["figures"].is_object()).unwrap();
    assert!(last["figures"]["latency"]["p50_ms"].as_f64().unwrap() < 200.0, "{last}");
    assert!(last["verdict"]["words"].is_string() && last["figures"]["frozen"] == false, "{last}");
    assert_eq!(last["latency_by"], "capture stamp");
    let plain = watch(&[]);
    assert_eq!(plain.code, 0, "{plain:?}");
    assert!(plain.out.lines().count() >= 4 && !plain.out.contains('\u{1b}'), "{plain:?}");
    assert!(plain.out.contains("good"), "{plain:?}");
    assert_eq!(stage.figures().viewers, 0, "they said goodbye");
    drop(show);

    // VP8 carries no stamp: what the sender reports say is told as what it is, and never as the latency.
    let text = text.replace("[[input]]", "[program]\ncodec = \"vp8\"\n[[input]]");
    let show = place.start(&["live", &place.file("show.toml", &text)]);
    tokio::task::block_in_place(|| {
        show.event_that("the output on air", 30, |e| {
            e["event"] == "output-live" && e["output"] == "far"
        })
    });
    let json = watch(&["--json"]);
    assert_eq!(json.code, 0, "{json:?}");
    let mut lines = json.out.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    let last = lines.rfind(|l| l["figures"].is_object()).unwrap();
    assert_eq!(last["figures"]["latency"], Value::Null, "{last}");
    let estimated = last["figures"]["estimated"]["p50_ms"].as_f64().unwrap();
    assert!((0.0..300.0).contains(&estimated), "{last}");
    let by = last["latency_by"].as_str().unwrap();
    assert!(by.contains("VP8") && by.contains("estimated from sender reports"), "{by}");
    drop(show);
    stage.stop().await;
}
