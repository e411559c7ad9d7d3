//! Claims by any sequence of steps: the body is `claims::claims` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::claims::claims(data));
