//! `hawker devices`: cameras, microphones and screens, with their formats.

use super::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Devices {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn devices(args: &Devices) -> Result<u8, Failure> {
    let form = if args.json { "JSON" } else { "text" };
    Err(Failure::usage(format!("this build cannot list that as {form}")))
}
