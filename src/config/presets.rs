//! Profiles, layouts, links, markets and server profiles by name: those embedded in the program, each replaced by a
//! file of the same name in the user's configuration folder. It does not know shows.

mod alarms;
mod ingest;
mod link;
mod market;

use std::{
    fs,
    path::{Path, PathBuf},
};

use toml::{Spanned, de::DeValue};

use super::{
    Dirs,
    diagnostics::{Diagnostics, Findings, Problem, listed, meant, quoted},
    reader::{self, Fields},
};
use crate::{
    base::{Canvas, Kbps},
    scene::{Layout, Slot},
    show::{
        Profile, Rung, VideoCodec,
        spec::{EFFORTS, LEAST_EFFORT, STALL_TARGET_PERMILLE},
    },
};

pub use alarms::{ALARMS, load_alarms};
pub use ingest::{Bearer, H264Level, Server, ingests, load_ingest, server_of};
pub use link::{Link, links, load_link};
pub use market::{load_market, load_markets, markets};

/// Where the text of a preset comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Embedded in the program.
    BuiltIn,
    /// A file of the user's.
    User(PathBuf),
}

/// A profile or layout that can be named in a show file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// The name: that of its file, without `.toml`.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
}

/// The codecs of the picture as written in a file.
pub(super) const CODECS: [(&str, VideoCodec); 2] =
    [("h264", VideoCodec::H264), ("vp8", VideoCodec::Vp8)];

const PROFILES: [(&str, &str); 3] = [
    ("lively", include_str!("../../presets/profiles/lively.toml")),
    ("quality", include_str!("../../presets/profiles/quality.toml")),
    ("slim", include_str!("../../presets/profiles/slim.toml")),
];

const LAYOUTS: [(&str, &str); 5] = [
    ("full", include_str!("../../presets/layouts/full.toml")),
    ("picture-in-picture", include_str!("../../presets/layouts/picture-in-picture.toml")),
    ("side-by-side", include_str!("../../presets/layouts/side-by-side.toml")),
    ("stack", include_str!("../../presets/layouts/stack.toml")),
    ("grid", include_str!("../../presets/layouts/grid.toml")),
];

/// The greatest preset file, in bytes.
const MAX_PRESET: u64 = 64 * 1024;

/// The profiles there are: the user's and the embedded, by name.
pub fn profiles(dirs: &Dirs) -> Vec<Preset> {
    presets(&PROFILES, &dirs.config.join("profiles"))
}

/// The layouts there are: the user's and the embedded, by name.
pub fn layouts(dirs: &Dirs) -> Vec<Preset> {
    presets(&LAYOUTS, &dirs.config.join("layouts"))
}

/// The profile of that name.
///
/// # Errors
/// No such profile, or the user's own file has problems.
pub fn load_profile(name: &str, dirs: &Dirs) -> Result<Profile, Diagnostics> {
    let all = profiles(dirs);
    let (origin, text) = text(named("profile", name, &all)?, &PROFILES)?;
    let mut findings = Findings::new(&origin, &text);
    let profile = reader::document(&text, &mut findings)
        .and_then(|t| read_profile(name, &Fields::new(&t, 0..0, "a profile"), &mut findings));
    findings.done(profile)
}

/// The layout of that name or alias, with its own name.
///
/// # Errors
/// No such layout, or the user's own file has problems.
pub fn load_layout(name: &str, dirs: &Dirs) -> Result<(String, Layout), Diagnostics> {
    let all = layouts(dirs);
    if let Some(preset) = all.iter().find(|p| p.name == name) {
        let (layout, _) = layout(preset)?;
        return Ok((preset.name.clone(), layout));
    }
    let mut names: Vec<String> = all.iter().map(|p| p.name.clone()).collect();
    for preset in &all {
        // One that cannot be read has no aliases; it is refused when it is named itself.
        let Ok((layout, aliases)) = layout(preset) else { continue };
        if aliases.iter().any(|a| a == name) {
            return Ok((preset.name.clone(), layout));
        }
        names.extend(aliases);
    }
    Err(unknown("layout", name, names.iter().map(String::as_str).collect()))
}

/// The preset of exactly that name.
fn named<'a>(kind: &str, name: &str, all: &'a [Preset]) -> Result<&'a Preset, Diagnostics> {
    let names = || all.iter().map(|p| p.name.as_str()).collect();
    all.iter().find(|p| p.name == name).ok_or_else(|| unknown(kind, name, names()))
}

fn unknown(kind: &str, name: &str, names: Vec<&str>) -> Diagnostics {
    let folder = format!("{kind}s/ of hawker's configuration");
    Problem::whole(
        kind,
        format!("no {kind} is called {}", quoted(name)),
        format!(
            "{}there are {}; a file of yours in {folder} adds one",
            meant(name, names.iter().copied()),
            listed(&names)
        ),
    )
    .into()
}

fn presets(embedded: &[(&str, &str)], folder: &Path) -> Vec<Preset> {
    let own = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut presets: Vec<Preset> = own
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            Some(Preset { name, source: Source::User(path) })
        })
        .collect();
    for (name, _) in embedded {
        if presets.iter().all(|p| p.name != *name) {
            presets.push(Preset { name: (*name).to_owned(), source: Source::BuiltIn });
        }
    }
    presets.sort_by(|a, b| a.name.cmp(&b.name));
    presets
}

/// The origin to name in messages, and the text.
fn text(preset: &Preset, embedded: &[(&str, &str)]) -> Result<(String, String), Diagnostics> {
    match &preset.source {
        Source::User(path) => {
            let origin = path.display().to_string();
            let text = super::read_text(path, &origin, MAX_PRESET, "a preset")?;
            Ok((origin, text))
        }
        Source::BuiltIn => {
            let text = embedded.iter().find(|(name, _)| *name == preset.name).map_or("", |e| e.1);
            Ok((format!("(built in) {}.toml", preset.name), text.to_owned()))
        }
    }
}

fn layout(preset: &Preset) -> Result<(Layout, Vec<String>), Diagnostics> {
    let (origin, text) = text(preset, &LAYOUTS)?;
    let mut findings = Findings::new(&origin, &text);
    let read = reader::document(&text, &mut findings)
        .and_then(|t| read_layout(&Fields::new(&t, 0..0, "a layout"), &mut findings));
    findings.done(read)
}

fn read_layout(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<(Layout, Vec<String>)> {
    fields.only(findings, &["title", "aliases", "slots", "grid"], |_| None);
    fields.text(findings, "title");
    let mut aliases = Vec::new();
    for item in fields.items(findings, "aliases").map_or(&[][..], |(items, _)| items) {
        match item.get_ref() {
            DeValue::String(alias) => aliases.push(alias.to_string()),
            other => {
                let what = format!("an alias is a text, but this is {}", reader::kind_of(other));
                findings.add(&item.span(), what, "write it in quotes");
            }
        }
    }
    let grid = fields.flag(findings, "grid").unwrap_or(false);
    let slots = fields.items(findings, "slots");
    let layout = match (grid, slots) {
        (true, None) => Layout::Grid,
        (false, Some((items, span))) => {
            if items.is_empty() || items.len() > 16 {
                findings.add(&span, "a layout has 1-16 slots", "write slots = [[0, 0, 1, 1]]");
            }
            Layout::Slots(items.iter().filter_map(|item| read_slot(item, findings)).collect())
        }
        _ => {
            let todo = "write slots = [[x, y, width, height], …] or grid = true, one of them";
            findings.add_whole("a layout has either slots or grid = true", todo);
            return None;
        }
    };
    Some((layout, aliases))
}

fn read_slot(item: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>) -> Option<Slot> {
    let numbers = match item.get_ref() {
        DeValue::Array(numbers) => numbers
            .iter()
            .map(|n| match n.get_ref() {
                DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
                other => reader::whole_number(other).map(|n| n as f64),
            })
            .collect::<Option<Vec<f64>>>(),
        _ => None,
    };
    let Some(Ok(place)) = numbers.map(<[f64; 4]>::try_from) else {
        findings.add(
            &item.span(),
            "a slot is a list of four numbers",
            "write [x, y, width, height]",
        );
        return None;
    };
    match Slot::try_from(place) {
        Ok(slot) => Some(slot),
        Err(off) => {
            findings.add(&item.span(), off.to_string(), "move it onto the canvas");
            None
        }
    }
}

fn read_profile(name: &str, fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Profile> {
    let known = [
        "title",
        "canvas",
        "codec",
        "effort",
        "effort-least",
        "max-kbps",
        "start-kbps",
        "min-kbps",
        "audio-kbps",
        "keyframe-ms",
        "latency-target-ms",
        "stall-target-permille",
        "ladder",
    ];
    fields.only(findings, &known, |_| None);
    fields.text(findings, "title");
    let canvas = read_canvas(fields, findings);
    let codec = fields.choice(findings, "codec", &CODECS).unwrap_or_default();
    let efforts = EFFORTS.map(|e| (e, e));
    let effort = fields.choice(findings, "effort", &efforts).unwrap_or("superfast");
    let least = fields.choice(findings, "effort-least", &efforts).unwrap_or(LEAST_EFFORT);
    let place = |word: &str| EFFORTS.iter().position(|e| *e == word);
    if place(least) > place(effort) {
        findings.add_whole(
            format!("effort-least (\"{least}\") is more than effort (\"{effort}\")"),
            "set effort-least to the same or a faster preset",
        );
    }
    let mut whole = |key: &str, range: std::ops::RangeInclusive<u32>, unit: &str| {
        fields.missing(
            findings,
            key,
            &format!("write {key}, {}-{}{unit}", range.start(), range.end()),
        );
        fields.whole(findings, key, range, unit).map(|(n, _)| n)
    };
    let max = whole("max-kbps", 100..=50_000, " kbit/s");
    let start = whole("start-kbps", 50..=50_000, " kbit/s");
    let min = whole("min-kbps", 50..=50_000, " kbit/s");
    let audio = whole("audio-kbps", 16..=256, " kbit/s");
    let keyframe = whole("keyframe-ms", 500..=2000, " ms");
    let latency = whole("latency-target-ms", 50..=30_000, " ms");
    let stall = fields.whole(findings, "stall-target-permille", 0..=1000, " permille");
    if let (Some(max), Some(start), Some(min)) = (max, start, min)
        && !(min <= start && start <= max)
    {
        findings.add_whole(
            "start-kbps does not lie between min-kbps and max-kbps",
            "set min-kbps <= start-kbps <= max-kbps",
        );
    }
    let ladder = read_ladder(fields, canvas, findings);
    Some(Profile {
        name: name.to_owned(),
        canvas: canvas?,
        codec,
        effort: effort.to_owned(),
        effort_least: least.to_owned(),
        max_kbps: Kbps(max?),
        start_kbps: Kbps(start?),
        min_kbps: Kbps(min?),
        audio_kbps: Kbps(audio?),
        keyframe_ms: keyframe?,
        latency_target_ms: latency?,
        stall_target_permille: stall.map_or(STALL_TARGET_PERMILLE, |(n, _)| n),
        ladder,
    })
}

fn read_ladder(
    fields: &Fields<'_>,
    canvas: Option<Canvas>,
    findings: &mut Findings<'_>,
) -> Vec<Rung> {
    let mut ladder: Vec<Rung> = Vec::new();
    fields.missing(findings, "ladder", "write at least one [[ladder]] with canvas and from-kbps");
    for rung in fields.tables(findings, "ladder") {
        rung.only(findings, &["canvas", "from-kbps"], |_| None);
        let picture = read_canvas(&rung, findings);
        rung.missing(findings, "from-kbps", "write the least bitrate it is worth, in kbit/s");
        let from = rung.whole(findings, "from-kbps", 50..=50_000, " kbit/s");
        let (Some(picture), Some((from, span))) = (picture, from) else { continue };
        if canvas.is_some_and(|c| {
            picture.width > c.width || picture.height > c.height || picture.fps > c.fps
        }) {
            let what = format!("this rung ({picture}) is greater than the profile's canvas");
            findings.add(rung.span(), what, "a ladder only steps down");
        }
        if ladder.last().is_some_and(|above| above.from_kbps.0 <= from) {
            findings.add(
                &span,
                "this rung wants no less than the one before it",
                "write the rungs best first, each from less",
            );
        }
        ladder.push(Rung { canvas: picture, from_kbps: Kbps(from) });
    }
    ladder
}

fn read_canvas(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<Canvas> {
    const FORM: &str = "write canvas = \"1280x720@30\": even width and height of 64-7680 pixels, \
                        1-60 frames per second";
    fields.missing(findings, "canvas", FORM);
    let (text, span) = fields.text(findings, "canvas")?;
    let parse = || {
        let (size, fps) = text.split_once('@')?;
        let (width, height) = size.split_once('x')?;
        let number = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse().ok())?;
        Some(Canvas { width: number(width)?, height: number(height)?, fps: number(fps)? })
    };
    let Some(canvas) = parse() else {
        findings.add(&span, format!("{} is no canvas", quoted(text)), FORM);
        return None;
    };
    let size = |n: u32| (64..=7680).contains(&n) && n.is_multiple_of(2);
    if size(canvas.width) && size(canvas.height) && (1..=60).contains(&canvas.fps) {
        Some(canvas)
    } else {
        let what = format!("a canvas of {canvas} cannot be encoded");
        findings.add(&span, what, FORM);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(folder: &str, name: &str, text: &str) -> (tempfile::TempDir, Dirs) {
        let root = tempfile::tempdir().unwrap();
        let dirs = Dirs::below(root.path());
        fs::create_dir_all(dirs.config.join(folder)).unwrap();
        fs::write(dirs.config.join(folder).join(name), text).unwrap();
        (root, dirs)
    }

    #[test]
    fn every_embedded_preset_reads() {
        let root = tempfile::tempdir().unwrap();
        let dirs = Dirs::below(root.path());
        for preset in profiles(&dirs) {
            let profile = load_profile(&preset.name, &dirs).unwrap();
            assert_eq!(profile.ladder[0].canvas, profile.canvas);
            assert!(profile.ladder.last().unwrap().from_kbps <= profile.min_kbps);
        }
        let capacity: Vec<_> = layouts(&dirs)
            .iter()
            .map(|p| (p.name.clone(), load_layout(&p.name, &dirs).unwrap().1.capacity()))
            .collect();
        let expected = [
            ("full", 1),
            ("grid", 16),
            ("picture-in-picture", 2),
            ("side-by-side", 2),
            ("stack", 2),
        ];
        assert_eq!(capacity, expected.map(|(n, c)| (n.to_owned(), c)));
        assert_eq!(load_layout("pip", &dirs).unwrap().0, "picture-in-picture");
    }

    #[test]
    fn a_file_of_the_same_name_replaces_the_embedded_one() {
        let (_root, dirs) = with("layouts", "full.toml", "grid = true");
        assert_eq!(load_layout("full", &dirs).unwrap().1, Layout::Grid);
        let (_root, dirs) =
            with("profiles", "mine.toml", &PROFILES[0].1.replace("superfast", "ultrafast"));
        let mine = load_profile("mine", &dirs).unwrap();
        assert_eq!((mine.name.as_str(), mine.effort.as_str()), ("mine", "ultrafast"));
        assert!(profiles(&dirs).iter().any(|p| p.name == "lively" && p.source == Source::BuiltIn));
    }

    #[test]
    fn the_users_file_is_named_with_all_its_problems() {
        let text = "canvas = \"1281x720@30\"\nmax-kbps = \"2\"\nmin-kbps = 9\neffort = \"ultrafats\"\n\
                    [[ladder]]\ncanvas = \"640x360@30\"\nfrom-kbps = 200\n\
                    [[ladder]]\ncanvas = \"640x360@15\"\nfrom-kbps = 300\n";
        let (_root, dirs) = with("profiles", "lively.toml", text);
        let shown = load_profile("lively", &dirs).unwrap_err().to_string();
        for part in [
            "lively.toml:1:10: a canvas of 1281x720 at 30 fps cannot be encoded",
            "lively.toml:2:12: max-kbps is a whole number, but this is a text",
            "lively.toml:3:12: min-kbps is out of range",
            "did you mean \"ultrafast\"?",
            "has no audio-kbps",
            "lively.toml:10:13: this rung wants no less",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
    }

    #[test]
    fn a_name_is_never_a_path() {
        let (_root, dirs) = with("profiles", "mine.toml", "");
        fs::write(dirs.config.join("evil.toml"), PROFILES[0].1).unwrap();
        assert!(load_profile("../evil", &dirs).is_err());
    }

    #[test]
    fn portrait_is_the_same_turned() {
        let root = tempfile::tempdir().unwrap();
        let lively = load_profile("lively", &Dirs::below(root.path())).unwrap();
        let tall = lively.clone().turned(true);
        assert_eq!(tall.canvas, Canvas { width: 720, height: 1280, fps: 30 });
        assert_eq!(tall.ladder[1].canvas, Canvas { width: 540, height: 960, fps: 30 });
        assert_eq!(tall.clone().turned(true), tall);
        assert_eq!(tall.turned(false), lively);
    }
}
