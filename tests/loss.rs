//! A way to the ingest that loses packets, and a browser that watches: what is lost on the way is there in the end.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
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

use std::time::Duration;

use chromium::Chromium;
use hawker::{
    flow::Path,
    stage::{Stage, StageOptions, Weather},
};
use hawker_process::Place;
use serde::Deserialize;

const SHOW: &str = "title = \"lossy\"\n\
    [[input]]\nid = \"noise\"\nkind = \"test\"\npattern = \"noise\"\ntone-hz = 440\n\
    [[scene]]\nid = \"one\"\nlayers = [\"noise\"]\n";

/// Packets that a browser has and misses, of one track.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Track {
    received: f64,
    lost: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Seen {
    picture: Track,
    sound: Track,
    frames: f64,
}

const SEEN: &str = "(async () => {
  const f = {};
  (await window.hawker.pc.getStats()).forEach(s => {
    if (s.type !== 'inbound-rtp') return;
    const track = { received: s.packetsReceived, lost: s.packetsLost };
    if (s.kind === 'video') { f.picture = track; f.frames = s.framesDecoded; } else f.sound = track;
  });
  return f;
})()";

/// The share of a track's packets that never came, between two looks.
fn lost(before: Track, after: Track) -> f64 {
    let missed = after.lost - before.lost;
    missed / (after.received - before.received + missed)
}

/// Counts packets, not milliseconds: a busy machine changes nothing of what is lost for good. Without
/// retransmission 5 % of the picture's packets stay away and hardly a frame is whole; without its repetition, 5 % of
/// the sound's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lossy_way_loses_is_there_in_the_end() {
    let path = Path { delay_ms: 40, loss: 0.05, ..Path::CLEAR };
    let weather = Weather { publishers: path, ..Weather::CLEAR };
    let options = StageOptions { weather, ..StageOptions::default() };
    let stage = Stage::start(options).await.unwrap();
    let place = Place::new();
    let text = format!("{SHOW}[[output]]\nid = \"far\"\nto = \"{}\"\n", stage.whip_url());
    let show = place.start(&["live", &place.file("show.toml", &text)]);
    let mut chromium = Chromium::start();
    tokio::task::block_in_place(|| chromium.watch(&stage.viewer_url()));
    // Loss is known, and what was lost before that has been given up.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut look = || tokio::task::block_in_place(|| chromium.ask::<Seen>(SEEN));
    let before = look();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let after = look();
    let (picture, sound) = (lost(before.picture, after.picture), lost(before.sound, after.sound));
    let frames = after.frames - before.frames;
    assert!(picture < 0.01, "{:.2} % of the picture: {before:?} {after:?}", picture * 100.0);
    assert!(sound < 0.02, "{:.2} % of the sound: {before:?} {after:?}", sound * 100.0);
    assert!(frames > 150.0, "{frames} frames in 10 s");
    drop(chromium);
    drop(show);
    stage.stop().await;
}
