//! Frames of bridges, and their HTML: the body is `frames::bridge` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::frames::bridge(data));
