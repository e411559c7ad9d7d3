//! STUN and TURN servers: the address as it is written (RFC 7064, RFC 7065), and what `Link` headers say of them
//! (RFC 8288, RFC 9725 section 4.6). Text only; nothing is resolved. What is read here comes from strangers: it is
//! bounded, and what is not understood is left out.

use std::fmt;

use crate::base::Secret;

/// More than any ingest names.
pub const MAX_SERVERS: usize = 16;
/// Longest header that is read, in bytes.
const MAX_HEADER: usize = 8 * 1024;
/// Longest address, user or password, in bytes.
const MAX_VALUE: usize = 512;
/// More parameters than any link has.
const MAX_PARAMETERS: usize = 32;

/// What a server does, and how it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceKind {
    /// STUN over UDP: says what our address looks like from outside.
    Stun,
    /// TURN over UDP: relays.
    Turn,
    /// TURN over TCP.
    TurnTcp,
    /// TURN over TLS.
    TurnTls,
}

impl IceKind {
    /// Whether it relays.
    pub const fn relays(self) -> bool {
        !matches!(self, Self::Stun)
    }
}

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// What it does.
    pub kind: IceKind,
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user, for TURN.
    pub user: Option<String>,
    /// The password, for TURN.
    pub credential: Option<Secret>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("at", &self.to_string()).finish_non_exhaustive()
    }
}

/// As it is written, without user and password.
impl fmt::Display for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, end) = match self.kind {
            IceKind::Stun => ("stun", ""),
            IceKind::Turn => ("turn", ""),
            IceKind::TurnTcp => ("turn", "?transport=tcp"),
            IceKind::TurnTls => ("turns", ""),
        };
        write!(f, "{scheme}:{}:{}{end}", self.bracketed(), self.port)
    }
}

/// Why an address is none of a STUN or TURN server that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IceServerError {
    /// Another scheme.
    #[error("it does not begin with stun:, turn: or turns:")]
    Scheme,
    /// DTLS, or STUN over TLS, which nothing here speaks.
    #[error("hawker speaks STUN over UDP, and TURN over UDP, TCP and TLS")]
    Transport,
    /// No name and no address.
    #[error("it names no host")]
    Host,
    /// Not 1-65535.
    #[error("its port is no number from 1 to 65535")]
    Port,
}

impl IceServer {
    /// Reads `stun:host:port`, `turn:host:port?transport=udp|tcp` or `turns:host:port`. Without a port it is 3478,
    /// 5349 for `turns:`. Two slashes after the scheme, which some servers write, are no matter.
    ///
    /// # Errors
    /// When it is none, or one that cannot be used.
    pub fn parse(
        uri: &str,
        user: Option<String>,
        credential: Option<Secret>,
    ) -> Result<Self, IceServerError> {
        let (scheme, rest) = uri.trim().split_once(':').ok_or(IceServerError::Scheme)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let transport = query.split('&').find_map(|q| q.strip_prefix("transport="));
        let transport = transport.map(str::to_ascii_lowercase);
        let kind = match (scheme.to_ascii_lowercase().as_str(), transport.as_deref()) {
            ("stun", None | Some("udp")) => IceKind::Stun,
            ("turn", None | Some("udp")) => IceKind::Turn,
            ("turn", Some("tcp")) => IceKind::TurnTcp,
            ("turns", None | Some("tcp")) => IceKind::TurnTls,
            ("stun" | "stuns" | "turn" | "turns", _) => return Err(IceServerError::Transport),
            _ => return Err(IceServerError::Scheme),
        };
        let place = place.strip_prefix("//").unwrap_or(place);
        let (host, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
            Some((host, after)) => (host, after.strip_prefix(':')),
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let named = place.starts_with('[') && host.parse::<std::net::Ipv6Addr>().is_ok()
            || !host.is_empty()
                && host.len() <= 253
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !named {
            return Err(IceServerError::Host);
        }
        let port = match port {
            None if kind == IceKind::TurnTls => 5349,
            None => 3478,
            Some(port) => {
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                port.parse().ok().filter(|p| digits && *p > 0).ok_or(IceServerError::Port)?
            }
        };
        Ok(Self { kind, host: host.to_owned(), port, user, credential })
    }

    /// The host as it stands in an address.
    pub fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// The servers that `Link` headers name, each once, in their order. Other relations, servers that cannot be used,
/// and relays without user and password are left out.
pub fn ice_servers<S: AsRef<str>>(headers: &[S]) -> Vec<IceServer> {
    let mut servers: Vec<IceServer> = Vec::new();
    for header in headers.iter().map(AsRef::as_ref).filter(|h| h.len() <= MAX_HEADER) {
        let mut rest = header;
        while let Some((link, after)) = next_link(rest) {
            rest = after;
            if servers.len() >= MAX_SERVERS {
                return servers;
            }
            servers.extend(server_of(&link).filter(|s| !servers.contains(s)));
        }
    }
    servers
}

/// A link-value: its target, and its parameters with names in lower case.
struct Link<'a> {
    target: &'a str,
    parameters: Vec<(String, String)>,
}

impl Link<'_> {
    /// The first of that name: what follows of the same name does not count (RFC 8288, section 3).
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

fn server_of(link: &Link<'_>) -> Option<IceServer> {
    let relation = link.parameter("rel")?;
    if !relation.split_ascii_whitespace().any(|r| r.eq_ignore_ascii_case("ice-server")) {
        return None;
    }
    if link.parameter("credential-type").is_some_and(|t| !t.eq_ignore_ascii_case("password")) {
        return None;
    }
    let value = |name: &str| {
        let value = link.parameter(name)?;
        let fit =
            !value.is_empty() && value.len() <= MAX_VALUE && !value.chars().any(char::is_control);
        fit.then(|| value.to_owned())
    };
    let (user, credential) = (value("username"), value("credential").map(Secret::new));
    if link.target.len() > MAX_VALUE {
        return None;
    }
    let server = IceServer::parse(link.target, user, credential).ok()?;
    let whole = !server.kind.relays() || server.user.is_some() && server.credential.is_some();
    whole.then_some(server)
}

/// The next link-value and what follows it. What is no link is skipped.
fn next_link(text: &str) -> Option<(Link<'_>, &str)> {
    let (target, mut rest) = text[text.find('<')? + 1..].split_once('>')?;
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(after) = rest.strip_prefix(';') else { break };
        rest = after.trim_start();
        let end = rest
            .find(|c: char| c == '=' || c == ';' || c == ',' || c.is_whitespace())
            .unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = parameter_value(after.trim_start());
        }
        if !name.is_empty() && parameters.len() < MAX_PARAMETERS {
            parameters.push((name, value));
        }
    }
    // To the comma that ends this one; what stands before it is broken and is nobody's.
    rest = rest.find(',').map_or("", |comma| &rest[comma + 1..]);
    Some((Link { target: target.trim(), parameters }, rest))
}

/// A token, or a quoted string with its escapes taken out (RFC 9110, section 5.6.4).
fn parameter_value(text: &str) -> (String, &str) {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        return (text[..end].trim_end().to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in inside.char_indices() {
        if escaped {
            value.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' {
            return (value, &inside[at + 1..]);
        } else {
            value.push(c);
        }
    }
    // It never closes: there is nothing behind it.
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[&str]) -> Vec<String> {
        let shown = |s: &IceServer| {
            let word = s.credential.as_ref().map_or("-", |c| c.expose());
            format!("{s} {} {word}", s.user.as_deref().unwrap_or("-"))
        };
        ice_servers(headers).iter().map(shown).collect()
    }

    #[test]
    fn the_rfcs_own_example() {
        let headers = [
            "<stun:stun.example.net>; rel=\"ice-server\"",
            "<turn:turn.example.net?transport=udp>; rel=\"ice-server\"; username=\"user\"; \
             credential=\"myPassword\"; credential-type=\"password\"",
            "<turn:turn.example.net?transport=tcp>; rel=\"ice-server\"; username=\"user\"; \
             credential=\"myPassword\"; credential-type=\"password\"",
            "<turns:turn.example.net?transport=tcp>; rel=\"ice-server\"; username=\"user\"; \
             credential=\"myPassword\"; credential-type=\"password\"",
        ];
        let want = [
            "stun:stun.example.net:3478 - -",
            "turn:turn.example.net:3478 user myPassword",
            "turn:turn.example.net:3478?transport=tcp user myPassword",
            "turns:turn.example.net:5349 user myPassword",
        ];
        assert_eq!(read(&headers), want);
        assert_eq!(read(&[&headers.join(", ")]), want, "joined by commas");
        assert_eq!(read(&[&headers.join(",")]), want, "joined by bare commas");
    }

    #[test]
    fn what_servers_write_beside_the_rfc() {
        let cases = [
            ("<stun:s>;rel=ice-server", "stun:s:3478 - -"),
            ("<stun://s:19302>; REL=\"ICE-Server\"", "stun:s:19302 - -"),
            (
                "<turn:[2001:db8::1]:99>; rel=ice-server; username=u; credential=p",
                "turn:[2001:db8::1]:99 u p",
            ),
            (
                "<turn:t>; username=\"a:b\\\"c,d;e\"; credential=\"p=,;\\\\\"; rel=\"x ice-server\"",
                "turn:t:3478 a:b\"c,d;e p=,;\\",
            ),
            (
                "<https://h/sse>; rel=\"urn:ietf:params:whep:ext:core:server-sent-events\"; \
              events=\"a,b\", <stun:s>; rel=ice-server",
                "stun:s:3478 - -",
            ),
            ("garbage <stun:s>; rel=ice-server; rel=next", "stun:s:3478 - -"),
            ("<stun:s> ; rel = \"ice-server\" ; flag ; x", "stun:s:3478 - -"),
        ];
        for (header, want) in cases {
            assert_eq!(read(&[header]), [want], "{header}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_left_out() {
        for header in [
            "",
            "<",
            "<>",
            "stun:s; rel=ice-server",
            "<stun:s",
            "<stun:s>",
            "<stun:s>; rel=next",
            "<stun:s>; rel=next; rel=ice-server",
            "<stun:>; rel=ice-server",
            "<stun:a b>; rel=ice-server",
            "<stun:s:0>; rel=ice-server",
            "<stun:s:65536>; rel=ice-server",
            "<stun:s:+5>; rel=ice-server",
            "<stuns:s>; rel=ice-server",
            "<turn:t>; rel=ice-server",
            "<turn:t>; rel=ice-server; username=u",
            "<turn:t>; rel=ice-server; username=u; credential=\"\"",
            "<turn:t>; rel=ice-server; username=u; credential=p; credential-type=oauth",
            "<turn:t?transport=sctp>; rel=ice-server; username=u; credential=p",
            "<turns:t?transport=udp>; rel=ice-server; username=u; credential=p",
            "<https://t>; rel=ice-server",
            "<turn:u:p@t>; rel=ice-server; username=u; credential=p",
        ] {
            assert_eq!(read(&[header]), [""; 0], "{header}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let many: Vec<String> = (0..1000).map(|n| format!("<stun:s{n}>; rel=ice-server")).collect();
        assert_eq!(ice_servers(&many).len(), MAX_SERVERS);
        assert!(read(&[&format!("{}<stun:s>; rel=ice-server", " ".repeat(MAX_HEADER))]).is_empty());
        let same = ["<stun:s>; rel=ice-server"; 3];
        assert_eq!(read(&same).len(), 1);
        let long = "x".repeat(MAX_VALUE + 1);
        let long = format!("<turn:t>; rel=ice-server; username={long}; credential=p");
        assert!(read(&[&long]).is_empty());
    }

    #[test]
    fn its_password_is_not_printed() {
        let server = &ice_servers(&["<turn:t>; rel=ice-server; username=u; credential=hu5h"])[0];
        assert!(!format!("{server:?} {server}").contains("hu5h"));
    }

    proptest! {
        /// Whatever a server writes: no panic, and what is taken can be written down and read again.
        #[test]
        fn any_header_is_read_or_left(
            headers in prop::collection::vec(
                prop_oneof![
                    ".{0,80}",
                    "<(stun|turns?):[a-z.:\\[\\]0-9?=]{0,20}>(;[ a-z-]{0,12}=\"?[a-z,;<>\\\\]{0,8}\"?){0,5}",
                    "(<turns?:[a-z]{1,8}(:[0-9]{1,6})?>; rel=\"ice-server\"; username=\".{1,8}\"; credential=\".{1,8}\",? ?){1,20}",
                ],
                0..6,
            ),
        ) {
            let servers = ice_servers(&headers);
            prop_assert!(servers.len() <= MAX_SERVERS);
            for server in servers {
                prop_assert!(!server.kind.relays() || server.credential.is_some());
                let again = IceServer::parse(
                    &server.to_string(), server.user.clone(), server.credential.clone());
                prop_assert_eq!(again, Ok(server));
            }
        }
    }
}
