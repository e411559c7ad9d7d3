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
use crate::{
    base::Secret,
    system::host::{self, BadHost},
};

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

/// A loopback stage answers to this machine's own names only.
pub async fn host(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match host::check(request.uri(), request.headers(), door.listen) {
        Ok(()) => next.run(request).await,
        Err(BadHost::Malformed) => Problem::new(
            StatusCode::BAD_REQUEST,
            "a request needs one Host header, with a name or address and perhaps a port",
        )
        .into_response(),
        Err(BadHost::Foreign) => Problem::new(
            StatusCode::FORBIDDEN,
            "this stage answers on this machine only: ask for localhost, 127.0.0.1 or [::1]",
        )
        .into_response(),
    }
}

/// The bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let at = value.iter().position(|b| *b == b' ')?;
    let (scheme, token) = value.split_at(at);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii())
}

/// Whether the request may watch: it carries the token, if one is needed.
pub fn viewer(door: &Door, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(wanted) = &door.token else { return Ok(()) };
    if bearer(headers).is_some_and(|given| wanted.is(given)) {
        return Ok(());
    }
    let detail = "the stage needs its token: send it as 'Authorization: Bearer ...'";
    Err(Problem::new(StatusCode::UNAUTHORIZED, detail)
        .with(header::WWW_AUTHENTICATE, "Bearer realm=\"hawker stage\""))
}

/// Whether the request may publish, and whether it comes from the show that runs the stage.
pub fn publisher(door: &Door, headers: &HeaderMap) -> Result<bool, Problem> {
    let given = bearer(headers);
    let is = |secret: &Secret| given.is_some_and(|given| secret.is(given));
    if is(&door.owner) {
        return Ok(true);
    }
    match (&door.publish_token, &door.token) {
        (Some(wanted), _) if is(wanted) => Ok(false),
        (_, Some(viewers)) if is(viewers) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this token is for viewers: publishing needs the stage's publish token ([stage] publish-token)",
        )),
        (Some(_), _) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "publishing needs the stage's publish token: send it as 'Authorization: Bearer ...'",
        )
        .with(header::WWW_AUTHENTICATE, "Bearer realm=\"hawker stage, publishing\"")),
        (None, Some(_)) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "only the show that runs this stage publishes to it: set [stage] publish-token to let others",
        )),
        // On loopback, and nobody asked for a token.
        (None, None) => Ok(false),
    }
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
    host::is_own_name(host).then(|| origin.clone())
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
