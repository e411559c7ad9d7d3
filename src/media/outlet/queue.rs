//! Where frames wait between the fan-out and an outlet's thread, picture and sound in the order in which they
//! came. The fan-out bounds it: it asks how many wait before it puts one there.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use crate::media::{
    fanout::{Encoded, Inlet},
    feed::lock,
};

/// What waits.
pub(super) enum Item {
    /// A frame.
    Picture(Encoded),
    /// A packet of sound.
    Sound(gst::Buffer),
    /// From the next key frame on, a new file.
    Split,
}

/// What `next` has.
pub(super) enum Next {
    /// The oldest that waits.
    Item(Item),
    /// Nothing came in that time.
    Nothing,
    /// Nothing waits, and nothing will come.
    Shut,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    pictures: u64,
    shut: bool,
}

/// The queue.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

impl Queue {
    fn put(&self, item: Item) {
        let mut waiting = lock(&self.waiting);
        if waiting.shut {
            return;
        }
        waiting.pictures += u64::from(matches!(item, Item::Picture(_)));
        waiting.items.push_back(item);
        self.bell.notify_one();
    }

    /// Takes the oldest out; waits for one for `longest`.
    pub(super) fn next(&self, longest: Duration) -> Next {
        let empty = |w: &mut Waiting| w.items.is_empty() && !w.shut;
        let (mut waiting, _) = self
            .bell
            .wait_timeout_while(lock(&self.waiting), longest, empty)
            .unwrap_or_else(PoisonError::into_inner);
        match waiting.items.pop_front() {
            Some(item) => {
                waiting.pictures -= u64::from(matches!(item, Item::Picture(_)));
                Next::Item(item)
            }
            None if waiting.shut => Next::Shut,
            None => Next::Nothing,
        }
    }

    /// Asks for a new file.
    pub(super) fn split(&self) {
        self.put(Item::Split);
    }

    /// Nothing more comes in; what waits can still be taken out.
    pub(super) fn shut(&self) {
        lock(&self.waiting).shut = true;
        self.bell.notify_one();
    }
}

/// The end for pictures.
pub(super) struct PictureEnd(Arc<Queue>);

/// The end for sound.
pub(super) struct SoundEnd(Arc<Queue>);

/// What the fan-out gets.
pub(super) fn ends(queue: &Arc<Queue>) -> (PictureEnd, SoundEnd) {
    (PictureEnd(Arc::clone(queue)), SoundEnd(Arc::clone(queue)))
}

impl Inlet for PictureEnd {
    fn waiting(&self) -> u64 {
        lock(&self.0.waiting).pictures
    }

    fn push(&self, frame: &Encoded) {
        self.0.put(Item::Picture(frame.clone()));
    }
}

impl Inlet for SoundEnd {
    fn waiting(&self) -> u64 {
        let waiting = lock(&self.0.waiting);
        waiting.items.len() as u64 - waiting.pictures
    }

    fn push(&self, packet: &Encoded) {
        self.0.put(Item::Sound(packet.buffer.clone()));
    }
}
