//! Going live and ending, again and again: nothing is left in the engine. The engine is the real binary, the
//! ingest a stage in this process. The long forms are `script/soak`'s.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/held.rs"]
mod held;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use hawker::{
    engine::Handle,
    remote,
    show::{Command, OutputState, OutputStatus, Show},
    stage::{Stage, StageOptions},
};
use hawker_process::{Place, Show as Running};
use held::held;
use rustix::process::Signal;

/// Why the show did not come to be so.
async fn until(handle: &Handle, what: &str, is: impl Fn(&Show) -> bool) -> Result<(), String> {
    let mut show = handle.show.clone();
    match tokio::time::timeout(Duration::from_secs(20), show.wait_for(|s| is(s))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(format!("the engine was gone before {what}")),
        Err(_) => Err(format!("waited in vain for {what}: {:?}", handle.show.borrow().outputs)),
    }
}

async fn cycle(handle: &Handle) -> Result<(), String> {
    let go = Command::GoLive { output: None };
    handle.command(go, true).await.map_err(|e| e.to_string())?;
    until(handle, "all on air", |s| s.outputs.iter().all(OutputState::is_live)).await?;
    let stop = Command::StopOutput { output: None };
    handle.command(stop, true).await.map_err(|e| e.to_string())?;
    let idle = |s: &Show| s.outputs.iter().all(|o| o.status == OutputStatus::Idle);
    until(handle, "all off the air", idle).await
}

/// Goes on the air and off so many times; a failure tells what the engine said and how it ended.
async fn rounds(count: usize, handle: &Handle, show: &mut Running) {
    for round in 0..count {
        if let Err(why) = cycle(handle).await {
            let status = show.process.wait(Duration::from_secs(5));
            panic!("round {round}: {why}; {status:?}; told:\n{}", show.told());
        }
    }
}

/// The first `warming` rounds fill caches, pools and the allocator's arenas; then `count` are counted.
fn cycles(warming: usize, count: usize, most_kib: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let stage = Stage::start(StageOptions::default()).await.unwrap();
        let place = Place::new();
        let text = format!(
            "title = \"cycles\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\ntone-hz = 440\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n\
             [[output]]\nid = \"far\"\nto = \"{}\"\n",
            stage.whip_url()
        );
        let file = place.file("show.toml", &text);
        let mut show = place.start(&["live", &file, "--standby"]);
        show.event("show-started", 20);
        let engine = place.engines()[0].unsigned_abs();
        let handle = attach(&place).await;
        rounds(warming, &handle, &mut show).await;
        settle().await;
        let before = held(engine);
        rounds(count, &handle, &mut show).await;
        settle().await;
        let after = held(engine);
        assert_eq!(stage.figures().publishers, 0, "a session is left at the stage");
        assert!(after.threads <= before.threads + 1, "threads: {before:?} {after:?}");
        assert!(after.descriptors <= before.descriptors + 2, "descriptors: {before:?} {after:?}");
        assert!(
            after.resident_kib <= before.resident_kib + most_kib,
            "memory: {before:?} {after:?}"
        );
        println!("{count} cycles: {before:?} -> {after:?}");
        handle.command(Command::EndShow, true).await.unwrap();
        assert_eq!(show.ended(20), 0);
        stage.stop().await;
    });
}

async fn attach(place: &Place) -> Handle {
    let dirs: Vec<_> = place.folders().into_iter().map(|(_, dir)| dir.join("run")).collect();
    let began = Instant::now();
    loop {
        if let Some(show) = remote::running(&dirs).first()
            && let Ok(handle) = remote::attach(&show.socket).await
        {
            return handle;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "no show is running");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What ends behind a session (sockets, threads of GStreamer) has ended after this.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// Ends what spins, however a test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn going_live_and_ending_leaves_nothing_behind() {
    cycles(20, 12, 8 * 1024);
}

/// Sessions that are let go of while they are still being made; a busy machine makes that likely.
#[test]
fn an_ingest_that_is_not_there_leaves_nothing_behind() {
    let place = Place::new();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "title = \"dead\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\n\
         [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n\
         [[output]]\nid = \"far\"\nto = \"http://{dead}/whip\"\n"
    );
    let file = place.file("show.toml", &text);
    let mut show = place.start(&["live", &file]);
    let after_failures = |count: usize| {
        let began = Instant::now();
        while show.events().iter().filter(|e| e["event"] == "output-failed").count() < count {
            assert!(began.elapsed() < Duration::from_mins(1), "{}", show.told());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    after_failures(1);
    let engine = place.engines()[0].unsigned_abs();
    let before = held(engine);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let end = Over(&over);
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        after_failures(12);
        drop(end);
    });
    let began = Instant::now();
    while held(engine).descriptors > before.descriptors && began.elapsed() < Duration::from_secs(3)
    {
        std::thread::sleep(Duration::from_millis(50));
    }
    let after = held(engine);
    assert!(after.descriptors <= before.descriptors + 2, "{before:?} {after:?}");
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
}

#[test]
#[ignore = "minutes: script/soak"]
fn soak_two_hundred_cycles_leak_nothing() {
    cycles(100, 200, 5 * 1024);
}

#[test]
#[ignore = "minutes: script/soak"]
fn soak_memory_stays_flat() {
    let minutes: u64 =
        std::env::var("HAWKER_SOAK_MINUTES").ok().and_then(|m| m.parse().ok()).unwrap_or(10);
    let place = Place::new();
    let time = format!("{}s", minutes * 60 + 90);
    let mut show = place.start(&["rehearse", "--for", &time]);
    show.event("output-live", 20);
    let engine = place.engines()[0].unsigned_abs();
    std::thread::sleep(Duration::from_mins(1));
    let early = held(engine);
    std::thread::sleep(Duration::from_secs(minutes * 60));
    let late = held(engine);
    println!("after 1 min {early:?}, after {} min {late:?}", minutes + 1);
    assert!(late.resident_kib <= 150 * 1024, "{late:?}");
    assert!(late.resident_kib <= early.resident_kib + 4 * 1024, "not flat: {early:?} {late:?}");
    assert_eq!(show.ended(120), 0);
}
