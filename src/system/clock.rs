//! The one place that reads the clocks for pure code, which is handed the time.

use std::time::{Duration, Instant};

use crate::base::{Moment, Now};

/// Both clocks: moments count from its making.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    /// The wall clock at its making, where it is not the machine's.
    set: Option<jiff::Timestamp>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { began: Instant::now(), set: None }
    }
}

impl Clock {
    /// A clock that shows `wall` now and goes on from there: for what was recorded at that time.
    pub fn set_to(wall: jiff::Timestamp) -> Self {
        Self { set: Some(wall), ..Self::default() }
    }

    /// Both clocks, now.
    pub fn now(&self) -> Now {
        let now = Instant::now();
        let wall = match self.set {
            Some(set) => set.checked_add(now.saturating_duration_since(self.began)).unwrap_or(set),
            None => jiff::Timestamp::now(),
        };
        Now { mono: self.moment(now), wall }
    }

    /// An instant of this process as a moment; one before its making is moment zero.
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
