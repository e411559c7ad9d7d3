//! Shopee's answers: the body is `answers::shopee` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::answers::shopee(data));
