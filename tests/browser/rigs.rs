//! What stands before the camera: an X screen with a window on it, files, a sender. All
//! real, all private, all gone with the test.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use crate::process::{Process, run, tool, until};

/// An X server without a monitor.
pub struct Screen {
    process: Process,
    number: u32,
    window: Option<Process>,
}

impl Screen {
    /// On a free display, or on that one. 1280x720, black.
    pub fn start(number: Option<u32>) -> Self {
        let mut command = tool("Xvfb");
        command.args(number.map(|n| format!(":{n}")));
        command.args("-displayfd 1 -screen 0 1280x720x24 -br -nolisten tcp -noreset".split(' '));
        let mut process = Process::start(command.stdout(Stdio::piped()));
        // It says its number when it takes connections.
        let mut line = String::new();
        let out = process.child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let number = line.trim().parse().unwrap_or_else(|_| panic!("Xvfb said '{line}'"));
        Self { process, number, window: None }
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    pub fn display(&self) -> String {
        format!(":{}", self.number)
    }

    /// Puts a white window of 240x240 there, or moves it there (its upper left corner).
    #[track_caller]
    pub fn window_at(&mut self, x: u32, y: u32) {
        let display = self.display();
        let window = self.window.get_or_insert_with(|| {
            let mut command = tool("xlogo");
            command.args("-fg white -bg white -geometry 240x240+0+0".split(' '));
            Process::start(command.env("DISPLAY", &display))
        });
        let id = until("the window", 10, || {
            assert!(window.wait(Duration::ZERO).is_none(), "the window is gone");
            let found = run(
                tool("xdotool")
                    .args("search --onlyvisible --class xlogo".split(' '))
                    .env("DISPLAY", &display),
                5,
            );
            found.out.lines().last().map(str::to_owned).ok_or(found.err)
        });
        let moved = run(
            tool("xdotool")
                .args(["windowmove", &id, &x.to_string(), &y.to_string()])
                .env("DISPLAY", &display),
            5,
        );
        assert_eq!(moved.code, 0, "{moved:?}");
    }

    /// Kills the server without a word; its number is free again.
    pub fn kill(mut self) -> u32 {
        self.process.kill();
        self.number
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.window.take());
        self.process.stop();
        // A server that was killed leaves these.
        let _ = fs::remove_file(format!("/tmp/.X{}-lock", self.number));
        let _ = fs::remove_file(format!("/tmp/.X11-unix/X{}", self.number));
    }
}

/// Runs a GStreamer pipeline to its end.
#[track_caller]
pub fn launch(description: &str) {
    let words = description.split_whitespace();
    let made = run(tool("gst-launch-1.0").arg("-q").args(words), 60);
    assert_eq!(made.code, 0, "{description}: {made:?}");
}

/// A film: each of these colours (0xAARRGGBB) for a second, and a tone of 880 Hz.
pub fn film(folder: &Path, colours: &[u32]) -> PathBuf {
    let file = folder.join("film.webm");
    let scenes: Vec<String> = colours
        .iter()
        .map(|colour| {
            format!(
                "videotestsrc num-buffers=30 pattern=solid-color foreground-color={colour} ! \
                 video/x-raw,width=640,height=360,framerate=30/1 ! c. "
            )
        })
        .collect();
    let scenes = scenes.concat();
    launch(&format!(
        "webmmux name=m ! filesink location={} \
         concat name=c ! videoconvert ! vp8enc deadline=1 keyframe-max-dist=15 ! queue ! m. {scenes} \
         audiotestsrc freq=880 volume=0.3 samplesperbuffer=960 num-buffers={} ! \
         audio/x-raw,rate=48000,channels=2 ! opusenc ! queue ! m.",
        file.display(),
        50 * colours.len()
    ));
    file
}

/// Somebody who sends a white picture and a tone by SRT from this port.
pub fn sender(port: u16) -> Process {
    let description = format!(
        "mpegtsmux name=m alignment=7 ! srtsink uri=srt://127.0.0.1:{port}?mode=listener wait-for-connection=false \
         latency=60 \
         videotestsrc is-live=true pattern=white ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! \
         x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! video/x-h264,profile=baseline ! \
         h264parse config-interval=-1 ! queue ! m. \
         audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! queue ! m."
    );
    Process::start(tool("gst-launch-1.0").arg("-q").args(description.split_whitespace()))
}
