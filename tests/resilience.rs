//! Inputs are killed again and again under a running program: it goes on, the slate stands in, and they
//! come back. The hundred of it is a soak: `cargo test --test resilience -- --ignored soak`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test says what it saw, and ends when something is not there"
)]

#[path = "inputs/watcher.rs"]
mod watcher;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
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
            effort_least: "ultrafast".into(),
            max_kbps: Kbps(1500),
            start_kbps: Kbps(1000),
            min_kbps: Kbps(100),
            audio_kbps: Kbps(64),
            keyframe_ms: 2000,
            latency_target_ms: 600,
            stall_target_permille: 5,
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
        monitors: Vec::new(),
        alarms: Vec::new(),
        segments: Vec::new(),
        chats: Vec::new(),
        control: hawker::chat::control::ControlSpec::default(),
    }
}

/// A program with an engine that does one thing: it starts anew what failed, a moment later.
struct Rig {
    spec: ShowSpec,
    studio: Arc<Studio>,
    reports: mpsc::Receiver<Fact>,
    due: BTreeMap<InputId, Instant>,
    meters: Meters,
    failures: Vec<String>,
    pulse: Pulse,
}

/// Looks at the program's counters every other millisecond.
struct Pulse {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<[Beat; 2]>,
}

/// A counter, and its longest pause.
#[derive(Clone, Copy)]
struct Beat {
    count: u64,
    at: Instant,
    /// For how long nobody looked since it last grew: the machine had no time for us then, nor for it.
    blind: Duration,
    longest: Duration,
    /// The blind time counted in.
    longest_raw: Duration,
}

impl Beat {
    fn new() -> Self {
        let none = Duration::ZERO;
        Self { count: 0, at: Instant::now(), blind: none, longest: none, longest_raw: none }
    }

    fn look(&mut self, count: u64, now: Instant, blind: Duration) {
        self.blind += blind;
        if count > self.count {
            let raw = now - self.at;
            self.longest_raw = self.longest_raw.max(raw);
            self.longest = self.longest.max(raw.saturating_sub(self.blind));
            (self.count, self.at, self.blind) = (count, now, Duration::ZERO);
        }
    }
}

impl Pulse {
    const EVERY: Duration = Duration::from_millis(2);

    fn feel(studio: &Arc<Studio>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (studio, over) = (Arc::clone(studio), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut beats = [Beat::new(); 2];
            let mut last = Instant::now();
            while !over.load(Ordering::Acquire) {
                std::thread::sleep(Self::EVERY);
                let frames = studio.frames();
                let now = Instant::now();
                let blind = (now - last).saturating_sub(Self::EVERY * 5);
                last = now;
                beats[0].look(frames.composed, now, blind);
                beats[1].look(frames.encoded, now, blind);
            }
            beats
        });
        Self { stop, thread }
    }

    fn longest(self) -> [Beat; 2] {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

impl Rig {
    fn start(spec: ShowSpec) -> Self {
        media::init().unwrap();
        let (facts, reports) = mpsc::channel(256);
        let studio = Arc::new(Studio::start(&spec, &facts, 1).unwrap());
        for input in &spec.inputs {
            studio.start_input(input);
        }
        studio.take(spec.compose(&spec.scenes[0]), Transition::CUT);
        let pulse = Pulse::feel(&studio);
        Self {
            spec,
            studio,
            reports,
            due: BTreeMap::new(),
            meters: Meters::default(),
            failures: Vec::new(),
            pulse,
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
    // What the start took is not counted.
    std::mem::replace(&mut rig.pulse, Pulse::feel(&rig.studio)).longest();
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
    let before_end = Pulse::feel(&rig.studio);
    let [composed, encoded] = std::mem::replace(&mut rig.pulse, before_end).longest();
    eprintln!(
        "{times} kills: slate after {:?}, back after {:?} at most; longest pause {:?} composed, {:?} encoded \
         ({:?}, {:?} with what the machine took from all of us)",
        slowest.0,
        slowest.1,
        composed.longest,
        encoded.longest,
        composed.longest_raw,
        encoded.longest_raw
    );
    assert!(composed.longest < PAUSE, "the program paused for {:?}", composed.longest);
    assert!(encoded.longest < PAUSE, "the encoder paused for {:?}", encoded.longest);
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
    rig.pulse.longest();
    Arc::into_inner(rig.studio).unwrap().stop();
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
