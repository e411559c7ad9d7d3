//! The network side of live chat: connections of chat sources. Each function serves one source until its connection
//! ends and says why; the state machines of `chat` decide what is sent and what an answer means. Who calls restarts it.

mod api;
pub mod bridge;
pub mod facebook;
pub mod irc;
pub mod kick;
pub mod lines;
pub mod shopee;
mod stream;
pub mod twitch;
pub mod webhook;
pub mod youtube;

use std::{fmt, time::Duration};

use tokio::sync::mpsc;

use crate::chat::{
    PlatformAction, Update,
    send::{Answer, Failure},
};

pub use crate::system::clock::Clock;
pub use api::{Http, PATIENCE};

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
    /// What became of an [`Order`].
    Answered {
        /// The order's number.
        order: u64,
        /// The platform's answer.
        answer: Answer,
    },
}

/// Something to be done on a platform. Each is answered by a [`Report::Answered`] of its number, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub number: u64,
    /// What is to be done.
    pub action: PlatformAction,
}

/// Where a connection takes its orders from; bounded.
pub type Orders = mpsc::Receiver<Order>;

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

    /// Answers an order that this source cannot carry out.
    pub async fn cannot(&self, order: &Order) -> Result<(), Ended> {
        self.answer(order, Answer::Failed(Failure::NotAllowed)).await
    }

    /// Answers an order.
    pub async fn answer(&self, order: &Order, answer: Answer) -> Result<(), Ended> {
        self.tell(Report::Answered { order: order.number, answer }).await
    }

    /// Until nobody takes reports any more.
    async fn closed(&self) {
        self.0.closed().await;
    }
}
