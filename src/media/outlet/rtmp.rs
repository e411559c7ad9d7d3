//! RTMP and RTMPS: FLV, sent by rtmp2sink. The stream key is in no message.

use std::time::Duration;

use gst::prelude::*;

use super::{
    super::{
        MediaError, aac,
        error::element,
        pipeline::{self, Need},
    },
    branch::Plan,
};
use crate::{
    base::Secret,
    show::{FailureKind, RtmpSpec},
};

/// Bytes in a chunk: the protocol's own 128 spends a header on each.
const CHUNK: u32 = 4096;

/// What to do about GLib without its TLS module.
pub(super) const NO_TLS: &str =
    "RTMPS needs TLS in GLib: install 'glib-networking', or use rtmp://";

/// What the pipeline is made of.
pub(super) fn plan(spec: &RtmpSpec, key: Option<Secret>) -> Result<Plan, MediaError> {
    let address = Address::of(spec, key.as_ref())?;
    let sink = element("rtmp2sink")?;
    sink.set_property("sync", false);
    sink.set_property("async", false);
    sink.set_property("chunk-size", CHUNK);
    sink.set_property_from_str("scheme", spec.url.scheme());
    // One by one: joined to an address and taken apart again, a key with a slash would be something else.
    sink.set_property("host", &address.host);
    sink.set_property("port", i32::from(address.port));
    sink.set_property("application", &address.application);
    sink.set_property("stream", &address.stream);
    let mux = element("flvmux")?;
    mux.set_property("streamable", true);
    let stream = address.stream;
    Ok(Plan {
        video: gst::Caps::builder("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .build(),
        audio: aac::caps(),
        parsers: (Some("h264parse"), "aacparse"),
        mux,
        pads: ("video", "audio"),
        sink,
        linger: Duration::ZERO,
        wording: Box::new(move |error| {
            let text = error.message().replace(&stream, "…");
            let refused = error.matches(gst::ResourceError::NotAuthorized);
            worded(&text, refused)
        }),
    })
}

/// An RTMP address taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: u16,
    application: String,
    stream: String,
}

impl Address {
    /// With a key, the address names the application; without one its last part is the stream's name.
    fn of(spec: &RtmpSpec, key: Option<&Secret>) -> Result<Self, MediaError> {
        let nothing = || {
            MediaError::lasting(
                "the address names no stream: give key = \"env:NAME\", or rtmp://host/app/stream",
            )
        };
        let url = &spec.url;
        let path = url.path().trim_matches('/');
        let query = url.query().map(|q| format!("?{q}")).unwrap_or_default();
        let (application, stream) = if let Some(key) = key {
            (format!("{path}{query}"), key.expose().to_owned())
        } else {
            let (application, stream) = path.rsplit_once('/').ok_or_else(nothing)?;
            (application.to_owned(), format!("{stream}{query}"))
        };
        let port = if url.scheme() == "rtmps" { 443 } else { 1935 };
        Ok(Self {
            host: url.host_str().ok_or_else(nothing)?.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            application,
            stream,
        })
    }
}

/// Whether the server has answered that the stream may be published.
pub(super) fn connected(sink: &gst::Element) -> bool {
    // rtmp2sink counts for a connection that it publishes over, not before.
    let stats = sink.property::<Option<gst::Structure>>("stats");
    stats.and_then(|s| s.get::<u64>("in-bytes-total").ok()).is_some_and(|bytes| bytes > 0)
}

/// Whether RTMPS finds TLS: a connection to ourselves, where nobody speaks it, is enough to know.
pub fn try_tls() -> Result<(), String> {
    let wait = std::time::Duration::from_millis(10);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    listener.set_nonblocking(true).map_err(|e| e.to_string())?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let sink = gst::ElementFactory::make("rtmp2sink")
        .property("async", false)
        .property("location", format!("rtmps://127.0.0.1:{port}/a/b"))
        .build()
        .map_err(|_| "rtmp2sink is not installed".to_owned())?;
    let (pipeline, _claim) = pipeline::make("tls", Need::Outside).map_err(|e| e.to_string())?;
    pipeline.add(&sink).map_err(|e| e.to_string())?;
    // It connects as soon as it is paused.
    let started = pipeline.set_state(gst::State::Paused);
    let met = started.is_ok()
        && (0..200).any(|_| {
            let met = listener.accept().is_ok();
            if !met {
                std::thread::sleep(wait);
            }
            met
        });
    let kinds = [gst::MessageType::Error];
    let error = pipeline
        .bus()
        .filter(|_| met)
        .and_then(|bus| bus.timed_pop_filtered(gst::ClockTime::from_seconds(3), &kinds));
    // It goes away either way.
    let _ = pipeline.set_state(gst::State::Null);
    match error.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Error(e)) if lacks_tls(e.error().message()) => {
            Err("not installed".to_owned())
        }
        Some(_) => Ok(()),
        None => Err("no connection could be tried".to_owned()),
    }
}

/// What GLib says without its TLS module.
fn lacks_tls(text: &str) -> bool {
    text.contains("TLS support is not available") || text.contains("glib-networking")
}

/// What the operator reads.
fn worded(text: &str, not_authorized: bool) -> (String, FailureKind) {
    let holds = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if holds(&["BadName", "already exists", "Already publishing"]) {
        let reason = "the server says that somebody is publishing with this key already: another program \
                      of yours, or the last session, which it has not given up yet";
        return (reason.into(), FailureKind::Passing);
    }
    if not_authorized || holds(&["Unauthorized", "Rejected", "InvalidApp", "denied"]) {
        let reason = format!("the server refuses us: check the address and the key ({text})");
        return (reason, FailureKind::Lasting);
    }
    if lacks_tls(text) {
        return (NO_TLS.into(), FailureKind::Lasting);
    }
    if holds(&["TLS certificate"]) {
        let reason = format!("the server's certificate is not good: {text}");
        return (reason, FailureKind::Lasting);
    }
    (format!("the RTMP connection broke: {text}"), FailureKind::Passing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, key: Option<&str>) -> Option<(String, u16, String, String)> {
        let spec = RtmpSpec { url: url.parse().unwrap(), key: None };
        let key = key.map(Secret::new);
        let a = Address::of(&spec, key.as_ref()).ok()?;
        Some((a.host, a.port, a.application, a.stream))
    }

    #[test]
    fn addresses_are_taken_apart_as_servers_mean_them() {
        let of = |host: &str, port, app: &str, stream: &str| {
            Some((host.to_owned(), port, app.to_owned(), stream.to_owned()))
        };
        assert_eq!(
            address("rtmp://a.example/live2", Some("k-1/2?x")),
            of("a.example", 1935, "live2", "k-1/2?x")
        );
        assert_eq!(
            address("rtmps://b.example/live2?backup=1", Some("k")),
            of("b.example", 443, "live2?backup=1", "k")
        );
        assert_eq!(address("rtmp://[::1]:2000/a/b/c?k=1", None), of("::1", 2000, "a/b", "c?k=1"));
        assert_eq!(address("rtmp://a.example/live", None), None);
    }

    #[test]
    fn only_what_a_retry_cannot_mend_is_lasting() {
        use FailureKind::{Lasting, Passing};
        for (text, kind) in [
            (
                "Failed to connect: publish denied; stream already exists: { \"code\": \"NetStream.Publish.BadName\" }",
                Passing,
            ),
            ("Failed to connect: 'connect' cmd failed: NetConnection.Connect.Rejected", Lasting),
            ("Failed to connect: TLS support is not available", Lasting),
            ("Failed to connect: Unacceptable TLS certificate", Lasting),
            ("Connection refused: Could not connect to 127.0.0.1: Connection refused", Passing),
        ] {
            assert_eq!(worded(text, false).1, kind, "{text}");
        }
        assert_eq!(worded("no", true).1, Lasting);
    }
}
