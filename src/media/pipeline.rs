//! The one place where a GStreamer pipeline is made. GLib aborts the process when it is given no descriptor for a
//! pipeline's bus, a context's wake-up or a socket, so what a pipeline will open is asked for before it is made.

use gst::prelude::*;

use super::MediaError;
use crate::system::descriptors::{self, Claim};

/// What a pipeline opens, in descriptors: at least twice what was measured with GStreamer 1.22 and libnice 0.1.21 (an
/// input with its decoder 8, a recording 3, a WebRTC session on a machine with two addresses 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A bus, and elements that only compute.
    Plain,
    /// A file, a device or a connection besides.
    Outside,
    /// A WebRTC session: two contexts, and sockets for each address of this machine.
    Session,
}

impl Need {
    const fn descriptors(self) -> usize {
        match self {
            Self::Plain => 4,
            Self::Outside => 16,
            Self::Session => 32,
        }
    }
}

/// A pipeline, and what it was promised: to be kept until it is built.
///
/// # Errors
/// Too few descriptors are left for it; that may pass.
pub fn make(name: &str, need: Need) -> Result<(gst::Pipeline, Claim), MediaError> {
    let claim = claim(need)?;
    Ok((gst::Pipeline::with_name(name), claim))
}

/// The same for a pipeline in GStreamer's own notation.
///
/// # Errors
/// Too few descriptors are left for it, or the notation is wrong.
pub fn parse(line: &str, need: Need) -> Result<(gst::Pipeline, Claim), MediaError> {
    let claim = claim(need)?;
    let made = gst::parse::launch(line).map_err(|e| MediaError::lasting(e.to_string()))?;
    let pipeline =
        made.downcast::<gst::Pipeline>().map_err(|_| MediaError::lasting("it is no pipeline"))?;
    Ok((pipeline, claim))
}

fn claim(need: Need) -> Result<Claim, MediaError> {
    descriptors::claim(need.descriptors()).map_err(|short| MediaError::passing(short.to_string()))
}
