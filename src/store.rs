//! Floor 4: what is kept of shows, in one SQLite database in the state directory: shows, their events, their
//! seconds, their chat, and viewers that came from elsewhere. It decides nothing, and a show goes on without it.
//!
//! A show is written by one thread behind a bounded queue ([`Keeper`]) and read by anybody at any time
//! ([`Shows`]): the database is in WAL mode, so readers and writers do not wait for each other.

mod chat;
mod housekeeping;
mod imported;
mod keeper;
mod read;
mod schema;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use chat::{
    ChatQueue, ChatRows, ChatSource, Entry, Erased, Filter, Person, Who, erase, queue as chat_queue,
};
pub use housekeeping::Limits;
pub use imported::{Changed, Imported, Watched, import};
pub use keeper::{Closing, Keeper, News, Opening, Output};
pub use read::{Minute, Outlet, ShowRow, Shows};

/// The database's name in the state directory.
pub const FILE: &str = "shows.db";
/// How long another writer is waited for, by the keeper's thread and by nobody else.
const PATIENCE: Duration = Duration::from_millis(800);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was ever kept.
    #[error("no show has been kept yet: there is no {0}")]
    Nothing(PathBuf),
    /// Nothing is kept any more.
    #[error("no show is kept: the next one will be")]
    Empty,
    /// A newer hawker wrote it.
    #[error(
        "{path} was written by a newer hawker (form {found}, this one knows {known}): use the newer hawker, or \
         set HAWKER_STATE_DIR to another folder"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its form.
        found: i64,
        /// The newest form that is known here.
        known: i64,
    },
    /// It is damaged, or no database at all.
    #[error("{path} is damaged or no database ({why}): move it away, and hawker begins a new one")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// As SQLite says it.
        why: String,
    },
    /// Another program holds it.
    #[error("{0} is locked by another program: close what has it open")]
    Locked(PathBuf),
    /// The system does not let us.
    #[error(
        "{path} cannot be opened ({why}): it and its folder must be yours to read and to write"
    )]
    Denied {
        /// The database.
        path: PathBuf,
        /// As SQLite or the system says it.
        why: String,
    },
    /// The disk is full.
    #[error("the disk of {0} is full: make room there")]
    Full(PathBuf),
    /// There is no such show in it.
    #[error("there is no show '{0}': `hawker report --list` lists those that were kept")]
    NoShow(String),
    /// No line of such a person is stored.
    #[error("nobody is called '{called}' on {platform} in the store{}", known_platforms(.known))]
    NoPerson {
        /// As they were called.
        called: String,
        /// The platform.
        platform: String,
        /// Platforms of which lines are stored.
        known: Vec<String>,
    },
    /// Anything else.
    #[error("{path} cannot be used: {why}")]
    Other {
        /// The database.
        path: PathBuf,
        /// As SQLite or the system says it.
        why: String,
    },
}

fn known_platforms(known: &[String]) -> String {
    if known.is_empty() {
        ": no line of any chat is stored".to_owned()
    } else {
        format!("; lines are stored of {}", known.join(", "))
    }
}

impl StoreError {
    fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(path),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, why: error.to_string() }
            }
            Some(ErrorCode::DiskFull) => Self::Full(path),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::Denied { path, why: error.to_string() }
            }
            _ => Self::Other { path, why: error.to_string() },
        }
    }
}

/// Opens the database to write, makes it when it is not there, and brings it to the present form. Only its
/// owner may read it.
fn open(path: &Path) -> Result<Connection, StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |e: &rusqlite::Error| StoreError::of(path, e);
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(e) if e.kind() == io::ErrorKind::StorageFull => {
            return Err(StoreError::Full(path.to_owned()));
        }
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StoreError::Denied { path: path.to_owned(), why: e.to_string() });
        }
        _ => {}
    }
    let mut db = connect(path).map_err(|e| failed(&e))?;
    schema::migrate(&mut db, path)?;
    Ok(db)
}

/// Opens a database that is there.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(PATIENCE)?;
    Ok(db)
}

#[cfg(test)]
mod tests;
