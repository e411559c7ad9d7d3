//! `hawker attach`: a console on a running show.

use super::{Failure, face, face_runtime, pick};

#[derive(Debug, clap::Args)]
pub(crate) struct Attach {
    /// The show's process number or title; needed when several run
    show: Option<String>,
}

pub(crate) fn attach(args: &Attach) -> Result<u8, Failure> {
    let show = pick::one(args.show.as_deref())?;
    face_runtime()?.block_on(face::attach(&show.socket))
}
