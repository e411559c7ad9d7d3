//! A long line in parts, parted between words where that goes, never within a grapheme.

use unicode_segmentation::UnicodeSegmentation;

use super::{Length, Limits, Long, Refusal};

/// The parts of a clean, non-empty line.
pub(super) fn split(text: &str, limits: &Limits) -> Result<Vec<String>, Refusal> {
    let length = limits.length;
    let most_parts = match limits.long {
        Long::Refuse => 1,
        Long::Split(parts) => parts.max(1),
    };
    let too_long = Refusal::TooLong {
        most: length.most(),
        bytes: matches!(length, Length::Bytes(_)),
        parts: most_parts,
    };
    let (mut parts, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        if parts.len() == most_parts {
            return Err(too_long);
        }
        if length.of(rest) <= length.most() {
            parts.push(rest.to_owned());
            return Ok(parts);
        }
        let (part, after) = rest.split_at(fitting(rest, length));
        if part.trim().is_empty() {
            return Err(too_long);
        }
        parts.push(part.trim_end().to_owned());
        rest = after.trim_start();
    }
    Ok(parts)
}

/// Bytes of the longest beginning that fits and ends at a blank; without one in its second half, at a grapheme.
fn fitting(text: &str, length: Length) -> usize {
    let (mut used, mut end, mut blank) = (0, 0, 0);
    for (at, grapheme) in text.grapheme_indices(true) {
        if grapheme.chars().all(char::is_whitespace) {
            blank = at;
        }
        used += length.of(grapheme);
        if used > length.most() {
            break;
        }
        end = at + grapheme.len();
    }
    if blank * 2 > end { blank } else { end }
}
