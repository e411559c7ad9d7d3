//! A show file with anything in it: it loads, or every problem can be shown.

#![no_main]

use std::path::Path;

use hawker::config::{Dirs, parse_show};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let nowhere = Path::new("/dev/null");
    match parse_show(text, "show.toml", nowhere, &Dirs::below(nowhere)) {
        Ok(show) => assert!(!show.scenes.is_empty() && !show.profile.ladder.is_empty()),
        Err(problems) => {
            let shown = problems.to_string();
            assert!(!problems.is_empty());
            assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        }
    }
});
