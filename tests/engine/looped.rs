//! The loop: commands are answered, facts become events, and every end is a clean one.

use std::sync::atomic::Ordering;

use hawker::{
    base::Severity,
    engine::{Look, Plan, files::Files},
    show::{Command, Effect, Fact, FailureKind, Happening, Mode, Start, replay::replay},
    stats::Report,
};

use crate::{
    script::{ENDED, Ingest, LIVE, Set, at_once, event, soon},
    spec::{input, output, scene, spec},
};

#[tokio::test]
async fn commands_are_answered_and_change_the_show() {
    let set = Set::new(Ingest::Takes, at_once());
    let (mut handle, behind) = (set.engine.faces().handle(), set.behind.clone());
    let over = set.run();
    event(&mut handle, LIVE).await;
    soon(handle.command(Command::CutTo { scene: scene("close") }, false)).await.unwrap();
    assert_eq!(handle.show.borrow().program, scene("close"), "an answer comes after the change");
    let refused = soon(handle.command(Command::CutTo { scene: scene("x") }, false)).await;
    assert!(refused.unwrap_err().0.contains("no scene 'x'"));
    let nobody = Command::StopOutput { output: Some(output("nobody")) };
    assert!(soon(handle.command(nobody, true)).await.unwrap_err().0.contains("there are a"));
    let risky = soon(handle.command(Command::EndShow, false)).await;
    assert!(risky.unwrap_err().0.contains("--yes"));
    soon(handle.command(Command::EndShow, true)).await.unwrap();
    event(&mut handle, ENDED).await;
    let over = soon(over).await.unwrap();
    assert_eq!((over.exit_code, over.report.exit_code, over.report.frames.encoded), (0, 0, 42));
    assert!(behind.finished.load(Ordering::SeqCst));
    let took = |e: &&Effect| matches!(e, Effect::Take { .. });
    assert_eq!(behind.orders.lock().unwrap().iter().filter(took).count(), 2);
    let after = soon(handle.command(Command::Panic, false)).await;
    assert!(after.unwrap_err().0.contains("gone"));
}

#[tokio::test]
async fn its_time_is_up() {
    let start = Start { for_ms: Some(150), standby: false, headless: true };
    for (ingest, code) in [(Ingest::Takes, 0), (Ingest::NeverAnswers, 3), (Ingest::Refuses, 3)] {
        let over = soon(Set::new(ingest, start.clone()).run()).await.unwrap();
        assert_eq!(over.exit_code, code, "{ingest:?}");
    }
}

#[tokio::test]
async fn signals_end_the_show_and_the_report_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, report) = (dir.path().join("journal.jsonl"), dir.path().join("report.json"));
    let plan = Plan {
        spec: spec(&["a"]),
        mode: Mode::Live,
        start: at_once(),
        journal: Some(journal.clone()),
        report: Some(report.clone()),
        store: None,
        files: Files::default(),
    };
    let set = Set::with(Ingest::Takes, plan);
    let (mut handle, stop) = (set.engine.faces().handle(), set.stop.clone());
    let mut all = set.engine.faces().handle();
    let over = set.run();
    event(&mut handle, LIVE).await;
    stop.send(()).await.unwrap();
    let over = soon(over).await.unwrap();
    assert_eq!((over.exit_code, over.unwritten), (130, None));
    let written: Report = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!((written.exit_code, written.title.as_str()), (130, "Tea"));
    assert_eq!(written.outputs["a"].connect_ms, Some(5));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left behind");

    let mut seen = Vec::new();
    while let Ok(event) = all.events.try_recv() {
        seen.push(event);
    }
    let file = std::io::BufReader::new(std::fs::File::open(journal).unwrap());
    assert_eq!(replay(file).unwrap().1, seen, "the journal gives the events again");
    assert!(seen.iter().enumerate().all(|(i, e)| e.seq == i as u64 + 1));
}

#[tokio::test]
async fn facts_become_events_and_orders() {
    let set = Set::new(Ingest::Takes, at_once());
    let (mut handle, behind) = (set.engine.faces().handle(), set.behind.clone());
    let over = set.run();
    let (reason, kind) = ("unplugged".into(), FailureKind::Passing);
    behind.facts.send(Fact::InputFailed { input: input("cam"), reason, kind }).await.unwrap();
    let failed = event(&mut handle, |h| matches!(h, Happening::InputFailed { .. })).await;
    assert_eq!(failed.what.severity(), Severity::Warning);
    event(
        &mut handle,
        |h| matches!(h, Happening::InputStarted { input: i, attempt: 2 } if *i == input("cam")),
    )
    .await;
    soon(handle.command(Command::EndShow, true)).await.unwrap();
    soon(over).await.unwrap();
}

#[tokio::test]
async fn an_engine_that_breaks_ends_cleanly_with_4() {
    let set = Set::new(Ingest::Panics, at_once());
    let behind = set.behind.clone();
    let over = soon(set.run()).await.unwrap();
    assert_eq!((over.exit_code, over.report.ended.as_str()), (4, "the engine broke"));
    assert!(behind.finished.load(Ordering::SeqCst), "the machinery is torn down all the same");
}

#[tokio::test]
async fn a_face_that_never_reads_holds_up_nothing() {
    let set = Set::new(Ingest::Takes, at_once());
    let (mut handle, lazy) = (set.engine.faces().handle(), set.engine.faces().handle());
    let over = set.run();
    event(&mut handle, LIVE).await;
    for _ in 0..1500 {
        soon(handle.command(Command::TakePreview, false)).await.unwrap();
        while handle.events.try_recv().is_ok() {}
    }
    let mut lazy = lazy;
    let lagged = lazy.events.try_recv();
    assert!(matches!(lagged, Err(tokio::sync::broadcast::error::TryRecvError::Lagged(_))));
    soon(handle.command(Command::EndShow, true)).await.unwrap();
    assert_eq!(soon(over).await.unwrap().exit_code, 0);
}

#[tokio::test]
async fn meters_are_read_only_for_somebody() {
    let set = Set::new(Ingest::Takes, at_once());
    let (faces, behind) = (set.engine.faces(), set.behind.clone());
    let over = set.run();
    let mut handle = faces.handle();
    soon(handle.meters.changed()).await.unwrap();
    soon(handle.meters.changed()).await.unwrap();
    assert!(handle.meters.borrow().frames.composed >= 2);
    soon(handle.look(Some(Look { width: 64, height: 36 }))).await;
    let mut look = behind.look.clone();
    soon(look.wait_for(Option::is_some)).await.unwrap();
    soon(handle.command(Command::EndShow, true)).await.unwrap();
    soon(over).await.unwrap();

    let start = Start { for_ms: Some(1300), standby: false, headless: true };
    let alone = Set::new(Ingest::Takes, start);
    let behind = alone.behind.clone();
    soon(alone.run()).await.unwrap();
    assert_eq!(behind.meter_reads.load(Ordering::SeqCst), 0);
}
