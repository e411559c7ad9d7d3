//! Adapters that follow a script: the seam under the loop, with nothing real behind it.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hawker::{
    engine::{Adapters, Engine, Handle, Look, Making, Over, Plan, Signals, files::Files},
    show::{Effect, Event, Fact, FailureKind, Happening, Mode, OutputSpec, Start},
    stats::{Meters, Picture, Report},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::spec::spec;

/// What becomes of a `Publish`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingest {
    Takes,
    Refuses,
    NeverAnswers,
    /// The adapter itself breaks.
    Panics,
}

/// What a test sees of the adapters.
#[derive(Debug, Clone)]
pub struct Behind {
    pub orders: Arc<Mutex<Vec<Effect>>>,
    pub look: watch::Receiver<Option<Look>>,
    pub pictures: watch::Sender<Option<Arc<Picture>>>,
    pub facts: mpsc::Sender<Fact>,
    pub finished: Arc<AtomicBool>,
    pub meter_reads: Arc<AtomicU64>,
}

struct Script {
    ingest: Ingest,
    look: watch::Sender<Option<Look>>,
    behind: Behind,
}

impl Adapters for Script {
    fn order(&mut self, effect: Effect) {
        let fact = match &effect {
            Effect::Publish { output, session, .. } => match self.ingest {
                Ingest::Takes => Some(Fact::OutputConnected {
                    output: output.id.clone(),
                    session: *session,
                    connect_ms: 5,
                }),
                Ingest::Refuses => Some(Fact::OutputFailed {
                    output: output.id.clone(),
                    session: *session,
                    reason: "the token is not accepted".into(),
                    kind: FailureKind::Lasting,
                    retry_after_ms: None,
                }),
                Ingest::NeverAnswers => None,
                Ingest::Panics => panic!("an adapter breaks"),
            },
            Effect::Unpublish(output) => Some(Fact::OutputStopped { output: output.clone() }),
            _ => None,
        };
        self.behind.orders.lock().unwrap().push(effect);
        if let Some(fact) = fact {
            self.behind.facts.try_send(fact).unwrap();
        }
    }

    fn learn(&mut self, _: OutputSpec) {}

    fn read_meters(&mut self, meters: &mut Meters) {
        self.behind.meter_reads.fetch_add(1, Ordering::SeqCst);
        meters.frames.composed += 1;
    }

    fn look(&mut self, look: Option<Look>) {
        self.look.send_replace(look);
    }

    fn picture(&self) -> watch::Receiver<Option<Arc<Picture>>> {
        self.behind.pictures.subscribe()
    }

    fn fill_report(&mut self, report: &mut Report) {
        report.frames.encoded = 42;
    }

    fn finish(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { self.behind.finished.store(true, Ordering::SeqCst) })
    }
}

/// An engine on a script, not yet running.
pub struct Set {
    pub engine: Engine,
    pub behind: Behind,
    pub stop: mpsc::Sender<()>,
    signals: Signals,
}

impl Set {
    pub fn new(ingest: Ingest, start: Start) -> Self {
        Self::with(
            ingest,
            Plan {
                spec: spec(&["a"]),
                mode: Mode::Live,
                start,
                journal: None,
                report: None,
                store: None,
                files: Files::default(),
            },
        )
    }

    pub fn with(ingest: Ingest, plan: Plan) -> Self {
        let (give, taken) = std::sync::mpsc::channel();
        let make = move |making: Making| {
            let (look, looks) = watch::channel(None);
            let behind = Behind {
                orders: Arc::default(),
                look: looks,
                pictures: watch::Sender::new(None),
                facts: making.facts,
                finished: Arc::default(),
                meter_reads: Arc::default(),
            };
            give.send(behind.clone()).unwrap();
            Ok(Box::new(Script { ingest, look, behind }) as Box<dyn Adapters>)
        };
        let engine = Engine::new(plan, Box::new(make)).unwrap();
        let (stop, signals) = Signals::queue();
        Self { engine, behind: taken.recv().unwrap(), stop, signals }
    }

    /// Lets it run.
    pub fn run(self) -> JoinHandle<Over> {
        tokio::spawn(self.engine.run(self.signals))
    }
}

pub fn at_once() -> Start {
    Start { for_ms: None, standby: false, headless: false }
}

/// Nothing in these tests takes longer, unless it is broken.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it takes too long")
}

/// The next event that is meant.
pub async fn event(handle: &mut Handle, meant: impl Fn(&Happening) -> bool) -> Event {
    soon(async {
        loop {
            let event = handle.events.recv().await.expect("the show goes on");
            if meant(&event.what) {
                return event;
            }
        }
    })
    .await
}

pub const LIVE: fn(&Happening) -> bool = |h| matches!(h, Happening::OutputLive { .. });
pub const ENDED: fn(&Happening) -> bool = |h| matches!(h, Happening::ShowEnded { .. });
