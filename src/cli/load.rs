//! Where the command line meets the rooms below: folders, show files, adapters. One line each.

use std::path::{Path, PathBuf};

use super::Failure;
use crate::{
    engine::{Factory, StartError},
    show::{Mode, ShowSpec},
};

/// The state directory.
pub(crate) fn state_dir() -> Result<PathBuf, Failure> {
    if let Some(dir) = std::env::var_os("HAWKER_STATE_DIR").filter(|d| !d.is_empty()) {
        return std::path::absolute(PathBuf::from(dir))
            .map_err(|e| Failure::usage(format!("HAWKER_STATE_DIR: {e}")));
    }
    directories::ProjectDirs::from("", "", "hawker")
        .map(|d| d.state_dir().unwrap_or_else(|| d.data_local_dir()).to_owned())
        .ok_or_else(|| Failure::usage("this user has no home folder: set HAWKER_STATE_DIR"))
}

/// A show file, or the built-in show.
pub(crate) fn show(path: Option<&Path>) -> Result<ShowSpec, Failure> {
    let text = match path {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?,
        None => BUILT_IN.to_owned(),
    };
    serde_json::from_str(&text).map_err(|e| Failure::usage(e.to_string()))
}

const BUILT_IN: &str = r#"{"title":"rehearsal","profile":{"name":"lively","canvas":{"width":1280,"height":720,"fps":30},"codec":"h264","effort":"veryfast","max_kbps":2500,"start_kbps":2000,"min_kbps":300,"audio_kbps":64,"keyframe_ms":2000,"latency_target_ms":300,"ladder":[]},"inputs":[],"scenes":[],"outputs":[]}"#;

/// Makes the adapters.
pub(crate) fn adapters(_mode: Mode) -> Result<Factory, Failure> {
    Ok(Box::new(|_| Err(StartError { text: "this build has no adapters".into(), exit_code: 3 })))
}
