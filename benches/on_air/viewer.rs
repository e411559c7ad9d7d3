//! What somebody watching in Chromium has of a show whose way to the ingest loses packets. The browser's own
//! statistics say so, and what is heard in it; nothing of ours is believed here.

use std::time::Duration;

use hawker::{flow::Path, stage::Weather};
use serde::Deserialize;

use crate::{
    chromium::Chromium,
    rig::{Hawker, ONE, Show, row, stage},
};

/// A block of sound whose loudness is noted, in samples at 48 kHz.
const BLOCK: f64 = 512.0;

/// Notes the receiver's statistics every 100 ms, and the loudness of each block of what is heard.
const NOTE: &str = "(async () => {
  const notes = window.notes = [], heard = window.heard = [], pc = window.hawker.pc;
  const context = window.ears = new AudioContext({ sampleRate: 48000 });
  const ears = context.createScriptProcessor(512, 2, 2);
  ears.onaudioprocess = e => {
    const sound = e.inputBuffer.getChannelData(0);
    heard.push(Math.sqrt(sound.reduce((sum, s) => sum + s * s, 0) / sound.length));
  };
  window.source = context.createMediaStreamSource(document.querySelector('video').srcObject);
  window.source.connect(ears);
  ears.connect(context.destination);
  await context.resume();
  const note = async () => {
    const n = { at: performance.now() };
    (await pc.getStats()).forEach(s => {
      if (s.type !== 'inbound-rtp') return;
      if (s.kind === 'video') Object.assign(n, { frames: s.framesDecoded,
        frozen: s.totalFreezesDuration + (s.totalPausesDuration || 0),
        waited: s.jitterBufferDelay, emitted: s.jitterBufferEmittedCount });
      if (s.kind === 'audio') Object.assign(n, { concealed: s.concealedSamples, samples: s.totalSamplesReceived });
    });
    notes.push(n);
  };
  await note();
  window.noting = setInterval(note, 100);
  return true;
})()";

/// One look at the receiver's statistics, which count from the session's beginning; `at` in ms.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Note {
    at: f64,
    frames: f64,
    /// Seconds; pauses too.
    frozen: f64,
    waited: f64,
    emitted: f64,
    /// Samples that were made up.
    concealed: f64,
    samples: f64,
}

/// The longest run of items of which `is` holds, each so many ms long.
fn longest<T>(items: &[T], is: impl Fn(&T) -> bool, ms: impl Fn(&T) -> f64) -> f64 {
    let run = |run: f64, item| if is(item) { run + ms(item) } else { 0.0 };
    let runs = items.iter().scan(0.0, |so_far, item| {
        *so_far = run(*so_far, item);
        Some(*so_far)
    });
    runs.fold(0.0, f64::max)
}

/// The longest gap in the sound, in ms: of looks in which most of it was made up, or of blocks quieter than a
/// quarter of the steady tone that is sent, whichever is more.
fn gap(notes: &[Note], heard: &mut [f64]) -> f64 {
    let pairs: Vec<_> = notes.windows(2).map(|w| (w[0], w[1])).collect();
    let most_of_it =
        |(a, b): &(Note, Note)| b.concealed - a.concealed > (b.samples - a.samples) / 2.0;
    let concealed = longest(&pairs, most_of_it, |(a, b)| b.at - a.at);
    let mut loudness = heard.to_vec();
    loudness.sort_by(f64::total_cmp);
    let usual = loudness.get(loudness.len() / 2).copied().unwrap_or(0.0);
    if usual < 1e-3 {
        return f64::INFINITY;
    }
    concealed.max(longest(heard, |l| *l < usual / 4.0, |_| BLOCK / 48.0))
}

/// That loss at a round trip of 80 ms, for that long.
async fn watched(loss: f64, seconds: u64) -> (Vec<Note>, Vec<f64>) {
    let path = Path { delay_ms: 40, loss, ..Path::CLEAR };
    let far = stage().await;
    far.set_weather(Weather { publishers: path, ..Weather::CLEAR });
    let show = Show::new(ONE, &[far.whip_url()]);
    let hawker = Hawker::start(&["live", show.path()]);
    let mut chromium = Chromium::start();
    chromium.watch(&far.viewer_url());
    tokio::time::sleep(Duration::from_secs(8)).await;
    let _: bool = chromium.ask(NOTE);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let seen =
        (chromium.ask("clearInterval(window.noting), window.notes"), chromium.ask("window.heard"));
    drop(chromium);
    drop(hawker);
    far.stop().await;
    seen
}

/// The bars of a lossy way, in a browser.
pub async fn viewer(seconds: u64) {
    for percent in [5.0, 20.0] {
        let (notes, mut heard) = watched(percent / 100.0, seconds).await;
        let (Some(a), Some(b)) = (notes.first(), notes.last()) else { continue };
        let passed = (b.at - a.at) / 1000.0;
        let fps = (b.frames - a.frames) / passed;
        let frozen = (b.frozen - a.frozen) / passed * 100.0;
        let concealed = (b.concealed - a.concealed) / (b.samples - a.samples) * 100.0;
        let buffer = (b.waited - a.waited) / (b.emitted - a.emitted) * 1000.0;
        let pairs: Vec<_> = notes.windows(2).map(|w| (w[0], w[1])).collect();
        let still = longest(&pairs, |(a, b)| b.frames <= a.frames, |(a, b)| b.at - a.at);
        let gap = gap(&notes, &mut heard);
        let mild = percent < 10.0;
        row(
            &format!("s3. {percent} % loss at 80 ms, Chromium: frozen, frames/s, buffer ms"),
            &format!("{frozen:.2} %, {fps:.1}, {buffer:.0}"),
            if mild { "< 1 %" } else { "moving: no 2 s still" },
            if mild { frozen < 1.0 } else { still < 2000.0 && fps > 5.0 },
        );
        row(
            &format!("s3. {percent} % loss at 80 ms, Chromium: concealed, longest gap ms"),
            &format!("{concealed:.2} %, {gap:.0}"),
            if mild { "< 2 %" } else { "no gap > 200 ms" },
            if mild { concealed < 2.0 } else { gap <= 200.0 },
        );
    }
}
