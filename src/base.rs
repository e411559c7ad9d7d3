//! Floor 0: the words everything else is said in. No clock, no thread, no I/O.

pub mod clock;
pub mod id;
pub mod ring;
pub mod secret;
pub mod severity;
pub mod text;
pub mod units;

pub use clock::{Moment, Now};
pub use id::{InputId, NameError, OutputId, SceneId};
pub use ring::Ring;
pub use secret::{Secret, SecretRef};
pub use severity::Severity;
pub use units::{Canvas, Db, Kbps};
