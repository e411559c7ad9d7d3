//! YouTube's chat against a stand-in whose every answer is held against YouTube's own description of the API, as is every
//! request of ours.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says it by failing")]

#[path = "chat_youtube/description.rs"]
mod description;
#[path = "chat_youtube/server.rs"]
#[allow(dead_code, reason = "shared with tests that cut it off")]
mod server;
#[path = "chat_youtube/stand_in.rs"]
mod stand_in;

use std::time::Duration;

use description::Description;
use hawker::{
    base::Secret,
    chat::{
        Author, MessageId, PlatformAction, Text, Update, UserId,
        request::{Method, Request},
        send::Answer,
        youtube::{
            Bans, Mode, Quota, Session,
            api::{self, SCOPE},
            item,
            quota::{BAN, DAILY, MESSAGE, READ},
        },
    },
    link::chat::{self as link, Clock, Http, Report, Reports, youtube::Chat},
};
use serde_json::{Value, json};
use stand_in::{CHAT, OWN, Youtube, each_type, text};
use tokio::{sync::mpsc, time::timeout};

/// Long enough for a busy machine; what does not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every call of the stand-in held against the description.
fn check(description: &Description, youtube: &Youtube) {
    for call in youtube.calls() {
        let method = description.method(&call.method, &call.path);
        let method = method.unwrap_or_else(|| panic!("no method {} {}", call.method, call.path));
        let wrong = method.wrong(description, &call.query, &call.body);
        assert!(wrong.is_empty(), "{wrong:#?} in {call:?}");
        if call.status >= 400 {
            continue;
        }
        assert_eq!(method.answers().is_some(), !call.answers.is_empty(), "{call:?}");
        for answer in &call.answers {
            let wrong = description.wrong(method.answers().unwrap(), answer);
            assert!(wrong.is_empty(), "{wrong:#?} in {answer}");
        }
        let writes = call.method != "GET";
        assert!(!writes || method.allows(SCOPE), "{} with another scope", method.id);
    }
}

/// Everything that is done to a chat, once.
fn all(polled: bool) -> Youtube {
    let mut items = each_type();
    let end = items.pop().unwrap();
    let youtube = Youtube::with(items.clone(), polled);
    let url: url::Url = format!("http://127.0.0.1:{}/", youtube.server.port).parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clock = Clock::default();
        let chat = std::sync::Arc::new(Chat::new(Quota::new(100_000_000, 0, 0, clock.now().wall)));
        let key = Secret::new("api-key-of-ours");
        let reading = link::youtube::Api::new(url.clone(), key).unwrap();
        let id = link::youtube::find(&reading, &chat, "vid", &clock).await.unwrap();
        assert_eq!(id, CHAT);
        let http = Http::new(PATIENCE).await.unwrap();
        let token = Secret::new("ya29-of-ours");
        let account = link::youtube::Account::new(http, url, &token).unwrap();
        let own = link::youtube::own_channel(&account, &chat, &clock).await;
        assert_eq!(own, Some(UserId::new(OWN)));
        let (tell, mut reports) = mpsc::channel(256);
        let shared = chat.clone();
        let serving = tokio::spawn(async move {
            let mut session = Session::new("yt".parse().unwrap(), &id, own);
            let reports = Reports::new(tell);
            let ended =
                link::youtube::serve(&reading, &mut session, &shared, None, &clock, &reports);
            (ended.await, session.mode())
        });
        let mut next = async || {
            loop {
                let report = timeout(PATIENCE, reports.recv()).await.unwrap().unwrap();
                assert_ne!(report, Report::Unreadable);
                if let Report::Update(update) = report {
                    return update;
                }
            }
        };
        // Each type comes as an update of its own.
        for item in &items {
            let (update, id) = (next().await, item["id"].as_str().unwrap());
            match (item["snippet"]["type"].as_str().unwrap(), update) {
                ("userBannedEvent", Update::UserCleared { id, .. }) => {
                    assert_eq!(id, Some(UserId::new("UC9")));
                }
                (
                    "messageDeletedEvent" | "messageRetractedEvent" | "tombstone",
                    Update::Deleted(_),
                ) => {}
                (_, Update::Message(message)) => assert_eq!(message.id.as_str(), id),
                (kind, update) => panic!("{kind}: {update:?}"),
            }
        }
        let mut bans = Bans::default();
        let user = Author {
            id: Some(UserId::new("UC9")),
            name: Text::name("Eve"),
            login: None,
            badges: Vec::new(),
        };
        let (channel, reason) = (None, String::new());
        let said = PlatformAction::Say { text: "SP1 còn 3".into(), channel: None, reply_to: None };
        for (action, answer) in [
            (said, Answer::Taken(Some(MessageId::new("own-16")))),
            (PlatformAction::Delete(MessageId::new("i0")), Answer::Taken(None)),
            (
                PlatformAction::TimeOut {
                    user: user.clone(),
                    length: Duration::from_mins(5),
                    reason: reason.clone(),
                    channel: channel.clone(),
                },
                Answer::Taken(None),
            ),
            (
                PlatformAction::Ban { user: user.clone(), reason, channel: channel.clone() },
                Answer::Taken(None),
            ),
            (PlatformAction::Lift { user, channel }, Answer::Taken(None)),
        ] {
            let got = link::youtube::write(&account, &chat, &mut bans, &clock, &action).await;
            assert_eq!(got, answer, "{action:?}");
        }
        // The own line comes back once, known for its own.
        let Update::Message(own) = next().await else { panic!() };
        assert!(own.own && own.id.as_str() == "own-16", "{own:?}");
        youtube.say(end);
        let (ended, mode) = timeout(PATIENCE, serving).await.unwrap().unwrap();
        assert!(ended.lasting && ended.why.contains("ended"), "{ended}");
        assert_eq!(mode, if polled { Mode::Poll } else { Mode::Stream });
    });
    youtube
}

#[test]
fn what_is_streamed_polled_and_written_conforms_to_the_description() {
    let description = Description::read();
    for polled in [false, true] {
        let youtube = all(polled);
        check(&description, &youtube);
        let called = |method: &str, path: &str| {
            let path = format!("/youtube/v3/{path}");
            youtube.calls().iter().filter(|c| c.method == method && c.path == path).count()
        };
        for (method, path) in [
            ("GET", "videos"),
            ("GET", "channels"),
            ("GET", "liveChat/messages/stream"),
            ("POST", "liveChat/messages"),
            ("DELETE", "liveChat/messages"),
            ("POST", "liveChat/bans"),
            ("DELETE", "liveChat/bans"),
        ] {
            assert!(called(method, path) > 0, "{method} {path}");
        }
        assert_eq!(called("GET", "liveChat/messages") > 0, polled);
    }
}

#[test]
fn the_stand_in_has_each_type_of_the_description() {
    let description = Description::read();
    let mut wanted = description.values("LiveChatMessageSnippet", "type");
    wanted.retain(|kind| *kind != "invalidType");
    let items = each_type();
    let mut had: Vec<&str> =
        items.iter().map(|item| item["snippet"]["type"].as_str().unwrap()).collect();
    wanted.sort_unstable();
    had.sort_unstable();
    assert_eq!(had, wanted);
    // The types of bans that are asked for are those it has.
    let kinds = description.values("LiveChatBanSnippet", "type");
    assert!(kinds.contains(&"temporary") && kinds.contains(&"permanent"));
}

#[test]
fn every_request_is_one_of_the_description_and_costs_what_it_says() {
    let description = Description::read();
    let user = UserId::new("UC1");
    let request =
        |made: Result<Request, _>| made.map_err(|_: hawker::chat::request::Refusal| ()).unwrap();
    for (request, units) in [
        (api::video("vid"), None),
        (api::own_channel(), None),
        (api::active_broadcasts(), None),
        (api::read(CHAT, true, None), Some(READ)),
        (api::read(CHAT, true, Some("T1")), Some(READ)),
        (api::read(CHAT, false, Some("T1")), Some(READ)),
        (api::send(CHAT, "hi").unwrap().0, Some(MESSAGE)),
        (request(api::delete(&MessageId::new("m"))), Some(MESSAGE)),
        (request(api::ban(CHAT, &user, None)), None),
        (request(api::ban(CHAT, &user, Some(Duration::from_secs(30)))), None),
        (request(api::unban("ban-1")), None),
    ] {
        let http = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        };
        let method = description.method(http, &request.path);
        let method = method.unwrap_or_else(|| panic!("no method {http} {}", request.path));
        let query = request.query.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let wrong =
            method.wrong(&description, &query, request.body.as_ref().unwrap_or(&Value::Null));
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(method.units(), units, "{}", method.id);
    }
    // Where the description names no cost, no less than a message is reckoned with.
    const { assert!(BAN >= MESSAGE && DAILY >= BAN) };
}

#[test]
fn the_check_finds_what_is_wrong() {
    let description = Description::read();
    let good = text("m", "hi");
    assert!(description.wrong("LiveChatMessage", &good).is_empty());
    for (path, value, finds) in [
        ("/snippet/type", json!("textmessageevent"), "none of"),
        ("/snippet/textMessageDetails", json!({"message": "x"}), "no property message"),
        ("/snippet/hasDisplayContent", json!("true"), "no boolean"),
        ("/snippet/publishedAt", json!("yesterday"), "date-time"),
        ("/authorDetails", json!([]), "no object"),
        ("/id", json!(7), "no string"),
        ("/kind", json!("youtube#message"), "kind"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value;
        let wrong = description.wrong("LiveChatMessage", &bad).concat();
        assert!(wrong.contains(finds), "{path}: {wrong}");
    }
    let ban = json!({"kind": "youtube#liveChatBan", "snippet": {"banDurationSeconds": 300}});
    assert!(description.wrong("LiveChatBan", &ban).concat().contains("uint64"));
    let list = description.method("GET", "/youtube/v3/liveChat/messages").unwrap();
    let of = |query: &[(&str, &str)]| {
        let query = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        list.wrong(&description, &query, &Value::Null).concat()
    };
    assert!(of(&[("part", "id"), ("liveChatId", "c")]).is_empty());
    assert!(of(&[("part", "id,statistics"), ("liveChatId", "c")]).contains("no part statistics"));
    assert!(of(&[("part", "id")]).contains("needs the parameter liveChatId"));
    assert!(of(&[("part", "id"), ("liveChatId", "c"), ("pagetoken", "x")]).contains("pagetoken"));
    assert!(of(&[("part", "id"), ("liveChatId", "c"), ("maxResults", "9")]).contains("not fit"));
}

#[test]
fn what_the_stand_in_refuses_is_told_apart() {
    let youtube = Youtube::with(Vec::new(), false);
    let url: url::Url = format!("http://127.0.0.1:{}/", youtube.server.port).parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clock = Clock::default();
        let chat = Chat::new(Quota::new(DAILY, 0, 0, clock.now().wall));
        let key = |key: &str| link::youtube::Api::new(url.clone(), Secret::new(key)).unwrap();
        let wrong = link::youtube::find(&key("another-key"), &chat, "vid", &clock).await;
        assert!(wrong.unwrap_err().lasting);
        link::youtube::find(&key("api-key-of-ours"), &chat, "vid", &clock).await.unwrap();
        let http = Http::new(PATIENCE).await.unwrap();
        let say = PlatformAction::Say { text: "hi".into(), channel: None, reply_to: None };
        let mut bans = Bans::default();
        let mut write = async |token: &str| {
            let token = Secret::new(token);
            let account = link::youtube::Account::new(http.clone(), url.clone(), &token).unwrap();
            link::youtube::write(&account, &chat, &mut bans, &clock, &say).await
        };
        let dropped =
            |code: &str| Answer::Dropped { code: Text::name(code), text: Text::new(code) };
        assert_eq!(write("expired-token").await, dropped("forbidden"));
        youtube.refuse(403, "rateLimitExceeded");
        assert!(matches!(write("ya29-of-ours").await, Answer::Later(_)));
        youtube.refuse(400, "messageTextInvalid");
        assert_eq!(write("ya29-of-ours").await, dropped("messageTextInvalid"));
        assert_eq!(write("ya29-of-ours").await, Answer::Taken(Some(MessageId::new("own-0"))));
    });
    // Its errors are read as what they are.
    for (status, reason, fault) in [
        (403, "quotaExceeded", item::Fault::QuotaExceeded),
        (403, "liveChatEnded", item::Fault::ChatEnded),
        (404, "liveChatNotFound", item::Fault::NotFound),
    ] {
        let body =
            json!({"error": {"code": status, "message": "m", "errors": [{"reason": reason}]}});
        let read = item::page(
            status,
            body.to_string().as_bytes(),
            &"yt".parse().unwrap(),
            jiff::Timestamp::UNIX_EPOCH,
            None,
        );
        assert_eq!(read.unwrap_err(), fault);
    }
}
