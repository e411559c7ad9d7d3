//! Kick's webhook: the body is `frames::kick` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::frames::kick(data));
