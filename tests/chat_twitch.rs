//! Twitch over real sockets on this machine, against a stand-in that foreign clients check: tmi.js (IRC) and twurple
//! (EventSub and Helix), which `script/setup --dev` installs, must see what hawker sees.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says it by failing")]

#[path = "chat_twitch/foreign.rs"]
mod foreign;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[path = "chat_twitch/reading.rs"]
mod reading;
#[path = "chat_twitch/stand_in.rs"]
mod stand_in;
#[path = "chat_twitch/writing.rs"]
mod writing;

use std::time::Duration;

use foreign::{Client, seen};
use hawker::{
    base::{Secret, SecretRef, SourceId},
    chat::{
        Update,
        spec::{Server, Transport, TwitchAccount},
        twitch,
    },
    link::chat::{self as link, Clock, Ended, Report, Reports},
};
use serde_json::{Value, json};
use stand_in::{CLIENT, More, TOKEN, Twitch};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// Long enough for a busy machine; what does not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(20);

fn id() -> SourceId {
    "tw".parse().unwrap()
}

async fn within<T>(what: &str, doing: impl Future<Output = T>) -> T {
    timeout(PATIENCE, doing).await.unwrap_or_else(|_| panic!("{what} did not come in time"))
}

/// Waits until it holds.
async fn holds(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{what} did not come in time");
        sleep(Duration::from_millis(10)).await;
    }
}

fn account(twitch: &Twitch) -> TwitchAccount {
    TwitchAccount {
        client_id: CLIENT.to_owned(),
        token: SecretRef::Env("UNUSED".to_owned()),
        api: Some(twitch.api().parse().unwrap()),
        eventsub: Some(twitch.eventsub().parse().unwrap()),
    }
}

async fn open(twitch: &Twitch, token: &str, channels: &[&str]) -> Result<link::twitch::Api, Ended> {
    let channels: Vec<String> = channels.iter().map(|&name| name.to_owned()).collect();
    link::twitch::Api::open(&account(twitch), &Secret::new(token), &channels).await
}

/// A source of hawker's; it ends when this is dropped.
struct Source {
    reports: mpsc::Receiver<Report>,
    serving: JoinHandle<Ended>,
    /// Updates so far, as a foreign client would write them.
    seen: Vec<Value>,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Source {
    /// By EventSub.
    async fn eventsub(twitch: &Twitch, channels: &[&str]) -> Self {
        let api = open(twitch, TOKEN, channels).await.unwrap();
        let at = twitch.eventsub().parse().unwrap();
        let (give, reports) = mpsc::channel(1_024);
        let serving = tokio::spawn(async move {
            let (clock, reports) = (Clock::default(), Reports::new(give));
            let mut session = twitch::eventsub::Session::new(id());
            let at = Some(&at);
            link::twitch::eventsub::serve(&api, at, &mut session, &clock, &reports).await
        });
        Self { reports, serving, seen: Vec::new() }.live().await
    }

    /// By anonymous IRC over TCP.
    async fn irc(twitch: &Twitch) -> Self {
        let server: Server = format!("127.0.0.1:{}", twitch.irc).parse().unwrap();
        let (give, reports) = mpsc::channel(1_024);
        let serving = tokio::spawn(async move {
            let (clock, reports) = (Clock::default(), Reports::new(give));
            let mut session = twitch::irc::Session::new(id(), &["shop"], 12_345, None).unwrap();
            let (how, session) = (Transport::Tcp, &mut session);
            link::twitch::irc::serve(&server, how, None, session, &clock, &reports).await
        });
        Self { reports, serving, seen: Vec::new() }.live().await
    }

    async fn live(mut self) -> Self {
        while self.next().await != Report::Live {}
        self
    }

    async fn next(&mut self) -> Report {
        let report = within("a report", self.reports.recv()).await;
        let report = report.unwrap_or_else(|| panic!("the source has ended: {:?}", self.seen));
        if let Report::Update(update) = &report {
            self.seen.push(seen(update));
        }
        report
    }

    /// Reads on until a line says this.
    async fn until(&mut self, text: &str) {
        while !self.seen.iter().any(|seen| seen["text"] == text) {
            self.update().await;
        }
    }

    async fn update(&mut self) -> Update {
        let update = timeout(PATIENCE, async {
            loop {
                if let Report::Update(update) = self.next().await {
                    return update;
                }
            }
        });
        let came = update.await.ok();
        came.unwrap_or_else(|| panic!("nothing more came after {:#?}", self.seen))
    }

    async fn ended(&mut self) -> Ended {
        loop {
            tokio::select! {
                biased;
                Some(report) = self.reports.recv() => assert_ne!(report, Report::Live),
                ended = &mut self.serving => return ended.unwrap(),
                () = sleep(PATIENCE) => panic!("it goes on"),
            }
        }
    }
}

/// What there is in a chat, once.
fn a_chat(twitch: &Twitch) {
    let lan = [("moderator", "1", ""), ("subscriber", "3", "5"), ("sub-gifter", "1", "")];
    let first =
        twitch.say("lan", "SP1 2 nhé; \\ok\\ 😀", &More { badges: &lan, ..More::default() });
    let reply = More { reply: Some(&first), badges: &[("vip", "1", "")], ..More::default() };
    twitch.say("minh", "@Lan còn size M?", &reply);
    let emote = More { emote: Some(("25", "Kappa")), ..More::default() };
    let gone = twitch.say("eve", "😀 hi Kappa you", &emote);
    twitch.say("minh", "Cheer100 nice", &More { bits: Some(100), ..More::default() });
    twitch.resub("minh", "three months");
    twitch.delete(&gone);
    twitch.ban("eve", Some(600));
    twitch.ban("eve", None);
    twitch.clear();
    twitch.say("shop", "the end", &More { badges: &[("broadcaster", "1", "")], ..More::default() });
}

/// What hawker saw is what the foreign client saw.
fn alike(client: &str, ours: &[Value], theirs: Vec<Value>) {
    let theirs = foreign::as_ours(theirs);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "as {client} sees it");
    }
    assert_eq!(ours.len(), theirs.len(), "{client}: {theirs:#?}");
}

#[tokio::test]
async fn foreign_clients_see_what_hawker_sees_and_each_reads_what_the_other_writes() {
    let twitch = Twitch::start().await;
    let mut tmi = Client::tmi(twitch.port);
    let mut twurple = Client::twurple(twitch.port);
    let mut irc = Source::irc(&twitch).await;
    let mut eventsub = Source::eventsub(&twitch, &["Shop"]).await;
    tmi.ready().await;
    twurple.ready().await;
    a_chat(&twitch);
    irc.until("the end").await;
    eventsub.until("the end").await;
    let end = |seen: &Value| seen["text"] == "the end";
    let by_tmi = tmi.until("the end", end).await;
    let by_twurple = twurple.until("the end", end).await;
    assert_eq!(by_tmi.len(), 10, "{by_tmi:#?}");
    alike("tmi.js", &irc.seen, by_tmi);
    // EventSub does not say for how long; both sides are without it.
    let without = |seen: &[Value]| {
        let mut seen = seen.to_vec();
        for one in &mut seen {
            one.as_object_mut().unwrap().remove("seconds");
        }
        seen
    };
    alike("twurple", &eventsub.seen, by_twurple);
    // And both ways agree with each other.
    assert_eq!(without(&irc.seen), without(&eventsub.seen));

    // What twurple writes, hawker reads.
    eventsub.seen.clear();
    let said = twurple.does(&json!({"do": "say", "text": "by twurple"})).await;
    assert_eq!(said["sent"], true, "{said}");
    let again = twurple.does(&json!({"do": "say", "text": "by twurple"})).await;
    assert_eq!(again["failed"], "msg_duplicate");
    let reply = json!({"do": "say", "text": "an answer", "reply": said["id"]});
    assert_eq!(twurple.does(&reply).await["sent"], true);
    twurple.does(&json!({"do": "delete", "id": said["id"]})).await;
    let lan = json!({"do": "ban", "id": "8", "seconds": 60});
    assert_eq!(twurple.does(&lan).await["failed"], Value::Null);
    assert_eq!(twurple.does(&lan).await["failed"], 400, "already");
    assert_eq!(twurple.does(&json!({"do": "lift", "id": "8"})).await["failed"], Value::Null);
    assert_eq!(twurple.does(&json!({"do": "lift", "id": "8"})).await["failed"], 400, "no more");
    while eventsub.seen.len() < 4 {
        eventsub.next().await;
    }
    assert_eq!(eventsub.seen[0]["said"], said["id"]);
    assert_eq!(eventsub.seen[1]["reply"], said["id"]);
    assert_eq!(eventsub.seen[2], json!({"deleted": said["id"]}));
    assert_eq!(eventsub.seen[3], json!({"cleared": "lan", "user": "8"}));

    // What hawker writes, both foreign clients read.
    let api = open(&twitch, TOKEN, &["shop"]).await.unwrap();
    let said = writing::say(&api, "by hawker").await;
    for client in [&mut tmi, &mut twurple] {
        let read = client.until("hawker's line", |seen| seen["text"] == "by hawker").await;
        let line = read.last().unwrap();
        assert_eq!((&line["said"], &line["author"]), (&json!(said), &json!("Host")), "{read:?}");
    }
    writing::delete(&api, &said).await;
    for client in [&mut tmi, &mut twurple] {
        client.until("the deletion", |seen| seen["deleted"] == said.as_str()).await;
    }
    writing::time_out(&api, "8").await;
    let out = tmi.until("the time-out", |seen| seen["cleared"] == "lan").await;
    assert_eq!(out.last().unwrap()["seconds"], 90);
    twurple.until("the time-out", |seen| seen["cleared"] == "lan").await;
    assert_eq!(twitch.lock().wrong, Vec::<String>::new());
}
