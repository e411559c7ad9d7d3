//! A span of the local day in which people watch, with its weight.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Mark;

/// Minutes in a day.
const DAY: u16 = 24 * 60;

/// Which part of the day a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// When most people watch.
    Prime,
    /// The second best time.
    Second,
    /// On the way to work and back.
    Commute,
    /// At lunch.
    Lunch,
    /// Before sleep.
    Bedtime,
    /// When nearly all sleep.
    Night,
    /// A time of a season: before dawn in Ramadan.
    Special,
}

impl Part {
    /// As it is written in a file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prime => "prime",
            Self::Second => "second",
            Self::Commute => "commute",
            Self::Lunch => "lunch",
            Self::Bedtime => "bedtime",
            Self::Night => "night",
            Self::Special => "special",
        }
    }
}

/// A span of the local day.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Which part of the day it is.
    pub part: Part,
    /// When it begins, in minutes after midnight, 0 to 1439.
    pub from: u16,
    /// When it ends, in minutes after midnight, 1 to 1440; before `from` when it passes midnight.
    pub to: u16,
    /// How much is watched in it against prime time, 0 to 2.
    pub weight: f32,
    /// Only in the season of that name.
    pub during: Option<Arc<str>>,
    /// How well it is founded.
    pub mark: Mark,
}

impl Window {
    /// Whether a minute of the day lies in it.
    pub const fn holds(&self, minute: u16) -> bool {
        if self.from < self.to {
            self.from <= minute && minute < self.to
        } else {
            self.from <= minute || minute < self.to
        }
    }

    /// How many of the 60 minutes that begin with `minute` lie in it.
    pub fn minutes_of_hour(&self, minute: u16) -> u16 {
        let overlap = |from: u16, to: u16, start: u16| {
            (start + 60).min(to).saturating_sub(start.max(from)).min(60)
        };
        let spans: [(u16, u16); 2] = if self.from < self.to {
            [(self.from, self.to), (0, 0)]
        } else {
            [(self.from, DAY), (0, self.to)]
        };
        // The hour itself may pass midnight in zones that are not whole hours from UTC.
        let (first, rest) = (minute.min(DAY), (minute + 60).saturating_sub(DAY));
        spans
            .iter()
            .map(|(from, to)| {
                let today = overlap(*from, (*to).min(DAY), first);
                let tomorrow = rest.min(*to).saturating_sub(*from);
                today + tomorrow
            })
            .sum::<u16>()
            .min(60)
    }

    /// As people write it: `19:00-22:00`.
    pub fn span(&self) -> String {
        format!(
            "{:02}:{:02}-{:02}:{:02}",
            self.from / 60,
            self.from % 60,
            self.to / 60,
            self.to % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(from: u16, to: u16) -> Window {
        Window { part: Part::Prime, from, to, weight: 1.0, during: None, mark: Mark::A }
    }

    #[test]
    fn a_window_may_pass_midnight() {
        let late = window(22 * 60, 60);
        assert!(late.holds(23 * 60) && late.holds(0) && !late.holds(60) && !late.holds(12 * 60));
        assert_eq!(late.span(), "22:00-01:00");
        assert_eq!(window(20 * 60, DAY).minutes_of_hour(23 * 60 + 30), 30);
    }

    proptest! {
        #[test]
        fn the_part_of_an_hour_is_what_its_minutes_say(from in 0_u16..DAY, to in 1..=DAY, minute in 0_u16..DAY) {
            prop_assume!(from != to);
            let window = window(from, to);
            let counted = (minute..minute + 60).filter(|m| window.holds(m % DAY)).count();
            prop_assert_eq!(usize::from(window.minutes_of_hour(minute)), counted);
        }
    }
}
