//! A journal replayed gives the same events: over any commands, facts and passing of time, also through a
//! file whose last line was cut short.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "engine/spec.rs"]
mod spec;

use std::{fs, io::BufReader};

use hawker::{
    base::{Db, Moment, Now, Severity},
    engine::Journal,
    scene::TransitionKind,
    show::{
        Command, Event, Fact, FailureKind, Input, Mode, Show, Start, Target,
        replay::{Entry, Opening, replay},
        spec::Pick,
    },
    stats::{Grade, alarm::Crossing, verdict::Subject},
};
use proptest::prelude::*;
use spec::{input, output, scene, spec};

fn names() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("cam"), Just("film"), Just("table"), Just("close"), Just("a"), Just("b")]
}

fn commands() -> impl Strategy<Value = Command> {
    let kinds = prop::sample::select(TransitionKind::ALL.to_vec());
    prop_oneof![
        names().prop_map(|n| Command::Preview { scene: scene(n) }),
        names().prop_map(|n| Command::CutTo { scene: scene(n) }),
        Just(Command::TakePreview),
        (kinds, 0..20_000_u32).prop_map(|(kind, ms)| Command::SetTransition { kind, ms }),
        Just(Command::Panic),
        Just(Command::Resume),
        prop::option::of(names())
            .prop_map(|n| Command::Acknowledge { alarm: n.map(|n| n.parse().unwrap()) }),
        names().prop_map(|n| Command::Mute { input: input(n) }),
        names().prop_map(|n| Command::Unmute { input: input(n) }),
        (names(), any::<f32>()).prop_map(|(n, f)| Command::SetGain { input: input(n), db: Db(f) }),
        (names(), -60.0_f32..20.0)
            .prop_map(|(n, f)| Command::SetGain { input: input(n), db: Db(f) }),
        names().prop_map(|n| Command::RestartInput { input: input(n) }),
        prop::option::of(names()).prop_map(|n| Command::GoLive { output: n.map(output) }),
        prop::option::of(names()).prop_map(|n| Command::StopOutput { output: n.map(output) }),
    ]
}

fn facts() -> impl Strategy<Value = Fact> {
    let kind = || prop_oneof![Just(FailureKind::Passing), Just(FailureKind::Lasting)];
    let sessions = || 0..6_u32;
    prop_oneof![
        (names(), "\\PC{0,12}").prop_map(|(n, format)| Fact::InputUp { input: input(n), format }),
        (names(), "\\PC{0,12}", kind()).prop_map(|(n, reason, kind)| Fact::InputFailed {
            input: input(n),
            reason,
            kind
        }),
        names().prop_map(|n| Fact::InputEnded { input: input(n) }),
        Just(Fact::EncoderUp { encoder: "x264enc".into(), hardware: false }),
        Just(Fact::ProgramFailed { reason: "broke".into() }),
        (names(), prop::collection::vec(prop::option::of(any::<u32>()), 0..4))
            .prop_map(|(n, rtt_ms)| Fact::Probed { output: output(n), rtt_ms }),
        (names(), sessions(), any::<u32>()).prop_map(|(n, session, connect_ms)| {
            Fact::OutputConnected { output: output(n), session, connect_ms }
        }),
        (names(), sessions(), "\\PC{0,12}", kind(), prop::option::of(0..100_000_u64)).prop_map(
            |(n, session, reason, kind, retry_after_ms)| Fact::OutputFailed {
                output: output(n),
                session,
                reason,
                kind,
                retry_after_ms
            }
        ),
        (names(), sessions())
            .prop_map(|(n, session)| Fact::OutputSilent { output: output(n), session }),
        (names(), sessions())
            .prop_map(|(n, session)| Fact::OutputHealed { output: output(n), session }),
        names().prop_map(|n| Fact::OutputStopped { output: output(n) }),
        (names(), names(), any::<bool>(), "\\PC{0,12}").prop_map(|(alarm, n, raised, words)| {
            Fact::AlarmCrossed(Crossing {
                alarm: alarm.parse().unwrap(),
                about: Subject::Output(output(n)),
                raised,
                severity: Severity::Critical,
                value: 7,
                words,
            })
        }),
        (names(), "\\PC{0,12}").prop_map(|(n, words)| Fact::Judged {
            about: Subject::Output(output(n)),
            grade: Grade::Late,
            words
        }),
        (0..3_u32).prop_map(|attached| Fact::Consoles { attached }),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Give(Input),
    Pass(u64),
    ToWake,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let last = prop_oneof![
        Just(Input::Command(Command::EndShow)),
        Just(Input::Fact(Fact::Interrupted)),
        Just(Input::Wake)
    ];
    let step = prop_oneof![
        4 => commands().prop_map(|c| Step::Give(Input::Command(c))),
        6 => facts().prop_map(|f| Step::Give(Input::Fact(f))),
        2 => (0..20_000_u64).prop_map(Step::Pass),
        3 => Just(Step::ToWake),
    ];
    (prop::collection::vec(step, 0..80), last).prop_map(|(mut steps, last)| {
        steps.push(Step::Give(last));
        steps.push(Step::ToWake);
        steps
    })
}

/// Plays the steps as the engine does: what is refused, and a wake that changes nothing, is not journalled.
fn play(steps: Vec<Step>, mode: Mode, start: Start) -> (Opening, Show, Vec<Entry>, Vec<Event>) {
    let mut spec = spec(&["a", "b"]);
    // The second has a standby, and begins with a probe.
    let Target::Whip(whip) = &mut spec.outputs[1].target else { panic!("no WHIP output") };
    whip.pick = Pick::Nearest;
    whip.ingests.push(whip.ingests[0].clone());
    let opening = Opening { journal: 1, spec, mode };
    let mut show = Show::new(opening.spec.clone(), mode);
    let (mut entries, mut events) = (Vec::new(), Vec::new());
    let mut ms = 0;
    let mut give = |show: &mut Show, ms: u64, input: Input| {
        let entry = Entry { now: Now::test(ms), input };
        let alarms = show.alarms.clone();
        let outcome = show.handle(entry.now, entry.input.clone());
        if outcome.refusal.is_none() {
            let idle =
                outcome.events.is_empty() && outcome.effects.is_empty() && show.alarms == alarms;
            if !(idle && entry.input == Input::Wake) {
                entries.push(entry);
            }
            events.extend(outcome.events);
        }
    };
    give(&mut show, 0, Input::Start(start));
    for step in steps {
        match step {
            Step::Give(input) => give(&mut show, ms, input),
            Step::Pass(more) => ms += more,
            Step::ToWake => {
                ms = ms.max(show.next_wake().map_or(0, Moment::as_ms));
                give(&mut show, ms, Input::Wake);
            }
        }
    }
    (opening, show, entries, events)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_gives_the_same_events(
        steps in steps(),
        live in any::<bool>(),
        standby in any::<bool>(),
        headless in any::<bool>(),
        for_ms in prop::option::of(0..60_000_u64),
        torn in 0.0..1.0_f64,
    ) {
        let mode = if live { Mode::Live } else { Mode::Rehearse };
        let start = Start { for_ms, standby, headless };
        let (opening, show, entries, events) = play(steps, mode, start);
        for (i, event) in events.iter().enumerate() {
            prop_assert_eq!(event.seq, i as u64 + 1, "events are numbered without a gap");
        }

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let mut journal = Journal::create(&path, &opening).unwrap();
        for entry in &entries {
            journal.add(entry);
        }
        journal.close();
        let whole = fs::read(&path).unwrap();
        let (again, replayed) = replay(BufReader::new(&whole[..])).unwrap();
        prop_assert_eq!(&replayed, &events);
        prop_assert_eq!(again, show);

        // Killed while it wrote the last line: everything before it is there.
        let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
        let cut = last + ((whole.len() - 1 - last) as f64 * torn) as usize;
        let (_, replayed) = replay(BufReader::new(&whole[..cut])).unwrap();
        prop_assert_eq!(&replayed[..], &events[..replayed.len()]);
        let from_last = {
            let mut before = Show::new(opening.spec.clone(), opening.mode);
            let n = entries.len() - 1;
            entries[..n].iter().map(|e| before.handle(e.now, e.input.clone()).events.len()).sum::<usize>()
        };
        prop_assert_eq!(replayed.len(), from_last);
    }
}

#[test]
fn a_line_cut_inside_a_character_is_left_out_and_a_broken_one_is_named() {
    let (opening, _, entries, _) = play(
        vec![Step::Give(Input::Fact(Fact::ProgramFailed { reason: "茶".into() }))],
        Mode::Rehearse,
        Start { for_ms: None, standby: false, headless: true },
    );
    let mut text = serde_json::to_vec(&opening).unwrap();
    for entry in &entries {
        text.push(b'\n');
        text.extend(serde_json::to_vec(entry).unwrap());
    }
    let inside = text.windows(3).rposition(|w| w == "茶".as_bytes()).unwrap() + 1;
    assert!(replay(&text[..inside]).is_ok());
    let mut broken = text[..inside].to_vec();
    broken.extend(b"\n\"wake\"\n");
    let error = replay(&broken[..]).unwrap_err().to_string();
    assert!(error.contains("line 3"), "{error}");
    assert!(replay(&b""[..]).is_err());
}
