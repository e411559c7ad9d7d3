//! `hawker devices`: cameras, microphones and screens, with their formats.

use super::{Failure, out, out_json};
use crate::media;

#[derive(Debug, clap::Args)]
pub(crate) struct Devices {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn devices(args: &Devices) -> Result<u8, Failure> {
    media::init().map_err(|e| Failure::usage(e.to_string()))?;
    let devices = media::devices::list().map_err(|e| Failure::usage(e.to_string()))?;
    if args.json {
        let text =
            serde_json::to_string_pretty(&devices).map_err(|e| Failure::usage(e.to_string()))?;
        out_json(&text);
    } else if devices.is_empty() {
        out("no camera, microphone or screen was found; 'hawker doctor' says what may be missing");
    } else {
        let lines: Vec<String> = devices.iter().map(ToString::to_string).collect();
        out(&lines.join("\n"));
    }
    Ok(0)
}
