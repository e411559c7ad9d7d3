//! Calls of a platform's HTTP API. What a request holds is in no error: its address may have a token.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{
    Client, RequestBuilder,
    header::{self, HeaderMap, HeaderValue},
};
use tokio::time::timeout;
use url::Url;

use super::{CONNECT, Ended};
use crate::{
    base::Secret,
    chat::{
        request::{Method, Refusal, Request},
        response::{Response, retry_after},
        send::{Answer, Failure},
    },
};

/// How long an answer may take to begin, and again to be read whole; and how large it may be, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) bytes: usize,
}

impl Bounds {
    /// For a page of comments.
    pub(super) const PAGE: Self = Self { time: Duration::from_secs(8), bytes: 1 << 20 };
}

/// How long the answer to a request that writes may take to begin, and again to be read.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// The longest answer to one, in bytes.
const MOST_ANSWER: usize = 64 * 1024;

/// A client of HTTP for requests that write.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    bounds: Bounds,
}

impl Http {
    /// A client that waits so long for an answer, usually [`PATIENCE`].
    ///
    /// # Errors
    /// TLS does not start.
    pub async fn new(patience: Duration) -> Result<Self, Ended> {
        // The machine's authorities are read here: hundreds of milliseconds.
        let made = tokio::task::spawn_blocking(|| client(HeaderMap::new())).await;
        let client = made.map_err(|e| Ended::passing(e.to_string()))??;
        Ok(Self { client, bounds: Bounds { time: patience, bytes: MOST_ANSWER } })
    }

    /// The client, for who reads with it, too.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Sends a request; what was answered, with status 0 where nothing was.
    pub(super) async fn send(
        &self,
        base: &Url,
        request: &Request,
        token: Option<&HeaderValue>,
    ) -> Response {
        let Some(mut builder) = builder(&self.client, base, request) else {
            return Response::default();
        };
        if let Some(token) = token {
            builder = builder.header(header::AUTHORIZATION, token);
        }
        let Ok(Ok(response)) = timeout(self.bounds.time, builder.send()).await else {
            return Response::default();
        };
        let after = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok());
        let after = after.and_then(|value| retry_after(value, Timestamp::now()));
        let status = response.status().as_u16();
        Response { status, after, body: rest(response, self.bounds).await }
    }
}

/// The value of `Authorization` with which a token is shown.
pub(super) fn bearer(token: &Secret) -> Result<HeaderValue, Ended> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| Ended::lasting("the token holds characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The request for a whole line: half of one is never said.
pub(super) fn whole_line<T>(text: &str, made: Result<(T, usize), Refusal>) -> Result<T, Answer> {
    match made {
        Ok((_, kept)) if kept < text.len() => {
            Err(Answer::Failed(Failure::other("the line is longer than the platform takes")))
        }
        Ok((request, _)) => Ok(request),
        Err(why) => Err(impossible(why)),
    }
}

/// The answer where no request can be made.
pub(super) fn impossible(why: Refusal) -> Answer {
    Answer::Failed(Failure::other(&why.to_string()))
}

/// The answer where the platform has not told who wrote a message.
pub(super) fn nobody() -> Answer {
    Answer::Failed(Failure::other("the platform did not tell who that is"))
}

/// A client that sends these headers with every request, and follows no redirection: it would take the token elsewhere.
pub(super) fn client(headers: HeaderMap) -> Result<Client, Ended> {
    Client::builder()
        .default_headers(headers)
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .build()
        .map_err(|_| Ended::lasting("TLS does not start on this machine"))
}

/// The address of a request at `base`. It may hold a token.
pub(super) fn address(base: &Url, request: &Request) -> Option<Url> {
    let mut url = base.join(&request.path).ok()?;
    // The path is no address of its own.
    (url.origin() == base.origin()).then_some(())?;
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(request.query.iter().map(|(k, v)| (*k, v.as_str())));
    }
    Some(url)
}

fn builder(client: &Client, base: &Url, request: &Request) -> Option<RequestBuilder> {
    let url = address(base, request)?;
    let builder = match request.method {
        Method::Get => client.get(url),
        Method::Post => client.post(url),
        Method::Delete => client.delete(url),
    };
    Some(match &request.body {
        Some(body) => {
            builder.header(header::CONTENT_TYPE, "application/json").body(body.to_string())
        }
        None => builder,
    })
}

/// The answer as it begins; `None` where there is none.
pub(super) async fn begun(
    client: &Client,
    base: &Url,
    request: &Request,
    bounds: Bounds,
) -> Option<reqwest::Response> {
    let builder = builder(client, base, request)?;
    timeout(bounds.time, builder.send()).await.ok()?.ok()
}

/// Status and body; status 0 where there was no answer.
pub(super) async fn whole(
    client: &Client,
    base: &Url,
    request: &Request,
    bounds: Bounds,
) -> (u16, Vec<u8>) {
    match begun(client, base, request, bounds).await {
        Some(response) => (response.status().as_u16(), rest(response, bounds).await),
        None => (0, Vec::new()),
    }
}

/// The body of an answer that has begun, as far as it comes.
pub(super) async fn rest(mut response: reqwest::Response, bounds: Bounds) -> Vec<u8> {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(part)) = response.chunk().await {
            body.extend_from_slice(&part);
            if body.len() > bounds.bytes {
                body.truncate(bounds.bytes);
                break;
            }
        }
    };
    // What is half read is no JSON: the session says so.
    let _ = timeout(bounds.time, reading).await;
    body
}
