//! YouTube's stream and polls: the body is `streams::youtube` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::streams::youtube(data));
