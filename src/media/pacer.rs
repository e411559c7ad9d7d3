//! The pacer of a session as a GStreamer element: `flow::Pacing` decides what leaves when. What may leave at once goes
//! in the thread that brought it, what waits in a thread of the pacer's own. On a lossy path sound is sent redundantly
//! with what follows it, and the last packet of a long frame twice.

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
use crate::flow::{Pacing, Passed, Probe, pacing::Kind};

/// Packets of sound that can be sent redundantly.
const MOST_ECHOES: usize = 2;
/// A frame of so many packets is worth sending its last one twice; of a shorter one that would be too large a share.
const LONG_TRAIN: usize = 8;
/// Bytes around an RTP packet: the tag of SRTP 10, UDP 8, IPv4 20.
const OVERHEAD: usize = 38;
/// Between two looks at what waits.
const PAUSE: Duration = Duration::from_millis(2);

struct State {
    pacing: Pacing<gst::Buffer>,
    /// How many packets of sound are sent again with the next, and the last ones, newest first.
    echoes: usize,
    sound: VecDeque<gst::Buffer>,
    /// What redundant sound took since the beginning, in bits.
    echoed_bits: u64,
    /// The numbers of packets whose retransmission is padding.
    padding: Vec<u16>,
    /// What had left, and of it redundantly, when it was last asked.
    told: (u64, u64),
    /// The most that has waited since somebody looked: how long at the rate, in ms, and how many packets.
    most_ms: f64,
    most_packets: u32,
    /// The pacer's thread holds packets that are older than any that come now.
    held: bool,
    stop: bool,
}

impl State {
    fn note_waiting(&mut self) {
        let (ms, packets) = self.pacing.waits();
        self.most_ms = self.most_ms.max(ms);
        self.most_packets = self.most_packets.max(packets as u32);
    }
}

/// What has waited, and what was sent beyond what had to be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Queue {
    /// What left since the beginning.
    pub passed: Passed,
    /// Redundant sound since the beginning, in bits.
    pub echoed_bits: u64,
    /// The most that has waited since the last look, in ms at the rate that the path carries.
    pub most_ms: f64,
    /// The same in packets.
    pub most_packets: u32,
}

/// A packet of the picture, as the pacer sees it pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its sequence number.
    pub number: u16,
    /// Its size in bytes.
    pub bytes: usize,
    /// It belongs to a key frame.
    pub key: bool,
    /// Its stream.
    pub ssrc: u32,
}

struct Shared {
    began: Instant,
    state: Mutex<State>,
    more: Condvar,
    on_picture: Box<dyn Fn(Seen) + Send + Sync>,
}

/// The fixed header of an RTP packet (RFC 3550, 5.1).
fn header(packet: &gst::BufferRef) -> [u8; 12] {
    let mut header = [0; 12];
    // A packet that is shorter is none of ours; zeros make it one to be sent again, which is never lost track of.
    let _ = packet.copy_to_slice(0, &mut header);
    header
}

/// The number of the packet that a retransmission repeats (RFC 4588, 4: the first two bytes of the payload).
fn original_number(packet: &gst::BufferRef) -> Option<u16> {
    let [first, ..] = header(packet);
    let mut at = 12 + usize::from(first & 0x0f) * 4;
    if first & 0x10 != 0 {
        let mut extension = [0; 4];
        packet.copy_to_slice(at, &mut extension).ok()?;
        at += 4 + usize::from(u16::from_be_bytes([extension[2], extension[3]])) * 4;
    }
    let mut number = [0; 2];
    packet.copy_to_slice(at, &mut number).ok()?;
    Some(u16::from_be_bytes(number))
}

/// Asks rtprtxsend to send that packet again. A receiver misses the last packet of a frame only when the next
/// frame comes, which is too late for one more request: on a lossy path it goes twice where that is little.
fn repetition(packet: &gst::BufferRef) -> gst::Event {
    let [_, pt, s0, s1, _, _, _, _, ssrc @ ..] = header(packet);
    request(u16::from_be_bytes([s0, s1]), u32::from_be_bytes(ssrc), pt & 0x7f)
}

/// The event that makes rtprtxsend send a packet again.
pub(super) fn request(number: u16, ssrc: u32, pt: u8) -> gst::Event {
    let request = gst::Structure::builder("GstRTPRetransmissionRequest")
        .field("seqnum", u32::from(number))
        .field("ssrc", ssrc)
        .field("payload-type", u32::from(pt))
        .build();
    gst::event::CustomUpstream::new(request)
}

/// Sends what leaves together.
fn push(out: &gst::Pad, mut packets: Vec<gst::Buffer>) -> Result<gst::FlowSuccess, gst::FlowError> {
    match packets.len() {
        0 => Ok(gst::FlowSuccess::Ok),
        1 => packets.pop().map_or(Ok(gst::FlowSuccess::Ok), |packet| out.push(packet)),
        _ => out.push_list(packets.into_iter().collect::<gst::BufferList>()),
    }
}

/// What a packet takes of the path: SRTP's tag (RFC 3711), UDP and IP are part of it, as they are of the sizes in
/// transport-wide reports.
fn bits(buffer: &gst::BufferRef) -> u64 {
    (buffer.size() + OVERHEAD) as u64 * 8
}

impl Shared {
    fn kind(&self, packet: &gst::BufferRef) -> Kind {
        // The second byte is the marker and the payload type (RFC 3550, 5.1).
        let [_, second, n0, n1, _, _, _, _, ssrc @ ..] = header(packet);
        match u32::from(second & 0x7f) {
            AUDIO_PT => Kind::Sound,
            VIDEO_PT => {
                let key = !packet.flags().contains(gst::BufferFlags::DELTA_UNIT);
                let number = u16::from_be_bytes([n0, n1]);
                let ssrc = u32::from_be_bytes(ssrc);
                (self.on_picture)(Seen { number, bytes: packet.size(), key, ssrc });
                Kind::Picture { last: second & 0x80 != 0 }
            }
            _ => {
                let mut state = lock(&self.state);
                let number = original_number(packet);
                let place = state.padding.iter().position(|n| Some(*n) == number);
                if let Some(place) = place {
                    state.padding.swap_remove(place);
                    Kind::Padding
                } else {
                    Kind::Again
                }
            }
        }
    }

    /// Takes a packet, and gives what may leave now.
    fn take(&self, kind: Kind, packet: gst::Buffer) -> Vec<gst::Buffer> {
        let size = bits(&packet);
        let mut state = lock(&self.state);
        let held = state.held;
        let leaving = state.pacing.put(self.began.elapsed(), kind, packet, size, held);
        if !state.pacing.is_idle() {
            state.note_waiting();
            self.more.notify_one();
        }
        leaving
    }

    /// Whether the path is known to lose packets.
    fn is_lossy(&self) -> bool {
        lock(&self.state).echoes > 0
    }

    /// The packets of sound to be sent again after this one.
    fn echoes(&self, kind: Kind, packet: &gst::Buffer) -> Vec<gst::Buffer> {
        if kind != Kind::Sound {
            return Vec::new();
        }
        let mut state = lock(&self.state);
        if state.echoes == 0 {
            state.sound.clear();
            return Vec::new();
        }
        let now = self.began.elapsed();
        let echoes: Vec<_> = state.sound.iter().take(state.echoes).cloned().collect();
        let mut leaving = Vec::new();
        for echo in echoes {
            let size = bits(&echo);
            state.echoed_bits += size;
            leaving.extend(state.pacing.put(now, Kind::Sound, echo, size, false));
        }
        state.sound.truncate(MOST_ECHOES - 1);
        state.sound.push_front(packet.clone());
        leaving
    }

    /// What may leave now. Waits while there is nothing; `None` when the pacer ends.
    fn next(&self) -> Option<Vec<gst::Buffer>> {
        let mut state = lock(&self.state);
        state.held = false;
        loop {
            if state.stop {
                return None;
            }
            if state.pacing.is_idle() {
                state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let leaving = state.pacing.next(self.began.elapsed());
            if !leaving.is_empty() {
                state.held = true;
                return Some(leaving);
            }
            state = self.more.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The rates of a pacer, in bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// What the path is estimated to carry.
    pub estimate: u64,
    /// How fast a burst may leave.
    pub pace: u64,
}

/// The pacer of one session.
pub struct Pacer {
    element: gst::Bin,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    /// A pacer at these rates, with one pad for packets to come and one for them to leave. `on_picture` sees every
    /// packet of the picture come.
    pub fn start(
        rates: Rates,
        on_picture: Box<dyn Fn(Seen) + Send + Sync>,
    ) -> Result<Self, MediaError> {
        tracing::trace!(
            estimate_bps = rates.estimate,
            pace_bps = rates.pace,
            full = false,
            "rates"
        );
        let shared = Arc::new(Shared {
            began: Instant::now(),
            state: Mutex::new(State {
                pacing: Pacing::new(rates.estimate, rates.pace),
                echoes: 0,
                sound: VecDeque::new(),
                echoed_bits: 0,
                padding: Vec::new(),
                told: (0, 0),
                most_ms: 0.0,
                most_packets: 0,
                held: false,
                stop: false,
            }),
            more: Condvar::new(),
            on_picture,
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
                let kind = line.kind(&packet);
                let echoes = line.echoes(kind, &packet);
                let leaving = line.take(kind, packet);
                let long = leaving.len() >= LONG_TRAIN && line.is_lossy();
                let again = leaving.last().filter(|_| long).map(|last| repetition(last));
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
            .map_err(|e| MediaError::lasting(format!("cannot spawn the pacer's thread: {e}")))?;
        Ok(Self { element, shared, thread: Some(thread) })
    }

    /// What goes into the pipeline.
    pub const fn element(&self) -> &gst::Bin {
        &self.element
    }

    /// Changes the rates.
    pub fn handle(&self) -> PacerHandle {
        PacerHandle(Arc::clone(&self.shared))
    }
}

/// Sets the rates of a pacer from elsewhere.
#[derive(Clone)]
pub struct PacerHandle(Arc<Shared>);

impl PacerHandle {
    /// From now on at these rates; whether a queue stands on the path; how many packets of sound are sent again with
    /// the next, two at most. What left since the last time, in bits: all of it but padding, and what was sent
    /// redundantly or again.
    pub fn set(&self, rates: Rates, full: bool, echoes: usize) -> (u64, u64) {
        tracing::trace!(estimate_bps = rates.estimate, pace_bps = rates.pace, full, "rates");
        let mut state = lock(&self.0.state);
        state.pacing.set(self.0.began.elapsed(), rates.estimate, rates.pace, full);
        state.echoes = echoes.min(MOST_ECHOES);
        let passed = state.pacing.passed();
        let now = (passed.bits - passed.padding_bits, passed.again_bits + state.echoed_bits);
        let before = std::mem::replace(&mut state.told, now);
        (now.0 - before.0, now.1 - before.1)
    }

    /// The retransmissions of these packets, which are going to come, are padding, to be sent as this probe asks for it.
    pub fn probe(&self, probe: Probe, numbers: Vec<u16>) {
        let mut state = lock(&self.0.state);
        state.pacing.probe(self.0.began.elapsed(), probe);
        state.padding = numbers;
    }

    /// What left since the beginning.
    pub fn passed(&self) -> Passed {
        lock(&self.0.state).pacing.passed()
    }

    /// What has waited since the last look.
    pub fn look(&self) -> Queue {
        let mut state = lock(&self.0.state);
        let queue = Queue {
            passed: state.pacing.passed(),
            echoed_bits: state.echoed_bits,
            most_ms: state.most_ms,
            most_packets: state.most_packets,
        };
        // What waits now has waited at the next look too.
        (state.most_ms, state.most_packets) = (0.0, 0);
        state.note_waiting();
        queue
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        lock(&self.shared.state).stop = true;
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

    /// What a packet of that many bytes takes of the path, in bits.
    const fn on_path(bytes: usize) -> u64 {
        (bytes + OVERHEAD) as u64 * 8
    }

    fn rates(rate: u64) -> Rates {
        Rates { estimate: rate, pace: rate }
    }

    /// A pacer whose output tells the size of what leaves it.
    fn rig(rate: u64) -> (Pacer, gst::Pad, std::sync::mpsc::Receiver<usize>) {
        gst::init().unwrap();
        let pacer = Pacer::start(rates(rate), Box::new(|_| {})).unwrap();
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
        pacer.handle().set(rates(MEGABIT), true, 0);
        push(&source, packets(20));
        source.push(packet(AUDIO_PT, 100)).unwrap();
        source.push(packet(97, 1000)).unwrap();
        let sizes: Vec<_> = left.try_iter().collect();
        assert!(sizes.len() < 20 && sizes.contains(&100) && sizes.contains(&1000), "{sizes:?}");
        let (all, again) = pacer.handle().set(rates(MEGABIT), true, 0);
        let sent: u64 = sizes.iter().map(|size| on_path(*size)).sum();
        assert!(all >= sent && again == on_path(1000), "{all} and {again} of {sent} bits");
        let queue = pacer.handle().look();
        assert_eq!((queue.passed.again_bits, queue.echoed_bits), (on_path(1000), 0));
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
        pacer.handle().set(rates(10 * MEGABIT), false, 1);
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
    fn sound_is_sent_again_with_what_follows_it() {
        let (pacer, source, left) = rig(10 * MEGABIT);
        let say = |bytes| source.push(packet(AUDIO_PT, bytes)).unwrap();
        say(100);
        pacer.handle().set(rates(10 * MEGABIT), false, 2);
        say(101);
        push(&source, packets(1));
        say(102);
        say(103);
        pacer.handle().set(rates(10 * MEGABIT), false, 0);
        say(104);
        let sizes: Vec<_> = left.try_iter().collect();
        assert_eq!(sizes, [100, 101, 1250, 102, 101, 103, 102, 101, 104]);
        let queue = pacer.handle().look();
        assert_eq!(
            (queue.passed.again_bits, queue.echoed_bits),
            (0, on_path(101) * 2 + on_path(102))
        );
        assert_eq!((queue.most_packets, queue.most_ms), (0, 0.0), "nothing had to wait");
        pacer.element().set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn what_waits_leaves_by_and_by() {
        let (pacer, source, left) = rig(MEGABIT / 10);
        // Within the limit, 24 kb in each 200 ms.
        push(&source, packets(10));
        for _ in 0..9 {
            left.recv_timeout(Duration::from_secs(5)).unwrap();
        }
        pacer.element().set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn what_is_sent_again_for_a_probe_is_padding_and_goes_at_its_rate() {
        let (pacer, source, left) = rig(10 * MEGABIT);
        // Retransmissions of the packets 7 and 8, the first with a header extension of eight bytes.
        let again = |number: u16, extended: bool| {
            let mut packet = vec![0x80, 97];
            packet.resize(12, 0);
            if extended {
                packet[0] |= 0x10;
                packet.extend([0xbe, 0xde, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
            }
            packet.extend(number.to_be_bytes());
            packet.resize(1000, 0);
            gst::Buffer::from_slice(packet)
        };
        let probe = Probe { rate: crate::base::Kbps(1000), lasts: Duration::from_secs(2) };
        pacer.handle().probe(probe, vec![7, 8]);
        for packet in [again(7, true), again(9, false), again(8, false)] {
            source.push(packet).unwrap();
        }
        assert_eq!(left.try_iter().count(), 1, "what was asked for does not wait");
        for _ in 0..2 {
            left.recv_timeout(Duration::from_secs(2)).unwrap();
        }
        let passed = pacer.handle().passed();
        assert_eq!((passed.again_bits, passed.padding_bits), (on_path(1000), on_path(1000) * 2));
        assert_eq!(
            pacer.handle().set(rates(MEGABIT), false, 0),
            (on_path(1000), on_path(1000)),
            "padding is no load"
        );
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
