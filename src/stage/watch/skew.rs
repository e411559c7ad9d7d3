//! Sound against picture, by the sender's clock. When that clock is set, its next reports tell: until both have, nothing
//! is said. Pure: time is handed in.

use std::time::{Duration, Instant, SystemTime};

use crate::{base::Ring, stage::lane::Report};

/// Delays the skew is the median of, and the least it takes.
const DELAYS: usize = 50;
const ENOUGH: usize = 20;
/// Reports of one clock differ by less; by more when it was set.
const SET: Duration = Duration::from_millis(100);

/// Picture or sound.
#[derive(Debug)]
struct Track {
    delays: Ring<f64>,
    report: Option<Report>,
    /// The other one's report says that the clock was set; ours is from before.
    waits: bool,
}

impl Default for Track {
    fn default() -> Self {
        Self { delays: Ring::new(DELAYS), report: None, waits: false }
    }
}

impl Track {
    /// Takes a report; whether it says that the clock was set, when nobody has said so before.
    fn set_by(&mut self, report: Report, rtp: u32, rate: u32) -> bool {
        let Some(before) = self.report.replace(report).filter(|before| *before != report) else {
            return false;
        };
        let (was, is) = (before.wall_of(rtp, rate), report.wall_of(rtp, rate));
        let set = was.zip(is).is_some_and(|(was, is)| apart(was, is) > SET);
        let known = std::mem::take(&mut self.waits);
        if set {
            self.delays.clear();
        }
        set && !known
    }
}

/// How much later the sound comes than the picture that was captured with it.
#[derive(Debug)]
pub struct Skew {
    began: Instant,
    picture: Track,
    sound: Track,
    worst: Option<f64>,
}

impl Skew {
    /// Nothing yet.
    pub fn new(began: Instant) -> Self {
        Self { began, picture: Track::default(), sound: Track::default(), worst: None }
    }

    /// A sample with that RTP time is here whole. `report` is the newest of its own stream, whose clock ticks `rate`
    /// times a second.
    pub fn came(&mut self, sound: bool, rtp: u32, rate: u32, report: Report, at: Instant) {
        let (own, other) = if sound {
            (&mut self.sound, &mut self.picture)
        } else {
            (&mut self.picture, &mut self.sound)
        };
        if own.set_by(report, rtp, rate) {
            other.delays.clear();
            other.waits = true;
        }
        let Some(captured) = report.wall_of(rtp, rate).filter(|_| !own.waits) else { return };
        // From the sender's clock to ours: how far they are apart falls out in the difference of both.
        let captured = captured.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let came = at.saturating_duration_since(self.began);
        own.delays.push((came.as_secs_f64() - captured.as_secs_f64()) * 1000.0);
        if let Some(skew) = self.ms()
            && skew.abs() > self.worst.unwrap_or(0.0).abs()
        {
            self.worst = Some(skew);
        }
    }

    /// In ms, positive is sound late; `None` while too little is known.
    pub fn ms(&self) -> Option<f64> {
        Some(median(&self.sound.delays)? - median(&self.picture.delays)?)
    }

    /// The worst so far.
    pub const fn worst(&self) -> Option<f64> {
        self.worst
    }
}

fn apart(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|earlier| earlier.duration())
}

/// The middle one, robust against single late packets; `None` with too few.
fn median(values: &Ring<f64>) -> Option<f64> {
    if values.len() < ENOUGH {
        return None;
    }
    let mut sorted: Vec<f64> = values.iter().copied().collect();
    let middle = sorted.len() / 2;
    Some(*sorted.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sender whose sound comes 25 ms late, and whose clock can be set.
    struct Sender {
        skew: Skew,
        began: Instant,
        ms: u64,
        clock_s: [u64; 2],
    }

    impl Sender {
        fn new() -> Self {
            let began = Instant::now();
            Self { skew: Skew::new(began), began, ms: 0, clock_s: [100, 100] }
        }

        /// Half a second of both; each has a report by its own reading of the clock.
        fn send(&mut self) {
            for _ in 0..ENOUGH {
                self.ms += 25;
                for (sound, late) in [(false, 10), (true, 35)] {
                    let wall = SystemTime::UNIX_EPOCH
                        + Duration::from_secs(self.clock_s[usize::from(sound)]);
                    let report = Report { wall, rtp: 0 };
                    let at = self.began + Duration::from_millis(self.ms + late);
                    self.skew.came(sound, self.ms as u32 * 90, 90_000, report, at);
                }
            }
        }
    }

    #[test]
    fn skew_is_how_much_later_the_sound_comes() {
        let mut sender = Sender::new();
        assert_eq!(sender.skew.ms(), None);
        sender.send();
        assert!((sender.skew.ms().unwrap() - 25.0).abs() < 1e-3);
        assert!((sender.skew.worst().unwrap() - 25.0).abs() < 1e-3);
    }

    #[test]
    fn a_clock_that_is_set_is_no_skew() {
        let mut sender = Sender::new();
        sender.send();
        for set in [3700, 5, 6] {
            // The picture's report comes first; the sound's is still of before.
            sender.clock_s[0] = set;
            sender.send();
            assert_eq!(sender.skew.ms(), None, "it cannot be known");
            sender.clock_s[1] = set;
            sender.send();
            assert!((sender.skew.ms().unwrap() - 25.0).abs() < 1e-3);
        }
        assert!((sender.skew.worst().unwrap() - 25.0).abs() < 1e-3);
    }
}
