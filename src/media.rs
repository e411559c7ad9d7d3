//! Floor 4: GStreamer, and nothing but this room names it. Inputs, program, encoder and publisher are
//! pipelines of their own on one clock; each can fail, restart and be leak-tested alone.

pub mod clock;
pub mod devices;
pub mod doctor;
pub mod error;
pub mod init;
pub mod input;
pub mod packages;

pub use clock::MediaClock;
pub use error::MediaError;
pub use init::init;
