//! Replays of peers of all kinds: each kind for ten minutes without a false alarm, then killed at any moment.

use proptest::prelude::*;

use super::*;

const LOOK_MS: u64 = 100;

/// A source of signs at uneven intervals.
struct Peer {
    liveness: Liveness,
    now: u64,
    looks: u64,
    chance: u64,
    /// Each kind of sign with its interval, the share that it varies by each way, and when the next is due.
    gives: Vec<(Sign, f64, f64, u64)>,
    /// The share of what it sends that is lost.
    loss: f64,
}

impl Peer {
    fn new(seed: u64, gives: &[(Sign, f64, f64)]) -> Self {
        let mut liveness = Liveness::new(Moment(0));
        liveness.open(Moment(0));
        let gives = gives.iter().map(|(sign, ms, spread)| (*sign, *ms, *spread, 30)).collect();
        Self { liveness, now: 0, looks: 0, chance: seed | 1, gives, loss: 0.0 }
    }

    fn dice(&mut self) -> f64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Lives on for so long; `alive` says whether it still gives signs. All that was told, with its time.
    fn run(&mut self, ms: u64, alive: bool) -> Vec<(u64, News)> {
        let mut told = Vec::new();
        for _ in 0..ms {
            self.now += 1;
            let now = Moment::from_ms(self.now);
            for at in 0..self.gives.len() {
                let (sign, ms, spread, due) = self.gives[at];
                if self.now >= due {
                    let shaken = ms * (1.0 + spread * (2.0 * self.dice() - 1.0));
                    self.gives[at].3 = self.now + (shaken as u64).max(1);
                    if alive && self.dice() >= self.loss {
                        self.liveness.heard(now, sign);
                    }
                }
            }
            // The look is late by up to 60 ms.
            if self.now >= self.looks {
                self.looks = self.now + LOOK_MS + (self.dice() * 60.0) as u64;
                told.extend(self.liveness.judge(now).map(|news| (self.now, news)));
            }
        }
        told
    }

    /// How long after it died it was called silent.
    fn killed(&mut self) -> Option<u64> {
        let died = self.now;
        let told = self.run(60_000, false);
        told.iter().find_map(|(at, news)| matches!(news, News::Silent { .. }).then_some(at - died))
    }
}

const REPORT: Sign = Sign::Report { progress: true };
const TEN_MINUTES: u64 = 600_000;

/// A peer: its signs with interval and spread, and within how many ms its end must be noticed.
type Kept = (&'static str, Vec<(Sign, f64, f64)>, u64);

/// Peers as they are.
fn peers() -> Vec<Kept> {
    vec![
        ("feedback on each packet, every 50 ms", vec![(Sign::Packets, 50.0, 0.5)], 1500),
        ("the same with reports", vec![(Sign::Packets, 100.0, 0.5), (REPORT, 1000.0, 0.5)], 1500),
        ("feedback on each packet, every 200 ms", vec![(Sign::Packets, 200.0, 0.3)], 1500),
        ("reports each second", vec![(REPORT, 1000.0, 0.5)], 3000),
        ("reports and NACKs", vec![(REPORT, 1000.0, 0.5), (Sign::Feedback, 40.0, 1.0)], 3000),
        (
            "a report for each of two streams",
            vec![(REPORT, 1000.0, 0.5), (REPORT, 1000.0, 0.5)],
            3000,
        ),
        ("reports by RFC 3550", vec![(REPORT, 5000.0, 0.5)], 15_200),
        ("answers to checks only", vec![(Sign::Consent, 2500.0, 0.05)], 8500),
        (
            "reports by RFC 3550 and answers to checks",
            vec![(REPORT, 5000.0, 0.5), (Sign::Consent, 2500.0, 0.05)],
            8500,
        ),
    ]
}

#[test]
fn ten_minutes_of_each_kind_without_a_false_alarm_and_then_its_end_is_noticed() {
    for (name, gives, within) in peers() {
        for seed in 1..8 {
            let mut peer = Peer::new(seed * 7919, &gives);
            let told = peer.run(TEN_MINUTES, true);
            let alarms = told.iter().filter(|(_, news)| *news != News::Unheard).count();
            assert_eq!(alarms, 0, "{name}, seed {seed}: {told:?}");
            let noticed = peer.killed();
            assert!(noticed.is_some_and(|ms| ms <= within), "{name}, seed {seed}: {noticed:?}");
        }
    }
}

#[test]
fn a_lossy_way_back_is_no_silence() {
    for (name, gives, within) in peers() {
        let mut alarms = 0;
        for seed in 1..8 {
            let mut peer = Peer::new(seed * 104_729, &gives);
            peer.loss = 0.01;
            let told = peer.run(TEN_MINUTES, true);
            alarms += told.iter().filter(|(_, news)| matches!(news, News::Silent { .. })).count();
            peer.loss = 0.0;
            peer.run(60_000, true);
            let noticed = peer.killed();
            assert!(noticed.is_some_and(|ms| ms <= within), "{name}, seed {seed}: {noticed:?}");
        }
        // More than an hour of each.
        assert!(alarms <= 1, "{name}: {alarms} false alarms");
    }
}

#[test]
fn an_answer_to_a_check_is_no_word_about_media() {
    let mut peer = Peer::new(3, &[(Sign::Consent, 2500.0, 0.05)]);
    let told = peer.run(TEN_MINUTES, true);
    assert!(matches!(told[..], [(8500..9000, News::Unheard)]), "{told:?}");
    assert_eq!(peer.liveness.given(), Some(Kind::Consent));
    assert!(peer.liveness.needs_checks());
    // Reports each second say more, and sooner.
    let mut peer = Peer::new(3, &[(Sign::Consent, 2500.0, 0.05), (REPORT, 1000.0, 0.3)]);
    assert_eq!(peer.run(20_000, true), []);
    assert!(!peer.liveness.needs_checks());
}

#[test]
fn an_ingest_that_only_promises_feedback_is_told_once_and_left_alone() {
    let mut peer = Peer::new(3, &[]);
    let told = peer.run(TEN_MINUTES, true);
    assert!(matches!(told[..], [(8500..9000, News::Unheard)]), "{told:?}");
    assert_eq!(peer.liveness.quiet(Moment::from_ms(peer.now)), None);
    assert!(peer.liveness.is_unheard(Moment::from_ms(peer.now)));
    // A request for a key frame is a sign of life, and none that is waited for.
    let mut peer = Peer::new(3, &[]);
    peer.liveness.heard(Moment::from_ms(1), Sign::Feedback);
    assert_eq!(peer.run(TEN_MINUTES, true), []);
}

#[test]
fn what_was_heard_in_an_earlier_session_is_expected_of_the_next() {
    let mut peer = Peer::new(5, &[]);
    peer.liveness.expect(Moment(0), Kind::Packets);
    let told = peer.run(20_000, true);
    let [(silent, News::Silent { kind: Kind::Packets, .. }), (_, News::Lost { .. })] = told[..]
    else {
        panic!("{told:?}")
    };
    assert!(silent <= 1500, "{silent}");
    assert_eq!(peer.liveness.given(), None, "it has not spoken, whatever was expected");
}

#[test]
fn silence_is_told_once_heals_once_and_ends_the_session() {
    let mut peer = Peer::new(9, &[(Sign::Packets, 50.0, 0.5)]);
    assert_eq!(peer.run(5000, true), []);
    let told = peer.run(2000, false);
    assert!(matches!(told[..], [(_, News::Silent { kind: Kind::Packets, .. })]), "{told:?}");
    let told = peer.run(5000, true);
    assert!(matches!(told[..], [(_, News::Healed)]), "{told:?}");
    let told = peer.run(30_000, false);
    let [(_, News::Silent { .. }), (at, News::Lost { quiet, .. })] = told[..] else {
        panic!("{told:?}")
    };
    assert!(quiet > LOST && at - 12_000 < 10_300, "{told:?}");
}

#[test]
fn feedback_that_ends_while_media_arrive_is_not_judged_any_more() {
    let mut peer = Peer::new(11, &[(Sign::Packets, 50.0, 0.5), (REPORT, 1000.0, 0.5)]);
    assert_eq!(peer.run(20_000, true), []);
    peer.gives.remove(0);
    let told = peer.run(120_000, true);
    assert!(matches!(told[..], [(_, News::Silent { .. }), (_, News::Healed)]), "{told:?}");
    // From here on its reports are what it is judged by.
    let noticed = peer.killed().unwrap();
    assert!(noticed <= 3000, "{noticed}");
}

#[test]
fn reports_that_confirm_nothing_new_do_not_replace_the_feedback() {
    let stuck = Sign::Report { progress: false };
    let mut peer = Peer::new(13, &[(Sign::Packets, 50.0, 0.5), (stuck, 1000.0, 0.5)]);
    assert_eq!(peer.run(20_000, true), []);
    peer.gives.remove(0);
    let told = peer.run(20_000, true);
    assert!(matches!(told[..], [(_, News::Silent { .. }), (_, News::Lost { .. })]), "{told:?}");
}

#[test]
fn a_machine_that_was_kept_from_running_blames_nobody() {
    for (name, gives, _) in peers() {
        let mut peer = Peer::new(17, &gives);
        let blamed = peer.run(30_000, true).iter().any(|(_, news)| *news != News::Unheard);
        assert!(!blamed, "{name}");
        // The whole process stands still for three seconds: neither are signs taken, nor does anybody look.
        peer.now += 3000;
        let told = peer.run(200, true);
        assert_eq!(told, [], "{name}: the first look finds what came meanwhile not taken yet");
        let silent = Sign::Packets;
        if gives.iter().any(|(sign, ..)| *sign == silent) {
            assert_eq!(peer.run(10_000, true), [], "{name}");
        }
    }
}

#[test]
fn figures_have_an_age() {
    let mut peer = Peer::new(19, &[(Sign::Packets, 50.0, 0.5), (REPORT, 1000.0, 0.5)]);
    let now = |peer: &Peer| Moment::from_ms(peer.now);
    assert!(!peer.liveness.is_fresh(Kind::Reports, now(&peer)), "none has come");
    peer.run(20_000, true);
    assert!(peer.liveness.is_fresh(Kind::Packets, now(&peer)));
    assert!(peer.liveness.is_fresh(Kind::Reports, now(&peer)));
    peer.run(1500, false);
    assert!(!peer.liveness.is_fresh(Kind::Packets, now(&peer)));
    peer.run(6000, false);
    assert!(!peer.liveness.is_fresh(Kind::Reports, now(&peer)));
}

proptest! {
    /// Whatever comes whenever: silence is told only of a kind that was given or expected, and told and healed in turn.
    #[test]
    fn silence_is_told_in_turn_and_only_of_what_was_given(
        signs in proptest::collection::vec((0_u64..4000, 0_u8..5), 0..80),
    ) {
        let mut liveness = Liveness::new(Moment(0));
        liveness.open(Moment(0));
        let (mut at, mut silent, mut given) = (0, false, [false; 2]);
        for (wait, sign) in signs {
            for _ in 0..wait / LOOK_MS {
                at += LOOK_MS;
                match liveness.judge(Moment::from_ms(at)) {
                    Some(News::Silent { kind, .. }) => {
                        prop_assert!(!silent);
                        prop_assert!(given[usize::from(kind == Kind::Reports)]);
                        silent = true;
                    }
                    Some(News::Healed) => {
                        prop_assert!(silent);
                        silent = false;
                    }
                    Some(News::Lost { .. }) => prop_assert!(silent),
                    Some(News::Unheard) => prop_assert_eq!(given, [false; 2]),
                    None => {}
                }
            }
            let now = Moment::from_ms(at);
            match sign {
                0 | 1 => (given[0], ()) = (true, liveness.heard(now, Sign::Packets)),
                2 => (given[1], ()) = (true, liveness.heard(now, REPORT)),
                3 => liveness.heard(now, Sign::Feedback),
                _ => {}
            }
        }
    }
}
