//! A stand-in of Twitch: chat over IRC (TCP and WebSocket), EventSub over WebSocket and Helix on one port, written from
//! Twitch's documentation (Chat & Chatbots, EventSub WebSockets, Twitch API reference). What is said or removed goes to
//! every client that reads the channel, whichever way it came in. Foreign clients check it in the same tests.

#[path = "stand_in/eventsub.rs"]
mod eventsub;
#[path = "stand_in/helix.rs"]
mod helix;
#[path = "stand_in/irc.rs"]
mod irc;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::handshake::server::{Request, Response},
};

/// The application and the token of hawker's account, `host`, and those of the foreign client's account, `other`.
pub const CLIENT: &str = "hawkerclient1";
pub const TOKEN: &str = "s3cr3thosttoken";
pub const OTHER_CLIENT: &str = "foreignclient2";
pub const OTHER_TOKEN: &str = "s3cr3tothertoken";

/// Frames of one client that wait to be sent.
const WAITING: usize = 4_096;

#[derive(Clone)]
pub struct User {
    pub id: String,
    pub login: String,
    pub name: String,
}

/// A token.
#[derive(Clone)]
pub struct Grant {
    pub client_id: String,
    /// `None` for an application's own.
    pub user: Option<String>,
    pub scopes: Vec<&'static str>,
}

/// A line, beside author and text.
#[derive(Default, Clone)]
pub struct More<'a> {
    /// Set, version and info.
    pub badges: &'a [(&'a str, &'a str, &'a str)],
    /// The message that is answered.
    pub reply: Option<&'a str>,
    /// An emote: its identifier and its word in the text.
    pub emote: Option<(&'a str, &'a str)>,
    pub bits: Option<u64>,
}

struct Said {
    id: String,
    channel: String,
    author: User,
    text: String,
}

/// A request to Helix.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: Value,
}

/// An answer that is given instead of the right one, once.
pub struct Fault {
    pub method: &'static str,
    pub path: &'static str,
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

#[derive(Default)]
pub struct State {
    port: u16,
    users: Vec<User>,
    pub tokens: BTreeMap<String, Grant>,
    irc: BTreeMap<u64, irc::Link>,
    sessions: BTreeMap<String, eventsub::Session>,
    pub subscriptions: Vec<eventsub::Subscription>,
    said: Vec<Said>,
    banned: Vec<(String, String)>,
    pub asked: Vec<Asked>,
    pub faults: VecDeque<Fault>,
    /// Announced instead of what is asked for, in seconds: the documented least is 10.
    pub keepalive: Option<u64>,
    /// No keepalives are sent.
    pub silent: bool,
    /// Subscriptions of a socket that is cut stay in force.
    pub leaves_dead: bool,
    /// Entries of one page of the list of subscriptions.
    pub page: usize,
    /// Said on the old socket, late, when the next new one of a reconnect is welcomed: author and text.
    pub in_flight: Option<(String, String)>,
    /// Frames and lines from clients that must not send any, and removals of everything.
    pub wrong: Vec<String>,
    next: u64,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn uuid(&mut self) -> String {
        format!("aaaaaaaa-0000-4000-8000-{:012x}", self.number())
    }

    fn user(&self, login: &str) -> User {
        let user = self.users.iter().find(|user| user.login == login);
        user.unwrap_or_else(|| panic!("no user {login}")).clone()
    }

    fn by_id(&self, id: &str) -> Option<User> {
        self.users.iter().find(|user| user.id == id).cloned()
    }

    /// Says a line; its identifier.
    fn say(&mut self, channel: &str, author: &str, text: &str, more: &More<'_>) -> String {
        let (channel, author, id) = (self.user(channel), self.user(author), self.uuid());
        let parent = more.reply.and_then(|id| self.said.iter().find(|said| said.id == id));
        let parent = parent.map(|said| (said.id.clone(), said.author.clone(), said.text.clone()));
        let line = irc::privmsg(&channel, &author, &id, text, more, parent.as_ref());
        let event = eventsub::message(&channel, &author, &id, text, more, parent.as_ref());
        let channel = channel.login;
        self.said.push(Said {
            id: id.clone(),
            channel: channel.clone(),
            author,
            text: text.into(),
        });
        self.tell(&channel, &line, "channel.chat.message", &event);
        id
    }

    fn delete(&mut self, id: &str) {
        let said = self.said.iter().position(|said| said.id == id);
        let said = self.said.remove(said.unwrap_or_else(|| panic!("no message {id}")));
        let channel = self.user(&said.channel);
        let line = irc::clearmsg(&channel, &said.author, id, &said.text);
        let event = json!({"broadcaster_user_id": channel.id, "broadcaster_user_login": channel.login, "broadcaster_user_name": channel.name,
            "target_user_id": said.author.id, "target_user_login": said.author.login, "target_user_name": said.author.name, "message_id": id});
        self.tell(&said.channel, &line, "channel.chat.message_delete", &event);
    }

    /// Times out, or bans.
    fn ban(&mut self, channel: &str, login: &str, seconds: Option<u64>) {
        let (channel, user) = (self.user(channel), self.user(login));
        let line = irc::clearchat(&channel, Some(&user), seconds);
        let event = json!({"broadcaster_user_id": channel.id, "broadcaster_user_login": channel.login, "broadcaster_user_name": channel.name,
            "target_user_id": user.id, "target_user_login": user.login, "target_user_name": user.name});
        self.banned.push((channel.id, user.id));
        self.tell(&channel.login, &line, "channel.chat.clear_user_messages", &event);
    }

    fn clear(&mut self, channel: &str) {
        let channel = self.user(channel);
        let line = irc::clearchat(&channel, None, None);
        let event = json!({"broadcaster_user_id": channel.id, "broadcaster_user_login": channel.login, "broadcaster_user_name": channel.name});
        self.tell(&channel.login, &line, "channel.chat.clear", &event);
    }

    fn tell(&mut self, channel: &str, line: &str, kind: &str, event: &Value) {
        for link in self.irc.values().filter(|link| link.has_joined(channel)) {
            link.send(line);
        }
        eventsub::notify(self, kind, event);
    }
}

/// The stand-in; it ends when this is dropped.
pub struct Twitch {
    /// HTTP, EventSub's WebSocket at /ws, and IRC's WebSocket at /.
    pub port: u16,
    /// IRC over TCP, in clear.
    pub irc: u16,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

impl Twitch {
    /// With the channels `shop` and `outlet` and some users.
    pub async fn start() -> Self {
        let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, irc) = (web.local_addr().unwrap().port(), plain.local_addr().unwrap().port());
        let names =
            [("100", "Shop"), ("200", "Outlet"), ("7", "Host"), ("9", "Other"), ("8", "Lan")];
        let more = [("32", "Minh"), ("33", "Eve")];
        let user = |(id, name): (&str, &str)| User {
            id: id.to_owned(),
            login: name.to_lowercase(),
            name: name.to_owned(),
        };
        let scopes = vec![
            "user:read:chat",
            "user:write:chat",
            "moderator:manage:chat_messages",
            "moderator:manage:banned_users",
        ];
        let grant = |client: &str, user: &str| Grant {
            client_id: client.to_owned(),
            user: Some(user.to_owned()),
            scopes: scopes.clone(),
        };
        let state = Arc::new(Mutex::new(State {
            port,
            users: names.into_iter().chain(more).map(user).collect(),
            tokens: BTreeMap::from([
                (TOKEN.to_owned(), grant(CLIENT, "7")),
                (OTHER_TOKEN.to_owned(), grant(OTHER_CLIENT, "9")),
            ]),
            page: 100,
            ..State::default()
        }));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((stream, _)) = web.accept().await {
                all.spawn(connection(stream, Arc::clone(&shared)));
            }
        });
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((stream, _)) = plain.accept().await {
                all.spawn(irc::tcp(stream, Arc::clone(&shared)));
            }
        });
        Self { port, irc, state, _tasks: tasks }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub fn eventsub(&self) -> String {
        format!("ws://127.0.0.1:{}/ws?keepalive_timeout_seconds=10", self.port)
    }

    pub fn say(&self, author: &str, text: &str, more: &More<'_>) -> String {
        self.lock().say("shop", author, text, more)
    }

    /// A plain line in a channel.
    pub fn plain(&self, channel: &str, author: &str, text: &str) -> String {
        self.lock().say(channel, author, text, &More::default())
    }

    pub fn delete(&self, id: &str) {
        self.lock().delete(id);
    }

    pub fn ban(&self, login: &str, seconds: Option<u64>) {
        self.lock().ban("shop", login, seconds);
    }

    pub fn clear(&self) {
        self.lock().clear("shop");
    }

    /// A subscription that is renewed, with a line of the user's.
    pub fn resub(&self, author: &str, text: &str) -> String {
        let mut state = self.lock();
        let (channel, user, id) = (state.user("shop"), state.user(author), state.uuid());
        let said = format!("{} subscribed at Tier 1. They've subscribed for 3 months!", user.name);
        let line = irc::resub(&channel, &user, &id, &said, text);
        let event = eventsub::resub(&channel, &user, &id, &said, text);
        state.tell("shop", &line, "channel.chat.notification", &event);
        id
    }

    /// How many sessions of EventSub have subscriptions in force.
    pub fn sessions(&self) -> usize {
        let state = self.lock();
        let read = |id: &&String| state.subscriptions.iter().any(|s| s.is_of(id));
        state.sessions.keys().filter(read).count()
    }

    /// How many links of IRC have joined.
    pub fn joined(&self) -> usize {
        self.lock().irc.values().filter(|link| link.has_joined("shop")).count()
    }

    /// Asks all clients to reconnect.
    pub fn reconnect(&self) {
        let mut state = self.lock();
        for link in state.irc.values_mut() {
            link.send(":tmi.twitch.tv RECONNECT");
            link.leave();
        }
        eventsub::reconnect(&mut state);
    }

    /// Breaks every connection without a word.
    pub fn cut(&self) {
        let mut state = self.lock();
        state.irc.clear();
        eventsub::cut(&mut state);
    }

    /// Closes the sessions of EventSub with a code.
    pub fn close(&self, code: u16) {
        eventsub::close(&mut self.lock(), code);
    }

    /// Requests of that method and path.
    pub fn asked(&self, method: &str, path: &str) -> Vec<Asked> {
        let is = |asked: &&Asked| asked.method == method && asked.path == path;
        self.lock().asked.iter().filter(is).cloned().collect()
    }
}

/// A connection to the one port: HTTP, or one of the WebSockets.
async fn connection(stream: TcpStream, state: Arc<Mutex<State>>) {
    let _ = stream.set_nodelay(true);
    let mut head = vec![0; 8 * 1024];
    let asked = loop {
        let Ok(n) = stream.peek(&mut head).await else { return };
        let text = String::from_utf8_lossy(&head[..n]).to_lowercase();
        if n == 0 || text.contains("\r\n\r\n") {
            break text;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    if !asked.contains("upgrade: websocket") {
        let service = TowerToHyperService::new(helix::router(state));
        let http = hyper::server::conn::http1::Builder::new();
        let _ = http.serve_connection(TokioIo::new(stream), service).await;
        return;
    }
    let mut uri = None;
    #[allow(clippy::result_large_err, reason = "the type is tungstenite's")]
    let keep = |request: &Request, mut response: Response| {
        uri = Some(request.uri().clone());
        let irc = "sec-websocket-protocol";
        if let Some(wanted) = request.headers().get(irc) {
            response.headers_mut().insert(irc, wanted.clone());
        }
        Ok(response)
    };
    let Ok(socket) = accept_hdr_async(stream, keep).await else { return };
    let Some(uri) = uri else { return };
    match uri.path() {
        "/ws" => eventsub::serve(socket, uri.query().unwrap_or_default(), state).await,
        _ => irc::websocket(socket, state).await,
    }
}

fn channel<T>() -> (mpsc::Sender<T>, mpsc::Receiver<T>) {
    mpsc::channel(WAITING)
}

/// Now, as Twitch writes it.
fn now() -> String {
    jiff::Timestamp::now().to_string()
}
