//! Reading by EventSub and IRC over faults: reconnects, dead sessions, silence, refused tokens.

use std::collections::BTreeMap;

use hawker::{
    base::SecretRef,
    chat::{
        Update,
        control::ControlSpec,
        spec::{ChatSpec, Server, Service, TWITCH, Transport, TwitchAccount},
        told::Status,
    },
    engine::{chat::Hub, files::Files},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    Source, account, hawker_process, holds, id, open, process,
    stand_in::{CLIENT, Fault, Grant, TOKEN, Twitch},
    within,
};

fn texts(source: &Source) -> Vec<&str> {
    source.seen.iter().filter_map(|seen| seen["text"].as_str()).collect()
}

#[tokio::test]
async fn a_reconnect_loses_nothing_and_repeats_nothing() {
    let twitch = Twitch::start().await;
    let (mut irc, mut eventsub) =
        (Source::irc(&twitch).await, Source::eventsub(&twitch, &["shop"]).await);
    let mut wanted = Vec::new();
    for round in 0..3 {
        let before = format!("before {round}");
        twitch.plain("shop", "lan", &before);
        let late = format!("on its way {round}");
        twitch.lock().in_flight = Some(("minh".to_owned(), late.clone()));
        twitch.reconnect();
        let between = format!("while it reconnects {round}");
        twitch.plain("shop", "lan", &between);
        holds("the new session", || twitch.lock().in_flight.is_none()).await;
        let after = format!("after {round}");
        twitch.plain("shop", "lan", &after);
        irc.until(&after).await;
        // The one on the old socket may come last: it is late.
        eventsub.until(&late).await;
        eventsub.until(&after).await;
        wanted.extend([before, between, late, after]);
        let is_one = || twitch.sessions() == 1 && twitch.joined() == 1;
        holds("the old connections to end", is_one).await;
    }
    wanted.sort();
    for source in [&irc, &eventsub] {
        let mut seen = texts(source);
        seen.sort_unstable();
        assert_eq!(seen, wanted);
    }
    let made = twitch.asked("POST", "eventsub/subscriptions").len();
    assert_eq!(made, 5, "nothing is subscribed to again");
    assert_eq!(twitch.lock().wrong, Vec::<String>::new(), "nothing is sent to EventSub");
}

/// The source as a show has it.
fn spec(account: TwitchAccount) -> ChatSpec {
    let server = Server { host: TWITCH.0.to_owned(), port: TWITCH.1 };
    let service = Service::Twitch {
        channels: vec!["shop".to_owned()],
        server,
        transport: Transport::Tls,
        account: Some(account),
    };
    ChatSpec::new(id(), service)
}

#[tokio::test]
async fn after_a_loss_a_dead_session_gives_way_and_the_hole_has_its_length() {
    let twitch = Twitch::start().await;
    {
        let mut state = twitch.lock();
        (state.leaves_dead, state.page) = (true, 3);
    }
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let token = SecretRef::File(file.to_str().unwrap().to_owned());
    let spec = spec(TwitchAccount { token, ..account(&twitch) });
    let (all, mut steps) = mpsc::channel(64);
    let hub = Hub::start(vec![spec], ControlSpec::default(), Files::default(), Some(all));
    holds("the subscriptions", || twitch.sessions() == 1).await;
    holds("all of them", || twitch.lock().subscriptions.len() == 5).await;
    let first = twitch.plain("shop", "lan", "SP1 1");
    let step = within("the first", steps.recv()).await.unwrap();
    assert!(matches!(&step.update, Update::Message(m) if m.id.as_str() == first && !m.own));
    let cut = jiff::Timestamp::now();
    twitch.cut();
    holds("the loss", || {
        let sources = hub.look().sources;
        matches!(sources.borrow()[0].status, Status::Waiting { .. })
    })
    .await;
    twitch.plain("shop", "minh", "nobody reads this");
    let step = within("the hole", steps.recv()).await.unwrap();
    let Update::Hole { from, until } = step.update else { panic!("{:?}", step.update) };
    let back = jiff::Timestamp::now();
    assert!(from <= cut && until > cut && until <= back, "{from} {cut} {until} {back}");
    let away = until.duration_since(from).as_secs_f64();
    assert!(away < back.duration_since(cut).as_secs_f64() + 5.0, "{away} s");
    let own = twitch.plain("shop", "host", "back again");
    let step = within("a line", steps.recv()).await.unwrap();
    assert!(matches!(&step.update, Update::Message(m) if m.id.as_str() == own && m.own));
    // Each of the five was found, deleted and made anew.
    holds("the dead ones to go", || twitch.lock().subscriptions.len() == 5).await;
    assert_eq!(twitch.asked("DELETE", "eventsub/subscriptions").len(), 5);
    assert_eq!(twitch.sessions(), 1);
    assert!(steps.try_recv().is_err());
}

#[tokio::test]
async fn silence_and_close_codes_end_a_session_in_words() {
    let twitch = Twitch::start().await;
    twitch.lock().keepalive = Some(1);
    let mut source = Source::eventsub(&twitch, &["shop"]).await;
    // It lives on keepalives alone.
    for _ in 0..2 {
        source.next().await;
    }
    twitch.lock().silent = true;
    let ended = source.ended().await;
    assert!(!ended.lasting && ended.why.contains("no keepalive"), "{ended}");
    twitch.lock().silent = false;
    let mut source = Source::eventsub(&twitch, &["shop"]).await;
    twitch.close(4000);
    let ended = source.ended().await;
    assert!(!ended.lasting && ended.why.contains("4000: fault of the server"), "{ended}");
}

#[tokio::test]
async fn a_token_that_is_refused_is_a_lasting_failure_with_what_to_do() {
    let twitch = Twitch::start().await;
    let grant = |client: &str, user: Option<&str>, scopes| Grant {
        client_id: client.to_owned(),
        user: user.map(str::to_owned),
        scopes,
    };
    {
        let mut state = twitch.lock();
        let read = vec!["user:read:chat"];
        state.tokens.insert("s3cr3tlacks".into(), grant(CLIENT, Some("7"), vec!["user:bot"]));
        state.tokens.insert("s3cr3tapp".into(), grant(CLIENT, None, Vec::new()));
        state.tokens.insert("s3cr3tother".into(), grant("another", Some("7"), read));
    }
    for (token, channel, wanted) in [
        ("s3cr3tunknown", "shop", "refuses the token (invalid access token)"),
        ("s3cr3tlacks", "shop", "lacks the scope user:read:chat"),
        ("s3cr3tapp", "shop", "an application's own"),
        ("s3cr3tother", "shop", "another application than client-id names"),
        ("s3cr3t\n", "shop", "characters that no token has"),
        (TOKEN, "nobody", "no channel nobody"),
    ] {
        let ended = open(&twitch, token, &[channel]).await.unwrap_err();
        assert!(ended.lasting && ended.why.contains(wanted), "{ended}");
        assert!(!format!("{ended:?}").contains("s3cr3t"), "{ended:?}");
        if wanted.contains("refuses") || wanted.contains("lacks") {
            for scope in [
                "user:write:chat",
                "moderator:manage:chat_messages",
                "moderator:manage:banned_users",
            ] {
                assert!(ended.why.contains(scope), "{ended}");
            }
        }
    }
    // Valid when it was asked, and refused when subscribing.
    for status in [401, 403] {
        let body =
            json!({"status": status, "message": "subscription missing proper authorization"});
        let (method, path, headers) = ("POST", "eventsub/subscriptions", Vec::new());
        twitch.lock().faults.push_back(Fault { method, path, status, headers, body });
        let api = open(&twitch, TOKEN, &["shop"]).await.unwrap();
        let ended = serve(&twitch, &api).await;
        assert!(ended.lasting && ended.why.contains("missing proper authorization"), "{ended}");
    }
    // What may pass is no lasting failure.
    let (method, path, headers) = ("GET", "users", Vec::new());
    let busy = Fault { method, path, status: 503, headers, body: Value::Null };
    twitch.lock().faults.push_back(busy);
    assert!(!open(&twitch, TOKEN, &["shop"]).await.unwrap_err().lasting);
}

/// A source that never gets to read.
async fn serve(
    twitch: &Twitch,
    api: &hawker::link::chat::twitch::Api,
) -> hawker::link::chat::Ended {
    use hawker::{
        chat::twitch::eventsub::Session,
        link::chat::{Clock, Reports, twitch::eventsub},
    };
    let (give, _reports) = mpsc::channel(64);
    let (clock, reports) = (Clock::default(), Reports::new(give));
    let at = twitch.eventsub().parse().unwrap();
    let mut session = Session::new(id());
    let serving = eventsub::serve(api, Some(&at), &mut session, &clock, &reports);
    within("the end", serving).await
}

#[tokio::test]
async fn several_channels_are_read_with_one_token_in_one_session() {
    let twitch = Twitch::start().await;
    let mut source = Source::eventsub(&twitch, &["Shop", "#outlet", "shop"]).await;
    assert_eq!(twitch.sessions(), 1);
    holds("all subscriptions", || twitch.lock().subscriptions.len() == 10).await;
    twitch.plain("shop", "lan", "one");
    twitch.plain("outlet", "lan", "two");
    for wanted in [("one", "shop"), ("two", "outlet")] {
        let Update::Message(said) = source.update().await else { panic!() };
        let channel = said.channel.as_ref().unwrap().as_str();
        assert_eq!((said.text.as_str(), channel), wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_reads_a_show_by_its_token_and_says_what_it_missed() {
    let twitch = Twitch::start().await;
    let place = hawker_process::Place::new();
    place.file("twitch.token", &format!("{TOKEN}\n"));
    let show = place.file(
        "show.toml",
        &format!(
            "title = \"chat\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n\
             [[chat]]\nid = \"tw\"\nkind = \"twitch\"\nchannels = [\"shop\"]\n\
             token = \"file:twitch.token\"\nclient-id = \"{CLIENT}\"\n\
             api = \"{}\"\neventsub = \"{}\"\n",
            twitch.api(),
            twitch.eventsub()
        ),
    );
    let mut chat = hawker_process::Show::start(&mut place.hawker(&["chat", &show, "--json"]));
    holds("the subscriptions", || twitch.lock().subscriptions.len() == 5).await;
    twitch.plain("shop", "lan", "SP1 2");
    let line = chat.event_that("the order", 20, |e| e["text"] == "SP1 2");
    assert_eq!((&line["author"], &line["platform"]), (&json!("Lan"), &json!("twitch")));
    assert_eq!(line["finds"]["order"]["quantity"], 2, "{line}");
    twitch.ban("eve", Some(600));
    twitch.reconnect();
    twitch.plain("shop", "lan", "on it goes");
    chat.event_that("the next line", 20, |e| e["text"] == "on it goes");
    assert!(chat.events().iter().all(|e| e.get("hole_s").is_none()), "{:?}", chat.events());
    twitch.cut();
    process::until("the loss is told", 20, || {
        if chat.told().contains("again in") { Ok(()) } else { Err(chat.told()) }
    });
    let hole = chat.event_that("the hole", 30, |e| e.get("hole_s").is_some());
    assert!(hole["hole_s"].as_f64().unwrap() > 0.5, "{hole}");
    twitch.plain("shop", "lan", "after");
    chat.event_that("the last line", 20, |e| e["text"] == "after");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for event in chat.events() {
        if let Some(text) = event["text"].as_str().filter(|text| !text.is_empty()) {
            *counts.entry(text.to_owned()).or_default() += 1;
        }
    }
    assert!(counts.values().all(|n| *n == 1) && counts.len() >= 3, "{counts:?}");
    chat.process.signal(Signal::INT);
    assert_eq!(chat.ended(10), 130);
    let told = format!("{}{:?}", chat.told(), chat.events());
    assert!(!told.contains("s3cr3t"), "{told}");
    assert_eq!(place.holding(TOKEN).len(), 1, "only where it was put");
}
