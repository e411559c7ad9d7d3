//! Plays a file to its end, with ffmpeg, and says what was seen and heard; and which of our frames are in it.

use std::{collections::BTreeSet, path::Path};

use hawker::stats::Stamp;

use crate::process::tool;

/// What was seen and heard.
#[derive(Debug)]
pub struct Played {
    pub frames: usize,
    /// Of the first picture, in pixels.
    pub size: (u32, u32),
    /// Pictures that differ.
    pub distinct: usize,
    /// From the first picture to the last.
    pub seconds: f64,
    /// The longest between two pictures.
    pub longest_gap: f64,
    /// How long sound was heard.
    pub sound_seconds: f64,
    pub mean_db: f64,
    /// What the player complained of.
    pub complaints: String,
}

fn ffmpeg(file: &Path, args: &[&str]) -> (Vec<u8>, String) {
    let mut command = tool("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-i"]).arg(file).args(args);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let output = command.output().expect("ffmpeg is installed");
    (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Plays it.
#[track_caller]
pub fn play(file: &Path) -> Played {
    let (frames, complaints) = ffmpeg(
        file,
        &["-v", "error", "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"],
    );
    let frames = String::from_utf8(frames).unwrap();
    let base: f64 = frames
        .lines()
        .find_map(|l| l.strip_prefix("#tb 0: "))
        .and_then(|tb| {
            let (n, d) = tb.trim().split_once('/')?;
            Some(n.parse::<f64>().ok()? / d.parse::<f64>().ok()?)
        })
        .unwrap_or_else(|| panic!("{} has no picture: {complaints}", file.display()));
    let rows: Vec<(f64, String)> = frames
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| {
            let parts: Vec<&str> = l.split(',').map(str::trim).collect();
            (parts[2].parse::<f64>().unwrap() * base, parts[5].to_owned())
        })
        .collect();
    let times: Vec<f64> = rows.iter().map(|r| r.0).collect();
    let size = frames.lines().find_map(|l| l.strip_prefix("#dimensions 0: ")?.split_once('x'));
    let pixels = |n: &str| n.trim().parse().unwrap_or_default();
    let (_, heard) = ffmpeg(file, &["-map", "0:a", "-af", "volumedetect", "-f", "null", "-"]);
    let figure = |name: &str| {
        let at = heard.find(name)? + name.len();
        heard[at..].split_whitespace().next()?.parse::<f64>().ok()
    };
    Played {
        frames: rows.len(),
        size: size.map_or((0, 0), |(w, h)| (pixels(w), pixels(h))),
        distinct: rows.iter().map(|r| &r.1).collect::<BTreeSet<_>>().len(),
        seconds: times.last().zip(times.first()).map_or(0.0, |(l, f)| l - f),
        longest_gap: times.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max),
        sound_seconds: figure("n_samples:").unwrap_or(0.0) / 96_000.0,
        mean_db: figure("mean_volume:").unwrap_or(-91.0),
        complaints,
    }
}

/// The numbers of our frames in it, in order, and of the key frames among them.
#[track_caller]
pub fn stamps(file: &Path) -> (Vec<u64>, Vec<u64>) {
    let (stream, said) =
        ffmpeg(file, &["-v", "error", "-map", "0:v", "-c", "copy", "-f", "h264", "-"]);
    assert!(!stream.is_empty(), "{}: {said}", file.display());
    let begins: Vec<usize> = stream
        .windows(3)
        .enumerate()
        .filter(|(_, w)| *w == [0, 0, 1])
        .map(|(at, _)| at + 3)
        .collect();
    let (mut numbers, mut keys) = (Vec::new(), Vec::new());
    for (n, begin) in begins.iter().enumerate() {
        let end = begins.get(n + 1).map_or(stream.len(), |next| next - 3);
        let unit = &stream[*begin..end];
        numbers.extend(Stamp::from_sei_nal(unit).map(|s| s.frame));
        if unit.first().is_some_and(|header| header & 0x1f == 5) && keys.last() != numbers.last() {
            keys.extend(numbers.last());
        }
    }
    (numbers, keys)
}

/// Frame numbers without a gap.
#[track_caller]
pub fn assert_gapless(numbers: &[u64]) {
    let gaps: Vec<_> = numbers.windows(2).filter(|w| w[1] != w[0] + 1).collect();
    assert!(numbers.len() > 1 && gaps.is_empty(), "{} frames, gaps: {gaps:?}", numbers.len());
}

/// Of a recording of the clip that flashes and beeps: how long after its flash each beep is heard, in seconds.
#[track_caller]
pub fn skews(file: &Path) -> Vec<f64> {
    let number = |line: &str, name: &str| {
        let at = line.find(name)? + name.len();
        line[at..].split_whitespace().next()?.parse::<f64>().ok()
    };
    let (seen, said) = ffmpeg(
        file,
        &[
            "-v",
            "error",
            "-map",
            "0:v",
            "-fps_mode",
            "passthrough",
            "-vf",
            "signalstats,metadata=print:file=-",
            "-f",
            "null",
            "-",
        ],
    );
    let (mut flashes, mut time, mut bright) = (Vec::new(), 0.0, true);
    for line in String::from_utf8_lossy(&seen).lines() {
        time = number(line, "pts_time:").unwrap_or(time);
        if let Some(mean) = number(line, "signalstats.YAVG=") {
            if mean > 128.0 && !bright {
                flashes.push(time);
            }
            bright = mean > 128.0;
        }
    }
    assert!(!flashes.is_empty(), "no flash in {}: {said}", file.display());
    let (_, heard) =
        ffmpeg(file, &["-map", "0:a", "-af", "silencedetect=n=-35dB:d=0.3", "-f", "null", "-"]);
    let beeps: Vec<f64> = heard.lines().filter_map(|l| number(l, "silence_end: ")).collect();
    let nearest = |flash: &f64| {
        let skews = beeps.iter().map(|beep| beep - flash);
        skews.min_by(|a, b| a.abs().total_cmp(&b.abs())).filter(|s| s.abs() < 0.4)
    };
    flashes.iter().filter_map(nearest).collect()
}
