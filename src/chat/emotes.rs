//! Where emotes stand in a text after the text was made harmless. Platforms count in characters of what was sent; a
//! [`Text`] may have lost some of them.

use super::{Emote, MessageId, Text};

/// How many emotes of one message are kept. Twitch's 500 characters hold 250 at most.
const MOST: usize = 256;

/// An emote as the platform reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The first character (code point) of its name.
    pub first: usize,
    /// The last character, inclusive.
    pub last: usize,
    /// The platform's identifier.
    pub id: String,
}

/// Finds the reported emotes of `raw` in `text`. What lies beyond the text, overlaps or is gone is left out.
pub fn placed(raw: &str, text: &Text, mut reported: Vec<Reported>) -> Vec<Emote> {
    reported.retain(|emote| emote.first <= emote.last);
    reported.sort_by_key(|emote| emote.first);
    reported.truncate(MOST * 4);
    let mut out: Vec<Emote> = Vec::new();
    // Borders of the characters of `raw`, in bytes.
    let mut borders: Vec<usize> = raw.char_indices().map(|(at, _)| at).collect();
    borders.push(raw.len());
    let (mut before, mut cursor) = (0, 0);
    for emote in reported {
        let Some((start, end)) =
            borders.get(emote.first).zip(borders.get(emote.last.saturating_add(1)))
        else {
            continue;
        };
        let (Some(name), Some(between)) = (raw.get(*start..*end), raw.get(before..*start)) else {
            continue;
        };
        // The same name may stand before it without being an emote.
        let skipped = between.matches(name).count();
        let rest = text.as_str().get(cursor..).unwrap_or_default();
        let Some((at, _)) = rest.match_indices(name).nth(skipped) else { continue };
        let before_next = *end;
        let (start, end) = (cursor + at, cursor + at + name.len());
        out.push(Emote { start, end, id: MessageId::new(&emote.id) });
        (before, cursor) = (before_next, end);
        if out.len() == MOST {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reported(first: usize, last: usize) -> Reported {
        Reported { first, last, id: "25".to_owned() }
    }

    fn names(raw: &str, all: Vec<Reported>) -> Vec<String> {
        let text = Text::new(raw);
        placed(raw, &text, all).iter().map(|e| text.as_str()[e.start..e.end].to_owned()).collect()
    }

    #[test]
    fn characters_are_counted_not_bytes_and_removed_ones_do_not_shift() {
        assert_eq!(names("😀😀 Kappa x", vec![reported(3, 7)]), ["Kappa"]);
        assert_eq!(
            names("\u{202e}\u{1} Kappa  x Kappa", vec![reported(12, 16), reported(3, 7)]),
            ["Kappa", "Kappa"]
        );
        let text = Text::new("Kappa\u{1} Kappa");
        let found = placed("Kappa\u{1} Kappa", &text, vec![reported(7, 11)]);
        assert_eq!((found[0].start, found[0].end), (6, 11), "the second one, not the first");
    }

    #[test]
    fn ranges_that_cannot_be_are_left_out() {
        assert!(
            names("short", vec![reported(40, 44), reported(3, 2), reported(0, usize::MAX - 1)])
                .is_empty()
        );
        assert_eq!(names("Kappa", vec![reported(0, 4), reported(2, 4)]), ["Kappa"]);
    }

    proptest! {
        #[test]
        fn emotes_lie_in_the_text_in_order(raw in "\\PC{0,30}|[a \\x00-\\x20é😀]{0,30}", ranges: Vec<(usize, usize)>, small in proptest::collection::vec((0_usize..30, 0_usize..30), 0..8)) {
            let text = Text::new(&raw);
            let all = ranges.into_iter().chain(small).map(|(a, b)| reported(a, b)).collect();
            let mut end = 0;
            for emote in placed(&raw, &text, all) {
                prop_assert!(emote.start >= end && emote.start < emote.end);
                prop_assert!(text.as_str().get(emote.start..emote.end).is_some());
                end = emote.end;
            }
        }
    }
}
