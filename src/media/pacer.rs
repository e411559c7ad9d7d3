//! Lets packets out no faster than the path is believed to carry. What fits goes through at once, in the
//! thread that brought it; what does not waits for a thread of the pacer's own.
//! A frame of ordinary size therefore never waits, and a key frame is spread instead of flooding a narrow
//! link. Sound passes everything that waits: it is little, and what is heard matters more.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use gst::prelude::*;

use super::{MediaError, feed::lock, publisher::{AUDIO_PT, VIDEO_PT}};

/// How much may leave at once after a pause: this long at the rate.
const BURST: Duration = Duration::from_millis(20);
/// What has waited longer than this at the rate leaves anyway: late packets are worth less than a full
/// queue of the network's. On a path that is full already they wait longer.
const LONGEST: Duration = Duration::from_millis(30);
const LONGEST_ON_FULL_PATH: Duration = Duration::from_millis(250);
/// Between two bursts of what waits.
const PAUSE: Duration = Duration::from_millis(2);

/// A leaky bucket: what may leave now, in bits. Time is handed in.
#[derive(Debug)]
struct Bucket {
    bits_per_second: u64,
    bits: i64,
    filled_at: Duration,
}

impl Bucket {
    fn new(bits_per_second: u64) -> Self {
        let mut bucket = Self { bits_per_second, bits: 0, filled_at: Duration::ZERO };
        bucket.bits = bucket.over(BURST);
        bucket
    }

    /// What the rate carries in that time.
    fn over(&self, time: Duration) -> i64 {
        (time.as_secs_f64() * self.bits_per_second as f64) as i64
    }

    fn fill(&mut self, now: Duration) {
        let gained = self.over(now.saturating_sub(self.filled_at));
        self.bits = self.bits.saturating_add(gained).min(self.over(BURST));
        self.filled_at = now;
    }

    /// Takes `bits` out if there is room; a packet may overdraw, so that one larger than the burst leaves.
    const fn take(&mut self, bits: u64) -> bool {
        let room = self.bits > 0;
        if room {
            self.spend(bits);
        }
        room
    }

    const fn spend(&mut self, bits: u64) {
        self.bits = self.bits.saturating_sub_unsigned(bits);
    }
}

struct Line {
    bucket: Bucket,
    /// The packets of a frame that may leave at once, until its last one is there.
    train: Vec<gst::Buffer>,
    train_bits: u64,
    waiting: VecDeque<gst::Buffer>,
    waiting_bits: u64,
    longest: Duration,
    /// The pacer's thread holds packets that are older than any that come now.
    sending: bool,
    stop: bool,
}

struct Shared {
    began: Instant,
    line: Mutex<Line>,
    more: Condvar,
}

/// Where a packet belongs, by its second byte: the marker and the payload type (RFC 3550, 5.1).
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Of the picture; whether it is the last of its frame.
    Picture { last: bool },
    Repeated,
    Sound,
}

fn kind(packet: &gst::BufferRef) -> Kind {
    let mut second = [0];
    // What is too short to be RTP waits for nothing.
    let _ = packet.copy_to_slice(1, &mut second);
    match u32::from(second[0] & 0x7f) {
        VIDEO_PT => Kind::Picture { last: second[0] & 0x80 != 0 },
        AUDIO_PT => Kind::Sound,
        _ => Kind::Repeated,
    }
}

/// Sends what leaves together.
fn push(
    out: &gst::Pad,
    mut packets: Vec<gst::Buffer>,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    match packets.len() {
        0 => Ok(gst::FlowSuccess::Ok),
        1 => packets.pop().map_or(Ok(gst::FlowSuccess::Ok), |packet| out.push(packet)),
        _ => out.push_list(packets.into_iter().collect::<gst::BufferList>()),
    }
}

fn bits(buffer: &gst::BufferRef) -> u64 {
    buffer.size() as u64 * 8
}

impl Shared {
    /// Takes a packet, and gives what may leave at once; the rest waits in line. Packets of one frame leave
    /// together, which costs a third less than one by one: everything on their way is woken once.
    fn take(&self, packet: gst::Buffer) -> Vec<gst::Buffer> {
        let size = bits(&packet);
        let mut line = lock(&self.line);
        line.bucket.fill(self.began.elapsed());
        let kind = kind(&packet);
        if kind == Kind::Sound {
            line.bucket.spend(size);
            return vec![packet];
        }
        if line.waiting.is_empty() && !line.sending && line.bucket.take(size) {
            if kind == Kind::Repeated {
                return vec![packet];
            }
            line.train.push(packet);
            line.train_bits += size;
            if kind != (Kind::Picture { last: true }) {
                return Vec::new();
            }
            line.train_bits = 0;
            return std::mem::take(&mut line.train);
        }
        // The frame's beginning has not left either: its rest must not overtake it.
        let (begun, begun_bits) =
            (std::mem::take(&mut line.train), std::mem::take(&mut line.train_bits));
        line.bucket.bits = line.bucket.bits.saturating_add_unsigned(begun_bits);
        line.waiting_bits += begun_bits + size;
        line.waiting.extend(begun);
        line.waiting.push_back(packet);
        self.more.notify_one();
        Vec::new()
    }

    /// What may leave now. Waits while there is nothing; `None` when the pacer ends.
    fn next(&self) -> Option<Vec<gst::Buffer>> {
        let mut line = lock(&self.line);
        line.sending = false;
        loop {
            if line.stop {
                return None;
            }
            if line.waiting.is_empty() {
                line = self.more.wait(line).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            line.bucket.fill(self.began.elapsed());
            let most = line.bucket.over(line.longest);
            let mut leaving = Vec::new();
            while let Some(size) = line.waiting.front().map(|b| bits(b)) {
                if line.waiting_bits as i64 > most {
                    line.bucket.spend(size);
                    // What had to leave is not held against what comes.
                    line.bucket.bits = line.bucket.bits.max(-most);
                } else if !line.bucket.take(size) {
                    break;
                }
                line.waiting_bits -= size;
                leaving.extend(line.waiting.pop_front());
            }
            if !leaving.is_empty() {
                line.sending = true;
                return Some(leaving);
            }
            line = self.more.wait_timeout(line, PAUSE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The pacer of one session.
pub struct Pacer {
    element: gst::Bin,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    /// A pacer at that rate, with one pad for packets to come and one for them to leave.
    pub fn start(bits_per_second: u64) -> Result<Self, MediaError> {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            line: Mutex::new(Line {
                bucket: Bucket::new(bits_per_second),
                train: Vec::new(),
                train_bits: 0,
                waiting: VecDeque::new(),
                waiting_bits: 0,
                longest: LONGEST,
                sending: false,
                stop: false,
            }),
            more: Condvar::new(),
        });
        let out = gst::Pad::builder(gst::PadDirection::Src)
            .name("src")
            .flags(gst::PadFlags::PROXY_CAPS)
            .build();
        let (line, to) = (Arc::clone(&shared), out.downgrade());
        // Packets come one by one, whatever the payloader makes: a filter in webrtcbin takes lists apart.
        let into = gst::Pad::builder(gst::PadDirection::Sink)
            .name("sink")
            .flags(gst::PadFlags::PROXY_CAPS)
            .chain_function(move |_, _, packet| {
                let out = to.upgrade().ok_or(gst::FlowError::Flushing)?;
                push(&out, line.take(packet))
            })
            .build();
        let element = gst::Bin::with_name("pacer");
        let setup = |e: gst::glib::BoolError| MediaError::lasting(format!("publishing: {e}"));
        element.add_pad(&into).map_err(setup)?;
        element.add_pad(&out).map_err(setup)?;
        let line = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("pacer".into())
            .spawn(move || {
                while let Some(packets) = line.next() {
                    // A session that is going down refuses; its owner ends this thread.
                    let _ = push(&out, packets);
                }
            })
            .map_err(|e| MediaError::lasting(format!("no thread for the pacer: {e}")))?;
        Ok(Self { element, shared, thread: Some(thread) })
    }

    /// What goes into the pipeline.
    pub const fn element(&self) -> &gst::Bin {
        &self.element
    }

    /// Changes the rate.
    pub fn handle(&self) -> PacerHandle {
        PacerHandle(Arc::clone(&self.shared))
    }
}

/// Sets the rate of a pacer from elsewhere.
#[derive(Clone)]
pub struct PacerHandle(Arc<Shared>);

impl PacerHandle {
    /// From now on at that rate; whether the path is clear of a queue.
    pub fn set(&self, bits_per_second: u64, clear: bool) {
        let mut line = lock(&self.0.line);
        line.bucket.fill(self.0.began.elapsed());
        line.bucket.bits_per_second = bits_per_second;
        line.longest = if clear { LONGEST } else { LONGEST_ON_FULL_PATH };
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        lock(&self.shared.line).stop = true;
        self.shared.more.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABIT: u64 = 1_000_000;

    fn packets(n: usize) -> impl Iterator<Item = gst::Buffer> {
        // The last of them is marked as the frame's last.
        (1..=n).map(move |i| {
            let mut packet = [0_u8; 1250];
            packet[1] = VIDEO_PT as u8 | if i == n { 0x80 } else { 0 };
            gst::Buffer::from_slice(packet)
        })
    }

    #[test]
    fn the_bucket_fills_with_time_and_no_higher_than_a_burst() {
        let mut bucket = Bucket::new(MEGABIT);
        assert_eq!(bucket.bits, 20_000);
        assert!(bucket.take(30_000), "one packet may overdraw");
        assert!(!bucket.take(1));
        bucket.fill(Duration::from_millis(9));
        assert!(!bucket.take(1), "9 of 10 kb are paid back");
        bucket.fill(Duration::from_millis(12));
        assert!(bucket.take(1));
        bucket.fill(Duration::from_mins(1));
        assert_eq!(bucket.bits, 20_000);
    }

    /// A pacer whose output tells the size of what leaves it.
    fn rig(rate: u64) -> (Pacer, gst::Pad, std::sync::mpsc::Receiver<usize>) {
        gst::init().unwrap();
        let pacer = Pacer::start(rate).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let end = gst::Pad::builder(gst::PadDirection::Sink)
            .chain_function(move |_, _, packet| {
                let _ = tell.send(packet.size());
                Ok(gst::FlowSuccess::Ok)
            })
            .build();
        let source = gst::Pad::builder(gst::PadDirection::Src).build();
        source.link(&pacer.element().static_pad("sink").unwrap()).unwrap();
        pacer.element().static_pad("src").unwrap().link(&end).unwrap();
        end.set_active(true).unwrap();
        pacer.element().set_state(gst::State::Playing).unwrap();
        source.set_active(true).unwrap();
        source.push_event(gst::event::StreamStart::new("packets"));
        source
            .push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        // Pads live as long as what holds them.
        source.add_probe(gst::PadProbeType::EVENT_FLUSH, move |_, _| {
            let _ = &end;
            gst::PadProbeReturn::Ok
        });
        (pacer, source, told)
    }

    fn push(source: &gst::Pad, packets: impl Iterator<Item = gst::Buffer>) {
        for packet in packets {
            source.push(packet).unwrap();
        }
    }

    #[test]
    fn an_ordinary_frame_leaves_at_once() {
        let (pacer, source, left) = rig(10 * MEGABIT);
        push(&source, packets(9));
        assert_eq!(left.try_iter().count(), 9, "in the caller's thread");
        pacer.element().set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn a_key_frame_is_spread_and_nothing_overtakes_it() {
        // 40 packets are 400 kb; the burst is 200 kb, and 300 kb may wait.
        let (pacer, source, left) = rig(10 * MEGABIT);
        let began = Instant::now();
        push(&source, packets(40));
        source.push(gst::Buffer::from_slice([0_u8; 125])).unwrap();
        assert!(left.try_iter().count() < 40, "not all at once");
        loop {
            if left.recv_timeout(Duration::from_secs(5)).unwrap() == 125 {
                break;
            }
        }
        assert!(began.elapsed() >= Duration::from_millis(15), "{:?}", began.elapsed());
        assert!(left.try_recv().is_err(), "what came last left last");
        pacer.element().set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn what_waits_too_long_leaves_anyway() {
        let (pacer, source, left) = rig(MEGABIT / 10);
        // 3 kb may wait at 100 kb/s: of 100 kb nearly all leaves soon.
        push(&source, packets(10));
        for _ in 0..9 {
            left.recv_timeout(Duration::from_secs(5)).unwrap();
        }
        pacer.element().set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn it_ends_with_packets_in_line() {
        let (pacer, source, _left) = rig(MEGABIT / 10);
        push(&source, packets(3));
        let shared = Arc::downgrade(&pacer.shared);
        pacer.element().set_state(gst::State::Null).unwrap();
        drop(pacer);
        drop(source);
        assert!(shared.upgrade().is_none(), "nothing keeps it alive");
    }
}
