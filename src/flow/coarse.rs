//! The rate of a path whose receiver does not report on each packet: from its receiver reports (loss, round trip) and
//! from REMB. Coarser than `Estimator`, which needs transport-wide feedback; in use only where there is none. Pure: time
//! comes with the reports.

use std::time::Duration;

use super::Bounds;
use crate::base::{Kbps, Moment};

/// Reports that follow each other faster are taken together: a share of few packets says little.
const STEP: Duration = Duration::from_millis(400);
/// Below this share of loss the rate rises, above [`HEAVY`] it falls (draft-ietf-rmcat-gcc-02, 6).
const LIGHT: f64 = 0.02;
const HEAVY: f64 = 0.10;
/// How much of the loss a cut is (the same).
const CUT: f64 = 0.5;
/// A rise, per second: the draft's 5 % for each report, at one report a second rounded up for those that report rarely.
const RISE: f64 = 0.08;
/// The same near a rate at which a queue stood.
const SLOW_RISE: f64 = 0.02;
const NEAR: std::ops::Range<f64> = 0.85..1.1;
/// A rate at which a queue stood is forgotten after this.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// No rate is believed that is more than so many times what was sent.
const BELIEF: f64 = 1.5;
/// A round trip this far above the shortest one is a queue...
const QUEUE_MS: f64 = 80.0;
/// ... when it is seen this often in a row, since a single round trip may be late by chance; with loss beside it, once.
const QUEUE_SEEN: u32 = 2;
/// Below what came through, so that the queue drains.
const DRAIN: f64 = 0.85;
/// After a cut for a queue the rate rests until reports can have seen it.
const REST: Duration = Duration::from_millis(1500);
/// The shortest round trip is known over this long (and up to twice as long): routes change.
const SHORTEST: Duration = Duration::from_secs(30);
/// A cut is at least to this share, so that loss that follows the rate can be seen to.
const CUT_ENOUGH: f64 = 0.75;
/// Where loss has been seen to follow the rate, this share of what came through is sent.
const FITS: f64 = 0.95;
/// Loss that grows by more than this factor and this share has another cause, or began in the middle of a report.
const GROWN: (f64, f64) = (1.15, 0.03);
/// Random loss is tried anew after this: a path may have narrowed meanwhile.
const BELIEVED: Duration = Duration::from_secs(30);
/// REMB is sent every second or so; an older one says nothing any more.
const REMB_AGE: Duration = Duration::from_secs(5);

/// What a report block says of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Seen {
    /// The highest number received, with its cycles.
    pub highest: u32,
    /// Lost so far.
    pub lost: i32,
    /// From our sender report to its echo, in ms.
    pub rtt_ms: Option<f64>,
    /// What was sent lately, in kbit/s.
    pub sent_kbps: Option<f64>,
}

/// Loss that began at some rate: whether it follows the rate is seen when that is cut.
#[derive(Debug, Clone, Copy)]
struct Trial {
    rate: f64,
    loss: f64,
    /// The report after the cut has come. It is still of the time before it, in part.
    settled: bool,
}

impl Trial {
    /// What came through at that rate.
    fn carried(&self) -> f64 {
        self.rate * (1.0 - self.loss)
    }
}

/// The estimate.
#[derive(Debug, Clone)]
pub struct Coarse {
    bounds: Bounds,
    rate: f64,
    before: Option<(Moment, Seen)>,
    loss: f64,
    /// The shortest round trips of this time and of the time before.
    shortest: [Option<f64>; 2],
    shortest_since: Moment,
    queue_seen: u32,
    rests_until: Moment,
    /// Where a queue stood last, and when.
    ceiling: Option<(f64, Moment)>,
    trial: Option<Trial>,
    /// Loss that does not follow the rate, and since when it is known not to. The rate may go back to where it began.
    random: Option<(Trial, Moment)>,
    remb: Option<(f64, Moment)>,
}

impl Coarse {
    /// Begins with `bounds.start`.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            rate: f64::from(bounds.start.0),
            before: None,
            loss: 0.0,
            shortest: [None; 2],
            shortest_since: Moment::default(),
            queue_seen: 0,
            rests_until: Moment::default(),
            ceiling: None,
            trial: None,
            random: None,
            remb: None,
        }
    }

    /// What the path carries, for all streams together.
    pub fn rate(&self) -> Kbps {
        Kbps(self.rate as u32)
    }

    /// The share of packets that were lost lately, 0-1.
    pub const fn loss(&self) -> f64 {
        self.loss
    }

    /// The receiver's own estimate (draft-alvestrand-rmcat-remb-03). It is a ceiling, never a floor.
    pub fn remb(&mut self, now: Moment, bits_per_second: u64) {
        let kbps = bits_per_second as f64 / 1000.0;
        // Some receivers send zero before they know anything.
        if kbps >= 1.0 {
            self.remb = Some((kbps, now));
            self.settle(now);
        }
    }

    /// A report block has come. Whether it was taken; one that follows too fast waits for the next.
    pub fn report(&mut self, now: Moment, seen: Seen) -> bool {
        let Some((at, before)) = self.before else {
            self.before = Some((now, seen));
            return false;
        };
        let passed = now.since(at);
        if passed < STEP {
            return false;
        }
        self.before = Some((now, seen));
        let expected = seen.highest.wrapping_sub(before.highest);
        // Nothing new has arrived, or a receiver has begun anew.
        if expected == 0 || expected > i32::MAX as u32 {
            return true;
        }
        let lost = seen.lost.saturating_sub(before.lost).max(0) as f64;
        let loss = (lost / f64::from(expected)).min(1.0);
        self.loss += (loss - self.loss) * 0.5;
        let sent = seen.sent_kbps.unwrap_or(self.rate).max(1.0);
        let queued = self.queue(now, seen.rtt_ms, loss);
        self.judge(now, passed, loss, sent, queued);
        self.settle(now);
        true
    }

    /// Whether a queue stands on the path.
    fn queue(&mut self, now: Moment, rtt_ms: Option<f64>, loss: f64) -> bool {
        let Some(rtt) = rtt_ms.filter(|rtt| *rtt >= 0.0) else {
            self.queue_seen = 0;
            return false;
        };
        if now.since(self.shortest_since) > SHORTEST {
            self.shortest = [None, self.shortest[0]];
            self.shortest_since = now;
        }
        let now_shortest = self.shortest[0].map_or(rtt, |shortest| shortest.min(rtt));
        self.shortest[0] = Some(now_shortest);
        let shortest = self.shortest[1].map_or(now_shortest, |before| before.min(now_shortest));
        if rtt - shortest < QUEUE_MS {
            self.queue_seen = 0;
            return false;
        }
        self.queue_seen += 1;
        loss > LIGHT || self.queue_seen >= QUEUE_SEEN
    }

    fn judge(&mut self, now: Moment, passed: Duration, loss: f64, sent: f64, queued: bool) {
        let arrived = sent * (1.0 - loss);
        if queued {
            // What comes through while a queue stands is what the path carries.
            self.ceiling = Some((arrived, now));
            if now >= self.rests_until {
                self.rate = self.rate.min(arrived * DRAIN);
                self.rests_until = now + REST;
            }
            (self.trial, self.random) = (None, None);
            return;
        }
        let grown = |known: &Trial| loss > known.loss * GROWN.0 + GROWN.1;
        let over = |(known, at): &(Trial, Moment)| grown(known) || now.since(*at) > BELIEVED;
        if loss <= LIGHT || self.random.as_ref().is_some_and(over) {
            self.random = None;
        }
        if loss > HEAVY && self.random.is_none() {
            return self.heavy(now, loss, arrived);
        }
        if let Some(trial) = self.trial.take().filter(|_| loss <= LIGHT) {
            self.ceiling = Some((trial.carried(), now));
        }
        let bearable = loss <= LIGHT || self.random.is_some();
        if bearable && now >= self.rests_until {
            let ceiling = self.ceiling.filter(|(_, at)| now.since(*at) < FORGOTTEN);
            let near = ceiling.is_some_and(|(rate, _)| NEAR.contains(&(self.rate / rate)));
            let rise = if near { SLOW_RISE } else { RISE };
            let risen = self.rate * (1.0 + rise * passed.as_secs_f64().min(2.0));
            // A calm picture does not show what the path would carry.
            let most = self.random.map_or(f64::MAX, |(known, _)| known.rate);
            self.rate = risen.min(self.rate.max(sent * BELIEF)).min(most.max(self.rate));
        }
    }

    /// Heavy loss without a queue that shows: a place that drops what is too much, or chance. The rate is cut once; loss
    /// that does not fall with it is chance, and less would only cost the picture.
    fn heavy(&mut self, now: Moment, loss: f64, arrived: f64) {
        match &mut self.trial {
            None => {
                self.trial = Some(Trial { rate: self.rate, loss, settled: false });
                self.rate *= (1.0 - CUT * loss).min(CUT_ENOUGH);
            }
            Some(trial) if !trial.settled => {
                trial.settled = true;
                // It may have begun in the middle of the report before.
                trial.loss = trial.loss.max(loss);
            }
            Some(trial) => {
                let if_narrow = (1.0 - trial.carried() / self.rate).max(0.0);
                if loss > f64::midpoint(if_narrow, trial.loss) {
                    self.random = Some((*trial, now));
                    self.rate = trial.rate;
                } else {
                    self.ceiling = Some((arrived, now));
                    self.rate = self.rate.min(arrived * FITS);
                }
                self.trial = None;
            }
        }
    }

    fn settle(&mut self, now: Moment) {
        self.rate = self.rate.clamp(self.bounds.least.0.into(), self.bounds.most.0.into());
        if let Some((kbps, _)) = self.remb.filter(|(_, at)| now.since(*at) <= REMB_AGE) {
            self.rate = self.rate.min(kbps.max(self.bounds.least.0.into()));
        }
    }
}

#[cfg(test)]
mod tests;
