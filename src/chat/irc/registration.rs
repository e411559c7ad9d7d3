//! From the connection to the welcome (001): capabilities, SASL PLAIN, and a nickname that is free.

use std::collections::BTreeSet;

use super::line::{Command, Line, Wire};
use crate::{base::Secret, chat::base64};

/// Capabilities that are asked for where the server has them (IRCv3; the drafts by the names in use).
const WANTED: [&str; 9] = [
    "message-tags",
    "server-time",
    "batch",
    "echo-message",
    "account-tag",
    "labeled-response",
    "multi-prefix",
    "draft/chathistory",
    "draft/message-redaction",
];
/// Length of a chunk of a SASL answer (IRCv3 sasl-3.1).
const SASL_CHUNK: usize = 400;
/// How many nicknames are tried.
const NICKS: u32 = 8;
/// The shortest limit of a nickname's length in use: RFC 2812, section 1.2.1; ngircd keeps it.
const SHORT_NICK: usize = 9;

/// Why registration cannot succeed, however often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A login was asked for and the server offers no SASL PLAIN.
    #[error("the server offers no SASL PLAIN login")]
    NoSasl,
    /// The server refused the account or its secret.
    #[error("the server refused the login")]
    LoginRefused,
    /// A login was asked for without a secret, or over a connection without TLS.
    #[error("a login needs a secret and a TLS connection")]
    LoginUnsafe,
    /// No nickname that was tried is free or allowed.
    #[error("no nickname that was tried is free or allowed")]
    NoNick,
    /// The server's password is wrong (464).
    #[error("the server refused the password")]
    PasswordRefused,
    /// The address or user is banned from the server (465).
    #[error("banned from the server")]
    Banned,
}

/// What a line led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It has nothing to do with registration, or nothing follows from it.
    Nothing,
    /// The server welcomed us under this nickname.
    Welcome(String),
    /// Registration cannot succeed.
    Rejected(Rejection),
}

/// The state of a registration. The secret lives here until the login has ended.
#[derive(Debug, Clone)]
pub struct Registration {
    nick: String,
    account: Option<String>,
    secret: Option<Secret>,
    attempt: u32,
    offered: Vec<String>,
    caps: BTreeSet<String>,
    ended: bool,
    out: Vec<Wire>,
}

impl Registration {
    /// Begins: the first lines are in [`Registration::drain`]. With an `account` the secret is for SASL, without one it is the
    /// server's password.
    pub fn begin(
        nick: &str,
        user: &str,
        account: Option<&str>,
        secret: Option<&Secret>,
        tls: bool,
    ) -> Result<Self, Rejection> {
        if account.is_some() && (secret.is_none() || !tls) {
            return Err(Rejection::LoginUnsafe);
        }
        let mut begun = Self {
            nick: nick.to_owned(),
            account: account.map(str::to_owned),
            secret: secret.filter(|_| account.is_some()).cloned(),
            attempt: 0,
            offered: Vec::new(),
            caps: BTreeSet::new(),
            ended: false,
            out: Vec::new(),
        };
        begun.send(Command { name: "CAP", params: &["LS", "302"], ..Command::default() });
        if let Some(password) = secret.filter(|_| account.is_none()) {
            let text = Some(password.expose());
            begun.send(Command { name: "PASS", text, secret: true, ..Command::default() });
        }
        begun.send(Command { name: "NICK", params: &[nick], ..Command::default() });
        begun.send(Command {
            name: "USER",
            params: &[user, "0", "*"],
            text: Some(nick),
            ..Command::default()
        });
        Ok(begun)
    }

    /// The lines to be sent now.
    pub fn drain(&mut self) -> impl Iterator<Item = Wire> {
        std::mem::take(&mut self.out).into_iter()
    }

    /// The capabilities that the server has granted.
    pub fn caps(&self) -> &BTreeSet<String> {
        &self.caps
    }

    /// Takes a line of the server.
    pub fn line(&mut self, line: &Line) -> Step {
        match line.command.as_str() {
            "CAP" => self.cap(line),
            "AUTHENTICATE" => self.authenticate(line),
            "903" | "907" => self.end(),
            "902" | "904" | "905" | "906" | "908" => {
                self.secret = None;
                Step::Rejected(Rejection::LoginRefused)
            }
            "432" | "433" | "436" | "437" => self.next_nick(),
            "464" => Step::Rejected(Rejection::PasswordRefused),
            "465" => Step::Rejected(Rejection::Banned),
            "001" => self.welcome(line),
            // A server without CAP says so and goes on.
            "421" if line.param(1) == Some("CAP") && self.account.is_some() => {
                Step::Rejected(Rejection::NoSasl)
            }
            _ => Step::Nothing,
        }
    }

    fn welcome(&mut self, line: &Line) -> Step {
        // A server that skips the login must not be taken for one that has accepted it.
        if self.secret.take().is_some() {
            return Step::Rejected(Rejection::NoSasl);
        }
        let nick = line.param(0).filter(|nick| !nick.is_empty());
        Step::Welcome(nick.unwrap_or(&self.nick).to_owned())
    }

    fn cap(&mut self, line: &Line) -> Step {
        let Some(verb) = line.param(1) else { return Step::Nothing };
        let list: Vec<&str> = line.last().unwrap_or_default().split_whitespace().collect();
        match verb.to_ascii_uppercase().as_str() {
            "LS" => {
                // Bounded: a server that lists without end is no server to ask more of.
                let room = 512_usize.saturating_sub(self.offered.len());
                self.offered.extend(list.into_iter().take(room).map(str::to_owned));
                let more = line.params.len() > 3 && line.param(2) == Some("*");
                if more { Step::Nothing } else { self.request() }
            }
            "ACK" => {
                for cap in list {
                    match cap.strip_prefix('-') {
                        Some(gone) => self.caps.remove(gone),
                        None => known(cap) && self.caps.insert(cap.to_owned()),
                    };
                }
                if self.ended {
                    return Step::Nothing;
                }
                if self.account.is_none() {
                    return self.end();
                }
                self.send(Command {
                    name: "AUTHENTICATE",
                    params: &["PLAIN"],
                    ..Command::default()
                });
                Step::Nothing
            }
            "NAK" if !self.ended => {
                if self.account.is_some() {
                    Step::Rejected(Rejection::NoSasl)
                } else {
                    self.end()
                }
            }
            "DEL" => {
                for cap in list {
                    self.caps.remove(cap);
                }
                Step::Nothing
            }
            _ => Step::Nothing,
        }
    }

    fn request(&mut self) -> Step {
        if self.ended {
            return Step::Nothing;
        }
        let named = |cap: &str| {
            self.offered.iter().find_map(|offered| {
                let (name, value) = offered.split_once('=').unwrap_or((offered, ""));
                (name == cap).then_some(value)
            })
        };
        let mut wanted: Vec<&str> = WANTED.into_iter().filter(|cap| named(cap).is_some()).collect();
        if self.account.is_some() {
            let plain = |value: &str| value.is_empty() || value.split(',').any(|m| m == "PLAIN");
            if !named("sasl").is_some_and(plain) {
                return Step::Rejected(Rejection::NoSasl);
            }
            wanted.push("sasl");
        }
        if wanted.is_empty() {
            return self.end();
        }
        let list = wanted.join(" ");
        let text = Some(list.as_str());
        self.send(Command { name: "CAP", params: &["REQ"], text, ..Command::default() });
        Step::Nothing
    }

    fn authenticate(&mut self, line: &Line) -> Step {
        let (Some("+"), Some(account)) = (line.param(0), &self.account) else {
            return Step::Nothing;
        };
        // Dropped here: it is sent once.
        let Some(secret) = self.secret.take() else { return Step::Nothing };
        let plain = format!("{account}\0{account}\0{}", secret.expose());
        let coded = base64::encode(plain.as_bytes());
        let mut chunks: Vec<&str> = Vec::new();
        let mut rest = coded.as_str();
        while let Some((head, tail)) = rest.split_at_checked(SASL_CHUNK) {
            chunks.push(head);
            rest = tail;
        }
        // A last chunk of full length is followed by an empty one.
        chunks.push(if rest.is_empty() { "+" } else { rest });
        for chunk in chunks {
            self.send(Command {
                name: "AUTHENTICATE",
                params: &[chunk],
                secret: true,
                ..Command::default()
            });
        }
        Step::Nothing
    }

    fn end(&mut self) -> Step {
        self.secret = None;
        if !std::mem::replace(&mut self.ended, true) {
            self.send(Command { name: "CAP", params: &["END"], ..Command::default() });
        }
        Step::Nothing
    }

    fn next_nick(&mut self) -> Step {
        self.attempt += 1;
        if self.attempt > NICKS {
            return Step::Rejected(Rejection::NoNick);
        }
        let digits = self.attempt.to_string();
        let room = SHORT_NICK - digits.len();
        let head: String = self.nick.chars().filter(char::is_ascii).take(room).collect();
        let nick = format!("{head}{digits}");
        self.send(Command { name: "NICK", params: &[&nick], ..Command::default() });
        Step::Nothing
    }

    /// Settings are checked before a session begins, so every line can be written.
    fn send(&mut self, command: Command<'_>) {
        if let Ok((wire, _)) = command.write() {
            self.out.push(wire);
        }
    }
}

fn known(cap: &str) -> bool {
    WANTED.contains(&cap) || cap == "sasl"
}
