//! Lines whose days are over, removed by small steps.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// Lines that one step removes: some 50 ms.
const LINES: u32 = 5_000;
const DAY_MS: i64 = 86_400_000;

/// Takes one step; true while there is more to do. `current` is the show that is being written.
pub fn step(db: &Connection, now: Timestamp, current: i64) -> rusqlite::Result<bool> {
    // A show whose figures came less than a day ago, and that has no end, may run in another process.
    let expired: Option<(i64, i64)> = db
        .query_row(
            "SELECT chat_source.show, chat_source.id FROM chat_source JOIN show ON show.id = chat_source.show
             WHERE expired = 0 AND show.id <> ?1 AND started + keep_days * ?2 < ?3
               AND (ended IS NOT NULL OR started + seen + ?2 < ?3) LIMIT 1",
            params![current, DAY_MS, now.as_millisecond()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((show, source)) = expired else { return Ok(false) };
    let removed = db.execute(
        "DELETE FROM chat_message WHERE show = ?1 AND seq IN (
           SELECT seq FROM chat_message WHERE show = ?1 AND source = ?2 LIMIT ?3)",
        params![show, source, LINES],
    )?;
    if removed == 0 {
        let all = db.unchecked_transaction()?;
        finish(&all, show, Some(source))?;
        all.commit()?;
    }
    Ok(true)
}

/// Removes some lines of a show; false when it has no more.
pub fn some_of(db: &Connection, show: i64) -> rusqlite::Result<bool> {
    let removed = db.execute(
        "DELETE FROM chat_message WHERE show = ?1 AND seq IN (
           SELECT seq FROM chat_message WHERE show = ?1 LIMIT ?2)",
        params![show, LINES],
    )?;
    if removed > 0 && !has_lines(db, show)? {
        let all = db.unchecked_transaction()?;
        finish(&all, show, None)?;
        all.commit()?;
    }
    Ok(removed > 0)
}

fn has_lines(db: &Connection, show: i64) -> rusqlite::Result<bool> {
    db.prepare("SELECT 1 FROM chat_message WHERE show = ? LIMIT 1")?.exists([show])
}

/// What belongs to lines that are gone.
fn finish(db: &Connection, show: i64, source: Option<i64>) -> rusqlite::Result<()> {
    for table in ["chat_hole", "chat_cleared"] {
        let sql = format!("DELETE FROM {table} WHERE show = ?1 AND (?2 IS NULL OR source = ?2)");
        db.execute(&sql, params![show, source])?;
    }
    db.execute(
        "UPDATE chat_source SET expired = 1 WHERE show = ?1 AND (?2 IS NULL OR id = ?2)",
        params![show, source],
    )?;
    forget_the_silent(db)
}

/// People of whom no line is stored any more.
pub fn forget_the_silent(db: &Connection) -> rusqlite::Result<()> {
    db.execute(
        "DELETE FROM chat_person
         WHERE NOT EXISTS (SELECT 1 FROM chat_message WHERE chat_message.person = chat_person.id)",
        [],
    )?;
    Ok(())
}
