//! Viewers who complain of picture or sound, counted over the last minute: `lag 14` means 14 people, however often each
//! of them says so.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::{
    base::Moment,
    chat::{EntryId, Person, finders::Complaint},
};

/// How long a complaint counts.
pub(super) const WINDOW: Duration = Duration::from_mins(1);
/// People counted for each complaint; further ones are not.
const MOST: usize = 2_000;

/// Who complains. Lines without an author count as one person each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Person(Person),
    Nameless(EntryId),
}

/// The complaints of the last minute.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    by: BTreeMap<Complaint, HashMap<Who, Moment>>,
}

impl Complaints {
    pub(super) fn take(&mut self, complaint: Complaint, who: Who, at: Moment) {
        let people = self.by.entry(complaint).or_default();
        if people.len() >= MOST && !people.contains_key(&who) {
            return;
        }
        let last = people.entry(who).or_insert(at);
        *last = at.max(*last);
    }

    /// Forgets what counts no more.
    pub(super) fn forget(&mut self, now: Moment) {
        self.by.retain(|_, people| {
            people.retain(|_, at| counts(*at, now));
            !people.is_empty()
        });
    }

    /// How many people complain of what, the most first.
    pub(super) fn counts(&self, now: Moment) -> Vec<(Complaint, usize)> {
        let count =
            |people: &HashMap<Who, Moment>| people.values().filter(|at| counts(**at, now)).count();
        let mut found: Vec<_> =
            self.by.iter().map(|(complaint, people)| (*complaint, count(people))).collect();
        found.retain(|(_, count)| *count > 0);
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        found
    }

    /// When the next of them stops to count.
    pub(super) fn next_change(&self, now: Moment) -> Option<Moment> {
        let all = self.by.values().flat_map(HashMap::values);
        all.filter(|at| counts(**at, now)).min().map(|at| *at + WINDOW)
    }
}

fn counts(at: Moment, now: Moment) -> bool {
    now.since(at) < WINDOW
}

/// What is complained of, in two words at most.
pub(super) const fn word(complaint: Complaint) -> &'static str {
    match complaint {
        Complaint::Lag => "lag",
        Complaint::NoSound => "no sound",
        Complaint::Quiet => "too quiet",
        Complaint::Noise => "noise",
        Complaint::Echo => "echo",
        Complaint::Blurry => "blurry",
        Complaint::Dark => "too dark",
        Complaint::NoPicture => "no picture",
        Complaint::OutOfSync => "out of sync",
    }
}
