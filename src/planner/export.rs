//! A plan for other programs: a calendar, a table for a spreadsheet, Markdown, and systemd timers. Names in it were
//! written by people, so each form escapes what would mean something to its reader.

mod timers;

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    calendar::{self, Event},
    schedule::{Airing, Plan, Slot},
    segments::Segment,
};
use crate::{
    base::text::{self, csv_field},
    market::Zone,
};

pub use timers::{Timer, timers};

/// A plan that was accepted, with what is needed to show it without the files it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Accepted {
    /// The version of this form: 1.
    pub version: u32,
    /// What the plan is called.
    pub title: String,
    /// Where the team is.
    #[schemars(with = "String")]
    pub home: Zone,
    /// The zones of its markets, by their ids.
    #[schemars(with = "BTreeMap<String, String>")]
    pub zones: BTreeMap<String, Zone>,
    /// When it was accepted.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The plan file, from the root; the example without it.
    pub file: Option<String>,
    /// The plan.
    pub plan: Plan,
    /// The parts of each show, in the order of its slots.
    pub segments: Vec<Vec<Segment>>,
}

/// The version that is written and read.
pub const VERSION: u32 = 1;

impl Accepted {
    /// The clock in a market at an instant; in UTC when the market is not known.
    pub fn clock(&self, market: &str, at: Timestamp) -> jiff::civil::DateTime {
        self.zones.get(market).map_or_else(|| Zone::utc().clock(at), |zone| zone.clock(at))
    }

    /// A show's name: the same for the same start and host. `20270310T120000Z-lin`.
    pub fn name(slot: &Slot) -> String {
        // All that a host's id may have, so that two hosts never share a name.
        let kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let host: String = slot.host.chars().filter(kept).collect();
        format!("{}-{host}", slot.start.strftime("%Y%m%dT%H%M%SZ"))
    }
}

/// What is expected, in words: `85 viewers (28-255), own shows`.
fn expected(airing: &Airing) -> String {
    let reasons: Vec<String> = airing.reasons.iter().map(ToString::to_string).collect();
    format!(
        "{:.0} viewers ({:.0}-{:.0}), {}",
        airing.viewers,
        airing.low,
        airing.high,
        reasons.join(", ")
    )
}

/// The plan as iCalendar, as of `made`.
pub fn ics(plan: &Accepted, made: Timestamp) -> String {
    let events: Vec<Event> = plan
        .plan
        .slots
        .iter()
        .map(|slot| {
            let names: Vec<&str> = slot.airings.iter().map(|a| a.market.as_str()).collect();
            let lines: Vec<String> = slot
                .airings
                .iter()
                .map(|a| {
                    let clock = plan.clock(&a.market, slot.start).strftime("%a %H:%M");
                    format!("{} {clock}: {}", a.market, expected(a))
                })
                .collect();
            Event {
                uid: format!("{}@hawker", Accepted::name(slot)),
                start: slot.start,
                end: slot.end(),
                title: format!("Live: {} ({})", names.join(", "), slot.host),
                text: lines.join("\n"),
                categories: names.iter().map(|n| (*n).to_owned()).collect(),
            }
        })
        .collect();
    calendar::write(&plan.title, made, &events)
}

/// The plan as CSV, a line for each market of each show.
pub fn csv(plan: &Accepted) -> String {
    let mut out = String::from(
        "start-utc,home,minutes,host,market,local,leads,repeat,viewers,low,high,worth,locked,exploration,reasons\r\n",
    );
    for slot in &plan.plan.slots {
        for a in &slot.airings {
            let home = plan.home.clock(slot.start).strftime("%Y-%m-%d %H:%M");
            let local = plan.clock(&a.market, slot.start).strftime("%Y-%m-%d %H:%M");
            let reasons: Vec<String> = a.reasons.iter().map(ToString::to_string).collect();
            let _ = write!(
                out,
                "{},{home},{},{},{},{local},{},{},{:.0},{:.0},{:.0},{:.1},{},{},{}\r\n",
                slot.start,
                slot.minutes,
                csv_field(&slot.host),
                csv_field(&a.market),
                a.leads,
                a.repeat,
                a.viewers,
                a.low,
                a.high,
                a.worth,
                slot.locked,
                slot.exploration,
                csv_field(&reasons.join("; "))
            );
        }
    }
    out
}

/// Text in a Markdown table.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text::plain(text).chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The plan as Markdown.
pub fn markdown(plan: &Accepted) -> String {
    let mut out = format!("# {}\n\n", plain(&plan.title));
    let _ = writeln!(out, "Times of {}.\n", plan.home);
    out.push_str("| day | time | min | host | markets | expected |\n|---|---|---|---|---|---|\n");
    for slot in &plan.plan.slots {
        let clock = plan.home.clock(slot.start);
        let markets: Vec<String> = slot
            .airings
            .iter()
            .map(|a| {
                let local = plan.clock(&a.market, slot.start).strftime("%a %H:%M");
                format!("{} {local}", plain(&a.market))
            })
            .collect();
        let viewers: Vec<String> =
            slot.airings.iter().map(|a| format!("{:.0}", a.viewers)).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {}{} | {} | {} |",
            clock.strftime("%a %d %b"),
            clock.strftime("%H:%M"),
            slot.minutes,
            plain(&slot.host),
            if slot.locked { " (locked)" } else { "" },
            markets.join(", "),
            viewers.join(", ")
        );
    }
    out
}

/// The parts of a show as the rundown of a show file. `index` counts from 0; `None` when there is no such show.
pub fn rundown(plan: &Accepted, index: usize) -> Option<String> {
    let (slot, parts) = (plan.plan.slots.get(index)?, plan.segments.get(index)?);
    let clock = plan.home.clock(slot.start);
    let markets: Vec<&str> = slot.airings.iter().map(|a| a.market.as_str()).collect();
    // Names in a comment end where the line does.
    let mut out = text::plain(&format!(
        "# {}: {} with {}, for {}",
        plan.title,
        clock.strftime("%A %Y-%m-%d %H:%M"),
        slot.host,
        markets.join(", ")
    ));
    out.push('\n');
    for Segment { length_s, kind, clip, .. } in parts {
        let _ = write!(out, "\n[[segment]]\ntitle = \"{}\"\n", kind.what());
        let clip = if clip.is_some() { "   # worth a clip" } else { "" };
        let _ = writeln!(out, "length-s = {length_s}{clip}");
    }
    Some(out)
}

#[cfg(test)]
mod tests;
