//! Calls of a platform's HTTP API. What a request holds is in no error: its address may have a token.

use std::time::Duration;

use reqwest::{Client, Response};
use tokio::time::timeout;
use url::Url;

use super::{CONNECT, Ended};
use crate::chat::request::{Method, Request};

/// Longest time for an answer that is read whole.
const ANSWER: Duration = Duration::from_secs(8);
/// Longest answer that is read whole, in bytes.
const MOST_ANSWER: usize = 1 << 20;

/// A client that follows no redirection: it would take the token elsewhere.
pub(super) fn client() -> Result<Client, Ended> {
    Client::builder()
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
pub(super) async fn begun(client: &Client, base: &Url, request: &Request) -> Option<Response> {
    let url = address(base, request)?;
    let builder = match request.method {
        Method::Get => client.get(url),
        Method::Post => client.post(url),
        Method::Delete => client.delete(url),
    };
    timeout(ANSWER, builder.send()).await.ok()?.ok()
}

/// Status and body; status 0 where there was no answer.
pub(super) async fn whole(client: &Client, base: &Url, request: &Request) -> (u16, Vec<u8>) {
    let Some(mut response) = begun(client, base, request).await else { return (0, Vec::new()) };
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(part)) = response.chunk().await {
            body.extend_from_slice(&part);
            if body.len() > MOST_ANSWER {
                body.truncate(MOST_ANSWER);
                break;
            }
        }
    };
    // What is half read is no JSON: the session says so.
    let _ = timeout(ANSWER, reading).await;
    (status, body)
}
