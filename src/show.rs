//! Floor 3: the pure core. The whole truth of a show is one cloneable value; commands and facts go in,
//! events and effects come out. No media, no socket, no clock: the same inputs give the same events.

pub mod command;
pub mod event;
pub mod fact;
pub mod handle;
pub mod registry;
pub mod replay;
pub mod spec;
pub mod state;

pub use command::Command;
pub use event::{Effect, Event, Happening};
pub use fact::{Fact, FailureKind};
pub use handle::{Input, Outcome, Start};
pub use registry::{Refusal, Risk};
pub use spec::{
    Container, Hears, IceServerSpec, IceSpec, IngestSpec, InputKind, InputSpec, Mode, OutputSpec,
    Pick, Profile, RecordSpec, RtmpSpec, Rung, SceneSpec, ShowSpec, SrtSpec, Target, VideoCodec,
    WhipSpec,
};
pub use state::{Ending, InputState, InputStatus, OutputState, OutputStatus, Phase, Show};
