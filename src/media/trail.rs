//! When the latest frames passed each stage of their way. Media threads write it: they wait for nobody and allocate
//! nothing. The engine reads it, once in a while. A ring of atomics, in which the newest frame takes the oldest one's
//! place.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering, fence},
};

use gst::prelude::*;

use super::{clock::MediaClock, publisher::VIDEO_PT};
use crate::stats::LatencySummary;

/// Frames that are remembered: more than are summed up, at 60 a second.
const FRAMES: usize = 1024;
/// Over which they are summed up.
const OVER_NS: u64 = 10_000_000_000;
/// So many frames may be under way between the beginning of a trail and its end; one further behind is not found.
const UNDER_WAY: u64 = 128;

#[derive(Debug)]
struct Frame<const N: usize> {
    /// Its number and one; zero while it is being written.
    number: AtomicU64,
    /// The time it carries, by which its packets are known.
    pts_ns: AtomicU64,
    /// When it passed each stage, running time; zero for one that it has not passed.
    at_ns: [AtomicU64; N],
}

/// The latest frames, and when each passed `N` stages.
#[derive(Debug)]
pub struct Trail<const N: usize> {
    frames: Box<[Frame<N>]>,
    newest: AtomicU64,
}

impl<const N: usize> Default for Trail<N> {
    fn default() -> Self {
        let empty = |_| Frame {
            number: AtomicU64::new(0),
            pts_ns: AtomicU64::new(0),
            at_ns: [const { AtomicU64::new(0) }; N],
        };
        Self { frames: (0..FRAMES).map(empty).collect(), newest: AtomicU64::new(0) }
    }
}

impl<const N: usize> Trail<N> {
    fn place(&self, number: u64) -> &Frame<N> {
        &self.frames[number as usize % FRAMES]
    }

    /// A frame has come, and passed these stages; zero for those before it. Called by one thread.
    pub fn begin(&self, number: u64, pts_ns: u64, at_ns: [u64; N]) {
        let frame = self.place(number);
        frame.number.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        frame.pts_ns.store(pts_ns, Ordering::Relaxed);
        for (place, at) in frame.at_ns.iter().zip(at_ns) {
            place.store(at, Ordering::Relaxed);
        }
        frame.number.store(number + 1, Ordering::Release);
        self.newest.store(number, Ordering::Release);
    }

    /// The frame that carries that time passes a stage at `now_ns`.
    pub fn pass(&self, pts_ns: u64, stage: usize, now_ns: u64) {
        let newest = self.newest.load(Ordering::Acquire);
        for number in (newest.saturating_sub(UNDER_WAY)..=newest).rev() {
            let frame = self.place(number);
            if frame.number.load(Ordering::Acquire) == number + 1
                && frame.pts_ns.load(Ordering::Relaxed) == pts_ns
            {
                frame.at_ns[stage].store(now_ns, Ordering::Release);
                return;
            }
        }
    }

    /// When a frame passed all stages; `None` for one that is not remembered, or is just being written.
    fn read(frame: &Frame<N>) -> Option<(u64, [u64; N])> {
        let number = frame.number.load(Ordering::Acquire);
        let at_ns = std::array::from_fn(|stage| frame.at_ns[stage].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let whole = number > 0 && frame.number.load(Ordering::Relaxed) == number;
        whole.then(|| (number - 1, at_ns))
    }

    /// When that frame passed a stage; `None` where that is not known.
    pub fn passed(&self, number: u64, stage: usize) -> Option<u64> {
        let (found, at_ns) = Self::read(self.place(number))?;
        Some(at_ns[stage]).filter(|at| found == number && *at > 0)
    }

    /// How long frames took from the stage before `stage` to it, of those that passed it in the 10 s before `now_ns`.
    pub fn took(&self, stage: usize, now_ns: u64) -> Option<LatencySummary> {
        let from = stage.checked_sub(1)?;
        let took = self.frames.iter().filter_map(|frame| {
            let (_, at_ns) = Self::read(frame)?;
            let (began, ended) = (at_ns[from], at_ns[stage]);
            let counts = began > 0 && ended > 0 && ended + OVER_NS >= now_ns;
            counts.then(|| ended.saturating_sub(began) as f64 / 1e6)
        });
        LatencySummary::of(took.collect())
    }
}

/// Of an encoding: captured, taken by a tick, drawn, encoded.
pub type Coded = Trail<4>;
/// The stages of [`Coded`].
pub const TAKEN: usize = 1;
/// See [`TAKEN`].
pub const DRAWN: usize = 2;
/// See [`TAKEN`].
pub const ENCODED: usize = 3;

/// Of an output: encoded, let go by the pacer, at the socket.
pub type Sent = Trail<3>;
/// The stages of [`Sent`].
pub const PACED: usize = 1;
/// See [`PACED`].
pub const AT_SOCKET: usize = 2;

/// Notes when the last packet of each frame of the picture passes a pad, before or after encryption.
pub fn watch(pad: &gst::Pad, stage: usize, trail: &Arc<Sent>, clock: &MediaClock) {
    let (trail, clock) = (Arc::clone(trail), clock.clone());
    let note = move |packet: &gst::BufferRef| {
        if ends_frame(packet)
            && let Some(pts) = packet.pts()
        {
            trail.pass(pts.nseconds(), stage, clock.now().nseconds());
        }
    };
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(kinds, move |_, info| {
        match &info.data {
            Some(gst::PadProbeData::Buffer(packet)) => note(packet),
            Some(gst::PadProbeData::BufferList(packets)) => packets.iter().for_each(&note),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// Whether it is RTP (RFC 3550, 5.1), of the picture, with the marker. Its header is in clear in SRTP too.
fn ends_frame(packet: &gst::BufferRef) -> bool {
    let mut head = [0; 2];
    packet.size() >= head.len()
        && packet.copy_to_slice(0, &mut head).is_ok()
        && head[0] & 0xc0 == 0x80
        && u32::from(head[1]) == 0x80 | VIDEO_PT
}

/// When an output's frames were at the socket, for whoever knows when they arrived.
#[derive(Debug, Clone)]
pub struct Departures {
    trail: Arc<Sent>,
    clock: MediaClock,
}

impl Departures {
    /// Of that output.
    pub const fn new(trail: Arc<Sent>, clock: MediaClock) -> Self {
        Self { trail, clock }
    }

    /// When the last packet of the frame with that number was handed to the socket, on this machine's CLOCK_MONOTONIC
    /// in nanoseconds; `None` for a frame that this output did not send, or long ago.
    pub fn of(&self, number: u64) -> Option<u64> {
        let at = self.trail.passed(number, AT_SOCKET)?;
        Some(self.clock.monotonic_ns(gst::ClockTime::from_nseconds(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_stage_takes_the_time_from_the_one_before() {
        let trail = Sent::default();
        for n in 1..=100 {
            trail.begin(n, n * 33 * MS, [n * 33 * MS + MS, 0, 0]);
            trail.pass(n * 33 * MS, PACED, n * 33 * MS + 3 * MS);
        }
        let now = 100 * 33 * MS + 5 * MS;
        let paced = trail.took(PACED, now).unwrap();
        assert_eq!((paced.p50_ms, paced.p99_ms, paced.count), (2.0, 2.0, 100));
        assert_eq!(trail.took(AT_SOCKET, now), None, "no frame is there yet");
        assert_eq!(trail.took(0, now), None, "nothing is before the first");
        assert_eq!(trail.took(PACED, now + OVER_NS + MS), None, "long ago");
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let trail = Sent::default();
        trail.begin(7, 700, [1, 0, 0]);
        trail.pass(701, AT_SOCKET, 9);
        assert_eq!(trail.passed(7, AT_SOCKET), None, "another frame's packet");
        trail.pass(700, AT_SOCKET, 9);
        assert_eq!(trail.passed(7, AT_SOCKET), Some(9));
        assert_eq!(trail.passed(7 + FRAMES as u64, AT_SOCKET), None);
        trail.begin(7 + FRAMES as u64, 900, [2, 0, 0]);
        assert_eq!(trail.passed(7, AT_SOCKET), None, "its place is taken");
    }

    #[test]
    fn the_last_packet_of_a_frame_is_known_by_its_header() {
        gst::init().unwrap();
        let of = |bytes: &'static [u8]| ends_frame(&gst::Buffer::from_slice(bytes));
        assert!(of(&[0x90, 0xe0, 0, 1]));
        assert!(!of(&[0x90, 96, 0, 1]), "another follows");
        assert!(!of(&[0x80, 0xe1, 0, 1]), "sent again");
        assert!(!of(&[0x80, 200, 0, 1]), "RTCP");
        assert!(!of(&[23, 0xe0, 0, 1]), "DTLS");
        assert!(!of(&[0x80]));
    }

    #[test]
    fn what_is_read_while_it_is_written_is_whole() {
        let trail = Arc::new(Coded::default());
        let writer = Arc::clone(&trail);
        let frames = 200_000;
        let write = std::thread::spawn(move || {
            for n in 0..frames {
                // Five places, and never the same number twice.
                writer.begin(n % 5 + n / 5 * FRAMES as u64, n, [n + 1; 4]);
            }
        });
        while !write.is_finished() {
            for frame in &trail.frames[..5] {
                if let Some((_, at)) = Trail::read(frame) {
                    assert!(at.iter().all(|a| *a == at[0]), "{at:?}");
                }
            }
        }
        write.join().unwrap();
    }
}
