//! Sources that are posted to: hawker's own lines, and Kick's signed webhook. What is not shown to be from the sender
//! reaches nothing: own lines need the token where there is one and never come from a web page; Kick's need its signature.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Public},
    rsa::Padding,
    sign::Verifier,
};
use serde_json::json;
use tokio::net::TcpListener;

use super::{Clock, Ended, Report, Reports};
use crate::{
    base::Secret,
    chat::{
        kick::{self, Refused, Signed},
        lines,
    },
    system::{
        self,
        host::{self, BadHost},
        http::Bounds,
    },
};

/// Most connections: a sender keeps one or opens one for each line.
const MAX_CONNECTIONS: usize = 32;
/// The longest body, in bytes.
const MOST_BODY: usize = kick::MOST_BODY;
/// The longest file of a key, in bytes. A key of 16384 bits has 3 kB.
const MOST_KEY: u64 = 64 * 1024;
/// The shortest key that is trusted, in bits (NIST SP 800-131A).
const LEAST_BITS: u32 = 2048;

/// A key with which deliveries are signed.
#[derive(Debug, Clone)]
pub struct PublicKey(PKey<Public>);

/// Why a key is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// The file cannot be read.
    #[error("{0}")]
    File(#[from] crate::config::Unreadable),
    /// Not PEM, or no public key.
    #[error("it holds no public key in PEM")]
    NotPem,
    /// Another algorithm, or too short.
    #[error("it is no RSA key of {LEAST_BITS} bits or more")]
    NotRsa,
}

impl PublicKey {
    /// The key in a file. Blocks.
    pub fn read(path: &Path) -> Result<Self, BadKey> {
        Self::pem(&crate::config::read_file(path, MOST_KEY)?)
    }

    /// The key in a text.
    pub fn pem(pem: &[u8]) -> Result<Self, BadKey> {
        let key = PKey::public_key_from_pem(pem).map_err(|_| BadKey::NotPem)?;
        if key.rsa().is_err() || key.bits() < LEAST_BITS {
            return Err(BadKey::NotRsa);
        }
        Ok(Self(key))
    }

    /// Whether the signature is this key's: PKCS#1 v1.5 with SHA-256.
    fn signed(&self, what: &Signed) -> bool {
        let verified = || {
            let mut verifier = Verifier::new(MessageDigest::sha256(), &self.0)?;
            verifier.set_rsa_padding(Padding::PKCS1)?;
            verifier.verify_oneshot(&what.signature, &what.base)
        };
        verified().unwrap_or(false)
    }
}

/// Who takes what is posted. It outlives the listener, so that nothing is taken twice.
#[derive(Debug)]
pub struct Receiver(Kind);

#[derive(Debug)]
enum Kind {
    Lines { reader: Mutex<lines::Reader>, token: Option<Secret> },
    Kick { webhook: Mutex<kick::Webhook>, key: PublicKey },
}

impl Receiver {
    /// Takes hawker's own lines, from whoever shows the token.
    pub fn lines(reader: lines::Reader, token: Option<Secret>) -> Self {
        Self(Kind::Lines { reader: Mutex::new(reader), token })
    }

    /// Takes what the key has signed.
    pub fn kick(webhook: kick::Webhook, key: PublicKey) -> Self {
        Self(Kind::Kick { webhook: Mutex::new(webhook), key })
    }

    /// Whether anybody may post.
    fn is_open(&self) -> bool {
        matches!(self.0, Kind::Lines { token: None, .. })
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place that is listened on.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

struct Door {
    receiver: Arc<Receiver>,
    address: SocketAddr,
    clock: Clock,
    reports: Reports,
}

impl Listener {
    /// Listens from now on.
    pub async fn bind(listen: SocketAddr) -> Result<Self, Ended> {
        let failed = |e: io::Error| {
            let why = match e.kind() {
                io::ErrorKind::AddrInUse => "another program has that port".to_owned(),
                _ => e.to_string(),
            };
            Ended::passing(format!("cannot listen on {listen}: {why}"))
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes what is posted to `path`, until nobody takes the reports any more.
    pub async fn serve(
        self,
        path: &str,
        receiver: Arc<Receiver>,
        clock: &Clock,
        reports: &Reports,
    ) -> Ended {
        let Self { listener, address } = self;
        if receiver.is_open() && !address.ip().is_loopback() {
            return Ended::lasting(format!(
                "anybody could write into the chat by {address}: set a token, or listen on 127.0.0.1"
            ));
        }
        if let Err(ended) = reports.tell(Report::Live).await {
            return ended;
        }
        let door = Arc::new(Door { receiver, address, clock: *clock, reports: reports.clone() });
        let router = Router::new()
            .route(path, post(take))
            .layer(DefaultBodyLimit::max(MOST_BODY))
            .layer(middleware::from_fn_with_state(Arc::clone(&door), guard))
            .with_state(door);
        let bounds = Bounds::for_at_most(MAX_CONNECTIONS);
        system::http::serve(listener, router, bounds, reports.closed()).await;
        Ended::passing("the chat was closed")
    }
}

fn no(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}

/// Lets in whoever may post, before a body is read.
async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let checked = host::check(request.uri(), request.headers(), door.address);
    let Kind::Lines { token, .. } = &door.receiver.0 else {
        // Kick reaches a listener on this machine through a tunnel, by the tunnel's name. Its signature decides.
        return match checked {
            Err(BadHost::Malformed) => no(StatusCode::BAD_REQUEST, "one Host header is needed"),
            _ => next.run(request).await,
        };
    };
    match checked {
        Ok(()) => {}
        Err(BadHost::Malformed) => {
            return no(StatusCode::BAD_REQUEST, "one Host header is needed");
        }
        Err(BadHost::Foreign) => {
            let why = "answered on this machine only: ask for localhost, 127.0.0.1 or [::1]";
            return no(StatusCode::FORBIDDEN, why);
        }
    }
    // Browsers send it with every POST: any web page could write into the chat.
    if request.headers().contains_key(header::ORIGIN) {
        return no(StatusCode::FORBIDDEN, "web pages may not post here");
    }
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if token.as_ref().is_some_and(|token| !given.is_some_and(|given| token.is(given))) {
        let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
        return (StatusCode::UNAUTHORIZED, ask, "the token is missing or wrong\n").into_response();
    }
    next.run(request).await
}

async fn take(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> Response {
    let taken = match &door.receiver.0 {
        Kind::Lines { reader, .. } => take_lines(&door, reader, &body).await,
        Kind::Kick { webhook, key } => take_kick(&door, webhook, key, &headers, body).await,
    };
    taken.unwrap_or_else(|_| no(StatusCode::SERVICE_UNAVAILABLE, "the chat was closed"))
}

async fn take_lines(
    door: &Door,
    reader: &Mutex<lines::Reader>,
    body: &[u8],
) -> Result<Response, Ended> {
    let (mut updates, mut unreadable) = (Vec::new(), 0_usize);
    locked(reader).body(door.clock.now().wall, body, |read| match read {
        Ok(update) => updates.push(update),
        Err(_) => unreadable += 1,
    });
    let taken = updates.len();
    door.reports.tell(Report::Heard).await?;
    for update in updates {
        door.reports.tell(Report::Update(update)).await?;
    }
    for _ in 0..unreadable {
        door.reports.tell(Report::Unreadable).await?;
    }
    let nothing = taken == 0 && unreadable > 0;
    let status = if nothing { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Json(json!({"taken": taken, "unreadable": unreadable}))).into_response())
}

async fn take_kick(
    door: &Door,
    webhook: &Mutex<kick::Webhook>,
    key: &PublicKey,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, Ended> {
    let now = door.clock.now().wall;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let checked = locked(webhook).check(now, header, body.into());
    let accepted = checked.and_then(|pending| {
        let verified = key.signed(pending.signed());
        locked(webhook).accept(now, pending, verified)
    });
    let why = match accepted {
        Ok(update) => {
            door.reports.tell(Report::Heard).await?;
            if let Some(update) = update {
                door.reports.tell(Report::Update(update)).await?;
            }
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        // A success, or Kick sends it again.
        Err(Refused::Repeated) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Err(why) => why,
    };
    // What is forged is no sign of life.
    tracing::warn!("a delivery to Kick's webhook was refused: {why}");
    let status = match why {
        Refused::BadSignature => StatusCode::UNAUTHORIZED,
        Refused::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    if why == Refused::BadBody {
        door.reports.tell(Report::Unreadable).await?;
    }
    Ok(no(status, &why.to_string()))
}
