//! Calendars of several programs, and of people who mean harm.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn event(lines: &str) -> String {
    let lines = lines.replace('\n', "\r\n");
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Dentist\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// The busy times of March 2027, in UTC and short.
fn busy(lines: &str) -> Vec<String> {
    let calendar = read(&event(lines), &zone("Europe/Berlin"));
    let busy = calendar.busy(at("2027-03-01T00:00:00Z"), at("2027-04-01T00:00:00Z"));
    let short = |t: Timestamp| t.strftime("%d %H:%M").to_string();
    busy.iter().map(|b| format!("{}-{}", short(b.from), short(b.to))).collect()
}

fn notes(lines: &str) -> String {
    read(&event(lines), &zone("Europe/Berlin")).notes.join("\n")
}

#[test]
fn times_are_read_in_every_form() {
    assert_eq!(busy("DTSTART:20270310T200000Z\nDTEND:20270310T210000Z"), ["10 20:00-10 21:00"]);
    assert_eq!(
        busy("DTSTART;TZID=Asia/Bangkok:20270310T200000\nDURATION:PT1H30M"),
        ["10 13:00-10 14:30"]
    );
    // Without a zone it is the calendar's own.
    assert_eq!(busy("DTSTART:20270310T200000\nDTEND:20270310T210000"), ["10 19:00-10 20:00"]);
    assert_eq!(busy("DTSTART;VALUE=DATE:20270310"), ["09 23:00-10 23:00"]);
    // A day on which the clocks are put forward has 23 hours.
    assert_eq!(
        busy("DTSTART;VALUE=DATE:20270328\nDTEND;VALUE=DATE:20270329"),
        ["27 23:00-28 22:00"]
    );
    assert_eq!(
        busy("DTSTART:20270310T200000Z\nDTEND:20270310T210000Z\nTRANSP:TRANSPARENT"),
        [""; 0]
    );
    assert_eq!(busy("DTSTART:20270310T200000Z\nDTEND:20270310T210000Z\nSTATUS:CANCELLED"), [""; 0]);
}

#[test]
fn what_comes_again_keeps_to_the_wall_clock() {
    let weekly =
        "DTSTART;TZID=Europe/Berlin:20260105T200000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO,TH";
    let expected = [
        "01 19:00-01 20:00",
        "04 19:00-04 20:00",
        "08 19:00-08 20:00",
        "11 19:00-11 20:00",
        "15 19:00-15 20:00",
        "18 19:00-18 20:00",
        "22 19:00-22 20:00",
        "25 19:00-25 20:00",
        // Summer time.
        "29 18:00-29 19:00",
    ];
    assert_eq!(busy(weekly), expected);
    assert_eq!(
        busy("DTSTART:20270220T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;INTERVAL=10"),
        ["02 08:00-02 09:00", "12 08:00-12 09:00", "22 08:00-22 09:00"]
    );
    assert_eq!(
        busy("DTSTART:20270226T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=5"),
        ["01 08:00-01 09:00", "02 08:00-02 09:00"]
    );
    // The start is a Wednesday: it and the Friday count, then Monday, Wednesday, Friday...
    assert_eq!(
        busy("DTSTART:20270224T080000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=4"),
        ["01 08:00-01 09:00", "03 08:00-03 09:00"]
    );
    assert_eq!(
        busy(
            "DTSTART:20270301T080000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20270320\nEXDATE:20270301T080000Z"
        ),
        ["15 08:00-15 09:00"]
    );
    assert_eq!(
        busy(
            "DTSTART:20270305T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYDAY=FR,SA;UNTIL=20270312T090000Z"
        ),
        ["05 08:00-05 09:00", "06 08:00-06 09:00", "12 08:00-12 09:00"]
    );
}

#[test]
fn the_last_day_of_a_rule_is_whole_and_ends_on_the_clock_of_its_start() {
    // Berlin is an hour ahead of UTC.
    assert_eq!(
        busy("DTSTART;VALUE=DATE:20270308\nRRULE:FREQ=DAILY;UNTIL=20270309"),
        ["07 23:00-08 23:00", "08 23:00-09 23:00"]
    );
    assert_eq!(
        busy("DTSTART:20270308T230000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20270309"),
        ["08 22:00-08 23:00", "09 22:00-09 23:00"]
    );
    // The evening of 9 March in New York is the morning of the 10th in Berlin.
    let evening =
        "DTSTART;TZID=America/New_York:20270308T200000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=";
    let expected = ["09 01:00-09 02:00", "10 01:00-10 02:00"];
    assert_eq!(busy(&format!("{evening}20270309")), expected);
    assert_eq!(busy(&format!("{evening}20270309T200000")), expected);
    assert_eq!(busy(&format!("{evening}20270309T195959")), expected[..1]);
    assert_eq!(busy(&format!("{evening}20270310T010000Z")), expected);
}

#[test]
fn durations_have_days_and_weeks() {
    let timed = |length: &str| busy(&format!("DTSTART:20270310T200000Z\nDURATION:{length}"));
    assert_eq!(timed("P1D"), ["10 20:00-11 20:00"]);
    assert_eq!(timed("P1W"), ["10 20:00-17 20:00"]);
    assert_eq!(timed("P1DT2H"), ["10 20:00-11 22:00"]);
    let whole = |length: &str| busy(&format!("DTSTART;VALUE=DATE:20270310\nDURATION:{length}"));
    assert_eq!(whole("P2D"), ["09 23:00-11 23:00"]);
    assert_eq!(whole("P1W"), ["09 23:00-16 23:00"]);
    for wrong in ["-P1D", "-PT1H", "P1M", "P1Y", "P9999W", "P99999999999999999999D", "long"] {
        assert_eq!(timed(wrong), [""; 0], "{wrong}");
        let said = notes(&format!("DTSTART:20270310T200000Z\nDURATION:{wrong}"));
        assert!(said.contains("the duration"), "{wrong}: {said}");
    }
}

#[test]
fn what_is_not_understood_is_said() {
    let rule = |rule: &str| format!("DTSTART:20270310T080000Z\nDURATION:PT1H\nRRULE:{rule}");
    for (text, part) in [
        ("FREQ=YEARLY;BYWEEKNO=10", "(BYWEEKNO=10)"),
        ("FREQ=MONTHLY;BYDAY=0MO", "(BYDAY=0MO)"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "(BYMONTHDAY=32)"),
        ("FREQ=YEARLY;BYMONTH=-1", "(BYMONTH=-1)"),
        ("FREQ=MONTHLY;BYSETPOS=0", "(BYSETPOS=0)"),
        ("FREQ=WEEKLY;BYDAY=2TU", "(FREQ=WEEKLY with a number in BYDAY)"),
        ("FREQ=DAILY;BYMONTH=3", "(FREQ=DAILY with BYMONTH)"),
        ("FREQ=HOURLY", "(FREQ=HOURLY)"),
    ] {
        assert_eq!(busy(&rule(text)), ["10 08:00-10 09:00"], "{text}");
        let said = notes(&rule(text));
        assert!(
            said.contains("\"Dentist\" comes again by a rule that is not understood"),
            "{said}"
        );
        assert!(said.contains(part), "{said}");
    }
    let elsewhere = "DTSTART;TZID=\"W. Europe Standard Time\":20270310T080000\nDURATION:PT1H";
    assert_eq!(busy(elsewhere), ["10 07:00-10 08:00"]);
    assert!(notes(elsewhere).contains("taken as Europe/Berlin"), "{}", notes(elsewhere));
    assert!(notes("DTSTART:yesterday").contains("no start"));
    let except = vec!["20270301T080000Z"; 2001].join(",");
    let except = format!("DTSTART:20270310T080000Z\nDURATION:PT1H\nEXDATE:{except}");
    assert!(notes(&except).contains("only the first 2000 of its EXDATE are read"));
    assert!(read("hello", &zone("UTC")).notes[0].contains("no iCalendar"));
    let cut = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20270310T200000Z\n";
    assert!(read(cut, &zone("UTC")).notes[0].contains("cut off"));
}

#[test]
fn a_rule_from_long_ago_costs_nothing() {
    let many = event("DTSTART:19700101T080000Z\nDURATION:PT1M\nRRULE:FREQ=DAILY")
        .replace("END:VCALENDAR\r\n", "");
    let one = many.split_once("BEGIN:VEVENT").unwrap().1;
    let text = many.clone() + &format!("BEGIN:VEVENT{one}").repeat(20_000);
    let calendar = read(&text, &zone("UTC"));
    assert_eq!(calendar.events(), 10_000);
    assert!(calendar.notes.iter().any(|n| n.contains("only the first")));
    let (from, to) = (at("2027-03-01T00:00:00Z"), at("2027-03-15T00:00:00Z"));
    assert_eq!(calendar.busy(from, to).len(), MOST_TIMES);
    assert!(calendar.left_out(from, to).unwrap().contains("more than 20000 busy times"));
    // What lies beside the span takes no room.
    let to = at("2027-03-02T00:00:00Z");
    assert_eq!(calendar.busy(from, to).len(), 10_000);
    assert_eq!(calendar.left_out(from, to), None);
}

#[test]
fn what_is_written_is_folded_escaped_and_read_again() {
    let event = Event {
        uid: "20270310T120000Z-lin@hawker".into(),
        start: at("2027-03-10T12:00:00Z"),
        end: at("2027-03-10T13:30:00Z"),
        title: "直播; TH, ID \\ ".to_owned() + &"很长".repeat(40),
        text: "one\ntwo\u{7}".into(),
        categories: vec!["TH".into(), "a,b".into()],
    };
    let text = write("Spring", at("2027-03-01T00:00:00Z"), std::slice::from_ref(&event));
    assert!(text.split("\r\n").all(|line| line.len() <= 75));
    assert!(text.ends_with("END:VCALENDAR\r\n") && !text.replace("\r\n", "").contains('\n'));
    let whole = text.replace("\r\n ", "");
    assert!(whole.contains("SUMMARY:直播\\; TH\\, ID \\\\ 很长"), "{whole}");
    assert!(whole.contains("DESCRIPTION:one\\ntwo\r\n") && whole.contains("CATEGORIES:TH,a\\,b"));
    let calendar = read(&text, &zone("Asia/Tokyo"));
    assert_eq!(calendar.notes, Vec::<String>::new());
    let busy = calendar.busy(at("2027-03-01T00:00:00Z"), at("2027-04-01T00:00:00Z"));
    assert_eq!(busy, [Busy { from: event.start, to: event.end }]);
}

#[test]
fn months_and_years_come_again_as_dateutil_has_them() {
    let table = include_str!("tests/recurring.txt");
    let mut wrong = Vec::new();
    let mut told = 0;
    for line in table.lines().filter(|l| !l.starts_with('#')) {
        let [first, rule, from, days] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let day = |text: &str| jiff::civil::Date::strptime("%Y%m%d", text).unwrap();
        let midnight = |d: jiff::civil::Date| {
            When::Clock(d.to_datetime(jiff::civil::Time::midnight()), Zone::utc()).instant()
        };
        let text = event(&format!("DTSTART:{first}T000000Z\nDURATION:PT1H\nRRULE:{rule}"));
        let calendar = read(&text, &Zone::utc());
        assert_eq!(calendar.notes, Vec::<String>::new(), "{line}");
        let to = day(from).checked_add(SignedDuration::from_hours(24 * 3 * 365)).unwrap();
        let found: Vec<String> = calendar
            .busy(midnight(day(from)), midnight(to))
            .iter()
            .take(40)
            .map(|b| b.from.strftime("%Y%m%d").to_string())
            .collect();
        let found = if found.is_empty() { "-".to_owned() } else { found.join(",") };
        told += usize::from(days != "-");
        if found != days {
            wrong.push(format!("{line}\n{found}"));
        }
    }
    assert!(told > 200, "{told}");
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn months_keep_to_the_wall_clock_and_exceptions() {
    assert_eq!(
        busy(
            "DTSTART;TZID=Europe/Berlin:20250131T200000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1,1\nEXDATE;TZID=Europe/Berlin:20270301T200000"
        ),
        ["31 18:00-31 19:00"]
    );
    // A span that began in the month before, and a day without a time.
    assert_eq!(
        busy("DTSTART;VALUE=DATE:20200227\nDURATION:P4D\nRRULE:FREQ=YEARLY"),
        ["26 23:00-02 23:00"]
    );
    assert_eq!(
        busy(
            "DTSTART:20270101T080000Z\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYDAY=2TU;UNTIL=20270309T080000Z"
        ),
        ["09 08:00-09 09:00"]
    );
}

#[test]
fn many_rules_by_months_from_long_ago_cost_little() {
    let rule = "RRULE:FREQ=MONTHLY;COUNT=100000;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1";
    let event =
        format!("BEGIN:VEVENT\nDTSTART:19700101T080000Z\nDURATION:PT1M\n{rule}\nEND:VEVENT\n");
    let calendar = read(&format!("BEGIN:VCALENDAR\n{}", event.repeat(1000)), &zone("UTC"));
    let begun = std::time::Instant::now();
    let busy = calendar.busy(at("2027-03-01T00:00:00Z"), at("2027-04-01T00:00:00Z"));
    assert_eq!(busy.len(), 1000);
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn any_text_is_read_without_harm(text in "\\PC{0,200}", junk in prop::collection::vec("(BEGIN:VEVENT|END:VEVENT|DTSTART[;:=A-Z0-9]{0,20}|RRULE:FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;(BYDAY|BYMONTHDAY|BYMONTH|BYSETPOS|INTERVAL|COUNT)=[-A-Z0-9,]{0,8}){0,3}[;=A-Z0-9,]{0,20}|[ -~]{0,30})", 0..30)) {
        for text in [text, format!("BEGIN:VCALENDAR\n{}", junk.join("\n"))] {
            let calendar = read(&text, &Zone::utc());
            calendar.busy(at("2027-03-01T00:00:00Z"), at("2027-03-15T00:00:00Z"));
        }
    }

    #[test]
    fn counting_agrees_with_walking(start in 0_i64..9000, interval in 1_i64..5, on in any::<[bool; 7]>(), count in prop::option::of(1_i64..400), wkst in 0_usize..7) {
        const NAMES: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
        prop_assume!(on.iter().any(|o| *o));
        let first = jiff::civil::date(2003, 1, 1) + jiff::SignedDuration::from_hours(24 * start);
        let names: Vec<&str> = NAMES.iter().zip(on).filter(|(_, on)| *on).map(|(n, _)| *n).collect();
        let count_part = count.map_or(String::new(), |c| format!(";COUNT={c}"));
        let text = event(&format!(
            "DTSTART:{}T080000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;WKST={};INTERVAL={interval};BYDAY={}{count_part}",
            first.strftime("%Y%m%d"), NAMES[wkst], names.join(",")
        ));
        let (from, to) = (at("2027-03-01T00:00:00Z"), at("2027-03-29T00:00:00Z"));
        let found: Vec<Timestamp> = read(&text, &Zone::utc()).busy(from, to).iter().map(|b| b.from).collect();
        // Day by day from the start.
        let into = |d: jiff::civil::Date| (d.weekday().to_monday_zero_offset() as i64 - wkst as i64).rem_euclid(7);
        let (mut day, mut number, mut walked) = (first, 0, Vec::new());
        while day < jiff::civil::date(2027, 3, 29) {
            let since = day.duration_since(first).as_hours() / 24 + into(first);
            if on[day.weekday().to_monday_zero_offset() as usize] && (since / 7) % interval == 0 {
                if count.is_none_or(|c| number < c) && day >= jiff::civil::date(2027, 3, 1) {
                    walked.push(Zone::utc().local(day.at(8, 0, 0, 0)).pick(Gap::Edge, Fold::First).unwrap());
                }
                number += 1;
            }
            day = day.tomorrow().unwrap();
        }
        prop_assert_eq!(found, walked);
    }
}
