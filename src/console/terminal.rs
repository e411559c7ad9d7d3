//! The terminal, taken and given back: raw mode, the other screen, mouse, pasting, the cursor, standard error. Whatever
//! way the console is left (a panic, SIGQUIT, a terminal that is gone), the operator gets a terminal that works, and
//! nothing here panics because there is none any more.

mod fatal;
mod held;

use std::{
    io::{self, BufWriter, IsTerminal, Stdout, Write, stdin, stdout},
    panic,
    sync::Arc,
};

use crossterm::{
    cursor,
    event::EnableBracketedPaste,
    execute, queue,
    style::{Print, force_color_output},
    terminal::{
        BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, enable_raw_mode,
    },
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};
use rustix::io::Errno;

pub(super) use self::fatal::{Fatal, die_of};
use self::{fatal::Watch, held::Held};
use super::ConsoleError;

/// Clicks only, with SGR coordinates. crossterm's own switch also asks for every movement of the pointer,
/// which would wake the console for nothing.
const CLICKS: &str = "\x1b[?1000h\x1b[?1006h";

/// What one drawing writes at most, as a rule: a picture that changes in every cell. The standard output by
/// itself goes to the system every kilobyte.
const DRAWING: usize = 256 * 1024;

type Backend = CrosstermBackend<BufWriter<Tty>>;

/// Standard output while the terminal is ours. What is written later goes nowhere, and does not fail: ratatui shows the
/// cursor when its `Terminal` is dropped, and says by `eprintln!` that it cannot, which panics where standard error is
/// the same dead terminal.
struct Tty {
    out: Stdout,
    held: Arc<Held>,
}

impl Write for Tty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held.is_held() { self.out.write(bytes) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_held() { self.out.flush() } else { Ok(()) }
    }
}

/// The terminal while it is ours. Dropping it gives it back. What must be kept is kept before: on a dead terminal
/// nothing that comes after can be relied on.
pub(super) struct Screen {
    terminal: Terminal<Backend>,
    held: Arc<Held>,
    fatal: Watch,
}

impl Screen {
    /// Takes the terminal. What libraries write to standard error meanwhile goes nowhere where it is a terminal.
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
        let held = Arc::new(Held::new());
        let in_panic = Arc::clone(&held);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Standard error too: what the hook says is to be read.
            in_panic.give_back();
            before(info);
        }));
        let start = || -> io::Result<(Terminal<Backend>, Watch)> {
            let fatal = Watch::start(&held)?;
            enable_raw_mode()?;
            execute!(
                stdout(),
                EnterAlternateScreen,
                EnableBracketedPaste,
                Print(CLICKS),
                cursor::Hide
            )?;
            let tty = Tty { out: stdout(), held: Arc::clone(&held) };
            let backend = CrosstermBackend::new(BufWriter::with_capacity(DRAWING, tty));
            Ok((Terminal::new(backend)?, fatal))
        };
        match start() {
            Ok((terminal, fatal)) => Ok(Self { terminal, held, fatal }),
            Err(error) => {
                held.give_back();
                Err(error.into())
            }
        }
    }

    /// Draws; only cells that changed are written, and all at once where the terminal knows how.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame)) -> io::Result<()> {
        if !self.held.is_held() {
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

    /// The signals that end this process at once. Whoever waits for them has half a second to keep what must be kept.
    pub(super) fn fatal(&self) -> Fatal {
        self.fatal.listen()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.held.give_back();
    }
}

/// Whether the terminal is gone: its window was closed or the connection broke. That is a way to leave, not a failure.
pub(super) fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::IO, Errno::PIPE, Errno::NXIO, Errno::NODEV, Errno::NOTTY, Errno::BADF];
    error.kind() == io::ErrorKind::BrokenPipe
        || error.raw_os_error().is_some_and(|os| gone.iter().any(|e| e.raw_os_error() == os))
}
