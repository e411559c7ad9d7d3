//! Tells a web address of something: one POST of JSON, bounded in time. It follows no redirect, and repeats
//! neither the address nor the answer, which may be secrets.

use url::Url;

use super::{LinkError, http::Http, whip::CONNECT_TIMEOUT};
use crate::{
    base::Secret,
    whip::{Method, Request, Transport, shown},
};

/// How long a web address may take.
const PATIENCE_MS: u64 = 5000;

/// Tells web addresses.
#[derive(Debug, Clone)]
pub struct Messenger {
    http: Http,
}

impl Messenger {
    /// One that trusts the machine's own authorities.
    ///
    /// # Errors
    /// TLS does not start on this machine.
    pub fn new() -> Result<Self, LinkError> {
        Ok(Self { http: Http::new(None, CONNECT_TIMEOUT)? })
    }

    /// Posts a body of JSON.
    ///
    /// # Errors
    /// Why it was not taken, in words.
    pub async fn post(&self, url: Url, token: Option<Secret>, json: String) -> Result<(), String> {
        let host = shown(&url);
        let request = Request {
            id: 0,
            method: Method::Post,
            url,
            headers: vec![("Content-Type", "application/json".to_owned())],
            bearer: token,
            body: json,
            timeout_ms: PATIENCE_MS,
        };
        match self.http.send(request).await {
            Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
            Ok(reply) => {
                let todo = match reply.status {
                    300..=399 => "give the address it points to; redirects are not followed",
                    401 | 403 => "check its token",
                    404 | 410 => "check its address",
                    _ => "ask whoever runs it",
                };
                Err(format!("{host} answered {}: {todo}", reply.status))
            }
            Err(why) => Err(format!("{host} cannot be told: {}", words(why))),
        }
    }
}

fn words(why: Transport) -> String {
    match why {
        Transport::Dns => "its name cannot be found: check the address".into(),
        Transport::DnsSilent => "no name server (DNS) answers: check this machine's network".into(),
        Transport::Refused => "nothing listens there: check the address".into(),
        Transport::Unreachable => "there is no way to it: check this machine's network".into(),
        Transport::Untrusted(why) => format!("its certificate is not trusted ({why})"),
        Transport::NotTls => "it does not speak TLS there: check the address".into(),
        Transport::NoConnection | Transport::Timeout => {
            format!("it did not answer within {} s", PATIENCE_MS / 1000)
        }
        Transport::Cut => "the connection ended before it answered".into(),
        Transport::Other(why) => why,
    }
}
