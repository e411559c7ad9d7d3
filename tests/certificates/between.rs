//! Somebody between a client and a server on loopback: passes on what both say, changes an offer or an answer on its way
//! if asked to, and sees every datagram. Candidates of the client's are taken out, so that no other path comes about.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::net::{TcpListener, UdpSocket};

/// What is changed on its way.
pub type Edit = fn(&str) -> String;

/// What passed by, in both directions.
#[derive(Debug, Default)]
pub struct Seen {
    pub checks: AtomicUsize,
    pub handshake: AtomicUsize,
    /// RTP and RTCP, encrypted or not, from the client.
    pub up: AtomicUsize,
    /// The same, from the server.
    pub down: AtomicUsize,
}

impl Seen {
    /// Sorts by the first byte (RFC 7983, section 7).
    fn note(&self, datagram: &[u8], media: &AtomicUsize) {
        let kind = match datagram.first() {
            Some(0..=3) => &self.checks,
            Some(20..=63) => &self.handshake,
            _ => media,
        };
        kind.fetch_add(1, Ordering::Relaxed);
    }

    /// Packets of media from the client and from the server.
    pub fn media(&self) -> (usize, usize) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
    }
}

pub struct Between {
    /// Where the client finds the server's endpoint.
    pub url: String,
    pub seen: Arc<Seen>,
}

struct Inner {
    client: reqwest::Client,
    origin: String,
    offer: Edit,
    answer: Edit,
    tap_at: IpAddr,
    seen: Arc<Seen>,
}

pub fn as_it_is(sdp: &str) -> String {
    sdp.to_owned()
}

impl Between {
    /// Before that endpoint.
    pub async fn start(endpoint: &str, offer: Edit, answer: Edit) -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into(), endpoint, offer, answer).await
    }

    /// The same, with its media at another address of this machine.
    pub async fn at(tap_at: IpAddr, endpoint: &str, offer: Edit, answer: Edit) -> Self {
        let endpoint: reqwest::Url = endpoint.parse().unwrap();
        let seen = Arc::<Seen>::default();
        let inner = Inner {
            client: reqwest::Client::new(),
            origin: endpoint.origin().ascii_serialization(),
            offer,
            answer,
            tap_at,
            seen: Arc::clone(&seen),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{}", listener.local_addr().unwrap(), endpoint.path());
        let router = Router::new().fallback(pass).with_state(Arc::new(inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen }
    }
}

async fn pass(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut body = String::from_utf8(body.to_vec()).unwrap();
    body = body.split_inclusive("\r\n").filter(|line| !line.starts_with("a=candidate:")).collect();
    if method == Method::POST {
        body = (inner.offer)(&body);
    }
    let mut request = inner.client.request(method.clone(), format!("{}{uri}", inner.origin));
    for name in [header::CONTENT_TYPE, header::IF_MATCH, header::AUTHORIZATION] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let Ok(reply) = request.body(body).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let status = reply.status();
    let names = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];
    let kept: Vec<_> = names
        .into_iter()
        .filter_map(|name: HeaderName| Some((name.clone(), reply.headers().get(&name)?.clone())))
        .collect();
    let mut text = reply.text().await.unwrap_or_default();
    if method == Method::POST && status == StatusCode::CREATED {
        text = (inner.answer)(&tapped(&text, &inner).await);
    }
    let mut response = (status, text).into_response();
    for (name, value) in kept {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The answer with a tap in place of each of its addresses.
async fn tapped(answer: &str, inner: &Inner) -> String {
    let mut out = String::new();
    for line in answer.split_inclusive("\r\n") {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if line.starts_with("a=candidate:") && words[2].eq_ignore_ascii_case("udp") {
            let far = format!("{}:{}", words[4], words[5]).parse().unwrap();
            let near = tap(inner.tap_at, far, Arc::clone(&inner.seen)).await;
            words[4] = near.ip().to_string();
            words[5] = near.port().to_string();
        }
        out.push_str(&words.join(" "));
    }
    out
}

/// Passes datagrams to `far` and back, for any number of clients.
async fn tap(at: IpAddr, far: SocketAddr, seen: Arc<Seen>) -> SocketAddr {
    let near = Arc::new(UdpSocket::bind((at, 0)).await.unwrap());
    let address = near.local_addr().unwrap();
    tokio::spawn(async move {
        let mut ways: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
        let mut buffer = [0; 2048];
        while let Ok((n, client)) = near.recv_from(&mut buffer).await {
            seen.note(&buffer[..n], &seen.up);
            let way = if let Some(way) = ways.get(&client) {
                Arc::clone(way)
            } else {
                let way = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                way.connect(far).await.unwrap();
                ways.insert(client, Arc::clone(&way));
                tokio::spawn(back(Arc::clone(&way), Arc::clone(&near), client, Arc::clone(&seen)));
                way
            };
            let _ = way.send(&buffer[..n]).await;
        }
    });
    address
}

/// What the server sends goes back to the client.
async fn back(way: Arc<UdpSocket>, near: Arc<UdpSocket>, client: SocketAddr, seen: Arc<Seen>) {
    let mut buffer = [0; 2048];
    loop {
        // Refused while nobody listens yet, or any more.
        let Ok(n) = way.recv(&mut buffer).await else { continue };
        seen.note(&buffer[..n], &seen.down);
        let _ = near.send_to(&buffer[..n], client).await;
    }
}

/// The texts of edits that change what a description says of its certificate.
pub mod edits {
    pub const WRONG: fn(&str) -> String =
        |sdp| each(sdp, |_| format!("sha-256 {}", ["AB"; 32].join(":")));
    /// A certificate that is right but for one bit.
    pub const ONE_BIT: fn(&str) -> String = |sdp| {
        each(sdp, |old| {
            let last = old.chars().last().unwrap();
            let digit = last.to_digit(16).unwrap() ^ 1;
            let digit = char::from_digit(digit, 16).unwrap().to_ascii_uppercase();
            format!("{}{digit}", &old[..old.len() - 1])
        })
    };
    /// Only in the second section.
    pub const SECOND: fn(&str) -> String = |sdp| {
        let at = sdp.rfind("m=").unwrap();
        let (head, tail) = sdp.split_at(at);
        let named = sdp.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap();
        let head = if head.contains("m=") { head.to_owned() } else { head.to_owned() + named };
        let tail = if tail.contains("a=fingerprint:") {
            tail.to_owned()
        } else {
            format!("{tail}{named}\r\n")
        };
        head + &WRONG(&tail)
    };
    /// By a stronger function, and wrong, before the right one.
    pub const STRONGER: fn(&str) -> String =
        |sdp| each(sdp, |old| format!("{old}\r\na=fingerprint:sha-512 {}", ["AB"; 64].join(":")));
    /// Another function's name before the right bytes.
    pub const WEAK: fn(&str) -> String = |sdp| sdp.replace("sha-256 ", "sha-1 ");
    pub const BROKEN: fn(&str) -> String = |sdp| each(sdp, |old| old[..old.len() - 3].to_owned());
    pub const NONE: fn(&str) -> String = |sdp| {
        sdp.split_inclusive("\r\n").filter(|line| !line.starts_with("a=fingerprint:")).collect()
    };
    /// The same in capitals and small letters.
    pub const SAME: fn(&str) -> String =
        |sdp| each(sdp, |old| old.to_lowercase().replace("sha", "SHA"));

    fn each(sdp: &str, by: impl Fn(&str) -> String) -> String {
        let lines = sdp.split_inclusive("\r\n").map(|line| {
            let Some(old) = line.strip_prefix("a=fingerprint:") else { return line.to_owned() };
            format!("a=fingerprint:{}\r\n", by(old.trim_end()))
        });
        lines.collect()
    }
}
