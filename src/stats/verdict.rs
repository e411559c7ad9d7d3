//! What figures mean: a verdict on an output or a monitor, in words, with the worst first, and where in the chain
//! it arises when figures tell. It changes slowly: what is bad must stay so before it counts, and be well for
//! longer before it does not. Pure; time is handed in.

mod judge;
mod limits;

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{MonitorId, OutputId};

pub use judge::{Air, Judge, Judged, Look, Of, Others, ProgramJudge, Sender, Studio};

/// How well a viewer is served, best first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// All that is measured is within its target.
    Good,
    /// It is seen, not as well as it was meant.
    Strained,
    /// It comes later than it should.
    Late,
    /// It stands still, or stands still too often.
    Stalling,
    /// It is not there.
    Down,
}

impl Grade {
    /// Every grade, best first.
    pub const ALL: [Self; 5] = [Self::Good, Self::Strained, Self::Late, Self::Stalling, Self::Down];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Strained => "strained",
            Self::Late => "late",
            Self::Stalling => "stalling",
            Self::Down => "down",
        }
    }
}

/// What is measured. More is worse, for each.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// How long it has been off the air although it should be on, in ms.
    DownMs,
    /// How long the frames that come have been another show's, in ms.
    ForeignMs,
    /// How long the picture has stood still, in ms; 0 while it moves.
    StallMs,
    /// Share of the last five minutes in which it stood still, in percent of the target.
    StallsPercentOfTarget,
    /// Capture to arrival, the 95th percentile of 10 s, in percent of the target.
    LatencyPercentOfTarget,
    /// Sound against picture, either way, in ms.
    SkewMs,
    /// How long the ingest has given no feedback, in ms.
    SilenceMs,
    /// What the path lacks of the profile's full rate, in percent.
    UplinkShortPercent,
    /// Lost on the way to the ingest, in percent.
    LossPercent,
    /// Frames that the encoder was too late for in the last 2 s, in percent.
    EncoderLatePercent,
    /// Frames thrown away in the last 2 s because the output could not keep up.
    ThrownAway,
    /// How long an input that is on program has given nothing, or too little, in ms.
    InputLateMs,
}

impl Metric {
    /// Every metric, with its name in a rule file.
    pub const NAMED: [(&'static str, Self); 12] = [
        ("down-ms", Self::DownMs),
        ("foreign-ms", Self::ForeignMs),
        ("stall-ms", Self::StallMs),
        ("stalls-percent-of-target", Self::StallsPercentOfTarget),
        ("latency-percent-of-target", Self::LatencyPercentOfTarget),
        ("skew-ms", Self::SkewMs),
        ("silence-ms", Self::SilenceMs),
        ("uplink-short-percent", Self::UplinkShortPercent),
        ("loss-percent", Self::LossPercent),
        ("encoder-late-percent", Self::EncoderLatePercent),
        ("thrown-away", Self::ThrownAway),
        ("input-late-ms", Self::InputLateMs),
    ];

    /// Whether a viewer measures it; else it is measured at the sender.
    pub const fn is_viewers(self) -> bool {
        matches!(
            self,
            Self::ForeignMs
                | Self::StallMs
                | Self::StallsPercentOfTarget
                | Self::LatencyPercentOfTarget
                | Self::SkewMs
        )
    }

    /// Its name in a rule file.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, metric)| *metric == self).map_or("?", |(name, _)| name)
    }

    /// A value of it, in words.
    pub fn words(self, value: f64) -> String {
        let seconds = value / 1000.0;
        match self {
            Self::DownMs => format!("off the air for {seconds:.1} s"),
            Self::ForeignMs => format!(
                "viewers have had another show's picture for {seconds:.1} s: somebody else publishes to \
                 this place"
            ),
            Self::StallMs => format!("no frame for {seconds:.1} s"),
            Self::StallsPercentOfTarget => {
                format!("the picture stands still for {value:.0} % of what the target allows")
            }
            Self::LatencyPercentOfTarget => format!("the latency is {value:.0} % of the target"),
            Self::SkewMs => format!("sound and picture are {value:.0} ms apart"),
            Self::SilenceMs => format!("no word from the ingest for {seconds:.1} s"),
            Self::UplinkShortPercent => {
                format!("the uplink lacks {value:.0} % of what the best picture needs")
            }
            Self::LossPercent => format!("{value:.1} % lost on the way to the ingest"),
            Self::EncoderLatePercent => {
                format!("this machine is too slow: {value:.0} % of frames not encoded in time")
            }
            Self::ThrownAway => format!("it cannot keep up: {value:.0} frames thrown away"),
            Self::InputLateMs => {
                format!("an input on program has been down or late for {seconds:.1} s")
            }
        }
    }
}

/// Where in the chain from the camera to the viewer something arises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A camera, a file, a screen: it gives nothing, or too little.
    Input,
    /// This machine does not encode in time.
    Cpu,
    /// The way from here to the ingest.
    Uplink,
    /// The ingest, or what stands behind it for all.
    Ingest,
    /// Between the distribution and one of its viewers.
    LastMile,
}

impl Place {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Input => "an input",
            Self::Cpu => "this machine",
            Self::Uplink => "the uplink",
            Self::Ingest => "the ingest",
            Self::LastMile => "the last mile",
        }
    }
}

/// Who a verdict or an alarm is about. As text: `output main`, `monitor tokyo`, `program`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// What all outputs share: the inputs and the encoder.
    Program,
    /// An output.
    Output(OutputId),
    /// A monitor.
    Monitor(MonitorId),
}

impl Subject {
    /// For the eye: `main`, `monitor tokyo`, `the program`.
    pub fn words(&self) -> String {
        match self {
            Self::Program => "the program".to_owned(),
            Self::Output(id) => id.to_string(),
            Self::Monitor(id) => format!("monitor {id}"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("program"),
            Self::Output(id) => write!(f, "output {id}"),
            Self::Monitor(id) => write!(f, "monitor {id}"),
        }
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl TryFrom<String> for Subject {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let named = match text.split_once(' ') {
            None if text == "program" => Some(Self::Program),
            Some(("output", id)) => id.parse().ok().map(Self::Output),
            Some(("monitor", id)) => id.parse().ok().map(Self::Monitor),
            _ => None,
        };
        named.ok_or_else(|| "write \"program\", \"output NAME\" or \"monitor NAME\"".to_owned())
    }
}

/// A figure at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Of what.
    pub metric: Metric,
    /// In the metric's unit; more is worse.
    pub value: f64,
}

/// What is measured of one subject at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Of whom.
    pub about: Subject,
    /// The figures.
    pub readings: Vec<Reading>,
    /// The verdict's words; empty when there is none.
    pub words: String,
    /// What is worst, as the verdict says.
    pub worst: Option<Metric>,
}

/// What is to be thought of an output or a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// How well a viewer is served.
    pub grade: Grade,
    /// In words: `good`, `late: 820 of 600 ms`.
    pub words: String,
    /// What is worst; `null` when all is well.
    pub worst: Option<Metric>,
    /// Where it arises; `null` when the figures do not tell.
    pub place: Option<Place>,
}

impl Verdict {
    /// All that is measured is well.
    pub fn good() -> Self {
        Self { grade: Grade::Good, words: Grade::Good.word().to_owned(), worst: None, place: None }
    }
}

/// A verdict over a whole show.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct VerdictReport {
    /// The last one; `null` when nothing was measured.
    pub last: Option<Verdict>,
    /// The worst, as it was first told; `null` when nothing was measured.
    pub worst: Option<Verdict>,
    /// Milliseconds in each grade (`good`, `strained`, `late`, `stalling`, `down`).
    pub time_ms: BTreeMap<String, u64>,
}

impl VerdictReport {
    /// Adds one that held for so many milliseconds.
    pub fn add(&mut self, verdict: &Verdict, for_ms: u64) {
        *self.time_ms.entry(verdict.grade.word().to_owned()).or_default() += for_ms;
        if self.worst.as_ref().is_none_or(|worst| verdict.grade > worst.grade) {
            self.worst = Some(verdict.clone());
        }
        self.last = Some(verdict.clone());
    }

    /// In words: `good 98 % of the time; at worst late: 820 of 600 ms`. `None` when nothing was measured.
    pub fn words(&self) -> Option<String> {
        let worst = self.worst.as_ref()?;
        if worst.grade == Grade::Good {
            return Some("good all the time".to_owned());
        }
        let all: u64 = self.time_ms.values().sum();
        let good = self.time_ms.get(Grade::Good.word()).copied().unwrap_or(0);
        // Rounded down: what was not good all the time never reads so.
        let share = good * 100 / all.max(1);
        Some(format!("good {share} % of the time; at worst {}", worst.words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_back_from_its_text() {
        for text in ["program", "output main", "monitor tokyo"] {
            let subject = Subject::try_from(text.to_owned()).unwrap();
            assert_eq!(String::from(subject), text);
        }
        for text in ["", "main", "output", "output Main", "input cam"] {
            assert!(Subject::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn every_metric_has_one_name_which_is_that_of_its_json() {
        for (name, metric) in Metric::NAMED {
            assert_eq!(serde_json::to_value(metric).unwrap(), name);
            assert_eq!(metric.name(), name);
        }
    }

    #[test]
    fn a_whole_show_is_said_in_a_sentence() {
        let mut report = VerdictReport::default();
        assert_eq!(report.words(), None);
        report.add(&Verdict::good(), 99_999);
        assert_eq!(report.words().unwrap(), "good all the time");
        let late = Verdict {
            grade: Grade::Late,
            words: "late: 820 of 600 ms".into(),
            worst: Some(Metric::LatencyPercentOfTarget),
            place: None,
        };
        report.add(&late, 1);
        report.add(&Verdict::good(), 0);
        assert_eq!(report.words().unwrap(), "good 99 % of the time; at worst late: 820 of 600 ms");
        assert_eq!(report.last, Some(Verdict::good()));
    }
}
