//! The question before an act of moderation: it names the person and the platform, and takes a reason.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    edit::Edit,
    keys::Pressed,
    list,
    state::{Over, Pane},
};
use crate::{
    base::SourceId,
    chat::{
        Entry, Message, MessageId, State,
        control::{Act, Request, What},
    },
    console::{
        text::{clip, wrap},
        view::{dialog::boxed, row::Row},
    },
};

/// Lengths of a time-out, in seconds, and their words. Every platform that knows time-outs takes them: Twitch 1 s to
/// 14 days, YouTube any.
const LENGTHS: [(u32, &str); 6] = [
    (60, "1 minute"),
    (600, "10 minutes"),
    (3_600, "1 hour"),
    (21_600, "6 hours"),
    (86_400, "1 day"),
    (604_800, "7 days"),
];
/// Columns of the question.
const COLUMNS: u16 = 60;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Delete,
    /// For the length at that place.
    TimeOut(usize),
    Ban,
    /// That act.
    Undo(u64, String),
}

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moderate {
    pub(super) deed: Deed,
    chat: SourceId,
    message: MessageId,
    who: String,
    platform: String,
    said: String,
    pub(super) reason: Edit,
}

impl Moderate {
    /// Whether a reason is typed.
    pub(super) const fn is_typed(&self) -> bool {
        matches!(self.deed, Deed::TimeOut(_) | Deed::Ban)
    }

    fn request(&self) -> Request {
        let (chat, message) = (self.chat.clone(), self.message.clone());
        let reason = Some(self.reason.text().trim().to_owned()).filter(|text| !text.is_empty());
        match &self.deed {
            Deed::Delete => Request::ChatDelete { chat, message },
            Deed::TimeOut(nth) => {
                let seconds = LENGTHS.get(*nth).map_or(600, |(seconds, _)| *seconds);
                Request::ChatTimeOut { chat, message, seconds, reason }
            }
            Deed::Ban => Request::ChatBan { chat, message, reason },
            Deed::Undo(act, _) => Request::ChatUndo { act: Some(*act) },
        }
    }
}

/// What was done, as a noun.
pub(super) fn noun(what: What) -> String {
    match what {
        What::Hold => "hold for review".into(),
        What::Hide => "hiding".into(),
        What::Show => "showing".into(),
        What::Delete => "deletion".into(),
        What::TimeOut(seconds) => {
            let known = LENGTHS.iter().find(|(length, _)| *length == seconds);
            known.map_or_else(
                || format!("time-out of {seconds} s"),
                |(_, words)| format!("time-out of {words}"),
            )
        }
        What::Ban => "ban".into(),
        What::Lift => "lifting".into(),
    }
}

impl Pane {
    /// The selected message, whatever was done with it.
    pub(super) fn selected_message(&mut self) -> Option<(Arc<Message>, State)> {
        let entry = self.selected.and_then(|id| self.room.get(id));
        let found = entry.and_then(|entry| Some((entry.message()?.clone(), entry.state)));
        if found.is_none() {
            self.notice = Some(match self.selected {
                Some(_) => "this line is no message".into(),
                None => super::keys::NOTHING_SELECTED.into(),
            });
        }
        found
    }

    /// Asks before something is done with the selected message, or with its author.
    pub(super) fn moderate(&mut self, deed: Deed) {
        let Some((message, _)) = self.selected_message() else { return };
        let asked = Moderate {
            deed,
            chat: message.source.clone(),
            message: message.id.clone(),
            who: list::name(&message).to_owned(),
            platform: message.platform.to_string(),
            said: message.text.as_str().to_owned(),
            reason: Edit::default(),
        };
        if let Some(why) = self.cannot(&asked.request()) {
            self.notice = Some(why);
            return;
        }
        self.over = Over::Moderate(asked);
    }

    /// Asks before an act is undone: that one, or the last one by hand.
    pub(super) fn undo(&mut self, act: Option<&Act>) {
        let by_hand =
            |act: &&Act| act.can_be_undone() && matches!(act.by, crate::chat::control::By::Hand);
        let last = self.control.acts.iter().rev().find(by_hand);
        let Some(act) = act.or(last).filter(|act| act.can_be_undone()).cloned() else {
            self.notice = Some(match act {
                Some(_) => "this cannot be undone".into(),
                None => "there is no act of moderation that can be undone".into(),
            });
            return;
        };
        let said = self.room.find(&act.chat, &act.message).and_then(Entry::message);
        let said = said.map_or(String::new(), |message| message.text.as_str().to_owned());
        self.over = Over::Moderate(Moderate {
            deed: Deed::Undo(act.id.0, noun(act.what)),
            platform: self.platform(&act.chat).to_string(),
            chat: act.chat,
            message: act.message,
            who: act.author.name.as_str().to_owned(),
            said,
            reason: Edit::default(),
        });
    }

    /// Hides the selected message, or shows it again: nothing is asked, the same key undoes it.
    pub(super) fn hide(&mut self) -> Pressed {
        let Some((message, state)) = self.selected_message() else { return Pressed::Taken };
        let (chat, message) = (message.source.clone(), message.id.clone());
        match state {
            State::Shown => self.ask(Request::ChatHide { chat, message }),
            State::Hidden | State::Held => self.ask(Request::ChatShow { chat, message }),
            State::DeletedByPlatform(_) | State::DeletedByUs => {
                self.notice = Some("this message is deleted: nobody sees it".into());
                Pressed::Taken
            }
        }
    }

    /// A key of the question.
    pub(super) fn moderated(&mut self, key: &KeyEvent) -> Pressed {
        let Over::Moderate(asked) = &mut self.over else { return Pressed::Ignored };
        let typed = asked.is_typed();
        match (key.code, &mut asked.deed) {
            (KeyCode::Esc, _) => self.over = Over::Nothing,
            (KeyCode::Char('n'), _) if !typed => self.over = Over::Nothing,
            (KeyCode::Char('y'), _) if !typed => return self.carry_out(),
            (KeyCode::Enter, _) => return self.carry_out(),
            (KeyCode::Up, Deed::TimeOut(nth)) => *nth = nth.saturating_sub(1),
            (KeyCode::Down, Deed::TimeOut(nth)) => *nth = (*nth + 1).min(LENGTHS.len() - 1),
            _ if typed => {
                asked.reason.press(key);
            }
            _ => {}
        }
        Pressed::Taken
    }

    fn carry_out(&mut self) -> Pressed {
        let Over::Moderate(asked) = &self.over else { return Pressed::Ignored };
        let request = asked.request();
        self.ask(request)
    }
}

/// Draws the question over the pane.
pub(super) fn draw(pane: &Pane, asked: &Moderate, area: Rect, buf: &mut Buffer) {
    let palette = &pane.palette;
    let size = area.width.saturating_sub(2).min(COLUMNS);
    let columns = size.saturating_sub(4);
    let who = clip(if asked.who.trim().is_empty() { "?" } else { &asked.who }, 32);
    let place = format!("{} ({})", clip(&asked.platform, 16), asked.chat);
    let (title, question) = match &asked.deed {
        Deed::Delete => ("delete", format!("Delete this message of {who} on {place}?")),
        Deed::TimeOut(nth) => {
            let length = LENGTHS.get(*nth).map_or("", |(_, words)| *words);
            ("time out", format!("Keep {who} from writing on {place} for {length}?"))
        }
        Deed::Ban => ("ban", format!("Ban {who} on {place}, until that is undone?")),
        Deed::Undo(_, what) => ("undo", format!("Undo the {what} of {who} on {place}?")),
    };
    let mut rows: Vec<_> =
        wrap(&question, columns).into_iter().map(|line| (line, palette.selected)).collect();
    if !asked.said.is_empty() {
        let said: String = asked.said.chars().take(400).collect();
        let said = wrap(&said, columns.saturating_sub(2)).into_iter().take(3);
        rows.extend(said.map(|line| (format!("  {line}"), palette.dim)));
    }
    rows.push((String::new(), palette.text));
    let typed = rows.len() as u16;
    if asked.is_typed() {
        rows.push((String::new(), palette.text));
    }
    let keys = match asked.deed {
        Deed::TimeOut(_) => "enter: do it   ↑↓ how long   esc: no   ctrl-p panic",
        Deed::Ban => "enter: do it   esc: no   ctrl-p panic",
        Deed::Delete | Deed::Undo(..) => "y or enter: do it   esc: no",
    };
    rows.push((keys.to_owned(), palette.key));
    let inside = boxed(palette, area, (size, rows.len() as u16 + 2), title, palette.key, buf);
    for (y, (line, style)) in rows.iter().enumerate() {
        Row::new(buf, inside, y as u16).put(line, *style);
    }
    if asked.is_typed() {
        let mut row = Row::new(buf, inside, typed);
        row.badge("TYPING", 8, palette.alarm).gap(1).put("reason: ", palette.dim);
        super::view::typed(&asked.reason, palette, &mut row);
    }
}
