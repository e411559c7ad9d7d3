//! When packets may leave. What the path is clear for leaves at once; what it is not (a key frame) is spread. Sound
//! never waits. Retransmissions pass the picture: whole frames wait for them at the other end. Padding is sent only
//! while a probe asks for it, behind everything else.
//!
//! Over any 200 ms no more than 1.25 times the estimated rate leaves, whoever asks for it: media, retransmissions,
//! redundant sound and padding together. Sound alone may exceed it. Pure: time and packets are handed in.

use std::{collections::VecDeque, time::Duration};

use super::Probe;

/// How much may leave at once after a pause: this long at the pace.
const BURST: Duration = Duration::from_millis(20);
/// What has waited longer than this at the pace leaves as soon as the limit allows: late packets are worth less than a
/// queue of the network's. On a path that is full already they wait longer.
const LONGEST: Duration = Duration::from_millis(30);
const LONGEST_ON_FULL_PATH: Duration = Duration::from_millis(250);
/// The limit: this many times the estimated rate over this long. Less than 1.25, because a packet of sound never waits,
/// and the figure that is shown (what was delivered) may be a twentieth below the rate.
const LIMIT: f64 = 1.18;
const WINDOW: Duration = Duration::from_millis(200);
/// A picture that would wait longer than this at the estimated rate is dropped, and a key frame is asked for.
const HOPELESS: Duration = Duration::from_millis(1500);
/// Retransmissions that may wait, and for how long: after that the receiver has asked again.
const MOST_AGAIN: usize = 64;
const AGAIN_WAITS: Duration = Duration::from_millis(150);

/// What a packet is to the pacer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whether it is the last of its frame.
    Picture {
        /// Whether it is the last of its frame.
        last: bool,
    },
    /// A packet of sound, for the first time or redundantly.
    Sound,
    /// A retransmission that was asked for.
    Again,
    /// A packet that nobody needs.
    Padding,
}

/// A leaky bucket: what may leave now, in bits.
#[derive(Debug)]
struct Bucket {
    bits_per_second: u64,
    bits: i64,
    filled_at: Duration,
}

impl Bucket {
    fn new(bits_per_second: u64) -> Self {
        let mut bucket = Self { bits_per_second, bits: 0, filled_at: Duration::ZERO };
        bucket.bits = bucket.over(BURST);
        bucket
    }

    /// What the rate carries in that time.
    fn over(&self, time: Duration) -> i64 {
        (time.as_secs_f64() * self.bits_per_second as f64) as i64
    }

    fn fill(&mut self, now: Duration) {
        let gained = self.over(now.saturating_sub(self.filled_at));
        self.bits = self.bits.saturating_add(gained).min(self.over(BURST));
        self.filled_at = now;
    }

    /// Takes `bits` out if there is room; a packet may overdraw, so that one larger than the burst leaves.
    const fn take(&mut self, bits: u64) -> bool {
        let room = self.bits > 0;
        if room {
            self.spend(bits);
        }
        room
    }

    const fn spend(&mut self, bits: u64) {
        self.bits = self.bits.saturating_sub_unsigned(bits);
    }
}

/// What left in the last 200 ms.
#[derive(Debug, Default)]
struct Window {
    left: VecDeque<(Duration, u64)>,
    bits: u64,
}

impl Window {
    fn pass(&mut self, now: Duration) {
        while let Some((at, bits)) = self.left.front().copied()
            && at + WINDOW <= now
        {
            self.left.pop_front();
            self.bits -= bits;
        }
    }

    fn note(&mut self, now: Duration, bits: u64) {
        self.bits += bits;
        match self.left.back_mut() {
            // One entry a millisecond is exact enough, and few: it counts from its youngest packet on.
            Some((at, sum)) if *at + Duration::from_millis(1) > now => {
                *at = now;
                *sum += bits;
            }
            _ => self.left.push_back((now, bits)),
        }
    }
}

#[derive(Debug)]
struct Waiting<T> {
    packet: T,
    bits: u64,
    since: Duration,
}

/// A probe that is under way.
#[derive(Debug, Clone, Copy)]
struct Probing {
    began: Duration,
    probe: Probe,
    /// What left since it began.
    bits: u64,
}

/// What left, and what waited.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Passed {
    /// All that left, in bits.
    pub bits: u64,
    /// Of these what was sent again because it was asked for.
    pub again_bits: u64,
    /// Of these what nobody needed.
    pub padding_bits: u64,
    /// Retransmissions that were dropped because they waited too long.
    pub again_dropped: u64,
    /// Times at which the picture was dropped because it would have waited too long.
    pub overflows: u64,
}

/// The packets that wait, and the rates at which they leave.
#[derive(Debug)]
pub struct Pacing<T> {
    bucket: Bucket,
    rate_bits: u64,
    longest: Duration,
    window: Window,
    /// The packets of a frame that may leave at once, until its last one is there.
    train: Vec<T>,
    train_bits: u64,
    picture: VecDeque<Waiting<T>>,
    picture_bits: u64,
    again: VecDeque<Waiting<T>>,
    padding: VecDeque<Waiting<T>>,
    probing: Option<Probing>,
    passed: Passed,
}

impl<T> Pacing<T> {
    /// Nothing waits. Bursts leave at `pace`, both rates in bits per second.
    pub fn new(rate: u64, pace: u64) -> Self {
        Self {
            bucket: Bucket::new(pace),
            rate_bits: rate,
            longest: LONGEST,
            window: Window::default(),
            train: Vec::new(),
            train_bits: 0,
            picture: VecDeque::new(),
            picture_bits: 0,
            again: VecDeque::new(),
            padding: VecDeque::new(),
            probing: None,
            passed: Passed::default(),
        }
    }

    /// From `now` on the path is estimated to carry `rate`, and bursts leave at `pace`, both in bits per second;
    /// `full` where a queue stands on the path.
    pub fn set(&mut self, now: Duration, rate: u64, pace: u64, full: bool) {
        self.bucket.fill(now);
        self.bucket.bits_per_second = pace;
        self.rate_bits = rate;
        self.longest = if full { LONGEST_ON_FULL_PATH } else { LONGEST };
    }

    /// Padding that comes from now on is sent as this probe asks for it.
    pub fn probe(&mut self, now: Duration, probe: Probe) {
        self.padding.clear();
        self.probing = Some(Probing { began: now, probe, bits: 0 });
    }

    /// What left since the beginning.
    pub const fn passed(&self) -> Passed {
        self.passed
    }

    /// The picture that waits: for how long at the estimated rate, in ms, and in packets.
    pub fn waits(&self) -> (f64, usize) {
        (self.picture_bits as f64 * 1000.0 / self.rate_bits.max(1) as f64, self.picture.len())
    }

    /// Whether nothing waits for its time.
    pub fn is_idle(&self) -> bool {
        self.picture.is_empty() && self.again.is_empty() && self.padding.is_empty()
    }

    /// What may still leave within the limit.
    fn room(&mut self, now: Duration) -> u64 {
        self.window.pass(now);
        let limit = (self.rate_bits as f64 * LIMIT * WINDOW.as_secs_f64()) as u64;
        limit.saturating_sub(self.window.bits + self.train_bits)
    }

    fn leaves(&mut self, now: Duration, bits: u64) {
        self.window.note(now, bits);
        self.passed.bits += bits;
        if let Some(probing) = &mut self.probing {
            probing.bits += bits;
        }
    }

    /// Takes a packet, and gives what leaves now; the rest waits. The packets of one frame leave together: what is on
    /// their way is then woken once for all of them. `held` says that packets which were given out by `next` have not
    /// left yet: no picture may overtake them.
    pub fn put(&mut self, now: Duration, kind: Kind, packet: T, bits: u64, held: bool) -> Vec<T> {
        self.bucket.fill(now);
        match kind {
            Kind::Sound => {
                self.bucket.spend(bits);
                self.leaves(now, bits);
                vec![packet]
            }
            Kind::Again => self.put_again(now, packet, bits),
            Kind::Padding => {
                // Without a probe nobody wants it.
                if self.probing.is_some() {
                    self.padding.push_back(Waiting { packet, bits, since: now });
                }
                Vec::new()
            }
            Kind::Picture { last } => self.put_picture(now, packet, bits, last, held),
        }
    }

    fn put_again(&mut self, now: Duration, packet: T, bits: u64) -> Vec<T> {
        if self.again.is_empty() && self.room(now) >= bits {
            self.bucket.spend(bits);
            self.leaves(now, bits);
            self.passed.again_bits += bits;
            return vec![packet];
        }
        if self.again.len() == MOST_AGAIN {
            self.again.pop_front();
            self.passed.again_dropped += 1;
        }
        self.again.push_back(Waiting { packet, bits, since: now });
        Vec::new()
    }

    fn put_picture(
        &mut self,
        now: Duration,
        packet: T,
        bits: u64,
        last: bool,
        held: bool,
    ) -> Vec<T> {
        let free = self.picture.is_empty() && !held && self.room(now) >= bits;
        if free && self.bucket.take(bits) {
            self.train.push(packet);
            self.train_bits += bits;
            if !last {
                return Vec::new();
            }
            let train_bits = std::mem::take(&mut self.train_bits);
            self.leaves(now, train_bits);
            return std::mem::take(&mut self.train);
        }
        // What of the frame might have left must not be overtaken by its rest.
        let begun_bits = std::mem::take(&mut self.train_bits);
        self.bucket.bits = self.bucket.bits.saturating_add_unsigned(begun_bits);
        let begun = std::mem::take(&mut self.train);
        let each = begun_bits / begun.len().max(1) as u64;
        for packet in begun {
            self.picture.push_back(Waiting { packet, bits: each, since: now });
            self.picture_bits += each;
        }
        self.picture.push_back(Waiting { packet, bits, since: now });
        self.picture_bits += bits;
        if self.picture_bits as f64 > self.rate_bits as f64 * HOPELESS.as_secs_f64() {
            self.picture.clear();
            self.picture_bits = 0;
            self.passed.overflows += 1;
        }
        Vec::new()
    }

    /// What of what waits leaves at `now`.
    pub fn next(&mut self, now: Duration) -> Vec<T> {
        self.bucket.fill(now);
        let mut leaving = Vec::new();
        while let Some(head) = self.again.front() {
            if now.saturating_sub(head.since) > AGAIN_WAITS {
                self.again.pop_front();
                self.passed.again_dropped += 1;
                continue;
            }
            let bits = head.bits;
            if self.room(now) < bits {
                break;
            }
            self.bucket.spend(bits);
            self.leaves(now, bits);
            self.passed.again_bits += bits;
            leaving.extend(self.again.pop_front().map(|w| w.packet));
        }
        let most = self.bucket.over(self.longest);
        while let Some(bits) = self.picture.front().map(|w| w.bits) {
            if self.room(now) < bits {
                break;
            }
            if self.picture_bits as i64 > most {
                self.bucket.spend(bits);
                // What had to leave is not held against what comes.
                self.bucket.bits = self.bucket.bits.max(-most);
            } else if !self.bucket.take(bits) {
                break;
            }
            self.picture_bits -= bits;
            self.leaves(now, bits);
            leaving.extend(self.picture.pop_front().map(|w| w.packet));
        }
        if leaving.is_empty() && self.picture.is_empty() {
            leaving = self.next_padding(now);
        }
        leaving
    }

    /// The padding that the probe is behind with.
    fn next_padding(&mut self, now: Duration) -> Vec<T> {
        let Some(Probing { began, probe, .. }) = self.probing else { return Vec::new() };
        let since = now.saturating_sub(began);
        if since > probe.lasts {
            self.probing = None;
            self.padding.clear();
            return Vec::new();
        }
        let due = (since.as_secs_f64() * f64::from(probe.rate.bits_per_second())) as u64;
        let mut leaving = Vec::new();
        while let Some(bits) = self.padding.front().map(|w| w.bits)
            && self.probing.is_some_and(|probing| probing.bits + bits <= due)
            && self.room(now) >= bits
        {
            self.bucket.spend(bits);
            self.leaves(now, bits);
            self.passed.padding_bits += bits;
            leaving.extend(self.padding.pop_front().map(|w| w.packet));
        }
        leaving
    }
}

#[cfg(test)]
mod tests;
