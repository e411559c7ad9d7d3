//! What the monitor has seen so far, and the figures made of it. Pure: time is handed in.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::skew::Skew;
use crate::{
    base::{Moment, Ring},
    stage::{depacket::Frame, payload::Codec},
    stats::{
        Freezes, Jitter, Latency, LatencySummary, SoundGaps, WatchFigures, report::MonitorReport,
        verdict::VerdictReport,
    },
};

/// Over which the shown latency is taken.
const LATENCY_WINDOW: Duration = Duration::from_secs(10);
/// Most latencies kept for it: 10 s at 60 fps.
const MAX_LATENCIES: usize = 600;
const SECOND: Duration = Duration::from_secs(1);

/// Why a frame gave no latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unmeasured {
    NoStamp(Codec),
    OtherBoot,
}

/// Longer than this no frame is under way: the two clocks are not the same.
const PLAUSIBLE: Duration = Duration::from_mins(1);

/// A stamped frame of this boot that came whole.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: Instant,
    latency: Duration,
    /// Its number, and when it came, on CLOCK_MONOTONIC in nanoseconds.
    numbered: (u64, u64),
}

/// Everything seen.
#[derive(Debug)]
pub struct Seen {
    began: Instant,
    boot: u64,
    latency: Latency,
    recent: Ring<Arrival>,
    /// When frames without such a stamp came, and how long ago they were captured by the sender's wall clock.
    estimated: Ring<(Instant, Duration)>,
    freezes: Freezes,
    jitter: Jitter,
    sound_gaps: SoundGaps,
    first: Option<Instant>,
    frames: u64,
    unstamped: u64,
    unmeasured: Option<Unmeasured>,
    last_frames: VecDeque<Instant>,
    last_bytes: VecDeque<(Instant, usize)>,
    /// Sound against picture.
    pub skew: Skew,
    size: Option<(u32, u32)>,
    size_changes: u64,
    /// The show that is meant to be watched, by the id in its stamps.
    show: Option<u64>,
    /// Since when the frames have been another show's.
    foreign: Option<Instant>,
    /// The stream has a picture. Of one that has sound alone the gaps are those of the sound.
    picture: bool,
}

impl Seen {
    /// Nothing yet. `boot` is this machine's boot id, `show` the show whose frames are awaited, if it is known.
    pub fn new(began: Instant, boot: u64, show: Option<u64>) -> Self {
        Self {
            began,
            boot,
            latency: Latency::default(),
            recent: Ring::new(MAX_LATENCIES),
            estimated: Ring::new(MAX_LATENCIES),
            freezes: Freezes::default(),
            jitter: Jitter::default(),
            sound_gaps: SoundGaps::default(),
            first: None,
            frames: 0,
            unstamped: 0,
            unmeasured: None,
            last_frames: VecDeque::new(),
            last_bytes: VecDeque::new(),
            skew: Skew::new(began),
            size: None,
            size_changes: 0,
            show,
            foreign: None,
            picture: true,
        }
    }

    /// Whether the stream has a picture.
    pub fn expect_picture(&mut self, picture: bool) {
        self.picture = picture;
    }

    /// A whole frame is here; `age` is how long ago it was captured, by the sender's wall clock and ours.
    pub fn frame(&mut self, frame: &Frame, age: Option<Duration>) {
        self.frames += 1;
        self.first.get_or_insert(frame.arrived);
        if let Some(size) = frame.size {
            let before = self.size.replace(size);
            self.size_changes += u64::from(before.is_some_and(|before| before != size));
        }
        self.freezes.frame(self.moment(frame.arrived));
        self.last_frames.push_back(frame.arrived);
        trim(&mut self.last_frames, frame.arrived, |at| *at);
        if frame.stamp.is_none_or(|stamp| stamp.boot_id != self.boot)
            && let Some(age) = age.filter(|age| *age < PLAUSIBLE)
        {
            self.estimated.push((frame.arrived, age));
        }
        let Some(stamp) = frame.stamp else {
            self.unstamped += 1;
            self.unmeasured = Some(Unmeasured::NoStamp(frame.codec));
            return;
        };
        if let (Some(ours), Some(theirs)) = (self.show, stamp.show) {
            if ours != theirs {
                // Its age says nothing about the stream that is meant.
                self.foreign.get_or_insert(frame.arrived);
                return;
            }
            self.foreign = None;
        }
        if stamp.boot_id != self.boot {
            self.unmeasured = Some(Unmeasured::OtherBoot);
        } else if let Some(ns) = frame.arrived_ns.checked_sub(stamp.mono_ns) {
            let latency = Duration::from_nanos(ns);
            self.latency.record(latency);
            let numbered = (stamp.frame, frame.arrived_ns);
            self.recent.push(Arrival { at: frame.arrived, latency, numbered });
        }
    }

    /// A packet of the picture came, with that RTP time of so many ticks a second.
    pub fn picture_packet(&mut self, at: Instant, rtp: u32, rate: u32) {
        let at = self.moment(at);
        self.jitter.packet(at, rtp, rate);
    }

    /// A packet of sound came.
    pub fn sound_packet(&mut self, at: Instant) {
        if !self.picture {
            self.first.get_or_insert(at);
        }
        let at = self.moment(at);
        if !self.picture {
            self.freezes.frame(at);
        }
        self.sound_gaps.packet(at);
    }

    /// The numbers of the frames that came in the 10 s before `now`, and when, on CLOCK_MONOTONIC in nanoseconds;
    /// those with a stamp of this boot.
    pub fn arrivals(&self, now: Instant) -> Vec<(u64, u64)> {
        self.lately(now).map(|arrival| arrival.numbered).collect()
    }

    fn lately(&self, now: Instant) -> impl Iterator<Item = &Arrival> {
        let fresh = move |a: &&Arrival| now.saturating_duration_since(a.at) <= LATENCY_WINDOW;
        self.recent.iter().filter(fresh)
    }

    /// Bytes of media came.
    pub fn bytes(&mut self, bytes: usize, at: Instant) {
        self.last_bytes.push_back((at, bytes));
        trim(&mut self.last_bytes, at, |(at, _)| *at);
    }

    /// As of `now`.
    pub fn figures(&self, now: Instant) -> WatchFigures {
        let moment = self.moment(now);
        let within = |at: Instant| now.saturating_duration_since(at) < SECOND;
        let bytes: usize =
            self.last_bytes.iter().filter(|(at, _)| within(*at)).map(|(_, n)| n).sum();
        WatchFigures {
            latency: self.recent_latency(now),
            estimated: self.recent_estimate(now),
            fps: self.last_frames.iter().filter(|at| within(**at)).count() as f32,
            kbps: bytes as f64 * 8.0 / 1000.0,
            freezes: self.freezes.count(),
            freeze_ms: self.freezes.total().as_millis() as u64,
            gap_ms: self.freezes.gap(moment).as_millis() as u64,
            frozen: self.freezes.frozen(moment),
            pause_ms: self.freezes.paused().as_millis() as u64,
            av_skew_ms: self.skew.ms(),
            network: None,
            jitter_ms: self.jitter.ms(),
            sound_gaps: self.sound_gaps.count(),
            sound_gap_ms: self.sound_gaps.total().as_millis() as u64,
            size: self.size,
            size_changes: self.size_changes,
            foreign_ms: self.foreign.map_or(0, |since| {
                (now.saturating_duration_since(since).as_millis() as u64).max(1)
            }),
        }
    }

    /// When the first frame came.
    pub const fn first(&self) -> Option<Instant> {
        self.first
    }

    /// Of the whole time.
    pub fn report(&self) -> MonitorReport {
        let latency = self.latency.summary();
        let estimated = self.estimated.iter().next().is_some();
        let latency_by = match (latency, self.unmeasured) {
            (Some(_), _) => "capture stamp",
            (None, Some(Unmeasured::NoStamp(Codec::Vp8))) => {
                "not measured: VP8 carries no capture stamp"
            }
            (None, Some(Unmeasured::NoStamp(Codec::H264))) => {
                "not measured: the frames carry no capture stamp"
            }
            (None, Some(Unmeasured::OtherBoot)) => {
                "not measured: the frames are stamped by another machine or boot, whose clock cannot be \
                 compared"
            }
            (None, None) if !self.picture && self.first.is_some() => {
                "not measured: the stream has sound alone, which carries no capture stamp"
            }
            (None, None) => "not measured: no frame came",
        };
        MonitorReport {
            latency,
            latency_by: match latency {
                None if estimated => format!("{latency_by}; estimated from sender reports"),
                _ => latency_by.to_owned(),
            },
            frames: self.frames,
            unstamped: self.unstamped,
            freezes: self.freezes.count(),
            freeze_ms: self.freezes.total().as_millis() as u64,
            pauses: self.freezes.pauses(),
            longest_gap_ms: self.freezes.longest().as_millis() as u64,
            worst_av_skew_ms: self.skew.worst(),
            verdict: VerdictReport::default(),
        }
    }

    fn moment(&self, at: Instant) -> Moment {
        let ns = at.saturating_duration_since(self.began).as_nanos();
        Moment(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    fn recent_estimate(&self, now: Instant) -> Option<LatencySummary> {
        let fresh =
            |(at, _): &&(Instant, Duration)| now.saturating_duration_since(*at) <= LATENCY_WINDOW;
        let ms = self.estimated.iter().filter(fresh).map(|(_, age)| age.as_secs_f64() * 1000.0);
        LatencySummary::of(ms.collect())
    }

    fn recent_latency(&self, now: Instant) -> Option<LatencySummary> {
        let ms = self.lately(now).map(|arrival| arrival.latency.as_secs_f64() * 1000.0);
        LatencySummary::of(ms.collect())
    }
}

/// Lets go of what is older than a second.
fn trim<T>(values: &mut VecDeque<T>, now: Instant, at: impl Fn(&T) -> Instant) {
    while values.front().is_some_and(|v| now.saturating_duration_since(at(v)) > SECOND) {
        values.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Stamp;

    fn frame(at: Instant, ns: u64, stamp: Option<Stamp>) -> Frame {
        Frame {
            data: vec![1],
            codec: Codec::H264,
            rtp: 0,
            arrived: at,
            arrived_ns: ns,
            key: true,
            stamp,
            size: Some((1280, 720)),
        }
    }

    #[test]
    fn latency_is_taken_from_stamps_of_this_boot_only() {
        let began = Instant::now();
        let stamp = Stamp { boot_id: 7, mono_ns: 1_000_000, frame: 1, ..Stamp::default() };
        let mut seen = Seen::new(began, 7, None);
        assert_eq!(seen.report().latency_by, "not measured: no frame came");
        seen.frame(&frame(began, 9_000_000, Some(Stamp { boot_id: 8, ..stamp })), None);
        assert!(seen.report().latency.is_none());
        assert!(seen.report().latency_by.contains("another machine"));
        seen.frame(&frame(began, 9_000_000, Some(stamp)), None);
        let latency = seen.figures(began).latency.unwrap();
        assert!((latency.p50_ms - 8.0).abs() < 1e-9 && latency.count == 1);
        assert_eq!(seen.report().latency_by, "capture stamp");
        assert_eq!(seen.arrivals(began), [(1, 9_000_000)]);
        assert!(seen.figures(began + LATENCY_WINDOW * 2).latency.is_none());
        assert_eq!(seen.arrivals(began + LATENCY_WINDOW * 2), []);
    }

    #[test]
    fn frames_of_another_show_are_known_and_measure_nothing() {
        let began = Instant::now();
        let stamp = Stamp { boot_id: 7, mono_ns: 1_000_000, frame: 1, ..Stamp::default() };
        let of = |show| frame(began, 9_000_000, Some(Stamp { show, ..stamp }));
        let mut seen = Seen::new(began, 7, Some(42));
        // One without an id may be ours, by an older hawker.
        seen.frame(&of(None), None);
        assert_eq!(seen.figures(began).foreign_ms, 0);
        seen.frame(&of(Some(43)), None);
        let later = began + Duration::from_millis(700);
        let figures = seen.figures(later);
        assert_eq!((figures.foreign_ms, figures.latency.map(|l| l.count)), (700, Some(1)));
        seen.frame(&frame(later, 9_000_000, None), None);
        assert_eq!(seen.figures(later).foreign_ms, 700, "what cannot be told changes nothing");
        seen.frame(&of(Some(42)), None);
        assert_eq!(seen.figures(later).foreign_ms, 0);
        assert_eq!(seen.figures(later).latency.map(|l| l.count), Some(2));

        let mut anybody = Seen::new(began, 7, None);
        anybody.frame(&of(Some(43)), None);
        assert_eq!(anybody.figures(later).foreign_ms, 0);
    }

    #[test]
    fn a_stream_of_sound_alone_is_watched_by_its_sound() {
        let began = Instant::now();
        let mut seen = Seen::new(began, 7, None);
        seen.sound_packet(began);
        assert_eq!(seen.first(), None, "a picture is still to come");
        seen.expect_picture(false);
        for n in 0..50 {
            seen.sound_packet(began + Duration::from_millis(20 * n));
        }
        let at = began + Duration::from_millis(20 * 49);
        assert_eq!((seen.first(), seen.figures(at).frozen), (Some(began), false));
        let later = seen.figures(at + Duration::from_millis(700));
        assert_eq!((later.frozen, later.gap_ms), (true, 700));
        assert!(seen.report().latency_by.contains("sound alone"));
    }

    #[test]
    fn a_picture_that_changes_its_size_is_counted() {
        let began = Instant::now();
        let mut seen = Seen::new(began, 0, None);
        let of = |size| Frame { size, ..frame(began, 0, None) };
        for size in [Some((1280, 720)), None, Some((960, 540)), None, Some((960, 540))] {
            seen.frame(&of(size), None);
        }
        let figures = seen.figures(began);
        assert_eq!((figures.size, figures.size_changes), (Some((960, 540)), 1));
    }

    #[test]
    fn a_frame_without_a_stamp_of_ours_has_an_estimate_and_no_latency() {
        let began = Instant::now();
        let stamp = Stamp { boot_id: 7, mono_ns: 1_000_000, frame: 1, ..Stamp::default() };
        let mut seen = Seen::new(began, 7, None);
        let age = Some(Duration::from_millis(120));
        seen.frame(&frame(began, 9_000_000, None), age);
        seen.frame(&frame(began, 9_000_000, Some(Stamp { boot_id: 8, ..stamp })), age);
        // An hour: nobody believes that.
        seen.frame(&frame(began, 9_000_000, None), Some(Duration::from_hours(1)));
        let figures = seen.figures(began);
        let estimated = figures.estimated.unwrap();
        assert_eq!((estimated.p50_ms, estimated.count, figures.latency), (120.0, 2, None));
        assert!(seen.report().latency_by.ends_with("; estimated from sender reports"));
        assert!(seen.report().latency_by.starts_with("not measured"));
        assert_eq!(seen.figures(began + LATENCY_WINDOW * 2).estimated, None);
        seen.frame(&frame(began, 9_000_000, Some(stamp)), age);
        assert_eq!(seen.figures(began).estimated.map(|e| e.count), Some(2), "a stamp needs none");
        assert_eq!(seen.report().latency_by, "capture stamp");
    }
}
