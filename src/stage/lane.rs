//! One track on its way from the publisher to the viewers: sequence numbers and time stamps stay
//! continuous when one publisher takes the place of another, and every packet gets its place in real time
//! from the publisher's sender reports. Pure: time is handed in.

use std::time::{Duration, Instant, SystemTime};

/// The two clocks, read together.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    /// Monotonic.
    pub mono: Instant,
    /// Wall.
    pub wall: SystemTime,
}

impl Clocks {
    /// Reads both.
    pub fn read() -> Self {
        Self { mono: Instant::now(), wall: SystemTime::now() }
    }
}

/// A sender report: which RTP time belongs to which wall time, on the sender's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Wall time.
    pub wall: SystemTime,
    /// RTP time.
    pub rtp: u32,
}

impl Report {
    /// When, on the sender's clock, the sample with this RTP time was taken; `None` when it is more than
    /// ten minutes from the report.
    pub fn wall_of(&self, rtp: u32, rate: u32) -> Option<SystemTime> {
        let ticks = i64::from(rtp.wrapping_sub(self.rtp).cast_signed());
        let ns = ticks.saturating_mul(1_000_000_000) / i64::from(rate.max(1));
        if ns.unsigned_abs() > 600_000_000_000 {
            return None;
        }
        let by = Duration::from_nanos(ns.unsigned_abs());
        if ns < 0 { self.wall.checked_sub(by) } else { self.wall.checked_add(by) }
    }
}

/// How far a sender's wall clock is from ours. Sound and picture of one sender share it: shifting both
/// alike keeps them together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offset {
    /// Nanoseconds to add to the sender's time; unknown before the first report.
    ns: Option<i128>,
}

/// A packet that took longer than this from capture to here came by another clock.
const PLAUSIBLE_NS: i128 = 2_000_000_000;

impl Offset {
    /// When, on our monotonic clock, a sample captured at `captured` (the sender's clock) was taken. Never
    /// later than now. Learns the offset of a sender whose clock is not ours.
    pub fn place(&mut self, captured: SystemTime, now: Clocks) -> Instant {
        let age = match now.wall.duration_since(captured) {
            Ok(age) => age.as_nanos() as i128,
            Err(ahead) => -(ahead.duration().as_nanos() as i128),
        };
        let offset = match self.ns {
            // The same clock, as far as one can see: take it at its word.
            None if (0..PLAUSIBLE_NS).contains(&age) => 0,
            None => age,
            // It arrived before it was captured: the offset was too great.
            Some(offset) if age - offset < 0 => age,
            Some(offset) if age - offset > 5 * PLAUSIBLE_NS => age,
            Some(offset) => offset,
        };
        self.ns = Some(offset);
        let age = Duration::from_nanos(u64::try_from(age - offset).unwrap_or(0));
        now.mono.checked_sub(age).unwrap_or(now.mono)
    }
}

/// A packet's place on the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Continuous sequence number, does not wrap.
    pub seq: u64,
    /// Continuous RTP time.
    pub rtp: u32,
}

/// Where the first packet of a lane stands: far enough from 0 for late ones to fit before it.
const FIRST: u64 = 1 << 16;

/// One track.
#[derive(Debug, Clone)]
pub struct Lane {
    rate: u32,
    /// What turns the present publisher's numbers into the lane's; `None` before its first packet.
    shift: Option<(i64, u32)>,
    newest: Option<(Place, Instant)>,
}

impl Lane {
    /// A lane with this RTP clock rate in Hz.
    pub const fn new(rate: u32) -> Self {
        Self { rate, shift: None, newest: None }
    }

    /// RTP clock rate in Hz.
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// Another publisher follows: its first packet goes on where the last one's ended.
    pub const fn change(&mut self) {
        self.shift = None;
    }

    /// The lane's place of a packet with the publisher's (extended) sequence number and RTP time. `None`
    /// for a packet from before the lane began.
    pub fn place(&mut self, seq: u64, rtp: u32, at: Instant) -> Option<Place> {
        let (seq_shift, rtp_shift) = *self.shift.get_or_insert_with(|| match self.newest {
            None => (FIRST.wrapping_sub(seq).cast_signed(), 0),
            Some((last, then)) => {
                let ms = u32::try_from(at.saturating_duration_since(then).as_millis());
                // At least one tick of a 100 fps picture, so that no two frames share a time.
                let ticks = ms.unwrap_or(u32::MAX).max(10).wrapping_mul(self.rate / 1000);
                let next = last.rtp.wrapping_add(ticks);
                ((last.seq + 1).wrapping_sub(seq).cast_signed(), next.wrapping_sub(rtp))
            }
        });
        let place =
            Place { seq: seq.checked_add_signed(seq_shift)?, rtp: rtp.wrapping_add(rtp_shift) };
        if self.newest.is_none_or(|(newest, _)| place.seq > newest.seq) {
            self.newest = Some((place, at));
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_publisher_goes_on_where_the_old_one_ended() {
        let begin = Instant::now();
        let mut lane = Lane::new(90_000);
        let a = lane.place(40_000, 5_000, begin).unwrap();
        let b = lane.place(40_001, 8_000, begin + Duration::from_millis(33)).unwrap();
        assert_eq!((b.seq - a.seq, b.rtp - a.rtp), (1, 3000));
        lane.change();
        let c = lane.place(7, 4_000_000_000, begin + Duration::from_millis(133)).unwrap();
        assert_eq!((c.seq - b.seq, c.rtp.wrapping_sub(b.rtp)), (1, 9000));
        // A late one of the new publisher stands before its first.
        assert_eq!(lane.place(6, 4_000_000_000, begin).unwrap().seq, b.seq);
        let d = lane.place(8, 4_000_003_000, begin + Duration::from_millis(166)).unwrap();
        assert_eq!((d.seq - c.seq, d.rtp.wrapping_sub(c.rtp)), (1, 3000));
    }

    #[test]
    fn a_clock_that_is_ours_is_believed_and_a_foreign_one_is_shifted() {
        let now = Clocks::read();
        let mut ours = Offset::default();
        let captured = now.wall - Duration::from_millis(20);
        assert_eq!(now.mono - ours.place(captured, now), Duration::from_millis(20));

        let mut foreign = Offset::default();
        let ahead = now.wall + Duration::from_secs(100);
        assert_eq!(foreign.place(ahead, now), now.mono);
        // Sound captured 30 ms before that picture stays 30 ms before it.
        assert_eq!(
            now.mono - foreign.place(ahead - Duration::from_millis(30), now),
            Duration::from_millis(30)
        );
        // Never in the future.
        assert!(foreign.place(ahead + Duration::from_secs(1), now) <= now.mono);
    }

    #[test]
    fn reports_place_samples_before_and_after_across_the_wrap() {
        let report = Report { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(10), rtp: 100 };
        let at = |rtp| report.wall_of(rtp, 90_000).unwrap();
        assert_eq!(at(90_100), report.wall + Duration::from_secs(1));
        assert_eq!(at(100_u32.wrapping_sub(90_000)), report.wall - Duration::from_secs(1));
    }
}
