//! Takes up a running show over its socket. The handle's channels close when the engine goes away.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{broadcast, mpsc, oneshot, watch},
};

use super::running::is_ours;
use crate::{
    base::{Ring, text::plain},
    chat::{
        control::ControlState,
        told::{SourceState, Told},
    },
    engine::{
        Handle,
        chat::{Chat, STEPS},
        faces::{ASKS, EVENTS, LOG, PAST_S},
        handle::Ask,
        wire::{self, ChatLine, CommandLine, ENGINE_LINE, FromEngine, Hello, Lines, LookLine},
    },
    show::{Command, Event, Refusal, Show},
    stats::{Meters, Picture},
};

/// How long an engine may take to answer the greeting.
const GREETING: Duration = Duration::from_secs(5);
/// How long an engine may leave us unable to write.
const STALL: Duration = Duration::from_secs(5);

/// Why a show cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Nobody listens there.
    #[error(
        "no show answers at {}: {why}; `hawker shows` lists the running ones", path.display()
    )]
    NoShow {
        /// Where.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// It is another hawker, or no hawker at all.
    #[error("{0}")]
    Unlike(String),
    /// Somebody else made it.
    #[error(
        "the show at {} is not trusted: another user owns its directory or may write there, or its engine runs \
         for another user", .0.display()
    )]
    Stranger(PathBuf),
    /// It went away while it was greeted.
    #[error("the show went away while it was taken up")]
    Gone,
    /// It does not answer.
    #[error("the show at {} does not answer: its engine may be stuck; see its log", .0.display())]
    Silent(PathBuf),
}

struct Line {
    lines: Lines<OwnedReadHalf>,
    to: OwnedWriteHalf,
}

impl Line {
    async fn open(path: &Path, script: bool) -> Result<Self, AttachError> {
        let strange = || AttachError::Stranger(path.to_owned());
        // A path without a directory is one in the present directory.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if !is_ours(folder.unwrap_or_else(|| Path::new("."))) {
            return Err(strange());
        }
        let stream = UnixStream::connect(path)
            .await
            .map_err(|why| AttachError::NoShow { path: path.to_owned(), why })?;
        let peer = stream.peer_cred().map_err(|_| strange())?;
        if peer.uid() != rustix::process::geteuid().as_raw() {
            return Err(strange());
        }
        let (from, to) = stream.into_split();
        let mut line = Self { lines: Lines::new(from, ENGINE_LINE), to };
        let hello = async {
            line.write(&wire::line(&Hello::ours(script)).map_err(|_| AttachError::Gone)?).await?;
            let hello = line.lines.next().await.ok().flatten().ok_or(AttachError::Gone)?;
            Hello::read(&hello).map_err(|why| AttachError::Unlike(plain(&why)))
        };
        tokio::time::timeout(GREETING, hello)
            .await
            .map_err(|_| AttachError::Silent(path.to_owned()))??;
        Ok(line)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), AttachError> {
        match tokio::time::timeout(STALL, self.to.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(AttachError::Gone),
        }
    }

    /// The next line that this version understands: what a newer engine adds is passed over.
    async fn next(&mut self) -> Result<FromEngine, AttachError> {
        loop {
            let line = self.lines.next().await.ok().flatten().ok_or(AttachError::Gone)?;
            match serde_json::from_slice(&line) {
                Ok(line) => return Ok(line),
                Err(error) => tracing::debug!(%error, "a line of the engine is not understood"),
            }
        }
    }
}

/// Gives one command to the show behind a socket, without becoming a console.
pub async fn send(
    path: &Path,
    command: Command,
    confirm: bool,
) -> Result<Result<(), Refusal>, AttachError> {
    let mut line = Line::open(path, true).await?;
    let bytes = wire::line(&CommandLine { id: 1, command, confirm });
    line.write(&bytes.map_err(|_| AttachError::Gone)?).await?;
    let answer = async {
        loop {
            match line.next().await? {
                FromEngine::Answer { answer: 1, refused } => {
                    return Ok(refused.map_or(Ok(()), |why| Err(Refusal(plain(&why)))));
                }
                FromEngine::Error { error } => return Err(AttachError::Unlike(plain(&error))),
                _ => {}
            }
        }
    };
    let silent = |_| AttachError::Silent(path.to_owned());
    tokio::time::timeout(GREETING, answer).await.map_err(silent)?
}

/// Takes up the show behind a socket.
pub async fn attach(path: &Path) -> Result<Handle, AttachError> {
    let mut line = Line::open(path, false).await?;
    let mut log = Ring::new(LOG);
    let first = async {
        loop {
            match line.next().await? {
                FromEngine::Logged { logged } => drop(log.push(logged)),
                FromEngine::Show { show } => return Ok(show),
                FromEngine::Error { error } => return Err(AttachError::Unlike(plain(&error))),
                _ => {}
            }
        }
    };
    let show = tokio::time::timeout(GREETING, first)
        .await
        .map_err(|_| AttachError::Silent(path.to_owned()))??;
    let (asks, asked) = mpsc::channel(ASKS);
    let (events_in, events) = broadcast::channel(EVENTS);
    let (show_in, show) = watch::channel(show);
    let (past_in, past) = mpsc::channel(PAST_S);
    let (meters_in, meters) = watch::channel(Arc::new(Meters::default()));
    let (picture_in, picture) = watch::channel(None);
    let (steps_in, steps) = broadcast::channel(STEPS);
    let (sources_in, sources) = watch::channel(Arc::default());
    let (control_in, control) = watch::channel(Arc::default());
    let chat = Chat { past: Vec::new(), steps, sources, control };
    let client = Client {
        line,
        steps: steps_in,
        sources: sources_in,
        control: control_in,
        asked,
        events: events_in,
        show: show_in,
        past: Some(past_in),
        meters: meters_in,
        picture: picture_in,
        waiting: BTreeMap::new(),
        last: 0,
    };
    tokio::spawn(client.run());
    let log = log.iter().cloned().collect();
    Ok(Handle { asks, log, events, show, past, meters, picture, chat })
}

type Answer = oneshot::Sender<Result<(), Refusal>>;

/// Our end of the line. When it ends, every channel of the handle closes.
struct Client {
    line: Line,
    asked: mpsc::Receiver<Ask>,
    events: broadcast::Sender<Event>,
    show: watch::Sender<Arc<Show>>,
    /// Until the present begins.
    past: Option<mpsc::Sender<Arc<Meters>>>,
    meters: watch::Sender<Arc<Meters>>,
    picture: watch::Sender<Option<Arc<Picture>>>,
    steps: broadcast::Sender<Arc<Told>>,
    sources: watch::Sender<Arc<Vec<SourceState>>>,
    control: watch::Sender<Arc<ControlState>>,
    waiting: BTreeMap<u64, Answer>,
    last: u64,
}

impl Client {
    async fn run(mut self) {
        loop {
            let done = tokio::select! {
                ask = self.asked.recv() => match ask {
                    Some(ask) => self.ask(ask).await,
                    None => return,
                },
                line = self.line.next() => match line {
                    Ok(line) => self.heard(line).await,
                    Err(_) => return,
                },
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn ask(&mut self, ask: Ask) -> Result<(), AttachError> {
        let bytes = match ask {
            Ask::Look(look) => wire::line(&LookLine { look }),
            Ask::Chat(chat) => wire::line(&ChatLine { chat }),
            Ask::Command { command, confirm, answer } => {
                self.last += 1;
                self.waiting.insert(self.last, answer);
                wire::line(&CommandLine { id: self.last, command, confirm })
            }
        };
        self.line.write(&bytes.map_err(|_| AttachError::Gone)?).await
    }

    async fn heard(&mut self, line: FromEngine) -> Result<(), AttachError> {
        match line {
            FromEngine::Show { show } => drop(self.show.send_replace(show)),
            FromEngine::Event { event } => drop(self.events.send(event)),
            // Only at the beginning.
            FromEngine::Logged { .. } => {}
            FromEngine::Past { past } => {
                if let Some(to) = &self.past {
                    // There is a place for as many as an engine has; a face may not want them.
                    let _ = to.try_send(past);
                }
            }
            FromEngine::Meters { meters } => {
                self.past = None;
                self.meters.send_replace(meters);
            }
            FromEngine::Answer { answer, refused } => {
                if let Some(waiting) = self.waiting.remove(&answer) {
                    // Whoever asked may have gone on.
                    let _ = waiting.send(refused.map_or(Ok(()), |why| Err(Refusal(plain(&why)))));
                }
            }
            FromEngine::Picture { picture } => {
                let follow = picture.follow(&mut self.line.lines).await;
                let picture = follow.map_err(|_| AttachError::Gone)?;
                self.picture.send_replace(Some(Arc::new(picture)));
            }
            FromEngine::Chat { chat } => drop(self.steps.send(chat)),
            FromEngine::ChatSources { chat_sources } => {
                drop(self.sources.send_replace(chat_sources));
            }
            FromEngine::ChatControl { chat_control } => {
                drop(self.control.send_replace(chat_control));
            }
            FromEngine::Error { error } => tracing::warn!("the engine says: {error}"),
        }
        Ok(())
    }
}
