//! Floor 4: GStreamer, and nothing but this room names it. Inputs, program, encoders and sessions are
//! pipelines of their own on one clock; each can fail, restart and be leak-tested alone.

pub mod aac;
pub mod cadence;
pub mod clock;
pub mod compose;
pub mod congestion;
pub mod devices;
pub mod doctor;
pub mod encoder;
pub mod error;
pub mod fanout;
pub mod feed;
pub mod glimpse;
pub mod init;
pub mod input;
pub mod limit;
pub mod mixer;
pub mod outlet;
pub mod pacer;
pub mod packages;
pub mod pipeline;
pub mod player;
pub mod program;
pub mod publisher;
pub mod rendition;
pub mod shrink;
pub mod slate;
pub mod studio;
pub mod trail;

pub use clock::MediaClock;
pub use error::MediaError;
pub use init::init;
pub use outlet::{Outlet, OutletEvent};
pub use publisher::{Publisher, Route, SessionEvent};
pub use studio::Studio;
pub use trail::Departures;
