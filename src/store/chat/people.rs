//! Who wrote what is stored: people found by platform and identifier or name.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::{
    chat::Platform,
    store::{Shows, StoreError},
};

/// Who is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The platform.
    pub platform: Platform,
    /// The platform's identifier, the login name, or the name shown.
    pub called: String,
    /// It is the identifier, and no name.
    pub is_id: bool,
}

/// A person of whom lines are stored. Names of an account may have changed; where the platform gives no identifier, all
/// who write under one name are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The platform's identifier.
    pub id: Option<String>,
    /// The names shown.
    pub names: Vec<String>,
    /// Their rows in the store.
    pub rows: Vec<i64>,
    /// Lines that are stored.
    pub lines: u64,
    /// Shows in which they stand.
    pub shows: u64,
}

impl Shows {
    /// People who may be meant; several where a name is not of one person alone.
    ///
    /// # Errors
    /// Nobody is called so; or the database cannot be read.
    pub fn people(&self, who: &Who) -> Result<Vec<Person>, StoreError> {
        let found = self.or(find(&self.db, who))?;
        if found.is_empty() {
            return Err(StoreError::NoPerson {
                called: who.called.clone(),
                platform: who.platform.to_string(),
                known: self.or(platforms(&self.db))?,
            });
        }
        Ok(found)
    }
}

fn platforms(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare("SELECT DISTINCT platform FROM chat_person ORDER BY platform")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// People who may be meant, with all appearances of their accounts.
pub(super) fn find(db: &Connection, who: &Who) -> rusqlite::Result<Vec<Person>> {
    let mut statement = db.prepare(
        "WITH meant AS (
           SELECT account, called FROM chat_person WHERE platform = ?1 AND (account = ?2
             OR (?4 = 0 AND (called = ?3 OR name = ?2))))
         SELECT id, account, called, name FROM chat_person WHERE platform = ?1 AND (
           (account <> '' AND account IN (SELECT account FROM meant))
           OR (account = '' AND called IN (SELECT called FROM meant WHERE account = '')))
         ORDER BY id",
    )?;
    let lower = who.called.to_lowercase();
    let mut found: BTreeMap<(String, String), Person> = BTreeMap::new();
    let mut rows = statement.query(params![who.platform.as_str(), who.called, lower, who.is_id])?;
    while let Some(row) = rows.next()? {
        let (account, called): (String, String) = (row.get(1)?, row.get(2)?);
        let id = Some(account.clone()).filter(|account| !account.is_empty());
        // An account is one person under all its names.
        let key = if id.is_some() { (account, String::new()) } else { (account, called) };
        let person = found.entry(key).or_insert_with(|| Person {
            id,
            names: Vec::new(),
            rows: Vec::new(),
            lines: 0,
            shows: 0,
        });
        let name: String = row.get(3)?;
        if !person.names.contains(&name) {
            person.names.push(name);
        }
        person.rows.push(row.get(0)?);
    }
    let mut found: Vec<Person> = found.into_values().collect();
    for person in &mut found {
        let sql = format!(
            "SELECT count(*), count(DISTINCT show) FROM chat_message WHERE person IN ({})",
            listed(&person.rows)
        );
        (person.lines, person.shows) = db.query_row(&sql, [], |row| {
            Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64))
        })?;
    }
    Ok(found)
}

/// Numbers as a list of SQL.
pub(super) fn listed(rows: &[i64]) -> String {
    rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
