//! The pane with the screen for itself: it draws what has changed, at most every 50 ms, and sleeps while nothing does.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures::StreamExt;
use jiff::{Timestamp, tz::TimeZone};
use ratatui::layout::Rect;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::{keys::Pressed, state::Pane, view};
use crate::{
    base::{Moment, Now, SourceId},
    console::{
        ConsoleError, Theme,
        terminal::{Screen, is_gone},
        theme::Palette,
    },
    engine::chat::Chat,
    market::MarketId,
};

/// It is drawn so often at most.
const FRAME: Duration = Duration::from_millis(50);
/// Steps taken before keys are looked at again.
const BATCH: usize = 512;

/// How the reader left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// By its key.
    Enough,
    /// By ctrl-c, or because the terminal is gone.
    Interrupted,
}

/// The screen, its keys, and the chat that is read. Dropping it gives the terminal back.
pub struct Reading {
    screen: Screen,
    keys: EventStream,
    pane: Pane,
    chat: Chat,
    began: Instant,
    changed: bool,
    drawn: Option<Instant>,
    steps_open: bool,
    sources_open: bool,
}

impl Reading {
    /// Takes the terminal. `markets` are those of the sources.
    pub fn open(
        mut chat: Chat,
        markets: BTreeMap<SourceId, MarketId>,
        theme: Theme,
    ) -> Result<Self, ConsoleError> {
        let screen = Screen::take()?;
        let pane = Pane::new(&Palette::of_terminal(theme), TimeZone::system(), markets);
        let past = std::mem::take(&mut chat.past);
        let mut reading = Self {
            screen,
            keys: EventStream::new(),
            pane,
            chat,
            began: Instant::now(),
            changed: true,
            drawn: None,
            steps_open: true,
            sources_open: true,
        };
        let now = reading.now();
        for told in &past {
            reading.pane.take(told, now);
        }
        reading.pane.on_sources(reading.chat.sources.borrow_and_update().clone());
        Ok(reading)
    }

    fn now(&self) -> Now {
        let passed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mono = Moment(passed) + super::BEFORE;
        Now { mono, wall: Timestamp::now() }
    }

    /// Until the reader leaves. May be left at any time, and called again.
    pub async fn read(&mut self) -> Result<Left, ConsoleError> {
        loop {
            let now = self.now();
            if self.due().is_some_and(|due| due <= Instant::now()) && !self.show(now)? {
                return Ok(Left::Interrupted);
            }
            let wake = self.due().or_else(|| {
                let wait = self.pane.next_change(now)?.since(now.mono);
                Some(Instant::now() + wait.max(FRAME))
            });
            let asleep = wake.is_none();
            let wake = wake.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                key = self.keys.next() => match key {
                    Some(Ok(event)) => match self.terminal(&event) {
                        Pressed::Taken => self.changed = true,
                        // There is no show that could be asked.
                        Pressed::Ignored | Pressed::Ask(_) => {}
                        Pressed::Leave => return Ok(Left::Enough),
                        Pressed::Interrupt => return Ok(Left::Interrupted),
                    },
                    // A terminal that cannot be read is gone.
                    Some(Err(_)) | None => return Ok(Left::Interrupted),
                },
                changed = self.chat.sources.changed(), if self.sources_open => {
                    if changed.is_err() {
                        // All have ended; what is left are steps.
                        self.sources_open = false;
                        self.pane.on_end();
                    }
                    self.pane.on_sources(self.chat.sources.borrow_and_update().clone());
                    self.changed = true;
                }
                step = self.chat.steps.recv(), if self.steps_open => {
                    self.changed = true;
                    match step {
                        Ok(told) => {
                            self.pane.take(&told, now);
                            self.drain(now);
                        }
                        // The numbers of the steps say how many are missing.
                        Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => self.steps_open = false,
                    }
                }
                () = tokio::time::sleep_until(wake.into()), if !asleep => self.changed = true,
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        self.changed.then(|| self.drawn.map_or_else(Instant::now, |at| at + FRAME))
    }

    fn drain(&mut self, now: Now) {
        for _ in 0..BATCH {
            match self.chat.steps.try_recv() {
                Ok(told) => self.pane.take(&told, now),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn terminal(&mut self, event: &TerminalEvent) -> Pressed {
        let now = self.now();
        match event {
            TerminalEvent::Key(key) => {
                // What came since the last drawing is in its place before the key looks at it.
                self.pane.turn(now);
                self.pane.press(key, now)
            }
            TerminalEvent::Paste(text) => self.pane.paste(text),
            _ => Pressed::Taken,
        }
    }

    /// Draws. Whether the terminal is still there.
    fn show(&mut self, now: Now) -> Result<bool, ConsoleError> {
        let drawn = self.screen.size().and_then(|(width, height)| {
            self.pane.resized(width, height);
            self.pane.turn(now);
            let pane = &self.pane;
            self.screen.draw(|frame| view::draw(frame, Rect::new(0, 0, width, height), pane, now))
        });
        self.changed = false;
        self.drawn = Some(Instant::now());
        match drawn {
            Ok(()) => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
