//! What comes again: every so many days or weeks, on given weekdays, so many times or until a day. Anything else of
//! RFC 5545 is refused by name. The days are found by counting, not by walking, however long ago it began.

use jiff::{SignedDuration, Timestamp, civil::Weekday};

use super::{Length, Taken, When};

/// A rule that is understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    /// By weeks, or else by days.
    weekly: bool,
    interval: i64,
    count: Option<i64>,
    /// The last instant at which it may start.
    until: Option<Timestamp>,
    /// Weekdays from Monday; only by weeks. None means that of the start.
    on: [bool; 7],
    /// The first day of a week, 0 is Monday.
    week_from: i64,
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
            weekly: false,
            interval: 1,
            count: None,
            until: None,
            on: [false; 7],
            week_from: 0,
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
                "BYDAY" => {
                    for day in value.split(',') {
                        let day = weekday(&day.to_ascii_uppercase()).ok_or_else(refused)?;
                        rule.on[day] = true;
                    }
                }
                "WKST" => {
                    let day = weekday(&value.to_ascii_uppercase()).ok_or_else(refused)?;
                    rule.week_from = day as i64;
                }
                _ => return Err(refused()),
            }
        }
        match frequency.as_deref() {
            Some("WEEKLY") => rule.weekly = true,
            Some("DAILY") if rule.on == [false; 7] => {}
            // Every day, on some weekdays: every week on them.
            Some("DAILY") if rule.interval == 1 => rule.weekly = true,
            Some("DAILY") => return Err("FREQ=DAILY with INTERVAL and BYDAY".into()),
            other => return Err(format!("FREQ={}", short(other.unwrap_or("")))),
        }
        if rule.weekly && rule.on == [false; 7] {
            rule.on[start.clock().weekday().to_monday_zero_offset().unsigned_abs() as usize] = true;
        }
        Ok(rule)
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
        if !self.weekly {
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
}

/// A word of the file for a message.
pub(super) fn short(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(40).collect()
}
