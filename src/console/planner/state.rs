//! What the pane knows at one moment: the desk, the cursor, a proposal, a question. Nothing here reads a clock,
//! waits or draws.

use jiff::{SignedDuration, Timestamp};

use super::{Opened, heat, keys::Step};
use crate::{
    market::{Fold, Gap},
    planner::schedule::{
        Effort, Plan, STEP_MIN, Task,
        desk::{Change, Desk, Edit, Show, Verdict, judge},
    },
};

/// What the last key did.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::console) struct Said {
    pub text: String,
    /// It could not be, or it broke a rule.
    pub warning: bool,
}

/// A host that could have a show.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::console) struct HostRow {
    pub host: usize,
    /// What the plan would win or lose; `None` where it cannot be.
    pub worth: Option<f64>,
    /// What is in the way.
    pub why: String,
}

/// A market that a show could have.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::console) struct MarketRow {
    pub market: usize,
    /// What the plan would win with it, or lose without it.
    pub worth: f64,
    /// What is in the way.
    pub why: String,
}

/// What lies over the pane.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::console) enum Dialog {
    Help {
        from: usize,
    },
    /// Rules that are broken, clocks, sale days, what was not read.
    Notes {
        from: usize,
    },
    Hosts {
        at: usize,
        rows: Vec<HostRow>,
    },
    Markets {
        at: usize,
        rows: Vec<MarketRow>,
        chosen: Vec<usize>,
    },
    /// Something was not saved.
    Leaving,
}

/// What the loop has to do.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::console) enum Todo {
    /// Read what the pane shows.
    Open,
    /// Make a proposal.
    Propose(Box<Asked>),
    /// Keep this.
    Keep { plan: Box<Plan>, shows: Vec<Show> },
    /// Leave the pane.
    Leave,
}

/// A proposal that was asked for.
#[derive(Debug, Clone)]
pub(in crate::console) struct Asked {
    pub task: Task,
    /// The one that is waited for has the greatest number.
    pub number: u64,
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

/// What came of it.
#[derive(Debug)]
pub(in crate::console) enum News {
    Opened(Result<Box<Opened>, String>),
    Proposed {
        number: u64,
        plan: Plan,
    },
    Kept {
        shows: Vec<Show>,
        kept: Result<String, String>,
    },
    /// A thread broke.
    Failed(String),
}

/// A proposal, to be looked at.
#[derive(Debug, Clone)]
pub(in crate::console) struct Proposal {
    pub shows: Vec<Show>,
    pub verdict: Verdict,
    pub bound: f64,
}

/// What is waited for.
#[derive(Debug, Clone)]
pub(in crate::console) struct Computing {
    number: u64,
    pub since: Timestamp,
    locked: Vec<Show>,
}

/// The pane.
#[derive(Debug)]
pub(in crate::console) struct Planner {
    pub desk: Option<Desk>,
    pub title: String,
    pub origin: String,
    /// Why there is no desk.
    pub failed: Option<String>,
    pub notes: Vec<String>,
    /// Whether edits that had been put aside were taken up: they are this planner's to drop.
    pub took_up: bool,
    /// By market, and before them of all together: how hot each half hour is, 0-4.
    pub heat: Vec<Vec<u8>>,
    /// Expectations rest on own shows nowhere, or in some markets only.
    pub guessed: (bool, bool),
    /// The half hour of the cursor.
    pub cursor: usize,
    /// The show that is meant where several are: its start and host.
    held: Option<(Timestamp, usize)>,
    /// The market whose heat is shown; all together without one.
    pub focus: Option<usize>,
    pub dialog: Option<Dialog>,
    pub proposal: Option<Proposal>,
    /// The proposal is looked at, where there is room for one only.
    pub aside: bool,
    pub computing: Option<Computing>,
    asked: u64,
    pub saving: bool,
    reading: bool,
    leave_when_saved: bool,
    pub said: Option<Said>,
    /// Now; only the loop sets it.
    pub now: Timestamp,
    /// The length of the next show.
    minutes: u32,
    /// It is a pane of a running show, and stays as it is when it is left.
    pub in_show: bool,
}

impl Planner {
    /// With nothing in it yet.
    pub(in crate::console) fn new(now: Timestamp, in_show: bool) -> Self {
        Self {
            desk: None,
            title: String::new(),
            origin: String::new(),
            failed: None,
            notes: Vec::new(),
            took_up: false,
            heat: Vec::new(),
            guessed: (false, false),
            cursor: 0,
            held: None,
            focus: None,
            dialog: None,
            proposal: None,
            aside: false,
            computing: None,
            asked: 0,
            saving: false,
            reading: false,
            leave_when_saved: false,
            said: None,
            now,
            minutes: 60,
            in_show,
        }
    }

    /// Whether something would be lost.
    pub(in crate::console) fn unsaved(&self) -> bool {
        self.desk.as_ref().is_some_and(Desk::unsaved)
    }

    /// What it needs when it is opened: to read, unless that was done.
    pub(in crate::console) fn wanted(&mut self) -> Option<Todo> {
        if self.desk.is_some() || self.reading {
            return None;
        }
        // What was wrong with the plan file may be mended by now.
        self.failed = None;
        self.reading = true;
        Some(Todo::Open)
    }

    /// What would be lost, as a plan.
    pub(in crate::console) fn draft(&self) -> Option<Plan> {
        self.desk.as_ref().filter(|d| d.unsaved()).map(|d| d.plan(Effort::Full))
    }

    fn say(&mut self, text: impl Into<String>, warning: bool) {
        self.said = Some(Said { text: text.into(), warning });
    }

    /// Something came.
    pub(in crate::console) fn on(&mut self, news: News) -> Option<Todo> {
        match news {
            News::Opened(opened) => {
                self.reading = false;
                match opened {
                    Ok(opened) => self.open(*opened),
                    Err(why) => self.failed = Some(why),
                }
            }
            News::Failed(why) => {
                if std::mem::take(&mut self.reading) {
                    self.failed = Some(why.clone());
                }
                self.computing = None;
                self.saving = false;
                self.leave_when_saved = false;
                self.say(why, true);
            }
            News::Proposed { number, plan } => self.proposed(number, &plan),
            News::Kept { shows, kept } => {
                self.saving = false;
                let leave = std::mem::take(&mut self.leave_when_saved);
                match kept {
                    Err(why) => self.say(format!("not saved: {why}"), true),
                    Ok(place) => {
                        if let Some(desk) = &mut self.desk {
                            desk.saved(shows);
                        }
                        self.say(format!("saved in {place}"), false);
                        if leave && !self.unsaved() {
                            return Some(Todo::Leave);
                        }
                    }
                }
            }
        }
        None
    }

    fn open(&mut self, opened: Opened) {
        let Opened { title, origin, task, plan, draft, notes } = opened;
        let (mut desk, gone) = Desk::new(task, plan.as_ref());
        self.took_up = draft.is_some();
        if let Some(draft) = draft {
            let shows = desk.shows_of(&draft);
            if shows != desk.shows() {
                desk.accept(shows, draft.bound);
                self.say(
                    "edits that were not saved are taken up: S saves them, u drops them",
                    true,
                );
            }
        }
        self.notes = notes;
        self.notes.extend(gone);
        (self.title, self.origin) = (title, origin);
        self.heat = heat::levels(desk.ground());
        let markets = 0..desk.ground().task.demands.len();
        let from = desk.ground().task.from;
        let weeks = desk.ground().task.weeks;
        let guess = |m: &usize| desk.ground().guessed(*m, from, weeks * 7 * 24 * 60);
        let guesses = markets.clone().filter(guess).count();
        self.guessed = (guesses == markets.len(), guesses > 0);
        self.minutes = desk.ground().task.rules.lengths.first().copied().unwrap_or(60);
        // Now, when the plan has it; else the first show; else the first evening.
        let ground = desk.ground();
        let first = desk.shows().first().and_then(|s| ground.step(s.start));
        let next = desk.shows().iter().find(|s| s.end() > self.now);
        self.cursor = next
            .and_then(|s| ground.step(s.start))
            .or_else(|| ground.step(self.now))
            .or(first)
            .unwrap_or_else(|| 40.min(ground.steps().saturating_sub(1)));
        self.desk = Some(desk);
    }

    fn proposed(&mut self, number: u64, plan: &Plan) {
        let Some(asked) = self.computing.take_if(|c| c.number == number) else { return };
        let Some(desk) = &self.desk else { return };
        let locked: Vec<Show> = desk.shows().iter().filter(|s| s.locked).cloned().collect();
        if locked != asked.locked {
            self.say(
                "the locked shows have changed since the proposal was asked for: f asks again",
                true,
            );
            return;
        }
        let shows = desk.shows_of(plan);
        if shows == desk.shows() {
            self.say("the proposal is what is there already: nothing better was found", false);
            return;
        }
        let verdict = judge(desk.ground(), &shows);
        self.proposal = Some(Proposal { shows, verdict, bound: plan.bound });
        self.aside = true;
        self.said = None;
    }

    /// Takes time; says whether what is drawn has changed.
    pub(in crate::console) fn tick(&mut self, now: Timestamp) -> bool {
        let changed = now.as_second() != self.now.as_second();
        self.now = now;
        changed
    }

    /// The shows under the cursor.
    pub(super) fn here(&self) -> Vec<usize> {
        let Some(desk) = &self.desk else { return Vec::new() };
        let at = desk.ground().at(self.cursor);
        let next = at.checked_add(SignedDuration::from_mins(i64::from(STEP_MIN))).unwrap_or(at);
        let touches = |s: &Show| s.start < next && at < s.end();
        (0..desk.shows().len()).filter(|i| touches(&desk.shows()[*i])).collect()
    }

    /// The show that is meant.
    pub(super) fn selected(&self) -> Option<usize> {
        let here = self.here();
        let shows = self.desk.as_ref()?.shows();
        let held = here.iter().find(|i| Some((shows[**i].start, shows[**i].host)) == self.held);
        held.or(here.first()).copied()
    }

    /// Puts the cursor on a show.
    fn hold(&mut self, index: usize) {
        let Some(desk) = &self.desk else { return };
        let Some(show) = desk.shows().get(index) else { return };
        self.held = Some((show.start, show.host));
        self.cursor = desk.ground().step(show.start).unwrap_or(self.cursor);
    }

    /// The next show that begins, or the one that is on: its index, and whether it is on.
    pub(super) fn next(&self) -> Option<(usize, bool)> {
        let shows = self.desk.as_ref()?.shows();
        let index = shows.iter().position(|s| s.end() > self.now)?;
        Some((index, shows[index].start <= self.now))
    }

    /// Carries a step out.
    pub(in crate::console) fn act(&mut self, step: Step) -> Option<Todo> {
        if let Step::Leave = step {
            if self.in_show || !self.unsaved() {
                return Some(Todo::Leave);
            }
            self.dialog = Some(Dialog::Leaving);
            return None;
        }
        if self.dialog.is_some() {
            return self.in_dialog(step);
        }
        if let Step::Help = step {
            self.dialog = Some(Dialog::Help { from: 0 });
            return None;
        }
        self.desk.as_ref()?;
        match step {
            Step::Up => self.to(self.cursor.checked_sub(1)),
            Step::Down => self.to(Some(self.cursor + 1)),
            Step::PageUp => self.to(Some(self.cursor.saturating_sub(6))),
            Step::PageDown => self.to(Some(self.cursor + 6)),
            Step::Left => self.day(-1),
            Step::Right => self.day(1),
            Step::WeekBack => self.day(-7),
            Step::WeekOn => self.day(7),
            Step::NextShow => self.walk(true),
            Step::LastShow => self.walk(false),
            Step::Now => {
                if let Some((index, _)) = self.next() {
                    self.hold(index);
                } else {
                    self.say("no show of this plan lies ahead", false);
                }
            }
            Step::Market(on) => self.look_at(on),
            Step::Notes => self.dialog = Some(Dialog::Notes { from: 0 }),
            Step::Save => return self.save(),
            Step::Propose => return self.propose(),
            Step::Swap => self.aside = self.proposal.is_some() && !self.aside,
            Step::Take | Step::Drop if self.proposal.is_some() => self.decide(step == Step::Take),
            Step::Drop => {
                if self.computing.take().is_some() {
                    self.say("the proposal is not waited for any more", false);
                }
            }
            Step::Take | Step::Leave | Step::Help | Step::Space => {}
            _ if self.proposal.is_some() => {
                self.say("a proposal lies there: y takes it, n drops it; then edit on", true);
            }
            Step::Hosts => self.hosts(),
            Step::Markets => self.markets(),
            Step::Undo | Step::Redo => self.back(step == Step::Redo),
            Step::Add => {
                let at = self.desk.as_ref()?.ground().at(self.cursor);
                self.edit(&Edit::Add { at, minutes: self.minutes });
            }
            Step::Earlier => self.change(|show| Edit::Later { show, by: -1 }),
            Step::Later => self.change(|show| Edit::Later { show, by: 1 }),
            Step::DayBack => self.change(|show| Edit::Days { show, by: -1 }),
            Step::DayOn => self.change(|show| Edit::Days { show, by: 1 }),
            Step::Longer => self.change(Edit::Longer),
            Step::Shorter => self.change(Edit::Shorter),
            Step::Lock => self.change(Edit::Lock),
            Step::Remove => self.change(Edit::Remove),
        }
        None
    }

    fn to(&mut self, step: Option<usize>) {
        let steps = self.desk.as_ref().map_or(0, |d| d.ground().steps());
        if let Some(step) = step {
            self.cursor = step.min(steps.saturating_sub(1));
            self.held = None;
        }
    }

    /// Days on, at the same time of the clock at home.
    fn day(&mut self, by: i64) {
        let Some(desk) = &self.desk else { return };
        let ground = desk.ground();
        let home = &ground.task.home;
        let clock = home.clock(ground.at(self.cursor));
        let there = clock
            .checked_add(SignedDuration::from_hours(24 * by))
            .ok()
            .and_then(|clock| home.local(clock).pick(Gap::Onward, Fold::First));
        let last = ground.steps().saturating_sub(1);
        let step = there.and_then(|at| ground.step(at));
        self.to(Some(step.unwrap_or(match by {
            -1 | 1 => self.cursor,
            b if b < 0 => 0,
            _ => last,
        })));
    }

    fn walk(&mut self, on: bool) {
        let Some(desk) = &self.desk else { return };
        let shows = desk.shows();
        if shows.is_empty() {
            return self.say("there is no show yet: a adds one, f asks for a proposal", false);
        }
        let at = desk.ground().at(self.cursor);
        let index = match (self.selected(), on) {
            (Some(index), true) => (index + 1) % shows.len(),
            (Some(index), false) => (index + shows.len() - 1) % shows.len(),
            (None, true) => shows.iter().position(|s| s.start >= at).unwrap_or(0),
            (None, false) => shows.iter().rposition(|s| s.start < at).unwrap_or(shows.len() - 1),
        };
        self.hold(index);
    }

    fn look_at(&mut self, on: bool) {
        let count = self.desk.as_ref().map_or(0, |d| d.ground().task.demands.len());
        let all = count + 1;
        let now = self.focus.map_or(0, |m| m + 1);
        let next = if on { (now + 1) % all } else { (now + all - 1) % all };
        self.focus = next.checked_sub(1);
    }

    /// An edit of the show that is meant.
    fn change(&mut self, edit: impl Fn(usize) -> Edit) {
        match self.selected() {
            Some(show) => self.edit(&edit(show)),
            None => self.say("no show is here: a adds one, tab goes to the next", true),
        }
    }

    fn edit(&mut self, edit: &Edit) {
        let Some(desk) = &mut self.desk else { return };
        match desk.edit(edit) {
            Err(why) => self.say(why.0, true),
            Ok((change, at)) => {
                if let Some(at) = at {
                    self.minutes = match edit {
                        Edit::Longer(_) | Edit::Shorter(_) => desk.shows()[at].minutes,
                        _ => self.minutes,
                    };
                    self.hold(at);
                }
                self.told(&change);
            }
        }
    }

    fn told(&mut self, change: &Change) {
        let Change { what, worth, broken, mended } = change;
        let mut text = format!("{what}: {worth:+.1}");
        if let Some(first) = broken.first() {
            text = format!("{text}; {first}");
            if broken.len() > 1 {
                text = format!("{text} (and {} more: e)", broken.len() - 1);
            }
        } else if *mended > 0 {
            text = format!("{text}; {mended} fewer broken");
        }
        self.say(text, !broken.is_empty());
    }

    fn back(&mut self, again: bool) {
        let Some(desk) = &mut self.desk else { return };
        let done = if again { desk.redo() } else { desk.undo() };
        match done {
            Some(change) => self.told(&change),
            None if again => self.say("nothing was taken back", false),
            None => self.say("there is nothing to take back", false),
        }
    }

    fn save(&mut self) -> Option<Todo> {
        let desk = self.desk.as_ref()?;
        if self.proposal.is_some() {
            self.say("a proposal lies there: y takes it, n drops it; then save", true);
            return None;
        }
        if self.saving {
            return None;
        }
        self.saving = true;
        let plan = Box::new(desk.plan(Effort::Full));
        Some(Todo::Keep { plan, shows: desk.shows().to_vec() })
    }

    fn propose(&mut self) -> Option<Todo> {
        let desk = self.desk.as_ref()?;
        if self.computing.is_some() {
            self.say("a proposal is being computed: n does not wait for it", false);
            return None;
        }
        if desk.ground().task.hosts.is_empty() || desk.ground().task.demands.is_empty() {
            self.say("the plan file has no host or no market: there is nothing to plan", true);
            return None;
        }
        self.asked += 1;
        self.proposal = None;
        let locked = desk.shows().iter().filter(|s| s.locked).cloned().collect();
        self.computing = Some(Computing { number: self.asked, since: self.now, locked });
        self.said = None;
        let task = self.desk.as_ref()?.asked();
        Some(Todo::Propose(Box::new(Asked { task, number: self.asked })))
    }

    fn decide(&mut self, take: bool) {
        let (Some(proposal), Some(desk)) = (self.proposal.take(), &mut self.desk) else { return };
        self.aside = false;
        if !take {
            return self.say("the proposal is dropped", false);
        }
        let change = desk.accept(proposal.shows, proposal.bound);
        self.held = None;
        self.told(&change);
    }

    fn hosts(&mut self) {
        let (Some(desk), Some(show)) = (&self.desk, self.selected()) else {
            return self.say("no show is here: a adds one, tab goes to the next", true);
        };
        let rows: Vec<HostRow> = (0..desk.ground().task.hosts.len())
            .map(|host| match desk.would(&Edit::Host { show, host }) {
                Ok(change) => HostRow { host, worth: Some(change.worth), why: in_the_way(change) },
                Err(why) => HostRow { host, worth: None, why: why.0 },
            })
            .collect();
        let own = desk.shows()[show].host;
        let at = rows.iter().position(|r| r.host == own).unwrap_or(0);
        self.dialog = Some(Dialog::Hosts { at, rows });
    }

    fn markets(&mut self) {
        let (Some(desk), Some(show)) = (&self.desk, self.selected()) else {
            return self.say("no show is here: a adds one, tab goes to the next", true);
        };
        let chosen = desk.shows()[show].markets.clone();
        let rows = (0..desk.ground().task.demands.len()).map(|market| {
            let mut markets = chosen.clone();
            let has = markets.contains(&market);
            if has {
                markets.retain(|m| *m != market);
            } else {
                markets.push(market);
            }
            match desk.would(&Edit::Markets { show, markets }) {
                Ok(change) => MarketRow {
                    market,
                    worth: if has { -change.worth } else { change.worth },
                    why: in_the_way(change),
                },
                // The only one it has.
                Err(_) => MarketRow { market, worth: desk.adds(show), why: String::new() },
            }
        });
        let rows = rows.collect();
        self.dialog =
            Some(Dialog::Markets { at: chosen.first().copied().unwrap_or(0), rows, chosen });
    }

    fn in_dialog(&mut self, step: Step) -> Option<Todo> {
        let by = |at: usize, most: usize| match step {
            Step::Up => at.saturating_sub(1),
            Step::Down => (at + 1).min(most.saturating_sub(1)),
            Step::PageUp => at.saturating_sub(8),
            Step::PageDown => (at + 8).min(most.saturating_sub(1)),
            _ => at,
        };
        let most = match &self.dialog {
            Some(Dialog::Help { .. }) => super::keys::KEYS.len(),
            Some(Dialog::Notes { .. }) => self.all_notes().len(),
            _ => 0,
        };
        let dialog = self.dialog.take()?;
        self.dialog = match dialog {
            Dialog::Help { from } => match step {
                Step::Drop | Step::Help | Step::Take => None,
                _ => Some(Dialog::Help { from: by(from, most) }),
            },
            Dialog::Notes { from } => match step {
                Step::Drop | Step::Notes | Step::Take => None,
                _ => Some(Dialog::Notes { from: by(from, most) }),
            },
            Dialog::Hosts { at, rows } => match step {
                Step::Drop => None,
                Step::Take | Step::Space => {
                    let host = rows.get(at).map(|r| r.host);
                    if let (Some(show), Some(host)) = (self.selected(), host) {
                        self.edit(&Edit::Host { show, host });
                    }
                    None
                }
                _ => Some(Dialog::Hosts { at: by(at, rows.len()), rows }),
            },
            Dialog::Markets { at, rows, mut chosen } => {
                let market = rows.get(at).map(|r| r.market);
                match step {
                    Step::Drop => None,
                    Step::Take => {
                        if let Some(show) = self.selected() {
                            self.edit(&Edit::Markets { show, markets: chosen });
                        }
                        None
                    }
                    Step::Space | Step::Lock => {
                        let market = market?;
                        let had = chosen.iter().position(|m| *m == market);
                        if let Some(place) = had {
                            chosen.remove(place);
                        }
                        if step == Step::Lock {
                            chosen.insert(0, market);
                        } else if had.is_none() {
                            chosen.push(market);
                        }
                        Some(Dialog::Markets { at, rows, chosen })
                    }
                    _ => Some(Dialog::Markets { at: by(at, rows.len()), rows, chosen }),
                }
            }
            Dialog::Leaving => match step {
                Step::Save => {
                    let todo = self.save();
                    self.leave_when_saved = self.saving;
                    return todo;
                }
                Step::Remove => return Some(Todo::Leave),
                Step::Drop => None,
                _ => Some(Dialog::Leaving),
            },
        };
        None
    }
}

/// The first rule that a change breaks, without the name of the show, which is known.
fn in_the_way(change: Change) -> String {
    let first = change.broken.into_iter().next().unwrap_or_default();
    first.split_once("): ").map_or(first.clone(), |(_, rest)| rest.to_owned())
}
