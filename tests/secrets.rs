//! Secrets are planted wherever hawker takes one, every server repeats what it was sent, every library says all it
//! has to say: in nothing that hawker writes is any of them found, in no form. The real program, on loopback.

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
#[path = "real/process.rs"]
mod process;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use hawker_process::Place;
use process::until;

/// What no two of have in common, and no other text has.
const TOKEN: &str = "tok3n/plus+4711";
const PATH: &str = "p4thSECRET4711";
const QUERY: &str = "qu3rySECRET4711";
const MONITOR: &str = "m0nitorSECRET4711";
const KEY: &str = "k3ySECRET4711";
const STREAM: &str = "#!::r=live,s=str3amSECRET4711";
const PHRASE: &str = "phr4seSECRET4711";
const RELAY: &str = "r3laySECRET4711";
const CAMERA: &str = "c4meraSECRET4711";
const HOOK: &str = "h00kSECRET4711";
const ADDED: &str = "add3dSECRET4711";
const REDIRECT: &str = "r3directSECRET4711";

const ALL: [&str; 12] =
    [TOKEN, PATH, QUERY, MONITOR, KEY, STREAM, PHRASE, RELAY, CAMERA, HOOK, ADDED, REDIRECT];

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let all =
            group.iter().fold(0_u32, |sum, b| sum << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for n in 0..4 {
            let sextet = (all >> (18 - 6 * n) & 63) as usize;
            text.push(if n > group.len() { '=' } else { char::from(ALPHABET[sextet]) });
        }
    }
    text
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }
        })
        .collect()
}

/// The forms in which a secret may come back.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    vec![
        secret.to_owned(),
        percent(secret),
        percent(secret).to_lowercase(),
        json.trim_matches('"').replace('/', "\\/"),
        base64(secret.as_bytes()),
        base64(format!("hawker:{secret}").as_bytes()),
    ]
}

/// Repeats everything that it is sent, in every form, as JSON or as text. A path with `moved` in it is redirected.
fn repeating() -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(String::new())));
    let ours = Arc::clone(&heard);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let ours = Arc::clone(&ours);
            thread::spawn(move || answer(stream, address, &ours));
        }
    });
    (address, heard)
}

fn answer(mut stream: TcpStream, us: SocketAddr, heard: &Mutex<String>) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(700)));
    let (mut head, mut bytes) = (Vec::new(), [0; 16 * 1024]);
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(n) if n > 0 => head.extend_from_slice(&bytes[..n]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    heard.lock().unwrap().push_str(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let token =
        head.lines().find_map(|l| l.strip_prefix("authorization: Bearer ")).unwrap_or_default();
    let mut words: Vec<String> = vec![path.to_owned()];
    for part in path.split(['/', '?', '=', '&']).chain([token]).filter(|p| !p.is_empty()) {
        words.extend(forms(part));
    }
    let words = words.join(" ");
    let reply = if head.starts_with("OPTIONS") {
        "HTTP/1.1 204 No Content\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned()
    } else if path.contains("moved") {
        format!(
            "HTTP/1.1 307 Moved\r\nLocation: http://{us}/live/{REDIRECT}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
    } else if path.contains("text") {
        let body = format!("bad request: {words}");
        format!(
            "HTTP/1.1 400 Bad\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    } else {
        let body =
            serde_json::json!({ "title": format!("no {words}"), "detail": words }).to_string();
        format!(
            "HTTP/1.1 503 Busy\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let _ = stream.write_all(reply.as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    while stream.read(&mut bytes).is_ok_and(|n| n > 0) {}
}

/// Takes connections and says nothing.
fn mute() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().collect::<Vec<_>>());
    port
}

#[test]
fn no_planted_secret_is_found_in_anything_that_is_written() {
    let place = Place::new();
    let (server, heard) = repeating();
    let silent = mute();
    place.file("config/alarms.toml", "webhook = \"env:T_HOOK\"\n\
        [[alarm]]\nid = \"off-air\"\nmetric = \"down-ms\"\nabove = 200\nfor-ms = 0\nclears-below = 1\nseverity = \"critical\"\n");
    let file = place.file(
        "show.toml",
        &format!(
            "title = \"Planted\"\n\
             [[input]]\nid = \"ball\"\nkind = \"test\"\n\
             [[input]]\nid = \"far\"\nkind = \"network\"\nuri = \"rtsp://me:{CAMERA}@127.0.0.1:{silent}/{CAMERA}?k={CAMERA}\"\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\nlayout = \"full\"\n\
             [[scene]]\nid = \"two\"\nlayers = [\"far\"]\nlayout = \"full\"\n\
             [[output]]\nid = \"stage\"\nto = \"stage\"\n\
             [[output]]\nid = \"json\"\nto = \"http://{server}/json/{PATH}?k={QUERY}\"\ntoken = \"env:T_TOKEN\"\n\
             [output.ice]\n[[output.ice.servers]]\nurl = \"turn:127.0.0.1:{silent}?transport=tcp\"\nuser = \"u\"\ncredential = \"env:T_RELAY\"\n\
             [[output]]\nid = \"text\"\nto = \"http://{server}/text/{PATH}?k={QUERY}\"\ntoken = \"env:T_TOKEN\"\n\
             [[output]]\nid = \"moved\"\nto = \"http://{server}/moved/{PATH}\"\ntoken = \"env:T_TOKEN\"\n\
             [[output]]\nid = \"tube\"\nto = \"rtmp://127.0.0.1:{silent}/app\"\nkey = \"env:T_KEY\"\n\
             [[output]]\nid = \"dead\"\nto = \"rtmp://127.0.0.1:9/app\"\nkey = \"env:T_KEY\"\n\
             [[output]]\nid = \"srt\"\nto = \"srt://127.0.0.1:{silent}\"\npassphrase = \"env:T_PHRASE\"\nstream-id = \"env:T_STREAM\"\n\
             [[monitor]]\nid = \"eye\"\nurl = \"http://{server}/json/{PATH}\"\ntoken = \"env:T_MONITOR\"\n"
        ),
    );
    let report = place.path("report.json");
    let report = report.to_str().unwrap();
    let hook = format!("https://127.0.0.1:9/{HOOK}");
    let mut show = place.start_with(
        &["live", &file, "--for", "20s", "--report", report, "--metrics", "127.0.0.1:0"],
        |command| {
            command
                .envs([
                    ("T_TOKEN", TOKEN),
                    ("T_RELAY", RELAY),
                    ("T_KEY", KEY),
                    ("T_PHRASE", PHRASE),
                ])
                .envs([("T_STREAM", STREAM), ("T_MONITOR", MONITOR), ("T_HOOK", &hook)])
                .env("HAWKER_LOG", "trace")
                .env(
                    "GST_DEBUG",
                    "rtmp*:9,rtsp*:9,srt*:9,webrtc*:7,GST_ELEMENT*:5,GST_EVENT:5,uri*:7",
                )
        },
    );
    show.event("stage-up", 20);
    let to = format!("http://{server}/text/{ADDED}?k={ADDED}");
    for args in [vec!["send", "add-output", "more", &to], vec!["send", "--yes", "go-live", "more"]]
    {
        let said = place.run(&args, 20);
        assert_eq!(said.code, 0, "{said:?}");
    }
    for output in ["json", "text", "moved", "dead", "srt", "more"] {
        show.event_that("its failure", 20, |e| {
            e["event"] == "output-failed" && e["output"] == output
        });
    }
    show.event("monitor-lost", 20);
    show.event("hook-failed", 20);
    let metrics = until("the figures' address", 10, || {
        let told = show.told();
        let address = told
            .split_once("figures for Prometheus at http://")
            .and_then(|(_, rest)| Some(rest.split_once('/')?.0.to_owned()));
        address.ok_or(told)
    });
    let mut line = TcpStream::connect(metrics).unwrap();
    line.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut figures = String::new();
    line.read_to_string(&mut figures).unwrap();
    assert!(figures.contains("hawker_uptime_seconds"), "{figures}");
    show.ended(40);

    let html = place.path("report.html");
    let said = place.run(&["report", "--html", html.to_str().unwrap()], 20);
    assert!(html.exists(), "{said:?}");
    let mut written: Vec<(String, Vec<u8>)> = vec![
        ("stderr".into(), show.told().into_bytes()),
        ("events".into(), format!("{:?}", show.events()).into_bytes()),
        ("figures".into(), figures.into_bytes()),
    ];
    for form in ["--json", "--csv", "last"] {
        let said = place.run(&["report", form], 20);
        assert_eq!(said.code, 0, "{said:?}");
        written.push((format!("report {form}"), said.out.into_bytes()));
    }
    let ours: Vec<PathBuf> =
        place.files().into_iter().filter(|p| !p.ends_with("show.toml")).collect();
    written.extend(ours.iter().map(|p| (p.display().to_string(), fs::read(p).unwrap())));

    // The test can fail: all of it was sent, and the log has what libraries said.
    let heard = heard.lock().unwrap().clone();
    for sent in [TOKEN, PATH, QUERY, MONITOR, ADDED, REDIRECT] {
        assert!(heard.contains(sent), "{sent} was not sent: {heard}");
    }
    let log = written.iter().find(|(name, _)| name.ends_with("hawker.log")).unwrap();
    let log = String::from_utf8_lossy(&log.1).into_owned();
    for said in ["rtmp", "rtsp", "srt", "webrtc", "…"] {
        assert!(log.contains(said), "the log lacks {said}");
    }
    for name in ["hawker.log", "journal.jsonl", "shows.db", "report.json", "report.html"] {
        assert!(
            written.iter().any(|(path, bytes)| path.ends_with(name) && !bytes.is_empty()),
            "{name}"
        );
    }
    let mut found = Vec::new();
    // Of a key with several parts each part counts.
    let parts = ["str3amSECRET4711", "plus+4711"];
    for form in ALL.iter().chain(&parts).flat_map(|secret| forms(secret)) {
        for (name, bytes) in &written {
            let at = bytes.windows(form.len()).position(|w| w == form.as_bytes());
            if let Some(at) = at {
                let around =
                    &bytes[at.saturating_sub(120)..(at + form.len() + 60).min(bytes.len())];
                found.push(format!("{form} in {name}: {}", String::from_utf8_lossy(around)));
            }
        }
    }
    assert!(
        found.is_empty(),
        "{} places:\n{}",
        found.len(),
        found[..found.len().min(20)].join("\n---\n")
    );
}

/// What hawker starts sees no token of its environment, and a crash writes no memory to a disk.
#[test]
fn children_and_core_dumps_hold_no_secret() {
    let place = Place::new();
    let child = place.file(
        "gst-launch-1.0",
        &format!("#!/bin/sh\nenv > {}\nexit 1\n", place.path("seen").display()),
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(child, mode).unwrap();
    let file = place.file(
        "show.toml",
        "title = \"Child\"\n[[input]]\nid = \"desk\"\nkind = \"screen\"\n\
         [[scene]]\nid = \"one\"\nlayers = [\"desk\"]\nlayout = \"full\"\n",
    );
    let found = format!("{}:{}", place.path("").display(), std::env::var("PATH").unwrap());
    let mut show = place.start_with(&["rehearse", &file, "--for", "20s"], |command| {
        command
            .env("T_TOKEN", TOKEN)
            .env("PATH", &found)
            .env("DISPLAY", ":77")
            .env("GST_PLUGIN_PATH", "/x")
    });
    let seen = until("the child's environment", 15, || {
        fs::read_to_string(place.path("seen"))
            .ok()
            .filter(|seen| seen.contains("PATH="))
            .ok_or_else(|| show.told())
    });
    assert!(seen.contains("DISPLAY=:77") && seen.contains("GST_PLUGIN_PATH=/x"), "{seen}");
    assert!(
        !seen.contains(TOKEN) && !seen.contains("HAWKER_") && !seen.contains("T_TOKEN"),
        "{seen}"
    );
    let limits =
        fs::read_to_string(format!("/proc/{}/limits", show.process.pid().as_raw_nonzero()))
            .unwrap();
    let cores = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap();
    let given: Vec<&str> = cores.split_whitespace().skip(4).take(2).collect();
    assert_eq!(given, ["0", "0"], "{cores}");
    show.process.stop();
}
