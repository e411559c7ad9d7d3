//! Lets packets out no faster than the path is believed to carry. What fits goes through at once, in the
//! thread that brought it; what does not waits for a thread of the pacer's own.
//! A frame of ordinary size therefore never waits, and a key frame is spread instead of flooding a narrow
//! link. Sound passes everything that waits: it is little, and what is heard matters more. So does what is sent
//! again: whole frames wait for it at the other end. On a lossy path sound is said again with what follows it.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use gst::prelude::*;

use super::{
    MediaError,
    feed::lock,
    publisher::{AUDIO_PT, VIDEO_PT},
};

/// How much may leave at once after a pause: this long at the rate.
const BURST: Duration = Duration::from_millis(20);
/// What has waited longer than this at the rate leaves anyway: late packets are worth less than a full
/// queue of the network's. On a path that is full already they wait longer.
const LONGEST: Duration = Duration::from_millis(30);
const LONGEST_ON_FULL_PATH: Duration = Duration::from_millis(250);
/// Packets of sound that can be said again.
const MOST_ECHOES: usize = 2;
/// A frame of so many packets is worth saying its last one twice; of a shorter one that would be too large a share.
const LONG_TRAIN: usize = 8;
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
    /// How many packets of sound are said again with the next, and the last ones, newest first.
    echoes: usize,
    said: VecDeque<gst::Buffer>,
    /// What left since it was last asked, in bits: all of it, and what was sent again.
    left: (u64, u64),
    /// What was sent again and what sound was said again since the beginning, in bits.
    again_bits: u64,
    echoed_bits: u64,
    /// The most that has waited since somebody looked: how long at the rate, in ms, and how many packets.
    most_ms: f64,
    most_packets: u32,
    /// The pacer's thread holds packets that are older than any that come now.
    sending: bool,
    stop: bool,
}

impl Line {
    fn note_waiting(&mut self) {
        let rate = self.bucket.bits_per_second.max(1);
        let ms = self.waiting_bits as f64 * 1000.0 / rate as f64;
        // What would wait longer leaves at once.
        self.most_ms = self.most_ms.max(ms.min(self.longest.as_secs_f64() * 1000.0));
        self.most_packets = self.most_packets.max(self.waiting.len() as u32);
    }
}

/// What has waited, and what was sent beyond what had to be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Queue {
    /// Sent again since the beginning, in bits.
    pub again_bits: u64,
    /// Sound said again since the beginning, in bits.
    pub echoed_bits: u64,
    /// The most that has waited since the last look, in ms at the rate it leaves.
    pub most_ms: f64,
    /// The same in packets.
    pub most_packets: u32,
}

struct Shared {
    began: Instant,
    line: Mutex<Line>,
    more: Condvar,
}

/// What a packet is to the pacer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Whether it is the last of its frame.
    Picture {
        last: bool,
    },
    Sound,
    Again,
}

impl Kind {
    fn of(packet: &gst::BufferRef) -> Self {
        // The second byte: the marker and the payload type (RFC 3550, 5.1).
        let mut second = [0];
        let _ = packet.copy_to_slice(1, &mut second);
        match u32::from(second[0] & 0x7f) {
            AUDIO_PT => Self::Sound,
            VIDEO_PT => Self::Picture { last: second[0] & 0x80 != 0 },
            _ => Self::Again,
        }
    }
}

/// Asks rtprtxsend to send that packet again. A receiver misses the last packet of a frame only when the next
/// frame comes, which is too late for one more request: on a lossy path it goes twice where that is little.
fn repetition(packet: &gst::BufferRef) -> Option<gst::Event> {
    let mut header = [0; 12];
    packet.copy_to_slice(0, &mut header).ok()?;
    let [_, pt, s0, s1, _, _, _, _, ssrc @ ..] = header;
    let request = gst::Structure::builder("GstRTPRetransmissionRequest")
        .field("seqnum", u32::from(u16::from_be_bytes([s0, s1])))
        .field("ssrc", u32::from_be_bytes(ssrc))
        .field("payload-type", u32::from(pt & 0x7f))
        .build();
    Some(gst::event::CustomUpstream::new(request))
}

/// Sends what leaves together.
fn push(out: &gst::Pad, mut packets: Vec<gst::Buffer>) -> Result<gst::FlowSuccess, gst::FlowError> {
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
    /// Takes a packet, and gives what may leave now; the rest waits in line. The packets of one frame leave
    /// together: what is on their way is then woken once for all of them.
    fn take(&self, kind: Kind, packet: gst::Buffer) -> Vec<gst::Buffer> {
        let size = bits(&packet);
        let mut line = lock(&self.line);
        line.bucket.fill(self.began.elapsed());
        line.left.0 += size;
        let Kind::Picture { last } = kind else {
            if kind == Kind::Again {
                line.left.1 += size;
                line.again_bits += size;
            }
            line.bucket.spend(size);
            return vec![packet];
        };
        if line.waiting.is_empty() && !line.sending && line.bucket.take(size) {
            line.train.push(packet);
            line.train_bits += size;
            if !last {
                return Vec::new();
            }
            line.train_bits = 0;
            return std::mem::take(&mut line.train);
        }
        // What of the frame might have left must not be overtaken by its rest.
        let begun_bits = std::mem::take(&mut line.train_bits);
        let begun = std::mem::take(&mut line.train);
        line.bucket.bits = line.bucket.bits.saturating_add_unsigned(begun_bits);
        line.waiting_bits += begun_bits + size;
        line.waiting.extend(begun);
        line.waiting.push_back(packet);
        line.note_waiting();
        self.more.notify_one();
        Vec::new()
    }

    /// Whether the path is known to lose packets.
    fn is_lossy(&self) -> bool {
        lock(&self.line).echoes > 0
    }

    /// The packets of sound to be said again after this one.
    fn echoes(&self, kind: Kind, packet: &gst::Buffer) -> Vec<gst::Buffer> {
        if kind != Kind::Sound {
            return Vec::new();
        }
        let mut line = lock(&self.line);
        if line.echoes == 0 {
            line.said.clear();
            return Vec::new();
        }
        let echoes: Vec<_> = line.said.iter().take(line.echoes).cloned().collect();
        let size = echoes.iter().map(|b| bits(b)).sum();
        line.bucket.spend(size);
        line.left = (line.left.0 + size, line.left.1 + size);
        line.echoed_bits += size;
        line.said.truncate(MOST_ECHOES - 1);
        line.said.push_front(packet.clone());
        echoes
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
                echoes: 0,
                said: VecDeque::new(),
                left: (0, 0),
                again_bits: 0,
                echoed_bits: 0,
                most_ms: 0.0,
                most_packets: 0,
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
            .chain_function(move |pad, _, packet| {
                let out = to.upgrade().ok_or(gst::FlowError::Flushing)?;
                let kind = Kind::of(&packet);
                let echoes = line.echoes(kind, &packet);
                let leaving = line.take(kind, packet);
                let long = leaving.len() >= LONG_TRAIN && line.is_lossy();
                let again = leaving.last().filter(|_| long).and_then(|last| repetition(last));
                let mut sent = push(&out, leaving);
                for echo in echoes {
                    sent = sent.and_then(|_| out.push(echo));
                }
                if let Some(again) = again {
                    // Nobody there to send it again: the receiver will ask.
                    let _ = pad.push_event(again);
                }
                sent
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
    /// From now on at that rate; whether a queue stands on the path; how many packets of sound are said again with
    /// the next, two at most. What left since the last time, in bits: all of it, and what was sent again.
    pub fn set(&self, bits_per_second: u64, full: bool, echoes: usize) -> (u64, u64) {
        let mut line = lock(&self.0.line);
        line.bucket.fill(self.0.began.elapsed());
        line.bucket.bits_per_second = bits_per_second;
        line.longest = if full { LONGEST_ON_FULL_PATH } else { LONGEST };
        line.echoes = echoes.min(MOST_ECHOES);
        std::mem::take(&mut line.left)
    }
}

impl PacerHandle {
    /// What has waited since the last look.
    pub fn look(&self) -> Queue {
        let mut line = lock(&self.0.line);
        let queue = Queue {
            again_bits: line.again_bits,
            echoed_bits: line.echoed_bits,
            most_ms: line.most_ms,
            most_packets: line.most_packets,
        };
        // What waits now has waited at the next look too.
        (line.most_ms, line.most_packets) = (0.0, 0);
        line.note_waiting();
        queue
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

    fn packet(pt: u32, bytes: usize) -> gst::Buffer {
        let mut packet = vec![0; bytes];
        packet[1] = pt as u8;
        gst::Buffer::from_slice(packet)
    }

    fn packets(n: usize) -> impl Iterator<Item = gst::Buffer> {
        // The last of them is marked as the frame's last.
        (1..=n).map(move |i| packet(VIDEO_PT | if i == n { 0x80 } else { 0 }, 1250))
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
        source.push(packet(VIDEO_PT, 125)).unwrap();
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
    fn sound_and_what_is_sent_again_pass_what_waits() {
        let (pacer, source, left) = rig(MEGABIT);
        pacer.handle().set(MEGABIT, true, 0);
        push(&source, packets(20));
        source.push(packet(AUDIO_PT, 100)).unwrap();
        source.push(packet(97, 1000)).unwrap();
        let sizes: Vec<_> = left.try_iter().collect();
        assert!(sizes.len() < 20 && sizes.contains(&100) && sizes.contains(&1000), "{sizes:?}");
        let (all, again) = pacer.handle().set(MEGABIT, true, 0);
        assert_eq!((all, again), (8 * (20 * 1250 + 1100), 8000));
        let queue = pacer.handle().look();
        assert_eq!((queue.again_bits, queue.echoed_bits), (8000, 0));
        // 20 ms at a Mb/s leave at once, which are two packets; each of the others takes 10 ms.
        assert!(queue.most_packets > 10 && queue.most_ms > 100.0, "{queue:?}");
        pacer.element().set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn the_last_packet_of_a_frame_goes_twice_on_a_lossy_path() {
        let (pacer, source, _left) = rig(10 * MEGABIT);
        let (ask, asked) = std::sync::mpsc::channel();
        source.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            let request = info.event().and_then(|e| e.structure()).map(ToOwned::to_owned);
            let _ = ask.send(request.unwrap());
            gst::PadProbeReturn::Handled
        });
        push(&source, packets(3));
        assert!(asked.try_recv().is_err(), "not while nothing is lost");
        pacer.handle().set(10 * MEGABIT, false, 1);
        let mut last = vec![0x80, 0x80 | VIDEO_PT as u8, 1, 2, 0, 0, 0, 0, 3, 4, 5, 6];
        last.resize(500, 0);
        push(&source, packets(LONG_TRAIN - 1));
        assert!(asked.try_recv().is_err(), "not where it is much");
        push(&source, packets(LONG_TRAIN).take(LONG_TRAIN - 1));
        source.push(gst::Buffer::from_slice(last)).unwrap();
        let request = asked.try_recv().unwrap();
        assert_eq!(request.get::<u32>("seqnum").unwrap(), 0x0102);
        assert_eq!(request.get::<u32>("ssrc").unwrap(), 0x0304_0506);
        assert!(asked.try_recv().is_err(), "only the last");
        pacer.element().set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn sound_is_said_again_with_what_follows_it() {
        let (pacer, source, left) = rig(10 * MEGABIT);
        let say = |bytes| source.push(packet(AUDIO_PT, bytes)).unwrap();
        say(100);
        pacer.handle().set(10 * MEGABIT, false, 2);
        say(101);
        push(&source, packets(1));
        say(102);
        say(103);
        pacer.handle().set(10 * MEGABIT, false, 0);
        say(104);
        let sizes: Vec<_> = left.try_iter().collect();
        assert_eq!(sizes, [100, 101, 1250, 102, 101, 103, 102, 101, 104]);
        let queue = pacer.handle().look();
        assert_eq!((queue.again_bits, queue.echoed_bits), (0, 8 * (101 + 102 + 101)));
        assert_eq!((queue.most_packets, queue.most_ms), (0, 0.0), "nothing had to wait");
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
