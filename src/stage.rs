//! Floor 4: the stage (an embedded WHIP/WHEP server that forwards and does not decode) and the monitor (a
//! viewer that measures). Knows nothing of GStreamer, and nothing of the show.

pub mod clock;
mod depacket;
mod http;
mod lane;
mod missing;
mod payload;
mod server;
mod session;
mod sfu;
mod sps;
mod watch;

pub use server::{Stage, StageError, StageOptions};
pub use sfu::{MAX_VIEWERS, StageFigures, air::Weather, landing::toward as local_address_toward};
pub use watch::{AccessUnit, SoundPacket, Watch, WatchError, WatchOptions, WatchState};
