//! The bars of publishing over networks that change or break, against `whipclientsink` where it can take part. The
//! network is the stage's own weather.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use hawker::{
    base::Kbps,
    flow::Path,
    stage::{Stage, StageOptions, Watch, Weather, clock},
};

use crate::{
    peer::Peer,
    rig::{Hawker, ONE, Show, at, row, stage, watch},
    sections::live_and_off,
    servers::free_port,
};

/// The same path for publishers, fair weather for viewers.
fn uplink(path: Path) -> Weather {
    Weather { publishers: path, ..Weather::CLEAR }
}

fn path(kbps: u32) -> Path {
    Path { rate: Some(Kbps(kbps)), queue_ms: 300, delay_ms: 20, ..Path::CLEAR }
}

/// What became of a step of the link down and up again.
#[derive(Debug, Clone, Copy)]
struct Steps {
    frozen_ms: u64,
    /// Of the narrow link, ten seconds after the step, over five seconds.
    used: f64,
    /// From the step up until the top was reached again; `None` within 40 s.
    back_s: Option<f64>,
}

/// Waits until the mean of the received rate over two seconds is that high.
async fn reaches(far: &Stage, kbps: f64, limit: Duration) -> Option<f64> {
    let began = Instant::now();
    let mut last = Vec::new();
    while began.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(200)).await;
        last.push(far.figures().kbps);
        let window = &last[last.len().saturating_sub(5)..];
        if window.len() == 5 && window.iter().sum::<f64>() / 5.0 >= kbps {
            return Some(began.elapsed().as_secs_f64());
        }
    }
    None
}

async fn mean_kbps(far: &Stage, seconds: u64) -> f64 {
    let mut sum = 0.0;
    for _ in 0..seconds * 5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        sum += far.figures().kbps;
    }
    sum / (seconds * 5) as f64
}

async fn steps(far: &Stage, monitor: &Watch) -> Steps {
    const TOP: f64 = 2564.0;
    // From the start to the top.
    reaches(far, TOP * 0.8, Duration::from_secs(40)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = monitor.figures(Instant::now()).freeze_ms;
    far.set_weather(uplink(path(1000)));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let used = mean_kbps(far, 5).await / 1000.0;
    let now = monitor.figures(Instant::now());
    let open = if now.gap_ms > 400 { now.gap_ms } else { 0 };
    far.set_weather(uplink(path(4000)));
    let back_s = reaches(far, TOP * 0.8, Duration::from_secs(40)).await;
    Steps { frozen_ms: now.freeze_ms - before + open, used, back_s }
}

/// 4 Mb/s, then 1, then 4.
pub async fn narrow() {
    let options = StageOptions { weather: uplink(path(4000)), ..StageOptions::default() };
    let far = Stage::start(options).await.expect("a stage");
    let show = Show::new(ONE, &[far.whip_url()]);
    let hawker = Hawker::start(&["live", show.path()]);
    let monitor = watch(&far).await;
    let ours = steps(&far, &monitor).await;
    drop(hawker);
    monitor.stop().await;
    far.set_weather(uplink(path(4000)));
    let peer = Peer::start(&far.whip_url(), clock::this_boot());
    let monitor = watch(&far).await;
    let theirs = steps(&far, &monitor).await;
    drop(peer);
    monitor.stop().await;
    far.stop().await;
    let seconds = |s: Option<f64>| s.map_or("over 40".to_owned(), |s| format!("{s:.1}"));
    row(
        "s2. 4 -> 1 Mb/s: frozen, ms (peer)",
        &format!("{} ({})", ours.frozen_ms, theirs.frozen_ms),
        "<= 1000 (aim 500)",
        ours.frozen_ms <= 1000,
    );
    row(
        "s2. use of 1 Mb/s after 10 s (peer)",
        &format!("{:.0} % ({:.0} %)", ours.used * 100.0, theirs.used * 100.0),
        ">= 70 % (aim 85)",
        ours.used >= 0.7,
    );
    row(
        "s2. 1 -> 4 Mb/s: back at 80 % of the top, s (peer)",
        &format!("{} ({})", seconds(ours.back_s), seconds(theirs.back_s)),
        "<= 20 (aim 10)",
        ours.back_s.is_some_and(|s| s <= 20.0),
    );
}

/// Going live over a round trip of 100 ms.
pub async fn distant(rounds: usize) {
    let weather = uplink(Path { delay_ms: 50, ..Path::CLEAR });
    let far = Stage::start(StageOptions { weather, ..StageOptions::default() }).await;
    let far = far.expect("a stage");
    let mut took = live_and_off(&far, rounds).await;
    far.stop().await;
    let (p50, worst) = (at(&mut took, 0.5), at(&mut took, 1.0));
    row(
        "s5. go-live to first frame at 100 ms round trip, ms (p50, worst)",
        &format!("{p50:.0}, {worst:.0}"),
        "<= 900",
        worst <= 900.0,
    );
}

/// A stage in a process of its own, to be killed.
pub struct Ingest(Child);

impl Ingest {
    /// At that port.
    pub fn start(port: u16) -> Self {
        let child = Command::new(std::env::current_exe().expect("this bench"))
            .env("HAWKER_BENCH_STAGE", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("an ingest starts");
        Self(child)
    }

    /// At once.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What an ingest of its own process does.
pub async fn be_an_ingest(port: u16) {
    let listen = ([127, 0, 0, 1], port).into();
    // The port of one that was killed may be held for a moment.
    let until = Instant::now() + Duration::from_secs(5);
    let _stage = loop {
        match Stage::start(StageOptions { listen, ..StageOptions::default() }).await {
            Ok(stage) => break stage,
            Err(e) => assert!(Instant::now() < until, "{e}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    tokio::time::sleep(Duration::from_hours(1)).await;
}

/// Until somebody listens at that port.
pub async fn open(port: u16) -> Instant {
    let until = Instant::now() + Duration::from_secs(10);
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(Instant::now() < until, "nobody listens at {port}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Instant::now()
}

/// The first whole frame that a viewer has there, who tries again at once.
async fn seen(port: u16) -> Instant {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < until, "no frame at {port}");
        let url = format!("http://127.0.0.1:{port}/whep");
        let Some(mut watch) = crate::rig::try_watch(&url).await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let mut frames = watch.frames().expect("frames");
        let first = tokio::time::timeout(Duration::from_secs(10), async {
            while let Some(unit) = frames.recv().await {
                if unit.key {
                    return Some(unit.arrived);
                }
            }
            None
        })
        .await;
        watch.stop().await;
        if let Ok(Some(first)) = first {
            return first;
        }
    }
}

/// The ingest's process is killed and comes back at once; then it stays away and a standby takes over.
pub async fn restart(rounds: usize) {
    let (first, second) = (free_port(), free_port());
    let mut ingest = Ingest::start(first);
    let standby = Ingest::start(second);
    open(first).await;
    open(second).await;
    let show = Show::of(
        &format!(
            "[[input]]\nid = \"noise\"\nkind = \"test\"\npattern = \"noise\"\ntone-hz = 440\n{ONE}\
             [[output]]\nid = \"main\"\nto = \"http://127.0.0.1:{first}/whip\"\n\
             standby = [\"http://127.0.0.1:{second}/whip\"]\n"
        ),
        &[],
    );
    let hawker = Hawker::start(&["live", show.path()]);
    seen(first).await;
    let mut took = Vec::new();
    for _ in 0..rounds {
        tokio::time::sleep(Duration::from_secs(2)).await;
        ingest.kill();
        ingest = Ingest::start(first);
        let opened = open(first).await;
        took.push(seen(first).await.duration_since(opened).as_secs_f64() * 1000.0);
    }
    let (p50, worst) = (at(&mut took, 0.5), at(&mut took, 1.0));
    row(
        "s1. ingest killed and restarted: port open to frame, ms (p50, worst)",
        &format!("{p50:.0}, {worst:.0}"),
        "<= 1000",
        worst <= 1000.0,
    );
    tokio::time::sleep(Duration::from_secs(11)).await;
    ingest.kill();
    let killed = Instant::now();
    let gap = seen(second).await.duration_since(killed).as_secs_f64() * 1000.0;
    row(
        "s1. ingest gone: gap until the standby has frames, ms",
        &format!("{gap:.0}, the allowance is 3000"),
        "<= 4500",
        gap <= 4500.0,
    );
    drop(hawker);
    drop(standby);
}

/// Random loss and jitter on the uplink, as the monitor has it.
pub async fn lossy(seconds: u64) {
    for (percent, most) in [(1.0, 0.01), (5.0, 0.01), (10.0, 0.05), (20.0, 0.20)] {
        let path = Path { delay_ms: 40, loss: percent / 100.0, ..Path::CLEAR };
        let far = stage().await;
        far.set_weather(uplink(path));
        let show = Show::new(ONE, &[far.whip_url()]);
        let hawker = Hawker::start(&["live", show.path()]);
        let monitor = watch(&far).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = monitor.figures(Instant::now());
        let mut fps = 0.0;
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            fps += f64::from(monitor.figures(Instant::now()).fps) / seconds as f64;
        }
        let after = monitor.figures(Instant::now());
        let frozen = (after.freeze_ms - before.freeze_ms) as f64 / (seconds * 1000) as f64;
        let latency = after.latency.map_or(f64::NAN, |l| l.p95_ms);
        row(
            &format!("s3. {percent} % loss at 80 ms: frozen, frames/s, p95 latency ms"),
            &format!("{:.2} %, {fps:.1}, {latency:.0}", frozen * 100.0),
            &format!("< {:.0} %", most * 100.0),
            frozen < most,
        );
        drop(hawker);
        monitor.stop().await;
        far.stop().await;
    }
}
