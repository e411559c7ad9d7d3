//! Media by a relay: a real TURN server (coturn), over UDP, TCP and TLS, named by the operator or by the ingest.
//! The real program, on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[path = "relays/turn.rs"]
mod turn;

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use hawker::stage::{Stage, StageOptions};
use hawker_process::{Place, Show};
use process::until;
use rustix::process::Signal;
use turn::{Tap, Turn, USER, WORD};

const SHOW: &str = "title = \"Relayed\"\n[[input]]\nid = \"bars\"\nkind = \"test\"\ntone-hz = 440\n\
    [[scene]]\nid = \"full\"\nlayers = [\"bars\"]\n[[output]]\nid = \"main\"\n";

/// A stage as the ingest, and the runtime it lives in.
struct Ingest {
    runtime: tokio::runtime::Runtime,
    stage: Stage,
}

impl Ingest {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let stage = runtime.block_on(Stage::start(StageOptions::default())).unwrap();
        Self { runtime, stage }
    }

    /// The same ingest, which names STUN and TURN servers in its answers. Where it is.
    fn naming(&self, links: String) -> SocketAddr {
        let to = self.stage.address();
        self.runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let app = Router::new().fallback(pass).with_state((to, links));
            tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
            address
        })
    }

    #[track_caller]
    fn until_pictures(&self, show: &Show) {
        until("a picture at the ingest", 20, || {
            self.stage.figures().first_frame_ms().map(drop).ok_or_else(|| show.told())
        });
    }
}

/// Passes a request on to the stage, and puts links to its answer.
async fn pass(State((to, links)): State<(SocketAddr, String)>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let url = format!("http://{to}{path}");
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut ask = client.request(method, url).body(body);
    for name in ["content-type", "if-match", "accept"] {
        if let Some(value) = headers.get(name) {
            ask = ask.header(name, value);
        }
    }
    let reply = ask.send().await.unwrap();
    let mut answer = Response::builder().status(reply.status()).header("link", links);
    for name in ["content-type", "location", "etag"] {
        if let Some(value) = reply.headers().get(name) {
            answer = answer.header(name, value);
        }
    }
    answer.body(Body::from(reply.bytes().await.unwrap())).unwrap()
}

fn server(uri: &str) -> String {
    format!("{{ url = \"{uri}\", user = \"{USER}\", credential = \"env:TURN_WORD\" }}")
}

fn live(place: &Place, to: &str, more: &str) -> Show {
    let file = place.file("show.toml", &format!("{SHOW}to = \"{to}\"\n{more}"));
    // webrtcbin lets its agent go without waiting for the relay to release it, and libnice warns of that.
    place.start_with(&["live", &file], |command| {
        command.env("TURN_WORD", WORD).env_remove("G_DEBUG")
    })
}

fn end(mut show: Show) {
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
    let told = format!("{}{:?}", show.told(), show.events());
    assert!(!told.contains("hu5h"), "{told}");
}

#[test]
fn by_a_relay_over_udp_and_over_tcp() {
    let (turn, ingest) = (Turn::start(), Ingest::start());
    for (n, transport) in ["udp", "tcp"].into_iter().enumerate() {
        let place = Place::new();
        let uri = format!("turn:127.0.0.1:{}?transport={transport}", turn.port);
        let ice = format!("[output.ice]\nrelay-only = true\nservers = [{}]\n", server(&uri));
        let show = live(&place, &ingest.stage.whip_url(), &ice);
        show.event("output-live", 30);
        ingest.until_pictures(&show);
        assert!(turn.allocations() > n, "{}", turn.log());
        end(show);
    }
}

#[test]
fn turns_is_tls_on_the_wire_and_its_certificate_is_checked() {
    let (turn, ingest) = (Turn::start(), Ingest::start());
    let tap = Tap::on(turn.tls_port);
    let uri = format!("turns:127.0.0.1:{}", tap.address.port());
    let ice = format!("[output.ice]\nrelay-only = true\nservers = [{}]\n", server(&uri));

    let place = Place::new();
    let trusting = format!("ca = \"{}\"\n{ice}", turn.ca().display());
    let show = live(&place, &ingest.stage.whip_url(), &trusting);
    show.event("output-live", 30);
    ingest.until_pictures(&show);
    until("media on the wire", 20, || match tap.seen().len() {
        100_000.. => Ok(()),
        few => Err(format!("{few} bytes")),
    });
    end(show);
    let seen = tap.seen();
    assert_eq!(seen[..2], [0x16, 3], "a TLS handshake comes first");
    // What STUN and TURN say in clear: their magic cookie, and the user's name.
    let clear = |text: &[u8]| seen.windows(text.len()).any(|w| w == text);
    assert!(!clear(&[0x21, 0x12, 0xa4, 0x42]) && !clear(USER.as_bytes()));
    drop(place);

    // Without the authority nothing is relayed.
    let before = turn.allocations();
    let place = Place::new();
    let show = live(&place, &ingest.stage.whip_url(), &ice);
    let failed = show.event("output-failed", 30);
    assert!(failed["reason"].as_str().unwrap().contains("certificate verify failed"), "{failed}");
    assert!(show.events().iter().all(|e| e["event"] != "output-live"), "{:?}", show.events());
    assert_eq!(turn.allocations(), before);
    end(show);
}

#[test]
fn relays_that_only_the_answer_names_are_used_in_a_session_at_once() {
    let (turn, ingest) = (Turn::start(), Ingest::start());
    let place = Place::new();
    let word = WORD;
    let links = format!(
        "<stun:127.0.0.1:{0}>; rel=\"ice-server\", <turn:127.0.0.1:{0}?transport=udp>; \
         rel=\"ice-server\"; username=\"{USER}\"; credential=\"{word}\"; credential-type=\"password\"",
        turn.port
    );
    let to = format!("http://{}/whip", ingest.naming(links));
    let show = live(&place, &to, "[output.ice]\nrelay-only = true\n");
    let connected = show.event("output-live", 30);
    ingest.until_pictures(&show);
    assert!(turn.allocations() > 0, "{}", turn.log());
    // No failure was told, and nobody waited for one.
    assert!(show.events().iter().all(|e| e["event"] != "output-failed"), "{:?}", show.events());
    assert!(connected["connect_ms"].as_u64().unwrap() < 5000, "{connected}");
    end(show);
}

#[test]
fn relays_only_without_any_relay_says_what_to_do() {
    let ingest = Ingest::start();
    let place = Place::new();
    let mut show = live(&place, &ingest.stage.whip_url(), "[output.ice]\nrelay-only = true\n");
    let failed = show.event("output-failed", 30);
    assert!(failed["reason"].as_str().unwrap().contains("[output.ice]"), "{failed}");
    assert_eq!(show.ended(20), 3, "{}", show.told());
}
