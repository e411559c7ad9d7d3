//! A packet's way from the publisher to one viewer: its place on the lane, its place in time, and the
//! viewer's own numbers. Sends nothing itself.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use str0m::{
    Rtc,
    format::{Codec as Coding, PayloadParams},
    media::{Mid, Pt},
    rtp::{RtpPacket, RtpWrite},
};

use crate::{
    show::VideoCodec,
    stage::{
        lane::{Clocks, Lane, Offset, Place, Report},
        missing::Missing,
        payload::{Codec, opens_key_frame},
    },
};

/// A packet on its way to the viewers.
#[derive(Debug)]
pub struct Packet {
    place: Place,
    wallclock: Instant,
    marker: bool,
    payload: Arc<[u8]>,
    params: PayloadParams,
    /// A key frame begins with it.
    opens_key: bool,
    /// With it a whole key frame is here.
    pub completes_key: bool,
}

impl Packet {
    /// Whether it belongs to the picture.
    pub fn is_video(&self) -> bool {
        self.params.spec().codec.is_video()
    }

    /// What the picture is coded in; `None` for sound.
    pub fn codec(&self) -> Option<VideoCodec> {
        coding(self.params.spec().codec).map(|codec| match codec {
            Codec::H264 => VideoCodec::H264,
            Codec::Vp8 => VideoCodec::Vp8,
        })
    }

    /// Whether a viewer agreed to its codec.
    pub fn is_spoken_by(&self, rtc: &Rtc, mid: Mid) -> bool {
        payload_type(rtc, mid, self.params).is_some()
    }
}

/// The key frame that is coming in.
#[derive(Debug, Clone, Copy)]
struct Key {
    rtp: u32,
    first: u64,
    last: Option<u64>,
    packets: u64,
}

/// The two lanes of the show.
#[derive(Debug)]
pub struct Tracks {
    video: Lane,
    audio: Lane,
    offset: Offset,
    /// Packets of the picture that have not come.
    missing: Missing,
    key: Option<Key>,
    bytes: u64,
    history: VecDeque<(Instant, u64)>,
}

impl Default for Tracks {
    fn default() -> Self {
        Self {
            video: Lane::new(90_000),
            audio: Lane::new(48_000),
            offset: Offset::default(),
            missing: Missing::default(),
            key: None,
            bytes: 0,
            history: VecDeque::new(),
        }
    }
}

impl Tracks {
    /// Another publisher follows.
    pub fn change(&mut self) {
        self.video.change();
        self.audio.change();
        self.offset = Offset::default();
        self.missing = Missing::default();
        self.key = None;
    }

    /// Whether the picture lacks packets that will not come any more: only a key frame helps. Says so once.
    pub fn lacks_key(&mut self, now: Instant) -> bool {
        let given_up = self.missing.given_up(now);
        if given_up > 0 {
            tracing::debug!(given_up, "packets of the picture are lost");
        }
        given_up > 0
    }

    /// Whether packets of the picture are being lost on their way here.
    pub fn is_losing(&self, now: Instant) -> bool {
        self.missing.is_losing(now)
    }

    /// Finds a packet's place; `None` when it cannot be forwarded.
    pub fn place(&mut self, packet: RtpPacket, from: &Rtc, now: Clocks) -> Option<Packet> {
        let pt = packet.header.payload_type;
        let params = *from.codec_config().params().iter().find(|p| p.pt() == pt)?;
        let codec = coding(params.spec().codec);
        let lane = if codec.is_some() { &mut self.video } else { &mut self.audio };
        let (seq, rtp) = (*packet.seq_no, packet.header.timestamp);
        let place = lane.place(seq, rtp, packet.timestamp)?;
        let captured = packet.last_sender_info.as_ref().and_then(|info| {
            let report = Report { wall: info.ntp_time, rtp: info.rtp_time.numer() as u32 };
            report.wall_of(rtp, lane.rate())
        });
        let wallclock = match captured {
            Some(captured) => self.offset.place(captured, now),
            None => packet.timestamp,
        };
        self.bytes += packet.payload.len() as u64;
        let opens_key = codec.is_some_and(|codec| opens_key_frame(codec, &packet.payload));
        let marker = packet.header.marker;
        let completes_key = codec.is_some() && self.key_frame(opens_key, seq, rtp, marker);
        if codec.is_some() {
            self.missing.came(seq, now.mono);
            if let Some(key) = self.key.filter(|_| completes_key) {
                self.missing.restarted(key.first);
            }
        }
        Some(Packet {
            place,
            wallclock,
            marker,
            payload: packet.payload,
            params,
            opens_key,
            completes_key,
        })
    }

    /// Whether this packet makes the key frame whole.
    fn key_frame(&mut self, opens: bool, seq: u64, rtp: u32, marker: bool) -> bool {
        if opens && self.key.is_none_or(|key| key.rtp != rtp) {
            self.key = Some(Key { rtp, first: seq, last: None, packets: 0 });
        }
        let Some(key) = self.key.as_mut().filter(|key| key.rtp == rtp && seq >= key.first) else {
            return false;
        };
        key.packets += 1;
        if marker {
            key.last = Some(seq);
        }
        key.last.is_some_and(|last| last - key.first + 1 == key.packets)
    }

    /// Received over the last second, in kbit/s.
    pub fn kbps(&mut self, now: Instant) -> f64 {
        self.history.push_back((now, self.bytes));
        while self.history.len() > 6 {
            self.history.pop_front();
        }
        let Some((then, bytes)) = self.history.front() else { return 0.0 };
        let seconds = now.saturating_duration_since(*then).as_secs_f64();
        if seconds <= 0.0 { 0.0 } else { (self.bytes - bytes) as f64 * 8.0 / 1000.0 / seconds }
    }
}

/// Where a viewer's own sequence numbers begin: 0 would leave no room for a packet that overtook the first.
const FIRST: u64 = 1000;

/// One track of one viewer.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Lane number of the first packet since the last change.
    from: u64,
    /// The viewer's number of that packet.
    begins: u64,
    newest: u64,
    pt: Option<Pt>,
    open: bool,
}

impl Line {
    const NEW: Self = Self { from: 0, begins: 0, newest: FIRST - 1, pt: None, open: false };

    /// The viewer's number for a packet.
    fn number(&mut self, place: Place) -> Option<u64> {
        if !self.open {
            self.open = true;
            self.from = place.seq;
            self.begins = self.newest + 1;
        }
        let number = self.begins + place.seq.checked_sub(self.from)?;
        self.newest = self.newest.max(number);
        Some(number)
    }
}

/// What one viewer has been sent.
#[derive(Debug)]
pub struct View {
    video: Line,
    audio: Line,
}

impl Default for View {
    fn default() -> Self {
        Self { video: Line::NEW, audio: Line::NEW }
    }
}

impl View {
    /// Whether the picture begins with the next key frame only.
    pub fn waits_for_key(&self) -> bool {
        !self.video.open
    }

    /// Another publisher follows: its picture begins at a key frame, perhaps in another codec.
    pub fn change(&mut self) {
        for line in [&mut self.video, &mut self.audio] {
            line.open = false;
            line.pt = None;
        }
    }

    /// Queues a packet for the viewer; `false` when it is none of the viewer's.
    pub fn write(&mut self, packet: &Packet, rtc: &mut Rtc, mid: Mid) -> bool {
        let video = packet.is_video();
        let line = if video { &mut self.video } else { &mut self.audio };
        if video && !line.open && !packet.opens_key {
            return false;
        }
        if line.pt.is_none() {
            line.pt = payload_type(rtc, mid, packet.params);
        }
        let Some(pt) = line.pt else { return false };
        let Some(number) = line.number(packet.place) else { return false };
        let mut api = rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else { return false };
        let write = RtpWrite::new(
            pt,
            number.into(),
            packet.place.rtp,
            packet.wallclock,
            Arc::clone(&packet.payload),
        );
        stream.write_rtp(write.marker(packet.marker).nackable(video));
        true
    }
}

/// The codec as `payload` knows it; `None` for sound.
fn coding(codec: Coding) -> Option<Codec> {
    match codec {
        Coding::H264 => Some(Codec::H264),
        Coding::Vp8 => Some(Codec::Vp8),
        _ => None,
    }
}

/// The viewer's payload type for what the publisher sends: the same codec, for H.264 the nearest profile.
fn payload_type(rtc: &Rtc, mid: Mid, from: PayloadParams) -> Option<Pt> {
    let agreed = rtc.media(mid)?.remote_pts();
    let wanted = from.spec();
    let profile =
        |params: &PayloadParams| params.spec().format.profile_level_id.unwrap_or(0x42_001f);
    rtc.codec_config()
        .params()
        .iter()
        .filter(|p| agreed.contains(&p.pt()) && p.spec().codec == wanted.codec)
        .max_by_key(|p| {
            let (a, b) = (profile(p), profile(&from));
            // Decoders read the parameter sets, not the SDP: a wrong level is better than no picture.
            match () {
                () if a == b => 4,
                () if a >> 8 == b >> 8 => 3,
                () if a >> 16 == b >> 16 => 2,
                () => 1,
            }
        })
        .map(PayloadParams::pt)
}
