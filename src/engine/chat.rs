//! The chat of a show, or chat alone: one supervised task per source, the merged room, and what the faces are told.
//! It runs beside the engine's loop and never waits for it; what a face does not take in time is counted by the number
//! of each step.

pub mod keep;
mod source;
mod writer;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};

use super::files::Files;
use crate::{
    base::SourceId,
    chat::{
        Update,
        finders::{Finder, Finds, Items},
        language::{Detector, Expected},
        room::{Applied, Room, RoomConfig},
        spec::ChatSpec,
        told::{SourceState, Status, Told},
    },
    link::chat::{Clock, Order, Report},
    show::Fact,
};
use source::FromSource;

/// Reports of all sources that wait to be merged. A source that is faster is slowed down by its own connection.
const REPORTS: usize = 1_024;
/// Orders that wait for a source.
const ORDERS: usize = 64;
/// Steps that a face may be behind before it misses some.
pub const STEPS: usize = 4_096;
/// Steps that a face is given when it comes.
const PAST: usize = 500;
/// How often the sources' states are told at most.
const STATES: Duration = Duration::from_millis(100);

/// What a face holds of a chat.
#[derive(Debug)]
pub struct Chat {
    /// The newest steps before it came, the oldest first.
    pub past: Vec<Arc<Told>>,
    /// Every step from now on.
    pub steps: broadcast::Receiver<Arc<Told>>,
    /// The sources, newest state only; closed when the chat is over.
    pub sources: watch::Receiver<Arc<Vec<SourceState>>>,
}

/// A running chat. It ends when this is dropped.
#[derive(Debug)]
pub struct Hub {
    steps: broadcast::Sender<Arc<Told>>,
    past: Arc<std::sync::Mutex<VecDeque<Arc<Told>>>>,
    sources: watch::Receiver<Arc<Vec<SourceState>>>,
    /// To the sources, in the order of the show file.
    _orders: Vec<mpsc::Sender<Order>>,
    /// Dropped with it, and with them all tasks.
    _tasks: JoinSet<()>,
}

impl Hub {
    /// Opens the sources. Needs a tokio runtime. Whoever has the other end of `all` gets every step, and is waited for.
    pub fn start(specs: Vec<ChatSpec>, files: Files, all: Option<mpsc::Sender<Arc<Told>>>) -> Self {
        let (give, reports) = mpsc::channel(REPORTS);
        let (steps, _) = broadcast::channel(STEPS);
        let past = Arc::<std::sync::Mutex<VecDeque<Arc<Told>>>>::default();
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
        let mut tasks = JoinSet::new();
        if specs.is_empty() {
            // Most shows have no chat: no tables are made for them.
            return Self { steps, past, sources, _orders: Vec::new(), _tasks: tasks };
        }
        let given = specs.iter().map(Given::of).collect();
        let mut given_orders = Vec::new();
        for (at, spec) in specs.into_iter().enumerate() {
            let (order, orders) = mpsc::channel(ORDERS);
            given_orders.push(order);
            tasks.spawn(source::supervise(at, spec, files.clone(), give.clone(), orders));
        }
        let (told, kept) = (steps.clone(), Arc::clone(&past));
        // The tables take tens of milliseconds to build: beside whoever starts this.
        tasks.spawn(async move {
            let merge = Merge {
                room: Room::new(RoomConfig::default()),
                clock: Clock::default(),
                detector: Detector::new(),
                finder: Finder::new(),
                items: Items::default(),
                given,
                states,
                number: 0,
                steps: told,
                all,
                past: kept,
                tell,
            };
            merge.run(reports).await;
        });
        Self { steps, past, sources, _orders: given_orders, _tasks: tasks }
    }

    /// Tells the engine how the sources are doing, as facts.
    pub fn report(&self, facts: mpsc::Sender<Fact>) {
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
        let past = self.past.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Under the lock: no step is missing between the two, and none is in both.
        let steps = self.steps.subscribe();
        let past = past.iter().cloned().collect();
        Chat { past, steps, sources: self.sources.clone() }
    }
}

/// What the show file says of a source, as messages are read by it.
struct Given {
    id: SourceId,
    expected: Expected,
    bots: Vec<String>,
}

impl Given {
    fn of(spec: &ChatSpec) -> Self {
        Self {
            id: spec.id.clone(),
            expected: Expected::tags(&spec.languages),
            bots: spec.bots.clone(),
        }
    }
}

struct Merge {
    room: Room,
    clock: Clock,
    detector: Detector,
    finder: Finder,
    items: Items,
    given: Vec<Given>,
    states: Vec<SourceState>,
    number: u64,
    steps: broadcast::Sender<Arc<Told>>,
    all: Option<mpsc::Sender<Arc<Told>>>,
    past: Arc<std::sync::Mutex<VecDeque<Arc<Told>>>>,
    tell: watch::Sender<Arc<Vec<SourceState>>>,
}

impl Merge {
    /// Until all sources have ended.
    async fn run(mut self, mut reports: mpsc::Receiver<(usize, FromSource)>) {
        let (mut told_at, mut changed) = (Instant::now(), false);
        loop {
            // Only where something is yet to be told does time matter.
            let next = if changed {
                tokio::time::timeout(STATES, reports.recv()).await
            } else {
                Ok(reports.recv().await)
            };
            match next {
                Ok(Some((at, report))) => {
                    let (is_changed, told) = self.take(at, report);
                    changed |= is_changed;
                    if let (Some(told), Some(all)) = (told, &self.all) {
                        // Who does not want more has closed it.
                        let _ = all.send(told).await;
                    }
                }
                Ok(None) => break,
                Err(_) => {}
            }
            if changed && told_at.elapsed() >= STATES {
                (told_at, changed) = (Instant::now(), false);
                self.tell.send_replace(Arc::new(self.states.clone()));
            }
        }
        self.tell.send_replace(Arc::new(self.states.clone()));
    }

    /// Whether the state of a source has changed, and the step that was made.
    fn take(&mut self, at: usize, report: FromSource) -> (bool, Option<Arc<Told>>) {
        let now = self.clock.now();
        let Some(state) = self.states.get_mut(at) else { return (false, None) };
        match report {
            FromSource::Status(status) => {
                state.status = status;
                // Told at once: somebody may wait for it.
                self.tell.send_replace(Arc::new(self.states.clone()));
                return (false, None);
            }
            FromSource::Report(Report::Live) => {
                state.status = Status::Live;
                state.heard = Some(now.wall);
                self.tell.send_replace(Arc::new(self.states.clone()));
                return (false, None);
            }
            FromSource::Report(Report::Heard) => state.heard = Some(now.wall),
            FromSource::Report(Report::Unreadable) => state.unreadable += 1,
            FromSource::Report(Report::Answered { .. }) => return (false, None),
            FromSource::Report(Report::Update(update)) => {
                state.heard = Some(now.wall);
                state.messages += u64::from(matches!(update, Update::Message(_)));
                return (true, self.update(at, update, now));
            }
        }
        (true, None)
    }

    fn update(
        &mut self,
        at: usize,
        mut update: Update,
        now: crate::base::Now,
    ) -> Option<Arc<Told>> {
        let Given { id: source, expected, bots } = self.given.get(at)?;
        let (mut language, mut finds) = (None, Finds::default());
        if let Update::Message(message) = &mut update {
            let name = message.author.name.as_str();
            if bots.iter().any(|bot| bot == name) {
                let badges = &mut message.author.badges;
                badges.push(crate::chat::Badge::Bot);
                badges.sort_unstable();
                badges.dedup();
            }
            let text = message.text.as_str();
            language = self.detector.detect(text, *expected).map(|guess| guess.language);
            finds = self.finder.find(text, &self.items, language);
        }
        let applied = self.room.apply(source, update.clone(), now);
        if matches!(applied, Applied::Duplicate(_) | Applied::TooOld) {
            return None;
        }
        self.number += 1;
        let (number, source) = (self.number, source.clone());
        let told = Arc::new(Told { number, source, update, language, finds });
        let mut past = self.past.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if past.len() == PAST {
            past.pop_front();
        }
        past.push_back(Arc::clone(&told));
        // Nobody may be looking.
        let _ = self.steps.send(Arc::clone(&told));
        Some(told)
    }
}
