//! Floor 4: the stage (an embedded WHIP/WHEP server that forwards and does not decode) and the monitor (a
//! viewer that measures). Knows nothing of GStreamer, and nothing of the show.

pub mod clock;
mod http;
mod lane;
mod payload;
mod server;
mod session;
mod sfu;
mod sps;

pub use server::{Stage, StageError, StageOptions};
pub use sfu::{MAX_VIEWERS, StageFigures};
