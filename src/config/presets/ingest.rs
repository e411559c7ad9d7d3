//! Server profiles: what is known of a kind of WHIP server before it is asked, from its documentation and its
//! sources. A profile is chosen by name or found by an ingest's address. It asks nobody.

use toml::de::DeValue;
use url::Url;

use super::{CODECS, Preset, named, presets, text};
use crate::{
    base::{Canvas, Kbps},
    config::{
        Diagnostics, Dirs,
        diagnostics::{Findings, quoted},
        reader::{self, Fields},
    },
    show::{IngestSpec, VideoCodec},
    whip::Quirks,
};

const INGESTS: [(&str, &str); 11] = [
    ("broadcast-box", include_str!("../../../presets/ingests/broadcast-box.toml")),
    ("cloudflare", include_str!("../../../presets/ingests/cloudflare.toml")),
    ("dolby", include_str!("../../../presets/ingests/dolby.toml")),
    ("ivs", include_str!("../../../presets/ingests/ivs.toml")),
    ("janus", include_str!("../../../presets/ingests/janus.toml")),
    ("live777", include_str!("../../../presets/ingests/live777.toml")),
    ("livekit", include_str!("../../../presets/ingests/livekit.toml")),
    ("mediamtx", include_str!("../../../presets/ingests/mediamtx.toml")),
    ("ovenmediaengine", include_str!("../../../presets/ingests/ovenmediaengine.toml")),
    ("srs", include_str!("../../../presets/ingests/srs.toml")),
    ("twitch", include_str!("../../../presets/ingests/twitch.toml")),
];

const KEYS: [&str; 16] = [
    "title",
    "tried",
    "hosts",
    "paths",
    "bearer",
    "trickle",
    "options-first",
    "codecs",
    "h264-level",
    "max-size",
    "min-fps",
    "max-fps",
    "max-kbps",
    "keyframe-ms",
    "needs-video",
    "notes",
];

/// H.264 levels: macroblocks in a frame and in a second at most (ITU-T H.264, table A-1).
const LEVELS: [(&str, H264Level); 7] = [
    ("3.0", H264Level { name: "3.0", frame: 1620, second: 40_500 }),
    ("3.1", H264Level { name: "3.1", frame: 3600, second: 108_000 }),
    ("3.2", H264Level { name: "3.2", frame: 5120, second: 216_000 }),
    ("4.0", H264Level { name: "4.0", frame: 8192, second: 245_760 }),
    ("4.1", H264Level { name: "4.1", frame: 8192, second: 245_760 }),
    ("4.2", H264Level { name: "4.2", frame: 8704, second: 522_240 }),
    ("5.1", H264Level { name: "5.1", frame: 36_864, second: 983_040 }),
];

/// A level of H.264.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct H264Level {
    /// As it is written: `3.1`.
    pub name: &'static str,
    frame: u32,
    second: u32,
}

impl H264Level {
    /// Whether such a picture can be coded within it.
    pub const fn holds(self, canvas: Canvas) -> bool {
        let blocks = canvas.width.div_ceil(16) * canvas.height.div_ceil(16);
        blocks <= self.frame && blocks * canvas.fps <= self.second
    }
}

/// Whether a server asks for a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bearer {
    /// Without one it refuses.
    Required,
    /// As its operator set it up.
    #[default]
    Optional,
    /// The address alone is the key; a token would only be shown to one more party.
    Never,
}

const BEARERS: [(&str, Bearer); 3] =
    [("required", Bearer::Required), ("optional", Bearer::Optional), ("never", Bearer::Never)];

/// A server profile. What it does not say is not known, and not limited.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Its name in a show file.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What hawker was really run against: version, date, what was done; or that it never was, and what the profile
    /// was read from. `None` when a user's own file does not say.
    pub tried: Option<String>,
    /// It is at these hosts, and at all below them.
    pub hosts: Vec<String>,
    /// It is at these paths of any host: `*` stands for one segment, `**` for one or more; after `?` a part of
    /// the query.
    pub paths: Vec<String>,
    /// Whether it asks for a token.
    pub bearer: Bearer,
    /// What a session with it does otherwise.
    pub quirks: Quirks,
    /// The codecs it takes; empty when that is not known.
    pub codecs: Vec<VideoCodec>,
    /// The highest level of H.264 it takes.
    pub h264_level: Option<H264Level>,
    /// The longer and the shorter side of the greatest picture it takes, in pixels.
    pub max_size: Option<(u32, u32)>,
    /// Frames per second at least.
    pub min_fps: Option<u32>,
    /// Frames per second at most.
    pub max_fps: Option<u32>,
    /// Picture and sound together at most.
    pub max_kbps: Option<Kbps>,
    /// Milliseconds between key frames at most.
    pub keyframe_ms: Option<u32>,
    /// An offer of sound alone is refused: a picture must be offered with it. hawker always offers one.
    pub needs_video: bool,
    /// What else bites, in words.
    pub notes: Vec<String>,
}

impl Server {
    fn is_at_host(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        self.hosts.iter().any(|known| {
            host.strip_suffix(known.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// How closely one of its paths fits: by how many segments that are said in full.
    fn is_at_path(&self, url: &Url) -> Option<usize> {
        let segments: Vec<&str> = url.path().trim_matches('/').split('/').collect();
        let fitting = self.paths.iter().filter_map(|pattern| {
            let (path, query) = pattern.split_once('?').unwrap_or((pattern, ""));
            let asked = query.is_empty()
                || url.query().is_some_and(|have| have.split('&').any(|part| part == query));
            let pattern: Vec<&str> = path.trim_matches('/').split('/').collect();
            let said = pattern.iter().filter(|s| !matches!(**s, "*" | "**")).count();
            (asked && fits(&pattern, &segments)).then_some(said + usize::from(!query.is_empty()))
        });
        fitting.max()
    }
}

fn fits(pattern: &[&str], segments: &[&str]) -> bool {
    match (pattern, segments) {
        ([], []) => true,
        (["**", rest @ ..], [_, after @ ..]) => fits(rest, after) || fits(pattern, after),
        (["*", rest @ ..], [segment, after @ ..]) => !segment.is_empty() && fits(rest, after),
        ([known, rest @ ..], [segment, after @ ..]) => known == segment && fits(rest, after),
        _ => false,
    }
}

/// The server profiles there are: the user's and the embedded, by name.
pub fn ingests(dirs: &Dirs) -> Vec<Preset> {
    presets(&INGESTS, &dirs.config.join("ingests"))
}

/// The server profile of that name.
///
/// # Errors
/// No such profile, or the user's own file has problems.
pub fn load_ingest(name: &str, dirs: &Dirs) -> Result<Server, Diagnostics> {
    load(named("ingest", name, &ingests(dirs))?)
}

/// The profile of an ingest: the one it names, or the one whose address it has, a host before a path, and the path
/// that says most. `None` for a server that is not known.
///
/// # Errors
/// The ingest names no profile there is, or a file of the user's has problems.
pub fn server_of(ingest: &IngestSpec, dirs: &Dirs) -> Result<Option<Server>, Diagnostics> {
    if let Some(name) = &ingest.server {
        return load_ingest(name, dirs).map(Some);
    }
    let all = ingests(dirs).iter().map(load).collect::<Result<Vec<_>, _>>()?;
    if let Some(server) = all.iter().find(|s| s.is_at_host(&ingest.url)) {
        return Ok(Some(server.clone()));
    }
    let fitting = all.iter().filter_map(|s| Some((s.is_at_path(&ingest.url)?, s)));
    Ok(fitting.max_by_key(|(closely, _)| *closely).map(|(_, server)| server.clone()))
}

fn load(preset: &Preset) -> Result<Server, Diagnostics> {
    let (origin, text) = text(preset, &INGESTS)?;
    let mut findings = Findings::new(&origin, &text);
    let read = reader::document(&text, &mut findings).and_then(|t| {
        read_server(&preset.name, &Fields::new(&t, 0..0, "a server profile"), &mut findings)
    });
    findings.done(read)
}

fn read_server(name: &str, fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Server> {
    fields.only(findings, &KEYS, |_| None);
    fields.missing(findings, "title", "write title = \"…\": what the server is called");
    let title = fields.text(findings, "title").map(|(title, _)| title.to_owned());
    let tried = fields.text(findings, "tried").map(|(tried, _)| tried.to_owned());
    let mut codecs = Vec::new();
    for (word, span) in texts(fields, "codecs", findings) {
        match CODECS.iter().find(|(known, _)| *known == word) {
            Some((_, codec)) => codecs.push(*codec),
            None => findings.add(
                &span,
                format!("{} is no codec of hawker's", quoted(&word)),
                "name those of h264 and vp8 that the server takes",
            ),
        }
    }
    let mut whole = |key: &str, range: std::ops::RangeInclusive<u32>, unit: &str| {
        fields.whole(findings, key, range, unit).map(|(n, _)| n)
    };
    let (min_fps, max_fps) = (whole("min-fps", 1..=60, ""), whole("max-fps", 1..=240, ""));
    let max_kbps = whole("max-kbps", 100..=1_000_000, " kbit/s").map(Kbps);
    let keyframe_ms = whole("keyframe-ms", 500..=60_000, " ms");
    let usual = Quirks::default();
    let quirks = Quirks {
        trickle: fields.flag(findings, "trickle").unwrap_or(usual.trickle),
        options_first: fields.flag(findings, "options-first").unwrap_or(usual.options_first),
    };
    let mut words = |key| texts(fields, key, findings).into_iter().map(|(text, _)| text).collect();
    let (hosts, paths, notes) = (words("hosts"), words("paths"), words("notes"));
    let bearer = fields.choice(findings, "bearer", &BEARERS).unwrap_or_default();
    let h264_level = fields.choice(findings, "h264-level", &LEVELS);
    let max_size = read_size(fields, findings);
    let needs_video = fields.flag(findings, "needs-video").unwrap_or(false);
    Some(Server {
        name: name.to_owned(),
        title: title?,
        tried,
        hosts,
        paths,
        bearer,
        quirks,
        codecs,
        h264_level,
        max_size,
        min_fps,
        max_fps,
        max_kbps,
        keyframe_ms,
        needs_video,
        notes,
    })
}

pub(super) fn texts(
    fields: &Fields<'_>,
    key: &str,
    findings: &mut Findings<'_>,
) -> Vec<(String, std::ops::Range<usize>)> {
    let mut texts = Vec::new();
    for item in fields.items(findings, key).map_or(&[][..], |(items, _)| items) {
        match item.get_ref() {
            DeValue::String(text) if !text.chars().any(char::is_control) => {
                texts.push((text.to_string(), item.span()));
            }
            DeValue::String(_) => {
                let what = format!("a line of {key} holds a control character");
                findings.add(&item.span(), what, "take it out; a text here is one line");
            }
            other => {
                let what =
                    format!("{key} is a list of texts, but this is {}", reader::kind_of(other));
                findings.add(&item.span(), what, "write it in quotes");
            }
        }
    }
    texts
}

fn read_size(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<(u32, u32)> {
    let (text, span) = fields.text(findings, "max-size")?;
    let sides = text.split_once('x').and_then(|(a, b)| {
        let (a, b) = (a.parse::<u32>().ok()?, b.parse::<u32>().ok()?);
        ((64..=7680).contains(&a) && (64..=7680).contains(&b)).then(|| (a.max(b), a.min(b)))
    });
    if sides.is_none() {
        let what = format!("{} is no size of a picture", quoted(text));
        findings.add(
            &span,
            what,
            "write max-size = \"1280x720\"; standing pictures count the same",
        );
    }
    sides
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn nowhere() -> Dirs {
        Dirs::below(Path::new("/dev/null"))
    }

    fn at(url: &str) -> Option<String> {
        let ingest = IngestSpec { url: url.parse().unwrap(), token: None, server: None };
        server_of(&ingest, &nowhere()).unwrap().map(|s| s.name)
    }

    #[test]
    fn every_embedded_profile_reads_and_has_a_file() {
        let dirs = nowhere();
        for preset in ingests(&dirs) {
            let server = load_ingest(&preset.name, &dirs).unwrap_or_else(|e| panic!("{e}"));
            assert!(!server.notes.is_empty() && !server.codecs.is_empty(), "{server:?}");
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/ingests");
        assert_eq!(fs::read_dir(folder).unwrap().count(), INGESTS.len());
    }

    /// Knowledge that was only read must not look like a test: a profile names a version, a day and what was done, or
    /// says that the server was never run.
    #[test]
    fn every_embedded_profile_says_what_was_tried() {
        let dirs = nowhere();
        for preset in ingests(&dirs) {
            let tried = load_ingest(&preset.name, &dirs).unwrap().tried.unwrap_or_default();
            let day = |word: &str| word.parse::<jiff::civil::Date>().is_ok();
            let words = || tried.split([' ', ',', ':', ';']);
            let run = words().any(day)
                && words().any(|w| w.contains('.') && w.starts_with(|c: char| c.is_ascii_digit()));
            let read = tried.strip_prefix("never; read: ").is_some_and(|from| !from.is_empty());
            assert!(run != read, "{}: {tried:?}", preset.name);
        }
    }

    #[test]
    fn a_server_is_known_by_its_address() {
        for (url, name) in [
            ("https://global.whip.live-video.net", "ivs"),
            ("https://abc.fra.whip.live-video.net/x", "ivs"),
            ("https://g.webrtc.live-video.net:4443/v2/offer", "twitch"),
            ("https://customer-x.cloudflarestream.com/0a1b/webRTC/publish", "cloudflare"),
            ("https://mine-0a1b.whip.livekit.cloud/w", "livekit"),
            ("https://director.millicast.com/api/whip/room?codec=h264", "dolby"),
            ("https://h:7080/whip/endpoint/abc", "janus"),
            ("http://h:8889/room/whip", "mediamtx"),
            ("http://h:8889/a/b/whip", "mediamtx"),
            ("http://h:1985/rtc/v1/whip/?app=live&stream=s", "srs"),
            ("https://h:3334/app/stream?direction=whip&x=1", "ovenmediaengine"),
            ("https://h/api/whip", "broadcast-box"),
        ] {
            assert_eq!(at(url).as_deref(), Some(name), "{url}");
        }
        for url in [
            "http://127.0.0.1:8080/whip",
            "https://h/whip/room",
            "https://h/whip/endpoint",
            "https://notlive-video.net/x",
            "https://whip.live-video.net.evil.example/x",
        ] {
            assert_eq!(at(url), None, "{url}");
        }
    }

    #[test]
    fn a_name_is_stronger_than_an_address_and_the_users_file_than_ours() {
        let root = tempfile::tempdir().unwrap();
        let dirs = Dirs::below(root.path());
        fs::create_dir_all(dirs.config.join("ingests")).unwrap();
        let file = |name: &str, text: &str| {
            fs::write(dirs.config.join("ingests").join(name), text).unwrap();
        };
        file("ivs.toml", "title = \"Mine\"\nhosts = [\"mine.example\"]\ntrickle = false\n");
        let mut ingest = IngestSpec {
            url: "https://a.mine.example/x".parse().unwrap(),
            token: None,
            server: None,
        };
        let server = server_of(&ingest, &dirs).unwrap().unwrap();
        assert_eq!((server.title.as_str(), server.quirks.trickle), ("Mine", false));
        ingest.server = Some("srs".into());
        assert_eq!(server_of(&ingest, &dirs).unwrap().unwrap().name, "srs");
        file(
            "ivs.toml",
            "titel = \"M\"\nmax-size = \"big\"\ncodecs = [\"h265\", 1]\nh264-level = \"3\"",
        );
        let shown = load_ingest("ivs", &dirs).unwrap_err().to_string();
        for part in
            ["did you mean \"title\"", "ivs.toml:2:12", "no codec", "ivs.toml:3:19", "one of 3.0"]
        {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        assert!(load_ingest("../evil", &dirs).is_err());
    }

    #[test]
    fn levels_hold_what_the_standard_says() {
        let level = |name| LEVELS.iter().find(|(n, _)| *n == name).unwrap().1;
        let canvas = |width, height, fps| Canvas { width, height, fps };
        assert!(level("3.1").holds(canvas(1280, 720, 30)));
        assert!(!level("3.1").holds(canvas(1280, 720, 60)));
        assert!(!level("3.1").holds(canvas(1920, 1080, 30)));
        assert!(level("4.0").holds(canvas(1920, 1080, 30)));
    }
}
