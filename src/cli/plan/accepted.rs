//! The accepted plan: a file in the state directory.

use std::{fs, path::PathBuf};

use crate::{
    cli::{Failure, load as places},
    config,
    engine::report::write_whole,
    planner::export::{Accepted, VERSION},
};

/// The greatest plan that is read, in bytes.
const MOST: u64 = 16 << 20;

/// The accepted plan, and one that was changed and not saved.
const FILES: [&str; 2] = ["plan.json", "plan-draft.json"];

fn path(file: &str) -> Result<PathBuf, Failure> {
    Ok(places::state_dir()?.join(file))
}

/// Keeps a plan; the one before it is gone, and what was not saved of it, too.
pub(super) fn keep(plan: &Accepted) -> Result<PathBuf, Failure> {
    let path = write(FILES[0], plan)?;
    put_aside(None)?;
    Ok(path)
}

/// Puts a plan aside that was not saved, or removes the one that was.
pub(super) fn put_aside(plan: Option<&Accepted>) -> Result<(), Failure> {
    if let Some(plan) = plan {
        return write(FILES[1], plan).map(|_| ());
    }
    // There seldom is one.
    let _ = fs::remove_file(path(FILES[1])?);
    Ok(())
}

fn write(file: &str, plan: &Accepted) -> Result<PathBuf, Failure> {
    let path = path(file)?;
    let failed = |e: std::io::Error| {
        Failure::usage(format!("the plan cannot be kept in {}: {e}", path.display()))
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let text = serde_json::to_vec_pretty(plan).map_err(|e| failed(e.into()))?;
    write_whole(&path, &text).map_err(failed)?;
    Ok(path)
}

/// What was put aside, if it can be read.
pub(super) fn aside() -> Option<Accepted> {
    read(FILES[1]).ok()
}

/// Whether a plan was accepted, readable or not.
pub(super) fn is_there() -> bool {
    path(FILES[0]).is_ok_and(|path| path.exists())
}

/// The accepted plan.
pub(super) fn load() -> Result<Accepted, Failure> {
    read(FILES[0])
}

fn read(file: &str) -> Result<Accepted, Failure> {
    let path = path(file)?;
    let shown = path.display();
    let bytes = config::read_file(&path, MOST).map_err(|why| {
        Failure::usage(if why.is_missing() {
            "no plan was accepted yet: `hawker plan` makes one, `hawker plan accept` keeps it"
                .into()
        } else {
            format!("the accepted plan in {shown} cannot be read: {why}")
        })
    })?;
    let plan: Accepted = serde_json::from_slice(&bytes).map_err(|e| {
        Failure::usage(format!(
            "the accepted plan in {shown} is damaged ({e}): accept one again with `hawker plan accept`"
        ))
    })?;
    if plan.version != VERSION {
        return Err(Failure::usage(format!(
            "the accepted plan in {shown} was kept by another version of hawker: accept one again"
        )));
    }
    Ok(plan)
}
