//! The real program in a place of its own: its folders, its events, what it leaves behind.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, Said, run};

static ALONE: Mutex<()> = Mutex::new(());

/// Folders of hawker for one test. One test has the machine at a time: on two cores, two encoders side by
/// side would measure each other.
pub struct Place {
    root: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Place {
    /// With a stage on any free port.
    pub fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Self { root: tempfile::tempdir().unwrap(), _alone: alone };
        fs::DirBuilder::new().mode(0o700).create(place.path("run")).unwrap();
        fs::create_dir(place.path("config")).unwrap();
        place.file("config/config.toml", "[stage]\nlisten = \"127.0.0.1:0\"\n");
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file; where it is.
    pub fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    /// hawker with these arguments.
    pub fn hawker(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hawker"));
        command.args(args).stdin(Stdio::null());
        for (name, folder) in self.folders() {
            command.env(name, folder);
        }
        command.env_remove("HAWKER_LOG").env_remove("DISPLAY");
        command
    }

    /// The variables that keep hawker in this place.
    pub fn folders(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("HAWKER_CONFIG_DIR", self.path("config")),
            ("HAWKER_STATE_DIR", self.path("state")),
            ("HAWKER_CACHE_DIR", self.path("cache")),
            ("XDG_RUNTIME_DIR", self.path("run")),
        ]
    }

    /// Runs hawker to its end.
    #[track_caller]
    pub fn run(&self, args: &[&str], seconds: u64) -> Said {
        run(&mut self.hawker(args), seconds)
    }

    /// Starts a headless show; its events come on stdout.
    pub fn start(&self, args: &[&str]) -> Show {
        self.start_with(args, |command| command)
    }

    /// The same, with something changed before.
    pub fn start_with(
        &self,
        args: &[&str],
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Show {
        let mut command = self.hawker(args);
        change(&mut command);
        command.args(["--headless", "--events", "-"]);
        Show::start(&mut command)
    }

    /// Every file below.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
            }
        }
        files
    }

    /// Sockets, cards of running shows, and files that were not written to their end.
    pub fn left_behind(&self) -> Vec<PathBuf> {
        let in_run = |path: &Path| path.parent().is_some_and(|p| p.ends_with("run"));
        let unfinished = |path: &Path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with('.') || name.ends_with(".tmp") || name.ends_with(".sock")
        };
        self.files().into_iter().filter(|p| in_run(p) || unfinished(p)).collect()
    }

    /// Where a text is found in the files below.
    pub fn holding(&self, text: &str) -> Vec<PathBuf> {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        let read = |path: &Path| fs::read(path).unwrap_or_default();
        self.files().into_iter().filter(|p| holds(&read(p))).collect()
    }

    /// The numbers of the engines that run here, by the cards they put out.
    pub fn engines(&self) -> Vec<i32> {
        let cards = self.files().into_iter().filter(|p| {
            p.extension().is_some_and(|e| e == "json")
                && p.parent().is_some_and(|p| p.ends_with("run"))
        });
        cards.filter_map(|p| p.file_stem()?.to_str()?.parse().ok()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // An engine behind a console has a group of its own.
        for pid in self.engines() {
            let _ = Pid::from_raw(pid).map(|pid| kill_process_group(pid, Signal::KILL));
        }
    }
}

#[derive(Default)]
struct Seen {
    events: Vec<Value>,
    told: String,
    closed: bool,
}

type Shared = Arc<(Mutex<Seen>, Condvar)>;

/// A headless show.
pub struct Show {
    pub process: Process,
    seen: Shared,
}

impl Show {
    pub fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::start(command);
        let seen = Shared::default();
        let (out, err) = (process.child.stdout.take(), process.child.stderr.take());
        lines(out.unwrap(), &seen, |seen, line| match line {
            Some(line) => seen.events.push(serde_json::from_str(line).unwrap_or_else(|e| {
                // Shown by every failure; no event is waited for in vain.
                Value::String(format!("not JSON ({e}): {line}"))
            })),
            None => seen.closed = true,
        });
        lines(err.unwrap(), &seen, |seen, line| {
            if let Some(line) = line {
                seen.told.push_str(line);
                seen.told.push('\n');
            }
        });
        Self { process, seen }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an event of which `is` holds.
    #[track_caller]
    pub fn event_that(&self, what: &str, seconds: u64, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let mut seen = self.lock();
        loop {
            if let Some(event) = seen.events.iter().find(|e| is(e)) {
                return event.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.closed {
                let events: Vec<String> = seen.events.iter().map(Value::to_string).collect();
                let told = seen.told.clone();
                drop(seen);
                panic!("no {what} in {seconds} s. Events:\n{}\nTold:\n{told}", events.join("\n"));
            }
            seen = self.seen.1.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for an event by its name.
    #[track_caller]
    pub fn event(&self, name: &str, seconds: u64) -> Value {
        self.event_that(name, seconds, |e| e["event"] == name)
    }

    /// Waits for the next event with that name after another.
    #[track_caller]
    pub fn event_after(&self, earlier: &Value, name: &str, seconds: u64) -> Value {
        let since = earlier["seq"].as_u64().unwrap();
        let later = |e: &Value| e["seq"].as_u64().is_some_and(|seq| seq > since);
        self.event_that(name, seconds, |e| e["event"] == name && later(e))
    }

    /// Where a browser watches it.
    #[track_caller]
    pub fn viewer_url(&self) -> String {
        self.event("stage-up", 20)["viewer_url"].as_str().unwrap().to_owned()
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        self.lock().events.clone()
    }

    /// What it told on stderr so far.
    pub fn told(&self) -> String {
        self.lock().told.clone()
    }

    /// Waits for its end; the exit code.
    #[track_caller]
    pub fn ended(&mut self, seconds: u64) -> i32 {
        let status = self.process.wait(Duration::from_secs(seconds));
        let Some(status) = status else {
            panic!("the show goes on after {seconds} s: {}\n{:?}", self.told(), self.events())
        };
        // The last lines are on their way through the pipes.
        let deadline = Instant::now() + Duration::from_secs(2);
        while !self.lock().closed && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        status.code().unwrap_or_else(|| panic!("{status}: {}", self.told()))
    }
}

fn lines(
    from: impl Read + Send + 'static,
    seen: &Shared,
    keep: impl Fn(&mut Seen, Option<&str>) + Send + 'static,
) {
    let seen = Arc::clone(seen);
    thread::spawn(move || {
        let mut lines = BufReader::new(from).lines();
        loop {
            let line = lines.next().and_then(Result::ok);
            let mut now = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
            keep(&mut now, line.as_deref());
            seen.1.notify_all();
            if line.is_none() {
                return;
            }
        }
    });
}

/// Events are numbered without a gap, and the last says that the show is over.
#[track_caller]
pub fn assert_whole(events: &[Value]) {
    let numbers: Vec<u64> = events.iter().map(|e| e["seq"].as_u64().unwrap_or(0)).collect();
    let wanted: Vec<u64> = (1..=events.len() as u64).collect();
    assert_eq!(numbers, wanted, "{events:?}");
    assert_eq!(events.last().map(|e| &e["event"]), Some(&Value::from("show-ended")), "{events:?}");
}
