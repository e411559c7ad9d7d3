//! Files as they are found in the wild: other image formats, a cover with a long sound, a loop whose
//! picture and sound stay together.

use std::path::Path;

use hawker::show::InputKind;

use super::watcher::{Watcher, flash_and_beep, gone, make};

#[test]
fn picture_and_sound_stay_together_over_loops() {
    let dir = tempfile::tempdir().unwrap();
    let to = |name: &str| dir.path().join(name);
    let mkv = to("film.mkv");
    super::watcher::film(&mkv, 2);
    let mov = to("film.mov");
    flash_and_beep(
        2,
        &format!(
            "v. ! x264enc bframes=2 key-int-max=30 ! h264parse ! m. a. ! audio/x-raw,format=S16LE ! m. \
             qtmux name=m ! filesink location={}",
            mov.display()
        ),
    );
    for path in [mkv, mov] {
        let shown = path.display().to_string();
        let watcher = Watcher::new();
        let source = watcher.start(InputKind::File { path, repeat: true });
        watcher.until(30, |s| (s.flashes.len() >= 10 && s.beeps.len() >= 10).then_some(()));
        gone(source);
        let seen = watcher.seen.lock().unwrap();
        assert!(seen.failed.is_empty(), "{shown}: {:?}", seen.failed);
        let skews = seen.skews();
        eprintln!("{shown}: skews {skews:?} ns");
        assert!(skews.len() >= 8);
        for skew in &skews {
            assert!(skew.abs() < 15_000_000, "{shown}: {skews:?} ns");
        }
    }
}

#[test]
fn images_of_every_kind_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let picture = |name: &str, encoder: &str| {
        let to = dir.path().join(name);
        make(&format!(
            "videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xffe0e0e0 ! \
             video/x-raw,width=300,height=200 ! videoconvert ! {encoder} ! filesink location={}",
            to.display()
        ));
        to
    };
    let svg = dir.path().join("badge.svg");
    std::fs::write(
        &svg,
        r##"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"
            viewBox="0 0 300 200"><rect width="300" height="200" fill="#e0e0e0"/></svg>"##,
    )
    .unwrap();
    for path in [picture("a.jpg", "jpegenc"), picture("a.webp", "webpenc"), svg] {
        let watcher = Watcher::new();
        let shown = path.display().to_string();
        let source = watcher.start(InputKind::Image { path });
        watcher.until(10, |s| {
            assert!(s.failed.is_empty(), "{shown}: {:?}", s.failed);
            (s.frames.len() >= 3).then_some(())
        });
        gone(source);
        let seen = watcher.seen.lock().unwrap();
        let info = &seen.frames[0].2;
        assert_eq!((info.width(), info.height()), (300, 200), "{shown}");
        assert_eq!(seen.flashes.len(), 1, "{shown}: the picture is not bright");
    }
}

fn one_picture_and_long_sound(to: &Path) {
    make(&format!(
        "webmmux name=m ! filesink location={} \
         videotestsrc num-buffers=1 ! video/x-raw,width=320,height=180,framerate=30/1 ! vp8enc ! m. \
         audiotestsrc num-buffers=150 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! \
         opusenc ! m.",
        to.display()
    ));
}

#[test]
fn a_cover_stands_as_long_as_its_sound_plays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("song.webm");
    one_picture_and_long_sound(&path);
    for repeat in [false, true] {
        let watcher = Watcher::new();
        let source = watcher.start(InputKind::File { path: path.clone(), repeat });
        if repeat {
            // More than two rounds.
            watcher
                .until(20, |s| (s.sounds.last()?.0 - s.sounds[0].0 > 7_000_000_000).then_some(()));
        } else {
            watcher.until(10, |s| (s.ended == 1).then_some(()));
        }
        gone(source);
        let seen = watcher.seen.lock().unwrap();
        assert!(seen.failed.is_empty(), "{:?}", seen.failed);
        let first = seen.sounds[0].0;
        let (begun, over) = (seen.frames[0].1, seen.frames[seen.frames.len() - 1].1);
        let end = seen.sounds.last().unwrap().0;
        assert!(
            begun < first + 300_000_000 && over + 450_000_000 > end,
            "{begun}..{over} of {end}"
        );
        for pair in seen.frames.windows(2) {
            assert!(pair[1].1 - pair[0].1 < 400_000_000, "the cover looks stale");
        }
    }
}

#[test]
fn a_file_may_be_stopped_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.mkv");
    super::watcher::film(&path, 1);
    for round in 0..60_u64 {
        let watcher = Watcher::new();
        let source = watcher.start(InputKind::File { path: path.clone(), repeat: true });
        // The moment is what is tried, not a condition: from before the first frame to after the first round.
        std::thread::sleep(std::time::Duration::from_millis(round * round / 3));
        gone(source);
        assert!(watcher.seen.lock().unwrap().failed.is_empty(), "round {round}");
    }
}
