//! Congestion control of one session: `rtpgccbwe` (Google congestion control) finds what the path carries
//! from the receiver's transport-wide feedback; the pacer keeps what is sent within it.
//!
//! The estimator does not lie in the packets' way. It lets packets out every five milliseconds and one by
//! one, which costs a frame 2.5 ms on average and a fifth of the session's processor time; it needs only the
//! feedback, and gets that from a probe.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use gst::prelude::*;

use super::{MediaError, clock::MediaClock, error::element, pacer::Pacer};
use crate::{base::Kbps, show::Profile};

/// A frame that is let out at the mean rate takes its whole interval, so the estimate may begin and rise well
/// above what is encoded; a path that carries less says so within a second, and the encoder follows at once
/// (libwebrtc paces at 2.5 times the rate for the same reason).
const HEADROOM: u32 = 4;

/// What a session's congestion control consists of.
pub struct Congestion {
    estimator: gst::Element,
    /// Held for its thread, which ends with it.
    _pacer: Pacer,
    feedback_ns: Arc<AtomicU64>,
}

impl Congestion {
    /// Puts congestion control into `webrtc`, which lies in `pipeline`. `on_rate` is told what is left for
    /// the picture.
    pub fn install(
        pipeline: &gst::Pipeline,
        webrtc: &gst::Element,
        profile: &Profile,
        clock: &MediaClock,
        on_rate: Box<dyn Fn(Kbps) + Send + Sync>,
    ) -> Result<Self, MediaError> {
        let sound = profile.audio_kbps.bits_per_second();
        let start = (profile.start_kbps.bits_per_second() + sound) * HEADROOM;
        let estimator = element("rtpgccbwe")?;
        estimator.set_property("estimated-bitrate", start);
        estimator.set_property("min-bitrate", profile.min_kbps.bits_per_second() + sound);
        estimator
            .set_property("max-bitrate", (profile.max_kbps.bits_per_second() + sound) * HEADROOM);
        pipeline
            .add(&estimator)
            .map_err(|e| MediaError::lasting(format!("congestion control: {e}")))?;
        let pacer = Pacer::start(u64::from(start))?;
        let pace = pacer.handle();
        estimator.connect_notify(Some("estimated-bitrate"), move |estimator, _| {
            let bits = estimator.property::<u32>("estimated-bitrate");
            pace.set_rate(u64::from(bits));
            on_rate(Kbps::from_bits_per_second(u64::from(bits.saturating_sub(sound))));
        });
        let feedback_ns = Arc::new(AtomicU64::new(0));
        if let (Some(pad), Some(listener)) =
            (pacer.element().static_pad("src"), estimator.static_pad("src"))
        {
            let (clock, feedback_ns) = (clock.clone(), Arc::clone(&feedback_ns));
            let listener = listener.downgrade();
            pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
                let feedback = info
                    .event()
                    .filter(|e| e.structure().is_some_and(|s| s.name() == "RTPTWCCPackets"));
                if let (Some(event), Some(listener)) = (feedback, listener.upgrade()) {
                    feedback_ns.store(clock.now().nseconds(), Ordering::Relaxed);
                    listener.send_event(event.clone());
                }
                gst::PadProbeReturn::Ok
            });
        }
        let way = pacer.element().clone();
        webrtc.connect("request-aux-sender", false, move |_| Some(way.to_value()));
        Ok(Self { estimator, _pacer: pacer, feedback_ns })
    }

    /// To be called once the pipeline runs: the estimator has no packets to let out, so its clockwork rests.
    pub fn rest(&self) {
        if let Some(pad) = self.estimator.static_pad("src") {
            let _ = pad.pause_task();
        }
    }

    /// The rate the path is believed to carry, in kb/s.
    pub fn available_kbps(&self) -> f64 {
        f64::from(self.estimator.property::<u32>("estimated-bitrate")) / 1000.0
    }

    /// When feedback last came, running time; zero while none has.
    pub fn feedback_ns(&self) -> u64 {
        self.feedback_ns.load(Ordering::Relaxed)
    }

    /// Counts the silence from `now_ns` on, feedback or not.
    pub fn expect_feedback(&self, now_ns: u64) {
        self.feedback_ns.store(now_ns, Ordering::Relaxed);
    }
}
