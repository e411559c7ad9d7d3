//! An output that is no WebRTC session: RTMP, SRT, a recording. It takes encoded frames from the fan-out by a
//! queue of its own; a thread of its own hands them to its pipeline. Whatever becomes of the far end, nobody
//! but this output notices.

mod branch;
mod headers;
mod names;
mod queue;
mod record;
pub(super) mod refusal;
mod rtmp;
mod srt;

use std::{
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gst::prelude::*;
use tokio::sync::mpsc;

pub use self::rtmp::try_tls;
use self::{
    branch::{Branch, Passed, Plan},
    queue::{Item, Queue},
    record::Recorder,
    refusal::Waiting,
};
use super::{
    MediaError, aac,
    clock::MediaClock,
    error::DEFECT,
    fanout::{Consumer, Fanout, Sound},
    feed::lock,
    limit::{Limits, Standing},
    rendition::Rendition,
    trail::ENCODED,
};
use crate::{
    base::Secret,
    show::{Container, FailureKind, RecordSpec, RtmpSpec, SrtSpec, Target, VideoCodec},
    stats::{DiskFigures, OutputFigures, OutputWay, QualityLimit, report::FileReport},
};

/// From the order to connect until the server takes the stream.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Frames that may wait for a server, in seconds: TCP stalls for a while on a bad path, and catches up.
const SERVER_PATIENCE_S: u32 = 2;
/// Frames that may wait for a disk, in seconds: they all sleep now and then.
const DISK_PATIENCE_S: u32 = 10;
/// How often a far end is looked at that is being connected to, or is behind.
const LOOK: Duration = Duration::from_millis(10);
/// How often the thread looks around while nothing comes.
const IDLE: Duration = Duration::from_millis(100);

/// Where it goes, with every secret in hand.
#[derive(Clone)]
pub enum Destination {
    /// A server that speaks RTMP or RTMPS.
    Rtmp {
        /// Where.
        spec: RtmpSpec,
        /// The stream key.
        key: Option<Secret>,
    },
    /// A server that speaks SRT.
    Srt {
        /// Where.
        spec: SrtSpec,
        /// The stream id.
        stream_id: Option<Secret>,
        /// The passphrase.
        passphrase: Option<Secret>,
    },
    /// Files.
    Record {
        /// Where, and how long each.
        spec: RecordSpec,
        /// The show's title: files are named after it.
        title: String,
    },
}

/// What an outlet reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutletEvent {
    /// The far end takes the stream.
    Connected,
    /// A file was begun.
    FileBegun(PathBuf),
    /// It goes on, but somebody should know.
    Warned(String),
    /// It is over; why.
    Failed(String, FailureKind),
}

/// What the thread knows and others ask.
#[derive(Default)]
struct Status {
    passed: Arc<Passed>,
    /// The pipeline takes nothing more for now.
    behind: AtomicBool,
    free_bytes: Arc<AtomicU64>,
    files: Arc<Mutex<Vec<FileReport>>>,
    over: Mutex<bool>,
    bell: Condvar,
    stop: AtomicBool,
}

/// A running outlet. Dropping it lets it go without waiting.
pub struct Outlet {
    consumer: Arc<Consumer>,
    rendition: Arc<Rendition>,
    queue: Arc<Queue>,
    status: Arc<Status>,
    far: Option<Far>,
    clock: MediaClock,
    sample: Mutex<Sample>,
    heard: Mutex<Heard>,
    limits: Mutex<Limits>,
}

/// What the far end has acknowledged, where it does: when that grew last, and what had been sent by then.
#[derive(Default)]
struct Heard {
    acknowledged: i32,
    sent: i64,
    at: Option<Instant>,
}

/// The element at the far end, and how it is asked.
#[derive(Clone)]
struct Far {
    element: gst::glib::WeakRef<gst::Element>,
    is_srt: bool,
    /// Whether an SRT connection is encrypted.
    encrypted: bool,
}

#[derive(Default)]
struct Sample {
    at: Option<Instant>,
    bytes: u64,
    kbps: Option<f64>,
}

impl Outlet {
    /// Builds it and starts to connect.
    pub fn start(
        rendition: &Arc<Rendition>,
        clock: &MediaClock,
        to: Destination,
    ) -> Result<(Self, mpsc::Receiver<OutletEvent>), MediaError> {
        let Rendition { profile, fanout, .. } = &**rendition;
        let (queue, status) = (Arc::new(Queue::default()), Arc::new(Status::default()));
        let patience = |seconds: u32| u64::from(seconds * profile.canvas.fps);
        let mut refusal = None;
        let (kind, sound, most_waiting, far) = match to {
            Destination::Record { spec, title } => {
                let sound = match spec.container {
                    Container::Mkv => Sound::Opus,
                    Container::Mp4 => Sound::Aac,
                };
                let recorder = Recorder::new(spec, &title, profile, &status)?;
                (Kind::Files(Box::new(recorder)), sound, patience(DISK_PATIENCE_S), None)
            }
            _ if profile.codec != VideoCodec::H264 => {
                return Err(MediaError::lasting(
                    "RTMP and SRT carry H.264 only: set codec = \"h264\" in the show's [program]",
                ));
            }
            Destination::Rtmp { spec, key } => {
                let plan = rtmp::plan(&spec, key)?;
                let far = Far { element: plan.sink.downgrade(), is_srt: false, encrypted: false };
                (Kind::stream(plan, &status)?, Sound::Aac, patience(SERVER_PATIENCE_S), Some(far))
            }
            Destination::Srt { spec, stream_id, passphrase } => {
                let encrypted = passphrase.is_some();
                let plan = srt::plan(&spec, stream_id, passphrase)?;
                let far = Far { element: plan.sink.downgrade(), is_srt: true, encrypted };
                // Before it connects, which it does as it starts.
                refusal = Some(Waiting::begin());
                (Kind::stream(plan, &status)?, Sound::Aac, patience(SERVER_PATIENCE_S), Some(far))
            }
        };
        if sound == Sound::Aac {
            aac::available()?;
        }
        let (video, audio) = queue::ends(&queue);
        let consumer = Arc::new(Consumer::patient(video, audio, sound, most_waiting));
        let (events, received) = mpsc::channel(64);
        let run = Run {
            kind,
            far: far.clone(),
            refusal,
            queue: Arc::clone(&queue),
            status: Arc::clone(&status),
            consumer: Arc::clone(&consumer),
            fanout: Arc::clone(fanout),
            events,
        };
        fanout.join(Arc::clone(&consumer));
        let outlet = Self {
            consumer,
            rendition: Arc::clone(rendition),
            queue,
            status,
            far,
            clock: clock.clone(),
            sample: Mutex::default(),
            heard: Mutex::default(),
            limits: Mutex::default(),
        };
        std::thread::Builder::new()
            .name("output".into())
            .spawn(move || run.run())
            .map_err(|e| MediaError::lasting(format!("no thread for the output: {e}")))?;
        Ok((outlet, received))
    }

    /// For how long the far end has taken nothing although something waits for it.
    pub fn stalled(&self) -> Option<Duration> {
        let behind = self.status.behind.load(Ordering::Acquire);
        behind.then(|| self.status.passed.since_last()).or_else(|| self.unheard())
    }

    /// SRT takes what nobody hears: for how long nothing of what was sent has been acknowledged.
    fn unheard(&self) -> Option<Duration> {
        let element = self.far.as_ref().filter(|f| f.is_srt)?.element.upgrade()?;
        let (sent, acknowledged) = srt::progress(&element)?;
        let mut heard = lock(&self.heard);
        if acknowledged != heard.acknowledged || heard.at.is_none() {
            *heard = Heard { acknowledged, sent, at: Some(Instant::now()) };
        }
        heard.at.filter(|_| sent > heard.sent).map(|at| at.elapsed())
    }

    /// Frames thrown away because the far end could not keep up.
    pub fn dropped(&self) -> u64 {
        self.consumer.dropped()
    }

    /// The files so far that hold something, the one that is being written among them.
    pub fn files(&self) -> Vec<FileReport> {
        lock(&self.status.files).iter().filter(|f| f.bytes > 0).cloned().collect()
    }

    /// The sender's figures since the last call.
    pub fn figures(&self) -> OutputFigures {
        let mut figures = OutputFigures {
            sent_kbps: self.sent_kbps(),
            target_kbps: Some(f64::from(self.rendition.rate().0)),
            silent_ms: self.stalled().map(|s| s.as_millis() as u64),
            dropped: self.dropped(),
            encoder_queue: Some(self.rendition.strain.in_hand.load(Ordering::Relaxed)),
            limit: Some(self.limit()),
            way: OutputWay {
                encode: self.rendition.trail.took(ENCODED, self.clock.now().nseconds()),
                ..OutputWay::default()
            },
            ..OutputFigures::default()
        };
        match self.far.as_ref().filter(|f| f.is_srt).and_then(|f| f.element.upgrade()) {
            Some(element) => srt::fill(&element, &mut figures),
            None if self.far.is_none() => {
                let files = lock(&self.status.files);
                figures.disk = Some(DiskFigures {
                    free_bytes: self.status.free_bytes.load(Ordering::Relaxed),
                    files: files.len() as u32,
                    written_bytes: files.iter().map(|f| f.bytes).sum(),
                });
            }
            None => {}
        }
        figures
    }

    /// What limits the quality. The encoding follows no outlet: a path that is short loses frames instead.
    fn limit(&self) -> QualityLimit {
        let at = Duration::from_nanos(self.clock.now().nseconds());
        let standing = Standing::of(&self.rendition, at, false, self.dropped());
        lock(&self.limits).look(standing)
    }

    fn sent_kbps(&self) -> Option<f64> {
        let (now, bytes) = (Instant::now(), self.status.passed.bytes());
        let mut sample = lock(&self.sample);
        if let Some(at) = sample.at {
            let passed = now.duration_since(at).as_secs_f64();
            if passed > 0.1 {
                sample.kbps = Some((bytes - sample.bytes) as f64 * 8.0e-3 / passed);
            }
        }
        (sample.at, sample.bytes) = (Some(now), bytes);
        sample.kbps
    }

    /// Begins a new file at the next key frame, which is asked for. Says nothing to a server.
    pub fn split(&self) {
        self.queue.split();
        self.rendition.fanout.want_key(false);
    }

    /// Ends it in order: what waits is still sent or written, files are closed. `false` when that was not
    /// done in time; it then goes on by itself.
    pub fn finish(&self, longest: Duration) -> bool {
        self.let_go();
        let over = self.status.over.lock().unwrap_or_else(PoisonError::into_inner);
        let (over, _) = self
            .status
            .bell
            .wait_timeout_while(over, longest, |over| !*over)
            .unwrap_or_else(PoisonError::into_inner);
        *over
    }

    fn let_go(&self) {
        self.rendition.fanout.leave(&self.consumer);
        self.status.stop.store(true, Ordering::Release);
        self.queue.shut();
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// What the frames go into.
enum Kind {
    /// One pipeline for the whole life.
    Stream(Branch),
    /// A pipeline for each file.
    Files(Box<Recorder>),
}

impl Kind {
    fn stream(plan: Plan, status: &Status) -> Result<Self, MediaError> {
        Branch::start(plan, vec![Arc::clone(&status.passed)]).map(Self::Stream)
    }

    fn behind(&self) -> bool {
        match self {
            Self::Stream(branch) => branch.behind(),
            Self::Files(recorder) => recorder.behind(),
        }
    }

    fn broken(&self) -> Option<(String, FailureKind)> {
        match self {
            Self::Stream(branch) => branch.broken(),
            Self::Files(recorder) => recorder.broken(),
        }
    }
}

/// The thread.
struct Run {
    kind: Kind,
    far: Option<Far>,
    /// Listens why it is refused while it connects.
    refusal: Option<Arc<Waiting>>,
    queue: Arc<Queue>,
    status: Arc<Status>,
    consumer: Arc<Consumer>,
    fanout: Arc<Fanout>,
    events: mpsc::Sender<OutletEvent>,
}

/// Why it ends.
type Broke = (String, FailureKind);

impl Run {
    fn run(mut self) {
        let worked = std::panic::AssertUnwindSafe(|| self.work());
        let end = std::panic::catch_unwind(worked)
            .unwrap_or_else(|_| Err((DEFECT.into(), FailureKind::Passing)));
        self.fanout.leave(&self.consumer);
        if let Err((reason, kind)) = end {
            self.tell(OutletEvent::Failed(reason, kind));
        }
        match self.kind {
            Kind::Stream(branch) => branch.finish(),
            Kind::Files(recorder) => recorder.finish(),
        }
        *lock(&self.status.over) = true;
        self.status.bell.notify_all();
    }

    fn tell(&self, event: OutletEvent) {
        // A full channel means nobody listens any more.
        let _ = self.events.try_send(event);
    }

    fn stopped(&self) -> bool {
        self.status.stop.load(Ordering::Acquire)
    }

    fn work(&mut self) -> Result<(), Broke> {
        let connected = self.connect();
        self.refusal = None;
        if !connected? {
            return Ok(());
        }
        self.tell(OutletEvent::Connected);
        self.status.passed.touch();
        self.fanout.open(&self.consumer);
        loop {
            match self.queue.next(IDLE) {
                queue::Next::Item(item) => self.take(item)?,
                queue::Next::Nothing => {}
                queue::Next::Shut => return Ok(()),
            }
            self.look_around()?;
            while self.kind.behind() && !self.stopped() {
                self.status.behind.store(true, Ordering::Release);
                std::thread::sleep(LOOK);
                self.look_around()?;
            }
            self.status.behind.store(false, Ordering::Release);
        }
    }

    /// Waits until the far end takes the stream; `false` when it is not wanted any more.
    fn connect(&self) -> Result<bool, Broke> {
        let Some(far) = &self.far else { return Ok(true) };
        let began = Instant::now();
        while !self.stopped() {
            if let Some(broke) = self.kind.broken() {
                return Err(broke);
            }
            let Some(element) = far.element.upgrade() else { return Ok(false) };
            let connected =
                if far.is_srt { srt::connected(&element) } else { rtmp::connected(&element) };
            if connected {
                return Ok(true);
            }
            if let Some(reason) = self.refusal.as_ref().and_then(|r| r.reason()) {
                return Err(reason.broke(far.encrypted));
            }
            let waited = began.elapsed();
            if far.is_srt && waited > srt::CONNECT_DEADLINE {
                return Err((srt::NO_ANSWER.into(), FailureKind::Passing));
            }
            if waited > CONNECT_DEADLINE {
                let reason = format!("the server did not answer within {} s", waited.as_secs());
                return Err((reason, FailureKind::Passing));
            }
            std::thread::sleep(LOOK);
        }
        Ok(false)
    }

    fn take(&mut self, item: Item) -> Result<(), Broke> {
        match &mut self.kind {
            Kind::Stream(branch) => match item {
                Item::Picture(frame) => branch.picture(&frame.buffer),
                Item::Sound(packet) => branch.sound(&packet),
                Item::Split => {}
            },
            Kind::Files(recorder) => {
                let begun = recorder.take(item).map_err(|e| (e.to_string(), e.kind()))?;
                if let Some(path) = begun {
                    self.tell(OutletEvent::FileBegun(path));
                }
            }
        }
        Ok(())
    }

    fn look_around(&mut self) -> Result<(), Broke> {
        if let Some(broke) = self.kind.broken() {
            return Err(broke);
        }
        if let Kind::Files(recorder) = &mut self.kind {
            let warning = recorder.watch_disk().map_err(|e| (e.to_string(), e.kind()))?;
            if let Some(warning) = warning {
                self.tell(OutletEvent::Warned(warning));
            }
        }
        Ok(())
    }
}

/// What an output of that kind needs and this machine lacks.
pub fn missing(target: &Target) -> Vec<MediaError> {
    let [aac, _] = aac::ENCODERS;
    let needs: &[&str] = match target {
        Target::Stage | Target::Whip(_) => return Vec::new(),
        Target::Rtmp(_) => &["h264parse", "flvmux", "rtmp2sink", "aacparse", aac],
        Target::Srt(_) => &["h264parse", "mpegtsmux", "srtsink", "aacparse", aac],
        Target::Record(RecordSpec { container: Container::Mkv, .. }) => {
            &["h264parse", "opusparse", "matroskamux", "filesink"]
        }
        Target::Record(RecordSpec { container: Container::Mp4, .. }) => {
            &["h264parse", "mp4mux", "filesink", "aacparse", aac]
        }
    };
    if let Err(e) = super::init() {
        return vec![e];
    }
    let there = |name: &str| gst::ElementFactory::find(name).is_some();
    let no_tls = matches!(target, Target::Rtmp(rtmp) if rtmp.url.scheme() == "rtmps")
        && there("rtmp2sink")
        && try_tls().is_err();
    needs
        .iter()
        .filter(|name| !there(name))
        .filter(|name| **name != aac || !aac::ENCODERS.into_iter().any(there))
        .map(|name| MediaError::Missing { element: (*name).to_owned() })
        .chain(no_tls.then(|| MediaError::lasting(rtmp::NO_TLS)))
        .collect()
}
