//! Which shows run on this machine, by the cards beside their sockets. What a dead engine left is removed.

use std::{
    fs,
    io::ErrorKind,
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
};

use rustix::process::{Pid, test_kill_process};

use crate::{base::text::plain, config::read_file, engine::wire::Card};

/// The greatest card, in bytes.
const MAX_CARD: u64 = 64 * 1024;

/// A show that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningShow {
    /// Where it is taken up.
    pub socket: PathBuf,
    /// What it says of itself.
    pub card: Card,
}

/// Every running show whose socket is in one of these directories, oldest first.
pub fn running(dirs: &[PathBuf]) -> Vec<RunningShow> {
    let mut shows: Vec<RunningShow> = dirs.iter().flat_map(|dir| in_dir(dir)).collect();
    shows.sort_by_key(|s| (s.card.started, s.card.pid));
    shows.dedup_by(|a, b| a.card.pid == b.card.pid);
    shows
}

/// Whether this user owns a file or directory, and nobody else can change it: what is in a directory of somebody
/// else's is not believed, as an engine makes its socket in none.
pub(super) fn is_ours(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| {
        about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o022 == 0
    })
}

fn in_dir(dir: &Path) -> Vec<RunningShow> {
    if !is_ours(dir) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let sockets = entries.flatten().map(|e| e.path());
    sockets
        .filter(|p| p.extension().is_some_and(|e| e == "sock"))
        .filter_map(|socket| look_at(&socket))
        .collect()
}

fn look_at(socket: &Path) -> Option<RunningShow> {
    let pid: i32 = socket.file_stem()?.to_str()?.parse().ok()?;
    let card_path = socket.with_extension("json");
    let alive = Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok());
    // Another process may have a dead engine's number by now: only its socket answers.
    let refused = || {
        UnixStream::connect(socket)
            .is_err_and(|e| matches!(e.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound))
    };
    if !alive || refused() {
        let _ = fs::remove_file(&card_path);
        let _ = fs::remove_file(socket);
        return None;
    }
    // No card yet: it is only just starting.
    let mut card: Card = serde_json::from_slice(&read_file(&card_path, MAX_CARD).ok()?).ok()?;
    card.title = plain(&card.title);
    Some(RunningShow { socket: socket.to_owned(), card })
}
