//! What webrtcbin leaves undone on the parts that it makes: settings that it has no property for, and an end in
//! good order.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use gst::{glib, prelude::*};

use super::certificate::{Certificate, Peer};

use crate::media::{
    clock::MediaClock,
    feed::lock,
    trail::{self, AT_SOCKET, Sent},
};

/// A packet is through a decryptor within microseconds.
const IN_HAND: Duration = Duration::from_millis(200);
/// What webrtcbin has begun is done within milliseconds; it waits for no network.
const IN_WORK: Duration = Duration::from_millis(500);

/// The parts that are met again when the session ends.
#[derive(Default)]
pub(super) struct Parts {
    decryptors: Arc<Mutex<Vec<glib::WeakRef<gst::Element>>>>,
}

impl Parts {
    /// Sets each part up when webrtcbin makes it, before it is started. What comes to the socket is noted in `sent`;
    /// nothing but the handshake does before `peer` is proven.
    pub(super) fn of(
        webrtc: &gst::Element,
        sent: &Arc<Sent>,
        clock: &MediaClock,
        own: &Arc<Certificate>,
        peer: &Peer,
    ) -> Self {
        let parts = Self::default();
        let Some(bin) = webrtc.downcast_ref::<gst::Bin>() else { return parts };
        let decryptors = Arc::clone(&parts.decryptors);
        let (sent, clock) = (Arc::clone(sent), clock.clone());
        let (own, peer) = (Arc::clone(own), peer.clone());
        bin.connect_deep_element_added(move |_, _, element| {
            let Some(factory) = element.factory() else { return };
            match factory.name().as_str() {
                // Sound is said again in packets of the same number, which SRTP has to allow: they are the same to
                // the bit but for the number of their sending, which is not encrypted. webrtcbin's only cipher
                // (AES-CM) bears that.
                "srtpenc" => element.set_property("allow-repeat-tx", true),
                "dtlsdec" => {
                    own.give(element);
                    peer.watch(element);
                }
                "srtpdec" => lock(&decryptors).push(element.downgrade()),
                "nicesink" => {
                    if let Some(socket) = element.static_pad("sink") {
                        peer.guard(&socket);
                        trail::watch(&socket, AT_SOCKET, &sent, &clock);
                    }
                }
                "rtpfunnel" => {
                    if let Some(meeting) = element.static_pad("src") {
                        say_segments_once(&meeting);
                    }
                }
                _ => {}
            }
        });
        parts
    }

    /// Waits until webrtcbin has done what it was asked for, before the session is taken down. A description that is
    /// being taken starts parts in webrtcbin's own thread: one that is started while it is stopped stays behind, and
    /// with it three sockets.
    pub(super) fn finish_work(webrtc: &gst::Element) {
        let (tell, done) = mpsc::sync_channel(1);
        let promise = gst::Promise::with_change_func(move |_| {
            // Who does not wait any longer needs no answer.
            let _ = tell.try_send(());
        });
        // It is asked for things in order; what this one answers is of no interest.
        webrtc.emit_by_name::<()>("get-stats", &[&None::<gst::Pad>, &promise]);
        let _ = done.recv_timeout(IN_WORK);
    }

    /// Lets nothing more in, before the session is taken down. GStreamer's SRTP decryptor names its streams when
    /// their first packet comes; one that comes while its pads are being closed finds the names gone, which is a
    /// critical warning. Returns when no packet is in its hands.
    pub(super) fn close_ears(&self) {
        let decryptors = lock(&self.decryptors).clone();
        let doors = decryptors
            .iter()
            .filter_map(glib::WeakRef::upgrade)
            .flat_map(|decryptor| decryptor.sink_pads())
            .filter_map(|ear| ear.peer());
        let closing: Vec<mpsc::Receiver<()>> = doors.map(|door| close(&door)).collect();
        let deadline = Instant::now() + IN_HAND;
        for closed in closing {
            // One that hangs is taken down as it is.
            let _ = closed.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

/// Holds back what comes to this pad from now on; told when what was on its way is through.
fn close(door: &gst::Pad) -> mpsc::Receiver<()> {
    let (tell, closed) = mpsc::sync_channel(1);
    // Called at once when nothing is on its way, and else by what comes next. Idle alone would let that pass.
    let when = gst::PadProbeType::IDLE | gst::PadProbeType::BLOCK_DOWNSTREAM;
    door.add_probe(when, move |_, _| {
        // Who does not wait any longer needs no answer.
        let _ = tell.try_send(());
        gst::PadProbeReturn::Ok
    });
    closed
}

/// Where picture and sound meet, their segment is told again with each change from one to the other, 80 times a
/// second, all the way to the socket. It is always the same.
fn say_segments_once(meeting: &gst::Pad) {
    let said = Mutex::new(None);
    meeting.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let Some(gst::EventView::Segment(event)) = info.event().map(|event| event.view()) else {
            return gst::PadProbeReturn::Ok;
        };
        let segment = event.segment().to_owned();
        let mut said = lock(&said);
        if said.as_ref() == Some(&segment) {
            // Dropped, it would be told again before every packet.
            return gst::PadProbeReturn::Handled;
        }
        *said = Some(segment);
        gst::PadProbeReturn::Ok
    });
}
