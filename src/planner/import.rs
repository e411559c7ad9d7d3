//! Viewers from elsewhere: tables that platforms hand out, as CSV or JSON, in many spellings. Columns are guessed from
//! their names, and the guess can be shown. A row that cannot be read is told with its line and the reason; what is
//! read is told as a whole. It reads text, not files, and keeps nothing.

mod columns;
mod number;
mod row;
mod table;
mod time;

use jiff::Timestamp;

use super::{Aired, History};
use crate::market::{Market, MarketId, Zone, local::hour_of, local::plus_hours};

pub use columns::{Column, Role};
pub use time::DateOrder;

/// How a table is to be read where it does not say so itself.
#[derive(Debug, Clone, Default)]
pub struct Ask<'m> {
    /// The markets there are.
    pub markets: &'m [Market],
    /// The market of rows that name none.
    pub market: Option<MarketId>,
    /// The zone of times without one; the market's own when it is not said.
    pub zone: Option<Zone>,
    /// Which of day and month comes first in dates like 03/04/2027.
    pub dates: Option<DateOrder>,
    /// The present: a row from after it is a slip. `None`: any time is believed.
    pub now: Option<Timestamp>,
}

/// How a table was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The form: `CSV with semicolons`.
    pub form: String,
    /// Its columns in order, with what each was taken for.
    pub columns: Vec<Column>,
    /// A comma parts whole numbers from fractions.
    pub decimal_comma: bool,
    /// Which of day and month comes first, where that was a question.
    pub dates: Option<DateOrder>,
    /// The zone that the head of a column names.
    pub zone: Option<String>,
}

/// A row that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its line in the file, from 1; of JSON the item.
    pub line: u64,
    /// The market.
    pub market: MarketId,
    /// When it began.
    pub at: Timestamp,
    /// How long it lasted, in minutes; an hour when nothing is said.
    pub minutes: f32,
    /// Viewers at once, on average.
    pub viewers: f32,
    /// Orders, when the table has them.
    pub orders: Option<f32>,
}

/// A row that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Its line in the file, from 1; of JSON the item.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// A table that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// How.
    pub mapping: Mapping,
    /// What was read, in the order of the table.
    pub rows: Vec<Row>,
    /// What was not.
    pub bad: Vec<Bad>,
    /// Rows that say what another one says already; they count once.
    pub duplicates: usize,
}

/// Why a table was not read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is nothing in it.
    #[error(
        "there is no row in it: export it again, with a line of column names and rows below it"
    )]
    Empty,
    /// It is no text that we can read.
    #[error("this is no text in UTF-8 or UTF-16: save it as \"CSV UTF-8\"")]
    NotText,
    /// It is JSON, but no table.
    #[error(
        "this JSON is no table ({0}): it should be a list of objects, or one object on each line"
    )]
    NotTable(String),
    /// It is larger than what is taken in at once.
    #[error(
        "it has more than {most} {what}: export a shorter time or fewer columns, and import one table after the other"
    )]
    TooMany {
        /// So many are taken in.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// A line has more cells than any table of viewers.
    #[error("line {line} has more than {most} columns: export it again with fewer of them")]
    TooWide {
        /// The line, from 1.
        line: u64,
        /// So many are taken in.
        most: usize,
    },
    /// No line names a time and viewers.
    #[error(
        "no column is known as {missing}; the columns are {found}. Name one of them viewers, orders, market, date, \
         time, timezone or minutes"
    )]
    NoColumn {
        /// What is missing.
        missing: &'static str,
        /// The columns there are.
        found: String,
    },
    /// No row names a market, and neither does the caller.
    #[error("no column names the market: say which one it is with --market TH or the like")]
    NoMarket,
    /// The dates can be read in two ways.
    #[error(
        "dates like {0} can be read in two ways: say --dates dmy (day first) or --dates mdy (month first)"
    )]
    Dates(String),
}

/// Reads a table.
///
/// # Errors
/// It is no table of viewers, or it can be read in two ways. Single rows that cannot be read are no error: they are
/// in [`Import::bad`].
pub fn read(bytes: &[u8], ask: &Ask<'_>) -> Result<Import, Refused> {
    let text = table::text(bytes).ok_or(Refused::NotText)?;
    let table = table::Table::of(&text)?;
    row::read(&table, ask)
}

impl Row {
    /// Adds it to a history, hour by hour, with its orders spread evenly.
    pub fn add_to(&self, history: &mut History) {
        let mut left = f64::from(self.minutes);
        let all = left.max(1e-3);
        let mut at = self.at;
        // A day is the longest row there is.
        for _ in 0..25 {
            if left <= 0.0 {
                return;
            }
            let next = plus_hours(hour_of(at), 1);
            let room = (next.as_millisecond() - at.as_millisecond()) as f64 / 60_000.0;
            let minutes = left.min(room);
            let orders = self.orders.map(|n| (f64::from(n) * minutes / all) as f32);
            let minutes_f = minutes as f32;
            history
                .add(&self.market, Aired { at, viewers: self.viewers, minutes: minutes_f, orders });
            (left, at) = (left - minutes, next);
        }
    }
}

#[cfg(test)]
mod tests;
