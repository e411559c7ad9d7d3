//! Congestion control of one session: the receiver's transport-wide feedback goes to `flow::Estimator`, which
//! says what the path carries; the pacer keeps what is sent within it, sound first.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use gst::prelude::*;

use super::{MediaError, clock::MediaClock, feed::lock, pacer::Pacer};
use crate::{
    base::{Kbps, Moment},
    flow::{Bounds, Estimator, PictureGate, Reported},
    show::Profile,
};

/// Headers of RTP, UDP and IP on packets of 20 ms of sound, in kbit/s.
const SOUND_HEADERS: u32 = 16;
/// Headers and retransmissions on the picture, as a share in 1/1024.
const PICTURE_HEADERS: u32 = 40;

/// What congestion control has to say after a report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Advice {
    /// What is left for the picture.
    pub picture: Kbps,
    /// The same once a queue that stands now has drained.
    pub settled: Kbps,
    /// The share of packets lost over the last second, 0-1.
    pub loss: f64,
    /// Whether the picture is sent at all; `false` leaves the path to the sound.
    pub picture_on: bool,
}

/// What a session's congestion control consists of.
pub struct Congestion {
    /// Held for its thread, which ends with it.
    _pacer: Pacer,
    shared: Arc<Shared>,
}

struct Shared {
    known: Mutex<Known>,
    feedback_ns: AtomicU64,
    /// What the sound takes, headers and all.
    sound: Kbps,
}

struct Known {
    estimator: Estimator,
    gate: PictureGate,
}

impl Shared {
    fn picture(&self, rate: Kbps) -> Kbps {
        let left = rate.0.saturating_sub(self.sound.0);
        Kbps(left - left * PICTURE_HEADERS / 1024)
    }
}

impl Congestion {
    /// Puts congestion control into `webrtc`. It begins with `start` for the picture, or with the profile's own
    /// first rate. `on_advice` is told after every report.
    pub fn install(
        webrtc: &gst::Element,
        profile: &Profile,
        start: Option<Kbps>,
        clock: &MediaClock,
        on_advice: Box<dyn Fn(Advice) + Send + Sync>,
    ) -> Result<Self, MediaError> {
        let sound = Kbps(profile.audio_kbps.0 + SOUND_HEADERS);
        let whole =
            |picture: Kbps| Kbps(picture.0 + picture.0 * (PICTURE_HEADERS + 2) / 1024 + sound.0);
        let bounds = Bounds {
            start: whole(start.unwrap_or(profile.start_kbps).min(profile.max_kbps)),
            // With the sound alone there must still be something to find out by.
            least: Kbps(sound.0 + profile.min_kbps.0 / 3),
            most: whole(profile.max_kbps),
        };
        let estimator = Estimator::new(bounds);
        let pacer = Pacer::start(u64::from(estimator.pace().bits_per_second()))?;
        let pace = pacer.handle();
        let shared = Arc::new(Shared {
            known: Mutex::new(Known { estimator, gate: PictureGate::new(profile.min_kbps) }),
            feedback_ns: AtomicU64::new(0),
            sound,
        });
        if let Some(pad) = pacer.element().static_pad("src") {
            let (clock, shared) = (clock.clone(), Arc::clone(&shared));
            pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
                let report = info.event().and_then(|e| e.structure()).and_then(packets);
                let Some(report) = report else { return gst::PadProbeReturn::Ok };
                let running = clock.now();
                shared.feedback_ns.store(running.nseconds(), Ordering::Relaxed);
                // rtpsession tells times of the system's clock, not running times.
                let now = clock.monotonic_ns(running);
                let advice = {
                    let Known { estimator, gate } = &mut *lock(&shared.known);
                    estimator.report(now, &report);
                    let clear = estimator.is_clear();
                    pace.set(u64::from(estimator.pace().bits_per_second()), clear);
                    let picture = shared.picture(estimator.rate());
                    let picture_on = gate.judge(Moment(now), picture, clear);
                    let loss = estimator.loss();
                    tracing::trace!(
                        rate = estimator.rate().0,
                        queue_ms = estimator.queue_ms(),
                        loss,
                        picture_on,
                        "path"
                    );
                    Advice {
                        picture,
                        settled: shared.picture(estimator.settled()),
                        loss,
                        picture_on,
                    }
                };
                on_advice(advice);
                gst::PadProbeReturn::Ok
            });
        }
        let way = pacer.element().clone();
        webrtc.connect("request-aux-sender", false, move |_| Some(way.to_value()));
        Ok(Self { _pacer: pacer, shared })
    }

    /// The rate the path is known to carry: never more than was sent over it. `None` before the first report.
    pub fn available(&self) -> Option<Kbps> {
        lock(&self.shared.known).estimator.known()
    }

    /// What is left for the picture now.
    pub fn picture(&self) -> Kbps {
        self.shared.picture(lock(&self.shared.known).estimator.rate())
    }

    /// When feedback last came, running time; zero while none has.
    pub fn feedback_ns(&self) -> u64 {
        self.shared.feedback_ns.load(Ordering::Relaxed)
    }

    /// Counts the silence from `now_ns` on, feedback or not.
    pub fn expect_feedback(&self, now_ns: u64) {
        self.shared.feedback_ns.store(now_ns, Ordering::Relaxed);
    }
}

/// The packets of a transport-wide report, as rtpsession tells of it.
fn packets(event: &gst::StructureRef) -> Option<Vec<Reported>> {
    if event.name() != "RTPTWCCPackets" {
        return None;
    }
    let all = event.get::<gst::glib::ValueArray>("packets").ok()?;
    let one = |value: &gst::glib::Value| {
        let packet = value.get::<&gst::StructureRef>().ok()?;
        let arrived = packet.get::<gst::ClockTime>("remote-ts").ok().map(gst::ClockTime::nseconds);
        let lost = packet.get::<bool>("lost").unwrap_or(false);
        Some(Reported {
            sent_ns: packet.get::<gst::ClockTime>("local-ts").ok()?.nseconds(),
            arrived_ns: arrived.filter(|_| !lost),
            bytes: packet.get::<u32>("size").ok()?,
        })
    };
    Some(all.iter().filter_map(one).collect())
}
