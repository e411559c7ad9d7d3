//! Floor 2: figures. What is measured, in which unit, and how it is summed up. No clock, no media.

pub mod alarm;
pub mod arrival;
pub mod course;
pub mod exposition;
pub mod figure;
pub mod freeze;
pub mod history;
pub mod latency;
pub mod meters;
pub mod page;
pub mod report;
pub mod second;
pub mod sender;
pub mod stamp;
pub mod verdict;

pub use arrival::{Jitter, SoundGaps};
pub use course::Course;
pub use freeze::Freezes;
pub use history::History;
pub use latency::{Latency, LatencySummary};
pub use meters::{
    DiskFigures, FrameCounts, InputFigures, Level, Loudness, Meters, OutputFigures, Picture,
    ProcessFigures, ThreadShares, ViewerFigures, WatchFigures,
};
pub use report::Report;
pub use second::{Second, Seconds};
pub use sender::{
    CandidateKind, CandidatePair, CongestionState, Limit, OutputWay, ProgramWay, QualityLimit,
    Transport,
};
pub use stamp::{Origin, Stamp};
pub use verdict::{Grade, Verdict};
