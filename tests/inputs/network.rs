//! The network: SRT, HTTP and HLS from real senders on loopback, and senders that fail.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use hawker::show::{FailureKind, InputKind};
use rustix::process::Signal;

use super::watcher::{Killed, Watcher, film, flash_and_beep, free_port, gone, srt_sender};

fn network(uri: &str) -> InputKind {
    InputKind::Network { uri: uri.parse().unwrap() }
}

/// What a web server does with a request.
#[derive(Clone)]
enum Serve {
    Files(PathBuf),
    /// So many bytes of the file, then nothing more.
    Stall(PathBuf, usize),
    Silence,
}

/// Serves on loopback until the test is over; its address.
fn web_server(serve: Serve) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            std::thread::spawn(move || answer(stream, &serve));
        }
    });
    address
}

fn answer(mut stream: TcpStream, serve: &Serve) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        let request = lines.next()?.ok()?;
        // The headers are not looked at: whole files only.
        while !lines.next()?.ok()?.is_empty() {}
        let name = request.split_whitespace().nth(1)?.trim_start_matches('/');
        let (file, at_most) = match serve {
            Serve::Files(dir) => (dir.join(name), usize::MAX),
            Serve::Stall(file, at_most) => (file.clone(), *at_most),
            Serve::Silence => {
                std::thread::sleep(Duration::from_mins(1));
                return None;
            }
        };
        let Ok(bytes) = std::fs::read(file) else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").ok()?;
            continue;
        };
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len()).ok()?;
        stream.write_all(&bytes[..bytes.len().min(at_most)]).ok()?;
        if at_most < bytes.len() {
            std::thread::sleep(Duration::from_mins(1));
        }
    }
}

#[track_caller]
fn no_secret(reason: &str) {
    assert!(!reason.contains("hunter2"), "a password is shown: {reason}");
    assert!(!reason.contains("stream-key"), "a path is shown: {reason}");
}

fn small_film(dir: &Path, seconds: u64) -> PathBuf {
    let path = dir.join("film.mkv");
    film(&path, seconds);
    path
}

#[test]
fn srt_is_in_step_and_a_killed_or_frozen_sender_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = small_film(dir.path(), 30);
    for signal in [Signal::KILL, Signal::STOP] {
        let port = free_port();
        let secret = "passphrase=hunter2hunter2&pbkeylen=16";
        let sender: Killed = srt_sender(&path, port, &format!("&{secret}"));
        let watcher = Watcher::new();
        let source = watcher.start(network(&format!("srt://127.0.0.1:{port}?{secret}")));
        watcher.until(15, |s| {
            assert!(s.failed.is_empty(), "{:?}", s.failed);
            (s.flashes.len() >= 5).then_some(())
        });
        let skews = watcher.seen.lock().unwrap().skews();
        eprintln!("srt: skews {skews:?} ns");
        assert!(skews.len() >= 3 && skews.iter().all(|s| s.abs() < 15_000_000), "{skews:?}");
        assert_eq!(watcher.seen.lock().unwrap().up, ["320x180 30/1, 48 kHz stereo"]);
        sender.signal(signal);
        let (reason, kind, took) = watcher.failure(8);
        assert!(took < Duration::from_secs(5), "{signal:?}: {took:?}");
        assert_eq!(kind, FailureKind::Passing, "{reason}");
        no_secret(&reason);
        gone(source);
    }
}

#[test]
fn http_plays_a_file_and_a_playlist_to_their_ends() {
    let dir = tempfile::tempdir().unwrap();
    small_film(dir.path(), 4);
    flash_and_beep(
        6,
        &format!(
            "v. ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse ! s.video \
             a. ! avenc_aac ! s.audio \
             hlssink2 name=s target-duration=1 playlist-length=0 max-files=99 \
             location={0}/part%05d.ts playlist-location={0}/list.m3u8",
            dir.path().display()
        ),
    );
    let address = web_server(Serve::Files(dir.path().to_owned()));
    for (name, flashes) in [("film.mkv", 4), ("list.m3u8", 6)] {
        let watcher = Watcher::new();
        let source = watcher.start(network(&format!("http://me:hunter2@{address}/{name}")));
        watcher.until(25, |s| {
            assert!(s.failed.is_empty(), "{name}: {:?}", s.failed);
            (s.ended == 1).then_some(())
        });
        gone(source);
        let seen = watcher.seen.lock().unwrap();
        let skews = seen.skews();
        eprintln!("{name}: {} flashes, skews {skews:?} ns", seen.flashes.len());
        assert_eq!(seen.flashes.len(), flashes, "{name}");
        // AAC as GStreamer's libav encodes it says nothing of its 1024 samples of delay.
        let bound = if name == "film.mkv" { 15_000_000 } else { 30_000_000 };
        assert!(skews.len() + 2 >= flashes && skews.iter().all(|s| s.abs() < bound), "{skews:?}");
        for pair in seen.frames.windows(2) {
            assert!(pair[1].1 - pair[0].1 < 300_000_000, "{name}: it does not play evenly");
        }
    }
}

#[test]
fn dead_addresses_and_servers_that_say_nothing_fail_in_time_and_keep_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let path = small_film(dir.path(), 8);
    let length = std::fs::metadata(&path).unwrap().len() as usize;
    let silent = web_server(Serve::Silence);
    let stalls = web_server(Serve::Stall(path, length / 3));
    let empty = web_server(Serve::Files(dir.path().join("nowhere")));
    let dead = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let cases = [
        format!("http://me:hunter2@{dead}/stream-key"),
        format!("rtsp://me:hunter2@{dead}/stream-key"),
        format!("rtmp://me:hunter2@{dead}/live/stream-key"),
        format!("srt://127.0.0.1:{}?passphrase=hunter2hunter2&streamid=stream-key", dead.port()),
        format!("http://me:hunter2@{silent}/stream-key"),
        format!("http://me:hunter2@{empty}/stream-key"),
        format!("http://me:hunter2@{stalls}/stream-key"),
    ];
    for uri in cases {
        let watcher = Watcher::new();
        let source = watcher.start(network(&uri));
        if uri.contains(&stalls) {
            watcher.until(10, |s| (s.frames.len() > 30).then_some(()));
        }
        let (reason, kind, took) = watcher.failure(15);
        eprintln!("{uri}: after {took:?}: {reason}");
        // What it still had played first.
        let allowed = if uri.contains(&stalls) { 8 } else { 5 };
        assert!(took < Duration::from_secs(allowed), "{uri}: {took:?}");
        assert_eq!(kind, FailureKind::Passing, "{uri}: {reason}");
        no_secret(&reason);
        gone(source);
    }
}
