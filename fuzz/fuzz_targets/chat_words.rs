//! A viewer's line and its translation: the body is `words::words` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::words::words(data));
