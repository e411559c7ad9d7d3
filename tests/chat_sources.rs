//! Sources of chat over real sockets on this machine, against stand-ins written from the documented formats.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::format_collect,
    reason = "a test says it by failing"
)]

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::Query, http::StatusCode, response::IntoResponse, routing::get};
use futures::{SinkExt, StreamExt};
use hawker::{
    base::{Secret, SourceId},
    chat::{
        Message, Platform, Update, bridge,
        control::ControlSpec,
        facebook, kick, lines, shopee,
        spec::{Bridge, ChatSpec, Server, Service, Transport},
    },
    engine::{chat::Hub, files::Files},
    link::chat::{
        self as link, Clock, Ended, Report, Reports,
        webhook::{Listener, PublicKey, Receiver},
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{accept_async, tungstenite};

/// Long enough for a busy machine; what does not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(30);

fn id() -> SourceId {
    "shop".parse().unwrap()
}

async fn within<T>(what: &str, doing: impl Future<Output = T>) -> T {
    timeout(PATIENCE, doing).await.unwrap_or_else(|_| panic!("{what} did not come in time"))
}

/// The first report that is looked for, and what came before it.
async fn until<T>(
    reports: &mut mpsc::Receiver<Report>,
    what: &str,
    mut wanted: impl FnMut(&Report) -> Option<T>,
) -> T {
    within(what, async {
        loop {
            let report = reports.recv().await.unwrap_or_else(|| panic!("{what}: closed"));
            if let Some(found) = wanted(&report) {
                return found;
            }
        }
    })
    .await
}

async fn message(reports: &mut mpsc::Receiver<Report>) -> Message {
    until(reports, "a message", |report| match report {
        Report::Update(Update::Message(message)) => Some((**message).clone()),
        _ => None,
    })
    .await
}

fn channel() -> (Reports, mpsc::Receiver<Report>) {
    let (give, take) = mpsc::channel(64);
    (Reports::new(give), take)
}

async fn bound() -> (TcpListener, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap().to_string().parse().unwrap();
    (listener, server)
}

// Bridges.

fn serve_bridge(
    bridge: Bridge,
    server: Server,
    secret: Option<&'static str>,
    ping: Duration,
) -> (JoinHandle<Ended>, mpsc::Receiver<Report>) {
    let (reports, taken) = channel();
    let serving = tokio::spawn(async move {
        let secret = secret.map(Secret::new);
        let endpoint = link::bridge::Endpoint {
            bridge,
            server: &server,
            transport: Transport::Tcp,
            path: "/ws",
            secret: secret.as_ref(),
            ping,
        };
        let mut reader = bridge::Reader::new(id());
        let (_to, mut orders) = mpsc::channel(1);
        link::bridge::serve(&endpoint, &mut reader, &Clock::default(), &reports, &mut orders).await
    });
    (serving, taken)
}

#[tokio::test]
async fn a_bridge_is_joined_read_and_kept_alive_by_pings() {
    let (listener, server) = bound().await;
    let stand_in = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        let joined = socket.next().await.unwrap().unwrap().into_text().unwrap();
        let joined: Value = serde_json::from_str(&joined).unwrap();
        let said = json!({"chatname": "Mia", "chatmessage": "size M &amp; red? <img alt=\":heart:\" onerror=\"y\">", "textonly": false, "type": "tiktok", "userid": "u-1", "meta": {"messageId": "t1"}});
        // The same once more, what is no JSON, and a new one.
        for text in [
            said.to_string(),
            said.to_string(),
            "{".to_owned(),
            said.to_string().replace("t1", "t2"),
        ] {
            socket.send(tungstenite::Message::text(text)).await.unwrap();
        }
        // Reading is what answers pings.
        let mut pings = 0;
        while pings < 3 {
            match socket.next().await.unwrap().unwrap() {
                tungstenite::Message::Ping(_) => pings += 1,
                other => panic!("{other:?}"),
            }
        }
        socket.close(None).await.unwrap();
        joined
    });
    let ping = Duration::from_millis(100);
    let (serving, mut reports) = serve_bridge(Bridge::SocialStream, server, Some("s3cr3t"), ping);
    until(&mut reports, "live", |report| (*report == Report::Live).then_some(())).await;
    let first = message(&mut reports).await;
    assert_eq!((first.platform.as_str(), first.author.name.as_str()), ("tiktok", "Mia"));
    assert!(first.text.as_str().starts_with("size M & red?"), "{:?}", first.text);
    until(&mut reports, "unreadable", |report| match report {
        Report::Unreadable => Some(()),
        Report::Update(_) => panic!("told twice"),
        _ => None,
    })
    .await;
    assert_eq!(message(&mut reports).await.id.as_str(), "t2");
    until(&mut reports, "a pong", |report| (*report == Report::Heard).then_some(())).await;
    assert_eq!(within("the join", stand_in).await.unwrap(), json!({"join": "s3cr3t", "in": 4}));
    let ended = within("the end", serving).await.unwrap();
    assert!(!ended.lasting && ended.why.contains("closed the connection"), "{ended}");
}

#[tokio::test]
async fn a_bridge_that_answers_no_ping_is_given_up() {
    let (listener, server) = bound().await;
    let stand_in = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _kept = accept_async(stream).await.unwrap();
        std::future::pending::<()>().await;
    });
    let (serving, _reports) =
        serve_bridge(Bridge::StreamerBot, server, None, Duration::from_millis(200));
    let ended = within("the end", serving).await.unwrap();
    assert!(!ended.lasting && ended.why.contains("does not answer any more"), "{ended}");
    stand_in.abort();
}

#[tokio::test]
async fn a_frame_beyond_the_bound_ends_the_connection_and_is_counted() {
    let (listener, server) = bound().await;
    let stand_in = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        let _ = socket.send(tungstenite::Message::text("x".repeat(256 * 1024 + 1))).await;
        while let Some(Ok(_)) = socket.next().await {}
    });
    let (serving, mut reports) = serve_bridge(Bridge::StreamerBot, server, None, PATIENCE);
    until(&mut reports, "unreadable", |report| (*report == Report::Unreadable).then_some(())).await;
    let ended = within("the end", serving).await.unwrap();
    assert!(!ended.lasting && ended.why.contains("256 KiB"), "{ended}");
    stand_in.abort();
}

#[tokio::test]
async fn the_token_of_restream_is_sent_and_never_shown() {
    let (listener, server) = bound().await;
    let stand_in = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let n = stream.read(&mut head).await.unwrap();
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&head[..n]).into_owned()
    });
    let (serving, _reports) = serve_bridge(Bridge::Restream, server, Some("s3cr3t&x"), PATIENCE);
    let ended = within("the end", serving).await.unwrap();
    assert!(ended.lasting && ended.why.contains("401"), "{ended}");
    assert!(!format!("{ended:?}").contains("s3cr3t"));
    let head = within("the head", stand_in).await.unwrap();
    assert!(head.starts_with("GET /ws?accessToken=s3cr3t%26x HTTP/1.1\r\n"), "{head}");
}

#[tokio::test]
async fn a_bridge_that_comes_back_is_read_on_after_a_hole() {
    let (listener, server) = bound().await;
    let stand_in = tokio::spawn(async move {
        for id in ["t1", "t2"] {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = accept_async(stream).await.unwrap();
            let said = json!({"chatname": "Mia", "chatmessage": "+1", "type": "tiktok", "meta": {"messageId": id}});
            socket.send(tungstenite::Message::text(said.to_string())).await.unwrap();
            socket.close(None).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        }
    });
    let service = Service::Bridge {
        bridge: Bridge::StreamerBot,
        server,
        transport: Transport::Tcp,
        path: "/".to_owned(),
        secret: None,
    };
    let spec = ChatSpec::new(id(), service);
    let (all, mut steps) = mpsc::channel(64);
    let _hub = Hub::start(vec![spec], ControlSpec::default(), Files::default(), Some(all));
    let mut told = Vec::new();
    while told.last().is_none_or(|step| step != "t2") {
        let step = within("a step", steps.recv()).await.unwrap();
        told.push(match &step.update {
            Update::Message(message) => message.id.to_string(),
            Update::Hole { from, until } if from < until => "hole".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["t1", "hole", "t2"]);
    stand_in.abort();
}

// What is posted.

async fn listen(
    receiver: Receiver,
    clock: Clock,
) -> (std::net::SocketAddr, mpsc::Receiver<Report>) {
    let (reports, mut taken) = channel();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.address();
    tokio::spawn(async move { listener.serve("/in", Arc::new(receiver), &clock, &reports).await });
    until(&mut taken, "live", |report| (*report == Report::Live).then_some(())).await;
    (address, taken)
}

/// The status of the answer.
async fn post(at: std::net::SocketAddr, path: &str, headers: &str, body: &[u8]) -> u16 {
    let mut to = TcpStream::connect(at).await.unwrap();
    let host = if headers.to_lowercase().contains("host:") { "" } else { "host: localhost\r\n" };
    let head = format!(
        "POST {path} HTTP/1.1\r\n{host}{headers}connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    to.write_all(head.as_bytes()).await.unwrap();
    // It may be refused before it is sent.
    let _ = to.write_all(body).await;
    let mut answer = Vec::new();
    let _ = within("the answer", to.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("{answer:?}"))
}

#[tokio::test]
async fn own_lines_are_taken_from_whoever_has_the_token_and_from_no_web_page() {
    let reader = lines::Reader::new(id(), Platform::named("zalo"));
    let receiver = Receiver::lines(reader, Some(Secret::new("s3cr3t")));
    let (at, mut reports) = listen(receiver, Clock::default()).await;
    let known = "authorization: Bearer s3cr3t\r\n";
    let line = br#"{"id":"1","author":"Lan","text":"SP1 2"}"#;
    for (headers, path, status) in [
        ("", "/in", 401),
        ("authorization: Bearer s3cr3\r\n", "/in", 401),
        ("authorization: Bearer s3cr3t\r\norigin: https://evil.example\r\n", "/in", 403),
        ("authorization: Bearer s3cr3t\r\nhost: evil.example\r\n", "/in", 403),
        (known, "/other", 404),
    ] {
        assert_eq!(post(at, path, headers, line).await, status, "{headers} {path}");
    }
    assert_eq!(post(at, "/in", known, &vec![b' '; (1 << 20) + 1]).await, 413);
    assert_eq!(post(at, "/in", known, b"no line").await, 422);
    assert_eq!(post(at, "/in", known, line).await, 200);
    assert_eq!(post(at, "/in", known, line).await, 200, "again, and taken once");
    assert_eq!(post(at, "/in", known, br#"[{"id":"2","author":"Bo","text":"+1"}]"#).await, 200);
    let mut said = Vec::new();
    while said.last().is_none_or(|id| id != "2") {
        said.push(message(&mut reports).await.id.to_string());
    }
    assert_eq!(said, ["1", "2"]);
}

#[tokio::test]
async fn an_open_listener_is_for_this_machine_only() {
    let (reports, _taken) = channel();
    let listener = Listener::bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
    let receiver = Receiver::lines(lines::Reader::new(id(), Platform::UNKNOWN), None);
    let clock = Clock::default();
    let serving = listener.serve("/in", Arc::new(receiver), &clock, &reports);
    let ended = within("the end", serving).await;
    assert!(ended.lasting && ended.why.contains("token"), "{ended}");
}

fn case(name: &str) -> Vec<u8> {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "shared", "cases", "chat", name].iter().collect();
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn kick_headers() -> String {
    let text = String::from_utf8(case("kick-headers.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| format!("{line}\r\n")).collect()
}

/// The body as it was signed: a last line feed may be the editor's.
fn kick_body() -> Vec<u8> {
    case("kick-body.json").trim_ascii_end().to_vec()
}

fn kick(key: &[u8]) -> Receiver {
    Receiver::kick(kick::Webhook::new(id(), None), PublicKey::pem(key).unwrap())
}

fn at(wall: &str) -> Clock {
    Clock::set_to(wall.parse().unwrap())
}

#[tokio::test]
async fn a_signed_delivery_of_kick_is_taken_once_and_nothing_forged_is() {
    let (headers, body) = (kick_headers(), kick_body());
    let (to, mut reports) =
        listen(kick(&case("kick-public.pem")), at("2026-01-01T00:00:10Z")).await;
    let mut changed = body.clone();
    let byte = changed.iter().position(|b| *b == b'S').unwrap();
    changed[byte] = b'T';
    // First what is forged: it must not keep the real one out.
    assert_eq!(post(to, "/in", &headers, &changed).await, 401);
    let other_id = headers.replace("01JGXYZ0000000000000000001", "01JGXYZ0000000000000000002");
    assert_eq!(post(to, "/in", &other_id, &body).await, 401);
    let other_time = headers.replace("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
    assert_eq!(post(to, "/in", &other_time, &body).await, 401);
    assert_eq!(post(to, "/in", "", &body).await, 400);
    // Through a tunnel, by the tunnel's name.
    let tunnelled = format!("host: shop.tunnel.example\r\n{headers}");
    assert_eq!(post(to, "/in", &tunnelled, &body).await, 204);
    assert_eq!(post(to, "/in", &headers, &body).await, 204, "or Kick sends it again");
    let said = message(&mut reports).await;
    assert_eq!((said.author.name.as_str(), said.text.as_str()), ("lan", "SP1 2 KEKW"));
    assert!(reports.try_recv().is_err(), "nothing is told twice, and nothing of what is forged");
}

#[tokio::test]
async fn a_delivery_of_kick_with_another_key_or_too_old_is_refused() {
    let (headers, body) = (kick_headers(), kick_body());
    let rsa = openssl::rsa::Rsa::generate(2048).unwrap();
    let other = rsa.public_key_to_pem().unwrap();
    let (to, mut of_other) = listen(kick(&other), at("2026-01-01T00:00:10Z")).await;
    assert_eq!(post(to, "/in", &headers, &body).await, 401);
    let (to, mut of_old) = listen(kick(&case("kick-public.pem")), at("2026-01-01T00:05:01Z")).await;
    assert_eq!(post(to, "/in", &headers, &body).await, 400);
    assert!(of_other.try_recv().is_err() && of_old.try_recv().is_err());
}

#[test]
fn a_key_that_is_short_or_no_rsa_is_not_trusted() {
    let short = openssl::rsa::Rsa::generate(1024).unwrap().public_key_to_pem().unwrap();
    let curve = openssl::pkey::PKey::generate_ed25519().unwrap().public_key_to_pem().unwrap();
    for pem in [&short[..], &curve, b"", b"-----BEGIN PUBLIC KEY-----"] {
        assert!(PublicKey::pem(pem).is_err());
    }
}

// Platforms that are asked.

async fn stand_in(router: Router) -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

type Asked = Query<std::collections::BTreeMap<String, String>>;

fn comment(id: &str, text: &str) -> Value {
    json!({"id": id, "from": {"name": "Lan", "id": "u1"}, "message": text, "created_time": "2025-01-01T00:00:00+0000"})
}

fn serve_facebook(
    url: url::Url,
    token: &'static str,
) -> (JoinHandle<Ended>, mpsc::Receiver<Report>) {
    let (reports, taken) = channel();
    let serving = tokio::spawn(async move {
        let api = link::facebook::Api::new(Some(url), Secret::new(token)).unwrap();
        let mut session = facebook::Session::new(id(), "123", None).unwrap();
        link::facebook::serve(&api, &mut session, &Clock::default(), &reports).await
    });
    (serving, taken)
}

#[tokio::test]
async fn what_facebooks_stream_leaves_out_is_found_by_the_get_and_marked_late() {
    let asked = Arc::new(AtomicUsize::new(0));
    let gets = Arc::clone(&asked);
    let streamed = |query: Asked| async move {
        assert_eq!(query.get("access_token").map(String::as_str), Some("s3cr3t"));
        let first = format!(": ping\n\ndata: {}\n\n", comment("2", "SP1 2"));
        let parts = futures::stream::iter([Ok::<_, std::io::Error>(first)]);
        axum::body::Body::from_stream(parts.chain(futures::stream::pending()))
    };
    let listed = move |query: Asked| {
        let nth = gets.fetch_add(1, Ordering::SeqCst);
        async move {
            assert_eq!(query.get("access_token").map(String::as_str), Some("s3cr3t"));
            let all = [comment("3", "SP1 1"), comment("2", "SP1 2"), comment("1", "hi")];
            let listed = if nth == 0 { &all[2..] } else { &all[..] };
            axum::Json(json!({"data": listed, "paging": {"cursors": {"after": "a"}}}))
        }
    };
    let router = Router::new()
        .route("/123/live_comments", get(streamed))
        .route("/123/comments", get(listed));
    let (serving, mut reports) = serve_facebook(stand_in(router).await, "s3cr3t");
    let mut said = std::collections::BTreeMap::new();
    while said.len() < 3 {
        let message = message(&mut reports).await;
        assert!(said.insert(message.id.to_string(), (message.backlog, message.late)).is_none());
    }
    assert_eq!(said["1"], (true, false), "there before us");
    assert_eq!(said["2"], (false, false), "streamed");
    assert_eq!(said["3"], (false, true), "left out by the stream");
    serving.abort();
}

#[tokio::test]
async fn a_token_that_facebook_refuses_ends_the_tries_and_is_not_shown() {
    let refused = || async {
        let body = json!({"error": {"code": 190, "message": "bad token s3cr3t"}});
        (StatusCode::BAD_REQUEST, axum::Json(body))
    };
    let router = Router::new()
        .route("/123/live_comments", get(refused))
        .route("/123/comments", get(refused));
    let (serving, _reports) = serve_facebook(stand_in(router).await, "s3cr3t");
    let ended = within("the end", serving).await.unwrap();
    assert!(ended.lasting && ended.why.contains("token"), "{ended}");
    assert!(!format!("{ended:?}").contains("s3cr3t"), "{ended:?}");
}

fn sign(base: &str) -> String {
    use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
    let key = PKey::hmac(b"partner-key").unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    signer.update(base.as_bytes()).unwrap();
    signer.sign_to_vec().unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn shopee_is_polled_with_a_signature_and_its_refusal_shows_no_secret() {
    const LATEST: &str = "/api/v2/livestream/get_latest_comment_list";
    let offsets = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&offsets);
    let listed = move |Query(query): Asked| {
        let (nth, of) = {
            let mut offsets = kept.lock().unwrap();
            offsets.push(query["offset"].clone());
            (offsets.len(), |key: &str| query[key].clone())
        };
        let base = format!("7{LATEST}{}s3cr3t9", of("timestamp"));
        let refused = of("sign") != sign(&base) || of("session_id") != "5" || nth > 2;
        async move {
            if refused {
                return axum::Json(json!({"error": "error_auth", "message": "s3cr3t"}))
                    .into_response();
            }
            let said = |id: usize, text: &str| json!({"user_id": 1, "user_name": "lan", "comment_id": id, "content": text, "timestamp": 1_767_225_600});
            let list: Vec<Value> = (1..=nth).map(|id| said(id, "SP1 2")).collect();
            axum::Json(
                json!({"error": "", "response": {"next_offset": nth * 10, "comment_list": list}}),
            )
            .into_response()
        }
    };
    let url = stand_in(Router::new().route(LATEST, get(listed))).await;
    let (reports, mut taken) = channel();
    let serving = tokio::spawn(async move {
        let access_token = Secret::new("s3cr3t");
        let credentials = shopee::Credentials { partner_id: 7, shop_id: 9, access_token };
        let api = link::shopee::Api::new(url, credentials, Secret::new("partner-key")).unwrap();
        let mut session = shopee::Session::new(id(), 5, None);
        link::shopee::serve(&api, &mut session, &Clock::default(), &reports).await
    });
    let (first, second) = (message(&mut taken).await, message(&mut taken).await);
    assert_eq!((first.id.as_str(), first.backlog), ("1", true));
    assert_eq!((second.id.as_str(), second.backlog), ("2", false));
    let ended = within("the end", serving).await.unwrap();
    assert!(!ended.lasting, "it was live: the token may have been renewed: {ended}");
    assert!(!format!("{ended:?}").contains("s3cr3t"), "{ended:?}");
    assert_eq!(*offsets.lock().unwrap(), ["0", "10", "20"]);
}
