//! Floor 5: the engine. It joins the pure core and the adapters, keeps the journal, and outlives every face.

pub mod handle;

pub use handle::{Handle, Look};
