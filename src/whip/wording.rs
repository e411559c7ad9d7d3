//! What the operator reads when a session fails: status codes, transport errors and the other end's own
//! words, cleaned. No state; every sentence says what, why, and what to do next.

use std::time::Duration;

use url::Url;

use super::{
    Failure, Kind, Role,
    kin::{place, shown},
    session::{BodyEnd, Response, Transport},
};
use crate::base::{Secret, text::plain};

/// The other end's own words, at most this many characters.
const MAX_WORDS: usize = 200;
/// Longest `Retry-After` believed.
const MAX_RETRY: Duration = Duration::from_hours(24);

pub(super) fn failure(sentence: impl Into<String>, kind: Kind) -> Failure {
    Failure { sentence: sentence.into(), kind, retry_after: None }
}

/// A line that is safe to draw: no control or bidirectional characters, no token, single spaces.
pub(super) fn clean(text: &str, token: Option<&Secret>) -> String {
    let mut line = String::new();
    // Long enough to find a token that straddles the cut.
    let head: String = text.chars().take(8 * MAX_WORDS).collect();
    for c in plain(&head).chars() {
        if c != ' ' || !(line.is_empty() || line.ends_with(' ')) {
            line.push(c);
        }
    }
    if let Some(token) = token.filter(|token| !token.expose().is_empty()) {
        line = line.replace(token.expose(), "…");
    }
    let line = line.trim().trim_end_matches('.');
    if line.chars().count() <= MAX_WORDS {
        return line.to_owned();
    }
    line.chars().take(MAX_WORDS - 1).collect::<String>() + "…"
}

/// Whether the body is a page for browsers. A body without markup is none, whatever it is called: Express sends plain
/// words as `text/html`, and so does the WHIP server of Janus.
pub(super) fn is_web_page(response: &Response) -> bool {
    let kind = response.content_type.as_deref().unwrap_or_default().to_ascii_lowercase();
    let body = response.body.trim_start();
    body.starts_with('<') || (kind.starts_with("text/html") && body.contains('<'))
}

/// What the other end says about it: problem details (RFC 9457), other JSON, or plain text.
fn words(response: &Response, token: Option<&Secret>) -> String {
    if response.body.trim().is_empty() || is_web_page(response) {
        return String::new();
    }
    let json = serde_json::from_str::<serde_json::Value>(&response.body).ok();
    let text = match json.as_ref().and_then(serde_json::Value::as_object) {
        Some(object) => {
            let field = |name: &str| object.get(name).and_then(serde_json::Value::as_str);
            let parts: Vec<&str> = match (field("title"), field("detail")) {
                (None, None) => {
                    ["message", "error"].into_iter().filter_map(field).take(1).collect()
                }
                (title, detail) => title.into_iter().chain(detail).collect(),
            };
            parts.join(": ")
        }
        None => response.body.clone(),
    };
    let text = clean(&text, token);
    if text.is_empty() { text } else { format!(" (it says: {text})") }
}

/// `Retry-After` as a wait. A date is taken against the answer's own `Date`, so no clock is needed.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.retry_after.as_deref()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let wait = text.parse().map_or(MAX_RETRY, Duration::from_secs);
        return Some(wait.min(MAX_RETRY));
    }
    let at = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp());
    let wait = at(text)?.as_second() - at(response.date.as_deref()?.trim())?.as_second();
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)).min(MAX_RETRY))
}

/// Whether the other end's own words say that the place is taken for now.
fn busy(says: &str) -> bool {
    let says = says.to_ascii_lowercase();
    let taken = ["in use", "busy", "already", "occupied", "conflict", "taken", "duplicate"];
    taken.iter().any(|word| says.contains(word))
}

/// The POST was answered with something that is neither success nor a redirect to follow.
pub(super) fn status(
    role: Role,
    url: &Url,
    response: &Response,
    token: Option<&Secret>,
) -> Failure {
    let (peer, endpoint, at) = (role.peer(), role.endpoint(), shown(url));
    let (code, says) = (response.status, words(response, token));
    use Kind::{Busy, Lasting, Passing};
    let busy_at = |says: &str| {
        let sentence = format!(
            "{peer} at {at} is busy ({code}){says}: another stream is on under this name; end it, or wait \
             until it is let go"
        );
        (Busy, sentence)
    };
    let (kind, sentence) = match code {
        300..=399 => (
            Lasting,
            format!(
                "{peer} at {at} answers with a redirect that may not be followed ({code}; only 307 \
                 and 308 may){says}: set 'to' to its final address"
            ),
        ),
        401 if token.is_some() => (
            Lasting,
            format!("{peer} refused the token (401){says}: check the secret that 'token' names"),
        ),
        401 => (
            Lasting,
            format!(
                "{peer} asks for a token (401){says}: set 'token' to where the secret is \
                 (env:NAME or file:PATH)"
            ),
        ),
        // Janus says 403, MediaMTX 400, some a 5xx, where others say 409.
        409 => busy_at(&says),
        400 | 403 | 423 | 500..=599 if busy(&says) => busy_at(&says),
        403 => (
            Lasting,
            format!(
                "{peer} at {at} does not let this stream in (403){says}: check 'to' and that \
                 'token' may be used there; some say this when another stream is on"
            ),
        ),
        404 | 410 => (
            Lasting,
            format!("there is no {endpoint} at this path of {at} ({code}){says}: check 'to'"),
        ),
        405 => (
            Lasting,
            format!(
                "{at} takes no POST at this path (405){says}: check that 'to' is its {endpoint}"
            ),
        ),
        406 | 415 | 422 => (
            Lasting,
            format!(
                "{peer} at {at} does not take what is offered ({code}){says}: check its codecs \
                 and limits, and choose another profile"
            ),
        ),
        408 | 425 | 429 => (
            Passing,
            format!(
                "{peer} at {at} asks for patience ({code}){says}: hawker waits and tries again"
            ),
        ),
        503 => (
            Passing,
            format!("{peer} at {at} is not ready (503){says}: hawker waits and tries again"),
        ),
        400..=499 => (
            Lasting,
            format!("{peer} at {at} refused the request ({code}){says}: check 'to' and 'token'"),
        ),
        500..=599 => {
            (Passing, format!("{peer} at {at} failed ({code}){says}: its own log knows more"))
        }
        _ => (
            Lasting,
            format!(
                "{at} answers with status {code}, which means nothing here{says}: check that \
                 'to' is its {endpoint}"
            ),
        ),
    };
    let retry_after = if code >= 400 { retry_after(response) } else { None };
    Failure { sentence, kind, retry_after }
}

/// A 2xx whose body is no usable answer.
pub(super) fn bad_answer(role: Role, url: &Url, response: &Response, why: &str) -> Failure {
    let (peer, endpoint, at) = (role.peer(), role.endpoint(), shown(url));
    if is_web_page(response) {
        return failure(
            format!("{at} answers with a web page: this is not a {endpoint}; check 'to'"),
            Kind::Lasting,
        );
    }
    match response.end {
        BodyEnd::TooLong => failure(
            format!(
                "the answer of {at} is longer than 64 KiB, which no session description is: \
                 check that 'to' is its {endpoint}"
            ),
            Kind::Lasting,
        ),
        BodyEnd::Late => failure(
            format!("the answer of {at} never ended and was cut off: its own log knows more"),
            Kind::Passing,
        ),
        BodyEnd::Cut => transport(role, url, &Transport::Cut, 0),
        BodyEnd::Whole if response.body.trim().is_empty() => failure(
            format!(
                "{at} said yes ({}) without a session description: check that 'to' is its \
                 {endpoint}",
                response.status
            ),
            Kind::Lasting,
        ),
        BodyEnd::Whole => failure(
            format!(
                "the answer of {peer} at {at} {why}: check that 'to' is its {endpoint}, and that \
                 it takes this profile's codecs"
            ),
            Kind::Lasting,
        ),
    }
}

/// No answer came. `limit_ms` is how long was waited for, where that matters.
pub(super) fn transport(role: Role, url: &Url, error: &Transport, limit_ms: u64) -> Failure {
    let (peer, host, place) = (role.peer(), url.host_str().unwrap_or("?"), place(url));
    use Kind::{Lasting, Passing};
    let (kind, sentence) = match error {
        Transport::Dns => (
            Passing,
            format!("the name {host} cannot be found: check 'to' and this machine's network"),
        ),
        Transport::Refused => {
            (Passing, format!("nothing listens at {place}: connection refused; is {peer} running?"))
        }
        Transport::Unreachable => (
            Passing,
            format!("{place} cannot be reached: check this machine's network and firewall"),
        ),
        Transport::NoConnection => (
            Passing,
            format!(
                "{place} accepts no connection in time: check 'to', this machine's network and \
                 the firewalls between"
            ),
        ),
        Transport::Untrusted(why) => (
            Lasting,
            format!(
                "the certificate of {host} is not trusted: {}; correct 'to', or name a file with the \
                 authority that signed it: ca = \"…\"",
                clean(why, None)
            ),
        ),
        Transport::NotTls => (
            Lasting,
            format!("{place} does not speak TLS: check 'to' (its port, and http or https)"),
        ),
        Transport::Timeout => (
            Passing,
            format!("{peer} at {place} did not answer within {} s", limit_ms.div_ceil(1000))
                + ": check that it is well, and this machine's network",
        ),
        Transport::Cut => (
            Passing,
            format!(
                "{peer} at {place} hung up before its answer was complete: its own log knows more"
            ),
        ),
        Transport::Other(why) => (
            Passing,
            format!(
                "talking to {peer} at {place} failed ({}): check that 'to' is its {}",
                clean(why, None),
                role.endpoint()
            ),
        ),
    };
    failure(sentence, kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_403_that_says_busy_passes() {
        let url: Url = "https://h/x".parse().unwrap();
        let said = |body: &str| {
            let response = Response { status: 403, body: body.into(), ..Response::default() };
            status(Role::Whip, &url, &response, None)
        };
        let busy = said("Endpoint ID already in use");
        assert_eq!(busy.kind, Kind::Busy);
        assert!(busy.sentence.contains("is busy (403) (it says: Endpoint ID already in use)"));
        assert_eq!(said("Unauthorized").kind, Kind::Lasting);
        assert_eq!(said("").kind, Kind::Lasting);
    }

    /// As each server words it, with the type it gives its words.
    #[test]
    fn a_place_that_is_taken_is_known_by_the_words_of_each_server() {
        let url: Url = "https://h/x".parse().unwrap();
        let said = |status: u16, kind: &str, body: &str| {
            let content_type = Some(kind.to_owned());
            let response =
                Response { status, content_type, body: body.into(), ..Response::default() };
            super::status(Role::Whip, &url, &response, None)
        };
        let html = "text/html; charset=utf-8";
        for (status, kind, body) in [
            (403, html, "Endpoint ID already in use"),
            (403, "Text/HTML", "  Endpoint ID already in use\n"),
            (409, html, ""),
            (409, "text/plain", "stream exists"),
            (400, "application/json", r#"{"error":"someone is already publishing to path 'x'"}"#),
            (500, "text/plain", "StreamBusy"),
        ] {
            let failure = said(status, kind, body);
            assert_eq!(failure.kind, Kind::Busy, "{status} {body}: {}", failure.sentence);
        }
        // Its words are shown, whatever they are; a page's are not.
        assert!(said(500, html, "Invalid room 77").sentence.contains("it says: Invalid room 77"));
        assert!(said(404, html, "Invalid endpoint").sentence.contains("it says: Invalid endpoint"));
        let page = "Busy <b>page</b> already";
        assert_eq!(said(403, html, page).kind, Kind::Lasting);
        assert!(!said(500, html, page).sentence.contains("it says"));
        let bad = bad_answer(
            Role::Whip,
            &url,
            &Response {
                status: 200,
                content_type: Some(html.into()),
                body: "It works!".into(),
                ..Response::default()
            },
            "is no SDP",
        );
        assert!(!bad.sentence.contains("web page"), "{}", bad.sentence);
    }

    #[test]
    fn foreign_words_are_cleaned() {
        let token = Secret::new("s3cr3t");
        let dirty = "\u{1b}[31mbad\u{202e} \r\n\tto\u{200b}ken s3cr3t.\0";
        assert_eq!(clean(dirty, Some(&token)), "[31mbad token …");
        assert_eq!(clean(&"x".repeat(5000), None).chars().count(), MAX_WORDS);
    }

    #[test]
    fn what_cannot_be_provoked_on_loopback_is_said_too() {
        let url: Url = "https://ingest.example/secret".parse().unwrap();
        let said = |error| transport(Role::Whip, &url, &error, 10_000);
        let dns = said(Transport::Dns);
        assert!(dns.sentence.starts_with("the name ingest.example cannot be found: check 'to'"));
        assert_eq!((dns.kind, dns.retry_after), (Kind::Passing, None));
        let far = said(Transport::Unreachable);
        assert!(far.sentence.starts_with("ingest.example:443 cannot be reached: check"));
        let untrusted = said(Transport::Untrusted("self-signed\u{1b}[2J certificate".into()));
        assert!(untrusted.sentence.contains("not trusted: self-signed[2J certificate; correct"));
        assert_eq!(untrusted.kind, Kind::Lasting);
        assert!(!said(Transport::Other("x".into())).sentence.contains("secret"));
    }

    proptest! {
        /// Whatever a server says when it refuses: one line, not endless, without the token.
        #[test]
        fn any_refusal_is_one_safe_line(
            code in prop_oneof![300_u16..600, any::<u16>()],
            words in prop_oneof![
                ".{0,60}",
                "(\\PC|[\u{0}-\u{1f}\u{202e}\u{200b}]|t0ken-s3cr3t){0,300}",
                "\\{\"(title|detail|message|error)\": ?\"([^\"\\\\]|t0ken-s3cr3t){0,60}\",? ?\"detail\": ?[^}]{0,20}\\}?",
            ],
            kind in prop::option::of("(application/problem\\+json|text/(plain|html)|.{0,12})"),
            retry in prop::option::of("([0-9]{0,30}|.{0,30})"),
        ) {
            let token = Secret::new("t0ken-s3cr3t");
            let url: Url = "https://h.example/secret-path".parse().unwrap();
            let response = Response {
                status: code,
                body: words,
                content_type: kind,
                retry_after: retry,
                ..Response::default()
            };
            let said = status(Role::Whip, &url, &response, Some(&token));
            prop_assert!(!said.sentence.contains(char::is_control), "{:?}", said.sentence);
            prop_assert!(!said.sentence.contains("t0ken-s3cr3t"), "{}", said.sentence);
            prop_assert!(!said.sentence.contains("secret-path"), "{}", said.sentence);
            prop_assert!(said.sentence.chars().count() < 700);
            prop_assert!(said.retry_after.is_none_or(|wait| wait <= MAX_RETRY));
        }
    }

    #[test]
    fn retry_after_needs_no_clock() {
        let with = |retry: &str, date: Option<&str>| {
            retry_after(&Response {
                retry_after: Some(retry.into()),
                date: date.map(Into::into),
                ..Response::default()
            })
        };
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(with("120", None), Some(Duration::from_mins(2)));
        assert_eq!(with("99999999999999999999999", None), Some(MAX_RETRY));
        assert_eq!(with("Sun, 06 Nov 1994 08:50:07 GMT", date), Some(Duration::from_secs(30)));
        assert_eq!(with("Sun, 06 Nov 1994 08:40:07 GMT", date), Some(Duration::ZERO));
        assert_eq!(with("Sun, 06 Nov 1994 08:50:07 GMT", None), None);
        assert_eq!(with("soon", date), None);
    }
}
