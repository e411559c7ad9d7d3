//! What leaves, and when.

use proptest::prelude::*;

use super::*;
use crate::base::Kbps;

const MEGABIT: u64 = 1_000_000;
const PICTURE: Kind = Kind::Picture { last: false };
const LAST: Kind = Kind::Picture { last: true };

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A path that is estimated to carry that, and is clear.
fn clear(rate: u64) -> Pacing<u64> {
    Pacing::new(rate, rate * 4)
}

/// A frame of so many packets of 1250 bytes; the numbers of those that leave at once.
fn frame(pacing: &mut Pacing<u64>, now: Duration, packets: u64) -> Vec<u64> {
    let put = |n| {
        let kind = if n + 1 == packets { LAST } else { PICTURE };
        pacing.put(now, kind, n, 10_000, false)
    };
    (0..packets).flat_map(put).collect()
}

#[test]
fn the_bucket_fills_with_time_and_no_higher_than_a_burst() {
    let mut bucket = Bucket::new(MEGABIT);
    assert_eq!(bucket.bits, 20_000);
    assert!(bucket.take(30_000), "one packet may overdraw");
    assert!(!bucket.take(1));
    bucket.fill(ms(9));
    assert!(!bucket.take(1), "9 of 10 kb are paid back");
    bucket.fill(ms(12));
    assert!(bucket.take(1));
    bucket.fill(Duration::from_mins(1));
    assert_eq!(bucket.bits, 20_000);
}

#[test]
fn an_ordinary_frame_leaves_at_once_and_together() {
    let mut pacing = clear(3 * MEGABIT);
    assert_eq!(frame(&mut pacing, ms(100), 9).len(), 9);
    assert!(pacing.is_idle());
}

#[test]
fn a_key_frame_is_spread_and_nothing_of_the_picture_overtakes_it() {
    let mut pacing = clear(4 * MEGABIT);
    // 400 kb; a burst is 320 kb.
    let mut left = frame(&mut pacing, ms(0), 40);
    assert!(left.is_empty(), "a frame leaves together or in line");
    left.extend(pacing.put(ms(0), LAST, 40, 1000, false));
    for now in 0..100 {
        left.extend(pacing.next(ms(now)));
    }
    assert!(left.is_sorted() && left.len() == 41, "{left:?}");
}

#[test]
fn sound_never_waits_and_retransmission_passes_the_picture() {
    let mut pacing = Pacing::new(MEGABIT, MEGABIT * 5 / 4);
    frame(&mut pacing, ms(0), 20);
    assert_eq!(pacing.put(ms(0), Kind::Sound, 100, 800, false), [100]);
    assert_eq!(pacing.put(ms(0), Kind::Again, 200, 8000, false), [200]);
    // The limit is spent at some time: what is sent again waits then, and passes the picture all the same.
    for n in 201..240 {
        pacing.put(ms(1), Kind::Again, n, 8000, false);
    }
    let mut left = Vec::new();
    for now in 1..400 {
        left.extend(pacing.next(ms(now)));
    }
    let place = |n| left.iter().position(|l| *l == n);
    assert!(place(235) < place(19), "{left:?}");
    let passed = pacing.passed();
    assert!(passed.again_bits > 100_000 && passed.bits > passed.again_bits, "{passed:?}");
}

#[test]
fn retransmissions_that_wait_too_long_are_dropped() {
    let mut pacing = Pacing::new(MEGABIT / 10, MEGABIT / 8);
    for n in 0..100 {
        pacing.put(ms(0), Kind::Again, n, 8000, false);
    }
    let left: usize = (0..1000).map(|now| pacing.next(ms(now)).len()).sum();
    let dropped = pacing.passed().again_dropped;
    assert!(left < 10 && dropped > 90 && pacing.is_idle(), "{left} left, {dropped} dropped");
}

#[test]
fn a_picture_without_hope_is_dropped_and_said() {
    let mut pacing = Pacing::new(MEGABIT / 10, MEGABIT / 8);
    frame(&mut pacing, ms(0), 10);
    assert_eq!(pacing.passed().overflows, 0);
    frame(&mut pacing, ms(0), 10);
    assert_eq!(pacing.passed().overflows, 1);
    assert!(pacing.waits().0 < 1000.0);
}

#[test]
fn a_probe_fills_up_to_its_rate_and_ends() {
    let mut pacing = clear(2 * MEGABIT);
    pacing.put(ms(1000), Kind::Padding, 0, 8000, false);
    assert!(pacing.is_idle(), "without a probe there is no padding");
    pacing.probe(ms(1000), Probe { rate: Kbps(3000), lasts: ms(100) });
    for n in 0..60 {
        pacing.put(ms(1000), Kind::Padding, n, 8000, false);
    }
    // Sound goes on beside it, and counts.
    let mut left = 0;
    for now in 1000..1101 {
        if now % 20 == 0 {
            pacing.put(ms(now), Kind::Sound, 0, 2000, false);
        }
        left += pacing.next(ms(now)).len();
    }
    assert!((33..=37).contains(&left), "{left} packets of 8 kb in 100 ms at 3 Mb/s");
    assert_eq!(pacing.next(ms(1150)).len(), 0);
    assert!(pacing.is_idle(), "what is left of it is thrown away");
    assert_eq!(pacing.passed().padding_bits, left as u64 * 8000);
}

#[test]
fn a_picture_leaves_before_padding() {
    let mut pacing = clear(MEGABIT);
    pacing.probe(ms(0), Probe { rate: Kbps(1500), lasts: ms(100) });
    (0..40).for_each(|n| drop(pacing.put(ms(0), Kind::Padding, 100 + n, 8000, false)));
    frame(&mut pacing, ms(0), 20);
    let left: Vec<u64> = (0..60).flat_map(|now| pacing.next(ms(now))).collect();
    assert!(!left.is_empty() && left.iter().all(|n| *n < 100), "{left:?}");
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Frame(u64),
    Again(u64),
    Sound,
    Padding(u64),
    Probe(u32),
    Rate(u64),
}

fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let act = prop_oneof![
        (1_u64..120).prop_map(Act::Frame),
        (1_u64..300).prop_map(Act::Again),
        Just(Act::Sound),
        (1_u64..100).prop_map(Act::Padding),
        (500_u32..8000).prop_map(Act::Probe),
        (150_u64..6000).prop_map(Act::Rate),
    ];
    prop::collection::vec((0_u64..60, act), 1..120)
}

proptest! {
    #[test]
    fn over_any_200_ms_no_more_leaves_than_the_limit(acts in acts()) {
        let mut rate = 2 * MEGABIT;
        let mut pacing = clear(rate);
        // When, how many bits, whether it is sound.
        let mut left: Vec<(u64, u64)> = Vec::new();
        let mut sound: Vec<(u64, u64)> = Vec::new();
        // The greatest rate that held in the last 200 ms limits what left in them.
        let mut rates = vec![(0, rate)];
        let mut now = 0;
        for (wait, act) in acts {
            for _ in 0..=wait {
                left.extend(pacing.next(ms(now)).iter().map(|bits| (now, *bits)));
                now += 1;
            }
            let at = ms(now);
            match act {
                Act::Frame(packets) => for n in 1..=packets {
                    let kind = Kind::Picture { last: n == packets };
                    left.extend(pacing.put(at, kind, 9600, 9600, false).iter().map(|bits| (now, *bits)));
                },
                Act::Again(packets) => for _ in 0..packets {
                    left.extend(pacing.put(at, Kind::Again, 9600, 9600, false).iter().map(|b| (now, *b)));
                },
                Act::Sound => sound.extend(pacing.put(at, Kind::Sound, 2400, 2400, false).iter().map(|b| (now, *b))),
                Act::Padding(packets) => for _ in 0..packets {
                    left.extend(pacing.put(at, Kind::Padding, 9600, 9600, false).iter().map(|b| (now, *b)));
                },
                Act::Probe(kbps) => pacing.probe(at, Probe { rate: Kbps(kbps), lasts: ms(100) }),
                Act::Rate(kbps) => {
                    rate = kbps * 1000;
                    rates.push((now, rate));
                    pacing.set(at, rate, rate * 5 / 4, kbps % 2 == 0);
                }
            }
        }
        for (end, _) in &left {
            let within = |at: &u64| *at + 200 > *end && at <= end;
            let sum: u64 = left.iter().filter(|(at, _)| within(at)).map(|(_, bits)| bits).sum();
            let before = rates.iter().rposition(|(at, _)| at + 200 <= *end).unwrap_or(0);
            let most = rates[before..].iter().filter(|(at, _)| at <= end).map(|r| r.1).max().unwrap_or(rate);
            prop_assert!(sum <= most / 4, "{sum} bits in 200 ms at {most}, at {end} ms");
        }
    }

    #[test]
    fn the_picture_keeps_its_order_and_all_of_it_leaves(
        frames in prop::collection::vec((1_u64..60, 1_u64..80), 1..60),
    ) {
        let mut pacing = clear(3 * MEGABIT);
        let (mut now, mut number, mut left) = (0, 0, Vec::new());
        for (packets, wait) in frames {
            for n in 1..=packets {
                number += 1;
                let kind = Kind::Picture { last: n == packets };
                left.extend(pacing.put(ms(now), kind, number, 5000, false));
            }
            for _ in 0..wait {
                now += 1;
                left.extend(pacing.next(ms(now)));
            }
        }
        for _ in 0..4000 {
            now += 1;
            left.extend(pacing.next(ms(now)));
        }
        prop_assert!(left.is_sorted(), "{left:?}");
        prop_assert!(pacing.passed().overflows > 0 || left.len() as u64 == number);
    }
}
