//! The rate that a path carries, from the receiver's reports on single packets (transport-wide feedback).
//!
//! Two things are measured. The *standing queue* is how much longer packets take than the quickest lately did, and of
//! that the least within a tenth of a second. The *delivery rate* is what arrives per second; while a queue of our own
//! packets stands at the narrowest place, that is its capacity.
//!
//! A fall needs a queue that our own packets can have built: served at a steady rate, and growing. The rate then goes
//! to the measured capacity, and below it while the queue drains. A delay of any other kind (a thread that was not
//! scheduled, a longer way, the queue of somebody else) is no capacity: the rate is held, and after a while the delay
//! is taken as the path's own, unless sending less makes it smaller. This matters most where little is sent: a calm
//! picture delivers 0.3 Mb/s over any path.
//!
//! A rise is a trial: quick where nothing speaks against it, slow near the last known ceiling, and after every trial
//! that failed there the next one waits longer. What was never delivered is not believed; where the source does not
//! fill the rate, a short probe is asked for, and what it delivers is proven. Packet trains tell of a ceiling that has
//! been lifted.
//!
//! The constants without a source were chosen on the simulated paths of `estimate/tests`.

use std::{collections::VecDeque, time::Duration};

use super::{
    arrivals::{Arrivals, DELIVERY, Growth},
    trains::Trains,
};
use crate::base::Kbps;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// A queue that stands this high is too much.
const HIGH: u64 = 45 * MS;
/// Below this there is none.
const LOW: u64 = 20 * MS;
/// A queue of our own grows by this much within the time it is looked at.
const GROWN: u64 = 10 * MS;
/// A delay that stands this long without the signs of a queue is looked at as a whole.
const PERSISTS: u64 = 600 * MS;
/// Of what was sent in that time this share must be missing at the other end to be a queue.
const MISSING: f64 = 0.05;
/// A delay that stands this long, and does not shrink when less is sent, is the path's own.
const ACCEPTED: u64 = 3 * S;
/// Reports that stay out longer than this were interrupted: what was lost then says nothing of the rate.
const GAP: u64 = 600 * MS;
/// A rise in a second, as a share, where nothing speaks against it, and near the ceiling.
const QUICK: f64 = 0.35;
const CAREFUL: f64 = 0.08;
/// A rise in a second where what is sent proves nothing and probes cannot be sent.
const UNPROVEN: f64 = 0.08;
/// What is kept of a measured capacity.
const KEEP: f64 = 0.93;
/// A queue of this height would be drained by sending nothing for as long.
const DRAIN: f64 = 600.0 * MS as f64;
/// How far the rate may be beyond what was delivered, as a factor: where nothing else tells what the path carries, and
/// where probes do.
const BELIEF: f64 = 1.5;
const BELIEF_PROBED: f64 = 1.05;
/// A source that sends less than this share of the rate does not fill it.
const FILLED: f64 = 0.7;
/// Random loss up to this share is a matter for retransmission, not for the rate.
const LOSSY: f64 = 0.10;
/// Loss beyond this share is a path that carries less, queue or not.
const FLOODED: f64 = 0.35;
/// How long loss is watched before and after a trial.
const TRIAL: u64 = 2 * S;
/// A failed trial against random loss is not repeated before this has passed.
const TRIAL_REST: u64 = 30 * S;
/// How much faster than the ceiling trains must arrive for it to be lifted.
const LIFTED: f64 = 1.3;

/// A probe asks for up to so much more than the rate, as a factor (libwebrtc's probes double it, too), and less where
/// the source sends much: with what is sent beside it, no more than 1.2 times the rate leaves within twice its time.
const PROBE_FACTOR: f64 = 2.0;
const PROBE_LEAST: f64 = 1.3;
/// And this beyond a known ceiling, to see whether it is gone.
const PROBE_CEILING: f64 = 1.5;
const PROBE_BESIDE: f64 = 2.4;
/// It takes this long: the bursts that token buckets let pass (some 16 kB) are over sooner at 2 Mb/s, and the queue of
/// a probe that fails is gone soon.
const PROBE_TIME: u64 = 100 * MS;
/// A probe that was sent at less than this share of its rate proves nothing.
const PROBE_SENT: f64 = 0.7;
/// What it must have delivered of what was asked for.
const PROBE_REACHED: f64 = 0.85;
/// What of it is believed.
const PROBE_KEEP: f64 = 0.95;
/// After a probe that was delivered the next one may come this soon; after one that was not, this late, and twice as
/// late after each further one.
const PROBE_NEXT: u64 = 200 * MS;
const PROBE_REST: u64 = 3 * S;
const PROBE_REST_MOST: u64 = 8 * S;
/// The first one after a fall may come this soon; a rate that was lost is to be had again within the other time.
const PROBE_AFTER_FALL: u64 = 1500 * MS;
const REGAIN: u64 = 30 * S;
/// The path has to be clear for so long before one.
const PROBE_CLEAR: u64 = 500 * MS;
/// After so many probes in a row that brought no packets none is counted on.
const UNSENT: u32 = 2;
/// A probe whose packets nobody reports within this time was not sent.
const PROBE_LOST: u64 = 2 * S;

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

/// Padding that is wanted, so that the path can show what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// What is to be sent in that time, everything else included.
    pub rate: Kbps,
    /// From now on for so long.
    pub lasts: Duration,
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

/// A probe that is under way.
#[derive(Debug, Clone, Copy)]
struct Probing {
    began: u64,
    bits: f64,
    /// What was sent in its time, as the reports tell.
    bytes: u64,
}

/// When probes are due.
#[derive(Debug, Default)]
struct Probes {
    under_way: Option<Probing>,
    /// None before this.
    next: u64,
    /// How long the next one that fails makes the others wait.
    rest: u64,
    /// So many in a row brought no packets: this session cannot send padding.
    unsent: u32,
}

impl Probes {
    fn rested(&mut self, now: u64) {
        self.rest = (self.rest * 2).clamp(PROBE_REST, PROBE_REST_MOST);
        self.next = now + self.rest;
    }
}

/// A delay that stands without being a queue of ours.
#[derive(Debug, Clone, Copy)]
struct Foreign {
    since: u64,
    /// The rate before it was lowered to see whether the delay follows.
    before: Option<f64>,
}

/// What is known of one path.
#[derive(Debug)]
pub struct Estimator {
    bounds: Bounds,
    /// Bits per second.
    rate: f64,
    arrivals: Arrivals,
    /// Packets and bytes sent, and packets lost, by report, over the last second.
    sent: VecDeque<SentAndLost>,
    reported_at: Option<u64>,
    /// Loss of packets that were sent before this says nothing.
    blind_until: u64,
    queue: u64,
    /// The capacity that a fall found, while its queue drains.
    draining: Option<f64>,
    /// Only packets sent after this tell whether the last fall was enough.
    fell_at: u64,
    foreign: Option<Foreign>,
    ceiling: Option<Ceiling>,
    /// The rate before the last fall, and when that was: what is to be had again where the path is as it was.
    lost: (f64, u64),
    /// The most that was delivered since the path last showed that it carries less, in bits per second.
    proven: f64,
    trial: Option<Trial>,
    trial_rest: u64,
    lossy_since: Option<u64>,
    trains: Trains,
    /// The ceiling that trains lifted, and when; they are not believed while `trains_rest` lasts.
    lifted: Option<(u64, f64)>,
    trains_rest: u64,
    probes: Probes,
    clear_since: Option<u64>,
    /// A rise was held back because nothing proves that the path carries more.
    unproven: bool,
    /// The last report raised the rate.
    raised: bool,
}

/// What one report said was sent.
#[derive(Debug, Clone, Copy)]
struct SentAndLost {
    at: u64,
    packets: u32,
    lost: u32,
    bytes: u64,
}

impl Estimator {
    /// Nothing known yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            rate: f64::from(bounds.start.bits_per_second()),
            arrivals: Arrivals::default(),
            sent: VecDeque::new(),
            reported_at: None,
            blind_until: 0,
            queue: 0,
            draining: None,
            fell_at: 0,
            foreign: None,
            ceiling: None,
            lost: (0.0, 0),
            proven: 0.0,
            trial: None,
            trial_rest: 0,
            lossy_since: None,
            trains: Trains::default(),
            lifted: None,
            trains_rest: 0,
            probes: Probes::default(),
            clear_since: None,
            unproven: false,
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

    /// What the path is known to carry: never more than was delivered. `None` before the first report.
    pub fn known(&self) -> Option<Kbps> {
        (self.proven > 0.0).then(|| Kbps::from_bits_per_second(self.rate.min(self.proven) as u64))
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
        let (sent, lost) = self.sent.iter().fold((0, 0), |(s, l), r| (s + r.packets, l + r.lost));
        if sent == 0 { 0.0 } else { f64::from(lost) / f64::from(sent) }
    }

    /// Takes a report that came at `now` (nanoseconds, the sender's clock).
    pub fn report(&mut self, now: u64, packets: &[Reported]) {
        let since = self.reported_at.map_or(0, |at| now.saturating_sub(at));
        self.reported_at = Some(now);
        if since > GAP {
            self.interrupted(now);
        }
        let packets: Vec<Reported> =
            packets.iter().filter(|packet| packet.is_sane(now)).copied().collect();
        let packets = packets.as_slice();
        let mut told = SentAndLost { at: now, packets: 0, lost: 0, bytes: 0 };
        for packet in packets {
            if let Some(at) = packet.arrived_ns {
                self.arrivals.push(now, packet.sent_ns, at, packet.bytes);
            }
            if let Some(probing) = &mut self.probes.under_way
                && (probing.began..=probing.began + PROBE_TIME).contains(&packet.sent_ns)
            {
                probing.bytes += u64::from(packet.bytes);
            }
            if packet.sent_ns < self.blind_until {
                continue;
            }
            told.packets += 1;
            told.bytes += u64::from(packet.bytes);
            if packet.arrived_ns.is_none() {
                told.lost += 1;
            }
        }
        self.sent.push_back(told);
        while self.sent.front().is_some_and(|r| r.at + S < now) {
            self.sent.pop_front();
        }
        let Some(newest) = self.arrivals.trim() else { return };
        self.queue = self.arrivals.standing(newest);
        self.trains.report(now, packets, self.ceiling.map(|c| c.bits * LIFTED));
        let delivery = self.arrivals.delivery(newest, DELIVERY);
        self.proven = self.proven.max(delivery.unwrap_or_default());
        let before = self.rate;
        self.judge(now, since.min(GAP), newest, delivery);
        self.judge_probe(now);
        let (least, most) =
            (self.bounds.least.bits_per_second(), self.bounds.most.bits_per_second());
        self.rate = self.rate.clamp(f64::from(least), f64::from(most));
        self.raised = self.rate > before;
        if self.is_clear() {
            self.clear_since.get_or_insert(now);
        } else {
            self.clear_since = None;
        }
    }

    /// Reports stayed out: what was sent meanwhile says nothing of the path as it is now.
    fn interrupted(&mut self, now: u64) {
        self.arrivals.clear();
        self.sent.clear();
        self.blind_until = now;
        self.lossy_since = None;
        self.trial = None;
        self.draining = None;
        self.foreign = None;
        self.probes.under_way = None;
    }

    /// Bits per second that were sent of late, as the reports of that time tell.
    fn sending(&self, now: u64, window: u64) -> Option<f64> {
        let reports = || self.sent.iter().rev().take_while(|r| r.at + window >= now);
        let from = reports().last()?.at;
        // The first report speaks of what was sent before the window.
        let bytes: u64 = reports().filter(|r| r.at > from).map(|r| r.bytes).sum();
        ((now - from) * 2 >= window).then(|| bytes as f64 * 8.0 * S as f64 / (now - from) as f64)
    }

    fn judge(&mut self, now: u64, since: u64, newest: u64, delivery: Option<f64>) {
        let answered = self.arrivals.newest_sent().is_some_and(|sent| sent > self.fell_at);
        if self.queue > HIGH && answered {
            match self.arrivals.growth(newest, LOW, GROWN) {
                Growth::Served => {
                    // The newest arrivals know the capacity best.
                    if let Some(capacity) = self.arrivals.delivery_now(newest).or(delivery) {
                        self.foreign = None;
                        return self.fall(now, capacity);
                    }
                }
                _ if self.draining.is_some() => {}
                Growth::Static | Growth::Paused => return self.stands(now, newest, delivery),
            }
        }
        if let Some(capacity) = self.draining {
            if self.queue >= LOW {
                self.rate = (capacity * self.drain()).min(self.rate);
                return;
            }
            self.draining = None;
            self.foreign = None;
            self.rate = capacity * KEEP;
            return;
        }
        if self.queue < LOW
            && let Some(Foreign { before, .. }) = self.foreign.take()
        {
            // It went when less was sent, or by itself.
            self.rate = self.rate.max(before.unwrap_or_default() * KEEP);
        }
        let loss = self.loss();
        if self.judge_loss(now, loss, delivery) || self.queue >= LOW {
            return;
        }
        self.rise(now, since, delivery);
    }

    /// A delay stands that is no queue of ours by its signs.
    fn stands(&mut self, now: u64, newest: u64, delivery: Option<f64>) {
        let Foreign { since, before } =
            *self.foreign.get_or_insert(Foreign { since: now, before: None });
        let sent = self.sending(now, DELIVERY);
        let flooded = self.loss() > LOSSY && sent.is_some_and(|sent| sent >= self.rate * FILLED);
        if let Some(delivery) = delivery.filter(|_| flooded) {
            // A queue that is full does not grow any more.
            self.foreign = None;
            let capacity = self.arrivals.delivery_now(newest).unwrap_or_default();
            return self.fall(now, capacity.max(delivery));
        }
        if now < since + PERSISTS {
            return;
        }
        if let (Some(sent), Some(delivery)) = (sent, delivery)
            && delivery < sent * (1.0 - MISSING)
            && now >= self.fell_at + PERSISTS
            && sent >= self.rate * FILLED
        {
            // Less arrives than is sent, over a long time: a queue, on a path that delivers unevenly.
            self.foreign = None;
            return self.fall(now, delivery);
        }
        if before.is_none() && sent.is_some_and(|sent| sent >= self.rate * FILLED) {
            // Perhaps it is what an earlier moment left: sending less drains that.
            if let Some(foreign) = &mut self.foreign {
                foreign.before = Some(self.rate);
            }
            self.rate *= 1.0 - MISSING * 2.0;
        }
        if now >= since + ACCEPTED {
            self.foreign = None;
            self.rate = self.rate.max(before.unwrap_or_default());
            self.arrivals.rebase(now);
            self.queue = 0;
        }
    }

    /// The share of the capacity that may be sent while the queue drains.
    fn drain(&self) -> f64 {
        (1.0 - self.queue as f64 / DRAIN).clamp(0.4, KEEP)
    }

    fn fall(&mut self, now: u64, capacity: f64) {
        self.fell_at = now;
        if self.draining.is_none() && self.rate > self.lost.0.max(capacity * 1.15) {
            // The path has changed: how long probes have failed before says nothing any more.
            self.lost = (self.rate, now);
            self.probes.rest = 0;
            self.probes.next = now + PROBE_AFTER_FALL;
        }
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
        self.proven = capacity;
        self.trial = None;
    }

    /// Whether loss speaks against a rise. Loss that follows the rate is a path that carries less without
    /// a queue to show it; loss that does not is chance.
    fn judge_loss(&mut self, now: u64, loss: f64, delivery: Option<f64>) -> bool {
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
                self.proven = self.rate.min(self.proven);
            }
            self.lossy_since = None;
            return true;
        }
        if loss <= LOSSY {
            self.lossy_since = None;
            return false;
        }
        let since = *self.lossy_since.get_or_insert(now);
        let enough = since + DELIVERY <= now;
        let sent = self.sending(now, DELIVERY).unwrap_or(self.rate);
        match delivery {
            Some(delivery) if loss > FLOODED && enough && sent >= self.rate * FILLED => {
                self.rate = self.rate.min(delivery * KEEP);
                self.proven = self.rate.min(self.proven);
                self.lossy_since = None;
            }
            Some(_) if since + TRIAL <= now && now >= self.trial_rest => {
                self.trial = Some(Trial { began: now, loss, bits: self.rate });
                // A source that sends less than the rate would not notice a lower one.
                self.rate = self.rate.min(sent) * 0.75;
            }
            _ => {}
        }
        true
    }

    fn rise(&mut self, now: u64, since: u64, delivery: Option<f64>) {
        if let Some(ceiling) = self.ceiling
            && now >= self.trains_rest
            && self.trains.speed().is_some_and(|speed| speed > ceiling.bits * LIFTED)
        {
            self.lifted = Some((now, ceiling.bits));
            self.ceiling = None;
            self.trains.clear();
        }
        let near = self.ceiling.filter(|c| (0.85..1.15).contains(&(self.rate / c.bits)));
        if let Some(ceiling) = self.ceiling
            && self.rate > ceiling.bits * 1.15
        {
            // It carries more than it did.
            self.ceiling = None;
        }
        let seconds = since as f64 / S as f64;
        let speed = if near.is_some() { CAREFUL } else { QUICK };
        let mut wanted = self.rate * (1.0 + speed * seconds);
        if let Some(ceiling) = near
            && now < ceiling.rest_until
        {
            wanted = wanted.min((ceiling.bits * KEEP).max(self.rate));
        }
        // Beyond what was delivered nothing is known.
        let Some(delivery) = delivery else { return };
        let probed = self.probes.unsent < UNSENT;
        let factor = if probed { BELIEF_PROBED } else { BELIEF };
        let mut believed = (delivery.max(self.proven) * factor).max(self.rate);
        self.unproven = believed < wanted || near.is_some();
        if believed < wanted && !probed {
            believed = self.rate * (1.0 + UNPROVEN * seconds);
        }
        self.rate = wanted.min(believed);
    }

    /// Padding that is wanted from now on. To be asked after every report; what is not sent is not missed, but then
    /// the path shows what it carries by and by only.
    pub fn probe(&mut self, now: u64) -> Option<Probe> {
        let clear = self.clear_since.is_some_and(|since| since + PROBE_CLEAR <= now);
        let may = clear && self.probes.under_way.is_none() && now >= self.probes.next;
        if now > self.lost.1 + REGAIN || self.rate >= self.lost.0 * KEEP {
            self.lost.0 = 0.0;
        }
        let wanted = self.unproven || self.lost.0 > 0.0;
        if !may || !wanted || self.trial.is_some() {
            return None;
        }
        let most = f64::from(self.bounds.most.bits_per_second());
        if self.rate >= most {
            return None;
        }
        let beside = self.sending(now, DELIVERY).unwrap_or(self.rate) / self.rate;
        let most_of_it = if self.ceiling.is_some() { PROBE_CEILING } else { PROBE_FACTOR };
        let factor = (PROBE_BESIDE - beside).clamp(PROBE_LEAST, most_of_it);
        let bits = (self.rate * factor).min(most);
        self.probes.under_way = Some(Probing { began: now, bits, bytes: 0 });
        Some(Probe {
            rate: Kbps::from_bits_per_second(bits as u64),
            lasts: Duration::from_nanos(PROBE_TIME),
        })
    }

    /// Judges the probe that is under way by what was delivered of it.
    fn judge_probe(&mut self, now: u64) {
        let Some(Probing { began, bits, bytes }) = self.probes.under_way else { return };
        let ends = began + PROBE_TIME;
        if self.arrivals.newest_sent().is_none_or(|sent| sent <= ends) {
            if now > began + PROBE_LOST {
                self.probes.under_way = None;
                self.probes.rested(now);
            }
            return;
        }
        self.probes.under_way = None;
        if (bytes as f64) < bits / 8.0 * PROBE_TIME as f64 / S as f64 * PROBE_SENT {
            self.probes.unsent += 1;
            return self.probes.rested(now);
        }
        self.probes.unsent = 0;
        let (delivered, even) = self.arrivals.delivery_of(began, ends);
        if delivered >= bits * PROBE_REACHED && self.draining.is_none() {
            if self.ceiling.is_some_and(|ceiling| delivered > ceiling.bits * 1.15) {
                self.ceiling = None;
            }
            self.proven = self.proven.max(delivered);
            self.rate = self.rate.max(delivered.min(bits) * PROBE_KEEP);
            self.probes.rest = 0;
            self.probes.next = now + PROBE_NEXT;
            return;
        }
        self.probes.rested(now);
        if !even {
            // A machine paused meanwhile: it is not known what the path would have delivered.
            self.probes.next = now + S;
        } else if self.draining.is_none() {
            // It has shown what the path carries.
            self.rate = self.rate.min(delivered).max(self.rate.min(self.proven));
            self.proven = self.proven.max(delivered);
            self.ceiling = Some(Ceiling { bits: delivered, hits: 1, rest_until: now + 2 * S });
        }
    }
}

#[cfg(test)]
mod tests;
