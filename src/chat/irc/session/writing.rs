//! What a session asks of the server: to say a line, to ban and to lift a ban.

use super::{PREFIX, Session, folded};
use crate::{
    base::Now,
    chat::{
        MessageId, Text, Update,
        irc::{
            asked::{self, Request},
            line::{Command, Line},
            output::{Output, Presence, Refusal},
        },
    },
};

impl Session {
    /// The channels of the show file, and whether we are in them.
    pub fn channels(&self) -> impl Iterator<Item = (&str, Presence)> {
        self.settings.channels.iter().map(|name| {
            let presence = match self.channels.get(&folded(name)) {
                Some(channel) if channel.joined => Presence::Joined,
                Some(channel) => channel.refused.map_or(Presence::Away, Presence::Refused),
                None => Presence::Away,
            };
            (name.as_str(), presence)
        })
    }

    /// How many more requests may wait for their answer.
    pub fn room(&self) -> usize {
        self.asked.room()
    }

    /// Says something in a channel, as one line. Returns the label under which it is answered: by [`Output::Done`] once
    /// the server sends it back or, where it does not do that, has passed it without a refusal; or by
    /// [`Output::Refused`], or [`Output::Unanswered`]. Our own line comes as an update once, and not before that.
    pub fn say(&mut self, now: Now, channel: &str, text: &str) -> Result<u64, Refusal> {
        let key = self.may_ask(channel)?;
        if Text::new(text).is_empty() {
            return Err(Refusal::Empty);
        }
        let is_echoed = self.caps.contains("echo-message");
        let labelled = is_echoed && self.caps.contains("labeled-response");
        let label = self.labels + 1;
        let (wire, kept) = Command {
            name: "PRIVMSG",
            params: &[channel],
            text: Some(text),
            label: labelled.then_some(label),
            reserve: PREFIX + self.nick.len(),
            ..Command::default()
        }
        .write()
        .map_err(|_| Refusal::TooLong)?;
        if kept < text.len() {
            return Err(Refusal::TooLong);
        }
        self.labels = label;
        self.out.push_back(Output::Send(wire));
        // As it is written, and comes back: one line.
        let text = text.replace(['\r', '\n', '\0'], " ");
        if is_echoed {
            self.asked.add(label, &key, now.mono, Request::Echoed { text, labelled });
        } else {
            let channel = channel.to_owned();
            self.asked.add(label, &key, now.mono, Request::Said { channel, text });
            self.fence(label);
        }
        Ok(label)
    }

    /// Bans a nickname from a channel, and removes who has it once the ban stands. Returns the label under which it is
    /// answered, as for [`Session::say`]. It is done, too, when the ban stood before, and when nobody has that nickname.
    pub fn ban(
        &mut self,
        now: Now,
        channel: &str,
        nick: &str,
        reason: &str,
    ) -> Result<u64, Refusal> {
        let request = Request::Ban {
            channel: channel.to_owned(),
            nick: nick.to_owned(),
            reason: reason.to_owned(),
        };
        self.mask(now, channel, nick, "+b", request)
    }

    /// Ends a ban of a nickname. Returns the label under which it is answered, as for [`Session::say`]. It is done, too,
    /// when there was no such ban.
    pub fn unban(&mut self, now: Now, channel: &str, nick: &str) -> Result<u64, Refusal> {
        self.mask(now, channel, nick, "-b", Request::Lift)
    }

    fn mask(
        &mut self,
        now: Now,
        channel: &str,
        nick: &str,
        mode: &str,
        request: Request,
    ) -> Result<u64, Refusal> {
        let key = self.may_ask(channel)?;
        // A wildcard would ban everybody.
        let wild =
            |c: char| c.is_control() || matches!(c, '*' | '?' | '!' | '@' | ',' | ' ' | ':' | '$');
        if nick.is_empty() || nick.len() > 64 || nick.contains(wild) {
            return Err(Refusal::BadNick);
        }
        self.labels += 1;
        let mask = format!("{nick}!*@*");
        let params = &[channel, mode, &mask];
        self.send(Command { name: "MODE", params, ..Command::default() });
        self.asked.add(self.labels, &key, now.mono, request);
        self.fence(self.labels);
        Ok(self.labels)
    }

    /// The channel's folded name, where something may be asked of it.
    fn may_ask(&self, channel: &str) -> Result<String, Refusal> {
        let key = folded(channel);
        if !self.channels.get(&key).is_some_and(|channel| channel.joined) {
            return Err(Refusal::NotJoined);
        }
        if self.asked.room() == 0 {
            return Err(Refusal::Busy);
        }
        Ok(key)
    }

    /// Asks for the end of the server's answers to what was asked.
    fn fence(&mut self, label: u64) {
        let mark = asked::mark(label);
        self.send(Command { name: "PING", text: Some(&mark), ..Command::default() });
    }

    pub(super) fn pong(&mut self, now: Now, line: &Line) {
        let Some((label, request)) = self.asked.passed(line.last().unwrap_or_default()) else {
            return;
        };
        let mut id = None;
        match request {
            Request::Said { channel, text } => id = Some(self.own(now, &channel, &text)),
            Request::Ban { channel, nick, reason } => {
                let params = &[channel.as_str(), &nick];
                let text = Some(reason.as_str());
                self.send(Command { name: "KICK", params, text, ..Command::default() });
                self.asked.add(label, &folded(&channel), now.mono, Request::Kick);
                return self.fence(label);
            }
            Request::Echoed { .. } | Request::Kick | Request::Lift => {}
        }
        self.out.push_back(Output::Done { label, id });
    }

    /// Reports a line of our own that does not come back.
    fn own(&mut self, now: Now, channel: &str, text: &str) -> MessageId {
        let nick = self.nick.clone();
        let id = self.derived(now.wall, &nick, text, false);
        if self.seen.insert(id.clone()) {
            let mut message = self.message(id.clone(), channel, now.wall, &nick, text);
            message.own = true;
            self.update(Update::Message(Box::new(message)));
        }
        id
    }

    pub(super) fn confirm(&mut self, line: &Line, channel: &str, text: &str, id: &MessageId) {
        let label = line.tag("label").and_then(|label| label.parse::<u64>().ok());
        if let Some(label) = self.asked.echoed(label, &folded(channel), text) {
            self.out.push_back(Output::Done { label, id: Some(id.clone()) });
        }
    }

    /// Whether the error refuses what we asked.
    pub(super) fn is_refusal(&mut self, code: u16, line: &Line) -> bool {
        let named = line.param(1).map(folded).unwrap_or_default();
        let Some(label) = self.asked.refused(code, line, &named) else { return false };
        let text = Text::new(line.last().unwrap_or_default());
        self.out.push_back(Output::Refused { label, numeric: code, text });
        true
    }

    pub(super) fn expire(&mut self, now: Now) {
        while let Some(label) = self.asked.expired(now.mono) {
            self.out.push_back(Output::Unanswered { label });
        }
    }
}
