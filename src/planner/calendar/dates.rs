//! The days of a month or a year on which something comes again: the second Tuesday, the last day but one, the last
//! workday of each quarter. By RFC 5545; what it leaves open is taken as `dateutil` takes it.

use jiff::civil::{Date, Weekday};

/// Values of a list at most; more say nothing that fewer cannot.
const MOST: usize = 400;

/// Which days of a period.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Days {
    /// 1-12; all when there is none.
    pub months: Vec<i8>,
    /// 1-31 from the beginning of a month, or -1 to -31 from its end.
    pub dates: Vec<i8>,
    /// Weekdays from Monday 0, with their number in the month (in the year, if a year has no months named), from the
    /// end if negative; 0 means each.
    pub weekdays: Vec<(i8, usize)>,
    /// Which of all those of the period, from 1, or from the end if negative; all when there is none.
    pub places: Vec<i16>,
}

/// A list of numbers, each at most `most` from 0 and not 0; from the end only where that means something.
pub(super) fn numbers<N>(text: &str, most: u16, from_end: bool) -> Option<Vec<N>>
where
    N: TryFrom<i16>,
{
    let number = |part: &str| -> Option<N> {
        let number: i16 = part.trim().parse().ok()?;
        let fits = number != 0 && number.unsigned_abs() <= most && (from_end || number > 0);
        fits.then(|| N::try_from(number).ok())?
    };
    text.split(',').take(MOST).map(number).collect()
}

/// `MO`, `2TU`, `-1FR`, in a list.
pub(super) fn weekdays(text: &str) -> Option<Vec<(i8, usize)>> {
    const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let one = |part: &str| {
        let part = part.trim().to_ascii_uppercase();
        let (number, name) = part.split_at_checked(part.len().checked_sub(2)?)?;
        let day = NAMES.iter().position(|n| *n == name)?;
        let number: i8 = if number.is_empty() {
            0
        } else {
            number.parse().ok().filter(|n: &i8| *n != 0 && n.unsigned_abs() <= 53)?
        };
        Some((number, day))
    };
    text.split(',').take(MOST).map(one).collect()
}

impl Days {
    /// The days of a month, or of a whole year without one; `start` says what the rule does not.
    pub(super) fn of(&self, year: i16, month: Option<i8>, start: Date) -> Vec<Date> {
        let by_day = !self.dates.is_empty() || !self.weekdays.is_empty();
        let mut all = Vec::new();
        for number in 1..=12 {
            let named = match month {
                Some(month) => number == month && self.names(number),
                None if self.months.is_empty() && !by_day => number == start.month(),
                None => self.names(number),
            };
            let Ok(first) = Date::new(year, number, 1) else { return all };
            if !named {
                continue;
            }
            let length = first.days_in_month();
            let days = (1..=length).filter(|day| {
                if by_day {
                    self.has(first, *day, month.is_none() && self.months.is_empty())
                } else {
                    *day == start.day()
                }
            });
            all.extend(days.filter_map(|day| Date::new(year, number, day).ok()));
        }
        if self.places.is_empty() {
            return all;
        }
        let mut chosen: Vec<Date> = self
            .places
            .iter()
            .filter_map(|place| {
                let from_end = usize::from(place.unsigned_abs());
                let index =
                    if *place > 0 { from_end - 1 } else { all.len().checked_sub(from_end)? };
                all.get(index).copied()
            })
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    fn names(&self, month: i8) -> bool {
        self.months.is_empty() || self.months.contains(&month)
    }

    /// Whether a day of the month that begins on `first` is one of them; weekdays are counted in the year or in the month.
    fn has(&self, first: Date, day: i8, in_year: bool) -> bool {
        let length = first.days_in_month();
        let by_number = self.dates.is_empty()
            || self.dates.contains(&day)
            || self.dates.contains(&(day - length - 1));
        let monday = |d: Weekday| usize::from(d.to_monday_zero_offset().unsigned_abs());
        let weekday = (monday(first.weekday()) + usize::from(day.unsigned_abs()) - 1) % 7;
        let (place, of) = if in_year {
            (first.day_of_year() + i16::from(day) - 1, first.days_in_year())
        } else {
            (i16::from(day), i16::from(length))
        };
        let (number, from_end) = ((place - 1) / 7 + 1, (of - place) / 7 + 1);
        by_number
            && (self.weekdays.is_empty()
                || self.weekdays.iter().any(|(n, on)| {
                    let n = i16::from(*n);
                    *on == weekday && (n == 0 || n == number || -n == from_end)
                }))
    }
}
