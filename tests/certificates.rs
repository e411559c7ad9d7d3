//! Media goes to, and comes from, nobody but the one whose certificate the offer or the answer names: a description
//! that was changed on its way ends the session before a packet of media has left. The real program, stage and
//! monitor on loopback, with somebody between them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says it by failing"
)]

#[path = "certificates/between.rs"]
mod between;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "stage/publisher.rs"]
mod publisher;

use std::time::{Duration, Instant};

use between::{Between, Edit, as_it_is, edits};
use hawker::stage::{Stage, StageOptions, Watch, WatchOptions, WatchState};
use hawker_process::Place;
use publisher::Publisher;
use tokio::runtime::Runtime;

async fn stage() -> Stage {
    Stage::start(StageOptions::default()).await.unwrap()
}

/// Waits for a condition, ten seconds at most.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(10), "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn show_to(url: &str) -> String {
    format!(
        "title = \"certificates\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\n\
         [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n[[output]]\nid = \"main\"\nto = \"{url}\"\n"
    )
}

/// Publishes by the real program through somebody who changes the answer so. The reason why it failed, or none.
fn publish(edit: Edit) -> Option<String> {
    let runtime = Runtime::new().unwrap();
    let _in = runtime.enter();
    let stage = runtime.block_on(stage());
    let between = runtime.block_on(Between::start(&stage.whip_url(), as_it_is, edit));
    let place = Place::new();
    let file = place.file("show.toml", &show_to(&between.url));
    let mut show = place.start(&["live", &file]);
    let first = show.event_that("news of the output", 40, |e| {
        e["event"] == "output-live" || e["event"] == "output-failed"
    });
    let failed = (first["event"] == "output-failed").then(|| {
        assert_eq!(first["retry_in_ms"], serde_json::Value::Null, "for good: {first}");
        first["reason"].as_str().unwrap().to_owned()
    });
    // Time enough for what must not come.
    std::thread::sleep(Duration::from_millis(1500));
    let (seen, packets) = (&between.seen, stage.figures().packets);
    if failed.is_some() {
        assert_eq!((seen.media(), packets), ((0, 0), 0), "{seen:?}: {failed:?}");
        assert!(!show.events().iter().any(|e| e["event"] == "output-live"), "{:?}", show.events());
    } else {
        assert!(seen.media().0 > 50 && packets > 50, "{seen:?}: the way must be the only one");
    }
    show.process.signal(rustix::process::Signal::INT);
    show.ended(20);
    runtime.block_on(stage.stop());
    failed
}

#[test]
fn the_right_certificate_goes_on_air() {
    assert_eq!(publish(as_it_is), None);
    assert_eq!(publish(edits::SAME), None, "hash names and digits may be of any case");
}

#[test]
fn another_certificate_than_the_answer_names_is_sent_nothing() {
    for edit in [edits::WRONG, edits::ONE_BIT, edits::STRONGER] {
        let said = publish(edit).expect("it must fail");
        assert!(said.contains("is not the ingest") && said.contains("certificate"), "{said}");
    }
}

#[test]
fn an_answer_that_names_no_certificate_to_be_relied_on_is_refused() {
    for (edit, words) in [
        (edits::SECOND, "one certificate for one track and another for the other"),
        (edits::WEAK, "by sha-1 only, which can be forged"),
        (edits::BROKEN, "broken sha-256 fingerprint"),
        (edits::NONE, "no certificate fingerprint"),
    ] {
        let said = publish(edit).expect("it must fail");
        assert!(said.contains(words), "{said} lacks {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stage_takes_nothing_from_another_than_the_offer_names() {
    for edit in [edits::WRONG, edits::ONE_BIT, as_it_is, edits::SAME] {
        let right = edit("a=fingerprint:sha-256 0A\r\n").to_lowercase().contains("sha-256 0a\r\n");
        let stage = stage().await;
        let between = Between::start(&stage.whip_url(), edit, as_it_is).await;
        let publisher = Publisher::start(&between.url, None).await;
        if right {
            until("a publisher", || stage.figures().publishing).await;
            until("its packets", || stage.figures().packets > 10).await;
        } else {
            until("the handshake", || {
                between.seen.handshake.load(std::sync::atomic::Ordering::Relaxed) > 3
            })
            .await;
            until("its end", || stage.figures().publishers == 0).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            let figures = stage.figures();
            assert!(!figures.publishing && figures.packets == 0, "{figures:?}");
        }
        publisher.stop();
        stage.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stage_answers_no_offer_without_a_certificate_to_be_relied_on() {
    let stage = stage().await;
    for (edit, words) in [
        (edits::SECOND, "one certificate for one track"),
        (edits::WEAK, "by sha-1 only"),
        (edits::BROKEN, "broken sha-256"),
        (edits::NONE, "no certificate fingerprint"),
    ] {
        let (_watch, offer) = Watch::new(&WatchOptions::default()).unwrap();
        let posting = reqwest::Client::new().post(stage.whep_url());
        let posting = posting.header("content-type", "application/sdp").body(edit(&offer));
        let answer = posting.send().await.unwrap();
        assert_eq!(answer.status(), 400);
        let said = answer.text().await.unwrap();
        assert!(said.contains(words), "{said} lacks {words}");
    }
    stage.stop().await;
}

/// Watches a running stage through somebody who changes what is said.
async fn watch(stage: &Stage, offer: Edit, answer: Edit) -> (Watch, Between) {
    let between = Between::start(&stage.whep_url(), offer, answer).await;
    let (mut watch, text) = Watch::new(&WatchOptions::default()).unwrap();
    let posting = reqwest::Client::new().post(&between.url);
    let posting = posting.header("content-type", "application/sdp").body(text);
    let text = posting.send().await.unwrap().text().await.unwrap();
    watch.answer(&text).unwrap();
    (watch, between)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_takes_nothing_from_another_than_the_answer_names() {
    let stage = stage().await;
    let publisher = Publisher::start(&stage.whip_url(), None).await;
    until("a publisher", || stage.figures().publishing).await;
    for answer in [edits::WRONG, edits::ONE_BIT] {
        let (watch, _between) = watch(&stage, as_it_is, answer).await;
        let mut state = watch.state();
        let ended = state.wait_for(|state| *state == WatchState::Ended);
        tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
        assert!(watch.met_impostor() && !watch.has_frames());
        watch.stop().await;
    }
    let (mut refused, offer) = Watch::new(&WatchOptions::default()).unwrap();
    let weak = refused.answer(&edits::WEAK(&offer)).unwrap_err().to_string();
    assert!(weak.contains("by sha-1 only, which can be forged"), "{weak}");
    for answer in [as_it_is as Edit, edits::SAME] {
        let (watch, _between) = watch(&stage, as_it_is, answer).await;
        until("frames", || watch.has_frames()).await;
        assert!(!watch.met_impostor());
        watch.stop().await;
    }
    publisher.stop();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stage_shows_nothing_to_another_than_the_offer_names() {
    let stage = stage().await;
    let publisher = Publisher::start(&stage.whip_url(), None).await;
    until("a publisher", || stage.figures().publishing).await;
    let (watch, between) = watch(&stage, edits::WRONG, as_it_is).await;
    until("the viewer to be gone", || {
        let handshakes = between.seen.handshake.load(std::sync::atomic::Ordering::Relaxed);
        handshakes > 3 && stage.figures().viewers == 0
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(between.seen.media().1, 0, "{:?}", between.seen);
    assert!(!watch.has_frames());
    watch.stop().await;
    publisher.stop();
    stage.stop().await;
}
