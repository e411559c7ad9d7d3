//! The loop: what comes from the engine, the keyboard, the clock and the machine's signals changes the state;
//! the screen is drawn when something changed, never more often than it can be seen, and not at all while
//! nothing does.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use crossterm::event::{Event as TerminalEvent, EventStream, MouseButton, MouseEventKind};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::layout::Rect;
use tokio::sync::{
    broadcast::error::{RecvError, TryRecvError},
    mpsc::{Sender, error::TrySendError},
    oneshot,
};

use super::{
    ConsoleError, Leave, Options,
    keys::press,
    planner::{self, Doors, Works, put_aside},
    state::{State, Todo},
    terminal::{Fatal, Screen, die_of, is_gone},
    theme::Palette,
    view,
};
use crate::{
    engine::{Handle, Look, handle::Ask},
    show::{Command, Happening, Phase, Refusal},
    stats::Meters,
};

/// A key is seen this fast at most: 30 times a second.
const FRAME: Duration = Duration::from_millis(33);
/// Figures and pictures are drawn together, ten times a second at most.
const FIGURES: Duration = Duration::from_millis(100);
/// Steps of the chat taken before anything else is looked at again.
const STEPS: usize = 512;
/// And twice a second while nothing moves.
const CALM: Duration = Duration::from_millis(500);
/// When the show is over, this long is waited for the event that says how it ended.
const LAST_WORD: Duration = Duration::from_millis(500);

type Answer = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// Runs the console until the operator leaves, the show ends, or the engine is gone. The terminal is given
/// back on every way out. Edits of the planner that were not saved are put aside before that.
pub async fn run(handle: Handle, options: Options) -> Result<Leave, ConsoleError> {
    // Before the terminal is taken, so that none finds it taken and is not heard.
    let mut signals = Signals::new()?;
    let mut screen = Screen::take()?;
    signals.heed(&screen);
    let Handle { log, asks, mut events, mut show, mut past, mut meters, mut picture, mut chat } =
        handle;
    let palette = Palette::of_terminal(options.theme);
    let first = show.borrow_and_update().clone();
    let mut state = State::new(first, &palette, TimeZone::system(), Timestamp::now());
    for line in &log {
        state.on_logged(line);
    }
    for told in std::mem::take(&mut chat.past) {
        state.on_told(&told);
    }
    chat.sources.mark_changed();
    chat.control.mark_changed();
    // Declared behind the screen, so that it goes before it.
    let mut console = Console {
        state,
        asks,
        answers: FuturesUnordered::new(),
        began: Instant::now(),
        looking: None,
        reading: false,
        area: Rect::default(),
        wanted: Some(Instant::now()),
        drawn: Instant::now(),
        over: None,
        works: Works::default(),
        doors: options.planner,
        kept: false,
    };
    console.resized(screen.size()?);
    meters.mark_changed();
    let mut keys = EventStream::new();
    let (mut meters_open, mut picture_open) = (true, true);
    let has_chat = console.state.chat.is_some();
    let (mut steps_open, mut sources_open, mut control_open) = (has_chat, has_chat, has_chat);
    let mut fatal = None;
    let leave = loop {
        if console.wanted.is_some_and(|at| at <= Instant::now()) {
            console.wanted = None;
            console.drawn = Instant::now();
            console.look();
            console.state.settle(console.area);
            match screen.draw(|frame| view::draw(&console.state, frame)) {
                Ok(()) => {}
                // As when it cannot be read: it is gone, the show is not.
                Err(error) if is_gone(&error) => break Ok(Leave::Detached),
                Err(error) => break Err(error.into()),
            }
        }
        let wake = console.next_wake();
        tokio::select! {
            biased;
            leaving = signals.come() => {
                if let Leaving::AtOnce(signal) = leaving {
                    fatal = Some(signal);
                }
                break Ok(Leave::Detached);
            }
            key = keys.next() => match key {
                Some(Ok(event)) => {
                    if console.terminal(event) {
                        break Ok(Leave::Detached);
                    }
                }
                // A terminal that cannot be read is gone; the show is not.
                Some(Err(_)) | None => break Ok(Leave::Detached),
            },
            event = events.recv() => match event {
                Ok(event) => {
                    console.state.on_event(&event);
                    console.soon(FRAME);
                    if let Happening::ShowEnded { exit_code, .. } = event.what {
                        break Ok(Leave::ShowEnded { exit_code });
                    }
                }
                Err(RecvError::Lagged(lost)) => {
                    let why = format!("{lost} log lines were missed: this console is too slow");
                    console.state.on_refusal(Timestamp::now(), why);
                    console.soon(FRAME);
                }
                Err(RecvError::Closed) => break Ok(console.ending().unwrap_or(Leave::EngineGone)),
            },
            answer = console.answers.next(), if !console.answers.is_empty() => {
                if let Some(Err(refusal)) = answer {
                    console.state.on_refusal(Timestamp::now(), refusal.0);
                    console.soon(FRAME);
                }
            }
            Some(news) = console.works.next(), if !console.works.is_empty() => {
                let todo = console.state.planner.on(news);
                console.plan(todo);
                console.soon(FRAME);
            }
            changed = show.changed() => {
                if changed.is_err() {
                    break Ok(console.last_word(&mut events));
                }
                console.state.on_show(show.borrow_and_update().clone());
                console.soon(FRAME);
                if console.state.show.phase == Phase::Ended {
                    console.over.get_or_insert_with(|| Instant::now() + LAST_WORD);
                }
            }
            // Before what is newest: the course of figures takes no second twice, and none that is past.
            Some(second) = past.recv() => console.state.on_past(&second),
            changed = meters.changed(), if meters_open => {
                meters_open = changed.is_ok();
                if meters_open {
                    console.tick();
                    let newest = meters.borrow_and_update().clone();
                    let still = newest.still_since(&console.state.meters);
                    // That the picture stands, or moves again, is not kept waiting.
                    let turned = stalls(&newest) != stalls(&console.state.meters);
                    console.state.on_meters(newest);
                    console.soon(match () {
                        () if turned => FRAME,
                        () if still => CALM,
                        () => FIGURES,
                    });
                }
            }
            changed = picture.changed(), if picture_open => {
                picture_open = changed.is_ok();
                console.state.picture.clone_from(&picture.borrow_and_update());
                console.soon(FIGURES);
            }
            changed = chat.sources.changed(), if sources_open => {
                sources_open = changed.is_ok();
                let sources = chat.sources.borrow_and_update().clone();
                console.state.on_chat_sources(sources, !sources_open);
                console.soon(FIGURES);
            }
            changed = chat.control.changed(), if control_open => {
                control_open = changed.is_ok();
                console.state.on_control(chat.control.borrow_and_update().clone());
                console.soon(FIGURES);
            }
            step = chat.steps.recv(), if steps_open => {
                console.tick();
                match step {
                    Ok(told) => console.state.on_told(&told),
                    // The numbers of the steps say how many are missing.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => steps_open = false,
                }
                for _ in 0..STEPS {
                    match chat.steps.try_recv() {
                        Ok(told) => console.state.on_told(&told),
                        Err(TryRecvError::Lagged(_)) => {}
                        Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                    }
                }
                console.soon(if console.state.reads_chat() { FRAME } else { FIGURES });
            }
            () = tokio::time::sleep_until(wake.into()) => {
                if console.over.is_some_and(|at| at <= Instant::now()) {
                    break Ok(console.ending().unwrap_or(Leave::EngineGone));
                }
                if console.tick() {
                    console.soon(FRAME);
                }
            }
        }
    };
    // Nobody looks any more. A full queue is no reason to stay: the engine sees the console go.
    let _ = console.asks.try_send(Ask::Look(None));
    // What must be kept is kept while the terminal is still held: nothing after it can be relied on.
    let words = console.put_aside();
    drop(screen);
    if let Some(words) = words {
        (console.doors.tell)(&words);
    }
    if let Some(signal) = fatal {
        die_of(signal);
    }
    leave
}

struct Console {
    state: State,
    asks: Sender<Ask>,
    /// Answers under way; as many at most as the engine's queue holds.
    answers: FuturesUnordered<Answer>,
    began: Instant,
    /// The picture asked for.
    looking: Option<Look>,
    /// The chat was asked for.
    reading: bool,
    area: Rect,
    /// When to draw next; `None` while the screen shows the state.
    wanted: Option<Instant>,
    drawn: Instant,
    /// Until when the last word of a show that is over is waited for.
    over: Option<Instant>,
    /// What the planner waits for.
    works: Works,
    doors: Doors,
    /// What was not saved was put aside.
    kept: bool,
}

impl Drop for Console {
    /// After a panic; `run` does it otherwise.
    fn drop(&mut self) {
        if let Some(words) = self.put_aside() {
            (self.doors.tell)(&words);
        }
    }
}

impl Console {
    /// Puts the planner's unsaved edits aside, once; what is to be said of it when the terminal is given back.
    fn put_aside(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.kept, true) {
            return None;
        }
        put_aside(&self.state.planner, &self.doors)
    }

    /// Draws soon: at once if the last drawing is `apart` ago.
    fn soon(&mut self, apart: Duration) {
        let at = (self.drawn + apart).max(Instant::now());
        self.wanted = Some(self.wanted.map_or(at, |w| w.min(at)));
    }

    fn tick(&mut self) -> bool {
        self.state.tick(self.began.elapsed().as_millis() as u64)
    }

    fn next_wake(&self) -> Instant {
        let tick = self.state.next_tick().map(|ms| self.began + Duration::from_millis(ms));
        [tick, self.wanted, self.over]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(1))
    }

    /// How the show ended, if it did: from the show itself, for want of the event.
    fn ending(&self) -> Option<Leave> {
        let why = self.state.show.ending.filter(|_| self.state.show.phase == Phase::Ended)?;
        Some(Leave::ShowEnded { exit_code: self.state.show.exit_code(why) })
    }

    /// The engine is gone; its last events may say how.
    fn last_word(
        &self,
        events: &mut tokio::sync::broadcast::Receiver<crate::show::Event>,
    ) -> Leave {
        loop {
            match events.recv().now_or_never() {
                Some(Ok(event)) => {
                    if let Happening::ShowEnded { exit_code, .. } = event.what {
                        return Leave::ShowEnded { exit_code };
                    }
                }
                Some(Err(RecvError::Lagged(_))) => {}
                Some(Err(RecvError::Closed)) | None => {
                    return self.ending().unwrap_or(Leave::EngineGone);
                }
            }
        }
    }

    /// Something from the terminal. Returns whether to leave.
    fn terminal(&mut self, event: TerminalEvent) -> bool {
        self.tick();
        let action = match event {
            TerminalEvent::Key(key) => press(&self.state, &key),
            TerminalEvent::Mouse(mouse)
                if mouse.kind == MouseEventKind::Down(MouseButton::Left) =>
            {
                view::click(&self.state, self.area, mouse.column, mouse.row)
            }
            TerminalEvent::Resize(width, height) => {
                // The next drawing sees the new size, and writes every cell.
                self.resized((width, height));
                None
            }
            // What is pasted is text, never keys.
            TerminalEvent::Paste(text) => {
                if self.state.paste(&text) {
                    self.soon(FRAME);
                }
                None
            }
            _ => None,
        };
        if let Some(action) = action {
            self.soon(FRAME);
            let todo = self.state.act(action, Timestamp::now());
            // The next key finds the chat where this one has put it.
            self.state.settle(self.area);
            match todo {
                Some(Todo::Leave) => return true,
                Some(Todo::Give { command, confirm }) => self.give(command, confirm),
                Some(Todo::Plan(todo)) => self.plan(Some(todo)),
                None => {}
            }
        }
        false
    }

    /// Begins what the planner asks for.
    fn plan(&mut self, todo: Option<planner::Todo>) {
        if let Some(todo) = todo {
            self.works.begin(todo, &self.doors);
        }
    }

    /// Gives a command without waiting: the keyboard stays free while the engine works.
    fn give(&mut self, command: Command, confirm: bool) {
        let gone = || Refusal::new("the show's engine is gone: nothing was done");
        let (answer, answered) = oneshot::channel();
        match self.asks.try_send(Ask::Command { command, confirm, answer }) {
            Ok(()) => self
                .answers
                .push(Box::pin(async move { answered.await.unwrap_or_else(|_| Err(gone())) })),
            Err(error) => {
                let why = match error {
                    TrySendError::Full(_) => {
                        Refusal::new("the engine is busy: nothing was done, try again")
                    }
                    TrySendError::Closed(_) => gone(),
                };
                self.state.on_refusal(Timestamp::now(), why.0);
            }
        }
    }

    fn resized(&mut self, (width, height): (u16, u16)) {
        self.area = Rect::new(0, 0, width, height);
        self.soon(FRAME);
    }

    /// Asks for pictures of the size they have on the screen, when that changed; and once for the chat.
    fn look(&mut self) {
        if !self.reading && self.state.chat.is_some() {
            self.reading = self.asks.try_send(Ask::Chat(true)).is_ok();
        }
        let look = view::look(&self.state, self.area);
        if look != self.looking && self.asks.try_send(Ask::Look(look)).is_ok() {
            self.looking = look;
        }
    }
}

/// How many of those who watch see a picture that stands.
fn stalls(meters: &Meters) -> usize {
    meters.seen().filter(|w| w.frozen).count()
}

/// How the machine wants the console gone.
pub(super) enum Leaving {
    /// SIGTERM, SIGHUP, SIGINT.
    InOrder,
    /// A signal that ends the process, once the terminal is given back.
    AtOnce(i32),
}

/// What the machine says when it wants the console gone. The show is another process and hears of its own.
pub(super) struct Signals {
    fatal: Option<Fatal>,
    #[cfg(unix)]
    term: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hup: tokio::signal::unix::Signal,
    #[cfg(unix)]
    int: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            fatal: None,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    pub(super) async fn come(&mut self) -> Leaving {
        tokio::select! {
            signal = fatal(&mut self.fatal) => return Leaving::AtOnce(signal),
            _ = self.term.recv() => {}
            _ = self.hup.recv() => {}
            _ = self.int.recv() => {}
        }
        Leaving::InOrder
    }

    #[cfg(not(unix))]
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { fatal: None })
    }

    #[cfg(not(unix))]
    pub(super) async fn come(&mut self) -> Leaving {
        Leaving::AtOnce(fatal(&mut self.fatal).await)
    }

    /// Those that end the process are heard, too, from now on: there is a terminal to be given back first.
    pub(super) fn heed(&mut self, screen: &Screen) {
        self.fatal = Some(screen.fatal());
    }
}

async fn fatal(from: &mut Option<Fatal>) -> i32 {
    match from {
        Some(fatal) => fatal.come().await,
        None => std::future::pending().await,
    }
}
