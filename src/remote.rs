//! Floor 6: a face at the other end of the show's socket. It makes the same handle as the engine itself,
//! and finds the shows that run.

pub mod attach;
pub mod running;

pub use attach::{AttachError, attach, send};
pub use running::{RunningShow, running};
