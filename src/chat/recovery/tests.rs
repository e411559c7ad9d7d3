//! The ladder, silence and holes.

use proptest::prelude::*;

use super::*;
use crate::chat::{Text, irc, twitch};

fn live(route: Route) -> Recovery {
    let mut recovery = Recovery::new(route, Now::test(0));
    assert_eq!(
        recovery.live(Now::test(0), false),
        None,
        "nothing was missed before the first connection"
    );
    recovery
}

fn wait(recovery: &Recovery, ms: u64) -> u64 {
    match recovery.state() {
        State::Waiting { until, .. } => until.as_ms() - ms,
        other => panic!("{other:?}"),
    }
}

#[test]
fn waits_double_from_one_second_to_a_minute() {
    let waits: Vec<_> = (0..9).map(|n| back_off(n, 1.0).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(
        (back_off(3, 0.0).as_secs(), back_off(0, 0.0).as_secs(), back_off(u32::MAX, 0.0).as_secs()),
        (4, 1, 30)
    );
}

#[test]
fn a_stable_connection_begins_the_ladder_anew_and_a_short_one_does_not() {
    let mut recovery = Recovery::new(Route::TwitchAnonymous, Now::test(0));
    let mut ms = 0;
    for want in [1_000, 2_000, 4_000] {
        recovery.lost(Now::test(ms), Cause::Unreachable, 1.0);
        assert_eq!(wait(&recovery, ms), want);
        assert!(!recovery.connect(Now::test(ms + want - 1)));
        ms += want;
        assert!(recovery.connect(Now::test(ms)) && !recovery.connect(Now::test(ms)));
    }
    recovery.live(Now::test(ms), false);
    recovery.lost(Now::test(ms + 59_000), Cause::Closed, 1.0);
    assert_eq!(wait(&recovery, ms + 59_000), 8_000);
    ms += 67_000;
    assert!(recovery.connect(Now::test(ms)));
    recovery.live(Now::test(ms), false);
    recovery.lost(Now::test(ms + 60_000), Cause::Closed, 1.0);
    assert_eq!((wait(&recovery, ms + 60_000), recovery.failures()), (1_000, 1));
    // Hours of service, and then silence: stable up to what was heard last.
    let mut recovery = live(Route::TwitchToken);
    recovery.failures = 5;
    recovery.heard(Now::test(7_200_000));
    recovery.tick(Now::test(7_213_000));
    recovery.lost(Now::test(7_214_000), Cause::Silent, 1.0);
    assert_eq!(wait(&recovery, 7_214_000), 1_000);
}

#[test]
fn a_source_that_cannot_resume_reports_a_hole_from_what_was_heard_last() {
    for (route, resumed, hole) in [
        (Route::TwitchToken, false, true),
        (Route::KickWebhook, false, true),
        (Route::Irc, false, true),
        (Route::Irc, true, false),
        (Route::YoutubeKey, false, false),
        (Route::FacebookPage, false, false),
        (Route::ShopeeShop, false, false),
    ] {
        let mut recovery = live(route);
        recovery.heard(Now::test(5_000));
        recovery.lost(Now::test(18_000), Cause::Silent, 0.0);
        assert_eq!(recovery.absence(Now::test(20_000).wall), Some(SignedDuration::from_secs(15)));
        recovery.connect(Now::test(19_000));
        recovery.lost(Now::test(20_000), Cause::Unreachable, 0.0);
        recovery.connect(Now::test(22_000));
        let want = Update::Hole { from: Now::test(5_000).wall, until: Now::test(25_000).wall };
        assert_eq!(recovery.live(Now::test(25_000), resumed), hole.then_some(want), "{route:?}");
        assert_eq!(recovery.live(Now::test(26_000), resumed), None, "once");
    }
}

#[test]
fn silence_is_judged_by_what_the_source_promises() {
    for (route, ms, certain) in [
        (Route::TwitchToken, 13_000, true),
        (Route::TwitchAnonymous, 75_000, true),
        (Route::ShopeeShop, 10_000, true),
        (Route::SocialStream, 45_000, true),
        (Route::Webhook, 300_000, false),
    ] {
        let mut recovery = live(route);
        recovery.heard(Now::test(1_000));
        recovery.tick(Now::test(ms + 999));
        assert!(matches!(recovery.state(), State::Live { .. }), "{route:?}");
        recovery.tick(Now::test(ms + 1_000));
        assert_eq!(recovery.state(), &State::Silent { since: Moment::from_ms(1_000), certain });
        assert_eq!(recovery.age(Moment::from_ms(ms + 1_000)), Some(Duration::from_millis(ms)));
        recovery.heard(Now::test(ms + 2_000));
        assert!(matches!(recovery.state(), State::Live { .. }));
    }
}

#[test]
fn a_lasting_reason_ends_the_tries_until_the_operator_asks() {
    let mut recovery = live(Route::TwitchToken);
    let lost = twitch::eventsub::Lost::Unauthorized(Text::new("authorization_revoked"));
    recovery.lost(Now::test(5_000), Cause::from(&lost), 0.5);
    assert_eq!(recovery.state(), &State::Failed(Lasting::Unauthorized));
    assert!(!recovery.connect(Now::test(1_000_000)));
    recovery.restart(Now::test(1_000_000));
    assert!(matches!(recovery.state(), State::Connecting { .. }));
    assert!(
        recovery.live(Now::test(1_001_000), false).is_some(),
        "and what was missed is still told"
    );
}

#[test]
fn a_quota_is_waited_for_until_it_is_full() {
    let mut recovery = live(Route::YoutubeKey);
    recovery.lost(Now::test(0), Cause::NotBefore(Now::test(3_600_000).wall), 0.0);
    assert_eq!(wait(&recovery, 0), 3_600_000);
    recovery.lost(Now::test(0), Cause::NotBefore(Timestamp::MIN), 0.0);
    assert_eq!(wait(&recovery, 0), 1_000);
}

#[test]
fn lasting_ends_of_the_sessions_are_lasting_causes() {
    let lasting = |cause| matches!(cause, Cause::Lasting(_));
    let ends = [
        irc::Ended::Rejected(irc::Rejection::LoginRefused),
        irc::Ended::NoChannel(474),
        irc::Ended::NoChannel(473),
        irc::Ended::Kicked(Text::default()),
        irc::Ended::Silent,
        irc::Ended::NotWelcomed,
        irc::Ended::Server(Text::default()),
    ];
    for end in ends {
        assert_eq!(lasting(Cause::from(&end)), end.is_lasting(), "{end:?}");
    }
    for status in [0, 400, 409, 429, 500] {
        let lost = twitch::eventsub::Lost::NotSubscribed(status);
        assert_eq!(lasting(Cause::from(&lost)), lost.is_lasting(), "{status}");
    }
}

proptest! {
    #[test]
    fn every_wait_lies_between_one_second_and_a_minute(failures: u32, jitter: f64) {
        let wait = back_off(failures, jitter);
        prop_assert!((LEAST..=MOST).contains(&wait));
    }

    #[test]
    fn holes_never_overlap_and_never_go_backwards(steps in proptest::collection::vec((0_u8..5, 0_u64..90_000), 0..60)) {
        let mut recovery = Recovery::new(Route::TwitchAnonymous, Now::test(0));
        let (mut ms, mut last) = (0, Now::test(0).wall);
        for (step, wait) in steps {
            ms += wait;
            let now = Now::test(ms);
            match step {
                0 => recovery.lost(now, Cause::Closed, 0.3),
                1 => { recovery.connect(now); }
                2 => recovery.heard(now),
                3 => recovery.tick(now),
                _ => if let Some(Update::Hole { from, until }) = recovery.live(now, false) {
                    prop_assert!(from >= last && from < until && until == now.wall);
                    last = until;
                },
            }
        }
    }
}
