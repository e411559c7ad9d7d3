//! The whole truth of a show, at one moment. Cloneable, serialisable, without a handle to anything.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    alarms::Alarms,
    command::Command,
    event::Effect,
    spec::{InputSpec, Mode, OutputSpec, ShowSpec, Target},
};
use crate::{
    base::{Canvas, Db, InputId, Moment, OutputId, SceneId},
    scene::{Transition, TransitionKind},
};

/// Where the show is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Made, not begun.
    New,
    /// Running: on the stage, on air, or waiting to go.
    Running,
    /// Outputs are being taken off the air.
    Ending,
    /// Over.
    Ended,
}

/// Why a show ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The operator ended it.
    Asked,
    /// Its time was up.
    TimeUp,
    /// A signal.
    Interrupted,
    /// No output could be brought on air, and none can without a change.
    CannotGoLive,
    /// What was on air fell off, and cannot be brought back without a change.
    FellOff,
    /// There are only recordings, and none could be begun.
    CannotRecord,
    /// A recording ran and broke off; nothing else runs or can be started without a change.
    RecordingBroke,
}

impl Ending {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Asked => "ended by the operator",
            Self::TimeUp => "its time was up",
            Self::Interrupted => "interrupted",
            Self::CannotGoLive => "it could not go live",
            Self::FellOff => "it fell off the air",
            Self::CannotRecord => "nothing could be recorded",
            Self::RecordingBroke => "the recording broke off",
        }
    }
}

/// What an input is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum InputStatus {
    /// Ordered to start.
    Starting,
    /// Giving.
    Up {
        /// What it gives, for the eye.
        format: String,
        /// Since when.
        since: Moment,
    },
    /// Down: its slate is on.
    Failed {
        /// Why.
        reason: String,
        /// When it is tried again; `None` is when the operator says so.
        retry_at: Option<Moment>,
    },
    /// Played once to its end.
    Ended,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputState {
    /// What it is.
    pub spec: InputSpec,
    /// What it is doing.
    pub status: InputStatus,
    /// Tries since it last held.
    pub attempt: u32,
    /// Failures so far.
    pub faults: u32,
    /// Why it failed last.
    pub last_fault: Option<String>,
    /// Its gain now.
    pub gain: Db,
    /// Whether it is silent.
    pub muted: bool,
}

/// What an output is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum OutputStatus {
    /// Off.
    Idle,
    /// The nearest of its ingests is being looked for.
    Probing {
        /// Not longer than until then.
        by: Moment,
    },
    /// Being brought on air.
    Connecting,
    /// On air.
    Live {
        /// Since when.
        since: Moment,
        /// Since when its ingest has been silent; `None` while it is heard.
        silent: Option<Moment>,
    },
    /// Fell off, or could not get on; tried again by itself.
    Retrying {
        /// Why.
        reason: String,
        /// When.
        retry_at: Moment,
    },
    /// It cannot work until somebody changes something.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// Being taken off the air.
    Stopping,
}

/// A further session of an output that is on air, to take the place of the present one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// Which of the output's ingests it goes to.
    pub way: usize,
    /// Its number, while it is being opened.
    pub session: Option<u32>,
    /// When it is tried (again); `None` while it is being opened, and when only the operator can help.
    pub at: Option<Moment>,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputState {
    /// What it is.
    pub spec: OutputSpec,
    /// What it is doing.
    pub status: OutputStatus,
    /// Tries since it was last on air for a while.
    pub attempt: u32,
    /// Whether it has ever been on air.
    pub was_live: bool,
    /// How long the first connection took, in ms.
    pub connect_ms: Option<u32>,
    /// How often it was connected anew.
    pub reconnects: u32,
    /// Since when it should have been on air and is not.
    pub down_since: Option<Moment>,
    /// Time it should have been on air and was not, in ms.
    pub down_ms: u64,
    /// Time on air, in ms, without the current stretch.
    pub on_air_ms: u64,
    /// Why it failed last.
    pub last_failure: Option<String>,
    /// Which of its ingests is tried or used, from 0.
    pub way: usize,
    /// Its ingests in the order in which they are tried: the first, then those that stand by.
    pub order: Vec<usize>,
    /// The session that the status speaks of.
    pub session: u32,
    /// Its path carries too little for a picture.
    pub sound_only: bool,
    /// A session that is to take its place.
    pub renewal: Option<Renewal>,
    /// Returns to the first ingest in a row that came to nothing: it did not take us, or did not keep us.
    pub(super) returns: u32,
    /// Sessions ordered so far.
    pub(super) sessions: u32,
    /// Since when the present ingest has been in trouble.
    pub(super) trouble: Option<Moment>,
    /// The ingests that refused us since it was last on air.
    pub(super) refused: BTreeSet<usize>,
}

impl OutputState {
    pub(super) fn new(spec: OutputSpec) -> Self {
        Self {
            order: (0..spec.target.ways()).collect(),
            spec,
            status: OutputStatus::Idle,
            attempt: 0,
            was_live: false,
            connect_ms: None,
            reconnects: 0,
            down_since: None,
            down_ms: 0,
            on_air_ms: 0,
            last_failure: None,
            way: 0,
            session: 0,
            sound_only: false,
            renewal: None,
            returns: 0,
            sessions: 0,
            trouble: None,
            refused: BTreeSet::new(),
        }
    }

    /// Where it goes now, as far as the operator may see it.
    pub fn shown(&self) -> String {
        self.spec.target.shown(self.way)
    }

    /// Whether its ingest has fallen silent.
    pub const fn is_silent(&self) -> bool {
        matches!(self.status, OutputStatus::Live { silent: Some(_), .. })
    }

    /// On air now.
    pub const fn is_live(&self) -> bool {
        matches!(self.status, OutputStatus::Live { .. })
    }
}

/// The segment that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Which of the rundown, from 0.
    pub index: usize,
    /// Since when.
    pub since: Moment,
}

/// The show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Show {
    /// What it is made of.
    pub spec: ShowSpec,
    /// For an audience or not.
    pub mode: Mode,
    /// Where it is in its life.
    pub phase: Phase,
    /// When it began.
    pub started: Moment,
    /// When it ends by itself.
    pub ends_at: Option<Moment>,
    /// Nobody is at a console: a refusal ends the show instead of asking.
    pub headless: bool,
    /// The scene on program.
    pub program: SceneId,
    /// The scene on preview.
    pub preview: SceneId,
    /// The transition of the next take.
    pub transition: Transition,
    /// The slate is on.
    pub panic: bool,
    /// Every input.
    pub inputs: Vec<InputState>,
    /// Every output.
    pub outputs: Vec<OutputState>,
    /// The encoder that runs.
    pub encoder: Option<String>,
    /// What is encoded, once it was not the profile's canvas.
    pub picture: Option<Canvas>,
    /// The segment of the rundown that runs; `None` before the show is on air, and without a rundown.
    #[serde(default)]
    pub segment: Option<Segment>,
    /// The alarms that are open.
    #[serde(default)]
    pub alarms: Alarms,
    /// Where a browser watches the stage.
    pub viewer_url: Option<String>,
    /// Consoles attached.
    pub consoles: u32,
    /// Why it ends, once it does.
    pub ending: Option<Ending>,
    /// When an ending that hangs is cut short.
    pub(super) ending_by: Option<Moment>,
    /// Number of the last event.
    pub(super) seq: u64,
    /// Spreads the retries of many shows that lost the same ingest at the same time.
    pub(super) spread: u64,
}

impl Show {
    /// A show that has not begun. `spec` has at least one scene (`config` sees to it).
    pub fn new(spec: ShowSpec, mode: Mode) -> Self {
        let first = spec.scenes.first().map(|s| s.id.clone());
        let second = spec.scenes.get(1).map(|s| s.id.clone());
        let nowhere = || "none".parse().unwrap_or_else(|_| unreachable!("'none' is a name"));
        let program = first.unwrap_or_else(nowhere);
        Self {
            mode,
            phase: Phase::New,
            started: Moment::default(),
            ends_at: None,
            headless: false,
            preview: second.unwrap_or_else(|| program.clone()),
            program,
            transition: Transition { kind: TransitionKind::Fade, ms: 300 },
            panic: false,
            inputs: spec
                .inputs
                .iter()
                .map(|i| InputState {
                    spec: i.clone(),
                    status: InputStatus::Starting,
                    attempt: 0,
                    faults: 0,
                    last_fault: None,
                    gain: i.gain,
                    muted: i.muted,
                })
                .collect(),
            outputs: spec.outputs.iter().cloned().map(OutputState::new).collect(),
            encoder: None,
            picture: None,
            segment: None,
            alarms: Alarms::default(),
            viewer_url: None,
            consoles: 0,
            ending: None,
            ending_by: None,
            seq: 0,
            spread: 0,
            spec,
        }
    }

    /// The input of that name.
    pub fn input(&self, id: &InputId) -> Option<&InputState> {
        self.inputs.iter().find(|i| i.spec.id == *id)
    }

    /// The output that is our own stage.
    pub fn stage(&self) -> Option<&OutputState> {
        self.outputs.iter().find(|o| o.spec.target == Target::Stage)
    }

    /// The output of that name.
    pub fn output(&self, id: &OutputId) -> Option<&OutputState> {
        self.outputs.iter().find(|o| o.spec.id == *id)
    }

    /// Whether anything is on air. A recording is not: it has no audience.
    pub fn on_air(&self) -> bool {
        self.outputs.iter().any(|o| !o.spec.target.is_recording() && o.is_live())
    }

    /// The outputs that have an audience; all of them where there are only recordings.
    pub(super) fn aired(&self) -> impl Iterator<Item = &OutputState> {
        let only_records = self.only_records();
        self.outputs.iter().filter(move |o| only_records || !o.spec.target.is_recording())
    }

    /// Whether there are only recordings.
    pub(super) fn only_records(&self) -> bool {
        self.outputs.iter().all(|o| o.spec.target.is_recording())
    }

    /// The recordings that run: that one, or all.
    pub(super) fn recordings(
        &self,
        which: Option<&OutputId>,
    ) -> impl Iterator<Item = &OutputState> {
        let records = |o: &OutputState| o.is_live() && o.spec.target.is_recording();
        self.outputs.iter().filter(move |o| which.is_none_or(|id| *id == o.spec.id) && records(o))
    }

    /// The exit code if the show ended now for that reason.
    pub fn exit_code(&self, why: Ending) -> u8 {
        // An output counts against the show while it should be on air and is not: the operator
        // switching it off is as planned.
        let down = self.aired().filter(|o| o.down_since.is_some());
        match why {
            Ending::Interrupted => 130,
            Ending::CannotGoLive | Ending::CannotRecord => 3,
            Ending::FellOff => 4,
            // A show with outputs that have an audience, none of which was ever on air, could not go live.
            Ending::RecordingBroke => {
                if self.only_records() {
                    4
                } else {
                    3
                }
            }
            Ending::Asked | Ending::TimeUp => {
                let code = |o: &OutputState| if o.was_live { 4 } else { 3 };
                down.map(code).min().unwrap_or(0)
            }
        }
    }

    /// What a console may do now, and why not otherwise.
    pub fn allows(&self, command: &Command) -> Result<(), super::Refusal> {
        super::handle::allows(self, command)
    }

    /// The effects that would bring a fresh set of adapters to this state.
    pub(super) fn scene_effect(&self, scene: &SceneId, transition: Transition) -> Option<Effect> {
        let scene = self.spec.scene(scene)?;
        Some(Effect::Take { to: self.spec.compose(scene), transition })
    }
}
