//! What was taken of the terminal, and how it is given back: once, whoever comes first.

use std::{
    fs,
    io::{self, IsTerminal, Write, stdout},
    os::fd::OwnedFd,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    cursor,
    event::{DisableBracketedPaste, DisableMouseCapture},
    execute,
    style::ResetColor,
    terminal::{EndSynchronizedUpdate, LeaveAlternateScreen, disable_raw_mode},
};
use rustix::io::fcntl_dupfd_cloexec;

/// Above the standard descriptors.
const FIRST: i32 = 3;

/// The terminal as long as it is ours.
#[derive(Debug)]
pub(super) struct Held {
    held: AtomicBool,
    /// Where standard error went before, if it was a terminal.
    stderr: Mutex<Option<OwnedFd>>,
}

impl Held {
    /// From here on standard error goes nowhere, where it is a terminal: what a library says must not land on the
    /// screen, and must not fail on a dead one.
    pub(super) fn new() -> Self {
        let hush = || {
            let was = fcntl_dupfd_cloexec(io::stderr(), FIRST).ok()?;
            let nowhere = fs::OpenOptions::new().write(true).open("/dev/null").ok()?;
            rustix::stdio::dup2_stderr(&nowhere).ok()?;
            Some(was)
        };
        let stderr = Mutex::new(if io::stderr().is_terminal() { hush() } else { None });
        Self { held: AtomicBool::new(true), stderr }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// Gives the terminal back, once. Each step is tried whatever became of the one before: a terminal that is
    /// gone cannot be mended, and one that is there must be. Standard error of a terminal that is gone stays where it
    /// is, nowhere: `eprintln!` on a dead terminal panics.
    pub(super) fn give_back(&self) {
        if !self.held.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut out = stdout();
        let restored = execute!(
            out,
            EndSynchronizedUpdate,
            ResetColor,
            DisableMouseCapture,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            cursor::Show
        )
        .and_then(|()| out.flush());
        let cooked = disable_raw_mode();
        let was = self.stderr.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(was) = was.filter(|_| restored.is_ok() && cooked.is_ok()) {
            let _ = rustix::stdio::dup2_stderr(was);
        }
    }
}
