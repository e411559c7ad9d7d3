//! The terminal, taken and given back: raw mode, the other screen, mouse, pasting, the cursor. Whatever way
//! the console is left, a panic too, the operator gets a terminal that works.

use std::{
    io::{self, BufWriter, IsTerminal, Stdout, Write, stdin, stdout},
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    cursor,
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste},
    execute, queue,
    style::{Print, ResetColor, force_color_output},
    terminal::{
        BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
        disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

use super::ConsoleError;

/// Clicks only, with SGR coordinates. crossterm's own switch also asks for every movement of the pointer,
/// which would wake the console for nothing.
const CLICKS: &str = "\x1b[?1000h\x1b[?1006h";

/// What one drawing writes at most, as a rule: a picture that changes in every cell. The standard output by
/// itself goes to the system every kilobyte.
const DRAWING: usize = 256 * 1024;

type Backend = CrosstermBackend<BufWriter<Stdout>>;

/// The terminal while it is ours. Dropping it gives it back.
pub(super) struct Screen {
    terminal: Terminal<Backend>,
    taken: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn take() -> Result<Self, ConsoleError> {
        if !stdin().is_terminal() {
            return Err(ConsoleError::NoTerminal("standard input"));
        }
        if !stdout().is_terminal() {
            return Err(ConsoleError::NoTerminal("standard output"));
        }
        // With NO_COLOR set crossterm turns a change of style into a reset, which wipes reverse video out.
        // We have a theme without colours for that, so crossterm is told to pass on what we draw.
        force_color_output(true);
        let taken = Arc::new(AtomicBool::new(true));
        let in_panic = Arc::clone(&taken);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back(&in_panic);
            before(info);
        }));
        let back = Arc::clone(&taken);
        let start = || -> io::Result<Terminal<Backend>> {
            enable_raw_mode()?;
            execute!(
                stdout(),
                EnterAlternateScreen,
                EnableBracketedPaste,
                Print(CLICKS),
                cursor::Hide
            )?;
            Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(DRAWING, stdout())))
        };
        match start() {
            Ok(terminal) => Ok(Self { terminal, taken }),
            Err(error) => {
                give_back(&back);
                Err(error.into())
            }
        }
    }

    /// Draws; only cells that changed are written, and all at once where the terminal knows how.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame)) -> io::Result<()> {
        if !self.taken.load(Ordering::SeqCst) {
            // The hook ran in another thread of this process: what it gave back is not ours to draw on.
            return Err(io::Error::other(
                "a part of the console broke, and the terminal was given back",
            ));
        }
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(view)?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|s| (s.width, s.height))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back(&self.taken);
    }
}

/// Gives the terminal back, once. Each step is tried whatever became of the one before: a terminal that is
/// gone cannot be mended, and one that is there must be.
fn give_back(taken: &AtomicBool) {
    if !taken.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = stdout();
    let _ = execute!(
        out,
        EndSynchronizedUpdate,
        ResetColor,
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = out.flush();
    let _ = disable_raw_mode();
}
