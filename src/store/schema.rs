//! The form of the database, and the steps from each older form to it. A step is never changed once it was
//! released; a new one is added. `user_version` is the number of steps that were taken.
//!
//! Sizes: the seconds are whole numbers, of which SQLite stores as many bytes as they need (none for 0), and
//! their tables are `WITHOUT ROWID`, so that the key (show, second, source) is stored once and is the order on
//! disk. An output's second takes about 30 bytes. What makes a year small is that shows older than a month are
//! kept by tens of seconds (`housekeeping`): plain rows stay within reach of any SQLite shell, which packed
//! blobs would not.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// One step after another. Times are milliseconds: `started` and `ended` since 1970, `at` of events since the
/// show began; `at` of seconds in seconds since the show began; `at` of what was imported in milliseconds since 1970.
///
/// Chat: times in milliseconds since 1970, `at_ns` the nanoseconds beyond. `seq` counts the steps of a show's chat in
/// order of arrival. `chat_person` is one appearance of a person: `account` is the platform's identifier ('' where it
/// gives none), `called` the login name, else the name shown, in lower case. `chat_message.person` is NULL only where
/// a deletion came before its message. `text` is NULL once the platform removed it; `removed` says how. `flags`: 1
/// backlog, 2 own, 4 late. `chat_hole.unstored` counts lines that came but could not be written; NULL where the source
/// itself has a hole.
const STEPS: &[&str] = &["
CREATE TABLE show (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  started INTEGER NOT NULL,
  seen INTEGER NOT NULL DEFAULT 0,
  title TEXT NOT NULL,
  mode TEXT NOT NULL,
  profile TEXT NOT NULL,
  latency_target_ms INTEGER NOT NULL,
  stall_target_permille INTEGER NOT NULL,
  ended INTEGER,
  why TEXT,
  exit_code INTEGER,
  report TEXT,
  step INTEGER NOT NULL DEFAULT 1,
  lost_seconds INTEGER NOT NULL DEFAULT 0,
  lost_events INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX show_started ON show (started);
CREATE TABLE source (
  show INTEGER NOT NULL REFERENCES show ON DELETE CASCADE,
  id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  goes_to TEXT NOT NULL,
  market TEXT,
  PRIMARY KEY (show, id)
) WITHOUT ROWID;
CREATE TABLE event (
  show INTEGER NOT NULL REFERENCES show ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  event TEXT NOT NULL,
  severity TEXT NOT NULL,
  about TEXT,
  sentence TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (show, seq)
) WITHOUT ROWID;
CREATE TABLE program_second (
  show INTEGER NOT NULL REFERENCES show ON DELETE CASCADE,
  at INTEGER NOT NULL,
  cpu_permille INTEGER, memory_kib INTEGER,
  encoded INTEGER NOT NULL, repeated INTEGER NOT NULL, skipped INTEGER NOT NULL, dropped INTEGER NOT NULL,
  withheld INTEGER NOT NULL,
  PRIMARY KEY (show, at)
) WITHOUT ROWID;
CREATE TABLE output_second (
  show INTEGER NOT NULL REFERENCES show ON DELETE CASCADE,
  at INTEGER NOT NULL,
  source INTEGER NOT NULL,
  sent_kbps INTEGER, target_kbps INTEGER, available_kbps INTEGER, rtt_tenths INTEGER, loss_ppm INTEGER,
  silent_ms INTEGER, dropped INTEGER NOT NULL, viewers INTEGER,
  PRIMARY KEY (show, at, source)
) WITHOUT ROWID;
CREATE TABLE monitor_second (
  show INTEGER NOT NULL REFERENCES show ON DELETE CASCADE,
  at INTEGER NOT NULL,
  source INTEGER NOT NULL,
  p50_tenths INTEGER, p95_tenths INTEGER, fps_tenths INTEGER NOT NULL, kbps INTEGER NOT NULL,
  stalls INTEGER NOT NULL, stalled_ms INTEGER NOT NULL, gap_ms INTEGER NOT NULL, skew_tenths INTEGER,
  PRIMARY KEY (show, at, source)
) WITHOUT ROWID;
", "
CREATE TABLE imported (
  source TEXT NOT NULL,
  market TEXT NOT NULL,
  at INTEGER NOT NULL,
  minutes REAL NOT NULL,
  viewers REAL NOT NULL,
  orders REAL,
  PRIMARY KEY (source, market, at)
) WITHOUT ROWID;
", "
ALTER TABLE output_second ADD COLUMN encode_tenths INTEGER;
ALTER TABLE output_second ADD COLUMN pace_tenths INTEGER;
ALTER TABLE output_second ADD COLUMN nacks INTEGER;
ALTER TABLE output_second ADD COLUMN plis INTEGER;
ALTER TABLE output_second ADD COLUMN limited INTEGER;
", "
ALTER TABLE show ADD COLUMN lost_lines INTEGER NOT NULL DEFAULT 0;
CREATE TABLE chat_source (
  show INTEGER NOT NULL REFERENCES show ON DELETE CASCADE,
  id INTEGER NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  platform TEXT,
  market TEXT,
  keep_days INTEGER NOT NULL,
  expired INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (show, id)
) WITHOUT ROWID;
CREATE TABLE chat_person (
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  called TEXT NOT NULL,
  name TEXT NOT NULL,
  login TEXT NOT NULL,
  platform TEXT NOT NULL,
  UNIQUE (account, called, name, login, platform)
);
CREATE INDEX chat_person_called ON chat_person (called);
CREATE TABLE chat_message (
  show INTEGER NOT NULL REFERENCES show ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  source INTEGER NOT NULL,
  message TEXT NOT NULL,
  at INTEGER NOT NULL,
  at_ns INTEGER NOT NULL DEFAULT 0,
  person INTEGER,
  text TEXT,
  kind TEXT,
  paid_micros INTEGER, currency TEXT,
  channel TEXT,
  language TEXT, lang TEXT,
  badges TEXT,
  finds TEXT,
  reply_to TEXT,
  shared_channel TEXT, shared_id TEXT,
  flags INTEGER NOT NULL DEFAULT 0,
  removed TEXT, removed_at INTEGER,
  PRIMARY KEY (show, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX chat_message_once ON chat_message (show, source, message);
CREATE INDEX chat_message_person ON chat_message (person);
CREATE INDEX chat_message_shared ON chat_message (show, shared_id) WHERE shared_id IS NOT NULL;
CREATE TABLE chat_hole (
  show INTEGER NOT NULL REFERENCES show ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  source INTEGER NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  unstored INTEGER,
  PRIMARY KEY (show, seq)
) WITHOUT ROWID;
CREATE TABLE chat_cleared (
  show INTEGER NOT NULL REFERENCES show ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  source INTEGER NOT NULL,
  at INTEGER NOT NULL,
  how TEXT NOT NULL,
  account TEXT NOT NULL,
  called TEXT NOT NULL,
  name TEXT NOT NULL,
  timeout_s INTEGER,
  PRIMARY KEY (show, seq)
) WITHOUT ROWID;
"];

/// Prepared statements that a connection keeps; the keeper has some 30.
const STATEMENTS: usize = 48;

/// The newest form.
pub fn newest() -> i64 {
    STEPS.len() as i64
}

fn form(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Refuses a form that is newer than what is known here.
pub fn check(db: &Connection, path: &Path) -> Result<i64, StoreError> {
    let found = form(db).map_err(|e| StoreError::of(path, &e))?;
    let known = newest();
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(found)
}

/// Brings a database to the newest form, step by step, whole or not at all.
pub fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = check(db, path)?;
    let done = if found == newest() { settle(db) } else { steps(db) };
    done.map_err(|e| StoreError::of(path, &e))
}

/// What a connection is told before it writes.
fn settle(db: &Connection) -> rusqlite::Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // A killed process loses nothing that was committed; a power cut may lose the last commits, no more. What a
    // long step of housekeeping made of the log is given back at the next checkpoint. What is deleted is overwritten.
    db.execute_batch(
        "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 4194304;
         PRAGMA secure_delete = ON",
    )
}

fn steps(db: &mut Connection) -> rusqlite::Result<()> {
    // Before the first table: space that old shows leave can then be given back to the disk.
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    settle(db)?;
    // Another engine may be taking the same steps: whoever has the lock looks again.
    let all = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let done = usize::try_from(form(&all)?).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        all.execute_batch(step)?;
    }
    if done < STEPS.len() {
        all.pragma_update(None, "user_version", newest())?;
    }
    all.commit()
}
