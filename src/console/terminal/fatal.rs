//! SIGQUIT and SIGABRT from outside. By default they end a process at once, and would leave the terminal as it was drawn
//! on. Here it is given back first, on a thread of its own: a loop that is stuck is no reason to keep the terminal. Then
//! the default action follows, so that whoever sent the signal sees what he asked for.
//!
//! An `abort()` of a library in this process cannot be caught so: it does not return to any thread.

use std::{
    io,
    sync::{Arc, mpsc::sync_channel},
    thread,
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGABRT, SIGQUIT},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use tokio::sync::watch;

use super::held::Held;

/// How long the loop may take to keep what must be kept.
const KEEPING: Duration = Duration::from_millis(500);
/// How long a terminal that does not read may take to be given back.
const GIVING_BACK: Duration = Duration::from_millis(500);
/// How often it is looked whether the loop has given the terminal back.
const LOOK: Duration = Duration::from_millis(5);

/// The thread that waits for them.
pub(super) struct Watch(Arc<watch::Sender<Option<i32>>>);

impl Watch {
    /// Waits until the process ends: the default action does not come back by itself when nobody listens any more.
    pub(super) fn start(held: &Arc<Held>) -> io::Result<Self> {
        let mut signals = Signals::new([SIGQUIT, SIGABRT])?;
        let tell = Arc::new(watch::Sender::new(None));
        let (held, told) = (Arc::clone(held), Arc::clone(&tell));
        thread::Builder::new().name("fatal-signals".into()).spawn(move || {
            for signal in signals.forever() {
                end(&held, &told, signal);
            }
        })?;
        Ok(Self(tell))
    }

    pub(super) fn listen(&self) -> Fatal {
        Fatal(self.0.subscribe())
    }
}

/// The signal, once it has come.
pub(in crate::console) struct Fatal(watch::Receiver<Option<i32>>);

impl Fatal {
    /// Waits for it.
    pub(in crate::console) async fn come(&mut self) -> i32 {
        match self.0.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            // The thread that would tell ends only with the process.
            _ => std::future::pending().await,
        }
    }
}

/// Does what the signal does by default, now that all is in order.
pub(in crate::console) fn die_of(signal: i32) {
    let _ = emulate_default_handler(signal);
}

fn end(held: &Arc<Held>, told: &watch::Sender<Option<i32>>, signal: i32) {
    told.send_replace(Some(signal));
    let by = Instant::now() + KEEPING;
    while told.receiver_count() > 0 && held.is_held() && Instant::now() < by {
        thread::sleep(LOOK);
    }
    let (done, wait) = sync_channel(1);
    let giving = Arc::clone(held);
    // Without a thread the terminal stays as it is; the signal counts all the same.
    let _ = thread::Builder::new().name("give-back".into()).spawn(move || {
        giving.give_back();
        let _ = done.send(());
    });
    let _ = wait.recv_timeout(GIVING_BACK);
    die_of(signal);
}
