//! Keeps the database from growing without end: shows that are too old go, the oldest go while it is too large,
//! shows older than a month are kept by tens of seconds, and each chat source's lines go when their days are over. One small step at a time, so that no step holds
//! the database for long.

use rusqlite::{Connection, OptionalExtension, params};

use super::chat;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Shows that began more days ago are removed.
    pub days: u32,
    /// While the database is larger, the oldest show is removed. In bytes.
    pub bytes: u64,
    /// Shows that began more days ago are kept by tens of seconds.
    pub fine_days: u32,
}

impl Default for Limits {
    fn default() -> Self {
        // A year and a month to compare with the year before; a GB of disk.
        Self { days: 400, bytes: 1_000_000_000, fine_days: 30 }
    }
}

/// One kept second of an old show stands for so many.
pub const COARSE_S: u32 = 10;
/// A show without an end that began longer ago than this no longer runs.
const LONGEST_MS: i64 = 7 * DAY_MS;
const DAY_MS: i64 = 86_400_000;
/// Pages given back to the disk in one step (of 4 KiB).
const PAGES: u32 = 2000;

const TABLES: [&str; 9] = [
    "program_second",
    "output_second",
    "monitor_second",
    "event",
    "source",
    "chat_message",
    "chat_hole",
    "chat_cleared",
    "chat_source",
];

/// Takes one step; true while there is more to do. `current` is the show that is being written.
pub fn step(
    db: &mut Connection,
    limits: &Limits,
    now: jiff::Timestamp,
    current: i64,
) -> rusqlite::Result<bool> {
    if chat::expire::step(db, now, current)? {
        return Ok(true);
    }
    let now = now.as_millisecond();
    let before = |days: u32| now - i64::from(days) * DAY_MS;
    let oldest = "SELECT id FROM show WHERE id <> ?1 AND (ended IS NOT NULL OR started < ?2)";
    let dead = now - LONGEST_MS;
    let find = |sql: &str, limit: i64| {
        db.query_row(sql, params![current, dead, limit], |row| row.get::<_, i64>(0)).optional()
    };
    let is_large = used(db)? > limits.bytes;
    if is_large {
        // Chat takes far more room than figures, and is of use for a shorter time.
        let talks = format!(
            "{oldest} AND EXISTS (SELECT 1 FROM chat_message WHERE chat_message.show = show.id)
             AND started < ?3 ORDER BY started LIMIT 1"
        );
        if let Some(show) = find(&talks, i64::MAX)? {
            return chat::expire::some_of(db, show).map(|_| true);
        }
    }
    let kept_since = if is_large { i64::MAX } else { before(limits.days) };
    let old = format!("{oldest} AND started < ?3 ORDER BY started LIMIT 1");
    if let Some(show) = find(&old, kept_since)? {
        if chat::expire::some_of(db, show)? {
            return Ok(true);
        }
        remove(db, show)?;
        return Ok(true);
    }
    let fine = format!("{oldest} AND started < ?3 AND step < {COARSE_S} LIMIT 1");
    if let Some(show) = find(&fine, before(limits.fine_days))? {
        coarsen(db, show)?;
        return Ok(true);
    }
    let free = pragma(db, "freelist_count")?;
    if free > 0 {
        // A row for each page: it gives back as many as are read.
        let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(free > i64::from(PAGES))
}

fn pragma(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    db.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}

/// Bytes in use, without pages that wait to be used again.
fn used(db: &Connection) -> rusqlite::Result<u64> {
    let pages = pragma(db, "page_count")? - pragma(db, "freelist_count")?;
    Ok((pages * pragma(db, "page_size")?).max(0) as u64)
}

fn remove(db: &mut Connection, show: i64) -> rusqlite::Result<()> {
    let all = db.transaction()?;
    for table in TABLES {
        all.execute(&format!("DELETE FROM {table} WHERE show = ?"), [show])?;
    }
    all.execute("DELETE FROM show WHERE id = ?", [show])?;
    all.commit()
}

/// Rates as means, latencies, gaps and viewers as the worst and the most, counters as sums.
const COARSER: [(&str, &str, &str); 3] = [
    (
        "program_second",
        "at / 10 * 10",
        "CAST(round(avg(cpu_permille)) AS INTEGER), max(memory_kib), sum(encoded), sum(repeated), sum(skipped), \
         sum(dropped), sum(withheld)",
    ),
    (
        "output_second",
        "at / 10 * 10, source",
        "CAST(round(avg(sent_kbps)) AS INTEGER), CAST(round(avg(target_kbps)) AS INTEGER), \
         CAST(round(avg(available_kbps)) AS INTEGER), CAST(round(avg(rtt_tenths)) AS INTEGER), \
         CAST(round(avg(loss_ppm)) AS INTEGER), max(silent_ms), sum(dropped), max(viewers), \
         max(encode_tenths), max(pace_tenths), sum(nacks), sum(plis), max(limited)",
    ),
    (
        "monitor_second",
        "at / 10 * 10, source",
        "CAST(round(avg(p50_tenths)) AS INTEGER), max(p95_tenths), CAST(round(avg(fps_tenths)) AS INTEGER), \
         CAST(round(avg(kbps)) AS INTEGER), sum(stalls), sum(stalled_ms), max(gap_ms), \
         CAST(round(avg(skew_tenths)) AS INTEGER)",
    ),
];

/// Tens of seconds in place of seconds.
fn coarsen(db: &mut Connection, show: i64) -> rusqlite::Result<()> {
    let all = db.transaction()?;
    for (table, key, figures) in COARSER {
        all.execute_batch(&format!(
            "CREATE TEMP TABLE coarse AS SELECT show, {key}, {figures} FROM {table} WHERE show = {show} GROUP BY {key};
             DELETE FROM {table} WHERE show = {show};
             INSERT INTO {table} SELECT * FROM coarse;
             DROP TABLE coarse;"
        ))?;
    }
    all.execute("UPDATE show SET step = ? WHERE id = ?", params![COARSE_S, show])?;
    all.commit()
}
