//! A path as the network would be: a delay, jitter, loss, a narrowest place with a queue that drops at its
//! tail. For each packet it says when it comes through, if it does. Chance comes from a seed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Kbps, Moment};

/// What a path is like, one way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Path {
    /// What its narrowest place carries; `None` is anything.
    pub rate: Option<Kbps>,
    /// What may wait there, in milliseconds at that rate.
    pub queue_ms: u32,
    /// From end to end, in milliseconds.
    pub delay_ms: u32,
    /// Added to it by chance for each packet, up to this many milliseconds; packets stay in order.
    pub jitter_ms: u32,
    /// The share of packets lost by chance, 0-1.
    pub loss: f64,
    /// Nothing comes through.
    pub down: bool,
    /// Nothing comes through now and then.
    #[serde(default)]
    pub outage: Option<Outage>,
}

/// Outages that come again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// From the beginning of one to that of the next, in milliseconds. The first comes after as long.
    pub every_ms: u32,
    /// How long one lasts, in milliseconds; less than that.
    pub ms: u32,
}

impl Outage {
    const fn is_on(self, now: Moment) -> bool {
        let every = if self.every_ms == 0 { 1 } else { self.every_ms as u64 };
        let ms = now.0 / 1_000_000;
        ms >= every && ms % every < self.ms as u64
    }
}

impl Path {
    /// Nothing in the way.
    pub const CLEAR: Self = Self {
        rate: None,
        queue_ms: 300,
        delay_ms: 0,
        jitter_ms: 0,
        loss: 0.0,
        down: false,
        outage: None,
    };

    /// Whether packets pass as if there were no path at all.
    pub fn is_clear(&self) -> bool {
        self.rate.is_none()
            && self.delay_ms == 0
            && self.jitter_ms == 0
            && self.loss == 0.0
            && !self.down
            && self.outage.is_none()
    }
}

/// A path in use.
#[derive(Debug, Clone)]
pub struct Passage {
    /// What it is like now; may be changed at any time.
    pub path: Path,
    free_at: Moment,
    last_out: Moment,
    chance: u64,
}

impl Passage {
    /// `seed` decides what chance brings.
    pub const fn new(path: Path, seed: u64) -> Self {
        // xorshift must not begin with zero.
        Self { path, free_at: Moment(0), last_out: Moment(0), chance: seed | 1 }
    }

    /// When a packet of that size comes through that is sent at `now`; `None` when it is lost.
    pub fn send(&mut self, now: Moment, bytes: usize) -> Option<Moment> {
        let path = self.path;
        // Drawn for every packet, so that a change of the path changes nothing but the path.
        let (lot, shake) = (self.draw(), self.draw());
        let silent = path.down || path.outage.is_some_and(|outage| outage.is_on(now));
        if silent || lot < path.loss {
            return None;
        }
        let mut out = now;
        if let Some(rate) = path.rate {
            let waits = self.free_at.since(now);
            if waits > Duration::from_millis(path.queue_ms.into()) {
                return None;
            }
            let takes = Duration::from_nanos(bytes as u64 * 8_000_000 / u64::from(rate.0.max(1)));
            self.free_at = self.free_at.max(now) + takes;
            out = self.free_at;
        }
        let jitter = Duration::from_millis(path.jitter_ms.into()).mul_f64(shake);
        out = (out + Duration::from_millis(path.delay_ms.into()) + jitter).max(self.last_out);
        self.last_out = out;
        Some(out)
    }

    /// 0-1.
    fn draw(&mut self) -> f64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_ms(ms)
    }

    #[test]
    fn a_clear_path_changes_nothing() {
        assert!(Path::CLEAR.is_clear());
        let mut passage = Passage::new(Path::CLEAR, 7);
        assert_eq!(passage.send(at(5), 1200), Some(at(5)));
    }

    #[test]
    fn a_narrow_place_spaces_packets_and_drops_at_its_tail() {
        let path = Path { rate: Some(Kbps(1000)), queue_ms: 50, delay_ms: 20, ..Path::CLEAR };
        let mut passage = Passage::new(path, 7);
        // 1250 bytes take 10 ms.
        let out: Vec<_> = (0..10).map(|_| passage.send(at(0), 1250)).collect();
        assert_eq!(out[..6], [30, 40, 50, 60, 70, 80].map(|ms| Some(at(ms))));
        assert_eq!(out[6..], [None; 4]);
        assert_eq!(passage.send(at(100), 1250), Some(at(130)), "the queue has drained");
    }

    #[test]
    fn loss_is_the_share_it_says_and_jitter_keeps_the_order() {
        let path = Path { loss: 0.05, jitter_ms: 50, delay_ms: 10, ..Path::CLEAR };
        let mut passage = Passage::new(path, 99);
        let out: Vec<_> = (0..20_000).filter_map(|n| passage.send(at(n), 100)).collect();
        let lost = 20_000 - out.len();
        assert!((800..1200).contains(&lost), "{lost}");
        assert!(out.is_sorted());
    }

    #[test]
    fn an_outage_loses_everything_and_ends() {
        let mut passage = Passage::new(Path { down: true, ..Path::CLEAR }, 1);
        assert_eq!(passage.send(at(0), 100), None);
        passage.path.down = false;
        assert_eq!(passage.send(at(1), 100), Some(at(1)));
    }

    #[test]
    fn outages_come_again_and_again() {
        let outage = Some(Outage { every_ms: 1000, ms: 100 });
        let mut passage = Passage::new(Path { outage, ..Path::CLEAR }, 1);
        assert!(!passage.path.is_clear());
        let lost: Vec<u64> =
            (0..3000).step_by(50).filter(|ms| passage.send(at(*ms), 100).is_none()).collect();
        assert_eq!(lost, [1000, 1050, 2000, 2050]);
    }
}
