//! What takes its time: reading, solving, keeping. Each on a thread of its own, so that neither the keyboard nor the
//! end of the process waits for it.

use std::{future::Future, pin::Pin};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::sync::oneshot;

use super::{
    Doors,
    state::{News, Todo},
};
use crate::planner::schedule::{Effort, solve};

type Coming = Pin<Box<dyn Future<Output = News> + Send>>;

/// What is under way. Few at a time: the pane asks for one thing of a kind.
#[derive(Default)]
pub(in crate::console) struct Works {
    coming: FuturesUnordered<Coming>,
}

impl Works {
    /// Whether nothing is under way.
    pub(in crate::console) fn is_empty(&self) -> bool {
        self.coming.is_empty()
    }

    /// What comes next.
    pub(in crate::console) async fn next(&mut self) -> Option<News> {
        self.coming.next().await
    }

    /// Begins what was asked for; leaving is not its matter.
    pub(in crate::console) fn begin(&mut self, todo: Todo, doors: &Doors) {
        let doors = doors.clone();
        let work: Box<dyn FnOnce() -> News + Send> = match todo {
            Todo::Leave => return,
            Todo::Open => Box::new(move || News::Opened((doors.open)().map(Box::new))),
            Todo::Propose(asked) => Box::new(move || News::Proposed {
                number: asked.number,
                plan: solve(&asked.task, Effort::Full),
            }),
            Todo::Keep { plan, shows } => {
                Box::new(move || News::Kept { shows, kept: (doors.keep)(&plan) })
            }
        };
        let (tell, told) = oneshot::channel();
        let thread = std::thread::Builder::new().name("planner".into());
        let begun = thread.spawn(move || {
            // Nobody waits any more: the pane was left.
            let _ = tell.send(work());
        });
        self.coming.push(match begun {
            Ok(_) => Box::pin(async move {
                let broke = |_| News::Failed("the planner broke; nothing was changed".into());
                told.await.unwrap_or_else(broke)
            }),
            Err(error) => Box::pin(async move {
                News::Failed(format!("the system gives no thread: {error}; try again"))
            }),
        });
    }
}
