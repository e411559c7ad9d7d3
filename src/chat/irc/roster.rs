//! Who is an operator of a channel, from NAMES and MODE; in bounded memory.

use std::collections::BTreeSet;

use super::{line::Line, session::folded};

/// Operators that are remembered over all channels.
const MOST: usize = 4_096;

/// The operators of the joined channels, and which modes make one.
#[derive(Debug, Clone)]
pub struct Roster {
    operators: BTreeSet<(String, String)>,
    /// Modes above voice (`PREFIX` of 005).
    ranks: String,
    /// Modes with a parameter whether set or unset.
    always: String,
    /// Modes with a parameter only when they are set.
    when_set: String,
}

impl Default for Roster {
    /// What most networks have, for those that do not say (RFC 2811, section 4, and founder, protected, half-operator).
    fn default() -> Self {
        Self {
            operators: BTreeSet::new(),
            ranks: "qaoh".to_owned(),
            always: "qaohvbeIk".to_owned(),
            when_set: "l".to_owned(),
        }
    }
}

impl Roster {
    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes what the server supports (005): `PREFIX=(ov)@+`, `CHANMODES=b,k,Hl,imnpst`.
    pub fn support(&mut self, line: &Line) {
        let value = |key: &str| {
            let found = line.params.iter().find_map(|param| param.strip_prefix(key))?;
            Some(found).filter(|value| value.len() <= 128)
        };
        if let Some(modes) = value("PREFIX=(").and_then(|prefix| prefix.split(')').next()) {
            modes.split('v').next().unwrap_or_default().clone_into(&mut self.ranks);
            self.always.push_str(modes);
        }
        if let Some(modes) = value("CHANMODES=") {
            // Lists, always with a parameter, with one when set, without one.
            let mut kinds = modes.split(',');
            let (lists, always) = (kinds.next(), kinds.next());
            let with = [lists, always].map(Option::unwrap_or_default).concat();
            self.always = format!("{with}{}v", self.ranks);
            kinds.next().unwrap_or_default().clone_into(&mut self.when_set);
        }
    }

    /// Whether the nickname is an operator of the channel.
    pub fn is_operator(&self, channel: &str, nick: &str) -> bool {
        self.operators.contains(&(folded(channel), folded(nick)))
    }

    /// Takes an answer to NAMES (353): `me = #channel :@a +b c`.
    pub fn names(&mut self, line: &Line) {
        let (Some(channel), Some(names)) = (line.param(2), line.param(3)) else { return };
        for name in names.split_whitespace() {
            let nick = name.trim_start_matches(['~', '&', '@', '%', '+', '!']);
            let marks = name.strip_suffix(nick).unwrap_or_default();
            if marks.contains(['~', '&', '@', '%', '!']) {
                self.add(channel, nick);
            }
        }
    }

    /// Takes a MODE of a channel. Returns the nicknames of bans that name one nickname.
    pub fn mode(&mut self, channel: &str, line: &Line) -> Vec<String> {
        let mut banned = Vec::new();
        let mut params = line.params.iter().skip(2);
        let mut set = true;
        for mode in line.param(1).unwrap_or_default().chars() {
            match mode {
                '+' => set = true,
                '-' => set = false,
                _ if self.ranks.contains(mode) => match params.next() {
                    Some(nick) if set => self.add(channel, nick),
                    Some(nick) => {
                        self.operators.remove(&(folded(channel), folded(nick)));
                    }
                    None => {}
                },
                'b' => {
                    let nick = params.next().and_then(|mask| mask.split(['!', '@']).next());
                    // A mask with a sign of its own (`~a:account`, `$a:`) or with wildcards names no nickname.
                    let named = nick
                        .filter(|nick| !nick.is_empty() && !nick.contains(['*', '?', ':', '$']));
                    banned.extend(named.filter(|_| set).map(str::to_owned));
                }
                _ if self.always.contains(mode) => _ = params.next(),
                _ if set && self.when_set.contains(mode) => _ = params.next(),
                _ => {}
            }
        }
        banned
    }

    /// Somebody left a channel.
    pub fn parted(&mut self, channel: Option<&str>, nick: Option<&str>) {
        if let (Some(channel), Some(nick)) = (channel, nick) {
            self.operators.remove(&(folded(channel), folded(nick)));
        }
    }

    /// Somebody left the network.
    pub fn quit(&mut self, nick: Option<&str>) {
        let nick = nick.map(folded);
        self.operators.retain(|(_, known)| Some(known) != nick.as_ref());
    }

    /// Somebody has a new nickname.
    pub fn renamed(&mut self, old: &str, new: &str) {
        let (old, new) = (folded(old), folded(new));
        let moved: Vec<_> =
            self.operators.iter().filter(|(_, nick)| *nick == old).cloned().collect();
        for entry in moved {
            self.operators.remove(&entry);
            self.operators.insert((entry.0, new.clone()));
        }
    }

    fn add(&mut self, channel: &str, nick: &str) {
        if self.operators.len() < MOST {
            self.operators.insert((folded(channel), folded(nick)));
        }
    }
}
