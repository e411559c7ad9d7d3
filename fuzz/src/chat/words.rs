//! A viewer's line: folded, recognised, searched for orders and contacts.

use std::sync::LazyLock;

use hawker::chat::{
    Text,
    finders::{Finder, Items, Span},
    language::{Detector, Expected, Language},
    normalise::{Folding, Normal},
    phrases::PhraseTable,
    translate::verdict::checked,
};

static TABLES: LazyLock<(Finder, Detector, PhraseTable, Items)> = LazyLock::new(|| {
    let items =
        Items::new([("red dress", "A12"), ("A12", "A12"), ("váy đỏ", "B3"), ("红裙", "C7")]);
    (Finder::new(), Detector::new(), PhraseTable::new(), items)
});

/// One line; after a tab, what a service would give for its translation.
pub fn words(data: &[u8]) {
    let (finder, detector, table, items) = &*TABLES;
    let raw = String::from_utf8_lossy(data);
    let (line, translation) = raw.split_once('\t').unwrap_or((&raw, ""));
    let line = Text::new(line);
    let line = line.as_str();
    for folding in [Folding::RULES, Folding::WORDS, Folding::PLAIN] {
        let normal = Normal::new(line, folding);
        let borders = normal.as_str().char_indices().map(|(at, c)| at..at + c.len_utf8());
        for range in borders {
            assert!(line.get(normal.origin(range)).is_some());
        }
    }
    let language = detector.detect(line, Expected::ANY).map(|guess| guess.language);
    for items in [items, &Items::default()] {
        let finds = finder.find(line, items, language);
        let spans = finds.links.iter().chain(&finds.phones).chain(&finds.mentions);
        for Span { start, end } in spans {
            assert!(start < end && line.get(*start..*end).is_some(), "{finds:?}");
        }
        for order in finds.order.iter().chain(&finds.more_orders) {
            assert!((1..=99).contains(&order.quantity), "{order:?}");
            let plain = |code: &String| !code.is_empty() && !code.chars().any(char::is_control);
            assert!(order.code.as_ref().is_none_or(plain), "{order:?}");
        }
        assert!(finds.more_orders.is_empty() || finds.order.is_some());
        assert!(finds.questions.is_sorted_by(|a, b| a < b), "{finds:?}");
    }
    for to in [Language::En, Language::Zh, Language::Vi] {
        if let Some(known) = table.translate(line, language, to) {
            assert!(!known.text.is_empty() && !known.text.chars().any(char::is_control));
        }
    }
    if let Ok(text) = checked(line, translation) {
        super::check::text(&text);
        assert!(!text.is_empty());
    }
}
