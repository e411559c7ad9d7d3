//! The `Host` of a request: one, well formed, and this machine's own where a listener is on loopback. Another name
//! that leads here is a web page that had its own name pointed at us (DNS rebinding).

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Uri, header};

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHost {
    /// None, several, or not a host and a port: RFC 9112, 3.2 asks for a 400.
    Malformed,
    /// Not a name of this machine, and only this machine may ask.
    Foreign,
}

/// Whether a request may be answered by a listener at `listen`.
///
/// # Errors
/// See [`BadHost`].
pub fn check(uri: &Uri, headers: &HeaderMap, listen: SocketAddr) -> Result<(), BadHost> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().map_err(|_| BadHost::Malformed)?,
        // HTTP/1.0 has none; the name is then in nobody's hands but the client's.
        (None, _) => uri.authority().map(axum::http::uri::Authority::as_str).unwrap_or_default(),
        (Some(_), Some(_)) => return Err(BadHost::Malformed),
    };
    // What names a target in full must name the same host (RFC 9112, 3.2.2).
    let of_target = uri.authority().map_or(named, axum::http::uri::Authority::as_str);
    if !of_target.eq_ignore_ascii_case(named) {
        return Err(BadHost::Malformed);
    }
    if !listen.ip().is_loopback() {
        return if named.is_empty() || name_of(named).is_some() {
            Ok(())
        } else {
            Err(BadHost::Malformed)
        };
    }
    match name_of(named) {
        Some(name) if is_own(name) => Ok(()),
        None if !named.is_empty() => Err(BadHost::Malformed),
        _ => Err(BadHost::Foreign),
    }
}

/// `localhost`, or an address of the loopback interface, with or without a port.
pub fn is_own_name(host: &str) -> bool {
    name_of(host).is_some_and(is_own)
}

fn is_own(name: &str) -> bool {
    let name = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The name of `host[:port]`; `None` when that is not what it is (RFC 3986, 3.2.2 and 3.2.3).
fn name_of(host: &str) -> Option<&str> {
    let (name, port) = if host.starts_with('[') {
        let end = host.find(']')?;
        let inside = host.get(1..end)?;
        inside.parse::<std::net::Ipv6Addr>().ok()?;
        (host.get(..=end)?, host.get(end + 1..)?)
    } else {
        let end = host.find(':').unwrap_or(host.len());
        let name = host.get(..end)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || !name.chars().all(plain) {
            return None;
        }
        (name, host.get(end..)?)
    };
    let port_is_one = match port.strip_prefix(':') {
        Some(digits) => {
            digits.is_empty()
                || (digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok())
        }
        None => port.is_empty(),
    };
    port_is_one.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1:8088";

    fn asked(hosts: &[&str], target: &str, listen: &str) -> Result<(), BadHost> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        check(&target.parse().unwrap(), &headers, listen.parse().unwrap())
    }

    #[test]
    fn only_this_machines_names_are_ours() {
        for own in ["localhost", "LOCALHOST:80", "127.0.0.1:9", "127.0.0.2", "[::1]", "[::1]:8080"]
        {
            assert!(is_own_name(own), "{own}");
            assert_eq!(asked(&[own], "/", LOOPBACK), Ok(()), "{own}");
        }
        for other in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:80", "10.0.0.1"] {
            assert!(!is_own_name(other), "{other}");
            assert_eq!(asked(&[other], "/", LOOPBACK), Err(BadHost::Foreign), "{other}");
            assert_eq!(asked(&[other], "/", "10.0.0.1:8088"), Ok(()), "{other}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_everywhere() {
        for broken in [
            "localhost:80@evil.example",
            "evil.example@localhost",
            "localhost:80:80",
            "localhost:99999",
            "localhost/x",
            "[::1",
            "[::1]x",
            "[localhost]",
            "local host",
            ":80",
        ] {
            assert!(!is_own_name(broken), "{broken}");
            for listen in [LOOPBACK, "10.0.0.1:8088"] {
                assert_eq!(asked(&[broken], "/", listen), Err(BadHost::Malformed), "{broken}");
            }
        }
    }

    #[test]
    fn there_is_one_host_and_it_is_the_targets() {
        assert_eq!(asked(&["localhost", "localhost"], "/", LOOPBACK), Err(BadHost::Malformed));
        assert_eq!(asked(&["localhost", "evil.example"], "/", LOOPBACK), Err(BadHost::Malformed));
        assert_eq!(asked(&[], "/", LOOPBACK), Err(BadHost::Foreign));
        assert_eq!(asked(&["localhost"], "http://localhost/x", LOOPBACK), Ok(()));
        assert_eq!(
            asked(&["localhost"], "http://evil.example/", LOOPBACK),
            Err(BadHost::Malformed)
        );
        assert_eq!(
            asked(&["evil.example"], "http://localhost/", LOOPBACK),
            Err(BadHost::Malformed)
        );
    }
}
