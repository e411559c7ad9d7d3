//! Merges what the sources report: each update is read for its language and what it holds, goes through the control, and
//! is told to the faces; what the control wants of the sources is handed to them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{broadcast, mpsc, watch},
    time::Instant,
};

use super::{PAST, STATES, source::FromSource};
use crate::{
    base::{Moment, Now, SourceId},
    chat::{
        Badge, EntryId, Message, Update,
        control::{Control, ControlSpec, ControlState, News, OrderTo, Request, Taken},
        finders::{Finder, Finds, Items},
        hold::Outgoing,
        language::{Detector, Expected},
        room::Place,
        send::Answer,
        spec::ChatSpec,
        told::{SourceState, Status, Told},
    },
    link::chat::{Clock, Order, Report},
};

/// Reports that are taken at once.
const BATCH: usize = 64;
/// Lines that viewers are shown at once.
const SHOWN: usize = 30;
/// An order for which a source has no room is tried again after this.
const PUT_OFF: Duration = Duration::from_secs(1);

/// Where the faces are told.
pub(super) struct Faces {
    pub(super) steps: broadcast::Sender<Arc<Told>>,
    pub(super) past: Arc<Mutex<VecDeque<Arc<Told>>>>,
    pub(super) tell: watch::Sender<Arc<Vec<SourceState>>>,
    pub(super) control: watch::Sender<Arc<ControlState>>,
    pub(super) shown: watch::Sender<Arc<Vec<Arc<Message>>>>,
}

/// Where everything else goes.
pub(super) struct Ends {
    /// To the sources, in the order of the show file.
    pub(super) orders: Vec<mpsc::Sender<Order>>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) all: Option<mpsc::Sender<Arc<Told>>>,
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

pub(super) struct Merge {
    control: Control,
    clock: Clock,
    detector: Detector,
    finder: Finder,
    items: Items,
    given: Vec<Given>,
    states: Vec<SourceState>,
    number: u64,
    /// By their places among those shown.
    shown: BTreeMap<Place, Arc<Message>>,
    places: BTreeMap<EntryId, Place>,
    faces: Faces,
    ends: Ends,
    /// Steps that are to be handed to whoever gets all.
    steps: VecDeque<Arc<Told>>,
    /// A state of a source has changed and is not told yet.
    changed: bool,
    told_at: Instant,
}

impl Merge {
    pub(super) fn new(
        specs: &[ChatSpec],
        control: ControlSpec,
        states: Vec<SourceState>,
        faces: Faces,
        ends: Ends,
    ) -> Self {
        let clock = Clock::default();
        let now = clock.now().wall;
        let control = Control::new(specs, control, now).unwrap_or_else(|why| {
            // The show file was checked: this is not met. The chat goes on without rules.
            tracing::error!("the chat's rules cannot be used: {why}");
            Control::without_rules(specs, now)
        });
        Self {
            control,
            clock,
            detector: Detector::new(),
            finder: Finder::new(),
            items: Items::default(),
            given: specs.iter().map(Given::of).collect(),
            states,
            number: 0,
            shown: BTreeMap::new(),
            places: BTreeMap::new(),
            faces,
            ends,
            steps: VecDeque::new(),
            changed: false,
            told_at: Instant::now(),
        }
    }

    /// Until all sources have ended.
    pub(super) async fn run(
        mut self,
        mut reports: mpsc::Receiver<(usize, FromSource)>,
        mut requests: mpsc::Receiver<Request>,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            self.turn();
            while let Some(step) = self.steps.pop_front() {
                if let Some(all) = &self.ends.all {
                    // Who does not want more has closed it.
                    let _ = all.send(step).await;
                }
            }
            let wake = self.wake();
            tokio::select! {
                taken = reports.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        break;
                    }
                    for (at, report) in batch.drain(..) {
                        self.take(at, report);
                    }
                }
                Some(request) = requests.recv() => {
                    // A refusal is news.
                    let _ = self.control.request(&request, self.clock.now());
                }
                () = until(wake) => {}
            }
        }
        self.tell_sources();
        self.tell_control();
    }

    /// When something is due although nothing comes.
    fn wake(&self) -> Option<Instant> {
        let now = self.clock.now();
        let control = self.control.next_wake(now);
        let control = control.map(|at: Moment| Instant::now() + at.since(now.mono));
        let states = self.is_owed().then(|| self.told_at + STATES);
        control.into_iter().chain(states).min()
    }

    /// Whether the faces do not know something yet.
    fn is_owed(&self) -> bool {
        self.changed || self.control.has_new_state()
    }

    /// Carries out what the control wants, and tells what has changed.
    fn turn(&mut self) {
        let now = self.clock.now();
        let out = self.control.turn(now);
        for (source, update) in out.updates {
            self.tell(source, update, None, Finds::default());
        }
        for order in out.orders {
            self.hand(order, now);
        }
        for news in out.news {
            // Without an engine nobody keeps them; with one they are few.
            let _ = self.ends.news.try_send(news);
        }
        self.show(out.outgoing);
        if let Some(items) = self.control.new_items() {
            self.items = items;
        }
        if self.is_owed() && self.told_at.elapsed() >= STATES {
            self.told_at = Instant::now();
            self.tell_sources();
            self.tell_control();
        }
    }

    fn tell_sources(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.faces.tell.send_replace(Arc::new(self.states.clone()));
        }
    }

    fn tell_control(&mut self) {
        if let Some(state) = self.control.new_state() {
            self.faces.control.send_replace(Arc::new(state));
        }
    }

    fn hand(&mut self, order: OrderTo, now: Now) {
        let OrderTo { chat, number, action } = order;
        let at = self.given.iter().position(|given| given.id == chat);
        let handed = at
            .and_then(|at| self.ends.orders.get(at))
            .is_some_and(|to| to.try_send(Order { number, action }).is_ok());
        if !handed {
            self.control.answered(number, Answer::Later(PUT_OFF), now);
        }
    }

    /// Follows what viewers are shown.
    fn show(&mut self, outgoing: Vec<Outgoing>) {
        if outgoing.is_empty() {
            return;
        }
        for step in outgoing {
            match step {
                Outgoing::Show { entry, place, message } => {
                    self.shown.insert(place, message);
                    self.places.insert(entry, place);
                }
                Outgoing::Remove(entry) => {
                    if let Some(place) = self.places.remove(&entry) {
                        self.shown.remove(&place);
                    }
                }
            }
        }
        while self.shown.len() > SHOWN {
            if let Some((place, _)) = self.shown.pop_first() {
                self.places.remove(&place.id);
            }
        }
        self.faces.shown.send_replace(Arc::new(self.shown.values().cloned().collect()));
    }

    fn take(&mut self, at: usize, report: FromSource) {
        let now = self.clock.now();
        let Some(state) = self.states.get_mut(at) else { return };
        self.changed = true;
        match report {
            FromSource::Status(status) => {
                state.status = status;
                // Told at once: somebody may wait for it.
                self.tell_sources();
            }
            FromSource::Report(Report::Live) => {
                state.status = Status::Live;
                state.heard = Some(now.wall);
                self.tell_sources();
            }
            FromSource::Report(Report::Heard) => state.heard = Some(now.wall),
            FromSource::Report(Report::Unreadable) => state.unreadable += 1,
            FromSource::Report(Report::Answered { order, answer }) => {
                self.control.answered(order, answer, now);
            }
            FromSource::Report(Report::Update(update)) => {
                state.heard = Some(now.wall);
                state.messages += u64::from(matches!(update, Update::Message(_)));
                self.update(at, update, now);
            }
        }
    }

    fn update(&mut self, at: usize, mut update: Update, now: Now) {
        let Some(Given { id: source, expected, bots }) = self.given.get(at) else { return };
        let (mut language, mut finds) = (None, Finds::default());
        if let Update::Message(message) = &mut update {
            let name = message.author.name.as_str();
            if bots.iter().any(|bot| bot == name) {
                let badges = &mut message.author.badges;
                badges.push(Badge::Bot);
                badges.sort_unstable();
                badges.dedup();
            }
            let text = message.text.as_str();
            language = self.detector.detect(text, *expected).map(|guess| guess.language);
            finds = self.finder.find(text, &self.items, language);
        }
        if self.control.update(source, &mut update, &finds, now) == Taken::New {
            let source = source.clone();
            self.tell(source, update, language, finds);
        }
    }

    fn tell(
        &mut self,
        source: SourceId,
        update: Update,
        language: Option<crate::chat::language::Language>,
        finds: Finds,
    ) {
        self.number += 1;
        let told = Arc::new(Told { number: self.number, source, update, language, finds });
        let mut past = self.faces.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() == PAST {
            past.pop_front();
        }
        past.push_back(Arc::clone(&told));
        // Nobody may be looking.
        let _ = self.faces.steps.send(Arc::clone(&told));
        if self.ends.all.is_some() {
            self.steps.push_back(told);
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
