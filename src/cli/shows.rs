//! `hawker shows`: what runs on this machine.

use super::{Failure, out, pick, tell};

pub(crate) fn shows() -> Result<u8, Failure> {
    let shows = pick::all()?;
    if shows.is_empty() {
        tell("no show is running");
    } else {
        out(&shows.iter().map(pick::row).collect::<Vec<_>>().join("\n"));
    }
    Ok(0)
}
