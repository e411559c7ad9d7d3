//! Live chat without I/O: what a message is, how each platform writes one, and what is done with messages once they
//! are read (merge, hold, rules, claims, polls). Time is an argument; nothing here opens a socket or builds a sentence.

pub mod base64;
pub mod bridge;
pub mod capability;
pub mod emotes;
pub mod facebook;
pub mod irc;
pub mod json;
pub mod kick;
pub mod lines;
pub mod message;
pub mod recovery;
pub mod request;
pub mod seen;
pub mod shopee;
pub mod sse;
pub mod twitch;
pub mod youtube;

pub use message::{
    Amount, Author, Badge, Emote, Kind, Message, MessageId, Origin, Platform, Removal, Reply, Text,
    Update, UserId,
};
