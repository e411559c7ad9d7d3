//! From RTP packets to whole frames: puts them in order, waits a little for what is missing, gives up what
//! does not come, and reads the capture stamp on the way. Pure: time is handed in; decodes nothing.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    payload::{self, Codec, H264},
    sps,
};
use crate::stats::Stamp;

/// How long a missing packet is waited for.
const PATIENCE: Duration = Duration::from_millis(400);
/// Most packets held back behind a missing one.
const MAX_HELD: usize = 1024;
/// Largest frame, in bytes.
const MAX_FRAME: usize = 8 << 20;

/// One packet of the picture.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Sequence number, extended.
    pub seq: u64,
    /// RTP time.
    pub rtp: u32,
    /// The last of its frame.
    pub marker: bool,
    /// What it is coded in.
    pub codec: Codec,
    /// Its payload.
    pub payload: Arc<[u8]>,
    /// When it came.
    pub arrived: Instant,
    /// The same on CLOCK_MONOTONIC, in nanoseconds.
    pub arrived_ns: u64,
}

/// One whole frame.
#[derive(Debug)]
pub struct Frame {
    /// H.264 as Annex B, or a VP8 frame.
    pub data: Vec<u8>,
    /// What it is coded in.
    pub codec: Codec,
    /// RTP time.
    pub rtp: u32,
    /// When its last packet came.
    pub arrived: Instant,
    /// The same on CLOCK_MONOTONIC, in nanoseconds.
    pub arrived_ns: u64,
    /// It can be decoded without those before it.
    pub key: bool,
    /// Its capture stamp.
    pub stamp: Option<Stamp>,
    /// The size it tells.
    pub size: Option<(u32, u32)>,
}

/// Makes frames of packets.
#[derive(Debug, Default)]
pub struct Depacket {
    next: Option<u64>,
    held: BTreeMap<u64, Packet>,
    building: Option<Building>,
    ready: Vec<Frame>,
    whole: bool,
}

impl Depacket {
    /// A packet came.
    pub fn push(&mut self, packet: Packet) {
        let next = *self.next.get_or_insert(packet.seq);
        if packet.seq < next {
            return;
        }
        self.held.insert(packet.seq, packet);
        if self.held.len() > MAX_HELD {
            self.skip();
        }
        self.take();
    }

    /// Gives up what has been missing for too long.
    pub fn expire(&mut self, now: Instant) {
        let overdue = |p: &Packet| now.saturating_duration_since(p.arrived) >= PATIENCE;
        if self.held.first_key_value().is_some_and(|(_, packet)| overdue(packet)) {
            self.skip();
            self.take();
        }
    }

    /// When `expire` has something to do.
    pub fn expires_at(&self) -> Option<Instant> {
        self.held.first_key_value().map(|(_, packet)| packet.arrived + PATIENCE)
    }

    /// The next whole frame.
    pub fn frames(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.ready)
    }

    /// Whether nothing can be shown before the next key frame.
    pub const fn wants_key(&self) -> bool {
        !self.whole
    }

    /// Goes on behind the gap. What was begun is lost, and so is everything up to the next key frame.
    fn skip(&mut self) {
        let Some((&first, _)) = self.held.first_key_value() else { return };
        let lost = first.saturating_sub(self.next.unwrap_or(first));
        tracing::debug!(lost, "packets were given up");
        self.next = Some(first);
        self.building = None;
        self.whole = false;
    }

    fn take(&mut self) {
        while let Some(next) = self.next
            && let Some(packet) = self.held.remove(&next)
        {
            self.next = Some(next + 1);
            self.add(&packet);
        }
    }

    fn add(&mut self, packet: &Packet) {
        if self.building.as_ref().is_some_and(|b| b.rtp != packet.rtp || b.codec != packet.codec) {
            self.finish();
        }
        let building = self.building.get_or_insert_with(|| Building::new(packet));
        building.add(packet);
        if packet.marker {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let Some(building) = self.building.take() else { return };
        if building.broken || building.part_open {
            self.whole = false;
            return;
        }
        if building.data.is_empty() {
            return;
        }
        self.whole |= building.key;
        if self.whole {
            self.ready.push(building.frame());
        }
    }
}

/// The frame that is coming in.
#[derive(Debug)]
struct Building {
    rtp: u32,
    codec: Codec,
    data: Vec<u8>,
    arrived: Instant,
    arrived_ns: u64,
    key: bool,
    stamp: Option<Stamp>,
    size: Option<(u32, u32)>,
    part_open: bool,
    broken: bool,
}

impl Building {
    fn new(packet: &Packet) -> Self {
        Self {
            rtp: packet.rtp,
            codec: packet.codec,
            data: Vec::with_capacity(4096),
            arrived: packet.arrived,
            arrived_ns: packet.arrived_ns,
            key: false,
            stamp: None,
            size: None,
            part_open: false,
            broken: false,
        }
    }

    fn add(&mut self, packet: &Packet) {
        self.arrived = self.arrived.max(packet.arrived);
        self.arrived_ns = self.arrived_ns.max(packet.arrived_ns);
        if self.data.len() > MAX_FRAME {
            self.broken = true;
            return;
        }
        match packet.codec {
            Codec::H264 => self.add_h264(&packet.payload),
            Codec::Vp8 => self.add_vp8(&packet.payload),
        }
    }

    fn add_h264(&mut self, bytes: &[u8]) {
        match payload::h264(bytes) {
            Some(H264::Whole(nal)) => self.nal(nal),
            Some(H264::Many(nals)) => nals.for_each(|nal| self.nal(nal)),
            Some(H264::Part { header, first, last, data }) => {
                if first {
                    self.broken |= self.part_open;
                    self.data.extend_from_slice(&[0, 0, 0, 1, header]);
                    self.key |= header & 0x1f == 5;
                } else {
                    self.broken |= !self.part_open;
                }
                self.data.extend_from_slice(data);
                self.part_open = !last;
            }
            // Padding of the sender's pacer.
            None if bytes.is_empty() => {}
            None => self.broken = true,
        }
    }

    fn nal(&mut self, nal: &[u8]) {
        match nal.first().map_or(0, |header| header & 0x1f) {
            5 => self.key = true,
            6 => self.stamp = self.stamp.or_else(|| Stamp::from_sei_nal(nal)),
            7 => self.size = sps::size(nal),
            _ => {}
        }
        self.data.extend_from_slice(&[0, 0, 0, 1]);
        self.data.extend_from_slice(nal);
    }

    fn add_vp8(&mut self, bytes: &[u8]) {
        let Some(part) = payload::vp8(bytes) else {
            self.broken |= !bytes.is_empty();
            return;
        };
        if part.first {
            self.key = part.key;
            self.size = payload::vp8_size(part.data);
        }
        self.data.extend_from_slice(part.data);
    }

    fn frame(self) -> Frame {
        Frame {
            data: self.data,
            codec: self.codec,
            rtp: self.rtp,
            arrived: self.arrived,
            arrived_ns: self.arrived_ns,
            key: self.key,
            stamp: self.stamp,
            size: self.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAMP: Stamp = Stamp { boot_id: 1, mono_ns: 2, wall_ns: 3, frame: 4, show: None };

    fn packet(seq: u64, rtp: u32, marker: bool, payload: &[u8], at: Instant) -> Packet {
        let payload = payload.into();
        let codec = Codec::H264;
        Packet { seq, rtp, marker, codec, payload, arrived: at, arrived_ns: seq }
    }

    /// A key frame in three packets: stamp, then a slice in two parts.
    fn key(seq: u64, rtp: u32, at: Instant) -> [Packet; 3] {
        [
            packet(seq, rtp, false, &STAMP.to_sei_nal(), at),
            packet(seq + 1, rtp, false, &[0x7c, 0x85, 1, 2], at),
            packet(seq + 2, rtp, true, &[0x7c, 0x45, 3], at),
        ]
    }

    #[test]
    fn frames_come_out_whole_in_order_and_stamped() {
        let at = Instant::now();
        let mut depacket = Depacket::default();
        let [a, b, c] = key(10, 0, at);
        for packet in [a, c, packet(13, 3000, true, &[0x41, 7], at), b] {
            depacket.push(packet);
        }
        let frames = depacket.frames();
        assert_eq!(frames.len(), 2);
        assert!(frames[0].key && frames[0].stamp == Some(STAMP));
        assert!(frames[0].data.ends_with(&[0, 0, 0, 1, 0x65, 1, 2, 3]));
        assert_eq!(frames[0].arrived_ns, 12);
        assert!(!frames[1].key && frames[1].data == [0, 0, 0, 1, 0x41, 7]);
    }

    #[test]
    fn behind_a_gap_nothing_is_shown_before_a_key_frame() {
        let at = Instant::now();
        let mut depacket = Depacket::default();
        for packet in key(10, 0, at) {
            depacket.push(packet);
        }
        depacket.push(packet(14, 6000, true, &[0x41, 7], at));
        assert_eq!(depacket.frames().len(), 1);
        depacket.expire(at + PATIENCE / 2);
        assert!(!depacket.wants_key());
        depacket.expire(at + PATIENCE);
        assert!(depacket.wants_key());
        assert!(depacket.frames().is_empty());
        for packet in key(15, 9000, at) {
            depacket.push(packet);
        }
        assert_eq!(depacket.frames().len(), 1);
        assert!(!depacket.wants_key());
    }

    #[test]
    fn a_frame_cut_short_by_a_new_publisher_is_not_shown() {
        let at = Instant::now();
        let mut depacket = Depacket::default();
        let [a, b, _] = key(10, 0, at);
        depacket.push(a);
        depacket.push(b);
        for packet in key(12, 90_000, at) {
            depacket.push(packet);
        }
        let frames = depacket.frames();
        assert_eq!(frames.iter().map(|f| f.rtp).collect::<Vec<_>>(), [90_000]);
    }

    proptest! {
        /// Whatever comes, in whatever order: no panic, bounded memory, and no frame twice.
        #[test]
        fn garbage_makes_no_panic_and_no_hoard(
            packets in prop::collection::vec(
                (0_u64..400, 0_u32..8, any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)),
                0..300,
            ),
        ) {
            let at = Instant::now();
            let mut depacket = Depacket::default();
            let mut out = 0;
            let count = packets.len();
            for (n, (seq, rtp, marker, vp8, payload)) in packets.into_iter().enumerate() {
                let now = at + Duration::from_millis(n as u64);
                let codec = if vp8 { Codec::Vp8 } else { Codec::H264 };
                depacket.push(Packet { codec, ..packet(seq, rtp * 3000, marker, &payload, now) });
                depacket.expire(now);
                out += depacket.frames().len();
                prop_assert!(depacket.held.len() <= MAX_HELD);
            }
            depacket.expire(at + Duration::from_mins(1));
            prop_assert!(out + depacket.frames().len() <= count);
        }
    }
}
