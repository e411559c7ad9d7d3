//! The engine and its socket on scripted adapters.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "engine/looped.rs"]
mod looped;
#[path = "engine/script.rs"]
mod script;
#[path = "engine/socket.rs"]
mod socket;
#[path = "engine/spec.rs"]
mod spec;
