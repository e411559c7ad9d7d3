//! Floor 5: the engine. It joins the pure core and the adapters, keeps the journal, and outlives every face.

pub mod adapters;
pub mod clock;
pub mod destination;
pub mod faces;
pub mod folder;
pub mod handle;
pub mod hooks;
pub mod journal;
pub mod judges;
pub mod kept;
pub mod lines;
pub mod metrics;
pub mod monitor;
pub mod outlet;
pub mod output;
pub mod paths;
pub mod probe;
pub mod process;
pub mod reach;
pub mod report;
pub mod run;
pub mod signals;
pub mod socket;
pub mod studio;
pub mod warmth;
pub mod wire;

pub use adapters::{Adapters, Factory, Making, StartError};
pub use clock::Clock;
pub use faces::Faces;
pub use folder::ShowFolder;
pub use handle::{Handle, Look};
pub use journal::Journal;
pub use run::{Engine, Over, Plan};
pub use signals::Signals;
pub use socket::Socket;
