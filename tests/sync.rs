//! Sound and picture stay together, through a file, the program, the encoders, a session and the stage.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[path = "real/lipsync.rs"]
mod lipsync;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::time::Duration;

use hawker::stage::{Stage, StageOptions, Watch, WatchOptions};
use hawker_process::Place;

/// Flashes that are looked at: a second each, over the clip's own end.
const FLASHES: usize = 12;

#[test]
fn a_beep_stays_with_its_flash() {
    hawker::media::init().unwrap();
    let place = Place::new();
    lipsync::clip(&place.path("flash.mkv"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let skews = runtime.block_on(async {
        let stage = Stage::start(StageOptions::default()).await.unwrap();
        let show = place.file(
            "show.toml",
            &format!(
                "title = \"flash\"\n[[input]]\nid = \"clip\"\nkind = \"file\"\npath = \"flash.mkv\"\n\
                 [[scene]]\nid = \"one\"\nlayers = [\"clip\"]\n\
                 [[output]]\nid = \"far\"\nto = \"{}\"\n",
                stage.whip_url()
            ),
        );
        let mut hawker = place.start(&["live", &show]);
        hawker.event("output-live", 20);
        let options = WatchOptions { frames: 256, sounds: 1024, ..WatchOptions::default() };
        let (mut watch, offer) = Watch::new(&options).unwrap();
        let whep = reqwest::Client::new().post(stage.whep_url());
        let whep = whep.header("content-type", "application/sdp").body(offer);
        let answer = whep.send().await.unwrap();
        watch.answer(&answer.text().await.unwrap()).unwrap();
        let (mut frames, mut sounds) = (watch.frames().unwrap(), watch.sounds().unwrap());
        let found = lipsync::skews(&mut frames, &mut sounds, FLASHES);
        let limit = Duration::from_secs(FLASHES as u64 + 30);
        let skews = tokio::time::timeout(limit, found).await.expect("flashes and beeps");
        watch.stop().await;
        assert_eq!(place.run(&["end", "--yes"], 20).code, 0);
        assert_eq!(hawker.ended(20), 0);
        stage.stop().await;
        skews
    });
    println!("sound after picture, ms: {skews:.1?}");
    assert_eq!(skews.len(), FLASHES);
    assert!(skews.iter().all(|ms| ms.abs() <= 15.0), "sound after picture, ms: {skews:.1?}");
}
