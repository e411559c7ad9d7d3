//! Viewers that came from elsewhere, kept beside one's own shows: written whole or not at all, and twice changes
//! nothing.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{TransactionBehavior, params};

use super::{Shows, StoreError, open};

/// A row that came from elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The market.
    pub market: String,
    /// When it began.
    pub at: Timestamp,
    /// How long it lasted, in minutes.
    pub minutes: f32,
    /// Viewers at once, on average.
    pub viewers: f32,
    /// Orders, when they are known.
    pub orders: Option<f32>,
    /// Where it came from: rows of different sources for the same time are different viewers.
    pub source: String,
}

/// What an import changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changed {
    /// Rows that were not there.
    pub new: usize,
    /// Rows that said something else before.
    pub corrected: usize,
    /// Rows that were there.
    pub same: usize,
}

/// Keeps all rows or, when one fails, none. A row of the same source, market and time is replaced.
///
/// # Errors
/// The database cannot be used; nothing is changed then.
pub fn import(path: &Path, rows: &[Imported]) -> Result<Changed, StoreError> {
    let mut db = open(path)?;
    let mut work = || -> rusqlite::Result<Changed> {
        let all = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut changed = Changed::default();
        {
            let mut known = all.prepare(
                "SELECT minutes, viewers, orders FROM imported WHERE source = ? AND market = ? AND at = ?",
            )?;
            let mut write =
                all.prepare("INSERT OR REPLACE INTO imported VALUES (?, ?, ?, ?, ?, ?)")?;
            for row in rows {
                let at = row.at.as_millisecond();
                let before = {
                    let mut found = known.query(params![row.source, row.market, at])?;
                    match found.next()? {
                        Some(r) => Some((
                            r.get::<_, f32>(0)?,
                            r.get::<_, f32>(1)?,
                            r.get::<_, Option<f32>>(2)?,
                        )),
                        None => None,
                    }
                };
                match before {
                    Some(figures) if figures == (row.minutes, row.viewers, row.orders) => {
                        changed.same += 1;
                        continue;
                    }
                    Some(_) => changed.corrected += 1,
                    None => changed.new += 1,
                }
                write.execute(params![
                    row.source,
                    row.market,
                    at,
                    row.minutes,
                    row.viewers,
                    row.orders
                ])?;
            }
        }
        all.commit()?;
        Ok(changed)
    };
    work().map_err(|e| StoreError::of(path, &e))
}

impl Shows {
    /// All rows that came from elsewhere, in order.
    pub fn imported(&self) -> Result<Vec<Imported>, StoreError> {
        self.or(self.imported_rows())
    }

    fn imported_rows(&self) -> rusqlite::Result<Vec<Imported>> {
        self.db
            .prepare("SELECT source, market, at, minutes, viewers, orders FROM imported ORDER BY at, market, source")?
            .query_map([], |row| {
                Ok(Imported {
                    source: row.get(0)?,
                    market: row.get(1)?,
                    at: Timestamp::from_millisecond(row.get(2)?).unwrap_or(Timestamp::UNIX_EPOCH),
                    minutes: row.get(3)?,
                    viewers: row.get(4)?,
                    orders: row.get(5)?,
                })
            })?
            .collect()
    }

    /// Who watched all live shows, by market and minute: the outputs of a market together. Outputs without a market
    /// are left out, and so are rehearsals.
    pub fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        self.or(self.watched_rows())
    }

    fn watched_rows(&self) -> rusqlite::Result<Vec<Watched>> {
        self.db
            .prepare(
                "SELECT at, market, sum(viewers) FROM (
                   SELECT show.id AS id, show.started + at / 60 * 60000 AS at, market, avg(viewers) AS viewers
                   FROM output_second JOIN show ON show.id = output_second.show
                   JOIN source ON source.show = output_second.show AND source.id = output_second.source
                   WHERE viewers IS NOT NULL AND market IS NOT NULL AND show.mode = 'live'
                   GROUP BY show.id, at / 60, source.id
                 ) GROUP BY id, at, market ORDER BY at",
            )?
            .query_map([], |row| {
                Ok(Watched {
                    at: Timestamp::from_millisecond(row.get(0)?).unwrap_or(Timestamp::UNIX_EPOCH),
                    market: row.get(1)?,
                    viewers: row.get(2)?,
                })
            })?
            .collect()
    }
}

/// Who watched a market in a minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// When the minute began.
    pub at: Timestamp,
    /// The market, as the show says it.
    pub market: String,
    /// Viewers at once, on average.
    pub viewers: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(market: &str, at: &str, viewers: f32, source: &str) -> Imported {
        Imported {
            market: market.into(),
            at: at.parse().unwrap(),
            minutes: 60.0,
            viewers,
            orders: Some(2.0),
            source: source.into(),
        }
    }

    #[test]
    fn twice_changes_nothing_and_a_correction_is_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(super::super::FILE);
        let rows = [
            row("TH", "2027-03-04T13:00:00Z", 10.5, "import"),
            row("TH", "2027-03-04T13:00:00Z", 7.0, "tiktok"),
            row("ID", "2027-03-04T13:00:00Z", 3.0, "import"),
        ];
        assert_eq!(import(&path, &rows).unwrap(), Changed { new: 3, corrected: 0, same: 0 });
        assert_eq!(import(&path, &rows).unwrap(), Changed { new: 0, corrected: 0, same: 3 });
        let mut other = rows.clone();
        other[2].viewers = 4.0;
        assert_eq!(import(&path, &other).unwrap(), Changed { new: 0, corrected: 1, same: 2 });
        let kept = Shows::open(&path).unwrap().imported().unwrap();
        assert_eq!(kept, [other[2].clone(), other[0].clone(), other[1].clone()]);
    }

    #[test]
    fn a_database_of_the_first_form_gets_the_table() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(super::super::FILE);
        let first = open(&path).unwrap();
        let columns = ["encode_tenths", "pace_tenths", "nacks", "plis", "limited"];
        for column in columns {
            let drop = format!("ALTER TABLE output_second DROP COLUMN {column}");
            first.execute_batch(&drop).unwrap();
        }
        for table in ["source", "person", "message", "hole", "cleared"] {
            first.execute_batch(&format!("DROP TABLE chat_{table}")).unwrap();
        }
        first
            .execute_batch(
                "ALTER TABLE show DROP COLUMN lost_lines; DROP TABLE imported; PRAGMA user_version = 1",
            )
            .unwrap();
        drop(first);
        let rows = [row("TH", "2027-03-04T13:00:00Z", 10.5, "import")];
        assert_eq!(import(&path, &rows).unwrap().new, 1);
        let version =
            open(&path).unwrap().query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0));
        assert_eq!(version.unwrap(), 4);
        let kept = open(&path).unwrap();
        for column in columns {
            kept.prepare(&format!("SELECT {column} FROM output_second")).unwrap();
        }
    }

    #[test]
    fn the_outputs_of_a_market_are_watched_together_and_rehearsals_are_not() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(super::super::FILE);
        let db = open(&path).unwrap();
        for (id, mode) in [(1, "live"), (2, "rehearse")] {
            db.execute_batch(&format!(
                "INSERT INTO show (id, started, title, mode, profile, latency_target_ms, stall_target_permille)
                   VALUES ({id}, 1800000000000, 'x', '{mode}', 'lively', 600, 5);
                 INSERT INTO source VALUES ({id}, 1, 'output', 'a', 'x', 'th');
                 INSERT INTO source VALUES ({id}, 2, 'output', 'b', 'x', 'th');
                 INSERT INTO source VALUES ({id}, 3, 'output', 'c', 'x', NULL);"
            ))
            .unwrap();
            for at in 0..90 {
                for (source, viewers) in [(1, 10), (2, 5), (3, 99)] {
                    db.execute(
                        "INSERT INTO output_second (show, at, source, silent_ms, dropped, viewers) VALUES (?, ?, ?, 0, 0, ?)",
                        params![id, at, source, viewers],
                    )
                    .unwrap();
                }
            }
        }
        let watched = Shows::open(&path).unwrap().watched().unwrap();
        let told: Vec<_> =
            watched.iter().map(|w| (w.at.as_second(), w.market.as_str(), w.viewers)).collect();
        assert_eq!(told, [(1_800_000_000, "th", 15.0), (1_800_000_060, "th", 15.0)]);
    }

    #[test]
    fn one_row_that_fails_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(super::super::FILE);
        // The table takes no figure that is none.
        let rows = [
            row("TH", "2027-03-04T13:00:00Z", 1.0, "a"),
            row("TH", "2027-03-04T14:00:00Z", f32::NAN, "a"),
        ];
        assert!(import(&path, &rows).is_err());
        assert!(Shows::open(&path).unwrap().imported().unwrap().is_empty());
    }
}
