//! Days on which more or less is sold than on others, by rule where there is one and by a table of dates where there
//! is none (the lunar and the Hijri calendar).

use std::{fmt, sync::Arc};

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};
use serde::{Deserialize, Serialize};

use super::Mark;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What kind of day it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DayKind {
    /// A day of sales: 11.11, Black Friday.
    Sale,
    /// Wages come.
    Payday,
    /// People are at home, or away.
    Holiday,
    /// A time of the year in which the day has another shape: Ramadan. It has no lift of its own; windows name it.
    Season,
}

impl DayKind {
    /// As it is written in a file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Payday => "payday",
            Self::Holiday => "holiday",
            Self::Season => "season",
        }
    }
}

/// When it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayOn {
    /// The same date every year.
    Yearly {
        /// 1 to 12.
        month: i8,
        /// 1 to 31.
        day: i8,
    },
    /// The same days of every month; 31 is the last one of any.
    Monthly(Vec<i8>),
    /// The nth such weekday of a month, and some days from it.
    Nth {
        /// 1 to 5, or -1 for the last.
        nth: i8,
        /// Which weekday.
        weekday: Weekday,
        /// 1 to 12.
        month: i8,
        /// Days from it, negative for before.
        plus: i8,
    },
    /// A table; beyond its last year the day is not known.
    Dates(Vec<Date>),
}

/// A sale day, payday, holiday or season.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// What it is called.
    pub name: Arc<str>,
    /// What kind it is.
    pub kind: DayKind,
    /// When it begins.
    pub on: DayOn,
    /// How many days it lasts, at least 1.
    pub lasts: u16,
    /// What it multiplies demand by, 0.1 to 10; 1 for a season.
    pub lift: f32,
    /// How well it is founded.
    pub mark: Mark,
}

impl Day {
    /// Whether a date lies in it.
    pub fn holds(&self, date: Date) -> bool {
        let lasts = i64::from(self.lasts.max(1));
        let begun = |first: Date| {
            let since = days_between(first, date);
            (0..lasts).contains(&since)
        };
        match &self.on {
            DayOn::Dates(dates) => dates.iter().any(|first| begun(*first)),
            // Short ones, the most common: no need to build dates of other months.
            DayOn::Monthly(days) if self.lasts <= 1 => {
                days.iter().any(|day| date.day() == (*day).min(date.days_in_month()))
            }
            _ => {
                // It may have begun in the month or the year before.
                let back =
                    date.checked_sub(i64::from(self.lasts.max(1) - 1).days()).unwrap_or(date);
                self.first_days(back.year(), date.year()).any(begun)
            }
        }
    }

    /// The days on which it begins in those years, in order.
    pub fn first_days(&self, from: i16, to: i16) -> impl Iterator<Item = Date> + '_ {
        (from..=to).flat_map(move |year| self.in_year(year))
    }

    fn in_year(&self, year: i16) -> Vec<Date> {
        match &self.on {
            DayOn::Yearly { month, day } => Date::new(year, *month, *day).into_iter().collect(),
            DayOn::Monthly(days) => {
                let mut all = Vec::new();
                for month in 1..=12 {
                    let Ok(first) = Date::new(year, month, 1) else { continue };
                    for day in days {
                        all.extend(Date::new(year, month, (*day).min(first.days_in_month())));
                    }
                }
                all
            }
            DayOn::Nth { nth, weekday, month, plus } => Date::new(year, *month, 1)
                .and_then(|first| first.nth_weekday_of_month(*nth, *weekday))
                .and_then(|day| day.checked_add(i64::from(*plus).days()))
                .into_iter()
                .collect(),
            DayOn::Dates(dates) => dates.iter().copied().filter(|d| d.year() == year).collect(),
        }
    }
}

/// Whole days from one date to another.
fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

impl fmt::Display for DayOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yearly { month, day } => write!(f, "{month:02}-{day:02} every year"),
            Self::Monthly(days) => {
                for (i, day) in days.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { " and " })?;
                    if *day == 31 { f.write_str("the last")? } else { write!(f, "day {day}")? }
                }
                f.write_str(" of every month")
            }
            Self::Nth { nth, weekday, month, plus } => {
                let days = |n: i8| if n == 1 { "day" } else { "days" };
                match plus {
                    0 => {}
                    1.. => write!(f, "{plus} {} after ", days(*plus))?,
                    _ => write!(f, "{} {} before ", -plus, days(-plus))?,
                }
                let nth = match nth {
                    1 => "first",
                    2 => "second",
                    3 => "third",
                    4 => "fourth",
                    5 => "fifth",
                    _ => "last",
                };
                let month = MONTHS.get(usize::from(month.unsigned_abs()).wrapping_sub(1));
                write!(f, "the {nth} {weekday:?} of {}", month.unwrap_or(&"no month"))
            }
            Self::Dates(dates) => {
                for (i, date) in dates.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write!(f, "{date}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn day(on: DayOn, lasts: u16) -> Day {
        Day { name: "x".into(), kind: DayKind::Sale, on, lasts, lift: 2.0, mark: Mark::S }
    }

    #[test]
    fn black_friday_follows_the_fourth_thursday() {
        let on = DayOn::Nth { nth: 4, weekday: Weekday::Thursday, month: 11, plus: 1 };
        let friday = day(on, 1);
        let days: Vec<Date> = friday.first_days(2026, 2028).collect();
        assert_eq!(days, [date(2026, 11, 27), date(2027, 11, 26), date(2028, 11, 24)]);
        assert_eq!(friday.on.to_string(), "1 day after the fourth Thursday of November");
        assert!(friday.holds(date(2026, 11, 27)) && !friday.holds(date(2026, 11, 28)));
    }

    #[test]
    fn the_last_of_a_month_is_31() {
        let payday = day(DayOn::Monthly(vec![15, 31]), 1);
        for (month, last) in [(1, 31), (2, 28), (4, 30)] {
            assert!(payday.holds(date(2027, month, last)), "{month}");
            assert!(!payday.holds(date(2027, month, last - 1)), "{month}");
        }
        assert!(payday.holds(date(2028, 2, 29)) && !payday.holds(date(2028, 2, 28)));
        assert_eq!(payday.first_days(2027, 2027).count(), 24);
        // A longer one goes on into the next month.
        let long = day(DayOn::Monthly(vec![31]), 3);
        assert!(long.holds(date(2027, 1, 1)) && long.holds(date(2027, 3, 2)));
        assert!(!long.holds(date(2027, 3, 3)));
    }

    #[test]
    fn a_long_day_may_begin_the_year_before() {
        let sales = day(DayOn::Yearly { month: 12, day: 26 }, 10);
        assert!(sales.holds(date(2027, 12, 26)) && sales.holds(date(2028, 1, 4)));
        assert!(!sales.holds(date(2028, 1, 5)) && !sales.holds(date(2027, 12, 25)));
    }

    #[test]
    fn a_table_ends_where_it_ends() {
        let ramadan = day(DayOn::Dates(vec![date(2027, 2, 8)]), 29);
        assert!(ramadan.holds(date(2027, 3, 8)) && !ramadan.holds(date(2027, 3, 9)));
        assert!(!ramadan.holds(date(2026, 2, 20)));
        // A day that a year does not have is not had.
        assert_eq!(day(DayOn::Yearly { month: 2, day: 29 }, 1).first_days(2026, 2028).count(), 1);
    }
}
