//! Shows in the states the tests look at, made by the show itself: facts and commands in, never a field set
//! by hand.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    keys::Action,
    state::{Pane, State},
    statistics::Step,
    theme::{Depth, Palette, Theme},
};
use crate::{
    base::{Canvas, Db, InputId, Kbps, Now, Severity},
    chat::{
        Platform,
        spec::{ChatSpec, Service},
    },
    scene::{Fit, Layer, Layout},
    show::{
        Command, Container, Fact, FailureKind, Hears, Input, InputKind, InputSpec, Mode,
        MonitorSpec, OutputSpec, Profile, RecordSpec, Rung, SceneSpec, SegmentSpec, Show, ShowSpec,
        Start, Target, VideoCodec, WhipSpec, spec::TestPattern,
    },
    stats::{
        DiskFigures, FrameCounts, Grade, InputFigures, LatencySummary, Level, Loudness, Meters,
        OutputFigures, Picture, ProcessFigures, Verdict, ViewerFigures, WatchFigures,
        alarm::Crossing,
        sender::{CongestionState, Limit, OutputWay, ProgramWay, QualityLimit},
        verdict::{Place, Subject},
    },
};

/// Some moment.
pub(super) const NOON: Timestamp = Timestamp::constant(1_767_268_800, 0);

fn input(id: &str, kind: InputKind) -> InputSpec {
    InputSpec { id: id.parse().unwrap(), kind, gain: Db(0.0), muted: false }
}

fn scene(id: &str, title: &str, key: Option<char>, inputs: &[&str]) -> SceneSpec {
    SceneSpec {
        id: id.parse().unwrap(),
        title: title.into(),
        key,
        layout_name: "full".into(),
        layout: Layout::Grid,
        layers: inputs
            .iter()
            .map(|i| Layer { input: i.parse().unwrap(), fit: Fit::Contain })
            .collect(),
        hears: Hears::Layers,
    }
}

pub(super) fn spec(title: &str) -> ShowSpec {
    let canvas = Canvas { width: 1280, height: 720, fps: 30 };
    let whip = |id: &str, url: &str| {
        let target = Target::Whip(WhipSpec::to(url.parse().unwrap(), None));
        OutputSpec::new(id.parse().unwrap(), target)
    };
    ShowSpec {
        title: title.into(),
        profile: Profile {
            name: "lively".into(),
            canvas,
            codec: VideoCodec::H264,
            effort: "ultrafast".into(),
            effort_least: "ultrafast".into(),
            max_kbps: Kbps(2500),
            start_kbps: Kbps(1500),
            min_kbps: Kbps(300),
            audio_kbps: Kbps(64),
            keyframe_ms: 2000,
            latency_target_ms: 200,
            stall_target_permille: 5,
            ladder: vec![Rung { canvas, from_kbps: Kbps(300) }],
        },
        inputs: vec![
            input("cam", InputKind::Camera { device: None }),
            input("table", InputKind::Test { pattern: TestPattern::Ball, tone_hz: Some(440) }),
            input("mic", InputKind::Microphone { device: None }),
            input("slides", InputKind::Image { path: "slides.png".into() }),
        ],
        scenes: vec![
            scene("host", "Host", Some('1'), &["cam"]),
            scene("product", "Product close-up", Some('2'), &["table"]),
            scene("both", "Both", Some('b'), &["cam", "table"]),
            scene("break", "Back in five minutes", Some('4'), &["slides"]),
        ],
        outputs: vec![
            whip("main", "https://ingest.example/live/s3cret"),
            whip("backup", "https://backup.example:8443/s3cret"),
        ],
        monitors: Vec::new(),
        alarms: Vec::new(),
        segments: Vec::new(),
        chats: Vec::new(),
        control: crate::chat::control::ControlSpec::default(),
    }
}

/// A state with this show in it, after it has handled these inputs, one each half second.
pub(super) fn after(spec: ShowSpec, mode: Mode, inputs: Vec<Input>) -> State {
    let mut show = Show::new(spec, mode);
    let mut events = Vec::new();
    let start = Start { for_ms: Some(3_600_000), standby: false, headless: false };
    let all = std::iter::once(Input::Start(start)).chain(inputs);
    let mut ms = 1000;
    for input in all {
        let outcome = show.handle(Now::test(ms), input);
        assert_eq!(outcome.refusal, None);
        events.extend(outcome.events);
        ms += 500;
    }
    let palette = Palette::new(Theme::Dark, Depth::True);
    let mut state = State::new(Arc::new(show), &palette, TimeZone::UTC, NOON);
    for event in &events {
        state.on_event(event);
    }
    let mut meters = meters(&state.show);
    meters.at_ms = ms;
    state.on_meters(Arc::new(meters));
    state.picture = Some(Arc::new(picture()));
    state
}

/// A command carried out, and the state after it.
pub(super) fn command(state: &mut State, line: &str) {
    let mut show = (*state.show).clone();
    let now = Now::test(state.engine_ms());
    let outcome = show.handle(now, Input::Command(line.parse().unwrap()));
    assert_eq!(outcome.refusal, None);
    for event in &outcome.events {
        state.on_event(event);
    }
    state.on_show(Arc::new(show));
}

pub(super) fn fact(fact: Fact) -> Input {
    Input::Fact(fact)
}

fn up(id: &str, format: &str) -> Input {
    fact(Fact::InputUp { input: id.parse().unwrap(), format: format.into() })
}

fn inputs_up() -> Vec<Input> {
    vec![
        up("cam", "1280x720 30/1"),
        up("table", "1280x720 30/1, 48 kHz stereo"),
        up("mic", "48 kHz mono"),
        up("slides", "1920x1080 still"),
        fact(Fact::EncoderUp { encoder: "x264enc".into(), hardware: false }),
    ]
}

pub(super) fn connected(id: &str) -> Input {
    fact(Fact::OutputConnected { output: id.parse().unwrap(), session: 1, connect_ms: 142 })
}

pub(super) fn rehearsal() -> State {
    let mut inputs = inputs_up();
    inputs.push(fact(Fact::StageUp { viewer_url: "http://127.0.0.1:8899/".into(), link: None }));
    inputs.push(connected("stage"));
    after(spec("Spring sale"), Mode::Rehearse, inputs)
}

pub(super) fn on_air_after(title: &str, more: Vec<Input>) -> State {
    let mut inputs = inputs_up();
    inputs.extend([connected("main"), connected("backup")]);
    inputs.extend(more);
    after(spec(title), Mode::Live, inputs)
}

pub(super) fn on_air() -> State {
    on_air_after("Spring sale", Vec::new())
}

/// On air, with two sources of chat in which nobody has written yet.
pub(super) fn with_chat() -> State {
    with_chat_after(Vec::new())
}

pub(super) fn with_chat_after(more: Vec<Input>) -> State {
    let mut spec = spec("Spring sale");
    for (id, market) in [("tt", "vn"), ("yt", "th")] {
        let platform = Platform::named(if id == "tt" { "tiktok" } else { "youtube" });
        spec.chats.push(ChatSpec {
            market: market.parse().ok(),
            ..ChatSpec::new(
                id.parse().unwrap(),
                Service::Lines { path: "lines.jsonl".into(), platform },
            )
        });
    }
    let mut inputs = inputs_up();
    inputs.extend([connected("main"), connected("backup")]);
    inputs.extend(more);
    after(spec, Mode::Live, inputs)
}

/// In the second of three segments; `ms` after it began.
pub(super) fn with_rundown(ms: u64) -> State {
    let segment = |title: &str, length_s, by_itself| SegmentSpec {
        title: title.into(),
        length_s,
        scene: None,
        by_itself,
    };
    let mut spec = spec("Spring sale");
    spec.segments = vec![
        segment("Hook", 120, true),
        segment("The hero product: kettle and cups", 300, false),
        segment("Questions from the chat", 240, false),
    ];
    let mut inputs = inputs_up();
    inputs.push(connected("main"));
    inputs.push(Input::Command(Command::NextSegment));
    let mut state = after(spec, Mode::Live, inputs);
    let mut meters = (*state.meters).clone();
    meters.at_ms += ms;
    state.on_meters(Arc::new(meters));
    state
}

pub(super) fn input_failed() -> State {
    let failed = Fact::InputFailed {
        input: "cam".parse().unwrap(),
        reason: "the camera /dev/video0 is gone: plug it in again, or choose another one".into(),
        kind: FailureKind::Lasting,
    };
    let mut state = on_air_after("Spring sale", vec![fact(failed)]);
    let mut meters = (*state.meters).clone();
    let slate = InputFigures { level: None, fps: Some(0.0), slate: true };
    meters.inputs.insert("cam".parse().unwrap(), slate);
    state.on_meters(Arc::new(meters));
    state
}

pub(super) fn output_retrying() -> State {
    let failed = Fact::OutputFailed {
        output: "backup".parse().unwrap(),
        reason: "the ingest answers 503 (overloaded, come back later)".into(),
        session: 1,
        kind: FailureKind::Passing,
        retry_after_ms: None,
    };
    let mut state = on_air_after("Spring sale", vec![fact(failed)]);
    let mut meters = (*state.meters).clone();
    meters.at_ms -= 350;
    meters.outputs.remove("backup".parse::<crate::base::OutputId>().as_ref().unwrap());
    state.on_meters(Arc::new(meters));
    state
}

/// On air, and recorded.
pub(super) fn recording() -> State {
    let mut spec = spec("Spring sale");
    let target = Target::Record(RecordSpec {
        folder: "/srv/shows/recordings".into(),
        container: Container::Mkv,
        split_minutes: None,
        split_mb: None,
        split_at_segments: false,
        keep_free_mb: 1000,
    });
    spec.outputs.push(OutputSpec::new("tape".parse().unwrap(), target));
    let mut inputs = inputs_up();
    inputs.extend([connected("main"), connected("backup"), connected("tape")]);
    let tape = "tape".parse().unwrap();
    let file = "/srv/shows/recordings/Spring-sale-20261124-200000-001.mkv".into();
    inputs.push(fact(Fact::FileBegun { output: tape, session: 1, file }));
    let mut state = after(spec, Mode::Live, inputs);
    let mut meters = (*state.meters).clone();
    let disk = DiskFigures { free_bytes: 48_230_000_000, files: 1, written_bytes: 1_200_000_000 };
    let figures =
        OutputFigures { sent_kbps: Some(2551.0), disk: Some(disk), ..OutputFigures::default() };
    meters.outputs.insert("tape".parse().unwrap(), figures);
    state.on_meters(Arc::new(meters));
    state
}

/// On air, one output well, the other stalling with its alarm raised.
pub(super) fn alarmed() -> State {
    let about = Subject::Output("backup".parse().unwrap());
    let words = "stalling: no frame for 1.2 s; uplink 0.8 of 2.6 Mb/s needed".to_owned();
    let raised = Crossing {
        alarm: "stall".parse().unwrap(),
        about,
        raised: true,
        severity: Severity::Critical,
        value: 1200,
        words: words.clone(),
    };
    let mut state = on_air_after("Spring sale", vec![fact(Fact::AlarmCrossed(raised))]);
    let mut meters = (*state.meters).clone();
    let stalling = Verdict { grade: Grade::Stalling, words, ..Verdict::good() };
    meters.verdicts.insert("main".parse().unwrap(), Verdict::good());
    meters.verdicts.insert("backup".parse().unwrap(), stalling);
    state.on_meters(Arc::new(meters));
    state
}

/// On air, watched from two places beside.
pub(super) fn watched() -> State {
    let mut spec = spec("Spring sale");
    for (id, market) in [("tokyo", "jp"), ("sao-paulo", "br")] {
        spec.monitors.push(MonitorSpec {
            id: id.parse().unwrap(),
            url: "https://play.example/whep/s3cret".parse().unwrap(),
            token: None,
            output: "main".parse().ok(),
            market: Some(market.into()),
        });
    }
    let mut inputs = inputs_up();
    inputs.extend([connected("main"), connected("backup")]);
    let mut state = after(spec, Mode::Live, inputs);
    let mut meters = (*state.meters).clone();
    let latency =
        LatencySummary { p50_ms: 212.4, p95_ms: 261.0, p99_ms: 280.0, max_ms: 301.0, count: 300 };
    let seen =
        WatchFigures { latency: Some(latency), freezes: 2, gap_ms: 18, ..WatchFigures::default() };
    meters.monitors.insert("tokyo".parse().unwrap(), seen);
    meters.monitor_verdicts.insert("tokyo".parse().unwrap(), Verdict::good());
    state.on_meters(Arc::new(meters));
    state
}

/// Five and a half minutes on air, seen in the statistics: the path to `main` narrowed a minute ago for half a minute,
/// and those who watch in Tokyo had to wait.
pub(super) fn statistics() -> State {
    let mut state = watched();
    let last = state.engine_ms() / 1000 + 330;
    let stage = |p50_ms: f64| {
        let (p95_ms, max_ms) = (p50_ms * 1.4, p50_ms * 2.0);
        Some(LatencySummary { p50_ms, p95_ms, p99_ms: p95_ms, max_ms, count: 300 })
    };
    for s in last - 330..=last {
        let narrow = (last - 60..last - 30).contains(&s);
        let mut meters = (*state.meters).clone();
        meters.at_ms = s * 1000;
        meters.frames.encoded = s * if narrow { 24 } else { 30 };
        meters.way = ProgramWay { capture: stage(2.1), compose: stage(0.8), encode: stage(4.4) };
        for figures in meters.outputs.values_mut() {
            let (sent, available) = if narrow { (610.0, 650.0) } else { (2487.0, 3300.0) };
            let by = if narrow { Limit::Bandwidth } else { Limit::None };
            figures.sent_kbps = Some(sent + (s % 7) as f64);
            figures.target_kbps = Some(sent);
            figures.available_kbps = Some(available);
            figures.nacks = Some(s.saturating_sub(last - 60).min(30) * 3);
            figures.congestion = Some(CongestionState::Holding);
            figures.limit =
                Some(QualityLimit { by, bandwidth_ms: 30_000, ..QualityLimit::default() });
            figures.way = OutputWay { encode: None, pace: stage(1.2), send: stage(0.3) };
        }
        let seen = meters.monitors.values_mut().next().unwrap();
        let latency = if narrow { 320.0 } else { 112.0 } + (s % 5) as f64;
        seen.latency = stage(latency);
        seen.network = stage(latency - 9.0);
        seen.fps = if narrow { 24.0 } else { 30.0 };
        seen.freezes = if s > last - 55 { 3 } else { 2 };
        seen.freeze_ms = if s > last - 55 { 3200 } else { 2000 };
        let verdict = if narrow {
            let words = "late: 320 of 200 ms; uplink 0.6 of 2.6 Mb/s needed".to_owned();
            Verdict { grade: Grade::Late, words, place: Some(Place::Uplink), ..Verdict::good() }
        } else {
            Verdict::good()
        };
        meters.monitor_verdicts.insert("tokyo".parse().unwrap(), verdict);
        state.tick(s * 1000 - state.engine_ms() + state.clock_ms);
        state.on_meters(Arc::new(meters));
    }
    state.pane = Pane::Statistics;
    for _ in 0..4 {
        state.act(Action::Statistics(Step::Subject(1)), NOON);
    }
    state
}

/// The same, a minute earlier.
pub(super) fn looked_back() -> State {
    let mut state = statistics();
    for by in [-60, 10] {
        state.act(Action::Statistics(Step::Seconds(by)), NOON);
    }
    state
}

/// More of everything than fits.
pub(super) fn crowded() -> State {
    let mut spec = spec("A very long title that goes on and on until nobody reads it any more");
    for n in 0..20 {
        let id = format!("input-with-a-long-name-{n}");
        spec.inputs.push(input(&id, InputKind::Camera { device: None }));
        spec.scenes.push(scene(&format!("s{n}"), &format!("Scene number {n}"), None, &[&id]));
        let id = format!("ingest-number-{n}").parse().unwrap();
        spec.outputs.push(OutputSpec::new(id, Target::Stage));
    }
    after(spec, Mode::Live, inputs_up())
}

fn viewer(id: &str) -> ViewerFigures {
    let browser = "Chromium 156".into();
    ViewerFigures { id: id.into(), browser, fps: Some(30.0), ..ViewerFigures::default() }
}

fn meters(show: &Show) -> Meters {
    let mut meters = Meters {
        program: Level { peak: -8.2, rms: -19.0 },
        limiter_db: 0.0,
        loudness: Loudness {
            momentary: Some(-22.4),
            short_term: Some(-23.1),
            integrated: Some(-23.0),
        },
        frames: FrameCounts { repeated: 3, composed: 1234, ..FrameCounts::default() },
        monitor: Some(WatchFigures {
            latency: Some(LatencySummary {
                p50_ms: 12.3,
                p95_ms: 18.1,
                p99_ms: 24.0,
                max_ms: 31.0,
                count: 300,
            }),
            fps: 30.0,
            kbps: 2480.0,
            gap_ms: 21,
            ..WatchFigures::default()
        }),
        viewers: ["7f3a", "b210"].map(viewer).to_vec(),
        process: ProcessFigures {
            cpu_percent: Some(64.0),
            resident_bytes: Some(98_000_000),
            threads: None,
        },
        ..Meters::default()
    };
    let level = |peak, rms| Some(Level { peak, rms });
    for (id, level, fps) in [
        ("cam", None, Some(29.97)),
        ("table", level(-18.0, -21.0), Some(30.0)),
        ("mic", level(-5.0, -16.0), None),
        ("slides", None, Some(1.0)),
    ] {
        let id: InputId = id.parse().unwrap();
        meters.inputs.insert(id, InputFigures { level, fps, slate: false });
    }
    for output in &show.outputs {
        let figures = OutputFigures {
            sent_kbps: Some(2487.0),
            rtt_ms: Some(41.0),
            loss: Some(0.004),
            ..OutputFigures::default()
        };
        meters.outputs.insert(output.spec.id.clone(), figures);
    }
    meters
}

/// A slope of colours.
fn picture() -> Picture {
    let (width, height) = (64_u16, 36_u16);
    let rgb = (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| [(x * 4) as u8, (y * 7) as u8, 96]))
        .collect();
    Picture { width, height, rgb }
}
