//! Clients of Twitch that are not ours, in processes of their own, and what hawker reads in their words.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use hawker::chat::{Badge, Kind, Removal, Update};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    stand_in::{OTHER_CLIENT, OTHER_TOKEN},
    within,
};

/// A foreign client; its process ends when this is dropped.
pub struct Client {
    child: Child,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Client {
    /// tmi.js, which reads #shop without an account.
    pub fn tmi(port: u16) -> Self {
        Self::start(port, &["tmi", &port.to_string(), "shop"])
    }

    /// twurple with an account of its own, which reads and writes the channel 100.
    pub fn twurple(port: u16) -> Self {
        Self::start(port, &["twurple", OTHER_CLIENT, OTHER_TOKEN, "100", "9"])
    }

    fn start(port: u16, args: &[&str]) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let folder = target.join("twitch");
        assert!(folder.join("node_modules").is_dir(), "not installed: run script/setup --dev");
        let script: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "tests/chat_twitch/clients.mjs"].iter().collect();
        let mut command = Command::new("node");
        command.arg(script).arg(folder).args(args).kill_on_drop(true);
        command.env("TWURPLE_MOCK_API_PORT", port.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("node: {e}"));
        let from = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { to: child.stdin.take().unwrap(), from, child }
    }

    async fn next(&mut self) -> Value {
        let line = self.from.next_line().await.unwrap();
        let Some(line) = line else {
            let mut why = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut why).await.unwrap();
            panic!("the client has ended: {why}");
        };
        serde_json::from_str(&line).unwrap()
    }

    /// Reads until it has joined or subscribed.
    pub async fn ready(&mut self) {
        within("the client", async { while self.next().await["ready"] != true {} }).await;
    }

    /// What it sees, up to what is looked for.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut all = Vec::new();
        within(what, async {
            while all.last().is_none_or(|seen| !wanted(seen)) {
                all.push(self.next().await);
            }
        })
        .await;
        all
    }

    /// Has it do something; what came of it.
    pub async fn does(&mut self, order: &Value) -> Value {
        self.to.write_all(format!("{order}\n").as_bytes()).await.unwrap();
        let done = self.until("the answer", |seen| seen["done"] == order["do"]).await;
        done.last().unwrap().clone()
    }
}

/// A badge of Twitch as hawker's word for it.
fn badge(set: &Value) -> Option<&'static str> {
    match set.as_str()? {
        "broadcaster" => Some("owner"),
        "moderator" => Some("moderator"),
        "subscriber" => Some("member"),
        "vip" => Some("vip"),
        "sub-gifter" => None,
        other => panic!("badge {other}"),
    }
}

/// What a foreign client saw, with hawker's words for badges, and emotes by identifier.
pub fn as_ours(mut all: Vec<Value>) -> Vec<Value> {
    for one in &mut all {
        if let Some(sets) = one["badges"].as_array() {
            let mut badges: Vec<&str> = sets.iter().filter_map(badge).collect();
            badges.sort_unstable();
            one["badges"] = json!(badges);
        }
        if let Some(emotes) = one["emotes"].as_array() {
            let id = |emote: &Value| emote.as_str().unwrap().split(':').next().unwrap().to_owned();
            one["emotes"] = json!(emotes.iter().map(id).collect::<Vec<_>>());
        }
    }
    all
}

/// What hawker read, as the foreign clients write it.
pub fn seen(update: &Update) -> Value {
    match update {
        Update::Message(message) => {
            let (id, author) = (message.id.as_str(), message.author.name.as_str());
            if matches!(message.kind, Kind::Membership | Kind::Notice) {
                return json!({"notice": id, "author": author, "text": message.text.as_str()});
            }
            let badges = message.author.badges.iter().map(|badge| match badge {
                Badge::Owner => "owner",
                Badge::Moderator => "moderator",
                Badge::Member => "member",
                Badge::Vip => "vip",
                other => panic!("{other:?}"),
            });
            let mut badges: Vec<&str> = badges.collect();
            badges.sort_unstable();
            let bits = match &message.kind {
                Kind::Paid { amount } => amount.micros / 1_000_000,
                _ => 0,
            };
            let emotes: Vec<&str> = message.emotes.iter().map(|emote| emote.id.as_str()).collect();
            let user = message.author.id.as_ref().unwrap().as_str();
            let reply = message.reply.as_ref().map(|reply| reply.to.as_str());
            json!({"said": id, "author": author, "user": user, "text": message.text.as_str(), "badges": badges,
                "reply": reply, "emotes": emotes, "bits": bits})
        }
        Update::Deleted(id) => json!({"deleted": id.as_str()}),
        Update::Moderated { .. } => panic!("nobody moderates here"),
        Update::UserCleared { id, name, removal } => {
            let (user, name) = (id.as_ref().unwrap().as_str(), name.as_ref().unwrap().as_str());
            match removal {
                Removal::Cleared => json!({"cleared": name, "user": user}),
                Removal::Banned => json!({"cleared": name, "user": user, "seconds": null}),
                Removal::TimedOut(time) => {
                    json!({"cleared": name, "user": user, "seconds": time.as_secs()})
                }
            }
        }
        Update::AllCleared => json!({"cleared": null}),
        other @ Update::Hole { .. } => panic!("{other:?}"),
    }
}
