//! The pane alone, without a show: `hawker plan edit`.

use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures::StreamExt;
use jiff::Timestamp;

use super::{Doors, Planner, Todo, Works, step, view};
use crate::console::{ConsoleError, Theme, run::Signals, terminal::Screen, theme::Palette};

/// Runs the pane until it is left. The terminal is given back on every way out. What was not saved is put aside, unless
/// the operator left it so.
///
/// # Errors
/// There is no terminal, or it failed.
pub async fn plan(doors: Doors, theme: Theme) -> Result<(), ConsoleError> {
    let mut signals = Signals::new()?;
    let mut screen = Screen::take()?;
    let palette = Palette::of_terminal(theme);
    let mut planner = Planner::new(Timestamp::now(), false);
    let mut works = Works::default();
    works.begin(Todo::Open, &doors);
    let mut keys = EventStream::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut changed = true;
    loop {
        if std::mem::take(&mut changed) {
            let drawn = screen.draw(|frame| {
                view::draw(&planner, &palette, frame.area(), frame.buffer_mut());
            });
            if let Err(error) = drawn {
                drop(screen);
                put_aside(&planner, &doors);
                return Err(error.into());
            }
        }
        let todo = tokio::select! {
            biased;
            () = signals.come() => break,
            key = keys.next() => match key {
                Some(Ok(TerminalEvent::Key(key))) => {
                    let step = step(&planner, &key);
                    changed = step.is_some();
                    step.and_then(|step| planner.act(step))
                }
                Some(Ok(TerminalEvent::Resize(..))) => {
                    changed = true;
                    None
                }
                Some(Ok(_)) => None,
                Some(Err(_)) | None => break,
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
            Some(Todo::Leave) => {
                drop(screen);
                if planner.took_up {
                    (doors.aside)(None);
                }
                return Ok(());
            }
            Some(todo) => works.begin(todo, &doors),
            None => {}
        }
    }
    drop(screen);
    put_aside(&planner, &doors);
    Ok(())
}

/// Puts aside what is not saved. What somebody else put aside stays.
pub(in crate::console) fn put_aside(planner: &Planner, doors: &Doors) {
    let draft = planner.draft();
    if draft.is_some() || planner.took_up {
        (doors.aside)(draft.as_ref());
    }
}
