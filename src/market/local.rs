//! Local time and instants. A clock that is put forward skips times, one that is put back tells some twice: whoever
//! asks for an instant says what shall happen then. The zones are those of the tz database in the program, so that
//! every machine says the same.

use std::{fmt, sync::LazyLock};

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A zone of the tz database.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

/// A name that the tz database does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tz database has no zone {0:?}: names are like Asia/Bangkok or America/New_York")]
pub struct UnknownZone(pub String);

impl Zone {
    /// The zone of that name.
    ///
    /// # Errors
    /// There is no such zone.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let short = || UnknownZone(name.chars().take(48).collect());
        DATABASE.get(name).map(Self).map_err(|_| short())
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What its clocks show at an instant. There is always exactly one such time.
    pub fn clock(&self, at: Timestamp) -> DateTime {
        self.0.to_datetime(at)
    }

    /// How far its clocks are ahead of UTC at an instant, in seconds.
    pub fn offset_s(&self, at: Timestamp) -> i32 {
        self.0.to_offset(at).seconds()
    }

    /// The instants at which its clocks show that time: one, none or two.
    pub fn local(&self, clock: DateTime) -> Local {
        match self.0.to_ambiguous_timestamp(clock).offset() {
            AmbiguousOffset::Unambiguous { offset } => Local::Once(at(clock, offset)),
            // The clock is put forward from `before` to `after`: what was shown by the old rule lies after the gap.
            AmbiguousOffset::Gap { before, after } => {
                let (onward, back) = (at(clock, before), at(clock, after));
                let edge = self.edge(back, onward);
                Local::Never { back, edge, onward }
            }
            AmbiguousOffset::Fold { before, after } => {
                Local::Twice { first: at(clock, before), second: at(clock, after) }
            }
        }
    }

    /// The instant of a local time, with what to do where there is none or two.
    ///
    /// # Errors
    /// The time does not exist or exists twice, and the choice was to refuse it.
    pub fn instant(&self, clock: DateTime, gap: Gap, fold: Fold) -> Result<Timestamp, NotOnce> {
        self.local(clock).pick(gap, fold).ok_or_else(|| NotOnce {
            clock,
            zone: self.name().to_owned(),
            twice: matches!(self.local(clock), Local::Twice { .. }),
        })
    }

    /// The next instant after `after` and not after `until` at which the clocks are put forward or back, with the
    /// change in seconds (3600: forward by an hour).
    pub fn shift(&self, after: Timestamp, until: Timestamp) -> Option<(Timestamp, i32)> {
        let mut before = self.offset_s(after);
        for transition in self.0.following(after) {
            if transition.timestamp() > until {
                return None;
            }
            let now = transition.offset().seconds();
            if now != before {
                return Some((transition.timestamp(), now - before));
            }
            before = now;
        }
        None
    }

    /// The instant of a change of offset between two instants.
    fn edge(&self, from: Timestamp, to: Timestamp) -> Timestamp {
        self.0
            .following(from)
            .next()
            .map(|t| t.timestamp())
            .filter(|edge| *edge <= to)
            .unwrap_or(to)
    }
}

fn at(clock: DateTime, offset: Offset) -> Timestamp {
    // Fails only some hours from the year 9999; there is no show then.
    offset.to_timestamp(clock).unwrap_or(Timestamp::MAX)
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, UnknownZone> {
        Self::named(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

/// What becomes of a time that the clocks skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// As long after the change as it lies in the gap: 02:30 becomes 03:30.
    Onward,
    /// As long before the change: 02:30 becomes 01:30.
    Back,
    /// The instant of the change, the first that exists: 02:30 becomes 03:00.
    Edge,
    /// There is no such time.
    Refuse,
}

/// What becomes of a time that the clocks show twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// The first of the two instants.
    First,
    /// The second of them.
    Second,
    /// It is not clear which is meant.
    Refuse,
}

/// The instants of a local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// One, as nearly always.
    Once(Timestamp),
    /// None: the clocks skip it.
    Never {
        /// As long before the change as the time lies before the gap's end.
        back: Timestamp,
        /// The change.
        edge: Timestamp,
        /// As long after the change as the time lies in the gap.
        onward: Timestamp,
    },
    /// Two: the clocks are put back over it.
    Twice {
        /// Before they are put back.
        first: Timestamp,
        /// After.
        second: Timestamp,
    },
}

impl Local {
    /// The instant by the caller's choice; `None` where it was to refuse.
    pub const fn pick(self, gap: Gap, fold: Fold) -> Option<Timestamp> {
        match (self, gap, fold) {
            (Self::Once(at), _, _) => Some(at),
            (Self::Never { onward, .. }, Gap::Onward, _) => Some(onward),
            (Self::Never { back, .. }, Gap::Back, _) => Some(back),
            (Self::Never { edge, .. }, Gap::Edge, _) => Some(edge),
            (Self::Twice { first, .. }, _, Fold::First) => Some(first),
            (Self::Twice { second, .. }, _, Fold::Second) => Some(second),
            (Self::Never { .. }, Gap::Refuse, _) | (Self::Twice { .. }, _, Fold::Refuse) => None,
        }
    }
}

/// A local time that is no single instant, where one was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOnce {
    /// The time.
    pub clock: DateTime,
    /// The zone.
    pub zone: String,
    /// Twice, or else never.
    pub twice: bool,
}

impl fmt::Display for NotOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (clock, zone) = (self.clock.strftime("%Y-%m-%d %H:%M"), &self.zone);
        if self.twice {
            write!(
                f,
                "{clock} happens twice in {zone}, where the clocks are put back: write it with its offset"
            )
        } else {
            write!(
                f,
                "{clock} does not exist in {zone}, where the clocks are put forward: take a time before or after"
            )
        }
    }
}

impl std::error::Error for NotOnce {}

/// The hour that `at` lies in, by UTC.
pub fn hour_of(at: Timestamp) -> Timestamp {
    let into = at.as_second().rem_euclid(3600);
    let whole = SignedDuration::from_secs(into)
        + SignedDuration::from_nanos(i64::from(at.subsec_nanosecond()));
    at.checked_sub(whole).unwrap_or(at)
}

/// That many hours later, or earlier when it is negative. At the end of time it stays there.
pub fn plus_hours(at: Timestamp, hours: i64) -> Timestamp {
    let end = if hours < 0 { Timestamp::MIN } else { Timestamp::MAX };
    at.checked_add(SignedDuration::from_hours(hours)).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;

    use super::*;

    fn new_york() -> Zone {
        Zone::named("America/New_York").unwrap()
    }

    fn utc(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_in_the_gap_is_what_the_caller_says() {
        let clock = datetime(2027, 3, 14, 2, 30, 0, 0);
        let pick = |gap| new_york().instant(clock, gap, Fold::Refuse);
        assert_eq!(pick(Gap::Onward), Ok(utc("2027-03-14T07:30:00Z")));
        assert_eq!(pick(Gap::Back), Ok(utc("2027-03-14T06:30:00Z")));
        assert_eq!(pick(Gap::Edge), Ok(utc("2027-03-14T07:00:00Z")));
        let shown = |at| new_york().clock(at).time().to_string();
        assert_eq!(shown(pick(Gap::Onward).unwrap()), "03:30:00");
        assert_eq!(shown(pick(Gap::Back).unwrap()), "01:30:00");
        assert_eq!(shown(pick(Gap::Edge).unwrap()), "03:00:00");
        let why = pick(Gap::Refuse).unwrap_err();
        assert!(!why.twice);
        assert!(why.to_string().contains("2027-03-14 02:30 does not exist in America/New_York"));
    }

    #[test]
    fn a_time_in_the_fold_is_what_the_caller_says() {
        let clock = datetime(2027, 11, 7, 1, 30, 0, 0);
        let pick = |fold| new_york().instant(clock, Gap::Refuse, fold);
        assert_eq!(pick(Fold::First), Ok(utc("2027-11-07T05:30:00Z")));
        assert_eq!(pick(Fold::Second), Ok(utc("2027-11-07T06:30:00Z")));
        assert!(pick(Fold::Refuse).unwrap_err().twice);
        // Neither choice touches a time that is there once.
        let plain = datetime(2027, 11, 7, 3, 0, 0, 0);
        let at = new_york().instant(plain, Gap::Refuse, Fold::Refuse);
        assert_eq!(at, Ok(utc("2027-11-07T08:00:00Z")));
    }

    #[test]
    fn a_shift_is_found_with_its_size() {
        let (from, to) = (utc("2027-01-01T00:00:00Z"), utc("2027-12-31T00:00:00Z"));
        let spring = new_york().shift(from, to).unwrap();
        assert_eq!(spring, (utc("2027-03-14T07:00:00Z"), 3600));
        let autumn = new_york().shift(spring.0, to).unwrap();
        assert_eq!(autumn, (utc("2027-11-07T06:00:00Z"), -3600));
        assert_eq!(new_york().shift(autumn.0, to), None);
        assert_eq!(Zone::named("Asia/Bangkok").unwrap().shift(from, to), None);
    }

    #[test]
    fn a_zone_is_written_by_its_name() {
        let zone: Zone = serde_json::from_str("\"Asia/Bangkok\"").unwrap();
        assert_eq!(serde_json::to_string(&zone).unwrap(), "\"Asia/Bangkok\"");
        assert!(serde_json::from_str::<Zone>("\"Asia/Bangcock\"").is_err());
        assert_eq!(Zone::utc().name(), "UTC");
    }

    #[test]
    fn hours_begin_on_the_hour() {
        assert_eq!(hour_of(utc("2027-01-01T05:59:59.999Z")), utc("2027-01-01T05:00:00Z"));
        assert_eq!(hour_of(utc("1969-12-31T23:30:00.5Z")), utc("1969-12-31T23:00:00Z"));
        assert_eq!(plus_hours(utc("2027-01-01T05:00:00Z"), -6), utc("2026-12-31T23:00:00Z"));
    }
}
