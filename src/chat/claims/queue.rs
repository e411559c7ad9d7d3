//! The log of one item, and what follows from it.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{Claim, ClaimId, ClaimsConfig, Duplicates, State, Why};
use crate::{
    base::SourceId,
    chat::{MessageId, Person},
};

/// Where a step stands in the log. The order of the fields is the order of comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Its time, or the border of what was settled when it came.
    pub place: Timestamp,
    /// Came after that border had passed its time.
    pub late: bool,
    pub at: Timestamp,
    pub message: Option<(SourceId, MessageId)>,
    pub nth: u64,
}

/// A step.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Claim(ClaimId),
    CancelBy(Person),
    Cancel(ClaimId),
    Restore(ClaimId),
    Done(ClaimId),
    NotDone(ClaimId),
    Stock(Option<u32>),
}

/// A claim while the log is read.
struct Line<'a> {
    id: ClaimId,
    person: Option<&'a Person>,
    /// How many are wished for; what a replacement left of it.
    wish: u32,
    granted: u32,
    done: bool,
    cancelled: Option<Why>,
    settled: bool,
    /// The step that granted last is settled.
    decided: bool,
}

impl Line<'_> {
    fn is_open(&self) -> bool {
        self.cancelled.is_none() && !self.done
    }

    fn lacks(&self) -> u32 {
        if self.is_open() { self.wish.saturating_sub(self.granted) } else { 0 }
    }
}

struct Reading<'a> {
    lines: Vec<Line<'a>>,
    of: HashMap<ClaimId, usize>,
    people: HashMap<&'a Person, Vec<usize>>,
    stock: Option<u32>,
    granted: u64,
    partial: bool,
}

impl Reading<'_> {
    fn left(&self) -> u32 {
        self.stock.map_or(u32::MAX, |stock| {
            u32::try_from(u64::from(stock).saturating_sub(self.granted)).unwrap_or(u32::MAX)
        })
    }

    fn grant(&mut self, n: usize, settled: bool) {
        let (left, partial) = (self.left(), self.partial);
        let Some(line) = self.lines.get_mut(n) else { return };
        let lacks = line.lacks();
        let given = if lacks <= left {
            lacks
        } else if partial {
            left
        } else {
            0
        };
        if given > 0 {
            line.granted += given;
            line.decided = settled;
            self.granted += u64::from(given);
        }
    }

    fn take(&mut self, n: usize, most: u32) {
        if let Some(line) = self.lines.get_mut(n) {
            let taken = line.granted.min(most);
            line.granted -= taken;
            self.granted -= u64::from(taken);
        }
    }

    /// What is free goes to those who wait, in order.
    fn promote(&mut self, settled: bool) {
        for n in 0..self.lines.len() {
            if self.left() == 0 {
                return;
            }
            self.grant(n, settled);
        }
    }

    fn cancel(&mut self, n: usize, why: Why) -> bool {
        let Some(line) = self.lines.get_mut(n) else { return false };
        if !line.is_open() {
            return false;
        }
        line.cancelled = Some(why);
        self.take(n, u32::MAX);
        true
    }

    /// Lowers a person's wishes by `by`, the last first.
    fn amend(&mut self, theirs: &[usize], mut by: u32) {
        for n in theirs.iter().rev() {
            let Some(line) = self.lines.get_mut(*n) else { continue };
            if !line.is_open() {
                continue;
            }
            let off = line.wish.min(by);
            line.wish -= off;
            by -= off;
            let over = line.granted.saturating_sub(line.wish);
            if line.wish == 0 {
                line.cancelled = Some(Why::Amended);
            }
            self.take(*n, over);
        }
    }

    /// Nothing above stock is granted: the last are put back to the wait-list.
    fn fit(&mut self) {
        for n in (0..self.lines.len()).rev() {
            let over = self.stock.map_or(0, |stock| self.granted.saturating_sub(stock.into()));
            if over == 0 {
                return;
            }
            if self.lines.get(n).is_some_and(Line::is_open) {
                let whole =
                    if self.partial { u32::try_from(over).unwrap_or(u32::MAX) } else { u32::MAX };
                self.take(n, whole);
            }
        }
    }
}

/// Reads a log: the state of each claim and how many it is granted, in order.
pub(super) fn read(
    log: &BTreeMap<Key, Act>,
    claims: &HashMap<ClaimId, Claim>,
    stock: Option<u32>,
    config: &ClaimsConfig,
    horizon: Timestamp,
) -> Vec<(ClaimId, State, u32)> {
    let mut reading = Reading {
        lines: Vec::new(),
        of: HashMap::new(),
        people: HashMap::new(),
        stock,
        granted: 0,
        partial: config.partial,
    };
    for (key, act) in log {
        let settled = key.place < horizon;
        match act {
            Act::Claim(id) => {
                let Some(claim) = claims.get(id) else { continue };
                let n = reading.lines.len();
                let mut line = Line {
                    id: *id,
                    person: claim.person.as_ref(),
                    wish: claim.quantity,
                    granted: 0,
                    done: false,
                    cancelled: None,
                    settled,
                    decided: settled,
                };
                let theirs: Vec<usize> = line
                    .person
                    .and_then(|person| reading.people.get(person))
                    .into_iter()
                    .flatten()
                    .copied()
                    .filter(|n| reading.lines.get(*n).is_some_and(|l| l.cancelled.is_none()))
                    .collect();
                let before: u32 = theirs
                    .iter()
                    .filter_map(|n| reading.lines.get(*n))
                    .fold(0, |sum, line| sum.saturating_add(line.wish));
                let mut freed = false;
                if !theirs.is_empty() {
                    match config.duplicates {
                        Duplicates::Ignore => line.cancelled = Some(Why::Duplicate),
                        Duplicates::Add => {}
                        Duplicates::Replace if claim.quantity > before => {
                            line.wish = claim.quantity - before;
                        }
                        Duplicates::Replace => {
                            line.cancelled = Some(Why::Amended);
                            reading.amend(&theirs, before - claim.quantity);
                            freed = claim.quantity < before;
                        }
                    }
                }
                if let Some(person) = line.person {
                    reading.people.entry(person).or_default().push(n);
                }
                reading.lines.push(line);
                reading.of.insert(*id, n);
                if freed {
                    reading.promote(settled);
                } else {
                    reading.grant(n, settled);
                }
            }
            Act::CancelBy(person) => {
                let theirs = reading.people.get(person).cloned().unwrap_or_default();
                for n in theirs {
                    reading.cancel(n, Why::User);
                }
                reading.promote(settled);
            }
            Act::Cancel(id) => {
                if let Some(n) = reading.of.get(id).copied()
                    && reading.cancel(n, Why::Host)
                {
                    reading.promote(settled);
                }
            }
            Act::Restore(id) => {
                if let Some(n) = reading.of.get(id).copied()
                    && let Some(line) = reading.lines.get_mut(n)
                    && line.cancelled == Some(Why::Host)
                {
                    line.cancelled = None;
                    reading.grant(n, settled);
                }
            }
            Act::Done(id) | Act::NotDone(id) => {
                if let Some(n) = reading.of.get(id).copied()
                    && let Some(line) = reading.lines.get_mut(n)
                    && line.cancelled.is_none()
                    && (line.granted > 0 || line.done)
                {
                    line.done = matches!(act, Act::Done(_));
                }
            }
            Act::Stock(stock) => {
                reading.stock = *stock;
                reading.fit();
                reading.promote(settled);
            }
        }
    }
    let state = |line: &Line<'_>| match line.cancelled {
        Some(why) => State::Cancelled(why),
        None if line.done => State::Done,
        None if line.granted > 0 && line.decided => State::Confirmed,
        None if line.granted == 0 && line.settled => State::Waiting,
        None => State::New,
    };
    reading.lines.iter().map(|line| (line.id, state(line), line.granted)).collect()
}
