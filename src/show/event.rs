//! What happened, in the past tense, numbered; and what an adapter is to do about it.

mod chat_words;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    handle::alarms::{counted, weight},
    spec::{EncoderEffort, InputSpec, MonitorSpec, OutputSpec},
    state::Ending,
};
use crate::{
    base::{AlarmId, Canvas, Db, InputId, Kbps, MonitorId, OutputId, SceneId, Severity, SourceId},
    chat::{
        control::{ActId, ClaimNews, Outcome, Request, What},
        send::{self, LineId},
    },
    scene::{Composition, Transition},
    stats::{Grade, verdict::Subject},
};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 1, without a gap.
    pub seq: u64,
    /// Wall clock, UTC.
    pub at: jiff::Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
#[allow(missing_docs, reason = "the fields are the ones of the facts and commands they answer")]
pub enum Happening {
    /// The show began.
    ShowStarted { title: String, mode: super::spec::Mode },
    /// Preview changed.
    Previewed { scene: SceneId },
    /// Program changed.
    Taken { scene: SceneId, transition: Transition },
    /// The transition of the next take was chosen.
    TransitionSet { transition: Transition },
    /// The slate is on and all is silent.
    Panicked,
    /// The program is back.
    Resumed,
    /// An input was silenced.
    Muted { input: InputId },
    /// An input is heard again.
    Unmuted { input: InputId },
    /// An input's gain changed.
    GainSet { input: InputId, db: Db },
    /// An input is being started.
    InputStarted { input: InputId, attempt: u32 },
    /// An input gives.
    InputUp { input: InputId, format: String },
    /// An input failed; its slate is on.
    InputFailed { input: InputId, reason: String, retry_in_ms: Option<u64> },
    /// A file played once to its end.
    InputEnded { input: InputId },
    /// The encoder runs.
    EncoderUp { encoder: String, hardware: bool },
    /// The link gives more or less than before: another picture is sent.
    PictureStepped {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
        picture: Canvas,
        rate: Kbps,
    },
    /// This machine has less time for the encoder than before, or more again.
    EffortStepped {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
        effort: EncoderEffort,
        lowered: bool,
        load_percent: Option<u32>,
    },
    /// An output sends its sound alone, or its picture again.
    OutputPicture { output: OutputId, on: bool },
    /// The program pipeline broke and was started anew.
    ProgramFailed { reason: String },
    /// The stage listens, and its viewers have that link.
    StageUp {
        viewer_url: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
    },
    /// The ingests of an output are being probed.
    OutputProbing { output: OutputId },
    /// The ingests of an output were probed; they are tried in this order.
    OutputProbed { output: OutputId, order: Vec<Distance> },
    /// There is one more output. It is off.
    OutputAdded { output: OutputId, to: String },
    /// An output is connecting.
    OutputConnecting { output: OutputId, to: String, attempt: u32 },
    /// An output is on air.
    OutputLive { output: OutputId, to: String, connect_ms: u32 },
    /// An output failed.
    OutputFailed { output: OutputId, reason: String, retry_in_ms: Option<u64> },
    /// An ingest fell silent; the encoder keeps going.
    OutputSilent { output: OutputId },
    /// It is back.
    OutputHealed { output: OutputId },
    /// The first ingest does not take us back yet; the standby stays on air.
    ReturnFailed { output: OutputId, reason: String, retry_in_ms: Option<u64> },
    /// A recording began a file.
    FileBegun { output: OutputId, file: String },
    /// An output goes on, but somebody should know.
    OutputWarned { output: OutputId, reason: String },
    /// An output is off the air, in order.
    OutputStopped { output: OutputId },
    /// A segment of the rundown began.
    SegmentBegan { number: u32, of: u32, title: String, length_s: u32 },
    /// What is to be thought of an output or a monitor has changed.
    Judged { about: Subject, grade: Grade, words: String },
    /// A monitor sees the show.
    MonitorUp { monitor: MonitorId },
    /// A monitor sees nothing, and tries again.
    MonitorLost { monitor: MonitorId, reason: String },
    /// Claims are new, or have changed.
    ClaimsChanged { claims: Vec<ClaimNews> },
    /// A poll began.
    PollOpened { labels: Vec<String> },
    /// A poll was closed, with the votes for each of its choices.
    PollClosed { labels: Vec<String>, votes: Vec<u64> },
    /// An act of moderation, or its outcome.
    ChatModerated {
        chat: SourceId,
        act: ActId,
        what: What,
        by_rule: bool,
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// What became of a line that was said.
    ChatSent { chat: SourceId, line: LineId, status: send::Status },
    /// What was asked of the chat was not done.
    ChatRefused { request: String, why: String },
    /// A chat source is read.
    ChatUp { chat: SourceId },
    /// A chat source is not read; it is tried again, or it needs somebody.
    ChatLost { chat: SourceId, reason: String, retry_in_ms: Option<u64> },
    /// An alarm began.
    AlarmRaised { alarm: AlarmId, about: Subject, severity: Severity, words: String },
    /// An alarm is over.
    AlarmCleared { alarm: AlarmId, about: Subject, lasted_ms: u64 },
    /// More alarms began at once than can be told one by one.
    AlarmsFolded { alarms: BTreeMap<AlarmId, u32>, severity: Severity },
    /// All that were told together are over.
    AlarmsCalm { count: u32 },
    /// Somebody has seen alarms.
    AlarmsAcknowledged { alarm: Option<AlarmId>, count: u32 },
    /// Somebody who was to be told of an alarm was not.
    HookFailed { alarm: AlarmId, reason: String },
    /// The operator noted that something happened.
    Marked { note: Option<String> },
    /// The show is not being kept, or not whole; it goes on.
    StoreFailed { reason: String },
    /// It is being kept again.
    StoreBack { missing: Option<String> },
    /// This machine or this process did not run for a while.
    MachinePaused { ms: u64, suspended: bool },
    /// Consoles came or went.
    ConsolesChanged { attached: u32 },
    /// The show is being ended.
    Ending { why: Ending },
    /// The show is over.
    ShowEnded { why: Ending, exit_code: u8 },
}

/// An ingest, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distance {
    /// As the operator may see it.
    pub to: String,
    /// One round trip, in milliseconds; `None` for one that gave no good answer in time.
    pub rtt_ms: Option<u32>,
}

/// The nearest, and what stands by.
fn nearest(order: &[Distance]) -> String {
    let far = |d: &Distance| match d.rtt_ms {
        Some(ms) => format!("({ms} ms)"),
        None => "(no answer)".into(),
    };
    let standby = |d: &Distance| format!(", {} stands by {}", d.to, far(d));
    match order.split_first() {
        Some((first, others)) if first.rtt_ms.is_some() => {
            let others: String = others.iter().map(standby).collect();
            format!("{} is nearest {}{others}", first.to, far(first))
        }
        _ => "no ingest answered the probe in time; they are tried as they are listed".into(),
    }
}

impl Happening {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::OutputFailed { .. } | Self::OutputSilent { .. } | Self::ProgramFailed { .. } => {
                Severity::Critical
            }
            Self::AlarmRaised { severity, .. } | Self::AlarmsFolded { severity, .. } => *severity,
            Self::InputFailed { .. }
            | Self::HookFailed { .. }
            | Self::Marked { .. }
            | Self::MonitorLost { .. }
            | Self::ChatLost { .. }
            | Self::ChatRefused { .. }
            | Self::ChatModerated { outcome: Outcome::Failed { .. }, .. }
            | Self::ChatSent {
                status: send::Status::Dropped { .. } | send::Status::Failed(_),
                ..
            }
            | Self::OutputWarned { .. }
            | Self::Panicked
            | Self::StoreFailed { .. }
            | Self::MachinePaused { .. }
            | Self::PictureStepped { .. }
            | Self::EffortStepped { lowered: true, .. }
            | Self::OutputPicture { on: false, .. } => Severity::Warning,
            Self::OutputProbed { order, .. } => match order.first() {
                Some(Distance { rtt_ms: Some(_), .. }) => Severity::Info,
                _ => Severity::Warning,
            },
            _ => Severity::Info,
        }
    }

    /// One sentence for the operator.
    pub fn sentence(&self) -> String {
        let again = |ms: &Option<u64>| match ms {
            Some(ms) if *ms < 1000 => format!("; trying again in {ms} ms"),
            Some(ms) => format!("; trying again in {:.1} s", *ms as f64 / 1000.0),
            None => String::new(),
        };
        let s = |t: &Transition| {
            if t.ms == 0 {
                t.kind.name().to_owned()
            } else {
                format!("{} {} ms", t.kind.name(), t.ms)
            }
        };
        match self {
            Self::ShowStarted { title, mode } => match mode {
                super::spec::Mode::Rehearse => format!("rehearsing '{title}'"),
                super::spec::Mode::Live => format!("'{title}' is starting"),
            },
            Self::Previewed { scene } => format!("{scene} on preview"),
            Self::Taken { scene, transition } => format!("{scene} on program ({})", s(transition)),
            Self::TransitionSet { transition } => format!("transition: {}", s(transition)),
            Self::Panicked => "PANIC: the slate is on, the sound is off".into(),
            Self::Resumed => "the program is back".into(),
            Self::Muted { input } => format!("{input} is muted"),
            Self::Unmuted { input } => format!("{input} is heard again"),
            Self::GainSet { input, db } => format!("{input} gain {db}"),
            Self::InputStarted { input, attempt: 1 } => format!("{input} is starting"),
            Self::InputStarted { input, attempt } => {
                format!("{input} is starting, attempt {attempt}")
            }
            Self::InputUp { input, format } => format!("{input} is up: {format}"),
            Self::InputFailed { input, reason, retry_in_ms } => {
                format!("{input} failed: {reason}{}", again(retry_in_ms))
            }
            Self::InputEnded { input } => format!("{input} played to its end"),
            Self::EncoderUp { encoder, hardware } => {
                format!("encoding with {encoder}{}", if *hardware { " (hardware)" } else { "" })
            }
            Self::ProgramFailed { reason } => format!("the program pipeline broke: {reason}"),
            Self::PictureStepped { profile, picture, rate } => {
                let of = profile.as_ref().map_or_else(String::new, |name| format!(" by '{name}'"));
                format!("the picture{of} is {picture} now: the link has {rate} for it")
            }
            Self::EffortStepped { profile, effort, lowered, load_percent } => {
                let of = profile.as_ref().map_or_else(String::new, |name| format!(" by '{name}'"));
                let took = load_percent.map_or_else(
                    || "frames were left out".to_owned(),
                    |percent| format!("a frame took {percent} % of its time"),
                );
                let why = if *lowered { "is too busy" } else { "has time again" };
                format!("this machine {why} ({took}): encoding{of} with {effort}")
            }
            Self::OutputPicture { output, on: false } => {
                format!("{output}: the link carries hardly anything; the sound goes alone")
            }
            Self::OutputPicture { output, on: true } => {
                format!("{output}: the picture is sent again")
            }
            Self::StageUp { viewer_url, link: None } => format!("watch at {viewer_url}"),
            Self::StageUp { viewer_url, link: Some(link) } => {
                format!("watch at {viewer_url}, as if over {link}")
            }
            Self::OutputAdded { output, to } => {
                format!("{output} is there now, and off: go-live {output} starts it at {to}")
            }
            Self::OutputProbing { output } => format!("{output}: looking for the nearest ingest"),
            Self::OutputProbed { output, order } => format!("{output}: {}", nearest(order)),
            // A server is named by its host; what is a path is the folder of a recording.
            Self::OutputConnecting { output, to, .. } if is_folder(to) => {
                format!("{output} is opening {to}")
            }
            Self::OutputLive { output, to, .. } if is_folder(to) => {
                format!("{output} is recording to {to}")
            }
            Self::OutputConnecting { output, to, attempt: 1 } => {
                format!("{output} is connecting to {to}")
            }
            Self::OutputConnecting { output, to, attempt } => {
                format!("{output} is connecting to {to}, attempt {attempt}")
            }
            Self::OutputLive { output, to, connect_ms } => {
                format!("{output} is ON AIR at {to} ({connect_ms} ms to connect)")
            }
            Self::OutputFailed { output, reason, retry_in_ms } => {
                format!("{output} failed: {reason}{}", again(retry_in_ms))
            }
            Self::OutputSilent { output } => {
                format!("{output}: the ingest has fallen silent; it may heal")
            }
            Self::OutputHealed { output } => format!("{output}: the ingest is back"),
            Self::ReturnFailed { output, reason, retry_in_ms } => {
                format!("{output} stays with its standby: {reason}{}", again(retry_in_ms))
            }
            Self::FileBegun { output, file } => format!("{output} writes {file}"),
            Self::OutputWarned { output, reason } => format!("{output}: {reason}"),
            Self::OutputStopped { output } => format!("{output} is off the air"),
            Self::SegmentBegan { number, of, title, length_s } => {
                format!("segment {number} of {of}: {title} ({})", minutes(*length_s))
            }
            Self::Judged { about, words, .. } => format!("{}: {words}", about.words()),
            Self::MonitorUp { monitor } => format!("monitor {monitor} sees the show"),
            Self::MonitorLost { monitor, reason } => {
                format!("monitor {monitor} sees nothing: {reason}; it tries again")
            }
            Self::ClaimsChanged { claims } => chat_words::claims(claims),
            Self::PollOpened { labels } => format!("poll: {}", labels.join(", ")),
            Self::PollClosed { labels, votes } => chat_words::poll(labels, votes),
            Self::ChatModerated { chat, act, what, by_rule, outcome } => {
                chat_words::moderated(chat, *act, *what, *by_rule, outcome)
            }
            Self::ChatSent { chat, line, status } => chat_words::sent(chat, *line, status),
            Self::ChatRefused { request, why } => format!("{request}: {why}"),
            Self::ChatUp { chat } => format!("chat {chat} is read"),
            Self::ChatLost { chat, reason, retry_in_ms: Some(ms) } => {
                format!("chat {chat} is not read: {reason}; again in {:.1} s", *ms as f64 / 1000.0)
            }
            Self::ChatLost { chat, reason, retry_in_ms: None } => {
                format!("chat {chat} is not read: {reason}")
            }
            Self::AlarmRaised { alarm, about, severity, words } => {
                format!("{} '{alarm}': {}: {words}", weight(*severity), about.words())
            }
            Self::AlarmCleared { alarm, about, lasted_ms } => format!(
                "over: '{alarm}' of {}, after {:.1} s",
                about.words(),
                *lasted_ms as f64 / 1000.0
            ),
            Self::AlarmsFolded { alarms, severity } => {
                let count: u32 = alarms.values().sum();
                format!("{}: {count} more at once: {}", weight(*severity), counted(alarms))
            }
            Self::AlarmsCalm { count } => format!("all {count} alarms told together are over"),
            Self::AlarmsAcknowledged { alarm: None, count: 1 } => {
                "one alarm is acknowledged".into()
            }
            Self::AlarmsAcknowledged { alarm: None, count } => {
                format!("{count} alarms are acknowledged")
            }
            Self::AlarmsAcknowledged { alarm: Some(alarm), .. } => {
                format!("the alarm '{alarm}' is acknowledged")
            }
            Self::HookFailed { alarm, reason } => {
                format!("not everybody was told of the alarm '{alarm}': {reason}")
            }
            Self::Marked { note: None } => "marked by the operator".into(),
            Self::Marked { note: Some(note) } => format!("marked by the operator: {note}"),
            Self::StoreFailed { reason } => reason.clone(),
            Self::StoreBack { missing: None } => {
                "the show is kept again, and nothing is missing".into()
            }
            Self::StoreBack { missing: Some(missing) } => {
                format!("the show is kept again; missing: {missing}")
            }
            Self::MachinePaused { ms, suspended } => {
                let why = if *suspended {
                    "it was suspended"
                } else {
                    "hawker was stopped, or was not scheduled"
                };
                format!(
                    "this machine was paused for {:.1} s ({why}): viewers saw nothing meanwhile",
                    *ms as f64 / 1000.0
                )
            }
            Self::ConsolesChanged { attached } => match attached {
                0 => "no console is attached; the show goes on".into(),
                1 => "one console is attached".into(),
                n => format!("{n} consoles are attached"),
            },
            Self::Ending { why } => format!("ending: {}", why.words()),
            Self::ShowEnded { why, .. } => format!("the show is over: {}", why.words()),
        }
    }
}

/// A length as people say it: `5 min`, `90 s`.
fn minutes(seconds: u32) -> String {
    if seconds.is_multiple_of(60) {
        format!("{} min", seconds / 60)
    } else {
        format!("{seconds} s")
    }
}

fn is_folder(to: &str) -> bool {
    std::path::Path::new(to).is_absolute()
}

/// What somebody outside is told of alarms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Which, and how many of each.
    pub alarms: BTreeMap<AlarmId, u32>,
    /// What became of them.
    pub state: AlertState,
    /// How much it matters.
    pub severity: Severity,
    /// About whom; `None` for several together.
    pub about: Option<Subject>,
    /// In words.
    pub sentence: String,
    /// The show's title.
    pub title: String,
    /// For an audience, or not.
    pub mode: super::spec::Mode,
    /// When, UTC.
    pub at: jiff::Timestamp,
}

/// What became of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// It began.
    Raised,
    /// It is over.
    Cleared,
    /// Many began at once.
    Storm,
}

impl AlertState {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
            Self::Storm => "storm",
        }
    }
}

/// An order to an adapter.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Start an input (or start it anew).
    StartInput(InputSpec),
    /// Show this on program, by this transition, from the next frame on.
    Take {
        /// What.
        to: Arc<Composition>,
        /// How.
        transition: Transition,
    },
    /// Show this on preview.
    Preview(Arc<Composition>),
    /// Slate on and silence, or back.
    Slate(bool),
    /// Set an input's sound.
    Sound {
        /// Which.
        input: InputId,
        /// Its gain.
        gain: Db,
        /// Whether it is silent.
        muted: bool,
    },
    /// Start the stage.
    StartStage,
    /// Find out how far each ingest of an output is. `Fact::Probed` follows.
    Probe(OutputSpec),
    /// Open a session to an output, beside the one that may be there.
    Publish {
        /// The output.
        output: OutputSpec,
        /// Which of its ingests.
        way: usize,
        /// The session's number, for its facts and for `Retire`.
        session: u32,
    },
    /// Let one session of an output go, another has its place: DELETE, then tear down. No fact follows.
    Retire {
        /// The output.
        output: OutputId,
        /// The session.
        session: u32,
    },
    /// Take an output off the air, all its sessions: DELETE, then tear down.
    Unpublish(OutputId),
    /// Begin a new file of a recording at the next key frame. `Fact::FileBegun` follows.
    Split(OutputId),
    /// Ask that of the chat. `Fact::ChatNews` follows.
    Chat(Request),
    /// Begin to watch, if it does not already. `Fact::MonitorUp` follows, or `Fact::MonitorLost`.
    Watch(MonitorSpec),
    /// Watch no more.
    Unwatch(MonitorId),
    /// Tell those who are to be told of an alarm.
    Alert(Box<Alert>),
    /// Tear everything down and end the engine with this exit code.
    Finish {
        /// 0, 3, 4 or 130.
        exit_code: u8,
    },
}
