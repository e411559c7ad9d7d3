//! The chat as viewers may see it, as a web page: for a browser source of another program, a second screen, a screen in
//! the studio. It shows lines whose hold is over and takes back what is removed. It only reads.
//!
//! `GET /` is the page, `GET /lines` its lines as server-sent events (each event is the whole list, so that a removal
//! needs no second message), `GET /lines.json` the list once.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::header,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use tokio::sync::watch;

use super::guard::{self, ListenError, Purpose, Server};
use crate::{
    base::Secret,
    chat::{Badge, Message, claims::masked_phones},
    system::http::Bounds,
};

const PURPOSE: Purpose = Purpose { option: "--chat-page", given: "the chat page is", it: "it" };
/// Pages at a time.
const MAX_CONNECTIONS: usize = 16;
/// How long the events of one request last; a browser asks again by itself.
const LASTS: Duration = Duration::from_mins(10);
/// An event at least so often: what is between them and a browser keeps the connection open.
const BEAT: Duration = Duration::from_secs(10);
/// A browser whose connection is lost tries again after this, in milliseconds.
const RETRY_MS: u32 = 500;

/// The lines that are shown now, the oldest first.
pub type Lines = watch::Receiver<Arc<Vec<Arc<Message>>>>;

/// Gives the page until it is dropped.
#[derive(Debug)]
pub struct Page(Server);

impl Page {
    /// Listens from now on. Must be called within a runtime.
    ///
    /// # Errors
    /// The address cannot be listened on, or is open to others and there is no token.
    pub fn start(
        listen: SocketAddr,
        token: Option<Secret>,
        lines: Lines,
    ) -> Result<Self, ListenError> {
        let has_token = token.is_some();
        let guarded = Router::new()
            .route("/", get(page))
            .route("/lines", get(events))
            .route("/lines.json", get(list))
            .layer(middleware::from_fn_with_state(Arc::new(token), guard::known_page))
            .with_state(lines);
        // These two hold nothing, and a page cannot add its token to their addresses.
        let router = guarded
            .route("/page.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
            .route("/page.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }));
        let bounds = Bounds { request: LASTS + BEAT, ..Bounds::for_at_most(MAX_CONNECTIONS) };
        Server::start(PURPOSE, listen, has_token, bounds, router).map(Self)
    }

    /// Where it is seen.
    pub fn url(&self) -> String {
        format!("http://{}/", self.0.address)
    }
}

const PAGE: &str = include_str!("page/page.html");
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");
/// Nothing from elsewhere, and no script within the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'";

async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, PAGE).into_response()
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

/// A line as viewers see it: telephone numbers are masked.
#[derive(Serialize)]
struct Line {
    id: String,
    platform: String,
    name: String,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    badges: Vec<Badge>,
}

fn json(lines: &[Arc<Message>]) -> String {
    let line = |message: &Arc<Message>| Line {
        id: format!("{}/{}", message.source, message.id),
        platform: message.platform.to_string(),
        name: masked_phones(message.author.name.as_str()),
        text: masked_phones(message.text.as_str()),
        badges: message.author.badges.clone(),
    };
    serde_json::to_string(&lines.iter().map(line).collect::<Vec<_>>()).unwrap_or_default()
}

async fn list(State(lines): State<Lines>) -> Response {
    let text = json(&lines.borrow());
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, text).into_response()
}

async fn events(State(mut lines): State<Lines>) -> Response {
    lines.mark_changed();
    let until = tokio::time::Instant::now() + LASTS;
    let first = format!("retry: {RETRY_MS}\n\n");
    let stream =
        futures::stream::unfold((lines, Some(first)), move |(mut lines, first)| async move {
            if let Some(first) = first {
                return Some((Ok::<_, Infallible>(Bytes::from(first)), (lines, None)));
            }
            if tokio::time::Instant::now() >= until {
                return None;
            }
            let text = match tokio::time::timeout(BEAT, lines.changed()).await {
                Ok(Ok(())) => format!("data: {}\n\n", json(&lines.borrow_and_update())),
                // The chat is over: what was shown stays until the page is asked again.
                Ok(Err(_)) => return None,
                Err(_) => ": \n\n".to_owned(),
            };
            Some((Ok(Bytes::from(text)), (lines, None)))
        });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(stream)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::Now,
        chat::{Author, MessageId, Platform, Text},
    };

    #[test]
    fn a_line_holds_no_telephone_number() {
        let message = Message::new(
            MessageId::new("1"),
            "shop".parse().unwrap(),
            Platform::named("tiktok"),
            Now::test(0).wall,
            Author { name: Text::name("Lan 0912345678"), ..Author::default() },
            Text::new("SP1 1 0912 345 678 <b>x</b>"),
        );
        let text = json(&[Arc::new(message)]);
        assert!(!text.contains("345") && text.contains("78"), "{text}");
        assert!(text.contains("<b>x</b>"), "the page shows it as text: {text}");
    }

    #[tokio::test]
    async fn beyond_this_machine_there_is_a_token() {
        let (_keep, lines) = watch::channel(Arc::default());
        let everywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
        let refused = Page::start(everywhere, None, lines).unwrap_err().to_string();
        assert!(refused.contains("--chat-page-token"), "{refused}");
    }
}
