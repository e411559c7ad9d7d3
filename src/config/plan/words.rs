//! Words for time in a plan file: `mon-fri 09:00-23:00`, `2027-03-10..2027-03-14`, `2027-03-10 20:00`.

use jiff::civil::{Date, DateTime};

use crate::planner::schedule::{Away, Window};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `mon-fri 09:00-23:00`, `sat,sun 12:00-02:00`, `daily 00:00-24:00`.
pub(super) fn window(text: &str) -> Option<Window> {
    let (days, times) = text.trim().split_once(' ')?;
    let (from, to) = times.trim().split_once('-')?;
    let (from_min, to_min) = (minute(from)?, minute(to)?);
    if from_min == to_min || from_min >= 1440 || to_min == 0 {
        // Midnight as an end is written 24:00, and 00:00 is taken as that, too.
        return (to_min == 0 && from_min > 0)
            .then(|| Some(Window { days: days_of(days)?, from_min, to_min: 1440 }))?;
    }
    Some(Window { days: days_of(days)?, from_min, to_min })
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |t: &str, most: u16| -> Option<u16> {
        let digits = (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| t.parse().ok())?.filter(|n| *n <= most)
    };
    let at = number(hour, 24)? * 60 + number(minute, 59)?;
    (at <= 1440).then_some(at)
}

fn days_of(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in text.to_lowercase().split(',') {
        if part == "daily" {
            return Some([true; 7]);
        }
        let day = |name: &str| DAYS.iter().position(|d| *d == name);
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        for place in 0..=(last + 7 - first) % 7 {
            days[(first + place) % 7] = true;
        }
    }
    Some(days)
}

/// `2027-03-10` or `2027-03-10..2027-03-14`, both ends included.
pub(super) fn away(text: &str) -> Option<Away> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last): (Date, Date) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(Away { first, last })
}

/// `2027-03-10 20:00`.
pub(super) fn clock(text: &str) -> Option<DateTime> {
    DateTime::strptime("%Y-%m-%d %H:%M", text.trim().replace('T', " ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read() {
        let read = |text| {
            window(text).map(|w| {
                let days: String = w.days.iter().map(|d| if *d { 'x' } else { '.' }).collect();
                (days, w.from_min, w.to_min)
            })
        };
        assert_eq!(read("mon-fri 09:00-23:00"), Some(("xxxxx..".into(), 540, 1380)));
        assert_eq!(read("Sat,sun 12:00-02:00"), Some((".....xx".into(), 720, 120)));
        assert_eq!(read("fri-mon 20:00-00:00"), Some(("x...xxx".into(), 1200, 1440)));
        assert_eq!(read("daily 00:00-24:00"), Some(("xxxxxxx".into(), 0, 1440)));
        for wrong in ["mon", "mon 9-10", "mon 25:00-26:00", "moon 09:00-10:00", "mon 09:00-09:00"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(away("2027-03-14..2027-03-10").is_none() && away("2027-02-30").is_none());
        assert_eq!(clock("2027-03-10T20:00"), clock("2027-03-10 20:00"));
        assert!(clock("tomorrow").is_none());
    }
}
