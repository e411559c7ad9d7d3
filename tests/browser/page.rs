//! What the viewer page shows and measures, asked through the browser: its own figures are not believed, the
//! `RTCPeerConnection` and the video element are.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::{chromium::Chromium, process::until};

/// What the browser knows of the show now.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Of the peer connection.
    pub state: String,
    /// Decoded so far.
    pub frames: u64,
    /// Of the video element, in pixels.
    pub width: u32,
    pub height: u32,
    /// Of the video element, in seconds.
    pub current_time: f64,
    /// As WebRTC's statistics define them.
    pub freezes: u64,
    /// Linear, 0-1.
    pub level: f64,
    /// Level squared, times seconds.
    pub energy: f64,
    /// The page's clock, in ms.
    pub at: f64,
}

const FIGURES: &str = "(async () => {
  const video = document.querySelector('video'), pc = window.hawker.pc;
  const f = { state: pc ? pc.connectionState : 'none', frames: 0, freezes: 0, level: 0, energy: 0,
    width: video.videoWidth, height: video.videoHeight, currentTime: video.currentTime, at: performance.now() };
  if (pc) (await pc.getStats()).forEach(s => {
    if (s.type !== 'inbound-rtp') return;
    if (s.kind === 'video') { f.frames = s.framesDecoded || 0; f.freezes = s.freezeCount || 0; }
    if (s.kind === 'audio') { f.level = s.audioLevel || 0; f.energy = s.totalAudioEnergy || 0; }
  });
  return f;
})()";

/// Draws the picture small into `p`, red, green, blue and alpha by turns.
const SMALL: &str = "const video = document.querySelector('video');
  const canvas = document.createElement('canvas'); canvas.width = 160; canvas.height = 90;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const draw = () => { pen.drawImage(video, 0, 0, 160, 90); return pen.getImageData(0, 0, 160, 90).data; };";

/// The bright part of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Bright {
    /// Share of the picture, 0-1.
    pub share: f64,
    /// Its middle, as shares of width and height; -1 when nothing is bright.
    pub x: f64,
    pub y: f64,
}

/// The middle of the picture at a time.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Sample {
    pub ms: f64,
    pub red: u8,
    pub green: u8,
    pub blue: u8,
}

impl Chromium {
    /// Opens the viewer page, turns the sound on, and waits until it plays.
    #[track_caller]
    pub fn watch(&mut self, url: &str) {
        self.open(url);
        let playing = until("the page plays", 25, || {
            let f = self.figures();
            let plays = f.state == "connected" && f.frames > 10 && f.current_time > 0.0;
            if plays { Ok(f) } else { Err(format!("{f:?}; the page shows: {}", self.shown())) }
        });
        assert!(playing.width > 0, "{playing:?}");
        let muted: bool = self.ask(
            "(async () => { document.getElementById('sound').click();
               await new Promise(r => setTimeout(r, 100)); return document.querySelector('video').muted; })()",
        );
        assert!(!muted, "the button does not turn the sound on");
    }

    /// What the page shows in words.
    pub fn shown(&mut self) -> String {
        self.ask("document.body.innerText.replace(/\\s+/g, ' ')")
    }

    #[track_caller]
    pub fn figures(&mut self) -> Figures {
        self.ask(FIGURES)
    }

    /// The figures each second for a while, the first and the last included.
    #[track_caller]
    pub fn over(&mut self, seconds: u32) -> Vec<Figures> {
        let start = Instant::now();
        let mut all = vec![self.figures()];
        for second in 1..=seconds {
            let due = Duration::from_secs(u64::from(second));
            thread::sleep(due.saturating_sub(start.elapsed()));
            all.push(self.figures());
        }
        all
    }

    /// Where the picture is bright.
    #[track_caller]
    pub fn bright(&mut self) -> Bright {
        self.ask(&format!(
            "(() => {{ {SMALL}
              const p = draw(); let n = 0, x = 0, y = 0;
              for (let i = 0; i < 160 * 90; i++) {{
                if (p[4 * i] + p[4 * i + 1] + p[4 * i + 2] < 600) continue;
                n++; x += i % 160 + 0.5; y += Math.floor(i / 160) + 0.5;
              }}
              return {{ share: n / 14400, x: n ? x / n / 160 : -1, y: n ? y / n / 90 : -1 }};
            }})()"
        ))
    }

    /// The middle of the picture every 50 ms for a while.
    #[track_caller]
    pub fn middle(&mut self, ms: u32) -> Vec<Sample> {
        self.ask(&format!(
            "new Promise(done => {{ {SMALL}
              const all = [], start = performance.now();
              const timer = setInterval(() => {{
                const p = draw(), i = 4 * (45 * 160 + 80), now = performance.now() - start;
                all.push({{ ms: now, red: p[i], green: p[i + 1], blue: p[i + 2] }});
                if (now >= {ms}) {{ clearInterval(timer); done(all); }}
              }}, 50);
            }})"
        ))
    }

    /// The strongest frequency in what is heard over half a second, in Hz.
    #[track_caller]
    pub fn pitch(&mut self) -> f64 {
        self.ask(
            "(async () => {
              const context = new AudioContext(), analyser = context.createAnalyser();
              await context.resume();
              analyser.fftSize = 8192; analyser.smoothingTimeConstant = 0;
              context.createMediaStreamSource(document.querySelector('video').srcObject).connect(analyser);
              await new Promise(r => setTimeout(r, 500));
              const bins = new Float32Array(analyser.frequencyBinCount);
              analyser.getFloatFrequencyData(bins);
              const best = bins.indexOf(bins.reduce((a, b) => Math.max(a, b)));
              const hz = best * context.sampleRate / analyser.fftSize;
              await context.close();
              return hz;
            })()",
        )
    }
}
