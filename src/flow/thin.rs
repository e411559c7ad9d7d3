//! Thins a picture out for an output whose path carries less than the shared encoder gives: what follows a key
//! frame passes while there is budget, the rest of its group does not. Nothing is sent that could not be
//! decoded.

use crate::base::{Kbps, Moment};

/// How much budget may be saved up, in milliseconds of the rate.
const SAVED_MS: i64 = 2000;

/// A budget of bits, and whether the present group of frames is broken.
#[derive(Debug, Clone, Default)]
pub struct Thinner {
    rate: Option<Kbps>,
    bits: i64,
    filled_at: Moment,
    broken: bool,
}

impl Thinner {
    /// Only so much passes from now on; `None` lets everything pass.
    pub fn limit(&mut self, rate: Option<Kbps>) {
        self.rate = rate;
    }

    /// Whether a frame of that size passes at `now`.
    pub fn pass(&mut self, now: Moment, key: bool, bytes: usize) -> bool {
        let Some(rate) = self.rate else {
            // What was left out is missing until the next key frame.
            self.broken &= !key;
            self.bits = 0;
            self.filled_at = now;
            return !self.broken;
        };
        let per_ms = i64::from(rate.0);
        let gained = now.since(self.filled_at).as_micros() as i64 * per_ms / 1000;
        self.bits = (self.bits + gained).min(per_ms * SAVED_MS);
        self.filled_at = now;
        if key {
            self.broken = false;
        }
        if self.broken || self.bits < 0 {
            self.broken = true;
            return false;
        }
        // A frame may overdraw: a key frame is larger than any budget of one frame's time.
        self.bits -= bytes as i64 * 8;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds of 30 frames a second, 2.4 Mb/s, a key frame every two seconds: what passed, in kbit/s and as
    /// frames.
    fn run(thinner: &mut Thinner, from_ms: u64) -> (i64, Vec<bool>) {
        let (mut bits, mut passed) = (0, Vec::new());
        for n in 0..300_u64 {
            let (key, bytes) = (n.is_multiple_of(60), 10_000);
            let pass = thinner.pass(Moment::from_ms(from_ms + n * 1000 / 30), key, bytes);
            bits += if pass { bytes as i64 * 8 } else { 0 };
            passed.push(pass);
        }
        (bits / 10_000, passed)
    }

    #[test]
    fn without_a_limit_everything_passes() {
        let (_, passed) = run(&mut Thinner::default(), 0);
        assert!(passed.iter().all(|p| *p));
    }

    #[test]
    fn a_limit_is_kept_and_no_frame_passes_without_those_before_it() {
        let mut thinner = Thinner::default();
        thinner.limit(Some(Kbps(800)));
        let (kbps, passed) = run(&mut thinner, 0);
        assert!((680..=900).contains(&kbps), "{kbps}");
        for group in passed.chunks(60) {
            let head = group.iter().take_while(|p| **p).count();
            assert!(head > 5 && group[head..].iter().all(|p| !p), "{group:?}");
        }
        // Once the limit is gone the picture is whole from the next key frame on.
        thinner.limit(None);
        let (_, passed) = run(&mut thinner, 10_000);
        assert!(passed.iter().all(|p| *p));
    }
}
