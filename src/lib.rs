//! hawker: a terminal control room for cross-border live selling.
//!
//! The house has floors; imports point down only, and rooms on one floor do not import each
//! other (`tests/floors.rs` holds us to it). ARCHITECTURE.md draws the picture.

// 7: arguments -> face -> exit code
pub mod cli;
// 6: the faces, each holds a `Handle` and nothing else
pub mod console;
pub mod headless;
pub mod remote;
// 5: the loop that joins core and adapters
pub mod engine;
// 4: adapters
pub mod link;
pub mod media;
pub mod stage;
pub mod store;
// 3 3/4: what the operating system gives this process
pub mod system;
// 3: the pure core, and files -> domain
pub mod config;
pub mod show;
// 2: pure domain
pub mod chat;
pub mod flow;
pub mod planner;
pub mod scene;
pub mod stats;
pub mod whip;
// 1: where people buy, and when
pub mod market;
// 0: words everything is said in
pub mod base;
