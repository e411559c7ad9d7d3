//! RTMP, SRT and recordings, against servers and players that are not ours. The real program, on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test says what it saw, and ends when something is not there"
)]

#[path = "outputs/crowd.rs"]
mod crowd;
#[path = "outputs/fed.rs"]
mod fed;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/hawker.rs"]
mod hawker_process;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/lipsync.rs"]
mod lipsync;
#[path = "outputs/played.rs"]
mod played;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/process.rs"]
mod process;
#[path = "outputs/renditions.rs"]
mod renditions;
#[path = "outputs/secure.rs"]
mod secure;
#[path = "outputs/servers.rs"]
mod servers;
#[path = "outputs/ten.rs"]
mod ten;
#[allow(dead_code, reason = "shared by several sets of tests")]
#[path = "real/viewer.rs"]
mod viewer;

use std::{fs, path::PathBuf, thread, time::Duration};

use hawker::{
    base::Secret,
    media::{
        self, MediaClock, Outlet, OutletEvent, encoder, outlet::Destination, rendition::Renditions,
    },
    show::{Container, RecordSpec, RtmpSpec},
    stats::Report,
};
use hawker_process::{Place, Show, assert_whole};
use played::{Played, assert_gapless, play, skews, stamps};
use process::{Process, tool, until};
use rustix::process::Signal;
use serde_json::Value;
use servers::{BadServer, Nginx, SrtServer, free_port, with_extension};

const KEY: &str = "hu5h-stream-key";
const PASSPHRASE: &str = "hu5h-passphrase";

/// A small picture that fills its bitrate.
fn show(place: &Place, outputs: &str) -> String {
    fs::create_dir_all(place.path("config/profiles")).unwrap();
    place.file(
        "config/profiles/small.toml",
        "title = \"small\"\ncanvas = \"640x360@30\"\neffort = \"ultrafast\"\nmax-kbps = 2500\n\
         start-kbps = 2000\nmin-kbps = 150\naudio-kbps = 64\nkeyframe-ms = 2000\n\
         latency-target-ms = 600\n[[ladder]]\ncanvas = \"640x360@30\"\nfrom-kbps = 150\n",
    );
    let text = format!(
        "title = \"Tea / 茶\"\nprofile = \"small\"\n\
         [[input]]\nid = \"a\"\nkind = \"test\"\npattern = \"noise\"\ntone-hz = 440\n\
         [[scene]]\nid = \"s\"\nlayers = [\"a\"]\n{outputs}"
    );
    place.file("show.toml", &text)
}

fn record(id: &str, more: &str) -> String {
    format!(
        "[[output]]\nid = \"{id}\"\nto = \"record\"\nfolder = \"{id}\"\nkeep-free-mb = 10\n{more}\n"
    )
}

fn rtmp(id: &str, port: u16) -> String {
    format!(
        "[[output]]\nid = \"{id}\"\nto = \"rtmp://127.0.0.1:{port}/live\"\nkey = \"env:STREAM_KEY\"\n"
    )
}

fn srt(id: &str, port: u16) -> String {
    format!(
        "[[output]]\nid = \"{id}\"\nto = \"srt://127.0.0.1:{port}\"\npassphrase = \"env:SRT_PASS\"\n"
    )
}

fn start(place: &Place, file: &str, more: &[&str]) -> Show {
    let args: Vec<&str> = ["live", file].iter().chain(more).copied().collect();
    place.start_with(&args, |c| {
        c.env("STREAM_KEY", KEY).env("SRT_PASS", PASSPHRASE).env("HAWKER_LOG", "debug")
    })
}

fn of(output: &'static str, name: &'static str) -> impl Fn(&Value) -> bool {
    move |e| e["event"] == name && e["output"] == output
}

fn report(place: &Place) -> Report {
    serde_json::from_slice(&fs::read(place.path("report.json")).unwrap()).unwrap()
}

/// What every whole file must show and give.
#[track_caller]
fn assert_good(what: &str, played: &Played, least: f64) {
    eprintln!("{what}: {played:?}");
    assert_eq!(played.complaints, "", "{what}");
    assert!(played.seconds >= least, "{what}: {played:?}");
    assert!(
        played.distinct * 10 >= played.frames * 9,
        "{what}: the picture stands still: {played:?}"
    );
    assert!(played.longest_gap < 0.25, "{what}: {played:?}");
    assert!((-40.0..0.0).contains(&played.mean_db), "{what}: no sound: {played:?}");
    assert!((played.seconds - played.sound_seconds).abs() < 0.25, "{what}: {played:?}");
}

#[test]
fn every_kind_of_output_at_once_is_played_back_with_picture_and_sound() {
    let place = Place::new();
    let nginx = Nginx::start(&place.path("nginx"));
    let mut server = SrtServer::start(&place.path("."), PASSPHRASE);
    let file = show(
        &place,
        &(rtmp("tv", nginx.port)
            + &srt("far", server.port)
            + &record("mkv", "")
            + &record("mp4", "container = \"mp4\"")),
    );
    let report_at = place.path("report.json");
    let mut show = start(&place, &file, &["--for", "8s", "--report", report_at.to_str().unwrap()]);
    for output in ["tv", "far", "mkv", "mp4"] {
        show.event_that(output, 20, of(output, "output-live"));
    }
    assert_eq!(show.ended(30), 0, "{}", show.told());
    assert_whole(&show.events());
    server.process.stop();
    let report = report(&place);
    let nginx_files = nginx.files();
    assert_eq!(nginx_files.len(), 1, "{nginx_files:?}");
    assert_good("RTMP", &play(&nginx_files[0]), 5.0);
    assert_good("SRT", &play(&server.file), 5.0);
    for kind in ["mkv", "mp4"] {
        let files = with_extension(&place.path(kind), kind);
        let [file] = files.as_slice() else { panic!("{files:?}") };
        let played = play(file);
        assert_good(kind, &played, 6.0);
        assert_gapless(&stamps(file).0);
        let [written] = report.outputs[kind].files.as_slice() else { panic!("{report:?}") };
        assert_eq!(PathBuf::from(&written.path), *file);
        assert_eq!(written.bytes, fs::metadata(file).unwrap().len());
        let says = written.duration_ms as f64 / 1000.0;
        assert!((says - played.seconds).abs() < 0.3, "{written:?}, {played:?}");
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("Tea-茶-2") && name.contains("-001."), "{name}");
    }
    // What goes to a server ends with the show, as the recording does.
    let last = |file: &PathBuf| stamps(file).0.last().copied().unwrap();
    let recorded = last(&with_extension(&place.path("mkv"), "mkv")[0]);
    for (what, file) in [("RTMP", &nginx_files[0]), ("SRT", &server.file)] {
        let sent = last(file);
        assert!(sent + 3 > recorded, "{what} ends at frame {sent}, the recording at {recorded}");
    }
    for (id, output) in &report.outputs {
        assert_eq!((output.dropped, output.reconnects), (0, 0), "{id}: {output:?}");
        assert!(output.mean_kbps.is_some_and(|k| k > 500.0), "{id}: {output:?}");
    }
    assert!(report.outputs["far"].rtt_ms.is_some_and(|ms| ms < 50.0));
    // Neither the log nor the journal holds what is secret.
    for secret in [KEY, PASSPHRASE] {
        let state = place.path("state");
        let held: Vec<_> =
            place.holding(secret).into_iter().filter(|p| p.starts_with(&state)).collect();
        assert_eq!(held, Vec::<PathBuf>::new());
    }
}

#[test]
fn a_recording_survives_being_killed() {
    let place = Place::new();
    let file = show(&place, &(record("mkv", "") + &record("mp4", "container = \"mp4\"")));
    let mut show = start(&place, &file, &[]);
    for output in ["mkv", "mp4"] {
        show.event_that(output, 20, of(output, "file-begun"));
    }
    let seconds = 7.0;
    thread::sleep(Duration::from_secs_f64(seconds));
    show.process.kill();
    for kind in ["mkv", "mp4"] {
        let files = with_extension(&place.path(kind), kind);
        let played = play(&files[0]);
        eprintln!("{kind}, killed after {seconds} s: {played:?}");
        assert!(played.seconds >= seconds - 1.5, "{kind}: {played:?}");
        assert!(played.sound_seconds >= seconds - 1.5, "{kind}: {played:?}");
        assert!(played.longest_gap < 0.25, "{kind}: {played:?}");
    }
}

#[test]
fn a_recording_is_split_by_size_and_no_frame_is_lost() {
    let place = Place::new();
    let split = "split-mb = 1\n";
    let both = record("mkv", split) + &record("mp4", &format!("{split}container = \"mp4\""));
    let file = show(&place, &both);
    let mut show = start(&place, &file, &["--for", "16s"]);
    assert_eq!(show.ended(40), 0, "{}", show.told());
    for kind in ["mkv", "mp4"] {
        let files = with_extension(&place.path(kind), kind);
        assert!(files.len() >= 3, "{files:?}");
        let mut numbers = Vec::new();
        let mut sound = 0.0;
        for (n, file) in files.iter().enumerate() {
            let played = play(file);
            if n + 1 < files.len() {
                assert_good(&format!("{kind} {n}"), &played, 1.5);
            }
            sound += played.sound_seconds;
            numbers.extend(stamps(file).0);
        }
        assert_gapless(&numbers);
        let seconds = numbers.len() as f64 / 30.0;
        assert!(
            (sound - seconds).abs() < 0.1 * files.len() as f64,
            "{sound} s of sound, {seconds} s"
        );
    }
}

#[test]
fn a_recording_is_split_by_a_command_and_no_frame_is_lost() {
    let place = Place::new();
    let file = show(&place, &(record("mkv", "") + &record("mp4", "container = \"mp4\"")));
    let mut show = start(&place, &file, &[]);
    for id in ["mkv", "mp4"] {
        show.event_that(id, 20, of(id, "file-begun"));
    }
    thread::sleep(Duration::from_secs(3));
    // One alone, then both.
    for (words, ids) in [(&["mkv"][..], &["mkv"][..]), (&[], &["mkv", "mp4"])] {
        let seq = show.events().last().and_then(|e| e["seq"].as_u64());
        let said = place.run(&[&["send", "split"], words].concat(), 10);
        assert_eq!(said.code, 0, "{said:?}");
        for id in ids {
            let new = |e: &Value| of(id, "file-begun")(e) && e["seq"].as_u64() > seq;
            show.event_that("a new file", 10, new);
        }
        thread::sleep(Duration::from_secs(2));
    }
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
    for (kind, count) in [("mkv", 3), ("mp4", 2)] {
        let files = with_extension(&place.path(kind), kind);
        assert_eq!(files.len(), count, "{files:?}");
        assert_gapless(&files.iter().flat_map(|file| stamps(file).0).collect::<Vec<_>>());
    }
}

#[test]
fn a_file_that_cannot_be_begun_is_begun_later_and_no_frame_is_lost() {
    let place = Place::new();
    let file = show(&place, &record("tape", ""));
    let mut show = start(&place, &file, &[]);
    show.event_that("the first file", 20, of("tape", "file-begun"));
    let (folder, away) = (place.path("tape"), place.path("away"));
    fs::rename(&folder, &away).unwrap();
    place.file("tape", "no folder");
    assert_eq!(place.run(&["send", "split", "tape"], 10).code, 0);
    let warned = show.event_that("a warning", 20, of("tape", "output-warned"));
    assert!(warned["reason"].as_str().unwrap().contains("goes on in the one before"), "{warned}");
    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    let seq = warned["seq"].as_u64();
    let new = |e: &Value| of("tape", "file-begun")(e) && e["seq"].as_u64() > seq;
    show.event_that("the second file, without being asked again", 20, new);
    thread::sleep(Duration::from_secs(1));
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
    assert!(!show.events().iter().any(of("tape", "output-failed")), "{}", show.told());
    let files = with_extension(&folder, "mkv");
    assert_eq!(files.len(), 2, "{files:?}");
    assert_gapless(&files.iter().flat_map(|file| stamps(file).0).collect::<Vec<_>>());
}

#[test]
fn a_rundown_goes_on_by_itself_and_parts_the_recording_that_wants_it() {
    let place = Place::new();
    let segments = "[[segment]]\ntitle = \"Hook\"\nlength-s = 6\nby-itself = true\n\
                    [[segment]]\ntitle = \"Hero\"\nlength-s = 300\n";
    let parted = record("mkv", "split-at-segments = true");
    let whole = record("mp4", "container = \"mp4\"");
    let file = show(&place, &(segments.to_owned() + &parted + &whole));
    let mut show = start(&place, &file, &[]);
    let began = |number| move |e: &Value| e["event"] == "segment-began" && e["number"] == number;
    let hook = show.event_that("the first segment", 20, began(1));
    let hero = show.event_that("the second segment", 20, began(2));
    let new = |e: &Value| of("mkv", "file-begun")(e) && e["seq"].as_u64() > hero["seq"].as_u64();
    show.event_that("a new file", 10, new);
    thread::sleep(Duration::from_secs(2));
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
    let at = |e: &Value| e["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let apart = at(&hero).duration_since(at(&hook)).as_secs_f64();
    assert!((6.0..7.0).contains(&apart), "{apart} s");
    for (kind, count) in [("mkv", 2), ("mp4", 1)] {
        let files = with_extension(&place.path(kind), kind);
        assert_eq!(files.len(), count, "{files:?}");
        assert_gapless(&files.iter().flat_map(|file| stamps(file).0).collect::<Vec<_>>());
    }
    let report = place.run(&["report", "last", "--json"], 20);
    let report: Value = serde_json::from_str(&report.out).unwrap();
    let told: Vec<_> = report["segments"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((&told[0]["title"], &told[1]["title"]), (&"Hook".into(), &"Hero".into()));
    let lasted = told[0]["lasted_ms"].as_u64().unwrap();
    assert!((6000..7000).contains(&lasted), "{told:?}");
}

#[test]
fn an_output_added_while_the_show_runs_is_published_and_its_secrets_are_kept() {
    let place = Place::new();
    let nginx = Nginx::start(&place.path("nginx"));
    let file = show(&place, &record("mkv", ""));
    let mut show = start(&place, &file, &[]);
    show.event_that("mkv", 20, of("mkv", "output-live"));
    let added = place.file("added.toml", &rtmp("tv", nginx.port));
    let in_clear = format!("rtmp://127.0.0.1:{}/live/{KEY}", nginx.port);
    for to in [&["tv2", in_clear.as_str()][..], &[added.as_str()]] {
        let said = place.run(&[&["send", "add-output"], to].concat(), 10);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let again = place.run(&["send", "add-output", &added], 10);
    assert!(again.code == 2 && again.err.contains("already"), "{again:?}");
    let two = rtmp("a", 1) + &rtmp("b", 1);
    let bad = place.file("bad.toml", &two);
    let refused = place.run(&["send", "add-output", &bad], 10);
    assert!(refused.code == 2 && refused.err.contains("2 outputs"), "{refused:?}");
    // Both have the same key: one after the other.
    for id in ["tv", "tv2"] {
        assert_eq!(place.run(&["send", "--yes", "go-live", id], 10).code, 0);
        show.event_that(id, 20, |e| e["event"] == "output-live" && e["output"] == id);
        thread::sleep(Duration::from_secs(3));
        assert_eq!(place.run(&["send", "--yes", "stop-output", id], 10).code, 0);
        show.event_that(id, 20, |e| e["event"] == "output-stopped" && e["output"] == id);
    }
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
    let files = nginx.files();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in &files {
        assert_good("what was added", &play(file), 1.0);
    }
    let state = place.path("state");
    let held: Vec<_> = place.holding(KEY).into_iter().filter(|p| p.starts_with(&state)).collect();
    assert_eq!(held, Vec::<PathBuf>::new());
    let said = show.told() + &format!("{:?}", show.events());
    assert!(!said.contains(KEY), "{said}");
}

#[test]
fn servers_that_stall_flap_and_die_do_not_touch_a_recording() {
    let place = Place::new();
    let folder = place.path("nginx");
    let mut nginx = Nginx::start(&folder);
    let (stalled, flapping) = (BadServer::start(true), BadServer::start(false));
    let mut dying = SrtServer::start(&place.path("."), PASSPHRASE);
    let outputs = record("rec", "")
        + &rtmp("tv", nginx.port)
        + &srt("dying", dying.port)
        + &rtmp("stalled", stalled.port)
        + &rtmp("flapping", flapping.port)
        + &srt("nobody", free_port());
    let file = show(&place, &outputs);
    let report_at = place.path("report.json");
    let mut show = start(&place, &file, &["--report", report_at.to_str().unwrap()]);
    show.event_that("tv", 20, of("tv", "output-live"));
    show.event_that("flapping", 20, of("flapping", "output-failed"));
    show.event_that("dying", 20, of("dying", "output-live"));
    dying.process.kill();
    // It takes nothing more, in the middle of it.
    nginx.process.signal(Signal::STOP);
    let silent = show.event_that("tv", 20, of("tv", "output-silent"));
    nginx.process.signal(Signal::CONT);
    let seq = silent["seq"].as_u64().unwrap();
    let back = show.event_that("tv again", 20, |e| {
        let good = e["event"] == "output-healed" || e["event"] == "output-live";
        e["output"] == "tv" && good && e["seq"].as_u64() > Some(seq)
    });
    // It dies, and comes back.
    nginx.process.kill();
    show.event_after(&back, "output-failed", 20);
    let (port, _dead) = (nginx.port, nginx);
    let _nginx = Nginx::at(&folder, port);
    let seq = back["seq"].as_u64();
    show.event_that("tv after its death", 20, |e| {
        of("tv", "output-live")(e) && e["seq"].as_u64() > seq
    });
    show.event_that("dying", 20, of("dying", "output-silent"));
    show.event_that("dying", 20, of("dying", "output-failed"));
    show.event_that("stalled", 20, of("stalled", "output-failed"));
    show.event_that("nobody", 20, of("nobody", "output-failed"));
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
    let report = report(&place);
    let rec = &report.outputs["rec"];
    assert_eq!((rec.dropped, rec.reconnects), (0, 0), "{rec:?}");
    let files = with_extension(&place.path("rec"), "mkv");
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let played = play(file);
    assert_good("the recording", &played, 5.0);
    let (numbers, keys) = stamps(file);
    assert_gapless(&numbers);
    eprintln!("key frames in {:.1} s: {keys:?}; tv: {:?}", played.seconds, report.outputs["tv"]);
    // One every 2 s by itself, and one for each time that somebody came back.
    let most = played.seconds / 2.0 + 6.0;
    assert!((keys.len() as f64) < most, "{} key frames in {} s", keys.len(), played.seconds);
    assert!(report.outputs["tv"].reconnects >= 1);
}

#[test]
fn a_disk_that_gets_full_ends_the_recording_in_order() {
    let place = Place::new();
    let free = |place: &Place| {
        let disk = rustix::fs::statvfs(place.path(".")).unwrap();
        disk.f_bavail * disk.f_frsize / 1_000_000
    };
    // Others use this disk too: the steps are larger than what they do to it. What is filled is two of them, 2 GB at
    // most.
    let step = (free(&place) / 20).min(1000);
    let keep = free(&place) - step;
    let file = show(&place, &record("rec", "").replace("= 10", &format!("= {keep}")));
    let mut show = start(&place, &file, &[]);
    show.event_that("a warning", 20, of("rec", "output-warned"));
    thread::sleep(Duration::from_secs(3));
    let filler = fs::File::create(place.path("filler")).unwrap();
    rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, step * 2_000_000)
        .unwrap();
    let failed = show.event_that("its end", 10, of("rec", "output-failed"));
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("are to stay free") && failed["retry_in_ms"].is_null(), "{failed}");
    // Nobody is at a console, and nothing else is on air.
    assert_eq!(show.ended(20), 4, "{}", show.told());
    let files = with_extension(&place.path("rec"), "mkv");
    assert_good("the recording", &play(&files[0]), 2.0);
    // With the disk so, it does not even begin.
    let said = place.run(&["live", &file, "--headless", "--for", "5s"], 30);
    assert_eq!(said.code, 3, "{said:?}");
    assert_eq!(with_extension(&place.path("rec"), "mkv").len(), 1);
}

#[test]
fn servers_that_refuse_us_are_told_apart_and_secrets_stay_secret() {
    let place = Place::new();
    let server = SrtServer::start(&place.path("."), "another-passphrase");
    let (cert, port) = (place.path("cert.pem"), free_port());
    let made = tool("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .arg("-keyout")
        .arg(&cert)
        .arg("-out")
        .arg(place.path("only.pem"))
        .status()
        .unwrap();
    assert!(made.success());
    let _tls = Process::start(
        tool("openssl")
            .args(["s_server", "-quiet", "-accept", &port.to_string()])
            .arg("-key")
            .arg(&cert)
            .arg("-cert")
            .arg(place.path("only.pem")),
    );
    until("TLS listens", 10, || {
        std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())
    });
    let tls = rtmp("tls", port).replace("rtmp://", "rtmps://");
    let file = show(&place, &(srt("far", server.port) + &tls + &record("rec", "")));
    let mut show = start(&place, &file, &[]);
    let tls = show.event_that("tls", 20, of("tls", "output-failed"));
    assert!(tls["reason"].as_str().unwrap().contains("certificate"), "{tls}");
    assert!(tls["retry_in_ms"].is_null(), "only somebody can mend it: {tls}");
    let far = show.event_that("far", 20, of("far", "output-failed"));
    let reason = far["reason"].as_str().unwrap();
    assert!(reason.contains("refuses the passphrase (SRT 1010)"), "{far}");
    assert!(far["retry_in_ms"].is_null(), "only somebody can mend it: {far}");
    show.process.signal(Signal::INT);
    assert_eq!(show.ended(20), 130, "{}", show.told());
    let said = show.told() + &format!("{:?}", show.events());
    assert!(!said.contains("hu5h"), "{said}");
}

#[test]
fn another_size_of_picture_begins_a_new_file_and_rtmp_goes_on() {
    let place = Place::new();
    media::init().unwrap();
    let nginx = Nginx::start(&place.path("nginx"));
    let profile = hawker::config::builtin_show().profile;
    let kind = encoder::choose(&profile).unwrap();
    let renditions = Renditions::new(profile, kind);
    let rendition = renditions.first();
    let record = |container| RecordSpec {
        folder: place.path("rec"),
        container,
        split_minutes: None,
        split_mb: None,
        split_at_segments: false,
        keep_free_mb: 0,
    };
    let url = format!("rtmp://127.0.0.1:{}/live", nginx.port).parse().unwrap();
    let destinations = [
        Destination::Record { spec: record(Container::Mkv), title: "T".into() },
        Destination::Record { spec: record(Container::Mp4), title: "T".into() },
        Destination::Rtmp { spec: RtmpSpec { url, key: None }, key: Some(Secret::new("k")) },
    ];
    let outlets: Vec<_> = destinations
        .into_iter()
        .map(|to| {
            let (outlet, mut events) = Outlet::start(rendition, &MediaClock::new(), to).unwrap();
            assert_eq!(events.blocking_recv(), Some(OutletEvent::Connected));
            (outlet, events)
        })
        .collect();
    fed::feed(&rendition.fanout, &[(640, 360), (320, 180), (640, 360)]);
    for (outlet, _) in &outlets {
        assert!(outlet.finish(Duration::from_secs(5)));
        assert_eq!(outlet.dropped(), 0);
    }
    for kind in ["mkv", "mp4"] {
        let files = with_extension(&place.path("rec"), kind);
        assert_eq!(files.len(), 3, "{files:?}");
        for file in &files {
            let played = play(file);
            assert_eq!((played.frames, played.complaints.as_str()), (60, ""), "{played:?}");
            assert!((played.sound_seconds - 2.0).abs() < 0.08, "{kind}: {played:?}");
        }
    }
    let played = play(&nginx.files()[0]);
    assert_eq!(played.frames, 180, "{played:?}");
    assert!((played.sound_seconds - 6.0).abs() < 0.1, "{played:?}");
}

#[test]
fn sound_is_recorded_with_its_picture() {
    let place = Place::new();
    media::init().unwrap();
    lipsync::clip(&place.path("clip.mkv"));
    let file = show(&place, &(record("mkv", "") + &record("mp4", "container = \"mp4\"")));
    let text = fs::read_to_string(&file).unwrap();
    let input = "kind = \"test\"\npattern = \"noise\"\ntone-hz = 440";
    place.file("show.toml", &text.replace(input, "kind = \"file\"\npath = \"clip.mkv\""));
    let mut show = start(&place, &file, &["--for", "8s"]);
    assert_eq!(show.ended(30), 0, "{}", show.told());
    for kind in ["mkv", "mp4"] {
        let skews = skews(&with_extension(&place.path(kind), kind)[0]);
        eprintln!("{kind}: sound after picture by {skews:?} s");
        assert!(skews.len() >= 4, "{kind}: {skews:?}");
        assert!(skews.iter().all(|s| s.abs() < 0.025), "{kind}: {skews:?}");
    }
}

#[test]
fn a_show_in_vp8_is_recorded_as_it_is() {
    let place = Place::new();
    let file = show(&place, &record("mkv", ""));
    let text = fs::read_to_string(&file).unwrap();
    place.file("show.toml", &text.replace("[[input]]", "[program]\ncodec = \"vp8\"\n[[input]]"));
    let mut show = start(&place, &file, &["--for", "5s"]);
    assert_eq!(show.ended(30), 0, "{}", show.told());
    assert_good("VP8", &play(&with_extension(&place.path("mkv"), "mkv")[0]), 3.0);
}
