//! How the day's quota is spent so that it lasts until the show ends. YouTube counts calls, not minutes: a connection to the
//! stream costs as much as one poll.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _, civil::Time};

use crate::market::{Fold, Gap, Zone};

/// What a project has in a day unless it was given more (YouTube Data API, "Quota usage").
pub const DAILY: u64 = 10_000;
/// What `liveChat/messages` and its stream cost a call.
pub const READ: u64 = 5;
/// What inserting or deleting a message costs (the description file: "a quota cost of 20 units").
pub const MESSAGE: u64 = 20;
/// What setting or lifting a ban costs (R: the description names no cost; most writes of the API cost this).
pub const BAN: u64 = 50;
/// One part in this many of the day is never spent on reading: the last calls of a show must not be refused because
/// somebody else used the same project.
const MARGIN: u64 = 50;
/// The zone in which the day of the quota ends, at midnight.
const ZONE: &str = "America/Los_Angeles";
/// A show that runs over its end is expected to go on for this long.
const OVER: Duration = Duration::from_mins(30);
/// What a day is taken to last where it cannot be computed.
const DAY: Duration = Duration::from_hours(24);

/// The quota of one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    daily: u64,
    used: u64,
    reserve: u64,
    /// Spent on writing today: so much less is kept for it.
    written: u64,
    resets: Timestamp,
}

/// How often may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The least time from one call to the next; absent when nothing is left before the reset.
    pub spacing: Option<Duration>,
    /// Units left for today.
    pub left: u64,
    /// When the quota is full again.
    pub resets: Timestamp,
}

impl Quota {
    /// A quota of `daily` units of which `used` are spent today. `reserve` units are kept for writing and not spent on
    /// reading.
    pub fn new(daily: u64, used: u64, reserve: u64, now: Timestamp) -> Self {
        let used = used.min(daily);
        Self { daily, used, reserve, written: 0, resets: next_midnight(now) }
    }

    /// Units left for today.
    pub fn left(&self, now: Timestamp) -> u64 {
        if now >= self.resets { self.daily } else { self.daily - self.used }
    }

    /// When the quota is full again.
    pub fn resets(&self) -> Timestamp {
        self.resets
    }

    /// A call was made: failed ones count too.
    pub fn charge(&mut self, now: Timestamp, units: u64) {
        self.roll(now);
        self.used = self.used.saturating_add(units).min(self.daily);
    }

    /// Charges a write if enough is left for it; whether it was. What reading may not touch is there for this.
    pub fn spend(&mut self, now: Timestamp, units: u64) -> bool {
        let enough = self.left(now) >= units;
        if enough {
            self.charge(now, units);
            self.written = self.written.saturating_add(units);
        }
        enough
    }

    /// The platform says that nothing is left (403 `quotaExceeded`), whatever we have counted.
    pub fn exhausted(&mut self, now: Timestamp) {
        self.roll(now);
        self.used = self.daily;
    }

    /// How often may be read so that the quota lasts until the show ends, or until it is full again if that is earlier.
    /// Without an end the show is taken to last until the reset.
    pub fn pace(&self, now: Timestamp, end: Option<Timestamp>) -> Pace {
        let resets = if now >= self.resets { next_midnight(now) } else { self.resets };
        let left = self.left(now);
        let written = if now >= self.resets { 0 } else { self.written };
        let kept = self.reserve.saturating_sub(written);
        let calls = left.saturating_sub(kept).saturating_sub(self.daily / MARGIN) / READ;
        let rest = |until: Timestamp| {
            Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO)
        };
        let until_reset = rest(resets);
        let until_end = end.map_or(until_reset, |end| rest(end).max(OVER)).min(until_reset);
        let spacing = u32::try_from(calls).unwrap_or(u32::MAX);
        let spacing = (spacing > 0).then(|| until_end / spacing);
        Pace { spacing, left, resets }
    }

    /// When nothing is left if calls go on with this spacing; `None` if the reset comes first.
    pub fn runs_out(&self, now: Timestamp, spacing: Duration) -> Option<Timestamp> {
        let pace = self.pace(now, None);
        let calls = u32::try_from(pace.left / READ).unwrap_or(u32::MAX);
        let lasts = jiff::SignedDuration::try_from(spacing.saturating_mul(calls)).ok()?;
        now.checked_add(lasts).ok().filter(|out| *out < pace.resets)
    }

    fn roll(&mut self, now: Timestamp) {
        if now >= self.resets {
            (self.used, self.written) = (0, 0);
            self.resets = next_midnight(now);
        }
    }
}

/// The next midnight in Pacific time after an instant.
fn next_midnight(now: Timestamp) -> Timestamp {
    let found = Zone::named(ZONE).ok().and_then(|zone| {
        let tomorrow = zone.clock(now).date().checked_add(1.day()).ok()?;
        zone.instant(tomorrow.to_datetime(Time::midnight()), Gap::Onward, Fold::First).ok()
    });
    found.unwrap_or_else(|| now.checked_add(DAY).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_day_ends_at_midnight_in_pacific_time() {
        let resets = |now| Quota::new(DAILY, 0, 0, at(now)).resets();
        assert_eq!(resets("2026-01-01T00:00:00Z"), at("2026-01-01T08:00:00Z"));
        assert_eq!(resets("2026-07-01T07:00:00Z"), at("2026-07-02T07:00:00Z"));
        // The days on which the clocks change: 23 and 25 hours.
        assert_eq!(resets("2026-03-08T12:00:00Z"), at("2026-03-09T07:00:00Z"));
        assert_eq!(resets("2026-11-01T07:30:00Z"), at("2026-11-02T08:00:00Z"));
    }

    #[test]
    fn the_spacing_makes_the_quota_last_until_the_end_or_the_reset() {
        let now = at("2026-01-01T10:00:00Z");
        let quota = Quota::new(DAILY, 0, 0, now);
        let pace = quota.pace(now, Some(at("2026-01-01T14:00:00Z")));
        assert_eq!(pace.spacing, Some(Duration::from_hours(4) / 1_960), "9,800 units, 5 a call");
        assert_eq!(quota.pace(now, None).spacing, Some(Duration::from_hours(22) / 1_960));
        // The reset comes in 10 min: all of the rest may be spent until then.
        let quota = Quota::new(DAILY, 9_000, 0, at("2026-01-01T07:50:00Z"));
        let pace = quota.pace(at("2026-01-01T07:50:00Z"), Some(at("2026-01-01T12:00:00Z")));
        assert_eq!(pace.spacing, Some(Duration::from_millis(3_750)), "600 s for 160 calls");
        let none = Quota::new(DAILY, 9_700, 300, now).pace(now, None);
        assert_eq!((none.spacing, none.left), (None, 300), "the reserve is not read away");
    }

    #[test]
    fn what_is_left_and_when_it_runs_out_are_told() {
        let now = at("2026-01-01T10:00:00Z");
        let mut quota = Quota::new(DAILY, 0, 0, now);
        // Polling every second: 2,000 calls, 33 min 20 s, as people measured it.
        assert_eq!(quota.runs_out(now, Duration::from_secs(1)), Some(at("2026-01-01T10:33:20Z")));
        assert_eq!(quota.runs_out(now, Duration::from_mins(1)), None);
        quota.charge(now, READ);
        assert_eq!(quota.left(now), 9_995);
        quota.exhausted(now);
        assert_eq!((quota.left(now), quota.pace(now, None).spacing), (0, None));
        let tomorrow = at("2026-01-02T08:00:00Z");
        assert_eq!(quota.left(tomorrow), DAILY);
        quota.charge(tomorrow, READ);
        assert_eq!((quota.left(tomorrow), quota.resets()), (9_995, at("2026-01-03T08:00:00Z")));
    }

    #[test]
    fn writing_takes_from_what_is_kept_for_it_and_stops_at_nothing() {
        let now = at("2026-01-01T10:00:00Z");
        let mut quota = Quota::new(DAILY, 0, 1_000, now);
        let before = quota.pace(now, None).spacing;
        for _ in 0..50 {
            assert!(quota.spend(now, MESSAGE));
        }
        assert_eq!(quota.pace(now, None).spacing, before, "reading has what it had");
        assert_eq!(quota.left(now), 9_000);
        quota.charge(now, 8_985);
        assert!(quota.pace(now, None).spacing.is_none());
        assert!(!quota.spend(now, MESSAGE), "15 units are left");
        assert_eq!(quota.left(now), 15, "what is not done is not charged");
        let tomorrow = at("2026-01-02T08:00:00Z");
        assert!(quota.spend(tomorrow, MESSAGE));
        assert_eq!(quota.left(tomorrow), DAILY - MESSAGE);
    }

    proptest! {
        #[test]
        fn no_number_breaks_it(daily: u64, used: u64, reserve: u64, units: u64, second in -377_705_000_000_i64..253_402_000_000, end in -377_705_000_000_i64..253_402_000_000) {
            let (now, end) = (Timestamp::from_second(second).unwrap(), Timestamp::from_second(end).unwrap());
            let mut quota = Quota::new(daily, used, reserve, now);
            quota.charge(now, units);
            quota.spend(end, units);
            let pace = quota.pace(end, Some(now));
            let _ = quota.runs_out(end, pace.spacing.unwrap_or(Duration::MAX));
            prop_assert!(quota.left(now) <= daily);
        }
    }
}
