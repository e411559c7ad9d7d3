//! What the form of a word, or the language of the line, makes of a word.

use super::words::{ALREADY, COLOUR, CONDITION, DONE, FILLER, NEGATION, PLEASE, Part};
use crate::chat::{
    language::Language,
    normalise::{Folding, Normal},
};

/// "2 dong", "2 min", "2 in black", "2 m" after a code: a particle, an address, a colour, a size; no unit.
pub(super) fn says_nothing_after_a_quantity(word: &str, after: Option<&Part>) -> bool {
    match word {
        "min" | "in" => match after {
            None => true,
            Some(Part::Word(bits, _)) => bits & (FILLER | PLEASE | COLOUR) != 0,
            _ => false,
        },
        "mau" | "lan" | "m" | "l" | "p" | "pm" | "d" => true,
        _ => false,
    }
}

/// "Apártame", "guárdenmelo", "me anotas": verbs of reserving and their endings.
pub(super) fn is_spanish_request(word: &str, language: Option<Language>) -> bool {
    const STEMS: [&str; 8] =
        ["apart", "guard", "separ", "anot", "apunt", "reserv", "agreg", "encarg"];
    const ENDINGS: [&str; 17] = [
        "as", "a", "an", "ame", "eme", "enme", "enos", "amelo", "amela", "emelo", "emela",
        "enmelo", "enmela", "alo", "ala", "arme", "aria",
    ];
    if !matches!(language, Some(Language::Es | Language::Pt) | None) {
        return false;
    }
    let plain = Normal::new(word, Folding::PLAIN);
    STEMS.iter().any(|stem| {
        plain.as_str().strip_prefix(stem).is_some_and(|ending| ENDINGS.contains(&ending))
    })
}

/// "Quiero el 14", "quero o 14".
pub(super) fn is_article(word: &str, language: Option<Language>) -> bool {
    match word {
        "el" => language != Some(Language::Vi),
        "la" | "o" => matches!(language, Some(Language::Es | Language::Pt) | None),
        "a" => language == Some(Language::Pt),
        _ => false,
    }
}

/// What a word denies in one language only: "ko" is "not" in Vietnamese and "my" in Tagalog.
pub(super) fn foreign_denial(word: &str, language: Option<Language>) -> u32 {
    let home = match word {
        "ko" | "k" | "hong" | "kh" | "hok" | "hem" | "roi" | "chua" => Language::Vi,
        "di" | "wag" | "kung" | "pag" | "naka" => Language::Tl,
        "si" => Language::Es,
        "se" => Language::Pt,
        "x" => Language::Ms,
        _ => return 0,
    };
    if language == Some(home) { 0 } else { NEGATION | DONE | CONDITION | ALREADY }
}

/// "Nakaorder", "nagcheckout", "nabili".
pub(super) fn is_past_tagalog(word: &str) -> bool {
    ["nakapag", "nakaka", "naka", "nag", "na"].iter().any(|prefix| {
        word.strip_prefix(prefix).is_some_and(|rest| {
            matches!(
                rest,
                "order"
                    | "mine"
                    | "bili"
                    | "checkout"
                    | "bayad"
                    | "bayaran"
                    | "kuha"
                    | "reserve"
                    | "claim"
                    | "avail"
                    | "lista"
                    | "co"
                    | "grab"
                    | "purchase"
                    | "steal"
            )
        })
    })
}
