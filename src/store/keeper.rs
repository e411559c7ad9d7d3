//! Keeps a show while it runs. Everything is written by a thread of its own behind a bounded queue: a disk that
//! is slow or full, or a database that is locked, costs seconds of the record, never the show.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    StoreError,
    housekeeping::{self, Limits},
    open,
    write::Book,
};
use crate::{
    base::Moment,
    show::Event,
    stats::{
        Report, Second,
        history::{Lost, Noted, Targets},
    },
};

/// How many seconds and events may wait for the disk: minutes of an ordinary show.
const QUEUE: usize = 512;
/// At most so many are written at once.
const BATCH: usize = 128;
/// Between two tries on a disk that takes nothing.
const RETRY: Duration = Duration::from_secs(1);
/// The same when the show is over.
const LAST_RETRY: Duration = Duration::from_millis(100);
/// How long the last rows are waited for at the end.
const LAST_ROWS: Duration = Duration::from_secs(2);
/// Between two steps of housekeeping, so that they never fill the disk's time.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What a show is called and aims at.
#[derive(Debug, Clone)]
pub struct Opening {
    /// When it began.
    pub started: jiff::Timestamp,
    /// Its title.
    pub title: String,
    /// `rehearse` or `live`.
    pub mode: String,
    /// Its profile.
    pub profile: String,
    /// What it aims at.
    pub targets: Targets,
    /// Its outputs.
    pub outputs: Vec<Output>,
    /// Those that watch it from outside, what each watches and for which market.
    pub monitors: Vec<Output>,
}

/// An output of the show.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Where it goes, without secrets.
    pub goes_to: String,
    /// The market it is for.
    pub market: Option<String>,
}

/// How a show ended.
#[derive(Debug, Clone)]
pub struct Closing {
    /// Milliseconds since it began.
    pub at_ms: u64,
    /// In words.
    pub why: String,
    /// 0, 3, 4 or 130.
    pub exit_code: u8,
    /// Its report.
    pub report: Report,
}

/// What the operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The show is not being kept, and why.
    Failed(String),
    /// It is being kept again; so much of it is missing.
    Back(Lost),
}

/// Takes news, on the keeper's thread.
pub type Tell = Box<dyn Fn(News) + Send>;

/// Opens the database; tests open it otherwise.
type Open = Box<dyn Fn(&Path) -> Result<Connection, StoreError> + Send>;

enum Row {
    Second(Second),
    Event(Moment, Event),
}

/// What both sides see.
#[derive(Debug, Default)]
struct Shared {
    lost_seconds: AtomicU32,
    lost_events: AtomicU32,
    /// Beside the queue, which may be full when the show ends.
    closing: Mutex<Option<Closing>>,
}

impl Shared {
    fn lost(&self) -> Lost {
        Lost {
            seconds: self.lost_seconds.load(Ordering::Relaxed),
            events: self.lost_events.load(Ordering::Relaxed),
        }
    }
}

/// A show that is being kept.
#[derive(Debug)]
pub struct Keeper {
    /// None when nobody takes them any more.
    rows: Option<SyncSender<Row>>,
    done: Receiver<()>,
    shared: Arc<Shared>,
}

impl Keeper {
    /// Begins to keep a show in the database at `path`, which is made when it is not there. Does not wait:
    /// what goes wrong, now or later, is told.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(path: PathBuf, opening: Opening, limits: Limits, tell: Tell) -> io::Result<Self> {
        Self::with(open, path, opening, limits, tell)
    }

    pub(super) fn with(
        open: impl Fn(&Path) -> Result<Connection, StoreError> + Send + 'static,
        path: PathBuf,
        opening: Opening,
        limits: Limits,
        tell: Tell,
    ) -> io::Result<Self> {
        let (rows, queue) = sync_channel(QUEUE);
        let (finished, done) = sync_channel(1);
        let shared = Arc::<Shared>::default();
        let thread = Thread {
            open: Box::new(open),
            db: None,
            path,
            opening,
            limits,
            tell,
            shared: Arc::clone(&shared),
            book: None,
            noted_lost: Lost::default(),
            told: false,
        };
        std::thread::Builder::new().name("store".into()).spawn(move || {
            thread.run(&queue);
            // Whoever waited may be gone.
            let _ = finished.send(());
        })?;
        Ok(Self { rows: Some(rows), done, shared })
    }

    /// Keeps a second. When the disk does not keep up it is left out, and counted.
    pub fn second(&mut self, second: Second) {
        self.add(Row::Second(second));
    }

    /// Keeps an event, that happened `at`. When the disk does not keep up it is left out, and counted.
    pub fn event(&mut self, at: Moment, event: &Event) {
        if self.rows.is_some() {
            self.add(Row::Event(at, event.clone()));
        }
    }

    fn add(&mut self, row: Row) {
        let Some(rows) = &self.rows else { return };
        match rows.try_send(row) {
            Ok(()) => {}
            Err(TrySendError::Full(row)) => {
                let lost = match row {
                    Row::Second(_) => &self.shared.lost_seconds,
                    Row::Event(..) => &self.shared.lost_events,
                };
                lost.fetch_add(1, Ordering::Relaxed);
            }
            // The thread has said why.
            Err(TrySendError::Disconnected(_)) => self.rows = None,
        }
    }

    /// Notes how the show ended, and waits until that is on disk, two seconds at most.
    pub fn close(mut self, closing: Closing) {
        *self.shared.closing.lock().unwrap_or_else(PoisonError::into_inner) = Some(closing);
        self.rows = None;
        // Too late, or gone: what is on disk by then is what is kept.
        let _ = self.done.recv_timeout(LAST_ROWS);
    }
}

/// An event in the form in which it is kept. It holds no secrets, since the core knows none.
pub(super) fn noted(at: Moment, event: &Event) -> Noted {
    let detail = serde_json::to_value(&event.what).unwrap_or_default();
    let word = |name: &str| detail[name].as_str().map(str::to_owned);
    // `output main` is about what is called `main` elsewhere.
    let about = || word("about").map(|a| a.rsplit(' ').next().unwrap_or_default().to_owned());
    Noted {
        at_ms: at.as_ms(),
        seq: event.seq,
        event: word("event").unwrap_or_default(),
        severity: event.what.severity(),
        about: word("output").or_else(|| word("input")).or_else(about),
        sentence: event.what.sentence(),
        detail,
    }
}

/// Takes what waits, as much as fits into a batch. False when nothing will come any more.
fn fill(batch: &mut Vec<Row>, queue: &Receiver<Row>, wait: Duration) -> bool {
    if batch.len() >= BATCH {
        return true;
    }
    match queue.recv_timeout(wait) {
        Ok(row) => batch.push(row),
        Err(RecvTimeoutError::Timeout) => return true,
        Err(RecvTimeoutError::Disconnected) => return false,
    }
    while batch.len() < BATCH
        && let Ok(row) = queue.try_recv()
    {
        batch.push(row);
    }
    true
}

/// The keeper's thread.
struct Thread {
    open: Open,
    /// None until it could be opened.
    db: Option<Connection>,
    path: PathBuf,
    opening: Opening,
    limits: Limits,
    tell: Tell,
    shared: Arc<Shared>,
    /// None until the show's own row is written.
    book: Option<Book>,
    noted_lost: Lost,
    /// It was told that rows cannot be written.
    told: bool,
}

impl Thread {
    fn run(mut self, queue: &Receiver<Row>) {
        let mut batch: Vec<Row> = Vec::new();
        let mut tidy = Some(Instant::now() + HOUSEKEEPING);
        let mut give_up = None;
        loop {
            // The show's own row is written at once.
            let waiting = !batch.is_empty() || self.book.is_none();
            let open = fill(&mut batch, queue, if waiting { Duration::ZERO } else { HOUSEKEEPING });
            if !open {
                give_up.get_or_insert_with(|| Instant::now() + LAST_ROWS);
            }
            if waiting || !batch.is_empty() || !open {
                match self.write(&batch, !open) {
                    Ok(()) if !open => return,
                    Ok(()) => batch.clear(),
                    Err(error) => {
                        let late = give_up.is_some_and(|at| at <= Instant::now());
                        if self.trouble(&error) || late {
                            return;
                        }
                        // The rows stay for the next try; behind them the queue fills, and counts.
                        std::thread::sleep(if open { RETRY } else { LAST_RETRY });
                        continue;
                    }
                }
            }
            let now = Instant::now();
            if tidy.is_some_and(|at| at <= now) {
                tidy = self.tidy().then(|| now + HOUSEKEEPING);
            }
        }
    }

    /// Writes all of it or nothing, and at the end how the show ended.
    fn write(&mut self, batch: &[Row], last: bool) -> Result<(), StoreError> {
        let db = match &mut self.db {
            Some(db) => db,
            none => none.insert((self.open)(&self.path)?),
        };
        let closing = last
            .then(|| self.shared.closing.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .flatten();
        let lost = self.shared.lost();
        let written: rusqlite::Result<Book> = (|| {
            let all = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            // A copy: what is not committed did not happen.
            let mut book = match &self.book {
                Some(book) => book.clone(),
                None => Book::begin(&all, &self.opening)?,
            };
            for row in batch {
                match row {
                    Row::Second(second) => book.second(&all, second)?,
                    Row::Event(at, event) => book.event(&all, &noted(*at, event))?,
                }
            }
            if lost != self.noted_lost {
                book.lost(&all, lost)?;
            }
            if let Some(closing) = &closing {
                book.end(&all, closing)?;
            }
            all.commit()?;
            Ok(book)
        })();
        let book = written.map_err(|e| StoreError::of(&self.path, &e))?;
        (self.book, self.noted_lost) = (Some(book), lost);
        if std::mem::take(&mut self.told) {
            (self.tell)(News::Back(lost));
        }
        Ok(())
    }

    /// Tells the operator once that nothing can be written. True when it never will be.
    fn trouble(&mut self, error: &StoreError) -> bool {
        let hopeless = match error {
            StoreError::Locked(_) | StoreError::Full(_) => false,
            StoreError::Damaged { .. } => true,
            // It worked before: a disk that errs may come back.
            _ => self.db.is_none(),
        };
        if !self.told {
            self.told = true;
            let on = if hopeless { "" } else { "; it is tried again every second" };
            (self.tell)(News::Failed(format!("the show goes on, but is not kept: {error}{on}")));
        }
        hopeless
    }

    /// True while there is more to do.
    fn tidy(&mut self) -> bool {
        let (Some(book), Some(db)) = (&self.book, &mut self.db) else { return true };
        let done = housekeeping::step(db, &self.limits, self.opening.started, book.show);
        done.unwrap_or_else(|error| {
            tracing::warn!(%error, "old shows could not be tidied up; it is tried at the next show");
            false
        })
    }
}
