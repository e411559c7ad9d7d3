//! Moderation: by rules, by hand, and undone.

use std::{sync::Arc, time::Duration};

use super::{
    Act, ActId, By, Control, Kept, MOST_ACTS, MOST_HIDDEN, MOST_REASON, Needs, News, Outcome,
    Pending, Refusal, What, model,
};
use crate::{
    base::{Now, SourceId},
    chat::{
        EntryId, Message, MessageId, PlatformAction, Text, Update,
        room::{self, Ours},
        rules::{Action, strictest},
    },
};

impl Control {
    /// Holds a new line against the rules.
    pub(super) fn judge(&mut self, id: EntryId, message: &Arc<Message>, normal: &str, now: Now) {
        let Some(rules) = &mut self.rules else { return };
        let hits = rules.judge(message, normal);
        let Some(action) = strictest(&hits) else { return };
        let Some(reason) = hits.into_iter().find(|hit| hit.action == action).map(|hit| hit.reason)
        else {
            return;
        };
        let can = |needs: Needs| {
            self.sources.get(&message.source).is_some_and(|source| needs.are_met_by(&source.can))
        };
        let what = match action {
            Action::Hold => What::Hold,
            Action::Delete if can(Needs::Delete) => What::Delete,
            Action::TimeOut(seconds) if can(Needs::TimeOut) => What::TimeOut(seconds),
            Action::Ban if can(Needs::Ban) => What::Ban,
            // What the platform does not offer is done here: viewers do not see the line.
            Action::Hide | Action::Delete | Action::TimeOut(_) | Action::Ban => What::Hide,
        };
        // It has just come: it can be changed.
        let _ = self.act(id, what, By::Rule(reason), None, now);
    }

    /// Carries out an act of moderation on a line.
    pub(super) fn act(
        &mut self,
        id: EntryId,
        what: What,
        by: By,
        reason: Option<&str>,
        now: Now,
    ) -> Result<ActId, Refusal> {
        let held = self.room.len();
        let message = self.room.get(id).and_then(|entry| entry.message()).cloned();
        let message = message.ok_or(Refusal::NoMessage(held))?;
        let is_of_author = matches!(what, What::TimeOut(_) | What::Ban);
        if is_of_author && message.author.id.is_none() && message.author.name.is_empty() {
            return Err(Refusal::Nobody);
        }
        let mut lines = Vec::new();
        if let Some(to) = model::ours(what) {
            let mut theirs = vec![id];
            if is_of_author {
                theirs = self.room.by_author(&message.source, &message.author);
                theirs.reverse();
                theirs.truncate(MOST_HIDDEN);
            }
            for line in theirs {
                match self.set(line, to) {
                    Ok(true) => lines.push(line),
                    Ok(false) => {}
                    // What the platform deleted stays deleted; its author can still be banned.
                    Err(_) if is_of_author => {}
                    Err(why) => return Err(why.into()),
                }
            }
        }
        let reason = reason.map(|reason| {
            let short: String = Text::new(reason).as_str().chars().take(MOST_REASON).collect();
            Text::new(&short)
        });
        let number = ActId(self.next_act);
        self.next_act += 1;
        let channel = message.channel.as_ref().map(ToString::to_string);
        let words = reason.as_ref().map_or(String::new(), ToString::to_string);
        let user = message.author.clone();
        let action = match what {
            What::Hold | What::Hide | What::Show | What::Lift => None,
            What::Delete => Some(PlatformAction::Delete(message.id.clone())),
            What::TimeOut(seconds) => {
                let length = Duration::from_secs(seconds.into());
                Some(PlatformAction::TimeOut { user, length, reason: words, channel })
            }
            What::Ban => Some(PlatformAction::Ban { user, reason: words, channel }),
        };
        let outcome = if action.is_some() { Outcome::Asked } else { Outcome::Done };
        let act = Act {
            id: number,
            at: now.wall,
            chat: message.source.clone(),
            message: message.id.clone(),
            author: message.author.clone(),
            channel: message.channel.clone(),
            what,
            by,
            reason,
            outcome,
        };
        self.moderated(&act);
        self.acts.push_back(Kept { act, lines });
        if self.acts.len() > MOST_ACTS {
            self.acts.pop_front();
        }
        if let Some(action) = action {
            self.order(message.source.clone(), action, Pending::Act(number));
        }
        Ok(number)
    }

    /// Changes a line's state here and tells the faces.
    pub(super) fn set(&mut self, id: EntryId, to: Ours) -> Result<bool, room::Refusal> {
        let changes = self.room.set(id, to)?;
        if changes && let Some(message) = self.room.get(id).and_then(|entry| entry.message()) {
            let update = Update::Moderated { message: message.id.clone(), to };
            self.out.updates.push((message.source.clone(), update));
        }
        Ok(changes)
    }

    pub(super) fn moderated(&mut self, act: &Act) {
        self.changed = true;
        self.out.news.push(News::Moderated {
            chat: act.chat.clone(),
            act: act.id,
            what: act.what,
            by_rule: matches!(act.by, By::Rule(_)),
            outcome: act.outcome.clone(),
        });
    }

    pub(super) fn by_hand(
        &mut self,
        chat: &SourceId,
        message: &MessageId,
        what: What,
        reason: Option<&str>,
        now: Now,
    ) -> Result<(), Refusal> {
        let id = self.room.find(chat, message).map(|entry| entry.id);
        let id = id.ok_or(Refusal::NoMessage(self.room.len()))?;
        self.act(id, what, By::Hand, reason, now).map(|_| ())
    }

    pub(super) fn undo(&mut self, act: Option<ActId>, now: Now) -> Result<(), Refusal> {
        let wanted = |kept: &&mut Kept| {
            kept.act.can_be_undone()
                && match act {
                    Some(id) => kept.act.id == id,
                    // What an operator did last; a rule's acts are undone by their number.
                    None => kept.act.by == By::Hand,
                }
        };
        let kept = self.acts.iter_mut().rev().find(wanted).ok_or(Refusal::NothingToUndo)?;
        kept.act.outcome = Outcome::Undone;
        let (act, lines) = (kept.act.clone(), std::mem::take(&mut kept.lines));
        for line in lines {
            // What fell out, or was deleted meanwhile, stays as it is.
            let _ = self.set(line, Ours::Show);
        }
        self.moderated(&act);
        if matches!(act.what, What::TimeOut(_) | What::Ban) {
            let number = ActId(self.next_act);
            self.next_act += 1;
            let channel = act.channel.as_ref().map(ToString::to_string);
            let action = PlatformAction::Lift { user: act.author.clone(), channel };
            let chat = act.chat.clone();
            let lift =
                Act { id: number, at: now.wall, what: What::Lift, outcome: Outcome::Asked, ..act };
            self.moderated(&lift);
            self.acts.push_back(Kept { act: lift, lines: Vec::new() });
            self.order(chat, action, Pending::Act(number));
        }
        Ok(())
    }
}
