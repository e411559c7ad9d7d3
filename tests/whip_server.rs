//! WHIP over real sockets against a scripted server: what is sent, and what the operator reads. Loopback only;
//! every wait is for a condition, and bounded.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[path = "whip_server/fake.rs"]
mod fake;

use std::{fmt::Write as _, time::Duration};

use fake::{Act, Server};
use hawker::{
    base::Secret,
    link::whip::{Conversation, Link, LinkOptions, WhipEvent, begin, open},
    whip::{IceKind, Kind, Role, Session},
};
use tokio::time::{Instant, timeout};
use url::Url;

const OFFER: &str = "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v a\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:0123456789012345678901\r\na=rtcp-mux\r\na=sendonly\r\na=rtpmap:96 H264/90000\r\n\
    a=mid:v\r\na=fingerprint:sha-256 AA:BB\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
    c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=rtcp-mux\r\n\
    a=sendonly\r\na=rtpmap:111 OPUS/48000/2\r\na=mid:a\r\na=fingerprint:sha-256 AA:BB\r\n";
const ANSWER: &str = "v=0\r\no=- 2 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v a\r\n\
    a=fingerprint:sha-256 CC:DD\r\na=ice-ufrag:wxyz\r\na=ice-pwd:9876543210987654321098\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=recvonly\r\na=setup:passive\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na=recvonly\r\na=setup:passive\r\n";
const TOKEN: &str = "t0ken-s3cr3t";
const CANDIDATE: &str = "candidate:1 1 UDP 1 127.0.0.1 5000 typ host";

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let headers = headers.replace('|', "\r\n");
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

fn say(status: &str, headers: &str, body: &str) -> Act {
    Act::Say(http(status, headers, body))
}

/// Headers end in `|` each.
fn created(headers: &str) -> Act {
    say("201 Created", &format!("content-type: application/sdp|{headers}"), ANSWER)
}

fn link() -> Link {
    Link::new(&LinkOptions::default()).unwrap()
}

fn publish(link: &Link, url: Url) -> Conversation {
    open(link, url, Some(Secret::new(TOKEN)), OFFER.into(), Role::Whip)
}

async fn next(talk: &mut Conversation) -> Option<WhipEvent> {
    timeout(Duration::from_secs(15), talk.events.recv()).await.expect("no news for 15 s")
}

async fn up(talk: &mut Conversation) {
    assert_eq!(next(talk).await, Some(WhipEvent::Answer(ANSWER.into())));
    assert_eq!(next(talk).await, Some(WhipEvent::Established));
}

async fn ended(talk: &mut Conversation) {
    talk.stop();
    assert_eq!(next(talk).await, Some(WhipEvent::Stopped));
    assert_eq!(next(talk).await, None);
}

#[tokio::test]
async fn one_warm_connection_from_offer_to_end() {
    let server = Server::start(vec![
        ("OPTIONS", say("204 No Content", "", "")),
        ("POST", created("location: /s/1?dir=whip|etag: \"e1\"|")),
        ("PATCH", say("204 No Content", "", "")),
        ("DELETE", say("200 OK", "", "")),
    ])
    .await;
    let link = link();
    let url = server.url("/whip?key=1");
    link.warm(&url).await;
    let mut talk = publish(&link, url);
    talk.candidates.send((0, CANDIDATE.into())).await.unwrap();
    talk.candidates.send((1, "candidate:2 1 UDP 1 127.0.0.1 5001 typ host".into())).await.unwrap();
    talk.candidates.send((0, String::new())).await.unwrap();
    up(&mut talk).await;
    let patch = server.saw("PATCH").await;
    let told = async {
        let bodies = || server.seen().into_iter().filter(|s| s.method == "PATCH").map(|s| s.body);
        while !bodies().any(|body| body.contains("a=end-of-candidates")) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bodies().collect::<String>()
    };
    let bodies = timeout(Duration::from_secs(5), told).await.unwrap();
    assert_eq!(bodies.matches(CANDIDATE).count(), 1, "{bodies}");
    assert!(!bodies.contains("candidate:2"), "the other m-line's: {bodies}");
    ended(&mut talk).await;

    let post = server.saw("POST").await;
    assert_eq!(post.path, "/whip?key=1");
    assert_eq!(post.header("content-type"), Some("application/sdp"));
    assert_eq!(post.body.matches("a=rtcp-mux-only").count(), 2, "polished: {}", post.body);
    assert_eq!(patch.path, "/s/1?dir=whip");
    assert_eq!(patch.header("content-type"), Some("application/trickle-ice-sdpfrag"));
    assert_eq!(patch.header("if-match"), Some("\"e1\""));
    let delete = server.saw("DELETE").await;
    assert_eq!((delete.path.as_str(), delete.header("if-match")), ("/s/1?dir=whip", None));
    for seen in server.seen() {
        let bearer = format!("Bearer {TOKEN}");
        let want = (seen.method != "OPTIONS").then_some(bearer.as_str());
        assert_eq!(seen.header("authorization"), want, "{}", seen.method);
        assert_eq!(seen.connection, 1, "{} on another connection", seen.method);
    }
}

#[tokio::test]
async fn without_a_token_no_authorization_is_sent() {
    let server = Server::start(vec![
        ("POST", created("location: /s/1|")),
        ("DELETE", say("204 No Content", "", "")),
    ])
    .await;
    let mut url = server.url("/whip");
    url.set_username("somebody").unwrap();
    url.set_password(Some("pass")).unwrap();
    let mut talk = open(&link(), url, None, OFFER.into(), Role::Whip);
    up(&mut talk).await;
    ended(&mut talk).await;
    server.saw("DELETE").await;
    assert!(server.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[tokio::test]
async fn locations_are_taken_as_given() {
    for (location, path) in [
        ("/s/1", "/s/1"),
        ("s/1?a=b", "/app/s/1?a=b"),
        ("?session=9", "/app/whip?session=9"),
        ("http://127.0.0.1:{port}/s/2?x=1", "/s/2?x=1"),
    ] {
        let server = Server::start(vec![
            ("POST", created(&format!("location: {location}|"))),
            ("DELETE", say("200 OK", "", "")),
        ])
        .await;
        let mut talk = publish(&link(), server.url("/app/whip?k=1"));
        up(&mut talk).await;
        ended(&mut talk).await;
        assert_eq!(server.saw("DELETE").await.path, path, "{location}");
    }
}

#[tokio::test]
async fn without_a_location_the_show_goes_on() {
    let server = Server::start(vec![("POST", created(""))]).await;
    let mut talk = publish(&link(), server.url("/whip"));
    talk.candidates.send((0, CANDIDATE.into())).await.unwrap();
    up(&mut talk).await;
    ended(&mut talk).await;
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_failed_patch_ends_trickling_and_nothing_else() {
    for status in ["405 No", "412 No", "422 No", "428 No", "500 No", "501 No", "307 No"] {
        let server = Server::start(vec![
            ("POST", created("location: /s/1|")),
            ("PATCH", say(status, "location: /elsewhere|", "")),
            ("DELETE", say("404 Not Found", "", "")),
        ])
        .await;
        let mut talk = publish(&link(), server.url("/whip"));
        up(&mut talk).await;
        talk.candidates.send((0, CANDIDATE.into())).await.unwrap();
        assert_eq!(server.saw("PATCH").await.header("if-match"), None);
        talk.candidates.send((0, CANDIDATE.replace("5000", "5001"))).await.unwrap();
        // Time enough for a second one, if it were to come.
        tokio::time::sleep(Duration::from_millis(100)).await;
        ended(&mut talk).await;
        server.saw("DELETE").await;
        let patches = server.seen().iter().filter(|s| s.method == "PATCH").count();
        assert_eq!(patches, 1, "{status}");
    }
}

#[tokio::test]
async fn redirects_keep_the_token_in_the_family() {
    let server = Server::start(vec![
        ("POST", say("307 Temporary Redirect", "location: /b?x=1|", "")),
        (
            "POST",
            say("308 Permanent Redirect", "location: http://127.0.0.1:{port}/c/d?y=2|", "moved"),
        ),
        ("POST", created("location: s/1|")),
        ("DELETE", say("200 OK", "", "")),
    ])
    .await;
    let mut talk = publish(&link(), server.url("/a"));
    up(&mut talk).await;
    ended(&mut talk).await;
    let posts: Vec<_> = server.seen().into_iter().filter(|s| s.method == "POST").collect();
    assert_eq!(
        posts.iter().map(|s| s.path.as_str()).collect::<Vec<_>>(),
        ["/a", "/b?x=1", "/c/d?y=2"]
    );
    assert!(posts.iter().all(|s| s.header("authorization").is_some() && !s.body.is_empty()));
    assert_eq!(server.saw("DELETE").await.path, "/c/s/1", "against the final URL");
}

#[tokio::test]
async fn a_token_never_reaches_another_host() {
    let stranger = Server::start(vec![("POST", created("location: /s/1|"))]).await;
    let location = format!("location: http://localhost:{}/x|", stranger.port);
    let redirect = say("307 Temporary Redirect", &location, "");
    let server = Server::start(vec![("POST", redirect)]).await;
    let mut talk = publish(&link(), server.url("/a"));
    let Some(WhipEvent::Failed { sentence, kind, .. }) = next(&mut talk).await else {
        panic!("followed");
    };
    assert!(
        sentence.contains("another party's host")
            && sentence.contains("token-may-go-to = [\"localhost\"]"),
        "{sentence}"
    );
    assert_eq!(kind, Kind::Lasting);
    assert_eq!(next(&mut talk).await, None);
    assert!(stranger.seen().is_empty());

    // Without a token there is nothing to leak.
    let mut talk = open(&link(), server.url("/a"), None, OFFER.into(), Role::Whip);
    up(&mut talk).await;

    // Where the operator says so, it goes on.
    let session = Session::new(Role::Whip, server.url("/a"), Some(Secret::new(TOKEN)));
    let session = session.trusting(vec!["localhost".into()]);
    let mut talk = begin(&link(), session, OFFER.into());
    up(&mut talk).await;
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(stranger.saw_nth("POST", 1).await.header("authorization"), Some(bearer.as_str()));
}

/// Whatever becomes of the PATCH, the session stays.
#[tokio::test]
async fn a_patch_may_end_in_any_way() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffff\r\n";
    let endless = "HTTP/1.1 204 No\r\nx: ";
    for act in [
        Act::Hang(String::new()),
        Act::Hang("HTTP/1.1 2".into()),
        Act::Hang("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\na=mid".into()),
        Act::Slow("HTTP/1.1 2".into(), Duration::from_mins(1), String::new()),
        Act::Drip(chunked.into()),
        Act::Flood(chunked.into()),
        Act::Flood(endless.into()),
        Act::Never,
    ] {
        let server = Server::start(vec![
            ("POST", created("location: /s/1|")),
            ("PATCH", act.clone()),
            ("DELETE", say("200 OK", "", "")),
        ])
        .await;
        let mut talk = publish(&link(), server.url("/whip"));
        talk.candidates.send((0, CANDIDATE.into())).await.unwrap();
        up(&mut talk).await;
        server.saw("PATCH").await;
        ended(&mut talk).await;
        assert_eq!(server.saw("DELETE").await.path, "/s/1", "{act:?}");
    }
}

#[tokio::test]
async fn a_new_etag_is_used_once() {
    let server = Server::start(vec![
        ("POST", created("location: /s/1|etag: \"e1\"|")),
        ("PATCH", say("412 Precondition Failed", "etag: W/\"e2\"|", "")),
        ("PATCH", say("204 No Content", "", "")),
    ])
    .await;
    let mut talk = publish(&link(), server.url("/whip"));
    talk.candidates.send((0, CANDIDATE.into())).await.unwrap();
    up(&mut talk).await;
    let again = server.saw_nth("PATCH", 1).await;
    assert_eq!(again.header("if-match"), Some("W/\"e2\""));
    assert!(again.body.contains(CANDIDATE), "{}", again.body);
}

#[tokio::test]
async fn an_end_that_is_not_confirmed_is_repeated_in_the_background() {
    let server = Server::start(vec![
        ("POST", created("location: /s/1|")),
        ("DELETE", Act::Hang(String::new())),
        ("DELETE", say("503 Busy", "", "")),
        ("DELETE", say("204 No Content", "", "")),
    ])
    .await;
    let mut talk = publish(&link(), server.url("/whip"));
    up(&mut talk).await;
    let began = Instant::now();
    ended(&mut talk).await;
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    server.saw_nth("DELETE", 2).await;
    assert!(began.elapsed() > Duration::from_millis(2_900), "{:?}", began.elapsed());
    let paths = server.seen().into_iter().filter(|s| s.method == "DELETE").map(|s| s.path);
    assert_eq!(paths.collect::<Vec<_>>(), ["/s/1"; 3]);
}

#[tokio::test]
async fn an_old_end_does_not_end_its_successor() {
    // The server gives every session of the stream the same address.
    let server = Server::start(vec![
        ("POST", created("location: /s/1|")),
        ("DELETE", say("200 OK", "", "")),
    ])
    .await;
    let link = link();
    let mut old = publish(&link, server.url("/whip"));
    up(&mut old).await;
    let mut new = publish(&link, server.url("/whip"));
    up(&mut new).await;
    ended(&mut old).await;
    assert!(server.seen().iter().all(|s| s.method != "DELETE"), "{:?}", server.seen());
    ended(&mut new).await;
    server.saw("DELETE").await;
}

#[tokio::test]
async fn the_next_session_waits_for_the_answer_to_the_end_of_the_last() {
    let slow = http("200 OK", "", "");
    let (head, rest) = slow.split_at(10);
    let server = Server::start(vec![
        ("POST", created("location: /s/{n}|")),
        ("DELETE", Act::Slow(head.into(), Duration::from_millis(300), rest.into())),
    ])
    .await;
    let link = link();
    let mut first = publish(&link, server.url("/whip"));
    up(&mut first).await;
    first.stop();
    server.saw("DELETE").await;
    let began = Instant::now();
    let mut second = publish(&link, server.url("/whip"));
    // Another endpoint has nothing to do with it.
    let mut other = publish(&link, server.url("/other"));
    up(&mut other).await;
    assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
    up(&mut second).await;
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    ended(&mut second).await;
    ended(&mut other).await;
}

#[tokio::test]
async fn what_an_earlier_run_left_open_is_ended_before_the_next_begins() {
    let server = Server::start(vec![
        ("POST", created("location: /s/{n}|")),
        ("DELETE", say("200 OK", "", "")),
    ])
    .await;
    let folder = tempfile::tempdir().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let entry = |at: &str, session: &str| {
        format!(r#"{{"endpoint":"{}","session":"{session}","began":{now}}}"#, server.url(at))
    };
    let stranger = "http://stranger.invalid:1/s/9";
    let left = [
        entry("/whip", server.url("/s/old").as_str()),
        entry("/elsewhere", server.url("/s/not-mine").as_str()),
        entry("/whip", stranger),
    ];
    std::fs::write(folder.path().join("1-1.json"), format!("[{}]", left.join(","))).unwrap();
    let link = link();
    link.keep_sessions(folder.path()).unwrap();
    let mut talk = publish(&link, server.url("/whip"));
    up(&mut talk).await;
    let seen = server.seen();
    let order: Vec<_> = seen.iter().map(|s| (s.method.as_str(), s.path.as_str())).collect();
    assert_eq!(order, [("DELETE", "/s/old"), ("POST", "/whip")]);
    // By the token of the output that goes there.
    assert_eq!(seen[0].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    ended(&mut talk).await;
    let mut talk = publish(&link, server.url("/whip"));
    up(&mut talk).await;
    assert_eq!(server.seen().iter().filter(|s| s.path == "/s/old").count(), 1, "asked once");
    // Like a kill: nothing is ended in order. What could not be reached, or was another's, is still known.
    let text: String = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(text.contains("/s/not-mine") && text.contains(stranger), "{text}");
    assert!(!text.contains("/s/old") && !text.contains(TOKEN), "{text}");
    ended(&mut talk).await;
}

#[tokio::test]
async fn busy_then_free() {
    for busy in [say("409 Conflict", "", ""), say("403 No", "", "Endpoint ID already in use")] {
        let server = Server::start(vec![
            ("POST", busy.clone()),
            ("POST", busy),
            ("POST", created("location: /s/1|")),
        ])
        .await;
        let link = link();
        for _ in 0..2 {
            let line = read(&mut publish(&link, server.url("/whip"))).await;
            assert!(line.starts_with("Busy: ") && line.contains("busy"), "{line}");
        }
        up(&mut publish(&link, server.url("/whip"))).await;
    }
}

#[tokio::test]
async fn what_link_headers_name_is_told() {
    let headers = "link: <stun:s1>; rel=\"ice-server\", <https://h/x>; rel=\"urn:x:y\"|\
        Link: <turn:t1?transport=tcp>; rel=ice-server; username=\"a,b\"; credential=\"p\\\"q\"; \
        credential-type=password, <turns:t2:443>; rel=ice-server; username=u; credential=c|\
        link: garbage, <, ;;;, <turn:t3>; rel=ice-server|location: /s/1|";
    let server = Server::start(vec![
        ("OPTIONS", say("204 No Content", headers, "")),
        ("POST", created(headers)),
    ])
    .await;
    let link = link();
    let mut talk = publish(&link, server.url("/whip"));
    let Some(WhipEvent::IceServers(servers)) = next(&mut talk).await else { panic!("none") };
    up(&mut talk).await;
    let kinds: Vec<_> = servers.iter().map(|s| (s.kind, s.host.as_str(), s.port)).collect();
    assert_eq!(
        kinds,
        [
            (IceKind::Stun, "s1", 3478),
            (IceKind::TurnTcp, "t1", 3478),
            (IceKind::TurnTls, "t2", 443)
        ]
    );
    assert_eq!(servers[1].user.as_deref(), Some("a,b"));
    assert_eq!(servers[1].credential.as_ref().map(Secret::expose), Some("p\"q"));

    // Asked before the offer, with the token.
    let asked = link.ice_servers(server.url("/whip"), Some(Secret::new(TOKEN))).await;
    assert_eq!(asked, servers);
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(server.saw("OPTIONS").await.header("authorization"), Some(bearer.as_str()));
    // A server that does not know the question has none.
    let server = Server::start(vec![("OPTIONS", say("405 No", headers, ""))]).await;
    assert!(link.ice_servers(server.url("/whip"), None).await.is_empty());
}

#[tokio::test]
async fn without_trickle_the_offer_carries_its_candidates() {
    let server = Server::start(vec![("POST", created("location: /s/1|"))]).await;
    let session = Session::new(Role::Whip, server.url("/whip"), None).without_trickle();
    let mut talk = begin(&link(), session, OFFER.into());
    talk.candidates.send((0, CANDIDATE.into())).await.unwrap();
    talk.candidates.send((0, String::new())).await.unwrap();
    up(&mut talk).await;
    let post = server.saw("POST").await;
    assert!(post.body.contains(CANDIDATE) && post.body.contains("a=end-of-candidates"));
    talk.candidates.send((0, CANDIDATE.replace("5000", "5001"))).await.unwrap();
    // Time enough for a PATCH, if it were to come.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_end_has_its_deadline() {
    let limit = Duration::from_millis(1_900);
    for act in
        [say("204 No Content", "", ""), say("500 No", "", ""), Act::Hang(String::new()), Act::Never]
    {
        let server =
            Server::start(vec![("POST", created("location: /s/1|")), ("DELETE", act.clone())])
                .await;
        let mut talk = publish(&link(), server.url("/whip"));
        up(&mut talk).await;
        let began = Instant::now();
        ended(&mut talk).await;
        assert!(began.elapsed() < limit, "{act:?} took {:?}", began.elapsed());
        server.saw("DELETE").await;
    }
    // Nobody answers the POST.
    let server = Server::start(vec![("POST", Act::Never)]).await;
    let mut talk = publish(&link(), server.url("/whip"));
    server.saw("POST").await;
    let began = Instant::now();
    ended(&mut talk).await;
    assert!(began.elapsed() < limit);
}

#[tokio::test]
async fn stopped_or_dropped_while_pending_it_still_lets_go() {
    let slow = || {
        let answer = http("201 Created", "location: /s/1|", ANSWER);
        Act::Slow(String::new(), Duration::from_millis(150), answer)
    };
    for dropped in [false, true] {
        let server = Server::start(vec![("POST", slow()), ("DELETE", say("200 OK", "", ""))]).await;
        let mut talk = publish(&link(), server.url("/whip"));
        server.saw("POST").await;
        if dropped {
            drop(talk);
        } else {
            ended(&mut talk).await;
        }
        assert_eq!(server.saw("DELETE").await.path, "/s/1");
    }
}

#[tokio::test]
async fn dropped_while_up_it_lets_go() {
    let server = Server::start(vec![
        ("POST", created("location: /s/1|")),
        ("DELETE", say("200 OK", "", "")),
    ])
    .await;
    let mut talk = publish(&link(), server.url("/whip"));
    up(&mut talk).await;
    drop(talk);
    server.saw("DELETE").await;
}

/// What the operator reads, all in one table. The slowest case waits for the POST's 10 s.
#[tokio::test]
async fn what_the_operator_reads() {
    let sdp = "content-type: application/sdp|location: /s/1|";
    let problem = "content-type: application/problem+json|";
    let chunked = "HTTP/1.1 201 Created\r\ncontent-type: application/sdp\r\nlocation: /s/1\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let endless = "HTTP/1.1 201 Created\r\ncontent-type: application/sdp\r\n\
        content-length: 10485760\r\n\r\n";
    let broken = "HTTP/1.1 201 Created\r\ncontent-length: 5000\r\nlocation: /s/1\r\n\r\n";
    let redirect = |to: &str| say("307 Temporary Redirect", &format!("location: {to}|"), "");
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT|retry-after: Sun, 06 Nov 1994 08:50:07 GMT|";
    let cases: Vec<(&str, Act)> = vec![
        ("301", say("301 Moved", "location: /b|", "")),
        ("303", say("303 See Other", "location: /b|", "")),
        ("307 in a circle", redirect("/whip")),
        ("307 without end", redirect("/hop/{n}")),
        ("307 to nowhere", say("307 Temporary Redirect", "", "")),
        ("307 to another host", redirect("https://evil.example/x")),
        ("400", say("400 Bad Request", "", "")),
        ("401", say("401 Unauthorized", "", "")),
        ("401, repeats the token", say("401 No", "content-type: text/plain|", "bad t0ken-s3cr3t.")),
        ("403", say("403 Forbidden", "", "")),
        ("403, busy", say("403 Forbidden", "", "Endpoint ID already in use")),
        ("404, HTML", say("404 Not Found", "content-type: text/html|", "<html>nginx</html>")),
        ("405", say("405 Method Not Allowed", "", "")),
        ("406", say("406 Not Acceptable", "content-type: text/plain|", "no H264")),
        ("415", say("415 Unsupported Media Type", "", "")),
        ("409", say("409 Conflict", "", "")),
        ("429 + seconds", say("429 Too Many", "retry-after: 7|", "")),
        ("503 + date", say("503 Unavailable", date, "")),
        (
            "500, problem details",
            say("500 Oops", problem, r#"{"title":"No room","detail":"12 of 12\u001b[2J streams"}"#),
        ),
        ("418, long plain text", say("418 Teapot", "", &"tea ".repeat(200))),
        ("200, HTML", say("200 OK", "content-type: text/html|", "<!DOCTYPE html><p>hi")),
        ("200, empty", say("200 OK", "", "")),
        ("201, garbage", say("201 Created", sdp, "garbage")),
        ("201, no ICE", say("201 Created", sdp, &ANSWER.replace("ice-ufrag", "x"))),
        ("201, audio refused", say("201 Created", sdp, &ANSWER.replace("audio 9", "audio 0"))),
        ("201, 10 MB", Act::Flood(endless.into())),
        ("201, never ends", Act::Drip(format!("{chunked}ffff\r\n"))),
        ("201, cut", Act::Hang(format!("{broken}{ANSWER}"))),
        ("no answer, cut", Act::Hang(String::new())),
        ("not HTTP", Act::Hang("SSH-2.0-OpenSSH_9.2\r\n\r\n".into())),
        ("never", Act::Never),
        (
            "headers never end",
            Act::Slow("HTTP/1.1 201 C".into(), Duration::from_mins(1), String::new()),
        ),
    ];
    let link = link();
    let mut tasks = Vec::new();
    for (name, act) in cases {
        let link = link.clone();
        tasks.push(tokio::spawn(async move {
            let server = Server::start(vec![("POST", act)]).await;
            let mut talk = publish(&link, server.url("/whip"));
            let line = read(&mut talk).await.replace(&server.port.to_string(), "PORT");
            format!("{name}\n  {line}\n")
        }));
    }
    let mut table = String::new();
    for task in tasks {
        table += &task.await.unwrap();
    }
    // Bound and let go: nobody listens there now.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut others = vec![
        ("refused", format!("http://127.0.0.1:{free}/whip"), Some(TOKEN)),
        ("not http", "ftp://127.0.0.1/whip".to_owned(), Some(TOKEN)),
        ("bad token", "http://127.0.0.1:1/whip".to_owned(), Some("two\nlines")),
    ];
    let asks = Server::start(vec![("POST", say("401 Unauthorized", "", ""))]).await;
    others.push(("401, no token set", asks.url("/whip").into(), None));
    let plain = Server::start(vec![]).await;
    others.push(("https to a plain port", format!("https://127.0.0.1:{}/x", plain.port), None));
    for (name, url, token) in others {
        let url = url.parse().unwrap();
        let mut talk = open(&link, url, token.map(Secret::new), OFFER.into(), Role::Whip);
        let mut line = read(&mut talk).await;
        for port in [free, asks.port, plain.port] {
            line = line.replace(&port.to_string(), "PORT");
        }
        let _ = writeln!(table, "{name}\n  {line}");
    }
    assert!(!table.contains(TOKEN));
    insta::assert_snapshot!(table);
}

/// An OpenSSL server with a certificate of its own, from the command line tool.
struct Tls {
    process: std::process::Child,
    port: u16,
    ca: tempfile::NamedTempFile,
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn tls() -> Tls {
    use std::{
        io::BufRead as _,
        process::{Command, Stdio},
    };
    let (key, ca) =
        (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args("-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout".split(' '))
        .args([key.path().as_os_str(), "-out".as_ref(), ca.path().as_os_str()])
        .output()
        .expect("the command openssl is needed (package openssl)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut process = Command::new("openssl")
        .args(["s_server", "-www", "-accept", "127.0.0.1:0", "-cert"])
        .args([ca.path().as_os_str(), "-key".as_ref(), key.path().as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = std::io::BufReader::new(process.stdout.take().unwrap());
    let line = out.lines().map(Result::unwrap).find(|line| line.starts_with("ACCEPT ")).unwrap();
    let port = line.rsplit(':').next().unwrap().trim().parse().unwrap();
    Tls { process, port, ca }
}

#[tokio::test]
async fn a_certificate_must_be_trusted() {
    let server = tls();
    let url: Url = format!("https://127.0.0.1:{}/whip", server.port).parse().unwrap();
    let line = read(&mut publish(&link(), url.clone())).await;
    let want = "Lasting: the certificate of 127.0.0.1 is not trusted: self-signed certificate;";
    assert!(line.starts_with(want), "{line}");
    // Trusted, it is heard: it is a web server.
    let ca = Some(server.ca.path().to_owned());
    let trusting = Link::new(&LinkOptions { ca, ..LinkOptions::default() }).unwrap();
    let line = read(&mut publish(&trusting, url)).await;
    assert!(!line.contains("certificate"), "{line}");
}

#[test]
fn a_bad_authority_file_is_refused_in_words() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "not a certificate").unwrap();
    for (path, why) in [
        (file.path().to_owned(), "no certificate in PEM form"),
        ("/no/such".into(), "cannot be read"),
    ] {
        let error = Link::new(&LinkOptions { ca: Some(path), ..LinkOptions::default() });
        let text = error.unwrap_err().to_string();
        assert!(text.contains(why), "{text}");
    }
}

async fn read(talk: &mut Conversation) -> String {
    match next(talk).await {
        Some(WhipEvent::Failed { sentence, kind, retry_after }) => {
            let after = retry_after.map(|wait| format!(", after {wait:?}")).unwrap_or_default();
            format!("{kind:?}{after}: {sentence}")
        }
        other => panic!("no failure but {other:?}"),
    }
}
