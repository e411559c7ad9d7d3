//! Claims of orders: first come by the platform's time, with stock limits and a wait-list.
//!
//! **Rule of order.** Everything that happens to an item (claims, cancellations, what the host does) is a log ordered by
//! the platform's time, then source, then message identifier; what everybody is granted follows from reading the log in
//! that order. For [`ClaimsConfig::settle_ms`] after its time a claim is *new*: one that was written earlier and arrives
//! later still goes before it. After that it is settled. What arrives with an older time than is settled goes right
//! behind what is settled and is marked late. So the order of arrival within the settle time does not change the
//! result, and what was confirmed stays, unless its owner or the host cancels or changes it.
//!
//! **Rule of stock.** A claim is granted whole, or (with [`ClaimsConfig::partial`]) as far as stock goes. One that does
//! not fit waits; one behind it that fits is granted. What becomes free goes to the wait-list in order. The sum of what
//! is granted is never above stock.

mod model;
mod queue;
mod rows;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

pub use model::{
    By, Change, Claim, ClaimId, ClaimsConfig, Duplicates, ItemCode, NoItemCode, Refusal, State,
    Totals, Why,
};
use queue::{Act, Key, Reading};
pub use rows::{COLUMNS, Phones, Row, masked_phones};

use super::{
    Message, MessageId, Person, Text,
    later::{earlier, later},
};
use crate::base::SourceId;

/// Claims of one show.
const MOST_CLAIMS: usize = 50_000;
/// Items of one show.
const MOST_ITEMS: usize = 2_000;
/// Claims and cancellations of one person on one item: who writes more is not heard, so that nobody fills the list.
const MOST_OF_ONE: u32 = 50;
/// Steps that can be undone.
const MOST_UNDO: usize = 100;
/// A platform's clock may be so far ahead of ours; see [`super::room`].
const AHEAD: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Item {
    reading: Reading,
    /// The stock after all steps of the log.
    stock: Option<u32>,
    closed: Option<Timestamp>,
    log: BTreeMap<Key, Act>,
    messages: HashSet<(SourceId, MessageId)>,
    /// Claims and cancellations of each person.
    steps: HashMap<Person, u32>,
    dirty: bool,
}

impl Item {
    /// Whether a person may still be heard; counts that they were.
    fn hears(&mut self, person: &Person) -> bool {
        let steps = self.steps.entry(person.clone()).or_default();
        let heard = *steps < MOST_OF_ONE;
        *steps += u32::from(heard);
        heard
    }
}

#[derive(Debug, Clone)]
enum Undo {
    Restore(ClaimId),
    NotDone(ClaimId),
    Stock(ItemCode, Option<u32>),
    Remove(ClaimId),
}

/// All claims of a show.
#[derive(Debug)]
pub struct Claims {
    config: ClaimsConfig,
    items: BTreeMap<ItemCode, Item>,
    all: HashMap<ClaimId, Claim>,
    undo: VecDeque<Undo>,
    /// Everything written before this is settled.
    horizon: Timestamp,
    next: u64,
}

impl Claims {
    /// No claims yet.
    pub fn new(config: ClaimsConfig) -> Self {
        Self {
            config,
            items: BTreeMap::new(),
            all: HashMap::new(),
            undo: VecDeque::new(),
            horizon: Timestamp::MIN,
            next: 1,
        }
    }

    /// Opens an item, or opens a closed one again. The stock of an item that was opened before is set as by
    /// [`Self::set_stock`].
    pub fn open(
        &mut self,
        code: &ItemCode,
        stock: Option<u32>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.items.contains_key(code) {
            self.set_stock(code, stock, now)?;
            if let Some(item) = self.items.get_mut(code) {
                item.closed = None;
            }
            return Ok(());
        }
        if self.items.len() >= MOST_ITEMS {
            return Err(Refusal::Full);
        }
        let item = Item {
            reading: Reading::new(stock, &self.config),
            stock,
            closed: None,
            log: BTreeMap::new(),
            messages: HashSet::new(),
            steps: HashMap::new(),
            dirty: false,
        };
        self.items.insert(code.clone(), item);
        Ok(())
    }

    /// Closes an item: what is written from `at` on does not claim it.
    pub fn close(&mut self, code: &ItemCode, at: Timestamp) -> Result<(), Refusal> {
        self.items.get_mut(code).ok_or(Refusal::NotOpen)?.closed = Some(at);
        Ok(())
    }

    /// A claim in a message. By hand, also a message that may not act claims: the host has read it.
    pub fn claim(
        &mut self,
        message: &Message,
        code: &ItemCode,
        quantity: u32,
        by: By,
        now: Timestamp,
    ) -> Result<ClaimId, Refusal> {
        if by == By::Finder && !message.may_act() {
            return Err(Refusal::MayNotAct);
        }
        let claim = Claim {
            id: ClaimId(self.next),
            item: code.clone(),
            quantity,
            at: message.at,
            late: false,
            by,
            message: Some((message.source.clone(), message.id.clone())),
            platform: Some(message.platform.clone()),
            person: Person::of(message),
            name: message.author.name.clone(),
            text: message.text.clone(),
            granted: 0,
            state: State::New,
        };
        self.add(claim, now)
    }

    /// A claim that the host enters without a message.
    pub fn enter(
        &mut self,
        name: Text,
        code: &ItemCode,
        quantity: u32,
        now: Timestamp,
    ) -> Result<ClaimId, Refusal> {
        let claim = Claim {
            id: ClaimId(self.next),
            item: code.clone(),
            quantity,
            at: now,
            late: false,
            by: By::Hand,
            message: None,
            platform: None,
            person: None,
            name,
            text: Text::default(),
            granted: 0,
            state: State::New,
        };
        self.add(claim, now)
    }

    fn add(&mut self, mut claim: Claim, now: Timestamp) -> Result<ClaimId, Refusal> {
        self.advance(now);
        if !(1..=self.config.most_quantity).contains(&claim.quantity) {
            return Err(Refusal::Quantity(self.config.most_quantity));
        }
        if self.config.any_item && !self.items.contains_key(&claim.item) {
            self.open(&claim.item, None, now)?;
        }
        if claim.at > later(now, AHEAD) {
            claim.at = now;
        }
        let key = self.key(claim.at, claim.message.as_ref());
        claim.late = key.late;
        let item = self.items.get_mut(&claim.item).ok_or(Refusal::NotOpen)?;
        if item.closed.is_some_and(|closed| claim.at >= closed) {
            return Err(Refusal::NotOpen);
        }
        if item.log.len() >= self.config.most_steps || self.all.len() >= MOST_CLAIMS {
            return Err(Refusal::Full);
        }
        if let Some(message) = &claim.message
            && !item.messages.insert(message.clone())
        {
            return Err(Refusal::Twice);
        }
        if let Some(person) = &claim.person
            && !item.hears(person)
        {
            return Err(Refusal::Full);
        }
        let id = claim.id;
        item.log.insert(key, Act::Claim(id));
        item.dirty = true;
        self.next += 1;
        if claim.by == By::Hand {
            self.remember(Undo::Remove(id));
        }
        self.all.insert(id, claim);
        Ok(id)
    }

    /// A person takes back what they claimed of an item: everything they wrote before, also what is still on its way.
    /// Without a code, of every item of which a claim of theirs has come. How many items that touches.
    pub fn cancel_by(
        &mut self,
        message: &Message,
        code: Option<&ItemCode>,
        now: Timestamp,
    ) -> Result<usize, Refusal> {
        if !message.may_act() {
            return Err(Refusal::MayNotAct);
        }
        self.advance(now);
        let Some(person) = Person::of(message) else { return Err(Refusal::NoClaim) };
        let theirs: Vec<ItemCode> = if let Some(code) = code {
            vec![code.clone()]
        } else {
            let of_theirs = |item: &Item| item.steps.contains_key(&person);
            let items = self.items.iter().filter(|(_, item)| of_theirs(item));
            items.map(|(code, _)| code.clone()).collect()
        };
        let at = if message.at > later(now, AHEAD) { now } else { message.at };
        let key = self.key(at, Some(&(message.source.clone(), message.id.clone())));
        let mut touched = 0;
        for code in theirs {
            let Some(item) = self.items.get_mut(&code) else { continue };
            if item.log.len() < self.config.most_steps && item.hears(&person) {
                item.log.insert(key.clone(), Act::CancelBy(person.clone()));
                item.dirty = true;
                touched += 1;
            }
        }
        Ok(touched)
    }

    /// The host cancels a claim.
    pub fn cancel(&mut self, id: ClaimId, now: Timestamp) -> Result<(), Refusal> {
        self.settle(now);
        let claim = self.all.get(&id).ok_or(Refusal::NoClaim)?;
        if matches!(claim.state, State::Cancelled(_) | State::Done) {
            return Err(Refusal::Closed);
        }
        self.act(&claim.item.clone(), Act::Cancel(id), now)?;
        self.remember(Undo::Restore(id));
        Ok(())
    }

    /// The host marks a claim as done.
    pub fn done(&mut self, id: ClaimId, now: Timestamp) -> Result<(), Refusal> {
        self.settle(now);
        let claim = self.all.get(&id).ok_or(Refusal::NoClaim)?;
        match claim.state {
            State::Confirmed => {}
            State::Cancelled(_) | State::Done => return Err(Refusal::Closed),
            State::New | State::Waiting => return Err(Refusal::NotConfirmed),
        }
        self.act(&claim.item.clone(), Act::Done(id), now)?;
        self.remember(Undo::NotDone(id));
        Ok(())
    }

    /// The host sets an item's stock: all that there is, granted ones included. Never below what is granted.
    pub fn set_stock(
        &mut self,
        code: &ItemCode,
        stock: Option<u32>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.settle(now);
        let granted = self.totals(code).ok_or(Refusal::NotOpen)?.granted;
        if stock.is_some_and(|stock| u64::from(stock) < granted) {
            return Err(Refusal::BelowGranted(granted));
        }
        let Some(before) = self.items.get(code).map(|item| item.stock) else {
            return Err(Refusal::NotOpen);
        };
        self.act(code, Act::Stock(stock), now)?;
        self.remember(Undo::Stock(code.clone(), before));
        Ok(())
    }

    /// Undoes the host's last step. A claim that comes back stands where it stood, but has what was granted to others
    /// meanwhile no more.
    pub fn undo(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.settle(now);
        let step = self.undo.pop_back().ok_or(Refusal::NothingToUndo)?;
        let item = |claims: &Self, id| claims.all.get(&id).map(|claim| claim.item.clone());
        match step {
            Undo::Restore(id) => {
                let code = item(self, id).ok_or(Refusal::NoClaim)?;
                self.act(&code, Act::Restore(id), now)
            }
            Undo::NotDone(id) => {
                let code = item(self, id).ok_or(Refusal::NoClaim)?;
                self.act(&code, Act::NotDone(id), now)
            }
            Undo::Remove(id) => {
                let code = item(self, id).ok_or(Refusal::NoClaim)?;
                self.act(&code, Act::Cancel(id), now)
            }
            Undo::Stock(code, stock) => {
                let granted = self.totals(&code).ok_or(Refusal::NotOpen)?.granted;
                if stock.is_some_and(|stock| u64::from(stock) < granted) {
                    self.undo.push_back(Undo::Stock(code, stock));
                    return Err(Refusal::BelowGranted(granted));
                }
                self.act(&code, Act::Stock(stock), now)
            }
        }
    }

    fn act(&mut self, code: &ItemCode, act: Act, now: Timestamp) -> Result<(), Refusal> {
        // The host's steps are few; the bound for claims leaves room for them.
        let most = self.config.most_steps.saturating_mul(2);
        let key = self.key(now, None);
        self.next += 1;
        let item = self.items.get_mut(code).ok_or(Refusal::NotOpen)?;
        if item.log.len() >= most {
            return Err(Refusal::Full);
        }
        if let Act::Stock(stock) = act {
            item.stock = stock;
        }
        item.log.insert(key, act);
        item.dirty = true;
        Ok(())
    }

    fn remember(&mut self, step: Undo) {
        self.undo.push_back(step);
        if self.undo.len() > MOST_UNDO {
            self.undo.pop_front();
        }
    }

    /// Where a step of this time goes.
    fn key(&self, at: Timestamp, message: Option<&(SourceId, MessageId)>) -> Key {
        let late = at < self.horizon;
        Key {
            place: at.max(self.horizon),
            late,
            at,
            message: message.cloned(),
            // Without a message, by the order of entry.
            nth: if message.is_none() { self.next } else { 0 },
        }
    }

    fn advance(&mut self, now: Timestamp) {
        let settle = Duration::from_millis(self.config.settle_ms.into());
        self.horizon = self.horizon.max(earlier(now, settle));
    }

    fn settle(&mut self, now: Timestamp) {
        drop(self.turn(now));
    }

    /// Settles what is old enough, grants, and says what changed since the last turn.
    pub fn turn(&mut self, now: Timestamp) -> Vec<Change> {
        self.advance(now);
        let mut changes = Vec::new();
        for item in self.items.values_mut().filter(|item| item.dirty) {
            let (results, any_new) = item.reading.read(&item.log, &self.all, self.horizon);
            // What is new will settle by the passing of time.
            item.dirty = any_new;
            for (id, state, granted) in results {
                let Some(claim) = self.all.get_mut(&id) else { continue };
                if (claim.state, claim.granted) != (state, granted) {
                    (claim.state, claim.granted) = (state, granted);
                    changes.push(Change { id, state, granted });
                }
            }
        }
        changes
    }

    /// Whether a further turn may change something although nothing comes.
    pub fn is_unsettled(&self) -> bool {
        self.items.values().any(|item| item.dirty)
    }

    /// A claim as of the last turn.
    pub fn get(&self, id: ClaimId) -> Option<&Claim> {
        self.all.get(&id)
    }

    /// Items in the order of their codes, with their stock.
    pub fn items(&self) -> impl Iterator<Item = (&ItemCode, Option<u32>)> {
        self.items.iter().map(|(code, item)| (code, item.stock))
    }

    /// An item's claims in order, as of the last turn.
    pub fn of(&self, code: &ItemCode) -> impl Iterator<Item = &Claim> {
        self.items.get(code).into_iter().flat_map(|item| item.log.values()).filter_map(|act| {
            match act {
                Act::Claim(id) => self.all.get(id),
                _ => None,
            }
        })
    }

    /// Sums over an item, as of the last turn.
    pub fn totals(&self, code: &ItemCode) -> Option<Totals> {
        let stock = self.items.get(code)?.stock;
        let mut totals = Totals { stock, ..Totals::default() };
        for claim in self.of(code) {
            totals.granted += u64::from(claim.granted);
            match claim.state {
                State::Done => totals.done += u64::from(claim.granted),
                State::Cancelled(_) => {}
                _ => totals.waiting += u64::from(claim.quantity.saturating_sub(claim.granted)),
            }
        }
        Some(totals)
    }

    /// All claims as rows of a table, by item and in order, as of the last turn.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.items.keys().flat_map(|code| {
            self.of(code).enumerate().map(|(n, claim)| Row { position: n + 1, claim })
        })
    }
}
