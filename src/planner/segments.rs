//! A show in parts that stand alone: people come and go, so each part is as long as a view lasts in the leading market,
//! begins anew, and can be clipped. The hook comes early, the hero product at the predicted peak, and again for
//! those who came late.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outlook, schedule::Slot};
use crate::market::{Market, Taste};

/// What a part of a show is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Why to stay: the best of the show in a few sentences.
    Hook,
    /// A product, from the beginning.
    Product,
    /// The hero product.
    Hero,
    /// The hero product once more, for those who came late.
    Again,
    /// Questions from the chat, and what was pinned.
    Answers,
    /// The last offers, and when the next show is.
    Close,
}

impl Kind {
    /// What to do, in a few words.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Hook => "why to stay: the best of the show",
            Self::Product => "a product, from the beginning",
            Self::Hero => "the hero product, at the peak",
            Self::Again => "the hero product again, for late-comers",
            Self::Answers => "questions from the chat",
            Self::Close => "last offers, and the next show",
        }
    }
}

/// A part of a show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Segment {
    /// Seconds from the start of the show.
    pub from_s: u32,
    /// Seconds it lasts.
    pub length_s: u32,
    /// What it is for.
    pub kind: Kind,
    /// What to cut out and post, in seconds from the start of the show; `None` when it is not worth it.
    pub clip: Option<(u32, u32)>,
}

/// A part without a market's own measure: 5 to 8 minutes.
const USUAL_S: (u32, u32) = (300, 480);

/// A clip is this long at most.
const CLIP_S: u32 = 90;

/// The hero product comes again after so many parts.
const AGAIN: usize = 4;

/// The parts of a show. `known` has its markets; without them the usual measure is taken.
pub fn segments(slot: &Slot, known: &[(Market, Outlook)]) -> Vec<Segment> {
    let total = slot.minutes * 60;
    let lead = slot
        .airings
        .first()
        .and_then(|a| known.iter().map(|(market, _)| market).find(|m| m.id.as_str() == a.market));
    let (least, most) = lead.map_or(USUAL_S, |m| m.segment_s.value);
    let middle = u32::midpoint(least, most).max(60);
    // As many as fit without one being longer than asked for; a show shorter than one is one.
    let count = ((total + middle / 2) / middle).max(total.div_ceil(most.max(60))).max(1);
    let edge = |n: u32| (u64::from(total) * u64::from(n) / u64::from(count)) as u32 / 15 * 15;
    let edges: Vec<u32> = (0..count).map(edge).chain([total]).collect();
    let hero = hero(slot, known, &edges);
    let lively = lead.is_none_or(|m| m.taste.value == Taste::Lively);
    let last = edges.len() - 2;
    let mut plain = 0;
    let mut parts = Vec::new();
    for (index, pair) in edges.windows(2).enumerate() {
        let (from_s, length_s) = (pair[0], pair[1] - pair[0]);
        let kind = if index == 0 {
            Kind::Hook
        } else if index == hero {
            Kind::Hero
        } else if index == last {
            Kind::Close
        } else if index > hero && (index - hero).is_multiple_of(AGAIN) {
            Kind::Again
        } else {
            plain += 1;
            // Where chat is wanted every third part is theirs.
            if lively && plain % 3 == 0 { Kind::Answers } else { Kind::Product }
        };
        let clip = match kind {
            Kind::Hook | Kind::Product | Kind::Hero => {
                Some((from_s, from_s + length_s.min(CLIP_S)))
            }
            Kind::Again | Kind::Answers | Kind::Close => None,
        };
        parts.push(Segment { from_s, length_s, kind, clip });
    }
    parts
}

/// The part in which most are expected, all markets together; never the first or the last while there are more.
fn hero(slot: &Slot, known: &[(Market, Outlook)], edges: &[u32]) -> usize {
    let count = edges.len() - 1;
    if count < 3 {
        return count - 1;
    }
    let viewers = |at: Timestamp| -> f32 {
        let all = slot.airings.iter().filter_map(|a| {
            let (_, outlook) = known.iter().find(|(m, _)| m.id.as_str() == a.market)?;
            outlook.at(at).map(|e| e.viewers)
        });
        all.sum()
    };
    let expected: Vec<f32> = (1..count - 1)
        .map(|index| {
            let middle = SignedDuration::from_secs(i64::from(edges[index] + edges[index + 1]) / 2);
            viewers(slot.start.checked_add(middle).unwrap_or(slot.start))
        })
        .collect();
    let most = expected.iter().copied().fold(0.0, f32::max);
    // Of a peak that lasts, its middle: there are people already, and there still are.
    let peak: Vec<usize> = (0..expected.len()).filter(|i| expected[*i] >= most * 0.999).collect();
    peak.get(peak.len() / 2).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::planner::{Expected, Reason, schedule::Airing};

    fn slot(minutes: u32) -> Slot {
        let airing = Airing {
            market: "TH".into(),
            leads: true,
            repeat: false,
            viewers: 1.0,
            low: 0.0,
            high: 2.0,
            worth: 1.0,
            reasons: vec![Reason::Prior],
        };
        Slot {
            start: "2027-03-10T12:30:00Z".parse().unwrap(),
            minutes,
            host: "lin".into(),
            airings: vec![airing],
            locked: false,
            exploration: false,
        }
    }

    #[test]
    fn a_short_show_has_a_hook_and_a_hero() {
        let kinds: Vec<Kind> = segments(&slot(15), &[]).iter().map(|s| s.kind).collect();
        assert_eq!(kinds, [Kind::Hook, Kind::Hero]);
    }

    #[test]
    fn the_hero_comes_again_and_chat_has_its_part() {
        let parts = segments(&slot(90), &[]);
        let kinds: Vec<Kind> = parts.iter().map(|s| s.kind).collect();
        assert_eq!(kinds[0], Kind::Hook);
        assert_eq!(*kinds.last().unwrap(), Kind::Close);
        assert_eq!(kinds.iter().filter(|k| **k == Kind::Hero).count(), 1);
        assert!(kinds.contains(&Kind::Again) && kinds.contains(&Kind::Answers), "{kinds:?}");
    }

    #[test]
    fn the_usual_measure_is_within_the_facts() {
        let _ = Expected { viewers: 0.0, low: 0.0, high: 0.0, orders: None, reasons: Vec::new() };
        for part in segments(&slot(120), &[]) {
            assert!((285..=495).contains(&part.length_s), "{part:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_fill_the_show(minutes in 1_u32..600) {
            let parts = segments(&slot(minutes), &[]);
            let mut at = 0;
            for part in &parts {
                prop_assert_eq!(part.from_s, at);
                prop_assert!(part.length_s <= 495 && (part.length_s > 0));
                if let Some((from, to)) = part.clip {
                    prop_assert!(from >= at && to <= at + part.length_s && to - from <= CLIP_S);
                }
                at += part.length_s;
            }
            prop_assert_eq!(at, minutes * 60);
        }
    }
}
