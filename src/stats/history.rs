//! A show as it was kept: what it was, what happened, and its seconds. Pure data, and what follows from it: the
//! summary against the targets, the incidents, the table. Where it is kept is not known here.

mod incident;
mod segment;
mod summary;
mod table;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use incident::{Incident, Step};
pub use segment::SegmentTold;
pub use summary::{MarketSummary, OutputSummary, Seen, Summary};

use super::{
    report::Report,
    second::{MonitorSecond, OutputSecond, ProgramSecond},
};
use crate::base::Severity;

/// A whole show, as it was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// The version of this form: 1.
    pub version: u32,
    /// The show's number on this machine.
    pub number: i64,
    /// The show's title.
    pub title: String,
    /// `rehearse` or `live`.
    pub mode: String,
    /// The profile it ran with.
    pub profile: String,
    /// When it began, RFC 3339, UTC.
    #[schemars(with = "String")]
    pub started: jiff::Timestamp,
    /// How long it ran, as far as is known, in ms.
    pub duration_ms: u64,
    /// How it ended; `null` while it runs, and for one that was killed.
    pub ended: Option<Ended>,
    /// What became of one whose end was not kept, where that was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fate: Option<Fate>,
    /// What it aimed at.
    pub targets: Targets,
    /// How many seconds one of `seconds` stands for: 1, or more once a show is old.
    pub step_s: u32,
    /// What could not be kept: the disk was full or too slow.
    pub lost: Lost,
    /// The program and the process.
    pub program: Vec<At<ProgramSecond>>,
    /// By output, in the order of the show.
    pub outputs: Vec<Track<OutputSecond>>,
    /// By monitor.
    pub monitors: Vec<Track<MonitorSecond>>,
    /// What happened, in order.
    pub events: Vec<Noted>,
    /// The report at the end of the show; `null` for one that runs or was killed.
    pub report: Option<Report>,
}

/// A show, and what follows from it: what `hawker report --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// The show.
    #[serde(flatten)]
    pub history: History,
    /// In a few figures.
    pub summary: Summary,
    /// What went wrong, and what was done.
    pub incidents: Vec<Incident>,
    /// The segments of the rundown, as they ran.
    pub segments: Vec<SegmentTold>,
}

impl From<History> for Told {
    fn from(history: History) -> Self {
        let (summary, incidents) = (history.summary(), history.incidents());
        let segments = history.segments();
        Self { history, summary, incidents, segments }
    }
}

/// How a show ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// In words.
    pub why: String,
    /// 0 as planned, 3 could not go live, 4 fell off the air, 130 interrupted.
    pub exit_code: u8,
}

/// What became of a show whose end was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Its engine answers.
    Runs,
    /// Its engine was killed or broke, or the machine stopped.
    Died,
    /// Its engine ended in order, and could not keep that.
    NotKept,
    /// Its engine is gone, and nothing tells how it ended.
    Gone,
}

impl Fate {
    /// What became of the show, for the operator.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Runs => "it still runs",
            Self::Died => "the engine died",
            Self::NotKept => {
                "it ended in order, but the end could not be kept: the disk was full, or could not be written"
            }
            Self::Gone => "it was cut off: its engine is gone, and no end was kept",
        }
    }
}

/// What could not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Lost {
    /// Seconds without figures.
    pub seconds: u32,
    /// Events that are missing.
    pub events: u32,
    /// Lines of chat that are missing.
    #[serde(default)]
    pub lines: u32,
}

impl Lost {
    /// In words; `None` when nothing is missing.
    pub fn words(self) -> Option<String> {
        let figures = match (self.seconds, self.events) {
            (0, 0) => None,
            (s, 0) => Some(format!("{s} s of figures")),
            (s, n) => Some(format!("{s} s of figures and {n} events")),
        };
        match (figures, self.lines) {
            (figures, 0) => figures,
            (None, lines) => Some(format!("{lines} lines of chat")),
            (Some(figures), lines) => Some(format!("{figures}, and {lines} lines of chat")),
        }
    }
}

/// What a show aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Targets {
    /// Capture to viewer at most, in ms.
    pub latency_ms: u32,
    /// Time stood still at most, in thousandths of the time watched.
    pub stall_permille: u32,
}

impl Targets {
    /// What is aimed at where nothing else is said: questions and answers as a conversation.
    pub const DEFAULT: Self = Self { latency_ms: 600, stall_permille: 5 };
}

/// A second and when it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct At<T> {
    /// Seconds since the show began.
    pub at_s: u32,
    /// What was.
    #[serde(flatten)]
    pub figures: T,
}

/// One output or monitor over the show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Track<T> {
    /// Its name.
    pub name: String,
    /// Where it goes or what it watches, host only.
    pub to: String,
    /// The market it is for, if the show says so.
    pub market: Option<String>,
    /// In order; seconds in which it was not there are left out.
    pub seconds: Vec<At<T>>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Noted {
    /// Milliseconds since the show began.
    pub at_ms: u64,
    /// Its number in the show.
    pub seq: u64,
    /// `output-failed`, `taken`…
    pub event: String,
    /// How much it matters: `info`, `warning`, `critical`.
    #[schemars(with = "String")]
    pub severity: Severity,
    /// The output or input it is about.
    pub about: Option<String>,
    /// In words.
    pub sentence: String,
    /// The event's own fields.
    pub detail: serde_json::Value,
}

impl History {
    /// How long it ran, in seconds, rounded up; at least 1.
    pub fn span_s(&self) -> u32 {
        u32::try_from(self.duration_ms.div_ceil(1000)).unwrap_or(u32::MAX).max(1)
    }

    /// How it ended, in words.
    pub fn ending(&self) -> &str {
        match (&self.ended, self.fate) {
            (Some(ended), _) => &ended.why,
            (None, Some(fate)) => fate.words(),
            (None, None) => "it still runs, or was cut off",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::stats::Limit;

    /// A show of ten minutes with a stall at 60 s, an outage of the output from 120 to 124 s, and a title
    /// that means harm.
    pub fn sample() -> History {
        let note = |at_s: u64, event: &str, severity, about: Option<&str>, sentence: &str| Noted {
            at_ms: at_s * 1000,
            seq: at_s + 1,
            event: event.into(),
            severity,
            about: about.map(str::to_owned),
            sentence: sentence.into(),
            detail: serde_json::json!({ "event": event, "connect_ms": 90 }),
        };
        let began = |at_s: u64, number: u32, title: &str| Noted {
            detail: serde_json::json!({ "number": number, "title": title, "length_s": 240 }),
            ..note(at_s, "segment-began", Severity::Info, None, title)
        };
        let events = vec![
            note(0, "show-started", Severity::Info, None, "'Tea' is starting"),
            note(1, "output-live", Severity::Info, Some("main"), "main is ON AIR at eu.example"),
            note(90, "picture-stepped", Severity::Warning, None, "the picture is 960x540 now"),
            note(95, "picture-stepped", Severity::Warning, None, "the picture is 1280x720 now"),
            note(
                120,
                "output-failed",
                Severity::Critical,
                Some("main"),
                "main failed: <b>reset</b>",
            ),
            note(121, "output-connecting", Severity::Info, Some("main"), "main is connecting"),
            note(124, "output-live", Severity::Info, Some("main"), "main is ON AIR at us.example"),
            began(2, 1, "Hook & <hero>"),
            began(300, 2, "Questions"),
            note(599, "show-ended", Severity::Info, None, "the show is over"),
        ];
        let on = |s: &u32| !(120..124).contains(s);
        let output = |s: u32| OutputSecond {
            sent_kbps: Some(2400 + s % 7 * 10),
            target_kbps: Some(2500),
            rtt_tenths: Some(230),
            loss_ppm: Some(if s < 300 { 0 } else { 20_000 }),
            viewers: Some(s / 100),
            encode_tenths: Some(82),
            pace_tenths: Some(4),
            nacks: Some(if s < 300 { 2 } else { 0 }),
            plis: Some(0),
            limit: Some(if s < 90 { Limit::Bandwidth } else { Limit::None }),
            ..OutputSecond::default()
        };
        let monitor = |s: u32| MonitorSecond {
            p50_tenths: Some(1800 + s % 5),
            p95_tenths: Some(if s < 590 { 2500 } else { 7000 }),
            fps_tenths: 300,
            kbps: 2450,
            stalls: u32::from(s == 60),
            stalled_ms: if s == 60 { 1200 } else { 0 },
            ..MonitorSecond::default()
        };
        let program = |s: u32| At {
            at_s: s,
            figures: ProgramSecond {
                cpu_permille: Some(350),
                memory_kib: Some(98_000 + s),
                encoded: 30,
                ..ProgramSecond::default()
            },
        };
        History {
            version: 1,
            number: 7,
            title: "<script>alert('Tea')</script> \u{202e}evil & \"co\"".into(),
            mode: "live".into(),
            profile: "lively".into(),
            started: jiff::Timestamp::constant(1_767_225_600, 0),
            duration_ms: 600_000,
            ended: Some(Ended { why: "ended by the operator".into(), exit_code: 0 }),
            fate: None,
            targets: Targets { latency_ms: 600, stall_permille: 5 },
            step_s: 1,
            lost: Lost::default(),
            program: (0..600).map(program).collect(),
            outputs: vec![Track {
                name: "main".into(),
                to: "eu.example".into(),
                market: Some("id".into()),
                seconds: (1..600).filter(on).map(|s| At { at_s: s, figures: output(s) }).collect(),
            }],
            monitors: vec![Track {
                name: "stage".into(),
                to: "the stage".into(),
                market: None,
                seconds: (2..600).map(|s| At { at_s: s, figures: monitor(s) }).collect(),
            }],
            events,
            report: None,
        }
    }

    #[test]
    fn it_reads_back_from_json() {
        let history = sample();
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
    }
}
