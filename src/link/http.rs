//! One HTTP request and its reply, bounded in time and size, and what went wrong in a closed set of words. It
//! follows no redirect, keeps no cookie and repeats nothing.

use std::{
    error::Error as _,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Certificate, Client, ClientBuilder, Method as Verb, header};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{
    Authorities, LinkError,
    names::{Names, NoAnswer},
};
use crate::whip::{self, BodyEnd, Method, Request, Response, Transport};

/// Longest body taken, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// More `Link` headers than any ingest sends; the rest is dropped.
const MAX_LINKS: usize = 16;
/// How long a body is waited for that only explains a failure, or says nothing.
const PROSE: Duration = Duration::from_secs(1);
/// How long [`Http::warm`] may take.
const WARM: Duration = Duration::from_secs(3);

/// Up to three clients. The environment's proxy must not come between hawker and this machine itself, and
/// reading the machine's authorities takes hundreds of milliseconds: only who needs them pays.
#[derive(Debug, Clone)]
pub(super) struct Http {
    /// `http:` to this machine.
    plain: Client,
    /// Everything else on this machine; everything outward. Made when first needed.
    loopback: Arc<OnceLock<Client>>,
    outward: Arc<OnceLock<Client>>,
    authorities: Vec<Certificate>,
    connect_timeout: Duration,
    names: Names,
}

impl Http {
    pub(super) fn new(
        ca: Option<&Authorities>,
        connect_timeout: Duration,
    ) -> Result<Self, LinkError> {
        let mut authorities = Vec::new();
        if let Some(ca) = ca {
            authorities = Certificate::from_pem_bundle(&ca.pem)
                .map_err(|_| LinkError::NotPem(ca.path.clone()))?;
        }
        let names = Names::default();
        let plain = builder(connect_timeout, &names)
            .no_proxy()
            .tls_certs_only(authorities.iter().cloned())
            .build()
            .map_err(|error| LinkError::Tls(innermost(&error)))?;
        let (loopback, outward) = (Arc::default(), Arc::default());
        Ok(Self { plain, loopback, outward, authorities, connect_timeout, names })
    }

    async fn client(&self, url: &Url) -> Result<Client, Transport> {
        let near = whip::is_loopback(url);
        if near && url.scheme() == "http" {
            return Ok(self.plain.clone());
        }
        let place = if near { &self.loopback } else { &self.outward };
        if let Some(client) = place.get() {
            return Ok(client.clone());
        }
        let (authorities, limit) = (self.authorities.clone(), self.connect_timeout);
        let names = self.names.clone();
        let make = move || {
            let builder = builder(limit, &names).tls_certs_merge(authorities);
            if near { builder.no_proxy().build() } else { builder.build() }
        };
        let client = tokio::task::spawn_blocking(make)
            .await
            .map_err(|error| Transport::Other(error.to_string()))?
            .map_err(|error| Transport::Other(innermost(&error)))?;
        // Whoever made one first is kept, so that connections are shared.
        Ok(place.get_or_init(|| client).clone())
    }

    /// Opens a connection that the next request to the same origin takes. Sends `OPTIONS` without the
    /// token; what is answered does not matter, and is returned. Too slow to be warmed is no failure: the
    /// POST tells.
    pub(super) async fn warm(&self, url: &Url) -> Option<u16> {
        let ask = async {
            let client = self.client(url).await.ok()?;
            let mut reply = client.request(Verb::OPTIONS, url.clone()).send().await.ok()?;
            // Only a reply read to its end leaves the connection open for the next.
            read_body(&mut reply, Instant::now() + PROSE).await;
            Some(reply.status().as_u16())
        };
        tokio::time::timeout(WARM, ask).await.ok().flatten()
    }

    pub(super) async fn send(&self, request: Request) -> Result<Response, Transport> {
        let deadline = Instant::now() + Duration::from_millis(request.timeout_ms);
        let verb = match request.method {
            Method::Options => Verb::OPTIONS,
            Method::Post => Verb::POST,
            Method::Patch => Verb::PATCH,
            Method::Delete => Verb::DELETE,
        };
        let client = timeout_at(deadline, self.client(&request.url))
            .await
            .map_err(|_| Transport::Timeout)??;
        let mut ask = client.request(verb, request.url);
        for (name, value) in request.headers {
            ask = ask.header(name, value);
        }
        if let Some(token) = &request.bearer {
            ask = ask.bearer_auth(token.expose());
        }
        if !request.body.is_empty() {
            ask = ask.body(request.body);
        }
        let mut reply = match timeout_at(deadline, ask.send()).await {
            Err(_) => return Err(Transport::Timeout),
            Ok(Err(error)) => return Err(classify(&error)),
            Ok(Ok(reply)) => reply,
        };
        let text = |name: header::HeaderName| {
            let value = reply.headers().get(name)?.as_bytes();
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let mut response = Response {
            status: reply.status().as_u16(),
            location: text(header::LOCATION),
            etag: text(header::ETAG),
            content_type: text(header::CONTENT_TYPE),
            retry_after: text(header::RETRY_AFTER),
            date: text(header::DATE),
            ..Response::default()
        };
        let links = reply.headers().get_all(header::LINK).iter().take(MAX_LINKS);
        response.links =
            links.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).collect();
        let wanted = request.method == Method::Post && reply.status().is_success();
        let body_by = if wanted { deadline } else { deadline.min(Instant::now() + PROSE) };
        let (body, end) = read_body(&mut reply, body_by).await;
        response.body = String::from_utf8_lossy(&body).into_owned();
        response.end = end;
        Ok(response)
    }
}

fn builder(connect_timeout: Duration, names: &Names) -> ClientBuilder {
    Client::builder()
        .dns_resolver(Arc::new(names.clone()))
        .user_agent(concat!("hawker/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(90))
        .connect_timeout(connect_timeout)
}

async fn read_body(reply: &mut reqwest::Response, deadline: Instant) -> (Vec<u8>, BodyEnd) {
    let mut body = Vec::new();
    loop {
        match timeout_at(deadline, reply.chunk()).await {
            Err(_) => return (body, BodyEnd::Late),
            Ok(Err(_)) => return (body, BodyEnd::Cut),
            Ok(Ok(None)) => return (body, BodyEnd::Whole),
            Ok(Ok(Some(chunk))) => {
                let room = MAX_BODY - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return (body, BodyEnd::TooLong);
                }
            }
        }
    }
}

/// The error at the bottom: the others only say that something below failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut text = None;
    while let Some(error) = source {
        text = Some(error.to_string());
        source = error.source();
    }
    // Never reqwest's own text when there is another: it may hold the URL.
    text.unwrap_or_else(|| "the request could not be made".into())
}

fn classify(error: &reqwest::Error) -> Transport {
    if error.is_dns() {
        let mut cause = error.source();
        while let Some(error) = cause {
            if error.is::<NoAnswer>() {
                return Transport::DnsSilent;
            }
            cause = error.source();
        }
        return Transport::Dns;
    }
    let mut chain = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && let Some(known) = by_io(io, error.is_connect())
        {
            return known;
        }
        chain.push_str(&cause.to_string());
        chain.push('\n');
        source = cause.source();
    }
    if error.is_timeout() {
        return if error.is_connect() { Transport::NoConnection } else { Transport::Timeout };
    }
    if let Some(known) = by_tls(&chain) {
        return known;
    }
    let lower = chain.to_ascii_lowercase();
    if !error.is_connect()
        && ["before message completed", "connection closed", "incomplete message", "end of file"]
            .iter()
            .any(|sign| lower.contains(sign))
    {
        return Transport::Cut;
    }
    Transport::Other(innermost(error))
}

/// What an error of a socket means, while it connects or afterwards; `None` if it says nothing of its own.
pub(super) fn by_io(error: &io::Error, connecting: bool) -> Option<Transport> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Transport::Refused),
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => Some(Transport::Unreachable),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
            if !connecting =>
        {
            Some(Transport::Cut)
        }
        _ => None,
    }
}

/// What a failed handshake means. The TLS library tells only in text, one cause a line.
pub(super) fn by_tls(chain: &str) -> Option<Transport> {
    let lower = chain.to_ascii_lowercase();
    if lower.contains("certificate verify failed") || lower.contains("certificate is not trusted") {
        let inside = chain
            .lines()
            .filter(|line| line.contains("verify failed"))
            .find_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'));
        return Some(Transport::Untrusted(inside.unwrap_or("it could not be verified").to_owned()));
    }
    ["wrong version number", "packet length too long", "http request", "record layer failure"]
        .iter()
        .any(|sign| lower.contains(sign))
        .then_some(Transport::NotTls)
}
