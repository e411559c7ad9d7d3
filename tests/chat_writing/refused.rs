//! What becomes of an answer that is no success, or that does not come.

use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hawker::{
    base::Secret,
    chat::{
        Text,
        send::{Answer, Failure},
    },
    link::chat::{self as link, Clock, Http},
};
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    NETWORK, NOT_ALLOWED, PATIENCE, TOKEN, Youtube, delete, dropped, kick_at, say, shopee_at,
    stand_in::{Platform, Reply},
    video,
};

/// The four platforms that are written to by HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Youtube,
    Kick,
    Facebook,
    Shopee,
}

use Which::{Facebook, Kick, Shopee};

/// What becomes of an answer to a message, or to a deletion where no message can be sent.
async fn after(which: Which, reply: Reply, http: &Http) -> Answer {
    let first = (which == Which::Youtube).then(video);
    let platform = Platform::answering(first.into_iter().chain([reply])).await;
    at(which, &platform, http).await
}

async fn at(which: Which, platform: &Platform, http: &Http) -> Answer {
    let url = platform.url.clone();
    match which {
        Which::Youtube => Youtube::at(platform, http).await.write(&say("SP1")).await,
        Kick => link::kick::write(&kick_at(&url, http), &say("SP1")).await,
        Facebook => {
            link::facebook::write(http, Some(url), Secret::new(TOKEN), &delete("1_2")).await
        }
        Shopee => {
            let api = shopee_at(&url, http);
            link::shopee::write(&api, http, 5, &Clock::default(), &say("SP1")).await
        }
    }
}

/// What is logged, to be searched.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn refusals_are_passed_on_in_the_platforms_words_and_hold_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    subscriber.with_writer(move || writer.clone()).init();
    let http = Http::new(PATIENCE).await.unwrap();
    let google = |code: u16, reason: &str, words: &str| {
        let one = json!({"message": words, "domain": "youtube.liveChat", "reason": reason});
        Reply::json(code, &json!({"error": {"code": code, "message": words, "errors": [one]}}))
    };
    let graph = |status, code: u16, words: &str| {
        Reply::json(
            status,
            &json!({"error": {"message": words, "type": "OAuthException", "code": code, "fbtrace_id": "A"}}),
        )
    };
    let shop = |error: &str, words: &str| {
        Reply::json(200, &json!({"error": error, "message": words, "request_id": "r"}))
    };
    let ours = |status, words: &str| Reply::json(status, &json!({"data": {}, "message": words}));
    let held = json!({"data": {"is_sent": false, "message_id": ""}, "message": "slow mode is on"});
    let echo = format!("Invalid token {TOKEN}\u{1b}[31m");
    for (which, reply, answer) in [
        (
            Which::Youtube,
            google(403, "liveChatEnded", "The live chat is no longer live."),
            dropped("liveChatEnded", "The live chat is no longer live."),
        ),
        (
            Which::Youtube,
            google(401, "authError", &echo),
            dropped("authError", "Invalid token …[31m"),
        ),
        (Which::Youtube, Reply::Says(403, "<html>".into()), NOT_ALLOWED),
        (Kick, Reply::json(200, &held), dropped("not-sent", "slow mode is on")),
        (Kick, ours(401, "Unauthorized"), NOT_ALLOWED),
        (Kick, ours(400, &echo), dropped("400", "Invalid token …[31m")),
        (Facebook, graph(400, 190, &echo), dropped("190", "Invalid token …[31m")),
        (
            Facebook,
            graph(403, 200, "(#200) Permissions error"),
            dropped("200", "(#200) Permissions error"),
        ),
        (Shopee, shop("error_auth", &echo), dropped("error_auth", "Invalid token …[31m")),
        (Shopee, shop("error_param", "no such user"), dropped("error_param", "no such user")),
    ] {
        let what = format!("{which:?} {reply:?}");
        let got = after(which, reply, &http).await;
        assert_eq!(got, answer, "{what}");
        assert!(!format!("{got:?}").contains(TOKEN), "{got:?}");
    }
    let broken = after(Kick, Reply::Says(502, "<html>Bad Gateway".into()), &http).await;
    assert_eq!(broken, Answer::Failed(Failure::Other(Text::new("status 502"))));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("youtube.force-ssl") && log.contains("chat:write"), "{log}");
    for secret in [TOKEN, "partner-key", "an-api-key-of-ours"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn who_is_asked_too_often_names_a_time() {
    let http = Http::new(PATIENCE).await.unwrap();
    let seconds = |n| Answer::Later(Duration::from_secs(n));
    for which in [Which::Youtube, Kick, Facebook, Shopee] {
        assert_eq!(after(which, Reply::Later(429, "17"), &http).await, seconds(17), "{which:?}");
        let Answer::Later(usual) = after(which, Reply::Says(429, String::new()), &http).await
        else {
            panic!("{which:?}")
        };
        assert!(usual >= Duration::from_secs(1), "{which:?}: {usual:?}");
    }
    assert_eq!(after(Kick, Reply::Later(503, "3"), &http).await, seconds(3));
    let reason = json!({"error": {"code": 403, "message": "m", "errors": [{"reason": "rateLimitExceeded"}]}});
    let paced = after(Which::Youtube, Reply::json(403, &reason), &http).await;
    assert!(matches!(paced, Answer::Later(_)), "{paced:?}");
    let graph = json!({"error": {"code": 32, "message": "m"}});
    assert_eq!(after(Facebook, Reply::json(400, &graph), &http).await, seconds(60));
    let shop = json!({"error": "error_rate_limit", "message": "m"});
    assert_eq!(after(Shopee, Reply::json(200, &shop), &http).await, seconds(5));
}

#[tokio::test]
async fn who_hangs_or_is_not_there_is_given_up_in_time() {
    let http = Http::new(Duration::from_millis(300)).await.unwrap();
    for which in [Which::Youtube, Kick, Facebook, Shopee] {
        let begun = Instant::now();
        assert_eq!(after(which, Reply::Hangs, &http).await, NETWORK, "{which:?}");
        assert!(begun.elapsed() < PATIENCE, "{which:?}");
    }
    // It was taken: that the rest of the answer does not come changes nothing.
    assert_eq!(after(Kick, Reply::Stops, &http).await, Answer::Taken(None));
    // Nobody listens there.
    let mut gone = Platform::answering([]).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    gone.url = format!("http://{closed}/").parse().unwrap();
    for which in [Kick, Facebook, Shopee] {
        assert_eq!(at(which, &gone, &http).await, NETWORK, "{which:?}");
    }
    // One that leads elsewhere is not followed: it would get the token.
    let elsewhere = after(Kick, Reply::Says(302, String::new()), &http).await;
    assert_eq!(elsewhere, dropped("302", ""));
}
