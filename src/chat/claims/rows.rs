//! Claims as rows of a table (CSV).

use super::{By, Claim, State, Why};
use crate::base::text::csv_field;

/// The names of the columns. They are field names for programs and the same in every language.
pub const COLUMNS: [&str; 14] = [
    "item", "position", "at", "state", "reason", "quantity", "granted", "name", "user", "platform",
    "source", "by", "late", "text",
];

/// Whether telephone numbers are written out. Buyers write theirs behind an order (Vietnam).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phones {
    /// All digits but the last two are masked.
    Masked,
    /// As written.
    Plain,
}

/// One claim in its place.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Its place among the item's claims, from 1.
    pub position: usize,
    /// The claim.
    pub claim: &'a Claim,
}

impl Row<'_> {
    /// The fields in the order of [`COLUMNS`], ready to be joined by commas.
    pub fn fields(&self, phones: Phones) -> [String; COLUMNS.len()] {
        let claim = self.claim;
        let (state, reason) = match claim.state {
            State::New => ("new", ""),
            State::Confirmed => ("confirmed", ""),
            State::Waiting => ("waiting", ""),
            State::Done => ("done", ""),
            State::Cancelled(Why::User) => ("cancelled", "user"),
            State::Cancelled(Why::Host) => ("cancelled", "host"),
            State::Cancelled(Why::Duplicate) => ("cancelled", "duplicate"),
            State::Cancelled(Why::Amended) => ("cancelled", "amended"),
        };
        let shown = |text: &str| match phones {
            Phones::Masked => masked_phones(text),
            Phones::Plain => text.to_owned(),
        };
        let user = match &claim.person {
            Some(crate::chat::Person::Account { id, .. }) => id.as_str(),
            _ => "",
        };
        [
            csv_field(claim.item.as_str()),
            self.position.to_string(),
            claim.at.to_string(),
            state.to_owned(),
            reason.to_owned(),
            claim.quantity.to_string(),
            claim.granted.to_string(),
            csv_field(&shown(claim.name.as_str())),
            csv_field(user),
            csv_field(claim.platform.as_ref().map_or("", |platform| platform.as_str())),
            csv_field(claim.message.as_ref().map_or("", |(source, _)| source.as_str())),
            match claim.by {
                By::Finder => "message".to_owned(),
                By::Hand => "hand".to_owned(),
            },
            if claim.late { "late".to_owned() } else { String::new() },
            csv_field(&shown(claim.text.as_str())),
        ]
    }
}

/// Fewest digits of a telephone number. The shortest of the markets are Singapore's and Hong Kong's with eight.
const LEAST_DIGITS: usize = 8;
/// Digits that stay, so that a seller can tell two buyers apart.
const SHOWN_DIGITS: usize = 2;

/// `text` with the digits of telephone numbers masked, but for the last two. Blanks, dots and dashes within a number
/// are allowed.
pub fn masked_phones(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = characters.get(at).copied() {
        if !c.is_numeric() {
            out.push(c);
            at += 1;
            continue;
        }
        let rest = characters.get(at..).unwrap_or(&[]);
        let run = number(rest);
        let digits = rest.iter().take(run).filter(|c| c.is_numeric()).count();
        let hidden = if digits >= LEAST_DIGITS { digits - SHOWN_DIGITS } else { 0 };
        let mut seen = 0;
        for c in rest.iter().take(run) {
            let is_digit = c.is_numeric();
            seen += usize::from(is_digit);
            out.push(if is_digit && seen <= hidden { '•' } else { *c });
        }
        at += run;
    }
    out
}

/// Length of a number: digits with single separators between them.
fn number(characters: &[char]) -> usize {
    let (mut end, mut at) = (0, 0);
    while let Some(c) = characters.get(at) {
        if c.is_numeric() {
            end = at + 1;
        } else if !matches!(c, ' ' | '.' | '-' | '(' | ')') || at > end {
            break;
        }
        at += 1;
    }
    end
}
