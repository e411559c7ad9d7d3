//! Chat over IRC: what an anonymous reader needs, and the lines of messages and removals.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::mpsc,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::{More, State, User, channel};

/// A client.
pub struct Link {
    to: mpsc::Sender<Option<String>>,
    nick: String,
    tags: bool,
    commands: bool,
    joined: BTreeSet<String>,
    leaving: bool,
}

impl Link {
    pub fn has_joined(&self, channel: &str) -> bool {
        self.joined.contains(channel)
    }

    /// Sends a line, without its tags to who has not asked for them.
    pub fn send(&self, line: &str) {
        let line = match line.strip_prefix('@') {
            Some(rest) if !self.tags => rest.split_once(' ').map_or("", |(_, rest)| rest),
            _ => line,
        };
        let is_command = ["CLEARCHAT", "CLEARMSG", "USERNOTICE", "RECONNECT", "ROOMSTATE"]
            .iter()
            .any(|word| line.contains(&format!(":tmi.twitch.tv {word}")));
        if self.commands || !is_command {
            let _ = self.to.try_send(Some(format!("{line}\r\n")));
        }
    }

    /// It was asked to reconnect: closed as soon as another client has joined.
    pub fn leave(&mut self) {
        self.leaving = true;
    }
}

fn enter(state: &Arc<Mutex<State>>) -> (u64, mpsc::Receiver<Option<String>>) {
    let mut state = state.lock().unwrap();
    let (to, lines) = channel();
    let number = state.number();
    let link = Link {
        to,
        nick: String::new(),
        tags: false,
        commands: false,
        joined: BTreeSet::new(),
        leaving: false,
    };
    state.irc.insert(number, link);
    (number, lines)
}

pub async fn tcp(stream: TcpStream, state: Arc<Mutex<State>>) {
    let _ = stream.set_nodelay(true);
    let (number, mut out) = enter(&state);
    let (from, mut to) = stream.into_split();
    let mut lines = BufReader::new(from).lines();
    loop {
        tokio::select! {
            line = out.recv() => {
                let Some(line) = line.flatten() else { break };
                if to.write_all(line.as_bytes()).await.is_err() {
                    break;
                }
            }
            line = lines.next_line() => match line {
                Ok(Some(line)) => take(&state, number, &line),
                _ => break,
            },
        }
    }
    state.lock().unwrap().irc.remove(&number);
}

pub async fn websocket(mut socket: WebSocketStream<TcpStream>, state: Arc<Mutex<State>>) {
    let (number, mut out) = enter(&state);
    loop {
        tokio::select! {
            line = out.recv() => {
                let Some(line) = line.flatten() else { break };
                if socket.send(Message::text(line)).await.is_err() {
                    break;
                }
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    text.lines().for_each(|line| take(&state, number, line));
                }
                Some(Ok(_)) => {}
                _ => break,
            },
        }
    }
    state.lock().unwrap().irc.remove(&number);
}

fn take(state: &Arc<Mutex<State>>, number: u64, line: &str) {
    let mut state = state.lock().unwrap();
    let state = &mut *state;
    let Some(link) = state.irc.get_mut(&number) else { return };
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "CAP" => {
            let wanted = rest.split_once(':').map_or("", |(_, wanted)| wanted);
            link.tags |= wanted.contains("twitch.tv/tags");
            link.commands |= wanted.contains("twitch.tv/commands");
            link.send(&format!(":tmi.twitch.tv CAP * ACK :{wanted}"));
        }
        "PASS" | "PONG" | "USER" => {}
        "NICK" => {
            let nick = rest.trim_start_matches(':');
            let digits = nick.strip_prefix("justinfan").is_some_and(|n| n.parse::<u32>().is_ok());
            if !digits {
                state.wrong.push(line.to_owned());
            }
            nick.clone_into(&mut link.nick);
            for (code, text) in [
                ("001", "Welcome, GLHF!"),
                ("002", "Your host is tmi.twitch.tv"),
                ("003", "This server is rather new"),
                ("004", "-"),
                ("375", "-"),
                ("372", "You are in a maze of twisty passages, all alike."),
                ("376", ">"),
            ] {
                link.send(&format!(":tmi.twitch.tv {code} {nick} :{text}"));
            }
        }
        "JOIN" => {
            for name in rest.trim_start_matches(':').split(',') {
                let name = name.trim_start_matches('#');
                let Some(user) = state.users.iter().find(|user| user.login == name) else {
                    continue;
                };
                let nick = &link.nick;
                link.send(&format!(":{nick}!{nick}@{nick}.tmi.twitch.tv JOIN #{name}"));
                link.send(&format!(":{nick}.tmi.twitch.tv 353 {nick} = #{name} :{nick}"));
                link.send(&format!(":{nick}.tmi.twitch.tv 366 {nick} #{name} :End of /NAMES list"));
                link.send(&format!(
                    "@emote-only=0;followers-only=-1;r9k=0;room-id={};slow=0;subs-only=0 :tmi.twitch.tv ROOMSTATE #{name}",
                    user.id
                ));
                link.joined.insert(name.to_owned());
            }
            for old in state.irc.values().filter(|old| old.leaving) {
                let _ = old.to.try_send(None);
            }
        }
        "PING" => link.send(&format!(":tmi.twitch.tv PONG tmi.twitch.tv {rest}")),
        // An anonymous reader can send nothing.
        _ => state.wrong.push(line.to_owned()),
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace(';', "\\:")
        .replace(' ', "\\s")
        .replace('\r', "\\r")
        .replace('\n', "\\n")
}

fn tags(all: &[(&str, String)]) -> String {
    let each: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    format!("@{}", each.join(";"))
}

fn sent() -> String {
    jiff::Timestamp::now().as_millisecond().to_string()
}

/// The tags of what a user says.
fn of_user(channel: &User, user: &User, id: &str, more: &More<'_>) -> Vec<(&'static str, String)> {
    let list = |pick: fn(&(&str, &str, &str)) -> String, only: bool| {
        let shown = |badge: &&(&str, &str, &str)| !only || !badge.2.is_empty();
        more.badges.iter().filter(shown).map(pick).collect::<Vec<_>>().join(",")
    };
    let has = |set: &str| u8::from(more.badges.iter().any(|badge| badge.0 == set)).to_string();
    vec![
        ("badge-info", list(|(set, _, info)| format!("{set}/{info}"), true)),
        ("badges", list(|(set, version, _)| format!("{set}/{version}"), false)),
        ("color", "#0000FF".to_owned()),
        ("display-name", user.name.clone()),
        ("emotes", String::new()),
        ("first-msg", "0".to_owned()),
        ("flags", String::new()),
        ("id", id.to_owned()),
        ("mod", has("moderator")),
        ("returning-chatter", "0".to_owned()),
        ("room-id", channel.id.clone()),
        ("subscriber", has("subscriber")),
        ("tmi-sent-ts", sent()),
        ("turbo", "0".to_owned()),
        ("user-id", user.id.clone()),
        ("user-type", String::new()),
    ]
}

pub fn privmsg(
    channel: &User,
    author: &User,
    id: &str,
    text: &str,
    more: &More<'_>,
    parent: Option<&(String, User, String)>,
) -> String {
    let mut all = of_user(channel, author, id, more);
    if let Some((emote, word)) = more.emote {
        let first = text[..text.find(word).unwrap()].chars().count();
        let last = first + word.chars().count() - 1;
        all[4].1 = format!("{emote}:{first}-{last}");
    }
    if let Some(bits) = more.bits {
        all.push(("bits", bits.to_string()));
    }
    if let Some((id, user, text)) = parent {
        all.extend([
            ("reply-parent-display-name", user.name.clone()),
            ("reply-parent-msg-body", text.clone()),
            ("reply-parent-msg-id", id.clone()),
            ("reply-parent-user-id", user.id.clone()),
            ("reply-parent-user-login", user.login.clone()),
        ]);
    }
    let nick = &author.login;
    let tags = tags(&all);
    format!("{tags} :{nick}!{nick}@{nick}.tmi.twitch.tv PRIVMSG #{} :{text}", channel.login)
}

pub fn clearmsg(channel: &User, author: &User, id: &str, text: &str) -> String {
    let all = [
        ("login", author.login.clone()),
        ("room-id", String::new()),
        ("target-msg-id", id.to_owned()),
        ("tmi-sent-ts", sent()),
    ];
    format!("{} :tmi.twitch.tv CLEARMSG #{} :{text}", tags(&all), channel.login)
}

pub fn clearchat(channel: &User, user: Option<&User>, seconds: Option<u64>) -> String {
    let mut all = Vec::new();
    if let Some(seconds) = seconds {
        all.push(("ban-duration", seconds.to_string()));
    }
    all.push(("room-id", channel.id.clone()));
    if let Some(user) = user {
        all.push(("target-user-id", user.id.clone()));
    }
    all.push(("tmi-sent-ts", sent()));
    let of = user.map(|user| format!(" :{}", user.login)).unwrap_or_default();
    format!("{} :tmi.twitch.tv CLEARCHAT #{}{of}", tags(&all), channel.login)
}

pub fn resub(channel: &User, user: &User, id: &str, said: &str, text: &str) -> String {
    let mut all = of_user(channel, user, id, &More::default());
    all.extend([
        ("login", user.login.clone()),
        ("msg-id", "resub".to_owned()),
        ("msg-param-cumulative-months", "3".to_owned()),
        ("msg-param-months", "0".to_owned()),
        ("msg-param-should-share-streak", "0".to_owned()),
        ("msg-param-sub-plan", "1000".to_owned()),
        ("msg-param-sub-plan-name", "Channel Subscription".to_owned()),
        ("system-msg", said.to_owned()),
    ]);
    format!("{} :tmi.twitch.tv USERNOTICE #{} :{text}", tags(&all), channel.login)
}
