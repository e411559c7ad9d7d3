//! What the pane knows of the chat, and what the keys have changed. It is fed with steps, states of sources and time; it
//! reads no clock and asks nobody.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::tz::TimeZone;

use super::{
    complaints::{Complaints, Who, word},
    edit::Edit,
    form::Form,
    moderate::Moderate,
    pages::{Cursors, Page},
    write::Write,
};
use crate::{
    base::{Moment, Now, SourceId},
    chat::{
        Badge, EntryId, Kind, Message, Person, Platform, Room, Update,
        capability::Capabilities,
        control::ControlState,
        fold::{Fold, FoldConfig, Folded},
        language::Language,
        normalise::{Folding, Normal},
        people::{People, PeopleConfig},
        room::{Applied, RoomConfig},
        told::{SourceState, Status, Told},
        view::{Filter, Marked, Marks, View},
    },
    console::theme::Palette,
    market::MarketId,
};

/// What is kept of an entry beside its marks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extra {
    pub(super) language: Option<Language>,
    /// How often its text was written; 0 is once.
    pub(super) count: u64,
}

/// What lies over the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Over {
    Nothing,
    /// The search is typed.
    Search(Edit),
    /// A line in full, and who wrote it.
    Card {
        entry: EntryId,
        person: Option<Person>,
    },
    /// The keys, from that one on.
    Help(usize),
    /// A line is written.
    Write(Write),
    /// A question before an act of moderation.
    Moderate(Moderate),
    /// Something about claims or a poll is typed.
    Form(Form),
}

/// Where the pane stands, and whether it has the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::console) enum Standing {
    /// It has the screen and the keys for itself: `hawker chat`.
    Alone,
    /// It fills the screen of a show's console, and has the focus.
    Zoomed,
    /// Beside the picture of a show.
    Beside {
        /// Keys are the pane's, not the show's.
        focused: bool,
    },
    /// It is not on the screen.
    Unseen,
}

/// What came while the pane was not on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::console) struct Missed {
    pub(in crate::console) lines: u64,
    pub(in crate::console) orders: u64,
    pub(in crate::console) questions: u64,
}

/// The pane of one reader.
#[derive(Debug)]
pub struct Pane {
    pub(super) room: Room,
    pub(super) view: View,
    pub(super) marked: Marked,
    pub(super) people: People,
    fold: Fold,
    extras: HashMap<EntryId, Extra>,
    pub(super) sources: Arc<Vec<SourceState>>,
    pub(super) markets: BTreeMap<SourceId, MarketId>,
    /// The platform of each source's newest line.
    platforms: HashMap<SourceId, Platform>,
    pub(super) complaints: Complaints,
    /// Steps that did not arrive.
    pub(super) missed: u64,
    number: Option<u64>,
    /// No step will come any more.
    pub(super) ended: bool,
    pub(super) selected: Option<EntryId>,
    pub(super) search: String,
    pub(super) over: Over,
    /// Why a key did nothing; until the next key.
    pub(super) notice: Option<String>,
    /// What each source can do, in a show; nothing where the pane cannot act.
    pub(super) may: BTreeMap<SourceId, Capabilities>,
    /// What is known beside the lines.
    pub(super) control: Arc<ControlState>,
    pub(super) page: Page,
    pub(super) cursors: Cursors,
    /// When people stop to be highlighted.
    pub(super) highlights: Vec<Moment>,
    /// Columns and rows that it had last.
    pub(super) size: (u16, u16),
    pub(super) standing: Standing,
    unseen: Missed,
    pub(super) palette: Palette,
    pub(super) zone: TimeZone,
}

impl Pane {
    /// An empty pane. `markets` are those of the sources.
    pub(in crate::console) fn new(
        palette: &Palette,
        zone: TimeZone,
        markets: BTreeMap<SourceId, MarketId>,
    ) -> Self {
        let filter = Filter { removed: true, ..Filter::default() };
        Self {
            room: Room::new(RoomConfig::default()),
            view: View::new(filter),
            marked: Marked::default(),
            people: People::new(PeopleConfig::default()),
            fold: Fold::new(FoldConfig::default()),
            extras: HashMap::new(),
            sources: Arc::default(),
            markets,
            platforms: HashMap::new(),
            complaints: Complaints::default(),
            missed: 0,
            number: None,
            ended: false,
            selected: None,
            search: String::new(),
            over: Over::Nothing,
            notice: None,
            may: BTreeMap::new(),
            control: Arc::default(),
            page: Page::default(),
            cursors: Cursors::default(),
            highlights: Vec::new(),
            size: (80, 24),
            standing: Standing::Alone,
            unseen: Missed::default(),
            palette: *palette,
            zone,
        }
    }

    /// How large it is drawn: keys scroll by it.
    pub fn resized(&mut self, width: u16, height: u16) {
        self.size = (width, height);
    }

    /// Where it stands from now on. What is on the screen is seen.
    pub(in crate::console) fn stands(&mut self, standing: Standing) {
        self.standing = standing;
        if standing != Standing::Unseen {
            self.unseen = Missed::default();
        }
    }

    /// Whether it is on the screen.
    pub(in crate::console) fn is_seen(&self) -> bool {
        self.standing != Standing::Unseen
    }

    /// Whether it stands beside the picture.
    pub(in crate::console) const fn is_beside(&self) -> bool {
        matches!(self.standing, Standing::Beside { .. })
    }

    /// What came since it was on the screen last.
    pub(in crate::console) const fn unseen(&self) -> Missed {
        self.unseen
    }

    /// How many people complained of what in the last minute, the most first.
    pub(in crate::console) fn said_wrong(&self, now: Now) -> Vec<(&'static str, usize)> {
        let counts = self.complaints.counts(now.mono).into_iter();
        counts.map(|(complaint, count)| (word(complaint), count)).collect()
    }

    /// The sources that are not read, or likely not: each with a word for it.
    pub(in crate::console) fn in_trouble(&self) -> impl Iterator<Item = (&SourceId, &'static str)> {
        self.sources.iter().filter_map(|state| match &state.status {
            Status::Silent { overdue: true, .. } => Some((&state.id, "SILENT")),
            Status::Waiting { .. } => Some((&state.id, "RETRYING")),
            Status::Failed { .. } => Some((&state.id, "FAILED")),
            _ => None,
        })
    }

    /// The sources as they are now.
    pub fn on_sources(&mut self, sources: Arc<Vec<SourceState>>) {
        self.sources = sources;
    }

    /// No further step will come.
    pub fn on_end(&mut self) {
        self.ended = true;
    }

    /// Takes a step. After one or many, [`Self::turn`] has to be called before it is drawn.
    pub fn take(&mut self, told: &Told, now: Now) {
        if let Some(last) = self.number {
            self.missed += told.number.saturating_sub(last.saturating_add(1));
        }
        self.number = Some(told.number);
        let source = &told.source;
        if let Update::UserCleared { id, name, removal } = &told.update {
            let platform = self.platform(source).clone();
            let who = (id.as_ref(), name.as_ref());
            self.people.removed(source, &platform, who, *removal, now.wall);
        }
        self.view.removed(source, &told.update);
        match self.room.apply(source, told.update.clone(), now) {
            Applied::Entered(id) => self.entered(id, told, now),
            Applied::Original(id) => self.mark(id, told, now, false),
            Applied::Duplicate(_) | Applied::TooOld | Applied::Deleted(_) => {}
        }
    }

    fn entered(&mut self, id: EntryId, told: &Told, now: Now) {
        let Some(message) = self.room.get(id).and_then(|entry| entry.message()).cloned() else {
            return;
        };
        self.platforms.insert(message.source.clone(), message.platform.clone());
        self.people.take(id, &message);
        self.mark(id, told, now, true);
    }

    /// Marks an entry. The original of a copy is no new line: it is not counted again.
    fn mark(&mut self, id: EntryId, told: &Told, now: Now, is_new: bool) {
        let Some(message) = self.room.get(id).and_then(|entry| entry.message()).cloned() else {
            return;
        };
        let (finds, person) = (&told.finds, Person::of(&message));
        if let (Some(complaint), true) = (finds.complaint, message.may_act()) {
            // What was written a while ago counts for the rest of its minute only.
            let age = now.wall.duration_since(message.at).as_nanos().max(0);
            let age = u64::try_from(age).unwrap_or(u64::MAX);
            if let Some(at) = now.mono.0.checked_sub(age).or((age == 0).then_some(now.mono.0)) {
                let who = person.clone().map_or(Who::Nameless(id), Who::Person);
                self.complaints.take(complaint, who, Moment(at));
            }
        }
        let mut repeats = self.marked.get(id).and_then(|marks| marks.repeats);
        if is_new && is_foldable(&message) && finds.order.is_none() {
            let normal = Normal::new(message.text.as_str(), Folding::WORDS).squeezed();
            if let Folded::Into { entry, count } = self.fold.take(id, person, &normal, now.mono)
                && entry != id
            {
                repeats = Some(entry);
                self.extras.entry(entry).or_default().count = count;
            }
        }
        if is_new && self.standing == Standing::Unseen && !message.own && !message.backlog {
            self.unseen.lines += 1;
            self.unseen.orders += u64::from(finds.order.is_some() && message.may_act());
            self.unseen.questions += u64::from(!finds.questions.is_empty());
        }
        let marks = Marks {
            order: finds.order.is_some(),
            question: !finds.questions.is_empty(),
            complaint: finds.complaint.is_some(),
            market: self.markets.get(&message.source).cloned(),
            repeats,
        };
        self.marked.set(id, marks, &self.room);
        if told.language.is_some() {
            self.extras.entry(id).or_default().language = told.language;
        }
        // As the marks: a fixed price for each entry.
        if self.extras.len() > self.room.len() * 2 + 64 {
            self.extras.retain(|id, _| self.room.get(*id).is_some());
        }
    }

    /// Brings what was derived up to date.
    pub fn turn(&mut self, now: Now) {
        self.view.turn(&self.room, &self.marked);
        self.complaints.forget(now.mono);
        self.highlights.retain(|until| *until > now.mono);
        if self.selected.is_some_and(|id| self.room.get(id).is_none()) {
            self.selected = None;
        }
        self.see_selected(now);
    }

    /// The platform of a source, as its newest line says.
    pub(super) fn platform(&self, source: &SourceId) -> &Platform {
        self.platforms.get(source).unwrap_or(&Platform::UNKNOWN)
    }

    /// When the screen has to change although nothing happens: an age grows, a complaint is forgotten, a highlight ends.
    pub fn next_change(&self, now: Now) -> Option<Moment> {
        let complaint = self.complaints.next_change(now.mono);
        if self.standing == Standing::Unseen {
            return complaint;
        }
        let ages = self.sources.iter().filter(|source| source.status != Status::Ended).filter_map(
            |source| {
                let age = super::header::age_ms(source.heard?, now.wall);
                let step = if age < 60_000 { 10_000 } else { 30_000 };
                Some(now.mono + std::time::Duration::from_millis(step - age % step))
            },
        );
        let highlight = self.highlights.iter().copied();
        ages.chain(highlight).chain(complaint).min()
    }

    pub(super) fn extra(&self, id: EntryId) -> Extra {
        self.extras.get(&id).copied().unwrap_or_default()
    }

    /// Whether the filter leaves anything out on purpose of the reader.
    pub(super) fn is_filtered(&self) -> bool {
        let filter = self.view.filter();
        !filter.only.is_empty() || filter.query.is_some()
    }
}

/// Whether repeats of a line may stand behind it: what ordinary viewers say. Orders never do.
fn is_foldable(message: &Message) -> bool {
    let weighty = [Badge::Owner, Badge::Moderator].iter().any(|badge| message.author.has(*badge));
    matches!(message.kind, Kind::Text | Kind::Action) && !message.own && !weighty
}
