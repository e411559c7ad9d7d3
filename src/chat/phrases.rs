//! The lines that viewers write most, in all languages: recognised by a table, and given in another language without a
//! translation service.

use std::collections::HashMap;

use serde::Serialize;

use super::{
    finders::is_code,
    language::Language,
    normalise::{Folding, Normal},
};

const TABLE: &str = include_str!("phrases/table.txt");
/// Words of politeness and address that are dropped at either end of a line.
const POLITE: &str = "shop oi a e em c chi anh ad admin kak kakak kk sis po please pls plz porfa porfavor ya yaa dong min te ate kuya \
    host boss bos ka kha krub krab kub vay v the nha nhe da hi hello hey sir mam maam dear la ni nie ke sih deh gan bang ba ค่ะ คะ \
    ครับ คับ จ้า นะคะ นะ 请问 請問 すみません 저기요 ممكن لو سمحتي لو سمحت من فضلك amiga moca gente ai ese esse ito yan this isso eso este";
/// The same where words are not apart.
const PARTICLES: &[&str] = &[
    "นะคะ",
    "นะครับ",
    "ค่ะ",
    "คะ",
    "ครับ",
    "คับ",
    "จ้า",
    "จ้ะ",
    "นะ",
    "呀",
    "啊",
    "呢",
    "哦",
    "了呀",
    "喔",
    "啦",
    "です",
    "よ",
    "ね",
    "요",
];
/// Longest line that is looked up, in characters.
const LONGEST: usize = 80;
/// A typed phrase: the meaning of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Phrase(&'static str);

impl Phrase {
    /// Its name in the table: `price`, `no-sound`.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// A line that the table knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it says.
    pub phrase: Phrase,
    /// In which language.
    pub language: Language,
    /// The item's code beside it, in capitals.
    pub code: Option<String>,
}

/// A translation by the table. It gives the meaning, not the words: show it as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// What was recognised.
    pub known: Known,
    /// The phrase in the language asked for, with the item's code before it.
    pub text: String,
}

/// The table of phrases.
#[derive(Debug)]
pub struct PhraseTable {
    /// Folded line to what it may be.
    forms: HashMap<String, Vec<(Phrase, Language)>>,
    given: HashMap<(Phrase, Language), &'static str>,
    polite: Vec<&'static str>,
}

impl PhraseTable {
    /// The built-in table.
    pub fn new() -> Self {
        let mut table = Self {
            forms: HashMap::new(),
            given: HashMap::new(),
            polite: POLITE.split_whitespace().collect(),
        };
        let mut phrase = None;
        for row in TABLE.lines().map(str::trim) {
            if let Some(name) = row.strip_prefix('[').and_then(|row| row.strip_suffix(']')) {
                phrase = Some(Phrase(name));
            } else if let (Some(phrase), Some((tag, forms))) = (phrase, row.split_once(": "))
                && let Some(language) = Language::from_tag(tag)
            {
                let mut forms = forms.split(" | ").map(str::trim);
                if let Some(given) = forms.clone().next() {
                    table.given.insert((phrase, language), given);
                }
                forms.by_ref().for_each(|form| table.add(form, phrase, language));
            }
        }
        table
    }

    fn add(&mut self, form: &str, phrase: Phrase, language: Language) {
        let known = self.forms.entry(folded(form)).or_default();
        if !known.contains(&(phrase, language)) {
            known.push((phrase, language));
        }
    }

    /// Which phrase a line is. `language` is what the line is taken for, where that is known; it decides where a form
    /// is used in several.
    pub fn recognise(&self, line: &str, language: Option<Language>) -> Option<Known> {
        if line.chars().nth(LONGEST).is_some() {
            return None;
        }
        let (words, code) = without_code(&folded(line));
        let forms = self.forms_of(&words)?;
        let (phrase, of) = forms
            .iter()
            .find(|(_, of)| Some(*of) == language)
            .or_else(|| {
                forms.iter().find(|(_, of)| language.is_some_and(|known| of.is_near(known)))
            })
            .or_else(|| forms.first())?;
        Some(Known { phrase: *phrase, language: *of, code })
    }

    /// What the words may be: as they are, or without politeness at the ends.
    fn forms_of(&self, words: &str) -> Option<&Vec<(Phrase, Language)>> {
        let mut words = words;
        loop {
            if let Some(forms) = self.forms.get(words) {
                return Some(forms);
            }
            let shorter = self.shortened(words)?;
            words = shorter;
        }
    }

    fn shortened<'a>(&self, words: &'a str) -> Option<&'a str> {
        let is_polite = |word: &str| self.polite.contains(&word);
        if let Some((rest, last)) = words.rsplit_once(' ')
            && is_polite(last)
        {
            return Some(rest);
        }
        if let Some((first, rest)) = words.split_once(' ')
            && is_polite(first)
        {
            return Some(rest);
        }
        let shorter =
            PARTICLES.iter().find_map(|particle| words.strip_suffix(particle))?.trim_end();
        (!shorter.is_empty()).then_some(shorter)
    }

    /// A line in another language, if the table knows it and it is not in that language already.
    pub fn translate(
        &self,
        line: &str,
        from: Option<Language>,
        to: Language,
    ) -> Option<Translation> {
        let known = self.recognise(line, from)?;
        if known.language.is_near(to) {
            return None;
        }
        let given = self.given(known.phrase, to)?;
        let text =
            known.code.as_ref().map_or_else(|| given.to_owned(), |code| format!("{code}: {given}"));
        Some(Translation { known, text })
    }

    /// A phrase in a language.
    pub fn given(&self, phrase: Phrase, language: Language) -> Option<&'static str> {
        self.given.get(&(phrase, language)).copied()
    }

    /// All phrases, in no order.
    pub fn phrases(&self) -> impl Iterator<Item = Phrase> + '_ {
        self.given
            .keys()
            .filter(|(_, language)| *language == Language::En)
            .map(|(phrase, _)| *phrase)
    }
}

impl Default for PhraseTable {
    fn default() -> Self {
        Self::new()
    }
}

/// A line as it is looked up: folded, without signs and pictures, one blank between words.
fn folded(line: &str) -> String {
    let normal = Normal::new(line, Folding { stretch: false, ..Folding::PLAIN });
    let mut out = String::with_capacity(line.len());
    let mut run = 0;
    for c in normal.as_str().chars() {
        if c.is_alphanumeric() || matches!(c, '\u{e30}'..='\u{e4e}' | 'ー') {
            run = if out.ends_with(c) { run + 1 } else { 1 };
            if run == 3 && c.is_alphabetic() {
                out.pop();
            }
            if run < 3 || !c.is_alphabetic() {
                out.push(c);
            }
        } else if !matches!(c, '\'' | '’') && !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The words without the one that has the shape of an item's code.
fn without_code(words: &str) -> (String, Option<String>) {
    let codes: Vec<&str> = words.split(' ').filter(|word| is_code(word)).collect();
    let [code] = codes.as_slice() else { return (words.to_owned(), None) };
    let rest: Vec<&str> = words.split(' ').filter(|word| word != code).collect();
    (rest.join(" "), Some(code.to_uppercase()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_phrase_is_there_in_every_language_and_is_itself() {
        let table = PhraseTable::new();
        let mut phrases = 0;
        for phrase in table.phrases() {
            phrases += 1;
            for language in Language::ALL {
                let given = table.given(phrase, language);
                let given = given.unwrap_or_else(|| panic!("{phrase:?} {language:?}"));
                let known = table.recognise(given, Some(language));
                assert_eq!(known.map(|known| known.phrase), Some(phrase), "{given}");
            }
        }
        assert_eq!(phrases, TABLE.lines().filter(|row| row.starts_with('[')).count());
        assert!(phrases >= 25);
        // No form means two things in one language.
        for (form, known) in &table.forms {
            for (n, (_, language)) in known.iter().enumerate() {
                assert!(
                    known.iter().skip(n + 1).all(|(_, other)| other != language),
                    "{form}: {known:?}"
                );
            }
        }
    }

    #[test]
    fn lines_as_typed_are_recognised() {
        let table = PhraseTable::new();
        let name = |line: &str| table.recognise(line, None).map(|known| known.phrase.name());
        for (line, phrase) in [
            ("bao nhieu vay shop oi", "price"),
            ("Giá bao nhiêu???", "price"),
            ("hm po", "price"),
            ("PRICE PLS!!", "price"),
            ("ราคาเท่าไหร่คะ", "price"),
            ("cod?", "cod"),
            ("no sound 😭", "no-sound"),
            ("Lagggggg", "lag"),
            ("没声音啊", "no-sound"),
            ("cara order kak", "order-how"),
            ("¿cuánto cuesta?", "price"),
            ("얼마예요?", "price"),
            ("بكم؟", "price"),
        ] {
            assert_eq!(name(line), Some(phrase), "{line}");
        }
        for line in [
            "",
            "A12",
            "A12 +1",
            "the price of freedom is high",
            "nice weather",
            "2",
            "@all",
            "a1 b2 price",
        ] {
            assert_eq!(name(line), None, "{line}");
        }
    }

    #[test]
    fn a_line_is_given_in_another_language_with_its_code() {
        let table = PhraseTable::new();
        let text =
            |line: &str, to| table.translate(line, None, to).map(|translation| translation.text);
        assert_eq!(text("a12 bao nhieu", Language::En).as_deref(), Some("A12: How much is it?"));
        assert_eq!(text("no sound", Language::Zh).as_deref(), Some("没有声音"));
        assert_eq!(text("no sound", Language::En), None);
        assert_eq!(text("berapa harga", Language::Ms), None, "Indonesian is read there");
    }

    proptest! {
        #[test]
        fn any_line_is_looked_up(line in "\\PC{0,100}") {
            let table = TABLE_OF_TEST.with(|table| table.translate(&line, None, Language::En));
            prop_assert!(table.is_none_or(|translation| !translation.text.is_empty()));
        }
    }

    thread_local! {
        static TABLE_OF_TEST: PhraseTable = PhraseTable::new();
    }
}
