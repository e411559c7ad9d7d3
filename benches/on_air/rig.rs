//! What every section stands on: the real binary as a process of its own, a stage as the far end, a monitor
//! that measures, and the processor time the system booked on a process.

use std::{
    fmt::Write,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use hawker::{
    engine::Handle,
    link::whip::{Link, LinkOptions, WhipEvent, open},
    remote,
    stage::{Stage, StageOptions, Watch, WatchOptions},
    whip::Role,
};

/// A hawker of its own, with its own state, ended with the value.
pub struct Hawker {
    child: Child,
    home: PathBuf,
}

impl Hawker {
    /// Starts `hawker ARGS --headless` with nobody else's settings.
    pub fn start(args: &[&str]) -> Self {
        let home = std::env::temp_dir().join(format!("hawker-bench-{}", rand()));
        std::fs::create_dir_all(home.join("config")).expect("a folder");
        std::fs::write(home.join("config/config.toml"), "[stage]\nlisten = \"127.0.0.1:0\"\n")
            .expect("settings");
        let child = Command::new(env!("CARGO_BIN_EXE_hawker"))
            .args(args)
            .args(["--headless", "--quiet"])
            .env("HAWKER_STATE_DIR", home.join("state"))
            .env("HAWKER_CONFIG_DIR", home.join("config"))
            .env("HAWKER_CACHE_DIR", home.join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("hawker starts");
        Self { child, home }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Attaches to it.
    pub async fn attach(&self) -> Handle {
        let socket = self.home.join(format!("state/run/{}.sock", self.child.id()));
        let until = Instant::now() + Duration::from_secs(15);
        loop {
            if let Ok(handle) = remote::attach(&socket).await {
                return handle;
            }
            assert!(Instant::now() < until, "no socket at {}", socket.display());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Hawker {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// A terminal of 160x50, which tmux makes.
pub struct Terminal(PathBuf);

impl Terminal {
    /// `None` where there is no tmux.
    pub fn open() -> Option<Self> {
        let terminal = Self(std::env::temp_dir().join(format!("hawker-bench-{}.tmux", rand())));
        let size = ["-x", "160", "-y", "50"];
        let opened =
            terminal.tmux(&[&["-f", "/dev/null", "new-session", "-d"][..], &size].concat());
        opened.then_some(terminal)
    }

    fn tmux(&self, args: &[&str]) -> bool {
        let mut command = Command::new("tmux");
        command
            .arg("-u")
            .arg("-S")
            .arg(&self.0)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.env("COLORTERM", "truecolor").env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        command.status().is_ok_and(|status| status.success())
    }

    /// A console on a running show; its process, once it has drawn for a while.
    pub async fn console(&self, hawker: &Hawker) -> u32 {
        let pid_file = hawker.home.join("console");
        let line = format!(
            "echo $$ > {}; HAWKER_STATE_DIR={} HAWKER_CONFIG_DIR={} exec {} attach",
            pid_file.display(),
            hawker.home.join("state").display(),
            hawker.home.join("config").display(),
            env!("CARGO_BIN_EXE_hawker"),
        );
        assert!(self.tmux(&["respawn-pane", "-k", &line]), "no console");
        tokio::time::sleep(Duration::from_secs(3)).await;
        let pid = std::fs::read_to_string(&pid_file).expect("a console");
        pid.trim().parse().expect("a process")
    }

    /// Takes the console away.
    pub fn clear(&self) {
        assert!(self.tmux(&["respawn-pane", "-k", "sleep 600"]), "no terminal");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
        let _ = std::fs::remove_file(&self.0);
    }
}

fn rand() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("chance");
    u64::from_le_bytes(bytes)
}

/// A show on disk whose outputs go to `ingests`.
pub struct Show(PathBuf);

impl Show {
    /// Of the noise, with that scene.
    pub fn new(scene: &str, ingests: &[String]) -> Self {
        let noise =
            "[[input]]\nid = \"noise\"\nkind = \"test\"\npattern = \"noise\"\ntone-hz = 440\n";
        Self::of(&format!("{noise}{scene}"), ingests)
    }

    /// Of these inputs and scenes.
    pub fn of(body: &str, ingests: &[String]) -> Self {
        let mut text = format!("title = \"bench\"\nprofile = \"lively\"\n{body}");
        for (n, url) in ingests.iter().enumerate() {
            let _ = write!(text, "[[output]]\nid = \"out-{n}\"\nto = \"{url}\"\n");
        }
        let path = std::env::temp_dir().join(format!("hawker-bench-{}.toml", rand()));
        std::fs::write(&path, text).expect("a show file");
        Self(path)
    }

    pub fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One input alone, full.
pub const ONE: &str = "[[scene]]\nid = \"one\"\nlayers = [\"noise\"]\n";
/// Two inputs, one in the other.
pub const TWO: &str = "[[input]]\nid = \"second\"\nkind = \"test\"\npattern = \"bars\"\n\
     [[scene]]\nid = \"two\"\nlayout = \"picture-in-picture\"\nlayers = [\"noise\", \"second\"]\n";

pub async fn stage() -> Stage {
    Stage::start(StageOptions::default()).await.expect("a stage")
}

/// Watches a stage, with every frame handed over.
pub async fn watch(stage: &Stage) -> Watch {
    try_watch(&stage.whep_url()).await.expect("the stage answers")
}

/// Watches what is there; `None` when nothing answers.
pub async fn try_watch(url: &str) -> Option<Watch> {
    let link = Link::new(&LinkOptions::default()).expect("a link");
    let options = WatchOptions { frames: 256, sounds: 1024, ..WatchOptions::default() };
    let (mut watch, offer) = Watch::new(&options).expect("a monitor");
    let url = url.parse().expect("an address");
    let mut talk = open(&link, url, None, offer, Role::Whep);
    while let Some(event) = talk.events.recv().await {
        if let WhipEvent::Answer(sdp) = event {
            watch.answer(&sdp).expect("an answer");
            // The conversation lives as long as the process: dropping it would end the session.
            // All of it is moved, or its other half would be dropped here.
            let all = talk;
            tokio::spawn(async move {
                let mut talk = all;
                while talk.events.recv().await.is_some() {}
            });
            return Some(watch);
        }
    }
    None
}

/// Processor time of a process so far.
pub fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// Processor time of a process over `seconds`, as a share of one core.
pub fn cpu_share(pid: u32, seconds: u64) -> f64 {
    let (before, begin) = (cpu(pid), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds));
    cpu(pid).saturating_sub(before).as_secs_f64() / begin.elapsed().as_secs_f64()
}

/// The value below which that share of the sorted values lies.
pub fn at(values: &mut [f64], quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 - 1.0) * quantile).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

/// One line of the result.
pub fn row(what: &str, got: &str, bar: &str, met: bool) {
    println!("{:<58} {:<34} {:<22} {}", what, got, bar, if met { "met" } else { "NOT MET" });
}
