//! The pane alone, without a show: `hawker plan edit`.

use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures::StreamExt;
use jiff::Timestamp;

use super::{Doors, Planner, Todo, Works, step, view};
use crate::console::{
    ConsoleError, Theme,
    run::{Leaving, Signals},
    terminal::{Screen, die_of, is_gone},
    theme::Palette,
};

/// The pane with what it was given. However it is left, by a panic too, what was not saved is put aside.
struct Desk {
    planner: Planner,
    doors: Doors,
    /// Nothing is to be put aside any more.
    left: bool,
}

impl Desk {
    /// Puts aside what is not saved; what is to be said of it once the terminal is given back.
    fn put_aside(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.left, true) {
            return None;
        }
        put_aside(&self.planner, &self.doors)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(words) = self.put_aside() {
            (self.doors.tell)(&words);
        }
    }
}

/// Runs the pane until it is left. The terminal is given back on every way out, and what was not saved is put aside
/// before that, unless the operator left it so.
///
/// # Errors
/// There is no terminal, or it failed. One that is gone is a way to leave.
pub async fn plan(doors: Doors, theme: Theme) -> Result<(), ConsoleError> {
    let mut signals = Signals::new()?;
    let mut screen = Screen::take()?;
    signals.heed(&screen);
    // Declared behind the screen, so that it goes before it.
    let planner = Planner::new(Timestamp::now(), false);
    let mut desk = Desk { planner, doors, left: false };
    let palette = Palette::of_terminal(theme);
    let left = turns(&mut screen, &mut signals, &mut desk, &palette).await;
    let words = match &left {
        Ok(Left::ByTheOperator) => {
            desk.left = true;
            let took_up = desk.planner.took_up;
            took_up.then(|| (desk.doors.aside)(None)).flatten()
        }
        _ => desk.put_aside(),
    };
    drop(screen);
    if let Some(words) = words {
        (desk.doors.tell)(&words);
    }
    match left {
        Ok(Left::BySignal(signal)) => die_of(signal),
        Err(error) if !is_gone(&error) => return Err(error.into()),
        _ => {}
    }
    Ok(())
}

/// How the pane was left.
enum Left {
    /// What is not saved is not wanted.
    ByTheOperator,
    /// The terminal or the machine wants it gone.
    Taken,
    /// By one that ends the process.
    BySignal(i32),
}

async fn turns(
    screen: &mut Screen,
    signals: &mut Signals,
    desk: &mut Desk,
    palette: &Palette,
) -> std::io::Result<Left> {
    let Desk { planner, doors, .. } = desk;
    let mut works = Works::default();
    works.begin(Todo::Open, doors);
    let mut keys = EventStream::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut changed = true;
    loop {
        if std::mem::take(&mut changed) {
            screen.draw(|frame| {
                view::draw(planner, palette, frame.area(), frame.buffer_mut());
            })?;
        }
        let todo = tokio::select! {
            biased;
            leaving = signals.come() => return Ok(match leaving {
                Leaving::InOrder => Left::Taken,
                Leaving::AtOnce(signal) => Left::BySignal(signal),
            }),
            key = keys.next() => match key {
                Some(Ok(TerminalEvent::Key(key))) => {
                    let step = step(planner, &key);
                    changed = step.is_some();
                    step.and_then(|step| planner.act(step))
                }
                Some(Ok(TerminalEvent::Resize(..))) => {
                    changed = true;
                    None
                }
                Some(Ok(_)) => None,
                Some(Err(_)) | None => return Ok(Left::Taken),
            },
            Some(news) = works.next(), if !works.is_empty() => {
                changed = true;
                planner.on(news)
            }
            _ = second.tick() => {
                changed = planner.tick(Timestamp::now());
                None
            }
        };
        match todo {
            Some(Todo::Leave) => return Ok(Left::ByTheOperator),
            Some(todo) => works.begin(todo, doors),
            None => {}
        }
    }
}

/// Puts aside what is not saved; what somebody else put aside stays. What is to be said of it.
pub(in crate::console) fn put_aside(planner: &Planner, doors: &Doors) -> Option<String> {
    let draft = planner.draft();
    if draft.is_none() && !planner.took_up {
        return None;
    }
    (doors.aside)(draft.as_ref())
}
