//! What comes again: every so many days, weeks, months or years, so many times or until a day. Anything else of RFC 5545
//! is refused by name. Days and weeks are found by counting, not by walking, however long ago it began; months and years
//! are walked only where `COUNT` has to be counted, and not past the years that are read.

use std::ops::RangeInclusive;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Weekday},
};

use super::{
    Length, Taken, When,
    dates::{self, Days},
};

/// Nothing is looked for after this year.
const LAST_YEAR: i64 = 2300;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Every {
    Day,
    Week,
    Month,
    Year,
}

/// A rule that is understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    every: Every,
    interval: i64,
    count: Option<i64>,
    /// The last instant at which it may start.
    until: Option<Timestamp>,
    /// Weekdays from Monday; only by weeks. None means that of the start.
    on: [bool; 7],
    /// The first day of a week, 0 is Monday.
    week_from: i64,
    /// Which days; only by months and years.
    days: Days,
}

fn weekday(word: &str) -> Option<usize> {
    ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].iter().position(|d| *d == word)
}

impl Rule {
    /// Reads a rule. `when` reads a time in the zone of the start, and whether it is a day without a time.
    ///
    /// # Errors
    /// What of it is not understood.
    pub(super) fn read(
        text: &str,
        start: &When,
        when: impl Fn(&str) -> Option<(When, bool)>,
    ) -> Result<Self, String> {
        let mut rule = Self {
            every: Every::Day,
            interval: 1,
            count: None,
            until: None,
            on: [false; 7],
            week_from: 0,
            days: Days::default(),
        };
        let mut frequency = None;
        for part in text.split(';').filter(|p| !p.is_empty()).take(32) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let refused = || format!("{}={}", short(name), short(value));
            let number = || value.parse().ok().filter(|n| (1..=100_000).contains(n));
            match name.to_ascii_uppercase().as_str() {
                "FREQ" => frequency = Some(value.to_ascii_uppercase()),
                "INTERVAL" => rule.interval = number().ok_or_else(refused)?,
                "COUNT" => rule.count = Some(number().ok_or_else(refused)?),
                "UNTIL" => {
                    let (until, day) = when(value).ok_or_else(refused)?;
                    // A day without a time is meant whole, up to its last second.
                    let last = if day {
                        let next = until.moved(1).ok_or_else(refused)?.instant();
                        next.checked_sub(SignedDuration::from_secs(1)).unwrap_or(next)
                    } else {
                        until.instant()
                    };
                    rule.until = Some(last);
                }
                "BYDAY" => rule.days.weekdays = dates::weekdays(value).ok_or_else(refused)?,
                "BYMONTHDAY" => {
                    rule.days.dates = dates::numbers(value, 31, true).ok_or_else(refused)?;
                }
                "BYMONTH" => {
                    rule.days.months = dates::numbers(value, 12, false).ok_or_else(refused)?;
                }
                "BYSETPOS" => {
                    rule.days.places = dates::numbers(value, 366, true).ok_or_else(refused)?;
                }
                "WKST" => {
                    let day = weekday(&value.to_ascii_uppercase()).ok_or_else(refused)?;
                    rule.week_from = day as i64;
                }
                _ => return Err(refused()),
            }
        }
        rule.every = match frequency.as_deref() {
            Some("DAILY") => Every::Day,
            Some("WEEKLY") => Every::Week,
            Some("MONTHLY") => Every::Month,
            Some("YEARLY") => Every::Year,
            other => return Err(format!("FREQ={}", short(other.unwrap_or("")))),
        };
        if matches!(rule.every, Every::Day | Every::Week) {
            rule.on_weekdays()?;
        }
        if rule.every == Every::Week && rule.on == [false; 7] {
            rule.on[start.clock().weekday().to_monday_zero_offset().unsigned_abs() as usize] = true;
        }
        Ok(rule)
    }

    /// By days and weeks only weekdays without a number are known.
    fn on_weekdays(&mut self) -> Result<(), String> {
        let days = std::mem::take(&mut self.days);
        let daily = self.every == Every::Day;
        let with = if daily { "DAILY" } else { "WEEKLY" };
        let more = [
            ("BYMONTHDAY", days.dates.is_empty()),
            ("BYMONTH", days.months.is_empty()),
            ("BYSETPOS", days.places.is_empty()),
            ("a number in BYDAY", days.weekdays.iter().all(|(number, _)| *number == 0)),
        ];
        if let Some((what, _)) = more.iter().find(|(_, none)| !none) {
            return Err(format!("FREQ={with} with {what}"));
        }
        for (_, day) in &days.weekdays {
            self.on[*day] = true;
        }
        if daily && !days.weekdays.is_empty() {
            if self.interval > 1 {
                return Err("FREQ=DAILY with INTERVAL and BYDAY".into());
            }
            // Every day, on some weekdays: every week on them.
            self.every = Every::Week;
        }
        Ok(())
    }

    /// Days after the start on which the event takes place, as far as they may touch the span; at most `most`.
    pub(super) fn days(
        &self,
        event: &Taken,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Vec<i64> {
        let start = event.start.instant();
        let day = 24 * 3600;
        let length = match event.length {
            Length::Seconds(seconds) => seconds / day + 1,
            Length::Days(days) => days,
        };
        // A day of slack on either side: clocks may have changed.
        let first = ((from.as_second() - start.as_second()) / day - length - 2).max(0);
        let last = (to.as_second() - start.as_second()) / day + 2;
        let mut days = Vec::new();
        let mut take = |at: i64, number: i64| -> bool {
            if self.count.is_some_and(|count| number >= count) || days.len() >= most {
                return false;
            }
            let instant = event.start.moved(at).map(|w| w.instant());
            let over = self.until.is_some_and(|until| instant.is_none_or(|i| i > until));
            if !over {
                days.push(at);
            }
            !over
        };
        if matches!(self.every, Every::Month | Every::Year) {
            self.walk(event, first..=last, take);
            return days;
        }
        if self.every == Every::Day {
            let mut number = first / self.interval;
            while number * self.interval <= last && take(number * self.interval, number) {
                number += 1;
            }
            return days;
        }
        // The week of the start begins so many days before it.
        let weekday = |d: Weekday| i64::from(d.to_monday_zero_offset());
        let into = (weekday(event.start.clock().weekday()) - self.week_from).rem_euclid(7);
        let on: Vec<i64> = (0..7)
            .filter(|place| self.on[(place + self.week_from).rem_euclid(7) as usize])
            .collect();
        let before_start = on.iter().filter(|place| **place < into).count() as i64;
        let mut week = (first + into) / 7 / self.interval;
        loop {
            let begins = week * self.interval * 7 - into;
            if begins > last {
                return days;
            }
            for (index, place) in on.iter().enumerate() {
                let at = begins + place;
                let number = week * on.len() as i64 + index as i64 - before_start;
                if number >= 0 && !take(at, number) {
                    return days;
                }
            }
            week += 1;
        }
    }

    /// Takes days after the start, by months or years, with their numbers, as long as `take` wants more of them.
    fn walk(
        &self,
        event: &Taken,
        span: RangeInclusive<i64>,
        mut take: impl FnMut(i64, i64) -> bool,
    ) {
        let start = event.start.clock().date();
        let month_of = |date: Date| i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
        let by = if self.every == Every::Month { self.interval } else { self.interval * 12 };
        // What is counted is counted from the start.
        let hours = SignedDuration::from_hours(24 * span.start());
        let first = start.checked_add(hours).unwrap_or(start);
        let ahead = (month_of(first) - month_of(start)) / by;
        let mut period = if self.count.is_some() { 0 } else { ahead };
        let mut number = 0;
        loop {
            let at = month_of(start) + period * by;
            let (year, month) = (at.div_euclid(12), at.rem_euclid(12) as i8 + 1);
            if year > LAST_YEAR {
                return;
            }
            let month = (self.every == Every::Month).then_some(month);
            let begins = Date::new(year as i16, month.unwrap_or(1), 1).unwrap_or(start);
            if begins.duration_since(start).as_hours() / 24 > *span.end() {
                return;
            }
            for date in self.days.of(year as i16, month, start) {
                let day = date.duration_since(start).as_hours() / 24;
                if day < 0 {
                    continue;
                }
                if day >= *span.start() && !take(day, number)
                    || self.count.is_some_and(|count| number >= count)
                {
                    return;
                }
                number += 1;
            }
            period += 1;
        }
    }
}

/// A word of the file for a message.
pub(super) fn short(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(40).collect()
}
