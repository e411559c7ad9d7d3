//! IRC (RFC 1459, RFC 2812) with IRCv3: lines, a splitter of the byte stream, and a client session without I/O.

mod asked;
pub mod buffer;
mod gaps;
pub mod line;
pub mod orders;
pub mod output;
pub mod registration;
mod roster;
pub mod session;
pub mod settings;
mod spoken;

pub use buffer::{LineBuffer, TooLong};
pub use line::{Command, Line, Malformed, Prefix, Unsendable, Wire};
pub use orders::OpenOrders;
pub use output::{Ended, Output, Presence, Refusal, Stage};
pub use registration::Rejection;
pub use session::Session;
pub use settings::{BadSetting, Settings};
