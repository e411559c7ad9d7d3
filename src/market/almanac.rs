//! A market's hours one after another: what each is, looked up once for each date. It says what [`Market::weight`] and
//! [`Market::day`] say, in a fraction of the time.

use jiff::{Timestamp, civil::Date};

use super::{Day, DayKind, Market};

/// A reader of a market's hours.
#[derive(Debug, Clone)]
pub struct Almanac<'m> {
    market: &'m Market,
    date: Option<Date>,
    day: Option<&'m Day>,
    seasons: Vec<&'m str>,
}

/// An hour of a market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour<'m> {
    /// The hour of the week by the clock of the main zone, 0 (Monday 00:00) to 167. It is the one that holds the
    /// middle of the hour, so that zones of half hours have whole ones too.
    pub cell: usize,
    /// How much is watched in it: [`Market::weight`].
    pub weight: f32,
    /// The day that multiplies demand the most: [`Market::day`].
    pub day: Option<&'m Day>,
}

impl<'m> Almanac<'m> {
    /// Of a market.
    pub const fn new(market: &'m Market) -> Self {
        Self { market, date: None, day: None, seasons: Vec::new() }
    }

    /// The hour that begins at `at`. Hours in order are quickest.
    pub fn hour(&mut self, at: Timestamp) -> Hour<'m> {
        let zone = self.market.zone();
        let clock = zone.clock(at);
        if self.date != Some(clock.date()) {
            self.date = Some(clock.date());
            self.day = self.market.day_on(clock.date());
            self.seasons.clear();
            self.seasons.extend(
                self.market
                    .days
                    .iter()
                    .filter(|day| day.kind == DayKind::Season && day.holds(clock.date()))
                    .map(|day| day.name.as_ref()),
            );
        }
        let weekday = clock.weekday().to_monday_zero_offset() as usize;
        let half = usize::from(clock.minute() >= 30);
        let cell = (weekday * 24 + clock.hour() as usize + half) % 168;
        Hour { cell, weight: self.market.weight_with(at, &self.seasons), day: self.day }
    }
}

/// The hour of the week as people say it: `Mon 19:00`.
pub fn cell_name(cell: usize) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    format!("{} {:02}:00", DAYS[cell / 24 % 7], cell % 24)
}
