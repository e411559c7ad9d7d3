//! The coarse estimate on simulated paths: a source that sends at the rate it is told, a receiver that reports once a
//! second or so.

use proptest::prelude::*;

use super::*;
use crate::flow::{Passage, Path};

const MS: u64 = 1_000_000;
const PACKET: usize = 1200;

/// Sender, path and receiver.
struct Link {
    way: Passage,
    coarse: Coarse,
    now: u64,
    credit: f64,
    number: u32,
    /// Arrivals to come, with their numbers.
    travelling: Vec<(u64, u32)>,
    highest: u32,
    received: u32,
    last_wait: f64,
    next_report: u64,
    chance: u64,
    sent_bits: u64,
    arrived_bits: u64,
    /// It sends no more than that.
    source_kbps: f64,
    with_rtt: bool,
    every_ms: u64,
}

impl Link {
    fn new(path: Path) -> Self {
        let bounds = Bounds { start: Kbps(1800), least: Kbps(150), most: Kbps(2600) };
        Self {
            way: Passage::new(path, 77),
            coarse: Coarse::new(bounds),
            now: 0,
            credit: 0.0,
            number: 0,
            travelling: Vec::new(),
            highest: 0,
            received: 0,
            last_wait: 0.0,
            next_report: 1000 * MS,
            chance: 0x9e37_79b9_7f4a_7c15,
            sent_bits: 0,
            arrived_bits: 0,
            source_kbps: f64::MAX,
            with_rtt: true,
            every_ms: 1000,
        }
    }

    fn dice(&mut self) -> f64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Runs for so long; what arrived of it, in kbit/s, and the mean rate.
    fn run(&mut self, seconds: u64) -> (f64, f64) {
        let (end, before) = (self.now + seconds * 1000 * MS, self.arrived_bits);
        let (mut rates, mut reports, mut since) = (0.0, 0.0, self.sent_bits);
        let mut at = self.now;
        while self.now < end {
            self.now += MS;
            let kbps = f64::from(self.coarse.rate().0).min(self.source_kbps);
            self.credit += kbps;
            while self.credit >= (PACKET * 8) as f64 {
                self.credit -= (PACKET * 8) as f64;
                self.number += 1;
                self.sent_bits += PACKET as u64 * 8;
                if let Some(out) = self.way.send(Moment(self.now), PACKET) {
                    self.travelling.push((out.0, self.number));
                }
            }
            let (now, path_ms) = (self.now, u64::from(self.way.path.delay_ms));
            let here: Vec<_> = self.travelling.extract_if(.., |(out, _)| *out <= now).collect();
            for (out, number) in here {
                self.highest = self.highest.max(number);
                self.received += 1;
                self.arrived_bits += PACKET as u64 * 8;
                let _ = out;
            }
            // What a packet waits now: seen by the sender report, which is one.
            self.last_wait = self
                .travelling
                .iter()
                .map(|(out, _)| (out.saturating_sub(now) / MS).saturating_sub(path_ms) as f64)
                .fold(0.0, f64::max);
            if self.now >= self.next_report {
                let spread = 0.5 + self.dice();
                self.next_report = self.now + (self.every_ms as f64 * spread) as u64 * MS;
                let passed = (self.now - at) as f64 / 1e6;
                let sent = (self.sent_bits - since) as f64 / passed.max(1.0);
                (at, since) = (self.now, self.sent_bits);
                let seen = Seen {
                    highest: self.highest,
                    lost: self.highest as i32 - self.received as i32,
                    rtt_ms: self.with_rtt.then_some(2.0 * path_ms as f64 + self.last_wait),
                    sent_kbps: Some(sent),
                };
                if !self.way.path.down {
                    self.coarse.report(Moment(self.now), seen);
                }
                rates += f64::from(self.coarse.rate().0);
                reports += 1.0;
            }
        }
        let arrived = (self.arrived_bits - before) as f64 / (seconds * 1000) as f64;
        (arrived, rates / f64::max(reports, 1.0))
    }
}

fn path(kbps: u32) -> Path {
    Path { rate: Some(Kbps(kbps)), queue_ms: 300, delay_ms: 20, ..Path::CLEAR }
}

#[test]
fn a_wide_path_is_filled_to_the_top() {
    let mut link = Link::new(path(20_000));
    link.run(15);
    assert_eq!(link.coarse.rate(), Kbps(2600));
    assert!(link.coarse.loss() < 0.001);
}

#[test]
fn a_path_that_narrows_is_followed_within_a_few_reports_and_used() {
    for (with_rtt, queue_ms) in [(true, 300), (false, 300), (true, 10), (false, 10)] {
        let mut link = Link::new(Path { queue_ms, ..path(4000) });
        link.with_rtt = with_rtt;
        link.run(15);
        link.way.path.rate = Some(Kbps(1000));
        link.run(6);
        let (arrived, rate) = link.run(20);
        let told = format!("rtt {with_rtt}, queue {queue_ms}: {arrived} kb/s, rate {rate}");
        assert!(arrived > 600.0, "{told}");
        assert!(rate < 1200.0, "{told}");
        assert!(link.coarse.loss() < 0.15, "{told}");
    }
}

#[test]
fn a_path_that_widens_again_is_found_within_half_a_minute() {
    let mut link = Link::new(path(4000));
    link.run(10);
    link.way.path.rate = Some(Kbps(1000));
    link.run(15);
    link.way.path.rate = Some(Kbps(4000));
    link.run(30);
    assert!(link.coarse.rate().0 >= 1800, "{}", link.coarse.rate());
}

#[test]
fn random_loss_is_not_congestion() {
    for (loss, with_rtt) in [(0.01, true), (0.05, true), (0.15, true), (0.15, false), (0.2, true)] {
        let mut link = Link::new(Path { loss, ..path(4000) });
        link.with_rtt = with_rtt;
        link.run(20);
        let (_, rate) = link.run(20);
        assert!(rate >= 1300.0, "{loss}: {rate}");
    }
}

#[test]
fn a_path_that_narrows_under_random_loss_is_followed_too() {
    let mut link = Link::new(Path { loss: 0.15, ..path(4000) });
    link.run(30);
    link.way.path.rate = Some(Kbps(800));
    link.run(8);
    let (_, rate) = link.run(20);
    assert!(rate < 1100.0, "{rate}");
}

#[test]
fn what_was_never_sent_is_not_believed() {
    let mut link = Link::new(path(20_000));
    link.source_kbps = 300.0;
    link.run(60);
    assert!(link.coarse.rate().0 <= 1800, "{}", link.coarse.rate());
}

#[test]
fn remb_is_a_ceiling_while_it_is_young() {
    let bounds = Bounds { start: Kbps(1800), least: Kbps(150), most: Kbps(2600) };
    let mut coarse = Coarse::new(bounds);
    let at = Moment::from_ms;
    coarse.remb(at(0), 0);
    assert_eq!(coarse.rate(), Kbps(1800), "nothing is known yet");
    coarse.remb(at(1000), 700_000);
    assert_eq!(coarse.rate(), Kbps(700));
    let mut seen = Seen { sent_kbps: Some(1000.0), ..Seen::default() };
    for second in 2..40 {
        seen.highest += 100;
        if second < 10 {
            coarse.remb(at(second * 1000), 700_000);
        }
        coarse.report(at(second * 1000), seen);
        assert!(second > 14 || coarse.rate() <= Kbps(700), "{second} s: {}", coarse.rate());
    }
    assert!(coarse.rate().0 > 1200, "{}", coarse.rate());
    coarse.remb(at(41_000), 5_000_000);
    assert!(coarse.rate().0 > 1200);
}

#[test]
fn a_receiver_that_begins_anew_or_hears_nothing_changes_nothing() {
    let bounds = Bounds { start: Kbps(1000), least: Kbps(150), most: Kbps(2600) };
    let mut coarse = Coarse::new(bounds);
    let seen = |highest, lost| Seen { highest, lost, ..Seen::default() };
    for (n, seen) in
        [seen(5000, 10), seen(5000, 10), seen(3, 0), seen(3, 4000)].into_iter().enumerate()
    {
        coarse.report(Moment::from_ms(n as u64 * 1000), seen);
        assert_eq!((coarse.rate(), coarse.loss()), (Kbps(1000), 0.0), "report {n}");
    }
}

proptest! {
    /// Whatever is reported, the rate keeps to its bounds.
    #[test]
    fn the_rate_keeps_to_its_bounds(
        reports in proptest::collection::vec(
            (0_u64..3000, any::<u32>(), any::<i32>(), proptest::option::of(-1e9..1e9_f64), proptest::option::of(0.0..1e9_f64), any::<u64>()),
            0..60,
        ),
    ) {
        let bounds = Bounds { start: Kbps(1000), least: Kbps(150), most: Kbps(2600) };
        let mut coarse = Coarse::new(bounds);
        let mut at = 0;
        for (wait, highest, lost, rtt_ms, sent_kbps, remb) in reports {
            at += wait;
            coarse.report(Moment::from_ms(at), Seen { highest, lost, rtt_ms, sent_kbps });
            coarse.remb(Moment::from_ms(at), remb);
            prop_assert!((bounds.least..=bounds.most).contains(&coarse.rate()), "{}", coarse.rate());
            prop_assert!((0.0..=1.0).contains(&coarse.loss()));
        }
    }

    /// A steady path with any delay and jitter of its round trips loses no rate.
    #[test]
    fn a_steady_path_is_not_left(delay_ms in 0_u32..300, every_ms in 500_u64..5000, jitter_ms in 0_u32..30) {
        let mut link = Link::new(Path { delay_ms, jitter_ms, ..path(8000) });
        link.every_ms = every_ms;
        link.run(30);
        prop_assert!(link.coarse.rate().0 >= 1800, "{}", link.coarse.rate());
    }
}
