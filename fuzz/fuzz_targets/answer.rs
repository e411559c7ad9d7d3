//! An answer from a stranger on its way to webrtcbin and str0m: brought into one form, or refused in one line.

#![no_main]

use hawker::whip::{
    Role, answer,
    fingerprint::{Fingerprints, HashFunction},
    reach::{Reach, without_names},
    sdp,
};
use libfuzzer_sys::fuzz_target;

const OFFER: &str = "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v a\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=sendonly\r\na=rtpmap:96 H264/90000\r\na=mid:v\r\na=fingerprint:sha-256 AA:BB\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=sendonly\r\na=rtpmap:111 OPUS/48000/2\r\na=mid:a\r\na=fingerprint:sha-256 AA:BB\r\n";

fuzz_target!(|text: &str| {
    match answer::normalise(OFFER, text, Role::Whip) {
        Err(refused) => assert!(!refused.why.contains(char::is_control), "{refused:?}"),
        Ok(once) => {
            let twice = answer::normalise(OFFER, &once, Role::Whip);
            assert_eq!(twice.as_ref(), Ok(&once), "twice changes nothing");
            let named = Fingerprints::of(&once, &HashFunction::ALL).expect("it was checked");
            assert!(!named.match_digests(|_| None));
            assert_eq!(sdp::media_lines(&once).len(), 2);
            let reach = Reach::of(&without_names(&once));
            assert!(reach.names.is_empty());
            let said = Reach::of(&once).no_path(&[], std::time::Duration::ZERO).sentence;
            assert!(!said.contains(char::is_control), "{said:?}");
        }
    }
});
