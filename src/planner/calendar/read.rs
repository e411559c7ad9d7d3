//! A calendar's text becomes busy times. Lines are unfolded, parameters parted from values; of all components only
//! events are read. Cancelled and transparent events take no time.

use jiff::{
    Span, SpanRelativeTo, Timestamp,
    civil::{Date, DateTime, Time},
};

use super::{
    Calendar, Length, Taken, When,
    recur::{Rule, short},
};
use crate::market::Zone;

/// The greatest calendar, in bytes.
pub const MOST_BYTES: u64 = 4 << 20;

const MOST_EVENTS: usize = 10_000;
const MOST_NOTES: usize = 50;
const MOST_EXCEPTIONS: usize = 2_000;
/// The longest duration that is read, in seconds: ten years.
const LONGEST_S: i64 = 3660 * DAY_S;
const DAY_S: i64 = 24 * 3600;

/// A property: `DTSTART;TZID=Asia/Bangkok:20270310T200000`.
struct Property<'t> {
    name: String,
    params: Vec<(String, &'t str)>,
    value: &'t str,
}

impl<'t> Property<'t> {
    fn read(line: &'t str) -> Option<Self> {
        let mut quoted = false;
        let colon = line.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == ':' && !quoted
        });
        let (head, value) = line.split_at(colon?.0);
        let mut quoted = false;
        let mut parts = head.split(|c| {
            quoted ^= c == '"';
            c == ';' && !quoted
        });
        let name = parts.next()?.trim().to_ascii_uppercase();
        let params = parts.filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((name.to_ascii_uppercase(), value.trim_matches('"')))
        });
        Some(Self { name, params: params.take(16).collect(), value: value[1..].trim() })
    }

    fn param(&self, name: &str) -> Option<&'t str> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }
}

/// Reads a calendar. Times and days without a zone are those of `zone`.
pub fn read(text: &str, zone: &Zone) -> Calendar {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut calendar = Calendar::default();
    let mut open: Vec<String> = Vec::new();
    let mut event: Vec<String> = Vec::new();
    let lines = unfolded(text);
    if !lines.first().is_some_and(|l| l.trim().eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        calendar.notes.push("this is no iCalendar: it does not begin with BEGIN:VCALENDAR".into());
        return calendar;
    }
    for line in lines {
        let upper = line.get(..6).map(str::to_ascii_uppercase);
        match upper.as_deref() {
            Some("BEGIN:") => {
                let what = line[6..].trim().to_ascii_uppercase();
                if what == "VEVENT" {
                    event.clear();
                }
                if open.len() < 16 {
                    open.push(what);
                }
            }
            _ if line.get(..4).is_some_and(|l| l.eq_ignore_ascii_case("END:")) => {
                if open.last().is_some_and(|o| o == "VEVENT") {
                    if calendar.events.len() >= MOST_EVENTS {
                        note(
                            &mut calendar,
                            format!("only the first {MOST_EVENTS} events are read"),
                        );
                        break;
                    }
                    taken(&event, zone, &mut calendar);
                }
                open.pop();
            }
            _ if open.last().is_some_and(|o| o == "VEVENT") => event.push(line),
            _ => {}
        }
    }
    if open.iter().any(|o| o == "VEVENT") {
        note(&mut calendar, "the last event is cut off".into());
    }
    calendar
}

/// Lines that go on with a blank are joined.
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some(last)) => last.push_str(more),
            _ if line.is_empty() => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

fn note(calendar: &mut Calendar, text: String) {
    if calendar.notes.len() < MOST_NOTES && !calendar.notes.contains(&text) {
        calendar.notes.push(text);
    }
}

/// An event's lines.
fn taken(lines: &[String], zone: &Zone, calendar: &mut Calendar) {
    let properties: Vec<Property<'_>> = lines.iter().filter_map(|l| Property::read(l)).collect();
    let find = |name: &str| properties.iter().find(|p| p.name == name);
    let value = |name: &str| find(name).map(|p| p.value).unwrap_or_default();
    let title = if value("SUMMARY").is_empty() { "an event" } else { value("SUMMARY") };
    let title = format!("{:?}", short(title));
    if value("STATUS").eq_ignore_ascii_case("CANCELLED")
        || value("TRANSP").eq_ignore_ascii_case("TRANSPARENT")
    {
        return;
    }
    let mut notes = Vec::new();
    let mut when = |property: &Property<'_>, text: &str| -> Option<(When, bool)> {
        let mut zone = zone.clone();
        if let Some(named) = property.param("TZID") {
            match Zone::named(named.trim_start_matches('/')) {
                Ok(found) => zone = found,
                Err(_) => notes.push(format!(
                    "{title}: the zone {:?} is unknown, taken as {}",
                    short(named),
                    zone.name()
                )),
            }
        }
        time(text, &zone)
    };
    let Some((start, day)) = find("DTSTART").and_then(|p| when(p, p.value)) else {
        note(calendar, format!("{title} has no start that can be read: left out"));
        return;
    };
    let end = find("DTEND").and_then(|p| when(p, p.value));
    let length = match (end, find("DURATION")) {
        (Some((end, _)), _) if day => {
            let days = end.clock().date().duration_since(start.clock().date()).as_hours() / 24;
            Length::Days(days.max(1))
        }
        (Some((end, _)), _) => {
            Length::Seconds(end.instant().duration_since(start.instant()).as_secs())
        }
        (None, Some(p)) => match duration(p.value) {
            Some(seconds) if day => Length::Days((seconds / DAY_S).max(1)),
            Some(seconds) => Length::Seconds(seconds),
            None => {
                note(calendar, format!("{title}: the duration {:?} is not read", short(p.value)));
                return;
            }
        },
        (None, None) if day => Length::Days(1),
        (None, None) => return,
    };
    let mut not = Vec::new();
    let mut too_many = false;
    for property in properties.iter().filter(|p| p.name == "EXDATE") {
        too_many |= property.value.split(',').nth(MOST_EXCEPTIONS).is_some();
        for text in property.value.split(',').take(MOST_EXCEPTIONS) {
            if let Some((exception, whole)) = when(property, text) {
                // Some write the day alone for an event with a time.
                let exact = if whole && !day {
                    exception.clock().date().to_datetime(start.clock().time())
                } else {
                    exception.clock()
                };
                let exception = match (&exception, &start) {
                    (When::Clock(_, zone), _) if whole == day => When::Clock(exact, zone.clone()),
                    (_, When::Clock(_, zone)) if whole => When::Clock(exact, zone.clone()),
                    _ => exception,
                };
                not.push(exception.instant());
            }
        }
    }
    if too_many {
        notes.push(format!("{title}: only the first {MOST_EXCEPTIONS} of its EXDATE are read"));
    }
    if find("RDATE").is_some() || find("RECURRENCE-ID").is_some() {
        notes.push(format!(
            "{title} has dates of its own (RDATE, RECURRENCE-ID): only its start is taken"
        ));
    }
    let mut rule = None;
    if let Some(property) = find("RRULE") {
        // Its end is told on the clock of its start.
        let own = match &start {
            When::Clock(_, zone) => zone.clone(),
            When::Instant(_) => Zone::utc(),
        };
        match Rule::read(property.value, &start, |text| time(text, &own)) {
            Ok(read) => rule = Some(read),
            Err(what) => notes.push(format!(
                "{title} comes again by a rule that is not understood ({what}): only its first time is taken"
            )),
        }
    }
    for text in notes {
        note(calendar, text);
    }
    calendar.events.push(Taken { start, length, rule, not });
}

/// `PT1H30M`, `P1D`, `P1W`, in seconds: a day has 24 hours, a week seven days. Months and years have no length, and
/// nothing lasts less than no time.
fn duration(text: &str) -> Option<i64> {
    let span: Span = text.parse().ok()?;
    let seconds = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.as_secs();
    (!span.is_negative() && seconds <= LONGEST_S).then_some(seconds)
}

/// `20270310`, `20270310T200000` or `20270310T120000Z`; whether it is a day without a time.
fn time(text: &str, zone: &Zone) -> Option<(When, bool)> {
    let text = text.trim();
    let digits = |part: &str| -> Option<i32> {
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let (day, rest) = (text.get(..8)?, &text[8..]);
    let year = digits(day.get(..4)?)?;
    // Rules are counted from there; nobody is busy since the Middle Ages.
    if !(1970..=2200).contains(&year) {
        return None;
    }
    let month = i8::try_from(digits(day.get(4..6)?)?).ok()?;
    let of = i8::try_from(digits(day.get(6..8)?)?).ok()?;
    let date = Date::new(i16::try_from(year).ok()?, month, of).ok()?;
    if rest.is_empty() {
        return Some((When::Clock(date.to_datetime(Time::midnight()), zone.clone()), true));
    }
    let clock = rest.strip_prefix('T')?;
    let (clock, utc) = match clock.strip_suffix('Z') {
        Some(clock) => (clock, true),
        None => (clock, false),
    };
    if clock.len() != 6 {
        return None;
    }
    let part = |at: usize| i8::try_from(digits(clock.get(at..at + 2)?)?).ok();
    // A leap second is the last one of its minute.
    let time = Time::new(part(0)?, part(2)?, part(4)?.min(59), 0).ok()?;
    let clock: DateTime = date.to_datetime(time);
    if utc {
        let at: Timestamp = When::Clock(clock, Zone::utc()).instant();
        return Some((When::Instant(at), false));
    }
    Some((When::Clock(clock, zone.clone()), false))
}
