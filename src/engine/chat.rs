//! The chat of a show, or chat alone: one supervised task per source, the merged room, and what the faces are told.
//! It runs beside the engine's loop and never waits for it; what a face does not take in time is counted by the number
//! of each step.

mod merge;
mod source;
mod writer;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};

use super::files::Files;
use crate::{
    chat::{
        Message,
        control::{ControlSpec, ControlState, News, Request},
        spec::ChatSpec,
        told::{SourceState, Status, Told},
    },
    show::Fact,
};
use merge::Merge;

/// Reports of all sources that wait to be merged. A source that is faster is slowed down by its own connection.
const REPORTS: usize = 1_024;
/// Orders that wait for a source.
const ORDERS: usize = 64;
/// Steps that a face may be behind before it misses some.
pub const STEPS: usize = 4_096;
/// Steps that a face is given when it comes.
const PAST: usize = 500;
/// How often the states of the sources and of the control are told at most.
const STATES: Duration = Duration::from_millis(100);
/// Requests that wait.
const REQUESTS: usize = 64;
/// News that wait for the engine.
const NEWS: usize = 256;

/// What a face holds of a chat.
#[derive(Debug)]
pub struct Chat {
    /// The newest steps before it came, the oldest first.
    pub past: Vec<Arc<Told>>,
    /// Every step from now on.
    pub steps: broadcast::Receiver<Arc<Told>>,
    /// The sources, newest state only; closed when the chat is over.
    pub sources: watch::Receiver<Arc<Vec<SourceState>>>,
    /// Claims, poll, outgoing lines, acts of moderation; newest state only.
    pub control: watch::Receiver<Arc<ControlState>>,
}

/// A running chat. It ends when this is dropped.
#[derive(Debug)]
pub struct Hub {
    steps: broadcast::Sender<Arc<Told>>,
    past: Arc<Mutex<VecDeque<Arc<Told>>>>,
    sources: watch::Receiver<Arc<Vec<SourceState>>>,
    control: watch::Receiver<Arc<ControlState>>,
    shown: watch::Receiver<Arc<Vec<Arc<Message>>>>,
    requests: mpsc::Sender<Request>,
    /// Until somebody reports them.
    news: Mutex<Option<mpsc::Receiver<News>>>,
    /// Dropped with it, and with them all tasks.
    tasks: JoinSet<()>,
}

impl Hub {
    /// Opens the sources. Needs a tokio runtime. Whoever has the other end of `all` gets every step, and is waited for.
    pub fn start(
        specs: Vec<ChatSpec>,
        control: ControlSpec,
        files: Files,
        all: Option<mpsc::Sender<Arc<Told>>>,
    ) -> Self {
        let (give, reports) = mpsc::channel(REPORTS);
        let (steps, _) = broadcast::channel(STEPS);
        let past = Arc::<Mutex<VecDeque<Arc<Told>>>>::default();
        let states: Vec<SourceState> = specs
            .iter()
            .map(|spec| SourceState {
                id: spec.id.clone(),
                kind: spec.service.kind().to_owned(),
                status: Status::Connecting,
                heard: None,
                messages: 0,
                unreadable: 0,
            })
            .collect();
        let (tell, sources) = watch::channel(Arc::new(states.clone()));
        let (tell_control, controlled) = watch::channel(Arc::default());
        let (show, shown) = watch::channel(Arc::default());
        let (requests, asked) = mpsc::channel(REQUESTS);
        let (tell_news, news) = mpsc::channel(NEWS);
        let mut hub = Self {
            steps: steps.clone(),
            past: Arc::clone(&past),
            sources,
            control: controlled,
            shown,
            requests,
            news: Mutex::new(Some(news)),
            tasks: JoinSet::new(),
        };
        if specs.is_empty() {
            // Most shows have no chat: no tables are made for them.
            return hub;
        }
        let mut orders = Vec::new();
        for (at, spec) in specs.iter().cloned().enumerate() {
            let (order, taken) = mpsc::channel(ORDERS);
            orders.push(order);
            hub.tasks.spawn(source::supervise(at, spec, files.clone(), give.clone(), taken));
        }
        let faces = merge::Faces { steps, past, tell, control: tell_control, shown: show };
        // The tables take tens of milliseconds to build: beside whoever starts this.
        hub.tasks.spawn(async move {
            let ends = merge::Ends { orders, news: tell_news, all };
            Merge::new(&specs, control, states, faces, ends).run(reports, asked).await;
        });
        hub
    }

    /// Asks something of the chat. What became of it is told by the control's state and as news.
    pub fn request(&self, request: Request) {
        if self.requests.try_send(request).is_err() {
            tracing::warn!("the chat has no room for another request: it was not done");
        }
    }

    /// What viewers are shown, the oldest first: lines whose hold is over and that nobody removed.
    pub fn shown(&self) -> watch::Receiver<Arc<Vec<Arc<Message>>>> {
        self.shown.clone()
    }

    /// Tells the engine how the sources are doing and what happened, as facts.
    pub fn report(&self, facts: mpsc::Sender<Fact>) {
        let news = self.news.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut news) = news {
            let facts = facts.clone();
            tokio::spawn(async move {
                while let Some(news) = news.recv().await {
                    if facts.send(Fact::ChatNews { news }).await.is_err() {
                        return;
                    }
                }
            });
        }
        let mut sources = self.sources.clone();
        tokio::spawn(async move {
            let mut before: Vec<Status> = Vec::new();
            loop {
                let now = sources.borrow_and_update().clone();
                for (at, state) in now.iter().enumerate() {
                    if before.get(at) == Some(&state.status) {
                        continue;
                    }
                    let chat = state.id.clone();
                    let was_quiet =
                        matches!(before.get(at), Some(Status::Silent { overdue: false, .. }));
                    let fact = match &state.status {
                        Status::Connecting
                        | Status::Ended
                        | Status::Silent { overdue: false, .. } => {
                            continue;
                        }
                        // Nobody wrote for a while, and now somebody did.
                        Status::Live if was_quiet => continue,
                        Status::Silent { overdue: true, .. } => Fact::ChatLost {
                            chat,
                            reason: "nothing comes any more, and a sign of life is overdue".into(),
                            retry_in_ms: None,
                        },
                        Status::Live => Fact::ChatUp { chat },
                        Status::Waiting { why, retry_in_ms } => Fact::ChatLost {
                            chat,
                            reason: why.clone(),
                            retry_in_ms: Some(*retry_in_ms),
                        },
                        Status::Failed { why } => {
                            Fact::ChatLost { chat, reason: why.clone(), retry_in_ms: None }
                        }
                    };
                    if facts.send(fact).await.is_err() {
                        return;
                    }
                }
                before = now.iter().map(|state| state.status.clone()).collect();
                if sources.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// A hold on it.
    pub fn look(&self) -> Chat {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: no step is missing between the two, and none is in both.
        let steps = self.steps.subscribe();
        let past = past.iter().cloned().collect();
        let (sources, control) = (self.sources.clone(), self.control.clone());
        Chat { past, steps, sources, control }
    }
}
