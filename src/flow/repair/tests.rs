//! Requests for packets, by receivers that behave and by others.

use super::*;

const RATE: Kbps = Kbps(2500);

/// A path with that loss for five seconds; answers come after 80 ms. Ends at 5 s, with a hundred packets sent in the
/// last half second, numbered from 0.
fn known(loss: f64, spare: bool) -> Repair {
    let mut repair = Repair::default();
    for report in 1..=50 {
        let now = report * 100 * MS;
        let took = if report % 5 == 0 { 80 } else { 130 } * MS;
        let sent_ns = now.saturating_sub(took);
        let packet = Reported { sent_ns, arrived_ns: Some(7), bytes: 1200 };
        repair.report(now, &[packet], loss, RATE, spare);
    }
    for n in 0..100 {
        repair.sent(4500 * MS + u64::from(n) * 5 * MS, n, 1200, false);
    }
    repair
}

fn copies(answer: Answer) -> u32 {
    if let Answer::Copies(n) = answer { n } else { 0 }
}

#[test]
fn the_more_is_lost_the_more_often_it_is_sent_again() {
    let sent = |loss| copies(known(loss, true).request(5 * S, 99));
    assert_eq!([0.0, 0.01, 0.05, 0.1, 0.2, 0.4].map(sent), [1, 2, 3, 3, 4, 4]);
    let echoes = |loss| known(loss, true).echoes();
    assert_eq!([0.0, 0.01, 0.02, 0.05, 0.2].map(echoes), [0, 0, 1, 1, 2]);
}

#[test]
fn what_a_full_path_loses_is_sent_once() {
    let mut repair = known(0.2, false);
    assert_eq!((repair.request(5 * S, 99), repair.echoes()), (Answer::Copies(1), 0));
    assert!((repair.sound_loss() - 0.2).abs() < 0.02);
}

#[test]
fn a_request_from_before_the_answer_came_is_not_answered_twice() {
    let mut repair = known(0.05, true);
    assert_eq!(repair.request(5 * S, 99), Answer::Copies(3));
    assert_eq!(repair.request(5 * S + 33 * MS, 99), Answer::Nothing);
    assert_eq!(repair.request(5 * S + 33 * MS, 98), Answer::Copies(3), "another packet");
    assert_eq!(repair.request(5 * S + 66 * MS, 99), Answer::Nothing);
    assert_eq!(repair.request(5 * S + 99 * MS, 99), Answer::Copies(3), "the answers were lost too");
}

#[test]
fn sound_that_is_sent_redundantly_is_hardly_lost() {
    assert!(known(0.05, true).sound_loss() < 0.003);
    assert!(known(0.2, true).sound_loss() < 0.009);
}

#[test]
fn a_moment_of_loss_changes_little() {
    let mut repair = known(0.0, true);
    repair.report(5 * S + 50 * MS, &[], 0.2, RATE, true);
    assert_eq!((repair.echoes(), repair.request(5 * S + 50 * MS, 99)), (0, Answer::Copies(2)));
}

#[test]
fn what_was_never_sent_is_not_answered() {
    let mut repair = known(0.0, true);
    for number in [100, 500, 40_000, u16::MAX] {
        assert_eq!(repair.request(5 * S, number), Answer::Nothing, "{number}");
    }
    assert_eq!(Repair::default().request(5 * S, 0), Answer::Nothing);
}

#[test]
fn what_is_too_old_is_replaced_by_one_key_frame() {
    let mut repair = known(0.0, true);
    let answers: Vec<_> = (0..100).map(|n| repair.request(7 * S, n)).collect();
    assert_eq!(answers[0], Answer::KeyFrame);
    assert!(answers[1..].iter().all(|a| *a == Answer::Nothing), "{answers:?}");
    // Once it is sent, nothing from before it is of use.
    for n in 100..130 {
        repair.sent(7 * S + 20 * MS, n, 1200, true);
    }
    repair.sent(7 * S + 40 * MS, 130, 1200, false);
    assert_eq!(repair.request(9 * S, 50), Answer::Nothing, "the key frame is there");
    assert_eq!(repair.request(7 * S + 100 * MS, 110), Answer::Copies(1), "of the key frame itself");
}

#[test]
fn a_packet_from_just_before_a_key_frame_is_still_sent_again() {
    let mut repair = known(0.0, true);
    repair.sent(5 * S, 100, 1200, true);
    assert_eq!(repair.request(5 * S + 10 * MS, 99), Answer::Copies(1));
    assert_eq!(repair.request(5 * S + 10 * MS, 20), Answer::Nothing, "its frame is long over");
}

#[test]
fn numbers_wrap() {
    let mut repair = known(0.0, true);
    for n in 0..200_u16 {
        repair.sent(5 * S + u64::from(n) * MS, n.wrapping_sub(100), 1200, n == 50);
    }
    assert_eq!(repair.request(5 * S + 210 * MS, 65_535), Answer::Copies(1));
    assert_eq!(repair.request(5 * S + 210 * MS, 5), Answer::Copies(1));
}

/// A second in which everything that was sent in the second before is asked for every `every` ms, and what of it was
/// sent again, in bits. What is answered never helps.
fn greedy(repair: &mut Repair, from: u64, every: u64, loss: f64) -> (u64, u32) {
    let (mut bits, mut keys) = (0, 0);
    for ms in 0..1000 {
        let now = from + ms * MS;
        let number = ((now / MS) * 2 / 10) as u16;
        if ms % 5 == 0 {
            repair.sent(now, number, 1200, false);
        }
        if ms % 50 == 0 {
            let packet = Reported { sent_ns: now - 20 * MS, arrived_ns: Some(7), bytes: 1200 };
            repair.report(now, &[packet], loss, RATE, true);
        }
        if ms % every == 0 {
            for back in 0..200 {
                match repair.request(now, number.wrapping_sub(back)) {
                    Answer::Copies(n) => bits += u64::from(n) * 9600,
                    Answer::KeyFrame => keys += 1,
                    Answer::Nothing => {}
                }
            }
        }
    }
    (bits, keys)
}

#[test]
fn a_receiver_that_asks_for_everything_gets_its_share_and_no_more() {
    for (every, loss) in [(1, 0.0), (10, 0.1), (33, 0.3), (100, 0.0), (100, 0.6)] {
        let mut repair = Repair::default();
        let (mut most, mut keys) = (0, 0);
        for second in 1..20 {
            let (bits, asked) = greedy(&mut repair, second * S, every, loss);
            most = most.max(bits);
            keys += asked;
        }
        let share = (SHARE + loss).min(SHARE_MOST) * (1.0 + SAVED_S);
        let share = (f64::from(RATE.bits_per_second()) * share) as u64 + 9600;
        assert!(most <= share, "every {every} ms: {most} of {share} bits");
        assert!(keys <= 20, "{keys} key frames");
    }
}

/// A minute with a receiver that misses every so many packets, asks for each that it misses every `every` ms for two
/// seconds, and takes what is sent again or drops it. Since when it was known to drop it, in ms.
fn minute(one_of: u16, every: u64, takes: bool, loss: f64) -> Option<u64> {
    let mut repair = Repair::default();
    let mut missing: Vec<(u64, u16)> = Vec::new();
    let mut refused = None;
    let mut dice = 1_u64;
    let mut chance = move |share: f64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        ((dice >> 11) as f64 / (1_u64 << 53) as f64) < share
    };
    for ms in 1000..61_000_u64 {
        let (now, number) = (ms * MS, (ms / 6) as u16);
        if ms % 6 == 0 {
            repair.sent(now, number, 1200, ms % 2000 < 80);
            if number % one_of == 0 {
                missing.push((ms, number));
            }
        }
        if ms % 50 == 0 {
            let packet = Reported { sent_ns: now - 40 * MS, arrived_ns: Some(7), bytes: 1200 };
            repair.report(now, &[packet], loss, RATE, true);
        }
        if ms % every == 0 {
            missing.retain(|(_, number)| match repair.request(now, *number) {
                Answer::Copies(n) => !takes || (0..n).all(|_| chance(loss)),
                _ => true,
            });
            missing.retain(|(since, _)| since + 2000 > ms);
        }
        if repair.is_refused(now) {
            refused.get_or_insert(ms - 1000);
        }
    }
    assert!(!takes || missing.len() < 20, "{} packets are missing", missing.len());
    refused
}

#[test]
fn a_receiver_that_drops_what_is_sent_again_is_known_by_its_requests() {
    for (one_of, every, loss) in [(10, 100, 0.1), (50, 100, 0.02), (50, 60, 0.02)] {
        let known = minute(one_of, every, false, loss);
        assert!(known.is_some_and(|ms| ms < 6000), "one of {one_of}: {known:?}");
    }
}

#[test]
fn a_receiver_that_takes_what_is_sent_again_is_not_mistaken() {
    for (one_of, every, loss) in [(5, 50, 0.2), (10, 40, 0.1), (10, 100, 0.1), (50, 60, 0.02)] {
        assert_eq!(minute(one_of, every, true, loss), None, "one of {one_of}");
    }
}
