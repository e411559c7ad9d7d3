//! Starts inputs on threads of their own: to build one takes milliseconds, which the engine's loop has not, and its
//! file may lie on a storage that does not answer. One that hangs holds up no other input.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use tokio::sync::mpsc;

use crate::{
    base::InputId,
    show::{Fact, FailureKind, InputSpec},
};

/// So many orders may wait.
const WAITING: usize = 64;
/// How long the start of one input may hold up those after it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Takes orders to start inputs. `try_send` never waits.
pub type Inputs = SyncSender<InputSpec>;

/// What starts an input; it may block for ever.
pub trait StartsInputs: Send + Sync + 'static {
    /// Starts it. What comes of it is told by facts.
    fn start_input(&self, spec: &InputSpec);
}

impl StartsInputs for crate::media::Studio {
    fn start_input(&self, spec: &InputSpec) {
        Self::start_input(self, spec);
    }
}

/// Starts the thread. It ends when the sender is dropped, or `studio` is gone.
///
/// # Errors
/// The system gives no thread.
pub fn start<S: StartsInputs>(
    studio: &Arc<S>,
    facts: &mpsc::Sender<Fact>,
) -> std::io::Result<Inputs> {
    let (inputs, orders) = sync_channel::<InputSpec>(WAITING);
    let starter =
        Starter { studio: Arc::downgrade(studio), facts: facts.clone(), hung: BTreeMap::new() };
    std::thread::Builder::new().name("inputs".into()).spawn(move || starter.run(&orders))?;
    Ok(inputs)
}

struct Starter<S> {
    studio: Weak<S>,
    facts: mpsc::Sender<Fact>,
    /// Starts that have not ended in time; a receiver whose sender is gone is one that has ended since.
    hung: BTreeMap<InputId, Receiver<()>>,
}

impl<S: StartsInputs> Starter<S> {
    fn run(mut self, orders: &Receiver<InputSpec>) {
        while let Ok(spec) = orders.recv() {
            let Some(studio) = self.studio.upgrade() else { return };
            let ended = |left: &Receiver<()>| {
                matches!(left.try_recv(), Ok(()) | Err(std::sync::mpsc::TryRecvError::Disconnected))
            };
            self.hung.retain(|_, left| !ended(left));
            let input = spec.id.clone();
            if self.hung.contains_key(&input) {
                self.failed(input, "its last start still waits for its file or device");
                continue;
            }
            let (done, left) = sync_channel::<()>(1);
            let thread = std::thread::Builder::new().name("input-start".into()).spawn(move || {
                studio.start_input(&spec);
                // The starter may have gone on.
                let _ = done.try_send(());
            });
            if let Err(e) = thread {
                self.failed(input, &format!("the system gives no thread for it: {e}"));
                continue;
            }
            if left.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                self.failed(
                    input.clone(),
                    "its file or device does not answer: check the storage it lies on",
                );
                self.hung.insert(input, left);
            }
        }
    }

    fn failed(&self, input: InputId, reason: &str) {
        let failed =
            Fact::InputFailed { input, reason: reason.to_owned(), kind: FailureKind::Passing };
        // This is a thread of its own; an engine that is gone needs no report.
        let _ = self.facts.blocking_send(failed);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Instant};

    use super::*;
    use crate::{
        base::Db,
        show::{InputKind, spec::TestPattern},
    };

    /// One whose input `hangs` does, as long as the sender lives.
    struct Studio {
        wait: Mutex<Option<Receiver<()>>>,
        started: SyncSender<InputId>,
    }

    impl StartsInputs for Studio {
        fn start_input(&self, spec: &InputSpec) {
            let wait =
                if spec.id.as_str() == "hangs" { self.wait.lock().unwrap().take() } else { None };
            if let Some(wait) = wait {
                let _ = wait.recv();
            }
            let _ = self.started.send(spec.id.clone());
        }
    }

    fn input(id: &str) -> InputSpec {
        let kind = InputKind::Test { pattern: TestPattern::Ball, tone_hz: None };
        InputSpec { id: id.parse().unwrap(), kind, gain: Db(0.0), muted: false }
    }

    #[test]
    fn one_that_hangs_holds_up_no_other_and_is_started_once() {
        let (go, wait) = sync_channel(1);
        let (started, seen) = sync_channel(8);
        let studio = Arc::new(Studio { wait: Mutex::new(Some(wait)), started });
        let (facts, mut told) = mpsc::channel(64);
        let inputs = start(&studio, &facts).unwrap();
        let began = Instant::now();
        for id in ["hangs", "well", "hangs", "well"] {
            inputs.send(input(id)).unwrap();
        }
        for _ in 0..2 {
            let soon = seen.recv_timeout(PATIENCE * 2).unwrap();
            assert_eq!(soon.as_str(), "well");
        }
        assert!(began.elapsed() < PATIENCE * 2, "{:?}", began.elapsed());
        for words in ["does not answer", "its last start still waits"] {
            let Some(Fact::InputFailed { input, reason, .. }) = told.blocking_recv() else {
                panic!()
            };
            assert!(input.as_str() == "hangs" && reason.contains(words), "{reason}");
        }
        drop(go);
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap().as_str(), "hangs");
        // Its thread may still be on its way out: until then it is said to wait.
        let again = (0..50).any(|_| {
            inputs.send(input("hangs")).unwrap();
            seen.recv_timeout(Duration::from_millis(100)).is_ok()
        });
        assert!(again, "it can be started again");
    }
}
