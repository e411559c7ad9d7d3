//! The same for one who watches (WHEP): `hawker watch` and the monitors of a show. What helps there is another address
//! or token, never an output's settings.

use url::Url;

use super::{clean, failure, is_web_page, place, retry_after, shown, words};
use crate::{
    base::Secret,
    whip::{
        Failure, Kind,
        session::{BodyEnd, Response, Transport},
    },
};

/// Whether the other end makes an offer of its own instead of taking ours (draft-ietf-wish-whep, counter-offer).
pub(super) fn is_counter_offer(response: &Response) -> bool {
    let body = response.body.trim_start();
    body.starts_with("v=0") && (response.status == 406 || body.contains("a=setup:actpass"))
}

fn counter_offer(url: &Url, response: &Response) -> Failure {
    let sentence = format!(
        "{} answers with an offer of its own ({}), which hawker does not take: it watches servers that answer the \
         viewer's offer; look for such an address in that server's settings",
        shown(url),
        response.status
    );
    failure(sentence, Kind::Lasting)
}

/// The POST was answered with something that is neither success nor a redirect to follow.
pub(super) fn status(url: &Url, response: &Response, token: Option<&Secret>) -> Failure {
    use Kind::{Lasting, Passing};
    if is_counter_offer(response) {
        return counter_offer(url, response);
    }
    let (at, code, says) = (shown(url), response.status, words(response, token));
    let (kind, sentence) = match code {
        300..=399 => (
            Lasting,
            format!(
                "{at} redirects in a way that may not be followed ({code}; only 307 and 308 may){says}: give the \
                 stream's final address"
            ),
        ),
        401 if token.is_some() => (
            Lasting,
            format!(
                "{at} refuses the token (401){says}: check the secret that the token's reference names"
            ),
        ),
        401 => (
            Lasting,
            format!(
                "{at} asks for a token (401){says}: say where it is kept, env:NAME or file:PATH (--token of hawker \
                 watch, token of a [[monitor]])"
            ),
        ),
        403 => (
            Lasting,
            format!(
                "{at} does not let this viewer in (403){says}: check the address, and what the token allows"
            ),
        ),
        404 | 410 => (
            Passing,
            format!(
                "there is no stream at this path of {at} ({code}){says}: check the address, or wait until the stream \
                 begins"
            ),
        ),
        405 => (
            Lasting,
            format!(
                "{at} takes no POST at this path (405){says}: check that it is a WHEP endpoint"
            ),
        ),
        406 | 415 | 422 => (
            Lasting,
            format!(
                "{at} has nothing that this viewer can take ({code}){says}: hawker decodes H.264, VP8 and Opus"
            ),
        ),
        408 | 409 | 425 | 429 => {
            (Passing, format!("{at} asks for patience ({code}){says}: hawker waits and asks again"))
        }
        503 => (
            Passing,
            format!("{at} takes no more viewers now (503){says}: hawker waits and asks again"),
        ),
        400..=499 => (
            Lasting,
            format!("{at} refuses the request ({code}){says}: check that it is a WHEP endpoint"),
        ),
        500..=599 => (Passing, format!("{at} failed ({code}){says}: its own log knows more")),
        _ => (
            Lasting,
            format!(
                "{at} answers with status {code}, which means nothing here{says}: check that it is a WHEP endpoint"
            ),
        ),
    };
    let retry_after = if code >= 400 { retry_after(response) } else { None };
    Failure { sentence, kind, retry_after }
}

/// A 2xx whose body is no usable answer.
pub(super) fn bad_answer(url: &Url, response: &Response, why: &str) -> Failure {
    use Kind::{Lasting, Passing};
    let at = shown(url);
    if is_counter_offer(response) {
        return counter_offer(url, response);
    }
    if is_web_page(response) {
        return failure(
            format!(
                "{at} answers with a web page: give the stream's WHEP address, not that of its page"
            ),
            Lasting,
        );
    }
    let (kind, sentence) = match response.end {
        BodyEnd::TooLong => (
            Lasting,
            format!("the answer of {at} is longer than 64 KiB, which no session description is"),
        ),
        BodyEnd::Late => (
            Passing,
            format!("the answer of {at} never ended and was cut off: its own log knows more"),
        ),
        BodyEnd::Cut => return transport(url, &Transport::Cut, 0),
        BodyEnd::Whole if response.body.trim().is_empty() => (
            Lasting,
            format!(
                "{at} said yes ({}) without a session description: check that it is a WHEP endpoint",
                response.status
            ),
        ),
        BodyEnd::Whole => (Lasting, format!("the answer of {at} {why}")),
    };
    failure(sentence, kind)
}

/// No answer came.
pub(super) fn transport(url: &Url, error: &Transport, limit_ms: u64) -> Failure {
    use Kind::{Lasting, Passing};
    let (host, place) = (url.host_str().unwrap_or("?"), place(url));
    let (kind, sentence) = match error {
        Transport::Dns => (
            Passing,
            format!(
                "the name {host} cannot be found: check the address and this machine's network"
            ),
        ),
        Transport::DnsSilent => (
            Passing,
            format!(
                "the name {host} was not resolved in time: no name server (DNS) answers; check this machine's \
                 network and its name servers"
            ),
        ),
        Transport::Refused => (
            Passing,
            format!("nothing listens at {place}: connection refused; is the server running?"),
        ),
        Transport::Unreachable => (
            Passing,
            format!("{place} cannot be reached: check this machine's network and firewall"),
        ),
        Transport::NoConnection => (
            Passing,
            format!(
                "{place} accepts no connection in time: check the address, this machine's network and the \
                 firewalls between"
            ),
        ),
        Transport::Untrusted(why) => (
            Lasting,
            format!(
                "the certificate of {host} is not trusted: {}; correct the address, or name a file with the authority \
                 that signed it (--ca of hawker watch)",
                clean(why, None)
            ),
        ),
        Transport::NotTls => (
            Lasting,
            format!("{place} does not speak TLS: check the address (its port, and http or https)"),
        ),
        Transport::Timeout => (
            Passing,
            format!(
                "{place} did not answer within {} s: check that the server is well, and this machine's network",
                limit_ms.div_ceil(1000)
            ),
        ),
        Transport::Cut => (
            Passing,
            format!("{place} hung up before its answer was complete: its own log knows more"),
        ),
        Transport::Other(why) => (
            Passing,
            format!(
                "talking to {place} failed ({}): check that it is a WHEP endpoint",
                clean(why, None)
            ),
        ),
    };
    failure(sentence, kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whip::Role;
    use crate::whip::answer::Unusable;

    fn url() -> Url {
        "https://h.example/secret-path".parse().unwrap()
    }

    fn said(code: u16, body: &str) -> Failure {
        let response = Response { status: code, body: body.into(), ..Response::default() };
        super::super::status(Role::Whep, &url(), &response, None)
    }

    #[test]
    fn every_status_has_words_for_a_viewer_and_none_of_a_publishers() {
        for code in (300..600).chain([0, 100, 199]) {
            let words = said(code, "").sentence;
            for not in ["'to'", "'token'", "profile", "ingest", "ca = ", "secret-path"] {
                assert!(!words.contains(not), "{code}: {words}");
            }
        }
        for (code, part) in [
            (401, "--token"),
            (403, "does not let this viewer in"),
            (404, "no stream at this path"),
            (503, "no more viewers"),
            (302, "final address"),
        ] {
            assert!(said(code, "").sentence.contains(part), "{code}: {}", said(code, "").sentence);
        }
    }

    #[test]
    fn an_offer_of_its_own_is_known_and_not_repeated() {
        let offer =
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\na=fingerprint:sha-256 CD:EB\r\na=setup:actpass\r\n";
        let response = Response { status: 201, body: offer.into(), ..Response::default() };
        let of_201 = super::super::bad_answer(
            Role::Whep,
            &url(),
            &response,
            &Unusable { why: "x".into(), todo: None },
        );
        for words in [said(406, offer).sentence, of_201.sentence] {
            assert!(words.contains("an offer of its own") && !words.contains("CD:EB"), "{words}");
        }
        assert!(said(406, "I make the offers").sentence.contains("(it says: I make the offers)"));
    }

    #[test]
    fn no_transport_error_speaks_of_outputs() {
        for error in [
            Transport::Dns,
            Transport::Refused,
            Transport::Unreachable,
            Transport::NoConnection,
            Transport::Untrusted("x".into()),
            Transport::NotTls,
            Transport::Timeout,
            Transport::Cut,
            Transport::Other("x".into()),
        ] {
            let words = super::super::transport(Role::Whep, &url(), &error, 10_000).sentence;
            assert!(!words.contains("'to'") && !words.contains("secret-path"), "{words}");
        }
    }
}
