//! The one thread of ours that an input has: it starts the pipeline, hears its bus, watches that something
//! comes, and takes it down. It touches no frame, but for stills, which it hands over again and again.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use gst::prelude::*;

use super::{RawFrame, Stopping, child::Child, deliver::Delivery, file::Loop, image::Still};
use crate::{
    media::{
        error::{MediaError, without_secrets},
        packages,
    },
    show::FailureKind,
};

/// Nothing for this long once it was up: it is dead.
const SILENT: gst::ClockTime = gst::ClockTime::from_seconds(2);
/// Nothing for this long after the start: it will not come.
const START: gst::ClockTime = gst::ClockTime::from_seconds(10);
/// A picture that is followed by none for this long is given again, if it may stand.
const STANDS: gst::ClockTime = gst::ClockTime::from_mseconds(150);
/// How often the watch looks, and gives again what stands.
const LOOK: Duration = Duration::from_millis(100);

/// What the minder is told.
#[derive(Debug)]
pub enum Note {
    /// Look whether to stop.
    Wake,
    /// The pipeline is ready to play.
    Ready,
    /// Every stream of a looping file is at its end.
    Round,
    /// The whole pipeline is at its end.
    End,
    /// It broke.
    Broke(String, FailureKind),
}

/// What a kind of input asks of its minder.
#[derive(Debug)]
pub enum Plan {
    /// Runs by itself.
    Live {
        /// How long it may take to come up.
        patience: gst::ClockTime,
    },
    /// Runs by itself, captured by a child process.
    Apart {
        /// The process.
        child: Child,
        /// How long each of its pictures stands: more than a frame where frames are rare.
        stands: gst::ClockTime,
    },
    /// Plays from when it is ready, round and round if there is a loop.
    Play {
        /// How it goes round.
        round: Option<Arc<Loop>>,
        /// How long it may take to come up.
        patience: gst::ClockTime,
    },
    /// One picture.
    Still(Arc<Still>),
}

impl Plan {
    /// A live source on this machine.
    pub const fn live() -> Self {
        Self::Live { patience: START }
    }

    /// A file on this machine.
    pub const fn play(round: Option<Arc<Loop>>) -> Self {
        Self::Play { round, patience: START }
    }
}

/// The handle on the thread.
#[derive(Debug)]
pub struct Minder {
    stop: Arc<AtomicBool>,
    wake: SyncSender<Note>,
    gone: Option<Receiver<Infallible>>,
    pipeline: gst::glib::WeakRef<gst::Pipeline>,
    delivery: Arc<Delivery>,
}

impl Minder {
    /// Starts thread and pipeline.
    pub fn start(
        name: &str,
        pipeline: gst::Pipeline,
        plan: Plan,
        delivery: Arc<Delivery>,
    ) -> Result<Self, MediaError> {
        let (wake, notes) = sync_channel(32);
        let (still_here, gone) = sync_channel::<Infallible>(1);
        let stop = Arc::new(AtomicBool::new(false));
        if let Plan::Play { round: Some(round), .. } = &plan {
            round.tell(wake.clone());
        }
        listen(&pipeline, wake.clone());
        let weak = pipeline.downgrade();
        let run = Run { pipeline, plan, delivery: delivery.clone(), notes, stop: stop.clone() };
        std::thread::Builder::new()
            .name(format!("in-{name}"))
            .spawn(move || {
                run.run();
                drop(still_here);
            })
            .map_err(|e| {
                MediaError::passing(format!("the system gives no thread for the input: {e}"))
            })?;
        Ok(Self { stop, wake, gone: Some(gone), pipeline: weak, delivery })
    }

    /// See [`super::Source::stop`].
    pub fn stop(mut self) -> Stopping {
        let gone = self.gone.take().unwrap_or_else(|| sync_channel(0).1);
        Stopping(gone)
    }

    /// See [`super::Source::pipeline`].
    pub fn pipeline(&self) -> gst::glib::WeakRef<gst::Pipeline> {
        self.pipeline.clone()
    }
}

impl Drop for Minder {
    fn drop(&mut self) {
        self.delivery.close();
        self.stop.store(true, Ordering::Release);
        // A full channel wakes it as well.
        let _ = self.wake.try_send(Note::Wake);
    }
}

/// Turns the bus into notes. The handler drops every message, so the bus never fills.
fn listen(pipeline: &gst::Pipeline, notes: SyncSender<Note>) {
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_, message| {
        use gst::MessageView;
        let note = match message.view() {
            MessageView::Eos(_) => Some(Note::End),
            MessageView::AsyncDone(_) => Some(Note::Ready),
            MessageView::Error(error) => {
                let (words, kind) = explain(error);
                Some(Note::Broke(words, kind))
            }
            MessageView::Element(element) => element
                .structure()
                .filter(|s| s.name() == "missing-plugin")
                .map(|s| Note::Broke(missing(s), FailureKind::Lasting)),
            _ => None,
        };
        if let Some(note) = note {
            // When 32 notes wait, the first of them has said enough.
            let _ = notes.try_send(note);
        }
        gst::BusSyncReply::Drop
    });
}

fn missing(structure: &gst::StructureRef) -> String {
    let what = structure.get::<String>("name").unwrap_or_else(|_| "a decoder".to_owned());
    let element = structure.get::<String>("detail").unwrap_or_default();
    let fix = if structure.get::<String>("type").is_ok_and(|t| t == "element") {
        packages::fix(&element)
    } else {
        packages::fix("avdec_h264")
    };
    format!("{what} is missing: {fix}; `hawker doctor` lists what else is")
}

/// A GStreamer error in words for people.
fn explain(error: &gst::message::Error) -> (String, FailureKind) {
    use FailureKind::{Lasting, Passing};
    let e = error.error();
    let said = without_secrets(&e.to_string());
    let said = said.trim_end_matches('.');
    let from = error.src().and_then(|src| src.downcast_ref::<gst::Element>()?.factory());
    let from = from.map(|factory| factory.name().to_string()).unwrap_or_default();
    if from == "pulsesrc" {
        let check = "check that PulseAudio or PipeWire runs";
        return (format!("the sound server went away or refused ({said}): {check}"), Passing);
    }
    // All it says of a connection that does not come about.
    if from == "souphttpsrc" && e.kind::<gst::StreamError>() == Some(gst::StreamError::Failed) {
        let check = "check the address, and that the server runs";
        return (format!("the server does not answer, or broke off: {check}"), Passing);
    }
    if let Some(kind) = e.kind::<gst::ResourceError>() {
        return match kind {
            gst::ResourceError::NotFound => {
                (format!("{said}: check the name or path, and that it is connected"), Passing)
            }
            gst::ResourceError::NotAuthorized => (
                format!("{said}: access is refused; check user name, password, permissions"),
                Lasting,
            ),
            gst::ResourceError::Busy => {
                (format!("{said}: another program uses it; close that program"), Passing)
            }
            gst::ResourceError::Seek => {
                (format!("the sender stopped and cannot go on from there ({said})"), Passing)
            }
            gst::ResourceError::OpenRead
            | gst::ResourceError::OpenReadWrite
            | gst::ResourceError::Read => {
                (format!("{said}: check the address, and that it is there and sends"), Passing)
            }
            _ => (said.to_owned(), Passing),
        };
    }
    if let Some(kind) = e.kind::<gst::StreamError>() {
        return match kind {
            gst::StreamError::TypeNotFound | gst::StreamError::WrongType => (
                format!(
                    "{said}: this is not a media file that GStreamer reads; convert it or choose another"
                ),
                Lasting,
            ),
            gst::StreamError::CodecNotFound => {
                (format!("{said}: a decoder is missing: {}", packages::fix("avdec_h264")), Lasting)
            }
            gst::StreamError::Demux | gst::StreamError::Decode | gst::StreamError::Format => {
                (format!("{said}: the data is damaged or cut short"), Passing)
            }
            _ => {
                (format!("the stream broke ({said}): check the source and its connection"), Passing)
            }
        };
    }
    if e.kind::<gst::CoreError>() == Some(gst::CoreError::MissingPlugin) {
        return (format!("{said}: {}", packages::fix("avdec_h264")), Lasting);
    }
    (said.to_owned(), Passing)
}

struct Run {
    pipeline: gst::Pipeline,
    plan: Plan,
    delivery: Arc<Delivery>,
    notes: Receiver<Note>,
    stop: Arc<AtomicBool>,
}

impl Run {
    fn run(self) {
        if let Err(error) = self.mind() {
            self.delivery.fail(error.to_string(), error.kind());
        }
        self.delivery.close();
        // Refusals to go down are not interesting any more.
        let _ = self.pipeline.set_state(gst::State::Null);
        if let Plan::Play { round: Some(round), .. } = &self.plan {
            round.forget();
        }
    }

    /// Until it is stopped or ends; an error is its last word.
    fn mind(&self) -> Result<(), MediaError> {
        let began = self.delivery.clock.now();
        let first = match self.plan {
            Plan::Live { .. } | Plan::Apart { .. } => gst::State::Playing,
            Plan::Play { .. } | Plan::Still(_) => gst::State::Paused,
        };
        if self.pipeline.set_state(first).is_err() {
            // Why is on the bus.
            return Err(self.why());
        }
        let mut plays = false;
        loop {
            let note = match self.notes.recv_timeout(LOOK) {
                Ok(note) => Some(note),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            if self.stop.load(Ordering::Acquire) {
                return Ok(());
            }
            match (note, &self.plan) {
                (Some(Note::Broke(reason, kind)), plan) => {
                    // The cause before its consequence.
                    let (reason, kind) = match plan {
                        Plan::Apart { child, .. } => child.why().unwrap_or((reason, kind)),
                        _ => (reason, kind),
                    };
                    return Err(MediaError::Broken { reason, kind });
                }
                (Some(Note::End), Plan::Apart { child, .. }) => {
                    let (reason, kind) = child.why().unwrap_or_else(|| {
                        ("the capture process stopped giving".to_owned(), FailureKind::Passing)
                    });
                    return Err(MediaError::Broken { reason, kind });
                }
                (Some(Note::Ready), Plan::Play { .. }) if !plays => {
                    plays = true;
                    self.play()?;
                }
                (Some(Note::Ready), Plan::Still(still)) => {
                    return self.hold(&still.frame()?);
                }
                (Some(Note::Round), Plan::Play { round: Some(round), .. }) => round.again()?,
                (Some(Note::End), Plan::Play { .. }) => {
                    self.delivery.end();
                    return Ok(());
                }
                (Some(Note::End), Plan::Live { .. }) => {
                    return Err(MediaError::passing("the source ended its stream"));
                }
                _ => {}
            }
            self.watch(began)?;
        }
    }

    fn why(&self) -> MediaError {
        while let Ok(note) = self.notes.try_recv() {
            if let Note::Broke(reason, kind) = note {
                return MediaError::Broken { reason, kind };
            }
        }
        MediaError::passing("the input's pipeline does not start; `hawker doctor` may know why")
    }

    /// A file plays from now on, whenever the studio began.
    fn play(&self) -> Result<(), MediaError> {
        let clock = &self.delivery.clock;
        let now = clock.now();
        self.pipeline.set_base_time(clock.base + now);
        self.delivery.presented_from(now);
        self.pipeline.set_state(gst::State::Playing).map(|_| ()).map_err(|_| self.why())
    }

    /// A still picture is given again ten times a second, so that it never looks stale.
    fn hold(&self, still: &RawFrame) -> Result<(), MediaError> {
        // The decoder has done its work.
        self.pipeline
            .set_state(gst::State::Null)
            .map_err(|_| MediaError::passing("the image's decoder does not stop"))?;
        while !self.stop.load(Ordering::Acquire) {
            let captured = self.delivery.clock.now();
            self.delivery.frame(RawFrame { captured, ..still.clone() });
            let _ = self.notes.recv_timeout(LOOK);
        }
        Ok(())
    }

    fn watch(&self, began: gst::ClockTime) -> Result<(), MediaError> {
        let now = self.delivery.clock.now();
        let (frame, sound) = self.delivery.newest();
        let patience = match self.plan {
            Plan::Live { patience } | Plan::Play { patience, .. } => patience,
            Plan::Apart { .. } | Plan::Still(_) => START,
        };
        if !self.delivery.is_up() {
            return if now.saturating_sub(began) > patience {
                Err(MediaError::passing(format!(
                    "it gave nothing for {} s after the start: check that it is connected and sends",
                    patience.seconds()
                )))
            } else {
                Ok(())
            };
        }
        // A file may have a cover picture and an hour of sound.
        let (newest, what) = match self.plan {
            Plan::Play { .. } => (frame.max(sound), "picture or sound"),
            _ if self.delivery.has_picture() => (frame, "frame"),
            _ => (sound, "sound"),
        };
        // What is alive, and for how long a picture that none follows is still the right one.
        let (alive, stands) = match self.plan {
            Plan::Play { .. } if self.delivery.has_sound() => (sound, SILENT),
            Plan::Play { .. } => (frame, SILENT),
            Plan::Apart { stands, .. } => (frame, stands),
            Plan::Live { .. } | Plan::Still(_) => (frame, gst::ClockTime::ZERO),
        };
        if now.saturating_sub(frame) > STANDS && now.saturating_sub(alive) < stands {
            self.delivery.again();
        }
        if now.saturating_sub(newest) > SILENT {
            return Err(MediaError::passing(format!(
                "no {what} for {} s: it froze or was unplugged",
                SILENT.seconds()
            )));
        }
        Ok(())
    }
}
