//! Absences with and without a history.

use proptest::prelude::*;

use super::*;

fn wall(s: i64) -> Timestamp {
    Now::test(0).wall.checked_add(SignedDuration::from_secs(s)).unwrap()
}

fn now(s: u64) -> Now {
    Now::test(s * 1_000)
}

/// Away from 10 to 40.
fn away() -> Gaps {
    let mut gaps = Gaps::default();
    assert_eq!(gaps.left("#a", wall(10)), None);
    gaps.joined("#a", now(40), None);
    gaps
}

#[test]
fn a_hole_is_what_history_did_not_reach() {
    for (what, lines, hole) in [
        ("no history", &[][..], Some((10, 40))),
        ("a history that reaches back", &[(9, false), (20, false)], None),
        ("to the second itself", &[(10, false)], None),
        ("only in part", &[(25, false), (30, false)], Some((10, 25))),
        ("the last line that was read", &[(30, true)], None),
        ("lines of later", &[(60, false)], Some((10, 40))),
    ] {
        let mut gaps = away();
        for (at, known) in lines {
            gaps.reaches("#a", now(40).mono, Some(wall(*at)), *known);
        }
        assert_eq!(gaps.decided(now(42).mono), None, "{what}: too early");
        let want = hole.map(|(from, until)| (wall(from), wall(until)));
        assert_eq!(gaps.decided(now(43).mono), want, "{what}");
        assert_eq!(gaps.decided(now(90).mono), None, "{what}: once");
    }
}

#[test]
fn nothing_was_missed_before_the_first_join() {
    let mut gaps = Gaps::default();
    gaps.joined("#a", now(5), None);
    assert_eq!(gaps.decided(now(60).mono), None);
}

#[test]
fn a_clock_of_the_server_that_is_wrong_is_taken_into_account() {
    for skew in [-3_600, 0, 90] {
        let mut gaps = Gaps::default();
        gaps.left("#a", wall(10));
        gaps.joined("#a", now(40), Some(wall(40 + skew)));
        gaps.reaches("#a", now(40).mono, Some(wall(25 + skew)), false);
        assert_eq!(gaps.decided(now(43).mono), Some((wall(10), wall(25))), "{skew}");
    }
}

#[test]
fn a_history_that_comes_slowly_is_waited_for_and_not_for_ever() {
    let mut gaps = away();
    for s in 40..69 {
        gaps.reaches("#a", now(s).mono, Some(wall(35)), false);
        assert_eq!(gaps.decided(now(s + 1).mono), None);
    }
    assert_eq!(gaps.decided(now(70).mono), Some((wall(10), wall(35))));
}

#[test]
fn a_connection_lost_again_at_once_prolongs_the_gap() {
    let mut gaps = away();
    assert_eq!(gaps.left("#a", wall(41)), None);
    gaps.joined("#a", now(50), None);
    assert_eq!(gaps.decided(now(53).mono), Some((wall(10), wall(50))));
    // What a history has reached by then is not held back any longer.
    let mut gaps = away();
    gaps.reaches("#a", now(41).mono, Some(wall(30)), false);
    assert_eq!(gaps.left("#a", wall(42)), Some((wall(10), wall(30))));
    gaps.joined("#a", now(50), None);
    assert_eq!(gaps.decided(now(53).mono), Some((wall(42), wall(50))));
}

#[test]
fn channels_are_told_together_and_each_has_its_own_history() {
    let mut gaps = Gaps::default();
    gaps.left("#a", wall(10));
    gaps.left("#b", wall(20));
    gaps.left("#c", wall(20));
    gaps.joined("#a", now(40), None);
    gaps.joined("#b", now(42), None);
    gaps.reaches("#a", now(40).mono, Some(wall(5)), false);
    assert_eq!(gaps.decided(now(44).mono), None, "#b is not decided");
    assert_eq!(gaps.decided(now(45).mono), Some((wall(20), wall(42))));
    gaps.joined("#c", now(60), None);
    assert_eq!(gaps.decided(now(63).mono), Some((wall(20), wall(60))));
}

#[test]
fn pages_are_asked_for_until_one_is_not_full() {
    let mut gaps = away();
    assert!(gaps.page("#a", now(40).mono, Some(wall(20))));
    assert!(gaps.page("#a", now(41).mono, Some(wall(30))));
    assert!(!gaps.page("#a", now(42).mono, None));
    assert_eq!(gaps.decided(now(60).mono), None);
    let mut gaps = away();
    assert!(gaps.page("#a", now(40).mono, Some(wall(20))));
    assert_eq!(gaps.decided(now(43).mono), Some((wall(20), wall(40))), "the next never came");
    let mut gaps = away();
    let asked = (0..100).take_while(|_| gaps.page("#a", now(40).mono, Some(wall(11)))).count();
    assert_eq!(asked as u32, PAGES - 1, "and never for ever");
}

proptest! {
    /// Holes lie within the absences, and a line that comes from history is in none.
    #[test]
    fn holes_lie_within_absences(steps in proptest::collection::vec((0_u8..5, 0_u64..40, 0_i64..60, any::<bool>()), 0..60)) {
        let mut gaps = Gaps::default();
        let (mut s, mut away): (u64, Vec<(Timestamp, Timestamp)>) = (1, Vec::new());
        let (mut since, mut first) = (None, wall(0));
        for (step, wait, back, known) in steps {
            s += wait;
            let at = now(s);
            let hole = match step {
                0 => {
                    if since.is_none() { since = Some(at.wall); }
                    gaps.left("#a", at.wall)
                }
                1 => {
                    if let Some(since) = since.take() {
                        if away.is_empty() { first = since; }
                        away.push((since, at.wall));
                    }
                    gaps.joined("#a", at, None);
                    None
                }
                2 => {
                    gaps.reaches("#a", at.mono, Some(wall(s as i64 - back)), known);
                    None
                }
                3 => {
                    gaps.page("#a", at.mono, known.then(|| wall(s as i64 - back)));
                    None
                }
                _ => gaps.decided(at.mono),
            };
            if let Some((from, until)) = hole {
                prop_assert!(from < until && from >= first && until <= at.wall);
                prop_assert!(away.iter().any(|(since, _)| *since <= from));
            }
            prop_assert!(gaps.0.len() <= 1);
        }
    }
}
