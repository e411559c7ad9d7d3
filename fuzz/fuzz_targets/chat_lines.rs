//! hawker's own JSON lines, also as a webhook's body: the body is `frames::lines` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::frames::lines(data));
