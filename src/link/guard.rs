//! A listener for people's own tools: on this machine, or beyond it with a token. Requests by a foreign name are refused
//! first.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tokio::task::JoinHandle;

use crate::{
    base::Secret,
    system::{
        self,
        host::{self, BadHost},
        http::Bounds,
    },
};

/// What a listener gives, as its errors say it.
#[derive(Debug, Clone, Copy)]
pub struct Purpose {
    /// The option that names its address; the one of its token ends in `-token`.
    pub(super) option: &'static str,
    /// "the figures are"
    pub(super) given: &'static str,
    /// "them"
    pub(super) it: &'static str,
}

/// Why nothing is given.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Everybody could read it.
    #[error(
        "{} not given on {address} without a token: anybody on that network could read {}. Add \
         {}-token env:NAME or file:PATH, or use 127.0.0.1",
        purpose.given, purpose.it, purpose.option
    )]
    NeedsToken {
        /// What would have been given.
        purpose: Purpose,
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The address is taken, not ours, or not allowed.
    #[error(
        "{} cannot listen on {address}: {why}. Give another port, or 0 for any free one",
        purpose.option
    )]
    Listen {
        /// What would have been given.
        purpose: Purpose,
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's error.
        why: io::Error,
    },
}

/// Answers until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens from now on. Must be called within a runtime.
    pub(super) fn start(
        purpose: Purpose,
        listen: SocketAddr,
        has_token: bool,
        bounds: Bounds,
        router: Router,
    ) -> Result<Self, ListenError> {
        if !listen.ip().is_loopback() && !has_token {
            return Err(ListenError::NeedsToken { purpose, address: listen });
        }
        let failed = |why| ListenError::Listen { purpose, address: listen, why };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let router = router.layer(middleware::from_fn_with_state(address, own));
        // Until it is aborted.
        let end = std::future::pending();
        let task = tokio::spawn(system::http::serve(listener, router, bounds, end));
        Ok(Self { address, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Refuses what a web page asks for by a name of its own (DNS rebinding), and what names no host or several.
async fn own(State(listen): State<SocketAddr>, request: Request, next: Next) -> Response {
    match host::check(request.uri(), request.headers(), listen) {
        Ok(()) => next.run(request).await,
        Err(BadHost::Malformed) => {
            (StatusCode::BAD_REQUEST, "one Host header is needed\n").into_response()
        }
        Err(BadHost::Foreign) => {
            let why = "answered on this machine only: ask for localhost, 127.0.0.1 or [::1]\n";
            (StatusCode::FORBIDDEN, why).into_response()
        }
    }
}

/// Refuses whoever does not show the token as `Authorization: Bearer`, where there is one.
pub(super) async fn known(
    State(token): State<Arc<Option<Secret>>>,
    request: Request,
    next: Next,
) -> Response {
    if token.as_ref().as_ref().is_none_or(|token| is_shown(token, request.headers())) {
        return next.run(request).await;
    }
    unknown()
}

/// The same for a page, whose address may hold the token as `?token=`: a browser source can send no header.
pub(super) async fn known_page(
    State(token): State<Arc<Option<Secret>>>,
    request: Request,
    next: Next,
) -> Response {
    let shown = token.as_ref().as_ref().is_none_or(|token| {
        is_shown(token, request.headers()) || is_in_address(token, request.uri())
    });
    if shown { next.run(request).await } else { unknown() }
}

fn is_in_address(token: &Secret, address: &Uri) -> bool {
    url::form_urlencoded::parse(address.query().unwrap_or_default().as_bytes())
        .any(|(key, value)| key == "token" && token.is(value.as_bytes()))
}

fn unknown() -> Response {
    let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, ask, "the token is missing or wrong\n").into_response()
}

/// Whether the request shows the token.
fn is_shown(token: &Secret, headers: &HeaderMap) -> bool {
    let given =
        headers.get(header::AUTHORIZATION).and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| token.is(given))
}
