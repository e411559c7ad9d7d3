//! The network side of live chat: connections of chat sources. Each function serves one source until its connection
//! ends and says why; the state machines of `chat` decide what is sent and what an answer means. Who calls restarts it.

mod api;
pub mod bridge;
pub mod facebook;
pub mod irc;
pub mod lines;
pub mod shopee;
mod stream;
pub mod twitch;
pub mod webhook;
pub mod youtube;

use std::{fmt, time::Duration};

use tokio::sync::mpsc;

use crate::{
    base::{Moment, Now},
    chat::Update,
};

/// How often a session is given the time.
const TICK: Duration = Duration::from_secs(1);
/// Longest time for name, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);

/// What a source's connection reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// A message, a removal.
    Update(Update),
    /// Anything came, also what is no message: the source is alive.
    Heard,
    /// The chat is being read now.
    Live,
    /// Something came that cannot be read; it is counted.
    Unreadable,
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// For the operator.
    pub why: String,
    /// Whether another connection would end in the same way: it is not tried again by itself.
    pub lasting: bool,
}

impl Ended {
    /// It may pass.
    pub fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), lasting: false }
    }

    /// Somebody must change something first.
    pub fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), lasting: true }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Where reports go. Waits where the receiver is slow, so that TCP's own flow control reaches the platform.
#[derive(Debug, Clone)]
pub struct Reports(mpsc::Sender<Report>);

impl Reports {
    /// Reports to that channel.
    pub fn new(to: mpsc::Sender<Report>) -> Self {
        Self(to)
    }

    async fn tell(&self, report: Report) -> Result<(), Ended> {
        self.0.send(report).await.map_err(|_| Ended::passing("the chat was closed"))
    }

    /// Until nobody takes reports any more.
    async fn closed(&self) {
        self.0.closed().await;
    }
}

/// Both clocks, as the sessions want them.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: std::time::Instant,
    /// The wall clock at the beginning, where it is not the machine's.
    set: Option<jiff::Timestamp>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { began: std::time::Instant::now(), set: None }
    }
}

impl Clock {
    /// A clock that shows `wall` now and goes on from there: for what was recorded at that time.
    pub fn set_to(wall: jiff::Timestamp) -> Self {
        Self { set: Some(wall), ..Self::default() }
    }

    /// Now.
    pub fn now(&self) -> Now {
        let passed = self.began.elapsed();
        let mono = Moment(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX));
        let wall = match self.set {
            Some(set) => set.checked_add(passed).unwrap_or(set),
            None => jiff::Timestamp::now(),
        };
        Now { mono, wall }
    }
}
