//! The forwarding loop: one thread, one UDP socket, every session. What the publisher sends goes to the
//! viewers as it is, renumbered; what the viewers ask for goes to the publisher. It decodes nothing and
//! knows nothing of HTTP.

pub mod air;
mod figures;
mod forward;
pub mod landing;
mod places;

use std::{
    collections::HashMap,
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    media::{KeyframeRequestKind, MediaKind, Mid},
    net::{Protocol, Receive},
};
use tokio::sync::{oneshot, watch};

use self::{
    air::{Air, SharedWeather, Way},
    forward::{Tracks, View},
    landing::{Landing, Near},
};
pub use figures::StageFigures;

use super::{
    lane::Clocks,
    session::{Role, is_impostor, is_rtcp},
};

/// Most viewers at a time.
pub const MAX_VIEWERS: usize = 64;
/// How often the figures are renewed.
const TICK: Duration = Duration::from_millis(200);
/// Commands that may wait.
const COMMANDS: usize = 64;

/// A session's name: 32 hexadecimal digits, not to be guessed.
pub type SessionId = Arc<str>;

/// A session on its way into the loop.
#[derive(Debug)]
pub struct NewSession {
    /// Its name.
    pub id: SessionId,
    /// Which way media go.
    pub role: Role,
    /// It is the publisher of the show that runs this stage.
    pub owner: bool,
    /// The session itself, offer accepted.
    pub rtc: Box<Rtc>,
    /// The peer's ICE user name.
    pub ufrag: Option<String>,
    /// When its offer came.
    pub posted: Instant,
}

/// What became of a session that was to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    In,
    /// As many viewers as may be are connected.
    Full,
    /// The publisher's place is the show's own.
    Held,
}

/// What became of a trickle fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trickled {
    /// Taken.
    Taken,
    /// It wants an ICE restart, which the stage does not do.
    Restart,
    /// No such session.
    Unknown,
}

enum Command {
    Add(Box<NewSession>, oneshot::Sender<Added>),
    Remove(SessionId, Role, oneshot::Sender<bool>),
    Trickle(SessionId, Role, Option<String>, Vec<Candidate>, oneshot::Sender<Trickled>),
    Stop,
}

/// The loop cannot take a command now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// Too much at once.
    #[error("the stage has too much to do at the moment: try again in a second")]
    Overloaded,
    /// It has been stopped.
    #[error("the stage has been stopped")]
    Stopped,
}

/// A hold on the loop.
#[derive(Debug, Clone)]
pub struct Sfu {
    commands: SyncSender<Command>,
    waker: Arc<UdpSocket>,
    figures: watch::Receiver<StageFigures>,
    candidates: Arc<[SocketAddr]>,
    private: bool,
}

impl Sfu {
    /// Starts the loop on `socket`, reachable at `candidates`. With `reserved` only the owner may publish, else anybody
    /// until the owner does.
    pub fn start(
        socket: UdpSocket,
        candidates: Vec<SocketAddr>,
        near: Option<Near>,
        weather: SharedWeather,
        reserved: bool,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let waker = landing::waker(&socket)?;
        landing::roomy(&socket);
        let (commands, orders) = sync_channel(COMMANDS);
        let (publish, figures) = watch::channel(StageFigures::default());
        let candidates: Arc<[SocketAddr]> = candidates.into();
        let private = near.is_some();
        let mut work = Loop {
            landing: Landing::new(&socket, &candidates)?,
            socket,
            air: Air::new(weather),
            orders,
            sessions: HashMap::new(),
            by_source: HashMap::new(),
            tracks: Tracks::default(),
            near,
            publisher: None,
            reserved,
            ask: Ask::default(),
            figures: StageFigures::default(),
            publish,
            ticked: Instant::now(),
        };
        let thread = std::thread::Builder::new().name("stage".into()).spawn(move || work.run())?;
        Ok((Self { commands, waker: Arc::new(waker), figures, candidates, private }, thread))
    }

    /// The addresses the stage can be reached at by such a peer. Only browsers, which are viewers, need another way
    /// than loopback to a stage on loopback.
    pub fn candidates(&self, role: Role) -> Vec<SocketAddr> {
        let fits = |c: &&SocketAddr| !self.private || role == Role::Viewer || c.ip().is_loopback();
        self.candidates.iter().filter(fits).copied().collect()
    }

    /// Whether no viewer more can be taken.
    pub fn full(&self) -> bool {
        self.figures.borrow().viewers >= MAX_VIEWERS
    }

    /// The figures, newest only.
    pub fn figures(&self) -> watch::Receiver<StageFigures> {
        self.figures.clone()
    }

    /// Takes a session in, if there is a place for it.
    pub async fn add(&self, session: NewSession) -> Result<Added, Busy> {
        self.ask(|reply| Command::Add(Box::new(session), reply)).await
    }

    /// Ends a session; `false` when there is none of that name.
    pub async fn remove(&self, id: SessionId, role: Role) -> Result<bool, Busy> {
        self.ask(|reply| Command::Remove(id, role, reply)).await
    }

    /// Gives a session more of its peer's candidates.
    pub async fn trickle(
        &self,
        id: SessionId,
        role: Role,
        ufrag: Option<String>,
        candidates: Vec<Candidate>,
    ) -> Result<Trickled, Busy> {
        self.ask(|reply| Command::Trickle(id, role, ufrag, candidates, reply)).await
    }

    /// Tells the loop to end every session and itself. It does so within a few milliseconds.
    pub fn stop(&self) {
        // A full queue is emptied within a moment, and the loop must not be missed.
        let mut order = Command::Stop;
        for _ in 0..100 {
            match self.commands.try_send(order) {
                Err(TrySendError::Full(back)) => {
                    order = back;
                    self.wake();
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(()) | Err(TrySendError::Disconnected(_)) => break,
            }
        }
        self.wake();
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|error| match error {
            TrySendError::Full(_) => Busy::Overloaded,
            TrySendError::Disconnected(_) => Busy::Stopped,
        })?;
        self.wake();
        answer.await.map_err(|_| Busy::Stopped)
    }

    /// The loop sleeps in a read of its socket: an empty datagram to it is the bell.
    fn wake(&self) {
        let _ = self.waker.send(&[]);
    }
}

/// When a key frame was last asked for, and whether one more is wanted.
#[derive(Debug, Default)]
struct Ask {
    last: Option<Instant>,
    wanted: bool,
}

/// Between two requests for a key frame.
const ASK_EVERY: Duration = Duration::from_millis(500);

struct Session {
    role: Role,
    rtc: Box<Rtc>,
    ufrag: Option<String>,
    posted: Instant,
    came: Instant,
    /// When something came from it last.
    heard: Option<Instant>,
    wake_at: Instant,
    connected: bool,
    video: Option<Mid>,
    audio: Option<Mid>,
    view: View,
}

struct Loop {
    socket: UdpSocket,
    landing: Landing,
    air: Air,
    orders: Receiver<Command>,
    sessions: HashMap<SessionId, Session>,
    /// Where each session's packets came from last, so that the next is found at once.
    by_source: HashMap<SocketAddr, SessionId>,
    tracks: Tracks,
    /// Who may send media, where not everybody may.
    near: Option<Near>,
    publisher: Option<SessionId>,
    /// The publisher's place is the owner's.
    reserved: bool,
    ask: Ask,
    figures: StageFigures,
    publish: watch::Sender<StageFigures>,
    ticked: Instant,
}

impl Loop {
    fn run(&mut self) {
        let mut buffer = vec![0; 2048];
        while self.obey() {
            let now = Instant::now();
            self.land(now);
            self.drive(now);
            let wait = self.next_wake().saturating_duration_since(Instant::now());
            // Zero would mean to wait for ever.
            let wait = wait.clamp(Duration::from_millis(1), TICK);
            match landing::hear(&self.socket, &mut buffer, wait, self.air.next().is_some()) {
                Ok((0, _)) => {}
                Ok((n, source)) => self.receive(&buffer[..n], landing::plain(source), false),
                Err(e) if is_passing(e.kind()) => {}
                Err(error) => {
                    tracing::error!(%error, "the stage's socket broke: the stage stops");
                    break;
                }
            }
        }
        self.end_all();
    }

    /// Carries out what was ordered; `false` when it was to stop.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Command::Add(session, reply)) => {
                    let taken = self.add(*session);
                    let _ = reply.send(taken);
                }
                Ok(Command::Remove(id, role, reply)) => {
                    let known = self.sessions.get(&id).is_some_and(|s| s.role == role);
                    if known {
                        self.end(&id);
                    }
                    let _ = reply.send(known);
                }
                Ok(Command::Trickle(id, role, ufrag, candidates, reply)) => {
                    let _ = reply.send(self.trickle(&id, role, ufrag, candidates));
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn trickle(
        &mut self,
        id: &SessionId,
        role: Role,
        ufrag: Option<String>,
        candidates: Vec<Candidate>,
    ) -> Trickled {
        let Some(session) = self.sessions.get_mut(id).filter(|s| s.role == role) else {
            return Trickled::Unknown;
        };
        if ufrag.is_some() && session.ufrag.is_some() && ufrag != session.ufrag {
            return Trickled::Restart;
        }
        let now = Instant::now();
        for candidate in candidates {
            session.rtc.add_remote_candidate(candidate);
        }
        session.wake_at = now;
        Trickled::Taken
    }

    /// Delivers what has come through the air.
    fn land(&mut self, now: Instant) {
        while let Some((way, datagram)) = self.air.landed(now) {
            match way {
                Way::In(source) => self.receive(&datagram, source, true),
                Way::Out(to) => self.air.send(&self.socket, &self.landing, &datagram, to),
            }
        }
    }

    /// Whether a publisher sends from there.
    fn publishes(&self, source: SocketAddr) -> bool {
        let session = self.by_source.get(&source).and_then(|id| self.sessions.get(id));
        session.is_some_and(|s| s.role == Role::Publisher)
    }

    /// A datagram is here; `landed` if it has been through the air.
    fn receive(&mut self, datagram: &[u8], source: SocketAddr, landed: bool) {
        let now = Instant::now();
        if !landed && self.near.as_ref().is_some_and(|near| !near.holds(source.ip())) {
            return;
        }
        let own = !landed && self.publishes(source);
        let source = if own { self.air.outside(source) } else { source };
        let Ok(contents) = datagram.try_into() else { return };
        let destination = self.landing.of(source);
        let input =
            Input::Receive(now, Receive { proto: Protocol::Udp, source, destination, contents });
        // Media and handshake that go through the air may be early: they are looked at when they have landed.
        let early = !landed && datagram.first().is_some_and(|b| *b > 3);
        let holds = |s: &Session| (early && self.air.holds(s.role)) || s.rtc.accepts(&input);
        let known = self.by_source.get(&source);
        let known = known.filter(|id| self.sessions.get(*id).is_some_and(holds)).cloned();
        let id = known.or_else(|| {
            let found = self.sessions.iter().find(|(_, s)| s.rtc.accepts(&input))?.0.clone();
            self.by_source.insert(source, found.clone());
            Some(found)
        });
        let Some((id, session)) = id.and_then(|id| {
            let session = self.sessions.get_mut(&id)?;
            Some((id, session))
        }) else {
            return;
        };
        if !landed && self.air.takes(now, Way::In(source), session.role, datagram) {
            return;
        }
        session.heard = Some(now);
        if let Err(error) = session.rtc.handle_input(input) {
            tracing::debug!(%id, %error, "a session broke");
            session.rtc.disconnect();
        }
        self.drain(&id, now);
        self.sweep(&id);
    }

    /// Moves time on in every session that asked for it, and does what is due.
    fn drive(&mut self, now: Instant) {
        let due: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, s)| s.wake_at <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            if let Some(session) = self.sessions.get_mut(&id)
                && session.rtc.handle_input(Input::Timeout(now)).is_err()
            {
                session.rtc.disconnect();
            }
            self.drain(&id, now);
            self.sweep(&id);
        }
        if self.ask.wanted {
            self.ask_key(now);
        }
        if now.duration_since(self.ticked) >= TICK {
            self.ticked = now;
            self.tick(now);
        }
    }

    fn tick(&mut self, now: Instant) {
        self.expire(now);
        // A request may be lost: whoever still waits for a key frame asks again.
        let waiting = self.sessions.values().any(|s| {
            s.role == Role::Viewer && s.connected && s.video.is_some() && s.view.waits_for_key()
        });
        if waiting && self.ask.last.is_none_or(|last| now.duration_since(last) >= 2 * ASK_EVERY) {
            self.ask_key(now);
        }
        if self.tracks.lacks_key(now) {
            self.ask_key(now);
        }
        self.figures.kbps = self.tracks.kbps(now);
        self.tell();
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        // A request that is overdue waits for a publisher, not for time.
        let asked = self.ask.last.filter(|_| self.ask.wanted).map(|last| last + ASK_EVERY);
        let asked = asked.filter(|at| *at > now);
        let sessions = self.sessions.values().map(|s| s.wake_at);
        sessions.chain(asked).chain(self.air.next()).min().unwrap_or(now + TICK)
    }

    /// Takes everything a session has to give, until it only wants time.
    fn drain(&mut self, id: &SessionId, now: Instant) {
        let mut packets = Vec::new();
        let mut key_wanted = false;
        let mut arrived = false;
        let losing = self.tracks.is_losing(now);
        let Some(session) = self.sessions.get_mut(id) else { return };
        loop {
            match session.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    session.wake_at = at;
                    break;
                }
                Ok(Output::Transmit(out)) => {
                    let (way, data) = (Way::Out(out.destination), &out.contents);
                    // What asks for a lost packet is lost as easily, and is missed a round trip later.
                    let twice = losing && session.role == Role::Publisher && is_rtcp(data);
                    for _ in 0..=usize::from(twice) {
                        if !self.air.takes(now, way, session.role, data) {
                            self.air.send(&self.socket, &self.landing, data, out.destination);
                        }
                    }
                }
                Ok(Output::Event(event)) => match event {
                    Event::Connected => {
                        session.connected = true;
                        arrived = true;
                    }
                    Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                        session.rtc.disconnect();
                    }
                    Event::MediaAdded(media) => match media.kind {
                        MediaKind::Video => session.video = session.video.or(Some(media.mid)),
                        MediaKind::Audio => session.audio = session.audio.or(Some(media.mid)),
                    },
                    Event::KeyframeRequest(_) if session.role == Role::Viewer => key_wanted = true,
                    Event::RtpPacket(packet) if session.role == Role::Publisher => {
                        packets.push(packet);
                    }
                    _ => {}
                },
                Err(error) => {
                    if is_impostor(&error) {
                        let role = session.role;
                        tracing::warn!(%id, ?role, "the stage ended a session: the certificate shown in DTLS is not the one its offer names");
                    }
                    tracing::debug!(%id, %error, "a session broke");
                    session.rtc.disconnect();
                    break;
                }
            }
        }
        let role = session.role;
        if arrived {
            match role {
                Role::Publisher => self.take_over(id, now),
                Role::Viewer if self.seats() => {
                    key_wanted = true;
                    self.recount();
                }
                // Another one was quicker to the last place.
                Role::Viewer => return self.end(id),
            }
        }
        if key_wanted {
            self.ask_key(now);
        }
        // A publisher that has been replaced, or is not there yet, is not heard.
        if !packets.is_empty() && self.publisher.as_ref() == Some(id) {
            self.forward(id, packets, now);
        }
    }

    /// The newest publisher that is really there takes the place of the one before.
    fn take_over(&mut self, id: &SessionId, now: Instant) {
        if let Some(old) = self.publisher.replace(id.clone())
            && old != *id
        {
            tracing::info!("a new publisher takes the place of the old one");
            // It must not be taken for the present one while it is ended.
            self.end(&old);
        }
        self.tracks.change();
        for session in self.sessions.values_mut() {
            session.view.change();
        }
        self.figures.publishing = true;
        self.figures.video = None;
        self.figures.posted_at = self.sessions.get(id).map(|s| s.posted);
        self.figures.first_frame_at = None;
        self.ask = Ask::default();
        self.ask_key(now);
        self.tell();
    }

    /// Sends the publisher's packets to every viewer.
    fn forward(&mut self, id: &SessionId, packets: Vec<str0m::rtp::RtpPacket>, now: Instant) {
        let clocks = Clocks::read();
        let Some(publisher) = self.sessions.get(id) else { return };
        let (video, audio) = (publisher.video, publisher.audio);
        let placed: Vec<_> = packets
            .into_iter()
            .filter_map(|packet| self.tracks.place(packet, &publisher.rtc, clocks))
            .collect();
        if video.is_none() && audio.is_none() {
            return;
        }
        if self.figures.video.is_none()
            && let Some(first) = placed.iter().find(|packet| packet.is_video())
        {
            self.figures.video = first.codec();
            self.end_without_decoder(first);
        }
        let viewers: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, s)| s.role == Role::Viewer && s.connected)
            .map(|(id, _)| id.clone())
            .collect();
        // Packet by packet, so that the last viewer does not wait for a whole burst to the first.
        for packet in &placed {
            self.figures.packets += 1;
            for id in &viewers {
                let Some(viewer) = self.sessions.get_mut(id) else { continue };
                let mid = if packet.is_video() { viewer.video } else { viewer.audio };
                if let Some(mid) = mid
                    && viewer.view.write(packet, &mut viewer.rtc, mid)
                {
                    if viewer.rtc.handle_input(Input::Timeout(now)).is_err() {
                        viewer.rtc.disconnect();
                    }
                    self.drain(id, now);
                }
            }
            if packet.completes_key {
                self.figures.key_frames += 1;
                if self.figures.first_frame_at.is_none() {
                    self.figures.first_frame_at = Some(now);
                    self.tell();
                }
            }
        }
    }

    /// Asks the publisher for a key frame: at once, but never twice within half a second.
    fn ask_key(&mut self, now: Instant) {
        self.ask.wanted = true;
        if self.ask.last.is_some_and(|last| now.duration_since(last) < ASK_EVERY) {
            return;
        }
        let Some(id) = self.publisher.clone() else { return };
        let Some(publisher) = self.sessions.get_mut(&id) else { return };
        let Some(mid) = publisher.video else { return };
        let mut api = publisher.rtc.direct_api();
        // Without a stream yet there is nobody to ask; the first packet will bring one.
        let Some(stream) = api.stream_rx_by_mid(mid, None) else { return };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.ask = Ask { last: Some(now), wanted: false };
        self.figures.key_requests += 1;
        if publisher.rtc.handle_input(Input::Timeout(now)).is_err() {
            publisher.rtc.disconnect();
        }
        self.drain(&id, now);
    }

    /// Removes the session if it has ended.
    fn sweep(&mut self, id: &SessionId) {
        if self.sessions.get(id).is_some_and(|s| !s.rtc.is_alive()) {
            self.forget(id);
        }
    }

    /// Ends a session: says goodbye, then forgets it.
    fn end(&mut self, id: &SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            if session.rtc.close().is_ok() {
                let _ = session.rtc.handle_input(Input::Timeout(Instant::now()));
            }
            while let Ok(output) = session.rtc.poll_output() {
                match output {
                    Output::Transmit(out) => {
                        self.air.send(&self.socket, &self.landing, &out.contents, out.destination);
                    }
                    Output::Timeout(_) => break,
                    Output::Event(_) => {}
                }
            }
        }
        self.forget(id);
    }

    fn forget(&mut self, id: &SessionId) {
        self.sessions.remove(id);
        let air = &mut self.air;
        self.by_source.retain(|peer, owner| {
            let stays = owner != id;
            if !stays {
                air.forget(*peer);
            }
            stays
        });
        if self.publisher.as_ref() == Some(id) {
            self.publisher = None;
            self.figures.publishing = false;
            self.figures.video = None;
            self.figures.kbps = 0.0;
        }
        self.recount();
    }

    fn end_all(&mut self) {
        let ids: Vec<SessionId> = self.sessions.keys().cloned().collect();
        for id in ids {
            self.end(&id);
        }
    }

    fn tell(&self) {
        self.publish.send_replace(self.figures);
    }
}

/// Errors of a read that mean nothing has come, or somebody is gone.
pub fn is_passing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
    )
}
