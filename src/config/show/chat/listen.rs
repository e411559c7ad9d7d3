//! `kind = "webhook"` and `kind = "kick"`: sources that are listened for.

use std::net::SocketAddr;

use super::{Fields, Findings, Place, read_api, read_platform, secret_ref, shops};
use crate::{
    chat::{
        kick::SCOPES,
        spec::{ChatSpec, KICK, KickAccount, Service},
    },
    config::diagnostics::quoted,
};

pub(super) fn read_webhook(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    let path = read_path(fields, "/chat", findings);
    let token = secret_ref(fields, "token", place.base_dir, findings);
    let platform = read_platform(fields, findings);
    let listen = read_listen(fields, findings)?;
    if let (Some(value), false, false) =
        (fields.value("listen"), listen.ip().is_loopback(), fields.has("token"))
    {
        let what = "anybody on that network could write into the chat";
        let todo = "write token = \"env:NAME\" or \"file:PATH\", or listen on 127.0.0.1";
        findings.add(&value.span(), what, todo);
    }
    Some(Service::Webhook { listen, path: path?, token, platform })
}

pub(super) fn read_kick(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    let todo = "write public-key = \"file:PATH\": what GET https://api.kick.com/public/v1/public-key \
                gives, as a PEM file";
    fields.missing(findings, "public-key", todo);
    let path = read_path(fields, "/kick", findings);
    let key = fields.text(findings, "public-key");
    let listen = read_listen(fields, findings);
    let account = read_account(fields, place, findings);
    let (key, span) = key?;
    let Some(file) = key.strip_prefix("file:").filter(|file| !file.is_empty()) else {
        findings.add(&span, format!("{} names no file", quoted(key)), todo);
        return None;
    };
    let public_key = place.base_dir.join(file);
    Some(Service::Kick { listen: listen?, path: path?, public_key, account: account.ok()? })
}

/// Who writes, where somebody does. What is wrong has been said.
fn read_account(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Result<Option<KickAccount>, ()> {
    if !["token", "channel", "api"].iter().any(|key| fields.has(key)) {
        return Ok(None);
    }
    let todo = format!("write token = \"env:NAME\" or \"file:PATH\": it needs the scopes {SCOPES}");
    fields.missing(findings, "token", &todo);
    let token = secret_ref(fields, "token", place.base_dir, findings);
    let channel = shops::read_number(fields, "channel", "the broadcaster's user", findings);
    let api = read_api(fields, KICK, findings);
    match (token, channel, api) {
        (Some(token), Some(channel), Some(api)) => Ok(Some(KickAccount { token, channel, api })),
        _ => Err(()),
    }
}

/// Two sources cannot listen at one place.
pub(super) fn refuse_shared(sources: &[ChatSpec], findings: &mut Findings<'_>) {
    let listen = |spec: &ChatSpec| match spec.service {
        Service::Webhook { listen, .. } | Service::Kick { listen, .. } => Some(listen),
        _ => None,
    };
    for (at, spec) in sources.iter().enumerate() {
        let Some(address) = listen(spec) else { continue };
        let before = sources.iter().take(at).find(|before| listen(before) == Some(address));
        if let Some(before) = before {
            let what = format!("{} and {} both listen on {address}", before.id, spec.id);
            findings.add_whole(what, "give each a port of its own");
        }
    }
}

fn read_listen(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<SocketAddr> {
    let todo = "write listen = \"127.0.0.1:PORT\", an IPv6 address in brackets";
    fields.missing(findings, "listen", todo);
    let (text, span) = fields.text(findings, "listen")?;
    // A port of its own choice would be of no use to whoever sends.
    let address = text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    if address.is_none() {
        findings.add(&span, format!("{} is no address with a port", quoted(text)), todo);
    }
    address
}

/// The longest path that is taken.
const MOST_PATH: usize = 200;

fn read_path(fields: &Fields<'_>, usual: &str, findings: &mut Findings<'_>) -> Option<String> {
    if !fields.has("path") {
        return Some(usual.to_owned());
    }
    let (path, span) = fields.text(findings, "path")?;
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
    if path.starts_with('/') && path.len() <= MOST_PATH && path.bytes().all(sound) {
        return Some(path.to_owned());
    }
    let what = format!("{} is no path of an address", quoted(path));
    findings.add(&span, what, "begin it with /, then letters, digits, '/', '-', '_' and '.'");
    None
}
