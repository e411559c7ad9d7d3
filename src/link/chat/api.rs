//! Calls of a platform's HTTP API. What a request holds is in no error: its address may have a token.

use std::time::Duration;

use reqwest::{
    Client, Response,
    header::{CONTENT_TYPE, HeaderMap},
};
use tokio::time::timeout;
use url::Url;

use super::{CONNECT, Ended};
use crate::chat::request::{Method, Request};

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
    url.query_pairs_mut().extend_pairs(request.query.iter().map(|(k, v)| (*k, v.as_str())));
    Some(url)
}

/// The answer as it begins; `None` where there is none.
pub(super) async fn begun(
    client: &Client,
    base: &Url,
    request: &Request,
    bounds: Bounds,
) -> Option<Response> {
    let url = address(base, request)?;
    let builder = match request.method {
        Method::Get => client.get(url),
        Method::Post => client.post(url),
        Method::Delete => client.delete(url),
    };
    let builder = match &request.body {
        Some(body) => builder.header(CONTENT_TYPE, "application/json").body(body.to_string()),
        None => builder,
    };
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
pub(super) async fn rest(mut response: Response, bounds: Bounds) -> Vec<u8> {
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
