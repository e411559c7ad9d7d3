//! An answer from a stranger: taken or refused in one line, without a panic.

#![no_main]

use hawker::whip::sdp;
use libfuzzer_sys::fuzz_target;

const OFFER: &str = "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v a\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=sendonly\r\na=rtpmap:96 H264/90000\r\na=mid:v\r\na=fingerprint:sha-256 AA:BB\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=sendonly\r\na=rtpmap:111 OPUS/48000/2\r\na=mid:a\r\na=fingerprint:sha-256 AA:BB\r\n";

fuzz_target!(|answer: &str| {
    if let Err(why) = sdp::check_answer(OFFER, answer) {
        assert!(!why.to_string().contains(char::is_control), "{why:?}");
    }
    if let Ok(polished) = sdp::polish_offer(answer) {
        assert_eq!(
            sdp::polish_offer(&polished).as_ref(),
            Ok(&polished),
            "polishing twice changes nothing"
        );
    }
});
