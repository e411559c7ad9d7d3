//! Keys and what they change in the pane.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    acting,
    edit::Edit,
    list,
    state::{Over, Pane, Standing},
};
use crate::{
    base::Now,
    chat::{
        Entry, EntryId, Person, State,
        control::Request,
        room::Place,
        view::{Filter, Line, Only, Query},
    },
};

/// How long a person stays highlighted.
const HIGHLIGHT: Duration = Duration::from_mins(5);

/// What the keys do.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("↑ ↓", "select a line; the list stands still, and new lines are counted"),
    ("PgUp PgDn", "a page up or down"),
    ("Home", "the oldest line that is held"),
    ("End", "back to the newest line"),
    (
        "/",
        "search: words, from:name, in:source or in:platform, -word; enter keeps it, esc clears it",
    ),
    ("o", "orders only, or all again"),
    ("u", "questions only, or all again"),
    ("e", "complaints about picture or sound only, or all again"),
    ("f", "people who write here for the first time only, or all again"),
    ("m", "moderators and the owner only, or all again"),
    ("a", "mark the selected line as answered, or not"),
    ("t", "pin the selected line at the top, or take the pin away"),
    ("h", "highlight the author of the selected line for 5 minutes"),
    ("enter", "the selected line in full, and who wrote it: last lines and removals"),
    ("esc", "back: close what is open, go to the newest line, show all lines"),
];

/// What the keys do beside those, where the pane has the screen for itself.
const ALONE: &[(&str, &str)] = &[("q ctrl-c", "leave")];

/// The same, in the console of a show.
const IN_SHOW: &[(&str, &str)] = &[
    ("c q esc", "the focus goes back to the show; with esc once nothing is open any more"),
    ("z", "the chat on the whole screen, or beside the picture again"),
    ("1 to 9", "beside the picture: the scene of that key on preview, with alt on program"),
    ("p", "panic, as everywhere; ctrl-p while text is typed"),
];

/// What the pane did with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pressed {
    /// It has taken it, and is to be drawn again.
    Taken,
    /// It means nothing here.
    Ignored,
    /// The reader wants to leave.
    Leave,
    /// The same, by ctrl-c.
    Interrupt,
    /// This is to be done by the show. Whatever had to be confirmed is.
    Ask(Box<Request>),
}

pub(super) const NOTHING_SELECTED: &str = "select a line first: ↑ ↓";

impl Pane {
    /// What the keys do where the pane stands.
    pub(super) fn explained(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let beside = if self.standing == Standing::Alone { ALONE } else { IN_SHOW };
        let acting = if self.can_act() { acting::KEYS } else { &[] };
        KEYS.iter().chain(acting).chain(beside)
    }

    /// Whether keys are letters of a text.
    pub(in crate::console) const fn is_typing(&self) -> bool {
        match &self.over {
            Over::Search(_) | Over::Write(_) | Over::Form(_) => true,
            Over::Moderate(asked) => asked.is_typed(),
            Over::Nothing | Over::Card { .. } | Over::Help(_) => false,
        }
    }

    /// It loses the focus: what lies over the list is closed. A search stays as it was typed.
    pub(in crate::console) fn blur(&mut self) {
        self.over = Over::Nothing;
        self.notice = None;
    }

    /// Text that was pasted. It is typed text where text is typed, and nothing anywhere else.
    pub fn paste(&mut self, text: &str) -> Pressed {
        let text = text.lines().next().unwrap_or_default();
        match &mut self.over {
            Over::Search(edit) => {
                edit.insert(text);
                self.search = edit.text().to_owned();
                self.filter(|_| {});
            }
            Over::Write(write) => write.edit.insert(text),
            Over::Form(_) => self.pasted_in_form(text),
            Over::Moderate(asked) if asked.is_typed() => asked.reason.insert(text),
            _ => return Pressed::Ignored,
        }
        Pressed::Taken
    }

    /// A key.
    pub fn press(&mut self, key: &KeyEvent, now: Now) -> Pressed {
        if key.kind == KeyEventKind::Release {
            return Pressed::Ignored;
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        if ctrl && key.code == KeyCode::Char('c') {
            return Pressed::Interrupt;
        }
        self.notice = None;
        let last = self.explained().count() - 1;
        match &mut self.over {
            Over::Nothing if ctrl => Pressed::Ignored,
            Over::Nothing => self.listed(key.code, now),
            Over::Search(_) => self.searched(key),
            Over::Write(_) => self.written(key),
            Over::Moderate(_) => self.moderated(key),
            Over::Form(_) => self.formed(key),
            Over::Help(from) => {
                match key.code {
                    KeyCode::Up => *from = from.saturating_sub(1),
                    KeyCode::Down => *from = (*from + 1).min(last),
                    _ => self.over = Over::Nothing,
                }
                Pressed::Taken
            }
            Over::Card { .. } => {
                match key.code {
                    KeyCode::Char('h') => self.highlight(now),
                    KeyCode::Char('a') => self.answer(),
                    KeyCode::Char('t') => self.pin(),
                    _ => self.over = Over::Nothing,
                }
                Pressed::Taken
            }
        }
    }

    fn listed(&mut self, code: KeyCode, now: Now) -> Pressed {
        if self.can_act()
            && let Some(pressed) = self.act_key(code)
        {
            return pressed;
        }
        let page = list::shown(self, now).len().saturating_sub(1).max(1);
        match code {
            KeyCode::Char('q') => return Pressed::Leave,
            KeyCode::Up | KeyCode::Char('k') => self.up(1, now),
            KeyCode::PageUp => self.up(page, now),
            KeyCode::Home => self.up(usize::MAX, now),
            KeyCode::Down | KeyCode::Char('j') => self.down(1, now),
            KeyCode::PageDown => self.down(page, now),
            KeyCode::End | KeyCode::Char('G') => self.live(),
            KeyCode::Char('/') => self.over = Over::Search(Edit::new(&self.search)),
            KeyCode::Char('o') => self.only(Only::Orders),
            KeyCode::Char('u') => self.only(Only::Questions),
            KeyCode::Char('e') => self.only(Only::Complaints),
            KeyCode::Char('f') => self.only(Only::FirstTimers),
            KeyCode::Char('m') => self.only(Only::Moderators),
            KeyCode::Char('a') => self.answer(),
            KeyCode::Char('t') => self.pin(),
            KeyCode::Char('h') => self.highlight(now),
            KeyCode::Enter => match self.selected() {
                Some(entry) => {
                    let (id, message) = (entry.id, entry.message());
                    let person = message.and_then(|message| Person::of(message));
                    self.over = Over::Card { entry: id, person };
                }
                None => self.notice = Some(NOTHING_SELECTED.into()),
            },
            KeyCode::Char('?') => self.over = Over::Help(0),
            KeyCode::Esc if self.view.new_below().is_some() => self.live(),
            KeyCode::Esc if !self.is_filtered() => return Pressed::Ignored,
            KeyCode::Esc => {
                self.search.clear();
                self.filter(|filter| filter.only.clear());
            }
            _ => return Pressed::Ignored,
        }
        Pressed::Taken
    }

    fn searched(&mut self, key: &KeyEvent) -> Pressed {
        let Over::Search(edit) = &mut self.over else { return Pressed::Ignored };
        match key.code {
            KeyCode::Enter => self.over = Over::Nothing,
            KeyCode::Esc => {
                self.over = Over::Nothing;
                self.search.clear();
                self.filter(|_| {});
            }
            _ => {
                if edit.press(key) {
                    self.search = edit.text().to_owned();
                    self.filter(|_| {});
                }
            }
        }
        Pressed::Taken
    }

    /// Another filter, with the search as it is typed.
    fn filter(&mut self, change: impl FnOnce(&mut Filter)) {
        let mut filter = self.view.filter().clone();
        change(&mut filter);
        filter.query = Some(Query::new(&self.search)).filter(|query| !query.is_empty());
        self.selected = None;
        self.view.set_filter(filter);
    }

    pub(super) fn only(&mut self, only: Only) {
        self.filter(|filter| {
            if !filter.only.remove(&only) {
                filter.only.insert(only);
            }
        });
    }

    fn live(&mut self) {
        self.selected = None;
        self.view.live();
    }

    fn selected(&self) -> Option<&Entry> {
        self.selected.and_then(|id| self.room.get(id))
    }

    fn place(&self) -> Option<Place> {
        self.selected().map(|entry| entry.place)
    }

    /// Selects the line that is `by` lines above, at most the oldest.
    fn up(&mut self, by: usize, now: Now) {
        let from = self.place().or(self.view.held_at());
        let skip = usize::from(self.selected.is_some());
        let to = {
            let above = self.view.up_from(from, &self.room, &self.marked, now.mono);
            let most = by.saturating_add(skip);
            above.take(most).last().map(|line| (line.entry.id, line.entry.place))
        };
        let Some((id, place)) = to else { return };
        self.selected = Some(id);
        if self.view.held_at().is_none() {
            // The list stands still from now on.
            let bottom = list::shown(self, now).last().map(|line| line.entry.place);
            self.stand(bottom.unwrap_or(place));
        }
        self.see_selected(now);
    }

    /// Moves the list so that the selected line is seen whole: it is held where it is left, and the head may grow.
    pub(super) fn see_selected(&mut self, now: Now) {
        let Some(place) = self.place() else { return };
        let (top, bottom) = {
            let shown = list::shown(self, now);
            let place = |line: Option<&Line>| line.map(|line| line.entry.place);
            (place(shown.first()), place(shown.last()))
        };
        if top.is_some_and(|top| place < top) {
            self.stand(list::bottom_below(self, place, now));
        } else if bottom.is_some_and(|bottom| place > bottom) {
            self.stand(place);
        }
    }

    /// Selects the line that is `by` lines below; beyond the newest it goes back to the live end.
    fn down(&mut self, by: usize, now: Now) {
        let Some(from) = self.place().or(self.view.held_at()) else { return };
        let to = {
            let below = self.view.down_from(from, &self.room, &self.marked, now.mono);
            below.take(by).last().map(|line| line.entry.id)
        };
        let Some(id) = to else { return self.live() };
        self.selected = Some(id);
        self.see_selected(now);
    }

    /// Holds the list with this line at its bottom.
    fn stand(&mut self, bottom: Place) {
        self.view.go_to(bottom.id, &self.room);
    }

    /// The selected line, if it is a message that is there to be read.
    fn chosen(&mut self) -> Option<EntryId> {
        let chosen = self
            .selected()
            .filter(|entry| matches!(entry.state, State::Shown | State::Held))
            .filter(|entry| entry.message().is_some())
            .map(|entry| entry.id);
        if chosen.is_none() {
            self.notice = Some(match self.selected {
                Some(_) => "this line is no message, or was removed".into(),
                None => NOTHING_SELECTED.into(),
            });
        }
        chosen
    }

    fn answer(&mut self) {
        if let Some(id) = self.chosen() {
            self.view.answer(id);
        }
    }

    fn pin(&mut self) {
        if let Some(id) = self.chosen() {
            self.view.pin(id, &self.room);
        }
    }

    fn highlight(&mut self, now: Now) {
        let Some(id) = self.chosen() else { return };
        let message = self.room.get(id).and_then(Entry::message);
        match message.and_then(|message| Person::of(message)) {
            Some(person) => {
                let until = now.mono + HIGHLIGHT;
                self.view.highlight(person, until, now.mono);
                self.highlights.push(until);
            }
            None => self.notice = Some("the platform does not say who wrote this".into()),
        }
    }
}
