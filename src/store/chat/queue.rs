//! The way of a chat's steps to the keeper's thread. The giving side never waits. Lines that do not fit are counted,
//! with the time they span; removals have room of their own, so that a flood of lines does not keep a removed text
//! stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use jiff::Timestamp;

use super::{ChatSource, Heard};
use crate::{
    base::SourceId,
    chat::{Update, told::Told},
};

/// Lines that may wait for the disk: 4 s at 2,000 a second, minutes of an ordinary show.
const LINES: usize = 8_192;
/// Removals and holes may be so many more.
const REMOVALS: usize = 4_096;

/// Lines of one source that came, but are not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unstored {
    /// The step of the first.
    pub seq: u64,
    /// The time of the earliest.
    pub since: Timestamp,
    /// The time of the latest.
    pub until: Timestamp,
    /// How many.
    pub lines: u64,
}

impl Unstored {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            seq: self.seq.min(other.seq),
            since: self.since.min(other.since),
            until: self.until.max(other.until),
            lines: self.lines + other.lines,
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    unstored: Mutex<BTreeMap<SourceId, Unstored>>,
}

/// Takes the steps of a chat.
#[derive(Debug)]
pub struct ChatQueue {
    give: SyncSender<Heard>,
    shared: Arc<Shared>,
    stored: BTreeSet<SourceId>,
}

/// The other end, for the keeper.
#[derive(Debug)]
pub struct ChatRows {
    pub(in crate::store) sources: Vec<ChatSource>,
    take: Receiver<Heard>,
    shared: Arc<Shared>,
}

/// A queue for these sources; steps of others are not taken.
pub fn queue(sources: Vec<ChatSource>) -> (ChatQueue, ChatRows) {
    let (give, take) = sync_channel(LINES + REMOVALS);
    let shared = Arc::<Shared>::default();
    let stored = sources.iter().map(|source| source.id.clone()).collect();
    (ChatQueue { give, shared: Arc::clone(&shared), stored }, ChatRows { sources, take, shared })
}

impl ChatQueue {
    /// Hands a step over, without waiting. False when nobody stores any more.
    pub fn keep(&self, told: &Arc<Told>) -> bool {
        if !self.stored.contains(&told.source) {
            return true;
        }
        let at = Timestamp::now();
        let is_line = matches!(told.update, Update::Message(_));
        let waiting = self.shared.waiting.load(Ordering::Relaxed);
        if is_line && waiting >= LINES {
            self.count(told, at);
            return true;
        }
        // Counted first: the other side may take it before this one goes on.
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        match self.give.try_send(Heard { at, told: Arc::clone(told) }) {
            Ok(()) => true,
            Err(error) => {
                self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
                match error {
                    TrySendError::Full(_) => {
                        self.count(told, at);
                        if !is_line {
                            tracing::warn!(
                                source = %told.source,
                                "a removal could not be stored: thousands wait for the disk"
                            );
                        }
                        true
                    }
                    TrySendError::Disconnected(_) => false,
                }
            }
        }
    }

    fn count(&self, told: &Told, at: Timestamp) {
        let at = match &told.update {
            Update::Message(message) => message.at,
            _ => at,
        };
        let one = Unstored { seq: told.number, since: at, until: at, lines: 1 };
        let mut unstored = self.shared.unstored.lock().unwrap_or_else(PoisonError::into_inner);
        unstored.entry(told.source.clone()).and_modify(|sum| *sum = sum.and(one)).or_insert(one);
    }
}

impl ChatRows {
    /// Takes what waits, until the batch has so many.
    pub(in crate::store) fn fill(&self, batch: &mut Vec<Heard>, most: usize) {
        while batch.len() < most
            && let Ok(heard) = self.take.try_recv()
        {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            batch.push(heard);
        }
    }

    /// Adds what was counted since the last call.
    pub(in crate::store) fn unstored(&self, to: &mut BTreeMap<SourceId, Unstored>) {
        let mut counted = self.shared.unstored.lock().unwrap_or_else(PoisonError::into_inner);
        for (source, more) in std::mem::take(&mut *counted) {
            to.entry(source).and_modify(|sum| *sum = sum.and(more)).or_insert(more);
        }
    }
}
