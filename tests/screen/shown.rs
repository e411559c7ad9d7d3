//! What a viewer page finds out by itself, asked for, and what its picture shows.

use serde::Deserialize;

use crate::{chromium::Chromium, process::until};

/// One frame on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Shown {
    /// What the picture's blocks say, in ms; `None` where they cannot be read.
    pub drawn: Option<f64>,
    /// What its stamp says, in ms of the same clock; `None` without one.
    pub stamped: Option<f64>,
}

/// Reads the blocks of the pattern `clock` off the picture, as its frames come.
const READ: &str = "new Promise(done => {
  const video = document.querySelector('video'), all = [], canvas = document.createElement('canvas');
  canvas.width = 320; canvas.height = 8;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const drawn = () => {
    pen.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 8, 0, 0, 320, 8);
    const pixels = pen.getImageData(0, 4, 320, 1).data;
    const bits = Array.from({ length: 40 }, (_, n) => pixels[4 * (8 * n + 4)] > 128 ? 1 : 0);
    const marks = bits[0] && !bits[1] && !bits[38] && bits[39];
    const number = part => part.reduce((sum, bit) => sum * 2 + bit, 0);
    const ms = number(bits.slice(2, 34));
    const sum = [0, 4, 8, 12, 16, 20, 24, 28].reduce((all, at) => all + number(bits.slice(2 + at, 6 + at)), 0);
    return marks && (sum & 15) === number(bits.slice(34, 38)) ? ms : null;
  };
  const look = (now, frame) => {
    const stamp = window.hawker.stamps.get(frame.rtpTimestamp);
    all.push({ drawn: drawn(), stamped: stamp ? stamp.ms % 2 ** 32 : null });
    if (all.length < COUNT) video.requestVideoFrameCallback(look); else done(all);
  };
  video.requestVideoFrameCallback(look);
})";

impl Chromium {
    /// The next frames on the screen.
    #[track_caller]
    pub fn shown_frames(&mut self, count: u32) -> Vec<Shown> {
        self.ask(&READ.replace("COUNT", &count.to_string()))
    }

    /// What was shown so far counts no more.
    #[track_caller]
    pub fn forget_shown(&mut self) {
        self.ask::<u32>("hawker.shown.length = 0");
    }

    /// Capture to screen by the stamp once that many frames have been shown, in ms: the page's own median.
    #[track_caller]
    pub fn screen_ms(&mut self, frames: u32) -> f64 {
        until("frames with a stamp on the screen", 20, || {
            let count: u32 = self.ask("hawker.shown.length");
            if count >= frames { Ok(()) } else { Err(format!("{count} frames: {:?}", self.said)) }
        });
        let ms: Option<f64> = self.ask("screenLatency().screenP50Ms ?? null");
        ms.unwrap_or_else(|| panic!("the page has no latency, but frames"))
    }
}
