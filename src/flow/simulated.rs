//! A path in use, for tests: before it a source that sends frames as it is told, behind it a receiver that
//! reports.

use super::{Estimator, Passage, Path, Reported};
use crate::base::{Kbps, Moment};

const MS: u64 = 1_000_000;
const STEP: u64 = MS / 2;
const PACKET: u32 = 1200;

/// Sender, path and receiver.
pub struct Link {
    pub way: Passage,
    pub estimator: Estimator,
    now: u64,
    frame: u64,
    chance: u64,
    pacer: Vec<u32>,
    credit: f64,
    /// On their way to the receiver.
    travelling: Vec<Reported>,
    /// Reports on their way back: when they come, and what they say.
    reports: Vec<(u64, Vec<Reported>)>,
    unreported: Vec<Reported>,
    /// Bits that arrived, by second.
    pub arrived: Vec<u64>,
    pub dropped: u64,
    pub sent: u64,
    /// The longest time a packet waited in the queue, in ms, lately.
    pub worst_queue_ms: u64,
    /// The source sends no more than this, in kbit/s.
    pub source_kbps: u32,
}

impl Link {
    /// A path of that rate with a queue of 300 ms and 20 ms each way.
    pub fn new(kbps: u32, estimator: Estimator) -> Self {
        let rate = Some(Kbps(kbps));
        let path = Path { rate, queue_ms: 300, delay_ms: 20, ..Path::CLEAR };
        Self {
            way: Passage::new(path, 0x2545_f491_4f6c_dd1d),
            estimator,
            now: 0,
            frame: 0,
            chance: 0x2545_f491_4f6c_dd1d,
            pacer: Vec::new(),
            credit: 0.0,
            travelling: Vec::new(),
            reports: Vec::new(),
            unreported: Vec::new(),
            arrived: vec![0],
            dropped: 0,
            sent: 0,
            worst_queue_ms: 0,
            source_kbps: u32::MAX,
        }
    }

    fn dice(&mut self) -> u64 {
        // xorshift64: enough for weather.
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance >> 16
    }

    pub fn run(&mut self, seconds: u64) {
        let end = self.now + seconds * 1000 * MS;
        self.worst_queue_ms = 0;
        while self.now < end {
            self.now += STEP;
            self.produce();
            self.send();
            self.receive();
        }
    }

    fn produce(&mut self) {
        if self.now / 33_333_333 == self.frame {
            return;
        }
        self.frame = self.now / 33_333_333;
        let kbps = self.estimator.rate().0.min(self.source_kbps);
        // Frames differ by a third either way; every sixtieth is a key frame.
        let size = u64::from(kbps) * 1000 / 8 / 30 * (67 + self.dice() % 66) / 100;
        let size = if self.frame.is_multiple_of(60) { size * 4 } else { size };
        let full = size / u64::from(PACKET);
        self.pacer.extend((0..full).map(|_| PACKET));
        self.pacer.push((size % u64::from(PACKET)) as u32 + 12);
    }

    fn send(&mut self) {
        let pace = f64::from(self.estimator.pace().bits_per_second());
        self.credit = (self.credit + pace * STEP as f64 / 1e9).min(pace * 0.02);
        while self.credit > 0.0 && !self.pacer.is_empty() {
            let bytes = self.pacer.remove(0);
            self.credit -= f64::from(bytes) * 8.0;
            self.sent += 1;
            let out = self.way.send(Moment(self.now), bytes as usize).map(|at| at.0);
            match out {
                Some(at) => {
                    let travels = (at - self.now) / MS;
                    let quickest = u64::from(self.way.path.delay_ms);
                    self.worst_queue_ms = self.worst_queue_ms.max(travels - quickest);
                }
                None => self.dropped += 1,
            }
            let packet = Reported { sent_ns: self.now, arrived_ns: out, bytes };
            self.travelling.push(packet);
        }
    }

    fn receive(&mut self) {
        let now = self.now;
        let here = |p: &Reported| match p.arrived_ns {
            Some(at) => at <= now,
            // That it is missing is seen when the next one is there.
            None => p.sent_ns + 100 * MS <= now,
        };
        let (come, still): (Vec<_>, Vec<_>) = self.travelling.drain(..).partition(here);
        self.travelling = still;
        for packet in come {
            if let Some(at) = packet.arrived_ns {
                let second = (at / 1_000_000_000) as usize;
                self.arrived.resize(self.arrived.len().max(second + 1), 0);
                self.arrived[second] += u64::from(packet.bytes) * 8;
            }
            self.unreported.push(packet);
        }
        if self.now.is_multiple_of(100 * MS) && !self.unreported.is_empty() {
            let mut report = std::mem::take(&mut self.unreported);
            report.sort_by_key(|p| p.sent_ns);
            self.reports.push((self.now + u64::from(self.way.path.delay_ms) * MS, report));
        }
        while self.reports.first().is_some_and(|(at, _)| *at <= now) {
            let (_, report) = self.reports.remove(0);
            // The receiver's clock has an offset of its own.
            let report: Vec<_> = report
                .into_iter()
                .map(|p| Reported { arrived_ns: p.arrived_ns.map(|at| at + 77_000 * MS), ..p })
                .collect();
            self.estimator.report(now, &report);
        }
    }

    /// kbit/s that arrived in the last `seconds`.
    pub fn kbps(&self, seconds: usize) -> u64 {
        let whole = self.arrived.len() - 1;
        let from = whole.saturating_sub(seconds);
        self.arrived[from..whole].iter().sum::<u64>() / 1000 / seconds as u64
    }
}
