//! A recording: one pipeline for each file, made at a key frame, so that no frame is lost between two. Files
//! are closed in threads of their own; the disk is watched.

use std::{
    collections::VecDeque,
    fs::OpenOptions,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use gst::prelude::*;

use super::{
    super::{MediaError, aac, error::element, feed::lock},
    Status,
    branch::{Branch, Passed, Plan},
    headers, names,
    queue::Item,
};
use crate::{
    media::fanout::Encoded,
    show::{Container, FailureKind, Profile, RecordSpec, VideoCodec},
    stats::report::FileReport,
};

/// How often the disk's free space is asked for.
const WATCH: Duration = Duration::from_secs(1);
/// A fragment of an MP4 file: what a process that is killed loses at most.
const FRAGMENT_MS: u32 = 1000;
/// Sound that has not come so long after its picture will not come: the file is closed without it.
const LATE_SOUND: gst::ClockTime = gst::ClockTime::from_mseconds(500);
/// Packets of sound that wait for a picture at most: a second.
const MOST_SOUND: usize = 50;
/// Packets of silence before the first sound at most: about 20 s.
const MOST_SILENCE: u64 = 1000;
/// The first pause before a next file that could not be begun is tried again; it doubles up to 32 s.
const NEXT_FILE: Duration = Duration::from_secs(1);
const NEXT_FILE_DOUBLINGS: u32 = 5;
const MB: u64 = 1_000_000;

/// One file that is being written.
struct File {
    branch: Branch,
    path: PathBuf,
    passed: Arc<Passed>,
    /// Its place in the list of files.
    index: usize,
    headers: Vec<u8>,
    began: gst::ClockTime,
    /// MP4 has no sound that begins later than the picture: silence comes before it.
    silent_start: bool,
}

impl File {
    fn sound(&mut self, packet: &gst::Buffer) {
        if let Some(pts) = packet.pts().filter(|pts| self.silent_start && *pts >= self.began) {
            self.silent_start = false;
            for at in fill(self.began, pts) {
                self.branch.sound(&aac::silence(at));
            }
        }
        self.branch.sound(packet);
    }
}

/// When packets of silence begin so that sound from `pts` on is where it belongs, to half a packet: the muxer
/// puts the first packet at the beginning, whatever its time.
fn fill(began: gst::ClockTime, pts: gst::ClockTime) -> impl Iterator<Item = gst::ClockTime> {
    let gap = pts.saturating_sub(began);
    let packets = ((gap + aac::PACKET / 2).nseconds() / aac::PACKET.nseconds()).min(MOST_SILENCE);
    (1..=packets).rev().map(move |n| pts.saturating_sub(aac::PACKET * n).max(began))
}

/// A file whose pictures are all there; sound before that time is still to come.
struct Closing {
    file: File,
    until: gst::ClockTime,
}

/// The recording.
pub(super) struct Recorder {
    spec: RecordSpec,
    title: String,
    codec: VideoCodec,
    frame: gst::ClockTime,
    total: Arc<Passed>,
    files: Arc<Mutex<Vec<FileReport>>>,
    free_bytes: Arc<AtomicU64>,
    file: Option<File>,
    closing: Option<Closing>,
    closers: Vec<JoinHandle<()>>,
    sound: VecDeque<gst::Buffer>,
    split_asked: bool,
    number: u32,
    headers: Option<Vec<u8>>,
    looked: Option<Instant>,
    warned: bool,
    next: NextFile,
}

/// Whether the next file could be begun. One that could not is tried again with back-off; the file before it takes
/// what comes meanwhile.
#[derive(Default)]
struct NextFile {
    /// Tries so far.
    tries: u32,
    not_before: Option<Instant>,
    /// Why the first try failed, until it is told.
    warning: Option<String>,
}

impl NextFile {
    /// After a try that failed: the pause doubles from [`NEXT_FILE`] on.
    fn failed(&mut self, why: &MediaError) {
        if self.tries == 0 {
            self.warning = Some(format!(
                "the next file cannot be begun, the recording goes on in the one before: {why}"
            ));
        }
        let pause = NEXT_FILE * 2_u32.pow(self.tries.min(NEXT_FILE_DOUBLINGS));
        self.tries += 1;
        self.not_before = Some(Instant::now() + pause);
    }

    fn waits(&self) -> bool {
        self.not_before.is_some_and(|at| Instant::now() < at)
    }
}

impl Recorder {
    /// Makes the folder and sees that there is room. Nothing is written yet.
    pub(super) fn new(
        spec: RecordSpec,
        title: &str,
        profile: &Profile,
        status: &Status,
    ) -> Result<Self, MediaError> {
        if profile.codec == VideoCodec::Vp8 && spec.container == Container::Mp4 {
            return Err(MediaError::lasting(
                "MP4 files carry H.264 only: set container = \"mkv\", or codec = \"h264\"",
            ));
        }
        std::fs::create_dir_all(&spec.folder).map_err(|e| {
            MediaError::lasting(format!(
                "the folder {} cannot be made: {e}; give one that can be written",
                spec.folder.display()
            ))
        })?;
        let recorder = Self {
            spec,
            title: title.to_owned(),
            codec: profile.codec,
            frame: gst::ClockTime::from_nseconds(profile.canvas.frame_ns()),
            total: Arc::clone(&status.passed),
            files: Arc::clone(&status.files),
            free_bytes: Arc::clone(&status.free_bytes),
            file: None,
            closing: None,
            closers: Vec::new(),
            sound: VecDeque::new(),
            split_asked: false,
            number: 0,
            headers: None,
            looked: None,
            warned: false,
            next: NextFile::default(),
        };
        recorder.free()?;
        Ok(recorder)
    }

    /// Whether the disk takes nothing for now.
    pub(super) fn behind(&self) -> bool {
        self.file.as_ref().is_some_and(|f| f.branch.behind())
    }

    /// Why it broke, if it broke.
    pub(super) fn broken(&self) -> Option<(String, FailureKind)> {
        self.file.as_ref().and_then(|f| f.branch.broken())
    }

    /// Takes what came; the path of a file that it begins.
    pub(super) fn take(&mut self, item: Item) -> Result<Option<PathBuf>, MediaError> {
        match item {
            Item::Picture(frame) => self.picture(&frame),
            Item::Sound(packet) => {
                self.hear(packet);
                Ok(None)
            }
            Item::Split => {
                self.split_asked = true;
                Ok(None)
            }
        }
    }

    /// Sound waits for the picture of its time: only then it is known to which file it belongs.
    fn hear(&mut self, packet: gst::Buffer) {
        if let Some(Closing { file, until }) = &mut self.closing {
            if packet.pts().is_some_and(|pts| pts < *until) {
                return file.sound(&packet);
            }
            self.close();
        }
        self.sound.push_back(packet);
        if self.sound.len() > MOST_SOUND
            && let Some(oldest) = self.sound.pop_front()
            && let Some(file) = &mut self.file
        {
            file.sound(&oldest);
        }
    }

    fn picture(&mut self, frame: &Encoded) -> Result<Option<PathBuf>, MediaError> {
        let Some(pts) = frame.buffer.pts() else { return Ok(None) };
        let earlier = self.sound.iter().take_while(|p| p.pts().is_some_and(|at| at < pts)).count();
        for packet in self.sound.drain(..earlier) {
            if let Some(file) = &mut self.file {
                file.sound(&packet);
            }
        }
        if self.closing.as_ref().is_some_and(|c| pts > c.until + LATE_SOUND) {
            self.close();
        }
        let begun = if frame.key { self.begin_if_due(frame, pts)? } else { None };
        let Some(file) = &mut self.file else { return Ok(None) };
        file.branch.picture(&frame.buffer);
        if let Some(report) = lock(&self.files).get_mut(file.index) {
            report.bytes = file.passed.bytes();
            report.duration_ms = (pts + self.frame).saturating_sub(file.began).mseconds();
        }
        Ok(begun)
    }

    fn begin_if_due(
        &mut self,
        frame: &Encoded,
        pts: gst::ClockTime,
    ) -> Result<Option<PathBuf>, MediaError> {
        let told = frame.buffer.map_readable().ok().and_then(|m| headers::of(self.codec, &m));
        if told.is_some() {
            self.headers = told;
        }
        // Without its headers no file can be read.
        let Some(headers) = self.headers.clone() else { return Ok(None) };
        let due = match &self.file {
            None => true,
            Some(file) => {
                self.split_asked
                    || file.headers != headers
                    || is_full(&self.spec, pts.saturating_sub(file.began), file.passed.bytes())
            }
        };
        // Pictures with other headers have no place in the file that is open.
        let fits = self.file.as_ref().is_some_and(|file| file.headers == headers);
        if !due || (fits && self.next.waits()) {
            return Ok(None);
        }
        let file = match self.begin(headers, pts) {
            Err(e) if fits && e.kind() == FailureKind::Passing => {
                self.next.failed(&e);
                return Ok(None);
            }
            begun => begun?,
        };
        self.split_asked = false;
        self.next = NextFile::default();
        self.close();
        let path = file.path.clone();
        self.closing = self.file.replace(file).map(|file| Closing { file, until: pts });
        Ok(Some(path))
    }

    fn begin(&mut self, headers: Vec<u8>, began: gst::ClockTime) -> Result<File, MediaError> {
        let path = self.reserve()?;
        let passed = Arc::new(Passed::default());
        let counters = vec![Arc::clone(&passed), Arc::clone(&self.total)];
        let started = self.plan(&path, &headers).and_then(|plan| Branch::start(plan, counters));
        let branch = started.inspect_err(|_| remove_empty(&path))?;
        let mut files = lock(&self.files);
        files.push(FileReport { path: path.display().to_string(), bytes: 0, duration_ms: 0 });
        let (index, silent_start) = (files.len() - 1, self.spec.container == Container::Mp4);
        Ok(File { branch, path, passed, index, headers, began, silent_start })
    }

    /// A file of its own: what is there is never written over.
    fn reserve(&mut self) -> Result<PathBuf, MediaError> {
        let ext = match self.spec.container {
            Container::Mkv => "mkv",
            Container::Mp4 => "mp4",
        };
        let time = jiff::Zoned::now().datetime();
        for _ in 0..1000 {
            self.number += 1;
            let path = self.spec.folder.join(names::name(&self.title, &time, self.number, ext));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => return Ok(path),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed(&self.spec, &e.to_string(), no_space(&e))),
            }
        }
        Err(MediaError::lasting("every name for the next file is taken: empty the folder"))
    }

    fn plan(&self, path: &Path, headers: &[u8]) -> Result<Plan, MediaError> {
        let sink = element("filesink")?;
        sink.set_property("location", path.to_string_lossy().as_ref());
        sink.set_property("sync", false);
        sink.set_property("async", false);
        // What is written is with the system, also if this process is killed.
        sink.set_property_from_str("buffer-mode", "unbuffered");
        let (mux, audio, parser) = match self.spec.container {
            Container::Mkv => {
                let mux = element("matroskamux")?;
                mux.set_property("writing-app", "hawker");
                let opus = gst::Caps::builder("audio/x-opus")
                    .field("channel-mapping-family", 0_i32)
                    .field("channels", 2_i32)
                    .field("rate", 48_000_i32)
                    .build();
                (mux, opus, "opusparse")
            }
            Container::Mp4 => {
                let mux = element("mp4mux")?;
                mux.set_property("fragment-duration", FRAGMENT_MS);
                (mux, aac::caps(), "aacparse")
            }
        };
        let (video, video_parser) = match self.codec {
            VideoCodec::H264 => {
                let caps = gst::Caps::builder("video/x-h264")
                    .field("stream-format", "byte-stream")
                    .field("alignment", "au")
                    .build();
                (caps, Some("h264parse"))
            }
            VideoCodec::Vp8 => {
                let size = |at: usize| {
                    headers.get(at..at + 2).map_or(0, |b| i32::from(b[0]) << 8 | i32::from(b[1]))
                };
                let caps = gst::Caps::builder("video/x-vp8")
                    .field("width", size(0))
                    .field("height", size(2))
                    .build();
                (caps, None)
            }
        };
        let spec = self.spec.clone();
        Ok(Plan {
            video,
            audio,
            parsers: (video_parser, parser),
            mux,
            pads: ("video_%u", "audio_%u"),
            sink,
            linger: Duration::ZERO,
            wording: Box::new(move |error| {
                let full = error.matches(gst::ResourceError::NoSpaceLeft);
                let e = failed(&spec, error.message(), full);
                (e.to_string(), e.kind())
            }),
        })
    }

    /// Ends the file that waits for its last sound, in a thread of its own: a muxer writes at the end, and a
    /// disk may take its time.
    fn close(&mut self) {
        let Some(Closing { file, .. }) = self.closing.take() else { return };
        self.closers.retain(|c| !c.is_finished());
        let files = Arc::clone(&self.files);
        let close = move || {
            let File { branch, path, index, .. } = file;
            branch.finish();
            remove_empty(&path);
            if let (Ok(about), Some(report)) =
                (std::fs::metadata(&path), lock(&files).get_mut(index))
            {
                report.bytes = about.len();
            }
        };
        match std::thread::Builder::new().name("file-closer".into()).spawn(close) {
            Ok(closer) => self.closers.push(closer),
            Err(e) => tracing::error!("a recording's file was not closed in order: {e}"),
        }
    }

    /// Closes every file.
    pub(super) fn finish(mut self) {
        if let Some(file) = &mut self.file {
            self.sound.iter().for_each(|packet| file.sound(packet));
        }
        self.close();
        self.closing = self.file.take().map(|file| Closing { file, until: gst::ClockTime::ZERO });
        self.close();
        for closer in self.closers.drain(..) {
            let _ = closer.join();
        }
    }

    /// Looks how much room is left, once a second: a warning when it gets tight, an error when it is used up.
    pub(super) fn watch_disk(&mut self) -> Result<Option<String>, MediaError> {
        if let Some(warning) = self.next.warning.take() {
            return Ok(Some(warning));
        }
        if self.looked.is_some_and(|at| at.elapsed() < WATCH) {
            return Ok(None);
        }
        self.looked = Some(Instant::now());
        let Some(free) = self.free()? else { return Ok(None) };
        let keep = self.keep();
        let tight = free < keep * 2;
        let warn = tight && !self.warned;
        // A little more than twice: what hovers there is not said again and again.
        self.warned = tight || (self.warned && free < keep * 2 + keep / 10);
        Ok(warn.then(|| {
            format!(
                "the disk of {} has {} MB free; the recording ends at {} MB. Make room",
                self.spec.folder.display(),
                free / MB,
                keep / MB
            )
        }))
    }

    const fn keep(&self) -> u64 {
        self.spec.keep_free_mb as u64 * MB
    }

    /// The bytes that are free; `None` where the system does not tell. An error when there are too few.
    fn free(&self) -> Result<Option<u64>, MediaError> {
        let Ok(disk) = rustix::fs::statvfs(&self.spec.folder) else { return Ok(None) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        self.free_bytes.store(free, Ordering::Relaxed);
        if free >= self.keep() {
            return Ok(Some(free));
        }
        Err(MediaError::lasting(format!(
            "the disk of {} has {} MB free, less than the {} MB that are to stay free: nothing more is \
             recorded. Make room, or lower keep-free-mb, then start it again",
            self.spec.folder.display(),
            free / MB,
            self.spec.keep_free_mb
        )))
    }
}

/// Whether a file that lasts so long and is so large gives way to the next.
fn is_full(spec: &RecordSpec, lasts: gst::ClockTime, bytes: u64) -> bool {
    let long = |minutes: u32| lasts >= gst::ClockTime::from_seconds(u64::from(minutes) * 60);
    spec.split_minutes.is_some_and(long)
        || spec.split_mb.is_some_and(|mb| bytes >= u64::from(mb) * MB)
}

/// A file into which nothing was ever written is of no use to anybody, and holds a name.
fn remove_empty(path: &Path) {
    if std::fs::metadata(path).is_ok_and(|about| about.len() == 0)
        && let Err(e) = std::fs::remove_file(path)
    {
        tracing::warn!("the empty file {} stays: {e}", path.display());
    }
}

fn no_space(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn failed(spec: &RecordSpec, why: &str, full: bool) -> MediaError {
    let folder = spec.folder.display();
    if full {
        return MediaError::lasting(format!(
            "the disk of {folder} is full. Make room, then start the recording again"
        ));
    }
    MediaError::passing(format!("the recording in {folder} cannot be written: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_fills_what_lies_before_the_first_sound() {
        let at = gst::ClockTime::from_mseconds;
        assert_eq!(fill(at(1000), at(1010)).count(), 0);
        assert_eq!(fill(at(1000), at(1011)).collect::<Vec<_>>(), [at(1000)]);
        let filled: Vec<_> = fill(at(1000), at(1300)).collect();
        assert_eq!(filled.len(), 14);
        assert!(filled.is_sorted() && filled[13] + aac::PACKET == at(1300));
        assert_eq!(fill(at(0), gst::ClockTime::from_seconds(3600)).count() as u64, MOST_SILENCE);
    }

    #[test]
    fn only_an_empty_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, full) = (folder.path().join("a.mkv"), folder.path().join("b.mkv"));
        std::fs::write(&empty, "").unwrap();
        std::fs::write(&full, "frames").unwrap();
        for path in [&empty, &full] {
            remove_empty(path);
        }
        assert_eq!((empty.exists(), full.exists()), (false, true));
    }

    #[test]
    fn a_file_gives_way_by_time_or_by_size_and_else_never() {
        let spec = |split_minutes, split_mb| RecordSpec {
            folder: "/r".into(),
            container: Container::Mkv,
            split_minutes,
            split_mb,
            split_at_segments: false,
            keep_free_mb: 0,
        };
        let full = |spec: &RecordSpec, seconds, bytes| {
            is_full(spec, gst::ClockTime::from_seconds(seconds), bytes)
        };
        assert!(!full(&spec(None, None), 1_000_000, u64::MAX));
        let both = spec(Some(2), Some(3));
        assert!(!full(&both, 119, 2_999_999));
        assert!(full(&both, 120, 0));
        assert!(full(&both, 0, 3_000_000));
    }
}
