//! The line that is written: to whom it goes, names that are completed, and what stands in the place of variables.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};

use super::{
    edit::Edit,
    keys::Pressed,
    state::{Over, Pane},
};
use crate::{
    base::SourceId,
    chat::{
        Message, MessageId,
        control::{Needs, Request},
        send::{complete, expand, mention},
    },
};

/// Longest line, in graphemes: as long as the longest that a platform takes (500), in some parts.
const MOST: usize = 1_500;
/// Names that Tab goes through.
const NAMES: usize = 20;
/// Variables that have a value here.
const VARIABLES: [&str; 3] = ["{name}", "{item}", "{left}"];

/// To whom a line goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    /// An answer to a message.
    Answer { chat: SourceId, message: MessageId, name: String },
    /// Every source that can be written to.
    All,
    /// One source.
    One(SourceId),
}

/// A name that Tab has put in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Completed {
    prefix: String,
    /// Which of the names.
    nth: usize,
    /// Bytes of the text that it takes.
    range: std::ops::Range<usize>,
}

/// A line that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) edit: Edit,
    pub(super) targets: Vec<To>,
    pub(super) to: usize,
    completed: Option<Completed>,
}

impl Write {
    pub(super) fn target(&self) -> Option<&To> {
        self.targets.get(self.to)
    }
}

impl Pane {
    /// Begins a line. `answered` is the message that it answers first of all.
    pub(super) fn write(&mut self, answered: Option<&Arc<Message>>) {
        let writable = |id: &SourceId| self.can(id, Needs::Write);
        let mut targets = Vec::new();
        if let Some(message) = answered {
            if !writable(&message.source) {
                self.notice = Some(format!("{}: nothing can be written there", message.source));
                return;
            }
            targets.push(To::Answer {
                chat: message.source.clone(),
                message: message.id.clone(),
                name: super::list::name(message).to_owned(),
            });
        }
        if !self.may.keys().any(writable) {
            self.notice =
                Some("no source can be written to: one of them needs an account or a token".into());
            return;
        }
        targets.push(To::All);
        // Those that cannot be written to are shown as such, the last ones.
        let (can, cannot): (Vec<_>, Vec<_>) = self.may.keys().cloned().partition(writable);
        targets.extend(can.into_iter().chain(cannot).map(To::One));
        let edit = Edit::longer(MOST);
        self.over = Over::Write(Write { edit, targets, to: 0, completed: None });
    }

    /// A key of the line that is written.
    pub(super) fn written(&mut self, key: &KeyEvent) -> Pressed {
        let Over::Write(write) = &mut self.over else { return Pressed::Ignored };
        let count = write.targets.len();
        match key.code {
            KeyCode::Esc => self.over = Over::Nothing,
            KeyCode::Enter => return self.send(),
            KeyCode::Up => write.to = (write.to + count - 1) % count,
            KeyCode::Down => write.to = (write.to + 1) % count,
            KeyCode::Tab => self.complete(),
            _ => {
                write.edit.press(key);
                write.completed = None;
            }
        }
        Pressed::Taken
    }

    /// Completes the name before the cursor; again: the next that fits.
    fn complete(&mut self) {
        let Over::Write(write) = &self.over else { return };
        let (text, at) = (write.edit.text(), write.edit.halves().0.len());
        let (prefix, range, nth) = match &write.completed {
            Some(done) => (done.prefix.clone(), done.range.clone(), done.nth + 1),
            None => match mention(text, at) {
                Some(mention) => (mention.prefix, mention.range, 0),
                None => return,
            },
        };
        let names = self.people.newest().map(|(_, card)| {
            // What a platform makes a mention of is the name of the account.
            card.author.login.as_ref().unwrap_or(&card.author.name).as_str()
        });
        let names = complete(&prefix, names, NAMES);
        let Some(name) = names.get(nth % names.len().max(1)).map(|name| format!("{name} ")) else {
            self.notice = Some(format!("nobody who wrote here is called {prefix}"));
            return;
        };
        let Over::Write(write) = &mut self.over else { return };
        let end = write.edit.replace(range.clone(), &name);
        write.completed = Some(Completed { prefix, nth, range: range.start..end });
    }

    /// Sends the line; it stays where it cannot go.
    fn send(&mut self) -> Pressed {
        let Over::Write(write) = &self.over else { return Pressed::Ignored };
        let text = write.edit.text().trim().to_owned();
        let Some(to) = write.target().cloned().filter(|_| !text.is_empty()) else {
            self.notice = Some("there is nothing to send".into());
            return Pressed::Taken;
        };
        let text = match self.filled_in(&text, &to) {
            Ok(text) => text,
            Err(why) => {
                self.notice = Some(why);
                return Pressed::Taken;
            }
        };
        let request = match to {
            To::Answer { chat, message, .. } => Request::ChatReply { chat, message, text },
            To::All => Request::ChatSay { chat: None, text },
            To::One(chat) => Request::ChatSay { chat: Some(chat), text },
        };
        self.ask(request)
    }

    /// Puts values in the place of variables. A text with none is as it is: braces are drawn, too.
    fn filled_in(&self, text: &str, to: &To) -> Result<String, String> {
        if !VARIABLES.iter().any(|variable| text.contains(variable)) {
            return Ok(text.to_owned());
        }
        let item = self.control.featured.as_ref();
        let value = |name: &str| match (name, to) {
            ("name", To::Answer { name, .. }) => Some(name.clone()),
            ("item", _) => item.map(ToString::to_string),
            ("left", _) => {
                let state = self.control.items.iter().find(|state| Some(&state.item) == item)?;
                let left = u64::from(state.stock?).saturating_sub(state.granted);
                Some(left.to_string())
            }
            _ => None,
        };
        expand(text, &value).map_err(|why| why.to_string())
    }
}
