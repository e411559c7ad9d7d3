//! An IRC client session without I/O: it takes lines and the time, and hands out lines to send, updates and its stage.
//! One session lives through all connections of a source, so that a message is reported once although two connections
//! deliver it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    asked::Asked,
    gaps::{Gaps, Hole, joint},
    line::{Command, Line, Malformed},
    output::{Ended, Output, Stage},
    registration::{Registration, Step},
    roster::Roster,
    settings::Settings,
    spoken::spoken,
};
use crate::{
    base::{Moment, Now, Secret},
    chat::{
        Author, Badge, Message, MessageId, Platform, Removal, Reply, Text, Update, UserId,
        seen::{Derive, Seen},
    },
};

/// From the connection to the welcome. Servers wait for an ident answer and a host name for up to 30 s.
const REGISTRATION: Duration = Duration::from_secs(45);
/// From the welcome to the first channel joined.
const JOINING: Duration = Duration::from_secs(30);
/// Silence after which we send a PING of our own.
const QUIET: Duration = Duration::from_mins(1);
/// Silence after that PING which means that the link is dead.
const ANSWER: Duration = Duration::from_secs(20);
/// Wait before a channel is joined again after a kick; doubled with every kick.
const REJOIN: Duration = Duration::from_secs(10);
/// Kicks of one connection after which the channel is left alone.
const KICKS: u32 = 3;
/// Open batches that are remembered.
const BATCHES: usize = 64;
/// Messages of history asked for at once, after a reconnect.
const HISTORY: usize = 100;
/// A message this much older than the join is taken for a replay although no batch says so (bouncers).
const REPLAY: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
/// Bytes that the server's prefix takes at most in a line passed on: colon, "!~", "@", blank, user name and host
/// (RFC 2812, section 2.3.1: 63 of host; 10 of user name in use). The nickname comes on top.
const PREFIX: usize = 5 + 10 + 63;

/// An open batch.
#[derive(Debug, Clone)]
struct Batch {
    reference: String,
    /// The channel whose history it holds, folded.
    history: Option<String>,
    lines: usize,
    /// The time of its last line.
    last: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
struct Channel {
    joined: bool,
    refused: Option<u16>,
    kicks: u32,
    rejoin: Option<Moment>,
    /// The server's time of our join, where it says so.
    since: Option<Timestamp>,
}

/// The state of one source of IRC.
#[derive(Debug, Clone)]
pub struct Session {
    settings: Settings,
    stage: Stage,
    registration: Option<Registration>,
    caps: BTreeSet<String>,
    nick: String,
    channels: BTreeMap<String, Channel>,
    roster: Roster,
    batches: Vec<Batch>,
    begun: Moment,
    heard: Now,
    /// When a sign of life was asked for.
    pinged: Option<Moment>,
    labels: u64,
    asked: Asked,
    gaps: Gaps,
    live: Derive,
    replay: Derive,
    seen: Seen<MessageId>,
    /// The platform's time of the newest message, from which history is asked for.
    newest: Option<Timestamp>,
    out: VecDeque<Output>,
}

/// Compares nicknames and channels as most networks do (`CASEMAPPING=ascii`).
pub(super) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl Session {
    /// A session that is not connected.
    pub fn new(settings: Settings) -> Self {
        Self {
            nick: settings.nick.clone(),
            settings,
            stage: Stage::Idle,
            registration: None,
            caps: BTreeSet::new(),
            channels: BTreeMap::new(),
            roster: Roster::default(),
            batches: Vec::new(),
            begun: Moment::default(),
            heard: Now { mono: Moment::default(), wall: Timestamp::UNIX_EPOCH },
            pinged: None,
            labels: 0,
            asked: Asked::default(),
            gaps: Gaps::default(),
            live: Derive::default(),
            replay: Derive::default(),
            seen: Seen::default(),
            newest: None,
            out: VecDeque::new(),
        }
    }

    /// The stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// When the last line came.
    pub fn heard(&self) -> Moment {
        self.heard.mono
    }

    /// The next thing to do; `None` when nothing is left.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// A connection stands. `tls` says whether it is encrypted; the secret is not kept beyond the login.
    pub fn connected(&mut self, now: Now, secret: Option<&Secret>, tls: bool) {
        self.disconnected();
        (self.begun, self.heard, self.pinged) = (now.mono, now, None);
        let account = self.settings.account.as_deref();
        match Registration::begin(&self.settings.nick, "hawker", account, secret, tls) {
            Ok(mut begun) => {
                self.out.extend(begun.drain().map(Output::Send));
                self.registration = Some(begun);
                self.enter(Stage::Registering);
            }
            Err(why) => self.close(Ended::Rejected(why)),
        }
    }

    /// The connection is gone. What was not sent is forgotten, and what was asked and is not answered yet stays so.
    pub fn disconnected(&mut self) {
        let mut hole = None;
        for (name, _) in self.channels.iter().filter(|(_, channel)| channel.joined) {
            hole = joint(hole, self.gaps.left(name, self.heard.wall));
        }
        self.hole(hole);
        self.registration = None;
        self.caps.clear();
        self.channels.clear();
        self.roster.clear();
        self.batches.clear();
        self.asked.clear();
        self.live.restart();
        self.out.retain(|output| !matches!(output, Output::Send(_)));
        self.enter(Stage::Idle);
    }

    /// Takes one line without its end.
    pub fn line(&mut self, now: Now, bytes: &[u8]) -> Result<(), Malformed> {
        (self.heard, self.pinged) = (now, None);
        let line = Line::parse(bytes)?;
        if let Some(registration) = &mut self.registration {
            let step = registration.line(&line);
            self.out.extend(registration.drain().map(Output::Send));
            self.caps.clone_from(registration.caps());
            match step {
                Step::Nothing => {}
                Step::Welcome(nick) => self.welcome(now, nick),
                Step::Rejected(why) => self.close(Ended::Rejected(why)),
            }
        }
        match line.command.as_str() {
            "PING" => {
                let text = Some(line.last().unwrap_or_default());
                self.send(Command { name: "PONG", text, ..Command::default() });
            }
            "ERROR" => self.close(Ended::Server(Text::new(line.last().unwrap_or_default()))),
            "BATCH" => self.batch(now, &line),
            "CAP" if self.registration.is_none() => self.caps_changed(&line),
            _ if self.stage == Stage::Idle || self.registration.is_some() => {}
            "PRIVMSG" | "NOTICE" => self.said(now, &line),
            "REDACT" => {
                if let Some(id) = line.param(1).filter(|id| !id.is_empty()) {
                    self.update(Update::Deleted(MessageId::new(id)));
                }
            }
            "JOIN" => self.joined(now, &line),
            "KICK" => self.kicked(now, &line),
            "PART" if self.is_me(line.nick()) => self.left(now, line.param(0)),
            "PONG" => self.pong(now, &line),
            "NICK" => self.renamed(&line),
            "MODE" => self.mode(&line),
            "005" => self.roster.support(&line),
            "353" => self.roster.names(&line),
            "PART" => self.roster.parted(line.param(0), line.nick()),
            // A netsplit is a burst of these. It removes nobody's lines.
            "QUIT" => self.roster.quit(line.nick()),
            numeric => self.numeric(numeric, &line),
        }
        Ok(())
    }

    /// Time has passed. Call it at least every few seconds.
    pub fn tick(&mut self, now: Now) {
        let age = now.mono.since(self.begun);
        match self.stage {
            Stage::Idle => return,
            Stage::Registering if age >= REGISTRATION => return self.close(Ended::NotWelcomed),
            Stage::Joining if age >= JOINING => return self.close(Ended::NotJoined),
            _ => {}
        }
        match self.pinged {
            Some(pinged) if now.mono.since(pinged) >= ANSWER => return self.close(Ended::Silent),
            None if now.mono.since(self.heard.mono) >= QUIET && self.registration.is_none() => {
                self.pinged = Some(now.mono);
                self.send(Command { name: "PING", text: Some("hawker"), ..Command::default() });
            }
            _ => {}
        }
        let due: Vec<String> = self
            .channels
            .iter_mut()
            .filter(|(_, channel)| channel.rejoin.is_some_and(|at| at <= now.mono))
            .map(|(name, channel)| {
                channel.rejoin = None;
                name.clone()
            })
            .collect();
        for name in due {
            self.send(Command { name: "JOIN", params: &[&name], ..Command::default() });
        }
        self.expire(now);
        let hole = self.gaps.decided(now.mono);
        self.hole(hole);
    }

    fn enter(&mut self, stage: Stage) {
        if std::mem::replace(&mut self.stage, stage) != stage {
            self.out.push_back(Output::Stage(stage));
        }
    }

    fn close(&mut self, why: Ended) {
        self.disconnected();
        self.out.push_back(Output::Close(why));
    }

    fn send(&mut self, command: Command<'_>) {
        if let Ok((wire, _)) = command.write() {
            self.out.push_back(Output::Send(wire));
        }
    }

    fn hole(&mut self, hole: Option<Hole>) {
        if let Some((from, until)) = hole {
            self.update(Update::Hole { from, until });
        }
    }

    fn update(&mut self, update: Update) {
        self.out.push_back(Output::Update(update));
    }

    fn is_me(&self, nick: Option<&str>) -> bool {
        nick.is_some_and(|nick| nick.eq_ignore_ascii_case(&self.nick))
    }

    fn welcome(&mut self, now: Now, nick: String) {
        self.registration = None;
        self.nick = nick;
        self.begun = now.mono;
        for name in self.settings.channels.clone() {
            self.send(Command { name: "JOIN", params: &[&name], ..Command::default() });
            self.channels.insert(folded(&name), Channel::default());
        }
        self.enter(Stage::Joining);
    }

    fn caps_changed(&mut self, line: &Line) {
        if line.param(1).is_some_and(|verb| verb.eq_ignore_ascii_case("DEL")) {
            for cap in line.last().unwrap_or_default().split_whitespace() {
                self.caps.remove(cap);
            }
        }
    }

    fn batch(&mut self, now: Now, line: &Line) {
        let Some(reference) = line.param(0) else { return };
        if let Some(opened) = reference.strip_prefix('+') {
            let kind = line.param(1).unwrap_or_default();
            let outer = self.history_of(line).and_then(|at| self.batches.get(at));
            let history = match outer {
                Some(outer) => outer.history.clone(),
                None if kind.ends_with("chathistory") || kind.contains("playback") => {
                    Some(line.param(2).map(folded).unwrap_or_default())
                }
                None => None,
            };
            if history.is_some() {
                self.replay.restart();
            }
            if self.batches.len() == BATCHES {
                self.batches.remove(0);
            }
            let reference = opened.to_owned();
            self.batches.push(Batch { reference, history, lines: 0, last: None });
        } else if let Some(closed) = reference.strip_prefix('-')
            && let Some(at) = self.batches.iter().position(|batch| batch.reference == closed)
        {
            let Batch { history, lines, last, .. } = self.batches.remove(at);
            if let Some(channel) = history.filter(|_| self.asks_for_history()) {
                let last = last.filter(|_| lines >= HISTORY);
                if self.gaps.page(&channel, now.mono, last)
                    && let Some(last) = last
                {
                    self.ask_for_history(&channel, last);
                }
            }
        }
    }

    /// Whether history is asked for, rather than sent by the server itself.
    fn asks_for_history(&self) -> bool {
        self.newest.is_some() && self.caps.contains("draft/chathistory")
    }

    fn ask_for_history(&mut self, channel: &str, after: Timestamp) {
        // Twice the same is dropped by its identifier.
        let (after, most) = (format!("timestamp={after:.3}"), HISTORY.to_string());
        let params = &["AFTER", channel, &after, &most];
        self.send(Command { name: "CHATHISTORY", params, ..Command::default() });
    }

    /// The open batch of history that the line is in.
    fn history_of(&self, line: &Line) -> Option<usize> {
        let tag = line.tag("batch")?;
        self.batches.iter().position(|batch| batch.reference == tag && batch.history.is_some())
    }

    fn derived(&mut self, at: Timestamp, nick: &str, text: &str, replay: bool) -> MessageId {
        let second = at.as_second().to_be_bytes();
        let nick = folded(nick);
        let parts = [&second, nick.as_bytes(), text.as_bytes()];
        if replay { self.replay.id(&parts) } else { self.live.id(&parts) }
    }

    fn message(
        &self,
        id: MessageId,
        channel: &str,
        at: Timestamp,
        nick: &str,
        text: &str,
    ) -> Message {
        let badges = if self.roster.is_operator(channel, nick) {
            vec![Badge::Moderator]
        } else {
            Vec::new()
        };
        Message {
            channel: Some(Text::name(channel)),
            ..Message::new(
                id,
                self.settings.source.clone(),
                Platform::IRC,
                at,
                Author { id: None, name: Text::name(nick), login: None, badges },
                Text::new(text),
            )
        }
    }

    fn said(&mut self, now: Now, line: &Line) {
        let (Some(channel), Some(raw), Some(nick)) = (line.param(0), line.param(1), line.nick())
        else {
            return;
        };
        let Some(joined) = self.channels.get(&folded(channel)) else { return };
        let Some((kind, text)) = spoken(&line.command, raw) else { return };
        let time = line.tag("time").and_then(|time| time.parse::<Timestamp>().ok());
        let at = time.unwrap_or(now.wall);
        let replayed =
            time.zip(joined.since).is_some_and(|(time, since)| since.duration_since(time) > REPLAY);
        let batch = self.history_of(line);
        let backlog = batch.is_some() || replayed;
        let own = self.is_me(Some(nick));
        let id = match line.tag("msgid") {
            Some(id) => MessageId::new(id),
            None => self.derived(at, nick, raw, backlog),
        };
        if own && !backlog {
            self.confirm(line, channel, raw, &id);
        }
        let known = !self.seen.insert(id.clone());
        if backlog && !self.asks_for_history() {
            self.gaps.reaches(&folded(channel), now.mono, time, known);
        }
        if let Some(batch) = batch.and_then(|at| self.batches.get_mut(at)) {
            batch.lines += 1;
            batch.last = batch.last.max(time);
        }
        if known {
            return;
        }
        self.newest = self.newest.max(time);
        let mut message = self.message(id, channel, at, nick, &text);
        (message.kind, message.backlog, message.own) = (kind, backlog, own);
        message.author.id = line.tag("account").filter(|name| *name != "*").map(UserId::new);
        if line.has_tag("bot") || line.has_tag("draft/bot") {
            message.author.badges.push(Badge::Bot);
        }
        message.reply = line
            .tag("+reply")
            .or_else(|| line.tag("+draft/reply"))
            .map(|to| Reply { to: MessageId::new(to), text: None });
        self.update(Update::Message(Box::new(message)));
    }

    fn joined(&mut self, now: Now, line: &Line) {
        if !self.is_me(line.nick()) {
            return;
        }
        let Some(name) = line.param(0) else { return };
        let Some(channel) = self.channels.get_mut(&folded(name)) else { return };
        channel.joined = true;
        channel.refused = None;
        let since = line.tag("time").and_then(|time| time.parse().ok());
        channel.since = since;
        self.gaps.joined(&folded(name), now, since);
        self.enter(Stage::Live);
        if let Some(newest) = self.newest.filter(|_| self.asks_for_history()) {
            // A server may keep whole seconds only.
            let from = newest.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(now.wall);
            self.ask_for_history(name, from);
        }
    }

    fn left(&mut self, now: Now, name: Option<&str>) {
        let key = name.map(folded).unwrap_or_default();
        if let Some(channel) = self.channels.get_mut(&key).filter(|channel| channel.joined) {
            channel.joined = false;
            let hole = self.gaps.left(&key, now.wall);
            self.hole(hole);
        }
        if self.stage == Stage::Live && !self.channels.values().any(|channel| channel.joined) {
            self.enter(Stage::Joining);
        }
    }

    fn kicked(&mut self, now: Now, line: &Line) {
        let (Some(name), Some(nick)) = (line.param(0), line.param(1)) else { return };
        if !self.is_me(Some(nick)) {
            self.roster.parted(Some(name), Some(nick));
            if let Some(name) = Text::named(nick) {
                let removal = Removal::Cleared;
                self.update(Update::UserCleared { id: None, name: Some(name), removal });
            }
            return;
        }
        let reason = Text::new(line.param(2).unwrap_or_default());
        let Some(channel) = self.channels.get_mut(&folded(name)) else { return };
        channel.kicks += 1;
        let often = channel.kicks > KICKS;
        if !often {
            channel.rejoin = Some(now.mono + REJOIN * (1 << (channel.kicks - 1)));
        }
        self.begun = now.mono + REJOIN * (1 << KICKS);
        self.left(now, Some(name));
        self.out.push_back(Output::Kicked { channel: Text::name(name), reason: reason.clone() });
        if often
            && !self.channels.values().any(|channel| channel.joined || channel.rejoin.is_some())
        {
            self.close(Ended::Kicked(reason));
        }
    }

    fn renamed(&mut self, line: &Line) {
        let new = line.param(0).filter(|nick| !nick.is_empty());
        let (Some(old), Some(new)) = (line.nick(), new) else { return };
        self.roster.renamed(old, new);
        if self.is_me(Some(old)) {
            new.clone_into(&mut self.nick);
        }
    }

    fn mode(&mut self, line: &Line) {
        let Some(name) = line.param(0).filter(|name| self.channels.contains_key(&folded(name)))
        else {
            return;
        };
        for banned in self.roster.mode(name, line) {
            let Some(name) = Text::named(&banned) else { continue };
            let removal = Removal::Banned;
            self.update(Update::UserCleared { id: None, name: Some(name), removal });
        }
    }

    fn numeric(&mut self, numeric: &str, line: &Line) {
        let Ok(code) = numeric.parse::<u16>() else { return };
        if !(400..600).contains(&code) {
            return;
        }
        if self.is_refusal(code, line) {
            return;
        }
        let named = line.param(1).map(folded).unwrap_or_default();
        // 403 no such channel, 405 too many, 437 unavailable, 471 full, 473 invite only, 474 banned, 475 key, 476 bad
        // mask, 477 needs a login, 489 needs TLS, 520 operators only.
        if !matches!(code, 403 | 405 | 437 | 471 | 473..=477 | 489 | 520) {
            return;
        }
        if let Some(channel) = self.channels.get_mut(&named).filter(|channel| !channel.joined) {
            channel.refused = Some(code);
            if self.channels.values().all(|channel| channel.refused.is_some()) {
                self.close(Ended::NoChannel(code));
            }
        }
    }
}

#[cfg(test)]
mod tests;
mod writing;
