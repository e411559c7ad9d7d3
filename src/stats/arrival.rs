//! How evenly a stream's packets arrive: the jitter of a picture, the gaps of a sound.

use std::time::Duration;

use crate::base::Moment;

/// Interarrival jitter by RFC 3550, 6.4.1 and A.8: a mean of how much more or less two packets lie apart when they
/// arrive than they did when they were made.
#[derive(Debug, Clone, Default)]
pub struct Jitter {
    last: Option<(Moment, u32)>,
    /// In seconds.
    mean: f64,
    packets: u64,
}

impl Jitter {
    /// A packet with that RTP time, of so many ticks a second, came at `at`.
    pub fn packet(&mut self, at: Moment, rtp: u32, rate: u32) {
        self.packets += 1;
        let Some((last_at, last_rtp)) = self.last.replace((at, rtp)) else { return };
        let apart = (at.0 as f64 - last_at.0 as f64) / 1e9;
        let made_apart = f64::from(rtp.wrapping_sub(last_rtp) as i32) / f64::from(rate.max(1));
        self.mean += ((apart - made_apart).abs() - self.mean) / 16.0;
    }

    /// In milliseconds; `None` before the second packet.
    pub fn ms(&self) -> Option<f64> {
        (self.packets > 1).then_some(self.mean * 1000.0)
    }
}

/// From so long without a packet on it is a gap.
const GAP: Duration = Duration::from_millis(100);

/// Counts gaps from the times at which packets of sound came.
#[derive(Debug, Clone, Default)]
pub struct SoundGaps {
    last: Option<Moment>,
    count: u64,
    total: Duration,
}

impl SoundGaps {
    /// A packet came at `at`.
    pub fn packet(&mut self, at: Moment) {
        let Some(last) = self.last.replace(at) else { return };
        let gap = at.since(last);
        if gap >= GAP {
            self.count += 1;
            self.total += gap;
        }
    }

    /// Gaps that have ended.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Time in them, from packet to packet.
    pub const fn total(&self) -> Duration {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_as_it_was_made_has_no_jitter() {
        let mut jitter = Jitter::default();
        assert_eq!(jitter.ms(), None);
        for n in 0..300_u32 {
            // The RTP time runs over on the way.
            jitter.packet(
                Moment::from_ms(u64::from(n) * 40),
                (n * 3600).wrapping_sub(9000),
                90_000,
            );
        }
        assert!(jitter.ms().unwrap() < 1e-6, "{jitter:?}");
    }

    #[test]
    fn jitter_is_the_mean_of_the_differences() {
        let mut jitter = Jitter::default();
        for n in 0..600_u64 {
            // Every other packet is 6 ms late: two neighbours differ by 6 ms.
            let late = n % 2 * 6;
            jitter.packet(Moment::from_ms(n * 40 + late), n as u32 * 3600, 90_000);
        }
        assert!((jitter.ms().unwrap() - 6.0).abs() < 0.01, "{jitter:?}");
    }

    #[test]
    fn a_lost_packet_is_bridged_and_a_pause_is_a_gap() {
        let mut gaps = SoundGaps::default();
        for ms in [0, 20, 40, 80, 100, 199, 400, 420, 520] {
            gaps.packet(Moment::from_ms(ms));
        }
        assert_eq!((gaps.count(), gaps.total().as_millis()), (2, 301));
    }
}
