//! Leaves frames out. For an output whose path carries less than the shared encoder gives: what follows a key
//! frame passes while there is budget, the rest of its group does not, and nothing is sent that could not be
//! decoded. And before an encoder that makes more than it was asked for.

use std::time::Duration;

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

/// How much longer an encoder's output takes at its rate than it should, in milliseconds, before frames are left
/// out; and the same while a queue drains.
const OVERSPENT_MS: i64 = 500;
const OVERSPENT_DRAINING_MS: i64 = 100;
/// No longer than this is anything left out: a recording shares the encoding, and a queue that begins to drain in the
/// meantime would add its own pause to the one that is under way.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What an encoder made beyond its rate, which leaves out frames until it is paid back.
#[derive(Debug, Clone, Default)]
pub struct Overspent {
    bits: i64,
    at: Moment,
    /// Since when frames are left out.
    paused: Option<Moment>,
}

impl Overspent {
    /// Whether there is room for a frame at `now`, when `bytes` came out since the last time.
    pub fn affords(&mut self, now: Moment, rate: Kbps, bytes: u64, draining: bool) -> bool {
        let per_ms = i64::from(rate.0);
        let paid = now.since(self.at).as_micros() as i64 * per_ms / 1000;
        self.at = now;
        let most = per_ms * if draining { OVERSPENT_DRAINING_MS } else { OVERSPENT_MS };
        // Old debts are forgiven: what was sent while the path was wide is no trouble any more.
        let owed = self.bits + bytes as i64 * 8 - paid;
        self.bits = owed.clamp(0, most + per_ms * OVERSPENT_MS);
        let paused = *self.paused.get_or_insert(now);
        if now.since(paused) >= LONGEST_PAUSE {
            self.bits = self.bits.min(most);
        }
        let affords = self.bits <= most;
        if affords {
            self.paused = None;
        }
        affords
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
    fn an_encoder_that_makes_too_much_misses_frames_until_its_rate_is_kept() {
        for (draining, fewest) in [(false, 90), (true, 85)] {
            let mut spent = Overspent::default();
            let (mut bytes, mut frames) = (0, 0);
            // Twice the rate of 1 Mb/s, for six seconds.
            for n in 0..180 {
                let now = Moment::from_ms(n * 1000 / 30);
                if spent.affords(now, Kbps(1000), std::mem::take(&mut bytes), draining) {
                    bytes = 8333;
                    frames += 1;
                }
            }
            assert!((fewest..100).contains(&frames), "{frames}");
        }
        let mut spent = Overspent::default();
        for n in 0..300_u64 {
            // A key frame of eight times the mean is no reason to leave one out.
            let bytes = if n.is_multiple_of(60) { 33_000 } else { 3_600 };
            assert!(spent.affords(Moment::from_ms(n * 1000 / 30), Kbps(1000), bytes, false), "{n}");
        }
    }

    #[test]
    fn a_queue_that_begins_to_drain_in_a_pause_does_not_make_it_longer() {
        let mut spent = Overspent::default();
        let mut passed = Vec::new();
        for n in 0..60_u64 {
            let now = Moment::from_ms(n * 1000 / 30);
            // A key frame that takes two seconds at what the link has come down to; 400 ms later a queue is seen.
            let bytes = if n == 1 { 40_000 } else { 0 };
            if spent.affords(now, Kbps(150), bytes, n > 12) {
                passed.push(now.as_ms());
            }
        }
        let longest = passed.windows(2).map(|w| w[1] - w[0]).max().unwrap();
        assert!((400..=570).contains(&longest), "{longest} ms: {passed:?}");
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
        // The first group has no budget saved up yet.
        for group in passed.chunks(60).skip(1) {
            let head = group.iter().take_while(|p| **p).count();
            assert!(head > 5 && group[head..].iter().all(|p| !p), "{group:?}");
        }
        // Once the limit is gone the picture is whole from the next key frame on.
        thinner.limit(None);
        let (_, passed) = run(&mut thinner, 10_000);
        assert!(passed.iter().all(|p| *p));
    }
}
