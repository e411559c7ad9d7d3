//! Floor 1: markets. Where people buy, in which zones and languages, when they watch, what they pay with, and
//! the days on which more is sold. Facts and time only: no forecast, no file, no clock.

pub mod almanac;
pub mod day;
pub mod local;
pub mod window;

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

pub use almanac::Almanac;
pub use day::{Day, DayKind, DayOn};
pub use local::{Fold, Gap, Local, NotOnce, UnknownZone, Zone};
pub use window::{Part, Window};

/// The greatest length of a market's name in a file or on the command line.
const LONGEST_ID: usize = 16;

/// A market's name: `TH`, `US-E`. 1 to 16 of A-Z, 0-9 and '-'; small letters are read as great ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MarketId(std::sync::Arc<str>);

impl MarketId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MarketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A word that cannot be a market's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a market's name is 1-16 of A-Z, 0-9 and '-', like TH or US-E")]
pub struct NoMarketId;

impl FromStr for MarketId {
    type Err = NoMarketId;

    fn from_str(word: &str) -> Result<Self, NoMarketId> {
        let fits = (1..=LONGEST_ID).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !word.starts_with('-')
            && !word.ends_with('-');
        if fits { Ok(Self(word.to_ascii_uppercase().into())) } else { Err(NoMarketId) }
    }
}

impl TryFrom<String> for MarketId {
    type Error = NoMarketId;

    fn try_from(word: String) -> Result<Self, NoMarketId> {
        word.parse()
    }
}

impl From<MarketId> for String {
    fn from(id: MarketId) -> Self {
        id.0.as_ref().to_owned()
    }
}

/// How well a fact is founded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mark {
    /// Sourced.
    S,
    /// Weakly sourced: a vendor's page, an aggregator.
    W,
    /// Recollection: known to the trade, not looked up.
    R,
    /// An assumption of ours.
    A,
}

impl Mark {
    /// What it means, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::S => "sourced",
            Self::W => "weakly sourced",
            Self::R => "recollection",
            Self::A => "assumption",
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S => "S",
            Self::W => "W",
            Self::R => "R",
            Self::A => "A",
        })
    }
}

/// A value with the mark of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked<T> {
    /// The value.
    pub value: T,
    /// How well it is founded.
    pub mark: Mark,
}

/// Money of a market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    /// The ISO 4217 code.
    pub code: String,
    /// Digits behind the point in a price, 0 to 3.
    pub decimals: u8,
}

/// A way to pay.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    /// What it is called there.
    pub name: String,
    /// Of a hundred payments, if that is known.
    pub share: Option<f32>,
    /// The money comes days later, and the order stays unpaid until then.
    pub late: bool,
    /// How well its place and share are founded.
    pub mark: Mark,
}

/// A zone of a market, with its part of the people.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneShare {
    /// The zone.
    pub zone: Zone,
    /// Its part of the market's people; the parts of a market add up to 1.
    pub share: f32,
}

/// What a market's shows are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taste {
    /// A short delay, chat answered.
    Lively,
    /// A picture that is sharp and smooth.
    Quality,
}

impl Taste {
    /// The name of the profile that serves it.
    pub const fn profile(self) -> &'static str {
        match self {
            Self::Lively => "lively",
            Self::Quality => "quality",
        }
    }
}

/// A region sold to.
#[derive(Debug, Clone, PartialEq)]
pub struct Market {
    /// Its name.
    pub id: MarketId,
    /// What it is called.
    pub title: String,
    /// Markets of one group behave alike as long as nothing better is known: `south-east-asia`.
    pub group: String,
    /// Its zones, the main one first; never empty.
    pub zones: Vec<ZoneShare>,
    /// Its languages as BCP 47 tags, the most common first; never empty.
    pub languages: Marked<Vec<String>>,
    /// Its money.
    pub currency: Currency,
    /// When people watch, by the clock of their zone.
    pub windows: Vec<Window>,
    /// The weight of an hour that no window holds, 0 to 1.
    pub elsewhere: Marked<f32>,
    /// Multipliers of the days of the week from Monday, around 1.
    pub weekdays: Marked<[f32; 7]>,
    /// What is paid with, the most common first.
    pub payments: Vec<Payment>,
    /// Sale days, paydays, holidays and seasons.
    pub days: Vec<Day>,
    /// What its shows are made for.
    pub taste: Marked<Taste>,
    /// How long a view lasts, in seconds, as platforms measure it; surveys say far more.
    pub watch_s: Marked<u32>,
    /// How long a segment of a show should be, in seconds: at least and at most.
    pub segment_s: Marked<(u32, u32)>,
    /// Names of links (`presets/links/`) to rehearse it with.
    pub links: Vec<String>,
}

impl Market {
    /// The zone of most of its people.
    pub fn zone(&self) -> &Zone {
        // Never empty: `config` refuses a market without a zone.
        &self.zones[0].zone
    }

    /// How much is watched in the hour that begins at `at`, by the windows, the weekday and the season alone: about 1
    /// in prime time. Zones count by their people. Sale days are not in it ([`Market::lift`]).
    pub fn weight(&self, at: Timestamp) -> f32 {
        Almanac::new(self).hour(at).weight
    }

    /// The same, in the seasons of these names.
    fn weight_with(&self, at: Timestamp, seasons: &[&str]) -> f32 {
        self.zones.iter().map(|zone| zone.share * self.weight_in(&zone.zone, at, seasons)).sum()
    }

    fn weight_in(&self, zone: &Zone, at: Timestamp, seasons: &[&str]) -> f32 {
        let clock = zone.clock(at);
        let minute = clock.hour() as u16 * 60 + clock.minute() as u16;
        let weekday = clock.weekday().to_monday_zero_offset() as usize;
        // An hour is judged by how much of it lies in each window.
        let best = self
            .windows
            .iter()
            .filter(|window| window.during.as_ref().is_none_or(|s| seasons.contains(&s.as_ref())))
            .map(|window| {
                let inside = window.minutes_of_hour(minute) as f32 / 60.0;
                (inside, inside * window.weight + (1.0 - inside) * self.elsewhere.value)
            })
            .filter(|(inside, _)| *inside > 0.0)
            .map(|(_, weight)| weight)
            .reduce(f32::max);
        best.unwrap_or(self.elsewhere.value)
            * self.weekdays.value.get(weekday).copied().unwrap_or(1.0)
    }

    /// The day that multiplies demand at `at` the most, if any: a sale day, a payday or a holiday. The date is that of
    /// the main zone.
    pub fn day(&self, at: Timestamp) -> Option<&Day> {
        self.day_on(self.zone().clock(at).date())
    }

    /// The same for a date of the main zone.
    pub fn day_on(&self, date: Date) -> Option<&Day> {
        let strength = |day: &Day| (day.lift.max(1e-3).ln()).abs();
        self.days
            .iter()
            .filter(|day| day.kind != DayKind::Season && day.holds(date))
            .max_by(|a, b| strength(a).total_cmp(&strength(b)))
    }

    /// What the day of [`Market::day`] multiplies demand by; 1 on a plain day.
    pub fn lift(&self, at: Timestamp) -> f32 {
        self.day(at).map_or(1.0, |day| day.lift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        let id: MarketId = "us-e".parse().unwrap();
        assert_eq!(id.as_str(), "US-E");
        assert_eq!(format!("{id:<6}|"), "US-E  |");
        for wrong in ["", "-", "U S", "../x", "ABCDEFGHIJKLMNOPQ", "é", "US-"] {
            assert!(wrong.parse::<MarketId>().is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<MarketId>("\"a b\"").is_err());
    }
}
