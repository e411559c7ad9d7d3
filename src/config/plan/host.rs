//! The hosts of a plan file.

use std::path::Path;

use toml::de::DeValue;

use super::{busy, words, zone};
use crate::{
    config::{
        diagnostics::{Findings, quoted},
        reader::{self, Fields},
    },
    market::Zone,
    planner::{calendar::Calendar, schedule::Host},
};

pub(in crate::config) const HOST_KEYS: [&str; 9] =
    ["id", "zone", "languages", "hours", "away", "busy", "day-hours", "week-hours", "rest-minutes"];

/// The most hosts of a plan.
const MOST_HOSTS: usize = 32;

/// Hours on air in a day and in a week, and minutes of rest, when the file does not say.
const USUAL: (f32, f32, u32) = (4.0, 20.0, 60);

pub(super) fn read_all(
    fields: &Fields<'_>,
    base_dir: &Path,
    home: &Zone,
    calendars: &mut Vec<(Option<String>, Calendar)>,
    findings: &mut Findings<'_>,
) -> Vec<Host> {
    fields.missing(findings, "host", "write a [[host]] with id, languages and hours");
    let mut hosts: Vec<Host> = Vec::new();
    let tables = fields.tables(findings, "host");
    if tables.len() > MOST_HOSTS {
        let what = format!("there are {} hosts", tables.len());
        findings.add_whole(what, format!("a plan has {MOST_HOSTS} at most"));
    }
    for table in tables.into_iter().take(MOST_HOSTS) {
        table.only(findings, &HOST_KEYS, |_| None);
        for (key, todo) in [
            ("id", "write id = \"lin\": 1-32 of a-z, 0-9, '-' and '_'"),
            ("languages", "write languages = [\"en\", \"th\"], as BCP 47 tags"),
            ("hours", "write hours = [\"mon-fri 09:00-23:00\"], on the clock of the host's zone"),
        ] {
            table.missing(findings, key, todo);
        }
        let zone = if table.has("zone") { zone(&table, findings, "zone") } else { None };
        let zone = zone.unwrap_or_else(|| home.clone());
        let languages = texts(&table, findings, "languages", |tag| {
            let mut parts = tag.split('-');
            let first = parts.next().is_some_and(|p| {
                (2..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphabetic())
            });
            let rest = parts.all(|p| {
                (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric())
            });
            (first && rest).then(|| tag.to_owned()).ok_or("write a BCP 47 tag: \"en\", \"pt-BR\"")
        });
        let hours = texts(&table, findings, "hours", |text| {
            words::window(text).ok_or("write it like \"mon-fri 09:00-23:00\"")
        });
        let away = texts(&table, findings, "away", |text| {
            words::away(text).ok_or("write it like \"2027-03-10\" or \"2027-03-10..2027-03-14\"")
        });
        let calendar = busy(&table, base_dir, &zone, findings);
        let (day, week, _) = USUAL;
        let day = table.number(findings, "day-hours", 0.25..=24.0, " hours").unwrap_or(day);
        let week = table.number(findings, "week-hours", 0.25..=168.0, " hours").unwrap_or(week);
        let rest = table.whole(findings, "rest-minutes", 0..=2880, " minutes");
        let Some((name, span)) = table.text(findings, "id") else { continue };
        if name.parse::<crate::base::InputId>().is_err() {
            let what = format!("{} cannot be an id", quoted(name));
            findings.add(&span, what, "use 1-32 of a-z, 0-9, '-' and '_'");
            continue;
        }
        if hosts.iter().any(|h| h.name == name) {
            let what = format!("the id {} was given already", quoted(name));
            findings.add(&span, what, "give this one another name");
            continue;
        }
        calendars.extend(calendar.map(|calendar| (Some(name.to_owned()), calendar)));
        hosts.push(Host {
            name: name.to_owned(),
            zone,
            languages,
            hours,
            away,
            busy: Vec::new(),
            day_max_min: (day * 60.0).round() as u32,
            week_max_min: (week * 60.0).round() as u32,
            rest_min: rest.map_or(USUAL.2, |(n, _)| n),
        });
    }
    hosts
}

/// The items of a list of texts, each read; what cannot be read is found.
fn texts<T>(
    fields: &Fields<'_>,
    findings: &mut Findings<'_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, &'static str>,
) -> Vec<T> {
    let Some((items, span)) = fields.items(findings, key) else { return Vec::new() };
    if items.len() > 200 {
        findings.add(&span, format!("{key} has more than 200 items"), "write fewer");
    }
    let mut all = Vec::new();
    for item in items.iter().take(200) {
        let DeValue::String(text) = item.get_ref() else {
            let what = format!("{key} has texts, but this is {}", reader::kind_of(item.get_ref()));
            findings.add(&item.span(), what, "write it in quotes");
            continue;
        };
        match read(text) {
            Ok(value) => all.push(value),
            Err(todo) => {
                findings.add(&item.span(), format!("{} is not read", quoted(text)), todo);
            }
        }
    }
    all
}
