//! What the screen looks like. The pictures are in `snapshots/`.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::{Terminal, backend::TestBackend};

use super::{
    Wish,
    state::{Step, Watching},
    view,
};
use crate::{
    console::{
        fixture::NOON,
        tests::lines,
        theme::{Depth, Palette, Theme},
    },
    media::player::Trouble,
    stats::{
        Grade, LatencySummary, Picture, Verdict, WatchFigures, figure::Aims, history::Targets,
    },
};

fn begun() -> Watching {
    Watching::new("stage.example:8088".into(), Targets::DEFAULT, TimeZone::UTC)
}

fn figures(second: u64, size: (u32, u32)) -> WatchFigures {
    let p50_ms = 180.0 + (second % 7) as f64 * 4.0;
    let latency =
        LatencySummary { p50_ms, p95_ms: p50_ms * 1.4, p99_ms: 300.0, max_ms: 310.0, count: 300 };
    WatchFigures {
        latency: Some(latency),
        fps: if second.is_multiple_of(40) { 22.0 } else { 30.0 },
        kbps: 2480.0,
        freezes: 1 + second / 100,
        gap_ms: 18,
        av_skew_ms: Some(-12.0),
        jitter_ms: Some(1.3),
        size: Some(size),
        ..WatchFigures::default()
    }
}

/// Three minutes of a stream.
fn seen(size: (u32, u32)) -> Watching {
    let mut watching = begun();
    watching.news(NOON, "the picture is there".into(), true);
    for second in 1..=180 {
        let figures = figures(second, size);
        let by = Some("capture stamp");
        watching.seen(second * 1000, Some(&figures), Some(&Verdict::good()), by);
    }
    watching.picture = Some(
        Picture { width: 2, height: 2, rgb: vec![255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255] }
            .into(),
    );
    watching
}

fn stalled() -> Watching {
    let mut watching = seen((1280, 720));
    let words = "stalling: no frame for 1.2 s".to_owned();
    let verdict = Verdict { grade: Grade::Stalling, words, ..Verdict::good() };
    let figures = WatchFigures {
        fps: 0.0,
        kbps: 64.0,
        gap_ms: 1200,
        frozen: true,
        ..figures(180, (1280, 720))
    };
    watching.seen(181_000, Some(&figures), Some(&verdict), Some("capture stamp"));
    watching.news(NOON, "no frame has come for 8 s; trying again".into(), false);
    watching.trouble = Trouble {
        picture: Some("the GStreamer element 'avdec_h264' is missing: apt install it".into()),
        sound: None,
    };
    watching
}

/// A stream that another machine has stamped, with nobody to say when it was captured.
fn unmeasured() -> Watching {
    let mut watching = begun();
    let figures = WatchFigures { latency: None, av_skew_ms: None, ..figures(1, (1280, 720)) };
    let why = "not measured: the frames are stamped by another machine or boot, whose clock cannot be compared";
    watching.seen(1000, Some(&figures), None, Some(why));
    watching
}

fn screen(watching: &Watching, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let palette = Palette::new(Theme::Mono, Depth::Mono);
    terminal.draw(|frame| view::draw(watching, &palette, frame)).unwrap();
    let lines = lines(terminal.backend().buffer());
    lines.iter().map(|l| l.trim_end()).collect::<Vec<_>>().join("\n")
}

fn press(watching: &mut Watching, keys: &[KeyCode]) -> Option<Wish> {
    let press = |code: &KeyCode| Step::of(&KeyEvent::new(*code, KeyModifiers::NONE));
    keys.iter().filter_map(press).filter_map(|step| watching.act(step)).last()
}

macro_rules! screens {
    ($($name:ident: $watching:expr, $width:expr, $height:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(stringify!($name), screen(&$watching, $width, $height));
            }
        )*
    };
}

screens! {
    nothing_80x24: begun(), 80, 24;
    seen_80x24: seen((1280, 720)), 80, 24;
    seen_160x50: seen((1280, 720)), 160, 50;
    seen_60x20: seen((1280, 720)), 60, 20;
    upright_80x24: seen((720, 1280)), 80, 24;
    stalled_80x24: stalled(), 80, 24;
    unmeasured_80x24: unmeasured(), 80, 24;
    too_small_30x8: begun(), 30, 8;
}

#[test]
fn the_picture_alone_fills_the_screen() {
    let mut watching = seen((1280, 720));
    let beside = view::look(&watching, 80, 24).unwrap();
    assert_eq!(press(&mut watching, &[KeyCode::Tab]), None);
    let alone = view::look(&watching, 80, 24).unwrap();
    assert!(alone.0 > beside.0, "{beside:?}, {alone:?}");
    insta::assert_snapshot!("alone_80x24", screen(&watching, 80, 24));
    assert_eq!(press(&mut watching, &[KeyCode::Char('p')]), None);
    assert_eq!(view::look(&watching, 80, 24), None, "nobody looks");
}

#[test]
fn the_picture_keeps_its_shape_and_is_not_asked_for_before_it_is_known() {
    assert_eq!(view::look(&begun(), 160, 50), None);
    for size in [(1280, 720), (720, 1280), (640, 640)] {
        let (width, height) = view::look(&seen(size), 160, 50).unwrap();
        let (is, should) =
            (f64::from(width) / f64::from(height), f64::from(size.0) / f64::from(size.1));
        assert!((is / should - 1.0).abs() < 0.1, "{size:?}: {width}x{height}");
    }
    assert_eq!(view::look(&seen((1280, 720)), 30, 8), None);
}

#[test]
fn keys_do_what_the_explanation_says() {
    let mut watching = seen((1280, 720));
    assert_eq!(press(&mut watching, &[KeyCode::Char('a')]), Some(Wish::Listen(true)));
    assert!(screen(&watching, 80, 24).contains("sound on"));
    assert_eq!(press(&mut watching, &[KeyCode::Char('a')]), Some(Wish::Listen(false)));
    press(&mut watching, &[KeyCode::Char('?')]);
    insta::assert_snapshot!("explained_80x24", screen(&watching, 80, 24));
    press(&mut watching, &[KeyCode::Down; 500]);
    assert!(screen(&watching, 80, 24).contains("verdict"), "the last entry stays");
    assert_eq!(press(&mut watching, &[KeyCode::Char('q')]), None, "closes what is open");
    assert_eq!(press(&mut watching, &[KeyCode::Char('q')]), Some(Wish::Leave));
}

#[test]
fn what_nobody_knows_is_no_target() {
    let aims = Aims { targets: Targets::DEFAULT, fps: f64::NAN };
    let watching = begun();
    let frames = watching.who.figures().iter().find(|f| f.name == "frames").unwrap();
    assert_eq!((frames.aim.value(&aims), frames.aim.misses(&aims, 3.0)), (None, false));
}
