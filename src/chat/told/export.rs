//! Rows of a stored chat as they leave the house: telephone numbers masked, and as a table (CSV).

use serde::Serialize;

use super::{FindsRow, MessageRow, OrderRow, Row, Told};
use crate::{
    base::text::csv_field,
    chat::{claims::masked_phones, finders::Span},
};

/// Digits of a telephone number that stay, so that a seller can tell two buyers apart.
const SHOWN_DIGITS: usize = 2;

/// The names of the columns. They are field names for programs and the same in every language.
pub const COLUMNS: [&str; 28] = [
    "at",
    "source",
    "platform",
    "channel",
    "author",
    "author_id",
    "badges",
    "text",
    "lang",
    "item",
    "quantity",
    "more_orders",
    "question",
    "complaint",
    "items",
    "link",
    "paid",
    "currency",
    "event",
    "reply_to",
    "shared_from",
    "backlog",
    "own",
    "late",
    "removed",
    "removed_at",
    "seconds",
    "id",
];

impl Row {
    /// The same with the digits of telephone numbers masked, but for the last two, wherever somebody wrote freely.
    #[must_use]
    pub fn without_phones(mut self, told: &Told) -> Self {
        if let Self::Message(message) = &mut self {
            message.text = masked_text(&message.text, &told.finds.phones);
            message.author = masked_phones(&message.author);
            let FindsRow { order, more_orders, items, link, phones, .. } = &mut message.finds;
            for link in link {
                *link = masked_phones(link);
            }
            // A number of an item is as long as one of a telephone: it is masked only beside one.
            if *phones > 0 {
                let codes = order.iter_mut().chain(more_orders).filter_map(|o| o.item.as_mut());
                for code in codes.chain(items) {
                    *code = masked_phones(code);
                }
            }
        }
        self
    }

    /// One line of a table with [`COLUMNS`].
    pub fn csv(&self) -> String {
        let mut cells: [String; COLUMNS.len()] = std::array::from_fn(|_| String::new());
        let mut set = |column: &str, text: &str| {
            if let Some(at) = COLUMNS.iter().position(|name| *name == column)
                && let Some(cell) = cells.get_mut(at)
            {
                *cell = csv_field(text);
            }
        };
        match self {
            Self::Message(message) => message_cells(message, &mut set),
            Self::Deleted { at, source, deleted } => {
                set("at", &at.to_string());
                set("source", source);
                set("event", "deleted");
                set("id", deleted);
            }
            Self::UserCleared { at, source, cleared_user, removal, seconds } => {
                set("at", &at.to_string());
                set("source", source);
                set("author_id", cleared_user);
                set("event", removal);
                set("seconds", &seconds.map(|s| s.to_string()).unwrap_or_default());
            }
            Self::Moderated { at, source, moderated, state } => {
                set("at", &at.to_string());
                set("source", source);
                set("event", state);
                set("id", moderated);
            }
            Self::AllCleared { at, cleared_all } => {
                set("at", &at.to_string());
                set("source", cleared_all);
                set("event", "all-cleared");
            }
            Self::Hole { at, source, hole_s, unstored } => {
                set("at", &at.to_string());
                set("source", source);
                set("event", if unstored.is_some() { "not-stored" } else { "hole" });
                set("quantity", &unstored.map(|n| n.to_string()).unwrap_or_default());
                set("seconds", &hole_s.to_string());
            }
            Self::Source { at, source, .. } => {
                set("at", &at.to_string());
                set("source", source);
                set("event", "source");
            }
        }
        cells.join(",")
    }
}

fn message_cells(message: &MessageRow, set: &mut impl FnMut(&str, &str)) {
    set("at", &message.at.to_string());
    set("source", &message.source);
    set("platform", &message.platform);
    set("channel", message.channel.as_deref().unwrap_or_default());
    set("author", &message.author);
    set("author_id", message.author_id.as_deref().unwrap_or_default());
    set("badges", &words(&message.badges));
    set("text", &message.text);
    set("lang", message.lang.as_deref().unwrap_or_default());
    let finds = &message.finds;
    if let Some(OrderRow { item, quantity }) = &finds.order {
        set("item", item.as_deref().unwrap_or_default());
        set("quantity", &quantity.to_string());
    }
    let more = finds
        .more_orders
        .iter()
        .map(|order| format!("{} x{}", order.item.as_deref().unwrap_or_default(), order.quantity));
    set("more_orders", &more.collect::<Vec<_>>().join(" "));
    set("question", &words(&finds.question));
    set("complaint", &finds.complaint.as_ref().map(word).unwrap_or_default());
    set("items", &finds.items.join(" "));
    set("link", &finds.link.join(" "));
    if let Some(paid) = &message.paid {
        set("paid", &(paid.micros as f64 / 1e6).to_string());
        set("currency", &paid.currency);
    }
    set("event", message.event.unwrap_or_default());
    set("reply_to", message.reply_to.as_deref().unwrap_or_default());
    set("shared_from", message.shared_from.as_deref().unwrap_or_default());
    for (name, is) in [("backlog", message.backlog), ("own", message.own), ("late", message.late)] {
        set(name, if is { name } else { "" });
    }
    if let Some(removed) = &message.removed {
        set("removed", &word(&removed.how));
        set("removed_at", &removed.at.to_string());
    }
    set("id", &message.id);
}

/// The text without its telephone numbers. What was found is masked by itself, so that of "SP1 2 0912..." code and
/// quantity stay; what stands between is looked through for long numbers, also within links.
fn masked_text(text: &str, phones: &[Span]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for phone in phones {
        let (Some(before), Some(number)) =
            (text.get(from..phone.start), text.get(phone.start..phone.end))
        else {
            // Places that are not of this text.
            return masked_phones(text);
        };
        out.push_str(&masked_phones(before));
        let mut hidden =
            number.chars().filter(|c| c.is_numeric()).count().saturating_sub(SHOWN_DIGITS);
        for c in number.chars() {
            let hides = c.is_numeric() && hidden > 0;
            hidden -= usize::from(hides);
            out.push(if hides { '•' } else { c });
        }
        from = phone.end;
    }
    out.push_str(&masked_phones(text.get(from..).unwrap_or_default()));
    out
}

/// The word of a value, as in JSON.
fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

fn words<T: Serialize>(values: &[T]) -> String {
    values.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::SourceId,
        chat::{
            Author, Message, MessageId, Platform, Text, Update,
            finders::{Finder, Items},
        },
    };
    use jiff::Timestamp;

    fn told(name: &str, text: &str) -> Told {
        let source: SourceId = "fb".parse().unwrap();
        let author = Author { name: Text::name(name), ..Author::default() };
        let (id, text) = (MessageId::new("m1"), Text::new(text));
        let finds = Finder::new().find(text.as_str(), &Items::default(), None);
        let message = Message::new(
            id,
            source.clone(),
            Platform::FACEBOOK,
            Timestamp::UNIX_EPOCH,
            author,
            text,
        );
        let update = Update::Message(Box::new(message));
        Told { number: 1, source, update, language: None, finds }
    }

    fn row(name: &str, text: &str) -> Row {
        Row::of(&told(name, text), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn phones_are_masked_and_codes_are_not() {
        let said = told("Lan 0912 345 678", "SP1 2 0912345678 wa.me/84912345678");
        let row = Row::of(&said, Timestamp::UNIX_EPOCH).without_phones(&said);
        let json = serde_json::to_string(&row).unwrap();
        assert!(!json.contains("345") && json.contains("78"), "{json}");
        assert!(json.contains(r#""item":"SP1""#) && json.contains("SP1 2 ••••••••78"), "{json}");
        assert!(!row.csv().contains("345"), "{}", row.csv());
    }

    #[test]
    fn a_table_holds_no_formula() {
        for text in ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", " =cmd|' /C calc'!A0"] {
            let line = row(text, text).csv();
            let mut read =
                csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let cells = read.records().next().unwrap().unwrap();
            assert_eq!(cells.len(), COLUMNS.len(), "{line}");
            let formula = |cell: &str| cell.trim_start().starts_with(['=', '+', '-', '@']);
            assert!(!cells.iter().any(formula), "{line}");
        }
        assert_eq!(row("Lan", "a, \"b\"").csv().split(',').count(), COLUMNS.len() + 1);
    }
}
