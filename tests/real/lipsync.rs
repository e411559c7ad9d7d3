//! Sound against picture, end to end: a clip flashes and beeps at the same moments, and the far end looks
//! when, by the sender's own reports, the flash and the beep were captured.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use gst::prelude::*;
use hawker::stage::{AccessUnit, SoundPacket};
use tokio::sync::mpsc::Receiver;

const RATE: usize = 48_000;
const FPS: usize = 30;
const WIDTH: usize = 320;
const HEIGHT: usize = 180;

/// Writes a clip of ten seconds: in each, a white flash of three frames, and a beep as long.
pub fn clip(to: &Path) {
    let pipeline = gst::parse::launch(&format!(
        "matroskamux name=mux ! filesink location=\"{}\" \
         appsrc name=picture format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},\
         framerate={FPS}/1 ! x264enc tune=zerolatency key-int-max=30 bitrate=800 ! h264parse ! mux. \
         appsrc name=sound format=time caps=audio/x-raw,format=S16LE,layout=interleaved,rate={RATE},channels=1 \
         ! flacenc ! flacparse ! mux.",
        to.display()
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let source = |name| pipeline.by_name(name).and_downcast::<gst_app::AppSrc>().unwrap();
    let (picture, sound) = (source("picture"), source("sound"));
    pipeline.set_state(gst::State::Playing).unwrap();
    for n in 0..10 * FPS {
        let on = n % FPS < 3;
        let mut data = vec![if on { 235 } else { 16_u8 }; WIDTH * HEIGHT];
        data.resize(WIDTH * HEIGHT * 3 / 2, 128);
        picture.push_buffer(timed(data, n)).unwrap();
        let samples = (0..RATE / FPS).map(|i| {
            let phase = i as f64 * 1000.0 * std::f64::consts::TAU / RATE as f64;
            if on { (phase.sin() * 12_000.0) as i16 } else { 0 }
        });
        sound.push_buffer(timed(samples.flat_map(i16::to_le_bytes).collect(), n)).unwrap();
    }
    picture.end_of_stream().unwrap();
    sound.end_of_stream().unwrap();
    let bus = pipeline.bus().unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let ended = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds);
    assert_eq!(ended.expect("the clip is written").type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).unwrap();
}

/// The data of frame `n`, picture or sound.
fn timed(data: Vec<u8>, n: usize) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(data);
    let at = |n: usize| gst::ClockTime::from_nseconds((n * 1_000_000_000 / FPS) as u64);
    let own = buffer.get_mut().unwrap();
    own.set_pts(at(n));
    own.set_duration(at(n + 1) - at(n));
    buffer
}

/// Something that decodes one thing after the other.
struct Decoder {
    pipeline: gst::Pipeline,
    into: gst_app::AppSrc,
    out: gst_app::AppSink,
}

impl Decoder {
    fn new(description: &str) -> Self {
        let text = format!(
            "appsrc name=in format=time is-live=true {description} ! appsink name=out sync=false"
        );
        let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let into = pipeline.by_name("in").and_downcast().unwrap();
        let out = pipeline.by_name("out").and_downcast().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, into, out }
    }

    fn decode(&self, data: &[u8], at: SystemTime) -> Option<(gst::Sample, SystemTime)> {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let mut buffer = gst::Buffer::from_slice(data.to_vec());
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_nseconds(since.as_nanos() as u64));
        self.into.push_buffer(buffer).unwrap();
        let sample = self.out.try_pull_sample(gst::ClockTime::from_mseconds(100))?;
        let pts = Duration::from_nanos(sample.buffer()?.pts()?.nseconds());
        Some((sample, SystemTime::UNIX_EPOCH + pts))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Moments at which something began after it had been absent for a third of a second.
#[derive(Default)]
struct Onsets {
    last_seen: Option<SystemTime>,
    found: Vec<SystemTime>,
}

impl Onsets {
    fn see(&mut self, at: SystemTime, present: bool) {
        if !present {
            return;
        }
        let quiet = self.last_seen.is_some_and(|last| {
            at.duration_since(last).is_ok_and(|d| d > Duration::from_millis(333))
        });
        if quiet {
            self.found.push(at);
        }
        self.last_seen = Some(at);
    }
}

/// How much later than the flash the beep was captured, in ms, for each of `count` seconds, as the sender's
/// reports have it. What Opus itself delays sound by (6.5 ms) is in it, as every browser hears it.
pub async fn skews(
    frames: &mut Receiver<AccessUnit>,
    sounds: &mut Receiver<SoundPacket>,
    count: usize,
) -> Vec<f64> {
    let (mut flashes, mut beeps) = (Onsets::default(), Onsets::default());
    let picture = Decoder::new(
        "caps=video/x-h264,stream-format=byte-stream,alignment=au ! avdec_h264 max-threads=1",
    );
    let sound = Decoder::new(
        "caps=audio/x-opus,channel-mapping-family=0,channels=2,rate=48000 ! opusdec \
         ! audio/x-raw,format=S16LE,rate=48000,channels=2",
    );
    let mut whole = false;
    while flashes.found.len() < count + 1 || beeps.found.len() < count + 1 {
        tokio::select! {
            unit = frames.recv() => {
                let unit = unit.expect("frames keep coming");
                // Before the first report nothing can be said; decoding begins with a key frame.
                let Some(at) = unit.captured_at.filter(|_| whole || unit.key) else { continue };
                whole = true;
                let Some((sample, at)) = picture.decode(&unit.data, at) else { continue };
                let bright = sample.buffer().unwrap().map_readable().unwrap();
                // The middle of the picture's brightness.
                let middle = bright[bright.len() / 3 - 400];
                flashes.see(at, middle > 128);
            }
            packet = sounds.recv() => {
                let packet = packet.expect("sound keeps coming");
                let Some(at) = packet.captured_at else { continue };
                let Some((sample, at)) = sound.decode(&packet.data, at) else { continue };
                let pcm = sample.buffer().unwrap().map_readable().unwrap();
                for (n, frame) in pcm.chunks_exact(4).enumerate() {
                    let loud = i16::from_le_bytes([frame[0], frame[1]]).unsigned_abs() > 2000;
                    beeps.see(at + Duration::from_nanos(n as u64 * 1_000_000_000 / 48_000), loud);
                }
            }
        }
    }
    let ms = |late: SystemTime, early: SystemTime| {
        late.duration_since(early).map_or_else(|e| -e.duration().as_secs_f64(), |d| d.as_secs_f64())
            * 1000.0
    };
    flashes
        .found
        .iter()
        .filter_map(|flash| {
            let nearest = beeps.found.iter().map(|beep| ms(*beep, *flash));
            nearest.min_by(|a, b| a.abs().total_cmp(&b.abs()))
        })
        .take(count)
        .collect()
}
