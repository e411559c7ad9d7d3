//! Floor 0: the words everything else is said in. No clock, no thread, no I/O.

pub mod clock;
pub mod environment;
pub mod id;
pub mod mask;
pub mod ring;
pub mod secret;
pub mod severity;
pub mod text;
pub mod units;

pub use clock::{Moment, Now};
pub use environment::CHILD_ENVIRONMENT;
pub use id::{AlarmId, InputId, MonitorId, NameError, OutputId, SceneId, SourceId};
pub use ring::Ring;
pub use secret::{Secret, SecretRef};
pub use severity::Severity;
pub use units::{Canvas, Db, Kbps};
