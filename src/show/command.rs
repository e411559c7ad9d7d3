//! What an operator can ask for: one command per intention, imperative. `registry` holds a row for each.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    registry,
    spec::{OutputSpec, Profile, Target},
};
use crate::{
    base::{AlarmId, Db, InputId, OutputId, SceneId},
    chat::control::Request,
    scene::{Transition, TransitionKind},
};

/// An intention of the operator. As JSON: `{"command": "cut-to", "scene": "table"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "kebab-case", tag = "command", deny_unknown_fields)]
pub enum Command {
    /// Put a scene on preview.
    Preview {
        /// Which.
        scene: SceneId,
    },
    /// Put a scene on program at the next frame.
    CutTo {
        /// Which.
        scene: SceneId,
    },
    /// Put the preview on program by the chosen transition; what was on program goes to preview.
    TakePreview,
    /// Choose the transition that the next take uses.
    SetTransition {
        /// How.
        kind: TransitionKind,
        /// For how long, 0-10,000 ms.
        ms: u32,
    },
    /// Show the slate and be silent, at the next frame.
    Panic,
    /// Back from the slate to the program.
    Resume,
    /// Silence an input.
    Mute {
        /// Which.
        input: InputId,
    },
    /// Hear an input again.
    Unmute {
        /// Which.
        input: InputId,
    },
    /// Set an input's gain, -60 to +20 dB.
    SetGain {
        /// Which.
        input: InputId,
        /// How much.
        db: Db,
    },
    /// Start an input anew, without waiting for its next try.
    RestartInput {
        /// Which.
        input: InputId,
    },
    /// Put one more output beside the others. It is off until it is told to go live.
    AddOutput {
        /// Its name, not one that there is.
        output: OutputId,
        /// Where it goes.
        to: Target,
        /// How it is encoded, where that is not the show's own way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<Box<Profile>>,
    },
    /// Start publishing: one output, or all that are off.
    GoLive {
        /// Which; `None` is all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<OutputId>,
    },
    /// Stop publishing: one output, or all. The show goes on without them.
    StopOutput {
        /// Which; `None` is all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<OutputId>,
    },
    /// Begin a new file: one recording, or all that are being written. No frame is lost between the two.
    Split {
        /// Which; `None` is all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<OutputId>,
    },
    /// Begin the next segment of the rundown.
    NextSegment,
    /// Begin that segment of the rundown, now or again.
    BeginSegment {
        /// Which, counted from 1.
        number: u32,
    },
    /// Say that an alarm has been seen: all of that name, or all there are. They stay open until they clear.
    Acknowledge {
        /// Which; `None` is all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alarm: Option<AlarmId>,
    },
    /// Note that something happened now, for the report.
    Mark {
        /// What, in at most 200 characters; the rest is cut.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Ask something of the chat. Its form in JSON is the request's own.
    #[serde(skip)]
    Chat(Request),
    /// End the show: every output is taken off the air in order, then the engine ends.
    EndShow,
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Chat(request) => request.serialize(serializer),
            other => Self::serialize(other, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Looked at as a whole first, so that an error speaks of the command that was meant.
        let value = serde_json::Value::deserialize(deserializer)?;
        let name = value.get("command").and_then(|name| name.as_str()).unwrap_or_default();
        if registry::is_of_chat(name) {
            return Request::deserialize(value).map(Self::Chat).map_err(D::Error::custom);
        }
        Self::deserialize(value).map_err(D::Error::custom)
    }
}

impl Command {
    /// The same for a journal, and the output that it adds in full: addresses end at host and port there.
    #[must_use]
    pub fn parted(self) -> (Self, Option<OutputSpec>) {
        let Self::AddOutput { output: id, to: target, profile } = self else { return (self, None) };
        let full = OutputSpec { id, target, profile };
        (Self::add(full.clone().without_secrets()), Some(full))
    }

    /// The order to put that output beside the others.
    pub fn add(output: OutputSpec) -> Self {
        let OutputSpec { id, target, profile } = output;
        Self::AddOutput { output: id, to: target, profile }
    }

    /// The transition a `SetTransition` asks for, in bounds.
    pub const fn transition(kind: TransitionKind, ms: u32) -> Transition {
        let ms = if ms > 10_000 { 10_000 } else { ms };
        Transition { kind, ms }
    }
}
