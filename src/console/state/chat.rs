//! The chat in the console of a show: who has the focus, where the pane stands, what time it is there.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent};
use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::{Pane, State, Todo};
use crate::{
    base::{Moment, Now},
    chat::{
        control::ControlState,
        told::{SourceState, Told},
    },
    console::{
        chat::{self, BEFORE, Pressed},
        theme::Palette,
        view,
    },
    show::{Command, Mode, Show},
};

/// The pane of a show that reads a chat; a rehearsal reads none.
pub(super) fn pane(show: &Show, palette: &Palette, zone: &TimeZone) -> Option<Box<chat::Pane>> {
    let chats = &show.spec.chats;
    if chats.is_empty() || show.mode == Mode::Rehearse {
        return None;
    }
    let market = |spec: &crate::chat::spec::ChatSpec| Some((spec.id.clone(), spec.market.clone()?));
    let markets: BTreeMap<_, _> = chats.iter().filter_map(market).collect();
    let mut pane = chat::Pane::new(palette, zone.clone(), markets);
    pane.acts_on(chats.iter().map(|s| (s.id.clone(), s.service.route().capabilities())).collect());
    pane.stands(chat::Standing::Unseen);
    Some(Box::new(pane))
}

impl State {
    /// Both clocks, as the chat's pane reads them.
    pub(in crate::console) fn chat_now(&self) -> Now {
        let mono = Moment(self.clock_ms.saturating_mul(1_000_000)) + BEFORE;
        Now { mono, wall: self.now() }
    }

    /// A step of the chat.
    pub(in crate::console) fn on_told(&mut self, told: &Told) {
        let now = self.chat_now();
        if let Some(chat) = &mut self.chat {
            chat.take(told, now);
        }
    }

    /// The chat's sources; `None` when no step will come any more.
    pub(in crate::console) fn on_chat_sources(
        &mut self,
        sources: std::sync::Arc<Vec<SourceState>>,
        ended: bool,
    ) {
        if let Some(chat) = &mut self.chat {
            chat.on_sources(sources);
            if ended {
                chat.on_end();
            }
        }
    }

    /// What is known of the chat beside its lines.
    pub(in crate::console) fn on_control(&mut self, control: std::sync::Arc<ControlState>) {
        if let Some(chat) = &mut self.chat {
            chat.on_control(control);
        }
    }

    /// Puts the pane where it belongs on a screen of that size, and brings it up to date. Before every drawing, and
    /// before a key looks at it.
    pub(in crate::console) fn settle(&mut self, area: Rect) {
        let now = self.chat_now();
        let (standing, size) = view::chat_place(self, area);
        let clock_ms = self.clock_ms;
        let Some(chat) = &mut self.chat else { return };
        chat.stands(standing);
        chat.resized(size.0, size.1);
        chat.turn(now);
        let due = chat.next_change(now);
        self.chat_due = due.map(|at| {
            let wait = at.since(now.mono).as_millis();
            clock_ms.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX)).saturating_add(1)
        });
    }

    /// Whether the chat is on the screen.
    pub(in crate::console) fn reads_chat(&self) -> bool {
        self.chat.as_deref().is_some_and(chat::Pane::is_seen)
    }

    /// Whether keys are letters of a text, and none of the show's.
    pub(in crate::console) fn is_typing(&self) -> bool {
        self.pane == Pane::Chat && self.chat.as_deref().is_some_and(chat::Pane::is_typing)
    }

    /// Shows something else; what the chat has open is closed when it loses the focus.
    pub(super) fn show_pane(&mut self, pane: Pane) {
        if self.pane == Pane::Chat && pane != Pane::Chat {
            self.zoomed = false;
            if let Some(chat) = &mut self.chat {
                chat.blur();
            }
        }
        self.pane = pane;
    }

    /// A key of the chat.
    pub(super) fn chat_key(&mut self, key: &KeyEvent) -> Option<Todo> {
        let now = self.chat_now();
        let chat = self.chat.as_mut()?;
        // What came since the last drawing is in its place before the key looks at it.
        chat.turn(now);
        match chat.press(key, now) {
            Pressed::Leave | Pressed::Interrupt => self.show_pane(Pane::Show),
            // Nothing is open any more.
            Pressed::Ignored if key.code == KeyCode::Esc => self.show_pane(Pane::Show),
            Pressed::Taken | Pressed::Ignored => {}
            Pressed::Ask(request) => {
                // What asks first has asked.
                return Some(Todo::Give { command: Command::Chat(*request), confirm: true });
            }
        }
        None
    }

    /// Text that was pasted. Whether the screen changed.
    pub(in crate::console) fn paste(&mut self, text: &str) -> bool {
        let typing = self.is_typing() && self.dialog.is_none();
        typing && self.chat.as_mut().is_some_and(|chat| chat.paste(text) == Pressed::Taken)
    }
}
