//! What each request does: publish, view, trickle, leave, post figures.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Door,
    guard::{self, Problem},
};
use crate::{
    show::VideoCodec,
    stage::{
        clock,
        session::{self, Accepted, Role},
        sfu::{Added, Busy, NewSession, SessionId, Trickled},
    },
    stats::ViewerFigures,
};

type Shared = State<Arc<Door>>;

/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(10);

pub async fn publish(State(door): Shared, request: Request) -> Response {
    open(&door, Role::Publisher, request).await.unwrap_or_else(IntoResponse::into_response)
}

pub async fn view(State(door): Shared, request: Request) -> Response {
    let asked = request.headers().clone();
    let opened = open(&door, Role::Viewer, request).await;
    let mut response = opened.unwrap_or_else(IntoResponse::into_response);
    guard::share(&door, &asked, &mut response);
    response
}

pub async fn unpublish(State(door): Shared, id: Path<String>, headers: HeaderMap) -> Response {
    close(&door, Role::Publisher, &id, &headers).await.unwrap_or_else(IntoResponse::into_response)
}

pub async fn leave(State(door): Shared, id: Path<String>, headers: HeaderMap) -> Response {
    let closed = close(&door, Role::Viewer, &id, &headers).await;
    let mut response = closed.unwrap_or_else(IntoResponse::into_response);
    guard::share(&door, &headers, &mut response);
    response
}

pub async fn trickle_publisher(
    State(door): Shared,
    id: Path<String>,
    request: Request,
) -> Response {
    trickle(&door, Role::Publisher, &id, request).await.unwrap_or_else(IntoResponse::into_response)
}

pub async fn trickle_viewer(State(door): Shared, id: Path<String>, request: Request) -> Response {
    let asked = request.headers().clone();
    let taken = trickle(&door, Role::Viewer, &id, request).await;
    let mut response = taken.unwrap_or_else(IntoResponse::into_response);
    guard::share(&door, &asked, &mut response);
    response
}

pub async fn whip_options() -> Response {
    let headers = [(ACCEPT_POST, "application/sdp"), (header::ALLOW, "OPTIONS, POST")];
    (StatusCode::NO_CONTENT, headers).into_response()
}

pub async fn whep_options(State(door): Shared, asked: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCEPT_POST, HeaderValue::from_static("application/sdp"));
    if guard::allowed_origin(&door, &asked).is_some() {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, PATCH, DELETE, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    guard::share(&door, &asked, &mut response);
    response
}

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// POST of an offer.
async fn open(door: &Arc<Door>, role: Role, request: Request) -> Result<Response, Problem> {
    let posted = Instant::now();
    let owner = match role {
        Role::Publisher => guard::publisher(door, request.headers())?,
        Role::Viewer => {
            guard::viewer(door, request.headers())?;
            false
        }
    };
    wants(request.headers(), "application/sdp")?;
    let offer = text(request).await?;
    if role == Role::Viewer && door.sfu.full() {
        return Err(full());
    }
    // Making keys takes a few milliseconds of a processor: not on the threads that serve. It also keeps a
    // fault in a parser that reads strangers' texts away from everything else.
    let candidates = door.sfu.candidates(role);
    let accepted =
        tokio::task::spawn_blocking(move || session::accept(role, &offer, &candidates)).await;
    let accepted = accepted
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "this SDP cannot be read"))?
        .map_err(|bad| Problem::new(StatusCode::BAD_REQUEST, bad.to_string()))?;
    let sent = door.sfu.figures().borrow().video;
    if role == Role::Viewer
        && let (Some(sent), Some(spoken)) = (sent, &accepted.video)
        && !spoken.contains(&sent)
    {
        return Err(no_common_codec(sent));
    }
    let id = name()?;
    let Accepted { rtc, ufrag, answer, .. } = accepted;
    let new = NewSession { id: id.clone(), role, owner, rtc, ufrag, posted };
    match door.sfu.add(new).await.map_err(busy)? {
        Added::In => {}
        Added::Full => return Err(full()),
        Added::Held => return Err(held()),
    }
    let place = match role {
        Role::Publisher => "/whip",
        Role::Viewer => "/whep",
    };
    let headers = [
        (header::CONTENT_TYPE, "application/sdp".to_owned()),
        (header::LOCATION, format!("{place}/{id}")),
        (header::ETAG, etag(&id)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}

/// DELETE of a session.
async fn close(
    door: &Arc<Door>,
    role: Role,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    admitted(door, role, headers)?;
    if door.sfu.remove(id.into(), role).await.map_err(busy)? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(unknown())
    }
}

/// PATCH with more candidates.
async fn trickle(
    door: &Arc<Door>,
    role: Role,
    id: &str,
    request: Request,
) -> Result<Response, Problem> {
    admitted(door, role, request.headers())?;
    wants(request.headers(), "application/trickle-ice-sdpfrag")?;
    let tag = request.headers().get(header::IF_MATCH).cloned();
    let fragment = session::fragment(&text(request).await?).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "this is not a trickle ICE fragment (RFC 8840)")
    })?;
    let id: SessionId = id.into();
    // "*" asks for a restart; without a tag it can only be candidates.
    let tag = tag.as_ref().and_then(|tag| tag.to_str().ok());
    if let Some(tag) = tag
        && tag != "*"
        && tag != etag(&id)
    {
        let detail = "this fragment belongs to another ICE session: its entity tag is not ours";
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail));
    }
    let taken = door.sfu.trickle(id, role, fragment.ufrag, fragment.candidates).await;
    match taken.map_err(busy)? {
        Trickled::Taken => Ok(StatusCode::NO_CONTENT.into_response()),
        Trickled::Unknown => Err(unknown()),
        Trickled::Restart => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the stage does not restart ICE: end this session and open a new one",
        )),
    }
}

/// GET of the clock that stamps are made by: a page that asks a few times knows how far it is from its own.
pub async fn clock(State(door): Shared, headers: HeaderMap) -> Result<Response, Problem> {
    guard::viewer(&door, &headers)?;
    let boot = format!("{:x}", door.boot);
    let mono_ms = clock::mono_ns() as f64 / 1e6;
    let body = Json(json!({ "boot": boot, "monoMs": mono_ms }));
    Ok(([(header::CACHE_CONTROL, "no-store")], body).into_response())
}

/// POST of a viewer page's figures.
pub async fn figures(State(door): Shared, request: Request) -> Result<Response, Problem> {
    guard::viewer(&door, request.headers())?;
    // A page of another origin cannot send this type without asking first, and is not answered.
    wants(request.headers(), "application/json")?;
    let text = text(request).await?;
    let figures: ViewerFigures = serde_json::from_str(&text).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("these are not a viewer's figures: {error}"))
    })?;
    let figures = tidy(figures);
    if figures.id.is_empty() {
        let detail = "a viewer's figures need an id: 1-32 letters and digits";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    door.posts.keep(figures, Instant::now());
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Keeps of a stranger's figures what can be shown: short plain text, numbers that can be.
fn tidy(mut figures: ViewerFigures) -> ViewerFigures {
    let plain = |text: &str, most: usize| -> String {
        text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(most).collect()
    };
    figures.id = plain(&figures.id, 32);
    figures.browser = plain(&figures.browser, 64);
    figures.state = plain(&figures.state, 16);
    let within = |value: &mut Option<f64>, most: f64| {
        *value = value.filter(|v| v.is_finite()).map(|v| v.clamp(0.0, most));
    };
    within(&mut figures.fps, 1000.0);
    within(&mut figures.freeze_seconds, 1e7);
    within(&mut figures.jitter_buffer_ms, 60_000.0);
    within(&mut figures.latency_ms, 600_000.0);
    for screen in [&mut figures.screen_p50_ms, &mut figures.screen_p95_ms] {
        // Before it was captured: clocks that do not fit together say nothing.
        *screen = screen.filter(|ms| *ms >= 0.0);
        within(screen, 600_000.0);
    }
    within(&mut figures.audio_level, 1.0);
    within(&mut figures.kbps, 1e7);
    within(&mut figures.current_time, 1e7);
    figures.width = figures.width.map(|w| w.min(16_384));
    figures.height = figures.height.map(|h| h.min(16_384));
    figures
}

/// Refuses a body of another type.
fn wants(headers: &HeaderMap, kind: &'static str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split(';').next()).map(str::trim);
    if given.is_some_and(|given| given.eq_ignore_ascii_case(kind)) {
        return Ok(());
    }
    let detail = format!("this door takes {kind} only");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).with(ACCEPT_POST, kind))
}

/// The body as text, in good time.
async fn text(request: Request) -> Result<String, Problem> {
    let Ok(body) = tokio::time::timeout(BODY, Bytes::from_request(request, &())).await else {
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"));
    };
    let body = body.map_err(|rejection| {
        let detail = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than this door takes",
            _ => "the body broke off",
        };
        Problem::new(rejection.status(), detail)
    })?;
    String::from_utf8(body.into())
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body is not UTF-8 text"))
}

/// A session's name nobody can guess: 128 random bits.
fn name() -> Result<SessionId, Problem> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the system gives no random numbers")
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)).into())
}

/// The ICE session's entity tag: one session, one ICE session.
fn etag(id: &str) -> String {
    format!("\"{}\"", id.get(..8).unwrap_or(id))
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such session here: it has ended, or never was")
}

/// Whether the request may do what such a session does.
fn admitted(door: &Door, role: Role, headers: &HeaderMap) -> Result<(), Problem> {
    match role {
        Role::Publisher => guard::publisher(door, headers).map(drop),
        Role::Viewer => guard::viewer(door, headers),
    }
}

/// The viewer offered no decoder for what is sent. A browser that has it asks again by itself.
fn no_common_codec(sent: VideoCodec) -> Problem {
    let detail = match sent {
        VideoCodec::H264 => {
            "this viewer decodes no H.264, which the show is sent in. Firefox fetches its decoder (OpenH264) within \
             minutes of its first start; another browser has one already; or give the show a profile with VP8"
        }
        VideoCodec::Vp8 => {
            "this viewer decodes no VP8, which the show is sent in: use another browser, or give the show a profile \
             with H.264"
        }
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

fn held() -> Problem {
    let detail = "another publisher holds the stage: the show that runs it publishes to it, and gives its place to \
                  nobody. End that show, or publish elsewhere";
    Problem::new(StatusCode::CONFLICT, detail)
}

fn full() -> Problem {
    let detail = "the stage is full: 64 viewers are connected. Try again when one has left";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(header::RETRY_AFTER, "5")
}

fn busy(busy: Busy) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, busy.to_string()).with(header::RETRY_AFTER, "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_figures_are_made_harmless() {
        let figures = tidy(ViewerFigures {
            id: "\u{1b}[2J".to_owned() + &"x".repeat(100),
            browser: "Firefox\u{202e} 1".into(),
            fps: Some(-5.0),
            latency_ms: Some(1e300),
            screen_p50_ms: Some(-1.0),
            screen_p95_ms: Some(f64::NAN),
            width: Some(u32::MAX),
            ..Default::default()
        });
        assert_eq!(figures.id.len(), 32);
        assert!(!figures.id.contains('\u{1b}'));
        assert_eq!(figures.browser, "Firefox 1");
        assert_eq!((figures.fps, figures.latency_ms), (Some(0.0), Some(600_000.0)));
        assert_eq!((figures.screen_p50_ms, figures.screen_p95_ms), (None, None));
        assert_eq!(figures.width, Some(16_384));
    }

    #[test]
    fn names_are_long_and_differ() {
        let (a, b) = (name().unwrap(), name().unwrap());
        assert!(a.len() == 32 && a != b);
    }
}
