//! Text folded to one form for matching: against word lists, rules, phrases and order codes. The result is never shown:
//! it keeps where each of its bytes came from, so that a match can be marked in the original.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;
use unicode_segmentation::UnicodeSegmentation;

/// A run of the same letter is cut to this many: "sooooo" and "soo" are one word, "book" stays.
const LONGEST_RUN: usize = 2;
/// So many single letters in a row ("s c a m") are taken for one word.
const SPELT: usize = 3;
/// Combining marks kept on one letter. Vietnamese has two (a circumflex and a tone).
const MOST_MARKS: usize = 2;

/// What is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folding {
    /// Accents of Latin letters are dropped: "bao nhiêu" is "bao nhieu", "đ" is "d".
    pub marks: bool,
    /// Letters of other scripts that look like ASCII letters become them: Cyrillic "а" is "a".
    pub homoglyphs: bool,
    /// A letter repeated three times or more is written twice.
    pub stretch: bool,
    /// Letters spelt one by one become a word: "s c a m", "s.c.a.m".
    pub spacing: bool,
}

impl Folding {
    /// For rules against abuse: everything is folded.
    pub const RULES: Self = Self { marks: true, homoglyphs: true, stretch: true, spacing: true };
    /// For words and order codes: accents stay, as they say which language it is.
    pub const WORDS: Self = Self { marks: false, homoglyphs: false, stretch: true, spacing: false };
    /// For phrases typed with or without accents.
    pub const PLAIN: Self = Self { marks: true, homoglyphs: false, stretch: true, spacing: false };
}

/// A folded text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Normal {
    text: String,
    /// For each byte of `text` the range of the grapheme it came from, as (start, end) in the original.
    origin: Vec<(u32, u32)>,
}

impl Normal {
    /// Folds a text. In any folding: NFKC (full-width digits and letters become ASCII), lower case, no zero-width
    /// characters, Arabic without vowel signs and with one form of alef, yeh and teh marbuta, blanks of every kind as
    /// spaces.
    pub fn new(raw: &str, folding: Folding) -> Self {
        let mut normal = Self::default();
        normal.text.reserve(raw.len());
        normal.origin.reserve(raw.len());
        for (start, grapheme) in raw.grapheme_indices(true) {
            let from = (start as u32, (start + grapheme.len()) as u32);
            let mut marks = 0;
            let mut bytes = grapheme.bytes();
            if let (Some(byte), None) = (bytes.next(), bytes.next()) {
                normal.push(fold_ascii(byte), from, folding);
                continue;
            }
            for c in grapheme.nfkc().flat_map(char::to_lowercase).nfc() {
                if is_invisible(c) {
                    continue;
                }
                if is_mark(c) {
                    marks += 1;
                    if folding.marks || marks > MOST_MARKS {
                        continue;
                    }
                }
                normal.fold(c, from, folding);
            }
        }
        if folding.spacing { normal.joined() } else { normal }
    }

    fn fold(&mut self, c: char, from: (u32, u32), folding: Folding) {
        let c = if folding.marks { without_marks(c) } else { c };
        let c = match c {
            // Arabic letters that are typed one for another.
            'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
            'ى' | 'ی' => 'ي',
            'ة' => 'ه',
            'ک' => 'ك',
            'ς' => 'σ',
            'ı' => 'i',
            c if c.is_whitespace() => ' ',
            c => c,
        };
        if let Some(digit) = digit(c) {
            self.push(digit, from, folding);
        } else if folding.homoglyphs && may_imitate(c) {
            match imitated(c) {
                Some(letter) => self.push(letter, from, folding),
                None => self.push(c, from, folding),
            }
        } else if c == 'ß' {
            self.push('s', from, folding);
            self.push('s', from, folding);
        } else {
            self.push(c, from, folding);
        }
    }

    fn push(&mut self, c: char, from: (u32, u32), folding: Folding) {
        if folding.stretch && c.is_alphabetic() {
            let run = self.text.chars().rev().take(LONGEST_RUN).take_while(|last| *last == c);
            if run.count() >= LONGEST_RUN {
                // The dropped letter still belongs to the match.
                let width = c.len_utf8();
                for origin in self.origin.iter_mut().rev().take(width) {
                    origin.1 = from.1;
                }
                return;
            }
        }
        self.text.push(c);
        self.origin.extend(std::iter::repeat_n(from, c.len_utf8()));
    }

    /// Letters that stand alone, three or more in a row, are written together.
    fn joined(self) -> Self {
        let chars: Vec<(usize, char)> = self.text.char_indices().collect();
        let letter = |n: usize| chars.get(n).is_some_and(|(_, c)| c.is_alphabetic());
        let gap =
            |n: usize| chars.get(n).is_some_and(|(_, c)| matches!(c, ' ' | '.' | '-' | '_' | '*'));
        let mut out = Self::default();
        let mut n = 0;
        while let Some(&(at, c)) = chars.get(n) {
            let mut spelt = 0;
            if letter(n) && (n == 0 || !letter(n - 1)) {
                while letter(n + 2 * spelt) && !letter(n + 2 * spelt + 1) {
                    spelt += 1;
                    if !gap(n + 2 * spelt - 1) {
                        break;
                    }
                }
            }
            let (count, step) = if spelt >= SPELT { (spelt, 2) } else { (1, 1) };
            for k in 0..count {
                let (at, c) = chars.get(n + k * step).copied().unwrap_or((at, c));
                out.text.push(c);
                out.origin
                    .extend_from_slice(self.origin.get(at..at + c.len_utf8()).unwrap_or_default());
            }
            n += (count - 1) * step + 1;
        }
        out
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The range of the original from which a range of the folded text came, in bytes; whole graphemes.
    pub fn origin(&self, folded: Range<usize>) -> Range<usize> {
        let covered = self.origin.get(folded).unwrap_or_default();
        match (covered.first(), covered.last()) {
            (Some(first), Some(last)) => first.0 as usize..last.1 as usize,
            _ => 0..0,
        }
    }

    /// The folded text with no letter twice in a row: for a second look-up, where the list is squeezed too.
    pub fn squeezed(&self) -> String {
        squeezed(&self.text)
    }
}

/// A text with no letter twice in a row: "soo" and "so" are the same. Digits stay as they are.
pub fn squeezed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut last = None;
    for c in text.chars() {
        if last != Some(c) || !c.is_alphabetic() {
            out.push(c);
        }
        last = Some(c);
    }
    out
}

/// A Latin letter without its accents; any other character as it is.
pub fn without_marks(c: char) -> char {
    match c {
        c if c.is_ascii() => c,
        'đ' | 'ð' => 'd',
        'ł' => 'l',
        'ø' => 'o',
        'ı' => 'i',
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => {
            let mut base = c;
            unicode_normalization::char::decompose_canonical(c, |part| {
                if !is_mark(part) {
                    base = part;
                }
            });
            base
        }
        c => c,
    }
}

const fn fold_ascii(byte: u8) -> char {
    match byte {
        b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => ' ',
        byte => byte.to_ascii_lowercase() as char,
    }
}

/// A decimal digit of any script in which prices and quantities are typed here.
const fn digit(c: char) -> Option<char> {
    let zero = match c {
        '٠'..='٩' => '٠' as u32,
        '۰'..='۹' => '۰' as u32,
        '๐'..='๙' => '๐' as u32,
        _ => return None,
    };
    char::from_digit(c as u32 - zero, 10)
}

/// Marks stacked on letters of Latin, Greek and Cyrillic. (Thai vowels are marks too, but are letters to a reader.)
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

/// Takes no room on the screen, and so can be hidden within a word.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}'
        // Arabic vowel signs and the stretching line.
        | '\u{640}' | '\u{64b}'..='\u{652}' | '\u{670}')
}

/// Scripts whose letters are used in place of Latin ones. Arabic, Thai, Han and kana are not among them: their letters
/// have look-alikes too (alef and "l"), but lines in these languages would be unreadable after it.
const fn may_imitate(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{58f}' | '\u{10a0}'..='\u{10ff}' | '\u{13a0}'..='\u{13ff}' | '\u{1c80}'..='\u{2bff}'
        | '\u{2c60}'..='\u{2dff}' | '\u{a4d0}'..='\u{a4ff}' | '\u{a640}'..='\u{a69f}' | '\u{a720}'..='\u{a7ff}'
        | '\u{ab30}'..='\u{abbf}' | '\u{10400}'..='\u{1044f}' | '\u{1f100}'..='\u{1f1ff}')
}

/// The ASCII letter that a character imitates (Unicode Technical Standard 39, confusables).
fn imitated(c: char) -> Option<char> {
    // Enclosed and negative squared letters have no compatibility form that NFKC knows.
    let letter = |zero: u32| char::from_u32(c as u32 - zero + 'a' as u32);
    match c {
        '\u{1f130}'..='\u{1f149}' => return letter(0x1f130),
        '\u{1f150}'..='\u{1f169}' => return letter(0x1f150),
        '\u{1f170}'..='\u{1f189}' => return letter(0x1f170),
        '\u{1f1e6}'..='\u{1f1ff}' => return letter(0x1f1e6),
        _ => {}
    }
    let mut buffer = [0; 4];
    let mut same = skeleton(c.encode_utf8(&mut buffer));
    match (same.next(), same.next()) {
        (Some(only), None) if only.is_ascii_alphabetic() => Some(only.to_ascii_lowercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(raw: &str) -> String {
        Normal::new(raw, Folding::RULES).text
    }

    #[test]
    fn disguised_words_become_the_word() {
        for disguise in [
            "SCAM",
            "ｓｃａｍ",
            "s c a m",
            "s.c.a.m",
            "S-C-A-M",
            "ѕсаm",
            "sc\u{200b}am",
            "sc\u{ad}am",
            "𝓼𝓬𝓪𝓶",
            "🆂🅲🅰🅼",
            "ⓢⓒⓐⓜ",
            "ś̷c̸ä̶m̵",
            "s\u{2060}cam",
        ] {
            assert_eq!(rules(disguise), "scam", "{disguise}");
        }
        assert_eq!(squeezed(&rules("scaaaaammmm")), "scam");
    }

    #[test]
    fn ordinary_lines_stay_readable() {
        assert_eq!(rules("Bao nhiêu vậy shop, đẹp quá"), "bao nhieu vay shop, dep qua");
        assert_eq!(rules("ราคาเท่าไหร่คะ"), "ราคาเท่าไหร่คะ");
        assert_eq!(rules("这个多少钱"), "这个多少钱");
        assert_eq!(rules("كَمْ السعر"), "كم السعر");
        assert_eq!(rules("배송비 얼마예요"), "배송비 얼마예요");
        assert_eq!(rules("a b"), "a b");
        assert_eq!(rules("i am a b c d"), "i am abcd");
        let words = |raw| Normal::new(raw, Folding::WORDS).text;
        assert_eq!(words("Ａ１２ ＋１"), "a12 +1");
        assert_eq!(words("soooooo book 10000"), "soo book 10000");
        assert_eq!(words("٣ قطع ๒ ตัว"), "3 قطع 2 ตัว");
        assert_eq!(words("Bao nhiêu"), "bao nhiêu");
    }

    #[test]
    fn a_match_is_found_in_the_original() {
        let raw = "no ѕｃ\u{200b}aaaaam 🆂";
        let normal = Normal::new(raw, Folding::RULES);
        let at = normal.as_str().find("scaam").unwrap();
        assert_eq!(&raw[normal.origin(at..at + 5)], "ѕｃ\u{200b}aaaaam");
        assert_eq!(normal.origin(900..901), 0..0);
    }

    proptest! {
        #[test]
        fn any_text_folds_and_keeps_its_origins(raw in "\\PC{0,60}", spaced in any::<bool>()) {
            let folding = if spaced { Folding::RULES } else { Folding::WORDS };
            let normal = Normal::new(&raw, folding);
            prop_assert_eq!(normal.origin.len(), normal.text.len());
            for (at, c) in normal.text.char_indices() {
                let origin = normal.origin(at..at + c.len_utf8());
                prop_assert!(raw.get(origin).is_some_and(|part| !part.is_empty()));
            }
        }

        #[test]
        fn folding_twice_changes_nothing_more(raw in "[a-zA-ZàâđệứñçÄ ะ่ก一ー가ا.]{0,30}") {
            let once = Normal::new(&raw, Folding::PLAIN).text;
            prop_assert_eq!(&Normal::new(&once, Folding::PLAIN).text, &once);
        }
    }
}
