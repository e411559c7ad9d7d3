//! Lines in Latin letters: word lists, and for words outside them the letters (trigrams learnt from the same lists).

use std::collections::{HashMap, HashSet};

use super::{Expected, Guess, LEAST, Language};
use crate::chat::normalise::{squeezed, without_marks};

/// The languages of Latin script, those typed in Latin letters now and then, and the rest of the world.
const CLASSES: usize = 13;
/// The class of languages that are not told apart (French, German, ...).
const OTHER: usize = 12;
const LANGUAGES: [Language; CLASSES - 1] = [
    Language::En,
    Language::Vi,
    Language::Id,
    Language::Ms,
    Language::Tl,
    Language::Es,
    Language::Pt,
    Language::Th,
    Language::Ja,
    Language::Ko,
    Language::Ar,
    Language::Zh,
];
const ENGLISH: usize = 0;
const VIETNAMESE: usize = 1;
const INDONESIAN: usize = 2;
const MALAY: usize = 3;
const TAGALOG: usize = 4;
const SPANISH: usize = 5;
const PORTUGUESE: usize = 6;

const LISTS: [(usize, &str); 8] = [
    (ENGLISH, include_str!("words/en.txt")),
    (VIETNAMESE, include_str!("words/vi.txt")),
    (INDONESIAN, include_str!("words/id.txt")),
    (MALAY, include_str!("words/ms.txt")),
    (TAGALOG, include_str!("words/tl.txt")),
    (SPANISH, include_str!("words/es.txt")),
    (PORTUGUESE, include_str!("words/pt.txt")),
    (OTHER, include_str!("words/other.txt")),
];
const ROMANISED: &str = include_str!("words/romanised.txt");
const LOANS: &str = include_str!("words/loans.txt");
/// Said in every language; nothing is learnt from them.
const NEUTRAL: &str = "ok okay oke okey lol lmao haha hahaha hahahaha hehe hehehe hihi huhu xd omg wow hmm hm ah oh aw \
    cf mine cod sold pm dm fb ig tiktok shopee lazada facebook youtube instagram xs xl xxl xxxl gg wp hi hello hey bye";

/// Natural logarithms. The lists' weights 4 to 1; how likely a word is in its own language.
const OF_WEIGHT: [f32; 5] = [MISSING, -2.0, -1.3, -0.6, 0.0];
/// A word that stands in another language's list.
const MISSING: f32 = -4.0;
/// How likely an English word is in a line of each class. Tagalog and Malay lines are half English; nobody mixes it
/// into a romanised line.
const OF_LOAN: [f32; CLASSES] =
    [-0.6, -1.6, -1.4, -1.4, -1.1, -2.2, -2.2, -2.2, -2.6, -2.6, -2.6, -2.8, -2.2];
/// Before anything is read: a romanised line is rare, and so are the languages of the last class.
const BEFORE: [f32; CLASSES] =
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.7, -1.2, -1.2, -1.2, -1.4, -0.4];
/// A market's languages weigh more, by this. Measured on the development set: 1.5 to 2 are equally good.
const MARKET: f32 = 1.6;
/// English is read in every market.
const ENGLISH_ANYWHERE: f32 = 0.5;
/// Malay in an Indonesian market and the reverse: the two share most words, so the market decides.
const OTHER_MALAY: f32 = -3.0;
/// How much the letters of an unknown word count, and at most.
const LETTERS: f32 = 0.55;
const MOST_LETTERS: f32 = 3.0;
/// Added to each count of a trigram.
const SMOOTH: f32 = 0.15;
/// Without any word of a list, so many unknown words are needed, and this share.
const UNLISTED: usize = 3;
const UNLISTED_LEAST: f32 = 0.9;
/// Words that are looked at.
const MOST_WORDS: usize = 60;

/// Endings by which a listed word is recognised in a longer one.
const ENDINGS: &[(usize, &str)] = &[
    (INDONESIAN, "nya"),
    (INDONESIAN, "kan"),
    (INDONESIAN, "in"),
    (INDONESIAN, "an"),
    (INDONESIAN, "ku"),
    (INDONESIAN, "mu"),
    (MALAY, "nya"),
    (MALAY, "kan"),
    (MALAY, "lah"),
    (MALAY, "ke"),
    (MALAY, "kah"),
    (MALAY, "an"),
    (TAGALOG, "ng"),
    (TAGALOG, "g"),
    (TAGALOG, "in"),
    (TAGALOG, "han"),
    (ENGLISH, "s"),
    (ENGLISH, "es"),
    (ENGLISH, "ed"),
    (ENGLISH, "ing"),
    (ENGLISH, "ly"),
    (ENGLISH, "er"),
    (ENGLISH, "y"),
    (SPANISH, "s"),
    (SPANISH, "es"),
    (SPANISH, "ito"),
    (SPANISH, "ita"),
    (SPANISH, "me"),
    (SPANISH, "lo"),
    (PORTUGUESE, "s"),
    (PORTUGUESE, "inho"),
    (PORTUGUESE, "inha"),
    (PORTUGUESE, "ndo"),
];
/// Beginnings of the same kind.
const BEGINNINGS: &[(usize, &str)] = &[
    (INDONESIAN, "di"),
    (INDONESIAN, "nge"),
    (INDONESIAN, "ber"),
    (INDONESIAN, "me"),
    (MALAY, "di"),
    (MALAY, "ber"),
    (MALAY, "ter"),
    (MALAY, "me"),
    (TAGALOG, "mag"),
    (TAGALOG, "nag"),
    (TAGALOG, "pag"),
    (TAGALOG, "pa"),
    (TAGALOG, "paki"),
    (TAGALOG, "ma"),
    (TAGALOG, "na"),
    (TAGALOG, "ka"),
    (TAGALOG, "naka"),
    (TAGALOG, "pinaka"),
];

type Weights = [u8; CLASSES];
type Scores = [f32; CLASSES];

/// The word lists as tables.
#[derive(Debug)]
pub struct Words {
    lists: HashMap<Box<str>, Weights>,
    loans: HashSet<Box<str>>,
    neutral: HashSet<Box<str>>,
    /// Natural logarithm of each trigram's frequency in each class.
    trigrams: HashMap<[char; 3], Scores>,
    unseen: Scores,
}

impl Words {
    pub(super) fn new() -> Self {
        let mut lists: HashMap<Box<str>, Weights> = HashMap::new();
        let mut add = |class: usize, word: &str, weight: u8| {
            let word = word.to_lowercase();
            let bare: String = word.chars().map(without_marks).collect();
            for form in [word.as_str(), bare.as_str()] {
                let entry = lists.entry(form.into()).or_insert([0; CLASSES]);
                if let Some(kept) = entry.get_mut(class) {
                    *kept = weight.max(*kept);
                }
            }
        };
        for (class, list) in LISTS {
            for (weight, words) in rows(list) {
                let weight = weight.parse().unwrap_or(1).min(4);
                words.for_each(|word| add(class, word, weight));
            }
        }
        for (code, words) in rows(ROMANISED) {
            let language = Language::from_tag(code);
            if let Some(class) = LANGUAGES.iter().position(|known| Some(*known) == language) {
                words.for_each(|word| add(class, word, 3));
            }
        }
        let set = |words: &'static str| {
            let lines = words.lines().filter(|line| !line.starts_with('#'));
            lines.flat_map(str::split_whitespace).map(Into::into).collect()
        };
        let (trigrams, unseen) = learn(&lists);
        Self { lists, loans: set(LOANS), neutral: set(NEUTRAL), trigrams, unseen }
    }

    pub(super) fn size(&self) -> usize {
        let words: usize = self.lists.keys().map(|word| word.len() + 16 + CLASSES).sum();
        let trigrams = self.trigrams.len() * (12 + CLASSES * 4);
        words + trigrams
    }

    pub(super) fn decide(&self, text: &str, expected: Expected) -> Option<Guess> {
        let mut scores = BEFORE;
        let mut listed = [0.0_f32; CLASSES];
        let mut unlisted = 0;
        for word in text.split(|c: char| !is_of_word(c)).take(MOST_WORDS) {
            let word = word.trim_matches('\'');
            if word.is_empty() || self.neutral.contains(word) {
                continue;
            }
            let (word, doubled) = doubled(word);
            if let Some(weights) = self.look_up(word) {
                let loan = self.loans.contains(word);
                let part = if word.chars().count() == 1 { 0.6 } else { 1.0 };
                for class in 0..CLASSES {
                    let weight = OF_WEIGHT[usize::from(weights[class]).min(4)];
                    let score = if loan { weight.max(OF_LOAN[class]) } else { weight };
                    scores[class] += score * part;
                    // A letter alone may be a size or part of a code.
                    if part == 1.0 {
                        listed[class] += if loan { 0.4 } else { f32::from(weights[class]) };
                    }
                }
            } else if word.chars().any(|c| c.is_ascii_digit()) {
                continue;
            } else if word.chars().count() >= 2 {
                unlisted += 1;
                for (score, letters) in scores.iter_mut().zip(self.letters(word)) {
                    *score += letters;
                }
            }
            if doubled {
                scores[INDONESIAN] += 1.0;
                scores[MALAY] += 1.0;
            }
        }
        if text.contains(['¿', '¡']) {
            scores[SPANISH] += 3.0;
            listed[SPANISH] += 2.0;
        }
        weigh_market(&mut scores, expected);
        let (best, share) = belief(&scores)?;
        let language = *LANGUAGES.get(best)?;
        // Something must be known of the line: a word of a list, or several words whose letters agree.
        let founded = listed[best] >= 1.0;
        let least = if founded { LEAST } else { UNLISTED_LEAST };
        let enough = founded || unlisted >= UNLISTED;
        (enough && share >= least).then_some(Guess { language, confidence: share.min(0.99) })
    }

    /// The weights of a word as typed, with its runs cut, or without an ending.
    fn look_up(&self, word: &str) -> Option<Weights> {
        if let Some(weights) = self.lists.get(word) {
            return Some(*weights);
        }
        let short = squeezed(word);
        if short != word
            && short.chars().count() >= 2
            && let Some(weights) = self.lists.get(short.as_str())
        {
            return Some(*weights);
        }
        let bare: String = word.chars().map(without_marks).collect();
        if bare.chars().count() < 5 || bare != word {
            return None;
        }
        let mut found = [0; CLASSES];
        let endings =
            ENDINGS.iter().filter_map(|(class, end)| Some((*class, bare.strip_suffix(end)?)));
        let beginnings = BEGINNINGS
            .iter()
            .filter_map(|(class, start)| Some((*class, bare.strip_prefix(start)?)));
        for (class, stem) in endings.chain(beginnings) {
            let weight = self.lists.get(stem).map_or(0, |weights| weights[class]);
            if weight > 0 && stem.chars().count() >= 3 {
                found[class] = weight.saturating_sub(1).clamp(1, 2);
            }
        }
        found.iter().any(|weight| *weight > 0).then_some(found)
    }

    /// How well the letters of a word fit each class, against the class that they fit best.
    fn letters(&self, word: &str) -> Scores {
        let mut scores = [0.0; CLASSES];
        let mut count = 0;
        for trigram in trigrams(word) {
            count += 1;
            let row = self.trigrams.get(&trigram).unwrap_or(&self.unseen);
            for (score, log) in scores.iter_mut().zip(row) {
                *score += log;
            }
        }
        let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // A word of many letters is not many independent proofs.
        let scale = LETTERS / (count as f32).sqrt();
        scores.map(|score| ((score - best) * scale).max(-MOST_LETTERS))
    }
}

/// The belief in the best class. Where Indonesian and Malay are near each other, they have it together.
fn belief(scores: &Scores) -> Option<(usize, f32)> {
    let best = (0..CLASSES).max_by(|a, b| scores[*a].total_cmp(&scores[*b]))?;
    let all: f32 = scores.iter().map(|score| (score - scores[best]).exp()).sum();
    let near = match best {
        INDONESIAN => (scores[MALAY] - scores[best]).exp(),
        MALAY => (scores[INDONESIAN] - scores[best]).exp(),
        _ => 0.0,
    };
    Some((best, (1.0 + near) / all))
}

fn weigh_market(scores: &mut Scores, expected: Expected) {
    if expected.is_any() {
        return;
    }
    for (score, language) in scores.iter_mut().zip(LANGUAGES) {
        if expected.has(language) {
            *score += MARKET;
        }
    }
    if !expected.has(Language::En) {
        scores[ENGLISH] += ENGLISH_ANYWHERE;
    }
    match (expected.has(Language::Id), expected.has(Language::Ms)) {
        (true, false) => scores[MALAY] += OTHER_MALAY,
        (false, true) => scores[INDONESIAN] += OTHER_MALAY,
        _ => {}
    }
}

/// The rows of a list: what stands before the colon, and the words.
fn rows(
    list: &'static str,
) -> impl Iterator<Item = (&'static str, impl Iterator<Item = &'static str>)> {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(':')).map(|(key, words)| {
        let words = words.split_whitespace().flat_map(|word| word.split('-'));
        (key.trim(), words.filter(|word| !word.is_empty()))
    })
}

/// Indonesian and Malay write a doubled word with a two: "warna2".
fn doubled(word: &str) -> (&str, bool) {
    match word.strip_suffix('2') {
        Some(stem) if stem.len() >= 4 && stem.bytes().all(|b| b.is_ascii_alphabetic()) => {
            (stem, true)
        }
        _ => (word, false),
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '\'' || c == '’'
}

/// The trigrams of a word with its borders.
fn trigrams(word: &str) -> impl Iterator<Item = [char; 3]> + '_ {
    let mut last = [' ', ' '];
    let chars = word.chars().filter(|c| c.is_alphabetic()).chain(std::iter::once(' '));
    chars.filter_map(move |c| {
        let trigram = [last[0], last[1], c];
        last = [last[1], c];
        (trigram[1] != ' ').then_some(trigram)
    })
}

fn learn(lists: &HashMap<Box<str>, Weights>) -> (HashMap<[char; 3], Scores>, Scores) {
    let mut counts: HashMap<[char; 3], Scores> = HashMap::new();
    let mut totals = [0.0_f32; CLASSES];
    for (word, weights) in lists {
        for trigram in trigrams(word) {
            let row = counts.entry(trigram).or_insert([0.0; CLASSES]);
            for class in 0..CLASSES {
                let weight = f32::from(weights[class]);
                row[class] += weight;
                totals[class] += weight;
            }
        }
    }
    let kinds = counts.len() as f32;
    let log = |count: f32, total: f32| ((count + SMOOTH) / (total + SMOOTH * kinds)).ln();
    let mut unseen = [0.0; CLASSES];
    for class in 0..CLASSES {
        unseen[class] = log(0.0, totals[class]);
    }
    for row in counts.values_mut() {
        for class in 0..CLASSES {
            row[class] = log(row[class], totals[class]);
        }
    }
    // A trigram that no list holds fits no class better than another, least of all one whose list is short.
    let mean = unseen.iter().sum::<f32>() / CLASSES as f32;
    (counts, [mean; CLASSES])
}
