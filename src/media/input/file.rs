//! The file input: plays in real time from the moment it is ready, once or round and round. Capture time: the
//! time of presentation.
//!
//! A round is a flushing seek of the decoder while decoded pictures wait in the queues behind it. The
//! probes here keep the flush and the end of stream from those queues and shift the next round's segment
//! to where the last one ended, so pictures and sound go on without a gap and in step.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64, mpsc::SyncSender},
};

use gst::prelude::*;

use super::{
    Build, Note, Plan,
    deliver::{self, Delivery, Pace, Timing},
};
use crate::{
    base::Canvas,
    config::{Unreadable, open_file},
    media::error::{MediaError, element},
};

pub fn build(build: &Build<'_>, path: &Path, repeat: bool) -> Result<Plan, MediaError> {
    let uri = uri(path, "file")?;
    build.delivery.set_timing(Timing::Presented(AtomicU64::new(0)));
    let round = repeat.then(|| Arc::new(Loop::default()));
    play(build, &uri, Pace::Presented, round.clone())?;
    Ok(Plan::play(round))
}

/// The address of a file that is there and can be read.
pub fn uri(path: &Path, what: &str) -> Result<String, MediaError> {
    let shown = path.display();
    let lasting = |why: String| MediaError::lasting(why);
    match open_file(path).and_then(|file| Ok(file.metadata()?.len())) {
        Ok(0) => return Err(lasting(format!("the {what} '{shown}' is empty; choose another"))),
        Ok(_) => {}
        Err(Unreadable::Io(e)) => {
            return Err(lasting(format!(
                "the {what} '{shown}' cannot be opened: {e}; check the path"
            )));
        }
        Err(why) => {
            return Err(lasting(format!("'{shown}' is not a {what}: {why}; give another path")));
        }
    }
    let whole = std::path::absolute(path)
        .map_err(|e| lasting(format!("the {what} '{shown}' cannot be found: {e}")))?;
    gst::glib::filename_to_uri(&whole, None)
        .map(Into::into)
        .map_err(|e| lasting(format!("the path '{shown}' cannot be used: {e}")))
}

/// Adds a decoder for `uri`; `take` links each pad that appears, false when it could not.
pub fn decode(
    build: &Build<'_>,
    uri: &str,
    take: impl Fn(&gst::Pad) -> bool + Send + Sync + 'static,
) -> Result<gst::Element, MediaError> {
    // Not `uridecodebin3`: in GStreamer 1.22 taking it down while it decodes now and then ends the process.
    let decoder = element("uridecodebin")?;
    decoder.set_property("uri", uri);
    decoder.connect_pad_added(move |decoder, pad| {
        if !take(pad) {
            gst::element_error!(
                decoder,
                gst::StreamError::Format,
                ("the stream cannot be converted; see `hawker doctor`")
            );
        }
    });
    build
        .pipeline
        .add(&decoder)
        .map_err(|_| MediaError::passing("GStreamer refused to take in the decoder"))?;
    Ok(decoder)
}

/// Decodes `uri`: the first picture and the first sound of it are delivered.
pub fn play(
    build: &Build<'_>,
    uri: &str,
    pace: Pace,
    round: Option<Arc<Loop>>,
) -> Result<gst::Element, MediaError> {
    let parts = Parts {
        pipeline: build.pipeline.downgrade(),
        canvas: build.canvas,
        delivery: build.delivery.clone(),
        pace,
        round,
        ends: Mutex::default(),
    };
    decode(build, uri, move |pad| parts.take(pad))
}

struct Parts {
    pipeline: gst::glib::WeakRef<gst::Pipeline>,
    canvas: Canvas,
    delivery: Arc<Delivery>,
    pace: Pace,
    round: Option<Arc<Loop>>,
    /// Where picture and sound go.
    ends: Mutex<Ends>,
}

#[derive(Default)]
struct Ends {
    picture: Option<gst::glib::WeakRef<gst::Pad>>,
    sound: Option<gst::glib::WeakRef<gst::Pad>>,
}

impl Parts {
    fn take(&self, pad: &gst::Pad) -> bool {
        let Some(pipeline) = self.pipeline.upgrade() else { return true };
        let build = Build { pipeline: &pipeline, canvas: self.canvas, delivery: &self.delivery };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let name = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let video = name.starts_with("video/");
        let end = match (video, name.starts_with("audio/")) {
            (true, _) => &mut ends.picture,
            (_, true) => &mut ends.sound,
            // Subtitles are not wanted, and left alone.
            _ => return true,
        };
        if let Some(to) = end {
            // A stream that changed its form comes on a new pad and takes the old one's place; a second
            // language finds it taken and is left alone.
            return match to.upgrade() {
                Some(to) if !to.is_linked() => pad.link(&to).is_ok(),
                _ => true,
            };
        }
        let to = if video {
            deliver::picture(&build, self.pace)
        } else {
            deliver::sound(&build, self.pace)
        };
        let Ok(to) = to else { return false };
        *end = Some(to.downgrade());
        if let Some(round) = &self.round {
            round.watch(pad, &to);
        }
        pad.link(&to).is_ok()
    }
}

/// Round and round.
#[derive(Debug, Default)]
pub struct Loop(Mutex<Rounds>);

#[derive(Debug, Default)]
struct Rounds {
    streams: Vec<Stream>,
    /// Where this round began, in running time.
    offset: gst::ClockTime,
    tell: Option<SyncSender<Note>>,
}

#[derive(Debug)]
struct Stream {
    pad: gst::glib::WeakRef<gst::Pad>,
    segment: gst::FormattedSegment<gst::ClockTime>,
    /// Running time at which what was decoded so far ends.
    end: gst::ClockTime,
    over: bool,
}

impl Loop {
    fn lock(&self) -> std::sync::MutexGuard<'_, Rounds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is told that a round is over.
    pub fn tell(&self, to: SyncSender<Note>) {
        self.lock().tell = Some(to);
    }

    /// Lets go of everything.
    pub fn forget(&self) {
        let mut rounds = self.lock();
        rounds.tell = None;
        rounds.streams.clear();
    }

    /// Goes back to the beginning; every stream is at its end.
    pub fn again(&self) -> Result<(), MediaError> {
        let pad = {
            let mut rounds = self.lock();
            let end = rounds.streams.iter().map(|s| s.end).max().unwrap_or_default();
            if end <= rounds.offset {
                return Err(MediaError::lasting("the file has nothing to play; choose another"));
            }
            rounds.offset = end;
            for stream in &mut rounds.streams {
                stream.over = false;
            }
            rounds.streams.first().and_then(|s| s.pad.upgrade())
        };
        let seek = gst::event::Seek::new(
            1.0,
            gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE,
            gst::SeekType::Set,
            gst::ClockTime::ZERO,
            gst::SeekType::None,
            gst::ClockTime::NONE,
        );
        if pad.is_some_and(|pad| pad.send_event(seek)) {
            Ok(())
        } else {
            Err(MediaError::lasting(
                "the file cannot be played again from its beginning: it has no index; remux it, or set repeat = false",
            ))
        }
    }

    /// Keeps the ends of rounds from what is behind `to`.
    fn watch(self: &Arc<Self>, from: &gst::Pad, to: &gst::Pad) {
        let index = {
            let mut rounds = self.lock();
            rounds.streams.push(Stream {
                pad: from.downgrade(),
                segment: gst::FormattedSegment::new(),
                end: gst::ClockTime::ZERO,
                over: false,
            });
            rounds.streams.len() - 1
        };
        let this = Arc::downgrade(self);
        let kinds = gst::PadProbeType::EVENT_DOWNSTREAM
            | gst::PadProbeType::EVENT_FLUSH
            | gst::PadProbeType::BUFFER;
        to.add_probe(kinds, move |_, probe| match this.upgrade() {
            Some(this) => this.pass(index, probe),
            None => gst::PadProbeReturn::Ok,
        });
    }

    fn pass(&self, index: usize, probe: &mut gst::PadProbeInfo<'_>) -> gst::PadProbeReturn {
        use gst::{EventView, PadProbeReturn};
        let mut rounds = self.lock();
        let offset = rounds.offset;
        let Some(stream) = rounds.streams.get_mut(index) else { return PadProbeReturn::Ok };
        if let Some(buffer) = probe.buffer() {
            if let Some(pts) = buffer.pts() {
                let end = pts + buffer.duration().unwrap_or_default();
                let end = stream.segment.stop().map_or(end, |stop| end.min(stop));
                if let Some(end) = stream.segment.to_running_time(end) {
                    stream.end = stream.end.max(end);
                }
            }
            return PadProbeReturn::Ok;
        }
        let Some(event) = probe.event() else { return PadProbeReturn::Ok };
        match event.view() {
            // `Drop` would have GStreamer 1.22 unref the event a second time.
            EventView::FlushStart(_) | EventView::FlushStop(_) => PadProbeReturn::Handled,
            EventView::Segment(given) => {
                if let Some(segment) = given.segment().downcast_ref::<gst::ClockTime>() {
                    let mut shifted = segment.clone();
                    shifted.set_base(segment.base().unwrap_or_default() + offset);
                    let event =
                        gst::event::Segment::builder(&shifted).seqnum(event.seqnum()).build();
                    stream.segment = shifted;
                    probe.data = Some(gst::PadProbeData::Event(event));
                }
                PadProbeReturn::Ok
            }
            EventView::Eos(_) => {
                stream.over = true;
                if rounds.streams.iter().all(|s| s.over)
                    && let Some(tell) = &rounds.tell
                {
                    let _ = tell.try_send(Note::Round);
                }
                PadProbeReturn::Handled
            }
            _ => PadProbeReturn::Ok,
        }
    }
}
