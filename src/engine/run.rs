//! The loop: one input at a time goes into the core; what comes out is journalled, ordered, and shown to
//! the faces. It waits for nobody: every queue is bounded, and who is slow loses, not the show.

use std::{
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::sync::{mpsc, watch};

use super::{
    Clock,
    adapters::{Adapters, Factory, Making, StartError},
    chat::Hub,
    faces::{ASKS, Faces, Log, Past},
    files::Files,
    handle::{Ask, confirmed},
    hooks::Hooks,
    journal::Journal,
    judges::Judges,
    kept::Kept,
    pause::{Pause, Pauses},
    process::Process,
    report::{self, End},
    signals::Signals,
};
use crate::{
    base::{Severity, mask::masked, text::plain},
    show::{
        Effect, Fact, Input, Mode, Refusal, Show, ShowSpec, Start,
        replay::{Entry, Opening},
    },
    stats::{Meters, Report, WatchFigures, alarm::Alarms},
};

/// How many facts may wait.
const FACTS: usize = 256;
/// Meters while somebody looks.
const METERS: Duration = Duration::from_millis(100);
/// The same while somebody who watches is kept waiting for a frame: that it is a stall is to be seen at once.
const METERS_OVERDUE: Duration = Duration::from_millis(20);
/// A frame that is this late is overdue, in ms since the one before; from the second on there is no hurry any more.
const OVERDUE_MS: std::ops::Range<u64> = 70..1000;
/// Meters while nobody does, on the full second: what is kept is one reading for each.
const METERS_ALONE_MS: u64 = 1000;
/// The same where there are alarms: one must be raised within a second of its reason.
const METERS_GUARDED_MS: u64 = 200;
/// How long the adapters may take to tear down.
const TEAR_DOWN: Duration = Duration::from_millis(3500);

/// How long the report may take to be written.
const REPORT: Duration = Duration::from_secs(3);

/// What is to be run.
#[derive(Debug)]
pub struct Plan {
    /// The show.
    pub spec: ShowSpec,
    /// For an audience or not.
    pub mode: Mode,
    /// How it begins.
    pub start: Start,
    /// Where the journal goes; `None` keeps none.
    pub journal: Option<PathBuf>,
    /// Where the report goes.
    pub report: Option<PathBuf>,
    /// The database in which the show is kept; `None` keeps nothing.
    pub store: Option<PathBuf>,
    /// Where the secrets of alarms are read.
    pub files: Files,
}

/// What became of it.
#[derive(Debug)]
pub struct Over {
    /// 0 as planned, 3 could not go live, 4 fell off the air, 130 interrupted.
    pub exit_code: u8,
    /// The report, also when it could not be written.
    pub report: Report,
    /// Why the report could not be written.
    pub unwritten: Option<String>,
}

/// The engine of one show.
pub struct Engine {
    show: Show,
    clock: Clock,
    begins: Option<Start>,
    started: jiff::Timestamp,
    adapters: Box<dyn Adapters>,
    journal: Option<Journal>,
    report: Option<PathBuf>,
    store: Option<PathBuf>,
    kept: Option<Kept>,
    process: Process,
    meters: Meters,
    judges: Judges,
    alarms: Alarms,
    hooks: Hooks,
    meters_at: Instant,
    pauses: Pauses,
    faces: Faces,
    asks: mpsc::Receiver<Ask>,
    facts: mpsc::Receiver<Fact>,
    facts_in: mpsc::Sender<Fact>,
    over: Option<u8>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("show", &self.show.spec.title).finish_non_exhaustive()
    }
}

impl Engine {
    /// Makes the adapters and everything around them; nothing runs yet. Needs a tokio runtime.
    pub fn new(plan: Plan, make: Factory) -> Result<Self, StartError> {
        let clock = Clock::default();
        let journal = match &plan.journal {
            None => None,
            Some(path) => {
                let (spec, mode) = (plan.spec.clone().without_secrets(), plan.mode);
                let opening = Opening { journal: 1, spec, mode };
                Some(Journal::create(path, &opening).map_err(|e| StartError {
                    text: format!(
                        "the journal cannot be written to {}: {e}; make room there, or set \
                         HAWKER_STATE_DIR to a directory that can be written",
                        path.display()
                    ),
                    exit_code: 3,
                })?)
            }
        };
        let (facts_in, facts) = mpsc::channel(FACTS);
        let adapters = make(Making {
            facts: facts_in.clone(),
            clock,
            spec: Arc::new(plan.spec.clone()),
            mode: plan.mode,
        })?;
        let alarms = Alarms::new(plan.spec.alarms.iter().map(|a| a.rule.clone()).collect());
        let hooks = Hooks::new(&plan.spec.alarms, facts_in.clone(), plan.files.clone());
        let (asks_in, asks) = mpsc::channel(ASKS);
        // A rehearsal is without a network: `hawker chat` reads its chat by itself.
        let sources = match plan.mode {
            Mode::Live => plan.spec.chats.clone(),
            Mode::Rehearse => Vec::new(),
        };
        let control = plan.spec.control.clone();
        let chat = Hub::start(sources, control, plan.files.clone(), None);
        chat.report(facts_in.clone());
        let show = Show::new(plan.spec.without_secrets(), plan.mode);
        let faces = Faces {
            asks: asks_in,
            log: Log::default(),
            show: watch::Sender::new(Arc::new(show.clone())),
            meters: watch::Sender::new(Arc::new(Meters::default())),
            picture: adapters.picture(),
            past: Past::default(),
            chat: Arc::new(chat),
        };
        Ok(Self {
            show,
            clock,
            begins: Some(plan.start),
            started: jiff::Timestamp::now(),
            adapters,
            journal,
            report: plan.report,
            store: plan.store,
            kept: None,
            process: Process::default(),
            meters: Meters::default(),
            judges: Judges::default(),
            alarms,
            hooks,
            meters_at: Instant::now(),
            pauses: Pauses::default(),
            faces,
            asks,
            facts,
            facts_in,
            over: None,
        })
    }

    /// Where handles come from. A handle taken before `run` sees every event.
    pub fn faces(&self) -> Faces {
        self.faces.clone()
    }

    /// Where facts go that are not an adapter's: the socket counts consoles.
    pub fn facts(&self) -> mpsc::Sender<Fact> {
        self.facts_in.clone()
    }

    /// Runs the show to its end, tears everything down and writes the report. A panic on the way ends the
    /// show in the same manner, with exit code 4.
    pub async fn run(mut self, mut signals: Signals) -> Over {
        let outcome = AssertUnwindSafe(self.turns(&mut signals)).catch_unwind().await;
        // Whoever still reports or asks is not kept waiting for an answer that will not come.
        self.facts.close();
        self.asks.close();
        let broke = outcome.is_err();
        let exit_code = outcome.unwrap_or(4);
        if broke {
            tracing::error!("the engine broke; the show is taken off the air");
        }
        let now = self.clock.now();
        let end = End { started: self.started, at: now.mono, exit_code, broke };
        let (show, process) = (&self.show, &self.process);
        let adapters = &mut self.adapters;
        let mut report = std::panic::catch_unwind(AssertUnwindSafe(|| {
            report::build(show, &end, process, Some(adapters))
        }))
        .unwrap_or_else(|_| report::build(show, &end, process, None));
        self.judges.fill(&mut report);
        // `finish` may run on its own; only the wait for it is cut short by a further signal.
        let finish = AssertUnwindSafe(async move { self.adapters.finish().await }).catch_unwind();
        tokio::select! {
            done = tokio::time::timeout(TEAR_DOWN, finish) => match done {
                Ok(Ok(())) => {}
                Ok(Err(_)) => tracing::error!("an adapter broke while it was torn down"),
                Err(_) => tracing::warn!("tearing down took too long and was left"),
            },
            Some(()) = signals.next() => tracing::warn!("interrupted again: not torn down in order"),
        }
        if let Some(journal) = self.journal.take() {
            // It waits for a disk: consoles are served on meanwhile.
            let _ = tokio::task::spawn_blocking(move || journal.close()).await;
        }
        if let Some(kept) = self.kept.take() {
            let report = report.clone();
            let _ = tokio::task::spawn_blocking(move || kept.close(&report)).await;
        }
        let unwritten = match self.report {
            Some(path) => write(&report, path).await,
            None => None,
        };
        Over { exit_code, report, unwritten }
    }

    /// Tears down what was made without ever running it.
    pub async fn abandon(self) {
        let _ = tokio::time::timeout(TEAR_DOWN, self.adapters.finish()).await;
    }

    async fn turns(&mut self, signals: &mut Signals) -> u8 {
        if let Some(start) = self.begins.take() {
            self.turn(Input::Start(start));
        }
        loop {
            if let Some(exit_code) = self.over {
                return exit_code;
            }
            let wake = self.show.next_wake().map(|at| self.clock.instant(at));
            tokio::select! {
                biased;
                Some(()) = signals.next() => { self.turn(Input::Fact(Fact::Interrupted)); }
                Some(ask) = self.asks.recv() => {
                    self.ask(ask);
                    // A face that talks without end does not keep the facts out.
                    if let Ok(fact) = self.facts.try_recv() {
                        self.turn(Input::Fact(fact));
                    }
                }
                Some(fact) = self.facts.recv() => { self.turn(Input::Fact(fact)); }
                () = until(wake) => {}
                () = until(Some(self.meters_at)) => {}
            }
            // Looked at on every turn, so that a flood of asks or facts holds up neither.
            let now = Instant::now();
            if wake.is_some_and(|at| at <= now) && self.over.is_none() {
                self.turn(Input::Wake);
            }
            if self.meters_at <= now {
                self.read_meters(now);
            }
        }
    }

    fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Look(look) => self.adapters.look(look),
            Ask::Chat(_) => {}
            Ask::Command { command, confirm, answer } => {
                let (command, added) = command.parted();
                let done = confirmed(&command, confirm)
                    .and_then(|()| self.turn(Input::Command(command)).map_or(Ok(()), Err));
                if let Some(output) = added.filter(|_| done.is_ok()) {
                    self.adapters.learn(output);
                }
                // A face that is gone does not want to know.
                let _ = answer.send(done);
            }
        }
    }

    /// Takes an input. What is said of a failure depends on whether this machine ran, so that is looked at first.
    fn turn(&mut self, input: Input) -> Option<Refusal> {
        if let Some(Pause { lasted, suspended }) = self.pauses.look(self.meters_at)
            && !matches!(input, Input::Start(_))
        {
            self.take(Input::Fact(Fact::Paused { ms: lasted.as_millis() as u64, suspended }));
        }
        self.take(match input {
            Input::Fact(fact) => {
                let fact = self.pauses.explain(fact);
                Input::Fact(fact.with_foreign(|text| plain(&masked(text))))
            }
            input => input,
        })
    }

    fn take(&mut self, input: Input) -> Option<Refusal> {
        let now = self.clock.now();
        let entry = self.journal.is_some().then(|| Entry { now, input: input.clone() });
        let woken = input == Input::Wake;
        let begins = matches!(input, Input::Start(_));
        let alarms = self.show.alarms.clone();
        let outcome = self.show.handle(now, input);
        if let Some(refusal) = outcome.refusal {
            // Nothing changed: there is nothing to journal.
            return Some(refusal);
        }
        // An alarm may be folded, and a storm may end, without a word.
        let idle =
            outcome.events.is_empty() && outcome.effects.is_empty() && self.show.alarms == alarms;
        if let (Some(journal), Some(entry)) = (&mut self.journal, entry)
            && !(woken && idle)
        {
            journal.add(&entry);
        }
        for effect in outcome.effects {
            self.pauses.ordered(&effect);
            match effect {
                Effect::Finish { exit_code } => self.over = Some(exit_code),
                Effect::Alert(alert) => self.hooks.tell(*alert),
                Effect::Chat(request) => self.faces.chat.request(request),
                effect => self.adapters.order(effect),
            }
        }
        if !idle {
            // Before the events: who sees an event finds the show at least that new.
            self.faces.show.send_replace(Arc::new(self.show.clone()));
        }
        if begins {
            self.keep();
        }
        for event in outcome.events {
            if let Some(kept) = &mut self.kept {
                kept.event(now.mono, &event);
            }
            let (seq, sentence) = (event.seq, event.what.sentence());
            match event.what.severity() {
                Severity::Info => tracing::info!(seq, "{sentence}"),
                Severity::Warning => tracing::warn!(seq, "{sentence}"),
                Severity::Critical => tracing::error!(seq, "{sentence}"),
            }
            self.faces.log.send(event);
        }
        None
    }

    /// Begins to keep the show, whose outputs are known now.
    fn keep(&mut self) {
        let Some(path) = self.store.take() else { return };
        match Kept::start(path, &self.show, self.started, self.facts_in.clone()) {
            Ok(kept) => self.kept = Some(kept),
            Err(error) => {
                tracing::warn!(%error, "the show is not kept: the system gives no thread");
            }
        }
    }

    fn read_meters(&mut self, now: Instant) {
        let watched = self.faces.meters.receiver_count() > 0;
        let at_ms = self.clock.moment(now).as_ms();
        let every = if self.alarms.is_empty() { METERS_ALONE_MS } else { METERS_GUARDED_MS };
        let alone = Duration::from_millis(every - at_ms % every);
        self.meters_at = now + if watched { METERS } else { alone };
        let idle = self.report.is_none() && self.kept.is_none() && self.alarms.is_empty();
        if !watched && idle {
            return;
        }
        self.meters.at_ms = at_ms;
        self.adapters.read_meters(&mut self.meters);
        if watched && overdue(&self.meters) {
            self.meters_at = now + METERS_OVERDUE;
        }
        self.meters.process = self.process.figures();
        let looked = self.judges.look(&self.show, &mut self.meters, self.clock.moment(now));
        if let Some(kept) = &mut self.kept {
            kept.meters(&self.meters);
        }
        let meters = Arc::new(self.meters.clone());
        self.faces.past.keep(&meters);
        self.faces.meters.send_replace(meters);
        let crossings = self.alarms.look(self.clock.moment(now), &looked.measured);
        for fact in looked.changed.into_iter().chain(crossings.into_iter().map(Fact::AlarmCrossed))
        {
            self.turn(Input::Fact(fact));
        }
    }
}

/// Writes the report; why it is not written.
async fn write(report: &Report, path: PathBuf) -> Option<String> {
    let (report, to) = (report.clone(), path.clone());
    let writing = tokio::task::spawn_blocking(move || report::write(&report, &to));
    let failed = match tokio::time::timeout(REPORT, writing).await {
        Ok(Ok(Ok(()))) => return None,
        Ok(Ok(Err(failed))) => failed.to_string(),
        Ok(Err(broke)) => broke.to_string(),
        Err(_) => format!("its disk has not answered for {} s", REPORT.as_secs()),
    };
    let text = format!("the report cannot be written to {}: {failed}", path.display());
    tracing::error!("{text}");
    Some(text)
}

/// Whether one who watches may be about to see a stall.
fn overdue(meters: &Meters) -> bool {
    // Where few frames come, the next one is due later.
    let late = |w: &WatchFigures| w.gap_ms as f32 * w.fps > 2000.0;
    meters.seen().any(|w| !w.frozen && OVERDUE_MS.contains(&w.gap_ms) && late(w))
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
