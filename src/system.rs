//! Floor 3 3/4: what the operating system gives this process: clocks, file descriptors, and listeners whose
//! connections are bounded. Knows nothing of shows, media or sessions.

pub mod clock;
pub mod descriptors;
pub mod host;
pub mod http;
