//! `[[chat]]`: where the audience writes. A secret is never repeated in a message.

mod bridge;
mod listen;
mod shops;
mod twitch;

use std::path::PathBuf;

use url::Url;

use super::{
    Given,
    output::{Place, is_loopback, secret_ref},
    pointed,
};
use crate::{
    chat::{
        Platform,
        irc::Settings,
        spec::{ChatSpec, KEEP_DAYS, Server, Service, Transport, YOUTUBE, YOUTUBE_QUOTA},
    },
    config::{
        diagnostics::{Findings, listed, quoted},
        presets,
        reader::{Fields, kind_of},
    },
};

/// The keys of every source.
pub(in crate::config) const COMMON: [&str; 6] =
    ["id", "kind", "market", "bots", "hold-s", "keep-days"];

/// The kinds, and the keys each has beside the common ones.
pub(in crate::config) const KINDS: [(&str, &[&str]); 9] = [
    ("twitch", &["channels", "server", "token", "client-id", "api", "eventsub"]),
    ("youtube", &["video", "key", "account", "api", "quota"]),
    ("irc", &["server", "tls", "nick", "account", "password", "channels", "ca"]),
    ("bridge", &["bridge", "url", "session", "token"]),
    ("webhook", &["listen", "path", "token", "platform"]),
    ("kick", &["listen", "path", "public-key", "token", "channel", "api"]),
    ("facebook", &["video", "token", "api"]),
    ("shopee", &["live", "partner", "shop", "key", "token", "api"]),
    ("lines", &["path", "platform"]),
];

/// More are a load of their own.
const MAX_SOURCES: usize = 32;
/// Names of programs a source may have.
const MAX_BOTS: usize = 64;
/// The longest hold: after that a line answers nothing on screen.
const MAX_HOLD_S: f32 = 60.0;
/// Ten years: the longest that tax law asks for an order's record.
const MAX_KEEP_DAYS: u32 = 3660;
/// IRC with and without TLS (RFC 7194, RFC 1459).
const IRC_TLS: u16 = 6697;
const IRC_PLAIN: u16 = 6667;

/// All chat sources of a show.
pub(super) fn read_all(
    show: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Vec<ChatSpec> {
    let (mut sources, mut given) = (Vec::new(), Given::default());
    for fields in show.tables(findings, "chat") {
        let kind = read_kind(&fields, findings);
        let id = given.id(&fields, findings);
        let service = kind.and_then(|kind| read_service(kind, &fields, place, findings));
        let (market, languages) = read_market(&fields, place, findings);
        let bots = words(&fields, "bots", MAX_BOTS, findings).unwrap_or_default();
        let hold = fields.number(findings, "hold-s", 0.0..=MAX_HOLD_S, " seconds");
        let keep = fields.whole(findings, "keep-days", 0..=MAX_KEEP_DAYS, " days");
        let (Some(id), Some(service)) = (id, service) else { continue };
        let hold = std::time::Duration::from_secs_f32(hold.unwrap_or_default());
        let keep_days = keep.map_or(KEEP_DAYS, |(days, _)| days);
        sources.push(ChatSpec { id, service, market, languages, bots, hold, keep_days });
    }
    listen::refuse_shared(&sources, findings);
    if sources.len() > MAX_SOURCES {
        let what = format!(
            "a show has at most {MAX_SOURCES} chat sources, and this one has {}",
            sources.len()
        );
        findings.add_whole(what, "one source can read several channels");
    }
    sources
}

/// The kind, after the table's keys were held against those it has.
fn read_kind(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<&'static str> {
    let kinds: Vec<(&str, &'static str)> = KINDS.iter().map(|(name, _)| (*name, *name)).collect();
    fields.missing(
        findings,
        "kind",
        &format!("write kind = \"…\": {}", listed(&KINDS.map(|k| k.0))),
    );
    let kind = fields.choice(findings, "kind", &kinds);
    let known: Vec<&str> = COMMON
        .into_iter()
        .chain(
            KINDS
                .iter()
                .filter(|(name, _)| kind.is_none_or(|kind| kind == *name))
                .flat_map(|(_, keys)| keys.iter().copied()),
        )
        .collect();
    fields.only(findings, &known, |word| {
        let owners: Vec<&str> =
            KINDS.iter().filter(|(_, keys)| keys.contains(&word)).map(|(name, _)| *name).collect();
        (!owners.is_empty()).then(|| format!("{word} is a key of the kind {}", listed(&owners)))
    });
    kind
}

fn read_service(
    kind: &str,
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    match kind {
        "twitch" => twitch::read(fields, place, findings),
        "youtube" => {
            fields.missing(
                findings,
                "video",
                "write video = \"…\": what follows watch?v= in its address",
            );
            fields.missing(
                findings,
                "key",
                "write key = \"env:NAME\" or \"file:PATH\": an API key",
            );
            let video = fields.text(findings, "video").map(|(text, span)| (text.to_owned(), span));
            let key = secret_ref(fields, "key", place.base_dir, findings);
            let account = secret_ref(fields, "account", place.base_dir, findings);
            if fields.has("account") && account.is_none() {
                return None;
            }
            let api = read_api(fields, YOUTUBE, findings)?;
            let quota = fields.whole(findings, "quota", 100..=100_000_000, " units a day");
            let quota = quota.map_or(YOUTUBE_QUOTA, |(units, _)| u64::from(units));
            let (video, span) = video?;
            let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if !video.chars().all(sound) {
                let what = format!("{} is no video's id", quoted(&video));
                findings.add(&span, what, "write what follows watch?v= in the video's address");
                return None;
            }
            Some(Service::Youtube { video, key: key?, account, api, quota })
        }
        "irc" => read_irc(fields, place, findings),
        "bridge" => bridge::read(fields, place, findings),
        "facebook" => shops::read_facebook(fields, place, findings),
        "shopee" => shops::read_shopee(fields, place, findings),
        "webhook" => listen::read_webhook(fields, place, findings),
        "kick" => listen::read_kick(fields, place, findings),
        _ => {
            fields.missing(
                findings,
                "path",
                "write path = \"…\": a file of JSON lines, or \"-\" for standard input",
            );
            let (path, _) = fields.text(findings, "path")?;
            let path = if path == "-" { PathBuf::from(path) } else { place.base_dir.join(path) };
            let platform = read_platform(fields, findings);
            Some(Service::Lines { path, platform })
        }
    }
}

/// The platform of lines that name none.
fn read_platform(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Platform {
    fields.text(findings, "platform").map_or(Platform::UNKNOWN, |(name, _)| Platform::named(name))
}

fn read_irc(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    fields.missing(findings, "server", "write server = \"HOST\" or \"HOST:PORT\"");
    fields.missing(findings, "channels", "write channels = [\"#…\"]");
    let tls = fields.flag(findings, "tls");
    let channels = words(fields, "channels", 50, findings);
    let nick = fields.text(findings, "nick").map_or("hawker", |(nick, _)| nick).to_owned();
    let account = fields.text(findings, "account").map(|(account, _)| account.to_owned());
    let password = secret_ref(fields, "password", place.base_dir, findings);
    let ca = fields.text(findings, "ca").map(|(path, _)| place.base_dir.join(path));
    let (server, transport) = read_server(fields, tls, (IRC_TLS, IRC_PLAIN), findings)?;
    if let (Some(value), None) = (fields.value("password"), &account) {
        let what = "there is a password, and no account it belongs to";
        findings.add(&value.span(), what, "write account = \"…\", the name of the account (SASL)");
    }
    if let (Some(value), Transport::Tcp) = (fields.value("password"), transport)
        && !is_local(&server)
    {
        let what = "the password would cross the network in plain text";
        findings.add(&value.span(), what, "leave tls at true, or take the password out");
    }
    let channels = channels?;
    let names: Vec<&str> = channels.iter().map(String::as_str).collect();
    // Their rules are told where they are kept; a source has a name by then.
    let probe = "probe".parse().ok()?;
    if let Err(why) = Settings::new(probe, &nick, account.as_deref(), &names) {
        findings.add(fields.span(), "this cannot stand in a line of IRC", why.to_string());
        return None;
    }
    Some(Service::Irc { server, transport, nick, account, password, channels, ca })
}

/// `server`, with the port that goes with its transport where none is written.
fn read_server(
    fields: &Fields<'_>,
    tls: Option<bool>,
    (with_tls, plain): (u16, u16),
    findings: &mut Findings<'_>,
) -> Option<(Server, Transport)> {
    let (text, span) = fields.text(findings, "server")?;
    let (address, tls) = match text.split_once("://") {
        Some(("ircs" | "tls", rest)) => (rest, Some(true)),
        Some(("irc" | "tcp", rest)) => (rest, Some(tls.unwrap_or(false))),
        _ => (text, tls),
    };
    let tls = tls.unwrap_or(true);
    let bare = !address.ends_with(']') && !address.contains(':') || address.ends_with(']');
    let port = if tls { with_tls } else { plain };
    let whole = if bare { format!("{address}:{port}") } else { address.to_owned() };
    match whole.parse::<Server>() {
        Ok(server) => Some((server, if tls { Transport::Tls } else { Transport::Tcp })),
        Err(why) => {
            findings.add(&span, format!("{} is no server", quoted(text)), why.to_string());
            None
        }
    }
}

fn is_local(server: &Server) -> bool {
    Url::parse(&format!("http://{server}/")).is_ok_and(|url| is_loopback(&url))
}

/// The API's address, where another one than the platform's is named.
fn read_api(fields: &Fields<'_>, usual: &str, findings: &mut Findings<'_>) -> Option<Url> {
    let Some((text, span)) = fields.text(findings, "api") else { return Url::parse(usual).ok() };
    match Url::parse(text) {
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) => {
            Some(url)
        }
        _ => {
            let what = "this is no address a secret may be sent to";
            findings.add(
                &span,
                what,
                "write https://HOST, or leave api out for the platform itself",
            );
            None
        }
    }
}

/// The market whose people write there, and its languages.
fn read_market(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> (Option<crate::market::MarketId>, Vec<String>) {
    let Some((name, span)) = fields.text(findings, "market") else { return (None, Vec::new()) };
    let market = pointed(findings, &span, presets::load_market(name, place.dirs));
    market.map_or((None, Vec::new()), |market| (Some(market.id), market.languages.value))
}

/// A list of texts, at most so many.
pub(super) fn words(
    fields: &Fields<'_>,
    key: &str,
    most: usize,
    findings: &mut Findings<'_>,
) -> Option<Vec<String>> {
    let (items, span) = fields.items(findings, key)?;
    let mut found = Vec::new();
    for item in items {
        match item.get_ref() {
            toml::de::DeValue::String(text)
                if !text.trim().is_empty() && !text.chars().any(char::is_control) =>
            {
                found.push(text.trim().to_owned());
            }
            toml::de::DeValue::String(_) => {
                let what = format!("{key} holds an empty text or a control character");
                findings.add(&item.span(), what, "take it out");
                return None;
            }
            other => {
                let what = format!("{key} holds {}", kind_of(other));
                findings.add(&item.span(), what, format!("{key} is a list of texts"));
                return None;
            }
        }
    }
    if found.is_empty() || found.len() > most {
        let what = format!("{key} has {} entries", found.len());
        findings.add(&span, what, format!("write 1 to {most}"));
        return None;
    }
    Some(found)
}

#[cfg(test)]
mod tests;
