//! A poll as it is typed.

use super::super::poll::{Choice, Counts, Match, PollConfig};

/// Choices that are read; further ones make the poll refuse itself.
const MOST: usize = 64;

/// Reads `red=r,1; blue=b,2; green`. A label without keywords is its own keyword. What is wrong with it the poll says.
pub(super) fn read(text: &str) -> PollConfig {
    let choices = text.split(';').map(str::trim).filter(|part| !part.is_empty()).take(MOST);
    let choice = |part: &str| {
        let (label, keywords) = part.split_once('=').unwrap_or((part, part));
        let keywords = keywords.split(',').map(|word| word.trim().to_owned()).collect();
        Choice { label: label.trim().to_owned(), keywords }
    };
    PollConfig {
        choices: choices.map(choice).collect(),
        counts: Counts::Last,
        matches: Match::Line,
        draw: false,
    }
}
