//! What webrtcbin and its RTCP say of a session: rates, losses, requests, the chosen path.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use gst::prelude::*;
use gst_webrtc::WebRTCStatsType;

use crate::{
    media::{clock::MediaClock, feed::lock},
    stats::{CandidateKind, CandidatePair, Transport},
};

/// A younger sample is new enough.
const FRESH: Duration = Duration::from_millis(450);
/// Ticks of the picture's RTP time in a second.
const VIDEO_RATE: f64 = 90_000.0;
/// Over a shorter time no rate is told.
const LEAST_NS: u64 = 100_000_000;

/// GStreamer takes a round trip from the wall clock: when that is set, what it says is the size of the step. No path is
/// that long.
fn is_a_way(round_trip_ms: f64) -> bool {
    round_trip_ms > 0.0 && round_trip_ms < 10_000.0
}

/// The newest of what was said.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sample {
    at_ns: u64,
    bytes: u64,
    /// Sent, in kbit/s.
    pub(super) kbps: Option<f64>,
    /// Round trip, in ms.
    pub(super) rtt_ms: Option<f64>,
    /// Of the picture, as the receiver has it, in ms.
    pub(super) jitter_ms: Option<f64>,
    /// The same, 0-1.
    pub(super) loss: Option<f64>,
    /// The same, packets.
    pub(super) lost: Option<u64>,
    /// Requests for key frames.
    pub(super) plis: Option<u64>,
    /// See `plis`.
    pub(super) firs: Option<u64>,
    /// By which way.
    pub(super) path: Option<CandidatePair>,
    /// The ingest's end of it; `None` through a relay over TCP, and where it is not said.
    pub(super) remote: Option<SocketAddr>,
}

/// Asks webrtcbin from time to time; its answers come later.
#[derive(Debug)]
pub(super) struct Figures {
    sample: Arc<Mutex<Sample>>,
    clock: MediaClock,
    /// Picture and sound.
    ssrcs: (u32, u32),
}

impl Figures {
    pub(super) fn new(clock: &MediaClock, ssrcs: (u32, u32)) -> Self {
        Self { sample: Arc::default(), clock: clock.clone(), ssrcs }
    }

    /// The last answer; asks for another one where that is not new any more.
    pub(super) fn sample(&self, webrtc: &gst::Element) -> Sample {
        let sample = *lock(&self.sample);
        let age = self.clock.now().nseconds().saturating_sub(sample.at_ns);
        if sample.at_ns == 0 || Duration::from_nanos(age) >= FRESH {
            self.ask(webrtc);
        }
        sample
    }

    fn ask(&self, webrtc: &gst::Element) {
        let sample = Arc::downgrade(&self.sample);
        let (clock, ssrcs) = (self.clock.clone(), self.ssrcs);
        let promise = gst::Promise::with_change_func(move |reply| {
            if let (Ok(Some(reply)), Some(sample)) = (reply, sample.upgrade()) {
                lock(&sample).read(reply, ssrcs, clock.now().nseconds());
            }
        });
        webrtc.emit_by_name::<()>("get-stats", &[&None::<gst::Pad>, &promise]);
    }
}

impl Sample {
    /// Joins the figures by SSRC: under BUNDLE webrtcbin mislabels kinds.
    fn read(&mut self, reply: &gst::StructureRef, ssrcs: (u32, u32), now_ns: u64) {
        let before = *self;
        // A report may be of the sound alone: what was known stays. A loss is of its own report.
        *self = Self { at_ns: now_ns, bytes: 0, loss: None, ..before };
        for (_, value) in reply {
            let Ok(entry) = value.get::<gst::Structure>() else { continue };
            match entry.get::<WebRTCStatsType>("type") {
                Ok(WebRTCStatsType::CandidatePair) => {
                    self.path = path(reply, &entry).or(self.path);
                    self.remote = remote(reply, &entry).or(self.remote);
                }
                Ok(kind) => self.stream(kind, &entry, ssrcs),
                Err(_) => {}
            }
        }
        let passed = now_ns.saturating_sub(before.at_ns);
        if before.at_ns > 0 && self.bytes >= before.bytes && passed > LEAST_NS {
            self.kbps = Some((self.bytes - before.bytes) as f64 * 8.0e6 / passed as f64);
        }
    }

    fn stream(&mut self, kind: WebRTCStatsType, entry: &gst::StructureRef, ssrcs: (u32, u32)) {
        let Ok(ssrc) = entry.get::<u32>("ssrc") else { return };
        let picture = ssrc == ssrcs.0;
        if !picture && ssrc != ssrcs.1 {
            return;
        }
        match kind {
            WebRTCStatsType::OutboundRtp => {
                self.bytes += entry.get::<u64>("bytes-sent").unwrap_or(0);
                if picture {
                    self.plis = entry.get::<u32>("pli-count").ok().map(u64::from);
                    self.firs = entry.get::<u32>("fir-count").ok().map(u64::from);
                }
            }
            WebRTCStatsType::RemoteInboundRtp => {
                let ms = |name| entry.get::<f64>(name).ok().map(|seconds| seconds * 1000.0);
                self.rtt_ms = ms("round-trip-time").filter(|ms| is_a_way(*ms)).or(self.rtt_ms);
                if picture {
                    self.jitter_ms =
                        ms("jitter").or_else(|| jitter_ms(entry, ssrc)).or(self.jitter_ms);
                    self.loss = entry.get::<f64>("fraction-lost").ok();
                    // Its type differs from version to version. Packets that come twice are counted against those
                    // that are lost.
                    let lost = entry.get::<i64>("packets-lost");
                    let lost = lost.or_else(|_| entry.get::<i32>("packets-lost").map(i64::from));
                    self.lost = lost.ok().map(|n| n.max(0) as u64).or(self.lost);
                }
            }
            _ => {}
        }
    }
}

/// The picture's jitter from the report block itself, which webrtcbin 1.22 leaves out.
fn jitter_ms(entry: &gst::StructureRef, ssrc: u32) -> Option<f64> {
    let source = entry.get::<gst::Structure>("gst-rtpsource-stats").ok()?;
    let of_it = source.get::<u32>("rb-ssrc").is_ok_and(|of| of == ssrc);
    let ticks = source.get::<u32>("rb-jitter").ok().filter(|_| of_it)?;
    Some(f64::from(ticks) * 1000.0 / VIDEO_RATE)
}

/// The kinds of a pair's ends.
fn path(all: &gst::StructureRef, pair: &gst::StructureRef) -> Option<CandidatePair> {
    let end = |name| {
        let id = pair.get::<String>(name).ok()?;
        let end = all.get::<gst::Structure>(&id).ok()?;
        let kind = CandidateKind::of(&end.get::<String>("candidate-type").ok()?)?;
        let transport = match end.get::<String>("protocol").ok()?.to_ascii_lowercase() {
            word if word.contains("udp") => Transport::Udp,
            word if word.contains("tcp") => Transport::Tcp,
            _ => return None,
        };
        Some((kind, transport))
    };
    let ((local, transport), (remote, _)) =
        (end("local-candidate-id")?, end("remote-candidate-id")?);
    Some(CandidatePair { local, remote, transport })
}

/// The address of a pair's far end that is reached by UDP.
fn remote(all: &gst::StructureRef, pair: &gst::StructureRef) -> Option<SocketAddr> {
    let end =
        all.get::<gst::Structure>(pair.get::<String>("remote-candidate-id").ok()?.as_str()).ok()?;
    let udp = end.get::<String>("protocol").ok()?.eq_ignore_ascii_case("udp");
    let ip = end.get::<String>("address").ok()?.parse().ok()?;
    let port = end.get::<u32>("port").ok().and_then(|port| u16::try_from(port).ok())?;
    udp.then(|| SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(bytes: u64) -> gst::Structure {
        let stream = |name: &str, kind, ssrc: u32| {
            gst::Structure::builder(name).field("type", kind).field("ssrc", ssrc)
        };
        let outbound = |name, ssrc| {
            stream(name, WebRTCStatsType::OutboundRtp, ssrc)
                .field("bytes-sent", bytes)
                .field("pli-count", 3_u32)
                .field("fir-count", 1_u32)
                .build()
        };
        let block = gst::Structure::builder("application/x-rtp-source-stats")
            .field("rb-ssrc", 7_u32)
            .field("rb-jitter", 360_u32)
            .build();
        let inbound = stream("in", WebRTCStatsType::RemoteInboundRtp, 7)
            .field("gst-rtpsource-stats", block)
            .field("round-trip-time", 0.08)
            .field("fraction-lost", 0.05)
            .field("packets-lost", 12_i64)
            .build();
        let end = |name: &str, kind: &str| {
            gst::Structure::builder(name)
                .field("type", WebRTCStatsType::LocalCandidate)
                .field("candidate-type", kind)
                .field("protocol", "UDP")
                .field("address", "::1")
                .field("port", 4000_u32)
                .build()
        };
        let pair = gst::Structure::builder("pair")
            .field("type", WebRTCStatsType::CandidatePair)
            .field("local-candidate-id", "local")
            .field("remote-candidate-id", "remote")
            .build();
        gst::Structure::builder("stats")
            .field("picture", outbound("picture", 7))
            .field("sound", outbound("sound", 8))
            .field("other", outbound("other", 9))
            .field("in", inbound)
            .field("local", end("local", "host"))
            .field("remote", end("remote", "srflx"))
            .field("pair", pair)
            .build()
    }

    #[test]
    fn a_sessions_figures_are_joined_by_their_streams() {
        gst::init().unwrap();
        let mut sample = Sample::default();
        sample.read(&reply(1000), (7, 8), 1_000_000_000);
        assert_eq!((sample.kbps, sample.bytes), (None, 2000));
        sample.read(&reply(101_000), (7, 8), 2_000_000_000);
        assert_eq!(sample.kbps, Some(1600.0));
        assert_eq!((sample.rtt_ms, sample.jitter_ms), (Some(80.0), Some(4.0)));
        assert_eq!((sample.loss, sample.lost), (Some(0.05), Some(12)));
        assert_eq!((sample.plis, sample.firs), (Some(3), Some(1)));
        let path = sample.path.unwrap();
        assert_eq!((path.local.word(), path.remote.word()), ("host", "srflx"));
        assert_eq!(path.transport, Transport::Udp);
        assert_eq!(sample.remote, Some("[::1]:4000".parse().unwrap()));
    }
}
