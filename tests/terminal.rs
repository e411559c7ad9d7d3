//! A terminal that goes away, and signals that end a console at once: real pseudo-terminals whose other end is closed.
//! Whatever way the terminal is lost, no console panics, what was not saved is kept, and the show goes on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says it by failing")]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[path = "terminal/pseudo.rs"]
mod pseudo;

use std::{
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

use hawker::{
    console::{
        Theme,
        planner::{self, Doors},
    },
    stage::{Stage, StageOptions},
};
use hawker_process::Place;
use process::{Process, until};
use pseudo::Pseudo;
use rustix::process::Signal;
use tokio::task::block_in_place;

/// Two hosts, two markets, one week.
const WEEK: &str = r#"
title = "Tea to two markets"
home-zone = "Asia/Shanghai"
weeks = 1
budget-hours = 8
market = [{ id = "TH" }, { id = "MY" }]
[[host]]
id = "lin"
languages = ["zh", "en"]
hours = ["daily 10:00-24:00"]
[[host]]
id = "fon"
zone = "Asia/Bangkok"
languages = ["th"]
hours = ["daily 16:00-23:00"]
"#;

/// What is done to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Its window is closed; the console has it as its three files, and nothing more.
    Closed,
    /// The same where it is the console's controlling terminal: there is a SIGHUP too.
    ClosedInControl,
    /// The same with standard error elsewhere.
    ClosedButStderr,
    /// Only what standard output goes to is closed.
    Stdout,
    /// Only what standard error goes to is closed, then it is hung up.
    Stderr,
    /// Signals while the terminal is there.
    Signal(Signal),
}

const LOSSES: [Loss; 8] = [
    Loss::Closed,
    Loss::ClosedInControl,
    Loss::ClosedButStderr,
    Loss::Stdout,
    Loss::Stderr,
    Loss::Signal(Signal::HUP),
    Loss::Signal(Signal::QUIT),
    Loss::Signal(Signal::ABORT),
];

/// A console in terminals of its own.
struct Console {
    process: Process,
    screen: Pseudo,
    /// What standard output goes to, where that is another one.
    out: Option<Pseudo>,
    err: Option<Pseudo>,
    loss: Loss,
}

impl Console {
    fn start(place: &Place, args: &[&str], loss: Loss) -> Self {
        let mut command = match loss {
            Loss::ClosedInControl => {
                let mut command = Command::new("setsid");
                command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_hawker")]).args(args);
                command.envs(place.folders());
                command
            }
            _ => place.hawker(args),
        };
        command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command.env_remove("NO_COLOR").env_remove("DISPLAY").env_remove("HAWKER_LOG");
        Self::spawn(&mut command, loss, place)
    }

    fn spawn(command: &mut Command, loss: Loss, place: &Place) -> Self {
        let screen = Pseudo::open();
        let out = (loss == Loss::Stdout).then(Pseudo::open);
        let err = (loss == Loss::Stderr).then(Pseudo::open);
        command.stdin(screen.far()).stdout(out.as_ref().unwrap_or(&screen).far());
        match loss {
            Loss::ClosedButStderr => {
                command.stderr(std::fs::File::create(place.path("stderr")).unwrap())
            }
            _ => command.stderr(err.as_ref().unwrap_or(&screen).far()),
        };
        Self { process: Process::start(command), screen, out, err, loss }
    }

    fn shown(&self) -> &Pseudo {
        self.out.as_ref().unwrap_or(&self.screen)
    }

    #[track_caller]
    fn sees(&self, text: &str) {
        until(&format!("'{text}' on the screen ({:?})", self.loss), 60, || {
            let seen = self.shown().text();
            if seen.contains(text) { Ok(()) } else { Err(seen) }
        });
    }

    /// Takes the terminal away, and waits for the console's end.
    #[track_caller]
    fn lose(&mut self) -> ExitStatus {
        match self.loss {
            Loss::Closed | Loss::ClosedInControl | Loss::ClosedButStderr => self.screen.close(),
            Loss::Stdout => {
                self.out.as_mut().unwrap().close();
                // It is seen when something is drawn.
                self.screen.press("?");
            }
            Loss::Stderr => {
                self.err.as_mut().unwrap().close();
                self.process.signal(Signal::HUP);
            }
            Loss::Signal(signal) => self.process.signal(signal),
        }
        let ended = self.process.wait(Duration::from_secs(20));
        ended.unwrap_or_else(|| panic!("{:?}: it goes on: {}", self.loss, self.shown().text()))
    }

    /// It ended as one does that was lost like this: with that code, or by its signal; and a terminal that is there
    /// works again.
    #[track_caller]
    fn ended(&self, status: ExitStatus, code: i32) {
        let loss = self.loss;
        match loss {
            Loss::Signal(signal) if signal != Signal::HUP => {
                assert_eq!(status.signal(), Some(signal.as_raw()), "{loss:?}: {status}");
            }
            _ => assert_eq!(status.code(), Some(code), "{loss:?}: {}", self.shown().text()),
        }
        if matches!(loss, Loss::Signal(_) | Loss::Stderr) {
            until("the terminal's last words", 5, || {
                let raw = self.screen.raw();
                let restored = ["\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l"];
                if restored.iter().all(|s| raw.contains(s)) { Ok(()) } else { Err(raw) }
            });
            assert!(self.screen.is_cooked(), "{loss:?}: the terminal's modes are not restored");
        }
    }
}

#[test]
fn edits_of_the_planner_outlive_its_terminal() {
    for loss in LOSSES {
        let place = Place::new();
        let file = place.file("plan.toml", WEEK);
        let mut console = Console::start(&place, &["plan", "edit", &file], loss);
        console.sees("Tea to two markets");
        console.screen.press("a");
        console.sees("unsaved");
        let status = console.lose();
        console.ended(status, 0);
        let draft = std::fs::read_to_string(place.path("state/plan-draft.json"));
        let draft = draft.unwrap_or_else(|e| panic!("{loss:?}: nothing was put aside: {e}"));
        assert!(draft.contains("\"lin\"") || draft.contains("\"fon\""), "{loss:?}: {draft}");
        if loss == Loss::ClosedButStderr {
            let told = std::fs::read_to_string(place.path("stderr")).unwrap();
            assert!(told.contains("takes it up") && !told.contains("panicked"), "{told}");
        }
    }
}

#[test]
fn a_show_and_its_planner_outlive_the_console() {
    let place = Place::new();
    let file = place.file("plan.toml", WEEK);
    let accepted = place.run(&["plan", "accept", &file, "--quick"], 60);
    assert_eq!(accepted.code, 0, "{accepted:?}");
    let mut show = place.start(&["rehearse"]);
    show.event("output-live", 60);
    let draft = place.path("state/plan-draft.json");
    for loss in LOSSES {
        let mut console = Console::start(&place, &["attach"], loss);
        console.sees("PROGRAM");
        console.screen.press("w");
        console.sees("Tea to two markets");
        console.screen.press("a");
        console.sees("unsaved");
        let status = console.lose();
        console.ended(status, 0);
        assert!(draft.exists(), "{loss:?}: nothing was put aside");
        std::fs::remove_file(&draft).unwrap();
        let shows = place.run(&["shows"], 10);
        assert!(shows.code == 0 && shows.out.contains("Built-in show"), "{loss:?}: {shows:?}");
    }
    show.process.signal(Signal::TERM);
    assert_eq!(show.ended(20), 130, "{}", show.told());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_stream_is_left_in_order() {
    let far = Stage::start(StageOptions::default()).await.unwrap();
    let (whip, whep) = (far.whip_url(), far.whep_url());
    block_in_place(|| {
        let place = Place::new();
        let text = format!(
            "title = \"Seen\"\n[[input]]\nid = \"bars\"\nkind = \"test\"\n\
             [[scene]]\nid = \"one\"\nlayers = [\"bars\"]\n[[output]]\nid = \"far\"\nto = \"{whip}\"\n"
        );
        let show = place.start(&["live", &place.file("show.toml", &text)]);
        show.event("output-live", 60);
        for loss in LOSSES {
            let mut console = Console::start(&place, &["watch", &whep], loss);
            // A picture is drawn.
            console.sees("▀");
            let status = console.lose();
            // As after ctrl-c: it was interrupted.
            console.ended(status, 130);
        }
        drop(show);
    });
    far.stop().await;
}

/// What is told goes nowhere any more; where the terminal was its own, the show is interrupted in order.
#[test]
fn a_headless_show_outlives_the_terminal_that_it_tells() {
    for (loss, code) in [(Loss::Closed, 0), (Loss::Stderr, 130), (Loss::ClosedInControl, 130)] {
        let place = Place::new();
        let report = place.path("report.json");
        let args = ["rehearse", "--headless", "--for", "6s", "--report", report.to_str().unwrap()];
        let mut console = Console::start(&place, &args, loss);
        let told = console.err.as_ref().unwrap_or(&console.screen);
        until("the show on air", 60, || {
            let text = told.text();
            if text.contains("ON AIR") { Ok(()) } else { Err(text) }
        });
        let status = console.lose();
        assert_eq!(status.code(), Some(code), "{loss:?}");
        let report = std::fs::read_to_string(&report).unwrap();
        assert!(report.contains(&format!("\"exit_code\": {code}")), "{loss:?}: {report}");
    }
}

/// The child of the test below: a pane whose reading breaks.
#[test]
#[ignore = "is started in a terminal by another test"]
fn child_that_panics() {
    let doors = Doors {
        open: Arc::new(|| panic!("broken on purpose")),
        keep: Arc::new(|_| Err("nothing is kept here".into())),
        aside: Arc::new(|_| None),
        tell: Arc::new(|_| {}),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _ = runtime.block_on(planner::plan(doors, Theme::Mono));
}

#[test]
fn a_panic_is_told_on_the_terminal_that_was_given_back() {
    let place = Place::new();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "child_that_panics", "--nocapture"]);
    command.env("TERM", "xterm-256color");
    let console = Console::spawn(&mut command, Loss::Closed, &place);
    until("what broke", 20, || {
        let raw = console.screen.raw();
        let told = raw
            .rsplit_once("\x1b[?1049l")
            .is_some_and(|(_, after)| after.contains("broken on purpose"));
        if told { Ok(()) } else { Err(raw) }
    });
    assert!(console.screen.is_cooked());
}
