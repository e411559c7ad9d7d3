//! The rules of a show, and a line to judge: the body is `rules::rules` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::rules::rules(data));
