//! Dates, times and zones as people and platforms write them. A reading that is not certain is refused.

use std::collections::HashMap;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::Offset,
};

use crate::market::{Fold, Gap, Zone};

/// Which of day and month comes first in a date like 03/04/2027.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// The day.
    DayFirst,
    /// The month.
    MonthFirst,
}

/// Where a clock stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// In a zone.
    Zone(Zone),
    /// So many seconds ahead of UTC, whatever the season.
    Offset(i32),
}

/// A date and a time, with what else was said.
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    /// An instant: it needs no zone.
    pub instant: Option<Timestamp>,
    /// A local time.
    pub clock: Option<DateTime>,
    /// The zone that stood behind it.
    pub place: Option<Place>,
    /// Minutes to the end of a span like 20:00-21:30.
    pub minutes: Option<f32>,
}

/// Zones by name; looked up once each.
#[derive(Debug, Default)]
pub struct Zones(HashMap<String, Option<Place>>);

impl Zones {
    /// The zone that a text names: `Asia/Bangkok`, `UTC+7`, `+07:00`, `GMT`.
    pub fn named(&mut self, text: &str) -> Option<Place> {
        let text = text.trim().trim_matches(|c| matches!(c, '[' | ']' | '(' | ')'));
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let place = place(text);
        if self.0.len() < 1000 {
            self.0.insert(text.to_owned(), place.clone());
        }
        place
    }
}

fn place(text: &str) -> Option<Place> {
    match text {
        "北京时间" | "北京時間" | "Beijing time" | "Beijing Time" => {
            return Zone::named("Asia/Shanghai").ok().map(Place::Zone);
        }
        "UTC" | "GMT" | "Z" | "utc" | "gmt" | "z" => return Some(Place::Offset(0)),
        _ => {}
    }
    let bare = ["UTC", "GMT", "utc", "gmt"]
        .iter()
        .find_map(|p| text.strip_prefix(p))
        .unwrap_or(text)
        .trim();
    if bare.starts_with(['+', '-', '−']) {
        return offset(bare).map(Place::Offset);
    }
    // Three letters are no zone: there are several of most of them.
    if text.contains('/') { Zone::named(text).ok().map(Place::Zone) } else { None }
}

/// Seconds of `+07:00`, `+0700`, `+7`, `-3:30`.
fn offset(text: &str) -> Option<i32> {
    let minus = !text.starts_with('+');
    let digits = text.trim_start_matches(['+', '-', '−']);
    let number = |t: &str| {
        (!t.is_empty() && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<i32>().ok())?
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((h, m)) => (number(h)?, number(m)?),
        None if digits.len() == 4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        None => (number(digits)?, 0),
    };
    if hours > 14 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    Some(if minus { -seconds } else { seconds })
}

impl Place {
    /// The instant of a local time here.
    pub fn instant(&self, clock: DateTime) -> Result<Timestamp, String> {
        match self {
            // A time that happens twice may be either: a platform that means one says which.
            Self::Zone(zone) => {
                zone.instant(clock, Gap::Refuse, Fold::Refuse).map_err(|e| e.to_string())
            }
            Self::Offset(seconds) => Offset::from_seconds(*seconds)
                .and_then(|offset| offset.to_timestamp(clock))
                .map_err(|_| "this time is beyond all calendars".to_owned()),
        }
    }
}

/// The three numbers of a date, when it is written with numbers.
fn numbers(text: &str) -> Option<([i64; 3], char)> {
    let mark = text.chars().find(|c| !c.is_ascii_digit())?;
    let mut parts = text
        .split(['-', '/', '.', '年', '月'])
        .map(|part| part.trim().trim_end_matches(['日', '号']));
    let mut next = || {
        let part = parts.next()?;
        ((1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse().ok())?
    };
    let found = [next()?, next()?, next()?];
    parts.next().is_none_or(str::is_empty).then_some((found, mark))
}

/// What a date says of the order of day and month: `None` when nothing.
pub fn order_of(text: &str) -> Option<DateOrder> {
    match numbers(date_part(text))? {
        ([day, _, (32..)], '/' | '-') if day > 12 && day <= 31 => Some(DateOrder::DayFirst),
        ([_, day, (32..)], '/' | '-') if day > 12 && day <= 31 => Some(DateOrder::MonthFirst),
        _ => None,
    }
}

/// Whether a date may be read in two ways.
pub fn is_open(text: &str) -> bool {
    matches!(numbers(date_part(text)), Some(([a, b, (32..)], '/' | '-')) if a <= 12 && b <= 12 && a != b)
}

fn date_part(text: &str) -> &str {
    text.trim().split([' ', 'T', '\u{3000}']).next().unwrap_or_default()
}

/// A date; `order` is for those with slashes.
pub fn date(text: &str, order: Option<DateOrder>) -> Result<Date, &'static str> {
    let text = text.trim();
    if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        let number = |range: std::ops::Range<usize>| {
            text.get(range).and_then(|t| t.parse::<i64>().ok()).unwrap_or(0)
        };
        return made([number(0..4), number(4..6), number(6..8)]);
    }
    let Some((found, mark)) = numbers(text) else { return Err("no date that can be read") };
    match found {
        [(32..), _, _] => made(found),
        // Dots are for day, month and year everywhere.
        [day, month, year @ (32..)] if mark == '.' => made([year, month, day]),
        [a, b, year @ (32..)] => match order {
            Some(DateOrder::DayFirst) => made([year, b, a]),
            Some(DateOrder::MonthFirst) => made([year, a, b]),
            None if a == b => made([year, a, b]),
            None if a > 12 => made([year, b, a]),
            None if b > 12 => made([year, a, b]),
            None => Err("a date that can be read in two ways"),
        },
        _ => Err("a date without its year in full"),
    }
}

fn made([year, month, day]: [i64; 3]) -> Result<Date, &'static str> {
    let small = |n: i64| i8::try_from(n).map_err(|_| "no such day");
    if !(1990..=2100).contains(&year) {
        return Err("a year that no show was in");
    }
    Date::new(year as i16, small(month)?, small(day)?).map_err(|_| "no such day")
}

/// A time of day, and the minutes to its end where it is a span.
fn time(text: &str) -> Result<(Time, Option<f32>), &'static str> {
    let text = text.trim();
    for mark in ["-", "–", "—", "~", "～", "至"] {
        if let Some((left, right)) = text.split_once(mark) {
            let (from, to) = (clock(left)?, clock(right)?);
            if mark == "-" && has_seconds(left) && !has_seconds(right) {
                return Err("a span with seconds at one end only: write both ends alike");
            }
            if mark == "-" && to <= from && text.get(left.len()..).and_then(offset).is_some() {
                return Err(
                    "a span or an offset from UTC: write 20:00~04:00 for a span, 20:00:00-04:00 for an offset",
                );
            }
            let minutes = (to.duration_since(from).as_secs_f32() / 60.0).rem_euclid(1440.0);
            return Ok((from, Some(if minutes == 0.0 { 1440.0 } else { minutes })));
        }
    }
    Ok((clock(text)?, None))
}

fn has_seconds(text: &str) -> bool {
    text.matches([':', '：']).count() == 2
}

fn clock(text: &str) -> Result<Time, &'static str> {
    const NO: &str = "no time of day that can be read";
    let lower = text.trim().to_lowercase();
    let (bare, half) = match () {
        () if lower.ends_with("pm") || lower.ends_with("p.m.") => {
            (lower.trim_end_matches(['p', 'm', '.']), Some(12))
        }
        () if lower.ends_with("am") || lower.ends_with("a.m.") => {
            (lower.trim_end_matches(['a', 'm', '.']), Some(0))
        }
        () if lower.starts_with("下午") || lower.starts_with("晚上") => {
            (lower.trim_start_matches(['下', '午', '晚', '上']), Some(12))
        }
        () if lower.starts_with("上午") => (lower.trim_start_matches(['上', '午']), Some(0)),
        () => (lower.as_str(), None),
    };
    let mut parts = bare
        .trim()
        .split([':', '：', '时', '時', '点', '點', '分', 'h', '.'])
        .map(|part| part.trim().trim_end_matches('秒'))
        .filter(|part| !part.is_empty());
    let mut next = |most: i8| match parts.next() {
        None => Ok(0),
        Some(part) if part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit()) => {
            part.parse::<i8>().ok().filter(|n| *n <= most).ok_or(NO)
        }
        Some(_) => Err(NO),
    };
    if !bare.trim().starts_with(|c: char| c.is_ascii_digit()) {
        return Err(NO);
    }
    let (hour, minute, second) = (next(23)?, next(59)?, next(59)?);
    let hour = match half {
        Some(shift) if (1..=12).contains(&hour) => hour % 12 + shift,
        // The evening may be said in 24 hours beside it.
        Some(12) if hour > 12 => hour,
        Some(_) => return Err(NO),
        None => hour,
    };
    Time::new(hour, minute, second, 0).map_err(|_| NO)
}

/// Date and time in one cell: ISO 8601, seconds or milliseconds since 1970, or as people write it.
pub fn at(text: &str, order: Option<DateOrder>, zones: &mut Zones) -> Result<When, &'static str> {
    let text = text.trim();
    let none = When { instant: None, clock: None, place: None, minutes: None };
    if matches!(text.len(), 10 | 13) && text.bytes().all(|b| b.is_ascii_digit()) {
        let number: i64 = text.parse().map_err(|_| "no time")?;
        let milliseconds = if text.len() == 10 { number * 1000 } else { number };
        let instant = Timestamp::from_millisecond(milliseconds).map_err(|_| "no time")?;
        return Ok(When { instant: Some(instant), ..none });
    }
    if text.as_bytes().get(10) == Some(&b'T')
        && let Ok(instant) = text.parse::<Timestamp>()
    {
        return Ok(When { instant: Some(instant), ..none });
    }
    let cut = text
        .find([' ', 'T', '\u{3000}'])
        .or_else(|| text.find(['日', '号']).map(|i| i + '日'.len_utf8()))
        .ok_or("a date without a time of day")?;
    let (day, rest) = text.split_at(cut);
    let rest = rest.trim_start_matches(['T', ' ', '\u{3000}']).trim();
    if rest.is_empty() {
        return Err("a date without a time of day");
    }
    let date = date(day, order)?;
    let (time, place, minutes) = hours(rest, zones)?;
    Ok(When { clock: Some(date.to_datetime(time)), place, minutes, ..none })
}

/// A time of day, with the zone that stands behind it, or the minutes to its end where it is a span.
pub fn hours(
    text: &str,
    zones: &mut Zones,
) -> Result<(Time, Option<Place>, Option<f32>), &'static str> {
    let rest = text.trim();
    // What stands behind the time may be its zone.
    let (hours, place) = match rest.rsplit_once(' ') {
        Some((time, zone)) => zones.named(zone).map_or((rest, None), |place| (time, Some(place))),
        None => (rest, None),
    };
    let (hours, place) = match hours.rfind(['+', '-']) {
        Some(i) if place.is_none() && i >= 5 => {
            let (before, behind) = hours.split_at(i);
            match offset(behind.trim()) {
                // 20:00-21:00 is a span; 20:00:00-04:00 is none, or its end had seconds too.
                Some(seconds) if behind.starts_with('+') || has_seconds(before) => {
                    (before, Some(Place::Offset(seconds)))
                }
                _ => (hours, place),
            }
        }
        _ => (hours, place),
    };
    let hours = hours.strip_suffix('Z').map_or(hours, str::trim);
    let place = if rest.ends_with('Z') { Some(Place::Offset(0)) } else { place };
    let hours = hours.split_once('.').map_or(hours, |(whole, part)| {
        // Fractions of seconds.
        if whole.matches(':').count() == 2 && part.bytes().all(|b| b.is_ascii_digit()) {
            whole
        } else {
            hours
        }
    });
    let (time, minutes) = time(hours)?;
    Ok((time, place, minutes))
}

/// Minutes of a duration: `90`, `1:30:00`, `1h30m`, `1小时30分`.
pub fn duration(text: &str, unit: f64) -> Option<f32> {
    let text = text.trim().to_lowercase();
    if let Ok(number) = text.replace(',', ".").parse::<f64>() {
        return Some((number * unit) as f32).filter(|n| n.is_finite());
    }
    let parts: Vec<&str> = text.split(':').collect();
    if let [hours, minutes, seconds @ ..] = parts.as_slice()
        && seconds.len() <= 1
    {
        let number = |t: &str| t.trim().parse::<u32>().ok().map(|n| n as f32);
        let seconds = seconds.first().map_or(Some(0.0), |s| number(s))?;
        return Some(number(hours)? * 60.0 + number(minutes)? + seconds / 60.0);
    }
    let words = text
        .replace("小时", "h")
        .replace('时', "h")
        .replace("分钟", "m")
        .replace('分', "m")
        .replace('秒', "s")
        .replace("hours", "h")
        .replace("hour", "h")
        .replace("hrs", "h")
        .replace("hr", "h")
        .replace("minutes", "m")
        .replace("mins", "m")
        .replace("min", "m")
        .replace("seconds", "s")
        .replace("secs", "s")
        .replace("sec", "s");
    let (mut number, mut minutes, mut any) = (String::new(), 0.0_f32, false);
    for c in words.chars().filter(|c| !c.is_whitespace()) {
        match c {
            '0'..='9' | '.' => number.push(c),
            'h' | 'm' | 's' => {
                let n: f32 = number.parse().ok()?;
                minutes += n * match c {
                    'h' => 60.0,
                    'm' => 1.0,
                    _ => 1.0 / 60.0,
                };
                (any, number) = (true, String::new());
            }
            _ => return None,
        }
    }
    (any && number.is_empty() && minutes.is_finite()).then_some(minutes)
}

/// The shortest and the longest show that is believed, in minutes.
pub const SPAN: std::ops::RangeInclusive<f32> = 1.0..=1440.0;

#[cfg(test)]
mod tests {
    use jiff::civil::{date as day, datetime};

    use super::*;

    #[test]
    fn dates_are_read_and_those_with_two_readings_are_not() {
        for text in
            ["2027-03-04", "2027/3/4", "2027.03.04", "2027年3月4日", "20270304", "04.03.2027"]
        {
            assert_eq!(date(text, None), Ok(day(2027, 3, 4)), "{text}");
        }
        assert_eq!(date("03/14/2027", None), Ok(day(2027, 3, 14)));
        assert_eq!(date("14/03/2027", None), Ok(day(2027, 3, 14)));
        assert_eq!(date("03/03/2027", None), Ok(day(2027, 3, 3)));
        assert!(date("03/04/2027", None).is_err());
        assert_eq!(date("03/04/2027", Some(DateOrder::DayFirst)), Ok(day(2027, 4, 3)));
        assert_eq!(date("03/04/2027", Some(DateOrder::MonthFirst)), Ok(day(2027, 3, 4)));
        assert_eq!(date("03/14/2027", Some(DateOrder::DayFirst)), Err("no such day"));
        assert_eq!(date("14/03/2027", Some(DateOrder::MonthFirst)), Err("no such day"));
        for text in ["", "x", "2027-02-30", "3/4/27", "2027-13-01", "0001-01-01", "1-2-3-4-5"] {
            assert!(date(text, None).is_err(), "{text}");
        }
        assert!(is_open("03/04/2027 20:00") && !is_open("13/04/2027") && !is_open("2027-03-04"));
        assert_eq!(order_of("13/04/2027 20:00"), Some(DateOrder::DayFirst));
    }

    #[test]
    fn times_and_zones_are_read() {
        let mut zones = Zones::default();
        let mut read = |text: &str| at(text, None, &mut zones);
        let clock = datetime(2027, 3, 4, 20, 5, 0, 0);
        for text in [
            "2027-03-04 20:05",
            "2027-03-04T20:05:00",
            "2027/3/4 8:05 PM",
            "2027年3月4日 20时05分",
            "2027年3月4日20:05",
            "04.03.2027 20:05",
            "2027-03-04 20:05:00.000",
            "2027-03-04 下午8:05",
        ] {
            let when = read(text).unwrap();
            assert_eq!((when.clock, when.place), (Some(clock), None), "{text}");
        }
        for (text, seconds) in [
            ("2027-03-04 20:05 +07:00", 25_200),
            ("2027-03-04 20:05+0700", 25_200),
            ("2027-03-04 20:05 UTC", 0),
            ("2027-03-04 20:05:00Z", 0),
            ("2027-03-04 20:05 GMT-3", -10_800),
        ] {
            assert_eq!(read(text).unwrap().place, Some(Place::Offset(seconds)), "{text}");
        }
        let when = read("2027-03-04 20:05 Asia/Bangkok").unwrap();
        assert_eq!(when.place, Some(Place::Zone(Zone::named("Asia/Bangkok").unwrap())));
        let instant = "2027-03-04T13:05:00Z".parse().ok();
        assert_eq!(read("2027-03-04T20:05:00+07:00").unwrap().instant, instant);
        assert_eq!(read("1804165500").unwrap().instant, instant);
        assert_eq!(read("1804165500000").unwrap().instant, instant);
        assert_eq!(read("2027-03-04 20:05-21:35").unwrap().minutes, Some(90.0));
        for text in [
            "2027-03-04",
            "2027-03-04 ",
            "20:05",
            "2027-03-04 25:00",
            "2027-03-04 8:05 XM",
            "2027-03-04 13 AM",
        ] {
            assert!(read(text).is_err(), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn an_offset_is_no_span_and_a_span_is_no_offset() {
        let mut zones = Zones::default();
        let mut read = |text: &str| hours(text, &mut zones);
        let eight = Time::constant(20, 0, 0, 0);
        for (text, seconds) in [
            ("20:00:00-04:00", -14_400),
            ("20:00:00-0330", -12_600),
            ("20:00:00.000-04:00", -14_400),
            ("20:00:00+07:00", 25_200),
            ("20:00 -04:00", -14_400),
            ("20:00:00 UTC-4", -14_400),
        ] {
            let place = Some(Place::Offset(seconds));
            assert_eq!(read(text), Ok((eight, place, None)), "{text}");
        }
        for (text, minutes) in [
            ("20:00-21:30", 90.0),
            ("20:00 - 21:30", 90.0),
            ("20:00:00-21:30:00", 90.0),
            ("20:00:00-04:00:00", 480.0),
            ("20:00 - 04:00", 480.0),
            ("20:00~04:00", 480.0),
            ("8pm-4am", 480.0),
        ] {
            assert_eq!(read(text), Ok((eight, None, Some(minutes))), "{text}");
        }
        for text in ["20:00-04:00", "20-4", "04:00-04:00", "20:00:00-21:30", "20:00:00 - 04:00"] {
            assert!(read(text).is_err_and(|why| why.contains("span")), "{text}: {:?}", read(text));
        }
        assert!(read("20:00+9999999").is_err());
        let when = at("2026-10-05 20:00:00-04:00", None, &mut zones).unwrap();
        assert_eq!((when.place, when.minutes), (Some(Place::Offset(-14_400)), None));
    }

    #[test]
    fn durations_are_read() {
        for (text, unit, minutes) in [
            ("90", 1.0, 90.0),
            ("1.5", 60.0, 90.0),
            ("1,5", 60.0, 90.0),
            ("1:30", 1.0, 90.0),
            ("01:30:30", 1.0, 90.5),
            ("1h30m", 1.0, 90.0),
            ("1小时30分钟", 1.0, 90.0),
            ("45 min", 1.0, 45.0),
            ("5400", 1.0 / 60.0, 90.0),
        ] {
            let found = duration(text, unit);
            assert!(found.is_some_and(|m| (m - minutes).abs() < 1e-3), "{text}: {found:?}");
        }
        for text in ["", "x", "1h30", "1:2:3:4", "-"] {
            assert_eq!(duration(text, 1.0), None, "{text}");
        }
    }
}
