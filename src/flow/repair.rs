//! What is sent again, and how often, on a path that loses packets. A lost packet is asked for, comes a round trip
//! later, and may be lost too; a frame that is late by two round trips is a frozen picture. So where packets are lost
//! by chance, what is asked for is sent several times at once, and sound, which nobody asks for, is sent redundantly
//! with the next packet. Where packets are lost because too many are sent, nothing is added to them.
//!
//! Retransmission has a budget: a share of the estimated rate, a few answers for each packet, and none for a packet that
//! comes too late to be of use, which a key frame replaces. Receivers exist that accept retransmission in their answer,
//! drop what is sent again, and go on asking: they are told by their requests and get key frames only.

use std::collections::VecDeque;

use super::Reported;
use crate::base::Kbps;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// So many copies that all of them are lost with this chance at most.
const ALL_LOST: f64 = 0.002;
/// Copies of one packet at a time, at most.
const MOST: u32 = 4;
/// From which share of lost packets on sound is sent twice, and three times.
const SOUND_TWICE: f64 = 0.012;
const SOUND_THRICE: f64 = 0.10;
/// The share of lost packets is a mean over about this long.
const MEAN: f64 = 2.0 * S as f64;
/// The quickest answer counts for at least this long, and at most twice as long.
const QUICKEST: u64 = 10 * S;
/// A request that comes sooner after the last for the same packet was sent before the answer can have been there, as
/// a share of the round trip; and never sooner than this: receivers ask at most about every 20 ms.
const STALE: f64 = 0.9;
const STALE_LEAST: u64 = 15 * MS;
/// Assumed before the first report.
const FIRST_ROUND_TRIP: u64 = 50 * MS;
/// So many requests for one packet are answered.
const ANSWERS: u32 = 3;
/// A packet that was sent longer ago than this is of no use any more: its frame is over, and players do not wait as
/// long (libwebrtc's jitter buffer asks for a key frame by itself after 1-3 s).
const OLD: u64 = S;
/// A packet from before the newest key frame is of use for so long only: until that has arrived, some round trips.
const REPLACED: u64 = 300 * MS;
/// Key frames instead of packets come at most this often.
const KEY_SPACING: u64 = S;
/// Packets that are remembered: two seconds at 4 Mb/s.
const SENT: usize = 1024;
/// The newest of them are good for padding.
const PADDING: usize = 60;
/// Retransmission may take this share of the estimated rate, more on a path that loses packets by chance, up to the
/// other share; and save up what it has in this many seconds.
const SHARE: f64 = 0.25;
const SHARE_MOST: f64 = 0.5;
const SAVED_S: f64 = 0.2;
/// So many packets that were answered in full and asked for again, in this time, without so many others that were not
/// asked for again, are a receiver that does not take retransmissions. It is tried again after a while.
const FRUITLESS: u32 = 8;
const FRUITLESS_TIME: u64 = 5 * S;
const FRUITLESS_REST: u64 = 60 * S;

/// A packet of the picture that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u16,
    at: u64,
    bits: u64,
    /// When it was sent again last, and how many requests for it were answered.
    again_at: u64,
    answers: u32,
}

/// What is done about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is sent so often.
    Copies(u32),
    /// A key frame replaces it.
    KeyFrame,
    /// Nothing: its answer is under way, it was never sent, a key frame has replaced it, or the budget is spent.
    Nothing,
}

/// Whether the receiver uses what is sent again.
#[derive(Debug, Default)]
struct Fruits {
    began: u64,
    /// Packets whose requests were answered in full, and that are asked for once more.
    fruitless: u32,
    /// Packets that were sent again for the first time.
    first: u32,
    /// Nothing is sent again before this.
    refused_until: u64,
}

/// What is known of one path's losses.
#[derive(Debug, Default)]
pub struct Repair {
    /// Share of packets lost, 0-1.
    loss: f64,
    reported_at: Option<u64>,
    /// The path carries more than must be sent.
    spare: bool,
    /// The quickest answers of this stretch and of the one before, in nanoseconds; when this one began.
    quickest: (Option<u64>, Option<u64>),
    stretch_began: u64,
    sent: VecDeque<Sent>,
    /// The number of the newest key frame's first packet.
    key: Option<u16>,
    in_key: bool,
    key_asked: Option<u64>,
    /// What may be sent again now, in bits; when that was, and the estimated rate.
    budget: f64,
    filled_at: u64,
    rate: f64,
    fruits: Fruits,
}

impl Repair {
    /// Nothing known of the path but what it is taken to carry at first.
    pub fn new(rate: Kbps) -> Self {
        Self { rate: f64::from(rate.bits_per_second()), ..Self::default() }
    }

    /// The path is estimated to carry that from `now` on, as something else than reports on packets tells.
    pub fn carries(&mut self, now: u64, rate: Kbps) {
        self.fill(now);
        self.rate = f64::from(rate.bits_per_second());
    }

    /// Takes a report that came at `now` (nanoseconds, the sender's clock): the share of packets lost lately, the rate
    /// that the path is estimated to carry, and whether that is more than must be sent: no queue stands, and sound is
    /// little of it.
    pub fn report(&mut self, now: u64, packets: &[Reported], loss: f64, rate: Kbps, spare: bool) {
        let since = self.reported_at.map_or(0, |at| now.saturating_sub(at));
        self.reported_at = Some(now);
        self.loss += (loss - self.loss) * (since as f64 / MEAN).min(1.0);
        self.spare = spare;
        self.carries(now, rate);
        let newest = packets.iter().filter(|p| p.arrived_ns.is_some()).map(|p| p.sent_ns).max();
        let Some(took) = newest.and_then(|sent| now.checked_sub(sent)) else { return };
        if self.stretch_began + QUICKEST < now {
            self.quickest = (None, self.quickest.0);
            self.stretch_began = now;
        }
        self.quickest.0 = Some(self.quickest.0.map_or(took, |least| least.min(took)));
    }

    fn fill(&mut self, now: u64) {
        let since = now.saturating_sub(self.filled_at) as f64 / S as f64;
        self.filled_at = now;
        let share = if self.spare { (SHARE + self.loss).min(SHARE_MOST) } else { SHARE };
        let bits_per_second = self.rate * share;
        self.budget = (self.budget + since * bits_per_second).min(bits_per_second * SAVED_S);
    }

    /// A packet of the picture with this number and size is sent at `now`; `key` where it belongs to a key frame.
    pub fn sent(&mut self, now: u64, number: u16, bytes: usize, key: bool) {
        if key && !self.in_key {
            self.key = Some(number);
        }
        self.in_key = key;
        if self.sent.len() == SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            number,
            at: now,
            bits: bytes as u64 * 8,
            again_at: 0,
            answers: 0,
        });
    }

    /// The numbers of the packets that were sent last, the newest first, that are fit for padding: whoever has them
    /// already drops them.
    pub fn padding(&self) -> impl Iterator<Item = (u16, u64)> {
        self.sent.iter().rev().take(PADDING).map(|sent| (sent.number, sent.bits))
    }

    /// How soon an answer can be there, in nanoseconds.
    fn round_trip(&self) -> u64 {
        let known = [self.quickest.0, self.quickest.1];
        known.into_iter().flatten().min().unwrap_or(FIRST_ROUND_TRIP)
    }

    /// Whether the receiver was seen to drop what is sent again.
    pub const fn is_refused(&self, now: u64) -> bool {
        now < self.fruits.refused_until
    }

    /// The packet with this number is asked for at `now`.
    pub fn request(&mut self, now: u64, number: u16) -> Answer {
        self.fill(now);
        let hold = ((self.round_trip() as f64 * STALE) as u64).max(STALE_LEAST);
        let copies = self.copies();
        // One that is not known was never sent, or so long ago that a key frame has come since.
        let Some(place) = self.sent.iter().rposition(|sent| sent.number == number) else {
            return Answer::Nothing;
        };
        let sent = self.sent[place];
        let age = now.saturating_sub(sent.at);
        // Numbers wrap: what lies less than half of them behind another came before it.
        let replaced = self.key.is_some_and(|first| number.wrapping_sub(first) >= 1 << 15);
        if replaced && age > REPLACED {
            return Answer::Nothing;
        }
        if age > OLD {
            return self.key_frame(now);
        }
        if sent.again_at > 0 && now.saturating_sub(sent.again_at) < hold {
            return Answer::Nothing;
        }
        if self.is_refused(now) {
            return self.key_frame(now);
        }
        if sent.answers >= ANSWERS {
            if sent.answers == ANSWERS {
                self.sent[place].answers += 1;
                self.fruitless(now);
            }
            return self.key_frame(now);
        }
        let affordable = (self.budget / sent.bits.max(1) as f64) as u32;
        let copies = copies.min(affordable);
        if copies == 0 {
            return Answer::Nothing;
        }
        self.budget -= (sent.bits * u64::from(copies)) as f64;
        if sent.answers == 0 {
            self.fruits.first += 1;
        }
        let sent = &mut self.sent[place];
        sent.again_at = now;
        sent.answers += 1;
        Answer::Copies(copies)
    }

    /// A packet was answered in full, and is asked for once more.
    fn fruitless(&mut self, now: u64) {
        let fruits = &mut self.fruits;
        if fruits.began + FRUITLESS_TIME < now {
            (fruits.began, fruits.fruitless, fruits.first) = (now, 0, 0);
        }
        fruits.fruitless += 1;
        // On a path that loses half of everything it may be chance.
        if fruits.fruitless >= FRUITLESS && fruits.fruitless * 2 > fruits.first && self.loss < 0.5 {
            fruits.refused_until = now + FRUITLESS_REST;
            (fruits.began, fruits.fruitless, fruits.first) = (now, 0, 0);
        }
    }

    fn key_frame(&mut self, now: u64) -> Answer {
        if self.key_asked.is_some_and(|at| now < at + KEY_SPACING) {
            return Answer::Nothing;
        }
        self.key_asked = Some(now);
        Answer::KeyFrame
    }

    fn copies(&self) -> u32 {
        let (mut copies, mut lost) = (1, self.loss);
        while self.spare && lost > ALL_LOST && copies < MOST {
            lost *= self.loss;
            copies += 1;
        }
        copies
    }

    /// How many of the packets of sound before it go with each.
    pub fn echoes(&self) -> usize {
        match self.loss {
            _ if !self.spare => 0,
            loss if loss >= SOUND_THRICE => 2,
            loss if loss >= SOUND_TWICE => 1,
            _ => 0,
        }
    }

    /// The share of sound that is lost all the same, 0-1.
    pub fn sound_loss(&self) -> f64 {
        self.loss.powi(1 + self.echoes() as i32)
    }
}

#[cfg(test)]
mod tests;
