//! `hawker chat` while its platforms are cut off in mid-chat and come back: nothing is lost where the protocol resumes, a hole
//! of the right length is told where it does not, and no line comes twice. Loopback only, against stand-ins.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says it by failing")]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[path = "chat_youtube/server.rs"]
mod server;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "chat_youtube/stand_in.rs"]
mod stand_in;

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use axum::{Json, Router, body::Body, extract::Path, routing::get};
use futures::StreamExt;
use hawker_process::{Place, Show};
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};
use server::Server;
use stand_in::{Youtube, text};
use tokio::sync::watch;

/// `hawker chat` of a show file with this source.
fn chat(place: &Place, table: &str) -> Show {
    let file = place.file(
        "show.toml",
        &format!(
            "title = \"chat\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n[[chat]]\nid = \"shop\"\n{table}"
        ),
    );
    let mut command = place.hawker(&["chat", &file, "--json"]);
    command.env("KEY", "api-key-of-ours").env("TOKEN", "token-of-ours");
    Show::start(&mut command)
}

fn says(chat: &Show, text: &str) -> Value {
    chat.event_that(text, 20, |e| e["text"] == text)
}

/// The loss is told to the operator.
fn lost(chat: &Show) {
    process::until("the loss is told", 20, || {
        if chat.told().contains("again in") { Ok(()) } else { Err(chat.told()) }
    });
}

/// Ends it, and sees that exactly these lines came, each once, and whether there was a hole.
fn ends(mut chat: Show, mut wanted: Vec<String>, holes: usize) {
    chat.process.signal(Signal::INT);
    assert_eq!(chat.ended(10), 130);
    let events = chat.events();
    let texts = events.iter().filter_map(|e| e["text"].as_str().filter(|text| !text.is_empty()));
    let mut texts: Vec<String> = texts.map(str::to_owned).collect();
    texts.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(texts, wanted, "{}", chat.told());
    assert_eq!(events.iter().filter(|e| e.get("hole_s").is_some()).count(), holes, "{events:?}");
    for secret in ["api-key-of-ours", "token-of-ours"] {
        assert!(!chat.told().contains(secret), "{}", chat.told());
    }
}

fn lines(name: &str) -> Vec<String> {
    (1..=5).map(|n| format!("{name} {n}")).collect()
}

#[test]
fn youtube_resumes_by_its_page_token_after_a_cut() {
    let mut youtube = Youtube::with(Vec::new(), false);
    for line in lines("backlog") {
        youtube.say(text(&line, &line));
    }
    let place = Place::new();
    let port = youtube.server.port;
    let chat = chat(
        &place,
        &format!(
            "kind = \"youtube\"\nvideo = \"vid\"\nkey = \"env:KEY\"\nquota = 100000000\n\
             api = \"http://127.0.0.1:{port}\"\n"
        ),
    );
    assert_eq!(says(&chat, "backlog 5")["backlog"], true);
    for line in lines("before") {
        youtube.say(text(&line, &line));
    }
    says(&chat, "before 5");
    youtube.server.cut();
    for line in lines("meanwhile") {
        youtube.say(text(&line, &line));
    }
    lost(&chat);
    youtube.server.mend();
    let missed = says(&chat, "meanwhile 5");
    assert_ne!(missed["backlog"], true, "it was said while the show ran: {missed}");
    youtube.say(text("after", "after"));
    says(&chat, "after");
    let streams = youtube.calls().into_iter().filter(|call| call.path.ends_with("/stream"));
    let tokens: Vec<_> = streams.map(|call| call.query.get("pageToken").cloned()).collect();
    assert_eq!(tokens, [None, Some("T10".to_owned())], "one stream before, and one after");
    let all = ["backlog", "before", "meanwhile"].map(lines).concat();
    ends(chat, [all, vec!["after".to_owned()]].concat(), 0);
}

/// Comments of a live video: streamed while they are written, and listed.
struct Facebook {
    comments: watch::Sender<Vec<Value>>,
    server: Server,
}

impl Facebook {
    fn new() -> Self {
        let (comments, _) = watch::channel(Vec::<Value>::new());
        let (streamed, listed) = (comments.clone(), comments.clone());
        let stream = move |Path(_): Path<String>| {
            let mut comments = streamed.subscribe();
            let at = comments.borrow_and_update().len();
            let parts = futures::stream::unfold((comments, at), |(mut comments, at)| async move {
                let new = comments.wait_for(|all| all.len() > at).await.ok()?[at..].to_vec();
                let events: Vec<String> =
                    new.iter().map(|one| format!("data: {one}\n\n")).collect();
                Some((Ok::<_, std::io::Error>(events.concat()), (comments, at + new.len())))
            });
            let begun = futures::stream::iter([Ok(": hi\n\n".to_owned())]);
            async move { Body::from_stream(begun.chain(parts)) }
        };
        let list = move |Path(_): Path<String>| {
            let all: Vec<Value> = listed.borrow().iter().rev().cloned().collect();
            async move { Json(json!({"data": all, "paging": {"cursors": {"after": "a"}}})) }
        };
        let router = Router::new()
            .route("/{video}/live_comments", get(stream))
            .route("/{video}/comments", get(list));
        Self { comments, server: Server::of(router) }
    }

    fn say(&self, text: &str) {
        let at = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S+0000").to_string();
        let id = text.replace(' ', "_");
        let comment = json!({"id": id, "from": {"name": "Lan", "id": "u1"}, "message": text, "created_time": at});
        self.comments.send_modify(|all| all.push(comment));
    }
}

#[test]
fn facebooks_get_brings_what_was_written_while_the_stream_was_cut() {
    let mut facebook = Facebook::new();
    facebook.say("backlog");
    let place = Place::new();
    let port = facebook.server.port;
    let chat = chat(
        &place,
        &format!(
            "kind = \"facebook\"\nvideo = \"123\"\ntoken = \"env:TOKEN\"\n\
             api = \"http://127.0.0.1:{port}\"\n"
        ),
    );
    assert_eq!(says(&chat, "backlog")["backlog"], true);
    process::until("the stream is read", 20, || match facebook.comments.receiver_count() {
        0 => Err("nobody streams".to_owned()),
        _ => Ok(()),
    });
    for line in lines("before") {
        facebook.say(&line);
    }
    says(&chat, "before 5");
    facebook.server.cut();
    let cut = Instant::now();
    for line in lines("meanwhile") {
        facebook.say(&line);
    }
    // It is away for so long.
    thread::sleep(Duration::from_secs(2));
    facebook.server.mend();
    assert_eq!(says(&chat, "meanwhile 5")["late"], true);
    // At once, not when the next reconciliation is due.
    assert!(cut.elapsed() < Duration::from_secs(9), "{:?}", cut.elapsed());
    facebook.say("after");
    says(&chat, "after");
    let all = [lines("before"), lines("meanwhile")].concat();
    ends(chat, [all, vec!["backlog".to_owned(), "after".to_owned()]].concat(), 0);
}

/// Comments of the last ten seconds, and when they were asked for.
#[derive(Clone, Default)]
struct Shopee {
    comments: Arc<Mutex<Vec<(Timestamp, String)>>>,
    polls: Arc<Mutex<Vec<Timestamp>>>,
}

impl Shopee {
    fn say(&self, text: &str) {
        self.comments.lock().unwrap().push((Timestamp::now(), text.to_owned()));
    }

    fn latest(&self) -> Value {
        let now = Timestamp::now();
        self.polls.lock().unwrap().push(now);
        let comments = self.comments.lock().unwrap();
        let new = comments
            .iter()
            .enumerate()
            .filter(|(_, (at, _))| now.duration_since(*at).as_secs_f64() <= 10.0);
        let list: Vec<Value> = new
            .map(|(id, (at, text))| json!({"user_id": 1, "user_name": "lan", "comment_id": id + 1, "content": text, "timestamp": at.as_second()}))
            .collect();
        json!({"error": "", "message": "", "request_id": "r", "response": {"next_offset": comments.len(), "comment_list": list}})
    }
}

#[test]
fn shopees_window_leaves_a_hole_of_its_length() {
    let shopee = Shopee::default();
    let ours = shopee.clone();
    let latest = move || {
        let latest = ours.latest();
        async move { Json(latest) }
    };
    let path = "/api/v2/livestream/get_latest_comment_list";
    let mut server = Server::of(Router::new().route(path, get(latest)));
    let place = Place::new();
    let port = server.port;
    let chat = chat(
        &place,
        &format!(
            "kind = \"shopee\"\nlive = 5\npartner = 7\nshop = 9\nkey = \"env:KEY\"\n\
             token = \"env:TOKEN\"\napi = \"http://127.0.0.1:{port}\"\n"
        ),
    );
    shopee.say("before");
    says(&chat, "before");
    server.cut();
    let before = *shopee.polls.lock().unwrap().last().unwrap();
    shopee.say("lost");
    // It is away for longer than it keeps comments; the last of them it still has.
    thread::sleep(Duration::from_secs(10));
    shopee.say("kept");
    thread::sleep(Duration::from_millis(500));
    server.mend();
    says(&chat, "kept");
    lost(&chat);
    let hole = chat.event_that("the hole", 5, |e| e.get("hole_s").is_some());
    let polls = shopee.polls.lock().unwrap().clone();
    let after = polls.iter().find(|at| **at > before).unwrap();
    let wanted = after.duration_since(before).as_secs_f64() - 10.0;
    let told = hole["hole_s"].as_f64().unwrap();
    assert!((told - wanted).abs() < 0.5, "a hole of {told} s was told, of {wanted} s");
    ends(chat, vec!["before".to_owned(), "kept".to_owned()], 1);
}
