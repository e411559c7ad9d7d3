//! A refusal in a stranger's words: one line without control characters, without the token, not endless.

#![no_main]

use hawker::{
    base::{Moment, Secret},
    whip::{Input, Output, Response, Role, Session},
};
use libfuzzer_sys::fuzz_target;

const OFFER: &str = "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=sendonly\r\na=rtpmap:111 OPUS/48000/2\r\na=mid:a\r\na=fingerprint:sha-256 AA:BB\r\n";
const TOKEN: &str = "t0ken-s3cr3t";

fuzz_target!(|reply: (u16, String, Option<String>, Option<String>)| {
    let (status, body, content_type, retry_after) = reply;
    let endpoint = "https://h.example/whip".parse().expect("an address");
    let mut session = Session::new(Role::Whip, endpoint, Some(Secret::new(TOKEN)));
    let now = Moment::from_ms(0);
    session.handle(now, Input::Start { offer: OFFER.into() });
    let Some(Output::Send(post)) = session.poll() else { panic!("no POST") };
    let response = Response { status, body, content_type, retry_after, ..Response::default() };
    session.handle(now, Input::Response { id: post.id, response });
    while let Some(output) = session.poll() {
        if let Output::Failed(failure) = output {
            let said = failure.sentence;
            assert!(!said.contains(char::is_control) && !said.contains(TOKEN), "{said:?}");
            assert!(said.chars().count() < 700, "{said}");
        }
    }
});
