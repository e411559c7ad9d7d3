//! The estimator on simulated paths.

use super::*;
use crate::flow::simulated::Link;

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
    assert!(link.kbps(8) >= 850, "{} kb/s of 1000", link.kbps(8));
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
fn what_was_never_sent_is_not_believed() {
    let mut link = link(20_000);
    link.source_kbps = 300;
    link.run(30);
    assert!(link.estimator.rate().0 <= 1800, "{}", link.estimator.rate());
    let known = link.estimator.known().unwrap().0;
    assert!((250..=420).contains(&known), "{known}");
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
