//! Markets by name: those embedded in the program, each replaced by a file of the same name in the user's `markets/`.
//! It reads facts and weighs none.

use std::{ops::Range, sync::Arc};

use jiff::civil::{Date, Weekday};
use toml::de::DeValue;

use super::{Preset, ingest::texts, presets, text, unknown};
use crate::{
    config::{
        Diagnostics, Dirs,
        diagnostics::{Findings, meant, quoted},
        reader::{self, Fields},
    },
    market::{
        Currency, Day, DayKind, DayOn, Mark, Marked, Market, MarketId, Part, Payment, Taste,
        Window, Zone, ZoneShare,
    },
};

macro_rules! embedded {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../presets/markets/", $name, ".toml")))),*]
    };
}

const MARKETS: [(&str, &str); 18] = embedded![
    "ae", "br", "de", "es", "fr", "gb", "id", "jp", "kr", "mx", "my", "ph", "sa", "sg", "th",
    "us-e", "us-w", "vn"
];

const KEYS: [&str; 15] = [
    "title",
    "group",
    "languages",
    "profile",
    "watch-s",
    "segment-s",
    "links",
    "elsewhere",
    "weekdays",
    "currency",
    "marks",
    "zone",
    "window",
    "payment",
    "day",
];

const MARKS: [(&str, Mark); 4] = [("S", Mark::S), ("W", Mark::W), ("R", Mark::R), ("A", Mark::A)];

const TASTES: [(&str, Taste); 2] = [("lively", Taste::Lively), ("quality", Taste::Quality)];

const PARTS: [(&str, Part); 7] = [
    (Part::Prime.name(), Part::Prime),
    (Part::Second.name(), Part::Second),
    (Part::Commute.name(), Part::Commute),
    (Part::Lunch.name(), Part::Lunch),
    (Part::Bedtime.name(), Part::Bedtime),
    (Part::Night.name(), Part::Night),
    (Part::Special.name(), Part::Special),
];

const KINDS: [(&str, DayKind); 4] = [
    (DayKind::Sale.name(), DayKind::Sale),
    (DayKind::Payday.name(), DayKind::Payday),
    (DayKind::Holiday.name(), DayKind::Holiday),
    (DayKind::Season.name(), DayKind::Season),
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// What is not in a file: nobody looked it up.
const UNMARKED: Mark = Mark::A;

/// The markets there are: the user's and the embedded, by the names of their files.
pub fn markets(dirs: &Dirs) -> Vec<Preset> {
    presets(&MARKETS, &dirs.config.join("markets"))
}

/// The market of that name, in great or small letters: `TH`, `us-e`.
///
/// # Errors
/// No such market, or the user's own file has problems.
pub fn load_market(name: &str, dirs: &Dirs) -> Result<Market, Diagnostics> {
    let all = markets(dirs);
    if let Some(preset) = all.iter().find(|p| p.name.eq_ignore_ascii_case(name)) {
        return load(preset);
    }
    let names: Vec<String> = all.iter().map(|p| p.name.to_uppercase()).collect();
    Err(unknown("market", &name.to_uppercase(), names.iter().map(String::as_str).collect()))
}

/// All the markets there are, by name.
///
/// # Errors
/// A file of the user's has problems.
pub fn load_markets(dirs: &Dirs) -> Result<Vec<Market>, Diagnostics> {
    markets(dirs).iter().map(load).collect()
}

fn load(preset: &Preset) -> Result<Market, Diagnostics> {
    let (origin, text) = text(preset, &MARKETS)?;
    let mut findings = Findings::new(&origin, &text);
    let id = preset.name.parse::<MarketId>();
    if let Err(why) = &id {
        findings.add_whole(format!("the file is called {}", quoted(&preset.name)), why.to_string());
    }
    let read = reader::document(&text, &mut findings)
        .and_then(|t| read_market(id.ok()?, &Fields::new(&t, 0..0, "a market"), &mut findings));
    findings.done(read)
}

fn read_market(id: MarketId, fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Market> {
    fields.only(findings, &KEYS, |_| None);
    fields.missing(findings, "title", "write title = \"…\": what the market is called");
    let title = fields.text(findings, "title").map(|(text, _)| text.to_owned());
    let group = fields
        .text(findings, "group")
        .map_or_else(|| "others".to_owned(), |(text, _)| text.to_owned());
    fields.missing(findings, "languages", "write languages = [\"…\"], the most common first");
    let languages = words(fields, "languages", findings);
    fields.missing(findings, "profile", "write profile = \"lively\" or \"quality\"");
    let taste = fields.choice(findings, "profile", &TASTES);
    let watch_s = fields.whole(findings, "watch-s", 5..=14_400, " s").map_or(120, |(n, _)| n);
    let segment_s = read_segment(fields, findings);
    let elsewhere = fields.number(findings, "elsewhere", 0.0..=2.0, "").unwrap_or(0.25);
    let weekdays = read_weekdays(fields, findings);
    let marks = Marks::read(fields, findings);
    let currency = read_currency(fields, findings);
    let zones = read_zones(fields, findings);
    let days = read_days(fields, findings);
    let windows = read_windows(fields, &days, findings);
    let payments = read_payments(fields, findings);
    let links = words(fields, "links", findings);
    Some(Market {
        id,
        title: title?,
        group,
        zones: if zones.is_empty() { return None } else { zones },
        languages: marks
            .of("languages", if languages.is_empty() { return None } else { languages }),
        currency: currency?,
        windows,
        elsewhere: marks.of("elsewhere", elsewhere),
        weekdays: marks.of("weekdays", weekdays),
        payments,
        days,
        taste: marks.of("profile", taste?),
        watch_s: marks.of("watch-s", watch_s),
        segment_s: marks.of("segment-s", segment_s),
        links,
    })
}

fn words(fields: &Fields<'_>, key: &str, findings: &mut Findings<'_>) -> Vec<String> {
    texts(fields, key, findings).into_iter().map(|(text, _)| text).collect()
}

/// Marks of the facts that stand alone.
struct Marks(Vec<(&'static str, Mark)>);

impl Marks {
    const OF: [&'static str; 6] =
        ["languages", "profile", "watch-s", "segment-s", "elsewhere", "weekdays"];

    fn read(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Self {
        let Some(table) = fields.table(findings, "marks") else { return Self(Vec::new()) };
        table.only(findings, &Self::OF, |_| None);
        let marks = Self::OF
            .iter()
            .filter_map(|key| Some((*key, table.choice(findings, key, &MARKS)?)))
            .collect();
        Self(marks)
    }

    fn of<T>(&self, key: &str, value: T) -> Marked<T> {
        let mark = self.0.iter().find(|(name, _)| *name == key).map_or(UNMARKED, |(_, mark)| *mark);
        Marked { value, mark }
    }
}

fn mark(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Mark {
    fields.choice(findings, "mark", &MARKS).unwrap_or(UNMARKED)
}

fn numbers(
    fields: &Fields<'_>,
    key: &str,
    findings: &mut Findings<'_>,
) -> Option<(Vec<f64>, Range<usize>)> {
    let (items, span) = fields.items(findings, key)?;
    let mut all = Vec::new();
    for item in items {
        let number = match item.get_ref() {
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            other => reader::whole_number(other).map(|n| n as f64),
        };
        let Some(number) = number.filter(|n| n.is_finite()) else {
            let kind = reader::kind_of(item.get_ref());
            let what = format!("{key} holds numbers, but this is {kind}");
            findings.add(&item.span(), what, "write it without quotes");
            return None;
        };
        all.push(number);
    }
    Some((all, span))
}

fn read_segment(fields: &Fields<'_>, findings: &mut Findings<'_>) -> (u32, u32) {
    const USUAL: (u32, u32) = (300, 480);
    let Some((found, span)) = numbers(fields, "segment-s", findings) else { return USUAL };
    match found[..] {
        [least, most]
            if (10.0..=14_400.0).contains(&least) && (least..=14_400.0).contains(&most) =>
        {
            (least as u32, most as u32)
        }
        _ => {
            findings.add(
                &span,
                "a segment's length is two numbers",
                "write segment-s = [300, 480]: at least and at most, 10-14400 s",
            );
            USUAL
        }
    }
}

fn read_weekdays(fields: &Fields<'_>, findings: &mut Findings<'_>) -> [f32; 7] {
    let Some((found, span)) = numbers(fields, "weekdays", findings) else { return [1.0; 7] };
    let fitting = found.iter().all(|n| (0.0..=10.0).contains(n));
    match <[f64; 7]>::try_from(found) {
        Ok(days) if fitting => days.map(|n| n as f32),
        _ => {
            findings.add(
                &span,
                "weekdays are seven numbers of 0-10",
                "write one for each day from Monday, 1.0 for a usual one",
            );
            [1.0; 7]
        }
    }
}

fn read_currency(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Currency> {
    fields.missing(findings, "currency", "write [currency] with code = \"THB\" and decimals = 2");
    let table = fields.table(findings, "currency")?;
    table.only(findings, &["code", "decimals"], |_| None);
    table.missing(findings, "code", "write code = \"THB\", as ISO 4217 has it");
    let decimals = table.whole(findings, "decimals", 0..=3, " digits").map_or(2, |(n, _)| n as u8);
    let (code, span) = table.text(findings, "code")?;
    if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
        return Some(Currency { code: code.to_owned(), decimals });
    }
    findings.add(
        &span,
        format!("{} is no currency", quoted(code)),
        "write three great letters, as ISO 4217 has them: THB",
    );
    None
}

fn read_zones(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Vec<ZoneShare> {
    fields.missing(findings, "zone", "write [[zone]] with name = \"Asia/Bangkok\"");
    let mut zones = Vec::new();
    for zone in fields.tables(findings, "zone") {
        zone.only(findings, &["name", "share"], |_| None);
        zone.missing(findings, "name", "write name = \"Asia/Bangkok\", as the tz database has it");
        let share = zone.number(findings, "share", 0.001..=1000.0, "").unwrap_or(1.0);
        let Some((name, span)) = zone.text(findings, "name") else { continue };
        match Zone::named(name) {
            Ok(zone) => zones.push(ZoneShare { zone, share }),
            Err(why) => {
                let known = ["Asia/Bangkok", "Asia/Jakarta", "America/New_York", "Europe/London"];
                findings.add(
                    &span,
                    why.to_string(),
                    format!("{}see the list of tz database zones", meant(name, known)),
                );
            }
        }
    }
    let all: f32 = zones.iter().map(|z| z.share).sum();
    for zone in &mut zones {
        zone.share /= all;
    }
    zones
}

/// Minutes after midnight of `19:30`.
fn read_minute(fields: &Fields<'_>, key: &str, findings: &mut Findings<'_>) -> Option<u16> {
    const FORM: &str = "write a time of day in quotes: \"19:30\", from \"00:00\" to \"24:00\"";
    fields.missing(findings, key, FORM);
    let (text, span) = fields.text(findings, key)?;
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let two = |t: &str| {
            (t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit()))
                .then(|| t.parse::<u16>().ok())?
        };
        let (hour, minute) = (two(hour)?, two(minute)?);
        (hour * 60 + minute <= 24 * 60 && minute < 60).then_some(hour * 60 + minute)
    });
    if parsed.is_none() {
        findings.add(&span, format!("{} is no time of day", quoted(text)), FORM);
    }
    parsed
}

fn read_windows(fields: &Fields<'_>, days: &[Day], findings: &mut Findings<'_>) -> Vec<Window> {
    let mut windows = Vec::new();
    for table in fields.tables(findings, "window") {
        table.only(findings, &["part", "from", "to", "weight", "during", "mark"], |_| None);
        table.missing(findings, "part", "write part = \"prime\" or the like");
        table.missing(findings, "weight", "write weight = 1.0, or less than prime time has");
        let part = table.choice(findings, "part", &PARTS);
        let (from, to) =
            (read_minute(&table, "from", findings), read_minute(&table, "to", findings));
        let weight = table.number(findings, "weight", 0.0..=2.0, "");
        let during = table.text(findings, "during").and_then(|(name, span)| {
            let seasons =
                || days.iter().filter(|d| d.kind == DayKind::Season).map(|d| d.name.as_ref());
            if let Some(season) =
                days.iter().find(|d| d.kind == DayKind::Season && d.name.as_ref() == name)
            {
                return Some(Arc::clone(&season.name));
            }
            findings.add(
                &span,
                format!("there is no season {}", quoted(name)),
                format!(
                    "{}write a [[day]] with kind = \"season\" and this name",
                    meant(name, seasons())
                ),
            );
            None
        });
        let mark = mark(&table, findings);
        let (Some(part), Some(from), Some(to), Some(weight)) = (part, from, to, weight) else {
            continue;
        };
        let (from, to) = (from % (24 * 60), if to == 0 { 24 * 60 } else { to });
        if from == to {
            findings.add(table.span(), "this window is empty", "let it end after it begins");
        }
        windows.push(Window { part, from, to, weight, during, mark });
    }
    windows
}

fn read_payments(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Vec<Payment> {
    let mut payments = Vec::new();
    for table in fields.tables(findings, "payment") {
        table.only(findings, &["name", "share", "late", "mark"], |_| None);
        table.missing(findings, "name", "write name = \"…\": what it is called there");
        let share = table.number(findings, "share", 0.0..=100.0, " of a hundred");
        let late = table.flag(findings, "late").unwrap_or(false);
        let mark = mark(&table, findings);
        let Some((name, _)) = table.text(findings, "name") else { continue };
        payments.push(Payment { name: name.to_owned(), share, late, mark });
    }
    payments
}

fn read_days(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Vec<Day> {
    const KNOWN: [&str; 12] = [
        "name", "kind", "on", "monthly", "nth", "weekday", "month", "plus", "dates", "lasts",
        "lift", "mark",
    ];
    let mut days = Vec::new();
    for table in fields.tables(findings, "day") {
        table.only(findings, &KNOWN, |_| None);
        table.missing(findings, "name", "write name = \"…\": what the day is called");
        table.missing(
            findings,
            "kind",
            "write kind = \"sale\", \"payday\", \"holiday\" or \"season\"",
        );
        let kind = table.choice(findings, "kind", &KINDS);
        let lasts = table.whole(findings, "lasts", 1..=120, " days").map_or(1, |(n, _)| n as u16);
        let lift = table.number(findings, "lift", 0.1..=10.0, "");
        let mark = mark(&table, findings);
        let on = read_on(&table, findings);
        if kind.is_some_and(|k| k != DayKind::Season) {
            table.missing(findings, "lift", "write lift = 1.5: what it multiplies demand by");
        }
        let (Some((name, _)), Some(kind), Some(on)) = (table.text(findings, "name"), kind, on)
        else {
            continue;
        };
        days.push(Day { name: name.into(), kind, on, lasts, lift: lift.unwrap_or(1.0), mark });
    }
    days
}

fn read_on(table: &Fields<'_>, findings: &mut Findings<'_>) -> Option<DayOn> {
    const FORMS: &str = "write one of: on = \"11-11\"; monthly = [15, 31]; nth, weekday and month; dates = [2027-02-08]";
    let ways = ["on", "monthly", "nth", "dates"].iter().filter(|key| table.has(key)).count();
    if ways != 1 {
        findings.add(table.span(), "a day says in one way when it is", FORMS);
        return None;
    }
    if let Some((text, span)) = table.text(findings, "on") {
        // A year that has a 29 February.
        let date: Option<Date> = format!("2028-{text}").parse().ok();
        if let Some(date) = date.filter(|_| text.len() == 5) {
            return Some(DayOn::Yearly { month: date.month(), day: date.day() });
        }
        findings.add(
            &span,
            format!("{} is no day of the year", quoted(text)),
            "write month and day: on = \"11-11\"",
        );
        return None;
    }
    if table.has("monthly") {
        let (found, span) = numbers(table, "monthly", findings)?;
        if found.is_empty() || !found.iter().all(|n| (1.0..=31.0).contains(n)) {
            findings.add(
                &span,
                "these are no days of a month",
                "write monthly = [15, 31]; 31 is the last one of any month",
            );
            return None;
        }
        return Some(DayOn::Monthly(found.into_iter().map(|n| n as i8).collect()));
    }
    if table.has("nth") {
        table.missing(findings, "weekday", "write weekday = \"thursday\"");
        table.missing(findings, "month", "write month = 11");
        let nth = signed(table, "nth", -1..=5, findings).filter(|n| *n != 0);
        if nth.is_none() && table.has("nth") {
            findings.add(table.span(), "nth is 1 to 5, or -1 for the last", FORMS);
        }
        let weekday = table.choice(findings, "weekday", &WEEKDAYS);
        let month = table.whole(findings, "month", 1..=12, "").map(|(n, _)| n as i8);
        let plus = if table.has("plus") { signed(table, "plus", -31..=31, findings)? } else { 0 };
        return Some(DayOn::Nth { nth: nth?, weekday: weekday?, month: month?, plus });
    }
    read_dates(table, findings)
}

fn signed(
    table: &Fields<'_>,
    key: &str,
    range: std::ops::RangeInclusive<i64>,
    findings: &mut Findings<'_>,
) -> Option<i8> {
    let value = table.value(key)?;
    let number = reader::whole_number(value.get_ref()).filter(|n| range.contains(n));
    if number.is_none() {
        findings.add(
            &value.span(),
            format!("{key} is out of range"),
            format!("use {} to {}", range.start(), range.end()),
        );
    }
    number.map(|n| n as i8)
}

fn read_dates(table: &Fields<'_>, findings: &mut Findings<'_>) -> Option<DayOn> {
    let (items, span) = table.items(findings, "dates")?;
    let mut dates = Vec::new();
    for item in items {
        let date = match item.get_ref() {
            DeValue::Datetime(when) => {
                when.to_string().parse::<Date>().ok().filter(|_| when.time.is_none())
            }
            _ => None,
        };
        match date {
            Some(date) => dates.push(date),
            None => findings.add(
                &item.span(),
                "this is no date",
                "write 2027-02-08, without quotes and without a time",
            ),
        }
    }
    if items.is_empty() {
        findings.add(
            &span,
            "there is no date in it",
            "write dates = [2027-02-08], one for each year",
        );
    }
    dates.sort_unstable();
    (!dates.is_empty()).then_some(DayOn::Dates(dates))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> (tempfile::TempDir, Dirs) {
        let root = tempfile::tempdir().unwrap();
        let dirs = Dirs::below(root.path());
        (root, dirs)
    }

    fn with(name: &str, text: &str) -> (tempfile::TempDir, Dirs) {
        let (root, dirs) = none();
        std::fs::create_dir_all(dirs.config.join("markets")).unwrap();
        std::fs::write(dirs.config.join("markets").join(name), text).unwrap();
        (root, dirs)
    }

    #[test]
    fn every_market_of_ours_reads_and_has_what_the_planner_needs() {
        let (_root, dirs) = none();
        let all = load_markets(&dirs).unwrap();
        assert_eq!(all.len(), 18);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/presets/markets");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), MARKETS.len());
        for market in &all {
            let id = &market.id;
            assert_eq!(market.windows.iter().filter(|w| w.part == Part::Prime).count(), 1, "{id}");
            assert!(!market.payments.is_empty() && !market.days.is_empty(), "{id}");
            let shares: f32 = market.zones.iter().map(|z| z.share).sum();
            assert!((shares - 1.0).abs() < 1e-5, "{id}");
            let (least, most) = market.segment_s.value;
            assert!(300 <= least && most <= 480, "{id}: 5 to 8 minutes");
            for link in &market.links {
                assert!(crate::config::load_link(link, &dirs).is_ok(), "{id}: {link}");
            }
            // Tables of dates reach to the end of 2028.
            for day in &market.days {
                if let DayOn::Dates(dates) = &day.on {
                    let years: Vec<i16> = dates.iter().map(|d| d.year()).collect();
                    assert_eq!(years, [2026, 2027, 2028], "{id}: {}", day.name);
                }
            }
        }
        let decimals = |id| all.iter().find(|m| m.id.as_str() == id).unwrap().currency.decimals;
        assert_eq!([decimals("VN"), decimals("JP"), decimals("KR"), decimals("TH")], [0, 0, 0, 2]);
    }

    #[test]
    fn a_market_is_found_in_any_letters_and_a_slip_is_named() {
        let (_root, dirs) = none();
        assert_eq!(load_market("us-E", &dirs).unwrap().title, "United States, east");
        let shown = load_market("us-x", &dirs).unwrap_err().to_string();
        assert!(shown.contains("no market is called \"US-X\""), "{shown}");
        assert!(shown.contains("did you mean \"US-E\""), "{shown}");
    }

    #[test]
    fn a_file_of_the_users_replaces_ours_or_adds_one() {
        let text = MARKETS.iter().find(|(name, _)| *name == "th").unwrap().1;
        let (_root, dirs) = with("th.toml", &text.replace("\"Thailand\"", "\"Mine\""));
        assert_eq!(load_market("TH", &dirs).unwrap().title, "Mine");
        let (_root, dirs) = with("tw.toml", text);
        assert_eq!(load_markets(&dirs).unwrap().len(), 19);
        let (_root, dirs) = with("t w.toml", text);
        assert!(load_markets(&dirs).unwrap_err().to_string().contains("1-16 of A-Z"));
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let text = "\
titel = \"X\"
languages = [\"th\"]
profile = \"livly\"
weekdays = [1.0, 1.0]
[currency]
code = \"baht\"
[marks]
languages = \"Q\"
[[zone]]
name = \"Asia/Bangcok\"
[[window]]
part = \"prime\"
from = \"19:0\"
to = \"25:00\"
weight = 1
during = \"Ramadan\"
[[day]]
name = \"11.11\"
kind = \"sale\"
on = \"11-31\"
lift = 2
[[day]]
name = \"payday\"
kind = \"payday\"
monthly = [32]
nth = 2
lift = 2
[[day]]
name = \"lunar\"
kind = \"holiday\"
dates = [2027-02-08T10:00:00, \"x\"]
";
        let (_root, dirs) = with("xx.toml", text);
        let shown = load_market("xx", &dirs).unwrap_err().to_string();
        for part in [
            "xx.toml:1:1: a market has no key \"titel\"",
            "did you mean \"title\"",
            "did you mean \"lively\"",
            "seven numbers",
            "\"baht\" is no currency",
            "languages cannot be \"Q\"",
            "did you mean \"Asia/Bangkok\"",
            "\"19:0\" is no time of day",
            "\"25:00\" is no time of day",
            "there is no season \"Ramadan\"",
            "\"11-31\" is no day of the year",
            "a day says in one way when it is",
            "this is no date",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
    }
}
