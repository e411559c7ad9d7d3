//! What is done with the merged chat besides reading it: rules and moderation, claims, a poll, outgoing lines, and what
//! viewers are shown after the hold. One value per show, fed with updates, requests, answers and time; it hands out
//! orders to the sources, steps for the faces and news for the journal.

mod acts;
mod choices;
mod lines;
mod model;
mod request;
mod seen;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

pub use model::{
    Act, ActId, By, ClaimNews, ControlSpec, ControlState, ItemSpec, ItemState, News, Outcome,
    PollState, Refusal, Refused, SentLine, What,
};
pub use request::{Needs, Request};

use super::{
    EntryId, Message, MessageId, PlatformAction, Room, Text, Update,
    capability::{Can, Capabilities},
    claims::{self, Claims, ItemCode},
    finders::{Finds, Items},
    hold::{Hold, Outgoing},
    normalise::{Folding, Normal},
    poll::Poll,
    room::{Applied, RoomConfig},
    rules::Rules,
    send::{Answer, Limits, LineId, Outbox, Outboxes, Own, Status},
    spec::ChatSpec,
};
use crate::base::{Moment, Now, SourceId};

/// Acts of moderation that are remembered.
const MOST_ACTS: usize = 500;
/// Lines of one author that an act hides.
const MOST_HIDDEN: usize = 200;
/// Orders without an answer.
const MOST_PENDING: usize = 1_000;
/// Longest time-out, in seconds: Twitch's (Helix, `moderation/bans`).
const MOST_TIME_OUT_S: u32 = 1_209_600;
/// So many of each list are shown to the faces.
const SHOWN: usize = 50;
/// Claims of one item that are shown to the faces.
const SHOWN_CLAIMS: usize = 100;
/// How often claims are looked at while some of them may still be overtaken.
const SETTLE_STEP: Duration = Duration::from_millis(250);
/// Longest reason, in characters.
const MOST_REASON: usize = 200;

/// An order to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderTo {
    /// The source.
    pub chat: SourceId,
    /// Its number; the answer names it.
    pub number: u64,
    /// What is to be done.
    pub action: PlatformAction,
}

/// What comes out of a turn.
#[derive(Debug, Default)]
pub struct Out {
    /// Orders to the sources.
    pub orders: Vec<OrderTo>,
    /// Changes of lines that were made here, for the faces.
    pub updates: Vec<(SourceId, Update)>,
    /// What happened, for the journal.
    pub news: Vec<News>,
    /// What viewers are shown, or are not shown any more.
    pub outgoing: Vec<Outgoing>,
}

/// What an update became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is a step for the faces.
    New,
    /// It was known, or is an own line that another source showed already: nobody is told.
    Known,
}

/// Whose answer an order waits for.
#[derive(Debug, Clone)]
enum Pending {
    Line(SourceId, LineId),
    Act(ActId),
}

struct Source {
    can: Capabilities,
    hold: Duration,
}

struct Kept {
    act: Act,
    /// Lines that it hid.
    lines: Vec<EntryId>,
}

/// The control of a show's chat.
pub struct Control {
    sources: BTreeMap<SourceId, Source>,
    room: Room,
    rules: Option<Rules>,
    claims: Claims,
    names: BTreeMap<ItemCode, Vec<String>>,
    open: BTreeMap<ItemCode, bool>,
    featured: Option<ItemCode>,
    poll: Option<Poll>,
    poll_open: bool,
    outboxes: Outboxes,
    replies: HashMap<(SourceId, LineId), MessageId>,
    asked_at: HashMap<(SourceId, LineId), Timestamp>,
    hold: Hold,
    acts: VecDeque<Kept>,
    pending: BTreeMap<u64, Pending>,
    next_order: u64,
    next_act: u64,
    requests: u64,
    refused: Option<Refused>,
    out: Out,
    changed: bool,
    items_changed: bool,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}

/// The form in which lines are compared with the words of rules and the keywords of polls. Letters that are spelt one by
/// one stay apart: the rules join them where they look for a word.
fn folded(text: &str) -> String {
    Normal::new(text, Folding { spacing: false, ..Folding::RULES }).squeezed()
}

impl Control {
    /// The control of a show with these sources.
    ///
    /// # Errors
    /// The rules are not as rules must be.
    pub fn new(
        specs: &[ChatSpec],
        spec: ControlSpec,
        now: Timestamp,
    ) -> Result<Self, super::rules::Invalid> {
        let rules = spec.rules.map(|rules| Rules::new(rules, &folded)).transpose()?;
        let mut outboxes = Outboxes::default();
        let mut sources = BTreeMap::new();
        for chat in specs {
            let route = chat.service.route();
            let can = route.capabilities();
            if can.write != Can::No {
                let limits = Limits::of(route, chat.service.longest_channel());
                outboxes.put(chat.id.clone(), Outbox::new(limits));
            }
            sources.insert(chat.id.clone(), Source { can, hold: chat.hold });
        }
        let mut control = Self {
            sources,
            room: Room::new(RoomConfig::default()),
            rules,
            claims: Claims::new(spec.claims),
            names: BTreeMap::new(),
            open: BTreeMap::new(),
            featured: None,
            poll: None,
            poll_open: false,
            outboxes,
            replies: HashMap::new(),
            asked_at: HashMap::new(),
            hold: Hold::default(),
            acts: VecDeque::new(),
            pending: BTreeMap::new(),
            next_order: 1,
            next_act: 1,
            requests: 0,
            refused: None,
            out: Out::default(),
            changed: false,
            items_changed: false,
        };
        for item in spec.items {
            if control.claims.open(&item.code, item.stock, now).is_ok() {
                control.open.insert(item.code.clone(), true);
                control.names.insert(item.code, item.names);
            }
        }
        control.items_changed = !control.open.is_empty();
        control.changed = control.items_changed;
        Ok(control)
    }

    /// The same without rules and items.
    pub fn without_rules(specs: &[ChatSpec], now: Timestamp) -> Self {
        Self::new(specs, ControlSpec::default(), now)
            .unwrap_or_else(|_| unreachable!("there are no rules that could be wrong"))
    }

    /// The merged chat.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// The items for the finder, if they have changed since this was asked last.
    pub fn new_items(&mut self) -> Option<Items> {
        if !std::mem::take(&mut self.items_changed) {
            return None;
        }
        let open = self.open.iter().filter(|(_, open)| **open).map(|(item, _)| item);
        let pairs = open.flat_map(|item| {
            let names = self.names.get(item).into_iter().flatten();
            let names = names.map(String::as_str).chain([item.as_str()]);
            names.map(move |name| (name, item.as_str()))
        });
        Some(Items::new(pairs))
    }

    /// Takes what a source reports. `update` is made ours where the platform does not say so.
    pub fn update(
        &mut self,
        chat: &SourceId,
        update: &mut Update,
        finds: &Finds,
        now: Now,
    ) -> Taken {
        if let Update::Message(message) = update
            && self.is_own_again(message, now.mono)
        {
            return Taken::Known;
        }
        let applied = self.room.apply(chat, update.clone(), now);
        match applied {
            Applied::Duplicate(_) | Applied::TooOld => return Taken::Known,
            Applied::Entered(id) | Applied::Original(id) => {
                if let Some(message) = self.room.get(id).and_then(|entry| entry.message()).cloned()
                {
                    self.message(id, &message, finds, now);
                }
            }
            Applied::Deleted(_) => self.changed = true,
        }
        Taken::New
    }

    /// Whether it is a line of ours that has been shown already.
    fn is_own_again(&mut self, message: &mut Message, now: Moment) -> bool {
        if !message.own {
            let sent = self.outboxes.get(&message.source).is_some_and(|outbox| {
                outbox.lines().any(|(_, line)| line.id.as_ref() == Some(&message.id))
            });
            if !sent {
                return false;
            }
            message.own = true;
        }
        self.changed = true;
        matches!(self.outboxes.own(message, now), Own::Again(_))
    }

    fn message(&mut self, id: EntryId, message: &Arc<Message>, finds: &Finds, now: Now) {
        let normal = folded(message.text.as_str());
        self.judge(id, message, &normal, now);
        if let Some(poll) = self.poll.as_mut().filter(|_| self.poll_open) {
            self.changed |= matches!(poll.take(message, &normal), super::poll::Voted::For(_));
        }
        if !message.may_act() {
            return;
        }
        for order in finds.order.iter().chain(&finds.more_orders) {
            let item = match &order.code {
                Some(code) => ItemCode::new(code).ok(),
                None => self.featured.clone(),
            };
            let Some(item) = item else { continue };
            let by = claims::By::Finder;
            // What is not open, or was claimed by this message before, is no claim.
            self.changed |= self.claims.claim(message, &item, order.quantity, by, now.wall).is_ok();
        }
    }

    fn order(&mut self, chat: SourceId, action: PlatformAction, pending: Pending) {
        let number = self.next_order;
        self.next_order += 1;
        self.pending.insert(number, pending);
        if self.pending.len() > MOST_PENDING {
            self.pending.pop_first();
        }
        self.out.orders.push(OrderTo { chat, number, action });
    }

    /// What became of an order.
    pub fn answered(&mut self, number: u64, answer: Answer, now: Now) {
        let Some(pending) = self.pending.remove(&number) else { return };
        self.changed = true;
        match pending {
            Pending::Line(chat, line) => {
                if let Some(outbox) = self.outboxes.get_mut(&chat) {
                    outbox.answered(line, answer, now.mono);
                }
                self.line_news(chat, line);
            }
            Pending::Act(id) => {
                let Some(kept) = self.acts.iter_mut().find(|kept| kept.act.id == id) else {
                    return;
                };
                kept.act.outcome = match answer {
                    Answer::Taken(_) => Outcome::Done,
                    Answer::Dropped { code, text } => {
                        Outcome::Failed { why: if text.is_empty() { code } else { text } }
                    }
                    Answer::Later(_) => Outcome::Failed { why: Text::new("not connected") },
                    Answer::Failed(failure) => Outcome::Failed { why: failure.words() },
                };
                let act = kept.act.clone();
                self.moderated(&act);
            }
        }
    }

    fn line_news(&mut self, chat: SourceId, line: LineId) {
        let status = self.outboxes.get(&chat).and_then(|outbox| outbox.line(line));
        let Some(status) = status.map(|line| line.status.clone()) else { return };
        if status != Status::Queued {
            self.out.news.push(News::Sent { chat, line, status });
        }
    }

    /// Carries out a request. A refusal is told to the faces, too.
    pub fn request(&mut self, request: &Request, now: Now) -> Result<(), Refusal> {
        self.requests += 1;
        self.changed = true;
        let done = self.carry_out(request, now);
        if let Err(why) = &done {
            let refused = Refused {
                number: self.requests,
                request: request.name().to_owned(),
                why: why.to_string(),
            };
            self.refused = Some(refused.clone());
            self.out.news.push(News::Refused(refused));
        }
        done
    }

    fn carry_out(&mut self, request: &Request, now: Now) -> Result<(), Refusal> {
        if let Some((chat, needs)) = request.needs() {
            let source = self.sources.get(chat).ok_or_else(|| Refusal::NoSource(chat.clone()))?;
            if !needs.are_met_by(&source.can) {
                return Err(Refusal::Cannot { chat: chat.clone(), what: needs.lacking() });
            }
        }
        match request {
            Request::ChatSay { chat, text } => self.say(chat.as_ref(), text, now),
            Request::ChatReply { chat, message, text } => self.reply(chat, message, text, now),
            Request::ChatDelete { chat, message } => {
                self.by_hand(chat, message, What::Delete, None, now)
            }
            Request::ChatHide { chat, message } => {
                self.by_hand(chat, message, What::Hide, None, now)
            }
            Request::ChatShow { chat, message } => {
                self.by_hand(chat, message, What::Show, None, now)
            }
            Request::ChatTimeOut { chat, message, seconds, reason } => {
                if !(1..=MOST_TIME_OUT_S).contains(seconds) {
                    return Err(Refusal::Seconds(MOST_TIME_OUT_S));
                }
                self.by_hand(chat, message, What::TimeOut(*seconds), reason.as_deref(), now)
            }
            Request::ChatBan { chat, message, reason } => {
                self.by_hand(chat, message, What::Ban, reason.as_deref(), now)
            }
            Request::ChatUndo { act } => self.undo(act.map(ActId), now),
            Request::OpenItem { item, stock } => {
                self.claims.open(item, *stock, now.wall)?;
                self.open.insert(item.clone(), true);
                self.items_changed = true;
                Ok(())
            }
            Request::CloseItem { item } => {
                self.claims.close(item, now.wall)?;
                self.open.insert(item.clone(), false);
                self.items_changed = true;
                Ok(())
            }
            Request::SetStock { item, stock } => {
                Ok(self.claims.set_stock(item, *stock, now.wall)?)
            }
            Request::FeatureItem { item } => {
                if let Some(item) = item
                    && !self.open.contains_key(item)
                {
                    return Err(claims::Refusal::NotOpen.into());
                }
                self.featured.clone_from(item);
                Ok(())
            }
            Request::Claim { chat, message, item, quantity } => {
                let message = self.found(chat, message)?;
                let by = claims::By::Hand;
                self.claims.claim(&message, item, *quantity, by, now.wall)?;
                Ok(())
            }
            Request::EnterClaim { item, quantity, name } => {
                let name = Text::name(name.as_str());
                self.claims.enter(name, item, *quantity, now.wall)?;
                Ok(())
            }
            Request::CancelClaim { claim } => Ok(self.claims.cancel(*claim, now.wall)?),
            Request::ClaimDone { claim } => Ok(self.claims.done(*claim, now.wall)?),
            Request::UndoClaim => Ok(self.claims.undo(now.wall)?),
            Request::OpenPoll { choices } => {
                let config = choices::read(choices);
                let poll = Poll::open(config, &folded, now.wall)?;
                self.close_poll(now.wall);
                let labels = poll.config().choices.iter().map(|c| c.label.clone()).collect();
                self.poll = Some(poll);
                self.poll_open = true;
                self.out.news.push(News::PollOpened(labels));
                Ok(())
            }
            Request::ClosePoll => {
                if !self.poll_open {
                    return Err(Refusal::NoPoll);
                }
                self.close_poll(now.wall);
                Ok(())
            }
        }
    }

    fn close_poll(&mut self, at: Timestamp) {
        if std::mem::take(&mut self.poll_open)
            && let Some(poll) = &mut self.poll
        {
            poll.close(at);
            self.out.news.extend(self.poll_state().map(News::PollClosed));
        }
    }

    fn poll_state(&self) -> Option<PollState> {
        let poll = self.poll.as_ref()?;
        let labels = poll.config().choices.iter().map(|choice| choice.label.clone()).collect();
        Some(PollState { labels, tally: poll.tally(), open: self.poll_open })
    }

    fn found(&self, chat: &SourceId, message: &MessageId) -> Result<Arc<Message>, Refusal> {
        let entry = self.room.find(chat, message);
        entry.and_then(|entry| entry.message()).cloned().ok_or(Refusal::NoMessage(self.room.len()))
    }

    /// Brings what depends on time up to date.
    pub fn turn(&mut self, now: Now) -> Out {
        for (chat, line, text) in self.outboxes.take(now.mono) {
            let reply_to = self.replies.remove(&(chat.clone(), line));
            self.changed = true;
            let action = PlatformAction::Say { text, channel: None, reply_to };
            self.order(chat.clone(), action, Pending::Line(chat, line));
        }
        let changes = self.claims.turn(now.wall);
        if !changes.is_empty() {
            self.changed = true;
            let news = changes.into_iter().filter_map(|change| {
                let claim = self.claims.get(change.id)?;
                Some(ClaimNews {
                    claim: change.id,
                    item: claim.item.clone(),
                    quantity: claim.quantity,
                    granted: change.granted,
                    state: change.state,
                })
            });
            self.out.news.push(News::Claims(news.collect()));
        }
        let sources = &self.sources;
        let delay = |chat: &SourceId| sources.get(chat).map_or(Duration::ZERO, |s| s.hold);
        self.out.outgoing = self.hold.turn(&self.room, now.mono, &delay);
        self.forget_lines();
        std::mem::take(&mut self.out)
    }

    /// When a turn is due although nothing comes.
    pub fn next_wake(&self, now: Now) -> Option<Moment> {
        let settles = self.claims.is_unsettled().then(|| now.mono + SETTLE_STEP);
        [self.outboxes.next(), self.hold.next(), settles].into_iter().flatten().min()
    }

    /// Whether what faces see has changed.
    pub fn has_new_state(&self) -> bool {
        self.changed
    }

    /// What faces see, if it has changed since this was asked last.
    pub fn new_state(&mut self) -> Option<ControlState> {
        std::mem::take(&mut self.changed).then(|| self.state())
    }

    /// The claims, for their export.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}
