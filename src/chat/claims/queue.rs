//! The log of one item, and what follows from it.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

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
#[derive(Debug, Clone, Copy)]
struct Line {
    id: ClaimId,
    /// How many are wished for; what a replacement left of it.
    wish: u32,
    granted: u32,
    done: bool,
    cancelled: Option<Why>,
    settled: bool,
    /// The step that granted last is settled.
    decided: bool,
}

impl Line {
    fn is_open(&self) -> bool {
        self.cancelled.is_none() && !self.done
    }

    fn state(&self) -> State {
        match self.cancelled {
            Some(why) => State::Cancelled(why),
            None if self.done => State::Done,
            None if self.granted > 0 && self.decided => State::Confirmed,
            None if self.granted == 0 && self.settled => State::Waiting,
            None => State::New,
        }
    }

    fn lacks(&self) -> u32 {
        if self.is_open() { self.wish.saturating_sub(self.granted) } else { 0 }
    }
}

/// What follows from the log so far. Settled steps are read once; those that are not settled are read anew in each
/// turn, because an earlier one may still come between.
#[derive(Debug)]
pub(super) struct Reading {
    lines: Vec<Line>,
    of: HashMap<ClaimId, usize>,
    people: HashMap<Person, Vec<usize>>,
    stock: Option<u32>,
    granted: u64,
    partial: bool,
    duplicates: Duplicates,
    /// The last settled step that was read.
    upto: Option<Key>,
    /// What was last said of the settled claims.
    told: Vec<(State, u32)>,
}

impl Reading {
    pub(super) fn new(stock: Option<u32>, config: &ClaimsConfig) -> Self {
        Self {
            lines: Vec::new(),
            of: HashMap::new(),
            people: HashMap::new(),
            stock,
            granted: 0,
            partial: config.partial,
            duplicates: config.duplicates,
            upto: None,
            told: Vec::new(),
        }
    }

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

    /// Reads a log on: claims whose state or grant may have changed, with both, and whether any is new.
    pub(super) fn read(
        &mut self,
        log: &BTreeMap<Key, Act>,
        claims: &HashMap<ClaimId, Claim>,
        horizon: Timestamp,
    ) -> (Vec<(ClaimId, State, u32)>, bool) {
        let from = self.upto.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = log.range((from, Bound::Unbounded)).peekable();
        while let Some((key, act)) = rest.next_if(|(key, _)| key.place < horizon) {
            self.step(act, claims, true);
            self.upto = Some(key.clone());
        }
        let settled = (self.lines.clone(), self.granted, self.stock);
        for (_, act) in rest {
            self.step(act, claims, false);
        }
        let (changed, any_new) = self.changed(settled.0.len());
        // What is not settled is forgotten again.
        for line in self.lines.iter().skip(settled.0.len()) {
            self.of.remove(&line.id);
            let person = claims.get(&line.id).and_then(|claim| claim.person.as_ref());
            if let Some(theirs) = person.and_then(|person| self.people.get_mut(person)) {
                theirs.pop();
            }
        }
        (self.lines, self.granted, self.stock) = settled;
        (changed, any_new)
    }

    /// What is to be said of the claims: of the settled ones (the first ones), what is new; of the others, all.
    fn changed(&mut self, settled: usize) -> (Vec<(ClaimId, State, u32)>, bool) {
        let mut changed = Vec::new();
        let mut any_new = false;
        for (n, line) in self.lines.iter().enumerate() {
            let now = (line.state(), line.granted);
            any_new |= now.0 == State::New;
            match self.told.get_mut(n) {
                Some(told) if *told == now => continue,
                Some(told) => *told = now,
                None if n < settled => self.told.push(now),
                None => {}
            }
            changed.push((line.id, now.0, now.1));
        }
        (changed, any_new)
    }

    fn step(&mut self, act: &Act, claims: &HashMap<ClaimId, Claim>, settled: bool) {
        match act {
            Act::Claim(id) => {
                if let Some(claim) = claims.get(id) {
                    self.claim(claim, settled);
                }
            }
            Act::CancelBy(person) => {
                for n in self.people.get(person).cloned().unwrap_or_default() {
                    self.cancel(n, Why::User);
                }
                self.promote(settled);
            }
            Act::Cancel(id) => {
                if let Some(n) = self.of.get(id).copied()
                    && self.cancel(n, Why::Host)
                {
                    self.promote(settled);
                }
            }
            Act::Restore(id) => {
                if let Some(n) = self.of.get(id).copied()
                    && let Some(line) = self.lines.get_mut(n)
                    && line.cancelled == Some(Why::Host)
                {
                    line.cancelled = None;
                    self.grant(n, settled);
                }
            }
            Act::Done(id) | Act::NotDone(id) => {
                if let Some(line) = self.of.get(id).and_then(|n| self.lines.get_mut(*n))
                    && line.cancelled.is_none()
                    && (line.granted > 0 || line.done)
                {
                    line.done = matches!(act, Act::Done(_));
                }
            }
            Act::Stock(stock) => {
                self.stock = *stock;
                self.fit();
                self.promote(settled);
            }
        }
    }

    fn claim(&mut self, claim: &Claim, settled: bool) {
        let n = self.lines.len();
        let mut line = Line {
            id: claim.id,
            wish: claim.quantity,
            granted: 0,
            done: false,
            cancelled: None,
            settled,
            decided: settled,
        };
        let is_active = |n: &usize| self.lines.get(*n).is_some_and(|l| l.cancelled.is_none());
        let theirs: Vec<usize> = claim
            .person
            .as_ref()
            .and_then(|person| self.people.get(person))
            .map(|theirs| theirs.iter().copied().filter(is_active).collect())
            .unwrap_or_default();
        let wishes = theirs.iter().filter_map(|n| self.lines.get(*n)).map(|line| line.wish);
        let before = wishes.fold(0, u32::saturating_add);
        let mut freed = false;
        if !theirs.is_empty() {
            match self.duplicates {
                Duplicates::Ignore => line.cancelled = Some(Why::Duplicate),
                Duplicates::Add => {}
                Duplicates::Replace if claim.quantity > before => {
                    line.wish = claim.quantity - before;
                }
                Duplicates::Replace => {
                    line.cancelled = Some(Why::Amended);
                    self.amend(&theirs, before - claim.quantity);
                    freed = claim.quantity < before;
                }
            }
        }
        if let Some(person) = &claim.person {
            self.people.entry(person.clone()).or_default().push(n);
        }
        self.lines.push(line);
        self.of.insert(claim.id, n);
        if freed {
            self.promote(settled);
        } else {
            self.grant(n, settled);
        }
    }
}
