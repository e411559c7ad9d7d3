//! Keeps a show while it runs. Everything is written by a thread of its own behind a bounded queue: a disk that
//! is slow or full, or a database that is locked, costs seconds of the record, never the show.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
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
        history::{Noted, Targets},
    },
};

/// How many seconds and events may wait for the disk: minutes of an ordinary show.
const QUEUE: usize = 512;
/// At most so many are written at once.
const BATCH: usize = 128;
/// Between two tries on a disk that takes nothing.
const RETRY: Duration = Duration::from_secs(1);
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

enum Row {
    Second(Second),
    Event(Noted),
    End(Box<Closing>),
}

/// Tells what the operator should know: that a show is not kept, or not whole, and why.
pub type Tell = Box<dyn Fn(String) + Send>;

/// A show that is being kept.
#[derive(Debug)]
pub struct Keeper {
    rows: Option<SyncSender<Row>>,
    done: Receiver<()>,
    /// Seconds that could not be kept.
    lost: Arc<AtomicU32>,
}

impl Keeper {
    /// Begins to keep a show in the database at `path`, which is made when it is not there. Does not wait:
    /// what goes wrong, now or later, is told by `tell` on the keeper's thread.
    pub fn start(path: PathBuf, opening: Opening, limits: Limits, tell: Tell) -> io::Result<Self> {
        Self::with(open, path, opening, limits, tell)
    }

    pub(super) fn with(
        open: impl FnOnce(&Path) -> Result<Connection, StoreError> + Send + 'static,
        path: PathBuf,
        opening: Opening,
        limits: Limits,
        tell: Tell,
    ) -> io::Result<Self> {
        let (rows, queue) = sync_channel(QUEUE);
        let (finished, done) = sync_channel(1);
        let lost = Arc::<AtomicU32>::default();
        let counted = Arc::clone(&lost);
        std::thread::Builder::new().name("store".into()).spawn(move || {
            match open(&path) {
                Ok(db) => Thread::new(db, path, opening, limits, tell, counted).run(&queue),
                Err(error) => tell(format!("the show is not kept, and goes on: {error}")),
            }
            // Whoever waited may be gone.
            let _ = finished.send(());
        })?;
        Ok(Self { rows: Some(rows), done, lost })
    }

    /// Keeps a second. When the disk does not keep up it is left out, and counted.
    pub fn second(&mut self, second: Second) {
        self.add(Row::Second(second));
    }

    /// Keeps an event, that happened `at`.
    pub fn event(&mut self, at: Moment, event: &Event) {
        self.add(Row::Event(noted(at, event)));
    }

    fn add(&mut self, row: Row) {
        let Some(rows) = &self.rows else { return };
        match rows.try_send(row) {
            Ok(()) => {}
            Err(TrySendError::Full(row)) => {
                if matches!(row, Row::Second(_)) {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            // The thread has said why.
            Err(TrySendError::Disconnected(_)) => self.rows = None,
        }
    }

    /// Notes how the show ended, and waits until that is on disk, two seconds at most.
    pub fn close(mut self, closing: Closing) {
        self.add(Row::End(Box::new(closing)));
        self.rows = None;
        let _ = self.done.recv_timeout(LAST_ROWS);
    }
}

/// An event in the form in which it is kept. It holds no secrets, since the core knows none.
fn noted(at: Moment, event: &Event) -> Noted {
    let detail = serde_json::to_value(&event.what).unwrap_or_default();
    let word = |name: &str| detail[name].as_str().map(str::to_owned);
    Noted {
        at_ms: at.as_ms(),
        seq: event.seq,
        event: word("event").unwrap_or_default(),
        severity: event.what.severity(),
        about: word("output").or_else(|| word("input")),
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
    db: Connection,
    path: PathBuf,
    opening: Opening,
    limits: Limits,
    tell: Tell,
    lost: Arc<AtomicU32>,
    /// None until the show's own row is written.
    book: Option<Book>,
    noted_lost: u32,
    /// It was told that rows cannot be written.
    told: bool,
}

impl Thread {
    fn new(
        db: Connection,
        path: PathBuf,
        opening: Opening,
        limits: Limits,
        tell: Tell,
        lost: Arc<AtomicU32>,
    ) -> Self {
        Self { db, path, opening, limits, tell, lost, book: None, noted_lost: 0, told: false }
    }

    fn run(mut self, queue: &Receiver<Row>) {
        let mut batch: Vec<Row> = Vec::new();
        let mut tidy = Some(Instant::now() + HOUSEKEEPING);
        loop {
            // The show's own row is written at once.
            let waiting = !batch.is_empty() || self.book.is_none();
            let open = fill(&mut batch, queue, if waiting { Duration::ZERO } else { HOUSEKEEPING });
            if waiting || !batch.is_empty() {
                match self.write(&batch) {
                    Ok(()) => batch.clear(),
                    Err(error) => {
                        if self.trouble(&error) || !open {
                            return;
                        }
                        // The rows stay for the next try; behind them the queue fills, and counts.
                        std::thread::sleep(RETRY);
                    }
                }
            }
            if !open && batch.is_empty() {
                return;
            }
            let now = Instant::now();
            if !self.told && tidy.is_some_and(|at| at <= now) {
                tidy = match self.tidy() {
                    Ok(true) => Some(now + HOUSEKEEPING),
                    Ok(false) => None,
                    Err(error) => {
                        tracing::warn!(%error, "old shows could not be tidied up; it is tried at the next show");
                        None
                    }
                };
            }
        }
    }

    fn write(&mut self, batch: &[Row]) -> rusqlite::Result<()> {
        let all = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // A copy: what is not committed did not happen.
        let mut book = match &self.book {
            Some(book) => book.clone(),
            None => Book::begin(&all, &self.opening)?,
        };
        for row in batch {
            match row {
                Row::Second(second) => book.second(&all, second)?,
                Row::Event(note) => book.event(&all, note)?,
                Row::End(closing) => book.end(&all, closing)?,
            }
        }
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > self.noted_lost {
            book.lost(&all, lost)?;
        }
        all.commit()?;
        if self.told {
            tracing::info!("the show is being kept again; {lost} s of it are missing");
        }
        (self.book, self.noted_lost, self.told) = (Some(book), lost, false);
        Ok(())
    }

    /// Tells the operator once that nothing can be written. True when it never will be.
    fn trouble(&mut self, error: &rusqlite::Error) -> bool {
        let error = StoreError::of(&self.path, error);
        let hopeless = matches!(error, StoreError::Damaged { .. });
        if !self.told {
            self.told = true;
            (self.tell)(format!("the show is not being kept, and goes on: {error}"));
        }
        hopeless
    }

    fn tidy(&mut self) -> rusqlite::Result<bool> {
        let Some(book) = &self.book else { return Ok(true) };
        housekeeping::step(&mut self.db, &self.limits, self.opening.started, book.show)
    }
}
