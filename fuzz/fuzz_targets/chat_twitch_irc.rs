//! Twitch's IRC: the body is `irc::twitch` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::irc::twitch(data));
