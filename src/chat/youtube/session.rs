//! Reading one chat without I/O: the stream, and polling where the stream does not work. It says when the next call is
//! due, takes what came, and hands out updates. The page token lives through all connections, so nothing is lost.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

use super::{
    api,
    item::{Fault, Page, page},
    quota::{Quota, READ},
    stream::{Objects, Piece},
};
use crate::{
    base::{Moment, Now, SourceId},
    chat::{MessageId, Update, UserId, request::Request, seen::Seen},
};

/// What a poll waits where the answer names no interval.
const INTERVAL: Duration = Duration::from_secs(5);
/// The least wait between two connections to the stream.
const RECONNECT: Duration = Duration::from_secs(1);
/// Silence after which a stream is opened anew. A quiet chat sends nothing and no keepalive is documented; at 5 units a
/// call, four hours of silence cost 600.
const QUIET: Duration = Duration::from_mins(2);
/// Streams in a row that brought nothing at all, after which polling begins.
const STREAMS: u32 = 3;
/// Connections to the stream that may follow each other without regard to the quota's pace, if those before them kept it.
const BURST: usize = 6;

/// How a chat is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By the server's stream.
    Stream,
    /// By polling.
    Poll,
}

/// What the session reports, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A message, a removal.
    Update(Update),
    /// The stream brought nothing several times; polling from now on.
    Polling,
    /// The video stream is off; the chat may go on.
    Offline,
    /// The chat has ended.
    Ended,
    /// A call failed.
    Failed(Fault),
    /// Bytes of the stream that could not be read.
    Unreadable(usize),
    /// The stream was silent for too long: close it. The next call opens another.
    Close,
}

/// When to call next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// A call is running.
    Running,
    /// At this moment.
    At(Moment),
    /// Not before the quota is full again.
    NoQuota(Timestamp),
    /// Never: the chat has ended, or cannot be read.
    Never,
}

/// The state of one source.
#[derive(Debug, Clone)]
pub struct Session {
    source: SourceId,
    chat: String,
    own: Option<UserId>,
    mode: Mode,
    token: Option<String>,
    /// Whether a page has come since the first connection.
    begun: bool,
    /// Whether the token was lost, so that a page repeats what was read.
    repeats: bool,
    newest: Option<Timestamp>,
    /// The times of the last calls, the newest last.
    calls: VecDeque<Moment>,
    running: bool,
    pages: u32,
    barren: u32,
    interval: Duration,
    heard: Moment,
    over: bool,
    offline: bool,
    objects: Objects,
    seen: Seen<MessageId>,
    out: VecDeque<Output>,
}

impl Session {
    /// A session for the chat with this identifier; `own` is the channel hawker writes as.
    pub fn new(source: SourceId, chat: &str, own: Option<UserId>) -> Self {
        Self {
            source,
            chat: chat.to_owned(),
            own,
            mode: Mode::Stream,
            token: None,
            begun: false,
            repeats: false,
            newest: None,
            calls: VecDeque::new(),
            running: false,
            pages: 0,
            barren: 0,
            interval: INTERVAL,
            heard: Moment::default(),
            over: false,
            offline: false,
            objects: Objects::default(),
            seen: Seen::default(),
            out: VecDeque::new(),
        }
    }

    /// The next report; `None` when nothing is left.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// How the chat is read now.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether nothing more is to come: the chat has ended, or cannot be read.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// When something came last.
    pub fn heard(&self) -> Moment {
        self.heard
    }

    /// When the next call is due, so that the quota lasts until `end`.
    pub fn due(&self, now: Now, quota: &Quota, end: Option<Timestamp>) -> Due {
        if self.over {
            return Due::Never;
        }
        if self.running {
            return Due::Running;
        }
        let pace = quota.pace(now.wall, end);
        let Some(spacing) = pace.spacing else { return Due::NoQuota(pace.resets) };
        let Some(called) = self.calls.back() else { return Due::At(now.mono) };
        Due::At(match self.mode {
            Mode::Poll => *called + self.interval.max(spacing),
            // A lost stream is opened again soon; one that is lost all the time must not eat the quota.
            Mode::Stream => {
                let soon = *called + RECONNECT * (1 << self.barren.min(5));
                let first = self.calls.len().checked_sub(BURST).and_then(|n| self.calls.get(n));
                let paced = first.map(|first| *first + spacing.saturating_mul(BURST as u32));
                paced.map_or(soon, |paced| soon.max(paced.min(*called + spacing)))
            }
        })
    }

    /// Begins the next call and charges the quota.
    pub fn call(&mut self, now: Now, quota: &mut Quota) -> Request {
        quota.charge(now.wall, READ);
        self.heard = now.mono;
        if self.calls.len() == BURST {
            self.calls.pop_front();
        }
        self.calls.push_back(now.mono);
        (self.running, self.pages) = (true, 0);
        self.objects.end();
        api::read(&self.chat, self.mode == Mode::Stream, self.token.as_deref())
    }

    /// Takes bytes of the stream, whose status was 200.
    pub fn bytes(&mut self, now: Now, quota: &mut Quota, bytes: &[u8]) {
        self.heard = now.mono;
        let mut objects = std::mem::take(&mut self.objects);
        objects.push(bytes, |piece| match piece {
            Piece::Object(body) => self.answer(now, quota, 200, body),
            Piece::TooLong(bytes) | Piece::Noise(bytes) => {
                self.out.push_back(Output::Unreadable(bytes));
            }
        });
        self.objects = objects;
    }

    /// The stream has ended, for whatever reason.
    pub fn closed(&mut self) {
        if !std::mem::take(&mut self.running) || self.mode == Mode::Poll {
            return;
        }
        self.barren = if self.pages > 0 { 0 } else { self.barren + 1 };
        if self.barren >= STREAMS && !self.over {
            self.mode = Mode::Poll;
            self.out.push_back(Output::Polling);
        }
    }

    /// Takes a whole answer: of a poll, or of a stream that was refused. Status 0 where there was none.
    pub fn answered(&mut self, now: Now, quota: &mut Quota, status: u16, body: &[u8]) {
        self.answer(now, quota, status, body);
        match self.mode {
            // Where the API is not reached, polling is no better.
            Mode::Stream if status != 0 && status < 500 => self.closed(),
            _ => self.running = false,
        }
    }

    /// Time has passed. Call it at least every few seconds.
    pub fn tick(&mut self, now: Now) {
        if self.running && self.mode == Mode::Stream && now.mono.since(self.heard) >= QUIET {
            self.out.push_back(Output::Close);
            // A quiet chat is no barren stream.
            self.pages += 1;
            self.closed();
        }
    }

    fn answer(&mut self, now: Now, quota: &mut Quota, status: u16, body: &[u8]) {
        self.heard = now.mono;
        match page(status, body, &self.source, now.wall, self.own.as_ref()) {
            Ok(page) => self.take(page),
            Err(fault) => {
                match fault {
                    Fault::QuotaExceeded => quota.exhausted(now.wall),
                    Fault::BadToken => (self.token, self.repeats) = (None, true),
                    Fault::RateLimited => {
                        self.interval = (self.interval * 2).min(Duration::from_mins(1));
                    }
                    _ => {}
                }
                // The stream may be what is missing, not the chat: polling will tell.
                let stream_only = self.mode == Mode::Stream
                    && self.pages == 0
                    && !self.begun
                    && matches!(fault, Fault::NotFound | Fault::Forbidden);
                if stream_only {
                    self.barren = STREAMS;
                } else {
                    self.over |= fault.is_lasting();
                }
                self.out.push_back(Output::Failed(fault));
            }
        }
    }

    fn take(&mut self, page: Page) {
        self.pages += 1;
        let first = !std::mem::replace(&mut self.begun, true);
        let repeats = std::mem::take(&mut self.repeats);
        if page.next.is_some() {
            self.token = page.next;
        }
        if let Some(interval) = page.interval {
            self.interval = interval;
        }
        let before = self.newest;
        for mut update in page.updates {
            if let Update::Message(message) = &mut update {
                if !self.seen.insert(message.id.clone()) {
                    continue;
                }
                message.backlog = first || (repeats && before.is_some_and(|b| message.at <= b));
                self.newest = self.newest.max(Some(message.at));
            }
            self.out.push_back(Output::Update(update));
        }
        if page.offline && !std::mem::replace(&mut self.offline, true) {
            self.out.push_back(Output::Offline);
        }
        if page.ended && !std::mem::replace(&mut self.over, true) {
            self.out.push_back(Output::Ended);
        }
    }
}

#[cfg(test)]
mod tests;
