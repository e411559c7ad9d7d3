//! Inputs for real: each kind delivers, at its rate, with true times, and leaves nothing behind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test says what it saw, and ends when something is not there"
)]

#[path = "inputs/files.rs"]
mod files;
#[path = "inputs/network.rs"]
mod network;
#[path = "inputs/screen.rs"]
mod screen;
#[path = "inputs/watcher.rs"]
mod watcher;

use std::path::{Path, PathBuf};

use gst::prelude::*;
use hawker::show::{FailureKind, InputKind, spec::TestPattern};
use watcher::{Watcher, gone, make};

fn clip(to: &Path, video: &str, audio: &str, mux: &str) -> PathBuf {
    make(&format!(
        "{mux} name=m ! filesink location={} \
         videotestsrc num-buffers=30 ! video/x-raw,width=320,height=180,framerate=30/1 ! {video} ! m. \
         audiotestsrc num-buffers=50 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! {audio} ! m.",
        to.display()
    ));
    to.to_owned()
}

fn webm(dir: &Path) -> PathBuf {
    clip(&dir.join("clip.webm"), "vp8enc deadline=1", "opusenc", "webmmux")
}

fn test(pattern: TestPattern, tone_hz: Option<u32>) -> InputKind {
    InputKind::Test { pattern, tone_hz }
}

#[test]
fn a_test_picture_comes_at_its_rate_with_exact_steps() {
    for pattern in [TestPattern::Ball, TestPattern::Bars, TestPattern::Noise, TestPattern::Clock] {
        let watcher = Watcher::new();
        let source = watcher.start(test(pattern, Some(1000)));
        watcher.until(10, |s| (s.frames.len() >= 45 && s.sounds.len() >= 100).then_some(()));
        gone(source);
        let seen = watcher.seen.lock().unwrap();
        assert_eq!(seen.up, ["640x360 30/1, 48 kHz stereo"]);
        for pair in seen.frames.windows(2) {
            let step = pair[1].0 - pair[0].0;
            assert!((33_333_332..=33_333_335).contains(&step), "{pattern:?}: a step of {step} ns");
        }
        for (captured, now, info) in &seen.frames {
            assert_eq!((info.width(), info.height()), (640, 360));
            assert_eq!(info.format(), gst_video::VideoFormat::I420);
            let age = *now as i64 - *captured as i64;
            assert!((-2_000_000..300_000_000).contains(&age), "{age} ns old");
        }
        let tone = seen.sounds[50].2;
        assert!((0.05..0.09).contains(&tone), "-20 dBFS sine has an RMS of 0.0707, not {tone}");
        assert!(seen.sounds.iter().all(|s| s.1 == 480));
        assert!(seen.failed.is_empty());
    }
}

#[test]
fn a_file_goes_round_without_a_gap_and_in_step() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        webm(dir.path()),
        clip(
            &dir.path().join("clip.mkv"),
            "x264enc tune=zerolatency",
            "audioconvert ! vorbisenc",
            "matroskamux",
        ),
        clip(
            &dir.path().join("clip.mp4"),
            "x264enc bframes=2",
            "audioconvert ! avenc_aac",
            "mp4mux",
        ),
    ];
    for path in files {
        let watcher = Watcher::new();
        // Started late: nothing may burst.
        let late = watcher.clock.base + gst::ClockTime::from_mseconds(300);
        watcher.clock.clock.new_single_shot_id(late).wait().0.unwrap();
        let source = watcher.start(InputKind::File { path: path.clone(), repeat: true });
        watcher.until(15, |s| (s.frames.len() >= 100).then_some(()));
        gone(source);
        let seen = watcher.seen.lock().unwrap();
        let shown = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(seen.failed.is_empty(), "{shown}: {:?}", seen.failed);
        for pair in seen.frames.windows(2) {
            let step = pair[1].0 as i64 - pair[0].0 as i64;
            assert!(step > 0 && step < 80_000_000, "{shown}: a step of {step} ns");
        }
        for (captured, now, _) in &seen.frames {
            let late = *now as i64 - *captured as i64;
            assert!((-2_000_000..60_000_000).contains(&late), "{shown}: {late} ns late");
        }
        let (first, last) = (seen.frames[0].0, seen.frames[seen.frames.len() - 1].0);
        let spent = (last - first) as f64 / 1e9;
        let rate = (seen.frames.len() - 1) as f64 / spent;
        assert!((28.0..30.5).contains(&rate), "{shown}: {rate} frames per second");
        // Sound: what was heard up to any moment is as long as the time that passed.
        let mut expected = seen.sounds[0].0;
        for (captured, samples, _) in &seen.sounds {
            let off = *captured as i64 - expected as i64;
            assert!(off.abs() < 45_000_000, "{shown}: sound off by {off} ns");
            expected = captured + samples * 1_000_000_000 / 48_000;
        }
    }
}

#[test]
fn a_file_played_once_ends_once() {
    let dir = tempfile::tempdir().unwrap();
    let watcher = Watcher::new();
    let source = watcher.start(InputKind::File { path: webm(dir.path()), repeat: false });
    watcher.until(10, |s| (s.ended == 1).then_some(()));
    gone(source);
    let seen = watcher.seen.lock().unwrap();
    assert_eq!(seen.up, ["320x180 30/1, 48 kHz stereo"]);
    assert!((28..=30).contains(&seen.frames.len()), "{} frames", seen.frames.len());
    assert!(seen.failed.is_empty());
}

#[test]
fn files_that_are_not_there_or_damaged_are_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let watcher = Watcher::new();
    let error = watcher
        .try_start(InputKind::File { path: dir.path().join("none.mp4"), repeat: true })
        .unwrap_err();
    assert_eq!(error.kind(), FailureKind::Lasting);
    assert!(error.to_string().contains("none.mp4") && error.to_string().contains("check the path"));

    let empty = dir.path().join("empty.mp4");
    std::fs::write(&empty, b"").unwrap();
    assert!(watcher.try_start(InputKind::File { path: empty, repeat: true }).is_err());

    let text = dir.path().join("bad.mp4");
    std::fs::write(&text, [0x17_u8; 5000]).unwrap();
    let source = watcher.start(InputKind::File { path: text, repeat: true });
    let (reason, kind) = watcher.until(12, |s| s.failed.first().cloned());
    assert_eq!(kind, FailureKind::Lasting, "{reason}");
    assert!(reason.contains("not a media file"), "{reason}");
    gone(source);
}

#[test]
fn an_image_keeps_coming_and_its_alpha_counts() {
    let dir = tempfile::tempdir().unwrap();
    let opaque = dir.path().join("opaque.png");
    make(&format!(
        "videotestsrc num-buffers=1 ! video/x-raw,format=RGBA,width=1600,height=900 ! pngenc ! filesink location={}",
        opaque.display()
    ));
    let clear = dir.path().join("clear.png");
    make(&format!(
        "videotestsrc num-buffers=1 pattern=solid-color foreground-color=0x40ff0000 ! \
         video/x-raw,format=BGRA,width=100,height=50 ! videoconvert ! video/x-raw,format=RGBA ! pngenc ! filesink location={}",
        clear.display()
    ));
    let cases = [
        (opaque, gst_video::VideoFormat::I420, (640, 360)),
        (clear, gst_video::VideoFormat::A420, (100, 50)),
    ];
    for (path, format, size) in cases {
        let watcher = Watcher::new();
        let source = watcher.start(InputKind::Image { path });
        watcher.until(5, |s| (s.frames.len() >= 5).then_some(()));
        gone(source);
        let seen = watcher.seen.lock().unwrap();
        for (captured, now, info) in &seen.frames {
            assert_eq!((info.format(), (info.width(), info.height())), (format, size));
            assert!(now - captured < 50_000_000);
        }
        for pair in seen.frames.windows(2) {
            assert!(pair[1].0 - pair[0].0 < 400_000_000, "an image looks stale");
        }
        assert_eq!(seen.up.len(), 1);
    }
}

#[test]
fn starting_and_stopping_leaves_nothing_behind() {
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let round = || {
        let watcher = Watcher::new();
        let source = watcher.start(test(TestPattern::Bars, Some(440)));
        watcher.until(10, |s| (!s.frames.is_empty() && !s.sounds.is_empty()).then_some(()));
        gone(source);
    };
    round();
    let descriptors = count("fd");
    for _ in 0..50 {
        round();
    }
    // Other tests of this binary have descriptors of their own: 50 leaks would show all the same.
    let grown = count("fd").saturating_sub(descriptors);
    assert!(grown < 40, "{grown} descriptors more after 50 rounds");
}

#[test]
fn a_camera_that_is_not_there_is_refused_in_words() {
    let watcher = Watcher::new();
    let device = Some("no such camera".to_owned());
    let error = watcher.try_start(InputKind::Camera { device }).unwrap_err();
    // It may be plugged in later.
    assert_eq!(error.kind(), FailureKind::Passing);
    let said = error.to_string();
    assert!(
        said.contains("no camera 'no such camera'") && said.contains("hawker devices"),
        "{said}"
    );
}
