//! `[[input]]`: where pictures and sound come from. It looks at media files, no further than whether they
//! can be opened.

use std::path::{Path, PathBuf};

use toml::de::DeValue;
use url::Url;

use super::Given;
use crate::{
    base::Db,
    config::{
        diagnostics::{Findings, listed, meant, quoted},
        open_file,
        reader::{self, Fields},
        redact,
    },
    show::{InputKind, InputSpec, spec::TestPattern},
};

/// The keys of every input.
pub(in crate::config) const COMMON: [&str; 4] = ["id", "kind", "gain-db", "muted"];

/// The kinds, and the keys each has beside the common ones.
pub(in crate::config) const KINDS: [(&str, &[&str]); 7] = [
    ("test", &["pattern", "tone-hz"]),
    ("file", &["path", "repeat"]),
    ("image", &["path"]),
    ("screen", &["display", "region", "pointer", "fps"]),
    ("camera", &["device"]),
    ("microphone", &["device"]),
    ("network", &["uri"]),
];

const PATTERNS: [(&str, TestPattern); 4] = [
    ("ball", TestPattern::Ball),
    ("bars", TestPattern::Bars),
    ("noise", TestPattern::Noise),
    ("clock", TestPattern::Clock),
];

const SCHEMES: [&str; 7] = ["rtsp", "rtsps", "rtmp", "rtmps", "srt", "http", "https"];

/// What a scene may know of an input, also of one with problems of its own.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: String,
    /// The kind, if it is one.
    pub(super) kind: Option<&'static str>,
}

/// All inputs, and the names that scenes may use.
pub(super) fn read_all(
    show: &Fields<'_>,
    base_dir: &Path,
    findings: &mut Findings<'_>,
) -> (Vec<InputSpec>, Vec<Known>) {
    let (mut inputs, mut known, mut given) = (Vec::new(), Vec::new(), Given::default());
    for fields in show.tables(findings, "input") {
        let kind = read_kind(&fields, findings);
        check_keys(&fields, kind, findings);
        if let Some(DeValue::String(id)) = fields.value("id").map(toml::Spanned::get_ref) {
            known.push(Known { id: id.to_string(), kind });
        }
        let id = given.id(&fields, findings);
        let gain = fields.number(findings, "gain-db", -60.0..=20.0, " dB").unwrap_or(0.0);
        let muted = fields.flag(findings, "muted").unwrap_or(false);
        let kind = kind.and_then(|kind| read(kind, &fields, base_dir, findings));
        if let (Some(id), Some(kind)) = (id, kind) {
            inputs.push(InputSpec { id, kind, gain: Db(gain), muted });
        }
    }
    (inputs, known)
}

fn read_kind(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<&'static str> {
    let names = KINDS.map(|(name, _)| name);
    fields.missing(findings, "kind", &format!("write kind = \"…\", one of {}", listed(&names)));
    fields.choice(findings, "kind", &KINDS.map(|(name, _)| (name, name)))
}

fn check_keys(fields: &Fields<'_>, kind: Option<&'static str>, findings: &mut Findings<'_>) {
    let known: Vec<&str> = KINDS
        .iter()
        .filter(|(name, _)| kind.is_none_or(|kind| kind == *name))
        .flat_map(|(_, keys)| keys.iter().copied())
        .chain(COMMON)
        .collect();
    fields.only(findings, &known, |word| {
        let kind = kind?;
        let owners: Vec<&str> =
            KINDS.iter().filter(|(_, keys)| keys.contains(&word)).map(|(name, _)| *name).collect();
        let near = meant(word, known.iter().copied());
        let elsewhere = if owners.is_empty() {
            String::new()
        } else {
            format!("{word} belongs to the kind {}; ", listed(&owners))
        };
        Some(format!("{near}{elsewhere}an input of the kind {kind} has {}", listed(&known)))
    });
}

fn read(
    kind: &str,
    fields: &Fields<'_>,
    base_dir: &Path,
    findings: &mut Findings<'_>,
) -> Option<InputKind> {
    let device = |findings: &mut Findings<'_>| {
        fields.text(findings, "device").map(|(device, _)| device.to_owned())
    };
    match kind {
        "test" => Some(InputKind::Test {
            pattern: fields.choice(findings, "pattern", &PATTERNS).unwrap_or_default(),
            tone_hz: fields.whole(findings, "tone-hz", 20..=20_000, " Hz").map(|(hz, _)| hz),
        }),
        "file" => {
            let repeat = fields.flag(findings, "repeat").unwrap_or(true);
            Some(InputKind::File { path: media(fields, base_dir, findings)?, repeat })
        }
        "image" => Some(InputKind::Image { path: media(fields, base_dir, findings)? }),
        "screen" => Some(InputKind::Screen {
            display: fields.text(findings, "display").map(|(display, _)| display.to_owned()),
            region: region(fields, findings),
            pointer: fields.flag(findings, "pointer").unwrap_or(true),
            fps: fields.whole(findings, "fps", 1..=60, " frames per second").map(|(fps, _)| fps),
        }),
        "camera" => Some(InputKind::Camera { device: device(findings) }),
        "microphone" => Some(InputKind::Microphone { device: device(findings) }),
        "network" => Some(InputKind::Network { uri: uri(fields, findings)? }),
        _ => None,
    }
}

/// A media file that can be opened.
fn media(fields: &Fields<'_>, base_dir: &Path, findings: &mut Findings<'_>) -> Option<PathBuf> {
    fields.missing(findings, "path", "write path = \"…\", from the folder of the show file");
    let (text, span) = fields.text(findings, "path")?;
    let path = base_dir.join(text);
    let shown = quoted(text);
    let opened = open_file(&path).and_then(|file| Ok(file.metadata()?.len()));
    let why = match opened {
        Ok(0) => "it is empty".to_owned(),
        Ok(_) => return Some(path),
        Err(why) => why.to_string(),
    };
    let todo = if text.starts_with('~') {
        "write the whole path: ~ is not understood here"
    } else if Path::new(text).is_absolute() {
        "check the path and who may read it"
    } else {
        "check the path and who may read it; it starts at the folder of the show file"
    };
    findings.add(&span, format!("the media file {shown} cannot be read: {why}"), todo);
    None
}

fn region(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<[u32; 4]> {
    const FORM: &str = "write region = [x, y, width, height] in pixels: whole numbers up to 16384, \
                        width and height even and at least 16";
    let (items, span) = fields.items(findings, "region")?;
    let numbers: Option<Vec<u32>> = items
        .iter()
        .map(|item| {
            let number = reader::whole_number(item.get_ref())?;
            u32::try_from(number).ok().filter(|n| *n <= 16_384)
        })
        .collect();
    let Some(Ok(region)) = numbers.map(<[u32; 4]>::try_from) else {
        findings.add(&span, "a region is a list of four whole numbers", FORM);
        return None;
    };
    let [_, _, w, h] = region;
    if w < 16 || h < 16 {
        findings.add(&span, format!("a region of {w}x{h} is too small"), FORM);
        None
    } else if w % 2 + h % 2 > 0 {
        findings.add(
            &span,
            format!("a region of {w}x{h} has an odd size: it cannot be encoded"),
            FORM,
        );
        None
    } else {
        Some(region)
    }
}

fn uri(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Url> {
    let schemes = listed(&SCHEMES.map(|s| format!("{s}:")));
    fields.missing(findings, "uri", &format!("write uri = \"…\" with one of {schemes}"));
    let (text, span) = fields.text(findings, "uri")?;
    // The text may hold a password: it is not repeated.
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(why) => {
            let what = format!("this is no address: {}", no_address(why));
            findings.add(&span, what, "write it whole: uri = \"rtsp://host:554/…\"");
            return None;
        }
    };
    if !SCHEMES.contains(&url.scheme()) {
        let what = format!("hawker takes no stream by {}:", quoted(url.scheme()));
        let near = meant(url.scheme(), SCHEMES);
        findings.add(
            &span,
            what,
            format!("{near}use one of {schemes}; a local file is kind = \"file\""),
        );
        return None;
    }
    if url.host_str().is_none_or(str::is_empty) {
        let what = format!("the address {} has no host", redact::shown_url(&url));
        findings.add(&span, what, "write it whole: uri = \"rtsp://host:554/…\"");
        return None;
    }
    Some(url)
}

/// Why a text is no address, without repeating it.
pub(super) fn no_address(why: url::ParseError) -> String {
    match why {
        url::ParseError::RelativeUrlWithoutBase => {
            "it does not begin with a scheme like https://".into()
        }
        why => why.to_string(),
    }
}
