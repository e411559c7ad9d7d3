//! When a show ends by itself, over arbitrary mixes of outputs and of what becomes of them.

use proptest::prelude::*;

use super::*;
use hawker::show::{OutputState, spec::Pick};

/// What an output of a mix is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whip,
    /// With a standby, and probed first.
    Nearest,
    Rtmp,
    Srt,
    Record,
}

impl Kind {
    fn target(self) -> Target {
        let made = |json: serde_json::Value| serde_json::from_value(json).unwrap();
        match self {
            Self::Whip | Self::Nearest => {
                let Target::Whip(mut whip) = spec(&["x"]).outputs[0].target.clone() else {
                    unreachable!("the test's outputs are WHIP")
                };
                if self == Self::Nearest {
                    whip.pick = Pick::Nearest;
                    whip.ingests.push(whip.ingests[0].clone());
                }
                Target::Whip(whip)
            }
            Self::Rtmp => {
                made(serde_json::json!({"to": "rtmp", "url": "rtmp://127.0.0.1/live", "key": null}))
            }
            Self::Srt => made(serde_json::json!({
                "to": "srt", "url": "srt://127.0.0.1:9", "stream_id": null, "passphrase": null, "latency_ms": 120,
            })),
            Self::Record => recording(),
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Whip, Kind::Nearest, Kind::Rtmp, Kind::Srt, Kind::Record])
}

#[derive(Debug, Clone)]
enum Step {
    /// Of the output with that number, by its newest session.
    Connected(usize),
    Fails(usize, FailureKind),
    Silent(usize),
    Healed(usize),
    Stopped(usize),
    GoLive(Option<usize>),
    Stop(Option<usize>),
    Add(Kind),
    Pass(u64),
    ToWake,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || 0..5_usize;
    let which = || prop::option::of(0..5_usize);
    let step = prop_oneof![
        4 => at().prop_map(Step::Connected),
        8 => at().prop_map(|n| Step::Fails(n, FailureKind::Lasting)),
        3 => at().prop_map(|n| Step::Fails(n, FailureKind::Passing)),
        2 => at().prop_map(Step::Silent),
        1 => at().prop_map(Step::Healed),
        3 => at().prop_map(Step::Stopped),
        2 => which().prop_map(Step::GoLive),
        1 => which().prop_map(Step::Stop),
        1 => kinds().prop_map(Step::Add),
        2 => (0..15_000_u64).prop_map(Step::Pass),
        4 => Just(Step::ToWake),
    ];
    prop::collection::vec(step, 0..60)
}

fn is_refused(output: &OutputState) -> bool {
    matches!(output.status, OutputStatus::Refused { .. })
}

fn by_itself(why: Ending) -> bool {
    matches!(
        why,
        Ending::CannotGoLive | Ending::FellOff | Ending::CannotRecord | Ending::RecordingBroke
    )
}

/// Carries one step out; the inputs that an engine would not give (to an output that is not there) give nothing.
fn take(stage: &mut Stage, step: &Step) -> Vec<Event> {
    let name = |stage: &Stage, n: usize| {
        let outputs = &stage.show.outputs;
        outputs[n % outputs.len()].spec.id.to_string()
    };
    let outcome = match step {
        Step::Connected(n) => {
            let name = name(stage, *n);
            stage.connected(&name)
        }
        Step::Fails(n, kind) => {
            let name = name(stage, *n);
            stage.fails(&name, *kind)
        }
        Step::Silent(n) | Step::Healed(n) => {
            let name = name(stage, *n);
            let session = stage.show.output(&output(&name)).unwrap().session;
            let output = output(&name);
            stage.fact(match step {
                Step::Silent(_) => Fact::OutputSilent { output, session },
                _ => Fact::OutputHealed { output, session },
            })
        }
        Step::Stopped(n) => {
            let output = output(&name(stage, *n));
            stage.fact(Fact::OutputStopped { output })
        }
        Step::GoLive(n) => {
            let output = n.map(|n| output(&name(stage, n)));
            stage.command(Command::GoLive { output })
        }
        Step::Stop(n) => {
            let output = n.map(|n| output(&name(stage, n)));
            stage.command(Command::StopOutput { output })
        }
        Step::Add(kind) => {
            let added = output(&format!("added-{}", stage.show.outputs.len()));
            stage.command(Command::AddOutput { output: added, to: kind.target(), profile: None })
        }
        Step::Pass(ms) => {
            stage.at += ms;
            stage.give(Input::Wake)
        }
        Step::ToWake => {
            stage.at = stage.show.next_wake().map_or(stage.at, Moment::as_ms).max(stage.at);
            stage.give(Input::Wake)
        }
    };
    outcome.events
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A show never ends by itself while anything is on air, recording, connecting, due to be retried, or off by an
    /// operator's choice; and one without an operator does end when all of it has failed for good. Its exit code and
    /// its words say what was.
    #[test]
    fn a_show_ends_by_itself_only_when_nothing_runs_or_may_come(
        outputs in prop::collection::vec(kinds(), 1..4),
        steps in steps(),
        standby in any::<bool>(),
        headless in prop::bool::weighted(0.8),
    ) {
        let names: Vec<String> = (0..outputs.len()).map(|n| format!("o-{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut spec = spec(&names);
        for (output, kind) in spec.outputs.iter_mut().zip(&outputs) {
            output.target = kind.target();
        }
        let mut stage = Stage { show: Show::new(spec, Mode::Live), at: 0 };
        stage.give(Input::Start(Start { for_ms: None, standby, headless }));
        let mut aired = false;
        let mut recorded = false;
        for step in steps {
            let before = stage.show.clone();
            let events = take(&mut stage, &step);
            for event in &events {
                if let Happening::OutputLive { output, .. } = &event.what {
                    let records = stage.show.output(output).unwrap().spec.target.is_recording();
                    aired |= !records;
                    recorded |= records;
                }
            }
            let ends = events.iter().find_map(|e| match e.what {
                Happening::Ending { why } => Some(why),
                _ => None,
            });
            if let Some(why) = ends {
                prop_assert!(by_itself(why) && headless, "{:?}", why);
                let failed: Vec<_> = events
                    .iter()
                    .filter_map(|e| match &e.what {
                        Happening::OutputFailed { output, retry_in_ms: None, .. } => Some(output),
                        _ => None,
                    })
                    .collect();
                for output in &before.outputs {
                    prop_assert!(
                        is_refused(output) || failed == [&output.spec.id],
                        "ended while {:?} was there",
                        output
                    );
                }
                let only_records = stage.show.outputs.iter().all(|o| o.spec.target.is_recording());
                let (wanted, code) = match (aired, recorded, only_records) {
                    (true, ..) => (Ending::FellOff, 4),
                    (false, true, true) => (Ending::RecordingBroke, 4),
                    (false, true, false) => (Ending::RecordingBroke, 3),
                    (false, false, true) => (Ending::CannotRecord, 3),
                    (false, false, false) => (Ending::CannotGoLive, 3),
                };
                prop_assert_eq!((why, stage.show.exit_code(why)), (wanted, code));
                return Ok(());
            }
            prop_assert_eq!(stage.show.phase, Phase::Running);
            prop_assert!(
                !(headless && stage.show.outputs.iter().all(is_refused)),
                "nothing can happen any more, and it does not end"
            );
        }
    }
}

/// A recording that runs, and an output that is refused: at the start, and added later.
#[test]
fn a_refused_output_does_not_end_a_recording() {
    for added_later in [false, true] {
        let mut spec = spec(if added_later { &["tape"][..] } else { &["tape", "refuser"] });
        spec.outputs[0].target = recording();
        let start = Start { for_ms: Some(60_000), standby: false, headless: true };
        let mut stage = Stage { show: Show::new(spec, Mode::Live), at: 0 };
        stage.give(Input::Start(start));
        stage.connected("tape");
        if added_later {
            let to = Kind::Whip.target();
            stage.command(Command::AddOutput { output: output("refuser"), to, profile: None });
            stage.command(Command::GoLive { output: Some(output("refuser")) });
        }
        stage.fails("refuser", FailureKind::Lasting);
        assert_eq!(stage.ended(), (Phase::Running, None));
        assert!(stage.show.output(&output("tape")).unwrap().is_live());
        stage.at = 60_000;
        stage.give(Input::Wake);
        assert_eq!(stage.ended(), (Phase::Ending, Some(Ending::TimeUp)));
        stage.fact(Fact::OutputStopped { output: output("tape") });
        let last = stage.fact(Fact::OutputStopped { output: output("refuser") });
        assert_eq!(finishes(&last), Some(3), "what was to be on air never was");
    }
}

#[test]
fn a_recording_alone_ends_in_its_own_words() {
    for (began, why, words, code) in [
        (false, Ending::CannotRecord, "nothing could be recorded", 3),
        (true, Ending::RecordingBroke, "the recording broke off", 4),
    ] {
        let mut spec = spec(&["tape"]);
        spec.outputs[0].target = recording();
        let mut stage = Stage { show: Show::new(spec, Mode::Live), at: 0 };
        stage.give(Input::Start(Start { for_ms: None, standby: false, headless: true }));
        if began {
            stage.connected("tape");
        }
        stage.fails("tape", FailureKind::Lasting);
        assert_eq!(stage.ended(), (Phase::Ending, Some(why)));
        assert_eq!(why.words(), words);
        assert_eq!(
            finishes(&stage.fact(Fact::OutputStopped { output: output("tape") })),
            Some(code)
        );
    }
}
