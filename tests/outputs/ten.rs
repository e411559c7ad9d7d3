//! Ten outputs at once. One stalls, one comes and goes: the other eight notice nothing.

use std::time::{Duration, Instant};

use hawker::stage::{Stage, StageOptions};
use rustix::process::Signal;

use crate::{
    crowd::{Crowd, NAMES, densest, lost},
    hawker_process::{Place, assert_whole},
    of, report, show, start,
    viewer::Counter,
};

/// How often the ingest of one goes away and comes back.
const FLAPS: usize = 3;

async fn again(options: &StageOptions) -> Stage {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        match Stage::start(options.clone()).await {
            Ok(stage) => return stage,
            Err(e) => assert!(Instant::now() < until, "{e}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn of_ten_outputs_one_stalls_and_one_flaps_and_the_others_lose_nothing() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = || runtime.block_on(Stage::start(StageOptions::default())).unwrap();
    let good = [stage(), stage(), stage()];
    let mut flapping = stage();
    let crowd = Crowd::start(&place.path("crowd"));
    let [a, b, c] = &good;
    let whip = [a, b, c, &flapping].map(Stage::whip_url);
    let report_at = place.path("report.json");
    let file = show(&place, &crowd.outputs(&whip));
    let mut show = start(&place, &file, &["--report", report_at.to_str().unwrap()]);
    for output in NAMES {
        show.event_that(output, 30, of(output, "output-live"));
    }
    let counters = good.each_ref().map(|s| runtime.block_on(Counter::start(&s.whep_url())));
    // From the first frame that all of them have.
    let from = counters.iter().map(|c| runtime.block_on(c.after(0))).max().unwrap();
    crowd.stall();
    let listen = flapping.address();
    for _ in 0..FLAPS {
        let seq = show.events().last().and_then(|e| e["seq"].as_u64());
        runtime.block_on(flapping.stop());
        let away = show.event_that("it is missed", 20, |e| {
            let gone = e["event"] == "output-silent" || e["event"] == "output-failed";
            e["output"] == "flapping" && gone && e["seq"].as_u64() > seq
        });
        let options = StageOptions { listen, ..StageOptions::default() };
        flapping = runtime.block_on(again(&options));
        show.event_that("it is back", 20, |e| {
            of("flapping", "output-live")(e) && e["seq"].as_u64() > away["seq"].as_u64()
        });
    }
    show.event_that("the stall is noticed", 30, of("stalled", "output-silent"));
    let to = counters.iter().map(|c| runtime.block_on(c.after(from))).min().unwrap();
    // What was on its way then is with everybody.
    runtime.block_on(counters[0].after(to + 30));
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(30), 130, "{}", show.told());
    assert_whole(&show.events());
    let (mut came, keys) = crowd.end();
    for (name, counter) in NAMES.into_iter().zip(counters) {
        came.push((name, runtime.block_on(counter.end())));
    }
    let keys: Vec<u64> = keys.into_iter().filter(|k| (from..=to).contains(k)).collect();
    println!("frames {from} to {to}, key frames: {keys:?}");
    let report = report(&place);
    let losses: Vec<(&str, u64)> = came.iter().map(|(n, f)| (*n, lost(f, from, to))).collect();
    assert_eq!(losses.iter().map(|(_, lost)| lost).sum::<u64>(), 0, "{losses:?}");
    assert_eq!(came.len(), 8);
    for (name, _) in came {
        let output = &report.outputs[name];
        assert_eq!((output.dropped, output.reconnects), (0, 0), "{name}: {output:?}");
    }
    assert!(report.outputs["flapping"].reconnects >= FLAPS as u32);
    // One of its own, and one that was asked for.
    assert!(densest(&keys, 15) <= 2, "{keys:?}");
    let of_its_own = (to - from) as usize / 60 + 1;
    assert!(keys.len() <= of_its_own + 2 * FLAPS, "{keys:?}");
}
