//! The monitor: hawker as a viewer of a stream, its own or another's, by WHEP. It measures what a viewer gets
//! and shows nothing. It makes the offer and takes the answer as text; carrying them is somebody else's.

mod seen;
mod skew;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    format::Codec as Coding,
    media::{Direction, KeyframeRequestKind, MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::RtpPacket,
};
use tokio::sync::{mpsc, watch};

use self::seen::Seen;
use super::{
    clock,
    depacket::{Depacket, Frame, Packet},
    lane::Report,
    payload::Codec,
    session,
    sfu::{is_passing, landing},
};
use crate::{
    base::text,
    show::VideoCodec,
    stats::{WatchFigures, report::MonitorReport},
    whip::{fingerprint, whep},
};

/// How to watch.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// The address of this machine media come to: 127.0.0.1 for a stage on loopback, else
    /// [`local_address_toward`](super::local_address_toward) the server.
    pub local: IpAddr,
    /// How many frames may wait for who takes them by [`Watch::frames`]; 0 is to give none.
    pub frames: usize,
    /// How many packets of sound may wait for who takes them by [`Watch::sounds`]; 0 is to give none.
    pub sounds: usize,
    /// The show whose frames are awaited, by the id in their stamps; `None` when it may be any.
    pub show: Option<u64>,
}

impl Default for WatchOptions {
    /// On loopback, figures only.
    fn default() -> Self {
        Self { local: Ipv4Addr::LOCALHOST.into(), frames: 0, sounds: 0, show: None }
    }
}

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// No socket or thread for it.
    #[error(
        "the monitor cannot open a socket on {local}: {source}. Check that it is an address of this machine"
    )]
    Socket {
        /// Where.
        local: IpAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The server's answer is of no use.
    #[error(
        "the server's answer cannot be used: {0}. Check that the address is that of a WHEP endpoint"
    )]
    Answer(String),
    /// The offer has been answered already.
    #[error("the offer has been answered already: make a new monitor for a new session")]
    Answered,
}

/// Where the monitor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchState {
    /// Offered; not connected yet.
    Connecting,
    /// Receives, if the server sends.
    Connected,
    /// Over: the server ended it, or is gone. Make a new monitor to watch again.
    Ended,
}

/// One whole frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// H.264 as Annex B, or a VP8 frame.
    pub data: Bytes,
    /// Which of the two.
    pub codec: VideoCodec,
    /// RTP time, 90 kHz.
    pub rtp_time: u32,
    /// When its last packet came.
    pub arrived: Instant,
    /// When it was captured, on this machine's CLOCK_MONOTONIC in nanoseconds; `None` without a stamp, or
    /// with one of another boot.
    pub capture_ns: Option<u64>,
    /// When it was captured by the sender's wall clock, from its RTP time and the last sender report; `None`
    /// before the first.
    pub captured_at: Option<SystemTime>,
    /// Its number in the program; `None` without a stamp.
    pub frame_no: Option<u64>,
    /// It can be decoded without those before it.
    pub key: bool,
    /// Frames before it were lost: nobody took them in time.
    pub after_gap: bool,
}

/// One packet of sound as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundPacket {
    /// Opus.
    pub data: Bytes,
    /// RTP time, 48 kHz.
    pub rtp_time: u32,
    /// When it was captured by the sender's wall clock, from its RTP time and the last sender report; `None`
    /// before the first.
    pub captured_at: Option<SystemTime>,
}

const UNREADABLE: &str = "it is not SDP as RFC 8866 has it";
const UNFIT: &str = "it does not fit the offer: its sections are in another order or direction, or it names no \
                     certificate";
/// Between two requests for a key frame.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Ticks of a picture's RTP time in a second.
const VIDEO_RATE: u32 = 90_000;
/// The longest sleep.
const NAP: Duration = Duration::from_millis(100);

/// One who watches.
#[derive(Debug)]
pub struct Watch {
    offered: Option<Offered>,
    shared: Arc<Shared>,
    waker: UdpSocket,
    thread: Option<JoinHandle<()>>,
    frames: Option<mpsc::Receiver<AccessUnit>>,
    sounds: Option<mpsc::Receiver<SoundPacket>>,
    state: watch::Receiver<WatchState>,
}

#[derive(Debug)]
struct Shared {
    seen: Mutex<Seen>,
    stop: AtomicBool,
    /// Somebody began to look in the middle of the stream.
    key_wanted: AtomicBool,
    /// Whoever answers on the media path is not the server.
    impostor: AtomicBool,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for the answer.
#[derive(Debug)]
struct Offered {
    pending: SdpPendingOffer,
    work: Box<Work>,
}

#[derive(Debug)]
struct Work {
    socket: UdpSocket,
    local: SocketAddr,
    rtc: Rtc,
    shared: Arc<Shared>,
    state: watch::Sender<WatchState>,
    frames: Option<mpsc::Sender<AccessUnit>>,
    sounds: Option<mpsc::Sender<SoundPacket>>,
    depacket: Depacket,
    /// The last sender report of the picture.
    report: Option<Report>,
    video: Mid,
    asked: Option<Instant>,
    boot: u64,
    /// A frame was lost for want of room.
    gap: bool,
}

impl Watch {
    /// A monitor and its offer, to be posted as `application/sdp` to a WHEP endpoint.
    pub fn new(options: &WatchOptions) -> Result<(Self, String), WatchError> {
        let local = options.local;
        let broken = |source| WatchError::Socket { local, source };
        let socket = UdpSocket::bind((local, 0)).map_err(broken)?;
        let address = socket.local_addr().map_err(broken)?;
        let waker = landing::waker(&socket).map_err(broken)?;
        landing::roomy(&socket);
        let mut rtc = session::config("").build(Instant::now());
        let candidate = Candidate::host(address, "udp").map_err(|error| {
            broken(std::io::Error::new(std::io::ErrorKind::AddrNotAvailable, error.to_string()))
        })?;
        rtc.add_local_candidate(candidate);
        let mut api = rtc.sdp_api();
        let video = api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let (offer, pending) = api
            .apply()
            .ok_or_else(|| WatchError::Answer("the offer could not be made".to_owned()))?;
        let boot = clock::this_boot();
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen::new(Instant::now(), boot, options.show)),
            stop: AtomicBool::new(false),
            key_wanted: AtomicBool::new(false),
            impostor: AtomicBool::new(false),
        });
        let (give_frames, frames) = channel(options.frames);
        let (give_sounds, sounds) = channel(options.sounds);
        let (tell, state) = watch::channel(WatchState::Connecting);
        let work = Box::new(Work {
            socket,
            local: address,
            rtc,
            shared: Arc::clone(&shared),
            state: tell,
            frames: give_frames,
            sounds: give_sounds,
            depacket: Depacket::default(),
            report: None,
            video,
            asked: None,
            boot,
            gap: false,
        });
        let offered = Some(Offered { pending, work });
        let watch = Self { offered, shared, waker, thread: None, frames, sounds, state };
        Ok((watch, offer.to_sdp_string()))
    }

    /// Takes the server's answer and begins to watch.
    pub fn answer(&mut self, sdp: &str) -> Result<(), WatchError> {
        let Offered { pending, mut work } = self.offered.take().ok_or(WatchError::Answered)?;
        let refuse = |error: String| WatchError::Answer(text::short(&error, 200));
        let checked = fingerprint::only_sha256(sdp).map_err(|e| refuse(format!("it {e}")))?;
        // A parser's own words may hold addresses of memory, and mean nothing to whoever reads them.
        let answer = SdpAnswer::from_sdp_string(&checked)
            .map_err(|_| WatchError::Answer(UNREADABLE.into()))?;
        let taken = work.rtc.sdp_api().accept_answer(pending, answer);
        taken.map_err(|_| WatchError::Answer(UNFIT.into()))?;
        self.shared.seen().expect_picture(whep::has_picture(sdp));
        let local = work.local.ip();
        let thread = std::thread::Builder::new()
            .name("monitor".into())
            .spawn(move || work.run())
            .map_err(|source| WatchError::Socket { local, source })?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Whether it ended because the certificate shown on the media path is not the one that the answer names: somebody
    /// else is there.
    pub fn met_impostor(&self) -> bool {
        self.shared.impostor.load(Ordering::Acquire)
    }

    /// What it sees now.
    pub fn figures(&self, now: Instant) -> WatchFigures {
        self.shared.seen().figures(now)
    }

    /// The numbers of the frames that came in the 10 s before `now`, and when, on this machine's CLOCK_MONOTONIC in
    /// nanoseconds; those that were stamped on it since it booted.
    pub fn arrivals(&self, now: Instant) -> Vec<(u64, u64)> {
        self.shared.seen().arrivals(now)
    }

    /// Whether it has seen a frame, or heard a stream that has sound alone.
    pub fn has_frames(&self) -> bool {
        self.first_frame().is_some()
    }

    /// When the first frame came, or the first packet of a stream that has sound alone.
    pub fn first_frame(&self) -> Option<Instant> {
        self.shared.seen().first()
    }

    /// What it has seen so far.
    pub fn report(&self) -> MonitorReport {
        self.shared.seen().report()
    }

    /// Asks the sender for a key frame, for somebody who begins to look now.
    pub fn ask_key_frame(&self) {
        self.shared.key_wanted.store(true, Ordering::Release);
    }

    /// Where it is; can be waited on.
    pub fn state(&self) -> watch::Receiver<WatchState> {
        self.state.clone()
    }

    /// The frames themselves, once, if they were asked for. Who is too slow loses the newest.
    pub fn frames(&mut self) -> Option<mpsc::Receiver<AccessUnit>> {
        self.frames.take()
    }

    /// The packets of sound, once, if they were asked for. Who is too slow loses the newest.
    pub fn sounds(&mut self) -> Option<mpsc::Receiver<SoundPacket>> {
        self.sounds.take()
    }

    /// Ends the session with a goodbye and joins what was started. The figures stay readable in what was
    /// taken before.
    pub async fn stop(mut self) {
        if let Some(thread) = self.halt() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn halt(&mut self) -> Option<JoinHandle<()>> {
        self.shared.stop.store(true, Ordering::Release);
        let _ = self.waker.send(&[]);
        self.thread.take()
    }
}

impl Drop for Watch {
    /// OpenSSL takes a thread that outlives the process badly.
    fn drop(&mut self) {
        if let Some(thread) = self.halt() {
            let _ = thread.join();
        }
    }
}

impl Work {
    fn run(mut self: Box<Self>) {
        let mut buffer = vec![0; 2048];
        let mut wake_at = self.drain();
        while !self.shared.stop.load(Ordering::Acquire) && self.rtc.is_alive() {
            let now = Instant::now();
            let due = [Some(wake_at), self.depacket.expires_at()];
            let due = due.into_iter().flatten().min().unwrap_or(now + NAP);
            let wait = due.saturating_duration_since(now).clamp(Duration::from_millis(1), NAP);
            if self.socket.set_read_timeout(Some(wait)).is_err() {
                break;
            }
            match self.socket.recv_from(&mut buffer) {
                Ok((0, _)) => {}
                Ok((n, source)) => {
                    let Ok(contents) = buffer[..n].try_into() else { continue };
                    let proto = Protocol::Udp;
                    let source = landing::plain(source);
                    let packet = Receive { proto, source, destination: self.local, contents };
                    let input = Input::Receive(Instant::now(), packet);
                    if self.rtc.accepts(&input) && self.rtc.handle_input(input).is_err() {
                        break;
                    }
                    wake_at = self.drain();
                }
                Err(error) if is_passing(error.kind()) => {}
                Err(error) => {
                    tracing::warn!(%error, "the monitor's socket broke");
                    break;
                }
            }
            let now = Instant::now();
            if now >= wake_at {
                if self.rtc.handle_input(Input::Timeout(now)).is_err() {
                    break;
                }
                wake_at = self.drain();
            }
            self.depacket.expire(now);
            self.deliver();
            if self.ask_key(now) {
                wake_at = self.drain();
            }
        }
        if self.rtc.close().is_ok() {
            let _ = self.rtc.handle_input(Input::Timeout(Instant::now()));
            self.drain();
        }
        self.state.send_replace(WatchState::Ended);
    }

    /// Takes everything the session has to give; returns when it wants time.
    fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => return at,
                Ok(Output::Transmit(out)) => {
                    let _ = self.socket.send_to(&out.contents, out.destination);
                }
                Ok(Output::Event(event)) => match event {
                    Event::Connected => {
                        self.state.send_replace(WatchState::Connected);
                    }
                    Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                        self.rtc.disconnect();
                    }
                    Event::RtpPacket(packet) => self.packet(packet),
                    _ => {}
                },
                Err(error) => {
                    tracing::debug!(%error, "the monitor's session broke");
                    self.shared.impostor.fetch_or(session::is_impostor(&error), Ordering::AcqRel);
                    self.rtc.disconnect();
                    return Instant::now() + NAP;
                }
            }
        }
    }

    fn packet(&mut self, packet: RtpPacket) {
        let pt = packet.header.payload_type;
        let Some(params) = self.rtc.codec_config().params().iter().find(|p| p.pt() == pt) else {
            return;
        };
        let (coding, rate) = (params.spec().codec, params.spec().clock_rate.get());
        let rtp = packet.header.timestamp;
        let marker = packet.header.marker;
        let report = packet
            .last_sender_info
            .as_ref()
            .map(|info| Report { wall: info.ntp_time, rtp: info.rtp_time.numer() as u32 });
        let codec = match coding {
            Coding::H264 => Some(Codec::H264),
            Coding::Vp8 => Some(Codec::Vp8),
            _ => None,
        };
        {
            let mut seen = self.shared.seen();
            seen.bytes(packet.payload.len(), packet.timestamp);
            match codec {
                Some(_) => seen.picture_packet(packet.timestamp, rtp, rate),
                None => seen.sound_packet(packet.timestamp),
            }
            // A frame's delay is that of its last packet.
            if let Some(report) = report
                && (codec.is_none() || marker)
            {
                seen.skew.came(codec.is_none(), rtp, rate, report, packet.timestamp);
            }
        }
        if let Some(codec) = codec {
            self.report = report;
            self.depacket.push(Packet {
                seq: *packet.seq_no,
                rtp,
                marker,
                codec,
                payload: packet.payload,
                arrived: packet.timestamp,
                arrived_ns: clock::mono_ns(),
            });
            self.deliver();
        } else if let Some(give) = &self.sounds {
            let data = Bytes::copy_from_slice(&packet.payload);
            let captured_at = report.as_ref().and_then(|r| r.wall_of(rtp, rate));
            let _ = give.try_send(SoundPacket { data, rtp_time: rtp, captured_at });
        }
    }

    /// Counts the frames that are whole, and hands them on.
    fn deliver(&mut self) {
        for frame in self.depacket.frames() {
            let captured_at = self.report.as_ref().and_then(|r| r.wall_of(frame.rtp, VIDEO_RATE));
            let arrived_at = SystemTime::now().checked_sub(frame.arrived.elapsed());
            let age = arrived_at.zip(captured_at);
            let age = age.and_then(|(arrived, captured)| arrived.duration_since(captured).ok());
            self.shared.seen().frame(&frame, age);
            let Some(give) = &self.frames else { continue };
            let unit = unit(frame, self.boot, captured_at, self.gap);
            self.gap = give.try_send(unit).is_err();
        }
    }

    /// Asks for a key frame when somebody wants one, and while there is nothing to show without; whether it did.
    fn ask_key(&mut self, now: Instant) -> bool {
        let connected = *self.state.borrow() == WatchState::Connected;
        let early = self.asked.is_some_and(|last| now.duration_since(last) < ASK_EVERY);
        let wanted = self.depacket.wants_key() || self.shared.key_wanted.load(Ordering::Acquire);
        if !connected || early || !wanted {
            return false;
        }
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_rx_by_mid(self.video, None) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.shared.key_wanted.store(false, Ordering::Release);
        self.asked = Some(now);
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.rtc.disconnect();
        }
        true
    }
}

/// A channel for `n`; none for none.
fn channel<T>(n: usize) -> (Option<mpsc::Sender<T>>, Option<mpsc::Receiver<T>>) {
    if n == 0 {
        return (None, None);
    }
    let (give, take) = mpsc::channel(n);
    (Some(give), Some(take))
}

fn unit(frame: Frame, boot: u64, captured_at: Option<SystemTime>, after_gap: bool) -> AccessUnit {
    let ours = frame.stamp.filter(|stamp| stamp.boot_id == boot);
    AccessUnit {
        data: frame.data.into(),
        codec: match frame.codec {
            Codec::H264 => VideoCodec::H264,
            Codec::Vp8 => VideoCodec::Vp8,
        },
        rtp_time: frame.rtp,
        arrived: frame.arrived,
        capture_ns: ours.map(|stamp| stamp.mono_ns),
        captured_at,
        frame_no: frame.stamp.map(|stamp| stamp.frame),
        key: frame.key,
        after_gap,
    }
}
