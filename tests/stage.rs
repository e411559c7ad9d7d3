//! The stage and the monitor over real sockets on loopback: a publisher made with str0m, HTTP by reqwest.
//! Nothing of hawker is replaced.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "stage/publisher.rs"]
mod publisher;

use std::time::{Duration, Instant};

use hawker::{
    base::Secret,
    stage::{Stage, StageError, StageFigures, StageOptions, Watch, WatchOptions},
};
use publisher::Publisher;
use reqwest::{Client, Response};

async fn stage() -> Stage {
    Stage::start(StageOptions::default()).await.unwrap()
}

async fn post(url: String, kind: &str, body: impl Into<reqwest::Body>) -> Response {
    Client::new().post(url).header("content-type", kind).body(body).send().await.unwrap()
}

/// Waits for a condition, ten seconds at most.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(10), "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn figures(stage: &Stage, what: &str, done: impl Fn(&StageFigures) -> bool) -> StageFigures {
    until(what, || done(&stage.figures())).await;
    stage.figures()
}

async fn watch(stage: &Stage, frames: usize) -> (Watch, String) {
    let options = WatchOptions { frames, ..WatchOptions::default() };
    let (mut watch, offer) = Watch::new(&options).unwrap();
    let answer = post(stage.whep_url(), "application/sdp", offer).await;
    assert_eq!(answer.status(), 201);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    watch.answer(&answer.text().await.unwrap()).unwrap();
    (watch, location)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_watched_and_measured() {
    let stage = stage().await;
    let publisher = Publisher::start(&stage.whip_url(), None).await;
    let (watch, _) = watch(&stage, 0).await;
    until("two seconds of frames", || watch.report().frames > 60).await;
    let seen = figures(&stage, "a first key frame", |f| f.first_frame_ms().is_some()).await;
    assert!(seen.publishing && seen.publishers == 1 && seen.viewers == 1, "{seen:?}");
    assert!(publisher.key_requests() >= 1, "the viewer's wish must reach the publisher");
    assert!(seen.key_requests <= 4, "requests are coalesced: {seen:?}");

    let now = watch.figures(Instant::now());
    let latency = now.latency.expect("frames are stamped");
    assert!(latency.p50_ms > 0.0 && latency.p50_ms < 100.0, "{latency:?}");
    assert_eq!(now.size, Some((1280, 720)));
    assert!((20.0..45.0).contains(&now.fps), "{now:?}");
    assert!(now.kbps > 50.0, "{now:?}");
    let report = watch.report();
    assert_eq!((report.latency_by.as_str(), report.unstamped), ("capture stamp", 0));

    // A pause of the publisher is a freeze of the viewer.
    let before = watch.report().freezes;
    publisher.pause(true);
    until("a gap of 600 ms", || watch.figures(Instant::now()).gap_ms >= 600).await;
    publisher.pause(false);
    until("the freeze to be counted", || watch.report().freezes > before).await;
    assert!(watch.report().freeze_ms >= 600, "{:?}", watch.report());
    until("sender reports", || watch.figures(Instant::now()).av_skew_ms.is_some()).await;

    watch.stop().await;
    figures(&stage, "the viewer to be gone", |f| f.viewers == 0).await;
    publisher.stop();
    figures(&stage, "the publisher to be gone", |f| f.publishers == 0 && !f.publishing).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_publisher_takes_over_and_the_viewer_does_not_notice() {
    let stage = stage().await;
    let old = Publisher::start(&stage.whip_url(), None).await;
    let (mut watch, _) = watch(&stage, 4096).await;
    let mut frames = watch.frames().unwrap();
    until("frames of the first", || watch.report().frames > 20).await;
    let new = Publisher::start(&stage.whip_url(), None).await;
    figures(&stage, "the old one to be gone", |f| f.publishers == 1 && f.publishing).await;
    let then = watch.report().frames;
    until("frames of the second", || watch.report().frames > then + 20).await;
    watch.stop().await;

    let mut times = Vec::new();
    let mut publishers = Vec::new();
    while let Some(frame) = frames.recv().await {
        times.push(frame.rtp_time);
        // Each publisher of the test counts its frames from a base of its own.
        publishers.push(frame.frame_no.unwrap() >> 32);
    }
    publishers.dedup();
    assert_eq!(publishers.len(), 2, "first one, then the other: {publishers:?}");
    let steps = times.windows(2).map(|t| t[1].wrapping_sub(t[0]));
    for step in steps {
        assert!((1..90_000 * 3).contains(&step), "RTP time jumped by {step}");
    }
    old.stop();
    new.stop();
    stage.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sessions_leave_nothing_behind() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let stage = stage().await;
    let client = Client::new();
    let url = |location: &str| stage.whep_url().replace("/whep", location);
    let mut before = 0;
    for round in 0..100 {
        let (watch, location) = watch(&stage, 0).await;
        let gone = client.delete(url(&location)).send().await.unwrap();
        assert_eq!(gone.status(), 204);
        let again = client.delete(url(&location)).send().await.unwrap();
        assert_eq!(again.status(), 404);
        watch.stop().await;
        if round == 10 {
            before = open();
        }
    }
    assert_eq!(stage.figures().viewers, 0);
    // Connections of the tests' own clients come and go; a leak would be 90 at least.
    until("descriptors to be closed", || open() < before + 30).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in() {
    let open = stage().await;
    let sdp = "application/sdp";
    let garbage = post(open.whip_url(), sdp, "hello").await;
    assert_eq!(garbage.status(), 400);
    assert_eq!(garbage.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = serde_json::from_str(&garbage.text().await.unwrap()).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("SDP"), "{problem}");
    assert_eq!(post(open.whip_url(), "text/plain", "v=0").await.status(), 415);
    assert_eq!(post(open.whep_url(), sdp, vec![b'v'; 70_000]).await.status(), 413);

    let client = Client::new();
    let rebound = client.get(open.viewer_url()).header("host", "evil.example").send().await;
    assert_eq!(rebound.unwrap().status(), 403);
    let page = client.get(open.viewer_url()).send().await.unwrap();
    assert!(page.status() == 200 && page.text().await.unwrap().contains("lang=\"en\""));
    let whep = |origin| {
        let asked = client.request(reqwest::Method::OPTIONS, open.whep_url());
        asked.header("origin", origin).send()
    };
    let own = whep("http://localhost:5173").await.unwrap();
    assert_eq!(own.headers()["access-control-allow-origin"], "http://localhost:5173");
    assert_eq!(own.headers()["accept-post"], sdp);
    let foreign = whep("https://evil.example").await.unwrap();
    assert!(!foreign.headers().contains_key("access-control-allow-origin"));

    let taken = StageOptions { listen: open.address(), ..StageOptions::default() };
    let error = Stage::start(taken).await.unwrap_err();
    assert!(matches!(error, StageError::PortInUse(at) if at == open.address()), "{error}");
    let wide = StageOptions { listen: ([0, 0, 0, 0], 0).into(), ..StageOptions::default() };
    assert!(matches!(Stage::start(wide).await, Err(StageError::NeedsToken(_))));
    open.stop().await;

    let token = Some(Secret::new("right"));
    let closed = Stage::start(StageOptions { token, ..StageOptions::default() }).await.unwrap();
    assert_eq!(post(closed.whep_url(), sdp, "v=0").await.status(), 401);
    let wrong = client.post(closed.whep_url()).bearer_auth("wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers().contains_key("www-authenticate"));
    // What time it is here is nobody's business either.
    let clock = format!("http://{}/clock", closed.address());
    assert_eq!(client.get(&clock).send().await.unwrap().status(), 401);
    let told = client.get(&clock).bearer_auth("right").send().await.unwrap();
    assert_eq!(told.status(), 200);
    assert!(told.text().await.unwrap().contains("monoMs"));
    closed.stop().await;
}

/// What a POST of a good offer is answered with.
async fn publishes(stage: &Stage, token: Option<&str>) -> u16 {
    let (_, offer) = Watch::new(&WatchOptions::default()).unwrap();
    let offer = offer.replace("a=recvonly", "a=sendonly");
    let post = Client::new().post(stage.whip_url()).header("content-type", "application/sdp");
    let post = token.into_iter().fold(post, reqwest::RequestBuilder::bearer_auth);
    post.body(offer).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_and_publishing_have_a_key_each() {
    let secret = |text: &str| Some(Secret::new(text));
    let options = |token, publish_token, reserved| StageOptions {
        token,
        publish_token,
        reserved,
        ..StageOptions::default()
    };
    for (token, publish, reserved, of_nobody, of_viewers, of_publishers) in [
        // On loopback, and nobody asked for a token: open until the show is there.
        (None, None, false, 201, 201, 201),
        // The same for a stage that a show runs.
        (None, None, true, 409, 409, 409),
        (secret("view"), None, false, 403, 403, 403),
        (secret("view"), secret("publish"), false, 401, 403, 201),
        (None, secret("publish"), false, 401, 401, 201),
    ] {
        let what = format!("{} {} {reserved}", token.is_some(), publish.is_some());
        let stage = Stage::start(options(token, publish, reserved)).await.unwrap();
        assert_eq!(publishes(&stage, None).await, of_nobody, "{what}");
        assert_eq!(publishes(&stage, Some("view")).await, of_viewers, "{what}");
        assert_eq!(publishes(&stage, Some("publish")).await, of_publishers, "{what}");
        assert_eq!(publishes(&stage, Some("")).await, of_nobody, "{what}");
        assert_eq!(publishes(&stage, Some(stage.owner().expose())).await, 201, "{what}");
        // The owner is there: nobody else is, whatever he has.
        for token in ["view", "publish"] {
            let status = publishes(&stage, Some(token)).await;
            assert!(matches!(status, 401 | 403 | 409), "{what} {token}: {status}");
        }
        // What publishes does not watch.
        if stage_asks(&stage).await {
            for token in ["publish", stage.owner().expose()] {
                let page = Client::new().get(format!("http://{}/clock", stage.address()));
                assert_eq!(page.bearer_auth(token).send().await.unwrap().status(), 401, "{what}");
            }
        }
        stage.stop().await;
    }
    let same = Stage::start(options(secret("a"), secret("a"), false)).await;
    assert!(matches!(same, Err(StageError::SameTokens)));
    let (one, two) = (stage().await, stage().await);
    assert_ne!(one.owner().expose(), two.owner().expose());
    assert_eq!(
        publishes(&one, Some(two.owner().expose())).await,
        201,
        "open, but not as the owner"
    );
    assert_eq!(publishes(&one, None).await, 201, "so the place is not reserved");
    assert!(!format!("{one:?}").contains(one.owner().expose()));
    one.stop().await;
    two.stop().await;
}

async fn stage_asks(stage: &Stage) -> bool {
    Client::new().get(format!("http://{}/clock", stage.address())).send().await.unwrap().status()
        == 401
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_takes_the_stage_and_keeps_it() {
    let stage = stage().await;
    let stranger = Publisher::start(&stage.whip_url(), None).await;
    figures(&stage, "the stranger", |f| f.publishing).await;
    let owner = Publisher::start(&stage.whip_url(), Some(stage.owner().expose())).await;
    let (watch, _) = watch(&stage, 0).await;
    until("a second of the owner's frames", || watch.report().frames > 30).await;
    for _ in 0..20 {
        assert_eq!(publishes(&stage, None).await, 409);
    }
    let seen = stage.figures();
    assert_eq!((seen.publishing, seen.publishers), (true, 1), "{seen:?}");
    let (before, frames) = (watch.figures(Instant::now()), watch.report().frames);
    until("frames that go on", || watch.report().frames > frames + 30).await;
    assert_eq!(watch.figures(Instant::now()).size_changes, before.size_changes);
    // It may leave and come back, and nobody gets in between.
    owner.stop();
    assert_eq!(publishes(&stage, None).await, 409);
    let owner = Publisher::start(&stage.whip_url(), Some(stage.owner().expose())).await;
    figures(&stage, "the owner again", |f| f.publishing).await;
    watch.stop().await;
    owner.stop();
    stranger.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_only_ask_keep_no_viewer_out() {
    let stage = stage().await;
    let publisher = Publisher::start(&stage.whip_url(), None).await;
    figures(&stage, "the publisher", |f| f.publishing).await;
    let client = Client::new();
    let asks = || async {
        let (_, offer) = Watch::new(&WatchOptions::default()).unwrap();
        let post = client.post(stage.whep_url()).header("content-type", "application/sdp");
        post.body(offer).send().await.unwrap().status()
    };
    for _ in 0..200 {
        assert_eq!(asks().await, 201);
    }
    let seen = stage.figures();
    assert!(seen.viewers == 0 && (64..=128).contains(&seen.connecting), "{seen:?}");
    for _ in 0..3 {
        let began = Instant::now();
        let (watch, _) = watch(&stage, 0).await;
        // Others go on asking meanwhile.
        for _ in 0..10 {
            asks().await;
        }
        until("frames", || watch.report().frames > 5).await;
        println!("a viewer among askers sees after {} ms", began.elapsed().as_millis());
        assert_eq!(stage.figures().viewers, 1);
        watch.stop().await;
    }
    let began = Instant::now();
    until("the end of those that never connect", || stage.figures().connecting == 0).await;
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    publisher.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_without_the_shows_codec_is_told_so() {
    let stage = stage().await;
    let (_, offer) = Watch::new(&WatchOptions::default()).unwrap();
    let vp8_only = offer.replace("H264/90000", "X264/90000");
    // Nobody publishes: it may be VP8 that comes.
    let early = post(stage.whep_url(), "application/sdp", vp8_only.clone()).await;
    assert_eq!(early.status(), 201);
    let publisher = Publisher::start(&stage.whip_url(), None).await;
    figures(&stage, "its codec", |f| f.video.is_some()).await;
    figures(&stage, "the early one to be let go", |f| f.connecting == 0).await;
    let refused = post(stage.whep_url(), "application/sdp", vp8_only).await;
    assert_eq!(refused.status(), 422);
    let problem: serde_json::Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("decodes no H.264"), "{problem}");
    // Who asks for sound alone has no need of it.
    let sound =
        offer.replace("m=video 9", "m=video 0").replace("a=rtpmap:108 H264", "a=rtpmap:108 X");
    let sound = post(stage.whep_url(), "application/sdp", sound).await;
    assert_ne!(sound.status(), 422);
    publisher.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_one_track_is_watched() {
    for (picture, sound) in [(true, false), (false, true), (true, true)] {
        let (mut watch, offer) = Watch::new(&WatchOptions::default()).unwrap();
        let (server, answer) = Publisher::answer(&offer, picture, sound);
        hawker::whip::whep::check_answer_of_viewer(&offer, &answer).unwrap();
        watch.answer(&answer).unwrap();
        println!("picture {picture}, sound {sound}:\n{answer}");
        until("a second of it", || {
            let seen = watch.figures(Instant::now());
            watch.has_frames()
                && seen.kbps > 1.0
                && watch.first_frame().unwrap().elapsed() > Duration::from_secs(1)
        })
        .await;
        let seen = watch.figures(Instant::now());
        println!("picture {picture}, sound {sound}: {seen:?}");
        assert_eq!(seen.fps > 20.0, picture, "{seen:?}");
        assert!(!seen.frozen, "{seen:?}");
        server.pause(true);
        until("that it stands still", || watch.figures(Instant::now()).frozen).await;
        server.stop();
        watch.stop().await;
    }
    let (_, offer) = Watch::new(&WatchOptions::default()).unwrap();
    let (server, answer) = Publisher::answer(&offer, false, false);
    let why = hawker::whip::whep::check_answer_of_viewer(&offer, &answer).unwrap_err();
    assert!(why.0.contains("neither sound nor picture"), "{why:?}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_on_loopback_has_another_way_for_browsers_of_this_machine() {
    let stage = stage().await;
    let (_, offer) = Watch::new(&WatchOptions::default()).unwrap();
    let candidates = |sdp: &str| -> Vec<String> {
        let all = sdp.lines().filter(|line| line.starts_with("a=candidate:"));
        let mut all: Vec<String> =
            all.filter_map(|line| line.split(' ').nth(4)).map(str::to_owned).collect();
        all.dedup();
        all.sort();
        all.dedup();
        all
    };
    let answered = async |url: String, offer: String| {
        let answer = post(url, "application/sdp", offer).await;
        assert_eq!(answer.status(), 201);
        candidates(&answer.text().await.unwrap())
    };
    // As a browser asks: none of its candidates is on loopback.
    let browser: String = offer
        .lines()
        .filter(|line| !line.starts_with("a=candidate:"))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    let mut own = vec!["127.0.0.1".to_owned()];
    own.extend(
        hawker::stage::local_address_toward("192.0.2.1:9".parse().unwrap())
            .filter(|ip| !ip.is_loopback())
            .map(|ip| ip.to_string()),
    );
    own.sort();
    assert_eq!(answered(stage.whep_url(), browser.clone()).await, own);
    // Who is on loopback, or publishes, has no need of it.
    assert_eq!(answered(stage.whep_url(), offer).await, ["127.0.0.1"]);
    let publisher = browser.replace("a=recvonly", "a=sendonly");
    assert_eq!(answered(stage.whip_url(), publisher).await, ["127.0.0.1"]);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_are_none_are_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stage = stage().await;
    for (host, status) in [
        ("localhost", "200"),
        ("localhost\r\nhost: localhost", "400"),
        ("localhost:80@evil.example", "400"),
        ("evil.example", "403"),
    ] {
        let mut to = tokio::net::TcpStream::connect(stage.address()).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        to.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        to.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_figures_are_kept_for_a_while() {
    let stage = stage().await;
    let url = format!("{}viewer", stage.viewer_url());
    let json = "application/json";
    let good = r#"{"id":"a1","browser":"Chromium 150","fps":29.9,"freezes":0,"state":"connected"}"#;
    assert_eq!(post(url.clone(), json, good).await.status(), 204);
    let viewers = stage.viewers();
    assert_eq!((viewers.len(), viewers[0].fps), (1, Some(29.9)));
    assert_eq!(post(url.clone(), json, r#"{"id":"a","what":1}"#).await.status(), 400);
    assert_eq!(post(url.clone(), json, "{}").await.status(), 422);
    assert_eq!(post(url.clone(), "text/plain", good).await.status(), 415);
    assert_eq!(post(url, json, vec![b' '; 5000]).await.status(), 413);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_trickle_and_restarts_are_declined() {
    let stage = stage().await;
    let (_watch, location) = watch(&stage, 0).await;
    let client = Client::new();
    let url = stage.whep_url().replace("/whep", &location);
    let patch = |body: &'static str, kind: &'static str| {
        client.patch(&url).header("content-type", kind).body(body).send()
    };
    let kind = "application/trickle-ice-sdpfrag";
    let candidate = "a=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n";
    assert_eq!(patch(candidate, kind).await.unwrap().status(), 204);
    let restart = "a=ice-ufrag:other\r\na=ice-pwd:0123456789012345678901\r\n";
    assert_eq!(patch(restart, kind).await.unwrap().status(), 422);
    assert_eq!(patch(candidate, "text/plain").await.unwrap().status(), 415);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn a_browser_connects_by_the_page() {
    let stage = stage().await;
    let publisher = Publisher::start(&stage.whip_url(), None).await;
    let profile = tempfile::tempdir().unwrap();
    let mut browser = std::process::Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(stage.viewer_url())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let receives = |stage: &Stage| {
        stage.viewers().iter().any(|v| v.state == "connected" && v.kbps > Some(50.0))
    };
    let begun = Instant::now();
    while !receives(&stage) && begun.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seen = stage.viewers();
    let ok = receives(&stage);
    let _ = browser.kill();
    let _ = browser.wait();
    assert!(ok, "{seen:?}");
    publisher.stop();
    stage.stop().await;
}
