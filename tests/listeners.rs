//! Shows whose listeners are attacked and whose descriptors run short: the real program, real sockets, `ulimit` in a
//! process of its own. No show may end, and nothing may be said on standard error that is not hawker's own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it measured, and ends when something is not there"
)]

#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use hawker::{
    stage::{Stage, StageOptions},
    system::descriptors,
};
use hawker_process::{Place, Show};
use process::run;
use rustix::process::Signal;
use serde_json::Value;

const SHOW: &str = "title = \"listened\"\nprofile = \"slim\"\n\
    [[input]]\nid = \"ball\"\nkind = \"test\"\ntone-hz = 440\n\
    [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n";

/// hawker with so many descriptors and no more.
fn limited(place: &Place, descriptors: u32, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_hawker")]).args(args);
    command.stdin(std::process::Stdio::null());
    for (name, folder) in place.folders() {
        command.env(name, folder);
    }
    // A library's warning is for the log here, and ends nothing.
    command.env_remove("HAWKER_LOG").env_remove("DISPLAY").env_remove("G_DEBUG");
    command
}

fn log(place: &Place) -> String {
    let logs = place.files().into_iter().filter(|f| f.ends_with("hawker.log"));
    logs.map(|f| std::fs::read_to_string(f).unwrap_or_default()).collect()
}

/// Opens so many connections that begin a request and never end it; those that are still open.
fn half_requests(at: SocketAddr, path: &str, count: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        // What is closed while it is opened has been closed all the same.
        let Ok(mut to) = TcpStream::connect_timeout(&at, Duration::from_millis(700)) else {
            continue;
        };
        if to.write_all(format!("GET {path} HTTP/1.1\r\nx: ").as_bytes()).is_ok() {
            held.push(to);
        }
    }
    held
}

fn get(at: SocketAddr, path: &str) -> String {
    let mut to = TcpStream::connect_timeout(&at, Duration::from_secs(2)).unwrap();
    to.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    to.write_all(
        format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n").as_bytes(),
    )
    .unwrap();
    let mut answer = String::new();
    let _ = to.read_to_string(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_requests_end_no_show_and_keep_nobody_out() {
    // This process holds the other ends.
    descriptors::raise();
    let ingest = Stage::start(StageOptions::default()).await.unwrap();
    let place = Place::new();
    let text = format!(
        "{SHOW}[[output]]\nid = \"air\"\nto = \"{}\"\n[[output]]\nid = \"own\"\nto = \"stage\"\n\
         [[output]]\nid = \"tape\"\nto = \"record\"\nfolder = \"rec\"\nkeep-free-mb = 10\n",
        ingest.whip_url()
    );
    let file = place.file("show.toml", &text);
    let args = ["live", &file, "--metrics", "127.0.0.1:0", "--headless", "--events", "-"];
    let mut show = Show::start(&mut limited(&place, 1024, &args));
    tokio::task::block_in_place(|| {
        let live =
            |id: &'static str| move |e: &Value| e["event"] == "output-live" && e["output"] == id;
        show.event_that("the output on air", 40, live("air"));
        show.event_that("the stage", 40, live("own"));
    });
    let address = |url: &str| url.split('/').nth(2).unwrap().parse::<SocketAddr>().unwrap();
    let told = show.told();
    let metrics = told.lines().find_map(|l| l.split("Prometheus at ").nth(1)).unwrap();
    let (metrics, stage) = (address(metrics), address(&show.viewer_url()));
    let mut held = tokio::task::block_in_place(|| {
        let mut held = half_requests(metrics, "/metrics", 1100);
        held.extend(half_requests(stage, "/", 1100));
        held
    });
    println!("2200 half requests were begun, {} could be written", held.len());
    assert!(held.len() > 1000, "{}", held.len());
    let fds = std::fs::read_dir(format!("/proc/{}/fd", show.process.child.id())).unwrap().count();
    println!("descriptors of the show meanwhile: {fds}");
    assert!(fds < 500, "{fds}");

    // The ingest is lost and comes back: a new session is made under the attack.
    let listen = ingest.address();
    ingest.stop().await;
    tokio::task::block_in_place(|| {
        show.event_that("that it is off", 20, |e| {
            e["output"] == "air"
                && matches!(e["event"].as_str(), Some("output-silent" | "output-failed"))
        })
    });
    let ingest = Stage::start(StageOptions { listen, ..StageOptions::default() }).await.unwrap();
    for _ in 0..5 {
        let began = Instant::now();
        let page = tokio::task::block_in_place(|| {
            assert!(get(metrics, "/metrics").starts_with("HTTP/1.1 200"));
            get(stage, "/")
        });
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        held.extend(tokio::task::block_in_place(|| half_requests(metrics, "/metrics", 50)));
    }
    let said = tokio::task::block_in_place(|| place.run(&["send", "mark", "under attack"], 20));
    assert_eq!(said.code, 0, "{said:?}");
    let began = Instant::now();
    while !ingest.figures().publishing {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it does not come back: {}",
            show.told()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("back on air {} ms after the ingest", began.elapsed().as_millis());
    drop(held);
    show.process.signal(Signal::TERM);
    assert_eq!(tokio::task::block_in_place(|| show.ended(30)), 130, "{}", show.told());
    let told = show.told();
    for library in ["GLib", "GStreamer", "CRITICAL", "WARNING **", "libnice"] {
        assert!(!told.contains(library), "{told}");
    }
    ingest.stop().await;
}

#[test]
fn too_few_descriptors_are_said_and_never_a_crash() {
    let place = Place::new();
    for limit in [16, 20, 24, 28, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 160, 200, 256] {
        let args = ["rehearse", "--headless", "--for", "2s"];
        let said = run(&mut limited(&place, limit, &args), 60);
        println!(
            "ulimit -n {limit}: code {}, {}",
            said.code,
            said.err.lines().last().unwrap_or("")
        );
        assert!(matches!(said.code, 0 | 2 | 3 | 4), "{limit}: {said:?}");
        if said.code != 0 {
            let known = ["descriptors", "Too many open files", "No file descriptors"];
            assert!(known.iter().any(|words| said.err.contains(words)), "{limit}: {said:?}");
        }
        assert!(!said.err.contains("GLib") && !said.err.contains("panicked"), "{limit}: {said:?}");
        assert!(limit < 160 || said.code == 0, "{limit}: {said:?}");
    }
    assert!(!log(&place).contains("panicked"), "{}", log(&place));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_knows_the_picture_of_another_show() {
    let far = Stage::start(StageOptions::default()).await.unwrap();
    let place = Place::new();
    // The show watches a place that another show publishes to.
    let watched = format!(
        "{SHOW}[[output]]\nid = \"own\"\nto = \"stage\"\n[[monitor]]\nid = \"far\"\nurl = \"{}\"\n",
        far.whep_url()
    );
    let other = format!("{SHOW}[[output]]\nid = \"far\"\nto = \"{}\"\n", far.whip_url());
    let other = place.start(&["live", &place.file("other.toml", &other)]);
    let live = |e: &Value| e["event"] == "output-live" && e["output"] == "far";
    tokio::task::block_in_place(|| other.event_that("the other show", 40, live));
    let mut show = place.start(&["live", &place.file("show.toml", &watched)]);
    tokio::task::block_in_place(|| {
        let raised = show.event_that("the alarm", 40, |e| {
            e["event"] == "alarm-raised" && e["alarm"] == "foreign"
        });
        assert_eq!(
            (&raised["about"], &raised["severity"]),
            (&"monitor far".into(), &"critical".into())
        );
        let judged = show.event_that("the verdict", 10, |e| {
            e["event"] == "judged" && e["about"] == "monitor far"
        });
        assert_eq!(judged["grade"], "down", "{judged}");
        assert!(judged["words"].as_str().unwrap().contains("another show's picture"), "{judged}");
        // Its own stage has its own picture.
        let of_own = show.events().into_iter().find(|e| e["about"] == "output own");
        assert!(of_own.is_none(), "{of_own:?}");
    });
    show.process.signal(Signal::TERM);
    assert_eq!(tokio::task::block_in_place(|| show.ended(30)), 130, "{}", show.told());
    drop(other);
    far.stop().await;
}

#[test]
fn whoever_else_publishes_to_a_shows_stage_is_refused_and_nothing_is_noticed() {
    let place = Place::new();
    let show = place.start(&["rehearse"]);
    let url = show.viewer_url();
    show.event("output-live", 40);
    let other = format!("{SHOW}[[output]]\nid = \"far\"\nto = \"{url}whip\"\n");
    let other = place.start(&["live", &place.file("other.toml", &other)]);
    let failed = other.event("output-failed", 30);
    assert!(failed["reason"].as_str().unwrap().contains("409"), "{failed}");
    std::thread::sleep(Duration::from_secs(4));
    drop(other);
    let mut show = show;
    let events = show.events();
    show.process.signal(Signal::TERM);
    assert_eq!(show.ended(30), 130);
    let troubled = |e: &&Value| {
        matches!(e["event"].as_str(), Some("output-silent" | "output-failed" | "alarm-raised"))
    };
    assert_eq!(events.iter().find(troubled), None);
}

#[test]
fn watch_says_why_at_once_and_at_its_end() {
    let place = Place::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    // Answers each request with what its path names.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 8192];
            let n = stream.read(&mut request).unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..n]).into_owned();
            let code = text.split_ascii_whitespace().nth(1).unwrap_or("/").trim_start_matches('/');
            let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=setup:actpass\r\n";
            let (status, body) = match code {
                "201" => ("201 Created", ""),
                "offer201" => ("201 Created", sdp),
                "offer406" => ("406 Not Acceptable", sdp),
                "302" => ("302 Found", ""),
                "401" => ("401 Unauthorized", ""),
                "403" => ("403 Forbidden", "not you"),
                "406" => ("406 Not Acceptable", "I make the offers"),
                "503" => ("503 Service Unavailable", "full"),
                _ => ("404 Not Found", ""),
            };
            let _ = stream.write_all(
                format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
                .as_bytes(),
            );
        }
    });
    for (path, words) in [
        ("404", "no stream at this path"),
        ("401", "--token"),
        ("403", "does not let this viewer in (403) (it says: not you)"),
        ("406", "I make the offers"),
        ("offer406", "an offer of its own"),
        ("offer201", "an offer of its own"),
        ("201", "without a session description"),
        ("302", "final address"),
        ("503", "no more viewers"),
    ] {
        let url = format!("http://{at}/{path}");
        let said = place.run(&["watch", &url, "--lines", "--for", "1s"], 20);
        assert_eq!(said.code, 3, "{said:?}");
        let last = said.err.lines().last().unwrap();
        assert!(last.contains("no frame came") && last.contains(words), "{path}: {said:?}");
        assert!(said.err.lines().count() == 2, "at once, and at the end: {said:?}");
        for not in ["'to'", "'token'", "profile", "CD:EB"] {
            assert!(!said.err.contains(not), "{path}: {said:?}");
        }
        assert_eq!(said.out.lines().count(), 1, "a line a second: {said:?}");
        let json = place.run(&["watch", &url, "--json", "--for", "1s"], 20);
        let news: Vec<Value> = json.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let lost: Vec<&Value> = news.iter().filter(|l| l["event"] == "lost").collect();
        assert_eq!(lost.len(), 1, "{json:?}");
        assert!(lost[0]["reason"].as_str().unwrap().contains(words), "{json:?}");
    }
    let nobody = place.run(&["watch", "http://127.0.0.1:9/whep", "--lines", "--for", "2s"], 20);
    assert!(nobody.err.lines().last().unwrap().contains("connection refused"), "{nobody:?}");
}
