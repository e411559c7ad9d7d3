//! The sections: each measures one bar and prints it with what it is compared with.

use std::{
    collections::HashMap,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use gst::prelude::*;
use hawker::{
    base::Canvas,
    config,
    engine::Handle,
    media::{self, Studio},
    scene::Transition,
    show::Command as Order,
    stage::{Stage, Watch, clock},
};

use crate::{
    lipsync,
    peer::{CONTENT, Peer},
    rig::{Hawker, ONE, Show, TWO, Terminal, at, cpu_share, row, stage, watch},
};

/// From the order to go live until the first whole key frame is at the stage.
pub async fn connect(rounds: usize) {
    let far = stage().await;
    let mut took = live_and_off(&far, rounds).await;
    let mut peer = Vec::new();
    for _ in 0..rounds.min(8) {
        let began = Instant::now();
        let publisher = Peer::start(&far.whip_url(), clock::this_boot());
        peer.push(first_frame(&far, began).await);
        drop(publisher);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let (p50, p95) = (at(&mut took, 0.5), at(&mut took, 0.95));
    let theirs = at(&mut peer, 0.5);
    row(
        "1. go-live to first decodable frame, ms (p50, p95)",
        &format!("{p50:.0}, {p95:.0}   (peer {theirs:.0}, x{:.2})", p50 / theirs),
        "<= 180, <= 300",
        p50 <= 180.0 && p95 <= 300.0,
    );
    far.stop().await;
}

/// Goes live and off the air that often; from each order to the first whole key frame at the stage, in ms.
pub async fn live_and_off(far: &Stage, rounds: usize) -> Vec<f64> {
    let show = Show::new(ONE, &[far.whip_url()]);
    let hawker = Hawker::start(&["live", show.path(), "--standby"]);
    let handle = hawker.attach().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut took = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        handle.command(Order::GoLive { output: None }, true).await.expect("goes live");
        took.push(first_frame(far, began).await);
        tokio::time::sleep(Duration::from_millis(300)).await;
        handle.command(Order::StopOutput { output: None }, true).await.expect("stops");
        let mut truth = handle.show.clone();
        let idle = |s: &Arc<hawker::show::Show>| {
            s.outputs.iter().all(|o| o.status == hawker::show::OutputStatus::Idle)
        };
        truth.wait_for(idle).await.expect("the engine lives");
        // Not in step with the key frames of the encoder.
        tokio::time::sleep(Duration::from_millis(137)).await;
    }
    took
}

async fn first_frame(far: &Stage, began: Instant) -> f64 {
    let mut figures = far.watch();
    let whole = |f: &hawker::stage::StageFigures| f.first_frame_at.is_some_and(|at| at >= began);
    let limit = Duration::from_secs(10);
    let seen = tokio::time::timeout(limit, figures.wait_for(whole)).await;
    let seen = seen.expect("a frame within 10 s").expect("the stage lives");
    seen.first_frame_at.expect("just seen").duration_since(began).as_secs_f64() * 1000.0
}

/// Capture to arrival, and to the decoded picture, in ms.
struct Delays {
    arrival: Vec<f64>,
    decoded: Vec<f64>,
}

async fn delays(watch: &mut Watch, seconds: u64) -> Delays {
    let mut frames = watch.frames().expect("frames");
    let known: Arc<Mutex<HashMap<u64, u64>>> = Arc::default();
    let decoded: Arc<Mutex<Vec<f64>>> = Arc::default();
    let pipeline = gst::parse::launch(
        "appsrc name=in is-live=true format=time caps=video/x-h264,stream-format=byte-stream,alignment=au \
         ! avdec_h264 max-threads=1 ! appsink name=out sync=false",
    )
    .expect("a decoder")
    .downcast::<gst::Pipeline>()
    .expect("a pipeline");
    let into = pipeline.by_name("in").and_downcast::<gst_app::AppSrc>().expect("a source");
    let out = pipeline.by_name("out").and_downcast::<gst_app::AppSink>().expect("a sink");
    let (lookup, results) = (Arc::clone(&known), Arc::clone(&decoded));
    out.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let pts =
                    sample.buffer().and_then(gst::BufferRef::pts).map(gst::ClockTime::nseconds);
                if let Some(captured) = pts.and_then(|p| lookup.lock().expect("a map").remove(&p)) {
                    let ms = (clock::mono_ns() - captured) as f64 / 1e6;
                    results.lock().expect("a list").push(ms);
                }
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    pipeline.set_state(gst::State::Playing).expect("the decoder plays");
    let mut arrival = Vec::new();
    let begin = Instant::now();
    // The first seconds fill the encoder's rate control and the estimate.
    let settled = begin + Duration::from_secs(4);
    let end = settled + Duration::from_secs(seconds);
    let mut started = false;
    let mut number = 0_u64;
    while Instant::now() < end {
        let next = tokio::time::timeout(Duration::from_secs(5), frames.recv()).await;
        let unit = next.expect("frames keep coming").expect("the monitor lives");
        started |= unit.key;
        let Some(captured) = unit.capture_ns.filter(|_| started) else { continue };
        let arrived_ns = clock::mono_ns() - unit.arrived.elapsed().as_nanos() as u64;
        if Instant::now() > settled {
            arrival.push((arrived_ns - captured) as f64 / 1e6);
        }
        number += 1;
        let pts = number * 33_333_333;
        if Instant::now() > settled {
            known.lock().expect("a map").insert(pts, captured);
        }
        let mut buffer = gst::Buffer::from_slice(unit.data);
        buffer.get_mut().expect("ours alone").set_pts(gst::ClockTime::from_nseconds(pts));
        into.push_buffer(buffer).expect("the decoder takes it");
    }
    pipeline.set_state(gst::State::Null).expect("the decoder stops");
    let decoded = std::mem::take(&mut *decoded.lock().expect("a list"));
    Delays { arrival, decoded }
}

async fn ours(scene: &str, seconds: u64) -> Delays {
    let far = stage().await;
    let show = Show::new(scene, &[far.whip_url()]);
    let hawker = Hawker::start(&["live", show.path()]);
    let mut monitor = watch(&far).await;
    let delays = delays(&mut monitor, seconds).await;
    monitor.stop().await;
    drop(hawker);
    far.stop().await;
    delays
}

async fn theirs(seconds: u64) -> Delays {
    let far = stage().await;
    // In a process of its own, as ours is.
    let mut child = Command::new(std::env::current_exe().expect("this bench"))
        .env("HAWKER_BENCH_PEER", far.whip_url())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the peer starts");
    let mut monitor = watch(&far).await;
    let delays = delays(&mut monitor, seconds).await;
    monitor.stop().await;
    let _ = child.kill();
    let _ = child.wait();
    far.stop().await;
    delays
}

/// Latency against the peer, in turns.
pub async fn latency(rounds: usize, seconds: u64) {
    let (mut us, mut them) =
        (Delays { arrival: vec![], decoded: vec![] }, Delays { arrival: vec![], decoded: vec![] });
    for _ in 0..rounds {
        let round = ours(ONE, seconds).await;
        us.arrival.extend(round.arrival);
        us.decoded.extend(round.decoded);
        let round = theirs(seconds).await;
        them.arrival.extend(round.arrival);
        them.decoded.extend(round.decoded);
    }
    let (p50, p95) = (at(&mut us.arrival, 0.5), at(&mut us.arrival, 0.95));
    row(
        "2. capture to arrival, one input, ms (p50, p95)",
        &format!("{p50:.1}, {p95:.1}"),
        "<= 14, <= 20",
        p50 <= 14.0 && p95 <= 20.0,
    );
    let (a50, a95) = (at(&mut them.arrival, 0.5), at(&mut them.arrival, 0.95));
    if !them.arrival.is_empty() {
        println!("   the peer's arrival, no compositor: {a50:.1}, {a95:.1}");
    }
    let (d50, d95) = (at(&mut us.decoded, 0.5), at(&mut us.decoded, 0.95));
    let (t50, t95) = (at(&mut them.decoded, 0.5), at(&mut them.decoded, 0.95));
    let compared = if them.decoded.is_empty() {
        format!("{d50:.1}, {d95:.1} : – (no stamps came)")
    } else {
        format!("{d50:.1}, {d95:.1} : {t50:.1}, {t95:.1} = x{:.2}", d50 / t50)
    };
    row(
        "2. capture to decoded, against whipclientsink gcc",
        &compared,
        "<= x1.10 (aim x1.00)",
        d50 / t50 <= 1.10,
    );
    let mut two = ours(TWO, seconds).await;
    let t50 = at(&mut two.arrival, 0.5);
    row(
        "2. capture to arrival, two inputs, ms (p50)",
        &format!("{t50:.1}, {:+.1}", t50 - p50),
        "<= one frame more",
        t50 - p50 <= 33.4,
    );
}

/// The bare pipeline: same content, same compositor's work, same encoder settings, nothing published.
pub fn bare() -> ! {
    media::init().expect("GStreamer");
    let pipeline = gst::parse::launch(&format!(
        "{CONTENT} ! compositor latency=0 ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1 \
         ! x264enc tune=zerolatency bframes=0 byte-stream=true speed-preset=ultrafast bitrate=2500 \
           key-int-max=60 vbv-buf-capacity=200 option-string=scenecut=0 \
         ! video/x-h264,profile=constrained-baseline ! fakesink async=false sync=false \
         audiotestsrc is-live=true wave=sine volume=0.1 ! audio/x-raw,rate=48000,channels=2 \
         ! audiomixer ! audioconvert ! opusenc bitrate=64000 ! fakesink async=false sync=false"
    ))
    .expect("the bare pipeline");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    std::thread::sleep(Duration::from_hours(1));
    std::process::exit(0)
}

fn bare_share(seconds: u64) -> f64 {
    let mut child = Command::new(std::env::current_exe().expect("this bench"))
        .env("HAWKER_BENCH_BARE", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the bare pipeline starts");
    std::thread::sleep(Duration::from_secs(5));
    let share = cpu_share(child.id(), seconds);
    let _ = child.kill();
    let _ = child.wait();
    share
}

pub async fn our_share(args: &[&str], seconds: u64) -> f64 {
    let hawker = Hawker::start(args);
    // The estimate climbs at 8 %/s: past that the rate is at its top.
    tokio::time::sleep(Duration::from_secs(8)).await;
    measured(hawker.pid(), seconds).await
}

/// The share of a core that a process takes over `seconds`.
pub async fn measured(pid: u32, seconds: u64) -> f64 {
    tokio::task::spawn_blocking(move || cpu_share(pid, seconds)).await.expect("measured")
}

/// Processor time against the bare pipeline.
pub async fn processor(seconds: u64) {
    let near = stage().await;
    let alone = Show::new(ONE, &[near.whip_url()]);
    let mut bare = Vec::new();
    let (mut outside, mut inside) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        bare.push(bare_share(seconds));
        outside.push(our_share(&["live", alone.path()], seconds).await);
        inside.push(our_share(&["rehearse", alone.path()], seconds).await);
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (bare, outside, inside) = (mean(&bare), mean(&outside), mean(&inside));
    let share = |v: f64| format!("{:.1} % : {:.1} % = x{:.2}", v * 100.0, bare * 100.0, v / bare);
    row(
        "3. processor, ingest elsewhere : bare",
        &share(outside),
        "<= x1.25",
        outside / bare <= 1.25,
    );
    row(
        "3. processor, stage and monitor inside : bare",
        &share(inside),
        "<= x1.60",
        inside / bare <= 1.6,
    );
    near.stop().await;
}

/// How often a second output goes on and off.
const SECOND_TURNS: u32 = 15;

/// What one more output costs.
pub async fn second(seconds: u64) {
    let (near, far) = (stage().await, stage().await);
    let mut more = second_output(&near, &far, seconds).await;
    let (least, median, most) = (at(&mut more, 0.25), at(&mut more, 0.5), at(&mut more, 0.75));
    row(
        "3. a second WHIP output, % of a core (median, quartiles)",
        &format!("{median:.1} ({least:.1}, {most:.1}) of {} turns", more.len()),
        "<= 5",
        median <= 5.0,
    );
    near.stop().await;
    far.stop().await;
}

/// What a second output adds to the engine, in % of a core, off and on in turns: each time it is on is compared
/// with before and after, so that what else the machine does falls on both.
async fn second_output(near: &Stage, far: &Stage, seconds: u64) -> Vec<f64> {
    let show = Show::new(ONE, &[near.whip_url(), far.whip_url()]);
    let hawker = Hawker::start(&["live", show.path(), "--standby"]);
    let handle = hawker.attach().await;
    let second = Some("out-1".parse().expect("an output"));
    let first = Some("out-0".parse().expect("an output"));
    handle.command(Order::GoLive { output: first }, true).await.expect("goes live");
    tokio::time::sleep(Duration::from_secs(8)).await;
    let pid = hawker.pid();
    let mut more = Vec::new();
    let mut before = measured(pid, seconds).await;
    for _ in 0..SECOND_TURNS {
        handle.command(Order::GoLive { output: second.clone() }, true).await.expect("goes live");
        // A way used before begins at the rate it had; the measurement begins once it carries it.
        for _ in 0..200 {
            if sends_all(&handle) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let with = measured(pid, seconds).await;
        assert!(sends_all(&handle), "the second output fell behind the first");
        handle.command(Order::StopOutput { output: second.clone() }, true).await.expect("stops");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = measured(pid, seconds).await;
        more.push((with - f64::midpoint(before, after)) * 100.0);
        before = after;
    }
    more
}

/// Whether the second output sends what the first does.
fn sends_all(handle: &Handle) -> bool {
    let meters = handle.meters.borrow();
    let sent: Vec<f64> = meters.outputs.values().filter_map(|o| o.sent_kbps).collect();
    matches!(sent[..], [first, second] if first > 2200.0 && second > 0.9 * first)
}

/// From an order to the frame that follows it.
pub async fn cuts(count: usize) {
    let mut spec = config::builtin_show();
    spec.profile.canvas = Canvas { width: 1280, height: 720, fps: 30 };
    media::init().expect("GStreamer");
    let (facts, mut reports) = tokio::sync::mpsc::channel(256);
    tokio::spawn(async move { while reports.recv().await.is_some() {} });
    let studio = Studio::start(&spec, &facts, 1).expect("a studio");
    for input in &spec.inputs {
        studio.start_input(input);
    }
    let scenes: Vec<_> = spec.scenes.iter().map(|s| spec.compose(s)).collect();
    for scene in &scenes {
        studio.take(Arc::clone(scene), Transition::CUT);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let before = studio.frames();
    let mut lags = Vec::new();
    for n in 0..count {
        let began = Instant::now();
        let order = studio.take(Arc::clone(&scenes[n % scenes.len()]), Transition::CUT);
        while studio.reached() < order {
            std::thread::sleep(Duration::from_micros(200));
        }
        lags.push(began.elapsed().as_secs_f64() * 1000.0);
        std::thread::sleep(Duration::from_micros(7919 * (n as u64 % 5)));
    }
    let after = studio.frames();
    let (p50, worst) = (at(&mut lags, 0.5), at(&mut lags, 1.0));
    row(
        "4. order to the encoder, ms (p50, worst)",
        &format!("{p50:.1}, {worst:.1}"),
        "<= 33.3 + 5",
        worst <= 38.4,
    );
    let (lost, again) = (after.skipped - before.skipped, after.repeated - before.repeated);
    row(
        &format!("4. frames lost, repeated, dropped in {count} cuts"),
        &format!("{lost}, {again}, {}", after.dropped - before.dropped),
        "0, 0, 0",
        lost + again + (after.dropped - before.dropped) == 0,
    );
    tokio::task::spawn_blocking(move || studio.stop()).await.expect("stopped");
}

/// Sound against picture: when a flash and a beep that belong together were captured, as the sender's reports
/// have it.
pub async fn skew(seconds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = folder.path().join("flash.mkv");
    lipsync::clip(&clip);
    let far = stage().await;
    let show = Show::of(
        &format!(
            "[[input]]\nid = \"clip\"\nkind = \"file\"\nrepeat = true\npath = \"{}\"\n\
                  [[scene]]\nid = \"one\"\nlayers = [\"clip\"]\n",
            clip.display()
        ),
        &[far.whip_url()],
    );
    let hawker = Hawker::start(&["live", show.path()]);
    let mut monitor = watch(&far).await;
    let (mut frames, mut sounds) =
        (monitor.frames().expect("frames"), monitor.sounds().expect("sound"));
    let found = lipsync::skews(&mut frames, &mut sounds, seconds);
    let limit = Duration::from_secs(seconds as u64 + 30);
    let skews = tokio::time::timeout(limit, found).await.expect("flashes and beeps");
    let worst =
        skews.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::NAN);
    let mut sorted = skews;
    row(
        "4. sound after picture by sender reports, ms (p50, worst)",
        &format!("{:+.1}, {worst:+.1}", at(&mut sorted, 0.5)),
        "<= 15",
        worst.abs() <= 15.0,
    );
    monitor.stop().await;
    drop(hawker);
    far.stop().await;
}

/// What a console costs: its own process and what the engine does for it, with the picture moving, and its own
/// process when nothing moves.
pub async fn console(seconds: u64) {
    let Some(tmux) = Terminal::open() else {
        row("6. a console, % of a core", "– (no tmux here)", "<= 5", false);
        return;
    };
    let (mut alone, mut with, mut own) = (0.0, 0.0, 0.0);
    let far = stage().await;
    let show = Show::new(ONE, &[far.whip_url()]);
    let hawker = Hawker::start(&["live", show.path()]);
    let _ = hawker.attach().await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    const TURNS: u32 = 3;
    for _ in 0..TURNS {
        alone += measured(hawker.pid(), seconds).await;
        let console = tmux.console(&hawker).await;
        let (engine, own_now) =
            tokio::join!(measured(hawker.pid(), seconds), measured(console, seconds));
        with += engine;
        own += own_now;
        tmux.clear();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    drop(hawker);
    let percent = |sum: f64| sum / f64::from(TURNS) * 100.0;
    let (engine, own) = (percent(with - alone), percent(own));
    row(
        "6. a console, % of a core (its own + the engine's)",
        &format!("{own:.1} + {engine:.1}"),
        "<= 5",
        own + engine <= 5.0,
    );
    let still = Show::of(
        "[[input]]\nid = \"bars\"\nkind = \"test\"\npattern = \"bars\"\n\
        [[scene]]\nid = \"one\"\nlayers = [\"bars\"]\n",
        &[far.whip_url()],
    );
    let hawker = Hawker::start(&["live", still.path(), "--standby"]);
    let _ = hawker.attach().await;
    let console = tmux.console(&hawker).await;
    let idle = measured(console, seconds).await * 100.0;
    row("6. an idle console, % of a core", &format!("{idle:.1}"), "<= 1", idle <= 1.0);
    drop(hawker);
    far.stop().await;
}
