//! Floor 6: the terminal face. It holds an `engine::Handle` and nothing else: it draws what the show is, and
//! turns keys into commands. It decides nothing; the screen changes because the show changed.
//!
//! ```text
//!  ON AIR 1/2   Spring sale                    live · lively 720p30   00:12:34  left 00:47:26   header
//!  PROGRAM  Host               PREVIEW  Product                                fade 300 ms      bus
//!  ▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀  SCENES ─────────────────────────────────────────────────────      scenes
//!  ▀▀ the program, two pixels   1 Host          PGM   3 Both
//!  ▀▀ to a cell               INPUTS ───────────────────────────── level ── dB ── fps ─ gain     inputs
//!  ▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀  ▸cam       up        ━━━━━━━━━╾────┃───  -12   30.0   +0
//!  OUTPUTS ───────────────────────────────────────────────── kb/s ── rtt ms ── loss % ──────     outputs
//!  sound   viewers   engine: figures, each a dash where nothing was measured                     figures
//!  LOG ──────────────────────────────────────────────────────────────────────────────────────    log
//!  12:34:56 ! cam failed: …
//!  enter take  p panic  m mute  …                                            q leave  ? help     footer
//! ```
//!
//! Inside, the Elm shape: `state` is an owned snapshot, `keys` turns a key and a state into an action, `view`
//! is pure drawing, `run` is the loop that joins them, `terminal` gives the terminal back on every way out.
//! `planner` and `chat` are panes of the same shape, which also stand alone; `watching` always does.

pub mod chat;
mod keys;
pub mod planner;
mod run;
mod state;
mod statistics;
mod terminal;
mod text;
mod theme;
mod view;
pub mod watching;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use run::run;
pub use theme::Theme;

/// How the console looks.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its colours. `NO_COLOR` in the environment makes it [`Theme::Mono`] whatever is said here.
    pub theme: Theme,
    /// Where the planner's pane has its data from.
    pub planner: planner::Doors,
}

/// Why the console was left. None of them ends the show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The operator left, or the terminal went away; the show goes on.
    Detached,
    /// The show is over.
    ShowEnded {
        /// What the show's process ends with: 0, 3, 4 or 130.
        exit_code: u8,
    },
    /// The engine is gone without a word that the show has ended.
    EngineGone,
}

/// Why the console could not be.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Standard input or output is no terminal.
    #[error(
        "the console needs a terminal, and {0} is none: run it in a terminal, or use --headless to run \
         the show without a screen"
    )]
    NoTerminal(&'static str),
    /// The terminal cannot be read or written.
    #[error(
        "the terminal failed: {0}. The show is not affected; `hawker attach` takes it up again from another \
         terminal"
    )]
    Terminal(#[from] std::io::Error),
}
