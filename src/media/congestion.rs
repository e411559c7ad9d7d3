//! Congestion control of one session: the receiver's transport-wide feedback goes to `flow::Estimator`, which
//! says what the path carries; the pacer keeps what is sent within it, sound first. What is lost is sent again as
//! `flow::Repair` says.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use gst::prelude::*;

use super::{
    MediaError,
    clock::MediaClock,
    feed::lock,
    pacer::{Pacer, PacerHandle},
    publisher::AUDIO_PT,
    trail::{self, PACED, Sent},
};
use crate::{
    base::{Kbps, Moment},
    flow::{Account, Bounds, Estimator, PictureGate, Repair, Reported, estimate::Course},
    show::Profile,
    stats::CongestionState,
};

/// Headers of RTP, UDP and IP on packets of 20 ms of sound, in kbit/s.
const SOUND_HEADERS: u32 = 16;
/// What is sent again comes on top of the profile's rate, and may be half as much.
const MOST_AGAIN: f64 = 0.5;
/// Sound is said again where the rate is more than so many times its own.
const LITTLE: u32 = 4;
/// What is sent again is known over this many reports.
const AGAIN_REPORTS: f64 = 20.0;
/// Without reports on each packet the pacer cannot know what the path is clear for: key frames may leave this much
/// faster than the rate.
const COARSE_PACE: f64 = 1.5;
/// With less loss than this the path is clear enough to try a picture again.
const COARSE_CLEAR: f64 = 0.02;
/// Headers and rare retransmissions on the picture, as a share in 1/1024.
const PICTURE_HEADERS: u32 = 40;

/// What congestion control has to say after a report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Advice {
    /// What is left for the picture.
    pub picture: Kbps,
    /// The same once a queue that stands now has drained.
    pub settled: Kbps,
    /// The share of sound that is lost, 0-1, after what is said again.
    pub loss: f64,
    /// Whether the picture is sent at all; `false` leaves the path to the sound.
    pub picture_on: bool,
}

/// What is to be told of a session's path.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PathFigures {
    /// The rate the path is known to carry: never more than was sent over it. `None` before the first report.
    pub available: Option<Kbps>,
    /// What is done; `None` before the first report.
    pub state: Option<CongestionState>,
    /// The share of packets lost over the last second, 0-1; `None` before the first report.
    pub loss: Option<f64>,
    /// Packets lost so far, before repair; `None` likewise.
    pub lost: Option<u64>,
    /// How unevenly packets arrive, in ms.
    pub jitter_ms: Option<f64>,
    /// Packets that were asked for again.
    pub nacks: u64,
    /// Sent again by RTX since the last time, in kbit/s.
    pub rtx_kbps: Option<f64>,
    /// Sound that was said again since then, in kbit/s.
    pub redundant_kbps: Option<f64>,
    /// The most that has waited in the pacer since then, in ms at the rate it leaves.
    pub pacer_ms: f64,
    /// The same in packets.
    pub pacer_packets: u32,
}

/// What a session's congestion control consists of.
pub struct Congestion {
    /// Held for its thread, which ends with it.
    pacer: Pacer,
    pace: PacerHandle,
    shared: Arc<Shared>,
    /// Between which rates the estimate is.
    pub bounds: Bounds,
    /// When figures were told last, and what had been said again until then, in bits.
    told: Mutex<(u64, u64, u64)>,
}

struct Shared {
    known: Mutex<Known>,
    /// Packets that were asked for again.
    nacks: AtomicU64,
    /// What the sound takes, headers and all.
    sound: Kbps,
    /// The most that a picture may have.
    most: Kbps,
}

struct Known {
    estimator: Estimator,
    gate: PictureGate,
    repair: Repair,
    account: Account,
    /// The share of what is sent that is sent again, 0-1.
    again: f64,
}

impl Shared {
    fn picture(&self, rate: Kbps, again: f64) -> Kbps {
        let left = f64::from(rate.0) * (1.0 - again) - f64::from(self.sound.0);
        let left = left.max(0.0) as u32;
        Kbps(left - left * PICTURE_HEADERS / 1024).min(self.most)
    }

    /// A packet of the picture is asked for: how often it is sent.
    fn request(&self, now: u64, event: &gst::StructureRef) -> u32 {
        match event.get::<u32>("seqnum") {
            Ok(number) => lock(&self.known).repair.request(now, number as u16),
            Err(_) => 1,
        }
    }
}

impl Congestion {
    /// Puts congestion control into `webrtc`. It begins with `start` for the picture, or with the profile's own
    /// first rate. `on_advice` is told after every report.
    /// When the pacer lets frames go is noted in `sent`.
    pub fn install(
        webrtc: &gst::Element,
        profile: &Profile,
        start: Option<Kbps>,
        clock: &MediaClock,
        sent: &Arc<Sent>,
        on_advice: Box<dyn Fn(Advice) + Send + Sync>,
    ) -> Result<Self, MediaError> {
        let sound = Kbps(profile.audio_kbps.0 + SOUND_HEADERS);
        let whole =
            |picture: Kbps| Kbps(picture.0 + picture.0 * (PICTURE_HEADERS + 2) / 1024 + sound.0);
        let bounds = Bounds {
            start: whole(start.unwrap_or(profile.start_kbps).min(profile.max_kbps)),
            // With the sound alone there must still be something to find out by.
            least: Kbps(sound.0 + profile.min_kbps.0 / 3),
            most: Kbps((f64::from(whole(profile.max_kbps).0) * (1.0 + MOST_AGAIN)) as u32),
        };
        let estimator = Estimator::new(bounds);
        let pacer = Pacer::start(u64::from(estimator.pace().bits_per_second()))?;
        let pace = pacer.handle();
        let told = pacer.handle();
        let shared = Arc::new(Shared {
            known: Mutex::new(Known {
                estimator,
                gate: PictureGate::new(profile.min_kbps),
                repair: Repair::default(),
                account: Account::default(),
                again: 0.0,
            }),
            nacks: AtomicU64::new(0),
            sound,
            most: profile.max_kbps,
        });
        let ends = (pacer.element().static_pad("src"), pacer.element().static_pad("sink"));
        if let (Some(pad), Some(into)) = ends {
            let (clock, shared) = (clock.clone(), Arc::clone(&shared));
            let into = into.downgrade();
            trail::watch(&pad, PACED, sent, &clock);
            pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
                let Some(event) = info.event() else { return gst::PadProbeReturn::Ok };
                let Some(told) = event.structure() else { return gst::PadProbeReturn::Ok };
                let running = clock.now();
                if told.name() == "GstRTPRetransmissionRequest" {
                    shared.nacks.fetch_add(1, Ordering::Relaxed);
                    let copies = shared.request(clock.monotonic_ns(running), told);
                    if let Some(into) = into.upgrade() {
                        // This event brings the first; webrtcbin's history gives one for each more.
                        for _ in 1..copies {
                            into.push_event(event.to_owned());
                        }
                    }
                    return if copies == 0 {
                        gst::PadProbeReturn::Handled
                    } else {
                        gst::PadProbeReturn::Ok
                    };
                }
                // rtpsession tells times of the system's clock, not running times.
                let now = clock.monotonic_ns(running);
                let advice = {
                    let Known { estimator, gate, repair, account, again } =
                        &mut *lock(&shared.known);
                    let report = packets(told, repair.echoes() > 0);
                    let Some(report) = report else { return gst::PadProbeReturn::Ok };
                    estimator.report(now, &report);
                    account.report(now, &report);
                    let (clear, full) = (estimator.is_clear(), estimator.is_full());
                    let loss = estimator.loss();
                    let spare = !full && estimator.rate().0 > shared.sound.0 * LITTLE;
                    repair.report(now, &report, loss, spare);
                    let pace_now = u64::from(estimator.pace().bits_per_second());
                    let (left, left_again) = pace.set(pace_now, full, repair.echoes());
                    if left > 0 {
                        *again += (left_again as f64 / left as f64 - *again) / AGAIN_REPORTS;
                    }
                    let picture = shared.picture(estimator.rate(), *again);
                    let picture_on = gate.judge(Moment(now), picture, clear);
                    tracing::trace!(
                        rate = estimator.rate().0,
                        queue_ms = estimator.queue_ms(),
                        loss,
                        again = *again,
                        picture_on,
                        "path"
                    );
                    Advice {
                        picture,
                        settled: shared.picture(estimator.settled(), *again),
                        loss: repair.sound_loss(),
                        picture_on,
                    }
                };
                on_advice(advice);
                gst::PadProbeReturn::Ok
            });
        }
        let way = pacer.element().clone();
        webrtc.connect("request-aux-sender", false, move |_| Some(way.to_value()));
        Ok(Self { pacer, pace: told, shared, bounds, told: Mutex::default() })
    }

    /// What is to be told at `now_ns`, running time.
    pub fn figures(&self, now_ns: u64) -> PathFigures {
        let (available, course, loss, account) = {
            let Known { estimator, account, .. } = &*lock(&self.shared.known);
            (estimator.known(), estimator.course(), estimator.loss(), *account)
        };
        let queue = self.pace.look();
        let before = std::mem::replace(
            &mut *lock(&self.told),
            (now_ns, queue.again_bits, queue.echoed_bits),
        );
        let passed = now_ns.saturating_sub(before.0);
        let kbps = |bits: u64, before_bits: u64| {
            (before.0 > 0 && passed > 0)
                .then(|| bits.saturating_sub(before_bits) as f64 * 1e6 / passed as f64)
        };
        PathFigures {
            available,
            state: course.map(|course| match course {
                Course::Rising => CongestionState::Rising,
                Course::Holding => CongestionState::Holding,
                Course::Draining => CongestionState::Draining,
                Course::Lossy => CongestionState::Lossy,
                Course::Testing => CongestionState::Testing,
            }),
            loss: course.map(|_| loss),
            lost: course.map(|_| account.lost()),
            jitter_ms: account.jitter_ms(),
            nacks: self.shared.nacks.load(Ordering::Relaxed),
            rtx_kbps: kbps(queue.again_bits, before.1),
            redundant_kbps: kbps(queue.echoed_bits, before.2),
            pacer_ms: queue.most_ms,
            pacer_packets: queue.most_packets,
        }
    }

    /// What is left for the picture now.
    pub fn picture(&self) -> Kbps {
        let known = lock(&self.shared.known);
        self.shared.picture(known.estimator.rate(), known.again)
    }

    /// The advice for a rate that was found without reports on each packet (`flow::Coarse`), with the share of loss. It
    /// paces to that rate, too.
    pub fn coarsely(&self) -> impl Fn(Moment, Kbps, f64) -> Advice + Send + Sync + use<> {
        let (pace, shared) = (self.pacer.handle(), Arc::clone(&self.shared));
        move |now, rate, loss| {
            pace.set((f64::from(rate.bits_per_second()) * COARSE_PACE) as u64, false, 0);
            let picture = shared.picture(rate, 0.0);
            let picture_on = lock(&shared.known).gate.judge(now, picture, loss < COARSE_CLEAR);
            Advice { picture, settled: picture, loss, picture_on }
        }
    }
}

/// The packets of a transport-wide report, as rtpsession tells of it. With `sound_again`, lost sound is left out: a
/// receiver throws away what it has already, and reports it as lost.
fn packets(event: &gst::StructureRef, sound_again: bool) -> Option<Vec<Reported>> {
    if event.name() != "RTPTWCCPackets" {
        return None;
    }
    let all = event.get::<gst::glib::ValueArray>("packets").ok()?;
    let one = |value: &gst::glib::Value| {
        let packet = value.get::<&gst::StructureRef>().ok()?;
        let arrived = packet.get::<gst::ClockTime>("remote-ts").ok().map(gst::ClockTime::nseconds);
        let lost = packet.get::<bool>("lost").unwrap_or(false);
        let sound = || packet.get::<u8>("payload-type").is_ok_and(|pt| u32::from(pt) == AUDIO_PT);
        if sound_again && (lost || arrived.is_none()) && sound() {
            return None;
        }
        Some(Reported {
            sent_ns: packet.get::<gst::ClockTime>("local-ts").ok()?.nseconds(),
            arrived_ns: arrived.filter(|_| !lost),
            bytes: packet.get::<u32>("size").ok()?,
        })
    };
    Some(all.iter().filter_map(one).collect())
}
