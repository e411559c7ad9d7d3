//! Rows of one show, written. Every call is part of a transaction that the keeper holds.

use std::collections::BTreeMap;

use rusqlite::{Connection, named_params, params};

use super::keeper::{Closing, Opening};
use crate::stats::{
    Limit, Second,
    history::{Lost, Noted},
    second::{MonitorSecond, OutputSecond, ProgramSecond},
};

/// A show that is being written.
#[derive(Debug, Clone)]
pub struct Book {
    /// Its number.
    pub show: i64,
    sources: BTreeMap<(&'static str, String), i64>,
    /// What each monitor watches, and its market: it gets its row with its first second.
    monitors: BTreeMap<String, (String, Option<String>)>,
}

/// The name of hawker's own monitor, which watches the stage.
const MONITOR: &str = "stage";

impl Book {
    /// Begins a show.
    pub fn begin(db: &Connection, opening: &Opening) -> rusqlite::Result<Self> {
        db.execute(
            "INSERT INTO show (started, seen, title, mode, profile, latency_target_ms, stall_target_permille)
             VALUES (:started, 0, :title, :mode, :profile, :latency, :stall)",
            named_params! {
                ":started": opening.started.as_millisecond(),
                ":title": opening.title,
                ":mode": opening.mode,
                ":profile": opening.profile,
                ":latency": opening.targets.latency_ms,
                ":stall": opening.targets.stall_permille,
            },
        )?;
        let monitors = opening.monitors.iter().cloned();
        let monitors = monitors.map(|m| (m.name, (m.goes_to, m.market))).collect();
        let mut book = Self { show: db.last_insert_rowid(), sources: BTreeMap::new(), monitors };
        for output in &opening.outputs {
            let market = output.market.as_deref();
            book.source(db, "output", &output.name, &output.goes_to, market)?;
        }
        Ok(book)
    }

    /// The number of a source; one that is new gets a row.
    fn source(
        &mut self,
        db: &Connection,
        kind: &'static str,
        name: &str,
        goes_to: &str,
        market: Option<&str>,
    ) -> rusqlite::Result<i64> {
        let key = (kind, name.to_owned());
        if let Some(id) = self.sources.get(&key) {
            return Ok(*id);
        }
        let id = self.sources.len() as i64 + 1;
        db.execute(
            "INSERT INTO source (show, id, kind, name, goes_to, market) VALUES (?, ?, ?, ?, ?, ?)",
            params![self.show, id, kind, name, goes_to, market],
        )?;
        self.sources.insert(key, id);
        Ok(id)
    }

    /// Writes a second. One that is there already is replaced.
    pub fn second(&mut self, db: &Connection, second: &Second) -> rusqlite::Result<()> {
        let (show, at) = (self.show, second.at_s);
        program(db, show, at, &second.program)?;
        for (id, figures) in &second.outputs {
            let source = self.source(db, "output", id.as_str(), "", None)?;
            output(db, show, at, source, figures)?;
        }
        if let Some(figures) = &second.monitor {
            let source = self.source(db, "monitor", MONITOR, "the stage", None)?;
            monitor(db, show, at, source, figures)?;
        }
        for (id, figures) in &second.monitors {
            let (goes_to, market) = self.monitors.get(id.as_str()).cloned().unwrap_or_default();
            let source = self.source(db, "monitor", id.as_str(), &goes_to, market.as_deref())?;
            monitor(db, show, at, source, figures)?;
        }
        self.seen(db, u64::from(at) * 1000)
    }

    fn seen(&self, db: &Connection, ms: u64) -> rusqlite::Result<()> {
        db.prepare_cached("UPDATE show SET seen = max(seen, ?) WHERE id = ?")?
            .execute(params![ms as i64, self.show])?;
        Ok(())
    }

    /// Writes an event.
    pub fn event(&mut self, db: &Connection, note: &Noted) -> rusqlite::Result<()> {
        if let ("output-added", Some(output), Some(to)) =
            (note.event.as_str(), &note.about, note.detail["to"].as_str())
        {
            self.source(db, "output", output, to, None)?;
        }
        let severity = serde_json::to_value(note.severity).unwrap_or_default();
        db.execute(
            "INSERT OR REPLACE INTO event (show, seq, at, event, severity, about, sentence, detail)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                self.show,
                note.seq as i64,
                note.at_ms as i64,
                note.event,
                severity.as_str(),
                note.about,
                note.sentence,
                note.detail.to_string()
            ],
        )?;
        self.seen(db, note.at_ms)
    }

    /// Notes what could not be kept.
    pub fn lost(&self, db: &Connection, lost: Lost) -> rusqlite::Result<()> {
        db.execute(
            "UPDATE show SET lost_seconds = ?, lost_events = ?, lost_lines = ? WHERE id = ?",
            params![lost.seconds, lost.events, lost.lines, self.show],
        )?;
        Ok(())
    }

    /// Ends a show.
    pub fn end(&self, db: &Connection, closing: &Closing) -> rusqlite::Result<()> {
        let report = serde_json::to_string(&closing.report).ok();
        db.execute(
            "UPDATE show SET ended = started + ?1, seen = max(seen, ?1), why = ?2, exit_code = ?3, report = ?4 WHERE id = ?5",
            params![closing.at_ms as i64, closing.why, closing.exit_code, report, self.show],
        )?;
        Ok(())
    }
}

/// Its place in [`Limit::ALL`], which never changes.
fn limit_number(limit: Limit) -> u32 {
    Limit::ALL.iter().position(|l| *l == limit).unwrap_or(0) as u32
}

fn program(db: &Connection, show: i64, at: u32, p: &ProgramSecond) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO program_second VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            show,
            at,
            p.cpu_permille,
            p.memory_kib,
            p.encoded,
            p.repeated,
            p.skipped,
            p.dropped,
            p.withheld
        ])?;
    Ok(())
}

fn output(
    db: &Connection,
    show: i64,
    at: u32,
    source: i64,
    o: &OutputSecond,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO output_second (show, at, source, sent_kbps, target_kbps, available_kbps, rtt_tenths,
           loss_ppm, silent_ms, dropped, viewers, encode_tenths, pace_tenths, nacks, plis, limited)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        show,
        at,
        source,
        o.sent_kbps,
        o.target_kbps,
        o.available_kbps,
        o.rtt_tenths,
        o.loss_ppm,
        o.silent_ms,
        o.dropped,
        o.viewers,
        o.encode_tenths,
        o.pace_tenths,
        o.nacks,
        o.plis,
        o.limit.map(limit_number)
    ])?;
    Ok(())
}

fn monitor(
    db: &Connection,
    show: i64,
    at: u32,
    source: i64,
    m: &MonitorSecond,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO monitor_second VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        show,
        at,
        source,
        m.p50_tenths,
        m.p95_tenths,
        m.fps_tenths,
        m.kbps,
        m.stalls,
        m.stalled_ms,
        m.gap_ms,
        m.skew_tenths
    ])?;
    Ok(())
}
