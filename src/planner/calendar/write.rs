//! Events become a calendar. Times are in UTC, so that every calendar shows them right on its own clock, without a
//! zone's rules in the file that could be old.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::base::text::plain;

/// An event to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same for the same event, whenever it is written.
    pub uid: String,
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// What is read at first.
    pub title: String,
    /// More, in lines.
    pub text: String,
    /// Words to sort by.
    pub categories: Vec<String>,
}

/// The calendar, as of `made`. Lines end as the RFC asks.
pub fn write(title: &str, made: Timestamp, events: &[Event]) -> String {
    let mut out = String::new();
    for line in
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//hawker//plan//EN", "CALSCALE:GREGORIAN"]
    {
        fold(&mut out, line);
    }
    fold(&mut out, &format!("X-WR-CALNAME:{}", escaped(title)));
    for event in events {
        fold(&mut out, "BEGIN:VEVENT");
        fold(&mut out, &format!("UID:{}", escaped(&event.uid)));
        fold(&mut out, &format!("DTSTAMP:{}", stamp(made)));
        fold(&mut out, &format!("DTSTART:{}", stamp(event.start)));
        fold(&mut out, &format!("DTEND:{}", stamp(event.end)));
        fold(&mut out, &format!("SUMMARY:{}", escaped(&event.title)));
        if !event.text.is_empty() {
            fold(&mut out, &format!("DESCRIPTION:{}", escaped(&event.text)));
        }
        if !event.categories.is_empty() {
            let words: Vec<String> = event.categories.iter().map(|w| escaped(w)).collect();
            fold(&mut out, &format!("CATEGORIES:{}", words.join(",")));
        }
        fold(&mut out, "TRANSP:OPAQUE");
        fold(&mut out, "END:VEVENT");
    }
    fold(&mut out, "END:VCALENDAR");
    out
}

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Text as a value.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push_str("\\n");
        }
        for c in plain(line).chars() {
            if matches!(c, '\\' | ';' | ',') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// A line in pieces of at most 75 octets; no character is cut.
fn fold(out: &mut String, line: &str) {
    let (mut room, mut used) = (75, 0);
    for c in line.chars() {
        if used + c.len_utf8() > room {
            out.push_str("\r\n ");
            (room, used) = (74, 0);
        }
        let _ = write!(out, "{c}");
        used += c.len_utf8();
    }
    out.push_str("\r\n");
}
