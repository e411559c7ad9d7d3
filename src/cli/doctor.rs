//! `hawker doctor`: what this machine lacks for a show.

use super::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn doctor(args: &Doctor) -> Result<u8, Failure> {
    let form = if args.json { "JSON" } else { "text" };
    Err(Failure::usage(format!("this build cannot list that as {form}")))
}
