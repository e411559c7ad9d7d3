//! Local time against an implementation that shares nothing with ours: chrono-tz, with a tz database of its own.
//! Every zone of every market, every hour of 2026 to 2028, both ways; and the cases in which planners go wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says it by failing")]

use std::collections::BTreeSet;

use chrono::{LocalResult, NaiveDate, Offset as _, TimeZone as _};
use hawker::{
    config::{self, Dirs},
    market::{Fold, Gap, Local, Zone, local::plus_hours},
};
use jiff::{Timestamp, civil::DateTime};

/// 2026-01-01 and 2029-01-01, UTC.
const SPAN: (i64, i64) = (1_767_225_600, 1_861_920_000);

fn zones() -> BTreeSet<String> {
    // No such folder: the embedded markets alone.
    let dirs = Dirs::below(std::path::Path::new("/nowhere/at/all"));
    let markets = config::load_markets(&dirs).unwrap();
    markets.iter().flat_map(|m| m.zones.iter().map(|z| z.zone.name().to_owned())).collect()
}

fn theirs(clock: DateTime) -> chrono::NaiveDateTime {
    let number = |n: i8| u32::try_from(n).unwrap();
    NaiveDate::from_ymd_opt(clock.year().into(), number(clock.month()), number(clock.day()))
        .unwrap()
        .and_hms_opt(number(clock.hour()), number(clock.minute()), 0)
        .unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn every_hour_of_every_zone_agrees_with_another_implementation() {
    let zones = zones();
    assert!(zones.len() >= 19, "{zones:?}");
    let (mut never, mut twice) = (0, 0);
    for name in &zones {
        let ours = Zone::named(name).unwrap();
        let other: chrono_tz::Tz = name.parse().unwrap();
        // Half hours: a zone may be half an hour off, and the half of a gap is a case of its own.
        for seconds in (SPAN.0..SPAN.1).step_by(1800) {
            let clock = ours.clock(at(seconds));
            let expected = other.timestamp_opt(seconds, 0).unwrap();
            assert_eq!(theirs(clock), expected.naive_local(), "{name} at {seconds}");
            let offset = expected.offset().fix().local_minus_utc();
            assert_eq!(ours.offset_s(at(seconds)), offset, "{name} at {seconds}");
            // The other way, from the same numbers read as a local time.
            let local = at(seconds).to_zoned(jiff::tz::TimeZone::UTC).datetime();
            match (ours.local(local), other.from_local_datetime(&theirs(local))) {
                (Local::Once(found), LocalResult::Single(want)) => {
                    assert_eq!(found.as_second(), want.timestamp(), "{name}, {local}");
                }
                (Local::Twice { first, second }, LocalResult::Ambiguous(a, b)) => {
                    let found = (first.as_second(), second.as_second());
                    assert_eq!(found, (a.timestamp(), b.timestamp()), "{name}, {local}");
                    twice += 1;
                }
                (Local::Never { back, edge, onward }, LocalResult::None) => {
                    // On either side of the change, and the change is one.
                    assert!(back < edge && edge <= onward, "{name}, {local}");
                    let before = plus_hours(edge, -1);
                    assert_ne!(ours.offset_s(before), ours.offset_s(edge), "{name}, {local}");
                    never += 1;
                }
                (ours, other) => panic!("{name}, {local}: {ours:?} and {other:?}"),
            }
        }
    }
    // Six zones change their clocks twice in each of three years, by an hour: two half hours each.
    assert_eq!((never, twice), (6 * 3 * 2, 6 * 3 * 2));
}

#[test]
fn a_time_that_does_not_exist_and_one_that_happens_twice() {
    let new_york = Zone::named("America/New_York").unwrap();
    let local = |text: &str| new_york.local(text.parse().unwrap());
    let utc = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(
        local("2027-03-14T02:30"),
        Local::Never {
            back: utc("2027-03-14T06:30Z"),
            edge: utc("2027-03-14T07:00Z"),
            onward: utc("2027-03-14T07:30Z"),
        }
    );
    assert_eq!(
        local("2027-11-07T01:30"),
        Local::Twice { first: utc("2027-11-07T05:30Z"), second: utc("2027-11-07T06:30Z") }
    );
    // Nothing is chosen by accident: who does not choose gets no time.
    assert_eq!(local("2027-03-14T02:30").pick(Gap::Refuse, Fold::First), None);
    assert_eq!(local("2027-11-07T01:30").pick(Gap::Edge, Fold::Refuse), None);
}

#[test]
fn in_the_off_weeks_america_and_europe_are_an_hour_nearer() {
    let distance = |a: &str, b: &str, text: &str| {
        let at = text.parse::<Timestamp>().unwrap();
        (Zone::named(a).unwrap().offset_s(at) - Zone::named(b).unwrap().offset_s(at)) / 3600
    };
    for (noon, hours) in [
        ("2027-03-13T12:00Z", 6),
        ("2027-03-14T12:00Z", 5),
        ("2027-03-27T12:00Z", 5),
        ("2027-03-28T12:00Z", 6),
        ("2027-10-30T12:00Z", 6),
        ("2027-10-31T12:00Z", 5),
        ("2027-11-06T12:00Z", 5),
        ("2027-11-07T12:00Z", 6),
    ] {
        assert_eq!(distance("Europe/Berlin", "America/New_York", noon), hours, "{noon}");
        assert_eq!(distance("Europe/London", "America/New_York", noon), hours - 1, "{noon}");
    }
    // Mexico City and Sao Paulo keep their clocks all year.
    for zone in ["America/Mexico_City", "America/Sao_Paulo"] {
        let there = Zone::named(zone).unwrap();
        assert_eq!(there.shift(at(SPAN.0), at(SPAN.1)), None, "{zone}");
    }
}

#[test]
fn prime_time_follows_the_clock_of_the_viewer() {
    let dirs = Dirs::below(std::path::Path::new("/nowhere/at/all"));
    let weight = |market: &str, at: &str| {
        config::load_market(market, &dirs).unwrap().weight(at.parse().unwrap())
    };
    // 20:00 in New York before and after the clocks change.
    let (winter, summer) =
        (weight("us-e", "2027-03-13T01:00Z"), weight("us-e", "2027-03-19T23:00Z"));
    assert!((winter - summer).abs() < 1e-6 && winter > 0.9, "{winter} {summer}");
    // In Ramadan people are up before dawn in Jakarta (04:00 there is 21:00Z the day before).
    let (plain, ramadan) = (weight("id", "2027-01-12T21:00Z"), weight("id", "2027-02-16T21:00Z"));
    assert!(ramadan > 3.0 * plain, "{plain} {ramadan}");
    // A zone of few people weighs little: 20:00 in Jayapura is 18:00 in Jakarta.
    assert!(weight("id", "2027-01-13T11:00Z") < 0.6 * weight("id", "2027-01-13T13:00Z"));
}
