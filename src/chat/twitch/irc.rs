//! The anonymous reading session on Twitch's IRC, without I/O. When the server announces that it will close (RECONNECT), a second
//! connection is opened before the first is dropped, and what both deliver is reported once.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use super::{LinkId, line};
use crate::{
    base::{Moment, Now, SourceId},
    chat::{
        MessageId, Update, UserId,
        irc::{Command, Line, Malformed, Wire},
        seen::{Derive, Seen},
    },
};

/// From the connection to the first channel joined.
const JOINING: Duration = Duration::from_secs(20);
/// Silence after which we send a PING. Twitch itself sends one about every five minutes, which is too long to wait.
const QUIET: Duration = Duration::from_mins(1);
/// Silence after that which means that the link is dead.
const ANSWER: Duration = Duration::from_secs(15);
/// How long a connection that the server will close is still read after another has taken its place: what was on its
/// way when the channels were joined again.
const LEAVE: Duration = Duration::from_secs(2);
/// Twitch takes 20 joins in 10 s from one address.
const MOST_CHANNELS: usize = 20;
/// Channels of one JOIN.
const JOINED_AT_ONCE: usize = 10;
/// Connections at once: the one that reads, and the one that follows it.
const MOST_LINKS: usize = 2;
/// Room identifiers that are remembered.
const MOST_ROOMS: usize = 64;

/// A name that is no channel of Twitch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("1-20 channels, each of 1-25 letters, digits and '_'")]
pub struct BadChannel;

/// What the session wants done or known, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a connection (TLS, port 6697, or the WebSocket) under this name and keep the others.
    Open(LinkId),
    /// Send on a connection.
    Send(LinkId, Wire),
    /// Close a connection.
    Close(LinkId),
    /// A message, a removal.
    Update(Update),
    /// A channel is read now.
    Live,
    /// No connection is left; open anew after a wait with [`Session::start`].
    Lost(Lost),
}

/// Why no connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It was closed.
    Closed,
    /// Nothing came although we asked.
    Silent,
    /// No channel could be joined in time.
    NotJoined,
    /// The only channel is suspended or does not exist; trying again soon does not help.
    NoChannel,
}

#[derive(Debug, Clone)]
struct Link {
    id: LinkId,
    connected: bool,
    welcomed: bool,
    live: bool,
    leaving: bool,
    /// Another has taken its place: dropped then.
    until: Option<Moment>,
    begun: Moment,
    heard: Moment,
    asked: bool,
    rooms: BTreeSet<String>,
    derive: Derive,
}

/// The state of one source.
#[derive(Debug, Clone)]
pub struct Session {
    source: SourceId,
    channels: Vec<String>,
    digits: u32,
    own: Option<UserId>,
    links: Vec<Link>,
    next: u64,
    rooms: BTreeSet<String>,
    seen: Seen<MessageId>,
    out: VecDeque<Output>,
}

impl Session {
    /// A session that is not connected. `digits` makes the anonymous nickname and should be random; `own` is the
    /// account that hawker writes with.
    pub fn new(
        source: SourceId,
        channels: &[&str],
        digits: u32,
        own: Option<UserId>,
    ) -> Result<Self, BadChannel> {
        let channels: Vec<String> =
            channels.iter().map(|name| name.trim_start_matches('#').to_ascii_lowercase()).collect();
        let fits = |name: &String| {
            (1..=25).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !(1..=MOST_CHANNELS).contains(&channels.len()) || !channels.iter().all(fits) {
            return Err(BadChannel);
        }
        Ok(Self {
            source,
            channels,
            digits,
            own,
            links: Vec::new(),
            next: 0,
            rooms: BTreeSet::new(),
            seen: Seen::default(),
            out: VecDeque::new(),
        })
    }

    /// The next thing to do; `None` when nothing is left.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When the last line came on any connection.
    pub fn heard(&self) -> Option<Moment> {
        self.links.iter().map(|link| link.heard).max()
    }

    /// Begins: a connection is asked for.
    pub fn start(&mut self, now: Now) {
        if self.links.is_empty() {
            self.open(now);
        }
    }

    /// A connection stands.
    pub fn connected(&mut self, now: Now, link: LinkId) {
        let Some(state) = self.links.iter_mut().find(|known| known.id == link) else {
            return self.out.push_back(Output::Close(link));
        };
        (state.connected, state.begun, state.heard) = (true, now.mono, now.mono);
        let nick = format!("justinfan{}", self.digits);
        let text = Some("twitch.tv/tags twitch.tv/commands");
        self.send(link, Command { name: "CAP", params: &["REQ"], text, ..Command::default() });
        self.send(link, Command { name: "NICK", params: &[&nick], ..Command::default() });
    }

    /// A connection failed or is gone.
    pub fn closed(&mut self, link: LinkId) {
        self.drop_link(link, Lost::Closed);
    }

    /// Takes one line of a connection, without its end.
    pub fn line(&mut self, now: Now, link: LinkId, bytes: &[u8]) -> Result<(), Malformed> {
        let Some(at) = self.links.iter().position(|known| known.id == link) else { return Ok(()) };
        let line = Line::parse(bytes)?;
        let Some(state) = self.links.get_mut(at) else { return Ok(()) };
        (state.heard, state.asked) = (now.mono, false);
        match line.command.as_str() {
            "PING" => {
                let text = Some(line.last().unwrap_or_default());
                self.send(link, Command { name: "PONG", text, ..Command::default() });
            }
            "001" if !state.welcomed => {
                state.welcomed = true;
                // Ten names of at most 26 bytes fit a line.
                for names in self.channels.clone().chunks(JOINED_AT_ONCE) {
                    let all = format!("#{}", names.join(",#"));
                    self.send(
                        link,
                        Command { name: "JOIN", params: &[&all], ..Command::default() },
                    );
                }
            }
            "ROOMSTATE" => {
                if let Some(room) = line.tag("room-id")
                    && state.rooms.len() < MOST_ROOMS
                {
                    state.rooms.insert(room.to_owned());
                    self.rooms = self.links.iter().flat_map(|l| l.rooms.clone()).collect();
                }
                self.live(now, link);
            }
            "366" => self.live(now, link),
            "RECONNECT" => {
                state.leaving = true;
                // A server that announces it on each new connection is not followed without end: once these are
                // closed, the source begins anew after a wait.
                let followed = self.links.iter().any(|known| !known.leaving);
                if !followed && self.links.len() < MOST_LINKS {
                    self.open(now);
                }
            }
            "NOTICE" if line.tag("msg-id") == Some("msg_channel_suspended") => {
                if self.channels.len() == 1 {
                    self.drop_link(link, Lost::NoChannel);
                }
            }
            _ => {
                if let Some(update) = line::update(&line, &self.source, now.wall, &mut state.derive)
                    && !self.is_repeated(&line)
                {
                    self.report(update);
                }
            }
        }
        Ok(())
    }

    /// Time has passed. Call it at least every few seconds.
    pub fn tick(&mut self, now: Now) {
        let (mut quiet, mut dead) = (Vec::new(), Vec::new());
        for link in &mut self.links {
            if link.until.is_some_and(|until| until <= now.mono) {
                dead.push((link.id, Lost::Closed));
                continue;
            }
            let silence = now.mono.since(link.heard);
            if !link.live && now.mono.since(link.begun) >= JOINING {
                dead.push((link.id, Lost::NotJoined));
            } else if link.asked && silence >= QUIET + ANSWER {
                dead.push((link.id, Lost::Silent));
            } else if link.live && !link.asked && silence >= QUIET {
                link.asked = true;
                quiet.push(link.id);
            }
        }
        for link in quiet {
            let text = Some("hawker");
            self.send(link, Command { name: "PING", text, ..Command::default() });
        }
        for (link, why) in dead {
            self.drop_link(link, why);
        }
    }

    fn open(&mut self, now: Now) {
        let id = LinkId(self.next);
        self.next += 1;
        self.links.push(Link {
            id,
            connected: false,
            welcomed: false,
            live: false,
            leaving: false,
            until: None,
            begun: now.mono,
            heard: now.mono,
            asked: false,
            rooms: BTreeSet::new(),
            derive: Derive::default(),
        });
        self.out.push_back(Output::Open(id));
    }

    fn send(&mut self, link: LinkId, command: Command<'_>) {
        if let Ok((wire, _)) = command.write() {
            self.out.push_back(Output::Send(link, wire));
        }
    }

    fn live(&mut self, now: Now, link: LinkId) {
        let Some(state) = self.links.iter_mut().find(|known| known.id == link) else { return };
        if std::mem::replace(&mut state.live, true) {
            return;
        }
        self.out.push_back(Output::Live);
        // The newer one reads: the ones that were announced to close are soon not needed any more.
        for old in self.links.iter_mut().filter(|old| old.leaving && old.id != link) {
            old.until = old.until.or(Some(now.mono + LEAVE));
        }
    }

    /// Whether a removal was told already, by the other of two connections. Messages have an identifier for that.
    fn is_repeated(&mut self, line: &Line) -> bool {
        let Some(at) = line.tag("tmi-sent-ts").filter(|_| line.command.starts_with("CLEAR")) else {
            return false;
        };
        let (channel, user) =
            (line.param(0).unwrap_or_default(), line.param(1).unwrap_or_default());
        let target = line.tag("target-msg-id").unwrap_or(user);
        let length = line.tag("ban-duration").unwrap_or_default();
        let key = format!("{} {at} {channel} {target} {length}", line.command);
        !self.seen.insert(MessageId::new(&key))
    }

    fn drop_link(&mut self, link: LinkId, why: Lost) {
        let before = self.links.len();
        self.links.retain(|known| known.id != link);
        if self.links.len() == before {
            return;
        }
        self.out.push_back(Output::Close(link));
        if self.links.is_empty() {
            self.rooms.clear();
            self.out.push_back(Output::Lost(why));
        }
    }

    fn report(&mut self, mut update: Update) {
        if let Update::Message(message) = &mut update {
            message.own = self.own.is_some() && message.author.id == self.own;
            // A copy from a room that is read itself comes from there too; the original is the one to keep.
            let elsewhere = |channel: &str| self.rooms.contains(channel);
            if message.origin.as_ref().is_some_and(|origin| elsewhere(origin.channel.as_str())) {
                return;
            }
            let key = message.origin.as_ref().map_or(&message.id, |origin| &origin.id);
            if !self.seen.insert(key.clone()) {
                return;
            }
        }
        self.out.push_back(Output::Update(update));
    }
}

#[cfg(test)]
mod tests;
