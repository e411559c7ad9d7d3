//! A process of a test, with its group. It never outlives the test, not even one that panics.

use std::{
    io::Read,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(40);

/// Waits until `look` gives what is wanted; else panics with what it saw last.
#[track_caller]
pub fn until<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        match look() {
            Ok(found) => return found,
            Err(saw) => assert!(Instant::now() < deadline, "{what}: not in {seconds} s. {saw}"),
        }
        thread::sleep(LOOK);
    }
}

/// A running process.
pub struct Process {
    pub child: Child,
    name: String,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts it as the leader of a group of its own.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).spawn();
        let child = child.unwrap_or_else(|e| panic!("{name} cannot be started: {e}"));
        Self { child, name, ended: None }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Signals the process alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap_or_else(|e| panic!("{}: {e}", self.name));
    }

    /// How it ended; `None` when it did not in that time.
    pub fn wait(&mut self, most: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + most;
        while self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap();
            if self.ended.is_none() {
                if Instant::now() >= deadline {
                    return None;
                }
                thread::sleep(LOOK);
            }
        }
        self.ended
    }

    /// Whether something it started still runs, once it has ended itself.
    pub fn has_orphans(&self) -> bool {
        self.ended.is_some() && test_kill_process_group(self.pid()).is_ok()
    }

    /// Asks it to end, then ends it.
    pub fn stop(&mut self) {
        if self.wait(Duration::ZERO).is_none() {
            let _ = kill_process(self.pid(), Signal::TERM);
            self.wait(Duration::from_secs(2));
        }
        self.kill();
    }

    /// Ends it and its group at once.
    pub fn kill(&mut self) {
        // Nobody of the group may be left by now.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        self.wait(Duration::from_secs(5));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a command said, and its exit code; -1 when a signal ended it.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs a command to its end, for that long at most.
#[track_caller]
pub fn run(command: &mut Command, seconds: u64) -> Said {
    let shown = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::start(command);
    let out = all(process.child.stdout.take().unwrap());
    let err = all(process.child.stderr.take().unwrap());
    let ended = process.wait(Duration::from_secs(seconds));
    process.kill();
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    let ended = ended
        .unwrap_or_else(|| panic!("{shown} did not end in {seconds} s\nout: {out}\nerr: {err}"));
    Said { code: ended.code().unwrap_or(-1), out, err }
}

fn all(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A tool of the tests: what makes GLib's warnings fatal is meant for hawker alone.
pub fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env_remove("G_DEBUG").env_remove("GST_DEBUG");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
