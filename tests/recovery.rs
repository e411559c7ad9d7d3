//! The recovery ladder of an output, as the core decides it. Pure; no clock is read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "engine/spec.rs"]
#[allow(dead_code, reason = "this test names outputs only")]
mod spec;

use hawker::{
    base::{Moment, Now, Severity},
    show::{
        Command, Effect, Fact, FailureKind, Happening, IngestSpec, Input, Mode, Outcome,
        OutputState, OutputStatus, Show, ShowSpec, Start, Target, spec::Pick,
    },
};
use spec::{output, spec};

/// A show with one output that has `ways` ingests.
struct Set {
    show: Show,
    at: u64,
}

fn with_ways(ways: usize, return_to_first: bool) -> ShowSpec {
    let mut spec = spec(&["a"]);
    let Target::Whip(whip) = &mut spec.outputs[0].target else { panic!() };
    whip.return_to_first = return_to_first;
    whip.ingests = (0..ways)
        .map(|n| IngestSpec {
            url: format!("https://{n}.example/whip").parse().unwrap(),
            token: None,
            server: None,
        })
        .collect();
    spec
}

impl Set {
    fn new(ways: usize, return_to_first: bool) -> Self {
        let mut set = Self { show: Show::new(with_ways(ways, return_to_first), Mode::Live), at: 0 };
        set.give(Input::Start(Start { for_ms: None, standby: false, headless: false }));
        set
    }

    /// On air at the first ingest, 20 s into the show.
    fn on_air(ways: usize, return_to_first: bool) -> Self {
        let mut set = Self::new(ways, return_to_first);
        set.connects(1);
        set.at = 20_000;
        set
    }

    fn give(&mut self, what: Input) -> Outcome {
        self.show.handle(Now::test(self.at), what)
    }

    /// Told to go live at the nearest of three.
    fn probing() -> Self {
        let mut spec = with_ways(3, true);
        let Target::Whip(whip) = &mut spec.outputs[0].target else { panic!() };
        whip.pick = Pick::Nearest;
        let mut set = Self { show: Show::new(spec, Mode::Live), at: 0 };
        let begun = set.give(Input::Start(Start { for_ms: None, standby: false, headless: false }));
        let probes = |e: &Effect| matches!(e, Effect::Probe(o) if o.id == output("a"));
        assert_eq!((opened(&begun), begun.effects.iter().any(probes)), (None, true));
        set
    }

    fn probed(&mut self, rtt_ms: &[Option<u32>]) -> Outcome {
        self.give(Input::Fact(Fact::Probed { output: output("a"), rtt_ms: rtt_ms.to_vec() }))
    }

    fn a(&self) -> &OutputState {
        &self.show.outputs[0]
    }

    fn connects(&mut self, session: u32) -> Outcome {
        self.give(Input::Fact(Fact::OutputConnected {
            output: output("a"),
            session,
            connect_ms: 100,
        }))
    }

    fn fails(&mut self, session: u32, kind: FailureKind, retry_after_ms: Option<u64>) -> Outcome {
        let (output, reason) = (output("a"), "no".into());
        self.give(Input::Fact(Fact::OutputFailed { output, session, reason, kind, retry_after_ms }))
    }

    fn silent(&mut self, session: u32) -> Outcome {
        self.give(Input::Fact(Fact::OutputSilent { output: output("a"), session }))
    }

    fn healed(&mut self, session: u32) -> Outcome {
        self.give(Input::Fact(Fact::OutputHealed { output: output("a"), session }))
    }

    fn wake(&mut self) -> Outcome {
        self.at = self.show.next_wake().expect("something is due").as_ms();
        self.give(Input::Wake)
    }
}

fn opened(outcome: &Outcome) -> Option<(usize, u32)> {
    outcome.effects.iter().find_map(|e| match e {
        Effect::Publish { way, session, .. } => Some((*way, *session)),
        _ => None,
    })
}

fn retired(outcome: &Outcome) -> Vec<u32> {
    let session = |e: &Effect| match e {
        Effect::Retire { session, .. } => Some(*session),
        _ => None,
    };
    outcome.effects.iter().filter_map(session).collect()
}

fn wait(outcome: &Outcome) -> Option<u64> {
    outcome.events.iter().find_map(|e| match &e.what {
        Happening::OutputFailed { retry_in_ms, .. } => *retry_in_ms,
        _ => None,
    })
}

#[test]
fn beside_a_silent_session_another_is_opened_and_the_first_that_is_heard_stays() {
    let mut set = Set::on_air(1, false);
    set.silent(1);
    assert!(set.a().is_silent() && set.a().is_live());
    let woken = set.wake();
    assert_eq!(set.at, 20_250);
    assert_eq!(opened(&woken), Some((0, 2)));
    // The old one is heard again: the new one is let go, connected or not.
    let healed = set.healed(1);
    assert_eq!(retired(&healed), [2]);
    assert!(!set.a().is_silent());
    assert_eq!(set.connects(2), Outcome::default(), "it came too late, and is let go already");
    assert_eq!((set.a().session, set.a().reconnects, set.a().down_since), (1, 0, None));
    // The other way round.
    set.silent(1);
    let (_, session) = opened(&set.wake()).unwrap();
    set.at += 100;
    let live = set.connects(session);
    assert_eq!(retired(&live), [1]);
    assert_eq!((set.a().session, set.a().reconnects, set.a().down_ms), (session, 1, 350));
    assert!(!set.a().is_silent());
    assert_eq!(set.healed(1), Outcome::default(), "nobody listens to the old one");
}

#[test]
fn what_fails_beside_a_silent_session_is_tried_again_and_again() {
    let mut set = Set::on_air(1, false);
    set.silent(1);
    for session in 2..12 {
        assert_eq!(opened(&set.wake()), Some((0, session)));
        assert_eq!(wait(&set.fails(session, FailureKind::Passing, None)), Some(300));
    }
    assert!(set.a().is_silent(), "it may still heal");
    set.wake();
    // The old session is given up while its successor is under way.
    let gone = set.fails(1, FailureKind::Passing, None);
    assert_eq!(opened(&gone), None);
    assert_eq!(set.a().status, OutputStatus::Connecting);
    set.connects(12);
    assert!(set.a().is_live());
    assert_eq!(set.a().down_ms, set.at - 20_000, "off the air since it fell silent");
}

#[test]
fn a_retry_after_is_honoured() {
    let mut set = Set::new(1, false);
    assert_eq!(wait(&set.fails(1, FailureKind::Passing, Some(7000))), Some(7000));
    assert_eq!(set.show.next_wake(), Some(Moment::from_ms(7000)));
    assert_eq!(opened(&set.wake()), Some((0, 2)));
    assert_eq!(wait(&set.fails(2, FailureKind::Passing, Some(10))), Some(300));
}

#[test]
fn after_the_allowance_the_next_ingest_takes_over() {
    let mut set = Set::on_air(3, false);
    set.silent(1);
    let mut session = 1;
    let taken_over = loop {
        let (way, next) = opened(&set.wake()).unwrap();
        assert_eq!(next, session + 1);
        session = next;
        if way != 0 {
            break way;
        }
        assert!(set.at < 23_000, "the allowance is 3 s");
        set.fails(session, FailureKind::Passing, None);
    };
    assert_eq!(taken_over, 1);
    assert!(set.at <= 23_300, "{}", set.at);
    set.at += 200;
    let live = set.connects(session);
    assert_eq!(retired(&live), [1]);
    assert_eq!((set.a().way, set.a().shown().as_str()), (1, "1.example"));
    assert!(
        live.events
            .iter()
            .any(|e| matches!(&e.what, Happening::OutputLive { to, .. } if to == "1.example"))
    );
    assert_eq!(set.show.next_wake(), None, "it goes back only if asked to");
}

#[test]
fn the_first_connection_too_goes_on_to_the_next_ingest() {
    let mut set = Set::new(2, false);
    let mut session = 1;
    loop {
        set.fails(session, FailureKind::Passing, None);
        let (way, next) = opened(&set.wake()).unwrap();
        session = next;
        if way == 1 {
            break;
        }
        assert!(set.at <= 3000);
    }
    // And round again, after its allowance.
    let began = set.at;
    while set.a().way == 1 {
        set.fails(session, FailureKind::Passing, None);
        session = opened(&set.wake()).unwrap().1;
    }
    assert_eq!(set.a().way, 0);
    assert!(set.at - began >= 3000, "{}", set.at - began);
}

#[test]
fn an_ingest_that_refuses_gives_way_at_once_and_all_of_them_ask_the_operator() {
    let mut set = Set::new(2, false);
    assert_eq!(wait(&set.fails(1, FailureKind::Lasting, None)), Some(300));
    assert_eq!(opened(&set.wake()), Some((1, 2)));
    assert_eq!(wait(&set.fails(2, FailureKind::Lasting, None)), None);
    assert!(matches!(set.a().status, OutputStatus::Refused { .. }));
    assert_eq!(set.show.next_wake(), None, "nothing is hammered");
}

#[test]
fn it_returns_to_the_first_ingest_if_asked_to_and_never_leaves_the_standby_before() {
    let mut set = Set::on_air(2, true);
    assert_eq!(set.show.next_wake(), None);
    set.fails(1, FailureKind::Lasting, None);
    let (way, session) = opened(&set.wake()).unwrap();
    assert_eq!(way, 1);
    set.connects(session);
    let began = set.at;
    assert_eq!(opened(&set.wake()), Some((0, session + 1)));
    assert_eq!(set.at - began, 30_000);
    let failed = set.fails(session + 1, FailureKind::Passing, None);
    assert!(matches!(failed.events[0].what, Happening::ReturnFailed { .. }));
    assert!(set.a().is_live() && set.a().way == 1);
    assert_eq!(opened(&set.wake()), Some((0, session + 2)));
    assert_eq!(retired(&set.connects(session + 2)), [session]);
    assert_eq!(
        (set.a().way, set.a().down_ms),
        (0, 300),
        "nobody missed anything but the first gap"
    );
    assert_eq!(set.show.next_wake(), None);
}

#[test]
fn each_return_that_comes_to_nothing_makes_the_next_one_rarer() {
    let mut set = Set::on_air(2, true);
    set.fails(1, FailureKind::Lasting, None);
    let (_, session) = opened(&set.wake()).unwrap();
    set.connects(session);
    let mut waits = Vec::new();
    for _ in 0..7 {
        let since = set.at;
        let (way, first) = opened(&set.wake()).unwrap();
        assert_eq!(way, 0);
        waits.push((set.at - since) / 1000);
        // It takes us, carries nothing, and is gone again.
        set.connects(first);
        set.at += 2000;
        set.fails(first, FailureKind::Lasting, None);
        let (way, standby) = opened(&set.wake()).unwrap();
        assert_eq!(way, 1);
        set.connects(standby);
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 960, 960]);
    // One that holds is trusted again.
    let (_, first) = opened(&set.wake()).unwrap();
    set.connects(first);
    set.at += 30_000;
    set.fails(first, FailureKind::Lasting, None);
    let (_, standby) = opened(&set.wake()).unwrap();
    set.connects(standby);
    let since = set.at;
    set.wake();
    assert_eq!(set.at - since, 30_000);
}

#[test]
fn a_standby_that_falls_silent_is_helped_before_anything_returns() {
    let mut set = Set::on_air(2, true);
    set.fails(1, FailureKind::Lasting, None);
    let (_, session) = opened(&set.wake()).unwrap();
    set.connects(session);
    let (_, returning) = opened(&set.wake()).unwrap();
    assert_eq!(retired(&set.silent(session)), [returning]);
    assert_eq!(opened(&set.wake()), Some((1, returning + 1)));
}

#[test]
fn the_nearest_ingest_is_tried_first_and_the_others_stand_by_in_order() {
    let mut set = Set::probing();
    set.at = 300;
    let probed = set.probed(&[Some(140), None, Some(23)]);
    assert_eq!(opened(&probed), Some((2, 1)));
    assert_eq!(
        probed.events[0].what.sentence(),
        "a: 2.example is nearest (23 ms), 0.example stands by (140 ms), 1.example stands by (no answer)"
    );
    assert_eq!(set.a().order, [2, 0, 1]);
    assert_eq!(set.probed(&[Some(1), None, None]), Outcome::default(), "once is enough");
    // Those that stand by are tried in that order, round and round.
    let mut session = 1;
    for way in [0, 1] {
        set.fails(session, FailureKind::Lasting, None);
        let (next, number) = opened(&set.wake()).unwrap();
        assert_eq!(next, way);
        session = number;
    }
    set.connects(session);
    // Back to the first is back to the nearest.
    assert_eq!(opened(&set.wake()), Some((2, session + 1)));
}

#[test]
fn a_probe_that_fails_or_hangs_leaves_the_order_as_it_is_written() {
    let mut set = Set::probing();
    let failed = set.probed(&[None, None, None]);
    assert_eq!(
        (opened(&failed), failed.events[0].what.severity()),
        (Some((0, 1)), Severity::Warning)
    );
    let mut set = Set::probing();
    let woken = set.wake();
    assert_eq!((set.at, opened(&woken)), (2000, Some((0, 1))));
    assert!(woken.events[0].what.sentence().contains("as they are listed"));
    assert_eq!(set.a().order, [0, 1, 2]);
    // Fewer figures than ingests, or more, are no reason to fall over.
    let mut set = Set::probing();
    assert_eq!(opened(&set.probed(&[None, Some(5)])), Some((1, 1)));
    let mut set = Set::probing();
    assert_eq!(opened(&set.probed(&[None, None, Some(5), Some(1)])), Some((2, 1)));
}

#[test]
fn a_probe_that_was_stopped_opens_nothing() {
    let mut set = Set::probing();
    set.give(Input::Command(Command::StopOutput { output: None }));
    assert_eq!(set.a().status, OutputStatus::Stopping);
    assert_eq!(set.probed(&[Some(1), Some(2), Some(3)]), Outcome::default());
    set.give(Input::Fact(Fact::OutputStopped { output: output("a") }));
    assert_eq!(set.show.next_wake(), None);
    // The next time it is probed again; an operator who cannot wait for a retry is not made to.
    let again = set.give(Input::Command(Command::GoLive { output: None }));
    assert!(matches!(again.effects[..], [Effect::Probe(_)]));
    let (_, session) = opened(&set.probed(&[None, Some(9), None])).unwrap();
    set.fails(session, FailureKind::Passing, None);
    let now = set.give(Input::Command(Command::GoLive { output: None }));
    assert_eq!(opened(&now), Some((1, session + 1)));
}

#[test]
fn an_ingest_that_took_us_before_is_tried_again_whatever_it_says() {
    let mut set = Set::on_air(1, false);
    set.silent(1);
    let (_, session) = opened(&set.wake()).unwrap();
    let rare = wait(&set.fails(session, FailureKind::Lasting, None)).expect("tried again");
    assert!((10_000..=12_500).contains(&rare), "{rare}");
    // The old session is given up meanwhile: it is still tried, not given up.
    set.fails(1, FailureKind::Passing, None);
    let (_, session) = opened(&set.wake()).unwrap();
    assert!(wait(&set.fails(session, FailureKind::Lasting, None)).is_some());
    assert!(matches!(set.a().status, OutputStatus::Retrying { .. }));
}

#[test]
fn a_try_that_hangs_does_not_hold_up_the_standby() {
    let mut set = Set::on_air(2, false);
    set.silent(1);
    let (way, hanging) = opened(&set.wake()).unwrap();
    assert_eq!(way, 0);
    let next = set.wake();
    assert_eq!(set.at, 23_000, "the allowance counts, not the try");
    assert_eq!((retired(&next), opened(&next)), (vec![hanging], Some((1, hanging + 1))));
    // And the same when the old session is gone for good.
    set.fails(1, FailureKind::Passing, None);
    assert_eq!(set.a().status, OutputStatus::Connecting);
    let back = set.wake();
    assert_eq!((retired(&back), opened(&back)), (vec![hanging + 1], Some((0, hanging + 2))));
}

#[test]
fn a_place_that_our_own_silent_session_holds_is_given_up_and_taken_again_at_once() {
    let mut set = Set::on_air(1, false);
    set.silent(1);
    let second = opened(&set.wake()).expect("a second session beside the silent one");
    let outcome = set.fails(second.1, FailureKind::Busy, None);
    assert_eq!(retired(&outcome), [1], "ours is ended");
    let third = opened(&outcome).expect("and the next begins at once");
    assert_eq!((third.0, wait(&outcome)), (0, Some(0)));
    assert!(!set.a().is_live());
    // The place may be another's all the same: then it is tried again like anything that passes.
    let outcome = set.fails(third.1, FailureKind::Busy, None);
    assert_eq!((opened(&outcome), retired(&outcome), wait(&outcome)), (None, vec![], Some(300)));
    let fourth = opened(&set.wake()).unwrap();
    set.connects(fourth.1);
    assert!(set.a().is_live() && set.a().reconnects == 1);
}

#[test]
fn a_session_that_is_heard_is_never_given_up_for_a_place() {
    let mut set = Set::on_air(2, true);
    // On its standby; the first ingest is busy when it is tried again.
    set.fails(1, FailureKind::Lasting, None);
    let standby = opened(&set.wake()).unwrap();
    assert_eq!(standby.0, 1);
    set.connects(standby.1);
    let back = opened(&set.wake()).expect("the way back to the first");
    let outcome = set.fails(back.1, FailureKind::Busy, None);
    assert_eq!(retired(&outcome), [0_u32; 0]);
    assert!(set.a().is_live() && set.a().way == 1);
}
