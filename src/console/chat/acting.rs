//! What the pane asks of the show: which requests can be made, and what became of the last one.

use std::{collections::BTreeMap, sync::Arc};

use crossterm::event::KeyCode;

use super::{
    keys::Pressed,
    moderate::Deed,
    pages::Page,
    state::{Over, Pane},
};
use crate::{
    base::SourceId,
    chat::{
        capability::Capabilities,
        control::{ControlState, Needs, Request},
        view::Only,
    },
};

/// The keys for acting, on the lines.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("r", "reply to the selected line; ↑ ↓ choose to whom, tab completes a name after @"),
    (
        "n",
        "say a new line to all sources that can be written to, or to one; {item} {left} {name} are filled in",
    ),
    ("d", "delete the selected line on its platform"),
    ("x", "hide the selected line from viewers, or show it (also what waits for review)"),
    ("s b", "time out, or ban, who wrote the selected line; it asks first"),
    ("U", "undo the last act of moderation"),
    ("w", "what waits for review only, or all again"),
    ("+", "take the selected line for a claim, or enter one by hand"),
    ("tab", "claims, poll, what was sent, what was done, and back to the lines"),
];

impl Pane {
    /// The sources and what each can do: from now on the pane can act.
    pub(in crate::console) fn acts_on(&mut self, may: BTreeMap<SourceId, Capabilities>) {
        self.may = may;
    }

    /// Whether it can ask anything of a show.
    pub(super) fn can_act(&self) -> bool {
        !self.may.is_empty()
    }

    /// What is known beside the lines. What was refused is said.
    pub(in crate::console) fn on_control(&mut self, control: Arc<ControlState>) {
        let number =
            |state: &ControlState| state.refused.as_ref().map_or(0, |refused| refused.number);
        if number(&control) > number(&self.control)
            && let Some(refused) = &control.refused
        {
            self.notice = Some(format!("not done: {}", refused.why));
        }
        self.control = control;
    }

    /// Whether a source offers that.
    pub(super) fn can(&self, source: &SourceId, needs: Needs) -> bool {
        self.may.get(source).is_some_and(|can| needs.are_met_by(can))
    }

    /// Why a request cannot be made, where that is known before.
    pub(super) fn cannot(&self, request: &Request) -> Option<String> {
        let (source, needs) = request.needs()?;
        (!self.can(source, needs)).then(|| format!("{source}: {} there", needs.lacking()))
    }

    /// Makes a request; what is open is closed.
    pub(super) fn ask(&mut self, request: Request) -> Pressed {
        if let Some(why) = self.cannot(&request) {
            self.notice = Some(why);
            return Pressed::Taken;
        }
        self.over = Over::Nothing;
        Pressed::Ask(Box::new(request))
    }

    /// A key for acting; `None` where it is none.
    pub(super) fn act_key(&mut self, code: KeyCode) -> Option<Pressed> {
        match code {
            KeyCode::Tab => self.page = self.page.next(),
            KeyCode::BackTab => self.page = self.page.back(),
            KeyCode::Char('q' | '?') => return None,
            KeyCode::Esc if self.page != Page::Lines => self.page = Page::Lines,
            _ if self.page != Page::Lines => {
                return self.paged(code).or(Some(Pressed::Ignored));
            }
            KeyCode::Char('r') => {
                if let Some((message, _)) = self.selected_message() {
                    self.write(Some(&message));
                }
            }
            KeyCode::Char('n') => self.write(None),
            KeyCode::Char('d') => self.moderate(Deed::Delete),
            KeyCode::Char('x') => return Some(self.hide()),
            // Ten minutes, unless another length is chosen.
            KeyCode::Char('s') => self.moderate(Deed::TimeOut(1)),
            KeyCode::Char('b') => self.moderate(Deed::Ban),
            KeyCode::Char('U') => self.undo(None),
            KeyCode::Char('w') => self.only(Only::Held),
            KeyCode::Char('+') => self.claim(),
            _ => return None,
        }
        Some(Pressed::Taken)
    }
}
