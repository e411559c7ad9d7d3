//! `[[output]]`: where the program goes. An address or a token is never repeated in a message.

pub(super) mod whip;

use std::path::Path;

use url::{Host, Url};

use super::Given;
use crate::{
    base::SecretRef,
    config::{
        Dirs,
        diagnostics::{Findings, nearest, quoted},
        reader::Fields,
        redact,
    },
    show::{OutputSpec, Target},
};

/// The keys of every output.
pub(in crate::config) const COMMON: [&str; 2] = ["id", "to"];

/// All outputs.
pub(super) fn read_all(
    show: &Fields<'_>,
    base_dir: &Path,
    dirs: &Dirs,
    findings: &mut Findings<'_>,
) -> Vec<OutputSpec> {
    let known: Vec<&str> = COMMON.into_iter().chain(whip::KEYS).collect();
    let (mut outputs, mut given) = (Vec::new(), Given::default());
    for fields in show.tables(findings, "output") {
        fields.only(findings, &known, |_| None);
        let id = given.id(&fields, findings);
        let target = read_target(&fields, &whip::Place { base_dir, dirs }, findings);
        if let (Some(id), Some(target)) = (id, target) {
            outputs.push(OutputSpec { id, target });
        }
    }
    outputs
}

fn read_target(
    fields: &Fields<'_>,
    place: &whip::Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Target> {
    const FORM: &str = "write to = \"stage\", or a WHIP address: to = \"https://host/…\"";
    fields.missing(findings, "to", FORM);
    let (text, span) = fields.text(findings, "to")?;
    if text == "stage" {
        if fields.has("token") {
            let at = fields.value("token").map_or(span, toml::Spanned::span);
            findings.add(
                &at,
                "the stage takes no token here: it is hawker's own",
                "take it out; the token viewers need is [stage] token in config.toml",
            );
        }
        for key in whip::KEYS.into_iter().filter(|key| *key != "token" && fields.has(key)) {
            let at = fields.value(key).map_or(0..0, toml::Spanned::span);
            let what = format!("{key} is for WHIP ingests: the stage is hawker's own");
            findings.add(&at, what, "take it out");
        }
        return Some(Target::Stage);
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(why) => {
            // A single word is a slip in "stage", not an address.
            let word = !text.contains([':', '/', '.', '@']) && nearest(text, ["stage"]).is_some();
            let near = if word { "did you mean \"stage\"? " } else { "" };
            findings.add(
                &span,
                format!("this is no address: {}", super::input::no_address(why)),
                format!("{near}{FORM}"),
            );
            return None;
        }
    };
    match url.scheme() {
        "http" | "https" => whip::read(fields, (url, span), place, findings).map(Target::Whip),
        scheme => {
            let what = format!("an output cannot be reached by {}:", quoted(scheme));
            findings.add(&span, what, format!("outputs speak WHIP; {FORM}"));
            None
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The place of a secret. A relative `file:` starts at `base_dir`.
pub(in crate::config) fn secret_ref(
    fields: &Fields<'_>,
    key: &str,
    base_dir: &Path,
    findings: &mut Findings<'_>,
) -> Option<SecretRef> {
    let (text, span) = fields.text(findings, key)?;
    // `env:` before something that is no variable's name may be the secret itself.
    match text.parse::<SecretRef>().ok().filter(|_| redact::is_reference(text)) {
        Some(SecretRef::File(path)) => {
            let path = base_dir.join(path);
            Some(SecretRef::File(path.to_string_lossy().into_owned()))
        }
        Some(reference) => Some(reference),
        None => {
            findings.add(
                &span,
                format!("{key} is a secret given by value, or no reference to one"),
                "write \"env:NAME\" for an environment variable or \"file:PATH\" for a file's first \
                 line, and change a secret that was in a file",
            );
            None
        }
    }
}
