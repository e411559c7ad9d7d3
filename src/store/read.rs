//! What was kept, read back. Reading waits for no writer and holds none up.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{StoreError, open};
use crate::stats::{
    History, Limit,
    history::{At, Ended, Lost, Noted, Targets, Track},
    second::{MonitorSecond, OutputSecond, ProgramSecond},
};

/// The shows that were kept.
#[derive(Debug)]
pub struct Shows {
    pub(super) db: Connection,
    path: std::path::PathBuf,
}

/// A show in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowRow {
    /// Its number.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// `rehearse` or `live`.
    pub mode: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it ran, as far as is known, in ms.
    pub duration_ms: u64,
    /// How it ended; `None` while it runs, and for one that was killed.
    pub ended: Option<Ended>,
    /// Its outputs, in order.
    pub outputs: Vec<Outlet>,
}

/// An output of a show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlet {
    /// Its name.
    pub name: String,
    /// Where it went, without secrets.
    pub goes_to: String,
    /// The market it was for, if the show said so.
    pub market: Option<String>,
}

/// Who watched an output in a minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Minute {
    /// When the minute began.
    pub at: Timestamp,
    /// The output.
    pub output: String,
    /// The market it was for.
    pub market: Option<String>,
    /// Viewers at once, on average.
    pub viewers: f64,
}

/// The columns of `show_of`.
const SHOW: &str = "id, title, mode, started, seen, why, exit_code";

fn show_of(row: &Row<'_>) -> rusqlite::Result<ShowRow> {
    let why: Option<String> = row.get(5)?;
    let exit_code: Option<u8> = row.get(6)?;
    Ok(ShowRow {
        number: row.get(0)?,
        title: row.get(1)?,
        mode: row.get(2)?,
        started: Timestamp::from_millisecond(row.get(3)?).unwrap_or(Timestamp::UNIX_EPOCH),
        duration_ms: row.get::<_, i64>(4)?.max(0) as u64,
        ended: why.zip(exit_code).map(|(why, exit_code)| Ended { why, exit_code }),
        outputs: Vec::new(),
    })
}

impl Shows {
    /// Opens the database. One of an older form is brought to the present one.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Nothing(path.to_owned()));
        }
        Ok(Self { db: open(path)?, path: path.to_owned() })
    }

    pub(super) fn or<T>(&self, found: rusqlite::Result<T>) -> Result<T, StoreError> {
        found.map_err(|e| StoreError::of(&self.path, &e))
    }

    /// The shows that began at or after `since`, newest first.
    pub fn since(&self, since: Timestamp) -> Result<Vec<ShowRow>, StoreError> {
        self.or(self.rows(since))
    }

    fn rows(&self, since: Timestamp) -> rusqlite::Result<Vec<ShowRow>> {
        let sql =
            format!("SELECT {SHOW} FROM show WHERE started >= ? ORDER BY started DESC, id DESC");
        let mut shows = self
            .db
            .prepare(&sql)?
            .query_map([since.as_millisecond()], show_of)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for show in &mut shows {
            let outputs =
                self.sources(show.number)?.into_iter().filter(|(_, kind, _)| kind == "output");
            show.outputs = outputs.map(|(_, _, outlet)| outlet).collect();
        }
        Ok(shows)
    }

    /// The number of a show that is named by its number, `last`, or a part of its title (the newest such).
    ///
    /// # Errors
    /// There is no such show, or none at all; or the database cannot be read.
    pub fn find(&self, named: &str) -> Result<i64, StoreError> {
        let found = match named {
            "last" => self.number("SELECT id FROM show ORDER BY started DESC, id DESC LIMIT 1", &[]),
            _ => match named.parse::<i64>() {
                Ok(number) => self.number("SELECT id FROM show WHERE id = ?", &[&number]),
                Err(_) => self.number(
                    "SELECT id FROM show WHERE instr(lower(title), lower(?)) > 0 ORDER BY started DESC, id DESC LIMIT 1",
                    &[&named],
                ),
            },
        };
        self.or(found)?.ok_or_else(|| match named {
            "last" => StoreError::Empty,
            _ => StoreError::NoShow(named.to_owned()),
        })
    }

    fn number(&self, sql: &str, with: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<Option<i64>> {
        self.db.query_row(sql, with, |row| row.get(0)).optional()
    }

    /// Viewers of a show by output and minute, as far as they are known, in order.
    pub fn audience(&self, number: i64) -> Result<Vec<Minute>, StoreError> {
        self.or(self.minutes(number))
    }

    fn minutes(&self, number: i64) -> rusqlite::Result<Vec<Minute>> {
        self.db
            .prepare(
                "SELECT show.started + at / 60 * 60000, name, market, avg(viewers)
                 FROM output_second JOIN show ON show.id = output_second.show
                 JOIN source ON source.show = output_second.show AND source.id = output_second.source
                 WHERE output_second.show = ? AND viewers IS NOT NULL
                 GROUP BY at / 60, source.id ORDER BY at / 60, source.id",
            )?
            .query_map([number], |row| {
                Ok(Minute {
                    at: Timestamp::from_millisecond(row.get(0)?).unwrap_or(Timestamp::UNIX_EPOCH),
                    output: row.get(1)?,
                    market: row.get(2)?,
                    viewers: row.get(3)?,
                })
            })?
            .collect()
    }

    /// Everything that was kept of a show.
    pub fn history(&self, number: i64) -> Result<History, StoreError> {
        // Read in one go: a show that runs does not change on the way.
        let read = self.db.unchecked_transaction().and_then(|all| {
            let history = self.whole(number)?;
            all.finish()?;
            Ok(history)
        });
        self.or(read)?.ok_or_else(|| StoreError::NoShow(number.to_string()))
    }

    fn whole(&self, number: i64) -> rusqlite::Result<Option<History>> {
        let sql = format!(
            "SELECT {SHOW}, profile, latency_target_ms, stall_target_permille, report, step, lost_seconds, lost_events, lost_lines FROM show WHERE id = ?"
        );
        let head = self.db.query_row(&sql, [number], |row| {
            let show = show_of(row)?;
            let report: Option<String> = row.get(10)?;
            Ok(History {
                version: 1,
                number: show.number,
                title: show.title,
                mode: show.mode,
                profile: row.get(7)?,
                started: show.started,
                duration_ms: show.duration_ms,
                ended: show.ended,
                fate: None,
                targets: Targets { latency_ms: row.get(8)?, stall_permille: row.get(9)? },
                step_s: row.get::<_, u32>(11)?.max(1),
                lost: Lost { seconds: row.get(12)?, events: row.get(13)?, lines: row.get(14)? },
                program: Vec::new(),
                outputs: Vec::new(),
                monitors: Vec::new(),
                events: Vec::new(),
                // One of another hawker may have another form; the seconds say the rest.
                report: report.and_then(|text| serde_json::from_str(&text).ok()),
            })
        });
        let Some(mut history) = head.optional()? else { return Ok(None) };
        history.program = self.program(number)?;
        history.events = self.events(number)?;
        let mut outputs = self.tracks(number, "output_second", output_of)?;
        let mut monitors = self.tracks(number, "monitor_second", monitor_of)?;
        for (id, kind, outlet) in self.sources(number)? {
            let Outlet { name, goes_to: to, market } = outlet;
            if kind == "output" {
                let seconds = outputs.remove(&id).unwrap_or_default();
                history.outputs.push(Track { name, to, market, seconds });
            } else {
                let seconds = monitors.remove(&id).unwrap_or_default();
                history.monitors.push(Track { name, to, market, seconds });
            }
        }
        Ok(Some(history))
    }

    fn sources(&self, number: i64) -> rusqlite::Result<Vec<(i64, String, Outlet)>> {
        self.db
            .prepare_cached(
                "SELECT id, kind, name, goes_to, market FROM source WHERE show = ? ORDER BY id",
            )?
            .query_map([number], |row| {
                let outlet =
                    Outlet { name: row.get(2)?, goes_to: row.get(3)?, market: row.get(4)? };
                Ok((row.get(0)?, row.get(1)?, outlet))
            })?
            .collect()
    }

    fn program(&self, number: i64) -> rusqlite::Result<Vec<At<ProgramSecond>>> {
        self.db
            .prepare(
                "SELECT at, cpu_permille, memory_kib, encoded, repeated, skipped, dropped, withheld
                 FROM program_second WHERE show = ? ORDER BY at",
            )?
            .query_map([number], |row| {
                let figures = ProgramSecond {
                    cpu_permille: row.get(1)?,
                    memory_kib: row.get(2)?,
                    encoded: row.get(3)?,
                    repeated: row.get(4)?,
                    skipped: row.get(5)?,
                    dropped: row.get(6)?,
                    withheld: row.get(7)?,
                };
                Ok(At { at_s: row.get(0)?, figures })
            })?
            .collect()
    }

    fn events(&self, number: i64) -> rusqlite::Result<Vec<Noted>> {
        self.db
            .prepare("SELECT seq, at, event, severity, about, sentence, detail FROM event WHERE show = ? ORDER BY seq")?
            .query_map([number], |row| {
                let (severity, detail): (String, String) = (row.get(3)?, row.get(6)?);
                Ok(Noted {
                    seq: row.get::<_, i64>(0)?.max(0) as u64,
                    at_ms: row.get::<_, i64>(1)?.max(0) as u64,
                    event: row.get(2)?,
                    severity: serde_json::from_value(severity.into()).unwrap_or(crate::base::Severity::Info),
                    about: row.get(4)?,
                    sentence: row.get(5)?,
                    detail: serde_json::from_str(&detail).unwrap_or_default(),
                })
            })?
            .collect()
    }

    /// The seconds of one table, by source.
    fn tracks<T>(
        &self,
        number: i64,
        table: &str,
        of: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<BTreeMap<i64, Vec<At<T>>>> {
        let mut all: BTreeMap<i64, Vec<At<T>>> = BTreeMap::new();
        let mut statement =
            self.db.prepare(&format!("SELECT * FROM {table} WHERE show = ? ORDER BY at"))?;
        let mut rows = statement.query(params![number])?;
        while let Some(row) = rows.next()? {
            all.entry(row.get(2)?).or_default().push(At { at_s: row.get(1)?, figures: of(row)? });
        }
        Ok(all)
    }
}

fn output_of(row: &Row<'_>) -> rusqlite::Result<OutputSecond> {
    Ok(OutputSecond {
        sent_kbps: row.get("sent_kbps")?,
        target_kbps: row.get("target_kbps")?,
        available_kbps: row.get("available_kbps")?,
        rtt_tenths: row.get("rtt_tenths")?,
        loss_ppm: row.get("loss_ppm")?,
        silent_ms: row.get("silent_ms")?,
        dropped: row.get("dropped")?,
        viewers: row.get("viewers")?,
        encode_tenths: row.get("encode_tenths")?,
        pace_tenths: row.get("pace_tenths")?,
        nacks: row.get("nacks")?,
        plis: row.get("plis")?,
        limit: limit_of(row.get("limited")?),
    })
}

fn limit_of(number: Option<u32>) -> Option<Limit> {
    Limit::ALL.get(number? as usize).copied()
}

fn monitor_of(row: &Row<'_>) -> rusqlite::Result<MonitorSecond> {
    Ok(MonitorSecond {
        p50_tenths: row.get("p50_tenths")?,
        p95_tenths: row.get("p95_tenths")?,
        fps_tenths: row.get("fps_tenths")?,
        kbps: row.get("kbps")?,
        stalls: row.get("stalls")?,
        stalled_ms: row.get("stalled_ms")?,
        gap_ms: row.get("gap_ms")?,
        skew_tenths: row.get("skew_tenths")?,
    })
}
