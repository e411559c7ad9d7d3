//! The report of a show: what a script reads when it is over. Its JSON Schema is printed by
//! `hawker print report-schema`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    latency::LatencySummary,
    meters::{FrameCounts, Loudness, ViewerFigures},
    verdict::VerdictReport,
};

/// What became of a show.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this form: 1.
    pub version: u32,
    /// The show's title.
    pub title: String,
    /// `rehearse` or `live`.
    pub mode: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// How it ended, in words.
    pub ended: String,
    /// The exit code: 0 as planned, 3 could not go live, 4 fell off the air, 130 interrupted.
    pub exit_code: u8,
    /// The encoder's name; `null` if none ever ran.
    pub encoder: Option<String>,
    /// By output.
    pub outputs: BTreeMap<String, OutputReport>,
    /// What hawker's own monitor saw; `null` when it saw nothing.
    pub monitor: Option<MonitorReport>,
    /// What others saw that watched from outside, by their names.
    #[serde(default)]
    pub monitors: BTreeMap<String, MonitorReport>,
    /// What browsers on the viewer page reported last, the newest 64; one that had left by the end has the state `left`.
    pub viewers: Vec<ViewerFigures>,
    /// Frames of the program.
    pub frames: FrameCounts,
    /// By input.
    pub inputs: BTreeMap<String, InputReport>,
    /// Of the program's sound.
    pub loudness: Loudness,
    /// Of the process that ran the show.
    pub process: ProcessReport,
}

/// What became of one output.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OutputReport {
    /// Where it went (host only).
    pub to: String,
    /// From the first order to connect until ICE and DTLS were done, in ms; `null` if never.
    pub connect_ms: Option<u32>,
    /// From the order until the first whole key frame was in the ingest's hands, in ms, as our own stage
    /// saw it; `null` for an ingest that does not tell.
    pub first_frame_ms: Option<u32>,
    /// Mean bitrate sent while on air, in kbit/s.
    pub mean_kbps: Option<f64>,
    /// Median of the round trips, in ms.
    pub rtt_ms: Option<f64>,
    /// Mean loss while on air, 0.0-1.0.
    pub loss: Option<f64>,
    /// How often it was connected anew.
    pub reconnects: u32,
    /// Time it should have been on air and was not, in ms.
    pub down_ms: u64,
    /// Time on air, in ms.
    pub on_air_ms: u64,
    /// Frames thrown away because the output could not keep up.
    pub dropped: u64,
    /// Why it failed last; `null` if it never did.
    pub last_failure: Option<String>,
    /// The files it wrote, in order; none for an output that does not record.
    pub files: Vec<FileReport>,
    /// What was to be thought of it.
    #[serde(default)]
    pub verdict: VerdictReport,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FileReport {
    /// Where it is.
    pub path: String,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// How long it plays, in ms.
    pub duration_ms: u64,
}

/// What the monitor saw.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MonitorReport {
    /// Capture to arrival.
    pub latency: Option<LatencySummary>,
    /// How the latency was measured: `capture stamp`, or why it could not be.
    pub latency_by: String,
    /// Frames that came.
    pub frames: u64,
    /// Frames that came without a stamp.
    pub unstamped: u64,
    /// Freezes (WebRTC definition).
    pub freezes: u64,
    /// Time frozen, in ms.
    pub freeze_ms: u64,
    /// Gaps over 5 s.
    pub pauses: u64,
    /// The longest gap between two frames, in ms.
    pub longest_gap_ms: u64,
    /// Sound against picture, by the sender's clock, worst seen, in ms.
    pub worst_av_skew_ms: Option<f64>,
    /// What was to be thought of it.
    #[serde(default)]
    pub verdict: VerdictReport,
}

impl MonitorReport {
    /// This report and that of the session after it, as one. Percentiles cannot be added: those of the
    /// session with more frames stand for both, and `latency_by` says so.
    #[must_use]
    pub fn followed_by(self, next: Self) -> Self {
        let frames_of = |r: &Self| r.latency.map_or(0, |l| l.count);
        let longer = if frames_of(&self) >= frames_of(&next) { &self } else { &next };
        let worse = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(if a.abs() >= b.abs() { a } else { b }),
            (a, b) => a.or(b),
        };
        let several = " (of the longest of several sessions)";
        Self {
            latency: longer.latency,
            latency_by: format!("{}{several}", longer.latency_by.trim_end_matches(several)),
            frames: self.frames + next.frames,
            unstamped: self.unstamped + next.unstamped,
            freezes: self.freezes + next.freezes,
            freeze_ms: self.freeze_ms + next.freeze_ms,
            pauses: self.pauses + next.pauses,
            longest_gap_ms: self.longest_gap_ms.max(next.longest_gap_ms),
            worst_av_skew_ms: worse(self.worst_av_skew_ms, next.worst_av_skew_ms),
            verdict: next.verdict,
        }
    }
}

/// What became of one input.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct InputReport {
    /// How often it failed.
    pub faults: u32,
    /// Why it failed last; `null` if it never did.
    pub last_fault: Option<String>,
    /// Frames it gave.
    pub frames: u64,
}

/// What the process used.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ProcessReport {
    /// Processor time of all threads, in ms.
    pub cpu_ms: u64,
    /// Mean share of one core, in percent.
    pub cpu_percent: f64,
    /// Resident memory at the end, in bytes.
    pub resident_bytes: u64,
    /// Resident memory at its greatest, in bytes.
    pub peak_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sessions_make_one_report() {
        let one = MonitorReport {
            frames: 100,
            freezes: 1,
            freeze_ms: 400,
            longest_gap_ms: 400,
            worst_av_skew_ms: Some(-9.0),
            latency_by: "capture stamp".into(),
            ..MonitorReport::default()
        };
        let two = MonitorReport { frames: 50, worst_av_skew_ms: Some(4.0), ..one.clone() };
        let both = one.clone().followed_by(two).followed_by(one);
        assert_eq!((both.frames, both.freezes, both.freeze_ms), (250, 3, 1200));
        assert_eq!(both.worst_av_skew_ms, Some(-9.0));
        assert_eq!(both.latency_by.matches("several").count(), 1);
    }
}
