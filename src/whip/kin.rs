//! Which hosts may see the token, and where `Location` points. Addresses only; nothing is resolved.

use std::net::IpAddr;

use url::{Host, Url};

/// Second-level names under a two-letter country that are sold like a country of their own.
const SOLD_UNDER_COUNTRIES: [&str; 10] =
    ["ac", "co", "com", "edu", "gob", "gov", "net", "ne", "or", "org"];

/// Names under which anybody can have a host: two of them are strangers to each other.
const SHARED: [&str; 16] = [
    "amazonaws.com",
    "azurewebsites.net",
    "cloudapp.net",
    "cloudfront.net",
    "duckdns.org",
    "fly.dev",
    "github.io",
    "herokuapp.com",
    "netlify.app",
    "ngrok.app",
    "ngrok.io",
    "pages.dev",
    "run.app",
    "trycloudflare.com",
    "vercel.app",
    "workers.dev",
];

/// Whether a token meant for `ours` may be shown to `theirs`.
///
/// Yes for the same host (any port), and for names with the same registrable domain: their last two
/// labels agree, or the last three where two would be a country's (`com.br`) or a hoster's
/// (`workers.dev`) own. That is a rule of thumb in place of the public suffix list: it errs towards
/// refusing. An address without names (an IP, `localhost`) is kin to itself only, and a token that
/// travels over https never goes on in the clear.
pub(super) fn may_see_token(ours: &Url, theirs: &Url) -> bool {
    if downgraded(ours, theirs) {
        return false;
    }
    match (ours.host(), theirs.host()) {
        (Some(Host::Domain(a)), Some(Host::Domain(b))) => {
            let (a, b) = (a.trim_end_matches('.'), b.trim_end_matches('.'));
            a == b || matches!((registrable(a), registrable(b)), (Some(a), Some(b)) if a == b)
        }
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Whether going from one to the other gives up encryption.
pub(super) fn downgraded(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

/// The part of a name that somebody registered, as far as can be told without a list.
fn registrable(name: &str) -> Option<&str> {
    let labels: Vec<&str> = name.split('.').collect();
    let [.., second, top] = labels.as_slice() else { return None };
    let two = &name[name.len() - second.len() - top.len() - 1..];
    let sold = top.len() == 2 && SOLD_UNDER_COUNTRIES.contains(second);
    if !sold && !SHARED.contains(&two) {
        return Some(two);
    }
    let third = labels.len().checked_sub(3).map(|at| labels[at].len())?;
    Some(&name[name.len() - two.len() - 1 - third..])
}

/// Without what must not travel: user and password (HTTP clients make an `Authorization` of them) and
/// the fragment.
pub(super) fn bare(mut url: Url) -> Url {
    // These fail for addresses that cannot have a user; then there is none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url
}

/// An address given by a server, resolved by RFC 3986 against the URL that was answered. `None` when
/// it is none, or not http(s).
pub(super) fn resolve(base: &Url, location: &str) -> Option<Url> {
    let url = bare(base.join(location.trim()).ok()?);
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// The session's address. A server behind a TLS proxy often names itself with `http:`; on the same
/// host that means the origin it was reached at.
pub(super) fn session_url(base: &Url, location: &str) -> Option<Url> {
    let mut url = resolve(base, location)?;
    if downgraded(base, &url) && url.host() == base.host() {
        url.set_scheme(base.scheme()).ok()?;
        url.set_port(base.port()).ok()?;
    }
    Some(url)
}

/// Where a URL points, as far as the operator may see it: host and port. Path and query may be secrets.
pub fn shown(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "?".into(),
    }
}

/// Host and port, the port always.
pub(super) fn place(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or("?"), url.port_or_known_default().unwrap_or(0))
}

/// Whether nobody on the way reads along: TLS, or no way at all.
pub fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Whether the address is this machine itself.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_stays_in_the_family() {
        let cases = [
            ("https://a.example.com/x", "https://a.example.com:8443/y", true),
            ("https://global.ivs.tv", "https://fra.ivs.tv", true),
            ("https://ivs.tv", "https://fra.eu.ivs.tv", true),
            ("https://a.example.com", "https://a.example.org", false),
            ("https://example.com", "https://badexample.com", false),
            ("https://example.com", "https://example.com.evil.net", false),
            ("https://a.com.br", "https://b.com.br", false),
            ("https://x.a.com.br", "https://y.a.com.br", true),
            ("https://a.workers.dev", "https://b.workers.dev", false),
            ("https://com.br", "https://b.com.br", false),
            ("https://10.0.0.1", "https://10.0.0.1:444", true),
            ("https://10.0.0.1", "https://11.0.0.1", false),
            ("http://localhost:1", "http://localhost:2", true),
            ("http://localhost", "http://127.0.0.1", false),
            ("https://a.example.com", "http://a.example.com", false),
            ("http://a.example.com", "https://a.example.com", true),
        ];
        for (ours, theirs, kin) in cases {
            assert_eq!(may_see_token(&url(ours), &url(theirs)), kin, "{ours} -> {theirs}");
        }
    }

    #[test]
    fn locations_resolve_as_the_rfc_says() {
        let base = url("https://h:8443/app/whip?stream=1");
        let cases = [
            ("/s/1", "https://h:8443/s/1"),
            ("s/1?t=2", "https://h:8443/app/s/1?t=2"),
            ("?t=2", "https://h:8443/app/whip?t=2"),
            ("//other/x", "https://other/x"),
            ("https://u:p@other/x#f", "https://other/x"),
            ("http://h/s/1?a=b", "https://h:8443/s/1?a=b"),
        ];
        for (location, want) in cases {
            assert_eq!(session_url(&base, location).unwrap().as_str(), want, "{location}");
        }
        assert_eq!(session_url(&base, "ftp://x/"), None);
        assert_eq!(session_url(&base, "https://"), None);
    }
}
