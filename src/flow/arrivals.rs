//! The packets of a path that arrived lately, and what their times say: the delay beyond the quickest packet, whether
//! that delay is a standing queue, and whether the queue is one that a narrow place serves at a steady rate or a pause
//! of one of the two machines. Pure.

use std::collections::VecDeque;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// The least delay within this long is that of the standing queue: jitter and bursts come and go in that time
/// (the minimum filter of CoDel, RFC 8289 section 3, with an interval for frames every 33 ms).
pub(super) const STANDING: u64 = 110 * MS;
/// The delivery rate is measured over this long.
pub(super) const DELIVERY: u64 = 500 * MS;
/// And over this long where many packets come.
const SHORT: u64 = 130 * MS;
/// A measurement over the short time needs so many packets.
const SHORT_PACKETS: usize = 8;
/// The quickest packet counts for at least this long, and at most twice as long.
const BASE: u64 = 10 * S;
/// A narrow place delivers within this much of a steady rate. Links that send in bursts (Wi-Fi aggregates, LTE
/// schedules) do so every 5-20 ms; a thread that was not scheduled delivers nothing for longer than this, and then
/// all at once.
const EVENNESS: u64 = 30 * MS;

/// Fewer packets do not show that they were served at a steady rate.
const SERVED: usize = 6;

/// A packet that arrived.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    sent: u64,
    at: u64,
    bytes: u32,
}

/// How a delay that stands above the limit came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// A steady server was busy all the time, and the delay grew while it was: a queue of our own packets.
    Served,
    /// The delay is there, but it does not grow: a longer way, or a queue that others keep full.
    Static,
    /// It came in one jump, or packets come in bunches: a pause of a machine or a link, no narrow place.
    Paused,
}

/// What arrived lately.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    packets: VecDeque<Arrival>,
    /// The quickest packets' delay in this stretch and in the one before; when this one began.
    base: (Option<i64>, Option<i64>),
    base_began: u64,
}

impl Arrivals {
    /// Takes a packet from a report that came at `now`.
    pub fn push(&mut self, now: u64, sent: u64, at: u64, bytes: u32) {
        let delay = at as i64 - sent as i64;
        if self.base_began + BASE < now {
            self.base = (None, self.base.0);
            self.base_began = now;
        }
        self.base.0 = Some(self.base.0.map_or(delay, |least| least.min(delay)));
        self.packets.push_back(Arrival { sent, at, bytes });
    }

    /// Forgets what is too old to matter. When the newest packet arrived; `None` while there is none.
    pub fn trim(&mut self) -> Option<u64> {
        let newest = self.packets.iter().map(|a| a.at).max()?;
        while self.packets.front().is_some_and(|a| a.at + 2 * DELIVERY < newest) {
            self.packets.pop_front();
        }
        Some(newest)
    }

    /// Forgets all packets, not the quickest delay.
    pub fn clear(&mut self) {
        self.packets.clear();
    }

    /// The quickest delay is measured anew, from the packets that are known: the way has become longer.
    pub fn rebase(&mut self, now: u64) {
        let least = self.packets.iter().map(|a| a.at as i64 - a.sent as i64).min();
        self.base = (least, None);
        self.base_began = now;
    }

    /// When the newest packet was sent.
    pub fn newest_sent(&self) -> Option<u64> {
        self.packets.back().map(|a| a.sent)
    }

    fn quickest(&self) -> i64 {
        [self.base.0, self.base.1].into_iter().flatten().min().unwrap_or_default()
    }

    fn delay(&self, packet: &Arrival) -> u64 {
        (packet.at as i64 - packet.sent as i64 - self.quickest()).max(0) as u64
    }

    /// Packets that arrived in the last `window`, the newest first.
    fn last(&self, newest: u64, window: u64) -> impl Iterator<Item = &Arrival> {
        self.packets.iter().rev().take_while(move |a| a.at + window >= newest)
    }

    /// The standing queue as a delay: of the last arrivals, the one that waited least.
    pub fn standing(&self, newest: u64) -> u64 {
        self.last(newest, STANDING).map(|a| self.delay(a)).min().unwrap_or_default()
    }

    /// Bits per second that arrived in the last `window`; `None` while they do not fill half of it.
    pub fn delivery(&self, newest: u64, window: u64) -> Option<f64> {
        let (mut bytes, mut first) = (0, None);
        for arrived in self.last(newest, window) {
            bytes += u64::from(arrived.bytes);
            first = Some(arrived);
        }
        // What the first packet weighs does not lie between the first arrival and the last.
        let first = first?;
        let span = newest.saturating_sub(first.at);
        let bytes = bytes - u64::from(first.bytes);
        (span * 2 >= window).then(|| bytes as f64 * 8.0 * S as f64 / span as f64)
    }

    /// The same over as short a time as has packets enough.
    pub fn delivery_now(&self, newest: u64) -> Option<f64> {
        let packets = self.last(newest, SHORT).count();
        let first = self.last(newest, SHORT).last()?;
        let span = newest - first.at;
        if packets < SHORT_PACKETS || span < SHORT / 4 {
            return self.delivery(newest, DELIVERY / 2);
        }
        self.delivery(newest, span)
    }

    /// Bits per second that arrived of what was sent between these two times, in the time they arrived in where that is
    /// longer; and whether they came at a steady rate.
    pub fn delivery_of(&self, from: u64, to: u64) -> (f64, bool) {
        let sent = |a: &&Arrival| (from..=to).contains(&a.sent);
        let packets: Vec<&Arrival> = self.packets.iter().filter(sent).collect();
        let (Some(first), Some(last)) = (packets.first(), packets.last()) else {
            return (0.0, true);
        };
        let bytes: u64 = packets.iter().map(|a| u64::from(a.bytes)).sum();
        let span = last.at.saturating_sub(first.at).max(to - from).max(1);
        (bytes as f64 * 8.0 * S as f64 / span as f64, is_even(&packets))
    }

    /// How the delay of the last packets came about, where `low` is no delay worth mentioning and it has to have grown
    /// by `growth`.
    pub fn growth(&self, newest: u64, low: u64, growth: u64) -> Growth {
        // From the last packet that did not wait; all of the window where every one waited.
        let mut begun = false;
        let mut window: Vec<&Arrival> = Vec::new();
        for arrived in self.last(newest, 2 * STANDING) {
            window.push(arrived);
            if self.delay(arrived) < low {
                begun = true;
                break;
            }
        }
        window.reverse();
        let (Some(first), Some(last)) = (window.first(), window.last()) else {
            return Growth::Static;
        };
        if window.len() < SERVED || last.at == first.at || !is_even(&window) {
            return Growth::Paused;
        }
        let half = window.len() / 2;
        let least = |part: &[&Arrival]| part.iter().map(|a| self.delay(a)).min().unwrap_or(0);
        let grown = least(&window[half..]) >= least(&window[..half.max(1)]) + growth;
        if begun || grown { Growth::Served } else { Growth::Static }
    }
}

/// Whether these packets arrived at a steady rate: a busy server's output is a straight line of bytes over time.
fn is_even(packets: &[&Arrival]) -> bool {
    let [first, others @ ..] = packets else { return true };
    let bytes: u64 = others.iter().map(|a| u64::from(a.bytes)).sum();
    let span = others.last().map_or(0, |last| last.at.saturating_sub(first.at));
    let mut passed = 0_u64;
    others.iter().all(|a| {
        passed += u64::from(a.bytes);
        let due = u128::from(span) * u128::from(passed) / u128::from(bytes.max(1));
        a.at.saturating_sub(first.at).abs_diff(due as u64) <= EVENNESS
    })
}
