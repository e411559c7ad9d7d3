//! Floor 3: the pure core. The whole truth of a show is one cloneable value; commands and facts go in,
//! events and effects come out. No media, no socket, no clock: the same inputs give the same events.

pub mod alarms;
pub mod command;
pub mod event;
pub mod fact;
pub mod folding;
pub mod handle;
pub mod registry;
pub mod replay;
pub mod spec;
pub mod state;

pub use alarms::{AlarmState, Alarms};
pub use command::Command;
pub use event::{Alert, AlertState, Effect, Event, Happening};
pub use fact::{Fact, FailureKind};
pub use folding::{Folded, Folding, Told};
pub use handle::{Input, Outcome, Start};
pub use registry::{Refusal, Risk};
pub use spec::{
    AlarmSpec, Container, EncoderEffort, Hears, IceServerSpec, IceSpec, IngestSpec, InputKind,
    InputSpec, Mode, MonitorSpec, OutputSpec, Pick, Profile, RecordSpec, RtmpSpec, Rung, SceneSpec,
    SegmentSpec, ShowSpec, SrtSpec, Target, VideoCodec, Webhook, WebhookTo, WhipSpec,
};
pub use state::{Ending, InputState, InputStatus, OutputState, OutputStatus, Phase, Segment, Show};
