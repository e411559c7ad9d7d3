//! A real sound server: speech goes in, a microphone input hears it, and the server's death is survived.
//! The server and all that talk to it are child processes; this process's environment stays as it is.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test says what it saw, and ends when something is not there"
)]

#[path = "inputs/watcher.rs"]
mod watcher;

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use hawker::show::InputKind;
use watcher::{Killed, Watcher};

/// Speech is well above it, a null sink's silence far below (RMS, full scale 1).
const SILENCE: f32 = 0.003;

struct Server {
    dir: PathBuf,
    _process: Killed,
}

fn address(dir: &Path) -> String {
    format!("unix:{}", dir.join("socket").display())
}

impl Server {
    /// Started, and it answers.
    fn start(dir: &Path) -> Self {
        // A killed one leaves its socket and its pid behind.
        for left in ["socket", "pid"] {
            let _ = std::fs::remove_file(dir.join(left));
        }
        let socket = dir.join("socket");
        let process = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--log-target=stderr"])
            .args(["--use-pid-file=no", "-L"])
            .arg(format!(
                "module-native-protocol-unix auth-anonymous=1 socket={}",
                socket.display()
            ))
            .args(["-L", "module-null-sink sink_name=speech rate=48000 channels=2"])
            .env("HOME", dir)
            .env("PULSE_RUNTIME_PATH", dir)
            .env("XDG_RUNTIME_DIR", dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pulseaudio is installed by script/setup --dev");
        let server = Self { dir: dir.to_owned(), _process: Killed(process) };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !server.client("pactl").arg("info").status().unwrap().success() {
            assert!(Instant::now() < deadline, "the sound server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn client(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("PULSE_SERVER", address(&self.dir))
            .env("HOME", &self.dir)
            .env_remove("DISPLAY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Says something into the sink; returns when it is said.
    fn say(&self, words: &Path) {
        assert!(
            self.client("paplay").arg("--device=speech").arg(words).status().unwrap().success()
        );
    }
}

/// Not a test: the process that listens. Starts the input anew whenever it fails.
#[test]
#[ignore = "run by another test"]
fn a_process_that_listens() {
    let Ok(device) = std::env::var("HAWKER_TEST_MICROPHONE") else { return };
    let tell = |line: String| {
        let mut out = std::io::stdout().lock();
        // The reader is gone when the test is over.
        let _ = writeln!(out, "\n@{line}").and_then(|()| out.flush());
    };
    loop {
        let watcher = Watcher::new();
        let kind = InputKind::Microphone { device: (device != "default").then(|| device.clone()) };
        match watcher.try_start(kind) {
            Err(e) => tell(format!("failed {e}")),
            Ok(source) => {
                let mut told = 0;
                let mut up = false;
                loop {
                    let failed = {
                        let seen = watcher.seen.lock().unwrap();
                        if !up && let Some(format) = seen.up.first() {
                            up = true;
                            tell(format!("up {format}"));
                        }
                        // Tenths of a second.
                        while seen.sounds.len() >= told + 10 {
                            let part = &seen.sounds[told..told + 10];
                            let loudest = part.iter().map(|s| s.2).fold(0.0, f32::max);
                            tell(format!("rms {loudest}"));
                            told += 10;
                        }
                        seen.failed.first().cloned()
                    };
                    if let Some((reason, _)) = failed {
                        tell(format!("failed {reason}"));
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                drop(source);
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The level a line tells, if it tells one (RMS, full scale 1).
fn level(line: &str) -> Option<f32> {
    line.strip_prefix("rms ")?.parse().ok()
}

struct Listener {
    lines: Receiver<String>,
    _process: Killed,
}

impl Listener {
    fn start(server: &Server, device: &str) -> Self {
        let mut process = server
            .client(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "a_process_that_listens", "--nocapture"])
            .env("HAWKER_TEST_MICROPHONE", device)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix('@')
                    && to.send(line.to_owned()).is_err()
                {
                    break;
                }
            }
        });
        Self { lines, _process: Killed(process) }
    }

    /// The first line that starts so, what came before it, and how long it took.
    #[track_caller]
    fn until(&self, seconds: u64, start: &str) -> (String, Vec<String>, Duration) {
        let began = Instant::now();
        let mut before = Vec::new();
        loop {
            let left = Duration::from_secs(seconds).saturating_sub(began.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.starts_with(start) => return (line, before, began.elapsed()),
                Ok(line) => before.push(line),
                Err(e) => panic!("no '{start}' in {seconds} s ({e}): {before:?}"),
            }
        }
    }

    /// The levels until now.
    fn levels(&self) -> Vec<f32> {
        self.lines.try_iter().filter_map(|line| level(&line)).collect()
    }

    /// Until something is heard that silence is not.
    #[track_caller]
    fn until_heard(&self, seconds: u64) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let mut levels = Vec::new();
        while levels.iter().all(|l| *l <= SILENCE * 5.0) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => levels.extend(level(&line)),
                Err(e) => panic!("nothing heard in {seconds} s ({e}): {levels:?}"),
            }
        }
    }

    /// Levels from now on, for so long.
    fn listen(&self, for_: Duration) -> Vec<f32> {
        self.levels();
        std::thread::sleep(for_);
        self.levels()
    }
}

fn speech(dir: &Path) -> PathBuf {
    let words = dir.join("words.wav");
    let said = Command::new("espeak-ng")
        .args(["-v", "en", "-a", "180", "-w"])
        .arg(&words)
        .arg("Two for the price of one, and only while we are on the air")
        .status()
        .expect("espeak-ng is installed by script/setup --dev");
    assert!(said.success());
    words
}

#[test]
fn speech_is_heard_while_it_lasts_and_a_dead_server_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let words = speech(dir.path());
    let server = Server::start(dir.path());
    for device in ["default", "speech.monitor"] {
        let listener = Listener::start(&server, device);
        let (up, _, _) = listener.until(20, "up");
        assert_eq!(up, "up 48 kHz stereo");
        let before = listener.listen(Duration::from_secs(1));
        assert!(before.len() >= 5 && before.iter().all(|l| *l < SILENCE), "{before:?}");
        server.say(&words);
        let during = listener.levels();
        let loud = during.iter().filter(|l| **l > SILENCE * 5.0).count();
        assert!(loud >= 10 && loud * 2 > during.len(), "{device}: {during:?}");
        // What is still on its way may pass.
        std::thread::sleep(Duration::from_millis(600));
        let after = listener.listen(Duration::from_secs(1));
        assert!(after.len() >= 5 && after.iter().all(|l| *l < SILENCE), "{device}: {after:?}");
    }

    let listener = Listener::start(&server, "speech.monitor");
    listener.until(20, "up");
    drop(server);
    let (reason, _, took) = listener.until(5, "failed");
    eprintln!("after {took:?}: {reason}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(reason.len() > "failed ".len() + 10, "{reason}");
    // It stays away, and that is said too.
    let (reason, _, _) = listener.until(10, "failed");
    eprintln!("and then: {reason}");
    let server = Server::start(dir.path());
    listener.until(20, "up");
    std::thread::scope(|s| {
        s.spawn(|| server.say(&words));
        listener.until_heard(10);
    });
}

#[test]
fn the_microphone_is_listed_with_its_formats() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let hawker = |more: &[&str]| {
        let out = server
            .client(env!("CARGO_BIN_EXE_hawker"))
            .arg("devices")
            .args(more)
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).unwrap()
    };
    let list: serde_json::Value = serde_json::from_str(&hawker(&["--json"])).unwrap();
    let found = list
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["id"] == "speech.monitor")
        .unwrap_or_else(|| panic!("not listed: {list}"));
    assert_eq!(found["class"], "microphone");
    assert_eq!(found["api"], "pulseaudio");
    assert!(found["formats"][0].as_str().unwrap().starts_with("audio/x-raw"), "{found}");
    let text = hawker(&[]);
    assert!(text.contains("speech.monitor") && text.contains("microphone"), "{text}");
}
