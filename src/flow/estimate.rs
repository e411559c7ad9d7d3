//! The rate a path carries, from the receiver's reports on single packets (transport-wide feedback).
//!
//! Two things are measured. The *queue* is how much longer packets take than the quickest lately did, and of
//! that the least within a tenth of a second: jitter and bursts come and go in that time, a queue that stands
//! does not (the idea of CoDel, RFC 8289). The *flow* is what arrives per second; while a queue stands, that
//! is the capacity of the narrowest place, neither more nor less.
//!
//! So a fall is no guess: the rate goes to the measured capacity, and below it for as long as the queue needs
//! to drain. A rise is a trial: quick where nothing speaks against it, slow near the last known ceiling, and
//! after every trial that failed there the next one waits longer. Frames are trains of packets, sent faster than
//! the rate: how far apart they arrive tells of a ceiling that has been lifted. What was never sent is never
//! believed.

use std::collections::VecDeque;

use crate::base::Kbps;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// A queue that stands this high is too much.
const HIGH: u64 = 45 * MS;
/// Below this there is none.
const LOW: u64 = 20 * MS;
/// The least delay within this long is the queue's.
const STANDING: u64 = 110 * MS;
/// The flow is measured over this long.
const FLOW: u64 = 500 * MS;
/// And over this long, where a queue stands and packets come evenly.
const AT_ONCE: u64 = 130 * MS;
/// The quickest packet counts for at least this long, and at most twice as long.
const BASE: u64 = 10 * S;
/// Reports that stay out longer than this were interrupted: what was lost then says nothing of the rate.
const GAP: u64 = 600 * MS;
/// A rise in a second, as a share, where nothing speaks against it, and near the ceiling.
const QUICK: f64 = 0.35;
const CAREFUL: f64 = 0.08;
/// What is kept of a measured capacity.
const KEEP: f64 = 0.93;
/// A queue of this height would be drained by sending nothing for as long.
const DRAIN: f64 = 600.0 * MS as f64;
/// What is believed beyond what has been sent, as a factor.
const BELIEF: f64 = 1.5;
/// Random loss up to this share is a matter for retransmission, not for the rate.
const LOSSY: f64 = 0.10;
/// Loss beyond this share is a path that carries less, queue or not.
const FLOODED: f64 = 0.35;
/// How long loss is watched before and after a trial.
const TRIAL: u64 = 2 * S;
/// A failed trial against random loss is not repeated before this has passed.
const TRIAL_REST: u64 = 30 * S;

/// A packet and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// When it was sent, in nanoseconds of the sender's clock.
    pub sent_ns: u64,
    /// When it arrived, in nanoseconds of the receiver's clock, which may have any offset; `None` is lost.
    pub arrived_ns: Option<u64>,
    /// Its size.
    pub bytes: u32,
}

impl Reported {
    /// Whether it can be: what was sent after it was reported, at `now`, is no packet of ours.
    pub fn is_sane(&self, now: u64) -> bool {
        self.sent_ns <= now && self.arrived_ns.is_none_or(|at| at < i64::MAX as u64 / 2)
    }
}

/// Between which rates an estimate may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At first.
    pub start: Kbps,
    /// Never less.
    pub least: Kbps,
    /// Never more.
    pub most: Kbps,
}

/// What the last report made of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Nothing speaks against more: it was raised.
    Rising,
    /// It stands: near a ceiling, at its most, or because nobody sends more.
    Holding,
    /// A queue stands: less than the path carries is sent until it is gone.
    Draining,
    /// More than retransmission makes up for is lost: it is not raised.
    Lossy,
    /// It was lowered on trial, to see whether the loss follows.
    Testing,
}

/// The rate at which the path broke, and how often in a row it did.
#[derive(Debug, Clone, Copy)]
struct Ceiling {
    bits: f64,
    hits: u32,
    /// Not beyond it before this.
    rest_until: u64,
}

/// A trial whether loss follows the rate.
#[derive(Debug, Clone, Copy)]
struct Trial {
    began: u64,
    loss: f64,
    bits: f64,
}

/// Packets that leave closer together than this are one train.
const TRAIN_GAP: u64 = 5 * MS;
/// Shorter trains say nothing.
const TRAIN: usize = 4;
/// Trains of this long are looked at, and this many at least.
const TRAINS: u64 = S;
const ENOUGH_TRAINS: usize = 8;
/// How much faster than the ceiling trains must arrive for it to be lifted.
const LIFTED: f64 = 1.3;

#[derive(Debug, Clone, Copy)]
struct Arrived {
    sent: u64,
    at: u64,
    bytes: u32,
}

/// What is known of one path.
#[derive(Debug)]
pub struct Estimator {
    bounds: Bounds,
    /// Bits per second.
    rate: f64,
    /// The quickest packets' delay in this stretch and in the one before; when this one began.
    base: (Option<i64>, Option<i64>),
    base_began: u64,
    arrived: VecDeque<Arrived>,
    /// Packets sent and lost, by report, over the last seconds.
    losses: VecDeque<(u64, u32, u32)>,
    reported_at: Option<u64>,
    queue: u64,
    /// The capacity that a fall found, while its queue drains.
    draining: Option<f64>,
    /// Only packets sent after this tell whether the last fall was enough.
    fell_at: u64,
    ceiling: Option<Ceiling>,
    /// The greatest flow lately, and when it was measured.
    tested: (f64, u64),
    trial: Option<Trial>,
    trial_rest: u64,
    lossy_since: Option<u64>,
    /// How fast trains arrived lately, and when.
    trains: VecDeque<(u64, f64)>,
    /// The ceiling that trains lifted, and when; they are not believed while `trains_rest` lasts.
    lifted: Option<(u64, f64)>,
    trains_rest: u64,
    /// The last report raised the rate.
    raised: bool,
}

impl Estimator {
    /// Nothing known yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            rate: f64::from(bounds.start.bits_per_second()),
            base: (None, None),
            base_began: 0,
            arrived: VecDeque::new(),
            losses: VecDeque::new(),
            reported_at: None,
            queue: 0,
            draining: None,
            fell_at: 0,
            ceiling: None,
            tested: (0.0, 0),
            trial: None,
            trial_rest: 0,
            lossy_since: None,
            trains: VecDeque::new(),
            lifted: None,
            trains_rest: 0,
            raised: false,
        }
    }

    /// What may be sent, sound and picture together.
    pub fn rate(&self) -> Kbps {
        Kbps::from_bits_per_second(self.rate as u64)
    }

    /// What may be sent once the queue that stands now has drained.
    pub fn settled(&self) -> Kbps {
        let rate = self.draining.map_or(self.rate, |capacity| (capacity * KEEP).max(self.rate));
        Kbps::from_bits_per_second(rate as u64)
    }

    /// What the path is known to carry: never more than was sent over it. `None` before the first report.
    pub fn known(&self) -> Option<Kbps> {
        (self.tested.0 > 0.0)
            .then(|| Kbps::from_bits_per_second(self.rate.min(self.tested.0) as u64))
    }

    /// How fast packets may leave: a burst passes where there is neither queue nor loss, and is spread where
    /// there is.
    pub fn pace(&self) -> Kbps {
        let factor = if self.is_clear() { 4.0 } else { 1.25 };
        Kbps::from_bits_per_second((self.rate * factor) as u64)
    }

    /// Whether the path shows neither queue nor loss.
    pub const fn is_clear(&self) -> bool {
        !self.is_full() && self.lossy_since.is_none()
    }

    /// Whether a queue stands on the path, or has not drained yet.
    pub const fn is_full(&self) -> bool {
        self.queue >= LOW || self.draining.is_some()
    }

    /// What the last report made of the rate; `None` before the first.
    pub fn course(&self) -> Option<Course> {
        self.reported_at?;
        Some(match self {
            _ if self.is_full() => Course::Draining,
            Self { trial: Some(_), .. } => Course::Testing,
            Self { lossy_since: Some(_), .. } => Course::Lossy,
            Self { raised: true, .. } => Course::Rising,
            _ => Course::Holding,
        })
    }

    /// The queue that stands on the path, in milliseconds.
    pub const fn queue_ms(&self) -> u64 {
        self.queue / MS
    }

    /// The share of packets lost over the last second, 0-1.
    pub fn loss(&self) -> f64 {
        let (sent, lost) = self.losses.iter().fold((0, 0), |(s, l), r| (s + r.1, l + r.2));
        if sent == 0 { 0.0 } else { f64::from(lost) / f64::from(sent) }
    }

    /// Takes a report that came at `now` (nanoseconds, the sender's clock).
    pub fn report(&mut self, now: u64, packets: &[Reported]) {
        let since = self.reported_at.map_or(0, |at| now.saturating_sub(at));
        self.reported_at = Some(now);
        let interrupted = since > GAP;
        if interrupted {
            self.arrived.clear();
            self.losses.clear();
            self.lossy_since = None;
            self.trial = None;
            self.draining = None;
        }
        let packets: Vec<Reported> =
            packets.iter().filter(|packet| packet.is_sane(now)).copied().collect();
        let packets = packets.as_slice();
        let mut lost = 0;
        for packet in packets {
            match packet.arrived_ns {
                Some(at) => self.arrival(now, packet.sent_ns, at, packet.bytes),
                None => lost += 1,
            }
        }
        if !interrupted {
            self.losses.push_back((now, packets.len() as u32, lost));
        }
        while self.losses.front().is_some_and(|(at, ..)| at + S < now) {
            self.losses.pop_front();
        }
        let Some(newest) = self.arrived.iter().map(|a| a.at).max() else { return };
        while self.arrived.front().is_some_and(|a| a.at + 2 * FLOW < newest) {
            self.arrived.pop_front();
        }
        self.queue = self.standing(newest);
        self.ride(now, packets);
        let flow = self.flow(newest, FLOW);
        if let Some(flow) = flow
            && (flow >= self.tested.0 || self.tested.1 + 5 * S < now)
        {
            self.tested = (flow, now);
        }
        let before = self.rate;
        self.judge(now, since.min(GAP), newest, flow);
        let (least, most) =
            (self.bounds.least.bits_per_second(), self.bounds.most.bits_per_second());
        self.rate = self.rate.clamp(f64::from(least), f64::from(most));
        self.raised = self.rate > before;
    }

    fn arrival(&mut self, now: u64, sent: u64, at: u64, bytes: u32) {
        let delay = at as i64 - sent as i64;
        if self.base_began + BASE < now {
            self.base = (None, self.base.0);
            self.base_began = now;
        }
        self.base.0 = Some(self.base.0.map_or(delay, |least| least.min(delay)));
        self.arrived.push_back(Arrived { sent, at, bytes });
    }

    /// The queue that stands: of the last arrivals, the one that waited least.
    fn standing(&self, newest: u64) -> u64 {
        let quickest = [self.base.0, self.base.1].into_iter().flatten().min().unwrap_or_default();
        self.arrived
            .iter()
            .rev()
            .take_while(|a| a.at + STANDING >= newest)
            .map(|a| (a.at as i64 - a.sent as i64 - quickest) as u64)
            .min()
            .unwrap_or_default()
    }

    /// Bits per second that arrived in the last `window`.
    fn flow(&self, newest: u64, window: u64) -> Option<f64> {
        let mut bytes = 0;
        let mut first = newest;
        for arrived in self.arrived.iter().rev().take_while(|a| a.at + window >= newest) {
            bytes += u64::from(arrived.bytes);
            first = arrived.at;
        }
        let span = newest.saturating_sub(first);
        (span * 2 >= window).then(|| bytes as f64 * 8.0 * S as f64 / span as f64)
    }

    /// Notes how fast the trains among these packets arrived.
    fn ride(&mut self, now: u64, packets: &[Reported]) {
        while self.trains.front().is_some_and(|(at, _)| at + TRAINS < now) {
            self.trains.pop_front();
        }
        let wagons = |a: &Reported, b: &Reported| b.sent_ns.saturating_sub(a.sent_ns) < TRAIN_GAP;
        for train in packets.chunk_by(wagons).filter(|t| t.len() >= TRAIN) {
            let (first, last) = (train[0], train[train.len() - 1]);
            let (Some(from), Some(to)) = (first.arrived_ns, last.arrived_ns) else { continue };
            // What the first packet weighs does not lie between the two arrivals.
            let bits: u64 = train[1..].iter().map(|p| u64::from(p.bytes) * 8).sum();
            let speed = |span: u64| bits as f64 * S as f64 / span.max(1) as f64;
            let sent = speed(last.sent_ns.saturating_sub(first.sent_ns));
            if to > from && self.ceiling.is_some_and(|c| sent > c.bits * LIFTED) {
                self.trains.push_back((now, speed(to - from)));
            }
        }
    }

    /// Forgets the ceiling once trains arrive faster than it allows.
    fn lift(&mut self, now: u64) {
        let Some(ceiling) = self.ceiling else { return };
        if self.trains.len() < ENOUGH_TRAINS || now < self.trains_rest {
            return;
        }
        let mut speeds: Vec<f64> = self.trains.iter().map(|(_, speed)| *speed).collect();
        speeds.sort_by(f64::total_cmp);
        if speeds[speeds.len() / 4] > ceiling.bits * LIFTED {
            self.lifted = Some((now, ceiling.bits));
            self.ceiling = None;
            self.trains.clear();
        }
    }

    /// The same over as short a time as has packets enough.
    fn flow_at_once(&self, newest: u64) -> Option<f64> {
        let lately = self.arrived.iter().rev().take_while(|a| a.at + AT_ONCE >= newest).count();
        self.flow(newest, if lately >= 8 { AT_ONCE } else { FLOW / 2 })
    }

    fn judge(&mut self, now: u64, since: u64, newest: u64, flow: Option<f64>) {
        let answered = self.arrived.back().is_some_and(|a| a.sent > self.fell_at);
        if self.queue > HIGH && answered {
            // While a queue stands, what arrives is what the path carries. The newest arrivals know best.
            if let Some(capacity) = self.flow_at_once(newest).or(flow) {
                return self.fall(now, capacity);
            }
        }
        if let Some(capacity) = self.draining {
            if self.queue >= LOW {
                self.rate = (capacity * self.drain()).min(self.rate);
                return;
            }
            self.draining = None;
            self.rate = capacity * KEEP;
            return;
        }
        let loss = self.loss();
        if self.judge_loss(now, loss, flow) || self.queue >= LOW {
            return;
        }
        self.rise(now, since, flow);
    }

    /// The share of the capacity that may be sent while the queue drains.
    fn drain(&self) -> f64 {
        (1.0 - self.queue as f64 / DRAIN).clamp(0.4, KEEP)
    }

    fn fall(&mut self, now: u64, capacity: f64) {
        self.fell_at = now;
        self.draining = Some(capacity);
        self.rate = (capacity * self.drain()).min(self.rate);
        let hits = match self.ceiling {
            Some(c) if (0.8..1.25).contains(&(capacity / c.bits)) => (c.hits + 1).min(3),
            _ => 0,
        };
        self.ceiling = Some(Ceiling { bits: capacity, hits, rest_until: now + (S << hits) });
        if let Some((at, was)) = self.lifted.take()
            && now < at + 5 * S
            && capacity < was * LIFTED
        {
            // The trains were wrong.
            self.trains_rest = now + TRIAL_REST;
        }
        self.trains.clear();
        self.tested = (capacity, now);
        self.trial = None;
    }

    /// Whether loss speaks against a rise. Loss that follows the rate is a path that carries less without
    /// a queue to show it; loss that does not is the weather.
    fn judge_loss(&mut self, now: u64, loss: f64, flow: Option<f64>) -> bool {
        if let Some(trial) = self.trial {
            if trial.began + TRIAL > now {
                return true;
            }
            self.trial = None;
            if loss * 2.0 > trial.loss {
                self.rate = trial.bits;
                self.trial_rest = now + TRIAL_REST;
            } else {
                self.ceiling = Some(Ceiling { bits: self.rate, hits: 1, rest_until: now + 2 * S });
            }
            self.lossy_since = None;
            return true;
        }
        if loss <= LOSSY {
            self.lossy_since = None;
            return false;
        }
        let since = *self.lossy_since.get_or_insert(now);
        let enough = since + FLOW <= now;
        match flow {
            Some(flow) if loss > FLOODED && enough => {
                self.rate = self.rate.min(flow * KEEP);
                self.lossy_since = None;
            }
            Some(_) if since + TRIAL <= now && now >= self.trial_rest => {
                self.trial = Some(Trial { began: now, loss, bits: self.rate });
                self.rate *= 0.75;
            }
            _ => {}
        }
        true
    }

    fn rise(&mut self, now: u64, since: u64, flow: Option<f64>) {
        self.lift(now);
        let near = self.ceiling.filter(|c| (0.85..1.15).contains(&(self.rate / c.bits)));
        if let Some(ceiling) = self.ceiling
            && self.rate > ceiling.bits * 1.15
        {
            // It carries more than it did.
            self.ceiling = None;
        }
        let speed = if near.is_some() { CAREFUL } else { QUICK };
        let mut wanted = self.rate * (1.0 + speed * since as f64 / S as f64);
        if let Some(ceiling) = near
            && now < ceiling.rest_until
        {
            wanted = wanted.min((ceiling.bits * KEEP).max(self.rate));
        }
        // Beyond what was sent nothing is known.
        let believed =
            flow.map_or(self.rate, |flow| (flow.max(self.tested.0) * BELIEF).max(self.rate));
        self.rate = wanted.min(believed);
    }
}

#[cfg(test)]
mod tests;
