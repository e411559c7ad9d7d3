//! A WHIP server that is not ours takes the publish: GStreamer's `whipserversrc`, which answers, receives and
//! decodes by itself.

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
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use gst::prelude::*;
use hawker_process::Place;
use process::until;

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

#[test]
fn whipserversrc_takes_the_show() {
    let server = Server::start();
    let place = Place::new();
    let file = place.file(
        "show.toml",
        &format!(
            "title = \"abroad\"\n[[input]]\nid = \"ball\"\nkind = \"test\"\ntone-hz = 440\n\
             [[scene]]\nid = \"one\"\nlayers = [\"ball\"]\n\
             [[output]]\nid = \"abroad\"\nto = \"{}\"\n",
            server.url
        ),
    );
    let mut show = place.start(&["live", &file]);
    show.event("output-live", 30);
    until("a hundred decoded frames and their sound", 30, || {
        let got = (server.pictures.load(Ordering::Relaxed), server.sounds.load(Ordering::Relaxed));
        if got.0 >= 100 && got.1 >= 100 { Ok(()) } else { Err(format!("{got:?}; {}", show.told())) }
    });
    show.process.signal(rustix::process::Signal::INT);
    assert_eq!(show.ended(20), 130);
}
