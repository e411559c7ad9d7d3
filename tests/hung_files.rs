//! Files that hawker reads while a show is on air stop answering: each is replaced by a pipe without a writer, at
//! which whoever opens it waits for ever. The show goes on, is obeyed, and uses what it knew. The real program, on
//! loopback. That a read which truly hangs has a deadline is tested in `engine::files` and `engine::starter`.

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
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use hawker::{
    base::Secret,
    stage::{Stage, StageOptions},
};
use hawker_process::{Place, Show};
use process::{run, tool, until};
use rustix::process::Signal;
use tokio::runtime::Runtime;

const TOKEN: &str = "t0ken-0f-the-ingest";
const VIEWERS: &str = "t0ken-0f-viewers";
/// A command is answered within this.
const AT_ONCE: Duration = Duration::from_millis(1500);

const SHOW: &str = "title = \"Hung\"\n\
    [[input]]\nid = \"ball\"\nkind = \"test\"\n\
    [[input]]\nid = \"film\"\nkind = \"file\"\npath = \"film.mkv\"\n\
    [[input]]\nid = \"still\"\nkind = \"image\"\npath = \"still.png\"\n\
    [[scene]]\nid = \"full\"\nlayout = \"full\"\nlayers = [\"ball\"]\n\
    [[scene]]\nid = \"more\"\nlayout = \"grid\"\nlayers = [\"film\", \"still\"]\n";

/// A pipe in the file's place.
fn hang(path: &Path) {
    let _ = fs::remove_file(path);
    let said = run(tool("mkfifo").arg(path), 10);
    assert!(path.exists(), "{said:?}");
}

async fn stage(listen: SocketAddr) -> Stage {
    let began = Instant::now();
    loop {
        let options = StageOptions {
            listen,
            token: Some(Secret::new(VIEWERS)),
            publish_token: Some(Secret::new(TOKEN)),
            ..StageOptions::default()
        };
        match Stage::start(options).await {
            Ok(stage) => return stage,
            Err(e) => assert!(began.elapsed().as_secs() < 5, "{e}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The command is obeyed at once.
#[track_caller]
fn obeyed(place: &Place, words: &[&str]) {
    let began = Instant::now();
    let said = place.run(&[&["send", "--yes"], words].concat(), 10);
    let took = began.elapsed();
    assert!(said.code == 0 && took < AT_ONCE, "{words:?} took {took:?}: {said:?}");
}

/// The page of figures.
fn figures(address: &str) -> String {
    let mut line = TcpStream::connect(address).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    line.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    line.read_to_string(&mut text).unwrap();
    text
}

fn uptime(address: &str) -> f64 {
    let text = figures(address);
    let line = text.lines().find_map(|l| l.strip_prefix("hawker_uptime_seconds "));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

fn media(place: &Place) {
    let film = "videotestsrc num-buffers=60 ! video/x-raw,width=64,height=64,framerate=15/1 ! x264enc ! matroskamux ! \
                filesink location=film.mkv";
    let still = "videotestsrc num-buffers=1 ! video/x-raw,width=64,height=64 ! pngenc ! filesink location=still.png";
    for pipeline in [film, still] {
        let mut launch = tool("gst-launch-1.0");
        let said =
            run(launch.arg("-q").args(pipeline.split_whitespace()).current_dir(place.path("")), 30);
        assert_eq!(said.code, 0, "{said:?}");
    }
}

#[track_caller]
fn live(show: &Show, output: &str, after: Option<&serde_json::Value>) -> serde_json::Value {
    let since = after.map_or(0, |e| e["seq"].as_u64().unwrap());
    show.event_that("its being on air", 30, |e| {
        e["event"] == "output-live" && e["output"] == output && e["seq"].as_u64() > Some(since)
    })
}

/// Every file at once that is read while a show is on air, and the ingest is lost and comes back meanwhile.
#[test]
fn a_show_on_air_outlives_every_file_it_reads() {
    let runtime = Runtime::new().unwrap();
    let ingest = runtime.block_on(stage(([127, 0, 0, 1], 0).into()));
    let (address, place) = (ingest.address(), Place::new());
    media(&place);
    let own_server = format!("title = \"Own\"\nhosts = [\"127.0.0.1:{}\"]\n", address.port());
    fs::create_dir_all(place.path("config/ingests")).unwrap();
    place.file("config/ingests/own.toml", &own_server);
    place.file("config/alarms.toml", "webhook = \"file:hook\"\nwebhook-token = \"file:hook-token\"\n\
        [[alarm]]\nid = \"off-air\"\nmetric = \"down-ms\"\nabove = 200\nfor-ms = 0\nclears-below = 1\nseverity = \"critical\"\n");
    place.file("config/hook", "https://127.0.0.1:9/hooked4you");
    place.file("config/hook-token", "h00k-token");
    for (name, text) in [
        ("token", TOKEN),
        ("viewers", VIEWERS),
        ("relay", "r3lay-pass"),
        ("key", "str3am-key"),
        ("phrase", "phr4se-phr4se"),
    ] {
        place.file(name, text);
    }
    let said = run(
        tool("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x -keyout key.pem -out ca.pem".split(' '))
            .current_dir(place.path("")),
        20,
    );
    assert!(place.path("ca.pem").exists(), "{said:?}");
    let file = place.file(
        "show.toml",
        &format!(
            "{SHOW}\
             [[output]]\nid = \"main\"\nto = \"http://{address}/whip\"\ntoken = \"file:token\"\nca = \"ca.pem\"\n\
             [output.ice]\n[[output.ice.servers]]\nurl = \"turn:127.0.0.1:9\"\nuser = \"u\"\ncredential = \"file:relay\"\n\
             [[output]]\nid = \"tube\"\nto = \"rtmp://127.0.0.1:9/app\"\nkey = \"file:key\"\n\
             [[output]]\nid = \"srt\"\nto = \"srt://127.0.0.1:9\"\npassphrase = \"file:phrase\"\n\
             [[output]]\nid = \"tape\"\nto = \"record\"\nfolder = \"rec\"\n\
             [[monitor]]\nid = \"eye\"\nurl = \"http://{address}/whep\"\ntoken = \"file:viewers\"\n"
        ),
    );
    let mut show = place.start(&["live", &file, "--for", "90s", "--metrics", "127.0.0.1:0"]);
    let on_air = live(&show, "main", None);
    show.event("monitor-up", 20);
    let metrics = until("the figures' address", 10, || {
        let told = show.told();
        let address = told
            .split_once("figures for Prometheus at http://")
            .and_then(|(_, rest)| Some(rest.split_once('/')?.0.to_owned()));
        address.ok_or(told)
    });
    // The storage with everything on it hangs, and the ingest goes away.
    for name in [
        "token",
        "viewers",
        "relay",
        "key",
        "phrase",
        "ca.pem",
        "film.mkv",
        "still.png",
        "show.toml",
    ] {
        hang(&place.path(name));
    }
    for name in ["ingests/own.toml", "hook", "hook-token", "alarms.toml", "config.toml"] {
        hang(&place.path("config").join(name));
    }
    runtime.block_on(ingest.stop());
    show.event_that("its loss", 20, |e| {
        matches!(e["event"].as_str(), Some("output-silent" | "output-failed"))
            && e["output"] == "main"
    });
    let before = uptime(&metrics);
    obeyed(&place, &["panic"]);
    for input in ["film", "still", "ball"] {
        obeyed(&place, &["restart-input", input]);
    }
    let of = |id: &'static str| {
        move |e: &serde_json::Value| e["event"] == "input-failed" && e["input"] == id
    };
    for input in ["film", "still"] {
        let failed = show.event_that("the input's failure", 10, of(input));
        assert!(failed["reason"].as_str().unwrap().contains("it is a pipe"), "{failed}");
    }
    std::thread::sleep(Duration::from_secs(2));
    assert!(uptime(&metrics) > before + 1.5, "the figures stand still");
    obeyed(&place, &["resume"]);
    // It comes back, and is taken with the secrets that were read before.
    let again = runtime.block_on(stage(address));
    live(&show, "main", Some(&on_air));
    let figures = until("media at the ingest", 20, || {
        let figures = again.figures();
        if figures.packets > 50 { Ok(figures) } else { Err(format!("{figures:?}")) }
    });
    assert!(figures.packets > 50);
    let log = until("what is used instead, in the log", 10, || {
        let logs: Vec<_> =
            place.files().into_iter().filter(|p| p.ends_with("hawker.log")).collect();
        let text: String = logs.iter().map(|p| fs::read_to_string(p).unwrap()).collect();
        if text.contains("The value that was read before is used") { Ok(text) } else { Err(text) }
    });
    assert!(log.contains("it is a pipe, not a regular file"), "{log}");
    let began = Instant::now();
    show.process.signal(Signal::TERM);
    assert_eq!(show.ended(15), 130, "{}", show.told());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    runtime.block_on(again.stop());
}

/// A secret that was never read: the output says so, everything else goes on, and `--for` ends the show.
#[test]
fn a_secret_that_cannot_be_read_fails_its_output_alone() {
    let place = Place::new();
    let file = place.file(
        "show.toml",
        "title = \"Late\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\n\
         [[scene]]\nid = \"full\"\nlayout = \"full\"\nlayers = [\"ball\"]\n\
         [[output]]\nid = \"stage\"\nto = \"stage\"\n\
         [[output]]\nid = \"tape\"\nto = \"record\"\nfolder = \"rec\"\n",
    );
    let mut show = place.start(&["live", &file, "--for", "12s"]);
    live(&show, "tape", None);
    hang(&place.path("pipe"));
    for (id, target) in [
        ("a", "to = \"http://127.0.0.1:9/whip\"\ntoken = \"file:pipe\"\n"),
        ("b", "to = \"rtmp://127.0.0.1:9/app\"\nkey = \"file:/dev/zero\"\n"),
        ("c", "to = \"srt://127.0.0.1:9\"\npassphrase = \"file:rec\"\n"),
    ] {
        let more =
            place.file(&format!("{id}.toml"), &format!("[[output]]\nid = \"{id}\"\n{target}"));
        obeyed(&place, &["add-output", &more]);
        obeyed(&place, &["go-live", id]);
        let failed = show
            .event_that("its failure", 5, |e| e["event"] == "output-failed" && e["output"] == id);
        let reason = failed["reason"].as_str().unwrap();
        assert!(reason.contains("the secret file") && reason.contains("it is a "), "{reason}");
    }
    obeyed(&place, &["panic"]);
    // Its time ends it, not the outputs that were refused.
    show.ended(25);
    let ended = show.told();
    assert!(ended.contains("the show is over: its time was up"), "{ended}");
}

/// What is no regular file is refused at once, wherever a file is named.
#[test]
fn pipes_devices_and_directories_are_refused_at_once() {
    let place = Place::new();
    let pipe = place.path("pipe.toml");
    hang(&pipe);
    let pipe = pipe.to_str().unwrap();
    let folder = place.path("config").to_str().unwrap().to_owned();
    let named = |key: &str| {
        place.file(
            "named.toml",
            &format!("{SHOW}[[output]]\nid = \"o\"\nto = \"http://127.0.0.1:9/whip\"\n{key}\n")
                .replace("kind = \"file\"\npath = \"film.mkv\"", "kind = \"test\"")
                .replace("kind = \"image\"\npath = \"still.png\"", "kind = \"test\""),
        )
    };
    let plan = place.file(
        "plan.toml",
        &format!("title = \"P\"\nhome-zone = \"Asia/Bangkok\"\nbusy = \"{pipe}\"\n"),
    );
    let refused = |args: &[&str], words: &str| {
        let began = Instant::now();
        let said = place.run(args, 10);
        assert!(said.code == 2 || said.code == 3, "{args:?}: {said:?}");
        assert!(said.err.contains(words), "{args:?}: {said:?}");
        assert!(began.elapsed() < Duration::from_secs(4), "{args:?} took {:?}", began.elapsed());
    };
    for (path, words) in [(pipe, "a pipe"), ("/dev/zero", "a device"), (folder.as_str(), "folder")]
    {
        refused(&["check", path], words);
        refused(&["live", path, "--headless", "--for", "1s"], words);
        refused(&["plan", path], words);
    }
    for (path, words) in [
        (pipe, "it is a pipe"),
        ("/dev/zero", "it is a device"),
        (folder.as_str(), "it is a directory"),
    ] {
        refused(&["plan", "import", path], words);
        let show = named(&format!("token = \"file:{path}\""));
        refused(&["live", &show, "--headless", "--for", "1s"], words);
        refused(&["check", &named(&format!("ca = \"{path}\""))], words);
        refused(
            &[
                "watch",
                "http://127.0.0.1:9/whep",
                "--token",
                &format!("file:{path}"),
                "--for",
                "1s",
            ],
            words,
        );
    }
    refused(&["plan", &plan], "this is a pipe");
    fs::create_dir_all(place.path("config/ingests")).unwrap();
    hang(&place.path("config/ingests/own.toml"));
    refused(&["check", &named("")], "a pipe");
}
