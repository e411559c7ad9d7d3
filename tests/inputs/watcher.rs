//! A sink that writes down what an input gives, and the material inputs are given: a picture that
//! flashes and a sound that beeps in the same moment, once a second.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use gst::prelude::*;
use gst_video::prelude::*;
use hawker::{
    base::{Canvas, Db},
    media::{
        self, MediaClock,
        input::{RawFrame, RawSound, Sink, Source},
    },
    show::{FailureKind, InputKind, InputSpec},
};

pub const CANVAS: Canvas = Canvas { width: 640, height: 360, fps: 30 };

#[derive(Default)]
pub struct Seen {
    /// Captured, handed over, form.
    pub frames: Vec<(u64, u64, gst_video::VideoInfo)>,
    /// Captured, frames, RMS.
    pub sounds: Vec<(u64, u64, f32)>,
    pub last: Option<RawFrame>,
    pub up: Vec<String>,
    pub failed: Vec<(String, FailureKind)>,
    pub ended: u32,
    /// Capture times at which the picture turned bright, and the sound loud.
    pub flashes: Vec<u64>,
    pub beeps: Vec<u64>,
    bright: bool,
    /// Capture time of the last loud sample.
    loud: Option<u64>,
}

impl Seen {
    /// How much later each flash was captured than its beep, in nanoseconds.
    pub fn skews(&self) -> Vec<i64> {
        let near = |flash: &u64| {
            let away = |beep: &&u64| beep.abs_diff(*flash);
            self.beeps.iter().min_by_key(away).map(|beep| *flash as i64 - *beep as i64)
        };
        // The first and the last may have lost their other half.
        let whole = self.flashes.len().saturating_sub(1);
        self.flashes.iter().take(whole).skip(1).filter_map(near).collect()
    }
}

pub struct Watcher {
    pub clock: MediaClock,
    pub canvas: Canvas,
    pub seen: Mutex<Seen>,
    changed: Condvar,
}

impl Watcher {
    pub fn new() -> Arc<Self> {
        Self::on(CANVAS)
    }

    pub fn on(canvas: Canvas) -> Arc<Self> {
        media::init().unwrap();
        Arc::new(Self {
            clock: MediaClock::new(),
            canvas,
            seen: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    pub fn start(self: &Arc<Self>, kind: InputKind) -> Source {
        self.try_start(kind).unwrap()
    }

    pub fn try_start(self: &Arc<Self>, kind: InputKind) -> Result<Source, media::MediaError> {
        let spec = InputSpec { id: "x".parse().unwrap(), kind, gain: Db(0.0), muted: false };
        Source::start(&spec, self.canvas, &self.clock, self.clone())
    }

    fn note(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
    }

    /// Waits until `enough`; what was seen, or a panic saying what was seen instead.
    #[track_caller]
    pub fn until<T>(&self, seconds: u64, enough: impl Fn(&Seen) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let mut seen = self.seen.lock().unwrap();
        loop {
            if let Some(found) = enough(&seen) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "not in {seconds} s: {} frames, {} sounds, up {:?}, failed {:?}, ended {}",
                seen.frames.len(),
                seen.sounds.len(),
                seen.up,
                seen.failed,
                seen.ended
            );
            seen = self.changed.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits for the failure and says how long it took.
    #[track_caller]
    pub fn failure(&self, seconds: u64) -> (String, FailureKind, Duration) {
        let began = Instant::now();
        let (reason, kind) = self.until(seconds, |s| s.failed.first().cloned());
        (reason, kind, began.elapsed())
    }
}

impl Sink for Watcher {
    fn frame(&self, f: RawFrame) {
        let now = self.clock.now().nseconds();
        let light = light(&f);
        self.note(|s| {
            let captured = f.captured.nseconds();
            if light > 128 && !s.bright {
                s.flashes.push(captured);
            }
            s.bright = light > 128;
            s.frames.push((captured, now, f.info.clone()));
            s.last = Some(f);
        });
    }

    fn sound(&self, x: RawSound) {
        let bytes = x.buffer.map_readable().unwrap();
        let samples: Vec<f32> =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let power = samples.iter().map(|v| v * v).sum::<f32>() / samples.len().max(1) as f32;
        self.note(|s| {
            for (i, pair) in samples.chunks_exact(2).enumerate() {
                if pair[0].abs() > 0.1 {
                    let at = x.captured.nseconds() + i as u64 * 1_000_000_000 / 48_000;
                    if s.loud.is_none_or(|was| at.saturating_sub(was) > 300_000_000) {
                        s.beeps.push(at);
                    }
                    s.loud = Some(at);
                }
            }
            s.sounds.push((x.captured.nseconds(), samples.len() as u64 / 2, power.sqrt()));
        });
    }

    fn up(&self, format: String) {
        self.note(|s| s.up.push(format));
    }

    fn failed(&self, reason: String, kind: FailureKind) {
        self.note(|s| s.failed.push((reason, kind)));
    }

    fn ended(&self) {
        self.note(|s| s.ended += 1);
    }
}

/// The luma in the middle of a picture.
fn light(frame: &RawFrame) -> u8 {
    let picture =
        gst_video::VideoFrameRef::from_buffer_ref_readable(&frame.buffer, &frame.info).unwrap();
    let stride = picture.plane_stride()[0] as usize;
    let (x, y) = (picture.width() as usize / 2, picture.height() as usize / 2);
    picture.plane_data(0).unwrap()[y * stride + x]
}

pub fn gone(source: Source) {
    let pipeline = source.pipeline();
    assert!(source.stop().wait(Duration::from_secs(5)), "it does not go down");
    let deadline = Instant::now() + Duration::from_secs(2);
    while pipeline.upgrade().is_some() {
        assert!(Instant::now() < deadline, "something still holds the pipeline");
        std::thread::yield_now();
    }
}

/// Runs a pipeline to its end.
pub fn make(description: &str) {
    media::init().unwrap();
    run(&gst::parse::launch(description).unwrap());
}

fn run(pipeline: &gst::Element) {
    pipeline.set_state(gst::State::Playing).unwrap();
    let message = pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(
            gst::ClockTime::from_seconds(30),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        )
        .expect("the making takes too long");
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}

/// Writes a film of that many seconds: dark and silent, but for a flash and a beep of 100 ms in the middle
/// of each second. `rest` says what becomes of the raw pads `v` and `a`.
pub fn flash_and_beep(seconds: u64, rest: &str) {
    media::init().unwrap();
    let pipeline = gst::parse::launch(&format!(
        "appsrc name=pictures format=time \
           caps=video/x-raw,format=GRAY8,width=320,height=180,framerate=30/1 ! videoconvert ! \
           video/x-raw,format=I420 ! queue max-size-bytes=0 max-size-time=0 name=v \
         appsrc name=sounds format=time \
           caps=audio/x-raw,format=F32LE,rate=48000,channels=2,layout=interleaved ! audioconvert ! \
           queue max-size-bytes=0 max-size-time=0 name=a  {rest}"
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let source =
        |name: &str| pipeline.by_name(name).unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let (pictures, sounds) = (source("pictures"), source("sounds"));
    for source in [&pictures, &sounds] {
        source.set_max_bytes(u64::MAX / 2);
    }
    let second = 1_000_000_000;
    for n in 0..seconds * 30 {
        let on = (15..18).contains(&(n % 30));
        let mut buffer = gst::Buffer::from_slice(vec![if on { 255_u8 } else { 0 }; 320 * 180]);
        let stamped = buffer.get_mut().unwrap();
        stamped.set_pts(gst::ClockTime::from_nseconds(n * second / 30));
        stamped.set_duration(gst::ClockTime::from_nseconds(second / 30));
        pictures.push_buffer(buffer).unwrap();
    }
    for n in 0..seconds * 50 {
        let on = (25..30).contains(&(n % 50));
        let wave = |i: u32| if on { (i as f32 * 0.1309).cos() * 0.5 } else { 0.0 };
        let bytes: Vec<u8> = (0..960_u32)
            .flat_map(|i| [wave(i).to_le_bytes(), wave(i).to_le_bytes()])
            .flatten()
            .collect();
        let mut buffer = gst::Buffer::from_slice(bytes);
        let stamped = buffer.get_mut().unwrap();
        stamped.set_pts(gst::ClockTime::from_nseconds(n * second / 50));
        stamped.set_duration(gst::ClockTime::from_nseconds(second / 50));
        sounds.push_buffer(buffer).unwrap();
    }
    pictures.end_of_stream().unwrap();
    sounds.end_of_stream().unwrap();
    run(pipeline.upcast_ref());
}

/// The same, as a Matroska file that a sender can cut into a stream.
pub fn film(to: &Path, seconds: u64) {
    flash_and_beep(
        seconds,
        &format!(
            "v. ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! h264parse ! m. \
             a. ! opusenc ! m.  matroskamux name=m ! filesink location={}",
            to.display()
        ),
    );
}

/// A process that is killed when the test is over.
pub struct Killed(pub Child);

impl Killed {
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.0)
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a film in real time by SRT, as the listener on `port`.
pub fn srt_sender(film: &Path, port: u16, more: &str) -> Killed {
    let line = format!(
        "-q filesrc location={} ! matroskademux name=d \
         d. ! queue ! h264parse config-interval=-1 ! m. \
         d. ! queue ! opusparse ! m. \
         mpegtsmux name=m alignment=7 ! \
         srtsink uri=srt://127.0.0.1:{port}?mode=listener&latency=60{more} sync=true wait-for-connection=false",
        film.display()
    );
    Killed(
        Command::new("gst-launch-1.0")
            .args(line.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gst-launch-1.0 is installed by script/setup"),
    )
}

/// A UDP port that was free a moment ago: `srtsink` cannot say which one it took.
pub fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An X server and its display's name.
pub fn x_server(size: &str) -> (Killed, String) {
    let mut server = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", &format!("{size}x24"), "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Xvfb is installed by script/setup");
    let mut number = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
    (Killed(server), format!(":{}", number.trim()))
}

/// The process that captures that display for this one.
#[track_caller]
pub fn capture_of(display: &str) -> rustix::process::Pid {
    let argument = format!("display-name={display}");
    children_of(std::process::id(), "gst-launch-1.0")
        .into_iter()
        .find(|pid| {
            std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()))
                .is_ok_and(|line| line.split(|b| *b == 0).any(|a| a == argument.as_bytes()))
        })
        .expect("a process captures the display")
}

/// The running children of that process of that name.
pub fn children_of(parent: u32, name: &str) -> Vec<rustix::process::Pid> {
    let of = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, tail) = stat.rsplit_once(") ")?;
        let mut rest = tail.split_whitespace();
        let (state, ppid) = (rest.next()?, rest.next()?.parse::<u32>().ok()?);
        // The kernel keeps fifteen letters of a name.
        let cut = &name[..name.len().min(15)];
        (state != "Z" && ppid == parent && head.split_once('(')?.1 == cut)
            .then(|| rustix::process::Pid::from_raw(pid as i32))
            .flatten()
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(of)
        .collect()
}
