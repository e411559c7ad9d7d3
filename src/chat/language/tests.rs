//! Languages on the development set, with and without a market, and on hostile text.

use std::{collections::BTreeMap, fmt::Write as _, time::Instant};

use proptest::prelude::*;

use super::*;

const DEVELOPMENT: &str = include_str!("../../../tests/data/chat/development-language.tsv");

/// Rows of a set: label, market ("-" for none), line. The label `vi-plain` is Vietnamese without accents, `?` a line
/// that says nothing.
fn rows(set: &str) -> impl Iterator<Item = (&str, Expected, &str)> {
    set.lines().filter(|row| !row.starts_with('#') && !row.is_empty()).map(|row| {
        let mut fields = row.splitn(3, '\t');
        let mut next = || fields.next().unwrap_or_else(|| panic!("three fields: {row}"));
        let (label, tags, line) = (next(), next(), next());
        (label, Expected::tags(tags.split(',')), line)
    })
}

#[derive(Default)]
struct Tally {
    all: usize,
    right: usize,
    wrong: usize,
}

fn tally(with_market: bool) -> (BTreeMap<String, Tally>, Vec<String>) {
    let detector = Detector::new();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut faults = Vec::new();
    for (label, market, line) in rows(DEVELOPMENT) {
        let language = Language::from_tag(label);
        let expected = if with_market && market.is_any() {
            language.into_iter().collect()
        } else if with_market {
            market
        } else {
            Expected::ANY
        };
        let guess = detector.detect(line, expected).map(|guess| guess.language);
        let tally = tallies.entry(label.to_owned()).or_default();
        tally.all += 1;
        let right = match (guess, language) {
            (Some(guess), Some(language)) if with_market => guess == language,
            (Some(guess), Some(language)) => guess.is_near(language),
            (guess, language) => guess == language,
        };
        tally.right += usize::from(right);
        tally.wrong += usize::from(!right && guess.is_some());
        if !right {
            faults.push(format!("{label} {guess:?} {line}"));
        }
    }
    (tallies, faults)
}

#[test]
fn the_development_set_is_recognised_without_a_market() {
    let (tallies, faults) = tally(false);
    hold(&tallies, &faults);
}

#[test]
fn the_development_set_is_recognised_with_its_market() {
    let (tallies, faults) = tally(true);
    hold(&tallies, &faults);
}

#[test]
fn a_market_does_not_hide_the_other_languages_of_its_viewers() {
    let detector = Detector::new();
    for (market, labels) in [
        ("fil,en", ["tl", "en"]),
        ("ms,en,zh,ta", ["ms", "en"]),
        ("id", ["id", "en"]),
        ("vi", ["vi-plain", "en"]),
        ("th", ["th", "en"]),
        ("pt-BR", ["pt", "en"]),
        ("es-MX", ["es", "en"]),
        ("en,es", ["es", "en"]),
        ("en,zh", ["zh", "en"]),
        ("ja", ["ja", "en"]),
        ("ar,en", ["ar", "en"]),
    ] {
        let expected = Expected::tags(market.split(','));
        for label in labels {
            let language = Language::from_tag(label);
            let guesses: Vec<(&str, Option<Language>)> = rows(DEVELOPMENT)
                .filter(|row| row.0 == label)
                .map(|(_, _, line)| {
                    (line, detector.detect(line, expected).map(|guess| guess.language))
                })
                .collect();
            let wrong: Vec<_> = guesses.iter().filter(|(_, guess)| *guess != language).collect();
            assert!(wrong.len() * 100 <= guesses.len() * 12, "{label} in {market}: {wrong:?}");
        }
    }
}

fn hold(tallies: &BTreeMap<String, Tally>, faults: &[String]) {
    let mut report = String::new();
    for (label, Tally { all, right, wrong }) in tallies {
        writeln!(report, "{label}: {right} of {all} right, {wrong} wrong").unwrap();
    }
    let report = format!("{report}{}", faults.join("\n"));
    for (label, Tally { all, right, .. }) in tallies {
        // The bar on lines that were not tuned by is 85 (80 without accents); this set must do better.
        let least = 90;
        assert!(*right * 100 >= *all * least, "{label}\n{report}");
    }
    let all: usize = tallies.values().map(|tally| tally.all).sum();
    let wrong: usize = tallies.values().map(|tally| tally.wrong).sum();
    assert!(wrong * 100 <= all * 2, "{wrong} of {all} wrong\n{report}");
    eprintln!("{report}");
}

#[test]
fn the_market_tells_malay_from_indonesian() {
    let detector = Detector::new();
    let of = |tag: &str| detector.detect("ada warna hitam lagi", Expected::tags([tag]));
    assert_eq!(of("ms").map(|guess| guess.language), Some(Language::Ms));
    assert_eq!(of("id").map(|guess| guess.language), Some(Language::Id));
}

#[test]
fn tables_are_small_and_asking_is_quick() {
    let detector = Detector::new();
    assert!(detector.size() < 4_000_000, "{}", detector.size());
    let lines: Vec<_> = rows(DEVELOPMENT).map(|(_, expected, line)| (line, expected)).collect();
    let start = Instant::now();
    let rounds = 5;
    let known = (0..rounds)
        .flat_map(|_| &lines)
        .filter(|(line, expected)| detector.detect(line, *expected).is_some())
        .count();
    let each = start.elapsed() / (rounds * lines.len() as u32);
    assert!(known > 0);
    // 50 µs is the bar of an optimised build; a build for tests on a busy machine is some twenty times slower.
    assert!(each.as_micros() < 1_000, "{each:?} a line");
    eprintln!("{each:?} a line, {} bytes of tables", detector.size());
}

#[test]
fn tags_name_languages() {
    for language in Language::ALL {
        assert_eq!(Language::from_tag(language.code()), Some(language));
        assert_eq!(serde_json::to_value(language).unwrap(), language.code());
    }
    assert_eq!(Language::from_tag("pt-BR"), Some(Language::Pt));
    assert_eq!(Language::from_tag("fil"), Some(Language::Tl));
    assert_eq!(Language::from_tag("ta"), None);
}

proptest! {
    #[test]
    fn any_text_is_answered(line in "\\PC{0,80}", bits in any::<u16>()) {
        let expected: Expected =
            Language::ALL.into_iter().filter(|l| bits & (1 << *l as u16) != 0).collect();
        if let Some(guess) = DETECTOR.with(|d| d.detect(&line, expected)) {
            prop_assert!((0.0..=1.0).contains(&guess.confidence));
        }
    }

    #[test]
    fn codes_and_numbers_say_nothing(code in "[A-Z]{1,2}[0-9]{1,3} ?[+x]?[0-9]{0,2}") {
        prop_assert_eq!(DETECTOR.with(|d| d.detect(&code, Expected::ANY)), None);
    }
}

thread_local! {
    static DETECTOR: Detector = Detector::new();
}
