//! Tables as platforms hand them out, and as nobody should.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::market::{Currency, Mark, Marked, Taste, ZoneShare};

fn market(id: &str, title: &str, zone: &str) -> Market {
    let marked = |value| Marked { value, mark: Mark::A };
    Market {
        id: id.parse().unwrap(),
        title: title.into(),
        group: "x".into(),
        zones: vec![ZoneShare { zone: Zone::named(zone).unwrap(), share: 1.0 }],
        languages: Marked { value: vec!["en".into()], mark: Mark::A },
        currency: Currency { code: "USD".into(), decimals: 2 },
        windows: Vec::new(),
        elsewhere: marked(1.0),
        weekdays: Marked { value: [1.0; 7], mark: Mark::A },
        payments: Vec::new(),
        days: Vec::new(),
        taste: Marked { value: Taste::Lively, mark: Mark::A },
        watch_s: Marked { value: 120, mark: Mark::A },
        segment_s: Marked { value: (300, 480), mark: Mark::A },
        links: Vec::new(),
    }
}

fn markets() -> Vec<Market> {
    vec![
        market("TH", "Thailand", "Asia/Bangkok"),
        market("DE", "Germany", "Europe/Berlin"),
        market("US-E", "United States, east", "America/New_York"),
    ]
}

fn reading(text: &[u8], market: Option<&str>) -> Result<Import, Refused> {
    let markets = markets();
    let ask =
        Ask { markets: &markets, market: market.map(|m| m.parse().unwrap()), ..Ask::default() };
    read(text, &ask)
}

fn said(row: &Row) -> String {
    format!("{} {} {} min {} {:?}", row.at, row.market, row.minutes, row.viewers, row.orders)
}

#[test]
fn a_plain_table_is_read() {
    let text = "date,time,market,viewers,orders\n2027-03-04,20:00,TH,120,7\n2027-03-05,20:00,Germany,80,\n";
    let import = reading(text.as_bytes(), None).unwrap();
    let rows: Vec<String> = import.rows.iter().map(said).collect();
    assert_eq!(
        rows,
        ["2027-03-04T13:00:00Z TH 60 min 120 Some(7.0)", "2027-03-05T19:00:00Z DE 60 min 80 None"]
    );
    assert!(import.bad.is_empty());
    assert_eq!(import.mapping.form, "CSV with commas");
}

#[test]
fn a_german_table_with_a_mark_semicolons_and_commas_is_read() {
    let text = "\u{feff}Datum;Startzeit;x\nDate;Time;Avg Viewers;Orders;Duration (h)\n\
                04.03.2027;20:00;1.234,5;1.000;1,5\n05.03.2027;20:00;980;12;2\n";
    let import = reading(text.as_bytes(), Some("DE")).unwrap();
    let rows: Vec<String> = import.rows.iter().map(said).collect();
    assert_eq!(
        rows,
        [
            "2027-03-04T19:00:00Z DE 90 min 1234.5 Some(1000.0)",
            "2027-03-05T19:00:00Z DE 120 min 980 Some(12.0)"
        ]
    );
    assert!(import.mapping.decimal_comma);
    assert_eq!(import.mapping.form, "CSV with semicolons");
}

#[test]
fn a_chinese_table_from_excel_is_read() {
    let text = "开播时间（UTC+8）\t直播时长\t平均在线人数\t最高在线人数\t成交订单数\t国家\n\
                2027年3月4日 21:00\t1小时30分\t1.2万\t3万\t88\t泰国\n2027/3/5 21:00\t45分钟\t300\t900\t--\tTH\n";
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let import = reading(&bytes, None).unwrap();
    let rows: Vec<String> = import.rows.iter().map(said).collect();
    assert_eq!(
        rows,
        [
            "2027-03-04T13:00:00Z TH 90 min 12000 Some(88.0)",
            "2027-03-05T13:00:00Z TH 45 min 300 None"
        ]
    );
    assert_eq!(import.mapping.zone.as_deref(), Some("UTC+8"));
    assert_eq!(import.mapping.form, "CSV with tabs");
}

#[test]
fn json_is_read_in_three_forms() {
    let one = r#"{"start":"2027-03-04T20:00:00+07:00","market":"th","viewers":12.5,"orders":null}"#;
    for text in
        [format!("[{one}]"), format!("{{\"total\":1,\"rows\":[{one}]}}"), format!("{one}\n{one}\n")]
    {
        let import = reading(text.as_bytes(), None).unwrap();
        assert_eq!(said(&import.rows[0]), "2027-03-04T13:00:00Z TH 60 min 12.5 None", "{text}");
        assert_eq!(import.rows.len(), 1);
    }
    assert!(matches!(reading(b"[1, 2]", None), Err(Refused::NotTable(_))));
    assert!(matches!(reading(b"{\"a\": ", None), Err(Refused::NotTable(_))));
}

#[test]
fn bad_rows_are_told_with_line_and_reason_and_the_others_are_read() {
    let text = "date,time,zone,market,viewers\n\
                2027-03-04,20:00,,TH,1\n\
                2027-03-04,20:00,,TH,1\n\
                2027-03-04,20:00,,TH,2\n\
                2027-02-30,20:00,,TH,1\n\
                2027-03-04,25:00,,TH,1\n\
                2027-03-04,21:00,,XX,1\n\
                2027-03-04,21:00,,TH,many\n\
                2027-03-04,21:00,,TH,\n\
                2027-03-04,21:00,Bangkok,TH,1\n\
                2027-03-14,02:30,,US-E,1\n\
                2027-11-07,01:30,,US-E,1\n\
                2027-11-07,01:30,-05:00,US-E,1\n\
                2027-03-04\n\
                2027-03-04,21:00,,US,1\n\
                2027-03-05,20:00,,TH,\"3\"\n";
    let import = reading(text.as_bytes(), None).unwrap();
    assert_eq!((import.rows.len(), import.duplicates), (3, 1));
    let bad: Vec<String> = import.bad.iter().map(|b| format!("{}: {}", b.line, b.why)).collect();
    for (n, part) in [
        "4: line 2 has other figures",
        "5: \"2027-02-30\": no such day",
        "6: \"25:00\": no time of day",
        "7: no market is called \"XX\"",
        "8: \"many\" is no number of viewers",
        "9: it says nothing of viewers",
        "10: \"Bangkok\" is no time zone",
        "11: 2027-03-14 02:30 does not exist in America/New_York",
        "12: 2027-11-07 01:30 happens twice in America/New_York",
        "14: it names no market",
        "15: the United States are two markets",
    ]
    .iter()
    .enumerate()
    {
        assert!(bad[n].starts_with(part), "{part}\n{}", bad.join("\n"));
    }
    assert_eq!(bad.len(), 11, "{}", bad.join("\n"));
}

/// Thailand, and dates that begin with the day.
fn day_first(markets: &[Market]) -> Ask<'_> {
    let (market, dates) = ("TH".parse().ok(), Some(DateOrder::DayFirst));
    Ask { markets, market, dates, ..Ask::default() }
}

#[test]
fn what_can_be_read_in_two_ways_is_asked_for() {
    let text = b"start,viewers\n03/04/2027 20:00,1\n05/06/2027 20:00,2\n";
    let why = reading(text, Some("TH")).unwrap_err();
    assert!(matches!(&why, Refused::Dates(example) if example.starts_with("03/04/2027")), "{why}");
    assert!(why.to_string().contains("--dates dmy"));
    let markets = markets();
    let ask = day_first(&markets);
    assert_eq!(read(text, &ask).unwrap().rows[0].at.to_string(), "2027-04-03T13:00:00Z");
    // One row that says it says it for all.
    let text = b"start,viewers\n03/04/2027 20:00,1\n25/06/2027 20:00,2\n";
    assert_eq!(reading(text, Some("TH")).unwrap().rows[0].at.to_string(), "2027-04-03T13:00:00Z");
    let why = |text: &[u8], market| reading(text, market).unwrap_err().to_string();
    assert!(why(b"start,viewers\n2027-03-04 20:00,1\n", None).contains("--market"));
    assert!(why(b"start,guests\n2027-03-04 20:00,1\n", Some("TH")).contains("viewers"));
    assert!(why(b"viewers,orders\n1,2\n", Some("TH")).contains("no column is known as a date"));
    assert!(why(b"", Some("TH")).contains("no row"));
    assert!(why(b"\xffabc\xfe", Some("TH")).contains("UTF-8"));
}

#[test]
fn a_date_that_is_not_in_the_order_that_was_asked_for_is_no_day() {
    let markets = markets();
    let ask = day_first(&markets);
    for (first, rows) in [("03/04/2026 20:00,1\n", 1), ("", 0)] {
        let text = format!("start,viewers\n{first}03/14/2026 20:00,2\n");
        let import = read(text.as_bytes(), &ask).unwrap();
        assert_eq!((import.rows.len(), import.bad.len()), (rows, 1));
        assert!(import.bad[0].why.contains("no such day"), "{:?}", import.bad);
    }
}

#[test]
fn an_offset_behind_zero_in_a_column_of_times_is_no_long_show() {
    let text = b"date,time,viewers\n2026-10-05,20:00:00-04:00,1\n2026-10-06,20:00-04:00,1\n2026-10-07,20:00-21:30,1\n";
    let import = reading(text, Some("TH")).unwrap();
    let rows: Vec<String> = import.rows.iter().map(said).collect();
    assert_eq!(
        rows,
        ["2026-10-06T00:00:00Z TH 60 min 1 None", "2026-10-07T13:00:00Z TH 90 min 1 None"]
    );
    assert!(import.bad[0].why.contains("20:00~04:00"), "{:?}", import.bad);
}

#[test]
fn rows_of_no_time_of_ours_are_slips() {
    let markets = markets();
    let ask = Ask {
        markets: &markets,
        market: "TH".parse().ok(),
        now: "2027-03-05T00:00:00Z".parse().ok(),
        ..Ask::default()
    };
    let text = b"start,viewers\n2027-03-04 20:00,1\n2072-03-04 20:00,1\n1999-01-01 20:00,1\n0000000001,1\n";
    let import = read(text, &ask).unwrap();
    let bad: Vec<String> = import.bad.iter().map(|b| format!("{}: {}", b.line, b.why)).collect();
    assert_eq!((import.rows.len(), bad.len()), (1, 3), "{bad:?}");
    assert_eq!(bad[0], "3: 2072-03-04T13:00:00Z lies in the future");
    assert!(bad[1].contains("lies before all shows") && bad[2].contains("lies before"), "{bad:?}");
}

#[test]
fn a_long_row_is_told_hour_by_hour() {
    let row = Row {
        line: 1,
        market: "TH".parse().unwrap(),
        at: "2027-03-04T13:45:00Z".parse().unwrap(),
        minutes: 90.0,
        viewers: 40.0,
        orders: Some(9.0),
    };
    let mut history = History::new();
    row.add_to(&mut history);
    let hours: Vec<(f32, f32, f32)> =
        history.hours(&row.market).map(|a| (a.minutes, a.viewers, a.orders.unwrap())).collect();
    assert_eq!(hours, [(15.0, 40.0, 1.5), (60.0, 40.0, 6.0), (15.0, 40.0, 1.5)]);
}

proptest! {
    #[test]
    fn anything_is_read_or_refused_in_plain_words(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }

    #[test]
    fn any_table_is_read_or_refused_in_plain_words(
        head in prop::sample::select(vec![
            "date,time,viewers,market", "start;viewers;orders", "开播时间\t观看人数\t国家", "at,acu,tz", "time|ccu|duration (h)",
        ]),
        body in "[-0-9:/.,;|\t\n年月日时 TZ+UCth\"'kAPM万é\u{202e}\u{1b}]{0,300}",
    ) {
        check(format!("{head}\n{body}").as_bytes());
    }

    #[test]
    fn what_is_written_is_read_again(
        rows in prop::collection::btree_map(0_u32..20_000, (0_u32..2_000_000, prop::option::of(0_u32..5000)), 1..40),
        semicolons in any::<bool>(),
        mark in any::<bool>(),
    ) {
        let by = if semicolons { ';' } else { ',' };
        let mut text = String::from(if mark { "\u{feff}" } else { "" });
        let _ = writeln!(text, "start{by}viewers{by}orders{by}market");
        let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (hour, (tenths, orders)) in &rows {
            let at = plus_hours(begin, i64::from(*hour));
            let (whole, part) = (tenths / 10, tenths % 10);
            let number = if semicolons { format!("{whole},{part}") } else { format!("{whole}.{part}") };
            let orders = orders.map_or(String::new(), |n| n.to_string());
            let _ = writeln!(text, "{at}{by}{number}{by}{orders}{by}TH");
        }
        let import = reading(text.as_bytes(), None).unwrap();
        prop_assert!(import.bad.is_empty(), "{:?}\n{text}", import.bad);
        prop_assert_eq!(import.rows.len(), rows.len());
        for (row, (hour, (tenths, orders))) in import.rows.iter().zip(&rows) {
            prop_assert_eq!(row.at, plus_hours(begin, i64::from(*hour)));
            prop_assert!((f64::from(row.viewers) - f64::from(*tenths) / 10.0).abs() < 0.05);
            prop_assert_eq!(row.orders, orders.map(|n| n as f32));
        }
    }
}

/// What must hold of any input.
fn check(bytes: &[u8]) {
    for market in [None, Some("TH")] {
        match reading(bytes, market) {
            Ok(import) => {
                for bad in &import.bad {
                    assert!(!bad.why.chars().any(char::is_control), "{bad:?}");
                }
                for row in &import.rows {
                    assert!(row.viewers.is_finite() && row.viewers >= 0.0, "{row:?}");
                    assert!((1.0..=1440.0).contains(&row.minutes), "{row:?}");
                    row.add_to(&mut History::new());
                }
            }
            Err(why) => assert!(!why.to_string().chars().any(char::is_control), "{why}"),
        }
    }
}
