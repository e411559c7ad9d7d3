//! Finders on the development set, on single rules and on hostile text.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::chat::language::{Detector, Expected};

const DEVELOPMENT: &str = include_str!("../../../tests/data/chat/development-finds.tsv");

thread_local! {
    static FINDER: Finder = Finder::new();
    static DETECTOR: Detector = Detector::new();
}

fn find(line: &str) -> Finds {
    let language = DETECTOR.with(|d| d.detect(line, Expected::ANY)).map(|guess| guess.language);
    FINDER.with(|finder| finder.find(line, &Items::default(), language))
}

fn name<T: Serialize>(kind: T) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
}

fn order_name(order: Option<&Order>) -> String {
    order.map_or("-".into(), |order| {
        format!("{}:{}", order.code.as_deref().unwrap_or("*"), order.quantity)
    })
}

#[test]
fn the_development_set_is_found() {
    let mut rows = 0;
    // For orders and questions: found and right, found, there.
    let (mut orders, mut questions) = ([0; 3], [0; 3]);
    let mut faults = String::new();
    for row in DEVELOPMENT.lines().filter(|row| !row.starts_with('#') && !row.is_empty()) {
        let [order, question, complaint, line] =
            row.splitn(4, '\t').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{row}"));
        rows += 1;
        let finds = find(line);
        let found = order_name(finds.order.as_ref());
        orders[0] += usize::from(order != "-" && found == order);
        orders[1] += usize::from(found != "-");
        orders[2] += usize::from(order != "-");
        questions[0] += usize::from(question != "-" && !finds.questions.is_empty());
        questions[1] += usize::from(!finds.questions.is_empty());
        questions[2] += usize::from(question != "-");
        let asked: Vec<String> = finds.questions.iter().map(name).collect();
        let complained = finds.complaint.map_or("-".into(), name);
        let asks_right =
            if question == "-" { asked.is_empty() } else { asked.iter().any(|a| a == question) };
        if found != order || !asks_right || complained != complaint {
            writeln!(
                faults,
                "{line:?}: {found} {asked:?} {complained}, not {order} {question} {complaint}"
            )
            .unwrap();
        }
    }
    let report = format!("{rows} rows; orders {orders:?}, questions {questions:?}\n{faults}");
    eprintln!("{report}");
    for [right, found, there] in [orders, questions] {
        assert!(right * 100 >= found * 97 && right * 100 >= there * 97, "{report}");
    }
    assert!(faults.lines().count() * 100 <= rows * 4, "{report}");
}

#[test]
fn finding_is_quick() {
    let lines: Vec<&str> = DEVELOPMENT.lines().filter_map(|row| row.rsplit('\t').next()).collect();
    let items = Items::default();
    FINDER.with(|finder| finder.find("A1", &items, None));
    let start = std::time::Instant::now();
    let found = FINDER.with(|finder| {
        lines.iter().filter(|line| !finder.find(line, &items, None).is_empty()).count()
    });
    let each = start.elapsed() / lines.len() as u32;
    eprintln!("{each:?} a line");
    assert!(found > 100);
    // A hostile line costs some lines, not thousands of them.
    for hostile in [
        "没 ".repeat(300),
        "ko ? ".repeat(120),
        "一".repeat(600),
        "how much ".repeat(60),
        "A1+1".repeat(150),
        "0 ".repeat(300),
    ] {
        let start = std::time::Instant::now();
        FINDER.with(|finder| finder.find(&hostile, &items, None));
        let took = start.elapsed();
        eprintln!("{took:?} for {hostile:.12}");
        assert!(took.as_millis() < 500, "{took:?} for {hostile}");
    }
    // An optimised build takes some tenth of what a build for tests on a busy machine does.
    assert!(each.as_millis() < 5, "{each:?} a line");
}

#[test]
fn phone_numbers_are_found_where_they_are_and_are_no_quantity() {
    for (line, phone) in [
        ("SP1 1 0912345678", "0912345678"),
        ("SP1 1 0912 345 678", "0912 345 678"),
        ("SP1 2 ０９１２.345.678 nha", "０９１２.345.678"),
        ("A5 +1 +84 912 345 678", "+84 912 345 678"),
        ("A5 +1 0912345678", "0912345678"),
        ("A5 +1 9171234567", "9171234567"),
        ("mine 12 09171234567", "09171234567"),
        ("B3 2 090-1234-5678", "090-1234-5678"),
        ("call (555) 123-4567", "(555) 123-4567"),
        ("sdt0987654321", "0987654321"),
        ("zap (11) 98765-4321", "(11) 98765-4321"),
        ("wa 081234567890 kak", "081234567890"),
        ("0 9 1 2 3 4 5 6 7 8", "0 9 1 2 3 4 5 6 7 8"),
        ("手机13812345678", "13812345678"),
        ("٠٥٠١٢٣٤٥٦٧ احجز", "٠٥٠١٢٣٤٥٦٧"),
    ] {
        let finds = find(line);
        let found: Vec<&str> =
            finds.phones.iter().map(|span| &line[span.start..span.end]).collect();
        assert_eq!(found, [phone], "{line}");
        assert!(finds.order.is_none_or(|order| order.quantity <= 2), "{line}");
    }
    for line in [
        "299.000",
        "1.500.000",
        "20261130",
        "A12 +1",
        "12/11/2026",
        "19:00",
        "1 2 3 4",
        "100 000 000",
    ] {
        assert_eq!(find(line).phones, [], "{line}");
    }
}

#[test]
fn links_and_mentions_are_found_where_they_are() {
    for (line, link) in [
        ("see https://bad.example/a?b=1 now", "https://bad.example/a?b=1"),
        ("(shopee.vn/x)", "shopee.vn/x)"),
        ("go to wa.me/abcd", "wa.me/abcd"),
        ("www.a.b", "www.a.b"),
        ("buy.cheap.com!", "buy.cheap.com"),
    ] {
        let finds = find(line);
        let found: Vec<&str> = finds.links.iter().map(|span| &line[span.start..span.end]).collect();
        assert_eq!(found, [link], "{line}");
    }
    for line in ["ok.me too", "nice.love it", "1.5", "a.b", "hello...com"] {
        assert_eq!(find(line).links, [], "{line}");
    }
    let line = "@lan.shop A12 +1 @bạn";
    let finds = find(line);
    let found: Vec<&str> = finds.mentions.iter().map(|span| &line[span.start..span.end]).collect();
    assert_eq!(found, ["@lan.shop", "@bạn"]);
    assert_eq!(order_name(finds.order.as_ref()), "A12:1");
}

#[test]
fn a_catalogue_names_items_that_have_no_shape() {
    let items = Items::new([
        ("RED", "RED"),
        ("silk scarf", "S1"),
        ("15", "15"),
        ("a-12", "A12"),
        ("Váy hoa", "V7"),
    ]);
    let order = |line: &str| order_name(FINDER.with(|f| f.find(line, &items, None)).order.as_ref());
    assert_eq!(order("red +2"), "RED:2");
    assert_eq!(order("silk scarf +1"), "S1:1");
    assert_eq!(order("chốt váy hoa 2"), "V7:2");
    assert_eq!(order("a12"), "A12:1");
    assert_eq!(order("A-12 x3"), "A12:3");
    assert_eq!(order("15 2"), "15:2");
    assert_eq!(order("silk scarf how much?"), "-");
    assert_eq!(order("15 mins"), "-");
}

#[test]
fn further_orders_of_a_line_are_kept() {
    let finds = find("A12 +1, B3 +2 c4x3");
    let all: Vec<String> =
        finds.order.iter().chain(&finds.more_orders).map(|o| order_name(Some(o))).collect();
    assert_eq!(all, ["A12:1", "B3:2", "C4:3"]);
    assert_eq!(find("how much A12 and B3").items, ["A12", "B3"]);
}

#[test]
fn finds_are_written_without_what_is_not_there() {
    assert_eq!(serde_json::to_string(&Finds::default()).unwrap(), "{}");
    let finds = find("hello A12 +1 cod?");
    let json = serde_json::to_string(&finds).unwrap();
    assert_eq!(
        json,
        r#"{"order":{"code":"A12","quantity":1},"questions":["payment"],"greeting":true}"#
    );
    assert_eq!(serde_json::from_str::<Finds>(&json).unwrap(), finds);
}

fn holds(line: &str) -> Result<(), TestCaseError> {
    let finds = find(line);
    for span in finds.links.iter().chain(&finds.phones).chain(&finds.mentions) {
        prop_assert!(line.get(span.start..span.end).is_some_and(|part| !part.is_empty()));
    }
    for order in finds.order.iter().chain(&finds.more_orders) {
        prop_assert!((1..=99).contains(&order.quantity));
        prop_assert!(order.code.as_ref().is_none_or(|code| !code.is_empty()));
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read(line in "\\PC{0,80}") {
        holds(&line)?;
    }

    #[test]
    fn text_of_likely_pieces_is_read(
        pieces in proptest::collection::vec(
            prop::sample::select(vec![
                "A12", "+", "1", "x", "2", "chốt", "รับ", "件", "号", "?", "0912", "345", "678", "mine", "-", "@", ".", " ",
                "com", "扣", "99999999999", "size", "k", "개", "حبتين", "(", "#", ":", "\u{301}", "🇹🇭", "第",
            ]),
            0..16,
        ),
    ) {
        holds(&pieces.concat())?;
        holds(&pieces.join(" "))?;
    }

    #[test]
    fn a_code_with_a_plus_is_an_order(letter in "[A-HJ-WYZ]", number in 10_u32..999, quantity in 1_u32..=99) {
        let finds = find(&format!("{letter}{number} +{quantity}"));
        let order = Order { code: Some(format!("{letter}{number}")), quantity };
        prop_assert_eq!(finds.order, Some(order));
    }
}
