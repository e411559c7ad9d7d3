//! What every listener for people's own tools refuses first: requests by a foreign name, and beyond this machine those
//! without the token.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    base::Secret,
    system::host::{self, BadHost},
};

/// Refuses what a web page asks for by a name of its own (DNS rebinding), and what names no host or several.
pub(super) async fn own(
    State(listen): State<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
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
