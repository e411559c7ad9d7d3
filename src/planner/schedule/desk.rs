//! A plan in the hand: shows that somebody puts, moves and takes away, each edit a function from what stands to what
//! then stands. What breaks a rule stands anyway and is told in a sentence; only what cannot be at all is refused.
//! The rules are those of `board`; a property test holds the two against each other.

mod draft;
mod edit;
mod ground;
mod judge;

use std::sync::Arc;

use jiff::Timestamp;

use super::{Effort, Plan, Task};

pub use edit::{Edit, Edited, Impossible, apply};
pub use ground::{Day, Ground, Shift, Special};
pub use judge::{Breach, Figures, Part, Rule, Verdict, adds, judge};

/// Edits that can be taken back.
const MOST_UNDONE: usize = 500;

/// A show on the desk. A host has one show at a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// Its start.
    pub start: Timestamp,
    /// Its length.
    pub minutes: u32,
    /// Index into the task's hosts.
    pub host: usize,
    /// Indices into the task's demands, the leading one first.
    pub markets: Vec<usize>,
    /// A proposal leaves it as it is.
    pub locked: bool,
}

impl Show {
    /// Its end.
    pub fn end(&self) -> Timestamp {
        let length = jiff::SignedDuration::from_mins(i64::from(self.minutes));
        self.start.checked_add(length).unwrap_or(self.start)
    }

    /// Whether it is on air at an instant.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end()
    }
}

/// What an edit did.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// In a few words: `lin moved to Tue 20:30`.
    pub what: String,
    /// Weighted viewer hours that were won, or lost.
    pub worth: f64,
    /// Rules that are broken now and were not before.
    pub broken: Vec<String>,
    /// How many rules are kept again.
    pub mended: usize,
}

#[derive(Debug, Clone)]
struct Past {
    shows: Vec<Show>,
    bound: Option<f64>,
    what: String,
}

/// A plan in the making by hand.
#[derive(Debug, Clone)]
pub struct Desk {
    ground: Arc<Ground>,
    shows: Vec<Show>,
    verdict: Verdict,
    /// What no plan with these locked shows can exceed, as far as that is known.
    bound: Option<f64>,
    undo: Vec<Past>,
    redo: Vec<Past>,
    kept: Vec<Show>,
}

impl Desk {
    /// With a plan of the task on it; without one, with the shows that are decided already. Gives what of the plan
    /// the task does not know any more, a sentence each.
    pub fn new(task: Task, plan: Option<&Plan>) -> (Self, Vec<String>) {
        let ground = Ground::new(task);
        let (shows, notes) = match plan {
            Some(plan) => draft::of_plan(&ground, plan),
            None => (draft::locked(&ground), Vec::new()),
        };
        let verdict = judge(&ground, &shows);
        let bound = plan.and_then(|p| (p.bound > 0.0 && notes.is_empty()).then_some(p.bound));
        let desk = Self {
            ground: Arc::new(ground),
            kept: shows.clone(),
            shows,
            verdict,
            bound,
            undo: Vec::new(),
            redo: Vec::new(),
        };
        (desk, notes)
    }

    /// What does not change.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The shows by their start.
    pub fn shows(&self) -> &[Show] {
        &self.shows
    }

    /// What they are worth, and what they break.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// What no plan can exceed, when that is known of this one.
    pub fn bound(&self) -> Option<f64> {
        self.bound
    }

    /// Whether something is on it that was not kept.
    pub fn unsaved(&self) -> bool {
        self.shows != self.kept
    }

    /// What is on it is kept now, as it was when it was asked for.
    pub fn saved(&mut self, shows: Vec<Show>) {
        self.kept = shows;
    }

    /// Carries an edit out. Gives what it did, and where its show stands now.
    ///
    /// # Errors
    /// It cannot be; nothing was changed.
    pub fn edit(&mut self, edit: &Edit) -> Result<(Change, Option<usize>), Impossible> {
        let Edited { shows, what, at } = apply(&self.ground, &self.shows, edit)?;
        // A bound holds as long as all that was locked stays locked.
        let kept = |locked: &Show| shows.contains(locked);
        let still = self.shows.iter().filter(|s| s.locked).all(kept);
        let bound = self.bound.filter(|_| still);
        let before = Past { shows: self.shows.clone(), bound: self.bound, what: what.clone() };
        if shows != self.shows {
            self.undo.push(before);
            if self.undo.len() > MOST_UNDONE {
                self.undo.remove(0);
            }
            self.redo.clear();
        }
        Ok((self.put(shows, bound, what), at))
    }

    /// The shows of a proposal, as one edit. `bound` is what no plan with its locked shows can exceed.
    pub fn accept(&mut self, shows: Vec<Show>, bound: f64) -> Change {
        let what = "the proposal is taken".to_owned();
        let before = Past { shows: self.shows.clone(), bound: self.bound, what: what.clone() };
        self.undo.push(before);
        self.redo.clear();
        // A bound of nothing is none that is known.
        self.put(shows, (bound > 0.0).then_some(bound), what)
    }

    fn put(&mut self, shows: Vec<Show>, bound: Option<f64>, what: String) -> Change {
        let verdict = judge(&self.ground, &shows);
        let change = compared(&self.verdict, &verdict, what);
        self.shows = shows;
        self.verdict = verdict;
        self.bound = bound;
        change
    }

    /// What an edit would do.
    ///
    /// # Errors
    /// It cannot be.
    pub fn would(&self, edit: &Edit) -> Result<Change, Impossible> {
        let edited = apply(&self.ground, &self.shows, edit)?;
        let verdict = judge(&self.ground, &edited.shows);
        Ok(compared(&self.verdict, &verdict, edited.what))
    }

    /// Takes the last edit back. `None` when there is none.
    pub fn undo(&mut self) -> Option<Change> {
        let Past { shows, bound, what } = self.undo.pop()?;
        let now = Past { shows: self.shows.clone(), bound: self.bound, what: what.clone() };
        self.redo.push(now);
        Some(self.put(shows, bound, format!("taken back: {what}")))
    }

    /// Does again what was taken back. `None` when there is nothing.
    pub fn redo(&mut self) -> Option<Change> {
        let Past { shows, bound, what } = self.redo.pop()?;
        let now = Past { shows: self.shows.clone(), bound: self.bound, what: what.clone() };
        self.undo.push(now);
        Some(self.put(shows, bound, what))
    }

    /// Edits that can be taken back, and that can be done again.
    pub fn depth(&self) -> (usize, usize) {
        (self.undo.len(), self.redo.len())
    }

    /// What the plan would lose without a show.
    pub fn adds(&self, index: usize) -> f64 {
        adds(&self.ground, &self.shows, &self.verdict, index)
    }

    /// What to ask for a proposal with: the task, in which the locked shows stay.
    pub fn asked(&self) -> Task {
        let mut task = self.ground.task.clone();
        task.locks = self.shows.iter().filter(|s| s.locked).map(draft::lock).collect();
        task
    }

    /// A plan of this task as shows of the desk.
    pub fn shows_of(&self, plan: &Plan) -> Vec<Show> {
        draft::of_plan(&self.ground, plan).0
    }

    /// What the shows are as a plan.
    pub fn plan(&self, effort: Effort) -> Plan {
        draft::plan(self, effort)
    }
}

/// What changed from one verdict to the next.
fn compared(before: &Verdict, after: &Verdict, what: String) -> Change {
    let new = after.breaches.iter().filter(|b| before.breaches.iter().all(|o| o.text != b.text));
    let gone = before.breaches.iter().filter(|b| after.breaches.iter().all(|o| o.text != b.text));
    Change {
        what,
        worth: after.worth - before.worth,
        broken: new.map(|b| b.text.clone()).collect(),
        mended: gone.count(),
    }
}

#[cfg(test)]
mod tests;
