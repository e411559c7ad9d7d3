//! The recovery ladder of an output. A silent ingest may heal; beside the silent session a new one is opened,
//! and whichever is heard first stays. An ingest in trouble for longer than the allowance gives way to the
//! next. Tries are quick at first, then rarer, and never end while the show runs; only what a retry cannot
//! mend (a token, a path) waits for the operator.

use std::time::Duration;

use super::Turn;
use crate::{
    base::{Moment, OutputId},
    show::{
        Effect, Fact, FailureKind, Happening, OutputState, OutputStatus, Target,
        event::Distance,
        spec::{Pick, WhipSpec},
        state::Renewal,
    },
    whip::probe::nearest_first,
};

/// An output that stayed on air this long starts its back-off anew.
const HELD: Duration = Duration::from_secs(10);
/// A silence that lasts this long beyond being noticed is not waited out any more.
const HEAL: Duration = Duration::from_millis(250);
/// Between two quick tries.
const QUICK: Duration = Duration::from_millis(300);
/// How many tries are quick: the first seconds.
const QUICK_TRIES: u32 = 10;
/// Between two tries at most.
const RARE_MS: u64 = 10_000;
/// A standby serves this long before the first ingest is tried again, at first: each return that came to nothing
/// doubles it.
const RETURN: Duration = Duration::from_secs(30);
/// How often it is doubled at most: to 16 minutes.
const RETURN_DOUBLINGS: u32 = 5;
/// A probe that has not reported by now is not waited for: the adapter takes 1.5 s at most.
const PROBE: Duration = Duration::from_secs(2);

/// How long to wait after a failed try: 300 ms for the first ten, then doubling to 10 s. What is not quick is
/// made longer by up to a quarter, so that a thousand shows do not come back to an ingest in the same moment.
fn backoff(attempt: u32, spread: u64) -> Duration {
    if attempt <= QUICK_TRIES {
        return QUICK;
    }
    let doubled = (300_u64 << (attempt - QUICK_TRIES).min(6)).min(RARE_MS);
    // SplitMix64's finaliser: neighbouring attempts land far apart.
    let mut mixed = spread ^ u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_millis(doubled + doubled * ((mixed >> 40) % 256) / 1024)
}

impl OutputState {
    /// When time alone changes something here.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        match &self.status {
            OutputStatus::Probing { by } => Some(*by),
            OutputStatus::Retrying { retry_at, .. } => Some(*retry_at),
            OutputStatus::Live { .. } => {
                let renewal = self.renewal.as_ref();
                renewal.and_then(|r| {
                    r.at.or_else(|| r.session.filter(|_| self.is_silent()).and(self.spent_at()))
                })
            }
            OutputStatus::Connecting => self.spent_at(),
            _ => None,
        }
    }

    fn whip(&self) -> Option<&WhipSpec> {
        match &self.spec.target {
            Target::Whip(whip) => Some(whip),
            _ => None,
        }
    }

    /// When the allowance of a try under way is used up, where another ingest stands by. The first connection of a
    /// show is given its time: it may be slow, and nobody misses it yet.
    fn spent_at(&self) -> Option<Moment> {
        let refused = self.refused.len() + 1 >= self.spec.target.ways();
        let since = self.trouble.filter(|_| self.was_live && !refused)?;
        Some(since + Duration::from_millis(u64::from(self.whip()?.allowance_ms)))
    }

    /// The ingest to try next: the present one until its allowance is used up or it has refused us.
    fn next_way(&mut self, now: Moment) -> usize {
        let ways = self.spec.target.ways();
        let allowance = self.whip().map_or(u64::MAX, |w| u64::from(w.allowance_ms));
        let since = *self.trouble.get_or_insert(now);
        let spent = now.since(since) >= Duration::from_millis(allowance);
        if ways > 1 && (spent || self.refused.contains(&self.way)) {
            let at = self.order.iter().position(|way| *way == self.way).unwrap_or_default();
            let others = self.order.iter().cycle().skip(at + 1).take(ways - 1).copied();
            if let Some(way) = others.into_iter().find(|way| !self.refused.contains(way)) {
                self.trouble = Some(now);
                return way;
            }
        }
        self.way
    }

    fn well(&mut self) {
        self.trouble = None;
        self.refused.clear();
    }

    /// The renewal that goes back to the first ingest, if one is wanted.
    fn way_back(&self, now: Moment) -> Option<Renewal> {
        let first = self.order.first().copied().filter(|first| *first != self.way)?;
        let wanted = self.whip().is_some_and(|w| w.return_to_first);
        wanted.then(|| Renewal { way: first, session: None, at: Some(now + self.return_wait()) })
    }

    /// How long the standby serves before the first ingest is tried (again).
    fn return_wait(&self) -> Duration {
        RETURN * (1 << self.returns.min(RETURN_DOUBLINGS))
    }

    /// It was on air like this since then; the first ingest has proved itself when that is long enough.
    fn held(&mut self, since: Moment, now: Moment) {
        if now.since(since) >= HELD {
            self.attempt = 0;
        }
        if now.since(since) >= RETURN && self.order.first() == Some(&self.way) {
            self.returns = 0;
        }
    }

    /// Whether it begins with a probe. Only from rest: who falls off the air has no time for it.
    fn is_to_be_probed(&self) -> bool {
        self.status == OutputStatus::Idle
            && self.whip().is_some_and(|w| w.pick == Pick::Nearest && w.ingests.len() > 1)
    }
}

impl Turn<'_> {
    pub(super) fn go_live(&mut self, which: Option<&OutputId>) {
        for index in 0..self.show.outputs.len() {
            let output = &mut self.show.outputs[index];
            if which.is_some_and(|id| *id != output.spec.id) {
                continue;
            }
            if matches!(
                output.status,
                OutputStatus::Idle | OutputStatus::Refused { .. } | OutputStatus::Retrying { .. }
            ) {
                output.attempt = 0;
                output.returns = 0;
                output.well();
                output.down_since.get_or_insert(self.now.mono);
                if output.is_to_be_probed() {
                    self.probe(index);
                } else {
                    self.publish(index);
                }
            }
        }
    }

    fn probe(&mut self, index: usize) {
        let output = &mut self.show.outputs[index];
        output.status = OutputStatus::Probing { by: self.now.mono + PROBE };
        let spec = output.spec.clone();
        self.say(Happening::OutputProbing { output: spec.id.clone() });
        self.order(Effect::Probe(spec));
    }

    /// The nearest is tried first. What was not found out in time leaves the order as it is written.
    pub(super) fn output_probed(&mut self, id: &OutputId, rtt_ms: &[Option<u32>]) {
        let Some(index) = self.output_index(id) else { return };
        let output = &mut self.show.outputs[index];
        if !matches!(output.status, OutputStatus::Probing { .. }) {
            return;
        }
        let mut known = rtt_ms.to_vec();
        known.resize(output.spec.target.ways(), None);
        output.order = nearest_first(&known);
        output.way = output.order.first().copied().unwrap_or_default();
        let distance = |way: &usize| Distance {
            to: output.spec.target.shown(*way),
            rtt_ms: known.get(*way).copied().flatten(),
        };
        let order = output.order.iter().map(distance).collect();
        self.say(Happening::OutputProbed { output: id.clone(), order });
        self.publish(index);
    }

    /// Opens the session that the output's status speaks of.
    fn publish(&mut self, index: usize) {
        let now = self.now.mono;
        let output = &mut self.show.outputs[index];
        output.way = output.next_way(now);
        output.status = OutputStatus::Connecting;
        let way = output.way;
        let session = self.open(index, way);
        self.show.outputs[index].session = session;
    }

    /// Orders a session; its number.
    fn open(&mut self, index: usize, way: usize) -> u32 {
        let output = &mut self.show.outputs[index];
        output.attempt += 1;
        output.sessions += 1;
        let (spec, attempt, session) = (output.spec.clone(), output.attempt, output.sessions);
        self.say(Happening::OutputConnecting {
            output: spec.id.clone(),
            to: spec.target.shown(way),
            attempt,
        });
        self.order(Effect::Publish { output: spec, way, session });
        session
    }

    fn retire(&mut self, id: &OutputId, session: u32) {
        self.order(Effect::Retire { output: id.clone(), session });
    }

    pub(super) fn output_connected(&mut self, id: &OutputId, session: u32, connect_ms: u32) {
        let now = self.now.mono;
        let Some(index) = self.output_index(id) else { return };
        let output = &mut self.show.outputs[index];
        let renewed = output.renewal.take_if(|r| r.session == Some(session));
        match (&output.status, renewed) {
            (OutputStatus::Connecting, _) if output.session == session => {}
            (OutputStatus::Live { since, silent }, Some(renewal)) => {
                let (since, silent) = (*since, *silent);
                output.on_air_ms += silent.unwrap_or(now).since(since).as_millis() as u64;
                // Back at the first: it counts as come to nothing until it has held.
                output.returns += u32::from(silent.is_none());
                output.way = renewal.way;
                let old = std::mem::replace(&mut output.session, session);
                self.retire(id, old);
            }
            // Nobody waits for it any more, and it was let go when that became so.
            _ => return,
        }
        let output = &mut self.show.outputs[index];
        if let Some(since) = output.down_since.take()
            && output.was_live
        {
            output.down_ms += now.since(since).as_millis() as u64;
        }
        output.reconnects += u32::from(output.was_live);
        output.was_live = true;
        output.connect_ms.get_or_insert(connect_ms);
        output.status = OutputStatus::Live { since: now, silent: None };
        output.sound_only = false;
        output.well();
        output.renewal = output.way_back(now);
        let to = output.shown();
        self.say(Happening::OutputLive { output: id.clone(), to, connect_ms });
        self.watch(Some(id));
        self.begin_rundown();
    }

    pub(super) fn output_failed(
        &mut self,
        id: &OutputId,
        session: u32,
        reason: String,
        kind: FailureKind,
        asked: Option<Duration>,
    ) {
        let now = self.now.mono;
        let Some(index) = self.output_index(id) else { return };
        let output = &mut self.show.outputs[index];
        if output.renewal.as_ref().is_some_and(|r| r.session == Some(session)) {
            return self.renewal_failed(index, reason, kind, asked);
        }
        if output.session != session {
            return;
        }
        let again = output.was_live && output.status == OutputStatus::Connecting;
        match output.status {
            OutputStatus::Connecting => {}
            OutputStatus::Live { since, silent } => {
                output.on_air_ms += silent.unwrap_or(now).since(since).as_millis() as u64;
                output.down_since.get_or_insert(now);
                if silent.is_none() {
                    output.held(since, now);
                }
                output.trouble.get_or_insert(silent.unwrap_or(now));
                if let Some(renewal) = output.renewal.take()
                    && let Some(session) = renewal.session
                {
                    // Its successor is under way already.
                    output.last_failure = Some(reason.clone());
                    output.status = OutputStatus::Connecting;
                    output.session = session;
                    output.way = renewal.way;
                    self.say(Happening::OutputFailed {
                        output: id.clone(),
                        reason,
                        retry_in_ms: Some(0),
                    });
                    return;
                }
            }
            // It broke while it was being stopped: it is off the air all the same.
            OutputStatus::Stopping => return self.fact(Fact::OutputStopped { output: id.clone() }),
            _ => return,
        }
        output.last_failure = Some(reason.clone());
        let wait = self.wait_after(index, kind, asked, again);
        self.show.outputs[index].status = match wait {
            Some(wait) => OutputStatus::Retrying { reason: reason.clone(), retry_at: now + wait },
            None => OutputStatus::Refused { reason: reason.clone() },
        };
        let retry_in_ms = wait.map(|w| w.as_millis() as u64);
        self.say(Happening::OutputFailed { output: id.clone(), reason, retry_in_ms });
        self.end_if_hopeless();
    }

    /// How long to wait before the next try; `None` when a try cannot help. An ingest that took us before
    /// (`again`) is tried now and then, whatever it says: one that restarts says many things.
    fn wait_after(
        &mut self,
        index: usize,
        kind: FailureKind,
        asked: Option<Duration>,
        again: bool,
    ) -> Option<Duration> {
        let spread = self.show.spread;
        let output = &mut self.show.outputs[index];
        let way = output.renewal.as_ref().map_or(output.way, |r| r.way);
        match kind {
            FailureKind::Passing | FailureKind::Busy => {
                Some(backoff(output.attempt, spread).max(asked.unwrap_or_default()))
            }
            FailureKind::Lasting => {
                output.refused.insert(way);
                // Another ingest may take what this one refuses.
                if output.refused.len() < output.spec.target.ways() {
                    return Some(QUICK);
                }
                if again {
                    output.refused.clear();
                }
                again.then(|| backoff(u32::MAX, spread))
            }
        }
    }

    fn renewal_failed(
        &mut self,
        index: usize,
        reason: String,
        kind: FailureKind,
        asked: Option<Duration>,
    ) {
        let now = self.now.mono;
        let silent = self.show.outputs[index].is_silent();
        if silent && kind == FailureKind::Busy && self.holds_the_place(index) {
            return self.give_up_place(index, reason);
        }
        let wait = if silent {
            self.wait_after(index, kind, asked, true)
        } else {
            let output = &mut self.show.outputs[index];
            output.returns += 1;
            Some(output.return_wait().max(asked.unwrap_or_default()))
        };
        let output = &mut self.show.outputs[index];
        let id = output.spec.id.clone();
        if let Some(renewal) = &mut output.renewal {
            renewal.session = None;
            renewal.at = wait.map(|w| now + w);
        }
        let retry_in_ms = wait.map(|w| w.as_millis() as u64);
        let what = if silent {
            output.last_failure = Some(reason.clone());
            Happening::OutputFailed { output: id, reason, retry_in_ms }
        } else {
            // The way back to the first: what is on air is well.
            output.attempt = 0;
            Happening::ReturnFailed { output: id, reason, retry_in_ms }
        };
        self.say(what);
    }

    /// Whether the session that takes over goes to the ingest that the silent one is at: many servers take one stream
    /// under a name, and do not know that ours is dead.
    fn holds_the_place(&self, index: usize) -> bool {
        let output = &self.show.outputs[index];
        output.renewal.as_ref().is_some_and(|renewal| renewal.way == output.way)
    }

    /// Ends the silent session, which keeps its successor out, and opens that at once. Its POST waits for the answer to
    /// the DELETE (`link::whip`).
    fn give_up_place(&mut self, index: usize, reason: String) {
        let now = self.now.mono;
        let output = &mut self.show.outputs[index];
        let OutputStatus::Live { since, silent } = output.status else { return };
        output.on_air_ms += silent.unwrap_or(now).since(since).as_millis() as u64;
        output.renewal = None;
        output.last_failure = Some(reason.clone());
        let (id, session) = (output.spec.id.clone(), output.session);
        self.retire(&id, session);
        self.say(Happening::OutputFailed { output: id, reason, retry_in_ms: Some(0) });
        self.publish(index);
    }

    pub(super) fn output_silent(&mut self, id: &OutputId, session: u32) {
        let now = self.now.mono;
        let Some(index) = self.output_index(id) else { return };
        let output = &mut self.show.outputs[index];
        let OutputStatus::Live { since, silent: silent @ None } = &mut output.status else {
            return;
        };
        if output.session != session {
            return;
        }
        let since = *since;
        *silent = Some(now);
        output.held(since, now);
        output.trouble = Some(now);
        output.down_since = Some(now);
        let back = output.renewal.replace(Renewal {
            way: output.way,
            session: None,
            at: Some(now + HEAL),
        });
        if let Some(session) = back.and_then(|r| r.session) {
            self.retire(id, session);
        }
        self.say(Happening::OutputSilent { output: id.clone() });
    }

    pub(super) fn output_healed(&mut self, id: &OutputId, session: u32) {
        let now = self.now.mono;
        let Some(index) = self.output_index(id) else { return };
        let output = &mut self.show.outputs[index];
        let OutputStatus::Live { silent: silent @ Some(_), .. } = &mut output.status else {
            return;
        };
        if output.session != session {
            return;
        }
        *silent = None;
        // What was not reported may have arrived all the same.
        output.down_since = None;
        output.well();
        let back = output.way_back(now);
        let renewal = std::mem::replace(&mut output.renewal, back);
        if let Some(session) = renewal.and_then(|r| r.session) {
            self.retire(id, session);
        }
        self.say(Happening::OutputHealed { output: id.clone() });
    }

    pub(super) fn output_picture(&mut self, id: &OutputId, session: u32, on: bool) {
        let Some(index) = self.output_index(id) else { return };
        let output = &mut self.show.outputs[index];
        if output.session == session && output.is_live() && output.sound_only == on {
            output.sound_only = !on;
            self.say(Happening::OutputPicture { output: id.clone(), on });
        }
    }

    /// Opens what is due.
    pub(super) fn wake_outputs(&mut self) {
        let now = self.now.mono;
        for index in 0..self.show.outputs.len() {
            let output = &mut self.show.outputs[index];
            match output.status {
                OutputStatus::Probing { by } if by <= now => {
                    let id = output.spec.id.clone();
                    self.output_probed(&id, &[]);
                }
                OutputStatus::Retrying { retry_at, .. } if retry_at <= now => self.publish(index),
                OutputStatus::Connecting if output.spent_at().is_some_and(|at| at <= now) => {
                    let (id, session) = (output.spec.id.clone(), output.session);
                    self.retire(&id, session);
                    self.publish(index);
                }
                OutputStatus::Live { silent, .. } => {
                    let spent = silent.and(output.spent_at()).is_some_and(|at| at <= now);
                    let due = |r: &Renewal| r.at.map_or(spent, |at| at <= now);
                    let Some(renewal) = output.renewal.clone().filter(due) else { continue };
                    if let Some(session) = renewal.session {
                        let id = output.spec.id.clone();
                        self.retire(&id, session);
                    }
                    let output = &mut self.show.outputs[index];
                    // A silent ingest in trouble for too long gives way to the next.
                    let way = match silent {
                        Some(_) => {
                            let on_air = std::mem::replace(&mut output.way, renewal.way);
                            let next = output.next_way(now);
                            output.way = on_air;
                            next
                        }
                        None => renewal.way,
                    };
                    let session = Some(self.open(index, way));
                    self.show.outputs[index].renewal = Some(Renewal { way, session, at: None });
                }
                _ => {}
            }
        }
    }
}
