//! Floor 3: files -> domain. Show files, settings, profiles and layouts become checked values, or a list
//! of everything that is wrong with them, with file, line and column. It reads files; it writes none,
//! opens no device and no socket, and knows no clock.

mod diagnostics;
mod dirs;
mod files;
mod plan;
mod preflight;
mod presets;
mod reader;
mod redact;
pub mod schema;
mod secrets;
mod settings;
mod show;

use std::path::Path;

pub use diagnostics::{Diagnostics, Problem, Spot};
pub use dirs::Dirs;
pub use files::{Unreadable, open_file, read_file};
pub use plan::{PLAN_EXAMPLES, load_plan, parse_plan};
pub use preflight::{Preflight, preflight};
pub use presets::{
    ALARMS, Bearer, H264Level, Link, Preset, Server, Source, ingests, layouts, links, load_alarms,
    load_ingest, load_layout, load_link, load_market, load_markets, load_profile, markets,
    profiles, server_of,
};
pub use redact::shown_url;
pub use schema::{
    chat_schema, forecast_schema, history_schema, made_plan_schema, plan::plan_schema,
    probe_schema, repair_schema, report_schema, show_schema,
};
pub use secrets::{read_secret, secret_warning};
pub use settings::{STAGE_PORT, Settings, Theme, print_config};
pub use show::{EXAMPLES, builtin_show, load_output, load_show, parse_show};

/// Something outside a file's text broke: what, why, and what to do, in one sentence or two.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure with its sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// The text of a file of at most `max` bytes; `wanted` is what it should have been ("a show file").
fn read_text(path: &Path, origin: &str, max: u64, wanted: &str) -> Result<String, Diagnostics> {
    let whole = |what: String, todo: &str| Diagnostics::from(Problem::whole(origin, what, todo));
    let bytes = read_file(path, max).map_err(|why| match &why {
        Unreadable::Directory => whole("this is a folder".into(), "name a file in it"),
        Unreadable::TooLarge(max) => whole(
            format!("this is larger than {} KiB, too large for {wanted}", max / 1024),
            "check that it is the right file",
        ),
        Unreadable::Special(what) => {
            whole(format!("this is {what}, not {wanted}"), "name a regular file")
        }
        Unreadable::Io(_) if why.is_missing() => {
            whole(why.to_string(), "check the path; `hawker` alone needs no file")
        }
        Unreadable::Io(e) => {
            whole(format!("cannot be read: {e}"), "check the path and who may read it")
        }
    })?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        // Up to that place the lossy text is the text itself.
        let lossy = String::from_utf8_lossy(e.as_bytes());
        let mut findings = diagnostics::Findings::new(origin, &lossy);
        findings.add(
            &(at..at + 1),
            "from here on this is not UTF-8 text",
            "save it as UTF-8 in your editor, or check that it is the right file",
        );
        findings.problems()
    })
}
