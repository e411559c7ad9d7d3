//! Live chat without I/O: what a message is, how each platform writes one, and what is done with messages once they
//! are read (merge, hold, rules, claims, polls). Time is an argument; nothing here opens a socket or builds a sentence.

pub mod finders;
pub mod language;
pub mod message;
pub mod normalise;
pub mod phrases;

pub use message::{
    Amount, Author, Badge, Emote, Kind, Message, MessageId, Origin, Platform, Removal, Reply, Text,
    Update, UserId,
};
