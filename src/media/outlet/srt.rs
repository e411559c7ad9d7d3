//! SRT: MPEG-TS, sent by srtsink as the caller.

use std::time::Duration;

use gst::prelude::*;

use super::{
    super::{MediaError, aac, error::element},
    branch::Plan,
};
use crate::{
    base::Secret,
    show::{FailureKind, SrtSpec},
    stats::OutputFigures,
};

/// libsrt gives up connecting after 3 s; srtsink does not say so.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_millis(3300);

/// libsrt knows why it was refused; srtsink does not tell, and its log (`refusal`) not always whom.
pub(super) const NO_ANSWER: &str = "the server does not answer, or it refuses us: check the address, the port, \
                                    the passphrase and the stream-id";

/// A receiver holds everything back for the latency, and lets what it holds go when we close: we wait for it,
/// but not for longer than this.
const MOST_LINGER: Duration = Duration::from_millis(600);

/// MPEG-TS packets in one of SRT's: 1,316 bytes, as everybody sends them.
const ALIGNMENT: i32 = 7;

/// What the pipeline is made of.
pub(super) fn plan(
    spec: &SrtSpec,
    stream_id: Option<Secret>,
    passphrase: Option<Secret>,
) -> Result<Plan, MediaError> {
    let host = spec.url.host_str().zip(spec.url.port());
    let (host, port) =
        host.ok_or_else(|| MediaError::lasting("an SRT address is srt://host:port"))?;
    if passphrase.as_ref().is_some_and(|p| !(10..=79).contains(&p.expose().len())) {
        return Err(MediaError::lasting(
            "an SRT passphrase has 10 to 79 characters: this one has not",
        ));
    }
    let sink = element("srtsink")?;
    sink.set_property("sync", false);
    sink.set_property("async", false);
    sink.set_property("uri", format!("srt://{host}:{port}"));
    sink.set_property_from_str("mode", "caller");
    sink.set_property("latency", spec.latency_ms as i32);
    sink.set_property("wait-for-connection", false);
    // Who connects anew, and when, is decided in one place, and not here.
    sink.set_property("auto-reconnect", false);
    if let Some(id) = &stream_id {
        sink.set_property("streamid", id.expose());
    }
    if let Some(passphrase) = &passphrase {
        sink.set_property("passphrase", passphrase.expose());
    }
    let mux = element("mpegtsmux")?;
    mux.set_property("alignment", ALIGNMENT);
    Ok(Plan {
        video: gst::Caps::builder("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .build(),
        audio: aac::caps(),
        parsers: (Some("h264parse"), "aacparse"),
        mux,
        pads: ("sink_%d", "sink_%d"),
        sink,
        linger: Duration::from_millis(u64::from(spec.latency_ms) + 50).min(MOST_LINGER),
        wording: Box::new(move |error| {
            let mut text = error.message().to_owned();
            for secret in [&stream_id, &passphrase].into_iter().flatten() {
                text = text.replace(secret.expose(), "…");
            }
            (format!("the SRT connection broke: {text}"), FailureKind::Passing)
        }),
    })
}

fn stats(sink: &gst::Element) -> Option<gst::Structure> {
    sink.property::<Option<gst::Structure>>("stats")
}

/// Whether the handshake is done.
pub(super) fn connected(sink: &gst::Element) -> bool {
    // srtsink has figures of a connection only while there is one.
    stats(sink).is_some_and(|s| s.has_field("rtt-ms"))
}

/// Packets sent, and how often the other end has acknowledged some.
pub(super) fn progress(sink: &gst::Element) -> Option<(i64, i32)> {
    let stats = stats(sink)?;
    Some((stats.get("packets-sent").ok()?, stats.get("packet-ack-received").ok()?))
}

/// Round trip and loss, as SRT has them.
pub(super) fn fill(sink: &gst::Element, figures: &mut OutputFigures) {
    let Some(stats) = stats(sink) else { return };
    let acknowledged = stats.get::<i32>("packet-ack-received").is_ok_and(|n| n > 0);
    // Before the first acknowledgement the round trip is an assumption.
    figures.rtt_ms = stats.get::<f64>("rtt-ms").ok().filter(|_| acknowledged);
    let sent = stats.get::<i64>("packets-sent").unwrap_or(0);
    let lost = stats.get::<i32>("packets-sent-lost").unwrap_or(0);
    figures.loss = (sent > 0).then(|| f64::from(lost) / sent as f64);
}
