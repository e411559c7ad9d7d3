//! One line to several sources, and which of its echoes is shown: the first one; the others are the same line again.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{LineId, Outbox, Refusal};
use crate::{
    base::{Moment, SourceId},
    chat::Message,
};

/// Announcements whose echoes are recognised.
const MOST: usize = 100;

/// An announcement's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnnouncementId(pub u64);

/// What a source made of an announcement: the lines queued, or why not.
pub type Announced = (SourceId, Result<Vec<LineId>, Refusal>);

/// What an own message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// The first echo of this announcement's part: the pane shows it.
    First(AnnouncementId),
    /// The same from another source, or once more: the pane does not show it again.
    Again(AnnouncementId),
    /// Not sent from here (the host wrote it on the platform): the pane shows it.
    Elsewhere,
}

#[derive(Debug)]
struct Announcement {
    id: AnnouncementId,
    /// Source, line, and which part of the text the line is.
    lines: Vec<(SourceId, LineId)>,
    /// Source whose echo came first; its parts are those shown.
    first: Option<SourceId>,
    shown: Vec<LineId>,
}

/// The queues of all sources that can be written to.
#[derive(Debug, Default)]
pub struct Outboxes {
    boxes: BTreeMap<SourceId, Outbox>,
    announcements: VecDeque<Announcement>,
    next: u64,
}

impl Outboxes {
    /// Adds or replaces a source's queue.
    pub fn put(&mut self, source: SourceId, outbox: Outbox) {
        self.boxes.insert(source, outbox);
    }

    /// A source's queue.
    pub fn get(&self, source: &SourceId) -> Option<&Outbox> {
        self.boxes.get(source)
    }

    /// A source's queue.
    pub fn get_mut(&mut self, source: &SourceId) -> Option<&mut Outbox> {
        self.boxes.get_mut(source)
    }

    /// Removes a source's queue with all that waits in it.
    pub fn remove(&mut self, source: &SourceId) -> Option<Outbox> {
        self.boxes.remove(source)
    }

    /// Queues a line for these sources. Each decides for itself: what one refuses, another may send. A source without a
    /// queue cannot be written to and is left out of the answer.
    pub fn announce<'a>(
        &mut self,
        sources: impl Iterator<Item = &'a SourceId>,
        text: &str,
        now: Moment,
    ) -> (AnnouncementId, Vec<Announced>) {
        self.next += 1;
        let id = AnnouncementId(self.next);
        let mut told = Vec::new();
        let mut lines = Vec::new();
        for source in sources {
            let Some(outbox) = self.boxes.get_mut(source) else { continue };
            let queued = outbox.say(text, now);
            lines.extend(queued.iter().flatten().map(|line| (source.clone(), *line)));
            told.push((source.clone(), queued));
        }
        if !lines.is_empty() {
            let announcement = Announcement { id, lines, first: None, shown: Vec::new() };
            self.announcements.push_back(announcement);
            if self.announcements.len() > MOST {
                self.announcements.pop_front();
            }
        }
        (id, told)
    }

    /// What an own message that came in is; its line is confirmed.
    pub fn own(&mut self, message: &Message, now: Moment) -> Own {
        let source = &message.source;
        let Some(line) = self.boxes.get_mut(source).and_then(|outbox| outbox.echo(message, now))
        else {
            return Own::Elsewhere;
        };
        let of = |a: &&mut Announcement| a.lines.iter().any(|(s, l)| s == source && *l == line);
        let Some(announcement) = self.announcements.iter_mut().rev().find(of) else {
            return Own::Elsewhere;
        };
        let leads = announcement.first.get_or_insert_with(|| source.clone()) == source;
        if leads && !announcement.shown.contains(&line) {
            announcement.shown.push(line);
            Own::First(announcement.id)
        } else {
            Own::Again(announcement.id)
        }
    }

    /// The lines of an announcement.
    pub fn lines(&self, id: AnnouncementId) -> &[(SourceId, LineId)] {
        self.announcements.iter().find(|a| a.id == id).map_or(&[], |a| &a.lines)
    }

    /// The next lines to send now, at most one of each source.
    pub fn take(&mut self, now: Moment) -> Vec<(SourceId, LineId, String)> {
        let due = |(source, outbox): (&SourceId, &mut Outbox)| {
            outbox.take(now).map(|(line, text)| (source.clone(), line, text))
        };
        self.boxes.iter_mut().filter_map(due).collect()
    }

    /// When the next line can be sent.
    pub fn next(&self) -> Option<Moment> {
        self.boxes.values().filter_map(Outbox::next).min()
    }
}
