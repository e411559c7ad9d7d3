//! The bars of going on air, against the bare pipeline and against `whipclientsink`, in one run:
//! `cargo bench`, or `cargo bench --bench on_air -- latency cuts` for some. Nothing here fails on a slow
//! machine: it measures, and says which bars are met.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::panic,
    clippy::unwrap_used,
    clippy::exit,
    reason = "a program that prints figures and may stop where it stands"
)]

#[path = "../../tests/browser/chromium.rs"]
mod chromium;
#[path = "../../tests/real/lipsync.rs"]
mod lipsync;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/browser/page.rs"]
mod page;
mod peer;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/real/process.rs"]
mod process;
mod rig;
mod sections;
mod survival;
mod viewer;

fn main() {
    if std::env::var_os("HAWKER_BENCH_BARE").is_some() {
        sections::bare();
    }
    if let Ok(url) = std::env::var("HAWKER_BENCH_PEER") {
        hawker::media::init().expect("GStreamer");
        let _peer = peer::Peer::start(&url, hawker::stage::clock::this_boot());
        std::thread::sleep(std::time::Duration::from_hours(1));
        return;
    }
    if let Ok(port) = std::env::var("HAWKER_BENCH_STAGE") {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        return runtime.block_on(survival::be_an_ingest(port.parse().expect("a port")));
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    hawker::media::init().expect("GStreamer");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!(
        "{:<58} {:<34} {:<22}",
        "720p30, noise that fills 2.5 Mb/s, loopback", "measured", "bar"
    );
    runtime.block_on(async {
        if wants("latency") {
            sections::latency(2, 15).await;
        }
        if wants("processor") {
            sections::processor(20).await;
        }
        if wants("second") {
            sections::second(10).await;
        }
        if wants("cuts") {
            sections::cuts(500).await;
        }
        if wants("skew") {
            sections::skew(20).await;
        }
        if wants("console") {
            sections::console(15).await;
        }
        if wants("narrow") {
            survival::narrow().await;
        }
        if wants("distant") {
            survival::distant(10).await;
        }
        if wants("restart") {
            survival::restart(8).await;
        }
        if wants("lossy") {
            survival::lossy(20).await;
        }
        if wants("viewer") {
            viewer::viewer(60).await;
        }
        // Last: sessions of the peer in this process may break it long after they ended.
        if wants("connect") {
            sections::connect(30).await;
        }
    });
}
