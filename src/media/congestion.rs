//! Congestion control of one session: the receiver's transport-wide feedback goes to `flow::Estimator`, which
//! says what the path carries; the pacer keeps what is sent within it, sound first. Requests for lost packets are
//! answered as `flow::Repair` says. Where the estimator asks for a probe, packets that were sent lately are sent again
//! as padding: every receiver of retransmissions drops what it has already, and reports it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use gst::prelude::*;

use super::{
    MediaError,
    clock::MediaClock,
    feed::lock,
    pacer::{self, Pacer, PacerHandle, Rates, Seen},
    publisher::{AUDIO_PT, VIDEO_PT},
    trail::{self, PACED, Sent},
};
use crate::{
    base::{Kbps, Moment},
    flow::{
        Account, Answer, Bounds, Estimator, PictureGate, Probe, Repair, Reported, estimate::Course,
    },
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
/// A probe has no more packets than this: 100 ms at some 12 Mb/s.
const MOST_PADDING: usize = 128;
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
    /// The picture's SSRC, once it is known; zero before.
    ssrc: AtomicU32,
}

struct Known {
    estimator: Estimator,
    gate: PictureGate,
    repair: Repair,
    account: Account,
    /// The share of what is sent that is sent again, 0-1.
    again: f64,
    /// Pictures that the pacer had to drop, as far as a key frame has been asked for.
    overflows: u64,
    /// The receiver was said to drop what is sent again.
    refused: bool,
}

impl Shared {
    fn picture(&self, rate: Kbps, again: f64) -> Kbps {
        let left = f64::from(rate.0) * (1.0 - again) - f64::from(self.sound.0);
        let left = left.max(0.0) as u32;
        Kbps(left - left * PICTURE_HEADERS / 1024).min(self.most)
    }

    /// A packet of the picture is asked for at `now`.
    fn request(&self, now: u64, event: &gst::StructureRef) -> Answer {
        let Ok(number) = event.get::<u32>("seqnum") else { return Answer::Nothing };
        let mut known = lock(&self.known);
        let answer = known.repair.request(now, number as u16);
        let refused = known.repair.is_refused(now);
        if std::mem::replace(&mut known.refused, refused) != refused && refused {
            tracing::info!(
                "the ingest asks again for packets that were retransmitted: it gets key frames instead"
            );
        }
        answer
    }

    /// The packets to be sent again as padding for that probe: their numbers.
    fn padding(known: &Known, probe: Probe) -> Vec<u16> {
        let bits = f64::from(probe.rate.bits_per_second()) * probe.lasts.as_secs_f64();
        let mut missing = bits as u64;
        let mut numbers = Vec::new();
        let sent: Vec<(u16, u64)> = known.repair.padding().collect();
        // The same packets more than once, where they are few or small.
        for (number, bits) in sent.iter().cycle().take(MOST_PADDING) {
            if missing == 0 {
                break;
            }
            missing = missing.saturating_sub(*bits);
            numbers.push(*number);
        }
        numbers
    }
}

impl Congestion {
    /// Puts congestion control into `webrtc`. It begins with `start` for the picture, or with the profile's own
    /// first rate. `on_advice` is told after every report.
    /// When the pacer lets frames go is noted in `sent`. `on_key` is told when a key frame has to replace what is
    /// lost for good.
    pub fn install(
        webrtc: &gst::Element,
        profile: &Profile,
        start: Option<Kbps>,
        clock: &MediaClock,
        sent: &Arc<Sent>,
        on_advice: Box<dyn Fn(Advice) + Send + Sync>,
        on_key: Box<dyn Fn() + Send + Sync>,
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
        let rates = rates_of(&estimator);
        let shared = Arc::new(Shared {
            known: Mutex::new(Known {
                gate: PictureGate::new(profile.min_kbps),
                repair: Repair::new(estimator.rate()),
                estimator,
                account: Account::default(),
                again: 0.0,
                overflows: 0,
                refused: false,
            }),
            nacks: AtomicU64::new(0),
            sound,
            most: profile.max_kbps,
            ssrc: AtomicU32::new(0),
        });
        let pacer = {
            let (clock, shared) = (clock.clone(), Arc::clone(&shared));
            let on_picture = move |Seen { number, bytes, key, ssrc }| {
                shared.ssrc.store(ssrc, Ordering::Relaxed);
                let now = clock.monotonic_ns(clock.now());
                lock(&shared.known).repair.sent(now, number, bytes, key);
            };
            Pacer::start(rates, Box::new(on_picture))?
        };
        let (pace, told) = (pacer.handle(), pacer.handle());
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
                    let copies = match shared.request(clock.monotonic_ns(running), told) {
                        Answer::Copies(copies) => copies,
                        Answer::KeyFrame => {
                            on_key();
                            return gst::PadProbeReturn::Handled;
                        }
                        Answer::Nothing => return gst::PadProbeReturn::Handled,
                    };
                    if let Some(into) = into.upgrade() {
                        // This event brings the first; webrtcbin's history gives one for each more.
                        for _ in 1..copies {
                            into.push_event(event.to_owned());
                        }
                    }
                    return gst::PadProbeReturn::Ok;
                }
                // rtpsession tells times of the system's clock, not running times.
                let now = clock.monotonic_ns(running);
                let (advice, padding, overflow) = {
                    let mut known = lock(&shared.known);
                    let Known { estimator, gate, repair, account, again, overflows, .. } =
                        &mut *known;
                    let report = packets(told, repair.echoes() > 0);
                    let Some(report) = report else { return gst::PadProbeReturn::Ok };
                    estimator.report(now, &report);
                    account.report(now, &report);
                    let (clear, full) = (estimator.is_clear(), estimator.is_full());
                    let loss = estimator.loss();
                    let spare = !full && estimator.rate().0 > shared.sound.0 * LITTLE;
                    repair.report(now, &report, loss, estimator.rate(), spare);
                    let (left, left_again) = pace.set(rates_of(estimator), full, repair.echoes());
                    let passed = pace.passed();
                    let overflow =
                        passed.overflows > std::mem::replace(overflows, passed.overflows);
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
                    let advice = Advice {
                        picture,
                        settled: shared.picture(estimator.settled(), *again),
                        loss: repair.sound_loss(),
                        picture_on,
                    };
                    let probe = estimator.probe(now);
                    let padding = probe.map(|probe| (probe, Shared::padding(&known, probe)));
                    (advice, padding, overflow)
                };
                on_advice(advice);
                if overflow {
                    on_key();
                }
                if let (Some((probe, numbers)), Some(into)) = (padding, into.upgrade()) {
                    tracing::trace!(rate = probe.rate.0, packets = numbers.len(), "probe");
                    let ssrc = shared.ssrc.load(Ordering::Relaxed);
                    pace.probe(probe, numbers.clone());
                    for number in numbers {
                        into.push_event(pacer::request(number, ssrc, VIDEO_PT as u8));
                    }
                }
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
            (now_ns, queue.passed.again_bits, queue.echoed_bits),
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
            rtx_kbps: kbps(queue.passed.again_bits, before.1),
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
            let estimate = u64::from(rate.bits_per_second());
            let rates = Rates { estimate, pace: (estimate as f64 * COARSE_PACE) as u64 };
            pace.set(rates, false, 0);
            let picture = shared.picture(rate, 0.0);
            let mut known = lock(&shared.known);
            known.repair.carries(now.0, rate);
            let picture_on = known.gate.judge(now, picture, loss < COARSE_CLEAR);
            Advice { picture, settled: picture, loss, picture_on }
        }
    }
}

fn rates_of(estimator: &Estimator) -> Rates {
    Rates {
        estimate: u64::from(estimator.rate().bits_per_second()),
        pace: u64::from(estimator.pace().bits_per_second()),
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
