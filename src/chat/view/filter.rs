//! Which entries a pane shows.

use std::collections::BTreeSet;

use super::{Marks, Query};
use crate::{
    base::SourceId,
    chat::{Badge, Entry, Platform, State},
    market::MarketId,
};

/// A kind of line that a pane can be reduced to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Only {
    /// Orders.
    Orders,
    /// Questions.
    Questions,
    /// Complaints about picture or sound.
    Complaints,
    /// People who write here for the first time.
    FirstTimers,
    /// Moderators and the owner.
    Moderators,
    /// Lines that wait for review.
    Held,
}

/// Which entries a pane shows. Empty sets exclude nothing; what is in one set is joined by *or*, the sets by *and*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Kinds of line.
    pub only: BTreeSet<Only>,
    /// Sources.
    pub sources: BTreeSet<SourceId>,
    /// Platforms.
    pub platforms: BTreeSet<Platform>,
    /// Markets. A line whose market is unknown is not shown when any is chosen.
    pub markets: BTreeSet<MarketId>,
    /// Leaves out what was answered.
    pub unanswered: bool,
    /// Also shows what was deleted or hidden (the screen marks it). Held lines are always shown to the host.
    pub removed: bool,
    /// Repeats stand behind their first line.
    pub fold: bool,
    /// The search.
    pub query: Option<Query>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            only: BTreeSet::new(),
            sources: BTreeSet::new(),
            platforms: BTreeSet::new(),
            markets: BTreeSet::new(),
            unanswered: false,
            removed: false,
            fold: true,
            query: None,
        }
    }
}

impl Filter {
    /// Whether an entry is shown. A hole is shown wherever its source is, except in a search: orders may be missing in it.
    pub fn shows(&self, entry: &Entry, marks: Option<&Marks>, answered: bool) -> bool {
        let Some(message) = entry.message() else {
            let source = self.sources.is_empty() || self.sources.contains(entry.source());
            return source && self.query.is_none() && self.only != BTreeSet::from([Only::Held]);
        };
        let removed = !matches!(entry.state, State::Shown | State::Held);
        if (removed && !self.removed) || (answered && self.unanswered) {
            return false;
        }
        let source =
            self.sources.is_empty() || self.sources.iter().any(|source| entry.came_by(source));
        let platform = self.platforms.is_empty() || self.platforms.contains(&message.platform);
        let market = self.markets.is_empty()
            || marks
                .and_then(|marks| marks.market.as_ref())
                .is_some_and(|market| self.markets.contains(market));
        let author = &message.author;
        let only = self.only.is_empty()
            || self.only.iter().any(|only| match only {
                Only::Orders => marks.is_some_and(|marks| marks.order),
                Only::Questions => marks.is_some_and(|marks| marks.question),
                Only::Complaints => marks.is_some_and(|marks| marks.complaint),
                Only::FirstTimers => author.has(Badge::First),
                Only::Moderators => author.has(Badge::Moderator) || author.has(Badge::Owner),
                Only::Held => entry.state == State::Held,
            });
        source
            && platform
            && market
            && only
            && self.query.as_ref().is_none_or(|query| query.matches(message))
    }
}
