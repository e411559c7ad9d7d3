//! What a face holds, and all it holds. Whether the engine is in this process or at the other end of the
//! show's socket, the face cannot tell.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::chat::Chat;
use crate::{
    show::{Command, Event, Folded, Refusal, Risk, Show},
    stats::{Meters, Picture},
};

/// What a face asks of the engine.
#[derive(Debug)]
pub enum Ask {
    /// Carry out a command.
    Command {
        /// Which.
        command: Command,
        /// The operator has confirmed it.
        confirm: bool,
        /// Whether it was done, or why not.
        answer: oneshot::Sender<Result<(), Refusal>>,
    },
    /// Look at the program, or stop looking (`None`). Costs nothing while nobody looks.
    Look(Option<Look>),
    /// Read the chat, or stop reading. Of use at the other end of a socket; in the engine's process it is there anyway.
    Chat(bool),
}

/// A wish for pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Look {
    /// Pixels across, 16-640.
    pub width: u16,
    /// Pixels down, 16-640.
    pub height: u16,
}

/// A face's hold on a show.
#[derive(Debug)]
pub struct Handle {
    /// To the engine; bounded.
    pub asks: mpsc::Sender<Ask>,
    /// The newest lines of the log before it came, the oldest first.
    pub log: Vec<Folded>,
    /// Every event from now on. A laggard loses the oldest and looks at `show` instead.
    pub events: broadcast::Receiver<Event>,
    /// The whole truth, newest only.
    pub show: watch::Receiver<Arc<Show>>,
    /// The figures of the last minutes before it came, one reading a second, the oldest first; then it ends.
    pub past: mpsc::Receiver<Arc<Meters>>,
    /// Everything that moves, newest only, at most ten times a second.
    pub meters: watch::Receiver<Arc<Meters>>,
    /// The program's picture, newest only, while somebody looks.
    pub picture: watch::Receiver<Option<Arc<Picture>>>,
    /// The chat, once it is asked for.
    pub chat: Chat,
}

impl Handle {
    /// Gives a command. A command with a risk needs `confirm`.
    pub async fn command(&self, command: Command, confirm: bool) -> Result<(), Refusal> {
        let gone = || Refusal::new("the show's engine is gone: nothing was done");
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Command { command, confirm, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Reads the chat, or stops reading.
    pub async fn read_chat(&self, read: bool) {
        // See `look`.
        let _ = self.asks.send(Ask::Chat(read)).await;
    }

    /// Looks at the program's picture, or stops looking.
    pub async fn look(&self, look: Option<Look>) {
        // An engine that is gone shows nothing; the face learns of it by its events.
        let _ = self.asks.send(Ask::Look(look)).await;
    }
}

/// Refuses a risky command that nobody has confirmed.
pub fn confirmed(command: &Command, confirm: bool) -> Result<(), Refusal> {
    if confirm || command.risk() == Risk::Safe {
        return Ok(());
    }
    Err(Refusal::new(format!(
        "'{}' must be confirmed: answer yes in the console, add --yes in a script, or send \
         \"confirm\": true",
        command.name()
    )))
}
