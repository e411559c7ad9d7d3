//! The show that is soaked, with everything around it: it carries the plan out, and sees that all comes back.

use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hawker::{
    engine::Handle,
    flow::Path,
    remote,
    show::{Command, InputStatus, OutputState, OutputStatus},
};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::{
    far::{Ingest, console},
    hawker_process::{Place, Show},
    held::{Held, held},
    plan::{Fault, Mood, Strike},
    process::{Process, tool},
    servers::{Nginx, free_port, with_extension},
};

/// What healed is back on air within this: a refusal is tried again after 10-12.5 s, and a connection that hangs
/// has its deadline of 10 s before.
const BACK: Duration = Duration::from_secs(45);
/// What ends behind a session has ended within this.
const SETTLED: Duration = Duration::from_secs(40);
/// The program's counter pauses no longer, as a console sees it ten times a second.
const PAUSE: Duration = Duration::from_secs(3);

/// When the program's counter last grew, and its longest pause.
struct Pulse {
    composed: u64,
    at: Instant,
    longest: Duration,
}

pub struct Rig {
    pub place: Place,
    pub show: Show,
    pub engine: u32,
    pub handle: Handle,
    socket: PathBuf,
    ingests: Vec<Ingest>,
    nginx: Nginx,
    sender: Process,
    sender_port: u16,
    console: Option<Process>,
    metrics: u16,
    flood: Vec<TcpStream>,
    busy: Vec<Process>,
    pulse: Arc<Mutex<Pulse>>,
    began: Instant,
}

fn sender(port: u16) -> Process {
    let line = format!(
        "-q videotestsrc is-live=true pattern=smpte ! video/x-raw,width=320,height=180,framerate=15/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 bitrate=200 \
         ! h264parse config-interval=-1 ! m. \
         audiotestsrc is-live=true ! audioconvert ! opusenc ! opusparse ! m. \
         mpegtsmux name=m alignment=7 \
         ! srtsink uri=srt://127.0.0.1:{port}?mode=listener&latency=60 wait-for-connection=false"
    );
    Process::start(tool("gst-launch-1.0").args(line.split_whitespace()))
}

fn written_by(server: &Process) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", server.child.id())).unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    written.and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn show_file(place: &Place, ingests: &[Ingest], rtmp: u16, guest: u16) -> String {
    fs::create_dir_all(place.path("config/profiles")).unwrap();
    place.file(
        "config/profiles/soak.toml",
        "title = \"soak\"\ncanvas = \"640x360@30\"\neffort = \"ultrafast\"\nmax-kbps = 1200\n\
         start-kbps = 800\nmin-kbps = 150\naudio-kbps = 64\nkeyframe-ms = 2000\n\
         latency-target-ms = 600\n[[ladder]]\ncanvas = \"640x360@30\"\nfrom-kbps = 400\n\
         [[ladder]]\ncanvas = \"480x270@30\"\nfrom-kbps = 150\n",
    );
    let to = |n: usize| format!("http://127.0.0.1:{}/whip", ingests[n].port);
    let text = format!(
        "title = \"soak\"\nprofile = \"soak\"\n\
         [[input]]\nid = \"noise\"\nkind = \"test\"\npattern = \"noise\"\ntone-hz = 440\n\
         [[input]]\nid = \"film\"\nkind = \"file\"\npath = \"film.mp4\"\nrepeat = true\n\
         [[input]]\nid = \"guest\"\nkind = \"network\"\nuri = \"srt://127.0.0.1:{guest}\"\n\
         [[scene]]\nid = \"one\"\nlayers = [\"noise\"]\n\
         [[scene]]\nid = \"two\"\nlayout = \"picture-in-picture\"\nlayers = [\"noise\", \"film\"]\n\
         [[scene]]\nid = \"three\"\nlayout = \"grid\"\nlayers = [\"noise\", \"film\", \"guest\"]\n\
         [[output]]\nid = \"far\"\nto = \"{}\"\nstandby = [\"{}\"]\nallowance-ms = 1500\n\
         return-to-first = true\n\
         [[output]]\nid = \"near\"\nto = \"{}\"\n\
         [[output]]\nid = \"tv\"\nto = \"rtmp://127.0.0.1:{rtmp}/live\"\nkey = \"file:key\"\n\
         [[output]]\nid = \"tape\"\nto = \"record\"\nfolder = \"tape\"\nkeep-free-mb = 10\n\
         split-minutes = 1\n\
         [[output]]\nid = \"spare\"\nto = \"record\"\nfolder = \"spare\"\nkeep-free-mb = 10\n\
         split-mb = 1\ncontainer = \"mp4\"\n",
        to(0),
        to(1),
        to(2)
    );
    place.file("show.toml", &text)
}

impl Rig {
    pub async fn start() -> Self {
        let place = Place::new();
        let film = place.path("film.mp4");
        let made = tool("ffmpeg")
            .args("-f lavfi -i testsrc=size=320x180:rate=15:duration=8".split(' '))
            .args("-f lavfi -i sine=duration=8 -c:v libx264 -g 15 -c:a aac".split(' '))
            .arg(&film)
            .status();
        assert!(made.unwrap().success());
        let ingests: Vec<Ingest> = (0..3).map(|_| Ingest::at(free_port())).collect();
        let nginx = Nginx::start(&place.path("nginx"));
        let sender_port = free_port();
        let sender = sender(sender_port);
        let file = show_file(&place, &ingests, nginx.port, sender_port);
        let metrics = free_port();
        place.file("key", "k\n");
        let at = format!("127.0.0.1:{metrics}");
        let show = place.start_with(&["live", &file, "--metrics", &at], |c| {
            // Each of GStreamer's threads would have an arena of its own, whose high-water marks creep for an hour.
            // With two, what grows is a leak.
            c.env("G_DEBUG", "fatal-warnings").env("MALLOC_ARENA_MAX", "2")
        });
        show.event("show-started", 30);
        let engine = place.engines()[0].unsigned_abs();
        let dirs: Vec<_> = place.folders().into_iter().map(|(_, dir)| dir.join("run")).collect();
        let socket = remote::running(&dirs).first().expect("it runs").socket.clone();
        let handle = remote::attach(&socket).await.unwrap();
        let pulse = Arc::new(Mutex::new(Pulse {
            composed: 0,
            at: Instant::now(),
            longest: Duration::ZERO,
        }));
        let (mut meters, felt) = (handle.meters.clone(), Arc::clone(&pulse));
        tokio::spawn(async move {
            while meters.changed().await.is_ok() {
                let composed = meters.borrow_and_update().frames.composed;
                let mut pulse = felt.lock().unwrap();
                if composed > pulse.composed {
                    let passed = pulse.at.elapsed();
                    pulse.longest = pulse.longest.max(passed);
                    (pulse.composed, pulse.at) = (composed, Instant::now());
                }
            }
        });
        let mut rig = Self {
            place,
            show,
            engine,
            handle,
            socket,
            ingests,
            nginx,
            sender,
            sender_port,
            console: None,
            metrics,
            flood: Vec::new(),
            busy: Vec::new(),
            pulse,
            began: Instant::now(),
        };
        rig.until_back("the start").await;
        rig.pulse.lock().unwrap().longest = Duration::ZERO;
        rig
    }

    /// The longest pause of the program so far.
    pub fn longest_pause(&self) -> Duration {
        self.pulse.lock().unwrap().longest
    }

    /// What must hold at any time.
    pub fn assert_alive(&mut self) {
        if let Some(status) = self.show.process.wait(Duration::ZERO) {
            let events = self.show.events();
            let last = &events[events.len().saturating_sub(30)..];
            panic!("the engine ended: {status}\nTold:\n{}\nEvents: {last:#?}", self.show.told());
        }
        let pulse = self.pulse.lock().unwrap();
        let pause = pulse.at.elapsed().max(pulse.longest);
        assert!(pause < PAUSE, "the program paused for {pause:?}");
    }

    pub fn say(&self, what: &str) {
        eprintln!("{:7.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    async fn pass(&mut self, until: Instant) {
        while Instant::now() < until {
            self.assert_alive();
            let left = until.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(Duration::from_millis(100))).await;
        }
    }

    /// One round: everything strikes and heals in its time, then all comes back.
    pub async fn round(&mut self, number: usize, strikes: &[Strike]) {
        let mut due: Vec<(u64, bool, &Fault)> = Vec::new();
        for strike in strikes {
            due.push((strike.at_ms, true, &strike.fault));
            due.push((strike.until_ms, false, &strike.fault));
        }
        due.sort_by_key(|(at, begins, _)| (*at, *begins));
        let began = Instant::now();
        for (at, begins, fault) in due {
            self.pass(began + Duration::from_millis(at)).await;
            if begins {
                self.say(&format!("round {number}: {fault:?}"));
                self.strike(fault).await;
            } else {
                self.heal(fault).await;
            }
        }
        let took = self.until_back(&format!("round {number}: {strikes:?}")).await;
        let (took, mb) = (took.as_secs_f64(), held(self.engine).resident_kib / 1024);
        self.say(&format!("round {number}: all back after {took:.1} s; {mb} MB"));
        self.sweep();
        self.pass(Instant::now() + Duration::from_millis(500)).await;
    }

    async fn strike(&mut self, fault: &Fault) {
        let down = Path { down: true, ..Path::CLEAR };
        match fault {
            Fault::IngestKilled(n) => self.ingests[*n].process.kill(),
            Fault::IngestStopped(n) => self.ingests[*n].process.signal(Signal::STOP),
            Fault::IngestRefuses(n, mood) => self.ingests[*n].order(*mood, down),
            Fault::Weather(n, path) => self.ingests[*n].order(Mood::Well, *path),
            Fault::RtmpKilled => self.nginx.process.kill(),
            Fault::RtmpStopped => self.nginx.process.signal(Signal::STOP),
            Fault::SenderKilled => self.sender.kill(),
            Fault::SenderStopped => self.sender.signal(Signal::STOP),
            Fault::FilmMissing | Fault::FilmGarbage => {
                fs::rename(self.place.path("film.mp4"), self.place.path("film.away")).unwrap();
                if *fault == Fault::FilmGarbage {
                    self.place.file("film.mp4", &"no film at all\n".repeat(1000));
                }
                self.command("restart-input film").await;
            }
            Fault::FolderBlocked => {
                fs::rename(self.place.path("spare"), self.place.path("spare.away")).unwrap();
                self.place.file("spare", "no folder");
                // The file that is being written goes on; the next one has no place.
                self.command("stop-output spare").await;
                self.until("spare is off", |o| o.status == OutputStatus::Idle).await;
                self.command("go-live spare").await;
            }
            Fault::ConsoleKilled => self.console = Some(console(&self.socket)),
            Fault::ConsoleStopped => {
                self.console = Some(console(&self.socket));
                // It has come, and reads nothing more.
                let mut show = self.handle.show.clone();
                let came = show.wait_for(|s| s.consoles == 2);
                tokio::time::timeout(Duration::from_secs(20), came)
                    .await
                    .expect("the console is counted")
                    .unwrap();
                self.console.as_ref().unwrap().signal(Signal::STOP);
            }
            Fault::IngestReportsOnly(n) => {
                self.ingests[*n].order(Mood::ReportsOnly, Path::CLEAR);
                let id = if *n == 2 { "near" } else { "far" };
                self.command(&format!("stop-output {id}")).await;
                self.command(&format!("go-live {id}")).await;
            }
            Fault::DescriptorPressure => {
                let most = held(self.engine).descriptors as u64 + 8;
                self.limit_descriptors(Some(most));
                for line in ["stop-output near", "go-live near", "restart-input film"] {
                    self.command(line).await;
                }
            }
            Fault::Flood => {
                for _ in 0..300 {
                    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.metrics)) {
                        // It may have been closed already: that is what is asked of it.
                        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ");
                        self.flood.push(stream);
                    }
                }
            }
            Fault::BusyMachine(count) => {
                let compute = || {
                    let mut command = tool("sh");
                    command.args(["-c", "while :; do :; done"]);
                    Process::start(&mut command)
                };
                self.busy = (0..*count).map(|_| compute()).collect();
            }
            Fault::KeyFileHangs => {
                let key = self.place.path("key");
                fs::remove_file(&key).unwrap();
                assert!(tool("mkfifo").arg(&key).status().unwrap().success());
                self.command("stop-output tv").await;
                self.command("go-live tv").await;
            }
            Fault::Commands(lines) => {
                for line in lines {
                    self.command(line).await;
                }
            }
        }
    }

    async fn heal(&mut self, fault: &Fault) {
        match fault {
            Fault::IngestKilled(n) => {
                let port = self.ingests[*n].port;
                self.ingests[*n] = Ingest::at(port);
            }
            Fault::IngestStopped(n) => self.ingests[*n].process.signal(Signal::CONT),
            Fault::IngestRefuses(n, _) | Fault::Weather(n, _) => {
                self.ingests[*n].order(Mood::Well, Path::CLEAR);
            }
            Fault::RtmpKilled => {
                self.nginx = Nginx::at(&self.place.path("nginx"), self.nginx.port);
            }
            Fault::RtmpStopped => self.nginx.process.signal(Signal::CONT),
            Fault::SenderKilled => self.sender = sender(self.sender_port),
            Fault::SenderStopped => self.sender.signal(Signal::CONT),
            Fault::FilmMissing | Fault::FilmGarbage => {
                fs::rename(self.place.path("film.away"), self.place.path("film.mp4")).unwrap();
            }
            Fault::FolderBlocked => {
                fs::remove_file(self.place.path("spare")).unwrap();
                fs::rename(self.place.path("spare.away"), self.place.path("spare")).unwrap();
            }
            Fault::ConsoleKilled | Fault::ConsoleStopped => {
                if let Some(mut console) = self.console.take() {
                    console.kill();
                }
            }
            Fault::IngestReportsOnly(n) => {
                self.ingests[*n].order(Mood::Well, Path::CLEAR);
            }
            Fault::DescriptorPressure => self.limit_descriptors(None),
            Fault::Flood => self.flood.clear(),
            Fault::BusyMachine(_) => {
                for mut process in self.busy.drain(..) {
                    process.kill();
                }
            }
            Fault::KeyFileHangs => {
                fs::remove_file(self.place.path("key")).unwrap();
                self.place.file("key", "k\n");
            }
            Fault::Commands(_) => {
                if self.handle.show.borrow().panic {
                    self.command("resume").await;
                }
            }
        }
    }

    /// Sets how many descriptors the engine may have: so many, or as many as it may at all.
    fn limit_descriptors(&self, most: Option<u64>) {
        let engine = Pid::from_raw(self.engine.cast_signed());
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current: most.or(maximum), maximum };
        prlimit(engine, Resource::Nofile, limit).unwrap();
    }

    /// Gives a command as a script would; a refusal is an answer.
    async fn command(&self, line: &str) {
        let command: Command = line.parse().unwrap();
        let answer =
            tokio::time::timeout(Duration::from_secs(10), self.handle.command(command, true)).await;
        match answer {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => self.say(&format!("  {line}: {refusal}")),
            Err(e) => panic!("no answer to '{line}' in 10 s ({e}); told:\n{}", self.show.told()),
        }
    }

    async fn until(&mut self, what: &str, is: impl Fn(&OutputState) -> bool) {
        let began = Instant::now();
        loop {
            self.assert_alive();
            let so = self.handle.show.borrow().output(&"spare".parse().unwrap()).is_some_and(&is);
            if so {
                return;
            }
            assert!(began.elapsed() < BACK, "{what}: {:?}", self.handle.show.borrow().outputs);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What is not yet as it should be.
    fn missing(&self, before: &[u64; 4]) -> Vec<String> {
        let show = self.handle.show.borrow().clone();
        let mut missing = Vec::new();
        for input in &show.inputs {
            if !matches!(input.status, InputStatus::Up { .. }) {
                missing.push(format!("{}: {:?}", input.spec.id, input.status));
            }
        }
        let meters = self.handle.meters.borrow().clone();
        for (id, _) in meters.inputs.iter().filter(|(_, figures)| figures.slate) {
            missing.push(format!("{id}: its slate is on"));
        }
        if show.panic {
            missing.push("the slate is on".into());
        }
        if show.consoles != 1 {
            missing.push(format!("{} consoles", show.consoles));
        }
        for output in &show.outputs {
            let id = output.spec.id.as_str();
            if !output.is_live() || output.is_silent() || output.sound_only {
                missing.push(format!("{id}: {:?}", output.status));
                continue;
            }
            // The far end says so as well.
            let at = match id {
                "far" => output.way,
                "near" => 2,
                _ => continue,
            };
            let told = self.ingests[at].told();
            if !told.publishing || told.packets < 50 || told.packets == before[at] {
                missing.push(format!("{id}, says the ingest: {told:?}"));
            }
        }
        if written_by(&self.nginx.process) == before[3] {
            missing.push("tv, says the server".into());
        }
        missing
    }

    /// Waits until everything is back; how long it took.
    pub async fn until_back(&mut self, after: &str) -> Duration {
        let began = Instant::now();
        let packets = |n: usize| self.ingests[n].told().packets;
        let before = [packets(0), packets(1), packets(2), written_by(&self.nginx.process)];
        loop {
            self.assert_alive();
            let missing = self.missing(&before);
            if missing.is_empty() {
                return began.elapsed();
            }
            if began.elapsed() >= BACK {
                let events = self.show.events();
                let last: Vec<String> =
                    events.iter().rev().take(60).map(ToString::to_string).collect();
                let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
                panic!("{after}: not back in {BACK:?}: {missing:#?}\nThe last events:\n{last}");
            }
            // An operator's command may have taken it off.
            let show = self.handle.show.borrow().clone();
            let off = |o: &&OutputState| {
                matches!(o.status, OutputStatus::Idle | OutputStatus::Refused { .. })
            };
            for output in show.outputs.iter().filter(off) {
                self.command(&format!("go-live {}", output.spec.id)).await;
            }
            if show.panic {
                self.command("resume").await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the engine holds no more than `most`, if it is given; what it holds.
    pub async fn settled(&mut self, most: Option<Held>) -> Held {
        let began = Instant::now();
        let mut last = held(self.engine);
        let mut since = Instant::now();
        loop {
            self.assert_alive();
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = held(self.engine);
            if !now.same_count(&last) {
                since = Instant::now();
            }
            last = now;
            let small = most.is_none_or(|most| now.within(&most));
            if small && since.elapsed() > Duration::from_secs(3) {
                return now;
            }
            if began.elapsed() > SETTLED {
                assert!(small, "it holds {now:?}, and had {most:?}");
                return now;
            }
        }
    }

    /// Old files of what is not looked at in the end.
    fn sweep(&self) {
        for (folder, kind, keep) in [("nginx", "flv", 1), ("spare", "mp4", 8)] {
            let mut files = with_extension(&self.place.path(folder), kind);
            let gone = files.len().saturating_sub(keep);
            for file in files.drain(..gone) {
                let _ = fs::remove_file(file);
            }
        }
    }
}
