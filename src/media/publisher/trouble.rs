//! What broke a session, in words: GStreamer says "Could not read from resource." whatever it was. Told by the part
//! that it comes from and by how far the session was.

use gst::prelude::*;
use gst_webrtc::{WebRTCICEConnectionState, WebRTCPeerConnectionState};

use super::SessionEvent;
use crate::{base::text::short, media::error::without_secrets};

/// Longest detail in a sentence, in characters.
const MOST: usize = 120;

/// What part of a session an error comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Dtls,
    Srtp,
    Ice,
    Other,
}

impl Part {
    fn of(factory: &str) -> Self {
        match factory {
            name if name.starts_with("dtls") => Self::Dtls,
            name if name.starts_with("srtp") => Self::Srtp,
            name if name.starts_with("nice") => Self::Ice,
            _ => Self::Other,
        }
    }
}

/// An error that an element has posted.
pub(super) fn posted(error: &gst::message::Error, connected: bool) -> SessionEvent {
    let element = error.src().and_then(|source| source.downcast_ref::<gst::Element>());
    let factory = element.and_then(ElementExt::factory).map(|factory| factory.name());
    let part = factory.as_deref().map_or(Part::Other, Part::of);
    // It may name a relay with its password.
    let said = without_secrets(&error.error().to_string());
    let more = error.debug().map(|debug| without_secrets(&debug)).unwrap_or_default();
    SessionEvent::Failed(words(part, connected, &said, &more))
}

/// `more` is GStreamer's debug text: the place in its source, then the reason in a line of its own.
fn words(part: Part, connected: bool, said: &str, more: &str) -> String {
    let reason = more.lines().map(str::trim).rfind(|line| !line.is_empty());
    let place = |line: &str| line.contains(".c(") || line.contains(".c:");
    let reason = reason.filter(|line| !place(line)).unwrap_or(said);
    let reason = short(reason, MOST);
    let reason = reason.trim_end_matches('.');
    match (part, connected) {
        (Part::Dtls, false) => format!(
            "no encrypted connection to the ingest came about: the DTLS handshake failed ({reason}); its own log \
             knows more"
        ),
        (Part::Dtls, true) => {
            format!(
                "the ingest ended the encrypted connection (DTLS: {reason}); its own log knows more"
            )
        }
        (Part::Srtp, _) => format!("what the ingest sends cannot be decrypted (SRTP: {reason})"),
        (Part::Ice, _) => format!("the media path to the ingest broke (ICE: {reason})"),
        (Part::Other, _) => said.to_owned(),
    }
}

/// The connection is in another state; what that means, if anything.
pub(super) fn state(webrtc: &gst::Element, connected: bool) -> Option<SessionEvent> {
    let ice = webrtc.property::<WebRTCICEConnectionState>("ice-connection-state");
    match webrtc.property::<WebRTCPeerConnectionState>("connection-state") {
        WebRTCPeerConnectionState::Failed => Some(failed(ice, connected)),
        WebRTCPeerConnectionState::Closed => {
            Some(SessionEvent::Failed("the ingest closed the connection".into()))
        }
        _ => None,
    }
}

/// ICE and DTLS share one state: which of the two it was.
fn failed(ice: WebRTCICEConnectionState, connected: bool) -> SessionEvent {
    use WebRTCICEConnectionState as Ice;
    match (ice, connected) {
        (Ice::Connected | Ice::Completed, false) => SessionEvent::Failed(
            "no encrypted connection to the ingest came about: the DTLS handshake failed; its own log knows more"
                .into(),
        ),
        (Ice::Connected | Ice::Completed, true) => {
            SessionEvent::Failed("the encrypted connection to the ingest broke (DTLS failed)".into())
        }
        (_, false) => SessionEvent::NoPath,
        (_, true) => SessionEvent::Failed("the media path to the ingest broke (ICE failed)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_said_by_its_name() {
        let bare = "Could not read from resource.";
        let more = "../ext/dtls/gstdtlsdec.c(579): process_buffer (): /GstPipeline:output/GstDtlsDec:dtlsdec0:\nFatal SSL error";
        for (factory, connected, wanted) in [
            ("dtlsdec", false, "the DTLS handshake failed (Fatal SSL error)"),
            ("dtlsenc", true, "DTLS: Fatal SSL error"),
            ("srtpdec", true, "SRTP: Fatal SSL error"),
            ("nicesrc", true, "ICE: Fatal SSL error"),
        ] {
            let said = words(Part::of(factory), connected, bare, more);
            assert!(said.contains(wanted) && !said.contains("resource"), "{said}");
        }
        let said = words(Part::Dtls, false, bare, "../ext/dtls/gstdtlsdec.c(579): x");
        assert!(said.contains("DTLS handshake failed (Could not read"), "{said}");
        assert_eq!(words(Part::of("queue"), true, "out of memory", more), "out of memory");
        let long = words(Part::Ice, true, bare, &format!("{}\u{1b}[2J", "x".repeat(900)));
        assert!(long.chars().count() < 200 && !long.contains(char::is_control), "{long}");
    }

    #[test]
    fn ice_and_dtls_are_told_apart() {
        use WebRTCICEConnectionState as Ice;
        assert_eq!(failed(Ice::Failed, false), SessionEvent::NoPath);
        assert_eq!(failed(Ice::Checking, false), SessionEvent::NoPath);
        let SessionEvent::Failed(dtls) = failed(Ice::Completed, false) else { panic!() };
        assert!(dtls.contains("DTLS handshake"), "{dtls}");
        let SessionEvent::Failed(ice) = failed(Ice::Failed, true) else { panic!() };
        assert!(ice.contains("ICE"), "{ice}");
    }
}
