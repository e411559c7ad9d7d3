//! The decisions of a show: what follows from commands, facts and time. Pure; no clock is read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "core/ending.rs"]
mod ending;
#[path = "engine/spec.rs"]
mod spec;

use hawker::{
    base::{Db, Moment, Now, Severity},
    scene::TransitionKind,
    show::{
        AlarmSpec, Command, Container, Effect, Ending, Event, Fact, FailureKind, Happening, Input,
        InputStatus, Mode, MonitorSpec, Outcome, OutputSpec, OutputStatus, Phase, RecordSpec,
        Segment, SegmentSpec, Show, Start, Target,
    },
    stats::{
        alarm::{Crossing, Rule},
        verdict::{Metric, Subject},
    },
};
use spec::{input, output, scene, spec};

struct Stage {
    show: Show,
    at: u64,
}

impl Stage {
    fn new(outputs: &[&str], mode: Mode, start: Start) -> Self {
        let mut stage = Self { show: Show::new(spec(outputs), mode), at: 0 };
        stage.give(Input::Start(start));
        stage
    }

    fn live(outputs: &[&str], headless: bool) -> Self {
        Self::new(outputs, Mode::Live, Start { for_ms: None, standby: false, headless })
    }

    fn give(&mut self, what: Input) -> Outcome {
        self.show.handle(Now::test(self.at), what)
    }

    fn fact(&mut self, fact: Fact) -> Outcome {
        self.give(Input::Fact(fact))
    }

    fn command(&mut self, command: Command) -> Outcome {
        self.give(Input::Command(command))
    }

    /// Goes to the next wake and gives it.
    fn wake(&mut self) -> Outcome {
        self.at = self.show.next_wake().expect("something is due").as_ms();
        self.give(Input::Wake)
    }

    /// The newest session of that output.
    fn session(&self, name: &str) -> u32 {
        let output = self.show.output(&output(name)).unwrap();
        output.renewal.as_ref().and_then(|r| r.session).unwrap_or(output.session)
    }

    fn connected(&mut self, name: &str) -> Outcome {
        let session = self.session(name);
        self.fact(Fact::OutputConnected { output: output(name), session, connect_ms: 90 })
    }

    fn fails(&mut self, name: &str, kind: FailureKind) -> Outcome {
        let (output, session) = (output(name), self.session(name));
        let reason = "no".into();
        self.fact(Fact::OutputFailed { output, session, reason, kind, retry_after_ms: None })
    }

    fn input_fails(&mut self) -> Outcome {
        let (reason, kind) = ("unplugged".into(), FailureKind::Passing);
        self.fact(Fact::InputFailed { input: input("cam"), reason, kind })
    }

    fn ended(&self) -> (Phase, Option<Ending>) {
        (self.show.phase, self.show.ending)
    }
}

fn recording() -> Target {
    Target::Record(RecordSpec {
        folder: "/rec".into(),
        container: Container::Mkv,
        split_minutes: None,
        split_mb: None,
        split_at_segments: false,
        keep_free_mb: 0,
    })
}

fn finishes(outcome: &Outcome) -> Option<u8> {
    outcome.effects.iter().find_map(|e| match e {
        Effect::Finish { exit_code } => Some(*exit_code),
        _ => None,
    })
}

fn retry(events: &[Event]) -> Option<u64> {
    events.iter().find_map(|e| match &e.what {
        Happening::InputFailed { retry_in_ms, .. }
        | Happening::OutputFailed { retry_in_ms, .. } => *retry_in_ms,
        _ => None,
    })
}

#[test]
fn an_input_backs_off_and_starts_anew_after_it_held() {
    let mut stage = Stage::live(&["a"], false);
    for ms in [250, 500, 1000, 2000, 4000, 8000, 8000] {
        assert_eq!(retry(&stage.input_fails().events), Some(ms));
        // A second report of the same failure changes nothing.
        assert!(stage.input_fails().events.is_empty());
        let woken = stage.wake();
        assert!(
            woken
                .effects
                .iter()
                .any(|e| matches!(e, Effect::StartInput(i) if i.id == input("cam")))
        );
    }
    stage.fact(Fact::InputUp { input: input("cam"), format: "x".into() });
    stage.at += 10_000;
    assert_eq!(retry(&stage.input_fails().events), Some(250));
    let cam = stage.show.input(&input("cam")).unwrap();
    assert_eq!((cam.faults, cam.last_fault.as_deref()), (8, Some("unplugged")));
}

#[test]
fn an_input_that_did_not_hold_goes_on_backing_off() {
    let mut stage = Stage::live(&["a"], false);
    stage.input_fails();
    stage.wake();
    stage.fact(Fact::InputUp { input: input("cam"), format: "x".into() });
    stage.at += 9_999;
    assert_eq!(retry(&stage.input_fails().events), Some(500));
}

#[test]
fn an_output_retries_fast_then_slowly() {
    let mut stage = Stage::live(&["a"], true);
    let mut waits = Vec::new();
    for _ in 0..16 {
        waits.extend(retry(&stage.fails("a", FailureKind::Passing).events));
        let woken = stage.wake();
        assert!(
            woken
                .effects
                .iter()
                .any(|e| matches!(e, Effect::Publish { output: o, .. } if o.id == output("a")))
        );
    }
    assert_eq!(waits[..10], [300; 10]);
    // What is not quick is spread by up to a quarter.
    for (wait, least) in waits[10..].iter().zip([600, 1200, 2400, 4800, 9600, 10_000]) {
        assert!((least..=least + least / 4).contains(wait), "{wait} for {least}");
    }
}

#[test]
fn refused_with_nobody_there_is_exit_code_3() {
    let mut stage = Stage::live(&["a", "b"], true);
    let first = stage.fails("a", FailureKind::Lasting);
    assert_eq!(stage.show.phase, Phase::Running, "b may still make it: {first:?}");
    stage.fails("b", FailureKind::Lasting);
    assert_eq!(stage.ended(), (Phase::Ending, Some(Ending::CannotGoLive)));
    stage.fact(Fact::OutputStopped { output: output("a") });
    let last = stage.fact(Fact::OutputStopped { output: output("b") });
    assert_eq!(finishes(&last), Some(3));
}

#[test]
fn refused_with_somebody_there_waits_for_them() {
    let mut stage = Stage::live(&["a"], false);
    stage.fails("a", FailureKind::Lasting);
    assert_eq!(stage.show.phase, Phase::Running);
    assert!(stage.command(Command::GoLive { output: None }).refusal.is_none());
    assert_eq!(stage.show.outputs[0].status, OutputStatus::Connecting);
}

#[test]
fn falling_off_the_air_is_exit_code_4() {
    let mut stage = Stage::live(&["a"], true);
    stage.connected("a");
    stage.fails("a", FailureKind::Lasting);
    assert_eq!(stage.ended(), (Phase::Ending, Some(Ending::FellOff)));
    assert_eq!(finishes(&stage.fact(Fact::OutputStopped { output: output("a") })), Some(4));
}

#[test]
fn time_up_while_off_the_air_is_4_and_never_on_it_is_3() {
    for (was_live, code) in [(true, 4), (false, 3)] {
        let start = Start { for_ms: Some(100), standby: false, headless: true };
        let mut stage = Stage::new(&["a"], Mode::Live, start);
        if was_live {
            stage.connected("a");
        }
        stage.fails("a", FailureKind::Passing);
        stage.at = 100;
        stage.give(Input::Wake);
        assert_eq!(finishes(&stage.fact(Fact::OutputStopped { output: output("a") })), Some(code));
    }
}

#[test]
fn a_show_that_ends_in_a_short_silence_was_on_air() {
    for (silent_ms, code) in [(2000, 0), (60_000, 4)] {
        let start = Start { for_ms: Some(70_000), standby: false, headless: true };
        let mut stage = Stage::new(&["a"], Mode::Live, start);
        stage.connected("a");
        stage.at = 70_000 - silent_ms;
        let session = stage.show.outputs[0].session;
        stage.fact(Fact::OutputSilent { output: output("a"), session });
        stage.at = 70_000;
        stage.give(Input::Wake);
        let last = stage.fact(Fact::OutputStopped { output: output("a") });
        assert_eq!(finishes(&last), Some(code), "{silent_ms}");
        assert_eq!(stage.show.outputs[0].down_ms, silent_ms);
    }
}

#[test]
fn a_recording_that_is_refused_is_not_the_show_off_the_air() {
    // Alone it is all there is.
    for (outputs, code) in [(&["a", "rec"][..], 0), (&["rec"][..], 3)] {
        let mut spec = spec(outputs);
        spec.outputs.last_mut().unwrap().target = recording();
        let start = Start { for_ms: Some(100), standby: false, headless: false };
        let mut stage = Stage { show: Show::new(spec, Mode::Live), at: 0 };
        stage.give(Input::Start(start));
        if outputs.len() > 1 {
            stage.connected("a");
        }
        stage.fails("rec", FailureKind::Lasting);
        stage.at = 100;
        stage.give(Input::Wake);
        let last: Vec<_> = outputs
            .iter()
            .map(|id| finishes(&stage.fact(Fact::OutputStopped { output: output(id) })))
            .collect();
        assert_eq!(last.last(), Some(&Some(code)), "{outputs:?}");
    }
}

#[test]
fn an_output_is_added_while_live_and_goes_live_like_any_other() {
    let mut stage = Stage::live(&["a"], false);
    stage.connected("a");
    let add = |id: &str, to: Target| Command::add(OutputSpec::new(output(id), to));
    let added = stage.command(add("rec", recording()));
    assert_eq!((added.refusal, added.effects.len()), (None, 0), "nothing is started by itself");
    assert!(matches!(added.events[0].what, Happening::OutputAdded { .. }));
    let live = stage.command(Command::GoLive { output: Some(output("rec")) });
    assert!(
        matches!(&live.effects[..], [Effect::Publish { output: o, .. }] if o.id == output("rec"))
    );
    stage.connected("rec");
    stage.command(Command::StopOutput { output: Some(output("rec")) });
    assert!(stage.show.on_air());
    for (command, why) in [
        (add("rec", recording()), "already"),
        (add("b", Target::Stage), "the stage cannot be added"),
    ] {
        let refused = stage.command(command).refusal.unwrap();
        assert!(refused.0.contains(why), "{refused}");
    }
    let start = Start { for_ms: None, standby: false, headless: false };
    let mut rehearsal = Stage::new(&["a"], Mode::Rehearse, start);
    assert!(rehearsal.command(add("b", recording())).refusal.unwrap().0.contains("rehearsal"));
}

#[test]
fn a_recording_that_runs_can_be_split_and_nothing_else_can() {
    let mut stage = Stage::live(&["a", "rec"], false);
    let split = |name: Option<&str>| Command::Split { output: name.map(output) };
    stage.show.outputs[1].spec.target = recording();
    stage.connected("a");
    assert!(stage.command(split(None)).refusal.unwrap().0.contains("nothing is being recorded"));
    stage.connected("rec");
    for name in [None, Some("rec")] {
        let outcome = stage.command(split(name));
        assert_eq!((outcome.refusal, outcome.effects), (None, vec![Effect::Split(output("rec"))]));
    }
    assert!(stage.command(split(Some("a"))).refusal.unwrap().0.contains("writes no file"));
    assert!(stage.command(split(Some("x"))).refusal.unwrap().0.contains("there is no output"));
}

#[test]
fn a_signal_ends_in_order_with_130_and_a_second_one_at_once() {
    let mut stage = Stage::live(&["a"], true);
    stage.connected("a");
    let first = stage.fact(Fact::Interrupted);
    assert!(first.effects.contains(&Effect::Unpublish(output("a"))));
    assert_eq!(finishes(&first), None);
    assert_eq!(finishes(&stage.fact(Fact::Interrupted)), Some(130));
    assert!(stage.fact(Fact::Interrupted).events.is_empty(), "it is over");
}

#[test]
fn an_ending_that_hangs_is_cut_short_and_nothing_wakes_it_before() {
    let mut stage = Stage::live(&["a"], false);
    stage.connected("a");
    stage.input_fails();
    stage.at = 5000;
    stage.command(Command::EndShow);
    // The failed input's retry is long due; it must not keep the loop spinning.
    assert_eq!(stage.show.next_wake(), Some(Moment::from_ms(8000)));
    stage.at = 7999;
    assert_eq!(stage.give(Input::Wake), Outcome::default());
    assert_eq!(finishes(&stage.wake()), Some(0));
    assert_eq!(stage.show.next_wake(), None);
}

#[test]
fn panic_and_resume() {
    let mut stage = Stage::live(&["a"], false);
    assert!(stage.command(Command::Resume).refusal.is_some());
    assert_eq!(stage.command(Command::Panic).effects, [Effect::Slate(true)]);
    assert!(stage.show.panic && stage.command(Command::Panic).refusal.is_some());
    assert_eq!(stage.command(Command::Resume).effects, [Effect::Slate(false)]);
    assert!(!stage.show.panic);
}

#[test]
fn a_take_swaps_program_and_preview_with_the_chosen_transition() {
    let mut stage = Stage::live(&["a"], false);
    stage.command(Command::SetTransition { kind: TransitionKind::Wipe, ms: 99_999 });
    assert_eq!(stage.show.transition.ms, 10_000);
    let taken = stage.command(Command::TakePreview);
    assert_eq!((&stage.show.program, &stage.show.preview), (&scene("close"), &scene("table")));
    let [Effect::Take { to, transition }, Effect::Preview(preview)] = &taken.effects[..] else {
        panic!("{:?}", taken.effects)
    };
    assert_eq!(*transition, stage.show.transition);
    assert_ne!(to, preview);
}

#[test]
fn standby_waits_for_the_operator_and_stopping_is_as_planned() {
    let start = Start { for_ms: None, standby: true, headless: false };
    let mut stage = Stage::new(&["a"], Mode::Live, start);
    assert_eq!(stage.show.outputs[0].status, OutputStatus::Idle);
    assert!(stage.command(Command::StopOutput { output: None }).refusal.is_some());
    stage.command(Command::GoLive { output: Some(output("a")) });
    stage.connected("a");
    assert!(stage.command(Command::GoLive { output: None }).refusal.is_some());
    stage.at = 4000;
    let stopped = stage.command(Command::StopOutput { output: None });
    assert_eq!(stopped.effects, [Effect::Unpublish(output("a"))]);
    stage.fact(Fact::OutputStopped { output: output("a") });
    assert_eq!((stage.show.outputs[0].on_air_ms, stage.show.on_air()), (4000, false));
    assert_eq!(finishes(&stage.command(Command::EndShow)), Some(0));
}

#[test]
fn down_time_counts_from_the_fall_to_the_return() {
    let mut stage = Stage::live(&["a"], false);
    stage.at = 700;
    stage.connected("a");
    assert_eq!(stage.show.outputs[0].down_ms, 0, "the first connection is not down time");
    stage.at = 10_000;
    stage.fails("a", FailureKind::Passing);
    stage.wake();
    stage.at = 12_500;
    stage.connected("a");
    let a = &stage.show.outputs[0];
    assert_eq!((a.down_ms, a.reconnects, a.on_air_ms), (2500, 1, 9300));
    assert_eq!(a.down_since, None);
}

#[test]
fn a_rehearsal_touches_no_output_of_the_file() {
    let stage =
        Stage::new(&["a"], Mode::Rehearse, Start { for_ms: None, standby: true, headless: true });
    assert_eq!(stage.show.outputs.len(), 1);
    assert_eq!(stage.show.outputs[0].spec.id, output("stage"));
    assert_eq!(stage.show.outputs[0].status, OutputStatus::Connecting);
}

#[test]
fn late_and_foreign_facts_change_nothing() {
    let mut stage = Stage::live(&["a"], false);
    stage.connected("a");
    let before = stage.show.clone();
    for fact in [
        Fact::OutputConnected { output: output("a"), session: 1, connect_ms: 1 },
        Fact::OutputStopped { output: output("a") },
        Fact::OutputHealed { output: output("a"), session: 1 },
        Fact::OutputSilent { output: output("a"), session: 7 },
        Fact::OutputConnected { output: output("nobody"), session: 1, connect_ms: 1 },
        Fact::InputUp { input: input("nobody"), format: "x".into() },
        Fact::Consoles { attached: 0 },
    ] {
        assert_eq!(stage.fact(fact), Outcome::default());
    }
    assert_eq!(stage.show, before);
}

#[test]
fn refusals_name_what_there_is_and_change_nothing() {
    let mut stage = Stage::live(&["a"], false);
    let before = stage.show.clone();
    let refused = stage.command(Command::CutTo { scene: scene("nowhere") });
    assert!(refused.refusal.unwrap().0.contains("table, close"));
    for db in [f32::NAN, 21.0, -61.0] {
        let gain = Command::SetGain { input: input("cam"), db: Db(db) };
        assert!(stage.command(gain).refusal.is_some(), "{db}");
    }
    assert_eq!(stage.show, before);
    stage.command(Command::EndShow);
    assert!(stage.command(Command::Panic).refusal.unwrap().0.contains("ending"));
}

#[test]
fn restarting_an_input_does_not_wait() {
    let mut stage = Stage::live(&["a"], false);
    stage.input_fails();
    let restarted = stage.command(Command::RestartInput { input: input("cam") });
    assert!(restarted.effects.iter().any(|e| matches!(e, Effect::StartInput(_))));
    assert_eq!(stage.show.input(&input("cam")).unwrap().status, InputStatus::Starting);
}

#[test]
fn monitors_watch_while_their_output_is_on_air() {
    let mut spec = spec(&["a", "b"]);
    let monitor = |id: &str, of: Option<&str>| MonitorSpec {
        id: id.parse().unwrap(),
        url: "https://play.example/whep/s3cret".parse().unwrap(),
        token: None,
        output: of.map(output),
        market: None,
    };
    spec.monitors = vec![monitor("whole", None), monitor("of-a", Some("a"))];
    let watching = |outcome: &Outcome| -> Vec<String> {
        let name = |e: &Effect| match e {
            Effect::Watch(spec) => Some(format!("+{}", spec.id)),
            Effect::Unwatch(id) => Some(format!("-{id}")),
            _ => None,
        };
        outcome.effects.iter().filter_map(name).collect()
    };
    let start = || Input::Start(Start { for_ms: None, standby: false, headless: false });
    let mut rehearsal = Show::new(spec.clone(), Mode::Rehearse);
    assert!(watching(&rehearsal.handle(Now::test(0), start())).is_empty());
    let mut stage = Stage { show: Show::new(spec.clone(), Mode::Live), at: 0 };
    assert_eq!(watching(&stage.give(start())), ["+whole"]);
    assert_eq!(watching(&stage.connected("b")), [""; 0]);
    assert_eq!(watching(&stage.connected("a")), ["+of-a"]);
    let stop = Command::StopOutput { output: Some(output("a")) };
    assert_eq!(watching(&stage.command(stop)), ["-of-a"]);
    let shown = serde_json::to_string(&spec.without_secrets()).unwrap();
    assert!(!shown.contains("s3cret") && shown.contains("play.example"), "{shown}");
}

#[test]
fn alarms_are_told_acknowledged_and_folded() {
    let mut stage = Stage::live(&["a"], false);
    let rule = Rule {
        id: "stall".parse().unwrap(),
        metric: Metric::StallMs,
        above: 500,
        for_ms: 0,
        clears_below: 1,
        severity: Severity::Critical,
    };
    stage.show.spec.alarms =
        vec![AlarmSpec { rule: rule.clone(), run: vec!["page".into()], webhook: None }];
    let crossing = |name: &str, raised| {
        Fact::AlarmCrossed(Crossing {
            alarm: rule.id.clone(),
            about: Subject::Monitor(name.parse().unwrap()),
            raised,
            severity: Severity::Critical,
            value: 600,
            words: "no frame for 0.6 s".into(),
        })
    };
    let acknowledge = Command::Acknowledge { alarm: None };
    assert!(stage.command(acknowledge.clone()).refusal.is_some());
    let raised = stage.fact(crossing("tokyo", true));
    assert_eq!(
        raised.events[0].what.sentence(),
        "ALARM 'stall': monitor tokyo: no frame for 0.6 s"
    );
    assert_eq!(raised.events[0].what.severity(), Severity::Critical);
    assert!(
        matches!(&raised.effects[..], [Effect::Alert(alert)] if alert.state.word() == "raised")
    );
    let seen = stage.command(acknowledge);
    assert_eq!(seen.events[0].what.sentence(), "one alarm is acknowledged");
    assert_eq!((stage.show.alarms.open().len(), stage.show.alarms.unseen().count()), (1, 0));
    stage.at = 3000;
    let cleared = stage.fact(crossing("tokyo", false));
    assert_eq!(cleared.events[0].what.sentence(), "over: 'stall' of monitor tokyo, after 3.0 s");
    stage.at = 60_000;
    let alerts: usize = (0..9)
        .map(|n| stage.fact(crossing(&format!("m{n}"), true)))
        .map(|outcome| outcome.effects.len())
        .sum();
    assert_eq!(alerts, 4, "one by one as long as somebody can read them");
    let folded = stage.wake();
    assert_eq!(stage.at, 62_000);
    assert_eq!(folded.events[0].what.sentence(), "ALARM: 5 more at once: stall (5)");
    assert!(matches!(&folded.effects[..], [Effect::Alert(alert)] if alert.state.word() == "storm"));
}

/// A show with three segments, which is recorded too; off the air.
fn with_rundown() -> Stage {
    let segment = |title: &str, length_s, scene: Option<&str>, by_itself| SegmentSpec {
        title: title.into(),
        length_s,
        scene: scene.map(self::scene),
        by_itself,
    };
    let mut spec = spec(&["a"]);
    spec.segments = vec![
        segment("Hook", 60, None, true),
        segment("Hero", 300, Some("close"), true),
        segment("Questions", 240, Some("close"), true),
    ];
    let Target::Record(parted) = recording() else { unreachable!() };
    let parted = Target::Record(RecordSpec { split_at_segments: true, ..parted });
    spec.outputs.push(OutputSpec::new(output("parts"), parted));
    spec.outputs.push(OutputSpec::new(output("whole"), recording()));
    let mut stage = Stage { show: Show::new(spec, Mode::Live), at: 0 };
    stage.give(Input::Start(Start { for_ms: None, standby: false, headless: false }));
    stage
}

fn begun(outcome: &Outcome) -> Vec<u32> {
    let number = |e: &Event| match e.what {
        Happening::SegmentBegan { number, .. } => Some(number),
        _ => None,
    };
    outcome.events.iter().filter_map(number).collect()
}

#[test]
fn a_rundown_begins_with_the_audience_and_keeps_its_times() {
    let mut stage = with_rundown();
    stage.connected("parts");
    assert_eq!(stage.show.segment, None, "a recording is no audience");
    stage.at = 2000;
    stage.connected("whole");
    assert_eq!(begun(&stage.connected("a")), [1]);
    assert_eq!(stage.show.segment_due().map(Moment::as_ms), Some(62_000));

    // A little late: the next one counts from when it was due, all the same.
    stage.at = 62_040;
    let hero = stage.give(Input::Wake);
    assert_eq!(begun(&hero), [2]);
    let since = Moment::from_ms(62_000);
    assert_eq!(stage.show.segment, Some(Segment { index: 1, since }));
    assert_eq!(stage.show.program, scene("close"));
    let splits: Vec<_> = hero.effects.iter().filter(|e| matches!(e, Effect::Split(_))).collect();
    assert_eq!(splits, [&Effect::Split(output("parts"))], "the other is not parted");

    stage.at = 100_000;
    let questions = stage.command(Command::NextSegment);
    assert_eq!(begun(&questions), [3]);
    assert!(!questions.effects.iter().any(|e| matches!(e, Effect::Take { .. })), "it was on");
    // After the last one nothing follows.
    assert_eq!(stage.show.segment_due().map(Moment::as_ms), Some(340_000));
    assert_eq!(stage.show.next_wake(), None);
    let refusal = stage.command(Command::NextSegment).refusal.unwrap();
    assert!(refusal.0.contains("the last"), "{refusal}");
}

#[test]
fn a_rundown_does_not_run_before_the_show_is_on_air() {
    let mut stage = with_rundown();
    for command in [Command::NextSegment, Command::BeginSegment { number: 2 }] {
        let refusal = stage.command(command).refusal.unwrap();
        assert!(refusal.0.contains("on air"), "{refusal}");
    }
    assert_eq!(stage.show.segment, None);
}

#[test]
fn what_the_report_reads_of_a_segment_is_what_the_event_tells() {
    let mut stage = with_rundown();
    let outcome = stage.connected("a");
    let event = outcome.events.iter().find(|e| matches!(e.what, Happening::SegmentBegan { .. }));
    let json = serde_json::to_value(event.unwrap()).unwrap();
    assert_eq!(json["event"], "segment-began");
    assert_eq!((&json["number"], &json["length_s"]), (&1.into(), &60.into()));
    assert_eq!(json["title"], "Hook");
}

#[test]
fn a_segment_begins_again_and_a_lost_ingest_does_not_begin_the_rundown_anew() {
    let mut stage = with_rundown();
    stage.connected("a");
    stage.command(Command::NextSegment);
    stage.fails("a", FailureKind::Passing);
    stage.wake();
    assert_eq!(begun(&stage.connected("a")), [0; 0]);
    assert_eq!(begun(&stage.command(Command::BeginSegment { number: 1 })), [1]);
    for number in [0, 4] {
        let refusal = stage.command(Command::BeginSegment { number }).refusal.unwrap();
        assert!(refusal.0.contains("1 to 3"), "{refusal}");
    }
    let mut stage = Stage::live(&["a"], false);
    stage.connected("a");
    assert_eq!(stage.show.segment, None);
    for command in [Command::NextSegment, Command::BeginSegment { number: 1 }] {
        let refusal = stage.command(command).refusal.unwrap();
        assert!(refusal.0.contains("[[segment]]"), "{refusal}");
    }
}
