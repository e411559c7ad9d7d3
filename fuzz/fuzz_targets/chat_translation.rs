//! Lines and the answers of a translation service: the body is `translation::translation` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::translation::translation(data));
