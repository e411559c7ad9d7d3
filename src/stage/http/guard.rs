//! Who may come in: the token, the Host of a loopback stage, the origins of web pages. Decides; answers only
//! by refusing.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Door;

/// A refusal, told as RFC 9457 tells it.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    header: Option<(header::HeaderName, HeaderValue)>,
}

impl Problem {
    /// With this status; `detail` says why, and what to do.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), header: None }
    }

    /// With a header more.
    pub fn with(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "title": self.status.canonical_reason().unwrap_or("Refused"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some((name, value)) = self.header {
            headers.insert(name, value);
        }
        response
    }
}

/// A loopback stage answers to this machine's own names only: another name that leads here is a web page
/// that had its own name pointed at us (DNS rebinding).
pub async fn host(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let named = request
        .uri()
        .authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| request.headers().get(header::HOST)?.to_str().ok());
    if door.local && !named.is_some_and(is_own_name) {
        return Problem::new(
            StatusCode::FORBIDDEN,
            "this stage answers on this machine only: ask for localhost, 127.0.0.1 or [::1]",
        )
        .into_response();
    }
    next.run(request).await
}

/// `localhost`, `127.0.0.1` or `[::1]`, with any port.
fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || port.starts_with(':') => name,
            _ => return false,
        },
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "::1"
}

/// Whether the request carries the token, if one is needed.
pub fn token(door: &Door, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(wanted) = &door.token else { return Ok(()) };
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    if given.is_some_and(|given| wanted.is(given.as_bytes())) {
        return Ok(());
    }
    let detail = "the stage needs its token: send it as 'Authorization: Bearer ...'";
    Err(Problem::new(StatusCode::UNAUTHORIZED, detail)
        .with(header::WWW_AUTHENTICATE, "Bearer realm=\"hawker stage\""))
}

/// The origin a WHEP answer may be read by. With a token any page may try; without one only pages of this
/// machine, for else every web page the operator visits could watch the rehearsal.
pub fn allowed_origin(door: &Door, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    if door.token.is_some() {
        return Some(HeaderValue::from_static("*"));
    }
    let text = origin.to_str().ok()?;
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    is_own_name(host).then(|| origin.clone())
}

/// Lets the pages that may read an answer do so.
pub fn share(door: &Door, asked: &HeaderMap, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed_origin(door, asked) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("Location, ETag, Link, Retry-After");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_names_are_ours() {
        for own in ["localhost", "LOCALHOST:80", "127.0.0.1:9", "[::1]", "[::1]:8080"] {
            assert!(is_own_name(own), "{own}");
        }
        for other in ["", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io:80", "[::1"] {
            assert!(!is_own_name(other), "{other}");
        }
    }
}
