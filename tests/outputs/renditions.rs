//! Outputs with a profile of their own: encoded once more for all of them, and at nobody's cost.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use hawker::stage::{Stage, StageOptions};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    assert_good,
    hawker_process::{Place, assert_whole},
    of,
    played::{assert_gapless, play, stamps},
    process::until,
    record, report, show, start,
    viewer::watch,
};

const TINY: &str = "title = \"tiny\"\ncanvas = \"320x180@15\"\neffort = \"ultrafast\"\nmax-kbps = 400\n\
                    start-kbps = 300\nmin-kbps = 100\naudio-kbps = 64\nkeyframe-ms = 2000\n\
                    latency-target-ms = 600\n[[ladder]]\ncanvas = \"320x180@15\"\nfrom-kbps = 100\n";

/// Threads of that name in the process.
fn threads(pid: i32, name: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let named =
        |path: PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name);
    tasks.filter(|task| named(task.path())).count()
}

#[test]
fn outputs_of_another_profile_share_one_more_encoder_and_the_others_lose_nothing() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::start(StageOptions::default())).unwrap();
    let air =
        format!("[[output]]\nid = \"air\"\nto = \"{}\"\nprofile = \"tiny\"\n", stage.whip_url());
    let tiny = |id: &str| record(id, "profile = \"tiny\"");
    let file = show(&place, &(record("wide", "") + &air + &tiny("slim")));
    place.file("config/profiles/tiny.toml", TINY);
    let report_at = place.path("report.json");
    let mut show = start(&place, &file, &["--report", report_at.to_str().unwrap()]);
    for output in ["wide", "air", "slim"] {
        show.event_that(output, 20, of(output, "output-live"));
    }
    let engine = place.engines()[0];
    assert_eq!(threads(engine, "rendition"), 1, "one encoding for two outputs");
    // One more of the same, and one that takes what the show itself makes.
    for (id, more) in [("late", "profile = \"tiny\""), ("own", "profile = \"small\"")] {
        let added = place.file(&format!("{id}.toml"), &record(id, more));
        let said = place.run(&["send", "add-output", &added], 10);
        assert_eq!(said.code, 0, "{said:?}");
        let said = place.run(&["send", "--yes", "go-live", id], 10);
        assert_eq!(said.code, 0, "{said:?}");
        show.event_that(id, 20, of(id, "output-live"));
    }
    assert_eq!(threads(engine, "rendition"), 1);
    // Larger than the program's picture: refused with the reason, and nothing changes.
    let large = TINY.replace("320x180@15", "640x360@60");
    place.file("config/profiles/large.toml", &large);
    let added = place.file("large.toml", &record("large", "profile = \"large\""));
    let refused = place.run(&["send", "add-output", &added], 10);
    assert!(refused.code == 2 && refused.err.contains("more than the program's"), "{refused:?}");

    let watching = runtime.block_on(watch(&stage.whep_url()));
    until("the stage has the lesser picture", 20, || {
        let seen = watching.figures(Instant::now());
        let right = seen.size == Some((320, 180)) && (13.0..17.0).contains(&seen.fps);
        right.then_some(()).ok_or(format!("{seen:?}"))
    });
    runtime.block_on(watching.stop());
    // What was added last is to have something to play.
    std::thread::sleep(Duration::from_secs(2));

    // Nobody wants it any more; then somebody does again.
    for id in ["air", "slim", "late"] {
        assert_eq!(place.run(&["send", "--yes", "stop-output", id], 10).code, 0);
        show.event_that(id, 20, of(id, "output-stopped"));
    }
    until("its encoder goes", 10, || {
        let told = place.holding("its encoder goes");
        if told.is_empty() { Err("nothing of it in the log".into()) } else { Ok(()) }
    });
    let seq = show.events().last().and_then(|e| e["seq"].as_u64());
    assert_eq!(place.run(&["send", "--yes", "go-live", "slim"], 10).code, 0);
    show.event_that("it is back", 20, |e: &Value| {
        of("slim", "output-live")(e) && e["seq"].as_u64() > seq
    });
    std::thread::sleep(Duration::from_secs(3));
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(30), 130, "{}", show.told());
    assert_whole(&show.events());

    let report = report(&place);
    let files = |id: &str| -> Vec<PathBuf> {
        report.outputs[id].files.iter().map(|f| (&f.path).into()).collect()
    };
    let (large, little) = ((640, 360), (320, 180));
    for (id, size) in [("wide", large), ("own", large), ("slim", little), ("late", little)] {
        for file in files(id) {
            let played = play(&file);
            assert_good(id, &played, 1.5);
            assert_eq!(played.size, size, "{id}");
            assert_gapless(&stamps(&file).0);
        }
    }
    // The same frames in both, and counted on when the encoder came back.
    let numbers = |id: &str, n: usize| stamps(&files(id)[n]).0;
    let (slim, late) = (numbers("slim", 0), numbers("late", 0));
    assert!(late.iter().take(10).all(|n| slim.contains(n)), "{slim:?} {late:?}");
    assert!(numbers("slim", 1)[0] > late[late.len() - 1]);
    assert_eq!(report.outputs["wide"].dropped, 0);
    runtime.block_on(stage.stop());
}
