//! Who is an operator of a channel, from NAMES and MODE; in bounded memory.

use std::collections::BTreeSet;

use super::{line::Line, session::folded};

/// Operators that are remembered over all channels.
const MOST: usize = 4_096;
/// Modes with a parameter that make an operator: founder, protected, operator, half-operator.
const OPERATOR: &str = "qaoh";
/// Modes that take a parameter when set and when unset, in use on most networks: those above, voice, ban, exceptions
/// and invitations (RFC 2811, section 4; `PREFIX` and `CHANMODES` of 005 list them per server).
const WITH_PARAM: &str = "qaohvbeIkgwXY";

/// The operators of the joined channels.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    operators: BTreeSet<(String, String)>,
}

impl Roster {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.operators.clear();
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
                _ if OPERATOR.contains(mode) => match params.next() {
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
                // The limit has a parameter only when it is set.
                'l' if !set => {}
                'l' => _ = params.next(),
                _ if WITH_PARAM.contains(mode) => _ = params.next(),
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
