//! Orders through the writer's loop, against stand-ins on this machine.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use super::*;
use crate::{
    chat::{MessageId, Platform, Text, response::dropped, youtube::Quota},
    engine::chat::source::FromSource,
    link::chat::{Order, Report},
};

/// A server that gives these answers, one a request, and the requests it got.
async fn stand_in(answers: Vec<&'static str>) -> (Url, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let got = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&got);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4096];
            // The body ends with its last brace; a request without one, with its head.
            while !request.ends_with(b"}") && !request.ends_with(b"\r\n\r\n") {
                let n = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..n]);
            }
            kept.lock().unwrap().push(String::from_utf8(request).unwrap());
            let (status, body) = answer.split_once(' ').unwrap();
            let head = format!(
                "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
        }
    });
    (url, got)
}

fn say(text: &str) -> PlatformAction {
    PlatformAction::Say { text: text.to_owned(), channel: None, reply_to: None }
}

fn spec(service: Service) -> ChatSpec {
    ChatSpec::new("shop".parse().unwrap(), service)
}

fn kick(api: Url, token: SecretRef) -> Service {
    Service::Kick {
        listen: "127.0.0.1:1".parse().unwrap(),
        path: "/kick".into(),
        public_key: "k.pem".into(),
        account: Some(KickAccount { token, channel: 7, api }),
    }
}

/// The answers to these orders, and that each came once.
async fn answers(
    spec: ChatSpec,
    files: &Files,
    chat: Option<&youtube::Chat>,
    actions: Vec<PlatformAction>,
) -> Vec<Answer> {
    let (give, orders) = mpsc::channel(16);
    let (merge, mut from) = mpsc::channel(16);
    let (_reading, over) = oneshot::channel();
    for (number, action) in actions.into_iter().enumerate() {
        give.send(Order { number: number as u64, action }).await.unwrap();
    }
    drop(give);
    serve(&spec, files, chat, &Told::new(0, merge), orders, over).await;
    let mut all = Vec::new();
    while let Some((_, FromSource::Report(Report::Answered { order, answer }))) = from.recv().await
    {
        assert_eq!(order, all.len() as u64);
        all.push(answer);
    }
    all
}

#[tokio::test]
async fn a_token_that_was_renewed_is_used_and_one_that_is_gone_is_told_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let reference = SecretRef::File(file.to_str().unwrap().to_owned());
    let ok = r#"200 {"data":{"is_sent":true,"message_id":"k1"},"message":"OK"}"#;
    let (url, got) = stand_in(vec![ok, ok]).await;
    let files = Files::default();
    for token in ["first-token", "second-token"] {
        std::fs::write(&file, token).unwrap();
        let service = kick(url.clone(), reference.clone());
        let all = answers(spec(service), &files, None, vec![say("hi")]).await;
        assert_eq!(all, [Answer::Taken(Some(MessageId::new("k1")))]);
        let request = got.lock().unwrap().pop().unwrap();
        assert!(request.to_lowercase().contains(&format!("authorization: bearer {token}\r\n")));
    }
    let nowhere = SecretRef::File(folder.path().join("none").to_str().unwrap().to_owned());
    let all = answers(spec(kick(url, nowhere)), &Files::default(), None, vec![say("hi")]).await;
    let [Answer::Failed(Failure::Other(why))] = &all[..] else { panic!("{all:?}") };
    assert!(why.as_str().contains("none") && !why.as_str().contains("token-"), "{why:?}");
}

#[tokio::test]
async fn youtube_is_written_to_from_the_quota_that_reading_has() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "ya29-token").unwrap();
    let found = r#"200 {"kind":"youtube#videoListResponse","items":[{"kind":"youtube#video","id":"v","liveStreamingDetails":{"activeLiveChatId":"c1"}}]}"#;
    let said = r#"200 {"kind":"youtube#liveChatMessage","id":"m1"}"#;
    let (url, got) = stand_in(vec![found, said]).await;
    let clock = Clock::default();
    // The look-up, one line, and not another.
    let chat = youtube::Chat::new(Quota::new(40, 0, 0, clock.now().wall));
    let service = || Service::Youtube {
        video: "v".into(),
        key: SecretRef::Env("NONE".into()),
        account: Some(SecretRef::File(file.to_str().unwrap().to_owned())),
        api: url.clone(),
        quota: 40,
    };
    let early = answers(spec(service()), &Files::default(), Some(&chat), vec![say("early")]).await;
    assert!(matches!(early[..], [Answer::Later(_)]), "the chat is not found yet: {early:?}");
    let api = youtube::Api::new(url.clone(), Secret::new("an-api-key")).unwrap();
    assert_eq!(youtube::find(&api, &chat, "v", &clock).await.unwrap(), "c1");
    let two = vec![say("one"), say("two")];
    let all = answers(spec(service()), &Files::default(), Some(&chat), two).await;
    assert_eq!(all[0], Answer::Taken(Some(MessageId::new("m1"))));
    let Answer::Dropped { code, text } = &all[1] else { panic!("{all:?}") };
    assert_eq!(code.as_str(), "quotaExceeded");
    assert!(text.as_str().contains("19 are left"), "{text:?}");
    assert_eq!(got.lock().unwrap().len(), 2, "what the quota does not allow is not asked");
}

#[tokio::test]
async fn who_cannot_write_says_so_and_what_waits_when_reading_ends_is_answered() {
    let lines = || spec(Service::Lines { path: "-".into(), platform: Platform::UNKNOWN });
    let all = answers(lines(), &Files::default(), None, vec![say("x")]).await;
    assert_eq!(all, [Answer::Failed(Failure::NotAllowed)]);
    let (give, orders) = mpsc::channel(16);
    let (merge, mut from) = mpsc::channel(16);
    let (reading, over) = oneshot::channel();
    drop(reading);
    give.send(Order { number: 5, action: say("x") }).await.unwrap();
    serve(&lines(), &Files::default(), None, &Told::new(0, merge), orders, over).await;
    let answered = Report::Answered { order: 5, answer: Answer::Failed(Failure::Network) };
    assert!(
        matches!(from.recv().await, Some((_, FromSource::Report(report))) if report == answered)
    );
    assert!(give.send(Order { number: 6, action: say("x") }).await.is_err());
}

#[tokio::test]
async fn the_words_of_a_platform_are_passed_on_without_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "EAAB-page-token").unwrap();
    let answer = r#"400 {"error":{"message":"Malformed access token EAAB-page-token","code":190}}"#;
    let (url, got) = stand_in(vec![answer]).await;
    let token = SecretRef::File(file.to_str().unwrap().to_owned());
    let service = Service::Facebook { video: "1".into(), token, api: Some(url) };
    let delete = PlatformAction::Delete(MessageId::new("1_2"));
    let all = answers(spec(service), &Files::default(), None, vec![delete, say("x")]).await;
    let words = dropped("190", "Malformed access token …");
    assert_eq!(all, [words, Answer::Failed(Failure::NotAllowed)]);
    let request = got.lock().unwrap().pop().unwrap();
    assert!(request.starts_with("DELETE /1_2?access_token=EAAB-page-token HTTP/1.1\r\n"));
    assert!(!format!("{all:?}").contains("EAAB"), "{:?}", Text::new("checked"));
}
