//! The show's socket: consoles come and go here while the show goes on. Only the show's owner gets in, and
//! a console that stops reading is let go of; nothing here can hold up the engine.

use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{
        broadcast::error::{RecvError, TryRecvError},
        mpsc, oneshot, watch,
    },
    task::{JoinHandle, JoinSet},
};

use super::{
    faces::Faces,
    folder::private_dir,
    handle::{Ask, Handle, Look},
    report::write_whole,
    wire::{self, Card, FACE_LINE, FromEngine, FromFace, Hello, LineError, Lines},
};
use crate::show::Fact;

/// How many may be connected at once.
const PLACES: usize = 32;
/// How long a console may take to greet.
const GREETING: Duration = Duration::from_secs(5);
/// Between two warnings of connections that cannot be taken.
const WARN_EVERY: Duration = Duration::from_secs(10);
/// How long the last lines may take at the end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[error(
    "the show's socket cannot be opened in {}: {why}; make that directory writable, or set \
     HAWKER_STATE_DIR or XDG_RUNTIME_DIR to one that is, with a short path", dir.display()
)]
pub struct SocketError {
    /// Where.
    pub dir: PathBuf,
    /// Why.
    pub why: io::Error,
}

/// The files of a socket; they go with it.
#[derive(Debug)]
struct Files {
    socket: PathBuf,
    card: PathBuf,
}

impl Drop for Files {
    fn drop(&mut self) {
        // The card first: a socket without a card is not looked at.
        let _ = std::fs::remove_file(&self.card);
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    files: Files,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

/// Opens the socket in the first of these directories that takes it.
/// `stall` is how long a console may leave us unable to write before it is let go of.
pub fn listen(
    dirs: &[PathBuf],
    card: &Card,
    faces: Faces,
    facts: mpsc::Sender<Fact>,
    stall: Duration,
) -> Result<Socket, SocketError> {
    let mut first = None;
    for dir in dirs {
        match open(dir, card) {
            Ok((files, listener)) => {
                let (stop, stopped) = watch::channel(false);
                let server = tokio::spawn(serve(listener, faces, facts, stall, stopped));
                return Ok(Socket { files, stop, server });
            }
            Err(why) => {
                first.get_or_insert(SocketError { dir: dir.clone(), why });
            }
        }
    }
    Err(first.unwrap_or_else(|| SocketError {
        dir: PathBuf::new(),
        why: io::Error::new(io::ErrorKind::NotFound, "there is no directory for it"),
    }))
}

fn open(dir: &Path, card: &Card) -> io::Result<(Files, UnixListener)> {
    use std::os::unix::fs::MetadataExt;
    private_dir(dir)?;
    let meta = std::fs::metadata(dir)?;
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to somebody else"));
    }
    if meta.mode() & 0o077 != 0 {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    let socket = dir.join(format!("{}.sock", card.pid));
    // The number is ours now; a file with it is a dead engine's.
    match std::fs::remove_file(&socket) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(&socket)?;
    let files = Files { card: dir.join(format!("{}.json", card.pid)), socket };
    std::fs::set_permissions(&files.socket, std::fs::Permissions::from_mode(0o600))?;
    write_whole(&files.card, &wire::line(card)?)?;
    Ok((files, listener))
}

impl Socket {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.files.socket
    }

    /// Lets every console have its last lines, one second at most, and removes the socket's files.
    pub async fn close(self) {
        self.stop.send_replace(true);
        let abort = self.server.abort_handle();
        if tokio::time::timeout(LAST_LINES, self.server).await.is_err() {
            abort.abort();
        }
        drop(self.files);
    }
}

/// What a connection tells the desk.
#[derive(Debug)]
enum Note {
    Came(u64),
    Looks(u64, Option<Look>),
    Left(u64),
}

/// Counts consoles and joins their wishes for pictures, in the order in which they came.
async fn desk(mut notes: mpsc::Receiver<Note>, facts: mpsc::Sender<Fact>, asks: mpsc::Sender<Ask>) {
    let mut consoles: BTreeMap<u64, Option<Look>> = BTreeMap::new();
    let mut wanted = None;
    while let Some(note) = notes.recv().await {
        let before = consoles.len();
        match note {
            Note::Came(id) => drop(consoles.insert(id, None)),
            Note::Looks(id, look) => drop(consoles.insert(id, look)),
            Note::Left(id) => drop(consoles.remove(&id)),
        }
        let look = consoles
            .values()
            .flatten()
            .copied()
            .reduce(|a, b| Look { width: a.width.max(b.width), height: a.height.max(b.height) });
        if look != wanted {
            wanted = look;
            if asks.send(Ask::Look(look)).await.is_err() {
                return;
            }
        }
        if consoles.len() != before {
            let attached = consoles.len() as u32;
            if facts.send(Fact::Consoles { attached }).await.is_err() {
                return;
            }
        }
    }
}

async fn serve(
    listener: UnixListener,
    faces: Faces,
    facts: mpsc::Sender<Fact>,
    stall: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let (notes, at_desk) = mpsc::channel(PLACES * 2);
    let mut guests = JoinSet::new();
    let desk = tokio::spawn(desk(at_desk, facts, faces.asks.clone()));
    let mut id = 0;
    let mut warned: Option<Instant> = None;
    loop {
        tokio::select! {
            () = told(&mut stopped) => break,
            Some(left) = guests.join_next() => {
                if let Err(error) = left {
                    tracing::error!(%error, "a console's connection broke in the engine");
                }
            }
            came = listener.accept() => match came {
                // Those for whom there is no place are told so, but not all of a flood.
                Ok(_) if guests.len() >= 2 * PLACES => {}
                Ok((stream, _)) => {
                    id += 1;
                    let full = guests.len() >= PLACES;
                    let guest = Guest {
                        id,
                        handle: faces.handle(),
                        notes: notes.clone(),
                        stall,
                        stopped: stopped.clone(),
                    };
                    guests.spawn(guest.receive(stream, full));
                }
                Err(error) => {
                    // Out of descriptors, most likely: give others time to close some.
                    if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                        warned = Some(Instant::now());
                        tracing::warn!(%error, "a console could not be let in");
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            },
        }
    }
    while guests.join_next().await.is_some() {}
    desk.abort();
}

/// Until the show is over.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // The socket that would tell is gone: that is the end, too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// One who is connected.
struct Guest {
    id: u64,
    handle: Handle,
    notes: mpsc::Sender<Note>,
    stall: Duration,
    stopped: watch::Receiver<bool>,
}

/// The writing half, with a deadline on everything.
struct Pen {
    to: OwnedWriteHalf,
    stall: Duration,
}

impl Pen {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match tokio::time::timeout(self.stall, self.to.write_all(bytes)).await {
            Ok(done) => done,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it does not read")),
        }
    }

    async fn say(&mut self, line: &FromEngine) -> io::Result<()> {
        self.write(&wire::line(line)?).await
    }
}

impl Guest {
    async fn receive(self, stream: UnixStream, full: bool) {
        let id = self.id;
        match stream.peer_cred() {
            // The socket's mode says the same; this holds where a system ignores it.
            Ok(peer) if peer.uid() == rustix::process::geteuid().as_raw() => {}
            _ => return,
        }
        let (from, to) = stream.into_split();
        let mut pen = Pen { to, stall: self.stall };
        let mut lines = Lines::new(from, FACE_LINE);
        if let Err(error) = self.greet(&mut lines, &mut pen, full).await {
            match error.kind() {
                // It went by itself; whoever lists shows only knocks.
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {}
                _ => tracing::info!(id, %error, "a console was let go of"),
            }
        }
    }

    async fn greet(
        self,
        lines: &mut Lines<OwnedReadHalf>,
        pen: &mut Pen,
        full: bool,
    ) -> io::Result<()> {
        pen.write(&wire::line(&Hello::ours(false))?).await?;
        let refuse = |error: String| FromEngine::Error { error };
        if full {
            let error = format!("{PLACES} are connected already: close one first");
            return pen.say(&refuse(error)).await;
        }
        let hello = match tokio::time::timeout(GREETING, lines.next()).await {
            Ok(Ok(Some(line))) => Hello::read(&line),
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no greeting came in time".into()),
        };
        let script = match hello {
            Ok(hello) => hello.script,
            Err(error) => return pen.say(&refuse(error)).await,
        };
        let (id, notes) = (self.id, self.notes.clone());
        if script {
            return self.talk(lines, pen, true).await;
        }
        if notes.send(Note::Came(id)).await.is_err() {
            return Ok(());
        }
        let done = self.talk(lines, pen, false).await;
        // Nobody is at the desk any more once the show is over.
        let _ = notes.send(Note::Left(id)).await;
        done
    }

    async fn talk(
        self,
        lines: &mut Lines<OwnedReadHalf>,
        pen: &mut Pen,
        script: bool,
    ) -> io::Result<()> {
        let Self { id, mut handle, notes, mut stopped, .. } = self;
        let (reading, mut reads) = watch::channel(false);
        let (answers_in, mut answers) = mpsc::channel(64);
        let asks = handle.asks.clone();
        let mut hearing = std::pin::pin!(hear(
            lines,
            Hearing { id, script, asks, notes, reading, answers: answers_in }
        ));
        if !script {
            // Before the first show, with which a face begins.
            for logged in std::mem::take(&mut handle.log) {
                pen.say(&FromEngine::Logged { logged }).await?;
            }
            let show = handle.show.borrow_and_update().clone();
            pen.say(&FromEngine::Show { show }).await?;
            while let Some(past) = handle.past.recv().await {
                pen.say(&FromEngine::Past { past }).await?;
            }
        }
        handle.meters.mark_changed();
        loop {
            tokio::select! {
                biased;
                () = told(&mut stopped) => break,
                // Shows before events before answers: who has an answer has seen what it did.
                Ok(()) = handle.show.changed(), if !script => {
                    let show = handle.show.borrow_and_update().clone();
                    pen.say(&FromEngine::Show { show }).await?;
                }
                event = handle.events.recv(), if !script => match event {
                    Ok(event) => pen.say(&FromEngine::Event { event }).await?,
                    Err(RecvError::Lagged(_)) => handle.show.mark_changed(),
                    Err(RecvError::Closed) => break,
                },
                Some(answer) = answers.recv() => pen.say(&answer).await?,
                () = &mut hearing => break,
                Ok(()) = handle.meters.changed(), if !script => {
                    let meters = handle.meters.borrow_and_update().clone();
                    pen.say(&FromEngine::Meters { meters }).await?;
                }
                Ok(()) = reads.changed() => {
                    for chat in std::mem::take(&mut handle.chat.past) {
                        pen.say(&FromEngine::Chat { chat }).await?;
                    }
                    handle.chat.sources.mark_changed();
                    handle.chat.control.mark_changed();
                }
                step = handle.chat.steps.recv(), if *reads.borrow() => match step {
                    Ok(chat) => pen.say(&FromEngine::Chat { chat }).await?,
                    // The numbers of the steps show how many are missing.
                    Err(RecvError::Lagged(_)) => {}
                    // There is no chat any more.
                    Err(RecvError::Closed) => reads = watch::channel(false).1,
                },
                Ok(()) = handle.chat.sources.changed(), if *reads.borrow() => {
                    let chat_sources = handle.chat.sources.borrow_and_update().clone();
                    pen.say(&FromEngine::ChatSources { chat_sources }).await?;
                }
                Ok(()) = handle.chat.control.changed(), if *reads.borrow() => {
                    let chat_control = handle.chat.control.borrow_and_update().clone();
                    pen.say(&FromEngine::ChatControl { chat_control }).await?;
                }
                Ok(()) = handle.picture.changed(), if !script => {
                    let picture = handle.picture.borrow_and_update().clone();
                    if let Some(picture) = picture {
                        pen.write(&wire::picture(&picture)?).await?;
                    }
                }
            }
        }
        if !script {
            if handle.show.has_changed().unwrap_or(false) {
                let show = handle.show.borrow_and_update().clone();
                pen.say(&FromEngine::Show { show }).await?;
            }
            loop {
                match handle.events.try_recv() {
                    Ok(event) => pen.say(&FromEngine::Event { event }).await?,
                    Err(TryRecvError::Lagged(_)) => {}
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
        }
        while let Ok(answer) = answers.try_recv() {
            pen.say(&answer).await?;
        }
        pen.to.shutdown().await
    }
}

/// What the reading half needs.
struct Hearing {
    id: u64,
    script: bool,
    asks: mpsc::Sender<Ask>,
    notes: mpsc::Sender<Note>,
    /// Whether it reads the chat.
    reading: watch::Sender<bool>,
    answers: mpsc::Sender<FromEngine>,
}

/// Reads a face's lines until it is gone, one command after the other.
async fn hear(lines: &mut Lines<OwnedReadHalf>, to: Hearing) {
    loop {
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) | Err(LineError::Io(_)) => return,
            Err(error @ LineError::TooLong(_)) => {
                let _ = to.answers.send(FromEngine::Error { error: error.to_string() }).await;
                return;
            }
        };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = match FromFace::read(&line) {
            Err(error) => FromEngine::Error { error },
            Ok(FromFace::Look(_)) if to.script => {
                FromEngine::Error { error: "a script is shown no pictures".into() }
            }
            Ok(FromFace::Chat(read)) => {
                to.reading.send_replace(read);
                continue;
            }
            Ok(FromFace::Look(look)) => {
                if to.notes.send(Note::Looks(to.id, look)).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(FromFace::Command(line)) => {
                let (answer, answered) = oneshot::channel();
                let (command, confirm) = (line.command, line.confirm);
                if to.asks.send(Ask::Command { command, confirm, answer }).await.is_err() {
                    return;
                }
                let Ok(done) = answered.await else { return };
                FromEngine::Answer { answer: line.id, refused: done.err().map(|r| r.0) }
            }
        };
        if to.answers.send(answer).await.is_err() {
            return;
        }
    }
}
