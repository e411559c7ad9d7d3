//! Facebook's stream and comments: the body is `answers::facebook` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::answers::facebook(data));
