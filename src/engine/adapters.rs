//! What the engine asks of the adapters, whatever they are: the seam between the loop and the machinery.
//! It names no machinery.

use std::{future::Future, pin::Pin, sync::Arc};

use tokio::sync::{mpsc, watch};

use super::{Clock, handle::Look};
use crate::{
    show::{Effect, Fact, Mode, OutputSpec, ShowSpec},
    stats::{Meters, Picture, Report},
};

/// Everything the engine gives orders to.
pub trait Adapters: Send {
    /// Carries out an order. Does not block; what becomes of it comes back as facts.
    fn order(&mut self, effect: Effect);
    /// There is one more output; its addresses in full, which the core does not know. Nothing is started.
    fn learn(&mut self, output: OutputSpec);
    /// Fills in everything that moves; called ten times a second at most.
    fn read_meters(&mut self, meters: &mut Meters);
    /// Makes pictures of about that size, the largest that any face wishes; `None` is no pictures.
    fn look(&mut self, look: Option<Look>);
    /// Where the pictures come.
    fn picture(&self) -> watch::Receiver<Option<Arc<Picture>>>;
    /// Fills in what only the adapters know: monitor, frames, loudness, figures of each output.
    fn fill_report(&mut self, report: &mut Report);
    /// Tears everything down, within three seconds.
    fn finish(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// What the adapters are made from.
#[derive(Debug)]
pub struct Making {
    /// Where facts go; bounded. A report that must not be lost waits for room, never in a media thread.
    pub facts: mpsc::Sender<Fact>,
    /// The engine's clock: moments of the adapters and of the core can be compared.
    pub clock: Clock,
    /// The show.
    pub spec: Arc<ShowSpec>,
    /// For an audience or not.
    pub mode: Mode,
}

/// Makes the adapters, inside the engine's runtime.
pub type Factory = Box<dyn FnOnce(Making) -> Result<Box<dyn Adapters>, StartError> + Send>;

/// Why an engine could not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct StartError {
    /// What, why, and what to do next.
    pub text: String,
    /// 2 for a bad configuration, 3 when the show could not go live.
    pub exit_code: u8,
}
