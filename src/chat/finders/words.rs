//! The words of orders: what each part of a line is (a code, a quantity, a claim, politeness), before it is decided
//! whether the line orders anything.

use std::collections::HashMap;

use super::{
    Items,
    forms::{
        foreign_denial, is_article, is_past_tagalog, is_spanish_request,
        says_nothing_after_a_quantity, settle,
    },
    phrases::lists,
    tokens::{self, Kind, Token},
};
use crate::chat::{
    language::Language,
    normalise::{Folding, Normal},
};

const LISTS: &str = include_str!("orders.txt");
/// The greatest quantity that is stated with a sign or a counter.
pub(super) const MOST: u32 = 99;
/// The greatest number before a counter of one letter.
const MOST_SHORT: u32 = 10;
/// Amounts of đồng are hundreds and more; "1 dong" is Javanese politeness.
const LEAST_DONG: u32 = 100;
/// Words of a phrase, at most.
const LONGEST: usize = 4;

pub(super) const ITEM: u32 = 1;
pub(super) const FIRM: u32 = 1 << 1;
pub(super) const CLAIM: u32 = 1 << 2;
pub(super) const ALONE: u32 = 1 << 3;
pub(super) const BLOCK: u32 = 1 << 4;
pub(super) const MARKER: u32 = 1 << 5;
pub(super) const COUNTER: u32 = 1 << 6;
const JUNK: u32 = 1 << 7;
const UNIT: u32 = 1 << 8;
pub(super) const FILLER: u32 = 1 << 9;
pub(super) const ADDRESS: u32 = 1 << 10;
pub(super) const PLEASE: u32 = 1 << 15;
/// A claim in the form of a question.
pub(super) const POLITE: u32 = 1 << 11;
pub(super) const COLOUR: u32 = 1 << 12;
pub(super) const COMMON: u32 = 1 << 13;
const NOT_CODE: u32 = 1 << 14;
/// Denies a claim that follows it: "don't take".
pub(super) const NEGATION: u32 = 1 << 16;
/// A claim that follows it is past: "already order".
pub(super) const ALREADY: u32 = 1 << 17;
/// A claim before it is past: "chốt rồi".
pub(super) const DONE: u32 = 1 << 18;
/// What follows it is a place.
pub(super) const PLACE: u32 = 1 << 19;
/// Claims nothing yet: "if I take A12".
pub(super) const CONDITION: u32 = 1 << 20;
/// A bare number beside it is an item: "meu 14".
pub(super) const OWN: u32 = 1 << 21;
/// Asks for leave: "can you", "được không". With a claim it is a claim in the form of a question.
pub(super) const MODAL: u32 = 1 << 22;
/// Points at what is on show: "this one", "这个".
pub(super) const THIS: u32 = 1 << 23;
/// What follows it is a person's name: "under the name of".
pub(super) const NAME: u32 = 1 << 24;
pub(super) const ANY_CLAIM: u32 = ITEM | FIRM | CLAIM;

/// Said to somebody before a question: "sis how much", "chi oi gia".
const ADDRESSES: &str = "hi hello hey hai halo sis sister sist kak kakak min bang gan om ate kuya mam maam madam sir ma'am host \
    boss bos shop oi chi em anh e c a ad admin seller dear dong mbak mas teh bun cik abang akak hola ola oi oie amiga moca \
    good morning evening po te beh mamsh ok okay wow omg lol so and but pls please excuse me sorry boleh tau";

/// Counters that hold their number.
const DUALS: &[&str] = &["حبتين", "قطعتين", "علبتين"];
/// After a number, these make it an item: "3号".
const AFTER_ITEM: &[&str] = &["号", "號", "番", "번", "호", "号链接", "號連結", "번이요"];

/// After "第" and a number, these are no item.
const RANKS: [char; 10] = ['名', '位', '次', '天', '季', '场', '集', '届', '期', '代'];

/// The word lists.
#[derive(Debug)]
pub(super) struct Words {
    lists: HashMap<Box<str>, u32>,
    numbers: HashMap<Box<str>, u32>,
}

/// A token with what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Code(String),
    Number(u32),
    /// A number as a word.
    Spelt(u32),
    /// A quantity with its sign; whether that is "+".
    Quantity(u32, bool),
    /// The shape of a code, and the name of something else ("A4", "PS5"): a code where it is ordered.
    Doubtful(String),
    /// A size or a number that is neither quantity nor item.
    Variant,
    Junk,
    Break,
    Word(u32, String),
}

/// A line, read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) parts: Vec<Part>,
}

impl Words {
    pub(super) fn new() -> Self {
        let mut words = Self { lists: HashMap::new(), numbers: HashMap::new() };
        for (name, phrases) in lists(LISTS) {
            let bits = match name {
                "item" => ITEM,
                "firm" => FIRM,
                "claim" => CLAIM,
                "alone" => ALONE | CLAIM,
                "block" => BLOCK,
                "marker" => MARKER,
                "counter" => COUNTER,
                "junk" => JUNK,
                "unit" => UNIT,
                "filler" => FILLER,
                "please" => PLEASE,
                "colour" => COLOUR,
                "common" => COMMON,
                "not-code" => NOT_CODE,
                "polite" => POLITE | CLAIM,
                "negation" => NEGATION,
                "already" => ALREADY,
                "done" => DONE,
                "place" => PLACE,
                "condition" => CONDITION,
                "own" => OWN,
                "modal" => MODAL,
                "this" => THIS,
                "name" => NAME,
                _ => 0,
            };
            if let Ok(number) = name.parse() {
                words.numbers.extend(phrases.map(|word| (word.into(), number)));
                continue;
            }
            for phrase in phrases {
                words.add(phrase, bits);
            }
        }
        for word in ADDRESSES.split_whitespace() {
            words.add(word, ADDRESS);
        }
        words
    }

    fn add(&mut self, phrase: &str, bits: u32) {
        let normal = Normal::new(phrase, Folding::WORDS);
        *self.lists.entry(normal.as_str().into()).or_default() |= bits;
    }

    /// What a word or phrase means, as typed or else without its accents.
    fn bits(&self, phrase: &str) -> u32 {
        let typed = self.lists.get(phrase).copied();
        // Only Latin letters have accents to lose.
        if !phrase.chars().any(|c| matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')) {
            return typed.unwrap_or_default();
        }
        let plain = Normal::new(phrase, Folding::PLAIN);
        let plain = self.lists.get(plain.as_str()).copied().unwrap_or_default();
        // A claim is the same claim without its accents; other words may be others.
        match typed {
            Some(bits) if bits & ANY_CLAIM != 0 => bits | plain & (ANY_CLAIM | ALONE | OWN),
            Some(bits) => bits,
            None => plain,
        }
    }

    fn code_part(&self, code: &str, items: &Items) -> Part {
        match items.code(code) {
            Some(known) => Part::Code(known.to_owned()),
            None if self.bits(&code.to_lowercase()) & NOT_CODE != 0 => {
                Part::Doubtful(code.to_owned())
            }
            None => Part::Code(code.to_owned()),
        }
    }

    pub(super) fn is_filler(&self, word: &str) -> bool {
        self.bits(word) & FILLER != 0 && word.is_ascii()
    }

    pub(super) fn is_address(&self, word: &str) -> bool {
        word == "#" || self.bits(word) & ADDRESS != 0
    }

    /// Reads a normalised text.
    pub(super) fn read(&self, text: &str, items: &Items, language: Option<Language>) -> Read {
        let tokens = tokens::cut(text);
        let mut parts: Vec<Part> = Vec::new();
        let mut n = 0;
        while n < tokens.len() {
            n += self.step(&tokens, n, items, language, &mut parts).max(1);
        }
        settle(&mut parts);
        self.join(&mut parts, items, language);
        Read { parts }
    }

    /// Turns the tokens at `n` into parts; says how many it took.
    fn step(
        &self,
        tokens: &[Token],
        n: usize,
        items: &Items,
        language: Option<Language>,
        parts: &mut Vec<Part>,
    ) -> usize {
        let Some(token) = tokens.get(n) else { return 1 };
        let next = tokens.get(n + 1);
        match &token.kind {
            Kind::Word(word) => {
                if let Some(code) = items.code(word) {
                    parts.push(Part::Code(code.to_owned()));
                    return 1;
                }
                if word.is_ascii() || is_latin(word) {
                    return self.latin(tokens, n, items, language, parts);
                }
                self.segment(word, items, parts);
            }
            Kind::Number(number) => {
                let known = items.code(&number.to_string());
                // "1+1" is a bargain, "18+" an age.
                let plus = next.is_some_and(|next| next.kind == Kind::Plus && next.glued);
                let after = tokens.get(n + 2).map(|token| &token.kind);
                if plus {
                    match after {
                        Some(Kind::Number(other))
                            if *number < 5 && *other < 5 && known.is_none() =>
                        {
                            parts.push(Part::Junk);
                            return 3;
                        }
                        Some(Kind::Number(_)) => {}
                        _ => {
                            parts.push(Part::Junk);
                            return 2;
                        }
                    }
                }
                parts.push(known.map_or(Part::Number(*number), |code| Part::Code(code.to_owned())));
            }
            Kind::Code(code) => parts.push(self.code_part(code, items)),
            Kind::Glued(letters, number) => {
                let digits = letters.split_once('\u{0}');
                let word = digits.map_or(letters.as_str(), |(word, _)| word);
                let code = digits.map(|(word, digits)| format!("{word}{digits}").to_uppercase());
                if let Some(code) = code.as_ref().and_then(|code| items.code(code)) {
                    parts.push(Part::Code(code.to_owned()));
                    return 1;
                }
                let bits = self.bits(word);
                if matches!(word, "qty" | "qtd" | "cant" | "jml" | "sl" | "pcs") {
                    parts.push(quantity(*number, false));
                } else if bits & MARKER != 0 && !matches!(word, "sp" | "ms") {
                    parts.push(Part::Code(number.to_string()));
                } else if bits & ANY_CLAIM != 0 {
                    parts.push(Part::Word(bits, word.to_owned()));
                    parts.push(Part::Number(*number));
                } else if bits & JUNK != 0 || self.numbers.contains_key(word) {
                    parts.push(Part::Variant);
                } else {
                    parts.push(code.map_or(Part::Junk, |code| self.code_part(&code, items)));
                }
            }
            Kind::Measured(number, letters) => {
                let code = format!("{number}{letters}").to_uppercase();
                if let Some(code) = items.code(&code) {
                    parts.push(Part::Code(code.to_owned()));
                } else if *number <= MOST_SHORT && matches!(letters.as_str(), "c" | "b" | "ch") {
                    // Vietnamese for "cái", "bộ", "chiếc".
                    parts.push(quantity(*number, false));
                } else if matches!(letters.as_str(), "xl" | "xs" | "xxl" | "s" | "kg" | "cm" | "m")
                {
                    parts.push(Part::Variant);
                } else if self.bits(letters) & COUNTER != 0
                    && !matches!(letters.as_str(), "un" | "lo" | "an")
                {
                    parts.push(quantity(*number, false));
                } else {
                    parts.push(Part::Junk);
                }
            }
            Kind::Times(number) => parts.push(quantity(*number, false)),
            Kind::Plus => {
                return match next.map(|next| &next.kind) {
                    Some(Kind::Number(number)) => {
                        parts.push(quantity(*number, true));
                        2
                    }
                    Some(Kind::Measured(number, letters)) if self.bits(letters) & COUNTER != 0 => {
                        parts.push(quantity(*number, true));
                        2
                    }
                    _ => {
                        if matches!(parts.last(), Some(Part::Code(_))) && next.is_none() {
                            parts.push(quantity(1, true));
                        }
                        1
                    }
                };
            }
            Kind::Junk => parts.push(Part::Junk),
            // "No. 14"
            Kind::Break
                if token.glued
                    && matches!(next.map(|next| &next.kind), Some(Kind::Number(_)))
                    && matches!(parts.last(), Some(Part::Word(bits, _)) if bits & MARKER != 0) => {}
            Kind::Break => parts.push(Part::Break),
            Kind::Sign('-' | '=' | ':' | '_' | '(' | '*') if token.glued => {
                // "A12-2", "A12:2".
                if let (
                    Some(Part::Code(_)),
                    Some(Token { kind: Kind::Number(number), glued: true }),
                ) = (parts.last(), next)
                {
                    parts.push(quantity(*number, false));
                    return 2;
                }
            }
            Kind::Sign('#') => {
                if let Some(Token { kind: Kind::Number(number), glued: true }) = next {
                    parts.push(Part::Code(number.to_string()));
                    return 2;
                }
            }
            Kind::Sign(_) => {}
        }
        1
    }

    /// The longest phrase of Latin words at `n`.
    fn latin(
        &self,
        tokens: &[Token],
        n: usize,
        items: &Items,
        language: Option<Language>,
        parts: &mut Vec<Part>,
    ) -> usize {
        let words: Vec<&str> = tokens
            .iter()
            .skip(n)
            .take(LONGEST)
            .map_while(|token| match &token.kind {
                Kind::Word(word) if word.is_ascii() || is_latin(word) => Some(word.as_str()),
                _ => None,
            })
            .collect();
        // "naka-order"
        if let (Some(first), Some(Kind::Sign('-')), Some(Kind::Word(second))) = (
            words.first(),
            tokens.get(n + 1).map(|token| &token.kind),
            tokens.get(n + 2).map(|token| &token.kind),
        ) && is_past_tagalog(&format!("{first}{second}"))
        {
            parts.push(Part::Word(BLOCK, second.clone()));
            return 3;
        }
        for length in (1..=words.len()).rev() {
            let phrase = words.get(..length).unwrap_or_default().join(" ");
            if let Some(code) = items.code(&phrase) {
                parts.push(Part::Code(code.to_owned()));
                return length;
            }
            if length == 1 && DUALS.contains(&phrase.as_str()) {
                parts.push(quantity(2, false));
                return 1;
            }
            // "One" is an article where no code stands before it.
            let least = if matches!(parts.last(), Some(Part::Code(_))) { 1 } else { 2 };
            if length == 1
                && let Some(number) =
                    self.numbers.get(phrase.as_str()).filter(|number| **number >= least)
                && !matches!(
                    (phrase.as_str(), language),
                    ("hai", Some(Language::Id | Language::Ms) | None)
                        | ("song", Some(Language::En) | None)
                )
            {
                parts.push(Part::Spelt(*number));
                return 1;
            }
            let before_counted = || {
                words.get(1).is_some_and(|next| self.bits(next) & COUNTER != 0)
                    || matches!(
                        tokens.get(n + 1).map(|token| &token.kind),
                        Some(Kind::Code(_) | Kind::Glued(..))
                    )
            };
            if length == 1 && phrase == "ba" && language == Some(Language::Vi) && before_counted() {
                parts.push(Part::Spelt(3));
                return 1;
            }
            let bits = self.bits(&phrase);
            let bits = if length == 1 && is_past_tagalog(&phrase) { bits | BLOCK } else { bits };
            let bits = if bits == 0 && length == 1 && is_spanish_request(&phrase, language) {
                CLAIM
            } else {
                bits
            };
            if bits != 0 {
                let folded = Normal::new(&phrase, Folding::PLAIN);
                let folded = folded.as_str();
                // "ao" is "take" in Thai and "shirt" in Vietnamese, "co" is checkout and "there is".
                let foreign = (matches!(folded, "ao" | "rap" | "rub")
                    && language != Some(Language::Th))
                    || (matches!(folded, "co" | "ve" | "mau") && language == Some(Language::Vi));
                let bits = if foreign { FILLER } else { bits };
                let bits = bits & !foreign_denial(folded, language);
                parts.push(Part::Word(bits, phrase));
                return length;
            }
        }
        let word = words.first().copied().unwrap_or_default();
        let part =
            self.numbers.get(word).map_or(Part::Word(0, word.to_owned()), |n| Part::Spelt(*n));
        parts.push(part);
        1
    }

    /// A run of a script without blanks: the longest listed words, one after another.
    fn segment(&self, run: &str, items: &Items, parts: &mut Vec<Part>) {
        let chars: Vec<(usize, char)> = run.char_indices().collect();
        let end = |n: usize| chars.get(n).map_or(run.len(), |(at, _)| *at);
        let mut unknown = String::new();
        let mut n = 0;
        while n < chars.len() {
            let mut found = None;
            for length in (1..=12.min(chars.len() - n)).rev() {
                let word = run.get(end(n)..end(n + length)).unwrap_or_default();
                let number = self.numbers.get(word).copied();
                let bits = self.bits(word);
                if bits != 0
                    || number.is_some()
                    || AFTER_ITEM.contains(&word)
                    || DUALS.contains(&word)
                {
                    found = Some((length, word, bits, number));
                    break;
                }
            }
            let known = |length: &usize| {
                let word = run.get(end(n)..end(n + length)).unwrap_or_default();
                items.code(word).map(|code| (*length, code))
            };
            if !items.codes.is_empty()
                && let Some((length, code)) =
                    (2..=12.min(chars.len() - n)).rev().find_map(|length| known(&length))
            {
                if !unknown.is_empty() {
                    parts.push(Part::Word(0, std::mem::take(&mut unknown)));
                }
                parts.push(Part::Code(code.to_owned()));
                n += length;
                continue;
            }
            let Some((length, word, bits, number)) = found else {
                unknown.extend(chars.get(n).map(|(_, c)| *c));
                n += 1;
                continue;
            };
            if !unknown.is_empty() {
                parts.push(Part::Word(0, std::mem::take(&mut unknown)));
            }
            if DUALS.contains(&word) {
                parts.push(quantity(2, false));
            } else if let Some(number) = number {
                parts.push(Part::Spelt(number));
            } else {
                parts.push(Part::Word(bits, word.to_owned()));
            }
            n += length;
        }
        if !unknown.is_empty() {
            parts.push(Part::Word(0, unknown));
        }
    }

    /// What neighbours make of each other: "2 pcs", "sp 3", "3号", "size 38", "50 baht".
    fn join(&self, parts: &mut Vec<Part>, items: &Items, language: Option<Language>) {
        let claims =
            parts.iter().any(|part| matches!(part, Part::Word(bits, _) if bits & ANY_CLAIM != 0));
        let mut out: Vec<Part> = Vec::with_capacity(parts.len());
        let mut n = 0;
        while let Some(part) = parts.get(n) {
            let next = parts.get(n + 1);
            let after = parts.get(n + 2);
            let mut used = 1;
            match (part, next) {
                // A number as a word is a quantity before a counter.
                (Part::Number(number) | Part::Spelt(number), Some(Part::Word(bits, word))) => {
                    let spelt = matches!(part, Part::Spelt(_));
                    if AFTER_ITEM.contains(&word.as_str()) && !spelt {
                        out.push(self.code_part(&number.to_string(), items));
                        used = 2;
                    } else if bits & COUNTER != 0
                        && (bits & UNIT == 0 || !word.is_ascii())
                        && word != "x"
                    {
                        out.push(quantity(*number, false));
                        used = 2;
                    } else if !spelt
                        && (matches!(out.last(), Some(Part::Code(_)))
                            && *number <= MOST_SHORT
                            && says_nothing_after_a_quantity(word, after)
                            || word == "dong" && *number < LEAST_DONG)
                    {
                        out.push(part.clone());
                        used = 2;
                    } else if bits & UNIT != 0 && !spelt {
                        out.push(Part::Junk);
                        used = 2;
                    } else if word == "x" {
                        out.push(quantity(*number, false));
                        used = 2;
                    } else {
                        out.push(part.clone());
                    }
                }
                (Part::Word(_, word), Some(Part::Number(number))) if word == "x" => {
                    out.push(quantity(*number, false));
                    used = 2;
                }
                (Part::Word(bits, word), Some(Part::Number(number))) => {
                    let counted = matches!(after, Some(Part::Word(bits, _)) if bits & COUNTER != 0);
                    if matches!(word.as_str(), "sp" | "ms") {
                        out.push(self.code_part(&format!("{word}{number}").to_uppercase(), items));
                        used = 2;
                    } else if bits & MARKER != 0 && (!counted || word == "第") {
                        out.push(self.code_part(&number.to_string(), items));
                        used = 2;
                        // "第3个" is an item, "第1名" a rank.
                        if word == "第" {
                            match after {
                                Some(Part::Word(bits, word))
                                    if bits & COUNTER != 0
                                        || AFTER_ITEM.contains(&word.as_str()) =>
                                {
                                    used = 3;
                                }
                                Some(Part::Word(_, word)) if word.starts_with(RANKS) => {
                                    out.pop();
                                    out.push(Part::Junk);
                                    used = 3;
                                }
                                _ => {}
                            }
                        }
                    } else if claims && !counted && is_article(word, language) {
                        out.push(self.code_part(&number.to_string(), items));
                        used = 2;
                    } else if bits & JUNK != 0 && bits & ANY_CLAIM == 0 {
                        out.push(Part::Variant);
                        used = 2;
                    } else if word.len() == 1
                        && word.bytes().all(|b| b.is_ascii_lowercase())
                        && matches!(after, Some(Part::Quantity(..)))
                    {
                        out.push(self.code_part(&format!("{word}{number}").to_uppercase(), items));
                        used = 2;
                    } else {
                        out.push(part.clone());
                    }
                }
                (Part::Word(bits, _), Some(Part::Code(_)))
                    if bits & MARKER != 0 && bits & ANY_CLAIM == 0 => {}
                _ => out.push(part.clone()),
            }
            n += used;
        }
        *parts = out;
    }
}

fn quantity(number: u32, plus: bool) -> Part {
    if (1..=MOST).contains(&number) { Part::Quantity(number, plus) } else { Part::Junk }
}

pub(super) fn is_latin(word: &str) -> bool {
    word.chars().all(|c| {
        matches!(c, 'a'..='z' | '\u{621}'..='\u{6d3}' | '\'' | '’' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{300}'..='\u{36f}')
    })
}
