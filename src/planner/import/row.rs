//! Lines into rows: which is the head, how numbers and dates are written, and what each line says.

use std::collections::HashMap;

use csv::StringRecord;

use super::{
    Ask, Bad, Import, Mapping, Refused, Row,
    columns::{self, Column, Role, Unit},
    number::{self, Style},
    table::Table,
    time::{self, DateOrder, Place, SPAN, Zones},
};
use crate::{
    base::text::short,
    market::{Market, MarketId},
};

/// Among so many lines the head is looked for: platforms write a title above it.
const HEAD: usize = 12;
/// How many rows are looked at to see how numbers and dates are written.
const SAMPLE: usize = 5000;
/// The length of a row that says none, in minutes.
const HOUR: f32 = 60.0;
/// No show was before: 2000-01-01.
const FIRST: jiff::Timestamp = jiff::Timestamp::constant(946_684_800, 0);
/// The most viewers that are believed.
const MOST: f64 = 1e8;

/// Where each role stands.
#[derive(Debug, Default)]
struct Places {
    at: Option<usize>,
    date: Option<usize>,
    time: Option<usize>,
    zone: Option<usize>,
    viewers: Option<usize>,
    orders: Option<usize>,
    market: Option<usize>,
    minutes: Option<usize>,
}

impl Places {
    fn of(columns: &[Column]) -> Self {
        let at = |role| columns.iter().position(|c| c.role == Some(role));
        Self {
            at: at(Role::At),
            date: at(Role::Date),
            time: at(Role::Time),
            zone: at(Role::Zone),
            viewers: at(Role::Viewers),
            orders: at(Role::Orders),
            market: at(Role::Market),
            minutes: at(Role::Minutes),
        }
    }

    /// How much of what is needed is there.
    fn worth(&self) -> usize {
        let when = self.at.is_some() || (self.date.is_some() && self.time.is_some());
        let rest = [self.zone, self.orders, self.market, self.minutes];
        20 * usize::from(when)
            + 20 * usize::from(self.viewers.is_some())
            + rest.iter().flatten().count()
    }
}

/// Reads all lines below the head.
pub fn read(table: &Table, ask: &Ask<'_>) -> Result<Import, Refused> {
    let (head, columns) = head(table).ok_or(Refused::Empty)?;
    let places = Places::of(&columns);
    let missing = match (&places.viewers, &places.at, &places.date, &places.time) {
        (None, ..) => Some("viewers"),
        (_, None, None, _) => Some("a date"),
        (_, None, _, None) => Some("a time"),
        _ => None,
    };
    if let Some(missing) = missing {
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        return Err(Refused::NoColumn { missing, found: short(&names.join(", "), 300) });
    }
    if places.market.is_none() && ask.market.is_none() {
        return Err(Refused::NoMarket);
    }
    let lines = &table.lines[head + 1..];
    if lines.is_empty() {
        return Err(Refused::Empty);
    }
    let style = style(lines, &places, table.semicolons);
    let dates = order(lines, &places, ask)?;
    let names = &table.lines[head].1;
    let zone = [places.at, places.time, places.date]
        .into_iter()
        .flatten()
        .filter_map(|n| columns::bracketed(names.get(n)?))
        .find_map(|text| Zones::default().named(&text).map(|place| (text, place)));
    let mut reader = Reader {
        ask,
        places: &places,
        style,
        // What was asked for holds for all dates, also where none is a question.
        dates: ask.dates.or(dates),
        unit: places.minutes.and_then(|n| names.get(n)).map_or(Unit(1.0), columns::unit),
        place: zone.as_ref().map(|(_, place)| place.clone()),
        zones: Zones::default(),
        markets: HashMap::new(),
    };
    let mut import = Import {
        mapping: Mapping {
            form: table.form.clone(),
            columns,
            decimal_comma: style == Style::Comma,
            dates,
            zone: zone.map(|(text, _)| short(&text, 40)),
        },
        rows: Vec::with_capacity(lines.len()),
        bad: Vec::new(),
        duplicates: 0,
    };
    let mut seen: HashMap<(MarketId, i64), usize> = HashMap::with_capacity(lines.len());
    for (line, record) in lines {
        match reader.row(*line, record) {
            Ok(row) => {
                let key = (row.market.clone(), row.at.as_millisecond());
                match seen.get(&key).and_then(|n| import.rows.get(*n)) {
                    None => {
                        seen.insert(key, import.rows.len());
                        import.rows.push(row);
                    }
                    Some(first) if same(first, &row) => import.duplicates += 1,
                    Some(first) => {
                        let why = format!(
                            "line {} has other figures for the same time and market",
                            first.line
                        );
                        import.bad.push(Bad { line: *line, why });
                    }
                }
            }
            Err(why) => import.bad.push(Bad { line: *line, why }),
        }
    }
    Ok(import)
}

fn same(a: &Row, b: &Row) -> bool {
    a.viewers == b.viewers && a.orders == b.orders && a.minutes == b.minutes
}

/// The line of names and what they mean: among the first lines the one that says the most.
fn head(table: &Table) -> Option<(usize, Vec<Column>)> {
    let lines = table.lines.iter().take(HEAD).enumerate();
    let all = lines.map(|(n, (_, record))| (n, columns::roles(record.iter())));
    // Of lines that say as much, the first.
    all.rev().max_by_key(|(_, columns)| Places::of(columns).worth())
}

/// How numbers are written, by those that can be read in one way only.
fn style(lines: &[(u64, StringRecord)], places: &Places, semicolons: bool) -> Style {
    let (mut points, mut commas) = (0, 0);
    for (_, record) in lines.iter().take(SAMPLE) {
        for column in [places.viewers, places.orders].into_iter().flatten() {
            match record.get(column).and_then(number::style) {
                Some(Style::Point) => points += 1,
                Some(Style::Comma) => commas += 1,
                None => {}
            }
        }
    }
    match commas.cmp(&points) {
        std::cmp::Ordering::Greater => Style::Comma,
        std::cmp::Ordering::Less => Style::Point,
        std::cmp::Ordering::Equal if semicolons => Style::Comma,
        std::cmp::Ordering::Equal => Style::Point,
    }
}

/// Which of day and month comes first, where it is a question.
fn order(
    lines: &[(u64, StringRecord)],
    places: &Places,
    ask: &Ask<'_>,
) -> Result<Option<DateOrder>, Refused> {
    let column = places.at.or(places.date);
    let cells = || lines.iter().filter_map(|(_, record)| record.get(column?));
    let mut open = cells().filter(|cell| time::is_open(cell));
    let Some(example) = open.next() else { return Ok(None) };
    if ask.dates.is_some() {
        return Ok(ask.dates);
    }
    let (mut days, mut months) = (0, 0);
    for order in cells().filter_map(time::order_of) {
        match order {
            DateOrder::DayFirst => days += 1,
            DateOrder::MonthFirst => months += 1,
        }
    }
    match (days, months) {
        (1.., 0) => Ok(Some(DateOrder::DayFirst)),
        (0, 1..) => Ok(Some(DateOrder::MonthFirst)),
        _ => Err(Refused::Dates(short(example, 20))),
    }
}

struct Reader<'a> {
    ask: &'a Ask<'a>,
    places: &'a Places,
    style: Style,
    dates: Option<DateOrder>,
    unit: Unit,
    /// The zone that the head names.
    place: Option<Place>,
    zones: Zones,
    markets: HashMap<String, Result<(MarketId, Option<Place>), String>>,
}

impl Reader<'_> {
    fn row(&mut self, line: u64, record: &StringRecord) -> Result<Row, String> {
        let cell = |column: Option<usize>| column.and_then(|n| record.get(n)).map(str::trim);
        let (market, home) = match cell(self.places.market).filter(|text| !text.is_empty()) {
            Some(text) => self.market(text)?,
            None => match &self.ask.market {
                Some(id) => self.market(id.clone().as_str())?,
                None => return Err("it names no market".into()),
            },
        };
        let said = match cell(self.places.zone).filter(|text| !text.is_empty()) {
            Some(text) => Some(self.zones.named(text).ok_or_else(|| {
                format!(
                    "{:?} is no time zone: names are like Asia/Bangkok or UTC+7",
                    short(text, 40)
                )
            })?),
            None => None,
        };
        let (at, span) = self.when(
            cell(self.places.at),
            cell(self.places.date),
            cell(self.places.time),
            said,
            home,
        )?;
        if self.ask.now.is_some_and(|now| at > now) {
            return Err(format!("{at} lies in the future"));
        }
        if at < FIRST {
            return Err(format!("{at} lies before all shows"));
        }
        let viewers = self
            .number(cell(self.places.viewers), "viewers")?
            .ok_or("it says nothing of viewers")?;
        let orders = self.number(cell(self.places.orders), "orders")?;
        let minutes = match cell(self.places.minutes).filter(|text| !text.is_empty()) {
            Some(text) => time::duration(text, self.unit.0)
                .filter(|minutes| SPAN.contains(minutes))
                .ok_or_else(|| {
                    format!("{:?} is no duration between a minute and a day", short(text, 40))
                })?,
            None => span.unwrap_or(HOUR),
        };
        Ok(Row {
            line,
            market,
            at,
            minutes,
            viewers: viewers as f32,
            orders: orders.map(|n| n as f32),
        })
    }

    fn when(
        &mut self,
        at: Option<&str>,
        date: Option<&str>,
        time: Option<&str>,
        said: Option<Place>,
        home: Option<Place>,
    ) -> Result<(jiff::Timestamp, Option<f32>), String> {
        let told = |text: &str, why: &str| format!("{:?}: {why}", short(text, 40));
        let when = if self.places.at.is_some() {
            let text = at.filter(|text| !text.is_empty()).ok_or("it says no time")?;
            time::at(text, self.dates, &mut self.zones).map_err(|why| told(text, why))?
        } else {
            let date = date.filter(|text| !text.is_empty()).ok_or("it says no date")?;
            let time = time.filter(|text| !text.is_empty()).ok_or("it says no time of day")?;
            // Excel writes the day 0 before a time and midnight behind a date.
            let day = date.split_once(' ').map_or(date, |(day, _)| day);
            let day = time::date(day, self.dates).map_err(|why| told(date, why))?;
            let (clock, place, minutes) =
                time::hours(time, &mut self.zones).map_err(|why| told(time, why))?;
            time::When { instant: None, clock: Some(day.to_datetime(clock)), place, minutes }
        };
        if let Some(instant) = when.instant {
            return Ok((instant, when.minutes));
        }
        let clock = when.clock.ok_or("it says no time")?;
        let asked = || self.ask.zone.clone().map(Place::Zone);
        let place = when.place.or(said).or_else(|| self.place.clone()).or_else(asked).or(home);
        let place = place.ok_or("its zone is not known: say which it is with --zone")?;
        Ok((place.instant(clock)?, when.minutes))
    }

    fn number(&self, cell: Option<&str>, of: &str) -> Result<Option<f64>, String> {
        match cell {
            None | Some("" | "-" | "--" | "n/a" | "N/A" | "null") => Ok(None),
            Some(text) => number::parse(text, self.style)
                .filter(|n| *n <= MOST)
                .map(Some)
                .ok_or_else(|| format!("{:?} is no number of {of}", short(text, 40))),
        }
    }

    /// The market that a text names, and its zone.
    fn market(&mut self, text: &str) -> Result<(MarketId, Option<Place>), String> {
        if let Some(known) = self.markets.get(text) {
            return known.clone();
        }
        let found = market(text, self.ask.markets)
            .map(|m| (m.id.clone(), Some(Place::Zone(m.zone().clone()))));
        if self.markets.len() < 1000 {
            self.markets.insert(text.to_owned(), found.clone());
        }
        found
    }
}

/// Names of markets as Chinese sellers' tables have them.
const CHINESE: [(&str, &str); 18] = [
    ("泰国", "TH"),
    ("越南", "VN"),
    ("印尼", "ID"),
    ("印度尼西亚", "ID"),
    ("马来西亚", "MY"),
    ("菲律宾", "PH"),
    ("新加坡", "SG"),
    ("英国", "GB"),
    ("德国", "DE"),
    ("法国", "FR"),
    ("西班牙", "ES"),
    ("巴西", "BR"),
    ("墨西哥", "MX"),
    ("沙特", "SA"),
    ("沙特阿拉伯", "SA"),
    ("阿联酋", "AE"),
    ("日本", "JP"),
    ("韩国", "KR"),
];

fn market<'m>(text: &str, markets: &'m [Market]) -> Result<&'m Market, String> {
    let code = CHINESE.iter().find(|(name, _)| *name == text).map_or(text, |(_, code)| code);
    let code = match code {
        "UK" | "uk" => "GB",
        other => other,
    };
    let is = |m: &&Market| {
        m.id.as_str().eq_ignore_ascii_case(code) || m.title.eq_ignore_ascii_case(code)
    };
    if let Some(market) = markets.iter().find(is) {
        return Ok(market);
    }
    if matches!(text, "US" | "USA" | "us" | "United States" | "美国") {
        return Err("the United States are two markets: write US-E or US-W".into());
    }
    Err(format!("no market is called {:?}: `hawker print markets` lists them", short(text, 40)))
}
