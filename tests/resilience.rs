//! Inputs are killed again and again under a running program: it goes on, the slate stands in, and they
//! come back. The hundred of it is a soak: `cargo test --test resilience -- --ignored soak`.

#[path = "inputs/watcher.rs"]
mod watcher;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use hawker::{
    base::{Canvas, Db, InputId, Kbps},
    media::{self, Studio},
    scene::{Fit, Layer, Layout, Transition},
    show::{Fact, Hears, InputKind, InputSpec, Profile, Rung, SceneSpec, ShowSpec, VideoCodec},
    stats::Meters,
};
use rustix::process::{Signal, kill_process};
use tokio::sync::mpsc;
use watcher::{CANVAS, Killed, Watcher, capture_of, film, free_port, gone, srt_sender, x_server};

/// The bars.
const SLATE_AFTER: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);
const SKEW_NS: i64 = 15_000_000;
/// What a console, or we, see late because the machine is busy.
const SAMPLING: Duration = Duration::from_millis(40);

fn show(inputs: &[(&str, InputKind)]) -> ShowSpec {
    let canvas: Canvas = CANVAS;
    ShowSpec {
        title: "a test".into(),
        profile: Profile {
            name: "test".into(),
            canvas,
            codec: VideoCodec::H264,
            effort: "ultrafast".into(),
            max_kbps: Kbps(1500),
            start_kbps: Kbps(1000),
            min_kbps: Kbps(100),
            audio_kbps: Kbps(64),
            keyframe_ms: 2000,
            latency_target_ms: 600,
            ladder: vec![Rung { canvas, from_kbps: Kbps(100) }],
        },
        inputs: inputs
            .iter()
            .map(|(id, kind)| InputSpec {
                id: id.parse().unwrap(),
                kind: kind.clone(),
                gain: Db(0.0),
                muted: false,
            })
            .collect(),
        scenes: vec![SceneSpec {
            id: "all".parse().unwrap(),
            title: "all".into(),
            key: None,
            layout_name: "grid".into(),
            layout: Layout::Grid,
            layers: inputs
                .iter()
                .map(|(id, _)| Layer { input: id.parse().unwrap(), fit: Fit::Contain })
                .collect(),
            hears: Hears::Layers,
        }],
        outputs: Vec::new(),
    }
}

/// A program with an engine that does one thing: it starts anew what failed, a moment later.
struct Rig {
    spec: ShowSpec,
    studio: Studio,
    reports: mpsc::Receiver<Fact>,
    due: BTreeMap<InputId, Instant>,
    meters: Meters,
    composed: (u64, Instant),
    encoded: (u64, Instant),
    /// The longest pauses seen.
    pauses: (Duration, Duration),
    failures: Vec<String>,
}

impl Rig {
    fn start(spec: ShowSpec) -> Self {
        media::init().unwrap();
        let (facts, reports) = mpsc::channel(256);
        let studio = Studio::start(&spec, &facts, 1).unwrap();
        for input in &spec.inputs {
            studio.start_input(input);
        }
        studio.take(spec.compose(&spec.scenes[0]), Transition::CUT);
        let now = Instant::now();
        Self {
            spec,
            studio,
            reports,
            due: BTreeMap::new(),
            meters: Meters::default(),
            composed: (0, now),
            encoded: (0, now),
            pauses: Default::default(),
            failures: Vec::new(),
        }
    }

    /// One look.
    fn step(&mut self) {
        let now = Instant::now();
        while let Ok(fact) = self.reports.try_recv() {
            match fact {
                Fact::InputFailed { input, reason, .. } => {
                    self.failures.push(format!("{input}: {reason}"));
                    self.due.insert(input, now + Duration::from_millis(100));
                }
                Fact::ProgramFailed { reason } => panic!("the program broke: {reason}"),
                _ => {}
            }
        }
        let due: Vec<_> = self.due.extract_if(.., |_, at| *at <= now).map(|(id, _)| id).collect();
        for id in due {
            self.studio.start_input(self.spec.input(&id).unwrap());
        }
        self.studio.read_meters(&mut self.meters);
        let frames = self.meters.frames;
        let grown = |(was, at): &mut (u64, Instant), is: u64, longest: &mut Duration| {
            if is > *was {
                *longest = (*longest).max(now - *at);
                (*was, *at) = (is, now);
            }
        };
        grown(&mut self.composed, frames.composed, &mut self.pauses.0);
        grown(&mut self.encoded, frames.encoded, &mut self.pauses.1);
        std::thread::sleep(Duration::from_millis(3));
    }

    fn slate(&self, id: &str) -> bool {
        self.meters.inputs[&id.parse::<InputId>().unwrap()].slate
    }

    /// Until the slate of that input is so; how long it took.
    #[track_caller]
    fn until_slate(&mut self, id: &str, on: bool, seconds: u64) -> Duration {
        let began = Instant::now();
        loop {
            self.step();
            if self.slate(id) == on {
                return began.elapsed();
            }
            assert!(
                began.elapsed() < Duration::from_secs(seconds),
                "the slate of {id} is not {on} after {seconds} s; failures: {:?}",
                self.failures
            );
        }
    }

    fn for_a_while(&mut self, long: Duration) {
        let began = Instant::now();
        while began.elapsed() < long {
            self.step();
        }
    }
}

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

/// Kills screen and sender in turn, so many times in all.
fn kill(times: usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.mkv");
    film(&path, 60);
    let (_server, display) = x_server("640x360");
    let port = free_port();
    let mut sender: Killed = srt_sender(&path, port, "");
    let mut rig = Rig::start(show(&[
        (
            "screen",
            InputKind::Screen {
                display: Some(display.clone()),
                region: None,
                pointer: false,
                fps: None,
            },
        ),
        ("guest", InputKind::Network { uri: format!("srt://127.0.0.1:{port}").parse().unwrap() }),
    ]));
    rig.until_slate("screen", false, 20);
    rig.until_slate("guest", false, 20);
    rig.for_a_while(Duration::from_millis(500));
    rig.pauses = Default::default();
    let mut before = (0, 0);
    let mut slowest = (Duration::ZERO, Duration::ZERO);
    for round in 0..times {
        if round == 2 {
            // Each kind has come back once: from here nothing may grow.
            before = (count("task"), count("fd"));
        }
        let id = ["screen", "guest"][round % 2];
        if id == "screen" {
            kill_process(capture_of(&display), Signal::KILL).unwrap();
        } else {
            sender.signal(Signal::KILL);
        }
        let took = rig.until_slate(id, true, 5);
        assert!(took < SLATE_AFTER + SAMPLING, "round {round}: the slate of {id} took {took:?}");
        if id == "guest" {
            sender = srt_sender(&path, port, "");
        }
        let back = rig.until_slate(id, false, 20);
        slowest = (slowest.0.max(took), slowest.1.max(back));
        // The other was not touched.
        let other = ["guest", "screen"][round % 2];
        assert!(!rig.slate(other), "round {round}: {other} fell to its slate as well");
        rig.for_a_while(Duration::from_millis(200));
    }
    let (composed, encoded) = rig.pauses;
    eprintln!(
        "{times} kills: slate after {:?}, back after {:?} at most; longest pause {composed:?} composed, \
         {encoded:?} encoded",
        slowest.0, slowest.1
    );
    assert!(composed < PAUSE, "the program paused for {composed:?}");
    assert!(encoded < PAUSE, "the encoder paused for {encoded:?}");
    // What goes down in the background has a moment.
    let deadline = Instant::now() + Duration::from_secs(8);
    loop {
        let now = (count("task"), count("fd"));
        if now.0 <= before.0 + 1 && now.1 <= before.1 + 2 {
            break;
        }
        assert!(Instant::now() < deadline, "threads, descriptors: {before:?}, then {now:?}");
        rig.for_a_while(Duration::from_millis(100));
    }
    assert!(rig.failures.len() >= times, "{:?}", rig.failures);
    rig.studio.stop();
    drop(sender);
}

#[test]
fn killed_inputs_come_back_and_the_program_never_stops() {
    kill(10);
}

#[test]
#[ignore = "a soak: some minutes"]
fn soak_a_hundred_kills() {
    kill(100);
}

fn come_back_in_step(path: &Path, times: usize) {
    let port = free_port();
    for round in 0..times {
        let sender = srt_sender(path, port, "");
        let watcher = Watcher::new();
        let uri = format!("srt://127.0.0.1:{port}").parse().unwrap();
        let source = watcher.start(InputKind::Network { uri });
        watcher.until(20, |s| {
            assert!(s.failed.is_empty(), "round {round}: {:?}", s.failed);
            (s.flashes.len() >= 4).then_some(())
        });
        let skews = watcher.seen.lock().unwrap().skews();
        assert!(skews.len() >= 2 && skews.iter().all(|s| s.abs() < SKEW_NS), "{round}: {skews:?}");
        drop(sender);
        watcher.failure(5);
        gone(source);
    }
}

#[test]
fn picture_and_sound_are_in_step_whenever_an_input_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.mkv");
    film(&path, 30);
    come_back_in_step(&path, 3);
}
