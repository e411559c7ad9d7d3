//! What the form of a word, or the language of the line, makes of a word.

use super::words::{ALREADY, ANY_CLAIM, COLOUR, CONDITION, DONE, FILLER, NEGATION, PLEASE, Part};
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

/// "A4 x2" and "mine A4" order an item, "print it on A4" does not.
pub(super) fn settle(parts: &mut [Part]) {
    for n in 0..parts.len() {
        let Some(Part::Doubtful(code)) = parts.get(n) else { continue };
        let counted = matches!(parts.get(n + 1), Some(Part::Quantity(..)));
        // "Mine A4", "quiero el A4"; not "quiero hojas A4", and not "I want A4 paper".
        let is_filler = |part: &&Part| matches!(part, Part::Word(bits, _) if bits & FILLER != 0 && bits & ANY_CLAIM == 0);
        let mut before = parts.get(..n).unwrap_or_default().iter().rev();
        let claim = before.find(|part| !is_filler(part));
        let named =
            matches!(parts.get(n + 1), Some(Part::Word(bits, _)) if bits & (FILLER | PLEASE) == 0);
        let claimed = !named && matches!(claim, Some(Part::Word(bits, _)) if bits & ANY_CLAIM != 0);
        let short = code.bytes().filter(u8::is_ascii_alphabetic).count() == 1;
        let part =
            if counted || (claimed && short) { Part::Code(code.clone()) } else { Part::Junk };
        if let Some(place) = parts.get_mut(n) {
            *place = part;
        }
    }
}
