//! Where an engine's log goes: the file in the show's folder, never a terminal. `HAWKER_LOG` is the filter
//! (`debug`, `hawker::engine=trace,warn`).

use std::{fs::File, io, os::unix::fs::OpenOptionsExt, path::Path, sync::Mutex};

use tracing_subscriber::EnvFilter;

use super::Failure;

/// Opens the log and sends everything traced to it. The file is given back, for what else is to go there.
pub(crate) fn to_file(path: &Path) -> Result<File, Failure> {
    // What str0m warns of is what strangers send: anybody could fill the log with it.
    let filter = match std::env::var("HAWKER_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(&filter).map_err(|e| {
            Failure::usage(format!("HAWKER_LOG: {e}; use error, warn, info, debug or trace"))
        })?,
        _ => EnvFilter::new("info,str0m=error"),
    };
    let open = || -> io::Result<(File, File)> {
        let file = File::options().create(true).append(true).mode(0o600).open(path)?;
        Ok((file.try_clone()?, file))
    };
    let (log, rest) = open().map_err(|e| {
        Failure::start(format!("the log cannot be written to {}: {e}", path.display()))
    })?;
    // A second subscriber in one process is refused; then the first goes on.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(log))
        .try_init();
    Ok(rest)
}
