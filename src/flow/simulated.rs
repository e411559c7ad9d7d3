//! A path in use, for tests: before it a source that sends frames and sound as it is told, behind it a receiver that
//! reports. Either machine can be made to pause.

use super::{Estimator, Passage, Path, Probe, Reported};
use crate::base::{Kbps, Moment};

const MS: u64 = 1_000_000;
const STEP: u64 = MS / 2;
const PACKET: u32 = 1200;
/// A packet of sound every 20 ms.
const SOUND: u32 = 160;

/// Which thread is not scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// The sender's, before packets get their time.
    Sender,
    /// The sender's, after packets got their time.
    Socket,
    /// The receiver's: what arrives is read, and reported, when it runs again.
    Receiver,
    /// The whole machine, sender and receiver, as in a rehearsal.
    Both,
}

/// Sender, path and receiver.
pub struct Link {
    pub way: Passage,
    pub estimator: Estimator,
    now: u64,
    frame: u64,
    sound: u64,
    chance: u64,
    pacer: Vec<u32>,
    credit: f64,
    paused: Option<(Paused, u64)>,
    /// Whether the sender can send padding, and what of it is under way: until when, and at which rate.
    pub pads: bool,
    padding: Option<(u64, Probe)>,
    /// Padding that was sent, in bytes.
    pub padded: u64,
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
    /// The least that the estimate was, in kbit/s, lately.
    pub least_kbps: u32,
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
            sound: 0,
            chance: 0x2545_f491_4f6c_dd1d,
            pacer: Vec::new(),
            credit: 0.0,
            paused: None,
            pads: true,
            padding: None,
            padded: 0,
            travelling: Vec::new(),
            reports: Vec::new(),
            unreported: Vec::new(),
            arrived: vec![0],
            dropped: 0,
            sent: 0,
            worst_queue_ms: 0,
            least_kbps: u32::MAX,
            source_kbps: u32::MAX,
        }
    }

    fn dice(&mut self) -> u64 {
        // xorshift64: enough for a path.
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance >> 16
    }

    /// That thread is not scheduled from now on for so long.
    pub fn pause(&mut self, who: Paused, ms: u64) {
        self.paused = Some((who, self.now + ms * MS));
    }

    /// Until when one of these is paused.
    fn pause_of(&self, who: &[Paused]) -> Option<u64> {
        self.paused.filter(|(which, until)| who.contains(which) && self.now < *until).map(|p| p.1)
    }

    pub fn run(&mut self, seconds: u64) {
        self.run_ms(seconds * 1000);
    }

    pub fn run_ms(&mut self, ms: u64) {
        let end = self.now + ms * MS;
        self.worst_queue_ms = 0;
        self.least_kbps = self.estimator.rate().0;
        while self.now < end {
            self.now += STEP;
            self.produce();
            if self.pause_of(&[Paused::Sender, Paused::Both]).is_none() {
                self.send();
            }
            if self.pause_of(&[Paused::Receiver, Paused::Both]).is_none() {
                self.receive();
            }
            if self.pause_of(&[Paused::Sender, Paused::Both]).is_none() {
                self.hear();
            }
            self.least_kbps = self.least_kbps.min(self.estimator.rate().0);
        }
    }

    fn produce(&mut self) {
        if self.now / (20 * MS) != self.sound {
            self.sound = self.now / (20 * MS);
            // Sound passes what waits.
            self.pacer.insert(0, SOUND);
        }
        if self.now / 33_333_333 == self.frame {
            return;
        }
        self.frame = self.now / 33_333_333;
        let kbps = self.estimator.rate().0.saturating_sub(64).min(self.source_kbps);
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
            self.depart(bytes);
        }
        let Some((until, probe)) = self.padding else { return };
        if self.now >= until {
            self.padding = None;
            return;
        }
        let began = until - probe.lasts.as_nanos() as u64;
        let due = u64::from(probe.rate.bits_per_second()) / 8 * (self.now - began) / 1_000_000_000;
        let since = |p: &&Reported| p.sent_ns >= began;
        let done = self
            .travelling
            .iter()
            .chain(&self.unreported)
            .chain(self.reports.iter().flat_map(|r| &r.1));
        let done: u64 = done.filter(since).map(|p| u64::from(p.bytes)).sum();
        for _ in 0..due.saturating_sub(done) / u64::from(PACKET) {
            self.padded += u64::from(PACKET);
            self.depart(PACKET);
        }
    }

    fn depart(&mut self, bytes: u32) {
        self.sent += 1;
        let leaves = self.pause_of(&[Paused::Socket]).unwrap_or(self.now);
        let out = self.way.send(Moment(leaves), bytes as usize).map(|at| at.0);
        match out {
            Some(at) => {
                let travels = (at - leaves) / MS;
                let quickest = u64::from(self.way.path.delay_ms);
                self.worst_queue_ms = self.worst_queue_ms.max(travels - quickest);
            }
            None => self.dropped += 1,
        }
        let packet = Reported { sent_ns: self.now, arrived_ns: out, bytes };
        self.travelling.push(packet);
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
            // Its time is that at which it is read.
            let packet = Reported { arrived_ns: packet.arrived_ns.map(|_| now), ..packet };
            if packet.arrived_ns.is_some() {
                let second = (now / 1_000_000_000) as usize;
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
    }

    fn hear(&mut self) {
        let now = self.now;
        while self.reports.first().is_some_and(|(at, _)| *at <= now) {
            let (_, report) = self.reports.remove(0);
            // The receiver's clock has an offset of its own.
            let report: Vec<_> = report
                .into_iter()
                .map(|p| Reported { arrived_ns: p.arrived_ns.map(|at| at + 77_000 * MS), ..p })
                .collect();
            self.estimator.report(now, &report);
            if let Some(probe) = self.estimator.probe(now).filter(|_| self.pads) {
                self.padding = Some((now + probe.lasts.as_nanos() as u64, probe));
            }
        }
    }

    /// kbit/s that arrived in the last `seconds`.
    pub fn kbps(&self, seconds: usize) -> u64 {
        let whole = self.arrived.len() - 1;
        let from = whole.saturating_sub(seconds);
        self.arrived[from..whole].iter().sum::<u64>() / 1000 / seconds as u64
    }
}
