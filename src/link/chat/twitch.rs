//! Twitch on the network: anonymous IRC, and with an account EventSub and Helix.

pub mod eventsub;
pub mod helix;
pub mod irc;

pub use helix::{Api, write};
