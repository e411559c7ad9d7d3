//! The one place that reads the clocks for the core. The core itself is handed the time.

use std::time::{Duration, Instant};

use crate::base::{Moment, Now};

/// The engine's clock: moments count from its making.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { began: Instant::now() }
    }
}

impl Clock {
    /// Both clocks, now.
    pub fn now(&self) -> Now {
        Now { mono: self.moment(Instant::now()), wall: jiff::Timestamp::now() }
    }

    /// An instant of this process as a moment; one before the engine began is moment zero.
    pub fn moment(&self, at: Instant) -> Moment {
        let passed = at.saturating_duration_since(self.began);
        Moment(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// A moment as an instant of this process. Moments beyond 1000 days are taken as that.
    pub fn instant(&self, moment: Moment) -> Instant {
        const FAR: Duration = Duration::from_hours(24_000);
        self.began + Duration::from_nanos(moment.0).min(FAR)
    }
}
