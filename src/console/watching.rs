//! A stream as a viewer has it, alone on the screen: its picture and its figures. `hawker watch`.

mod state;
mod view;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures::StreamExt;
use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::watch;

use self::state::{Step, Watching};
use super::{
    ConsoleError, Theme,
    terminal::{Screen, is_gone},
    theme::Palette,
};
use crate::{
    media::player::{Player, Trouble},
    stats::{Picture, Verdict, WatchFigures, history::Targets},
};

/// Pictures are drawn so often at most.
const FRAME: Duration = Duration::from_millis(50);

/// What whoever watches wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Pictures of that size in pixels; `None` for none.
    Look(Option<(u16, u16)>),
    /// Whether the sound is to be heard.
    Listen(bool),
    /// Enough.
    Leave,
    /// Enough, by ctrl-c, or because the terminal is gone.
    Interrupt,
}

/// The screen and its keys. Dropping it gives the terminal back, and standard error with it.
pub struct Viewing {
    screen: Screen,
    keys: EventStream,
    palette: Palette,
    watching: Watching,
    picture: watch::Receiver<Option<Arc<Picture>>>,
    trouble: watch::Receiver<Trouble>,
    /// The pictures that were asked for last.
    looking: Option<(u16, u16)>,
    changed: bool,
    drawn: Option<Instant>,
}

impl Viewing {
    /// Takes the terminal. `host` is what is watched; `player` plays it.
    pub fn open(
        host: String,
        targets: Targets,
        player: &Player,
        theme: Theme,
    ) -> Result<Self, ConsoleError> {
        let screen = Screen::take()?;
        Ok(Self {
            screen,
            keys: EventStream::new(),
            palette: Palette::of_terminal(theme),
            watching: Watching::new(host, targets, TimeZone::system()),
            picture: player.picture(),
            trouble: player.trouble(),
            looking: None,
            changed: true,
            drawn: None,
        })
    }

    /// What it sees now, `at_ms` after it began.
    pub fn seen(
        &mut self,
        at_ms: u64,
        figures: Option<&WatchFigures>,
        verdict: Option<&Verdict>,
        latency_by: Option<&str>,
    ) {
        self.watching.seen(at_ms, figures, verdict, latency_by);
        self.changed = true;
    }

    /// Something happened.
    pub fn news(&mut self, words: String, good: bool) {
        self.watching.news(Timestamp::now(), words, good);
        self.changed = true;
    }

    /// Draws what has changed, and waits for what is wanted. May be left at any time, and called again.
    pub async fn wish(&mut self) -> Result<Wish, ConsoleError> {
        loop {
            let (width, height) = match self.screen.size() {
                Ok(size) => size,
                Err(error) if is_gone(&error) => return Ok(Wish::Interrupt),
                Err(error) => return Err(error.into()),
            };
            let look = view::look(&self.watching, width, height);
            if look != self.looking {
                self.looking = look;
                return Ok(Wish::Look(look));
            }
            let due = self.drawn.map_or_else(Instant::now, |at| at + FRAME);
            if self.changed && due <= Instant::now() {
                let (watching, palette) = (&self.watching, &self.palette);
                match self.screen.draw(|frame| view::draw(watching, palette, frame)) {
                    Ok(()) => {}
                    Err(error) if is_gone(&error) => return Ok(Wish::Interrupt),
                    Err(error) => return Err(error.into()),
                }
                self.changed = false;
                self.drawn = Some(Instant::now());
            }
            tokio::select! {
                biased;
                key = self.keys.next() => match key {
                    Some(Ok(TerminalEvent::Key(key))) => {
                        self.changed = true;
                        if let Some(wish) = Step::of(&key).and_then(|step| self.watching.act(step)) {
                            return Ok(wish);
                        }
                    }
                    Some(Ok(_)) => self.changed = true,
                    // A terminal that cannot be read is gone; where it can, SIGHUP says the same.
                    Some(Err(_)) | None => return Ok(Wish::Interrupt),
                },
                Ok(()) = self.picture.changed() => {
                    self.watching.picture.clone_from(&self.picture.borrow_and_update());
                    self.changed = true;
                }
                Ok(()) = self.trouble.changed() => {
                    self.watching.trouble.clone_from(&self.trouble.borrow_and_update());
                    self.changed = true;
                }
                () = tokio::time::sleep_until(due.into()), if self.changed => {}
            }
        }
    }
}
