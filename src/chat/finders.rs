//! What a line of chat holds: an order, questions, a complaint about picture or sound, links, phone numbers, mentions.
//! Word lists decide, for all languages at once; they are in `finders/*.txt`. Nothing here takes an order: it says what
//! the line looks like.

mod contacts;
mod denial;
mod forms;
mod order;
mod phrases;
mod tokens;
mod words;

use std::{collections::HashMap, ops::Range};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    language::Language,
    normalise::{Folding, Normal},
};
use phrases::Phrases;
pub(super) use phrases::is_code;

/// Characters of a line that are looked at.
const MOST_CHARS: usize = 600;

/// A question may follow these.
const CLAUSE_ENDS: [char; 7] = [',', '،', '、', ';', '!', '。', '.'];
/// Ends of clauses that are looked at, from the end of the line.
const MOST_CLAUSES: usize = 3;

/// A range of bytes in the message's text, whole graphemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// An order as the line states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The item: a code in capitals, a catalogue's name, or the word before "+1". None where only a quantity is said
    /// ("+1"): it is for the item on show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How many, 1 to 99.
    pub quantity: u32,
}

/// What a question is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// What it costs.
    Price,
    /// Sizes and measures.
    Size,
    /// Whether there is some left, and in which colours.
    Stock,
    /// Whether and how fast it is delivered, and what that costs.
    Shipping,
    /// Ways of payment.
    Payment,
    /// How to order.
    Order,
    /// Anything else.
    Other,
}

/// What is wrong with the stream, as a viewer says.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Complaint {
    /// Stutters or stands still.
    Lag,
    /// Nothing is heard.
    NoSound,
    /// Too quiet.
    Quiet,
    /// Noise, distortion, music too loud.
    Noise,
    /// Echo, or the sound twice.
    Echo,
    /// Not sharp.
    Blurry,
    /// Too dark.
    Dark,
    /// No picture.
    NoPicture,
    /// Sound and picture apart.
    OutOfSync,
}

/// What was found in a line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Finds {
    /// The first order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Further orders of the same line ("A12 +1, B3 +2").
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_orders: Vec<Order>,
    /// Items that are named without being ordered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// What is asked; sorted, each kind once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// What is complained of; the first where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complaint: Option<Complaint>,
    /// Whether it greets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub greeting: bool,
    /// Links, also without a scheme.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Span>,
    /// Phone numbers: to be masked where the line is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Span>,
    /// `@name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Span>,
}

impl Finds {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The items that can be ordered: codes and names of a catalogue.
#[derive(Debug, Clone, Default)]
pub struct Items {
    /// As compared: lower case, without marks, blanks and hyphens; to the item as the catalogue writes it.
    codes: HashMap<String, String>,
}

impl Items {
    /// From pairs of a name (or code, or keyword) and the code to report for it.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut items = Self::default();
        for (name, code) in pairs {
            let folded = Normal::new(name.trim(), Folding::PLAIN);
            items.codes.insert(compared(folded.as_str()), code.to_owned());
        }
        items.codes.remove("");
        items
    }

    /// The item that a word names.
    fn code(&self, word: &str) -> Option<&str> {
        if self.codes.is_empty() {
            return None;
        }
        self.codes.get(&compared(Normal::new(word, Folding::PLAIN).as_str())).map(String::as_str)
    }
}

fn compared(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).collect()
}

/// Finds. Making one builds the tables (some milliseconds, once).
#[derive(Debug)]
pub struct Finder {
    questions: Phrases<Option<Question>>,
    complaints: Phrases<Option<Complaint>>,
    greetings: Phrases<Option<()>>,
    words: words::Words,
}

const QUESTIONS: &str = include_str!("finders/questions.txt");
const COMPLAINTS: &str = include_str!("finders/complaints.txt");
const GREETINGS: &str = include_str!("finders/greetings.txt");

impl Finder {
    /// With the built-in word lists.
    pub fn new() -> Self {
        let question = |name: &str| match name {
            "price" => Some(Question::Price),
            "size" => Some(Question::Size),
            "stock" => Some(Question::Stock),
            "shipping" => Some(Question::Shipping),
            "payment" => Some(Question::Payment),
            "order" => Some(Question::Order),
            "other" => Some(Question::Other),
            _ => None,
        };
        let complaint = |name: &str| match name {
            "lag" => Some(Complaint::Lag),
            "no-sound" => Some(Complaint::NoSound),
            "quiet" => Some(Complaint::Quiet),
            "noise" => Some(Complaint::Noise),
            "echo" => Some(Complaint::Echo),
            "blurry" => Some(Complaint::Blurry),
            "dark" => Some(Complaint::Dark),
            "no-picture" => Some(Complaint::NoPicture),
            "out-of-sync" => Some(Complaint::OutOfSync),
            _ => None,
        };
        Self {
            questions: Phrases::new(QUESTIONS, question),
            complaints: Phrases::new(COMPLAINTS, complaint),
            greetings: Phrases::new(GREETINGS, |name| (name == "greeting").then_some(())),
            words: words::Words::new(),
        }
    }

    /// The orders of what stands before a question's comma: "mine A12, how much?"
    fn before_question(
        &self,
        text: &str,
        items: &Items,
        language: Option<Language>,
        questions: &[Question],
    ) -> Vec<Order> {
        let may_follow = |question: &Question| {
            matches!(
                question,
                Question::Price | Question::Other | Question::Shipping | Question::Payment
            )
        };
        if questions.is_empty() || !questions.iter().all(may_follow) {
            return Vec::new();
        }
        for (at, _) in text.rmatch_indices(CLAUSE_ENDS).take(MOST_CLAUSES) {
            let before = text.get(..at).unwrap_or_default();
            let haystack = phrases::Haystack::new(before, &self.words);
            if asks(before) || !self.questions.find(&haystack, language).is_empty() {
                continue;
            }
            let read = self.words.read(before, items, language);
            let (orders, _) = read.orders(&[], false);
            let may_count = !questions.contains(&Question::Price) && read.has_number();
            return if read.is_explicit() || may_count { orders } else { Vec::new() };
        }
        Vec::new()
    }

    /// What a line holds. `items` are those of the catalogue, if there is one; `language` is that of the line, where it
    /// is known: some short words ask in one language only.
    pub fn find(&self, line: &str, items: &Items, language: Option<Language>) -> Finds {
        let end = line.char_indices().nth(MOST_CHARS).map_or(line.len(), |(at, _)| at);
        let line = line.get(..end).unwrap_or_default();
        let normal = Normal::new(line, Folding { stretch: false, ..Folding::WORDS });
        let contacts = contacts::Contacts::new(normal.as_str());
        let text = contacts.blanked(normal.as_str());
        let spans = |ranges: &[Range<usize>]| -> Vec<Span> {
            ranges.iter().map(|range| normal.origin(range.clone()).into()).collect()
        };
        let haystack = phrases::Haystack::new(&text, &self.words);
        let mut questions = self.questions.find(&haystack, language);
        if questions.is_empty() && (asks(&text) || asks_either(&text)) {
            questions.push(Question::Other);
        }
        if questions.len() > 1 {
            questions.retain(|question| *question != Question::Other);
        }
        questions.sort_unstable();
        let complaints = self.complaints.find(&haystack, language);
        let items_known = items;
        let read = self.words.read(&text, items, language);
        let (mut orders, items) = read.orders(&questions, !complaints.is_empty());
        if orders.is_empty() && !read.is_blocked() && complaints.is_empty() {
            orders = self.before_question(&text, items_known, language, &questions);
        }
        // "Can I get 2 A12" is an order, with or without a question mark.
        if !orders.is_empty() && read.is_polite() {
            questions.retain(|question| *question != Question::Other);
        }
        let order = (!orders.is_empty()).then(|| orders.remove(0));
        Finds {
            order,
            more_orders: orders,
            items,
            questions,
            complaint: complaints.first().copied(),
            greeting: !self.greetings.find(&haystack, language).is_empty(),
            links: spans(&contacts.links),
            phones: spans(&contacts.phones),
            mentions: spans(&contacts.mentions),
        }
    }
}

impl Default for Finder {
    fn default() -> Self {
        Self::new()
    }
}

/// Who can be called or addressed by a text, as written but normalised.
pub(super) struct ContactsIn {
    pub(super) phones: Vec<String>,
    pub(super) mentions: Vec<String>,
}

/// Phone numbers (digits only) and mentions of a text.
pub(super) fn contacts_in(text: &str) -> ContactsIn {
    let normal = Normal::new(text, Folding { stretch: false, ..Folding::WORDS });
    let found = contacts::Contacts::new(normal.as_str());
    let texts = |ranges: &[Range<usize>]| -> Vec<String> {
        ranges
            .iter()
            .filter_map(|range| normal.as_str().get(range.clone()))
            .map(str::to_owned)
            .collect()
    };
    let digits = |phone: String| phone.chars().filter(char::is_ascii_digit).collect();
    ContactsIn {
        phones: texts(&found.phones).into_iter().map(digits).collect(),
        mentions: texts(&found.mentions),
    }
}

/// A question mark after something that can be asked; "???" alone asks nothing.
fn asks(text: &str) -> bool {
    text.contains(['?', '؟', '⁇', '⸮', '⁈', '⁉', '❓', '❔'])
        && text.chars().any(char::is_alphanumeric)
}

/// Chinese asks by a word and its denial: "厚不厚".
fn asks_either(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let is_han = |c: char| matches!(c, '\u{4e00}'..='\u{9fff}');
    chars
        .windows(3)
        .any(|three| matches!(three, [a, '不' | '没' | '沒' | '唔', b] if a == b && is_han(*a)))
}

#[cfg(test)]
mod tests;
