//! Time as a value. Nothing on the pure floors reads a clock: time is handed in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on the engine's monotonic clock: nanoseconds since the engine began.
///
/// It never jumps with the machine's wall clock, and two moments of one run can be subtracted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `ms` milliseconds after the engine began.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }

    /// Whole milliseconds since the engine began.
    pub const fn as_ms(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Time passed since `earlier`; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Both clocks, read together once per turn of the engine loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Monotonic; for intervals and deadlines.
    pub mono: Moment,
    /// Wall clock in UTC; for the people who read the log.
    pub wall: jiff::Timestamp,
}

impl Now {
    /// A `Now` for tests and replays: `ms` after an epoch fixed at 2026-01-01T00:00:00Z.
    pub fn test(ms: u64) -> Self {
        let epoch = jiff::Timestamp::constant(1_767_225_600, 0);
        let shift = jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        Self { mono: Moment::from_ms(ms), wall: epoch.checked_add(shift).unwrap_or(epoch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_subtract_without_wrapping() {
        let (a, b) = (Moment::from_ms(5), Moment::from_ms(9));
        assert_eq!(b.since(a), Duration::from_millis(4));
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(a + Duration::from_millis(4), b);
    }
}
