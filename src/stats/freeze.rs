//! Freezes and pauses as WebRTC statistics define them (`freezeCount`, `totalFreezesDuration` in W3C
//! webrtc-stats), and the gap that is open right now, which those counters hide until it closes.

use std::time::Duration;

use crate::base::{Moment, Ring};

/// How many intervals the average is taken over.
const WINDOW: usize = 30;
/// An interval is a freeze from `average + 150 ms` or `3 x average` on, whichever is more.
const MARGIN: Duration = Duration::from_millis(150);
/// An interval longer than this is a pause, not a freeze.
const PAUSE: Duration = Duration::from_secs(5);

/// Counts freezes from the times at which frames came.
#[derive(Debug, Clone)]
pub struct Freezes {
    intervals: Ring<Duration>,
    last: Option<Moment>,
    count: u64,
    total: Duration,
    pauses: u64,
    paused: Duration,
    longest: Duration,
}

impl Default for Freezes {
    fn default() -> Self {
        Self {
            intervals: Ring::new(WINDOW),
            last: None,
            count: 0,
            total: Duration::ZERO,
            pauses: 0,
            paused: Duration::ZERO,
            longest: Duration::ZERO,
        }
    }
}

impl Freezes {
    /// A frame came at `at`. Returns the freeze it ended, if it ended one.
    pub fn frame(&mut self, at: Moment) -> Option<Duration> {
        let last = self.last.replace(at)?;
        let interval = at.since(last);
        let frozen = self.threshold().is_some_and(|limit| interval >= limit);
        self.intervals.push(interval);
        self.longest = self.longest.max(interval);
        if !frozen {
            return None;
        }
        if interval > PAUSE {
            self.pauses += 1;
            self.paused += interval;
        } else {
            self.count += 1;
            self.total += interval;
        }
        Some(interval)
    }

    /// The time since the last frame.
    pub fn gap(&self, now: Moment) -> Duration {
        self.last.map_or(Duration::ZERO, |last| now.since(last))
    }

    /// Whether the open gap is already a freeze.
    pub fn frozen(&self, now: Moment) -> bool {
        self.threshold().is_some_and(|limit| self.gap(now) >= limit)
    }

    /// Freezes so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Time frozen so far.
    pub const fn total(&self) -> Duration {
        self.total
    }

    /// Gaps longer than five seconds so far.
    pub const fn pauses(&self) -> u64 {
        self.pauses
    }

    /// Time in gaps longer than five seconds so far.
    pub const fn paused(&self) -> Duration {
        self.paused
    }

    /// The longest interval between two frames.
    pub const fn longest(&self) -> Duration {
        self.longest
    }

    /// From which interval on it is a freeze; unknown until there is an average.
    fn threshold(&self) -> Option<Duration> {
        let n = u32::try_from(self.intervals.len()).ok().filter(|n| *n > 0)?;
        let average = self.intervals.iter().sum::<Duration>() / n;
        Some((average * 3).max(average + MARGIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(frames: u64) -> (Freezes, u64) {
        let mut freezes = Freezes::default();
        for i in 0..frames {
            assert_eq!(freezes.frame(Moment::from_ms(i * 33)), None);
        }
        (freezes, (frames - 1) * 33)
    }

    #[test]
    fn a_late_frame_is_no_freeze_and_a_gap_is() {
        let (mut freezes, last) = steady(60);
        assert_eq!(freezes.frame(Moment::from_ms(last + 150)), None);
        let ended = freezes.frame(Moment::from_ms(last + 150 + 400));
        assert_eq!(ended, Some(Duration::from_millis(400)));
        assert_eq!((freezes.count(), freezes.total().as_millis()), (1, 400));
    }

    #[test]
    fn the_open_gap_shows_before_it_closes() {
        let (freezes, last) = steady(60);
        assert!(!freezes.frozen(Moment::from_ms(last + 100)));
        assert!(freezes.frozen(Moment::from_ms(last + 200)));
        assert_eq!(freezes.gap(Moment::from_ms(last + 200)).as_millis(), 200);
        assert_eq!(freezes.count(), 0);
    }

    #[test]
    fn six_seconds_are_a_pause() {
        let (mut freezes, last) = steady(60);
        freezes.frame(Moment::from_ms(last + 6000));
        assert_eq!((freezes.count(), freezes.pauses()), (0, 1));
        assert_eq!(freezes.paused(), Duration::from_secs(6));
    }
}
