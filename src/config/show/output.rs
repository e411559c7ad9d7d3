//! `[[output]]`: where the program goes, and where the secrets for it are kept. An address or a secret is
//! never repeated in a message.

pub(super) mod whip;

mod record;
mod rtmp;
mod srt;

use std::path::Path;

use url::{Host, Url};

use super::{Given, monitor::WATCH_KEYS, pointed};
use crate::{
    base::SecretRef,
    config::{
        Dirs,
        diagnostics::{Findings, listed, meant, nearest, quoted},
        presets,
        reader::Fields,
        redact,
    },
    show::{OutputSpec, Profile, Target, VideoCodec},
};

/// The keys of every output.
pub(in crate::config) const COMMON: [&str; 5] = ["id", "to", "profile", "watch", "watch-token"];

const STAGE: &str = "the stage";

/// The kinds, and the keys each has beside the common ones.
pub(in crate::config) const KINDS: [(&str, &[&str]); 5] = [
    // What it does not take is said in words of its own.
    (STAGE, &whip::KEYS),
    ("WHIP", &whip::KEYS),
    ("RTMP", &rtmp::KEYS),
    ("SRT", &srt::KEYS),
    ("record", &record::KEYS),
];

const FORM: &str = "write to = \"stage\", \"record\", or an address: https:// for WHIP, rtmp:// or rtmps://, \
                    srt://host:port";

/// What all parts of an output are read with.
pub(super) struct Place<'a> {
    /// Where relative paths begin.
    pub(super) base_dir: &'a Path,
    /// Where presets of the user's own are.
    pub(super) dirs: &'a Dirs,
}

/// All outputs of a show whose picture is encoded so, where that is known.
pub(super) fn read_all(
    show: &Fields<'_>,
    program: Option<&Profile>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Vec<OutputSpec> {
    let (mut outputs, mut given) = (Vec::new(), Given::default());
    for fields in show.tables(findings, "output") {
        check_keys(&fields, findings);
        let id = given.id(&fields, findings);
        let target = read_target(&fields, place, findings);
        let profile = read_profile(&fields, program, place.dirs, findings);
        let encoded = profile.as_ref().or(program);
        if let (Some(encoded), Some(target)) = (encoded, &target) {
            check_codec(&fields, target, encoded.codec, findings);
        }
        if let (Some(id), Some(target)) = (id, target) {
            outputs.push(OutputSpec { id, target, profile: profile.map(Box::new) });
        }
    }
    outputs
}

/// An output that is added to a running show comes alone.
pub(super) fn refuse_watch(file: &Fields<'_>, findings: &mut Findings<'_>) {
    for fields in file.tables(findings, "output") {
        if let Some(key) = WATCH_KEYS.into_iter().find(|key| fields.has(key)) {
            let at = fields.value(key).map_or(0..0, toml::Spanned::span);
            let what = "an output that is added to a running show brings no monitor";
            findings.add(&at, what, "take it out; `hawker watch URL` watches beside the show");
        }
    }
}

/// The profile of its own that an output names.
fn read_profile(
    fields: &Fields<'_>,
    program: Option<&Profile>,
    dirs: &Dirs,
    findings: &mut Findings<'_>,
) -> Option<Profile> {
    let (name, span) = fields.text(findings, "profile")?;
    let profile = pointed(findings, &span, presets::load_profile(name, dirs))?;
    let Some(program) = program else { return Some(profile) };
    let profile = profile.turned(program.is_upright());
    if let Some(why) = program.canvas.cannot_become(profile.canvas) {
        findings.add(
            &span,
            format!("{} cannot be made of this show's picture: {why}", quoted(name)),
            format!(
                "let the show have the greatest profile, profile = {name:?} at the top, and name lesser ones at \
                 its outputs"
            ),
        );
    }
    Some(profile)
}

/// The kind that `to` speaks of, also when the rest of it is wrong.
fn kind(fields: &Fields<'_>) -> Option<&'static str> {
    let toml::de::DeValue::String(to) = fields.value("to")?.get_ref() else { return None };
    match to.split_once(':').map_or(to.as_ref(), |(scheme, _)| scheme) {
        "stage" => Some(STAGE),
        "http" | "https" => Some("WHIP"),
        "rtmp" | "rtmps" => Some("RTMP"),
        "srt" => Some("SRT"),
        "record" => Some("record"),
        _ => None,
    }
}

fn check_keys(fields: &Fields<'_>, findings: &mut Findings<'_>) {
    let kind = kind(fields);
    let known: Vec<&str> = COMMON
        .into_iter()
        .chain(
            KINDS
                .iter()
                .filter(|(name, _)| kind.map_or(*name != STAGE, |kind| kind == *name))
                .flat_map(|(_, keys)| keys.iter().copied()),
        )
        .collect();
    fields.only(findings, &known, |word| {
        let kind = kind?;
        let owners: Vec<&str> = KINDS[1..]
            .iter()
            .filter(|(_, keys)| keys.contains(&word))
            .map(|(name, _)| *name)
            .collect();
        let near = meant(word, known.iter().copied());
        let elsewhere = if owners.is_empty() {
            String::new()
        } else {
            format!("{word} belongs to {}; ", listed(&owners))
        };
        Some(format!("{near}{elsewhere}an output of the kind {kind} has {}", listed(&known)))
    });
}

fn check_codec(
    fields: &Fields<'_>,
    target: &Target,
    codec: VideoCodec,
    findings: &mut Findings<'_>,
) {
    let (key, what) = match target {
        _ if codec == VideoCodec::H264 || !target.takes_only_h264() => return,
        Target::Rtmp(_) => ("to", "RTMP carries H.264 only"),
        Target::Srt(_) => ("to", "SRT carries H.264 only here"),
        _ => ("container", "MP4 files hold H.264 only here"),
    };
    let at = fields.value(key).map_or_else(|| fields.span().clone(), toml::Spanned::span);
    findings.add(
        &at,
        format!("{what}, and this output's picture is VP8"),
        "take codec = \"vp8\" out of [program], or name a profile of H.264 at the output; VP8 goes to WHIP, and is \
         recorded as mkv",
    );
}

fn read_target(
    fields: &Fields<'_>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Target> {
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
    if text == "record" {
        return record::read(fields, place.base_dir, findings).map(Target::Record);
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(why) => {
            // A single word is a slip in one of ours, not an address.
            let word = !text.contains([':', '/', '.', '@']);
            let near = nearest(text, ["stage", "record"]).filter(|_| word);
            let near = near.map_or_else(String::new, |near| format!("did you mean {near:?}? "));
            findings.add(
                &span,
                format!("this is no address: {}", super::input::no_address(why)),
                format!("{near}{FORM}"),
            );
            return None;
        }
    };
    let at = (url, span);
    match at.0.scheme() {
        "rtmp" | "rtmps" => rtmp::read(fields, at, place.base_dir, findings).map(Target::Rtmp),
        "srt" => srt::read(fields, at, place.base_dir, findings).map(Target::Srt),
        "http" | "https" => whip::read(fields, at, place, findings).map(Target::Whip),
        other => {
            let what = format!("an output cannot be reached by {}:", quoted(other));
            findings.add(&at.1, what, FORM);
            None
        }
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
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
