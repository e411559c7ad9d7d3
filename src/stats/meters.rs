//! What the faces draw ten times a second. `None` is a figure that could not be measured: it is drawn as
//! a dash, never as a guess.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Verdict,
    figure::STAGE,
    latency::LatencySummary,
    sender::{CandidatePair, CongestionState, OutputWay, ProgramWay, QualityLimit},
};
use crate::base::{InputId, MonitorId, OutputId};

/// A sound level over the last meter interval, in dBFS (0 is full scale, -100 the floor).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The greatest sample.
    pub peak: f32,
    /// Root mean square.
    pub rms: f32,
}

impl Level {
    /// Nothing to hear.
    pub const SILENCE: Self = Self { peak: -100.0, rms: -100.0 };
}

impl Default for Level {
    fn default() -> Self {
        Self::SILENCE
    }
}

/// Loudness of the program by EBU R128, in LUFS; `None` while it is below the gate or too short.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Loudness {
    /// Over 400 ms.
    pub momentary: Option<f64>,
    /// Over 3 s.
    pub short_term: Option<f64>,
    /// Over the whole show, gated.
    pub integrated: Option<f64>,
}

/// Everything that moves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Meters {
    /// Milliseconds since the engine began.
    pub at_ms: u64,
    /// By input.
    pub inputs: BTreeMap<InputId, InputFigures>,
    /// The mix after the limiter.
    pub program: Level,
    /// How much the limiter takes away, in dB (0 or more).
    pub limiter_db: f32,
    /// Of the mix.
    pub loudness: Loudness,
    /// Frames since the beginning.
    pub frames: FrameCounts,
    /// What the program's frames wait for.
    #[serde(default)]
    pub way: ProgramWay,
    /// By output.
    pub outputs: BTreeMap<OutputId, OutputFigures>,
    /// What hawker sees of its own show as a viewer; `None` until the monitor has seen a frame.
    pub monitor: Option<WatchFigures>,
    /// What others see that watch from outside, by their names.
    #[serde(default)]
    pub monitors: BTreeMap<MonitorId, WatchFigures>,
    /// What is to be thought of each output; none of one that is off, or where nothing is measured.
    #[serde(default)]
    pub verdicts: BTreeMap<OutputId, Verdict>,
    /// The same of each monitor; that of the stage is called `stage`.
    #[serde(default)]
    pub monitor_verdicts: BTreeMap<MonitorId, Verdict>,
    /// Browsers on the viewer page.
    pub viewers: Vec<ViewerFigures>,
    /// This process.
    pub process: ProcessFigures,
}

impl Meters {
    /// What that monitor sees; that of the stage is called [`STAGE`].
    pub fn seen_by(&self, monitor: &MonitorId) -> Option<&WatchFigures> {
        if monitor.as_str() == STAGE {
            return self.monitor.as_ref();
        }
        self.monitors.get(monitor)
    }

    /// What all monitors see.
    pub fn seen(&self) -> impl Iterator<Item = &WatchFigures> {
        self.monitor.iter().chain(self.monitors.values())
    }

    /// How many browsers on the viewer page are connected.
    pub fn watching(&self) -> usize {
        self.viewers.iter().filter(|v| v.state == "connected").count()
    }

    /// Whether nothing moves that an eye would follow: no level, nothing sent, nobody watching. Counters and
    /// the process's own figures may differ.
    pub fn still_since(&self, earlier: &Self) -> bool {
        let levels = |m: &Self| m.inputs.values().map(|i| (i.level, i.slate)).collect::<Vec<_>>();
        self.program == earlier.program
            && levels(self) == levels(earlier)
            && self.outputs == earlier.outputs
            && self.monitor == earlier.monitor
            && self.monitors == earlier.monitors
            && self.verdicts == earlier.verdicts
            && self.monitor_verdicts == earlier.monitor_verdicts
            && self.viewers == earlier.viewers
    }
}

/// One input.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct InputFigures {
    /// Its sound before gain and mute; `None` when it gives none.
    pub level: Option<Level>,
    /// Frames per second over the last second; `None` when it gives no picture.
    pub fps: Option<f32>,
    /// Whether its slate is on in place of its picture.
    pub slate: bool,
}

/// Frames of the program, counted since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FrameCounts {
    /// Given by all inputs.
    pub captured: u64,
    /// Composed for the program.
    pub composed: u64,
    /// Composed with the same picture of the main layer as the frame before.
    pub repeated: u64,
    /// Captured by the main layer and never shown.
    pub skipped: u64,
    /// Out of the encoder.
    pub encoded: u64,
    /// Composed but not encoded, because the encoder was behind.
    pub dropped: u64,
    /// Composed but not encoded, because the link had no room for it.
    pub withheld: u64,
    /// Key frames among the encoded.
    pub key_frames: u64,
}

/// The sender's side of one output. Counters count since its session began.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputFigures {
    /// Sent over the last second, picture and sound, in kbit/s.
    pub sent_kbps: Option<f64>,
    /// What the encoder is asked for, in kbit/s.
    pub target_kbps: Option<f64>,
    /// What congestion control believes the path carries, in kbit/s.
    pub available_kbps: Option<f64>,
    /// Round trip by RTCP, in ms.
    pub rtt_ms: Option<f64>,
    /// How unevenly packets arrive at the receiver (RFC 3550, 6.4.1), in ms.
    pub jitter_ms: Option<f64>,
    /// Lost on the way as the receiver reports it, 0.0-1.0.
    pub loss: Option<f64>,
    /// Packets of the picture that were lost so far, by the same.
    pub lost: Option<u64>,
    /// Packets that the receiver asked to be sent again (NACK).
    pub nacks: Option<u64>,
    /// Key frames that the receiver asked for by PLI.
    pub plis: Option<u64>,
    /// Key frames that the receiver asked for by FIR.
    pub firs: Option<u64>,
    /// Sent again by RTX (RFC 4588) over the last second, asked for or copies for safety, in kbit/s. It is not in
    /// `sent_kbps`.
    pub rtx_kbps: Option<f64>,
    /// Said twice unasked over the last second, as a code against loss (FEC) would be, in kbit/s. Part of `sent_kbps`.
    pub redundant_kbps: Option<f64>,
    /// How long packets wait in the pacer at the rate at which they leave: the most since the last reading, in ms.
    pub pacer_ms: Option<f64>,
    /// How many waited then.
    pub pacer_packets: Option<u32>,
    /// What congestion control does.
    pub congestion: Option<CongestionState>,
    /// The path that ICE has chosen.
    pub path: Option<CandidatePair>,
    /// Frames that the encoder has in hand: given to it and not out yet.
    pub encoder_queue: Option<u32>,
    /// What limits the quality.
    pub limit: Option<QualityLimit>,
    /// What its frames wait for.
    pub way: OutputWay,
    /// Milliseconds since the last feedback on each packet; of an ingest that sends only receiver reports, since the next
    /// one was due. `None` where it sends neither.
    pub silent_ms: Option<u64>,
    /// Frames thrown away because this output could not keep up.
    pub dropped: u64,
    /// Of a recording; `None` for what goes to a server.
    pub disk: Option<DiskFigures>,
}

/// What a recording has written, and where it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiskFigures {
    /// Free on the disk, in bytes.
    pub free_bytes: u64,
    /// Files so far, in this session.
    pub files: u32,
    /// Bytes in them.
    pub written_bytes: u64,
}

/// The receiver's side: one who watches, and measures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchFigures {
    /// Capture to arrival, from the capture stamp, over the last 10 s.
    pub latency: Option<LatencySummary>,
    /// The same of a stream without a stamp of this machine's clock, estimated from the sender's reports: right only if
    /// both machines have the same time, and so held against nothing.
    pub estimated: Option<LatencySummary>,
    /// The part of it from our socket to here, servers between and what was sent again included: the same frames,
    /// less what each waited at the sender. `None` where the sender is not this process.
    pub network: Option<LatencySummary>,
    /// How unevenly the picture's packets arrive (RFC 3550, 6.4.1), in ms.
    pub jitter_ms: Option<f64>,
    /// Frames per second over the last second.
    pub fps: f32,
    /// Received over the last second, in kbit/s.
    pub kbps: f64,
    /// Freezes so far (WebRTC definition).
    pub freezes: u64,
    /// Milliseconds frozen so far.
    pub freeze_ms: u64,
    /// Milliseconds since the last frame: the gap that is open now.
    pub gap_ms: u64,
    /// Whether the gap that is open is a stall already, by the same measure.
    pub frozen: bool,
    /// Milliseconds in gaps of more than five seconds so far, which are in no freeze count.
    pub pause_ms: u64,
    /// Gaps in the sound so far: no packet of it for 100 ms or more, which no receiver's buffer bridges.
    pub sound_gaps: u64,
    /// Milliseconds from packet to packet in them so far.
    pub sound_gap_ms: u64,
    /// Sound against picture, by the sender's clock: positive is sound late. In ms.
    pub av_skew_ms: Option<f64>,
    /// Size of the picture.
    pub size: Option<(u32, u32)>,
    /// How often that changed so far.
    pub size_changes: u64,
}

/// What one browser on the viewer page says of itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ViewerFigures {
    /// A name for this visit, at most 32 characters.
    pub id: String,
    /// `Chromium 156`, at most 64 characters.
    pub browser: String,
    /// Frames per second over the last second.
    pub fps: Option<f64>,
    /// Frames decoded so far.
    pub frames_decoded: Option<u64>,
    /// Width of the picture in pixels.
    pub width: Option<u32>,
    /// Height of the picture in pixels.
    pub height: Option<u32>,
    /// Freezes so far.
    pub freezes: Option<u64>,
    /// Seconds frozen so far.
    pub freeze_seconds: Option<f64>,
    /// Mean wait in the jitter buffer over the last second, in ms.
    pub jitter_buffer_ms: Option<f64>,
    /// Capture to screen as estimated from sender reports, in ms.
    pub latency_ms: Option<f64>,
    /// Capture to screen over the last 10 s by the stamp in each frame, in ms: the median. `None` where the
    /// browser gives its page no encoded frames, or the stamps are another machine's.
    pub screen_p50_ms: Option<f64>,
    /// The same: what 95 of 100 frames keep to.
    pub screen_p95_ms: Option<f64>,
    /// Sound level, 0.0-1.0.
    pub audio_level: Option<f64>,
    /// Received over the last second, in kbit/s.
    pub kbps: Option<f64>,
    /// Packets lost so far.
    pub packets_lost: Option<i64>,
    /// The element's time, in seconds.
    pub current_time: Option<f64>,
    /// `new`, `connecting`, `connected`, `failed`…
    pub state: String,
}

/// The process that runs the show.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessFigures {
    /// Share of one core over the last second, in percent (200 is two cores).
    pub cpu_percent: Option<f64>,
    /// Resident memory in bytes.
    pub resident_bytes: Option<u64>,
    /// The same share by what the threads do; `None` where the system does not tell.
    pub threads: Option<ThreadShares>,
}

/// What groups of threads use over the last second, each in percent of one core.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ThreadShares {
    /// Drawing and encoding the program's picture, all encodings of it.
    pub picture: f64,
    /// Mixing and encoding its sound.
    pub sound: f64,
    /// Capturing and decoding.
    pub inputs: f64,
    /// Packing, pacing, encrypting, sending, writing.
    pub outputs: f64,
    /// The stage and the monitors.
    pub stage: f64,
    /// The engine, its faces' pictures, the store.
    pub engine: f64,
    /// Everything else.
    pub other: f64,
}

/// A small picture of the program for a terminal: RGB, three bytes a pixel, no padding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_an_older_engine_are_read() {
        let output: OutputFigures =
            serde_json::from_str(r#"{"sent_kbps":2500.0,"dropped":3,"from_the_future":1}"#)
                .unwrap();
        let sent_kbps = Some(2500.0);
        assert_eq!(output, OutputFigures { sent_kbps, dropped: 3, ..OutputFigures::default() });
        let seen: WatchFigures = serde_json::from_str(r#"{"fps":30.0}"#).unwrap();
        assert_eq!(seen, WatchFigures { fps: 30.0, ..WatchFigures::default() });
        let process: ProcessFigures = serde_json::from_str(r#"{"cpu_percent":64.0}"#).unwrap();
        assert_eq!((process.cpu_percent, process.threads), (Some(64.0), None));
        let mut meters = serde_json::to_value(Meters::default()).unwrap();
        meters.as_object_mut().unwrap().remove("way");
        assert_eq!(serde_json::from_value::<Meters>(meters).unwrap(), Meters::default());
    }

    #[test]
    fn counters_do_not_move_the_screen_and_levels_do() {
        let calm = Meters::default();
        let counted = Meters { at_ms: 100, ..calm.clone() };
        assert!(counted.still_since(&calm));
        let heard = Meters { program: Level { peak: -20.0, rms: -23.0 }, ..calm.clone() };
        assert!(!heard.still_since(&calm));
        let sent = OutputFigures { sent_kbps: Some(2500.0), ..OutputFigures::default() };
        let outputs = [("far".parse().unwrap(), sent)].into();
        assert!(!Meters { outputs, ..calm.clone() }.still_since(&calm));
    }
}
