//! Reads what a show keeps in files (secrets, authorities, server profiles) without ever blocking who asks. Each read
//! has a thread of its own and a deadline. What was read last is kept and used while a new read fails or does not
//! answer, and a file that does not answer is not opened again before the former read has ended.

use std::{
    any::Any,
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::timeout_at};

use crate::{
    base::{Secret, SecretRef},
    config::{self, Dirs},
    link::{Authorities, chat::webhook::PublicKey},
    show::{FailureKind, IngestSpec},
    whip::Quirks,
};

/// How long a file may take that was never read before.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same where there is a value to go on with: a session that is to replace a lost one does not wait longer.
const PATIENCE_KNOWN: Duration = Duration::from_millis(300);
/// So many reads may be under way at the same time. Each that hangs holds a thread.
const MOST_READERS: usize = 16;

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What, why, and what to do.
    pub reason: String,
    /// Whether to try again.
    pub kind: FailureKind,
}

type Value = Arc<dyn Any + Send + Sync>;
/// `None` until the read has ended.
type Outcome = Option<Result<Value, String>>;

/// What is known of one thing that is read.
#[derive(Default)]
struct Slot {
    last: Option<Value>,
    reading: Option<(Instant, watch::Receiver<Outcome>)>,
    /// The last read failed, and the log has it.
    failing: bool,
}

/// Reads files for everybody in an engine. Clones share what they know.
#[derive(Clone, Default)]
pub struct Files {
    slots: Arc<Mutex<BTreeMap<String, Slot>>>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

impl Files {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `read` gives, or gave last. `what` names it: "the secret file /run/token". It must always name the same
    /// type. `read` may block for ever; this waits for it no longer than 2 s.
    ///
    /// # Errors
    /// There is no value to go on with.
    pub async fn get<T: Clone + Send + Sync + 'static>(
        &self,
        what: &str,
        read: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, Unread> {
        self.within(what, PATIENCE, read).await
    }

    /// The same with another deadline for a first read.
    ///
    /// # Errors
    /// There is no value to go on with.
    pub async fn within<T: Clone + Send + Sync + 'static>(
        &self,
        what: &str,
        patience: Duration,
        read: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, Unread> {
        let (last, begun) = self.begin(what, read);
        let patience = if last.is_some() { PATIENCE_KNOWN.min(patience) } else { patience };
        let read = match begun {
            Err(failed) => Err(failed),
            Ok((since, mut outcome)) => {
                let ended =
                    timeout_at((since + patience).into(), outcome.wait_for(Option::is_some));
                match ended.await {
                    Ok(Ok(outcome)) => match &*outcome {
                        Some(Ok(value)) => Ok(Arc::clone(value)),
                        Some(Err(why)) => {
                            Err(Unread { reason: why.clone(), kind: FailureKind::Lasting })
                        }
                        None => Err(hung(what, since)),
                    },
                    Ok(Err(_)) => Err(Unread {
                        reason: format!("{what} cannot be read: the reader broke; see the log"),
                        kind: FailureKind::Passing,
                    }),
                    Err(_) => Err(hung(what, since)),
                }
            }
        };
        self.told(what, read.as_ref().err().filter(|_| last.is_some()));
        let value = match (read, last) {
            (Ok(value), _) | (Err(_), Some(value)) => value,
            (Err(unread), None) => return Err(unread),
        };
        value.downcast_ref::<T>().cloned().ok_or_else(|| Unread {
            reason: format!("{what} was read as something else: please report this"),
            kind: FailureKind::Lasting,
        })
    }

    /// What was read last, and the read that is under way now: the one before if it has not ended yet.
    #[allow(clippy::type_complexity, reason = "used in one place")]
    fn begin<T: Send + Sync + 'static>(
        &self,
        what: &str,
        read: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> (Option<Value>, Result<(Instant, watch::Receiver<Outcome>), Unread>) {
        let mut slots = self.lock();
        let under_way = slots.values().filter(|slot| slot.reading.is_some()).count();
        let slot = slots.entry(what.to_owned()).or_default();
        let last = slot.last.clone();
        if let Some((since, outcome)) = &slot.reading {
            return (last, Ok((*since, outcome.clone())));
        }
        let refused = |why: String| Unread {
            reason: format!("{what} cannot be read: {why}"),
            kind: FailureKind::Passing,
        };
        if under_way >= MOST_READERS {
            let why = format!("{MOST_READERS} other files do not answer; see what they lie on");
            return (last, Err(refused(why)));
        }
        let (tell, outcome) = watch::channel(None);
        let (files, name) = (self.clone(), what.to_owned());
        let thread = std::thread::Builder::new().name("file".into()).spawn(move || {
            let reading = Reading { files, name };
            let read = read().map(|value| Arc::new(value) as Value);
            if let Ok(value) = &read {
                reading.keep(value);
            }
            drop(reading);
            tell.send_replace(Some(read));
        });
        match thread {
            Ok(_) => {
                let since = Instant::now();
                slot.reading = Some((since, outcome.clone()));
                (last, Ok((since, outcome)))
            }
            Err(e) => (last, Err(refused(format!("the system gives no thread: {e}")))),
        }
    }

    /// Says once that an old value is used, and once that it is not any more.
    fn told(&self, what: &str, unread: Option<&Unread>) {
        let mut slots = self.lock();
        let Some(slot) = slots.get_mut(what) else { return };
        let was = std::mem::replace(&mut slot.failing, unread.is_some());
        drop(slots);
        match unread {
            Some(Unread { reason, .. }) if !was => {
                tracing::warn!("{reason}. The value that was read before is used");
            }
            None if was => tracing::info!("{what} can be read again"),
            _ => {}
        }
    }

    /// A secret.
    ///
    /// # Errors
    /// There is none to go on with.
    pub async fn secret(&self, reference: &SecretRef) -> Result<Secret, Unread> {
        let what = match reference {
            SecretRef::Env(name) => format!("the environment variable {name}"),
            SecretRef::File(path) => format!("the secret file {path}"),
        };
        let reference = reference.clone();
        self.get(&what, move || config::read_secret(&reference).map_err(|e| e.to_string())).await
    }

    /// The same where one may be named.
    ///
    /// # Errors
    /// There is none to go on with.
    pub async fn secret_if(&self, named: Option<&SecretRef>) -> Result<Option<Secret>, Unread> {
        match named {
            Some(reference) => self.secret(reference).await.map(Some),
            None => Ok(None),
        }
    }

    /// A file of authorities.
    ///
    /// # Errors
    /// There are none to go on with.
    pub async fn authorities(&self, path: &Path) -> Result<Authorities, Unread> {
        let what = format!("the certificate file {}", path.display());
        let path = path.to_owned();
        self.get(&what, move || Authorities::read(&path).map_err(|e| e.to_string())).await
    }

    /// A public key, PEM.
    ///
    /// # Errors
    /// It cannot be read, or is no key of RSA.
    pub async fn public_key(&self, path: &Path) -> Result<PublicKey, Unread> {
        let what = format!("the key file {}", path.display());
        let path = path.to_owned();
        self.get(&what, move || PublicKey::read(&path).map_err(|e| e.to_string())).await
    }

    /// How the server of an ingest differs from what is usual. A profile that cannot be read keeps nobody off the air.
    pub async fn quirks(&self, ingest: &IngestSpec) -> Quirks {
        let of = ingest.server.clone().unwrap_or_else(|| crate::whip::shown(&ingest.url));
        let what = format!("the server profile of {of}");
        let ingest = ingest.clone();
        let read = move || {
            let dirs = Dirs::find().map_err(|e| e.to_string())?;
            let server = config::server_of(&ingest, &dirs).map_err(|e| e.to_string())?;
            Ok(server.map(|server| server.quirks).unwrap_or_default())
        };
        match self.get(&what, read).await {
            Ok(quirks) => quirks,
            Err(unread) => {
                tracing::warn!("the ingest is taken for a usual one: {}", unread.reason);
                Quirks::default()
            }
        }
    }
}

fn hung(what: &str, since: Instant) -> Unread {
    let s = since.elapsed().as_secs_f64();
    Unread {
        reason: format!(
            "{what} has not been read for {s:.1} s: the storage it lies on does not answer; check the mount"
        ),
        kind: FailureKind::Passing,
    }
}

/// A read under way. It ends with its thread, also when that breaks.
struct Reading {
    files: Files,
    name: String,
}

impl Reading {
    fn keep(&self, value: &Value) {
        if let Some(slot) = self.files.lock().get_mut(&self.name) {
            slot.last = Some(Arc::clone(value));
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(slot) = self.files.lock().get_mut(&self.name) {
            slot.reading = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    /// A read that hangs until the sender is dropped.
    fn hanging(
        count: &Arc<AtomicUsize>,
    ) -> (mpsc::SyncSender<u8>, impl FnOnce() -> Result<u8, String> + Send + 'static) {
        let (go, wait) = mpsc::sync_channel::<u8>(1);
        let count = Arc::clone(count);
        let read = move || {
            count.fetch_add(1, Ordering::SeqCst);
            wait.recv().map_err(|e| e.to_string())
        };
        (go, read)
    }

    #[tokio::test]
    async fn a_read_that_hangs_has_a_deadline_and_is_not_begun_again() {
        let (files, count) = (Files::default(), Arc::new(AtomicUsize::new(0)));
        let (go, read) = hanging(&count);
        let began = Instant::now();
        let unread = files.get("the file", read).await.unwrap_err();
        assert_eq!(unread.kind, FailureKind::Passing);
        assert!(unread.reason.contains("the file has not been read for 2."), "{}", unread.reason);
        assert!(began.elapsed() < PATIENCE * 2, "{:?}", began.elapsed());
        // The next one looks at the same read, and does not wait all over again.
        let began = Instant::now();
        let (_other, read) = hanging(&count);
        assert!(files.get("the file", read).await.is_err());
        assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
        assert_eq!(count.load(Ordering::SeqCst), 1, "it is opened once");
        // What comes late is known to who asks next, even while a read hangs again.
        go.send(7).unwrap();
        while files.lock()["the file"].last.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (_hangs, read) = hanging(&count);
        let began = Instant::now();
        assert_eq!(files.get("the file", read).await, Ok(7));
        assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn the_last_value_stands_in_for_one_that_cannot_be_read() {
        let files = Files::default();
        assert_eq!(files.get("x", || Ok(1)).await, Ok(1));
        assert_eq!(files.get("x", || Err::<i32, _>("gone".into())).await, Ok(1));
        assert!(files.lock()["x"].failing);
        assert_eq!(files.get("x", || Ok(2)).await, Ok(2));
        assert!(!files.lock()["x"].failing);
        let lasting = Unread { reason: "gone".into(), kind: FailureKind::Lasting };
        assert_eq!(files.get("y", || Err::<i32, _>("gone".into())).await, Err(lasting));
    }

    #[tokio::test]
    async fn hung_readers_are_bounded() {
        let (files, count) = (Files::default(), Arc::new(AtomicUsize::new(0)));
        let mut held = Vec::new();
        for n in 0..MOST_READERS + 3 {
            let (go, read) = hanging(&count);
            held.push(go);
            let short = Duration::from_millis(1);
            assert!(files.within(&format!("file {n}"), short, read).await.is_err());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(count.load(Ordering::SeqCst), MOST_READERS);
        drop(held);
        while files.lock().values().any(|slot| slot.reading.is_some()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(files.get("another", || Ok(1)).await, Ok(1));
    }

    #[tokio::test]
    async fn a_reader_that_breaks_is_told() {
        let files = Files::default();
        let broken = || -> Result<u8, String> { panic!("on purpose") };
        let unread = files.get("x", broken).await.unwrap_err();
        assert!(unread.reason.contains("the reader broke"), "{}", unread.reason);
        assert_eq!(files.get("x", || Ok(1_u8)).await, Ok(1), "it can be read again");
    }
}
