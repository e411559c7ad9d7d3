//! `hawker check`: reads a show file and says what is wrong with it. Starts nothing.

use std::path::PathBuf;

use super::{Failure, load, out};

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// A show file
    show: PathBuf,
}

pub(crate) fn check(args: &Check) -> Result<u8, Failure> {
    let show = load::show(Some(&args.show))?;
    out(&format!(
        "{}: '{}' is sound: {} inputs, {} scenes, {} outputs, profile {}",
        args.show.display(),
        show.title,
        show.inputs.len(),
        show.scenes.len(),
        show.outputs.len(),
        show.profile.name
    ));
    Ok(0)
}
