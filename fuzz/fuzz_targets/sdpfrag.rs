//! A trickle fragment from a stranger, and candidates of our own on their way into one.

#![no_main]

use hawker::whip::sdp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|fragment: &str| {
    for candidate in sdp::candidates(fragment) {
        assert!(candidate.starts_with("candidate:") && !candidate.contains(['\r', '\n']));
    }
    let _ = (sdp::ice_credentials(fragment), sdp::bundle_line(fragment));
    for line in sdp::media_lines(fragment) {
        let _ = (line.attribute("mid"), line.flag("end-of-candidates"), line.direction());
    }
});
