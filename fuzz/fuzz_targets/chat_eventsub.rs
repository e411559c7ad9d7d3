//! Twitch's EventSub: the body is `frames::eventsub` of `src/chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hawker_fuzz::chat::frames::eventsub(data));
