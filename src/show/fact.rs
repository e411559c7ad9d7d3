//! What an adapter reports: something happened out there. Facts are about the world, never about what
//! should be done.

use serde::{Deserialize, Serialize};

use crate::{
    base::{AlarmId, Canvas, InputId, Kbps, MonitorId, OutputId, SourceId},
    chat::control::News,
    show::EncoderEffort,
    stats::{Grade, alarm::Crossing, verdict::Subject},
};

/// Why an output or an input failed, as far as it matters to what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// It may work the next time: try again.
    Passing,
    /// It will not work until somebody changes something (a token, a path, a missing element).
    Lasting,
    /// Another stream is on under this name, which may be an earlier session of ours: it works once that has ended.
    Busy,
}

/// A report from an adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fact")]
pub enum Fact {
    /// An input gives pictures or sound.
    InputUp {
        /// Which.
        input: InputId,
        /// What it gives, for the eye: `1280x720 30/1, 48 kHz stereo`.
        format: String,
    },
    /// An input stopped giving.
    InputFailed {
        /// Which.
        input: InputId,
        /// Why, and what to do.
        reason: String,
        /// Whether to try again.
        kind: FailureKind,
    },
    /// A file that plays once has ended.
    InputEnded {
        /// Which.
        input: InputId,
    },
    /// The encoder is running.
    EncoderUp {
        /// The element's name.
        encoder: String,
        /// Whether hardware does it.
        hardware: bool,
    },
    /// The encoder stepped up or down the profile's ladder.
    PictureStepped {
        /// Whose ladder, where it is not the show's own: that of outputs with another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
        /// What is encoded now.
        picture: Canvas,
        /// What the path has for it.
        rate: Kbps,
    },
    /// The machine had too little time for the encoder, or has time again: its effort was lowered or raised.
    EffortStepped {
        /// Whose encoding, where it is not the show's own: that of outputs with another profile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
        /// How it is encoded now.
        effort: EncoderEffort,
        /// Whether the effort was lowered.
        lowered: bool,
        /// What a frame took of the time until the next one, on average before the step, in percent; `None` where
        /// frames were left out altogether.
        load_percent: Option<u32>,
    },
    /// An output's path carries too little for a picture, and the sound goes alone; or the picture is back.
    OutputPicture {
        /// Which.
        output: OutputId,
        /// Which of its sessions.
        session: u32,
        /// Whether the picture is sent.
        on: bool,
    },
    /// The program pipeline broke; media restarts it by itself.
    ProgramFailed {
        /// Why.
        reason: String,
    },
    /// The stage listens.
    StageUp {
        /// The page a viewer opens.
        viewer_url: String,
        /// The link that its viewers seem to have, by name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
    },
    /// How far the ingests of an output are.
    Probed {
        /// Which.
        output: OutputId,
        /// The round trip to each of its ingests, as they are listed, in milliseconds; `None` for one that
        /// gave no good answer in time.
        rtt_ms: Vec<Option<u32>>,
    },
    /// An output's ingest answered and the first packets are on their way.
    OutputConnected {
        /// Which.
        output: OutputId,
        /// Which of its sessions: the number its order had.
        session: u32,
        /// From the order to connect until ICE and DTLS were done, in milliseconds.
        connect_ms: u32,
    },
    /// An output could not connect, or fell off.
    OutputFailed {
        /// Which.
        output: OutputId,
        /// Which of its sessions: the number its order had.
        session: u32,
        /// Why, and what to do.
        reason: String,
        /// Whether to try again.
        kind: FailureKind,
        /// Not before this has passed, asks the ingest; in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// An ingest sends no feedback any more.
    OutputSilent {
        /// Which.
        output: OutputId,
        /// Which of its sessions: the number its order had.
        session: u32,
    },
    /// Its feedback is back.
    OutputHealed {
        /// Which.
        output: OutputId,
        /// Which of its sessions: the number its order had.
        session: u32,
    },
    /// A recording began a file.
    FileBegun {
        /// Which output.
        output: OutputId,
        /// Which of its sessions: the number its order had.
        session: u32,
        /// The file's path.
        file: String,
    },
    /// An output goes on, but somebody should know: a disk gets full.
    OutputWarned {
        /// Which.
        output: OutputId,
        /// Which of its sessions: the number its order had.
        session: u32,
        /// What, and what to do.
        reason: String,
    },
    /// An output was taken off the air in order, all its sessions (DELETE answered, or its deadline passed).
    OutputStopped {
        /// Which.
        output: OutputId,
    },
    /// What is to be thought of an output or a monitor has changed.
    Judged {
        /// Of which.
        about: Subject,
        /// How well a viewer is served now.
        grade: Grade,
        /// In words, with the reason.
        words: String,
    },
    /// A monitor receives a picture.
    MonitorUp {
        /// Which.
        monitor: MonitorId,
    },
    /// A monitor receives nothing any more, or could not begin. It tries again by itself.
    MonitorLost {
        /// Which.
        monitor: MonitorId,
        /// Why, and what to do.
        reason: String,
    },
    /// A chat source is read.
    ChatUp {
        /// The source.
        chat: SourceId,
    },
    /// A chat source is not read any more, or could not begin.
    ChatLost {
        /// The source.
        chat: SourceId,
        /// Why, and what to do.
        reason: String,
        /// After how long it is tried again; `None` is never, by itself.
        retry_in_ms: Option<u64>,
    },
    /// Something happened in the chat.
    ChatNews {
        /// Claims, a poll, an act, an outgoing line, or a refusal.
        news: News,
    },
    /// A figure crossed a threshold of an alarm's rule.
    AlarmCrossed(Crossing),
    /// A command or a web address that was to be told of an alarm could not be.
    HookFailed {
        /// Which alarm, or the first of several.
        alarm: AlarmId,
        /// Why, and what to do.
        reason: String,
    },
    /// The show is not being kept, or not whole; it goes on.
    StoreFailed {
        /// Why, and what to do.
        reason: String,
    },
    /// The show is being kept again.
    StoreBack {
        /// What is missing, in words; `None` when nothing is.
        missing: Option<String>,
    },
    /// This machine or this process did not run for a while.
    Paused {
        /// How long, in milliseconds.
        ms: u64,
        /// The machine slept. Otherwise the process was stopped, or was not scheduled.
        suspended: bool,
    },
    /// How many consoles look.
    Consoles {
        /// Attached now.
        attached: u32,
    },
    /// The machine asks us to stop (SIGINT, SIGTERM, SIGHUP).
    Interrupted,
}

impl Fact {
    /// The same with every text in it that somebody else may have written passed through `clean`: what a server or a
    /// library says may repeat a secret.
    #[must_use]
    pub fn with_foreign(mut self, clean: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::InputUp { format: text, .. }
            | Self::InputFailed { reason: text, .. }
            | Self::ProgramFailed { reason: text }
            | Self::OutputFailed { reason: text, .. }
            | Self::OutputWarned { reason: text, .. }
            | Self::MonitorLost { reason: text, .. }
            | Self::ChatLost { reason: text, .. }
            | Self::HookFailed { reason: text, .. }
            | Self::StoreFailed { reason: text }
            | Self::StoreBack { missing: Some(text) } => *text = clean(text),
            Self::ChatNews { news } => news.with_foreign(clean),
            Self::InputEnded { .. }
            | Self::EncoderUp { .. }
            | Self::PictureStepped { .. }
            | Self::EffortStepped { .. }
            | Self::OutputPicture { .. }
            | Self::StageUp { .. }
            | Self::Probed { .. }
            | Self::OutputConnected { .. }
            | Self::OutputSilent { .. }
            | Self::OutputHealed { .. }
            | Self::FileBegun { .. }
            | Self::OutputStopped { .. }
            | Self::Judged { .. }
            | Self::MonitorUp { .. }
            | Self::ChatUp { .. }
            | Self::AlarmCrossed(_)
            | Self::StoreBack { missing: None }
            | Self::Paused { .. }
            | Self::Consoles { .. }
            | Self::Interrupted => {}
        }
        self
    }
}
