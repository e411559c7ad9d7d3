//! The estimator on simulated paths.

use super::*;
use proptest::prelude::*;

use crate::flow::simulated::{Link, Paused};

fn link(kbps: u32) -> Link {
    let bounds = Bounds { start: Kbps(1800), least: Kbps(200), most: Kbps(2600) };
    Link::new(kbps, Estimator::new(bounds))
}

#[test]
fn a_wide_path_is_filled_to_the_top_within_seconds_and_without_a_queue() {
    let mut link = link(20_000);
    link.run(4);
    assert_eq!(link.estimator.rate(), Kbps(2600));
    assert!(link.worst_queue_ms < 20, "{}", link.worst_queue_ms);
    assert_eq!(link.dropped, 0);
}

#[test]
fn a_step_down_is_followed_at_once_and_the_narrow_path_is_used() {
    let mut link = link(4000);
    link.run(10);
    link.way.path.rate = Some(Kbps(1000));
    let before = link.dropped;
    link.run(2);
    assert!(link.dropped - before < 60, "{} packets lost", link.dropped - before);
    link.run(2);
    let lost = link.dropped;
    link.run(10);
    assert!(link.kbps(8) >= 900, "{} kb/s of 1000", link.kbps(8));
    assert_eq!(link.dropped, lost, "nothing is lost once it has settled");
    assert!(link.worst_queue_ms < 200, "{}", link.worst_queue_ms);
}

#[test]
fn a_step_up_is_found_within_ten_seconds() {
    let mut link = link(1000);
    link.run(40);
    link.way.path.rate = Some(Kbps(4000));
    link.run(10);
    assert!(link.estimator.rate().0 >= 2210, "85 % of the top: {}", link.estimator.rate());
}

#[test]
fn half_a_megabit_is_used_too() {
    let mut link = link(500);
    link.run(10);
    let lost = link.dropped;
    link.run(20);
    assert!(link.kbps(15) >= 400, "{}", link.kbps(15));
    assert!(link.dropped - lost < 20, "{}", link.dropped - lost);
}

#[test]
fn random_loss_is_not_congestion() {
    for lost in [10, 50, 100] {
        let mut link = link(4000);
        link.way.path.loss = f64::from(lost) / 1000.0;
        link.run(20);
        assert!(link.estimator.rate().0 >= 1700, "{lost} per mille: {}", link.estimator.rate());
    }
    let mut link = link(4000);
    link.way.path.loss = 0.2;
    link.run(20);
    assert!(link.estimator.rate().0 >= 1300, "{}", link.estimator.rate());
}

#[test]
fn jitter_is_no_queue() {
    let mut link = link(4000);
    link.way.path.jitter_ms = 50;
    link.run(20);
    assert!(link.estimator.rate().0 >= 2500, "{}", link.estimator.rate());
}

#[test]
fn a_path_with_hardly_a_queue_is_not_flooded() {
    let mut link = link(1000);
    link.way.path.queue_ms = 30;
    link.run(10);
    let (sent, lost) = (link.sent, link.dropped);
    link.run(20);
    let share = (link.dropped - lost) as f64 / (link.sent - sent) as f64;
    assert!(share < 0.15, "{share}");
    assert!(link.kbps(15) >= 500, "{}", link.kbps(15));
}

#[test]
fn without_padding_a_calm_source_proves_nothing_and_the_rate_rises_slowly() {
    let mut link = link(20_000);
    link.source_kbps = 300;
    link.pads = false;
    link.run(5);
    assert!(link.estimator.rate().0 <= 2000, "{}", link.estimator.rate());
    let known = link.estimator.known().unwrap().0;
    assert!((350..=700).contains(&known), "only what was sent is known: {known}");
    link.run(30);
    assert_eq!(link.estimator.rate(), Kbps(2600), "the next rung of a ladder is tried");
}

#[test]
fn a_calm_source_is_proven_by_short_probes() {
    let mut link = link(20_000);
    link.source_kbps = 300;
    link.run(5);
    assert_eq!(link.estimator.rate(), Kbps(2600));
    let padded = link.padded;
    assert!(padded < 150_000, "{padded} bytes of padding");
    link.run(120);
    assert_eq!(link.padded, padded, "what is proven is not asked for again");
    assert!(link.estimator.known().unwrap().0 > 2300);
}

#[test]
fn a_calm_source_on_a_narrow_path_is_not_probed_all_the_time() {
    let mut link = link(1000);
    link.source_kbps = 200;
    link.run(60);
    let (rate, padded) = (link.estimator.rate().0, link.padded);
    assert!((700..=1100).contains(&rate), "{rate}");
    link.run(60);
    assert!(link.padded - padded < 150_000, "{} bytes in a minute", link.padded - padded);
    assert!(link.worst_queue_ms < 200, "{} ms", link.worst_queue_ms);
    assert_eq!(link.dropped, 0);
}

#[test]
fn a_calm_source_is_back_soon_after_a_narrow_moment() {
    for pads in [true, false] {
        let mut link = link(4000);
        link.source_kbps = 300;
        link.pads = pads;
        link.run(8);
        link.way.path.rate = Some(Kbps(200));
        link.run(8);
        assert!(link.estimator.rate().0 < 250, "{}", link.estimator.rate());
        link.way.path.rate = Some(Kbps(4000));
        link.run(if pads { 10 } else { 20 });
        let rate = link.estimator.rate().0;
        assert!(rate >= if pads { 2000 } else { 600 }, "{pads}: {rate}");
    }
}

#[test]
fn a_longer_way_is_no_queue() {
    for source in [300, u32::MAX] {
        let mut link = link(4000);
        link.source_kbps = source;
        link.run(10);
        let before = link.estimator.rate().0;
        link.way.path.delay_ms = 120;
        link.run(6);
        assert!(link.least_kbps >= before * 85 / 100, "{source}: {}", link.least_kbps);
        assert!(link.estimator.rate().0 >= before * 95 / 100, "{source}");
        assert_eq!(link.estimator.queue_ms(), 0);
    }
}

/// A link at its top, calm or filled, over an idle path or a narrow one; the rate it has found.
fn settled_link(calm: bool, narrow: bool) -> (Link, u32) {
    let mut link = link(if narrow { 1500 } else { 20_000 });
    if calm {
        link.source_kbps = 300;
    }
    link.run(20);
    let rate = link.estimator.rate().0;
    (link, rate)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_pause_of_a_machine_is_no_capacity(
        who in prop::sample::select(vec![Paused::Sender, Paused::Socket, Paused::Receiver, Paused::Both]),
        pauses in prop::collection::vec((100_u64..1500, 200_u64..3000), 1..8),
        calm: bool,
    ) {
        let (mut link, before) = settled_link(calm, false);
        for (pause, between) in &pauses {
            link.pause(who, *pause);
            link.run_ms(pause + between);
            prop_assert!(
                link.least_kbps >= before * 9 / 10,
                "{who:?} {pause} ms: {} of {before} kb/s", link.least_kbps
            );
        }
        link.run(5);
        prop_assert!(link.estimator.rate().0 >= before * 95 / 100, "{}", link.estimator.rate());
    }

    #[test]
    fn a_pause_on_a_narrow_path_is_made_good_within_five_seconds(
        who in prop::sample::select(vec![Paused::Sender, Paused::Socket, Paused::Receiver, Paused::Both]),
        pause in 100_u64..1500,
        calm: bool,
    ) {
        let (mut link, before) = settled_link(calm, true);
        link.pause(who, pause);
        link.run_ms(pause + 5000);
        // A filled path swings around its capacity.
        let enough = before.min(1500) * if calm { 90 } else { 70 } / 100;
        prop_assert!(link.estimator.rate().0 >= enough, "{} of {before}", link.estimator.rate());
    }

    #[test]
    fn it_stays_within_its_bounds_and_never_builds_a_queue_for_long(
        steps in prop::collection::vec((150_u32..6000, 1_u64..6, 0_u32..40, 0_u32..60), 1..8),
        source in 1100_u32..4000,
    ) {
        let mut link = link(2000);
        link.source_kbps = source;
        for (kbps, seconds, jitter, loss) in steps {
            link.way.path.rate = Some(Kbps(kbps));
            link.way.path.jitter_ms = jitter;
            link.way.path.loss = f64::from(loss) / 1000.0;
            link.run(seconds);
            prop_assert!((200..=2600).contains(&link.estimator.rate().0));
        }
        // Whatever was before: on a path that carries less than the least, nothing helps.
        link.way.path.rate = Some(Kbps(1000));
        link.way.path.jitter_ms = 0;
        link.way.path.loss = 0.0;
        link.run(15);
        link.run(10);
        prop_assert!(link.worst_queue_ms <= 260, "{} ms", link.worst_queue_ms);
        prop_assert!(link.estimator.rate().0 <= 1350, "{}", link.estimator.rate());
    }
}

#[test]
fn an_outage_costs_no_rate() {
    let mut link = link(4000);
    link.run(10);
    let before = link.estimator.rate().0;
    // Three seconds in which nothing comes through, and no report.
    let mut estimator = link.estimator;
    let now = 13 * S;
    let lost: Vec<_> = (0..900)
        .map(|n| Reported { sent_ns: 10 * S + n * 3_333_333, arrived_ns: None, bytes: 1200 })
        .collect();
    estimator.report(now, &lost);
    assert_eq!(estimator.rate().0, before);
    assert_eq!(estimator.loss(), 0.0);
}

#[test]
fn reports_out_of_order_or_absurd_do_no_harm() {
    let mut estimator =
        Estimator::new(Bounds { start: Kbps(1000), least: Kbps(200), most: Kbps(2000) });
    estimator.report(5 * S, &[]);
    estimator
        .report(4 * S, &[Reported { sent_ns: u64::MAX, arrived_ns: Some(0), bytes: u32::MAX }]);
    estimator.report(4 * S, &[Reported { sent_ns: 0, arrived_ns: Some(u64::MAX), bytes: 0 }]);
    assert!((200..=2000).contains(&estimator.rate().0));
}

#[test]
fn its_course_is_told() {
    let mut link = link(4000);
    assert_eq!(link.estimator.course(), None);
    link.run(1);
    assert_eq!(link.estimator.course(), Some(Course::Rising));
    link.run(9);
    assert_eq!(link.estimator.course(), Some(Course::Holding), "at its most");
    link.way.path.rate = Some(Kbps(1000));
    link.run(1);
    assert_eq!(link.estimator.course(), Some(Course::Draining));
    let mut lossy = self::link(4000);
    lossy.way.path.loss = 0.2;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10 {
        lossy.run(1);
        seen.extend(lossy.estimator.course().map(|course| format!("{course:?}")));
    }
    assert!(seen.contains("Lossy") && seen.contains("Testing"), "{seen:?}");
}
