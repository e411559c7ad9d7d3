//! Hands what happens in a show, and its figures once a second, to the store. Whatever becomes of the store, the
//! loop goes on: it is told by a fact.

use std::path::PathBuf;

use tokio::sync::mpsc;

use super::report::mode_name;
use crate::{
    base::{Moment, OutputId},
    show::{Event, Fact, Happening, Show},
    stats::{Meters, Report, Seconds},
    store::{ChatRows, Closing, Keeper, Limits, News, Opening, Output},
};

/// A show that is being kept.
#[derive(Debug)]
pub struct Kept {
    keeper: Keeper,
    seconds: Seconds,
    stage: Option<OutputId>,
    /// The last second that was handed over.
    last_s: Option<u64>,
}

impl Kept {
    /// Begins to keep a show that has just begun, and its chat.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        path: PathBuf,
        show: &Show,
        started: jiff::Timestamp,
        chat: Option<ChatRows>,
        facts: mpsc::Sender<Fact>,
    ) -> std::io::Result<Self> {
        let outputs = show.outputs.iter().map(|o| Output {
            name: o.spec.id.to_string(),
            goes_to: o.shown(),
            market: None,
        });
        let monitors = show.spec.monitors.iter().map(|m| Output {
            name: m.id.to_string(),
            goes_to: m.shown(),
            market: m.market.clone(),
        });
        let opening = Opening {
            started,
            title: show.spec.title.clone(),
            mode: mode_name(show.mode).to_owned(),
            profile: show.spec.profile.name.clone(),
            targets: show.spec.profile.targets(),
            outputs: outputs.collect(),
            monitors: monitors.collect(),
        };
        let stage = show.stage().map(|o| o.spec.id.clone());
        let tell = move |news: News| {
            let fact = match news {
                News::Failed(reason) => Fact::StoreFailed { reason },
                News::Back(lost) => Fact::StoreBack { missing: lost.words() },
            };
            // An engine that is gone has nobody to tell.
            let _ = facts.blocking_send(fact);
        };
        Ok(Self {
            keeper: Keeper::start(path, opening, chat, Limits::default(), Box::new(tell))?,
            seconds: Seconds::new(stage.clone()),
            stage,
            last_s: None,
        })
    }

    /// Keeps the figures, once a second.
    pub fn meters(&mut self, meters: &Meters) {
        let second = meters.at_ms / 1000;
        if self.last_s.is_none_or(|last| second > last) {
            self.last_s = Some(second);
            self.keeper.second(self.seconds.take(meters));
        }
    }

    /// Keeps an event.
    pub fn event(&mut self, at: Moment, event: &Event) {
        match &event.what {
            Happening::OutputLive { output, .. } if Some(output) == self.stage.as_ref() => {
                self.seconds.off_air(false);
            }
            Happening::OutputStopped { output } if Some(output) == self.stage.as_ref() => {
                self.seconds.off_air(true);
            }
            Happening::Ending { .. } => self.seconds.off_air(true),
            _ => {}
        }
        self.keeper.event(at, event);
    }

    /// Keeps how it ended; waits for the disk, two seconds at most.
    pub fn close(self, report: &Report) {
        self.keeper.close(Closing {
            at_ms: report.duration_ms,
            why: report.ended.clone(),
            exit_code: report.exit_code,
            report: report.clone(),
        });
    }
}
