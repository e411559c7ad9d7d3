//! Packet trains: the packets of a frame leave faster than the mean rate, and the distance at which they arrive says
//! how fast the narrowest place on the path is (packet-train dispersion). It tells that a ceiling has been lifted,
//! without sending anything for it. Pure.

use std::collections::VecDeque;

use super::Reported;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// Packets that leave closer together than this are one train.
const GAP: u64 = 5 * MS;
/// Shorter trains say nothing.
const SHORTEST: usize = 4;
/// The trains of the last second are looked at, and this many at least.
const WINDOW: u64 = S;
const ENOUGH: usize = 8;

/// The trains of the last second.
#[derive(Debug, Default)]
pub(super) struct Trains {
    /// When they were reported, and how fast they arrived, in bits per second.
    arrived: VecDeque<(u64, f64)>,
}

impl Trains {
    /// Takes a report's packets, in the order in which they were sent. Trains that were sent slower than `fast` bits
    /// per second cannot show more than that, and are left out.
    pub fn report(&mut self, now: u64, packets: &[Reported], fast: Option<f64>) {
        while self.arrived.front().is_some_and(|(at, _)| at + WINDOW < now) {
            self.arrived.pop_front();
        }
        let Some(fast) = fast else { return };
        let together = |a: &Reported, b: &Reported| b.sent_ns.saturating_sub(a.sent_ns) < GAP;
        for train in packets.chunk_by(together).filter(|t| t.len() >= SHORTEST) {
            let (first, last) = (train[0], train[train.len() - 1]);
            let (Some(from), Some(to)) = (first.arrived_ns, last.arrived_ns) else { continue };
            // What the first packet weighs does not lie between the two arrivals.
            let bits: u64 = train[1..].iter().map(|p| u64::from(p.bytes) * 8).sum();
            let speed = |span: u64| bits as f64 * S as f64 / span.max(1) as f64;
            let sent = speed(last.sent_ns.saturating_sub(first.sent_ns));
            if to > from && sent > fast {
                self.arrived.push_back((now, speed(to - from)));
            }
        }
    }

    /// The speed that three of four trains reached, in bits per second; `None` while there are too few of them.
    pub fn speed(&self) -> Option<f64> {
        if self.arrived.len() < ENOUGH {
            return None;
        }
        let mut speeds: Vec<f64> = self.arrived.iter().map(|(_, speed)| *speed).collect();
        speeds.sort_by(f64::total_cmp);
        speeds.get(speeds.len() / 4).copied()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.arrived.clear();
    }
}
