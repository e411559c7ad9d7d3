//! Carries out what is to be done on a network: asks it of the session, and knows when all of an order is answered.
//! Each order has one answer.

use std::time::Duration;

use super::{
    output::{Output, Presence, Refusal},
    session::{Session, folded},
};
use crate::{
    base::Now,
    chat::{
        MessageId, PlatformAction, Text,
        send::{Answer, Failure},
    },
};

/// What finds no channel joined is tried again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Orders that are not answered yet. There are at most as many as the session has requests open.
#[derive(Debug, Clone, Default)]
pub struct OpenOrders(Vec<Open>);

#[derive(Debug, Clone)]
struct Open {
    number: u64,
    /// Labels that are not answered, with their channels.
    waits: Vec<(u64, String)>,
    /// Whether it concerns several channels.
    several: bool,
    id: Option<MessageId>,
    /// What went wrong first.
    wrong: Option<Answer>,
}

impl OpenOrders {
    /// Begins to carry out an order. Returns its answer where that is known at once.
    ///
    /// A line is taken once all its channels have it, and dropped if one of them refuses it. A ban is taken once the
    /// server has set it and removed the user, and lifting it once the server has done that; each, too, where the server
    /// has nothing to change. There is neither a time-out nor a deletion.
    pub fn begin(
        &mut self,
        session: &mut Session,
        now: Now,
        number: u64,
        action: &PlatformAction,
    ) -> Option<Answer> {
        let channel = match action {
            PlatformAction::Say { channel, .. }
            | PlatformAction::Ban { channel, .. }
            | PlatformAction::Lift { channel, .. } => channel.as_deref().map(folded),
            PlatformAction::Delete(_) | PlatformAction::TimeOut { .. } => {
                return Some(Answer::Failed(Failure::NotAllowed));
            }
        };
        let channels: Vec<(String, Presence)> = session
            .channels()
            .filter(|(name, _)| channel.as_ref().is_none_or(|only| folded(name) == *only))
            .map(|(name, presence)| (name.to_owned(), presence))
            .collect();
        let later = Some(Answer::Later(AGAIN));
        if session.room() < channels.len() {
            return later;
        }
        let several = channels.len() > 1;
        let none_joined = !channels.iter().any(|(_, presence)| *presence == Presence::Joined);
        if none_joined && channels.iter().any(|(_, presence)| *presence == Presence::Away) {
            return later;
        }
        let mut open = Open { number, waits: Vec::new(), several, id: None, wrong: None };
        for (name, presence) in channels {
            let asked = match action {
                PlatformAction::Say { text, .. } => session.say(now, &name, text),
                PlatformAction::Ban { user, reason, .. } => {
                    session.ban(now, &name, user.name.as_str(), reason)
                }
                PlatformAction::Lift { user, .. } => session.unban(now, &name, user.name.as_str()),
                PlatformAction::Delete(_) | PlatformAction::TimeOut { .. } => {
                    Err(Refusal::NotJoined)
                }
            };
            match asked {
                Ok(label) => open.waits.push((label, name)),
                Err(why) => open.fails(not_asked(&name, presence, why)),
            }
        }
        if open.waits.is_empty() {
            let wrong = open.wrong.take();
            return wrong.or(Some(Answer::Failed(Failure::Other(words(Refusal::NotJoined)))));
        }
        self.0.push(open);
        None
    }

    /// Takes what the session hands out. Returns the order that it ends, with its answer.
    pub fn output(&mut self, output: &Output) -> Option<(u64, Answer)> {
        let (Output::Done { label, .. }
        | Output::Refused { label, .. }
        | Output::Unanswered { label }) = output
        else {
            return None;
        };
        let waits = |open: &Open| open.waits.iter().position(|(waits, _)| waits == label);
        let (at, nth) =
            self.0.iter().enumerate().find_map(|(at, open)| Some((at, waits(open)?)))?;
        let open = self.0.get_mut(at)?;
        let (_, channel) = open.waits.swap_remove(nth);
        match output {
            Output::Done { id, .. } => open.id = open.id.take().or(id.clone()),
            Output::Refused { numeric, text, .. } => {
                let text = if open.several {
                    Text::new(&format!("{channel}: {text}"))
                } else {
                    text.clone()
                };
                let code = Text::new(&format!("{numeric:03}"));
                open.fails(Answer::Dropped { code, text });
            }
            _ => open.fails(Answer::Failed(Failure::Expired)),
        }
        if !open.waits.is_empty() {
            return None;
        }
        let Open { number, id, wrong, .. } = self.0.swap_remove(at);
        Some((number, wrong.unwrap_or(Answer::Taken(id))))
    }

    /// The connection has ended: nobody knows what became of them.
    pub fn end(&mut self) -> impl Iterator<Item = (u64, Answer)> {
        self.0.drain(..).map(|open| (open.number, Answer::Failed(Failure::Network)))
    }
}

impl Open {
    fn fails(&mut self, answer: Answer) {
        self.wrong.get_or_insert(answer);
    }
}

fn words(why: Refusal) -> Text {
    Text::new(&why.to_string())
}

fn not_asked(channel: &str, presence: Presence, why: Refusal) -> Answer {
    let text = Text::new(&format!("{channel}: {why}"));
    match (presence, why) {
        (Presence::Refused(numeric), Refusal::NotJoined) => {
            Answer::Dropped { code: Text::new(&format!("{numeric:03}")), text }
        }
        _ => Answer::Failed(Failure::Other(text)),
    }
}

#[cfg(test)]
mod tests;
