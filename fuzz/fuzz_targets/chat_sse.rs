//! Server-sent events: the body is `streams::sse` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::streams::sse(data));
