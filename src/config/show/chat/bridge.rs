//! `kind = "bridge"`: a program of others that is reached by WebSocket. Its secret is named by reference, never part of
//! the address, and the address is not repeated in a message.

use url::Url;

use super::{Fields, Findings, Place, is_loopback, secret_ref};
use crate::chat::spec::{Bridge, Server, Service, Transport};

/// The words of the key `bridge`.
const BRIDGES: [(&str, Bridge); 3] = [
    ("social-stream", Bridge::SocialStream),
    ("streamer-bot", Bridge::StreamerBot),
    ("restream", Bridge::Restream),
];
/// Where each is by default (their documentation): this machine, or the service itself.
const fn usual(bridge: Bridge) -> &'static str {
    match bridge {
        Bridge::SocialStream => "ws://127.0.0.1:3000",
        Bridge::StreamerBot => "ws://127.0.0.1:8080",
        Bridge::Restream => "wss://chat.api.restream.io/ws",
    }
}

pub(super) fn read(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    let todo = "write bridge = \"social-stream\", \"streamer-bot\" or \"restream\"";
    fields.missing(findings, "bridge", todo);
    let bridge = fields.choice(findings, "bridge", &BRIDGES);
    let address = fields.text(findings, "url");
    let session = secret_ref(fields, "session", place.base_dir, findings);
    let token = secret_ref(fields, "token", place.base_dir, findings);
    let bridge = bridge?;
    let wanted = match bridge {
        Bridge::SocialStream => Some("session"),
        Bridge::Restream => Some("token"),
        Bridge::StreamerBot => None,
    };
    if let Some(key) = wanted {
        fields.missing(findings, key, &format!("write {key} = \"env:NAME\" or \"file:PATH\""));
    }
    for key in ["session", "token"] {
        if let (Some(value), true) = (fields.value(key), wanted != Some(key)) {
            let what = format!("{} takes no {key}", bridge.name());
            findings.add(&value.span(), what, "take it out");
        }
    }
    let (text, span) = address.unwrap_or((usual(bridge), fields.span().clone()));
    let (server, transport, path) = match read_address(text) {
        Ok(address) => address,
        Err((what, todo)) => {
            findings.add(&span, what, todo);
            return None;
        }
    };
    let secret = match wanted {
        Some("session") => Some(session?),
        Some(_) => Some(token?),
        None => None,
    };
    Some(Service::Bridge { bridge, server, transport, path, secret })
}

type Wrong = (&'static str, &'static str);

/// What is said of a wrong address must not hold any part of it.
fn read_address(text: &str) -> Result<(Server, Transport, String), Wrong> {
    let wrong = ("this is no address of a WebSocket", "write \"wss://HOST:PORT/PATH\"");
    let url = Url::parse(text).map_err(|_| wrong)?;
    let transport = match url.scheme() {
        "wss" => Transport::Tls,
        "ws" if is_loopback(&url) => Transport::Tcp,
        "ws" => {
            return Err((
                "the chat and its secret would cross the network in plain text",
                "write wss://, or reach the bridge on this machine by ws://127.0.0.1:PORT",
            ));
        }
        _ => return Err(wrong),
    };
    let login = !url.username().is_empty() || url.password().is_some();
    // Social Stream Ninja's other form, /join/SESSION, has the secret in the path.
    let in_path = url.path().starts_with("/join/") || url.path().starts_with("/sse/");
    if login || in_path || url.query().is_some() || url.fragment().is_some() {
        return Err((
            "the address holds more than a host and a path: that may be a secret",
            "end it after the path, and name the secret by session or token",
        ));
    }
    let host = url.host_str().ok_or(wrong)?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().ok_or(wrong)?;
    Ok((Server { host, port }, transport, url.path().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_for_this_machine_only() {
        let read =
            |text| read_address(text).map(|(server, how, path)| (server.to_string(), how, path));
        let at = |server: &str, how, path: &str| Ok((server.to_owned(), how, path.to_owned()));
        assert_eq!(read("ws://[::1]:8080"), at("[::1]:8080", Transport::Tcp, "/"));
        assert_eq!(read("wss://a.example/ws"), at("a.example:443", Transport::Tls, "/ws"));
        for plain in ["ws://a.example/ws", "ws://10.0.0.1:3000"] {
            assert!(read(plain).unwrap_err().0.contains("plain text"), "{plain}");
        }
        for wrong in ["", "a.example", "http://127.0.0.1", "wss://"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_in_the_address_is_refused_and_not_repeated() {
        for address in [
            "wss://a.example/ws?accessToken=s3cr3t",
            "wss://s3cr3t@a.example/",
            "wss://io.socialstream.ninja/join/s3cr3t/4",
            "wss://a.example/#s3cr3t",
        ] {
            let (what, todo) = read_address(address).unwrap_err();
            assert!(what.contains("secret") && !format!("{what}{todo}").contains("s3cr3t"));
        }
    }
}
