//! A show file becomes a `ShowSpec`. All its problems are found in one pass; a show with one problem does
//! not start.

mod chat;
mod control;
mod input;
mod monitor;
mod output;
mod scene;
mod segment;

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    Dirs,
    diagnostics::{Diagnostics, Findings, Problem, quoted},
    presets,
    reader::{self, Fields},
};
use crate::show::{OutputSpec, Profile, ShowSpec};

pub(super) use output::secret_ref;

/// The greatest show file, in bytes.
const MAX_SHOW: u64 = 256 * 1024;

const BUILTIN: &str = include_str!("../../presets/shows/builtin.toml");

/// Show files to copy from: name and text.
pub const EXAMPLES: [(&str, &str); 5] = [
    ("builtin", BUILTIN),
    ("table", include_str!("../../presets/shows/table.toml")),
    ("pk", include_str!("../../presets/shows/pk.toml")),
    ("screen", include_str!("../../presets/shows/screen.toml")),
    ("standby", include_str!("../../presets/shows/standby.toml")),
];

/// The keys of each table of a show file, beside those of an input's kind.
pub(super) const SHOW_KEYS: [&str; 12] = [
    "title",
    "profile",
    "program",
    "input",
    "scene",
    "segment",
    "output",
    "monitor",
    "chat",
    "moderation",
    "claims",
    "item",
];
pub(super) const PROGRAM_KEYS: [&str; 2] = ["canvas", "codec"];

/// Reads a show file. Relative paths in it start at its folder.
///
/// # Errors
/// Everything that keeps the show from starting: the file cannot be read, or its problems, all of them.
pub fn load_show(path: &Path, dirs: &Dirs) -> Result<ShowSpec, Diagnostics> {
    let origin = path.display().to_string();
    let text = super::read_text(path, &origin, MAX_SHOW, "a show file")?;
    parse_show(&text, &origin, &folder_of(path), dirs)
}

/// The folder of a file, from the root: the engine is a process of its own and may stand in another folder.
fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    std::path::absolute(folder)
        .or_else(|_| std::env::current_dir())
        .unwrap_or_else(|_| folder.to_owned())
}

/// Reads the text of a show file. `origin` names it in messages; relative paths start at `base_dir`.
///
/// # Errors
/// All problems of the text.
pub fn parse_show(
    text: &str,
    origin: &str,
    base_dir: &Path,
    dirs: &Dirs,
) -> Result<ShowSpec, Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Problem::whole(
            origin,
            "the file is empty",
            "begin with a title, an [[input]] and a [[scene]]; presets/shows/ has shows to copy",
        )
        .into());
    }
    let mut findings = Findings::new(origin, text);
    let spec = reader::document(text, &mut findings).and_then(|table| {
        let fields = Fields::new(&table, 0..0, "the show");
        read_show(&fields, base_dir, dirs, &mut findings)
    });
    findings.done(spec)
}

/// Reads a file with one `[[output]]` as a show file has it. Relative paths in it start at its folder.
///
/// # Errors
/// All problems of the file.
pub fn load_output(path: &Path, dirs: &Dirs) -> Result<OutputSpec, Diagnostics> {
    let origin = path.display().to_string();
    let text = super::read_text(path, &origin, MAX_SHOW, "an output")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut findings = Findings::new(&origin, text);
    let base_dir = folder_of(path);
    let only = reader::document(text, &mut findings).and_then(|table| {
        let fields = Fields::new(&table, 0..0, "the file");
        fields.only(&mut findings, &["output"], |_| None);
        output::refuse_watch(&fields, &mut findings);
        let written = fields.tables(&mut findings, "output").len();
        if written != 1 {
            let what = format!("there are {written} outputs in it");
            findings.add(&(0..0), what, "write one [[output]] table: one is added at a time");
        }
        let place = output::Place { base_dir: &base_dir, dirs };
        output::read_all(&fields, None, &place, &mut findings).pop()
    });
    findings.done(only)
}

/// The show that `hawker` runs when none is named: pictures and a tone made here, no output.
pub fn builtin_show() -> ShowSpec {
    // Without any folder of the user's: the embedded profile and layouts alone.
    let nowhere = Dirs::below(Path::new("/dev/null"));
    let show = parse_show(BUILTIN, "(built in) builtin.toml", Path::new(""), &nowhere);
    show.expect("the built-in show is part of the program, and a test reads it")
}

fn read_show(
    fields: &Fields<'_>,
    base_dir: &Path,
    dirs: &Dirs,
    findings: &mut Findings<'_>,
) -> Option<ShowSpec> {
    fields.only(findings, &SHOW_KEYS, |_| None);
    fields.missing(findings, "title", "write title = \"…\" on the first line");
    let title = fields.text(findings, "title").map(|(t, _)| t.to_owned());
    let profile = read_profile(fields, dirs, findings);
    let (inputs, known) = input::read_all(fields, base_dir, findings);
    let scenes = scene::read_all(fields, &known, dirs, findings);
    let segments = segment::read_all(fields, &scenes, findings);
    let place = output::Place { base_dir, dirs };
    let outputs = output::read_all(fields, profile.as_ref(), &place, findings);
    let monitors = monitor::read_all(fields, &outputs, &place, findings);
    let chats = chat::read_all(fields, &place, findings);
    let control = control::read(fields, &place, findings);
    let alarms = pointed(findings, &(0..0), presets::load_alarms(dirs)).unwrap_or_default();
    Some(ShowSpec {
        title: title?,
        profile: profile?,
        inputs,
        scenes,
        outputs,
        monitors,
        alarms,
        segments,
        chats,
        control,
    })
}

fn read_profile(fields: &Fields<'_>, dirs: &Dirs, findings: &mut Findings<'_>) -> Option<Profile> {
    let (name, span) = match fields.text(findings, "profile") {
        Some(named) => named,
        None => ("lively", 0..0),
    };
    let mut profile = pointed(findings, &span, presets::load_profile(name, dirs));
    if let Some(program) = fields.table(findings, "program") {
        program.only(findings, &PROGRAM_KEYS, |_| None);
        let upright = program.choice(findings, "canvas", &[("16:9", false), ("9:16", true)]);
        let codec = program.choice(findings, "codec", &presets::CODECS);
        profile = profile.map(|p| match upright {
            Some(upright) => p.turned(upright),
            None => p,
        });
        if let (Some(profile), Some(codec)) = (&mut profile, codec) {
            profile.codec = codec;
        }
    }
    profile
}

/// A preset that the show names at `span`: "no such name" points there, problems of the user's own
/// preset file point into that file.
fn pointed<T>(
    findings: &mut Findings<'_>,
    span: &Range<usize>,
    loaded: Result<T, Diagnostics>,
) -> Option<T> {
    loaded
        .map_err(|problems| {
            let unknown = problems
                .iter()
                .find(|p| matches!(p.origin.as_str(), "profile" | "layout" | "ingest"));
            match unknown.cloned() {
                Some(problem) => findings.add(span, problem.what, problem.todo),
                None => findings.add_others(span, problems),
            }
        })
        .ok()
}

/// Names given so far, each with its line, to refuse the second of the same.
#[derive(Debug, Default)]
pub(super) struct Given(BTreeMap<String, usize>);

impl Given {
    /// A name that was given otherwise.
    fn take(&mut self, name: &str, line: usize) {
        self.0.entry(name.to_owned()).or_insert(line);
    }

    /// The `id` of a table, when it is there, well-formed, and new.
    pub(super) fn id<T>(&mut self, fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<T>
    where
        T: std::str::FromStr<Err = crate::base::NameError>,
    {
        fields.missing(findings, "id", "write id = \"…\": 1-32 of a-z, 0-9, '-' and '_'");
        let (text, span) = fields.text(findings, "id")?;
        let Ok(id) = text.parse() else {
            findings.add(
                &span,
                format!("{} cannot be an id", quoted(text)),
                "use 1-32 of a-z, 0-9, '-' and '_'; what the operator reads is the title",
            );
            return None;
        };
        if let Some(line) = self.0.get(text) {
            let what = format!("the id {} was given at line {line} already", quoted(text));
            findings.add(&span, what, "give this one another name");
            return None;
        }
        self.0.insert(text.to_owned(), findings.line(span.start));
        Some(id)
    }
}

#[cfg(test)]
mod tests;
