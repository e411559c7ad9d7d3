//! WHIP servers that are not ours take the publish: GStreamer's `whipserversrc`, and one on aiortc, whose ICE,
//! DTLS, SRTP and SDP share nothing with GStreamer or str0m. Each answers, receives and decodes by itself.

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
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gst::prelude::*;
use hawker_process::Place;
use process::{Process, until};
use serde_json::Value;

/// A server that counts what it decodes.
struct Server {
    pipeline: gst::Pipeline,
    url: String,
    pictures: Arc<AtomicU64>,
    sounds: Arc<AtomicU64>,
}

impl Server {
    fn start() -> Self {
        hawker::media::init().unwrap();
        gstrswebrtc::plugin_register_static().unwrap();
        // The server wants a port by number: one that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let pipeline = gst::Pipeline::new();
        let source = gst::ElementFactory::make("whipserversrc").build().unwrap();
        let signaller = source.property::<gst::glib::Object>("signaller");
        signaller.set_property("host-addr", format!("http://127.0.0.1:{port}"));
        // No server of others, and loopback, which ICE leaves out by itself.
        source.set_property("stun-server", None::<&str>);
        signaller.connect("webrtcbin-ready", false, |values| {
            let session = values[2].get::<gst::Element>().unwrap();
            let agent = session.property::<gst::Object>("ice-agent");
            assert!(agent.emit_by_name::<bool>("add-local-ip-address", &[&"127.0.0.1"]));
            None
        });
        let (pictures, sounds) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (weak, counts) = (pipeline.downgrade(), (Arc::clone(&pictures), Arc::clone(&sounds)));
        source.connect_pad_added(move |_, pad| {
            let Some(pipeline) = weak.upgrade() else { return };
            let count =
                Arc::clone(if pad.name().starts_with("video") { &counts.0 } else { &counts.1 });
            let sink = gst::ElementFactory::make("fakesink")
                .property("sync", false)
                .property("async", false)
                .build()
                .unwrap();
            pipeline.add(&sink).unwrap();
            sink.sync_state_with_parent().unwrap();
            let end = sink.static_pad("sink").unwrap();
            end.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                count.fetch_add(1, Ordering::Relaxed);
                gst::PadProbeReturn::Ok
            });
            pad.link(&end).unwrap();
        });
        pipeline.add(&source).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let url = format!("http://127.0.0.1:{port}/whip/endpoint");
        Self { pipeline, url, pictures, sounds }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// A show of a ball and a tone that goes to that ingest.
fn show_to(url: &str) -> String {
    format!(
        "title = \"abroad\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\ntone-hz = 440\n\
         [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n\
         [[output]]\nid = \"abroad\"\nto = \"{url}\"\n"
    )
}

#[test]
fn whipserversrc_takes_the_show() {
    let server = Server::start();
    let place = Place::new();
    let file = place.file("show.toml", &show_to(&server.url));
    let mut show = place.start(&["live", &file]);
    show.event("output-live", 30);
    until("a hundred decoded frames and their sound", 30, || {
        let got = (server.pictures.load(Ordering::Relaxed), server.sounds.load(Ordering::Relaxed));
        if got.0 >= 100 && got.1 >= 100 { Ok(()) } else { Err(format!("{got:?}; {}", show.told())) }
    });
    show.process.signal(rustix::process::Signal::INT);
    assert_eq!(show.ended(20), 130);
}

/// The server on aiortc, and what it says.
struct Aiortc {
    process: Process,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Aiortc {
    fn start() -> Self {
        // `script/setup --dev` puts it beside what cargo builds.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign_ingest/aiortc_whip.py");
        let mut command = Command::new(target.join("aiortc/bin/python"));
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let lines = BufReader::new(process.child.stdout.take().unwrap()).lines();
        let said = Arc::<Mutex<Vec<Value>>>::default();
        let ours = Arc::clone(&said);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                ours.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { process, said }
    }

    /// The newest value it said by that name.
    fn last(&self, name: &str) -> Option<Value> {
        self.said.lock().unwrap().iter().rev().find_map(|said| said.get(name).cloned())
    }
}

#[test]
fn aiortc_takes_the_show() {
    let server = Aiortc::start();
    let port = until("the server listens", 30, || server.last("port").ok_or_else(String::new));
    let place = Place::new();
    let file = place.file("show.toml", &show_to(&format!("http://127.0.0.1:{port}/publish")));
    let mut show = place.start(&["live", &file]);
    show.event("output-live", 30);
    until("a hundred decoded frames and their sound", 30, || {
        let count = |name| server.last(name).and_then(|n| n.as_u64()).unwrap_or(0);
        let got = (count("video"), count("audio"));
        if got.0 >= 100 && got.1 >= 100 { Ok(()) } else { Err(format!("{got:?}; {}", show.told())) }
    });
    show.process.signal(rustix::process::Signal::INT);
    assert_eq!(show.ended(20), 130);
    until("the end is told", 10, || server.last("ended").ok_or_else(String::new));
    assert_eq!(server.last("wrong"), None);
}

/// aiortc sends no transport-wide feedback, but a receiver report each second.
fn on_air_at_aiortc(place: &Place) -> (Aiortc, hawker_process::Show) {
    let server = Aiortc::start();
    let port = until("the server listens", 30, || server.last("port").ok_or_else(String::new));
    let file = place.file("show.toml", &show_to(&format!("http://127.0.0.1:{port}/publish")));
    let show = place.start(&["live", &file]);
    show.event("output-live", 30);
    // As long as it takes to know the interval of its reports, and a little more.
    thread::sleep(Duration::from_secs(12));
    for name in ["output-silent", "output-failed", "output-warned"] {
        assert!(show.events().iter().all(|e| e["event"] != name), "{}", show.told());
    }
    (server, show)
}

#[test]
fn aiortc_that_is_killed_is_noticed_by_its_reports() {
    let place = Place::new();
    let (mut server, mut show) = on_air_at_aiortc(&place);
    server.process.kill();
    let killed = Instant::now();
    show.event("output-silent", 20);
    println!("noticed after {:?}", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_millis(3400), "{:?}", killed.elapsed());
    show.process.signal(rustix::process::Signal::INT);
    assert_eq!(show.ended(20), 130);
}

#[test]
fn aiortc_that_closes_in_order_is_believed_at_once() {
    let place = Place::new();
    let (mut server, mut show) = on_air_at_aiortc(&place);
    drop(server.process.child.stdin.take());
    let failed = show.event("output-failed", 5);
    let reason = failed["reason"].as_str().unwrap();
    println!("{reason}");
    assert!(reason.contains("BYE") || reason.contains("close_notify"), "{reason}");
    show.process.signal(rustix::process::Signal::INT);
    assert_eq!(show.ended(20), 130);
}
