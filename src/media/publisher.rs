//! One output by WebRTC: takes encoded frames from the fan-out, packs them into RTP and sends them through
//! webrtcbin, with congestion control and pacing. The signalling (WHIP) happens elsewhere; the offer, the
//! answer and the candidates pass through here as text.

mod certificate;
mod consent;
mod figures;
mod parts;
mod route;
mod signs;
mod trouble;

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gst::prelude::*;
use gst_webrtc::{WebRTCICEConnectionState, WebRTCPeerConnectionState, WebRTCSDPType};
use tokio::sync::{mpsc, oneshot};

use super::{
    MediaError,
    clock::MediaClock,
    congestion::{Advice, Congestion},
    error::element,
    fanout::{Consumer, Encoded, Fanout, Inlet},
    feed::lock,
    limit::{Limits, Standing},
    pipeline::{self, Need},
    rendition::Rendition,
    trail::{AT_SOCKET, Departures, ENCODED, PACED, Sent},
};
use crate::{
    base::Kbps,
    flow::liveness::{Kind, News},
    show::{Profile, VideoCodec},
    stats::{OutputFigures, OutputWay, QualityLimit},
    whip::fingerprint::{self, Fingerprints, HashFunction},
};

pub use certificate::Certificate;
use certificate::Peer;
use consent::Checks;
use figures::Figures;
use parts::Parts;
pub use route::Route;
use signs::Signs;

/// The extension that numbers packets across streams, so that the receiver can report on each
/// (draft-holmer-rmcat-transport-wide-cc-extensions).
const TWCC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
pub(super) const VIDEO_PT: u32 = 96;
/// RTX takes 97 by itself, so sound keeps well away.
pub(super) const AUDIO_PT: u32 = 111;
/// Room for SRTP, a TURN header and a tunnel below an MTU of 1280.
const MTU: u32 = 1200;

/// What a session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// A local candidate, with the number of its m-line.
    Candidate(u32, String),
    /// All local candidates are known.
    GatheringDone,
    /// ICE and DTLS are done, and the other end is the one that its answer names: media may flow.
    Connected,
    /// The path carries too little for a picture, and the sound goes alone; or the picture is back.
    Picture(bool),
    /// The session is over; why.
    Failed(String),
    /// No way to the other end was found (ICE).
    NoPath,
    /// The session is over, and another one is not to be opened by itself; why.
    Refused(String),
}

/// A running session.
pub struct Publisher {
    pipeline: gst::Pipeline,
    webrtc: gst::Element,
    parts: Parts,
    peer: Peer,
    own: Arc<Certificate>,
    consumer: Arc<Consumer>,
    rendition: Arc<Rendition>,
    congestion: Congestion,
    clock: MediaClock,
    figures: Figures,
    limits: Mutex<Limits>,
    /// When its frames passed each stage.
    trail: Arc<Sent>,
    /// Signs of life of the ingest.
    signs: Signs,
    /// Connectivity checks of our own, once both credentials are known.
    checks: Mutex<Option<Checks>>,
    offered: OnceLock<String>,
    order: u32,
    opened: AtomicBool,
    obey: Arc<dyn Fn(Advice) + Send + Sync>,
}

/// The picture's near end, where the trail of its frames begins.
struct Door {
    source: gst_app::AppSrc,
    trail: Arc<Sent>,
}

impl Inlet for Door {
    fn waiting(&self) -> u64 {
        self.source.waiting()
    }

    fn push(&self, frame: &Encoded) {
        if let Some(pts) = frame.buffer.pts() {
            self.trail.begin(frame.number, pts.nseconds(), [frame.encoded_ns, 0, 0]);
        }
        self.source.push(frame);
    }
}

fn setup(e: gst::glib::BoolError) -> MediaError {
    MediaError::lasting(format!("publishing: {e}"))
}

fn video_caps(profile: &Profile, ssrc: u32) -> gst::Caps {
    let caps = gst::Caps::builder("application/x-rtp")
        .field("media", "video")
        .field("payload", VIDEO_PT as i32)
        .field("clock-rate", 90_000_i32)
        .field("ssrc", ssrc)
        .field("rtcp-fb-nack-pli", true)
        .field("rtcp-fb-ccm-fir", true)
        .field("rtcp-fb-transport-cc", true)
        .field("extmap-3", TWCC);
    match profile.codec {
        VideoCodec::H264 => {
            // 42e0: what every WebRTC endpoint has to take. Level 3.1 ends at 720p30; above it the level
            // is said truly and asymmetry allowed, as libwebrtc does.
            let level = match super::encoder::level(profile.canvas) {
                "3.1" => "1f",
                "3.2" => "20",
                "4" => "28",
                "4.2" => "2a",
                _ => "33",
            };
            caps.field("encoding-name", "H264")
                .field("packetization-mode", "1")
                .field("profile-level-id", format!("42e0{level}"))
                .field("level-asymmetry-allowed", "1")
                .build()
        }
        VideoCodec::Vp8 => caps.field("encoding-name", "VP8").build(),
    }
}

fn audio_caps(ssrc: u32) -> gst::Caps {
    gst::Caps::builder("application/x-rtp")
        .field("media", "audio")
        .field("payload", AUDIO_PT as i32)
        .field("clock-rate", 48_000_i32)
        .field("encoding-name", "OPUS")
        .field("encoding-params", "2")
        .field("ssrc", ssrc)
        .field("minptime", "10")
        .field("useinbandfec", "1")
        .field("sprop-stereo", "1")
        .field("stereo", "1")
        .field("rtcp-fb-transport-cc", true)
        .field("extmap-3", TWCC)
        .build()
}

fn source(name: &str, caps: &gst::Caps) -> gst_app::AppSrc {
    gst_app::AppSrc::builder()
        // Its thread is called so, too.
        .name(name)
        .caps(caps)
        .format(gst::Format::Time)
        .is_live(true)
        .block(false)
        .build()
}

/// Two different numbers, neither zero.
fn fresh_ssrcs() -> (u32, u32) {
    let mut bytes = [0_u8; 8];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = [0x5a, 1, 2, 3, 0xa5, 4, 5, 6];
    }
    let [a, b, c, d, e, f, g, h] = bytes;
    (u32::from_be_bytes([a | 1, b, c, d]), u32::from_be_bytes([e & !1 | 2, f, g, h]))
}

/// What a session is made with.
pub struct Session<'a> {
    /// What it sends.
    pub rendition: &'a Arc<Rendition>,
    /// The clock of all pipelines.
    pub clock: &'a MediaClock,
    /// How it reaches its ingest.
    pub route: &'a Route,
    /// Our certificate.
    pub certificate: &'a Arc<Certificate>,
    /// Its place among the outputs of the show: the lowest that is open leads.
    pub order: u32,
    /// What the picture had on this way lately; `None` begins with the profile's own rate.
    pub start: Option<Kbps>,
    /// Told what congestion control advises; answers with the most the picture may take where the shared encoder
    /// does not follow this session.
    pub on_advice: Box<dyn Fn(Advice) -> Option<Kbps> + Send + Sync>,
}

impl Publisher {
    /// Builds a session and starts it. It sends nothing before its answer is set and it has connected.
    pub fn start(session: Session<'_>) -> Result<(Self, mpsc::Receiver<SessionEvent>), MediaError> {
        let Session { rendition, clock, route, certificate, order, start, on_advice } = session;
        let Rendition { profile, fanout, .. } = &**rendition;
        let ssrcs = fresh_ssrcs();
        let (pipeline, _claim) = pipeline::make("output", Need::Session)?;
        let webrtc = element("webrtcbin")?;
        webrtc.set_property_from_str("bundle-policy", "max-bundle");
        // Before the streams are made: what comes later is not asked.
        route.use_servers(&webrtc)?;
        // Sender reports speak of capture, not of sending: what a frame waits in the pacer must not look
        // like a change of its time.
        if let Some(rtp) = webrtc.downcast_ref::<gst::Bin>().and_then(|b| b.by_name("rtpbin")) {
            rtp.set_property("rtcp-sync-send-time", false);
        }
        let trail = Arc::new(Sent::default());
        let (events, received) = mpsc::channel(64);
        let peer = Peer::new(events.clone());
        let parts = Parts::of(&webrtc, &trail, clock, certificate, &peer);
        let video_pay = match profile.codec {
            VideoCodec::H264 => {
                let pay = element("rtph264pay")?;
                pay.set_property_from_str("aggregate-mode", "zero-latency");
                pay
            }
            VideoCodec::Vp8 => {
                let pay = element("rtpvp8pay")?;
                pay.set_property_from_str("picture-id-mode", "15-bit");
                pay
            }
        };
        video_pay.set_property("mtu", MTU);
        video_pay.set_property("pt", VIDEO_PT);
        video_pay.set_property("ssrc", ssrcs.0);
        let audio_pay = element("rtpopuspay")?;
        audio_pay.set_property("pt", AUDIO_PT);
        audio_pay.set_property("ssrc", ssrcs.1);
        let encoded = match profile.codec {
            VideoCodec::H264 => gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                // The payloader compares these with what the session may carry.
                .field("profile", "constrained-baseline")
                .field("level", super::encoder::level(profile.canvas))
                .build(),
            VideoCodec::Vp8 => gst::Caps::new_empty_simple("video/x-vp8"),
        };
        let opus = gst::Caps::builder("audio/x-opus")
            .field("channel-mapping-family", 0_i32)
            .field("channels", 2_i32)
            .field("rate", 48_000_i32)
            .build();
        let (video, audio) = (source("out-video", &encoded), source("out-audio", &opus));
        pipeline
            .add_many([video.upcast_ref(), &video_pay, audio.upcast_ref(), &audio_pay, &webrtc])
            .map_err(setup)?;
        for (from, pay, caps) in [
            (&video, &video_pay, video_caps(profile, ssrcs.0)),
            (&audio, &audio_pay, audio_caps(ssrcs.1)),
        ] {
            from.link(pay).map_err(setup)?;
            let pad = webrtc
                .request_pad_simple("sink_%u")
                .ok_or_else(|| MediaError::lasting("webrtcbin gives no pad"))?;
            let transceiver = pad.property::<gst_webrtc::WebRTCRTPTransceiver>("transceiver");
            transceiver
                .set_property("direction", gst_webrtc::WebRTCRTPTransceiverDirection::Sendonly);
            transceiver.set_property("codec-preferences", &caps);
            transceiver.set_property("do-nack", from == &video);
            let out = pay
                .static_pad("src")
                .ok_or_else(|| MediaError::lasting("a payloader without an end"))?;
            out.link(&pad).map_err(|e| MediaError::lasting(format!("publishing: {e}")))?;
        }
        let door = Door { source: video.clone(), trail: Arc::clone(&trail) };
        let consumer = Arc::new(Consumer::new(door, audio));
        let obey: Arc<dyn Fn(Advice) + Send + Sync> = Arc::new({
            let (consumer, tell) = (Arc::downgrade(&consumer), events.clone());
            let fanout = Arc::downgrade(fanout);
            move |advice: Advice| {
                let limit = on_advice(advice);
                let Some(consumer) = consumer.upgrade() else { return };
                if consumer.has_picture() != advice.picture_on {
                    if let Some(fanout) = fanout.upgrade().filter(|_| advice.picture_on) {
                        // On a path that hardly carries anything two seconds of waiting are too long.
                        fanout.want_key(true);
                    }
                    // A full channel means nobody listens any more.
                    let _ = tell.try_send(SessionEvent::Picture(advice.picture_on));
                }
                consumer.limit(advice.picture_on, limit);
            }
        });
        let congestion = {
            let obey = Arc::clone(&obey);
            let on_advice = Box::new(move |a| obey(a));
            let fanout = Arc::downgrade(fanout);
            let on_key = Box::new(move || {
                if let Some(fanout) = fanout.upgrade() {
                    fanout.want_key(false);
                }
            });
            Congestion::install(&webrtc, profile, start, clock, &trail, on_advice, on_key)?
        };
        let signs = {
            let (obey, coarsely) = (Arc::clone(&obey), congestion.coarsely());
            let advise = Box::new(move |now, rate, loss| obey(coarsely(now, rate, loss)));
            Signs::of(&webrtc, clock, ssrcs.0, congestion.bounds, &events, advise)
        };
        forward_key_requests(&video, fanout);
        route.keep_addresses(&webrtc)?;
        route::leave_routers_alone(&webrtc);
        watch_session(&webrtc, &pipeline, &events, &peer);
        clock.adopt(&pipeline);
        fanout.join(Arc::clone(&consumer));
        let publisher = Self {
            pipeline,
            webrtc,
            parts,
            peer,
            own: Arc::clone(certificate),
            consumer,
            rendition: Arc::clone(rendition),
            congestion,
            clock: clock.clone(),
            figures: Figures::new(clock, ssrcs),
            limits: Mutex::default(),
            trail,
            signs,
            checks: Mutex::default(),
            offered: OnceLock::new(),
            order,
            opened: AtomicBool::new(false),
            obey,
        };
        publisher
            .pipeline
            .set_state(gst::State::Playing)
            .map_err(|e| MediaError::lasting(format!("publishing does not start: {e}")))?;
        Ok((publisher, received))
    }

    /// Makes the offer and begins to gather candidates.
    pub async fn offer(&self) -> Result<String, MediaError> {
        let (tell, told) = oneshot::channel();
        let webrtc = self.webrtc.downgrade();
        let promise = gst::Promise::with_change_func(move |reply| {
            let offer = reply
                .ok()
                .flatten()
                .and_then(|s| s.get::<gst_webrtc::WebRTCSessionDescription>("offer").ok());
            if let (Some(offer), Some(webrtc)) = (&offer, webrtc.upgrade()) {
                webrtc.emit_by_name::<()>("set-local-description", &[offer, &None::<gst::Promise>]);
            }
            let _ = tell.send(offer.and_then(|o| o.sdp().as_text().ok()));
        });
        self.webrtc.emit_by_name::<()>("create-offer", &[&None::<gst::Structure>, &promise]);
        let offer = told.await.ok().flatten();
        let offer = offer.ok_or_else(|| MediaError::lasting("webrtcbin made no offer"))?;
        let _ = self.offered.set(offer.clone());
        // webrtcbin takes the fingerprint of everything that was set as certificate, the key included.
        Ok(fingerprint::replace(&offer, self.own.fingerprint()))
    }

    /// Sets the ingest's answer, in the form that `whip::answer` gives it.
    ///
    /// # Errors
    /// Nobody could be told by it, or webrtcbin refuses it: the ingest would answer the next offer in the same way.
    pub async fn answer(&self, sdp: &str) -> Result<(), MediaError> {
        let bad =
            |why: &str| MediaError::lasting(format!("the ingest's answer is of no use: {why}"));
        let named = Fingerprints::of(sdp, &HashFunction::ALL)
            .map_err(|why| MediaError::lasting(format!("the ingest's answer {why}")))?;
        // webrtcbin wants the same in each section, and looks no further.
        let sdp =
            named.first().map_or_else(|| sdp.to_owned(), |one| fingerprint::replace(sdp, &one));
        // Before webrtcbin knows the way: from then on somebody may show a certificate.
        self.peer.expect(named);
        *lock(&self.checks) = self.offered.get().and_then(|offer| Checks::of(offer, &sdp));
        let sdp =
            gst_sdp::SDPMessage::parse_buffer(sdp.as_bytes()).map_err(|_| bad("it is not SDP"))?;
        let answer = gst_webrtc::WebRTCSessionDescription::new(WebRTCSDPType::Answer, sdp);
        let (tell, told) = oneshot::channel();
        let promise = gst::Promise::with_change_func(move |reply| {
            let refused = match reply {
                Ok(Some(s)) => s.get::<gst::glib::Error>("error").ok().map(|e| e.to_string()),
                _ => None,
            };
            let _ = tell.send(refused);
        });
        self.webrtc.emit_by_name::<()>("set-remote-description", &[&answer, &promise]);
        match told.await {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(bad(&why)),
            Err(_) => {
                Err(MediaError::passing("the media session ended while its answer was being set"))
            }
        }
    }

    /// One more address of the ingest's: `candidate:…` at that m-line.
    pub fn candidate(&self, line: u32, candidate: &str) {
        self.webrtc.emit_by_name::<()>("add-ice-candidate", &[&line, &candidate]);
    }

    /// Whether a way to the other end was found (ICE), whatever became of the rest.
    pub fn has_path(&self) -> bool {
        let ice = self.webrtc.property::<WebRTCICEConnectionState>("ice-connection-state");
        matches!(ice, WebRTCICEConnectionState::Connected | WebRTCICEConnectionState::Completed)
    }

    /// The session is connected: frames flow from the next key frame on. `expected` is the sign of life that an earlier
    /// session with this ingest gave: its absence is silence from now on.
    pub fn open(&self, expected: Option<Kind>) {
        if !self.peer.is_proven() {
            return;
        }
        if !self.opened.swap(true, Ordering::Relaxed) {
            self.rendition.leading.join(self.order);
        }
        self.signs.open(expected);
        // Whoever drove the encoder before: the first frames are for this path.
        let picture = self.congestion.picture();
        (self.obey)(Advice { picture, settled: picture, loss: 0.0, picture_on: true });
        self.rendition.fanout.open(&self.consumer);
    }

    /// What is new about whether the ingest is still there.
    pub fn news(&self) -> Option<News> {
        if self.signs.needs_checks()
            && let Some(to) = self.figures.sample(&self.webrtc).remote
            && let Some(checks) = lock(&self.checks).as_mut()
            && checks.look(self.signs.now(), to)
        {
            self.signs.consented();
        }
        self.signs.judge()
    }

    /// By which kind of sign the ingest has shown that it is there, if by any.
    pub fn sign(&self) -> Option<Kind> {
        self.signs.given()
    }

    /// Frames thrown away because the session could not keep up.
    pub fn dropped(&self) -> u64 {
        self.consumer.dropped()
    }

    /// When its frames were at the socket.
    pub fn departures(&self) -> Departures {
        Departures::new(Arc::clone(&self.trail), self.clock.clone())
    }

    /// The sender's figures. Asks webrtcbin for fresh ones and answers with the last.
    pub fn figures(&self) -> OutputFigures {
        let sample = self.figures.sample(&self.webrtc);
        let now = self.clock.now();
        let path = self.congestion.figures(now.nseconds());
        // A figure of a report that has long been the last one is none.
        let age = self.signs.age(sample.kbps);
        let rendition = &*self.rendition;
        let of_packets = age.packets.then_some(path);
        let of_reports = age.reports.then_some(sample);
        OutputFigures {
            sent_kbps: sample.kbps,
            target_kbps: Some(f64::from(rendition.rate().0)),
            available_kbps: of_packets.and_then(|p| p.available).map(|k| f64::from(k.0)),
            rtt_ms: age.rtt_ms.or_else(|| of_reports?.rtt_ms),
            // Reports on each packet say more, and sooner, than the receiver's summary.
            jitter_ms: of_packets.and_then(|p| p.jitter_ms).or_else(|| of_reports?.jitter_ms),
            loss: of_packets.and_then(|p| p.loss).or_else(|| of_reports?.loss),
            lost: of_packets.and_then(|p| p.lost).or_else(|| of_reports?.lost),
            nacks: Some(path.nacks),
            plis: sample.plis,
            firs: sample.firs,
            rtx_kbps: path.rtx_kbps,
            redundant_kbps: path.redundant_kbps,
            pacer_ms: Some(path.pacer_ms),
            pacer_packets: Some(path.pacer_packets),
            congestion: of_packets.and_then(|p| p.state),
            path: sample.path,
            encoder_queue: Some(rendition.strain.in_hand.load(Ordering::Relaxed)),
            limit: self.limit(),
            way: OutputWay {
                encode: rendition.trail.took(ENCODED, now.nseconds()),
                pace: self.trail.took(PACED, now.nseconds()),
                send: self.trail.took(AT_SOCKET, now.nseconds()),
            },
            silent_ms: age.quiet.map(|quiet| quiet.as_millis() as u64),
            dropped: self.dropped(),
            disk: None,
        }
    }

    /// What limits the quality; nothing is to be said before the session is open.
    fn limit(&self) -> Option<QualityLimit> {
        if !self.opened.load(Ordering::Relaxed) {
            return None;
        }
        let at = Duration::from_nanos(self.clock.now().nseconds());
        let leads = self.rendition.leading.is(self.order);
        let standing = Standing::of(&self.rendition, at, leads, self.consumer.left_out());
        Some(lock(&self.limits).look(standing))
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.rendition.fanout.leave(&self.consumer);
        if self.opened.load(Ordering::Relaxed) {
            self.rendition.leading.leave(self.order);
        }
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
        Parts::finish_work(&self.webrtc);
        self.parts.close_ears();
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// A receiver's PLI or FIR arrives at our source as an event going upstream; the shared encoder hears of it.
fn forward_key_requests(video: &gst_app::AppSrc, fanout: &Arc<Fanout>) {
    let fanout = Arc::downgrade(fanout);
    if let Some(pad) = video.static_pad("src") {
        pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            let wanted = info.event().is_some_and(|e| gst_video::ForceKeyUnitEvent::is(e));
            if let Some(fanout) = fanout.upgrade().filter(|_| wanted) {
                fanout.want_key(false);
            }
            gst::PadProbeReturn::Ok
        });
    }
}

fn watch_session(
    webrtc: &gst::Element,
    pipeline: &gst::Pipeline,
    events: &mpsc::Sender<SessionEvent>,
    peer: &Peer,
) {
    // A full channel means nobody listens any more; the session is then on its way out.
    let tell = events.clone();
    webrtc.connect("on-ice-candidate", false, move |values| {
        let line = values.get(1)?.get::<u32>().ok()?;
        let candidate = values.get(2)?.get::<String>().ok()?;
        let _ = tell.try_send(SessionEvent::Candidate(line, candidate));
        None
    });
    let tell = events.clone();
    webrtc.connect_notify(Some("ice-gathering-state"), move |webrtc, _| {
        let state = webrtc.property::<gst_webrtc::WebRTCICEGatheringState>("ice-gathering-state");
        if state == gst_webrtc::WebRTCICEGatheringState::Complete {
            let _ = tell.try_send(SessionEvent::GatheringDone);
        }
    });
    let (tell, other) = (events.clone(), peer.clone());
    let connected = Arc::new(AtomicBool::new(false));
    let was = Arc::clone(&connected);
    webrtc.connect_notify(Some("connection-state"), move |webrtc, _| {
        let state = webrtc.property::<WebRTCPeerConnectionState>("connection-state");
        let event = match state {
            // Who showed another certificate has been refused already.
            WebRTCPeerConnectionState::Connected => {
                other.is_proven().then_some(SessionEvent::Connected)
            }
            _ => trouble::state(webrtc, was.load(Ordering::Relaxed)),
        };
        if event == Some(SessionEvent::Connected) {
            was.store(true, Ordering::Relaxed);
        }
        if let Some(event) = event {
            let _ = tell.try_send(event);
        }
    });
    let tell = events.clone();
    let found = AtomicBool::new(false);
    webrtc.connect_notify(Some("ice-connection-state"), move |webrtc, _| {
        match webrtc.property::<WebRTCICEConnectionState>("ice-connection-state") {
            WebRTCICEConnectionState::Connected | WebRTCICEConnectionState::Completed => {
                found.store(true, Ordering::Relaxed);
            }
            WebRTCICEConnectionState::Failed if found.load(Ordering::Relaxed) => {
                let why = "the ingest does not answer ICE checks any more (consent lost, RFC 7675)";
                let _ = tell.try_send(SessionEvent::Failed(why.into()));
            }
            WebRTCICEConnectionState::Failed => {
                let _ = tell.try_send(SessionEvent::NoPath);
            }
            _ => {}
        }
    });
    let tell = events.clone();
    if let Some(bus) = pipeline.bus() {
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                let _ = tell.try_send(trouble::posted(error, connected.load(Ordering::Relaxed)));
            }
            gst::BusSyncReply::Drop
        });
    }
}
