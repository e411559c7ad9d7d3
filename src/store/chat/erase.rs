//! A person erased: lines, names, and what else is stored of them, over all shows, and out of the file itself.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::people::{Person, listed};
use crate::store::{StoreError, open};

/// What an erasure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Lines that were removed.
    pub lines: u64,
    /// Notes of the person's removals from a chat.
    pub notes: u64,
    /// The file holds no copy any more. False while another program has it open, or its disk is full: what was removed
    /// cannot be read by hawker, but may still lie in the file until it is written over.
    pub is_rewritten: bool,
}

/// Erases a person, whole or not at all, then writes the file anew, so that no copy of a line stays in pages that are
/// free or were moved.
///
/// Lines of others that name the person stay: they are the others'.
///
/// # Errors
/// The database cannot be used; nothing is changed then.
pub fn erase(path: &Path, person: &Person) -> Result<Erased, StoreError> {
    let mut db = open(path)?;
    let (lines, notes) = rows(&mut db, person).map_err(|e| StoreError::of(path, &e))?;
    let is_rewritten = rewrite(&db).unwrap_or(false);
    Ok(Erased { lines, notes, is_rewritten })
}

fn rows(db: &mut Connection, person: &Person) -> rusqlite::Result<(u64, u64)> {
    let all = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let rows = listed(&person.rows);
    // Tables that come to hold people (claims, moderation) are to be named here.
    let notes = all.execute(
        &format!(
            "DELETE FROM chat_cleared WHERE
               (account <> '' AND account IN (SELECT account FROM chat_person WHERE id IN ({rows})))
               OR (account = '' AND called <> '' AND called IN (SELECT called FROM chat_person WHERE id IN ({rows})))"
        ),
        [],
    )?;
    let lines = all.execute(&format!("DELETE FROM chat_message WHERE person IN ({rows})"), [])?;
    all.execute(&format!("DELETE FROM chat_person WHERE id IN ({rows})"), [])?;
    all.commit()?;
    Ok((lines as u64, notes as u64))
}

/// Whether the file was written anew, and nothing of before is left in the log beside it.
fn rewrite(db: &Connection) -> rusqlite::Result<bool> {
    db.execute_batch("VACUUM")?;
    // The first column says whether somebody was in the way.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        .map(|busy| busy == 0)
}
