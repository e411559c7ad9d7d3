//! Keeps a show while it runs. Everything is written by a thread of its own behind a bounded queue: a disk that
//! is slow or full, or a database that is locked, costs seconds of the record, never the show.

use std::{
    collections::BTreeMap,
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
    ChatRows, StoreError,
    chat::{Heard, Lines, Unstored},
    housekeeping::{self, Limits},
    open,
    write::Book,
};
use crate::{
    base::{Moment, SourceId},
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
/// Steps of the chat that are written at once: half a second at 2,000 a second, some 10 ms of the disk's time.
const CHAT_BATCH: usize = 1_000;
/// Steps of the chat are written at least so often: a removal is to be in the store within 200 ms.
const CHAT_WAIT: Duration = Duration::from_millis(100);
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
            lines: 0,
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
    /// Begins to keep a show in the database at `path`, which is made when it is not there, and its chat, where it has
    /// one. Does not wait: what goes wrong, now or later, is told.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        path: PathBuf,
        opening: Opening,
        chat: Option<ChatRows>,
        limits: Limits,
        tell: Tell,
    ) -> io::Result<Self> {
        Self::with(open, path, opening, chat, limits, tell)
    }

    pub(super) fn with(
        open: impl Fn(&Path) -> Result<Connection, StoreError> + Send + 'static,
        path: PathBuf,
        opening: Opening,
        chat: Option<ChatRows>,
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
            chat: chat.map(Chat::of),
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

/// The chat of the show.
struct Chat {
    rows: ChatRows,
    /// Steps that are not written yet.
    batch: Vec<Heard>,
    /// Lines of which that is not written yet.
    unstored: BTreeMap<SourceId, Unstored>,
    /// None until its sources are written.
    lines: Option<Lines>,
    /// Lines that are missing, all in all, as is written.
    lost: u64,
    /// More may wait than was taken last.
    is_behind: bool,
}

impl Chat {
    const fn of(rows: ChatRows) -> Self {
        Self {
            rows,
            batch: Vec::new(),
            unstored: BTreeMap::new(),
            lines: None,
            lost: 0,
            is_behind: false,
        }
    }

    /// Takes what waits. Whether there is something to write.
    fn fill(&mut self) -> bool {
        self.rows.fill(&mut self.batch, CHAT_BATCH);
        self.rows.unstored(&mut self.unstored);
        self.is_behind = self.batch.len() >= CHAT_BATCH;
        !self.batch.is_empty() || !self.unstored.is_empty() || self.lines.is_none()
    }

    fn lost(&self) -> u64 {
        self.lost + self.unstored.values().map(|lines| lines.lines).sum::<u64>()
    }

    /// Writes what was taken.
    fn write(&self, db: &Connection, show: i64) -> rusqlite::Result<Lines> {
        let lines = match &self.lines {
            Some(lines) => lines.clone(),
            None => Lines::begin(db, show, &self.rows.sources)?,
        };
        for heard in &self.batch {
            lines.step(db, heard)?;
        }
        for (source, unstored) in &self.unstored {
            lines.unstored(db, source, unstored)?;
        }
        Ok(lines)
    }

    /// What was taken is written for good.
    fn written(&mut self, lines: Lines) {
        self.lost = self.lost();
        self.lines = Some(lines);
        self.batch.clear();
        self.unstored.clear();
    }
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
    chat: Option<Chat>,
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
            let is_behind = self.chat.as_ref().is_some_and(|chat| chat.is_behind);
            let wait = if self.chat.is_some() { CHAT_WAIT } else { HOUSEKEEPING };
            let open =
                fill(&mut batch, queue, if waiting || is_behind { Duration::ZERO } else { wait });
            let talks = self.chat.as_mut().is_some_and(Chat::fill);
            if !open {
                give_up.get_or_insert_with(|| Instant::now() + LAST_ROWS);
            }
            if waiting || talks || !batch.is_empty() || !open {
                // At the end, all that waits of the chat comes before the end itself.
                let last = !open && !self.chat.as_ref().is_some_and(|chat| chat.is_behind);
                match self.write(&batch, last) {
                    Ok(()) if last => return,
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
        let mut lost = self.shared.lost();
        if let Some(chat) = &self.chat {
            lost.lines = u32::try_from(chat.lost()).unwrap_or(u32::MAX);
        }
        let written: rusqlite::Result<(Book, Option<Lines>)> = (|| {
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
            let lines = self.chat.as_ref().map(|chat| chat.write(&all, book.show)).transpose()?;
            if lost != self.noted_lost {
                book.lost(&all, lost)?;
            }
            if let Some(closing) = &closing {
                book.end(&all, closing)?;
            }
            all.commit()?;
            Ok((book, lines))
        })();
        let (book, lines) = written.map_err(|e| StoreError::of(&self.path, &e))?;
        if let (Some(chat), Some(lines)) = (&mut self.chat, lines) {
            chat.written(lines);
        }
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
