//! Ten outputs at once against one, each at a server in a process of its own; one stalls, and one comes and goes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hawker::show::{self, OutputState};

use crate::{
    counter::Counter,
    crowd::{Crowd, NAMES, densest, lost},
    rig::{Hawker, ONE, Show, row},
    sections::{measured, our_share},
    servers::free_port,
    survival::{Ingest, open},
};

/// How long the ingest of the flapping one is there, and how long not.
const THERE: Duration = Duration::from_millis(2500);
const AWAY: Duration = Duration::from_millis(700);

/// Lets an ingest come and go for that long. How often it went.
async fn flap(port: u16, mut ingest: Ingest, seconds: u64) -> (Ingest, u32) {
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut flaps = 0;
    while Instant::now() + AWAY + THERE < until {
        tokio::time::sleep(THERE).await;
        ingest.kill();
        tokio::time::sleep(AWAY).await;
        ingest = Ingest::start(port);
        flaps += 1;
    }
    (ingest, flaps)
}

/// The bar of ten outputs: processor time, frames lost, key frames.
pub async fn ten(seconds: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let [a, b, c, d] = ports.map(Ingest::start);
    for port in ports {
        open(port).await;
    }
    let _good = [a, b, c];
    let whip = ports.map(|port| format!("http://127.0.0.1:{port}/whip"));
    let alone = Show::new(ONE, &whip[..1]);
    let before = our_share(&["live", alone.path()], seconds).await;

    let crowd = Crowd::start(folder.path());
    let all = Show::new(&format!("{ONE}{}", crowd.outputs(&whip)), &[]);
    let hawker = Hawker::start(&["live", all.path()]);
    let handle = hawker.attach().await;
    let mut truth = handle.show.clone();
    let live = |s: &Arc<show::Show>| s.outputs.iter().all(OutputState::is_live);
    let on_air = tokio::time::timeout(Duration::from_secs(30), truth.wait_for(live)).await;
    on_air.expect("ten outputs within 30 s").expect("the engine lives");
    let mut counters = Vec::new();
    for port in &ports[..3] {
        counters.push(Counter::start(&format!("http://127.0.0.1:{port}/whep")).await);
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    crowd.stall();
    let mut from = 0;
    for counter in &counters {
        from = from.max(counter.after(0).await);
    }
    let ((_ingest, flaps), with) =
        tokio::join!(flap(ports[3], d, seconds), measured(hawker.pid(), seconds));
    let to = counters[0].after(from).await;
    for counter in &counters {
        counter.after(to + 30).await;
    }
    drop((handle, truth));
    drop(hawker);
    let (mut came, keys) = crowd.end();
    for (name, counter) in NAMES.into_iter().zip(counters) {
        came.push((name, counter.end().await));
    }
    let after = our_share(&["live", alone.path()], seconds).await;

    let one = f64::midpoint(before, after);
    row(
        "s4. processor, ten outputs : one by WHIP",
        &format!("{:.1} % : {:.1} % = x{:.2}", with * 100.0, one * 100.0, with / one),
        "<= x2",
        with / one <= 2.0,
    );
    let losses: Vec<(&str, u64)> = came.iter().map(|(n, f)| (*n, lost(f, from, to))).collect();
    let sum: u64 = losses.iter().map(|(_, lost)| lost).sum();
    row(
        &format!("s4. frames lost by eight of {} each, {flaps} flaps beside", to - from + 1),
        &if sum == 0 { "0".to_owned() } else { format!("{losses:?}") },
        "0",
        sum == 0,
    );
    let keys: Vec<u64> = keys.into_iter().filter(|k| (from..=to).contains(k)).collect();
    let densest = densest(&keys, 15);
    row(
        "s4. key frames, and at most in 500 ms",
        &format!("{} in {:.0} s, {densest}", keys.len(), (to - from) as f64 / 30.0),
        "one of its own, one more",
        densest <= 2,
    );
}
