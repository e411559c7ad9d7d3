//! How a session reaches its ingest: from which address of this machine, by which STUN and TURN servers. It only
//! sets webrtcbin up; which servers there are is found out elsewhere.

use std::{fmt::Write as _, net::IpAddr};

use gst::prelude::*;

use crate::{
    media::MediaError,
    whip::{IceKind, IceServer},
};

/// A way to an ingest. By default any address of this machine, and nobody's help.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// Use these addresses of ours; empty for all but loopback, which ICE leaves out by itself.
    pub addresses: Vec<IpAddr>,
    /// STUN and TURN servers. Of the first kind webrtcbin takes one; a relay over TLS must have been given a door on
    /// this machine (`link::tunnel`), since libnice would speak to it in clear.
    pub servers: Vec<IceServer>,
    /// By a relay, or not at all.
    pub relay_only: bool,
}

impl Route {
    /// Hands the servers over. Before the streams are made: what comes later is not asked.
    pub(super) fn use_servers(&self, webrtc: &gst::Element) -> Result<(), MediaError> {
        // Left alone it is no server; set to nothing it is an error in webrtcbin's log.
        if let Some(stun) = self.servers.iter().find(|s| s.kind == IceKind::Stun) {
            let uri = format!("stun://{}:{}", stun.bracketed(), stun.port);
            webrtc.set_property("stun-server", uri);
        }
        for server in &self.servers {
            let transport = match server.kind {
                IceKind::Stun => continue,
                IceKind::Turn => "udp",
                IceKind::TurnTcp => "tcp",
                IceKind::TurnTls => {
                    return Err(MediaError::lasting(format!(
                        "the relay {server} cannot be used: it would be spoken to without TLS"
                    )));
                }
            };
            let user = escaped(server.user.as_deref().unwrap_or_default());
            let word = escaped(server.credential.as_ref().map_or("", |c| c.expose()));
            let (host, port) = (server.bracketed(), server.port);
            let uri = format!("turn://{user}:{word}@{host}:{port}?transport={transport}");
            if !webrtc.emit_by_name::<bool>("add-turn-server", &[&uri]) {
                let why = format!("webrtcbin does not take the relay {server}");
                return Err(MediaError::lasting(why));
            }
        }
        if self.relay_only {
            webrtc.set_property_from_str("ice-transport-policy", "relay");
        }
        Ok(())
    }

    /// Keeps to the addresses, if there are any.
    pub(super) fn keep_addresses(&self, webrtc: &gst::Element) -> Result<(), MediaError> {
        let agent = webrtc.property::<gst::Object>("ice-agent");
        let add = |address: &&IpAddr| {
            agent.emit_by_name::<bool>("add-local-ip-address", &[&address.to_string()])
        };
        let taken = self.addresses.iter().filter(add).count();
        match self.addresses.first() {
            Some(address) if taken == 0 => {
                Err(MediaError::lasting(format!("{address} cannot be sent from")))
            }
            _ => Ok(()),
        }
    }
}

/// libnice asks routers by UPnP to open ports, and listens on every address of this machine for their answers.
/// Publishing goes out and needs none of it.
pub(super) fn leave_routers_alone(webrtc: &gst::Element) {
    let agent = webrtc.property::<gst::Object>("ice-agent");
    if agent.has_property("agent") {
        let nice = agent.property::<gst::glib::Object>("agent");
        if nice.has_property("upnp") {
            nice.set_property("upnp", false);
        }
    }
}

/// Percent-encoded, all but what an address may hold anywhere (RFC 3986, unreserved).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    #[test]
    fn users_and_passwords_are_escaped_whole() {
        assert_eq!(escaped("17:me@x/ü%"), "17%3Ame%40x%2F%C3%BC%25");
    }

    #[test]
    fn no_router_is_asked_for_ports() {
        crate::media::init().unwrap();
        let webrtc = gst::ElementFactory::make("webrtcbin").build().unwrap();
        let upnp = || {
            let agent = webrtc.property::<gst::Object>("ice-agent");
            agent.property::<gst::glib::Object>("agent").property::<bool>("upnp")
        };
        assert!(upnp(), "it would, left to itself");
        leave_routers_alone(&webrtc);
        assert!(!upnp());
    }

    #[test]
    fn a_relay_over_tls_is_never_handed_over_as_it_is() {
        crate::media::init().unwrap();
        let webrtc = gst::ElementFactory::make("webrtcbin").build().unwrap();
        let route = |uri: &str| Route {
            servers: vec![IceServer::parse(uri, Some("u".into()), Some(Secret::new("p"))).unwrap()],
            ..Route::default()
        };
        let refused = route("turns:relay.example").use_servers(&webrtc).unwrap_err().to_string();
        assert!(refused.contains("without TLS") && !refused.contains("u:p"), "{refused}");
        for uri in ["turn:127.0.0.1:1", "turn:127.0.0.1:1?transport=tcp", "stun:127.0.0.1:1"] {
            route(uri).use_servers(&webrtc).unwrap();
        }
        assert_eq!(
            webrtc.property::<Option<String>>("stun-server").as_deref(),
            Some("stun://127.0.0.1:1")
        );
    }
}
