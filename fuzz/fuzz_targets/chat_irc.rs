//! An IRC network: the body is `irc::network` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::irc::network(data));
