//! `Link` headers from a stranger: what is taken is bounded, whole, and can be written down and read again.

#![no_main]

use hawker::whip::{IceServer, MAX_SERVERS, ice_servers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|headers: Vec<String>| {
    let servers = ice_servers(&headers);
    assert!(servers.len() <= MAX_SERVERS);
    for server in servers {
        assert!(!server.kind.relays() || server.user.is_some() && server.credential.is_some());
        let (user, word) = (server.user.clone(), server.credential.clone());
        assert_eq!(IceServer::parse(&server.to_string(), user, word), Ok(server));
    }
});
