//! The program with real GStreamer: it ticks whatever its inputs do, and a cut neither loses nor repeats a
//! frame.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use hawker::{
    base::{Canvas, Db, Kbps},
    media::{self, Studio},
    scene::{Fit, Layer, Layout, Slot, Transition, TransitionKind},
    show::{
        Fact, Hears, InputKind, InputSpec, Profile, Rung, SceneSpec, ShowSpec, VideoCodec,
        spec::TestPattern,
    },
    stats::Meters,
};
use tokio::sync::mpsc;

const CANVAS: Canvas = Canvas { width: 640, height: 360, fps: 30 };

fn spec() -> ShowSpec {
    let input = |id: &str, pattern, tone_hz| InputSpec {
        id: id.parse().unwrap(),
        kind: InputKind::Test { pattern, tone_hz },
        gain: Db(0.0),
        muted: false,
    };
    let scene = |id: &str, layers: &[&str], layout: Layout| SceneSpec {
        id: id.parse().unwrap(),
        title: id.into(),
        key: None,
        layout_name: "test".into(),
        layout,
        layers: layers
            .iter()
            .map(|l| Layer { input: l.parse().unwrap(), fit: Fit::Contain })
            .collect(),
        hears: Hears::Layers,
    };
    let full = || Layout::Slots(vec![Slot::FULL]);
    ShowSpec {
        title: "a test".into(),
        profile: Profile {
            name: "test".into(),
            canvas: CANVAS,
            codec: VideoCodec::H264,
            effort: "ultrafast".into(),
            effort_least: "ultrafast".into(),
            max_kbps: Kbps(1500),
            start_kbps: Kbps(1000),
            min_kbps: Kbps(100),
            audio_kbps: Kbps(64),
            keyframe_ms: 2000,
            latency_target_ms: 600,
            stall_target_permille: 5,
            ladder: vec![Rung { canvas: CANVAS, from_kbps: Kbps(100) }],
        },
        inputs: vec![
            input("ball", TestPattern::Ball, Some(440)),
            input("bars", TestPattern::Bars, None),
        ],
        scenes: vec![
            scene("one", &["ball"], full()),
            scene("two", &["bars"], full()),
            scene("both", &["ball", "bars"], Layout::Grid),
        ],
        outputs: Vec::new(),
        monitors: Vec::new(),
        alarms: Vec::new(),
        segments: Vec::new(),
        chats: Vec::new(),
        control: hawker::chat::control::ControlSpec::default(),
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn started(spec: &ShowSpec) -> (Studio, mpsc::Receiver<Fact>) {
    media::init().unwrap();
    let (facts, reports) = mpsc::channel(256);
    let studio = Studio::start(spec, &facts, 1).unwrap();
    for input in &spec.inputs {
        studio.start_input(input);
    }
    studio.take(spec.compose(&spec.scenes[0]), Transition::CUT);
    (studio, reports)
}

#[test]
fn five_hundred_cuts_lose_and_repeat_no_frame() {
    let spec = spec();
    let (studio, _reports) = started(&spec);
    let scenes: Vec<_> = spec.scenes.iter().map(|s| spec.compose(s)).collect();
    // Let the tick find its phase behind both inputs, which start a little apart.
    for scene in scenes.iter().cycle().take(3) {
        let from = studio.frames().composed;
        studio.take(Arc::clone(scene), Transition::CUT);
        wait("the tick to settle", || studio.frames().composed > from + 60);
    }
    let before = studio.frames();
    for cut in 0..500 {
        let at = studio.frames().composed;
        studio.take(Arc::clone(&scenes[cut % 3]), Transition::CUT);
        wait("the next frame", || studio.frames().composed > at);
    }
    let after = studio.frames();
    let composed = after.composed - before.composed;
    assert!(composed >= 500);
    let spoilt = |a: u64, b: u64| a - b;
    // A machine that stops a thread for a frame's time costs one here: the bench has the exact figure.
    assert!(spoilt(after.skipped, before.skipped) <= composed / 100, "{before:?} {after:?}");
    assert!(spoilt(after.repeated, before.repeated) <= composed / 100, "{before:?} {after:?}");
    assert!(spoilt(after.dropped, before.dropped) <= composed / 100, "{before:?} {after:?}");
    let lag = after.composed - after.dropped - after.encoded;
    assert!(lag <= 3, "{lag} frames are still in the encoder");
    studio.stop();
}

#[test]
fn a_missing_input_does_not_stop_the_program() {
    let mut spec = spec();
    spec.inputs[1].kind = InputKind::File { path: "/nonexistent/film.webm".into(), repeat: true };
    let (studio, mut reports) = started(&spec);
    studio.take(spec.compose(&spec.scenes[1]), Transition { kind: TransitionKind::Fade, ms: 200 });
    wait("frames of a scene whose only input is missing", || studio.frames().encoded > 30);
    let mut meters = Meters::default();
    studio.read_meters(&mut meters);
    assert!(meters.inputs[&spec.inputs[1].id].slate);
    assert!(
        !meters.inputs[&spec.inputs[0].id].slate || meters.inputs[&spec.inputs[0].id].fps.is_some()
    );
    let mut failed = BTreeSet::new();
    while let Ok(fact) = reports.try_recv() {
        if let Fact::InputFailed { input, .. } = fact {
            failed.insert(input);
        }
    }
    assert!(failed.contains(&spec.inputs[1].id), "the failure was reported");
    studio.stop();
}

#[test]
fn the_console_gets_its_picture() {
    let spec = spec();
    let (studio, _reports) = started(&spec);
    studio.look(Some((64, 36)));
    let picture = studio.picture();
    wait("a picture that is not one colour", || {
        picture.borrow().as_ref().is_some_and(|p| {
            assert_eq!((p.width, p.height, p.rgb.len()), (64, 36, 64 * 36 * 3));
            p.rgb.iter().any(|v| v.abs_diff(p.rgb[0]) > 40)
        })
    });
    studio.look(None);
    wait("no picture", || picture.borrow().is_none());
    studio.stop();
}

#[test]
fn an_input_of_another_rate_and_size_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mkv");
    media::init().unwrap();
    let make = format!(
        "videotestsrc num-buffers=50 pattern=white ! video/x-raw,width=320,height=240,framerate=25/1 \
         ! vp8enc deadline=1 ! matroskamux ! filesink location={}",
        film.display()
    );
    let pipeline = gst::parse::launch(&make).unwrap();
    gst::prelude::ElementExt::set_state(&pipeline, gst::State::Playing).unwrap();
    let bus = gst::prelude::ElementExt::bus(&pipeline).unwrap();
    bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &[gst::MessageType::Eos]).unwrap();
    gst::prelude::ElementExt::set_state(&pipeline, gst::State::Null).unwrap();
    let mut spec = spec();
    spec.inputs[1].kind = InputKind::File { path: film, repeat: true };
    let (studio, _reports) = started(&spec);
    studio.take(spec.compose(&spec.scenes[2]), Transition::CUT);
    studio.look(Some((64, 36)));
    let picture = studio.picture();
    wait("the white of the film in the right half", || {
        let shown = picture.borrow().clone();
        shown.is_some_and(|p| {
            let at = |x: usize, y: usize| p.rgb[(y * 64 + x) * 3];
            at(48, 18) > 200
        })
    });
    let at = studio.frames();
    wait("frames", || studio.frames().composed > at.composed + 60);
    assert_eq!(studio.frames().dropped, at.dropped, "no frame was lost for want of a conversion");
    studio.stop();
}

#[test]
fn what_is_heard_is_metered_and_panic_is_silent() {
    let spec = spec();
    let (studio, _reports) = started(&spec);
    let mut meters = Meters::default();
    wait("the tone", || {
        studio.read_meters(&mut meters);
        meters.program.rms > -40.0
    });
    assert!(meters.program.peak <= 0.0);
    studio.slate(true);
    wait("silence", || {
        studio.read_meters(&mut meters);
        meters.program.peak <= -90.0
    });
    studio.slate(false);
    wait("the tone again", || {
        studio.read_meters(&mut meters);
        meters.program.rms > -40.0
    });
    studio.stop();
}
