//! A platform's table with anything in it: it is read or refused, and what is told of it is plain.

#![no_main]

use hawker::planner::{
    History,
    import::{Ask, read},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for market in [None, "TH".parse().ok()] {
        let zone = hawker::market::Zone::named("Asia/Bangkok").ok();
        let ask = Ask { market, zone, ..Ask::default() };
        match read(bytes, &ask) {
            Ok(import) => {
                for bad in &import.bad {
                    assert!(!bad.why.chars().any(char::is_control), "{bad:?}");
                }
                for row in &import.rows {
                    assert!(row.viewers.is_finite() && row.viewers >= 0.0, "{row:?}");
                    row.add_to(&mut History::new());
                }
            }
            Err(why) => assert!(!why.to_string().chars().any(char::is_control), "{why}"),
        }
    }
});
