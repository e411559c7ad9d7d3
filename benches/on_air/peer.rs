//! The peer: GStreamer's `whipclientsink` with its congestion control, on the same content, its frames
//! stamped with their capture time as ours are.

use std::time::Duration;

use gst::prelude::*;
use hawker::{media::clock, stats::Stamp};

/// Noise that fills 2.5 Mb/s, as a live source of 1280x720 at 30 fps.
pub const CONTENT: &str = "videotestsrc is-live=true pattern=snow \
    ! video/x-raw,format=I420,width=320,height=180,framerate=30/1 \
    ! videoconvertscale method=nearest-neighbour ! video/x-raw,width=1280,height=720";

/// A publishing peer. Dropping it ends it.
pub struct Peer(gst::Pipeline);

impl Peer {
    /// Publishes to `url`, stamping frames for `boot_id`.
    pub fn start(url: &str, boot_id: u64) -> Self {
        gstrswebrtc::plugin_register_static().expect("the peer's plugin");
        gstrsrtp::plugin_register_static().expect("the peer's congestion control");
        let pipeline = gst::parse::launch(&format!(
            "{CONTENT} ! queue max-size-buffers=1 ! whipclientsink name=peer congestion-control=gcc \
             video-caps=video/x-h264 \
             do-retransmission=true \
             audiotestsrc is-live=true wave=sine volume=0.1 ! audio/x-raw,rate=48000,channels=2 ! peer."
        ))
        .expect("the peer's pipeline")
        .downcast::<gst::Pipeline>()
        .expect("a pipeline");
        let sink = pipeline.by_name("peer").expect("the peer");
        sink.property::<gst::glib::Object>("signaller").set_property("whip-endpoint", url);
        // No server of others, and loopback, which ICE leaves out by itself.
        sink.set_property("stun-server", None::<&str>);
        let signaller = sink.property::<gst::glib::Object>("signaller");
        signaller.connect("webrtcbin-ready", false, |values| {
            let session = values[2].get::<gst::Element>().expect("a session");
            let agent = session.property::<gst::Object>("ice-agent");
            agent.emit_by_name::<bool>("add-local-ip-address", &[&"127.0.0.1"]);
            None
        });
        let weak = pipeline.downgrade();
        sink.connect("encoder-setup", false, move |values| {
            let encoder = values[3].get::<gst::Element>().expect("an encoder");
            let weak = weak.clone();
            if let Some(pad) = encoder
                .static_pad("src")
                .filter(|_| encoder.factory().is_some_and(|f| f.name() == "x264enc"))
            {
                pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
                    if let (Some(pipeline), Some(buffer)) = (weak.upgrade(), info.buffer_mut()) {
                        stamp(&pipeline, pad, buffer, boot_id);
                    }
                    gst::PadProbeReturn::Ok
                });
            }
            Some(false.to_value())
        });
        pipeline.set_state(gst::State::Playing).expect("the peer plays");
        Self(pipeline)
    }
}

fn stamp(pipeline: &gst::Pipeline, pad: &gst::Pad, buffer: &mut gst::Buffer, boot_id: u64) {
    let Some(event) = pad.sticky_event::<gst::event::Segment>(0) else { return };
    let Some(running) = event
        .segment()
        .downcast_ref::<gst::ClockTime>()
        .and_then(|s| s.to_running_time(buffer.pts()))
    else {
        return;
    };
    let base = pipeline.base_time().unwrap_or_default();
    let stamp = Stamp {
        boot_id,
        mono_ns: (base + running).nseconds(),
        wall_ns: clock::wall_ns(),
        frame: 0,
        show: None,
    };
    let Ok(map) = buffer.map_readable() else { return };
    let lengths = pad
        .current_caps()
        .and_then(|caps| caps.structure(0)?.get::<String>("stream-format").ok())
        .is_some_and(|format| format == "avc");
    let stamped =
        if lengths { insert_into_avc(&stamp, &map) } else { stamp.insert_into_annex_b(&map) };
    drop(map);
    let mut own = gst::Buffer::from_mut_slice(stamped);
    let _ = buffer.copy_into(
        own.get_mut().expect("ours alone"),
        gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS,
        ..,
    );
    *buffer = own;
}

/// The stamp before the first slice of an access unit whose parts carry their lengths.
fn insert_into_avc(stamp: &Stamp, unit: &[u8]) -> Vec<u8> {
    let mut at = 0;
    while let Some(&[a, b, c, d, head]) = unit.get(at..).and_then(<[u8]>::first_chunk::<5>) {
        if matches!(head & 0x1f, 1..=5) {
            break;
        }
        at += 4 + u32::from_be_bytes([a, b, c, d]) as usize;
    }
    let (before, after) = unit.split_at(at.min(unit.len()));
    let sei = stamp.to_sei_nal();
    [before, &(sei.len() as u32).to_be_bytes(), &sei, after].concat()
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
        std::thread::sleep(Duration::from_millis(50));
    }
}
