//! Live chat without I/O: what a message is, how each platform writes one, and what is done with messages once they
//! are read (merge, hold, rules, claims, polls). Time is an argument; nothing here opens a socket or builds a sentence.

pub mod action;
pub mod base64;
pub mod bridge;
pub mod capability;
pub mod claims;
pub mod control;
pub mod emotes;
pub mod facebook;
pub mod finders;
pub mod fold;
#[cfg(test)]
mod held;
pub mod hold;
pub mod irc;
pub mod json;
pub mod kick;
pub mod language;
mod later;
pub mod lines;
pub mod message;
pub mod normalise;
pub mod people;
pub mod person;
pub mod phrases;
pub mod poll;
pub mod recovery;
pub mod request;
pub mod response;
pub mod room;
pub mod rules;
#[cfg(test)]
mod sample;
pub mod seen;
pub mod send;
pub mod shopee;
pub mod spec;
pub mod sse;
pub mod told;
pub mod translate;
pub mod twitch;
pub mod view;

pub mod youtube;

pub use action::PlatformAction;
pub use message::{
    Amount, Author, Badge, Emote, Kind, Message, MessageId, Origin, Platform, Removal, Reply, Text,
    Update, UserId,
};
pub use person::Person;
pub use room::{Entry, EntryId, Room, State};
