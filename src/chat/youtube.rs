//! YouTube Live chat without I/O: the server stream and polling, what an item means, requests, and the quota.

pub mod api;
pub mod bans;
pub mod item;
pub mod quota;
pub mod session;
pub mod stream;

pub use bans::Bans;
pub use quota::{Pace, Quota};
pub use session::{Mode, Output, Session};
