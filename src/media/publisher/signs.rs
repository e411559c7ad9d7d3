//! Listens for signs of life of a session's far end: the RTCP that comes in, decrypted; BYE; the end of its DTLS. It
//! also takes the reports that stand in for transport-wide feedback where there is none. What they mean is judged by
//! `flow::Liveness` and `flow::Coarse`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gst::{glib, prelude::*};
use tokio::sync::mpsc;

use super::SessionEvent;
use crate::{
    base::{Kbps, Moment, Ring},
    flow::{
        Bounds, Coarse, Liveness,
        coarse::Seen,
        liveness::{Kind, News, Sign},
        rtcp::{self, Block, Compound},
    },
    media::{clock::MediaClock, feed::lock},
};

/// Sender reports that are remembered: an echo is of one of the last few.
const SENT_REPORTS: usize = 16;
/// More streams than a session has; no more is remembered of reports about others.
const MOST_STREAMS: usize = 8;
/// More sources than a receiver has.
const MOST_SENDERS: usize = 8;
/// So long after a session opened its receiver has sent transport-wide feedback if it ever does.
const SETTLED: Duration = Duration::from_secs(2);
/// libnice sends a binding request every 4 to 6 s, as RFC 7675 (5.1) asks for, and tells nobody of the answers. Without it an ICE-lite server, which
/// sends none itself, takes us for gone (mediasoup after 30 s, live777 after 10 s).
const CONSENT_CHECKS: &str = "keepalive-conncheck";

const SENDER_REPORTS: gst::ClockTime = gst::ClockTime::from_seconds(1);

/// Told the rate that the reports allow, and the share of loss, where no transport-wide feedback comes.
pub(super) type Advise = Box<dyn Fn(Moment, Kbps, f64) + Send + Sync>;

/// What a session's far end has said of itself.
pub(super) struct Signs(Arc<Shared>);

struct Shared {
    known: Mutex<Known>,
    clock: MediaClock,
    /// Of the picture.
    ssrc: u32,
    opened: AtomicBool,
    tell: mpsc::Sender<SessionEvent>,
    advise: Advise,
}

struct Known {
    liveness: Liveness,
    coarse: Coarse,
    opened_at: Moment,
    /// Those who have reported and have not said goodbye.
    senders: Vec<u32>,
    /// The highest number confirmed, by stream.
    highest: BTreeMap<u32, u32>,
    /// Our sender reports: their name in an echo, and when they left.
    sent: Ring<(u32, Moment)>,
    rtt_ms: Option<f64>,
    sent_kbps: Option<f64>,
    coarse_told: bool,
}

/// What the signs say of the session's figures: which are still true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Age {
    /// What transport-wide feedback said.
    pub(super) packets: bool,
    /// What receiver reports said.
    pub(super) reports: bool,
    /// The round trip of the last report, by our own clock.
    pub(super) rtt_ms: Option<f64>,
    /// How long the sign stays out by which the far end is judged.
    pub(super) quiet: Option<Duration>,
}

impl Signs {
    /// Listens to `webrtc`, whose picture has that SSRC. Before it makes its parts.
    pub(super) fn of(
        webrtc: &gst::Element,
        clock: &MediaClock,
        ssrc: u32,
        bounds: Bounds,
        tell: &mpsc::Sender<SessionEvent>,
        advise: Advise,
    ) -> Self {
        let now = Moment(clock.now().nseconds());
        let shared = Arc::new(Shared {
            known: Mutex::new(Known {
                liveness: Liveness::new(now),
                coarse: Coarse::new(bounds),
                opened_at: now,
                senders: Vec::new(),
                highest: BTreeMap::new(),
                sent: Ring::new(SENT_REPORTS),
                rtt_ms: None,
                sent_kbps: None,
                coarse_told: false,
            }),
            clock: clock.clone(),
            ssrc,
            opened: AtomicBool::new(false),
            tell: tell.clone(),
            advise,
        });
        check_consent(webrtc);
        if let Some(bin) = webrtc.downcast_ref::<gst::Bin>() {
            let weak = Arc::downgrade(&shared);
            bin.connect_deep_element_added(move |_, _, element| {
                let Some(factory) = element.factory() else { return };
                match factory.name().as_str() {
                    "srtpdec" => listen(element, "rtcp_src", &weak, Shared::heard),
                    "srtpenc" => listen(element, "rtcp_sink", &weak, Shared::reported),
                    "dtlsdec" => watch_end(element, &weak),
                    "rtpsession" => report_often(element),
                    _ => {}
                }
            });
        }
        Self(shared)
    }

    pub(super) fn now(&self) -> Moment {
        Moment(self.0.clock.now().nseconds())
    }

    /// The session is open. `expected` is the sign that an earlier session with the same far end had.
    pub(super) fn open(&self, expected: Option<Kind>) {
        let now = self.now();
        let mut known = lock(&self.0.known);
        if !self.0.opened.swap(true, Ordering::Relaxed) {
            known.opened_at = now;
            known.liveness.open(now);
        }
        if let Some(kind) = expected {
            known.liveness.expect(now, kind);
        }
    }

    /// Looks at what has come and what has stayed out.
    pub(super) fn judge(&self) -> Option<News> {
        let now = self.now();
        lock(&self.0.known).liveness.judge(now)
    }

    /// Whether only answers to connectivity checks can show that the ingest is there.
    pub(super) fn needs_checks(&self) -> bool {
        let known = lock(&self.0.known);
        self.0.opened.load(Ordering::Relaxed)
            && self.now().since(known.opened_at) >= SETTLED
            && known.liveness.needs_checks()
    }

    /// One of them was answered.
    pub(super) fn consented(&self) {
        let now = self.now();
        lock(&self.0.known).liveness.heard(now, Sign::Consent);
    }

    /// Which kind of sign has come.
    pub(super) fn given(&self) -> Option<Kind> {
        lock(&self.0.known).liveness.given()
    }

    /// What is sent now, in kbit/s; and which figures are still true.
    pub(super) fn age(&self, sent_kbps: Option<f64>) -> Age {
        let now = self.now();
        let mut known = lock(&self.0.known);
        known.sent_kbps = sent_kbps;
        let reports = known.liveness.is_fresh(Kind::Reports, now);
        Age {
            packets: known.liveness.is_fresh(Kind::Packets, now),
            reports,
            rtt_ms: known.rtt_ms.filter(|_| reports),
            quiet: known.liveness.quiet(now),
        }
    }
}

impl Shared {
    /// RTCP of the far end.
    fn heard(&self, bytes: &[u8]) {
        let compound = rtcp::read(bytes);
        if compound.is_empty() {
            return;
        }
        let now = Moment(self.clock.now().nseconds());
        let mut known = lock(&self.known);
        let gone = known.take(now, &compound);
        let advice = known.advice(now, self.ssrc, &compound);
        drop(known);
        if gone {
            self.end("the ingest said goodbye (RTCP BYE)");
        } else if let Some((rate, loss)) = advice.filter(|_| self.opened.load(Ordering::Relaxed)) {
            (self.advise)(now, rate, loss);
        }
    }

    /// RTCP of ours.
    fn reported(&self, bytes: &[u8]) {
        if let Some(name) = rtcp::sent_report(bytes) {
            let now = Moment(self.clock.now().nseconds());
            lock(&self.known).sent.push((name, now));
        }
    }

    fn end(&self, reason: &str) {
        if self.opened.load(Ordering::Relaxed) {
            // A full channel means nobody listens any more.
            let _ = self.tell.try_send(SessionEvent::Failed(reason.into()));
        }
    }
}

impl Known {
    /// Whether all that reported have said goodbye with it.
    fn take(&mut self, now: Moment, compound: &Compound) -> bool {
        if compound.packets {
            self.liveness.heard(now, Sign::Packets);
        }
        if compound.report {
            let progress = compound.blocks.iter().fold(false, |any, block| {
                let known =
                    self.highest.len() < MOST_STREAMS || self.highest.contains_key(&block.ssrc);
                let before =
                    known.then(|| self.highest.insert(block.ssrc, block.highest)).flatten();
                any | before.is_some_and(|before| before != block.highest)
            });
            self.liveness.heard(now, Sign::Report { progress });
        }
        if compound.feedback {
            self.liveness.heard(now, Sign::Feedback);
        }
        if let Some(sender) = compound.sender
            && !self.senders.contains(&sender)
            && self.senders.len() < MOST_SENDERS
        {
            self.senders.push(sender);
        }
        let before = self.senders.len();
        self.senders.retain(|sender| !compound.byes.contains(sender));
        before > 0 && self.senders.is_empty()
    }

    /// What the reports allow; `None` where transport-wide feedback says more, or may still begin to.
    fn advice(&mut self, now: Moment, ssrc: u32, compound: &Compound) -> Option<(Kbps, f64)> {
        let picture = compound.blocks.iter().find(|block| block.ssrc == ssrc);
        if let Some(rtt_ms) = compound.blocks.iter().find_map(|block| self.round_trip(now, block)) {
            self.rtt_ms = Some(rtt_ms);
        }
        if self.liveness.gives_packets() || now.since(self.opened_at) < SETTLED {
            return None;
        }
        let mut taken = false;
        if let Some(block) = picture {
            taken = self.coarse.report(
                now,
                Seen {
                    highest: block.highest,
                    lost: block.lost,
                    rtt_ms: self.round_trip(now, block),
                    sent_kbps: self.sent_kbps,
                },
            );
        }
        if let Some(remb) = compound.remb {
            self.coarse.remb(now, remb);
            taken = true;
        }
        if taken && !std::mem::replace(&mut self.coarse_told, true) {
            tracing::info!(
                "the ingest sends no transport-wide feedback: the rate follows its receiver reports ({}), which \
                 tell of a narrow path later",
                if compound.remb.is_some() { "and REMB" } else { "loss and round trip" }
            );
        }
        taken.then(|| (self.coarse.rate(), self.coarse.loss()))
    }

    /// From our sender report to its echo, less the time that the receiver kept it (RFC 3550, 6.4.1), in ms.
    fn round_trip(&self, now: Moment, block: &Block) -> Option<f64> {
        let sent = self.sent.iter().rev().find(|(name, _)| *name == block.last_report)?;
        let kept = f64::from(block.delay) * 1000.0 / 65_536.0;
        let passed = now.since(sent.1).as_secs_f64() * 1000.0;
        // Its clock may run a little differently.
        (block.last_report != 0 && passed + 5.0 >= kept).then(|| (passed - kept).max(0.0))
    }
}

/// Sender reports every second, half a second more or less, as libwebrtc sends them for a picture; rtpsession keeps to
/// RFC 3550's 5 s. A receiver that reports only when it hears a sender report (libdatachannel) then does so as often.
fn report_often(session: &gst::Element) {
    let inner = session.property::<Option<glib::Object>>("internal-session");
    if let Some(inner) = inner.filter(|inner| inner.has_property("rtcp-min-interval")) {
        inner.set_property("rtcp-min-interval", SENDER_REPORTS.nseconds());
    }
}

/// Asks libnice for consent checks. It takes the property at any time.
fn check_consent(webrtc: &gst::Element) {
    let agent = webrtc.property::<gst::Object>("ice-agent");
    if agent.has_property("agent") {
        let nice = agent.property::<glib::Object>("agent");
        if nice.has_property(CONSENT_CHECKS) {
            nice.set_property(CONSENT_CHECKS, true);
        }
    }
}

/// Hands over what passes pads of that name: those that are there, and those to come.
fn listen(element: &gst::Element, name: &'static str, to: &Weak<Shared>, take: fn(&Shared, &[u8])) {
    for pad in element.pads() {
        tap(&pad, name, to, take);
    }
    let to = to.clone();
    element.connect_pad_added(move |_, pad| tap(pad, name, &to, take));
}

fn tap(pad: &gst::Pad, name: &str, to: &Weak<Shared>, take: fn(&Shared, &[u8])) {
    if !pad.name().starts_with(name) {
        return;
    }
    let to = to.clone();
    let all = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(all, move |_, info| {
        let Some(shared) = to.upgrade() else { return gst::PadProbeReturn::Ok };
        let one = |buffer: &gst::BufferRef| {
            if let Ok(map) = buffer.map_readable() {
                take(&shared, &map);
            }
        };
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => one(buffer),
            Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(one),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// The far end may close its DTLS (close_notify): webrtcbin says nothing of it.
fn watch_end(dtls: &gst::Element, to: &Weak<Shared>) {
    let to = to.clone();
    dtls.connect_notify(Some("connection-state"), move |dtls, _| {
        let state = dtls.property_value("connection-state");
        let closed = glib::EnumValue::from_value(&state).is_some_and(|(_, v)| v.nick() == "closed");
        if let Some(shared) = to.upgrade().filter(|_| closed) {
            shared.end("the ingest closed the connection (DTLS close_notify)");
        }
    });
}
