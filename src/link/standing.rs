//! The open WHIP sessions of this process by address, and in a file those that a process which was killed left open:
//! an ingest that takes one stream under a name holds the place of such a session for as long as it believes in it.
//! Before a session begins, what stands in its way is let go.
//!
//! The file holds, for each open session, the endpoint and the session's address, and when it began. No token is in it.
//! The address of a session is enough to end it on a server that asks for no token, and an endpoint may have the stream
//! key in its path, as the journal's copy may: file and folder are for the owner only (0600 and 0700). An entry goes when
//! its session has ended in order, the file with the last one.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::timeout};
use url::Url;

use super::http::Http;
use crate::{base::Secret, whip::Request};

/// A session that is being let go holds up the next one of its endpoint for so long at most.
const LEAVING: Duration = Duration::from_millis(600);
/// The same for all those that an earlier run left open there.
const ORPHANS: Duration = Duration::from_millis(1500);
/// More sessions than a show has open.
const MOST: usize = 64;
/// A server has forgotten a session long before this, in seconds.
const OLD_S: i64 = 24 * 3600;
/// The longest file that is read, and how many files are looked at.
const MOST_BYTES: u64 = 256 * 1024;
const MOST_FILES: usize = 256;

/// A session as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    endpoint: Url,
    session: Url,
    /// When it began, in seconds since 1970 UTC.
    began: i64,
}

#[derive(Debug, Default)]
struct Known {
    /// How many sessions stand at an address. Some servers give every session of a stream the same one: there, the end
    /// of an old session would be the end of its successor.
    places: BTreeMap<Url, u32>,
    /// How many are being let go, by endpoint.
    leaving: BTreeMap<Url, u32>,
    /// What the file holds: our own, and those that others left.
    open: Vec<Entry>,
    orphans: Vec<Entry>,
    /// Of those: asked to end, and not confirmed. The next run asks again.
    asked: Vec<Entry>,
    file: Option<SyncSender<Vec<Entry>>>,
}

/// The sessions. Clones are of the same ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    known: Arc<Mutex<Known>>,
    left: Arc<Notify>,
}

impl Standing {
    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the sessions in a file of that folder, and takes over what killed processes left there. It blocks.
    pub(super) fn keep(&self, folder: &Path) -> std::io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let orphans = take_over(folder, now_s());
        let name = format!("{}-{}.json", now_s(), std::process::id());
        let path = folder.join(name);
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        // The lock says that we are alive; the system lets it go with the process.
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let (snapshots, written) = sync_channel(4);
        std::thread::Builder::new()
            .name("sessions".into())
            .spawn(move || write_all(file, &path, &written))?;
        let mut known = self.lock();
        known.orphans = orphans;
        known.file = Some(snapshots);
        known.tell();
        Ok(())
    }

    /// A session of that endpoint stands at that address.
    pub(super) fn join(&self, endpoint: &Url, place: &Url) {
        let mut known = self.lock();
        *known.places.entry(place.clone()).or_default() += 1;
        if known.open.len() < MOST {
            let (endpoint, session) = (endpoint.clone(), place.clone());
            known.open.push(Entry { endpoint, session, began: now_s() });
            known.tell();
        }
    }

    /// It stands there no more, as far as we are concerned. The file keeps it until its end is confirmed.
    pub(super) fn leave(&self, place: &Url) {
        let mut known = self.lock();
        if let Some(count) = known.places.get_mut(place) {
            *count -= 1;
            if *count == 0 {
                known.places.remove(place);
            }
        }
    }

    /// It has ended, or the other end has been asked to end it for long enough.
    pub(super) fn ended(&self, place: &Url) {
        let mut known = self.lock();
        if let Some(at) = known.open.iter().position(|entry| entry.session == *place) {
            known.open.swap_remove(at);
            known.tell();
        }
    }

    /// Whether a session stands at that address.
    pub(super) fn holds(&self, place: &Url) -> bool {
        self.lock().places.contains_key(place)
    }

    /// A session of that endpoint is being let go as long as the answer lives.
    pub(super) fn leaving(&self, endpoint: &Url) -> Leaving {
        *self.lock().leaving.entry(endpoint.clone()).or_default() += 1;
        Leaving { standing: self.clone(), endpoint: endpoint.clone() }
    }

    /// Lets go what stands in the way of a new session of that endpoint: those that an earlier run left open are ended,
    /// and one of ours that is being let go is waited for. Bounded in time.
    pub(super) async fn clear_way(&self, http: &Http, endpoint: &Url, token: Option<&Secret>) {
        let orphans: Vec<Entry> = {
            let mut known = self.lock();
            let ours = |entry: &mut Entry| entry.endpoint == *endpoint;
            let orphans: Vec<Entry> = known.orphans.extract_if(.., ours).collect();
            known.asked.extend_from_slice(&orphans);
            orphans
        };
        if !orphans.is_empty() {
            let all = orphans.iter().map(|orphan| self.end_orphan(http, orphan, token));
            // What is not ended by then may be ended all the same; the next start asks again.
            let _ = timeout(ORPHANS, futures::future::join_all(all)).await;
        }
        let gone = async {
            loop {
                let left = self.left.notified();
                if !self.lock().leaving.contains_key(endpoint) {
                    break;
                }
                left.await;
            }
        };
        let _ = timeout(LEAVING, gone).await;
    }

    async fn end_orphan(&self, http: &Http, orphan: &Entry, token: Option<&Secret>) {
        let request = Request::delete(&orphan.endpoint, orphan.session.clone(), token);
        let host = orphan.endpoint.host_str().unwrap_or_default().to_owned();
        match http.send(request).await {
            Ok(reply) => {
                tracing::info!(%host, status = reply.status, "ended a session that an earlier run left open");
                let mut known = self.lock();
                known.asked.retain(|asked| asked != orphan);
                known.tell();
            }
            Err(error) => {
                tracing::info!(%host, ?error, "a session of an earlier run is still open");
            }
        }
    }
}

impl Known {
    fn tell(&self) {
        let Some(file) = &self.file else { return };
        let all = self.open.iter().chain(&self.orphans).chain(&self.asked).cloned().collect();
        match file.try_send(all) {
            Ok(()) => {}
            // A disk that hangs: the sessions matter more than the file.
            Err(TrySendError::Full(_)) => {
                tracing::warn!("the list of open sessions is not being written");
            }
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

/// See [`Standing::leaving`].
#[derive(Debug)]
pub(super) struct Leaving {
    standing: Standing,
    endpoint: Url,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut known = self.standing.lock();
        if let Some(count) = known.leaving.get_mut(&self.endpoint) {
            *count -= 1;
            if *count == 0 {
                known.leaving.remove(&self.endpoint);
            }
        }
        drop(known);
        self.standing.left.notify_waiters();
    }
}

fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Writes what is told until nobody tells any more; a file without entries goes then.
fn write_all(mut file: File, path: &Path, told: &Receiver<Vec<Entry>>) {
    let mut last = Vec::new();
    while let Ok(mut entries) = told.recv() {
        while let Ok(newer) = told.try_recv() {
            entries = newer;
        }
        if let Err(error) = write(&mut file, &entries) {
            tracing::warn!(%error, "the list of open sessions cannot be written");
        }
        last = entries;
    }
    if last.is_empty() {
        // One that stays is empty, and goes at the next start.
        let _ = fs::remove_file(path);
    }
}

fn write(file: &mut File, entries: &[Entry]) -> std::io::Result<()> {
    let text = serde_json::to_vec(entries)?;
    file.rewind()?;
    file.write_all(&text)?;
    file.set_len(text.len() as u64)
}

/// What processes left that are gone. Their files go; what they held is in ours from now on.
fn take_over(folder: &Path, now: i64) -> Vec<Entry> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let paths = files.flatten().take(MOST_FILES).map(|file| file.path());
    let mut all: Vec<Entry> = Vec::new();
    for path in paths.filter(|path| path.extension().is_some_and(|e| e == "json")) {
        for entry in left_in(&path).unwrap_or_default() {
            let young = (0..OLD_S).contains(&now.saturating_sub(entry.began));
            if young && all.len() < MOST && !all.contains(&entry) {
                all.push(entry);
            }
        }
    }
    all
}

/// What a file holds whose process is gone; `None` for one that is in use.
fn left_in(path: &PathBuf) -> Option<Vec<Entry>> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path).ok().filter(|f| f.metadata().is_ok_and(|m| m.is_file()))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    let mut text = Vec::new();
    // What cannot be read holds nothing that we could end.
    let _ = file.take(MOST_BYTES).read_to_end(&mut text);
    let _ = fs::remove_file(path);
    Some(serde_json::from_slice(&text).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// The files of the folder, once `ready` is content with them.
    fn files(folder: &Path, ready: impl Fn(&[String]) -> bool) -> Vec<String> {
        for _ in 0..500 {
            let all: Vec<String> = fs::read_dir(folder)
                .unwrap()
                .flatten()
                .filter_map(|file| fs::read_to_string(file.path()).ok())
                .collect();
            if ready(&all) {
                return all;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("never so: {:?}", fs::read_dir(folder).unwrap().flatten().collect::<Vec<_>>());
    }

    #[test]
    fn an_open_session_is_in_the_file_and_one_that_has_ended_is_not() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("sessions");
        let standing = Standing::default();
        standing.keep(&folder).unwrap();
        let (endpoint, place) = (url("https://h/whip"), url("https://h/session/1"));
        standing.join(&endpoint, &place);
        files(&folder, |all| all.len() == 1 && all[0].contains("session/1"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = fs::read_dir(&folder).unwrap().flatten().next().unwrap().path();
        assert_eq!((mode(&file), mode(&folder)), (0o600, 0o700));
        // Another process that starts meanwhile leaves it alone.
        let other = Standing::default();
        other.keep(&state.path().join("elsewhere")).unwrap();
        assert_eq!(take_over(&folder, now_s()), []);
        standing.leave(&place);
        files(&folder, |all| all.len() == 1 && all[0].contains("session/1"));
        standing.ended(&place);
        files(&folder, |all| all.len() == 1 && all[0] == "[]");
        drop(standing);
        files(&folder, <[String]>::is_empty);
    }

    #[test]
    fn what_a_killed_process_left_is_taken_over_once_and_kept_until_it_is_ended() {
        let state = tempfile::tempdir().unwrap();
        let entry = |n: i64, began| Entry {
            endpoint: url("https://h/whip"),
            session: url(&format!("https://h/session/{n}")),
            began,
        };
        let now = now_s();
        let left = [entry(1, now - 60), entry(2, now - 2 * OLD_S), entry(3, now + 900)];
        fs::write(state.path().join("1-2.json"), serde_json::to_vec(&left).unwrap()).unwrap();
        fs::write(state.path().join("cut.json"), "[{\"endpoint\":").unwrap();
        fs::write(state.path().join("notes.txt"), "mine").unwrap();
        let standing = Standing::default();
        standing.keep(state.path()).unwrap();
        assert_eq!(standing.lock().orphans, [entry(1, now - 60)]);
        let all = files(state.path(), |all| all.len() == 2 && all.concat().contains("session/1"));
        assert!(all.contains(&"mine".to_owned()), "{all:?}");
    }

    #[tokio::test]
    async fn a_session_that_is_being_let_go_is_waited_for_and_no_longer_than_it_takes() {
        let standing = Standing::default();
        let http = Http::new(&super::super::whip::LinkOptions::default()).unwrap();
        let (here, there) = (url("http://127.0.0.1:1/a"), url("http://127.0.0.1:1/b"));
        let leaving = standing.leaving(&here);
        let began = std::time::Instant::now();
        standing.clear_way(&http, &there, None).await;
        assert!(began.elapsed() < LEAVING / 2, "another endpoint's");
        let (waiting, endpoint) = (standing.clone(), here.clone());
        let task = tokio::spawn(async move { waiting.clear_way(&http, &endpoint, None).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!task.is_finished());
        drop(leaving);
        timeout(Duration::from_millis(300), task).await.unwrap().unwrap();
    }
}
