//! Writing and moderating over real sockets on this machine, against stand-ins written from the documented formats: what
//! is asked, and what becomes of each answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::format_collect,
    reason = "a test says it by failing"
)]

#[path = "chat_writing/refused.rs"]
mod refused;
#[path = "chat_writing/stand_in.rs"]
mod stand_in;

use std::time::Duration;

use futures::StreamExt;
use hawker::{
    base::Secret,
    chat::{
        Author, MessageId, PlatformAction, Text, UserId, bridge,
        send::{Answer, Failure},
        shopee,
        spec::{Bridge, Transport},
        youtube::{Bans, Quota, quota::DAILY},
    },
    link::chat::{self as link, Clock, Http, Order, Report, Reports},
};
use serde_json::{Value, json};
use stand_in::{Platform, Reply};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_tungstenite::{accept_async, tungstenite};
use url::Url;

/// Long enough for a busy machine; what does not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN: &str = "ya29-token-of-ours";

fn say(text: &str) -> PlatformAction {
    PlatformAction::Say { text: text.to_owned(), channel: None, reply_to: None }
}

fn user(id: &str) -> Author {
    let id = (!id.is_empty()).then(|| UserId::new(id));
    Author { id, name: Text::name("lan"), login: None, badges: Vec::new() }
}

fn ban(id: &str) -> PlatformAction {
    PlatformAction::Ban { user: user(id), reason: "spam".into(), channel: None }
}

fn time_out(id: &str, seconds: u64) -> PlatformAction {
    let length = Duration::from_secs(seconds);
    PlatformAction::TimeOut { user: user(id), length, reason: "spam".into(), channel: None }
}

fn lift(id: &str) -> PlatformAction {
    PlatformAction::Lift { user: user(id), channel: None }
}

fn delete(id: &str) -> PlatformAction {
    PlatformAction::Delete(MessageId::new(id))
}

fn dropped(code: &str, text: &str) -> Answer {
    Answer::Dropped { code: Text::name(code), text: Text::new(text) }
}

fn taken(id: &str) -> Answer {
    Answer::Taken(Some(MessageId::new(id)))
}

const NOT_ALLOWED: Answer = Answer::Failed(Failure::NotAllowed);
const NETWORK: Answer = Answer::Failed(Failure::Network);

fn kick_at(url: &Url, http: &Http) -> link::kick::Api {
    link::kick::Api::new(http.clone(), url.clone(), 42, &Secret::new(TOKEN)).unwrap()
}

/// YouTube as an account, with the chat found already.
struct Youtube {
    account: link::youtube::Account,
    chat: link::youtube::Chat,
    bans: Bans,
}

impl Youtube {
    /// Of a stand-in whose first answer is the video.
    async fn at(platform: &Platform, http: &Http) -> Self {
        let clock = Clock::default();
        let chat = link::youtube::Chat::new(Quota::new(DAILY, 0, 0, clock.now().wall));
        let key = Secret::new("an-api-key-of-ours");
        let api = link::youtube::Api::new(platform.url.clone(), key).unwrap();
        link::youtube::find(&api, &chat, "vid", &clock).await.unwrap();
        platform.asked();
        let (http, url) = (http.clone(), platform.url.clone());
        let account = link::youtube::Account::new(http, url, &Secret::new(TOKEN)).unwrap();
        Self { account, chat, bans: Bans::default() }
    }

    async fn write(&mut self, action: &PlatformAction) -> Answer {
        let clock = Clock::default();
        link::youtube::write(&self.account, &self.chat, &mut self.bans, &clock, action).await
    }

    fn left(&self) -> u64 {
        self.chat.quota(|quota| quota.left(Clock::default().now().wall))
    }
}

fn video() -> Reply {
    Reply::json(
        200,
        &json!({"kind": "youtube#videoListResponse", "items": [
            {"kind": "youtube#video", "id": "vid", "liveStreamingDetails": {"activeLiveChatId": "c1"}}]}),
    )
}

#[tokio::test]
async fn kick_is_written_to_and_moderated_in_the_documented_form() {
    let ok = || Reply::json(200, &json!({"data": {}, "message": "OK"}));
    let sent = json!({"data": {"is_sent": true, "message_id": "k9"}, "message": "OK"});
    let platform = Platform::answering([
        Reply::json(200, &sent),
        Reply::Says(204, String::new()),
        ok(),
        ok(),
        ok(),
    ])
    .await;
    let api = kick_at(&platform.url, &Http::new(PATIENCE).await.unwrap());
    let reply = PlatformAction::Say {
        text: "còn hàng & giá?".into(),
        channel: None,
        reply_to: Some(MessageId::new("k1")),
    };
    for (action, answer, line, body) in [
        (
            reply,
            taken("k9"),
            "POST /public/v1/chat",
            json!({"broadcaster_user_id": 42, "content": "còn hàng & giá?", "type": "user", "reply_to_message_id": "k1"}),
        ),
        (delete("k1"), Answer::Taken(None), "DELETE /public/v1/chat/k1", Value::Null),
        (
            time_out("7", 90),
            Answer::Taken(None),
            "POST /public/v1/moderation/bans",
            json!({"broadcaster_user_id": 42, "user_id": 7, "reason": "spam", "duration": 2}),
        ),
        (
            ban("7"),
            Answer::Taken(None),
            "POST /public/v1/moderation/bans",
            json!({"broadcaster_user_id": 42, "user_id": 7, "reason": "spam"}),
        ),
        (
            lift("7"),
            Answer::Taken(None),
            "DELETE /public/v1/moderation/bans",
            json!({"broadcaster_user_id": 42, "user_id": 7}),
        ),
    ] {
        assert_eq!(link::kick::write(&api, &action).await, answer, "{action:?}");
        let asked = platform.one();
        assert_eq!((asked.line.as_str(), &asked.body), (line, &body));
        assert!(asked.query.is_empty(), "{asked:?}");
        assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
        let json = asked.headers.get("content-type").is_some_and(|v| v == "application/json");
        assert_eq!(json, !body.is_null(), "{asked:?}");
    }
    // What cannot be asked is not asked.
    for action in [ban(""), ban("not-a-number"), delete("../x"), say(&"x".repeat(501)), say(" ")] {
        let answer = link::kick::write(&api, &action).await;
        assert!(matches!(answer, Answer::Failed(Failure::Other(_))), "{action:?}: {answer:?}");
    }
    assert!(platform.asked().is_empty());
}

#[tokio::test]
async fn youtube_is_written_to_and_moderated_in_the_documented_form() {
    let banned = |id: &str| Reply::json(200, &json!({"kind": "youtube#liveChatBan", "id": id}));
    let platform = Platform::answering([
        video(),
        Reply::json(200, &json!({"kind": "youtube#liveChatMessage", "id": "m1"})),
        Reply::Says(204, String::new()),
        banned("b1"),
        banned("b2"),
        Reply::Says(204, String::new()),
    ])
    .await;
    let mut youtube = Youtube::at(&platform, &Http::new(PATIENCE).await.unwrap()).await;
    let snippet = |kind: &str| json!({"liveChatId": "c1", "type": kind, "bannedUserDetails": {"channelId": "UC1"}});
    let mut timed = snippet("temporary");
    timed["banDurationSeconds"] = json!("300");
    let said = json!({"liveChatId": "c1", "type": "textMessageEvent", "textMessageDetails": {"messageText": "còn hàng"}});
    for (action, answer, line, query, body) in [
        (
            say("còn hàng"),
            taken("m1"),
            "POST /youtube/v3/liveChat/messages",
            ("part", "snippet"),
            json!({"snippet": said}),
        ),
        (
            delete("m0"),
            Answer::Taken(None),
            "DELETE /youtube/v3/liveChat/messages",
            ("id", "m0"),
            Value::Null,
        ),
        (
            time_out("UC1", 300),
            Answer::Taken(None),
            "POST /youtube/v3/liveChat/bans",
            ("part", "snippet"),
            json!({"snippet": timed}),
        ),
        (
            ban("UC1"),
            Answer::Taken(None),
            "POST /youtube/v3/liveChat/bans",
            ("part", "snippet"),
            json!({"snippet": snippet("permanent")}),
        ),
        // The newest ban is lifted, by the identifier it got.
        (
            lift("UC1"),
            Answer::Taken(None),
            "DELETE /youtube/v3/liveChat/bans",
            ("id", "b2"),
            Value::Null,
        ),
    ] {
        assert_eq!(youtube.write(&action).await, answer, "{action:?}");
        let asked = platform.one();
        assert_eq!((asked.line.as_str(), &asked.body), (line, &body));
        let wanted = [(query.0.to_owned(), query.1.to_owned())].into();
        assert_eq!(asked.query, wanted, "the token is in no address");
        assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
    }
    // The look-up of the chat, two for messages, three for bans.
    assert_eq!(youtube.left(), DAILY - 1 - 2 * 20 - 3 * 50);
    // It is lifted, and others' bans are not known.
    for action in [lift("UC1"), lift("UC2"), lift(""), say(&"x".repeat(201))] {
        let answer = youtube.write(&action).await;
        assert!(matches!(answer, Answer::Failed(Failure::Other(_))), "{action:?}: {answer:?}");
    }
    assert!(platform.asked().is_empty());
    assert_eq!(youtube.left(), DAILY - 1 - 2 * 20 - 3 * 50, "what is not asked is not charged");
}

#[tokio::test]
async fn youtube_says_when_its_quota_allows_no_more() {
    let spent = json!({"error": {"code": 403, "message": "The request cannot be completed because you have exceeded your quota.", "errors": [{"reason": "quotaExceeded", "domain": "youtube.quota"}]}});
    let platform = Platform::answering([video(), Reply::json(403, &spent)]).await;
    let mut youtube = Youtube::at(&platform, &Http::new(PATIENCE).await.unwrap()).await;
    let Answer::Dropped { code, text } = youtube.write(&say("one")).await else { panic!() };
    assert_eq!(code.as_str(), "quotaExceeded");
    assert!(text.as_str().contains("exceeded your quota"), "{text:?}");
    platform.one();
    // YouTube said so: it is not asked again, and reading knows it, too.
    let Answer::Dropped { code, text } = youtube.write(&say("two")).await else { panic!() };
    assert_eq!(code.as_str(), "quotaExceeded");
    assert!(text.as_str().contains("0 are left until"), "{text:?}");
    assert!(platform.asked().is_empty());
    assert_eq!(youtube.left(), 0);
}

#[tokio::test]
async fn facebook_deletes_and_does_nothing_else() {
    let platform = Platform::answering([Reply::json(200, &json!({"success": true}))]).await;
    let http = Http::new(PATIENCE).await.unwrap();
    let write = async |action: PlatformAction| {
        let url = Some(platform.url.clone());
        link::facebook::write(&http, url, Secret::new(TOKEN), &action).await
    };
    assert_eq!(write(delete("10_20")).await, Answer::Taken(None));
    let asked = platform.one();
    assert_eq!(asked.line, "DELETE /10_20");
    assert_eq!(asked.query, [("access_token".to_owned(), TOKEN.to_owned())].into());
    for action in [say("x"), ban("1"), time_out("1", 60), lift("1")] {
        assert_eq!(write(action).await, NOT_ALLOWED);
    }
    let answer = write(delete("../me")).await;
    assert!(matches!(answer, Answer::Failed(Failure::Other(_))), "{answer:?}");
    assert!(platform.asked().is_empty());
}

fn sign(base: &str) -> String {
    use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
    let key = PKey::hmac(b"partner-key").unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    signer.update(base.as_bytes()).unwrap();
    signer.sign_to_vec().unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shopee_at(url: &Url, http: &Http) -> link::shopee::Api {
    let access_token = Secret::new(TOKEN);
    let credentials = shopee::Credentials { partner_id: 7, shop_id: 9, access_token };
    link::shopee::Api::over(http, url.clone(), credentials, Secret::new("partner-key"))
}

#[tokio::test]
async fn shopee_takes_comments_and_bans_that_are_signed() {
    let ok = |response: Value| {
        Reply::json(
            200,
            &json!({"error": "", "message": "", "request_id": "r", "response": response}),
        )
    };
    let platform =
        Platform::answering([ok(json!({"comment_id": 77})), ok(json!({})), ok(json!({}))]).await;
    let http = Http::new(PATIENCE).await.unwrap();
    let api = shopee_at(&platform.url, &http);
    let clock = Clock::default();
    for (action, answer, path, body) in [
        (say("ok ka"), taken("77"), "post_comment", json!({"session_id": 5, "content": "ok ka"})),
        (
            ban("123"),
            Answer::Taken(None),
            "ban_user_comment",
            json!({"session_id": 5, "user_id": 123}),
        ),
        (
            lift("123"),
            Answer::Taken(None),
            "unban_user_comment",
            json!({"session_id": 5, "user_id": 123}),
        ),
    ] {
        assert_eq!(link::shopee::write(&api, &http, 5, &clock, &action).await, answer);
        let asked = platform.one();
        let path = format!("/api/v2/livestream/{path}");
        assert_eq!((asked.line, asked.body), (format!("POST {path}"), body));
        let of = |key: &str| asked.query[key].clone();
        assert_eq!((of("partner_id"), of("shop_id")), ("7".into(), "9".into()));
        assert_eq!(of("sign"), sign(&format!("7{path}{}{TOKEN}9", of("timestamp"))));
        assert_eq!(asked.query.len(), 5, "{:?}", asked.query);
    }
    for action in [delete("1"), time_out("1", 60)] {
        assert_eq!(link::shopee::write(&api, &http, 5, &clock, &action).await, NOT_ALLOWED);
    }
    assert!(platform.asked().is_empty());
}

/// The answers to these actions by a bridge, and the frames it got after the first.
async fn bridge(which: Bridge, actions: Vec<PlatformAction>) -> (Vec<Answer>, Vec<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap().to_string().parse().unwrap();
    let (got, mut frames) = mpsc::channel(16);
    let stand_in = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        while let Some(Ok(frame)) = socket.next().await {
            if let tungstenite::Message::Text(text) = frame {
                got.send(serde_json::from_str(&text).unwrap()).await.unwrap();
            }
        }
    });
    let (give, mut orders) = mpsc::channel(16);
    let (tell, mut reports) = mpsc::channel(64);
    let serving = tokio::spawn(async move {
        let secret = Secret::new("session-of-ours");
        let endpoint = link::bridge::Endpoint {
            bridge: which,
            server: &server,
            transport: Transport::Tcp,
            path: "/",
            secret: Some(&secret),
            ping: PATIENCE,
        };
        let mut reader = bridge::Reader::new("shop".parse().unwrap());
        let reports = Reports::new(tell);
        link::bridge::serve(&endpoint, &mut reader, &Clock::default(), &reports, &mut orders).await
    });
    let mut answers = Vec::new();
    for (number, action) in (1..).zip(actions) {
        give.send(Order { number, action }).await.unwrap();
        let answer = timeout(PATIENCE, async {
            loop {
                if let Report::Answered { order, answer } = reports.recv().await.unwrap() {
                    assert_eq!(order, number);
                    return answer;
                }
            }
        });
        answers.push(answer.await.unwrap());
    }
    serving.abort();
    let _ = serving.await;
    let mut all = Vec::new();
    while let Some(frame) = timeout(PATIENCE, frames.recv()).await.unwrap() {
        all.push(frame);
    }
    stand_in.await.unwrap();
    (answers, all)
}

#[tokio::test]
async fn social_stream_says_a_line_in_all_its_chats_and_other_bridges_none() {
    let actions = || vec![say("SP1 còn\r\nhàng"), say(&"x".repeat(501)), ban("1"), delete("m")];
    let (answers, frames) = bridge(Bridge::SocialStream, actions()).await;
    assert_eq!(answers[0], Answer::Taken(None), "written, and never confirmed");
    assert!(matches!(answers[1], Answer::Failed(Failure::Other(_))), "{answers:?}");
    assert_eq!(answers[2..], [NOT_ALLOWED, NOT_ALLOWED]);
    let said = json!({"action": "sendChat", "value": "SP1 còn  hàng"});
    assert_eq!(frames, [json!({"join": "session-of-ours", "in": 4}), said]);
    for other in [Bridge::StreamerBot, Bridge::Restream] {
        let (answers, frames) = bridge(other, actions()).await;
        assert_eq!(answers, [NOT_ALLOWED; 4].to_vec(), "{other:?}");
        assert!(frames.iter().all(|frame| frame.get("action").is_none()), "{frames:?}");
    }
}

#[test]
fn no_token_that_breaks_a_header_is_sent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let http = runtime.block_on(Http::new(PATIENCE)).unwrap();
    let url: Url = "http://127.0.0.1:1/".parse().unwrap();
    let wrong = Secret::new("line\r\nfeed-of-ours");
    let refused = link::kick::Api::new(http.clone(), url.clone(), 1, &wrong).unwrap_err();
    assert!(refused.lasting && !refused.why.contains("feed-of-ours"), "{refused}");
    assert!(link::youtube::Account::new(http, url, &wrong).is_err());
}
