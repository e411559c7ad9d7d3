//! The show's socket: consoles that behave, and those that do not.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hawker::{
    engine::{
        Look, Over, Socket,
        socket::listen,
        wire::{Card, VERSION},
    },
    remote,
    show::{Command, Event, Happening, Mode},
    stats::Picture,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    task::JoinHandle,
};

use crate::{
    script::{Behind, ENDED, Ingest, Set, at_once, event, soon},
    spec::scene,
};

struct Running {
    dir: tempfile::TempDir,
    socket: Socket,
    path: PathBuf,
    behind: Behind,
    over: JoinHandle<Over>,
}

fn running() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let card = Card {
        hawker: VERSION,
        pid: std::process::id(),
        title: "Tea".into(),
        mode: Mode::Live,
        started: jiff::Timestamp::UNIX_EPOCH,
        folder: dir.path().to_owned(),
    };
    let set = Set::new(Ingest::Takes, at_once());
    let (faces, facts) = (set.engine.faces(), set.engine.facts());
    let stall = Duration::from_millis(300);
    let socket = listen(&[dir.path().join("run")], &card, faces, facts, stall).unwrap();
    let path = socket.path().to_owned();
    let behind = set.behind.clone();
    Running { dir, socket, path, behind, over: set.run() }
}

impl Running {
    async fn end(self) -> Over {
        soon(remote::send(&self.path, Command::EndShow, true)).await.unwrap().unwrap();
        let over = soon(self.over).await.unwrap();
        soon(self.socket.close()).await;
        let left = std::fs::read_dir(self.dir.path().join("run")).unwrap().count();
        assert_eq!(left, 0, "the socket's files go with it");
        over
    }
}

async fn raw(path: &Path) -> (Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf) {
    let (from, to) = UnixStream::connect(path).await.unwrap().into_split();
    (BufReader::new(from).lines(), to)
}

/// Reads lines until one holds the word.
async fn until(lines: &mut Lines<BufReader<OwnedReadHalf>>, word: &str) -> String {
    soon(async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it is still connected");
            if line.contains(word) {
                return line;
            }
        }
    })
    .await
}

const HELLO: &[u8] = b"{\"hawker\": 1, \"version\": \"0.1.0\"}\n";

#[tokio::test]
async fn a_console_begins_with_the_log_so_far_and_misses_nothing_after_it() {
    let running = running();
    let first = soon(remote::attach(&running.path)).await.unwrap();
    for n in 0..300 {
        let note = Command::Mark { note: Some(format!("note {n}")) };
        soon(first.command(note, false)).await.unwrap();
    }
    let mut late = soon(remote::attach(&running.path)).await.unwrap();
    assert_eq!(late.log.len(), 200, "it is bounded");
    let numbers: Vec<u64> = late.log.iter().map(|l| l.event.seq).collect();
    assert!(numbers.windows(2).all(|w| w[0] + 1 == w[1]), "{numbers:?}");
    assert!(late.log.iter().any(|l| l.sentence() == "marked by the operator: note 299"));
    let next = soon(late.events.recv()).await.unwrap();
    assert_eq!(next.seq, numbers[199] + 1, "{next:?}");
    assert_eq!(running.end().await.exit_code, 0);
}

#[tokio::test]
async fn two_consoles_see_the_same_show() {
    let running = running();
    let mode = std::fs::metadata(&running.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut one = soon(remote::attach(&running.path)).await.unwrap();
    let mut two = soon(remote::attach(&running.path)).await.unwrap();
    soon(one.show.wait_for(|s| s.consoles == 2)).await.unwrap();
    soon(one.command(Command::CutTo { scene: scene("close") }, false)).await.unwrap();
    assert_eq!(one.show.borrow().program, scene("close"));
    let taken =
        |h: &Happening| matches!(h, Happening::Taken { scene: s, .. } if *s == scene("close"));
    event(&mut two, taken).await;
    assert_eq!(
        two.show.borrow().program,
        scene("close"),
        "the show is never older than its events"
    );
    let refused = soon(two.command(Command::EndShow, false)).await.unwrap_err();
    assert!(refused.0.contains("confirm"), "{refused}");
    soon(two.meters.changed()).await.unwrap();
    drop(two);
    soon(one.show.wait_for(|s| s.consoles == 1)).await.unwrap();

    let shows = remote::running(&[running.dir.path().join("run")]);
    assert_eq!((shows.len(), shows[0].card.title.as_str()), (1, "Tea"));
    assert_eq!(running.end().await.exit_code, 0);
    event(&mut one, ENDED).await;
    assert!(soon(one.show.changed()).await.is_err() || soon(one.show.changed()).await.is_err());
}

#[tokio::test]
async fn a_console_that_comes_later_has_the_figures_of_the_minutes_before() {
    let running = running();
    let mut one = soon(remote::attach(&running.path)).await.unwrap();
    assert!(soon(one.past.recv()).await.is_none(), "there was nothing before");
    let later = one.meters.wait_for(|m| m.at_ms >= 2000);
    tokio::time::timeout(Duration::from_secs(20), later).await.unwrap().unwrap();
    let mut two = soon(remote::attach(&running.path)).await.unwrap();
    let mut past = Vec::new();
    while let Some(meters) = soon(two.past.recv()).await {
        past.push(meters.at_ms / 1000);
    }
    assert!(past.len() >= 2 && past.windows(2).all(|w| w[0] < w[1]), "{past:?}");
    assert_eq!(running.end().await.exit_code, 0);
}

#[tokio::test]
async fn events_come_numbered_without_a_gap() {
    let running = running();
    let mut face = soon(remote::attach(&running.path)).await.unwrap();
    for _ in 0..300 {
        soon(face.command(Command::TakePreview, false)).await.unwrap();
    }
    let over = running.end().await;
    assert_eq!(over.exit_code, 0);
    let mut seqs: Vec<u64> = Vec::new();
    while let Ok(Event { seq, .. }) = soon(face.events.recv()).await {
        seqs.push(seq);
    }
    assert!(seqs.len() > 300);
    assert!(seqs.windows(2).all(|w| w[1] == w[0] + 1), "{seqs:?}");
}

#[tokio::test]
async fn pictures_arrive_whole_and_the_largest_wish_counts() {
    let running = running();
    let mut one = soon(remote::attach(&running.path)).await.unwrap();
    let two = soon(remote::attach(&running.path)).await.unwrap();
    soon(one.look(Some(Look { width: 160, height: 40 }))).await;
    soon(two.look(Some(Look { width: 80, height: 90 }))).await;
    let mut look = running.behind.look.clone();
    let both = Some(Look { width: 160, height: 90 });
    soon(look.wait_for(|l| *l == both)).await.unwrap();
    for round in 0..20_u8 {
        let rgb: Vec<u8> = (0..160 * 90 * 3).map(|i| (i % 251) as u8 ^ round).collect();
        let picture = Arc::new(Picture { width: 160, height: 90, rgb });
        running.behind.pictures.send_replace(Some(picture.clone()));
        soon(one.picture.wait_for(|p| p.as_ref() == Some(&picture))).await.unwrap();
    }
    drop(two);
    let one_left = Some(Look { width: 160, height: 40 });
    soon(look.wait_for(|l| *l == one_left)).await.unwrap();
    soon(one.look(None)).await;
    soon(look.wait_for(Option::is_none)).await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn another_version_is_told_so() {
    let running = running();
    for (greeting, word) in [
        (&b"{\"hawker\": 7, \"version\": \"9.0\"}\n"[..], "form 7"),
        (b"GET / HTTP/1.1\r\n\r\n", "socket of a hawker show"),
    ] {
        let (mut lines, mut to) = raw(&running.path).await;
        to.write_all(greeting).await.unwrap();
        until(&mut lines, "\"hawker\":1").await;
        let error = until(&mut lines, "error").await;
        assert!(error.contains(word), "{error}");
        assert_eq!(soon(lines.next_line()).await.unwrap_or(None), None, "and it is closed");
    }
    running.end().await;
}

#[tokio::test]
async fn garbage_gets_an_error_and_the_next_line_is_read() {
    let running = running();
    let (mut lines, mut to) = raw(&running.path).await;
    to.write_all(HELLO).await.unwrap();
    to.write_all(b"what?\n{\"id\":1}\n{\"id\":2,\"command\":{\"command\":\"panic\"}}\n")
        .await
        .unwrap();
    assert!(until(&mut lines, "error").await.contains("not JSON"));
    assert!(until(&mut lines, "error").await.contains("neither"));
    assert_eq!(until(&mut lines, "\"answer\":2").await, "{\"answer\":2,\"refused\":null}");
    to.write_all(&vec![b'x'; 70_000]).await.unwrap();
    assert!(until(&mut lines, "error").await.contains("65536"));
    running.end().await;
}

#[tokio::test]
async fn a_stalled_console_is_let_go_of_and_the_others_see_everything() {
    let running = running();
    let mut good = soon(remote::attach(&running.path)).await.unwrap();
    let (mut lines, mut to) = raw(&running.path).await;
    to.write_all(HELLO).await.unwrap();
    until(&mut lines, "\"show\"").await;
    soon(good.show.wait_for(|s| s.consoles == 2)).await.unwrap();
    // From here on the second one reads nothing, while a picture a millisecond fills its socket.
    let pictures = running.behind.pictures.clone();
    let filling = tokio::spawn(async move {
        for n in 0_u8.. {
            let picture = Picture { width: 320, height: 180, rgb: vec![n; 320 * 180 * 3] };
            pictures.send_replace(Some(Arc::new(picture)));
            tokio::time::sleep(Duration::from_millis(1)).await;
            if n == u8::MAX {
                break;
            }
        }
    });
    soon(good.show.wait_for(|s| s.consoles == 1)).await.unwrap();
    filling.abort();
    soon(good.command(Command::Panic, false)).await.unwrap();
    event(&mut good, |h| matches!(h, Happening::Panicked)).await;
    running.end().await;
    drop((lines, to));
}

#[tokio::test]
async fn a_dead_engines_socket_is_removed_and_a_live_one_is_not_touched() {
    let running = running();
    let dir = running.dir.path().join("run");
    // Another process's number with a socket that nobody holds any more.
    let dead = dir.join("1.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    std::fs::copy(running.path.with_extension("json"), dead.with_extension("json")).unwrap();
    assert_eq!(remote::running(std::slice::from_ref(&dir)).len(), 1);
    assert!(!dead.exists() && !dead.with_extension("json").exists() && running.path.exists());
    let error = soon(remote::attach(&dead)).await.unwrap_err().to_string();
    assert!(error.contains("hawker shows"), "{error}");
    running.end().await;
}

#[tokio::test]
async fn a_script_is_no_console() {
    let running = running();
    let mut face = soon(remote::attach(&running.path)).await.unwrap();
    soon(face.show.wait_for(|s| s.on_air())).await.unwrap();
    soon(remote::send(&running.path, Command::Panic, false)).await.unwrap().unwrap();
    let refused = soon(remote::send(&running.path, Command::Resume, false)).await.unwrap();
    assert!(refused.unwrap_err().0.contains("--yes"));
    event(&mut face, |h| matches!(h, Happening::Panicked)).await;
    assert_eq!(face.show.borrow().consoles, 1);
    running.end().await;
}
