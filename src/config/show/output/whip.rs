//! A WHIP output: its ingest and those that stand by, which hosts may see the token, whom TLS trusts, and how a
//! path for media is found. It looks at the file of authorities, no further than whether it holds one.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{Spanned, de::DeValue};
use url::{Host, Url};

use super::{Place, is_loopback, secret_ref};
use crate::{
    config::{
        Unreadable,
        diagnostics::{Findings, quoted},
        presets, read_file,
        reader::{self, Fields},
        redact,
        show::{input, pointed},
    },
    show::{IceServerSpec, IceSpec, IngestSpec, Pick, WhipSpec},
    whip::{IceServer, MAX_SERVERS},
};

/// The keys that only a WHIP output has.
pub(in crate::config) const KEYS: [&str; 9] = [
    "token",
    "server",
    "standby",
    "pick",
    "allowance-ms",
    "return-to-first",
    "token-may-go-to",
    "ca",
    "ice",
];
/// The keys of an ingest that stands by.
pub(in crate::config) const STANDBY_KEYS: [&str; 3] = ["to", "token", "server"];
pub(in crate::config) const ICE_KEYS: [&str; 2] = ["relay-only", "servers"];
pub(in crate::config) const ICE_SERVER_KEYS: [&str; 3] = ["url", "user", "credential"];

/// More would be tried for minutes.
const MAX_STANDBY: usize = 8;
/// The greatest file of authorities, in bytes: larger than any system's own.
const MAX_CA: u64 = 1024 * 1024;

const PICKS: [(&str, Pick); 2] = [("listed", Pick::Listed), ("nearest", Pick::Nearest)];

/// The output whose first ingest is at that address, which stands at `span`.
pub(super) fn read(
    fields: &Fields<'_>,
    (url, span): (Url, Range<usize>),
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<WhipSpec> {
    let first = read_ingest(fields, (url, span), place, findings);
    let standby = read_standby(fields, place, findings);
    let mut all = vec![first?];
    for (ingest, span) in standby {
        if all.iter().any(|known| known.url == ingest.url) {
            let todo = "take it out; an ingest is tried again by itself";
            findings.add(&span, "this ingest is named already", todo);
        }
        all.push(ingest);
    }
    let allowance = fields.whole(findings, "allowance-ms", 0..=60_000, " ms");
    Some(WhipSpec {
        ingests: all,
        pick: fields.choice(findings, "pick", &PICKS).unwrap_or_default(),
        allowance_ms: allowance.map_or(WhipSpec::ALLOWANCE_MS, |(ms, _)| ms),
        return_to_first: fields.flag(findings, "return-to-first").unwrap_or(false),
        token_may_go_to: read_hosts(fields, findings),
        ca: read_ca(fields, place.base_dir, findings),
        ice: read_ice(fields, place.base_dir, findings),
    })
}

fn read_ingest(
    fields: &Fields<'_>,
    (url, span): (Url, Range<usize>),
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<IngestSpec> {
    let token = secret_ref(fields, "token", place.base_dir, findings);
    let server = fields.text(findings, "server").and_then(|(name, span)| {
        pointed(findings, &span, presets::load_ingest(name, place.dirs)).map(|s| s.name)
    });
    if !url.username().is_empty() || url.password().is_some() {
        findings.add(
            &span,
            format!("the address {} holds a user name or password", redact::shown_url(&url)),
            "take it out, and give token = \"env:NAME\" or \"file:PATH\" instead",
        );
        return None;
    }
    if url.scheme() == "http" && fields.has("token") && !is_loopback(&url) {
        let host = url.host_str().unwrap_or("?");
        findings.add(
            &span,
            format!("the token would cross the network to {} in plain text", quoted(host)),
            "use https://, or take the token out",
        );
        return None;
    }
    Some(IngestSpec { url, token, server })
}

fn read_standby(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Vec<(IngestSpec, Range<usize>)> {
    const FORM: &str = "write standby = [\"https://host/…\"], or a table that says more: \
                        { to = \"https://host/…\", token = \"env:NAME\", server = \"…\" }";
    let Some((items, span)) = fields.items(findings, "standby") else { return Vec::new() };
    if items.len() > MAX_STANDBY {
        let what = format!("an output has at most {MAX_STANDBY} ingests standing by");
        findings.add(&span, what, "name the best of them");
    }
    let nothing = toml::de::DeTable::new();
    let mut standby = Vec::new();
    for item in items {
        let read = match item.get_ref() {
            DeValue::String(text) => {
                let fields = Fields::new(&nothing, item.span(), "a standby");
                let url = read_address(text, &item.span(), FORM, findings);
                url.and_then(|url| read_ingest(&fields, (url, item.span()), place, findings))
            }
            DeValue::Table(table) => {
                let fields = Fields::new(table, item.span(), "a standby");
                fields.only(findings, &STANDBY_KEYS, |_| None);
                fields.missing(findings, "to", FORM);
                fields.text(findings, "to").and_then(|(text, span)| {
                    let url = read_address(text, &span, FORM, findings)?;
                    read_ingest(&fields, (url, span), place, findings)
                })
            }
            other => {
                let what =
                    format!("a standby is an address, but this is {}", reader::kind_of(other));
                findings.add(&item.span(), what, FORM);
                None
            }
        };
        standby.extend(read.map(|ingest| (ingest, item.span())));
    }
    standby
}

fn read_address(
    text: &str,
    span: &Range<usize>,
    form: &str,
    findings: &mut Findings<'_>,
) -> Option<Url> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
        Ok(url) => {
            let what = format!("a standby cannot be reached by {}:", quoted(url.scheme()));
            findings.add(span, what, format!("what stands by for a WHIP ingest is one; {form}"));
            None
        }
        Err(why) => {
            findings.add(span, format!("this is no address: {}", input::no_address(why)), form);
            None
        }
    }
}

fn read_hosts(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    const FORM: &str = "write token-may-go-to = [\"ingest.example.net\"]: names of hosts, without https:// and \
                        without a path";
    let items = fields.items(findings, "token-may-go-to").map_or(&[][..], |(items, _)| items);
    let mut host = |item: &Spanned<DeValue<'_>>| {
        let name = match item.get_ref() {
            DeValue::String(text) => {
                let parsed = Host::parse(text.trim()).ok().map(|host| host.to_string());
                parsed.filter(|_| !text.contains(['/', ':', '*']) || text.starts_with('['))
            }
            _ => None,
        };
        if name.is_none() {
            findings.add(&item.span(), "this is no name of a host", FORM);
        }
        name
    };
    items.iter().filter_map(&mut host).collect()
}

fn read_ca(fields: &Fields<'_>, base_dir: &Path, findings: &mut Findings<'_>) -> Option<PathBuf> {
    let (text, span) = fields.text(findings, "ca")?;
    let path = base_dir.join(text);
    let trouble = match read_file(&path, MAX_CA) {
        Ok(pem) if String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") => {
            return Some(path);
        }
        Ok(_) => "it holds no certificate in PEM form".to_owned(),
        Err(Unreadable::Io(e)) if e.kind() != std::io::ErrorKind::NotFound => {
            format!("it cannot be read: {e}")
        }
        Err(why) => why.to_string(),
    };
    let what = format!("the file of authorities {} is of no use: {trouble}", quoted(text));
    let todo = "name a PEM file with the certificate of the authority that signed the ingest's; a relative path \
                starts at the show file";
    findings.add(&span, what, todo);
    None
}

fn read_ice(fields: &Fields<'_>, base_dir: &Path, findings: &mut Findings<'_>) -> IceSpec {
    let Some(ice) = fields.table(findings, "ice") else { return IceSpec::default() };
    let ice = ice.named("[output.ice]");
    ice.only(findings, &ICE_KEYS, |_| None);
    let relay_only = ice.flag(findings, "relay-only").unwrap_or(false);
    let tables = ice.tables(findings, "servers");
    if tables.len() > MAX_SERVERS {
        let what = format!("an output has at most {MAX_SERVERS} STUN and TURN servers");
        findings.add(ice.span(), what, "name the best of them");
    }
    let mut servers: Vec<IceServerSpec> = Vec::new();
    for server in tables {
        let server = server.named("[[output.ice.servers]]");
        servers.extend(read_ice_server(&server, base_dir, findings));
    }
    let relays = |s: &IceServerSpec| !s.url.starts_with("stun");
    if relay_only && !servers.is_empty() && !servers.iter().any(relays) {
        findings.add(
            ice.span(),
            "media may go by a relay only, and none of the servers is one",
            "add a turn: or turns: server, or take the servers out and use those that the ingest names",
        );
    }
    IceSpec { servers, relay_only }
}

fn read_ice_server(
    fields: &Fields<'_>,
    base_dir: &Path,
    findings: &mut Findings<'_>,
) -> Option<IceServerSpec> {
    const FORM: &str = "write url = \"turn:host:3478\", with ?transport=tcp for TCP, \"turns:host:5349\" for TLS, \
                        or \"stun:host:3478\"";
    fields.only(findings, &ICE_SERVER_KEYS, |_| None);
    fields.missing(findings, "url", FORM);
    let user = fields.text(findings, "user").map(|(user, _)| user.to_owned());
    let credential = secret_ref(fields, "credential", base_dir, findings);
    let (url, span) = fields.text(findings, "url")?;
    let server = match IceServer::parse(url, None, None) {
        Ok(server) => server,
        Err(why) => {
            findings.add(&span, format!("this is no STUN or TURN server: {why}"), FORM);
            return None;
        }
    };
    let keys = ["user", "credential"];
    if server.kind.relays() {
        for key in keys {
            let todo = "a TURN server knows its users: write user = \"…\" and credential = \"env:NAME\" or \
                        \"file:PATH\"";
            fields.missing(findings, key, todo);
        }
    } else if let Some(key) = keys.into_iter().find(|key| fields.has(key)) {
        findings.add(&span, format!("a STUN server takes no {key}"), "take it out");
    }
    Some(IceServerSpec { url: url.to_owned(), user, credential })
}
