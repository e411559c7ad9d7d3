//! `kind = "twitch"`: anonymous IRC, or with a token EventSub and Helix.

use url::Url;

use super::{Fields, Findings, Place, is_loopback, read_api, read_server, secret_ref, words};
use crate::{
    chat::spec::{Server, Service, TWITCH, Transport, TwitchAccount},
    config::diagnostics::quoted,
};

/// Twitch takes 20 joins in 10 s from one address, and 300 subscriptions in one session of EventSub, of which a channel
/// needs five.
const MOST_CHANNELS: usize = 20;
/// The keys that go with a token.
const WITH_TOKEN: [&str; 3] = ["client-id", "api", "eventsub"];

pub(super) fn read(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    fields.missing(findings, "channels", "write channels = [\"…\"]: names as in twitch.tv/NAME");
    let channels = words(fields, "channels", MOST_CHANNELS, findings);
    let account = read_account(fields, place, findings);
    let usual = (Server { host: TWITCH.0.to_owned(), port: TWITCH.1 }, Transport::Tls);
    let (server, transport) =
        read_server(fields, None, (TWITCH.1, TWITCH.1), findings).unwrap_or(usual);
    let channels = channels?;
    let named = |name: &String| {
        let name = name.trim_start_matches('#');
        (1..=25).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if let Some(wrong) = channels.iter().find(|name| !named(name)) {
        let at = fields.value("channels").map_or(0..0, toml::Spanned::span);
        let what = format!("{} is no channel of Twitch", quoted(wrong));
        let todo = "use the name as in twitch.tv/NAME: 1-25 letters, digits and '_'";
        findings.add(&at, what, todo);
        return None;
    }
    Some(Service::Twitch { channels, server, transport, account: account.ok()? })
}

/// The account, where there is a token; an error where it is wrong.
fn read_account(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Result<Option<TwitchAccount>, ()> {
    if !fields.has("token") {
        for key in WITH_TOKEN {
            if let Some(value) = fields.value(key) {
                let what = format!("there is {key}, and no token it belongs to");
                let todo = "write token = \"env:NAME\" or \"file:PATH\", or take it out";
                findings.add(&value.span(), what, todo);
            }
        }
        let alone = WITH_TOKEN.into_iter().all(|key| !fields.has(key));
        return if alone { Ok(None) } else { Err(()) };
    }
    let todo =
        "write client-id = \"…\": the Client ID of the application that the token was made for";
    fields.missing(findings, "client-id", todo);
    if let Some(value) = fields.value("server") {
        let what = "with a token Twitch is not read by IRC, which server is for";
        findings.add(&value.span(), what, "take server out; api and eventsub name a stand-in");
    }
    let token = secret_ref(fields, "token", place.base_dir, findings);
    let client_id = fields.text(findings, "client-id").and_then(|(id, span)| {
        let sound = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if !sound {
            findings.add(&span, "this is no Client ID", "it is of letters and digits alone");
        }
        sound.then(|| id.to_owned())
    });
    // No stand-in: the hosts of Twitch itself.
    let api =
        if fields.has("api") { Some(read_api(fields, "", findings).ok_or(())?) } else { None };
    let eventsub = match fields.text(findings, "eventsub") {
        Some((text, span)) => Some(read_socket(text).ok_or_else(|| {
            let what = "this is no address of an encrypted WebSocket";
            let todo = "write wss://HOST/PATH, or leave eventsub out for Twitch itself";
            findings.add(&span, what, todo);
        })?),
        None if fields.has("eventsub") => return Err(()),
        None => None,
    };
    let (Some(client_id), Some(token)) = (client_id, token) else { return Err(()) };
    Ok(Some(TwitchAccount { client_id, token, api, eventsub }))
}

/// In clear towards this machine only.
fn read_socket(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let safe = url.scheme() == "wss" || (url.scheme() == "ws" && is_loopback(&url));
    let login = !url.username().is_empty() || url.password().is_some();
    (safe && !login && url.has_host()).then_some(url)
}
