//! Floor 6: the face without a terminal. Events go to a file or a pipe as JSON Lines, sentences to stderr;
//! it draws nothing and asks nothing.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

use tokio::sync::broadcast::error::RecvError;

use crate::{
    base::{
        mask::masked,
        text::{json, plain},
    },
    engine::{Handle, lines::write_all},
    show::{Event, Folded, Folding, Happening, Told},
};

/// How many lines may wait for a slow reader.
const QUEUE: usize = 8192;
/// How long a slow reader is waited for at the end.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Said when the writing fails.
const LAST_WORDS: &str = "the events cannot be written any more";

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventsTo {
    /// Standard output.
    Stdout,
    /// A file, made new.
    File(PathBuf),
}

impl EventsTo {
    /// `-` is standard output.
    pub fn parse(text: &str) -> Self {
        if text == "-" { Self::Stdout } else { Self::File(Path::new(text).to_owned()) }
    }
}

/// What is written where.
#[derive(Debug)]
pub struct Headless {
    events: Option<Writer>,
    sentences: Option<Writer>,
    /// Identical retries are one sentence; as JSON they are complete.
    folding: Folding,
}

impl Headless {
    /// Opens what is to be written. Fails when the file cannot be made.
    pub fn open(events: Option<&EventsTo>, sentences: bool) -> io::Result<Self> {
        let events = match events {
            None => None,
            Some(EventsTo::Stdout) => Some(Writer::start(Box::new(io::stdout()))?),
            Some(EventsTo::File(path)) => Some(Writer::start(Box::new(File::create(path)?))?),
        };
        // Whoever reads stderr may have stopped.
        let sentences = if sentences { Some(Writer::start(Box::new(io::stderr()))?) } else { None };
        Ok(Self { events, sentences, folding: Folding::default() })
    }

    /// Follows the show to its end. The exit code is the show's; `None` when the engine went away
    /// without an end.
    pub async fn follow(mut self, handle: Handle) -> Option<u8> {
        // Meters and pictures are not listened to, so that they are not made.
        let Handle { mut events, asks: _asks, meters, picture, .. } = handle;
        drop((meters, picture));
        let exit_code = loop {
            match events.recv().await {
                Ok(event) => {
                    self.tell(&event);
                    if let Happening::ShowEnded { exit_code, .. } = event.what {
                        break Some(exit_code);
                    }
                }
                Err(RecvError::Lagged(n)) => {
                    self.sentence(&format!("{n} events came too fast and were left out"));
                }
                Err(RecvError::Closed) => break None,
            }
        };
        for writer in [self.events.take(), self.sentences.take()].into_iter().flatten() {
            writer.close().await;
        }
        exit_code
    }

    fn tell(&mut self, event: &Event) {
        if let Some(writer) = &mut self.events {
            match serde_json::to_string(event) {
                Ok(line) => {
                    if let Some(lost) = writer.add(json(&line) + "\n") {
                        self.sentence(lost);
                    }
                }
                Err(error) => tracing::error!(%error, "an event cannot be written"),
            }
        }
        if self.sentences.is_some() {
            let taken = self.folding.take(event);
            for line in &taken.before {
                self.line(line);
            }
            match &taken.told {
                Told::Line(line) | Told::Again { line, due: true } => self.line(line),
                Told::Again { .. } | Told::Quiet => {}
            }
        }
    }

    fn line(&mut self, line: &Folded) {
        let time = line.event.at.strftime("%H:%M:%S");
        self.sentence(&format!("{time} {}", line.sentence()));
    }

    fn sentence(&mut self, text: &str) {
        if let Some(writer) = &mut self.sentences {
            // A closed stderr is no reason to end a show, and there is nobody left to tell.
            let _ = writer.add(plain(&masked(text)) + "\n");
        }
    }
}

/// Writes lines on a thread of its own: a reader that is slow or gone holds up nothing.
#[derive(Debug)]
struct Writer {
    lines: Option<SyncSender<Vec<u8>>>,
    done: Receiver<()>,
}

impl Writer {
    fn start(to: Box<dyn Write + Send>) -> io::Result<Self> {
        let (lines, queue) = sync_channel(QUEUE);
        let (tell, done) = sync_channel(1);
        std::thread::Builder::new()
            .name("events".into())
            .spawn(move || write_all(to, &queue, &tell, LAST_WORDS))?;
        Ok(Self { lines: Some(lines), done })
    }

    /// Adds a line; says so once when that is not possible any more.
    fn add(&mut self, line: String) -> Option<&'static str> {
        match self.lines.as_ref()?.try_send(line.into_bytes()) {
            Ok(()) => None,
            Err(TrySendError::Full(_)) => {
                self.lines = None;
                Some("nobody reads the events: no more are written, the show goes on")
            }
            Err(TrySendError::Disconnected(_)) => {
                self.lines = None;
                Some("the events cannot be written any more; the show goes on")
            }
        }
    }

    async fn close(self) {
        let Self { lines, done } = self;
        drop(lines);
        let wait = move || done.recv_timeout(LAST_LINES).is_ok();
        let _ = tokio::task::spawn_blocking(wait).await;
    }
}
