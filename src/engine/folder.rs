//! A show's folder in the state directory, and where its socket lives. A journal holds ingest addresses,
//! which may be secrets: all of it is for the owner's eyes only.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// A file of this name lies in a show's folder while its engine runs; it has the other one once the engine has ended in
/// order. A name can be changed on a disk that is full, too.
const RUNNING: &str = "running";
const ENDED: &str = "ended";
/// The folder is made this much before the show begins, at most.
const BEFORE_S: i64 = 90;

/// How many shows are kept.
pub const KEPT: usize = 50;

/// A show's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowFolder(PathBuf);

/// A title as part of a file name: ASCII letters and digits, others as dashes, at most 40.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == 40 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "show".into() } else { slug.into() }
}

/// Makes a directory that only its owner may enter, and those above it.
pub(super) fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl ShowFolder {
    /// Makes `<state>/shows/<utc stamp>-<title>` and removes the oldest beyond [`KEPT`], except those in
    /// `running`.
    pub fn create(
        state: &Path,
        title: &str,
        at: jiff::Timestamp,
        running: &[PathBuf],
    ) -> io::Result<Self> {
        let shows = state.join("shows");
        private_dir(&shows)?;
        let name = format!("{}-{}", at.strftime("%Y%m%dT%H%M%SZ"), slug(title));
        for n in 1..1000 {
            let path = shows.join(if n == 1 { name.clone() } else { format!("{name}-{n}") });
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    prune(&shows, &path, running);
                    // For whoever asks later how it ended. Nothing else needs it.
                    let _ = fs::write(path.join(RUNNING), "");
                    return Ok(Self(path));
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "a thousand shows began in one second"))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes the folder of a show that never began.
    pub fn remove(&self) {
        // What cannot be removed goes with the oldest, one day.
        let _ = fs::remove_dir_all(&self.0);
    }

    /// The engine has ended in order.
    pub fn ended(&self) {
        // Without it nobody can say later whether it died.
        let _ = fs::rename(self.0.join(RUNNING), self.0.join(ENDED));
    }

    /// The folder of a show that began then, if it is still there.
    pub fn of(state: &Path, title: &str, began: jiff::Timestamp) -> Option<Self> {
        let slug = slug(title);
        let mut folders: Vec<(jiff::Timestamp, PathBuf)> = fs::read_dir(state.join("shows"))
            .ok()?
            .flatten()
            .filter_map(|e| {
                let name = e.file_name();
                let name = name.to_str().filter(|name| stamped(name))?;
                let made = stamp(name)?;
                let before = began.duration_since(made).as_secs();
                let same = name[17..].starts_with(&slug) && (0..BEFORE_S).contains(&before);
                same.then(|| (made, e.path()))
            })
            .collect();
        folders.sort();
        folders.pop().map(|(_, path)| Self(path))
    }

    /// Whether its engine has ended in order: `None` where nothing tells.
    pub fn has_ended(&self) -> Option<bool> {
        if self.0.join(ENDED).exists() {
            return Some(true);
        }
        self.0.join(RUNNING).exists().then_some(false)
    }

    /// Where the journal is.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.jsonl")
    }

    /// Where the log is.
    pub fn log(&self) -> PathBuf {
        self.0.join("hawker.log")
    }
}

/// Whether a name begins with a stamp of ours, `20260101T000000Z-`: nothing else is ever removed.
fn stamped(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() > 17
        && bytes[16] == b'-'
        && bytes[15] == b'Z'
        && bytes[8] == b'T'
        && bytes[..15].iter().enumerate().all(|(i, b)| i == 8 || b.is_ascii_digit())
}

/// When a folder with such a name was made.
fn stamp(name: &str) -> Option<jiff::Timestamp> {
    let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &name[..16]).ok()?;
    at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn prune(shows: &Path, newest: &Path, running: &[PathBuf]) {
    let Ok(entries) = fs::read_dir(shows) else { return };
    let mut old: Vec<PathBuf> = entries
        .flatten()
        .filter(|e| e.file_name().to_str().is_some_and(stamped))
        .map(|e| e.path())
        .collect();
    old.sort();
    let spare = old.len().saturating_sub(KEPT);
    for path in old.into_iter().take(spare) {
        if path != newest && !running.contains(&path) {
            // What cannot be removed stays; it is tried again at the next show.
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Directories that may hold sockets of running shows, the first being the one to use: the state
/// directory before the session's own, which the system removes with the user's last login while a
/// show may well go on.
pub fn run_dirs(state: &Path) -> Vec<PathBuf> {
    let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut dirs = vec![state.join("run")];
    dirs.extend(session.filter(|d| d.is_absolute()).map(|d| d.join("hawker")));
    dirs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_file_names() {
        assert_eq!(slug("Evening Sale: tea & cups!"), "evening-sale-tea-cups");
        assert_eq!(slug("晚间直播"), "show");
        assert_eq!(slug("../../etc"), "etc");
        assert!(slug(&"x y ".repeat(50)).len() <= 40);
    }

    #[test]
    fn how_an_engine_ended_is_known_by_its_folder() {
        let state = tempfile::tempdir().unwrap();
        let at = jiff::Timestamp::constant(1_767_225_600, 0);
        let made = ShowFolder::create(state.path(), "Tea & cups", at, &[]).unwrap();
        let began = at.checked_add(jiff::SignedDuration::from_secs(3)).unwrap();
        let found = |title| ShowFolder::of(state.path(), title, began);
        assert_eq!(found("Tea & cups"), Some(made.clone()));
        assert_eq!(found("Coffee"), None);
        assert_eq!(ShowFolder::of(state.path(), "Tea & cups", jiff::Timestamp::MAX), None);
        assert_eq!(made.has_ended(), Some(false));
        made.ended();
        assert_eq!(made.has_ended(), Some(true));
        fs::remove_file(made.path().join(ENDED)).unwrap();
        assert_eq!(made.has_ended(), None, "made by an earlier version");
    }

    #[test]
    fn the_oldest_shows_go_and_running_ones_stay() {
        let state = tempfile::tempdir().unwrap();
        let start = jiff::Timestamp::constant(1_767_225_600, 0);
        let at = |s: i64| start.checked_add(jiff::SignedDuration::from_secs(s)).unwrap();
        let first = ShowFolder::create(state.path(), "a", at(0), &[]).unwrap();
        let second = ShowFolder::create(state.path(), "a", at(0), &[]).unwrap();
        assert_ne!(first, second);
        fs::create_dir(state.path().join("shows/mine")).unwrap();
        let running = [first.path().to_owned()];
        for s in 1..60 {
            ShowFolder::create(state.path(), "b", at(s), &running).unwrap();
        }
        assert!(first.path().exists() && !second.path().exists());
        assert!(state.path().join("shows/mine").exists());
        let left = fs::read_dir(state.path().join("shows")).unwrap().count();
        assert!((KEPT..=KEPT + 2).contains(&left), "{left}");
    }
}
